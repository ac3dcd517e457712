"""Requests for a VIP level: one at a time, decided once, by someone else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from crm_model import Actor, Crm, InvalidInput, NotFound, NotPermitted, Refused, RolePolicy
from crm_model.audit import decoded
from crm_model.entities import Approval, AuditLog, Customer
from tests.contract.crm import make
from tests.contract.crm.conftest import Clock


@pytest.fixture
def boss(crm: Crm) -> Crm:
    """Operator 2 at work."""
    return crm.acting(2)


def level(crm: Crm, customer: Customer) -> int:
    (found,) = crm.find(Customer, {"id": customer.id}, archived=True)
    return found.vip_level


def test_a_request_waits(crm: Crm) -> None:
    customer = make.customer(crm)
    approval = crm.apply_vip(customer.id, 3, form={"理由": "长期合作"}, comment="请尽快审批")
    assert crm.find(Approval, {"id": approval.id}) == [approval]
    assert approval == Approval(
        id=approval.id,
        kind="vip",
        subject_id=customer.id,
        requested="3",
        applicant_id=1,
        status="待审",
        form={"理由": "长期合作"},
        comments=[{"at": approval.created_at.isoformat(), "by": 1, "text": "请尽快审批"}],
        created_at=approval.created_at,
        updated_at=approval.created_at,
    )
    assert level(crm, customer) == 0
    (entry,) = crm.find(AuditLog, {"entity": "approval", "entity_id": approval.id})
    assert (entry.action, entry.actor_id) == ("apply_vip", 1)


@pytest.mark.parametrize("comment", [None, "同意"])
def test_an_approved_level_is_the_customers(crm: Crm, boss: Crm, clock: Clock, comment: str | None) -> None:
    customer = make.customer(crm, vip_level=1)
    approval = crm.apply_vip(customer.id, 3, comment="申请")
    clock.now += timedelta(hours=1)
    decided = boss.approve_vip(approval.id, comment=comment)
    assert crm.find(Approval, {"id": approval.id}) == [decided]
    said = [] if comment is None else [{"at": decided.updated_at.isoformat(), "by": 2, "text": "同意"}]
    assert decided == approval.but(
        status="通过",
        approver_id=2,
        decided_at=decided.updated_at,
        comments=[*approval.comments, *said],
        updated_at=decided.updated_at,
        version=2,
    )
    assert decided.updated_at > approval.updated_at
    assert level(crm, customer) == 3
    entry = crm.find(AuditLog, {"entity": "customer", "entity_id": customer.id})[-1]
    assert (entry.action, entry.actor_id) == ("approve_vip", 2)
    assert (decoded(Customer, entry.before_state), decoded(Customer, entry.after_state)) == (
        {"vip_level": 1},
        {"vip_level": 3},
    )


def test_a_rejected_level_changes_nothing(crm: Crm, boss: Crm) -> None:
    customer = make.customer(crm, vip_level=1)
    approval = boss.approve_vip(crm.apply_vip(customer.id, 5).id, False, "理由不足")
    assert (approval.status, approval.approver_id) == ("驳回", 2)
    assert [comment["text"] for comment in approval.comments] == ["理由不足"]
    assert crm.find(Customer, {"id": customer.id}) == [customer]


def test_the_applicant_does_not_decide(crm: Crm, boss: Crm) -> None:
    customer = make.customer(crm)
    approval = crm.apply_vip(customer.id, 3)
    for approve in (True, False):
        with pytest.raises(Refused, match=f"approval {approval.id}: operator 1 has applied for it"):
            crm.approve_vip(approval.id, approve)
    assert crm.find(Approval, {"id": approval.id}) == [approval]
    assert level(crm, customer) == 0
    boss.approve_vip(approval.id)


def test_it_is_decided_once(crm: Crm, boss: Crm) -> None:
    customer = make.customer(crm)
    approval = crm.apply_vip(customer.id, 3)
    decided = boss.approve_vip(approval.id, approve=False)
    for approve in (True, False):
        with pytest.raises(Refused, match=f"approval {approval.id} was decided by operator 2 at .*驳回"):
            crm.acting(5).approve_vip(approval.id, approve)
    assert crm.find(Approval, {"id": approval.id}) == [decided]
    assert level(crm, customer) == 0


def test_one_request_waits_at_a_time(crm: Crm, boss: Crm) -> None:
    customer, other = make.customer(crm), make.customer(crm)
    approval = crm.apply_vip(customer.id, 3)
    with pytest.raises(Refused, match=f"approval {approval.id} asks for VIP level 3 of customer {customer.id}"):
        boss.apply_vip(customer.id, 4)
    crm.apply_vip(other.id, 4)
    boss.approve_vip(approval.id, approve=False)
    assert crm.apply_vip(customer.id, 4).requested == "4"


def test_of_another_kind_one_may_wait_beside_it(crm: Crm) -> None:
    customer = make.customer(crm)
    credit = crm.add(Approval(kind="credit", subject_id=customer.id, requested="5000", applicant_id=1, status="待审"))
    assert crm.apply_vip(customer.id, 3).status == "待审"
    with pytest.raises(NotFound, match=f"approval {credit.id}"):
        crm.acting(2).approve_vip(credit.id)


@pytest.mark.parametrize("wrong", [-1, 6, True, "3", 2.0, None])
def test_what_is_no_level(crm: Crm, wrong: Any) -> None:
    with pytest.raises(InvalidInput, match="level: a VIP level is a whole number from 0 to 5"):
        crm.apply_vip(make.customer(crm).id, wrong)


def test_the_level_that_a_customer_has(crm: Crm) -> None:
    customer = make.customer(crm, vip_level=3)
    with pytest.raises(Refused, match=f"customer {customer.id} has VIP level 3"):
        crm.apply_vip(customer.id, 3)
    assert crm.apply_vip(customer.id, 0).requested == "0"


def test_what_is_not_there(crm: Crm, boss: Crm) -> None:
    customer = make.customer(crm)
    approval = crm.apply_vip(customer.id, 3)
    crm.archive(Customer, customer.id)
    with pytest.raises(NotFound, match=f"customer {customer.id} is archived"):
        crm.apply_vip(customer.id, 4)
    with pytest.raises(NotFound, match=f"customer {customer.id} is archived"):
        boss.approve_vip(approval.id)
    assert boss.approve_vip(approval.id, approve=False).status == "驳回"
    assert level(crm, customer) == 0
    with pytest.raises(NotFound, match="approval 999999999 is not there"):
        boss.approve_vip(999_999_999)


def test_a_request_from_elsewhere(crm: Crm, boss: Crm) -> None:
    """Its comments are no list, and what it asks for is no level: nothing of it is lost."""
    customer = make.customer(crm)
    odd = crm.add(
        Approval(kind="vip", subject_id=customer.id, requested="金卡", applicant_id=1, status="待审", comments="急")
    )
    with pytest.raises(Refused, match=f"approval {odd.id} asks for '金卡', which is no VIP level"):
        boss.approve_vip(odd.id)
    rejected = boss.approve_vip(odd.id, approve=False, comment="请填级别")
    assert [rejected.comments[0], rejected.comments[1]["text"]] == ["急", "请填级别"]


def test_the_policy_is_asked(crm: Crm) -> None:
    policy = RolePolicy({"客户经理": ["apply_vip"], "主管": ["approve_vip"]}, own_customers=["客户经理"])
    manager = Crm(crm.platform, Actor(1, "客户经理"), policy=policy, clock=crm.clock)
    approval = manager.apply_vip(make.customer(crm, owner_id=1).id, 2)
    with pytest.raises(NotPermitted):
        manager.apply_vip(make.customer(crm, owner_id=3).id, 2)
    with pytest.raises(NotPermitted):
        manager.acting(Actor(5, "客户经理")).approve_vip(approval.id)
    assert manager.acting(Actor(5, "主管")).approve_vip(approval.id).status == "通过"
