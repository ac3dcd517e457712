"""The state table counts how often entries were removed from the journal, each time in the removal's transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from platform_store import ColumnAttribute, Platform
from platform_store.catalog import Catalog
from platform_store.config import MysqlConfig
from platform_store.errors import Unavailable
from platform_store.stores.mysql_rows import MysqlRowStore
from platform_store.stores.mysql_sql import REMOVALS
from tests.integration.conftest import Servers

COLUMNS = [ColumnAttribute("id", "INT"), ColumnAttribute("doc", "JSON")]


@pytest.fixture
def platform(servers_of_test: Servers) -> Iterator[Platform]:
    """It removes only what a test makes it remove."""
    with servers_of_test.open_quiet() as made:
        made.create_table("card", COLUMNS, flag=0)
        yield made


@pytest.fixture
def rows(servers_of_test: Servers, platform: Platform) -> Iterator[MysqlRowStore]:
    store = MysqlRowStore(MysqlConfig.from_url(servers_of_test.mysql_url))
    yield store
    store.close()


def removals(servers: Servers) -> int:
    ((count,),) = servers.sql(REMOVALS)
    return int(count)


def entries(servers: Servers) -> int:
    ((count,),) = servers.sql("SELECT COUNT(*) FROM platform_store_journal")
    return int(count)


def confirmed_entries(platform: Platform, rows: MysqlRowStore) -> Callable[[], object]:
    platform.write("card", {"id": 1, "doc": 1})
    return platform.recover


def a_finished_bulk_write(platform: Platform, rows: MysqlRowStore) -> Callable[[], object]:
    platform.write_many("card", [{"id": key, "doc": key} for key in range(200)])
    assert len(rows.journal.intents(done=True, seconds=0)) == 1
    return platform.recover


def a_bulk_write_that_died(platform: Platform, rows: MysqlRowStore) -> Callable[[], object]:
    card = Catalog(rows).get("card")
    with rows.transaction() as transaction:
        transaction.fence(card)
        revision = transaction.announce(card, [(1,)])
    assert revision is not None
    return lambda: rows.journal.withdraw(revision, lambda table, identifiers: None)


def strays_of_a_dropped_table(platform: Platform, rows: MysqlRowStore) -> Callable[[], object]:
    platform.write("card", {"id": 1, "doc": 1})
    platform.drop_table("card")
    return platform.recover


def discarded_documents(platform: Platform, rows: MysqlRowStore) -> Callable[[], object]:
    platform.write("card", {"id": 1, "doc": 1})
    return lambda: platform.drop_collection("card", discard_document_columns=True)


@pytest.mark.parametrize(
    "left",
    [
        confirmed_entries,
        a_finished_bulk_write,
        a_bulk_write_that_died,
        strays_of_a_dropped_table,
        discarded_documents,
    ],
)
def test_every_removal_counts(
    servers_of_test: Servers,
    platform: Platform,
    rows: MysqlRowStore,
    left: Callable[[Platform, MysqlRowStore], Callable[[], object]],
) -> None:
    remove = left(platform, rows)
    before = removals(servers_of_test)
    assert entries(servers_of_test) > 0
    remove()
    assert entries(servers_of_test) == 0
    assert removals(servers_of_test) > before


def test_what_removes_nothing_counts_nothing(servers_of_test: Servers, platform: Platform, rows: MysqlRowStore) -> None:
    platform.recover()
    before = removals(servers_of_test)
    platform.write("card", {"id": 1, "doc": 1})
    platform.update("card", 1, {"doc": 2})
    rows.journal.raise_revisions(1000)
    rows.journal.remove([], server=rows.journal.server())
    with pytest.raises(Unavailable):
        rows.journal.remove([1], server="another")
    assert removals(servers_of_test) == before


def test_the_count_is_of_the_removal_s_transaction(
    servers_of_test: Servers, platform: Platform, rows: MysqlRowStore
) -> None:
    platform.write("card", {"id": 1, "doc": 1})
    ((revision,),) = servers_of_test.sql("SELECT id FROM platform_store_journal")
    servers_of_test.sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
    before = removals(servers_of_test)
    rows.journal.remove([revision], server=rows.journal.server())
    assert (entries(servers_of_test), removals(servers_of_test)) == (1, before)
    servers_of_test.sql("COMMIT")
    assert (entries(servers_of_test), removals(servers_of_test)) == (0, before + 1)


def test_concurrent_removers_lose_no_count(servers_of_test: Servers, platform: Platform, rows: MysqlRowStore) -> None:
    with platform.transaction() as tx:
        for key in range(80):
            tx.write("card", {"id": key, "doc": key})
    revisions = [revision for (revision,) in servers_of_test.sql("SELECT id FROM platform_store_journal")]
    before, server = removals(servers_of_test), rows.journal.server()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda revision: rows.journal.remove([revision], server=server), revisions))
    assert (entries(servers_of_test), removals(servers_of_test)) == (0, before + len(revisions))
