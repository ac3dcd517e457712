"""Visits, feedback and reminders: what the forms write, refuse and keep."""

from __future__ import annotations

from datetime import datetime, timedelta
from html import escape
from typing import Any

import pytest

from crm_model import Crm
from crm_model.entities import Activity, Contact, Customer, Feedback, Task
from examples.crm_web.roles import Role
from examples.crm_web.users import User
from platform_store import OutcomeUnknown
from tests.acceptance.web import make
from tests.acceptance.web.browser import Browser, form_of_page
from tests.acceptance.web.conftest import NOW, SignIn


@pytest.fixture
def me(users: dict[Role, User]) -> int:
    """The operator of the sales user."""
    return users[Role.SALES].operator_id


@pytest.fixture
def customer(crm: Crm, me: int) -> Customer:
    return make.customer(crm, me)


def test_a_visit(crm: Crm, sales: Browser, customer: Customer, me: int) -> None:
    contact = crm.add(Contact(customer_id=customer.id, name="李联系"))
    form = sales.page(f"/customers/{customer.id}/visit")
    assert "李联系" in form
    assert 'value="2026-06-15T08:00"' in form
    done = sales.post(
        f"/customers/{customer.id}/visit",
        {
            "channel": "视频",
            "contact_id": str(contact.id),
            "occurred_at": "2026-06-14T09:30",
            "duration_min": "40",
            "summary": "第一行\r\n第二行 😀 <b>",
            "intent": "高",
            "next_step": "发送报价",
            "rival_1": "联通",
            "quote_1": "低两成",
            "tags": "续约，高层, 续约;",
        },
    )
    assert (done.status_code, done.headers["location"]) == (303, f"/customers/{customer.id}")
    assert "The visit was logged." in sales.page(f"/customers/{customer.id}")
    assert "The visit was logged." not in sales.page(f"/customers/{customer.id}"), "said once"
    (activity,) = crm.timeline(customer.id)
    told = {name: value for name, value in activity.values().items() if value is not None}
    assert told == {
        **{name: told[name] for name in ("id", "created_at", "updated_at", "del_token", "version")},
        "customer_id": customer.id,
        "operator_id": me,
        "contact_id": contact.id,
        "kind": "visit",
        "channel": "视频",
        "occurred_at": datetime(2026, 6, 14, 9, 30),
        "duration_min": 40,
        "summary": "第一行\n第二行 😀 <b>",
        "competitors": [{"name": "联通", "quote": "低两成"}],
        "outcome": {"intent": "高", "next_step": "发送报价"},
        "tags": ["续约", "高层"],
    }


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"summary": "  "}, "Please fill this in."),
        ({"summary": "x" * 20_001}, "This is too long."),
        ({"summary": "a\0b"}, "characters that cannot be shown"),
        ({"channel": "telepathy"}, "choose one of the options"),
        ({"contact_id": "x"}, "give a whole number"),
        ({"contact_id": "1"}, "Contact: it belongs to another customer."),  # of another customer
        ({"contact_id": "999999999"}, "There is no such page or record"),
        ({"duration_min": "-1"}, "out of range"),
        ({"duration_min": "9" * 5000}, "This is too long."),
        ({"occurred_at": "yesterday"}, "give a date and time"),
        ({"occurred_at": "0001-01-01T00:00"}, "give a date and time"),
        ({"occurred_at": "2027-01-01T00:00"}, "When: it is in the future"),
        ({"intent": "?"}, "choose one of the options"),
        ({"quote_0": "低两成"}, "Please fill this in."),
        ({"tags": "x" * 501}, "This is too long."),
    ],
)
def test_a_visit_that_is_refused(
    crm: Crm, sales: Browser, customer: Customer, fields: dict[str, str], why: str
) -> None:
    given = {"channel": "上门", "summary": "说了 <很多>", "next_step": make.EVIL, **fields}
    refused = sales.post(f"/customers/{customer.id}/visit", given)
    assert refused.status_code == 422
    assert why in refused.text
    assert "<script>" not in refused.text
    assert escape(make.EVIL).replace("&quot;", "&#34;").replace("&#x27;", "&#39;") in refused.text, (
        "what was typed in stays"
    )
    assert crm.timeline(customer.id) == []


def test_a_refusal_in_chinese(sales: Browser, customer: Customer) -> None:
    sales.page("/reminders?lang=zh")
    given = {"channel": "上门", "summary": "说了", "occurred_at": "2027-01-01T00:00"}
    refused = sales.post(f"/customers/{customer.id}/visit", given).text
    assert "时间有误：时间在未来；尚未发生的事请建为任务。" in refused
    assert "future" not in refused


def test_feedback_that_raises_a_task(crm: Crm, service: Browser, customer: Customer, me: int) -> None:
    given = {"kind": "投诉", "channel": "电话", "score": "1", "text": "开通太慢", "tags": "速度"}
    done = service.post(f"/customers/{customer.id}/feedback", given)
    assert (done.status_code, done.headers["location"]) == (303, f"/customers/{customer.id}")
    (task,) = crm.find(Task, {"customer_id": customer.id})
    told = service.page(f"/customers/{customer.id}")
    assert f"It raised task {task.id} for " in told
    assert f": {task.title}." in told
    assert (task.assignee_id, task.title) == (me, "处理投诉")
    (feedback,) = crm.find(Feedback, {"customer_id": customer.id})
    assert (feedback.kind, feedback.score, feedback.text, feedback.tags) == ("投诉", 1, "开通太慢", ["速度"])


def test_feedback_that_raises_none(crm: Crm, sales: Browser, customer: Customer) -> None:
    given = {"kind": "表扬", "channel": "微信", "score": "5", "text": "", "tags": ""}
    assert sales.post(f"/customers/{customer.id}/feedback", given).status_code == 303
    assert "The feedback was recorded." in sales.page(f"/customers/{customer.id}")
    assert crm.find(Task, {"customer_id": customer.id}) == []


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "Please give a score, or what was said."),
        ({"text": "好", "kind": "x"}, "choose one of the options"),
        ({"score": "6"}, "out of range"),
        ({"score": "²"}, "whole number"),
    ],
)
def test_feedback_that_is_refused(
    crm: Crm, sales: Browser, customer: Customer, fields: dict[str, str], why: str
) -> None:
    refused = sales.post(
        f"/customers/{customer.id}/feedback", {"kind": "调查", "channel": "电话", "tags": "留着", **fields}
    )
    assert (refused.status_code, why in refused.text, "留着" in refused.text) == (422, True, True)
    assert crm.find(Feedback, {"customer_id": customer.id}) == []


def test_feedback_is_dealt_with(
    crm: Crm, sales: Browser, service: Browser, sign_in: SignIn, customer: Customer, users: dict[Role, User]
) -> None:
    first = crm.record_feedback(customer.id, kind="投诉", channel="电话", score=1)
    second = crm.record_feedback(customer.id, kind="建议", channel="电话", text="多开一个窗口").feedback
    assert first.task is not None
    address = f"/customers/{customer.id}/feedback/{first.feedback.id}/resolved"
    assert f'action="{address}"' in sales.page(f"/customers/{customer.id}")
    assert sales.post(address, {"note": "x" * 401}).status_code == 400
    assert sales.post(address, {"note": make.EVIL}, token=None).status_code == 403
    done = sales.post(address, {"note": f"已退费 {make.EVIL}"})
    assert (done.status_code, done.headers["location"]) == (303, f"/customers/{customer.id}")
    page = sales.page(f"/customers/{customer.id}")
    assert f"The feedback is dealt with, and with it task {first.task.id}: 处理投诉." in page
    assert "What was done: 已退费 " in page
    assert ("<script>alert" in page, address in page) == (False, False)
    assert service.post(f"/customers/{customer.id}/feedback/{second.id}/resolved", {}).status_code == 303
    assert "The feedback is dealt with." in service.page(f"/customers/{customer.id}")
    found = {one.id: one for one in crm.find(Feedback, {"customer_id": customer.id})}
    assert {one.status for one in found.values()} == {"已关闭"}
    assert found[second.id].handling == [{"at": NOW.isoformat(), "by": users[Role.SERVICE].operator_id, "note": None}]
    assert [task.status for task in crm.find(Task, {"customer_id": customer.id})] == ["完成"]


def test_reminders(crm: Crm, sales: Browser, manager: Browser, customer: Customer, me: int) -> None:
    def add(title: str, **columns: Any) -> Task:
        given: dict[str, Any] = {"assignee_id": me, "kind": "回访", "status": "待办", "origin": "人工", "due_at": NOW}
        given["remind_at"] = datetime(2020, 1, 1)
        return crm.add(Task(customer_id=customer.id, title=title, **{**given, **columns}))

    first, second = add("先打电话"), add("再发邮件")
    add("以后再说", remind_at=NOW + timedelta(days=2))
    theirs = add("别人的事", assignee_id=me + 1)
    page = sales.page("/reminders")
    assert ("先打电话" in page, "再发邮件" in page, "以后再说" in page, "别人的事" in page) == (
        True,
        True,
        False,
        False,
    )
    assert customer.name in page
    assert "别人的事" in manager.page("/reminders?whose=all")
    assert "别人的事" not in sales.page("/reminders?whose=all")

    assert sales.post(f"/reminders/{first.id}/done", {}).headers["location"] == "/reminders"
    page = sales.page("/reminders")
    assert "Done: 先打电话." in page
    assert f"/reminders/{first.id}/" not in page
    snoozed = sales.post(f"/reminders/{second.id}/snooze", {"span": "day", "back": str(customer.id)})
    assert snoozed.headers["location"] == f"/customers/{customer.id}"
    assert "Put off: 再发邮件." in sales.page("/reminders")
    tasks = {task.id: task for task in crm.find(Task, {"customer_id": customer.id})}
    assert (tasks[first.id].status, tasks[second.id].remind_at) == ("完成", NOW + timedelta(days=1))
    assert tasks[theirs.id] == theirs

    late = sales.post(f"/reminders/{first.id}/snooze", {"span": "day"})
    assert (late.status_code, f"Not done: task {first.id} is not open any more." in late.text) == (409, True)
    for span in ("", "year"):
        assert sales.post(f"/reminders/{second.id}/snooze", {"span": span}).status_code == 400
    assert sales.post("/reminders/999999999/done", {}).status_code == 404
    for back in ("//example.org", "-1", "١٢", "9" * 30):
        assert sales.post(f"/reminders/{first.id}/done", {"back": back}).headers["location"] == "/reminders"


def test_what_a_role_may_not_do(crm: Crm, sign_in: SignIn, customer: Customer, me: int) -> None:
    other = make.customer(crm, me + 1)
    task = crm.record_feedback(other.id, kind="投诉", channel="电话", score=1).task
    assert task is not None
    visit = {"channel": "上门", "summary": "不该有"}
    feedback = {"kind": "建议", "channel": "电话", "text": "不该有"}
    (said,) = crm.find(Feedback, {"customer_id": other.id})
    for role, path, fields in (
        (Role.SERVICE, f"/customers/{customer.id}/visit", visit),
        (Role.SERVICE, f"/customers/{customer.id}/edit", {**make.fields(), "version": "1"}),
        (Role.SERVICE, "/new-customer", make.fields()),
        (Role.SALES, f"/customers/{other.id}/visit", visit),
        (Role.SALES, f"/customers/{other.id}/feedback", feedback),
        (Role.SALES, f"/customers/{other.id}/feedback/{said.id}/resolved", {}),
        (Role.SALES, f"/customers/{other.id}/edit", {**make.fields(), "version": "1"}),
        (Role.SALES, f"/reminders/{task.id}/done", {}),
        (Role.SALES, f"/reminders/{task.id}/snooze", {"span": "day"}),
    ):
        refused = sign_in(role).post(path, fields)
        assert (refused.status_code, "You may not do this" in refused.text) == (403, True), path
    for one in (customer, other):
        assert crm.find(Activity, {"customer_id": one.id}) == []
        assert crm.customer("test", one.id).name == one.name
    assert crm.find(Task, {"customer_id": other.id}) == [task]

    seen = sign_in(Role.SERVICE).page(f"/customers/{customer.id}")
    assert ("/feedback" in seen, "/visit" in seen, "/edit" in seen) == (True, False, False)
    assert "/new-customer" not in sign_in(Role.SERVICE).page("/customers")
    assert "/new-customer" in sign_in(Role.SALES).page("/customers")


def test_tasks_of_others(crm: Crm, sign_in: SignIn, customer: Customer, users: dict[Role, User], me: int) -> None:
    given: dict[str, Any] = {"kind": "回访", "status": "待办", "origin": "人工", "due_at": NOW}
    given["remind_at"] = datetime(2019, 1, 1)
    theirs = users[Role.SERVICE].operator_id
    own = crm.add(Task(title="自己的事", assignee_id=theirs, **given))
    of_customer = crm.add(Task(title="客户的事", assignee_id=me, customer_id=customer.id, **given))
    of_nobody = crm.add(Task(title="没有客户的事", assignee_id=users[Role.MANAGER].operator_id, **given))
    for role, task in ((Role.SERVICE, of_customer), (Role.SERVICE, of_nobody), (Role.SALES, of_nobody)):
        browser = sign_in(role)
        for path, fields in ((f"/reminders/{task.id}/done", {}), (f"/reminders/{task.id}/snooze", {"span": "day"})):
            assert browser.post(path, fields).status_code == 403, (role, path)
    assert crm.find(Task, {"id": of_customer.id}) + crm.find(Task, {"id": of_nobody.id}) == [of_customer, of_nobody]

    service = sign_in(Role.SERVICE)
    listed = service.page("/reminders?whose=all")
    assert (f"/reminders/{own.id}/done" in listed, f"/reminders/{of_nobody.id}/" in listed) == (True, False)
    assert f"/reminders/{of_customer.id}/" not in service.page(f"/customers/{customer.id}")
    dashboard = service.page("/dashboard")
    assert ("自己的事" in dashboard, "没有客户的事" in dashboard) == (True, False)
    assert service.post(f"/reminders/{own.id}/done", {}).status_code == 303
    for task in (of_customer, of_nobody):
        assert sign_in(Role.MANAGER).post(f"/reminders/{task.id}/done", {}).status_code == 303


def test_a_form_that_is_sent_twice(crm: Crm, sales: Browser, customer: Customer) -> None:
    complaint = {"kind": "投诉", "channel": "电话", "score": "1", "text": "开通太慢"}
    spoken = {"channel": "上门", "summary": "说了"}
    for path, given in (("feedback", {"score": "9"}), ("visit", {"summary": ""})):  # refused: it counts as not sent
        form = {**form_of_page(sales.page(f"/customers/{customer.id}/{path}"))}
        assert sales.post(f"/customers/{customer.id}/{path}", {**form, **given}).status_code == 422
        given = complaint if path == "feedback" else spoken
        for _ in range(2):
            done = sales.post(f"/customers/{customer.id}/{path}", {**form, **given})
            assert (done.status_code, done.headers["location"]) == (303, f"/customers/{customer.id}")
            assert 'role="status"' in sales.page(f"/customers/{customer.id}"), "both say what was done"
    found = [len(crm.find(model, {"customer_id": customer.id})) for model in (Feedback, Task, Activity)]
    assert found == [1, 1, 1]
    another = form_of_page(sales.page(f"/customers/{customer.id}/feedback"))
    assert sales.post(f"/customers/{customer.id}/feedback", {**another, **complaint}).status_code == 303
    assert len(crm.find(Feedback, {"customer_id": customer.id})) == 2


@pytest.mark.parametrize(
    ("path", "service"),
    [("feedback", "record_feedback"), ("visit", "log_visit"), ("edit", "edit")],
)
def test_what_was_typed_in_stays_where_it_is_not_known_what_was_written(
    manager: Browser, customer: Customer, monkeypatch: pytest.MonkeyPatch, path: str, service: str
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise OutcomeUnknown("feedback", "an operation")

    address = f"/customers/{customer.id}/{path}"
    form = {**form_of_page(manager.page(address)), "text": make.EVIL, "summary": make.EVIL, "name": make.EVIL}
    monkeypatch.setattr(Crm, service, unknown)
    refused = manager.post(address, form)
    assert (refused.status_code, "alert(1)" in refused.text, 'role="alert"' in refused.text) == (422, True, True)
