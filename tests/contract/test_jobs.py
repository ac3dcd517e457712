"""What is remembered of long operations: the same on every backend."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from platform_store import Conflict, Platform, SchemaError
from platform_store.stores.jobs import JobStore
from tests.contract.conftest import Backend

ME, OTHER = b"m" * 16, b"o" * 16


@pytest.fixture
def jobs(platform: Platform) -> JobStore:
    return platform._rows.jobs


def test_a_job_is_found_as_it_was_added(jobs: JobStore, backend: Backend) -> None:
    added = jobs.add("migrate", "顾客", {"to": "mongodb", "n": 1.5}, {"phase": "复制"})
    with backend.open() as another:
        found = another._rows.jobs.load(added.id)
        assert found is not None
        assert (found.kind, found.table, found.status) == ("migrate", "顾客", "running")
        assert (found.spec, found.state) == ({"to": "mongodb", "n": 1.5}, {"phase": "复制"})
        assert 0 <= found.seconds_since < 60
        assert another._rows.jobs.load(added.id + 1) is None


def test_jobs_are_listed_the_newest_first(jobs: JobStore) -> None:
    first, second = jobs.add("migrate", "a", {}, {}), jobs.add("move-column", "a", {}, {})
    third = jobs.add("migrate", "A", {}, {})
    assert [job.id for job in jobs.all()] == [third.id, second.id, first.id]
    found = jobs.find("migrate", "a")
    assert found is not None
    assert found.id == first.id
    assert jobs.find("migrate", "b") is None


@pytest.mark.parametrize("status", ["running", "paused", "failed"])
def test_a_job_that_has_not_ended_keeps_its_table(jobs: JobStore, status: str) -> None:
    job = jobs.add("migrate", "a", {}, {})
    assert jobs.take(job.id, ME, 60)
    assert jobs.save(job.id, ME, {}, status)  # type: ignore[arg-type]
    with pytest.raises(Conflict, match="not ended"):
        jobs.add("migrate", "a", {}, {})
    found = jobs.find("migrate", "a")
    assert found is not None
    assert (found.id, found.status) == (job.id, status)


@pytest.mark.parametrize("status", ["done", "rolled-back"])
def test_a_job_that_has_ended_makes_way(jobs: JobStore, status: str) -> None:
    job = jobs.add("migrate", "a", {}, {})
    assert jobs.take(job.id, ME, 60)
    assert jobs.save(job.id, ME, {"rows": 1}, status)  # type: ignore[arg-type]
    assert jobs.find("migrate", "a") is None
    assert jobs.add("migrate", "a", {}, {}).id > job.id


def test_doctor_says_what_has_failed(jobs: JobStore, platform: Platform) -> None:
    job = jobs.add("migrate", "a", {}, {})
    assert jobs.take(job.id, ME, 60)
    assert [finding.ok for finding in platform.doctor() if finding.subject == "migrate a"] == [True]
    assert jobs.save(job.id, ME, {"error": "kaputt"}, "failed")
    (finding,) = [finding for finding in platform.doctor() if finding.subject == "migrate a"]
    assert not finding.ok
    assert finding.detail == f"job {job.id} has failed: kaputt"


def test_of_many_that_add_one_gets_it(jobs: JobStore) -> None:
    def add(_: int) -> bool:
        try:
            jobs.add("migrate", "a", {}, {})
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(add, range(4))) == [False, False, False, True]


def test_one_owner_at_a_time(jobs: JobStore) -> None:
    job = jobs.add("migrate", "a", {}, {}).id
    assert jobs.take(job, ME, 60)
    assert jobs.take(job, ME, 60)
    assert not jobs.take(job, OTHER, 60)
    assert not jobs.save(job, OTHER, {"rows": 2}, "done")
    assert jobs.save(job, ME, {"rows": 1}, "running")
    assert not jobs.take(job, OTHER, 60)
    found = jobs.load(job)
    assert found is not None
    assert (found.state, found.status) == ({"rows": 1}, "running")


def test_an_owner_that_ends_makes_way(jobs: JobStore) -> None:
    job = jobs.add("migrate", "a", {}, {}).id
    assert jobs.take(job, ME, 60)
    assert jobs.save(job, ME, {}, "paused")
    assert jobs.take(job, OTHER, 60)
    assert not jobs.save(job, ME, {}, "running")


def test_a_lease_runs_out(jobs: JobStore) -> None:
    job = jobs.add("migrate", "a", {}, {}).id
    assert jobs.take(job, ME, 0.05)
    time.sleep(0.2)
    assert jobs.save(job, ME, {}, "running")  # nobody else has come
    assert jobs.take(job, OTHER, 60)
    assert not jobs.save(job, ME, {}, "running")
    assert not jobs.take(job, ME, 60)


def test_parts(jobs: JobStore) -> None:
    job, other = jobs.add("migrate", "a", {}, {}).id, jobs.add("migrate", "b", {}, {}).id
    jobs.add_parts(job, [{"start": 1}, {"start": "二"}])
    jobs.add_parts(other, [{"start": 3}])
    jobs.save_part(job, 1, {"after": "三"}, done=True)
    jobs.save_part(job, 1, {"after": "三"}, done=True)  # nothing changes, and it is there all the same
    assert [(part.number, part.state, part.done) for part in jobs.parts(job)] == [
        (0, {"start": 1}, False),
        (1, {"after": "三"}, True),
    ]
    jobs.add_parts(job, [])
    assert jobs.parts(job) == []
    assert len(jobs.parts(other)) == 1
    with pytest.raises(SchemaError, match="no part 1"):
        jobs.save_part(job, 1, {}, done=False)


def test_what_is_forgotten_is_gone(jobs: JobStore) -> None:
    job = jobs.add("migrate", "a", {}, {}).id
    jobs.add_parts(job, [{"start": 1}])
    assert jobs.take(job, ME, 60)
    jobs.remove(job)
    assert jobs.load(job) is None
    assert jobs.parts(job) == []
    assert not jobs.save(job, ME, {}, "running")
    assert not jobs.take(job, ME, 60)
    jobs.remove(job)


def test_a_job_is_taken_from_its_owner_to_pause_it(jobs: JobStore) -> None:
    job = jobs.add("migrate", "a", {}, {"rows": 1}).id
    assert jobs.take(job, ME, 60)
    assert jobs.pause(job)
    assert not jobs.save(job, ME, {"rows": 2}, "running")
    found = jobs.load(job)
    assert found is not None
    assert (found.state, found.status) == ({"rows": 1}, "paused")
    assert jobs.take(job, OTHER, 60)
    assert jobs.save(job, OTHER, {"rows": 2}, "done")
    assert not jobs.pause(job)  # it has ended
    assert not jobs.take(job, ME, 60)


def test_how_busy_the_row_store_is(jobs: JobStore) -> None:
    assert jobs.busy() >= 1
