"""Schedules in which a member of MongoDB's replica set is lost, with writes that only it had, or does not answer."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest

from platform_store import Config, Platform, Unavailable, journal
from platform_store.errors import PlatformStoreError
from tests.faults import steps, weakened
from tests.faults.replica_set import ReplicaSet
from tests.faults.schedules import COLUMNS, Expected, Schedule, assess, by_key, cases, differences, judge, quiet, rows
from tests.faults.servers import Disposable
from tests.faults.weakened import Weakness, replaced
from tests.servers.databases import fresh_sql_database, with_mongodb_database
from tests.waiting import wait_until

MANY = 60  # rows: enough for their documents to be placed before the commit
SOON, HANGING = 1.0, 3.0  # seconds: for a document to arrive, and for any answer of a MongoDB that hangs
BOUND = 20.0  # seconds for one write, which waits for the two of them, and not for as long as the driver would


# What one member alone had


def bulk(platform: Platform) -> list[str]:
    """A bulk write while no majority can be had: its documents are not to be relied on without the journal."""
    platform.write_many("card", rows(*range(MANY)))
    return differences(platform, by_key(rows(0, MANY - 1)), "before")


def write_and_sweep(platform: Platform) -> list[str]:
    """A write whose document only the primary has, and a sweep that finds it there."""
    platform.write("card", rows(1)[0])
    with contextlib.suppress(Unavailable):
        platform.recover()
    return differences(platform, by_key(rows(1)), "before")


LOST = [
    Schedule(
        "bulk documents at w:1 lost in a failover with no journal",
        "documents are placed at a majority, or journalled",
        bulk,
        (weakened.placed_on_one_member,),
    ),
    Schedule(
        "DuplicateKeyError hiding a write concern's failure",
        "an entry is removed only after a majority was seen to have its document",
        write_and_sweep,
        (weakened.confirmed_by_one_member, weakened.confirmed_by_the_answer),
    ),
]


@pytest.fixture(scope="module")
def failed_over(three_members: ReplicaSet, mysql_url: str) -> Iterator[dict[str, list[str]]]:
    """What goes wrong in each of the cases of LOST, by its id; they share one failover, each in its own databases."""
    three_members.revive()
    with ExitStack() as stack:
        platforms, found = [], {}
        for number, _ in enumerate(cases(LOST)):
            database = with_mongodb_database(three_members.url, f"schedules_{number}")
            mysql = stack.enter_context(fresh_sql_database(mysql_url))
            patient = stack.enter_context(Platform.open(quiet(mysql, database)))
            patient.create_table("card", COLUMNS, flag=1)
            patient.write("card", rows(1000)[0])
            patient.recover()
            impatient = quiet(mysql, database, operation=SOON)
            platforms.append((patient, stack.enter_context(Platform.open(impatient))))
        with three_members.losing_writes():
            for (_, impatient_platform), case in zip(platforms, cases(LOST), strict=True):
                schedule, control = case.values
                with control() if control else nullcontext():
                    found[case.id] = schedule.scenario(impatient_platform)
        for (patient, _), case in zip(platforms, cases(LOST), strict=True):
            found[case.id] += whole_after_the_failover(patient)
        yield found


def whole_after_the_failover(platform: Platform) -> list[str]:
    """Every row is as :func:`rows` made it."""
    wait_until(lambda: swept(platform), "everything is swept")
    keys = [int(str(row["id"])) for row in platform.scan("card", columns=["id"])]
    assert len(keys) > 1
    return differences(platform, by_key(rows(*keys)), "after the failover")


def swept(platform: Platform) -> bool:
    try:
        return platform.recover().remaining == 0
    except Unavailable:
        return False


@pytest.mark.parametrize(("schedule", "control"), cases(LOST))
def test_lost_with_a_member(
    schedule: Schedule, control: Weakness | None, failed_over: dict[str, list[str]], request: pytest.FixtureRequest
) -> None:
    assess(schedule, control, failed_over[request.node.callspec.id])


# Another primary


@dataclass(frozen=True)
class Cluster:
    """Three members of MongoDB and a database on MySQL."""

    members: ReplicaSet
    config: Config


@pytest.fixture
def cluster(replica_set: ReplicaSet, replica_set_url: str, mysql_database: str) -> Cluster:
    return Cluster(replica_set, restless(quiet(mysql_database, replica_set_url), apply_timeout=0.5))


def restless(config: Config, apply_timeout: float) -> Config:
    """With a thread that looks after the journal many times a second."""
    assert config.mongodb is not None
    return replace(
        config,
        mongodb=replace(config.mongodb, apply_timeout=apply_timeout),
        journal=replace(config.journal, reaper=True, interval=0.1, retention=0.1),
    )


def another_primary(cluster: Cluster) -> list[str]:
    """Writers of single rows and of many go on while the primary hands over, and while it is killed."""
    with Platform.open(cluster.config) as platform:
        platform.create_table("card", COLUMNS, flag=1)
        platform.write_many("card", rows(1, 2))
        writers = [Writing(platform, update_of(1)), Writing(platform, update_of(2)), Writing(platform, insert_many)]
        with ExitStack() as stack:
            for writer in writers:
                stack.enter_context(writer)
            cluster.members.step_down()
            old = cluster.members.kill_primary()
            cluster.members.wait_for_primary(other_than=old)
        cluster.members.start(old)
        cluster.members.wait_until_healthy()
        found = [error for writer in writers for error in writer.errors]
        expected: Expected = {}
        for writer in writers:
            found += [] if writer.done else ["a writer never came to its end"]
            expected |= writer.done
        found += differences(platform, expected, "at once")
        wait_until(lambda: swept(platform), "everything is swept")
        return found + differences(platform, expected, "after recover()")


def update_of(key: int) -> Callable[[Platform, int], Expected]:
    def update(platform: Platform, number: int) -> Expected:
        changes = {"n": number, "doc": f"version {number}"}
        platform.update("card", key, changes)
        return {key: {"id": key, **changes}}

    return update


def insert_many(platform: Platform, number: int) -> Expected:
    written = rows(*range(number * 100, number * 100 + MANY))
    platform.write_many("card", written)
    return by_key([written[0], written[-1]])


class Writing:
    """A thread that writes again and again: what it has written, and which errors it met."""

    def __init__(self, platform: Platform, write: Callable[[Platform, int], Expected]) -> None:
        """``write`` takes the number of the turn, and says what is there then."""
        self.done: Expected = {}
        self.errors: list[str] = []
        self._platform, self._write = platform, write
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        for number in itertools.count(1):
            if self._ended.is_set():
                return
            try:
                self.done |= self._write(self._platform, number)
            except PlatformStoreError as error:
                self.errors.append(f"a write raised {type(error).__name__}: {error}")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()


# A member that does not answer


@dataclass(frozen=True)
class Frozen:
    """A MongoDB that a test may freeze, and a database on MySQL."""

    mongodb: Disposable
    config: Config


@pytest.fixture
def freezing(own_mongodb: Disposable, own_mongodb_url: str, mysql_database: str) -> Iterator[Frozen]:
    quickly = quiet(mysql_database, own_mongodb_url, operation=HANGING, selection=HANGING)
    yield Frozen(own_mongodb, restless(quickly, apply_timeout=SOON))
    own_mongodb.revive()


def seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


@contextmanager
def standing_still() -> Iterator[None]:
    """For the library no time passes after which it would ask MongoDB again, however slow the machine is."""
    moment = time.monotonic()
    with replaced(journal, "time", SimpleNamespace(monotonic=lambda: moment)):
        yield


@contextmanager
def asking(way: str) -> Iterator[Callable[[], int]]:
    """How often a platform opened inside has taken a step that begins so, in this thread."""
    recorder = steps.Recorder()
    with steps.install(steps.OwnThread(recorder)):
        yield lambda: sum(name.startswith(way) for name in recorder.names)


def does_not_answer(frozen: Frozen) -> list[str]:
    """MongoDB stands still: one write waits for it, the others do not, and all of them arrive when it goes on."""
    written = rows(*range(6))
    found = []
    with standing_still(), asking("documents.target.apply") as asked, Platform.open(frozen.config) as platform:
        platform.create_table("card", COLUMNS, flag=1)
        platform.write("card", rows(1000)[0])
        frozen.mongodb.freeze()
        first = seconds(lambda: platform.write("card", written[0]))
        if first > BOUND:
            found.append(f"the first write took {first:.1f} s")
        before = asked()
        for row in written[1:]:
            platform.write("card", row)
        if asked() > before:
            found.append(f"the others waited {asked() - before} times")
        expected = by_key(written)
        found += differences(platform, expected, "meanwhile")
        frozen.mongodb.thaw()
        wait_until(lambda: platform.status().pending_entries == 0, "the journal is empty")
        return found + differences(platform, expected, "afterwards")


ANOTHER_PRIMARY = [
    Schedule(
        "MongoDB stepping down, killed or frozen during writes",
        "a write that is committed does not fail for its document",
        another_primary,
        (weakened.apply_raises,),
    ),
]
NOT_ANSWERING = [
    Schedule(
        "MongoDB stepping down, killed or frozen during writes",
        "nobody waits for a MongoDB that did not answer lately",
        does_not_answer,
        (weakened.always_waited_for,),
    ),
]


SCHEDULES = [*LOST, *ANOTHER_PRIMARY, *NOT_ANSWERING]


@pytest.mark.parametrize(("schedule", "control"), cases(ANOTHER_PRIMARY))
def test_another_primary(schedule: Schedule, control: Weakness | None, cluster: Cluster) -> None:
    judge(schedule, control, cluster)


@pytest.mark.parametrize(("schedule", "control"), cases(NOT_ANSWERING))
def test_not_answering(schedule: Schedule, control: Weakness | None, freezing: Frozen) -> None:
    judge(schedule, control, freezing)


def test_not_answering_where_writes_need_it(freezing: Frozen) -> None:
    """Writes fail without effect: the first within the timeout, others ask MongoDB for nothing; then they succeed."""
    assert freezing.config.mongodb is not None
    config = replace(freezing.config, mongodb=replace(freezing.config.mongodb, when_down="fail"))
    with standing_still(), asking("documents.") as asked, Platform.open(config) as platform:
        platform.create_table("card", COLUMNS, flag=1)
        platform.write("card", rows(1)[0])
        freezing.mongodb.freeze()

        def fail(work: Callable[[], object]) -> None:
            with pytest.raises(Unavailable, match="mongodb"):
                work()

        assert seconds(lambda: fail(lambda: platform.write("card", rows(2)[0]))) < BOUND
        before = asked()
        fail(lambda: platform.write("card", rows(3)[0]))
        assert asked() == before
        fail(lambda: platform.update("card", 1, {"doc": "lost"}))
        freezing.mongodb.thaw()
        wait_until(lambda: written(platform, 2), "writes succeed again")
        assert differences(platform, {1: rows(1)[0], 2: rows(2)[0], 3: None}) == []


def written(platform: Platform, key: int) -> bool:
    try:
        platform.write("card", rows(key)[0])
    except Unavailable:
        return False
    return True
