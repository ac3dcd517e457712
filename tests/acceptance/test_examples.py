"""The demo and the example programs run as a user runs them: on the embedded pair, and on real servers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from platform_store import ColumnAttribute, Platform

ROOT = Path(__file__).parents[2]
DEMO = ("-c", "import crm_model.commands; from platform_store.cli import main; main()", "demo")


@pytest.fixture
def real(mysql_database: str, mongodb_database: str) -> tuple[str, ...]:
    """The options that name real servers."""
    return ("--mysql", mysql_database, "--mongodb", mongodb_database)


def run(*arguments: str, code: int = 0) -> str:
    """Runs a program with an 80-column pipe for a terminal, away from any server of the environment; its output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PLATFORM_STORE_")}
    environment |= {"COLUMNS": "80", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, timeout=240)
    output = done.stdout.decode() + done.stderr.decode()
    assert done.returncode == code, output
    assert "Traceback" not in output
    return output


def check_demo(output: str) -> None:
    for words in (
        "1. The tables",
        "log_visit()",
        "it raised task",
        "customer_360()",
        "undo_merge()",
        "Every step gave",
    ):
        assert words in output
    assert "\x1b" not in output


def check_reviews(output: str) -> None:
    assert "35123 reviews in the package (35123 expected)" in output
    assert "written: 35123 rows" in output
    assert "read back: 35123 rows" in output
    assert "dropped: 35123 rows, 35123 documents" in output


def test_demo_on_the_embedded_pair() -> None:
    output = run(*DEMO)
    check_demo(output)
    assert "an embedded pair, no server" in output
    assert "real servers: give --mysql URL and --mongodb URL" in " ".join(output.split())


def test_demo_on_real_servers(real: tuple[str, ...]) -> None:
    output = run(*DEMO, *real)
    check_demo(output)
    assert "refused: " not in output, "MySQL answers all ten questions"
    with Platform.open(mysql=real[1], mongodb=real[3]) as platform:
        assert platform.tables() == []
        assert next(platform.read_collection("customer"), None) is None


def test_demo_leaves_existing_tables_alone(tmp_path: Path) -> None:
    path = tmp_path / "crm.db"
    with Platform.embedded(path) as platform:
        platform.create_table("customer", [ColumnAttribute("id", "INT"), ColumnAttribute("a", "TEXT")], 0)
        platform.write("customer", {"id": 1, "a": "mine"})
    assert "exist already (customer...)" in run(*DEMO, "--embedded", str(path), code=1)
    with Platform.embedded(path) as platform:
        assert platform.tables() == ["customer"]
        assert platform.read("customer", 1) == {"id": 1, "a": "mine"}


def test_quickstart() -> None:
    output = run("examples/quickstart.py")
    assert "'hobbies': ['茶', '棋']" in output
    assert "refused: table 'customer', column 'vip_level'" in output
    assert "query: [('张伟', 3), ('李娜', 5)]" in output


def test_reviews_on_the_embedded_pair() -> None:
    check_reviews(run("examples/reviews.py"))


def test_reviews_on_real_servers(real: tuple[str, ...]) -> None:
    check_reviews(run("examples/reviews.py", *real))


def test_reviews_can_be_kept(tmp_path: Path) -> None:
    path = str(tmp_path / "reviews.db")
    run("examples/reviews.py", "--embedded", path, "--keep")
    assert "already" in run("examples/reviews.py", "--embedded", path, code=1)
    with Platform.embedded(path) as platform, platform.query("SELECT id FROM feedback WHERE score = 5") as result:
        assert sum(1 for _ in result) == 16_548
