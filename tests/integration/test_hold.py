"""The journal held for a backup: what it waits for, what it keeps, and how it ends."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace

import bson
import pytest

from platform_store import ColumnAttribute, Config, Platform, TransientError, Unavailable
from platform_store.config import JournalConfig
from platform_store.facade import build_stores
from platform_store.hold import Hold
from tests.faults.child import Child, call
from tests.integration.conftest import Servers
from tests.waiting import wait_until

COLUMNS = [ColumnAttribute("id", "BIGINT"), ColumnAttribute("doc", "JSON")]
MANY = [{"id": key, "doc": key} for key in range(100)]  # enough for their documents to go past the journal


@pytest.fixture
def quiet(servers_of_test: Servers) -> Config:
    config = Config.from_urls(mysql=servers_of_test.mysql_url, mongodb=servers_of_test.mongodb_url)
    with Platform.open(config) as platform:
        platform.create_table("card", COLUMNS, flag=0)
    return replace(config, journal=JournalConfig(reaper=False))


def in_journal(servers: Servers) -> int:
    ((count,),) = servers.sql("SELECT COUNT(*) FROM platform_store_journal WHERE document IS NOT NULL")
    return int(count)


def in_mongodb(servers: Servers) -> int:
    return servers.mongodb["card"].count_documents({})


def test_what_is_confirmed_is_kept_and_goes_afterwards(quiet: Config, servers_of_test: Servers) -> None:
    with Platform.open(quiet) as platform:
        with platform.hold():
            platform.write("card", {"id": 1, "doc": [1]})
            platform.update("card", 1, {"doc": [2]})
            recovered = platform.recover()
            assert (recovered.confirmed, recovered.remaining, recovered.kept) == (2, 0, 2)
            recovered = platform.recover()
            assert (recovered.confirmed, recovered.remaining, recovered.kept) == (0, 0, 2)
            assert platform.status().pending_entries == 0
            assert platform.status().kept_entries == in_journal(servers_of_test) == 2
            assert platform.read("card", 1) == {"id": 1, "doc": [2]}
        assert platform.status().pending_entries == 0  # ending it fills no journal
        recovered = platform.recover()
        assert (recovered.confirmed, recovered.remaining, recovered.kept) == (2, 0, 0)
        assert platform.status().kept_entries == in_journal(servers_of_test) == 0


def test_documents_of_bulk_writes_go_through_the_journal(quiet: Config, servers_of_test: Servers) -> None:
    with Platform.open(quiet) as platform:
        with platform.hold():
            platform.write_many("card", MANY)
            platform.recover()
            assert in_journal(servers_of_test) == len(MANY)
        platform.recover()
        assert in_journal(servers_of_test) == 0
        assert platform.verify("card").ok


def held_in_a_thread(platform: Platform, then: Callable[[], None]) -> threading.Thread:
    def run() -> None:
        with platform.hold():
            then()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_bulk_write_under_way_is_waited_for(quiet: Config, servers_of_test: Servers) -> None:
    seen: list[int] = []
    writer = Child(quiet, call("write_many", "card", MANY), stop_at="rows.transaction.claim:after", how="wait")
    with writer, Platform.open(quiet) as platform:
        writer.wait_until_stopped()
        thread = held_in_a_thread(platform, lambda: seen.append(in_mongodb(servers_of_test)))
        wait_until(lambda: servers_of_test.sql("SELECT held_by FROM platform_store_state") != ((None,),), "it is held")
        assert seen == []
        writer.resume()
        writer.result()
        thread.join()
    assert seen == [len(MANY)]  # their documents are there before anything is dumped


def test_a_bulk_write_that_has_only_been_announced_takes_the_journal(quiet: Config, servers_of_test: Servers) -> None:
    writer = Child(quiet, call("write_many", "card", MANY), stop_at="rows.transaction.announce:after", how="wait")
    with writer, Platform.open(quiet) as platform:
        writer.wait_until_stopped()
        with platform.hold():
            assert in_mongodb(servers_of_test) == 0
            writer.resume()
            writer.result()
            assert in_journal(servers_of_test) == len(MANY)


def test_the_hold_of_a_process_that_died_lapses(quiet: Config, servers_of_test: Servers) -> None:
    rows, documents = build_stores(quiet)
    try:
        assert rows.journal is not None
        holder = rows.journal.hold(3600)
        assert holder is not None
        with Platform.open(quiet) as platform:
            platform.write("card", {"id": 1, "doc": [1]})
            platform.recover()
            assert platform.status().kept_entries == 1  # it is in force
            assert rows.journal.keep_hold(holder, 0) == (1, len(b"".join(stored(servers_of_test))))
            platform.recover()
            assert platform.status().kept_entries == in_journal(servers_of_test) == 0
            assert rows.journal.keep_hold(holder, 3600) is None
            assert not rows.journal.let_go(holder)
    finally:
        rows.close()
        documents.close()


def stored(servers: Servers) -> list[bytes]:
    return [document for (document,) in servers.sql("SELECT document FROM platform_store_journal")]


def sweep(platform: Platform) -> None:
    """As the reaper mostly does."""
    assert platform._recovery is not None
    for _ in platform._recovery.sweeper.sweep(seconds=0, thorough=False):
        pass


def test_what_was_kept_is_no_version_of_its_row_once_there_is_a_newer(quiet: Config, servers_of_test: Servers) -> None:
    with Platform.open(quiet) as platform:
        with platform.hold():
            platform.write("card", {"id": 1, "doc": [1]})
            sweep(platform)
        platform.update("card", 1, {"doc": [2]})
        sweep(platform)
        assert stored(servers_of_test) == [bson.encode({"_id": 1, "doc": [1]})]
        with platform.query("SELECT id, doc FROM card") as found:
            assert list(found) == [(1, "[2]")]
        assert platform.read("card", 1) == {"id": 1, "doc": [2]}


@pytest.mark.parametrize("lost", ["older", "newer"])
def test_a_copy_restored_into_the_same_database_has_what_was_kept(
    lost: str, quiet: Config, servers_of_test: Servers
) -> None:
    """Nothing but MongoDB tells it from the place where the hold began."""
    rows, documents = build_stores(quiet)
    card = servers_of_test.mongodb["card"]
    try:
        assert rows.journal is not None
        holder = rows.journal.hold(3600)
        assert holder is not None
        with Platform.open(quiet) as platform:
            platform.write("card", {"id": 1, "doc": [1]})
            platform.recover()
            rows.journal.keep_hold(holder, 0)
            if lost == "older":  # MongoDB was dumped before
                card.delete_one({"_id": 1})
            else:  # MySQL's dump alone was restored
                card.update_one({"_id": 1}, {"$inc": {"_rev": 1}, "$set": {"doc": [2]}})
                rows.journal.raise_revisions(10)  # as any copy does before its first write
            assert platform.read("card", 1) == {"id": 1, "doc": [1]}
            assert platform.recover().remaining == 0
            assert in_journal(servers_of_test) == 0
            assert platform.read("card", 1) == {"id": 1, "doc": [1]}
            assert platform.verify("card").ok
    finally:
        rows.close()
        documents.close()


def test_what_is_kept_still_waits_to_be_erased(quiet: Config) -> None:
    with Platform.open(quiet) as platform:
        with platform.hold():
            platform.write("card", {"id": 1, "doc": [1]})
            platform.recover()
            assert awaiting(platform) == {1}
        platform.recover()
        assert awaiting(platform) == set()


def awaiting(platform: Platform) -> set[object]:
    with platform.transaction() as tx:
        return set(tx.awaiting("card", [1, 2]))


def test_a_clock_set_back_hides_no_bulk_write(quiet: Config, servers_of_test: Servers) -> None:
    sql = servers_of_test.sql
    writer = Child(quiet, call("write_many", "card", MANY), stop_at="rows.transaction.announce:after", how="wait")
    with writer, Platform.open(quiet) as platform:
        writer.wait_until_stopped()
        sql("UPDATE platform_store_journal SET written_at = written_at + INTERVAL 1 HOUR")
        with platform.hold():
            assert sql("SELECT * FROM platform_store_journal") == ()  # it is withdrawn
            writer.resume()
            writer.result()
        assert in_mongodb(servers_of_test) == len(MANY)


def test_a_hold_of_another_server_is_none(quiet: Config, servers_of_test: Servers) -> None:
    with Platform.open(quiet) as platform, pytest.raises(TransientError, match="no backup"), platform.hold():  # noqa: PT012
        platform.write("card", {"id": 1, "doc": [1]})
        platform.recover()
        servers_of_test.sql("UPDATE platform_store_state SET held_by = 'elsewhere-1'")  # as in a copy
        assert platform.recover().confirmed == 1
        assert in_journal(servers_of_test) == 0


def test_one_at_a_time(quiet: Config) -> None:
    with Platform.open(quiet) as platform, platform.hold(), pytest.raises(TransientError, match="another backup"):
        platform.hold().__enter__()


def test_a_change_of_a_table_spoils_it(quiet: Config) -> None:
    column = ColumnAttribute("n", "INT")
    with (
        Platform.open(quiet) as platform,
        pytest.raises(TransientError, match="table 'card' was changed"),
        platform.hold(),
    ):
        platform.add_column("card", column, "mongodb")


def test_nothing_is_kept_beyond_the_limits_of_the_journal(quiet: Config) -> None:
    full = replace(quiet, journal=JournalConfig(reaper=False, max_entries=1))
    with Platform.open(full) as platform:
        assert platform._holder is not None
        held = platform._holder.hold(lease=1.0)
        with pytest.raises(TransientError, match=r"journal\.max_entries"), held as hold:  # noqa: PT012
            platform.write("card", {"id": 1, "doc": [1]})
            platform.recover()
            wait_until(lambda: is_lost(hold), "it is let go")
        assert platform.status().pending_entries == 0
        platform._journal.backlog = platform._holder._store.backlog()  # as the reaper sees it
        platform.write("card", {"id": 2, "doc": [2]})


def test_a_server_away_as_the_journal_is_let_go_is_asked_again(
    quiet: Config, servers_of_test: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = replace(quiet, journal=JournalConfig(reaper=False, max_entries=1))
    with Platform.open(full) as platform:
        assert platform._holder is not None
        store = platform._holder._store
        let_go, away = store.let_go, [Unavailable("mysql", "it is away")]

        def failing_once(holder: str) -> bool:
            if away:
                raise away.pop()
            return let_go(holder)

        monkeypatch.setattr(store, "let_go", failing_once)
        held = platform._holder.hold(lease=1.0)
        with pytest.raises(TransientError, match=r"journal\.max_entries"), held as hold:  # noqa: PT012
            platform.write("card", {"id": 1, "doc": [1]})
            platform.recover()
            wait_until(lambda: is_lost(hold), "it is let go")
            assert servers_of_test.sql("SELECT held_by FROM platform_store_state") == ((None,),)


def is_lost(hold: Hold) -> bool:
    try:
        hold.check()
    except TransientError:
        return True
    return False


@pytest.mark.parametrize(("program", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
def test_the_command(program: str, status: int, quiet: Config, servers_of_test: Servers) -> None:
    urls = ["--mysql", servers_of_test.mysql_url, "--mongodb", servers_of_test.mongodb_url]
    main = "from platform_store.cli import main; main()"
    command = [sys.executable, "-c", main, "hold", *urls, "--", "bash", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert servers_of_test.sql("SELECT held_by FROM platform_store_state") == ((None,),)
