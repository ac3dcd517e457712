"""The thread that looks after the journal: it finishes what waits, whoever left it, and ends with its platform."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from platform_store import ColumnAttribute, Config, Platform, Unavailable
from platform_store.config import JournalConfig, MongodbConfig
from tests.integration.conftest import Servers
from tests.waiting import PATIENCE, wait_until

COLUMNS = [ColumnAttribute("id", "INT"), ColumnAttribute("doc", "JSON")]
QUICK = JournalConfig(retention=0.05, interval=0.05, lease=1.0)
IDLE = replace(QUICK, reaper=False)


def open_with(servers: Servers, journal: JournalConfig, **mongodb: object) -> Platform:
    config = Config.from_urls(mysql=servers.mysql_url, mongodb=servers.mongodb_url)
    assert config.mongodb is not None
    return Platform.open(replace(config, journal=journal, mongodb=replace(config.mongodb, **mongodb)))  # type: ignore[arg-type]


@pytest.fixture
def threads() -> Callable[[], set[str]]:
    """Gives the names of the library's threads that are there since the test began; other tests may keep some."""
    before = set(threading.enumerate())
    return lambda: {
        thread.name
        for thread in threading.enumerate()
        if thread not in before and thread.name.startswith("platform_store")
    }


def test_the_journal_empties_by_itself(servers_of_test: Servers, threads: Callable[[], set[str]]) -> None:
    with open_with(servers_of_test, QUICK) as platform:
        platform.create_table("t", COLUMNS, flag=0)
        platform.write_many("t", [{"id": key, "doc": key} for key in range(5)])
        platform.write_many("t", [{"id": key, "doc": key} for key in range(100, 200)])
        entries = "SELECT COUNT(*) FROM platform_store_journal"
        wait_until(lambda: servers_of_test.sql(entries) == ((0,),), "the journal is empty")
        assert platform.status().oldest_pending_seconds is None
        assert len(list(platform.scan("t"))) == 105
        assert "platform_store-reaper" in threads()
    assert "platform_store-reaper" not in threads()


def test_what_another_process_left_is_finished(servers_of_test: Servers, threads: Callable[[], set[str]]) -> None:
    with open_with(servers_of_test, IDLE) as platform:
        platform.create_table("t", COLUMNS, flag=0)
        platform.write("t", {"id": 1, "doc": "一"})
        servers_of_test.mongodb["t"].delete_many({})  # as if it had died before the document was brought
        assert platform.status().pending_entries == 1
        assert "platform_store-reaper" not in threads()
        with open_with(servers_of_test, QUICK):  # it writes nothing, and sweeps all the same
            wait_until(lambda: platform.status().pending_entries == 0, "the entry is confirmed")
        assert platform.read("t", 1) == {"id": 1, "doc": "一"}
        assert servers_of_test.mongodb["t"].count_documents({"_id": 1}) == 1


def test_one_at_work_at_a_time(servers_of_test: Servers) -> None:
    with open_with(servers_of_test, IDLE) as platform:
        journal = platform._rows.journal
        assert journal is not None
        assert journal.lease(b"a" * 16, PATIENCE)
        assert journal.lease(b"a" * 16, PATIENCE)  # renewed
        assert not journal.lease(b"b" * 16, PATIENCE)
        assert journal.lease(b"a" * 16, 0.3)
        wait_until(lambda: journal.lease(b"b" * 16, PATIENCE), "it ran out, as when its owner died")
        assert not journal.lease(b"a" * 16, PATIENCE)
        journal.release(b"a" * 16)  # not its own any more
        assert not journal.lease(b"a" * 16, PATIENCE)
        journal.release(b"b" * 16)
        assert journal.lease(b"a" * 16, PATIENCE)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:MongoClient opened before fork:UserWarning")
def test_a_forked_child_has_its_own(servers_of_test: Servers, threads: Callable[[], set[str]]) -> None:
    with open_with(servers_of_test, QUICK) as platform:
        platform.create_table("t", COLUMNS, flag=0)
        platform.write("t", {"id": 1, "doc": 1})
        child = os.fork()
        if child == 0:
            status = 1
            try:
                assert "platform_store-reaper" not in threads()
                platform.write("t", {"id": 2, "doc": 2})
                assert "platform_store-reaper" in threads()
                platform.close()
                assert "platform_store-reaper" not in threads()
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert platform.read("t", 2) == {"id": 2, "doc": 2}
        wait_until(lambda: platform.status().pending_entries == 0, "the entries are confirmed")


def test_the_journal_is_bounded(servers_of_test: Servers) -> None:
    with open_with(servers_of_test, QUICK) as platform:
        platform.create_table("t", COLUMNS, flag=0)
        platform.write("t", {"id": 0, "doc": 0})
        nowhere = MongodbConfig(url="mongodb://127.0.0.1:9/?replicaSet=rs0", database="x", server_selection_timeout=0.1)
        config = Config.from_urls(mysql=servers_of_test.mysql_url, mongodb=servers_of_test.mongodb_url)
        full = replace(QUICK, max_entries=3, reaper=True)
        platform.close()
        with Platform.open(replace(config, mongodb=nowhere, journal=full)) as cut_off:

            def refused() -> bool:
                try:
                    cut_off.write("t", {"id": time.monotonic_ns() % 2**31, "doc": 1})
                except Unavailable as error:
                    return "max_entries" in str(error)
                return False

            wait_until(refused, "a write is refused")
            assert cut_off.status().pending_entries >= 3
            cut_off.read("t", 0, columns=["id"])  # what needs no document goes on
    with open_with(servers_of_test, QUICK) as platform:
        assert platform.recover().remaining == 0
        platform.write("t", {"id": 1, "doc": 1})


def test_tombstones_go(servers_of_test: Servers) -> None:
    with open_with(servers_of_test, replace(IDLE, tombstones=0.01)) as platform:
        platform.create_table("t", COLUMNS, flag=0)
        platform.write_many("t", [{"id": key, "doc": key} for key in range(4)])
        platform.delete_range("t", 1, 2)
        assert platform._reaper is not None
        sweeper = platform._reaper._sweeper
        assert sweeper.purge(["t"], 0.0) == 0  # their own entries are still in the journal
        platform.recover()
        platform.update("t", 0, {"doc": "neu"})
        assert sweeper.purge(["t"], 3600.0) == 0
        assert sweeper.purge(["t"], 0.0) == 2
        assert [row["id"] for row in platform.scan("t")] == [0, 3]
        platform.write("t", {"id": 1, "doc": "wieder"})
        assert platform.read("t", 1) == {"id": 1, "doc": "wieder"}


def test_entries_of_a_dropped_table_are_swept(servers_of_test: Servers) -> None:
    with open_with(servers_of_test, IDLE) as platform:
        platform.create_table("t", COLUMNS, flag=0)
        platform.write("t", {"id": 1, "doc": 1})
        platform.drop_table("t")
        assert platform.recover().remaining == 0
        assert servers_of_test.sql("SELECT COUNT(*) FROM platform_store_journal") == ((0,),)
        assert platform.tables() == []
