"""Real servers for the tests: chosen once per session, named in the report's header, and never shared data on them."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
from hypothesis import settings

from tests.servers import provide
from tests.servers.databases import (
    Connection,
    Documents,
    connect_mongodb,
    connect_sql,
    fresh_mongodb_database,
    fresh_sql_database,
)
from tests.servers.provide import Servers, UnreachableServer

SERVERS = pytest.StashKey[Servers]()
RESOURCES = pytest.StashKey[contextlib.ExitStack]()
SERVERS_INPUT = "platform_store_servers"
SERVER_FIXTURES = {"mysql_url", "mariadb_url", "mongodb_url"}
UNIT_TESTS = Path(__file__).parent / "unit"
BROWSER_TESTS = Path(__file__).parent / "browser"


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the place where containers wait for the end of the session, and what Hypothesis does.

    No property is judged by the clock, and every run tries the same examples: a change is judged, and not chance. Other
    ones are tried with ``--hypothesis-profile=others``.
    """
    settings.register_profile("others", deadline=None)
    settings.register_profile("same", deadline=None, derandomize=True, database=None)
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("same")
    config.stash[RESOURCES] = contextlib.ExitStack()
    if hasattr(config, "workerinput") and SERVERS_INPUT in config.workerinput:
        config.stash[SERVERS] = Servers(**config.workerinput[SERVERS_INPUT])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Name the servers of this run to a process that tests are shared out to (pytest-xdist)."""
    servers = node.config.stash.get(SERVERS, None)
    if servers:
        node.workerinput[SERVERS_INPUT] = dataclasses.asdict(servers)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the containers of this run; private servers go on, for the next one to start at once."""
    config.stash[RESOURCES].close()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The tests that take a browser run where they are named: ``make test-web``."""
    asked = any(path.is_relative_to(BROWSER_TESTS) for path in _selected(config))
    return True if collection_path == BROWSER_TESTS and not asked else None


def pytest_sessionstart(session: pytest.Session) -> None:
    """Choose the servers before the header is printed; not for unit tests, which need none."""
    config = session.config
    if os.environ.get(provide.NONE_WANTED) == "1":
        config.stash[SERVERS] = provide.none("not used", f"{provide.NONE_WANTED}=1")
    elif not config.option.collectonly and not _only_unit_tests(config):
        _provided(config)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what the tests run on."""
    servers = config.stash.get(SERVERS, None)
    return servers.header() if servers else ["real servers: not used"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need real servers, so that ``-m "not real"`` leaves them out."""
    for item in items:
        if SERVER_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("real")


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Servers:
    """The real servers of this run, with the reason for each one missing."""
    return _provided(pytestconfig)


@pytest.fixture(scope="session")
def mysql_url(servers: Servers) -> str:
    """A MySQL server; tests take `mysql_database`, which is theirs alone."""
    return _url_or_skip(servers, "mysql")


@pytest.fixture(scope="session")
def mariadb_url(servers: Servers) -> str:
    """A MariaDB server; tests take `mariadb_database`, which is theirs alone."""
    return _url_or_skip(servers, "mariadb")


@pytest.fixture(scope="session")
def mongodb_url(servers: Servers) -> str:
    """A MongoDB replica set; tests take `mongodb_database`, which is theirs alone."""
    return _url_or_skip(servers, "mongodb")


@pytest.fixture(scope="session")
def mysql_administrator(mysql_url: str) -> Iterator[Connection]:
    """Makes and drops the databases of the tests: a connection for each would take a tenth of their time."""
    with connect_sql(mysql_url) as connection:
        yield connection


@pytest.fixture
def mysql_database(mysql_url: str, mysql_administrator: Connection) -> Iterator[str]:
    """The URL of an empty MySQL database of this test alone."""
    with fresh_sql_database(mysql_url, mysql_administrator) as url:
        yield url


@pytest.fixture(scope="session")
def mariadb_administrator(mariadb_url: str) -> Iterator[Connection]:
    """Makes and drops the databases of the tests: a connection for each would take a tenth of their time."""
    with connect_sql(mariadb_url) as connection:
        yield connection


@pytest.fixture
def mariadb_database(mariadb_url: str, mariadb_administrator: Connection) -> Iterator[str]:
    """The URL of an empty MariaDB database of this test alone."""
    with fresh_sql_database(mariadb_url, mariadb_administrator) as url:
        yield url


@pytest.fixture(scope="session")
def mongodb_administrator(mongodb_url: str) -> Iterator[pymongo.MongoClient[Documents]]:
    """Drops the databases of the tests."""
    with connect_mongodb(mongodb_url) as client:
        yield client


@pytest.fixture
def mongodb_database(mongodb_url: str, mongodb_administrator: pymongo.MongoClient[Documents]) -> Iterator[str]:
    """The URL of an empty MongoDB database of this test alone."""
    with fresh_mongodb_database(mongodb_url, mongodb_administrator) as url:
        yield url


def _provided(config: pytest.Config) -> Servers:
    if SERVERS not in config.stash:
        try:
            servers = provide.provide(config.stash[RESOURCES])
        except UnreachableServer as error:
            pytest.exit(str(error), returncode=pytest.ExitCode.INTERRUPTED)
        config.stash[SERVERS] = servers
    return config.stash[SERVERS]


def _url_or_skip(servers: Servers, name: str) -> str:
    url = servers.url(name)
    if url is not None:
        return url
    message = f"no real {name} server: {servers.reasons.get(name, 'unknown reason')}"
    if provide.required():
        pytest.fail(f"{message} ({provide.REQUIRE}=1)", pytrace=False)
    pytest.skip(message)


def _only_unit_tests(config: pytest.Config) -> bool:
    selected = _selected(config)
    return bool(selected) and all(path.is_relative_to(UNIT_TESTS) for path in selected)


def _selected(config: pytest.Config) -> list[Path]:
    """The files and folders whose tests were asked for."""
    return [(config.invocation_params.dir / argument.split("::")[0]).resolve() for argument in config.args]
