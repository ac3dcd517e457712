"""Connections: threads, forks, lost connections, results left open."""

from __future__ import annotations

import os
import threading

import pytest

from platform_store import ColumnAttribute, Platform, Unavailable
from platform_store.config import MysqlConfig
from platform_store.stores.mysql import MysqlConnections
from tests.integration.conftest import Servers

COLUMNS = [ColumnAttribute("id", "INT"), ColumnAttribute("n", "INT"), ColumnAttribute("doc", "JSON")]


@pytest.fixture
def table(platform: Platform) -> str:
    platform.create_table("card", COLUMNS, flag=1)
    platform.write_many("card", [{"id": number, "n": 0, "doc": number} for number in range(3000)])
    return "card"


def test_threads_share_a_platform(platform: Platform, table: str) -> None:
    failures: list[BaseException] = []

    def work(thread: int) -> None:
        try:
            for step in range(20):
                key = thread * 100 + step
                platform.update(table, key, {"n": step, "doc": [step]})
                row = platform.read(table, key)
                assert row == {"id": key, "n": step, "doc": [step]}
                platform.update(table, 2999, {"n": thread, "doc": thread})
                hot = platform.read(table, 2999)
                assert hot is not None
                assert hot["n"] == hot["doc"], "torn"
        except BaseException as error:  # noqa: BLE001 - reported by the main thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:MongoClient opened before fork:UserWarning")
def test_a_platform_survives_a_fork(platform: Platform, table: str) -> None:
    assert platform.read(table, 1) == {"id": 1, "n": 0, "doc": 1}
    child = os.fork()
    if child == 0:
        status = 1
        try:
            platform.update(table, 1, {"doc": "child"})
            status = 0 if len(list(platform.scan(table))) == 3000 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert platform.read(table, 1) == {"id": 1, "n": 0, "doc": "child"}
    platform.update(table, 1, {"doc": "parent"})
    assert platform.read(table, 1) == {"id": 1, "n": 0, "doc": "parent"}


def test_killed_connections_are_replaced(servers_of_test: Servers, platform: Platform, table: str) -> None:
    servers_of_test.end_connections()
    failed = 0
    for key in range(20):
        # A connection used within the last second is not pinged: its loss shows, and the write is whole or absent.
        try:
            platform.update(table, key, {"n": 1, "doc": "neu"})
        except Unavailable:
            failed += 1
            platform.update(table, key, {"n": 1, "doc": "neu"})
        assert platform.read(table, key) == {"id": key, "n": 1, "doc": "neu"}
    assert failed <= 1


def test_a_lost_connection_is_never_replayed(servers_of_test: Servers) -> None:
    """DBUtils would run the last statement again on a new connection, outside the transaction it belonged to."""
    connections = MysqlConnections(MysqlConfig.from_url(servers_of_test.mysql_url))
    servers_of_test.sql("CREATE TABLE t (id INT PRIMARY KEY)")

    def transaction() -> None:
        with connections.lease() as session:
            session.begin()
            ((number,),) = session.rows("SELECT CONNECTION_ID()")
            session.execute("INSERT INTO t VALUES (1)")
            servers_of_test.sql(f"KILL {number}")
            session.execute("INSERT INTO t VALUES (2)")

    with pytest.raises(Unavailable):
        transaction()
    assert servers_of_test.sql("SELECT * FROM t") == ()
    connections.close()


def test_an_unread_result_gives_its_connection_back(platform: Platform, table: str) -> None:
    for _ in range(20):
        with platform.query("SELECT a.id FROM card a JOIN card b ON b.n = a.n") as result:
            assert next(iter(result)) is not None
    assert platform.read(table, 1) is not None


def test_a_pool_that_is_used_up_says_so(servers_of_test: Servers, platform: Platform, table: str) -> None:
    url = servers_of_test.mysql_url + "?pool_size=2&connect_timeout=1"
    with Platform.open(mysql=url, mongodb=servers_of_test.mongodb_url) as small:
        results = [small.query("SELECT id FROM card") for _ in range(2)]
        with pytest.raises(Unavailable, match="pool"):
            small.read(table, 1)
        for result in results:
            result.close()
        assert small.read(table, 1) is not None
