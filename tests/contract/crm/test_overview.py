"""Everything about a customer in one call."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from crm_model import Actor, Crm, InvalidInput, NotFound, NotPermitted, RolePolicy, Standard
from crm_model.entities import BillingCustomer, Contact, Customer, Opportunity, SalesOrder, Task, VipCard
from crm_model.services import overview
from crm_model.services.overview import Customer360, Excerpt, OrderTotals
from tests.contract.crm import make
from tests.contract.crm.conftest import Clock

MAY = datetime(2026, 5, 1)
NUMBERS = count(1)


def contact(customer: Customer, **columns: Any) -> Contact:
    return Contact(
        **{"customer_id": customer.id, "name": "李娜", "name_key": "李娜", "im": {"wechat": "wx"}, **columns}
    )


def account(customer: Customer, arpu: int) -> BillingCustomer:
    return BillingCustomer(
        boss_no=f"B{next(NUMBERS)}",
        name="李娜",
        phone="13900000000",
        plan_code="P1",
        arpu_3m=Decimal(arpu),
        tenure_months=12,
        arrears=Decimal(0),
        customer_id=customer.id,
        services=[{"code": "专线", "since": "2020-01"}],
    )


def deal(customer: Customer, stage: str, day: int) -> Opportunity:
    return Opportunity(
        customer_id=customer.id,
        owner_id=1,
        name="专线新建",
        stage=stage,
        probability=45,
        amount=Decimal(1000),
        last_stage_at=MAY + timedelta(days=day),
        needs=["上云"],
    )


def task(customer: Customer, status: str, day: int) -> Task:
    due = MAY + timedelta(days=day)
    return Task(
        customer_id=customer.id, assignee_id=1, kind="回访", title="联系", due_at=due, status=status, origin="人工"
    )


def order(customer: Customer, status: str, day: int, amount: str) -> SalesOrder:
    return SalesOrder(
        order_no=f"SO{next(NUMBERS)}",
        customer_id=customer.id,
        owner_id=1,
        ordered_at=MAY + timedelta(days=day),
        amount=Decimal(amount),
        pay_method="转账",
        status=status,
    )


def added(crm: Crm, *records: Standard) -> list[Any]:
    return [crm.add(record) for record in records]


def excerpt(*rows: Any) -> Excerpt[Any]:
    return Excerpt(rows, len(rows))


def test_a_customer_with_nothing(crm: Crm) -> None:
    customer = make.customer(crm, tags=["重点"])
    none = excerpt()
    totals = OrderTotals(0, Decimal("0.00"), None)
    assert crm.customer_360(customer.id) == Customer360(customer, none, None, none, none, none, totals, None, [])


def test_all_that_is_live_of_a_customer_and_nothing_else(crm: Crm) -> None:
    customer, other = make.customer(crm), make.customer(crm)
    second, first = added(crm, contact(customer), contact(customer, is_primary=1))
    poorer, richer = added(crm, account(customer, 50), account(customer, 200))
    older, newer = added(crm, deal(customer, "谈判", 1), deal(customer, "线索", 2))
    later, sooner = added(crm, task(customer, "待办", 9), task(customer, "进行中", 3))
    (card,) = added(
        crm, VipCard(card_no="V1", level=3, status="在用", location="总库", customer_id=customer.id, moves=[])
    )
    added(crm, order(customer, "已完成", 1, "100.10"), order(customer, "待付款", 3, "0.20"))
    added(crm, order(customer, "已取消", 9, "7.00"), deal(customer, "赢单", 5), deal(customer, "流失", 5))
    added(crm, task(customer, "完成", 1), task(customer, "取消", 1))
    for archived in added(
        crm, contact(customer), account(customer, 1), deal(customer, "方案", 3), order(customer, "已完成", 9, "5.00")
    ):
        crm.archive(type(archived), archived.id)
    added(crm, contact(other), account(other, 9), deal(other, "方案", 3), task(other, "待办", 1))
    added(crm, order(other, "已完成", 9, "5.00"))
    recorded = crm.record_feedback(customer.id, kind="调查", channel="微信", score=4)
    visits = [crm.log_visit(customer.id) for _ in range(3)]

    whole = crm.customer_360(customer.id, n=2)

    assert whole == Customer360(
        recorded.customer,
        contacts=excerpt(first, second),
        card=card,
        billing_accounts=excerpt(richer, poorer),
        open_opportunities=excerpt(newer, older),
        open_tasks=excerpt(sooner, later),
        orders=OrderTotals(2, Decimal("100.30"), MAY + timedelta(days=3)),
        satisfaction=Decimal("4.00"),
        timeline=[visits[2], visits[1]],
    )
    assert crm.customer_360(customer.id).timeline == visits[::-1]
    assert crm.customer_360(customer.id, n=0).timeline == []


def test_orders_are_added_up_the_same_however_many(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    customer, cancelled = make.customer(crm), make.customer(crm)
    added(crm, *(order(customer, "已完成", day, "0.10") for day in (4, 9, 1)), order(customer, "已取消", 11, "9.00"))
    added(crm, *(order(cancelled, "已取消", day, "9.00") for day in range(4)))
    for few in (4, 3, 0):  # added up here, and by MySQL
        monkeypatch.setattr(overview, "FEW_ORDERS", few)
        assert crm.customer_360(customer.id).orders == OrderTotals(3, Decimal("0.30"), MAY + timedelta(days=9))
        assert crm.customer_360(cancelled.id).orders == OrderTotals(0, Decimal("0.00"), None)


def test_satisfaction_is_as_of_now(crm: Crm, clock: Clock) -> None:
    customer = make.customer(crm, satisfaction=Decimal("3.00"))
    assert crm.customer_360(customer.id).satisfaction is None
    crm.record_feedback(customer.id, kind="调查", channel="微信", score=5)
    clock.now += timedelta(days=200)
    whole = crm.customer_360(customer.id)
    assert (whole.customer.satisfaction, whole.satisfaction) == (Decimal("5.00"), None)


def test_long_lists_are_cut_and_counted(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "LIST_LIMIT", 3)
    customer = make.customer(crm)
    for number in range(3):
        added(crm, contact(customer), account(customer, number), deal(customer, "方案", number))
        added(crm, task(customer, "待办", number))
    whole = crm.customer_360(customer.id)
    parts = (whole.contacts, whole.billing_accounts, whole.open_opportunities, whole.open_tasks)
    assert [(len(part.rows), part.total, part.cut) for part in parts] == [(3, 3, 0)] * 4
    added(crm, contact(customer), contact(customer), account(customer, 9), account(customer, 9))
    added(crm, deal(customer, "线索", 9), deal(customer, "需求", 9), deal(customer, "赢单", 9))
    added(crm, task(customer, "进行中", 9), task(customer, "待办", 9), task(customer, "完成", 9))
    crm.archive(Contact, whole.contacts.rows[0].id)
    whole = crm.customer_360(customer.id)
    parts = (whole.contacts, whole.billing_accounts, whole.open_opportunities, whole.open_tasks)
    assert [(len(part.rows), part.total, part.cut) for part in parts] == [(3, 4, 1), (3, 5, 2), (3, 5, 2), (3, 5, 2)]
    assert [one.stage for one in whole.open_opportunities.rows] == ["需求", "线索", "方案"]


def test_customers_that_are_not_there(crm: Crm) -> None:
    customer, winner = make.customer(crm), make.customer(crm)
    crm.edit(Customer, customer.id, merged_into=winner.id)
    crm.archive(Customer, customer.id)
    with pytest.raises(NotFound, match=f"merged into {winner.id}"):
        crm.customer_360(customer.id)
    with pytest.raises(NotFound, match="customer 999999999 is not there"):
        crm.customer_360(999_999_999)


def test_the_policy_is_asked(crm: Crm) -> None:
    customer = make.customer(crm, owner_id=1)
    policy = RolePolicy({"客户经理": ["customer_360"]}, own_customers=["客户经理"])
    owner = Crm(crm.platform, Actor(1, "客户经理"), policy=policy, clock=crm.clock)
    assert owner.customer_360(customer.id).customer == customer
    for other in (Actor(2, "客户经理"), Actor(1, "访客")):
        with pytest.raises(NotPermitted):
            owner.acting(other).customer_360(customer.id)


def test_limits(crm: Crm) -> None:
    customer = make.customer(crm)
    for n in (-1, 1001, True):
        with pytest.raises(InvalidInput, match="n: give a whole number from 0 to 1000"):
            crm.customer_360(customer.id, n)
