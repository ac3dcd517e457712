"""What happens with a customer: visits and feedback are recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, Response
from starlette.exceptions import HTTPException

from crm_model import Crm
from crm_model.entities import Contact, Customer, Task
from examples.crm_web.choices import (
    FEEDBACK_CHANNELS,
    FEEDBACK_KINDS,
    INTENTS,
    LONGEST_NOTE,
    RIVALS_AT_ONCE,
    SCORES,
    VISIT_CHANNELS,
)
from examples.crm_web.forms import Form
from examples.crm_web.navigation import Pages
from examples.crm_web.parameters import Id
from examples.crm_web.problems import REFUSALS, explained
from examples.crm_web.visit import Posted, SignedIn, Visit
from platform_store import OutcomeUnknown

router = APIRouter()
PAGES: Final = Pages(router)


@router.get("/customers/{customer_id}/visit")
def visit_form(visit: SignedIn, customer_id: Id, form: Posted) -> Response:
    """Asks how a visit went."""
    return _visit_page(visit, visit.crm.customer("log_visit", customer_id), form)


@router.post("/customers/{customer_id}/visit")
def log_visit(visit: SignedIn, customer_id: Id, form: Posted) -> Response:
    """Records a visit."""
    customer = visit.crm.customer("log_visit", customer_id)
    given: dict[str, Any] = {
        "channel": form.choice("channel", VISIT_CHANNELS),
        "contact_id": form.whole("contact_id", 1, 2**63 - 1),
        "occurred_at": form.moment("occurred_at"),
        "duration_min": form.whole("duration_min", 0, 24 * 60),
        "summary": form.text("summary", required=True),
        "competitors": _competitors(form) or None,
        "outcome": _outcome(form) or None,
        "tags": form.words("tags") or None,
    }
    if form.errors:
        return _visit_page(visit, customer, form)

    def work() -> str:
        visit.crm.log_visit(customer_id, **given)
        visit.tell("visit.logged")
        return f"/customers/{customer_id}"

    try:
        return visit.once(form, work)
    except (*REFUSALS, OutcomeUnknown) as error:
        return _visit_page(visit, customer, form, explained(error, visit.texts))


@router.get("/customers/{customer_id}/feedback")
def feedback_form(visit: SignedIn, customer_id: Id, form: Posted) -> Response:
    """Asks what a customer said."""
    return _feedback_page(visit, visit.crm.customer("record_feedback", customer_id), form)


@router.post("/customers/{customer_id}/feedback")
def record_feedback(visit: SignedIn, customer_id: Id, form: Posted) -> Response:
    """Records what a customer said, and tells which task it has raised."""
    customer = visit.crm.customer("record_feedback", customer_id)
    given: dict[str, Any] = {
        "kind": form.choice("kind", FEEDBACK_KINDS),
        "channel": form.choice("channel", FEEDBACK_CHANNELS),
        "score": form.whole("score", 1, 5),
        "text": form.text("text"),
        "tags": form.words("tags") or None,
    }
    if given["score"] is None and given["text"] is None:
        form.wrong("text", "feedback.nothing_said")
    if form.errors:
        return _feedback_page(visit, customer, form)

    def work() -> str:
        _tell_of(visit, visit.crm.record_feedback(customer_id, **given).task)
        return f"/customers/{customer_id}"

    try:
        return visit.once(form, work)
    except (*REFUSALS, OutcomeUnknown) as error:
        return _feedback_page(visit, customer, form, explained(error, visit.texts))


@router.post("/customers/{customer_id}/feedback/{feedback_id}/resolved")
def resolve_feedback(visit: SignedIn, customer_id: Id, feedback_id: Id, form: Posted) -> Response:
    """Marks what a customer said as dealt with, and says which task that has completed."""
    note = form.text("note", longest=LONGEST_NOTE)
    if form.errors:
        raise HTTPException(400, form.errors["note"])
    task = visit.crm.resolve_feedback(feedback_id, note).task
    if task is None:
        visit.tell("feedback.resolved")
    else:
        visit.tell("feedback.resolved_with_task", task=task.id, title=task.title)
    return visit.go(f"/customers/{customer_id}")


def _tell_of(visit: Visit, task: Task | None) -> None:
    """Says that feedback was recorded, and which task it has raised."""
    if task is None:
        visit.tell("feedback.recorded")
    else:
        owner = visit.operators([task.assignee_id]).get(task.assignee_id, "")
        visit.tell("feedback.raised", task=task.id, title=task.title, owner=owner)


def _visit_page(visit: Visit, customer: Customer, form: Form, problem: str | None = None) -> Response:
    return visit.form_page(
        "visit.html",
        form,
        problem,
        customer=customer,
        contacts=_contacts(visit.crm, customer),
        channels=VISIT_CHANNELS,
        intents=INTENTS,
        rivals=range(RIVALS_AT_ONCE),
        now=visit.web.settings.clock(),
    )


def _feedback_page(visit: Visit, customer: Customer, form: Form, problem: str | None = None) -> Response:
    return visit.form_page(
        "feedback.html",
        form,
        problem,
        customer=customer,
        kinds=FEEDBACK_KINDS,
        channels=FEEDBACK_CHANNELS,
        scores=SCORES,
    )


def _contacts(crm: Crm, customer: Customer) -> Sequence[Contact]:
    return crm.find(Contact, {"customer_id": customer.id}, order_by=("is_primary DESC", "id"), limit=50)


def _competitors(form: Form) -> list[dict[str, str]]:
    rows = []
    for number in range(RIVALS_AT_ONCE):
        name, quote = form.text(f"rival_{number}", longest=100), form.text(f"quote_{number}", longest=400)
        if quote and not name:
            form.wrong(f"rival_{number}", "form.required")
        if name:
            rows.append({"name": name, **({"quote": quote} if quote else {})})
    return rows


def _outcome(form: Form) -> dict[str, str]:
    intent = form.choice("intent", INTENTS, required=False)
    next_step = form.text("next_step", longest=400)
    return {name: value for name, value in (("intent", intent), ("next_step", next_step)) if value}
