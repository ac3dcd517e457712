"""Two million rows: whether what handles all of them keeps its pace and its size. Measured where it is asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from benchmarks import migrate_steady
from benchmarks.cases import Case, Options, World
from benchmarks.harness import Scenario, Size, outcome_of
from benchmarks.migrate_data import Source, filled
from benchmarks.results import Plain, plain_of
from benchmarks.scenarios import FILLING, OPERATIONS, Operation
from benchmarks.sides import LIBRARY
from benchmarks.stores import Servers
from benchmarks.table import Table, table
from benchmarks.workers import alone

NAME: Final = "large"
_ROWS: Final = 2_000_000
_LITTLE: Final = 20  # a quick run has so much less
_STREAMS: Final = ("scan", "collection", "verify")


def worlds(options: Options) -> list[World[Any]]:
    """A table of the library's, read whole by fresh processes; and a migration by one process, there and back."""
    rows = _rows(options)
    streams = [_stream(one, rows) for one in OPERATIONS if one.name in _STREAMS]
    steady = Case("steady", _steady, rows * 2.5e-5)
    return [
        World(NAME, _opened, streams, rows * FILLING * 1.5, apart=True),
        World(NAME, _filled, [steady], rows * 1e-5, apart=True),
    ]


def _rows(options: Options) -> int:
    return _ROWS // _LITTLE if options.quick else _ROWS


def _stream(operation: Operation, rows: int) -> Case[Table]:
    """One pass, by a process that does nothing else: its memory, and its pace at that size."""

    def measure(stores: Table, _: Options) -> Plain:
        size = Size(1, 1, rows, rows)
        own = replace(operation, names=(LIBRARY,))
        ((block, peak),) = alone(own, stores, size).values()
        scenario = Scenario[Table](
            name, operation.about, "rate", size, lambda stores, size: own.make(own, stores, size)
        )
        outcome = outcome_of(scenario, size, {LIBRARY: [block]})
        return plain_of(outcome, {LIBRARY: peak}, group="large", operation=operation.name, rows=rows)

    name = f"{NAME}-{operation.name}"
    return Case(name, measure, 2 + rows * 1.4e-5)


@contextlib.contextmanager
def _opened(servers: Servers, options: Options) -> Iterator[Table]:
    with table(servers.mysql_url, servers.mongodb_url, _rows(options), (LIBRARY,)) as made:
        yield made


@contextlib.contextmanager
def _filled(servers: Servers, options: Options) -> Iterator[Source]:
    with filled(servers.mysql_url, servers.mongodb_url, _rows(options)) as source:
        yield source


def _steady(source: Source, _: Options) -> Plain:
    return {
        "group": "large",
        "about": "a migration by one process, tenth by tenth",
        "measure": "rows/s",
        "variants": [],
        "judged": [],
        "rows": source.rows,
        "tenths": [vars(one) for one in migrate_steady.measure(source)],
    }
