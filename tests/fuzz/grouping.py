"""Random GROUP BY queries and aggregates."""

from __future__ import annotations

from collections.abc import Sequence

from tests.fuzz.nodes import Node, fixed, node, nothing
from tests.fuzz.scalars import scalar, sharp
from tests.fuzz.scope import (
    CONNECTION,
    Context,
    Field,
    Scope,
    Source,
    candidates,
    drawn_field,
    literal,
    qualified,
    renamed,
)
from tests.fuzz.sources import Query

TOTAL = "total order"
"""Marks the ORDER BY that makes the order of the whole answer the only one possible."""


def order_kind(context: Context) -> str:
    return TOTAL if context.depth == 0 else ""


def grouped(context: Context, scope: Scope, body: Node, top: bool) -> Query:
    """Aggregates, of everything or of groups."""
    keys = _keys(context, scope)
    items: list[tuple[Node, Field]] = [(item, one) for item, one in keys if one.sharp and context.odds(0.75)]
    dependent = None
    with_keys = [source for source in scope.sources if source.keys]
    if with_keys and context.odds(0.2):
        dependent = context.pick(with_keys)
        keys = [(qualified(context, dependent, name), Field("", "", sharp=True)) for name in dependent.keys or ()]
        items = _dependent(context, dependent)
    if not keys:
        items = []
    elif context.server == "mysql" and context.odds(0.03):
        items += _ungrouped(context, scope)
    items += [aggregate(context, scope, top) for _ in range(context.chance.randint(1, 3))]
    frozen = [(fixed(item), one) for item, one in items]
    named = _named(context, frozen, top)
    rollup = bool(keys) and dependent is None and context.odds(0.15)
    tree = node(
        "",
        context.word("SELECT "),
        Node("", tuple(item for item, _ in named), listing=", "),
        body,
        group_by(keys, rollup),
        _having(context, scope, keys),
    )
    order, ordered = ordering_by(context, keys, rollup)
    return Query(node("query", tree, order), tuple(one for _, one in named), None, ordered)


def _keys(context: Context, scope: Scope) -> list[tuple[Node, Field]]:
    """What is grouped by: any column, in the answer only where equal values are the same value."""
    keys = []
    for _ in range(context.pick([0, 1, 1, 1, 2])):
        plain = [(source, one) for source, one in candidates(scope, lambda _: True, local=True) if _groupable(one)]
        if plain and context.odds(0.6):
            source, one = context.pick(plain)
            found = qualified(context, source, one.name), one
        else:
            found = sharp(context, scope, 1)
        if found is not None and _names_something(str(found[0])):
            keys.append(found)
    return keys


def _groupable(one: Field) -> bool:
    return one.kind not in ("json", "point", "flt")


def _names_something(text: str) -> bool:
    """Whether an expression is neither a position nor a constant nor a subquery."""
    stripped = text.lstrip("-('\"")
    return (
        not stripped[:1].isdigit() and "SELECT" not in text and "%" not in text and any(mark in text for mark in ".`(")
    ) or (text.isidentifier() and text.upper() not in ("NULL", "TRUE", "FALSE"))


def _ungrouped(context: Context, scope: Scope) -> list[tuple[Node, Field]]:
    """A column that no group may decide, which MySQL refuses then."""
    found = drawn_field(context, scope, lambda one: one.sharp, local=True)
    return [] if found is None else [found]


def _dependent(context: Context, source: Source) -> list[tuple[Node, Field]]:
    """Columns that a key in GROUP BY decides."""
    chosen = context.chance.sample(source.fields, min(2, len(source.fields)))
    return [(qualified(context, source, one.name), one) for one in chosen]


def _named(context: Context, items: Sequence[tuple[Node, Field]], top: bool) -> list[tuple[Node, Field]]:
    named = []
    for item, one in items:
        if top and context.odds(0.6):
            named.append((item, one))
            continue
        name = context.number("g")
        named.append((node("", item, f" AS {name}"), renamed(one, name)))
    return named


def group_by(keys: Sequence[tuple[Node, Field]], rollup: bool) -> Node:
    if not keys:
        return nothing()
    listed = fixed(Node("", tuple(item for item, _ in keys), listing=", "))
    return node("", " GROUP BY ", listed, " WITH ROLLUP" if rollup else "")


def _having(context: Context, scope: Scope, keys: Sequence[tuple[Node, Field]]) -> Node:
    if not keys or not context.odds(0.3):
        return nothing()
    conditions = [
        node("bool", "COUNT(*)", context.pick([" > 1", " = 1", " >= 2", " < 3"])),
        node("bool", "MAX(", scalar(context, scope, "int", 1), ") > ", literal(context, context.pick([0, 1, 3]), "")),
        node("bool", "SUM(", scalar(context, scope, "dec", 0), ") IS NOT NULL"),
        node("bool", fixed(keys[0][0]), context.pick([" IS NOT NULL", " IS NULL"])),
    ]
    if context.server == "mysql" and context.odds(0.1):  # of what no group may decide: MySQL refuses it then
        conditions = [node("bool", context.predicate(context, scope, 1))]
    return node("", " HAVING ", context.pick(conditions), optional=True)


def ordering_by(context: Context, keys: Sequence[tuple[Node, Field]], rollup: bool) -> tuple[Node, bool]:
    """By the groups' keys, which are all different."""
    if not keys or rollup or not context.odds(0.4):
        return nothing(), False
    parts: list[Node | str] = []
    for item, _ in keys:
        parts += [", ", fixed(item), context.pick(["", " DESC"])]
    limit = context.pick(["", "", " LIMIT 2", " LIMIT 3 OFFSET 1"])
    return Node(order_kind(context), (" ORDER BY ", *parts[1:], limit), optional=not limit), True


def aggregate(context: Context, scope: Scope, top: bool) -> tuple[Node, Field]:
    """One aggregate whose value does not depend on the order of the rows."""
    number = Field("", "int", sharp=True)
    exact = Field("", "dec", sharp=True)
    whole, decimal = scalar(context, scope, "int", 1), scalar(context, scope, "dec", 1)
    value, one = sharp(context, scope, 1)
    any_found = drawn_field(context, scope, lambda other: other.kind != "point")
    anything = any_found[0] if any_found is not None else whole
    condition = context.predicate(context, scope, 1)
    choices: list[tuple[Node, Field]] = [
        (node("", "COUNT(*)"), number),
        (node("", "COUNT(*)"), number),
        (node("", "COUNT(", anything, ")"), number),
        (node("", "SUM(", decimal, ")"), exact),
        (node("", "SUM(", whole, ")"), exact),
        (node("", "AVG(", context.pick([whole, decimal]), ")"), exact),
        (node("", context.pick(["MAX(", "MIN("]), value, ")"), one),
        (node("", context.pick(["MAX(", "MIN("]), value, ")"), one),
        (node("", "SUM(CASE WHEN ", condition, " THEN 1 ELSE 0 END)"), exact),
        (node("", "SUM(", condition, ")"), exact),
        (node("", "BIT_XOR(CAST(MOD(", whole, ", 1000) AS SIGNED))"), number),
        (_concatenated(context, value), Field("", "str", CONNECTION)),
    ]
    if any_found is not None and any_found[1].kind != "json":
        choices.append((node("", "COUNT(DISTINCT ", anything, ")"), number))
    kinds = {"flt"} if top else set()
    if context.server == "mysql":  # MariaDB 10.11 shows a BIT as its digits where it went through no temporary table
        kinds.add("bit")
    typed = drawn_field(context, scope, lambda other: other.kind in kinds, local=True)
    if typed is not None:  # as exactly as the type of the result
        extreme = node("", context.pick(["MAX(", "MIN("]), typed[0], ")")
        choices += 2 * [(extreme, Field("", typed[1].kind, compared="nearly" if typed[1].kind == "flt" else "exact"))]
    if top:
        choices.append((node("", "STDDEV_POP(MOD(", whole, ", 1000))"), Field("", "flt", compared="nearly")))
        listed = anything if any_found is not None and any_found[1].kind not in ("bin", "bit") else whole
        choices.append((node("", "JSON_ARRAYAGG(", listed, ")"), Field("", "json", compared="json-bag")))
    return context.pick(choices)


def _concatenated(context: Context, value: Node) -> Node:
    distinct = context.pick(["", "DISTINCT "])
    direction, separator = context.pick(["", " DESC"]), context.pick(["", " SEPARATOR '|'", " SEPARATOR ''"])
    return node(
        "",
        f"GROUP_CONCAT({distinct}",
        fixed(value),
        " ORDER BY ",
        fixed(_not_position(value)),
        direction,
        separator,
        ")",
    )


def _not_position(value: Node) -> Node:
    """In ORDER BY a number alone is a position."""
    return node("", "(", value, ")") if str(value).lstrip("-").isdigit() else value
