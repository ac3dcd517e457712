"""``verify`` of a table and a collection in no association: the two sides of a migration."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId, Regex

from platform_store import Platform, SchemaError
from platform_store.stores.bulk import Layout
from platform_store.verify.findings import Verification
from tests.integration.bulk import Bulk, bulk_stores
from tests.integration.conftest import Servers


@pytest.fixture
def bulk(servers_of_test: Servers) -> Iterator[Bulk]:
    with bulk_stores(servers_of_test) as made:
        yield made


def migrated(bulk: Bulk, table: str) -> Layout:
    """The collection as a migration would leave it."""
    layout = bulk.tables.layout(table)
    bulk.collections.put(table, bulk.rows(layout), fresh=True)
    return layout


@pytest.fixture
def card(servers_of_test: Servers, bulk: Bulk) -> Layout:
    """Thirty rows, even keys."""
    servers_of_test.sql(
        "CREATE TABLE card (id BIGINT PRIMARY KEY, name VARCHAR(20) NOT NULL, price DECIMAL(8,2), seen DATETIME(6), "
        "about DOUBLE, UNIQUE KEY (name)) CHARACTER SET utf8mb4"
    )
    values = ", ".join(f"({n}, 'n{n}', {n}.5, '2026-01-01 00:00:00.000001', {n})" for n in range(2, 62, 2))
    servers_of_test.sql(f"INSERT INTO card VALUES {values}")
    return migrated(bulk, "card")


def found(verification: Verification) -> list[tuple[Any, str, tuple[str, ...]]]:
    return [(one.key, one.kind, one.columns) for one in verification.differences]


def damage(servers: Servers) -> list[tuple[Any, str, tuple[str, ...]]]:
    """Of every kind, on both sides."""
    documents = servers.mongodb["card"]
    documents.delete_many({"_id": {"$in": [2, 60]}})
    documents.insert_many([{"_id": one, "name": f"x{one}"} for one in (-1, 7, 99)])
    documents.update_one({"_id": 10}, {"$set": {"name": "anders"}})
    documents.update_one({"_id": 12}, {"$unset": {"price": ""}})
    documents.update_one({"_id": 14}, {"$set": {"about": "14"}})
    servers.sql("UPDATE card SET seen = NULL WHERE id = 16")
    return [
        (-1, "extra", ()), (2, "missing", ()), (7, "extra", ()), (10, "different", ("name",)),
        (12, "different", ("price",)), (14, "different", ("about",)), (16, "different", ("seen",)),
        (60, "missing", ()), (99, "extra", ()),
    ]  # fmt: skip


def by_key(verification: Verification) -> list[tuple[Any, str, tuple[str, ...]]]:
    return sorted(found(verification), key=lambda one: int(one[0]))


def test_two_equal_sides(platform: Platform, card: Layout) -> None:
    verification = platform.verify("card")
    assert (verification.rows, verification.found, verification.ok) == (30, 0, True)


def test_the_types_of_numbers_have_no_place_in_the_table(
    servers_of_test: Servers, platform: Platform, card: Layout
) -> None:
    servers_of_test.mongodb["card"].update_one({"_id": 14}, {"$set": {"about": Int64(14)}})
    assert platform.verify("card").ok


def test_a_table_made_of_a_collection(servers_of_test: Servers, platform: Platform) -> None:
    documents = servers_of_test.mongodb["thing"]
    documents.insert_many([{"_id": ObjectId(), "n": n, "odd": Regex("x") if n % 3 else n} for n in range(30)])
    platform.migrate("thing", "mongodb-to-mysql", workers=1)
    assert platform.verify("thing").ok
    one, two, *_ = documents.find({}, {"_id": 1}).sort("_id", 1)
    documents.update_one(one, {"$set": {"odd": Decimal128("NaN")}})
    documents.delete_one(two)
    verification = platform.verify("thing")
    assert sorted((one.kind, one.columns) for one in verification.differences) == [
        ("different", ("odd",)),
        ("missing", ()),
    ]
    assert platform.verify("thing", repair=True, side="mongodb").repaired == 2
    assert platform.verify("thing").ok
    assert servers_of_test.sql("SELECT COUNT(*) FROM thing") == ((29,),)


def test_differences_are_found_exactly(servers_of_test: Servers, platform: Platform, card: Layout) -> None:
    expected = damage(servers_of_test)
    verification = platform.verify("card", repair=True)
    assert (by_key(verification), verification.repaired) == (expected, 0)
    assert all("side=" in one.detail and not one.repair for one in verification.differences)
    assert by_key(platform.verify("card", start=7, stop=12)) == expected[2:5]
    assert by_key(platform.verify("card", start=13, stop=15)) == expected[5:6]
    assert platform.verify("card", start=17, stop=59).ok


def test_mysql_is_right(servers_of_test: Servers, platform: Platform, bulk: Bulk, card: Layout) -> None:
    count = len(damage(servers_of_test))
    before = bulk.rows(card)
    assert platform.verify("card", repair=True, dry_run=True, side="mysql").repaired == 0
    mended = platform.verify("card", repair=True, side="mysql")
    assert (mended.found, mended.repaired) == (count, count)
    assert platform.verify("card").ok
    assert bulk.rows(card) == bulk.documents("card") == before


def test_mongodb_is_right(servers_of_test: Servers, platform: Platform, bulk: Bulk, card: Layout) -> None:
    documents = servers_of_test.mongodb["card"]
    damage(servers_of_test)
    documents.update_one({"_id": 14}, {"$set": {"about": 15.5}})
    before = bulk.documents("card")
    mended = platform.verify("card", repair=True, side="mongodb")
    assert (mended.found, mended.repaired) == (9, 9)
    assert platform.verify("card").ok
    assert bulk.rows(card) == bulk.documents("card") == before
    assert servers_of_test.sql("SELECT COUNT(*) FROM card") == ((31,),)


def test_a_range_is_mended_alone(servers_of_test: Servers, platform: Platform, bulk: Bulk, card: Layout) -> None:
    documents = servers_of_test.mongodb["card"]
    documents.update_many({"_id": {"$in": [2, 4, 10, 12, 14, 20]}}, [{"$set": {"name": {"$concat": ["$name", "y"]}}}])
    mended = platform.verify("card", repair=True, side="mongodb", start=4, stop=12)
    assert by_key(mended) == [(key, "different", ("name",)) for key in (4, 10, 12)]
    assert mended.ok
    names = dict(servers_of_test.sql("SELECT id, name FROM card"))
    assert [names[key] for key in (2, 4, 6, 10, 12, 14)] == ["n2", "n4y", "n6", "n10y", "n12y", "n14"]
    assert len(names) == 30


def test_what_the_table_cannot_hold_is_left(servers_of_test: Servers, platform: Platform, card: Layout) -> None:
    documents = servers_of_test.mongodb["card"]
    documents.update_one({"_id": 10}, {"$set": {"name": "n12"}})  # of which there is one
    documents.update_one({"_id": 20}, {"$set": {"price": "viel"}})
    documents.update_one({"_id": 30}, {"$set": {"colour": "red"}})
    documents.insert_one({"_id": "no key", "name": "z"})
    documents.update_one({"_id": 40}, {"$set": {"name": "gut"}})
    mended = platform.verify("card", repair=True, side="mongodb")
    assert (mended.found, mended.repaired) == (5, 1)
    assert {one.key: bool(one.repair) for one in mended.differences} == {
        10: False, 20: False, 30: False, "no key": False, 40: True,
    }  # fmt: skip
    assert dict(servers_of_test.sql("SELECT id, name FROM card"))[10] == "n10"  # nothing is lost by trying


@pytest.mark.parametrize("size", [1, 3, 7])
def test_small_ranges(
    servers_of_test: Servers, platform: Platform, card: Layout, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform_store.verify.sides.ROWS", size)
    expected = damage(servers_of_test)
    assert by_key(platform.verify("card")) == expected
    assert platform.verify("card", repair=True, side="mysql").repaired == len(expected)
    assert platform.verify("card").ok


def test_keys_of_which_mysql_takes_several_for_one(servers_of_test: Servers, platform: Platform, bulk: Bulk) -> None:
    servers_of_test.sql("CREATE TABLE code (code VARCHAR(10) COLLATE utf8mb4_general_ci PRIMARY KEY, n INT)")
    servers_of_test.sql("INSERT INTO code VALUES ('b', 1), ('A', 2), ('c', 3), ('z', 4)")
    migrated(bulk, "code")
    assert platform.verify("code").ok
    documents = servers_of_test.mongodb["code"]
    documents.insert_many([{"_id": "a", "n": 9}, {"_id": "C", "n": 9}, {"_id": 5}])
    documents.delete_one({"_id": "b"})
    documents.update_one({"_id": "z"}, {"$set": {"n": 5}})
    expected = [("5", "extra"), ("C", "extra"), ("a", "extra"), ("b", "missing"), ("z", "different")]
    assert sorted((str(one.key), one.kind) for one in platform.verify("code").differences) == expected
    assert platform.verify("code", repair=True, side="mysql").repaired == 5
    assert platform.verify("code").ok


def test_what_is_not_there_twice(servers_of_test: Servers, platform: Platform) -> None:
    servers_of_test.sql("CREATE TABLE lonely (id INT PRIMARY KEY)")
    with pytest.raises(SchemaError, match="no collection"):
        platform.verify("lonely")
    servers_of_test.mongodb["other"].insert_one({})
    with pytest.raises(SchemaError, match="no such table"):
        platform.verify("other")


def test_foreign_writers_win(servers_of_test: Servers, platform: Platform, card: Layout) -> None:
    """What is mended becomes what the right side is at the end, not what it was when it was found."""
    over = threading.Event()
    documents = servers_of_test.mongodb["card"]

    def write() -> None:
        number = 0
        while not over.is_set():
            number += 1
            documents.update_one({"_id": 2 + number % 30 * 2}, {"$set": {"price": "falsch", "name": f"w{number}"}})

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        try:
            for _ in range(5):
                platform.verify("card", repair=True, side="mysql")
        finally:
            over.set()
        writer.result()
    platform.verify("card", repair=True, side="mysql")
    assert platform.verify("card").ok
