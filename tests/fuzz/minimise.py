"""A mismatch made small: first its statement, on the databases as they are, then its tables and rows on fresh ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.fuzz.nodes import Node, smaller, str_of
from tests.fuzz.scenario import Change, Scenario, Table

Fails = Callable[[Node], bool]


def shrink_statement(tree: Node, fails: Fails, seconds: float) -> Node:
    """A smaller statement that still fails; pieces are taken away until none can be, or the time is up."""
    until = time.monotonic() + seconds
    shrunk = True
    while shrunk:
        shrunk = False
        for candidate in smaller(tree):
            if time.monotonic() > until:
                return tree
            if fails(candidate):
                tree, shrunk = candidate, True
                break
    return tree


def shrink_scenario(scenario: Scenario, tree: Node, fails: Callable[[Scenario], bool], seconds: float) -> Scenario:
    """A smaller scenario in which the statement still fails."""
    until = time.monotonic() + seconds
    shrunk = True
    while shrunk:
        shrunk = False
        for candidate in _smaller(scenario, str_of(tree)):
            if time.monotonic() > until:
                return scenario
            if fails(candidate):
                scenario, shrunk = candidate, True
                break
    return scenario


def _smaller(scenario: Scenario, text: str) -> Iterator[Scenario]:
    yield from _without_tables(scenario, text)
    if scenario.later:
        yield _consistent(replace(scenario, later=()))
        yield _consistent(replace(scenario, first=(*scenario.first, *scenario.later), later=()))
    for first in _without_changes(scenario.first):
        yield _consistent(replace(scenario, first=first))
    for later in _without_changes(scenario.later):
        yield _consistent(replace(scenario, later=later))
    for table in scenario.tables:
        yield from _simpler(scenario, table, text)
    yield from _without_values(scenario)


def _without_tables(scenario: Scenario, text: str) -> Iterator[Scenario]:
    for table in scenario.tables:
        if len(scenario.tables) > 1 and table.name.replace("`", "``").replace("%", "%%") not in text:
            kept = tuple(one for one in scenario.tables if one is not table)
            yield _consistent(replace(scenario, tables=kept))


def _without_changes(changes: tuple[Change, ...]) -> Iterator[tuple[Change, ...]]:
    size = len(changes) // 2
    while size:
        for start in range(0, len(changes), size):
            yield changes[:start] + changes[start + size :]
        size //= 2


def _simpler(scenario: Scenario, table: Table, text: str) -> Iterator[Scenario]:
    """One property or column of a table less."""
    for simpler in (
        replace(table, extra=False),
        replace(table, formerly=None),
        replace(table, late=False),
    ):
        if simpler != table:
            yield _with(scenario, table, simpler)
    for position in range(len(table.columns) - 1, table.keys - 1, -1):
        name = table.columns[position].name
        if name.replace("`", "``").replace("%", "%%") in text or (table.late and position == len(table.columns) - 1):
            continue
        columns = table.columns[:position] + table.columns[position + 1 :]
        bare_at = table.bare_at
        if bare_at is not None and (position < bare_at or bare_at == len(columns)):
            bare_at = max(table.keys, bare_at - 1)
        if len(columns) > table.keys:
            yield _with(scenario, table, replace(table, columns=columns, bare_at=bare_at))
    if table.bare_at is not None:
        yield _with(scenario, table, replace(table, bare_at=None))


def _without_values(scenario: Scenario) -> Iterator[Scenario]:
    """One value of a new row less: its column then has its default."""
    for number, change in enumerate(scenario.first):
        table = scenario.table(change.table)
        for name in change.row:
            attribute = next((one for one in table.columns if one.name == name), None)
            if change.kind == "write" and attribute is not None and attribute.nullable and name not in table.key:
                row = {key: value for key, value in change.row.items() if key != name}
                first = (*scenario.first[:number], replace(change, row=row), *scenario.first[number + 1 :])
                yield replace(scenario, first=first)


def _with(scenario: Scenario, table: Table, simpler: Table) -> Scenario:
    tables = tuple(simpler if one is table else one for one in scenario.tables)
    return _consistent(replace(scenario, tables=tables))


def _consistent(scenario: Scenario) -> Scenario:
    """Without changes of what is no longer there."""
    living: set[tuple[str, str]] = set()
    parts: list[tuple[Change, ...]] = []
    for changes in (scenario.first, scenario.later):
        kept = []
        for change in changes:
            table = next((one for one in scenario.tables if one.name == change.table), None)
            if table is None:
                continue
            key = (table.name, repr([change.row[name] for name in table.key]))
            if change.kind in ("update", "delete") and key not in living:
                continue
            names = {one.name for one in table.columns}
            row = {name: value for name, value in change.row.items() if name in names}
            if change.kind == "update" and len(row) == table.keys:
                continue
            kind = "write" if change.kind == "bare" and table.bare_at is None else change.kind
            kept.append(replace(change, kind=kind, row=row, extra=change.extra if table.extra else None))
            if change.kind == "delete":
                living.discard(key)
            else:
                living.add(key)
        parts.append(tuple(kept))
    return replace(scenario, first=parts[0], later=parts[1])
