"""What ``verify`` was asked for, and what it has found so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from platform_store.records import Key, Progress
from platform_store.verify.findings import Difference, Verification

Side: TypeAlias = Literal["mysql", "mongodb"]

UNDECIDED = "side= says which store is right"
_WINDOW = 5.0  # seconds that rows_per_second is of


class Settled(NamedTuple):
    """A difference, and whether it was mended."""

    difference: Difference
    mended: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """``mend``: it was asked to repair, and this is no dry run."""

    table: str
    start: Key | None
    stop: Key | None
    side: Side | None
    limit: int
    mend: bool
    progress: Callable[[Progress], None] | None


@dataclass
class Found:
    """Counts everything, and keeps as many differences as were asked for. ``total``: rows there are, about."""

    asked: Asked
    total: int | None = None
    rows: int = 0
    bytes: int = 0
    ranges: int = 0
    found: int = 0
    repaired: int = 0
    differences: list[Difference] = field(default_factory=list)
    _marks: list[tuple[float, int]] = field(default_factory=lambda: [(time.monotonic(), 0)])

    def add(self, settled: Iterable[Settled]) -> None:
        """Something was found."""
        for one in settled:
            self.found += 1
            self.repaired += one.mended
            if len(self.differences) < self.asked.limit:
                self.differences.append(one.difference)

    def end_range(self, settled: Iterable[Settled], rows: int, size: int) -> None:
        """A range is done, with what was found in it."""
        self.add(settled)
        self.ranges += 1
        self.rows += rows
        self.bytes += size
        if self.asked.progress is not None:
            self.asked.progress(self._progress())

    def verification(self) -> Verification:
        return Verification(
            self.asked.table, self.rows, self.ranges, self.found, self.repaired, tuple(self.differences)
        )

    def _progress(self) -> Progress:
        now = time.monotonic()
        self._marks.append((now, self.rows))
        while len(self._marks) > 2 and self._marks[1][0] < now - _WINDOW:
            del self._marks[0]
        since, before = self._marks[0]
        rate = (self.rows - before) / max(now - since, 1e-6)
        left = None if self.total is None or not rate else max(0.0, (self.total - self.rows) / rate)
        return Progress("verify", self.rows, self.total, self.bytes, rate, left)
