"""What all services stand on: the platform, who is at work, what they may do, and what time it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final, Self, TypeVar

from crm_model import checks, column
from crm_model.changes import Changes
from crm_model.entities import Customer
from crm_model.errors import NotFound, NotPermitted
from crm_model.model import Record
from crm_model.policy import Actor, Everything, Policy
from platform_store import Platform, Transaction

T = TypeVar("T")
R = TypeVar("R", bound=Record)

FACTS: Final = tuple(column.name for column in Customer.declaration.mysql_columns)
"""Of a customer, for those who ask whether it is live and permitted."""

BATCH: Final = 200
"""Rows that are read at once where many are gone through."""


class Service:
    """The common part of the services, each of which can be used alone; :class:`crm_model.Crm` is all of them.

    An application writes services of its own with the methods below. They are the ground that services stand on: only
    :meth:`check`, :meth:`customer`, :meth:`run` and :meth:`within_reach` ask the policy, and ``action`` is the name of
    the service, which they ask it for. ``model`` is the class of an entity, such as :class:`Customer`.

    Args:
        platform: an open platform with the tables of the CRM (:func:`crm_model.install`).
        actor: who is at work; their ``id`` alone will do.
        policy: who may do what; None permits everything.
        clock: gives the present moment, in UTC unless it says its zone.
    """

    def __init__(
        self,
        platform: Platform,
        actor: Actor | int,
        *,
        policy: Policy | None = None,
        clock: Callable[[], datetime] = column.now,
    ):
        self.platform = platform
        self.actor = actor if isinstance(actor, Actor) else Actor(actor)
        self.policy: Policy = policy or Everything()
        self._clock = clock

    def clock(self) -> datetime:
        """The present moment as the columns hold it: in UTC without saying so, to the millisecond."""
        return checks.moment("clock", self._clock())

    def acting(self, actor: Actor | int) -> Self:
        """The same services for another operator: ``actor``, or their ``id``."""
        return type(self)(self.platform, actor, policy=self.policy, clock=self._clock)

    def run(self, action: str, work: Callable[[Changes], T], *, at: datetime | None = None) -> T:
        """Runs ``work`` as one operation: a transaction with its audit entries, tried again after a deadlock.

        Args:
            action: the service's name, for the policy and the audit.
            work: has no effect but through what it is given; it may run several times.
            at: the moment of the operation, where it is not the present.

        Returns what ``work`` returns. Raises NotPermitted; TransientError after ten attempts; what ``work`` raises, and
        then nothing was written.
        """
        self.check(action)
        moment = at or self.clock()

        def attempt(tx: Transaction) -> T:
            changes = Changes(tx, self.actor, self.policy, action, moment)
            result = work(changes)
            changes.write_audit()
            return result

        return self.platform.run_transaction(attempt)

    def check(self, action: str, row: Record | None = None) -> None:
        """Raises NotPermitted where the policy says no, to the action as a whole or for one ``row``."""
        if not self.policy.permits(self.actor, action, row):
            table, key = (row.table, row.id) if row is not None else (None, None)
            raise NotPermitted(self.actor.operator_id, action, table, key)

    def customer(self, action: str, customer_id: int, *, documents: bool = True) -> Customer:
        """A live customer that the actor may do this to, for reading. Raises NotFound, NotPermitted.

        ``documents``: with what MongoDB holds of it; without, it is one request less.
        """
        found = self.platform.read(Customer.table, customer_id, columns=None if documents else FACTS)
        if found is None:
            raise NotFound(Customer.table, customer_id)
        customer = Customer.of(found)
        if customer.archived:
            raise NotFound(Customer.table, customer_id, archived=True, merged_into=customer.merged_into)
        self.check(action, customer)
        return customer

    def find(
        self,
        model: type[R],
        where: Mapping[str, object],
        *,
        order_by: Sequence[str] = ("id",),
        after: Mapping[str, object] | None = None,
        limit: int | None = None,
        archived: bool = False,
    ) -> list[R]:
        """The live rows that meet conditions on columns of MySQL, whoever is at work: the policy is not asked.

        As :meth:`platform_store.Platform.find`, which says what the conditions and the order may be.

        Args:
            archived: archived rows, too.
        """
        conditions = {**where} if archived or model.declaration.append_only else {"del_token": 0, **where}
        found = self.platform.find(model.table, conditions, order_by=order_by, after=after, limit=limit)
        return [model.of(row) for row in found]

    def stream(self, model: type[R], where: Mapping[str, object], *, order_by: Sequence[str] = ("id",)) -> Iterator[R]:
        """All rows that :meth:`find` finds, in pages, as of the moment of each; memory is that of a page.

        As :meth:`find`. ``order_by``: columns that are never NULL.
        """
        names = [*(name.removesuffix(" DESC") for name in order_by), "id"]
        after: Mapping[str, object] | None = None
        while page := self.find(model, where, order_by=order_by, after=after, limit=BATCH):
            yield from page
            if len(page) < BATCH:
                return
            after = {name: getattr(page[-1], name) for name in names}

    def answers(self, sql: str, given: Sequence[object]) -> Iterator[tuple[Any, ...]]:
        """Streams the rows of a SELECT, which it is to be read to the end; the policy is not asked.

        As :meth:`platform_store.Platform.query`: ``sql`` and ``given``, its parameters.
        """
        with self.platform.query(sql, given) as result:
            yield from result

    def within_reach(self, action: str, rows: Iterable[R]) -> Iterator[R]:
        """Of ``rows`` that belong to customers, those whose customer is live and permitted, and those of nobody."""
        remaining = iter(rows)
        while some := list(islice(remaining, BATCH)):
            ids = sorted({customer for row in some if (customer := _customer_of(row)) is not None})
            found = self.platform.read_many(Customer.table, ids, columns=FACTS)
            customers = [Customer.of(row) for row in found if row is not None]
            reached = {one.id for one in customers if not one.archived and self.policy.permits(self.actor, action, one)}
            yield from (row for row in some if _customer_of(row) is None or _customer_of(row) in reached)


def _customer_of(row: Record) -> int | None:
    return getattr(row, "customer_id", None)
