"""Queries of the embedded pair over document columns: always the document of the row's very revision."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from platform_store import ColumnAttribute, Diverged, NotSupported, Platform, SchemaError
from platform_store.config import EmbeddedConfig
from platform_store.stores.base import StaleAssociation
from platform_store.stores.embedded_engine import EmbeddedConnections

COLUMNS = [
    ColumnAttribute("id", "INT"),
    ColumnAttribute("name", "VARCHAR(20)"),
    ColumnAttribute("city", "VARCHAR(20)"),
    ColumnAttribute("spent", "DECIMAL(10,2)"),
    ColumnAttribute("profile", "JSON"),
]
ROWS = [
    {"id": 1, "name": "张伟", "city": "上海", "spent": "1.50", "profile": {"b": [1, 2.0], "aa": None}},
    {"id": 2, "name": "Ann", "city": "Oslo", "spent": None, "profile": None},
    {"id": 3, "name": "Bob", "city": "Oslo", "spent": "2.25", "profile": "x"},
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pair.db"


@pytest.fixture
def platform(path: Path) -> Iterator[Platform]:
    with Platform.embedded(path) as opened:
        opened.create_table("d", COLUMNS, flag=1, extra=True)
        opened.write_many("d", ROWS)
        yield opened


def test_document_columns_count_like_others(platform: Platform) -> None:
    assert platform.query("SELECT * FROM d ORDER BY id").all() == [
        (1, "张伟", "上海", Decimal("1.50"), '{"b": [1, 2.0], "aa": null}'),
        (2, "Ann", "Oslo", None, None),
        (3, "Bob", "Oslo", Decimal("2.25"), '"x"'),
    ]
    sql = "SELECT city, SUM(spent) AS s FROM d WHERE name LIKE '%n%' OR spent > 2 GROUP BY city"
    assert platform.query(sql).all() == [("Oslo", Decimal("2.25"))]


def test_a_join_compares_them(platform: Platform) -> None:
    sql = "SELECT a.id, b.id FROM d a LEFT JOIN d b ON b.city = a.city AND b.spent > 2 WHERE a.id <> 3 ORDER BY a.id"
    assert platform.query(sql).all() == [(1, None), (2, 3)]
    assert platform.query("SELECT city, a.id, b.id FROM d a JOIN d b USING (city) WHERE b.spent = 1.5").all() == [
        ("上海", 1, 1)
    ]


def test_a_result_is_of_one_moment(platform: Platform) -> None:
    platform.write_many("d", [{"id": key, "city": "Oslo"} for key in range(10, 3000)])
    with platform.query("SELECT id, city FROM d WHERE id >= 10 ORDER BY id") as result:
        platform.update("d", 2999, {"city": "Bergen"})
        platform.delete("d", 2998)
        assert result.all() == [(key, "Oslo") for key in range(10, 3000)]
    assert platform.query("SELECT id FROM d WHERE city = 'Bergen'").scalar() == 2999


def test_a_column_that_is_newer_than_a_row_is_null_in_it(platform: Platform) -> None:
    platform.drop_column("d", "spent")
    platform.add_column("d", ColumnAttribute("spent", "INT"), to="mongodb")
    platform.rename_column("d", "city", "place")
    platform.write("d", {"id": 4, "place": "Rome", "spent": 7})
    assert platform.query("SELECT place, spent FROM d WHERE id IN (3, 4) ORDER BY id").all() == [
        ("Oslo", None),
        ("Rome", 7),
    ]


def test_extra_fields_are_no_columns(platform: Platform) -> None:
    platform.write("d", {"id": 4, "nick": "x"})
    with pytest.raises(SchemaError, match="nick"):
        platform.query("SELECT nick FROM d")


def test_discarded_documents_are_nulls(platform: Platform) -> None:
    platform.drop_collection("d", discard_document_columns=True)
    platform.write("d", {"id": 4, "city": "Rome"})
    assert platform.query("SELECT id, city FROM d WHERE id > 2 ORDER BY id").all() == [(3, None), (4, "Rome")]


def test_a_missing_document_is_never_null(platform: Platform, path: Path) -> None:
    with sqlite3.connect(path) as connection:
        newest = "(SELECT MAX(revision) FROM platform_store_document)"
        connection.execute(f"DELETE FROM platform_store_document WHERE revision = {newest}")
    connection.close()
    assert platform.query("SELECT COUNT(*) FROM d").scalar() == 3
    with pytest.raises(Diverged, match="its document is missing"):
        platform.query("SELECT city FROM d").all()


def test_a_partly_zero_date_is_refused_where_mysql_may_copy_it(platform: Platform) -> None:
    columns = [ColumnAttribute("id", "INT"), ColumnAttribute("day", "DATE")]
    platform.create_table("z", columns, flag=0)
    platform.write_many("z", [{"id": 1, "day": "2024-00-00"}, {"id": 2, "day": "0000-00-00"}])
    assert platform.query("SELECT day FROM z ORDER BY day").all() == [("0000-00-00",), ("2024-00-00",)]
    assert platform.query("SELECT DISTINCT day FROM z WHERE id = 2").all() == [("0000-00-00",)]
    with pytest.raises(NotSupported, match="partly zero date"):
        platform.query("SELECT DISTINCT day FROM z").all()


def test_every_table_of_a_query_is_checked(platform: Platform) -> None:
    with pytest.raises(SchemaError, match="no such table"):
        platform.query("SELECT d.id FROM d JOIN missing ON missing.id = d.id")
    with pytest.raises(SchemaError, match="qualify"):
        platform.query("SELECT city FROM d a JOIN d b ON a.id = b.id")
    with pytest.raises(SchemaError, match="two tables"):
        platform.query("SELECT d.id FROM d JOIN d ON d.id = d.id")


@pytest.mark.parametrize("error", [KeyboardInterrupt, Diverged("it", table="t")])
def test_what_a_function_raises_is_raised(path: Path, error: BaseException | type[BaseException]) -> None:
    def function(_value: object) -> None:
        raise error

    connections = EmbeddedConnections(EmbeddedConfig(path))
    with connections.session() as session:
        session.define({"boom": (1, function)}, {})
        with pytest.raises(error if isinstance(error, type) else type(error)):
            session.rows(sa.select(sa.func.boom(1)))
        with pytest.raises(StaleAssociation):
            session.rows(sa.text("SELECT missing"))
    connections.close()
