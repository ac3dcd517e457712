"""The services of the CRM: what is measured against what, and the bars."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from benchmarks import crm_import
from benchmarks.crm_by_hand import CrmByHand, Place, Row
from benchmarks.crm_visit import VisitsByHand, log_visit
from benchmarks.harness import Prepared, Scenario, Size, Target, Variant, compare
from benchmarks.sides import BY_HAND, LIBRARY
from benchmarks.stats import Bar
from benchmarks.stores import Servers
from crm_model import Crm, Record, install
from crm_model.sample import SIZES, load
from crm_model.sample import Size as SampleSize
from crm_model.sample.sizes import BUSY_CUSTOMER, END
from crm_model.services.overview import Customer360

PAGE: Final = 50
LATELY: Final = 20
_SEED: Final = 42
_S: Final = SIZES["S"]
SAMPLE: Final = SampleSize("busy", _S.customers, _S.activities - _S.busy_activities + 200_000, 200_000, _S.feedback)
"""The small sample, but for its busy customer, who has 200,000 activities."""
IN_LITTLE: Final = SampleSize("quick", 1_000, 12_000, 4_000, 600)

_TABLES: Final = (
    *("operator", "customer", "contact", "billing_customer", "vip_card", "activity", "feedback", "task"),
    *("opportunity", "sales_order", "audit_log"),
)


@dataclass(frozen=True)
class CrmStores:
    """The services, and the plain drivers over the same rows."""

    crm: Crm
    by_hand: CrmByHand
    visits: VisitsByHand


CrmScenario: TypeAlias = Scenario[CrmStores]


@contextlib.contextmanager
def loaded(servers: Servers, size: SampleSize) -> Iterator[CrmStores]:
    """The sample in databases of its own, dropped at the end. Operator 1 is at work on the sample's last day."""
    with servers.stores() as stores:
        install(stores.platform)  # all of them: an import writes to the audit log, too
        load(stores.platform, size, _TABLES)
        stores.platform.recover()
        with stores.connection.cursor() as cursor:
            for table in _TABLES:
                cursor.execute(f"ANALYZE TABLE {table}")
                cursor.fetchall()
        crm = Crm(stores.platform, 1, clock=lambda: END)
        by_hand = (stores.connection, stores.database)
        yield CrmStores(crm, CrmByHand(*by_hand), VisitsByHand(*by_hand))


def timeline(stores: CrmStores, size: Size) -> Prepared:
    """Pages of the busy customer: one in ten is the first page, the others are anywhere."""
    crm, by_hand = stores.crm, stores.by_hand
    places = by_hand.places(BUSY_CUSTOMER)

    def pages(number: int) -> list[Place | None]:
        draw = random.Random(_SEED + number)
        return [None if draw.random() < 0.1 else draw.choice(places) for _ in range(size.calls)]

    variants = (
        Variant(BY_HAND, lambda before: by_hand.timeline(BUSY_CUSTOMER, before, PAGE)),
        Variant(LIBRARY, lambda before: crm.timeline(BUSY_CUSTOMER, before=before, limit=PAGE)),
    )

    def check() -> None:
        for before in pages(0):
            page = crm.timeline(BUSY_CUSTOMER, before=before, limit=PAGE)
            expected = by_hand.timeline(BUSY_CUSTOMER, before, PAGE)
            compare(_values(page), expected, f"activities of the page before {before}")

    return Prepared(variants, pages, check)


def customer_360(stores: CrmStores, size: Size) -> Prepared:
    """Customers as they come; one call in ten is about the busy one."""
    crm, by_hand = stores.crm, stores.by_hand
    live = _live(stores)

    def customers(number: int) -> list[Any]:
        draw = random.Random(_SEED + number)
        return [BUSY_CUSTOMER if draw.random() < 0.1 else draw.choice(live) for _ in range(size.calls)]

    variants = (
        Variant(BY_HAND, lambda customer: by_hand.customer_360(customer, LATELY, END)),
        Variant(LIBRARY, lambda customer: crm.customer_360(customer, LATELY)),
    )

    def check() -> None:
        for customer in customers(0):
            expected = by_hand.customer_360(customer, LATELY, END)
            compare(_parts(crm.customer_360(customer, LATELY)), expected, f"parts of customer {customer}")

    return Prepared(variants, customers, check)


def _log_visit(stores: CrmStores, size: Size) -> Prepared:
    return log_visit(stores.crm, stores.visits, _live(stores), size)


def _live(stores: CrmStores) -> list[Any]:
    return [row["id"] for row in stores.crm.platform.find("customer", {"del_token": 0}, columns=["id"])]


def _parts(whole: Customer360) -> list[Any]:
    """As it is by hand, where nothing is 0."""
    totals, nothing = whole.orders, 0
    return [
        _values([whole.customer]),
        _values(whole.contacts.rows),
        _values([whole.card] if whole.card else []),
        _values(whole.billing_accounts.rows),
        _values(whole.open_opportunities.rows),
        _values(whole.open_tasks.rows),
        (totals.count, totals.amount, totals.last_ordered_at or nothing),
        (whole.satisfaction or nothing,),
        _values(whole.timeline),
    ]


def _values(records: Sequence[Record]) -> list[Row]:
    return [record.values() for record in records]


CRM_SCENARIOS: Sequence[CrmScenario] = (
    Scenario(
        "timeline",
        f"a page of {PAGE} of the customer with the most activities, at any depth",
        "p95",
        Size(20, 100),
        timeline,
        (Target(LIBRARY, Bar("at most", 2.0), 6),),
    ),
    Scenario(
        "customer-360",
        f"everything about a customer, {LATELY} activities, against the sum of its reads",
        "p50",
        Size(20, 60),
        customer_360,
        (Target(LIBRARY, Bar("at most", 1.5), 6),),
    ),
    Scenario("log-visit", "a visit logged, with its audit entry", "p50", Size(10, 40), _log_visit),
    Scenario(
        "import",
        "new customers from a CSV file, against the same rows in write_many",
        "rate",
        Size(10, 1, crm_import.ROWS),
        lambda stores, size: crm_import.import_csv(stores.crm, size),
        (Target(crm_import.IMPORT, Bar("at least", 0.5), 6),),
    ),
)
