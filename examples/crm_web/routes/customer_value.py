"""What customers are worth, and who may be about to leave."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from fastapi import APIRouter, Response

from crm_model.entities import Customer
from crm_model.services.analysis import ChurnRisk, Rfm
from examples.crm_web import drawing, periods
from examples.crm_web.navigation import Pages
from examples.crm_web.routes.reports import report
from examples.crm_web.visit import SignedIn, Visit

router = APIRouter()
PAGES: Final = Pages(router)

BINS: Final = 5
SHOWN: Final = 50
"""Customers in a list."""
_COLUMNS: Final = ("id", "cust_no", "name", "city", "vip_level", "owner_id")


@dataclass(frozen=True)
class Cell:
    """Customers with the same scores r and f."""

    r: int
    f: int
    count: int
    shade: int


@router.get("/reports/rfm")
def rfm(visit: SignedIn, months: int = periods.USUAL, r: int = 0, f: int = 0) -> Response:
    """Customers by how lately and how often they bought; those of one cell by name."""
    period = periods.of_orders(visit, months)
    counts: Counter[tuple[int, int]] = Counter()
    chosen: list[Rfm] = []
    for one in visit.crm.rfm(period.start, period.stop, bins=BINS):
        counts[one.r, one.f] += 1
        if (one.r, one.f) == (r, f):
            chosen.append(one)
    most = max(counts.values(), default=0)
    scores = range(1, BINS + 1)
    grid = [[Cell(row, f, counts[row, f], drawing.shade(counts[row, f], most)) for f in scores] for row in scores[::-1]]
    shown = heapq.nsmallest(SHOWN, chosen, key=lambda one: (-one.monetary, one.customer_id))
    return report(
        visit,
        "reports/rfm.html",
        period=period,
        grid=grid,
        total=counts.total(),
        cell=(r, f),
        chosen=_with_customers(visit, shown),
        found=len(chosen),
        spent=Decimal(sum((one.monetary for one in chosen), Decimal(0))),
    )


@router.get("/reports/churn")
def churn(visit: SignedIn) -> Response:
    """The customers of whom most speaks for their leaving."""
    as_of = min(visit.crm.clock(), periods.of_orders(visit, periods.USUAL).stop)
    risks = visit.crm.churn_risk(as_of)
    worst = heapq.nsmallest(SHOWN, risks, key=lambda one: (-one.risk, one.customer_id))
    return report(visit, "reports/churn.html", as_of=as_of, risks=_with_customers(visit, worst))


def _with_customers(visit: Visit, found: list[Any]) -> list[tuple[Rfm | ChurnRisk, dict[str, Any]]]:
    """Each with columns of its customer, and their owner's name."""
    rows = visit.web.platform.read_many(Customer.table, [one.customer_id for one in found], columns=_COLUMNS)
    known: list[dict[str, Any]] = [row or dict.fromkeys(_COLUMNS) for row in rows]
    owners = visit.operators([row["owner_id"] for row in known if row["owner_id"] is not None])
    return [(one, {**row, "owner": owners.get(row["owner_id"])}) for one, row in zip(found, known, strict=True)]
