"""A table of customers of a certain size, on every side, and operations over it that leave it as large as it was."""

from __future__ import annotations

import contextlib
import random
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeAlias

import pymongo
from sqlalchemy.engine import make_url

from benchmarks.by_hand import BATCH, ByHand
from benchmarks.data import SEED, customers
from benchmarks.harness import Prepared, Variant, compare
from benchmarks.sides import LIBRARY, SIDES, TABLE, Address, Side, opened
from benchmarks.stats import Block
from tests.servers.databases import connect_sql, fresh_mongodb_database, fresh_sql_database

Arguments: TypeAlias = tuple[Any, ...]
STREAMED: Final = frozenset({"scan", "documents"})
LOADED: Final = 10 * BATCH
"""Rows that are held at a time."""
_CHECKED: Final = 1000  # rows that are compared afterwards
_ANSWERS: Final = 20  # calls whose answers are


@dataclass
class Table:
    """Rows 1 to ``rows`` on every side. Other keys are used once: whoever needs new ones reserves them."""

    address: Address
    sides: dict[str, Side]
    rows: int
    served: ByHand | None = None  # the plain drivers over the library's table: what is really in the servers
    loaded: Mapping[str, Sequence[Block]] = field(default_factory=dict)  # what filling it took, part by part
    _next: int = field(default=0)

    def __post_init__(self) -> None:
        self._next = self._next or self.rows + 1

    def reserve(self, count: int) -> int:
        """The first of so many keys that nobody has used."""
        self._next += count
        return self._next - count

    def fill(self, names: Sequence[str], first: int, count: int) -> dict[str, list[Block]]:
        """Writes rows of consecutive keys to these sides, and leaves nothing to do. Each part is a block of each."""
        blocks: dict[str, list[Block]] = {name: [] for name in names}
        for start in range(first, first + count, LOADED):
            rows = customers(start, min(LOADED, first + count - start))
            for name in names if start // LOADED % 2 else names[::-1]:
                times = []
                for call in (partial(self.sides[name].write_many, rows), self.sides[name].settle):
                    begun = time.perf_counter()
                    call()
                    times.append(time.perf_counter() - begun)
                blocks[name].append(Block((times[0],), len(rows), times[1]))
        return blocks

    def clear(self, names: Iterable[str], first: int, count: int) -> None:
        """Deletes rows of consecutive keys from these sides."""
        for name in names:
            for start in range(first, first + count, LOADED):
                self.sides[name].delete_range(start, min(start + LOADED, first + count) - 1)
            self.sides[name].settle()

    def prepared(
        self,
        names: Sequence[str],
        method: str,
        inputs: Callable[[int], Sequence[Arguments]],
        *,
        touched: Callable[[], Sequence[int]] | None = None,
        finish: Callable[[], None] = lambda: None,
    ) -> Prepared:
        """The method called on each of these sides.

        Afterwards the rows touched must be the same on all of them; where nothing is touched, the answers.
        """

        def check() -> None:
            try:
                if touched is None:
                    self.compare_answers(names, method, inputs(0)[:_ANSWERS])
                else:
                    self.compare(names, touched())
            finally:
                finish()

        variants = [Variant(name, caller(self.sides[name], method), self.sides[name].settle) for name in names]
        return Prepared(variants, inputs, check)

    def compare_answers(self, names: Sequence[str], method: str, inputs: Sequence[Arguments]) -> None:
        """Raises Unequal unless the method answers alike on all of these sides; of a stream, its beginning."""
        calls = [getattr(self.sides[name], method) for name in names]
        for arguments in inputs if len(names) > 1 else ():
            first, *others = (_beginning(call(*arguments)) for call in calls)
            for name, other in zip(names[1:], others, strict=True):
                compare(first, other, f"{method} of {names[0]} and {name}")

    def compare(self, names: Sequence[str], keys: Sequence[int]) -> None:
        """Raises Unequal unless rows of these keys (a sample of them) are the same everywhere, in the servers too."""
        keys = random.Random(SEED).sample(keys, k=min(_CHECKED, len(keys)))
        if not keys:
            return
        for name in names:
            self.sides[name].settle()
        expected = self.sides[names[0]].read_many(keys)
        for name in names[1:]:
            compare(expected, self.sides[name].read_many(keys), f"rows of {names[0]} and {name}")
        if LIBRARY in names and self.served is not None:
            compare(expected, self.served.read_many(keys), "rows in the servers")


def _beginning(answer: Any) -> list[Any]:
    return list(islice(answer, _CHECKED)) if isinstance(answer, Iterator | list) else [answer]


def caller(side: Side, method: str) -> Callable[[Arguments], object]:
    """Calls a method with the arguments given, and takes all that it streams."""
    bound = getattr(side, method)
    if method in STREAMED:
        return lambda arguments: deque(bound(*arguments), maxlen=0)
    return lambda arguments: bound(*arguments)


@contextlib.contextmanager
def address(mysql_url: str, mongodb_url: str) -> Iterator[Address]:
    """Empty databases and a folder for the embedded pair's file, gone at the end."""
    with (
        fresh_sql_database(mysql_url) as mysql,
        fresh_mongodb_database(mongodb_url) as mongodb,
        tempfile.TemporaryDirectory() as folder,
    ):
        yield Address(mysql, mongodb, Path(folder, "embedded.db"))


@contextlib.contextmanager
def table(mysql_url: str, mongodb_url: str, rows: int, names: Sequence[str] = SIDES) -> Iterator[Table]:
    """A table of so many rows on these sides."""
    with contextlib.ExitStack() as stack:
        where = stack.enter_context(address(mysql_url, mongodb_url))
        database = make_url(where.mysql_url).database
        connection = stack.enter_context(connect_sql(where.mysql_url, database=database))
        client = stack.enter_context(pymongo.MongoClient[dict[str, Any]](where.mongodb_url))
        sides = {name: stack.enter_context(opened(name, where)) for name in names}
        for side in sides.values():
            side.create()
        made = Table(where, sides, rows, ByHand(connection, client.get_default_database(), TABLE))
        made.loaded = made.fill(names, 1, rows)
        yield made
