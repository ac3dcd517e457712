"""VIP cards: one live card a customer, one customer a card, and every move told."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_model import Crm, NotFound, Refused
from crm_model.audit import decoded
from crm_model.entities import AuditLog, Customer, StockMove, VipCard
from platform_store import Platform
from tests.contract.conftest import Backend
from tests.contract.crm import make
from tests.contract.crm.conftest import Clock


def card_of(crm: Crm, customer: Customer) -> VipCard | None:
    cards = crm.find(VipCard, {"customer_id": customer.id})
    assert len(cards) <= 1
    return cards[0] if cards else None


def again(crm: Crm, card: VipCard) -> VipCard:
    (found,) = crm.find(VipCard, {"id": card.id}, archived=True)
    return found


def stock_moves(crm: Crm, card: VipCard) -> list[tuple[str, str | None, str | None, int]]:
    moves = crm.find(StockMove, {"item_type": "vip_card", "item_id": card.id})
    return [(move.kind, move.from_loc, move.to_loc, move.qty) for move in moves]


def places(card: VipCard) -> list[str]:
    """Where it was, one after the other."""
    for earlier, later in zip(card.moves, card.moves[1:], strict=False):
        assert later["from"] == earlier["to"]
        assert later["at"] > earlier["at"]
    assert card.location == card.moves[-1]["to"]
    return [move["to"] for move in card.moves]


def test_a_card_is_bound(crm: Crm) -> None:
    customer, card = make.customer(crm, vip_level=2), make.vip_card(crm, level=2)
    bound = crm.acting(4).bind_vip_card(customer.id, card.card_no)
    assert bound == again(crm, card) == card_of(crm, customer)
    move = {"at": bound.updated_at.isoformat(), "from": "总库", "to": "客户处", "by": 4}
    assert bound == card.but(
        status="在用",
        location="客户处",
        customer_id=customer.id,
        bound_at=bound.updated_at,
        moves=[*card.moves, move],
        updated_at=bound.updated_at,
        version=2,
    )
    assert bound.updated_at > card.updated_at
    assert stock_moves(crm, card) == [("出库", "总库", None, 1)]
    entry = crm.find(AuditLog, {"entity": "vip_card", "entity_id": card.id})[-1]
    assert (entry.action, entry.actor_id) == ("bind_vip_card", 4)
    assert decoded(VipCard, entry.after_state)["customer_id"] == customer.id


def test_the_second_time_nothing_happens(crm: Crm) -> None:
    customer, card = make.customer(crm, vip_level=1), make.vip_card(crm)
    bound = crm.bind_vip_card(customer.id, card.card_no)
    assert crm.bind_vip_card(customer.id, card.card_no) == bound
    assert crm.replace_vip_card(customer.id, card.card_no) == bound
    assert again(crm, card) == bound
    assert len(stock_moves(crm, card)) == 1


def test_a_card_of_another_customer(crm: Crm) -> None:
    first, second = make.customer(crm, vip_level=1), make.customer(crm, vip_level=1)
    taken, own = make.vip_card(crm), make.vip_card(crm)
    bound = crm.bind_vip_card(first.id, taken.card_no)
    refusal = f"vip_card '{taken.card_no}' is in use by customer {first.id}"
    with pytest.raises(Refused, match=refusal):
        crm.bind_vip_card(second.id, taken.card_no)
    kept = crm.bind_vip_card(second.id, own.card_no)
    with pytest.raises(Refused, match=refusal):
        crm.replace_vip_card(second.id, taken.card_no)
    assert (card_of(crm, first), card_of(crm, second)) == (bound, kept)


def test_a_second_card(crm: Crm) -> None:
    customer, first, second = make.customer(crm, vip_level=1), make.vip_card(crm), make.vip_card(crm)
    bound = crm.bind_vip_card(customer.id, first.card_no)
    with pytest.raises(Refused, match=f"customer {customer.id} has vip_card '{first.card_no}'"):
        crm.bind_vip_card(customer.id, second.card_no)
    assert card_of(crm, customer) == bound
    assert again(crm, second) == second


@pytest.mark.parametrize("newer_first", [False, True])
def test_a_card_is_replaced(crm: Crm, newer_first: bool) -> None:
    customer = make.customer(crm, vip_level=3)
    old, new = sorted((make.vip_card(crm), make.vip_card(crm)), key=lambda card: card.id, reverse=newer_first)
    crm.bind_vip_card(customer.id, old.card_no)
    bound = crm.replace_vip_card(customer.id, new.card_no, to="东区营业厅")
    assert card_of(crm, customer) == bound == again(crm, new)
    old = again(crm, old)
    assert (old.status, old.location, old.customer_id, old.bound_at) == ("库存", "东区营业厅", None, None)
    assert places(old) == ["总库", "客户处", "东区营业厅"]
    assert places(bound) == ["总库", "客户处"]
    assert stock_moves(crm, old) == [("出库", "总库", None, 1), ("入库", None, "东区营业厅", 1)]
    other = make.customer(crm, vip_level=1)
    assert crm.bind_vip_card(other.id, old.card_no).customer_id == other.id


def test_a_lost_card_is_replaced(crm: Crm) -> None:
    customer, lost, new = make.customer(crm, vip_level=1), make.vip_card(crm), make.vip_card(crm)
    crm.bind_vip_card(customer.id, lost.card_no)
    crm.replace_vip_card(customer.id, new.card_no, lost=True)
    lost = again(crm, lost)
    assert (lost.status, lost.location, lost.customer_id) == ("挂失", "不明", None)
    assert places(lost) == ["总库", "客户处", "不明"]
    assert stock_moves(crm, lost) == [("出库", "总库", None, 1)]
    with pytest.raises(Refused, match=f"vip_card '{lost.card_no}' is 挂失, not 库存"):
        crm.bind_vip_card(make.customer(crm, vip_level=1).id, lost.card_no)


def test_what_is_not_replaced_stays(crm: Crm) -> None:
    """The old card is given back and the new one refused in one transaction."""
    customer, own = make.customer(crm, vip_level=2), make.vip_card(crm)
    high, lost = make.vip_card(crm, level=3), make.vip_card(crm, status="挂失")
    with pytest.raises(Refused, match=f"customer {customer.id} has no vip_card to replace"):
        crm.replace_vip_card(customer.id, own.card_no)
    bound = crm.bind_vip_card(customer.id, own.card_no)
    for card, refusal in ((high, "is of level 3, customer .* of VIP level 2"), (lost, "is 挂失")):
        with pytest.raises(Refused, match=refusal):
            crm.replace_vip_card(customer.id, card.card_no)
        assert again(crm, card) == card
    assert card_of(crm, customer) == bound
    assert len(stock_moves(crm, own)) == 1


def test_a_card_is_released(crm: Crm) -> None:
    customer, card = make.customer(crm, vip_level=1), make.vip_card(crm)
    with pytest.raises(Refused, match=f"customer {customer.id} has no vip_card to release"):
        crm.release_vip_card(customer.id)
    crm.bind_vip_card(customer.id, card.card_no)
    crm.archive(Customer, customer.id)
    released = crm.release_vip_card(customer.id)
    assert released == again(crm, card)
    assert (released.status, released.customer_id, released.bound_at) == ("库存", None, None)
    assert places(released) == ["总库", "客户处", "总库"]
    assert stock_moves(crm, card) == [("出库", "总库", None, 1), ("入库", None, "总库", 1)]


def test_a_lost_card_is_released(crm: Crm) -> None:
    customer, card = make.customer(crm, vip_level=1), make.vip_card(crm)
    crm.bind_vip_card(customer.id, card.card_no)
    assert crm.release_vip_card(customer.id, lost=True).status == "挂失"
    assert card_of(crm, customer) is None


@pytest.mark.parametrize(("card_level", "customer_level", "fits"), [(1, 0, False), (2, 2, True), (2, 5, True)])
def test_the_level_of_a_card(crm: Crm, card_level: int, customer_level: int, fits: bool) -> None:
    customer, card = make.customer(crm, vip_level=customer_level), make.vip_card(crm, level=card_level)
    if not fits:
        with pytest.raises(Refused, match=f"of level {card_level}, customer {customer.id} of VIP level 0"):
            crm.bind_vip_card(customer.id, card.card_no)
        return
    crm.bind_vip_card(customer.id, card.card_no)
    crm.edit(Customer, customer.id, vip_level=0)
    kept = card_of(crm, customer)
    assert kept is not None
    assert kept.status == "在用"


def test_what_is_not_there(crm: Crm) -> None:
    customer, card = make.customer(crm, vip_level=1), make.vip_card(crm)
    with pytest.raises(NotFound, match="vip_card 'VIP-none' is not there"):
        crm.bind_vip_card(customer.id, "VIP-none")
    with pytest.raises(NotFound, match="customer 999999999"):
        crm.bind_vip_card(999_999_999, card.card_no)
    archived = make.vip_card(crm)
    crm.archive(VipCard, archived.id)
    with pytest.raises(NotFound, match=f"'{archived.card_no}'"):
        crm.bind_vip_card(customer.id, archived.card_no)
    crm.archive(Customer, customer.id)
    with pytest.raises(NotFound, match=f"customer {customer.id} is archived"):
        crm.bind_vip_card(customer.id, card.card_no)
    assert again(crm, card) == card


def test_what_the_moves_of_a_card_were_is_kept(crm: Crm) -> None:
    customer = make.customer(crm, vip_level=1)
    none, odd = make.vip_card(crm, moves=None), make.vip_card(crm, moves="库房移交")
    assert [move["to"] for move in crm.bind_vip_card(customer.id, none.card_no).moves] == ["客户处"]
    assert [
        move if isinstance(move, str) else move["to"] for move in crm.replace_vip_card(customer.id, odd.card_no).moves
    ] == ["库房移交", "客户处"]


@dataclass
class Case:
    """What two customers and three cards should be like: the simplest that could be right."""

    crm: Crm
    customers: list[Customer]
    cards: list[VipCard]
    holds: dict[int, int] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)
    moved: dict[int, list[str]] = field(default_factory=dict)

    def free(self, card: int) -> bool:
        return card not in self.holds.values() and card not in self.lost

    def bind(self, customer: int, card: int, lost: bool) -> bool:
        if self.holds.get(customer) == card:
            return True
        if customer in self.holds or not self.free(card):
            return False
        self.give(customer, card)
        return True

    def replace(self, customer: int, card: int, lost: bool) -> bool:
        if self.holds.get(customer) == card:
            return True
        if customer not in self.holds or not self.free(card):
            return False
        self.release(customer, card, lost)
        self.give(customer, card)
        return True

    def release(self, customer: int, card: int, lost: bool) -> bool:
        if customer not in self.holds:
            return False
        old = self.holds.pop(customer)
        self.moved[old].append("不明" if lost else "总库")
        self.lost |= {old} if lost else set()
        return True

    def give(self, customer: int, card: int) -> None:
        self.holds[customer] = card
        self.moved[card].append("客户处")

    def call(self, what: str, customer: int, card: int, lost: bool) -> bool:
        """Does it with the CRM; whether it was not refused."""
        key, number = self.customers[customer].id, self.cards[card].card_no
        try:
            if what == "bind":
                self.crm.bind_vip_card(key, number)
            elif what == "replace":
                self.crm.replace_vip_card(key, number, lost=lost)
            else:
                self.crm.release_vip_card(key, lost=lost)
        except Refused:
            return False
        return True

    def check(self) -> None:
        for index, customer in enumerate(self.customers):
            card = card_of(self.crm, customer)
            held = self.holds.get(index)
            assert (card and card.id) == (None if held is None else self.cards[held].id)
        for index, made in enumerate(self.cards):
            card = again(self.crm, made)
            bound = index in self.holds.values()
            assert card.status == ("在用" if bound else "挂失" if index in self.lost else "库存")
            assert (card.customer_id is not None, card.bound_at is not None) == (bound, bound)
            assert places(card) == ["总库", *self.moved[index]]
            assert [kind for kind, *_ in stock_moves(self.crm, card)] == [
                "出库" if place == "客户处" else "入库" for place in self.moved[index] if place != "不明"
            ]


STEPS = st.tuples(st.sampled_from(["bind", "replace", "release"]), st.integers(0, 1), st.integers(0, 2), st.booleans())


def test_whatever_happens_a_customer_has_one_card_and_moves_tell_every_move(
    crm_platform: Platform, crm_backend: Backend
) -> None:
    @given(st.lists(STEPS, min_size=8, max_size=14))
    @settings(max_examples=5 if crm_backend.real else 20, derandomize=True, database=None)
    def happens(steps: list[tuple[str, int, int, bool]]) -> None:
        crm = Crm(crm_platform, 1, clock=Clock())
        case = Case(
            crm,
            [make.customer(crm, vip_level=1) for _ in range(2)],
            [make.vip_card(crm) for _ in range(3)],
            moved={card: [] for card in range(3)},
        )
        for what, customer, card, lost in steps:
            expected = getattr(case, what)(customer, card, lost)
            assert case.call(what, customer, card, lost) == expected, (what, customer, card, lost)
        case.check()

    happens()
