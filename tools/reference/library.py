"""The page of the library: every name that ``platform_store`` exports, and its fixture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, cast

from griffe import Attribute, Class, Function, Module

from tools.reference.python import Reader, final, is_field, members
from tools.reference.text import Anchors, Writer, fenced, page

NAME: Final = "platform_store.md"

_FIRST: Final = ("Platform", "Transaction", "QueryResult", "Config", "JsonText")
_TYPES: Final = {
    "records": ("Key", "Row", "OnConflict", "Placement", "Direction", "MigrationMode", "JobStatus"),
    "stores.base": ("Parameters",),
    "verify.report": ("Side",),
}


def write(package: Module, anchors: Anchors) -> str:
    """The page."""
    return page(*_blocks(package, anchors))


def exported(package: Module) -> dict[str, Class]:
    """The classes that a package exports, as its ``__all__`` has them; errors come with the others."""
    names = [str(name) for name in package.exports or ()]
    everything = {name: final(package.members[name]) for name in names}
    return {name: found for name, found in everything.items() if isinstance(found, Class)}


def _blocks(package: Module, anchors: Anchors) -> Iterator[str]:
    reader = Reader(anchors)
    classes = {name: one for name, one in exported(package).items() if name not in anchors.errors}
    order = [*_FIRST, *sorted((name for name in classes if name not in _FIRST), key=lambda name: _line(classes[name]))]
    writer = Writer(anchors)
    yield "# `platform_store`"
    yield from reader.docstring(package, writer)
    yield "Errors are in [errors.md](errors.md), the keys of a configuration in [configuration.md](configuration.md)."
    yield contents((name, members(classes[name]) if name in _FIRST else ()) for name in order)
    for name in order:
        anchors.add(NAME, name, name)
        for member in members(classes[name]):
            anchors.add(NAME, f"{name}.{member.name}", f"{name}.{member.name}")
        yield from reader.class_(classes[name], name, members(classes[name]))
    yield "## Types in signatures"
    for module, names in _TYPES.items():
        for name in names:
            alias = cast(Attribute, package[f"{module}.{name}"])
            yield fenced(f"{name} = {alias.value}", "py")
            yield from reader.docstring(alias, writer)
    testing = cast(Module, package["testing"])
    anchors.add(NAME, "platform_store.testing", "platform_store.testing")
    yield "## `platform_store.testing`"
    yield from reader.docstring(testing, writer)
    yield from reader.docstring(cast(Function, testing["platform"]), writer)


def _line(found: Class) -> tuple[str, int]:
    return found.module.path, found.lineno or 0


def contents(classes: Iterator[tuple[str, Sequence[Function | Attribute]]]) -> str:
    """Links to the headings of classes and of their methods."""
    lines = []
    for name, methods in classes:
        links = [f"[{one.name}](#{name.lower()}{one.name})" for one in methods if not is_field(one)]
        lines.append(f"- [`{name}`](#{name.lower()})" + (f": {', '.join(links)}" if links else ""))
    return "\n".join(lines)
