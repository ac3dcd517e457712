"""Who may do what: a small object that an application passes in, asked before every operation."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from crm_model.entities import Customer
from crm_model.model import Record


@dataclass(frozen=True)
class Actor:
    """Who is at work.

    Attributes:
        operator_id: the operator's ``id``.
        role: what a :class:`RolePolicy` decides by.
        ip: where they work; it goes to the audit entries.
        reason: why; it goes to the audit entries, and has to be free of personal data.
    """

    operator_id: int
    role: str = ""
    ip: str | None = None
    reason: str | None = None


class Policy(Protocol):
    """Asked once for each operation with no row, and again for each customer that it reads or changes.

    It decides by columns of MySQL: the documents of a customer that is only read may be left out.
    """

    def permits(self, actor: Actor, action: str, row: Record | None) -> bool:
        """Whether ``actor`` may do ``action``, a service's name, at all (``row`` None) or to this row."""
        ...


class Everything:
    """Permits everything: for scripts, and applications that check by themselves."""

    def permits(self, actor: Actor, action: str, row: Record | None) -> bool:  # noqa: ARG002
        """True, whatever ``actor``, ``action`` and ``row`` are."""
        return True


@dataclass(frozen=True)
class RolePolicy:
    """What each role may do, and which roles are confined to customers of their own.

    Args:
        actions: the names of services, such as ``merge_customers``, for each role; ``"*"`` stands for all. A role that
            is not there may do nothing.
        own_customers: roles that only reach customers whose owner they are.
    """

    actions: Mapping[str, Collection[str]]
    own_customers: Collection[str] = field(default=())

    def permits(self, actor: Actor, action: str, row: Record | None) -> bool:
        """Whether the role of ``actor`` may do ``action``, and ``row``, where it is a customer, is within its reach."""
        allowed = self.actions.get(actor.role, ())
        if "*" not in allowed and action not in allowed:
            return False
        if isinstance(row, Customer) and actor.role in self.own_customers:
            return row.owner_id == actor.operator_id
        return True
