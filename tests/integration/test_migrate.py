"""Whole tables to MongoDB and back, as they are: what comes over, and what is refused."""

from __future__ import annotations

from typing import Any

import pymongo
import pytest
from bson import Decimal128, Int64, ObjectId, Regex, Timestamp

from platform_store import Conflict, NotSupported, Platform, SchemaError, ValueRejected
from platform_store.halves import split
from tests.integration.conftest import Servers
from tests.integration.migrating import COLUMNS, TO_DOCUMENTS, TO_ROWS, documents, fill, migrate, rows_as_documents

FEW: dict[str, Any] = {"workers": 2, "batch_rows": 500}


class TestToDocuments:
    def test_every_row_is_a_document(self, platform: Platform, servers_of_test: Servers) -> None:
        fill(servers_of_test, 50)
        done = migrate(platform)
        assert (done.status, done.rows, done.rounds, done.changed, done.settled) == ("done", 50, 2, 0, True)
        assert documents(servers_of_test) == rows_as_documents(platform)
        assert len(documents(servers_of_test)) == 50

    def test_by_workers(self, platform: Platform, servers_of_test: Servers) -> None:
        fill(servers_of_test, 25_000)
        servers_of_test.sql("ANALYZE TABLE plain")
        done = migrate(platform, **FEW)
        assert (done.status, done.rows, done.rounds, done.changed, done.settled) == ("done", 25_000, 2, 0, True)
        assert documents(servers_of_test) == rows_as_documents(platform)

    def test_moved_rows_are_gone(self, platform: Platform, servers_of_test: Servers) -> None:
        fill(servers_of_test, 50)
        before = rows_as_documents(platform)
        done = migrate(platform, mode="move")
        assert (done.status, done.rows, done.settled) == ("done", 50, True)
        assert documents(servers_of_test) == before
        assert servers_of_test.sql("SELECT COUNT(*) FROM plain") == ((0,),)

    @pytest.mark.parametrize(("start", "stop", "keys"), [(5, 20, (5, 20)), (None, 20, (1, 20)), (5, None, (5, 50))])
    @pytest.mark.parametrize("mode", ["copy", "move"])
    def test_a_range(
        self, platform: Platform, servers_of_test: Servers, mode: str, start: Any, stop: Any, keys: tuple[int, int]
    ) -> None:
        fill(servers_of_test, 50)
        before = rows_as_documents(platform)
        migrate(platform, start=start, stop=stop, mode=mode)
        first, last = keys
        assert documents(servers_of_test) == {key: before[key] for key in range(first, last + 1)}
        assert len(rows_as_documents(platform)) == (50 if mode == "copy" else 50 - len(documents(servers_of_test)))

    def test_ranges_one_after_the_other(self, platform: Platform, servers_of_test: Servers) -> None:
        fill(servers_of_test, 50)
        migrate(platform, stop=20)
        migrate(platform, start=21)
        assert documents(servers_of_test) == rows_as_documents(platform)

    def test_an_empty_table(self, platform: Platform, servers_of_test: Servers) -> None:
        servers_of_test.sql(f"CREATE TABLE plain ({COLUMNS})")
        for mode in ("copy", "move"):
            done = migrate(platform, mode=mode)
            assert (done.status, done.rows, done.settled) == ("done", 0, True)

    def test_a_composite_key_and_reserved_words(self, platform: Platform, servers_of_test: Servers) -> None:
        servers_of_test.sql(
            "CREATE TABLE `select` (`order` INT, `key` VARCHAR(20) COLLATE utf8mb4_bin, `from` DATE, `where` TEXT, "
            "PRIMARY KEY (`order`, `key`, `from`))"
        )
        rows = [f"({n % 5}, '{k}', '2024-0{n % 9 + 1}-01', 'é{n}')" for n in range(30) for k in ("a", "A", "z%s")]
        servers_of_test.sql(f"INSERT INTO `select` VALUES {', '.join(rows)}".replace("%", "%%").replace("%%", "%"))
        before = servers_of_test.sql("SELECT * FROM `select`")
        migrate(platform, "select")
        found = documents(servers_of_test, "select")
        assert len(found) == 90
        assert found == rows_as_documents(platform, "select")
        servers_of_test.sql("DELETE FROM `select`")
        migrate(platform, "select", TO_ROWS)
        assert servers_of_test.sql("SELECT * FROM `select`") == before

    def test_again(self, platform: Platform, servers_of_test: Servers) -> None:
        fill(servers_of_test, 50)
        migrate(platform)
        servers_of_test.sql("DELETE FROM plain WHERE id = 7")
        servers_of_test.sql("UPDATE plain SET name = 'neu' WHERE id = 8")
        servers_of_test.sql("INSERT INTO plain (id, name) VALUES (99, 'neu')")
        done = migrate(platform)
        assert done.settled
        assert documents(servers_of_test) == rows_as_documents(platform)

    def test_keys_that_mysql_orders_otherwise(self, platform: Platform, servers_of_test: Servers) -> None:
        servers_of_test.sql("CREATE TABLE plain (id VARCHAR(20) COLLATE utf8mb4_general_ci PRIMARY KEY, n INT)")
        rows = ", ".join(f"('{name}{n}', {n})" for n in range(20) for name in ("a", "B", "é", "Z_", ""))
        servers_of_test.sql(f"INSERT INTO plain VALUES {rows}")
        assert migrate(platform).settled
        assert documents(servers_of_test) == rows_as_documents(platform)
        servers_of_test.sql("DELETE FROM plain WHERE id = 'B7'")
        servers_of_test.sql("UPDATE plain SET n = -1 WHERE id = 'a3'")
        servers_of_test.sql("INSERT INTO plain VALUES ('中', 5)")
        before = servers_of_test.sql("SELECT * FROM plain")
        assert migrate(platform).settled
        assert documents(servers_of_test) == rows_as_documents(platform)
        servers_of_test.sql("DELETE FROM plain")
        assert migrate(platform, direction=TO_ROWS).settled
        assert servers_of_test.sql("SELECT * FROM plain") == before
        servers_of_test.mongodb["plain"].delete_one({"_id": "a3"})
        servers_of_test.mongodb["plain"].insert_one({"_id": "Zz", "n": 1})
        assert migrate(platform, direction=TO_ROWS).settled
        assert documents(servers_of_test) == rows_as_documents(platform)
        with pytest.raises(NotSupported, match="a key range"):
            migrate(platform, start="a")
        migrate(platform, start="a", catch_up=False)

    def test_indexes_come_over(self, platform: Platform, servers_of_test: Servers) -> None:
        fill(servers_of_test, 20)
        servers_of_test.sql("CREATE UNIQUE INDEX by_name ON plain (name)")
        servers_of_test.sql("CREATE INDEX by_two ON plain (made, amount)")
        servers_of_test.sql("CREATE INDEX by_prefix ON plain (name(5))")
        done = migrate(platform)
        assert [one.split()[-3:] for one in done.carried] == [
            ["index", "by_name", "(name)"], ["by_two", "(made,", "amount)"],
        ]  # fmt: skip
        assert any("by_prefix" in one for one in done.left)
        collection = servers_of_test.mongodb["plain"]
        assert {tuple(index["key"]) for index in collection.list_indexes()} == {("_id",), ("name",), ("made", "amount")}
        with pytest.raises(pymongo.errors.DuplicateKeyError):
            collection.insert_one({"_id": 100, "name": "顾客 1"})
        collection.insert_one({"_id": 100})
        collection.insert_one({"_id": 101})


class TestToRows:
    def test_there_and_back(self, platform: Platform, servers_of_test: Servers) -> None:
        fill(servers_of_test, 50)
        before = servers_of_test.sql("SELECT * FROM plain")
        migrate(platform)
        servers_of_test.sql("DELETE FROM plain")
        done = migrate(platform, direction=TO_ROWS)
        assert (done.status, done.rows, done.rounds, done.changed, done.settled) == ("done", 50, 2, 0, True)
        assert servers_of_test.sql("SELECT * FROM plain") == before

    def test_moved_documents_are_gone(self, platform: Platform, servers_of_test: Servers) -> None:
        fill(servers_of_test, 50)
        before = servers_of_test.sql("SELECT * FROM plain")
        migrate(platform, mode="move")
        done = migrate(platform, direction=TO_ROWS, mode="move")
        assert (done.status, done.rows, done.settled) == ("done", 50, True)
        assert servers_of_test.sql("SELECT * FROM plain") == before
        assert documents(servers_of_test) == {}

    def test_by_workers(self, platform: Platform, servers_of_test: Servers) -> None:
        fill(servers_of_test, 25_000)
        servers_of_test.sql("ANALYZE TABLE plain")
        before = servers_of_test.sql("SELECT * FROM plain")
        migrate(platform, mode="move", **FEW)
        done = migrate(platform, direction=TO_ROWS, **FEW)
        assert (done.status, done.rows, done.rounds, done.changed, done.settled) == ("done", 25_000, 2, 0, True)
        assert servers_of_test.sql("SELECT * FROM plain") == before

    def test_a_range(self, platform: Platform, servers_of_test: Servers) -> None:
        fill(servers_of_test, 50)
        migrate(platform)
        servers_of_test.sql("DELETE FROM plain WHERE id BETWEEN 5 AND 20")
        servers_of_test.sql("UPDATE plain SET name = 'mine' WHERE id IN (4, 21)")
        done = migrate(platform, direction=TO_ROWS, start=5, stop=20)
        assert done.rows == 16
        found = rows_as_documents(platform)
        assert (found[4]["name"], found[21]["name"]) == ("mine", "mine")
        assert {key: one for key, one in found.items() if key not in (4, 21)} == {
            key: one for key, one in documents(servers_of_test).items() if key not in (4, 21)
        }

    def test_what_mysql_computes(self, platform: Platform, servers_of_test: Servers) -> None:
        servers_of_test.sql(
            "CREATE TABLE plain (id INT AUTO_INCREMENT PRIMARY KEY, n INT NOT NULL DEFAULT 5, "
            "twice INT AS (n * 2) STORED, at TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)"
        )
        servers_of_test.sql("INSERT INTO plain (n) VALUES (1), (2), (3)")
        before = servers_of_test.sql("SELECT * FROM plain")
        assert migrate(platform, mode="move").settled
        assert migrate(platform, direction=TO_ROWS).settled
        assert servers_of_test.sql("SELECT * FROM plain") == before
        servers_of_test.mongodb["plain"].update_many({}, {"$unset": {"twice": 1}})
        servers_of_test.mongodb["plain"].update_one({"_id": 2}, {"$set": {"n": 7}})
        done = migrate(platform, direction=TO_ROWS)
        assert (done.settled, done.rows) == (True, 3)
        assert servers_of_test.sql("SELECT id, n, twice FROM plain") == ((1, 1, 2), (2, 7, 14), (3, 3, 6))

    def test_what_a_given_table_cannot_hold_is_refused(self, platform: Platform, servers_of_test: Servers) -> None:
        servers_of_test.sql("CREATE TABLE plain (id INT PRIMARY KEY, name VARCHAR(3))")
        servers_of_test.mongodb["plain"].insert_many([{"_id": 1, "name": "abc"}, {"_id": 2, "name": "abcd"}])
        with pytest.raises(ValueRejected) as raised:
            migrate(platform, direction=TO_ROWS)
        assert (raised.value.table, raised.value.key) == ("plain", 2)
        (job,) = platform.jobs()
        assert job.status == "failed"
        assert "key 2" in job.detail
        servers_of_test.mongodb["plain"].update_one({"_id": 2}, {"$set": {"name": "ab"}})
        assert migrate(platform, direction=TO_ROWS, resume=True).settled
        assert servers_of_test.sql("SELECT * FROM plain") == ((1, "abc"), (2, "ab"))


class TestBson:
    """Collections that MySQL never saw become tables, and the same collections again."""

    DOCUMENTS: tuple[dict[str, Any], ...] = (
        {"a": 1, "b": Int64(2), "c": 2.5, "d": Decimal128("NaN"), "e": Regex("^x", "i"), "f.g": {"$h": [1, 1.0]}},
        {"b": "text", "a": None, "when": Timestamp(5, 6), "A": [{"deep": [ObjectId("5" * 24)]}]},
        {},
    )

    @pytest.mark.parametrize("mode", ["copy", "move"])
    def test_any_documents(self, platform: Platform, servers_of_test: Servers, mode: str) -> None:
        collection = servers_of_test.mongodb["things"]
        given = [{"_id": ObjectId(f"{n:024x}"), **self.DOCUMENTS[n % 3]} for n in range(40)]
        collection.insert_many([dict(one) for one in given])
        before = _raw(servers_of_test, "things")
        done = migrate(platform, "things", TO_ROWS, mode=mode)
        assert (done.status, done.rows, done.changed, done.settled) == ("done", 40, 0, True)
        assert servers_of_test.sql("SELECT COUNT(*) FROM things") == ((40,),)
        assert len(_raw(servers_of_test, "things")) == (40 if mode == "copy" else 0)
        collection.drop()
        assert migrate(platform, "things", TO_DOCUMENTS, mode=mode).settled
        assert _raw(servers_of_test, "things") == before

    def test_keys_of_several_types(self, platform: Platform, servers_of_test: Servers) -> None:
        collection = servers_of_test.mongodb["things"]
        keys: list[Any] = [1, 2.5, "a", "B", ObjectId("a" * 24), {"x": 1}, b"bytes", True, Int64(2**60)]
        collection.insert_many([{"_id": key, "n": n} for n, key in enumerate(keys)])
        before = _raw(servers_of_test, "things")
        assert migrate(platform, "things", TO_ROWS).settled
        collection.update_one({"_id": "B"}, {"$set": {"n": 50}})
        collection.delete_one({"_id": True})
        assert migrate(platform, "things", TO_ROWS).settled
        assert servers_of_test.sql("SELECT COUNT(*) FROM things") == ((8,),)
        before = _raw(servers_of_test, "things")
        collection.drop()
        assert migrate(platform, "things").settled
        assert _raw(servers_of_test, "things") == before

    def test_indexes_come_over(self, platform: Platform, servers_of_test: Servers) -> None:
        collection = servers_of_test.mongodb["things"]
        collection.insert_many([{"_id": n, "name": f"n{n}", "n": n, "parts": [n]} for n in range(20)])
        collection.create_index("name", unique=True)
        collection.create_index([("n", 1), ("name", 1)])
        collection.create_index("parts")
        collection.create_index("n", expireAfterSeconds=5, name="ttl")
        done = migrate(platform, "things", TO_ROWS)
        assert len(done.carried) == 2
        assert [word in " ".join(done.left) for word in ("parts", "ttl")] == [True, True]
        found = servers_of_test.sql(
            "SELECT COLUMN_NAME, NON_UNIQUE FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() "
            "AND TABLE_NAME = 'things' AND INDEX_NAME <> 'PRIMARY' ORDER BY NON_UNIQUE, SEQ_IN_INDEX"
        )
        assert [tuple(one) for one in found] == [("name", 0), ("n", 1), ("name", 1)]


class TestRefused:
    def test_no_key(self, platform: Platform, servers_of_test: Servers) -> None:
        servers_of_test.sql("CREATE TABLE plain (a INT UNIQUE)")
        with pytest.raises(SchemaError, match="no primary key"):
            migrate(platform)

    def test_a_view(self, platform: Platform, servers_of_test: Servers) -> None:
        fill(servers_of_test, 1)
        servers_of_test.sql("CREATE VIEW seen AS SELECT * FROM plain")
        with pytest.raises(SchemaError, match="VIEW"):
            migrate(platform, "seen")
        servers_of_test.mongodb.create_collection("shown", viewOn="plain")
        with pytest.raises(SchemaError, match="view"):
            migrate(platform, "shown", TO_ROWS)

    @pytest.mark.parametrize("direction", [TO_DOCUMENTS, TO_ROWS])
    def test_nothing_there(self, platform: Platform, direction: Any) -> None:
        with pytest.raises(SchemaError, match="no such"):
            migrate(platform, "nowhere", direction)

    def test_a_target_that_holds_something(self, platform: Platform, servers_of_test: Servers) -> None:
        fill(servers_of_test, 5)
        servers_of_test.mongodb["plain"].insert_one({"_id": 77})
        with pytest.raises(SchemaError, match="not empty"):
            migrate(platform)
        assert platform.jobs() == []
        assert list(documents(servers_of_test)) == [77]
        migrate(platform, replace_target=True)
        assert documents(servers_of_test) == rows_as_documents(platform)
        servers_of_test.sql("DELETE FROM plain WHERE id = 1")
        with pytest.raises(SchemaError, match="not empty"):
            migrate(platform, direction=TO_ROWS)
        migrate(platform, direction=TO_ROWS, replace_target=True)
        assert documents(servers_of_test) == rows_as_documents(platform)

    def test_moving_what_others_refer_to(self, platform: Platform, servers_of_test: Servers) -> None:
        fill(servers_of_test, 5)
        servers_of_test.sql(
            "CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES plain (id) ON DELETE CASCADE)"
        )
        servers_of_test.sql("INSERT INTO child VALUES (1, 1)")
        with pytest.raises(NotSupported, match="child"):
            migrate(platform, mode="move")
        assert servers_of_test.sql("SELECT COUNT(*) FROM child") == ((1,),)
        migrate(platform)

    def test_the_embedded_pair(self, tmp_path: Any) -> None:
        with Platform.embedded(tmp_path / "a.db") as platform, pytest.raises(NotSupported, match="embedded"):
            platform.migrate("plain", TO_DOCUMENTS)

    def test_an_unfinished_one(self, platform: Platform, servers_of_test: Servers) -> None:
        servers_of_test.sql("CREATE TABLE plain (id INT PRIMARY KEY, name VARCHAR(3))")
        servers_of_test.mongodb["plain"].insert_one({"_id": 2, "name": "abcd"})
        with pytest.raises(ValueRejected):
            migrate(platform, direction=TO_ROWS)
        with pytest.raises(Conflict, match="--resume"):
            migrate(platform, direction=TO_ROWS)
        with pytest.raises(Conflict, match="another mode"):
            migrate(platform, direction=TO_ROWS, resume=True, mode="move")
        (job,) = platform.jobs()
        platform.forget_job(job.id)
        assert platform.jobs() == []


def _raw(servers: Servers, name: str) -> list[bytes]:
    found = servers.mongodb[name].find_raw_batches(sort=[("_id", 1)])
    batches: list[Any] = list(found)
    return split(b"".join(batches))
