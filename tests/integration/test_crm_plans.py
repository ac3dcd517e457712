"""How much of a large table MySQL and MariaDB read for a short list of the CRM."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from crm_model import Crm, install
from crm_model.entities import Customer, Feedback
from platform_store import Platform
from tests.contract.crm import make
from tests.servers.databases import fresh_mongodb_database, fresh_sql_database, sql_connection

CUSTOMERS, ROWS = 4_000, 20_000
NEW, OWNERS = 41, 40
"""The owner of two customers, of whom nobody has said anything lately; and how many share the others."""
BEGIN = datetime(2026, 1, 1)
STAMPS = {"created_at": BEGIN, "updated_at": BEGIN}


class Lists:
    """The lists, and how many rows the server reads for one."""

    def __init__(self, platform: Platform, watcher: Connection[Cursor]):
        self.crm, self.watcher = Crm(platform, 1, clock=lambda: BEGIN), watcher

    def read(self, table: str, call: Callable[[Crm], object]) -> int:
        """How many rows of an index or a table the statements of a list read, asked on one connection."""
        sent: list[str] = []
        command = Connection._execute_command  # type: ignore[attr-defined]  # private

        def noted(connection: Any, number: int, sql: Any) -> Any:
            sent.append(sql if isinstance(sql, str) else sql.decode("utf-8", "surrogateescape"))
            return command(connection, number, sql)

        with patch.object(Connection, "_execute_command", noted):
            call(self.crm)
        statements = [one[one.index("SELECT") :] for one in sent if "ORDER BY" in one and table in one]
        assert statements
        with self.watcher.cursor() as cursor:
            before = _read(cursor)
            for one in statements:
                cursor.execute(one)
            return _read(cursor) - before


@pytest.fixture(scope="module", params=["mysql", "mariadb"])
def lists(request: pytest.FixtureRequest) -> Iterator[Lists]:
    url, mongodb = request.getfixturevalue(f"{request.param}_url"), request.getfixturevalue("mongodb_url")
    with (
        fresh_sql_database(url) as database,
        fresh_mongodb_database(mongodb) as documents,
        Platform.open(mysql=database, mongodb=documents) as platform,
        closing(sql_connection(database)) as watcher,
    ):
        install(platform, [Customer.table, Feedback.table])
        platform.write_many(Customer.table, (_customer(number) for number in range(1, CUSTOMERS + 1)))
        platform.write_many(Feedback.table, (_feedback(number) for number in range(1, ROWS + 1)))
        with watcher.cursor() as cursor:
            cursor.execute("ANALYZE TABLE customer, feedback")
        yield Lists(platform, watcher)


def test_the_latest_of_everybody_is_the_end_of_an_index(lists: Lists) -> None:
    assert 0 < lists.read("feedback", lambda crm: crm.latest_feedback(8)) < ROWS / 20


@pytest.mark.parametrize("owner", [1, NEW])
def test_the_latest_of_one_owner_takes_what_they_have_at_most(lists: Lists, owner: int) -> None:
    """Each owner has 100 customers and 500 feedbacks, spread over the whole time; the new one 2 and 20, long ago."""
    assert 0 < lists.read("feedback", lambda crm: crm.latest_feedback(8, owner_id=owner)) < ROWS / 4


@pytest.mark.parametrize("owner", [1, NEW])
def test_the_duplicates_of_one_owner_are_sought_among_theirs(lists: Lists, owner: int) -> None:
    assert 0 < lists.read("customer", lambda crm: list(crm.find_duplicates(owner_id=owner))) < CUSTOMERS / 4


def _customer(number: int) -> dict[str, Any]:
    owner = NEW if number <= 2 else number % OWNERS + 1
    return {**make.customer_columns(owner_id=owner, name_key=f"{number}"), **STAMPS}


def _feedback(number: int) -> dict[str, Any]:
    return {
        "customer_id": number % 2 + 1 if number <= 20 else number % (CUSTOMERS - 2) + 3,
        "operator_id": 1,
        "kind": "建议",
        "channel": "微信",
        "status": "待处理",
        "occurred_at": BEGIN + timedelta(minutes=number),
        **STAMPS,
    }


def _read(cursor: Cursor) -> int:
    cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
    return sum(int(value) for _, value in cursor.fetchall())
