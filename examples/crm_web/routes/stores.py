"""Where a row lives: each field with its store, MySQL's half, and the document as it stands in MongoDB."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Response

from crm_model.entities import Activity, Customer, Feedback
from examples.crm_web.navigation import Pages
from examples.crm_web.parameters import Id
from examples.crm_web.templating import shown
from examples.crm_web.visit import SignedIn, Visit

router = APIRouter()
PAGES: Final = Pages(router)

TABLES: Final = ("customer", "activity", "feedback")
"""The customer's own row, and the last one of theirs in these."""
_LAST: Final[Mapping[str, type[Activity] | type[Feedback]]] = {"activity": Activity, "feedback": Feedback}


@router.get("/customers/{customer_id}/stores")
def stores(visit: SignedIn, customer_id: Id, table: str = "customer") -> Response:
    """The row of a customer, or the last activity or feedback of theirs."""
    customer = visit.crm.customer("customer_360", customer_id, documents=False)
    table = table if table in TABLES else TABLES[0]
    key = customer_id if table == Customer.table else _last(visit, _LAST[table], customer_id)
    platform = visit.web.platform
    description = platform.describe(table)
    row = None if key is None else platform.read(table, key)
    halves = None
    if row is not None:
        in_mysql = [column.name for column in description.columns if column.placement != "mongodb"]
        document = next(platform.read_collection(table, key, key), None)
        halves = (as_text(platform.read(table, key, columns=in_mysql)), as_text(document))
    return visit.page(
        "stores.html",
        customer=customer,
        table=table,
        tables=TABLES,
        key=key,
        row=row,
        columns=description.columns,
        values={} if row is None else {name: shown(value) for name, value in row.items()},
        halves=halves,
        backend=platform.status().backend,
    )


def as_text(row: Mapping[str, Any] | None) -> str:
    """A row or a document as JSON for people."""
    return json.dumps(row, ensure_ascii=False, indent=2, default=str)


def _last(visit: Visit, model: type[Activity] | type[Feedback], customer_id: int) -> int | None:
    found = visit.crm.find(model, {"customer_id": customer_id}, order_by=("occurred_at DESC", "id DESC"), limit=1)
    return found[0].id if found else None
