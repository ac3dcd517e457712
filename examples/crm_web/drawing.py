"""Where the marks of a chart stand, in percent of its area: the templates draw them as SVG without any script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias

Number: TypeAlias = int | float | Decimal

SHADES: Final = 6
"""Of a heat map, without the one for nothing."""


@dataclass(frozen=True)
class Mark:
    """A value of a chart: its place from the left and from the top."""

    label: str
    value: Number
    x: float
    y: float


@dataclass(frozen=True)
class Chart:
    """Marks over labels.

    labels: with their places from the left; the last, and every ``every``-th before it, stay where there is little
    room. pieces: lines through the marks, broken where one is missing. width: of a column, in percent.
    """

    marks: tuple[Mark, ...]
    labels: tuple[tuple[str, float], ...]
    pieces: tuple[str, ...] = ()
    width: float = 0.0

    @property
    def every(self) -> int:
        return -(-len(self.labels) // 6)

    @property
    def top(self) -> Number:
        """The highest value."""
        return max((mark.value for mark in self.marks), default=0)


def line(labels: Sequence[str], values: Mapping[str, Number], lowest: int, highest: int) -> Chart:
    """The values that labels have, between two bounds."""
    pieces: list[list[str]] = [[]]
    marks = []
    for number, label in enumerate(labels):
        if label not in values:
            pieces.append([])
            continue
        value = values[label]
        x, y = _middle(number, len(labels)), 100 - part(float(value) - lowest, highest - lowest)
        marks.append(Mark(label, value, x, y))
        pieces[-1].append(f"{x},{y}")
    return Chart(tuple(marks), _places(labels), tuple(" ".join(one) for one in pieces if len(one) > 1))


def columns(labels: Sequence[str], values: Sequence[Number]) -> Chart:
    """Columns from the ground up; the highest reaches the top."""
    highest = float(max(values, default=0))
    marks = (
        Mark(label, value, _middle(number, len(labels)), 100 - part(float(value), highest))
        for number, (label, value) in enumerate(zip(labels, values, strict=True))
    )
    return Chart(tuple(marks), _places(labels), width=round(64 / max(len(labels), 1), 2))


def part(value: Number, whole: Number) -> float:
    """A part in percent of the whole, to two places; 0 where there is nothing."""
    return round(100 * float(value) / float(whole), 2) if whole else 0.0


def shade(count: int, most: int) -> int:
    """Of a cell of a heat map: 0 for nothing, else 1 to :data:`SHADES`."""
    return 0 if not count else 1 + min(SHADES - 1, (count - 1) * SHADES // max(most, 1))


def _middle(number: int, count: int) -> float:
    return round(100 * (number + 0.5) / count, 2)


def _places(labels: Sequence[str]) -> tuple[tuple[str, float], ...]:
    return tuple((label, _middle(number, len(labels))) for number, label in enumerate(labels))
