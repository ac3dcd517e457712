"""The DDL of the MySQL store that describes columns in full, compiled by SQLAlchemy Core. Pure: makes text.

SQLAlchemy quotes identifiers and assembles statements; a column's type text comes from the parsed
:class:`~platform_store.sqltypes.SqlType`, never from the user's spelling. Every statement has ``%`` doubled, like all
statements of the store.

Who makes a table imports this where it does: SQLAlchemy is a tenth of a second and more of a process's start, and most
processes make none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateColumn, CreateTable

from platform_store.association import Association, Column
from platform_store.names import REVISION, quote
from platform_store.stores.mysql_ddl import Literal, escaped, table_comment, type_text

_EXPRESSION_DEFAULTS = ("TEXT", "BLOB", "JSON", "GEOMETRY")  # MySQL takes DEFAULT (expression) here, no plain literal


class _Verbatim(sa.types.UserDefinedType[Any]):
    """A column type whose DDL text is given."""

    cache_ok = True

    def __init__(self, text: str):
        self.text = text

    def get_col_spec(self, **_: Any) -> str:
        return escaped(self.text)


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


def _column(column: Column, literal: Literal) -> sa.Column[Any]:
    attribute, text = column.attribute, type_text(column)
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
