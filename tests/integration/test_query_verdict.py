"""Statements of which MySQL is asked whether it accepts them over whole tables. (Its answers: the regressions.)"""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest
from pymysql.connections import Connection

from platform_store import ColumnAttribute, Index, Platform
from platform_store.errors import LimitExceeded, SchemaError
from tests.faults.drivers import head, sent
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


def test_the_columns_are_more_than_a_table_has_room_for(platform: Platform) -> None:
    wide = [ColumnAttribute(name, "VARCHAR(5000)") for name in "abc"]
    columns = [
        ColumnAttribute("id", "INT"),
        ColumnAttribute("note", "INT"),
        *wide,
        ColumnAttribute("doc", wide[0].type),
    ]
    for name in ("t", "other"):
        platform.create_table(name, columns, flag=4, indexes=[Index(["note"], unique=True)])
        platform.write_many(name, [{"id": n, "note": n, "doc": "text"} for n in range(1, 5)])
    assert sorted(platform.query(BY_KEY).all()) == EACH_ONCE
    assert sorted(platform.query(BY_KEY.replace("t.note", "t.`NOTE` AND t.a IS NULL")).all()) == EACH_ONCE


def test_the_question_keeps_no_value(store: Platform) -> None:
    value = "a value of a user"
    before = sys.getrefcount(value)
    assert _asked(store, HAVING.format("code, id", "t.note"), value) == 1
    gc.collect()
    assert sys.getrefcount(value) == before


def test_another_type_is_another_question(store: Platform) -> None:
    """An equality fixes a column to a constant only where they are compared as what the column is."""
    doubtful = HAVING.format("code, doc", "t.note")
    assert [_asked(store, doubtful, value) for value in (1, "1", 1.5, 2)] == [1, 1, 1, 0]


def test_it_is_asked_once_for_one_that_it_refuses_of_a_derived_table(store: Platform) -> None:
    statement = "SELECT doc, note FROM t WHERE %s <=> 2 GROUP BY code"
    assert [_asked(store, statement, value) for value in (1, 3)] == [1, 0]


def test_so_many_answers_are_kept(store: Platform) -> None:
    doubtful = "SELECT code, COUNT(doc) FROM t GROUP BY code HAVING EXISTS (SELECT 1 FROM other WHERE id IN %s)"
    with patch("platform_store.query.verdict._ACCEPTED", 3):
        asked = [_asked(store, doubtful, [1] * number) for number in (1, 2, 3, 1, 4, 2, 1)]
    assert asked == [1, 1, 1, 0, 1, 0, 1]


def test_the_time_allowed_is_for_the_question_too(store: Platform) -> None:
    with _instead_of_asking("DO SLEEP(5)"), pytest.raises(LimitExceeded):
        store.query(HAVING.format("code, id", "t.doc"), [1], seconds=0.2)


def test_the_question_is_repeated(store: Platform) -> None:
    deadlock = "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213"
    with _instead_of_asking(deadlock):
        assert len(store.query(HAVING.format("code, id", "other.note"), [0]).all()) == 4


@contextlib.contextmanager
def _instead_of_asking(other: str) -> Iterator[None]:
    """The server gets another statement in place of its first question."""
    command = Connection._execute_command  # type: ignore[attr-defined]  # private
    rest = [other]

    def sends(connection: Any, number: int, text: Any) -> None:
        command(connection, number, rest.pop() if rest and head(text).startswith("PREPARE") else text)

    with patch.object(Connection, "_execute_command", sends):
        yield
    assert not rest


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
