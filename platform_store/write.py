"""Writing rows: insert, replace, update.

The order inside one write is fixed: fence the placement, lock and change the row, journal the full document under the
row's lock, stamp the row with the revision that the journal gave, commit in MySQL, and only then bring the document to
MongoDB. Everything is durable at the commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, get_args

from platform_store.association import Association, Column, KeyValues
from platform_store.catalog import Catalog
from platform_store.errors import (
    Conflict,
    Diverged,
    PlatformStoreError,
    RowExists,
    RowNotFound,
    TransientError,
    ValueRejected,
)
from platform_store.halves import Mismatch, document_of
from platform_store.journal import Journal
from platform_store.records import Key, OnConflict, Row, WriteCounts
from platform_store.rows import Changes, NewRow, changes, encode_image, new_row, select
from platform_store.stores.base import DocumentStore, Entry, Locked, RowStore, RowTransaction, frozen_id

_RACES = 5


class Writer:
    """``write``, ``write_many`` and ``update`` over one pair of stores."""

    def __init__(self, rows: RowStore, documents: DocumentStore, catalog: Catalog, journal: Journal):
        self._rows, self._documents, self._catalog, self._journal = rows, documents, catalog, journal

    def write(self, table: str, row: Row, *, on_conflict: OnConflict = "error") -> Key:
        """Inserts one row and returns its key; see :meth:`Platform.write`."""
        _check_on_conflict(on_conflict)

        def operation(association: Association) -> Key:
            prepared = new_row(association, row)
            keys, _ = self._put(association, [prepared], on_conflict)
            return association.public_key(keys[0])

        return self._catalog.run(table, operation)

    def write_many(
        self, table: str, rows: Iterable[Row], *, on_conflict: OnConflict = "error", batch_size: int = 1000
    ) -> WriteCounts:
        """Inserts many rows, one transaction a batch; see :meth:`Platform.write_many`."""
        _check_on_conflict(on_conflict)
        if batch_size < 1:
            raise ValueRejected("batch_size is at least 1", table=table)
        counts = WriteCounts()
        for batch in _batches(rows, batch_size):

            def operation(association: Association, batch: Sequence[Row] = batch) -> WriteCounts:
                return self._put(association, [new_row(association, row) for row in batch], on_conflict)[1]

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
                locked = transaction.lock(association, [wanted]).get(wanted)
                if locked is None:
                    raise RowNotFound(table, key)
                if expect is not None:
                    self._check_expected(transaction, association, locked, expect)
                entries = self._change(transaction, association, locked, prepared)
                self._journal.commit(transaction, entries)
            self._journal.apply(entries)

        self._catalog.run(table, operation)

    def _put(
        self, association: Association, rows: Sequence[NewRow], on_conflict: OnConflict
    ) -> tuple[list[KeyValues], WriteCounts]:
        """One transaction that writes these rows; returns their keys (of ignored rows too, for a single row)."""
        for _ in range(_RACES):
            try:
                with self._rows.transaction() as transaction:
                    transaction.fence(association)
                    keys, counts, entries = self._put_within(transaction, association, rows, on_conflict)
                    self._journal.commit(transaction, entries)
            except RowExists:
                # At READ COMMITTED an absent key cannot be locked: another writer may insert it first.
                if on_conflict == "error":
                    raise
                continue
            self._journal.apply(entries)
            return keys, counts
        raise TransientError(self._rows.name, f"other writers keep inserting the same keys of {association.name!r}")

    def _put_within(
        self, transaction: RowTransaction, association: Association, rows: Sequence[NewRow], on_conflict: OnConflict
    ) -> tuple[list[KeyValues], WriteCounts, list[Entry]]:
        if on_conflict == "error":
            keys = transaction.insert(association, rows)
            entries = self._record(transaction, association, list(zip(keys, rows, strict=True)))
            return keys, WriteCounts(inserted=len(keys)), entries
        if not association.exact_keys and len(rows) > 1:
            return self._put_one_by_one(transaction, association, rows, on_conflict)
        distinct, dropped = _distinct(rows, keep_last=on_conflict == "replace")
        present = transaction.lock(association, [row.key for row in distinct if row.key is not None])
        fresh = [row for row in distinct if row.key is None or row.key not in present]
        keys = transaction.insert(association, fresh) if fresh else []
        written = list(zip(keys, fresh, strict=True))
        taken = [(present[row.key], row) for row in distinct if row.key is not None and row.key in present]
        if on_conflict == "replace":
            for locked, row in taken:
                transaction.reset(association, locked.key, row)
            written += [(locked.key, row) for locked, row in taken]
            counts = WriteCounts(inserted=len(fresh), replaced=len(taken) + dropped)
        else:
            counts = WriteCounts(inserted=len(fresh), ignored=len(taken) + dropped)
        entries = self._record(transaction, association, written)
        return [*keys, *(locked.key for locked, _ in taken)], counts, entries

    def _put_one_by_one(
        self, transaction: RowTransaction, association: Association, rows: Sequence[NewRow], on_conflict: OnConflict
    ) -> tuple[list[KeyValues], WriteCounts, list[Entry]]:
        """For keys whose collation equates different spellings: only MySQL can tell which rows are one."""
        all_keys, all_counts, all_entries = [], WriteCounts(), []
        for row in rows:
            keys, counts, entries = self._put_within(transaction, association, [row], on_conflict)
            all_keys += keys
            all_counts += counts
            all_entries += entries
        return all_keys, all_counts, all_entries

    def _record(
        self, transaction: RowTransaction, association: Association, written: Sequence[tuple[KeyValues, NewRow]]
    ) -> list[Entry]:
        if not association.has_documents:
            return []
        computed = association.computed_copies
        return self._journal.record(
            transaction,
            association,
            [
                (
                    key,
                    encode_image(association, key, _with_copies(transaction, association, key, row.document, computed)),
                )
                for key, row in written
            ],
        )

    def _change(
        self, transaction: RowTransaction, association: Association, locked: Locked, prepared: Changes
    ) -> list[Entry]:
        if prepared.mysql:
            transaction.update(association, locked.key, prepared.mysql)
        if not prepared.touch_document and not (prepared.mysql and association.computed_copies):
            return []
        image = prepared.merged_into(self._base(association, locked))
        # Of an adopted table, the document may not have its copies yet.
        image = _with_copies(transaction, association, locked.key, image, association.copies)
        return self._journal.record(
            transaction, association, [(locked.key, encode_image(association, locked.key, image))]
        )

    def _base(self, association: Association, locked: Locked) -> dict[str, Any]:
        """The document of a locked row. Its revision cannot change any more, so anything else is a divergence."""
        stored = None
        if locked.pending is None:
            identifier = association.encode_id(locked.key)
            stored = self._documents.fetch(association, [identifier]).get(frozen_id(identifier))
        try:
            document = document_of(locked.revision, locked.pending, stored, locked=True)
        except Mismatch:
            raise Diverged(
                f"its document is not of revision {locked.revision}",
                table=association.name,
                key=association.public_key(locked.key),
            ) from None
        return {name: value for name, value in document.items() if name not in association.retired}

    def _check_expected(
        self, transaction: RowTransaction, association: Association, locked: Locked, expect: Mapping[str, object]
    ) -> None:
        """Compares under the lock. Raises Conflict naming the columns that differ."""
        selection = select(association, expect)
        fetched = transaction.fetch(selection, locked.key)
        assert fetched is not None, "the row is locked"
        key = association.public_key(locked.key)
        document = self._base(association, locked) if selection.needs_document else None
        current = selection.merge(fetched.values, document, key)
        differing = [
            name
            for name, value in expect.items()
            if name not in current or current[name] != _public(association, name, value, key)
        ]
        if differing:
            raise Conflict(
                f"column {', '.join(map(repr, differing))} is not as expected; nothing was written",
                table=association.name,
                key=key,
                columns=tuple(differing),
            )


def _with_copies(
    transaction: RowTransaction,
    association: Association,
    key: KeyValues,
    document: dict[str, Any],
    columns: Sequence[Column],
) -> dict[str, Any]:
    """The document with these columns as MySQL has them now, under the transaction's locks."""
    if not columns:
        return document
    document = dict(document)
    for name, stored in transaction.exact(association, columns, key).items():
        column = association.by_name[name]
        document.pop(column.field, None)
        if stored is not None:
            document[column.field] = column.codec.to_bson(stored)
    return document


def _public(association: Association, name: str, value: object, key: Key) -> object:
    """A value as a read would give it back. Raises ValueRejected where the column cannot hold it."""
    column = association.by_name.get(name)
    if column is None or value is None:
        return value
    try:
        return column.codec.public(column.codec.check(value))
    except ValueRejected as error:
        raise error.at(association.name, name, key) from None


def _check_on_conflict(on_conflict: str) -> None:
    if on_conflict not in get_args(OnConflict):
        raise ValueRejected(f"on_conflict is one of {', '.join(get_args(OnConflict))}")


def _batches(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        yield batch


def _distinct(rows: Sequence[NewRow], *, keep_last: bool) -> tuple[list[NewRow], int]:
    """One row for each key, and how many were left out."""
    chosen: dict[object, NewRow] = {}
    for number, row in enumerate(rows):
        identity = (number,) if row.key is None else ("key", row.key)
        if keep_last or identity not in chosen:
            chosen[identity] = row
    return list(chosen.values()), len(rows) - len(chosen)
