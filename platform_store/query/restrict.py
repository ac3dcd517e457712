"""What a statement says about each table reference: which of its rows can matter at all.

Everything here may only ever be a superset, because MySQL applies every condition again. What holds for a reference:

* A conjunct of WHERE, or of ON of an inner join, over its own columns. Where an outer join may fill the reference with
  NULLs, only one that is never true of NULLs: a row less could otherwise mean a row of NULLs more.
* A conjunct of ON of a LEFT JOIN whose right side it is.
* It is joined to another reference by a conjunct of those kinds, so rows that match no row of the other do not matter.
  In a subquery, also to one of the query around it, whose rows have to pass the conjuncts of that query's WHERE.

Names are resolved as MySQL does, from the innermost SELECT outwards, and given up where a source of unknown columns
could have the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sqlglot import exp

from platform_store.association import TEXT_TYPES
from platform_store.query.analysis import Analysis, Reference
from platform_store.query.predicate_types import And, Between, Comparison, Const, In, Not, Or, Predicate, Ref
from platform_store.query.predicates import Constants, read, rejects_null
from platform_store.query.text import fold

_MISLEADING: Final = re.compile(r"\|\||!(?!=)")
"""Operators that the parser may bind otherwise than MySQL, so that its conjuncts are none."""
_OF_ONE_ROW: Final = (
    exp.Column, exp.Identifier, exp.Alias, exp.Star, exp.Literal, exp.Placeholder, exp.Null, exp.Boolean, exp.Paren,
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Neg, exp.JSONExtract, exp.JSONExtractScalar, exp.JSONValue, exp.JSONPath,
    exp.JSONPathPart, exp.Cast, exp.DataType, exp.DataTypeParam, exp.Coalesce, exp.If, exp.Case, exp.Concat, exp.Upper,
    exp.Lower, exp.Substring, exp.Length,
)  # fmt: skip
"""What makes a value from one row: with anything else in the SELECT list, LIMIT may count something else."""
_INNER: Final = frozenset({"", "INNER", "CROSS", "STRAIGHT_JOIN"})
_RESULT_CLAUSES: Final = frozenset({"where", "expressions", "having", "order"})
"""Where the answer of a subquery counts only for rows that pass WHERE."""


@dataclass(slots=True)
class Restriction:
    """What is known of the rows of one reference that matter.

    ``own``: conjuncts over its columns alone. ``edges``: conjuncts that join it to other references, each with the
    number of the other; rows that match none of the other's remaining rows do not matter.
    """

    reference: Reference
    own: list[Predicate] = field(default_factory=list)
    edges: list[tuple[int, Predicate]] = field(default_factory=list)
    limit: Limit | None = None

    @property
    def in_mysql(self) -> bool:
        """Whether MySQL may know which rows matter."""
        return (
            bool(self.edges)
            or self.limit is not None
            or any(all(ref.column.in_mysql for ref in one.refs) for one in self.own)
        )


@dataclass(frozen=True, slots=True)
class Limit:
    """The reference's rows are sorted by these columns (descending if True), and only the first are needed."""

    order: tuple[tuple[Ref, bool], ...]
    count: int


@dataclass(slots=True)
class _Scope:
    """The sources of one SELECT. ``nullable``: references that an outer join may fill with NULLs."""

    select: exp.Select
    references: list[Reference] = field(default_factory=list)
    nullable: set[int] = field(default_factory=set)
    opaque: set[str] = field(default_factory=set)  # aliases of sources whose columns are unknown
    hard: list[exp.Expr] = field(default_factory=list)  # conjuncts that every row of the result satisfies
    soft: list[tuple[int, exp.Expr]] = field(default_factory=list)  # conjuncts of ON, by the right side's number
    outer: _Scope | None = None
    """The query around, where this one is a subquery whose answer counts only for rows that pass its WHERE."""


def restrictions(analysis: Analysis, constants: Constants) -> dict[int, Restriction]:
    """By the reference's number."""
    return _Reader(analysis, constants).restrictions


class _Reader:
    def __init__(self, analysis: Analysis, constants: Constants):
        self._analysis, self._constants = analysis, constants
        self.restrictions = {one.number: Restriction(one) for one in analysis.references}
        self._scopes: dict[int, _Scope] = {}
        self._nullable: set[int] = set()
        if _MISLEADING.search(analysis.statement.text) or "xor" in analysis.statement.names:
            return
        for select in analysis.tree.find_all(exp.Select):
            self._scopes[id(select)] = self._scope(select)
        for scope in self._scopes.values():
            scope.outer = self._around(scope.select)
            self._nullable |= scope.nullable
        for scope in self._scopes.values():
            self._read(scope)
        if "recursive" in analysis.statement.names and any(map(_may_fail, self._predicates())):
            self.restrictions = {one.number: Restriction(one) for one in analysis.references}

    def _predicates(self) -> Iterator[Predicate]:
        for restriction in self.restrictions.values():
            yield from (*restriction.own, *(one for _, one in restriction.edges))

    # Sources

    def _scope(self, select: exp.Select) -> _Scope:
        scope = _Scope(select)
        if (source := select.args.get("from_")) is not None:
            self._add(scope, source.this)
            self._join(scope, select.args.get("joins") or ())
        for lateral in select.args.get("laterals") or ():
            scope.opaque.add(fold(lateral.alias))
        if (where := select.args.get("where")) is not None:
            scope.hard += _conjuncts(where.this)
        return scope

    def _add(self, scope: _Scope, source: exp.Expr) -> list[int]:
        """Takes a source of FROM in; the numbers of the references in it."""
        first = len(scope.references)
        if isinstance(source, exp.Subquery) and isinstance(source.this, exp.Table) and not source.alias:
            self._add(scope, source.this)  # joins in parentheses
            self._join(scope, source.args.get("joins") or ())
        elif (reference := self._analysis.by_table.get(id(source))) is not None:
            scope.references.append(reference)
        else:
            scope.opaque.add(fold(source.alias_or_name))
        if isinstance(source, exp.Table):
            self._join(scope, source.args.get("joins") or ())
        return [reference.number for reference in scope.references[first:]]

    def _join(self, scope: _Scope, joins: Sequence[exp.Join]) -> None:
        for join in joins:
            before = {reference.number for reference in scope.references}
            right = self._add(scope, join.this)
            side, on = (join.args.get("side") or "").upper(), join.args.get("on")
            conjuncts = [] if on is None else _conjuncts(on)
            if not side and (join.args.get("kind") or "").upper() in _INNER:
                scope.hard += [one for one in conjuncts if self._sees(scope, one)]
            elif side == "LEFT":
                scope.nullable.update(right)
                if len(right) == 1:
                    scope.soft += [(right[0], one) for one in conjuncts if self._sees(scope, one)]
            else:
                scope.nullable |= before if side == "RIGHT" else before | set(right)

    def _sees(self, scope: _Scope, node: exp.Expr) -> bool:
        """Whether every table that a conjunct of ON names is known to stand to the left of it: not a later one."""
        aliases = {fold(reference.alias) for reference in scope.references} | scope.opaque
        return all(column.table and fold(column.table) in aliases for column in node.find_all(exp.Column))

    def _around(self, select: exp.Select) -> _Scope | None:
        node: exp.Expr = select
        while (parent := node.parent) is not None and not isinstance(parent, exp.CTE | exp.From | exp.Join):
            if isinstance(parent, exp.Select):
                return self._scopes.get(id(parent)) if node.arg_key in _RESULT_CLAUSES else None
            node = parent
        return None

    # Conjuncts

    def _read(self, scope: _Scope) -> None:
        for node in scope.hard:
            predicate = read(node, partial(self._resolve, scope), self._constants)
            if predicate is not None:
                self._take(scope, predicate)
        for number, node in scope.soft:
            predicate = read(node, partial(self._resolve, scope), self._constants)
            if predicate is not None and number in predicate.sources:
                self._give(number, predicate)
        for reference in scope.references:
            self.restrictions[reference.number].limit = self._limit(scope, reference)

    def _take(self, scope: _Scope, predicate: Predicate) -> None:
        """A conjunct that every row of the result satisfies."""
        inside = {reference.number for reference in scope.references}
        for number in predicate.sources & inside:
            if self._needs_row(predicate, number):
                self._give(number, predicate)

    def _needs_row(self, predicate: Predicate, number: int) -> bool:
        """Whether it is true only where the reference has a row, not the NULLs of an outer join."""
        return number not in self._nullable or rejects_null(predicate, number, whole_row=True)

    def _give(self, number: int, predicate: Predicate) -> None:
        restriction = self.restrictions[number]
        others = list(predicate.sources - {number})
        if not others:
            restriction.own.append(predicate)
        elif len(others) == 1 and self._needs_row(predicate, others[0]):
            restriction.edges.append((others[0], predicate))

    def _resolve(self, scope: _Scope | None, column: exp.Column) -> Ref | None:
        if column.args.get("db") or isinstance(column.this, exp.Star):
            return None
        name, table = fold(column.name), fold(column.table)
        while scope is not None:
            sources = [one for one in scope.references if not table or fold(one.alias) == table]
            found = [(one, its) for one in sources for its in one.association.columns if fold(its.name) == name]
            if len(found) == 1:
                return Ref(found[0][0].number, found[0][1])
            if found or (table in scope.opaque if table else bool(scope.opaque)) or (table and sources):
                return None
            scope = scope.outer
        return None

    # LIMIT

    def _limit(self, scope: _Scope, reference: Reference) -> Limit | None:
        """Where the first rows by MySQL's columns are all that the SELECT needs, how many these are."""
        select = scope.select
        plain = {"kind", "expressions", "from_", "where", "order", "limit", "offset"}
        if len(scope.references) > 1 or scope.opaque or {name for name, value in select.args.items() if value} - plain:
            return None
        if not all(isinstance(node, _OF_ONE_ROW) for one in select.expressions for node in one.walk()):
            return None
        predicates = [read(node, partial(self._resolve, scope), self._constants) for node in scope.hard]
        if any(one is None or one.sources != {reference.number} for one in predicates):
            return None
        if not all(ref.column.in_mysql for one in predicates if one is not None for ref in one.refs):
            return None
        order = self._order(scope)
        count = _number(select.args.get("limit"))
        offset = _number(select.args["offset"]) if select.args.get("offset") else 0
        return None if order is None or count is None or offset is None else Limit(tuple(order), count + offset)

    def _order(self, scope: _Scope) -> list[tuple[Ref, bool]] | None:
        order = scope.select.args.get("order")
        items: list[tuple[Ref, bool]] = []
        aliases = {fold(item.alias) for item in scope.select.expressions if isinstance(item, exp.Alias)}
        for item in [] if order is None else order.expressions:
            column = item.this
            if not isinstance(column, exp.Column) or (not column.table and fold(column.name) in aliases):
                return None
            ref = self._resolve(scope, column)
            if (
                ref is None
                or not ref.column.in_mysql
                or not isinstance(item, exp.Ordered)
                or item.args.get("with_fill")
            ):
                return None
            items.append((ref, bool(item.args.get("desc"))))
        return items


def _may_fail(predicate: Predicate) -> bool:
    """Whether it compares a text column with a number, say.

    What is no number is an error in a recursive common table expression, and the row is needed to get it.
    """
    match predicate:
        case And(parts=parts) | Or(parts=parts):
            return any(map(_may_fail, parts))
        case Not(part=part):
            return _may_fail(part)
        case Comparison(left=left, right=right):
            operands: tuple[object, ...] = (left, right)
        case Between(operand=operand, low=low, high=high):
            operands = (operand, low, high)
        case In(operand=operand, values=values):
            operands = (operand, *map(Const, values))
        case _:
            return False
    texts = [one for one in operands if _is_text(one)]
    return any(isinstance(one, Ref) for one in texts) and len(texts) < len(operands)


def _is_text(operand: object) -> bool:
    if isinstance(operand, Ref):
        return operand.column.type.base in TEXT_TYPES
    return isinstance(operand, Const) and isinstance(operand.value, str | None)


def _conjuncts(node: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(node, exp.Paren):
        yield from _conjuncts(node.this)
    elif isinstance(node, exp.And):
        yield from _conjuncts(node.this)
        yield from _conjuncts(node.expression)
    else:
        yield node


def _number(node: exp.Expr | None) -> int | None:
    """The count of a LIMIT or OFFSET that is a plain number."""
    if not isinstance(node, exp.Limit | exp.Offset) or any(
        value for name, value in node.args.items() if name not in ("this", "expression")
    ):
        return None
    literal = node.args.get("expression")
    if not isinstance(literal, exp.Literal) or literal.is_string or not literal.name.isdigit():
        return None
    return int(literal.name)
