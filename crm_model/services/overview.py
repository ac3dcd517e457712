"""Everything about a customer in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Generic, TypeVar

from crm_model import checks
from crm_model.entities import Activity, BillingCustomer, Contact, Customer, Opportunity, SalesOrder, Task, VipCard
from crm_model.entities.states import OPEN_STAGES, OPEN_TASKS, ORDER_CANCELLED
from crm_model.model import Standard
from crm_model.services.activities import MOST_AT_ONCE, Activities
from crm_model.services.feedback import Feedbacks

R = TypeVar("R", bound=Standard)

LIST_LIMIT: Final = 50
"""Rows of one kind that are shown of a customer."""
FEW_ORDERS: Final = 500
"""Orders that are added up here."""
_NOTHING: Final = Decimal("0.00")


@dataclass(frozen=True)
class Excerpt(Generic[R]):
    """The first of a customer's rows of one kind, and how many there are in all."""

    rows: tuple[R, ...]
    total: int

    @property
    def cut(self) -> int:
        """How many are not shown."""
        return self.total - len(self.rows)


@dataclass(frozen=True)
class OrderTotals:
    """Of a customer's live orders that were not cancelled: how many, their amount in yuan, and when the last was."""

    count: int
    amount: Decimal
    last_ordered_at: datetime | None


@dataclass(frozen=True)
class Customer360:
    """A customer and all that is live of them; see :meth:`Overview.customer_360`."""

    customer: Customer
    contacts: Excerpt[Contact]
    card: VipCard | None
    billing_accounts: Excerpt[BillingCustomer]
    open_opportunities: Excerpt[Opportunity]
    open_tasks: Excerpt[Task]
    orders: OrderTotals
    satisfaction: Decimal | None
    timeline: list[Activity]


class Overview(Activities, Feedbacks):
    """The whole view of a customer."""

    def customer_360(self, customer_id: int, n: int = 20) -> Customer360:
        """A customer with contacts, card, accounts, open opportunities and tasks, orders and what happened lately.

        Of each list the first 50 are given, with how many there are: contacts, the primary one first; billing
        accounts by their revenue; opportunities that are neither won nor lost, the last moved first; open tasks, the
        first due first. ``satisfaction`` is that of :meth:`satisfaction`, as of now. Each part is whole and of its own
        moment: what is written meanwhile may be in one part and not yet in another.

        Args:
            n: activities of the timeline, 0 to 1000.

        Raises NotFound where the customer is not there, archived or merged; NotPermitted, InvalidInput.
        """
        checks.whole("n", n, 0, MOST_AT_ONCE)
        customer = self.customer("customer_360", customer_id)
        own = {"customer_id": customer_id}
        cards = self.find(VipCard, own, limit=1)
        return Customer360(
            customer,
            contacts=self._excerpt(Contact, own, ("is_primary DESC", "id")),
            card=cards[0] if cards else None,
            billing_accounts=self._excerpt(BillingCustomer, own, ("arpu_3m DESC", "id")),
            open_opportunities=self._excerpt(
                Opportunity, {**own, "stage": OPEN_STAGES}, ("last_stage_at DESC", "id DESC")
            ),
            open_tasks=self._excerpt(Task, {**own, "status": OPEN_TASKS}, ("due_at", "id")),
            orders=self._order_totals(customer_id),
            satisfaction=self.average_score(customer_id),
            timeline=self.timeline_page(customer_id, limit=n) if n else [],
        )

    def _excerpt(self, model: type[R], where: Mapping[str, object], order_by: Sequence[str]) -> Excerpt[R]:
        rows = self.find(model, where, order_by=order_by, limit=LIST_LIMIT + 1)
        total = len(rows) if len(rows) <= LIST_LIMIT else self._count(model, where)
        return Excerpt(tuple(rows[:LIST_LIMIT]), total)

    def _count(self, model: type[Standard], where: Mapping[str, object]) -> int:
        conditions: list[str] = ["del_token = 0"]
        values: list[object] = []
        for name, value in where.items():
            options = value if isinstance(value, tuple) else (value,)
            conditions.append(f"{name} IN ({', '.join(['%s'] * len(options))})")
            values += options
        sql = f"SELECT COUNT(*) FROM {model.table} WHERE {' AND '.join(conditions)}"  # noqa: S608 - our own names
        return int(str(self.platform.query(sql, values).scalar()))

    def _order_totals(self, customer_id: int) -> OrderTotals:
        where = {"customer_id": customer_id, "del_token": 0}
        orders: list[dict[str, Any]] = self.platform.find(
            SalesOrder.table, where, columns=("status", "amount", "ordered_at"), limit=FEW_ORDERS + 1
        )
        if len(orders) > FEW_ORDERS:
            return self._summed(customer_id)
        counted = [order for order in orders if order["status"] != ORDER_CANCELLED]
        amount = sum((order["amount"] for order in counted), _NOTHING)
        return OrderTotals(len(counted), amount, max((order["ordered_at"] for order in counted), default=None))

    def _summed(self, customer_id: int) -> OrderTotals:
        """The same by MySQL: of many orders it is faster, of few it takes more requests."""
        with self.platform.query(
            "SELECT COUNT(*), SUM(amount), MAX(ordered_at) FROM sales_order"
            " WHERE customer_id = %s AND del_token = 0 AND status <> %s",
            [customer_id, ORDER_CANCELLED],
        ) as result:
            totals: tuple[Any, ...] = result.one()
        count, amount, last_ordered_at = totals
        return OrderTotals(count, amount or _NOTHING, last_ordered_at)
