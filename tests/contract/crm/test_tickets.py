"""Tickets: their queues, what is promised, who is asked where it is not kept, and how they end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from crm_model import Actor, Crm, InvalidInput, NotFound, Refused, RolePolicy
from crm_model.entities import AuditLog, Customer, KbArticle, Ticket
from crm_model.service_levels import SERVICE_LEVELS, ServiceLevels
from tests.contract.conftest import Backend
from tests.contract.crm import make
from tests.contract.crm.conftest import Clock
from tests.contract.crm.processes import together

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LEVELS = ServiceLevels(due_after={1: HOUR, 2: 2 * HOUR}, escalate_every=DAY, most=2)
LONG_AGO = datetime(2020, 1, 1)
"""When the tickets of the tests of overdue ones were opened: nothing else is overdue then."""


def ticket(crm: Crm, **given: Any) -> Ticket:
    customer = given.pop("customer", None) or make.customer(crm)
    return crm.open_ticket(customer.id, given.pop("kind", "故障"), "办公楼三层信号弱", **given)


def test_a_ticket_has_a_number_and_is_due(crm: Crm) -> None:
    one, other = ticket(crm, priority=2, assignee_id=7), ticket(crm)
    assert (one.ticket_no, other.ticket_no) == (f"T{one.id:08d}", f"T{other.id:08d}")
    assert (one.status, one.assignee_id, other.assignee_id) == ("新建", 7, None)
    assert (one.due_at - one.opened_at, other.due_at - other.opened_at) == (8 * HOUR, 24 * HOUR)
    assert crm.find(Ticket, {"ticket_no": one.ticket_no}) == [one]
    with pytest.raises(InvalidInput, match=r"\[1, 2, 3, 4\]"):
        ticket(crm, priority=5)
    with pytest.raises(NotFound):
        crm.open_ticket(999_999_999, "故障", "?")


def test_the_queue_of_an_operator(crm: Crm, clock: Clock) -> None:
    gone, operator = make.customer(crm), make.operator(crm).id
    late, soon = (ticket(crm, priority=3, assignee_id=operator) for _ in range(2))
    urgent, hidden = ticket(crm, priority=1), ticket(crm, customer=gone, assignee_id=operator)
    crm.assign_ticket(urgent.id, operator)
    crm.archive(Customer, gone.id)
    assert [one.id for one in crm.ticket_queue(operator)] == [urgent.id, late.id, soon.id]
    assert [one.id for one in crm.ticket_queue(operator, limit=1)] == [urgent.id]
    crm.close_ticket(late.id, {"办法": "重启"})
    free = crm.assign_ticket(soon.id, None)
    assert [one.id for one in crm.ticket_queue(operator)] == [urgent.id]
    assert free in crm.ticket_queue(None, limit=1000)
    assert hidden.id not in [one.id for one in crm.ticket_queue(None, limit=1000)]
    with pytest.raises(Refused, match="关闭"):
        crm.assign_ticket(late.id, operator)


def test_a_queue_has_what_the_policy_permits(crm: Crm) -> None:
    operator = make.operator(crm).id
    own, other = make.customer(crm, owner_id=operator), make.customer(crm, owner_id=1)
    mine, _ = (ticket(crm, customer=one, assignee_id=operator) for one in (own, other))
    policy = RolePolicy({"客服": ["ticket_queue"]}, own_customers=["客服"])
    confined = Crm(crm.platform, Actor(operator, "客服"), policy=policy, clock=crm.clock)
    assert confined.ticket_queue(operator) == [mine]


def test_pages_of_a_long_queue(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_model.service.BATCH", 2)
    customer, operator = make.customer(crm), make.operator(crm).id
    opened = [ticket(crm, customer=customer, assignee_id=operator, priority=n) for n in (2, 1, 2, 2, 1, 3, 2)]
    expected = sorted(opened, key=lambda one: (one.priority, one.due_at, one.id))
    assert crm.ticket_queue(operator) == expected


def test_what_is_said_is_kept(crm: Crm) -> None:
    opened = ticket(crm)
    crm.reply_to_ticket(opened.id, "已派工程师")
    replied = crm.reply_to_ticket(opened.id, "信号恢复")
    assert replied.status == "处理中"
    assert [(one["by"], one["text"]) for one in replied.thread] == [(1, "已派工程师"), (1, "信号恢复")]
    with pytest.raises(NotFound):
        crm.reply_to_ticket(999_999_999, "?")


def test_closing_and_taking_up_again(crm: Crm, clock: Clock) -> None:
    opened = ticket(crm)
    article = crm.add(KbArticle(title="信号", category="网络", status="草稿", author_id=1))
    closed = crm.close_ticket(opened.id, {"办法": "更换光猫"}, article_id=article.id)
    assert (closed.status, closed.solution, closed.article_id) == ("关闭", {"办法": "更换光猫"}, article.id)
    assert closed.closed_at == clock.now
    assert crm.close_ticket(opened.id, {"办法": "更换光猫"}, article_id=article.id) == closed
    with pytest.raises(Refused, match="reopen it first"):
        crm.close_ticket(opened.id, {"办法": "重启"})
    with pytest.raises(Refused, match="reopen it first"):
        crm.reply_to_ticket(opened.id, "还是不行")
    clock.now += DAY
    again = crm.reopen_ticket(opened.id, "还是不行")
    assert (again.status, again.closed_at, again.escalation) == ("处理中", None, 0)
    assert (again.due_at, again.solution) == (clock.now + 24 * HOUR, {"办法": "更换光猫"})
    assert crm.reopen_ticket(opened.id, "还是不行") == again
    assert crm.close_ticket(opened.id, {"办法": "重启"}).article_id is None


def test_a_solution_of_another_form(crm: Crm) -> None:
    opened = ticket(crm)
    with pytest.raises(InvalidInput, match="solution"):
        crm.close_ticket(opened.id, ["更换光猫"])  # type: ignore[arg-type]
    with pytest.raises(NotFound, match="kb_article 999999999"):
        crm.close_ticket(opened.id, {}, article_id=999_999_999)
    assert crm.find(Ticket, {"id": opened.id}) == [opened]


def test_asking_someone_above(crm: Crm) -> None:
    leader = make.operator(crm)
    operator = make.operator(crm, manager_id=leader.id)
    opened = ticket(crm, priority=2, assignee_id=operator.id, levels=LEVELS)
    once = crm.escalate_ticket(opened.id, "客户催促", levels=LEVELS)
    assert (once.assignee_id, once.priority, once.escalation, once.due_at) == (leader.id, 1, 1, opened.due_at)
    assert once.thread[-1]["text"] == "升级:客户催促"
    twice = crm.escalate_ticket(opened.id, "客户催促", levels=LEVELS)
    assert (twice.assignee_id, twice.priority, twice.escalation) == (leader.id, 1, 2)
    with pytest.raises(Refused, match="escalated 2 times"):
        crm.escalate_ticket(opened.id, "客户催促", levels=LEVELS)


@pytest.mark.parametrize(
    ("late", "times"),
    [
        (-HOUR, 0),
        (timedelta(0), 0),
        (timedelta(milliseconds=1), 1),
        (DAY - HOUR, 1),
        (DAY, 2),
        (2 * DAY, 2),
        (99 * DAY, 2),
    ],
)
def test_how_often_a_ticket_is_escalated(late: timedelta, times: int) -> None:
    assert LEVELS.escalation(LONG_AGO, LONG_AGO + late) == times
    assert SERVICE_LEVELS.due_at(LONG_AGO, 1) == LONG_AGO + 4 * HOUR


def test_overdue_tickets_are_escalated_once(crm: Crm, clock: Clock) -> None:
    leader = make.operator(crm)
    operator = make.operator(crm, manager_id=leader.id)
    clock.now = LONG_AGO
    first, second, nobodys, closed = (
        ticket(crm, priority=priority, assignee_id=who, levels=LEVELS)
        for priority, who in ((1, operator.id), (2, operator.id), (1, None), (1, None))
    )
    crm.reply_to_ticket(second.id, "已受理")
    crm.close_ticket(closed.id, {})
    assert crm.overdue(LONG_AGO + HOUR) == []
    now = LONG_AGO + HOUR + timedelta(seconds=1)
    assert [one.id for one in crm.overdue(now)] == [first.id, nobodys.id]
    assert [one.id for one in crm.overdue(now, limit=1)] == [first.id]
    escalated = crm.escalate_overdue(now, levels=LEVELS)
    assert [(one.id, one.assignee_id, one.escalation) for one in escalated] == [
        (first.id, leader.id, 1), (nobodys.id, None, 1),
    ]  # fmt: skip
    assert escalated[0].thread[-1]["text"] == "升级:超过承诺时间"
    assert crm.escalate_overdue(now, levels=LEVELS) == []
    assert [one.id for one in crm.escalate_overdue(now + HOUR, levels=LEVELS)] == [second.id]
    missed = {one.id: one for one in crm.escalate_overdue(now + 9 * DAY, levels=LEVELS)}
    assert {key: one.escalation for key, one in missed.items()} == {first.id: 2, second.id: 2, nobodys.id: 2}
    assert missed[second.id].assignee_id == leader.id
    assert crm.escalate_overdue(now + 99 * DAY, levels=LEVELS) == []
    assert len(crm.overdue(now)) == 2, "they stay overdue"
    for one in missed.values():
        crm.close_ticket(one.id, {})
    assert crm.overdue(now) == []


def escalate(crm: Crm, days: int) -> list[int]:
    now = LONG_AGO + timedelta(days=days)
    return [one.id for one in crm.escalate_overdue(now, levels=LEVELS)]


def test_two_processes_escalate_each_ticket_once(crm: Crm, crm_backend: Backend, clock: Clock) -> None:
    clock.now = LONG_AGO
    opened = [ticket(crm, priority=1, levels=LEVELS).id for _ in range(6)]
    one, other = together(crm_backend, f"{__name__}:escalate", [1], [1])
    assert sorted([*one, *other]) == opened
    entries = crm.find(AuditLog, {"entity": "ticket", "entity_id": opened, "action": "escalate_overdue"})
    assert sorted(entry.entity_id for entry in entries) == opened
    for key in opened:
        crm.close_ticket(key, {})
