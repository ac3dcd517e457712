"""From a lead to an order."""

from __future__ import annotations

from crm_model.entity import Entity, code, day, json, moment, money, number, prose, reference, small, title

OPPORTUNITY = Entity(
    "opportunity",
    """A possible sale.

    stage: 线索, 需求, 方案, 谈判, 赢单 or 流失; probability: in percent; last_stage_at: when it came to this stage.
    needs[]; lost {reason, to}: why, and to whom; stage_log [{stage, at}].
    """,
    (
        reference("customer_id"),
        reference("owner_id"),
        title("name"),
        code("stage"),
        small("probability"),
        money("amount"),
        day("expected_close", null=True),
        moment("closed_at", null=True),
        code("source", null=True),
        moment("last_stage_at"),
    ),
    json("needs", "lost", "stage_log"),
    indexes=(("stage", "expected_close"), ("owner_id", "stage"), "customer_id"),
)

SALES_ORDER = Entity(
    "sales_order",
    """An order. items [{code, qty, price}]: as it was placed; delivery{}; invoice{}.""",
    (
        code("order_no"),
        reference("customer_id"),
        reference("owner_id"),
        reference("opportunity_id", null=True),
        moment("ordered_at"),
        money("amount"),
        code("pay_method"),
        code("status"),
    ),
    json("items", "delivery", "invoice"),
    unique=("order_no",),
    indexes=(("customer_id", "ordered_at"), ("owner_id", "ordered_at")),
)

ORDER_ITEM = Entity(
    "order_item",
    """A line of an order, in MySQL alone. amount: what it comes to, discounts taken off.""",
    (
        reference("order_id"),
        number("line_no"),
        reference("product_id"),
        number("qty"),
        money("price"),
        money("amount"),
    ),
    unique=(("order_id", "line_no"),),
    indexes=("product_id",),
)

SALES_LEAD = Entity(
    "sales_lead",
    """Someone who may become a customer.

    score: how likely, 0 to 100; customer_id and converted_at: the customer it became, and when. raw{}: as it came in;
    behaviours[]; why_not_bought: their words.
    """,
    (
        title("name"),
        title("company", null=True),
        code("phone", null=True),
        code("source"),
        number("score"),
        code("status"),
        reference("owner_id"),
        reference("customer_id", null=True),
        moment("converted_at", null=True),
    ),
    (*json("raw", "behaviours"), prose("why_not_bought")),
    indexes=(("status", "owner_id"), "phone"),
)

CAMPAIGN = Entity(
    "campaign",
    """A campaign. plan{}; audience{}: who is meant; metrics{}: what came of it.""",
    (
        title("name"),
        code("kind"),
        moment("starts_at"),
        moment("ends_at"),
        money("budget"),
        code("status"),
        reference("owner_id"),
    ),
    json("plan", "audience", "metrics"),
    indexes=(("status", "starts_at"),),
)
