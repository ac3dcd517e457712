"""Which rows of a transaction are written part by part, and which batches of a list are checked before their turn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from platform_store import ColumnAttribute, ColumnValue, Platform, ValueRejected
from platform_store.association import Association
from platform_store.rows import new_row, new_rows
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


WHOLE = {"id": 1, "name": "one", "n": 1, "level": 2, "doc": {"b": 1, "a": [1]}, "note": "text", "price": "1.20"}


@pytest.mark.parametrize(
    "rows",
    [
        [WHOLE, {**WHOLE, "id": 2}],
        [WHOLE, {**WHOLE, "id": 2, "name": None, "doc": None}, {**WHOLE, "id": 3, "note": None, "price": None}],
        [{"id": 1}, {"id": 2}],
        [{"id": 1, "level": 3}, {"id": 2, "level": 4}],
        [{"level": 1, "note": "x"}, {"level": 1, "note": "y"}],  # MySQL gives them their keys
        [{"level": 1, "id": None}, {"level": 1, "id": 5}],
        [{"level": 1, "id": 4}, {"level": 1, "id": None}],
        [WHOLE, {"id": 2}],
        [WHOLE, {**WHOLE, "more": 5}],
        [{**WHOLE, "more": 4}, {**WHOLE, "more": 5}],
        [WHOLE, [ColumnValue("id", 2), ColumnValue("doc", 5)]],
        [{"id": True, "doc": 1.5}, {"id": 2**40, "doc": "text"}],
        [WHOLE],
        [],
    ],
)
def test_rows_together_are_what_each_is(tmp_path: Path, rows: list[Any]) -> None:
    with Platform.embedded(tmp_path / "pair.db") as platform:
        item = _item(platform)
        together = new_rows(item, rows)
        assert repr(together) == repr([new_row(item, row) for row in rows])  # the types and the order, too


@pytest.mark.parametrize(
    ("wrong", "column"),
    [
        ({"name": "x" * 21}, "name"),
        ({"name": 5}, "name"),
        ({"doc": {1: 2}}, "doc"),
        ({"doc": [float("nan")]}, "doc"),
        ({"note": "\ud800"}, "note"),
        ({"level": None}, "level"),
        ({"n": 2**31}, "n"),
        ({"id": "2"}, "id"),
        ({"other_id": 1}, "other_id"),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_a_row_that_is_refused_is_named(tmp_path: Path, wrong: dict[str, Any], column: str, place: int) -> None:
    rows = [WHOLE, {**WHOLE, "id": 2}, {**WHOLE, "id": 3}]
    rows[place] = {**rows[place], **wrong}
    with Platform.embedded(tmp_path / "pair.db") as platform:
        item = _item(platform, extra=False)
        with pytest.raises(ValueRejected) as together:
            new_rows(item, rows)
        with pytest.raises(ValueRejected) as alone:
            new_row(item, rows[place])
        assert str(together.value) == str(alone.value)
        assert (together.value.column, together.value.key) == (column, rows[place]["id"])


def _item(platform: Platform, *, extra: bool = True) -> Association:
    columns = [
        ColumnAttribute("id", "BIGINT", auto_increment=True),
        ColumnAttribute("name", "VARCHAR(20)"),
        ColumnAttribute("n", "INT"),
        ColumnAttribute("level", "TINYINT", nullable=False, default=7),
        ColumnAttribute("doc", "JSON"),
        ColumnAttribute("note", "TEXT"),
        ColumnAttribute("price", "DECIMAL(6,2)"),
    ]
    platform.create_table("item", columns, flag=3, extra=extra)
    return platform._catalog.get("item")


def test_a_batch_is_checked_once_before_its_turn(tmp_path: Path) -> None:
    with Platform.embedded(tmp_path / "pair.db") as platform:
        platform.create_table("visit", [ColumnAttribute("id", "INT"), ColumnAttribute("doc", "JSON")], flag=0)
        known = platform._catalog.get("visit")
        batch = _Batch([{"id": 1, "doc": 1}])
        batch.check_ahead(known)
        ahead = batch._checked
        batch.check_ahead(known)
        assert batch._checked is ahead
        platform.add_column("visit", ColumnAttribute("n", "INT"), "mysql")
        changed = platform._catalog.get("visit")
        batch.check_ahead(changed)
        (row,) = batch.checked(changed)
        assert row.mysql == {"id": 1, "n": None}
        assert batch._checked is None


def test_what_is_refused_before_its_turn_is_refused_in_its_turn(tmp_path: Path) -> None:
    with Platform.embedded(tmp_path / "pair.db") as platform:
        item = _item(platform)
        batch = _Batch([WHOLE, {**WHOLE, "n": "many"}])
        batch.check_ahead(item)
        with pytest.raises(ValueRejected, match="'n'"):
            batch.checked(item)
