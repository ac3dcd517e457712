"""The tables of an embedded query, and which of them are copied for it.

A document column is taken out of its document wherever the statement needs it. Only where it is compared with another
column in a join, SQLite first makes a table of its own of it, which it can search: else it would open each document as
often as there are rows to compare it with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlglot import exp

from platform_store.association import Association, Column
from platform_store.errors import SchemaError
from platform_store.names import REVISION
from platform_store.stores.embedded_conditions import Condition, Conditions, row_operand
from platform_store.stores.embedded_functions import DocumentFields
from platform_store.stores.embedded_operands import Operand
from platform_store.stores.embedded_tables import DOCUMENT, AsBound, column_name
from platform_store.stores.embedded_types import storage_for


@dataclass(frozen=True)
class Source:
    """One table of the statement, under its alias."""

    number: int
    alias: str
    association: Association
    table: sa.FromClause
    fields: DocumentFields
    copied: bool = False  # ``table`` is a copy, with document columns beside the others

    def operand(self, column: Column) -> Operand:
        return Operand(column, self._place(column), storage_for(column.type), self.number, column.name)

    def named(self, name: str) -> Column | None:
        """A column by its name; as in MySQL, the case of a name does not count."""
        columns = self.association.by_name
        if name in columns:
            return columns[name]
        return next((column for own, column in columns.items() if own.lower() == name.lower()), None)

    def _place(self, column: Column) -> sa.ColumnElement[Any]:
        if column.in_mysql or (self.copied and column_name(column.name) in self.table.c):
            return sa.type_coerce(self.table.c[column_name(column.name)], AsBound())
        number = self.fields.number(self.number, self.association, column)
        revision = self.table.c[REVISION]
        document = DOCUMENT.alias(f"d{self.number}")
        image = sa.select(document.c.image).where(document.c.revision == revision).correlate(self.table)
        place = sa.func.platform_field(sa.literal_column(str(number)), revision, image.scalar_subquery())
        return sa.type_coerce(place, AsBound())


class Staging:
    """Which tables of one statement are copied, and what of them: never less than the statement needs."""

    def __init__(self, tree: exp.Select, values: Mapping[str, object]):
        self._values = values
        self._where = tree.args.get("where")
        joins = tree.args.get("joins") or ()
        using = {name.name.lower() for join in joins for name in join.args.get("using") or ()}
        self._linked = using | set(_compared_columns(tree)) if joins else set()
        stars = [star for star in tree.find_all(exp.Star) if not isinstance(star.parent, exp.Count)]
        self._named = None if stars else using | {column.name.lower() for column in tree.find_all(exp.Column)}

    def staged(self, source: Source, join: exp.Join | None) -> sa.FromClause | None:
        """The copy of a table that ``join`` adds (None: the first one). None: its rows are searched as they are."""
        association = source.association
        if not any(column.name.lower() in self._linked for column in association.document_only):
            return None
        chosen = [one for one in association.columns if self._named is None or one.name.lower() in self._named]
        columns = [source.operand(column).place.label(column_name(column.name)) for column in chosen]
        statement = sa.select(*columns, source.table.c[REVISION])
        for condition in self._filters(source, join):
            statement = statement.where(condition)
        return statement.cte(f"s{source.number}").prefix_with("MATERIALIZED").alias(f"t{source.number}")

    def _filters(self, source: Source, join: exp.Join | None) -> Iterator[Condition]:
        """Conditions that every row that matters fulfils. They stay in the statement as well."""

        def column(node: exp.Column) -> Operand:
            found = source.named(node.name)
            if found is None:
                raise SchemaError("there is no such column", table=source.association.name, column=node.name)
            return source.operand(found)

        roots = [] if join is None else [join.args.get("on")]
        if self._where is not None and (join is None or not join.args.get("side")):
            roots.append(self._where.this)
        conditions = Conditions(lambda node: row_operand(node, column, self._values), self._values)
        for root in roots:
            for part in _conjuncts(root):
                if all(name.table == source.alias for name in part.find_all(exp.Column)):
                    yield conditions.condition(part)


def _compared_columns(tree: exp.Select) -> Iterator[str]:
    """The names, in lower case, of columns that are compared with columns."""
    for comparison in tree.find_all(exp.Binary):
        sides = [side.unnest() for side in (comparison.left, comparison.right)]
        if all(isinstance(side, exp.Column) for side in sides):
            yield from (side.name.lower() for side in sides)


def _conjuncts(node: exp.Expression | None) -> Iterator[exp.Expression]:
    if isinstance(node, exp.And):
        yield from _conjuncts(node.this)
        yield from _conjuncts(node.expression)
    elif isinstance(node, exp.Paren):
        yield from _conjuncts(node.this)
    elif node is not None:
        yield node
