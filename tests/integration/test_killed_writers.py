"""Clients killed at any moment, on real servers: nothing acknowledged is lost, nothing read is torn."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from platform_store import ColumnAttribute, Platform
from tests.integration.conftest import Servers

KILLS = 16
WRITERS = 2

WRITER = """
import os, random, sys
from platform_store import Platform, RowExists, RowNotFound

writer, seed = int(sys.argv[1]), int(sys.argv[2])
choose = random.Random(seed)
with Platform.open(mysql=os.environ["TEST_MYSQL"], mongodb=os.environ["TEST_MONGODB"]) as platform:
    print("ready", flush=True)
    version = seed * 1000
    while True:
        version += 1
        key = writer * 10 + choose.randrange(5)
        row = {"id": key, "version": version, "document": {"version": version, "pad": "长" * choose.randrange(2000)}}
        print("begin", key, version, flush=True)
        match choose.randrange(5):
            case 0:
                platform.delete("hot", key)
                version_left = 0
            case 1:
                platform.write_many("hot", [row], on_conflict="replace")
                version_left = version
            case _:
                try:
                    platform.update("hot", key, {"version": version, "document": row["document"]})
                except RowNotFound:
                    platform.write("hot", row)
                version_left = version
        print("done", key, version_left, flush=True)
        shared = choose.randrange(3) + 1000  # rows that every writer changes
        platform.write(
            "hot", {"id": shared, "version": version, "document": {"version": version}}, on_conflict="replace"
        )
"""


def start(servers: Servers, writer: int, seed: int, log: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "TEST_MYSQL": servers.mysql_url, "TEST_MONGODB": servers.mongodb_url}
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-c", WRITER, str(writer), str(seed)], stdout=output, stderr=output, env=environment
        )


def allowed(log: Path, before: dict[int, set[int]]) -> dict[int, set[int]]:
    """For each key the versions it may be at (0: absent): the last acknowledged, and one that was under way."""
    versions = dict(before)
    for line in log.read_text("utf-8").splitlines(keepends=True):
        if not line.endswith("\n") or line.startswith("ready"):
            continue
        kind, key, version = line.split()
        assert kind in ("begin", "done"), log.read_text("utf-8")[-2000:]
        if kind == "begin":
            versions[int(key)] = versions.get(int(key), {0}) | {int(version), 0}
        else:
            versions[int(key)] = {int(version)}
    return versions


def check(platform: Platform, versions: dict[int, set[int]]) -> dict[int, set[int]]:
    """Reads every row; what is there now is what every later reader must see. Returns it."""
    found: dict[int, set[int]] = {}
    for key, possible in versions.items():
        row = platform.read("hot", key)
        if row is None:
            assert 0 in possible, f"key {key} was acknowledged at {possible}, and is gone"
            found[key] = {0}
            continue
        document = row["document"]
        assert isinstance(document, dict)
        assert row["version"] == document["version"], "torn"
        assert row["version"] in possible, f"key {key} is at {row['version']}, not one of {possible}"
        found[key] = {document["version"]}
    return found


def test_killed_clients_lose_and_tear_nothing(servers_of_test: Servers, platform: Platform, tmp_path: Path) -> None:
    columns = [
        ColumnAttribute("id", "INT"),
        ColumnAttribute("version", "BIGINT"),
        ColumnAttribute("document", "JSON"),
    ]
    platform.create_table("hot", columns, flag=1)
    choose = random.Random(7)
    versions: dict[int, set[int]] = {}
    reads = 0
    for round_number in range(KILLS // WRITERS):
        logs = [tmp_path / f"{round_number}-{writer}" for writer in range(WRITERS)]
        writers = [start(servers_of_test, n, round_number * WRITERS + n + 1, log) for n, log in enumerate(logs)]
        deadline = time.monotonic() + 20
        while not all(log.read_bytes().count(b"done") > 5 for log in logs):
            assert time.monotonic() < deadline, [log.read_text("utf-8")[-2000:] for log in logs]
            reads += _read_shared(platform)
        time.sleep(choose.random() * 0.05)
        for process in writers:
            process.send_signal(signal.SIGKILL)
            process.wait()
        for log in logs:
            versions = allowed(log, versions)
        versions = check(platform, versions)  # before anything is brought to MongoDB
        if round_number % 2:
            assert platform.recover().remaining == 0
            assert platform.status().pending_entries == 0
            assert check(platform, versions) == versions
    assert reads > 20
    assert platform.recover().remaining == 0
    live = sorted(key for key, (version,) in versions.items() if version)
    rows = [row for row in platform.scan("hot") if row["id"] in versions]
    assert [row["id"] for row in rows] == live
    # After recovery native tools see the same: one document for each row, of the row's very version.
    documents = servers_of_test.mongodb["hot"].find({"_deleted": {"$exists": False}, "_id": {"$lt": 1000}}).sort("_id")
    assert [(document["_id"], document["document"]["version"]) for document in documents] == [
        (row["id"], row["version"]) for row in rows
    ]


def _read_shared(platform: Platform) -> int:
    """Reads rows that all writers change, while they change them. Returns how many were there."""
    rows = [row for row in platform.read_many("hot", [1000, 1001, 1002]) if row is not None]
    single = platform.read("hot", 1001)
    for row in [*rows, *([] if single is None else [single])]:
        document = row["document"]
        assert isinstance(document, dict)
        assert row["version"] == document["version"], "torn"
    return len(rows)
