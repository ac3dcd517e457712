"""Dropping an index, on every backend."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from itertools import groupby
from operator import itemgetter

import pytest

from platform_store import ColumnAttribute, Conflict, Index, Platform, SchemaError
from tests.contract.conftest import Backend
from tests.servers.databases import connect_mongodb, sql_connection

ID = ColumnAttribute("id", "INT")
NAME = ColumnAttribute("name", "VARCHAR(20)", nullable=False)
N = ColumnAttribute("n", "INT")
DOC = ColumnAttribute("doc", "JSON")
_OF_FILE = """
    SELECT i.name, c.name FROM sqlite_schema AS i, pragma_index_info(i.name) AS c
    WHERE i.type = 'index' AND i.sql IS NOT NULL AND i.tbl_name LIKE '%rows%' ORDER BY i.name, c.seqno
"""
_OF_TABLE = """
    SELECT INDEX_NAME, COLUMN_NAME FROM information_schema.STATISTICS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'card' AND INDEX_NAME <> 'PRIMARY'
    ORDER BY INDEX_NAME, SEQ_IN_INDEX
"""
BY_NAME, BY_N, BY_DOC = Index(["name"], unique=True), Index(["n"]), Index(["doc"])


def _create(platform: Platform) -> None:
    platform.create_table("card", [ID, NAME, N, DOC], flag=2, indexes=[BY_NAME, BY_N, BY_DOC])


def test_a_dropped_index_is_gone_from_both_stores(backend: Backend, platform: Platform) -> None:
    _create(platform)
    platform.write("card", {"id": 1, "name": "a", "n": 1, "doc": [1]})
    with pytest.raises(Conflict):
        platform.write("card", {"id": 2, "name": "a"})
    with backend.open() as other:
        for index in (BY_NAME, BY_DOC):
            other.drop_index("card", index)
    assert platform.describe("card").indexes == (BY_N,)
    platform.write("card", {"id": 2, "name": "a", "n": 2, "doc": [2]})
    assert [row["id"] for row in platform.find("card", {"name": "a"}, order_by=["n"])] == [1, 2]
    assert _there(backend) == {("n",)}


def test_its_columns_can_be_dropped(backend: Backend, platform: Platform) -> None:
    _create(platform)
    platform.write("card", {"id": 1, "name": "a", "n": 1, "doc": [1]})
    for index in (BY_NAME, BY_DOC):
        (column,) = index.columns
        with pytest.raises(SchemaError, match="drop_index"):
            platform.drop_column("card", column)
        platform.drop_index("card", index)
        platform.drop_column("card", column)
    assert platform.read("card", 1) == {"id": 1, "n": 1}
    assert _there(backend) == {("n",)}


def test_the_others_are_found_by_what_they_are(backend: Backend, platform: Platform) -> None:
    """Stores name an index by its place among all that the table ever had."""
    _create(platform)
    platform.drop_index("card", BY_NAME)
    platform.add_index("card", Index(["n", "name"]))
    platform.rename_column("card", "n", "number")
    by_number, by_both = Index(["number"]), Index(["number", "name"])
    assert platform.describe("card").indexes == (by_number, BY_DOC, by_both)
    rows = [{"id": number, "name": "a", "number": number, "doc": None} for number in (1, 2)]
    platform.write_many("card", rows)
    assert platform.find("card", {"number": 2}, order_by=["name"]) == rows[1:]
    assert _there(backend) == {("number",), ("number", "name")} | _in_mongodb(backend)
    platform.drop_index("card", by_number)
    platform.drop_index("card", by_both)
    platform.add_index("card", by_number)
    assert platform.describe("card").indexes == (BY_DOC, by_number)
    assert _there(backend) == {("number",)} | _in_mongodb(backend)


def test_of_two_over_the_same_columns_the_other_stays(backend: Backend, platform: Platform) -> None:
    platform.create_table("card", [ID, N], flag=-1, indexes=[Index(["n"], unique=True), BY_N])
    platform.drop_index("card", BY_N)
    platform.write("card", {"id": 1, "n": 1})
    with pytest.raises(Conflict):
        platform.write("card", {"id": 2, "n": 1})
    platform.drop_index("card", Index(["n"], unique=True))
    platform.write("card", {"id": 2, "n": 1})
    assert _there(backend) == set()


@pytest.mark.parametrize(
    ("table", "index", "words"),
    [
        ("card", Index(["name"]), r"no index \['name'\]; it has \['name'\] \(unique\), \['n'\], \['doc'\]"),
        ("card", Index(["id"], unique=True), "primary key stays"),
        ("card", Index(["nowhere"]), "no index"),
        ("nowhere", BY_N, "no such table"),
    ],
)
def test_what_is_refused(platform: Platform, table: str, index: Index, words: str) -> None:
    _create(platform)
    epoch = platform.describe("card").epoch
    with pytest.raises(SchemaError, match=words) as raised:
        platform.drop_index(table, index)
    assert raised.value.table == table
    assert platform.describe("card").epoch == epoch


def _in_mongodb(backend: Backend) -> set[tuple[str, ...]]:
    """The index over documents, which the embedded pair keeps in its catalog alone."""
    return {BY_DOC.columns} if backend.real else set()


def _there(backend: Backend) -> set[tuple[str, ...]]:
    """The indexes of the table and of its collection, without the keys."""
    if not backend.real:
        with closing(sqlite3.connect(backend.stores["path"])) as file:
            rows = file.execute(_OF_FILE).fetchall()
        return {_columns(group) for _, group in groupby(rows, key=itemgetter(0))}
    with closing(sql_connection(backend.stores["mysql"])) as connection, connection.cursor() as cursor:
        cursor.execute(_OF_TABLE)
        found = {_columns(group) for _, group in groupby(cursor.fetchall(), key=itemgetter(0))}
    with connect_mongodb(backend.stores["mongodb"]) as client:
        keys = [tuple(index["key"]) for index in client.get_default_database()["card"].list_indexes()]
    return found | {key for key in keys if key != ("_id",)}


def _columns(rows: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(name.removeprefix("c_") for _, name in rows)


@pytest.mark.real
def test_an_index_that_a_foreign_key_needs(mysql_database: str, mariadb_database: str, mongodb_database: str) -> None:
    for url in (mysql_database, mariadb_database):
        with Platform.open(mysql=url, mongodb=mongodb_database) as platform:
            _create(platform)
            with closing(sql_connection(url)) as connection, connection.cursor() as cursor:
                cursor.execute("ALTER TABLE card ADD FOREIGN KEY (n) REFERENCES card (id)")
            with pytest.raises(SchemaError, match="foreign key"):
                platform.drop_index("card", BY_N)
            assert BY_N in platform.describe("card").indexes
            platform.drop_table("card")


@pytest.mark.real
def test_an_index_is_renamed_with_its_column(mysql_database: str, mariadb_database: str, mongodb_database: str) -> None:
    """By its name a search tells the server which index has a page in order."""
    for url in (mysql_database, mariadb_database):
        with Platform.open(mysql=url, mongodb=mongodb_database) as platform:
            _create(platform)
            platform.rename_column("card", "n", "number")
            with closing(sql_connection(url)) as connection, connection.cursor() as cursor:
                cursor.execute(_OF_TABLE)
                assert cursor.fetchall() == (("ix_1_number", "number"), ("uq_0_name", "name"))
            platform.drop_table("card")


@pytest.mark.real
@pytest.mark.parametrize("server", ["mysql_database", "mariadb_database"])
def test_the_name_that_an_index_would_get_is_taken(
    server: str, mongodb_database: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(server)
    with (
        Platform.open(mysql=url, mongodb=mongodb_database) as platform,
        closing(sql_connection(url)) as connection,
        connection.cursor() as cursor,
    ):
        _create(platform)
        cursor.execute("CREATE INDEX IX_1_Number ON card (name, id)")
        platform.rename_column("card", "n", "number")
        platform.add_column("card", ColumnAttribute("more", "INT"), to="mysql")
        cursor.execute(_OF_TABLE)
        others = {("IX_1_Number", "name"), ("IX_1_Number", "id"), ("uq_0_name", "name")}
        assert set(cursor.fetchall()) == {("ix_1_n", "number"), *others}
        platform.write("card", {"id": 1, "name": "a", "number": 1})
        assert [row["id"] for row in platform.find("card", {"number": 1}, order_by=["id"])] == [1]
        platform.drop_index("card", Index(["number"]))
        cursor.execute(_OF_TABLE)
        assert set(cursor.fetchall()) == others


@pytest.mark.real
def test_what_others_made_in_mongodb_stays(mysql_database: str, mongodb_database: str) -> None:
    """Over the same fields, too."""
    with (
        Platform.open(mysql=mysql_database, mongodb=mongodb_database) as platform,
        connect_mongodb(mongodb_database) as client,
    ):
        _create(platform)
        cards = client.get_default_database()["card"]
        cards.create_index("doc", name="of others", partialFilterExpression={"doc": {"$gt": 1}})
        platform.drop_index("card", BY_DOC)
        assert {index["name"] for index in cards.list_indexes() if "doc" in index["key"]} == {"of others"}
        platform.add_index("card", BY_DOC)
        cards.drop_index("doc_1")
        cards.create_index("doc", sparse=True)
        platform.drop_index("card", BY_DOC)
        assert {index["name"] for index in cards.list_indexes() if "doc" in index["key"]} == {"of others", "doc_1"}


@pytest.mark.real
def test_in_a_collection_with_a_collation(mysql_database: str, mongodb_database: str) -> None:
    """Its indexes have it without being asked to."""
    with (
        Platform.open(mysql=mysql_database, mongodb=mongodb_database) as platform,
        connect_mongodb(mongodb_database) as client,
    ):
        _create(platform)
        database = client.get_default_database()
        database["card"].drop()
        database.create_collection("card", collation={"locale": "zh"})
        platform.drop_index("card", BY_DOC)
        platform.add_index("card", BY_DOC)
        assert "doc_1" in database["card"].index_information()
        platform.drop_index("card", BY_DOC)
        assert set(database["card"].index_information()) == {"_id_"}
