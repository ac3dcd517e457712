"""What happens with a customer: one timeline of visits, calls, care and everything else."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from heapq import merge
from itertools import islice
from typing import Any, Final, TypedDict, Unpack

from crm_model import checks
from crm_model.changes import Changes
from crm_model.entities import MODELS, Activity, Contact
from crm_model.entities.states import CARE, VISIT
from crm_model.errors import InvalidInput
from crm_model.model import Json
from crm_model.references import check_reference
from crm_model.service import Service
from platform_store import Range

MOST_AT_ONCE: Final = 1000
"""Activities of one page."""
AHEAD: Final = timedelta(days=1)
"""How far in the future something may have happened: clocks and time zones differ."""

_NEWEST_FIRST: Final = ("occurred_at DESC", "id DESC")
_SHAPES: Final = {
    "competitors": checks.is_list_of_objects,
    "outcome": checks.is_object,
    "care": checks.is_object,
    "gift": checks.is_object,
    "gps": checks.is_object,
    "tags": checks.is_list_of_texts,
    "attachments": checks.is_list_of_objects,
    "custom": checks.is_object,
}


class Details(TypedDict, total=False):
    """What can be said of any activity; :class:`crm_model.entities.Activity` says what each means.

    occurred_at: the present moment where it is not given; a day in the future at most. duration_min: in minutes.
    contact_id: a contact of the customer. ref_type and ref_id: a table and the id of a row in it, together or not at
    all; where the row is a customer's, it is this one's.
    """

    summary: str | None
    competitors: Sequence[Mapping[str, Json]] | None
    outcome: Mapping[str, Json] | None
    contact_id: int | None
    occurred_at: datetime | None
    duration_min: int | None
    ref_type: str | None
    ref_id: int | None
    gps: Mapping[str, Json] | None
    tags: Sequence[str] | None
    attachments: Sequence[Mapping[str, Json]] | None
    custom: Mapping[str, Json] | None


class Activities(Service):
    """Reading and continuing a customer's timeline. ``details``: the fields of :class:`Details`, by their names."""

    def timeline(
        self,
        customer_id: int,
        *,
        since: datetime | None = None,
        kinds: Collection[str] | None = None,
        before: tuple[datetime, int] | None = None,
        limit: int = 50,
    ) -> list[Activity]:
        """A page of a customer's live activities with all they hold, the newest first; those of one moment by their id.

        The next page is ``before=(last.occurred_at, last.id)`` of the page's last. Going on so until a page is shorter
        than ``limit`` gives every activity once, whatever is added meanwhile; what is added before the place where the
        reader stands is not seen. A page costs the same at any depth, and for several kinds as much as a page of each.

        Args:
            since: only what occurred then or later; to the millisecond.
            kinds: only these, such as ``["visit", "call"]``.
            limit: 1 to 1000 activities.

        Raises NotFound where the customer is not there, archived or merged; NotPermitted, InvalidInput.
        """
        self.customer("timeline", customer_id, documents=False)
        return self.timeline_page(customer_id, since=since, kinds=kinds, before=before, limit=limit)

    def timeline_page(
        self,
        customer_id: int,
        *,
        since: datetime | None = None,
        kinds: Collection[str] | None = None,
        before: tuple[datetime, int] | None = None,
        limit: int = 50,
    ) -> list[Activity]:
        """As :meth:`timeline`, for services that have looked at the customer themselves."""
        checks.whole("limit", limit, 1, MOST_AT_ONCE)
        where: dict[str, object] = {"customer_id": customer_id}
        if since is not None:
            where["occurred_at"] = Range(ge=checks.moment("since", since))
        after = None
        if before is not None:
            after = {"occurred_at": checks.moment("before", before[0]), "id": before[1]}

        def page(**more: object) -> list[Activity]:
            return self.find(Activity, {**where, **more}, order_by=_NEWEST_FIRST, after=after, limit=limit)

        if kinds is None:
            return page()
        # Each kind is a range of an index. Reading all kinds and skipping the others takes a second at 200,000.
        of_each = [page(kind=kind) for kind in sorted({kinds} if isinstance(kinds, str) else set(kinds))]
        return list(islice(merge(*of_each, key=_place, reverse=True), limit))

    def log_activity(self, customer_id: int, kind: str, *, channel: str, **details: Unpack[Details]) -> Activity:
        """Adds something of any kind to a customer's timeline, such as a call; by the operator at work.

        Raises NotFound where the customer, contact or row referred to is not there; NotPermitted; InvalidInput for
        someone else's contact, a time to come, and documents of another shape than the column's.
        """
        return self._log("log_activity", customer_id, kind, channel, details)

    def log_visit(self, customer_id: int, *, channel: str = "上门", **details: Unpack[Details]) -> Activity:
        """Adds a visit to a customer's timeline; see :meth:`log_activity`.

        ::

            crm.log_visit(674, summary="谈了专线续约", competitors=[{"name": "联通", "quote": "报价低两成"}],
                          outcome={"intent": "高", "next_step": "发送报价"}, duration_min=40)
        """
        return self._log("log_visit", customer_id, VISIT, channel, details)

    def log_care(
        self,
        customer_id: int,
        *,
        category: str,
        effect: str | None = None,
        channel: str = "电话",
        **details: Unpack[Details],
    ) -> Activity:
        """Adds an act of care to a customer's timeline; see :meth:`log_activity`.

        Args:
            category: the occasion, such as 生日.
            effect: how it was taken, such as 好.
        """
        care = {"category": category} if effect is None else {"category": category, "effect": effect}
        return self._log("log_care", customer_id, CARE, channel, details, care=care)

    def _log(
        self, action: str, customer_id: int, kind: str, channel: str, details: Details, **documents: Json
    ) -> Activity:
        given: dict[str, Any] = {**details, **documents}
        occurred_at = given.pop("occurred_at", None)

        def work(changes: Changes) -> Activity:
            changes.customer(customer_id)
            activity = Activity(
                customer_id=customer_id,
                operator_id=changes.actor.operator_id,
                kind=kind,
                channel=channel,
                occurred_at=occurred_at or changes.at,
                **given,
            )
            return add_activity(changes, activity)

        return self.run(action, work)


def add_activity(changes: Changes, activity: Activity) -> Activity:
    """Adds an activity, once checked, to the timeline of its customer, which is locked.

    Raises InvalidInput, NotFound.
    """
    checks.shapes(activity.values(), _SHAPES)
    if activity.duration_min is not None:
        checks.whole("duration_min", activity.duration_min, 0)
    if activity.contact_id is not None:
        check_reference(changes, "contact_id", Contact, activity.contact_id, activity.customer_id)
    _check_ref(changes, activity)
    return changes.add(activity.but(occurred_at=happened(changes, activity.occurred_at)))


def happened(changes: Changes, occurred_at: datetime) -> datetime:
    """When something happened, as its column holds it. Raises InvalidInput for a time to come."""
    occurred_at = checks.moment("occurred_at", occurred_at)
    if occurred_at > changes.at + AHEAD:
        raise InvalidInput("occurred_at", "in-the-future", "is in the future; what is yet to be done is a task")
    return occurred_at


def _place(activity: Activity) -> tuple[datetime, int]:
    return activity.occurred_at, activity.id


def _check_ref(changes: Changes, activity: Activity) -> None:
    if activity.ref_type is None and activity.ref_id is None:
        return
    if activity.ref_type is None or activity.ref_id is None:
        raise InvalidInput("ref_type", "both-or-neither", "give ref_type and ref_id, or neither", other="ref_id")
    for model in MODELS:
        if model.table == activity.ref_type:
            check_reference(changes, "ref_id", model, activity.ref_id, activity.customer_id)
            return
    raise InvalidInput(
        "ref_type",
        "not-a-choice",
        "is the table of an entity, such as opportunity",
        choices=tuple(model.table for model in MODELS),
    )
