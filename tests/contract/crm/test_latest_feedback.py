"""The latest feedback: what is shown, and how much of what others may see is looked at for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from crm_model import Actor, Crm, InvalidInput, NotPermitted, Record, RolePolicy
from crm_model.entities import Customer, Feedback
from platform_store import Platform
from tests.contract.crm import make
from tests.contract.crm.conftest import Clock

OTHERS = 450


class Counting(RolePolicy):
    """Notes every row that it is asked about."""

    asked: list[Record]

    def permits(self, actor: Actor, action: str, row: Record | None) -> bool:
        if row is not None:
            self.asked.append(row)
        return super().permits(actor, action, row)


@pytest.fixture(scope="module")
def crm_platform(own_crm_platform: Platform) -> Platform:
    return own_crm_platform


@pytest.fixture
def policy() -> Counting:
    policy = Counting({"客户经理": ["*"], "主管": ["*"]}, own_customers=["客户经理"])
    object.__setattr__(policy, "asked", [])
    return policy


def said(crm: Crm, clock: Clock, customer: Customer, **columns: Any) -> Feedback:
    return crm.record_feedback(
        customer.id, kind="建议", channel="微信", occurred_at=clock.now - timedelta(days=1), **columns
    ).feedback


def many(crm: Crm, clock: Clock, customer: Customer) -> None:
    """Newer than all others."""
    columns = {"operator_id": 1, "kind": "建议", "channel": "微信", "status": "待处理"}
    stamps = {"created_at": clock.now, "updated_at": clock.now}
    rows = ({**columns, **stamps, "customer_id": customer.id, "occurred_at": clock.now} for _ in range(OTHERS))
    crm.platform.write_many(Feedback.table, rows)


def test_the_newest_come_first(crm: Crm, clock: Clock) -> None:
    one, other = make.customer(crm), make.customer(crm, owner_id=2)
    found = [said(crm, clock, customer, text=f"说法{n}") for n, customer in enumerate([one, other] * 3)]
    old = crm.record_feedback(one.id, kind="建议", channel="微信", occurred_at=clock.now - timedelta(days=9)).feedback
    crm.archive(Feedback, found.pop().id)
    assert crm.latest_feedback(3) == found[:1:-1]
    assert crm.latest_feedback(owner_id=1) == [*found[::-2], old]
    assert crm.latest_feedback(1, owner_id=2) == [found[3]]
    assert crm.latest_feedback(owner_id=99) == []
    crm.archive(Customer, one.id)
    assert crm.latest_feedback() == found[3::-2] == crm.latest_feedback(owner_id=2)
    assert crm.latest_feedback(owner_id=1) == []


def test_what_others_customers_said_is_not_looked_at(crm: Crm, clock: Clock, policy: Counting) -> None:
    own, others = make.customer(crm, owner_id=5), make.customer(crm, owner_id=6)
    mine = [said(crm, clock, own) for _ in range(3)]
    many(crm, clock, others)
    clerk = Crm(crm.platform, Actor(5, "客户经理"), policy=policy, clock=clock)
    assert clerk.latest_feedback(2, owner_id=5) == mine[:0:-1]
    assert {row.id for row in policy.asked} == {own.id}
    assert clerk.latest_feedback(2) == mine[:0:-1], "the policy alone comes to the same, by reading more"
    assert others.id in {row.id for row in policy.asked}
    assert clerk.latest_feedback(owner_id=6) == []


def test_a_policy_may_keep_some_of_an_owners_customers(crm: Crm, clock: Clock) -> None:
    """More are read until there are enough, each once."""
    kept, shown = make.customer(crm, owner_id=8), make.customer(crm, owner_id=8)
    expected = [said(crm, clock, shown) for _ in range(4)]
    many(crm, clock, kept)

    class ButOne:
        def permits(self, actor: Actor, action: str, row: Record | None) -> bool:
            return row is None or row.id != kept.id

    assert Crm(crm.platform, 8, policy=ButOne(), clock=clock).latest_feedback(3, owner_id=8) == expected[:0:-1]


def test_one_that_is_archived_while_it_is_looked_for(crm: Crm, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is found, but is archived once it is read. It is the last one of those that are read at once."""
    customer = make.customer(crm, owner_id=9)
    found = [said(crm, clock, customer) for _ in range(22)][::-1]
    read_many = crm.platform.read_many

    def once_archived(*arguments: Any, **options: Any) -> list[Any]:
        monkeypatch.undo()
        crm.archive(Feedback, found[19].id)
        return read_many(*arguments, **options)

    monkeypatch.setattr(crm.platform, "read_many", once_archived)
    assert crm.latest_feedback(20, owner_id=9) == [*found[:19], found[20]]


def test_few_are_read_where_few_are_wanted(crm: Crm, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    many(crm, clock, make.customer(crm, owner_id=10))
    read_many, read = crm.platform.read_many, []

    def counting(table: str, keys: list[Any], **options: Any) -> list[Any]:
        read.extend(keys if table == Feedback.table else [])
        return read_many(table, keys, **options)

    monkeypatch.setattr(crm.platform, "read_many", counting)
    assert len(crm.latest_feedback(1, owner_id=10)) == 1
    assert len(read) <= 20
    read.clear()
    assert len(crm.latest_feedback(230, owner_id=10)) == 230
    assert len(read) == len({*read}) <= 240


def test_what_makes_no_sense(crm: Crm, policy: Counting) -> None:
    for limit in (0, 1001, True):
        with pytest.raises(InvalidInput, match="limit"):
            crm.latest_feedback(limit)
    with pytest.raises(NotPermitted):
        Crm(crm.platform, Actor(5, "客服"), policy=policy).latest_feedback()
