"""Spans and metrics on real servers: the requests of an operation, what is never exported, forks and threads."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import pymysql
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from platform_store import ColumnAttribute, Config, Index, Platform, PlatformStoreError, Range, Unavailable
from platform_store.config import JournalConfig
from platform_store.stores import mysql_driver
from platform_store.telemetry import _SPANS
from tests.exported import Exported, said
from tests.integration.conftest import Servers
from tests.waiting import wait_until

COLUMNS = [ColumnAttribute("id", "INT"), ColumnAttribute("n", "INT"), ColumnAttribute("doc", "JSON")]
QUIET = JournalConfig(reaper=False)
QUICK = JournalConfig(retention=0.05, interval=0.05, lease=1.0)


@pytest.fixture
def exported() -> Exported:
    return Exported()


@pytest.fixture
def watched(servers_of_test: Servers, exported: Exported) -> Iterator[Callable[[JournalConfig], Platform]]:
    """Opens a platform that is watched, with a table ``card`` of ten rows."""
    config = Config.from_urls(mysql=servers_of_test.mysql_url, mongodb=servers_of_test.mongodb_url)
    opened: list[Platform] = []

    def open_with(journal: JournalConfig) -> Platform:
        platform = Platform.open(
            replace(config, journal=journal),
            **exported.providers,
        )
        opened.append(platform)
        platform.create_table("card", COLUMNS, flag=1, if_not_exists=True)
        platform.write_many("card", [{"id": key, "n": key, "doc": f"{key}"} for key in range(10)], on_conflict="ignore")
        platform.recover()
        exported.clear()
        return platform

    yield open_with
    for platform in opened:
        platform.close()


def names(spans: list[ReadableSpan]) -> list[str]:
    return [span.name for span in spans]


def test_the_requests_of_an_operation(
    servers_of_test: Servers, watched: Callable[[JournalConfig], Platform], exported: Exported
) -> None:
    platform = watched(QUIET)
    system = "mariadb" if "MariaDB" in str(servers_of_test.mysql.get_server_info()) else "mysql"  # type: ignore[no-untyped-call]
    platform.read("card", 1)
    (read,) = exported.operations
    select, find = exported.requests(read)
    assert (select.name, find.name) == ("SELECT", "find card")
    assert said(select)["db.system.name"] == system
    assert {said(select)["db.response.returned_rows"], said(find)["db.response.returned_rows"]} == {1}
    assert said(find)["db.namespace"] == servers_of_test.mongodb.name
    assert f":{said(select)['server.port']}/" in servers_of_test.mysql_url
    assert said(read)[f"platform_store.requests.{system}"] == said(read)["platform_store.requests.mongodb"] == 1
    exported.clear()
    platform.write("card", {"id": 10, "doc": 1})
    (write,) = exported.operations
    packet, *others = exported.requests(write)
    assert (packet.name, said(packet)["db.operation.name"]) == ("START; SELECT; INSERT; INSERT; UPDATE", "BATCH")
    assert said(packet)["db.operation.batch.size"] == 5
    assert names(others)[-2:] == ["COMMIT", "insert card"]
    exported.clear()
    assert len(platform.read_many("card", [1, 2, 3])) == 3  # a thread of its own asks MongoDB
    (read_many,) = exported.operations
    assert sorted(names(exported.requests(read_many))) == ["SELECT", "find card"]
    exported.clear()
    with platform.query("SELECT id FROM card WHERE n = 3 AND doc IS NOT NULL") as result:
        assert result.all() == [(3,)]
    (query,) = exported.operations
    assert {"CREATE", "SELECT", "find card"} < set(names(exported.requests(query)))


def test_a_query_takes_one_place_of_the_pool(servers_of_test: Servers, exported: Exported) -> None:
    """Of a table in no association the catalog is asked anew each time: never while the result is open."""
    servers_of_test.sql("CREATE TABLE plain (id INT PRIMARY KEY)")
    config = Config.from_urls(
        mysql=f"{servers_of_test.mysql_url}?pool_size=1&connect_timeout=1", mongodb=servers_of_test.mongodb_url
    )
    with Platform.open(replace(config, journal=QUIET), **exported.providers) as platform:
        platform.create_table("card", COLUMNS, flag=1)
        exported.clear()
        assert platform.query("SELECT COUNT(*) FROM plain, card").scalar() == 0
    (query,) = exported.operations
    assert query.name == "query card"


def test_a_long_operation_counts_its_requests(watched: Callable[[JournalConfig], Platform], exported: Exported) -> None:
    platform = watched(QUIET)
    platform.write_many("card", [{"id": key, "doc": key} for key in range(10, 200)])
    platform.recover()
    exported.clear()
    assert len(list(platform.scan("card", batch_size=1))) == 200
    (scan,) = exported.operations
    assert len(exported.requests(scan)) == _SPANS
    counts = [count for name, count in said(scan).items() if name.startswith("platform_store.requests.")]
    assert sum(count for count in counts if isinstance(count, int)) > 400


def test_a_request_that_fails(
    servers_of_test: Servers, watched: Callable[[JournalConfig], Platform], exported: Exported
) -> None:
    platform = watched(QUIET)
    servers_of_test.mongodb.command(
        "collMod", "card", validator={"doc": {"$ne": "refused"}}, validationLevel="strict", validationAction="error"
    )
    platform._documents.target._validated = {}  # type: ignore[union-attr]
    with suppress(PlatformStoreError):
        platform.write_many("card", [{"id": 50, "doc": "refused"}, {"id": 51, "doc": 1}])
    exported.clear()
    servers_of_test.sql("DROP TABLE card")
    with pytest.raises(PlatformStoreError):
        platform.read("card", 1)
    (read,) = exported.operations
    failed = [span for span in exported.requests(read) if span.status.status_code is StatusCode.ERROR]
    assert failed
    assert all(said(span)["error.type"] for span in failed)


def test_a_request_that_cannot_be_sent_ends_once(
    watched: Callable[[JournalConfig], Platform],
    exported: Exported,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    platform = watched(QUIET)

    def fails(*arguments: object) -> None:
        raise pymysql.err.OperationalError(2006, "the connection is gone")

    with monkeypatch.context() as patched:
        patched.setattr(mysql_driver.Connection, "send", fails)
        with pytest.raises(Unavailable):
            platform.write("card", {"id": 20, "doc": 1})
    (write,) = exported.operations
    assert [span.status.status_code for span in exported.requests(write)] == [StatusCode.ERROR]
    assert "ended" not in caplog.text  # the SDK warns of a span that ends twice


MARK = "Zq7x"
"""In every value, key, literal and condition below; in nothing else."""


def _misuse(platform: Platform) -> list[Callable[[], object]]:
    """Whatever goes wrong with values at hand."""
    return [
        lambda: platform.write("secret", {"id": f"{MARK}1", "name": f"{MARK}taken"}),
        lambda: platform.write("secret", {"id": f"{MARK}9", "name": f"{MARK}" * 50}),
        lambda: platform.write("secret", {"id": f"{MARK}9", "n": f"{MARK}"}),
        lambda: platform.write("secret", {"id": f"{MARK}9", "name": f"{MARK}name"}),
        lambda: platform.update("secret", f"{MARK}none", {"n": 1}),
        lambda: platform.update("secret", f"{MARK}1", {"name": "x"}, expect={"name": f"{MARK}other"}),
        lambda: platform.read("secret", {f"{MARK}": 1}),
        lambda: platform.find("secret", {f"{MARK}": 1}),
        lambda: platform.query(f"SELECT {MARK}1 FROM secret"),
        lambda: platform.query(f"SELECT * FROM {MARK}2"),
        lambda: platform.query(f"SELECT '{MARK}3' FROM secret WHERE ((("),
        lambda: platform.query("SELECT id FROM secret WHERE name = %s", {"x": f"{MARK}"}),
        lambda: platform.recover(f"{MARK}"),
    ]


def test_no_value_no_key_and_no_literal_is_exported(
    servers_of_test: Servers,
    watched: Callable[[JournalConfig], Platform],
    exported: Exported,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, logger="platform_store")
    platform = watched(QUICK)
    columns = [
        ColumnAttribute("id", "VARCHAR(20)"),
        ColumnAttribute("name", "VARCHAR(80)"),
        ColumnAttribute("n", "INT"),
        ColumnAttribute("doc", "JSON"),
    ]
    platform.create_table("secret", columns, flag=2, extra=True, indexes=[Index(["name"], unique=True)])
    rows = [{"id": f"{MARK}{n}", "name": f"{MARK}name{n}", "doc": {MARK: MARK}, f"{MARK}f": MARK} for n in range(9)]
    platform.write("secret", {**rows[0], "name": f"{MARK}name"})
    platform.write_many("secret", rows[1:])
    platform.update("secret", f"{MARK}1", {"doc": MARK, f"{MARK}g": MARK}, expect={"name": f"{MARK}name1"})
    assert platform.read("secret", f"{MARK}1", columns=["doc"]) == {"doc": MARK}
    assert len(platform.read_many("secret", [f"{MARK}{n}" for n in range(3)])) == 3
    assert len(platform.find("secret", {"name": Range(ge=MARK)}, limit=3)) == 3
    assert len(list(platform.scan("secret", f"{MARK}", f"{MARK}5"))) == 6
    with platform.query(f"SELECT '{MARK}' FROM secret WHERE name > '{MARK}' AND doc <> %s", [MARK]) as result:
        assert len(result.all()) > 1
    with platform.transaction() as transaction:
        transaction.write("secret", {"id": f"{MARK}t", "doc": MARK})
        transaction.find("secret", {"id": f"{MARK}t"})
        transaction.delete_many("secret", [f"{MARK}t"])
    for misuse in _misuse(platform):
        with suppress(PlatformStoreError, TypeError):
            misuse()
    platform.move_column("secret", "name", to="both")
    assert platform.verify("secret").ok
    platform.delete("secret", f"{MARK}1")
    platform.delete_range("secret", f"{MARK}2", f"{MARK}4")
    platform.recover()
    assert len(exported.operations) >= 25
    everything = exported.everything() + caplog.text
    assert MARK not in everything
    for url in (servers_of_test.mysql_url, servers_of_test.mongodb_url):
        account = url.partition("://")[2].rpartition("@")[0]
        assert not account or account.partition(":")[2] not in everything


def test_what_the_gauges_show(watched: Callable[[JournalConfig], Platform], exported: Exported) -> None:
    platform = watched(QUICK)
    wait_until(lambda: "platform_store.journal.entries" in exported.metrics(), "the journal was looked at")
    metrics = exported.metrics()
    states = {said["platform_store.journal.state"] for said, _ in metrics["platform_store.journal.entries"]}
    assert states == {"waiting", "refused"}
    assert {"platform_store.journal.size", "platform_store.journal.oldest"} < metrics.keys()

    def used() -> object:
        return next(
            value
            for said, value in exported.metrics()["db.client.connection.count"]
            if said["db.client.connection.state"] == "used"
        )

    with platform.query("SELECT id FROM card"):
        wait_until(lambda: used() == 1, "the query's connection is counted")
    assert [value for _, value in metrics["db.client.connection.max"]] == [8]
    platform.close()
    assert "platform_store.journal.entries" not in exported.metrics()
    again = watched(QUICK)
    wait_until(lambda: "platform_store.journal.entries" in exported.metrics(), "another platform is watched as well")
    again.close()


def test_the_journals_thread_tells_what_it_did(
    servers_of_test: Servers, watched: Callable[[JournalConfig], Platform], exported: Exported
) -> None:
    platform = watched(QUICK)
    platform.write("card", {"id": 11, "doc": 1})
    wait_until(lambda: platform.status().pending_entries == 0, "the thread has seen the document")
    wait_until(lambda: "drain" in names(exported.spans), "it tells so")
    drain = next(span for span in exported.spans if span.name == "drain")
    assert said(drain)["platform_store.changed_rows"]
    assert drain.parent is None
    for _ in range(2):  # rounds go by in which nothing is done
        seen = platform._journal.backlog
        wait_until(lambda seen=seen: platform._journal.backlog is not seen, "a round begins")  # type: ignore[misc]
    assert all(said(span)["platform_store.changed_rows"] for span in exported.spans if span.name == "drain")


def test_worker_processes_go_on_by_themselves(
    servers_of_test: Servers, watched: Callable[[JournalConfig], Platform], exported: Exported
) -> None:
    platform = watched(QUIET)
    servers_of_test.mongodb["plain"].insert_many([{"_id": key, "n": key} for key in range(500)])
    done = platform.migrate("plain", "mongodb-to-mysql", workers=2, batch_rows=50)
    assert done.rows == 500
    (migrate,) = exported.operations
    assert (migrate.name, said(migrate)["platform_store.changed_rows"]) == ("migrate plain", 500)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:MongoClient opened before fork:UserWarning")
def test_a_forked_child_is_watched_too(watched: Callable[[JournalConfig], Platform], exported: Exported) -> None:
    platform = watched(QUIET)
    platform.read("card", 1)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            exported.clear()
            platform.read("card", 2)
            (read,) = exported.operations
            asked = [name for name in names(exported.requests(read)) if name != "ping"]  # its client may be quicker
            assert asked == ["SELECT", "find card"]
            assert "db.client.connection.count" in exported.metrics()
            platform.close()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    exported.clear()
    platform.read("card", 3)
    assert len(exported.operations) == 1
