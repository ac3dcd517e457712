"""The text of an embedded query: parsed, and what of it names the columns of the result. Pure.

The parser never sees a string literal: those are decoded by MySQL's rules beforehand and stand as placeholders. What it
takes although MySQL does not is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import sqlglot
from sqlglot import exp
from sqlglot.dialects.mysql import MySQL
from sqlglot.errors import ParseError, TokenError

from platform_store.errors import NotSupported
from platform_store.placeholders import segments, string_value

_NOT_MYSQL: Final = {
    re.compile(r"=="): "==",
    re.compile(r"::"): "::",
    re.compile(r",\s*(?:\)|from\b)", re.IGNORECASE): "a comma before nothing",
    re.compile(r"\bnulls\s+(?:first|last)\b", re.IGNORECASE): "NULLS FIRST or NULLS LAST",
    re.compile(r"\b(?:count|sum|avg|min|max)\s+\(", re.IGNORECASE): "a space between a function and its parenthesis",
    re.compile(r"\bname\s*\("): "a quoted name as that of a function",
}
"""What the parser takes although MySQL does not; in the text, ``name`` stands for each quoted name."""
_TOKEN: Final = re.compile(r"(?P<word>[\w$]+)|(?P<mark>[(),])|.", re.DOTALL)
_RESERVED: Final[frozenset[str]] = frozenset(MySQL.Generator.RESERVED_KEYWORDS)
_QUANTIFIERS: Final = ("all", "distinct", "distinctrow")
_PLACEHOLDER: Final = re.compile(r":[pl][0-9]+")
_MAX_NAME: Final = 255  # bytes: MySQL cuts a longer one


def lifted(statement: str, values: dict[str, object]) -> tuple[str, dict[str, object]]:
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


def parsed(text: str) -> exp.Select:
    """The tree of one plain SELECT. Raises NotSupported."""
    code = "".join(segment.text if segment.kind == "code" else "name" for segment in segments(text))
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
    for word in tree.find_all(exp.Identifier):
        if not word.args.get("quoted") and word.name.lower() in _RESERVED and not _after_point(word):
            raise NotSupported(f"the reserved word {word.name.upper()} as a name", "is not MySQL's")
    return tree


def _after_point(name: exp.Identifier) -> bool:
    """Where MySQL takes any word for a name."""
    return isinstance(name.parent, exp.Column) and name.parent.this is name and bool(name.parent.args.get("table"))


def item_texts(statement: str) -> list[str]:
    """What is written for each item of the SELECT list, comments as ``/**/``: MySQL names an expression so."""
    items: list[list[str]] = [[]]
    for mark, text in _select_list(statement):
        if mark == ",":
            items.append([])
        else:
            items[-1].append(text)
    return [re.sub(r"^(?:\s|/\*\*/)+|(?:\s|/\*\*/)+$", "", "".join(item)) for item in items]


def check_name(text: str) -> str:
    """The name that MySQL gives to an expression written so. Raises NotSupported where that is not its text."""
    if "/**/" in text:
        raise NotSupported("an expression with a comment in it and without an alias")
    if _PLACEHOLDER.search(text):
        raise NotSupported("an expression with a parameter in it and without an alias")
    if len(text.encode()) > _MAX_NAME or any(character > "\uffff" for character in text):
        raise NotSupported("an expression so long, or with such characters, without an alias")
    return text


def _select_list(statement: str) -> Iterator[tuple[str, str]]:
    """The tokens between SELECT and FROM, each as (the comma that separates two items or "", its text)."""
    depth, begun, before = 0, False, ""
    for segment in segments(statement):
        if segment.kind != "code":
            if begun:
                yield "", "/**/" if segment.kind == "comment" else segment.text
            before = before if segment.kind == "comment" else segment.kind
            continue
        for match in _TOKEN.finditer(segment.text):
            text = match[0]
            keyword = text.lower() if match["word"] and depth == 0 and before != "." else ""
            depth += (text == "(") - (text == ")")
            if keyword == "from":
                return
            if not begun or (before == "select" and keyword in _QUANTIFIERS):
                begun = begun or keyword == "select"
            else:
                yield "," if match["mark"] == "," and depth == 0 else "", text
            if not text.isspace():
                before = keyword or text[-1]
