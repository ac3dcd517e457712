"""``find``: whole rows by conditions on MySQL's columns, in an order, by pages."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from platform_store import (
    ColumnAttribute,
    Index,
    NotSupported,
    Platform,
    Range,
    SchemaError,
    Transaction,
    ValueRejected,
)
from tests.contract.conftest import Backend

MORNING = datetime(2026, 5, 1, 8)
COLUMNS = [
    ColumnAttribute("id", "BIGINT", auto_increment=True),
    ColumnAttribute("customer", "INT", nullable=False),
    ColumnAttribute("kind", "VARCHAR(20)", nullable=False),
    ColumnAttribute("at", "DATETIME(3)", nullable=False),
    ColumnAttribute("cost", "DECIMAL(10,2)"),
    ColumnAttribute("mood", "ENUM('低','高')"),
    ColumnAttribute("raw", "JSON"),
    ColumnAttribute("text", "TEXT"),
    ColumnAttribute("tags", "JSON"),
]
KINDS = ("访问", "电话", "关怀")


def rows() -> list[dict[str, Any]]:
    """Of three customers; every fourth moment is tied, every fifth cost is NULL."""
    return [
        {
            "id": number,
            "customer": number % 3,
            "kind": KINDS[number % 7 % 3],
            "at": MORNING + timedelta(minutes=number // 4),
            "cost": None if number % 5 == 0 else Decimal(number * 37 % 100).scaleb(-1).quantize(Decimal("0.01")),
            "mood": "高" if number % 2 else "低",
            "raw": {"n": number},
            "text": f"第{number}次",
            "tags": None if number % 4 == 0 else ["a", number],
        }
        for number in range(1, 101)
    ]


ROWS = rows()


@pytest.fixture
def visits(platform: Platform) -> Platform:
    platform.create_table("visit", COLUMNS, flag=6, indexes=[Index(["customer", "at", "id"]), Index(["kind"])])
    platform.write_many("visit", random.Random(1).sample(ROWS, len(ROWS)))
    return platform


def test_every_row_in_the_order_of_the_key(visits: Platform) -> None:
    assert visits.find("visit") == ROWS


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"customer": 1}, lambda row: row["customer"] == 1),
        ({"customer": 1, "kind": "访问"}, lambda row: row["customer"] == 1 and row["kind"] == "访问"),
        ({"id": 7}, lambda row: row["id"] == 7),
        ({"id": [7, 9, 1000]}, lambda row: row["id"] in (7, 9)),
        ({"kind": {"访问", "电话"}}, lambda row: row["kind"] in ("访问", "电话")),
        ({"kind": ()}, lambda row: False),
        ({"cost": None}, lambda row: row["cost"] is None),
        ({"customer": None}, lambda row: False),
        ({"cost": Decimal("3.70")}, lambda row: row["cost"] == Decimal("3.70")),
        ({"cost": Range(ge=Decimal("3.70"))}, lambda row: (row["cost"] or 0) >= Decimal("3.70")),
        ({"cost": Range(lt=Decimal("3.70"))}, lambda row: row["cost"] is not None and row["cost"] < Decimal("3.70")),
        ({"at": Range(gt=MORNING, le=MORNING + timedelta(minutes=3))}, lambda row: 4 <= row["id"] < 16),
        ({"at": Range()}, lambda row: True),
        ({"mood": "高"}, lambda row: row["mood"] == "高"),
        ({"kind": "x"}, lambda row: False),
    ],
)
def test_conditions(visits: Platform, where: dict[str, object], expected: Any) -> None:
    assert visits.find("visit", where) == [row for row in ROWS if expected(row)]


def newest_first(row: dict[str, Any]) -> Any:
    return (-row["at"].timestamp(), -row["id"])


def pages(platform: Platform, limit: int, order: list[str], where: dict[str, object]) -> Iterator[dict[str, Any]]:
    page = platform.find("visit", where, order_by=order, limit=limit)
    while page:
        assert len(page) <= limit
        yield from page
        page = platform.find("visit", where, order_by=order, limit=limit, after=page[-1])


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_pages_hold_each_row_once_ties_or_not(visits: Platform, limit: int) -> None:
    expected = sorted((row for row in ROWS if row["customer"] == 2), key=newest_first)
    assert list(pages(visits, limit, ["at DESC"], {"customer": 2})) == expected
    assert list(pages(visits, limit, ["at DESC", "id DESC"], {"customer": 2})) == expected


def test_an_order_that_goes_both_ways(visits: Platform) -> None:
    expected = sorted(ROWS, key=lambda row: (row["kind"].encode(), -row["at"].timestamp(), row["id"]))
    assert list(pages(visits, 9, ["kind", "at DESC", "id ASC"], {})) == expected


def test_nulls_come_first(visits: Platform) -> None:
    found = visits.find("visit", order_by="cost", limit=25)
    expected = sorted(ROWS, key=lambda row: (row["cost"] is not None, row["cost"] or 0, row["id"]))
    assert found == expected[:25]


def test_pages_by_a_column_that_no_null_is_left_of(visits: Platform) -> None:
    expected = sorted((row for row in ROWS if row["cost"] is not None), key=lambda row: (row["cost"], row["id"]))
    assert list(pages(visits, 9, ["cost"], {"cost": Range(ge=Decimal("0.00"))})) == expected


def test_chosen_columns(visits: Platform) -> None:
    assert visits.find("visit", {"id": 3}, columns=["text"]) == [{"text": "第3次"}]
    assert visits.find("visit", {"id": 3}, columns=["kind"]) == [{"kind": ROWS[2]["kind"]}]


def test_what_is_looked_for_without_sense(visits: Platform) -> None:
    refused: list[tuple[dict[str, object], type[Exception], str]] = [
        ({"nothing": 1}, SchemaError, "no such column"),
        ({"_rev": 1}, SchemaError, "no such column"),
        ({"text": "a"}, NotSupported, "'text'.*MongoDB"),
        ({"raw": "{}"}, NotSupported, "JSON column 'raw'"),
        ({"mood": Range(gt="低")}, NotSupported, "order of ENUM"),
        ({"customer": "1"}, ValueRejected, "'visit'"),
        ({"customer": 1.5}, ValueRejected, "'visit'"),
        ({"kind": "x" * 21}, ValueRejected, "'visit'"),
        ({"cost": Decimal("0.001")}, ValueRejected, "'visit'"),
    ]
    for where, error, message in refused:
        with pytest.raises(error, match=message):
            visits.find("visit", where)
    for limit in (0, -1, True):
        with pytest.raises(ValueRejected, match="limit"):
            visits.find("visit", limit=limit)
    with pytest.raises(ValueRejected, match="DESC"):
        visits.find("visit", order_by=["at; DROP TABLE visit"])
    with pytest.raises(ValueRejected, match="after="):
        visits.find("visit", order_by=["at"], after={"at": MORNING})
    with pytest.raises(NotSupported, match="'cost', which may be NULL"):
        visits.find("visit", order_by=["cost"], after=ROWS[0])
    with pytest.raises(SchemaError, match="'nobody'"):
        visits.find("nobody")


def test_a_transaction_finds_its_own_changes(visits: Platform) -> None:
    def work(tx: Transaction) -> None:
        tx.update("visit", 3, {"text": "改", "customer": 5})
        tx.write("visit", {**ROWS[0], "id": 200, "customer": 5})
        tx.delete("visit", 6)
        for for_update in (False, True):
            found = tx.find("visit", {"customer": [0, 5]}, for_update=for_update)
            expected = [row for row in ROWS if row["customer"] == 0 and row["id"] not in (3, 6)]
            expected += [{**ROWS[2], "text": "改", "customer": 5}, {**ROWS[0], "id": 200, "customer": 5}]
            assert found == sorted(expected, key=lambda row: row["id"])
        assert tx.find("visit", {"customer": 5}, columns=["id"], order_by=["id DESC"], limit=1) == [{"id": 200}]

    visits.run_transaction(work)
    assert [row["text"] for row in visits.find("visit", {"customer": 5})] == ["改", "第1次"]


def test_what_is_found_for_update_is_locked(visits: Platform, backend: Backend) -> None:
    found = threading.Event()

    def other() -> None:
        with backend.open() as another:
            found.wait()
            another.update("visit", 5, {"text": "other"})

    thread = threading.Thread(target=other)
    thread.start()
    with visits.transaction() as tx:
        (row,) = tx.find("visit", {"id": 5}, for_update=True)
        found.set()
        tx.update("visit", 5, {"text": f"{row['text']}!"})
    thread.join()
    assert visits.read("visit", 5, columns=["text"]) == {"text": "other"}


def test_columns_in_both_stores_and_composite_keys(platform: Platform) -> None:
    columns = [
        ColumnAttribute("region", "VARCHAR(10)"),
        ColumnAttribute("number", "INT"),
        ColumnAttribute("name", "VARCHAR(40)"),
    ]
    platform.create_table("both", columns, flag=-1, key=["region", "number"])
    given = [{"region": region, "number": number, "name": f"{region}{number}"} for region in "ab" for number in (1, 2)]
    platform.write_many("both", given)
    assert platform.find("both", {"number": 2}) == [given[1], given[3]]
    assert platform.find("both", order_by=["number DESC"], after=given[3]) == [given[1], given[2], given[0]]


def test_a_column_that_goes(visits: Platform, backend: Backend) -> None:
    with backend.open() as other:
        assert len(other.find("visit", {"mood": "高"})) == 50
        visits.move_column("visit", "cost", to="mongodb")
        assert other.find("visit", {"mood": "高"}) == [row for row in ROWS if row["mood"] == "高"]
        with pytest.raises(NotSupported, match=r"'cost'.*MongoDB"):
            other.find("visit", {"cost": None})
        visits.drop_column("visit", "mood")
        assert other.find("visit", {"id": 1}) == [{name: value for name, value in ROWS[0].items() if name != "mood"}]
        with pytest.raises(SchemaError, match="no such column"):
            other.find("visit", {"mood": "高"})
