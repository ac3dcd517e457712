"""The text of a query as a tree: rendered into a statement with its parameters, and taken apart to make it smaller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

Style: TypeAlias = Literal["none", "positional", "named"]
"""How a statement's parameters are given; with "none" a ``%`` is literal."""


@dataclass(frozen=True)
class Parameter:
    """A value that is given beside the statement. A list stands right after IN."""

    value: object


@dataclass(frozen=True)
class Node:
    """A piece of a statement.

    ``kind``: one node of a kind may stand where another does ("" stands for itself alone). ``optional``: the statement
    may do without it. ``listing``: the parts are items of a list, of which at least one stays.
    """

    kind: str
    parts: tuple[Part, ...]
    optional: bool = False
    listing: str | None = None

    def __str__(self) -> str:
        return render(self, "none")[0]


Part: TypeAlias = str | Node | Parameter
Parameters: TypeAlias = list[object] | dict[str, object] | None

SIMPLEST: Mapping[str, tuple[str, ...]] = {
    "bool": ("TRUE",),
    "int": ("1", "NULL"),
    "dec": ("1.5",),
    "str": ("'a'", "NULL"),
    "json": ("NULL",),
    "date": ("NULL",),
    "dt": ("NULL",),
}
"""What may stand for a whole expression."""


def node(kind: str, *parts: Part, optional: bool = False) -> Node:
    return Node(kind, parts, optional)


def listing(separator: str, items: list[Node]) -> Node:
    return Node("", tuple(items), listing=separator)


def nothing() -> Node:
    return Node("", ())


def fixed(inner: Node) -> Node:
    """The same text, of which nothing can be taken away: what a deterministic answer depends on."""
    return (
        Node("", tuple(fixed(part) if isinstance(part, Node) else part for part in inner.parts), False, None)
        if (inner.listing is None)
        else Node("", _joined(inner))
    )


def _joined(inner: Node) -> tuple[Part, ...]:
    parts: list[Part] = []
    for part in inner.parts:
        parts += [inner.listing or "", fixed(part) if isinstance(part, Node) else part]
    return tuple(parts[1:])


def render(tree: Node, style: Style) -> tuple[str, Parameters]:
    """The statement and its parameters."""
    values: list[object] = []
    text = _text(tree, style, values)
    if style == "none":
        return text, None
    return text, values if style == "positional" else {f"p{number}": value for number, value in enumerate(values)}


def _text(tree: Node, style: Style, values: list[object]) -> str:
    pieces: list[str] = []
    for part in tree.parts:
        if isinstance(part, Node):
            pieces.append(_text(part, style, values))
        elif isinstance(part, Parameter):
            pieces.append("%s" if style == "positional" else f"%(p{len(values)})s")
            values.append(part.value)
        else:
            pieces.append(part if style == "none" else part.replace("%", "%%"))
    return (tree.listing or "").join(pieces)


def smaller(tree: Node) -> Iterator[Node]:
    """Trees with one piece less, the largest pieces first; the text shrinks, but need not stay valid."""
    candidates = list(_smaller(tree))
    candidates.sort(key=lambda one: len(str_of(one)))
    seen = {str_of(tree)}
    for candidate in candidates:
        text = str_of(candidate)
        if text not in seen and len(text) < len(str_of(tree)):
            seen.add(text)
            yield candidate


def str_of(tree: Node) -> str:
    return _text(tree, "positional", [])


def _smaller(tree: Node) -> Iterator[Node]:
    if tree.optional:
        yield nothing()
    for text in SIMPLEST.get(tree.kind, ()):
        yield Node(tree.kind, (text,))
    if tree.kind:
        yield from (inner for inner in _inside(tree) if inner.kind == tree.kind)
    if tree.listing is not None and len(tree.parts) > 1:
        for position in range(len(tree.parts)):
            yield replace(tree, parts=tree.parts[:position] + tree.parts[position + 1 :])
    for position, part in enumerate(tree.parts):
        if isinstance(part, Node):
            for candidate in _smaller(part):
                yield replace(tree, parts=(*tree.parts[:position], candidate, *tree.parts[position + 1 :]))


def _inside(tree: Node) -> Iterator[Node]:
    for part in tree.parts:
        if isinstance(part, Node):
            yield part
            yield from _inside(part)
