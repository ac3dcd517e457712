"""A backup of both halves while applications write: what was acknowledged before its moment is there, and whole."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from typing import Never

import pytest

from platform_store import ColumnAttribute, Config, Diverged, Platform
from platform_store.config import JournalConfig
from platform_store.stores.mysql_sql import PENDING
from tests.faults.child import Child
from tests.integration.backup import SqlTools, dump_mongodb, dump_sql, load_mongodb, load_sql, sql_tools
from tests.integration.conftest import Servers
from tests.integration.live import Log
from tests.servers import provide
from tests.servers.binaries import ServersUnavailable
from tests.servers.databases import fresh_mongodb_database, fresh_sql_database
from tests.waiting import wait_until

COLUMNS = [
    ColumnAttribute("id", "BIGINT"),
    ColumnAttribute("version", "BIGINT"),
    ColumnAttribute("document", "JSON"),
]
OLD = 1500  # rows that are there before
WRITERS = 3
KEYS = 40  # of the old rows that each writer changes
BULK = 60  # rows at once: their documents go past the journal, unless it is held


@dataclass(frozen=True)
class Writer:
    """Changes, deletes and writes anew rows of its own, and writes many new ones. It says what it begins and does."""

    number: int
    log: Log

    def __call__(self, platform: Platform) -> Never:
        choose = random.Random(self.number)
        version, new = 0, (self.number + 1) * 1_000_000
        while True:
            version += 1
            if version % 10 == 0:
                self._many(platform, new, version)
                new += BULK
            else:
                self._one(platform, self.number * KEYS + choose.randrange(KEYS), version, choose.randrange(6))

    def _one(self, platform: Platform, key: int, version: int, kind: int) -> None:
        left = 0 if kind == 0 else version
        self.log.say("begin", key, left)
        if kind == 0:
            platform.delete("card", key)
        elif kind == 1:
            with platform.transaction() as tx:
                tx.delete("card", key)
                tx.write("card", row_of(key, version))
        else:
            platform.write("card", row_of(key, version), on_conflict="replace")
        self.log.say("done", key, left)

    def _many(self, platform: Platform, first: int, version: int) -> None:
        keys = range(first, first + BULK)
        for key in keys:
            self.log.say("begin", key, version)
        platform.write_many("card", [row_of(key, version) for key in keys])
        for key in keys:
            self.log.say("done", key, version)


def row_of(key: int, version: int) -> dict[str, object]:
    return {"id": key, "version": version, "document": {"version": version, "pad": "长" * (version % 300)}}


@dataclass
class Site:
    """A pair of databases that processes write to, and a second pair, empty, for what is restored."""

    servers: Servers
    restored_mysql: str
    restored_mongodb: str
    tools: SqlTools
    logs: list[Log]
    folder: Path

    @property
    def config(self) -> Config:
        config = Config.from_urls(mysql=self.servers.mysql_url, mongodb=self.servers.mongodb_url)
        return replace(config, journal=JournalConfig(retention=0.05, interval=0.05))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Processes write inside; each has got somewhere at the start."""
        with ExitStack() as killed:
            writers = [Writer(number, log) for number, log in enumerate(self.logs)]
            children = [killed.enter_context(Child(self.config, writer)) for writer in writers]
            self.go_on()
            yield
            for child in children:
                child.check()

    def go_on(self) -> None:
        """Waits until each writer has done more, some of it many rows at once."""
        wanted = [log.count("done") + BULK for log in self.logs]
        wait_until(
            lambda: all(log.count("done") >= count for log, count in zip(self.logs, wanted, strict=True)),
            "every writer has got on",
        )

    def swept(self) -> None:
        """Waits until everything that has been written by now has been through the journal."""
        ((last,),) = self.servers.sql("SELECT MAX(id) FROM platform_store_journal")
        waiting = f"SELECT 1 FROM platform_store_journal WHERE id <= {last} AND state = {PENDING} LIMIT 1"
        wait_until(lambda: self.servers.sql(waiting) == (), "the journal has been swept")

    def dump_mongodb(self) -> None:
        """Into the second pair. The writers get on in the middle of it, and at its end."""
        parts = count()

        def between() -> None:
            if next(parts) in (5, 10):  # no more often: a cursor would never get to the end of what is added
                self.go_on()

        load_mongodb(self.restored_mongodb, dump_mongodb(self.servers.mongodb_url, between))
        self.go_on()
        self.swept()

    def dump_mysql(self) -> dict[int, set[int]]:
        """Into the second pair. Returns which versions each key may be at: the last that was done, or begun since."""
        done = versions(self.logs, "done")
        file = dump_sql(self.tools, self.servers.mysql_url, self.folder)
        begun = versions(self.logs, "begin")
        load_sql(self.tools, self.restored_mysql, file)
        old = {key: [1] for key in range(OLD)}
        history = {key: old.get(key, [0]) + begun.get(key, []) for key in old | begun}
        return {key: set(these[len(done.get(key, [])) :]) for key, these in history.items()}

    def faults(self, possible: dict[int, set[int]]) -> list[str]:
        """What is wrong with the second pair."""
        with Platform.open(mysql=self.restored_mysql, mongodb=self.restored_mongodb) as platform:
            recovered = platform.recover()
            found = [f"recover(): {recovered}"] if recovered.remaining or recovered.diverged else []
            found += [f"verify: {one}" for one in platform.verify("card").differences]
            if found:
                return found  # each row of it would be read three times, and locked
            keys = {int(str(row["id"])) for row in platform.scan("card", columns=["id"])}
            found += [f"key {key} is at one of none" for key in keys - possible.keys()]
            for some in batched(possible):
                found += faults_of_rows(platform, {key: possible[key] for key in some})
            platform.write("card", row_of(99_999_999, 5))
            platform.recover()
            return found + faults_of_rows(platform, {99_999_999: {5}})


def versions(logs: list[Log], kind: str) -> dict[int, list[int]]:
    """Those of each key that logs tell of, in order; 0: deleted."""
    found: dict[int, list[int]] = {}
    for log in logs:
        for word, key, version in log.lines():
            if word == kind:
                found.setdefault(int(key), []).append(int(version))
    return found


def batched(keys: Iterable[int]) -> Iterator[list[int]]:
    left = iter(keys)
    while batch := list(islice(left, 500)):
        yield batch


def faults_of_rows(platform: Platform, possible: dict[int, set[int]]) -> list[str]:
    """What is wrong with these rows, which may be of these versions."""
    try:
        rows = platform.read_many("card", list(possible))
    except Diverged as error:
        if len(possible) == 1:
            return [str(error)]
        return [fault for key, these in possible.items() for fault in faults_of_rows(platform, {key: these})]
    found = []
    for (key, these), row in zip(possible.items(), rows, strict=True):
        version = 0 if row is None else int(str(row["version"]))
        if version not in these:
            found.append(f"key {key} is at {version}, not at one of {sorted(these)}")
        elif row is not None and row != row_of(key, version):
            found.append(f"key {key} is torn")
    return found


@pytest.fixture
def site(servers_of_test: Servers, mongodb_url: str, tmp_path: Path) -> Iterator[Site]:
    servers = servers_of_test
    try:
        tools = sql_tools(mariadb="MariaDB" in str(servers.mysql.get_server_info()))  # type: ignore[no-untyped-call]
    except ServersUnavailable as error:
        if provide.required():
            raise
        pytest.skip(error.reason)
    with servers.open_quiet() as platform:
        platform.create_table("card", COLUMNS, flag=1)
        platform.write_many("card", (row_of(key, 1) for key in range(OLD)))
        platform.recover()
    logs = [Log(tmp_path / f"log-{number}") for number in range(WRITERS)]
    with fresh_sql_database(servers.mysql_url) as mysql, fresh_mongodb_database(mongodb_url) as mongodb:
        yield Site(servers, mysql, mongodb, tools, logs, tmp_path)


def test_two_dumps_while_the_journal_is_held(site: Site) -> None:
    with site.servers.open_quiet() as platform:
        with site.writing(), platform.hold():
            site.dump_mongodb()
            possible = site.dump_mysql()
            assert platform.status().kept_entries > 0
        assert site.faults(possible) == []
        assert platform.recover().remaining == 0
        assert site.servers.sql("SELECT COUNT(*) FROM platform_store_journal") == ((0,),)
        assert platform.verify("card").ok


@pytest.mark.parametrize("servers_of_test", ["mysql"], indirect=True)
def test_without_a_hold_documents_are_lost(site: Site) -> None:
    with site.writing():
        site.dump_mongodb()
        possible = site.dump_mysql()
    faults = site.faults(possible)
    assert any("it has no document" in fault or "its document is of revision" in fault for fault in faults)


@pytest.mark.parametrize("servers_of_test", ["mysql"], indirect=True)
def test_in_the_other_order_documents_are_lost(site: Site) -> None:
    with site.servers.open_quiet() as platform, site.writing(), platform.hold():
        possible = site.dump_mysql()
        site.go_on()
        site.dump_mongodb()
    assert any("its document is of revision" in fault for fault in site.faults(possible))
