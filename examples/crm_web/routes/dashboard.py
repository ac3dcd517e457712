"""The first page: what is to be done, and how things stand."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Response

from crm_model.entities.states import LOST
from examples.crm_web import drawing, periods
from examples.crm_web.navigation import Entry, Pages
from examples.crm_web.routes.reports import trend
from examples.crm_web.visit import SignedIn, Visit

router = APIRouter()
PAGES: Final = Pages(router, (Entry("/dashboard", "dashboard.title", "due_reminders"),))

SHOWN: Final = 8
"""Rows of each list."""


@router.get("/dashboard")
def dashboard(visit: SignedIn) -> Response:
    """One's own tasks that are due, recent feedback; the funnel and the satisfaction for whom these are permitted."""
    crm = visit.crm
    tasks = crm.due_reminders(limit=SHOWN, assignee_id=crm.actor.operator_id)
    feedback = crm.latest_feedback(SHOWN, owner_id=visit.own)
    ids = [one.customer_id for one in feedback] + [task.customer_id for task in tasks if task.customer_id is not None]
    return visit.page(
        "dashboard.html",
        tasks=tasks,
        feedback=feedback,
        customers=visit.customers(ids),
        now=crm.clock(),
        bars=_funnel(visit) if visit.may("funnel") else None,
        line=_satisfaction(visit) if visit.may("satisfaction_by_month") else None,
    )


def _funnel(visit: Visit) -> list[tuple[object, float]]:
    stages = [stage for stage in visit.crm.funnel() if stage.stage != LOST]
    most = max((stage.entered for stage in stages), default=0)
    return [(stage, drawing.part(stage.entered, most)) for stage in stages]


def _satisfaction(visit: Visit) -> drawing.Chart:
    period = periods.of_feedback(visit, periods.USUAL)
    return trend(period, visit.crm.satisfaction_by_month(period.start, period.stop))
