"""The acceptance queries of the CRM: over both stores they answer what one plain database with every column answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymysql.connections import Connection
from pymysql.cursors import Cursor
from sqlalchemy.engine import make_url

from benchmarks.query_by_hand import BY_HAND
from crm_model import ENTITIES, install, sample
from crm_model.queries import QUESTIONS, Question
from crm_model.sample.planted import FOUND, MISSED
from crm_model.tables import binary_collation
from platform_store import Platform
from tests.integration import plain_crm
from tests.servers.databases import connect_sql, fresh_mongodb_database, fresh_sql_database

TABLES = sorted({table for question in QUESTIONS for table in question.tables})

Answer = tuple[tuple[str, ...], Sequence[tuple[Any, ...]]]
"""The names of the columns, and the rows."""


@dataclass(frozen=True)
class Crm:
    """The sample of size S twice on one server: in the library's tables, and in a plain database."""

    platform: Platform
    plain: Connection[Cursor]
    sample: sample.Sample
    halves: Connection[Cursor]  # the library's tables, and its collections, by plain drivers
    documents: Database[dict[str, Any]]

    def answer(self, sql: str) -> Answer:
        with self.platform.query(sql) as result:
            return result.columns, result.all()

    def plain_answer(self, sql: str) -> Answer:
        with self.plain.cursor() as cursor:
            cursor.execute(sql)
            return tuple(column[0] for column in cursor.description or ()), cursor.fetchall()


@pytest.fixture(scope="module", params=["mysql", "mariadb"])
def crm(request: pytest.FixtureRequest, mongodb_url: str) -> Iterator[Crm]:
    """Read only: loaded once for all tests."""
    url = request.getfixturevalue(f"{request.param}_url")
    with ExitStack() as stack:
        mysql = stack.enter_context(fresh_sql_database(url))
        plain_url = stack.enter_context(fresh_sql_database(url))
        mongodb = stack.enter_context(fresh_mongodb_database(mongodb_url))
        platform = stack.enter_context(Platform.open(mysql=mysql, mongodb=mongodb))
        plain = stack.enter_context(connect_sql(plain_url, database=make_url(plain_url).database))
        halves = stack.enter_context(connect_sql(mysql, database=make_url(mysql).database))
        client = stack.enter_context(MongoClient[dict[str, Any]](mongodb))
        data = sample.Sample(sample.S)
        install(platform, TABLES)
        sample.load(platform, sample.S, TABLES)
        entities = [entity for entity in ENTITIES if entity.name in TABLES]
        plain_crm.create(plain, binary_collation(platform), entities)
        for entity in entities:
            plain_crm.insert(plain, entity, data.rows(entity.name))
        yield Crm(platform, plain, data, halves, client.get_default_database())


@pytest.mark.parametrize("table", TABLES)
def test_the_library_holds_the_rows_of_the_sample(crm: Crm, table: str) -> None:
    for expected, row in zip_longest(crm.sample.rows(table), crm.platform.scan(table)):
        assert row == expected


@pytest.mark.parametrize("table", TABLES)
def test_the_plain_table_holds_as_many_rows(crm: Crm, table: str) -> None:
    _, ((count,),) = crm.plain_answer(f"SELECT COUNT(*) FROM {table}")
    assert count == sample.count(sample.S, table)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: f"{question.number}")
def test_a_plain_database_finds_what_is_planted(crm: Crm, question: Question) -> None:
    _, rows = crm.plain_answer(question.sql)
    first = [row[0] for row in rows]
    assert set(FOUND[question.number]) <= set(first)
    assert not set(MISSED.get(question.number, ())).intersection(first)


def test_planted_rows_are_counted_as_they_should(crm: Crm) -> None:
    """Those that come out as a group: how many, and what they add up to."""
    by_number = {question.number: crm.plain_answer(question.sql)[1] for question in QUESTIONS}
    groups = {number: {row[0]: row[1:] for row in rows} for number, rows in by_number.items()}
    assert [str(value) for value in groups[5]["鹏博士"]] == ["2", "2469.12"]
    assert [str(value) for value in groups[6]["携号转网"]] == ["2", "2.5000"]
    assert [str(value) for value in groups[9]["三沙"]] == ["3", "2000.166667"]
    assert groups[10]["显著改善"] == (2,)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: f"{question.number}")
def test_both_stores_answer_like_a_plain_database(crm: Crm, question: Question) -> None:
    columns, rows = crm.answer(question.sql)
    plain_columns, plain_rows = crm.plain_answer(question.sql)
    assert columns == plain_columns
    exact, plain_exact = exactly(rows), exactly(plain_rows)
    if question.ordered:
        assert exact == plain_exact
    else:
        assert Counter(exact) == Counter(plain_exact)


@pytest.mark.parametrize(
    "question", [one for one in QUESTIONS if one.number in BY_HAND], ids=lambda one: f"{one.number}"
)
def test_what_is_joined_by_hand_is_the_same(crm: Crm, question: Question) -> None:
    """The benchmark compares the library with it, so it has to be right."""
    by_hand = BY_HAND[question.number](crm.halves, crm.documents)
    assert Counter(exactly(by_hand)) == Counter(exactly(crm.plain_answer(question.sql)[1]))


def exactly(rows: Sequence[tuple[Any, ...]]) -> list[tuple[tuple[type, str], ...]]:
    """Each value with its type, and with the decimal places that equality overlooks."""
    return [tuple((type(value), repr(value)) for value in row) for row in rows]
