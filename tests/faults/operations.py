"""The operations whose every step is a point to be stopped at, each on keys of its own, and what must come of them.

A row of version ``v`` has ``n = v`` in MySQL and ``word = "v<v>"`` in its document: anything else is torn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from platform_store import ColumnAttribute, Platform, Range
from tests.faults.child import Work, call, transaction

State: TypeAlias = dict[tuple[str, int], int | None]
"""The version of each row by table and key; None where there is no row."""

COLUMNS = [ColumnAttribute("id", "INT"), ColumnAttribute("n", "INT"), ColumnAttribute("word", "VARCHAR(40)")]
CARD, SIDE = "card", "side"
BLOCK = 1000  # keys that belong to one point
OLD, NEW, NEXT = 1, 2, 9


def row(key: int, version: int) -> dict[str, object]:
    return {"id": key, "n": version, "word": f"v{version}"}


KEY = object()  # stands for the first key in what an operation returns


@dataclass(frozen=True)
class Operation:
    """What it does to the first ``count`` keys of a block, and what it says.

    ``before``, ``after``: the version of each. ``present``, ``absent``: the result where there are rows of these keys,
    and where there are none: a value, or the name of an error.
    """

    name: str
    work_on: Callable[[Sequence[int]], Work]
    before: int | None
    after: int | None
    present: object
    absent: object
    count: int = 1
    side: bool = False  # also inserts the first key into the second table

    def keys(self, block: int) -> list[int]:
        return [block * BLOCK + number for number in range(1, self.count + 1)]

    def work(self, block: int) -> Work:
        return self.work_on(self.keys(block))

    def state(self, block: int, *, done: bool) -> State:
        """Of every row it touches, before it and after it."""
        state: State = dict.fromkeys([(CARD, key) for key in self.keys(block)], self.after if done else self.before)
        if self.side:
            state[SIDE, self.keys(block)[0]] = self.after if done else None
        return state

    def prepare(self, platform: Platform, blocks: Sequence[int]) -> None:
        """Makes the rows that are there before, of many blocks at once."""
        if self.before is not None:
            rows = [row(key, self.before) for block in blocks for key in self.keys(block)]
            platform.write_many(CARD, rows)

    def expected(self, block: int, state: State) -> object:
        """What it says where the rows are as in ``state``."""
        first = self.keys(block)[0]
        if self.side and state[SIDE, first] is not None:
            return "RowExists"
        present = any(version is not None for version in state.values())
        return _filled(self.present if present else self.absent, first)


def _filled(result: object, key: int) -> object:
    if isinstance(result, list):
        return [_filled(part, key) for part in result]
    return key if result is KEY else result


def _many(name: str, count: int) -> Operation:
    return Operation(
        name,
        lambda keys: call("write_many", CARD, [row(key, NEW) for key in keys]),
        None,
        NEW,
        present="RowExists",
        absent=count,
        count=count,
    )


_CHANGES = {"n": NEW, "word": f"v{NEW}"}

WRITE = Operation("write", lambda keys: call("write", CARD, row(keys[0], NEW)), None, NEW, "RowExists", KEY)
REPLACE = Operation(
    "replace", lambda keys: call("write", CARD, row(keys[0], NEW), on_conflict="replace"), OLD, NEW, KEY, KEY
)
UPDATE = Operation("update", lambda keys: call("update", CARD, keys[0], _CHANGES), OLD, NEW, None, "RowNotFound")
DELETE = Operation("delete", lambda keys: call("delete", CARD, keys[0]), OLD, None, present=True, absent=False)
PLACE = _many("write_many, placed", 60)
JOURNALLED = _many("write_many, journalled", 5)
DELETE_RANGE = Operation(
    "delete_range", lambda keys: call("delete_range", CARD, keys[0], keys[-1]), OLD, None, 3, 0, count=3
)
TRANSACTION = Operation(
    "transaction",
    lambda keys: transaction(call("update", CARD, keys[0], _CHANGES), call("write", SIDE, row(keys[0], NEW))),
    OLD,
    NEW,
    [None, KEY],
    "RowNotFound",
    side=True,
)
ALL = (WRITE, REPLACE, UPDATE, DELETE, PLACE, JOURNALLED, DELETE_RANGE, TRANSACTION)

ROWS_READ = 100


def _query(sql: str) -> Callable[[int], Work]:
    def of(block: int) -> Work:
        first = block * BLOCK
        return lambda platform: platform.query(sql, [first + 1, first + ROWS_READ]).all()

    return of


def _first(block: int) -> int:
    return block * BLOCK + 1


def _keys(block: int) -> list[int]:
    return list(range(_first(block), _first(block) + ROWS_READ))


READS: Mapping[str, Callable[[int], Work]] = {
    "read": lambda block: call("read", CARD, _first(block)),
    "read, MySQL's columns": lambda block: call("read", CARD, _first(block), columns=["n"]),
    "read_many": lambda block: call("read_many", CARD, _keys(block)),
    "scan": lambda block: call("scan", CARD, _first(block), _keys(block)[-1]),
    "scan, two pages": lambda block: call("scan", CARD, _first(block), _keys(block)[-1], batch_size=ROWS_READ // 2),
    "find": lambda block: call("find", CARD, {"id": Range(ge=_first(block), le=_keys(block)[-1])}),
    "find, MySQL's columns": lambda block: call("find", CARD, {"id": _keys(block)}, columns=["n"]),
    "query, MySQL's columns": _query(f"SELECT SUM(n) FROM {CARD} WHERE id BETWEEN %s AND %s"),
    "query": _query(f"SELECT MAX(word) FROM {CARD} WHERE id BETWEEN %s AND %s"),
}
"""By name, of the ``ROWS_READ`` first rows of a block or of one of them."""
