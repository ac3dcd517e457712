"""The timeline of a customer: its pages, and what is added to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from crm_model import Actor, Crm, InvalidInput, NotFound, NotPermitted, RolePolicy
from crm_model.entities import Activity, AuditLog, Contact, Customer, Opportunity
from tests.contract.crm import make
from tests.contract.crm.conftest import Clock

DAY = datetime(2026, 5, 1)


def logged(crm: Crm, customer: Customer, *hours: int, kind: str = "call") -> list[Activity]:
    """Calls, so many hours into May."""
    return [
        crm.log_activity(customer.id, kind, channel="电话", occurred_at=DAY + timedelta(hours=hour)) for hour in hours
    ]


def place(activity: Activity) -> tuple[datetime, int]:
    return activity.occurred_at, activity.id


def pages(crm: Crm, customer: Customer, limit: int, between: Callable[[], object] = lambda: None) -> list[Activity]:
    """The whole timeline by pages; ``between`` is called after each."""
    found: list[Activity] = []
    before = None
    while page := crm.timeline(customer.id, before=before, limit=limit):
        found += page
        before = place(page[-1])
        between()
    return found


def test_newest_first_and_ties_by_id(crm: Crm) -> None:
    customer = make.customer(crm)
    activities = logged(crm, customer, 5, 1, 3, 3, 3, 2)
    logged(crm, make.customer(crm), 4)
    expected = sorted(activities, key=place, reverse=True)
    assert crm.timeline(customer.id) == expected
    for limit in (1, 2, 4, 6, 7):
        assert pages(crm, customer, limit) == expected


def test_a_page_holds_the_documents(crm: Crm) -> None:
    customer = make.customer(crm)
    visit = crm.log_visit(
        customer.id,
        summary="谈了专线续约😀",
        competitors=[{"name": "联通", "quote": "报价低两成", "threat": "高"}],
        outcome={"intent": "高", "next_step": "发送报价"},
        duration_min=40,
        gps={"lat": 39.9, "lng": 116.4},
        tags=["续约"],
        attachments=[{"name": "合同.pdf", "mime": "application/pdf", "size": 3}],
        custom={"天气": "晴"},
    )
    care = crm.log_care(customer.id, category="生日", effect="好", summary="送上祝福")
    assert (visit.kind, visit.channel, visit.operator_id, visit.version) == ("visit", "上门", 1, 1)
    assert care.care == {"category": "生日", "effect": "好"}
    assert crm.log_care(customer.id, category="节日", channel="微信").care == {"category": "节日"}
    page = crm.timeline(customer.id)
    assert page[1:] == [care, visit]
    assert (page[2].competitors, page[2].gps) == (visit.competitors, visit.gps)


def test_every_activity_once_while_others_are_added(crm: Crm) -> None:
    customer = make.customer(crm)
    activities = logged(crm, customer, *[hour // 3 for hour in range(20)])
    added: list[Activity] = []

    def add() -> None:
        added.extend(logged(crm, customer, 100, 3, 0))

    found = pages(crm, customer, 4, add)
    assert sorted(found, key=place, reverse=True) == found
    assert len({one.id for one in found}) == len(found)
    assert {one.id for one in activities} <= {one.id for one in found}
    assert {one.id for one in found} <= {one.id for one in activities + added}
    assert not [one for one in found if one.occurred_at == DAY + timedelta(hours=100)]


def test_since_is_part_of_it(crm: Crm) -> None:
    customer = make.customer(crm)
    activities = logged(crm, customer, 1, 2, 2, 3)
    newer = activities[:0:-1]
    assert crm.timeline(customer.id, since=DAY + timedelta(hours=2)) == newer
    assert crm.timeline(customer.id, since=DAY + timedelta(hours=2, microseconds=900)) == newer
    assert crm.timeline(customer.id, since=DAY + timedelta(hours=2, milliseconds=1)) == newer[:1]
    elsewhere = datetime(2026, 5, 1, 10, tzinfo=timezone(timedelta(hours=8)))
    assert crm.timeline(customer.id, since=elsewhere) == newer
    assert crm.timeline(customer.id, since=DAY + timedelta(hours=2), before=place(newer[0])) == newer[1:]


def test_kinds(crm: Crm) -> None:
    customer = make.customer(crm)
    (call, late_call), (email,) = logged(crm, customer, 1, 4), logged(crm, customer, 2, kind="email")
    visit = crm.log_visit(customer.id, occurred_at=DAY + timedelta(hours=3))
    assert crm.timeline(customer.id, kinds=["visit", "email"]) == [visit, email]
    assert crm.timeline(customer.id, kinds=["visit", "call", "visit"], limit=2) == [late_call, visit]
    assert crm.timeline(customer.id, kinds=["visit", "call"], since=visit.occurred_at) == [late_call, visit]
    assert crm.timeline(customer.id, kinds={"call"}, limit=1) == [late_call]
    assert crm.timeline(customer.id, kinds={"call"}, before=place(late_call)) == [call]
    assert crm.timeline(customer.id, kinds="visit") == [visit]
    assert crm.timeline(customer.id, kinds=[]) == []
    assert crm.timeline(customer.id, kinds=["CALL"]) == []


def test_pages_of_some_kinds(crm: Crm) -> None:
    customer = make.customer(crm)
    hours = [1, 1, 2, 2, 2, 3]
    calls, emails = logged(crm, customer, *hours), logged(crm, customer, *hours, kind="email")
    logged(crm, customer, *hours, kind="meeting")
    found: list[Activity] = []
    while page := crm.timeline(
        customer.id, kinds=["email", "call"], before=place(found[-1]) if found else None, limit=5
    ):
        found += page
    assert found == sorted(calls + emails, key=place, reverse=True)


def test_archived_activities_are_hidden(crm: Crm) -> None:
    customer = make.customer(crm)
    first, second, third = logged(crm, customer, 1, 2, 2)
    crm.archive(Activity, second.id)
    assert crm.timeline(customer.id) == [third, first]
    assert crm.timeline(customer.id, before=place(third)) == [first]
    restored = crm.restore(Activity, second.id)
    assert crm.timeline(customer.id) == [third, restored, first]


def test_customers_that_are_not_there(crm: Crm) -> None:
    customer, winner = make.customer(crm), make.customer(crm)
    logged(crm, customer, 1)
    crm.edit(Customer, customer.id, merged_into=winner.id)
    crm.archive(Customer, customer.id)
    calls: list[Callable[[int], object]] = [
        crm.timeline,
        crm.log_visit,
        lambda key: crm.log_care(key, category="生日"),
        lambda key: crm.log_activity(key, "call", channel="电话"),
    ]
    for call in calls:
        with pytest.raises(NotFound, match=f"merged into {winner.id}") as raised:
            call(customer.id)
        assert raised.value.merged_into == winner.id
        with pytest.raises(NotFound, match="is not there"):
            call(999_999_999)
    assert len(crm.find(Activity, {"customer_id": customer.id})) == 1
    assert crm.timeline(winner.id) == []


def test_the_policy_is_asked(crm: Crm) -> None:
    customer = make.customer(crm, owner_id=1)
    policy = RolePolicy({"客户经理": ["timeline", "log_visit"]}, own_customers=["客户经理"])
    owner = Crm(crm.platform, Actor(1, "客户经理"), policy=policy, clock=crm.clock)
    visit = owner.log_visit(customer.id)
    assert owner.timeline(customer.id) == [visit]
    other = owner.acting(Actor(2, "客户经理"))
    for refused in (other.timeline, other.log_visit, lambda key: owner.log_care(key, category="生日")):
        with pytest.raises(NotPermitted):
            refused(customer.id)
    assert crm.timeline(customer.id) == [visit]


def test_an_activity_has_its_audit_entry(crm: Crm) -> None:
    visit = crm.log_visit(make.customer(crm).id, summary="来访")
    (entry,) = crm.find(AuditLog, {"entity": "activity", "entity_id": visit.id})
    assert (entry.action, entry.actor_id, entry.before_state) == ("log_visit", 1, None)
    assert entry.after_state["summary"] == "来访"


def test_contacts_and_what_it_is_about_are_the_customers(crm: Crm, clock: Clock) -> None:
    customer, other = make.customer(crm), make.customer(crm)
    mine, theirs, gone = (
        crm.add(Contact(customer_id=one.id, name="李娜", name_key="李娜")) for one in (customer, other, customer)
    )
    crm.archive(Contact, gone.id)
    deal = crm.add(
        Opportunity(
            customer_id=other.id,
            owner_id=1,
            name="专线",
            stage="方案",
            probability=45,
            amount=Decimal(1),
            last_stage_at=clock.now,
        )
    )
    visit = crm.log_visit(customer.id, contact_id=mine.id, ref_type="contact", ref_id=mine.id)
    assert (visit.contact_id, visit.ref_type, visit.ref_id) == (mine.id, "contact", mine.id)
    wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"contact_id": theirs.id}, InvalidInput, f"contact_id: contact {theirs.id} is not of customer {customer.id}"),
        ({"contact_id": gone.id}, NotFound, "is archived"),
        ({"contact_id": 999_999_999}, NotFound, "is not there"),
        ({"ref_type": "opportunity", "ref_id": deal.id}, InvalidInput, "ref_id: opportunity"),
        ({"ref_type": "opportunity"}, InvalidInput, "or neither"),
        ({"ref_id": deal.id}, InvalidInput, "or neither"),
        ({"ref_type": "secret", "ref_id": 1}, InvalidInput, "ref_type: is the table of an entity"),
    ]
    for details, error, message in wrong:
        with pytest.raises(error, match=message):
            crm.log_visit(customer.id, **details)
    assert crm.timeline(customer.id) == [visit]


def test_when_it_occurred(crm: Crm, clock: Clock) -> None:
    customer = make.customer(crm)
    assert crm.log_visit(customer.id).occurred_at == clock.now
    tomorrow = clock.now + timedelta(days=1, milliseconds=1)
    assert crm.log_visit(customer.id, occurred_at=tomorrow).occurred_at == tomorrow
    with pytest.raises(InvalidInput, match="occurred_at: is in the future"):
        crm.log_visit(customer.id, occurred_at=clock.now + timedelta(days=1, milliseconds=2))
    exact = crm.log_visit(customer.id, occurred_at=datetime(2026, 5, 1, 0, 0, 0, 1999, tzinfo=UTC))
    assert exact.occurred_at == datetime(2026, 5, 1, 0, 0, 0, 1000)
    assert exact in crm.timeline(customer.id)
    with pytest.raises(InvalidInput, match="occurred_at: give a datetime, not str"):
        crm.log_visit(customer.id, occurred_at="2026-05-01")  # type: ignore[arg-type]


def test_what_makes_no_sense_is_not_written(crm: Crm) -> None:
    customer = make.customer(crm)
    wrong: dict[str, list[Any]] = {
        "competitors": [{"name": "联通"}, ["联通"]],
        "outcome": ["高"],
        "gps": [[39.9, 116.4]],
        "tags": ["续约", [1]],
        "attachments": [[b"..."]],
        "custom": [["晴"]],
        "duration_min": [-1, 2.5, True],
    }
    for field, values in wrong.items():
        for value in values:
            with pytest.raises(InvalidInput) as raised:
                crm.log_visit(customer.id, **{field: value})
            assert raised.value.field == field
    assert crm.timeline(customer.id) == []


def test_limits(crm: Crm) -> None:
    customer = make.customer(crm)
    wrong: list[Any] = [0, -1, 1001, True, 2.0]
    for limit in wrong:
        with pytest.raises(InvalidInput, match="limit: give a whole number from 1 to 1000"):
            crm.timeline(customer.id, limit=limit)
    assert crm.timeline(customer.id, limit=1000) == []
