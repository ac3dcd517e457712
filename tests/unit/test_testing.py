"""The fixture that applications use in their own tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

APPLICATION_TEST = """
from platform_store import ColumnAttribute

def test_a_customer(platform):
    platform.create_table("customer", [ColumnAttribute("id", "INT"), ColumnAttribute("doc", "JSON")], flag=0)
    platform.write("customer", {"id": 1, "doc": ["茶"]})
    assert platform.read("customer", 1) == {"id": 1, "doc": ["茶"]}

def test_every_test_begins_empty(platform):
    assert platform.tables() == []
"""


def test_an_application_takes_the_fixture(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["platform_store.testing"]\n', "utf-8")
    (tmp_path / "test_application.py").write_text(APPLICATION_TEST, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    done = subprocess.run([*command, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "2 passed" in done.stdout, done.stdout + done.stderr
