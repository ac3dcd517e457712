"""How much sample data there is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

SEED = 42
BEGIN = datetime(2023, 7, 1)
END = datetime(2026, 6, 15)
"""The first activity is not before, the last not after."""
BUSY_CUSTOMER = 88
"""The one with more activities than any other."""
TIMELINE_CUSTOMER = 674
"""Has a timeline of several pages, with ties."""
TIMELINE_ACTIVITIES = 180


@dataclass(frozen=True)
class Size:
    """Rows of the tables that decide; the others follow from the number of customers, see :meth:`of`."""

    name: str
    customers: int
    activities: int
    busy_activities: int  # of BUSY_CUSTOMER; part of ``activities``
    feedback: int

    def share(self, parts: float) -> int:
        """So many rows for each customer."""
        return round(self.customers * parts)


S = Size("S", 3_000, 38_000, 5_000, 8_000)
M = Size("M", 100_000, 1_300_000, 200_000, 267_000)
SIZES = {size.name: size for size in (S, M)}
