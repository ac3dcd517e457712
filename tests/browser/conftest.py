"""Chromium, once for all tests, and the application on each pair of stores."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from platform_store import Platform
from tests.browser.site import Site, served
from tests.browser.tab import FLAGS, Tab
from tests.servers.databases import fresh_mongodb_database, fresh_sql_database

DESKTOP, PHONE = (1280, 800), (390, 844)

OpenTab = Callable[[tuple[int, int]], Tab]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser. Where there is none, the tests fail: they run only where somebody asks for them."""
    program = shutil.which(os.environ.get("CHROMIUM", "chromium"))
    if program is None:
        pytest.fail("no Chromium: make test-web installs it (CHROMIUM names another browser)", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session", params=["embedded", pytest.param("mysql", marks=pytest.mark.real)])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The application on a pair of stores of these tests alone."""
    folder = tmp_path_factory.mktemp("site")
    with ExitStack() as stack:
        if request.param == "embedded":
            platform = Platform.embedded(folder / "crm.db")
        else:
            mysql = stack.enter_context(fresh_sql_database(request.getfixturevalue("mysql_url")))
            mongodb = stack.enter_context(fresh_mongodb_database(request.getfixturevalue("mongodb_url")))
            platform = Platform.open(mysql=mysql, mongodb=mongodb)
        yield stack.enter_context(served(platform, folder, embedded=request.param == "embedded"))


@pytest.fixture
def open_tab(chromium: Browser, site: Site, shots: Path | None) -> Iterator[OpenTab]:
    """Opens a tab of a size, in a profile of its own; at the end nothing may have been complained of."""
    tabs = []
    with ExitStack() as stack:

        def opened(size: tuple[int, int]) -> Tab:
            context = chromium.new_context(viewport={"width": size[0], "height": size[1]}, locale="en-GB")
            stack.callback(context.close)
            tabs.append(Tab(context.new_page(), site, shots))
            return tabs[-1]

        yield opened
    assert [one for tab in tabs for one in tab.complaints] == []


@pytest.fixture(scope="session")
def shots() -> Path | None:
    """Where pictures of the pages are wanted, if anywhere."""
    folder = os.environ.get("SHOTS")
    if not folder:
        return None
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    return path
