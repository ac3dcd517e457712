"""Medians, spread and ratios of timed blocks. Pure."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, TypeAlias

RESAMPLES = 1000
CONFIDENCE = 0.95
_SEED = 42


@dataclass(frozen=True)
class Block:
    """What one variant did in one repetition."""

    times: tuple[float, ...]  # seconds of each call
    rows: int  # handled by all calls together
    afterwards: float = 0.0  # seconds of what the calls had put off
    wall: float | None = None  # seconds from the first call to the last, where several clients were at work at once

    @property
    def rate(self) -> float:
        """Rows in a second."""
        return self.rows / (sum(self.times) if self.wall is None else self.wall)


Statistic: TypeAlias = Callable[[Sequence[Block]], float]


@dataclass(frozen=True)
class Ratio:
    """A variant's statistic over the baseline's, with the interval that the repetitions' noise leaves open."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Bar:
    """What a ratio has to be."""

    side: Literal["at most", "at least"]
    limit: float

    def __str__(self) -> str:
        return f"{self.side} {self.limit:.2f}"

    def met(self, ratio: Ratio) -> bool:
        return self._holds(ratio.value)

    def certain(self, ratio: Ratio) -> bool:
        """Whether the whole interval is on one side of the bar."""
        return self._holds(ratio.low) == self._holds(ratio.high)

    def _holds(self, value: float) -> bool:
        return value <= self.limit if self.side == "at most" else value >= self.limit


Verdict: TypeAlias = Literal["met", "missed", "undecided"]


def verdict(bar: Bar, ratio: Ratio) -> Verdict:
    """Undecided where the interval reaches across the bar: this run cannot tell."""
    if not bar.certain(ratio):
        return "undecided"
    return "met" if bar.met(ratio) else "missed"


def slope(points: Sequence[tuple[float, float]]) -> float:
    """How the second of each pair grows with the first: the exponent of the power that fits best (least squares of the
    logarithms). 0: not at all; 1: as fast.
    """
    xs, ys = ([math.log(value) for value in values] for values in zip(*points, strict=True))
    return statistics.linear_regression(xs, ys).slope


def times_of(blocks: Sequence[Block]) -> list[float]:
    """The seconds of every call."""
    return list(chain.from_iterable(block.times for block in blocks))


def p50(blocks: Sequence[Block]) -> float:
    """The median time of a call, in seconds."""
    return statistics.median(times_of(blocks))


def p95(blocks: Sequence[Block]) -> float:
    """What 95 % of the calls take at most, in seconds."""
    return quantile(times_of(blocks), 0.95)


def rate(blocks: Sequence[Block]) -> float:
    """Rows in a second, of the median block."""
    return statistics.median(block.rate for block in blocks)


def quantile(values: Sequence[float], part: float) -> float:
    """Interpolated between the two nearest values."""
    ordered = sorted(values)
    place = part * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def ratio(statistic: Statistic, blocks: Sequence[Block], baseline: Sequence[Block]) -> Ratio:
    """``statistic`` of the blocks over that of the baseline's, with a bootstrap interval.

    Blocks of one repetition ran next to each other and are drawn together, so that what slowed both is no noise.
    """
    paired = list(zip(blocks, baseline, strict=True))
    draw = random.Random(_SEED)
    resampled = []
    for _ in range(RESAMPLES):
        drawn = draw.choices(paired, k=len(paired))
        resampled.append(statistic([one for one, _ in drawn]) / statistic([other for _, other in drawn]))
    tail = (1 - CONFIDENCE) / 2
    return Ratio(statistic(blocks) / statistic(baseline), quantile(resampled, tail), quantile(resampled, 1 - tail))
