"""A repair that is killed at any of its steps leaves nothing worse, and the next one finishes it."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from bson import Int64, ObjectId

from platform_store import Config, Platform
from platform_store.errors import Diverged, Unavailable
from tests.faults.child import Child, Work, call
from tests.faults.schedules import COLUMNS, quiet
from tests.faults.stops import trace
from tests.integration.conftest import Servers, plain

FAR = Int64(10**12)
ROWS = range(1, 11)
MENDED: dict[int, object] = {2: None, 3: None, 4: None, 5: None, 6: {"v": "neu"}}
"""What becomes of the damaged rows' documents where MySQL is right."""


@dataclass(frozen=True)
class World:
    servers: Servers
    config: Config

    def damaged(self, platform: Platform, table: str) -> None:
        """A table with damage of each kind."""
        platform.create_table(table, COLUMNS, flag=1)
        platform.write_many(table, [{"id": key, "n": key, "doc": {"v": key}} for key in ROWS])
        platform.recover()
        documents = self.servers.mongodb[table]
        documents.delete_one({"_id": 2})
        documents.update_one({"_id": 3}, {"$set": {"_rev": FAR}})
        documents.update_one({"_id": 4}, {"$set": {"doc": ObjectId()}})
        documents.update_one({"_id": 5}, {"$inc": {"_rev": -1}})
        platform.update(table, 6, {"doc": {"v": "neu"}})
        documents.update_one({"_id": 6}, {"$set": {"_rev": FAR}})
        documents.insert_one({"_id": 50, "_rev": 1, "doc": 1})
        documents.insert_one({"_id": "strange", "doc": 1})
        documents.insert_one({"_id": 60, "_rev": FAR, "_deleted": datetime.datetime(2026, 1, 1)})

    def violations(self, platform: Platform, table: str) -> list[str]:
        """What is worse than the damage was, or is not mended by one more repair."""
        seen = []
        for key in ROWS:
            before = {"id": key, "n": key, "doc": {"v": key}}
            allowed: list[Any] = [before] if key not in MENDED else [{**before, "doc": MENDED[key]}, "Diverged"]
            found: Any = "Diverged"
            with contextlib.suppress(Diverged):
                found = platform.read(table, key)
            if found not in allowed:
                seen.append(f"key {key} is {found}")
        if not platform.verify(table, repair=True, side="mysql").ok:
            seen.append("it is not mended")
        for recovered in (False, True):
            if recovered:
                platform.recover()
            if left := platform.verify(table).differences:
                seen.append(f"left (recovered: {recovered}): {left}")
        for key in ROWS:
            expected = {"id": key, "n": key, "doc": MENDED.get(key, {"v": key})}
            if (now := platform.read(table, key)) != expected:
                seen.append(f"at the end key {key} is {now}")
        return seen


@pytest.fixture(params=["mysql", "mariadb"])
def world(request: pytest.FixtureRequest, mongodb_database: str) -> Iterator[World]:
    mysql = request.getfixturevalue(f"{request.param}_database")
    with plain(mysql, mongodb_database) as servers:
        yield World(servers, quiet(mysql, mongodb_database))


def repair(table: str) -> Work:
    return call("verify", table, True, side="mysql")


def test_killed_at_every_step(world: World) -> None:
    with Platform.open(world.config) as platform:
        world.damaged(platform, "recorded")
        stops = trace(world.config, repair("recorded")).kills()
        assert len(stops) > 7
        for number, stop in enumerate(stops):
            table = f"t{number}"
            world.damaged(platform, table)
            with world.servers.outlived(), Child(world.config, repair(table), stop_at=stop) as child:
                child.wait_until_stopped()
            assert world.violations(platform, table) == [], stop
            platform.drop_table(table)


def test_mongodb_is_away(world: World) -> None:
    """Nothing is reported that was not looked at."""
    with Platform.open(world.config) as platform:
        world.damaged(platform, "card")
        platform._documents.close()
        with pytest.raises(Unavailable):
            platform.verify("card", repair=True, side="mysql")
    with Platform.open(world.config) as platform:
        assert world.violations(platform, "card") == []
