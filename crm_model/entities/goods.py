"""What is sold and given away, and where it is."""

from __future__ import annotations

from crm_model.entity import Entity, code, json, moment, money, number, reference, title

PRODUCT = Entity(
    "product",
    """Something to sell. spec{}; docs [{name, uri}].""",
    (code("code"), title("name"), code("category"), money("unit_price"), code("status")),
    json("spec", "docs"),
    unique=("code",),
)

GIFT = Entity(
    "gift",
    """Something to give away. stock_qty: never below 0, which its type sees to. spec{}.""",
    (code("sku"), title("name"), money("unit_cost"), number("stock_qty", type_="INT UNSIGNED", default=0)),
    json("spec"),
    unique=("sku",),
)

STOCK_MOVE = Entity(
    "stock_move",
    """Goods that went from one place to another, never changed.

    item_type and item_id: the table and id, a gift's or a vip_card's; from_loc, to_loc: NULL where they came from
    outside or went there. document{}: the paper that goes with it.
    """,
    (
        code("item_type"),
        reference("item_id"),
        number("qty"),
        code("kind"),
        code("from_loc", null=True),
        code("to_loc", null=True),
        reference("operator_id"),
        moment("at"),
    ),
    json("document"),
    indexes=(("item_type", "item_id", "at"),),
    append_only=True,
)
