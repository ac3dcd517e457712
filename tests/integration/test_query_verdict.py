"""Statements of which MySQL is asked whether it accepts them over whole tables. (Its answers: the regressions.)"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from platform_store import ColumnAttribute, Index, Platform
from platform_store.errors import SchemaError
from tests.faults.drivers import sent
from tests.integration.conftest import Servers, plain
from tests.servers.databases import fresh_mongodb_database, fresh_sql_database

HAVING = "SELECT code, COUNT(doc) FROM t GROUP BY {} HAVING EXISTS (SELECT 1 FROM other WHERE other.id > {} + %s)"


BY_KEY = "SELECT id, COUNT(doc) FROM t GROUP BY id HAVING EXISTS (SELECT 1 FROM other WHERE other.note = t.note)"
EACH_ONCE = [(1, 1), (2, 1), (3, 1), (4, 1)]


@pytest.fixture(scope="module")
def store(mysql_url: str, mongodb_url: str) -> Iterator[Platform]:
    with (
        fresh_sql_database(mysql_url) as mysql,
        fresh_mongodb_database(mongodb_url) as mongodb,
        plain(mysql, mongodb) as servers,
        servers.open() as platform,
    ):
        _fill(platform)
        yield platform


def test_a_unique_key_decides_the_row(store: Platform) -> None:
    """Under a condition that is never true, MySQL knows no key of a merged derived table."""
    assert store.query("SELECT doc, note FROM t WHERE 1 <=> 2 GROUP BY code").all() == []
    with pytest.raises(SchemaError, match="only_full_group_by"):
        store.query("SELECT doc FROM t WHERE 1 <=> 2 GROUP BY note")


def test_the_answer_is_whole_where_mysql_accepts_it(store: Platform) -> None:
    doubtful = HAVING.format("note, code", "t.note")
    assert sorted(store.query(doubtful, [3]).all()) == [(5, 1), (7, 1)]


def test_it_is_asked_once_for_a_statement_that_it_accepts(store: Platform) -> None:
    doubtful = HAVING.format("code, note", "t.note")
    asked = [_asked(store, doubtful, value) for value in (1, 2, 3, None, None)]
    assert asked == [1, 0, 0, 1, 0]


def test_it_is_asked_each_time_for_one_that_it_refuses(store: Platform) -> None:
    refused = HAVING.format("note", "t.id")
    for _ in range(2):
        with sent() as counted, pytest.raises(SchemaError):
            store.query(refused, [1])
        assert _prepared(counted.sql) == 1
    assert store.query("SELECT COUNT(doc) FROM t").scalar() == 4  # the connection is as it was


def test_no_other_statement_is_judged(store: Platform) -> None:
    for statement in ("SELECT note, MAX(doc) FROM t GROUP BY note", "SELECT DISTINCT doc FROM t ORDER BY doc"):
        with sent() as counted:
            store.query(statement).all()
        assert _prepared(counted.sql) == 0


def test_a_unique_key_whose_column_another_process_renamed(servers_of_test: Servers) -> None:
    with servers_of_test.open() as platform, servers_of_test.open() as other:
        _fill(platform)
        platform.query("SELECT COUNT(*) FROM t JOIN other USING (id)").all()  # both tables are known from here on
        other.rename_column("t", "code", "number")
        assert sorted(platform.query(BY_KEY).all()) == EACH_ONCE


def test_a_unique_key_of_a_column_that_is_not_mapped(servers_of_test: Servers, platform: Platform) -> None:
    _fill(platform)
    servers_of_test.sql("ALTER TABLE t ADD COLUMN extern INT, ADD UNIQUE (extern), ADD UNIQUE (note, id)")
    assert sorted(platform.query(BY_KEY).all()) == EACH_ONCE


def _fill(platform: Platform) -> None:
    columns = [
        ColumnAttribute("id", "INT"),
        ColumnAttribute("code", "INT", nullable=False),
        ColumnAttribute("note", "INT"),
        ColumnAttribute("doc", "JSON"),
    ]
    platform.create_table("t", columns, flag=2, indexes=[Index(["code"], unique=True), Index(["note"])])
    platform.create_table("other", columns, flag=2)
    for name in ("t", "other"):
        platform.write_many(name, [{"id": n, "code": 9 - n, "note": n % 2, "doc": [n]} for n in range(1, 5)])


def _asked(store: Platform, statement: str, value: object) -> int:
    with sent() as counted:
        store.query(statement, [value]).all()
    return _prepared(counted.sql)


def _prepared(statements: list[str]) -> int:
    return sum(one.startswith("PREPARE") for one in statements)
