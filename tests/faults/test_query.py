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
from tests.faults.servers import Disposable, stores
from tests.faults.weakened import replaced
from tests.integration.conftest import Servers, plain
from tests.waiting import wait_until

COLUMNS = [ColumnAttribute("id", "INT"), ColumnAttribute("n", "INT"), ColumnAttribute("doc", "INT")]
ROWS = 12_000
QUERY = "SELECT COUNT(id) FROM card WHERE doc = 2"
"""It is filtered in MongoDB: a document of the wrong moment is not even seen."""
GROUPED = "SELECT COUNT(doc), SUM(doc), MAX(doc) FROM card"
"""It is grouped in MongoDB."""


def platform_on(config: Config, **journal: Any) -> Platform:
    return Platform.open(replace(config, journal=JournalConfig(reaper=False, **journal)))


@pytest.mark.parametrize("how", ["kill", "freeze"])
def test_mongodb_fails_in_the_middle(
    mysql_database: str, own_mongodb: Disposable, own_mongodb_url: str, how: str
) -> None:
    gives_up = stores(mysql_database, own_mongodb_url, operation=1.0, selection=1.0)
    with (
        plain(mysql_database, own_mongodb_url) as servers,
        platform_on(stores(mysql_database, own_mongodb_url)) as platform,
        platform_on(gives_up) as impatient,
    ):
        platform.create_table("card", COLUMNS, flag=1)
        platform.write_many("card", [{"id": key, "n": 0, "doc": 2} for key in range(ROWS)])
        original, grouping = MongoDocumentSnapshot.find, MongoDocumentSnapshot.aggregate

        def find(self: MongoDocumentSnapshot, *arguments: Any, **options: Any) -> Iterator[list[dict[str, Any]]]:
            batches = original(self, *arguments, **options)
            yield next(batches)
            getattr(own_mongodb, how)()
            yield from batches

        def aggregate(self: MongoDocumentSnapshot, *arguments: Any, **options: Any) -> list[dict[str, Any]]:
            getattr(own_mongodb, how)()
            return grouping(self, *arguments, **options)

        for sql in (QUERY, "SELECT MAX(doc + id) FROM card", "SELECT COUNT(doc) FROM card WHERE id < 9000", GROUPED):
            with (
                replaced(MongoDocumentSnapshot, "find", find),
                replaced(MongoDocumentSnapshot, "aggregate", aggregate),
                pytest.raises(Unavailable) as caught,
            ):
                impatient.query(sql)
            assert caught.value.store == "mongodb"
            wait_until(servers.at_rest, "MySQL has nothing left of the query")
            own_mongodb.revive()
        assert platform.query(QUERY).scalar() == ROWS


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
        config = stores(servers_of_test.mysql_url, servers_of_test.mongodb_url)
        with platform_on(config, retention=0.001) as platform:
            if "card" in platform.tables():
                platform.drop_table("card")
            platform.create_table("card", COLUMNS, flag=1)
            platform.write("card", {"id": 1, "n": 0, "doc": 2})
            with contextlib.ExitStack() as stack:
                if not protected:
                    stack.enter_context(replaced(MysqlQuerySession, protection, lambda *_: 0))
                assert schedule(servers_of_test, platform) == (right if protected else without)
            assert platform.query(QUERY).scalar() == right
