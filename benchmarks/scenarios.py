"""Operations on rows of one table: what is called with what, how much of it, and the bars."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from benchmarks.by_hand import BATCH
from benchmarks.data import SEED, customers, profile
from benchmarks.harness import Measure, Prepared, Scenario, Size, Target
from benchmarks.sides import AUTOCOMMIT, BY_HAND, EMBEDDED, LIBRARY, MONGODB, MYSQL
from benchmarks.stats import Bar
from benchmarks.table import Arguments, Table

SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
LARGE: Final = SIZES[-1]
"""Tables of so many rows are not made on every side, which would take most of a run."""
FOUR: Final = (BY_HAND, MYSQL, MONGODB, LIBRARY)
FIVE: Final = (*FOUR, EMBEDDED)
SIX: Final = (BY_HAND, AUTOCOMMIT, *FIVE[1:])
FOUND: Final = 50

Inputs: TypeAlias = Callable[[int], Sequence[Arguments]]
Made: TypeAlias = Callable[["Operation", Table, Size], Prepared]


@dataclass(frozen=True)
class Operation:
    """Something done to a table, of whatever size it is."""

    name: str
    about: str
    measure: Measure
    method: str  # of a side
    size: Callable[[int], Size]  # for a table of so many rows
    make: Made
    names: Sequence[str] = FIVE
    bars: Mapping[int, Target] = field(default_factory=dict)  # by the table's rows
    cost: float = 0.0012  # seconds of a call for one row on all sides together, to tell how long a run will take
    sizes: Sequence[int] = SIZES  # of tables unless others are asked for
    large: Sequence[str] = FOUR  # the sides on LARGE tables
    memory: bool = False  # also of a process that does nothing else
    workers: Sequence[int] = ()  # clients at once, besides one alone

    def at(self, rows: int) -> Scenario[Table]:
        """The scenario on a table of so many rows."""
        own = replace(self, names=self.sides(rows))
        return Scenario(
            f"{self.name}@{rows}",
            self.about,
            self.measure,
            self.size(rows),
            lambda table, size: self.make(own, table, size),
            tuple(target for at, target in self.bars.items() if at == rows),
        )

    def sides(self, rows: int) -> Sequence[str]:
        """Those that are measured on a table of so many rows."""
        return self.names if rows < LARGE else [name for name in self.names if name in self.large]


def new_rows(operation: Operation, table: Table, size: Size) -> Prepared:
    """Rows of new keys, a call for each or for many, which go again afterwards."""
    each = size.calls * size.rows_per_call
    first, count = table.reserve(each * size.blocks), each * size.blocks

    def inputs(number: int) -> Sequence[Arguments]:
        rows = customers(first + number * each, each)
        if size.rows_per_call == 1:
            return [(row,) for row in rows]
        return [(rows[start : start + size.rows_per_call],) for start in range(0, each, size.rows_per_call)]

    return table.prepared(
        operation.names,
        operation.method,
        inputs,
        touched=lambda: range(first, first + count),
        finish=lambda: table.clear(operation.names, first, count),
    )


def deleted(operation: Operation, table: Table, size: Size) -> Prepared:
    """Rows written for it; what is left of them in the end is nothing."""
    each = size.calls * size.rows_per_call
    first, count = table.reserve(each * size.blocks), each * size.blocks
    table.fill(operation.names, first, count)

    def inputs(number: int) -> Sequence[Arguments]:
        start = first + number * each
        if size.rows_per_call == 1:
            return [(key,) for key in range(start, start + each)]
        return [(key, key + size.rows_per_call - 1) for key in range(start, start + each, size.rows_per_call)]

    return table.prepared(operation.names, operation.method, inputs, touched=lambda: range(first, first + count))


def changed(operation: Operation, table: Table, size: Size) -> Prepared:
    """A column in each store of rows anywhere."""

    def inputs(number: int) -> Sequence[Arguments]:
        draw = draw_of(number)
        return [(key, draw.randrange(6), profile(draw)) for key in draw.sample(range(1, table.rows + 1), k=size.calls)]

    def touched() -> list[int]:
        return [key for number in range(size.blocks) for key, *_ in inputs(number)]

    return table.prepared(operation.names, operation.method, inputs, touched=touched)


def read(operation: Operation, table: Table, size: Size) -> Prepared:
    keys = range(1, table.rows + 1)
    return table.prepared(
        operation.names,
        operation.method,
        lambda number: [(key,) for key in draw_of(number).choices(keys, k=size.calls)],
    )


def read_many(operation: Operation, table: Table, size: Size) -> Prepared:
    keys = range(1, table.rows + 1)

    def inputs(number: int) -> Sequence[Arguments]:
        draw = draw_of(number)
        return [(draw.sample(keys, k=size.rows_per_call),) for _ in range(size.calls)]

    return table.prepared(operation.names, operation.method, inputs)


def found(operation: Operation, table: Table, size: Size) -> Prepared:
    """Of customers of the lowest level, every other one."""
    starts = range(max(1, table.rows - 4 * FOUND))
    return table.prepared(
        operation.names,
        operation.method,
        lambda number: [(start, 0, size.rows_per_call) for start in draw_of(number).choices(starts, k=size.calls)],
    )


def whole(operation: Operation, table: Table, size: Size) -> Prepared:
    arguments: Arguments = (BATCH,) if operation.method == "scan" else ()
    return table.prepared(operation.names, operation.method, lambda _: [arguments] * size.calls)


def draw_of(number: int) -> random.Random:
    """The random numbers of a block."""
    return random.Random(SEED << 32 | number)


def _singly(repetitions: int, calls: int) -> Callable[[int], Size]:
    return lambda rows: Size(repetitions, calls, table_rows=rows)


def _of(repetitions: int, calls: int, rows_per_call: int) -> Callable[[int], Size]:
    return lambda rows: Size(repetitions, calls, rows_per_call, rows)


def _whole(rows: int) -> Size:
    return Size(5, 1, rows, rows)


def _bar(bar: Bar, rows: int = 10_000) -> dict[int, Target]:
    return {rows: Target(LIBRARY, bar, 3)}


FILLING: Final = 3.7e-5
"""Seconds until a row is made and written to a side, about."""
CLIENTS: Final = (1, 4, 16)
IN_BULK: Final = 4 * BATCH

OPERATIONS: Sequence[Operation] = (
    Operation(
        "read",
        "one row by key",
        "p50",
        "read",
        _singly(10, 100),
        read,
        bars=_bar(Bar("at most", 1.50)),
        workers=CLIENTS,
    ),
    Operation(
        "read-many",
        "100 rows by key",
        "p50",
        "read_many",
        _of(10, 20, 100),
        read_many,
        bars=_bar(Bar("at most", 0.85)),
        cost=7e-5,
    ),
    Operation("find", f"{FOUND} rows of one level, from a key on", "p50", "find", _of(10, 20, FOUND), found, cost=8e-5),
    Operation(
        "scan",
        "every row, in pages of 1,000",
        "rate",
        "scan",
        _whole,
        whole,
        bars=_bar(Bar("at least", 0.85), 100_000),
        cost=5e-5,
        large=(BY_HAND, LIBRARY),
        memory=True,
    ),
    Operation(
        "collection",
        "the documents of every row",
        "rate",
        "documents",
        _whole,
        whole,
        cost=3e-5,
        sizes=SIZES[:-1],
        memory=True,
    ),
    Operation(
        "verify",
        "every row's two halves compared",
        "rate",
        "verify",
        _whole,
        whole,
        (LIBRARY,),
        cost=1e-5,
        sizes=SIZES[:-1],
        memory=True,
    ),
    Operation(
        "write",
        "one new row",
        "p50",
        "write",
        _singly(10, 100),
        new_rows,
        SIX,
        _bar(Bar("at most", 0.90)),
        cost=0.0045,
        workers=CLIENTS,
    ),
    Operation(
        "update",
        "one column in each store of a row",
        "p50",
        "update",
        _singly(10, 60),
        changed,
        SIX,
        cost=0.005,
        workers=CLIENTS,
    ),
    Operation("delete", "one row", "p50", "delete", _singly(10, 60), deleted, SIX, cost=0.005),
    Operation(
        "write-many",
        "batches of 1,000 new keys; w:majority, j:true in MongoDB",
        "rate",
        "write_many",
        _of(5, 1, IN_BULK),
        new_rows,
        bars=_bar(Bar("at least", 0.80)),
        cost=2e-4,  # with what clears them away
        sizes=(10_000, LARGE),
        memory=True,
    ),
    Operation(
        "write-many-transaction",
        "batches of 1,000 through the library's journal; w:1, j:true",
        "rate",
        "write_many_in_transaction",
        _of(5, 1, IN_BULK),
        new_rows,
        bars=_bar(Bar("at least", 0.50)),
        cost=2.5e-4,
        sizes=(10_000,),
    ),
    Operation(
        "delete-range",
        "consecutive rows",
        "rate",
        "delete_range",
        _of(5, 1, IN_BULK // 4),
        deleted,
        cost=2.5e-4,
        sizes=(10_000, LARGE),
    ),
)
