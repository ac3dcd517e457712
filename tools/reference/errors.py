"""The index of errors: the tree, and of each error when it is raised, what it carries, what to do, and who names it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from griffe import Class, Docstring, DocstringSectionKind, Function, Module

from crm_model import CrmError, InvalidInput, NotFound, NotPermitted, Refused, codes
from tools.reference.library import exported
from tools.reference.python import Reader, members
from tools.reference.text import Anchors, page, table

NAME: Final = "errors.md"
_TO_DO: Final = "What to do: "
CODES: Final[Mapping[type[CrmError], Sequence[codes.Code]]] = {
    CrmError: codes.OTHER,
    NotFound: codes.NOT_FOUND,
    NotPermitted: codes.NOT_PERMITTED,
    Refused: codes.REFUSED,
    InvalidInput: codes.INVALID,
}
"""What each error's code may be."""


def write(library: Module, crm: Module, anchors: Anchors) -> str:
    """The page."""
    errors = {**of(library), **of(crm)}
    for name in errors:
        anchors.errors.add(name)
        anchors.add(NAME, name, name)
    return page(*_blocks(errors, {"platform_store": library, "crm_model": crm}, anchors))


def of(package: Module) -> dict[str, Class]:
    """The errors that a package exports, in the order of their module."""
    found = {name: one for name, one in exported(package).items() if one.module.name == "errors"}
    return dict(sorted(found.items(), key=lambda item: item[1].lineno or 0))


def advice(found: Class) -> str | None:
    """What its docstring says is to be done."""
    for section in found.docstring.parsed if found.docstring else []:
        if section.kind is DocstringSectionKind.text and _TO_DO in section.value:
            return str(section.value.split(_TO_DO)[1])
    return None


def _blocks(errors: Mapping[str, Class], packages: Mapping[str, Module], anchors: Anchors) -> Iterator[str]:
    reader = Reader(anchors)
    raised = {name: sorted(set(_raised_by(packages, name))) for name in errors}
    yield "# Errors"
    yield (
        "Every error of the library and of the CRM is a "
        "[`PlatformStoreError`](#platformstoreerror): one line that names table, column or key, and holds no value of "
        "a row and no password. `except` the class that you can do something about; let the others reach the log."
    )
    yield "\n".join(_tree(errors, "Exception", 0))
    for name, found in errors.items():
        yield from reader.class_(found, name, ())
        yield from (_codes(known) for error, known in CODES.items() if error.__name__ == name)
        if raised[name]:
            links = ", ".join(anchors.link(one, one) for one in raised[name])
            yield f"Named by: {links}."


def _codes(known: Iterable[codes.Code]) -> str:
    rows = [[f"`{one.name}`", one.meaning, ", ".join(f"`{name}`" for name in one.details)] for one in known]
    return table(["code", "meaning", "details"], rows)


def _tree(errors: Mapping[str, Class], base: str, depth: int) -> Iterator[str]:
    for name, found in errors.items():
        if base in [str(one) for one in found.bases]:
            yield f"{'  ' * depth}- [`{name}`](#{name.lower()})"
            yield from _tree(errors, name, depth + 1)


def _raised_by(packages: Mapping[str, Module], error: str) -> Iterator[str]:
    """The public methods whose docstrings say that they raise it."""
    for package in packages.values():
        for owner, found in exported(package).items():
            for method in members(found):
                if isinstance(method, Function) and error in named(method.docstring, {error}):
                    yield f"{owner}.{method.name}"


def named(docstring: Docstring | None, errors: Iterable[str]) -> set[str]:
    """Those of these errors that a docstring says are raised: in a section, or in a sentence that says ``Raises``."""
    found = set()
    for section in docstring.parsed if docstring else []:
        if section.kind is DocstringSectionKind.raises:
            text = " ".join(str(one.annotation) for one in section.value)
        elif section.kind is DocstringSectionKind.text:
            text = section.value.partition("Raises")[2]
        else:
            continue
        words = text.replace("platform_store.", "").replace(";", " ").replace(",", " ").replace(".", " ").split()
        found |= {error for error in errors if error in words}
    return found
