"""A service of the CRM whose process is killed at any of its steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from crm_model import Crm
from crm_model.entities import AuditLog, BillingCustomer, Contact, Customer, Opportunity, SalesLead
from crm_model.services.leads import NewOpportunity
from tests.contract.crm import make
from tests.faults.bench import Bench
from tests.faults.broken import without
from tests.faults.crm_crash import CrmOperation, crm_bench, crm_killed_everywhere
from tests.faults.crm_operations import PromotedInTwo, serve

TABLES = (
    *("customer", "billing_customer", "vip_card", "approval", "task", "stock_move", "audit_log"),
    *("sales_lead", "contact", "opportunity"),
)
"""Those that these services use."""


@pytest.fixture(scope="module")
def on_mysql(mysql_url: str, mongodb_url: str) -> Iterator[Bench]:
    with crm_bench(mysql_url, mongodb_url, TABLES) as made:
        yield made


@pytest.fixture(scope="module")
def on_mariadb(mariadb_url: str, mongodb_url: str) -> Iterator[Bench]:
    with crm_bench(mariadb_url, mongodb_url, TABLES) as made:
        yield made


@pytest.fixture
def of_its_own(mariadb_url: str, mongodb_url: str) -> Iterator[Bench]:
    """For a test that leaves halves behind that disagree."""
    with crm_bench(mariadb_url, mongodb_url, TABLES) as made:
        yield made


@pytest.fixture(params=["mysql", "mariadb"])
def shared(request: pytest.FixtureRequest) -> Bench:
    made: Bench = request.getfixturevalue(f"on_{request.param}")
    return made


def _promoted(crm: Crm, account: BillingCustomer) -> object:
    """Whether the account is a customer's, which customers have its number, and how many entries tell of it."""
    (now,) = crm.find(BillingCustomer, {"id": account.id})
    unpromoted = {"customer_id": None, "promoted_at": None, "version": 1, "updated_at": account.updated_at}
    customers = crm.find(Customer, {"cust_no": account.boss_no})
    return {
        "unchanged": now.but(**unpromoted) == account,  # with all its usage
        "linked": (now.customer_id is not None, now.promoted_at is not None, now.version),
        "its customer": [one.id == now.customer_id for one in customers],
        "with": [(one.name == account.name, one.phone == account.phone, one.owner_id) for one in customers],
        "entries": [
            (entry.entity, sorted(entry.after_state))
            for row in (account, *customers)
            for entry in crm.find(AuditLog, {"entity": row.table, "entity_id": row.id})
        ],
    }


PROMOTE = CrmOperation(
    "promote_billing_customer",
    make.billing_customer,
    lambda account: serve("promote_billing_customer", account.boss_no),
    _promoted,
    TABLES,
)


class TestPromoteIsKilled:
    def test_at_every_step(self, shared: Bench) -> None:
        assert crm_killed_everywhere(shared, PROMOTE) == []

    def test_two_transactions_are_noticed(self, on_mariadb: Bench) -> None:
        in_two = replace(PROMOTE, work=PromotedInTwo)
        told = "\n".join(crm_killed_everywhere(on_mariadb, in_two))
        assert "before recover(): {'unchanged': True, 'linked': (False, False, 1), 'its customer': [False]" in told
        assert "done again: Conflict" in told

    def test_a_weaker_store_is_noticed(self, of_its_own: Bench) -> None:
        told = crm_killed_everywhere(of_its_own, PROMOTE, around=without("journal entry"))
        assert "the row is of revision" in "\n".join(told)


def _lead(crm: Crm) -> SalesLead:
    lead = crm.add_lead("李娜", "网站", company="恒达科技", phone="13800000000", raw={"utm": "x"})
    return crm.nurture_lead(lead.id, "见过面")


def _converted(crm: Crm, lead: SalesLead) -> object:
    """What the lead became, and how many of each there are; all of it that it had before is still there."""
    (now,) = crm.find(SalesLead, {"id": lead.id})
    customers = crm.find(Customer, {"cust_no": f"L{lead.id:09d}"})
    ids = [one.id for one in customers]
    contacts = crm.find(Contact, {"customer_id": ids})
    opportunities = crm.find(Opportunity, {"customer_id": ids})
    entries = crm.find(AuditLog, {"entity": "sales_lead", "entity_id": lead.id, "action": "convert_lead"})
    return {
        "kept": (now.raw, now.notes) == (lead.raw, lead.notes),
        "status": (now.status, now.version, now.converted_at is not None),
        "customer": [(one.name, one.id == now.customer_id) for one in customers],
        "contact": [(one.name, one.phone, one.id == now.contact_id) for one in contacts],
        "opportunity": [(one.name, one.needs, one.id == now.opportunity_id) for one in opportunities],
        "entries": len(entries),
    }


CONVERT = CrmOperation(
    "convert_lead",
    _lead,
    lambda lead: serve(
        "convert_lead", lead.id, opportunity=NewOpportunity("专线", Decimal("5000.00"), needs=("上云",))
    ),
    _converted,
    ("customer", "contact", "opportunity", "sales_lead", "audit_log"),
)


class TestConvertIsKilled:
    def test_at_every_step(self, shared: Bench) -> None:
        assert crm_killed_everywhere(shared, CONVERT) == []
