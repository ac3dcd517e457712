"""Reports: the funnel, how satisfied customers are, and what was sold."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, time
from typing import Any, Final

from fastapi import APIRouter, Response
from starlette.exceptions import HTTPException

from crm_model.entities.states import LOST
from crm_model.services.reports import Satisfaction, SatisfactionKey
from examples.crm_web import drawing, periods
from examples.crm_web.forms import Form
from examples.crm_web.navigation import Entry, Pages
from examples.crm_web.visit import SignedIn, Visit

router = APIRouter()
PAGES: Final = Pages(router, (Entry("/reports", "reports.title", "churn_risk"),))

TABS: Final = (
    ("/reports/funnel", "reports.funnel", "funnel"),
    ("/reports/satisfaction", "reports.satisfaction", "satisfaction_by_month"),
    ("/reports/sales", "reports.sales", "sales_performance"),
    ("/reports/rfm", "reports.rfm", "rfm"),
    ("/reports/churn", "reports.churn", "churn_risk"),
)
"""Address, text, and the service that one must be permitted to see it."""
LOWEST, HIGHEST = 1, 5
"""Scores."""
KEYS: Final[dict[str, SatisfactionKey]] = {"channel": "channel", "kind": "kind", "operator": "operator_id"}


def report(visit: Visit, template: str, **context: Any) -> Response:
    """A page below the tabs of those reports that one may see."""
    tabs = [(path, text) for path, text, action in TABS if visit.may(action)]
    return visit.page(template, tabs=tabs, lengths=periods.LENGTHS, **context)


@router.get("/reports")
def first(visit: SignedIn) -> Response:
    """The first report that one may see."""
    path = next((path for path, _, action in TABS if visit.may(action)), None)
    if path is None:
        raise HTTPException(403)
    return visit.go(path)


@router.get("/reports/funnel")
def funnel(visit: SignedIn, day: str = "") -> Response:
    """Opportunities by stage, now or at the end of a day."""
    zone = visit.web.settings.zone
    asked = Form({"day": [day]}, zone)
    at = asked.day("day")
    moment = None if at is None else datetime.combine(at, time.max, zone)
    stages = visit.crm.funnel(moment)
    climb = [stage for stage in stages if stage.stage != LOST]
    most = max((stage.entered for stage in climb), default=0)
    bars = [(stage, drawing.part(stage.entered, most)) for stage in climb]
    return report(visit, "reports/funnel.html", stages=stages, bars=bars, day=asked)


@router.get("/reports/satisfaction")
def satisfaction(visit: SignedIn, months: int = periods.USUAL, by: str = "channel") -> Response:
    """Average scores by month; and by channel, kind or operator."""
    by = by if by in KEYS else "channel"
    period = periods.of_feedback(visit, months)
    together = visit.crm.satisfaction_by_month(period.start, period.stop)
    apart = visit.crm.satisfaction_by_month(period.start, period.stop, by=KEYS[by])
    names = visit.operators([int(one.key or 0) for one in apart]) if by == "operator" else {}
    return report(
        visit,
        "reports/satisfaction.html",
        period=period,
        by=by,
        choices=list(KEYS),
        together=together,
        line=trend(period, together),
        bars=_summed(apart),
        names=names,
    )


def trend(period: periods.Period, found: list[Satisfaction]) -> drawing.Chart:
    """Satisfaction by month as a line."""
    return drawing.line(period.months, {one.month: one.average for one in found}, LOWEST, HIGHEST)


@router.get("/reports/sales")
def sales(visit: SignedIn, months: int = periods.USUAL) -> Response:
    """What was sold by month, and what each operator has done."""
    period = periods.of_orders(visit, months)
    by_month = visit.crm.sales_by_month(period.start, period.stop)
    performances = visit.crm.sales_performance(period.start, period.stop)
    most = max((one.won_amount for one in performances), default=0)
    return report(
        visit,
        "reports/sales.html",
        period=period,
        by_month=by_month,
        columns=drawing.columns(period.months, [one.amount for one in by_month]),
        performances=[(one, drawing.part(one.won_amount, most)) for one in performances],
    )


def _summed(found: list[Satisfaction]) -> list[tuple[Satisfaction, float]]:
    """All months of each key together, the best first, with the length of its bar."""
    sums: dict[str | int | None, list[int]] = defaultdict(lambda: [0, 0])
    for one in found:
        sums[one.key][0] += one.scores
        sums[one.key][1] += one.total
    whole = [Satisfaction("", key, scores, total) for key, (scores, total) in sums.items()]
    ordered = sorted(whole, key=lambda one: (-one.average, str(one.key)))
    return [(one, drawing.part(one.average - LOWEST, HIGHEST - LOWEST)) for one in ordered]
