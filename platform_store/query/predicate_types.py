"""Predicates of a SELECT in a small form of their own: what of them can be sent to a store ahead of the query.

Every predicate is re-applied by MySQL in the user's own text. So a predicate here has the three truth values of SQL,
and no more nodes than are worth sending.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Literal, TypeAlias

from platform_store.association import Column

Comparator: TypeAlias = Literal["=", "<=>", "<>", "<", "<=", ">", ">="]
JsonForm: TypeAlias = Literal["value", "extract", "unquote"]
"""JSON_VALUE(c, p) without further clauses; JSON_EXTRACT(c, p) or c -> p; JSON_UNQUOTE of that or c ->> p."""
Mode: TypeAlias = Literal["one", "all"]


@dataclass(frozen=True)
class _Node:
    @cached_property
    def refs(self) -> frozenset[Ref]:
        """The columns it names."""
        return frozenset(_refs_in([getattr(self, field.name) for field in fields(self)]))

    @property
    def sources(self) -> frozenset[int]:
        """The table references whose columns it names."""
        return frozenset(ref.source for ref in self.refs)


def _refs_in(value: object) -> Iterator[Ref]:
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, _Node):
        yield from value.refs
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _refs_in(item)


# Scalars


@dataclass(frozen=True, eq=False)
class Ref:
    """A column of the ``source``-th table reference."""

    source: int
    column: Column

    @property
    def in_documents(self) -> bool:
        """Whether the query takes the column from documents: a copy and a key column come from MySQL's row."""
        return self.column.placement == "mongodb" and not self.column.key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[int, str]:
        return self.source, self.column.name


@dataclass(frozen=True)
class Const:
    """A constant, as the value that the driver writes into a statement: None is NULL, a tuple a list after IN.

    True and False are the words TRUE and FALSE of the statement; as a parameter they are the numbers 1 and 0.
    """

    value: object


@dataclass(frozen=True)
class JsonValue(_Node):
    """What stands at a path of a JSON column."""

    ref: Ref
    path: str
    form: JsonForm = "value"


@dataclass(frozen=True)
class Call(_Node):
    """A deterministic function that raises no error for any value of its arguments. ``strict``: NULL in, NULL out."""

    function: str
    arguments: tuple[Scalar, ...]
    strict: bool = True


Scalar: TypeAlias = Ref | Const | JsonValue | Call

# Predicates


@dataclass(frozen=True)
class Comparison(_Node):
    operator: Comparator
    left: Scalar
    right: Scalar


@dataclass(frozen=True)
class Between(_Node):
    operand: Scalar
    low: Scalar
    high: Scalar


@dataclass(frozen=True)
class In(_Node):
    """``values`` are constants, at least one; None among them is NULL."""

    operand: Scalar
    values: tuple[object, ...]


@dataclass(frozen=True)
class IsNull(_Node):
    operand: Scalar


@dataclass(frozen=True)
class Like(_Node):
    """``escape`` is one character; without an ESCAPE clause MySQL's own, the backslash."""

    operand: Scalar
    pattern: str
    escape: str = "\\"


@dataclass(frozen=True)
class JsonContains(_Node):
    """JSON_CONTAINS(ref, candidate[, path]); ``candidate`` is JSON text."""

    ref: Ref
    candidate: str
    path: str | None = None


@dataclass(frozen=True)
class JsonContainsPath(_Node):
    ref: Ref
    mode: Mode
    paths: tuple[str, ...]


@dataclass(frozen=True)
class JsonSearch(_Node):
    """JSON_SEARCH(ref, mode, search, escape, paths...) IS NOT NULL. Without ``escape`` it is the backslash."""

    ref: Ref
    mode: Mode
    search: str
    escape: str | None = None
    paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class MemberOf(_Node):
    """``value MEMBER OF (array)``; ``array`` is a JSON column or JSON_EXTRACT of one."""

    value: object
    array: Ref | JsonValue


@dataclass(frozen=True)
class JsonOverlaps(_Node):
    """JSON_OVERLAPS(ref, candidate); ``candidate`` is JSON text."""

    ref: Ref
    candidate: str


@dataclass(frozen=True)
class And(_Node):
    parts: tuple[Predicate, ...]


@dataclass(frozen=True)
class Or(_Node):
    parts: tuple[Predicate, ...]


@dataclass(frozen=True)
class Not(_Node):
    part: Predicate


Predicate: TypeAlias = (
    Comparison
    | Between
    | In
    | IsNull
    | Like
    | JsonContains
    | JsonContainsPath
    | JsonSearch
    | MemberOf
    | JsonOverlaps
    | And
    | Or
    | Not
)
