"""Schedules of writers, sweepers and changes of tables that meet at the wrong moment, with no server failing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from platform_store import ColumnAttribute, Index, Platform
from platform_store import unit as unit_module
from platform_store.stores import mongodb_target, mysql_journal
from tests.faults import weakened
from tests.faults.child import Child, call
from tests.faults.schedules import (
    COLUMNS,
    Schedule,
    before_call,
    by_key,
    interrupted,
    judge,
    kind_of,
    on_both,
    purge,
    quiet,
    rows,
    settled,
)
from tests.faults.weakened import Weakness, replaced
from tests.integration.conftest import Servers
from tests.waiting import wait_until

MANY = 60  # rows: enough for their documents to be placed before the commit


def orphans(servers: Servers) -> list[str]:
    """Documents that look alive and belong to no row."""
    keys = {key for (key,) in servers.sql("SELECT id FROM card")}
    live = servers.mongodb["card"].find({"_deleted": {"$exists": False}}, {"_id": 1})
    return [f"a document of the deleted row {one['_id']}" for one in live if one["_id"] not in keys]


def purged_before_it_is_replaced(servers: Servers) -> list[str]:
    """A tombstone is in the way of a bulk's document, and gone when the document is about to replace it."""
    config = quiet(servers.mysql_url, servers.mongodb_url)
    with Platform.open(config) as platform, Platform.open(config) as other:
        platform.create_table("card", COLUMNS, flag=1)
        platform.write_many("card", rows(7, doc="old"))
        platform.delete("card", 7)
        platform.recover()
        written = rows(*range(MANY))
        with before_call(mongodb_target, "_replace", lambda: purge(other)):
            platform.write_many("card", written)
        return settled(platform, by_key(written))


def swept_while_in_flight(servers: Servers) -> list[str]:
    """Another process recovers while a bulk's documents are in MongoDB and its rows are not committed."""
    config = quiet(servers.mysql_url, servers.mongodb_url, lock_wait_timeout=1)
    written = rows(*range(MANY))
    with Platform.open(config) as platform:
        platform.create_table("card", COLUMNS, flag=1)
        work = call("write_many", "card", written)
        with Child(config, work, stop_at="documents.target.place:after", how="freeze") as child:
            child.wait_until_stopped()
            platform.recover()
            child.resume()
            child.result()
        return settled(platform, by_key(written))


def withdrawn_before_it_is_claimed(servers: Servers) -> list[str]:
    """Another process withdraws the intent of a bulk whose writer has just announced it; and once more at the end."""
    config = quiet(servers.mysql_url, servers.mongodb_url)
    written = rows(*range(MANY))
    with Platform.open(config) as other:
        other.create_table("card", COLUMNS, flag=1)
        with interrupted(config, "rows.transaction.announce:after", other.recover) as platform:
            platform.write_many("card", written)
        found = settled(other, by_key(written))
        journalled = servers.sql("SELECT COUNT(*) FROM card WHERE _rev IN (SELECT id FROM platform_store_journal)")
        if not found and journalled != ((0,),):
            found.append("entries remain")
        return found


def withdrawn_and_killed(servers: Servers) -> list[str]:
    """A bulk whose intent was withdrawn dies before its commit: nothing of it may stay in MongoDB."""
    config = quiet(servers.mysql_url, servers.mongodb_url)
    with Platform.open(config) as other:
        other.create_table("card", COLUMNS, flag=1)

        def die() -> None:
            raise KeyboardInterrupt

        with interrupted(config, "rows.transaction.announce:after", other.recover) as platform:
            with before_call(type(platform._journal), "commit", die), pytest.raises(KeyboardInterrupt):
                platform.write_many("card", rows(*range(MANY)))
            other.recover()
        return orphans(servers)


def updated_within_a_range(servers: Servers) -> list[str]:
    """delete_range has journalled its first row, and a later one, not locked yet, is updated."""
    config = quiet(servers.mysql_url, servers.mongodb_url)
    with Platform.open(config) as other, replaced(unit_module, "_RANGE_BATCH", 1):
        other.create_table("card", COLUMNS, flag=1)
        other.write_many("card", rows(1, 2, 3))

        def update() -> None:
            other.update("card", 2, {"doc": "newer"})

        with interrupted(config, "rows.transaction.record:after", update) as platform:
            platform.delete_range("card", 1, 3)
        return settled(other, {1: None, 2: None, 3: None}) + orphans(servers)


def another_row_with_the_same_unique_value(servers: Servers) -> list[str]:
    """A row is replaced or inserted whose unique column has the value of another row."""
    config = quiet(servers.mysql_url, servers.mongodb_url)
    with Platform.open(config) as platform:
        platform.create_table("card", COLUMNS[:2], flag=1, indexes=[Index(["n"], unique=True)])
        platform.add_column("card", ColumnAttribute("text", "VARCHAR(20)"), to="mysql")
        before = [{"id": 1, "n": 1, "text": "one"}, {"id": 2, "n": 2, "text": "two"}]
        platform.write_many("card", before)
        found = []
        for key in (3, 1):
            row = {"id": key, "n": 2, "text": "intruder"}
            for name, work in {
                "write": lambda row=row: platform.write("card", row, on_conflict="replace"),
                "write_many": lambda row=row: platform.write_many("card", [row], on_conflict="replace"),
            }.items():
                if (kind := kind_of(work)) != "Conflict":
                    found.append(f"{name} of key {key} ended with {kind or 'success'}")
        return found + settled(platform, {1: before[0], 2: before[1], 3: None})


def merged_from_an_older_base(servers: Servers) -> list[str]:
    """Between the check and the lock of a partial update, another one changes another document column."""
    config = quiet(servers.mysql_url, servers.mongodb_url)
    with Platform.open(config) as other:
        other.create_table("card", [*COLUMNS, ColumnAttribute("note", "JSON")], flag=1)
        other.write("card", {"id": 1, "n": 1, "doc": 0, "note": 0})

        def update() -> None:
            other.update("card", 1, {"doc": 1})

        with interrupted(config, "rows.transaction.lock:before", update) as platform:
            platform.update("card", 1, {"note": 1})
        return settled(other, {1: {"id": 1, "n": 1, "doc": 1, "note": 1}})


def column_added_after_the_check(servers: Servers) -> list[str]:
    """A required document column is added to an empty table while a writer that does not know it inserts a row."""
    config = quiet(servers.mysql_url, servers.mongodb_url)
    waiting = "ID <> CONNECTION_ID() AND INFO LIKE '%platform_store_table%UPDATE'"
    with Platform.open(config) as other, ThreadPoolExecutor(1) as pool:
        other.create_table("card", COLUMNS, flag=1)
        column = ColumnAttribute("must", "INT", nullable=False)
        adding = []

        def add() -> None:
            adding.append(pool.submit(kind_of, lambda: other.add_column("card", column, to="mongodb")))
            wait_until(lambda: adding[0].done() or bool(servers.connections(waiting)), "it is done, or waits")

        with interrupted(config, "rows.transaction.fence:after", add) as platform:
            written = kind_of(lambda: platform.write("card", {"id": 1, "n": 1, "doc": "x"}))
            added = adding[0].result(10)
        found = []
        if [written, added].count("") != 1:
            found.append(f"the writer ended with {written or 'success'}, the change with {added or 'success'}")
        found += [f"{row} has no value for it" for row in other.scan("card") if not added and row["must"] is None]
        return found


def made_anew_before_the_document(servers: Servers) -> list[str]:
    """A table is dropped, made anew and written to before a document of the old one is brought to MongoDB."""
    config = quiet(servers.mysql_url, servers.mongodb_url)
    new = {"id": 1, "n": 2, "doc": "of the new table"}
    with Platform.open(config) as other:
        other.create_table("card", COLUMNS, flag=1)
        other.write_many("card", rows(2, 3, 4))

        def make_anew() -> None:
            other.drop_table("card")
            other.create_table("card", COLUMNS, flag=1)
            other.write("card", new)
            other.recover()

        with interrupted(config, "documents.target.apply:before", make_anew) as platform:
            platform.write("card", {"id": 1, "n": 1, "doc": "of the old table"})
        return settled(other, {1: new, 2: None})


def equal_values(servers: Servers) -> list[str]:
    """Updates change nothing: of a row, to the values that it has; of the lease, while the clock stands still."""
    config = quiet(servers.mysql_url, servers.mongodb_url)
    row = {"id": 1, "n": 1, "doc": "x"}
    found = []
    lease = mysql_journal._LEASE.replace("CURRENT_TIMESTAMP(3)", "TIMESTAMP '2030-01-01 00:00:00'")
    with Platform.open(config) as platform, replaced(mysql_journal, "_LEASE", lease):
        platform.create_table("card", COLUMNS, flag=1)
        platform.write("card", row)
        for _ in range(2):
            if kind := kind_of(lambda: platform.update("card", 1, {"n": 1})):
                found.append(f"an update to the values there are ended with {kind}")
            if kind := kind_of(lambda: platform.update("card", 1, {"doc": "x"})):
                found.append(f"an update of the document to what it is ended with {kind}")
            assert platform._rows.journal is not None
            if not platform._rows.journal.lease(b"x" * 16, 1):
                found.append("the lease was refused to its owner")
        if kind_of(lambda: platform.update("card", 2, {"n": 1})) != "RowNotFound":
            found.append("a missing row was updated")
        return found + settled(platform, {1: row, 2: None})


ORIGINAL = {"id": 1, "n": 1, "doc": "late"}
NEWER = {"id": 1, "n": 2, "doc": "newer"}


def _late(servers: Servers, change: Callable[[Platform], object], left: dict[str, object] | None) -> list[str]:
    """A writer stands still before its document goes to MongoDB; meanwhile its row is changed, and all is swept."""
    config = quiet(servers.mysql_url, servers.mongodb_url)
    with Platform.open(config) as other:
        other.create_table("card", COLUMNS, flag=1)

        def act() -> None:
            change(other)
            other.recover()

        with interrupted(config, "documents.target.apply:before", act) as platform:
            platform.write("card", ORIGINAL)
        found = settled(other, {1: left})
        if left is None:
            found += orphans(servers)
        other.write_many("card", rows(1), on_conflict="replace")
        return found + settled(other, {1: rows(1)[0]})


def late_after_an_update(servers: Servers) -> list[str]:
    """The row was updated meanwhile."""
    return _late(servers, lambda other: other.update("card", 1, {"n": 2, "doc": "newer"}), NEWER)


def late_after_a_replacement(servers: Servers) -> list[str]:
    """The row was replaced meanwhile."""
    return _late(servers, lambda other: other.write("card", NEWER, on_conflict="replace"), NEWER)


def late_after_a_deletion(servers: Servers) -> list[str]:
    """The row was deleted meanwhile."""
    return _late(servers, lambda other: other.delete("card", 1), None)


def late_after_delete_range(servers: Servers) -> list[str]:
    """The row was deleted meanwhile with its neighbours."""
    return _late(servers, lambda other: other.delete_range("card", None, 5), None)


def late_after_deletion_purge_and_insertion(servers: Servers) -> list[str]:
    """The row was deleted, its tombstone purged, and it was written anew."""

    def change(other: Platform) -> None:
        other.delete("card", 1)
        other.recover()
        assert purge(other) == 1
        other.write("card", NEWER)

    return _late(servers, change, NEWER)


def late_after_deletion_purge_and_bulk(servers: Servers) -> list[str]:
    """The row was deleted, its tombstone purged, and it was written anew among many."""

    def change(other: Platform) -> None:
        other.delete("card", 1)
        other.recover()
        assert purge(other) == 1
        other.write_many("card", [NEWER, *rows(*range(2, MANY))])

    return _late(servers, change, NEWER)


LATE = (
    late_after_an_update,
    late_after_a_replacement,
    late_after_a_deletion,
    late_after_delete_range,
    late_after_deletion_purge_and_insertion,
    late_after_deletion_purge_and_bulk,
)
SCHEDULES = [
    Schedule(
        "a purge between insert-first and the replace",
        "the replace is an upsert, and confirmed",
        purged_before_it_is_replaced,
        (weakened.placed_without_upsert,),
    ),
    Schedule(
        "the sweeper deleting documents of a bulk still in flight",
        "an intent is withdrawn under a lock that its writer holds",
        swept_while_in_flight,
        (weakened.intents_not_locked,),
    ),
    Schedule(
        "the sweeper deleting documents of a bulk still in flight",
        "the writer looks whether the intent became its own",
        withdrawn_and_killed,
        (weakened.withdrawal_unnoticed,),
    ),
    Schedule(
        "delete_range with one revision for all keys",
        "a revision of its own for each locked row",
        updated_within_a_range,
        (weakened.one_revision_for_a_range,),
    ),
    Schedule(
        "ON DUPLICATE KEY UPDATE hitting another row through a secondary unique key",
        "plain INSERT, and UPDATE by the whole key",
        another_row_with_the_same_unique_value,
        (weakened.upsert_by_any_unique_key,),
    ),
    Schedule(
        "two partial updates merging from an unlocked base",
        "the base is read under the row's lock",
        merged_from_an_older_base,
        (weakened.base_before_the_lock,),
    ),
    Schedule(
        "a switch of placement or definition between check and commit",
        "the catalog row is locked until the commit",
        column_added_after_the_check,
        (weakened.no_fence,),
    ),
    Schedule(
        "a recreated table's journal starting again at 1",
        "the journal is never dropped, truncated or reset",
        made_anew_before_the_document,
        (weakened.journal_starts_again,),
    ),
    Schedule(
        "UPDATE with equal values reporting 0 rows like a missing one",
        "a lock says whether a row exists, and counts are of rows found",
        equal_values,
        (weakened.existence_by_count, weakened.found_rows_off),
    ),
    *(
        Schedule(
            "a stale applier",
            "documents replace only those of lower revision",
            scenario,
            (weakened.no_guard,),
        )
        for scenario in LATE
    ),
]


@pytest.mark.parametrize(("schedule", "control", "servers_of_test"), on_both(SCHEDULES), indirect=["servers_of_test"])
def test_schedule(schedule: Schedule, control: Weakness | None, servers_of_test: Servers) -> None:
    judge(schedule, control, servers_of_test)


@pytest.mark.parametrize("servers_of_test", ["mysql"], indirect=True)
def test_placed_after_the_withdrawal(servers_of_test: Servers) -> None:
    """A bulk's connection is lost, its intent is withdrawn, and only then its documents come: nobody ever sees them."""
    config = quiet(servers_of_test.mysql_url, servers_of_test.mongodb_url)
    with Platform.open(config) as other:
        other.create_table("card", COLUMNS, flag=1)

        def withdraw() -> None:
            servers_of_test.end_connections()
            wait_until(lambda: kind_of(other.recover) == "", "the others are connected again")
            assert servers_of_test.sql("SELECT 1 FROM platform_store_journal") == ()

        with interrupted(config, "documents.target.place:before", withdraw) as platform:
            assert kind_of(lambda: platform.write_many("card", rows(*range(MANY)))) in ("Unavailable", "OutcomeUnknown")
        assert len(orphans(servers_of_test)) == MANY  # docs/consistency.md, "Orphans"
        assert list(other.scan("card")) == []
        assert list(other.read_collection("card")) == []
        other.write_many("card", rows(*range(MANY)))
        assert len(list(other.scan("card"))) == MANY
        other.recover()
        assert orphans(servers_of_test) == []


def test_a_bulk_over_tombstones_is_placed_all_the_same(servers_of_test: Servers) -> None:
    """What is in the way of a few documents does not send all of them through the journal."""
    with Platform.open(quiet(servers_of_test.mysql_url, servers_of_test.mongodb_url)) as platform:
        platform.create_table("card", COLUMNS, flag=1)
        platform.write_many("card", rows(7, 9))
        platform.delete_range("card", None, None)
        platform.recover()
        platform.write_many("card", rows(*range(MANY)))
        assert platform.status().pending_entries == 0
        assert len(list(platform.scan("card"))) == MANY


def test_an_intent_withdrawn_before_its_claim(servers_of_test: Servers) -> None:
    assert withdrawn_before_it_is_claimed(servers_of_test) == []
