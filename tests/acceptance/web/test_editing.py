"""Customers that are added and edited in forms."""

from __future__ import annotations

from decimal import Decimal

import pytest

from crm_model import Crm
from crm_model.entities import AuditLog, Customer, Operator
from examples.crm_web.roles import Role
from examples.crm_web.users import User
from tests.acceptance.web import make
from tests.acceptance.web.browser import Browser, form_of_page


def by_number(crm: Crm, number: object) -> Customer | None:
    found = crm.search_customers(str(number)).customers if number else ()
    return next((crm.customer("test", one.id) for one in found if one.cust_no == number), None)


def form_of(customer: Customer, **others: str | list[str]) -> dict[str, str | list[str]]:
    """What the form of a customer holds when it is opened."""
    text = {name: "" if value is None else str(value) for name, value in customer.values().items()}
    names = ("name", "kind", "status", "stage", "source", "phone", "province", "city", "industry")
    columns = (*names, "vip_level", "credit_limit", "owner_id", "version")
    return {**{name: text[name] for name in columns}, "tags": "", "custom_name": [], "custom_value": [], **others}


def test_a_new_customer(crm: Crm, manager: Browser, users: dict[Role, User]) -> None:
    given = make.fields(
        name=make.EVIL,
        phone="0551-123",
        city="合肥",
        tags="重点、续约期",
        owner_id="3",
        custom_name=["网点数", " ", "开票方式", make.EVIL],
        custom_value=["12", "", "电子", "𠮷"],
    )
    done = manager.post("/new-customer", given)
    customer = by_number(crm, given["cust_no"])
    assert customer is not None
    assert (done.status_code, done.headers["location"]) == (303, f"/customers/{customer.id}")
    assert "The customer was added." in manager.page(f"/customers/{customer.id}")
    assert (customer.name, customer.phone_key, customer.city, customer.owner_id) == (make.EVIL, "551123", "合肥", 3)
    assert (customer.vip_level, customer.credit_limit, customer.tags) == (2, Decimal("5000.50"), ["重点", "续约期"])
    assert customer.custom == {"网点数": "12", "开票方式": "电子", make.EVIL: "𠮷"}
    (entry,) = crm.find(AuditLog, {"entity": "customer", "entity_id": customer.id})
    assert (entry.actor_id, entry.action, entry.meta) == (users[Role.MANAGER].operator_id, "add", {"ip": "testclient"})


def test_sales_add_their_own(crm: Crm, sales: Browser, users: dict[Role, User]) -> None:
    given = make.fields(owner_id="1")
    assert 'name="owner_id"' not in sales.page("/new-customer")
    assert sales.post("/new-customer", given).status_code == 303
    customer = by_number(crm, given["cust_no"])
    assert customer is not None
    assert customer.owner_id == users[Role.SALES].operator_id
    assert sales.post(f"/customers/{customer.id}/edit", form_of(customer, owner_id="1", name="改名")).status_code == 303
    now = crm.customer("test", customer.id)
    assert (now.owner_id, now.name) == (customer.owner_id, "改名")


def test_sales_set_what_others_approve_nowhere(crm: Crm, sales: Browser) -> None:
    given = make.fields(vip_level="5", credit_limit="9999999", status="黑名单")
    assert sales.post("/new-customer", given).status_code == 303
    customer = by_number(crm, given["cust_no"])
    assert customer is not None
    assert (customer.vip_level, customer.credit_limit, customer.status) == (0, Decimal(0), "正常")
    customer = crm.edit(Customer, customer.id, vip_level=1, credit_limit=Decimal(70), status="停用")
    page = sales.page(f"/customers/{customer.id}/edit")
    for name in ("vip_level", "credit_limit", "status"):
        assert f'name="{name}"' not in page
    mine = form_of(customer, name="改名", vip_level="5", credit_limit="9999999", status="正常")
    assert sales.post(f"/customers/{customer.id}/edit", mine).status_code == 303
    now = crm.customer("test", customer.id)
    assert (now.name, now.vip_level, now.credit_limit, now.status) == ("改名", 1, Decimal(70), "停用")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"cust_no": ""}, "Please fill this in."),
        ({"cust_no": "x" * 33}, "This is too long."),
        ({"name": ""}, "Please fill this in."),
        ({"name": "x" * 201}, "This is too long."),
        ({"name": "\ufdfa" * 150}, "it may have 200 characters at most."),  # one of which is searched for by eighteen
        ({"kind": "x"}, "choose one of the options"),
        ({"vip_level": "6"}, "out of range"),
        ({"credit_limit": "1.005"}, "an amount with two decimals"),
        ({"credit_limit": "-1"}, "an amount with two decimals"),
        ({"credit_limit": "NaN"}, "an amount with two decimals"),
        ({"credit_limit": "1e999"}, "an amount with two decimals"),
        ({"credit_limit": "1" * 30}, "an amount with two decimals"),
        ({"owner_id": ""}, "Please fill this in."),
        ({"custom_name": ["a", "a"], "custom_value": ["1", "2"]}, "Each row needs a name of its own"),
        ({"custom_name": [""], "custom_value": ["1"]}, "Each row needs a name of its own"),
        ({"phone": "1\x0b2"}, "characters that cannot be shown"),
    ],
)
def test_a_new_customer_that_is_refused(
    crm: Crm, manager: Browser, fields: dict[str, str | list[str]], why: str
) -> None:
    given = make.fields(**{"industry": "留着的行业", **fields})
    refused = manager.post("/new-customer", given)
    assert (refused.status_code, why in refused.text, "留着的行业" in refused.text) == (422, True, True)
    assert by_number(crm, given["cust_no"]) is None


def test_a_number_that_is_taken(crm: Crm, manager: Browser) -> None:
    customer = make.customer(crm, 1)
    refused = manager.post("/new-customer", make.fields(cust_no=customer.cust_no, name="另一位"))
    assert (refused.status_code, "This number is taken." in refused.text, "另一位" in refused.text) == (422, True, True)


def test_an_edit_leaves_what_it_does_not_show(crm: Crm, manager: Browser) -> None:
    customer = make.customer(
        crm,
        1,
        status="审核中",  # none of those that the form offers
        tags="重点",  # not a list
        custom={"网点数": 12, "开票": {"方式": ["电子"]}, "备注": "旧"},
        profile={"hobbies": ["茶"]},
        phone="010-88886666",
    )
    page = manager.page(f"/customers/{customer.id}/edit")
    assert "审核中" in page
    assert "{&#34;方式&#34;: [&#34;电子&#34;]}" in page
    rows = {"custom_name": ["网点数", "开票", "备注"], "custom_value": ["12", '{"方式": ["电子"]}', "新"]}
    done = manager.post(f"/customers/{customer.id}/edit", form_of(customer, tags="重点", name="新名", **rows))
    assert done.status_code == 303
    now = crm.customer("test", customer.id)
    custom = {"网点数": 12, "开票": {"方式": ["电子"]}, "备注": "新"}
    expected = customer.but(name="新名", name_key="新名", custom=custom, version=2, updated_at=now.updated_at)
    assert now == expected
    again = form_of(now, tags="重点", custom_name=["网点数", ""], custom_value=["12", ""])
    assert manager.post(f"/customers/{customer.id}/edit", again).status_code == 303
    assert crm.customer("test", customer.id).custom == {"网点数": 12}


def test_documents_of_another_shape_stay(crm: Crm, manager: Browser) -> None:
    customer = make.customer(crm, 1, custom=["不是对象"], tags=["含,逗号", 3])
    page = manager.page(f"/customers/{customer.id}/edit")
    assert "含,逗号" in page
    assert (
        manager.post(f"/customers/{customer.id}/edit", form_of(customer, tags="含,逗号", city="北京")).status_code
        == 303
    )
    now = crm.customer("test", customer.id)
    assert (now.custom, now.tags, now.city) == (["不是对象"], ["含,逗号", 3], "北京")


def test_somebody_was_faster(crm: Crm, manager: Browser) -> None:
    customer = make.customer(crm, 1, city="旧城")
    crm.edit(Customer, customer.id, city="他人改的城")
    mine = form_of(customer, city="我改的城", name="我改的名")
    refused = manager.post(f"/customers/{customer.id}/edit", mine)
    assert refused.status_code == 422
    for words in (
        "Somebody changed this customer",
        "他人改的城",
        'value="我改的城"',
        'value="我改的名"',
        'name="version" value="2"',
    ):
        assert words in refused.text
    assert crm.customer("test", customer.id).city == "他人改的城"
    assert manager.post(f"/customers/{customer.id}/edit", {**mine, "version": "2"}).status_code == 303
    now = crm.customer("test", customer.id)
    assert (now.city, now.name, now.version) == ("我改的城", "我改的名", 3)


def test_the_version_of_a_form_that_was_wrong_stays(crm: Crm, manager: Browser) -> None:
    """Else who corrects a field would replace what somebody else has saved meanwhile, unseen."""
    customer = make.customer(crm, 1)
    crm.edit(Customer, customer.id, city="他人改的城")
    refused = manager.post(f"/customers/{customer.id}/edit", form_of(customer, name=""))
    assert refused.status_code == 422
    assert 'name="version" value="1"' in refused.text
    for version in ("", "0", "x", "9" * 20):
        assert manager.post(f"/customers/{customer.id}/edit", form_of(customer, version=version)).status_code == 422
    assert crm.customer("test", customer.id).version == 2


def test_a_form_that_is_sent_as_it_was_opened_changes_nothing(crm: Crm, manager: Browser) -> None:
    """In a browser a choice without a chosen option is its first, and a line of text has no line breaks."""
    gone = crm.find(Operator, {"status": "离职"}, limit=1)[0]
    custom = {" 备注 ": "  第一行\n第二行\r\n ", "两\n行": "值", "数": 12}
    customer = make.customer(crm, gone.id, kind="集团", status="审核中", custom=custom)
    for owner, city in ((gone.id, "北京"), (999_999_999, "上海")):
        before = crm.edit(Customer, customer.id, owner_id=owner)
        sent = form_of_page(manager.page(f"/customers/{customer.id}/edit"))
        assert manager.post(f"/customers/{customer.id}/edit", {**sent, "city": city}).status_code == 303
        now = crm.customer("test", customer.id)
        assert now == before.but(city=city, version=before.version + 1, updated_at=now.updated_at)
    assert f'<option value="{gone.id}"' not in manager.page("/new-customer"), "nobody who has left is chosen anew"
