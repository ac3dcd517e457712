"""Random FROM clauses: tables, derived tables, common table expressions, JSON_TABLE, LATERAL, and their joins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tests.fuzz import jsons
from tests.fuzz.nodes import Node, node
from tests.fuzz.predicates import joining
from tests.fuzz.scope import (
    Context,
    Field,
    Scope,
    Source,
    candidates,
    field_of,
    reference,
)

TABLE = "table"
"""Marks the name of a logical table."""
ALIASES = ("t", "c", "o", "x", "a", "b", "id", "n", "order", "客", "T1", "v", "doc")


@dataclass(frozen=True)
class Query:
    """A SELECT and what it gives. ``unique``: names of fields that tell its rows apart, where they are known."""

    tree: Node
    fields: tuple[Field, ...]
    unique: tuple[str, ...] | None = None
    ordered: bool = False


Derive = Callable[[Context, tuple[Source, ...]], Query]
"""Makes a SELECT for FROM, whose columns have names; it may look at the sources given."""


@dataclass
class From:
    """A FROM clause under construction."""

    context: Context
    outer: tuple[Source, ...]
    derive: Derive
    parts: list[Node] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)

    def build(self, count: int) -> tuple[Node, Scope]:
        first, _ = self._table_reference()
        self.sources.append(first[1])
        tree = node("", " FROM ", first[0])
        for left in range(count - 2, -1, -1):
            tree = node("", tree, self._joined(last=left == 0))
        return tree, Scope(tuple(self.sources), self.outer)

    def _joined(self, *, last: bool) -> Node:
        """One more source. After a comma no ON sees what is before it, so it comes last."""
        context = self.context
        comma = ", " if last else " CROSS JOIN "
        (text, source), lateral = self._table_reference(lateral_allowed=True)
        self.sources.append(source)
        if lateral:
            word = context.pick([" JOIN ", comma, " CROSS JOIN ", " LEFT JOIN "])
            on = " ON TRUE" if word.strip() in ("JOIN", "LEFT JOIN") else ""
            return node("", word, text, on, optional=True)
        if using := self._shared_names():
            choice = context.chance.random()
            if choice < 0.06:
                return node("", context.pick([" NATURAL JOIN ", " NATURAL LEFT JOIN "]), text, optional=True)
            if choice < 0.2:
                name = context.name(context.pick(using))
                word = context.pick([" JOIN ", " LEFT JOIN ", " INNER JOIN ", " RIGHT JOIN "])
                return node("", word, text, f" USING ({name})", optional=True)
        word = context.pick(
            [" JOIN ", " JOIN ", " INNER JOIN ", " LEFT JOIN ", " LEFT JOIN ", " LEFT OUTER JOIN ", " RIGHT JOIN "]
        )
        if len(self.sources) == 2 and context.odds(0.08):
            return node("", context.pick([comma, " CROSS JOIN "]), text, optional=True)
        if word != " RIGHT JOIN " and context.odds(0.04):
            word = " STRAIGHT_JOIN "
        scope = Scope(tuple(self.sources), self.outer)
        return node("", word, text, context.word(" ON "), joining(context, scope), optional=True)

    def _shared_names(self) -> list[str]:
        """Columns of the last source that exactly one source before it has, of the same kind."""
        last = self.sources[-1]
        shared = []
        for one in last.fields:
            found = [
                other
                for source in self.sources[:-1]
                for other in source.fields
                if other.name.casefold() == one.name.casefold()
            ]
            if len(found) == 1 and (found[0].kind, found[0].group) == (one.kind, one.group) and one.kind != "json":
                shared.append(one.name)
        return shared

    def _table_reference(self, *, lateral_allowed: bool = False) -> tuple[tuple[Node, Source], bool]:
        """A source with its text; and whether it looks at those before it."""
        context = self.context
        choice = context.chance.random()
        if lateral_allowed and choice < 0.12:
            before = Scope(tuple(self.sources))
            if candidates(before, lambda one: one.kind == "json") and context.odds(0.7):
                return self._json_table(before), True
            if context.mysql and context.depth < 2:
                return self._derived(tuple(self.sources), "LATERAL "), True
        if context.common and choice < 0.45:
            return self._common(), False
        if context.depth < 2 and choice > 0.85:
            return self._derived((), ""), False
        return self.table(), False

    def _alias(self) -> str:
        taken = {one.alias.casefold() for one in self.sources}
        free = [alias for alias in ALIASES if alias.casefold() not in taken]
        return self.context.pick(free)

    def table(self) -> tuple[Node, Source]:
        context = self.context
        hidden = {one.alias for one in context.common}
        name = context.pick([name for name in context.tables if name not in hidden] or list(context.tables))
        table, columns = context.tables[name]
        taken = {one.alias.casefold() for one in self.sources}
        alias = name if name.casefold() not in taken and context.odds(0.35) else self._alias()
        text = "`" + name.replace("`", "``") + "`" if name != "t" else context.name(name)
        called = context.pick([" ", " AS ", " as "]) + context.name(alias) if alias != name else ""
        fields = tuple(field_of(column, context.server, key=column.name in table.key) for column in columns)
        return node("", Node(TABLE, (text,)), called), Source(alias, fields, table.key)

    def _common(self) -> tuple[Node, Source]:
        context = self.context
        source = context.pick(context.common)
        alias = self._alias()
        text = f"{context.name(source.alias)} {context.name(alias)}"
        return node("", text), replace(source, alias=alias)

    def _derived(self, visible: tuple[Source, ...], word: str) -> tuple[Node, Source]:
        query = self.derive(self.context, visible)
        alias = self._alias()
        tree = node("", word, "(", query.tree, ") ", self.context.pick(["AS ", ""]), self.context.name(alias))
        return tree, Source(alias, query.fields, query.unique)

    def _json_table(self, before: Scope) -> tuple[Node, Source]:
        context = self.context
        source, one = context.pick(candidates(before, lambda one: one.kind == "json"))
        alias = self._alias()
        rows = context.pick(["$.tags[*]", "$[*]", "$", "$.n", "$.a.b[*]"])
        nulls = context.pick(["", "", " NULL ON EMPTY", " NULL ON EMPTY NULL ON ERROR", " DEFAULT '7' ON EMPTY"])
        columns = (
            f"place FOR ORDINALITY, txt VARCHAR(60) PATH '$', num DECIMAL(20,2) PATH '$'{nulls}, "
            f"inner_k {context.pick(['VARCHAR(20)', 'CHAR(5)'])} PATH '$.k'"
        )
        if context.mysql and context.odds(0.3):
            columns += ", NESTED PATH '$.tags[*]' COLUMNS (deep JSON PATH '$')"
        value = reference(context, before, source, one)
        tree = node("", "JSON_TABLE(", value, f", '{rows}' COLUMNS ({columns})) AS ", context.name(alias))
        fields = (
            Field("place", "int", sharp=True),
            Field("txt", "str", jsons.GROUP + " TABLE"),
            Field("num", "dec", sharp=True),
            Field("inner_k", "str", jsons.GROUP + " TABLE"),
        )
        return tree, Source(alias, fields, None if "NESTED" in columns else ("place",))
