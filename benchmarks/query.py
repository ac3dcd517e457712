"""Queries over both stores: against one plain MySQL holding everything, and against joining in Python."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pymongo
from sqlalchemy.engine import make_url

from benchmarks import query_data, query_memory
from benchmarks.cases import Case, Options, World, case_of
from benchmarks.harness import LEAST_REPETITIONS
from benchmarks.query_data import Address
from benchmarks.query_scenarios import JOINS, OTHERS, QUERY_SCENARIOS, REPORT, QueryScenario, QueryStores
from benchmarks.results import Plain, figure, judged_figure
from benchmarks.stats import Bar, Ratio
from benchmarks.stores import Servers
from crm_model.queries import QUESTIONS, Question
from platform_store import PlatformStoreError
from tests.servers.databases import connect_sql

PLANNING_MS: Final = Bar("at most", 10.0)
MEMORY_MB: Final = Bar("at most", 200.0)
_STEPS_OF_PLANNING = ("analysis", "restrictions")  # what a query does before it touches a row
_WHOLE: Final = (*OTHERS[1:], *JOINS)  # which handle whole tables
_EVERY: Sequence[Question] = (*QUESTIONS, REPORT)


@dataclass(frozen=True)
class Queried:
    """The sample, where it is and open."""

    address: Address
    stores: QueryStores


def world(options: Options) -> World[Queried]:
    """The questions on one sample, which stays on the servers for the next run."""
    part = 1.0 if options.sample == "M" else 0.03
    cases = [_case(scenario, 0.3 + part * (30 if scenario in _WHOLE else 13)) for scenario in QUERY_SCENARIOS]
    cases += [Case("query-planning", _planning, 10 * part), Case("query-memory", _memory, 8 + 12 * part)]
    return World("query", _opened, cases, 8 if part < 1 else 5)  # and minutes where the sample M is not there yet


def _case(scenario: QueryScenario, seconds: float) -> Case[Queried]:
    case = case_of(scenario, "query")
    return Case(
        scenario.name,
        lambda queried, options: {**case.measure(queried.stores, options), **_room(queried.address)},
        seconds,
    )


@contextlib.contextmanager
def _opened(servers: Servers, options: Options) -> Iterator[Queried]:
    address = Address.of(options.sample, servers.mysql_url, servers.mongodb_url)
    query_data.ensure(address, lambda text: print(f"loading: {text}", file=sys.stderr, flush=True))
    with (
        address.platform() as platform,
        address.plain() as plain,
        connect_sql(address.mysql_url, database=make_url(address.mysql_url).database) as mysql,
        pymongo.MongoClient[dict[str, Any]](address.mongodb_url) as client,
    ):
        yield Queried(address, QueryStores(platform, plain, mysql, client.get_default_database()))


def _room(address: Address) -> Plain:
    """Where the plain database's wide rows do not stay in memory, it is slow for a reason that has nothing to do with
    the library, and the ratios flatter: so both sizes are in the figures.
    """
    tables, cache = query_data.room(address)
    return {"sample": address.size, "plain_tables_bytes": tables, "server_cache_bytes": cache}


def _planning(queried: Queried, options: Options) -> Plain:
    """The time until it is known what to ask of which store, by platforms that never saw the query."""
    repetitions = options.repetitions or LEAST_REPETITIONS
    taken: dict[str, list[float]] = {}
    for _ in range(repetitions):
        with queried.address.platform() as platform:
            platform.query("SELECT COUNT(*) FROM operator").scalar()  # what is imported and connected once
            for question in _EVERY:
                steps = platform.explain(question.sql).steps
                taken.setdefault(_name(question), []).append(planning(steps) * 1e3)
    figures = {name: figure(values) for name, values in taken.items()}
    return _figures("ms until it is known what to ask of which store", "ms", figures, PLANNING_MS)


def planning(steps: Mapping[str, float]) -> float:
    """Seconds until it is known what to ask of which store."""
    return sum(steps.get(step, 0.0) for step in _STEPS_OF_PLANNING)


def _memory(queried: Queried, _: Options) -> Plain:
    address, figures = queried.address, {}
    for question in _EVERY:
        peak = query_memory.measure(address.mysql_url, address.mongodb_url, question.sql)
        if peak is None:
            raise PlatformStoreError(f"{_name(question)} has failed in a process of its own")
        figures[_name(question)] = figure([peak.most / 1e6])
    return _figures("MB of a process that runs one query", "MB", figures, MEMORY_MB)


def _figures(about: str, unit: str, figures: Mapping[str, Mapping[str, float]], bar: Bar) -> Plain:
    """What is no ratio; the bar is for the largest of them."""
    name = max(figures, key=lambda name: figures[name]["value"])
    largest = Ratio(**figures[name])
    judged = judged_figure(f"{name}, the largest", bar, 4, largest, unit)
    return {
        "group": "query",
        "about": about,
        "measure": unit,
        "variants": [],
        "figures": dict(figures),
        "judged": [judged],
    }


def _name(question: Question) -> str:
    return f"query-{question.number}" if question.number else "report"
