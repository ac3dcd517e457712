"""What an export writes, an import reads back unchanged; and who may export what."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_model import Actor, Crm, InvalidInput, NotPermitted, RolePolicy
from crm_model.entities import Activity, AuditLog, Contact, Customer
from crm_model.model import Standard
from platform_store import JsonText, Platform, Range
from tests.contract.crm import make

CHINA = timezone(timedelta(hours=8))

TEXT = st.text(
    st.one_of(
        st.sampled_from("'=+-@ \t\r\n　,\"张1"), st.characters(exclude_characters="\0", exclude_categories=["Cs"])
    ),
    max_size=8,
)
INTEGERS = st.integers(-(2**53), 2**53)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), INTEGERS, st.sampled_from([0.5, -1e-9, 1e300]), TEXT),
    lambda part: st.lists(part, max_size=2) | st.dictionaries(TEXT, part, max_size=2),
    max_leaves=4,
)
DOCUMENT = st.one_of(st.none(), st.just(JsonText("null")), JSON.filter(lambda value: value is not None))
MOMENT = st.integers(0, 10**12).map(lambda ms: datetime(1995, 1, 1) + timedelta(milliseconds=ms))


def rows_of(fixed: dict[str, Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    columns = {name: one if isinstance(one, st.SearchStrategy) else st.just(one) for name, one in fixed.items()}
    return st.lists(st.fixed_dictionaries(columns), min_size=1, max_size=6)


CUSTOMERS = rows_of(
    {
        "name": TEXT, "kind": st.sampled_from(["企业", "个人", "政府"]), "status": TEXT, "phone": st.none() | TEXT,
        "city": st.none() | TEXT, "vip_level": st.integers(0, 5), "stage": TEXT, "source": TEXT, "owner_id": 1,
        "credit_limit": st.decimals(-(10**11), 10**11, places=2), "satisfaction": st.none() | st.just(Decimal("4.25")),
        "profile": DOCUMENT, "tags": DOCUMENT, "custom": DOCUMENT,
    }
)  # fmt: skip
ACTIVITIES = rows_of(
    {
        "operator_id": 1, "kind": st.sampled_from(["visit", "call", "other"]), "channel": TEXT, "occurred_at": MOMENT,
        "duration_min": st.none() | st.integers(0, 999), "summary": st.none() | TEXT, "outcome": DOCUMENT,
    }
)  # fmt: skip
EVERY = settings(
    derandomize=True,
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module", autouse=True)
def _operators(crm_platform: Platform) -> None:
    """Those that own the customers of these tests."""
    make.operators(crm_platform, 1, 2)


def exported(crm: Crm, model: type[Standard], **options: Any) -> str:
    stream = io.StringIO(newline="")
    crm.export(model, stream, **options)
    return stream.getvalue()


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def comes_back(crm: Crm, model: type[Standard], path: Path, key: str, keys: list[Any], **options: Any) -> None:
    """The rows of these keys: read back they are as they were, and where they are gone, they are there again."""
    zone = options.get("zone", UTC)
    crm.export(model, path, where={key: keys}, **options)
    assert crm.import_csv(model, path, zone=zone).commit().counts["unchanged"] == len(keys)
    before = crm.find(model, {key: keys})
    for row in before:
        crm.platform.delete(model.table, row.id)
    assert crm.import_csv(model, path, zone=zone).commit().counts["inserted"] == len(keys)
    after = crm.find(model, {key: keys}, order_by=[key])
    own = set(model.fields) - {"id", "created_at", "updated_at", "version"}
    for one, other in zip(sorted(before, key=lambda row: getattr(row, key)), after, strict=True):
        assert {name: repr(getattr(one, name)) for name in own} == {name: repr(getattr(other, name)) for name in own}


@EVERY
@given(rows=CUSTOMERS, labelled=st.booleans(), formulas=st.booleans(), encoding=st.sampled_from(["utf-8", "gb18030"]))
def test_customers_come_back(
    crm: Crm, tmp_path: Path, rows: list[dict[str, Any]], labelled: bool, formulas: bool, encoding: str
) -> None:
    keys = [crm.add(Customer(**make.customer_columns(**row))).cust_no for row in rows]
    options = {"labelled": labelled, "formulas": formulas, "encoding": encoding}
    comes_back(crm, Customer, tmp_path / "customers.csv", "cust_no", keys, **options)


@EVERY
@given(rows=ACTIVITIES, zone=st.sampled_from([UTC, CHINA]))
def test_activities_come_back(crm: Crm, tmp_path: Path, rows: list[dict[str, Any]], zone: timezone) -> None:
    customer = make.customer(crm)
    keys = [crm.add(Activity(customer_id=customer.id, **row)).id for row in rows]
    comes_back(crm, Activity, tmp_path / "activities.csv", "id", keys, zone=zone, bom=False)


def test_columns_conditions_and_archived_rows(crm: Crm) -> None:
    rows = [make.customer(crm, city="三沙", custom={"网点数": number, "备注": "12"}) for number in range(3)]
    crm.archive(Customer, rows[1].id)
    columns = ["id", "cust_no", "custom.网点数", "custom.备注", "custom.没有", "del_token"]
    found = table(exported(crm, Customer, columns=columns, where={"city": "三沙"}))
    assert found == [
        {
            "id": str(row.id), "cust_no": row.cust_no, "custom.网点数": str(number), "custom.备注": '"12"',
            "custom.没有": "", "del_token": "0",
        }
        for number, row in enumerate(rows) if number != 1
    ]  # fmt: skip
    everything = table(exported(crm, Customer, columns=["id"], where={"city": "三沙"}, archived=True))
    assert [int(row["id"]) for row in everything] == [row.id for row in rows]
    later = table(exported(crm, Customer, columns=["id"], where={"city": "三沙", "id": Range(gt=rows[0].id)}))
    assert [int(row["id"]) for row in later] == [rows[2].id]


def test_a_file_of_several_pages(crm: Crm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("crm_model.services.exporting._PAGE", 3)
    rows = [make.customer(crm, city="多页") for _ in range(7)]
    seen: list[int] = []
    assert crm.export(Customer, tmp_path / "a.csv", where={"city": "多页"}, progress=seen.append) == 7
    assert seen == [3, 6, 7]
    assert [row["cust_no"] for row in table((tmp_path / "a.csv").read_text("utf-8-sig"))] == [
        row.cust_no for row in rows
    ]


def test_encodings_headers_and_formulas(crm: Crm, tmp_path: Path) -> None:
    make.customer(crm, city="编码", name="𠮷=😀", phone="=cmd|'/c'!A1", source="@x")
    path, where = tmp_path / "a.csv", {"city": "编码"}
    columns = ["name", "phone", "source", "custom.网点数"]
    crm.export(Customer, path, columns=columns, where=where, labelled=True, encoding="GBK")
    assert path.read_bytes().decode("gb18030") == "客户名称,电话,来源,自定义字段.网点数\r\n𠮷=😀,'=cmd|'/c'!A1,'@x,\r\n"
    crm.export(Customer, path, columns=columns[:3], where=where, bom=False, formulas=True)
    assert path.read_bytes().decode() == "name,phone,source\r\n𠮷=😀,=cmd|'/c'!A1,@x\r\n"
    crm.export(Customer, path, columns=columns[:1], where=where)
    assert path.read_bytes().startswith(b"\xef\xbb\xbfname")


def test_a_file_is_complete_or_what_it_was(crm: Crm, tmp_path: Path) -> None:
    make.customer(crm)
    path = tmp_path / "a.csv"
    path.write_text("as it was")

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crm.export(Customer, path, progress=stop)
    assert path.read_text() == "as it was"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(InvalidInput, match="No such file"):
        crm.export(Customer, tmp_path / "nowhere" / "a.csv")


def test_who_may(crm: Crm) -> None:
    mine, other = make.customer(crm, city="权限"), make.customer(crm, city="权限", owner_id=2)
    for customer in (mine, other):
        crm.add(Contact(customer_id=customer.id, name="人", title="权限"))
    policy = RolePolicy({"客户经理": ["export"]}, own_customers=["客户经理"])
    seller = Crm(crm.platform, Actor(1, "客户经理"), policy=policy)
    assert [row["cust_no"] for row in table(exported(seller, Customer, where={"city": "权限"}))] == [mine.cust_no]
    assert [row["customer_id"] for row in table(exported(seller, Contact, where={"title": "权限"}))] == [str(mine.id)]
    with pytest.raises(NotPermitted):
        exported(seller.acting(Actor(1, "实习生")), Customer)


@pytest.mark.parametrize("name", ["星座", "name.a", "owner_id.login"])
def test_columns_that_are_not_there(crm: Crm, name: str) -> None:
    with pytest.raises(InvalidInput, match=f"customer has no column '{name}'"):
        exported(crm, Customer, columns=[name])


def test_append_only_tables_are_exported_too(crm: Crm) -> None:
    customer = make.customer(crm)
    stream = io.StringIO(newline="")
    assert crm.export(AuditLog, stream, where={"entity": "customer", "entity_id": customer.id}) == 1
    assert table(stream.getvalue())[0]["action"] == "add"
