"""Deleting rows, one by key or a key range, from both stores."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from platform_store.association import Association
from platform_store.catalog import Catalog
from platform_store.journal import Journal
from platform_store.records import Key
from platform_store.stores.base import RowStore
from platform_store.stores.documents import DocumentStore
from platform_store.unit import Unit

T = TypeVar("T")


class Deleter:
    """``delete`` and ``delete_range`` over one pair of stores."""

    def __init__(self, rows: RowStore, documents: DocumentStore, catalog: Catalog, journal: Journal):
        self._rows, self._documents, self._catalog, self._journal = rows, documents, catalog, journal

    def delete(self, table: str, key: Key) -> bool:
        """Deletes one row; see :meth:`Platform.delete`."""

        def operation(association: Association) -> bool:
            wanted = association.check_key(key)
            return self._within(association, lambda unit: unit.delete(association, wanted))

        return self._catalog.run(table, operation)

    def delete_range(self, table: str, start: Key | None, stop: Key | None) -> int:
        """Deletes a key range, all of it or nothing; see :meth:`Platform.delete_range`."""

        def operation(association: Association) -> int:
            first = None if start is None else association.check_key(start)
            last = None if stop is None else association.check_key(stop)
            return self._within(association, lambda unit: unit.delete_range(association, first, last))

        return self._catalog.run(table, operation)

    def _within(self, association: Association, change: Callable[[Unit], T]) -> T:
        with self._rows.transaction() as transaction:
            transaction.fence(association)
            unit = Unit(transaction, self._documents, self._journal)
            done = change(unit)
            unit.commit()
        self._journal.apply(unit.entries)
        return done
