"""Every page of a CRM in which nothing has happened yet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from crm_model import install
from examples.crm_web import Settings, create_app
from examples.crm_web.roles import Role
from examples.crm_web.routes import ALL
from examples.crm_web.users import User, Users, hashed
from platform_store import Platform
from tests.acceptance.web.browser import Browser
from tests.acceptance.web.conftest import SECRET


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The tables of the CRM, without a row."""
    with Platform.embedded(tmp_path_factory.mktemp("empty") / "crm.db") as platform:
        install(platform)
        yield platform


def pages() -> list[str]:
    """Every address that shows something without being given what."""
    routes = [route for pages in ALL for route in pages.router.routes if isinstance(route, APIRoute)]
    return [route.path for route in routes if "GET" in (route.methods or ()) and "{" not in route.path]


def test_every_page(empty: Platform) -> None:
    users = Users([User("first", "first", 1, Role.MANAGER, hashed("right"))])
    browser = Browser(TestClient(create_app(empty, Settings(users, SECRET)), follow_redirects=False))
    assert browser.sign_in("first", "right").status_code == 303
    assert {"/dashboard", "/reports/churn", "/duplicates", "/console"} <= set(pages())
    for path in pages():
        assert browser.get(path).status_code in (200, 303), path
    assert "还没有客户。" in browser.page("/customers")
    assert "没有符合条件的客户。" in browser.page("/customers?vip=3")
