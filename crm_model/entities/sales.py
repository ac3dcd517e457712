"""From a lead to an order."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from crm_model import column
from crm_model.model import Json, Standard


class Opportunity(
    Standard, table="opportunity", indexes=(("stage", "expected_close"), ("owner_id", "stage"), "customer_id")
):
    """A possible sale.

    stage: 线索, 需求, 方案, 谈判, 赢单 or 流失; probability: in percent; last_stage_at: when it came to this stage.
    needs[]; lost {reason, to}: why, and to whom; stage_log [{stage, at, probability}]: the stages it came to, in order.
    """

    customer_id: int = column.reference()
    owner_id: int = column.reference()
    name: str = column.title()
    stage: str = column.code()
    probability: int = column.small()
    amount: Decimal = column.money()
    expected_close: date | None = column.day(default=None)
    closed_at: datetime | None = column.moment(default=None)
    source: str | None = column.code(default=None)
    last_stage_at: datetime = column.moment()
    needs: Json = column.json(default=None)
    lost: Json = column.json(default=None)
    stage_log: Json = column.json(default=None)


class SalesOrder(
    Standard,
    table="sales_order",
    unique=("order_no",),
    indexes=(("customer_id", "ordered_at"), ("owner_id", "ordered_at"), "ordered_at"),
):
    """An order. items [{code, qty, price}]: as it was placed; delivery{}; invoice{}."""

    order_no: str = column.code()
    customer_id: int = column.reference()
    owner_id: int = column.reference()
    opportunity_id: int | None = column.reference(default=None)
    ordered_at: datetime = column.moment()
    amount: Decimal = column.money()
    pay_method: str = column.code()
    status: str = column.code()
    items: Json = column.json(default=None)
    delivery: Json = column.json(default=None)
    invoice: Json = column.json(default=None)


class OrderItem(Standard, table="order_item", unique=(("order_id", "line_no"),), indexes=("product_id",)):
    """A line of an order, in MySQL alone. amount: what it comes to, discounts taken off."""

    order_id: int = column.reference(to="sales_order")
    line_no: int = column.number()
    product_id: int = column.reference()
    qty: int = column.number()
    price: Decimal = column.money()
    amount: Decimal = column.money()


class SalesLead(Standard, table="sales_lead", indexes=(("status", "owner_id"), "phone", "customer_id")):
    """Someone who may become a customer.

    score: how likely, 0 to 100; converted_at: when it became a customer; customer_id, contact_id and opportunity_id:
    what it became. raw{}: as it came in; behaviours [{at, kind}]: what they did; notes [{at, by, text}]: how they were
    looked after; why_not_bought: their words.
    """

    name: str = column.title()
    company: str | None = column.title(default=None)
    phone: str | None = column.code(default=None)
    source: str = column.code()
    score: int = column.number()
    status: str = column.code()
    owner_id: int = column.reference()
    customer_id: int | None = column.reference(default=None)
    contact_id: int | None = column.reference(default=None)
    opportunity_id: int | None = column.reference(default=None)
    converted_at: datetime | None = column.moment(default=None)
    raw: Json = column.json(default=None)
    behaviours: Json = column.json(default=None)
    notes: Json = column.json(default=None)
    why_not_bought: str | None = column.prose(default=None)


class Campaign(Standard, table="campaign", indexes=(("status", "starts_at"),)):
    """A campaign. plan{}; audience{}: who is meant; metrics{}: what came of it, in numbers; result: in words."""

    name: str = column.title()
    kind: str = column.code()
    starts_at: datetime = column.moment()
    ends_at: datetime = column.moment()
    budget: Decimal = column.money()
    status: str = column.code()
    owner_id: int = column.reference()
    plan: Json = column.json(default=None)
    audience: Json = column.json(default=None)
    metrics: Json = column.json(default=None)
    result: str | None = column.prose(default=None)
