"""The benchmark of queries: its data and its judgement. No server, and no time is judged."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import pytest

from benchmarks import query_data
from benchmarks.harness import Size, Unequal
from benchmarks.query import planning
from benchmarks.query_by_hand import BY_HAND
from benchmarks.query_data import SALE, TABLES, Address, count, fingerprint, rows
from benchmarks.query_scenarios import (
    ACCEPTANCE,
    BUSIEST,
    PLAIN,
    QUERY_SCENARIOS,
    geometric_mean,
    prepared,
)
from benchmarks.stats import Ratio
from crm_model.queries import QUESTIONS, Question
from crm_model.sample import S, Sample
from crm_model.sample.sizes import BUSY_CUSTOMER

ONE = Ratio(1.0, 0.5, 2.0)
SIXTEEN = Ratio(16.0, 8.0, 32.0)


def test_the_tables_are_those_of_the_questions_and_the_report() -> None:
    assert {entity.name for entity in TABLES} == {table for one in QUESTIONS for table in one.tables} | {"sale"}
    assert (count("M", "sale"), count("M", "activity")) == (600_000, 1_300_000)


def test_parts_of_a_table_are_the_whole() -> None:
    sample = Sample(S)
    parts = chain.from_iterable(rows(sample, SALE.name, part, 3) for part in range(3))
    assert [row["id"] for row in parts] == list(range(1, count("S", SALE.name) + 1))
    names = [column.name for column in (*SALE.mysql_columns, *SALE.documents)]
    assert all(list(row) == names for row in rows(sample, SALE.name))


def test_every_part_is_loaded_into_both() -> None:
    parts = query_data.parts_of("M")
    assert len(set(parts)) == len(parts)
    for entity in TABLES:
        for store in ("library", "plain"):
            own = [(part, parts) for kind, table, part, parts in parts if (kind, table) == (store, entity.name)]
            assert sorted(own) == [(number, len(own)) for number in range(len(own))]


def test_what_was_loaded_is_known_by_its_fingerprint() -> None:
    assert fingerprint("S") == fingerprint("S")
    assert fingerprint("S") != fingerprint("M")


def test_databases_have_fixed_names() -> None:
    address = Address.of("M", "mysql+pymysql://u:p@h:1/x", "mongodb://h:2/x?replicaSet=r")
    assert address.mysql_url == "mysql+pymysql://u:p@h:1/bench_crm_m"
    assert address.plain_url == "mysql+pymysql://u:p@h:1/bench_crm_m_plain"
    assert address.mongodb_url == "mongodb://h:2/bench_crm_m?replicaSet=r"


def test_scenarios_have_names_of_their_own() -> None:
    names = [scenario.name for scenario in QUERY_SCENARIOS]
    assert len(set(names)) == len(names)
    assert [scenario.name for scenario in ACCEPTANCE] == [f"query-{number}" for number in range(1, 11)]
    assert set(BY_HAND) <= {question.number for question in QUESTIONS}


def test_the_busiest_customer_is_asked_for() -> None:
    assert f"customer_id={BUSY_CUSTOMER} AND" in BUSIEST.sql


def test_the_geometric_mean_of_ratios() -> None:
    mean = geometric_mean([ONE, SIXTEEN])
    assert [mean.value, mean.low, mean.high] == pytest.approx([4, 2, 8])


def test_planning_ends_where_rows_are_touched() -> None:
    assert planning({"analysis": 0.002, "restrictions": 0.001, "staging": 5.0, "all": 5.1}) == pytest.approx(0.003)
    assert planning({"analysis": 0.002}) == 0.002


@pytest.mark.parametrize(("ordered", "differ"), [(False, False), (True, True)])
def test_answers_are_compared_in_order_where_the_query_has_one(ordered: bool, differ: bool) -> None:
    answers: Sequence[list[tuple[object, ...]]] = ([(1, "a"), (2, "b")], [(2, "b"), (1, "a")])
    question = Question(1, "", "", (), ordered=ordered)
    ready = prepared(PLAIN, lambda _: answers[0], lambda _: answers[1], question, Size(5, 3))
    assert ready.inputs(0) == [question] * 3
    if differ:
        with pytest.raises(Unequal, match="rows of query 1: number 0 differs"):
            ready.check()
    else:
        ready.check()
