"""Every statement of docs/query-embedded.md does what the page says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from platform_store import NotSupported, Platform
from tests.unit.embedded_dialect import ANSWERED, FLAGS, REFUSED, ROWS, TABLES, document

DOCS: Final = Path(__file__).parents[2] / "docs" / "query-embedded.md"


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with Platform.embedded(tmp_path / "dialect.db") as opened:
        for table, columns in TABLES.items():
            opened.create_table(table, columns, FLAGS[table])
            opened.write_many(table, ROWS[table])
        yield opened


@pytest.mark.parametrize("sql", [sql for part in ANSWERED for sql in part.statements])
def test_it_is_answered(platform: Platform, sql: str) -> None:
    assert platform.query(sql).all()


def test_everything_else_is_refused_and_the_page_is_up_to_date(platform: Platform) -> None:
    messages = {}
    for sql in REFUSED:
        with pytest.raises(NotSupported) as caught:
            platform.query(sql).all()
        messages[sql] = str(caught.value)
    if os.environ.get("PLATFORM_STORE_UPDATE_DOCS") == "1":
        DOCS.write_text(document(messages), encoding="utf-8")
    assert DOCS.read_text(encoding="utf-8") == document(messages), "run this test with PLATFORM_STORE_UPDATE_DOCS=1"
