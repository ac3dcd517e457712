"""What is to be done: reminders, and what becomes of a task."""

from __future__ import annotations

from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Final

from crm_model import checks
from crm_model.changes import Changes
from crm_model.entities import Task
from crm_model.entities.states import OPEN_TASKS, TASK_DONE
from crm_model.errors import InvalidInput, Refused
from crm_model.service import Service
from platform_store import Range

MOST_AT_ONCE: Final = 1000


class Tasks(Service):
    """Tasks that operators are reminded of, complete or put off."""

    def due_reminders(
        self, now: datetime | None = None, limit: int = 100, *, assignee_id: int | None = None
    ) -> list[Task]:
        """The open tasks whose time to remind has come, the earliest first; those of one moment by their id.

        Left out are those of customers that are archived, and that the policy keeps from the actor. An application
        reminds, and then calls :meth:`snooze_task` or :meth:`complete_task`: until then the task stays here.

        Args:
            now: the present moment where it is not given; ``remind_at`` at it is due.
            limit: 1 to 1000 tasks.
            assignee_id: only those of this operator.

        Raises NotPermitted, InvalidInput.
        """
        self.check("due_reminders")
        moment = self.clock() if now is None else checks.moment("now", now)
        checks.whole("limit", limit, 1, MOST_AT_ONCE)
        # A range of the index for each status is in order; one of both would have to be sorted as a whole.
        whose = {} if assignee_id is None else {"assignee_id": assignee_id}
        due = (
            self.stream(Task, {**whose, "status": status, "remind_at": Range(le=moment)}, order_by=("remind_at",))
            for status in OPEN_TASKS
        )
        return [*islice(self.within_reach("due_reminders", merge(*due, key=_when)), limit)]

    def complete_task(self, task_id: int) -> Task:
        """Marks an open task as done; one that is done stays as it is.

        Raises NotFound; NotPermitted; Refused for one that was cancelled.
        """

        def work(changes: Changes) -> Task:
            task = changes.reached(Task, task_id)
            if task.status == TASK_DONE:
                return task
            return changes.change(_open(task), status=TASK_DONE, done_at=changes.at)

        return self.run("complete_task", work)

    def snooze_task(self, task_id: int, until: datetime) -> Task:
        """Puts the reminder of an open task off; when it is due stays as it is.

        Args:
            until: when to remind again, later than now; to the millisecond.

        Raises NotFound; NotPermitted; InvalidInput; Refused for one that is done or was cancelled.
        """
        moment = checks.moment("until", until)

        def work(changes: Changes) -> Task:
            if moment <= changes.at:
                raise InvalidInput("until", "not-in-the-future", "is not later than now")
            return changes.change(_open(changes.reached(Task, task_id)), remind_at=moment)

        return self.run("snooze_task", work)


def _when(task: Task) -> tuple[datetime, int]:
    assert task.remind_at is not None, "it is in a range of them"
    return task.remind_at, task.id


def _open(task: Task) -> Task:
    if task.status not in OPEN_TASKS:
        raise Refused(
            "task-closed",
            f"task {task.id} is not open any more but {task.status}; add a new one",
            task_id=task.id,
            status=task.status,
        )
    return task
