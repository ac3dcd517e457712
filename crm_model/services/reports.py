"""Reports to decide on: what is sold where, what and when, how it grows, what is bought together, and how it is liked.

A sale is a completed order that is not archived, by when it was placed and as it is now. Amounts are in yuan. The
policy is asked once: the figures are of everybody.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, Literal, TypeAlias, get_args

from crm_model import checks
from crm_model.entities.states import ORDER_COMPLETED
from crm_model.errors import InvalidInput
from crm_model.service import Service

_SOLD: Final = "s.status = %s AND s.del_token = 0 AND s.ordered_at >= %s AND s.ordered_at < %s"
_IN_ALL: Final = f"SELECT COUNT(*), SUM(s.amount) FROM sales_order s WHERE {_SOLD}"  # noqa: S608 - our own text
_BY_REGION: Final = f"""SELECT c.province, COUNT(*), SUM(s.amount) FROM sales_order s
LEFT JOIN customer c ON c.id = s.customer_id WHERE {_SOLD} GROUP BY c.province"""  # noqa: S608
_BY_PRODUCT: Final = f"""SELECT p.code, COUNT(DISTINCT s.id), SUM(i.amount) FROM sales_order s
JOIN order_item i ON i.order_id = s.id AND i.del_token = 0 LEFT JOIN product p ON p.id = i.product_id
WHERE {_SOLD} GROUP BY p.code"""  # noqa: S608
_OF_EACH: Final = f"""SELECT p.code, COUNT(DISTINCT s.id) FROM sales_order s
JOIN order_item i ON i.order_id = s.id AND i.del_token = 0 JOIN product p ON p.id = i.product_id
WHERE {_SOLD} GROUP BY p.code"""  # noqa: S608
# Lines are joined to lines: by way of the order, SQLite would take a plan that is a hundred times slower.
_OF_PAIRS: Final = f"""SELECT p.code, q.code, COUNT(DISTINCT s.id) FROM sales_order s
JOIN order_item a ON a.order_id = s.id AND a.del_token = 0 JOIN product p ON p.id = a.product_id
JOIN order_item b ON b.order_id = a.order_id AND b.del_token = 0 JOIN product q ON q.id = b.product_id
WHERE a.product_id < b.product_id AND {_SOLD}
GROUP BY p.code, q.code HAVING COUNT(DISTINCT s.id) >= %s"""  # noqa: S608
_SCORED: Final = """SELECT occurred_at, {0}, score FROM feedback
WHERE del_token = 0 AND score IS NOT NULL AND occurred_at >= %s AND occurred_at < %s"""
_NOTHING: Final = (0, Decimal("0.00"))
_CENT: Final = Decimal("0.01")

SatisfactionKey: TypeAlias = Literal["channel", "kind", "operator_id"]
"""What feedback is told apart by."""


@dataclass(frozen=True)
class Sales:
    """What was sold of something: a province, a product's code or a month such as 2026-05; None where it is not known.

    orders, amount: in the period; previous_amount: in the one before.
    """

    key: str | None
    orders: int
    amount: Decimal
    previous_amount: Decimal

    @property
    def growth(self) -> float | None:
        """How much more than before, as a part of that: 0.25 is a quarter more; None where there was nothing before."""
        return float(self.amount / self.previous_amount - 1) if self.previous_amount else None


@dataclass(frozen=True)
class Satisfaction:
    """The scores of a month, such as 2026-05: how many there are, and what they come to.

    key: the channel, kind or operator that they are of; None where they are of all.
    """

    month: str
    key: str | int | None
    scores: int
    total: int

    @property
    def average(self) -> Decimal:
        """Halves rounded up to two places."""
        return (Decimal(self.total) / self.scores).quantize(_CENT, ROUND_HALF_UP)


@dataclass(frozen=True)
class Association:
    """Two products, by their codes, that were bought in one order.

    orders: how many have both; support: their part of all orders; confidence: the part of the orders with the first
    that have the second, too; confidence_back: of those with the second that have the first; lift: how many times more
    often they are together than if they were bought independently of each other (1: just as often).
    """

    first: str
    second: str
    orders: int
    support: float
    confidence: float
    confidence_back: float
    lift: float


class Reports(Service):
    """Sales by region, product and month, products that go together, and satisfaction by month."""

    def sales_by_region(self, start: datetime, stop: datetime, *, previous: datetime | None = None) -> list[Sales]:
        """Sales by the customer's province, the largest first.

        Args:
            start, stop: the period; ``start`` is part of it, ``stop`` is not.
            previous: when the period before began, which ends at ``start`` (default: as long ago as the period lasts).

        Raises NotPermitted, InvalidInput.
        """
        return self._compared("sales_by_region", _BY_REGION, start, stop, previous)

    def sales_by_product(self, start: datetime, stop: datetime, *, previous: datetime | None = None) -> list[Sales]:
        """Sales by the code of the product, from the orders' lines, the largest first; as :meth:`sales_by_region`.

        An order with several products is one of each.
        """
        return self._compared("sales_by_product", _BY_PRODUCT, start, stop, previous)

    def sales_by_month(self, start: datetime, stop: datetime) -> list[Sales]:
        """Sales of each month, in order, each compared with the month before.

        Args:
            start, stop: the first moments of the first month and of the one after the last, in UTC.

        Raises NotPermitted, InvalidInput where these are no first moments of months.
        """
        self.check("sales_by_month")
        begin, end = checks.period(start, stop)
        for name, value in (("start", begin), ("stop", end)):
            if value != _month(value):
                raise InvalidInput(name, "not-a-month", "give the first moment of a month, in UTC")
        _, before = self._in_all(_month(begin, -1), begin)
        report = []
        while begin < end:
            orders, amount = self._in_all(begin, _month(begin, 1))
            report.append(Sales(f"{begin:%Y-%m}", orders, amount, before))
            begin, before = _month(begin, 1), amount
        return report

    def satisfaction_by_month(
        self, start: datetime, stop: datetime, *, by: SatisfactionKey | None = None
    ) -> list[Satisfaction]:
        """The average score of live feedback in each month of a period, in order, then by ``key``.

        Args:
            start, stop: the period; ``start`` is part of it, ``stop`` is not. Feedback counts by ``occurred_at``.
            by: tell feedback apart by this column. None: all of it together.

        A month in which nothing has a score is left out. The scores are streamed. Raises NotPermitted, InvalidInput.
        """
        self.check("satisfaction_by_month")
        if by is not None and by not in get_args(SatisfactionKey):
            raise InvalidInput(
                "by",
                "not-a-choice",
                f"is one of {', '.join(get_args(SatisfactionKey))}",
                choices=get_args(SatisfactionKey),
            )
        sums: dict[tuple[str, str | int | None], tuple[int, int]] = {}
        for at, value, score in self.answers(_SCORED.format(by or "kind"), checks.period(start, stop)):
            place = (f"{at:%Y-%m}", None if by is None else value)
            count, total = sums.get(place, (0, 0))
            sums[place] = (count + 1, total + score)
        return [Satisfaction(*place, *counted) for place, counted in sorted(sums.items())]

    def product_association(
        self, start: datetime, stop: datetime, *, least_orders: int = 5, limit: int = 50
    ) -> list[Association]:
        """Pairs of products that are bought in one order, those with the highest lift first.

        As in Brin, Motwani, Ullman and Tsur, Dynamic itemset counting and implication rules for market basket data
        (SIGMOD 1997), for pairs.

        Args:
            start, stop: the period; ``start`` is part of it, ``stop`` is not.
            least_orders: leave out pairs that fewer orders have: a high lift of a few tells nothing.
            limit: the most pairs to return.

        The store counts; only ``limit`` pairs are held. Raises NotPermitted, InvalidInput.
        """
        self.check("product_association")
        checks.whole("least_orders", least_orders, 1)
        checks.whole("limit", limit, 1)
        given = (ORDER_COMPLETED, *checks.period(start, stop))
        total, _ = self._in_all(*given[1:])
        having = dict(self.answers(_OF_EACH, given))
        pairs = (_association(having, total, *pair) for pair in self.answers(_OF_PAIRS, [*given, least_orders]))
        return heapq.nsmallest(limit, pairs, key=lambda one: (-one.lift, -one.orders, one.first, one.second))

    def _compared(
        self, action: str, sql: str, start: datetime, stop: datetime, previous: datetime | None
    ) -> list[Sales]:
        self.check(action)
        begin, end = checks.period(start, stop)
        earlier, _ = checks.period(begin - (end - begin) if previous is None else previous, begin)
        now, before = self._by_key(sql, begin, end), self._by_key(sql, earlier, begin)
        keys = now.keys() | before.keys()
        report = [Sales(key, *now.get(key, _NOTHING), before.get(key, _NOTHING)[1]) for key in keys]
        return sorted(report, key=lambda one: (-one.amount, one.key or ""))

    def _by_key(self, sql: str, begin: datetime, end: datetime) -> dict[str | None, tuple[int, Decimal]]:
        found = self.answers(sql, [ORDER_COMPLETED, begin, end])
        return {key: (orders, amount) for key, orders, amount in found}

    def _in_all(self, begin: datetime, end: datetime) -> tuple[int, Decimal]:
        ((orders, amount),) = self.answers(_IN_ALL, [ORDER_COMPLETED, begin, end])
        return orders, amount or _NOTHING[1]


def _association(having: Mapping[str, int], total: int, first: str, second: str, orders: int) -> Association:
    confidence = orders / having[first]
    return Association(
        first,
        second,
        orders,
        support=orders / total,
        confidence=confidence,
        confidence_back=orders / having[second],
        lift=confidence * total / having[second],
    )


def _month(moment: datetime, later: int = 0) -> datetime:
    """The first moment of a month: of the one that a moment is in, or of one so many months later."""
    months = moment.year * 12 + moment.month - 1 + later
    return datetime(months // 12, months % 12 + 1, 1)
