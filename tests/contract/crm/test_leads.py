"""Leads: their score, how they are looked after, and that each becomes one customer, with nothing lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from crm_model import Crm, InvalidInput, NotFound, Refused
from crm_model.entities import AuditLog, Contact, Customer, Opportunity, SalesLead
from crm_model.lead_scoring import SCORING, Scoring
from crm_model.services.leads import NewOpportunity
from platform_store import Conflict, JsonText
from tests.contract.conftest import Backend
from tests.contract.crm import make
from tests.contract.crm.conftest import Clock
from tests.contract.crm.processes import together

DAY = datetime(2026, 6, 1)
FIELDS = Scoring(fields={"phone": 10}, sources={}, behaviours={"试用": (20, 2)}, days=7)


def lead(crm: Crm, **given: Any) -> SalesLead:
    return crm.add_lead(given.pop("name", "李娜"), given.pop("source", "网站"), **given)


def did(kind: str, at: datetime) -> dict[str, str]:
    return {"at": at.isoformat(), "kind": kind}


def test_a_lead_is_scored_as_it_comes_in(crm: Crm) -> None:
    added = lead(crm, source="转介绍", company="恒达科技", phone="13800000000", raw={"utm": "baidu"}, owner_id=7)
    assert (added.status, added.owner_id, added.raw) == ("新建", 7, {"utm": "baidu"})
    assert added.score == 30 + 15 + 10
    assert crm.find(SalesLead, {"id": added.id}) == [added]
    assert lead(crm, source="名单").owner_id == 1
    with pytest.raises(InvalidInput, match="behaviours"):
        lead(crm, behaviours=[["试用"]])


@pytest.mark.parametrize(
    ("behaviours", "score"),
    [
        (None, 10),
        ([did("试用", DAY)], 30),
        ([did("试用", DAY - timedelta(days=7))], 30),
        ([did("试用", DAY - timedelta(days=7, milliseconds=1))], 10),
        ([did("试用", DAY + timedelta(milliseconds=1))], 10),
        ([did("试用", DAY)] * 3, 50),
        ([did("浏览", DAY)], 10),
        ([{"at": "2026-06-01T08:00:00+08:00", "kind": "试用"}], 30),
        ([{"kind": "试用"}, {"at": "gestern", "kind": "试用"}, {"at": 5, "kind": "试用"}, "试用", None], 10),
        ({"at": "2026-06-01", "kind": "试用"}, 30),
        (JsonText("null"), 10),
    ],
)
def test_the_formula(behaviours: Any, score: int) -> None:
    """What is of another form than described counts for nothing; a single entry is a list of it."""
    found = SalesLead(name="李", phone="1", source="x", score=0, status="新建", owner_id=1, behaviours=behaviours)
    assert FIELDS.score(found, DAY) == score


def test_a_score_stays_within_its_bounds() -> None:
    found = SalesLead(name="李", phone="1", source="x", score=0, status="新建", owner_id=1)
    for worth, score in ((101, 100), (-5, 0)):
        assert Scoring(fields={"phone": worth}, sources={}, behaviours={}, days=0).score(found, DAY) == score
    assert SCORING.points(found, DAY) == {"phone": 15}
    with pytest.raises(InvalidInput, match="emial"):
        Scoring(fields={"emial": 1}, sources={}, behaviours={}, days=1)


def test_behaviours_raise_the_score_and_grow_old(crm: Crm, clock: Clock) -> None:
    added = lead(crm, phone="13800000000", scoring=FIELDS)
    tried = crm.note_behaviour(added.id, "试用", scoring=FIELDS)
    assert (added.score, tried.score) == (10, 30)
    assert [entry["kind"] for entry in tried.behaviours] == ["试用"]
    assert crm.note_behaviour(added.id, "试用", at=clock.now - timedelta(days=9), scoring=FIELDS).score == 30
    assert crm.score_lead(added.id, scoring=FIELDS).version == 3
    assert crm.score_lead(added.id, scoring=FIELDS, as_of=clock.now + timedelta(days=8)).score == 10


def test_all_open_leads_are_scored(crm: Crm, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_model.services.leads._BATCH", 2)
    added = [lead(crm, phone="13800000000", scoring=FIELDS) for _ in range(5)]
    rejected = crm.reject_lead(added[1].id, "太贵")
    crm.score_leads()
    found = {one.id: one.score for one in crm.find(SalesLead, {"id": [one.id for one in added]})}
    assert found == {one.id: 10 if one.id == rejected.id else 30 for one in added}
    assert crm.score_leads() == 0


def test_the_queue_of_an_owner(crm: Crm) -> None:
    low, high, same = (lead(crm, owner_id=77, source=source) for source in ("名单", "转介绍", "名单"))
    lead(crm, owner_id=78)
    rejected = crm.reject_lead(lead(crm, owner_id=77).id, "没有预算")
    assert [one.id for one in crm.lead_queue(77)] == [high.id, low.id, same.id]
    assert crm.lead_queue(77, limit=1) == [high]
    taken_up = crm.nurture_lead(rejected.id, "预算批下来了")
    assert (taken_up.status, taken_up.why_not_bought) == ("跟进", "没有预算")
    assert taken_up in crm.lead_queue(77)


def test_looking_after_and_giving_up(crm: Crm) -> None:
    added = lead(crm)
    crm.nurture_lead(added.id, "发了资料")
    nurtured = crm.nurture_lead(added.id, "约了演示")
    assert nurtured.status == "跟进"
    assert [(note["by"], note["text"]) for note in nurtured.notes] == [(1, "发了资料"), (1, "约了演示")]
    rejected = crm.reject_lead(added.id, "联通便宜")
    assert (rejected.status, rejected.why_not_bought) == ("无效", "联通便宜")
    assert crm.reject_lead(added.id, "联通便宜") == rejected
    with pytest.raises(InvalidInput, match="why"):
        crm.reject_lead(added.id, " ")
    with pytest.raises(NotFound):
        crm.nurture_lead(999_999_999, "?")


def test_a_lead_becomes_a_customer_with_contact_and_opportunity(crm: Crm, clock: Clock) -> None:
    added = crm.nurture_lead(
        lead(crm, company="恒达科技", phone="13811112222", owner_id=5, raw={"utm": "x"}).id, "见过面"
    )
    wanted = NewOpportunity("专线新建", Decimal("5000.00"), needs=["上云"])
    made = crm.convert_lead(added.id, opportunity=wanted)
    customer, contact, begun = made.customer, made.contact, made.opportunity
    assert contact is not None
    assert begun is not None
    assert (customer.cust_no, customer.name, customer.kind) == (f"L{added.id:09d}", "恒达科技", "企业")
    assert (customer.owner_id, customer.source, customer.vip_level) == (5, "网站", 0)
    assert (contact.customer_id, contact.name, contact.phone, contact.is_primary) == (
        customer.id, "李娜", "13811112222", 1,
    )  # fmt: skip
    assert (begun.customer_id, begun.owner_id, begun.stage, begun.probability) == (customer.id, 5, "线索", 10)
    assert (begun.name, begun.amount, begun.needs) == ("专线新建", Decimal("5000.00"), ["上云"])
    assert crm.advance_stage(begun.id, "需求").stage == "需求"
    kept = added.but(
        status="已转化", converted_at=made.lead.converted_at, customer_id=customer.id, contact_id=contact.id,
        opportunity_id=begun.id, version=added.version + 1, updated_at=made.lead.updated_at,
    )  # fmt: skip
    assert made.lead == kept == crm.find(SalesLead, {"id": added.id})[0]
    assert made.lead.converted_at == clock.now - timedelta(milliseconds=1)
    (entry,) = crm.find(AuditLog, {"entity": "sales_lead", "entity_id": added.id, "action": "convert_lead"})
    assert entry.after_state["customer_id"] == customer.id


def test_a_person_becomes_a_person(crm: Crm) -> None:
    made = crm.convert_lead(lead(crm, name="张偉").id, cust_no="NO-1")
    assert (made.customer.cust_no, made.customer.kind, made.customer.name_key) == ("NO-1", "个人", "张伟")
    assert made.opportunity is None
    other = lead(crm)
    with pytest.raises(Conflict):
        crm.convert_lead(other.id, cust_no="NO-1")
    assert crm.find(SalesLead, {"id": other.id}) == [other]


def test_converting_again_changes_nothing(crm: Crm) -> None:
    added, wanted = lead(crm), NewOpportunity("专线", Decimal("1.00"))
    made = crm.convert_lead(added.id, opportunity=wanted)
    assert crm.convert_lead(added.id, opportunity=wanted) == made
    assert crm.convert_lead(added.id, customer_id=made.customer.id) == made
    other = make.customer(crm)
    with pytest.raises(Refused, match=f"became customer {made.customer.id}, not {other.id}"):
        crm.convert_lead(added.id, customer_id=other.id)
    for refused in (crm.nurture_lead, crm.reject_lead):
        with pytest.raises(Refused, match="already"):
            refused(added.id, "?")
    assert len(crm.find(Opportunity, {"customer_id": made.customer.id})) == 1


def test_a_lead_of_a_customer_that_is_there(crm: Crm) -> None:
    customer = make.customer(crm, name="恒达科技")
    known = crm.add(Contact(customer_id=customer.id, name="李娜", phone="+86 138-0000-0000", is_primary=1))
    made = crm.convert_lead(lead(crm, phone="13800000000").id, customer_id=customer.id)
    assert (made.customer, made.contact) == (customer, known)
    another = crm.convert_lead(lead(crm, phone="13900000000").id, customer_id=customer.id).contact
    assert another is not None
    assert (another.phone, another.is_primary) == ("13900000000", 0)
    with pytest.raises(InvalidInput, match="cust_no"):
        crm.convert_lead(lead(crm).id, customer_id=customer.id, cust_no="NO-2")
    crm.archive(Customer, customer.id)
    with pytest.raises(NotFound, match="archived"):
        crm.convert_lead(lead(crm).id, customer_id=customer.id)


def test_a_customer_that_was_merged_keeps_its_lead(crm: Crm) -> None:
    added, winner = lead(crm, phone="13700000000"), make.customer(crm)
    made = crm.convert_lead(added.id)
    crm.merge_customers(winner.id, made.customer.id)
    again = crm.convert_lead(added.id)
    assert (again.customer.id, again.lead.customer_id) == (winner.id, winner.id)
    assert again.contact is not None
    assert again.contact.customer_id == winner.id


def convert(crm: Crm, lead_ids: list[int]) -> list[int]:
    return [crm.convert_lead(lead_id).customer.id for lead_id in lead_ids]


def test_two_processes_make_one_customer(crm: Crm, crm_backend: Backend) -> None:
    leads = [lead(crm).id for _ in range(6)]
    one, other = together(crm_backend, f"{__name__}:convert", [leads], [leads])
    assert one == other
    customers = crm.find(Customer, {"cust_no": [f"L{number:09d}" for number in leads]})
    assert sorted(customer.id for customer in customers) == sorted(one)
    assert len(crm.find(Contact, {"customer_id": one})) == len(leads)
