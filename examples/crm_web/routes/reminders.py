"""What one is reminded of."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from fastapi import APIRouter, Response
from starlette.exceptions import HTTPException

from crm_model import NotPermitted
from crm_model.entities import Task
from examples.crm_web.navigation import Entry, Pages
from examples.crm_web.parameters import Id
from examples.crm_web.visit import Posted, SignedIn, Visit

router = APIRouter()
PAGES: Final = Pages(router, (Entry("/reminders", "reminders.title", "due_reminders"),))

AT_ONCE: Final = 30
SNOOZES: Final = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}


@router.get("/reminders")
def reminders(visit: SignedIn, whose: str = "mine") -> Response:
    """The open tasks whose time to remind has come: one's own, or of everybody whose customers one may see."""
    everybody = whose == "all" and not visit.only_own
    assignee = None if everybody else visit.crm.actor.operator_id
    tasks = visit.crm.due_reminders(limit=AT_ONCE + 1, assignee_id=assignee)
    return visit.page(
        "reminders.html",
        tasks=tasks[:AT_ONCE],
        more=len(tasks) > AT_ONCE,
        everybody=everybody,
        customers=visit.customers([one.customer_id for one in tasks if one.customer_id is not None]),
        names=visit.operators([one.assignee_id for one in tasks]),
        snoozes=SNOOZES,
        now=visit.web.settings.clock(),
    )


@router.post("/reminders/{task_id}/done")
def done(visit: SignedIn, task_id: Id, form: Posted) -> Response:
    """Marks a task as done."""
    _check(visit, "complete_task", task_id)
    task = visit.crm.complete_task(task_id)
    visit.tell("reminders.completed", title=task.title)
    return visit.go(_back(form.raw("back")))


@router.post("/reminders/{task_id}/snooze")
def snooze(visit: SignedIn, task_id: Id, form: Posted) -> Response:
    """Puts a reminder off."""
    span = SNOOZES.get(form.raw("span"))
    if span is None:
        raise HTTPException(400)
    _check(visit, "snooze_task", task_id)
    task = visit.crm.snooze_task(task_id, visit.web.settings.clock() + span)
    visit.tell("reminders.snoozed", title=task.title)
    return visit.go(_back(form.raw("back")))


def _check(visit: Visit, action: str, task_id: int) -> None:
    """The service asks whose the customer is; this, whose the task is. Raises NotPermitted."""
    for task in visit.crm.find(Task, {"id": task_id}):
        if not visit.may_close(task):
            raise NotPermitted(visit.crm.actor.operator_id, action, Task.table, task_id)


def _back(place: str) -> str:
    """The list that it was done in, or the customer."""
    if place == "all":
        return "/reminders?whose=all"
    return f"/customers/{int(place)}" if place.isascii() and place.isdigit() and len(place) < 20 else "/reminders"
