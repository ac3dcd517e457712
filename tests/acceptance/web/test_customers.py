"""The list of customers, and each of them as a whole."""

from __future__ import annotations

import re
from datetime import timedelta
from html import escape
from urllib.parse import quote

import pytest

from crm_model import Crm
from crm_model.entities import Contact, Customer
from examples.crm_web.roles import Role
from examples.crm_web.users import User
from tests.acceptance.web import make
from tests.acceptance.web.browser import Browser
from tests.acceptance.web.conftest import NOW

_ROW = re.compile(r'<td class="about"><a href="/customers/(\d+)">')
_NEXT = re.compile(r'href="([^"]+)" rel="next"')
_PREVIOUS = re.compile(r'href="([^"]+)" rel="prev"')


def ids(page: str) -> list[int]:
    """The customers of a list, in order."""
    return [int(key) for key in _ROW.findall(page)]


def link(pattern: re.Pattern[str], page: str) -> str | None:
    found = pattern.search(page)
    return found and found[1].replace("&amp;", "&")


def test_pages_there_and_back(crm: Crm, manager: Browser) -> None:
    made = [make.customer(crm, 1, name=f"翻页测试{n}").id for n in range(45)][::-1]
    pages, address = [], "/customers?text=" + quote("翻页测试")
    while address:
        pages.append(manager.page(address))
        address = link(_NEXT, pages[-1]) or ""
    assert [ids(page) for page in pages] == [made[:20], made[20:40], made[40:]]
    back = link(_PREVIOUS, pages[2])
    assert back is not None
    assert ids(manager.page(back)) == made[20:40]
    assert link(_PREVIOUS, pages[0]) is None


def test_search_and_filters(crm: Crm, manager: Browser) -> None:
    wanted = make.customer(crm, 3, name="筛选（ABC）", phone="0571-8765 4321", vip_level=5, kind="个人", status="停用")
    other = make.customer(crm, 4, name="筛选", vip_level=4)
    text = quote("筛选")
    assert ids(manager.page(f"/customers?text={text}")) == [other.id, wanted.id]
    for query in (
        f"text={quote('筛选abc')}",
        "text=057187654321",
        f"text={wanted.cust_no.lower()}",
        f"text={text}&vip=5",
        f"text={text}&kind={quote('个人')}",
        f"text={text}&status={quote('停用')}",
        f"text={text}&owner=3&vip=&kind=&status=",
    ):
        assert ids(manager.page(f"/customers?{query}")) == [wanted.id], query
    none = manager.page("/customers?text=%25%27%22%3Czzqx%3E")
    assert ids(none) == []
    assert "No customer matches." in none
    assert "<zzqx>" not in none


def test_sales_see_their_own(crm: Crm, sales: Browser, users: dict[Role, User]) -> None:
    me = users[Role.SALES].operator_id
    own, other = make.customer(crm, me, name="归属测试"), make.customer(crm, me + 1, name="归属测试")
    for query in ("", f"&owner={me + 1}"):
        assert ids(sales.page(f"/customers?text={quote('归属测试')}{query}")) == [own.id]
    assert sales.get(f"/customers/{own.id}").status_code == 200
    for path in ("", "/visit", "/feedback", "/edit", "/stores"):
        refused = sales.get(f"/customers/{other.id}{path}")
        assert refused.status_code == 403
        assert other.cust_no not in refused.text


def test_sales_do_not_read_the_name_of_a_parent_that_is_not_theirs(
    crm: Crm, sales: Browser, manager: Browser, users: dict[Role, User]
) -> None:
    me = users[Role.SALES].operator_id
    for owner, seen in ((me, True), (me + 1, False)):
        parent = make.customer(crm, owner, name=f"集团{owner}总部")
        customer = make.customer(crm, me, parent_id=parent.id)
        assert (parent.name in sales.page(f"/customers/{customer.id}")) == seen
        assert parent.name in manager.page(f"/customers/{customer.id}")


def test_the_whole_of_a_customer(crm: Crm, manager: Browser) -> None:
    parent = make.customer(crm, 1, name="集团总部")
    customer = make.customer(
        crm,
        2,
        name="全景测试",
        vip_level=3,
        parent_id=parent.id,
        tags=["重点"],
        custom={"网点数": 12, "开票": {"方式": ["电子"]}},
        profile="喜欢喝茶",
        extension=[],
    )
    crm.add(Contact(customer_id=customer.id, name="李联系", phone="13800138000", is_primary=1))
    crm.log_visit(customer.id, summary="谈了专线", competitors=[{"name": "联通", "quote": "低两成"}], duration_min=0)
    crm.record_feedback(customer.id, kind="投诉", channel="电话", score=2, text="开通太慢")
    page = manager.page(f"/customers/{customer.id}")
    for words in (
        "全景测试",
        "VIP 3",
        "集团总部",
        "重点",
        "网点数",
        "电子",
        "喜欢喝茶",
        "李联系",
        "谈了专线",
        "0 min",
        "联通",
        "低两成",
        "2.00",
        'role="img" aria-label="2 / 5"',
        "开通太慢",
        "处理投诉",
        "¥1,000.00",
    ):
        assert words in page, words


def test_the_timeline(crm: Crm, manager: Browser) -> None:
    customer = make.customer(crm, 1)
    for number in range(20):
        at = NOW - timedelta(days=number // 3)
        crm.log_activity(
            customer.id, "visit" if number % 2 else "call", channel="电话", summary=f"第{number:02d}次", occurred_at=at
        )

    def told(page: str) -> list[str]:
        return re.findall(r"第\d\d次", page)

    first = manager.page(f"/customers/{customer.id}")
    address = link(_NEXT, first)
    assert address is not None
    second = manager.page(f"/customers/{customer.id}{address.partition('#')[0]}")
    assert link(_NEXT, second) is None
    assert sorted(told(first) + told(second)) == [f"第{number:02d}次" for number in range(20)]
    expected = [one.summary for one in crm.timeline(customer.id)]
    assert told(first) + told(second) == expected
    visits = manager.page(f"/customers/{customer.id}?kind=visit")
    assert told(visits) == [one.summary for one in crm.timeline(customer.id, kinds=["visit"])]
    assert told(manager.page(f"/customers/{customer.id}?kind=unheard-of")) == []


def test_everything_is_escaped(crm: Crm, manager: Browser) -> None:
    evil = make.EVIL
    customer = make.customer(
        crm,
        1,
        name=evil,
        city="<i>x</i>",
        tags=[evil],
        custom={evil: evil, "b": [{evil: evil}]},
        profile=evil,
        extension={"legal_rep": evil},
    )
    crm.add(Contact(customer_id=customer.id, name=evil, title=evil, email="<a>@b"))
    crm.log_visit(customer.id, summary=evil, competitors=[{"name": evil}], outcome={"intent": evil}, tags=[evil])
    crm.record_feedback(customer.id, kind="投诉", channel="电话", text=evil)
    shown = escape(evil, quote=True).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")
    for path in ("", "/edit", "/visit", "/feedback"):
        page = manager.page(f"/customers/{customer.id}{path}")
        assert shown in page
        assert "<script>" not in page
        assert "<i>" not in page
    listed = manager.page(f"/customers?text={customer.cust_no}")
    assert shown in listed
    assert "<script>" not in listed


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/customers/999999999", 404),
        ("/customers/0", 404),
        ("/customers/-1", 404),
        ("/customers/abc", 404),
        ("/customers/1e3", 404),
        (f"/customers/{2**63 - 1}", 404),
        (f"/customers/{2**63}", 404),
        ("/customers/" + "9" * 5000, 404),
        ("/customers/674/", 404),
        ("/customers/674/nothing", 404),
        ("/customers/999999999/edit", 404),
        ("/customers/999999999/visit", 404),
        ("/customers/999999999/feedback", 404),
        ("/nowhere", 404),
        ("/customers?after=abc", 400),
        ("/customers?after=-1", 400),
        (f"/customers?before={2**63}", 400),
        ("/customers?vip=9", 400),
        ("/customers?vip=²", 400),
        ("/customers?owner=x", 400),
        ("/customers?text=" + "x" * 200, 400),
        ("/customers?text=%ff%00", 200),
        ("/customers?after=5&before=7", 200),
        ("/customers?after=&before=&lang=tlh", 200),
        ("/customers/674?before=2026-01-01T00:00:00~1", 200),
        ("/customers/674?before=now", 400),
        ("/customers/674?before=2026-13-01T00:00:00~1", 400),
        ("/customers/674?before=0000-01-01T00:00:00~1", 400),
        ("/customers/674?before=2026-01-01T00:00:00~" + "9" * 19, 400),
        ("/customers/674?kind=" + "x" * 40, 400),
        ("/customers/674?kind=%00", 200),
        ("/reminders?whose=%00", 200),
    ],
)
def test_absurd_addresses(manager: Browser, path: str, status: int) -> None:
    assert manager.get(path).status_code == status


def test_where_a_merged_customer_went(crm: Crm, manager: Browser) -> None:
    winner, loser = make.customer(crm, 1), make.customer(crm, 1)
    crm.merge_customers(winner.id, loser.id)
    assert f"merged into customer {winner.id}" in manager.page(f"/customers/{loser.id}", 404)
    archived = make.customer(crm, 1)
    crm.archive(Customer, archived.id)
    assert "archived" in manager.page(f"/customers/{archived.id}", 404)
