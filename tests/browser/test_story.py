"""An operator's day in the browser, from signing in to signing out."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from examples.crm_web.roles import Role
from tests.browser.conftest import DESKTOP, PHONE, OpenTab

SAME, OTHER = 394, 1182
"""Two customers of the sample that are one."""
CUSTOMER = 674


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_an_operators_day(open_tab: OpenTab, size: tuple[int, int]) -> None:
    tab = open_tab(size)
    page = tab.page
    tab.speak("en")
    tab.sign_in(Role.MANAGER)
    expect(page).to_have_url(f"{tab.site.url}/dashboard")
    expect(page.get_by_role("heading", name="Sales funnel")).to_be_visible()

    # A customer is searched for and opened.
    page.get_by_role("link", name="Customers", exact=True).click()
    page.locator("input[name=text]").fill(f"C{CUSTOMER:08d}")
    page.get_by_role("button", name="Search").click()
    page.locator(f"a[href='/customers/{CUSTOMER}']").first.click()
    expect(page.get_by_role("heading", name="Timeline")).to_be_visible()

    # A visit is logged, and is the first of the timeline.
    said = f"谈了专线续约，<b>联通</b>报价低两成 {size[0]}"
    page.get_by_role("link", name="Log a visit").click()
    page.locator("textarea[name=summary]").fill(said)
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#timeline li").first).to_contain_text(said)

    # A complaint raises a task.
    tasks = page.locator("section", has=page.get_by_role("heading", name="Open tasks")).last
    before = int(page.locator(".figures .card", has_text="Open tasks").locator("b").inner_text())
    page.get_by_role("link", name="Record feedback").click()
    page.locator("select[name=kind]").select_option("投诉")
    page.locator("input[name=score][value='1']").check()
    page.locator("textarea[name=text]").fill("开通太慢")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("It raised task")
    expect(tasks).to_contain_text("处理投诉")
    assert int(page.locator(".figures .card", has_text="Open tasks").locator("b").inner_text()) == before + 1

    # Where each field lives.
    assert tab.look("customer-after") == []
    page.get_by_role("link", name="Where each field lives").click()
    expect(page.locator("tr", has_text="vip_level")).to_contain_text("MySQL")
    expect(page.locator("tr", has_text="extension")).to_contain_text("MongoDB")
    page.get_by_role("link", name="Last activity").click()
    expect(page.get_by_role("region", name="The document in MongoDB")).to_contain_text(said)

    merge_and_undo(tab.site.url, open_tab, size)

    # The charts, another language, and out.
    page.get_by_role("link", name="Reports").click()
    for report in ("Satisfaction", "Sales", "RFM", "Churn risk"):
        page.get_by_role("navigation", name="Reports").get_by_role("link", name=report, exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(report)
    page.get_by_role("link", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("流失风险")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    page.get_by_role("button", name="退出").click()
    expect(page).to_have_url(re.compile("/sign-in"))
    page.goto(f"{tab.site.url}/customers/{CUSTOMER}")
    expect(page).to_have_url(re.compile("/sign-in"))


def merge_and_undo(url: str, open_tab: OpenTab, size: tuple[int, int]) -> None:
    """Two duplicates are made one, and two again."""
    tab = open_tab(size)
    page = tab.page
    tab.speak("en")
    tab.sign_in(Role.MANAGER)
    page.get_by_role("link", name="Duplicates").click()
    page.get_by_role("link", name=f"Compare customers {SAME} and {OTHER}").click()
    expect(page.locator("tr.differs").first).to_be_visible()
    page.get_by_label(f"Keep #{OTHER}").check()
    page.get_by_role("button", name="Merge").click()
    expect(page).to_have_url(f"{url}/merges/{SAME}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Merged")
    expect(page.locator("main")).to_contain_text("Activities")
    assert tab.look("merged") == []
    page.goto(f"{url}/duplicates")
    expect(page.get_by_role("heading", name="Merged lately")).to_be_visible()
    expect(page.get_by_role("link", name=f"Compare customers {SAME} and {OTHER}")).to_have_count(0)
    page.locator(f"a[href='/merges/{SAME}']").click()
    page.get_by_role("button", name="Undo the merge").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Two customers again")
    assert tab.look("unmerged") == []
    page.get_by_role("link", name="Back to duplicates").click()
    expect(page.get_by_role("link", name=f"Compare customers {SAME} and {OTHER}")).to_be_visible()


def test_a_query_over_both_stores(open_tab: OpenTab) -> None:
    tab = open_tab(DESKTOP)
    page = tab.page
    tab.speak("en")
    tab.sign_in(Role.MANAGER)
    tab.go("/console")
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("heading", name="20 rows")).to_be_visible()
    expect(page.get_by_role("region", name="How it was answered")).to_contain_text("20 rows")
    assert tab.look("console-answer") == []
    page.get_by_label("Example").select_option("1")
    page.get_by_role("button", name="Use it").click()
    tab.expected_status = {501}
    page.get_by_role("button", name="Ask").click()
    if tab.site.embedded:
        expect(page.get_by_role("alert")).to_contain_text("Needs real servers:")
    else:
        expect(page.get_by_role("region", name="How it was answered")).to_contain_text("from MongoDB")
    assert tab.look("console-question") == []
    page.get_by_label("SELECT").fill("DELETE FROM customer")
    tab.expected_status = {400, 501}
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("alert")).to_be_visible()


@pytest.mark.parametrize("role", [Role.SALES, Role.SERVICE])
def test_others_see_what_they_may(open_tab: OpenTab, role: Role) -> None:
    tab = open_tab(DESKTOP)
    tab.speak("en")
    tab.sign_in(role)
    expect(tab.page.get_by_role("heading", level=1)).to_have_text("Today")
    expect(tab.page.get_by_role("heading", name="Sales funnel")).to_have_count(0)
    expect(tab.page.get_by_role("link", name="Query")).to_have_count(0)
    tab.expected_status = {403}
    for path in ("/console", "/reports/funnel", f"/duplicates/{SAME}/{OTHER}"):
        answer = tab.page.goto(f"{tab.site.url}{path}")
        assert answer is not None
        assert answer.status == 403, path
