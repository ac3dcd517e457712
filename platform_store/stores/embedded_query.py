"""Queries of the embedded pair: a plain SELECT over one table, or NotSupported naming what is more than that.

The statement is taken apart by a strict walk: a node, or an argument of a node, that is not handled here is refused, so
that nothing is ever answered differently from MySQL. The parser never sees a string literal: those are decoded by
MySQL's rules beforehand and stand as placeholders.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from platform_store.association import Association, Column
from platform_store.errors import NotSupported, SchemaError
from platform_store.names import REVISION
from platform_store.placeholders import bind, segments, string_value
from platform_store.stores.base import Parameters
from platform_store.stores.embedded_compare import check_sortable
from platform_store.stores.embedded_conditions import Conditions, check_arguments, value_of
from platform_store.stores.embedded_tables import physical, row_table
from platform_store.stores.embedded_types import Convert, storage_for

_INT64_MAX: Final = 2**63 - 1
_COUNT: Final = re.compile(r"\bcount\s*\(\s*\*\s*\)", re.IGNORECASE)
_NOT_MYSQL: Final = {
    re.compile(r"=="): "==",
    re.compile(r"::"): "::",
    re.compile(r",\s*(?:\)|from\b)", re.IGNORECASE): "a comma before nothing",
    re.compile(r"\bnulls\s+(?:first|last)\b", re.IGNORECASE): "NULLS FIRST or NULLS LAST",
}
"""What the parser takes although MySQL does not."""
_CLAUSES: Final = {
    "distinct": "DISTINCT",
    "group": "GROUP BY",
    "hint": "an optimizer hint",
    "joins": "JOIN, or more than one table,",
    "locks": "FOR UPDATE or FOR SHARE",
    "operation_modifiers": "a modifier such as SQL_CALC_FOUND_ROWS",
    "with_": "WITH",
}


@dataclass(frozen=True)
class Plan:
    """A SELECT on the file, and how its values become those that MySQL gives."""

    association: Association
    statement: sa.Select[Any]
    names: tuple[str, ...]
    drivers: tuple[Convert | None, ...]  # None: the value as it is


def plan(statement: str, parameters: Parameters | None, tables: Mapping[str, Association]) -> Plan:
    """Takes one SELECT apart. Raises NotSupported, SchemaError, ValueRejected; nothing is run."""
    text, values = _lifted(*bind(statement, parameters))
    try:
        return _Planner(text, values, tables).plan(_parsed(text))
    except RecursionError:
        raise NotSupported("a statement nested so deeply") from None


def _lifted(statement: str, values: dict[str, object]) -> tuple[str, dict[str, object]]:
    """The statement with a placeholder for each string literal, and without comments."""
    pieces: list[str] = []
    values = dict(values)
    for segment in segments(statement):
        if segment.kind == "string":
            if pieces and re.search(r"[\w$'\"`]\Z", pieces[-1]):
                raise NotSupported("a string literal with a prefix, or right after a name,")
            name = f"l{len(values)}"
            values[name] = string_value(segment.text)
            pieces.append(f":{name} ")
        elif segment.kind == "comment":
            if segment.text.startswith(("/*!", "/*+")):
                raise NotSupported(f"a {segment.text[:3]} ... */ comment")
            pieces.append(" ")
        else:
            pieces.append(segment.text)
    return "".join(pieces), values


def _parsed(text: str) -> exp.Select:
    code = _code(text)
    for pattern, name in _NOT_MYSQL.items():
        if pattern.search(code):
            raise NotSupported(name, "is not MySQL's")
    try:
        trees = [tree for tree in sqlglot.parse(text, read="mysql") if tree is not None]
    except (ParseError, TokenError):
        raise NotSupported("the statement", "cannot be parsed") from None
    if len(trees) != 1:
        raise NotSupported(f"{len(trees)} statements in one call")
    (tree,) = trees
    if not isinstance(tree, exp.Select):
        raise NotSupported(tree.key.upper(), "is not a plain SELECT")
    if not re.match(r"\s*(?:select|with)\b", text, re.IGNORECASE):
        raise NotSupported("a statement that does not begin with SELECT")
    return tree


def _code(text: str) -> str:
    """The statement with a plain word for each quoted name."""
    return "".join(segment.text if segment.kind == "code" else "name" for segment in segments(text))


class _Planner:
    """The walk over one SELECT."""

    def __init__(self, text: str, values: dict[str, object], tables: Mapping[str, Association]):
        code = _code(text)
        self._counts = iter(_COUNT.findall(code))
        self._values, self._tables = values, tables

    def plan(self, tree: exp.Select) -> Plan:
        for name, value in tree.args.items():
            if value and name not in ("expressions", "from_", "where", "order", "limit", "offset"):
                raise NotSupported(_CLAUSES.get(name, name.strip("_").upper()))
        self._table(tree.args.get("from_"))
        outputs = [output for item in tree.expressions for output in self._outputs(item)]
        counted = [column for _, column in outputs if column is None]
        if counted and (len(counted) < len(outputs) or tree.args.get("order")):
            raise NotSupported("COUNT(*) together with columns or ORDER BY")
        chosen = [
            sa.func.count() if column is None else physical(self._association, column.name) for _, column in outputs
        ]
        statement = sa.select(*chosen).select_from(row_table(self._association))
        if where := tree.args.get("where"):
            check_arguments(where, "this")
            statement = statement.where(Conditions(self._column, self._values).condition(where.this))
        if order := tree.args.get("order"):
            check_arguments(order, "expressions")
            statement = statement.order_by(*(self._ordered(one, outputs) for one in order.expressions))
        return Plan(
            self._association,
            self._limited(statement, tree),
            tuple(name for name, _ in outputs),
            tuple(None if column is None else storage_for(column.type).driver for _, column in outputs),
        )

    def _table(self, source: exp.Expression | None) -> None:
        if source is None:
            raise NotSupported("a SELECT without FROM")
        check_arguments(source, "this")
        table = source.this
        if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
            raise NotSupported("FROM anything but a table")
        if table.args.get("db"):
            raise NotSupported("a table name with a database")
        check_arguments(table, "this", "alias")
        name = _identifier(table.this)
        if name not in self._tables:
            raise SchemaError("there is no such table in association", table=name)
        self._association = self._tables[name]
        self._alias = name
        if alias := table.args.get("alias"):
            check_arguments(alias, "this")
            self._alias = _identifier(alias.this)

    def _outputs(self, item: exp.Expression) -> Sequence[tuple[str, Column | None]]:
        """(name, column) for each column of the result that an item of the SELECT list stands for; None: COUNT(*)."""
        if isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star)):
            return self._every(item)
        if isinstance(item, exp.Alias):
            check_arguments(item, "this", "alias")
            return [(_identifier(item.args["alias"]), self._output(item.this)[1])]
        return [self._output(item)]

    def _output(self, item: exp.Expression) -> tuple[str, Column | None]:
        if isinstance(item, exp.Count) and isinstance(item.this, exp.Star):
            check_arguments(item, "this", "big_int")
            check_arguments(item.this)
            written = next(self._counts, None)
            if written is None:
                raise NotSupported("COUNT written as a quoted name")
            return written, None
        if not isinstance(item, exp.Column):
            raise NotSupported(f"{item.key.upper()} in the SELECT list")
        return _identifier(item.this), self._column(item)

    def _every(self, item: exp.Expression) -> Sequence[tuple[str, Column | None]]:
        star = item
        if isinstance(item, exp.Column):
            check_arguments(item, "this", "table")
            self._check_qualifier(item)
            star = item.this
        check_arguments(star)
        hidden = self._association.document_only
        if hidden:
            raise NotSupported(
                f"* over the document column {hidden[0].name!r}", "is not supported by the embedded pair"
            )
        return [(column.name, column) for column in self._association.columns]

    def _check_qualifier(self, node: exp.Column) -> None:
        qualifier = node.args.get("table")
        if qualifier is not None and _identifier(qualifier) != self._alias:
            raise SchemaError(f"the query names no table {_identifier(qualifier)!r}", table=self._association.name)

    def _column(self, node: exp.Column) -> Column:
        check_arguments(node, "this", "table")
        self._check_qualifier(node)
        name, association = _identifier(node.this), self._association
        column = _named(name, {column.name: column for column in association.columns})
        if column is None:
            if name.lower() == REVISION:
                raise NotSupported(f"the hidden column {REVISION!r}")
            raise SchemaError("there is no such column", table=association.name, column=name)
        if not column.in_mysql:
            raise NotSupported(f"a query over the document column {column.name!r} of table {association.name!r}")
        return column

    def _ordered(self, node: exp.Expression, outputs: Sequence[tuple[str, Column | None]]) -> Any:
        descending = bool(node.args.get("desc"))
        if not isinstance(node, exp.Ordered) or not isinstance(node.this, exp.Column):
            raise NotSupported("ORDER BY anything but columns")
        check_arguments(node, "this", "desc", "nulls_first")
        if bool(node.args.get("nulls_first")) == descending:
            raise NotSupported("NULLS FIRST or NULLS LAST", "is not MySQL's")
        column = self._aliased(node.this, outputs) or self._column(node.this)
        check_sortable(column)
        place = physical(self._association, column.name)
        return place.desc() if descending else place.asc()

    def _aliased(self, node: exp.Column, outputs: Sequence[tuple[str, Column | None]]) -> Column | None:
        """The column of the result that goes by an unqualified name; MySQL looks there before it looks at the table."""
        if node.args.get("table"):
            return None
        name = _identifier(node.this).lower()
        found = {column.name: column for alias, column in outputs if alias.lower() == name and column is not None}
        if len(found) > 1:
            raise SchemaError("ORDER BY names it, and the result has it twice", column=_identifier(node.this))
        return next(iter(found.values()), None)

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


def _identifier(node: object) -> str:
    if not isinstance(node, exp.Identifier):
        raise NotSupported("a name that is not an identifier")
    check_arguments(node, "this", "quoted")
    return str(node.this)


def _named(name: str, columns: Mapping[str, Column]) -> Column | None:
    """A column by its name; as in MySQL, the case of a name does not count."""
    if name in columns:
        return columns[name]
    return next((column for own, column in columns.items() if own.lower() == name.lower()), None)
