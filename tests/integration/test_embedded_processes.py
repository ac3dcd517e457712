"""The embedded pair between processes: concurrent writers, writers killed at any moment, forks."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from platform_store.errors import Unavailable
from platform_store.facade import Platform
from platform_store.records import ColumnAttribute, Index
from platform_store.rows import new_row

KILLS = 12
ROWS_OF_EACH = 150

WRITER = """
import sys
from platform_store.facade import Platform
path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Platform.embedded(path) as platform:
    print("ready", flush=True)
    for number in range(count):
        version = 1
        row = {"name": f"{name}-{number}", "version": version, "profile": {"version": version, "pad": "x" * 3000}}
        key = platform.write("customer", row)
        print("wrote", key, version, flush=True)
        for version in (2, 3):
            platform.update("customer", key, {"version": version, "profile": {"version": version, "pad": "y"}})
            print("wrote", key, version, flush=True)
        if number % 5 == 4:
            platform.delete("customer", key)
            print("deleted", key, 0, flush=True)
"""
"""Writes rows of which both halves name the same version, and says so after each call that returned."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "pair.db"
    with Platform.embedded(path) as platform:
        platform.create_table(
            "customer",
            [
                ColumnAttribute("id", "BIGINT", auto_increment=True),
                ColumnAttribute("name", "VARCHAR(80)", nullable=False),
                ColumnAttribute("version", "INT"),
                ColumnAttribute("profile", "JSON"),
            ],
            flag=2,
            indexes=[Index(["name"], unique=True)],
        )
    return path


def writer(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", WRITER, str(path), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def acknowledged(output: str) -> dict[int, int]:
    """The last acknowledged version of each key, 0 for a deleted one; the last line may be cut off."""
    versions: dict[int, int] = {}
    for line in output.splitlines(keepends=True):
        parts = line.split()
        if line.endswith("\n") and len(parts) == 3:
            versions[int(parts[1])] = int(parts[2])
    return versions


def check_whole(platform: Platform, versions: dict[int, int]) -> None:
    """Every acknowledged write is there or was followed by a later one, and no row is torn."""
    rows = {row["id"]: row for row in platform.scan("customer")}
    documents = {document["_id"]: document for document in platform.read_collection("customer")}
    assert set(rows) == set(documents)
    for key, row in rows.items():
        assert isinstance(row["profile"], dict)
        assert row["version"] == row["profile"]["version"] == documents[key]["profile"]["version"]
    for key, version in versions.items():
        if version == 0:
            assert key not in rows
        elif key in rows:
            held = rows[key]["version"]
            assert isinstance(held, int)
            assert held >= version
        else:
            assert version == 3, "only a deletion under way may have taken it"
    assert all(finding.ok for finding in platform.doctor())


def test_two_processes_write_the_same_file(path: Path) -> None:
    writers = [writer(path, name, ROWS_OF_EACH) for name in ("one", "two", "three")]
    versions: list[dict[int, int]] = []
    for process in writers:
        output, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
        versions.append(acknowledged(output))
    keys = [key for found in versions for key in found]
    assert len(keys) == len(set(keys)) == 3 * ROWS_OF_EACH
    with Platform.embedded(path) as platform:
        check_whole(platform, {key: version for found in versions for key, version in found.items()})
        assert sum(1 for _ in platform.scan("customer")) == 3 * ROWS_OF_EACH * 4 // 5


def test_no_acknowledged_write_is_lost_to_kill_9(path: Path) -> None:
    chance = random.Random(7)
    versions: dict[int, int] = {}
    with Platform.embedded(path) as platform:
        for number in range(KILLS):
            process = writer(path, f"run{number}", 1_000_000)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(chance.uniform(0, 0.3))
            process.send_signal(signal.SIGKILL)
            output, errors = process.communicate(timeout=30)
            assert errors == ""
            found = acknowledged(output)
            assert not versions.keys() & found.keys(), "a key was given twice"
            versions |= found
            check_whole(platform, versions)
    assert versions, "no writer got as far as one row"
    with Platform.embedded(path) as platform:
        check_whole(platform, versions)


def in_child(work: Callable[[], object]) -> str:
    """What a forked child says of ``work``: "fine", or the error."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        said = "fine"
        try:
            work()
        except Exception as error:  # noqa: BLE001 - reported to the parent
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)
    return said


def write(platform: Platform, name: str) -> object:
    return platform.write("customer", {"name": name, "version": 1, "profile": {"version": 1}})


def test_both_sides_of_a_fork_write_on(path: Path) -> None:
    with Platform.embedded(path) as platform:
        write(platform, "before")

        def work() -> None:
            for number in range(50):
                write(platform, f"child-{number}")

        thread = threading.Thread(target=lambda: [write(platform, f"parent-{number}") for number in range(50)])
        thread.start()
        assert in_child(work) == "fine"
        thread.join()
        names = {row["name"] for row in platform.scan("customer")}
        assert len(names) == 101
        check_whole(platform, {})


def test_the_parent_may_end_before_the_child(path: Path) -> None:
    """SQLite would clear its log away when the last connection closes; a child's must count as one."""
    reading, writing = os.pipe()
    platform = Platform.embedded(path)
    write(platform, "before")
    child = os.fork()
    if child == 0:
        os.read(reading, 1)
        with contextlib.suppress(Exception):
            for number in range(20):
                write(platform, f"child-{number}")
        os._exit(0)
    platform.close()
    with Platform.embedded(path) as other:
        write(other, "other")
        os.write(writing, b"x")
        for number in range(20):
            write(other, f"other-{number}")
        os.waitpid(child, 0)
        assert sum(1 for _ in other.scan("customer")) == 42
        check_whole(other, {})
    os.close(reading)
    os.close(writing)


def test_a_child_of_an_open_result_is_refused_and_the_parent_is_not_harmed(path: Path) -> None:
    with Platform.embedded(path) as platform:
        write(platform, "one")
        write(platform, "two")
        with platform.query("SELECT name FROM customer ORDER BY id") as result:
            said = in_child(lambda: platform.read("customer", 1))
            assert said.startswith("Unavailable: ")
            assert "forked" in said
            assert result.all() == [("one",), ("two",)]
        assert in_child(lambda: write(platform, "three")) == "fine"


def test_a_transaction_goes_on_where_its_child_unwinds(path: Path) -> None:
    """The child leaves the parent's ``with`` block, too: that must not roll back what the parent is doing."""
    with Platform.embedded(path) as platform:
        write(platform, "before")  # so that the log holds something that is committed
        association = platform._rows.load_catalog("customer")[0]
        rows = [
            # in no order, so that SQLite needs pages again which it has already moved to its log
            new_row(association, {"id": key, "name": f"{key * 7919 % 99991:080}"})
            for key in range(2, 20_000)
        ]
        with platform._rows.transaction() as transaction:
            transaction.fence(association)
            transaction.insert(association, rows[:15_000])
            child = os.fork()
            if child == 0:
                with contextlib.suppress(Unavailable):
                    transaction.commit()
                    os._exit(1)
            else:
                assert os.waitpid(child, 0)[1] == 0
                transaction.insert(association, rows[15_000:])
                transaction.commit()
        if child == 0:
            os._exit(0)
        assert platform.query("SELECT COUNT(*) FROM customer").scalar() == len(rows) + 1
        assert all(finding.ok for finding in platform.doctor())


def test_schema_changes_exclude_each_other_between_processes(path: Path) -> None:
    with Platform.embedded(path) as platform, Platform.embedded(path) as other:
        order: list[str] = []

        def change() -> None:
            with other._rows.schema_lock():
                order.append("other")

        with platform._rows.schema_lock():
            thread = threading.Thread(target=change)
            thread.start()
            time.sleep(0.2)
            order.append("one")
        thread.join()
        assert order == ["one", "other"]
