"""What is sold and given away, and where it is."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from crm_model import column
from crm_model.model import Json, Record, Standard


class Product(Standard, table="product", unique=("code",)):
    """Something to sell. spec{}; docs [{name, uri}]."""

    code: str = column.code()
    name: str = column.title()
    category: str = column.code()
    unit_price: Decimal = column.money()
    status: str = column.code()
    spec: Json = column.json(default=None)
    docs: Json = column.json(default=None)


class Gift(Standard, table="gift", unique=("sku",)):
    """Something to give away. stock_qty: in all places together; never below 0, which its type sees to. spec{}."""

    sku: str = column.code()
    name: str = column.title()
    unit_cost: Decimal = column.money()
    stock_qty: int = column.number(type_="INT UNSIGNED", default=0)
    spec: Json = column.json(default=None)


class GiftStock(Standard, table="gift_stock", unique=(("gift_id", "location"),)):
    """How many of a gift are in a place other than the main store, which has what is in no other. In MySQL alone."""

    gift_id: int = column.reference()
    location: str = column.code()
    qty: int = column.number(type_="INT UNSIGNED", default=0)


class StockMove(Record, table="stock_move", indexes=(("item_type", "item_id", "at"),)):
    """Goods that went from one place to another, never changed.

    item_type and item_id: the table and id, a gift's or a vip_card's; from_loc, to_loc: NULL where they came from
    outside or went there. document{}: the paper that goes with it.
    """

    item_type: str = column.code()
    item_id: int = column.reference(by="item_type")
    qty: int = column.number()
    kind: str = column.code()
    from_loc: str | None = column.code(default=None)
    to_loc: str | None = column.code(default=None)
    operator_id: int = column.reference()
    at: datetime = column.moment()
    document: Json = column.json(default=None)
