"""The CRM's tables as one plain database has them: every column in MySQL, nothing of the library."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from pymysql.connections import Connection
from pymysql.cursors import Cursor

from crm_model import Entity
from platform_store import ColumnAttribute, Index, JsonText

BATCH = 1000


def create(connection: Connection[Cursor], collation: str, entities: Iterable[Entity]) -> None:
    """The tables of the entities, with all their columns and indexes."""
    with connection.cursor() as cursor:
        for entity in entities:
            parts = [*map(_column, entity.attributes(collation)), "PRIMARY KEY (id)", *map(_index, entity.all_indexes)]
            cursor.execute(f"CREATE TABLE {entity.name} ({', '.join(parts)}) ENGINE=InnoDB")


def insert(connection: Connection[Cursor], entity: Entity, rows: Iterable[dict[str, Any]]) -> int:
    """Writes rows that all name the same columns in the same order; how many."""
    rows, written = iter(rows), 0
    documents = {column.name for column in entity.documents if column.type == "JSON"}
    with connection.cursor() as cursor:
        while batch := list(islice(rows, BATCH)):
            encoders = [_json if name in documents else _as_it_is for name in batch[0]]
            marks = ", ".join(["%s"] * len(encoders))
            statement = f"INSERT INTO {entity.name} ({', '.join(f'`{name}`' for name in batch[0])}) VALUES ({marks})"
            connection.begin()
            written += cursor.executemany(statement, [_encoded(encoders, row) for row in batch]) or 0
            connection.commit()
    return written


def _column(column: ColumnAttribute) -> str:
    collation = f" CHARACTER SET utf8mb4 COLLATE {column.collation}" if column.collation else ""
    default = "" if column.default is None else f" DEFAULT {column.default}"
    null = "NULL" if column.nullable and not column.auto_increment else "NOT NULL"
    return f"`{column.name}` {column.type}{collation} {null}{default}"


def _index(index: Index) -> str:
    return f"{'UNIQUE ' if index.unique else ''}KEY ({', '.join(index.columns)})"


def _encoded(encoders: Iterable[Callable[[Any], object]], row: dict[str, Any]) -> list[object]:
    return [encode(value) for encode, value in zip(encoders, row.values(), strict=True)]


def _json(value: Any) -> object:
    return value if value is None or isinstance(value, JsonText) else json.dumps(value, ensure_ascii=False)


def _as_it_is(value: Any) -> object:
    return value
