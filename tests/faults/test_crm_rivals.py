"""Two processes after the same card, the same customer or the same decision: one of them gets it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest

from crm_model import Crm
from crm_model.entities import Approval, BillingCustomer, Customer, StockMove, Task, VipCard
from crm_model.rules import Condition, Input, Rule, TaskOf
from tests.contract.crm import make
from tests.faults.bench import Bench
from tests.faults.crm_crash import crm_bench
from tests.faults.crm_operations import Unlocked, serve
from tests.faults.crm_rivals import Race, Said, raced_at, raced_everywhere, raced_from_the_start

TABLES = (
    "customer",
    "billing_customer",
    "vip_card",
    "approval",
    "stock_move",
    "audit_log",
    "task",
    "sales_order",
    "feedback",
    "activity",
)


@pytest.fixture(scope="module")
def on_mysql(mysql_url: str, mongodb_url: str) -> Iterator[Bench]:
    with crm_bench(mysql_url, mongodb_url, TABLES) as made:
        yield made


@pytest.fixture(scope="module")
def on_mariadb(mariadb_url: str, mongodb_url: str) -> Iterator[Bench]:
    with crm_bench(mariadb_url, mongodb_url, TABLES) as made:
        yield made


@pytest.fixture(params=["mysql", "mariadb"])
def shared(request: pytest.FixtureRequest) -> Bench:
    made: Bench = request.getfixturevalue(f"on_{request.param}")
    return made


def one_won(first: Said, second: Said, refusal: str) -> list[str]:
    """What is wrong unless one was refused so, and the other was not."""
    losers = [said for said in (first, second) if said.error is not None]
    if len(losers) == 1 and losers[0].error == "Refused" and refusal in losers[0].message:
        return []
    return [f"{first}, {second}"]


Pair = tuple[Customer, Customer, VipCard, VipCard]


def two_and_two(crm: Crm) -> Pair:
    """Two customers and two cards for either."""
    return (
        make.customer(crm, vip_level=1),
        make.customer(crm, vip_level=1),
        make.vip_card(crm),
        make.vip_card(crm),
    )


def bound(crm: Crm, cards: tuple[VipCard, ...], winner: Said) -> list[str]:
    """What is wrong with the cards, of which the winner has one."""
    now = crm.find(VipCard, {"id": [card.id for card in cards]})
    wrong = []
    for card in now:
        won = card.id == winner.result
        moves = crm.find(StockMove, {"item_type": "vip_card", "item_id": card.id})
        if (card.customer_id is not None, len(card.moves), len(moves)) != ((True, 2, 1) if won else (False, 1, 0)):
            wrong.append(f"{card} with {len(moves)} stock moves")
    return wrong


def one_card(crm: Crm, pair: Pair, first: Said, second: Said) -> list[str]:
    one, other, card, _ = pair
    (now,) = crm.find(VipCard, {"id": card.id})
    winner, its = (first, one) if first.error is None else (second, other)
    wrong = [] if now.customer_id == its.id else [f"the card is customer {now.customer_id}'s, not {its.id}'s"]
    return wrong + one_won(first, second, f"is in use by customer {its.id}") + bound(crm, (card,), winner)


def two_cards(crm: Crm, pair: Pair, first: Said, second: Said) -> list[str]:
    _, _, card, another = pair
    winner, its = (first, card) if first.error is None else (second, another)
    wrong = [] if winner.result == its.id else [f"{winner}"]
    return wrong + one_won(first, second, f"has vip_card '{its.card_no}'") + bound(crm, (card, another), winner)


ONE_CARD = Race(
    "one card to two customers",
    two_and_two,
    lambda pair: serve("bind_vip_card", pair[0].id, pair[2].card_no),
    lambda pair: serve("bind_vip_card", pair[1].id, pair[2].card_no),
    one_card,
)
TWO_CARDS = Race(
    "two cards to one customer",
    two_and_two,
    lambda pair: serve("bind_vip_card", pair[0].id, pair[2].card_no),
    lambda pair: serve("bind_vip_card", pair[0].id, pair[3].card_no),
    two_cards,
)


def a_request(crm: Crm) -> Approval:
    return crm.apply_vip(make.customer(crm).id, 3)


def decided(crm: Crm, approval: Approval, first: Said, second: Said) -> list[str]:
    """Operator 2 approves, 3 rejects."""
    (now,) = crm.find(Approval, {"id": approval.id})
    (customer,) = crm.find(Customer, {"id": approval.subject_id})
    by, wanted = (2, ("通过", 2, 3, 1)) if first.error is None else (3, ("驳回", 3, 0, 1))
    found = (now.status, now.approver_id, customer.vip_level, len(now.comments))
    wrong = [] if found == wanted else [f"{found}, not {wanted}"]
    return wrong + one_won(first, second, f"was decided by operator {by}")


DECISION = Race(
    "a request approved and rejected",
    a_request,
    lambda approval: serve("approve_vip", approval.id, True, "同意", actor=2),
    lambda approval: serve("approve_vip", approval.id, False, "不同意", actor=3),
    decided,
)


def promoted(crm: Crm, account: BillingCustomer, first: Said, second: Said) -> list[str]:
    customers = crm.find(Customer, {"cust_no": account.boss_no})
    (now,) = crm.find(BillingCustomer, {"id": account.id})
    found = (first.result, second.result, now.customer_id)
    return [] if found == (customers[0].id,) * 3 and len(customers) == 1 else [f"{found}, of {len(customers)}"]


PROMOTION = Race(
    "an account promoted twice",
    make.billing_customer,
    lambda account: serve("promote_billing_customer", account.boss_no),
    lambda account: serve("promote_billing_customer", account.boss_no, actor=2),
    promoted,
)

AS_OF = datetime(2026, 6, 1)


def call_in(city: str) -> list[Rule]:
    """A task for each customer there."""
    return [Rule("call", TaskOf("回访", "请回访", "month", 3), (Condition(Input("city"), "is", frozenset([city])),))]


def somebody(crm: Crm) -> Customer:
    return make.customer(crm, city="合肥")


def called(crm: Crm, customer: Customer, first: Said, second: Said) -> list[str]:
    tasks = crm.find(Task, {"customer_id": customer.id})
    return [] if len(tasks) == 1 and first.error is second.error is None else [f"{first}, {second}: {tasks}"]


RULES = Race(
    "rules evaluated twice",
    somebody,
    lambda customer: serve("evaluate_rules", call_in("合肥"), AS_OF),
    lambda customer: serve("evaluate_rules", call_in("合肥"), AS_OF, actor=2),
    called,
)


def gone(crm: Crm, customer: Customer, first: Said, second: Said) -> list[str]:
    """The rules come after the move."""
    tasks = crm.find(Task, {"customer_id": customer.id})
    return [f"{first}, {second}: {tasks}"] if tasks or first.error or second.error else []


MOVING_AWAY = Race(
    "rules and a customer who moves away",
    somebody,
    lambda customer: serve("edit", Customer, customer.id, city="上海"),
    lambda customer: serve("evaluate_rules", call_in("合肥"), AS_OF),
    gone,
)
ABOUT_TO_COMMIT = ["rows.transaction.commit:before:1"]


class TestOneWins:
    @pytest.mark.parametrize("race", [ONE_CARD, TWO_CARDS, DECISION], ids=lambda race: race.name)
    def test_wherever_the_other_stands(self, shared: Bench, race: Race) -> None:
        outcome = raced_everywhere(shared, race)
        assert outcome.wrong == []
        assert outcome.first
        assert outcome.second

    @pytest.mark.parametrize("race", [ONE_CARD, TWO_CARDS, DECISION], ids=lambda race: race.name)
    def test_from_the_start(self, shared: Bench, race: Race) -> None:
        assert raced_from_the_start(shared, race, rounds=3).wrong == []


class TestBothSucceed:
    def test_the_customer_is_one(self, on_mysql: Bench) -> None:
        assert raced_everywhere(on_mysql, PROMOTION).wrong == []

    def test_the_task_is_one(self, on_mariadb: Bench) -> None:
        assert raced_everywhere(on_mariadb, RULES).wrong == []

    def test_rules_wait_for_who_has_the_customer(self, shared: Bench) -> None:
        """And take the customer as it has become."""
        assert raced_at(shared, MOVING_AWAY, ABOUT_TO_COMMIT).wrong == []


class TestTheHarnessNotices:
    @pytest.mark.parametrize("race", [ONE_CARD, DECISION], ids=lambda race: race.name)
    def test_reads_without_locks(self, on_mariadb: Bench, race: Race) -> None:
        assert raced_everywhere(on_mariadb, unlocked(race)).wrong

    def test_rules_that_wait_for_nobody(self, on_mariadb: Bench) -> None:
        assert raced_at(on_mariadb, unlocked(MOVING_AWAY), ABOUT_TO_COMMIT).wrong


def unlocked(race: Race) -> Race:
    """Both of them read without locks."""
    return replace(race, first=lambda one: Unlocked(race.first(one)), second=lambda one: Unlocked(race.second(one)))
