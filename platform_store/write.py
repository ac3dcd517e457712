"""Writing rows: insert, replace, update, each call a transaction of its own (``write_many``: each batch).

Everything is durable at the commit in MySQL; only then does the document go to MongoDB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice, zip_longest

from platform_store.association import Association, KeyValues
from platform_store.attempts import retried
from platform_store.catalog import Catalog
from platform_store.errors import PlatformStoreError, RowExists, TransientError
from platform_store.journal import Journal
from platform_store.records import Key, OnConflict, Row, WriteCounts
from platform_store.rows import NewRow, changes, check_batching, check_on_conflict, new_row, new_rows
from platform_store.stores.base import RowStore
from platform_store.stores.documents import DocumentStore
from platform_store.unit import Unit

_RACES = 5


class Writer:
    """``write``, ``write_many`` and ``update`` over one pair of stores."""

    def __init__(self, rows: RowStore, documents: DocumentStore, catalog: Catalog, journal: Journal):
        self._rows, self._documents, self._catalog, self._journal = rows, documents, catalog, journal

    def write(self, table: str, row: Row, *, on_conflict: OnConflict = "error") -> Key:
        """Inserts one row and returns its key; see :meth:`Platform.write`."""
        check_on_conflict(on_conflict)

        def operation(association: Association) -> Key:
            prepared = new_row(association, row)
            keys, _ = self._put(association, [prepared], on_conflict)
            return association.public_key(keys[0])

        return self._catalog.run(table, operation)

    def write_many(
        self, table: str, rows: Iterable[Row], *, on_conflict: OnConflict = "error", batch_size: int = 1000
    ) -> WriteCounts:
        """Inserts many rows, one transaction a batch; see :meth:`Platform.write_many`."""
        check_on_conflict(on_conflict)
        check_batching(table, batch_size)
        counts = WriteCounts()
        for batch, following in _batches(rows, batch_size):

            def operation(
                association: Association, batch: _Batch = batch, following: _Batch | None = following
            ) -> WriteCounts:
                def meanwhile() -> None:
                    if following is not None:
                        following.check_ahead(association)

                prepared = batch.checked(association)
                return self._put(association, prepared, on_conflict, place_new=True, meanwhile=meanwhile)[1]

            try:
                counts += self._catalog.run(table, operation)
            except PlatformStoreError as error:
                if counts != WriteCounts():
                    error.add_note(f"the batches before this one stay written: {counts.describe()}")
                raise
        return counts

    def update(self, table: str, key: Key, given: Row, *, expect: Mapping[str, object] | None = None) -> None:
        """Changes columns of one row; see :meth:`Platform.update`."""

        def operation(association: Association) -> None:
            wanted = association.check_key(key)
            prepared = changes(association, key, given)
            with self._rows.transaction() as transaction:
                transaction.fence(association)
                unit = Unit(transaction, self._documents, self._journal)
                unit.change(association, wanted, prepared, expect)
                unit.commit()
            self._journal.apply(unit.entries)

        self._catalog.run(table, operation)

    def _put(
        self,
        association: Association,
        rows: Sequence[NewRow],
        on_conflict: OnConflict,
        *,
        place_new: bool = False,
        meanwhile: Callable[[], None] | None = None,
    ) -> tuple[list[KeyValues], WriteCounts]:
        for _ in range(_RACES):
            try:
                with self._rows.transaction() as transaction:
                    transaction.fence(association)
                    unit = Unit(transaction, self._documents, self._journal, place_new=place_new)
                    done = unit.put(association, rows, on_conflict, meanwhile)
                    unit.commit()
            except RowExists:
                # At READ COMMITTED an absent key cannot be locked: another writer may insert it first.
                if on_conflict == "error":
                    raise
                retried()
                continue
            self._journal.apply(unit.entries)
            return done
        raise TransientError(self._rows.name, f"other writers keep inserting the same keys of {association.name!r}")


class _Batch:
    """Rows that are written together. They may be checked before their turn."""

    def __init__(self, rows: Sequence[Row]):
        self._rows = rows
        self._checked: tuple[Association, list[NewRow]] | None = None

    def check_ahead(self, association: Association) -> None:
        """Once, unless the association has changed. What a check raises is raised in the batch's turn.

        Only plain dicts: another mapping may run code of its own, which must not wait for the locks that are held now.
        """
        if self._checked is not None and self._checked[0] is association:
            return
        if all(type(row) is dict for row in self._rows):
            # Whatever it is, such as of a tzinfo that somebody wrote: it must not undo the batch that is being written.
            # checked() comes upon it again.
            with suppress(Exception):
                self._checked = association, new_rows(association, self._rows)

    def checked(self, association: Association) -> list[NewRow]:
        """The rows as they are to be written. Raises ValueRejected."""
        known, self._checked = self._checked, None  # what was written is not kept
        return known[1] if known is not None and known[0] is association else new_rows(association, self._rows)


def _batches(rows: Iterable[Row], size: int) -> Iterator[tuple[_Batch, _Batch | None]]:
    """Each batch, and the one after it where that is there: nobody knows when an iterator gives its next row."""
    if isinstance(rows, list | tuple):
        batches = [_Batch(rows[first : first + size]) for first in range(0, len(rows), size)]
        yield from zip_longest(batches, batches[1:])
        return
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        yield _Batch(batch), None
