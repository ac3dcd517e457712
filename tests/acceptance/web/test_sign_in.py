"""Signing in and out: who gets in, and what sessions and forms are worth."""

from __future__ import annotations

import re
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html import escape
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from crm_model import Crm
from crm_model.entities import Operator
from examples.crm_web import Settings, attempts, create_app, sessions
from examples.crm_web.__main__ import FIRST_USERS
from examples.crm_web.attempts import Attempts
from examples.crm_web.roles import Role
from examples.crm_web.routes import ALL
from examples.crm_web.routes.sign_in import HOME
from examples.crm_web.sessions import Sessions
from examples.crm_web.users import User, Users, UsersError, UsersFile, hashed, load_users, make_users, secret_key
from platform_store import Platform
from tests.acceptance.web import make
from tests.acceptance.web.browser import Browser
from tests.acceptance.web.conftest import SECRET


@pytest.fixture
def own_app(web_platform: Platform) -> FastAPI:
    """With two users, and attempts of its own."""
    users = Users(User(login, login, 5, Role.SALES, hashed("right")) for login in ("first", "second"))
    return create_app(web_platform, Settings(users, SECRET))


def client(app: FastAPI, host: str = "10.0.0.1") -> Browser:
    return Browser(TestClient(app, follow_redirects=False, client=(host, 1), headers={"accept-language": "en"}))


def test_a_page_asks_who_it_is_and_comes_back(
    browser: Browser, users: dict[Role, User], passwords: dict[str, str]
) -> None:
    asked = browser.get("/customers?vip=3&text=%E8%BF%9C")
    place = "/sign-in?next=%2Fcustomers%3Fvip%3D3%26text%3D%25E8%25BF%259C"
    assert (asked.status_code, asked.headers["location"]) == (303, place)
    assert 'name="next" value="/customers?vip=3&amp;text=%E8%BF%9C"' in browser.page(place)
    login = users[Role.SALES].login
    given = {"login": login, "password": passwords[login], "next": "/customers?vip=3"}
    done = browser.post("/sign-in", given)
    assert (done.status_code, done.headers["location"]) == (303, "/customers?vip=3")
    assert escape(users[Role.SALES].name) in browser.page("/customers")


def test_a_wrong_password_is_refused(browser: Browser, users: dict[Role, User]) -> None:
    for login in (users[Role.SALES].login, "nobody", '"><script>'):
        refused = browser.sign_in(login, "not it")
        assert refused.status_code == 401
        assert "Login or password is wrong." in refused.text
        assert "<script>" not in refused.text
    assert browser.sign_in(users[Role.SALES].login, "x" * 1000).status_code == 401
    assert browser.get("/customers").status_code == 303


@pytest.mark.parametrize(
    "address",
    ["https://example.org/", "//example.org/", "/\\example.org", "\\\\x.org", "/\r\n", "/\t/x.org", "javascript:1", ""],
)
def test_nobody_is_sent_elsewhere(
    browser: Browser, users: dict[Role, User], passwords: dict[str, str], address: str
) -> None:
    login = users[Role.SALES].login
    done = browser.post("/sign-in", {"login": login, "password": passwords[login], "next": address})
    assert (done.status_code, done.headers["location"]) == (303, HOME)


def test_too_many_attempts(own_app: FastAPI) -> None:
    for _ in range(attempts.MOST):
        assert client(own_app, "10.0.0.1").sign_in("first", "wrong").status_code == 401
    refused = client(own_app, "10.0.0.2").sign_in("first", "right")
    assert (refused.status_code, "wait five minutes" in refused.text) == (429, True)
    assert client(own_app, "10.0.0.1").sign_in("second", "right").status_code == 429, "the address, too"
    assert client(own_app, "10.0.0.2").sign_in("second", "right").status_code == 303


def test_a_burst_of_attempts(own_app: FastAPI) -> None:
    """All of them are under way before the first password was looked at."""
    own = client(own_app)
    token = own.token()
    cookie = own.cookies[sessions.COOKIE]

    def attempt(_: int) -> int:
        browser = client(own_app)
        browser.cookies.set(sessions.COOKIE, cookie)
        return browser.post("/sign-in", {"login": "first", "password": "wrong"}, token=token).status_code

    with ThreadPoolExecutor(24) as threads:
        answers = sorted(threads.map(attempt, range(24)))
    assert answers == [401] * attempts.MOST + [429] * (24 - attempts.MOST)


def test_an_own_password_does_not_clear_the_address(own_app: FastAPI) -> None:
    """Else who has one could try the passwords of others for ever."""
    for _ in range(attempts.MOST - 1):
        assert client(own_app).sign_in("first", "wrong").status_code == 401
    for _ in range(attempts.MOST):
        assert client(own_app).sign_in("second", "right").status_code == 303, "who signs in uses nothing up"
    assert client(own_app).sign_in("first", "wrong").status_code == 401
    assert client(own_app).sign_in("second", "right").status_code == 429


def test_attempts_are_forgotten() -> None:
    moment = [0.0]
    counted = Attempts(clock=lambda: moment[0])
    assert [counted.begin("a") for _ in range(attempts.MOST + 1)] == [True] * attempts.MOST + [False]
    assert (counted.begin("b", "a"), counted.begin("b")) == (False, True)
    moment[0] = attempts.SECONDS
    assert counted.begin("a")


def test_signing_out(sales: Browser) -> None:
    assert sales.get("/sign-out").status_code == 405
    done = sales.post("/sign-out", {})
    assert (done.status_code, done.headers["location"]) == (303, "/sign-in")
    assert sales.get("/customers").status_code == 303


def test_the_cookie(own_app: FastAPI) -> None:
    plain = client(own_app).get("/sign-in").headers["set-cookie"].lower()
    assert ("httponly" in plain, "samesite=lax" in plain, "secure" in plain) == (True, True, False)
    secure = TestClient(own_app, base_url="https://crm.example").get("/sign-in").headers["set-cookie"].lower()
    assert ("httponly" in secure, "samesite=lax" in secure, "; secure" in secure) == (True, True, True)


def test_the_token_changes_with_who_it_is(browser: Browser, users: dict[Role, User], passwords: dict[str, str]) -> None:
    before, login = browser.token(), users[Role.SALES].login
    browser.sign_in(login, passwords[login])
    after = browser.token()
    assert before != after
    browser.post("/sign-out", {})
    assert browser.token() not in (before, after)


def test_forged_sessions(own_app: FastAPI, browser: Browser) -> None:
    user = own_app.state.web.settings.users.get("first")
    right = Sessions(SECRET).begin("first", user.mark)
    assert get_with(own_app, Sessions(SECRET).cookie(right)) == 200
    for cookie in (
        Sessions("another key").cookie(right),
        Sessions(SECRET).cookie(right)[:-1],
        "x" + Sessions(SECRET).cookie(right),
        Sessions(SECRET).cookie(replace(right, login="nobody")),
        Sessions(SECRET).cookie(replace(right, mark="of another password")),
        "",
        "a.b.c",
    ):
        assert get_with(own_app, cookie) == 303, cookie


def test_old_sessions(own_app: FastAPI) -> None:
    user = own_app.state.web.settings.users.get("first")
    now = time.time()
    for began, status in ((now - 60, 200), (now - sessions.SECONDS - 1, 303)):
        session = replace(Sessions(SECRET).begin("first", user.mark), began=began)
        assert get_with(own_app, Sessions(SECRET).cookie(session)) == status, "pages that were got since renew nothing"


def test_a_copied_cookie_ends_with_signing_out(own_app: FastAPI) -> None:
    browser = client(own_app)
    browser.sign_in("first", "right")
    copied = browser.cookies[sessions.COOKIE]
    assert get_with(own_app, copied) == 200
    browser.post("/sign-out", {})
    assert get_with(own_app, copied) == 303


def test_ended_sessions_are_forgotten_when_they_would_be_over() -> None:
    moment = [0.0]
    own = Sessions(SECRET, lambda: moment[0])
    for at in (0.0, 1.0, sessions.SECONDS + 0.5):
        moment[0] = at
        own.end(own.begin("first", "mark"))
    assert len(own._ended) == 2


def test_a_changed_password_ends_sessions(web_platform: Platform, tmp_path: Path) -> None:
    path = tmp_path / "users.yaml"
    operators = [(Operator(id=5, login="first", name="first", role="", region="", status=""), Role.SALES)]
    (password,) = make_users(path, operators).values()
    browser = client(create_app(web_platform, Settings(UsersFile(path), SECRET)))
    browser.sign_in("first", password)
    assert browser.get("/customers").status_code == 200
    before = path.read_text()
    path.write_text("users: [")
    assert browser.get("/customers").status_code == 200, "one that cannot be read changes nothing"
    path.unlink()
    (password,) = make_users(path, operators).values()
    assert before != path.read_text()
    assert browser.get("/customers").status_code == 303
    assert browser.sign_in("first", password).status_code == 303


def get_with(app: FastAPI, cookie: str) -> int:
    own = client(app)
    own.cookies.set(sessions.COOKIE, cookie)
    return own.get("/customers").status_code


def posts() -> list[str]:
    """Every address that takes a form."""
    routes = [route for pages in ALL for route in pages.router.routes if isinstance(route, APIRoute)]
    return [route.path for route in routes if "POST" in (route.methods or ())]


def test_every_form_wants_its_own_token(manager: Browser, sales: Browser, crm: Crm) -> None:
    assert {"/sign-in", "/sign-out", "/new-customer", "/customers/{customer_id}/edit"} <= set(posts())
    customer = make.customer(crm, 1)
    for route in posts():
        path = re.sub(r"{\w+}", str(customer.id), route)
        for token in (None, "", "x", sales.token(), "é"):
            answer = manager.post(path, {**make.fields(), **({} if token is None else {"csrf": token})}, token=None)
            assert answer.status_code == 403, (path, token)
            assert "The form is out of date" in answer.text
    assert crm.find(type(customer), {"id": customer.id}) == [customer]
    assert manager.get("/customers").status_code == 200, "nobody was signed out"


def test_what_is_no_form(app: FastAPI, manager: Browser) -> None:
    own = TestClient(app, cookies=manager.cookies, follow_redirects=False)
    token = manager.token()
    assert own.post("/new-customer", json={"csrf": token}).status_code == 415
    assert own.post("/new-customer", files={"csrf": token}).status_code == 415
    assert manager.post("/new-customer", {"name": "x" * 300_000}).status_code == 413
    assert manager.post("/new-customer", {f"a{n}": "" for n in range(400)}).status_code == 400
    headers = {"content-type": "application/x-www-form-urlencoded"}
    for body in (b"csrf=%ff", b"csrf=\xff"):
        assert own.post("/new-customer", content=body, headers=headers).status_code == 400


def test_headers(browser: Browser, sales: Browser) -> None:
    for answer in (browser.get("/sign-in"), sales.get("/customers"), sales.get("/nowhere"), browser.get("/customers")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
    assert browser.get("/static/app.css").status_code == 200
    assert browser.get("/static/../app.py").status_code == 404
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert browser.get(path).status_code == 404


def test_the_users_file(web_users: Path, passwords: dict[str, str], tmp_path: Path) -> None:
    assert stat.S_IMODE(web_users.stat().st_mode) == 0o600
    text = web_users.read_text()
    assert len(passwords) == len(FIRST_USERS)
    for login, password in passwords.items():
        assert login in text
        assert password not in text
        assert load_users(web_users).check(login, password + " ") is None
    key = tmp_path / "key"
    assert secret_key(key) == secret_key(key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    for wrong in ("[]", "users: 1", "users: [{login: a}]", "\x00"):
        (tmp_path / "users.yaml").write_text(wrong)
        with pytest.raises(UsersError):
            load_users(tmp_path / "users.yaml")


def test_no_secret_in_a_page(manager: Browser, passwords: dict[str, str], web_users: Path) -> None:
    hashes = re.findall(r"scrypt\$\S+", web_users.read_text())
    assert len(hashes) == len(passwords)
    for path in ("/customers", "/customers/674", "/customers/674/edit", "/reminders?whose=all", "/nowhere"):
        text = manager.get(path).text
        for secret in (*passwords.values(), *hashes, SECRET, "scrypt"):
            assert secret not in text
