"""Rows that one client alone changes: what each may be at any moment is known from the log."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests.torture import model
from tests.torture.log import Record
from tests.torture.model import Place, Refused
from tests.torture.rows import Key, State

INITIAL = 0  # the line before the first one


@dataclass
class Change:
    """One operation of a client, from its "begin" on."""

    record: Record
    begun: int
    expected: list[Any] = field(default_factory=list)
    refused: str | None = None  # the error it must fail with
    before: dict[Place, State] = field(default_factory=dict)
    after: dict[Place, State] = field(default_factory=dict)  # of the rows it changes
    observed: str = ""  # who saw that it took effect before its client said so
    ended: int | None = None
    outcome: str = "open"  # then "ok", "failed" or "uncertain"

    def __str__(self) -> str:
        return f"{self.record['kind']} {self.record['i']} of client {self.record['w']}"


@dataclass
class Version:
    """A state of a row, in effect at the latest since the line ``since``; None: not known to be, or not yet."""

    state: State
    change: Change | None
    since: int | None


class OwnRows:
    """The history of every own row."""

    def __init__(self) -> None:
        self._histories: dict[Place, list[Version]] = defaultdict(lambda: [Version(None, None, INITIAL)])
        self._keys: dict[str, list[Key]] = defaultdict(list)

    def begin(self, change: Change) -> None:
        """Works out what the change must do."""
        record = change.record
        together = record["kind"] in ("transaction", "run_transaction", "abort")
        try:
            change.expected, left = model.run(self._current, record["changes"], together=together)
        except Refused as refused:
            change.refused, left = refused.args[0], {}
        for place, state in left.items():
            if (before := self._current(place)) != state:
                change.before[place], change.after[place] = before, state
                if place not in self._histories:
                    insort(self._keys[place[0]], place[1])
                self._histories[place].append(Version(state, change, None))

    def apply(self, change: Change, line: int) -> None:
        """It took effect, at the latest now."""
        for place in change.after:
            version = self._histories[place][-1]
            assert version.change is change, "its client has begun nothing else since"
            version.since = line if version.since is None else version.since

    def drop(self, change: Change) -> str | None:
        """It took no effect. Returns what is wrong with that."""
        for place in change.after:
            assert self._histories[place][-1].change is change, "its client has begun nothing else since"
            self._histories[place].pop()
        return f"{change} failed, and {change.observed} had seen its effect" if change.observed else None

    def settle(self, change: Change, found: dict[Place, State], line: int) -> tuple[bool | None, str | None]:
        """Takes what a locked read found after an uncertain end: all of it or nothing.

        Returns whether it took effect (None: there is no telling), and what is wrong.
        """
        if not change.after:
            return None, None
        seen = {place: found.get(place) for place in change.after}
        if seen == change.after:
            self.apply(change, line)
            return True, None
        fault = self.drop(change)
        if seen == change.before:
            return False, fault
        for place, state in seen.items():
            self._histories[place].append(Version(state, None, line))
        differing = {place: state for place, state in seen.items() if state != change.after[place]}
        shown = [f"{place} is {state}, not {change.after[place]}" for place, state in list(differing.items())[:4]]
        kept = len(seen) - len(differing)
        return None, f"{change} is neither whole nor absent: {kept} rows are as it left them, {'; '.join(shown)}"

    def observe(self, place: Place, state: State, began: int, ended: int, who: str) -> str | None:
        """Takes what a read that began and ended at these lines saw. Returns what is wrong."""
        allowed: list[Version] = []
        if place in self._histories:
            for version in reversed(self._histories[place]):
                allowed.append(version)
                if version.since is not None and version.since < began:
                    break
        elif state is None:
            return None
        matching = [version for version in allowed if version.state == state]
        if not matching:
            shown = ", ".join(str(version.state) for version in allowed) or "None"
            return f"{who} read {place} as {state}; allowed: {shown}"
        newest = matching[0].change
        if newest is not None and all(version.since is None for version in matching):
            newest.observed = who
            self.apply(newest, ended)
        return None

    def keys(self, table: str, first: Key | None, last: Key | None) -> list[Key]:
        """The keys of a range, both ends included, that have ever been written."""
        known = self._keys[table]
        low = 0 if first is None else bisect_left(known, first)
        high = len(known) if last is None else bisect_right(known, last)
        return known[low:high]

    def _current(self, place: Place) -> State:
        return self._histories[place][-1].state if place in self._histories else None
