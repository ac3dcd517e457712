"""What the log tells an operator, caused on real servers: each thing once where it begins, and once where it ends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

import pytest

from platform_store import ColumnAttribute, Config, Platform, Unavailable, reaper
from platform_store.config import JournalConfig
from platform_store.stores.mysql_sql import JOURNAL, PENDING
from tests.faults.proxy import Proxy
from tests.integration.conftest import Servers
from tests.waiting import wait_until

COLUMNS = [ColumnAttribute("id", "INT"), ColumnAttribute("n", "INT"), ColumnAttribute("doc", "JSON")]
QUICK = JournalConfig(retention=0.05, interval=0.05, lease=1.0)
LOST = "MongoDB does not answer; documents are kept in the journal"
BACK = "MongoDB answers again"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Callable[[str], int]:
    """How many messages begin like this, from a level that production shows (or with info:, from that)."""
    caplog.set_level(logging.INFO, logger="platform_store")

    def count(text: str) -> int:
        least = logging.INFO if text.startswith("info: ") else logging.WARNING
        wanted = text.removeprefix("info: ")
        return sum(one.levelno >= least and wanted in one.getMessage() for one in caplog.records)

    return count


@pytest.fixture
def proxy(servers_of_test: Servers) -> Iterator[Proxy]:
    """In front of MongoDB."""
    parts = urlsplit(servers_of_test.mongodb_url)
    with Proxy((parts.hostname or "", parts.port or 27017), protocol="mongodb") as opened:
        yield opened


@pytest.fixture
def reach(servers_of_test: Servers, proxy: Proxy) -> Iterator[Callable[[JournalConfig], Platform]]:
    """Opens a platform whose MongoDB is behind the proxy."""
    parts = urlsplit(servers_of_test.mongodb_url)
    account = parts.netloc.rpartition("@")[0]
    host = f"{account}@127.0.0.1:{proxy.port}" if account else f"127.0.0.1:{proxy.port}"
    url = urlunsplit(("mongodb", host, parts.path, "directConnection=true", ""))
    config = Config.from_urls(mysql=servers_of_test.mysql_url, mongodb=url)
    assert config.mongodb is not None
    mongodb = replace(config.mongodb, server_selection_timeout=0.2, timeout=1.0, apply_timeout=0.5)
    opened: list[Platform] = []

    def open_with(journal: JournalConfig) -> Platform:
        platform = Platform.open(replace(config, journal=journal, mongodb=mongodb))
        opened.append(platform)
        platform.create_table("card", COLUMNS, flag=1, if_not_exists=True)
        platform.write("card", {"id": 0, "doc": 0}, on_conflict="ignore")
        return platform

    yield open_with
    for platform in opened:
        platform.close()


def cut(proxy: Proxy) -> None:
    proxy.refuse()
    proxy.cut_all()


def recovered(platform: Platform) -> bool:
    try:
        return platform.recover().remaining == 0
    except Unavailable:
        return False


def test_mongodb_is_away_and_back(
    proxy: Proxy, reach: Callable[[JournalConfig], Platform], log: Callable[[str], int]
) -> None:
    platform = reach(JournalConfig(reaper=False))
    for episode in (1, 2):
        cut(proxy)
        for key in range(2):
            platform._journal._away_until = 0.0  # its patience is over: it tries again
            platform.write("card", {"id": 10 * episode + key, "doc": 1})
        assert log(LOST) == episode
        assert log(BACK) == episode - 1
        proxy.accept()
        wait_until(lambda: recovered(platform), "MongoDB is found again")
        assert log(BACK) == episode
        assert log("info: recovered: ") == episode


def test_the_thread_says_once_that_it_cannot(
    proxy: Proxy, reach: Callable[[JournalConfig], Platform], log: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaper, "_LATE", 0.0)
    platform = reach(replace(QUICK, max_entries=3))
    wait_until(lambda: log("info: this process looks after the journal from now on") == 1, "it is at work")
    cut(proxy)
    for key in range(1, 4):
        platform.write("card", {"id": key, "doc": key})
    late, full = "documents wait in the journal, the oldest for", "the journal is full: "
    wait_until(lambda: bool(log(full) and log(late)), "the backlog is noticed")
    wait_until(lambda: bool(log("the journal is looked after later")), "the thread says that it waits")
    with pytest.raises(Unavailable):
        platform.write("card", {"id": 4, "doc": 4})
    for _ in range(3):
        seen = platform._journal.backlog
        wait_until(lambda seen=seen: platform._journal.backlog is not seen, "a round goes by")  # type: ignore[misc]
    assert (log(full), log(late), log("the journal is looked after later"), log(LOST)) == (1, 1, 1, 1)
    proxy.accept()
    ends = (
        BACK,
        "the journal has room again",
        "no document waits in the journal for long any more",
        "the journal is looked after again",
    )
    for end in ends:
        wait_until(lambda end=end: log(end) == 1, end)  # type: ignore[misc]
    wait_until(lambda: platform.status().pending_entries == 0, "nothing waits")
    assert [log(end) for end in ends] == [1, 1, 1, 1]


def test_what_mongodb_refuses_is_said_once(
    servers_of_test: Servers, reach: Callable[[JournalConfig], Platform], log: Callable[[str], int]
) -> None:
    platform = reach(QUICK)
    other = servers_of_test.open_quiet()
    with other:
        other.write("card", {"id": 50, "doc": 1})
        servers_of_test.mongodb.command("collMod", "card", validator={"doc": {"$ne": "refused"}})
        other.write_many("card", [{"id": 1, "doc": "refused"}, {"id": 2, "doc": "refused"}])
    wait_until(lambda: log("documents (code 121): they are set aside") == 1, "it is noticed")
    servers_of_test.mongodb.command("collMod", "card", validator={})
    platform.recover()
    wait_until(lambda: log("MongoDB refuses no document any more") == 1, "it is over")
    assert log("documents (code 121): they are set aside") == 1
    assert log("refused") == 0  # no value


def test_documents_are_late_whatever_else_is_refused(servers_of_test: Servers, log: Callable[[str], int]) -> None:
    condition = reaper.Condition(QUICK)
    with servers_of_test.open_quiet() as platform:
        platform.create_table("card", COLUMNS, flag=1)
        platform.write_many("card", [{"id": key, "doc": key} for key in range(3)])
        journal = platform._rows.journal
        assert journal is not None
        servers_of_test.sql(f"UPDATE {JOURNAL} SET written_at = written_at - INTERVAL 1 HOUR")
        ((first,),) = servers_of_test.sql(f"SELECT MIN(id) FROM {JOURNAL} WHERE state = {PENDING}")
        for _ in range(2):
            condition.see(journal.backlog())
            journal.set_aside({first: 121})
        late, ends = (
            "documents wait in the journal, the oldest for",
            "no document waits in the journal for long any more",
        )
        assert (log(f"3 {late}"), log(ends)) == (1, 0)
        platform.recover()
        condition.see(journal.backlog())
        assert (log(late), log(ends)) == (1, 1)


def test_one_process_takes_over_from_another(
    reach: Callable[[JournalConfig], Platform], log: Callable[[str], int]
) -> None:
    first = reach(QUICK)
    taken = "info: this process looks after the journal from now on"
    wait_until(lambda: log(taken) == 1, "the first is at work")
    second = reach(QUICK)
    seen = second._journal.backlog
    wait_until(lambda: second._journal.backlog is not seen, "a round of the second goes by")
    assert log(taken) == 1
    first.close()
    wait_until(lambda: log(taken) == 2, "the second takes over")


def test_bulk_writes_of_the_dead_are_undone(
    servers_of_test: Servers, reach: Callable[[JournalConfig], Platform], log: Callable[[str], int]
) -> None:
    platform = reach(JournalConfig(reaper=False))

    class Killed(BaseException):
        """The process dies."""

    def dies(*arguments: object) -> None:
        raise Killed

    dying = servers_of_test.open_quiet()
    dying._journal.commit = dies  # type: ignore[method-assign, assignment]
    with dying, pytest.raises(Killed):
        dying.write_many("card", [{"id": key, "doc": key} for key in range(100, 300)])
    undone = "1 bulk writes that never ended are undone"
    wait_until(lambda: platform.recover().withdrawn == 1 or log(undone) == 1, "the intent is withdrawn")
    assert log(undone) == 1
    assert servers_of_test.mongodb["card"].count_documents({}) <= 1


def test_moves_and_migrations_tell_their_phases(
    servers_of_test: Servers, reach: Callable[[JournalConfig], Platform], log: Callable[[str], int]
) -> None:
    platform = reach(JournalConfig(reaper=False))
    platform.move_column("card", "n", to="mongodb")
    for phase in ("prepare", "fill", "verify", "switch", "clean"):
        assert log(f"info: which moves columns of 'card', begins its phase {phase}") == 1
    assert log("info: which moves columns of 'card', is done") == 1
    servers_of_test.mongodb["plain"].insert_many([{"_id": key, "n": key} for key in range(10)])
    platform.migrate("plain", "mongodb-to-mysql", workers=1)
    assert log("info: which migrates 'plain', begins its phase copy, round 1") == 1
    assert log("info: which migrates 'plain', ends in its phase done: done") == 1
