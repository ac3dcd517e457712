"""What a good engineer writes without a framework: PyMySQL and PyMongo, one open connection each, nothing needless.

MySQL leads: a row is committed there first, and then its document is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.write_concern import WriteConcern
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from benchmarks.data import CustomerRow

ACKNOWLEDGED = WriteConcern(w=1, j=True)
MAJORITY = WriteConcern(w="majority", j=True)

BATCH = 1000

_CREATE = """
    CREATE TABLE {table} (
        id BIGINT NOT NULL PRIMARY KEY,
        name VARCHAR(80) NOT NULL,
        phone VARCHAR(20),
        vip_level TINYINT NOT NULL DEFAULT 0,
        credit_limit DECIMAL(12,2),
        created_at DATETIME
    ) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4
"""


class ByHand:
    """The customers of one table. Reads find whatever table they are pointed at, the library's too."""

    def __init__(
        self,
        connection: Connection[Cursor],
        database: Database[dict[str, Any]],
        table: str,
        *,
        begin: bool = True,
    ):
        """``connection`` is in autocommit mode: a read leaves no transaction open.

        ``begin``: single writes are in a transaction of their own, as a framework's are, so that more could follow in
        it. Without it each is one statement, which MySQL commits by itself: two round trips fewer.
        """
        self._connection, self._cursor = connection, connection.cursor()
        self._documents = database.get_collection(table, write_concern=ACKNOWLEDGED)
        self._in_bulk = database.get_collection(table, write_concern=MAJORITY)
        self._begin, self._create = begin, _CREATE.format(table=table)
        names = "id, name, phone, vip_level, credit_limit, created_at"
        self._insert = f"INSERT INTO {table} ({names}) VALUES (%s, %s, %s, %s, %s, %s)"
        self._update = f"UPDATE {table} SET vip_level = %s WHERE id = %s"
        self._delete_where = f"DELETE FROM {table} WHERE id"
        self._delete = f"{self._delete_where} = %s"
        self._select = f"SELECT {names} FROM {table} WHERE id = %s"
        self._select_many = f"SELECT {names} FROM {table} WHERE id IN %s"
        self._found = f"SELECT {names} FROM {table} WHERE id > %s AND vip_level = %s ORDER BY id LIMIT %s"
        self._page = f"SELECT {names} FROM {table} WHERE id > %s ORDER BY id LIMIT %s"

    def create(self) -> None:
        self._cursor.execute(self._create)

    def write(self, row: CustomerRow) -> None:
        self._execute(self._insert, _columns(row))
        self._documents.insert_one(_document(row))

    def write_many(self, rows: Sequence[CustomerRow]) -> None:
        """To a majority, so that a failover loses nothing."""
        for batch in batches(rows):
            self._write_batch(batch, self._in_bulk)

    def write_many_in_transaction(self, rows: Sequence[CustomerRow]) -> None:
        """As soon as one member has it."""
        for batch in batches(rows):
            self._write_batch(batch, self._documents)

    def _write_batch(self, rows: Sequence[CustomerRow], collection: Collection[dict[str, Any]]) -> None:
        self._connection.begin()
        self._cursor.executemany(self._insert, [_columns(row) for row in rows])
        self._connection.commit()
        collection.insert_many([_document(row) for row in rows], ordered=False)

    def update(self, key: int, vip_level: int, profile: Mapping[str, Any]) -> None:
        self._execute(self._update, (vip_level, key))
        self._documents.update_one({"_id": key}, {"$set": {"profile": profile}})

    def delete(self, key: int) -> None:
        self._execute(self._delete, (key,))
        self._documents.delete_one({"_id": key})

    def delete_range(self, first: int, last: int) -> None:
        self._execute(f"{self._delete_where} BETWEEN %s AND %s", (first, last))
        self._documents.delete_many({"_id": {"$gte": first, "$lte": last}})

    def read(self, key: int) -> CustomerRow | None:
        self._cursor.execute(self._select, (key,))
        row = self._cursor.fetchone()
        document = self._documents.find_one({"_id": key})
        return None if row is None or document is None else _merged(row, document)

    def read_many(self, keys: Sequence[int]) -> list[CustomerRow | None]:
        self._cursor.execute(self._select_many, (keys,))
        rows = {row[0]: row for row in self._cursor.fetchall()}
        documents = self._documents_of(keys)
        return [_merged(rows[key], documents[key]) if key in rows else None for key in keys]

    def find(self, after: int, vip_level: int, limit: int) -> list[CustomerRow]:
        self._cursor.execute(self._found, (after, vip_level, limit))
        rows = self._cursor.fetchall()
        documents = self._documents_of([row[0] for row in rows])
        return [_merged(row, documents[row[0]]) for row in rows]

    def scan(self, page_size: int) -> Iterator[CustomerRow]:
        last = -1
        while True:
            self._cursor.execute(self._page, (last, page_size))
            page = self._cursor.fetchall()
            documents = self._documents_of([row[0] for row in page])
            for row in page:
                yield _merged(row, documents[row[0]])
            if len(page) < page_size:
                return
            last = page[-1][0]

    def documents(self) -> Iterator[dict[str, Any]]:
        return iter(self._documents.find(batch_size=BATCH).sort("_id"))

    def settle(self) -> None:
        """Nothing is put off."""

    def _execute(self, statement: str, parameters: tuple[object, ...]) -> None:
        if not self._begin:
            self._cursor.execute(statement, parameters)
            return
        self._connection.begin()
        self._cursor.execute(statement, parameters)
        self._connection.commit()

    def _documents_of(self, keys: Sequence[int]) -> dict[int, dict[str, Any]]:
        if not keys:
            return {}
        # One batch: MongoDB sends 101 documents first unless told otherwise.
        found = self._documents.find({"_id": {"$in": keys}}, batch_size=len(keys))
        return {document["_id"]: document for document in found}


def batches(rows: Sequence[CustomerRow]) -> Iterator[Sequence[CustomerRow]]:
    return (rows[first : first + BATCH] for first in range(0, len(rows), BATCH))


def _columns(row: CustomerRow) -> tuple[object, ...]:
    return row["id"], row["name"], row["phone"], row["vip_level"], row["credit_limit"], row["created_at"]


def _document(row: CustomerRow) -> dict[str, Any]:
    return {"_id": row["id"], "profile": row["profile"], "notes": row["notes"], "visits": row["visits"]}


def _merged(row: Sequence[Any], document: Mapping[str, Any]) -> CustomerRow:
    return {
        "id": row[0],
        "name": row[1],
        "phone": row[2],
        "vip_level": row[3],
        "credit_limit": row[4],
        "created_at": row[5],
        "profile": document["profile"],
        "notes": document["notes"],
        "visits": document["visits"],
    }
