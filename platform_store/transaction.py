"""Several changes, of one table or many, that become true together or not at all."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from platform_store.association import Association
from platform_store.catalog import Catalog
from platform_store.errors import Diverged, NotSupported, TransientError, Unavailable
from platform_store.journal import Journal
from platform_store.records import Key, OnConflict, Row, WriteCounts
from platform_store.rows import changes, check_on_conflict, new_row, new_rows, select
from platform_store.search import search_for
from platform_store.stores.base import RowStore, StaleAssociation
from platform_store.stores.documents import DocumentStore
from platform_store.unit import Unit

T = TypeVar("T")

_ATTEMPTS = 10


class Transaction:
    """One transaction under way; see :meth:`Platform.transaction`.

    A method that raises has changed nothing, and the transaction goes on without it, unless the error is a
    :class:`TransientError` or the row store is :class:`Unavailable`: then the whole transaction is lost, and leaving it
    raises that error again.
    """

    def __init__(self, unit: Unit, catalog: Catalog, store: str):
        self._unit, self._catalog, self._store = unit, catalog, store
        self._fenced: dict[str, Association] = {}
        self._lost: BaseException | None = None
        self._open = True

    def write(self, table: str, row: Row, *, on_conflict: OnConflict = "error") -> Key:
        """As :meth:`Platform.write`."""
        check_on_conflict(on_conflict)

        def change(association: Association) -> Key:
            keys, _ = self._unit.put(association, [new_row(association, row)], on_conflict)
            return association.public_key(keys[0])

        return self._within(table, change)

    def write_many(self, table: str, rows: Iterable[Row], *, on_conflict: OnConflict = "error") -> WriteCounts:
        """As :meth:`Platform.write_many`, all rows in this transaction: they are held in memory together."""
        check_on_conflict(on_conflict)
        return self._within(
            table,
            lambda association: self._unit.put(association, new_rows(association, rows), on_conflict)[1],
        )

    def insert_many(self, table: str, rows: Iterable[Row]) -> list[Key]:
        """Inserts rows, as :meth:`write_many` does; returns their keys, aligned with the rows."""

        def change(association: Association) -> list[Key]:
            keys, _ = self._unit.put(association, [new_row(association, row) for row in rows], "error")
            return [association.public_key(key) for key in keys]

        return self._within(table, change)

    def update(self, table: str, key: Key, given: Row, *, expect: Mapping[str, object] | None = None) -> None:
        """As :meth:`Platform.update`."""

        def change(association: Association) -> None:
            self._unit.change(association, association.check_key(key), changes(association, key, given), expect)

        self._within(table, change)

    def update_many(self, table: str, keys: Iterable[Key], given: Row) -> int:
        """Replaces whole columns by the same values in the rows with these keys; how many of them there are.

        For columns that live in MySQL alone it takes a few statements for a thousand rows and journals nothing. Where
        one lives in documents, the rows' documents are held in memory together.

        Raises Conflict, ValueRejected.
        """
        chosen = tuple(keys)

        def change(association: Association) -> int:
            stored = list(dict.fromkeys(association.check_key(key) for key in chosen))
            return self._unit.change_many(association, stored, changes(association, None, given))

        return self._within(table, change)

    def delete(self, table: str, key: Key) -> bool:
        """As :meth:`Platform.delete`."""
        return self._within(table, lambda association: self._unit.delete(association, association.check_key(key)))

    def delete_many(self, table: str, keys: Iterable[Key]) -> int:
        """Deletes the rows with these keys, in a few statements for a thousand; how many of them there were."""
        chosen = tuple(keys)
        return self._within(
            table,
            lambda association: self._unit.delete_many(association, [association.check_key(key) for key in chosen]),
        )

    def delete_range(self, table: str, start: Key | None, stop: Key | None) -> int:
        """As :meth:`Platform.delete_range`."""

        def change(association: Association) -> int:
            first = None if start is None else association.check_key(start)
            last = None if stop is None else association.check_key(stop)
            return self._unit.delete_range(association, first, last)

        return self._within(table, change)

    def read(
        self, table: str, key: Key, *, columns: Iterable[str] | None = None, for_update: bool = False
    ) -> dict[str, object] | None:
        """As :meth:`Platform.read`, this transaction's own changes included.

        ``for_update`` locks the row until the end; without it, another writer may change the row meanwhile.
        """
        return self._within(
            table,
            lambda association: self._unit.read(
                select(association, columns), association.check_key(key), for_update=for_update
            ),
        )

    def find(
        self,
        table: str,
        where: Mapping[str, object] | None = None,
        *,
        order_by: Iterable[str] = (),
        after: Mapping[str, object] | None = None,
        limit: int | None = None,
        columns: Iterable[str] | None = None,
        for_update: bool = False,
    ) -> list[dict[str, object]]:
        """As :meth:`Platform.find`, this transaction's own changes included.

        ``for_update`` locks the rows that are found until the end. Rows that others add meanwhile are not kept out.
        """
        order = (order_by,) if isinstance(order_by, str) else tuple(order_by)
        return self._within(
            table,
            lambda association: self._unit.find(
                select(association, columns),
                search_for(association, where, order, after, limit),
                for_update=for_update,
            ),
        )

    def awaiting(self, table: str, keys: Iterable[Key]) -> set[Key]:
        """Those of these keys of which a version still waits in the journal, with its document.

        Of what was written before :meth:`Platform.recover` was called, none does once that has returned, unless MongoDB
        refuses a document.
        """
        chosen = tuple(keys)

        def look(association: Association) -> set[Key]:
            found = self._unit.transaction.awaited(association, [association.check_key(key) for key in chosen])
            return {association.public_key(key) for key in found}

        return self._within(table, look)

    def finish(self) -> None:
        """Commits. Raises what the transaction was lost to."""
        if self._lost is not None:
            raise self._lost
        self._unit.commit()

    def end(self) -> None:
        """Nothing more belongs to it."""
        self._open = False

    def _within(self, table: str, change: Callable[[Association], T]) -> T:
        if not self._open:
            raise NotSupported("using a transaction that has ended")
        if self._lost is not None:
            raise self._lost
        mark = len(self._unit.entries)
        try:
            association = self._association(table)
            with self._unit.transaction.savepoint():
                return change(association)
        except BaseException as error:
            del self._unit.entries[mark:]  # they are undone with their rows, and must never reach MongoDB
            if isinstance(error, StaleAssociation):
                raise Diverged(f"MySQL's table is not as the catalog says: {error}", table=table) from None
            if self._loses_everything(error):
                self._lost = error
            raise

    def _loses_everything(self, error: BaseException) -> bool:
        """Whether the transaction is gone, or nobody knows where the interrupted connection stands."""
        if isinstance(error, Unavailable):
            return error.store == self._store
        return isinstance(error, TransientError) or not isinstance(error, Exception)

    def _association(self, table: str) -> Association:
        """The association, its placement held until the end."""
        for _ in range(_ATTEMPTS):
            association = self._fenced.get(table)
            if association is not None:
                return association
            association = self._catalog.get(table)
            try:
                self._unit.transaction.fence(association, at_once=True)
            except StaleAssociation:
                self._catalog.reload(table)
            else:
                self._fenced[table] = association
        raise TransientError(self._store, f"the definition of table {table!r} keeps changing")


class Transactions:
    """``transaction`` and ``run_transaction`` over one pair of stores."""

    def __init__(self, rows: RowStore, documents: DocumentStore, catalog: Catalog, journal: Journal):
        self._rows, self._documents, self._catalog, self._journal = rows, documents, catalog, journal
        self._thread = threading.local()

    @contextlib.contextmanager
    def begin(self) -> Iterator[Transaction]:
        """See :meth:`Platform.transaction`."""
        if getattr(self._thread, "busy", False):
            raise NotSupported("a transaction inside a transaction")
        self._thread.busy = True
        try:
            with self._rows.transaction() as row_transaction:
                unit = Unit(row_transaction, self._documents, self._journal)
                transaction = Transaction(unit, self._catalog, self._rows.name)
                try:
                    yield transaction
                    transaction.finish()
                finally:
                    transaction.end()
        finally:
            self._thread.busy = False
        self._journal.apply(unit.entries)

    def run(self, work: Callable[[Transaction], T]) -> T:
        """See :meth:`Platform.run_transaction`."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self.begin() as transaction:
                    return work(transaction)
            except TransientError:
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError("the last attempt returns or raises")
