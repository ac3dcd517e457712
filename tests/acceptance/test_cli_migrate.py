"""``migrate`` and ``jobs`` on the command line."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bson import ObjectId
from typer.testing import CliRunner, Result

from platform_store.cli import app
from tests.integration.conftest import Servers, plain
from tests.integration.migrating import documents, fill
from tests.waiting import PATIENCE, wait_until

Run = Callable[..., Result]


@pytest.fixture
def own(mysql_database: str, mongodb_database: str) -> Iterator[Servers]:
    with plain(mysql_database, mongodb_database) as found:
        yield found


@pytest.fixture
def run(own: Servers, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on the two databases; an error is one line."""
    monkeypatch.setenv("PLATFORM_STORE_MYSQL_URL", own.mysql_url)
    monkeypatch.setenv("PLATFORM_STORE_MONGODB_URL", own.mongodb_url)
    monkeypatch.setenv("COLUMNS", "200")

    def invoke(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, list(arguments))
        assert result.exit_code == code, (result.output, result.exception)
        if code == 1:
            assert result.stderr.startswith("error: ")
            assert result.stderr.count("\n") == 1
        return result

    return invoke


def record(result: Result) -> dict[str, Any]:
    (line,) = result.stdout.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_there_and_back(run: Run, own: Servers) -> None:
    fill(own, 30)
    before = own.sql("SELECT * FROM plain")
    done = record(run("migrate", "plain", "--to", "mongodb", "--mode", "move", "--format", "json"))
    assert (done["status"], done["rows"], done["settled"]) == ("done", 30, True)
    assert len(documents(own)) == 30
    done = record(run("migrate", "plain", "--to", "mysql", "--yes", "--format", "json"))
    assert (done["status"], done["rows"], done["settled"]) == ("done", 30, True)
    assert own.sql("SELECT * FROM plain") == before
    listed = [json.loads(line) for line in run("jobs", "--format", "json").stdout.splitlines()]
    assert [(one["kind"], one["status"], one["rows"]) for one in listed] == [
        ("migrate", "done", 30),
        ("migrate", "done", 0),
    ]
    assert "copy mongodb-to-mysql" in run("jobs").stdout
    run("jobs", str(listed[1]["id"]), "--forget")
    assert "no job" in run("jobs", str(listed[1]["id"]), code=1).stderr


def test_a_range_by_the_types_of_the_key(run: Run, own: Servers) -> None:
    own.sql("CREATE TABLE visit (day DATE, n INT, note TEXT, PRIMARY KEY (day, n))")
    own.sql(
        "INSERT INTO visit VALUES ('2024-01-01', 1, 'a'), ('2024-01-01', 2, 'b'), ('2024-01-02', 1, 'c'), "
        "('2024-01-03', 1, 'd')"
    )
    bounds = ("--start", "2024-01-01", "--start", "2", "--stop", "2024-01-02", "--stop", "1")
    run("migrate", "visit", "--to", "mongodb", *bounds, "--no-catch-up")
    assert sorted(one["note"] for one in documents(own, "visit").values()) == ["b", "c"]
    assert "key has 2 columns" in run("migrate", "visit", "--to", "mongodb", "--start", "x", code=1).stderr


def test_the_dry_run_writes_nothing(run: Run, own: Servers) -> None:
    fill(own, 30)
    text = run("migrate", "plain", "--to", "mongodb", "--dry-run").stdout
    assert "_id: id" in text
    assert "30" in text
    assert own.mongodb.list_collection_names(filter={"name": "plain"}) == []
    assert run("jobs", "--format", "json").stdout == ""


def test_the_dry_run_tells_what_would_be_refused(run: Run, own: Servers) -> None:
    own.sql("CREATE TABLE plain (id INT PRIMARY KEY, name VARCHAR(3))")
    own.mongodb["plain"].insert_many([{"_id": 1, "name": "abc"}, {"_id": 2, "name": "abcd"}])
    result = run("migrate", "plain", "--to", "mysql", "--dry-run", code=3)
    assert "key 2, 'name'" in result.stdout
    assert "1 values would be refused" in result.stderr


def test_the_dry_run_shows_the_first_of_many(run: Run, own: Servers) -> None:
    own.sql("CREATE TABLE things (id INT PRIMARY KEY, name VARCHAR(3))")
    own.mongodb["things"].insert_many([{"_id": n, "name": "abcd"} for n in range(100, 140)])
    arguments = ("migrate", "things", "--to", "mysql", "--dry-run")
    all_of_them = record(run(*arguments, "--format", "json", code=3))["exceptions"]
    text = run(*arguments, code=3).stdout
    assert len(all_of_them) > 20
    assert sum(one in text for one in all_of_them) == 20
    assert f"and {len(all_of_them) - 20} more" in text


def test_a_collection_shows_its_table_first(run: Run, own: Servers) -> None:
    collection = own.mongodb["things"]
    collection.insert_many([{"_id": ObjectId(f"{n:024x}"), "n": n, "odd": "text" if n == 7 else n} for n in range(50)])
    plan = record(run("migrate", "things", "--to", "mysql", "--dry-run", "--format", "json"))
    assert plan["rows"] == 50
    assert "things" in plan["target"]
    assert plan["schema"]
    assert own.sql("SHOW TABLES LIKE 'things'") == ()
    assert "--yes" in run("migrate", "things", "--to", "mysql", code=2).stderr
    assert own.sql("SHOW TABLES LIKE 'things'") == ()
    run("migrate", "things", "--to", "mysql", "--yes")
    assert own.sql("SELECT COUNT(*), MAX(n) FROM things") == ((50, 49),)


def test_with_a_schema_file(run: Run, own: Servers, tmp_path: Any) -> None:
    own.mongodb["things"].insert_many([{"_id": n, "name": f"n{n}"} for n in range(5)])
    plan = record(run("migrate", "things", "--to", "mysql", "--dry-run", "--format", "json"))
    file = tmp_path / "things.yaml"
    assert "VARCHAR" in plan["schema"]
    file.write_text(re.sub(r"VARCHAR\(\d+\)", "VARCHAR(77)", plan["schema"]), encoding="utf-8")
    run("migrate", "things", "--to", "mysql", "--schema", str(file), "--yes")
    assert [row[1] for row in own.sql("SHOW COLUMNS FROM things") if row[0] == "name"] == ["varchar(77)"]
    own.mongodb.drop_collection("things")
    run("migrate", "things", "--to", "mongodb")
    assert own.mongodb["things"].find_one({"_id": 3}) == {"_id": 3, "name": "n3"}


def test_what_is_refused(run: Run, own: Servers) -> None:
    fill(own, 3)
    own.mongodb["plain"].insert_one({"_id": 5})
    assert "--replace-target" in run("migrate", "plain", "--to", "mongodb", code=1).stderr
    assert "no such table" in run("migrate", "nothing", "--to", "mongodb", code=1).stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_pauses(run: Run, own: Servers, number: int) -> None:
    fill(own, 2000)
    command = [
        sys.executable, "-c", "from platform_store.cli import main; main()", "migrate", "plain", "--to", "mongodb",
        "--max-rows-per-second", "200", "--batch-rows", "20", "--format", "json",
    ]  # fmt: skip
    with subprocess.Popen(command, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_until(lambda: process.poll() is not None or bool(own.mongodb["plain"].find_one()), "rows have come over")
        process.send_signal(number)
        said, complaint = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert json.loads(said)["status"] == "paused"
    assert b"--resume" in complaint
    assert "--resume" in run("migrate", "plain", "--to", "mongodb", code=1).stderr
    assert record(run("migrate", "plain", "--to", "mongodb", "--resume", "--format", "json"))["settled"]
    assert len(documents(own)) == 2000
