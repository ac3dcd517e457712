"""Every schedule known to break a weaker version of the library is tried on real servers, whole and weakened.

The scenarios are in the other modules ``test_schedules_*.py``, each with what protects from it and with the controls
that switch this off (:mod:`tests.faults.weakened`): whole, nothing may go wrong; weakened, something must.
"""

from __future__ import annotations

import pytest

from tests.faults import test_schedules_commit as commit
from tests.faults import test_schedules_crash as crash
from tests.faults import test_schedules_failover as failover
from tests.faults import test_schedules_order as order
from tests.faults.schedules import Schedule, cases

SCHEDULES = [*order.SCHEDULES, *commit.SCHEDULES, *crash.SCHEDULES, *failover.SCHEDULES]
KNOWN = (
    "a revision reissued after a MySQL crash to another writer of the same key",
    "bulk documents at w:1 lost in a failover with no journal",
    "DuplicateKeyError hiding a write concern's failure",
    "a purge between insert-first and the replace",
    "the sweeper deleting documents of a bulk still in flight",
    "delete_range with one revision for all keys",
    "ON DUPLICATE KEY UPDATE hitting another row through a secondary unique key",
    "DBUtils replaying after a lost connection in a transaction",
    "MySQL promoted or restored without its last transactions",
    "two partial updates merging from an unlocked base",
    "a switch of placement or definition between check and commit",
    "a recreated table's journal starting again at 1",
    "UPDATE with equal values reporting 0 rows like a missing one",
    "non-monotonic ids",
    "the reply to COMMIT dropped",
    "a stale applier",
    "MongoDB stepping down, killed or frozen during writes",
)


def test_none_is_forgotten() -> None:
    assert {schedule.name for schedule in SCHEDULES} == set(KNOWN)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.scenario.__name__)
def test_each_has_a_protection_and_a_control(schedule: Schedule) -> None:
    assert schedule.protection
    assert schedule.scenario.__doc__
    assert schedule.controls
    assert all(control.__doc__ for control in schedule.controls)
    assert len(cases([schedule])) == 1 + len(schedule.controls)
