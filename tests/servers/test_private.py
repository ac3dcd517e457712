"""The private servers themselves: a set of their own is started, killed, restarted and stopped."""

from __future__ import annotations

import os
import shutil
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pymongo
import pytest

from tests.servers import private
from tests.servers.databases import connect_sql
from tests.servers.provide import Servers


@pytest.fixture
def home(servers: Servers, mysql_url: str, tmp_path: Path) -> Iterator[Path]:
    """A place for servers that only this test knows."""
    if not servers.source.startswith("private servers"):
        pytest.skip("this run does not use private servers")
    yield tmp_path / "s"
    private.stop(tmp_path / "s")
    shutil.rmtree(tmp_path / "s", ignore_errors=True)  # hundreds of megabytes


def test_killed_servers_come_back_with_their_data_and_urls(home: Path) -> None:
    first = private.start(home)
    assert not first.reasons
    assert private.read_env(home / "env") == first.environment
    assert stat.S_IMODE((home / "env").stat().st_mode) == 0o600
    put_marks(first)

    everything = [private.MySQL(home), private.MariaDB(home), private.MongoDB(home)]
    before = [server.pid() for server in everything]
    assert private.start(home) == first
    assert [server.pid() for server in everything] == before

    for pid in before:
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    second = private.start(home)
    assert second == first
    assert marks_found(second) == 3

    assert private.stop(home) == ["mysql", "mariadb", "mongodb"]
    assert [server.pid() for server in everything] == [None, None, None]
    assert not (home / "env").exists()


def put_marks(started: private.Started) -> None:
    """Leave a row, and a document, on each server."""
    for name in (private.MYSQL_URL, private.MARIADB_URL):
        with connect_sql(started.environment[name], database=private.DATABASE) as connection:
            connection.cursor().execute("CREATE TABLE mark AS SELECT 1 AS one")
    with pymongo.MongoClient[dict[str, int]](started.environment[private.MONGODB_URL]) as client:
        client.get_default_database().get_collection("mark", write_concern=DURABLE).insert_one({"one": 1})


def marks_found(started: private.Started) -> int:
    """Count the rows and documents that `put_marks` left."""
    found = 0
    for name in (private.MYSQL_URL, private.MARIADB_URL):
        with connect_sql(started.environment[name], database=private.DATABASE) as connection:
            found += connection.cursor().execute("SELECT one FROM mark")
    with pymongo.MongoClient[dict[str, int]](started.environment[private.MONGODB_URL]) as client:
        found += client.get_default_database()["mark"].count_documents({})
    return found


DURABLE = pymongo.WriteConcern("majority", j=True)
