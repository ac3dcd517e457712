"""Campaigns: who is in the audience, that each is contacted once, and what comes of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from crm_model import Actor, Crm, InvalidInput, NotFound, Refused, RolePolicy
from crm_model.entities import Activity, Campaign, Customer, SalesOrder
from crm_model.services.campaigns import CampaignMetrics
from tests.contract.conftest import Backend
from tests.contract.crm import make
from tests.contract.crm.conftest import Clock
from tests.contract.crm.processes import together

BEGIN, END = datetime(2026, 5, 1), datetime(2026, 6, 1)
DAY = timedelta(days=1)

_NUMBERS = count(1)


@pytest.fixture
def city() -> str:
    """One in which no other customers are."""
    return f"新城{next(_NUMBERS)}"


def campaign(crm: Crm, city: str, *more: dict[str, Any], **given: Any) -> Campaign:
    """Of a budget of 1,000 yuan, for the customers of a city."""
    audience = {"when": [{"input": "city", "is": city}, *more]}
    planned: dict[str, Any] = {
        "starts_at": BEGIN, "ends_at": END, "budget": Decimal("1000.00"), "audience": audience, **given
    }  # fmt: skip
    return crm.plan_campaign("专线推广", "短信", **planned)


def ordered(crm: Crm, customer: Customer, at: datetime, amount: str, status: str = "已完成") -> SalesOrder:
    return crm.add(
        SalesOrder(
            order_no=f"CA{next(_NUMBERS)}", customer_id=customer.id, owner_id=1, ordered_at=at, amount=Decimal(amount),
            pay_method="x", status=status,
        )
    )  # fmt: skip


def contacts(crm: Crm, of: Campaign) -> list[Activity]:
    return crm.find(Activity, {"ref_type": "campaign", "ref_id": of.id, "kind": "campaign"})


def test_a_campaign_is_planned(crm: Crm, city: str) -> None:
    planned = campaign(crm, city, plan={"步骤": ["预热"]}, owner_id=7)
    assert (planned.status, planned.owner_id, planned.plan) == ("计划", 7, {"步骤": ["预热"]})
    assert campaign(crm, city).owner_id == 1
    with pytest.raises(InvalidInput, match=r"audience\.when\[1\]\.days"):
        campaign(crm, city, {"input": "vip_level", "days": 3, "at_least": 1})
    with pytest.raises(InvalidInput, match="stop"):
        campaign(crm, city, ends_at=BEGIN)
    with pytest.raises(InvalidInput, match="plan"):
        campaign(crm, city, plan=["预热"])


def test_an_audience_is_chosen_as_of_the_beginning(crm: Crm, city: str) -> None:
    """By own columns, by tags, and by what was bought in the 30 days before."""
    bought = {"input": "orders_amount", "days": 30, "at_least": 100}
    rich, poor, late, other, gone = (
        make.customer(crm, city=where, tags=tags)
        for where, tags in [(city, ["a"]), (city, ["a"]), (city, ["a"]), (city, ["b"]), (city, ["a"])]
    )
    for one, at, amount in [
        (rich, BEGIN, "100.00"), (poor, BEGIN, "99.99"), (poor, BEGIN - 30 * DAY, "9.00"),
        (late, BEGIN + DAY, "500.00"), (other, BEGIN, "500.00"), (gone, BEGIN, "500.00"),
    ]:  # fmt: skip
        ordered(crm, one, at, amount)
    crm.archive(Customer, gone.id)
    planned = campaign(crm, city, audience={"when": [{"input": "city", "is": city}, bought], "tags": ["a"]})
    assert [one.id for one in crm.campaign_audience(planned.id)] == [rich.id]
    everybody = crm.edit(Campaign, planned.id, audience={"when": [{"input": "city", "is": [city]}]})
    assert [one.id for one in crm.campaign_audience(everybody.id)] == [rich.id, poor.id, late.id, other.id]
    crm.edit(Campaign, planned.id, audience=None)
    with pytest.raises(InvalidInput, match="audience"):
        crm.campaign_audience(planned.id)
    with pytest.raises(NotFound):
        crm.campaign_audience(999_999_999)


def test_everyone_is_contacted_once(crm: Crm, city: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("crm_model.service", "crm_model.services.campaigns"):
        monkeypatch.setattr(f"{module}.BATCH", 2)
    customers, planned = [make.customer(crm, city=city) for _ in range(5)], campaign(crm, city)
    crm.log_activity(customers[0].id, "call", channel="电话", ref_type="campaign", ref_id=planned.id)
    run = crm.start_campaign(planned.id, channel="短信", text="专线优惠")
    assert (run.campaign.status, run.contacted, run.before) == ("进行中", 5, 0)
    made = contacts(crm, planned)
    assert [one.customer_id for one in made] == [one.id for one in customers]
    assert {(one.operator_id, one.channel, one.summary) for one in made} == {(1, "短信", "专线优惠")}
    assert crm.timeline(customers[4].id) == made[4:]
    newcomer = make.customer(crm, city=city)
    again = crm.start_campaign(planned.id, channel="短信", text="专线优惠")
    assert (again.contacted, again.before) == (1, 5)
    assert [one.customer_id for one in contacts(crm, planned)] == [*(one.id for one in customers), newcomer.id]


def test_when_a_campaign_can_be_started(crm: Crm, city: str, clock: Clock) -> None:
    make.customer(crm, city=city)
    early = campaign(crm, city, starts_at=clock.now + DAY, ends_at=clock.now + 2 * DAY)
    with pytest.raises(Refused, match="begins at"):
        crm.start_campaign(early.id, channel="短信", text="x")
    with pytest.raises(Refused, match="never started"):
        crm.finish_campaign(early.id, "取消")
    unknown = crm.edit(Campaign, campaign(crm, city).id, audience={"where": []})
    with pytest.raises(InvalidInput, match="where"):
        crm.start_campaign(unknown.id, channel="短信", text="x")
    assert crm.find(Campaign, {"id": [early.id, unknown.id]}) == [early, unknown]
    assert contacts(crm, early) == []


def test_an_operator_contacts_whom_the_policy_permits(crm: Crm, city: str) -> None:
    own, _ = (make.customer(crm, city=city, owner_id=owner) for owner in (7, 8))
    policy = RolePolicy({"客户经理": ["start_campaign"]}, own_customers=["客户经理"])
    confined = Crm(crm.platform, Actor(7, "客户经理"), policy=policy, clock=crm.clock)
    planned = campaign(crm, city)
    assert confined.start_campaign(planned.id, channel="短信", text="x").contacted == 1
    assert [one.customer_id for one in contacts(crm, planned)] == [own.id]
    assert crm.start_campaign(planned.id, channel="短信", text="x").contacted == 1


def test_what_comes_of_it(crm: Crm, city: str, clock: Clock) -> None:
    buyer, cancelled, _ = (make.customer(crm, city=city) for _ in range(3))
    planned = campaign(crm, city)
    clock.now = BEGIN + DAY
    crm.start_campaign(planned.id, channel="短信", text="x")
    for one, at, amount, status in [
        (buyer, BEGIN + 2 * DAY, "100.00", "已完成"), (buyer, END + 30 * DAY - timedelta(seconds=1), "50.50", "已完成"),
        (buyer, BEGIN, "7.00", "已完成"), (buyer, END + 30 * DAY, "7.00", "已完成"),
        (cancelled, BEGIN + 2 * DAY, "9.00", "已取消"),
    ]:  # fmt: skip
        ordered(crm, one, at, amount, status)
    ordered(crm, make.customer(crm), BEGIN + 2 * DAY, "1.00")
    found = crm.campaign_metrics(planned.id)
    assert found == CampaignMetrics(3, 1, 2, Decimal("150.50"), Decimal("1000.00"))
    assert (found.conversion, found.return_on_budget) == (1 / 3, 0.1505)
    assert crm.campaign_metrics(planned.id, days=0).orders == 1
    crm.edit(Campaign, planned.id, metrics={"点击率": 0.1})
    finished = crm.finish_campaign(planned.id, "达到预期", days=0)
    assert (finished.status, finished.result) == ("结束", "达到预期")
    assert finished.metrics == {"点击率": 0.1, "reached": 3, "buyers": 1, "orders": 1, "amount": "100.00"}
    assert crm.finish_campaign(planned.id, "达到预期", days=0) == finished
    assert crm.finish_campaign(planned.id, "超过预期").metrics["orders"] == 2
    with pytest.raises(Refused, match="is finished"):
        crm.start_campaign(planned.id, channel="短信", text="x")
    nobody = CampaignMetrics(0, 0, 0, Decimal(0), Decimal(0))
    assert (nobody.conversion, nobody.return_on_budget) == (None, None)


def start(crm: Crm, campaign_id: int) -> int:
    return crm.start_campaign(campaign_id, channel="短信", text="x").contacted


def test_two_processes_contact_everyone_once(crm: Crm, crm_backend: Backend, city: str) -> None:
    customers, planned = [make.customer(crm, city=city).id for _ in range(40)], campaign(crm, city)
    contacted = together(crm_backend, f"{__name__}:start", [planned.id], [planned.id])
    assert sum(contacted) == len(customers)
    assert [one.customer_id for one in contacts(crm, planned)] == customers
