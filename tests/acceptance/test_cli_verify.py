"""``platform-store verify``: its reports, its options and its exit codes."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bson
import pytest
from typer.testing import CliRunner, Result

from platform_store import ColumnAttribute, Platform
from platform_store.cli import app

Run = Callable[..., Result]
COLUMNS = [ColumnAttribute("id", "INT"), ColumnAttribute("name", "VARCHAR(9)"), ColumnAttribute("note", "TEXT")]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs the command on the embedded pair ``crm.db``, which has two tables of ten rows."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    with Platform.embedded("crm.db") as platform:
        for table in ("card", "visit"):
            platform.create_table(table, COLUMNS, flag=1)
            platform.write_many(table, [{"id": n, "name": "a", "note": "b"} for n in range(10)])

    def invoke(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, ["verify", "--embedded", "crm.db", *arguments])
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return invoke


def lose(key: int) -> None:
    with contextlib.closing(sqlite3.connect("crm.db")) as connection, connection:
        statement = "DELETE FROM platform_store_document WHERE identifier = ? AND collection = 1"
        connection.execute(statement, [bson.encode({"_id": key})])


def answers(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_nothing_differs(run: Run) -> None:
    assert next(line.split() for line in run().stdout.splitlines() if "visit" in line)[-1] == "ok"
    assert "card" not in run("visit").stdout
    first, second = answers(run("--format", "json"))
    assert (first["table"], first["rows"], first["ok"], first["differences"]) == ("card", 10, True, [])
    assert second["table"] == "visit"


def test_differences_are_shown_and_mended(run: Run) -> None:
    lose(3)
    lose(4)
    shown = run(code=3).stdout
    assert "card" in shown
    assert "missing" in shown
    assert "!!" in shown
    (answer,) = answers(run("card", "--start", "4", "--format", "json", code=3))
    assert [one["key"] for one in answer["differences"]] == [4]
    found = list(csv.DictReader(io.StringIO(run("card", "--format", "csv", code=3).stdout)))
    assert [(one["table"], one["key"], one["kind"]) for one in found] == [
        ("card", "3", "missing"),
        ("card", "4", "missing"),
    ]
    run("card", "--start", "5", "--stop", "9")
    run("--repair", code=3)
    run("--repair", "--dry-run", "--side", "mysql", code=3)
    few = run("--limit", "1", code=3)
    assert "1 more differences" in few.stderr
    mended = run("--repair", "--side", "mysql")
    assert "a new revision" in mended.stdout
    run()


def test_usage(run: Run) -> None:
    run("--dry-run", code=2)
    run("--start", "3", code=2)
    run("card", "--side", "left", code=2)
    assert "no such table" in run("nothing", code=1).stderr
    assert "key has 1 columns" in run("card", "--start", "3", "--start", "4", code=1).stderr
