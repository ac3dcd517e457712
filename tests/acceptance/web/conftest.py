"""The application on a little sample, loaded once for each pair of stores: tests make customers of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from crm_model import Crm, install
from crm_model.sample import Size, load
from examples.crm_web import Settings, create_app
from examples.crm_web.__main__ import first_users
from examples.crm_web.roles import Role
from examples.crm_web.users import User, load_users, make_users
from platform_store import Platform
from tests.acceptance.web.browser import Browser
from tests.servers.databases import fresh_mongodb_database, fresh_sql_database

NOW = datetime(2026, 6, 15, 8)
"""When the sample ends."""
LITTLE = Size("little", 800, 3_000, 300, 600)
SECRET = "a key of the tests alone"

SignIn = Callable[[Role], Browser]


@pytest.fixture(scope="package", params=["embedded", pytest.param("mysql", marks=pytest.mark.real)])
def web_platform(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A pair of stores with a little sample."""
    with ExitStack() as stack:
        if request.param == "embedded":
            platform = stack.enter_context(Platform.embedded(tmp_path_factory.mktemp("web") / "crm.db"))
        else:
            mysql = stack.enter_context(fresh_sql_database(request.getfixturevalue("mysql_url")))
            mongodb = stack.enter_context(fresh_mongodb_database(request.getfixturevalue("mongodb_url")))
            platform = stack.enter_context(Platform.open(mysql=mysql, mongodb=mongodb))
        install(platform)
        load(platform, LITTLE)
        yield platform


@pytest.fixture(scope="package")
def passwords(web_platform: Platform, web_users: Path) -> dict[str, str]:
    """Of each login."""
    return make_users(web_users, first_users(web_platform))


@pytest.fixture(scope="package")
def web_users(web_platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the users file is."""
    return tmp_path_factory.mktemp("users") / "users.yaml"


@pytest.fixture(scope="package")
def app(web_platform: Platform, passwords: dict[str, str], web_users: Path) -> FastAPI:
    """The application, at the moment at which the sample ends. Its lifespan is not begun, as the platform goes on."""
    return create_app(web_platform, Settings(load_users(web_users), SECRET, clock=lambda: NOW))


@pytest.fixture(scope="package")
def users(web_users: Path, passwords: dict[str, str]) -> dict[Role, User]:
    """The user of each role."""
    loaded = load_users(web_users)
    found = [user for login in passwords if (user := loaded.get(login)) is not None]
    return {user.role: user for user in found}


@pytest.fixture(scope="package")
def crm(web_platform: Platform) -> Crm:
    """The same data, by the services, for who may do everything."""
    return Crm(web_platform, 1, clock=lambda: NOW)


@pytest.fixture
def browser(app: FastAPI) -> Browser:
    """A browser that nobody has signed in with. It prefers English."""
    return Browser(TestClient(app, follow_redirects=False, headers={"accept-language": "en"}))


@pytest.fixture(scope="package")
def sign_in(app: FastAPI, users: dict[Role, User], passwords: dict[str, str]) -> SignIn:
    """A browser with a user of a role signed in."""

    def signed_in(role: Role) -> Browser:
        own = Browser(TestClient(app, follow_redirects=False, headers={"accept-language": "en"}))
        assert own.sign_in(users[role].login, passwords[users[role].login]).status_code == 303
        return own

    return signed_in


@pytest.fixture
def sales(sign_in: SignIn) -> Browser:
    """客户经理, whose customers are their own."""
    return sign_in(Role.SALES)


@pytest.fixture
def manager(sign_in: SignIn) -> Browser:
    """主管."""
    return sign_in(Role.MANAGER)


@pytest.fixture
def service(sign_in: SignIn) -> Browser:
    """客服."""
    return sign_in(Role.SERVICE)
