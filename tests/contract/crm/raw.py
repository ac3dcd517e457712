"""What the databases hold, seen past the library: every table with every column, every collection."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from typing import Any

import bson
import pymongo
from sqlalchemy.engine import make_url

from tests.contract.conftest import Backend
from tests.servers.databases import connect_sql


def places(backend: Backend, texts: Collection[str]) -> list[str]:
    """Where one of these texts is: table or collection, and which text."""
    wanted = {text: text.encode() for text in texts}
    return sorted({f"{place}: {text}" for place, row in _rows(backend) for text, its in wanted.items() if its in row})


def _rows(backend: Backend) -> Iterator[tuple[str, bytes]]:
    """Each row and document with the place where it is."""
    if not backend.real:
        yield from _of_file(backend.stores["path"])
        return
    yield from _of_tables(backend.stores["mysql"])
    with pymongo.MongoClient[dict[str, Any]](backend.stores["mongodb"]) as client:
        database = client.get_default_database()
        for name in database.list_collection_names():
            for document in database[name].find():
                yield f"collection {name}", bson.encode(document)


def _of_file(path: str) -> Iterator[tuple[str, bytes]]:
    with closing(sqlite3.connect(path)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            for row in connection.execute(f'SELECT * FROM "{name}"'):
                yield f"table {name}", _bytes(row)


def _of_tables(url: str) -> Iterator[tuple[str, bytes]]:
    database = make_url(url).database
    with connect_sql(url, database=database) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE()")
        columns: dict[str, list[str]] = {}
        for table, column in cursor.fetchall():
            columns.setdefault(table, []).append(f"`{column}`")  # invisible ones included
        for table, names in columns.items():
            cursor.execute(f"SELECT {', '.join(names)} FROM `{table}`")
            for row in cursor.fetchall():
                yield f"table {table}", _bytes(row)


def _bytes(row: tuple[Any, ...]) -> bytes:
    return b"\0".join(value if isinstance(value, bytes) else str(value).encode() for value in row)
