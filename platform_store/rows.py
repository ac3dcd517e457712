"""Rows on their way to the two stores: checking and splitting. Pure. :mod:`platform_store.selection` is the way back.

Every value is checked by its column's codec whichever store the column lives in, so that a row is accepted or
rejected the same way wherever its columns are, and MySQL is only ever sent values that it stores unchanged.
"""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import repeat
from typing import Any, NamedTuple, get_args

import bson
from bson.decimal128 import Decimal128
from bson.objectid import ObjectId

from platform_store.association import Association, Column, KeyValues
from platform_store.errors import ValueRejected
from platform_store.halves import CODEC_OPTIONS
from platform_store.names import FIELD_PREFIX, RESERVED_FIELDS
from platform_store.records import ColumnValue, Key, OnConflict, Row

MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
"""MongoDB's limit for one document."""

_MAX_IMAGE_BYTES = MAX_DOCUMENT_BYTES - 64  # room for _rev

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


class _Step(NamedTuple):
    """One column of a row to be inserted, with what is asked of it at every row looked up once."""

    name: str
    field: str | None  # None: not in documents
    convert: Callable[[object], object] | None  # given values to the form of the one store that has the column
    column: Column


@lru_cache(maxsize=256)
def _steps(association: Association) -> tuple[_Step, ...]:
    return tuple(map(_step, association.columns))


def _step(column: Column) -> _Step:
    convert = None
    if not (column.key or column.generated or (column.in_mongodb and column.kept_in_mysql)):
        convert = column.codec.encode if column.in_mongodb else column.codec.check
    return _Step(column.name, column.field if column.in_mongodb else None, convert, column)


def new_row(association: Association, row: Row) -> NewRow:
    """Checks a whole row for insertion. Raises ValueRejected naming table, column and key."""
    return _new_row(association, _steps(association), row)


def new_rows(association: Association, rows: Iterable[Row]) -> list[NewRow]:
    """As :func:`new_row`, of each: a column at a time where all rows name the same ones."""
    together = list(rows)
    steps = _steps(association)
    return _alike(association, together) or [_new_row(association, steps, row) for row in together]


def _alike(association: Association, rows: Sequence[Any]) -> list[NewRow] | None:
    """Rows that name the same columns, a column at a time.

    None where they do not, where a default is to be filled in, or where a value is refused: going row by row finds out
    which one it is.
    """
    if len(rows) < 2 or any(type(row) is not dict for row in rows):
        return None
    names = rows[0].keys()
    if not names <= association.by_name.keys() or any(row.keys() != names for row in rows):
        return None
    mysql: dict[str, Sequence[object]] = {}
    document: dict[str, Sequence[object]] = {}
    keys: list[Sequence[object]] = []
    sparse = False
    try:
        for column in association.columns:
            if column.name in names:
                values = [row[column.name] for row in rows]
            elif (column.key and column.attribute.auto_increment) or (left := _left_out(column)) is _ABSENT:
                continue
            elif left is None:
                values = [None] * len(rows)
            else:
                return None
            lacking = type(None) in set(map(type, values))
            if column.generated or (lacking and not column.nullable):
                return None
            sparse = sparse or (lacking and column.in_mongodb)
            if column.in_mongodb and not column.kept_in_mysql:
                document[column.field] = _of_present(column.codec.column_encode, values, lacking)
                continue
            stored = _of_present(column.codec.column_check, values, lacking)
            if column.in_mongodb:
                document[column.field] = [None if value is None else column.codec.to_bson(value) for value in stored]
            if column.key:
                keys.append(stored)
            mysql[column.name] = stored
    except ValueRejected:
        return None
    documents: list[dict[str, Any]] = _dicts(document, len(rows))
    if sparse:
        documents = [{name: value for name, value in one.items() if value is not None} for one in documents]
    complete = len(keys) == len(association.key_columns)
    all_keys = zip(*keys, strict=True) if complete else repeat(None, len(rows))
    return list(map(NewRow, all_keys, _dicts(mysql, len(rows)), documents))


def _of_present(
    convert: Callable[[Sequence[object]], Sequence[object]], values: Sequence[object], lacking: bool
) -> Sequence[object]:
    """What ``convert`` makes of a column's values; None of None."""
    if not lacking:
        return convert(values)
    converted = iter(convert([value for value in values if value is not None]))
    return [None if value is None else next(converted) for value in values]


def _dicts(columns: Mapping[str, Sequence[object]], count: int) -> list[dict[str, object]]:
    """Rows of columns."""
    if not columns:
        return [{} for _ in range(count)]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _new_row(association: Association, steps: Sequence[_Step], row: Row) -> NewRow:
    given = _as_mapping(association, row)
    key: list[object] | None = []
    mysql: dict[str, object] = {}
    document: dict[str, Any] = {}
    taken, name = 0, None
    try:
        for name, field_name, convert, column in steps:
            value = given.get(name)
            if value is not None and convert is not None:
                taken += 1
                if field_name is None:
                    mysql[name] = convert(value)
                else:
                    document[field_name] = convert(value)
                continue
            present = value is not None or name in given
            taken += present
            if value is None and column.key and column.attribute.auto_increment:
                key = None
                continue
            stored = _checked(column, value) if present else _left_out(column)
            if stored is _ABSENT:
                continue
            if field_name is not None and stored is not None:
                document[field_name] = column.codec.to_bson(stored)
            if column.key and key is not None:
                key.append(stored)
            if column.kept_in_mysql:
                mysql[name] = stored
    except ValueRejected as error:
        raise error.at(association.name, name, _key_hint(association, given)) from None
    if taken < len(given):
        extra = {name: value for name, value in given.items() if name not in association.by_name}
        document.update(_extra_fields(association, extra, _key_hint(association, given)))
    return NewRow(None if key is None else tuple(key), mysql, document)


def _left_out(column: Column) -> object:
    """The stored value of a column that a row leaves out; _ABSENT where MySQL has its own."""
    if column.required:
        raise ValueRejected("it is missing, and the column has no default")
    return _ABSENT if column.server_default else column.attribute.default


def changes(association: Association, key: Key, given_changes: Row) -> Changes:
    """Checks the changes of an update. Raises ValueRejected."""
    given = dict(_as_mapping(association, given_changes))
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
        if column.kept_in_mysql:
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


def check_batching(table: str, batch_size: int, parameter: str = "batch_size") -> None:
    """ValueRejected unless it is a positive int."""
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueRejected(f"{parameter} is an int of at least 1", table=table)


def encode_image(association: Association, key: KeyValues, document: Mapping[str, Any]) -> bytes:
    """The full document of a row as BSON, without ``_rev``. Raises ValueRejected where MongoDB takes none so large."""
    image = bson.encode({"_id": association.encode_id(key), **document}, codec_options=CODEC_OPTIONS)
    if len(image) > _MAX_IMAGE_BYTES:
        raise ValueRejected(
            f"its document has {len(image)} bytes, MongoDB takes {MAX_DOCUMENT_BYTES}: keep large values elsewhere",
            table=association.name, key=association.public_key(key),
        )  # fmt: skip
    return image


class _Absent:
    __slots__ = ()


_ABSENT = _Absent()


def _as_mapping(association: Association, row: object) -> dict[str, object]:
    """The row as a dict, which may be the caller's own."""
    if type(row) is dict:
        return row
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
    return given


def _key_hint(association: Association, given: Mapping[str, object]) -> Key:
    """The key to name in an error, as the user spelled it."""
    parts = tuple(given.get(name) for name in association.key_names)
    return parts[0] if len(parts) == 1 else parts


def _stored(association: Association, column: Column, value: object, key: Key) -> object:
    try:
        return _checked(column, value)
    except ValueRejected as error:
        raise error.at(association.name, column.name, key) from None


def _checked(column: Column, value: object) -> object:
    if column.generated:
        raise ValueRejected("MySQL generates it: leave it out")
    if value is not None:
        return column.codec.check(value)
    if not column.nullable:
        raise ValueRejected("it cannot be NULL")
    return None


def _extra_fields(association: Association, given: Mapping[str, object], key: Key) -> Iterator[tuple[str, Any]]:
    for name, value in given.items():
        if not isinstance(name, str):
            raise ValueRejected(f"a column name is a str, not {type(name).__name__}", table=association.name)
        yield name, _extra_value(association, name, value, key)


def _extra_value(association: Association, name: str, value: object, key: Key) -> Any:
    def reject(reason: str) -> ValueRejected:
        return ValueRejected(reason, table=association.name, column=name, key=key)

    near = association.folded_names.get(name.casefold())
    if near is not None:
        raise reject(f"there is no such column: did you mean {near!r}?")
    if not association.extra:
        raise reject("there is no such column, and the table takes no extra fields")
    if name in RESERVED_FIELDS or name.startswith(FIELD_PREFIX):
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
