"""Random reports over one table: how many rows of each kind there are, and sums of them."""

from __future__ import annotations

from collections.abc import Sequence

from tests.fuzz.families import YEARS
from tests.fuzz.grouping import group_by, ordering_by
from tests.fuzz.nodes import Node, fixed, node, nothing
from tests.fuzz.predicates import constant_of
from tests.fuzz.scope import Context, Field, Scope, Source, qualified, reference, renamed
from tests.fuzz.sources import From, Query


def report(context: Context, from_: From, *, top: bool) -> Query:
    """Groups of a table by some of its last columns, which are those that are mostly in documents."""
    text, source = from_.table()
    last = source.fields[len(source.keys or ()) :][-context.chance.randint(2, 5) :]
    scope = Scope((source,))
    fields = [one for one in last if _is_plain(one)] or [one for one in source.fields if _is_plain(one)]
    keys = [
        (qualified(context, source, one.name), one)
        for one in context.chance.sample(fields, min(len(fields), context.pick([0, 1, 1, 2])))
    ]
    items = [(item, one) for item, one in keys if one.sharp and context.odds(0.8)]
    items += [_counted(context, scope, source, fields) for _ in range(context.chance.randint(1, 4))]
    named = []
    for item, one in ((fixed(item), one) for item, one in items):
        if top and context.odds(0.5):
            named.append((item, one))
        else:
            name = context.number("r")
            named.append((node("", item, f" AS {name}"), renamed(one, name)))
    rollup = bool(keys) and context.odds(0.15)
    order, ordered = ordering_by(context, keys, rollup)
    where = node("", " WHERE ", _condition(context, scope, source, fields), optional=True)
    having = node("", " HAVING ", _counted(context, scope, source, fields)[0], " IS NOT NULL", optional=True)
    tree = node(
        "query",
        context.word("SELECT "),
        Node("", tuple(item for item, _ in named), listing=", "),
        node("", " FROM ", text),
        where if context.odds(0.4) else nothing(),
        group_by(keys, rollup),
        having if keys and context.odds(0.2) else nothing(),
        order,
    )
    return Query(tree, tuple(one for _, one in named), None, ordered)


def _is_plain(field: Field) -> bool:
    return field.kind not in ("json", "point", "flt")


def _counted(context: Context, scope: Scope, source: Source, fields: Sequence[Field]) -> tuple[Node, Field]:
    number, exact = Field("", "int", sharp=True), Field("", "dec", sharp=True)
    any_field = context.pick(fields)
    anything = reference(context, scope, source, any_field)
    choices: list[tuple[Node, Field]] = [
        (node("", "COUNT(*)"), number),
        (node("", "COUNT(1)"), number),
        (node("", "COUNT(", anything, ")"), number),
        (node("", "COUNT(DISTINCT ", anything, ")"), number),
    ]
    if any_field.sharp and any_field.pool != YEARS.values:  # MIN of a YEAR may come as another type: see docs/query.md
        choices.append((node("", context.pick(["MIN(", "MAX("]), anything, ")"), any_field))
    summed = [one for one in fields if one.kind in ("int", "dec")]
    if summed:
        value = reference(context, scope, source, context.pick(summed))
        choices += [
            (node("", context.word("SUM("), value, ")"), exact),
            (node("", "SUM(", value, ")"), exact),
            (node("", "SUM( ", value, " ) / COUNT(*)"), exact),
            (node("", "ROUND(SUM(", value, ") / COUNT(", value, "), 2)"), exact),
            (node("", "COALESCE(SUM(", value, "), 0) + COUNT(", value, ")"), exact),
        ]
    return context.pick(choices)


def _condition(context: Context, scope: Scope, source: Source, fields: Sequence[Field]) -> Node:
    one = context.pick(fields)
    value = reference(context, scope, source, one)
    constant = constant_of(context, scope, one)
    return context.pick(
        [
            node("bool", value, context.pick([" IS NULL", " IS NOT NULL"])),
            node("bool", value, context.pick([" = ", " <> ", " < ", " >= ", " <=> "]), constant),
            node("bool", value, " IN (", constant, ", ", constant_of(context, scope, one), ")"),
            node("bool", "NOT (", value, " <= ", constant, " OR ", value, " IS NULL)"),
        ]
    )
