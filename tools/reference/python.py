"""Classes and functions as Markdown, read from the source by griffe; nothing is imported for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeGuard

from griffe import (
    Alias,
    Attribute,
    Class,
    DocstringAttribute,
    DocstringParameter,
    DocstringSection,
    DocstringSectionKind,
    Function,
    Object,
    ParameterKind,
)

from tools.reference.text import Anchors, Writer, fenced, table

_WIDTH: Final = 100
_TITLES: Final = {
    DocstringSectionKind.parameters: "Parameters:",
    DocstringSectionKind.attributes: "Carries:",
    DocstringSectionKind.raises: "Raises:",
}


class Reader:
    """Writes the sections of classes. ``errors``: where a class is said to raise what all its methods may."""

    def __init__(self, anchors: Anchors):
        self._anchors = anchors

    def class_(self, found: Class, name: str, members: Iterable[Function | Attribute], level: int = 2) -> Iterator[str]:
        """A class with these members: heading, docstring, fields, methods. ``name``: as users call it."""
        writer = Writer(self._anchors, name)
        yield f"{'#' * level} `{name}`"
        fields = [one for one in members if is_field(one)]
        methods = [one for one in members if not is_field(one)]
        yield from self.docstring(found, writer, but_attributes=bool(fields))
        if fields:
            yield self._fields(found, fields, writer)
        for method in methods:
            yield from self.member(method, name, level + 1)

    def member(self, found: Function | Attribute, owner: str, level: int) -> Iterator[str]:
        """A method or a property."""
        yield f"{'#' * level} `{owner}.{found.name}`"
        if isinstance(found, Function):
            yield fenced(signature(found), "py")
        else:
            yield fenced(f"{found.name}: {found.annotation}", "py")
        yield from self.docstring(found, Writer(self._anchors, owner))

    def docstring(self, found: Object, writer: Writer, *, but_attributes: bool = False) -> Iterator[str]:
        """The sections of a docstring, in their order. ``but_attributes``: they stand in the table of the fields."""
        if found.docstring is None:
            return
        for section in found.docstring.parsed:
            if section.kind is DocstringSectionKind.text:
                yield writer.prose(section.value)
            elif section.kind in _TITLES:
                if but_attributes and section.kind is not DocstringSectionKind.raises:
                    continue
                yield _TITLES[section.kind]
                yield _bullets(_items(section), writer)
            else:
                raise ValueError(f"{found.path}: a section of kind {section.kind.value} has no form in the reference")

    def _fields(self, found: Class, fields: Sequence[Attribute], writer: Writer) -> str:
        described = descriptions(found)
        heads = ["field", "type", *(["default"] if any(one.value for one in fields) else []), "meaning"]
        rows = []
        for one in fields:
            default = [_default(one)] if "default" in heads else []
            meaning = writer.paragraph(described.get(one.name, ""))
            rows.append([f"`{one.name}`", f"`{one.annotation}`", *default, meaning])
        if not any(row[-1] for row in rows):
            heads, rows = heads[:-1], [row[:-1] for row in rows]
        return table(heads, rows)


def _default(found: Attribute) -> str:
    """What a field holds where nothing is said; a factory as what it makes."""
    if found.value is None:
        return ""
    factory = re.fullmatch(r"field\(default_factory=(\w+)\)", str(found.value))
    return "`{}`" if factory and factory[1] == "dict" else f"`{factory[1]}()`" if factory else f"`{found.value}`"


def members(found: Class) -> list[Function | Attribute]:
    """The public members of a class in the order of the source, those of its bases behind them."""
    everything = [*found.members.values(), *found.inherited_members.values()]
    public = [final(one) for one in everything if not one.name.startswith("_")]
    return [one for one in public if isinstance(one, Function | Attribute)]


def final(found: Object | Alias) -> Object:
    """What a name stands for in the end, wherever it is imported from."""
    return found.final_target if isinstance(found, Alias) else found


def descriptions(found: Class | Function) -> dict[str, str]:
    """What the docstring's sections say of each parameter or attribute."""
    wanted = (DocstringSectionKind.parameters, DocstringSectionKind.attributes)
    sections = found.docstring.parsed if found.docstring else []
    return {
        name: one.description
        for section in sections
        if section.kind in wanted
        for one in section.value
        for name in _names(one)
    }


def signature(found: Function) -> str:
    """As it is called: without ``self``, on several lines where it is long."""
    parameters = []
    star = False
    for one in found.parameters:
        if one.name in ("self", "cls"):
            continue
        if one.kind is ParameterKind.keyword_only and not star:
            parameters.append("*")
            star = True
        prefix = {ParameterKind.var_positional: "*", ParameterKind.var_keyword: "**"}.get(one.kind, "")
        text = f"{prefix}{one.name}" + (f": {one.annotation}" if one.annotation is not None else "")
        parameters.append(text + ("" if one.default is None or prefix else f" = {one.default}"))
    end = f") -> {found.returns}" if found.returns is not None else ")"
    line = f"{found.name}({', '.join(parameters)}{end}"
    if len(line) <= _WIDTH:
        return line
    return "\n".join([f"{found.name}(", *(f"    {one}," for one in parameters), end])


def is_field(found: Function | Attribute) -> TypeGuard[Attribute]:
    """Whether it is an attribute, and not what is called or computed."""
    return isinstance(found, Attribute) and "property" not in found.labels


def _items(section: DocstringSection) -> Iterator[tuple[str, str]]:
    for one in section.value:
        if section.kind is DocstringSectionKind.raises:
            yield str(one.annotation), one.description
        else:
            yield ", ".join(f"`{name}`" for name in _names(one)), one.description


def _names(one: DocstringParameter | DocstringAttribute) -> list[str]:
    """Several may share one description; griffe takes the second and the next ones of attributes for a type."""
    text = f"{one.name} {one.annotation}" if one.name.endswith(",") else one.name
    return [name.strip("() ") for name in text.split(",")]


def _bullets(items: Iterable[tuple[str, str]], writer: Writer) -> str:
    return "\n".join(f"- {writer.inline(name)}: {writer.paragraph(text)}" for name, text in items)
