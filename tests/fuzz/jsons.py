"""Random JSON expressions. MariaDB keeps JSON as text and has fewer functions."""

from __future__ import annotations

from typing import Final

from tests.fuzz.nodes import Node, node
from tests.fuzz.scope import Context, Scope, drawn_field, literal

GROUP: Final = "of JSON"
"""The collation of text taken out of JSON."""

PATHS: Final = (
    "$.n", "$.tags", "$.tags[0]", "$.a", "$.a.b", "$.a.b[0]", "$", "$[0]", '$."茶"', "$.t", "$.n.n", "$[1][1]",
    "$.tags[1].k", '$."a.b"', '$.""', "$.k", "$.missing", "$.a.b[0][0].c",
)  # fmt: skip
WILD: Final = ("$.*", "$[*]", "$.tags[*]", "$**.b", "$.tags[*].k", "$.a.*")
MYSQL_PATHS: Final = ("$[last]", "$.tags[last]", "$.tags[0 to 1]")
CONSTANTS: Final = (
    "1",
    '"a"',
    "{}",
    "[]",
    "null",
    '{"n": 1}',
    '[1, "a"]',
    "2",
    '"茶"',
    "true",
    "1.0",
    '["a"]',
    '{"tags": ["a"]}',
)


def path(context: Context, *, wild: bool = False) -> Node:
    """A path as a literal: MySQL's functions take an expression too, the arrows do not."""
    return node("", _quoted(drawn_path(context, wild=wild)))


def drawn_path(context: Context, *, wild: bool = False) -> str:
    if wild and context.odds(0.3):
        return context.pick(WILD)
    if context.mysql and wild and context.odds(0.1):
        return context.pick(MYSQL_PATHS)
    return context.pick(PATHS[:6] if context.odds(0.6) else PATHS)


def _quoted(text: str) -> str:
    return "'" + text + "'"


def column(context: Context, scope: Scope) -> Node:
    """A JSON column, else a constant."""
    found = drawn_field(context, scope, lambda one: one.kind == "json")
    return found[0] if found else constant(context)


def constant(context: Context) -> Node:
    value = literal(context, context.pick(CONSTANTS), "")
    return node("json", "CAST(", value, " AS JSON)") if context.mysql else node("json", value)


def document(context: Context, scope: Scope, depth: int) -> Node:
    """An expression of type JSON."""
    one = column(context, scope)
    given = literal(context, context.pick([1, "a", "茶", None, 2**63]), "")
    choices = [
        node("json", "JSON_EXTRACT(", one, ", ", path(context, wild=True), ")"),
        node("json", "JSON_EXTRACT(", one, ", ", path(context), ", ", path(context), ")"),
        node("json", "JSON_OBJECT('k', ", one, ", 'v', ", given, ")"),
        node("json", "JSON_ARRAY(", given, ", ", one, ")"),
        node("json", "JSON_SET(", one, ", ", path(context), ", ", given, ")"),
        node("json", "JSON_REPLACE(", one, ", ", path(context), ", ", given, ")"),
        node("json", "JSON_MERGE_PATCH(", one, ", ", constant(context), ")"),
        node("json", "JSON_MERGE_PRESERVE(", one, ", ", constant(context), ")"),
        node("json", "JSON_KEYS(", one, ")"),
        node("json", "JSON_REMOVE(", one, ", '$.n')"),
    ]
    if context.mysql:
        found = drawn_field(context, scope, lambda one: one.kind == "json")
        if found is not None:
            choices += [node("json", found[0], " -> ", path(context, wild=True))] * 2
    return context.pick(choices)


def text(context: Context, scope: Scope) -> Node:
    """Text taken out of JSON, of one collation."""
    choices = [
        node("str", "JSON_UNQUOTE(JSON_EXTRACT(", column(context, scope), ", ", path(context), "))"),
    ]
    if context.mysql:
        found = drawn_field(context, scope, lambda one: one.kind == "json")
        if found is not None:
            choices += [node("str", found[0], context.pick([" ->> ", "->>"]), path(context))] * 2
    return context.pick(choices)


def value(context: Context, scope: Scope) -> Node:
    """Text taken out of JSON, of whichever collation."""
    if context.odds(0.5):
        return text(context, scope)
    return node("str", context.word("JSON_VALUE"), "(", column(context, scope), ", ", path(context), ")")


def integer(context: Context, scope: Scope, depth: int) -> Node:
    """A number about JSON."""
    one = column(context, scope) if context.odds(0.7) else document(context, scope, depth)
    choices = [
        node("int", "JSON_LENGTH(", one, ")"),
        node("int", "JSON_DEPTH(", one, ")"),
        node("int", "JSON_VALID(", one, ")"),
        node("int", "JSON_LENGTH(", column(context, scope), ", ", path(context), ")"),
        node("int", "CAST(", text(context, scope), " AS SIGNED)"),
    ]
    if context.mysql:
        returning = "RETURNING SIGNED NULL ON EMPTY NULL ON ERROR"
        choices.append(node("int", "JSON_VALUE(", column(context, scope), ", ", path(context), f" {returning})"))
    return context.pick(choices)


def condition(context: Context, scope: Scope) -> Node:
    """Something true or false about JSON."""
    one = column(context, scope)
    wanted = context.pick(["1", '"a"', '"茶"', "[1]", '{"n": 1}', "true", "null", "2", '["a", "b"]'])
    given = literal(context, wanted, "")
    text_wanted = literal(context, context.pick(["a", "茶", "A", "%", "x", "a%", "1"]), "")
    choices = [
        node("bool", context.word("JSON_CONTAINS"), "(", one, ", ", given, ")"),
        node("bool", "JSON_CONTAINS(", one, ", ", given, ", ", path(context), ")"),
        node("bool", "JSON_CONTAINS_PATH(", one, ", 'one', ", path(context, wild=True), ")"),
        node("bool", "JSON_CONTAINS_PATH(", one, ", 'all', ", path(context), ", ", path(context), ")"),
        node("bool", "JSON_SEARCH(", one, ", 'one', ", text_wanted, ") IS NOT NULL"),
        node(
            "bool", "JSON_SEARCH(", one, ", 'all', ", text_wanted, ", NULL, ", path(context, wild=True), ") IS NOT NULL"
        ),
        node("bool", value(context, scope), context.pick([" = ", " <> ", " > ", " <=> "]), text_wanted),
        node("bool", value(context, scope), " = ", literal(context, context.pick([1, 2, 0]), "")),
        node("bool", value(context, scope), " IN (", text_wanted, ", '1', 'b')"),
        node("bool", value(context, scope), " LIKE ", text_wanted),
        node("bool", value(context, scope), context.pick([" IS NULL", " IS NOT NULL"])),
        node("bool", "JSON_TYPE(", one, ") = ", context.pick(["'OBJECT'", "'ARRAY'", "'INTEGER'", "'NULL'"])),
        node("bool", "JSON_EXTRACT(", one, ", ", path(context), ")", context.pick([" = ", " < "]), given),
        node("bool", "JSON_LENGTH(", one, ") > 1"),
    ]
    if context.mysql:
        member = literal(context, context.pick([1, "a", "茶", 2, "b"]), "")
        choices += [
            node("bool", member, " MEMBER OF (", one, ")"),
            node("bool", member, " MEMBER OF(JSON_EXTRACT(", one, ", ", path(context), "))"),
            node("bool", "JSON_OVERLAPS(", one, ", ", given, ")"),
            node(
                "bool", "JSON_EXTRACT(", one, ", ", path(context), ") = ", literal(context, context.pick([1, "a"]), "")
            ),
            node("bool", "JSON_VALUE(", one, ", ", path(context), " RETURNING DECIMAL(10,2)) > 1"),
        ]
    return context.pick(choices)
