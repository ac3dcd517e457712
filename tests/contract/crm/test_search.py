"""Lists of customers: what is found by what, in pages, and for whom."""

from __future__ import annotations

import pytest

from crm_model import Actor, Crm, InvalidInput, NotPermitted, RolePolicy
from crm_model.services.search import CustomerPage
from platform_store import Platform
from tests.contract.crm import make


@pytest.fixture(scope="module")
def crm_platform(own_crm_platform: Platform) -> Platform:
    """Lists are of all customers."""
    return own_crm_platform


def ids(page: CustomerPage) -> list[int]:
    return [customer.id for customer in page.customers]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("远景", True),
        ("遠景科技", True),  # traditional
        ("ＡＢＣ ", True),  # full width
        ("abc", True),
        ("S900%", False),
        ("s900_x", True),
        ("900-X", False),
        ("_x", True),
        ("S9_0", False),
        ("%", False),
        ("\\", False),
        ("0552 3456", True),
        ("+86 0552", True),
        ("55", False),
        ("𠮷", True),
        ("' OR 1=1 --", False),
    ],
)
def test_what_a_text_finds(crm: Crm, text: str, found: bool) -> None:
    customer = make.customer(crm, name="远景科技（ABC）𠮷", cust_no="S900_X", phone="0552-3456789")
    try:
        assert (customer.id in ids(crm.search_customers(text))) == found
    finally:
        crm.archive(type(customer), customer.id)


def test_conditions(crm: Crm) -> None:
    wanted = make.customer(crm, name="甲", kind="个人", status="停用", vip_level=4, owner_id=9, tags=["a"])
    for other in ({"kind": "企业"}, {"status": "正常"}, {"vip_level": 3}, {"owner_id": 8}):
        make.customer(crm, **{"name": "甲", "kind": "个人", "status": "停用", "vip_level": 4, "owner_id": 9, **other})
    page = crm.search_customers("甲", kind="个人", status="停用", vip_level=4, owner_id=9)
    assert ids(page) == [wanted.id]
    documents = ("profile", "extension", "agreements", "tags", "custom", "attachments")
    assert page.customers[0] == wanted.but(**dict.fromkeys(documents)), "its documents are not read"


def test_pages_there_and_back(crm: Crm) -> None:
    made = [make.customer(crm, name=f"翻页{n}").id for n in range(7)][::-1]
    archived = make.customer(crm, name="翻页")
    crm.archive(type(archived), archived.id)

    def page(after: int | None = None, before: int | None = None) -> CustomerPage:
        return crm.search_customers("翻页", limit=3, after=after, before=before)

    first = page()
    assert (ids(first), first.newer, first.older) == (made[:3], False, True)
    second = page(after=made[2])
    assert (ids(second), second.newer, second.older) == (made[3:6], True, True)
    last = page(after=made[5])
    assert (ids(last), last.newer, last.older) == (made[6:], True, False)
    back = page(before=made[6])
    assert (ids(back), back.newer, back.older) == (made[3:6], True, True)
    front = page(before=made[3])
    assert (ids(front), front.newer, front.older) == (made[:3], False, True)


def test_the_policy_is_asked_for_each(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_model.services.search._READ_AT_ONCE", 2)
    own = [make.customer(crm, name="名下", owner_id=owner).id for owner in (7, 8, 8, 8, 8, 7, 8, 8)]
    policy = RolePolicy({"sales": ["search_customers"]}, own_customers=["sales"])
    seen = Crm(crm.platform, Actor(7, "sales"), policy=policy).search_customers("名下", limit=1)
    assert (ids(seen), seen.older) == ([own[5]], True)
    seen = Crm(crm.platform, Actor(7, "sales"), policy=policy).search_customers("名下", after=own[5], limit=1)
    assert (ids(seen), seen.older) == ([own[0]], False)
    with pytest.raises(NotPermitted):
        Crm(crm.platform, Actor(7, "none"), policy=policy).search_customers()


def test_refused(crm: Crm) -> None:
    for limit in (0, 1001):
        with pytest.raises(InvalidInput):
            crm.search_customers(limit=limit)
    with pytest.raises(InvalidInput):
        crm.search_customers(after=1, before=1)
