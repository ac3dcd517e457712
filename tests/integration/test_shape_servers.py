"""Documents of any BSON through real servers: MongoDB, a table inferred from them in MySQL or MariaDB, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import bson
import pytest
from bson import DBRef, Decimal128, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.binary import Binary
from bson.code import Code
from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import MongoClient
from pymysql.connections import Connection
from pymysql.cursors import Cursor
from sqlalchemy.engine import make_url

from platform_store.halves import CODEC_OPTIONS
from platform_store.names import quote
from platform_store.shapes.elements import decoded, elements
from platform_store.shapes.infer import Inference
from platform_store.shapes.row_size import MAX_COLUMNS
from platform_store.shapes.shape import Shape
from platform_store.shapes.target import Schema
from platform_store.stores.bulk import Layout
from tests.bson_documents import IDS, documents, object_id
from tests.integration.conftest import Servers
from tests.servers.databases import connect_sql, fresh_mongodb_database, fresh_sql_database

pytestmark = pytest.mark.real

COMMENTS = "SELECT COLUMN_NAME, COLUMN_COMMENT FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()"


@dataclass(frozen=True)
class Sql:
    """A connection to a database of its own, in the session state that the library uses."""

    connection: Connection[Cursor]
    mariadb: bool

    def run(self, statement: str, parameters: Sequence[object] | None = None) -> Sequence[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall()

    def layout(self, schema: Schema) -> Layout:
        binary = "utf8mb4_nopad_bin" if self.mariadb else "utf8mb4_0900_bin"
        general = "utf8mb4_general_ci" if self.mariadb else "utf8mb4_0900_ai_ci"
        return schema.layout(key_collation=binary, text_collation=general)

    def create(self, layout: Layout) -> None:
        """The table, its columns described by their comments."""
        lines = []
        for column in layout.association.columns:
            collation = column.attribute.collation
            line = f"{quote(column.name)} {column.type.ddl}"
            line += f" CHARACTER SET utf8mb4 COLLATE {collation}" if collation else ""
            line += " NOT NULL" if column.key else " NULL"
            comment = layout.comments.get(column.name, "")
            lines.append(f"{line} COMMENT {self.connection.escape(comment)}".replace("%%", "%"))
        key = ", ".join(quote(name) for name in layout.association.key_names).replace("%%", "%")
        self.run("DROP TABLE IF EXISTS t")
        self.run(f"CREATE TABLE t ({', '.join(lines)}, PRIMARY KEY ({key})) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4")

    def insert(self, layout: Layout, row: dict[str, Any]) -> None:
        association = layout.association
        key = association.decode_id(row["_id"])
        values = dict(zip(association.key_names, key, strict=True))
        for column in association.document_columns:
            if row.get(column.name) is not None:
                values[column.name] = column.codec.stored_from_bson(row[column.name])
        names = ", ".join(quote(name) for name in values)
        parameters = [association.by_name[name].codec.to_sql(value) for name, value in values.items()]
        self.run(f"INSERT INTO t ({names}) VALUES ({', '.join(['%s'] * len(values))})", parameters)

    def rows(self, layout: Layout) -> list[dict[str, Any]]:
        """All rows as documents."""
        columns = layout.association.columns
        exact = ", ".join(column.codec.exact_sql(quote(column.name)) for column in columns)
        found = []
        for values in self.run(f"SELECT {exact} FROM t", []):
            stored = {
                column.name: column.codec.from_exact(value)
                for column, value in zip(columns, values, strict=True)
                if value is not None
            }
            key = tuple(stored[name] for name in layout.association.key_names)
            row = {"_id": layout.association.encode_id(key)}
            for column in layout.association.document_columns:
                if column.name in stored:
                    row[column.name] = column.codec.to_bson(stored[column.name])
            found.append(row)
        return found


def connected(server_url: str, *, mariadb: bool) -> Iterator[Sql]:
    with fresh_sql_database(server_url) as url, connect_sql(url, database=make_url(url).database) as connection:
        sql = Sql(connection, mariadb)
        sql.run("SET NAMES utf8mb4")
        sql.run("SET sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00'")
        yield sql


@pytest.fixture(scope="module", params=["mysql", "mariadb"])
def sql(request: pytest.FixtureRequest) -> Iterator[Sql]:
    url = request.getfixturevalue(f"{request.param}_url")
    yield from connected(url, mariadb=request.param == "mariadb")


@pytest.fixture(scope="module")
def collection(mongodb_url: str) -> Iterator[Any]:
    with (
        fresh_mongodb_database(mongodb_url) as url,
        MongoClient(url, document_class=RawBSONDocument, uuidRepresentation="standard") as client,
    ):
        yield client.get_default_database()["t"]


def through(sql: Sql, given_documents: Sequence[bytes]) -> tuple[Layout, Shape]:
    """Loads documents into a table inferred from them; compares what comes back, by the table's own comments."""
    inference = Inference()
    for document in given_documents:
        inference.observe(document)
    schema = inference.schema("t")
    layout = sql.layout(schema)
    sql.create(layout)
    shape = Shape(schema)
    for document in given_documents:
        sql.insert(layout, shape.row(document))
    read = replace(layout, comments={name: comment for name, comment in sql.run(COMMENTS) if comment})
    described = Shape.for_layout(read)
    restored = [described.restore(bson.encode(row, codec_options=CODEC_OPTIONS)) for row in sql.rows(layout)]
    assert sorted(restored) == sorted(given_documents)
    return read, described


def encoded(*given_documents: dict[str, Any]) -> list[bytes]:
    return [bson.encode(document, codec_options=CODEC_OPTIONS) for document in given_documents]


UNLIKE = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@UNLIKE
@given(given_documents=st.lists(documents(), min_size=1, max_size=12, unique_by=lambda document: _id(document)))
def test_documents_of_any_bson_come_back(sql: Sql, given_documents: list[bytes]) -> None:
    through(sql, given_documents)


@UNLIKE
@given(given_documents=st.lists(documents(IDS), min_size=1, max_size=8))
def test_ids_of_any_type_come_back(sql: Sql, given_documents: list[bytes]) -> None:
    told_apart: dict[object, bytes] = {}
    for document in given_documents:
        told_apart.setdefault(_number(_id(document)), document)
    through(sql, list(told_apart.values()))


def _id(document: bytes) -> str:
    return repr(next(decoded(element.value) for element in elements(document) if element.name == b"_id"))


def _number(text: str) -> object:
    """MongoDB takes 5, 5.0 and NumberLong(5) for one ``_id``."""
    try:
        return float(text.removeprefix("Int64(").rstrip(")"))
    except ValueError:
        return text


def test_what_mongodb_holds_comes_back(sql: Sql, collection: Any) -> None:
    """Documents as the server hands them out, the types of the issue among them."""
    moment = datetime(2026, 3, 1, 12, 30, 0, 5000)
    values: list[Any] = [
        5, Int64(5), 2**40, 0.5, 5.0, -0.0, float("nan"), float("inf"), "text", "茶" * 100, True, None, moment,
        datetime(1, 1, 1), ObjectId(), Decimal128("NaN"), Decimal128("-Infinity"), Decimal128("1.10"),
        [1, [2, {"z": 1, "a": 2}]],
        {"b": 1, "a": {"when": moment, "$odd": 1, "do.t": 2}}, Regex("^a", "i"), MinKey(), MaxKey(), Timestamp(3, 4),
        Code("f()", {"x": 1}), DBRef("c", 1), Binary(b"x", 128), b"bytes", UUID(int=7), {}, [],
    ]  # fmt: skip
    collection.drop()
    collection.insert_many(
        {"_id": object_id(n), "v": value, "d.t": n, "$set": str(n), "A": n, "a": n / 2}
        for n, value in enumerate(values)
    )
    through(sql, [document.raw for document in collection.find().sort("_id")])


def test_another_writers_change_wins_over_the_exact_form(sql: Sql) -> None:
    whole = [{"_id": object_id(n), "n": n, "x": float(n), "o": {"b": 1, "aa": n}} for n in range(20)]
    odd = {"_id": object_id(99), "n": Int64(7), "x": float("nan"), "o": {"aa": 1, "b": 2}, "rare": Regex("x")}
    layout, shape = through(sql, encoded(*whole, odd))
    sql.run("UPDATE t SET n = 8, x = 1.5 WHERE id = %s", [str(object_id(99))])
    row = next(row for row in sql.rows(layout) if row["_id"] == str(object_id(99)))
    expected = {"_id": object_id(99), "n": 8, "x": 1.5, "o": {"aa": 1, "b": 2}, "rare": Regex("x")}
    assert shape.restore(row) == encoded(expected)[0]


def test_a_column_renamed_in_mysql_is_the_same_field(sql: Sql) -> None:
    given_documents = encoded({"_id": 1, "n": 1, "m": 1}, {"_id": 2, "n": float("nan")}, {"_id": 3, "n": 5})
    layout, _ = through(sql, given_documents)
    sql.run("ALTER TABLE t RENAME COLUMN n TO number")
    association = layout.association
    columns = tuple(
        replace(column, attribute=replace(column.attribute, name="number"), field="number")
        if column.name == "n"
        else column
        for column in association.columns
    )
    comments = {name: comment for name, comment in sql.run(COMMENTS) if comment}
    renamed = replace(layout, association=replace(association, columns=columns), comments=comments)
    assert [Shape.for_layout(renamed).restore(row) for row in sql.rows(renamed)] == given_documents


def test_a_deep_document_and_many_fields(sql: Sql) -> None:
    deep: Any = 1
    for _ in range(60):
        deep = {"in": [deep]}
    wide = {f"field {n}": [n] if n % 3 else "x" * (n % 50) for n in range(600)}
    numbers = {f"n{n}": n for n in range(MAX_COLUMNS + 200)}
    through(sql, encoded({"_id": 1, "deep": deep}, {"_id": 2, **wide}))
    through(sql, encoded({"_id": 1, **numbers}))


def test_long_texts_and_bytes(sql: Sql) -> None:
    texts = {f"t{n}": "é" * (5 * n * n) for n in range(60)}
    through(sql, encoded({"_id": "a", **texts, "b": b"\0" * 70_000, "s": "x" * 3_000_000, "lost": "\ud7ff"}))


@pytest.mark.parametrize(
    ("first", "second"), [("a", "A"), ("İ", "i"), ("x" * 70, "x" * 71), ("", "field"), ("a b", "a b "), ("K", "\u212a")]
)
def test_names_that_mysql_does_not_tell_apart(sql: Sql, first: str, second: str) -> None:
    layout, _ = through(
        sql, encoded({"_id": 1, first: 1, second: 2, "id": 3, "_bson": 4, "_rev": 5, "😀": 6, "`'\"%s\\": 7})
    )
    assert len(layout.association.columns) == 9


def test_composite_ids_become_composite_keys(sql: Sql) -> None:
    ids = [{"shop": n, "code": f"c{n}", "day": datetime(2026, 1, 1 + n)} for n in range(5)]
    layout, shape = through(sql, encoded(*({"_id": identifier, "shop": 1.5} for identifier in ids)))
    assert [column.type.ddl for column in layout.association.key_columns] == ["INT", "VARCHAR(8)", "DATETIME(3)"]
    key = shape.key_of(ids[2])
    assert shape.identify(key) == ids[2]
    assert shape.ordered


def test_keys_of_several_types_sort_as_in_mongodb(sql: Sql, collection: Any) -> None:
    ids: list[Any] = [
        MinKey(), -(2**60), -10.5, -10, Decimal128("-0.1"), 0, 0.1, Decimal128("0.1"), 2, 10, 1e300, "", "a", "aé", "b",
        b"x", b"xy", UUID(int=3), ObjectId(), False, True, datetime(1900, 1, 1), datetime(2026, 1, 1), MaxKey(),
        float("nan"), float("inf"), float("-inf"), Decimal128("1E+6000"), 5e-324, 1.25,
        Decimal128("1.25000000000000001"),
    ]  # fmt: skip
    collection.drop()
    collection.insert_many({"_id": identifier} for identifier in ids)
    stored = [document.raw for document in collection.find().sort("_id")]
    layout, shape = through(sql, stored)
    by_key = [shape.restore(row) for row in sorted(sql.rows(layout), key=lambda row: row["_id"].encode())]
    assert by_key == stored
    assert [row[0] for row in sql.run("SELECT id FROM t ORDER BY id")] == sorted(
        (row["_id"] for row in sql.rows(layout)), key=str.encode
    )


def test_the_table_can_be_adopted(servers_of_test: Servers) -> None:
    """With every column in both stores, as tables are that were migrated."""
    ((version,),) = servers_of_test.sql("SELECT VERSION()")
    made = Sql(servers_of_test.mysql, mariadb="mariadb" in version.lower())
    document = {
        "_id": object_id(5),
        "a.b": 1,
        "": [1],
        "A": 1,
        "a": 0.5,
        "when": datetime(2026, 1, 1),
        "big": "x" * 9000,
    }
    through(made, encoded(document, {"_id": object_id(6), "a": 1.5, "r": Regex("x")}))
    with servers_of_test.open() as platform:
        adopted = platform.associate("t", flag=-1)
        assert adopted.rows == 2
        row = platform.read("t", str(object_id(5)))
        assert row is not None
        assert (row["a_b"], row["A_2"], row["a"], row["when"]) == (1, 1, 0.5, datetime(2026, 1, 1))
        platform.update("t", str(object_id(5)), {"a_b": 2})
