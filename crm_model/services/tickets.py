"""Tickets: opened, answered, escalated and closed; what is promised of them is in :mod:`crm_model.service_levels`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any, Final

from crm_model import checks
from crm_model.changes import Changes
from crm_model.documents import entries
from crm_model.entities import KbArticle, Operator, Ticket
from crm_model.entities.states import OPEN_TICKETS, TICKET_CLOSED, TICKET_NEW, TICKET_STARTED
from crm_model.errors import NotFound, Refused
from crm_model.model import Json
from crm_model.references import check_reference
from crm_model.service import Service
from crm_model.service_levels import MOST_URGENT, SERVICE_LEVELS, ServiceLevels
from platform_store import Range

MOST_AT_ONCE: Final = 1000

_OVERDUE: Final = "超过承诺时间"


class Tickets(Service):
    """Faults and requests of customers, each worked on until it is closed.

    ``levels`` says what is promised, see :class:`crm_model.service_levels.ServiceLevels`; ``now`` is the present moment
    where it is not given; ``text`` and ``reason`` are kept in what was said and done about the ticket.
    """

    def open_ticket(
        self,
        customer_id: int,
        kind: str,
        description: str,
        *,
        priority: int = 3,
        assignee_id: int | None = None,
        levels: ServiceLevels = SERVICE_LEVELS,
    ) -> Ticket:
        """Opens a ticket; returns it, with its number and when it is due. Each call opens one.

        ``ticket_no`` is T and the ticket's id in eight digits: no two are the same, whoever opens them at the same
        time; but there are gaps, such as where an operation was given up.

        Args:
            assignee_id: who works on it (default: nobody yet; :meth:`ticket_queue` of None has it).

        Raises NotFound where the customer is not there, archived or merged; InvalidInput.
        """

        def work(changes: Changes) -> Ticket:
            changes.customer(customer_id)
            ticket = Ticket(
                ticket_no=changes.trace_id.replace("-", ""),  # its own for now: the id is only known once it is there
                customer_id=customer_id,
                assignee_id=assignee_id,
                kind=kind,
                priority=priority,
                status=TICKET_NEW,
                opened_at=changes.at,
                due_at=levels.due_at(changes.at, priority),
                description=description,
            )
            added = changes.add(ticket)
            return changes.change(added, ticket_no=f"T{added.id:08d}")

        return self.run("open_ticket", work)

    def assign_ticket(self, ticket_id: int, assignee_id: int | None) -> Ticket:
        """Gives an open ticket to an operator, or back to nobody. Raises NotFound; Refused for a closed one."""

        def work(changes: Changes) -> Ticket:
            return changes.change(_open(changes.reached(Ticket, ticket_id)), assignee_id=assignee_id)

        return self.run("assign_ticket", work)

    def reply_to_ticket(self, ticket_id: int, text: str) -> Ticket:
        """Adds to what was said and done; a new ticket is being worked on from then on.

        Raises NotFound; Refused for a closed one.
        """

        def work(changes: Changes) -> Ticket:
            ticket = _open(changes.reached(Ticket, ticket_id))
            return changes.change(ticket, status=TICKET_STARTED, thread=_said(changes, ticket, text))

        return self.run("reply_to_ticket", work)

    def escalate_ticket(self, ticket_id: int, reason: str, *, levels: ServiceLevels = SERVICE_LEVELS) -> Ticket:
        """Asks someone above: the ticket goes to the manager of who has it, where there is one, and up in priority.

        When it is due stays as it was promised. Raises NotFound; Refused for a closed ticket, and for one that was
        escalated as often as the levels permit.
        """

        def work(changes: Changes) -> Ticket:
            ticket = _open(changes.reached(Ticket, ticket_id))
            if ticket.escalation >= levels.most:
                raise Refused(
                    "ticket-escalated",
                    f"ticket {ticket_id} was escalated {ticket.escalation} times: assign it by hand",
                    ticket_id=ticket_id,
                    escalation=ticket.escalation,
                )
            return _escalated(changes, ticket, ticket.escalation + 1, reason)

        return self.run("escalate_ticket", work)

    def close_ticket(self, ticket_id: int, solution: Mapping[str, Json], *, article_id: int | None = None) -> Ticket:
        """Closes a ticket with what solved it. Closed so, it stays as it is.

        Args:
            solution: such as ``{"办法": "更换光猫"}``.
            article_id: the article of the knowledge base that helped.

        Raises NotFound for the ticket or the article; InvalidInput; Refused for one closed with another solution.
        """
        checks.shapes({"solution": solution}, {"solution": checks.is_object})

        def work(changes: Changes) -> Ticket:
            ticket = changes.reached(Ticket, ticket_id)
            if ticket.status == TICKET_CLOSED and (ticket.solution, ticket.article_id) == (solution, article_id):
                return ticket
            if article_id is not None:
                check_reference(changes, "article_id", KbArticle, article_id, ticket.customer_id)
            return changes.change(
                _open(ticket), status=TICKET_CLOSED, closed_at=changes.at, solution=solution, article_id=article_id
            )

        return self.run("close_ticket", work)

    def reopen_ticket(self, ticket_id: int, reason: str, *, levels: ServiceLevels = SERVICE_LEVELS) -> Ticket:
        """Takes a closed ticket up again, with the same time as a new one; one that is open stays as it is.

        The solution that did not hold stays until there is another. Raises NotFound.
        """

        def work(changes: Changes) -> Ticket:
            ticket = changes.reached(Ticket, ticket_id)
            if ticket.status != TICKET_CLOSED:
                return ticket
            return changes.change(
                ticket,
                status=TICKET_STARTED,
                closed_at=None,
                due_at=levels.due_at(changes.at, ticket.priority),
                escalation=0,
                thread=_said(changes, ticket, reason),
            )

        return self.run("reopen_ticket", work)

    def ticket_queue(self, assignee_id: int | None, limit: int = 50) -> list[Ticket]:
        """What an operator has to work on, or (None) nobody has taken: the most urgent first, then the first due.

        Left out are tickets of customers that are archived, and that the policy keeps from the actor.

        Args:
            limit: 1 to 1000 tickets.
        """
        self.check("ticket_queue")
        checks.whole("limit", limit, 1, MOST_AT_ONCE)
        where = {"assignee_id": assignee_id, "status": OPEN_TICKETS}
        tickets = self.stream(Ticket, where, order_by=("priority", "due_at"))
        return [*islice(self.within_reach("ticket_queue", tickets), limit)]

    def overdue(self, now: datetime | None = None, limit: int = 100) -> list[Ticket]:
        """The open tickets that were due before now, the longest overdue first; otherwise as :meth:`ticket_queue`."""
        self.check("overdue")
        checks.whole("limit", limit, 1, MOST_AT_ONCE)
        return [*islice(self.within_reach("overdue", self._overdue(self._moment(now))), limit)]

    def escalate_overdue(self, now: datetime | None = None, *, levels: ServiceLevels = SERVICE_LEVELS) -> list[Ticket]:
        """Escalates every open ticket that has been overdue for long enough, up to where it has to be by now.

        To be called regularly: the same call again finds nothing left to do, from wherever it was interrupted. Returns
        those that it has escalated, each in a transaction of its own.
        """
        self.check("escalate_overdue")
        moment = self._moment(now)
        found = self.within_reach("escalate_overdue", self._overdue(moment))
        late = (ticket for ticket in found if _behind(ticket, moment, levels))
        escalated = (self._escalate(ticket.id, moment, levels) for ticket in late)
        return [ticket for ticket in escalated if ticket is not None]

    def _escalate(self, ticket_id: int, now: datetime, levels: ServiceLevels) -> Ticket | None:
        """The ticket, or None where it is not open and overdue any more."""

        def work(changes: Changes) -> Ticket | None:
            try:
                ticket = changes.reached(Ticket, ticket_id)
            except NotFound:
                return None
            if ticket.status not in OPEN_TICKETS or not _behind(ticket, now, levels):
                return None
            for level in range(ticket.escalation + 1, levels.escalation(ticket.due_at, now) + 1):
                ticket = _escalated(changes, ticket, level, _OVERDUE)
            return ticket

        return self.run("escalate_overdue", work)

    def _overdue(self, now: datetime) -> Iterator[Ticket]:
        # A range of the index for each status is in order; one of both would have to be sorted as a whole.
        due = (
            self.stream(Ticket, {"status": status, "due_at": Range(lt=now)}, order_by=("due_at",))
            for status in OPEN_TICKETS
        )
        return merge(*due, key=lambda ticket: (ticket.due_at, ticket.id))

    def _moment(self, now: datetime | None) -> datetime:
        return self.clock() if now is None else checks.moment("now", now)


def _open(ticket: Ticket) -> Ticket:
    if ticket.status not in OPEN_TICKETS:
        raise Refused(
            "ticket-closed",
            f"ticket {ticket.id} is {ticket.status}; reopen it first",
            ticket_id=ticket.id,
            status=ticket.status,
        )
    return ticket


def _behind(ticket: Ticket, now: datetime, levels: ServiceLevels) -> bool:
    return ticket.escalation < levels.escalation(ticket.due_at, now)


def _escalated(changes: Changes, ticket: Ticket, level: int, reason: str) -> Ticket:
    return changes.change(
        ticket,
        escalation=level,
        priority=max(ticket.priority - 1, MOST_URGENT),
        assignee_id=_above(changes, ticket.assignee_id),
        thread=_said(changes, ticket, f"升级:{reason}"),
    )


def _above(changes: Changes, assignee_id: int | None) -> int | None:
    """The manager of an operator; themselves where there is none."""
    row = None if assignee_id is None else changes.tx.read(Operator.table, assignee_id)
    manager = None if row is None else Operator.of(row).manager_id
    return assignee_id if manager is None else manager


def _said(changes: Changes, ticket: Ticket, text: str) -> list[Any]:
    said = {"at": changes.at.isoformat(), "by": changes.actor.operator_id, "text": text}
    return [*entries(ticket.thread), said]
