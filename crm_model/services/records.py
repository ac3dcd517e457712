"""What every kind of row has: it is added, edited, archived and restored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeVar

from crm_model.changes import Changes
from crm_model.errors import InvalidInput
from crm_model.model import Standard
from crm_model.service import Service
from platform_store import Conflict

S = TypeVar("S", bound=Standard)

_SEEN_TO: Final = frozenset({"id", "del_token", "updated_at"})


class Records(Service):
    """Rows of any entity. ``model`` is its class, such as :class:`Customer`, and ``key`` the ``id`` of the row."""

    def add(self, record: S) -> S:
        """Adds a ``record`` as a row; returns it with its ``id``.

        Raises NotFound where it is a customer's that is not there, platform_store.Conflict where its natural key is
        taken, platform_store.ValueRejected for a value that its column does not take.
        """

        def work(changes: Changes) -> S:
            customer_id = getattr(record, "customer_id", None)
            if customer_id is not None:
                changes.customer(customer_id)
            return changes.add(record)

        return self.run("add", work)

    def edit(self, model: type[S], key: int, *, version: int | None = None, **columns: Any) -> S:
        """Sets columns of a row; returns it as it is now.

        Args:
            version: the one that the editor has seen.
            columns: their new values. What the services see to cannot be set: ``id``, ``del_token``, ``updated_at``,
                and columns that follow from others.

        Raises:
            NotFound: there is no such row, or it is archived.
            InvalidInput: a column cannot be set, or is not there.
            platform_store.Conflict: the version is another by now, or the natural key is taken.
            platform_store.ValueRejected: a value that its column does not take.
        """
        _check_settable(model, columns)

        def work(changes: Changes) -> S:
            row = changes.reached(model, key)
            if version not in (None, row.version):
                raise Conflict(
                    f"it was changed meanwhile: version {row.version}, not {version}; read it again",
                    table=model.table,
                    key=key,
                )
            return changes.change(row, **columns)

        return self.run("edit", work)

    def archive(self, model: type[S], key: int) -> S:
        """Takes a row out of everything but :meth:`restore`; its natural key is free for another. Raises NotFound."""
        return self.run("archive", lambda changes: changes.archive(changes.reached(model, key)))

    def restore(self, model: type[S], key: int) -> S:
        """Brings an archived row back; one that is not archived stays as it is.

        Raises NotFound; platform_store.Conflict where its natural key is taken meanwhile; Refused for a customer that
        was merged (undo that) or purged.
        """
        return self.run("restore", lambda changes: changes.restore(changes.reached(model, key, archived=True)))


def _check_settable(model: type[Standard], columns: Iterable[str]) -> None:
    for name in columns:
        if name not in model.fields:
            raise InvalidInput(name, "not-a-column", f"{model.table} has no such column", table=model.table)
        if name in model.derivations:
            raise InvalidInput(
                name,
                "derived",
                f"it follows from {model.derivations[name].source}; set that",
                source=model.derivations[name].source,
            )
        if name in _SEEN_TO:
            raise InvalidInput(name, "kept-by-services", "the services see to it; leave it out")
