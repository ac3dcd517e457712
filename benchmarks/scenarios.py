"""Every scenario: what is measured, how much of it, and the bars."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from pymongo.write_concern import WriteConcern

from benchmarks.by_hand import ACKNOWLEDGED, MAJORITY
from benchmarks.data import SEED, CustomerRow, customers, profile
from benchmarks.harness import Prepared, Scenario, Size, Variant, compare
from benchmarks.stats import Bar
from benchmarks.stores import TABLE, Stores

BATCH = 1000
BY_HAND, LIBRARY = "by hand", "library"

CustomerScenario: TypeAlias = Scenario[Stores]


def write(stores: Stores, size: Size) -> Prepared:
    stores.create_tables()
    platform, by_hand = stores.platform, stores.by_hand()
    variants = (
        Variant(BY_HAND, by_hand.write),
        Variant(LIBRARY, lambda row: platform.write(TABLE, row), platform.recover),
    )
    return Prepared(variants, lambda number: _rows_of_block(number, size), _same_rows(stores))


def update(stores: Stores, size: Size) -> Prepared:
    _load(stores, size.table_rows)
    platform, by_hand = stores.platform, stores.by_hand()
    variants = (
        Variant(BY_HAND, lambda change: by_hand.update(*change)),
        Variant(
            LIBRARY,
            lambda change: platform.update(TABLE, change[0], {"vip_level": change[1], "profile": change[2]}),
            platform.recover,
        ),
    )

    def changes(number: int) -> list[tuple[int, int, dict[str, Any]]]:
        draw = _draw(number)
        keys = draw.sample(range(1, size.table_rows + 1), k=size.calls)
        return [(key, draw.randrange(6), profile(draw)) for key in keys]

    return Prepared(variants, changes, _same_rows(stores))


def delete(stores: Stores, size: Size) -> Prepared:
    _load(stores, size.blocks * size.calls + 1)  # one stays, so that the check has something to see
    platform, by_hand = stores.platform, stores.by_hand()
    variants = (
        Variant(BY_HAND, by_hand.delete),
        Variant(LIBRARY, lambda key: platform.delete(TABLE, key), platform.recover),
    )

    def keys(number: int) -> range:
        return range(number * size.calls + 1, (number + 1) * size.calls + 1)

    return Prepared(variants, keys, _same_rows(stores))


def write_many_in_transaction(stores: Stores, size: Size) -> Prepared:
    platform = stores.platform

    def in_transaction(rows: Sequence[CustomerRow]) -> None:
        for batch in _batches(rows):
            with platform.transaction() as tx:
                tx.write_many(TABLE, batch)

    return _write_many(stores, size, ACKNOWLEDGED, in_transaction)


def write_many(stores: Stores, size: Size) -> Prepared:
    platform = stores.platform
    return _write_many(stores, size, MAJORITY, lambda rows: platform.write_many(TABLE, rows, batch_size=BATCH))


def _write_many(
    stores: Stores, size: Size, concern: WriteConcern, library: Callable[[Sequence[CustomerRow]], object]
) -> Prepared:
    stores.create_tables()
    by_hand = stores.by_hand(concern)

    def in_batches(rows: Sequence[CustomerRow]) -> None:
        for batch in _batches(rows):
            by_hand.write_many(batch)

    variants = (Variant(BY_HAND, in_batches), Variant(LIBRARY, library, stores.platform.recover))

    def rows(number: int) -> list[list[CustomerRow]]:
        every = _rows_of_block(number, size)
        return [every[first : first + size.rows_per_call] for first in range(0, len(every), size.rows_per_call)]

    return Prepared(variants, rows, _same_rows(stores))


def read(stores: Stores, size: Size) -> Prepared:
    _load(stores, size.table_rows)
    platform, by_hand = stores.platform, stores.by_hand()
    variants = (Variant(BY_HAND, by_hand.read), Variant(LIBRARY, lambda key: platform.read(TABLE, key)))
    absent = size.table_rows + 1

    def check() -> None:
        keys = [*_draw(0).sample(range(1, absent), k=min(BATCH, size.table_rows)), absent]
        compare(map(variants[0].call, keys), map(variants[1].call, keys), "rows read")

    return Prepared(variants, lambda number: _draw(number).choices(range(1, absent), k=size.calls), check)


def read_many(stores: Stores, size: Size) -> Prepared:
    _load(stores, size.table_rows)
    platform, by_hand = stores.platform, stores.by_hand()
    variants = (Variant(BY_HAND, by_hand.read_many), Variant(LIBRARY, lambda keys: platform.read_many(TABLE, keys)))

    def inputs(number: int) -> list[list[int]]:
        draw = _draw(number)
        return [draw.sample(range(1, size.table_rows + 1), k=size.rows_per_call) for _ in range(size.calls)]

    def check() -> None:
        for keys in inputs(0):
            wanted = [*keys, size.table_rows + 1]
            compare(by_hand.read_many(wanted), platform.read_many(TABLE, wanted), "rows read")

    return Prepared(variants, inputs, check)


def scan(stores: Stores, size: Size) -> Prepared:
    _load(stores, size.table_rows)
    platform, by_hand = stores.platform, stores.by_hand()
    variants = (
        Variant(BY_HAND, lambda page: deque(by_hand.scan(page), maxlen=0)),
        Variant(LIBRARY, lambda page: deque(platform.scan(TABLE, batch_size=page), maxlen=0)),
    )
    return Prepared(variants, lambda _: [BATCH] * size.calls, _same_rows(stores))


SCENARIOS: Sequence[CustomerScenario] = (
    Scenario("write", "one new row", "p50", Size(20, 100), write, {LIBRARY: Bar("at most", 0.90)}),
    Scenario("update", "one column in each store of a row", "p50", Size(10, 100, table_rows=5000), update, {}),
    Scenario("delete", "one row", "p50", Size(10, 100), delete, {}),
    Scenario(
        "write-many-transaction",
        "batches of 1000, through the journal, against w:1 j:true",
        "rate",
        Size(7, 1, rows_per_call=10 * BATCH),
        write_many_in_transaction,
        {LIBRARY: Bar("at least", 0.50)},
    ),
    Scenario(
        "write-many",
        "batches of 1000 new keys, against w:majority j:true",
        "rate",
        Size(7, 1, rows_per_call=10 * BATCH),
        write_many,
        {LIBRARY: Bar("at least", 0.80)},
    ),
    Scenario("read", "one row by key", "p50", Size(20, 200, table_rows=10_000), read, {LIBRARY: Bar("at most", 1.50)}),
    Scenario(
        "read-many",
        "100 rows by key",
        "p50",
        Size(15, 25, rows_per_call=100, table_rows=10_000),
        read_many,
        {LIBRARY: Bar("at most", 0.85)},
    ),
    Scenario(
        "scan",
        "the whole table, in pages of 1000",
        "rate",
        Size(9, 1, rows_per_call=50_000, table_rows=50_000),
        scan,
        {LIBRARY: Bar("at least", 0.85)},
    ),
)


def _load(stores: Stores, count: int) -> None:
    """The same rows in both tables, with nothing left to do for the library."""
    stores.create_tables()
    by_hand = stores.by_hand()
    for first in range(1, count + 1, BATCH):
        rows = customers(first, min(BATCH, count + 1 - first))
        by_hand.write_many(rows)
        stores.platform.write_many(TABLE, rows)
    stores.platform.recover()


def _same_rows(stores: Stores) -> Callable[[], None]:
    """What was written by hand is what the library reads, and what lies in the two servers."""

    def check() -> None:
        stores.platform.recover()
        compare(stores.by_hand().scan(BATCH), stores.platform.scan(TABLE), "rows by hand and through the library")
        compare(stores.by_hand().scan(BATCH), stores.by_hand_over_library().scan(BATCH), "rows in the servers")

    return check


def _rows_of_block(number: int, size: Size) -> list[CustomerRow]:
    count = size.calls * size.rows_per_call
    return customers(number * count + 1, count)


def _batches(rows: Sequence[CustomerRow]) -> list[Sequence[CustomerRow]]:
    return [rows[first : first + BATCH] for first in range(0, len(rows), BATCH)]


def _draw(number: int) -> random.Random:
    return random.Random(SEED << 32 | number)
