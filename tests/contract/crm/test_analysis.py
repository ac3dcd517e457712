"""Figures over many customers, on every backend, against the same figures counted by hand from all rows."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from crm_model import Actor, Crm, InvalidInput, NotPermitted, RolePolicy
from crm_model.entities import Activity, Customer, Feedback, Operator, Opportunity, SalesOrder
from crm_model.model import Record
from crm_model.services.analysis import ChurnRisk, ChurnWeights
from platform_store import Platform
from tests.contract.crm import figures, make

START, STOP = datetime(2025, 3, 1), datetime(2025, 9, 1)
CUSTOMERS, OPERATORS = 40, 5
LEFT_ALONE = 3
"""The last customers have no rows of their own."""
MOMENTS = (START, STOP, STOP - timedelta(milliseconds=1), START - timedelta(milliseconds=1), STOP - timedelta(days=90))
TICK = timedelta(milliseconds=1)


class World:
    """Rows of every kind at random, many at the very ends of the period; always the same."""

    def __init__(self) -> None:
        self.draw = random.Random(11)

    def moment(self) -> datetime:
        if self.draw.random() < 0.2:
            return self.draw.choice(MOMENTS)
        return datetime(2024, 9, 1) + timedelta(milliseconds=self.draw.randrange(400 * 86_400_000))

    def common(self, number: int) -> dict[str, Any]:
        return {
            "id": number,
            "created_at": START,
            "updated_at": START,
            "del_token": number if self.draw.random() < 0.1 else 0,
        }

    def of_a_customer(self, number: int) -> dict[str, Any]:
        return {**self.common(number), "customer_id": self.draw.randint(1, CUSTOMERS - LEFT_ALONE)}

    def operator(self) -> int:
        """One of them is in no table."""
        return self.draw.randint(1, OPERATORS + 1)

    def amount(self) -> Decimal:
        return Decimal(self.draw.choice((1, 10_000, self.draw.randrange(10**8)))).scaleb(-2)

    def operators(self) -> Iterator[Operator]:
        for number in range(1, OPERATORS + 1):
            yield Operator(
                **{**self.common(number), "del_token": number if number == 2 else 0},
                login=f"o{number}",
                name=f"操作员{number}",
                role="客户经理",
                region="北京",
                status="在职",
            )

    def customers(self) -> Iterator[Customer]:
        for number in range(1, CUSTOMERS + 1):
            given = make.customer_columns(owner_id=1 + number % 3)
            yield Customer(**{**given, **self.common(number)})

    def opportunities(self) -> Iterator[Opportunity]:
        for number in range(1, 151):
            stage = self.draw.choice(("赢单", "赢单", "谈判"))
            yield Opportunity(
                **self.of_a_customer(number),
                owner_id=self.operator(),
                name="专线",
                stage=stage,
                probability=1,
                amount=self.amount(),
                closed_at=None if self.draw.random() < 0.1 else self.moment(),
                last_stage_at=START,
            )

    def orders(self) -> Iterator[SalesOrder]:
        for number in range(1, 301):
            yield SalesOrder(
                **self.of_a_customer(number),
                order_no=f"S{number}",
                owner_id=self.operator(),
                ordered_at=self.moment(),
                amount=self.amount(),
                pay_method="转账",
                status=self.draw.choice(("已完成", "已完成", "处理中", "已取消")),
            )

    def activities(self) -> Iterator[Activity]:
        for number in range(1, 151):
            yield Activity(
                **self.of_a_customer(number),
                operator_id=self.operator(),
                kind=self.draw.choice(("visit", "call")),
                channel="电话",
                occurred_at=self.moment(),
            )

    def feedback(self) -> Iterator[Feedback]:
        for number in range(1, 201):
            yield Feedback(
                **self.of_a_customer(number),
                operator_id=self.operator(),
                kind=self.draw.choice(("投诉", "调查", "表扬")),
                channel="电话",
                score=self.draw.choice((None, 1, 2, 3, 4, 5)),
                status="已关闭",
                occurred_at=self.moment(),
            )


@pytest.fixture(scope="module")
def platform(own_crm_platform: Platform) -> Platform:
    """With rows that the tests of this module only read."""
    world = World()
    kinds: Sequence[Callable[[], Iterable[Record]]] = (
        world.operators,
        world.customers,
        world.opportunities,
        world.orders,
        world.activities,
        world.feedback,
    )
    for kind in kinds:
        records = list(kind())
        own_crm_platform.write_many(records[0].table, [record.values() for record in records])
    return own_crm_platform


@pytest.fixture
def analyst(platform: Platform) -> Crm:
    return Crm(platform, 1)


@pytest.mark.parametrize(("start", "stop"), [(START, STOP), (START, START + TICK), (datetime(2020, 1, 1), START)])
def test_sales_performance(analyst: Crm, start: datetime, stop: datetime) -> None:
    found = analyst.sales_performance(start, stop)
    assert found == figures.performance(analyst.platform.scan, start, stop)
    assert all(type(one.won_amount) is type(one.order_amount) is Decimal for one in found)
    assert (OPERATORS + 1, None) in {(one.operator_id, one.name) for one in found}


def test_an_operator_with_nothing_to_show(analyst: Crm) -> None:
    """Those at work are there, those that have left are not."""
    found = analyst.sales_performance(datetime(2030, 1, 1), datetime(2031, 1, 1))
    assert [(one.operator_id, one.won, one.orders, one.visits, one.scores) for one in found] == [
        (number, 0, 0, 0, 0) for number in (1, 3, 4, 5)
    ]


@pytest.mark.parametrize("bins", [1, 3, 5, 100])
@pytest.mark.parametrize("start", [None, START])
def test_rfm(analyst: Crm, start: datetime | None, bins: int) -> None:
    found = list(analyst.rfm(start, STOP, bins=bins))
    begin = start or datetime(2000, 1, 1)
    expected = figures.rfm(analyst.platform.scan("customer"), analyst.platform.scan("sales_order"), begin, STOP, bins)
    assert found == expected
    assert len(found) > 20
    assert {one.r for one in found} <= set(range(1, bins + 1))


def test_rfm_where_nobody_bought(analyst: Crm) -> None:
    assert list(analyst.rfm(datetime(2001, 1, 1), datetime(2001, 2, 1))) == []


def same(one: ChurnRisk, other: ChurnRisk) -> bool:
    """To the places that a risk is rounded to."""
    numbers = [(one.risk, other.risk), (one.silence, other.silence), (one.dissatisfaction, other.dissatisfaction)]
    rest = [(each.customer_id, each.orders, each.last_order_at, each.complaints) for each in (one, other)]
    return rest[0] == rest[1] and all(
        value == pytest.approx(expected, abs=0.000051)
        for value, expected in [*numbers, (one.annoyance, other.annoyance)]
    )


@pytest.mark.parametrize("as_of", [STOP, START, datetime(2020, 1, 1)])
@pytest.mark.parametrize("days", [30, 90])
def test_churn_risk(analyst: Crm, as_of: datetime, days: int) -> None:
    read = analyst.platform.scan
    found = list(analyst.churn_risk(as_of, days=days))
    expected = figures.churn(read("customer"), read("sales_order"), read("feedback"), as_of, days)
    assert len(found) == len(expected) > 30
    assert [one for one, other in zip(found, expected, strict=True) if not same(one, other)] == []
    assert all(0 <= one.risk <= 1 for one in found)


def test_weights_say_what_counts(analyst: Crm) -> None:
    only = ChurnWeights(silence=0, dissatisfaction=1, annoyance=0)
    for one in analyst.churn_risk(STOP, weights=only):
        assert one.risk == (one.dissatisfaction or 0.0)


def test_only_permitted_customers_are_there(analyst: Crm) -> None:
    """The scores are still those among all customers."""
    policy = RolePolicy({"客户经理": ["rfm", "churn_risk"]}, own_customers=["客户经理"])
    manager = Crm(analyst.platform, Actor(2, "客户经理"), policy=policy)
    own = {row["id"] for row in analyst.platform.scan("customer") if row["owner_id"] == 2}
    mine = list(manager.rfm(None, STOP))
    assert mine == [one for one in analyst.rfm(None, STOP) if one.customer_id in own]
    assert {one.customer_id for one in mine} < {one.customer_id for one in analyst.rfm(None, STOP)}
    risks = list(manager.churn_risk(STOP))
    assert risks == [one for one in analyst.churn_risk(STOP) if one.customer_id in own]
    assert risks
    with pytest.raises(NotPermitted, match="sales_performance"):
        manager.sales_performance(START, STOP)
    stranger = manager.acting(Actor(2, "访客"))
    with pytest.raises(NotPermitted, match="rfm"):
        stranger.rfm(None, STOP)
    with pytest.raises(NotPermitted, match="churn_risk"):
        stranger.churn_risk(STOP)


def test_what_makes_no_sense(analyst: Crm) -> None:
    for call in (
        lambda: analyst.sales_performance(STOP, START),
        lambda: analyst.rfm(STOP, STOP),
        lambda: analyst.rfm(None, STOP, bins=0),
        lambda: analyst.churn_risk(STOP, days=0),
    ):
        with pytest.raises(InvalidInput):
            call()


def test_what_is_not_read_to_the_end_holds_nothing(analyst: Crm) -> None:
    """More often than there are connections."""
    for _ in range(12):
        next(analyst.rfm(None, STOP))
        next(analyst.churn_risk(STOP))
