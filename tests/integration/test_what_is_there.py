"""What others made is never taken, dropped or shown as ours; what was dropped never comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from platform_store import ColumnAttribute, Diverged, Index, NotSupported, Platform, SchemaError, ValueRejected
from tests.integration.conftest import Servers
from tests.waiting import wait_until

COLUMNS = [ColumnAttribute("id", "INT"), ColumnAttribute("doc", "JSON")]


class Killed(BaseException):
    """The process dies: no handler of its own gets to do anything."""


def test_documents_of_an_earlier_life_never_answer(servers_of_test: Servers, platform: Platform) -> None:
    servers_of_test.mongodb["t"].insert_many([{"_id": n, "_rev": 5 + n, "doc": "alt"} for n in range(5)])
    platform.create_table("t", COLUMNS, flag=0)
    for key in (4, 3, 2, 1, 0):
        platform.write("t", {"id": key, "doc": f"neu{key}"})
        assert platform.read("t", key) == {"id": key, "doc": f"neu{key}"}
    assert [row["doc"] for row in platform.scan("t")] == [f"neu{key}" for key in range(5)]
    assert platform.recover().remaining == 0


def test_rows_without_a_revision_are_never_torn(servers_of_test: Servers, platform: Platform) -> None:
    """A reader that has the row of before the first write, and the document of after it, reads again."""
    servers_of_test.mongodb["t"].insert_many([{"_id": n, "doc": "alt"} for n in range(400)])
    platform.associate("t", columns=COLUMNS, flag=0)
    seen: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.extend(row["doc"] for row in platform.scan("t", batch_size=50))

    reader = threading.Thread(target=read)
    reader.start()
    wait_until(lambda: bool(seen), "the reader reads")
    for key in range(400):
        platform.update("t", key, {"doc": "neu"})
    done.set()
    reader.join()
    assert set(seen) == {"alt", "neu"}


def test_a_table_that_somebody_makes_meanwhile_is_left_alone(servers_of_test: Servers, platform: Platform) -> None:
    original = platform._rows.create_table

    def late(association: Any) -> None:
        servers_of_test.sql("CREATE TABLE victim (id INT PRIMARY KEY)")
        servers_of_test.sql("INSERT INTO victim VALUES (1)")
        original(association)

    platform._rows.create_table = late  # type: ignore[method-assign]
    with pytest.raises(SchemaError):
        platform.create_table("victim", COLUMNS, flag=0)
    assert servers_of_test.sql("SELECT COUNT(*) FROM victim") == ((1,),)
    assert platform.tables() == []


def test_a_creation_that_died_takes_nobody_elses_with_it(servers_of_test: Servers, platform: Platform) -> None:
    def dies(association: Any) -> None:
        raise Killed

    with servers_of_test.open() as dying:
        dying._rows.create_table = dies  # type: ignore[method-assign]
        dying._schema._definitions.undo_creation = dies  # type: ignore[method-assign]
        with pytest.raises(Killed):
            dying.create_table("victim", COLUMNS, flag=0)
    servers_of_test.sql("CREATE TABLE victim (id INT PRIMARY KEY)")
    servers_of_test.sql("INSERT INTO victim VALUES (1)")
    servers_of_test.mongodb["victim"].insert_one({"_id": 1, "doc": "fremd"})
    with pytest.raises(SchemaError, match="creation"):
        platform.read("victim", 1)
    with pytest.raises(SchemaError, match="associate"):
        platform.create_table("victim", COLUMNS, flag=0)
    assert servers_of_test.sql("SELECT COUNT(*) FROM victim") == ((1,),)
    assert servers_of_test.mongodb["victim"].count_documents({}) == 1
    platform.associate("victim", columns=COLUMNS)
    assert platform.read("victim", 1) == {"id": 1, "doc": "fremd"}


def test_an_adoption_that_died_is_finished_by_calling_it_again(servers_of_test: Servers, platform: Platform) -> None:
    def dies(*arguments: Any) -> int:
        raise Killed

    servers_of_test.mongodb["visit"].insert_many([{"_id": n, "doc": n} for n in range(50)])
    with servers_of_test.open() as dying:
        dying._rows.fill_keys = dies  # type: ignore[method-assign, assignment]
        dying._adopter._definitions.undo_creation = dies  # type: ignore[method-assign, assignment]
        with pytest.raises(Killed):
            dying.associate("visit", columns=COLUMNS, flag=0)
    with pytest.raises(SchemaError, match="associate"):
        platform.create_table("visit", COLUMNS, flag=0)
    platform.associate("visit", columns=COLUMNS, flag=0)
    assert len(list(platform.scan("visit"))) == 50


def test_what_drop_table_does_to_an_adoption_that_died(servers_of_test: Servers, platform: Platform) -> None:
    def dies(*arguments: Any) -> int:
        raise Killed

    servers_of_test.mongodb["visit"].insert_one({"_id": 1, "doc": 1})
    with servers_of_test.open() as dying:
        dying._rows.fill_keys = dies  # type: ignore[method-assign, assignment]
        dying._adopter._definitions.undo_creation = dies  # type: ignore[method-assign, assignment]
        with pytest.raises(Killed):
            dying.associate("visit", columns=COLUMNS, flag=0)
    platform.drop_table("visit")
    assert servers_of_test.mongodb["visit"].count_documents({}) == 1
    assert servers_of_test.sql("SHOW TABLES LIKE 'visit'") == ()


def test_a_declared_column_wins_over_an_extra_field(servers_of_test: Servers, platform: Platform) -> None:
    platform.create_table("t", COLUMNS, flag=0, extra=True)
    platform.write("t", {"id": 1, "age": "alt", "level": [1]})
    platform.add_column("t", ColumnAttribute("age", "INT"), to="mysql")
    platform.add_column("t", ColumnAttribute("level", "INT"), to="mongodb")
    assert platform.read("t", 1) == {"id": 1, "doc": None, "age": None, "level": None}
    platform.update("t", 1, {"age": 44, "level": 2})
    assert platform.read("t", 1) == {"id": 1, "doc": None, "age": 44, "level": 2}
    servers_of_test.sql("CREATE TABLE pair (id INT PRIMARY KEY, name VARCHAR(10))")
    servers_of_test.sql("INSERT INTO pair VALUES (1, 'mysql')")
    servers_of_test.mongodb["pair"].insert_one({"_id": 1, "name": "mongodb", "tag": 1})
    platform.associate("pair")
    assert platform.read("pair", 1) == {"id": 1, "name": "mysql", "tag": 1}


def test_a_dropped_column_never_comes_back(platform: Platform) -> None:
    columns = [*COLUMNS[:1], ColumnAttribute("salary", "INT", nullable=False), COLUMNS[1]]
    platform.create_table("t", columns, flag=1)
    platform.write("t", {"id": 1, "salary": 1003})
    original = platform._rows.drop_column

    def fails(*arguments: Any) -> None:
        raise Killed

    platform._rows.drop_column = fails  # type: ignore[method-assign, assignment]
    with pytest.raises(Killed):
        platform.drop_column("t", "salary")
    platform._rows.drop_column = original  # type: ignore[method-assign]
    assert platform.read("t", 1) == {"id": 1, "doc": None}
    platform.write("t", {"id": 2})
    platform.add_column("t", ColumnAttribute("salary", "INT", nullable=False, default=7), to="mysql")
    assert [row["salary"] for row in platform.scan("t")] == [7, 7]


def test_columns_that_rows_would_have_no_value_for(platform: Platform) -> None:
    platform.create_table("t", COLUMNS, flag=0)
    required = ColumnAttribute("n", "INT", nullable=False)
    platform.add_column("t", required, to="mysql")
    platform.write("t", {"id": 1, "n": 1})
    with pytest.raises(NotSupported, match="nullable"):
        platform.add_column("t", ColumnAttribute("m", "INT", nullable=False), to="mysql")
    # A row that arrives between the check and the change is noticed, too.
    platform.delete("t", 1)
    original: Callable[..., bool] = platform._rows.is_empty

    def empties(association: Any) -> bool:
        empty = original(association)
        platform.write("t", {"id": 2, "n": 2})
        return empty

    for to in ("mysql", "mongodb"):
        platform._rows.is_empty = empties  # type: ignore[method-assign]
        with pytest.raises(NotSupported, match="nullable"):
            platform.add_column("t", ColumnAttribute("m", "INT", nullable=False), to=to)
        platform._rows.is_empty = original  # type: ignore[method-assign]
        assert platform.read("t", 2) == {"id": 2, "n": 2, "doc": None}
        assert platform.delete("t", 2)


@pytest.mark.parametrize("field", ["_rev", "_deleted"])
def test_reserved_fields_of_others(servers_of_test: Servers, platform: Platform, field: str) -> None:
    servers_of_test.mongodb["t"].insert_one({"_id": 1, field: False, "doc": 1})
    with pytest.raises(SchemaError, match=field):
        platform.associate("t", columns=COLUMNS, flag=0)
    assert list(platform.read_collection("t")) == [{"_id": 1, field: False, "doc": 1}]


@pytest.mark.parametrize(
    "definition", ["BIGINT NULL", "BIGINT UNSIGNED NOT NULL DEFAULT 0", "BIGINT NOT NULL DEFAULT 0 INVISIBLE"]
)
def test_a_column_rev_of_others(servers_of_test: Servers, platform: Platform, definition: str) -> None:
    servers_of_test.sql(f"CREATE TABLE t (id INT PRIMARY KEY, _rev {definition})")
    with pytest.raises(SchemaError, match="not the library's"):
        platform.associate("t")


def test_keys_that_a_collation_equates(servers_of_test: Servers, platform: Platform) -> None:
    servers_of_test.mongodb["code"].insert_many([{"_id": "abc"}, {"_id": "ABC"}])
    key = ColumnAttribute("code", "VARCHAR(9)", collation="utf8mb4_general_ci")
    with pytest.raises(SchemaError, match="one key"):
        platform.associate("code", columns=[key, COLUMNS[1]], flag=0)
    assert platform.tables() == []
    assert servers_of_test.mongodb["code"].count_documents({}) == 2


def test_a_table_that_was_dropped_by_hand(servers_of_test: Servers, platform: Platform) -> None:
    platform.create_table("t", COLUMNS, flag=0)
    servers_of_test.sql("DROP TABLE t")
    with pytest.raises(Diverged, match="catalog"):
        platform.read("t", 1)
    with pytest.raises(Diverged, match="catalog"):
        platform.add_column("t", ColumnAttribute("n", "INT"), to="mysql")
    platform.drop_table("t")
    assert platform.tables() == []


def test_documents_that_look_like_references(servers_of_test: Servers, platform: Platform) -> None:
    platform.create_table("t", COLUMNS, flag=0, extra=True)
    reference = {"$ref": "x", "$id": 1, "more": [2]}
    platform.write("t", {"id": 1, "link": reference, "doc": reference})
    assert platform.read("t", 1) == {"id": 1, "doc": reference, "link": reference}
    platform.update("t", 1, {"doc": None})
    assert platform.read("t", 1) == {"id": 1, "doc": None, "link": reference}


def test_what_mongodb_refuses_is_refused_before_the_commit(servers_of_test: Servers, platform: Platform) -> None:
    platform.create_table("t", COLUMNS, flag=0)
    servers_of_test.mongodb.command("collMod", "t", validator={"doc": {"$ne": "verboten"}})
    platform.write("t", {"id": 1, "doc": "gut"})
    calls: list[Callable[[], object]] = [
        lambda: platform.write("t", {"id": 2, "doc": "verboten"}),
        lambda: platform.update("t", 1, {"doc": "verboten"}),
        lambda: platform.write_many("t", [{"id": key, "doc": "verboten" if key == 99 else 1} for key in range(2, 100)]),
        lambda: platform.write_many("t", [{"id": 2, "doc": "verboten"}, {"id": 3, "doc": "gut"}]),
    ]
    for call in calls:
        with pytest.raises(ValueRejected) as caught:
            call()
        assert caught.value.table == "t"
        assert "verboten" not in str(caught.value)
    assert platform.delete("t", 1) is True  # a tombstone is no document of the application's
    assert platform.recover().remaining in (0, 1)
    assert list(platform.scan("t")) == []


def test_what_mongodb_refuses_afterwards_stays_and_is_served(
    servers_of_test: Servers, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    platform.create_table("t", COLUMNS, flag=0)
    platform.write("t", {"id": 0, "doc": "gut"})
    servers_of_test.mongodb.command("collMod", "t", validator={"doc": {"$ne": "verboten"}})
    platform.write_many("t", [{"id": 1, "doc": "verboten"}, {"id": 2, "doc": "gut"}])
    wait_until(lambda: "refuses 1 documents (code 121)" in caplog.text, "the log says so")
    assert "verboten" not in caplog.text
    assert [row["doc"] for row in platform.scan("t")] == ["gut", "verboten", "gut"]
    assert platform.status().set_aside == {121: 1}
    assert [finding.ok for finding in platform.doctor() if finding.subject == "journal"] == [False]
    recovered = platform.recover()
    assert (recovered.remaining, recovered.set_aside) == (1, {121: 1})
    with pytest.raises(ValueRejected, match="validator"):  # it is known by now
        platform.update("t", 2, {"doc": "verboten"})
    platform.update("t", 1, {"doc": "auch gut"})
    assert platform.recover().remaining == 0


def test_a_unique_index_of_somebody_else_is_refused_by_name(servers_of_test: Servers, platform: Platform) -> None:
    servers_of_test.mongodb["t"].create_index("email", unique=True, name="one_email")
    with pytest.raises(SchemaError, match="one_email"):
        platform.create_table("t", COLUMNS, flag=0)
    with pytest.raises(SchemaError, match="one_email"):
        platform.associate("t", columns=COLUMNS, flag=0)
    servers_of_test.mongodb["t"].drop_index("one_email")
    platform.create_table("t", COLUMNS, flag=0)
    servers_of_test.mongodb["t"].create_index("doc", unique=True)
    platform.write("t", {"id": 1, "doc": "eins"})
    platform.write("t", {"id": 2, "doc": "eins"})
    assert platform.status().set_aside == {11000: 1}
    assert platform.read("t", 2) == {"id": 2, "doc": "eins"}
    platform.update("t", 2, {"doc": "zwei"})
    assert platform.recover().remaining == 0


def test_an_index_that_mongodb_could_not_keep(platform: Platform) -> None:
    columns = [*COLUMNS, ColumnAttribute("tags", "JSON")]
    with pytest.raises(SchemaError, match="two JSON columns"):
        platform.create_table("t", columns, flag=0, indexes=[Index(["doc", "tags"])])
