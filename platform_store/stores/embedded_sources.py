"""The FROM of an embedded query: its tables, how they are joined, and which column a name means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import sqlalchemy as sa
from sqlglot import exp

from platform_store.association import Association, Column
from platform_store.errors import NotSupported, SchemaError
from platform_store.names import REVISION
from platform_store.stores.embedded_compare import check_alike
from platform_store.stores.embedded_conditions import Condition, Conditions, check_arguments, identifier, row_operand
from platform_store.stores.embedded_functions import DocumentFields
from platform_store.stores.embedded_operands import Operand
from platform_store.stores.embedded_staging import Source, Staging
from platform_store.stores.embedded_tables import row_table

_KINDS: Final = {"": ("", "INNER"), "LEFT": ("", "OUTER")}
"""Of the joins that are answered, by side."""


class Sources:
    """The tables of a statement, as far as they are joined."""

    def __init__(self, tables: Mapping[str, Association], values: Mapping[str, object]):
        self._tables, self._values = tables, values
        self._conditions = Conditions(self.operand, values)
        self.fields = DocumentFields()
        self._sources: list[Source] = []
        self._columns: list[tuple[Source, Column]] = []  # what * means; USING makes one column of two
        self._joined: sa.FromClause | None = None

    @property
    def clause(self) -> sa.FromClause:
        assert self._joined is not None, "the FROM is read first"
        return self._joined

    @property
    def associations(self) -> tuple[Association, ...]:
        return tuple(source.association for source in self._sources)

    def read(self, tree: exp.Select) -> None:
        """Takes FROM and JOIN apart."""
        self._staging = Staging(tree, self._values)
        start = tree.args.get("from_")
        if start is None:
            raise NotSupported("a SELECT without FROM")
        check_arguments(start, "this")
        first = self._source(start.this, None)
        self._add(first)
        self._joined = first.table
        for join in tree.args.get("joins") or ():
            self._join(join)

    def condition(self, node: exp.Expression) -> Condition:
        """The condition of an ON or WHERE, among the tables joined so far."""
        return self._conditions.condition(node)

    def operand(self, node: exp.Expression) -> Operand:
        """What an expression of a row stands for."""
        return row_operand(node, self.column, self._values)

    def column(self, node: exp.Column) -> Operand:
        """The column that a name means. Raises SchemaError where there is none, or more than one."""
        check_arguments(node, "this", "table")
        name, qualifier = identifier(node.this), node.args.get("table")
        if qualifier is None:
            return self._unqualified(name)
        source = self._qualified(identifier(qualifier))
        column = source.named(name)
        if column is None:
            raise self._missing(name, source.association.name)
        return source.operand(column)

    def found(self, name: str) -> bool:
        """Whether an unqualified name is that of a column."""
        return any(column.name.lower() == name.lower() for _, column in self._columns)

    def every(self, qualifier: str | None) -> list[Operand]:
        """What ``*`` means, or ``alias.*``."""
        if qualifier is None:
            return [source.operand(column) for source, column in self._columns]
        source = self._qualified(qualifier)
        return [source.operand(column) for column in source.association.columns]

    def key_of(self, number: int) -> Sequence[str]:
        """The names of the key columns of one table."""
        return self._sources[number].association.key_names

    def _qualified(self, alias: str) -> Source:
        for source in self._sources:
            if source.alias == alias:
                return source
        raise SchemaError(f"the query names no table {alias!r}", table=self._sources[0].association.name)

    def _unqualified(self, name: str) -> Operand:
        found = [(source, column) for source, column in self._columns if column.name.lower() == name.lower()]
        if not found:
            raise self._missing(name, self._sources[0].association.name)
        if len(found) > 1:
            raise SchemaError("the name is that of columns of several tables: qualify it", column=name)
        ((source, column),) = found
        return source.operand(column)

    def _missing(self, name: str, table: str) -> Exception:
        if name.lower() == REVISION:
            return NotSupported(f"the hidden column {REVISION!r}")
        return SchemaError("there is no such column", table=table if len(self._sources) == 1 else None, column=name)

    def _source(self, node: exp.Expression, join: exp.Join | None) -> Source:
        if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
            raise NotSupported("FROM anything but a table")
        if node.args.get("db"):
            raise NotSupported("a table name with a database")
        if node.args.get("joins"):
            raise NotSupported("a JOIN inside another")
        check_arguments(node, "this", "alias")
        name = alias = identifier(node.this)
        if name not in self._tables:
            raise SchemaError("there is no such table in association", table=name)
        if given := node.args.get("alias"):
            check_arguments(given, "this")
            alias = identifier(given.this)
        if any(other.alias.lower() == alias.lower() for other in self._sources):
            raise SchemaError(f"the query names two tables {alias!r}", table=name)
        number = len(self._sources)
        table = row_table(self._tables[name]).alias(f"t{number}")
        source = Source(number, alias, self._tables[name], table, self.fields)
        staged = self._staging.staged(source, join)
        return source if staged is None else replace(source, table=staged, copied=True)

    def _add(self, source: Source) -> None:
        self._sources.append(source)
        self._columns += [(source, column) for column in source.association.columns]

    def _join(self, join: exp.Join) -> None:
        method, side, kind = (str(join.args.get(name) or "") for name in ("method", "side", "kind"))
        if method or kind not in _KINDS.get(side, ()):
            raise NotSupported(" ".join(filter(None, (method, side, kind, "JOIN"))))
        check_arguments(join, "this", "side", "kind", "on", "using")
        right = self._source(join.this, join)
        if using := join.args.get("using"):
            condition = self._using(right, [identifier(name) for name in using])
        elif on := join.args.get("on"):
            self._add(right)
            condition = self.condition(on)
        else:
            raise NotSupported("JOIN without ON or USING, or a comma between tables,")
        self._joined = self.clause.join(right.table, condition, isouter=side == "LEFT")

    def _using(self, right: Source, names: Sequence[str]) -> Condition:
        """Equality of the columns of these names, each of which is one column from here on: that of the left side."""
        conditions, common, doubled = [], set(), set()
        for name in names:
            left, column = self._unqualified(name), right.named(name)
            if column is None:
                raise SchemaError("there is no such column, and USING names it", table=right.alias, column=name)
            other = right.operand(column)
            check_alike(left.column, other.column, ranged=False)
            conditions.append(left.place == other.place)
            common.add((left.source, left.of))
            doubled.add(column.name)
        self._add(right)
        shown = [(s, c) for s, c in self._columns if s is not right or c.name not in doubled]
        # A stable sort: MySQL puts the common columns first, in the order of the left side.
        self._columns = sorted(shown, key=lambda one: (one[0].number, one[1].name) not in common)
        return sa.and_(*conditions)
