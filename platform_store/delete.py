"""Deleting rows, one by key or a key range, from both stores."""

from __future__ import annotations

from platform_store.association import Association
from platform_store.catalog import Catalog
from platform_store.journal import Journal
from platform_store.records import Key
from platform_store.stores.base import Entry, Locked, RowStore, RowTransaction

_BATCH = 1000


class Deleter:
    """``delete`` and ``delete_range`` over one pair of stores."""

    def __init__(self, rows: RowStore, catalog: Catalog, journal: Journal):
        self._rows, self._catalog, self._journal = rows, catalog, journal

    def delete(self, table: str, key: Key) -> bool:
        """Deletes one row; see :meth:`Platform.delete`."""

        def operation(association: Association) -> bool:
            wanted = association.check_key(key)
            with self._rows.transaction() as transaction:
                transaction.fence(association)
                locked = list(transaction.lock(association, [wanted]).values())
                if not locked:
                    return False
                entries = self._delete(transaction, association, locked)
                self._journal.commit(transaction, entries)
            self._journal.apply(entries)
            return True

        return self._catalog.run(table, operation)

    def delete_range(self, table: str, start: Key | None, stop: Key | None) -> int:
        """Deletes a key range, all of it or nothing; see :meth:`Platform.delete_range`."""

        def operation(association: Association) -> int:
            first = None if start is None else association.check_key(start)
            last = None if stop is None else association.check_key(stop)
            entries: list[Entry] = []
            deleted = 0
            with self._rows.transaction() as transaction:
                transaction.fence(association)
                while locked := transaction.lock_range(association, first, last, _BATCH):
                    entries += self._delete(transaction, association, locked)
                    deleted += len(locked)
                self._journal.commit(transaction, entries)
            for begin in range(0, len(entries), _BATCH):
                self._journal.apply(entries[begin : begin + _BATCH])
            return deleted

        return self._catalog.run(table, operation)

    def _delete(self, transaction: RowTransaction, association: Association, locked: list[Locked]) -> list[Entry]:
        keys = [row.key for row in locked]
        transaction.delete(association, keys)
        if not association.has_documents:
            return []
        # One entry for each key: a revision shared by several rows could hide a later write of one of them.
        return self._journal.record(transaction, association, [(key, None) for key in keys])
