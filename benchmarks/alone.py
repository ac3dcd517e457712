"""One database instead of two: customers in MySQL alone, and in MongoDB alone.

Both give back what the others do: Python values, decimals as ``Decimal``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from bson.decimal128 import Decimal128
from pymongo.collection import Collection
from pymongo.database import Database
from pymysql.connections import Connection
from pymysql.cursors import Cursor, SSCursor

from benchmarks.by_hand import ACKNOWLEDGED, BATCH, MAJORITY, batches
from benchmarks.data import DOCUMENT_COLUMNS, MYSQL_COLUMNS, CustomerRow

_TABLE = "customer_alone"
_NAMES = (*MYSQL_COLUMNS, *DOCUMENT_COLUMNS)
_COLUMNS = ", ".join(_NAMES)
_CREATE = f"""
    CREATE TABLE {_TABLE} (
        id BIGINT NOT NULL PRIMARY KEY,
        name VARCHAR(80) NOT NULL,
        phone VARCHAR(20),
        vip_level TINYINT NOT NULL DEFAULT 0,
        credit_limit DECIMAL(12,2),
        created_at DATETIME,
        profile JSON,
        notes TEXT,
        visits JSON
    ) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4
"""


class MysqlAlone:
    """JSON columns in one table. ``connection`` is in autocommit mode: a statement is a transaction."""

    def __init__(self, connection: Connection[Cursor]):
        self._connection, self._cursor = connection, connection.cursor()
        self._insert = f"INSERT INTO {_TABLE} ({_COLUMNS}) VALUES ({', '.join(['%s'] * len(_NAMES))})"
        self._select = f"SELECT {_COLUMNS} FROM {_TABLE}"

    def create(self) -> None:
        self._cursor.execute(_CREATE)

    def write(self, row: CustomerRow) -> None:
        self._cursor.execute(self._insert, _values(row))

    def write_many(self, rows: Sequence[CustomerRow]) -> None:
        for batch in batches(rows):
            self._connection.begin()
            self._cursor.executemany(self._insert, [_values(row) for row in batch])
            self._connection.commit()

    write_many_in_transaction = write_many

    def update(self, key: int, vip_level: int, profile: dict[str, Any]) -> None:
        statement = f"UPDATE {_TABLE} SET vip_level = %s, profile = %s WHERE id = %s"
        self._cursor.execute(statement, (vip_level, json.dumps(profile, ensure_ascii=False), key))

    def delete(self, key: int) -> None:
        self._cursor.execute(f"DELETE FROM {_TABLE} WHERE id = %s", (key,))

    def delete_range(self, first: int, last: int) -> None:
        self._cursor.execute(f"DELETE FROM {_TABLE} WHERE id BETWEEN %s AND %s", (first, last))

    def read(self, key: int) -> CustomerRow | None:
        self._cursor.execute(f"{self._select} WHERE id = %s", (key,))
        row = self._cursor.fetchone()
        return None if row is None else _row(row)

    def read_many(self, keys: Sequence[int]) -> list[CustomerRow | None]:
        self._cursor.execute(f"{self._select} WHERE id IN %s", (keys,))
        found = {row[0]: _row(row) for row in self._cursor.fetchall()}
        return [found.get(key) for key in keys]

    def find(self, after: int, vip_level: int, limit: int) -> list[CustomerRow]:
        condition = "id > %s AND vip_level = %s ORDER BY id LIMIT %s"
        self._cursor.execute(f"{self._select} WHERE {condition}", (after, vip_level, limit))
        return [_row(row) for row in self._cursor.fetchall()]

    def scan(self, page_size: int) -> Iterator[CustomerRow]:
        last, page = -1, tuple[Any, ...]()
        while last < 0 or len(page) == page_size:
            self._cursor.execute(f"{self._select} WHERE id > %s ORDER BY id LIMIT %s", (last, page_size))
            page = self._cursor.fetchall()
            yield from map(_row, page)
            last = page[-1][0] if page else 0

    def documents(self) -> Iterator[dict[str, Any]]:
        with self._connection.cursor(SSCursor) as cursor:
            cursor.execute(f"SELECT id, {', '.join(DOCUMENT_COLUMNS)} FROM {_TABLE} ORDER BY id")
            for key, profile, notes, visits in cursor:
                yield {"_id": key, "profile": json.loads(profile), "notes": notes, "visits": json.loads(visits)}

    def settle(self) -> None:
        """Nothing is put off."""


class MongodbAlone:
    """One document for a row."""

    def __init__(self, database: Database[dict[str, Any]]):
        self._documents = database.get_collection(_TABLE, write_concern=ACKNOWLEDGED)
        self._in_bulk = database.get_collection(_TABLE, write_concern=MAJORITY)

    def create(self) -> None:
        self._documents.database.create_collection(_TABLE)

    def write(self, row: CustomerRow) -> None:
        self._documents.insert_one(_document(row))

    def write_many(self, rows: Sequence[CustomerRow]) -> None:
        self._write_many(self._in_bulk, rows)

    def write_many_in_transaction(self, rows: Sequence[CustomerRow]) -> None:
        self._write_many(self._documents, rows)

    def update(self, key: int, vip_level: int, profile: dict[str, Any]) -> None:
        self._documents.update_one({"_id": key}, {"$set": {"vip_level": vip_level, "profile": profile}})

    def delete(self, key: int) -> None:
        self._documents.delete_one({"_id": key})

    def delete_range(self, first: int, last: int) -> None:
        self._documents.delete_many({"_id": {"$gte": first, "$lte": last}})

    def read(self, key: int) -> CustomerRow | None:
        found = self._documents.find_one({"_id": key})
        return None if found is None else _customer(found)

    def read_many(self, keys: Sequence[int]) -> list[CustomerRow | None]:
        documents = self._documents.find({"_id": {"$in": keys}}, batch_size=len(keys))
        found = {document["_id"]: _customer(document) for document in documents}
        return [found.get(key) for key in keys]

    def find(self, after: int, vip_level: int, limit: int) -> list[CustomerRow]:
        found = self._documents.find({"_id": {"$gt": after}, "vip_level": vip_level}).sort("_id").limit(limit)
        return [_customer(document) for document in found]

    def scan(self, page_size: int) -> Iterator[CustomerRow]:
        yield from map(_customer, self._documents.find(batch_size=page_size).sort("_id"))

    def documents(self) -> Iterator[dict[str, Any]]:
        return iter(self._documents.find({}, dict.fromkeys(DOCUMENT_COLUMNS, 1), batch_size=BATCH).sort("_id"))

    def settle(self) -> None:
        """Nothing is put off."""

    def _write_many(self, collection: Collection[dict[str, Any]], rows: Sequence[CustomerRow]) -> None:
        for batch in batches(rows):
            collection.insert_many([_document(row) for row in batch], ordered=False)


def _values(row: CustomerRow) -> tuple[object, ...]:
    documents = (row["profile"], row["visits"])
    profile, visits = (json.dumps(value, ensure_ascii=False) for value in documents)
    return (*(row[name] for name in MYSQL_COLUMNS), profile, row["notes"], visits)


def _row(values: Sequence[Any]) -> CustomerRow:
    row = dict(zip(_NAMES, values, strict=True))
    row["profile"], row["visits"] = json.loads(row["profile"]), json.loads(row["visits"])
    return row


def _document(row: CustomerRow) -> dict[str, Any]:
    values = dict(row)
    return {"_id": values.pop("id"), **values, "credit_limit": Decimal128(row["credit_limit"])}


def _customer(document: dict[str, Any]) -> CustomerRow:
    row = {"id": document.pop("_id"), **document}
    row["credit_limit"] = row["credit_limit"].to_decimal()
    return row
