"""Which way to the documents is cheaper. Pure.

Either the keys of the rows that matter go from MySQL to MongoDB, or the collection is read, filtered where the
statement allows it. The constants are microseconds for one row, measured on one machine (`benchmarks/`); only their
ratios matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_KEY: Final = 9.0  # a key: out of MySQL, looked up in MongoDB
_EXAMINED: Final = 1.0  # a document that a filter sees
_DOCUMENT: Final = 9.0  # a document: decoded, and written into the scratch table
_SMALL: Final = 2_000
"""Below so many documents or keys nothing is estimated: asking costs as much."""
_MOST_KEYS: Final = 400_000
"""Held by the client at once."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """``size``: documents in the collection; ``share``: which of them pass the filter; ``keys``: rows that matter."""

    size: int
    share: float
    keys: int | None  # None: nothing restricts them

    @property
    def by_keys(self) -> float:
        return float("inf") if self.keys is None else self.keys * (_KEY + _DOCUMENT * self.share)

    @property
    def by_scan(self) -> float:
        return self.size * (_EXAMINED + _DOCUMENT * self.share)

    @property
    def cheapest(self) -> float:
        return min(self.by_keys, self.by_scan)

    @property
    def prefers_keys(self) -> bool:
        return self.by_keys < self.by_scan or self.is_look_up

    @property
    def is_look_up(self) -> bool:
        """Whether one look-up finds all documents."""
        return self.keys is not None and self.keys <= _SMALL

    @property
    def most_keys(self) -> int:
        """How many keys are taken from MySQL before the collection is read instead: estimates may be far off."""
        worth = self.by_scan / (_KEY + _DOCUMENT * self.share)
        return int(min(max(worth, _SMALL), _MOST_KEYS))

    def staged(self, by_keys: bool) -> int:
        """How many rows one of the ways puts into the scratch table."""
        return int((self.keys or 0) * self.share if by_keys else self.size * self.share)

    def why(self) -> str:
        """The comparison, in words."""
        if self.keys is None:
            return f"nothing restricts the rows in MySQL; {self.size} documents"
        if self.is_look_up:
            return f"about {self.keys} keys, which one look-up finds"
        return (
            f"about {self.keys} keys ({self.by_keys / 1e3:.0f} ms) against {self.size} documents, of which "
            f"{self.share:.1%} pass ({self.by_scan / 1e3:.0f} ms)"
        )


def is_small(size: int) -> bool:
    return size <= _SMALL
