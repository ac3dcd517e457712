"""Customers that are there twice: found, compared side by side, merged, and taken apart again."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from fastapi import APIRouter, Response
from starlette.exceptions import HTTPException

from crm_model.entities import Customer
from examples.crm_web.navigation import Entry, Pages
from examples.crm_web.parameters import Id
from examples.crm_web.problems import REFUSALS, explained
from examples.crm_web.visit import Posted, SignedIn, Visit
from platform_store import Range

router = APIRouter()
PAGES: Final = Pages(router, (Entry("/duplicates", "duplicates.title", "find_duplicates"),))

LEAST: Final = 50
SHOWN: Final = 60
LATELY: Final = 10
_COLUMNS: Final = ("id", "cust_no", "name", "city", "phone")
_HIDDEN: Final = frozenset(
    {"id", "updated_at", "del_token", "version", "merged_into", "name_key", "phone_key", "id_hash"}
)
"""Of no use to who compares."""


@dataclass(frozen=True)
class Field:
    """A column of two customers."""

    name: str
    values: tuple[object, object]

    @property
    def differs(self) -> bool:
        return self.values[0] != self.values[1]


@router.get("/duplicates")
def duplicates(visit: SignedIn) -> Response:
    """Pairs that seem to be the same customer, and what was merged lately."""
    pairs = list(islice(visit.crm.find_duplicates(least=LEAST, owner_id=visit.own), SHOWN + 1))
    pairs.sort(key=lambda pair: (-pair.score, pair.customer_id, pair.other_id))
    merged = _merged_lately(visit) if visit.may("merge_customers") else []
    ids = {key for pair in pairs for key in (pair.customer_id, pair.other_id)}
    ids |= {key for one in merged if (key := one.merged_into) is not None}
    rows = visit.web.platform.read_many(Customer.table, sorted(ids), columns=_COLUMNS)
    known = {row["id"]: row for row in rows if row is not None}
    return visit.page(
        "duplicates.html", pairs=pairs[:SHOWN], more=len(pairs) > SHOWN, known=known, merged=merged, shown=SHOWN
    )


@router.get("/duplicates/{first}/{second}")
def compare(visit: SignedIn, first: Id, second: Id) -> Response:
    """Two customers side by side."""
    return _compared(visit, first, second)


@router.post("/duplicates/{first}/{second}")
def merge(visit: SignedIn, form: Posted, first: Id, second: Id) -> Response:
    """Makes them one: the one that was chosen survives."""
    survivor = form.choice("survivor", (str(first), str(second)))
    if survivor is None:
        return _compared(visit, first, second, 400, visit.texts(form.errors["survivor"]))
    winner, loser = (first, second) if survivor == str(first) else (second, first)
    try:
        visit.crm.merge_customers(winner, loser)
    except REFUSALS as error:
        return _compared(visit, first, second, 409, explained(error, visit.texts))
    return visit.go(f"/merges/{loser}")


@router.get("/merges/{customer_id}")
def merged(visit: SignedIn, customer_id: Id) -> Response:
    """What the merge has done that a customer went in; it can be undone here."""
    row = visit.web.platform.read(Customer.table, customer_id, columns=["merged_into"])
    if row is None or row["merged_into"] is None:
        return visit.go(f"/customers/{customer_id}")
    return visit.page("merged.html", merged=visit.crm.merge_of(customer_id), problem=None)


@router.post("/merges/{customer_id}")
def undo(visit: SignedIn, form: Posted, customer_id: Id) -> Response:
    """Makes two customers of them again, and tells what has changed since and so was left."""
    found = visit.crm.merge_of(customer_id)
    if form.raw("trace_id") != found.trace_id:
        raise HTTPException(409)
    try:
        undone = visit.crm.undo_merge(found.trace_id)
    except REFUSALS as error:
        return visit.page("merged.html", 409, merged=found, problem=explained(error, visit.texts))
    return visit.page("unmerged.html", undone=undone)


def _compared(visit: Visit, first: int, second: int, status: int = 200, problem: str | None = None) -> Response:
    if first == second:
        raise HTTPException(404)
    both = [_customer(visit, key) for key in (first, second)]
    values = [one.values() for one in both]
    fields = [Field(name, (value, values[1][name])) for name, value in values[0].items() if name not in _HIDDEN]
    pair = next((one for one in visit.crm.find_duplicates(first, least=0) if one.other_id == second), None)
    return visit.page(
        "compare.html",
        status,
        both=both,
        pair=pair,
        fields=[field for field in fields if field.values != (None, None)],
        owners=visit.operators([one.owner_id for one in both]),
        problem=problem,
    )


def _customer(visit: Visit, key: int) -> Customer:
    return visit.crm.customer("find_duplicates", key)


def _merged_lately(visit: Visit) -> list[Customer]:
    rows: list[Any] = visit.crm.find(
        Customer, {"merged_into": Range(gt=0)}, order_by=("updated_at DESC", "id DESC"), limit=LATELY, archived=True
    )
    return rows
