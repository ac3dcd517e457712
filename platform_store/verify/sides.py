"""The two sides of a migration: a table and a collection of one name, in no association.

Nobody but their own writers looks after them, and nothing locks a row on both sides. So what differs is looked at a
second time before it is reported, and again after it was mended: what a writer has changed meanwhile is mended anew.
Rows and documents are compared byte for byte; what differs only in what the table has no place for is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import bson

from platform_store.association import KeyValues
from platform_store.errors import SchemaError, ValueRejected
from platform_store.halves import CODEC_OPTIONS, split
from platform_store.migration.compare import ROWS, Compared, Sides, Unequal, compare
from platform_store.shapes.shape import Shape
from platform_store.stores.base import RowStore
from platform_store.stores.bulk import Collections, Layout, Tables
from platform_store.stores.documents import DocumentStore
from platform_store.verify.findings import Difference, Verification
from platform_store.verify.report import UNDECIDED, Asked, Found, Settled

_ATTEMPTS = 3
_ROWS_AT_ONCE = 1000


def verify_sides(asked: Asked, rows: RowStore, documents: DocumentStore) -> Verification:
    """Compares, and mends where ``side`` says which of them is right. Raises SchemaError where there are no two."""
    table, collection = rows.bulk, documents.bulk
    if table is None or collection is None or not rows.table_exists(asked.table):
        raise SchemaError("there is no such table in association: create_table() or associate()", table=asked.table)
    if not documents.collection_exists(asked.table):
        raise SchemaError("it is in no association, and there is no collection of its name", table=asked.table)
    layout = table.layout(asked.table)
    found = Found(asked, total=layout.rows if asked.start is None and asked.stop is None else None)
    pair = _Pair(asked, layout, Shape.for_layout(layout), Sides(rows, documents, table, collection), table, collection)
    for compared in pair.ranges():
        settled = pair.settle(compared) if compared.unequal else []
        found.end_range(settled, compared.rows, compared.bytes)
    return found.verification()


class _Pair:
    """A table and its collection."""

    def __init__(
        self, asked: Asked, layout: Layout, shape: Shape, sides: Sides, table: Tables, collection: Collections
    ):
        self._asked, self._layout, self._shape, self._sides = asked, layout, shape, sides
        self._table, self._collection, self._name = table, collection, layout.association.name
        self._ordered = shape.ordered and sides.documents.in_byte_order(self._name)
        check = layout.association.check_key
        self._start = None if asked.start is None else check(asked.start)
        self._stop = None if asked.stop is None else check(asked.stop)

    def ranges(self) -> Iterator[Compared]:
        return self._compare(self._start, self._stop, None)

    def settle(self, compared: Compared) -> list[Settled]:
        """What still differs at the second look, mended where that was asked for."""
        differing = self._again(compared, [one for one in compared.unequal if not self._same_row(one)])
        reported = {repr(one.identifier): self._difference(one) for one in differing}
        refused: dict[str, str] = {}
        attempts = _ATTEMPTS if self._asked.mend and self._asked.side is not None else 0
        for _ in range(attempts):
            if not differing:
                break
            refused = self._mend(compared, differing)
            differing = [one for one in self._again(compared, differing) if not self._same_row(one)]
        left = {repr(one.identifier) for one in differing} if attempts else set(reported)
        return [
            Settled(_refused(difference, refused[name]) if name in refused else difference, name not in left)
            for name, difference in reported.items()
        ]

    def _same_row(self, one: Unequal) -> bool:
        """Whether the table holds of both the same: for the BSON type of a number it may have no place."""
        if one.row is None or one.document is None:
            return False
        try:
            return bool(self._shape.row(one.row) == self._shape.row(one.document))
        except ValueRejected:
            return False

    def _compare(self, start: KeyValues | None, stop: KeyValues | None, after: KeyValues | None) -> Iterator[Compared]:
        return compare(
            self._sides,
            self._layout,
            self._name,
            start,
            stop,
            after=after,
            limit=ROWS,
            restore=self._restore,
            keys=self._shape,
        )

    def _restore(self, rows: Sequence[bytes]) -> Sequence[bytes]:
        return rows if self._shape.untouched else [self._shape.restore(row) for row in rows]

    def _again(self, compared: Compared, unequal: Sequence[Unequal]) -> list[Unequal]:
        """Those that differ now, too."""
        if not unequal:
            return []
        names = {repr(one.identifier) for one in unequal}
        if compared.complete and not self._ordered:  # documents by themselves
            found: list[Unequal] = self._still_without_rows(unequal)
        else:
            found = []
            for part in self._compare(self._start, compared.last or self._stop, compared.after):
                found += part.unequal
                if part.last is None or part.last == compared.last:
                    break
        return [one for one in found if repr(one.identifier) in names]

    def _still_without_rows(self, unequal: Sequence[Unequal]) -> list[Unequal]:
        keys = [self._key(one.identifier) for one in unequal]
        present = self._sides.rows.present(self._layout.association, [key for key in keys if key is not None])
        left = [one for one, key in zip(unequal, keys, strict=True) if key is None or key not in present]
        identifiers = [one.identifier for one in left]
        there = set(chain.from_iterable(split(batch) for batch in self._sides.documents.among(self._name, identifiers)))
        return [one for one in left if one.document in there]

    def _key(self, identifier: Any) -> KeyValues | None:
        try:
            return self._shape.key_of(identifier)
        except ValueRejected:
            return None

    # Mending

    def _mend(self, compared: Compared, unequal: Sequence[Unequal]) -> dict[str, str]:
        """Makes the wrong side what the right one is; why it could not, by the name of the ``_id``."""
        if self._asked.side == "mongodb":
            return self._into_rows(compared, unequal)
        wanted = [one.row for one in unequal if one.row is not None]
        if wanted:
            self._collection.put(self._name, wanted, fresh=False)
        self._collection.take(self._name, [one.document for one in unequal if one.row is None and one.document])
        return {}

    def _into_rows(self, compared: Compared, unequal: Sequence[Unequal]) -> dict[str, str]:
        refused: dict[str, str] = {}
        rows: dict[KeyValues, Mapping[str, Any]] = {}
        names: dict[KeyValues, str] = {}
        for one in unequal:
            try:
                key = self._shape.key_of(one.identifier)
                names[key] = repr(one.identifier)
                if one.document is not None:
                    rows[key] = self._shape.row(one.document)
            except ValueRejected as error:
                refused[repr(one.identifier)] = error.reason
        gone = [self._shape.key_of(one.identifier) for one in unequal if one.document is None]
        if gone:
            self._table.remove(self._layout, gone)
        for run, clear in self._runs(compared, rows):
            try:
                self._table.load(self._layout, [rows[key] for key in run], clear=clear)
            except ValueRejected as error:
                for key in run:
                    refused[names[key]] = error.reason
        return refused

    def _runs(
        self, compared: Compared, rows: Mapping[KeyValues, Mapping[str, Any]]
    ) -> Iterator[tuple[list[KeyValues], tuple[KeyValues | None, KeyValues] | None]]:
        """Rows that go into the table together, and the range of keys that they take the place of, if any.

        Rows that are there follow each other without a gap, so that nothing else is in the range.
        """
        present: set[KeyValues] = set()
        before, after = compared.after or self._start, compared.after
        run: list[KeyValues] = []
        while keys := self._table.keys(self._layout, after, self._start, compared.last or self._stop, _ROWS_AT_ONCE):
            for key in keys:
                present.add(key)
                if key == self._start:
                    if key in rows:  # what comes before it is not known, and not to be touched
                        self._table.remove(self._layout, [key])
                        yield [key], None
                elif key in rows:
                    run.append(key)
                    continue
                if run:
                    yield run, (before, run[-1])
                before, run = key, []
            if run:
                yield run, (before, run[-1])
                before, run = run[-1], []
            after = keys[-1]
        absent = [key for key in rows if key not in present]
        for first in range(0, len(absent), _ROWS_AT_ONCE):
            yield absent[first : first + _ROWS_AT_ONCE], None

    # Reports

    def _difference(self, one: Unequal) -> Difference:
        key = self._key(one.identifier)
        public = one.identifier if key is None else self._layout.association.public_key(key)
        detail = {
            "missing": "the collection has no such document",
            "extra": "the table has no such row" if key is not None else "no row can have such an _id",
            "different": "the row and the document are not the same",
        }[one.kind]
        if self._asked.side is None:
            return Difference(self._asked.table, public, one.kind, _fields(one), f"{detail}; {UNDECIDED}", "")
        return Difference(self._asked.table, public, one.kind, _fields(one), detail, self._repair(one, key))

    def _repair(self, one: Unequal, key: KeyValues | None) -> str:
        if self._asked.side == "mysql":
            return "the document is removed" if one.row is None else "the document becomes what the row is"
        if one.document is None:
            return "the row is removed"
        return "" if key is None else "the row becomes what the document is"


def _fields(one: Unequal) -> tuple[str, ...]:
    """Which fields differ; where only their order does, none."""
    if one.row is None or one.document is None:
        return ()
    row, document = (bson.decode(image, CODEC_OPTIONS) for image in (one.row, one.document))
    return tuple(name for name in {**row, **document} if _image(row, name) != _image(document, name))


def _image(document: Mapping[str, Any], name: str) -> bytes:
    return bson.encode({name: document[name]} if name in document else {}, codec_options=CODEC_OPTIONS)


def _refused(difference: Difference, reason: str) -> Difference:
    return replace(difference, detail=f"{difference.detail}; it cannot be mended: {reason}", repair="")
