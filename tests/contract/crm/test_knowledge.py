"""The knowledge base: what a search finds in Chinese, as the articles are now."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crm_model import Actor, Crm, InvalidInput, NotFound, Refused, RolePolicy
from crm_model.entities import KbArticle
from tests.contract.crm import make


@pytest.fixture
def base(crm: Crm) -> Iterator[dict[str, KbArticle]]:
    """Some published articles, by what they are about; archived afterwards, so that no other test finds them."""
    texts = {
        "speed": ("企业宽带网速慢的处理", "宽带", "先测速,再检查光猫与网线。", ["测速", "光猫"]),
        "bill": ("账单看不懂怎么办", "账单", "每月五日可以申请宽带账单的说明。", ["说明"]),
        "vpn": ("VPN连接失败", "网络", "检查OpenVPN的证书是否到期。", []),
    }
    made = {
        name: crm.write_article(title, category, body, keywords=keywords)
        for name, (title, category, body, keywords) in texts.items()
    }
    yield {name: crm.publish_article(article.id) for name, article in made.items()}
    for article in made.values():
        crm.archive(KbArticle, article.id)


def found(crm: Crm, question: str, **given: str) -> list[int]:
    return [one.article.id for one in crm.search_articles(question, **given)]  # type: ignore[arg-type]


def test_a_question_finds_what_answers_it_best(crm: Crm, base: dict[str, KbArticle]) -> None:
    speed, bill, vpn = (base[name].id for name in ("speed", "bill", "vpn"))
    assert found(crm, "我们公司的宽带最近很慢") == [speed, bill]
    assert found(crm, "宽带账单") == [bill, speed]
    assert found(crm, "光猫") == [speed]
    assert found(crm, "網速") == [speed]
    assert found(crm, "ｖｐｎ 连不上") == [vpn]
    assert found(crm, "openvpn") == [vpn]
    assert found(crm, "彩铃") == []
    assert found(crm, "宽带", category="账单") == [bill]
    best = crm.search_articles("企业宽带网速慢的处理", limit=1)
    assert [(one.article, one.score) for one in best] == [(base["speed"], 1.0)]


def test_the_place_of_a_term_counts(crm: Crm) -> None:
    texts = [("丙", "甲乙", []), ("丙", "丙", ["甲乙"]), ("甲乙", "丙", [])]
    written = [crm.write_article(title, "试", body, keywords=keywords) for title, body, keywords in texts]
    for article in written:
        crm.publish_article(article.id)
    in_body, in_keywords, in_title = (article.id for article in written)
    assert found(crm, "甲乙", category="试") == [in_title, in_keywords, in_body]


def test_a_search_is_of_what_is_there_now(crm: Crm, base: dict[str, KbArticle]) -> None:
    speed = base["speed"].id
    crm.edit(KbArticle, speed, body="换用千兆路由器。", keywords="路由器")
    assert found(crm, "千兆") == found(crm, "路由器") == [speed]
    assert found(crm, "光猫") == []
    crm.withdraw_article(speed)
    assert found(crm, "千兆") == []
    assert crm.publish_article(speed).status == "发布"
    crm.archive(KbArticle, speed)
    assert found(crm, "千兆") == []
    crm.restore(KbArticle, speed)
    assert found(crm, "千兆") == [speed]


def test_more_articles_than_are_read_at_once(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_model.service.BATCH", 2)
    written = [crm.write_article(f"套餐资费{number}", "多", "说明").id for number in range(5)]
    for key in written:
        crm.publish_article(key)
    assert found(crm, "资费", category="多") == written
    assert found(crm, "4", category="多") == written[4:]


def test_drafts(crm: Crm) -> None:
    draft = crm.write_article("空白", "宽带", "  ")
    assert (draft.status, draft.author_id) == ("草稿", 1)
    with pytest.raises(Refused, match="no body"):
        crm.publish_article(draft.id)
    with pytest.raises(InvalidInput, match="keywords"):
        crm.write_article("空白", "宽带", "正文", keywords="宽带")
    with pytest.raises(NotFound):
        crm.publish_article(999_999_999)
    with pytest.raises(InvalidInput, match="question"):
        crm.search_articles("?!")


def test_the_tickets_that_an_article_solved(crm: Crm, base: dict[str, KbArticle]) -> None:
    own, other = make.customer(crm, owner_id=1), make.customer(crm, owner_id=2)
    tickets = [crm.open_ticket(one.id, "故障", "宽带很慢") for one in (own, other, own)]
    assert found(crm, tickets[0].description or "")[0] == base["speed"].id
    first, second, third = (
        crm.close_ticket(ticket.id, {"办法": "测速"}, article_id=base["speed"].id) for ticket in tickets
    )
    assert crm.tickets_of_article(base["speed"].id) == [third, second, first]
    assert crm.tickets_of_article(base["speed"].id, limit=1) == [third]
    assert crm.tickets_of_article(base["bill"].id) == []
    policy = RolePolicy({"客服": ["tickets_of_article"]}, own_customers=["客服"])
    confined = Crm(crm.platform, Actor(2, "客服"), policy=policy)
    assert confined.tickets_of_article(base["speed"].id) == [second]
