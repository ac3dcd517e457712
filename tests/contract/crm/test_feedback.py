"""Feedback: the task that a bad one raises, and the satisfaction that follows."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from crm_model import Actor, Crm, InvalidInput, NotFound, NotPermitted, RolePolicy
from crm_model.entities import AuditLog, Customer, Feedback, Product, Task
from crm_model.services import feedback as feedback_service
from crm_model.services.feedback import RecordedFeedback
from tests.contract.crm import make
from tests.contract.crm.conftest import Clock

BEGIN = datetime(2026, 6, 1)


def said(crm: Crm, customer: Customer, score: int | None = None, kind: str = "调查", **more: Any) -> RecordedFeedback:
    return crm.record_feedback(customer.id, kind=kind, channel="微信", score=score, **more)


def tasks(crm: Crm, customer: Customer) -> list[Task]:
    return crm.find(Task, {"customer_id": customer.id})


def stored(crm: Crm, customer: Customer) -> Customer:
    (found,) = crm.find(Customer, {"id": customer.id})
    return found


def test_all_that_was_said_is_there(crm: Crm, clock: Clock) -> None:
    customer = make.customer(crm)
    visit = crm.log_visit(customer.id)
    product = crm.add(Product(code="P1", name="专线", category="专线", unit_price=Decimal(1), status="在售"))
    recorded = said(
        crm,
        customer,
        4,
        text="开通速度很快😀",
        tags=["速度"],
        answers={"是否推荐": 9},
        product={"name": "专线"},
        attachments=[{"name": "录音.mp3"}],
        activity_id=visit.id,
        product_id=product.id,
    )
    feedback = recorded.feedback
    assert (feedback.status, feedback.occurred_at, feedback.operator_id) == ("待处理", clock.now, 1)
    assert crm.find(Feedback, {"customer_id": customer.id}) == [feedback]
    assert recorded.task is None
    assert tasks(crm, customer) == []


def test_a_bad_one_raises_one_task(crm: Crm) -> None:
    for kind, score, title, priority in (
        ("投诉", None, "处理投诉", 1),
        ("投诉", 5, "处理投诉", 1),
        ("投诉", 1, "处理投诉", 1),
        ("调查", 2, "回访低分反馈", 2),
        ("表扬", 1, "回访低分反馈", 2),
    ):
        customer = make.customer(crm, owner_id=7)
        recorded = said(crm, customer, score, kind)
        (task,) = tasks(crm, customer)
        at = recorded.feedback.created_at
        assert task == recorded.task
        assert (task.assignee_id, task.status, task.title, task.priority) == (7, "待办", title, priority)
        assert (task.remind_at, task.due_at) == (at + timedelta(days=1), at + timedelta(days=2))
        assert task.dedupe_key == f"feedback:{recorded.feedback.id}"
        assert task.rule == {"code": "feedback", "inputs": {"kind": kind, "score": score}}


def test_others_raise_none(crm: Crm) -> None:
    customer = make.customer(crm)
    for kind, score in (("调查", 3), ("表扬", None), ("建议", 5)):
        assert said(crm, customer, score, kind).task is None
    assert tasks(crm, customer) == []


def test_two_complaints_raise_two(crm: Crm) -> None:
    customer = make.customer(crm)
    both = [said(crm, customer, kind="投诉").task for _ in range(2)]
    assert tasks(crm, customer) == both


def test_satisfaction_is_the_average_of_scores(crm: Crm) -> None:
    customer = make.customer(crm)
    assert crm.satisfaction(customer.id) is None
    said(crm, customer)
    assert crm.satisfaction(customer.id) is None
    assert stored(crm, customer).satisfaction is None
    for scores, expected in (((5,), "5.00"), ((4, 4), "4.33"), ((3, 2), "3.60"), ((1, 1, 1), "2.63")):
        for score in scores:
            recorded = said(crm, customer, score)
        assert crm.satisfaction(customer.id) == Decimal(expected)
        assert str(crm.satisfaction(customer.id)) == expected
        assert recorded.customer == stored(crm, customer)
        assert recorded.customer.satisfaction == Decimal(expected)


def test_halves_are_rounded_up_however_many_scores(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = make.customer(crm)
    said(crm, customer, 5, occurred_at=BEGIN - timedelta(days=181))
    crm.archive(Feedback, said(crm, customer, 5).feedback.id)
    for score in (1, 1, 1, None, 1, 1, 1, 1, 2):
        recorded = said(crm, customer, score)
    for few in (500, 9, 8, 0):  # added up here, and by MySQL
        monkeypatch.setattr(feedback_service, "FEW_SCORES", few)
        assert crm.satisfaction(customer.id) == recorded.customer.satisfaction == Decimal("1.13")
        assert crm.satisfaction(make.customer(crm).id) is None


def test_the_days_that_count(crm: Crm, clock: Clock) -> None:
    customer, begin = make.customer(crm), clock.now
    said(crm, customer, 1, occurred_at=begin)
    said(crm, customer, 5, occurred_at=begin + timedelta(days=1))
    for days, later, expected in (
        (180, timedelta(days=180), Decimal("3.00")),
        (180, timedelta(days=180, milliseconds=1), Decimal("5.00")),
        (180, timedelta(days=181), Decimal("5.00")),
        (180, timedelta(days=181, milliseconds=1), None),
        (30, timedelta(days=30), Decimal("3.00")),
        (30, timedelta(days=31), Decimal("5.00")),
        (365, timedelta(days=300), Decimal("3.00")),
    ):
        clock.now = begin + later - timedelta(milliseconds=1)
        assert crm.satisfaction(customer.id, days) == expected, (days, later)


def test_a_feedback_without_a_score_lets_the_satisfaction_age(crm: Crm, clock: Clock) -> None:
    customer = make.customer(crm)
    said(crm, customer, 1)
    clock.now += timedelta(days=100)
    assert said(crm, customer, 5).customer.satisfaction == Decimal("3.00")
    clock.now += timedelta(days=100)
    assert stored(crm, customer).satisfaction == Decimal("3.00")
    assert said(crm, customer).customer.satisfaction == Decimal("5.00")


def test_feedback_recorded_at_once_is_all_in_the_satisfaction(crm: Crm) -> None:
    customer = make.customer(crm)
    clock = crm.clock
    with ThreadPoolExecutor(4) as pool:
        recorded = list(pool.map(lambda score: said(Crm(crm.platform, 1, clock=clock), customer, score), [1, 2, 5] * 4))
    assert stored(crm, customer).satisfaction == crm.satisfaction(customer.id) == Decimal("2.67")
    assert len(tasks(crm, customer)) == len([one for one in recorded if one.task]) == 8


def test_what_is_ahead_of_the_clock_counts(crm: Crm, clock: Clock) -> None:
    customer = make.customer(crm)
    recorded = said(crm, customer, 5, occurred_at=clock.now + timedelta(days=1))
    assert crm.satisfaction(customer.id) == recorded.customer.satisfaction == Decimal("5.00")


def test_what_leaves_the_satisfaction_as_it_was(crm: Crm, clock: Clock) -> None:
    customer = make.customer(crm, satisfaction=Decimal("4.20"))
    said(crm, customer)
    said(crm, customer, kind="投诉")
    said(crm, customer, 1, occurred_at=clock.now - timedelta(days=181))
    assert stored(crm, customer) == customer
    assert said(crm, customer, 3).customer.satisfaction == Decimal("3.00")


def test_archived_feedback_does_not_count(crm: Crm) -> None:
    customer = make.customer(crm)
    bad = said(crm, customer, 1)
    said(crm, customer, 5)
    crm.archive(Feedback, bad.feedback.id)
    assert crm.satisfaction(customer.id) == Decimal("5.00")
    assert said(crm, customer, 4).customer.satisfaction == Decimal("4.50")


def test_all_of_it_is_in_the_audit(crm: Crm) -> None:
    customer = make.customer(crm, satisfaction=Decimal("4.00"))
    recorded = said(crm, customer, 2)
    assert recorded.task is not None
    (of_feedback,) = crm.find(AuditLog, {"entity": "feedback", "entity_id": recorded.feedback.id})
    (of_task,) = crm.find(AuditLog, {"entity": "task", "entity_id": recorded.task.id})
    of_customer = crm.find(AuditLog, {"entity": "customer", "entity_id": customer.id})[-1]
    assert len({entry.trace_id for entry in (of_feedback, of_task, of_customer)}) == 1
    assert (of_customer.action, of_customer.before_state, of_customer.after_state) == (
        "record_feedback",
        {"satisfaction": "4.00"},
        {"satisfaction": "2.00"},
    )


def test_what_it_refers_to_is_the_customers(crm: Crm) -> None:
    customer = make.customer(crm)
    visit = crm.log_visit(make.customer(crm).id)
    with pytest.raises(InvalidInput, match=f"activity_id: activity {visit.id} is not of customer {customer.id}"):
        said(crm, customer, activity_id=visit.id)
    with pytest.raises(NotFound, match="product 999999999 is not there"):
        said(crm, customer, product_id=999_999_999)
    assert crm.find(Feedback, {"customer_id": customer.id}) == []


def test_what_makes_no_sense_is_not_written(crm: Crm) -> None:
    customer = make.customer(crm)
    wrong: dict[str, list[Any]] = {
        "score": [0, 6, True],
        "kind": ["投訴"],
        "tags": ["价格"],
        "answers": [[1]],
        "product": ["专线"],
        "attachments": [{"name": "x"}],
    }
    for field, values in wrong.items():
        for value in values:
            with pytest.raises(InvalidInput) as raised:
                said(crm, customer, **{field: value})
            assert raised.value.field == field
    assert crm.find(Feedback, {"customer_id": customer.id}) == []


def test_not_from_the_future(crm: Crm, clock: Clock) -> None:
    customer = make.customer(crm)
    with pytest.raises(InvalidInput, match="occurred_at: is in the future"):
        said(crm, customer, occurred_at=clock.now + timedelta(days=2))
    with pytest.raises(InvalidInput, match="days: give a whole number of at least 1"):
        crm.satisfaction(customer.id, 0)


def test_customers_that_are_not_there(crm: Crm) -> None:
    customer, winner = make.customer(crm), make.customer(crm)
    crm.edit(Customer, customer.id, merged_into=winner.id)
    crm.archive(Customer, customer.id)
    calls: list[Callable[[], object]] = [
        lambda: said(crm, customer, 1),
        lambda: crm.satisfaction(customer.id),
    ]
    for call in calls:
        with pytest.raises(NotFound, match=f"merged into {winner.id}"):
            call()
    assert tasks(crm, customer) == []


def test_the_policy_is_asked(crm: Crm) -> None:
    customer = make.customer(crm, owner_id=1)
    policy = RolePolicy({"客户经理": ["record_feedback", "satisfaction"]}, own_customers=["客户经理"])
    owner = Crm(crm.platform, Actor(1, "客户经理"), policy=policy, clock=crm.clock)
    said(owner, customer, 4)
    assert owner.satisfaction(customer.id) == Decimal("4.00")
    for other in (owner.acting(Actor(2, "客户经理")), owner.acting(Actor(1, "访客"))):
        with pytest.raises(NotPermitted):
            said(other, customer, 1)
        with pytest.raises(NotPermitted):
            other.satisfaction(customer.id)
    assert len(crm.find(Feedback, {"customer_id": customer.id})) == 1
