"""Queries over both stores where a store fails in the middle, or the journal moves between the two moments."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from platform_store import ColumnAttribute, Config, Platform, Unavailable
from platform_store.config import JournalConfig
from platform_store.stores.mongodb_snapshot import MongoDocumentSnapshot
from platform_store.stores.mysql_scratch import MysqlQuerySession
from tests.faults.servers import Disposable
from tests.faults.weakened import replaced
from tests.integration.conftest import Servers
from tests.servers.databases import connect_sql

COLUMNS = [ColumnAttribute("id", "INT"), ColumnAttribute("n", "INT"), ColumnAttribute("doc", "INT")]
ROWS = 12_000
QUERY = "SELECT COUNT(*) FROM card WHERE doc = 2"
"""It is filtered in MongoDB: a document of the wrong moment is not even seen."""


def platform_on(mysql: str, mongodb: str, **journal: Any) -> Platform:
    config = Config.from_urls(mysql=mysql, mongodb=f"{mongodb}&serverSelectionTimeoutMS=1000&timeoutMS=1000")
    return Platform.open(replace(config, journal=JournalConfig(reaper=False, **journal)))


@pytest.mark.parametrize("how", ["kill", "freeze"])
def test_mongodb_fails_in_the_middle(
    mysql_database: str, own_mongodb: Disposable, own_mongodb_url: str, how: str
) -> None:
    with platform_on(mysql_database, own_mongodb_url) as platform:
        platform.create_table("card", COLUMNS, flag=1)
        platform.write_many("card", [{"id": key, "n": 0, "doc": 2} for key in range(ROWS)])
        original = MongoDocumentSnapshot.find

        def find(self: MongoDocumentSnapshot, *arguments: Any, **options: Any) -> Iterator[list[dict[str, Any]]]:
            batches = original(self, *arguments, **options)
            yield next(batches)
            getattr(own_mongodb, how)()
            yield from batches

        for sql in (QUERY, "SELECT COUNT(doc) FROM card", "SELECT COUNT(doc) FROM card WHERE id < 9000"):
            with replaced(MongoDocumentSnapshot, "find", find), pytest.raises(Unavailable) as caught:
                platform.query(sql)
            assert caught.value.store == "mongodb"
            assert nothing_left(mysql_database)
            own_mongodb.revive()
        assert platform.query(QUERY).scalar() == ROWS


def nothing_left(url: str) -> bool:
    """Whether the server has neither a temporary table nor a transaction of somebody's in this database."""
    with connect_sql(url) as connection, connection.cursor() as cursor:
        name = url.rpartition("/")[2].partition("?")[0]
        cursor.execute(
            "SELECT COUNT(*) FROM information_schema.INNODB_TRX t JOIN information_schema.PROCESSLIST p "
            f"ON p.ID = t.trx_mysql_thread_id WHERE p.DB = '{name}'"
        )
        ((transactions,),) = cursor.fetchall()
    return bool(transactions == 0)


@contextlib.contextmanager
def between_the_moments(work: Callable[[], object]) -> Iterator[None]:
    """Does this once, after MongoDB's moment and before MySQL's snapshot."""
    original = MysqlQuerySession.begin
    done: list[bool] = []

    def begin(self: MysqlQuerySession, *arguments: Any) -> None:
        if not done:
            done.append(True)
            work()
        original(self, *arguments)

    with replaced(MysqlQuerySession, "begin", begin):
        yield


def entry_removed(servers: Servers, other: Platform) -> int:
    """A row's new document waits in the journal, and leaves it between the moments."""
    servers.mongodb["card"].update_one({"_id": 1}, {"$set": {"doc": 1, "_rev": 0}})
    with between_the_moments(other.recover):
        return int(str(other.query(QUERY).scalar()))


def bulk_committed(_: Servers, other: Platform) -> int:
    """A bulk write brings its documents and commits between the moments."""
    rows = [{"id": key, "n": 0, "doc": 2} for key in range(100, 200)]
    with between_the_moments(lambda: other.write_many("card", rows)):
        return int(str(other.query(QUERY).scalar()))


@pytest.mark.parametrize(
    ("schedule", "protection", "without", "right"),
    [(entry_removed, "removals", 0, 1), (bulk_committed, "done_intents", 1, 101)],
)
def test_the_journal_moves_between_the_moments(
    servers_of_test: Servers, schedule: Callable[..., int], protection: str, without: int, right: int
) -> None:
    """With the protection, and without it: then rows are missing."""
    for protected in (True, False):
        with platform_on(servers_of_test.mysql_url, servers_of_test.mongodb_url, retention=0.001) as platform:
            if "card" in platform.tables():
                platform.drop_table("card")
            platform.create_table("card", COLUMNS, flag=1)
            platform.write("card", {"id": 1, "n": 0, "doc": 2})
            with contextlib.ExitStack() as stack:
                if not protected:
                    stack.enter_context(replaced(MysqlQuerySession, protection, lambda *_: 0))
                assert schedule(servers_of_test, platform) == (right if protected else without)
            assert platform.query(QUERY).scalar() == right
