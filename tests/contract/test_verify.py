"""``verify`` on every backend: whatever the library does leaves nothing that differs."""

from __future__ import annotations

import contextlib
import datetime
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from platform_store import ColumnAttribute, Platform, SchemaError, TransientError, ValueRejected
from platform_store.records import Progress
from platform_store.verify.scan import Scan, Suspects
from tests.contract.conftest import Backend

COLUMNS = [
    ColumnAttribute("id", "BIGINT", auto_increment=True),
    ColumnAttribute("name", "VARCHAR(20)", nullable=False),
    ColumnAttribute("credit", "DECIMAL(10,2)"),
    ColumnAttribute("seen", "DATETIME(6)"),
    ColumnAttribute("ratio", "FLOAT"),
    ColumnAttribute("profile", "JSON"),
]


def fill(platform: Platform, table: str) -> None:
    platform.write_many(
        table,
        [
            {"name": f"客户{n}", "credit": Decimal(n), "ratio": n / 3, "profile": {"n": [n, None, 1.5, True]}}
            for n in range(1, 121)
        ],
    )
    platform.write(table, {"id": 500, "name": "x", "seen": datetime.datetime(2026, 1, 1, 0, 0, 0, 5)})
    platform.update(table, 7, {"name": "y", "profile": None})
    platform.write(table, {"id": 8, "name": "z"}, on_conflict="replace")
    platform.delete(table, 9)
    platform.delete_range(table, 20, 29)
    platform.write(table, {"id": 25, "name": "wieder"})


def no_differences(platform: Platform, table: str, rows: int) -> None:
    verification = platform.verify(table)
    assert (verification.table, verification.rows, verification.found) == (table, rows, 0)
    assert (verification.ok, verification.differences) == (True, ())


@pytest.mark.parametrize("flag", [-1, 0, 2])
@pytest.mark.parametrize("extra", [False, True])
def test_what_was_written_agrees(platform: Platform, flag: int, extra: bool) -> None:
    platform.create_table("customer", COLUMNS, flag=flag, extra=extra)
    no_differences(platform, "customer", 0)
    fill(platform, "customer")
    if extra:
        platform.update("customer", 11, {"wechat": "wx", "more": {"a": [1]}})
    no_differences(platform, "customer", 111)
    platform.recover()
    no_differences(platform, "customer", 111)
    assert platform.verify("customer", start=30, stop=49).rows == 20
    assert platform.verify("customer", repair=True).repaired == 0


def test_changes_of_columns_agree(platform: Platform) -> None:
    platform.create_table("customer", COLUMNS, flag=2)
    fill(platform, "customer")
    platform.add_column("customer", ColumnAttribute("city", "VARCHAR(10)"), to="mongodb")
    platform.add_column("customer", ColumnAttribute("tier", "INT"), to="both")
    platform.update("customer", 3, {"city": "上海", "tier": 3})
    platform.rename_column("customer", "profile", "about")
    platform.update("customer", 4, {"about": {"x": 1}})
    platform.drop_column("customer", "seen")
    no_differences(platform, "customer", 111)
    platform.drop_collection("customer", discard_document_columns=True)
    no_differences(platform, "customer", 111)
    platform.update("customer", 5, {"city": "北京"})
    no_differences(platform, "customer", 111)


def test_composite_keys_agree(platform: Platform) -> None:
    columns = [
        ColumnAttribute("region", "VARCHAR(10)"),
        ColumnAttribute("n", "BIGINT UNSIGNED"),
        ColumnAttribute("note", "TEXT"),
    ]
    platform.create_table("visit", columns, flag=1, key=["region", "n"])
    platform.write_many(
        "visit", [{"region": r, "n": n, "note": r} for r in ("", "A", "a", "张") for n in (0, 2**64 - 1)]
    )
    no_differences(platform, "visit", 8)
    platform.delete("visit", ("A", 0))
    no_differences(platform, "visit", 7)
    assert platform.verify("visit", start=("A", 0), stop=("a", 5)).rows == 2


def test_a_table_without_documents(platform: Platform) -> None:
    platform.create_table("plain", COLUMNS[:3], flag=2)
    platform.write("plain", {"name": "a"})
    assert platform.verify("plain", repair=True, side="mysql").ok


def test_what_it_refuses(platform: Platform) -> None:
    platform.create_table("customer", COLUMNS, flag=2)
    with pytest.raises(SchemaError, match="no such table"):
        platform.verify("nothing")
    with pytest.raises(ValueRejected, match="side="):
        platform.verify("customer", side="left")  # type: ignore[arg-type]
    with pytest.raises(ValueRejected):
        platform.verify("customer", start="a")


def test_writers_are_no_difference(backend: Backend, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four writers insert, update, delete and replace what is being verified, and repaired."""
    monkeypatch.setattr("platform_store.verify.verifier.ROWS", 23)
    platform.create_table("customer", COLUMNS, flag=2, extra=True)
    fill(platform, "customer")
    over = threading.Event()
    counts = [0] * 4
    suspected = 0
    look = Scan.look

    def watched(scan: Scan, *arguments: Any) -> Iterator[Suspects]:
        nonlocal suspected
        for suspects in look(scan, *arguments):
            suspected += len(suspects.keys)
            yield suspects

    monkeypatch.setattr(Scan, "look", watched)

    def write(number: int) -> None:
        with backend.open() as own:
            while not over.is_set():
                written = counts[number]
                key = (written * 7 + number * 31) % 140 + 1
                with contextlib.suppress(TransientError):  # of each other: they lock the same rows
                    row: dict[str, Any] = {"id": key, "name": f"w{number}", "profile": {"n": written}}
                    own.write("customer", row, on_conflict="replace")
                    if written % 3 == 0:
                        own.delete("customer", key)
                    if written % 20 == number:
                        many = [{"id": 1000 + number * 200 + n, "name": "bulk", "profile": [n]} for n in range(60)]
                        own.write_many("customer", many, on_conflict="replace")
                        own.delete_range("customer", 1000 + number * 200, 1199 + number * 200)
                counts[number] += 1

    progress: list[Progress] = []
    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, number) for number in range(4)]
        try:
            for turn in range(500):
                done = platform.verify("customer", repair=turn % 2 == 1, side="mysql", progress=progress.append)
                assert done.differences == (), turn
                if turn > 10 and (suspected or not backend.real):
                    break
        finally:
            over.set()
        for writer in writers:
            writer.result()
    assert platform.verify("customer").found == 0
    platform.recover()
    assert platform.verify("customer").found == 0
    assert progress[-1].rows > 0
    assert suspected > 0 or not backend.real  # the first look alone would have raised false alarms
