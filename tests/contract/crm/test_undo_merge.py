"""What was merged made two again: as it was, but for what has changed since."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from crm_model import Crm, NotFound, Refused
from crm_model.entities import Activity, AuditLog, Contact, Customer, StockMove, Task, VipCard
from crm_model.links import links_to
from crm_model.model import Standard
from crm_model.services.merging import Kept
from platform_store import Conflict
from tests.contract.crm import make

_COUNTED = ("version", "updated_at")


def everything(crm: Crm, *customers: Customer, cards: tuple[VipCard, ...] = ()) -> dict[tuple[str, int], Any]:
    """These customers, cards and all that refers to the customers, whole but for how often and when they changed."""
    ids = [customer.id for customer in customers]
    rows: list[Standard] = [
        *crm.find(Customer, {"id": ids}, archived=True),
        *crm.find(VipCard, {"id": [card.id for card in cards]}, archived=True),
    ]
    for link in links_to("customer"):
        rows += crm.find(link.model, {**link.where(0), link.column: ids}, archived=True)
    return {
        (row.table, row.id): {name: value for name, value in row.values().items() if name not in _COUNTED}
        for row in rows
    }


def rich(crm: Crm, **columns: Any) -> tuple[Customer, VipCard]:
    """A customer with rows of every kind, and the card among them."""
    customer = make.customer(crm, vip_level=2, **columns)
    for link in links_to("customer"):
        if link.model is Customer:
            make.customer(crm, **{link.column: customer.id})
        elif link.model is not VipCard:
            own: dict[str, Any] = {"customer_id": customer.id, link.by: "customer"} if link.by else {}
            make.row(crm, link.model, **{**own, link.column: customer.id})
    key = f"care:{customer.id}:2026-05"
    make.row(crm, Task, customer_id=customer.id, dedupe_key=key)
    make.row(crm, Contact, customer_id=customer.id, is_primary=1)
    crm.archive(Activity, make.row(crm, Activity, customer_id=customer.id).id)
    card = make.vip_card(crm)
    return customer, crm.bind_vip_card(customer.id, card.card_no)


def test_a_merge_is_found_again_by_who_went_in(crm: Crm) -> None:
    (winner, _), (loser, _) = rich(crm), rich(crm)
    merged = crm.merge_customers(winner.id, loser.id)
    assert crm.merge_of(loser.id) == merged
    assert crm.merge_of(loser.id) == merged
    crm.undo_merge(merged.trace_id)
    for customer in (winner, loser):
        with pytest.raises(Refused, match=f"customer {customer.id} is merged into none"):
            crm.merge_of(customer.id)
    with pytest.raises(NotFound, match="is not there"):
        crm.merge_of(10**9)


def test_a_merge_that_another_program_has_done(crm: Crm) -> None:
    winner, loser = make.customer(crm), make.customer(crm)
    crm.platform.update("customer", loser.id, {"merged_into": winner.id, "del_token": loser.id})
    with pytest.raises(Refused, match=f"customer {loser.id} was merged without an entry"):
        crm.merge_of(loser.id)
    with pytest.raises(Refused, match="without an entry"):
        crm.merge_customers(winner.id, loser.id)


def test_everything_is_as_it_was(crm: Crm) -> None:
    (winner, its), (loser, theirs) = rich(crm, tags=["a"]), rich(crm, city="上海", tags=["b"], custom={"x": 1})
    before = everything(crm, winner, loser, cards=(its, theirs))
    merged = crm.merge_customers(winner.id, loser.id)
    assert everything(crm, winner, loser, cards=(its, theirs)) != before
    undone = crm.undo_merge(merged.trace_id)
    assert everything(crm, winner, loser, cards=(its, theirs)) == before
    assert undone.kept == ()
    assert undone.moved == {**merged.moved, "vip_card.customer_id": 1}
    assert (undone.winner.tags, undone.loser.archived, undone.loser.merged_into) == (["a"], False, None)
    moves = crm.find(StockMove, {"item_type": "vip_card", "item_id": theirs.id})
    assert [move.kind for move in moves] == ["出库", "入库", "出库"]


def test_what_came_since_stays_with_the_winner(crm: Crm) -> None:
    (winner, _), (loser, _) = rich(crm), rich(crm)
    merged = crm.merge_customers(winner.id, loser.id)
    added = [make.row(crm, Activity, customer_id=winner.id), make.row(crm, Contact, customer_id=winner.id)]
    assert crm.undo_merge(merged.trace_id).kept == ()
    for row in added:
        (found,) = crm.find(type(row), {"id": row.id})
        assert found == row


def test_what_has_changed_since_is_kept_and_told(crm: Crm) -> None:
    winner, loser = make.customer(crm), make.customer(crm, city="上海", phone="17755555555", tags=["b"])
    other = make.customer(crm)
    edited, gone, stays = (make.row(crm, Activity, customer_id=loser.id) for _ in range(3))
    contact = make.row(crm, Contact, customer_id=loser.id)
    merged = crm.merge_customers(winner.id, loser.id)
    crm.edit(Customer, winner.id, city="南京", tags=["b", "c"])
    crm.edit(Activity, edited.id, summary="后来补充")
    crm.edit(Activity, gone.id, customer_id=other.id)
    crm.archive(Activity, stays.id)
    undone = crm.undo_merge(merged.trace_id)
    assert set(undone.kept) == {
        Kept("customer", winner.id, ("city", "tags")),
        Kept("activity", gone.id, ("customer_id",)),
    }
    assert (undone.winner.city, undone.winner.tags, undone.winner.phone) == ("南京", ["b", "c"], None)
    rows = {row.id: row for row in crm.find(Activity, {"id": [edited.id, gone.id, stays.id]}, archived=True)}
    assert {row.customer_id for row in (rows[edited.id], rows[stays.id])} == {loser.id}
    assert rows[edited.id].summary == "后来补充"
    assert rows[stays.id].archived
    assert rows[gone.id].customer_id == other.id
    assert crm.find(Contact, {"id": contact.id})[0].customer_id == loser.id
    assert undone.moved == {"activity.customer_id": 2, "contact.customer_id": 1}


def test_a_card_that_was_given_away_since(crm: Crm) -> None:
    (winner, _), (loser, theirs) = rich(crm), rich(crm)
    merged = crm.merge_customers(winner.id, loser.id)
    other = make.customer(crm, vip_level=3)
    bound = crm.bind_vip_card(other.id, theirs.card_no)
    undone = crm.undo_merge(merged.trace_id)
    assert undone.kept == (Kept("vip_card", theirs.id, ("bound_at", "customer_id", "location", "moves", "status")),)
    assert crm.find(VipCard, {"id": theirs.id}) == [bound]
    assert len(crm.find(StockMove, {"item_type": "vip_card", "item_id": theirs.id})) == 3


def test_a_card_that_moved_with_its_customer_and_was_released(crm: Crm) -> None:
    winner, (loser, theirs) = make.customer(crm), rich(crm)
    merged = crm.merge_customers(winner.id, loser.id)
    released = crm.release_vip_card(winner.id)
    undone = crm.undo_merge(merged.trace_id)
    assert undone.kept == (Kept("vip_card", theirs.id, ("customer_id",)),)
    assert crm.find(VipCard, {"id": theirs.id}) == [released]


def test_a_rating_since_is_kept(crm: Crm) -> None:
    winner, loser = make.customer(crm), make.customer(crm)
    crm.record_feedback(winner.id, kind="调查", channel="电话", score=5)
    crm.record_feedback(loser.id, kind="调查", channel="电话", score=2)
    trace = crm.merge_customers(winner.id, loser.id).trace_id
    crm.record_feedback(winner.id, kind="调查", channel="电话", score=4)
    undone = crm.undo_merge(trace)
    assert undone.kept == (Kept("customer", winner.id, ("satisfaction",)),)
    assert undone.winner.satisfaction == Decimal("3.67")
    assert crm.satisfaction(winner.id) == Decimal("4.50")


def test_only_once(crm: Crm) -> None:
    winner, loser = make.customer(crm), make.customer(crm)
    trace = crm.merge_customers(winner.id, loser.id).trace_id
    undone = crm.undo_merge(trace)
    with pytest.raises(Refused, match="was undone"):
        crm.undo_merge(trace)
    again = crm.merge_customers(winner.id, loser.id)
    with pytest.raises(Refused, match="was undone"):
        crm.undo_merge(trace)
    assert crm.undo_merge(again.trace_id).loser.version == undone.loser.version + 2


def test_a_later_merge_is_undone_first(crm: Crm) -> None:
    """A <- B <- C."""
    (a, _), (b, _), (c, card) = rich(crm), rich(crm), rich(crm)
    before = everything(crm, a, b, c, cards=(card,))
    first = crm.merge_customers(b.id, c.id)
    between = everything(crm, a, b, c, cards=(card,))
    second = crm.merge_customers(a.id, b.id)
    assert crm.find(Customer, {"id": c.id}, archived=True)[0].merged_into == a.id
    with pytest.raises(Refused, match=f"customer {b.id} was merged into {a.id} later"):
        crm.undo_merge(first.trace_id)
    assert crm.undo_merge(second.trace_id).kept == ()
    assert everything(crm, a, b, c, cards=(card,)) == between
    assert crm.undo_merge(first.trace_id).kept == ()
    assert everything(crm, a, b, c, cards=(card,)) == before


def test_two_losers_of_one_winner(crm: Crm) -> None:
    """In whichever order they are undone, each has its own rows again."""
    winner, (one, _), (other, _) = make.customer(crm, tags=["w"]), rich(crm, tags=["1"]), rich(crm, tags=["2"])
    own = [everything(crm, customer) for customer in (one, other)]
    traces = [crm.merge_customers(winner.id, customer.id).trace_id for customer in (one, other)]
    undone = crm.undo_merge(traces[0])
    assert ("customer", ("tags",)) in [(kept.table, kept.columns) for kept in undone.kept]
    crm.undo_merge(traces[1])
    assert [everything(crm, customer) for customer in (one, other)] == own


def test_a_number_that_is_taken_meanwhile(crm: Crm) -> None:
    winner, loser = make.customer(crm), make.customer(crm)
    row = make.row(crm, Activity, customer_id=loser.id)
    trace = crm.merge_customers(winner.id, loser.id).trace_id
    taken = make.customer(crm, cust_no=loser.cust_no)
    with pytest.raises(Conflict):
        crm.undo_merge(trace)
    assert crm.find(Activity, {"id": row.id})[0].customer_id == winner.id, "nothing has changed"
    crm.archive(Customer, taken.id)
    assert crm.undo_merge(trace).loser.cust_no == loser.cust_no


def test_a_winner_that_is_archived_since(crm: Crm) -> None:
    winner, loser = make.customer(crm), make.customer(crm)
    row = make.row(crm, Activity, customer_id=loser.id)
    trace = crm.merge_customers(winner.id, loser.id).trace_id
    crm.archive(Customer, winner.id)
    assert crm.undo_merge(trace).winner.archived
    assert crm.find(Activity, {"id": row.id})[0].customer_id == loser.id


def test_what_is_no_merge(crm: Crm) -> None:
    customer = make.customer(crm)
    (entry,) = crm.find(AuditLog, {"entity": "customer", "entity_id": customer.id})
    with pytest.raises(Refused, match="is add, no merge"):
        crm.undo_merge(entry.trace_id)
    with pytest.raises(NotFound, match="nowhere"):
        crm.undo_merge("nowhere")


def test_an_undo_is_audited(crm: Crm) -> None:
    winner, loser = make.customer(crm), make.customer(crm, city="上海")
    row = make.row(crm, Activity, customer_id=loser.id)
    crm.undo_merge(crm.merge_customers(winner.id, loser.id).trace_id)
    last = crm.find(AuditLog, {"entity": "customer", "entity_id": loser.id})[-1]
    entries = crm.find(AuditLog, {"trace_id": last.trace_id})
    assert {entry.action for entry in entries} == {"undo_merge"}
    assert [(entry.entity_id, entry.after_state, entry.meta) for entry in entries] == [
        (loser.id, {"merged_into": None, "del_token": 0}, None),
        (winner.id, {"city": None}, None),
        (loser.id, None, {"moved": {"table": "activity", "column": "customer_id", "ids": [row.id]}}),
    ]
