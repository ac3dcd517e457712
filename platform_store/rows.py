"""Rows between an application and the two stores: checking, splitting, merging. Pure.

Every value is checked by its column's codec whichever store the column lives in, so that a row is accepted or
rejected the same way wherever its columns are, and MySQL is only ever sent values that it stores unchanged.
"""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import bson
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId

from platform_store.association import Association, Column, KeyValues
from platform_store.errors import Diverged, SchemaError, ValueRejected
from platform_store.halves import CODEC_OPTIONS
from platform_store.names import RESERVED_FIELDS
from platform_store.records import ColumnValue, Key, OnConflict, Row

MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
"""MongoDB's limit for one document."""

_MAX_DEPTH = 90  # MongoDB accepts 100 levels; the document itself and the journal take some
_INT64 = range(-(2**63), 2**63)
_EXACT = decimal.Context(prec=34, traps=[decimal.Inexact, decimal.InvalidOperation])  # what Decimal128 can hold


@dataclass(frozen=True, slots=True)
class NewRow:
    """A checked row to insert. ``key`` is None where MySQL allocates it."""

    key: KeyValues | None
    mysql: dict[str, object]  # stored values by column name; a column that is absent takes MySQL's own default
    document: dict[str, Any]  # BSON values by field, NULLs left out


@dataclass(frozen=True, slots=True)
class Changes:
    """Checked changes to one row."""

    mysql: dict[str, object]
    document: dict[str, Any]
    removed: frozenset[str] = field(default_factory=frozenset)  # fields of columns that become NULL

    @property
    def touch_document(self) -> bool:
        return bool(self.document or self.removed)

    def merged_into(self, base: Mapping[str, Any]) -> dict[str, Any]:
        """The full image after the changes."""
        image = {name: value for name, value in base.items() if name not in self.removed}
        image.update(self.document)
        return image


def new_row(association: Association, row: Row) -> NewRow:
    """Checks a whole row for insertion. Raises ValueRejected naming table, column and key."""
    given = _as_mapping(association, row)
    key_hint = _key_hint(association, given)
    key: list[object] | None = []
    mysql: dict[str, object] = {}
    document: dict[str, Any] = {}
    for column in association.columns:
        value = given.pop(column.name, _ABSENT)
        if column.key and (value is None or value is _ABSENT) and column.attribute.auto_increment:
            key = None
            continue
        if value is _ABSENT:
            if column.required:
                raise ValueRejected(
                    "it is missing, and the column has no default", table=association.name, column=column.name,
                    key=key_hint,
                )  # fmt: skip
            if column.server_default:
                continue
            stored = column.attribute.default
        else:
            stored = _stored(association, column, value, key_hint)
        if column.key and key is not None:
            key.append(stored)
        if column.in_mysql:
            mysql[column.name] = stored
        if column.in_mongodb and stored is not None:
            document[column.field] = column.codec.to_bson(stored)
    document.update(_extra_fields(association, given, key_hint))
    return NewRow(None if key is None else tuple(key), mysql, document)


def changes(association: Association, key: Key, given_changes: Row) -> Changes:
    """Checks the changes of an update. Raises ValueRejected."""
    given = _as_mapping(association, given_changes)
    mysql: dict[str, object] = {}
    document: dict[str, Any] = {}
    removed = set()
    for name in [name for name in given if name in association.by_name]:
        column, value = association.by_name[name], given.pop(name)
        if column.key:
            raise ValueRejected(
                "a key column cannot be changed: write a new row and delete this one",
                table=association.name, column=name, key=key,
            )  # fmt: skip
        stored = _stored(association, column, value, key)
        if column.in_mysql:
            mysql[name] = stored
        if column.in_mongodb and stored is not None:
            document[column.field] = column.codec.to_bson(stored)
        elif column.in_mongodb:
            removed.add(column.field)
    document.update(_extra_fields(association, given, key))
    return Changes(mysql, document, frozenset(removed))


def check_on_conflict(on_conflict: str) -> None:
    """ValueRejected unless it is one of the three words."""
    if on_conflict not in get_args(OnConflict):
        raise ValueRejected(f"on_conflict is one of {', '.join(get_args(OnConflict))}")


def check_batching(table: str, batch_size: int) -> None:
    """ValueRejected unless ``batch_size`` is a positive int."""
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueRejected("batch_size is an int of at least 1", table=table)


def check_size(association: Association, key: Key, image: bytes) -> None:
    """ValueRejected where a document would be larger than MongoDB takes."""
    if len(image) > MAX_DOCUMENT_BYTES - 64:  # room for _rev
        raise ValueRejected(
            f"its document has {len(image)} bytes, MongoDB takes {MAX_DOCUMENT_BYTES}: keep large values elsewhere",
            table=association.name, key=key,
        )  # fmt: skip


def encode_image(association: Association, key: KeyValues, document: Mapping[str, Any]) -> bytes:
    """The full document of a row as BSON, without ``_rev``. Raises ValueRejected where it is too large."""
    image = bson.encode({"_id": association.encode_id(key), **document}, codec_options=CODEC_OPTIONS)
    check_size(association, association.public_key(key), image)
    return image


@dataclass(frozen=True)
class Selection:
    """The columns of a read: which come from MySQL (it answers for columns in both), which from the document."""

    association: Association
    mysql: tuple[Column, ...]
    document: tuple[Column, ...]
    names: tuple[str, ...]  # declared columns and extra fields in the order of the result
    extra: bool  # every extra field the document has
    extra_names: frozenset[str]

    @property
    def needs_document(self) -> bool:
        return bool(self.document) or self.extra or bool(self.extra_names)

    def merge(self, values: Sequence[object], document: Mapping[str, Any] | None, key: Key) -> dict[str, object]:
        """One row as the user sees it, from MySQL's driver values (aligned with ``mysql``) and its document."""
        row: dict[str, object] = dict.fromkeys(self.names)
        for column, value in zip(self.mysql, values, strict=True):
            if column.name in row:
                row[column.name] = None if value is None else column.codec.from_sql(value)
        if document is None:
            for name in self.extra_names:
                del row[name]
            return row
        for column in self.document:
            stored = document.get(column.field)
            if stored is not None:
                row[column.name] = _from_document(self.association, column, stored, key)
        for name in self.extra_names:
            if name in document and name not in self.association.hidden_fields:
                row[name] = plain_value(document[name])
            else:
                del row[name]
        if self.extra:
            hidden = self.association.hidden_fields
            row.update((name, plain_value(value)) for name, value in document.items() if name not in hidden)
        return row


def select(association: Association, columns: Iterable[str] | None = None) -> Selection:
    """What to fetch for these columns (None: every declared column and all extra fields). Raises SchemaError."""
    if columns is None:
        names = tuple(column.name for column in association.columns)
        return Selection(
            association, association.mysql_columns, association.document_only, names, association.extra, frozenset()
        )
    wanted = (columns,) if isinstance(columns, str) else tuple(columns)
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


def whole_document(association: Association) -> Selection:
    """What to fetch for a row's document alone."""
    return Selection(association, association.key_columns, association.document_columns, (), True, frozenset())


def plain_value(value: object) -> object:
    """A document's own value (an extra field) in Python's own types: Decimal128 becomes Decimal, Int64 becomes int."""
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


class _Absent:
    __slots__ = ()


_ABSENT = _Absent()


def _as_mapping(association: Association, row: object) -> dict[str, object]:
    if isinstance(row, Mapping):
        given = dict(row)
    elif isinstance(row, Sequence) and all(isinstance(part, ColumnValue) for part in row):
        given = {part.name: part.value for part in row}
        if len(given) != len(row):
            raise ValueRejected("the row names a column twice", table=association.name)
    else:
        raise ValueRejected(
            f"a row is a mapping or a sequence of ColumnValue, not {type(row).__name__}", table=association.name
        )
    for name in given:
        if not isinstance(name, str):
            raise ValueRejected(f"a column name is a str, not {type(name).__name__}", table=association.name)
    return given


def _key_hint(association: Association, given: Mapping[str, object]) -> Key:
    """The key to name in an error, as the user spelled it."""
    parts = tuple(given.get(name) for name in association.key_names)
    return parts[0] if len(parts) == 1 else parts


def _stored(association: Association, column: Column, value: object, key: Key) -> object:
    if column.generated:
        raise ValueRejected("MySQL generates it: leave it out", table=association.name, column=column.name, key=key)
    if value is None:
        if not column.nullable:
            raise ValueRejected("it cannot be NULL", table=association.name, column=column.name, key=key)
        return None
    try:
        return column.codec.check(value)
    except ValueRejected as error:
        raise error.at(association.name, column.name, key) from None


def _from_document(association: Association, column: Column, stored: object, key: Key) -> object:
    try:
        return column.codec.from_bson(stored)
    except ValueRejected as error:
        raise Diverged(
            f"column {column.name!r} of its document is not stored as {column.type.ddl}: {error.reason}",
            table=association.name, key=key,
        ) from None  # fmt: skip


def _extra_fields(association: Association, given: Mapping[str, object], key: Key) -> Iterator[tuple[str, Any]]:
    for name, value in given.items():
        yield name, _extra_value(association, name, value, key)


def _extra_value(association: Association, name: str, value: object, key: Key) -> Any:
    def reject(reason: str) -> ValueRejected:
        return ValueRejected(reason, table=association.name, column=name, key=key)

    near = association.folded_names.get(name.casefold())
    if near is not None:
        raise reject(f"there is no such column: did you mean {near!r}?")
    if not association.extra:
        raise reject("there is no such column, and the table takes no extra fields")
    if name in RESERVED_FIELDS:
        raise reject("the name is reserved")
    if name in association.hidden_fields:
        raise reject("a column of that name lived here before: choose another name")
    if not name or "." in name or name.startswith("$") or "\0" in name:
        raise reject("an extra field's name cannot be empty, hold '.' or NUL, or begin with '$'")
    try:
        return _bson_value(value, 0)
    except ValueError as error:
        raise reject(str(error)) from None


def _bson_value(value: object, depth: int) -> Any:
    """An undeclared value in the form BSON holds exactly; ValueError says why it cannot."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"it is nested deeper than {_MAX_DEPTH} levels")
    match value:
        case None | bool() | float() | ObjectId() | uuid.UUID():
            return value
        case int():
            if value not in _INT64:
                raise ValueError("an undeclared integer has at most 64 bits: declare a column for it")
            return value
        case str():
            if any(0xD800 <= ord(character) <= 0xDFFF for character in value):
                raise ValueError("it holds a lone surrogate, which is no text")
            return str(value)
        case bytes() | bytearray() | memoryview():
            return bytes(value)
        case decimal.Decimal() | Decimal128():
            number = value.to_decimal() if isinstance(value, Decimal128) else value
            try:
                return Decimal128(_EXACT.create_decimal(number))
            except decimal.DecimalException:
                raise ValueError("an undeclared decimal has at most 34 digits: declare a column for it") from None
        case datetime.datetime():
            if value.tzinfo is not None or value.microsecond % 1000:
                raise ValueError(
                    "an undeclared datetime is naive UTC in whole milliseconds: convert it, or declare a DATETIME(6)"
                )
            return value
        case Mapping():
            return {_field_name(name): _bson_value(part, depth + 1) for name, part in value.items()}
        case list() | tuple():
            return [_bson_value(part, depth + 1) for part in value]
    raise ValueError(f"BSON has no form for {type(value).__name__}: declare a column for it")


def _field_name(name: object) -> str:
    if not isinstance(name, str) or "\0" in name:
        raise ValueError("a nested field's name is a str without NUL")
    return name
