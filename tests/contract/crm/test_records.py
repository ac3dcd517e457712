"""Rows of any entity: added, edited, archived, restored, each with its audit entry."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from crm_model import Actor, Crm, InvalidInput, NotFound, NotPermitted, RolePolicy
from crm_model.audit import decoded
from crm_model.entities import Activity, AuditLog, Contact, Customer
from platform_store import Conflict, JsonText
from tests.contract.crm import make
from tests.contract.crm.conftest import Clock


def entries(crm: Crm, customer: Customer) -> list[AuditLog]:
    return crm.find(AuditLog, {"entity": "customer", "entity_id": customer.id})


def test_what_is_added_is_there_with_its_entry(crm: Crm) -> None:
    customer = make.customer(crm, name="张伟", profile={"hobbies": ["茶"]}, extension=JsonText("null"))
    assert crm.find(Customer, {"cust_no": customer.cust_no}) == [customer]
    (entry,) = entries(crm, customer)
    assert (entry.action, entry.actor_id, entry.before_state) == ("add", 1, None)
    state = decoded(Customer, entry.after_state)
    assert {name: value for name, value in customer.values().items() if value is not None} == state


def test_an_edit_tells_what_was_before(crm: Crm, clock: Clock) -> None:
    customer = make.customer(crm, profile={"hobbies": ["茶"]})
    clock.now += timedelta(days=1)
    edited = crm.edit(Customer, customer.id, credit_limit=Decimal("5.00"), profile={"hobbies": []}, kind="企业")
    assert edited == customer.but(
        credit_limit=Decimal("5.00"), profile={"hobbies": []}, version=2, updated_at=edited.updated_at
    )
    assert edited.updated_at > customer.updated_at
    assert crm.find(Customer, {"id": customer.id}) == [edited]
    entry = entries(crm, customer)[1]
    assert decoded(Customer, entry.before_state) == {
        "credit_limit": Decimal("1000.00"),
        "profile": {"hobbies": ["茶"]},
    }
    assert decoded(Customer, entry.after_state) == {"credit_limit": Decimal("5.00"), "profile": {"hobbies": []}}


def test_an_edit_that_changes_nothing_leaves_no_trace(crm: Crm) -> None:
    customer = make.customer(crm)
    assert crm.edit(Customer, customer.id, kind=customer.kind) == customer
    assert len(entries(crm, customer)) == 1


def test_an_edit_of_what_has_changed_meanwhile(crm: Crm) -> None:
    customer = make.customer(crm)
    crm.edit(Customer, customer.id, version=1, city="上海")
    with pytest.raises(Conflict, match="version 2, not 1"):
        crm.edit(Customer, customer.id, version=1, city="北京")
    assert crm.find(Customer, {"id": customer.id})[0].city == "上海"


def test_archiving_frees_the_natural_key_and_restoring_asks_for_it(crm: Crm) -> None:
    customer = make.customer(crm)
    archived = crm.archive(Customer, customer.id)
    assert archived.archived
    assert crm.find(Customer, {"cust_no": customer.cust_no}) == []
    with pytest.raises(NotFound, match="is archived"):
        crm.edit(Customer, customer.id, city="上海")
    other = make.customer(crm, cust_no=customer.cust_no)
    with pytest.raises(Conflict):
        crm.restore(Customer, customer.id)
    crm.archive(Customer, other.id)
    restored = crm.restore(Customer, customer.id)
    assert restored.del_token == 0
    assert crm.restore(Customer, customer.id) == restored


def test_rows_of_a_customer_need_the_customer(crm: Crm) -> None:
    customer = make.customer(crm)
    contact = crm.add(Contact(customer_id=customer.id, name="李娜"))
    assert crm.edit(Contact, contact.id, title="经理").title == "经理"
    crm.archive(Customer, customer.id)
    with pytest.raises(NotFound):
        crm.add(Contact(customer_id=customer.id, name="王芳"))
    with pytest.raises(NotFound, match="999999999"):
        crm.edit(Contact, 999_999_999, title="经理")


def test_what_a_row_refers_to_is_a_live_customer(crm: Crm) -> None:
    archived, other = make.customer(crm), make.customer(crm)
    contact = crm.add(Contact(customer_id=other.id, name="李娜"))
    crm.archive(Customer, archived.id)
    with pytest.raises(NotFound, match="is archived"):
        make.customer(crm, parent_id=archived.id)
    with pytest.raises(NotFound, match="is archived"):
        crm.edit(Customer, other.id, parent_id=archived.id)
    with pytest.raises(NotFound, match="is archived"):
        crm.edit(Contact, contact.id, customer_id=archived.id)
    referral = Activity(
        customer_id=other.id,
        operator_id=1,
        kind="visit",
        channel="上门",
        occurred_at=crm.clock(),
        ref_type="customer",
        ref_id=archived.id,
    )
    with pytest.raises(NotFound, match="is archived"):
        crm.add(referral)
    assert crm.add(referral.but(ref_type="gift")).ref_id == archived.id
    assert make.customer(crm, parent_id=other.id).parent_id == other.id


def test_names_and_phones_are_searched_as_they_are_now(crm: Crm) -> None:
    customer = make.customer(crm, name="張偉 ", phone="+86 138-0013-8000")
    assert (customer.name_key, customer.phone_key) == ("张伟", "13800138000")
    assert crm.edit(Customer, customer.id, name="ＬＩ Na", phone=None).name_key == "lina"
    (found,) = crm.find(Customer, {"id": customer.id})
    assert (found.name_key, found.phone_key) == ("lina", None)
    contact = crm.add(Contact(customer_id=customer.id, name="陳 靜"))
    assert crm.find(Contact, {"name_key": "陈静"}) == []
    assert crm.edit(Contact, contact.id, name="陳 军").name_key == "陈军"


def test_the_policy_is_asked(crm: Crm) -> None:
    customer = make.customer(crm, owner_id=1)
    policy = RolePolicy({"客户经理": ["edit"], "主管": ["*"]}, own_customers=["客户经理"])
    owner = Crm(crm.platform, Actor(1, "客户经理"), policy=policy, clock=crm.clock)
    assert owner.edit(Customer, customer.id, city="上海").city == "上海"
    with pytest.raises(NotPermitted, match="operator 1 may not do this: archive"):
        owner.archive(Customer, customer.id)
    with pytest.raises(NotPermitted, match=f"operator 2 .* edit of customer {customer.id}"):
        owner.acting(Actor(2, "客户经理")).edit(Customer, customer.id, city="北京")
    assert owner.acting(Actor(2, "主管")).edit(Customer, customer.id, city="北京").city == "北京"
    with pytest.raises(NotPermitted):
        owner.acting(Actor(3)).edit(Customer, customer.id, city="北京")


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("nickname", "no such column"),
        ("name_key", "follows from name"),
        ("id", "see to it"),
        ("del_token", "see to it"),
    ],
)
def test_what_is_not_for_an_editor_is_refused(crm: Crm, column: str, said: str) -> None:
    customer = make.customer(crm)
    with pytest.raises(InvalidInput, match=said) as raised:
        crm.edit(Customer, customer.id, **{column: 1})
    assert raised.value.field == column
    assert crm.find(Customer, {"id": customer.id}) == [customer]
