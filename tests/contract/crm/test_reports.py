"""Reports over operators, regions, products and months, against figures that are counted here once more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import product
from random import Random
from typing import Any

import pytest

from crm_model import Crm, InvalidInput
from crm_model.entities import Activity, Customer, Feedback, OrderItem, Product, SalesOrder, Task, Ticket
from crm_model.model import Record
from crm_model.services.efficiency import Efficiency, Finished
from crm_model.services.reports import Sales, Satisfaction
from platform_store import Platform
from tests.contract.crm import make

START, STOP = datetime(2026, 3, 1), datetime(2026, 5, 1)
HOUR = timedelta(hours=1)
CODES = ("A", "B", "C", "D", "E")
ORDERS = 90

MLXTEND = {
    ("A", "B"): (0.409091, 0.818182, 0.692308, 1.384615),
    ("A", "C"): (0.227273, 0.454545, 0.416667, 0.833333),
    ("A", "D"): (0.318182, 0.636364, 0.466667, 0.933333),
    ("A", "E"): (0.318182, 0.636364, 0.538462, 1.076923),
    ("B", "C"): (0.318182, 0.538462, 0.583333, 0.987179),
    ("B", "D"): (0.409091, 0.692308, 0.6, 1.015385),
    ("B", "E"): (0.454545, 0.769231, 0.769231, 1.301775),
    ("C", "D"): (0.363636, 0.666667, 0.533333, 0.977778),
    ("C", "E"): (0.227273, 0.416667, 0.384615, 0.705128),
    ("D", "E"): (0.5, 0.733333, 0.846154, 1.241026),
}
"""Support, confidence there and back, and lift in the orders below, as mlxtend 0.25.0 computes them (apriori)."""


def stamped(record: Record) -> dict[str, Any]:
    values = record.values()
    del values["id"]
    return {**values, "created_at": START, "updated_at": START}


def baskets() -> Iterator[tuple[datetime, str, bool, list[str]]]:
    """When each order was placed, its status, whether it is archived, and what is in it."""
    random = Random(7)
    for _ in range(ORDERS):
        when = datetime(2025, 12, 15) + timedelta(hours=random.randrange(24 * 160))
        status = random.choice(("已完成", "已完成", "已完成", "已取消", "处理中"))
        goods = random.sample(CODES, random.randint(1, 4))
        if "A" in goods and random.random() < 0.7:
            goods.append("B")
        yield when, status, random.random() < 0.1, goods


@pytest.fixture(scope="module")
def crm_platform(own_crm_platform: Platform) -> Platform:
    """The reports are of everybody."""
    return own_crm_platform


@pytest.fixture(scope="module")
def sold(crm_platform: Platform) -> Crm:
    """Customers of two provinces and one of none, and their orders, each with archived lines, too."""
    crm = Crm(crm_platform, 1)
    customers = [make.customer(crm, province=province) for province in ("北京", "广东", None)]
    crm.archive(Customer, customers[1].id)
    price = Decimal("1.00")
    products = {
        code: crm.add(Product(code=code, name=code, category="x", unit_price=price, status="在售")) for code in CODES
    }
    orders, items = [], []
    for number, (when, status, archived, goods) in enumerate(baskets(), 1):
        lines = [
            OrderItem(
                order_id=number, line_no=at, product_id=products[code].id, qty=at, price=Decimal(number),
                amount=Decimal(at * number),
            )
            for at, code in enumerate(goods, 1)
        ]  # fmt: skip
        items += [stamped(line) for line in lines]
        order = SalesOrder(
            order_no=f"N{number}", customer_id=customers[number % 3].id, owner_id=1, ordered_at=when, pay_method="x",
            amount=sum((line.amount for line in lines), Decimal(0)), status=status, del_token=number if archived else 0,
        )  # fmt: skip
        orders.append({**stamped(order), "id": number})
    crm_platform.write_many("sales_order", orders)
    for number, code in product(range(1, ORDERS + 1), ("A", "E")):
        gone = OrderItem(
            order_id=number, line_no=9, product_id=products[code].id, qty=1, price=price, amount=price,
            del_token=products[code].id,
        )  # fmt: skip
        items.append(stamped(gone))
    crm_platform.write_many("order_item", items)
    return crm


def sales(start: datetime, stop: datetime) -> Iterator[tuple[int, datetime, dict[str, int]]]:
    """Number, time and amount by product of each order that counts."""
    for number, (when, status, archived, goods) in enumerate(baskets(), 1):
        if status == "已完成" and not archived and start <= when < stop:
            amounts: dict[str, int] = defaultdict(int)
            for at, code in enumerate(goods, 1):
                amounts[code] += at * number
            yield number, when, amounts


def expected(
    start: datetime, stop: datetime, before: datetime, keys: Callable[[int, datetime, dict[str, int]], dict[Any, int]]
) -> list[Sales]:
    """The report by what ``keys`` makes of an order: the keys that it counts for, each with its amount."""
    counts: dict[Any, list[int]] = defaultdict(lambda: [0, 0, 0])
    for number, when, amounts in sales(before, stop):
        for key, amount in keys(number, when, amounts).items():
            if when >= start:
                counts[key][0] += 1
                counts[key][1] += amount
            else:
                counts[key][2] += amount
    made = [Sales(key, orders, Decimal(amount), Decimal(earlier)) for key, (orders, amount, earlier) in counts.items()]
    return sorted(made, key=lambda one: (-one.amount, one.key or ""))


def test_sales_by_region(sold: Crm) -> None:
    def region(number: int, when: datetime, amounts: dict[str, int]) -> dict[str | None, int]:
        return {("北京", "广东", None)[number % 3]: sum(amounts.values())}

    found = sold.sales_by_region(START, STOP)
    assert found == expected(START, STOP, START - (STOP - START), region)
    assert {one.key for one in found} == {"北京", "广东", None}
    assert sold.sales_by_region(START, STOP, previous=datetime(2026, 2, 1)) == expected(
        START, STOP, datetime(2026, 2, 1), region
    )


def test_sales_by_product(sold: Crm) -> None:
    found = sold.sales_by_product(START, STOP)
    assert found == expected(START, STOP, START - (STOP - START), lambda number, when, amounts: amounts)
    assert sold.sales_by_product(START, START + HOUR, previous=datetime(2025, 1, 1))[-1].growth == -1


def test_sales_by_month(sold: Crm) -> None:
    found = sold.sales_by_month(datetime(2025, 12, 1), datetime(2026, 6, 1))
    amounts: dict[str, list[int]] = {one.key or "": [] for one in found}
    for _, when, parts in sales(datetime(2025, 12, 1), datetime(2026, 6, 1)):
        amounts[f"{when:%Y-%m}"].append(sum(parts.values()))
    assert [one.key for one in found] == ["2025-12", "2026-01", "2026-02", "2026-03", "2026-04", "2026-05"]
    assert [(one.orders, one.amount) for one in found] == [(len(one), Decimal(sum(one))) for one in amounts.values()]
    assert [one.previous_amount for one in found] == [0, *(one.amount for one in found[:-1])]
    assert [one.growth for one in found][:2] == [None, float(found[1].amount / found[0].amount - 1)]
    assert sold.sales_by_month(datetime(2026, 3, 1), datetime(2026, 4, 1)) == [found[3]]


def test_products_bought_together(sold: Crm) -> None:
    found = sold.product_association(START, STOP, least_orders=1)
    told = {
        (one.first, one.second): tuple(
            round(value, 6) for value in (one.support, one.confidence, one.confidence_back, one.lift)
        )
        for one in found
    }
    assert told == MLXTEND
    assert [one.lift for one in found] == sorted((one.lift for one in found), reverse=True)
    together = [set(amounts) for _, _, amounts in sales(START, STOP)]
    for one in found:
        assert one.orders == sum({one.first, one.second} <= goods for goods in together)
    assert sold.product_association(START, STOP, least_orders=1, limit=3) == found[:3]
    most = max(one.orders for one in found)
    assert sold.product_association(START, STOP, least_orders=most) == [one for one in found if one.orders == most]
    assert sold.product_association(datetime(2020, 1, 1), datetime(2020, 2, 1)) == []


def test_operator_efficiency(crm: Crm) -> None:
    operator, idle = make.operator(crm), make.operator(crm)
    gone = make.operator(crm)
    crm.archive(type(gone), gone.id)
    customer = make.customer(crm)

    def activity(kind: str, at: datetime, minutes: int | None, who: int = operator.id) -> None:
        crm.add(
            Activity(
                customer_id=customer.id, operator_id=who, kind=kind, channel="x", occurred_at=at, duration_min=minutes
            )
        )

    for kind, at, minutes in [
        ("visit", START, 30), ("visit", STOP - HOUR, 61), ("visit", START, None), ("call", START, 5),
        ("visit", STOP, 99), ("visit", START - HOUR, 99),
    ]:  # fmt: skip
        activity(kind, at, minutes)
    activity("call", START, 5, who=gone.id)
    for late, status in [(-HOUR, "完成"), (0 * HOUR, "完成"), (HOUR, "完成"), (HOUR, "待办")]:
        due = START + timedelta(days=1)
        made = crm.add(
            Task(
                assignee_id=operator.id,
                kind="回访",
                title="x",
                due_at=due,
                done_at=due + late,
                status=status,
                origin="x",
            )
        )
        crm.edit(Task, made.id, created_at=due - 10 * HOUR)
    for hours, limit, who in [(2, 3, operator.id), (5, 3, operator.id), (1, 3, None)]:
        crm.add(
            Ticket(
                ticket_no=f"R{hours}", customer_id=customer.id, assignee_id=who, kind="故障", status="关闭",
                opened_at=START - HOUR, due_at=START + limit * HOUR, closed_at=START + hours * HOUR,
            )
        )  # fmt: skip
    assert crm.operator_efficiency(START, STOP) == [
        Efficiency(
            operator.id, operator.name, activities=4, visits=3, visit_minutes=45.5,
            tasks=Finished(3, 2, 30 * HOUR), tickets=Finished(2, 1, 9 * HOUR),
        ),
        Efficiency(idle.id, idle.name),
        Efficiency(gone.id, gone.name, activities=1),
    ]  # fmt: skip
    assert (Finished(3, 2, 30 * HOUR).average, Finished(4, 1).in_time_part) == (10 * HOUR, 0.25)
    assert (Finished().average, Finished().in_time_part) == (None, None)


def test_satisfaction_by_month(crm: Crm, sold: Crm) -> None:
    one, other = make.operator(crm), make.operator(crm)
    customer = make.customer(crm)
    for at, who, channel, score in [
        (START, other.id, "微信", 5), (START + HOUR, one.id, "微信", 2), (START + HOUR, one.id, "电话", 2),
        (STOP - HOUR, one.id, "电话", 3), (STOP - HOUR, one.id, "电话", None),
        (STOP, one.id, "电话", 1), (START - HOUR, one.id, "电话", 1),
    ]:  # fmt: skip
        crm.add(
            Feedback(
                customer_id=customer.id, operator_id=who, kind="调查", channel=channel, score=score, status="已关闭",
                occurred_at=at,
            )
        )  # fmt: skip
    gone = crm.find(Feedback, {}, order_by=["id DESC"], limit=1)[0]
    crm.add(Feedback(**{**gone.values(), "id": 0, "occurred_at": START, "score": 1, "del_token": 9}))

    march, april = ("2026-03", "2026-04")
    assert crm.satisfaction_by_month(START, STOP) == [
        Satisfaction(march, None, 3, 9),
        Satisfaction(april, None, 1, 3),
    ]
    assert crm.satisfaction_by_month(START, STOP, by="channel") == [
        Satisfaction(march, "微信", 2, 7),
        Satisfaction(march, "电话", 1, 2),
        Satisfaction(april, "电话", 1, 3),
    ]
    assert Satisfaction(march, None, 8, 25).average == Decimal("3.13")
    by_operator = crm.satisfaction_by_month(START, STOP, by="operator_id")
    assert [(of.month, of.key, of.scores) for of in by_operator] == [
        (march, one.id, 2), (march, other.id, 1), (april, one.id, 1),
    ]  # fmt: skip
    assert crm.satisfaction_by_month(STOP + HOUR, STOP + 2 * HOUR) == []
    with pytest.raises(InvalidInput, match="by"):
        crm.satisfaction_by_month(START, STOP, by="score; --")  # type: ignore[arg-type]


def test_what_makes_no_sense(crm: Crm) -> None:
    for report in (
        crm.sales_by_region,
        crm.sales_by_month,
        crm.product_association,
        crm.operator_efficiency,
        crm.satisfaction_by_month,
    ):
        with pytest.raises(InvalidInput, match="stop"):
            report(STOP, START)
    with pytest.raises(InvalidInput, match="start"):
        crm.sales_by_month(START + HOUR, STOP)
    with pytest.raises(InvalidInput, match="not after"):
        crm.sales_by_product(START, STOP, previous=START)
    with pytest.raises(InvalidInput, match="least_orders"):
        crm.product_association(START, STOP, least_orders=0)
