"""Rows of both stores become rows of the application, many at a time as each by itself."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from bson.decimal128 import Decimal128
from bson.int64 import Int64

from platform_store import ColumnAttribute, Diverged, Platform
from platform_store.selection import Selection, select

COLUMNS = [
    ColumnAttribute("id", "INT"),
    ColumnAttribute("name", "VARCHAR(20)"),
    ColumnAttribute("number", "INT"),
    ColumnAttribute("note", "TEXT"),
    ColumnAttribute("doc", "JSON"),
    ColumnAttribute("price", "DECIMAL(6,2)"),
    ColumnAttribute("at", "DATETIME"),
]
KEYS = [(1,), (2,), (3,)]
VALUES = [(1, "one", 10), (2, None, None), (3, "three", 30)]


def documents() -> list[dict[str, Any]]:
    return [
        {
            "_id": 1,
            "note": "text",
            "doc": {"a": [Int64(7), {"b": None}], "c": 1.5},
            "price": Decimal128("12.30"),
            "at": datetime.datetime(2024, 5, 6, 7, 8, 9),
            "_rev": 8,
            "more": Decimal128("1.0"),
        },
        {},
        {"_id": 3, "doc": {"_json": "null"}, "_rev": 9},
    ]


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with Platform.embedded(tmp_path / "pair.db") as opened:
        opened.create_table("item", COLUMNS, flag=2, extra=True)
        yield opened


def selection(platform: Platform, *columns: str) -> Selection:
    return select(platform._catalog.get("item"), columns or None)


@pytest.mark.parametrize(
    "columns",
    [(), ("id",), ("note",), ("doc", "name"), ("price", "at", "id"), ("name", "more"), ("note", "note"), ("more",)],
)
def test_many_are_merged_as_each_is(platform: Platform, columns: tuple[str, ...]) -> None:
    wanted = selection(platform, *columns)
    values = [row[: len(wanted.mysql)] for row in VALUES]
    if columns == ("note",):
        assert [column.name for column in wanted.mysql] == ["id"]
    expected = [wanted.merge(row, document, key) for row, document, key in zip(values, documents(), KEYS, strict=True)]
    merged = wanted.merge_many(values, documents(), KEYS)
    assert merged == expected
    assert [list(row) for row in merged] == [list(row) for row in expected]  # the order of columns, too


def test_what_is_merged_has_pythons_own_types(platform: Platform) -> None:
    first, second, third = selection(platform).merge_many(VALUES, documents(), KEYS)
    assert first["doc"] == {"a": [7, {"b": None}], "c": 1.5}
    assert type(first["doc"]["a"][0]) is int
    assert first["price"] == Decimal("12.30")
    assert first["more"] == Decimal("1.0")
    assert second == {"id": 2, **dict.fromkeys(["name", "number", "note", "doc", "price", "at"])}
    assert third["doc"] == "null"  # JSON's, which is no None


def test_none_are_merged(platform: Platform) -> None:
    assert selection(platform).merge_many([], [], []) == []


@pytest.mark.parametrize(("column", "value"), [("note", 5), ("doc", {"a": b"bytes"}), ("price", "12.30")])
def test_a_foreign_value_is_named_by_column_and_key(platform: Platform, column: str, value: object) -> None:
    found = documents()
    found[2][column] = value
    with pytest.raises(Diverged) as caught:
        selection(platform).merge_many(VALUES, found, KEYS)
    assert (caught.value.table, caught.value.key) == ("item", 3)
    assert repr(column) in str(caught.value)
