"""What the documents say is so: their blocks run and print what they show, and nothing public is left out.

``tests/documents`` says how a page is written.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

import crm_model
import platform_store
from platform_store.cli import app, load_commands
from tests.documents.page import Page, read
from tests.documents.run import Servers, needs_servers, place, run
from tests.documents.shell import ROOT

PAGES = {
    str(path.relative_to(ROOT)): read(path)
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
}
KINDS = {"", "console", "javascript", "json", "mermaid", "py", "python", "sql", "text", "yaml"}
"""``py``: signatures and excerpts in docs/reference, which is generated; they are no programs."""
NOT_RUN = {
    ("docs/benchmarks.md", "$ python -m benchmarks"),
    ("docs/how-to/back-up.md", "$ platform-store hold --"),
    ("docs/how-to/back-up.md", "$ gunzip < mysql.gz"),
    ("docs/how-to/connect.md", "ALTER USER platform IDENTIFIED"),
    ("docs/how-to/move.md", "$ platform-store migrate customer"),
    ("docs/how-to/observe.md", "$ pip install 'platform-store[otel]'"),
    ("docs/tutorial.md", "$ python3 -m venv"),
    ("docs/tutorial.md", "CREATE USER crm IDENTIFIED"),
    ("docs/tutorial.md", 'db.getSiblingDB("admin").createUser({user: "crm", pwd: passwordPrompt(),'),
    ("examples/README.md", "$ make setup $"),
    ("examples/README.md", "$ make web $"),
}
"""The blocks that no test runs, each by its page and its first words. Every one more is one more that may go stale."""


def _pages(*, on_servers: bool) -> list[str]:
    return [name for name, page in PAGES.items() if any(page.run_blocks()) and needs_servers(page) == on_servers]


def _check(page: Page, folder: Path, servers: Servers | None = None) -> None:
    for found in run(page, folder, servers):
        assert found.agrees or found.printed == found.shown, f"{found.name}: run python -m tests.documents on the page"


@pytest.mark.parametrize("name", _pages(on_servers=False))
def test_pages_on_the_embedded_pair(name: str, tmp_path: Path) -> None:
    _check(PAGES[name], tmp_path)


@pytest.mark.parametrize("name", _pages(on_servers=True))
def test_pages_on_real_servers(name: str, mysql_database: str, mongodb_database: str, tmp_path: Path) -> None:
    _check(PAGES[name], tmp_path, Servers(mysql_database, mongodb_database))


def test_what_is_not_run_is_known() -> None:
    found = {
        (name, " ".join(block.text.split()[:4]))
        for name, page in PAGES.items()
        for block in page.blocks
        if block.not_run is not None
    }
    assert found == NOT_RUN


def test_blocks_are_of_a_known_kind() -> None:
    unknown = [
        f"{place(page, block.line)} {block.kind}"
        for page in PAGES.values()
        for block in page.blocks
        if block.kind not in KINDS
        or (block.kind == "" and re.search(r"^(\$ |platform-store |make )", block.text, re.M))
    ]
    assert unknown == []


def test_links_lead_somewhere() -> None:
    anchors = {page.path: page.anchors for page in PAGES.values()}
    missing = []
    for name, page in PAGES.items():
        for link in page.links:
            file, _, anchor = link.partition("#")
            target = (page.path.parent / file).resolve() if file else page.path
            if link.startswith(("http://", "https://")):
                continue
            if not target.exists() or (anchor and anchor not in anchors.get(target, ())):
                missing.append(f"{name}: {link}")
    assert missing == []


def test_files_that_are_named_exist() -> None:
    roots = [ROOT, ROOT / "tests", *ROOT.glob("platform_store/**/")]
    missing = [
        f"{name}: {code}"
        for name, page in PAGES.items()
        for code in page.code
        if re.fullmatch(r"[\w*./-]+(\.(py|md)|/)", code) and code[0] not in "./"
        if code != "docs/benchmarks.md"  # make bench-docs writes it
        if not any(next(root.glob(code), None) for root in [*roots, page.path.parent])
    ]
    assert missing == []


def test_the_architecture_names_every_package() -> None:
    named = set(PAGES["docs/architecture.md"].code)
    packages = {
        path.parent for package in ("platform_store", "crm_model") for path in ROOT.glob(f"{package}/**/__init__.py")
    }
    assert {f"{path.relative_to(ROOT)}/" for path in packages} - named == set()


def test_commands_that_are_named_exist() -> None:
    """Those between backquotes in a line of text, which nothing runs."""
    targets = {*_targets(), "help"}
    commands = _commands()
    wrong = []
    for name, page in PAGES.items():
        for code in page.code:
            program, *words = code.split()
            if program == "make" and words and words[0] not in targets:
                wrong.append(f"{name}: {code}")
            if program == "platform-store" and words and not words[0].startswith("-"):
                known = _options(commands[words[0]]) if words[0] in commands else set()
                wrong += [f"{name}: {code}"] if words[0] not in commands else []
                wrong += [
                    f"{name}: {code}" for word in words if word.startswith("--") and word[2:] and word not in known
                ]
    assert wrong == []


def test_everything_public_is_documented() -> None:
    pages = "\n".join(page.text for name, page in PAGES.items() if name not in ("CHANGELOG.md", "README.zh-CN.md"))
    public = [*platform_store.__all__, *crm_model.__all__]
    public += [f"make {target}" for target in _targets()]
    for name, command in _commands().items():
        public += [f"platform-store {name}", *sorted(_options(command))]
    missing = [name for name in public if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", pages)]
    assert missing == []


def _targets() -> list[str]:
    """Of the Makefile, those that ``make help`` lists, but for itself."""
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.M)
    return [target for target in targets if target != "help"]


def _commands() -> dict[str, TyperCommand]:
    load_commands()
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return {name: one for name, one in group.commands.items() if isinstance(one, TyperCommand)}


def _options(command: TyperCommand) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
