"""``verify`` on the embedded pair, of a file that somebody else has changed."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bson
import pytest

from platform_store import ColumnAttribute, Platform

COLUMNS = [ColumnAttribute("id", "INT"), ColumnAttribute("name", "VARCHAR(9)"), ColumnAttribute("level", "TINYINT")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pair.db"


@pytest.fixture
def platform(path: Path) -> Iterator[Platform]:
    with Platform.embedded(path) as made:
        made.create_table("card", COLUMNS, flag=1)
        made.write_many("card", [{"id": n, "name": "a", "level": n} for n in range(10)])
        yield made


def change(path: Path, statement: str, *parameters: Any) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, parameters)


def identifier(key: Any) -> bytes:
    return bson.encode({"_id": key})


def found(platform: Platform, **options: Any) -> list[tuple[Any, str, tuple[str, ...]]]:
    return [(one.key, one.kind, one.columns) for one in platform.verify("card", **options).differences]


def test_a_document_is_lost(path: Path, platform: Platform) -> None:
    change(path, "DELETE FROM platform_store_document WHERE identifier = ?", identifier(5))
    assert found(platform) == [(5, "missing", ())]
    assert platform.verify("card", repair=True).repaired == 0
    assert platform.verify("card", repair=True, side="mysql").repaired == 1
    assert found(platform) == []
    assert platform.read("card", 5) == {"id": 5, "name": "a", "level": None}


@pytest.mark.parametrize("key", [77, "no key"])
def test_a_document_without_a_row(path: Path, platform: Platform, key: Any) -> None:
    image = bson.encode({"_id": key, "level": 1})
    change(path, "INSERT INTO platform_store_document VALUES (9999, 1, ?, ?)", identifier(key), image)
    assert found(platform) == [(key, "extra", ())]
    assert found(platform, start=3, stop=50) == []
    assert platform.verify("card", repair=True).repaired == 1
    assert found(platform) == []


def test_a_value_that_its_column_refuses(path: Path, platform: Platform) -> None:
    image = bson.encode({"_id": 5, "level": 500})
    change(path, "UPDATE platform_store_document SET image = ? WHERE identifier = ?", image, identifier(5))
    assert found(platform) == [(5, "different", ("level",))]
    assert platform.verify("card", repair=True, side="mysql").repaired == 1
    assert found(platform) == []
