"""Moving a whole table between the stores: against what the servers can do, plain loops, and other tools."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import Final

from benchmarks.cases import Case, Options, World, case_of
from benchmarks.harness import Scenario
from benchmarks.migrate_data import filled
from benchmarks.migrate_pages import warm
from benchmarks.migrate_scenarios import MIGRATE_SCENARIOS, PAGES, Migration, Peer
from benchmarks.results import Plain
from benchmarks.stores import Servers
from platform_store import Platform

ROWS: Final = 200_000
_PEERS_ROWS: Final = 50_000
_LITTLE: Final = 20  # a quick run has so much less
_COSTS: Final = (4.5e-4, 3.5e-4, 1.2e-4)  # seconds of a row of each scenario, all ways together


def world(options: Options) -> World[Migration]:
    """Both directions, and the comparison of both sides."""
    rows = _rows(options)
    cases = [_case(one, 3 + rows * cost) for one, cost in zip(MIGRATE_SCENARIOS, _COSTS, strict=True)]
    return World("migrate", _opened, cases, 2 + rows * 1e-5)


def peers_world(options: Options) -> World[Migration]:
    """Both directions by other tools, the library and the plain loop. They take long, so the table is smaller."""
    rows = _PEERS_ROWS // (_LITTLE if options.quick else 1)

    @contextlib.contextmanager
    def opened(servers: Servers, _: Options) -> Iterator[Migration]:
        with _opened_with(servers, rows, options.peers) as migration:
            yield migration

    directions = MIGRATE_SCENARIOS[: len(options.peers) and 2]
    cases = [
        _case(replace(one, name=f"peers-{one.name}", about=f"other tools: {one.about}", targets=()), 4e-3 * rows)
        for one in directions
    ]
    return World("peers", opened, cases, 2, apart=True)


def _rows(options: Options) -> int:
    return ROWS // _LITTLE if options.quick else ROWS


def _case(scenario: Scenario[Migration], seconds: float) -> Case[Migration]:
    def measure(migration: Migration, options: Options) -> Plain:
        sized = replace(scenario, size=replace(scenario.size, rows_per_call=migration.source.rows))
        return case_of(sized, "migrate").measure(migration, options)

    return Case(scenario.name, measure, seconds)


@contextlib.contextmanager
def _opened(servers: Servers, options: Options) -> Iterator[Migration]:
    with _opened_with(servers, _rows(options)) as migration:
        yield migration


@contextlib.contextmanager
def _opened_with(servers: Servers, rows: int, peers: Sequence[Peer] = ()) -> Iterator[Migration]:
    with (
        ProcessPoolExecutor(max(PAGES), get_context("spawn"), warm) as pool,
        filled(servers.mysql_url, servers.mongodb_url, rows) as source,
        Platform.open(mysql=source.mysql_url, mongodb=source.mongodb_url) as platform,
    ):
        yield Migration(source, platform, pool, peers)
