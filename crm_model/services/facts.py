"""What rules are decided on: the inputs of many customers at once, by one statement for each table and period."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from crm_model.entities import Customer
from crm_model.entities.states import COMPLAINT, ORDER_COMPLETED
from crm_model.rules import LEVEL, LIMIT, Input, Value
from platform_store import Platform


@dataclass(frozen=True)
class _Source:
    """A statement that answers inputs, each in a column after the customer's id.

    Its parameters: customers, since, until and what is in ``given``. ``without``: the values without any row.
    """

    inputs: tuple[str, ...]
    without: tuple[Value, ...]
    sql: str


_GIVEN: Final = {"completed": ORDER_COMPLETED, "complaint": COMPLAINT}
_SOURCES: Final = (
    _Source(
        ("orders_amount", "orders_count"),
        (0, 0),
        "SELECT customer_id, SUM(amount), COUNT(*) FROM sales_order WHERE customer_id IN %(customers)s "
        "AND ordered_at > %(since)s AND ordered_at <= %(until)s AND status = %(completed)s AND del_token = 0 "
        "GROUP BY customer_id",
    ),
    _Source(
        ("satisfaction",),
        (None,),
        "SELECT customer_id, AVG(score) FROM feedback WHERE customer_id IN %(customers)s "
        "AND occurred_at > %(since)s AND occurred_at <= %(until)s AND del_token = 0 GROUP BY customer_id",
    ),
    _Source(
        ("complaints",),
        (0,),
        "SELECT customer_id, COUNT(*) FROM feedback WHERE customer_id IN %(customers)s "
        "AND occurred_at > %(since)s AND occurred_at <= %(until)s AND kind = %(complaint)s AND del_token = 0 "
        "GROUP BY customer_id",
    ),
    _Source(
        ("days_since_activity",),
        (None,),
        "SELECT customer_id, MAX(occurred_at) FROM activity WHERE customer_id IN %(customers)s "
        "AND occurred_at <= %(until)s AND del_token = 0 GROUP BY customer_id",
    ),
    _Source(
        ("arpu", "arrears", "tenure_months"),
        (None, 0, None),
        "SELECT customer_id, SUM(arpu_3m), SUM(arrears), MAX(tenure_months) FROM billing_customer "
        "WHERE customer_id IN %(customers)s AND del_token = 0 GROUP BY customer_id",
    ),
)


class Facts:
    """The inputs that rules look at, as of a moment."""

    def __init__(self, platform: Platform, inputs: Collection[Input], as_of: datetime):
        self._platform, self._as_of = platform, as_of
        answered = {name: source for source in _SOURCES for name in source.inputs}
        self._asked = {(answered[one.name], one.days) for one in inputs if one.name in answered}
        self._own = {LEVEL, LIMIT, *(one for one in inputs if one.name not in answered)}

    def of(self, customers: Sequence[Customer]) -> list[dict[Input, Value]]:
        """Aligned with the customers; the level and the limit of each are among them.

        Where the customers are locked, nobody adds or changes meanwhile what these come from.
        """
        known = {one.id: {its: getattr(one, its.name) for its in self._own} for one in customers}
        for source, days in self._asked if customers else ():
            inputs = [Input(name, days) for name in source.inputs]
            for facts in known.values():
                facts.update(zip(inputs, source.without, strict=True))
            for key, *values in self._rows(source, days, list(known)):
                known[key].update(zip(inputs, map(self._value, values), strict=True))
        return [known[one.id] for one in customers]

    def _rows(self, source: _Source, days: int | None, customers: list[int]) -> list[tuple[Any, ...]]:
        since = None if days is None else self._as_of - timedelta(days=days)
        given = {**_GIVEN, "customers": customers, "since": since, "until": self._as_of}
        used = {name: value for name, value in given.items() if f"%({name})s" in source.sql}
        with self._platform.query(source.sql, used) as result:
            return result.all()

    def _value(self, found: Any) -> Value:
        """A moment becomes the whole days since."""
        value: Value = (self._as_of - found).days if isinstance(found, datetime) else found
        return value
