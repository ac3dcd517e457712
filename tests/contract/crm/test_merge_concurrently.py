"""Customers that are merged or erased while others work with them: nothing is left with who is archived or gone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from crm_model import Crm, NotFound
from crm_model.entities import Activity, Customer, Task
from crm_model.services.privacy import Purged
from tests.contract.conftest import Backend
from tests.contract.crm import make
from tests.contract.crm.processes import together
from tests.faults import steps

WAITS = 0.2
"""Seconds in which something does not happen that would take a few milliseconds."""


@contextmanager
def stopped_before_commit(backend: Backend, then: Callable[[], None]) -> Iterator[Crm]:
    """A CRM whose first operation stands still before its commit, all its locks held, while ``then`` runs."""
    hook = steps.OwnThread(steps.At("rows.transaction.commit:before", then))
    with steps.install(hook):
        platform = backend.open()
    with platform:
        yield Crm(platform, 1)


class Rival:
    """Somebody else's operation, in a thread of its own."""

    def __init__(self, backend: Backend, work: Callable[[Crm], object]):
        self._backend, self._work = backend, work
        self._begun = threading.Event()
        self._threads = ThreadPoolExecutor(1)
        self.result: Future[object] | None = None

    def start(self) -> None:
        """Lets it begin its transaction, and sees that it waits."""
        self.result = self._threads.submit(self._run)
        assert self._begun.wait(30)
        with pytest.raises(TimeoutError):
            self.result.result(WAITS)

    def _run(self) -> object:
        begun = steps.At("rows.transaction:before", self._begun.set)
        with steps.install(steps.OwnThread(begun)):
            platform = self._backend.open()
        with platform:
            return self._work(Crm(platform, 2))


def test_an_activity_that_is_being_logged_moves(crm: Crm, crm_backend: Backend) -> None:
    winner, loser = make.customer(crm), make.customer(crm)
    rival = Rival(crm_backend, lambda other: other.merge_customers(winner.id, loser.id).moved)
    with stopped_before_commit(crm_backend, rival.start) as slow:
        logged = slow.log_visit(loser.id, summary="在合并之前")
    assert rival.result is not None
    assert rival.result.result(30) == {"activity.customer_id": 1}
    assert [row.id for row in crm.find(Activity, {"customer_id": winner.id})] == [logged.id]


@pytest.mark.parametrize(
    "work",
    [
        lambda crm, loser: crm.log_visit(loser.id),
        lambda crm, loser: crm.record_feedback(loser.id, kind="投诉", channel="电话"),
        lambda crm, loser: make.customer(crm, parent_id=loser.id),
        lambda crm, loser: crm.merge_customers(loser.id, make.customer(crm).id),
        lambda crm, loser: crm.edit(Task, crm.find(Task, {"title": "别人的"})[-1].id, customer_id=loser.id),
    ],
    ids=["visit", "feedback", "child", "merge", "task"],
)
def test_what_comes_during_a_merge_is_told_where_to_go(
    crm: Crm, crm_backend: Backend, work: Callable[[Crm, Customer], object]
) -> None:
    winner, loser = make.customer(crm), make.customer(crm)
    make.row(crm, Task, title="别人的", customer_id=make.customer(crm).id)
    rival = Rival(crm_backend, lambda other: work(other, loser))
    with stopped_before_commit(crm_backend, rival.start) as slow:
        slow.merge_customers(winner.id, loser.id)
    assert rival.result is not None
    with pytest.raises(NotFound) as caught:
        rival.result.result(30)
    assert caught.value.merged_into == winner.id
    for model, column in ((Activity, "customer_id"), (Task, "customer_id"), (Customer, "parent_id")):
        assert crm.find(model, {column: loser.id}, archived=True) == []


def test_an_activity_that_is_being_logged_is_erased(crm: Crm, crm_backend: Backend) -> None:
    customer = make.customer(crm)
    rival = Rival(crm_backend, lambda other: other.purge(customer.id))
    with stopped_before_commit(crm_backend, rival.start) as slow:
        slow.log_visit(customer.id)
    assert rival.result is not None
    purged = rival.result.result(30)
    assert isinstance(purged, Purged)
    assert (purged.complete, purged.rows["activity"]) == (True, 1)
    assert crm.find(Activity, {"customer_id": customer.id}, archived=True) == []


def test_what_comes_during_a_purge_comes_too_late(crm: Crm, crm_backend: Backend) -> None:
    customer = make.customer(crm)
    rival = Rival(crm_backend, lambda other: other.log_visit(customer.id))
    with stopped_before_commit(crm_backend, rival.start) as slow:
        slow.purge(customer.id)
    assert rival.result is not None
    with pytest.raises(NotFound, match="is archived"):
        rival.result.result(30)
    assert crm.find(Activity, {"customer_id": customer.id}, archived=True) == []


def part(crm: Crm, role: str, winner: int, loser: int, times: int) -> list[int]:
    """What one of several processes does, so many times; the ids of the activities that it has logged.

    It logs an activity with the loser, or where that has gone; or it merges, and undoes it.
    """
    logged = []
    for _ in range(times):
        if role == "merge":
            crm.undo_merge(crm.merge_customers(winner, loser).trace_id)
            continue
        try:
            logged.append(crm.log_visit(loser).id)
        except NotFound:
            logged.append(crm.log_visit(winner).id)
    return logged


def test_activities_from_several_processes(crm: Crm, crm_backend: Backend) -> None:
    winner, loser = make.customer(crm), make.customer(crm)
    ids = (winner.id, loser.id)
    jobs = [("log", *ids, 40), ("merge", *ids, 5)]
    logged = sorted(one for its in together(crm_backend, f"{__name__}:part", *jobs) for one in its)
    assert len(set(logged)) == 40
    crm.merge_customers(*ids)
    assert sorted(row.id for row in crm.find(Activity, {"customer_id": winner.id})) == logged
