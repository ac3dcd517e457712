"""Reminders, and what becomes of a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_model import Actor, Crm, InvalidInput, NotFound, NotPermitted, Refused, RolePolicy, service
from crm_model.entities import AuditLog, Customer, Task
from platform_store import Platform
from tests.contract.crm import make
from tests.contract.crm.conftest import Clock

NOON = datetime(2026, 6, 1, 12)


@pytest.fixture(autouse=True)
def no_others(crm: Crm) -> Iterator[None]:
    """Reminders are of all customers: those of each test are archived behind it."""
    yield
    for task in crm.find(Task, {}):
        crm.archive(Task, task.id)


@pytest.fixture(scope="module")
def crm_platform(own_crm_platform: Platform) -> Platform:
    """Reminders are of all customers."""
    return own_crm_platform


def task(crm: Crm, customer: Customer | None = None, minutes: int | None = 0, **columns: Any) -> Task:
    """To remind so many minutes after noon."""
    given: dict[str, Any] = {
        "customer_id": None if customer is None else customer.id,
        "assignee_id": 1,
        "kind": "回访",
        "title": "联系总经理",
        "due_at": NOON + timedelta(days=1),
        "remind_at": None if minutes is None else NOON + timedelta(minutes=minutes),
        "status": "待办",
        "origin": "人工",
        "checklist": [{"item": "发送报价", "done": False}],
        **columns,
    }
    return crm.add(Task(**given))


def test_those_of_one_operator(crm: Crm) -> None:
    customer = make.customer(crm)
    make.operators(crm.platform, 2)
    task(crm, customer, -9)
    theirs = [task(crm, customer, -5, assignee_id=2), task(crm, None, 0, assignee_id=2)]
    assert crm.due_reminders(NOON, assignee_id=2) == theirs
    assert len(crm.due_reminders(NOON)) == 3
    assert crm.due_reminders(NOON, assignee_id=3) == []


def test_a_clock_that_is_finer_than_the_columns(crm: Crm) -> None:
    made = task(crm, make.customer(crm))
    for moment in (NOON.replace(microsecond=1999), NOON.replace(microsecond=1001, tzinfo=UTC)):
        fine = Crm(crm.platform, 1, clock=lambda moment=moment: moment)  # type: ignore[misc]
        assert fine.clock() == NOON + timedelta(milliseconds=1)
        assert [due.id for due in fine.due_reminders()] == [made.id]
        assert fine.acting(2).complete_task(made.id).done_at == fine.clock()
        crm.edit(Task, made.id, status="待办", done_at=None)


def test_what_is_due_the_earliest_first(crm: Crm) -> None:
    customer = make.customer(crm)
    started = task(crm, customer, -3, status="进行中")
    earliest, now, soon = task(crm, customer, -9), task(crm, customer, 0), task(crm, None, 1)
    tied = task(crm, customer, -3)
    for columns in ({"status": "完成"}, {"status": "取消"}):
        task(crm, customer, -5, **columns)
    task(crm, customer, None)
    crm.archive(Task, task(crm, customer, -5).id)
    expected = [earliest, started, tied, now]
    assert crm.due_reminders(NOON) == expected
    assert crm.due_reminders(NOON.replace(tzinfo=UTC)) == expected
    assert crm.due_reminders(NOON + timedelta(minutes=1)) == [*expected, soon]
    assert crm.due_reminders(NOON - timedelta(milliseconds=1)) == expected[:3]
    for limit in range(1, 5):
        assert crm.due_reminders(NOON, limit=limit) == expected[:limit]


def test_the_present_moment(crm: Crm, clock: Clock) -> None:
    due = task(crm)
    assert crm.due_reminders() == []
    clock.now = NOON
    assert crm.due_reminders() == [due]


def test_a_complaint_is_among_them(crm: Crm, clock: Clock) -> None:
    recorded = crm.record_feedback(make.customer(crm).id, kind="投诉", channel="电话")
    assert crm.due_reminders() == []
    clock.now += timedelta(days=1)
    assert crm.due_reminders() == [recorded.task]


def test_those_of_customers_that_are_gone_or_out_of_reach(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "BATCH", 2)
    mine, theirs, gone = make.customer(crm), make.customer(crm, owner_id=2), make.customer(crm)
    left_out = [task(crm, one, -9 + number) for number in range(3) for one in (theirs, gone)]
    own = [task(crm, mine, number) for number in range(-5, 0)]
    crm.archive(Customer, gone.id)
    policy = RolePolicy({"客户经理": ["due_reminders"], "主管": ["*"]}, own_customers=["客户经理"])
    operator = Crm(crm.platform, Actor(1, "客户经理"), policy=policy, clock=crm.clock)
    for limit in (1, 2, 5, 100):  # however many of others come before
        assert operator.due_reminders(NOON, limit=limit) == own[:limit]
    of_them = [one for one in left_out if one.customer_id == theirs.id]
    assert (
        operator.acting(Actor(9, "主管")).due_reminders(NOON, limit=7)
        == sorted(own + of_them, key=lambda one: (one.remind_at, one.id))[:7]
    )
    with pytest.raises(NotPermitted):
        operator.acting(Actor(1, "访客")).due_reminders(NOON)


def test_completing(crm: Crm) -> None:
    customer = make.customer(crm)
    open_task, other = task(crm, customer), task(crm)
    done = crm.complete_task(open_task.id)
    assert (done.status, done.version, done.checklist) == ("完成", 2, open_task.checklist)
    assert crm.complete_task(open_task.id) == done
    assert crm.complete_task(task(crm, status="进行中").id).status == "完成"
    assert crm.due_reminders(NOON) == [other]
    (_, entry) = crm.find(AuditLog, {"entity": "task", "entity_id": open_task.id})
    assert (entry.action, entry.before_state, entry.after_state) == (
        "complete_task",
        {"status": "待办", "done_at": None},
        {"status": "完成", "done_at": done.updated_at.isoformat()},
    )


def test_snoozing(crm: Crm, clock: Clock) -> None:
    due = task(crm)
    until = NOON + timedelta(hours=2, microseconds=1999)
    snoozed = crm.snooze_task(due.id, until)
    assert snoozed.remind_at == NOON + timedelta(hours=2, milliseconds=1)
    assert (snoozed.due_at, snoozed.status) == (due.due_at, due.status)
    assert crm.due_reminders(NOON) == []
    assert crm.due_reminders(until) == [snoozed]
    clock.now = NOON
    with pytest.raises(InvalidInput, match="until: is not later than now"):
        crm.snooze_task(due.id, NOON + timedelta(milliseconds=1))


def test_tasks_that_are_not_open(crm: Crm) -> None:
    cancelled, done = task(crm, status="取消"), task(crm, status="完成")
    calls: list[Callable[[], object]] = [
        lambda: crm.complete_task(cancelled.id),
        lambda: crm.snooze_task(cancelled.id, NOON),
        lambda: crm.snooze_task(done.id, NOON),
    ]
    for refused in calls:
        with pytest.raises(Refused, match="is not open any more"):
            refused()
    assert crm.find(Task, {"id": [cancelled.id, done.id]}) == [cancelled, done]
    with pytest.raises(NotFound, match="task 999999999"):
        crm.complete_task(999_999_999)


def test_the_policy_is_asked_for_the_tasks_customer(crm: Crm) -> None:
    mine, theirs = task(crm, make.customer(crm)), task(crm, make.customer(crm, owner_id=2))
    policy = RolePolicy({"客户经理": ["complete_task", "snooze_task"]}, own_customers=["客户经理"])
    operator = Crm(crm.platform, Actor(1, "客户经理"), policy=policy, clock=crm.clock)
    assert operator.snooze_task(mine.id, NOON).remind_at == NOON
    assert operator.complete_task(mine.id).status == "完成"
    with pytest.raises(NotPermitted):
        operator.complete_task(theirs.id)
    with pytest.raises(NotPermitted):
        operator.snooze_task(theirs.id, NOON)
    assert crm.find(Task, {"id": theirs.id}) == [theirs]


def test_limits(crm: Crm) -> None:
    for limit in (0, 1001, True):
        with pytest.raises(InvalidInput, match="limit: give a whole number from 1 to 1000"):
            crm.due_reminders(NOON, limit=limit)
