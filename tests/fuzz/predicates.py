"""Random conditions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.fuzz import jsons
from tests.fuzz.nodes import Node, Parameter, node
from tests.fuzz.scalars import CONSTANTS, KINDS, scalar, text_group
from tests.fuzz.scope import Context, Field, Scope, candidates, drawn_field, literal, reference

COMPARISONS: Final = (" = ", " = ", " <> ", " != ", " < ", " <= ", " > ", " >= ", " >= ", " <=> ")
PATTERNS: Final = ("a%", "%a", "%a%", "_", "a_", "%", "", "茶%", "A", "%\\%%", "a ", "%\\_%", "\\", "%'%")
_SUBQUERIES: Final = 2  # inside each other


def predicate(context: Context, scope: Scope, depth: int) -> Node:
    """A condition; mostly one that names a column."""
    if depth > 0 and context.odds(0.4):
        return _combined(context, scope, depth - 1)
    if context.depth < _SUBQUERIES and context.odds(0.15):
        return context.pick(WITH_SUBQUERY)(context, scope)
    return context.pick(SIMPLE)(context, scope)


def _combined(context: Context, scope: Scope, depth: int) -> Node:
    one, other = predicate(context, scope, depth), predicate(context, scope, depth)
    choice = context.chance.random()
    if choice < 0.3:
        return node("bool", "(", one, context.word(" AND "), other, ")")
    if choice < 0.75:
        return node("bool", "(", one, context.pick([" OR ", " OR ", " XOR "]), other, ")")
    if choice < 0.9:
        return node("bool", context.pick(["NOT ", "NOT", "! "]), "(", one, ")")
    return node(
        "bool", "(", one, ") IS ", context.pick(["TRUE", "FALSE", "UNKNOWN", "NOT TRUE", "NOT FALSE", "NOT NULL"])
    )


def comparable(context: Context, scope: Scope) -> tuple[Node, Field]:
    """A column, or an expression of it, with what it may be compared with."""
    found = drawn_field(context, scope, lambda one: one.kind not in ("json", "point"))
    if found is None or context.odds(0.25):
        kind = context.pick(KINDS[:-1])
        group = text_group(context, scope) if kind == "str" else ""
        return scalar(context, scope, kind, 2, group), Field("", kind, group)
    return found


def constant_of(context: Context, scope: Scope, one: Field) -> Node:
    """A constant for a comparison, often one that is in the data."""
    pools = [other.pool for _, other in candidates(scope, lambda other: other.kind == one.kind) if other.pool]
    pool = one.pool or (context.pick(pools) if pools else ())
    kind = "int" if one.kind == "bit" else one.kind
    if pool and context.odds(0.6):
        return literal(context, context.pick(pool[:4]), kind)
    return literal(context, context.pick(pool if pool and context.odds(0.6) else CONSTANTS[kind]), kind)


def _comparison(context: Context, scope: Scope) -> Node:
    value, one = comparable(context, scope)
    operator = context.pick(COMPARISONS)
    if context.odds(0.6):
        return node("bool", value, operator, constant_of(context, scope, one))
    if context.odds(0.15):
        return node("bool", constant_of(context, scope, one), operator, value)
    other = scalar(context, scope, one.kind, 1, one.group)
    if one.kind == "str" and context.odds(0.15):
        collation = context.pick(["utf8mb4_bin", "utf8mb4_general_ci", context.binary])
        other = scalar(context, scope, "str", 1)
        return node("bool", value, operator, other, f" COLLATE {collation}")
    return node("bool", value, operator, other)


def _columns_compared(context: Context, scope: Scope) -> Node:
    """Two columns of one kind; of several sources where there are."""
    value, one = comparable(context, scope)
    found = drawn_field(
        context, scope, lambda other: other.kind == one.kind and other.group == one.group and other is not one
    )
    if found is None:
        return _comparison(context, scope)
    return node("bool", value, context.pick(COMPARISONS), found[0])


def _mixed(context: Context, scope: Scope) -> Node:
    """Values of two kinds, which MySQL converts by its own rules."""
    value, one = comparable(context, scope)
    kind = context.pick(["int", "str", "dec", "flt"])
    if one.kind in ("date", "dt", "time") and kind == "str":
        kind = "int"
    constant = literal(context, context.pick([item for item in CONSTANTS[kind] if item is not None]), kind)
    return node("bool", value, context.pick(COMPARISONS), constant)


def _between(context: Context, scope: Scope) -> Node:
    value, one = comparable(context, scope)
    low, high = constant_of(context, scope, one), constant_of(context, scope, one)
    return node("bool", value, context.pick([" BETWEEN ", " BETWEEN ", " NOT BETWEEN "]), low, " AND ", high)


def _in_list(context: Context, scope: Scope) -> Node:
    value, one = comparable(context, scope)
    operator = context.pick([" IN ", " IN ", " NOT IN "])
    pool = [item for item in one.pool if type(item) is not bool] or [
        item for item in CONSTANTS["int" if one.kind == "bit" else one.kind] if type(item) is not bool
    ]
    items = [context.pick(pool) for _ in range(context.chance.randint(1, 4))]
    if context.style != "none" and context.odds(0.5):
        return node("bool", value, operator, Node("", (Parameter(items),)))
    spelled = [literal(context, item, one.kind) for item in items]
    return node("bool", value, operator, "(", Node("", tuple(spelled), listing=", "), ")")


def _null(context: Context, scope: Scope) -> Node:
    found = drawn_field(context, scope, lambda _: True)
    value = found[0] if found is not None and context.odds(0.85) else comparable(context, scope)[0]
    return node("bool", value, context.pick([" IS NULL", " IS NOT NULL", " <=> NULL"]))


def _like(context: Context, scope: Scope) -> Node:
    found = drawn_field(context, scope, lambda one: one.kind == "str")
    value = found[0] if found is not None and context.odds(0.8) else scalar(context, scope, "str", 1)
    pattern = literal(context, context.pick(PATTERNS), "str")
    if context.odds(0.1):
        return node("bool", value, " LIKE ", literal(context, "a|%%", "str"), " ESCAPE '|'")
    if context.odds(0.1):
        return node(
            "bool", value, context.pick([" REGEXP ", " RLIKE ", " NOT REGEXP "]), context.pick(["'^a'", "'[ab]+'"])
        )
    return node("bool", value, context.pick([" LIKE ", " LIKE ", " NOT LIKE "]), pattern)


def _json(context: Context, scope: Scope) -> Node:
    if not candidates(scope, lambda one: one.kind == "json"):
        return _comparison(context, scope)
    return jsons.condition(context, scope)


def _rows(context: Context, scope: Scope) -> Node:
    """Rows compared as a whole."""
    (one, first), (other, second) = comparable(context, scope), comparable(context, scope)
    constants = [constant_of(context, scope, first), constant_of(context, scope, second)]
    if context.odds(0.5):
        return node("bool", "(", one, ", ", other, ") = (", constants[0], ", ", constants[1], ")")
    more = [constant_of(context, scope, first), constant_of(context, scope, second)]
    pairs = (node("", "(", constants[0], ", ", constants[1], ")"), node("", "(", more[0], ", ", more[1], ")"))
    return node("bool", "(", one, ", ", other, ") IN (", Node("", pairs, listing=", "), ")")


def _bare(context: Context, scope: Scope) -> Node:
    """A number as a condition."""
    found = drawn_field(context, scope, lambda one: one.kind in ("int", "dec"))
    return node("bool", found[0]) if found is not None else _comparison(context, scope)


def _exists(context: Context, scope: Scope) -> Node:
    inner = context.subquery(context, scope, "int", "")
    return node("bool", context.pick(["EXISTS ", "EXISTS", "NOT EXISTS "]), "(", inner, ")")


def _in_subquery(context: Context, scope: Scope) -> Node:
    value, one = comparable(context, scope)
    inner = context.subquery(context, scope, one.kind, one.group)
    return node("bool", value, context.pick([" IN ", " IN ", " NOT IN "]), "(", inner, ")")


def _quantified(context: Context, scope: Scope) -> Node:
    value, one = comparable(context, scope)
    inner = context.subquery(context, scope, one.kind, one.group)
    return node(
        "bool", value, context.pick([" > ", " = ", " <= "]), context.pick(["ANY ", "ALL ", "SOME "]), "(", inner, ")"
    )


def _against_single(context: Context, scope: Scope) -> Node:
    value, one = comparable(context, scope)
    if one.kind in ("bit", "flt"):
        return _comparison(context, scope)
    return node("bool", value, context.pick(COMPARISONS), "(", context.single(context, scope, one.kind, one.group), ")")


SIMPLE: Final[tuple[Callable[[Context, Scope], Node], ...]] = (
    _comparison, _comparison, _comparison, _comparison, _columns_compared, _mixed, _between, _in_list, _in_list, _null,
    _null, _like, _json, _json, _json, _rows, _bare,
)  # fmt: skip
WITH_SUBQUERY: Final = (_exists, _exists, _in_subquery, _in_subquery, _quantified, _against_single)


def joining(context: Context, scope: Scope) -> Node:
    """A condition that ties the last source to those before it, where they have columns of one kind."""
    last, before = scope.sources[-1], Scope(scope.sources[:-1])
    pairs = [
        (mine, source, other)
        for mine in last.fields
        for source, other in candidates(before, lambda _: True)
        if mine.kind == other.kind and mine.group == other.group and mine.kind not in ("json", "point", "bit", "flt")
    ]
    if not pairs or context.odds(0.1):
        return predicate(context, scope, 1)
    mine, source, other = context.pick([pair for pair in pairs if pair[0].kind != "str"] or pairs)
    if context.odds(0.3):
        mine, source, other = context.pick(pairs)
    operator = context.pick([" = ", " = ", " = ", " = ", " <=> ", " <= "])
    tie = node("bool", reference(context, scope, last, mine), operator, reference(context, scope, source, other))
    if context.odds(0.25):
        return node("bool", tie, " AND ", predicate(context, scope, 1))
    return tie
