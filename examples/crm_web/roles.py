"""The roles, and what each may do: the names of services of :class:`crm_model.Crm`."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from crm_model import RolePolicy


class Role(StrEnum):
    """sales: 客户经理, whose customers are their own; manager: 主管; service: 客服."""

    SALES = "sales"
    MANAGER = "manager"
    SERVICE = "service"


_EVERYONE: Final = frozenset(
    {
        "search_customers",
        "customer_360",
        "timeline",
        "satisfaction",
        "record_feedback",
        "latest_feedback",
        "resolve_feedback",
        "log_care",
        "due_reminders",
        "complete_task",
        "snooze_task",
    }
)

OTHERS_TASKS: Final = "close_tasks_of_others"
"""An action of these pages alone: to complete or put off a task that somebody else has to do."""

POLICY: Final = RolePolicy(
    {
        Role.SALES: _EVERYONE | {"add", "edit", "log_visit", "find_duplicates", "rfm", "churn_risk"},
        Role.MANAGER: {"*"},
        Role.SERVICE: _EVERYONE,
    },
    own_customers=[Role.SALES],
)
