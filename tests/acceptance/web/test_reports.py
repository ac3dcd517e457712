"""Reports, duplicates, stores and the console of the web example: who may see them, and what odd requests get."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from crm_model import Crm, Refused
from crm_model.entities import Customer
from examples.crm_web import Settings, create_app, drawing
from examples.crm_web.problems import explained
from examples.crm_web.roles import Role
from examples.crm_web.routes.console import EXAMPLES, refused_names
from examples.crm_web.security import HEADERS
from examples.crm_web.texts import load_texts
from examples.crm_web.users import User, load_users
from platform_store import LimitExceeded, Platform, QueryNames, Unavailable
from tests.acceptance.web.browser import Browser

_STATEMENT = re.compile("<textarea.*?</textarea>", re.DOTALL)
"""The page shows the statement again: what is in it was not said."""
REPORTS = ("funnel", "satisfaction", "sales", "rfm", "churn")


@pytest.fixture
def same(crm: Crm) -> tuple[int, int]:
    """Two customers of the sample that are one."""
    pair = max(crm.find_duplicates(), key=lambda pair: pair.score)
    return pair.customer_id, pair.other_id


@pytest.mark.parametrize("report", REPORTS)
def test_reports_take_odd_addresses(manager: Browser, report: str) -> None:
    for query in ("", "?months=7", "?months=-1", "?by=nothing", "?day=yesterday", "?r=9&f=9", "?lang=zh"):
        assert "<h1>" in manager.page(f"/reports/{report}{query}")


def test_reports_are_for_whom_they_are_permitted(sales: Browser, service: Browser) -> None:
    for report in ("funnel", "satisfaction", "sales"):
        sales.page(f"/reports/{report}", 403)
    assert sales.get("/reports").headers["location"] == "/reports/rfm"
    for path in ("/reports", *(f"/reports/{report}" for report in REPORTS), "/duplicates", "/console"):
        service.page(path, 403)
    assert "/reports/funnel" not in sales.page("/dashboard")


def test_the_customers_of_a_cell(manager: Browser, crm: Crm) -> None:
    text = manager.page("/reports/rfm")
    cell = re.search(r'r=(\d)&amp;f=(\d)#customers" aria-label="[^"]*: (\d+) customers"', text)
    assert cell is not None
    r, f, count = cell.groups()
    assert f"R{r} F{f}: {count} customers" in manager.page(f"/reports/rfm?r={r}&f={f}")


def test_merging_and_undoing(manager: Browser, crm: Crm, same: tuple[int, int]) -> None:
    one, other = same
    page = manager.page(f"/duplicates/{one}/{other}")
    assert "100% sure" in page
    for fields, status in (({}, 400), ({"survivor": "3"}, 400)):
        assert manager.post(f"/duplicates/{one}/{other}", fields).status_code == status
    assert manager.post(f"/duplicates/{one}/{other}", {"survivor": str(one)}, token=None).status_code == 403
    done = manager.post(f"/duplicates/{one}/{other}", {"survivor": str(one)})
    assert (done.status_code, done.headers["location"]) == (303, f"/merges/{other}")
    merged = crm.merge_of(other)
    assert (merged.winner.id, merged.loser.id) == (one, other)
    assert merged.trace_id in manager.page(f"/merges/{other}")
    assert manager.page(f"/duplicates/{one}/{other}", 404)

    stale = manager.post(f"/merges/{other}", {"trace_id": "another"})
    assert stale.status_code == 409
    assert manager.post(f"/merges/{other}", {"trace_id": merged.trace_id}).status_code == 200
    assert crm.find(Customer, {"id": other})[0].merged_into is None
    with pytest.raises(Refused) as refused:
        crm.undo_merge(merged.trace_id)
    assert explained(refused.value, load_texts()["en"]) == "Not done: it was undone already."
    assert explained(refused.value, load_texts()["zh"]) == "未执行：这次合并已经撤销。"
    assert manager.get(f"/merges/{other}").headers["location"] == f"/customers/{other}"
    assert manager.post(f"/merges/{other}", {"trace_id": merged.trace_id}).status_code == 409


def test_others_do_not_merge(sales: Browser, service: Browser, crm: Crm, same: tuple[int, int]) -> None:
    one, other = same
    for browser in (sales, service):
        assert browser.post(f"/duplicates/{one}/{other}", {"survivor": str(one)}).status_code == 403
    assert crm.find(Customer, {"id": other})[0].merged_into is None


def test_customers_that_are_not_there(manager: Browser) -> None:
    for path in (
        "/duplicates/9/9",
        "/duplicates/1/999999999",
        f"/merges/{2**70}",
        "/customers/999999/stores",
    ):
        manager.page(path, 404)


def test_where_each_field_lives(
    manager: Browser, sales: Browser, crm: Crm, web_platform: Platform, users: dict[Role, User]
) -> None:
    (document,) = web_platform.read_collection("customer", 674, 674)
    text = manager.page("/customers/674/stores")
    assert "VARCHAR(32)" in text
    for field in document.keys() - {"_id"}:
        assert f"&#34;{field}&#34;: " in text
    assert "<code>activity</code>" in manager.page("/customers/674/stores?table=activity")
    assert "<code>customer</code>" in manager.page("/customers/674/stores?table=audit_log")
    assert crm.find(Customer, {"id": 674})[0].owner_id != users[Role.SALES].operator_id
    assert sales.get("/customers/674/stores").status_code == 403


@pytest.mark.parametrize(
    ("sql", "status", "words"),
    [
        ("SELECT id FROM customer WHERE id = 7", 200, "1 rows"),
        ("SELECT user FROM mysql.user", 403, "mysql.user"),
        ("SELECT c.id FROM customer c JOIN platform_store_journal j ON j.id = c.id", 403, "platform_store_journal"),
        ("WITH journal AS (SELECT * FROM journal) SELECT * FROM journal", 403, "not: journal"),
        ("SELECT LOAD_FILE('/etc/hostname') FROM customer", 403, "not: load_file"),
        ("SELECT `load_file` ('/etc/hostname') FROM customer", 403, "not: load_file"),
        ("SELECT id FROM customer WHERE SLEEP(9) = 0", 403, "not: sleep"),
        ("SELECT CURRENT_USER FROM customer", 403, "not: current_user"),
        ("SELECT @@version", 403, "not: @"),
        ("SELECT id FROM customer UNION TABLE journal", 403, "not: journal"),
        ("SELECT id FROM customer --\u3000\n UNION SELECT id FROM journal", 501, "cannot be parsed"),
        ("SELECT 'x", 400, "string that does not end"),
        (f"SELECT {'(' * 4000}1{')' * 900}", 501, "Needs real servers|Not supported"),
        ("DELETE FROM customer", 501, "not"),
        ("SELECT nothing FROM customer", 400, "nothing"),
        ("", 400, "fill"),
    ],
)
def test_the_console(manager: Browser, sql: str, status: int, words: str) -> None:
    answer = manager.post("/console", {"sql": sql})
    said = _STATEMENT.sub("", answer.text)
    assert said != answer.text
    assert (answer.status_code, bool(re.search(words, said))) == (status, True), said


def test_the_console_stops_reading(manager: Browser) -> None:
    answer = manager.post("/console", {"sql": "SELECT a.id FROM customer a JOIN customer b ON a.id > 0"})
    assert answer.status_code == 200
    assert (answer.text.count('<td class="value">'), "201 rows; " in answer.text) == (200, True)


def test_every_example_may_be_asked(web_platform: Platform) -> None:
    assert not {name for name, sql in EXAMPLES.items() if refused_names(web_platform.query_names(sql))}


def test_a_query_ends_in_time(web_platform: Platform) -> None:
    asked = ["SELECT a.id FROM customer a JOIN customer b ON a.id > 0 JOIN customer c ON b.id > 0"]
    if web_platform.status().backend != "embedded":  # SQLite gives up between rows alone
        joined = "customer a, customer b, customer c WHERE a.id + b.id + c.id < 0"
        asked += [f"SELECT 1 UNION ALL SELECT a.id FROM {joined}", f"SELECT COUNT(*) FROM {joined}"]
    for sql in asked:
        with pytest.raises(LimitExceeded), web_platform.query(sql, seconds=0.2) as result:
            for _ in result:
                pass


def test_what_a_query_names(web_platform: Platform) -> None:
    names = web_platform.query_names(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n), c AS (SELECT * FROM n) "
        "SELECT ABS(i) FROM c JOIN customer ON i = id JOIN mysql.customer m ON m.id = i JOIN d ON d.id = @x"
    )
    assert names == QueryNames(("customer",), ("d", "mysql.customer"), ("abs", "as"), variables=True)


def test_the_console_answers_one_question_at_a_time(manager: Browser, app: FastAPI) -> None:
    question = {"sql": "SELECT id FROM customer WHERE id = 7"}
    with app.state.web.console:
        assert manager.post("/console", question).status_code == 503
    assert manager.post("/console", question).status_code == 200


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (LimitExceeded("query.timeout", 1, "add conditions"), 422),
        (Unavailable("mysql", "gone"), 503),
        (ZeroDivisionError(), 500),
    ],
)
def test_what_fails_is_a_page(
    web_platform: Platform, passwords: dict[str, str], web_users: Path, error: Exception, status: int, language: str
) -> None:
    app = create_app(web_platform, Settings(load_users(web_users), "a key"))

    @app.get("/fails")
    def fails() -> None:
        raise error

    answer = TestClient(app, raise_server_exceptions=False).get(f"/fails?lang={language}")
    assert answer.status_code == status
    assert load_texts()[language](f"problem.{status}") in unescape(answer.text)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


def test_lines_break_where_a_value_is_missing() -> None:
    chart = drawing.line(["a", "b", "c", "d", "e"], {"a": 1, "b": 5, "d": 3, "e": 3}, 1, 5)
    assert chart.pieces == ("10.0,100.0 30.0,0.0", "70.0,50.0 90.0,50.0")
    assert [mark.label for mark in chart.marks] == ["a", "b", "d", "e"]
    assert drawing.line(["a"], {}, 1, 5).pieces == ()
    assert (drawing.part(1, 0), drawing.shade(0, 9), drawing.shade(1, 9), drawing.shade(9, 9)) == (0, 0, 1, 6)
    assert drawing.columns([], []).top == 0
