"""Scenario after scenario, query after query: what agreed, what was refused, and what did not agree."""

from __future__ import annotations

import contextlib
import itertools
import math
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import pymysql

from platform_store import PlatformStoreError, Unavailable
from tests.fuzz import world
from tests.fuzz.answers import Answer, difference
from tests.fuzz.case import Case, written
from tests.fuzz.minimise import shrink_scenario, shrink_statement
from tests.fuzz.nodes import Node, render
from tests.fuzz.queries import Generated, generate, is_ordered
from tests.fuzz.scenario import Drawn, Flags, Scenario, draw, flags
from tests.fuzz.world import Plain, Split, Urls

QUERIES = 150  # of one scenario: a fresh set of databases costs as much as many of them
SPLITS = 4
EVERY_SPLIT = 8  # each so many-th query is asked of all of them
STATEMENT_SECONDS, SCENARIO_SECONDS = 60.0, 90.0  # at most, for making a mismatch small

ALIKE = 3  # mismatches that look alike are made small so often, and then only printed

_QUOTED = re.compile(r"'[^']*'|[0-9]+")


class ServerLost(Exception):
    """A server does not answer any more: a statement may have ended it."""


@dataclass(frozen=True)
class Mismatch:
    """A query that the library answers otherwise than MySQL. ``case``: made small, to be kept as a test."""

    place: str
    difference: str
    case: Case

    def __str__(self) -> str:
        return f"{self.place}: {self.difference}\n{written(self.case)}"


@dataclass
class Counts:
    """What became of the queries."""

    queries: int = 0
    agreed: int = 0
    empty: int = 0  # of those agreed
    errors: int = 0  # on both sides
    given_up: list[str] = field(default_factory=list)  # what plain MySQL could not do, and the library was not asked
    by_plan: list[str] = field(default_factory=list)  # MySQL itself gives the library's answer by another plan
    refused: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)  # a statement for each construct refused
    ways: Counter[str] = field(default_factory=Counter)  # to the documents of those agreed
    mismatches: list[Mismatch] = field(default_factory=list)
    alike: Counter[str] = field(default_factory=Counter)  # mismatches, by the beginning of what differs

    def __str__(self) -> str:
        refused = ", ".join(f"{construct} {count}" for construct, count in self.refused.most_common())
        ways = ", ".join(f"by {way} {count}" for way, count in self.ways.most_common())
        return (
            f"queries {self.queries}, agreed {self.agreed} (empty {self.empty}; documents {ways}), "
            f"errors on both sides {self.errors}, given up by MySQL {len(self.given_up)}, "
            f"as MySQL by another plan {len(self.by_plan)}, "
            f"refused {self.refused.total()}{f' ({refused})' if refused else ''}, mismatches {len(self.mismatches)}"
        )


@dataclass(frozen=True)
class Campaign:
    """``say`` is given each mismatch as it is found. ``all_in_mysql``: every table whole in MySQL.
    ``partial_dates``: also dates with a month or day of zero, whose answers depend on MySQL's plan.

    ``stop_at``: after how many mismatches; ``scenarios``: the numbers of those to be played, else one after the other;
    ``queries``: of each scenario.
    """

    servers: Sequence[Urls]
    seed: int
    counts: Counts
    say: Callable[[str], None]
    all_in_mysql: bool = False
    partial_dates: bool = False
    shrink: bool = True
    stop_at: int | None = None
    scenarios: Sequence[int] | None = None
    queries: int = QUERIES

    def run(self, seconds: float = math.inf) -> None:
        """Goes on until the time is up, or the scenarios are played; the query under way is finished."""
        until = time.monotonic() + seconds
        for number in itertools.count() if self.scenarios is None else self.scenarios:
            if self._over(until):
                break
            self._scenario(number, until)

    def _scenario(self, number: int, until: float) -> None:
        urls = self.servers[number % len(self.servers)]
        chance = Random(f"{self.seed} {number}")
        drawn = draw(chance, urls.server, partial_dates=self.partial_dates)
        chosen = [self._flags(chance, drawn.scenario) for _ in range(SPLITS)]
        with contextlib.ExitStack() as stack:
            plain = stack.enter_context(world.plain(urls, drawn.scenario))
            splits = [stack.enter_context(world.split(urls, drawn.scenario, one)) for one in chosen]
            tables = {table.name: (table, drawn.columns[table.name]) for table in drawn.scenario.tables}
            for query in range(self.queries):
                if self._over(until):
                    return
                generated = generate(chance, urls.server, tables)
                asked = splits if query % EVERY_SPLIT == 0 else [splits[query % SPLITS]]
                self._query(urls, drawn, plain, asked, generated, f"seed {self.seed}, scenario {number}, query {query}")

    def _over(self, until: float) -> bool:
        return time.monotonic() > until or len(self.counts.mismatches) == self.stop_at

    def _flags(self, chance: Random, scenario: Scenario) -> Flags:
        if self.all_in_mysql:
            return {table.name: len(table.columns) - (2 if table.late else 1) for table in scenario.tables}
        return flags(chance, scenario)

    def _query(
        self, urls: Urls, drawn: Drawn, plain: Plain, asked: Sequence[Split], generated: Generated, place: str
    ) -> None:
        text, parameters = render(generated.tree, generated.style)
        expected = plain.ask(text, parameters)
        if expected.given_up:
            self.counts.given_up.append(f"{place}: {text} {parameters}")
            return
        for split in asked:
            found = split.ask(text, parameters)
            self.counts.queries += 1
            differs = _difference(expected, found, generated)
            if isinstance(found.error, Unavailable):
                raise ServerLost(f"{urls.server}, {place}: {found.error}: {text} {parameters}")
            if differs is not None:
                self._differs(urls, drawn, plain, split, generated, f"{urls.server}, {place}", differs)
            elif expected.error is not None:
                self.counts.errors += 1
            elif found.refused is not None:
                construct = _QUOTED.sub("…", found.refused)
                self.counts.refused[construct] += 1
                self.counts.examples.setdefault(construct, text)
            else:
                self.counts.agreed += 1
                self.counts.ways.update(found.ways)
                self.counts.empty += not expected.rows

    def _differs(
        self,
        urls: Urls,
        drawn: Drawn,
        plain: Plain,
        split: Split,
        generated: Generated,
        place: str,
        differs: str,
    ) -> None:
        def fails(tree: Node) -> bool:
            return _fails(plain, split, Generated(tree, generated.style, generated.compared))

        if not fails(generated.tree):
            self.counts.by_plan.append(f"{place}: {differs}: {render(generated.tree, generated.style)[0]}")
            return
        tree, scenario = generated.tree, drawn.scenario
        self.counts.alike[alike := _QUOTED.sub("…", differs)[:40]] += 1
        if self.shrink and self.counts.alike[alike] <= ALIKE:
            tree = shrink_statement(tree, fails, STATEMENT_SECONDS)
            small = Generated(tree, generated.style, generated.compared)
            scenario = shrink_scenario(
                scenario, tree, lambda one: _fails_anew(urls, one, split.flags, small), SCENARIO_SECONDS
            )
        text, parameters = render(tree, generated.style)
        case = Case(scenario, _fitting(split.flags, scenario), text, parameters, is_ordered(tree))
        mismatch = Mismatch(place, differs, case)
        self.counts.mismatches.append(mismatch)
        self.say(str(mismatch))


def _fails(plain: Plain, split: Split, generated: Generated) -> bool:
    """Whether the library gives what MySQL gives by no plan."""
    text, parameters = render(generated.tree, generated.style)
    expected, found = plain.ask(text, parameters), split.ask(text, parameters)
    if _difference(expected, found, generated) is None:
        return False
    return all(_difference(other, found, generated) is not None for other in plain.ask_otherwise(text, parameters))


def _fails_anew(urls: Urls, scenario: Scenario, chosen: Flags, generated: Generated) -> bool:
    try:
        with world.plain(urls, scenario) as plain, world.split(urls, scenario, _fitting(chosen, scenario)) as split:
            return _fails(plain, split, generated)
    except (PlatformStoreError, pymysql.Error):  # a scenario that was cut down too far
        return False


def _fitting(chosen: Flags, scenario: Scenario) -> Flags:
    """The split for what is left of a scenario's tables and columns."""
    kept: dict[str, int | None] = {}
    for table in scenario.tables:
        flag = chosen[table.name]
        if flag is None and table.bare_at is None:
            flag = table.keys - 1
        kept[table.name] = None if flag is None else min(flag, len(table.columns) - (2 if table.late else 1))
    return kept


def _difference(expected: Answer, found: Answer, generated: Generated) -> str | None:
    return difference(expected, found, ordered=is_ordered(generated.tree), compared=generated.compared)
