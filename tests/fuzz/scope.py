"""What an expression may refer to, and the choices common to the whole of one query."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import TypeVar

from tests.fuzz.answers import Compared
from tests.fuzz.families import BINARY, Column, Server
from tests.fuzz.nodes import Node, Parameter, Style, node
from tests.fuzz.scenario import Table

T = TypeVar("T")

CONNECTION = "the connection's"
"""The collation of what is no column: literals, numbers as text."""


@dataclass(frozen=True)
class Field:
    """A column of a source, or of a query's answer.

    ``group``: the collation of text. ``sharp``: equal values are the same value, so that it does not matter which of
    them GROUP BY or DISTINCT gives. ``compared`` other than "exact" is for nothing but to be looked at.
    """

    name: str
    kind: str
    group: str = ""
    sharp: bool = False
    pool: tuple[object, ...] = ()
    compared: Compared = "exact"


@dataclass(frozen=True)
class Source:
    """A table reference under its alias. ``keys``: names of fields that tell its rows apart; None: not known."""

    alias: str
    fields: tuple[Field, ...]
    keys: tuple[str, ...] | None


@dataclass(frozen=True)
class Scope:
    """The sources of a SELECT, and those of the SELECTs around it."""

    sources: tuple[Source, ...]
    outer: tuple[Source, ...] = ()

    def inside(self) -> tuple[Source, ...]:
        """What a subquery sees as outer."""
        names = {one.alias.casefold() for one in self.sources}
        return (*self.sources, *(one for one in self.outer if one.alias.casefold() not in names))


@dataclass
class Context:
    """The choices of one query."""

    chance: Random
    server: Server
    style: Style
    tables: Mapping[str, tuple[Table, tuple[Column, ...]]]
    subquery: Callable[[Context, Scope, str, str], Node] = field(repr=False)
    """A SELECT of one column of the given kind and group, which may look at what is around it."""
    single: Callable[[Context, Scope, str, str], Node] = field(repr=False)
    """The same with at most one row."""
    predicate: Callable[[Context, Scope, int], Node] = field(repr=False)
    """A condition."""
    depth: int = 0  # of queries inside each other
    numbered: int = 0
    defining: bool = False  # whether inside a common table expression
    common: list[Source] = field(default_factory=list)  # the common table expressions in scope, by their names

    @property
    def mysql(self) -> bool:
        return self.server == "mysql"

    @property
    def binary(self) -> str:
        return BINARY[self.server]

    def odds(self, share: float) -> bool:
        return self.chance.random() < share

    def pick(self, choices: Sequence[T]) -> T:
        return self.chance.choice(choices)

    def number(self, prefix: str) -> str:
        self.numbered += 1
        return f"{prefix}{self.numbered}"

    def word(self, text: str) -> str:
        """A keyword or function name, in either case."""
        return text if self.odds(0.9) else text.lower()

    def name(self, name: str) -> str:
        """An identifier, quoted where it has to be and sometimes where not."""
        if name.isascii() and name.isidentifier() and name.casefold() not in KEYWORDS and self.odds(0.6):
            return name
        return "`" + name.replace("`", "``") + "`"


KEYWORDS = frozenset("order group key values rank lateral select row rows natural system in recursive".split())  # noqa: SIM905


DEFAULT = "the database's"


def field_of(column: Column, server: Server, *, key: bool) -> Field:
    """A table's column as expressions see it."""
    kind, group = column.family.kind, ""
    if column.family.text:
        group = column.attribute.collation or (BINARY[server] if key else DEFAULT)
    kind = "str" if kind == "enum" else kind
    sharp = kind in ("int", "dec", "date", "dt", "time", "bin") or (kind == "str" and group == BINARY[server])
    return Field(column.name, kind, group, sharp, column.pool)


def reference(context: Context, scope: Scope, source: Source, field_: Field) -> Node:
    """The name of a column, qualified unless it is the only one of that name."""
    everywhere = [one.name.casefold() for every in (*scope.sources, *scope.outer) for one in every.fields]
    if everywhere.count(field_.name.casefold()) == 1 and context.odds(0.4):
        return node(field_.kind, context.name(field_.name))
    return node(field_.kind, f"{context.name(source.alias)}.{context.name(field_.name)}")


def qualified(context: Context, source: Source, name: str) -> Node:
    """A name that no alias of the SELECT list can stand before."""
    return node("", f"{context.name(source.alias)}.{context.name(name)}")


def candidates(scope: Scope, accept: Callable[[Field], bool], *, local: bool = False) -> list[tuple[Source, Field]]:
    sources = scope.sources if local else (*scope.sources, *scope.outer)
    return [(source, one) for source in sources for one in source.fields if one.compared == "exact" and accept(one)]


def drawn_field(
    context: Context, scope: Scope, accept: Callable[[Field], bool], *, local: bool = False
) -> tuple[Node, Field] | None:
    """A reference to any column that fits; mostly of the SELECT's own tables."""
    found = candidates(scope, accept, local=local or context.odds(0.75)) or candidates(scope, accept, local=local)
    if not found:
        return None
    source, one = context.pick(found)
    return reference(context, scope, source, one), one


def literal(context: Context, value: object, kind: str) -> Node:
    """A constant, in the statement or beside it."""
    if context.style != "none" and context.odds(0.5) and not isinstance(value, bool):
        return Node(kind, (Parameter(value),))
    return node(kind, spelled(context, value))


def spelled(context: Context, value: object) -> str:
    """A constant as MySQL reads it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return _text(context, value)
    if isinstance(value, bytes):
        return context.pick([f"X'{value.hex()}'", f"x'{value.hex()}'"]) if value else "X''"
    if isinstance(value, datetime):
        return context.pick(["", "TIMESTAMP "]) + f"'{value.isoformat(' ')}'"
    if isinstance(value, date):
        return context.pick(["", "DATE "]) + f"'{value.isoformat()}'"
    if isinstance(value, timedelta):
        seconds = abs(value) // timedelta(seconds=1)
        sign = "-" if value < timedelta(0) else ""
        micro = abs(value).microseconds
        clock = f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        return f"'{clock}{f'.{micro:06}' if micro else ''}'"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return repr(value)


def _text(context: Context, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("\0", "\\0")
    choice = context.chance.random()
    if choice < 0.1 and "\0" not in value and value:
        return f"_utf8mb4 X'{value.encode().hex()}'"
    if choice < 0.3:
        return '"' + escaped.replace('"', '""') + '"'
    if choice < 0.35 and len(value) > 1 and not value.startswith("\\"):
        return "'" + escaped[:1].replace("'", "''") + "' '" + escaped[1:].replace("'", "''") + "'"
    return "'" + escaped.replace("'", context.pick(["''", "\\'"])) + "'"


def renamed(field_: Field, name: str) -> Field:
    return replace(field_, name=name)
