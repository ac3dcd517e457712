"""Which rows of a transaction are written part by part, and which batches of a list are checked before their turn."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from platform_store import ColumnAttribute, ColumnValue, Platform
from platform_store.transaction import _in_key_order
from platform_store.write import _Batch


@pytest.mark.parametrize(
    ("keys", "ordered"),
    [
        ([1, 2, 5], True),
        ([None, None], True),  # MySQL gives them their keys
        ([], True),
        ([1, 3, 2], False),
        ([1, 1], False),
        ([None, 1], False),
        ([1, None], False),
        ([1, "2"], False),
    ],
)
def test_of_one_column(tmp_path: Path, keys: list[Any], ordered: bool) -> None:
    with Platform.embedded(tmp_path / "pair.db") as platform:
        platform.create_table("visit", [ColumnAttribute("id", "INT"), ColumnAttribute("doc", "JSON")], flag=0)
        visit = platform._catalog.get("visit")
        assert _in_key_order(visit, [{"id": key, "doc": 1} for key in keys]) is ordered
        assert not _in_key_order(visit, [[ColumnValue("id", 1)], [ColumnValue("id", 2)]])


def test_keys_of_several_columns_are_sorted_together(tmp_path: Path) -> None:
    with Platform.embedded(tmp_path / "pair.db") as platform:
        columns = [ColumnAttribute("day", "INT"), ColumnAttribute("id", "INT"), ColumnAttribute("doc", "JSON")]
        platform.create_table("visit", columns, flag=1, key=["day", "id"])
        assert not _in_key_order(platform._catalog.get("visit"), [{"day": 1, "id": 1}, {"day": 2, "id": 1}])


def test_a_batch_is_checked_once_before_its_turn(tmp_path: Path) -> None:
    with Platform.embedded(tmp_path / "pair.db") as platform, ThreadPoolExecutor(1) as checker:
        platform.create_table("visit", [ColumnAttribute("id", "INT"), ColumnAttribute("doc", "JSON")], flag=0)
        known = platform._catalog.get("visit")
        batch = _Batch([{"id": 1, "doc": 1}])
        batch.begin(known, checker)
        begun = batch._begun
        batch.begin(known, checker)
        assert batch._begun is begun
        platform.add_column("visit", ColumnAttribute("n", "INT"), "mysql")
        batch.begin(platform._catalog.get("visit"), checker)
        assert batch._begun is not begun
