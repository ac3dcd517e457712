"""Logical tables with their history: what is declared, what is written, and where each column may live.

A scenario knows nothing of stores. The same one is played into a plain table set and, under several splits, through
the library; ``final`` says which rows it leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Literal, TypeAlias

from platform_store import ColumnAttribute
from tests.fuzz.families import Column, Server, column, key_column

Row: TypeAlias = dict[str, Any]
Flags: TypeAlias = Mapping[str, int | None]
"""The flag of each table; None: the table is adopted, MySQL having its columns before ``bare_at``."""


@dataclass(frozen=True)
class Table:
    """A logical table.

    ``keys``: how many leading columns are its key. ``bare_at``: rows may lack a document from this column on (None: no
    row does). ``late``: the last column is added after the first rows. ``formerly``: its first name.
    """

    name: str
    columns: tuple[ColumnAttribute, ...]
    keys: int = 1
    extra: bool = False
    bare_at: int | None = None
    late: bool = False
    formerly: str | None = None

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.columns[: self.keys])


@dataclass(frozen=True)
class Change:
    """One write. ``bare``: the row is in MySQL before the table is adopted, and has no document."""

    kind: Literal["bare", "write", "update", "delete"]
    table: str
    row: Row  # with its key; of an update what changes, of a deletion the key alone
    extra: Row | None = None


@dataclass(frozen=True)
class Scenario:
    """Tables, what is written before the journal is emptied, and what is written after."""

    server: Server
    tables: tuple[Table, ...]
    first: tuple[Change, ...]
    later: tuple[Change, ...] = ()
    held: int = 0  # seed of which documents of ``later`` have not reached MongoDB

    def table(self, name: str) -> Table:
        return next(one for one in self.tables if one.name == name)

    def final(self, name: str) -> list[Row]:
        """The rows that a table has in the end, every column named."""
        table = self.table(name)
        rows: dict[tuple[str, ...], Row] = {}
        for change in (*self.first, *self.later):
            if change.table != name:
                continue
            key = tuple(repr(change.row[column]) for column in table.key)
            if change.kind == "delete":
                rows.pop(key, None)
            elif change.kind == "update":
                rows[key] = {**rows[key], **change.row}
            else:
                late = table.late and change in self.first
                given = {**change.row}
                for position, attribute in enumerate(table.columns):
                    absent = change.kind == "bare" or (late and position == len(table.columns) - 1)
                    given.setdefault(attribute.name, None if absent else attribute.default)
                rows[key] = given
        return list(rows.values())


NAMES = ("a", "b", "name", "v", "n", "kind", "doc", "note", "day", "total", "x1", "VALUE", "code")
ODD_NAMES = (
    "order",
    "group",
    "key",
    "日期",
    "a b",
    "sel`ect",
    "100%",
    "rank",
    "lateral",
    "Select",
    "'q'",
    "状态",
    "user",
    "id#",
)
TABLES = ("t", "customer", "order", "客户", "a", "visit log", "Item", "values", "x`y", "row%s")


@dataclass(frozen=True)
class Drawn:
    """A scenario with where each column's values come from, for constants that hit."""

    scenario: Scenario
    columns: Mapping[str, tuple[Column, ...]]


def draw(chance: Random, server: Server, *, partial_dates: bool = False) -> Drawn:
    """A random scenario."""
    shared = [column(chance, name, server, partial_dates=partial_dates) for name in chance.sample(NAMES, 4)]
    names = chance.sample(TABLES, chance.randint(2, 4))
    tables: list[Table] = []
    columns: dict[str, tuple[Column, ...]] = {}
    first: list[Change] = []
    later: list[Change] = []
    for name in names:
        table, columns[name] = _table(chance, name, shared, server, partial_dates)
        tables.append(table)
        for change, at_once in _history(chance, table, columns[name]):
            (first if at_once else later).append(change)
    scenario = Scenario(server, tuple(tables), tuple(first), tuple(later), chance.randrange(2**30))
    return Drawn(scenario, columns)


def flags(chance: Random, scenario: Scenario) -> Flags:
    """A random split of every table."""
    chosen: dict[str, int | None] = {}
    for table in scenario.tables:
        created = len(table.columns) - (1 if table.late else 0)
        if table.bare_at is not None and chance.random() < 0.6:
            chosen[table.name] = None
        elif chance.random() < 0.15:
            chosen[table.name] = -1
        else:
            low = table.keys - 1
            chosen[table.name] = chance.choice(
                [low, low, chance.randrange(low, created), chance.randrange(low, created)]
            )
    return chosen


def _table(
    chance: Random, name: str, shared: list[Column], server: Server, partial_dates: bool
) -> tuple[Table, tuple[Column, ...]]:
    adopted = chance.random() < 0.3
    keys = [key_column(chance, "id", server, adopted=adopted)]
    if chance.random() < 0.25:
        keys.append(key_column(chance, chance.choice(["id2", "部分"]), server, adopted=adopted))
    taken = {"id", "id2", "部分"}
    others = [one for one in shared if chance.random() < 0.5]
    taken |= {one.name.casefold() for one in others}
    for _ in range(chance.randint(3, 7)):
        new = chance.choice(NAMES if chance.random() < 0.7 else ODD_NAMES)
        if new.casefold() not in taken:
            taken.add(new.casefold())
            others.append(column(chance, new, server, partial_dates=partial_dates))
    chance.shuffle(others)
    if adopted and server == "mariadb":  # where an adopted JSON column is a LONGTEXT
        others.sort(key=lambda one: one.family.kind == "json")
    texts = sum(one.family.kind != "json" for one in others) if server == "mariadb" else len(others)
    bare_at = len(keys) + chance.randint(0, min(texts, len(others) - 1)) if adopted else None
    late = not adopted and chance.random() < 0.25
    if bare_at is not None:
        others = [replace(one, attribute=replace(one.attribute, default=None)) for one in others]
        others = _nullable(others, bare_at - len(keys))
    elif late:
        others = _nullable(others, len(others) - 1)
    formerly = "was" if not adopted and chance.random() < 0.25 else None
    columns = (*keys, *others)
    table = Table(
        name,
        tuple(one.attribute for one in columns),
        len(keys),
        extra=not adopted and chance.random() < 0.3,
        bare_at=bare_at,
        late=late,
        formerly=formerly,
    )
    return table, columns


def _nullable(columns: list[Column], start: int) -> list[Column]:
    """The columns from ``start`` on may lack a value."""
    return [
        one if position < start else replace(one, attribute=replace(one.attribute, nullable=True, default=None))
        for position, one in enumerate(columns)
    ]


def _history(chance: Random, table: Table, columns: tuple[Column, ...]) -> list[tuple[Change, bool]]:
    """Changes of one table, each with whether it comes before the journal is emptied."""
    keys = _keys(chance, columns[: table.keys])
    done: list[tuple[Change, bool]] = []
    living: list[Row] = []
    for key in keys[: chance.choice([0, 1, 5, 9, 9, 12])]:
        bare = table.bare_at is not None and chance.random() < 0.5
        row = key | _values(chance, columns[table.keys : table.bare_at if bare else len(columns)])
        if table.late:
            row.pop(columns[-1].name, None)
        done.append((Change("bare" if bare else "write", table.name, row, _extra(chance, table, bare)), True))
        living.append(key)
    for at_once in (True, False):
        done += [(change, at_once) for change in _later(chance, table, columns, living, at_once)]
    for key in keys[12:15]:
        if chance.random() < 0.5:
            row = key | _values(chance, columns[table.keys :])
            done.append((Change("write", table.name, row, _extra(chance, table, False)), False))
    return done


def _later(chance: Random, table: Table, columns: tuple[Column, ...], living: list[Row], at_once: bool) -> list[Change]:
    changes = []
    for key in list(living):
        if chance.random() < 0.25:
            given = chance.sample(columns[table.keys :], chance.randint(1, 2) if len(columns) > table.keys + 1 else 1)
            if at_once and table.late:
                given = [one for one in given if one is not columns[-1]]
            values = {one.name: one.draw(chance) for one in given}
            if values:
                changes.append(Change("update", table.name, key | values))
        elif chance.random() < 0.1:
            living.remove(key)
            changes.append(Change("delete", table.name, key))
    return changes


def _values(chance: Random, columns: tuple[Column, ...]) -> Row:
    return {one.name: one.draw(chance) for one in columns if one.attribute.default is None or chance.random() < 0.7}


def _extra(chance: Random, table: Table, bare: bool) -> Row | None:
    if bare or not table.extra or chance.random() < 0.5:
        return None
    return {chance.choice(["另", "more", "tag"]): chance.choice([1, "x", ["y"]])}


def _keys(chance: Random, columns: tuple[Column, ...]) -> list[Row]:
    if len(columns) == 1:
        return [{columns[0].name: value} for value in chance.sample(columns[0].pool, min(15, len(columns[0].pool)))]
    parts = [chance.sample(one.pool, 4) for one in columns]
    pairs = [{columns[0].name: one, columns[1].name: other} for one in parts[0] for other in parts[1]]
    chance.shuffle(pairs)
    return pairs[:15]
