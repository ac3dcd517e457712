"""The formulas of the analyses, apart from where their figures come from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Generic, Self, TypeVar

MOST = 5
"""Feedback is scored from 1 to this."""


V = TypeVar("V", int, Decimal)


@dataclass(frozen=True)
class Scale(Generic[V]):
    """Scores from 1 (worst) to a number of bins for the values of one measure, by rank.

    The score of a value is ``1 + floor(bins * worse / count)``: ``worse`` of the ``count`` values are worse than it.
    Where all values differ, these are the equal groups of Hughes, *Strategic Database Marketing* (1994): with five
    bins, quintiles. Equal values have equal scores, whatever the order they come in; sorting and cutting, as quintiles
    are often made, would score customers that bought equally often by chance (Miglautsch, "Thoughts on RFM scoring",
    *Journal of Database Marketing* 8(1), 2000). So a score that many values share is that of the worst place among
    them, and the scores above may be missing: where half of the customers have bought once, that is a 1, and no one
    has a 2.

    ``scores``: those that any value has; ``floors``: the least value that has each of them, but for the first.
    """

    floors: tuple[V, ...]
    scores: tuple[int, ...]

    @classmethod
    def of(cls, values: Iterable[V], count: int, bins: int) -> Self:
        """From the values in order, the worst first. Memory is that of ``bins`` values."""
        floors: list[V] = []
        scores = [1]
        last: V | None = None
        for worse, value in enumerate(values):
            if value == last:
                continue
            last, score = value, min(1 + bins * worse // max(count, 1), bins)
            if score > scores[-1]:
                floors.append(value)
                scores.append(score)
        return cls(tuple(floors), tuple(scores))

    def score(self, value: V) -> int:
        """Of a value that was among them; any other counts as the next worse one."""
        return self.scores[bisect_right(self.floors, value)]


def silence(first: datetime, last: datetime, orders: int, as_of: datetime) -> float | None:
    """How little a customer's silence fits its own rhythm: 0 (not at all unusual) to 1; None without a rhythm.

    ``1 - (t / T) ** n``: T from the first order to ``as_of``, t from the first to the last, n orders after the first.
    Had the customer gone on buying at random at its rate, its n orders would be spread evenly over T, and all of them
    be over by t with a probability of ``(t / T) ** n`` (Schmittlein and Morrison, "Is the Customer Still Active?",
    *The American Statistician* 39(4), 1985). Orders at one moment are one; with only one there is no rhythm.
    """
    repeated = orders - 1
    return 1 - ((last - first) / (as_of - first)) ** repeated if repeated > 0 else None


def dissatisfaction(average: float) -> float:
    """An average score of feedback, 5 to 1, as 0 to 1.

    Satisfaction keeps customers of telecom services: Gustafsson, Johnson and Roos, "The Effects of Customer
    Satisfaction, Relationship Commitment Dimensions, and Triggers on Customer Retention", *Journal of Marketing* 69(4),
    2005.
    """
    return min(max((MOST - average) / (MOST - 1), 0.0), 1.0)


def annoyance(complaints: int) -> float:
    """``1 - 1/2 ** complaints``, 0 to 1: the first one counts as much as all others together.

    Customers of mobile phones that complain more leave more: Ahn, Han and Lee, "Customer churn analysis",
    *Telecommunications Policy* 30(10), 2006. That each further one adds half as much is a choice.
    """
    return 1 - 0.5**complaints


def weighted(parts: Iterable[tuple[float | None, float]]) -> float:
    """The average of values by their weights; those that are not known are left out. 0 where none is known."""
    known = [(value, weight) for value, weight in parts if value is not None]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total else 0.0
