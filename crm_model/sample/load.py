"""The sample's tables: their rows, in blocks that can be made apart from each other, and writing them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from crm_model.sample import customers, house, sales, service
from crm_model.sample.draw import Draw
from crm_model.sample.planted import planted
from crm_model.sample.sizes import Size
from crm_model.sample.world import OPERATORS, Row, World
from platform_store import Platform

BLOCK = 10_000
"""Rows that are drawn from one stream."""

Progress: TypeAlias = Callable[[str, int], None]
"""Called with a table and how many of its rows are written."""


@dataclass(frozen=True)
class _Source:
    """Where the rows of a table come from: those of ``ids``, drawn from the stream of their block."""

    rows: Callable[[World, Draw, range], Iterator[Row]]
    count: Callable[[Size], int]


_SOURCES = {
    "operator": _Source(house.operators, lambda _: OPERATORS),
    "customer": _Source(customers.customers, lambda size: size.customers),
    "contact": _Source(customers.contacts, lambda size: size.share(1.5)),
    "billing_customer": _Source(customers.billing_customers, lambda size: size.share(2)),
    "vip_card": _Source(customers.vip_cards, lambda size: customers.vip_card_count(size.customers)),
    "approval": _Source(customers.approvals, lambda size: size.share(0.1)),
    "activity": _Source(service.activities, lambda size: size.activities),
    "feedback": _Source(service.feedback, lambda size: size.feedback),
    "task": _Source(service.tasks, lambda size: size.share(1.2)),
    "opportunity": _Source(sales.opportunities, lambda size: size.share(0.8)),
    "sales_order": _Source(sales.sales_orders, lambda size: size.share(3)),
    "audit_log": _Source(house.audit_log, lambda size: house.audit_count(size.customers)),
    "sales_lead": _Source(sales.sales_leads, lambda size: size.share(0.7)),
    "product": _Source(sales.products, lambda _: sales.PRODUCTS),
    "order_item": _Source(sales.order_items, lambda size: size.share(3) * sales.LINES),
    "campaign": _Source(sales.campaigns, lambda _: 24),
    "ticket": _Source(service.tickets, lambda size: size.share(0.4)),
    "kb_article": _Source(service.kb_articles, lambda _: 80),
    "gift": _Source(house.gifts, lambda _: house.GIFTS),
    "stock_move": _Source(house.stock_moves, lambda size: house.stock_move_count(size.customers)),
    "gift_stock": _Source(house.gift_stocks, lambda _: house.GIFTS // 2),
}

TABLES: Sequence[str] = tuple(_SOURCES)


def count(size: Size, table: str) -> int:
    """How many rows a table has."""
    return _SOURCES[table].count(size)


def rows(size: Size, table: str) -> Iterator[Row]:
    """A table's rows in order of their ids, every column in each. For several tables, :class:`Sample` is faster."""
    return Sample(size).rows(table)


def load(
    platform: Platform, size: Size, tables: Collection[str] | None = None, progress: Progress | None = None
) -> dict[str, int]:
    """Writes all tables, or those named, which are installed and empty; how many rows each has got."""
    sample = Sample(size)
    written = {}
    for table in TABLES:
        if tables is None or table in tables:
            written[table] = _write(platform, sample, table, progress)
    return written


class Sample:
    """The rows of one size. What several tables have to agree about is worked out once: some bytes for each row."""

    def __init__(self, size: Size):
        self.size = size
        self._planted = planted()
        self._world = World(size, len(self._planted["customer"]), len(self._planted["activity"]))

    def rows(self, table: str, part: int = 0, parts: int = 1) -> Iterator[Row]:
        """A table's rows in order of their ids, or one of several parts of them, made without the others."""
        blocks = -(-count(self.size, table) // BLOCK)
        for block in range(blocks * part // parts, blocks * (part + 1) // parts):
            yield from self._block(table, block)

    def same_customers(self) -> list[list[int]]:
        """The ids of customers that are the same one, typed in again: what a search for duplicates should find."""
        ids: dict[int, list[int]] = {}
        for number, identity in customers.identities(self._world).items():
            ids.setdefault(identity, []).append(number)
        return [same for same in ids.values() if len(same) > 1]

    def _block(self, table: str, block: int) -> Iterator[Row]:
        source, fixed = _SOURCES[table], self._planted.get(table, ())
        first, last = block * BLOCK + 1, min((block + 1) * BLOCK, source.count(self.size))
        yield from fixed[first - 1 : last]
        ids = range(max(first, len(fixed) + 1), last + 1)
        yield from source.rows(self._world, Draw(TABLES.index(table), block), ids)


def _write(platform: Platform, sample: Sample, table: str, progress: Progress | None) -> int:
    def told() -> Iterator[Row]:
        for number, row in enumerate(sample.rows(table)):
            if progress is not None and number and number % BLOCK == 0:
                progress(table, number)
            yield row

    written = platform.write_many(table, told()).inserted
    if progress is not None:
        progress(table, written)
    return written
