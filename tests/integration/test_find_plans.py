"""How MySQL and MariaDB find a page: a range of one index, however deep the page is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from pymysql.connections import Connection
from pymysql.cursors import Cursor, DictCursor
from sqlalchemy.engine import make_url

from platform_store import ColumnAttribute, Index, Platform, Range
from tests.servers.databases import connect_sql, fresh_mongodb_database, fresh_sql_database

ROWS = 20_000
BUSY, OTHERS = 7, 200
BEGIN = datetime(2026, 1, 1)
COLUMNS = [
    ColumnAttribute("id", "BIGINT", auto_increment=True),
    ColumnAttribute("customer_id", "BIGINT", nullable=False),
    ColumnAttribute("kind", "VARCHAR(20)", nullable=False),
    ColumnAttribute("at", "DATETIME(3)", nullable=False),
    ColumnAttribute("note", "TEXT"),
]
INDEXES = [
    Index(["customer_id", "at", "id"]),
    Index(["customer_id", "kind", "at"]),
    Index(["kind"]),
]
NEWEST_FIRST = ["at DESC", "id DESC"]


def row(number: int) -> dict[str, Any]:
    """Nearly all are of one customer; two have the same moment."""
    return {
        "id": number,
        "customer_id": number % OTHERS if number % 10 == 0 else BUSY,
        "kind": "rare" if number % 500 == 1 else "call",
        "at": BEGIN + timedelta(minutes=number // 2),
        "note": f"note {number}",
    }


class Visits:
    """The table, and what the server does for a search."""

    def __init__(self, platform: Platform, watcher: Connection[Cursor], mariadb: bool):
        self.platform, self.watcher, self.mariadb = platform, watcher, mariadb

    def page(self, where: dict[str, object], **options: Any) -> list[dict[str, object]]:
        return self.platform.find("visit", where, order_by=NEWEST_FIRST, limit=50, **options)

    def locked(self, where: dict[str, object], **options: Any) -> list[dict[str, object]]:
        """A large page under lock, its keys alone."""
        with self.platform.transaction() as tx:
            return tx.find(
                "visit", where, order_by=NEWEST_FIRST, limit=1000, columns=["id"], for_update=True, **options
            )

    def plan(self, where: dict[str, object], *, locked: bool = False, **options: Any) -> tuple[str, str]:
        """How the server reads the table for a page, and by which index."""
        sent: list[str] = []
        command = Connection._execute_command  # type: ignore[attr-defined]  # private

        def noted(connection: Any, number: int, sql: Any) -> Any:
            sent.append(sql if isinstance(sql, str) else sql.decode("utf-8", "surrogateescape"))
            return command(connection, number, sql)

        with patch.object(Connection, "_execute_command", noted):
            (self.locked if locked else self.page)(where, **options)
        (statement,) = (one for one in sent if "AS t" in one and "ORDER BY" in one)
        with self.watcher.cursor(DictCursor) as cursor:
            statement = statement[statement.index("SELECT") :]  # the one that needs an answer is the last of its packet
            cursor.execute(f"EXPLAIN {'' if self.mariadb else 'FORMAT=TRADITIONAL '}{statement}")
            (step,) = (one for one in cursor.fetchall() if one["table"] == "t")
        return step["type"], step["key"]


@pytest.fixture(scope="module", params=["mysql", "mariadb"])
def visits(request: pytest.FixtureRequest, mongodb_url: str) -> Iterator[Visits]:
    """Read only, but for the test that comes last."""
    server = request.getfixturevalue(f"{request.param}_url")
    with (
        fresh_sql_database(server) as mysql,
        fresh_mongodb_database(mongodb_url) as mongodb,
        Platform.open(mysql=mysql, mongodb=mongodb) as platform,
        connect_sql(mysql, database=make_url(mysql).database) as watcher,
    ):
        platform.create_table("visit", COLUMNS, flag=3, indexes=INDEXES)
        platform.write_many("visit", map(row, range(1, ROWS + 1)))
        with watcher.cursor() as cursor:
            cursor.execute("ANALYZE TABLE visit")
        yield Visits(platform, watcher, request.param == "mariadb")


BY_TIME, BY_KIND = "ix_0_customer_id_at_id", "ix_1_customer_id_kind_at"


@pytest.mark.parametrize("depth", [19_000, 10_000, 1_000])
def test_a_page_costs_the_same_at_any_depth(visits: Visits, depth: int) -> None:
    where: dict[str, object] = {"customer_id": BUSY}
    assert visits.plan(where, after=row(depth)) == ("range", BY_TIME)
    found = visits.page(where, after=row(depth))
    expected = [number for number in range(depth + 1, 0, -1) if number % 10 and row(number)["at"] <= row(depth)["at"]]
    assert [one["id"] for one in found] == [number for number in expected if number < depth][:50]


@pytest.mark.parametrize("depth", [19_000, 10_000, 1_000])
def test_a_locked_page_locks_no_more_than_its_rows(visits: Visits, depth: int) -> None:
    """By another index, in which all keys are, too, MySQL would lock all that is left, and sort it."""
    where: dict[str, object] = {"customer_id": BUSY}
    assert visits.plan(where, locked=True, after=row(depth)) == ("range", BY_TIME)
    expected = visits.page(where, after=row(depth))
    assert visits.locked(where, after=row(depth))[:50] == [{"id": one["id"]} for one in expected]


def test_a_page_from_a_moment_on(visits: Visits) -> None:
    where: dict[str, object] = {"customer_id": BUSY, "at": Range(ge=BEGIN, le=BEGIN + timedelta(minutes=5_000))}
    assert visits.plan(where) == ("range", BY_TIME)
    assert visits.page(where)[0]["id"] == 10_001


def test_a_page_of_a_rare_kind(visits: Visits) -> None:
    where: dict[str, object] = {"customer_id": BUSY, "kind": "rare"}
    assert visits.plan(where, after=row(10_001)) == ("range", BY_KIND)
    assert [one["id"] for one in visits.page(where, after=row(10_001))] == list(range(9_501, 0, -500))


def test_an_index_that_somebody_has_dropped_is_not_missed(visits: Visits) -> None:
    where: dict[str, object] = {"customer_id": BUSY}
    expected = visits.page(where, after=row(9_999))
    with visits.watcher.cursor() as cursor:
        cursor.execute(f"DROP INDEX {BY_TIME} ON visit")
    assert visits.page(where, after=row(9_999)) == expected
    assert visits.locked(where, after=row(9_999))[:50] == [{"id": one["id"]} for one in expected]
