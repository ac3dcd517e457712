"""An account of the billing system becomes a customer: once, and with nothing lost."""

from __future__ import annotations

from decimal import Decimal

import pytest

from crm_model import Actor, Crm, InvalidInput, NotFound, NotPermitted, Refused, RolePolicy
from crm_model.audit import decoded
from crm_model.entities import AuditLog, BillingCustomer, Customer
from crm_model.names import name_key, phone_key
from crm_model.services import billing
from tests.contract.crm import make


def account_of(crm: Crm, account: BillingCustomer) -> BillingCustomer:
    (found,) = crm.find(BillingCustomer, {"id": account.id})
    return found


def test_an_account_becomes_a_customer(crm: Crm) -> None:
    account = make.billing_customer(crm, name="張偉")
    customer = crm.acting(4).promote_billing_customer(account.boss_no)
    assert crm.find(Customer, {"id": customer.id}) == [customer]
    assert customer == Customer(
        id=customer.id,
        cust_no=account.boss_no,
        name="張偉",
        name_key=name_key("張偉"),
        kind="个人",
        status="正常",
        phone=account.phone,
        phone_key=phone_key(account.phone),
        credit_limit=Decimal("0.00"),
        stage="稳定",
        source=billing.SOURCE,
        owner_id=4,
        created_at=customer.created_at,
        updated_at=customer.created_at,
    )
    assert account_of(crm, account) == account.but(
        customer_id=customer.id, promoted_at=customer.created_at, updated_at=customer.created_at, version=2
    )


def test_it_is_audited(crm: Crm) -> None:
    account = make.billing_customer(crm)
    customer = crm.promote_billing_customer(account.boss_no)
    (added,) = crm.find(AuditLog, {"entity": "customer", "entity_id": customer.id})
    linked = crm.find(AuditLog, {"entity": "billing_customer", "entity_id": account.id})[-1]
    assert {added.action, linked.action} == {"promote_billing_customer"}
    assert added.trace_id == linked.trace_id
    assert decoded(Customer, added.after_state)["cust_no"] == account.boss_no
    assert decoded(BillingCustomer, linked.before_state) == {"customer_id": None, "promoted_at": None}
    assert decoded(BillingCustomer, linked.after_state) == {
        "customer_id": customer.id,
        "promoted_at": customer.created_at,
    }


def test_the_second_time_it_is_the_same_customer(crm: Crm) -> None:
    account = make.billing_customer(crm)
    customer = crm.promote_billing_customer(account.boss_no)
    after = account_of(crm, account)
    edited = crm.edit(Customer, customer.id, city="上海")
    assert crm.acting(2).promote_billing_customer(account.boss_no) == edited
    assert crm.promote_billing_customer(account.boss_no, owner_id=8) == edited
    assert crm.promote_billing_customer(account.boss_no, customer_id=customer.id) == edited
    assert account_of(crm, account) == after
    assert len(crm.find(AuditLog, {"entity": "customer", "entity_id": customer.id})) == 2


def test_owner_and_kind_are_as_given(crm: Crm) -> None:
    account = make.billing_customer(crm)
    customer = crm.promote_billing_customer(account.boss_no, owner_id=8, kind="企业")
    assert (customer.owner_id, customer.kind) == (8, "企业")


def test_accounts_are_linked_to_the_customer_named(crm: Crm) -> None:
    customer = make.customer(crm)
    accounts = [make.billing_customer(crm) for _ in range(2)]
    for account in accounts:
        assert crm.promote_billing_customer(account.boss_no, customer_id=customer.id) == customer
        assert account_of(crm, account).customer_id == customer.id
    assert crm.find(Customer, {"cust_no": [account.boss_no for account in accounts]}) == []
    assert crm.find(Customer, {"id": customer.id}) == [customer]
    with pytest.raises(InvalidInput, match="owner_id: a customer that is there keeps its owner"):
        crm.promote_billing_customer(accounts[0].boss_no, customer_id=customer.id, owner_id=2)


def test_an_account_stays_with_its_customer(crm: Crm) -> None:
    first, second = make.customer(crm), make.customer(crm)
    account = make.billing_customer(crm)
    crm.promote_billing_customer(account.boss_no, customer_id=first.id)
    with pytest.raises(Refused, match=f"{account.boss_no}' belongs to customer {first.id}, not {second.id}"):
        crm.promote_billing_customer(account.boss_no, customer_id=second.id)
    assert account_of(crm, account).customer_id == first.id


def test_what_is_archived_is_refused(crm: Crm) -> None:
    account, customer = make.billing_customer(crm), make.customer(crm)
    crm.archive(Customer, customer.id)
    with pytest.raises(NotFound, match=f"customer {customer.id} is archived"):
        crm.promote_billing_customer(account.boss_no, customer_id=customer.id)
    promoted = crm.promote_billing_customer(account.boss_no)
    crm.archive(Customer, promoted.id)
    with pytest.raises(NotFound, match=f"customer {promoted.id} is archived"):
        crm.promote_billing_customer(account.boss_no)
    archived = make.billing_customer(crm)
    crm.archive(BillingCustomer, archived.id)
    with pytest.raises(NotFound, match=f"billing_customer {archived.id} is archived"):
        crm.promote_billing_customer(archived.boss_no)
    with pytest.raises(NotFound, match="billing_customer 'B-none' is not there"):
        crm.promote_billing_customer("B-none")


def test_of_accounts_of_one_number_the_live_one_counts(crm: Crm) -> None:
    archived = make.billing_customer(crm)
    crm.archive(BillingCustomer, archived.id)
    live = make.billing_customer(crm, boss_no=archived.boss_no)
    customer = crm.promote_billing_customer(live.boss_no)
    assert account_of(crm, live).customer_id == customer.id


def test_a_customer_of_the_number_is_not_doubled(crm: Crm) -> None:
    account = make.billing_customer(crm)
    customer = make.customer(crm, cust_no=account.boss_no)
    with pytest.raises(Refused, match=f"customer {customer.id} has the number '{account.boss_no}' already"):
        crm.promote_billing_customer(account.boss_no)
    assert account_of(crm, account).customer_id is None
    assert crm.promote_billing_customer(account.boss_no, customer_id=customer.id) == customer


def test_the_policy_is_asked(crm: Crm) -> None:
    policy = RolePolicy({"客户经理": ["promote_billing_customer"]}, own_customers=["客户经理"])
    manager = Crm(crm.platform, Actor(3, "客户经理"), policy=policy, clock=crm.clock)
    account, customer = make.billing_customer(crm), make.customer(crm, owner_id=1)
    with pytest.raises(NotPermitted, match=f"operator 3 .* of customer {customer.id}"):
        manager.promote_billing_customer(account.boss_no, customer_id=customer.id)
    assert manager.promote_billing_customer(account.boss_no).owner_id == 3
    with pytest.raises(NotPermitted):
        manager.acting(Actor(4)).promote_billing_customer(account.boss_no)
