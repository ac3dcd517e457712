"""Changes of rows within one transaction of the row store: what every write and delete, alone or together, is made of.

The order inside one change is fixed: lock and change the row, journal the full document under the row's lock, stamp the
row with the revision that the journal gave.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import bson

from platform_store.association import Association, Column, KeyValues
from platform_store.errors import Conflict, Diverged, RowNotFound, ValueRejected
from platform_store.halves import CODEC_OPTIONS, Mismatch, document_of
from platform_store.journal import Journal
from platform_store.records import Key, OnConflict, WriteCounts
from platform_store.rows import Changes, NewRow, encode_image
from platform_store.search import Search
from platform_store.selection import Selection, select
from platform_store.stores.base import Entry, Fetched, Locked, RowTransaction, frozen_id
from platform_store.stores.documents import DocumentStore

_RANGE_BATCH = 1000
_WORTH_PLACING = 50  # rows: below, an intent costs more than the journal's copies of the documents


class Unit:
    """Changes under way in one transaction. The placements of their tables are fenced by the caller."""

    def __init__(
        self, transaction: RowTransaction, documents: DocumentStore, journal: Journal, *, place_new: bool = False
    ):
        """``place_new``: documents of many new rows may go to MongoDB before the commit, past the journal."""
        self.transaction = transaction
        self.entries: list[Entry] = []  # to be applied once the transaction has committed
        self._documents, self._journal, self._place_new = documents, journal, place_new

    def commit(self) -> None:
        """Makes the changes durable. Raises Unavailable, before, where MongoDB is required and away."""
        self._journal.commit(self.transaction, self.entries)

    def put(
        self,
        association: Association,
        rows: Sequence[NewRow],
        on_conflict: OnConflict,
        meanwhile: Callable[[], None] | None = None,
    ) -> tuple[list[KeyValues], WriteCounts]:
        """Inserts or replaces rows; returns the keys (for a single row, of an ignored one too).

        ``meanwhile`` may be called, once, while a server is at work.
        """
        if on_conflict == "error":
            keys = self.transaction.insert(association, rows)
            self._record_new(association, list(zip(keys, rows, strict=True)), meanwhile)
            return keys, WriteCounts(inserted=len(keys))
        if not association.exact_keys and len(rows) > 1:
            return self._put_one_by_one(association, rows, on_conflict)
        distinct, dropped = _distinct(rows, keep_last=on_conflict == "replace")
        given = [row.key for row in distinct if row.key is not None]
        present = self.transaction.lock(association, given, pending=False)
        fresh = [row for row in distinct if row.key is None or row.key not in present]
        keys = self.transaction.insert(association, fresh) if fresh else []
        self._record_new(association, list(zip(keys, fresh, strict=True)))
        taken = [(present[row.key], row) for row in distinct if row.key is not None and row.key in present]
        if on_conflict == "replace":
            for locked, row in taken:
                self.transaction.reset(association, locked.key, row)
            self._record(association, [(locked.key, row) for locked, row in taken])
            counts = WriteCounts(inserted=len(fresh), replaced=len(taken) + dropped)
        else:
            counts = WriteCounts(inserted=len(fresh), ignored=len(taken) + dropped)
        return [*keys, *(locked.key for locked, _ in taken)], counts

    def _put_one_by_one(
        self, association: Association, rows: Sequence[NewRow], on_conflict: OnConflict
    ) -> tuple[list[KeyValues], WriteCounts]:
        """For keys whose collation equates different spellings: only MySQL can tell which rows are one."""
        all_keys, all_counts = [], WriteCounts()
        for row in rows:
            keys, counts = self.put(association, [row], on_conflict)
            all_keys += keys
            all_counts += counts
        return all_keys, all_counts

    def change(
        self, association: Association, key: KeyValues, prepared: Changes, expect: Mapping[str, object] | None
    ) -> None:
        """Changes columns of one row. Raises RowNotFound, Conflict."""
        locked = self.transaction.lock(association, [key]).get(key)
        if locked is None:
            raise RowNotFound(association.name, association.public_key(key))
        if expect is not None:
            self._check_expected(association, locked, expect)
        if prepared.mysql:
            self.transaction.update(association, locked.key, prepared.mysql)
        if not prepared.touch_document and not (prepared.mysql and association.computed_copies):
            return
        image = prepared.merged_into(self._base(association, locked))
        # Of an adopted table, the document may not have its copies yet.
        image = self._with_copies(association, locked.key, image, association.copies)
        self._journalise(association, [(locked.key, encode_image(association, locked.key, image))])

    def change_many(self, association: Association, keys: Sequence[KeyValues], prepared: Changes) -> int:
        """Changes columns of several rows alike; how many there are."""
        touched = prepared.touch_document or bool(prepared.mysql and association.computed_copies)
        locked = list(self.transaction.lock(association, keys, pending=touched).values())
        if locked and prepared.mysql:
            self.transaction.update_many(association, [row.key for row in locked], prepared.mysql)
        if locked and touched:
            images = []
            for row, document in zip(locked, self._documents_of(association, locked), strict=True):
                image = prepared.merged_into(_without_retired(association, document))
                image = self._with_copies(association, row.key, image, association.copies)
                images.append((row.key, encode_image(association, row.key, image)))
            self._journalise(association, images)
        return len(locked)

    def delete(self, association: Association, key: KeyValues) -> bool:
        """Deletes one row; whether it was there."""
        return self.delete_many(association, [key]) == 1

    def delete_many(self, association: Association, keys: Sequence[KeyValues]) -> int:
        """Deletes rows; how many there were."""
        locked = list(self.transaction.lock(association, keys, pending=False).values())
        if locked:
            self._delete(association, locked)
        return len(locked)

    def delete_range(self, association: Association, start: KeyValues | None, stop: KeyValues | None) -> int:
        """Deletes a key range, both ends included; how many rows."""
        deleted = 0
        while True:
            locked = self.transaction.lock_range(association, start, stop, _RANGE_BATCH)
            if locked:
                self._delete(association, locked)
            deleted += len(locked)
            if len(locked) < _RANGE_BATCH:
                return deleted

    def align(
        self, association: Association, keys: Sequence[KeyValues], into_rows: Sequence[Column]
    ) -> list[KeyValues]:
        """Makes both halves of these rows hold what they should; returns the keys of those that did not.

        Documents get their copies of MySQL's columns and lose the fields of columns that they have no more; MySQL's
        table gets its shadows, ``into_rows``, of document columns. Raises Diverged where a value cannot be had.
        """
        locked = list(self.transaction.lock(association, keys).values())
        columns = [*association.copies, *into_rows]
        rows = self.transaction.exact_many(association, columns, [row.key for row in locked]) if columns else {}
        changed, images = [], []
        for row, document in zip(locked, self._documents_of(association, locked), strict=True):
            values = rows[row.key].values if columns else ()
            stored = {column.name: value for column, value in zip(columns, values, strict=True)}
            aligned = {name: value for name, value in document.items() if name not in association.retired}
            _set_copies(association, aligned, stored)
            shadows = {column.name: _stored_in(association, column, document, row.key) for column in into_rows}
            shadows = {
                column.name: shadows[column.name]
                for column in into_rows
                if _encoded(column, shadows[column.name]) != _encoded(column, stored[column.name])
            }
            if shadows:
                self.transaction.update(association, row.key, shadows)
            if _bytes(aligned) != _bytes(document):
                images.append((row.key, encode_image(association, row.key, aligned)))
            elif not shadows:
                continue
            changed.append(row.key)
        self._journalise(association, images)
        return changed

    def read(self, selection: Selection, key: KeyValues, *, for_update: bool) -> dict[str, object] | None:
        """A row as this transaction sees it, its own changes included."""
        association = selection.association
        if for_update and not self.transaction.lock(association, [key]):
            return None
        fetched = self.transaction.fetch(selection, key)
        if fetched is None:
            return None
        if not selection.needs_document:
            return selection.merge(fetched.values, None, fetched.key)
        try:
            locked = Locked(fetched.key, fetched.revision, fetched.pending)
            document = self._document(association, locked, certain=for_update)
        except Mismatch:
            # Another writer's change between the row and its document: under the lock there is none.
            return self.read(selection, key, for_update=True)
        return selection.merge(fetched.values, document, fetched.key)

    def find(self, selection: Selection, search: Search, *, for_update: bool) -> list[dict[str, object]]:
        """Rows as this transaction sees them, its own changes included."""
        association = selection.association
        found = self.transaction.search(selection, search, lock=for_update)
        if not selection.needs_document:
            return [selection.merge(row.values, None, row.key) for row in found]
        rows = []
        for first in range(0, len(found), _RANGE_BATCH):
            page = found[first : first + _RANGE_BATCH]
            for row, document in zip(page, self._stored_of(association, page), strict=True):
                rows.append(self._found(selection, row, document, certain=for_update))
        return [row for row in rows if row is not None]

    def _found(
        self, selection: Selection, row: Fetched, stored: Mapping[str, Any] | None, *, certain: bool
    ) -> dict[str, object] | None:
        """A row with its document; None where another writer has deleted it since."""
        association = selection.association
        locked = Locked(row.key, row.revision, row.pending)
        try:
            document = self._version(association, locked, stored, certain=certain)
        except Mismatch:
            return self.read(selection, row.key, for_update=True)
        return selection.merge(row.values, document, row.key)

    def _delete(self, association: Association, locked: Sequence[Locked]) -> None:
        keys = [row.key for row in locked]
        self.transaction.delete(association, keys)
        if association.has_documents:
            # One entry for each key: a revision shared by several rows could hide a later write of one of them.
            self._journalise(association, [(key, None) for key in keys])

    def _record_new(
        self,
        association: Association,
        inserted: Sequence[tuple[KeyValues, NewRow]],
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        if not association.has_documents:
            return
        images = self._images(association, inserted)
        if self._place_new and len(images) >= _WORTH_PLACING:
            if meanwhile is not None:
                meanwhile()  # the rows are being inserted
                meanwhile = None
            if self._journal.place(self.transaction, association, images):
                return
        self._journalise(association, images, fresh=True, meanwhile=meanwhile)

    def _record(self, association: Association, written: Sequence[tuple[KeyValues, NewRow]]) -> None:
        if association.has_documents:
            self._journalise(association, self._images(association, written))

    def _images(
        self, association: Association, written: Sequence[tuple[KeyValues, NewRow]]
    ) -> list[tuple[KeyValues, bytes]]:
        columns = association.computed_copies
        images = []
        for key, row in written:
            document = self._with_copies(association, key, row.document, columns) if columns else row.document
            images.append((key, encode_image(association, key, document)))
        return images

    def _journalise(
        self,
        association: Association,
        images: Sequence[tuple[KeyValues, bytes | None]],
        *,
        fresh: bool = False,
        meanwhile: Callable[[], None] | None = None,
    ) -> None:
        self.entries += self._journal.record(self.transaction, association, images, fresh=fresh, meanwhile=meanwhile)

    def _with_copies(
        self, association: Association, key: KeyValues, document: dict[str, Any], columns: Sequence[Column]
    ) -> dict[str, Any]:
        """The document with these columns as MySQL has them now, under the transaction's locks."""
        if not columns:
            return document
        document = dict(document)
        _set_copies(association, document, self.transaction.exact(association, columns, key))
        return document

    def _documents_of(self, association: Association, locked: Sequence[Locked]) -> list[dict[str, Any]]:
        """The documents of locked rows. Raises Diverged."""
        stored = self._stored_of(association, locked)
        return [self._version(association, *one, certain=True) for one in zip(locked, stored, strict=True)]

    def _stored_of(self, association: Association, rows: Sequence[Locked | Fetched]) -> list[Mapping[str, Any] | None]:
        """What MongoDB has of rows, whatever its revision; nothing where the document is pending."""
        identifiers = [association.encode_id(row.key) for row in rows]
        elsewhere = [one for one, row in zip(identifiers, rows, strict=True) if row.pending is None]
        found = self._documents.fetch(association, elsewhere) if elsewhere else {}
        return [found.get(frozen_id(identifier)) for identifier in identifiers]

    def _base(self, association: Association, locked: Locked) -> dict[str, Any]:
        """The document of a locked row. Its revision cannot change any more, so anything else is a divergence."""
        return _without_retired(association, self._document(association, locked, certain=True))

    def _document(self, association: Association, row: Locked, *, certain: bool) -> dict[str, Any]:
        """The document of a row's revision. Raises Mismatch, or Diverged where the row is locked (``certain``)."""
        stored = None
        if row.pending is None:
            identifier = association.encode_id(row.key)
            stored = self._documents.fetch(association, [identifier]).get(frozen_id(identifier))
        return self._version(association, row, stored, certain=certain)

    def _version(
        self, association: Association, row: Locked, stored: Mapping[str, Any] | None, *, certain: bool
    ) -> dict[str, Any]:
        try:
            return document_of(row.revision, row.pending, stored, locked=certain)
        except Mismatch:
            if not certain:
                raise
            raise Diverged(
                f"its document is not of revision {row.revision}",
                table=association.name,
                key=association.public_key(row.key),
            ) from None

    def _check_expected(self, association: Association, locked: Locked, expect: Mapping[str, object]) -> None:
        """Compares under the lock. Raises Conflict naming the columns that differ."""
        selection = select(association, expect)
        fetched = self.transaction.fetch(selection, locked.key)
        assert fetched is not None, "the row is locked"
        key = association.public_key(locked.key)
        document = self._base(association, locked) if selection.needs_document else None
        current = selection.merge(fetched.values, document, fetched.key)
        differing = [
            name
            for name, value in expect.items()
            if name not in current or not _same(current[name], _public(association, name, value, key))
        ]
        if differing:
            raise Conflict(
                f"column {', '.join(map(repr, differing))} is not as expected; nothing was written",
                table=association.name,
                key=key,
                columns=tuple(differing),
            )


def _without_retired(association: Association, document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in association.retired}


def _set_copies(association: Association, document: dict[str, Any], stored: Mapping[str, object]) -> None:
    """Copies of MySQL's columns as ``stored`` has them, each at the end of the document as an update leaves it."""
    for name, value in stored.items():
        column = association.by_name[name]
        if column.placement != "both":
            continue
        if value is None:
            document.pop(column.field, None)
        elif column.field not in document or _encoded(column, value) != _bytes({"": document[column.field]}):
            document.pop(column.field, None)
            document[column.field] = column.codec.to_bson(value)


def _stored_in(association: Association, column: Column, document: Mapping[str, Any], key: KeyValues) -> object:
    """A document column's value in its stored form. Raises Diverged where it is none that the column holds."""
    value = document.get(column.field)
    try:
        if value is not None:
            return column.codec.check(column.codec.stored_from_bson(value))
        reason = None if column.nullable else "it is NULL, and the column is NOT NULL"
    except ValueRejected as error:
        reason = error.reason
    if reason is not None:
        raise Diverged(
            f"the document's value of column {column.name!r}: {reason}",
            table=association.name,
            key=association.public_key(key),
        )
    return None


def _encoded(column: Column, stored: object) -> bytes:
    """Two stored values are the same where these are: 1 is neither True nor 1.0."""
    return _bytes({"": None if stored is None else column.codec.to_bson(stored)})


def _bytes(document: Mapping[str, Any]) -> bytes:
    return bson.encode(document, codec_options=CODEC_OPTIONS)


def _public(association: Association, name: str, value: object, key: Key) -> object:
    """A value as a read would give it back. Raises ValueRejected where the column cannot hold it."""
    column = association.by_name.get(name)
    if column is None or value is None:
        return value
    try:
        return column.codec.public(column.codec.check(value))
    except ValueRejected as error:
        raise error.at(association.name, name, key) from None


def _same(one: object, other: object) -> bool:
    """Equal and of one type throughout: 1 is neither True nor 1.0, JSON null is not the string "null"."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        assert isinstance(other, dict)
        return one.keys() == other.keys() and all(_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list):
        assert isinstance(other, list)
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other


def _distinct(rows: Sequence[NewRow], *, keep_last: bool) -> tuple[list[NewRow], int]:
    """One row for each key, and how many were left out."""
    chosen: dict[object, NewRow] = {}
    for number, row in enumerate(rows):
        identity = (number,) if row.key is None else ("key", row.key)
        if keep_last or identity not in chosen:
            chosen[identity] = row
    return list(chosen.values()), len(rows) - len(chosen)
