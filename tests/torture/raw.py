"""What the two databases hold when everything is done, seen past the library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pymongo import MongoClient
from pymysql.cursors import Cursor

from tests.servers.databases import connect_sql
from tests.torture.reading import TABLES
from tests.torture.rows import GROUPS, PAIR


@dataclass(frozen=True)
class Raw:
    """Rows compared with their documents, documents without a row (tombstones aside), and what is wrong."""

    rows: int
    orphans: int
    violations: list[str]


def inspect(mysql: str, mongodb: str) -> Raw:
    """Compares every row with the document of its key. The journal must be empty by now."""
    rows = orphans = 0
    violations: list[str] = []
    with (
        connect_sql(mysql, database=mysql.rpartition("/")[2]) as connection,
        connection.cursor() as cursor,
        MongoClient[dict[str, Any]](mongodb) as client,
    ):
        for table in TABLES:
            documents = {document["_id"]: document for document in client.get_default_database()[table].find()}
            found = _rows(cursor, table)
            rows += len(found)
            violations += _differences(table, found, documents)
            orphans += sum(key not in found for key, document in documents.items() if "_deleted" not in document)
    return Raw(rows, orphans, violations)


def _rows(cursor: Cursor, table: str) -> dict[Any, tuple[Any, ...]]:
    copies = [*GROUPS, "note"] if table == PAIR else []
    cursor.execute(f"SELECT {', '.join(f'`{name}`' for name in ['id', '_rev', *copies])} FROM `{table}`")
    return {row[0]: row[1:] for row in cursor.fetchall()}


def _differences(table: str, rows: dict[Any, tuple[Any, ...]], documents: dict[Any, dict[str, Any]]) -> Iterator[str]:
    names = ["_rev", *GROUPS, "note"]
    for key, values in rows.items():
        document = documents.get(key)
        if document is None or "_deleted" in document:
            yield f"row {key!r} of {table} has no document"
            continue
        for name, value in zip(names, values, strict=False):
            if document.get(name) != value:
                yield f"row {key!r} of {table} has {name} {value!r}, its document {document.get(name)!r}"
