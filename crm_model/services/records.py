"""What every kind of row has: it is added, edited, archived and restored."""

from __future__ import annotations

from typing import Any, TypeVar

from crm_model.changes import Changes
from crm_model.model import Standard
from crm_model.service import Service
from platform_store import Conflict

S = TypeVar("S", bound=Standard)


class Records(Service):
    """Rows of any entity."""

    def add(self, record: S) -> S:
        """Adds a row; returns it with its ``id``.

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
            version: the one that the editor has seen. Raises platform_store.Conflict where it is another by now.
        """

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
