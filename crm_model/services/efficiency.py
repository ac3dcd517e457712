"""How operators work: how much they do, what of it in time, and how long it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from crm_model import checks
from crm_model.entities import Operator
from crm_model.entities.states import TASK_DONE, TICKET_CLOSED, VISIT
from crm_model.service import Service

_ACTIVE: Final = """SELECT operator_id, COUNT(*) FROM activity
WHERE del_token = 0 AND occurred_at >= %s AND occurred_at < %s GROUP BY operator_id"""
_VISITED: Final = """SELECT operator_id, COUNT(*), COUNT(duration_min), SUM(duration_min) FROM activity
WHERE kind = %s AND del_token = 0 AND occurred_at >= %s AND occurred_at < %s GROUP BY operator_id"""
_DONE: Final = """SELECT assignee_id, created_at, due_at, done_at FROM task
WHERE status = %s AND del_token = 0 AND done_at >= %s AND done_at < %s"""
_CLOSED: Final = """SELECT assignee_id, opened_at, due_at, closed_at FROM ticket
WHERE status = %s AND del_token = 0 AND closed_at >= %s AND closed_at < %s"""


@dataclass(frozen=True)
class Finished:
    """Tasks or tickets that were finished in a period: how many, how many of them when they were due or before."""

    count: int = 0
    in_time: int = 0
    took: timedelta = timedelta(0)
    """All of them together, each from when it was made or opened."""

    @property
    def average(self) -> timedelta | None:
        """How long one took on average, nights and holidays included; None without any."""
        return self.took / self.count if self.count else None

    @property
    def in_time_part(self) -> float | None:
        """The part that was in time, 0 to 1; None without any."""
        return self.in_time / self.count if self.count else None


@dataclass(frozen=True)
class Efficiency:
    """An operator's work in a period.

    activities: of every kind, visits among them; visit_minutes: how long a visit took on average, None where none
    says; tasks: assigned to them and done then; tickets: that they had when these were closed. name: None where there
    is no such operator.
    """

    operator_id: int
    name: str | None
    activities: int = 0
    visits: int = 0
    visit_minutes: float | None = None
    tasks: Finished = field(default_factory=Finished)
    tickets: Finished = field(default_factory=Finished)


class Efficiencies(Service):
    """Figures over operators."""

    def operator_efficiency(self, start: datetime, stop: datetime) -> list[Efficiency]:
        """Every operator at work, and any other with something to show, in order of their ids.

        Activities count by when they occurred, tasks by when they were done and tickets by when they were closed, as
        they are now: a ticket that was reopened since is not closed. What nobody was assigned to is nobody's. Memory is
        that of the operators; tasks and tickets of the period are streamed.

        Args:
            start, stop: the period; ``start`` is part of it, ``stop`` is not.

        The policy is asked once: the figures are of everybody. Raises NotPermitted, InvalidInput.
        """
        self.check("operator_efficiency")
        begin, end = checks.period(start, stop)
        active: dict[int, int] = dict(self.answers(_ACTIVE, [begin, end]))
        visited = {
            operator: (count, float(minutes) / told if told else None)
            for operator, count, told, minutes in self.answers(_VISITED, [VISIT, begin, end])
        }
        tasks = self._finished(_DONE, [TASK_DONE, begin, end])
        tickets = self._finished(_CLOSED, [TICKET_CLOSED, begin, end])
        known = {one.id: one for one in self.find(Operator, {}, archived=True)}
        at_work = {one.id for one in known.values() if not one.archived}
        return [
            Efficiency(
                number,
                known[number].name if number in known else None,
                active.get(number, 0),
                *visited.get(number, (0, None)),
                tasks.get(number, Finished()),
                tickets.get(number, Finished()),
            )
            for number in sorted(at_work.union(active, tasks, tickets))
        ]

    def _finished(self, sql: str, given: Sequence[object]) -> dict[int, Finished]:
        found: dict[int, Finished] = {}
        for operator, begun, due, finished in self.answers(sql, given):
            if operator is not None:
                before = found.get(operator, Finished())
                found[operator] = Finished(
                    before.count + 1, before.in_time + (finished <= due), before.took + (finished - begun)
                )
        return found
