"""What a client does next: every choice comes from one seed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from random import Random
from typing import Any

from tests.torture.log import Record
from tests.torture.model import Change
from tests.torture.rows import ACCOUNTS, GUEST, ITEM, OWN, PAIR, REGISTERS, Key, State, batch_keys, own_keys

BATCHES = (1, 1, 2, 5, 20, 60, 200)
BATCH_TABLES = (ITEM, ITEM, PAIR)
MOST_BATCHES = 4  # that a client leaves in the tables


class Workload:
    """The changes of one client in one of its lives."""

    def __init__(self, choose: Random, slot: int, life: int, current: Callable[[str, Key], State]):
        """``current`` reads an own row."""
        self._choose, self._slot, self._current = choose, slot, current
        self._versions = itertools.count(life * 10**7 + 1)
        self._next_key = batch_keys(slot, life)
        self.batches: list[tuple[str, int, int]] = []  # table, first and last key

    def next(self) -> Record:
        """A change to begin."""
        kinds: dict[Callable[[], Record], int] = {
            self._plain: 30,
            self._batch: 8,
            self._together: 20,
            self._accounts: 20,
            self._register: 12,
            self._expecting: 8,
        }
        (make,) = self._choose.choices(list(kinds), list(kinds.values()))
        return {"changes": [], "counters": [], "uid": next(self._versions), **make()}

    def _plain(self) -> Record:
        change = self._own_change()
        return {"kind": _name(change), "changes": [change]}

    def _batch(self) -> Record:
        if len(self.batches) >= MOST_BATCHES:
            table, first, last = self.batches.pop(0)
            return {"kind": "delete_range", "changes": [["range", table, first, last]]}
        change = self._new_batch()
        if self._choose.random() < 0.3:
            return {"kind": "transaction", "changes": [change, self._own_change()]}
        return {"kind": "write_many", "changes": [change]}

    def _new_batch(self) -> Change:
        table, size = self._choose.choice(BATCH_TABLES), self._choose.choice(BATCHES)
        first, self._next_key = self._next_key, self._next_key + size
        self.batches.append((table, first, self._next_key - 1))
        return ["put", table, list(range(first, self._next_key)), next(self._versions), "error", True]

    def _together(self) -> Record:
        choose = self._choose
        changes: list[Change] = []
        for _ in range(choose.randint(2, 6)):
            changes.append(self._own_change())
            if choose.random() < 0.3:
                table = choose.choice((ITEM, GUEST, PAIR))
                changes.append(["get", table, choose.choice(own_keys(table, self._slot)), choose.random() < 0.5])
        kind = choose.choice(("transaction", "transaction", "run_transaction", "abort"))
        return {"kind": kind, "changes": changes, "counters": self._amounts() if choose.random() < 0.3 else []}

    def _accounts(self) -> Record:
        """An amount moves, with an own row to tell of it."""
        key = self._choose.choice(own_keys(PAIR, self._slot))
        changes = [["put", PAIR, [key], next(self._versions), "replace", False]] if self._choose.random() < 0.5 else []
        kind = self._choose.choice(("transaction", "run_transaction", "run_transaction"))
        return {"kind": kind, "changes": changes, "counters": self._amounts()}

    def _amounts(self) -> list[list[int]]:
        """One account counts, or an amount moves between two; their order is random, so that deadlocks happen."""
        choose = self._choose
        if choose.random() < 0.3:
            return [[choose.choice(ACCOUNTS), 0]]
        amount = choose.randint(1, 50)
        one, other = choose.sample(ACCOUNTS, 2)
        return [[one, amount], [other, -amount]]

    def _register(self) -> Record:
        """Shared rows are overwritten, alone or two together."""
        choose = self._choose
        changes = [self._register_change(key) for key in choose.sample(REGISTERS, choose.choice((1, 1, 1, 2)))]
        return {"kind": _name(changes[0]) if len(changes) == 1 else "transaction", "changes": changes}

    def _register_change(self, key: Key) -> Change:
        version = next(self._versions)
        return self._choose.choice(
            (
                ["put", ITEM, [key], version, "replace", False],
                ["put", ITEM, [key], version, "error", False],
                ["put", ITEM, [key], version, "ignore", True],
                ["set", ITEM, key, version, [0, 1, 2], None],
                ["set", ITEM, key, version, [0, 1, 2], None],
                ["del", ITEM, key],
            )
        )

    def _expecting(self) -> Record:
        """Compare and set: of an account (whose count is read meanwhile), or of an own row, sometimes wrongly."""
        choose = self._choose
        if choose.random() < 0.6:
            return {"kind": "expect", "counters": [[choose.choice(ACCOUNTS), 0]]}
        change = self._own_update(choose.choice((ITEM, GUEST, PAIR)))
        state = self._current(change[1], change[2])
        change[5] = 1 if state is None or choose.random() < 0.2 else state[0]
        return {"kind": "update", "changes": [change]}

    def _own_update(self, table: str) -> Change:
        choose = self._choose
        groups = choose.choice(([0], [1], [2], [0, 1], [1, 2], [0, 1, 2]))
        return ["set", table, choose.choice(own_keys(table, self._slot)), next(self._versions), groups, None]

    def _own_change(self) -> Change:
        choose = self._choose
        table = choose.choice((ITEM, GUEST, PAIR))
        keys = own_keys(table, self._slot)
        kind = choose.choices(("put", "many", "set", "del", "range"), (30, 8, 40, 15, 3))[0]
        version, key = next(self._versions), choose.choice(keys)
        conflict = choose.choice(("error", "replace", "replace", "ignore"))
        match kind:
            case "put":
                return ["put", table, [key], version, conflict, False]
            case "many":
                some: list[Any] = choose.sample(keys, choose.randint(1, OWN // 2))
                return ["put", table, some, version, conflict, True]
            case "set":
                return self._own_update(table)
            case "range" if table != GUEST:
                return ["range", table, key, key + choose.randint(0, 3)]
        return ["del", table, key]


def _name(change: Change) -> str:
    """The operation that a change is, alone."""
    if change[0] == "put":
        return "write_many" if change[5] else "write"
    return {"set": "update", "del": "delete", "range": "delete_range"}[change[0]]
