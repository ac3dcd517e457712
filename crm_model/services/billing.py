"""Accounts of the billing system that become customers of the CRM."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from crm_model.changes import Changes
from crm_model.entities import BillingCustomer, Customer
from crm_model.entities.states import NORMAL, PERSON, STEADY
from crm_model.errors import InvalidInput, NotFound, Refused
from crm_model.service import Service
from platform_store import TransientError

SOURCE: Final = "计费系统"
"""``source`` of a customer that was an account."""
_NO_CREDIT: Final = Decimal("0.00")


class Billing(Service):
    """Promotion of the billing system's accounts."""

    def promote_billing_customer(
        self, boss_no: str, *, customer_id: int | None = None, owner_id: int | None = None, kind: str = PERSON
    ) -> Customer:
        """Makes the account of this number a customer, or links it to one that is there; returns the customer.

        The account stays as it is, with its usage_log and services, and says whose it is from then on. A new customer
        has the account's name and phone and, as its ``cust_no``, the account's number: a second one of an account
        cannot be, whoever makes it. It has VIP level 0 and no credit until a rule or an approval gives it some. A
        customer that is there is not changed: several accounts may belong to it.

        Once promoted, an account stays its customer's: the same call again returns that customer and changes nothing.

        Args:
            customer_id: the customer whom the account belongs to, where they are one already.
            owner_id: who looks after a new customer (default: the actor).
            kind: of a new customer.

        Raises:
            NotFound: there is no such account or customer, or it is archived.
            Refused: the account belongs to another customer than the one named; or the number is another customer's.
            InvalidInput: an owner is given for a customer that is there.
        """
        if customer_id is not None and owner_id is not None:
            raise InvalidInput(
                "owner_id",
                "one-or-the-other",
                "a customer that is there keeps its owner; leave out one of the two",
                other="customer_id",
            )

        def work(changes: Changes) -> Customer:
            account, its = _held(changes, boss_no, customer_id)
            if its is not None and account.customer_id == its.id:
                return its
            customer = its or changes.add(_customer(changes, account, owner_id, kind))
            changes.change(account, customer_id=customer.id, promoted_at=changes.at)
            return customer

        return self.run("promote_billing_customer", work)


def _held(changes: Changes, boss_no: str, named: int | None) -> tuple[BillingCustomer, Customer | None]:
    """The account, locked after its customer or, where it has none yet, after the one named."""
    seen = changes.tx.find(
        BillingCustomer.table,
        {"boss_no": boss_no},
        order_by=["del_token"],  # a live one first
        limit=1,
        columns=["id", "customer_id"],
    )
    if not seen:
        raise NotFound(BillingCustomer.table, boss_no)
    key, owner = seen[0]["id"], seen[0]["customer_id"]
    assert isinstance(key, int)
    assert owner is None or isinstance(owner, int)
    if owner is not None and named not in (None, owner):
        raise Refused(
            "account-of-another-customer",
            f"billing_customer {boss_no!r} belongs to customer {owner}, not {named}; merge the two instead",
            boss_no=boss_no,
            customer_id=owner,
        )
    wanted = named if owner is None else owner
    customer = None if wanted is None else changes.customer(wanted)
    account = changes.row(BillingCustomer, key)
    if account.customer_id != owner:
        raise TransientError("mysql", f"billing_customer {boss_no!r} has just gone to another customer")
    return account, customer


def _customer(changes: Changes, account: BillingCustomer, owner_id: int | None, kind: str) -> Customer:
    taken = changes.tx.find(Customer.table, {"cust_no": account.boss_no, "del_token": 0}, columns=["id"])
    if taken:
        raise Refused(
            "number-taken",
            f"customer {taken[0]['id']} has the number {account.boss_no!r} already; "
            "where it is the same, name it as customer_id",
            number=account.boss_no,
            customer_id=taken[0]["id"],
        )
    return Customer(
        cust_no=account.boss_no,
        name=account.name,
        kind=kind,
        status=NORMAL,
        phone=account.phone,
        credit_limit=_NO_CREDIT,
        stage=STEADY,
        source=SOURCE,
        owner_id=changes.actor.operator_id if owner_id is None else owner_id,
    )
