"""Several changes, of one table or many, that become true together or not at all."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import lt
from typing import Any, TypeVar

from platform_store.association import Association, KeyValues
from platform_store.attempts import retried
from platform_store.catalog import Catalog
from platform_store.errors import Diverged, NotSupported, TransientError, Unavailable
from platform_store.journal import Journal
from platform_store.records import Key, OnConflict, Row, WriteCounts
from platform_store.rows import changes as checked
from platform_store.rows import check_on_conflict, new_row, new_rows
from platform_store.search import search_for
from platform_store.selection import select
from platform_store.stores.base import RowStore, StaleAssociation
from platform_store.stores.documents import DocumentStore
from platform_store.unit import Unit

T = TypeVar("T")

_ATTEMPTS = 10
_PART = 200  # rows: with a document of 1 KB each, what a statement of the journal takes


class Transaction:
    """One transaction under way; see :meth:`Platform.transaction`. ``table`` and ``key`` are as in all its methods.

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
        """As :meth:`Platform.write_many`, all ``rows`` in this transaction: they are held in memory together."""
        check_on_conflict(on_conflict)
        return self._within(table, lambda association: self._put_many(association, list(rows), on_conflict)[1])

    def insert_many(self, table: str, rows: Iterable[Row]) -> list[Key]:
        """Inserts rows, as :meth:`write_many` does; returns their keys, aligned with the ``rows``.

        Raises RowExists where a key is taken, Conflict, ValueRejected.
        """

        def change(association: Association) -> list[Key]:
            keys, _ = self._put_many(association, list(rows), "error")
            return [association.public_key(key) for key in keys]

        return self._within(table, change)

    def update(self, table: str, key: Key, changes: Row, *, expect: Mapping[str, object] | None = None) -> None:
        """As :meth:`Platform.update`."""

        def change(association: Association) -> None:
            self._unit.change(association, association.check_key(key), checked(association, key, changes), expect)

        self._within(table, change)

    def update_many(self, table: str, keys: Iterable[Key], changes: Row) -> int:
        """Replaces whole columns by the same values in the rows with these ``keys``; returns how many there are.

        Keys that are not there are passed over. ``changes`` are as for :meth:`Platform.update`. For columns that live
        in MySQL alone it takes a few statements for a thousand rows and journals nothing. Where one lives in documents,
        the rows' documents are held in memory together.

        Raises Conflict, ValueRejected.
        """
        chosen = tuple(keys)

        def change(association: Association) -> int:
            stored = list(dict.fromkeys(association.check_key(key) for key in chosen))
            return self._unit.change_many(association, stored, checked(association, None, changes))

        return self._within(table, change)

    def delete(self, table: str, key: Key) -> bool:
        """As :meth:`Platform.delete`."""
        return self._within(table, lambda association: self._unit.delete(association, association.check_key(key)))

    def delete_many(self, table: str, keys: Iterable[Key]) -> int:
        """Deletes the rows with these ``keys``, in a few statements for a thousand; returns how many there were."""
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
        """Those of these ``keys`` of which a version still waits in the journal, with its document.

        Of what was written before :meth:`Platform.recover` was called, none does once that has returned, unless MongoDB
        refuses a document, or :meth:`Platform.hold` keeps it for a backup.
        """
        chosen = tuple(keys)

        def look(association: Association) -> set[Key]:
            found = self._unit.transaction.awaited(association, [association.check_key(key) for key in chosen])
            return {association.public_key(key) for key in found}

        return self._within(table, look)

    def _finish(self) -> None:
        """Commits. Raises what the transaction was lost to."""
        if self._lost is not None:
            raise self._lost
        self._unit.commit()

    def _end(self) -> None:
        """Nothing more belongs to it."""
        self._open = False

    def _put_many(
        self, association: Association, rows: Sequence[Row], on_conflict: OnConflict
    ) -> tuple[list[KeyValues], WriteCounts]:
        """A part of the rows is checked while MySQL has the one before it at work."""
        parts = _parts(association, rows, on_conflict)
        checked = [new_rows(association, part) for part in islice(parts, 1)]

        def check_next() -> None:
            checked.extend(new_rows(association, part) for part in islice(parts, 1))

        keys, counts = [], WriteCounts()
        while checked:
            some, how = self._unit.put(association, checked.pop(), on_conflict, check_next)
            keys += some
            counts += how
            if not checked:
                check_next()
        return keys, counts

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
                raise Diverged.of_table(error, table) from None
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


def _parts(association: Association, rows: Sequence[Row], on_conflict: OnConflict) -> Iterator[Sequence[Row]]:
    """All together, unless they come in the order of their keys: it is the one in which all writers lock rows."""
    size = _PART if on_conflict == "error" and _in_key_order(association, rows) else max(1, len(rows))
    return (rows[first : first + size] for first in range(0, len(rows), size))


def _in_key_order(association: Association, rows: Sequence[Row]) -> bool:
    """Whether each has a higher key than the one before it, or none has any."""
    (name, *others) = association.key_names
    if others or not all(isinstance(row, Mapping) for row in rows):
        return False
    keys: list[Any] = [row.get(name) for row in rows if isinstance(row, Mapping)]
    try:
        return all(map(lt, keys, keys[1:]))
    except TypeError:  # no keys, or no types that a key has
        return not any(key is not None for key in keys)


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
                    transaction._finish()
                finally:
                    transaction._end()
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
                retried()
        raise AssertionError("the last attempt returns or raises")
