"""The months that a report is about: whole ones, up to the last in which something has happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from crm_model.entities import Feedback, SalesOrder
from examples.crm_web.visit import Visit

LENGTHS: Final = (3, 6, 12, 24)
"""Months that may be asked for."""
USUAL: Final = 12


@dataclass(frozen=True)
class Period:
    """So many months, from ``start`` on and before ``stop``, the first moments of months in UTC."""

    length: int
    stop: datetime

    @property
    def start(self) -> datetime:
        return later(self.stop, -self.length)

    @property
    def months(self) -> list[str]:
        """Their names, such as 2026-05."""
        return [f"{later(self.start, number):%Y-%m}" for number in range(self.length)]


def of_orders(visit: Visit, length: int) -> Period:
    """Up to the last order."""
    latest = visit.crm.find(SalesOrder, {}, order_by=("ordered_at DESC",), limit=1)
    return _up_to(visit, length, *(one.ordered_at for one in latest))


def of_feedback(visit: Visit, length: int) -> Period:
    """Up to the last feedback."""
    latest = visit.crm.find(Feedback, {}, order_by=("occurred_at DESC",), limit=1)
    return _up_to(visit, length, *(one.occurred_at for one in latest))


def later(month: datetime, months: int) -> datetime:
    """The first moment of a month, so many months later."""
    number = month.year * 12 + month.month - 1 + months
    return datetime(number // 12, number % 12 + 1, 1)


def _up_to(visit: Visit, length: int, *latest: datetime) -> Period:
    last = min((visit.crm.clock(), *latest))
    return Period(length if length in LENGTHS else USUAL, later(last, 1))
