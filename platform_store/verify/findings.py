"""What ``verify`` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from platform_store.records import Key


@dataclass(frozen=True, slots=True)
class Difference:
    """One row of which the two sides do not agree.

    Attributes:
        table: its name.
        key: of the row.
        kind: "missing" (a document, or the target's row, is not there), "extra" (it is there, and no row is), or
            "different".
        columns: those that differ; empty where it is about the row as a whole.
        detail: how they differ, without a value.
        repair: what ``repair=True`` did or would do; "" where it can do nothing.
    """

    table: str
    key: Key
    kind: Literal["missing", "extra", "different"]
    columns: tuple[str, ...]
    detail: str
    repair: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What ``verify`` found.

    Attributes:
        table: its name.
        rows: how many were checked.
        ranges: of rows, that they were checked in.
        found: how many differ.
        repaired: how many of them were mended.
        differences: the first of them, up to the limit asked for.
    """

    table: str
    rows: int
    ranges: int
    found: int
    repaired: int
    differences: tuple[Difference, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is left that differs."""
        return self.found == self.repaired
