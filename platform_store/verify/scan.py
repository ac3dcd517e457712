"""The first look at a range: rows beside their documents, many at a time. What it says is only a suspicion.

The two stores are read one after the other while others write, so what does not fit together here is looked at again
under the row's lock (see :mod:`platform_store.verify.settle`); what does fit is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import bson
from bson.int64 import Int64

from platform_store.association import Association, Column, KeyValues
from platform_store.errors import ValueRejected
from platform_store.halves import CODEC_OPTIONS, split, with_revision
from platform_store.names import DELETED, REVISION
from platform_store.stores.base import Fetched, RowStore, frozen_id
from platform_store.verify.highest import Highest
from platform_store.verify.images import Images
from platform_store.verify.twofold import twofold
from platform_store.verify.values import ColumnCheck

_SUSPECTS = 10_000  # looked at again together, at most
_INTEGERS = frozenset({int, Int64})
_PLAIN_IDS = (_INTEGERS, frozenset({str}), frozenset({bytes}))

Document = Mapping[str, Any]


@dataclass
class Suspects:
    """``keys``: rows to look at again. ``strangers``: ``_id``s that no row of the table can have."""

    keys: dict[KeyValues, None] = field(default_factory=dict)
    strangers: list[Any] = field(default_factory=list)
    bytes: int = 0


class Scan:
    """Of one table, as its association is now."""

    def __init__(self, rows: RowStore, association: Association, highest: Highest):
        self._rows, self._association, self._highest = rows, association, highest
        needed = not association.discarded_at  # documents that were discarded took their columns with them
        self._checks = [ColumnCheck(column, needed=needed) for column in association.document_only]
        self._both = twofold(rows, association)
        self._both_checks = [ColumnCheck(column, needed=False) for column in self._both.columns]

    def fields(self, rows: Iterable[Fetched]) -> tuple[str, ...] | None:
        """Which fields of these rows' documents are looked at; None: all there are.

        A document that the journal still has is compared with that, as a whole.
        """
        if not self._association.extra or any(row.pending is not None for row in rows):
            return None
        return tuple(column.field for column in self._association.document_columns)

    def identifiers(self, rows: Iterable[Fetched]) -> list[Any]:
        """The ``_id``s of these rows."""
        encode = self._association.encode_id
        return [encode(row.key) for row in rows]

    def look(
        self, rows: Sequence[Fetched], batches: Iterator[bytes], images: Images | None = None
    ) -> Iterator[Suspects]:
        """Which of these rows, and of these documents of the same range, do not fit together, some at a time.

        ``images``: for a table of which they say something, rows and documents both being in the order of the keys.
        """
        found = Suspects()
        alike = 0  # of the first rows nothing is left to say
        waiting: dict[Any, Fetched] | None = None
        for batch in batches:
            found.bytes += len(batch)
            if waiting is None and images is not None and images.useful:
                raw = split(batch)
                if images.agree(rows[alike : alike + len(raw)], raw):
                    alike += len(raw)
                    continue
            if waiting is None:
                waiting = self._by_identity(rows[alike:])
            documents: list[dict[str, Any]] = bson.decode_all(batch, CODEC_OPTIONS)
            self._highest.look_up(document.get(REVISION) for document in documents)
            self._look_at(documents, batch, waiting, found)
            if len(found.keys) + len(found.strangers) > _SUSPECTS:
                yield found  # a range may hold any number of documents that have no row
                found = Suspects()
        left = rows[alike:] if waiting is None else waiting.values()
        missing = (row.key for row in left if row.revision and row.pending is None)
        found.keys.update(dict.fromkeys(missing))
        yield found

    def _by_identity(self, rows: Sequence[Fetched]) -> dict[Any, Fetched]:
        return dict(zip(map(frozen_id, self.identifiers(rows)), rows, strict=True))

    def without_rows(self, batch: bytes, start: KeyValues | None, stop: KeyValues | None) -> Suspects:
        """Which documents have no row, wherever in the collection they are."""
        found = Suspects(bytes=len(batch))
        everything = bson.decode_all(batch, CODEC_OPTIONS)
        self._highest.look_up(document.get(REVISION) for document in everything)
        documents = [document for document in everything if self._counts(document)]
        keys = [self.key_of(document["_id"]) for document in documents]
        present = self._rows.exact_many(self._association, (), [key for key in keys if key is not None])
        for key, document in zip(keys, documents, strict=True):
            if key is None:
                found.strangers.append(document["_id"])
            elif key not in present and _within(key, start, stop):
                found.keys[key] = None
        return found

    def key_of(self, identifier: Any) -> KeyValues | None:
        """The key of a document's ``_id``; None where no row can have it."""
        try:
            return self._association.decode_id(identifier)
        except ValueRejected:
            return None

    def _counts(self, document: Document) -> bool:
        """Whether a document that has no row is worth a second look."""
        return DELETED not in document or self._highest.beyond(document.get(REVISION))

    def _look_at(
        self, documents: Sequence[dict[str, Any]], batch: bytes, waiting: dict[Any, Fetched], found: Suspects
    ) -> None:
        pairs: list[tuple[Fetched, Document]] = []
        raw: list[bytes] | None = None
        beyond, pop = self._highest.beyond, waiting.pop
        for number, (identity, document) in enumerate(zip(self._identities(documents), documents, strict=True)):
            row = pop(identity, None)
            revision = document.get(REVISION, 0)
            if row is None:
                self._note_lonely(document, found)
            elif beyond(revision):
                found.keys[row.key] = None
            elif row.pending is not None:
                if revision == row.revision:
                    raw = split(batch) if raw is None else raw
                    if raw[number] != with_revision(row.pending, row.revision):
                        found.keys[row.key] = None
                    pairs.append((row, document))
            elif revision == row.revision and DELETED not in document:
                pairs.append((row, document))
            elif row.revision or DELETED not in document:
                found.keys[row.key] = None
        if pairs:
            self._look_at_values(pairs, found)

    def _note_lonely(self, document: Document, found: Suspects) -> None:
        if self._counts(document):
            key = self.key_of(document["_id"])
            if key is None:
                found.strangers.append(document["_id"])
            else:
                found.keys[key] = None

    def _identities(self, documents: Sequence[Document]) -> list[Any]:
        """What each document's row is found by; None, which no row has, for what is no key."""
        identifiers = [document["_id"] for document in documents]
        kinds = frozenset(map(type, identifiers))
        if len(self._association.key_columns) == 1 and any(kinds <= plain for plain in _PLAIN_IDS):
            return identifiers
        return [None if self.key_of(one) is None else frozen_id(one) for one in identifiers]

    # Values

    def _look_at_values(self, pairs: Sequence[tuple[Fetched, Document]], found: Suspects) -> None:
        for check in self._checks:
            name = check.column.field
            values = [document.get(name) for _, document in pairs]
            found.keys.update((pairs[number][0].key, None) for number in check.faults(values))
        if self._both_checks:
            self._look_at_both(pairs, found)

    def _look_at_both(self, pairs: Sequence[tuple[Fetched, Document]], found: Suspects) -> None:
        exact = self._rows.exact_many(self._association, self._both.columns, [row.key for row, _ in pairs])
        same: list[tuple[Fetched, Document, tuple[object, ...]]] = []
        for row, document in pairs:
            now = exact.get(row.key)
            if now is None or now.revision != row.revision:
                found.keys[row.key] = None  # it has changed since
            else:
                same.append((row, document, now.values))
        for number, check in enumerate(self._both_checks):
            column = check.column
            chosen = same if column.shadow else [one for one in same if self._has_copy(column, one[0], one[1])]
            here = encoded(column, [values[number] for _, _, values in chosen])
            there = [document.get(column.field) for _, document, _ in chosen]
            wrong = differing(here, there).union(check.faults(there))
            found.keys.update((chosen[one][0].key, None) for one in wrong)

    def _has_copy(self, column: Column, row: Fetched, document: Document) -> bool:
        """Whether it should: not so where the row was never versioned, or the column is just on its way."""
        return column.field in document or (row.revision > 0 and column.name not in self._both.filling)


def encoded(column: Column, stored: Sequence[object]) -> list[Any]:
    """The BSON forms of stored values, None for NULL."""
    to_bson = column.codec.to_bson
    return [None if value is None else to_bson(value) for value in stored]


def differing(here: Sequence[Any], there: Sequence[Any]) -> set[int]:
    """The numbers of those that are not the same BSON value. The sign of a zero is not looked at: MariaDB drops it."""
    if not here or _image(here) == _image(there):
        return set()
    return {number for number, (one, other) in enumerate(zip(here, there, strict=True)) if not _same(one, other)}


def _image(values: Sequence[Any]) -> bytes:
    return bson.encode({"": values}, codec_options=CODEC_OPTIONS)


def _same(one: Any, other: Any) -> bool:
    if type(one) in _INTEGERS and type(other) in _INTEGERS:
        return bool(one == other)
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def _within(key: Any, start: KeyValues | None, stop: KeyValues | None) -> bool:
    return (start is None or key >= start) and (stop is None or key <= stop)
