"""Customers to test with: each test has its own."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import Any

from crm_model import Crm
from crm_model.entities import Customer

_NUMBERS = count(1)
EVIL = "<script>alert(1)</script> & \"'{{ 7 * 7 }} 𠮷野家 😀"
"""A name that must be read as it is."""


def customer(crm: Crm, owner_id: int, **columns: Any) -> Customer:
    """A customer of an operator, by a number that no other has."""
    number = next(_NUMBERS)
    given: dict[str, Any] = {
        "cust_no": f"W{number:06d}",
        "name": f"网页客户{number}",
        "kind": "企业",
        "status": "正常",
        "credit_limit": Decimal("1000.00"),
        "stage": "稳定",
        "source": "自拓",
        "owner_id": owner_id,
        **columns,
    }
    return crm.add(Customer(**given))


def fields(**others: str | list[str]) -> dict[str, str | list[str]]:
    """What the form of a new customer is filled in with; ``others`` instead of these."""
    return {
        "cust_no": f"F{next(_NUMBERS):06d}",
        "name": "新客户",
        "kind": "企业",
        "status": "正常",
        "stage": "潜在",
        "source": "网站",
        "vip_level": "2",
        "credit_limit": "5000.50",
        "owner_id": "1",
        **others,
    }
