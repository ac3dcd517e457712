"""What a MySQL table consists of, beside its columns: indexes, comments, and what MongoDB has no counterpart for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any

from platform_store.association import Association, Column
from platform_store.names import check_column_names, check_field_name
from platform_store.stores.bulk import Layout, TableIndex
from platform_store.stores.mysql_metadata import foreign_columns
from platform_store.stores.mysql_session import MysqlSession

_SIZES = """
    SELECT COALESCE(TABLE_ROWS, 0), COALESCE(DATA_LENGTH, 0) FROM information_schema.TABLES
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s
"""
_INDEXES = """
    SELECT INDEX_NAME, COLUMN_NAME, NON_UNIQUE, INDEX_TYPE, SUB_PART, COLLATION FROM information_schema.STATISTICS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s AND INDEX_NAME <> 'PRIMARY' ORDER BY INDEX_NAME, SEQ_IN_INDEX
"""
_COLUMNS = """
    SELECT COLUMN_NAME, COLUMN_COMMENT, COLUMN_DEFAULT, EXTRA FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s ORDER BY ORDINAL_POSITION
"""
_KEYS_TO = """
    SELECT DISTINCT CONSTRAINT_NAME, REFERENCED_TABLE_NAME FROM information_schema.KEY_COLUMN_USAGE
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s AND REFERENCED_TABLE_NAME IS NOT NULL ORDER BY 1
"""
_KEYS_FROM = """
    SELECT DISTINCT CONSTRAINT_NAME, TABLE_NAME FROM information_schema.KEY_COLUMN_USAGE
    WHERE REFERENCED_TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_NAME = %s ORDER BY 1
"""
_CONSTRAINTS = """
    SELECT CONSTRAINT_NAME FROM information_schema.TABLE_CONSTRAINTS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s AND CONSTRAINT_TYPE = 'CHECK' ORDER BY 1
"""
_TRIGGERS = """
    SELECT TRIGGER_NAME, ACTION_TIMING, EVENT_MANIPULATION FROM information_schema.TRIGGERS
    WHERE EVENT_OBJECT_SCHEMA = DATABASE() AND EVENT_OBJECT_TABLE = %s ORDER BY 1
"""
_PARTITIONS = """
    SELECT COUNT(*) FROM information_schema.PARTITIONS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s AND PARTITION_NAME IS NOT NULL
"""
_JSON_COMMENTS = ('{"bson":"json"', '{"bson":"rest"')  # what a migration notes of the columns that it makes
_UNCACHED = "SET SESSION information_schema_stats_expiry = 0"  # MySQL remembers sizes for a day


def read_layout(session: MysqlSession, table: str) -> Layout:
    """See :meth:`platform_store.stores.bulk.RowSource.layout`."""
    columns, _ = foreign_columns(session, table)
    check_column_names(table, [column.name for column in columns])
    for column in columns:
        check_field_name(table, column.field)
    described = session.rows(_COLUMNS, [table])
    if session.mariadb:
        made = {str(name) for name, comment, *_ in described if str(comment).startswith(_JSON_COMMENTS)}
        columns = tuple(_as_json(column) if column.name in made else column for column in columns)
    else:
        session.execute(_UNCACHED)
    association = Association(table, 0, 1, tuple(replace(column, placement="both") for column in columns))
    ((rows, size),) = session.rows(_SIZES, [table])
    return Layout(
        association,
        indexes=read_indexes(session, table),
        comments={str(name): str(comment) for name, comment, *_ in described if comment},
        other=tuple(_other(session, table, association.columns, described)),
        rows=int(rows),
        bytes=int(size),
    )


def read_indexes(session: MysqlSession, table: str) -> tuple[TableIndex, ...]:
    """The indexes of a table beside its key."""
    return tuple(_indexes(session.rows(_INDEXES, [table])))


def _as_json(column: Column) -> Column:
    """A JSON column, which MariaDB describes as the text that it is there."""
    return replace(column, attribute=replace(column.attribute, type="JSON", collation=None))


def _indexes(rows: Iterable[tuple[Any, ...]]) -> Iterator[TableIndex]:
    for name, group in groupby(rows, key=lambda row: str(row[0])):
        parts = list(group)
        _, _, not_unique, kind, _, _ = parts[0]
        plain = all(column is not None for _, column, *_ in parts)
        yield TableIndex(
            name,
            tuple(str(column) for _, column, *_ in parts) if plain else (),
            unique=not not_unique,
            kind="SPATIAL" if kind == "RTREE" else str(kind),
            prefixed=kind == "BTREE" and any(length is not None for *_, length, _ in parts),
            descending=tuple(direction == "D" for *_, direction in parts),
        )


def _other(
    session: MysqlSession, table: str, columns: Iterable[Column], described: Iterable[tuple[Any, ...]]
) -> Iterator[str]:
    required = [column.name for column in columns if not column.key and not column.nullable]
    if required:
        yield f"NOT NULL of {', '.join(required)}"
    for name, _, default, extra in described:
        extra = str(extra).upper()
        if "AUTO_INCREMENT" in extra:
            yield f"AUTO_INCREMENT of {name}"
        elif "GENERATED" in extra.replace("DEFAULT_GENERATED", "") or "PERSISTENT" in extra:
            yield f"generated column {name}: its values are copied"
        elif default is not None and not (session.mariadb and default == "NULL"):
            yield f"default of {name}"
        if "ON UPDATE" in extra:
            yield f"ON UPDATE CURRENT_TIMESTAMP of {name}"
    for name, other in session.rows(_KEYS_TO, [table]):
        yield f"foreign key {name} to table {other}"
    for name, other in session.rows(_KEYS_FROM, [table]):
        yield f"foreign key of table {other}: {name} refers to this table"
    for (name,) in session.rows(_CONSTRAINTS, [table]):
        yield f"check {name}"
    for name, timing, event in session.rows(_TRIGGERS, [table]):
        yield f"trigger {name} ({timing} {event})"
    if session.rows(_PARTITIONS, [table]) != ((0,),):
        yield "partitions"
