"""Rows that every client changes at once. They are judged at the end, when the outcome of each change is known."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator

from tests.torture.own import Change
from tests.torture.rows import OPENING_BALANCE, Key, State


class Rising:
    """A number that only grows, and what it was at any line."""

    def __init__(self) -> None:
        self._lines: list[int] = []
        self._values: list[int] = []

    def raise_to(self, line: int, value: int) -> None:
        """Lines come in order; a lower value changes nothing."""
        if not self._values or value > self._values[-1]:
            self._lines.append(line)
            self._values.append(value)

    def before(self, line: int) -> int:
        """The number before this line; 0 at the beginning."""
        index = bisect_left(self._lines, line)
        return self._values[index - 1] if index else 0


class Registers:
    """Rows that are overwritten as a whole, by a version that nobody else writes, or deleted."""

    def __init__(self) -> None:
        self._writes: dict[Key, list[tuple[Change, int | None]]] = defaultdict(list)  # None: it deletes
        self._seen: list[tuple[Key, int | None, int, int, str]] = []
        self._without_effect: set[tuple[int, Key]] = set()

    def begin(self, change: Change, key: Key, version: int | None) -> None:
        """A change that would leave this version, or no row."""
        self._writes[key].append((change, version))

    def no_effect(self, change: Change, key: Key) -> None:
        """The change was refused for this row, or found nothing to do."""
        self._without_effect.add((id(change), key))

    def observe(self, key: Key, state: State, began: int, ended: int, who: str) -> str | None:
        """Takes what a read saw. Returns what is wrong at once; the rest comes from :meth:`violations`."""
        if state is not None and len(set(state)) > 1:
            return f"{who} read register {key} with versions of several changes: {state}"
        self._seen.append((key, None if state is None else state[0], began, ended, who))
        return None

    def violations(self) -> Iterator[str]:
        """What was read although it was never written, not yet, or overwritten before."""
        effective = {
            key: [write for write in writes if (id(write[0]), key) not in self._without_effect]
            for key, writes in self._writes.items()
        }
        changed = {key: _gone_before(change for change, _ in writes) for key, writes in effective.items()}
        filled = {
            key: _gone_before(change for change, version in writes if version is not None)
            for key, writes in effective.items()
        }
        by_version = {(key, version): change for key, writes in effective.items() for change, version in writes}
        for key, version, began, ended, who in self._seen:
            if version is None:
                deletes = [change for change, left in effective.get(key, ()) if left is None]
                possible = [_end(change) for change in deletes if change.outcome != "failed" and change.begun < ended]
                if key in filled and max(possible, default=0) < filled[key].before(began):
                    yield f"{who} found no register {key}, which had been written and not deleted since"
                continue
            source = by_version.get((key, version))
            if source is None or source.begun > ended:
                yield f"{who} read register {key} at version {version}, which nobody had written"
            elif source.outcome == "failed":
                yield f"{who} read register {key} at version {version}, and {source} had failed"
            elif _end(source) < changed[key].before(began):
                yield f"{who} read register {key} at version {version}, which had been overwritten before"


def _end(change: Change) -> float:
    """When it had taken effect at the latest."""
    return change.ended if change.outcome == "ok" and change.ended is not None else math.inf


def _gone_before(changes: Iterable[Change]) -> Rising:
    """For each line, the latest beginning of a change acknowledged before it: whatever had ended by then is gone."""
    latest = Rising()
    for change in sorted((change for change in changes if change.outcome == "ok"), key=_end):
        latest.raise_to(int(_end(change)), change.begun)
    return latest


class Accounts:
    """Rows that count their changes under their lock, and pass amounts to each other."""

    def __init__(self) -> None:
        self._counts: dict[Key, Rising] = defaultdict(Rising)
        self._taken: dict[Key, dict[int, tuple[Change, int]]] = defaultdict(dict)  # count -> change, balance
        self._changes: list[Change] = []
        self._seen: dict[tuple[Key, tuple[int, ...]], str] = {}
        self._final: dict[Key, tuple[int, ...]] = {}

    def begin(self, change: Change) -> None:
        """A change of accounts: ``counters`` are its keys and amounts."""
        self._changes.append(change)

    def ok(self, change: Change, left: Iterable[tuple[Key, int, int]], line: int) -> Iterator[str]:
        """What an acknowledged change says it left: count and balance of each account."""
        for key, count, balance in left:
            if count in self._taken[key]:
                yield f"{change} and {self._taken[key][count][0]} both made account {key} count {count}"
            if count <= self._counts[key].before(change.begun):
                yield f"{change} found account {key} older than it was known to be: it made it count {count}"
            self._taken[key][count] = (change, balance)
            self._counts[key].raise_to(line, count)

    def observe(self, key: Key, state: State, began: int, ended: int, who: str) -> str | None:
        """Takes what a read saw. Returns what is wrong at once."""
        if state is None:
            return f"{who} found no account {key}, and none is ever deleted"
        self._seen.setdefault((key, state), who)
        self._final[key] = state
        floor = self._counts[key].before(began)
        self._counts[key].raise_to(ended, state[0])
        return f"{who} read account {key} at count {state[0]}, already at {floor} before" if state[0] < floor else None

    def total(self, states: Iterable[State], who: str) -> str | None:
        """All accounts, read under their locks."""
        balances = [state[1] for state in states if state is not None]
        if sum(balances) != OPENING_BALANCE * len(balances):
            return f"{who} found {sum(balances)} in all accounts together, not {OPENING_BALANCE * len(balances)}"
        return None

    def violations(self) -> Iterator[str]:
        """What was read although nobody wrote it, changes that are lost, amounts that do not add up."""
        by_uid = {change.record["uid"]: change for change in self._changes}
        for (key, (count, balance, uid)), who in self._seen.items():
            if (count, balance, uid) == (0, OPENING_BALANCE, 0):
                continue
            source = by_uid.get(uid)
            if source is None or key not in _amounts(source):
                yield f"{who} read account {key} as changed by {uid}, and nobody began that"
            elif source.outcome == "failed":
                yield f"{who} read account {key} as changed by {source}, which had failed"
            elif count in self._taken[key] and self._taken[key][count] != (source, balance):
                yield f"{who} read account {key} at count {count} by {source}, {self._taken[key][count][0]} made that"
        for key, (count, _, _) in sorted(self._final.items()):
            yield from self._chain(key, count)

    def _chain(self, key: Key, final: int) -> Iterator[str]:
        taken = self._taken[key]
        unsure = sum(change.outcome in ("uncertain", "open") and key in _amounts(change) for change in self._changes)
        if not max(taken, default=0) <= final <= len(taken) + unsure:
            yield f"account {key} counts {final} changes; {len(taken)} were acknowledged, {unsure} are uncertain"
        balances = {0: OPENING_BALANCE, **{count: balance for count, (_, balance) in taken.items()}}
        for count, (change, balance) in taken.items():
            if count - 1 in balances and balances[count - 1] + _amounts(change)[key] != balance:
                yield f"{change} made the balance of account {key} {balance}, from {balances[count - 1]}"


def _amounts(change: Change) -> dict[Key, int]:
    return dict(change.record["counters"])
