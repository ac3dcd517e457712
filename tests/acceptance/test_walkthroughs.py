"""What the walkthroughs of the documents say is what their commands print."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.walkthrough import run, without_times

DOCS = Path(__file__).parents[2] / "docs"

pytestmark = pytest.mark.real


@pytest.mark.parametrize("name", ["adopting.md"])
def test_its_commands_print_what_it_says(name: str, mysql_database: str, mongodb_database: str, tmp_path: Path) -> None:
    document = (DOCS / name).read_text("utf-8")
    assert without_times(run(document, mysql_database, mongodb_database, tmp_path)) == without_times(document)
