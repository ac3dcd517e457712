"""The CRM on every backend. Its tables are made once: each test makes customers of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta

import pytest

from crm_model import Crm, install
from platform_store import Platform
from tests.contract.conftest import BACKENDS, Backend
from tests.servers.databases import fresh_mongodb_database, fresh_sql_database


class Clock:
    """A clock that a test sets; each look at it is a millisecond later."""

    def __init__(self) -> None:
        self.now = datetime(2026, 6, 1, 8)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


@contextmanager
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A pair of stores of its own, with the tables of the CRM."""
    name: str = request.param
    with ExitStack() as stack:
        if name == "embedded":
            path = tmp_path_factory.mktemp("crm") / "pair.db"
            backend = Backend(name, lambda: Platform.embedded(path), {"path": str(path)})
        else:
            mysql = stack.enter_context(fresh_sql_database(request.getfixturevalue(f"{name}_url")))
            mongodb = stack.enter_context(fresh_mongodb_database(request.getfixturevalue("mongodb_url")))
            stores = {"mysql": mysql, "mongodb": mongodb}
            backend = Backend(name, lambda: Platform.open(mysql=mysql, mongodb=mongodb), stores)
        with backend.open() as platform:
            install(platform)
        yield backend


@pytest.fixture(scope="session", params=BACKENDS)
def crm_backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """For all tests that make customers of their own: its tables take seconds."""
    with installed(request, tmp_path_factory) as backend:
        yield backend


@pytest.fixture(scope="module", params=BACKENDS)
def own_crm_platform(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """For a module that brings all customers itself, or counts over all of them."""
    with installed(request, tmp_path_factory) as backend, backend.open() as platform:
        yield platform


@pytest.fixture(scope="module")
def crm_platform(crm_backend: Backend) -> Iterator[Platform]:
    """One platform for the tests of a module."""
    with crm_backend.open() as platform:
        yield platform


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def crm(crm_platform: Platform, clock: Clock) -> Crm:
    """Operator 1 at work, at 8 in the morning of June 1st 2026."""
    return Crm(crm_platform, 1, clock=clock)
