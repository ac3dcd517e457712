"""What is promised for tickets, and when someone above is asked: declared as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from crm_model.errors import InvalidInput

MOST_URGENT: Final = 1


@dataclass(frozen=True)
class ServiceLevels:
    """Times run on nights and holidays, too.

    Args:
        due_after: for each priority, how long after it was opened a ticket is due.
        escalate_every: an overdue ticket is escalated at once, and once more each time so long has gone by.
        most: how many times at most.
    """

    due_after: Mapping[int, timedelta]
    escalate_every: timedelta
    most: int

    def due_at(self, opened_at: datetime, priority: int) -> datetime:
        """When a ticket is due. Raises InvalidInput for a priority that nothing is promised for."""
        if priority not in self.due_after:
            raise InvalidInput(
                "priority",
                "not-a-choice",
                f"give one of {sorted(self.due_after)}; 1 is the most urgent",
                choices=sorted(self.due_after),
            )
        return opened_at + self.due_after[priority]

    def escalation(self, due_at: datetime, now: datetime) -> int:
        """How many times a ticket that is open has to have been escalated by now."""
        return 0 if now <= due_at else min(1 + (now - due_at) // self.escalate_every, self.most)


SERVICE_LEVELS: Final = ServiceLevels(
    due_after=MappingProxyType(
        {1: timedelta(hours=4), 2: timedelta(hours=8), 3: timedelta(days=1), 4: timedelta(days=3)}
    ),
    escalate_every=timedelta(days=1),
    most=3,
)
"""What is promised where nothing else is said."""
