"""Who buys: customers, the people and accounts behind them, and what they are entitled to."""

from __future__ import annotations

from crm_model.entity import Entity, average, code, day, json, moment, money, number, reference, small, title

CUSTOMER = Entity(
    "customer",
    """A company (kind 企业) or a person (个人).

    name_key: the name as it is searched by, see :func:`crm_model.names.name_key`; id_hash: SHA-256 of the number of an
    identity document or licence; vip_level: 0 (none) to 5; satisfaction: an average score, 1 to 5; stage: of the
    relation, such as 稳定 or 破裂; parent_id: the customer it belongs to; merged_into: the customer that a duplicate
    became. profile {hobbies[], habits}; extension {legal_rep, competitor_spend {rival: yuan a year}}; agreements[];
    tags[]; custom{}: what no field is declared for; attachments[].
    """,
    (
        code("cust_no"),
        title("name"),
        title("name_key"),
        code("kind"),
        code("status"),
        code("phone", null=True),
        code("id_hash", null=True, length=64),
        code("province", null=True),
        code("city", null=True),
        code("industry", null=True),
        small("vip_level", default=0),
        money("credit_limit"),
        average("satisfaction", null=True),
        code("stage"),
        code("source"),
        reference("owner_id"),
        reference("parent_id", null=True),
        reference("merged_into", null=True),
    ),
    json("profile", "extension", "agreements", "tags", "custom", "attachments"),
    unique=("cust_no",),
    indexes=(("city", "vip_level"), ("owner_id", "del_token"), "phone", "id_hash", "name_key"),
)

CONTACT = Entity(
    "contact",
    """A person at a customer.

    title: their position; is_primary: 1 for the one to ask first. im {service: account}; preferences{}.
    """,
    (
        reference("customer_id"),
        title("name"),
        title("name_key"),
        title("title", null=True),
        code("phone", null=True),
        title("email", null=True),
        day("birthday", null=True),
        small("is_primary", default=0),
    ),
    json("im", "preferences"),
    indexes=("customer_id", "phone", "email", "name_key"),
)

BILLING_CUSTOMER = Entity(
    "billing_customer",
    """An account of the billing system, which may become a customer.

    arpu_3m: average revenue a month, of the last three; arrears: what is owed; customer_id and promoted_at: the
    customer it became, and when. usage_log [{month, fee, gb}]; services [{code, since}].
    """,
    (
        code("boss_no"),
        title("name"),
        code("phone"),
        code("plan_code"),
        money("arpu_3m"),
        number("tenure_months"),
        money("arrears"),
        reference("customer_id", null=True),
        moment("promoted_at", null=True),
    ),
    json("usage_log", "services"),
    unique=("boss_no",),
    indexes=(("customer_id", "arpu_3m"),),
)

VIP_CARD = Entity(
    "vip_card",
    """A card: in stock (customer_id NULL) or bound to a customer, who has one at most.

    location: where it is kept. moves [{at, from, to, by}]: where it was, oldest first.
    """,
    (
        code("card_no"),
        small("level"),
        code("status"),
        code("location"),
        reference("customer_id", null=True),
        moment("bound_at", null=True),
    ),
    json("moves"),
    unique=("card_no", "customer_id"),
)

APPROVAL = Entity(
    "approval",
    """A request that someone else decides.

    kind: of what is asked, such as vip; subject_id: the row it is about, a customer's; requested: the value asked
    for, as text. form{}: as it was filled in; comments[].
    """,
    (
        code("kind"),
        reference("subject_id"),
        code("requested"),
        reference("applicant_id"),
        reference("approver_id", null=True),
        code("status"),
        moment("decided_at", null=True),
    ),
    json("form", "comments"),
    indexes=(("status", "kind"), "subject_id"),
)
