"""Judges a log: which histories the library's guarantees allow.

Records, by ``t``. Changes: "begin" (``kind``, ``changes``, ``counters`` and ``uid``, see :mod:`tests.torture.model`),
then "ok" (``results``, ``counted``), "failed" (``error``) or "unknown"; a client that was killed says nothing more, and
"settled" (``rows``, read under their locks by its next life) ends the uncertainty. Reads: "reading", then "read"
(``rows``; ``table``, ``first`` and ``last`` where it was a range), or nothing. "violation": what a client saw itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from tests.torture import model
from tests.torture.hot import Accounts, Registers
from tests.torture.log import Record
from tests.torture.model import REFUSALS, UNKNOWN, Place
from tests.torture.own import Change, OwnRows
from tests.torture.rows import ACCOUNT, State, is_own

_NOTHING_WRITTEN = ("Unavailable", "TransientError", "aborted")


class Checker:
    """Takes records in the order of the log; ``finish`` returns every violation."""

    def __init__(self) -> None:
        self.acknowledged: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.uncertain = 0
        self.reads = 0  # rows that were compared
        self._violations: list[str] = []
        self._line = 0
        self._own, self._registers, self._accounts = OwnRows(), Registers(), Accounts()
        self._under_way: dict[str, Change] = {}  # of each client, also when its end is not known
        self._reading: dict[int, int] = {}

    def feed(self, records: Iterable[Record]) -> None:
        """Takes records."""
        for record in records:
            self._line += 1
            match record["t"]:
                case "begin":
                    self._begin(record)
                case "ok" | "failed" | "unknown" | "settled":
                    self._end(record)
                case "reading":
                    self._reading[record["i"]] = self._line
                case "read":
                    self._read(record)
                case "violation":
                    self._wrong(record["what"])

    def finish(self) -> list[str]:
        """Judges what can be judged at the end only. Nothing more may be fed."""
        for who in list(self._under_way):
            self._give_up(who)
        return [*self._violations, *self._registers.violations(), *self._accounts.violations()]

    def _wrong(self, what: str | None) -> None:
        if what is not None:
            self._violations.append(f"line {self._line}: {what}")

    def _begin(self, record: Record) -> None:
        self._give_up(record["w"])
        change = Change(record, self._line)
        self._under_way[record["w"]] = change
        self._own.begin(change)
        for kind, table, *rest in record["changes"]:
            place = (table, rest[0][0] if kind == "put" else rest[0])
            if not is_own(*place) and kind != "get":
                self._registers.begin(change, place[1], rest[1] if kind in ("put", "set") else None)
        if record["counters"]:
            self._accounts.begin(change)

    def _give_up(self, who: str) -> None:
        """A client goes on, or the run ends: what it began before stays uncertain."""
        change = self._under_way.pop(who, None)
        if change is None:
            return
        if change.after:
            self._wrong(f"the outcome of {change} was never looked up")
            self._own.drop(change)
        change.outcome = "uncertain"
        self.uncertain += 1

    def _end(self, record: Record) -> None:
        change = self._under_way.get(record["w"])
        if change is None or change.record["i"] != record["i"]:
            self._wrong(f"client {record['w']} ends {record['i']}, which it had not begun")
        elif record["t"] == "ok":
            self._ok(change, record)
        elif record["t"] == "failed":
            self._failed(change, record["error"])
        elif record["t"] == "settled":
            self._settled(change, record["rows"])

    def _close(self, change: Change, outcome: str) -> None:
        change.outcome, change.ended = outcome, self._line
        del self._under_way[change.record["w"]]

    def _ok(self, change: Change, record: Record) -> None:
        self.acknowledged[change.record["kind"]] += 1
        self._close(change, "ok")
        self._own.apply(change, self._line)
        if change.refused is not None:
            self._wrong(f"{change} succeeded; {change.refused} was due")
        elif change.record["kind"] == "abort":
            self._wrong(f"{change} was committed")
        for expected, result in zip(change.expected, record["results"], strict=False):
            if expected is not UNKNOWN and expected != result:
                self._wrong(f"{change} returned {result}; {expected} was due")
        for one, result in zip(change.record["changes"], record["results"], strict=True):
            self._registers_without_effect(change, one, result)
        for fault in self._accounts.ok(change, record["counted"], self._line):
            self._wrong(fault)

    def _registers_without_effect(self, change: Change, one: list[Any], result: Any) -> None:
        for table, key in model.places([one]):
            nothing = result is False or isinstance(result, dict) or (isinstance(result, list) and sum(result[:2]) == 0)
            if not is_own(table, key) and nothing:
                self._registers.no_effect(change, key)

    def _failed(self, change: Change, error: str) -> None:
        self.failed[error] += 1
        self._close(change, "failed")
        if error in REFUSALS:
            if change.refused != error and model.own_places(change.record["changes"]):
                self._wrong(f"{change} raised {error}; {change.refused or 'no error'} was due")
        elif error not in _NOTHING_WRITTEN:
            self._wrong(f"{change} raised {error}")
        self._wrong(self._own.drop(change))

    def _settled(self, change: Change, rows: Sequence[Sequence[Any]]) -> None:
        found: dict[Place, State] = {(table, key): _state(state) for table, key, state in rows}
        took_effect, fault = self._own.settle(change, found, self._line)
        self._wrong(fault)
        self.uncertain += 1
        self._close(change, "failed" if took_effect is False else "uncertain")
        change.after = {}

    def _read(self, record: Record) -> None:
        began, who = self._reading.pop(record["i"]), f"client {record['w']} (read {record['i']})"
        found: dict[Place, State] = {(table, key): _state(state) for table, key, state in record["rows"]}
        if "table" in record:  # a range: keys that are not there are part of the answer
            table = record["table"]
            for key in self._own.keys(table, record["first"], record["last"]):
                found.setdefault((table, key), None)
        self.reads += len(found)
        for (table, key), state in found.items():
            if table == ACCOUNT:
                self._wrong(self._accounts.observe(key, state, began, self._line, who))
            elif is_own(table, key):
                self._wrong(self._own.observe((table, key), state, began, self._line, who))
            else:
                self._wrong(self._registers.observe(key, state, began, self._line, who))
        if record.get("locked"):
            self._wrong(self._accounts.total(found.values(), who))


def _state(numbers: Sequence[int] | None) -> State:
    return None if numbers is None else tuple(numbers)
