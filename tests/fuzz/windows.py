"""Random window functions, over orders that leave nothing to chance."""

from __future__ import annotations

from tests.fuzz.nodes import Node, fixed, node, nothing
from tests.fuzz.scalars import scalar
from tests.fuzz.scope import Context, Field, Scope, drawn_field


def windowed(context: Context, scope: Scope, total: Node | None) -> tuple[list[tuple[Node, Field]], Node]:
    """One or two window functions, and the WINDOW clause that they may need. ``total``: an order without ties."""
    clause, named = nothing(), None
    if context.odds(0.25):
        named = context.pick(["w", "win", "`order`"])
        clause = node("", f" WINDOW {named} AS (", _partition(context, scope), ")")
    made = []
    for _ in range(context.pick([1, 1, 2])):
        maker = context.pick([_ranked, _summed] if total is None else [_ranked, _summed, _numbered, _shifted, _framed])
        made.append(maker(context, scope, total, named))
    return made, clause


def _partition(context: Context, scope: Scope) -> Node:
    found = drawn_field(context, scope, lambda one: one.kind not in ("json", "point"), local=True)
    if found is None or context.odds(0.4):
        return nothing()
    return node("", "PARTITION BY ", found[0])


def _sorted(context: Context, scope: Scope) -> Node:
    found = drawn_field(context, scope, lambda one: one.kind not in ("json", "point"), local=True)
    if found is None:
        return nothing()
    return node("", " ORDER BY ", found[0], context.pick(["", " DESC"]))


def _over(context: Context, scope: Scope, order: Node | str, named: str | None, frame: str = "") -> Node:
    if named is not None and context.odds(0.7):
        return node("", f" OVER ({named} ", order, frame, ")")
    return node("", context.pick([" OVER (", " over("]), _partition(context, scope), order, frame, ")")


def _total(total: Node | None) -> Node:
    assert total is not None
    return fixed(node("", " ORDER BY ", total))


def _ranked(context: Context, scope: Scope, _total: Node | None, named: str | None) -> tuple[Node, Field]:
    function = context.pick(["RANK()", "DENSE_RANK()", "PERCENT_RANK()", "CUME_DIST()", "COUNT(*)"])
    tree = node("", function, _over(context, scope, _sorted(context, scope), named))
    kind = "flt" if function[0] in "PC" and function != "COUNT(*)" else "int"
    return tree, Field("", kind, sharp=kind == "int")


def _summed(context: Context, scope: Scope, _total: Node | None, named: str | None) -> tuple[Node, Field]:
    kind = context.pick(["int", "int", "dec"])
    function = context.pick(["SUM", "AVG", "MAX", "MIN", "COUNT"])
    value = scalar(context, scope, kind, 1)
    order = _sorted(context, scope) if context.odds(0.5) else nothing()
    return node("", f"{function}(", value, ")", _over(context, scope, order, named)), Field("", "dec", sharp=True)


def _numbered(context: Context, scope: Scope, total: Node | None, named: str | None) -> tuple[Node, Field]:
    function = context.pick(["ROW_NUMBER()", "NTILE(3)", "ROW_NUMBER()"])
    return node("", function, _over(context, scope, _total(total), named)), Field("", "int", sharp=True)


def _shifted(context: Context, scope: Scope, total: Node | None, named: str | None) -> tuple[Node, Field]:
    found = drawn_field(context, scope, lambda one: one.kind not in ("json", "point"), local=True)
    value, one = found if found is not None else (node("", "1"), Field("", "int"))
    before, after = context.pick(
        [
            ("LAG(", ")"),
            ("LAG(", ", 2)"),
            ("LEAD(", ")"),
            ("FIRST_VALUE(", ")"),
            ("LAST_VALUE(", ")"),
            ("NTH_VALUE(", ", 2)"),
        ]
    )
    return node("", before, value, after, _over(context, scope, _total(total), named)), Field("", one.kind, one.group)


def _framed(context: Context, scope: Scope, total: Node | None, named: str | None) -> tuple[Node, Field]:
    frame = context.pick(
        [
            " ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
            " ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
            " ROWS 2 PRECEDING",
            " ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
        ]
    )
    value = scalar(context, scope, context.pick(["int", "dec"]), 1)
    function = context.pick(["SUM", "COUNT", "MIN", "MAX"])
    over = _over(context, scope, _total(total), named, frame)
    return node("", f"{function}(", value, ")", over), Field("", "dec", sharp=True)
