"""The acceptance queries of the CRM: over both stores they answer what one plain database with every column answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import pytest

from benchmarks.query_by_hand import BY_HAND
from crm_model import InvalidInput, sample
from crm_model.queries import QUESTIONS, Question, ask
from crm_model.sample.planted import FOUND, MISSED
from tests.integration.crm_sample import TABLES, CrmTwice


@pytest.mark.parametrize("table", TABLES)
def test_the_library_holds_the_rows_of_the_sample(crm: CrmTwice, table: str) -> None:
    for expected, row in zip_longest(crm.sample.rows(table), crm.platform.scan(table)):
        assert row == expected


@pytest.mark.parametrize("table", TABLES)
def test_the_plain_table_holds_as_many_rows(crm: CrmTwice, table: str) -> None:
    _, ((count,),) = crm.plain_answer(f"SELECT COUNT(*) FROM {table}")
    assert count == sample.count(sample.S, table)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: f"{question.number}")
def test_a_plain_database_finds_what_is_planted(crm: CrmTwice, question: Question) -> None:
    _, rows = crm.plain_answer(question.sql)
    first = [row[0] for row in rows]
    assert set(FOUND[question.number]) <= set(first)
    assert not set(MISSED.get(question.number, ())).intersection(first)


def test_planted_rows_are_counted_as_they_should(crm: CrmTwice) -> None:
    """Those that come out as a group: how many, and what they add up to."""
    by_number = {question.number: crm.plain_answer(question.sql)[1] for question in QUESTIONS}
    groups = {number: {row[0]: row[1:] for row in rows} for number, rows in by_number.items()}
    assert [str(value) for value in groups[5]["鹏博士"]] == ["2", "2469.12"]
    assert [str(value) for value in groups[6]["携号转网"]] == ["2", "2.5000"]
    assert [str(value) for value in groups[9]["三沙"]] == ["3", "2000.166667"]
    assert groups[10]["显著改善"] == (2,)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: f"{question.number}")
def test_both_stores_answer_like_a_plain_database(crm: CrmTwice, question: Question) -> None:
    answer = ask(crm.platform, question.number)
    assert answer.question is question
    columns, rows = answer.columns, answer.rows
    plain_columns, plain_rows = crm.plain_answer(question.sql)
    assert columns == plain_columns
    exact, plain_exact = exactly(rows), exactly(plain_rows)
    if question.ordered:
        assert exact == plain_exact
    else:
        assert Counter(exact) == Counter(plain_exact)


def test_only_these_can_be_asked(crm: CrmTwice) -> None:
    with pytest.raises(InvalidInput, match="1 to 10, not 11"):
        ask(crm.platform, 11)


@pytest.mark.parametrize(
    "question", [one for one in QUESTIONS if one.number in BY_HAND], ids=lambda one: f"{one.number}"
)
def test_what_is_joined_by_hand_is_the_same(crm: CrmTwice, question: Question) -> None:
    """The benchmark compares the library with it, so it has to be right."""
    by_hand = BY_HAND[question.number](crm.halves, crm.documents)
    assert Counter(exactly(by_hand)) == Counter(exactly(crm.plain_answer(question.sql)[1]))


def exactly(rows: Sequence[tuple[Any, ...]]) -> list[tuple[tuple[type, str], ...]]:
    """Each value with its type, and with the decimal places that equality overlooks."""
    return [tuple((type(value), repr(value)) for value in row) for row in rows]
