"""What of a table or a collection, besides its rows, the other side gets too, and what it cannot get."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from platform_store.errors import Conflict, NotSupported, SchemaError, ValueRejected
from platform_store.migration.ends import Ends
from platform_store.shapes.target import Schema
from platform_store.sqltypes import BLOB_BYTES, GEOMETRY_TYPES, TEXT_BYTES
from platform_store.stores.bulk import CollectionShape, Layout, TableIndex

_NO_INDEX: Final = frozenset({"JSON", *TEXT_BYTES, *BLOB_BYTES, *GEOMETRY_TYPES})


class FieldIndex(NamedTuple):
    """An index of the source over fields of documents."""

    name: str
    fields: tuple[str, ...]
    unique: bool

    def __str__(self) -> str:
        return f"{'unique index' if self.unique else 'index'} {self.name} ({', '.join(self.fields)})"


class Carried(NamedTuple):
    """What came over, and what did not, in words."""

    carried: list[str]
    left: list[str]


def of_table(layout: Layout) -> tuple[list[FieldIndex], list[str]]:
    """The indexes that a collection can have, and what it cannot have of a table."""
    names = {column: field for field, column in Schema.from_layout(layout).column_of.items()}
    indexes, left = [], list(layout.other)
    for index in layout.indexes:
        fault = _fault(index, names)
        if fault:
            left.append(f"index {index.name}: {fault}")
        else:
            indexes.append(FieldIndex(index.name, tuple(names[column] for column in index.columns), index.unique))
    return indexes, left


def _fault(index: TableIndex, names: Mapping[str, str]) -> str:
    if index.kind != "BTREE":
        return f"it is a {index.kind} index"
    if not index.columns:
        return "it is over an expression"
    if index.prefixed:
        return "it is over the first characters of a column"
    parts = [names[column].removeprefix("_id.") for column in index.columns]
    if any("." in part or part.startswith("$") for part in parts):
        return "MongoDB makes no index over a field of such a name"
    return ""


def of_collection(shape: CollectionShape) -> tuple[list[FieldIndex], list[str]]:
    return [FieldIndex(*index) for index in shape.indexes], list(shape.other)


def to_collection(ends: Ends, layout: Layout) -> Carried:
    """Makes a table's indexes in its collection. May be repeated."""
    indexes, left = of_table(layout)
    carried = []
    for index in indexes:
        try:
            ends.collection.index(layout.association.name, index.fields, unique=index.unique)
        except (SchemaError, ValueRejected, NotSupported, Conflict) as error:
            left.append(f"{index}: {error}")
        else:
            carried.append(str(index))
    return Carried(carried, left)


def to_table(ends: Ends, layout: Layout, shape: CollectionShape) -> Carried:
    """Makes a collection's indexes in the table that was made for it. May be repeated."""
    indexes, left = of_collection(shape)
    schema = Schema.from_layout(layout)
    present = {index.name for index in ends.table.layout(layout.association.name).indexes}
    carried = []
    for index in indexes:
        fault = column_fault(index, schema, layout)
        if fault:
            left.append(f"{index}: {fault}")
            continue
        columns = tuple(schema.column_of[field] for field in index.fields)
        name = index.name[:64].rstrip()
        made = TableIndex(name, columns, index.unique, "BTREE", prefixed=False, descending=(False,) * len(columns))
        try:
            if name not in present:
                ends.table.index(layout, made)
        except (SchemaError, Conflict, NotSupported, ValueRejected) as error:
            left.append(f"{index}: {error}")
        else:
            carried.append(str(index))
    return Carried(carried, left)


def column_fault(index: FieldIndex, schema: Schema, layout: Layout) -> str:
    for field in index.fields:
        name = schema.column_of.get(field)
        if name is None:
            return f"{field!r} is no column of its own"
        if layout.association.by_name[name].type.base in _NO_INDEX:
            return f"MySQL makes no index over all of a column like {name!r}"
    return ""
