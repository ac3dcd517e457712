"""What a client reads next, of its own rows and everybody's: every choice comes from one seed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any

from platform_store import Platform
from tests.torture.perform import locked_rows
from tests.torture.rows import (
    ACCOUNT,
    ACCOUNTS,
    GROUPS,
    GUEST,
    ITEM,
    PAIR,
    REGISTERS,
    Key,
    State,
    batch_keys,
    own_keys,
    state_of,
)

CLIENTS = 3
MOST_ROWS = 60  # of a scan
TABLES = (ITEM, GUEST, PAIR, ACCOUNT)


class Reading:
    """The reads of one client in one of its lives. What a read returns is the rest of its "read" record."""

    def __init__(self, choose: Random, slot: int, life: int, batches: Sequence[tuple[str, int, int]]):
        self._choose, self._slot, self._life, self._batches = choose, slot, life, batches
        self._choose_own = Random(choose.random())  # the writer's thread has a sequence of its own

    def choose_own(self) -> bool:
        """Whether the writer is to look at what it wrote."""
        return self._choose_own.random() < 0.3

    def own(self, platform: Platform) -> dict[str, Any]:
        """Rows of this client, by its writer: exactly what it left."""
        table = self._choose_own.choice((ITEM, GUEST, PAIR))
        keys = own_keys(table, self._slot)
        return _found(table, keys, platform.read_many(table, keys))

    def next(self, platform: Platform) -> dict[str, Any]:
        """Any read of any rows."""
        reads: dict[Callable[[Platform], dict[str, Any]], int] = {
            self._one: 25,
            self._many: 20,
            self._find: 10,
            self._scan: 15,
            self._batch: 15,
            self._query: 10,
            self._locked: 5,
        }
        (read,) = self._choose.choices(list(reads), list(reads.values()))
        return read(platform)

    def _one(self, platform: Platform) -> dict[str, Any]:
        table = self._choose.choice(TABLES)
        key = self._choose.choice(self._keys(table))
        return _found(table, [key], [platform.read(table, key)])

    def _many(self, platform: Platform) -> dict[str, Any]:
        table = self._choose.choice(TABLES)
        keys = self._choose.sample(self._keys(table), 4)
        return _found(table, keys, platform.read_many(table, keys))

    def _find(self, platform: Platform) -> dict[str, Any]:
        table = self._choose.choice(TABLES)
        keys = self._choose.sample(self._keys(table), 4)
        rows = {row["id"]: row for row in platform.find(table, {"id": keys})}
        return _found(table, keys, [rows.get(key) for key in keys])

    def _scan(self, platform: Platform) -> dict[str, Any]:
        """Small rows of one client, or whatever batches of one of its lives are there."""
        table, slot = self._choose.choice((ITEM, GUEST, PAIR)), self._choose.randrange(CLIENTS)
        first, last = own_keys(table, slot)[0], own_keys(table, slot)[-1]
        if table != GUEST and self._choose.random() < 0.5:
            life = self._choose.randint(max(0, self._life - 8), self._life + 2)
            first, last = batch_keys(slot, life), batch_keys(slot, life + 1) - 1
        size = self._choose.choice((3, 20, 1000))
        rows = list(itertools.islice(platform.scan(table, first, last, batch_size=size), MOST_ROWS))
        return _range(table, first, rows[-1]["id"] if len(rows) == MOST_ROWS else last, rows)

    def _batch(self, platform: Platform) -> dict[str, Any]:
        """A batch of this client, which its writer may be writing, or deleting, just now."""
        batches = list(self._batches)
        if not batches:
            return self._one(platform)
        table, first, last = self._choose.choice(batches)
        if self._choose.random() < 0.5:
            return _range(table, first, last, platform.scan(table, first, last))
        keys = list(range(first, last + 1))
        return _found(table, keys, platform.read_many(table, keys))

    def _query(self, platform: Platform) -> dict[str, Any]:
        """MySQL's columns alone, through SQL."""
        table, slot = self._choose.choice((ITEM, PAIR)), self._choose.randrange(CLIENTS)
        first, last = own_keys(table, slot)[0], own_keys(table, slot)[-1]
        sql = f"SELECT id, {', '.join(GROUPS)} FROM {table} WHERE id BETWEEN %s AND %s"
        with platform.query(sql, [first, last]) as result:
            rows = [[table, key, state] for key, *state in result]
        return {"rows": rows, "table": table, "first": first, "last": last}

    def _locked(self, platform: Platform) -> dict[str, Any]:
        """All accounts at one moment."""
        return {"rows": locked_rows(platform, [(ACCOUNT, key) for key in ACCOUNTS]), "locked": True}

    def _keys(self, table: str) -> list[Key]:
        if table == ACCOUNT:
            return list(ACCOUNTS)
        if table == ITEM and self._choose.random() < 0.5:
            return list(REGISTERS)
        return own_keys(table, self._choose.randrange(CLIENTS))


def final_reads() -> list[Callable[[Platform], dict[str, Any]]]:
    """Reads that together see every row: whole scans, and the registers, which a scan cannot miss."""

    def scan(table: str) -> Callable[[Platform], dict[str, Any]]:
        return lambda platform: _range(table, None, None, platform.scan(table))

    return [*map(scan, TABLES), lambda platform: _found(ITEM, REGISTERS, platform.read_many(ITEM, REGISTERS))]


def _found(table: str, keys: Sequence[Key], rows: Sequence[dict[str, object] | None]) -> dict[str, Any]:
    states: list[State] = [state_of(table, key, row) for key, row in zip(keys, rows, strict=True)]
    return {"rows": [[table, key, state] for key, state in zip(keys, states, strict=True)]}


def _range(table: str, first: Key, last: Key, rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    states = [[table, row["id"], state_of(table, row["id"], row)] for row in rows]
    return {"rows": states, "table": table, "first": first, "last": last}
