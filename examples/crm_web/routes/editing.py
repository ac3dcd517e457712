"""Customers are added and edited."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

from fastapi import APIRouter, Response

from crm_model.entities import Customer, Operator
from examples.crm_web.choices import CUSTOMER_KINDS, EMPTY_ROWS, SOURCES, STAGES, STATUSES, VIP_LEVELS, WORKING
from examples.crm_web.forms import Form
from examples.crm_web.navigation import Pages
from examples.crm_web.parameters import Id
from examples.crm_web.problems import REFUSALS, explained
from examples.crm_web.visit import MOST_STAFF, Posted, SignedIn, Visit
from platform_store import Conflict, OutcomeUnknown

router = APIRouter()
PAGES: Final = Pages(router)

EDITED: Final = (
    *("name", "kind", "status", "stage", "source", "phone", "province", "city", "industry"),
    *("vip_level", "credit_limit", "owner_id", "tags", "custom"),
)
"""The columns that the form has."""
MOST_ROWS: Final = 100
TAGS_BETWEEN: Final = "，"


@router.get("/new-customer")
def add_form(visit: SignedIn, form: Posted) -> Response:
    """Asks for a new customer."""
    visit.crm.check("add")
    return _page(visit, form, None)


@router.post("/new-customer")
def add(visit: SignedIn, form: Posted) -> Response:
    """Adds a customer."""
    visit.crm.check("add")
    number = form.text("cust_no", required=True, longest=32)
    columns = _columns(visit, form, None)
    if form.errors:
        return _page(visit, form, None)
    try:
        customer = visit.crm.add(Customer(cust_no=number or "", **columns))
    except Conflict:
        form.wrong("cust_no", "edit.number_taken")
        return _page(visit, form, None)
    except (*REFUSALS, OutcomeUnknown) as error:
        return _page(visit, form, None, explained(error, visit.texts))
    visit.tell("edit.added")
    return visit.go(f"/customers/{customer.id}")


@router.get("/customers/{customer_id}/edit")
def edit_form(visit: SignedIn, customer_id: Id, form: Posted) -> Response:
    """Shows a customer to be changed."""
    return _page(visit, form, visit.crm.customer("edit", customer_id))


@router.post("/customers/{customer_id}/edit")
def edit(visit: SignedIn, customer_id: Id, form: Posted) -> Response:
    """Changes a customer, unless somebody else has done so since the form was shown."""
    customer = visit.crm.customer("edit", customer_id)
    version = form.whole("version", 1, 2**63 - 1, required=True)
    columns = _columns(visit, form, customer)
    if form.errors:
        return _page(visit, form, customer)
    try:
        visit.crm.edit(Customer, customer_id, version=version, **columns)
    except Conflict:
        # What was typed in stays; saved again, it is meant to replace what the page now shows beside it.
        now = visit.crm.customer("edit", customer_id)
        differs = [name for name in EDITED if getattr(now, name) != columns.get(name, getattr(now, name))]
        return _page(visit, form, now, visit.texts("edit.changed_meanwhile"), differs=differs)
    except (*REFUSALS, OutcomeUnknown) as error:
        return _page(visit, form, customer, explained(error, visit.texts))
    visit.tell("edit.saved")
    return visit.go(f"/customers/{customer_id}")


def _columns(visit: Visit, form: Form, customer: Customer | None) -> dict[str, Any]:
    choices = _choices(customer)
    columns: dict[str, Any] = {
        "name": form.text("name", required=True, longest=200),
        "kind": form.choice("kind", choices["kind"]),
        "stage": form.choice("stage", choices["stage"]),
        "source": form.choice("source", choices["source"]),
        "phone": form.text("phone", longest=32),
        "province": form.text("province", longest=32),
        "city": form.text("city", longest=32),
        "industry": form.text("industry", longest=32),
        "tags": _tags(form, customer),
        "custom": _custom(form, customer),
    }
    if _may_approve(visit):
        columns |= {
            "status": form.choice("status", choices["status"]),
            "vip_level": form.whole("vip_level", VIP_LEVELS[0], VIP_LEVELS[-1], required=True),
            "credit_limit": form.money("credit_limit", required=True),
        }
    elif customer is None:
        columns |= {"status": STATUSES[0], "vip_level": VIP_LEVELS[0], "credit_limit": Decimal(0)}
    if not visit.only_own:
        columns["owner_id"] = form.whole("owner_id", 1, 2**63 - 1, required=True)
    elif customer is None:
        columns["owner_id"] = visit.crm.actor.operator_id
    return columns


def _may_approve(visit: Visit) -> bool:
    """Whether level, credit and status are theirs to set; others apply for them (``apply_vip``)."""
    return visit.may("approve_vip")


def _tags(form: Form, customer: Customer | None) -> Any:
    before = customer.tags if customer else None
    return before if form.raw("tags").strip() == TAGS_BETWEEN.join(listed(before)) else form.words("tags") or None


def _custom(form: Form, customer: Customer | None) -> Any:
    """The rows of names and values. What was not touched keeps its type, such as a number's."""
    before = customer.custom if customer and isinstance(customer.custom, dict) else {}
    known = {_typed(name): name for name in before}
    found: dict[str, Any] = {}
    for place, (raw_name, raw_value) in enumerate(zip(form.all("custom_name"), form.all("custom_value"), strict=False)):
        name, value = known.get(_typed(raw_name), raw_name.strip()), _typed(raw_value)
        if not name and not value.strip():
            continue
        if not name or name in found or len(name) > 64 or len(value) > 2000:
            form.wrong("custom", "edit.custom_wrong")
        touched = name not in before or _typed(as_text(before[name])) != value
        found[name] = value.strip() if touched else before[name]
        if place >= MOST_ROWS:
            form.wrong("custom", "edit.custom_wrong")
    if not found and customer and not isinstance(customer.custom, dict):
        return customer.custom
    return found or None


def _typed(text: str) -> str:
    """A text with the line breaks that a browser's differ in made the same."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def as_text(value: Any) -> str:
    """A value of a custom field, as the form shows it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def listed(tags: Any) -> list[str]:
    """Tags as the form shows them; a single text counts as one."""
    return [tags] if isinstance(tags, str) else [one for one in tags or [] if isinstance(one, str)]


def _choices(customer: Customer | None) -> dict[str, tuple[str, ...]]:
    """What is offered for some columns: what there is, and what the customer has already."""
    usual = {"kind": CUSTOMER_KINDS, "status": STATUSES, "stage": STAGES, "source": SOURCES}
    if customer is None:
        return usual
    return {name: tuple(dict.fromkeys((*options, getattr(customer, name)))) for name, options in usual.items()}


def _owners(visit: Visit, customer: Customer | None) -> list[tuple[int, str]]:
    """Who may be chosen as the owner: who works here, and who it is already, as a browser sends what is chosen."""
    present = customer.owner_id if customer else visit.crm.actor.operator_id
    working = visit.crm.find(Operator, {"status": WORKING}, limit=MOST_STAFF)
    owners = {one.id: one.name for one in working}
    if present not in owners:
        owners[present] = visit.operators([present]).get(present, str(present))
    return list(owners.items())


def _rows(form: Form, customer: Customer | None) -> list[tuple[str, str]]:
    if form.all("custom_name"):
        rows = list(zip(form.all("custom_name"), form.all("custom_value"), strict=False))
    else:
        custom = customer.custom if customer and isinstance(customer.custom, dict) else {}
        rows = [(name, as_text(value)) for name, value in custom.items()]
    rows = [row for row in rows if any(row)]
    return [*rows, *[("", "")] * EMPTY_ROWS]


def _page(
    visit: Visit, form: Form, customer: Customer | None, problem: str | None = None, differs: list[str] | None = None
) -> Response:
    return visit.form_page(
        "edit.html",
        form,
        problem,
        customer=customer,
        differs=differs or [],
        rows=_rows(form, customer),
        tags=TAGS_BETWEEN.join(listed(customer.tags)) if customer else "",
        choices=_choices(customer),
        approves=_may_approve(visit),
        levels=VIP_LEVELS,
        owners=[] if visit.only_own else _owners(visit, customer),
    )
