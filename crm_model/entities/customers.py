"""Who buys: customers, the people and accounts behind them, and what they are entitled to."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from crm_model import column
from crm_model.model import Json, Standard
from crm_model.names import name_key, phone_key


class Customer(
    Standard,
    table="customer",
    unique=("cust_no",),
    indexes=(
        ("city", "vip_level"),
        ("owner_id", "del_token"),
        "phone",
        "phone_key",
        "id_hash",
        "name_key",
        "parent_id",
        "merged_into",
    ),
):
    """A company (kind 企业) or a person (个人).

    name_key, phone_key: name and phone as they are searched by, see :mod:`crm_model.names`; id_hash: SHA-256 of the
    number of an identity document or licence; vip_level: 0 (none) to 5; satisfaction: an average score, 1 to 5;
    stage: of the relation, such as 稳定 or 破裂; parent_id: the customer it belongs to; merged_into: the customer
    that a duplicate became. profile {hobbies[], habits}; extension {legal_rep, competitor_spend {rival: yuan a
    year}}; agreements[]; tags[]; custom{}: what no field is declared for; attachments[].
    """

    cust_no: str = column.code()
    name: str = column.title()
    name_key: str = column.derived("name", name_key, default="")
    kind: str = column.code()
    status: str = column.code()
    phone: str | None = column.code(default=None)
    phone_key: str | None = column.derived("phone", phone_key, default=None, length=32)
    id_hash: str | None = column.code(length=64, default=None)
    province: str | None = column.code(default=None)
    city: str | None = column.code(default=None)
    industry: str | None = column.code(default=None)
    vip_level: int = column.small(default=0)
    credit_limit: Decimal = column.money()
    satisfaction: Decimal | None = column.average(default=None)
    stage: str = column.code()
    source: str = column.code()
    owner_id: int = column.reference()
    parent_id: int | None = column.reference(default=None, to="customer")
    merged_into: int | None = column.reference(default=None, to="customer")
    profile: Json = column.json(default=None)
    extension: Json = column.json(default=None)
    agreements: Json = column.json(default=None)
    tags: Json = column.json(default=None)
    custom: Json = column.json(default=None)
    attachments: Json = column.json(default=None)


class Contact(Standard, table="contact", indexes=("customer_id", "phone", "email", "name_key")):
    """A person at a customer.

    title: their position; is_primary: 1 for the one to ask first. im {service: account}; preferences{}.
    """

    customer_id: int = column.reference()
    name: str = column.title()
    name_key: str = column.derived("name", name_key, default="")
    title: str | None = column.title(default=None)
    phone: str | None = column.code(default=None)
    email: str | None = column.title(default=None)
    birthday: date | None = column.day(default=None)
    is_primary: int = column.small(default=0)
    im: Json = column.json(default=None)
    preferences: Json = column.json(default=None)


class BillingCustomer(Standard, table="billing_customer", unique=("boss_no",), indexes=(("customer_id", "arpu_3m"),)):
    """An account of the billing system, which may become a customer.

    arpu_3m: average revenue a month, of the last three; arrears: what is owed; customer_id and promoted_at: the
    customer it became, and when. usage_log [{month, fee, gb}]; services [{code, since}].
    """

    boss_no: str = column.code()
    name: str = column.title()
    phone: str = column.code()
    plan_code: str = column.code()
    arpu_3m: Decimal = column.money()
    tenure_months: int = column.number()
    arrears: Decimal = column.money()
    customer_id: int | None = column.reference(default=None)
    promoted_at: datetime | None = column.moment(default=None)
    usage_log: Json = column.json(default=None)
    services: Json = column.json(default=None)


class VipCard(Standard, table="vip_card", unique=("card_no", "customer_id")):
    """A card: in stock (customer_id NULL) or bound to a customer, who has one at most.

    location: where it is kept. moves [{at, from, to, by}]: where it was, oldest first.
    """

    card_no: str = column.code()
    level: int = column.small()
    status: str = column.code()
    location: str = column.code()
    customer_id: int | None = column.reference(default=None)
    bound_at: datetime | None = column.moment(default=None)
    moves: Json = column.json(default=None)


class Approval(Standard, table="approval", indexes=(("status", "kind"), "subject_id")):
    """A request that someone else decides.

    kind: of what is asked, such as vip; subject_id: the row it is about, a customer's; requested: the value asked
    for, as text. form{}: as it was filled in; comments[].
    """

    kind: str = column.code()
    subject_id: int = column.reference(to="customer")
    requested: str = column.code()
    applicant_id: int = column.reference()
    approver_id: int | None = column.reference(default=None)
    status: str = column.code()
    decided_at: datetime | None = column.moment(default=None)
    form: Json = column.json(default=None)
    comments: Json = column.json(default=None)
