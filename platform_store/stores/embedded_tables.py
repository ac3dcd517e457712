"""The tables in the file of the embedded pair, as SQLAlchemy sees them. Pure: makes expressions, runs nothing.

Tables are named by their id and columns by an encoding of their name: SQLite folds the case of names and reserves
some, logical names are arbitrary. No column has an affinity, so that a value is kept exactly as it is bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from platform_store.association import INTEGER_TYPES, Association, Column, KeyValues
from platform_store.names import OWN_PREFIX, REVISION
from platform_store.records import Index
from platform_store.stores.embedded_types import storage_for

OWN = sa.MetaData()


class AsBound(sa.types.UserDefinedType[Any]):
    """Values come back as they were bound: a column declared BLOB converts nothing, whatever is put into it."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "BLOB"


CATALOG = sa.Table(
    OWN_PREFIX + "table",
    OWN,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", AsBound, nullable=False, unique=True),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("state", AsBound, nullable=False),
    sa.Column("storage_format", sa.Integer, nullable=False),
    sa.Column("definition", AsBound, nullable=False),
    sqlite_autoincrement=True,  # an id is never given to a second table
)

REVISIONS = 0
SEQUENCE = sa.Table(
    OWN_PREFIX + "sequence",
    OWN,
    sa.Column("owner", sa.Integer, primary_key=True, autoincrement=False),  # REVISIONS, or a table's id
    sa.Column("last", sa.Integer, nullable=False),  # of a table: the highest key so far, in its stored form
)
"""Counters that only grow: an own table, because SQLite's AUTOINCREMENT cannot start below zero or count deletions."""

COLLECTION = sa.Table(
    OWN_PREFIX + "collection",
    OWN,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", AsBound, nullable=False, unique=True),
    sqlite_autoincrement=True,
)

DOCUMENT = sa.Table(
    OWN_PREFIX + "document",
    OWN,
    sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),  # the _rev of the row it belongs to
    sa.Column("collection", sa.Integer, nullable=False),
    sa.Column("identifier", AsBound, nullable=False),  # {_id: ...} as BSON
    sa.Column("image", AsBound, nullable=False),  # the whole document as BSON, without _rev
    sa.UniqueConstraint("collection", "identifier"),
)


JOB = sa.Table(
    OWN_PREFIX + "job",
    OWN,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("kind", AsBound, nullable=False),
    sa.Column("name", AsBound, nullable=False),
    sa.Column("status", AsBound, nullable=False),
    sa.Column("unfinished", AsBound),  # the name, while it has not ended
    sa.Column("owner", AsBound),
    sa.Column("lease", AsBound),  # seconds since 1970, as all processes on this machine have them
    sa.Column("heard", AsBound, nullable=False),
    sa.Column("spec", AsBound, nullable=False),
    sa.Column("state", AsBound, nullable=False),
    sa.UniqueConstraint("kind", "unfinished"),
    sqlite_autoincrement=True,
)

JOB_PART = sa.Table(
    OWN_PREFIX + "job_part",
    OWN,
    sa.Column("job", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("state", AsBound, nullable=False),
)


def creation() -> list[sa.Executable]:
    """What makes those of the library's own tables that a file lacks."""
    tables = [CreateTable(table, if_not_exists=True) for table in OWN.sorted_tables]
    return [*tables, sa.insert(SEQUENCE).prefix_with("OR IGNORE").values(owner=REVISIONS, last=0)]


def table_name(table_id: int) -> str:
    return f"{OWN_PREFIX}rows_{table_id}"


@lru_cache(maxsize=4096)
def column_name(name: str) -> str:
    """An ASCII name that differs, case aside, wherever two column names of a table may differ."""
    plain = (c if c.isascii() and (c.isalnum() or c == "_") else f"${ord(c):x}$" for c in name)
    return "c_" + "".join(plain)


@lru_cache(maxsize=1024)
def row_table(association: Association) -> sa.Table:
    """The table of a table's MySQL half: the key, the columns placed in MySQL, and ``_rev``."""
    keys = association.key_columns
    alias_of_rowid = len(keys) == 1 and keys[0].type.base in INTEGER_TYPES
    return sa.Table(
        table_name(association.table_id),
        sa.MetaData(),
        *(
            _column(column, sa.Integer() if column.key and alias_of_rowid else AsBound())
            for column in association.table_columns
        ),
        sa.Column(REVISION, sa.Integer, nullable=False, server_default="0"),
    )


def _column(column: Column, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    # A writer that knows a column to be gone from the catalog leaves it out before it is gone from the table: the
    # default is never seen, but lets that row in. NOT NULL itself is checked with every row.
    placeholder = None if column.nullable or column.key else "0"
    return sa.Column(
        column_name(column.name),
        kind,
        primary_key=column.key,
        autoincrement=False,
        nullable=column.nullable,
        server_default=placeholder,
    )


def row_indexes(association: Association) -> Iterator[sa.Index]:
    """The indexes over columns placed in MySQL."""
    for index in association.indexes:
        if all(association.by_name[name].in_mysql for name in index.columns):
            yield row_index(association, index)


def row_index(association: Association, index: Index) -> sa.Index:
    table = row_table(association)
    columns = [table.c[column_name(name)] for name in index.columns]
    return sa.Index(index_name(association, index), *columns, unique=index.unique)


def index_name(association: Association, index: Index) -> str:
    return f"{table_name(association.table_id)}_{association.index_number(index)}"


def physical(association: Association, name: str) -> sa.Column[Any]:
    return row_table(association).c[column_name(name)]


def key_columns(association: Association) -> list[sa.Column[Any]]:
    return [physical(association, name) for name in association.key_names]


def encode(column: Column, stored: object) -> Any:
    """A stored value, or NULL, as SQLite keeps it."""
    return None if stored is None else storage_for(column.type).encode(stored)


def decode(column: Column, value: Any) -> Any:
    return None if value is None else storage_for(column.type).decode(value)


def encode_key(association: Association, key: KeyValues) -> tuple[Any, ...]:
    return tuple(encode(column, part) for column, part in zip(association.key_columns, key, strict=True))


def decode_key(association: Association, values: Sequence[Any]) -> KeyValues:
    return tuple(decode(column, value) for column, value in zip(association.key_columns, values, strict=True))


def key_is(association: Association, key: KeyValues) -> sa.ColumnElement[bool]:
    parts = zip(key_columns(association), encode_key(association, key), strict=True)
    return sa.and_(*(column == value for column, value in parts))


def key_range(
    association: Association, start: KeyValues | None, stop: KeyValues | None, after: KeyValues | None = None
) -> sa.ColumnElement[bool]:
    """A key range in lexicographic order: both ends included, strictly after ``after``."""
    columns = key_columns(association)
    row: Any = columns[0] if len(columns) == 1 else sa.tuple_(*columns)

    def bound(key: KeyValues) -> Any:
        values = [sa.literal(value, AsBound()) for value in encode_key(association, key)]
        return values[0] if len(values) == 1 else sa.tuple_(*values)

    conditions: list[sa.ColumnElement[bool]] = []
    if after is not None:
        conditions.append(row > bound(after))
    elif start is not None:
        conditions.append(row >= bound(start))
    if stop is not None:
        conditions.append(row <= bound(stop))
    return sa.and_(sa.true(), *conditions)
