"""``verify``: damage done behind the library's back is found exactly, mended, and gone; writers are no damage."""

from __future__ import annotations

import datetime
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from bson import Code, Decimal128, Int64, ObjectId, Regex

from platform_store import ColumnAttribute, Platform, SchemaError, ValueRejected
from platform_store.verify.findings import Difference, Verification
from tests.integration.conftest import Servers

COLUMNS = [
    ColumnAttribute("id", "BIGINT"),
    ColumnAttribute("name", "VARCHAR(20)", nullable=False),
    ColumnAttribute("credit", "DECIMAL(10,2)"),
    ColumnAttribute("born", "DATE"),
    ColumnAttribute("level", "TINYINT", nullable=False, default=1),
    ColumnAttribute("profile", "JSON"),
    ColumnAttribute("note", "TEXT"),
]
FAR = 10**12  # a revision that was never given


def row(key: int) -> dict[str, Any]:
    return {
        "id": key,
        "name": f"客户{key}",
        "credit": Decimal(key) / 4,
        "born": datetime.date(1990, 1, 1 + key % 28),
        "level": key % 100,
        "profile": {"hobbies": ["茶", key], "tags": {"x": 1.5}},
        "note": f"备注{key}",
    }


@pytest.fixture
def platform(servers_of_test: Servers) -> Iterator[Platform]:
    """Nobody works through its journal but ``recover()``."""
    with servers_of_test.open_quiet() as made:
        yield made


@pytest.fixture
def card(platform: Platform) -> Platform:
    """Twenty rows; name and credit in MySQL alone."""
    platform.create_table("card", COLUMNS, flag=2, extra=True)
    platform.write_many("card", [row(key) for key in range(1, 21)])
    platform.recover()
    return platform


@pytest.fixture
def twin(platform: Platform) -> Platform:
    """Twenty rows with every column in both stores."""
    platform.create_table("twin", COLUMNS, flag=-1)
    platform.write_many("twin", [row(key) for key in range(1, 21)])
    platform.recover()
    return platform


def found(verification: Verification) -> list[tuple[Any, str, tuple[str, ...]]]:
    return [(one.key, one.kind, one.columns) for one in verification.differences]


def only(verification: Verification) -> Difference:
    assert verification.found == 1, verification.differences
    return verification.differences[0]


def is_whole(platform: Platform, table: str) -> None:
    """Nothing differs, before and after what waits in the journal has been brought to MongoDB."""
    assert platform.verify(table).differences == ()
    platform.recover()
    verification = platform.verify(table)
    assert (verification.differences, verification.ok, verification.found) == ((), True, 0)


# Nothing is wrong


def test_nothing_differs(card: Platform, twin: Platform) -> None:
    for table in ("card", "twin"):
        verification = card.verify(table)
        assert (verification.table, verification.rows, verification.found) == (table, 20, 0)
        assert verification.ok


def test_nothing_differs_before_anything_is_confirmed(platform: Platform) -> None:
    platform.create_table("card", COLUMNS, flag=2)
    platform.write_many("card", [row(key) for key in range(1, 200)])
    platform.write("card", row(200))
    platform.update("card", 7, {"note": "neu", "credit": 1})
    platform.delete("card", 8)
    assert platform.verify("card").found == 0
    platform.recover()
    assert platform.verify("card").found == 0


def test_documents_still_on_their_way_are_no_damage(servers_of_test: Servers, card: Platform) -> None:
    card.update("card", 3, {"note": "x"})
    card.delete("card", 4)
    # As if they had not arrived: the journal still has both.
    servers_of_test.mongodb["card"].replace_one({"_id": 3}, {"_id": 3, "_rev": 1})
    servers_of_test.mongodb["card"].replace_one({"_id": 4}, {"_id": 4, "_rev": 1, "note": "back"})
    assert card.verify("card", repair=True).found == 0
    card.recover()
    is_whole(card, "card")


def test_a_table_without_documents(platform: Platform) -> None:
    platform.create_table("plain", COLUMNS[:3], flag=2)
    platform.write("plain", {"id": 1, "name": "a"})
    assert platform.verify("plain").ok


def test_an_empty_table(platform: Platform) -> None:
    platform.create_table("card", COLUMNS, flag=2)
    assert platform.verify("card").rows == 0
    assert platform.verify("card", start=3, stop=9).ok


def test_what_cannot_be_verified(card: Platform) -> None:
    with pytest.raises(SchemaError, match="no such table"):
        card.verify("nothing")
    with pytest.raises(ValueRejected, match="side="):
        card.verify("card", side="both")  # type: ignore[arg-type]
    with pytest.raises(ValueRejected, match="limit"):
        card.verify("card", limit=-1)


# Documents lost, or of another revision


def lose(servers: Servers, table: str) -> None:
    servers.mongodb[table].delete_one({"_id": 5})


def age(servers: Servers, table: str) -> None:
    servers.mongodb[table].update_one({"_id": 5}, {"$inc": {"_rev": -1}})


def advance(servers: Servers, table: str) -> None:
    """To a revision that was given, after this row's."""
    servers.sql("INSERT INTO platform_store_journal (id, table_id, row_key, epoch, nonce) VALUES (5000, 0, '', 0, '')")
    servers.sql("DELETE FROM platform_store_journal WHERE id = 5000")
    servers.mongodb[table].update_one({"_id": 5}, {"$set": {"_rev": Int64(4000)}})


def leap(servers: Servers, table: str) -> None:
    servers.mongodb[table].update_one({"_id": 5}, {"$set": {"_rev": Int64(FAR)}})


def strip(servers: Servers, table: str) -> None:
    servers.mongodb[table].update_one({"_id": 5}, {"$unset": {"_rev": ""}})


def scramble(servers: Servers, table: str) -> None:
    servers.mongodb[table].update_one({"_id": 5}, {"$set": {"_rev": "5"}})


def bury(servers: Servers, table: str) -> None:
    servers.mongodb[table].replace_one({"_id": 5}, {"_id": 5, "_rev": Int64(3), "_deleted": datetime.datetime.now()})


LOSSES = [lose, age, advance, leap, strip, scramble, bury]


@pytest.mark.parametrize("damage", LOSSES)
def test_a_lost_document_needs_a_side(servers_of_test: Servers, card: Platform, damage: Callable[..., None]) -> None:
    damage(servers_of_test, "card")
    difference = only(card.verify("card"))
    assert (difference.key, difference.kind, difference.repair) == (5, "missing", "")
    assert "side=" in difference.detail
    verification = card.verify("card", repair=True)
    assert (verification.found, verification.repaired, verification.ok) == (1, 0, False)


@pytest.mark.parametrize("damage", LOSSES)
def test_a_lost_document_by_what_mysql_knows(
    servers_of_test: Servers, card: Platform, damage: Callable[..., None]
) -> None:
    damage(servers_of_test, "card")
    planned = card.verify("card", repair=True, dry_run=True, side="mysql")
    assert (planned.repaired, only(planned).repair) == (0, "a new revision of what MySQL knows")
    assert card.verify("card").found == 1  # nothing was done
    mended = card.verify("card", repair=True, side="mysql")
    assert (mended.found, mended.repaired, mended.ok) == (1, 1, True)
    is_whole(card, "card")
    assert card.read("card", 5) == {**row(5), "born": None, "level": 1, "profile": None, "note": None}
    card.update("card", 5, {"note": "wieder da"})
    card.recover()
    document = servers_of_test.mongodb["card"].find_one({"_id": 5})
    assert document is not None
    assert document["note"] == "wieder da"
    is_whole(card, "card")


@pytest.mark.parametrize("damage", [age, advance, leap, strip, scramble])
def test_a_lost_document_by_what_is_there(
    servers_of_test: Servers, card: Platform, damage: Callable[..., None]
) -> None:
    damage(servers_of_test, "card")
    mended = card.verify("card", repair=True, side="mongodb")
    assert (mended.found, mended.repaired) == (1, 1)
    is_whole(card, "card")
    assert card.read("card", 5) == row(5)


@pytest.mark.parametrize("damage", [lose, bury])
def test_no_document_is_nothing_to_go_by(servers_of_test: Servers, card: Platform, damage: Callable[..., None]) -> None:
    damage(servers_of_test, "card")
    assert card.verify("card", repair=True, side="mongodb").repaired == 0


@pytest.mark.parametrize("damage", LOSSES)
def test_where_mysql_has_all_no_side_is_needed(
    servers_of_test: Servers, twin: Platform, damage: Callable[..., None]
) -> None:
    damage(servers_of_test, "twin")
    mended = twin.verify("twin", repair=True)
    assert (found(mended), mended.repaired) == ([(5, "missing", ())], 1)
    is_whole(twin, "twin")
    assert twin.read("twin", 5) == row(5)
    document = servers_of_test.mongodb["twin"].find_one({"_id": 5})
    assert document is not None
    assert (document["note"], document["level"]) == ("备注5", 5)


def test_all_documents_are_gone(servers_of_test: Servers, card: Platform) -> None:
    servers_of_test.mongodb["card"].drop()
    verification = card.verify("card", limit=3)
    assert (verification.found, len(verification.differences)) == (20, 3)
    assert card.verify("card", repair=True, side="mysql", limit=0).repaired == 20
    is_whole(card, "card")


# Documents without rows


def orphan(identifier: Any, revision: Any = 7, **fields: Any) -> dict[str, Any]:
    known = {} if revision is None else {"_rev": revision}
    return {"_id": identifier, **known, "note": "x", **fields}


@pytest.mark.parametrize("identifier", [-5, 0, 21, 2**62])
def test_an_orphan_is_found_wherever_it_is(servers_of_test: Servers, card: Platform, identifier: int) -> None:
    servers_of_test.mongodb["card"].insert_one(orphan(identifier))
    planned = card.verify("card", repair=True, dry_run=True)
    assert (found(planned), only(planned).repair) == ([(identifier, "extra", ())], "the document is removed")
    assert card.verify("card", repair=True, side="mongodb").repaired == 0
    assert card.verify("card", repair=True).repaired == 1
    is_whole(card, "card")
    assert servers_of_test.mongodb["card"].find_one({"_id": identifier}) is None


def test_orphans_between_rows(servers_of_test: Servers, card: Platform) -> None:
    documents = servers_of_test.mongodb["card"]
    kept = documents.find_one({"_id": 9})
    assert kept is not None
    card.delete("card", 9)
    card.recover()
    documents.replace_one({"_id": 9}, {**kept, "_rev": Int64(2)})  # an old document that came back
    assert found(card.verify("card", start=9, stop=9)) == [(9, "extra", ())]
    assert card.verify("card", start=10).found == card.verify("card", stop=8).found == 0
    assert card.verify("card", repair=True).repaired == 1
    is_whole(card, "card")


STRANGE = ["text", 1.5, 5.5, True, None, ObjectId(), b"x", [1], {"a": 1}, Regex("^te"), Code("x"), Decimal128("0.5"),
           datetime.datetime(2020, 1, 1)]  # fmt: skip


def test_identifiers_that_are_no_keys(servers_of_test: Servers, card: Platform) -> None:
    strange = [one for one in STRANGE if not isinstance(one, list | Regex)]  # MongoDB takes no such _id
    servers_of_test.mongodb["card"].insert_many([orphan(identifier) for identifier in strange])
    verification = card.verify("card")
    assert verification.found == len(strange)
    assert {repr(one.key) for one in verification.differences} == {repr(one) for one in strange}
    assert all(one.kind == "extra" for one in verification.differences)
    assert card.verify("card", repair=True).repaired == len(strange)
    is_whole(card, "card")
    assert servers_of_test.mongodb["card"].count_documents({}) == 20


def test_a_number_of_another_type_is_the_same_identifier(servers_of_test: Servers, card: Platform) -> None:
    documents = servers_of_test.mongodb["card"]
    kept = documents.find_one_and_delete({"_id": 5})
    assert kept is not None
    documents.insert_one({**kept, "_id": 5.0})
    assert card.verify("card", repair=True, side="mysql").found == 0
    assert card.read("card", 5) == row(5)


def test_documents_without_a_revision_are_nobodys_to_remove(servers_of_test: Servers, card: Platform) -> None:
    servers_of_test.mongodb["card"].insert_many([orphan(77, None), orphan("own", None)])
    assert found(card.verify("card", repair=True)) == [(77, "extra", ()), ("own", "extra", ())]
    assert servers_of_test.mongodb["card"].count_documents({}) == 22
    assert card.verify("card", repair=True, side="mysql").repaired == 2
    is_whole(card, "card")


def test_tombstones_are_no_damage_unless_they_hide_what_comes(servers_of_test: Servers, card: Platform) -> None:
    documents = servers_of_test.mongodb["card"]
    card.delete("card", 3)
    card.recover()
    assert card.verify("card").found == 0
    buried = datetime.datetime(2026, 1, 1)
    documents.replace_one({"_id": 3}, {"_id": 3, "_rev": Int64(FAR), "_deleted": buried})
    assert found(card.verify("card")) == [(3, "extra", ())]
    assert card.verify("card", repair=True).repaired == 1
    card.write("card", row(3))
    is_whole(card, "card")
    assert card.read("card", 3) == row(3)


# Values


CHANGES: list[tuple[str, Any]] = [
    ("level", "7"),
    ("level", 7.0),
    ("level", 300),
    ("level", True),
    ("level", None),
    ("born", datetime.datetime(2020, 1, 1, 3)),
    ("born", "gestern"),
    ("profile", {"a": {"b": [ObjectId()]}}),
    ("profile", {"a": float("inf")}),
    ("profile", Code("x")),
    ("profile", {"a": Code("x")}),
    ("note", 5),
    ("note", Regex("x")),
]


@pytest.mark.parametrize(("column", "value"), CHANGES, ids=lambda one: str(one)[:20])
def test_a_value_that_its_column_refuses(servers_of_test: Servers, card: Platform, column: str, value: Any) -> None:
    servers_of_test.mongodb["card"].update_one({"_id": 12}, {"$set": {column: value}})
    difference = only(card.verify("card", repair=True))
    assert (difference.key, difference.kind, difference.columns) == (12, "different", (column,))
    assert "side=" in difference.detail
    assert card.verify("card", repair=True, side="mysql").repaired == 1
    is_whole(card, "card")
    assert card.read("card", 12) == {**row(12), column: 1 if column == "level" else None}


def test_values_that_are_too_long(servers_of_test: Servers, platform: Platform) -> None:
    columns = [
        ColumnAttribute("id", "INT"),
        ColumnAttribute("code", "VARCHAR(4)"),
        ColumnAttribute("price", "DECIMAL(6,2)"),
        ColumnAttribute("wide", "DECIMAL(40,2)"),
        ColumnAttribute("raw", "VARBINARY(3)"),
        ColumnAttribute("at", "DATETIME(6)"),
    ]
    platform.create_table("t", columns, flag=0)
    for key in range(6):
        platform.write("t", {"id": key, "code": "abcd", "price": "9999.99", "wide": 1, "raw": b"abc"})
    platform.recover()
    wrong = {
        1: ("code", "abcde"),
        2: ("price", Decimal128("10000.00")),
        3: ("price", Decimal128("1.005")),
        4: ("raw", b"abcd"),
        5: ("at", datetime.datetime(2020, 1, 1)),
    }
    for key, (column, value) in wrong.items():
        servers_of_test.mongodb["t"].update_one({"_id": key}, {"$set": {column: value}})
    assert found(platform.verify("t")) == [(key, "different", (column,)) for key, (column, _) in wrong.items()]
    mended = platform.verify("t", repair=True, side="mongodb")
    assert [one.key for one in mended.differences if not one.repair] == [1, 2, 4]  # these fit in no form
    assert [platform.read("t", key, columns=[wrong[key][0]]) for key in (3, 5)] == [
        {"price": Decimal("1.01")},
        {"at": datetime.datetime(2020, 1, 1)},
    ]
    assert platform.verify("t", repair=True, side="mysql").repaired == 3
    is_whole(platform, "t")


def test_a_copy_that_is_not_mysqls(servers_of_test: Servers, twin: Platform) -> None:
    documents = servers_of_test.mongodb["twin"]
    documents.update_one({"_id": 2}, {"$set": {"name": "anders", "level": 99}})
    documents.update_one({"_id": 3}, {"$set": {"level": 3.0}})
    documents.update_one({"_id": 4}, {"$unset": {"credit": ""}})
    documents.update_one({"_id": 6}, {"$set": {"profile.tags.x": 1}})
    documents.update_one({"_id": 8}, {"$set": {"extra": 1}})  # no column of the table: nobody sees it
    servers_of_test.sql("UPDATE twin SET note = 'von fremder Hand' WHERE id = 7")
    expected = [
        (2, "different", ("name", "level")),
        (3, "different", ("level",)),
        (4, "different", ("credit",)),
        (6, "different", ("profile",)),
        (7, "different", ("note",)),
    ]
    assert found(twin.verify("twin")) == expected
    assert twin.verify("twin", repair=True).repaired == 5
    is_whole(twin, "twin")
    document = documents.find_one({"_id": 7})
    assert document is not None
    assert document["note"] == "von fremder Hand"
    assert twin.read("twin", 2) == row(2)
    assert (documents.find_one({"_id": 8}) or {})["extra"] == 1


def test_a_document_that_the_journal_still_has(servers_of_test: Servers, card: Platform) -> None:
    card.update("card", 5, {"note": "neu"})
    servers_of_test.mongodb["card"].update_one({"_id": 5}, {"$set": {"note": "falsch", "fremd": 1}})
    difference = only(card.verify("card"))
    assert (difference.columns, difference.kind) == (("note", "fremd"), "different")
    assert card.verify("card", repair=True).repaired == 1
    is_whole(card, "card")
    assert card.read("card", 5) == {**row(5), "note": "neu"}


def test_extra_fields_outlive_a_repair(servers_of_test: Servers, card: Platform) -> None:
    card.update("card", 5, {"wechat": "wx", "level": 3})
    card.recover()
    servers_of_test.mongodb["card"].update_one({"_id": 5}, {"$set": {"level": "drei"}})
    assert card.verify("card", repair=True, side="mysql").repaired == 1
    assert card.read("card", 5) == {**row(5), "wechat": "wx", "level": 1}


def test_a_revision_that_the_journal_cannot_bring(servers_of_test: Servers, card: Platform) -> None:
    """The row's newest document waits, and one is in its way."""
    card.update("card", 5, {"note": "neu"})
    leap(servers_of_test, "card")
    difference = only(card.verify("card"))
    assert "above every one" in difference.detail
    assert card.verify("card", repair=True).repaired == 1
    is_whole(card, "card")
    assert card.read("card", 5) == {**row(5), "note": "neu"}


# Tables of other kinds


def test_rows_that_were_never_versioned(servers_of_test: Servers, platform: Platform) -> None:
    servers_of_test.sql("CREATE TABLE old (id INT PRIMARY KEY, name VARCHAR(20))")
    servers_of_test.sql("INSERT INTO old VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    platform.associate("old", flag=-1)
    assert platform.verify("old").ok
    servers_of_test.mongodb["old"].insert_one({"_id": 2, "name": "falsch"})  # what a migration would have left
    assert found(platform.verify("old")) == [(2, "different", ("name",))]
    assert platform.verify("old", repair=True).repaired == 1
    is_whole(platform, "old")
    servers_of_test.mongodb["old"].insert_one({"_id": 3, "name": "c", "_rev": 9})
    assert only(platform.verify("old")).repair == ""
    assert platform.verify("old", repair=True, side="mysql").repaired == 1
    is_whole(platform, "old")


def test_an_adopted_collection(servers_of_test: Servers, platform: Platform) -> None:
    documents = servers_of_test.mongodb["visit"]
    documents.insert_many([{"_id": key, "summary": f"n{key}", "free": [key]} for key in range(50)])
    columns = [ColumnAttribute("id", "INT"), ColumnAttribute("summary", "TEXT"), ColumnAttribute("stars", "INT")]
    platform.associate("visit", columns=columns, flag=0)
    assert platform.verify("visit").ok
    documents.update_one({"_id": 3}, {"$set": {"stars": 3.5}})
    platform.update("visit", 4, {"stars": 4})
    assert found(platform.verify("visit")) == [(3, "different", ("stars",))]
    assert platform.verify("visit", repair=True, side="mysql").repaired == 1
    is_whole(platform, "visit")
    assert platform.read("visit", 3) == {"id": 3, "summary": "n3", "stars": None, "free": [3]}


def test_discarded_documents_that_came_back(servers_of_test: Servers, card: Platform) -> None:
    late = servers_of_test.mongodb["card"].find_one({"_id": 5})
    assert late is not None
    card.drop_collection("card", discard_document_columns=True)
    assert card.verify("card").ok
    servers_of_test.mongodb["card"].insert_one(late)
    assert found(card.verify("card")) == [(5, "extra", ())]
    assert card.verify("card", repair=True).repaired == 1
    card.update("card", 6, {"note": "neu"})
    is_whole(card, "card")


COMPOSITE = [
    ColumnAttribute("region", "VARCHAR(10)"),
    ColumnAttribute("day", "DATE"),
    ColumnAttribute("n", "BIGINT UNSIGNED"),
    ColumnAttribute("v", "JSON"),
]


def test_composite_keys_that_mysql_orders_otherwise(servers_of_test: Servers, platform: Platform) -> None:
    platform.create_table("visit", COMPOSITE, flag=2, key=["region", "day", "n"])
    keys = [
        ("北", "2020-01-01", 2**64 - 1),
        ("北", "2020-01-01", 1),
        ("北", datetime.date(2020, 1, 2), 1),
        ("上", datetime.date(2020, 1, 2), 1),
        ("", "0000-00-00", 0),
    ]
    for region, day, n in keys:
        platform.write("visit", {"region": region, "day": day, "n": n, "v": [n]})
    platform.recover()
    assert platform.verify("visit").ok
    documents = servers_of_test.mongodb["visit"]
    identifiers = [document["_id"] for document in documents.find()]
    documents.delete_one({"_id": identifiers[0]})
    strange = [
        {"region": "北", "day": datetime.datetime(2020, 1, 1), "n": 2},
        {"n": 1, "day": datetime.datetime(2020, 1, 1), "region": "北"},
        {"region": "北"},
        "北",
    ]
    documents.insert_many([orphan(one) for one in strange])
    verification = platform.verify("visit")
    assert sorted(one.kind for one in verification.differences) == ["extra"] * 4 + ["missing"]
    assert platform.verify("visit", repair=True, side="mysql").repaired == 5
    is_whole(platform, "visit")


def test_string_keys(servers_of_test: Servers, platform: Platform) -> None:
    columns = [ColumnAttribute("code", "VARCHAR(20)"), ColumnAttribute("v", "INT")]
    platform.create_table("code", columns, flag=0)
    platform.write_many("code", [{"code": key, "v": 1} for key in ("", "A", "a", "a ", "ä", "张", "😀", "z")])
    platform.recover()
    assert platform.verify("code").ok
    documents = servers_of_test.mongodb["code"]
    documents.insert_many([orphan(one) for one in ("B", "a  ", "\uffff", 5)])
    documents.delete_one({"_id": "张"})
    expected = [(5, "extra"), ("B", "extra"), ("a  ", "extra"), ("\uffff", "extra"), ("张", "missing")]
    assert sorted(str(one.key) for one in platform.verify("code").differences) == sorted(str(k) for k, _ in expected)
    assert found(platform.verify("code", start="B", stop="a ")) == [("B", "extra", ())]
    assert platform.verify("code", repair=True, side="mysql").repaired == 5
    is_whole(platform, "code")


def test_keys_of_which_mysql_takes_several_for_one(servers_of_test: Servers, platform: Platform) -> None:
    servers_of_test.sql(
        "CREATE TABLE code (code VARCHAR(10) COLLATE utf8mb4_general_ci PRIMARY KEY, n INT) CHARACTER SET utf8mb4"
    )
    servers_of_test.sql("INSERT INTO code VALUES ('Abc', 1), ('def', 2), ('B', 3)")
    declared = [ColumnAttribute("code", "VARCHAR(10)"), ColumnAttribute("n", "INT"), ColumnAttribute("d", "INT")]
    platform.associate("code", columns=declared)
    for key in ("abc", "DEF", "b"):
        platform.update("code", key, {"d": 7})
    platform.recover()
    assert platform.verify("code").ok
    documents = servers_of_test.mongodb["code"]
    documents.insert_many([orphan("ABC"), orphan("new")])
    documents.delete_one({"_id": "def"})
    assert sorted(found(platform.verify("code"))) == [
        ("ABC", "extra", ()),
        ("def", "missing", ()),
        ("new", "extra", ()),
    ]
    assert platform.verify("code", repair=True, side="mysql").repaired == 3
    is_whole(platform, "code")
    assert platform.read("code", "ABC") == {"code": "Abc", "n": 1, "d": 7}


def test_more_rows_than_one_range(
    servers_of_test: Servers, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform_store.verify.verifier.ROWS", 7)
    platform.create_table("card", COLUMNS, flag=2)
    platform.write_many("card", [row(key) for key in range(0, 100, 2)])
    platform.recover()
    reports: list[Any] = []
    assert platform.verify("card", progress=reports.append).ranges == len(reports) == 8
    assert (reports[-1].rows, reports[-1].total) == (50, 50)
    documents = servers_of_test.mongodb["card"]
    documents.insert_many([orphan(key) for key in (-1, 1, 13, 15, 97, 99)])
    documents.delete_many({"_id": {"$in": [0, 12, 14, 98]}})
    expected = {-1, 1, 13, 15, 97, 99, 0, 12, 14, 98}
    assert {one.key for one in platform.verify("card").differences} == expected
    assert {one.key for one in platform.verify("card", start=12, stop=15).differences} == {12, 13, 14, 15}
    for start in range(-2, 101):
        assert platform.verify("card", start=start, stop=start).found == (start in expected)


def test_a_platform_that_is_told_of_nothing(servers_of_test: Servers, card: Platform) -> None:
    """Another process changes the table while it is verified."""
    with servers_of_test.open_quiet() as other:
        other.add_column("card", ColumnAttribute("city", "VARCHAR(10)"), to="mongodb")
        other.update("card", 5, {"city": "上海"})
        field = next(column.field for column in other.describe("card").columns if column.name == "city")
    servers_of_test.mongodb["card"].update_one({"_id": 6}, {"$set": {str(field): 5}})
    assert found(card.verify("card")) == [(6, "different", ("city",))]


# Columns on the move


def test_a_column_on_its_way_is_no_difference(card: Platform) -> None:
    halt = threading.Event()
    halt.set()
    for column, to in (("credit", "mongodb"), ("note", "mysql"), ("name", "both")):
        assert card.move_column("card", column, to, halt=halt, batch_rows=3).status == "paused"  # type: ignore[arg-type]
        card.update("card", 7, {"credit": 7, "note": "sieben", "name": "s"})
        assert card.verify("card").differences == ()
        card.roll_back_move("card")
        assert card.verify("card").differences == ()


def test_what_a_moved_column_has_left_in_mysql_follows_the_documents(servers_of_test: Servers, card: Platform) -> None:
    moved = card.move_column("card", "credit", "mongodb", clean_up=False)
    assert moved.status == "paused"
    is_whole(card, "card")
    servers_of_test.sql("UPDATE card SET credit = 999 WHERE id = 5")
    servers_of_test.mongodb["card"].update_one({"_id": 6}, {"$set": {"credit": "viel"}})
    servers_of_test.mongodb["card"].delete_one({"_id": 7})
    assert found(card.verify("card")) == [
        (5, "different", ("credit",)),
        (6, "different", ("credit",)),
        (7, "missing", ()),
    ]
    # MySQL still has the one value that no reader can have.
    assert card.verify("card", repair=True).repaired == 2
    assert servers_of_test.sql("SELECT credit FROM card WHERE id = 5") == ((Decimal("1.25"),),)
    assert card.verify("card", repair=True, side="mysql").repaired == 1
    is_whole(card, "card")
    assert [card.read("card", key, columns=["credit"]) for key in (5, 6, 7)] == [
        {"credit": Decimal(key) / 4} for key in (5, 6, 7)
    ]
    card.roll_back_move("card")
    is_whole(card, "card")


def test_a_moved_column_is_verified_where_it_is(servers_of_test: Servers, card: Platform) -> None:
    card.move_column("card", "credit", "mongodb")
    card.move_column("card", "note", "mysql")
    card.move_column("card", "level", "both")
    is_whole(card, "card")
    servers_of_test.sql("UPDATE card SET note = 'anders', level = 0 WHERE id = 3")
    assert found(card.verify("card")) == [(3, "different", ("level",))]
    assert card.verify("card", repair=True).repaired == 1
    is_whole(card, "card")


# Memory


def test_memory_is_bounded(platform: Platform) -> None:
    """By what is read at a time, whatever the table holds: its documents in MongoDB, or still in the journal."""
    platform.create_table("large", [ColumnAttribute("id", "INT"), ColumnAttribute("text", "MEDIUMTEXT")], flag=0)
    for first in range(0, 3000, 40):
        platform.write_many("large", [{"id": n, "text": "x" * 40_000} for n in range(first, first + 40)])
    for recovered in (False, True):
        if recovered:
            platform.recover()
        tracemalloc.start()
        try:
            verification = platform.verify("large")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (verification.rows, verification.found) == (3000, 0)
        assert peak < 80 * 1024 * 1024  # of 120 MB of documents, and as much in the journal


def test_more_orphans_than_are_looked_at_together(
    servers_of_test: Servers, card: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("scan._SUSPECTS", "verifier.ROWS"):
        monkeypatch.setattr(f"platform_store.verify.{limit}", 700)
    servers_of_test.mongodb["card"].insert_many([orphan(key) for key in range(100, 9100)])
    verification = card.verify("card", limit=5)
    assert (verification.found, len(verification.differences), verification.ranges) == (9000, 5, 1)
    assert card.verify("card", repair=True).repaired == 9000
    is_whole(card, "card")
