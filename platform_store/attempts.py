"""The operation that a thread is at, for those who tell of it: that it is repeated, and what it asks of the stores.

Only telemetry makes one (see :mod:`platform_store.telemetry`). Elsewhere there is none, and nobody is told anything.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol


class Request(Protocol):
    """One request to a store, from when it is sent until it is answered."""

    def end(self, *, rows: int | None = None, error: str | None = None, code: int | None = None) -> None:
        """Says what came of it. ``error``: the name of a class; ``code``: the server's number of it."""


class Operation(Protocol):
    """One call of the library."""

    def retried(self) -> None:
        """A part of it is done again."""

    def request(self, system: str, does: str, collection: str | None = None, statements: int = 1) -> Request | None:
        """Something is asked of a store. None where nobody wants to know what comes of it.

        Args:
            system: "mysql", "mariadb" or "mongodb".
            does: what, in words of the store's language that hold no value: ``SELECT``, ``find``.
        """


under_way: ContextVar[Operation | None] = ContextVar("platform_store_under_way", default=None)


def retried() -> None:
    """Tells the operation under way that a part of it is done again. Called where that happens, and only then."""
    operation = under_way.get()
    if operation is not None:
        operation.retried()
