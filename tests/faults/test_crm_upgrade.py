"""The upgrade of a CRM is killed again and again, at every kind of step, goes on each time, and loses nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm_model import Upgrade, install, upgrade
from platform_store import Config, Platform
from tests.contract.crm import older
from tests.contract.crm.older import ENTITY, TABLES
from tests.faults.child import Child
from tests.faults.schedules import quiet
from tests.faults.steps import Stop

CHANGES = (
    "rows.create_table",
    "documents.create_collection",
    "rows.add_column",
    "rows.tighten_column",
    "documents.create_index",
    "rows.create_index",
    "rows.put_association",
)
"""In an order in which each comes once more after a kill at those before it."""
STOPS = [Stop(name, moment) for name in CHANGES for moment in ("before", "after")]


def run(platform: Platform) -> Upgrade:
    return upgrade(platform, [*TABLES, "gift"])


def kill_at(config: Config, stop: Stop) -> None:
    """Upgrades in a process that is killed there."""
    with Child(config, run, stop_at=str(stop)) as child:
        child.wait_until_stopped()


@pytest.fixture(params=["embedded", "mysql", "mariadb"])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Config:
    if request.param == "embedded":
        return Config.for_embedded(tmp_path / "pair.db")
    mysql = request.getfixturevalue(f"{request.param}_database")
    return quiet(mysql, request.getfixturevalue("mongodb_database"))


def test_an_upgrade_that_is_killed_goes_on(config: Config) -> None:
    with Platform.open(config) as platform:
        before = older.make(platform)
        for stop in STOPS:
            kill_at(config, stop)
            assert older.kept(platform, before)
        run(platform)
        done = run(platform)
        assert (done.tables, done.columns, done.indexes) == ((), (), ())
        install(platform, [*TABLES, "gift"])
        for table in [*TABLES, "gift"]:
            described = platform.describe(table)
            assert {column.name for column in ENTITY[table].attributes("")} <= {one.name for one in described.columns}
            assert set(described.indexes) == set(ENTITY[table].all_indexes)
            assert platform.verify(table).found == 0
        assert all(finding.ok for finding in platform.doctor() if finding.subject.startswith("table"))
        assert older.kept(platform, before)
