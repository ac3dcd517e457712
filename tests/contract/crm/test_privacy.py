"""A person is erased: nothing of them is found in any table, journal or collection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from crm_model import Actor, Crm, NotFound, NotPermitted, Refused, RolePolicy, bulk
from crm_model.entities import (
    ENTITIES,
    Activity,
    AuditLog,
    Contact,
    Customer,
    OrderItem,
    SalesOrder,
    VipCard,
)
from crm_model.links import links_to
from crm_model.model import Standard
from crm_model.services import privacy
from platform_store import ColumnAttribute, Platform
from tests.contract.conftest import BACKENDS, Backend
from tests.contract.crm import make, raw
from tests.contract.crm.conftest import Clock, installed
from tests.faults.schedules import quiet

SECRET, NUMBER = "zqsecret", "17799997777"
"""What the person has in every field, and their phone number, which is also what they are searched by."""
STAYS = "zzbooks"
"""What an order has that the laws on bookkeeping want to be kept."""
NO_CUSTOMERS = {
    *("operator", "product", "gift", "gift_stock", "stock_move", "kb_article", "campaign"),
    *("audit_log", "order_item"),
}
"""Tables whose rows belong to no customer, or are dealt with beside those that do."""

_NUMBERS = count(1)


@pytest.fixture(scope="module", params=BACKENDS)
def unswept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A pair of stores on which nobody removes anything from the journal in the background."""
    with installed(request, tmp_path_factory) as backend:
        if backend.real:
            config = quiet(backend.stores["mysql"], backend.stores["mongodb"])
            backend = Backend(backend.name, lambda: Platform.open(config), backend.stores)
        yield backend


def person(crm: Crm, text: str = SECRET, *, card: bool = True, **columns: Any) -> Customer:
    """A customer with rows of every kind, archived and changed ones too, and ``text`` in all of them.

    ``card``: a live one is among them.
    """
    customer = make.row(crm, Customer, text, **columns)
    customer = crm.edit(Customer, customer.id, city=f"{text}城", attachments=[{"uri": f"file:///{text}/{customer.id}"}])
    for link in links_to("customer"):
        if link.model is Customer or link.by:
            continue
        archived = make.row(crm, link.model, text, **{link.column: customer.id}, **_kept(link.model, text))
        crm.archive(link.model, archived.id)
        if card or link.model is not VipCard:
            make.row(crm, link.model, text, **{link.column: customer.id}, **_kept(link.model, text))
    contact = crm.find(Contact, {"customer_id": customer.id})[0]
    crm.edit(Contact, contact.id, title=f"{text}新")
    return customer


def _kept(model: type[Standard], text: str) -> dict[str, Any]:
    """What may stay of an order and a card, beside the rest."""
    if model is SalesOrder:
        return {
            "order_no": f"{STAYS}{next(_NUMBERS)}",
            "pay_method": STAYS,
            "status": STAYS,
            "items": [{"code": "P001", "qty": 2, "price": 9.5, "engraving": text}, text],
            "invoice": {"type": "普票", "rate": 0.06, "title": text, "tax": {text: 1}},
        }
    if model is VipCard:
        moves = [{"at": "2026-05-01T00:00:00", "from": "总库", "to": text, "by": 9, text: text}, text]
        return {"card_no": f"{STAYS}{next(_NUMBERS)}", "moves": moves}
    return {}


def rows_of(crm: Crm, *customers: Customer) -> list[Standard]:
    """Everything that refers to customers, and these."""
    ids = [customer.id for customer in customers]
    found: list[Standard] = [*crm.find(Customer, {"id": ids}, archived=True)]
    for link in links_to("customer"):
        found += crm.find(link.model, {**link.where(0), link.column: ids}, archived=True)
    return found


def test_every_table_is_thought_of() -> None:
    """A new one has to declare whose its rows are, or that they are nobody's."""
    linked = {link.model.table for link in links_to("customer")}
    assert {entity.name for entity in ENTITIES} == linked | NO_CUSTOMERS


def test_nothing_is_left_anywhere(unswept: Backend) -> None:
    with unswept.open() as platform:
        crm = Crm(platform, Actor(1, ip=SECRET, reason=SECRET), clock=Clock())
        loser, winner = person(crm, phone=NUMBER, card=False), person(crm, phone=f"+86 {NUMBER}")
        innocent = person(crm.acting(1), "innocent")
        others = rows_of(crm, innocent)
        crm.merge_customers(winner.id, loser.id)
        entries = crm.find(AuditLog, {})
        places = raw.places(unswept, [SECRET, NUMBER])
        tables = {"audit_log", *(link.model.table for link in links_to("customer"))}
        if unswept.real:
            holding = {"table platform_store_journal", *(f"collection {table}" for table in tables)}
            assert {place.partition(":")[0] for place in places} >= holding, "it is there before"
        assert len(places) > len(tables)
        purged = crm.acting(Actor(2, reason="工单 17")).purge(winner.id)
        assert purged.complete
        assert purged.customers == (winner.id, loser.id)
        assert raw.places(unswept, [SECRET, NUMBER]) == []
        assert rows_of(crm, innocent) == others
        after = crm.find(AuditLog, {})
        assert [entry.id for entry in after[: len(entries)]] == [entry.id for entry in entries]
        new = after[len(entries) :]
        assert {(entry.action, entry.actor_id, entry.meta["reason"]) for entry in new} == {("purge", 2, "工单 17")}
        erased = Counter[str]()
        for entry in new:
            erased[entry.meta["erased"]["table"]] += len(entry.meta["erased"]["ids"])
        assert erased == purged.rows
        assert all(platform.verify(table).ok for table in tables)


def test_what_becomes_of_each_kind_of_row(crm: Crm) -> None:
    customer = person(crm)
    child = make.customer(crm, parent_id=customer.id)
    referral = make.row(crm, Activity, customer_id=child.id, ref_type="customer", ref_id=customer.id)
    (card,) = crm.find(VipCard, {"customer_id": customer.id})
    (order,) = crm.find(SalesOrder, {"customer_id": customer.id})
    line = make.row(crm, OrderItem, order_id=order.id)
    tables = [link.model.table for link in links_to("customer") if not link.by]
    purged = crm.purge(customer.id)
    audited = purged.rows["audit_log"]
    assert purged.rows == {**dict.fromkeys(tables, 2), "customer": 1, "audit_log": audited}
    assert purged.files == (f"file:///{SECRET}/{customer.id}",)
    (shell,) = crm.find(Customer, {"id": customer.id}, archived=True)
    at = shell.updated_at
    assert shell == Customer(
        cust_no="",
        name="",
        kind="",
        stage="",
        source="",
        id=customer.id,
        status="已清除",
        credit_limit=Decimal(0),
        owner_id=customer.owner_id,
        created_at=at,
        updated_at=at,
        del_token=customer.id,
        version=3,
    )
    assert crm.find(SalesOrder, {"id": order.id}) == [
        order.but(
            items=[{"code": "P001", "qty": 2, "price": 9.5}],
            invoice={"type": "普票", "rate": 0.06},
            delivery=None,
            version=2,
            updated_at=at,
        )
    ]
    assert crm.find(OrderItem, {"id": line.id}) == [line]
    anonymous = {"at": "2026-05-01T00:00:00", "from": "总库", "to": None, "by": 9}
    assert crm.find(VipCard, {"id": card.id}) == [
        card.but(
            customer_id=None,
            bound_at=None,
            status="挂失",
            location="不明",
            moves=[anonymous, dict.fromkeys(("at", "from", "to", "by"))],
            version=2,
            updated_at=at,
        )
    ]
    kept = [row for row in rows_of(crm, customer) if not isinstance(row, SalesOrder)]
    assert kept == [shell]
    assert crm.find(Customer, {"id": child.id}) == [child.but(parent_id=None, version=2, updated_at=at)]
    assert crm.find(Activity, {"id": referral.id}) == [
        referral.but(ref_type=None, ref_id=None, version=2, updated_at=at)
    ]


def test_once_more_it_changes_nothing(crm: Crm) -> None:
    customer = person(crm)
    crm.purge(customer.id)
    rows, entries = rows_of(crm, customer), crm.find(AuditLog, {"entity": "customer", "entity_id": customer.id})
    again = crm.purge(customer.id)
    assert (again.rows, again.files, again.complete) == ({}, (), True)
    assert rows_of(crm, customer) == rows
    assert crm.find(AuditLog, {"entity": "customer", "entity_id": customer.id}) == entries


def test_what_a_purged_customer_does_not_do(crm: Crm) -> None:
    winner, loser = make.customer(crm), make.customer(crm)
    trace = crm.merge_customers(winner.id, loser.id).trace_id
    crm.archive(Customer, winner.id)
    with pytest.raises(NotFound, match=f"was merged into {winner.id}"):
        crm.purge(loser.id)
    with pytest.raises(Refused, match="undo the merge"):
        crm.restore(Customer, loser.id)
    crm.purge(winner.id)
    with pytest.raises(Refused, match="was purged"):
        crm.restore(Customer, winner.id)
    with pytest.raises(Refused, match="were purged"):
        crm.undo_merge(trace)
    with pytest.raises(NotFound, match="999999999"):
        crm.purge(999_999_999)


def test_a_dry_run_says_the_same_and_changes_nothing(crm: Crm) -> None:
    customer = person(crm)
    rows, entries = rows_of(crm, customer), len(crm.find(AuditLog, {}))
    dry = crm.purge(customer.id, dry_run=True)
    assert rows_of(crm, customer) == rows
    assert len(crm.find(AuditLog, {})) == entries
    wet = crm.purge(customer.id)
    assert (dry.customers, dry.rows, dry.files, dry.complete) == (wet.customers, wet.rows, wet.files, False)


def test_what_a_merge_told_of_another_customer(crm: Crm) -> None:
    """It was undone: the winner is somebody else, and the audit still knows what the loser had brought."""
    winner, loser = make.customer(crm, custom={"own": 1}), make.customer(crm, custom={SECRET: SECRET})
    crm.undo_merge(crm.merge_customers(winner.id, loser.id).trace_id)
    crm.edit(Customer, winner.id, city="北京")
    where = {"entity": "customer", "entity_id": winner.id}
    assert SECRET in str(crm.find(AuditLog, where))
    crm.purge(loser.id)
    entries = crm.find(AuditLog, where)
    assert SECRET not in str(entries)
    assert [(entry.action, entry.after_state is None) for entry in entries] == [
        ("add", False),
        ("merge_customers", True),
        ("undo_merge", True),
        ("edit", False),
    ]
    assert crm.find(Customer, {"id": winner.id})[0].custom == {"own": 1}


def test_more_rows_than_a_page(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "PAGE", 4)
    monkeypatch.setattr(privacy, "PAGE", 4)
    customer = make.customer(crm)
    rows = [make.row(crm, Activity, SECRET, customer_id=customer.id) for _ in range(10)]
    for row in rows[:3]:
        for number in range(4):
            crm.edit(Activity, row.id, duration_min=number)
    purged = crm.purge(customer.id)
    assert purged.rows == {"activity": 10, "customer": 1, "audit_log": 10 + 12 + 1}
    assert crm.find(Activity, {"id": [row.id for row in rows]}, archived=True) == []
    entries = crm.find(AuditLog, {"entity": "activity", "entity_id": [row.id for row in rows]})
    assert len(entries) == 22
    assert all((entry.before_state, entry.after_state, entry.meta) == (None, None, None) for entry in entries)


def test_columns_that_an_application_has_added(unswept: Backend) -> None:
    with unswept.open() as platform:
        crm = Crm(platform, 1, clock=Clock())
        added = [
            ColumnAttribute("wechat", "VARCHAR(40)", nullable=False, default=""),
            ColumnAttribute("met_at", "DATETIME(3)", nullable=False, default="2026-01-01"),
            ColumnAttribute("points", "INT", nullable=False, default=0),
            ColumnAttribute("rate", "DECIMAL(5,2)", nullable=False, default=0),
        ]
        for table in ("customer", "sales_order"):
            for column in added:
                platform.add_column(table, column, "mysql")
            platform.add_column(table, ColumnAttribute("notes", "TEXT"), "mongodb")
        customer = make.customer(crm)
        order = make.row(crm, SalesOrder, customer_id=customer.id)
        for table, key in (("customer", customer.id), ("sales_order", order.id)):
            platform.update(table, key, {"wechat": SECRET, "points": 5, "notes": SECRET})
        assert raw.places(unswept, [SECRET])
        assert crm.purge(customer.id).complete
        assert raw.places(unswept, [SECRET]) == []


def test_who_may_purge_whom(crm: Crm) -> None:
    policy = RolePolicy({"客户经理": ["purge"], "主管": ["*"]}, own_customers=["客户经理"])
    winner, loser = make.customer(crm, owner_id=1), make.customer(crm, owner_id=2)
    crm.merge_customers(winner.id, loser.id)
    clerk = Crm(crm.platform, Actor(1, "客户经理"), policy=policy)
    with pytest.raises(NotPermitted, match=f"customer {loser.id}"):
        clerk.purge(winner.id)
    assert clerk.acting(Actor(9, "主管")).purge(winner.id).complete
    assert clerk.acting(Actor(9, "主管")).purge(winner.id).complete, "of what is left it is still the owner that counts"
