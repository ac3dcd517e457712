"""The associations as this process knows them, and how it notices that another process changed one.

Every statement of an operation carries the epoch it was made for; a store that finds another raises
:class:`~platform_store.stores.base.StaleAssociation`, and the operation runs again with the association loaded anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from platform_store.association import Association
from platform_store.attempts import retried
from platform_store.errors import Diverged, SchemaError, TransientError, ValueRejected
from platform_store.names import check_table_name
from platform_store.stores.base import RowStore, StaleAssociation

T = TypeVar("T")

_ATTEMPTS = 8

_NOT_LIVE = {
    "creating": "its creation is under way, or was interrupted: create_table() again finishes it",
    "adopting": "its adoption was interrupted: associate() again finishes it",
    "discarding": "its documents are being discarded: drop_collection() again finishes it",
    "dropping": "it is being dropped: drop_table() again finishes it",
}


def not_live(association: Association) -> SchemaError:
    """Why a table cannot be used, and what to do."""
    return SchemaError(_NOT_LIVE[association.state], table=association.name)


class Catalog:
    """Associations by table name. Safe between threads: entries are immutable and replaced whole."""

    def __init__(self, rows: RowStore):
        self._rows = rows
        self._known = {association.name: association for association in rows.load_catalog()}

    def all(self) -> list[Association]:
        """Every association, read anew."""
        self._known = {association.name: self._kept(association) for association in self._rows.load_catalog()}
        return list(self._known.values())

    def find(self, table: str) -> Association | None:
        """The association as last known, else as the catalog has it now, whatever its state."""
        return self._known.get(table) or self.reload(check_table_name(table))

    def get(self, table: str) -> Association:
        """The live association of a table. Raises SchemaError."""
        association = self.find(table)
        if association is not None and association.state != "live":
            association = self.reload(table)
        if association is None:
            raise SchemaError("there is no such table in association: create_table() or associate()", table=table)
        if association.state != "live":
            raise not_live(association)
        return association

    def reload(self, table: str) -> Association | None:
        """Reads one table's association anew."""
        found = self._rows.load_catalog(table)
        if found:
            association = self._known[table] = self._kept(found[0])
            return association
        self._known.pop(table, None)
        return None

    def _kept(self, association: Association) -> Association:
        """The one at hand where nothing has changed: what is remembered of it is then found by identity."""
        known = self._known.get(association.name)
        return known if known is not None and known == association else association

    def forget(self, table: str) -> None:
        self._known.pop(table, None)

    def run(self, table: str, operation: Callable[[Association], T]) -> T:
        """Runs ``operation`` with the table's association, again with a newer one as long as the catalog moves on.

        ``operation`` raises StaleAssociation, SchemaError and ValueRejected before it has any effect, so that running
        it again is harmless.
        """
        association = self.get(table)
        for _ in range(_ATTEMPTS):
            try:
                return operation(association)
            except StaleAssociation as stale:
                association = self._newer(association, stale)
                retried()
            except (SchemaError, ValueRejected):
                # What an older definition refuses, the current one may take.
                if not self._outdated(association):
                    raise
                association = self.get(table)
                retried()
        raise TransientError(self._rows.name, f"the definition of table {table!r} keeps changing")

    def _outdated(self, association: Association) -> bool:
        fresh = self.reload(association.name)
        return fresh is not None and not _same(fresh, association)

    def _newer(self, association: Association, stale: StaleAssociation) -> Association:
        self.reload(association.name)
        fresh = self.get(association.name)
        if _same(fresh, association):
            # MySQL's table is ahead of its catalog row: a change is under way, and its end is waited for.
            with self._rows.schema_lock():
                pass
            self.reload(association.name)
            fresh = self.get(association.name)
            if _same(fresh, association):
                raise Diverged.of_table(stale, association.name)
        return fresh


def _same(one: Association, other: Association) -> bool:
    return (one.table_id, one.epoch) == (other.table_id, other.epoch)
