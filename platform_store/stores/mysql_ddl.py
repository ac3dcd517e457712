"""The DDL of the MySQL store, compiled by SQLAlchemy Core. Pure: makes text, runs nothing.

SQLAlchemy quotes identifiers and assembles statements; a column's type text comes from the parsed
:class:`~platform_store.sqltypes.SqlType`, never from the user's spelling. Every statement has ``%`` doubled, like all
statements of the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable

from platform_store.association import Association, Column
from platform_store.errors import SchemaError
from platform_store.names import REVISION, quote, quote_list
from platform_store.records import Index
from platform_store.stores.bulk import TableIndex

REVISION_DDL = f"{quote(REVISION)} BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE"

_EXPRESSION_DEFAULTS = ("TEXT", "BLOB", "JSON", "GEOMETRY")  # MySQL takes DEFAULT (expression) here, no plain literal


Literal: TypeAlias = Callable[[object], str]
"""Writes a value as a literal of a statement: the driver's own escaping."""


class _Verbatim(sa.types.UserDefinedType[Any]):
    """A column type whose DDL text is given."""

    cache_ok = True

    def __init__(self, text: str):
        self.text = text

    def get_col_spec(self, **_: Any) -> str:
        return _escaped(self.text)


def create_table(association: Association, literal: Literal) -> str:
    """CREATE TABLE for the MySQL half: the key, the columns placed in MySQL, ``_rev``, and their indexes."""
    table = _table(association, [_column(column, literal) for column in association.table_columns])
    table.append_column(sa.Column(REVISION, _Verbatim("BIGINT UNSIGNED INVISIBLE"), nullable=False, server_default="0"))
    return _compile(CreateTable(table))


def create_plain(association: Association, comments: Mapping[str, str], literal: Literal) -> str:
    """CREATE TABLE for a table of no association: no ``_rev``, the columns' comments, no index but the key."""
    columns = [_column(column, literal) for column in association.columns]
    for column in columns:
        column.comment = comments.get(column.name)
    table = sa.Table(
        association.name,
        sa.MetaData(),
        *columns,
        mysql_engine="InnoDB",
        mysql_default_charset="utf8mb4",
        quote=True,
    )
    return _compile(CreateTable(table))


def create_plain_index(association: Association, index: TableIndex) -> str:
    """CREATE INDEX for an index as MySQL has it elsewhere. Raises SchemaError for one with parts of columns."""
    if not index.columns or index.prefixed or index.kind not in ("BTREE", "FULLTEXT", "SPATIAL"):
        raise SchemaError(f"the index {index.name} is not over whole columns", table=association.name)
    kind = "UNIQUE " if index.unique else f"{index.kind} " if index.kind != "BTREE" else ""
    ordered = zip(index.columns, index.descending, strict=True)
    columns = ", ".join(f"{quote(name)}{' DESC' if descending else ''}" for name, descending in ordered)
    return f"CREATE {kind}INDEX {quote(index.name)} ON {quote(association.name)} ({columns})"


def create_index(association: Association, index: Index) -> str:
    """CREATE INDEX for an index over MySQL columns."""
    table = _table(association, [sa.Column(name, quote=True) for name in index.columns])
    columns = (table.c[name] for name in index.columns)
    return _compile(CreateIndex(sa.Index(index_name(association, index), *columns, unique=index.unique)))


def index_name(association: Association, index: Index) -> str:
    return f"{index_prefix(association, index)}{'_'.join(index.columns)}"[:64].rstrip()


def index_prefix(association: Association, index: Index) -> str:
    """What the name of an index begins with, whatever its columns were called when it was made."""
    return f"{'uq' if index.unique else 'ix'}_{association.index_number(index)}_"


def drop_index(association: Association, name: str) -> str:
    return f"DROP INDEX {quote(name)} ON {quote(association.name)}"


def table_comment(association: Association) -> str:
    """Marks the table as created for one association, so that an undo never drops anybody else's."""
    return f"platform_store table {association.table_id}"


def drop_table(name: str) -> str:
    return f"DROP TABLE IF EXISTS {quote(name)}"


def add_column(association: Association, column: Column, literal: Literal) -> str:
    table = _table(association, [_column(column, literal)])
    position = ""
    if column.name in association.by_name:
        names = [one.name for one in association.table_columns]
        position = f" AFTER {quote(names[names.index(column.name) - 1])}"  # the key columns come first
    return f"ALTER TABLE {quote(association.name)} ADD COLUMN {_compile(CreateColumn(table.c[column.name]))}{position}"


def modify_column(association: Association, column: Column, literal: Literal) -> str:
    table = _table(association, [_column(column, literal)])
    return f"ALTER TABLE {quote(association.name)} MODIFY COLUMN {_compile(CreateColumn(table.c[column.name]))}"


def drop_column(association: Association, column: Column) -> str:
    return f"ALTER TABLE {quote(association.name)} DROP COLUMN {quote(column.name)}"


def rename_column(association: Association, old: str, new: str) -> str:
    return f"ALTER TABLE {quote(association.name)} RENAME COLUMN {quote(old)} TO {quote(new)}"


def add_revision(name: str) -> str:
    return f"ALTER TABLE {quote(name)} ADD COLUMN {REVISION_DDL}"


def _table(association: Association, columns: list[sa.Column[Any]]) -> sa.Table:
    return sa.Table(
        association.name,
        sa.MetaData(),
        *columns,
        comment=table_comment(association),
        mysql_engine="InnoDB",
        mysql_default_charset="utf8mb4",
        quote=True,
    )


def create_scratch(name: str, keys: Sequence[Column], columns: Sequence[Column], *, engine: str, mariadb: bool) -> str:
    """CREATE TEMPORARY TABLE with columns as declared but for defaults and NOT NULL; with ``_rev`` if it has a key."""
    lines = [f"{quote(column.name)} {_escaped(_key_text(column, mariadb))} NOT NULL" for column in keys]
    lines += [f"{quote(REVISION)} BIGINT UNSIGNED NOT NULL"] if keys else []
    lines += [f"{quote(column.name)} {_escaped(_type_text(column))} NULL" for column in columns]
    lines += [f"PRIMARY KEY ({quote_list(column.name for column in keys)})"] if keys else []
    return f"CREATE TEMPORARY TABLE {quote(name)} ({', '.join(lines)}) ENGINE={engine} DEFAULT CHARSET=utf8mb4"


def _key_text(column: Column, mariadb: bool) -> str:
    """The type of a key column, compared by its bytes: a document belongs to the row whose key is its ``_id``.

    Under the collation of an adopted table 'abc' may equal 'ABC', and a document of either be another row's. Where the
    two collations meet, a binary one wins; of two binary ones neither does, so one that pads stays.
    """
    collation = column.attribute.collation
    if collation is None or column.binary_text or collation.endswith("_bin"):
        return _type_text(column)
    charset = collation.split("_")[0]
    binary = f"{charset}_nopad_bin" if mariadb else "utf8mb4_0900_bin" if charset == "utf8mb4" else f"{charset}_bin"
    return f"{column.type.ddl} CHARACTER SET {charset} COLLATE {binary}"


def _type_text(column: Column) -> str:
    text, collation = column.type.ddl, column.attribute.collation
    return text if collation is None else f"{text} CHARACTER SET {collation.split('_')[0]} COLLATE {collation}"


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _column(column: Column, literal: Literal) -> sa.Column[Any]:
    attribute, text = column.attribute, _type_text(column)
    if attribute.auto_increment:
        text += " AUTO_INCREMENT"
    return sa.Column(
        column.name,
        _Verbatim(text),
        primary_key=column.key,
        autoincrement=False,
        nullable=column.nullable,
        server_default=None if attribute.default is None else sa.literal_column(_default(column, literal)),
        quote=True,
    )


def _default(column: Column, literal: Literal) -> str:
    text = literal(column.codec.to_sql(column.attribute.default))
    return f"({text})" if column.type.base.endswith(_EXPRESSION_DEFAULTS) else text


def _compile(element: Any) -> str:
    return str(element.compile(dialect=mysql.dialect())).strip()
