"""Columns that move on real servers: what MySQL's table and the documents have then, and what stands in the way."""

from __future__ import annotations

import threading
from random import Random

import pytest

from platform_store import ColumnAttribute, Diverged, Index, NotSupported, Platform, SchemaError, Unavailable
from tests.integration.conftest import Servers
from tests.integration.test_mongodb_down import without_mongodb
from tests.integration.test_type_matrix import given_values
from tests.integration.type_matrix import CASES, Case

ROWS = 12
LARGE = 100_000  # bytes: the longest values of the matrix are looked at elsewhere


def table_as_it_is(servers: Servers, table: str = "t") -> tuple[str, tuple[tuple[object, ...], ...]]:
    return servers.definition(table), servers.sql(f"SELECT * FROM {table} ORDER BY 1")


def test_there_and_back_is_the_same_table(servers_of_test: Servers, platform: Platform) -> None:
    """Types, defaults, NOT NULL, collations, the order of the columns, indexes, and every value."""
    platform.create_table(
        "t",
        [
            ColumnAttribute("id", "INT"),
            ColumnAttribute("order", "VARCHAR(30)", nullable=False),
            ColumnAttribute("level", "DECIMAL(9,3)", nullable=False, default="1.5"),
            ColumnAttribute("姓名", "VARCHAR(20)", collation="utf8mb4_unicode_ci"),
            ColumnAttribute("flags", "SET('a','b')", nullable=False, default="a,b"),
            ColumnAttribute("last", "TIME(3)"),
        ],
        flag=5,
        indexes=[Index(["level", "姓名"]), Index(["last"])],
    )
    platform.write_many("t", [{"id": key, "order": f"n°{key}", "姓名": "李" * (key % 3)} for key in range(ROWS)])
    platform.write("t", {"id": ROWS, "order": "", "level": -3, "姓名": None, "flags": "", "last": "-838:59:58.999"})
    before = table_as_it_is(servers_of_test)
    columns = ["flags", "level", "姓名", "order", "last"]
    platform.move_column("t", columns, "mongodb")
    assert [name for (name, *_) in servers_of_test.sql("SHOW COLUMNS FROM t")] == ["id", "_rev"]
    indexed = servers_of_test.mongodb["t"].index_information().values()
    assert [list(index["key"]) for index in indexed if index["key"] != [("_id", 1)]]
    platform.move_column("t", columns, "mysql")
    assert table_as_it_is(servers_of_test) == before
    assert [index["key"] for index in servers_of_test.mongodb["t"].index_information().values()] == [[("_id", 1)]]
    assert platform.recover().remaining == 0
    assert servers_of_test.mongodb["t"].count_documents({}) == 0  # nothing is left there that nobody reads


def test_every_type(servers_of_test: Servers, platform: Platform) -> None:
    """From MySQL through documents and back, a dozen columns at a time, edges and random values."""
    random = Random(7)
    mariadb = "MariaDB" in str(servers_of_test.sql("SELECT VERSION()"))
    cases = [case for case in CASES if case.mariadb or not mariadb]
    for first in range(0, len(cases), 12):
        chosen, table = cases[first : first + 12], f"types_{first}"
        names = [f"c{number}" for number in range(len(chosen))]
        attributes = [
            ColumnAttribute(name, case.type, collation="utf8mb4_bin" if case.type.startswith(("ENUM", "SET")) else None)
            for name, case in zip(names, chosen, strict=True)
        ]
        platform.create_table(table, [ColumnAttribute("id", "INT"), *attributes], flag=len(names))
        values = [column_of(case, random, mariadb=mariadb) for case in chosen]
        rows = [
            {"id": key, **{name: column[key] for name, column in zip(names, values, strict=True)}}
            for key in range(ROWS)
        ]
        for row in rows:
            platform.write(table, row)
        before, seen = table_as_it_is(servers_of_test, table), list(platform.scan(table))
        platform.move_column(table, names, "mongodb")
        assert list(map(repr, platform.scan(table))) == list(map(repr, seen))
        platform.move_column(table, names, "mysql")
        assert table_as_it_is(servers_of_test, table) == before
        assert list(map(repr, platform.scan(table))) == list(map(repr, seen))


def column_of(case: Case, random: Random, *, mariadb: bool) -> list[object]:
    """NULL, and values of one type that a row may have."""
    values = [value for value in given_values(case, mariadb=mariadb) if len(repr(value)) < LARGE]
    return [None, *random.sample(values, ROWS - 1)]


def test_an_adopted_table_and_what_its_collection_had(servers_of_test: Servers, platform: Platform) -> None:
    servers_of_test.sql("CREATE TABLE kunde (id INT PRIMARY KEY, note TEXT, stufe INT NOT NULL DEFAULT 3)")
    servers_of_test.sql("INSERT INTO kunde VALUES (1, 'aus MySQL', 1), (2, NULL, 2)")
    servers_of_test.mongodb["kunde"].insert_many(
        [{"_id": 1, "note": "fremd", "frei": [1]}, {"_id": 9, "note": "allein"}]
    )
    platform.associate("kunde")
    assert platform.read("kunde", 1) == {"id": 1, "note": "aus MySQL", "stufe": 1, "frei": [1]}
    platform.move_column("kunde", ["note", "stufe"], "mongodb")
    assert platform.read("kunde", 1) == {"id": 1, "note": "aus MySQL", "stufe": 1, "frei": [1]}
    assert platform.read("kunde", 2) == {"id": 2, "note": None, "stufe": 2}
    platform.recover()
    documents = {one["_id"]: one for one in servers_of_test.mongodb["kunde"].find()}
    assert documents[1]["note"] == "fremd"  # a field that was there before means nothing here, and stays
    assert documents[9] == {"_id": 9, "note": "allein"}


def test_an_adopted_collection(servers_of_test: Servers, platform: Platform) -> None:
    servers_of_test.mongodb["besuch"].insert_many([{"_id": key, "text": f"茶{key}", "rest": key} for key in range(5)])
    columns = [ColumnAttribute("id", "INT"), ColumnAttribute("text", "VARCHAR(40)", nullable=False)]
    platform.associate("besuch", columns=columns, flag=0)
    platform.move_column("besuch", "text", "mysql", batch_rows=2)
    assert servers_of_test.sql("SELECT id, text FROM besuch ORDER BY id") == tuple((n, f"茶{n}") for n in range(5))
    assert platform.read("besuch", 3) == {"id": 3, "text": "茶3", "rest": 3}


def test_keys_that_a_collation_equates(servers_of_test: Servers, platform: Platform) -> None:
    servers_of_test.sql("CREATE TABLE t (code VARCHAR(20) COLLATE utf8mb4_general_ci PRIMARY KEY, note TEXT)")
    servers_of_test.sql("INSERT INTO t VALUES ('Äpfel', 'eins'), ('birne', NULL), ('Zitrone', 'drei')")
    platform.associate("t")
    platform.move_column("t", "note", "mongodb", batch_rows=2)
    assert platform.read("t", "äpfel") == {"code": "Äpfel", "note": "eins"}
    platform.update("t", "BIRNE", {"note": "zwei"})
    platform.move_column("t", "note", "mysql", batch_rows=2)
    assert servers_of_test.sql("SELECT code, note FROM t ORDER BY note") == (
        ("Zitrone", "drei"), ("Äpfel", "eins"), ("birne", "zwei"),
    )  # fmt: skip


def test_what_mysql_needs_stays(servers_of_test: Servers, platform: Platform) -> None:
    servers_of_test.sql("CREATE TABLE parent (code INT PRIMARY KEY)")
    servers_of_test.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, code INT, a INT UNIQUE, b INT, c INT, d INT CHECK (d > 0), e INT, "
        "f INT AS (e + 1) STORED, g TIMESTAMP DEFAULT CURRENT_TIMESTAMP, h INT, KEY bc (b, c), KEY h (h), "
        "FOREIGN KEY (code) REFERENCES parent (code))"
    )
    platform.associate("t")
    for column, told in {
        "code": "the foreign key",
        "a": "the unique index 'a'",
        "b": "the index 'bc'",
        "d": "the check",
        "e": "the generated column 'f'",
        "f": "whose value MySQL computes",
        "g": "whose value MySQL computes",
    }.items():
        with pytest.raises(NotSupported, match=told):
            platform.move_column("t", column, "mongodb")
        assert platform.jobs() == []
    platform.move_column("t", ["a", "code", "f"], "both")  # nothing is lost by a copy
    platform.move_column("t", "h", "mongodb")  # its own index goes with it
    platform.create_table("u", [ColumnAttribute(name, "INT") for name in "abc"], 2, indexes=[Index(["b", "c"])])
    with pytest.raises(SchemaError, match="columns of both stores"):
        platform.move_column("u", "b", "mongodb")


def test_a_value_of_another_type_is_named(servers_of_test: Servers, platform: Platform) -> None:
    platform.create_table("t", [ColumnAttribute("id", "INT"), ColumnAttribute("n", "INT")], flag=0)
    platform.write_many("t", [{"id": key, "n": key} for key in range(10)])
    platform.recover()
    servers_of_test.mongodb["t"].update_one({"_id": 7}, {"$set": {"n": "sieben"}})
    with pytest.raises(Diverged, match="'n'") as caught:
        platform.move_column("t", "n", "mysql", batch_rows=3)
    assert caught.value.key == 7
    (job,) = platform.jobs()
    assert (job.status, job.phase) == ("failed", "fill")
    assert "key 7" in job.detail
    platform.update("t", 7, {"n": 77})
    assert platform.move_column("t", "n", "mysql").status == "done"
    assert servers_of_test.sql("SELECT n FROM t WHERE id = 7") == ((77,),)


def test_mongodb_out_of_reach(servers_of_test: Servers, platform: Platform) -> None:
    platform.create_table("t", [ColumnAttribute("id", "INT"), ColumnAttribute("n", "INT")], flag=0)
    platform.write("t", {"id": 1, "n": 1})
    platform.recover()
    with without_mongodb(servers_of_test, "queue") as cut_off:
        with pytest.raises(Unavailable):
            cut_off.move_column("t", "n", "mysql")
        assert cut_off.jobs()[0].status == "failed"
    assert platform.move_column("t", "n", "mysql").status == "done"
    assert platform.read("t", 1) == {"id": 1, "n": 1}


def test_a_writer_that_bypasses_the_library(servers_of_test: Servers, platform: Platform) -> None:
    """What it writes to MySQL while the copies are filled is found by the passes that follow."""
    platform.create_table("t", [ColumnAttribute("id", "INT"), ColumnAttribute("n", "INT")], flag=1)
    platform.write_many("t", [{"id": key, "n": key} for key in range(40)])
    written = threading.Event()

    def meanwhile(progress: object) -> None:
        if getattr(progress, "phase", "") == "verify" and not written.is_set():
            servers_of_test.sql("UPDATE t SET n = n + 1000 WHERE id < 3")
            written.set()

    done = platform.move_column("t", "n", "mongodb", progress=meanwhile, batch_rows=10)
    assert done.status == "done"
    assert [row["n"] for row in platform.scan("t", 0, 3)] == [1000, 1001, 1002, 3]
