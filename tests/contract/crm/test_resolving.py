"""Dealing with feedback."""

from __future__ import annotations

from decimal import Decimal

import pytest

from crm_model import Actor, Crm, NotFound, NotPermitted, RolePolicy
from crm_model.entities import AuditLog, Customer, Feedback, Task
from tests.contract.crm import make


def test_it_is_dealt_with_and_so_is_its_task(crm: Crm) -> None:
    customer = make.customer(crm, owner_id=7)
    recorded = crm.record_feedback(customer.id, kind="投诉", channel="电话", score=1, text="开通太慢")
    other = crm.record_feedback(customer.id, kind="投诉", channel="电话").task
    assert recorded.task is not None
    done = crm.acting(7).resolve_feedback(recorded.feedback.id, "已退费")
    at = done.feedback.updated_at
    assert done.feedback == recorded.feedback.but(
        status="已关闭",
        resolved_at=at,
        updated_at=at,
        version=2,
        handling=[{"at": at.isoformat(), "by": 7, "note": "已退费"}],
    )
    assert done.task == recorded.task.but(status="完成", done_at=at, updated_at=at, version=2)
    assert crm.find(Feedback, {"id": done.feedback.id}) == [done.feedback]
    assert crm.find(Task, {"customer_id": customer.id}) == [done.task, other]
    (entry,) = crm.find(AuditLog, {"entity": "feedback", "entity_id": done.feedback.id, "action": "resolve_feedback"})
    (of_task,) = crm.find(AuditLog, {"entity": "task", "entity_id": recorded.task.id, "action": "resolve_feedback"})
    assert (entry.actor_id, entry.trace_id) == (7, of_task.trace_id)
    assert entry.before_state == {"status": "待处理", "resolved_at": None, "handling": None}
    assert crm.find(Customer, {"id": customer.id})[0].satisfaction == Decimal("1.00")


def test_dealt_with_it_stays_as_it_is(crm: Crm) -> None:
    customer = make.customer(crm)
    feedback = crm.record_feedback(customer.id, kind="建议", channel="微信").feedback
    once = crm.resolve_feedback(feedback.id)
    assert once.task is None
    assert crm.resolve_feedback(feedback.id, "再次") == once
    assert len(crm.find(AuditLog, {"entity": "feedback", "entity_id": feedback.id})) == 2


def test_a_task_that_is_over_stays_as_it_is(crm: Crm) -> None:
    customer = make.customer(crm)
    recorded = crm.record_feedback(customer.id, kind="投诉", channel="微信")
    assert recorded.task is not None
    task = crm.complete_task(recorded.task.id)
    assert crm.resolve_feedback(recorded.feedback.id).task == task
    again = crm.record_feedback(customer.id, kind="投诉", channel="微信")
    assert again.task is not None
    crm.archive(Task, again.task.id)
    assert crm.resolve_feedback(again.feedback.id).task is None


def test_handling_goes_on(crm: Crm) -> None:
    """What was noted before stays, in whatever form."""
    customer = make.customer(crm)
    for before, expected in (([{"note": "已致歉"}], [{"note": "已致歉"}]), ("致歉", ["致歉"])):
        feedback = crm.record_feedback(customer.id, kind="建议", channel="微信").feedback
        crm.edit(Feedback, feedback.id, handling=before, status="处理中")
        assert crm.resolve_feedback(feedback.id).feedback.handling[:-1] == expected


def test_who_may(crm: Crm) -> None:
    customer = make.customer(crm, owner_id=1)
    feedback = crm.record_feedback(customer.id, kind="建议", channel="微信").feedback
    policy = RolePolicy({"客户经理": ["resolve_feedback"]}, own_customers=["客户经理"])
    for actor in (Actor(2, "客户经理"), Actor(1, "客服")):
        with pytest.raises(NotPermitted):
            Crm(crm.platform, actor, policy=policy).resolve_feedback(feedback.id)
    with pytest.raises(NotFound):
        crm.resolve_feedback(999_999_999)
    crm.archive(Feedback, feedback.id)
    with pytest.raises(NotFound, match="archived"):
        crm.resolve_feedback(feedback.id)
