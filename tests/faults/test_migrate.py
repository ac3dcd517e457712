"""A migration is killed at each of its steps, in its own process and in its workers, and goes on."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from platform_store import Config, Conflict, Platform
from platform_store.config import JournalConfig
from platform_store.migration import attendant, prepare
from platform_store.migration.routes import Tenure, ToDocuments
from platform_store.migration.state import Lane
from platform_store.records import Migrated, Progress
from tests.faults.child import Child, ChildFailed, Work, call
from tests.faults.servers import stores
from tests.faults.stops import trace
from tests.integration.conftest import Servers, plain
from tests.integration.migrating import TO_DOCUMENTS, TO_ROWS, documents, fill, rows_as_documents
from tests.servers.databases import fresh_mongodb_database, fresh_sql_database
from tests.waiting import wait_until

ROWS = 10
MANY = 3000  # rows that are worth processes: see few_are_many
LEASE = 5.0  # seconds for which a process that stands still keeps its job
OPERATION = 10.0  # seconds, which is also how long nobody goes on with what a dead worker may have sent to MongoDB
BOTH_WAYS = pytest.mark.parametrize("direction", [TO_DOCUMENTS, TO_ROWS])


@dataclass
class Scene:
    """Two databases with a table ``plain`` to migrate, and a look at both sides past the engine."""

    config: Config
    servers: Servers
    platform: Platform
    direction: Any
    mode: str

    def begin(self, rows: int = ROWS) -> dict[Any, Any]:
        """As if nothing had been migrated: the source is full, the target empty, no job remembered."""
        self.servers.sql("DROP TABLE IF EXISTS plain")
        self.servers.sql("DELETE FROM platform_store_job")
        self.servers.mongodb.drop_collection("plain")
        fill(self.servers, rows)
        source = rows_as_documents(self.platform)
        if self.direction == TO_ROWS:
            self.servers.mongodb["plain"].insert_many([dict(one) for one in source.values()])
            self.servers.sql("DELETE FROM plain")
        return source

    def work(self, **options: Any) -> Work:
        return call("migrate", "plain", self.direction, mode=self.mode, **{"workers": 1, "batch_rows": 5, **options})

    def free(self) -> None:
        """Lets the lease of a dead process run out."""
        self.servers.sql("UPDATE platform_store_job SET lease = NULL, owner = NULL")

    def wrong(self, source: dict[Any, Any], what: str) -> list[str]:
        """How the two sides are not as they have to be once the migration is done."""
        rows, found = rows_as_documents(self.platform), documents(self.servers)
        left, target = (rows, found) if self.direction == TO_DOCUMENTS else (found, rows)
        wrong = [] if target == source else [f"{what}: {len(target)} of {len(source)} rows are in the target"]
        if left != (source if self.mode == "copy" else {}):
            wrong.append(f"{what}: {len(left)} rows are in the source")
        return wrong

    def lost(self, source: dict[Any, Any], what: str) -> list[str]:
        """Rows that are in neither store, or not as they were."""
        rows, found = rows_as_documents(self.platform), documents(self.servers)
        return [
            f"{what}: row {key} is nowhere" for key, one in source.items() if one not in (rows.get(key), found.get(key))
        ]


@contextlib.contextmanager
def _scene(sql_url: str, mongodb_url: str, direction: str, mode: str) -> Iterator[Scene]:
    with fresh_sql_database(sql_url) as sql, fresh_mongodb_database(mongodb_url) as mongodb:
        patient = stores(sql, mongodb, operation=OPERATION)
        config = replace(patient, journal=JournalConfig(reaper=False))
        with plain(sql, mongodb) as servers, Platform.open(config) as platform:
            yield Scene(config, servers, platform, direction, mode)


@pytest.fixture(params=["copy", "move"])
def scene(request: pytest.FixtureRequest, mysql_url: str, mongodb_url: str, direction: str) -> Iterator[Scene]:
    with _scene(mysql_url, mongodb_url, direction, request.param) as made:
        yield made


@pytest.fixture
def copying(mysql_url: str, mongodb_url: str, direction: str) -> Iterator[Scene]:
    with _scene(mysql_url, mongodb_url, direction, "copy") as made:
        yield made


@pytest.fixture
def on_mariadb(mariadb_url: str, mongodb_url: str, direction: str) -> Iterator[Scene]:
    with _scene(mariadb_url, mongodb_url, direction, "move") as made:
        yield made


@dataclass(frozen=True)
class Weakened:
    """Work without one of the protections: what the tests would notice."""

    work: Work
    how: str

    def __call__(self, platform: Platform) -> object:
        if self.how == "unchecked":
            with _patched(Tenure, "check", lambda _: None):
                return self.work(platform)
        with _patched(ToDocuments, "copy", _remembered_first):
            return self.work(platform)


@dataclass(frozen=True)
class Otherwise:
    """Work with another value of one of the library's constants."""

    work: Work
    module: str
    name: str
    value: object

    def __call__(self, platform: Platform) -> object:
        with _patched(importlib.import_module(self.module), self.name, self.value):
            return self.work(platform)


@pytest.fixture
def few_are_many() -> Iterator[None]:
    """A thousand rows are worth a process."""
    with _patched(prepare, "FEW", 1000):
        yield


@contextlib.contextmanager
def _patched(owner: object, name: str, value: object) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _remembered_first(self: ToDocuments, lane: Lane, *, fresh: bool) -> Lane:
    """As ToDocuments.copy(), in the wrong order."""
    reach = (self._key(lane.place), self._key(lane.start), self._key(lane.stop))
    page = self._ends.table.read(self.layout, *reach, self._batch)
    after = lane.beyond(self._place(page.last), len(page.documents), 0, done=page.last is None)
    self._remember(after)
    self._put(page.documents, fresh=fresh)
    return after


def _killed_everywhere(scene: Scene, around: Callable[[Work], Work] = lambda work: work, **options: Any) -> list[str]:
    """What is wrong after a kill at each step, and after the resumption."""
    scene.begin()
    stops = trace(scene.config, around(scene.work(**options))).kills()
    wrong = []
    for stop in stops:
        source = scene.begin()
        with scene.servers.outlived(), Child(scene.config, around(scene.work(**options)), stop_at=stop) as child:
            child.wait_until_stopped()
        wrong += scene.lost(source, stop)
        scene.free()
        scene.work(resume=True, **options)(scene.platform)
        wrong += scene.wrong(source, stop)
    assert len(stops) > 15
    return wrong


class TestKilled:
    @BOTH_WAYS
    def test_at_every_step(self, scene: Scene) -> None:
        assert _killed_everywhere(scene) == []

    @BOTH_WAYS
    def test_at_every_step_on_mariadb(self, on_mariadb: Scene) -> None:
        assert _killed_everywhere(on_mariadb) == []

    @pytest.mark.parametrize("direction", [TO_DOCUMENTS])
    def test_the_harness_notices_what_is_remembered_too_early(self, copying: Scene) -> None:
        told = _killed_everywhere(copying, lambda work: Weakened(work, "remembered first"), catch_up=False)
        assert "5 of 10 rows are in the target" in "\n".join(told)

    @BOTH_WAYS
    @pytest.mark.usefixtures("few_are_many")
    def test_a_worker_is_replaced(self, scene: Scene) -> None:
        source = scene.begin(MANY)
        killed = _At(MANY // 2, _kill_a_worker)
        work = scene.work(workers=2, batch_rows=50, max_rows_per_second=MANY / 3, progress=killed)
        done = work(scene.platform)
        assert isinstance(done, Migrated)
        assert killed.reached
        assert (done.status, done.settled) == ("done", True)
        assert scene.wrong(source, "replaced") == []

    @BOTH_WAYS
    @pytest.mark.usefixtures("few_are_many")
    def test_workers_end_with_the_process_in_charge(self, scene: Scene) -> None:
        source = scene.begin(MANY)
        slowly = scene.work(workers=2, batch_rows=50, max_rows_per_second=MANY / 10)
        with Child(scene.config, Otherwise(slowly, prepare.__name__, "FEW", 1000)) as child:
            wait_until(lambda: _progressed(scene) > 100, "rows have come over")
            workers = _workers_of(child.pid)
            assert scene.config.mysql is not None
            assert not any(scene.config.mysql.password in _shown_by_ps(pid) for pid in workers)
            child.kill()
        assert workers
        wait_until(lambda: not any(_is_worker(pid) for pid in workers), "the workers have ended")
        assert scene.lost(source, "killed") == []
        scene.free()
        done = scene.work(workers=2, batch_rows=1000, resume=True)(scene.platform)
        assert isinstance(done, Migrated)
        assert done.settled
        assert scene.wrong(source, "resumed") == []


class TestTwoAtOnce:
    @BOTH_WAYS
    def test_one_goes_on_the_other_is_refused(self, scene: Scene) -> None:
        source = scene.begin()
        step = "rows.jobs.save_part" if scene.direction == TO_DOCUMENTS else "rows.bulk.load_images"
        with Child(scene.config, scene.work(), stop_at=f"{step}:before", how="wait") as child:
            child.wait_until_stopped()
            with pytest.raises(Conflict, match="--resume"):
                scene.work()(scene.platform)
            with pytest.raises(Conflict, match="another process"):
                scene.work(resume=True)(scene.platform)
            child.resume()
            assert child.result().status == "done"
        assert scene.wrong(source, "both") == []


class TestStoodStill:
    """A process stands still with a page that it has read, for so long that another one does all the rest."""

    @BOTH_WAYS
    def test_what_was_read_before_is_not_written(self, copying: Scene) -> None:
        assert self._unchanged(copying, copying.work(), "renewed|taken over")

    @pytest.mark.parametrize("direction", [TO_DOCUMENTS])  # MySQL refuses a second row of the same key
    def test_it_would_be_without_a_check(self, copying: Scene) -> None:
        assert not self._unchanged(copying, Weakened(copying.work(), "unchecked"), "taken over")

    def _unchanged(self, scene: Scene, work: Work, complaint: str) -> bool:
        """Whether the process that stood still leaves both sides as they are."""
        scene.begin()
        read = "rows.bulk.read" if scene.direction == TO_DOCUMENTS else "documents.bulk.read"
        work = Otherwise(work, attendant.__name__, "LEASE", LEASE)
        with Child(scene.config, work, stop_at=f"{read}:after:2", how="freeze") as child:
            child.wait_until_stopped()
            frozen = time.monotonic()
            scene.free()
            scene.work(resume=True)(scene.platform)
            self._change(scene)
            done = scene.work(replace_target=True)(scene.platform)
            assert isinstance(done, Migrated)
            before = (documents(scene.servers), rows_as_documents(scene.platform))
            wait_until(lambda: time.monotonic() > frozen + LEASE, "its lease has run out")
            child.resume()
            with pytest.raises(ChildFailed, match=complaint):
                child.result()
        return (documents(scene.servers), rows_as_documents(scene.platform)) == before

    def _change(self, scene: Scene) -> None:
        if scene.direction == TO_DOCUMENTS:
            scene.servers.sql("UPDATE plain SET name = 'neu'")
        else:
            scene.servers.mongodb["plain"].update_many({}, {"$set": {"name": "neu"}})


class _At:
    """Does something once so many rows are over."""

    def __init__(self, rows: int, action: Callable[[], None]):
        self._rows, self._action, self.reached = rows, action, False

    def __call__(self, progress: Progress) -> None:
        if progress.rows >= self._rows and not self.reached:
            self.reached = True
            self._action()


def _kill_a_worker() -> None:
    os.kill(_workers_of(os.getpid())[0], signal.SIGKILL)


def _workers_of(parent: int) -> list[int]:
    found = []
    for task in os.listdir(f"/proc/{parent}/task"):
        with open(f"/proc/{parent}/task/{task}/children") as file:
            found += [int(pid) for pid in file.read().split()]
    return [pid for pid in found if _is_worker(pid)]


def _shown_by_ps(pid: int) -> str:
    shown = ""
    for name in ("cmdline", "environ"):
        with open(f"/proc/{pid}/{name}", "rb") as file:
            shown += file.read().decode(errors="replace")
    return shown


def _is_worker(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"platform_store.migration.worker" in file.read()
    except FileNotFoundError:
        return False


def _progressed(scene: Scene) -> int:
    return sum(job.rows for job in scene.platform.jobs())
