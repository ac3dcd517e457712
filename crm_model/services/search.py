"""Finding customers by what people know of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from crm_model import checks
from crm_model.entities import Customer
from crm_model.errors import InvalidInput
from crm_model.names import name_key, phone_key
from crm_model.service import FACTS, Service

MOST_AT_ONCE = 1000
"""Customers of one page."""
_READ_AT_ONCE = 500
_FEWEST_DIGITS = 3


@dataclass(frozen=True)
class CustomerPage:
    """Customers, the newest first. ``newer``, ``older``: whether there are more before the first, after the last.

    Of each customer the columns of MySQL are there; the documents are not read, and None.
    """

    customers: tuple[Customer, ...]
    newer: bool
    older: bool


class Search(Service):
    """Lists of customers."""

    def search_customers(
        self,
        text: str = "",
        *,
        kind: str | None = None,
        status: str | None = None,
        vip_level: int | None = None,
        owner_id: int | None = None,
        after: int | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> CustomerPage:
        """A page of the live customers that the policy lets the actor see, the newest (by id) first.

        The next page is ``after=page.customers[-1].id``, the one before is ``before=page.customers[0].id``: what is
        added meanwhile moves no page, and a page costs the same at any depth. Where few customers have what is looked
        for, MySQL looks at all that the owner leaves: some 0.3 s for 100,000.

        Args:
            text: part of the name (as :func:`crm_model.names.name_key` has it), of ``cust_no``, or of the phone number,
                three digits at least. Empty: all.
            after, before: the id of a customer; only those older, newer than it. Not both.
            limit: 1 to 1000 customers.

        Raises NotPermitted, InvalidInput.
        """
        self.check("search_customers")
        checks.whole("limit", limit, 1, MOST_AT_ONCE)
        if after is not None and before is not None:
            raise InvalidInput("before", "one-or-the-other", "give after or before, not both", other="after")
        conditions, values = _found_by(text)
        for column, value in (("kind", kind), ("status", status), ("vip_level", vip_level), ("owner_id", owner_id)):
            if value is not None:
                conditions.append(f"{column} = %s")
                values.append(value)
        start, newest_first = (before, False) if before is not None else (after, True)
        seen = self._customers_seen(conditions, values, start, limit + 1, newest_first=newest_first)
        found = [*islice(seen, limit + 1)]
        more, customers = len(found) > limit, found[:limit]
        if newest_first:
            return CustomerPage(tuple(customers), newer=after is not None, older=more)
        return CustomerPage(tuple(reversed(customers)), newer=more, older=True)

    def _customers_seen(
        self,
        conditions: Sequence[str],
        values: Sequence[object],
        start: int | None,
        at_once: int,
        *,
        newest_first: bool,
    ) -> Iterator[Customer]:
        sign, order = ("<", "DESC") if newest_first else (">", "ASC")
        while True:
            beyond, place = ([], []) if start is None else ([f"id {sign} %s"], [start])
            where = " AND ".join(["del_token = 0", *conditions, *beyond])
            sql = f"SELECT {', '.join(FACTS)} FROM customer WHERE {where} ORDER BY id {order} LIMIT {at_once}"  # noqa: S608 - our own names
            some = [Customer.of(dict(zip(FACTS, row, strict=True))) for row in self.answers(sql, [*values, *place])]
            yield from (one for one in some if self.policy.permits(self.actor, "search_customers", one))
            if len(some) < at_once:
                return
            # The policy keeps some from the actor, perhaps most: more are read at a time.
            start, at_once = some[-1].id, _READ_AT_ONCE


def _found_by(text: str) -> tuple[list[str], list[object]]:
    text = text.strip()
    if not text:
        return [], []
    looked_for = {("cust_no", text), ("cust_no", text.upper())}
    if name := name_key(text):
        looked_for.add(("name_key", name))
    phone = phone_key(text)
    if phone and len(phone) >= _FEWEST_DIGITS:
        looked_for.add(("phone_key", phone))
    ordered = sorted(looked_for)
    return [f"({' OR '.join(f'{column} LIKE %s' for column, _ in ordered)})"], [_within(part) for _, part in ordered]


def _within(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
