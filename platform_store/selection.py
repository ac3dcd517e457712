"""Rows on their way to an application: what to ask the two stores for, and how the halves become rows. Pure."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import compress
from typing import Any

from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId

from platform_store.association import Association, Column, KeyValues
from platform_store.codecs import Codec
from platform_store.errors import Diverged, SchemaError, ValueRejected


@dataclass(frozen=True, eq=False)  # one for each association and columns: statements are cached by it
class Selection:
    """The columns of a read: which come from MySQL (it answers for columns in both), which from the document."""

    association: Association
    mysql: tuple[Column, ...]  # the key columns first
    document: tuple[Column, ...]
    names: tuple[str, ...]  # declared columns and extra fields in the order of the result
    extra: bool  # every extra field the document has
    extra_names: frozenset[str]

    @cached_property
    def needs_document(self) -> bool:
        return bool(self.document) or self.extra or bool(self.extra_names)

    @cached_property
    def _fetched(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.mysql)

    @cached_property
    def _blank(self) -> dict[str, object]:
        return dict.fromkeys(self.names)

    @cached_property
    def _asked_for(self) -> tuple[bool, ...] | None:
        """Of each of ``mysql``, None where they all are: a key column is fetched even where it is not asked for."""
        asked_for = tuple(column.name in self._blank for column in self.mysql)
        return None if all(asked_for) else asked_for

    @cached_property
    def _shown(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.mysql if column.name in self._blank)

    @cached_property
    def _decoders(self) -> tuple[tuple[str, Callable[[Any], object]], ...]:
        """For those that are shown otherwise than the driver gives them."""
        shown = (column for column in self.mysql if column.name in self._blank)
        return tuple(
            (column.name, column.codec.from_sql)
            for column in shown
            if type(column.codec).from_sql is not Codec.from_sql
        )

    @cached_property
    def _fields(self) -> tuple[tuple[Column, str, str, Callable[[Any], object]], ...]:
        return tuple((column, column.name, column.field, _from_bson(column.codec)) for column in self.document)

    def merge(self, values: Sequence[object], document: Mapping[str, Any] | None, key: KeyValues) -> dict[str, object]:
        """One row as the user sees it, from MySQL's driver values (aligned with ``mysql``) and its document.

        The document may still hold ``_id`` and ``_rev``. It is given up: parts of it become parts of the row.
        """
        asked_for = self._asked_for
        row = self._blank.copy()
        row.update(zip(self._shown, values if asked_for is None else compress(values, asked_for), strict=True))
        for name, from_sql in self._decoders:
            if (value := row[name]) is not None:
                row[name] = from_sql(value)
        if document is None:
            document = {}
        for column, name, field_name, from_bson in self._fields:
            if (stored := document.get(field_name)) is not None:
                try:
                    row[name] = from_bson(stored)
                except ValueRejected as error:
                    raise _diverged(self.association, column, key, error) from None
        for name in self.extra_names:
            if name in document:
                row[name] = plain_value(document[name])
            else:
                del row[name]
        if self.extra:
            self._add_extra(row, document)
        return row

    def merge_many(
        self, values: Sequence[Sequence[object]], documents: Sequence[Mapping[str, Any]], keys: Sequence[KeyValues]
    ) -> list[dict[str, object]]:
        """As :meth:`merge`, of each, a column at a time."""
        alone = len(values) < 2 or self.extra_names or not self._blank
        columns = None if alone else self._columns(values, documents)
        if columns is None:
            return list(map(self.merge, values, documents, keys))
        rows = [dict(zip(self._blank, row, strict=True)) for row in zip(*columns, strict=True)]
        if self.extra:
            for row, document in zip(rows, documents, strict=True):
                self._add_extra(row, document)
        return rows

    def _columns(
        self, values: Sequence[Sequence[object]], documents: Sequence[Mapping[str, Any]]
    ) -> list[Sequence[object]] | None:
        """The columns of the result; None where one holds what it cannot: only row by row it is known where."""
        columns: dict[str, Sequence[object]] = dict(zip(self._fetched, zip(*values, strict=True), strict=True))
        for name, from_sql in self._decoders:
            columns[name] = [None if value is None else from_sql(value) for value in columns[name]]
        try:
            for column in self.document:
                stored = [document.get(column.field) for document in documents]
                columns[column.name] = column.codec.column_from_bson(stored)
        except ValueRejected:
            return None
        return [columns[name] for name in self._blank]

    def _add_extra(self, row: dict[str, object], document: Mapping[str, Any]) -> None:
        hidden = self.association.hidden_fields
        row.update((name, plain_value(value)) for name, value in document.items() if name not in hidden)


def select(association: Association, columns: Iterable[str] | None = None) -> Selection:
    """What to fetch for these columns (None: every declared column and all extra fields). Raises SchemaError."""
    wanted = (columns,) if isinstance(columns, str) else columns if columns is None else tuple(columns)
    return _selection(association, wanted)


@lru_cache(maxsize=1024)
def _selection(association: Association, wanted: tuple[str, ...] | None) -> Selection:
    if wanted is None:
        names = tuple(column.name for column in association.columns)
        return Selection(
            association, association.mysql_columns, association.document_only, names, association.extra, frozenset()
        )
    undeclared = frozenset(name for name in wanted if name not in association.by_name)
    for name in undeclared:
        if not association.extra or name in association.hidden_fields:
            raise SchemaError("there is no such column", table=association.name, column=name)
    return Selection(
        association,
        tuple(column for column in association.mysql_columns if column.key or column.name in wanted),
        tuple(column for column in association.document_only if column.name in wanted),
        wanted,
        False,
        undeclared,
    )


@lru_cache(maxsize=1024)
def whole_document(association: Association) -> Selection:
    """What to fetch for a row's document alone."""
    return Selection(association, association.key_columns, association.document_columns, (), True, frozenset())


_PLAIN = frozenset({str, int, float, bool, type(None), bytes, datetime.datetime, ObjectId, uuid.UUID})


def plain_value(value: object) -> object:
    """A document's own value (an extra field) in Python's own types: Decimal128 becomes Decimal, Int64 becomes int."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Decimal128):
        return value.to_decimal()
    if isinstance(value, Int64):
        return int(value)
    if isinstance(value, DBRef):  # what the driver makes of a document with the fields $ref and $id
        value = value.as_doc()
    if isinstance(value, Mapping):
        return {name: plain_value(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain_value(part) for part in value]
    return value


def _from_bson(codec: Codec) -> Callable[[Any], object]:
    """``codec.from_bson``, by the shorter way where public values are the stored ones."""
    plain = type(codec).from_bson is Codec.from_bson and type(codec).public is Codec.public
    return codec.stored_from_bson if plain else codec.from_bson


def _diverged(association: Association, column: Column, key: KeyValues, error: ValueRejected) -> Diverged:
    return Diverged(
        f"column {column.name!r} of its document is not stored as {column.type.ddl}: {error.reason}",
        table=association.name,
        key=association.public_key(key),
    )
