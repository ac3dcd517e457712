"""Migrations while something else goes on: writers, a halt, a ceiling, a busy server; and in bounded memory."""

from __future__ import annotations

import contextlib
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pymongo
import pymysql
import pytest
from pymysql.constants import ER

from platform_store import Conflict, Platform
from platform_store.migration import prepare
from platform_store.records import Progress
from tests.integration.conftest import Servers
from tests.integration.migrating import TO_DOCUMENTS, TO_ROWS, documents, fill, migrate, rows_as_documents
from tests.servers.databases import sql_connection
from tests.waiting import PATIENCE, wait_until

ROWS = 3000


class Writers:
    """Changes rows past the library, in the source, while a migration is under way; remembers what it did last."""

    def __init__(self, servers: Servers, direction: str):
        self._servers, self._direction = servers, direction
        self._stopped = threading.Event()
        self.changes = 0
        self.last: dict[int, str | None] = {}
        self.failed: list[Exception] = []

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self.stop()
            thread.join()
        assert self.failed == []

    def stop(self) -> None:
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    def go_on(self, changes: int) -> None:
        """Waits until so many more are made. None of 50 is in a given half of the rows once in 10^13 times."""
        enough = self.changes + changes
        wait_until(lambda: self.changes >= enough or bool(self.failed), "the writers have changed something")

    def _run(self) -> None:
        chosen = random.Random(5)
        try:
            with self._writing() as write:
                while not self._stopped.is_set():
                    key, what = chosen.randint(1, ROWS + 300), chosen.choice(["put", "put", "put", "remove"])
                    value = f"neu {self.changes}" if what == "put" else None
                    write(key, value)
                    self.last[key] = value
                    self.changes += 1
        except (pymysql.Error, pymongo.errors.PyMongoError) as error:
            self.failed.append(error)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Callable[[int, str | None], None]]:
        if self._direction == TO_ROWS:
            yield self._to_mongodb
            return
        with sql_connection(self._servers.mysql_url) as connection, connection.cursor() as cursor:

            def change(key: int, value: str | None) -> None:
                if value is None:
                    cursor.execute("DELETE FROM plain WHERE id = %s", [key])
                else:
                    cursor.execute(
                        "INSERT INTO plain (id, name) VALUES (%s, %s) ON DUPLICATE KEY UPDATE name = %s",
                        [key, value, value],
                    )

            def write(key: int, value: str | None) -> None:
                while True:  # as any application does after a deadlock
                    try:
                        return change(key, value)
                    except pymysql.OperationalError as error:
                        if error.args[0] != ER.LOCK_DEADLOCK:
                            raise

            yield write

    def _to_mongodb(self, key: int, value: str | None) -> None:
        collection = self._servers.mongodb["plain"]
        if value is None:
            collection.delete_one({"_id": key})
        else:
            collection.update_one({"_id": key}, {"$set": {"name": value}}, upsert=True)


def _source(platform: Platform, servers: Servers, direction: str, rows: int = ROWS) -> None:
    fill(servers, rows)
    if direction == TO_ROWS:
        found = rows_as_documents(platform)
        servers.mongodb["plain"].insert_many([dict(one) for one in found.values()])
        servers.sql("DELETE FROM plain")


@pytest.fixture
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand rows are worth a process."""
    monkeypatch.setattr(prepare, "FEW", 1000)


both_ways = pytest.mark.parametrize("direction", [TO_DOCUMENTS, TO_ROWS])


class TestWriters:
    @both_ways
    @pytest.mark.parametrize("workers", [1, 2])
    def test_no_change_is_lost(
        self, platform: Platform, servers_of_test: Servers, direction: Any, workers: int
    ) -> None:
        _source(platform, servers_of_test, direction)
        writers = Writers(servers_of_test, direction)
        with writers.at_work():

            def tell(progress: Progress) -> None:
                if progress.phase == "catch-up" and progress.rows > ROWS / 2 and not writers.stopped:
                    writers.go_on(51)
                    writers.stop()

            done = migrate(platform, direction=direction, batch_rows=50, workers=workers, progress=tell)
        assert writers.changes > 50
        assert done.changed > 0
        assert done.settled
        assert documents(servers_of_test) == rows_as_documents(platform)
        found = documents(servers_of_test)
        for key, name in writers.last.items():
            assert (found[key]["name"] if name is not None else found.get(key)) == name

    @both_ways
    def test_a_move_loses_no_change(self, platform: Platform, servers_of_test: Servers, direction: Any) -> None:
        """A row that is written again after it was moved is moved again; a deletion of one that has gone is none."""
        _source(platform, servers_of_test, direction)
        writers = Writers(servers_of_test, direction)
        seen = [0]
        with writers.at_work():

            def tell(progress: Progress) -> None:
                if progress.rows < seen[-1]:  # the second round
                    writers.stop()
                seen.append(progress.rows)

            done = migrate(platform, direction=direction, mode="move", batch_rows=50, progress=tell)
        assert done.settled
        target, left = documents(servers_of_test), rows_as_documents(platform)
        if direction == TO_ROWS:
            target, left = left, target
        assert left == {}
        for key, name in writers.last.items():
            if name is not None:
                assert target[key]["name"] == name
        untouched = set(range(1, ROWS + 1)) - set(writers.last)
        assert untouched <= set(target)

    @both_ways
    def test_without_catching_up_changes_are_missed(
        self, platform: Platform, servers_of_test: Servers, direction: Any
    ) -> None:
        """What the tests above would notice."""
        _source(platform, servers_of_test, direction)
        writers = Writers(servers_of_test, direction)
        seen = [0]
        with writers.at_work():

            def tell(progress: Progress) -> None:
                if seen[-1] < ROWS / 2 <= progress.rows:
                    writers.go_on(50)
                seen.append(progress.rows)

            done = migrate(platform, direction=direction, batch_rows=50, catch_up=False, progress=tell)
        assert not done.settled
        assert documents(servers_of_test) != rows_as_documents(platform)


class TestHalting:
    @both_ways
    @pytest.mark.parametrize("mode", ["copy", "move"])
    @pytest.mark.parametrize("workers", [1, 2])
    @pytest.mark.usefixtures("few_are_many")
    def test_pause_and_resume(
        self, platform: Platform, servers_of_test: Servers, direction: Any, mode: Any, workers: int
    ) -> None:
        """By workers slowly, so that a busy machine lets them be halted before they are done."""
        rows = 200 if workers == 1 else 2000
        _source(platform, servers_of_test, direction, rows)
        servers_of_test.sql("ANALYZE TABLE plain")
        before = documents(servers_of_test) | rows_as_documents(platform)
        halt = threading.Event()

        def tell(progress: Progress) -> None:
            if progress.rows >= rows / 4:
                halt.set()

        options: dict[str, Any] = {"mode": mode, "workers": workers, "batch_rows": 10 if workers == 1 else 50}
        slowly = None if workers == 1 else rows / 5
        first = migrate(platform, direction=direction, progress=tell, halt=halt, max_rows_per_second=slowly, **options)
        assert first.status == "paused"
        (job,) = platform.jobs()
        assert job.status == "paused"
        assert rows / 4 <= job.rows < rows
        with pytest.raises(Conflict, match="--resume"):
            migrate(platform, direction=direction, **options)
        done = migrate(platform, direction=direction, resume=True, **options)
        assert (done.job, done.status, done.rows, done.settled) == (first.job, "done", rows, True)
        target = documents(servers_of_test) if direction == TO_DOCUMENTS else rows_as_documents(platform)
        assert target == before

    def test_pausing_from_elsewhere(self, platform: Platform, servers_of_test: Servers) -> None:
        fill(servers_of_test, 2000)

        def tell(progress: Progress) -> None:
            if progress.rows == 20:
                with servers_of_test.open() as another:
                    another.pause_job(another.jobs()[0].id)

        done = migrate(platform, batch_rows=10, max_rows_per_second=100.0, progress=tell)
        assert done.status == "paused"
        assert migrate(platform, batch_rows=500, resume=True).settled


class TestRestraint:
    @pytest.mark.parametrize("workers", [1, 2])
    @pytest.mark.usefixtures("few_are_many")
    def test_a_ceiling(self, platform: Platform, servers_of_test: Servers, workers: int) -> None:
        rows, ceiling = (300, 150.0) if workers == 1 else (2400, 1200.0)
        fill(servers_of_test, rows)
        servers_of_test.sql("ANALYZE TABLE plain")
        began = time.monotonic()
        migrate(platform, batch_rows=10, max_rows_per_second=ceiling, workers=workers, catch_up=False)
        assert rows / ceiling - 1.5 < time.monotonic() - began < rows / ceiling + PATIENCE

    def test_a_busy_server(self, platform: Platform, servers_of_test: Servers) -> None:
        """Statements of others that run for a while hold it back; it goes on once they have ended."""
        fill(servers_of_test, 300)
        sleeping, times = "INFO LIKE 'SELECT SLEEP%'", [time.monotonic()]

        def wake_them() -> None:
            wait_until(lambda: time.monotonic() - times[-1] > 2.0, "nothing has come over for two seconds")
            for number in servers_of_test.connections(sleeping):
                servers_of_test.sql(f"KILL QUERY {number}")

        with ThreadPoolExecutor(7) as pool:
            sleepers = [pool.submit(_sleep, servers_of_test) for _ in range(6)]
            wait_until(lambda: len(servers_of_test.connections(sleeping)) == 6, "the server is busy")
            waking = pool.submit(wake_them)
            migrate(
                platform, batch_rows=5, max_threads_running=6, max_rows_per_second=150.0,
                progress=lambda _: times.append(time.monotonic()),
            )  # fmt: skip
            assert waking.done()  # it had to be
            for done in [waking, *sleepers]:
                done.result()
        assert max(later - earlier for earlier, later in pairwise(times)) > 2.0

    def test_memory_is_bounded(self, platform: Platform, servers_of_test: Servers) -> None:
        """A table of 100 MB, pages of at most a few."""
        servers_of_test.sql("CREATE TABLE plain (id INT PRIMARY KEY, body MEDIUMTEXT)")
        for key in range(0, 400, 8):
            values = ", ".join(
                f"({key + n}, REPEAT('x{key + n}', {250_000 // len(str(key + n) + 'x')}))" for n in range(8)
            )
            servers_of_test.sql(f"INSERT INTO plain VALUES {values}")
        migrate(platform, stop=20, batch_rows=2000)
        Path("/proc/self/clear_refs").write_text("5")  # what other tests needed at most is forgotten
        before = _most_memory()
        migrate(platform, batch_rows=2000)
        assert _most_memory() - before < 90 * 1024
        assert servers_of_test.mongodb["plain"].count_documents({}) == 400


def _most_memory() -> int:
    """Kilobytes of this process."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.M)
    assert found
    return int(found[1])


def _sleep(servers: Servers) -> None:
    """Until it is woken."""
    interrupted = contextlib.suppress(pymysql.OperationalError)  # as MariaDB says it was
    with sql_connection(servers.mysql_url) as connection, connection.cursor() as cursor, interrupted:
        cursor.execute(f"SELECT SLEEP({PATIENCE})")
