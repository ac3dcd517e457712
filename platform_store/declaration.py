"""Declaring a logical table: every check that comes before anything is created. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from platform_store.association import INTEGER_TYPES, TEXT_TYPES, Association, Column
from platform_store.codecs import codec_for
from platform_store.errors import SchemaError, ValueRejected
from platform_store.names import check_column_names, check_field_name
from platform_store.records import ColumnAttribute, Index, Placement
from platform_store.sqltypes import parse_type

_MAX_VARCHAR = 16_383  # MySQL's limit for utf8mb4


def declare(
    name: str,
    columns: Iterable[ColumnAttribute],
    flag: int,
    *,
    key: Sequence[str] | None = None,
    extra: bool = False,
    indexes: Iterable[Index] = (),
    key_collation: str,
    text_collation: str,
) -> Association:
    """The association that ``create_table`` with these arguments makes, fully checked. Raises SchemaError.

    Args:
        key_collation: the binary, no-pad collation that string key columns take where they name none.
        text_collation: what other text columns take where they name none.
    """
    attributes = list(columns)
    if not attributes:
        raise SchemaError("a table has at least one column", table=name)
    check_column_names(name, (attribute.name for attribute in attributes))
    key_names = [attributes[0].name] if key is None else [key] if isinstance(key, str) else list(key)
    if not key_names or key_names != [attribute.name for attribute in attributes[: len(key_names)]]:
        raise SchemaError(
            f"the key {key_names} is not the names of the leading columns: put the key columns first", table=name
        )
    _check_flag(name, flag, len(attributes), len(key_names))
    placed = tuple(
        _place(name, attribute, position, flag, len(key_names), key_collation, text_collation)
        for position, attribute in enumerate(attributes)
    )
    association = Association(name, 0, 1, placed, extra=extra, indexes=tuple(indexes))
    _check_auto_increment(association)
    for index in association.indexes:
        check_index(association, index)
    return association


def check_document_column(table: str, column: Column) -> None:
    """SchemaError where the column is placed in MongoDB and cannot be: its name, or characters other than Unicode's."""
    if column.placement == "mysql":
        return
    check_field_name(table, column.field)
    if column.type.base == "VARCHAR" and (column.type.length or 0) > _MAX_VARCHAR:
        raise SchemaError(
            f"a VARCHAR of utf8mb4 has at most {_MAX_VARCHAR} characters", table=table, column=column.name
        )
    collation = column.attribute.collation
    if collation is not None and not collation.startswith("utf8mb4_"):
        raise SchemaError(
            f"a text column in MongoDB has a utf8mb4 collation, not {collation}", table=table, column=column.name
        )


def checked_column(
    table: str, attribute: ColumnAttribute, *, key: bool = False, default_collation: str | None = None
) -> ColumnAttribute:
    """``attribute`` with its type, default and collation verified, the default in its stored form."""
    try:
        sql_type = parse_type(attribute.type)
    except SchemaError as error:
        raise SchemaError(error.reason, table=table, column=attribute.name) from None
    codec = codec_for(sql_type)
    if key and not codec.key:
        raise SchemaError(
            f"{sql_type.ddl} cannot be a primary key here: keys are integers, strings, BINARY(n), dates",
            table=table,
            column=attribute.name,
        )
    if attribute.collation is not None:
        if sql_type.base not in TEXT_TYPES:
            raise SchemaError(f"{sql_type.ddl} has no collation", table=table, column=attribute.name)
        if not attribute.collation.replace("_", "").isalnum() or not attribute.collation.isascii():
            raise SchemaError("that is not a collation name", table=table, column=attribute.name)
        if attribute.collation == "binary":
            raise SchemaError("text with the collation binary is bytes: declare a VARBINARY or BLOB", table=table,
                              column=attribute.name)  # fmt: skip
    default = attribute.default
    if default is not None:
        if key or attribute.auto_increment:
            raise SchemaError("a key or AUTO_INCREMENT column takes no default", table=table, column=attribute.name)
        try:
            default = codec.check(default)
        except ValueRejected as error:
            raise SchemaError(f"its default: {error.reason}", table=table, column=attribute.name) from None
    collation = attribute.collation
    if collation is None and sql_type.base in TEXT_TYPES:
        collation = default_collation
    return replace(
        attribute, type=sql_type.ddl, default=default, nullable=attribute.nullable and not key, collation=collation
    )


def check_index(association: Association, index: Index) -> None:
    """SchemaError unless the index is over columns of one store, and unique only in MySQL."""
    if not index.columns:
        raise SchemaError("an index has at least one column", table=association.name)
    columns = []
    for name in index.columns:
        if name not in association.by_name:
            raise SchemaError("an index names it, but there is no such column", table=association.name, column=name)
        columns.append(association.by_name[name])
    if len(set(index.columns)) != len(index.columns):
        raise SchemaError(f"the index {list(index.columns)} names a column twice", table=association.name)
    if all(column.in_mysql for column in columns):
        return
    if not all(column.in_mongodb for column in columns):
        raise SchemaError(
            f"the index {list(index.columns)} has columns of both stores: make one index in each",
            table=association.name,
        )
    if sum(column.type.base == "JSON" for column in columns) > 1:
        raise SchemaError(
            f"the index {list(index.columns)} has two JSON columns: MongoDB refuses documents with arrays in both",
            table=association.name,
        )
    if index.unique:
        raise SchemaError(
            f"the index {list(index.columns)} cannot be unique: uniqueness is kept in MySQL only",
            table=association.name,
        )


def _check_flag(table: str, flag: int, columns: int, keys: int) -> None:
    if not isinstance(flag, int) or isinstance(flag, bool):
        raise SchemaError(f"flag is an int, not {type(flag).__name__}", table=table)
    if flag != -1 and not keys - 1 <= flag < columns:
        raise SchemaError(
            f"flag {flag} is out of range: -1 (every column in both), or the index of the last column in MySQL, "
            f"from {keys - 1} (the key alone) to {columns - 1} (every column)",
            table=table,
        )


def _place(
    table: str,
    attribute: ColumnAttribute,
    position: int,
    flag: int,
    keys: int,
    key_collation: str,
    text_collation: str,
) -> Column:
    key = position < keys
    checked = checked_column(table, attribute, key=key, default_collation=key_collation if key else text_collation)
    placement: Placement = "both" if flag == -1 or key else "mysql" if position <= flag else "mongodb"
    column = Column(checked, placement, attribute.name, key=key)
    check_document_column(table, column)
    return column


def _check_auto_increment(association: Association) -> None:
    automatic = [column for column in association.columns if column.attribute.auto_increment]
    for column in automatic:
        if len(association.key_columns) != 1 or not column.key or column.type.base not in INTEGER_TYPES:
            raise SchemaError(
                "AUTO_INCREMENT is for a single integer key column", table=association.name, column=column.name
            )
