"""A logical table as a plain dictionary: what the library promises, said without any store.

:class:`Model` has the methods of ``Platform`` and ``Transaction`` that the tests call, with the same arguments, results
and errors, so that one call can be made on both and compared.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from bson.decimal128 import Decimal128

from platform_store import (
    ColumnAttribute,
    Conflict,
    JsonText,
    NotSupported,
    RowExists,
    RowNotFound,
    SchemaError,
    ValueRejected,
    WriteCounts,
)

Values = dict[str, Any]
KeyParts = tuple[Any, ...]

RESERVED = frozenset({"_id", "_rev", "_deleted"})


class Bad:
    """A value that no column and no field takes."""


class OneOf(frozenset[Any]):
    """Where an error may name any of several rows."""


def _bson(value: Any) -> Any:
    return Decimal128(value) if isinstance(value, Decimal) else value


def _cents(value: Decimal) -> Decimal:
    rounded = value.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    return rounded if rounded else rounded.copy_abs()


def _microseconds(value: datetime.datetime) -> str:
    return value.isoformat(sep=" ", timespec="microseconds")


def _json_bson(value: Any) -> Any:
    return {"_json": str(value)} if isinstance(value, JsonText) else value


READ_AS: Mapping[str, Callable[[Any], Any]] = {"DECIMAL(12,2)": _cents}
"""What a given value is read back as, by column type; itself elsewhere."""

IN_DOCUMENTS: Mapping[str, Callable[[Any], Any]] = {"DATETIME(6)": _microseconds, "JSON": _json_bson}
"""What documents hold for a value, by column type."""


@dataclass(frozen=True)
class Column:
    """``field``: its name inside documents."""

    attribute: ColumnAttribute
    placement: str
    field: str
    key: bool = False

    @property
    def name(self) -> str:
        return self.attribute.name

    @property
    def default(self) -> Any:
        return self.read_back(self.attribute.default)

    def read_back(self, value: Any) -> Any:
        """A value given, as it is read."""
        return None if value is None else READ_AS.get(self.attribute.type, lambda given: given)(value)

    @property
    def in_documents(self) -> bool:
        return self.placement != "mysql" and not self.key

    @property
    def required(self) -> bool:
        attribute = self.attribute
        return (self.key or not attribute.nullable) and attribute.default is None and not attribute.auto_increment


@dataclass(frozen=True)
class Stored:
    """One row. ``extra`` has the fields that a column hides, too."""

    values: Values
    extra: Values
    document: bool = True


@dataclass
class Model:
    """One logical table.

    ``unique``: the column of its unique index; ``indexed``: those of any; ``allocated``: AUTO_INCREMENT's next numbers;
    ``orphans``: whether empty documents may be left of rows deleted while the table had no documents.
    """

    table: str
    columns: list[Column]
    extra: bool = False
    unique: str | None = None
    indexed: set[str] = field(default_factory=set)
    rows: dict[KeyParts, Stored] = field(default_factory=dict)
    retired: set[str] = field(default_factory=set)
    orphans: bool = False
    allocated: Iterator[int] = field(default_factory=lambda: iter(()))

    # What is there

    @property
    def by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    @property
    def key_names(self) -> list[str]:
        return [column.name for column in self.columns if column.key]

    @property
    def automatic(self) -> bool:
        return self.columns[0].attribute.auto_increment

    @property
    def has_documents(self) -> bool:
        return self.extra or any(column.in_documents for column in self.columns)

    @property
    def hidden(self) -> set[str]:
        """Names that no extra field can have."""
        return {*RESERVED, *self.retired, *self.by_name, *(column.field for column in self.columns)}

    @property
    def documents(self) -> int:
        return sum(row.document for row in self.rows.values())

    def public(self, key: KeyParts) -> Any:
        return key[0] if len(key) == 1 else key

    def parts(self, key: Any) -> KeyParts:
        return key if isinstance(key, tuple) else (key,)

    def keys(self) -> list[Any]:
        return [self.public(key) for key in sorted(self.rows)]

    # Reading

    def read(
        self, table: str, key: Any, *, columns: Sequence[str] | None = None, for_update: bool = False
    ) -> Values | None:
        names = self._selected(columns)
        row = self.rows.get(self.parts(key))
        return None if row is None else self._shown(row, names)

    def read_many(self, table: str, keys: Iterable[Any], *, columns: Sequence[str] | None = None) -> list[Any]:
        return [self.read(table, key, columns=columns) for key in keys]

    def scan(
        self,
        table: str,
        start: Any = None,
        stop: Any = None,
        *,
        columns: Sequence[str] | None = None,
        batch_size: int = 1000,
    ) -> Iterator[Values]:
        names = self._selected(columns)
        return iter([self._shown(self.rows[key], names) for key in self._range(start, stop)])

    def read_collection(
        self, name: str, start: Any = None, stop: Any = None, *, batch_size: int = 1000
    ) -> Iterator[Values]:
        documents = [(key, self._document(self.rows[key])) for key in self._range(start, stop)]
        return iter([{"_id": self._identifier(key), **document} for key, document in documents if document])

    def _range(self, start: Any, stop: Any) -> list[KeyParts]:
        return [
            key
            for key in sorted(self.rows)
            if (start is None or key >= self.parts(start)) and (stop is None or key <= self.parts(stop))
        ]

    def _selected(self, columns: Sequence[str] | None) -> list[str] | None:
        """The names wanted; None: everything."""
        for name in columns or ():
            if name not in self.by_name and (not self.extra or name in self.hidden):
                raise SchemaError("no such column", table=self.table, column=name)
        return None if columns is None else list(columns)

    def _shown(self, row: Stored, names: list[str] | None) -> Values:
        visible = {name: value for name, value in row.extra.items() if name not in self.hidden}
        everything = {**row.values, **visible}
        return everything if names is None else {name: everything[name] for name in names if name in everything}

    def _document(self, row: Stored) -> Values:
        if not row.document:
            return {}
        columns = {
            column.field: IN_DOCUMENTS.get(column.attribute.type, _bson)(row.values[column.name])
            for column in self.columns
            if column.in_documents and row.values[column.name] is not None
        }
        return {**columns, **{name: _bson(value) for name, value in row.extra.items()}}

    def _identifier(self, key: KeyParts) -> Any:
        fields = [column.field for column in self.columns if column.key]
        return key[0] if len(key) == 1 else dict(zip(fields, key, strict=True))

    # Writing

    def write(self, table: str, row: Values, *, on_conflict: str = "error") -> Any:
        return self.public(self._put([row], on_conflict)[0])

    def write_many(
        self, table: str, rows: Sequence[Values], *, on_conflict: str = "error", batch_size: int = 1000
    ) -> WriteCounts:
        counts = WriteCounts()
        for first in range(0, len(rows), batch_size):
            counts += self._put(rows[first : first + batch_size], on_conflict)[1]
        return counts

    def _put(self, rows: Sequence[Values], on_conflict: str) -> tuple[Any, WriteCounts]:
        """All of them or none; one key (of a single row, its own) and the counts."""
        given = [self._new(row) for row in rows]
        named = [key for key, _ in given if key is not None]
        repeated = {key for number, key in enumerate(named) if key in self.rows or key in named[:number]}
        if on_conflict == "error" and repeated:
            raise RowExists(self.table, OneOf(map(self.public, repeated)))
        numbers = itertools.count()
        distinct: dict[KeyParts, Stored] = {}
        for key, row in given:
            identity = (_Unnumbered(next(numbers)),) if key is None else key
            if on_conflict == "replace" or identity not in distinct:
                distinct[identity] = row
        draft = dict(self.rows)
        fresh = {key: row for key, row in distinct.items() if key not in self.rows}
        draft.update(fresh)
        self._check_unique(draft, fresh)
        taken = [key for key in distinct if key not in fresh]
        if on_conflict == "replace":
            for key in taken:  # one after the other: a value may not pass through another row's
                draft[key] = distinct[key]
                self._check_unique(draft, [key])
        keys = [*fresh, *taken]
        for key in [key for key in fresh if isinstance(key[0], _Unnumbered)]:
            number = (next(self.allocated),)
            assert number not in draft, "AUTO_INCREMENT gave a number that is taken"
            stored = draft.pop(key)
            draft[number] = replace(stored, values={**stored.values, self.key_names[0]: number[0]})
            keys[keys.index(key)] = number
        self.rows = draft
        again = len(rows) - len(fresh)
        replaced, ignored = (again, 0) if on_conflict == "replace" else (0, again)
        return keys[0], WriteCounts(len(fresh), replaced, ignored)

    def update(self, table: str, key: Any, changes: Values, *, expect: Values | None = None) -> None:
        columns = {name: value for name, value in changes.items() if name in self.by_name}
        values: Values = {}
        for name, value in columns.items():
            if self.by_name[name].key:
                raise self._rejected(name, key)
            values[name] = self._value(self.by_name[name], value, key)
        extra = self._extra({name: value for name, value in changes.items() if name not in columns}, key)
        row = self.rows.get(self.parts(key))
        if row is None:
            raise RowNotFound(self.table, key)
        if expect is not None:
            self._check_expected(row, key, expect)
        touched = bool(extra) or any(self.by_name[name].in_documents for name in values)
        changed = Stored({**row.values, **values}, {**row.extra, **extra}, row.document or touched)
        draft = {**self.rows, self.parts(key): changed}
        self._check_unique(draft, [self.parts(key)])
        self.rows = draft

    def delete(self, table: str, key: Any) -> bool:
        return self.rows.pop(self.parts(key), None) is not None

    def delete_range(self, table: str, start: Any, stop: Any) -> int:
        keys = self._range(start, stop)
        for key in keys:
            del self.rows[key]
        return len(keys)

    def _new(self, row: Values) -> tuple[KeyParts | None, Stored]:
        parts = tuple(row.get(name) for name in self.key_names)
        hint = self.public(parts)
        values: Values = {}
        for column in self.columns:
            if column.attribute.auto_increment and row.get(column.name) is None:
                values[column.name] = None
            elif column.name in row:
                values[column.name] = self._value(column, row[column.name], hint)
            elif column.required:
                raise self._rejected(column.name, hint)
            else:
                values[column.name] = column.default
        extra = self._extra({name: value for name, value in row.items() if name not in values}, hint)
        return None if parts == (None,) else parts, Stored(values, extra, self.has_documents)

    def _value(self, column: Column, value: Any, key: Any) -> Any:
        if isinstance(value, Bad) or (value is None and (column.key or not column.attribute.nullable)):
            raise self._rejected(column.name, key)
        return column.read_back(value)

    def _extra(self, fields: Values, key: Any) -> Values:
        folded = {name.casefold() for name in self.by_name}
        for name, value in fields.items():
            if not self.extra or name in self.hidden or name.casefold() in folded or isinstance(value, Bad):
                raise self._rejected(name, key)
        return fields

    def _rejected(self, column: str, key: Any) -> ValueRejected:
        return ValueRejected("refused", table=self.table, column=column, key=key)

    def _check_expected(self, row: Stored, key: Any, expect: Values) -> None:
        current = self._shown(row, self._selected(list(expect)))
        differing = []
        for name, value in expect.items():
            column = self.by_name.get(name)
            wanted = value if column is None else column.read_back(value)
            if name not in current or not identical(current[name], wanted):
                differing.append(name)
        if differing:
            raise Conflict("not as expected", table=self.table, key=key, columns=tuple(differing))

    def _check_unique(self, draft: Mapping[KeyParts, Stored], written: Iterable[KeyParts]) -> None:
        """Conflict where a row written has the value of another; it may name the row, or none."""
        if self.unique is None:
            return
        for key in written:
            value = draft[key].values[self.unique]
            same = {one for one, row in draft.items() if value is not None and row.values[self.unique] == value}
            if len(same) > 1:
                named = {self.public(one) for one in same if not isinstance(one[0], _Unnumbered)}
                raise Conflict("unique", table=self.table, key=OneOf({None, *named}))

    # Changing the table

    def add_column(self, table: str, column: ColumnAttribute, to: str) -> None:
        """``field`` is known once the library has chosen it."""
        self._check_name(column.name, self.by_name)
        new = Column(column, to, "")
        if self.rows and (new.required or (new.in_documents and new.default is not None)):
            raise NotSupported(column.name)
        self.columns.append(new)
        self._each_row(lambda values: {**values, new.name: new.default})

    def drop_column(self, table: str, name: str) -> None:
        column = self.by_name.get(name)
        if column is None or column.key or name in self.indexed:
            raise SchemaError("it stays", table=self.table, column=name)
        self.columns.remove(column)
        if column.in_documents:
            self.retired.add(column.field)
        self.orphans |= not self.has_documents
        self._each_row(lambda values: {one: value for one, value in values.items() if one != name})

    def rename_column(self, table: str, old: str, new: str) -> None:
        if old not in self.by_name:
            raise SchemaError("no such column", table=self.table, column=old)
        self._check_name(new, [name for name in self.by_name if name != old])
        self.columns = [
            replace(one, attribute=replace(one.attribute, name=new)) if one.name == old else one for one in self.columns
        ]
        self.unique = new if self.unique == old else self.unique
        self.indexed = {new if name == old else name for name in self.indexed}
        self._each_row(lambda values: {new if name == old else name: value for name, value in values.items()})

    def discard_documents(self) -> None:
        lost = {column.name for column in self.columns if column.placement == "mongodb" and not column.key}
        self.rows = {
            key: Stored({name: None if name in lost else value for name, value in row.values.items()}, {}, False)
            for key, row in self.rows.items()
        }

    def _check_name(self, name: str, existing: Iterable[str]) -> None:
        if name.casefold() in {one.casefold() for one in existing}:
            raise SchemaError("taken", table=self.table, column=name)

    def _each_row(self, change: Callable[[Values], Values]) -> None:
        self.rows = {key: replace(row, values=change(row.values)) for key, row in self.rows.items()}


@dataclass(frozen=True)
class _Unnumbered:
    """Stands for the number that AUTO_INCREMENT will give a row."""

    position: int


def identical(one: Any, other: Any) -> bool:
    """Equal, and of equal types all the way down."""
    if isinstance(other, OneOf):
        return one in other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(identical(value, other[name]) for name, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(identical(*pair) for pair in pairs)
    plain = (bool, JsonText, str, int)  # BSON's Int64 is an int to a user
    types = [next((base for base in plain if isinstance(value, base)), type(value)) for value in (one, other)]
    return types[0] is types[1] and repr(one) == repr(other)
