"""MongoDB out of reach: writes wait in the journal or fail at once, as configured, and nothing waits for ever."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import pytest

from platform_store import ColumnAttribute, Config, Platform, Unavailable
from platform_store.config import MongodbConfig, MysqlConfig
from tests.integration.conftest import Servers
from tests.waiting import PATIENCE

COLUMNS = [ColumnAttribute("id", "INT"), ColumnAttribute("n", "INT"), ColumnAttribute("doc", "JSON")]


@contextmanager
def without_mongodb(servers: Servers, when_down: Literal["queue", "fail"]) -> Iterator[Platform]:
    """A process of the same application whose MongoDB does not answer: its port is held, and nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        mongodb = MongodbConfig(
            url=f"mongodb://127.0.0.1:{held.getsockname()[1]}/?replicaSet=rs0",
            database=servers.mongodb.name,
            server_selection_timeout=0.2,
            timeout=0.5,
            when_down=when_down,
        )
        with Platform.open(Config(mysql=MysqlConfig.from_url(servers.mysql_url), mongodb=mongodb)) as platform:
            yield platform


@pytest.fixture
def table(platform: Platform) -> str:
    platform.create_table("card", COLUMNS, flag=1)
    platform.write_many("card", [{"id": 1, "n": 1, "doc": "一"}, {"id": 2, "n": 2, "doc": "二"}])
    assert platform.recover().remaining == 0  # from now on MongoDB alone has these documents
    return "card"


def test_writes_wait_in_the_journal(servers_of_test: Servers, platform: Platform, table: str) -> None:
    with without_mongodb(servers_of_test, "queue") as cut_off:
        began = time.monotonic()
        cut_off.write(table, {"id": 3, "n": 3, "doc": "三"})
        cut_off.update(table, 3, {"doc": ["三"]})
        cut_off.update(table, 1, {"n": 10})
        assert cut_off.delete(table, 2) is True
        # What the journal holds is served from it; the rest needs MongoDB.
        assert cut_off.read(table, 3) == {"id": 3, "n": 3, "doc": ["三"]}
        assert cut_off.read_many(table, [2, 3]) == [None, {"id": 3, "n": 3, "doc": ["三"]}]
        assert cut_off.read(table, 1, columns=["n"]) == {"n": 10}
        calls: list[Callable[[], object]] = [
            lambda: cut_off.read(table, 1),
            lambda: cut_off.read_many(table, [1, 3]),
            lambda: list(cut_off.scan(table)),
            lambda: cut_off.update(table, 1, {"doc": "neu"}),
            cut_off.recover,
        ]
        for call in calls:
            with pytest.raises(Unavailable) as caught:
                call()
            assert caught.value.store == "mongodb"
        assert time.monotonic() - began < PATIENCE
        status = cut_off.status()
        assert (status.mysql, status.mongodb, status.pending_entries) == (True, False, 3)
        found = {finding.subject: finding for finding in cut_off.doctor()}
        assert not found["mongodb"].ok
        assert "entries pending" in found["journal"].detail
    # Another process sees every acknowledged write at once, before anything has reached MongoDB.
    rows = [{"id": 1, "n": 10, "doc": "一"}, {"id": 3, "n": 3, "doc": ["三"]}]
    assert list(platform.scan(table)) == rows
    assert [document["_id"] for document in platform.read_collection(table)] == [1, 3]
    assert servers_of_test.mongodb[table].count_documents({"_id": 3}) == 0
    assert platform.recover().remaining == 0
    assert list(platform.scan(table)) == rows
    assert servers_of_test.mongodb[table].find_one({"_id": 3}, {"_rev": 0}) == {"_id": 3, "doc": ["三"]}
    assert servers_of_test.mongodb[table].count_documents({"_id": 2, "_deleted": {"$exists": False}}) == 0


def test_writes_fail_whole_where_so_configured(servers_of_test: Servers, platform: Platform, table: str) -> None:
    before = list(platform.scan(table))
    with without_mongodb(servers_of_test, "fail") as cut_off:
        calls: list[Callable[[], object]] = [
            lambda: cut_off.write(table, {"id": 3, "doc": "三"}),
            lambda: cut_off.write_many(table, [{"id": 3}, {"id": 4}]),
            lambda: cut_off.update(table, 1, {"doc": "neu"}),
            lambda: cut_off.delete(table, 1),
            lambda: cut_off.delete_range(table, None, None),
            lambda: cut_off.create_table("other", COLUMNS, flag=1),
        ]
        for call in calls:
            with pytest.raises(Unavailable):
                call()
        cut_off.update(table, 1, {"n": 7})  # needs MySQL alone
    assert list(platform.scan(table)) == [{**before[0], "n": 7}, before[1]]
    assert platform.recover().remaining == 0
    assert platform.tables() == [table]


def test_a_late_document_never_replaces_a_newer_one(servers_of_test: Servers, platform: Platform, table: str) -> None:
    with without_mongodb(servers_of_test, "queue") as cut_off:
        cut_off.write(table, {"id": 5, "doc": "alt"})
        cut_off.write(table, {"id": 6, "doc": "weg"})
    platform.update(table, 5, {"doc": "neu"})
    platform.delete(table, 6)
    assert platform.recover().remaining == 0
    assert platform.read(table, 5) == {"id": 5, "n": None, "doc": "neu"}
    found = servers_of_test.mongodb[table].find_one({"_id": 5})
    assert found is not None
    assert found["doc"] == "neu"
    assert [document["_id"] for document in platform.read_collection(table)] == [1, 2, 5]


def test_an_unreachable_mysql_is_one_clear_error(servers_of_test: Servers) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"mysql+pymysql://platform:geheim@127.0.0.1:{held.getsockname()[1]}/x"
        with pytest.raises(Unavailable) as caught:
            Platform.open(mysql=url, mongodb=servers_of_test.mongodb_url)
    assert caught.value.store == "mysql"
    assert "geheim" not in str(caught.value)
