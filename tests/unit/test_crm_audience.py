"""What a document declares as an audience, and who belongs to it. No store."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from crm_model import InvalidInput
from crm_model.audience import Audience
from crm_model.entities import Customer
from crm_model.rules import Condition, Input
from platform_store import JsonText

GOOD = {
    "when": [
        {"input": "vip_level", "at_least": 3},
        {"input": "city", "is": ["北京", "上海"]},
        {"input": "industry", "is_not": "政务"},
        {"input": "province", "is": "广东", "if_missing": True},
        {"input": "orders_amount", "days": 365, "above": 5000.5},
    ],
    "tags": ["续约期", "𠮷"],
}


def customer(tags: Any = None) -> Customer:
    return Customer(
        cust_no="1", name="x", kind="企业", status="正常", credit_limit=Decimal(0), stage="稳定", source="x",
        owner_id=1, tags=tags,
    )  # fmt: skip


def test_what_a_document_says() -> None:
    audience = Audience.of(GOOD)
    assert audience.when[0] == Condition(Input("vip_level"), "at_least", Decimal(3))
    assert audience.when[-1] == Condition(Input("orders_amount", 365), "above", Decimal("5000.5"))
    assert (len(audience.when), audience.tags) == (5, frozenset(["续约期", "𠮷"]))
    assert audience.inputs == {one.input for one in audience.when}
    assert audience.where == {"city": ("上海", "北京")}
    assert Audience.of({}) == Audience()


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (None, "audience: must be a mapping with tags and when"),
        ([], "audience: must be a mapping with tags and when"),
        (JsonText("null"), "audience: must be a mapping"),
        ({"wen": []}, r"audience\.wen: is not known"),
        ({"when": {}}, r"audience\.when: must be a list"),
        ({"when": [{"input": "city", "is": 5}]}, r"audience\.when\[0\]\.is: must be a text"),
        ({"when": [{"input": "vip_level", "at_least": "3"}]}, r"audience\.when\[0\]\.at_least: must be a number"),
        ({"when": [{"input": "orders_amount", "at_least": 3}]}, r"audience\.when\[0\]: lacks days"),
        ({"tags": []}, r"audience\.tags: must not be empty"),
        ({"x" * 2000: 1}, "audience: is not a document"),
    ],
)
def test_what_is_wrong(document: Any, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        Audience.of(document)


@pytest.mark.parametrize(
    ("tags", "belongs"),
    [
        (["重点", "续约期"], True),
        (["重点"], False),
        (None, False),
        (JsonText("null"), False),
        ("续约期", True),
        ([["续约期"], {"续约期": 1}, 5, None], False),
        ({"续约期": 1}, False),
    ],
)
def test_tags(tags: Any, belongs: bool) -> None:
    """A value of another form than a list is its one entry."""
    assert Audience.of({"tags": "续约期"}).has(customer(tags), {}) is belongs


@pytest.mark.parametrize(("level", "belongs"), [(2, False), (3, True)])
def test_conditions(level: int, belongs: bool) -> None:
    audience = Audience.of({"when": [{"input": "vip_level", "at_least": 3}], "tags": ["a"]})
    assert audience.has(customer(["a"]), {Input("vip_level"): level}) is belongs
    assert not audience.has(customer(["b"]), {Input("vip_level"): level})
