"""Runs a page, and compares what it shows with what is printed."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bson import json_util
from pymongo import MongoClient
from sqlalchemy.engine import make_url

from platform_store import Config
from tests.documents.commands import ready
from tests.documents.interpreter import Interpreter
from tests.documents.page import Block, Page
from tests.documents.shell import ROOT, Shell, commands
from tests.servers.databases import sql_connection

MYSQL = "mysql://crm:password@127.0.0.1/crm"
MONGODB = "mongodb://127.0.0.1/crm?replicaSet=rs0"
WIDTH = 118


@dataclass(frozen=True)
class Servers:
    """URLs of two databases that are the page's alone, in place of those that it is written with."""

    mysql: str
    mongodb: str

    def into(self, text: str) -> str:
        """The text with these databases."""
        return text.replace(MYSQL, self.mysql).replace(MONGODB, self.mongodb)

    def out_of(self, text: str) -> str:
        """The text with the databases of the documents."""
        sql, documents = make_url(self.mysql), make_url(self.mongodb)
        for real, shown in (
            (f"{sql.username}@{sql.host}:{sql.port}", "crm@127.0.0.1:3306"),
            (f"{sql.host}:{sql.port}", "127.0.0.1:3306"),
            (f"{documents.host}:{documents.port}", "127.0.0.1"),
            (str(sql.database), "crm"),
            (str(documents.database), "crm"),
        ):
            text = text.replace(real, shown)
        return text


@dataclass(frozen=True)
class Shown:
    """What a page shows of one command or block, and what that printed."""

    name: str
    line: int
    shown: list[str]
    printed: list[str]

    @property
    def agrees(self) -> bool:
        """Whether they are the same, but for what ``...`` stands for, and the widths of tables."""
        return _agree(_even(self.shown), _even(self.printed))


def needs_servers(page: Page) -> bool:
    """Whether a page works on real servers, or its blocks on the embedded pair alone."""
    return page.servers_configured or any(
        block.kind in ("sql", "javascript") or MYSQL in block.text or MONGODB in block.text
        for block in page.run_blocks()
    )


def run(page: Page, folder: Path, servers: Servers | None = None) -> Iterator[Shown]:
    """Runs a page in an empty folder, and yields what it shows with what was printed instead."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PLATFORM_STORE_")},
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": str(WIDTH),
        "PYTHONUTF8": "1",
    }
    if page.servers_configured and servers is not None:
        (folder / "config").mkdir()
        Config.from_urls(mysql=servers.mysql, mongodb=servers.mongodb).save(folder / "config" / "platform.yaml")
    with ExitStack() as stack:
        if any(block.kind == "console" for block in page.run_blocks()):
            scripts = stack.enter_context(ready(environment))
            environment["PATH"] = f"{scripts}{os.pathsep}{environment['PATH']}"
        shell = Shell(folder, environment)
        interpreter: Interpreter | None = None
        for block in page.blocks:
            if block.file is not None:
                (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
                (folder / block.file).write_text(block.text, "utf-8")
            elif block.not_run is not None:
                continue
            elif block.kind == "python":
                if interpreter is None:
                    interpreter = stack.enter_context(Interpreter(folder, environment))
                yield from _python(page, block, interpreter, servers)
            elif block.kind == "console":
                yield from _console(page, block, shell, servers)
            elif block.kind in ("sql", "javascript"):
                assert servers is not None
                (_sql if block.kind == "sql" else _insert_many)(servers, block.text)


def place(page: Page, line: int) -> str:
    """Where something stands, as an editor opens it."""
    name = page.path.relative_to(ROOT) if page.path.is_relative_to(ROOT) else page.path
    return f"{name}:{line}"


def _python(page: Page, block: Block, interpreter: Interpreter, servers: Servers | None) -> Iterator[Shown]:
    code = "\n" * (block.line - 1) + block.text  # so that a traceback names the page's own line
    name = place(page, block.line)
    printed = interpreter.run(servers.into(code) if servers else code, name.rpartition(":")[0])
    if block.prints is not None:
        said = servers.out_of(printed) if servers else printed
        yield Shown(name, block.prints.line, block.prints.text.splitlines(), _lines(said))


def _console(page: Page, block: Block, shell: Shell, servers: Servers | None) -> Iterator[Shown]:
    for command in commands(block.text):
        printed = shell.run(servers.into(command.text) if servers else command.text)
        if command.shows:
            line = block.line + command.line
            below = line + 1 + command.text.count("\n")
            yield Shown(
                place(page, line), below, command.shows, _lines(servers.out_of(printed) if servers else printed)
            )


def _sql(servers: Servers, text: str) -> None:
    with sql_connection(servers.mysql) as connection, connection.cursor() as cursor:
        for statement in text.split(";\n"):
            if statement.strip():
                cursor.execute(statement)


def _insert_many(servers: Servers, text: str) -> None:
    with MongoClient[dict[str, object]](servers.mongodb) as client:
        for name, documents in re.findall(r"^db\.(\w+)\.insertMany\((\[.*?\])\)$", text, re.M | re.S):
            client.get_default_database()[name].insert_many(json_util.loads(documents))


def _lines(printed: str) -> list[str]:
    return [line.rstrip() for line in printed.strip("\n").splitlines()]


def _even(lines: list[str]) -> list[str]:
    """The lines without what depends on the width of a column, and without empty ones around them."""
    return "\n".join(re.sub(r" {2,}|─+", " ", line).rstrip() for line in lines).strip("\n").splitlines()


def _agree(shown: list[str], printed: list[str]) -> bool:
    if not shown:
        return not printed
    if shown[0].strip() == "...":
        return any(_agree(shown[1:], printed[skipped:]) for skipped in range(len(printed) + 1))
    pattern = ".*".join(map(re.escape, shown[0].split("...")))
    return bool(printed) and re.fullmatch(pattern, printed[0]) is not None and _agree(shown[1:], printed[1:])
