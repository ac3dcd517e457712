"""The pool's places and the connections outside it: nothing is lost to a fork, a signal or a failure."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from platform_store import ColumnAttribute, Platform, SchemaError, Unavailable
from platform_store.config import MysqlConfig
from platform_store.stores import mysql_driver
from platform_store.stores.mysql import MysqlConnections
from platform_store.stores.mysql_session import MysqlSession
from tests.integration.conftest import Servers
from tests.waiting import PATIENCE, wait_until

POOL_SIZE = 2


@pytest.fixture
def connections(servers_of_test: Servers) -> Iterator[MysqlConnections]:
    """Nobody waits for a place for longer than a second."""
    with pool(f"{servers_of_test.mysql_url}?pool_size={POOL_SIZE}&connect_timeout=1") as opened:
        yield opened


@contextlib.contextmanager
def pool(url: str) -> Iterator[MysqlConnections]:
    opened = MysqlConnections(MysqlConfig.from_url(url))
    yield opened
    opened.close()


def assert_every_place_is_free(connections: MysqlConnections) -> None:
    """As many leases as there are places, and no more."""
    with connections.lease() as first, connections.lease(query=True) as second:
        assert first.rows("SELECT 1") == second.rows("SELECT 1") == ((1,),)
        with pytest.raises(Unavailable, match="pool"), connections.lease():
            pass


def number(session: MysqlSession) -> int:
    ((value,),) = session.rows("SELECT CONNECTION_ID()")
    return int(value)


def assert_gone(servers: Servers, connection: int) -> None:
    wait_until(lambda: connection not in servers.connections(), "the connection is gone")


# Connections of their own


def test_a_dedicated_connection_takes_no_place(servers_of_test: Servers, connections: MysqlConnections) -> None:
    with connections.lease(), connections.lease(), connections.dedicated() as own, connections.dedicated() as other:
        assert number(own) != number(other)
        assert "STRICT_ALL_TABLES" in str(own.rows("SELECT @@sql_mode"))
        assert own.rows("SELECT @@time_zone") == (("+00:00",),)
        closed = number(own)
    assert_gone(servers_of_test, closed)
    assert_every_place_is_free(connections)


def test_a_dedicated_connection_waits_for_long_statements(servers_of_test: Servers) -> None:
    with pool(f"{servers_of_test.mysql_url}?read_timeout=1") as connections:
        with pytest.raises(Unavailable), connections.lease() as session:
            session.rows("SELECT SLEEP(1.5)")
        with connections.dedicated() as session:
            assert session.rows("SELECT SLEEP(1.5)") == ((0,),)


@pytest.mark.parametrize("failure", [SchemaError("stop"), KeyboardInterrupt(), Unavailable("mysql", "lost")])
def test_a_dedicated_connection_rolls_back_and_goes(
    servers_of_test: Servers, connections: MysqlConnections, failure: BaseException
) -> None:
    servers_of_test.sql("CREATE TABLE t (id INT PRIMARY KEY)")
    opened = []

    def fail() -> None:
        with connections.dedicated() as session:
            opened.append(number(session))
            session.begin()
            session.execute("INSERT INTO t VALUES (1)")
            raise failure

    with pytest.raises(type(failure)):
        fail()
    assert_gone(servers_of_test, opened[0])
    assert servers_of_test.sql("SELECT * FROM t") == ()


def test_a_dedicated_connection_that_is_killed(servers_of_test: Servers, connections: MysqlConnections) -> None:
    with connections.dedicated() as session:
        servers_of_test.sql(f"KILL {number(session)}")
        with pytest.raises(Unavailable):
            session.rows("SELECT 1")
    assert_every_place_is_free(connections)


def test_a_closed_platform_gives_no_connection(connections: MysqlConnections) -> None:
    connections.close()
    with pytest.raises(Unavailable, match="closed"), connections.dedicated():
        pass


# Forks


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:MongoClient opened before fork:UserWarning")
def test_a_fork_with_an_open_result(servers_of_test: Servers) -> None:
    url = f"{servers_of_test.mysql_url}?pool_size=1&connect_timeout=2"
    with Platform.open(mysql=url, mongodb=servers_of_test.mongodb_url) as platform:
        platform.create_table("card", [ColumnAttribute("id", "INT"), ColumnAttribute("n", "INT")], flag=1)
        platform.write_many("card", [{"id": key, "n": key} for key in range(3000)])
        result = platform.query("SELECT id FROM card ORDER BY id")
        rows = iter(result)
        assert next(rows) == (0,)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                result.close()
                assert platform.read("card", 7) == {"id": 7, "n": 7}
                assert platform.query("SELECT COUNT(*) FROM card").scalar() == 3000
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert next(rows) == (1,)
        result.close()
        assert platform.read("card", 7) == {"id": 7, "n": 7}


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:MongoClient opened before fork:UserWarning")
def test_a_fork_while_another_thread_is_at_work(servers_of_test: Servers) -> None:
    """Whatever lock that thread holds in the parent, nobody in the child would ever let go of it."""
    with Platform.open(mysql=servers_of_test.mysql_url, mongodb=servers_of_test.mongodb_url) as platform:
        platform.create_table("card", [ColumnAttribute("id", "INT"), ColumnAttribute("n", "JSON")], flag=0)
        platform.write("card", {"id": 7, "n": 7})
        at_work = "INFO LIKE 'SELECT SLEEP(1000)%'"
        waiting = threading.Thread(target=_until_it_is_killed, args=(platform, "SELECT SLEEP(1000) FROM card"))
        waiting.start()
        wait_until(lambda: len(servers_of_test.connections(at_work)) == 1, "it is at work")
        connections, clients = platform._rows._connections, platform._documents._connections  # type: ignore[attr-defined]
        with connections._write_pool._lock, connections._query_pool._lock, clients._own_lock():
            child = os.fork()
            if child == 0:
                signal.alarm(int(PATIENCE))
                status = 1
                try:
                    assert platform.read("card", 7) == {"id": 7, "n": 7}
                    platform.close()
                    status = 0
                finally:
                    os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert waiting.is_alive()
        for thread in servers_of_test.connections(at_work):
            servers_of_test.sql(f"KILL {thread}")
        waiting.join()
        assert platform.read("card", 7) == {"id": 7, "n": 7}


def _until_it_is_killed(platform: Platform, sql: str) -> None:
    with pytest.raises(Unavailable):
        platform.query(sql).all()


# Signals


@pytest.fixture
def alarm() -> Iterator[Any]:
    """Arms a timer that interrupts the main thread as Ctrl-C does."""
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, previous)


# An interrupt in the middle of a connect leaves the socket to the garbage collector; one in a finalizer is swallowed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:unclosed <s:ResourceWarning")
def test_interrupted_leases_give_their_places_back(connections: MysqlConnections, alarm: Any) -> None:
    def work() -> None:
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            with connections.lease() as session:
                session.begin()
                assert session.rows("SELECT 1, 2") == ((1, 2),)
            with connections.lease(query=True) as session:
                assert session.rows("SELECT 3") == ((3,),)

    for attempt in range(300):
        try:
            alarm(0.0005 + attempt * 0.00001)
            work()
        except KeyboardInterrupt:
            alarm(0)
    assert_every_place_is_free(connections)


def _wait_until_interrupted(connections: MysqlConnections, alarm: Any) -> None:
    alarm(0.01)  # inside what catches it: where the machine is busy it may ring at once
    with connections.lease():
        pass


def test_an_interrupted_wait_takes_no_place(connections: MysqlConnections, alarm: Any) -> None:
    with connections.lease(), connections.lease():
        for _ in range(10):
            with pytest.raises(KeyboardInterrupt):
                _wait_until_interrupted(connections, alarm)
        started = time.monotonic()
        with pytest.raises(Unavailable), connections.lease():
            pass
        assert 0.8 < time.monotonic() - started < PATIENCE
    assert_every_place_is_free(connections)


def test_an_interrupted_connect_leaves_no_session_half_prepared(
    servers_of_test: Servers, connections: MysqlConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every session in the pool is strict, wherever the preparation of an earlier one was interrupted."""
    query = mysql_driver.Connection.query
    statements: list[str] = []

    thread = threading.get_ident()

    def interrupted(self: Any, sql: str, unbuffered: bool = False) -> int:
        if threading.get_ident() == thread:
            statements.append(sql)
            if len(statements) == 2:
                raise KeyboardInterrupt
        return query(self, sql, unbuffered)

    monkeypatch.setattr(mysql_driver.Connection, "query", interrupted)
    with pytest.raises(KeyboardInterrupt), connections.lease():
        pass
    for left in servers_of_test.connections("ID <> CONNECTION_ID()"):
        assert_gone(servers_of_test, left)
    with connections.lease() as session:
        assert "STRICT_ALL_TABLES" in str(session.rows("SELECT @@sql_mode"))
    assert_every_place_is_free(connections)
