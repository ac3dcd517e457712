"""Every case there is, in the order in which a full run measures them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from benchmarks import crm, large, live, migrate, query
from benchmarks.cases import Case, Options, World, case_of
from benchmarks.harness import LEAST_REPETITIONS, Scenario, Size, Trials, run
from benchmarks.results import Plain, plain_of
from benchmarks.scenarios import CLIENTS, FILLING, FOUR, LARGE, OPERATIONS, SIZES, Operation
from benchmarks.sides import EMBEDDED, SIDES
from benchmarks.start import START_SCENARIOS
from benchmarks.stores import Servers
from benchmarks.table import LOADED, Table, table
from benchmarks.workers import Crew, alone, at_once, crew

CROWDED: Final = 10_000
"""Rows of the table that several clients share."""
_QUICK_SIZES: Final = (1_000, 10_000)
_QUICK_CLIENTS: Final = (1, 4)
_LEAST_LOADED: Final = 10 * LOADED  # rows of which filling says something
_SHARED_CALLS: Final = 320  # of a block, by all clients together
_MOVED_ROWS: Final = 10_000
_PHASE: Final = 1.5  # seconds before and after


@dataclass
class Rows:
    """A table, and the processes that share it once they are needed."""

    table: Table
    resources: contextlib.ExitStack
    clients: int
    _crew: Crew | None = None

    @property
    def crew(self) -> Crew:
        if self._crew is None or self._crew.broken:
            names = [name for name in self.table.sides if name != EMBEDDED]
            self._crew = self.resources.enter_context(crew(self.table.address, names, self.clients))
        return self._crew


def worlds(options: Options) -> list[World[Any]]:
    """What is short first, so that a run that is stopped has something of everything."""
    sizes = options.sizes or (_QUICK_SIZES if options.quick else SIZES)
    start = [
        case_of(scenario, "start", seconds * options.sized(scenario.size).blocks)
        for scenario, seconds in zip(START_SCENARIOS, (0.4, 1.6), strict=True)
    ]
    stopped = live.outage(0.3, 2.3) if options.quick else live.outage(3.0, 3.0)
    return [
        World("start", _pair, start),
        *(_rows(rows, options) for rows in sizes if rows < LARGE),
        crm.world(options),
        _live(options),
        World("outage", _own_mongodb, [case_of(stopped, "live", 28 if options.quick else 75)]),
        migrate.world(options),
        query.world(options),
        *(_rows(rows, options) for rows in sizes if rows >= LARGE),
        *large.worlds(options),
        migrate.peers_world(options),
    ]


def _rows(rows: int, options: Options) -> World[Rows]:
    clients = options.clients or (_QUICK_CLIENTS if options.quick else CLIENTS)
    crowded = rows == CROWDED or (
        options.sizes is not None and rows == options.sizes[0] and CROWDED not in options.sizes
    )
    wanted = [one for one in OPERATIONS if options.sizes is not None or rows in one.sizes]
    cases = [_loaded(rows)] if rows >= _LEAST_LOADED else []
    cases += [_alone(operation, rows, options) for operation in wanted]
    if crowded:
        cases += [_shared(one, rows, count, options) for one in wanted if one.workers for count in clients]
    names = SIDES if rows < LARGE else FOUR

    @contextlib.contextmanager
    def opened(servers: Servers, _: Options) -> Iterator[Rows]:
        with (
            table(servers.mysql_url, servers.mongodb_url, rows, names) as filled,
            contextlib.ExitStack() as resources,
        ):
            yield Rows(filled, resources, max(clients))

    return World(f"rows {rows:,}", opened, cases, 1 + rows * FILLING * len(names))


def _loaded(rows: int) -> Case[Rows]:
    """What was there before any case: filling the table. The first part warms up."""

    def measure(stores: Rows, _: Options) -> Plain:
        blocks = stores.table.loaded
        size = Size(rows // LOADED - 1, 1, LOADED)
        trials = Trials(list(blocks), lambda number: {name: own[number] for name, own in blocks.items()})
        about = f"an empty table filled with {rows:,} rows, {LOADED:,} on each side in turn"
        scenario = Scenario[Table](f"load@{rows}", about, "rate", size, lambda _, __: trials)
        return plain_of(run(scenario, stores.table, size), group="load", operation="load", rows=rows)

    return Case(f"load@{rows}", measure)


def _alone(operation: Operation, rows: int, options: Options) -> Case[Rows]:
    scenario = operation.at(rows)
    names = operation.sides(rows)

    def measure(stores: Rows, options: Options) -> Plain:
        plain = case_of(scenario, "rows").measure(stores.table, options)
        if operation.memory:
            found = alone(replace(operation, names=names), stores.table, options.sized(scenario.size))
            for variant in plain["variants"]:
                variant["memory"] = vars(found[variant["name"]][1])
        return {**plain, "operation": operation.name, "rows": rows}

    size = options.sized(scenario.size)
    seconds = size.blocks * size.calls * size.rows_per_call * operation.cost * len(names) / len(operation.names)
    return Case(
        scenario.name, measure, 0.2 + seconds + (0.3 * len(names) + seconds / size.blocks if operation.memory else 0)
    )


def _shared(operation: Operation, rows: int, clients: int, options: Options) -> Case[Rows]:
    name = f"{operation.name}@{rows}x{clients}"

    def measure(stores: Rows, options: Options) -> Plain:
        size = options.sized(Size(LEAST_REPETITIONS, _SHARED_CALLS, table_rows=rows))
        size = replace(size, calls=max(size.calls, clients), table_rows=rows)
        about = f"{operation.about}, {clients} {'process' if clients == 1 else 'processes'}"
        scenario = Scenario[Table](
            name, about, "rate", size, lambda own, size: at_once(operation, own, size, stores.crew, clients)
        )
        outcome = run(scenario, stores.table, size)
        return plain_of(outcome, group="clients", operation=operation.name, rows=rows, clients=clients)

    size = options.sized(Size(LEAST_REPETITIONS, _SHARED_CALLS))
    return Case(name, measure, 0.5 + size.blocks * size.calls * operation.cost)


def _live(options: Options) -> World[live.Pair]:
    rows, seconds = (1_000, 0.3) if options.quick else (_MOVED_ROWS, _PHASE)
    about = "one row, before a column of its table moves, meanwhile, and afterwards"
    scenarios: Sequence[Scenario[live.Pair]] = [
        live.move_under_load("read", f"read {about}", rows, seconds),
        live.move_under_load("update", f"update {about}", rows, seconds),
    ]
    seconds = 6 * (2 * seconds + 1 + rows / 3_500)
    return World("live", _pair, [case_of(scenario, "live", seconds) for scenario in scenarios])


@contextlib.contextmanager
def _pair(servers: Servers, _: Options) -> Iterator[live.Pair]:
    with live.shared(servers.mysql_url, servers.mongodb_url) as pair:
        yield pair


@contextlib.contextmanager
def _own_mongodb(servers: Servers, _: Options) -> Iterator[live.Pair]:
    with live.own_mongodb(servers.mysql_url) as pair:
        yield pair
