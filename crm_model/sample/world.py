"""What several tables have to agree about."""

from __future__ import annotations

from array import array
from datetime import datetime
from typing import TypeAlias

from crm_model.sample.draw import Draw, zipf
from crm_model.sample.sizes import BUSY_CUSTOMER, TIMELINE_ACTIVITIES, TIMELINE_CUSTOMER, Size

Row: TypeAlias = dict[str, object]

OPERATORS = 40
OPERATORS_AT_WORK = zipf(OPERATORS, 0.8)
CONTACTED = 0.85
"""Customers that have any activity."""
MOST_ACTIVITIES = 400
"""Of a customer, but for the busy one."""

_OWNERS, _COUNTS, _ORDER = 200, 201, 202
_PARETO, _LEAST = 1.15, 3


class World:
    """Who owns each customer, and whose each activity is. Some bytes for each row.

    The first customers and activities are planted ones; nothing that is drawn refers to them.
    """

    def __init__(self, size: Size, planted_customers: int, planted_activities: int):
        self.size, self.planted_customers, self.planted_activities = size, planted_customers, planted_activities
        draw = Draw(_OWNERS)
        self.owners = array("B", (draw.pick(OPERATORS_AT_WORK) for _ in range(size.customers + 1)))
        self.activity_customers = _activity_customers(size, planted_customers, size.activities - planted_activities)

    def customer(self, draw: Draw) -> int:
        """Any customer that is not a planted one."""
        return draw.whole(self.planted_customers + 1, self.size.customers)

    def activity(self, draw: Draw) -> tuple[int, int]:
        """Any activity that is not a planted one, and its customer: busy customers come more often."""
        index = int(draw.random() * len(self.activity_customers))
        return self.planted_activities + 1 + index, self.activity_customers[index]

    def operator(self, draw: Draw, customer: int) -> int:
        """Mostly the customer's owner."""
        return self.owners[customer] if draw.random() < 0.85 else draw.pick(OPERATORS_AT_WORK)


def standard(created: datetime, updated: datetime | None = None, *, del_token: int = 0, version: int = 1) -> Row:
    """The standard columns of a row."""
    return {"created_at": created, "updated_at": updated or created, "del_token": del_token, "version": version}


def _activity_customers(size: Size, planted: int, total: int) -> array[int]:
    """The customer of each activity in order of time."""
    counts = _counts(size, planted, total)
    customers = array("I", (customer for customer, count in enumerate(counts) for _ in range(count)))
    Draw(_ORDER).source.shuffle(customers)
    return customers


def _counts(size: Size, planted: int, total: int) -> array[int]:
    """How many activities each customer has: a few have many, and together they have ``total``."""
    draw = Draw(_COUNTS)
    fixed = {BUSY_CUSTOMER: size.busy_activities, TIMELINE_CUSTOMER: TIMELINE_ACTIVITIES}
    counts = array("I", bytes(4 * (size.customers + 1)))
    for customer in range(planted + 1, size.customers + 1):
        if customer in fixed:
            counts[customer] = fixed[customer]
        elif draw.random() < CONTACTED:
            counts[customer] = min(int(_LEAST * draw.source.paretovariate(_PARETO)), MOST_ACTIVITIES)
    missing = total - sum(counts)
    step = 1 if missing > 0 else -1
    while missing:
        customer = draw.whole(planted + 1, size.customers)
        if customer not in fixed and 1 < counts[customer] < MOST_ACTIVITIES:
            counts[customer] += step
            missing -= step
    return counts
