"""What customers say about us, and how satisfied they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import islice
from typing import Any, Final

from crm_model import checks
from crm_model.changes import Changes
from crm_model.documents import entries
from crm_model.entities import Activity, Customer, Feedback, Product, Task
from crm_model.entities.states import (
    COMPLAINT,
    FEEDBACK_CLOSED,
    FEEDBACK_KINDS,
    FEEDBACK_WAITING,
    FOLLOW_UP,
    OPEN_TASKS,
    TASK_DONE,
    TASK_WAITING,
)
from crm_model.errors import InvalidInput
from crm_model.model import Json
from crm_model.references import check_reference
from crm_model.service import BATCH, Service
from crm_model.services.activities import AHEAD, happened
from platform_store import Range

SATISFACTION_DAYS: Final = 180
LOW_SCORE: Final = 2
"""A score of so much or less is looked into."""
REMIND_AFTER, DUE_AFTER = timedelta(days=1), timedelta(days=2)
"""Of a task that a feedback raises, since it was recorded."""
MOST_AT_ONCE: Final = 1000
FEW_SCORES: Final = 500
"""Scores that are added up here."""

_EVER: Final = Range(ge=datetime(1, 1, 1))
"""That it is a range has MariaDB, too, begin at the end of the index, and not sort all rows."""
_OWNED: Final = """
    SELECT f.id, f.occurred_at FROM feedback f JOIN customer c ON c.id = f.customer_id
    WHERE c.owner_id = %s AND c.del_token = 0 AND f.del_token = 0{0} ORDER BY f.occurred_at DESC, f.id DESC LIMIT {1}
"""
_LEAST: Final = 20
"""Rows that are read at once, however few are wanted."""
_BEFORE: Final = " AND (f.occurred_at < %s OR f.occurred_at = %s AND f.id < %s)"

_ORIGIN: Final = "feedback"
_CENT: Final = Decimal("0.01")
_SHAPES: Final = {
    "tags": checks.is_list_of_texts,
    "answers": checks.is_object,
    "product": checks.is_object,
    "attachments": checks.is_list_of_objects,
}


@dataclass(frozen=True)
class RecordedFeedback:
    """A feedback, its customer as they are now, and the task it has raised, if any."""

    feedback: Feedback
    customer: Customer
    task: Task | None


@dataclass(frozen=True)
class ResolvedFeedback:
    """A feedback that is dealt with, and the task it had raised, if it has raised one that is still there."""

    feedback: Feedback
    task: Task | None


class Feedbacks(Service):
    """Recording feedback, dealing with it, and the satisfaction that follows from it."""

    def record_feedback(
        self,
        customer_id: int,
        *,
        kind: str,
        channel: str,
        score: int | None = None,
        text: str | None = None,
        tags: Sequence[str] | None = None,
        answers: Mapping[str, Json] | None = None,
        product: Mapping[str, Json] | None = None,
        attachments: Sequence[Mapping[str, Json]] | None = None,
        activity_id: int | None = None,
        product_id: int | None = None,
        occurred_at: datetime | None = None,
    ) -> RecordedFeedback:
        """Adds what a customer said, waiting to be handled.

        A complaint, and a score of 2 or less, raises one task for the customer's owner: to remind a day after now, due
        a day later, ``dedupe_key`` ``feedback:<id>``.

        The customer's ``satisfaction`` becomes :meth:`satisfaction` of this moment; where no score counts at all, it
        stays what it was. Until the next feedback it does not age; :meth:`satisfaction` does.

        Args:
            kind: 调查, 投诉 (a complaint), 表扬 or 建议.
            score: 1 to 5, or None where none was given.
            activity_id: the customer's activity in which it was said.
            occurred_at: the present moment where it is not given; a day in the future at most.

        Raises NotFound where the customer, activity or product is not there; NotPermitted, InvalidInput.
        """
        if kind not in FEEDBACK_KINDS:
            raise InvalidInput("kind", "not-a-choice", f"is one of {', '.join(FEEDBACK_KINDS)}", choices=FEEDBACK_KINDS)
        if score is not None:
            checks.whole("score", score, 1, 5)

        def work(changes: Changes) -> RecordedFeedback:
            customer = changes.customer(customer_id)
            feedback = Feedback(
                customer_id=customer_id,
                operator_id=changes.actor.operator_id,
                activity_id=activity_id,
                product_id=product_id,
                kind=kind,
                channel=channel,
                score=score,
                status=FEEDBACK_WAITING,
                occurred_at=happened(changes, occurred_at or changes.at),
                text=text,
                tags=tags,
                answers=answers,
                product=product,
                attachments=attachments,
            )
            feedback = _added(changes, feedback)
            task = _raised(changes, feedback, customer.owner_id) if _is_bad(feedback) else None
            return RecordedFeedback(feedback, _followed(changes, customer), task)

        return self.run("record_feedback", work)

    def resolve_feedback(self, feedback_id: int, note: str | None = None) -> ResolvedFeedback:
        """Marks a feedback as dealt with; the task that it has raised is done then, where it was still open.

        Its status is 已关闭 then, ``resolved_at`` the present moment, and ``handling`` says who did it, with the
        ``note``: what was done. One that is dealt with stays as it is. The customer's satisfaction does not change.

        Raises NotFound; NotPermitted.
        """

        def work(changes: Changes) -> ResolvedFeedback:
            feedback = changes.reached(Feedback, feedback_id)
            task = _task_of(changes, feedback)
            if feedback.status == FEEDBACK_CLOSED:
                return ResolvedFeedback(feedback, task)
            handled = {"at": changes.at.isoformat(), "by": changes.actor.operator_id, "note": note}
            feedback = changes.change(
                feedback,
                status=FEEDBACK_CLOSED,
                resolved_at=changes.at,
                handling=[*entries(feedback.handling), handled],
            )
            if task is not None and task.status in OPEN_TASKS:
                task = changes.change(task, status=TASK_DONE, done_at=changes.at)
            return ResolvedFeedback(feedback, task)

        return self.run("resolve_feedback", work)

    def latest_feedback(self, limit: int = 20, *, owner_id: int | None = None) -> list[Feedback]:
        """The live feedback of live customers that the policy lets the actor see, the newest first.

        It reads an index from its newest end, as far as it takes to find so many. Where a policy keeps most customers
        from the actor, ``owner_id`` says so to the stores, so that what others' customers said is not read.

        Args:
            limit: 1 to 1000.
            owner_id: only of customers of this operator.

        Raises NotPermitted, InvalidInput.
        """
        self.check("latest_feedback")
        checks.whole("limit", limit, 1, MOST_AT_ONCE)
        if owner_id is not None:
            return self._latest_of_owner(owner_id, limit)
        found = self.stream(Feedback, {"occurred_at": _EVER}, order_by=("occurred_at DESC", "id DESC"))
        return [*islice(self.within_reach("latest_feedback", found), limit)]

    def _latest_of_owner(self, owner_id: int, limit: int) -> list[Feedback]:
        found: list[Feedback] = []
        before: tuple[object, ...] = ()
        least = _LEAST
        while True:
            step = min(BATCH, max(limit - len(found), least))
            places = list(self.answers(_OWNED.format(_BEFORE if before else "", step), [owner_id, *before]))
            rows = self.platform.read_many(Feedback.table, [key for key, _ in places])
            some = [Feedback.of(row) for row in rows if row is not None]
            # Between the two requests somebody may have archived one.
            found += self.within_reach("latest_feedback", (one for one in some if not one.archived))
            if len(found) >= limit or len(places) < step:
                return found[:limit]
            key, moment = places[-1]
            before = (moment, moment, key)
            least *= 2  # the policy keeps many from the actor

    def satisfaction(self, customer_id: int, days: int = SATISFACTION_DAYS) -> Decimal | None:
        """The average of the scores that a customer gave in the last ``days``, halves rounded up to two places.

        Live feedback that has a score counts, from exactly so many days before now up to a day after it, which is how
        far :meth:`record_feedback` lets clocks differ. None where there is none.

        Raises NotFound where the customer is not there, archived or merged; NotPermitted, InvalidInput.
        """
        self.customer("satisfaction", customer_id, documents=False)
        return self.average_score(customer_id, checks.whole("days", days, 1))

    def average_score(self, customer_id: int, days: int = SATISFACTION_DAYS) -> Decimal | None:
        """As :meth:`satisfaction`, for services that have looked at the customer themselves."""
        span = _span(self.clock(), days)
        rows = self.platform.find(Feedback.table, _of(customer_id, span), columns=["score"], limit=FEW_SCORES + 1)
        if len(rows) <= FEW_SCORES:
            return _average_of(rows)
        # Of many it is faster that MySQL adds them up; of few it takes more requests.
        with self.platform.query(
            "SELECT SUM(score), COUNT(score) FROM feedback"
            " WHERE customer_id = %s AND del_token = 0 AND occurred_at BETWEEN %s AND %s",
            [customer_id, *span],
        ) as result:
            sums: tuple[Any, ...] = result.one()
        return _average(*sums)


def _added(changes: Changes, feedback: Feedback) -> Feedback:
    checks.shapes(feedback.values(), _SHAPES)
    if feedback.activity_id is not None:
        check_reference(changes, "activity_id", Activity, feedback.activity_id, feedback.customer_id)
    if feedback.product_id is not None:
        check_reference(changes, "product_id", Product, feedback.product_id, feedback.customer_id)
    return changes.add(feedback)


def _is_bad(feedback: Feedback) -> bool:
    return feedback.kind == COMPLAINT or (feedback.score is not None and feedback.score <= LOW_SCORE)


def _raised(changes: Changes, feedback: Feedback, owner_id: int) -> Task:
    complaint = feedback.kind == COMPLAINT
    return changes.add(
        Task(
            customer_id=feedback.customer_id,
            assignee_id=owner_id,
            kind=FOLLOW_UP,
            title="处理投诉" if complaint else "回访低分反馈",
            due_at=changes.at + DUE_AFTER,
            remind_at=changes.at + REMIND_AFTER,
            status=TASK_WAITING,
            priority=1 if complaint else 2,
            origin=_ORIGIN,
            dedupe_key=f"{_ORIGIN}:{feedback.id}",
            rule={"code": _ORIGIN, "inputs": {"kind": feedback.kind, "score": feedback.score}},
        )
    )


def _task_of(changes: Changes, feedback: Feedback) -> Task | None:
    raised = {"dedupe_key": f"{_ORIGIN}:{feedback.id}", "customer_id": feedback.customer_id}
    return next(iter(changes.rows(Task, raised)), None)


def _followed(changes: Changes, customer: Customer) -> Customer:
    average = average_now(changes, customer.id)
    return customer if average is None else changes.change(customer, satisfaction=average)


def average_now(changes: Changes, customer_id: int) -> Decimal | None:
    """The satisfaction that follows from a locked customer's scores: nobody else adds any meanwhile."""
    where = _of(customer_id, _span(changes.at, SATISFACTION_DAYS))
    return _average_of(changes.tx.find(Feedback.table, where, columns=["score"]))


def _span(now: datetime, days: int) -> tuple[datetime, datetime]:
    """The days that count, both ends included."""
    return now - timedelta(days=days), now + AHEAD


def _of(customer_id: int, span: tuple[datetime, datetime]) -> dict[str, object]:
    return {"customer_id": customer_id, "del_token": 0, "occurred_at": Range(ge=span[0], le=span[1])}


def _average_of(rows: list[dict[str, Any]]) -> Decimal | None:
    scores = [row["score"] for row in rows if row["score"] is not None]
    return _average(sum(scores), len(scores))


def _average(total: Decimal | int | None, count: int) -> Decimal | None:
    return (Decimal(total or 0) / count).quantize(_CENT, ROUND_HALF_UP) if count else None
