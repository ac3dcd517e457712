"""Rules applied to customers: once, whoever asks how often, and the same as dry."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from crm_model import Actor, Crm, InvalidInput, NotPermitted, RolePolicy
from crm_model.audit import decoded
from crm_model.entities import Activity, AuditLog, BillingCustomer, Customer, Feedback, SalesOrder, Task
from crm_model.model import Record
from crm_model.rules import INPUTS, LEVEL, LIMIT, Bound, Condition, Input, Rule, TaskOf, Value, decide
from crm_model.services.rules import Evaluation, RuleChange
from platform_store import Platform
from tests.contract.crm import make
from tests.contract.crm.conftest import Clock

AS_OF = datetime(2026, 6, 1, 12)
MS = timedelta(milliseconds=1)
_CITIES = count(1)
_ORDERS = count(1)


@pytest.fixture
def crm(own_crm_platform: Platform, clock: Clock) -> Crm:
    """Operator 1 at work where nobody else makes customers: rules go through all of them."""
    return Crm(own_crm_platform, 1, clock=clock)


@pytest.fixture
def city() -> str:
    """One of a test's own: its rules are for customers there alone."""
    return f"城{next(_CITIES)}"


@pytest.fixture
def here(city: str) -> Condition:
    return Condition(Input("city"), "is", frozenset([city]))


def order(crm: Crm, customer: Customer, ordered_at: datetime, amount: str, status: str = "已完成") -> SalesOrder:
    return crm.add(
        SalesOrder(
            order_no=f"RULES{next(_ORDERS):06d}",
            customer_id=customer.id,
            owner_id=1,
            ordered_at=ordered_at,
            amount=Decimal(amount),
            pay_method="转账",
            status=status,
        )
    )


def feedback(crm: Crm, customer: Customer, at: datetime, score: int | None, kind: str = "调查") -> Feedback:
    return crm.add(
        Feedback(
            customer_id=customer.id,
            operator_id=1,
            kind=kind,
            channel="电话",
            score=score,
            status="已关闭",
            occurred_at=at,
        )
    )


def activity(crm: Crm, customer: Customer, at: datetime) -> Activity:
    return crm.add(Activity(customer_id=customer.id, operator_id=1, kind="call", channel="电话", occurred_at=at))


def again(crm: Crm, customer: Customer) -> Customer:
    (found,) = crm.find(Customer, {"id": customer.id}, archived=True)
    return found


def tasks(crm: Crm, customer: Customer) -> list[Task]:
    return crm.find(Task, {"customer_id": customer.id})


def level(value: int, *when: Condition, how: Any = "exactly", code: str = "level") -> Rule:
    return Rule(code, Bound("vip_level", how, Decimal(value)), when)


def call(*when: Condition, **columns: Any) -> Rule:
    return Rule(
        columns.pop("code", "call"), TaskOf("回访", "请回访", **{"every": "month", "due_days": 3, **columns}), when
    )


def test_a_level_and_a_limit_are_set(crm: Crm, here: Condition, city: str) -> None:
    customer, other = make.customer(crm, city=city, vip_level=1), make.customer(crm)
    limit = Rule(
        "limit", Bound("credit_limit", "at_least", Decimal("50000.00")), (here, Condition(LEVEL, "above", Decimal(2)))
    )
    done = crm.acting(7).evaluate_rules([level(3, here), limit], AS_OF)
    assert done.changes == (
        RuleChange(customer.id, "level", "vip_level", 1, 3),
        RuleChange(customer.id, "limit", "credit_limit", Decimal("1000.00"), Decimal("50000.00")),
    )
    assert (done.counts, done.total, done.dry_run, done.as_of) == ({"level": 1, "limit": 1}, 2, False, AS_OF)
    changed = again(crm, customer)
    assert changed == customer.but(
        vip_level=3, credit_limit=Decimal("50000.00"), version=2, updated_at=changed.updated_at
    )
    assert again(crm, other) == other
    entry = crm.find(AuditLog, {"entity": "customer", "entity_id": customer.id})[-1]
    assert (entry.action, entry.actor_id, entry.meta) == ("evaluate_rules", 7, {"rules": ["level", "limit"]})
    assert decoded(Customer, entry.before_state) == {"vip_level": 1, "credit_limit": Decimal("1000.00")}


def test_a_task_is_raised(crm: Crm, here: Condition, city: str) -> None:
    customer = make.customer(crm, city=city, owner_id=9, vip_level=4)
    scores = Condition(Input("satisfaction", 30), "below", Decimal(3))
    for score in (1, None, 2):
        feedback(crm, customer, AS_OF - timedelta(days=3), score)
    rule = call(
        here, scores, Condition(LEVEL, "above", Decimal(3)), remind_days=1, priority=1, checklist=("电话", "记录")
    )
    done = crm.evaluate_rules([rule], AS_OF)
    (task,) = tasks(crm, customer)
    key = f"call:{customer.id}:2026-06"
    assert task == Task(
        id=task.id,
        customer_id=customer.id,
        assignee_id=9,
        kind="回访",
        title="请回访",
        due_at=AS_OF + timedelta(days=3),
        remind_at=AS_OF + timedelta(days=2),
        status="待办",
        priority=1,
        origin="call",
        dedupe_key=key,
        rule={"code": "call", "inputs": {"city": city, "satisfaction(30)": "1.5000", "vip_level": 4}},
        checklist=[{"item": "电话", "done": False}, {"item": "记录", "done": False}],
        created_at=task.created_at,
        updated_at=task.created_at,
    )
    assert done.changes == (RuleChange(customer.id, "call", "task", None, key),)
    assert [entry.action for entry in crm.find(AuditLog, {"entity": "task", "entity_id": task.id})] == [
        "evaluate_rules"
    ]


def test_a_task_for_somebody(crm: Crm, here: Condition, city: str) -> None:
    customer = make.customer(crm, city=city)
    crm.evaluate_rules([call(here, assignee_id=3)], AS_OF)
    (task,) = tasks(crm, customer)
    assert (task.assignee_id, task.remind_at, task.checklist) == (3, None, None)


def test_run_again_it_changes_nothing(crm: Crm, here: Condition, city: str) -> None:
    customer = make.customer(crm, city=city)
    rules = [level(3, here), call(here), call(here, code="write", every="once")]
    assert crm.evaluate_rules(rules, AS_OF).total == 3
    state = (again(crm, customer), tasks(crm, customer))
    assert crm.evaluate_rules(rules, AS_OF).total == 0
    assert (again(crm, customer), tasks(crm, customer)) == state
    later = crm.evaluate_rules(rules, AS_OF + timedelta(days=30))
    assert [change.after for change in later.changes] == [f"call:{customer.id}:2026-07"]


def test_what_was_done_or_archived_is_not_raised_again(crm: Crm, here: Condition, city: str) -> None:
    customers = [make.customer(crm, city=city) for _ in range(2)]
    crm.evaluate_rules([call(here)], AS_OF)
    (done,), (dropped,) = (tasks(crm, customer) for customer in customers)
    crm.edit(Task, done.id, status="完成")
    crm.archive(Task, dropped.id)
    assert crm.evaluate_rules([call(here)], AS_OF).total == 0


def test_a_dry_run_says_what_would_change(crm: Crm, here: Condition, city: str) -> None:
    customer = make.customer(crm, city=city)
    rules = [level(3, here), call(here)]
    entries = len(crm.find(AuditLog, {"entity": "customer"}))
    said = crm.evaluate_rules(rules, AS_OF, dry_run=True)
    assert (said.dry_run, said.total) == (True, 2)
    assert (again(crm, customer), tasks(crm, customer)) == (customer, [])
    assert len(crm.find(AuditLog, {"entity": "customer"})) == entries
    done = crm.evaluate_rules(rules, AS_OF)
    assert done.changes == said.changes
    assert (done.counts, done.customers) == (said.counts, said.customers)


def test_a_rule_that_changes_nothing_counts_none(crm: Crm, here: Condition, city: str) -> None:
    customer = make.customer(crm, city=city, vip_level=4)
    assert crm.evaluate_rules([level(3, here, how="at_least")], AS_OF).counts == {"level": 0}
    assert again(crm, customer) == customer


def test_periods_end_at_the_moment(crm: Crm, here: Condition, city: str) -> None:
    """What is a millisecond too old or too late does not count, nor what is archived or of another state."""
    customer = make.customer(crm, city=city)
    begins = AS_OF - timedelta(days=10)
    for at, amount in [(begins, "1"), (begins + MS, "10"), (AS_OF, "100"), (AS_OF + MS, "1000")]:
        order(crm, customer, at, amount)
        feedback(crm, customer, at, len(amount), kind="投诉")
    order(crm, customer, AS_OF, "10000", status="已取消")
    crm.archive(SalesOrder, order(crm, customer, AS_OF, "100000").id)
    crm.archive(Feedback, feedback(crm, customer, AS_OF, 5, kind="投诉").id)
    activity(crm, customer, AS_OF + MS)
    crm.archive(Activity, activity(crm, customer, AS_OF).id)
    activity(crm, customer, AS_OF - timedelta(days=2) + MS)
    for name, days, found in [
        ("orders_amount", 10, "110.00"),
        ("orders_count", 10, 2),
        ("complaints", 10, 2),
        ("satisfaction", 10, "2.5000"),
        ("days_since_activity", None, 1),
    ]:
        seen = Condition(Input(name, days), "at_least", Decimal(0))
        crm.evaluate_rules([call(here, seen, code=f"see-{name[:20].replace('_', '-')}", every="day")], AS_OF)
        assert tasks(crm, customer)[-1].rule["inputs"][str(Input(name, days))] == found


def test_accounts_count_together(crm: Crm, here: Condition, city: str) -> None:
    customer, none = make.customer(crm, city=city), make.customer(crm, city=city)
    for arpu, arrears, months in [("100.50", "0", 40), ("50.25", "7.10", 3)]:
        account = make.billing_customer(crm, arpu_3m=Decimal(arpu), arrears=Decimal(arrears), tenure_months=months)
        crm.promote_billing_customer(account.boss_no, customer_id=customer.id)
    gone = make.billing_customer(crm)
    crm.promote_billing_customer(gone.boss_no, customer_id=customer.id)
    crm.archive(BillingCustomer, gone.id)
    names = ("arpu", "arrears", "tenure_months")
    seen = [Condition(Input(name), "at_least", Decimal(0), if_missing=True) for name in names]
    crm.evaluate_rules([call(here, *seen)], AS_OF)
    inputs = [[tasks(crm, one)[0].rule["inputs"][name] for name in names] for one in (customer, none)]
    assert inputs == [["150.75", "7.10", 40], [None, 0, None]]


def test_archived_customers_are_left_alone(crm: Crm, here: Condition, city: str) -> None:
    customer = make.customer(crm, city=city)
    archived = crm.archive(Customer, customer.id)
    before = crm.evaluate_rules([level(3, here)], AS_OF)
    assert (before.total, again(crm, customer)) == (0, archived)
    crm.restore(Customer, customer.id)
    after = crm.evaluate_rules([level(3, here)], AS_OF)
    assert (after.total, after.customers) == (1, before.customers + 1)


def population(crm: Crm, city: str, size: int) -> list[Customer]:
    """Customers with all that rules look at, of one seed."""
    draw = random.Random(1)
    customers = []
    for number in range(size):
        customer = make.customer(
            crm,
            city=city,
            vip_level=draw.randrange(6),
            credit_limit=Decimal(draw.randrange(9)) * 1000,
            stage=draw.choice(["稳定", "续约", "破裂"]),
            industry=draw.choice(["制造", None]),
        )
        customers.append(customer)
        moments = [AS_OF - timedelta(days=draw.randrange(-5, 60), milliseconds=draw.randrange(2)) for _ in range(5)]
        order(crm, customer, moments[0], f"{draw.randrange(10**6)}.{draw.randrange(100):02d}")
        order(crm, customer, moments[1], "5.00", draw.choice(["已完成", "处理中"]))
        feedback(crm, customer, moments[2], draw.choice([1, 2, 4, None]), draw.choice(["调查", "投诉"]))
        feedback(crm, customer, moments[3], draw.choice([3, 5, None]))
        if number % 3:
            activity(crm, customer, moments[4])
        if number % 2:
            account = make.billing_customer(
                crm, arpu_3m=Decimal(draw.randrange(300)), arrears=Decimal(draw.randrange(2) * 55)
            )
            crm.promote_billing_customer(account.boss_no, customer_id=customer.id)
    return customers


def every_rule(here: Condition) -> list[Rule]:
    """Each input is looked at."""

    def seen(name: str, days: int | None, comparison: Any, value: Any, *, if_missing: bool = False) -> Condition:
        given = frozenset([value]) if isinstance(value, str) else Decimal(value)
        return Condition(Input(name, days), comparison, given, if_missing)

    return [
        level(0, here, seen("arrears", None, "above", 50), how="at_most", code="owes"),
        level(4, here, seen("orders_amount", 30, "at_least", 500_000), how="at_least", code="buys"),
        level(2, here, seen("arpu", None, "below", 150, if_missing=True), how="at_least", code="pays-little"),
        level(1, here, seen("orders_count", 45, "at_most", 1), code="few"),
        Rule(
            "rich",
            Bound("credit_limit", "at_least", Decimal("5000.00")),
            (here, Condition(LEVEL, "at_least", Decimal(3))),
        ),
        Rule(
            "poor",
            Bound("credit_limit", "at_most", Decimal("2000.00")),
            (here, seen("industry", None, "is_not", "制造", if_missing=True)),
        ),
        call(here, seen("satisfaction", 30, "below", 3), code="unhappy"),
        call(here, seen("complaints", 50, "above", 0), seen("stage", None, "is", "续约"), code="complains"),
        call(here, seen("days_since_activity", None, "at_least", 20, if_missing=True), code="quiet"),
        call(here, seen("tenure_months", None, "at_least", 12), Condition(LIMIT, "below", Decimal(4000)), code="old"),
    ]


class Naive:
    """What the rules come to, worked out from all rows, one by one."""

    def __init__(self, crm: Crm):
        models: list[type[Record]] = [SalesOrder, Feedback, Activity, BillingCustomer]
        self.rows = {model: crm.find(model, {}) for model in models}

    def of(self, model: type[Record], customer: Customer) -> Iterable[Any]:
        return (row for row in self.rows[model] if getattr(row, "customer_id", None) == customer.id)

    def facts(self, customer: Customer, inputs: Iterable[Input]) -> dict[Input, Value]:
        return {one: self.value(customer, one) for one in (*inputs, LEVEL, LIMIT)}

    def value(self, customer: Customer, one: Input) -> Value:
        since = AS_OF - timedelta(days=one.days or 0)
        orders = [
            row for row in self.of(SalesOrder, customer) if since < row.ordered_at <= AS_OF and row.status == "已完成"
        ]
        said = [row for row in self.of(Feedback, customer) if since < row.occurred_at <= AS_OF]
        scores = [row.score for row in said if row.score is not None]
        met = [row.occurred_at for row in self.of(Activity, customer) if row.occurred_at <= AS_OF]
        accounts = list(self.of(BillingCustomer, customer))
        values: dict[str, Value] = {
            "orders_amount": sum(row.amount for row in orders),
            "orders_count": len(orders),
            "satisfaction": Decimal(sum(scores)) / len(scores) if scores else None,
            "complaints": sum(row.kind == "投诉" for row in said),
            "days_since_activity": (AS_OF - max(met)).days if met else None,
            "arpu": sum(row.arpu_3m for row in accounts) if accounts else None,
            "arrears": sum(row.arrears for row in accounts),
            "tenure_months": max((row.tenure_months for row in accounts), default=None),
        }
        return values[one.name] if one.name in values else getattr(customer, one.name)


def test_it_comes_to_what_the_rows_say(crm: Crm, here: Condition, city: str) -> None:
    rules, customers = every_rule(here), population(crm, city, 24)
    inputs = {condition.input for rule in rules for condition in rule.when}
    assert {one.name for one in inputs} >= INPUTS.keys() - {"kind", "status", "province"}
    naive = Naive(crm)
    wanted = {one.id: decide(rules, naive.facts(one, inputs)) for one in customers}
    small, large = (crm.evaluate_rules(rules, AS_OF, True, batch_size=size) for size in (7, 1000))
    assert small == large
    done = crm.evaluate_rules(rules, AS_OF)
    assert (done.changes, done.counts) == (large.changes, large.counts)
    assert [code for code, found in done.counts.items() if not found] == []
    for customer in customers:
        changed, decision = again(crm, customer), wanted[customer.id]
        assert (changed.vip_level, changed.credit_limit) == (decision.vip_level, decision.credit_limit)
        assert [task.origin for task in tasks(crm, customer)] == [rule.code for rule, _ in decision.tasks]
    assert crm.evaluate_rules(rules, AS_OF).total == 0


def test_an_interrupted_run_is_finished_by_the_next(crm: Crm, here: Condition, city: str) -> None:
    class Interrupted(Exception):
        pass

    class Interrupting:
        def permits(self, actor: Actor, action: str, row: Record | None) -> bool:
            if isinstance(row, Customer) and row.id == customers[5].id:
                raise Interrupted
            return True

    customers = [make.customer(crm, city=city) for _ in range(8)]
    rules = [level(3, here), call(here)]
    wanted = crm.evaluate_rules(rules, AS_OF, dry_run=True)
    with pytest.raises(Interrupted):
        Crm(crm.platform, 1, policy=Interrupting(), clock=crm.clock).evaluate_rules(rules, AS_OF, batch_size=2)
    levels = [again(crm, customer).vip_level for customer in customers]
    assert levels[0] == 3
    assert levels[5:] == [0, 0, 0]
    rest = crm.evaluate_rules(rules, AS_OF)
    assert set(rest.changes) < set(wanted.changes)
    assert [(again(crm, one).vip_level, len(tasks(crm, one))) for one in customers] == [(3, 1)] * 8


def test_the_result_tells_as_many_changes_as_are_asked_for(crm: Crm, here: Condition, city: str) -> None:
    customers = [make.customer(crm, city=city) for _ in range(5)]

    def dry(most: int, batch: int) -> Evaluation:
        return crm.evaluate_rules([level(3, here), call(here)], AS_OF, True, most_changes=most, batch_size=batch)

    told = dry(3, 2)
    assert [(change.customer_id, change.what) for change in told.changes] == [
        (customers[0].id, "vip_level"),
        (customers[0].id, "task"),
        (customers[1].id, "vip_level"),
    ]
    assert told.counts == {"level": 5, "call": 5}
    assert dry(0, 3).changes == ()


def test_the_policy_is_asked(crm: Crm, here: Condition, city: str) -> None:
    own, other = make.customer(crm, city=city, owner_id=5), make.customer(crm, city=city, owner_id=6)
    policy = RolePolicy({"客户经理": ["evaluate_rules"], "访客": []}, own_customers=["客户经理"])
    manager = Crm(crm.platform, Actor(5, "客户经理"), policy=policy, clock=crm.clock)
    assert [change.customer_id for change in manager.evaluate_rules([level(3, here)], AS_OF, True).changes] == [own.id]
    assert manager.evaluate_rules([level(3, here)], AS_OF).total == 1
    assert (again(crm, own).vip_level, again(crm, other).vip_level) == (3, 0)
    for dry_run in (True, False):
        with pytest.raises(NotPermitted):
            manager.acting(Actor(5, "访客")).evaluate_rules([level(3, here)], AS_OF, dry_run)


def test_moments(crm: Crm, here: Condition, city: str) -> None:
    customer = make.customer(crm, city=city)
    with pytest.raises(InvalidInput, match="as_of: has a time zone"):
        crm.evaluate_rules([call(here)], AS_OF.replace(tzinfo=UTC))
    done = crm.evaluate_rules([call(here)], AS_OF + timedelta(microseconds=1999))
    assert done.as_of == AS_OF + MS
    assert tasks(crm, customer)[0].due_at == AS_OF + MS + timedelta(days=3)
