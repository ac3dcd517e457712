"""Schedules in which MySQL is killed, comes back without its last transactions, or gives unexpected numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from platform_store import Config, Platform, Unavailable
from tests.faults import weakened
from tests.faults.schedules import (
    COLUMNS,
    Expected,
    Schedule,
    differences,
    interrupted,
    judge,
    kind_of,
    on_both,
    quiet,
    rows,
    settled,
)
from tests.faults.servers import Disposable
from tests.faults.weakened import Weakness
from tests.integration.conftest import plain
from tests.servers.databases import connect_sql
from tests.waiting import wait_until

MANY = 60  # rows: enough for their documents to be placed before the commit
OLD, PENDING, LOST, NEW = "old", "pending", "lost", "new"


@dataclass(frozen=True)
class OwnServer:
    """A MySQL or MariaDB server that may be killed, and a database on it; MongoDB is another one."""

    server: Disposable
    urls: tuple[str, str]

    @property
    def config(self) -> Config:
        mysql, mongodb = self.urls
        return quiet(mysql, mongodb)

    def crash(self) -> None:
        self._run_for_a_second()
        self.server.kill()
        self.server.start()

    def roll_back(self, name: str, *, new_identity: bool = False) -> None:
        self._run_for_a_second()
        self.server.roll_back(name, new_identity=new_identity)

    def _run_for_a_second(self) -> None:
        """The starts of a server are told apart by their second."""
        with connect_sql(self.server.url) as connection, connection.cursor() as cursor:

            def uptime() -> int:
                cursor.execute("SHOW GLOBAL STATUS LIKE 'Uptime'")
                ((_, seconds),) = cursor.fetchall()
                return int(seconds)

            wait_until(lambda: uptime() > 0, "the server has run for a second")

    def end_connections(self) -> None:
        """Those to the database, from the server's side."""
        with plain(*self.urls) as servers:
            servers.end_connections()


@pytest.fixture
def crashing(own_sql: Disposable, own_sql_url: str, mongodb_database: str) -> OwnServer:
    return OwnServer(own_sql, (own_sql_url, mongodb_database))


def row(key: int, doc: str) -> dict[str, object]:
    return rows(key, doc=doc)[0]


def killed_before_commit(world: OwnServer) -> list[str]:
    """MySQL dies between a writer's journal entry and its COMMIT, with what it had not brought to the disk.

    That the number was given is not on the disk then, so another writer of the same key may get it again.
    """
    with Platform.open(world.config) as other:
        other.create_table("card", COLUMNS, flag=1)
        other.write("card", row(100, OLD))
        other.recover()
    world.server.snapshot("on disk")
    with interrupted(world.config, "rows.transaction.commit:before", lambda: world.roll_back("on disk")) as platform:
        ended = kind_of(lambda: platform.write("card", row(1, LOST)))
    found = [] if ended == "Unavailable" else [f"the writer ended with {ended or 'success'}"]
    with Platform.open(world.config) as other:
        other.write("card", row(1, NEW))
        return found + settled(other, {1: row(1, NEW), 100: row(100, OLD)})


def killed_while_placing(world: OwnServer) -> list[str]:
    """MySQL dies when a bulk's documents are in MongoDB and its rows are not committed; others write them."""
    with Platform.open(world.config) as other:
        other.create_table("card", COLUMNS, flag=1)
        other.write("card", row(100, OLD))
    with interrupted(world.config, "rows.transaction.commit:before", world.crash) as platform:
        ended = kind_of(lambda: platform.write_many("card", rows(*range(MANY), doc=LOST)))
    found = [] if ended == "Unavailable" else [f"the writer ended with {ended or 'success'}"]
    with Platform.open(world.config) as other:
        other.write("card", row(0, NEW))
        other.write_many("card", rows(*range(1, MANY), doc=NEW))
        return found + settled(other, {0: row(0, NEW), 1: row(1, NEW), 59: row(59, NEW), 100: row(100, OLD)})


def reissued(world: OwnServer) -> list[str]:
    """MySQL comes back without its last transactions, and a key that one of them wrote is written anew."""
    expected: Expected = {1: row(1, OLD), 2: row(2, NEW), 3: row(3, PENDING)}
    with Platform.open(world.config) as platform:
        platform.create_table("card", COLUMNS, flag=1)
        platform.write_many("card", [row(1, OLD), row(3, OLD)])
        platform.recover()
        platform.update("card", 3, {"doc": f"{PENDING} 3"})
        world.server.snapshot("older")
        platform.write("card", row(2, LOST))
        platform.recover()
        world.roll_back("older")
    with Platform.open(world.config) as platform:
        with contextlib.suppress(Unavailable):
            platform.write("card", row(2, NEW))
        platform.recover()
        if platform.read("card", 2) is None:
            platform.write("card", row(2, NEW))
        return settled(platform, expected)


def numbered_by_two(world: OwnServer) -> list[str]:
    """The server gives every second number, as the members of a multi-primary cluster do."""
    with Platform.open(world.config) as platform:
        platform.create_table("card", COLUMNS, flag=1)
    with every_second_number(world):
        ended = kind_of(lambda: write_by_twos(world.config))
    with Platform.open(world.config) as platform:
        if ended == "ConfigError":
            return differences(platform, {1: None, 2: None})
        return [f"it ended with {ended or 'success'}", *settled(platform, {1: row(1, OLD), 2: row(2, NEW)})]


@contextlib.contextmanager
def every_second_number(world: OwnServer) -> Iterator[None]:
    """For connections made inside."""
    with connect_sql(world.server.url) as connection, connection.cursor() as cursor:
        cursor.execute("SET GLOBAL auto_increment_increment = 2")
        try:
            yield
        finally:
            cursor.execute("SET GLOBAL auto_increment_increment = 1")


def write_by_twos(config: Config) -> None:
    with Platform.open(config) as platform:
        platform.write_many("card", [row(1, OLD), row(2, OLD)])
        platform.recover()
        platform.update("card", 2, {"doc": f"{NEW} 2"})


def numbered_by_two_from_now_on(world: OwnServer) -> list[str]:
    """The setting changes under an open Platform, and its next connection has it."""
    with Platform.open(world.config) as old:
        old.create_table("card", COLUMNS, flag=1)
        with every_second_number(world):
            world.end_connections()
            ended = kind_of(lambda: answered(lambda: old.write_many("card", [row(1, OLD), row(2, OLD)])))
            found = [] if ended == "ConfigError" else [f"it ended with {ended or 'success'}"]
            expected: Expected = {1: None, 2: None} if ended else {1: row(1, OLD), 2: row(2, OLD)}
        return found + settled(old, expected)


def lost_without_a_sign(world: OwnServer) -> list[str]:
    """What was lost had not been confirmed, so nothing says that MySQL is behind; its journal must not lose a row."""
    with Platform.open(world.config) as old:
        old.create_table("card", COLUMNS, flag=1)
        old.write("card", row(1, OLD))
        old.recover()
        old.update("card", 1, {"doc": f"{PENDING} 1"})
        world.server.snapshot("older")
        old.update("card", 1, {"doc": f"{LOST} 1"})
        world.roll_back("older")
    with Platform.open(world.config) as fresh:
        return settled(fresh, {1: row(1, PENDING)})


SCHEDULES = [
    Schedule(
        "a revision reissued after a MySQL crash to another writer of the same key",
        "documents follow the COMMIT, and revisions jump after a restart",
        killed_before_commit,
        (weakened.applied_before_commit,),
    ),
    Schedule(
        "MySQL promoted or restored without its last transactions",
        "MongoDB remembers how far revisions were, and MySQL's jump above it",
        reissued,
        (weakened.admission_off,),
    ),
    Schedule(
        "MySQL promoted or restored without its last transactions",
        "an entry that its row still shows is journalled anew where MongoDB has a newer document",
        lost_without_a_sign,
        (weakened.nothing_renewed,),
    ),
    Schedule(
        "non-monotonic ids",
        "no connection is made to a server with auto_increment_increment",
        numbered_by_two,
        (weakened.any_increment,),
    ),
    Schedule(
        "non-monotonic ids",
        "every connection looks for auto_increment_increment, not only the first",
        numbered_by_two_from_now_on,
        (weakened.any_increment,),
    ),
]


@pytest.mark.parametrize(("schedule", "control", "sql_server"), on_both(SCHEDULES), indirect=["sql_server"])
def test_schedule(schedule: Schedule, control: Weakness | None, crashing: OwnServer) -> None:
    judge(schedule, control, crashing)


@pytest.mark.parametrize(
    ("sql_server", "new_identity"), [("mysql", False), ("mysql", True), ("mariadb", False)], indirect=["sql_server"]
)
def test_what_a_restored_mysql_means(crashing: OwnServer, new_identity: bool) -> None:
    """Writes are refused until recover(); reads of what was lost are Diverged; all else goes on."""
    with Platform.open(crashing.config) as old:
        old.create_table("card", COLUMNS, flag=1)
        old.write_many("card", rows(1, 2, 3, 4, 5, doc=OLD))
        old.recover()
        old.update("card", 4, {"doc": f"{PENDING} 4"})
        old.delete("card", 5)
        crashing.server.snapshot("older")
        old.update("card", 1, {"doc": f"{LOST} 1"})
        old.delete("card", 2)
        old.write("card", row(6, LOST))
        old.update("card", 4, {"doc": f"{LOST} 4"})
        old.write("card", row(5, LOST))
        old.recover()
        crashing.roll_back("older", new_identity=new_identity)
        intact: Expected = {3: row(3, OLD), 4: row(4, PENDING), 5: None, 6: None}
        with Platform.open(crashing.config) as fresh:
            for platform in (fresh, old):
                refuses(platform)
                assert differences(platform, {**intact, 1: "Diverged", 2: "Diverged"}) == []
            # The update of 1, the tombstone of 2, the row 6; those of 4 and 5 are the journal's again.
            recovered = old.recover()
            assert dict(recovered.diverged) == {"card": 3}
            assert recovered.remaining == 0
            for platform in (old, fresh):
                assert platform.status().lost_after is None
                assert not unhistoric(platform)
                assert differences(platform, {**intact, 1: "Diverged", 2: "Diverged"}) == []
            old.write("card", row(6, NEW))
            fresh.write_many("card", rows(*range(100, 100 + MANY)))
            fresh.update("card", 3, {"doc": f"{NEW} 3"})
            old.write("card", row(1, NEW), on_conflict="replace")
            fresh.delete("card", 2)
            old.write("card", row(5, NEW))
            healed: Expected = {
                1: row(1, NEW),
                2: None,
                3: row(3, NEW),
                4: row(4, PENDING),
                5: row(5, NEW),
                6: row(6, NEW),
            }
            for platform in (old, fresh):
                assert settled(platform, {**healed, 100: rows(100)[0]}) == []


def refuses(platform: Platform) -> None:
    """Every kind of write, naming MySQL; and the operator is told."""
    works: list[Callable[[], object]] = [
        lambda: platform.write("card", row(6, NEW)),
        lambda: platform.write_many("card", rows(*range(100, 100 + MANY))),
        lambda: platform.update("card", 3, {"doc": NEW}),
        lambda: platform.delete("card", 3),
        lambda: platform.delete_range("card", 3, 3),
        lambda: in_a_transaction(platform),
    ]
    for work in works:
        with pytest.raises(Unavailable, match="restored") as caught:
            answered(work)
        assert caught.value.store == "mysql"
    assert platform.status().lost_after is not None
    assert unhistoric(platform)


def unhistoric(platform: Platform) -> bool:
    """Whether doctor finds that MySQL has lost something."""
    return any(finding.subject == "mysql history" and not finding.ok for finding in platform.doctor())


def answered(work: Callable[[], object]) -> object:
    """Once more where the connection was one of the server before."""
    try:
        return work()
    except Unavailable as error:
        if "restored" in str(error):
            raise
        return work()


def in_a_transaction(platform: Platform) -> None:
    with platform.transaction() as tx:
        tx.write("card", row(6, NEW))


def test_a_plain_restart(crashing: OwnServer) -> None:
    """Nothing is lost: a Platform that was open goes on by itself, and so does a fresh one."""
    with Platform.open(crashing.config) as old:
        old.create_table("card", COLUMNS, flag=1)
        old.write_many("card", rows(1, 2))
        old.recover()
        old.write("card", row(3, PENDING))
        crashing.crash()
        answered(lambda: old.write("card", row(4, NEW)))
        with Platform.open(crashing.config) as fresh:
            fresh.update("card", 1, {"doc": f"{NEW} 1"})
            assert fresh.status().lost_after is None
            old.write_many("card", rows(*range(100, 100 + MANY)))
            assert settled(old, {1: row(1, NEW), 3: row(3, PENDING), 4: row(4, NEW), 100: rows(100)[0]}) == []
            assert not unhistoric(fresh)


def test_a_bulk_killed_while_placing(crashing: OwnServer) -> None:
    assert killed_while_placing(crashing) == []
