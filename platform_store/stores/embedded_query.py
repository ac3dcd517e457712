"""Queries of the embedded pair: one SELECT that SQLite answers as MySQL would, or NotSupported naming what is more.

The statement is taken apart by a strict walk: a node, or an argument of a node, that is not handled here is refused, so
that nothing is ever answered differently from MySQL. ``docs/query-embedded.md`` says what is answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlglot import exp

from platform_store.association import Association
from platform_store.errors import NotSupported, SchemaError
from platform_store.placeholders import bind
from platform_store.stores.base import Parameters
from platform_store.stores.embedded_conditions import Conditions, check_arguments, construct, identifier, value_of
from platform_store.stores.embedded_functions import Functions, functions
from platform_store.stores.embedded_operands import (
    Operand,
    check_groupable,
    check_sortable,
    copied,
    counted,
    extreme,
    grouped,
    summed,
)
from platform_store.stores.embedded_sources import Sources
from platform_store.stores.embedded_text import check_name, item_texts, lifted, parsed
from platform_store.stores.embedded_types import Convert

_INT64_MAX: Final = 2**63 - 1
_HANDLED: Final = frozenset(
    {"expressions", "from_", "joins", "where", "group", "having", "distinct", "order", "limit", "offset"}
)
_CLAUSES: Final = {
    "hint": "an optimizer hint",
    "locks": "FOR UPDATE or FOR SHARE",
    "operation_modifiers": "a modifier such as SQL_CALC_FOUND_ROWS",
    "with_": "WITH",
}
_AGGREGATES: Final = (exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max)


@dataclass(frozen=True)
class Plan:
    """A SELECT on the file, and how its values become those that MySQL gives."""

    associations: tuple[Association, ...]
    statement: sa.Select[Any]
    names: tuple[str, ...]
    drivers: tuple[Convert, ...]
    functions: Functions


@dataclass(frozen=True)
class _Output:
    """A column of the result. ``alias``: the name that the statement gives it, which later clauses may use."""

    name: str
    operand: Operand
    alias: str | None = None


def plan(statement: str, parameters: Parameters | None, tables: Mapping[str, Association]) -> Plan:
    """Takes one SELECT apart. Raises NotSupported, SchemaError, ValueRejected; nothing is run."""
    bound, values = bind(statement, parameters)
    text, values = lifted(bound, values)
    try:
        return _Planner(item_texts(bound), values, tables).plan(parsed(text))
    except RecursionError:
        raise NotSupported("a statement nested so deeply") from None


class _Planner:
    """The walk over one SELECT."""

    def __init__(self, texts: Sequence[str], values: dict[str, object], tables: Mapping[str, Association]):
        self._texts, self._values = texts, values
        self._sources = Sources(tables, values)
        self._outputs: list[_Output] = []
        self._aggregated = self._copies = False
        self._grouped: list[Operand] | None = None

    def plan(self, tree: exp.Select) -> Plan:
        for name, value in tree.args.items():
            if value and name not in _HANDLED:
                raise NotSupported(_CLAUSES.get(name, name.strip("_").upper()))
        aggregate = next(tree.find_all(*_AGGREGATES), None)
        self._copies = aggregate is not None or any(tree.args.get(name) for name in ("joins", "group", "distinct"))
        self._sources.read(tree)
        self._read_outputs(tree.expressions)
        statement = sa.select(*(output.operand.place for output in self._outputs)).select_from(self._sources.clause)
        if where := tree.args.get("where"):
            check_arguments(where, "this")
            statement = statement.where(self._sources.condition(where.this))
        statement = self._with_groups(statement, tree)
        statement = self._with_order(statement, tree)
        return Plan(
            self._sources.associations,
            self._limited(statement, tree),
            tuple(output.name for output in self._outputs),
            tuple(output.operand.storage.driver for output in self._outputs),
            functions(self._sources.fields),
        )

    # The SELECT list

    def _read_outputs(self, items: Sequence[exp.Expression]) -> None:
        if len(self._texts) != len(items):
            raise NotSupported("a SELECT list written so")
        for number, (item, text) in enumerate(zip(items, self._texts, strict=True)):
            if isinstance(item, exp.Star) and number:
                raise NotSupported("* after another item of the SELECT list", "is not MySQL's")
            self._outputs += self._item(item, text)

    def _item(self, item: exp.Expression, text: str) -> Iterator[_Output]:
        """The columns of the result that an item of the SELECT list stands for."""
        star = item.this if isinstance(item, exp.Column) else item
        if isinstance(star, exp.Star):
            check_arguments(star)
            qualifier = None
            if isinstance(item, exp.Column):
                check_arguments(item, "this", "table")
                qualifier = identifier(item.args.get("table"))
            for operand in self._sources.every(qualifier):
                yield _Output(operand.column.name, self._kept(operand))
        elif isinstance(item, exp.Alias):
            check_arguments(item, "this", "alias")
            alias = identifier(item.args["alias"])
            yield _Output(alias, self._operand(item.this, alias), alias)
        elif isinstance(item, exp.Column):
            name = identifier(item.this)
            yield _Output(name, self._operand(item, name))
        else:
            operand = self._operand(item, text)
            yield _Output(check_name(text), operand)

    # Expressions

    def _operand(self, node: exp.Expression, name: str) -> Operand:
        """What an expression of the SELECT list, of HAVING or ORDER BY stands for; aggregates are let through."""
        if not isinstance(node, _AGGREGATES):
            if isinstance(node, exp.Column | exp.JSONValue | exp.JSONExtractScalar):
                return self._kept(self._sources.operand(node))
            raise NotSupported(f"{construct(node)} in the SELECT list, HAVING or ORDER BY")
        self._aggregated = True
        function = node.key.upper()
        check_arguments(node, "this", "big_int")
        if isinstance(node, exp.Count) and isinstance(node.this, exp.Star):
            check_arguments(node.this)
            return counted(None, name)
        inner, distinct = node.this, isinstance(node.this, exp.Distinct)
        if distinct:
            check_arguments(inner, "expressions")
            if not isinstance(node, exp.Count):
                raise NotSupported(f"{function}(DISTINCT)")
            if len(inner.expressions) != 1:
                raise NotSupported("COUNT(DISTINCT) of more than one column")
            (inner,) = inner.expressions
        if not isinstance(inner, exp.Column):
            raise NotSupported(f"{function} of anything but a column")
        operand = self._kept(self._sources.column(inner))
        if isinstance(node, exp.Count):
            return counted(operand, name, distinct=distinct)
        return (extreme if isinstance(node, exp.Min | exp.Max) else summed)(function, operand, name)

    def _kept(self, operand: Operand) -> Operand:
        """A value that goes beyond WHERE: for joins and groups, MySQL may copy it to a table of its own."""
        return copied(operand) if self._copies else operand

    # Groups

    def _with_groups(self, statement: sa.Select[Any], tree: exp.Select) -> sa.Select[Any]:
        if group := tree.args.get("group"):
            check_arguments(group, "expressions")
            self._grouped = [self._group_key(node) for node in group.expressions]
            statement = statement.group_by(*(operand.place for operand in self._grouped))
        elif self._aggregated:
            self._grouped = []
        for output in self._outputs:
            self._check_grouped(output.operand)
        if having := tree.args.get("having"):
            if self._grouped is None:
                raise NotSupported("HAVING without GROUP BY or an aggregate in the SELECT list")
            check_arguments(having, "this")
            conditions = Conditions(self._group_operand, self._values)
            statement = statement.having(conditions.condition(having.this))
        if tree.args.get("distinct"):
            check_arguments(tree.args["distinct"])
            for output in self._outputs:
                check_groupable(output.operand, "DISTINCT")
            statement = statement.distinct()
        return statement

    def _group_key(self, node: exp.Expression) -> Operand:
        if not isinstance(node, exp.Column):
            raise NotSupported(f"GROUP BY {construct(node)}, not a column,")
        named = None if node.args.get("table") or self._sources.found(identifier(node.this)) else self._named(node)
        operand = self._kept(self._sources.column(node)) if named is None else named
        if operand.source is None:
            raise NotSupported("GROUP BY an aggregate")
        check_groupable(operand, "GROUP BY")
        return operand

    def _group_operand(self, node: exp.Expression) -> Operand:
        """What an expression of HAVING stands for. MySQL looks for a name in the tables first, then in the result."""
        if isinstance(node, exp.Column) and not node.args.get("table"):
            named = self._named(node)
            if named is not None:
                column = self._sources.column(node) if self._sources.found(identifier(node.this)) else named
                if (column.source, column.of) != (named.source, named.of):
                    raise NotSupported(
                        f"HAVING with {identifier(node.this)!r}, the name of a column and of another in the result,"
                    )
                self._check_grouped(named)
                return grouped(named)
        operand = self._operand(node, construct(node))
        self._check_grouped(operand)
        return grouped(operand)

    def _check_grouped(self, operand: Operand) -> None:
        """As MySQL's ONLY_FULL_GROUP_BY: a column is one of the groups', or follows from a key that is."""
        if self._grouped is None or operand.source is None:
            return
        keys = {key.of for key in self._grouped if key.source == operand.source}
        if operand.of not in keys and not keys.issuperset(self._sources.key_of(operand.source)):
            raise NotSupported(f"column {operand.of!r} beside an aggregate or GROUP BY, which does not name it,")

    # The order

    def _with_order(self, statement: sa.Select[Any], tree: exp.Select) -> sa.Select[Any]:
        order = tree.args.get("order")
        if not order:
            return statement
        check_arguments(order, "expressions")
        if self._grouped == []:
            raise NotSupported("ORDER BY of a single row of aggregates")
        distinct = bool(tree.args.get("distinct"))
        return statement.order_by(*(self._ordered(one, distinct=distinct) for one in order.expressions))

    def _ordered(self, node: exp.Expression, *, distinct: bool) -> Any:
        descending = bool(node.args.get("desc"))
        if not isinstance(node, exp.Ordered) or not isinstance(node.this, (exp.Column, *_AGGREGATES)):
            raise NotSupported("ORDER BY anything but columns and aggregates")
        check_arguments(node, "this", "desc", "nulls_first")
        if bool(node.args.get("nulls_first")) == descending:
            raise NotSupported("NULLS FIRST or NULLS LAST", "is not MySQL's")
        named = self._named(node.this) if isinstance(node.this, exp.Column) else None
        if named is None and self._grouped is None and not isinstance(node.this, exp.Column):
            raise NotSupported("ORDER BY an aggregate without GROUP BY")
        operand = named or self._operand(node.this, construct(node.this))
        self._check_grouped(operand)
        check_sortable(operand)
        if distinct and not any(output.operand.place is operand.place for output in self._outputs):
            known = {(output.operand.source, output.operand.of) for output in self._outputs if output.operand.plain}
            if (operand.source, operand.of) not in known:
                raise NotSupported("ORDER BY of a DISTINCT result on what is not in it")
        return operand.place.desc() if descending else operand.place.asc()

    def _named(self, node: exp.Column) -> Operand | None:
        """What goes by an unqualified name in the result: an alias, or a column under its own name."""
        if node.args.get("table"):
            return None
        name = identifier(node.this).lower()
        found = [output.operand for output in self._outputs if output.name.lower() == name]
        if not found:
            return None
        if any(operand.source is None for operand in found) and len(found) > 1:
            raise SchemaError("the name stands for several columns of the result", column=identifier(node.this))
        if len({(operand.source, operand.of, operand.plain) for operand in found}) > 1:
            raise SchemaError("the name stands for several columns of the result", column=identifier(node.this))
        return found[0]

    # The limit

    def _limited(self, statement: sa.Select[Any], tree: exp.Select) -> sa.Select[Any]:
        limit, offset = tree.args.get("limit"), tree.args.get("offset")
        if limit is None:
            if offset is not None:
                raise NotSupported("OFFSET without LIMIT", "is not MySQL's")
            return statement
        if not isinstance(limit, exp.Limit):
            raise NotSupported("FETCH", "is not MySQL's: write LIMIT")
        statement = statement.limit(self._number(limit))
        return statement if offset is None else statement.offset(self._number(offset))

    def _number(self, node: exp.Expression) -> int:
        check_arguments(node, "expression")
        number = value_of(node.args["expression"], self._values)
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise NotSupported("LIMIT or OFFSET with anything but a whole number")
        return min(number, _INT64_MAX)
