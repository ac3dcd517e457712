"""Queries over both stores: what is measured against what, and the bars."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import exp, log
from typing import Any, TypeAlias

from pymongo.database import Database
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from benchmarks.harness import Prepared, Scenario, Size, Target, Variant, compare
from benchmarks.query_by_hand import BY_HAND
from benchmarks.query_data import SALE
from benchmarks.stats import Bar, Ratio
from crm_model.queries import QUESTIONS, Question
from crm_model.sample.sizes import BUSY_CUSTOMER, TIMELINE_CUSTOMER
from platform_store import Platform

PLAIN, LIBRARY, IN_PYTHON = "one plain database", "library", "fetched and joined"
REPORT = Question(
    0,
    "sum and group over three document columns of a whole table",
    f"SELECT region, COUNT(*) n, SUM(amount) m, SUM(qty) q FROM {SALE.name} GROUP BY region ORDER BY region",
    (SALE.name,),
    ordered=True,
)
_TIMELINE = QUESTIONS[2]
BUSIEST = replace(
    _TIMELINE,
    about=f"{_TIMELINE.about}, of the busiest customer",
    sql=_TIMELINE.sql.replace(f"={TIMELINE_CUSTOMER} ", f"={BUSY_CUSTOMER} "),
)
GEOMETRIC_MEAN = Bar("at most", 4)
LARGEST = Bar("at most", 20)
_WHOLE_TABLE = Bar("at most", 7)
_JOIN = Bar("at most", 1 / 5)
_SIZE = Size(repetitions=5, calls=3)
_REPORT_SIZE = Size(repetitions=5, calls=1)
_JOIN_SIZE = Size(repetitions=5, calls=1)


@dataclass(frozen=True)
class QueryStores:
    """The sample over both stores and in one plain database, and the plain drivers over the library's halves."""

    platform: Platform
    plain: Connection[Cursor]
    mysql: Connection[Cursor]
    mongodb: Database[dict[str, Any]]

    def library(self, question: Question) -> list[tuple[object, ...]]:
        with self.platform.query(question.sql) as result:
            return result.all()

    def one_database(self, question: Question) -> list[tuple[object, ...]]:
        with self.plain.cursor() as cursor:
            cursor.execute(question.sql)
            return list(cursor.fetchall())

    def in_python(self, question: Question) -> list[tuple[object, ...]]:
        return BY_HAND[question.number](self.mysql, self.mongodb)


QueryScenario: TypeAlias = Scenario[QueryStores]


Asked: TypeAlias = Callable[[Question], list[tuple[object, ...]]]


def prepared(name: str, baseline: Asked, library: Asked, question: Question, size: Size) -> Prepared:
    """The question asked of a baseline of that name, and of the library; both must give the same answer."""

    def check() -> None:
        expected, given = (_comparable(asked(question), question) for asked in (baseline, library))
        compare(expected, given, f"rows of query {question.number}")

    return Prepared((Variant(name, baseline), Variant(LIBRARY, library)), lambda _: [question] * size.calls, check)


def _comparable(rows: Iterable[object], question: Question) -> list[str]:
    """As text, so that types and decimal places count; in an order of its own where the query has none."""
    texts = [repr(row) for row in rows]
    return texts if question.ordered else sorted(texts)


def _against_plain(name: str, question: Question, size: Size, bar: Bar) -> QueryScenario:
    return Scenario(
        name,
        question.about,
        "p50",
        size,
        lambda stores, size: prepared(PLAIN, stores.one_database, stores.library, question, size),
        (Target(LIBRARY, bar, 4),),
    )


def _join(question: Question) -> QueryScenario:
    return Scenario(
        f"join-{question.number}",
        f"{question.about}, against fetching both tables",
        "p50",
        _JOIN_SIZE,
        lambda stores, size: prepared(IN_PYTHON, stores.in_python, stores.library, question, size),
        (Target(LIBRARY, _JOIN, 4),),
    )


ACCEPTANCE: Sequence[QueryScenario] = tuple(
    _against_plain(f"query-{question.number}", question, _SIZE, LARGEST) for question in QUESTIONS
)
OTHERS: Sequence[QueryScenario] = (
    _against_plain("query-timeline", BUSIEST, _SIZE, LARGEST),
    _against_plain("query-report", REPORT, _REPORT_SIZE, _WHOLE_TABLE),
)
JOINS: Sequence[QueryScenario] = tuple(_join(question) for question in QUESTIONS if question.number in BY_HAND)
QUERY_SCENARIOS: Sequence[QueryScenario] = (*ACCEPTANCE, *OTHERS, *JOINS)


def geometric_mean(ratios: Sequence[Ratio]) -> Ratio:
    """Of the ratios; its interval is that of the ends of theirs, so rather too wide."""
    return Ratio(*(_mean([getattr(ratio, part) for ratio in ratios]) for part in ("value", "low", "high")))


def _mean(values: Sequence[float]) -> float:
    return exp(sum(map(log, values)) / len(values))
