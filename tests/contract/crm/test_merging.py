"""Two customers made one: nothing is lost, and nothing is left with the one that is archived."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from crm_model import Actor, Crm, InvalidInput, NotFound, NotPermitted, RolePolicy, bulk
from crm_model.entities import Activity, AuditLog, Contact, Customer, Feedback, StockMove, Task, VipCard
from crm_model.links import Link, links_to
from crm_model.model import Standard
from platform_store import JsonText
from tests.contract.crm import make

S = TypeVar("S", bound=Standard)

LINKS = links_to("customer")


def two(crm: Crm, **columns: Any) -> tuple[Customer, Customer]:
    """A winner and a loser."""
    return make.customer(crm), make.customer(crm, **columns)


def referring(crm: Crm, link: Link, customer_id: int, **columns: Any) -> Standard:
    """A row that refers to a customer by this column, and as far as it must belongs to another one."""
    if link.model is Customer:
        return make.customer(crm, **{link.column: customer_id}, **columns)
    given = {link.column: customer_id, **({link.by: link.table} if link.by else {}), **columns}
    if link.by:
        given["customer_id"] = make.customer(crm).id
    return make.row(crm, link.model, **given)


def now(crm: Crm, row: S) -> S:
    (found,) = crm.find(type(row), {"id": row.id}, archived=True)
    return found


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link.name)
def test_what_refers_to_the_loser_refers_to_the_winner(crm: Crm, link: Link) -> None:
    winner, loser = two(crm)
    archived = crm.archive(link.model, referring(crm, link, loser.id).id)
    rows = [archived, *(referring(crm, link, loser.id) for _ in range(1 if link.model is VipCard else 2))]
    whose = [make.customer(crm), winner][: 1 if link.model is VipCard else 2]
    others = [referring(crm, link, customer.id) for customer in whose]
    merged = crm.merge_customers(winner.id, loser.id)
    assert merged.moved == {link.name: len(rows)}
    for row in rows:
        moved = now(crm, row)
        assert moved == row.but(
            **{link.column: winner.id}, version=row.version + 1, updated_at=merged.loser.updated_at
        ), "nothing else has changed"
    assert [now(crm, row) for row in others] == others


def test_the_loser_is_archived_and_says_where_it_went(crm: Crm) -> None:
    winner, loser = two(crm, phone="17712345678")
    merged = crm.merge_customers(winner.id, loser.id)
    assert merged.loser == now(crm, loser)
    assert merged.winner == now(crm, winner)
    assert merged.loser == loser.but(
        merged_into=winner.id, del_token=loser.id, version=2, updated_at=merged.loser.updated_at
    )
    for pair in ((loser.id, winner.id), (make.customer(crm).id, loser.id)):
        with pytest.raises(NotFound, match=f"was merged into {winner.id}; use that one"):
            crm.merge_customers(*pair)
    make.customer(crm, cust_no=loser.cust_no)  # its number is free


def test_once_more_it_says_the_same_and_changes_nothing(crm: Crm) -> None:
    winner, loser = two(crm, city="上海", name="别名")
    for link in LINKS:
        referring(crm, link, loser.id)
    make.row(crm, Task, customer_id=loser.id, dedupe_key=f"care:{loser.id}:1")
    merged = crm.merge_customers(winner.id, loser.id)
    assert crm.merge_customers(winner.id, loser.id) == merged
    assert (
        len(crm.find(AuditLog, {"entity": "customer", "entity_id": loser.id, "action": "merge_customers"}))
        == len(LINKS) + 1
    )
    crm.archive(Customer, winner.id)
    with pytest.raises(NotFound, match="is archived"):
        crm.merge_customers(winner.id, loser.id)


def test_each_change_is_audited(crm: Crm) -> None:
    winner, loser = two(crm, city="上海")
    row = make.row(crm, Activity, customer_id=loser.id)
    merged = crm.acting(Actor(7, reason="重复")).merge_customers(winner.id, loser.id)
    entries = crm.find(AuditLog, {"trace_id": merged.trace_id})
    assert {(entry.action, entry.actor_id, entry.at) for entry in entries} == {
        ("merge_customers", 7, merged.loser.updated_at)
    }
    moved, filled, archived = entries
    assert (moved.entity, moved.entity_id) == (archived.entity, archived.entity_id) == ("customer", loser.id)
    assert moved.meta == {
        "reason": "重复",
        "moved": {"table": "activity", "column": "customer_id", "ids": [row.id]},
    }
    assert (filled.entity_id, filled.before_state, filled.after_state) == (winner.id, {"city": None}, {"city": "上海"})
    assert archived.after_state == {"merged_into": winner.id, "del_token": loser.id}


def test_the_winner_is_filled_and_united(crm: Crm) -> None:
    winner = make.customer(
        crm,
        province="安徽",
        phone="",
        tags=["重点", {"等级": 1}],
        profile={"hobbies": ["茶"], "habits": None, "family": {"children": 1}},
        custom={"开票方式": "电子", "网点数": 3},
        agreements=JsonText("null"),
        attachments="营业执照.jpg",
    )
    loser = make.customer(
        crm,
        name="又一个",
        province="河南",
        city="郑州",
        phone="177-1111-1111",
        id_hash="c" * 64,
        tags=["续约期", {"等级": True}, "重点"],
        profile={"hobbies": ["棋", "茶"], "habits": "早起", "family": {"children": 2, "pets": 1}},
        custom={"开票方式": "电子", "网点数": 5, "备注": "x"},
        agreements=[{"no": "HT1"}],
        attachments=[{"name": "合同.pdf"}],
        extension={"legal_rep": "李四"},
    )
    merged = crm.merge_customers(winner.id, loser.id)
    assert merged.winner == winner.but(
        city="郑州",
        phone="177-1111-1111",
        phone_key="17711111111",
        id_hash="c" * 64,
        tags=["重点", {"等级": 1}, "续约期", {"等级": True}],
        profile={"hobbies": ["茶", "棋"], "habits": "早起", "family": {"children": 1, "pets": 1}},
        custom={"开票方式": "电子", "网点数": 3, "备注": "x"},
        agreements=[{"no": "HT1"}],
        extension={"legal_rep": "李四"},
        version=2,
        updated_at=merged.winner.updated_at,
    )
    assert now(crm, winner) == merged.winner
    assert merged.contradictions == (
        "name",
        "province",
        "profile.family.children",
        "custom.网点数",
        "attachments",
    )
    *_, archived = crm.find(AuditLog, {"trace_id": merged.trace_id})
    assert archived.meta == {"contradictions": list(merged.contradictions)}


def test_satisfaction_is_that_of_all_feedback(crm: Crm) -> None:
    winner, loser = two(crm, satisfaction=Decimal("1.00"))
    for customer, score in ((winner, 5), (loser, 2), (loser, 4)):
        crm.record_feedback(customer.id, kind="调查", channel="电话", score=score)
    assert crm.merge_customers(winner.id, loser.id).winner.satisfaction == Decimal("3.67")
    silent, other = two(crm, satisfaction=Decimal("2.50"))
    assert crm.merge_customers(silent.id, other.id).winner.satisfaction == Decimal("2.50")


def test_one_live_card(crm: Crm) -> None:
    winner, loser = two(crm, vip_level=3)
    crm.edit(Customer, winner.id, vip_level=3)
    its, theirs = make.vip_card(crm), make.vip_card(crm)
    crm.bind_vip_card(winner.id, its.card_no)
    bound = crm.bind_vip_card(loser.id, theirs.card_no)
    merged = crm.acting(5).merge_customers(winner.id, loser.id)
    assert now(crm, its).customer_id == winner.id
    assert now(crm, its).version == 2
    back = now(crm, theirs)
    assert (back.customer_id, back.bound_at, back.status, back.location) == (None, None, "库存", "总库")
    assert back.moves == [
        *bound.moves,
        {"at": merged.loser.updated_at.isoformat(), "from": "客户处", "to": "总库", "by": 5},
    ]
    (*_, last) = crm.find(StockMove, {"item_type": "vip_card", "item_id": theirs.id})
    assert (last.kind, last.qty, last.to_loc) == ("入库", 1, "总库")
    assert "vip_card.customer_id" not in merged.moved


def test_the_tasks_of_rules(crm: Crm) -> None:
    winner, loser = two(crm)

    def task(customer: Customer, key: str | None, **columns: Any) -> Task:
        return make.row(crm, Task, customer_id=customer.id, dedupe_key=key, **columns)

    its = task(winner, f"care:{winner.id}:2026-05")
    clash = task(loser, f"care:{loser.id}:2026-05", status="待办")
    other = task(loser, f"care:{loser.id}:2026-06")
    archived = crm.archive(Task, task(loser, f"arrears:{loser.id}:2026-05").id)
    by_hand, of_feedback = task(loser, None), task(loser, f"feedback:9{loser.id}")
    merged = crm.merge_customers(winner.id, loser.id)
    assert merged.moved == {"task.customer_id": 5}
    assert now(crm, its) == its
    changed = {"customer_id": winner.id, "version": 2, "updated_at": merged.loser.updated_at}
    assert now(crm, clash) == clash.but(**changed, dedupe_key=its.dedupe_key, del_token=clash.id)
    assert now(crm, other) == other.but(**changed, dedupe_key=f"care:{winner.id}:2026-06")
    assert now(crm, archived) == archived.but(**{**changed, "version": 3}, dedupe_key=f"arrears:{winner.id}:2026-05")
    assert now(crm, by_hand) == by_hand.but(**changed)
    assert now(crm, of_feedback) == of_feedback.but(**changed)


def test_one_primary_contact(crm: Crm) -> None:
    for primary in (1, 0):
        winner, loser = two(crm)
        make.row(crm, Contact, customer_id=winner.id, is_primary=primary)
        theirs = make.row(crm, Contact, customer_id=loser.id, is_primary=1)
        assert crm.merge_customers(winner.id, loser.id).moved == {"contact.customer_id": 1}
        assert len(crm.find(Contact, {"customer_id": winner.id, "is_primary": 1})) == 1
        assert now(crm, theirs).is_primary == 1 - primary


class TestParents:
    def test_children_and_parent(self, crm: Crm) -> None:
        above = make.customer(crm)
        winner, loser = two(crm, parent_id=above.id)
        child = make.customer(crm, parent_id=loser.id)
        assert crm.merge_customers(winner.id, loser.id).winner.parent_id == above.id
        assert now(crm, child).parent_id == winner.id

    def test_the_winners_parent_stays(self, crm: Crm) -> None:
        winner, loser = two(crm, parent_id=make.customer(crm).id)
        above = make.customer(crm)
        crm.edit(Customer, winner.id, parent_id=above.id)
        assert crm.merge_customers(winner.id, loser.id).winner.parent_id == above.id

    def test_an_archived_parent_is_not_taken_over(self, crm: Crm) -> None:
        above = make.customer(crm)
        winner, loser = two(crm, parent_id=above.id)
        crm.archive(Customer, above.id)
        assert crm.merge_customers(winner.id, loser.id).winner.parent_id is None

    @pytest.mark.parametrize("between", [0, 1, 2])
    def test_the_loser_above_the_winner(self, crm: Crm, between: int) -> None:
        top = make.customer(crm)
        loser = make.customer(crm, parent_id=top.id)
        chain = [loser]
        for _ in range(between + 1):
            chain.append(make.customer(crm, parent_id=chain[-1].id))
        winner = chain[-1]
        merged = crm.merge_customers(winner.id, loser.id)
        assert merged.winner.parent_id == top.id
        assert [now(crm, one).parent_id for one in chain[1:-1]] == [winner.id, *(one.id for one in chain[1:-2])][
            :between
        ]
        crm.undo_merge(merged.trace_id)
        assert [now(crm, one).parent_id for one in chain[1:]] == [one.id for one in chain[:-1]]

    @pytest.mark.parametrize("between", [0, 1, 2])
    def test_the_winner_above_the_loser(self, crm: Crm, between: int) -> None:
        chain = [make.customer(crm)]
        for _ in range(between + 1):
            chain.append(make.customer(crm, parent_id=chain[-1].id))
        merged = crm.merge_customers(chain[0].id, chain[-1].id)
        assert merged.winner.parent_id is None
        assert [now(crm, one).parent_id for one in chain[1:]] == [one.id for one in chain[:-1]]


def test_more_rows_than_a_page(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "PAGE", 10)
    winner, loser = two(crm)
    rows = [
        make.filled(Activity, customer_id=loser.id).but(
            created_at=crm.clock(),
            updated_at=crm.clock(),
            version=1 + number % 3,
            occurred_at=crm.clock() - timedelta(number % 4),
        )
        for number in range(35)
    ]
    values = [{name: value for name, value in row.values().items() if name != "id"} for row in rows]
    crm.platform.write_many("activity", values)
    merged = crm.merge_customers(winner.id, loser.id)
    assert merged.moved == {"activity.customer_id": 35}
    entries = crm.find(AuditLog, {"trace_id": merged.trace_id})
    told = [entry.meta["moved"]["ids"] for entry in entries if "moved" in (entry.meta or {})]
    assert [len(ids) for ids in told] == [10, 10, 10, 5]
    found = crm.find(Activity, {"customer_id": winner.id})
    assert sorted(row.id for row in found) == sorted(one for ids in told for one in ids)
    assert sorted(row.version for row in found) == sorted(row.version + 1 for row in rows)
    assert crm.undo_merge(merged.trace_id).moved == {"activity.customer_id": 35}
    assert len(crm.find(Activity, {"customer_id": loser.id})) == 35


def test_moving_journals_nothing(crm: Crm) -> None:
    """The documents of rows that move stay of the revision that they were of."""
    winner, loser = two(crm)
    row = make.row(crm, Activity, customer_id=loser.id)

    def revision() -> object:
        (document,) = (one for one in crm.platform._documents.stream("activity", 100) if one["_id"] == row.id)
        return document.get("_rev")

    crm.platform.recover()
    before = revision()
    crm.merge_customers(winner.id, loser.id)
    crm.platform.recover()
    assert revision() == before


def test_who_may_merge_what(crm: Crm) -> None:
    policy = RolePolicy({"客户经理": ["merge_customers"], "主管": ["*"]}, own_customers=["客户经理"])
    winner, loser = make.customer(crm, owner_id=1), make.customer(crm, owner_id=2)
    clerk = Crm(crm.platform, Actor(1, "客户经理"), policy=policy)
    with pytest.raises(NotPermitted, match=f"customer {loser.id}"):
        clerk.merge_customers(winner.id, loser.id)
    trace = clerk.acting(Actor(9, "主管")).merge_customers(winner.id, loser.id).trace_id
    with pytest.raises(NotPermitted, match="undo_merge"):
        clerk.undo_merge(trace)


def test_what_cannot_be_merged(crm: Crm) -> None:
    winner, loser = two(crm)
    with pytest.raises(InvalidInput, match="two customers"):
        crm.merge_customers(winner.id, winner.id)
    with pytest.raises(NotFound, match="999999999"):
        crm.merge_customers(winner.id, 999_999_999)
    crm.archive(Customer, loser.id)
    with pytest.raises(NotFound, match="is archived"):
        crm.merge_customers(winner.id, loser.id)
    assert now(crm, winner) == winner


def test_feedback_of_the_loser_counts_for_the_winner_from_then_on(crm: Crm) -> None:
    winner, loser = two(crm)
    crm.record_feedback(loser.id, kind="调查", channel="电话", score=1)
    crm.merge_customers(winner.id, loser.id)
    assert crm.record_feedback(winner.id, kind="调查", channel="电话", score=4).customer.satisfaction == Decimal("2.50")
    assert len(crm.find(Feedback, {"customer_id": winner.id})) == 2
