"""The DDL of the MySQL store that describes no column in full, and the names in it. Pure: makes text, runs nothing.

Every statement has ``%`` doubled, like all statements of the store. See :mod:`platform_store.stores.mysql_create`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from platform_store.association import Association, Column
from platform_store.errors import SchemaError
from platform_store.names import REVISION, quote, quote_list
from platform_store.records import Index
from platform_store.stores.bulk import TableIndex

REVISION_DDL = f"{quote(REVISION)} BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE"

Literal: TypeAlias = Callable[[object], str]
"""Writes a value as a literal of a statement: the driver's own escaping."""


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
    kind = "UNIQUE INDEX" if index.unique else "INDEX"
    name = quote(index_name(association, index))
    return f"CREATE {kind} {name} ON {quote(association.name)} ({quote_list(index.columns)})"


def index_name(association: Association, index: Index, columns: Sequence[str] | None = None) -> str:
    """``columns``: their names where they will not be those of the index any more."""
    return f"{index_prefix(association, index)}{'_'.join(columns or index.columns)}"[:64].rstrip()


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


def drop_column(association: Association, column: Column) -> str:
    return f"ALTER TABLE {quote(association.name)} DROP COLUMN {quote(column.name)}"


def rename_column(association: Association, old: str, new: str, indexes: Iterable[tuple[str, str]]) -> str:
    """``indexes``: their names, now and then."""
    parts = [f"RENAME COLUMN {quote(old)} TO {quote(new)}"]
    parts += [f"RENAME INDEX {quote(now)} TO {quote(then)}" for now, then in indexes]
    return f"ALTER TABLE {quote(association.name)} {', '.join(parts)}"


def add_revision(name: str) -> str:
    return f"ALTER TABLE {quote(name)} ADD COLUMN {REVISION_DDL}"


def create_scratch(name: str, keys: Sequence[Column], columns: Sequence[Column], *, engine: str, mariadb: bool) -> str:
    """CREATE TEMPORARY TABLE with columns as declared but for defaults and NOT NULL; with ``_rev`` if it has a key."""
    lines = [f"{quote(column.name)} {escaped(_key_text(column, mariadb))} NOT NULL" for column in keys]
    lines += [f"{quote(REVISION)} BIGINT UNSIGNED NOT NULL"] if keys else []
    lines += [f"{quote(column.name)} {escaped(type_text(column))} NULL" for column in columns]
    lines += [f"PRIMARY KEY ({quote_list(column.name for column in keys)})"] if keys else []
    return f"CREATE TEMPORARY TABLE {quote(name)} ({', '.join(lines)}) ENGINE={engine} DEFAULT CHARSET=utf8mb4"


def create_shadow(
    name: str, keys: Sequence[str], columns: Sequence[Column], unique: Sequence[Sequence[str]], *, engine: str
) -> str:
    """CREATE TEMPORARY TABLE with columns as declared but for defaults, a key, and unique keys."""
    lines = [
        f"{quote(column.name)} {escaped(type_text(column))} {'NULL' if column.nullable else 'NOT NULL'}"
        for column in columns
    ]
    lines += [f"PRIMARY KEY ({quote_list(keys)})", *(f"UNIQUE KEY ({quote_list(names)})" for names in unique)]
    return f"CREATE TEMPORARY TABLE {quote(name)} ({', '.join(lines)}) ENGINE={engine} DEFAULT CHARSET=utf8mb4"


def _key_text(column: Column, mariadb: bool) -> str:
    """The type of a key column, compared by its bytes: a document belongs to the row whose key is its ``_id``.

    Under the collation of an adopted table 'abc' may equal 'ABC', and a document of either be another row's. Where the
    two collations meet, a binary one wins; of two binary ones neither does, so one that pads stays.
    """
    collation = column.attribute.collation
    if collation is None or column.binary_text or collation.endswith("_bin"):
        return type_text(column)
    charset = collation.split("_")[0]
    binary = f"{charset}_nopad_bin" if mariadb else "utf8mb4_0900_bin" if charset == "utf8mb4" else f"{charset}_bin"
    return f"{column.type.ddl} CHARACTER SET {charset} COLLATE {binary}"


def type_text(column: Column) -> str:
    text, collation = column.type.ddl, column.attribute.collation
    return text if collation is None else f"{text} CHARACTER SET {collation.split('_')[0]} COLLATE {collation}"


def escaped(text: str) -> str:
    return text.replace("%", "%%")
