"""Merging and erasing customers, killed at any step: all of it or nothing, in both stores, and it can be done again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from crm_model import Crm, install
from crm_model.entities import Activity, AuditLog, Contact, Customer, SalesOrder, Task, VipCard
from crm_model.links import links_to
from crm_model.model import Standard
from platform_store import Platform
from platform_store.config import JournalConfig
from tests.contract.conftest import Backend
from tests.contract.crm import make, raw
from tests.faults import steps
from tests.faults.bench import Bench
from tests.faults.conftest import Proxied
from tests.faults.crm_crash import READS, CrmOperation, crm_bench, crm_killed_everywhere
from tests.faults.crm_operations import serve

AWAY = 3.0
"""Seconds after which a server that refuses connections is given up."""
TABLES = ("audit_log", "stock_move", *dict.fromkeys(link.model.table for link in links_to("customer")))
WRITTEN = ("customer", "activity", "contact", "task", "vip_card", "sales_order", "audit_log")


@pytest.fixture(scope="module", params=["mysql", "mariadb"])
def shared(request: pytest.FixtureRequest, mongodb_url: str) -> Iterator[Bench]:
    sql_url = request.getfixturevalue(f"{request.param}_url")
    with crm_bench(sql_url, mongodb_url, TABLES, write_concern="majority") as made:
        yield made


def _customer(crm: Crm, **columns: Any) -> list[Standard]:
    """A customer, with a row of each kind that is dealt with in its own way."""
    customer = make.customer(crm, vip_level=3, **columns)
    card = make.vip_card(crm)
    return [
        customer,
        make.row(crm, Activity, customer_id=customer.id),
        make.row(crm, Contact, customer_id=customer.id, is_primary=1),
        make.row(crm, Task, customer_id=customer.id, dedupe_key=f"care:{customer.id}:1"),
        make.row(crm, SalesOrder, customer_id=customer.id),
        crm.bind_vip_card(customer.id, card.card_no),
    ]


def _two(crm: Crm) -> list[Standard]:
    """Two customers that have nearly the same."""
    rows = zip(_customer(crm, tags=["a"]), _customer(crm, city="上海", tags=["b"]), strict=True)
    return [row for pair in rows for row in pair]


def _merged(crm: Crm) -> list[Standard]:
    """A customer that another one was merged into; nothing of it waits in the journal."""
    winner, loser = make.customer(crm), make.customer(crm, city="上海")
    rows = [make.row(crm, model, customer_id=loser.id) for model in (Activity, SalesOrder, VipCard)]
    crm.merge_customers(winner.id, loser.id)
    crm.platform.recover()
    return [crm.find(type(row), {"id": row.id}, archived=True)[0] for row in (winner, loser, *rows)]


def _look(crm: Crm, rows: list[Standard]) -> object:
    """What of each row is not as it was, and which entries tell of it; "-" is one that tells no more what it was."""
    found = []
    names = {str(rows[0].id): "one", str(rows[1].id): "other"}
    for row in rows:
        now = crm.find(type(row), {"id": row.id}, archived=True)
        changes = {
            name: _named(value, names)
            for name, value in (now[0].values() if now else {}).items()
            if value != getattr(row, name) and name not in ("updated_at", "created_at", "moves", "bound_at")
        }
        entries = crm.find(AuditLog, {"entity": row.table, "entity_id": row.id})
        told = [f"{entry.action}{'' if entry.after_state or entry.meta else '-'}" for entry in entries]
        found.append((row.table, changes if now else None, told))
    return found


def _named(value: object, names: dict[str, str]) -> str:
    """A value without what differs from time to time: the ids of the two customers, alone and in a dedupe_key."""
    return ":".join(names.get(part, part) for part in str(value).split(":"))


MERGE = CrmOperation(
    "merge_customers", _two, lambda rows: serve("merge_customers", rows[0].id, rows[1].id), _look, WRITTEN
)
PURGE = CrmOperation("purge", _merged, lambda rows: serve("purge", rows[0].id), _look, WRITTEN)


@pytest.mark.parametrize("operation", [MERGE, PURGE], ids=lambda one: one.name)
def test_killed_at_every_step(shared: Bench, operation: CrmOperation) -> None:
    assert crm_killed_everywhere(shared, operation, skipped=READS) == []


def test_mongodb_is_away_when_a_purge_has_committed(proxied: Proxied) -> None:
    """What MongoDB holds is not erased yet, and the purge says so until it is."""
    secret = "zqsecret"
    backend = Backend("real", proxied.open, {"mysql": proxied.direct.mysql_url, "mongodb": proxied.direct.mongodb_url})
    patient, impatient = (
        replace(config, journal=JournalConfig(reaper=False))
        for config in (proxied.config(), proxied.config(selection=AWAY))
    )
    with Platform.open(patient) as platform:
        install(platform, TABLES)
        crm = Crm(platform, 1)
        customer = make.row(crm, Customer, secret)
        make.row(crm, Activity, secret, customer_id=customer.id)
        platform.recover()

    def go() -> None:
        proxied.mongodb.refuse()
        proxied.mongodb.cut_all()

    with steps.install(steps.OwnThread(steps.At("rows.transaction.commit:after", go))):
        platform = Platform.open(impatient)
    with platform:
        purged = Crm(platform, 1).purge(customer.id)
        assert (purged.complete, purged.rows["activity"]) == (False, 1)
        assert Crm(platform, 1).find(Activity, {"customer_id": customer.id}, archived=True) == []
        assert {place.split()[0] for place in raw.places(backend, [secret])} == {"collection"}
    proxied.mongodb.accept()
    with Platform.open(patient) as platform:
        again = Crm(platform, 1).purge(customer.id)
        assert (again.complete, again.rows) == (True, {})
        assert raw.places(backend, [secret]) == []
