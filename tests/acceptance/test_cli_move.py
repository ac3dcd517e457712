"""``platform-store move-column``, on the embedded pair and on real servers."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from platform_store import ColumnAttribute, Platform
from platform_store.cli import app

Run = Callable[..., Result]
COLUMNS = [ColumnAttribute("id", "INT"), ColumnAttribute("name", "VARCHAR(40)"), ColumnAttribute("note", "TEXT")]


@pytest.fixture(params=["embedded", pytest.param("servers", marks=pytest.mark.real)])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a command on stores where a table ``card`` has ten rows."""
    if request.param == "embedded":
        file = str(tmp_path_factory.mktemp("pair") / "crm.db")
        stores, platform = ["--embedded", file], Platform.embedded(file)
    else:
        mysql, mongodb = request.getfixturevalue("mysql_database"), request.getfixturevalue("mongodb_database")
        stores, platform = ["--mysql", mysql, "--mongodb", mongodb], Platform.open(mysql=mysql, mongodb=mongodb)
    with platform:
        platform.create_table("card", COLUMNS, flag=2)
        platform.write_many("card", [{"id": key, "name": f"客户{key}", "note": "茶"} for key in range(10)])

    def invoke(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, [*arguments, *stores])
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return invoke


def test_a_column_moves_and_can_be_taken_back(run: Run) -> None:
    kept = json.loads(run("move-column", "card", "note", "--to", "mongodb", "--keep", "--format", "json").stdout)
    assert (kept["status"], kept["phase"], kept["rows"], kept["rewritten"]) == ("paused", "clean", 10, 10)
    refused = run("move-column", "card", "name", "--to", "mongodb", code=1)
    assert "note is on its way to mongodb" in refused.stderr
    assert json.loads(run("move-column", "card", "--rollback", "--format", "json").stdout)["status"] == "rolled-back"
    shown = run("move-column", "card", "note", "name", "--to", "mongodb", "--batch-rows", "4")
    assert "done" in shown.stdout
    assert "fill: 0 of about 10 rows" in shown.stderr
    described = json.loads(run("describe", "card", "--format", "json").stdout)
    assert {column["name"]: column["placement"] for column in described["columns"]} == {
        "id": "both", "name": "mongodb", "note": "mongodb",
    }  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        ("card",),
        ("card", "note"),
        ("card", "--to", "mysql"),
        ("card", "note", "--to", "sqlite"),
        ("card", "note", "--to", "mysql", "--pause"),
        ("card", "note", "--rollback"),
    ],
)
def test_usage(run: Run, wrong: tuple[str, ...]) -> None:
    run("move-column", *wrong, code=2)


def test_nothing_to_pause(run: Run) -> None:
    assert "no column of it is being moved" in run("move-column", "card", "--pause", code=1).stderr
