"""CSV files brought to tables, clean and dirty ones: every row told of, nothing half-written, nothing twice."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from crm_model import Actor, Crm, InvalidInput, NotFound, NotPermitted, RolePolicy
from crm_model.entities import (
    Activity,
    AuditLog,
    Contact,
    Customer,
    OrderItem,
    Product,
    SalesOrder,
    VipCard,
)
from crm_model.entities.states import PURGED
from crm_model.model import Standard
from crm_model.services.importing import CsvImport
from crm_model.tabular.report import ImportReport, RowResult
from platform_store import Platform
from tests.contract.conftest import Backend
from tests.contract.crm import make

DEFAULTS = {"kind": "企业", "status": "正常", "stage": "潜在", "source": "导入", "credit_limit": "0", "owner_id": "1"}
HEADER = "客户编号,名称,电话,VIP等级,信用额度,custom.网点数"


@pytest.fixture(scope="module", autouse=True)
def _operators(crm_platform: Platform) -> None:
    """Those that own the customers of these tests."""
    make.operators(crm_platform, 1, 2)


@pytest.fixture
def numbers() -> Iterator[str]:
    """Customer numbers that no other test has."""
    return (f"I{next(_EVERY):07d}" for _ in range(10**6))


_EVERY = iter(range(10**7))


def opened(crm: Crm, text: str, model: type[Standard] = Customer, codec: str = "utf-8", **options: Any) -> CsvImport:
    options = {"defaults": DEFAULTS, **options} if model is Customer else options
    return crm.import_csv(model, io.BytesIO(text.encode(codec)), **options)


def lines(*rows: str) -> str:
    return "\r\n".join([*rows, ""])


def outcomes(path: Path) -> list[tuple[int, str, str, str]]:
    """Line, outcome, column and reason of every row of a report."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return [(int(row["line"]), row["outcome"], row["column"], row["reason"]) for row in csv.DictReader(stream)]


def counts(report: ImportReport) -> dict[str, int]:
    return {outcome: count for outcome, count in report.counts.items() if count}


def by_no(crm: Crm, *cust_nos: str) -> list[Customer]:
    return crm.find(Customer, {"cust_no": cust_nos}, order_by=["cust_no"])


def entries(crm: Crm, table: str, key: int) -> list[AuditLog]:
    return crm.find(AuditLog, {"entity": table, "entity_id": key})


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "gb18030"])
def test_new_customers(crm: Crm, numbers: Iterator[str], tmp_path: Path, codec: str) -> None:
    one, other = next(numbers), next(numbers)
    text = lines(HEADER, f'{one},张伟𠮷,１３８ 0013 8000,３,"¥1,234.50",12', f"{other},北京联通（分公司）,,,1.2万元,")
    report = opened(crm, text, codec=codec).commit(report=tmp_path / "report.csv")
    assert counts(report) == {"inserted": 2}
    assert report.complete
    assert [(line, outcome) for line, outcome, *_ in outcomes(tmp_path / "report.csv")] == [
        (2, "inserted"),
        (3, "inserted"),
    ]
    first, second = by_no(crm, one, other)
    assert (first.name, first.name_key, first.phone, first.vip_level) == ("张伟𠮷", "张伟𠮷", "１３８ 0013 8000", 3)
    assert (first.credit_limit, first.custom) == (Decimal("1234.50"), {"网点数": 12})
    assert (second.phone, second.vip_level, second.credit_limit, second.custom) == (None, 0, Decimal("12000.00"), None)
    assert (first.kind, first.source, first.owner_id, first.version, first.del_token) == ("企业", "导入", 1, 1, 0)
    assert first.created_at == first.updated_at > crm.clock().replace(hour=0)


def test_one_audit_entry_for_all_new_rows_and_one_for_each_changed(crm: Crm, numbers: Iterator[str]) -> None:
    known = make.customer(crm, cust_no=next(numbers), name="旧名")
    report = opened(
        crm, lines(HEADER, f"{known.cust_no},新名,,,,", f"{next(numbers)},甲,,,,", f"{next(numbers)},乙,,,,")
    ).commit()
    assert counts(report) == {"inserted": 2, "updated": 1}
    change = entries(crm, "customer", known.id)[-1]
    assert (change.action, change.before_state["name"], change.after_state["name"]) == ("import_csv", "旧名", "新名")
    batch = entries(crm, "customer", 0)[-1]
    assert (batch.action, batch.trace_id, batch.after_state) == ("import_csv", change.trace_id, None)
    assert [row.name for row in crm.find(Customer, {"id": batch.meta["ids"]})] == ["甲", "乙"]
    assert batch.meta["lines"] == [3, 4]
    for key in batch.meta["ids"]:
        assert entries(crm, "customer", key) == []


def test_a_dirty_file(crm: Crm, numbers: Iterator[str], tmp_path: Path) -> None:
    """Each kind of dirt on a row of its own, good rows between them."""
    good, same, changed, gone = next(numbers), make.customer(crm, name="不变"), make.customer(crm), make.customer(crm)
    crm.archive(Customer, gone.id)
    ends = next(numbers)
    rows: list[tuple[bytes, str, str]] = [
        (f"{good},好,,,,".encode(), "inserted", ""),
        (f"{good},又,,,,".encode(), "duplicate", "line 2 has the same cust_no"),
        (b"", "", ""),
        (b",,,,,", "", ""),
        (",无号,,,,".encode(), "rejected", "is empty"),
        (f"{next(numbers)},,,,,".encode(), "rejected", "is empty"),
        (f"{next(numbers)},少,,".encode(), "rejected", "4 cells, but the header has 6"),
        (f"{next(numbers)},多,,,,,x".encode(), "rejected", "7 cells, but the header has 6"),
        (f"{next(numbers)},空多,,,,,,".encode(), "inserted", ""),
        (f"{next(numbers)},坏,,九,,".encode(), "rejected", "not a number"),
        (f"{next(numbers)},坏,,6,,".encode(), "rejected", "not between 0 and 5"),
        (f"{next(numbers)},坏,,,1.234,".encode(), "rejected", "more than 2 digits"),
        (f"{next(numbers)},{'长' * 201},,,,".encode(), "rejected", "longer than 200 characters"),
        (f"{next(numbers)},零\0,,,,".encode(), "rejected", "a NUL character in line 15"),
        (f"{next(numbers)},".encode() + b"\xd5\xc5,,,,", "rejected", "not UTF-8: byte 10 of line 16"),
        (f'{next(numbers)},引"号,,,,'.encode(), "inserted", ""),
        (f'{next(numbers)},"引"号,,,,'.encode(), "rejected", "has to be written twice"),
        (f"{same.cust_no},不变,,,1000,".encode(), "unchanged", ""),
        (f"{changed.cust_no},变了,,5,1000,".encode(), "updated", ""),
        (f"{gone.cust_no},回来,,,1000,".encode(), "revived", ""),
        (f"{next(numbers)},😀𠮷,,,,".encode(), "inserted", ""),
        (f"{ends},末行,,,,".encode(), "inserted", ""),
    ]
    every = [HEADER.encode(), *(row for row, *_ in rows)]
    text = b"".join(row + (b"\r\n", b"\n", b"\r")[number % 3] for number, row in enumerate(every))
    commit = crm.import_csv(Customer, io.BytesIO(text), defaults=DEFAULTS)
    path = tmp_path / "report.csv"
    expected = [(line, outcome, reason) for line, (_, outcome, reason) in enumerate(rows, 2) if outcome]
    for run in (commit.preview, commit.commit):
        report = run(report=path)
        found = outcomes(path)
        assert [(line, outcome) for line, outcome, *_ in found] == [(line, outcome) for line, outcome, _ in expected]
        for (line, *_, reason), (*_, wanted) in zip(found, expected, strict=True):
            assert wanted in reason, line
        assert not report.complete
        assert [one.line for one in report.problems] == [
            line for line, one, _ in expected if one in ("duplicate", "rejected")
        ]
    assert found[[line for line, *_ in found].index(11)][2] == "VIP等级", "the header of the cell at fault"
    assert [row.name for row in by_no(crm, good, ends)] == ["好", "末行"]
    back = crm.find(Customer, {"id": gone.id})
    assert [(row.name, row.del_token, row.version) for row in back] == [("回来", 0, 3)]


def test_a_preview_changes_nothing(crm: Crm, numbers: Iterator[str]) -> None:
    known, gone = make.customer(crm), make.customer(crm)
    crm.archive(Customer, gone.id)
    before = [crm.find(AuditLog, {}), crm.find(Customer, {}, archived=True)]
    text = lines(HEADER, f"{known.cust_no},改,,,,", f"{gone.cust_no},活,,,,", f"{next(numbers)},新,,,,")
    assert counts(opened(crm, text).preview()) == {"updated": 1, "revived": 1, "inserted": 1}
    assert [crm.find(AuditLog, {}), crm.find(Customer, {}, archived=True)] == before


def test_again_changes_nothing(crm: Crm, numbers: Iterator[str]) -> None:
    text = lines(HEADER, *(f"{next(numbers)},客户{n},,{n % 6},{n}.50,{n}" for n in range(30)))
    assert counts(opened(crm, text).commit()) == {"inserted": 30}
    before = crm.find(AuditLog, {})
    assert counts(opened(crm, text, batch_size=7).commit()) == {"unchanged": 30}
    assert crm.find(AuditLog, {}) == before


def test_modes(crm: Crm, numbers: Iterator[str], tmp_path: Path) -> None:
    known, gone, new = make.customer(crm, name="一"), make.customer(crm), next(numbers)
    crm.archive(Customer, gone.id)
    text = lines("客户编号,名称", f"{known.cust_no},二", f"{gone.cust_no},三", f"{new},四")
    path = tmp_path / "report.csv"
    opened(crm, text, mode="update").commit(report=path)
    assert [(outcome, reason) for _, outcome, _, reason in outcomes(path)] == [
        ("updated", ""), ("rejected", "the row is archived: restore it first"), ("rejected", "no row has this key"),
    ]  # fmt: skip
    opened(crm, text, mode="insert").commit(report=path)
    assert [(outcome, reason) for _, outcome, _, reason in outcomes(path)] == [
        ("rejected", f"it is there already: customer {known.id}; to change it, import with upsert"),
        ("inserted", ""),
        ("inserted", ""),
    ]
    archived, live = crm.find(Customer, {"cust_no": gone.cust_no}, archived=True)
    assert (archived.id, archived.archived, live.name) == (gone.id, True, "三"), "an archived row's key is free"


def test_columns_without_a_header(crm: Crm, numbers: Iterator[str]) -> None:
    text = lines("客户编号,,名称,", f"{next(numbers)},,甲,", f"{next(numbers)},x,乙,", f"{next(numbers)},,丙,y")
    report = opened(crm, text).commit()
    assert counts(report) == {"inserted": 1, "rejected": 2}
    assert {one.reason for one in report.problems} == {"a value in a column that has no header"}


def test_a_report_keeps_the_first_problems_alone(crm: Crm) -> None:
    report = opened(crm, lines("客户编号,名称", *(f",{number}" for number in range(150))), batch_size=60).preview()
    assert report.counts["rejected"] == 150
    assert [one.line for one in report.problems] == list(range(2, 102))


def test_many_rows_are_added_to_customers_that_are_open_to_the_actor(crm: Crm) -> None:
    """What every service that adds many rows relies on, whether or not it has locked the customers itself."""
    mine, other, gone = make.customer(crm), make.customer(crm, owner_id=2), make.customer(crm)
    crm.archive(Customer, gone.id)
    seller = Crm(crm.platform, Actor(1, "客户经理"), policy=RolePolicy({"客户经理": ["*"]}, own_customers=["客户经理"]))

    def add(*customers: Customer) -> list[int]:
        rows = [{"customer_id": customer.id, "name": "人"} for customer in customers]
        return seller.run("add", lambda changes: changes.add_many(Contact, rows))

    for refused, error in ((gone, NotFound), (other, NotPermitted)):
        with pytest.raises(error):
            add(mine, refused)
    assert crm.find(Contact, {"customer_id": mine.id}) == []
    ids = add(mine, mine)
    assert [row.id for row in crm.find(Contact, {"customer_id": mine.id})] == ids


def test_a_merged_customer_is_not_revived(crm: Crm) -> None:
    winner, loser = make.customer(crm), make.customer(crm)
    crm.platform.update("customer", loser.id, {"merged_into": winner.id, "del_token": loser.id})
    report = opened(crm, lines("客户编号,名称", f"{loser.cust_no},谁")).commit()
    assert report.problems == (
        RowResult(2, "rejected", reason=f"it was merged into customer {winner.id}: give that one's key"),
    )


def test_a_purged_customer_is_not_revived(crm: Crm) -> None:
    gone = make.customer(crm)
    crm.platform.update("customer", gone.id, {"status": PURGED, "del_token": gone.id})
    report = opened(crm, lines("客户编号,名称", f"{gone.cust_no},谁")).commit()
    assert report.problems[0].reason == "the customer was purged: a new one needs a number of its own"


def test_fields_of_documents(crm: Crm) -> None:
    full = make.customer(crm, custom={"网点数": 3, "旧": [1]}, profile={"hobbies": ["茶"]})
    empty, odd = make.customer(crm), make.customer(crm, custom="随便写的")
    text = lines(
        "客户编号,custom.网点数,custom.开票,profile",
        f'{full.cust_no},,电子,"{{""hobbies"": [""棋""]}}"',
        f"{empty.cust_no},１２,,",
        f"{odd.cust_no},5,,",
    )
    report = opened(crm, text, mode="update").commit()
    assert counts(report) == {"updated": 2, "rejected": 1}
    assert report.problems == (
        RowResult(4, "rejected", column="custom.开票", reason="what is there is no object: give the whole column"),
    )
    full, empty, odd = crm.find(Customer, {"id": [full.id, empty.id, odd.id]})
    assert (full.custom, full.profile) == ({"旧": [1], "开票": "电子"}, {"hobbies": ["棋"]})
    assert empty.custom == {"网点数": "１２"}, "text stays text"
    assert odd.custom == "随便写的"


def test_rows_told_by_natural_keys(crm: Crm, tmp_path: Path) -> None:
    customer, gone = make.customer(crm), make.customer(crm)
    crm.archive(Customer, gone.id)
    text = lines(
        "客户编号,姓名,生日,主要联系人,职务",
        f"{customer.cust_no},李娜,1990/2/3,是,经理",
        f"{gone.cust_no},王芳,,否,",
        "C-none,刘洋,,,",
        ",陈静,,,",
        f"{customer.cust_no},赵敏,,也许,",
    )
    report = opened(crm, text, Contact).commit(report=tmp_path / "report.csv")
    assert counts(report) == {"inserted": 1, "rejected": 4}
    assert [
        (column, reason) for _, outcome, column, reason in outcomes(tmp_path / "report.csv") if outcome == "rejected"
    ] == [
        ("客户编号", "there is no customer with this cust_no"),
        ("客户编号", "there is no customer with this cust_no"),
        ("客户编号", "is empty, and must not be"),
        ("主要联系人", "none of 1, 0"),
    ]
    (contact,) = crm.find(Contact, {"customer_id": customer.id})
    assert (contact.name, contact.title, contact.is_primary, str(contact.birthday)) == ("李娜", "经理", 1, "1990-02-03")


def test_references_have_to_hold(crm: Crm) -> None:
    mine, other, gone = make.customer(crm), make.customer(crm), make.customer(crm)
    crm.archive(Customer, gone.id)
    contact = crm.add(Contact(customer_id=other.id, name="别家的人"))
    start = "customer_id,contact_id,operator_id,kind,channel,发生时间"
    text = lines(
        start,
        f"{mine.id},,1,拜访,上门,2026-05-01",
        f"{mine.id},{contact.id},1,拜访,上门,2026-05-01",
        f"{mine.id},999999,1,拜访,上门,2026-05-01",
        f"{mine.id},,777,拜访,上门,2026-05-01",
        f"{gone.id},,1,拜访,上门,2026-05-01",
        f"{999_999},,1,拜访,上门,2026-05-01",
    )
    for run in ("preview", "commit"):
        report = getattr(opened(crm, text, Activity), run)()
        assert counts(report) == {"inserted": 1, "rejected": 5}
        assert [(one.column, one.reason) for one in report.problems] == [
            ("contact_id", f"contact {contact.id} is not of customer {mine.id}"),
            ("contact_id", "there is no such contact"),
            ("operator_id", "there is no such operator"),
            ("customer_id", f"customer {gone.id} is archived"),
            ("customer_id", "there is no such customer"),
        ]
    (activity,) = crm.find(Activity, {"customer_id": mine.id})
    assert activity.kind == "visit"


def test_composite_natural_keys(crm: Crm) -> None:
    customer = make.customer(crm)
    values: dict[str, Any] = {"ordered_at": crm.clock(), "amount": Decimal(9), "pay_method": "转账", "status": "已完成"}
    order = crm.add(SalesOrder(order_no=f"SO-{customer.id}", customer_id=customer.id, owner_id=1, **values))
    head = "订单号,行号,product_id,数量,单价,amount"
    product = crm.add(
        Product(code=f"P-{customer.id}", name="专线", category="专线", unit_price=Decimal(3), status="在售")
    )
    text = lines(head, f"{order.order_no},1,{product.id},2,3,6", f"{order.order_no},2,{product.id},1,3,3")
    assert counts(opened(crm, text, OrderItem).commit()) == {"inserted": 2}
    text = lines(head, f"{order.order_no},2,{product.id},1,2,2", f"{order.order_no},02,{product.id},1,2,2")
    assert counts(opened(crm, text, OrderItem).commit()) == {"updated": 1, "duplicate": 1}
    items = crm.find(OrderItem, {"order_id": order.id}, order_by=["line_no"])
    assert [(item.line_no, item.price) for item in items] == [(1, Decimal("3.00")), (2, Decimal("2.00"))]


def test_what_the_stores_refuse_costs_its_own_row(crm: Crm) -> None:
    """Half of a batch stands against a unique index that is not the key: a customer has one card."""
    customers = [make.customer(crm) for _ in range(20)]
    for customer in customers[::2]:
        crm.add(VipCard(card_no=f"OLD{customer.id}", level=1, status="在用", location="总库", customer_id=customer.id))
    head = "卡号,级别,状态,存放地,customer_id,moves"
    text = lines(head, *(f"NEW{one.id},1,使用中,总库,{one.id},[{one.id}]" for one in customers))
    before = len(entries(crm, "vip_card", 0))
    report = opened(crm, text, VipCard).commit()
    assert counts(report) == {"inserted": 10, "rejected": 10}
    assert [one.line for one in report.problems] == list(range(2, 22, 2))
    assert all("vip_card" in (one.reason or "") for one in report.problems)
    cards = crm.find(VipCard, {"card_no": [f"NEW{one.id}" for one in customers]})
    assert [card.customer_id for card in cards] == [one.id for one in customers[1::2]]
    added = [key for entry in entries(crm, "vip_card", 0)[before:] for key in entry.meta["ids"]]
    assert sorted(added) == [card.id for card in cards]
    documents = {one["_id"] for one in crm.platform.read_collection("vip_card")}
    assert documents.issuperset(card.id for card in cards)
    assert documents <= {row["id"] for row in crm.platform.scan("vip_card", columns=["id"])}, "none without a row"


def test_a_change_that_the_stores_refuse(crm: Crm) -> None:
    one, other = make.customer(crm), make.customer(crm)
    cards = [
        crm.add(VipCard(card_no=f"V{customer.id}", level=1, status="在用", location="总库", customer_id=customer.id))
        for customer in (one, other)
    ]
    text = lines("卡号,级别,customer_id", f"{cards[0].card_no},2,{other.id}", f"{cards[1].card_no},2,{other.id}")
    assert counts(opened(crm, text, VipCard).commit()) == {"rejected": 1, "updated": 1}
    assert [card.level for card in crm.find(VipCard, {"id": [card.id for card in cards]})] == [1, 2]


class Stop(Exception):
    """What breaks an import off."""


def stop(_: int) -> None:
    raise Stop


def test_what_was_broken_off_is_finished_by_the_same_call(crm: Crm, numbers: Iterator[str]) -> None:
    text = lines(HEADER, *(f"{next(numbers)},客户{n},,,," for n in range(25)))
    with pytest.raises(Stop):
        opened(crm, text, batch_size=10).commit(progress=stop)
    assert counts(opened(crm, text, batch_size=10).commit()) == {"unchanged": 10, "inserted": 15}


def test_rows_without_a_key_are_not_inserted_twice(crm: Crm) -> None:
    """The audit entries of an import say which lines of which file it has inserted."""
    customer, late = make.customer(crm), "T-later"
    names = [f"联系人{n}" for n in range(25)]
    rows = [f"{customer.cust_no},{name}" for name in names]
    rows[3] = f"{late},{names[3]}"
    text = lines("客户编号,姓名", *rows)
    with pytest.raises(Stop):
        opened(crm, text, Contact, batch_size=10).commit(progress=stop)
    assert len(crm.find(Contact, {"customer_id": customer.id})) == 9
    assert counts(opened(crm, text, Contact, batch_size=10).preview()) == {
        "unchanged": 9,
        "rejected": 1,
        "inserted": 15,
    }
    made = make.customer(crm, cust_no=late)
    assert counts(opened(crm, text, Contact, batch_size=7).commit()) == {"unchanged": 9, "inserted": 16}
    assert counts(opened(crm, text, Contact).commit()) == {"unchanged": 25}
    found = crm.find(Contact, {"customer_id": [customer.id, made.id]})
    assert sorted(contact.name for contact in found) == sorted(names)
    assert counts(opened(crm, text + f"{late},一样\r\n", Contact).commit()) == {"unchanged": 25, "inserted": 1}


def test_two_at_once_insert_each_row_once(crm: Crm, crm_backend: Backend, numbers: Iterator[str]) -> None:
    text = lines(HEADER, *(f"{next(numbers)},客户{n},,,," for n in range(60)))
    reports: list[ImportReport] = []

    def bring() -> None:
        with crm_backend.open() as platform:
            reports.append(opened(Crm(platform, 1), text, batch_size=20).commit())

    both = [threading.Thread(target=bring) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert [report.rows for report in reports] == [60, 60]
    assert sum(report.counts["inserted"] for report in reports) == 60
    assert sum(report.counts["unchanged"] for report in reports) == 60


def test_who_may(crm: Crm, numbers: Iterator[str]) -> None:
    mine, other = make.customer(crm, owner_id=1), make.customer(crm, owner_id=2)
    policy = RolePolicy({"客户经理": ["import_csv"]}, own_customers=["客户经理"])
    text = lines("客户编号,名称", f"{mine.cust_no},我的", f"{other.cust_no},别人的", f"{next(numbers)},新的")
    seller = Crm(crm.platform, Actor(1, "客户经理"), policy=policy, clock=crm.clock)
    for run in ("preview", "commit"):
        report = getattr(opened(seller, text), run)()
        assert counts(report) == {"updated": 1, "rejected": 1, "inserted": 1}
        assert report.problems[0].reason == f"this operator may not change what is of customer {other.id}"
        report = getattr(opened(seller, lines("客户编号,姓名", f"{other.cust_no},某人"), Contact), run)()
        assert report.problems[0].reason == f"customer {other.id} is not this operator's"
    assert crm.find(Contact, {"customer_id": other.id}) == []
    with pytest.raises(NotPermitted):
        opened(seller.acting(Actor(1, "实习生")), text)


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("", {}, "it is empty"),
        ("客户编号,名称\n", {"mode": "replace"}, "one of insert, upsert, update"),
        ("客户编号,名称\n", {"key": "name"}, "told apart by cust_no or id, not by name"),
        ("名称,电话\n", {"key": "cust_no"}, "the file has no column for cust_no"),
        ("名称,电话\n", {"mode": "update"}, "needs a natural key or id"),
        ("ID,客户编号\n", {}, "give id as the key, or leave it out"),
        ("客户编号,星座\n", {}, "'星座' is no column of customer"),
        ("客户编号\n", {"encoding": "latin-1"}, "latin-1"),
        ("客户编号\n", {"batch_size": 0}, "at least 1"),
        ("客户编号\n", {"defaults": {"vip_level": "九"}}, "vip_level: not a number"),
        ("客户编号\n", {"defaults": {"custom.a": "1"}}, "only whole columns"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(crm: Crm, text: str, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        opened(crm, text, **{"defaults": {}, **options})


def test_new_rows_need_what_the_table_needs(crm: Crm, numbers: Iterator[str]) -> None:
    known = make.customer(crm)
    text = lines("客户编号,名称,来源", f"{known.cust_no},改名,网站", f"{next(numbers)},新,", f"{next(numbers)},新,网站")
    report = opened(crm, text, defaults={"source": "导入"}).commit()
    assert counts(report) == {"updated": 1, "rejected": 2}
    assert [(one.line, one.column) for one in report.problems] == [(3, "kind"), (4, "kind")]
    assert "or the import a default" in (report.problems[0].reason or "")
    (row,) = crm.find(Customer, {"id": known.id})
    assert (row.kind, row.stage, row.source) == ("企业", "稳定", "网站"), "defaults are for new rows and empty cells"


def test_rows_matched_by_their_id(crm: Crm) -> None:
    customer = make.customer(crm)
    contact = crm.add(Contact(customer_id=customer.id, name="甲"))
    text = lines(
        "id,customer_id,姓名",
        f"{contact.id},{customer.id},乙",
        f",{customer.id},丙",
        f"{contact.id + 1000},{customer.id},丁",
    )
    assert counts(opened(crm, text, Contact).commit()) == {"updated": 1, "inserted": 2}
    assert [
        (row.id - contact.id, row.name) for row in crm.find(Contact, {"customer_id": customer.id}, order_by=["name"])
    ] in (
        [(1000, "丁"), (1, "丙"), (0, "乙")],
        [(1000, "丁"), (1001, "丙"), (0, "乙")],
    )


def test_a_path_and_its_report(crm: Crm, numbers: Iterator[str], tmp_path: Path) -> None:
    path = tmp_path / "客户.csv"
    path.write_text(lines(HEADER, f"{next(numbers)},甲,,,,"), encoding="gbk", newline="")
    seen: list[int] = []
    opened_file = crm.import_csv(Customer, str(path), defaults=DEFAULTS, columns={"电话": None})
    assert (opened_file.encoding, opened_file.key) == ("gb18030", ("cust_no",))
    assert opened_file.columns == {
        "客户编号": "cust_no", "名称": "name", "VIP等级": "vip_level", "信用额度": "credit_limit",
        "custom.网点数": "custom.网点数",
    }  # fmt: skip
    assert opened_file.commit(progress=seen.append).rows == 1
    assert seen == [1]
    with pytest.raises(InvalidInput, match="No such file"):
        opened_file.commit(report=tmp_path / "nowhere" / "report.csv")
    with pytest.raises(InvalidInput, match="No such file"):
        crm.import_csv(Customer, tmp_path / "none.csv")
