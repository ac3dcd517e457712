"""The purchases of CDNOW's customers, as the package lifetimes brings them, and as orders of the CRM.

All who bought there for the first time in the first quarter of 1997, 23,570 people, with their 69,659 purchases until
June 1998; and a tenth of them, 2,357 people, with the figures for these that Fader, Hardie and Lee published for the
39 weeks until September 30th 1997 ("Counting Your Customers the Easy Way", *Marketing Science* 24(2), 2005; Fader and
Hardie, "Notes on the CDNOW Master Data Set", 2013). The package is only read, never imported: what it depends on is
not installed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from crm_model.entities import Customer, SalesOrder
from platform_store import Platform
from tests.contract.crm import make

PUBLISHED_END = datetime(1997, 10, 1)
"""The period of the published figures ends before this moment."""
END = datetime(1998, 7, 1)


class Purchase(NamedTuple):
    """One purchase; amounts are in dollars, days have no time."""

    customer: int
    day: datetime
    amount: Decimal


class Published(NamedTuple):
    """Figures of one customer: repeat purchases, each day being one, the last of them and September 30th in weeks after
    the first purchase, and the average of what the repeat purchases came to.
    """

    repeats: int
    last: float
    observed: float
    average: Decimal


def all_purchases() -> Iterator[Purchase]:
    """Of all customers, by their numbers there."""
    lines = _file("CDNOW_master.txt").read_text("ascii").splitlines()[1:]
    for customer, day, _, amount in map(str.split, lines):
        yield Purchase(int(customer), datetime.strptime(day, "%Y%m%d"), Decimal(amount))


def a_tenth_of_purchases() -> Iterator[Purchase]:
    """Of the tenth, by their numbers in it."""
    for line in _file("CDNOW_sample.txt").read_text("ascii").splitlines():
        _, customer, day, _, amount = line.split()
        yield Purchase(int(customer), datetime.strptime(day, "%Y%m%d"), Decimal(amount))


def published() -> dict[int, Published]:
    """By the customers' numbers in the tenth."""
    with _file("cdnow_customers_summary_with_transactions.csv").open(encoding="ascii", newline="") as lines:
        return {
            int(row["ID"]): Published(int(row["x"]), float(row["t_x"]), float(row["T"]), Decimal(row["zbar"]))
            for row in csv.DictReader(lines)
        }


def load(platform: Platform, purchases: list[Purchase]) -> list[SalesOrder]:
    """Writes the customers, and each purchase as a completed order of that day; returns the orders."""
    orders = [
        SalesOrder(
            id=number,
            order_no=f"CDNOW{number:06d}",
            customer_id=purchase.customer,
            owner_id=1,
            ordered_at=purchase.day,
            amount=purchase.amount,
            pay_method="信用卡",
            status="已完成",
        )
        for number, purchase in enumerate(purchases, 1)
    ]
    customers = sorted({purchase.customer for purchase in purchases})
    platform.write_many(Customer.table, (Customer(**make.customer_columns(id=number)).values() for number in customers))
    platform.write_many(SalesOrder.table, (order.values() for order in orders))
    return orders


def _file(name: str) -> Path:
    package = find_spec("lifetimes")
    if package is None or not package.submodule_search_locations:
        pytest.fail("lifetimes 0.11.3 is not installed; `make setup` does it", pytrace=False)
    return Path(package.submodule_search_locations[0]) / "datasets" / name
