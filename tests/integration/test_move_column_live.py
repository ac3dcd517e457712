"""A column moves to and fro while four processes write it and four read it, and movers and writers are killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from platform_store import ColumnAttribute, Platform, SchemaError
from platform_store.association import Association
from platform_store.stores.mysql_transaction import MysqlTransaction
from tests.integration.conftest import Servers

MOVES = 4  # that come to their end, between those that are killed
PATIENCE = 120.0  # seconds
WRITERS = READERS = 4
KEYS = 6  # of each writer
STILL = 600  # rows that nobody writes
COLUMNS = [
    ColumnAttribute("id", "INT"),
    ColumnAttribute("n", "BIGINT"),
    ColumnAttribute("word", "VARCHAR(40)", nullable=False, default="v0"),
    ColumnAttribute("doc", "JSON"),
]

COMMON = (
    f"""
KEYS = {KEYS}
"""
    + """
import os, random, sys, time
from platform_store import Platform, RowNotFound, SchemaError, TransientError

number, seed = int(sys.argv[1]), int(sys.argv[2])
choose = random.Random(seed)

def row(key, version):
    return {"id": key, "n": version, "word": f"v{version}", "doc": {"n": version}}

def check(found, what):
    assert found["word"] == f"v{found['n']}" and found["doc"] == {"n": found["n"]}, f"torn in {what}: {found}"

def say(*words):
    print(*words, flush=True)
"""
)
WRITER = (
    COMMON
    + """
with Platform.open(mysql=os.environ["TEST_MYSQL"], mongodb=os.environ["TEST_MONGODB"]) as platform:
    version = seed * 1_000_000
    while True:
        version += 1
        key = number * 100 + choose.randrange(KEYS)
        new = row(key, version)
        say("begin", key, version)
        try:
            match choose.randrange(6):
                case 0:
                    platform.write_many("t", [new], on_conflict="replace")
                case 1:
                    with platform.transaction() as tx:
                        tx.delete("t", key)
                        tx.write("t", new)
                case _:
                    platform.update("t", key, {name: new[name] for name in ("n", "word", "doc")})
        except TransientError:
            say("nothing", key, version)
            continue
        say("done", key, version)
        found = platform.read("t", key)
        assert found == new, f"written {new}, read {found}"
"""
)
READER = (
    COMMON
    + """
seen = {}
def look(found, what):
    check(found, what)
    key = found["id"]
    assert found["n"] >= seen.get(key, 0), f"{what} went back from {seen[key]}: {found}"
    seen[key] = found["n"]

NAMES = ("id", "n", "word")
with Platform.open(mysql=os.environ["TEST_MYSQL"], mongodb=os.environ["TEST_MONGODB"]) as platform:
    count = 0
    while True:
        keys = [writer * 100 + choose.randrange(KEYS) for writer in range(4)]
        try:
            match choose.randrange(4):
                case 0:
                    look(platform.read("t", keys[0]), "read")
                case 1:
                    for found in platform.read_many("t", keys):
                        look(found, "read_many")
                case 2:
                    for found in platform.scan("t", keys[0], keys[0] + 50):
                        look(found, "scan")
                case _:
                    low, high = min(keys), max(keys)
                    sql = f"SELECT id, n, word, doc FROM t WHERE id BETWEEN {low} AND {high} AND n > 0 AND word <> 'x'"
                    with platform.query(sql) as result:
                        for found in result.dicts():
                            look(found | {"doc": {"n": found["n"]}}, "query")
        except TransientError:
            continue
        count += 1
        if count % 20 == 0:
            say("read", count)
"""
)
MOVER = (
    COMMON
    + """
PLACES = ("mongodb", "both", "mysql")

def tell(progress):
    say("step", progress.phase, progress.rows)

with Platform.open(mysql=os.environ["TEST_MYSQL"], mongodb=os.environ["TEST_MONGODB"]) as platform:
    while True:
        unfinished = next((job for job in platform.jobs() if job.status in ("running", "paused", "failed")), None)
        try:
            if unfinished is not None:
                platform.pause_move("t")  # its process was killed
                if unfinished.phase.startswith("back") or choose.randrange(3) == 0:
                    try:
                        say("back", platform.roll_back_move("t", progress=tell).status)
                        continue
                    except SchemaError:
                        pass  # its clean-up has begun
            columns, to = os.environ["TEST_MOVES"].split(), choose.choice(PLACES)
            if unfinished is not None:
                to = unfinished.detail.split(": ")[0].split()[-1]
            say("moved", platform.move_column("t", columns, to, batch_rows=50, progress=tell).rewritten)
        except TransientError as error:
            say("again", error)
"""
)


@contextmanager
def process(script: str, servers: Servers, number: int, seed: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "TEST_MYSQL": servers.mysql_url, "TEST_MONGODB": servers.mongodb_url}
    environment["TEST_MOVES"] = "n word"
    with log.open("ab") as output:
        arguments = [sys.executable, "-c", script, str(number), str(seed)]
        started = subprocess.Popen(arguments, stdout=output, stderr=output, env=environment)
    try:
        yield started
    finally:
        started.send_signal(signal.SIGKILL)
        started.wait()


def lines(log: Path) -> int:
    return log.read_bytes().count(b"\n")


def ended(log: Path) -> int:
    """How many moves came to their end."""
    found = log.read_text("utf-8").splitlines() if log.exists() else []
    return sum(line.startswith(("moved", "back")) for line in found)


def acknowledged(logs: list[Path]) -> dict[int, set[int]]:
    """The versions that each key may be at: the last acknowledged one, and whatever was begun after it."""
    allowed: dict[int, set[int]] = {}
    for log in logs:
        for line in log.read_text("utf-8").splitlines(keepends=True):
            kind, *numbers = line.split()
            if not line.endswith("\n") or kind == "nothing":
                continue
            assert kind in ("begin", "done"), log.read_text("utf-8")[-3000:]
            key, version = map(int, numbers)
            allowed[key] = {version} if kind == "done" else allowed.get(key, {0}) | {version}
    return allowed


def finish(platform: Platform) -> None:
    """What the last mover has left."""
    unfinished = next((job for job in platform.jobs() if job.status in ("running", "paused", "failed")), None)
    if unfinished is None:
        return
    platform.pause_move("t")
    if unfinished.phase.startswith("back"):
        platform.roll_back_move("t")
    else:
        to: Any = unfinished.detail.split(": ")[0].split()[-1]
        platform.move_column("t", ["n", "word"], to)


def test_no_wrong_read_and_no_lost_write(servers_of_test: Servers, platform: Platform, tmp_path: Path) -> None:
    platform.create_table("t", COLUMNS, flag=2)
    still = [{"id": 1000 + key, "n": key, "word": f"v{key}", "doc": {"n": key}} for key in range(STILL)]
    hot = [
        {"id": writer * 100 + key, "n": 0, "word": "v0", "doc": {"n": 0}}
        for writer in range(WRITERS)
        for key in range(KEYS)
    ]
    platform.write_many("t", hot + still)
    choose = random.Random(5)
    writer_logs = [tmp_path / f"writer-{number}" for number in range(WRITERS)]
    reader_logs = [tmp_path / f"reader-{number}" for number in range(READERS)]
    mover_log = tmp_path / "mover"
    deadline, round_number = time.monotonic() + PATIENCE, 0
    with ExitStack() as readers:
        reading = [
            readers.enter_context(process(READER, servers_of_test, number, number, log))
            for number, log in enumerate(reader_logs)
        ]
        while ended(mover_log) < MOVES and time.monotonic() < deadline:
            round_number += 1
            with ExitStack() as killed:
                for number, log in enumerate(writer_logs):
                    killed.enter_context(process(WRITER, servers_of_test, number, round_number, log))
                for _ in range(2):
                    with process(MOVER, servers_of_test, 0, choose.randrange(10**6), mover_log):
                        steps = lines(mover_log) + choose.randrange(1, 60)
                        while lines(mover_log) < steps and time.monotonic() < deadline:
                            time.sleep(0.02)  # then it is killed, wherever it is
        for reader, log in zip(reading, reader_logs, strict=True):
            assert reader.poll() is None, log.read_text("utf-8")[-3000:]
            assert "read" in log.read_text("utf-8")
    moves = mover_log.read_text("utf-8")
    assert "Traceback" not in moves, moves[-3000:]
    assert ended(mover_log) >= MOVES, moves
    finish(platform)
    platform.recover()
    found = {row["id"]: row for row in platform.scan("t")}
    for key, versions in acknowledged(writer_logs).items():
        row = found.pop(key)
        assert row["n"] in versions, f"{key} is at {row['n']}, not one of {versions}"
        assert row == {"id": key, "n": row["n"], "word": f"v{row['n']}", "doc": {"n": row["n"]}}
    assert [row for row in found.values() if int(str(row["id"])) >= 1000] == still


@pytest.mark.parametrize("fenced", [True, False])
def test_without_the_fence_a_write_is_lost(
    servers_of_test: Servers, platform: Platform, monkeypatch: pytest.MonkeyPatch, fenced: bool
) -> None:
    """The control: a writer that does not look at the epoch writes to the side that answers no more."""
    platform.create_table("t", COLUMNS, flag=3)
    platform.write("t", {"id": 1, "n": 1})
    with servers_of_test.open() as other:
        other.update("t", 1, {"n": 2})
        platform.move_column("t", ["n"], "mongodb", clean_up=False)
        if not fenced:
            monkeypatch.setattr(MysqlTransaction, "fence", _no_fence)
        other.update("t", 1, {"n": 3})
    row = platform.read("t", 1)
    assert row is not None
    assert row["n"] == (3 if fenced else 2)


def _no_fence(self: MysqlTransaction, association: Association, *, at_once: bool = False) -> None:
    self._table = association.name


def test_it_can_be_rolled_back_by_another_process(servers_of_test: Servers, platform: Platform) -> None:
    platform.create_table("t", COLUMNS, flag=3)
    platform.write("t", {"id": 1, "n": 1})
    platform.move_column("t", "n", "mongodb", clean_up=False)
    with servers_of_test.open() as other:
        assert other.roll_back_move("t").status == "rolled-back"
        with pytest.raises(SchemaError):
            other.pause_move("t")
    assert platform.describe("t").flag == 3
