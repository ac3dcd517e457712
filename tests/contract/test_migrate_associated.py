"""``migrate`` of a table in association: the placement of its columns changes, and no row is copied past it."""

from __future__ import annotations

import pytest

from platform_store import ColumnAttribute, NotSupported, Platform

COLUMNS = [
    ColumnAttribute("id", "INT"),
    ColumnAttribute("name", "VARCHAR(40)"),
    ColumnAttribute("note", "TEXT"),
    ColumnAttribute("doc", "JSON"),
]
ROWS = [{"id": key, "name": f"客户{key}", "note": "茶" * key, "doc": [key]} for key in range(12)]


@pytest.fixture
def table(platform: Platform) -> str:
    platform.create_table("t", COLUMNS, flag=1)
    platform.write_many("t", ROWS)
    return "t"


def placements(platform: Platform) -> dict[str, str]:
    return {column.name: column.placement for column in platform.describe("t").columns if not column.key}


@pytest.mark.parametrize(
    ("direction", "mode", "wanted"),
    [
        ("mysql-to-mongodb", "copy", {"name": "both", "note": "mongodb", "doc": "mongodb"}),
        ("mongodb-to-mysql", "copy", {"name": "mysql", "note": "both", "doc": "both"}),
        ("mysql-to-mongodb", "move", {"name": "mongodb", "note": "mongodb", "doc": "mongodb"}),
        ("mongodb-to-mysql", "move", {"name": "mysql", "note": "mysql", "doc": "mysql"}),
    ],
)
def test_whole_table(platform: Platform, table: str, direction: str, mode: str, wanted: dict[str, str]) -> None:
    before = placements(platform)
    plan = platform.migrate(table, direction, mode=mode, dry_run=True)  # type: ignore[call-overload]
    assert plan.rows == pytest.approx(len(ROWS), abs=len(ROWS))  # as the store estimates
    assert placements(platform) == before
    done = platform.migrate(table, direction, mode=mode, batch_rows=5)  # type: ignore[call-overload]
    assert (done.status, done.rows, done.settled) == ("done", len(ROWS), True)
    assert placements(platform) == wanted
    assert list(platform.scan(table)) == ROWS
    again = platform.migrate(table, direction, mode=mode)  # type: ignore[call-overload]
    assert (again.status, again.changed) == ("done", 0)
    assert list(platform.scan(table)) == ROWS


def test_a_key_range(platform: Platform, table: str) -> None:
    done = platform.migrate(table, "mysql-to-mongodb", 3, 5)
    assert (done.rows, done.changed) == (3, 3)
    assert list(platform.scan(table)) == ROWS
    with pytest.raises(NotSupported, match="lives in one store"):
        platform.migrate(table, "mysql-to-mongodb", 3, 5, "move")
    assert platform.migrate(table, "mysql-to-mongodb").changed == len(ROWS) - 3  # the others have theirs
