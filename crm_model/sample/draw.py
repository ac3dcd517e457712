"""Drawing at random, always the same from the same seed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from crm_model.sample.sizes import BEGIN, END, SEED

T = TypeVar("T")

_SPAN = (END - BEGIN).total_seconds() * 1000
_STREAM_BITS, _NUMBER_BITS = 8, 40
_ZIPF_PRECISION = 1000


def spread(shares: Mapping[T, int]) -> tuple[T, ...]:
    """Each value as often as its share says: picking any of them draws by these shares."""
    return tuple(value for value, share in shares.items() for _ in range(share))


def zipf(count: int, exponent: float) -> tuple[int, ...]:
    """The numbers 1 to ``count``, n in proportion to n to the power of minus ``exponent``; for picking, see spread."""
    return spread({number: round(_ZIPF_PRECISION * number**-exponent) for number in range(1, count + 1)})


class Draw:
    """One stream of random values. ``random()`` is uniform over [0, 1)."""

    def __init__(self, stream: int, number: int = 0):
        """``stream`` says what is drawn, ``number`` for which row or rows."""
        seed = ((SEED << _STREAM_BITS | stream) << _NUMBER_BITS) | number
        self.source = random.Random(seed)  # noqa: S311  the same every time is what is wanted
        self.random = self.source.random

    def pick(self, values: Sequence[T]) -> T:
        return values[int(self.random() * len(values))]

    def some(self, values: Sequence[T], least: int, most: int) -> list[T]:
        """Between ``least`` and ``most`` different values: neighbours in the sequence."""
        first = int(self.random() * len(values))
        return [values[(first + number) % len(values)] for number in range(self.whole(least, most))]

    def whole(self, least: int, most: int) -> int:
        """A whole number, both ends included."""
        return least + int(self.random() * (most - least + 1))

    def chance(self, part: float) -> bool:
        return self.random() < part

    def moment(self) -> datetime:
        """Any time that the sample covers."""
        return at(self.random())

    def money(self, mu: float, sigma: float) -> Decimal:
        """Lognormal, in yuan."""
        return cents(self.source.lognormvariate(mu, sigma))


def at(part: float) -> datetime:
    """When this part of the sample's time has passed, to the millisecond."""
    return BEGIN + timedelta(milliseconds=int(part * _SPAN))


def cents(amount: float) -> Decimal:
    """Cut to cents."""
    return Decimal(int(amount * 100)).scaleb(-2)
