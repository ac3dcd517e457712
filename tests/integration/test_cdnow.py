"""RFM of all of CDNOW's customers on MySQL and MongoDB, against the same counted from the file by plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

import pytest

from crm_model import Crm, install
from crm_model.entities import SalesOrder
from crm_model.services.analysis import Rfm
from platform_store import Platform
from tests.contract.crm import cdnow, figures
from tests.servers.databases import fresh_mongodb_database, fresh_sql_database


@pytest.fixture(scope="module")
def platform(mysql_url: str, mongodb_url: str) -> Iterator[Platform]:
    with (
        fresh_sql_database(mysql_url) as mysql,
        fresh_mongodb_database(mongodb_url) as mongodb,
        Platform.open(mysql=mysql, mongodb=mongodb) as opened,
    ):
        install(opened, ["customer", "sales_order"])
        yield opened


@pytest.fixture(scope="module")
def orders(platform: Platform) -> list[SalesOrder]:
    """As they were loaded."""
    return cdnow.load(platform, list(cdnow.all_purchases()))


@pytest.fixture(scope="module")
def scored(platform: Platform, orders: list[SalesOrder]) -> list[Rfm]:
    return list(Crm(platform, 1).rfm(None, cdnow.END))


def test_it_is_all_of_them(scored: list[Rfm]) -> None:
    """The published numbers of customers and purchases, and what the file's amounts add up to."""
    assert len(scored) == 23_570
    assert sum(one.frequency for one in scored) == 69_659
    assert sum(one.monetary for one in scored) == Decimal("2500315.63")
    assert sum(one.frequency == 1 for one in scored) == 11_908


def test_every_customer_is_as_counted_by_hand(scored: list[Rfm], orders: list[SalesOrder]) -> None:
    customers = [{"id": number, "del_token": 0} for number in {order.customer_id for order in orders}]
    first = min(order.ordered_at for order in orders)
    assert scored == figures.rfm(customers, [order.values() for order in orders], first, cdnow.END)


def test_scores_part_the_customers(scored: list[Rfm]) -> None:
    """Fifths where values differ; half of the customers have bought once, and share the lowest score."""
    assert Counter(one.r for one in scored) == {1: 4735, 2: 4712, 3: 4702, 4: 4720, 5: 4701}
    assert Counter(one.f for one in scored) == {1: 11908, 3: 4079, 4: 3658, 5: 3925}
    assert Counter(one.m for one in scored) == {1: 4817, 2: 4615, 3: 4710, 4: 4715, 5: 4713}
