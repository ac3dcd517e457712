"""The MySQL table that a collection becomes: for each field a column, and what the column's type does not tell.

What BSON tells apart and MySQL does not (an ObjectId and its digits, the width of an integer, an absent field and
null, the field's own name) is the column's *meaning*. It is kept in the column's comment as a short JSON object, so
that a table describes itself and goes back to MongoDB as it came. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as made_by
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias, cast, get_args

from platform_store.association import Column
from platform_store.declaration import declare
from platform_store.errors import SchemaError
from platform_store.records import ColumnAttribute
from platform_store.shapes.column_names import fold
from platform_store.sqltypes import BLOB_BYTES, INTEGER_BITS, TEXT_BYTES, SqlType, parse_type
from platform_store.stores.bulk import Layout

Meaning: TypeAlias = Literal[
    "plain", "int", "long", "integer", "double", "number", "decimal", "shortest-decimal", "string", "bool", "date",
    "objectId", "uuid", "binary", "json", "key", "rest",
]  # fmt: skip
"""How a column's values are read as BSON.

==================  ===================================================================================================
plain               the codec's BSON form of the column's type: a column that MySQL itself defined
int, long, integer  int32; int64; int32 where the number fits, int64 beyond
double, number      double; int32 where the number is integral and fits, double elsewhere, as JavaScript writes numbers
decimal             Decimal128 with all digits of the column's scale
shortest-decimal    Decimal128 without zeros at its end
string, bool, date  as in BSON
objectId, uuid      ObjectId; binary of subtype 4
binary              binary of the column's ``subtype``
json                any value that JSON tells, see :mod:`platform_store.shapes.json_form`
key                 ``_id``s of several types as text that sorts as they do: :mod:`platform_store.shapes.key_text`
rest                the exact forms of what the other columns do not tell: :mod:`platform_store.shapes.exact`
==================  ===================================================================================================
"""

REST: Final = "_bson"
EXACT: Final = "exact"
"""As a collation: the server's binary one without padding, which compares text as MongoDB does."""

MAX_COMMENT: Final = 1024  # characters, MySQL's limit
MAX_KEY_BYTES: Final = 3072  # InnoDB's limit
MAX_KEY_COLUMNS: Final = 16

_INTEGERS: Final = frozenset(INTEGER_BITS)
_TEXTS: Final = frozenset({"CHAR", "VARCHAR", *TEXT_BYTES})
_BYTES: Final = frozenset({"BINARY", "VARBINARY", *BLOB_BYTES})
_BASES: Final[Mapping[Meaning, frozenset[str]]] = {
    "int": _INTEGERS,
    "long": _INTEGERS,
    "integer": _INTEGERS,
    "double": frozenset({"DOUBLE"}),
    "number": frozenset({"DOUBLE"}),
    "decimal": frozenset({"DECIMAL"}),
    "shortest-decimal": frozenset({"DECIMAL"}),
    "string": _TEXTS,
    "bool": frozenset({"TINYINT"}),
    "date": frozenset({"DATETIME"}),
    "objectId": frozenset({"CHAR", "VARCHAR", "BINARY"}),
    "uuid": frozenset({"BINARY"}),
    "binary": _BYTES,
    "json": frozenset({"JSON"}),
    "key": frozenset({"VARCHAR"}),
    "rest": frozenset({"JSON"}),
}
_LENGTHS: Final[Mapping[tuple[Meaning, str], int]] = {
    ("objectId", "CHAR"): 24,
    ("objectId", "BINARY"): 12,
    ("uuid", "BINARY"): 16,
}


@dataclass(frozen=True)
class TargetColumn:
    """A column and the field that it holds.

    Args:
        name: the column's name.
        field: the field's, inside ``_id`` for a part of a composite key.
        type: MySQL's text.
        nulls: SQL NULL is a null in the document; else the field is absent.
        collation: MySQL's name, ``exact``, or None for the database's default.
        subtype: of a binary column's values.
        order: of a JSON column: names of keys in the order in which the objects have them.
        types: of a JSON column: what the strings and integers at a key stand for, by the key.
        note: for whoever reads the schema.
    """

    name: str
    field: str
    type: str
    meaning: Meaning = "plain"
    nulls: bool = False
    collation: str | None = None
    subtype: int = 0
    order: tuple[str, ...] = ()
    types: Mapping[str, str] = made_by(default_factory=dict)
    note: str = ""

    @cached_property
    def sql_type(self) -> SqlType:
        return parse_type(self.type)

    @property
    def comment(self) -> str:
        """The meaning as short JSON, ASCII only: MySQL's comments take no characters beyond U+FFFF."""
        if self.meaning == "plain" and self.field == self.name and not self.nulls:
            return ""
        told: dict[str, Any] = {"bson": self.meaning, "field": self.field}  # a rename in MySQL leaves the field alone
        if self.nulls:
            told["null"] = True
        if self.subtype:
            told["subtype"] = self.subtype
        if self.order:
            told["order"] = self.order
        if self.types:
            told["types"] = dict(self.types)
        return json.dumps(told, separators=(",", ":"))


@dataclass(frozen=True)
class Schema:
    """A table's columns; ``key`` comes first, ``rest`` is the column of exact forms (None: there is none).

    ``overflow``: fields that are known and have no column, each with the reason; they go to ``rest``.
    ``notes``: what else a reader should know before approving it.
    """

    table: str
    key: tuple[TargetColumn, ...]
    columns: tuple[TargetColumn, ...]
    rest: str | None = REST
    overflow: Mapping[str, str] = made_by(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[TargetColumn]:
        yield from self.key
        yield from self.columns

    @property
    def composite(self) -> bool:
        return len(self.key) > 1

    @cached_property
    def comments(self) -> Mapping[str, str]:
        """The comment of each column that has a meaning, by its name."""
        comments = {column.name: column.comment for column in self}
        if self.rest is not None:
            comments[self.rest] = json.dumps({"bson": "rest"}, separators=(",", ":"))
        return {name: comment for name, comment in comments.items() if comment}

    @cached_property
    def column_of(self) -> Mapping[str, str]:
        """The column of each field that has one of its own; of a composite key's parts by ``_id.part``."""
        parts = {f"_id.{column.field}" if self.composite else "_id": column.name for column in self.key}
        return {**parts, **{column.field: column.name for column in self.columns}}

    def exactly(self, fields: frozenset[str]) -> Schema:
        """The schema with these fields, where they are text, compared as MongoDB does: for unique indexes on them."""
        columns = tuple(
            replace(column, collation=EXACT) if column.field in fields and column.sql_type.base in _TEXTS else column
            for column in self.columns
        )
        return replace(self, columns=columns)

    def check(self) -> Schema:
        """The schema itself. Raises SchemaError, which names the column, where no table could be of this schema."""
        if not self.key:
            raise SchemaError("the schema has no key", table=self.table)
        if len(self.key) > MAX_KEY_COLUMNS:
            raise SchemaError(f"a key has at most {MAX_KEY_COLUMNS} columns", table=self.table)
        fields: set[tuple[bool, str]] = set()
        for column in self:
            _check_column(self.table, column)
            place = (self.composite and column in self.key, column.field)
            if place in fields:
                raise SchemaError("two columns hold the same field", table=self.table, column=column.name)
            fields.add(place)
        if not self.composite and self.key[0].field != "_id":
            raise SchemaError("the key column of one alone holds the field _id", table=self.table,
                              column=self.key[0].name)  # fmt: skip
        if any(column.field == "_id" for column in self.columns):
            raise SchemaError("the field _id is the key's", table=self.table)
        names = {fold(column.name) for column in self}
        if self.rest is not None and fold(self.rest) in names:
            raise SchemaError("the column of exact forms has the name of another", table=self.table, column=self.rest)
        return self

    def layout(self, *, key_collation: str, text_collation: str) -> Layout:
        """The table to be made. The collations are the row store's: of string keys, and of other text."""
        self.check()
        for column in self.key:
            if column.collation not in (None, EXACT, key_collation):
                reason = "a key compares as MongoDB's _ids do: leave the collation out, or exact"
                raise SchemaError(reason, table=self.table, column=column.name)

        def attribute(column: TargetColumn, *, key: bool) -> ColumnAttribute:
            collation = key_collation if column.collation == EXACT else column.collation
            return ColumnAttribute(column.name, column.type, nullable=not key, collation=collation)

        attributes = [attribute(column, key=True) for column in self.key]
        attributes += [attribute(column, key=False) for column in self.columns]
        if self.rest is not None:
            attributes.append(ColumnAttribute(self.rest, "JSON"))
        association = declare(
            self.table,
            attributes,
            -1,
            key=[column.name for column in self.key],
            key_collation=key_collation,
            text_collation=text_collation,
        )
        return Layout(association, (), self.comments, (), 0, 0)

    @classmethod
    def from_layout(cls, layout: Layout) -> Schema:
        """The schema of a table that is there, by its comments; a comment of any other form tells nothing."""
        association = layout.association
        composite = len(association.key_columns) > 1
        key, columns, rest = [], [], None
        for column in association.columns:
            told = _told(layout.comments.get(column.name, ""))
            if told.get("bson") == "rest" and column.type.base == "JSON":
                rest = column.name
            elif column.key:
                key.append(_column(column, told, column.field if composite else "_id"))
            else:
                columns.append(_column(column, told, column.field))
        return cls(association.name, tuple(key), tuple(columns), rest).check()

    def __str__(self) -> str:
        """For approval: every field, its column, and what does not survive in natural form."""
        rows = [
            (column.field, column.name, column.sql_type.ddl, column.meaning + (" or null" if column.nulls else ""),
             "key" if place < len(self.key) else "", column.note)
            for place, column in enumerate(self)
        ]  # fmt: skip
        if self.rest is not None:
            rows.append(("(exact forms)", self.rest, "JSON", "rest", "", "what the other columns do not tell"))
        lines = [f"table {self.table}", text_table(("field", "column", "type", "meaning", "", "note"), rows)]
        lines += [f"{name!r} goes to {self.rest}: {reason}" for name, reason in self.overflow.items()]
        return "\n".join([*lines, *self.notes])


def text_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns aligned by the widest of each, without trailing spaces."""
    lines = [list(headings), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _told(comment: str) -> Mapping[str, Any]:
    """What a comment tells, if it is one of ours."""
    if not comment.startswith('{"bson":'):
        return {}
    try:
        told = json.loads(comment)
    except json.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) and told.get("bson") in get_args(Meaning) else {}


def _column(column: Column, told: Mapping[str, Any], name: str) -> TargetColumn:
    """A column as its comment tells; where that does not fit the type any more, as MySQL defines it."""
    plain = TargetColumn(column.name, name, column.attribute.type, collation=column.attribute.collation)
    order, types, subtype = told.get("order", []), told.get("types", {}), told.get("subtype", 0)
    well_formed = isinstance(order, list) and isinstance(types, dict) and isinstance(subtype, int)
    if not told or not well_formed or not isinstance(told.get("field", ""), str):
        return plain
    found = replace(
        plain,
        field=told.get("field", name),
        meaning=cast("Meaning", told["bson"]),
        nulls=told.get("null") is True,
        subtype=subtype,
        order=tuple(map(str, order)),
        types={str(key): str(kind) for key, kind in types.items()},
    )
    return plain if _fault(found) else found


def _check_column(table: str, column: TargetColumn) -> None:
    try:
        fault = _fault(column)
    except SchemaError as error:
        fault = error.reason
    if fault:
        raise SchemaError(fault, table=table, column=column.name)


def _fault(column: TargetColumn) -> str:
    sql_type, meaning = column.sql_type, column.meaning
    if meaning not in get_args(Meaning):
        return f"there is no meaning {meaning!r}: it is one of {', '.join(get_args(Meaning))}"
    bases = _BASES.get(meaning)
    if bases is not None and sql_type.base not in bases:
        return f"a column of meaning {meaning} is {' or '.join(sorted(bases))}, not {sql_type.ddl}"
    length = _LENGTHS.get((meaning, sql_type.base))
    if length is not None and sql_type.length != length:
        return f"a column of meaning {meaning} is {sql_type.base}({length}), not {sql_type.ddl}"
    if meaning == "rest":
        return "the column of exact forms is named by itself, not among the columns"
    if len(column.comment) > MAX_COMMENT:
        return f"what its comment would tell is longer than {MAX_COMMENT} characters"
    return ""
