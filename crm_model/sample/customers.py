"""Customers, and the people, accounts and cards behind them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from crm_model.names import name_key, phone_key
from crm_model.sample import dirt, words
from crm_model.sample.draw import Draw, at, spread
from crm_model.sample.places import CITIES, PROVINCE_OF
from crm_model.sample.sizes import END
from crm_model.sample.world import OPERATORS, Row, World, standard

VIP_LEVELS = spread({0: 55, 1: 18, 2: 12, 3: 8, 4: 5, 5: 2})
STAGES = spread({"潜在": 15, "开发": 20, "稳定": 42, "续约": 10, "沉睡": 8, "破裂": 5})
STATUSES = spread({"正常": 92, "停用": 5, "黑名单": 3})
SOURCES = spread({"自拓": 40, "转介绍": 25, "电话": 15, "活动": 12, "网站": 8})
CREDIT = (Decimal("5000"), Decimal("20000"), Decimal("50000"), Decimal("100000"), Decimal("300000"), Decimal("1000000"))
PLANS = spread({"畅享89": 40, "畅享129": 25, "商务199": 20, "商务399": 10, "尊享599": 5})
SERVICES = spread({"宽带": 45, "彩铃": 25, "云盘": 12, "短信": 8, "专线": 6, "物联网": 4})
LOCATIONS = ("总库", "东区营业厅", "西区营业厅", "客户经理处", "已寄出")

_CUSTOMER, _IDENTITY = 203, 204
_ARCHIVED = 0.02


class Identity(NamedTuple):
    """Who a customer is: what a duplicate has in common with its original."""

    company: bool
    name: str
    phone: str
    id_hash: str
    city: str
    industry: str | None


def identity(number: int) -> Identity:
    """Of the customer of this id, were it no duplicate."""
    draw = Draw(_IDENTITY, number)
    company, city = draw.random() < 0.7, draw.pick(CITIES)
    name = words.company(draw, city) if company else words.person(draw)
    digest = hashlib.sha256(f"{number}".encode()).hexdigest()
    return Identity(company, name, words.mobile(draw), digest, city, draw.pick(words.INDUSTRIES) if company else None)


def customers(world: World, _: Draw, ids: range) -> Iterator[Row]:
    """Three in a hundred are someone who is there already, typed in again."""
    for number in ids:
        draw = Draw(_CUSTOMER, number)
        original = _original(world, draw, number)
        yield _customer(world, draw, number, original)


def identities(world: World) -> dict[int, int]:
    """Of each customer that is not a planted one, the number of the :func:`identity` that it has."""
    drawn = range(world.planted_customers + 1, world.size.customers + 1)
    return {number: _original(world, Draw(_CUSTOMER, number), number) or number for number in drawn}


def _original(world: World, draw: Draw, number: int) -> int | None:
    """The customer that this one repeats."""
    if not draw.chance(dirt.DUPLICATES) or number <= world.planted_customers + 1:
        return None
    return draw.whole(world.planted_customers + 1, number - 1)


def _customer(world: World, draw: Draw, number: int, original: int | None) -> Row:
    who = identity(original or number)
    name, phone = who.name, who.phone
    if original is not None:
        name, phone = dirt.retyped(draw, name), dirt.redialled(draw, phone)
    merged = original if original is not None and draw.chance(0.1) else None
    archived = merged is not None or draw.chance(_ARCHIVED)
    vip, created = draw.pick(VIP_LEVELS), at(number / world.size.customers * 0.9)
    return {
        "id": number,
        "cust_no": f"C{number:08d}",
        "name": name,
        "name_key": name_key(name),
        "kind": "企业" if who.company else "个人",
        "status": draw.pick(STATUSES),
        **_phone(phone if draw.random() < 0.95 else None),
        "id_hash": who.id_hash if draw.random() < 0.8 else None,
        "province": PROVINCE_OF[who.city],
        "city": who.city if draw.random() < 0.98 else None,
        "industry": who.industry,
        "vip_level": vip,
        "credit_limit": CREDIT[vip],
        "satisfaction": Decimal(draw.whole(100, 500)).scaleb(-2) if draw.random() < 0.8 else None,
        "stage": draw.pick(STAGES),
        "source": draw.pick(SOURCES),
        "owner_id": world.owners[number],
        "parent_id": world.customer(draw) if who.company and draw.random() < 0.03 else None,
        "merged_into": merged,
        **standard(created, del_token=number if archived else 0, version=draw.whole(1, 9)),
        "profile": dirt.document(draw, _profile(draw), "喜欢喝茶"),
        "extension": dirt.document(draw, _extension(draw, who), []) if who.company else None,
        "agreements": _agreements(draw, number) if draw.random() < 0.4 else None,
        "tags": dirt.document(draw, draw.some(words.CUSTOMER_TAGS, 0, 3), draw.pick(words.CUSTOMER_TAGS)),
        "custom": _custom(draw) if draw.random() < 0.3 else None,
        "attachments": [attachment(draw, number)] if draw.random() < 0.05 else None,
    }


def _phone(phone: str | None) -> Row:
    return {"phone": phone, "phone_key": phone_key(phone)}


def _profile(draw: Draw) -> Row:
    hobbies: object = draw.some(words.HOBBIES, 1, 3) if draw.random() < 0.98 else draw.pick(words.HOBBIES)
    profile: Row = {"hobbies": hobbies}
    if draw.random() < 0.6:
        profile["habits"] = draw.pick(words.HABITS) if draw.random() < 0.95 else None
    return profile


def _extension(draw: Draw, who: Identity) -> Row:
    extension: Row = {"legal_rep": words.person(draw)}
    if draw.random() < 0.4:
        rivals = dict.fromkeys(draw.pick(words.RIVALS) for _ in range(draw.whole(1, 2)))
        extension["competitor_spend"] = {rival: _spend(draw) for rival in rivals}
    if who.industry == "制造":
        extension["employees"] = draw.whole(20, 5000)
    return extension


def _spend(draw: Draw) -> object:
    amount = int(draw.source.lognormvariate(7.8, 1.0) * 12)
    part = draw.random()
    if part < 0.9:
        return amount if part < 0.6 else amount + 0.5
    return str(amount) if part < 0.95 else None if part < 0.98 else f"约{amount // 1000}千"


def _agreements(draw: Draw, number: int) -> list[Row]:
    years = draw.some((2024, 2025, 2026), 1, 2)
    return [
        {"no": f"HT{year}{number:07d}", "until": f"{year}-12-31", "amount": draw.whole(10, 900) * 100} for year in years
    ]


def _custom(draw: Draw) -> Row:
    custom: Row = {"开票方式": draw.pick(("电子", "纸质"))}
    if draw.random() < 0.5:
        custom["网点数"] = draw.whole(1, 60) if draw.random() < 0.95 else "很多"
    return custom


def attachment(draw: Draw, number: int) -> Row:
    """A file that is kept somewhere else."""
    name = draw.pick(("营业执照", "合同", "现场照片", "报价单"))
    digest = hashlib.sha256(f"{name}{number}".encode()).hexdigest()
    mime, end = draw.pick((("image/jpeg", "jpg"), ("application/pdf", "pdf")))
    return {
        "name": f"{name}.{end}",
        "mime": mime,
        "size": draw.whole(10_000, 4_000_000),
        "sha256": digest,
        "uri": f"file:///crm/{digest[:2]}/{digest}",
    }


def contacts(world: World, draw: Draw, ids: range) -> Iterator[Row]:
    """Every customer has a first contact, whose id is the customer's; some have more."""
    for number in ids:
        first = number <= world.size.customers
        name, phone = words.person(draw), words.mobile(draw)
        email = f"user{number}@example.com"
        yield {
            "id": number,
            "customer_id": number if first else world.customer(draw),
            "name": name,
            "name_key": name_key(name),
            "title": draw.pick(words.POSITIONS) if draw.random() < 0.9 else None,
            "phone": phone if draw.random() < 0.97 else dirt.redialled(draw, phone),
            "email": (email if draw.random() < 0.95 else f"{email.upper()} ") if draw.random() < 0.7 else None,
            "birthday": date(1960, 1, 1) + timedelta(days=draw.whole(0, 15_000)) if draw.random() < 0.5 else None,
            "is_primary": int(first),
            **standard(draw.moment()),
            "im": {"wechat": f"wx_{number:x}"} if draw.random() < 0.5 else None,
            "preferences": dirt.document(draw, {"contact_by": draw.pick(words.HABITS)}, []),
        }


def billing_customers(world: World, draw: Draw, ids: range) -> Iterator[Row]:
    """Accounts of the billing system; three in ten have become customers."""
    for number in ids:
        promoted = draw.moment() if draw.random() < 0.3 else None
        arpu = draw.money(4.3, 0.7)
        yield {
            "id": number,
            "boss_no": f"B{number:09d}",
            "name": words.person(draw),
            "phone": words.mobile(draw),
            "plan_code": draw.pick(PLANS),
            "arpu_3m": arpu,
            "tenure_months": draw.whole(0, 180),
            "arrears": Decimal("0.00") if draw.random() < 0.85 else draw.money(3.5, 1.0),
            "customer_id": None if promoted is None else world.customer(draw),
            "promoted_at": promoted,
            **standard(promoted or draw.moment()),
            "usage_log": [
                {"month": f"2026-{month:02d}", "fee": float(arpu) + month, "gb": draw.whole(0, 800) / 10}
                for month in range(3, 6)
            ],
            "services": dirt.document(draw, _services(draw), {}),
        }


def _services(draw: Draw) -> list[Row]:
    codes = dict.fromkeys(draw.pick(SERVICES) for _ in range(draw.whole(0, 3)))
    return [{"code": code, "since": f"20{draw.whole(15, 25)}-{draw.whole(1, 12):02d}"} for code in codes]


def vip_cards(world: World, draw: Draw, ids: range) -> Iterator[Row]:
    """Six in ten are bound, each to a customer of its own."""
    every = world.size.customers // vip_card_count(world.size.customers)
    for number in ids:
        bound = draw.moment() if draw.random() < 0.6 else None
        moved = draw.moment()
        yield {
            "id": number,
            "card_no": f"VIP{number:07d}",
            "level": draw.whole(1, 5),
            "status": "在用" if bound else draw.pick(("库存", "库存", "挂失")),
            "location": draw.pick(LOCATIONS),
            "customer_id": number * every if bound else None,
            "bound_at": bound,
            **standard(bound or moved),
            "moves": [{"at": moved.isoformat(), "from": None, "to": "总库", "by": draw.whole(1, OPERATORS)}],
        }


def vip_card_count(customers: int) -> int:
    """One for five customers."""
    return customers // 5


def approvals(world: World, draw: Draw, ids: range) -> Iterator[Row]:
    """Requests; the one who decides is never the one who asks."""
    for number in ids:
        customer, decided = world.customer(draw), draw.moment() if draw.random() < 0.8 else None
        applicant = world.owners[customer]
        yield {
            "id": number,
            "kind": draw.pick(("vip", "credit", "discount")),
            "subject_id": customer,
            "requested": str(draw.whole(1, 5)),
            "applicant_id": applicant,
            "approver_id": applicant % OPERATORS + 1 if decided else None,
            "status": draw.pick(("通过", "通过", "驳回")) if decided else "待审",
            "decided_at": decided,
            **standard(decided or END),
            "form": {"理由": draw.pick(("长期合作", "竞争挽留", "潜力大")), "附件数": draw.whole(0, 3)},
            "comments": [{"by": applicant, "text": "请尽快审批"}] if draw.random() < 0.3 else None,
        }
