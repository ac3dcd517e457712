"""docs/reference/ is what the code says, and the code's docstrings say what a reference has to."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

import pytest
from griffe import Class, Function, Module

from crm_model.entities import MODELS
from tools.reference import configuration, errors, operation
from tools.reference.library import exported
from tools.reference.pages import FOLDER, ROOT, load, pages
from tools.reference.python import descriptions, is_field, members
from tools.reference.text import slug

PACKAGES: Final = ("platform_store", "crm_model")
COLUMNS: Final = {name for model in MODELS for name in model.fields}


@pytest.fixture(scope="module")
def packages() -> dict[str, Module]:
    return {name: load(name) for name in PACKAGES}


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return pages()


@pytest.fixture(scope="module")
def committed() -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in sorted((ROOT / FOLDER).glob("*.md"))}


def test_the_pages_are_as_the_code_is(made: dict[str, str], committed: dict[str, str]) -> None:
    stale = [name for name in {*made, *committed} if made.get(name) != committed.get(name)]
    assert stale == [], "run: make docs"


def test_no_heading_of_a_page_is_there_twice(committed: dict[str, str]) -> None:
    for name, text in committed.items():
        headings = [slug(heading) for heading in re.findall(r"^#+ (.*)$", text, re.M)]
        assert sorted(headings) == sorted(set(headings)), name


def test_no_markup_of_docstrings_is_left(committed: dict[str, str]) -> None:
    for name, text in committed.items():
        text = re.sub(r"```\w*", "", text)
        assert not re.search(r"``|:(?:meth|class|func|data|mod|attr):", text), name


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_described(packages: dict[str, Module], package: str) -> None:
    """A parameter in its own section or between backquotes; one that recurs in the description of the class."""
    platform = exported(packages["platform_store"])["Platform"]
    lacking = [one for found in exported(packages[package]).values() for one in _undescribed(found, platform)]
    assert lacking == []


def _undescribed(found: Class, platform: Class) -> Iterator[str]:
    told = {name for one in (found, *found.mro()) for name in (_quoted(one) | set(descriptions(one)))}
    yield from [f"{found.name}: no docstring"] * (found.docstring is None)
    for one in members(found):
        if is_field(one):
            if one.annotation is not None and one.docstring is None and one.name not in told | COLUMNS:
                yield f"{found.name}.{one.name}"
        elif one.docstring is None:
            yield f"{found.name}.{one.name}: no docstring"
        elif isinstance(one, Function):
            known = told | _quoted(one) | set(descriptions(one)) | _inherited(one, found, platform) | {"self", "cls"}
            known |= _quoted(one.parent) | (COLUMNS if found.name == "Crm" else set())  # as the docstring of Crm says
            names = [name.name for name in one.parameters if not (found.name == "Crm" and name.name.endswith("_id"))]
            yield from (f"{found.name}.{one.name}: {name}" for name in names if name not in known)


def _quoted(found: Class | Function | Module | None) -> set[str]:
    text = found.docstring.value if found is not None and found.docstring is not None else ""
    return set(re.findall(r"``(\w+)", text))


def _inherited(found: Function, owner: Class, platform: Class) -> set[str]:
    """Parameters of the method that its docstring refers to: ``As :meth:`Platform.write```."""
    referred = re.search(r"[Aa]s :meth:`(?:\w+\.)*(\w+)`", found.docstring.value if found.docstring else "")
    if referred is None:
        return set()
    return {
        parameter.name
        for other in (owner, platform)
        for one in members(other)
        if isinstance(one, Function) and one.name == referred[1] and one is not found
        for parameter in one.parameters
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_every_error_says_when_and_what_to_do(packages: dict[str, Module], package: str) -> None:
    found = errors.of(packages[package])
    declared = {name for name, one in packages[package]["errors"].classes.items() if not one.is_alias}
    assert set(found) == declared, "an error that is not exported"
    for name, one in found.items():
        assert errors.advice(one), f"{name}: its docstring says nothing after 'What to do:'"
        assert _carried(package, name) == set(descriptions(one)), name


def _carried(package: str, name: str) -> set[str]:
    """What a class's own methods assign to ``self``."""
    tree = ast.parse((ROOT / package / "errors.py").read_text("utf-8"))
    (found,) = (one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == name)
    stored = (node for node in ast.walk(found) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store))
    return {node.attr for node in stored}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_error_is_raised_somewhere_or_is_a_base(packages: dict[str, Module], package: str) -> None:
    made = set()
    for path in (ROOT / package).rglob("*.py"):
        calls = (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))
        made |= {call.func.id for call in calls if isinstance(call.func, ast.Name)}
    found = errors.of(packages[package])
    bases = {str(base) for one in found.values() for base in one.bases}
    assert set(found) - made - bases == set()


def test_every_setting_is_described() -> None:
    assert list(configuration.undescribed(ROOT)) == []


def test_every_message_of_the_log_is_explained() -> None:
    assert {one.text for one in operation.messages(ROOT)} == set(operation.MEANINGS)
