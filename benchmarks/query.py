"""Measure queries over both stores: against one plain MySQL holding everything, and against joining in Python."""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pymongo
from sqlalchemy.engine import make_url

from benchmarks import query_data, query_memory, report
from benchmarks.harness import LEAST_REPETITIONS, Outcome, Unequal, repetitions, run
from benchmarks.query_data import TABLES, Address
from benchmarks.query_scenarios import (
    GEOMETRIC_MEAN,
    LARGEST,
    QUERY_SCENARIOS,
    REPORT,
    QueryScenario,
    QueryStores,
    acceptance_ratios,
    geometric_mean,
)
from benchmarks.stats import Bar, Ratio
from benchmarks.stores import NoServers, provided
from crm_model.queries import QUESTIONS, Question
from crm_model.sample import SIZES
from platform_store import PlatformStoreError
from tests.servers.databases import connect_sql

PLANNING_MS = 10.0
MEMORY_MB = 200.0
_STEPS_OF_PLANNING = ("analysis", "restrictions")  # what a query does before it touches a row
_EVERY: Sequence[Question] = (*QUESTIONS, REPORT)
_NAMES = [*(scenario.name for scenario in QUERY_SCENARIOS), "planning", "memory"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints what was measured. The exit code says whether all of it could be, not which bars were met."""
    options = _parser().parse_args(arguments)
    try:
        with contextlib.ExitStack() as resources:
            servers = provided(resources)
            address = Address.of(options.size, servers.mysql_url, servers.mongodb_url)
            print(_head(servers.facts, options.size), flush=True)
            query_data.ensure(address, lambda text: print(f"loading: {text}", file=sys.stderr, flush=True))
            room = query_data.room(address)
            print(_room(*room), flush=True)
            plain = {"tables_bytes": room[0], "cache_bytes": room[1], **_measure(address, options)}
    except NoServers as error:
        print(error, file=sys.stderr)
        return 1
    if options.json is not None:
        plain = {"facts": dict(servers.facts), "size": options.size, **plain}
        options.json.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 1 if plain["failed"] else 0


def _measure(address: Address, options: argparse.Namespace) -> dict[str, Any]:
    wanted = options.only or _NAMES
    plain: dict[str, Any] = {}
    outcomes, failed = _outcomes(address, [one for one in QUERY_SCENARIOS if one.name in wanted], options)
    if ratios := acceptance_ratios(outcomes):
        print(summary(ratios), flush=True)
        plain["geometric_mean"] = asdict(geometric_mean(list(ratios.values())))
    if "planning" in wanted:
        steps = {_name(one): _steps(address, one, options.repetitions or LEAST_REPETITIONS) for one in _EVERY}
        print(_planning(steps), flush=True)
        plain["steps"] = steps
    if "memory" in wanted:
        peaks = {_name(one): query_memory.measure(address.mysql_url, address.mongodb_url, one.sql) for one in _EVERY}
        print(_memory(peaks), flush=True)
        plain["memory"] = {name: peak and asdict(peak) for name, peak in peaks.items()}
    return {**plain, "failed": failed, "scenarios": [report.scenario_as_json(outcome) for outcome in outcomes]}


def _outcomes(
    address: Address, scenarios: Sequence[QueryScenario], options: argparse.Namespace
) -> tuple[list[Outcome], dict[str, str]]:
    """What was measured; and of the others, why not: one query that cannot be answered is no reason to stop."""
    outcomes, failed = [], {}
    with _stores(address) as stores:
        for scenario in scenarios:
            size = replace(scenario.size, repetitions=options.repetitions or scenario.size.repetitions)
            try:
                outcome = run(scenario, stores, size, profile=options.profile)
            except (PlatformStoreError, Unequal) as error:
                failed[scenario.name] = str(error)
                print(f"{scenario.name}: FAILED: {error}\n", flush=True)
                continue
            outcomes.append(outcome)
            print(report.table(outcome), flush=True)
            if options.profile:
                print(report.profile(outcome), flush=True)
    return outcomes, failed


@contextlib.contextmanager
def _stores(address: Address) -> Iterator[QueryStores]:
    with (
        address.platform() as platform,
        address.plain() as plain,
        connect_sql(address.mysql_url, database=make_url(address.mysql_url).database) as mysql,
        pymongo.MongoClient[dict[str, Any]](address.mongodb_url) as client,
    ):
        yield QueryStores(platform, plain, mysql, client.get_default_database())


def summary(ratios: Mapping[str, Ratio]) -> str:
    """What the acceptance queries say together."""
    name = max(ratios, key=lambda name: ratios[name].value)
    mean = geometric_mean(list(ratios.values()))
    return (
        f"{len(ratios)} acceptance queries: geometric mean {_judged(mean, GEOMETRIC_MEAN)}\n"
        f"the largest is {name}: {_judged(ratios[name], LARGEST)}\n"
    )


def _judged(ratio: Ratio, bar: Bar) -> str:
    word = "met" if bar.met(ratio) else "MISSED"
    doubt = "" if bar.certain(ratio) else " (unsure)"
    return f"{ratio.value:.2f} ({ratio.low:.2f} - {ratio.high:.2f}), {bar}: {word}{doubt}"


def _steps(address: Address, question: Question, repetitions: int) -> dict[str, float] | None:
    """The median seconds of each step, by platforms that never saw the query; None where it cannot be answered."""
    taken = []
    for _ in range(repetitions):
        with address.platform() as platform:
            platform.query("SELECT COUNT(*) FROM operator").scalar()  # what is imported and connected once
            try:
                taken.append(platform.explain(question.sql).steps)
            except PlatformStoreError:
                return None
    return {step: statistics.median(one.get(step, 0.0) for one in taken) for step in taken[0]}


def _planning(steps: Mapping[str, Mapping[str, float] | None]) -> str:
    """Where the time of each query goes, and how much of it is planning."""
    answered = {name: every for name, every in steps.items() if every}
    names = list(dict.fromkeys(step for every in answered.values() for step in every))
    lines = [["ms of a first run", "planning", *names]]
    for name, every in answered.items():
        lines.append([name, _ms(planning(every)), *(_ms(every[step]) if step in every else "" for step in names)])
    most = max((planning(every) * 1e3 for every in answered.values()), default=0.0)
    return f"{report.aligned(lines)}\n{_most('planning takes', most, 'ms', PLANNING_MS, steps, answered)}"


def planning(steps: Mapping[str, float]) -> float:
    """Seconds until it is known what to ask of which store."""
    return sum(steps.get(step, 0.0) for step in _STEPS_OF_PLANNING)


def _memory(peaks: Mapping[str, query_memory.Peak | None]) -> str:
    answered = {name: peak for name, peak in peaks.items() if peak}
    lines = [["MB of a process", "opened", "most"]]
    lines += [[name, _mb(peak.opened), _mb(peak.most)] for name, peak in answered.items()]
    most = max((peak.most / 1e6 for peak in answered.values()), default=0.0)
    return f"{report.aligned(lines)}\n{_most('a client takes', most, 'MB', MEMORY_MB, peaks, answered)}"


def _most(what: str, value: float, unit: str, bar: float, asked: Container[str], answered: Container[str]) -> str:
    """The verdict over all queries, and which could not be judged."""
    failed = "".join(f"{name}: FAILED\n" for name in map(_name, _EVERY) if name in asked and name not in answered)
    return f"{what} {value:.1f} {unit} at most, under {bar:.0f}: {'met' if value < bar else 'MISSED'}\n{failed}"


def _room(tables: int, cache: int) -> str:
    """Where the plain database's wide rows do not stay in memory, it is slow for a reason that has nothing to do with
    the library, and the ratios flatter.
    """
    verdict = "fit into" if tables < cache else "DO NOT FIT into"
    return f"the plain tables ({_mb(tables)} MB) {verdict} the server's cache ({_mb(cache)} MB)\n"


def _head(facts: Mapping[str, str], size: str) -> str:
    named = ", ".join(f"{name} {value}" for name, value in facts.items())
    counts = ", ".join(f"{entity.name} {query_data.count(size, entity.name):,}" for entity in TABLES)
    return f"{named}\nsize {size}: {counts}"


def _name(question: Question) -> str:
    return f"query-{question.number}" if question.number else "report"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f}"


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks query", description=__doc__)
    parser.add_argument("--size", choices=list(SIZES), default="M", help="of the sample (default: %(default)s)")
    parser.add_argument("--only", action="append", choices=_NAMES, metavar="NAME", help=f"of {', '.join(_NAMES)}")
    parser.add_argument("--repetitions", type=repetitions, metavar="N", help=f"at least {LEAST_REPETITIONS}")
    parser.add_argument("--profile", action="store_true", help="also show where each variant's own time goes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there too")
    return parser
