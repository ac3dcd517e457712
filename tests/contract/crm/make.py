"""Rows to test with."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

from crm_model import Crm
from crm_model.entities import BillingCustomer, Customer, Operator, VipCard
from crm_model.model import Record
from platform_store import Platform

R = TypeVar("R", bound=Record)

_NUMBERS = count(1)


def operator(crm: Crm, **columns: Any) -> Operator:
    """An operator, by a login that no other has."""
    number = next(_NUMBERS)
    given: dict[str, Any] = {
        "login": f"t{number}",
        "name": f"员工{number}",
        "role": "客户经理",
        "region": "北京",
        "status": "在职",
        **columns,
    }
    return crm.add(Operator(**given))


def operators(platform: Platform, *keys: int) -> None:
    """Operators of these ids, where there are none yet."""
    columns = {"name": "员工", "role": "客户经理", "region": "北京", "status": "在职"}
    for key in keys:
        if platform.read(Operator.table, key) is None:
            stamps = {"created_at": datetime(2026, 1, 1), "updated_at": datetime(2026, 1, 1)}
            platform.write(Operator.table, {"id": key, "login": f"op{key:02d}", **columns, **stamps})


def customer(crm: Crm, **columns: Any) -> Customer:
    """A customer of operator 1, by a number that no other has."""
    return crm.add(Customer(**customer_columns(**columns)))


def customer_columns(**columns: Any) -> dict[str, Any]:
    """What a new customer has to have, with a number that no other has."""
    number = next(_NUMBERS)
    return {
        "cust_no": f"T{number:06d}",
        "name": f"测试客户{number}",
        "kind": "企业",
        "status": "正常",
        "credit_limit": Decimal("1000.00"),
        "stage": "稳定",
        "source": "测试",
        "owner_id": 1,
        **columns,
    }


def billing_customer(crm: Crm, **columns: Any) -> BillingCustomer:
    """An account of the billing system, by a number that no other has; of no customer yet."""
    number = next(_NUMBERS)
    given: dict[str, Any] = {
        "boss_no": f"B{number:09d}",
        "name": f"测试账户{number}",
        "phone": f"139{number:08d}",
        "plan_code": "商务199",
        "arpu_3m": Decimal("210.50"),
        "tenure_months": 30,
        "arrears": Decimal("0.00"),
        "usage_log": [{"month": "2026-05", "fee": 210.5, "gb": 31.4}],
        "services": [{"code": "专线", "since": "2024-01"}],
        **columns,
    }
    return crm.add(BillingCustomer(**given))


def vip_card(crm: Crm, **columns: Any) -> VipCard:
    """A card in stock, of level 1, by a number that no other has."""
    given: dict[str, Any] = {
        "card_no": f"VIP{next(_NUMBERS):07d}",
        "level": 1,
        "status": "库存",
        "location": "总库",
        "moves": [{"at": "2026-05-01T00:00:00", "from": None, "to": "总库", "by": 9}],
        **columns,
    }
    return crm.add(VipCard(**given))


def filled(model: type[R], text: str = "", **columns: Any) -> R:
    """A record with something in each of its columns, and ``text`` in all that take a text; it refers to nothing."""
    number = next(_NUMBERS)
    values: dict[str, Any] = {"id": 0}
    references = {reference.column for reference in model.declaration.references}
    for column in model.declaration.columns:
        if column.name in references:
            values[column.name] = None if column.nullable else 1
        elif column.type.startswith("VARCHAR"):
            values[column.name] = f"{text}{number}"
        else:
            values[column.name] = _OF_TYPE[column.type]
    for column in model.declaration.documents:
        said = f"{text}{number}"
        values[column.name] = said if column.type == "TEXT" else {said: [{"in": said}], "list": [said, number]}
    return model(**{**values, **columns})


_OF_TYPE: dict[str, object] = {
    "INT": 7,
    "INT UNSIGNED": 7,
    "TINYINT": 3,
    "DECIMAL(14,2)": Decimal("12.50"),
    "DECIMAL(4,2)": Decimal("3.50"),
    "DATETIME(3)": datetime(2026, 5, 4, 3, 2, 1),
    "DATE": date(1990, 1, 2),
}


def row(crm: Crm, model: type[R], text: str = "", **columns: Any) -> R:
    """A :func:`filled` record, written."""
    return crm.run("add", lambda changes: changes.add(filled(model, text, **columns)))
