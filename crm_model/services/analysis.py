"""What the business did and what customers are worth: sales by operator, RFM, and who may be about to leave.

Facts count by when they happened and as they are now: an order that has been cancelled since is not there at any
moment. Archived rows are left out. Moments are in UTC, or say their zone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from crm_model import checks, formulas
from crm_model.entities import Customer, Operator
from crm_model.entities.states import COMPLAINT, ORDER_CANCELLED, ORDER_COMPLETED, VISIT, WON
from crm_model.formulas import Scale
from crm_model.service import Service

_EVER: Final = datetime(1, 1, 1)
_PLACES: Final = 4
"""Of a risk and its parts."""

_WON = """SELECT owner_id, COUNT(*), SUM(amount) FROM opportunity
WHERE stage = %s AND del_token = 0 AND closed_at >= %s AND closed_at < %s GROUP BY owner_id"""
_ORDERED = """SELECT owner_id, COUNT(*), SUM(amount) FROM sales_order
WHERE status <> %s AND del_token = 0 AND ordered_at >= %s AND ordered_at < %s GROUP BY owner_id"""
_VISITED = """SELECT operator_id, COUNT(*) FROM activity
WHERE kind = %s AND del_token = 0 AND occurred_at >= %s AND occurred_at < %s GROUP BY operator_id"""
_SCORED = """SELECT operator_id, COUNT(score), AVG(score) FROM feedback
WHERE del_token = 0 AND occurred_at >= %s AND occurred_at < %s GROUP BY operator_id"""

_PURCHASES = """FROM sales_order s JOIN customer c ON c.id = s.customer_id
WHERE s.status = %s AND s.del_token = 0 AND c.del_token = 0 AND s.ordered_at >= %s AND s.ordered_at < %s"""
_BUYERS = f"SELECT COUNT(DISTINCT s.customer_id) {_PURCHASES}"
_MEASURED = f"SELECT {{0}} {_PURCHASES} GROUP BY s.customer_id ORDER BY {{0}}"
_BOUGHT = f"""SELECT s.customer_id, MAX(s.ordered_at), COUNT(*), SUM(s.amount) {_PURCHASES}
GROUP BY s.customer_id ORDER BY s.customer_id"""

_RHYTHM = """SELECT customer_id, COUNT(DISTINCT ordered_at), MIN(ordered_at), MAX(ordered_at) FROM sales_order
WHERE status = %s AND del_token = 0 AND ordered_at <= %s GROUP BY customer_id ORDER BY customer_id"""
_HEARD = """SELECT customer_id, kind, COUNT(*), COUNT(score), SUM(score) FROM feedback
WHERE del_token = 0 AND occurred_at > %s AND occurred_at <= %s GROUP BY customer_id, kind ORDER BY customer_id, kind"""


@dataclass(frozen=True)
class Performance:
    """An operator's work in a period.

    won: opportunities that they own and that were won then; orders: placed then, whose owner they are, cancelled ones
    left out; amounts in yuan; visits: that they made; satisfaction: the average score of feedback about them, None
    where none of it has a score; scores: how many have. name: None where there is no such operator.
    """

    operator_id: int
    name: str | None
    won: int = 0
    won_amount: Decimal = Decimal(0)
    orders: int = 0
    order_amount: Decimal = Decimal(0)
    visits: int = 0
    scores: int = 0
    satisfaction: Decimal | None = None


@dataclass(frozen=True)
class Rfm:
    """What a customer bought in a period, and how it compares with others: see :class:`crm_model.formulas.Scale`.

    recency_days: whole days from the last order to the end of the period; frequency: orders; monetary: what they come
    to, in yuan. r, f, m: their scores, 1 to the number of bins, the more the better (so the later, for r).
    """

    customer_id: int
    last_order_at: datetime
    recency_days: int
    frequency: int
    monetary: Decimal
    r: int
    f: int
    m: int


@dataclass(frozen=True)
class ChurnWeights:
    """What the parts of a risk count for."""

    silence: float = 0.5
    dissatisfaction: float = 0.3
    annoyance: float = 0.2


@dataclass(frozen=True)
class ChurnRisk:
    """How much speaks for a customer's leaving, 0 to 1: the weighted average of those of its parts that are known.

    The parts are 0 to 1, to four places, by the formulas of :mod:`crm_model.formulas`. silence: against its own rhythm
    of ordering, None where it has none; dissatisfaction: by the average score of late, None where there is no score;
    annoyance: by the complaints of late, of which there are ``complaints``. orders: completed ones so far, those of one
    moment being one.
    """

    customer_id: int
    risk: float
    silence: float | None
    dissatisfaction: float | None
    annoyance: float
    orders: int
    last_order_at: datetime | None
    complaints: int


class Analysis(Service):
    """Figures over many customers. Where they are of each customer, those that the policy does not permit are left out.

    Results of customers are streamed in order of their ids: read them to the end, or close them. Memory is bounded.
    """

    def sales_performance(self, start: datetime, stop: datetime) -> list[Performance]:
        """Every operator at work, and any other with something to show, by what they have won, the most first.

        Args:
            start, stop: the period; ``start`` is part of it, ``stop`` is not. An opportunity counts by
                ``closed_at``, an order by ``ordered_at``, a visit and feedback by ``occurred_at``.

        The policy is asked once: the figures are of everybody. Raises NotPermitted, InvalidInput.
        """
        self.check("sales_performance")
        start, stop = checks.period(start, stop)
        won = self._by_operator(_WON, WON, start, stop)
        ordered = self._by_operator(_ORDERED, ORDER_CANCELLED, start, stop)
        visited = self._by_operator(_VISITED, VISIT, start, stop)
        scored = self._by_operator(_SCORED, start, stop)
        known = {one.id: one for one in self.find(Operator, {}, archived=True)}
        at_work = {one.id for one in known.values() if not one.archived}
        nothing = (0, Decimal(0))
        found = [
            Performance(
                number,
                known[number].name if number in known else None,
                *won.get(number, nothing),
                *ordered.get(number, nothing),
                *visited.get(number, (0,)),
                *scored.get(number, (0, None)),
            )
            for number in at_work.union(won, ordered, visited, scored)
        ]
        return sorted(found, key=lambda one: (-one.won_amount, one.operator_id))

    def rfm(self, start: datetime | None, stop: datetime, *, bins: int = 5) -> Iterator[Rfm]:
        """Recency, frequency and monetary value of every customer with a completed order in a period, with scores.

        Args:
            start, stop: the period; ``start`` is part of it (None: from the first order on), ``stop`` is not.
                Recency is as of ``stop``.
            bins: how many scores there are.

        The scores come from all customers, those included that the policy leaves out. They are found first, from one
        reading in the order of each measure, so that a customer whose orders change meanwhile is scored among those of
        before. Raises NotPermitted, InvalidInput.
        """
        self.check("rfm")
        begin, stop = checks.period(start or _EVER, stop)
        checks.whole("bins", bins, 1)
        given = (ORDER_COMPLETED, begin, stop)
        ((count,),) = self.answers(_BUYERS, given)

        def measured(measure: str) -> Iterator[Any]:
            return (value for (value,) in self.answers(_MEASURED.format(measure), given))

        recency = Scale.of((-_days(stop, last) for last in measured("MAX(s.ordered_at)")), count, bins)
        frequency = Scale.of(measured("COUNT(*)"), count, bins)
        monetary = Scale.of(measured("SUM(s.amount)"), count, bins)

        def scored() -> Iterator[Rfm]:
            bought = _Aligned(self.answers(_BOUGHT, given))
            for customer in self._permitted_customers("rfm"):
                for _, last, orders, amount in bought.of(customer.id):
                    days = _days(stop, last)
                    marks = recency.score(-days), frequency.score(orders), monetary.score(amount)
                    yield Rfm(customer.id, last, days, orders, amount, *marks)

        return scored()

    def churn_risk(
        self, as_of: datetime, *, days: int = 180, weights: ChurnWeights | None = None
    ) -> Iterator[ChurnRisk]:
        """How much speaks for each customer's leaving; see :class:`ChurnRisk` for the formula.

        :mod:`crm_model.formulas` says where the parts come from. How much each counts is a choice: ``weights``.

        Args:
            as_of: nothing later counts.
            days: scores and complaints count that are not older.

        Raises NotPermitted, InvalidInput.
        """
        self.check("churn_risk")
        as_of = checks.moment("as_of", as_of)
        checks.whole("days", days, 1)
        counting = weights or ChurnWeights()
        since = as_of - timedelta(days=days)

        def risks() -> Iterator[ChurnRisk]:
            ordered = _Aligned(self.answers(_RHYTHM, (ORDER_COMPLETED, as_of)))
            heard = _Aligned(self.answers(_HEARD, (since, as_of)))
            for customer in self._permitted_customers("churn_risk"):
                yield _risk(customer.id, ordered.of(customer.id), heard.of(customer.id), as_of, counting)

        return risks()

    def _by_operator(self, sql: str, *given: object) -> dict[int, tuple[Any, ...]]:
        return {row[0]: row[1:] for row in self.answers(sql, given)}

    def _permitted_customers(self, action: str) -> Iterator[Customer]:
        """The live customers that the policy permits, in order, without their document columns."""
        names = [one.name for one in Customer.declaration.mysql_columns]
        for row in self.platform.scan(Customer.table, columns=names):
            customer = Customer.of(row)
            if not customer.archived and self.policy.permits(self.actor, action, customer):
                yield customer


class _Aligned:
    """Rows that begin with the id of a customer, in order of these, handed out customer by customer."""

    def __init__(self, rows: Iterator[tuple[Any, ...]]):
        self._rows = rows
        self._next = next(rows, None)

    def of(self, customer_id: int) -> list[tuple[Any, ...]]:
        """Of this customer. Those of customers before it are passed over."""
        found = []
        while self._next is not None and self._next[0] <= customer_id:
            if self._next[0] == customer_id:
                found.append(self._next)
            self._next = next(self._rows, None)
        return found


def _risk(
    customer_id: int,
    ordered: list[tuple[Any, ...]],
    heard: list[tuple[Any, ...]],
    as_of: datetime,
    weights: ChurnWeights,
) -> ChurnRisk:
    _, orders, first, last = ordered[0] if ordered else (customer_id, 0, None, None)
    complaints = sum(count for _, kind, count, _, _ in heard if kind == COMPLAINT)
    marks = sum(count for *_, count, _ in heard)
    silence = formulas.silence(first, last, orders, as_of) if ordered else None
    unhappy = formulas.dissatisfaction(float(sum(total or 0 for *_, total in heard)) / marks) if marks else None
    annoyed = formulas.annoyance(complaints)
    parts = ((silence, weights.silence), (unhappy, weights.dissatisfaction), (annoyed, weights.annoyance))
    return ChurnRisk(
        customer_id,
        round(formulas.weighted(parts), _PLACES),
        None if silence is None else round(silence, _PLACES),
        None if unhappy is None else round(unhappy, _PLACES),
        round(annoyed, _PLACES),
        orders,
        last,
        complaints,
    )


def _days(stop: datetime, last: datetime) -> int:
    return (stop - last).days
