"""What a table of an earlier version lacks of its entity, and adding it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from crm_model.model import Entity, Record
from platform_store import (
    ColumnAttribute,
    ColumnDescription,
    Conflict,
    Index,
    Platform,
    SchemaError,
    TableDescription,
)

Placement: TypeAlias = Literal["mysql", "mongodb", "both"]


@dataclass(frozen=True)
class Addition:
    """A column as it is to be added, and where to."""

    column: ColumnAttribute
    to: Placement


@dataclass(frozen=True)
class Lacking:
    """What one table lacks. ``left``: what it has otherwise than its entity, and keeps, in words."""

    model: type[Record]
    columns: tuple[Addition, ...]
    indexes: tuple[Index, ...]
    left: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of what is to be added."""
        return (*(one.column.name for one in self.columns), *map(written, self.indexes))

    def add(self, platform: Platform) -> Iterator[str]:
        """Adds the columns, then the indexes; yields, in words, what rows stand against."""
        table = self.model.table
        for one in self.columns:
            _add_column(platform, table, one)
        for index in self.indexes:
            try:
                platform.add_index(table, index)
            except Conflict:
                yield f"{table} has no index {written(index)}: rows have equal values in it; mend them, then upgrade()"


def compare(platform: Platform, model: type[Record], collation: str) -> Lacking:
    """What the table of an entity lacks. Raises SchemaError where it is no table of the CRM."""
    entity, described = model.declaration, platform.describe(model.table)
    _check_key(described)
    there = {column.name: column for column in described.columns}
    declared = entity.attributes(collation)
    missing = [column for column in declared if column.name not in there]
    has_rows = bool(missing) and any(platform.scan(model.table, columns=["id"], batch_size=1))
    additions = tuple(_addition(entity, column, has_rows=has_rows) for column in missing)
    stores: dict[str, Placement] = {column.name: column.placement for column in described.columns}
    stores.update((one.column.name, one.to) for one in additions)
    wanted = [index for index in entity.all_indexes if index not in described.indexes]
    left = [
        *(_otherwise(model.table, there[column.name], column) for column in declared if column.name in there),
        *(_in_mysql_alone(model.table, one) for one in additions if entity.in_both),
        *(_out_of_reach(model.table, index) for index in wanted if not _possible(index, stores)),
    ]
    possible = tuple(index for index in wanted if _possible(index, stores))
    return Lacking(model, additions, possible, tuple(words for words in left if words))


def without_value(platform: Platform, model: type[Record], missing: Collection[str] = ()) -> Iterator[str]:
    """The columns that some rows have no value in and should have, in words.

    ``missing``: columns that are not there yet, in which no row will have a value but a default.
    """
    filled = {column.name for column in platform.describe(model.table).columns if not column.nullable}
    for name, one in model.derivations.items():
        if name in filled or one.source in missing:
            continue
        if any(one.by(value) is not None for value in _where_null(platform, model, name, one.source, missing)):
            yield f"{model.table}.{name} is not set in some rows: crm_model.fill_derived() sets it"
    for column in model.declaration.mysql_columns:
        given = column.nullable or (column.name in missing and column.default is not None)
        if given or column.name in model.derivations or column.name in filled:
            continue
        if any(True for _ in _where_null(platform, model, column.name, "id", missing)):
            yield f"{model.table}.{column.name} has no value in some rows: set it there"


def written(index: Index) -> str:
    """Its columns, as SQL has them."""
    return f"{'UNIQUE ' if index.unique else ''}({', '.join(index.columns)})"


def _check_key(described: TableDescription) -> None:
    key = [(column.name, column.type, column.auto_increment) for column in described.columns if column.key]
    if key != [("id", "BIGINT", True)]:
        raise SchemaError(
            "it has a different definition, whose key is not id BIGINT AUTO_INCREMENT: it is no table of the CRM",
            table=described.name,
        )


def _addition(entity: Entity, column: ColumnAttribute, *, has_rows: bool) -> Addition:
    """Rows that are there have no value for a column that asks for one, and MongoDB does not give them a default."""
    document = column.name in {one.name for one in entity.documents}
    to: Placement = "both" if entity.in_both else "mongodb" if document else "mysql"
    if not has_rows:
        return Addition(column, to)
    if column.default is not None:
        return Addition(column, "mysql" if to == "both" else to)
    return Addition(replace(column, nullable=True), to)


def _add_column(platform: Platform, table: str, one: Addition) -> None:
    try:
        platform.add_column(table, one.column, one.to)
    except SchemaError:
        if all(column.name != one.column.name for column in platform.describe(table).columns):
            raise  # else another process has just added it


def _possible(index: Index, stores: Mapping[str, Placement]) -> bool:
    """An index is over columns of one store, and a unique one is MySQL's."""
    if all(stores[name] != "mongodb" for name in index.columns):
        return True
    return not index.unique and all(stores[name] != "mysql" for name in index.columns)


def _out_of_reach(table: str, index: Index) -> str:
    return f"{table} has no index {written(index)}: its columns have been moved to MongoDB"


def _in_mysql_alone(table: str, one: Addition) -> str:
    if one.to == "both":
        return ""
    return (
        f"{table}.{one.column.name} is in MySQL alone: move_column({table!r}, {one.column.name!r}, to='both') copies it"
    )


def _otherwise(table: str, there: ColumnDescription, declared: ColumnAttribute) -> str:
    found, wanted = (there.type, there.collation), (declared.type, declared.collation)
    if found == wanted:
        return ""
    return f"{table}.{declared.name} is {_type(*found)}, not {_type(*wanted)}"


def _type(type_: str, collation: str | None) -> str:
    return f"{type_} COLLATE {collation}" if collation else type_


def _where_null(
    platform: Platform, model: type[Record], column: str, wanted: str, missing: Collection[str]
) -> Iterator[Any]:
    """What ``wanted`` holds in the rows without a value in ``column``: all rows, where the column is not there yet."""
    condition = "" if column in missing else f" WHERE `{column}` IS NULL"
    with platform.query(f"SELECT `{wanted}` FROM `{model.table}`{condition}") as result:  # noqa: S608  names of ours
        for (value,) in result:
            yield value
