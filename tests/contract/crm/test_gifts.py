"""The stock of gifts and cards in each place, and that no more is given to customers than is there."""

from __future__ import annotations

from decimal import Decimal
from itertools import count

import pytest

from crm_model import Crm, InvalidInput, NotFound, Refused
from crm_model.entities import Activity, AuditLog, Customer, Gift, StockMove, VipCard
from crm_model.services.gifts import Stock
from platform_store import Conflict
from tests.contract.conftest import Backend
from tests.contract.crm import make
from tests.contract.crm.processes import together

PROCESSES, STOCK, ELSEWHERE, GRANTS = 2, 9, 5, 8
"""Each process wants so many pieces, one by one: together more than there are."""

_NUMBERS = count(1)


def gift(crm: Crm, stock: int = 0) -> Gift:
    """A gift that no other test has, so many of it in the main store."""
    number = next(_NUMBERS)
    added = crm.add(Gift(sku=f"G-{number}", name=f"礼品{number}", unit_cost=Decimal("9.90")))
    if stock:
        crm.receive_gifts(added.sku, stock)
    return added


def moves(crm: Crm, of: Gift | VipCard) -> list[tuple[str, int, str | None, str | None]]:
    found = crm.find(StockMove, {"item_type": of.table, "item_id": of.id})
    return [(move.kind, move.qty, move.from_loc, move.to_loc) for move in found]


def test_a_gift_takes_stock_and_is_in_the_timeline(crm: Crm) -> None:
    customer, tea = make.customer(crm), gift(crm, 5)
    activity = crm.grant_gift(customer.id, tea.sku, 2, summary="端午慰问", channel="快递")
    assert (activity.kind, activity.channel, activity.gift) == ("gift", "快递", {"sku": tea.sku, "qty": 2})
    assert (activity.operator_id, activity.summary) == (1, "端午慰问")
    assert crm.timeline(customer.id) == [activity]
    assert crm.stock_of(tea.sku) == Stock(tea.sku, 3, {"总库": 3})
    assert moves(crm, tea) == [("入库", 5, None, "总库"), ("出库", 2, "总库", None)]
    entries = crm.find(AuditLog, {"action": "grant_gift", "entity": "gift", "entity_id": tea.id})
    assert [(entry.before_state["stock_qty"], entry.after_state["stock_qty"]) for entry in entries] == [(5, 3)]


def test_no_more_is_given_than_is_there(crm: Crm) -> None:
    customer, tea = make.customer(crm), gift(crm, 3)
    with pytest.raises(Refused, match="3 are in '总库', not 4"):
        crm.grant_gift(customer.id, tea.sku, 4)
    with pytest.raises(Refused, match="0 are in '东区营业厅'"):
        crm.grant_gift(customer.id, tea.sku, location="东区营业厅")
    assert crm.timeline(customer.id) == []
    assert len(moves(crm, tea)) == 1
    crm.grant_gift(customer.id, tea.sku, 3)
    assert crm.stock_of(tea.sku) == Stock(tea.sku, 0, {})
    with pytest.raises(Refused):
        crm.grant_gift(customer.id, tea.sku)


def test_what_makes_no_sense_takes_no_stock(crm: Crm) -> None:
    customer, tea = make.customer(crm), gift(crm, 3)
    for qty in (0, -1, True, 1.5):
        with pytest.raises(InvalidInput, match="qty"):
            crm.grant_gift(customer.id, tea.sku, qty)  # type: ignore[arg-type]
        with pytest.raises(InvalidInput, match="qty"):
            crm.receive_gifts(tea.sku, qty)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="tags"):
        crm.grant_gift(customer.id, tea.sku, tags="端午")
    with pytest.raises(NotFound, match="gift 'nothing'"):
        crm.grant_gift(customer.id, "nothing")
    with pytest.raises(NotFound, match="gift 'nothing'"):
        crm.stock_of("nothing")
    crm.archive(Customer, customer.id)
    with pytest.raises(NotFound, match="customer"):
        crm.grant_gift(customer.id, tea.sku)
    assert crm.stock_of(tea.sku).total == 3
    crm.archive(Gift, tea.id)
    with pytest.raises(NotFound, match="gift"):
        crm.receive_gifts(tea.sku, 1)


def test_each_place_has_its_stock(crm: Crm) -> None:
    customer, tea = make.customer(crm), gift(crm, 10)
    crm.transfer_gifts(tea.sku, 4, from_="总库", to="东区")
    crm.transfer_gifts(tea.sku, 1, from_="东区", to="西区", document={"单号": "D1"})
    crm.receive_gifts(tea.sku, 2, to="西区")
    assert crm.stock_of(tea.sku) == Stock(tea.sku, 12, {"总库": 6, "东区": 3, "西区": 3})
    with pytest.raises(Refused, match="3 are in '东区', not 4"):
        crm.transfer_gifts(tea.sku, 4, from_="东区", to="总库")
    with pytest.raises(Refused, match="6 are in '总库', not 7"):
        crm.transfer_gifts(tea.sku, 7, from_="总库", to="东区")
    with pytest.raises(InvalidInput, match="another"):
        crm.transfer_gifts(tea.sku, 1, from_="东区", to="东区")
    crm.grant_gift(customer.id, tea.sku, 3, location="东区")
    assert crm.write_off_gifts(tea.sku, 1, location="西区") == Stock(tea.sku, 8, {"总库": 6, "西区": 2})
    assert crm.transfer_gifts(tea.sku, 2, from_="西区", to="东区") == crm.stock_of(tea.sku)
    assert crm.stock_of(tea.sku) == Stock(tea.sku, 8, {"总库": 6, "东区": 2})
    assert moves(crm, tea) == [
        ("入库", 10, None, "总库"),
        ("调拨", 4, "总库", "东区"),
        ("调拨", 1, "东区", "西区"),
        ("入库", 2, None, "西区"),
        ("出库", 3, "东区", None),
        ("出库", 1, "西区", None),
        ("调拨", 2, "西区", "东区"),
    ]


def grants(crm: Crm, customer_id: int, sku: str) -> int:
    """How many single pieces this process gets."""
    granted = 0
    for _ in range(GRANTS):
        try:
            crm.grant_gift(customer_id, sku)
        except Refused:
            continue
        granted += 1
    return granted


def test_two_processes_give_no_more_than_is_there(crm: Crm, crm_backend: Backend) -> None:
    """Not even of what is in the main store alone, which no column holds."""
    customers, tea = [make.customer(crm) for _ in range(PROCESSES)], gift(crm, STOCK)
    crm.receive_gifts(tea.sku, ELSEWHERE, to="东区")
    jobs = [(customer.id, tea.sku) for customer in customers]
    granted = together(crm_backend, f"{__name__}:grants", *jobs)
    assert sum(granted) == STOCK
    assert crm.stock_of(tea.sku) == Stock(tea.sku, ELSEWHERE, {"东区": ELSEWHERE})
    assert sum(kind == "出库" for kind, *_ in moves(crm, tea)) == STOCK
    activities = [crm.find(Activity, {"customer_id": customer.id, "kind": "gift"}) for customer in customers]
    assert [len(found) for found in activities] == granted


def locations(crm: Crm) -> dict[tuple[str, int], int]:
    return {(one.location, one.level): one.count for one in crm.vip_cards_in_stock()}


def test_cards_come_in_and_go_from_place_to_place(crm: Crm) -> None:
    numbers = [f"S-{next(_NUMBERS)}" for _ in range(3)]
    received = crm.receive_vip_cards(numbers, 4, to="北库")
    assert [(card.card_no, card.level, card.status, card.location) for card in received] == [
        (number, 4, "库存", "北库") for number in numbers
    ]
    assert locations(crm)["北库", 4] == 3
    first, second = crm.transfer_vip_cards(numbers[:2], "南库")
    assert crm.transfer_vip_cards([first.card_no], "南库") == [first]
    assert [(one["from"], one["to"], one["by"]) for one in first.moves] == [(None, "北库", 1), ("北库", "南库", 1)]
    assert moves(crm, first) == [("入库", 1, None, "北库"), ("调拨", 1, "北库", "南库")]
    (gone,) = crm.write_off_vip_cards([second.card_no])
    assert gone.archived
    assert moves(crm, second)[-1] == ("出库", 1, "南库", None)
    assert (locations(crm)["北库", 4], locations(crm)["南库", 4]) == (1, 1)
    assert crm.receive_vip_cards([second.card_no], 4)[0].location == "总库"


def test_all_cards_or_none(crm: Crm) -> None:
    customer, (own, other) = make.customer(crm, vip_level=5), [f"S-{next(_NUMBERS)}" for _ in range(2)]
    crm.receive_vip_cards([own, other], 1)
    with pytest.raises(Conflict):
        crm.receive_vip_cards([f"S-{next(_NUMBERS)}", other], 1)
    with pytest.raises(InvalidInput, match="level"):
        crm.receive_vip_cards([f"S-{next(_NUMBERS)}"], 6)
    crm.bind_vip_card(customer.id, own)
    before = locations(crm)
    for wrong, error in ((own, Refused), ("nothing", NotFound)):
        with pytest.raises(error, match=wrong):
            crm.transfer_vip_cards([other, wrong], "南库")
        with pytest.raises(error, match=wrong):
            crm.write_off_vip_cards([other, wrong])
    assert locations(crm) == before
