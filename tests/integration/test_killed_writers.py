"""Clients killed at any moment, on real servers: nothing acknowledged is lost, nothing read is torn."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack
from pathlib import Path

from platform_store import ColumnAttribute, Config, Platform
from tests.faults.child import Child
from tests.integration.conftest import Servers
from tests.integration.live import SHARED, HotWriter, Log
from tests.waiting import wait_until

ROUNDS = 8
WRITERS = 2


def allowed(log: Log, before: dict[int, set[int]]) -> dict[int, set[int]]:
    """For each key the versions it may be at (0: absent): the last acknowledged, and one that was under way."""
    versions = dict(before)
    for kind, key, version in log.lines():
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


def test_killed_clients_lose_and_tear_nothing(servers_of_test: Servers, tmp_path: Path) -> None:
    columns = [
        ColumnAttribute("id", "INT"),
        ColumnAttribute("version", "BIGINT"),
        ColumnAttribute("document", "JSON"),
    ]
    with servers_of_test.open() as platform:
        platform.create_table("hot", columns, flag=1)
    choose = random.Random(7)
    versions: dict[int, set[int]] = {}
    for number in range(ROUNDS):
        logs = [Log(tmp_path / f"{number}-{writer}") for writer in range(WRITERS)]
        _write_until_killed(servers_of_test, number, logs, choose)
        for log in logs:
            versions = allowed(log, versions)
        with servers_of_test.open_quiet() as platform:
            versions = check(platform, versions)  # before anything is brought to MongoDB
            if number % 2:
                assert platform.recover().remaining == 0
                assert platform.status().pending_entries == 0
                assert check(platform, versions) == versions
    with servers_of_test.open_quiet() as platform:
        assert platform.recover().remaining == 0
        rows = [row for row in platform.scan("hot") if row["id"] in versions]
    assert [row["id"] for row in rows] == sorted(key for key, (version,) in versions.items() if version)
    # After recovery native tools see the same: one document for each row, of the row's very version.
    documents = servers_of_test.mongodb["hot"].find({"_deleted": {"$exists": False}, "_id": {"$lt": 1000}}).sort("_id")
    assert [(document["_id"], document["document"]["version"]) for document in documents] == [
        (row["id"], row["version"]) for row in rows
    ]


def _write_until_killed(servers: Servers, round_number: int, logs: list[Log], choose: random.Random) -> None:
    """Rows that all writers change are read while they change them; all of them have got somewhere when they die."""
    config = Config.from_urls(mysql=servers.mysql_url, mongodb=servers.mongodb_url)
    with servers.outlived(), servers.open_quiet() as reader, ExitStack() as killed:
        writers = [
            killed.enter_context(Child(config, HotWriter(writer, round_number * WRITERS + writer + 1, log)))
            for writer, log in enumerate(logs)
        ]
        reads = 0

        def got_somewhere() -> bool:
            nonlocal reads
            for writer in writers:
                writer.check()
            reads += _read_shared(reader)
            return reads > 5 and all(log.count("done") > 5 for log in logs)

        wait_until(got_somewhere, "every writer has got somewhere")
        time.sleep(choose.random() * 0.05)


def _read_shared(platform: Platform) -> int:
    """How many rows were there."""
    rows = [row for row in platform.read_many("hot", SHARED) if row is not None]
    single = platform.read("hot", SHARED[1])
    for row in [*rows, *([] if single is None else [single])]:
        document = row["document"]
        assert isinstance(document, dict)
        assert row["version"] == document["version"], "torn"
    return len(rows)
