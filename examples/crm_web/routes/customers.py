"""The list of customers, and each of them as a whole."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response
from starlette.exceptions import HTTPException

from crm_model.entities import Activity, Customer, Feedback, SalesOrder
from crm_model.entities.states import FEEDBACK_CLOSED
from examples.crm_web.choices import ACTIVITY_KINDS, CUSTOMER_KINDS, LONGEST_NOTE, STATUSES, VIP_LEVELS
from examples.crm_web.navigation import Entry, Pages
from examples.crm_web.parameters import Id, MaybeId
from examples.crm_web.visit import SignedIn, Visit

router = APIRouter()
PAGES: Final = Pages(router, (Entry("/customers", "customers.title", "search_customers"),))

AT_ONCE: Final = 20
ACTIVITIES: Final = 15
FEW: Final = 5
_PLACE: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?)~(\d{1,18})")


@router.get("/customers")
def customers(
    visit: SignedIn,
    text: Annotated[str, Query(max_length=100)] = "",
    kind: Annotated[str, Query(max_length=32)] = "",
    status: Annotated[str, Query(max_length=32)] = "",
    vip: Annotated[str, Query(pattern="^[0-5]?$")] = "",
    owner: MaybeId = None,
    after: MaybeId = None,
    before: MaybeId = None,
) -> Response:
    """A page of customers, the newest first."""
    if visit.only_own:
        owner = visit.crm.actor.operator_id
    page = visit.crm.search_customers(
        text,
        kind=kind or None,
        status=status or None,
        vip_level=int(vip) if vip else None,
        owner_id=owner,
        after=after,
        before=None if after is not None else before,
        limit=AT_ONCE,
    )
    filters = {"text": text, "kind": kind, "status": status, "vip": vip, "owner": "" if visit.only_own else owner or ""}
    kept = {name: value for name, value in filters.items() if value != ""}
    names = visit.operators([one.owner_id for one in page.customers])

    def address(**place: int) -> str:
        return f"/customers?{urlencode({**kept, **place})}"

    return visit.page(
        "customers.html",
        found=page.customers,
        newer=address(before=page.customers[0].id) if page.newer and page.customers else None,
        older=address(after=page.customers[-1].id) if page.older and page.customers else None,
        first=address() if page.newer else None,
        filters=filters,
        filtered=bool(kept),
        owners=names,
        kinds=CUSTOMER_KINDS,
        statuses=STATUSES,
        levels=VIP_LEVELS,
        staff=[] if visit.only_own else visit.staff(),
    )


@router.get("/customers/{customer_id}")
def customer(
    visit: SignedIn,
    customer_id: Id,
    kind: Annotated[str, Query(max_length=32)] = "",
    before: Annotated[str, Query(max_length=60)] = "",
) -> Response:
    """Everything about a customer, with a page of their timeline."""
    crm = visit.crm
    view = crm.customer_360(customer_id, n=0)
    activities = crm.timeline(customer_id, kinds=[kind] if kind else None, before=_place(before), limit=ACTIVITIES + 1)
    own = {"customer_id": customer_id}
    orders = crm.find(SalesOrder, own, order_by=("ordered_at DESC", "id DESC"), limit=FEW)
    feedback = crm.find(Feedback, own, order_by=("occurred_at DESC", "id DESC"), limit=FEW)
    shown = activities[:ACTIVITIES]
    return visit.page(
        "customer.html",
        view=view,
        customer=view.customer,
        orders=orders,
        feedback=feedback,
        activities=shown,
        older=_older(shown[-1], kind) if len(activities) > ACTIVITIES else None,
        deep=bool(before),
        kind=kind,
        kinds=ACTIVITY_KINDS,
        closed=FEEDBACK_CLOSED,
        longest_note=LONGEST_NOTE,
        names=_names(visit, view.customer, shown, view.open_tasks.rows),
        related=_related(visit, view.customer),
        now=visit.web.settings.clock(),
    )


def _place(before: str) -> tuple[datetime, int] | None:
    """Where a page of the timeline goes on."""
    if not before:
        return None
    found = _PLACE.fullmatch(before)
    try:
        if found is not None:
            return datetime.fromisoformat(found[1]), int(found[2])
    except ValueError:
        pass
    raise HTTPException(400)


def _older(last: Activity, kind: str) -> str:
    kept = {"kind": kind} if kind else {}
    return f"?{urlencode({**kept, 'before': f'{last.occurred_at.isoformat()}~{last.id}'})}#timeline"


def _names(visit: Visit, customer: Customer, activities: list[Activity], tasks: tuple[Any, ...]) -> dict[int, str]:
    """Of everybody at work whom the page mentions."""
    ids = [customer.owner_id, *(one.operator_id for one in activities), *(one.assignee_id for one in tasks)]
    return visit.operators(ids)


def _related(visit: Visit, customer: Customer) -> dict[int, str]:
    """The name of the customer that this one belongs to, by id, where one may know it."""
    found = visit.crm.find(Customer, {"id": customer.parent_id}, archived=True) if customer.parent_id else []
    return {one.id: one.name for one in found if visit.may("customer_360", one)}
