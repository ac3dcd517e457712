"""Servers of these tests' own, proxies in front of the shared ones, and databases on both.

Everything lives in one directory of this run, with a short path. It is removed at the end; what a killed run
left behind is removed by the next one.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

import pytest
from sqlalchemy.engine import make_url

from platform_store import Config, Platform
from tests.faults import servers
from tests.faults.proxy import Proxy
from tests.faults.replica_set import ReplicaSet
from tests.faults.servers import Disposable
from tests.integration.conftest import Servers, plain
from tests.servers import provide
from tests.servers.binaries import ServersUnavailable
from tests.servers.databases import connect_sql, with_mongodb_database

_PREFIX = "platform-faults-"

S = TypeVar("S", Disposable, ReplicaSet)


@dataclass(frozen=True)
class Proxied:
    """Databases of one test on the shared servers, and proxies in front of them.

    ``urls``: of MySQL and MongoDB, through the proxies; ``direct`` looks past them.
    """

    direct: Servers
    mysql: Proxy
    mongodb: Proxy
    urls: tuple[str, str]

    def config(self, **gives_up: float) -> Config:
        """Goes through the proxies. ``gives_up``: see :func:`tests.faults.servers.stores`."""
        mysql, mongodb = self.urls
        return servers.stores(mysql, mongodb, **gives_up)

    def open(self, **gives_up: float) -> Platform:
        """A Platform that reaches both servers through the proxies."""
        return Platform.open(self.config(**gives_up))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these tests need real servers."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("real")


@pytest.fixture(scope="session")
def faults_directory() -> Iterator[Path]:
    """The directory of this run."""
    base = Path(tempfile.gettempdir())
    for leftover in base.glob(f"{_PREFIX}*"):
        _remove_if_nobodys(leftover)
    unlocked = Path(tempfile.mkdtemp(prefix=f"new-{_PREFIX}", dir=base))
    directory = base / unlocked.name.removeprefix("new-")
    with (unlocked / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        unlocked.rename(directory)  # another session that finds it before it is locked takes it for nobody's
        try:
            yield directory
        finally:
            servers.end_everything_below(directory)
            shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def own_directory(faults_directory: Path) -> Path:
    """A directory of one test module."""
    if os.environ.get(provide.NONE_WANTED) == "1":
        pytest.skip(f"{provide.NONE_WANTED}=1")
    return Path(tempfile.mkdtemp(dir=faults_directory))


@pytest.fixture(scope="module", params=["mysql", "mariadb"])
def sql_server(request: pytest.FixtureRequest, own_directory: Path, faults_directory: Path) -> Iterator[Disposable]:
    """Behind ``own_sql``."""
    yield from _started(servers.sql(request.param, own_directory, faults_directory / "prepared"))


@pytest.fixture(scope="module")
def mysql_server(own_directory: Path, faults_directory: Path) -> Iterator[Disposable]:
    """Behind ``own_mysql``."""
    yield from _started(servers.sql("mysql", own_directory / "only", faults_directory / "prepared"))


@pytest.fixture(scope="module")
def mongodb_server(own_directory: Path) -> Iterator[Disposable]:
    """Behind ``own_mongodb``."""
    yield from _started(servers.mongodb(own_directory))


@pytest.fixture(scope="module")
def three_members(own_directory: Path) -> Iterator[ReplicaSet]:
    """Behind ``replica_set``."""
    yield from _started(ReplicaSet(own_directory / "three"))


@pytest.fixture(scope="module")
def one_proxied_member(own_directory: Path) -> Iterator[ReplicaSet]:
    """Behind ``proxied_replica_set``."""
    yield from _started(ReplicaSet(own_directory / "one", members=1, proxied=True))


@pytest.fixture(params=["mysql", "mariadb"])
def servers_of_test(request: pytest.FixtureRequest, mongodb_database: str) -> Iterator[Servers]:
    """Databases of this test on the shared servers; on MySQL and on MariaDB."""
    with plain(request.getfixturevalue(f"{request.param}_database"), mongodb_database) as databases:
        yield databases


@pytest.fixture
def own_sql(sql_server: Disposable) -> Disposable:
    """A MySQL and a MariaDB server of this module, running; each test that takes it runs on both."""
    sql_server.revive()
    return sql_server


@pytest.fixture
def own_mysql(mysql_server: Disposable) -> Disposable:
    """A MySQL server of this module, running."""
    mysql_server.revive()
    return mysql_server


@pytest.fixture
def own_mongodb(mongodb_server: Disposable) -> Disposable:
    """A MongoDB server of this module (a replica set of one), running."""
    mongodb_server.revive()
    return mongodb_server


@pytest.fixture
def replica_set(three_members: ReplicaSet) -> ReplicaSet:
    """Three MongoDB servers of this module, running and replicating."""
    three_members.revive()
    return three_members


@pytest.fixture
def proxied_replica_set(one_proxied_member: ReplicaSet) -> ReplicaSet:
    """A replica set of one, running, that clients know by the port of ``proxies[0]``."""
    one_proxied_member.revive()
    return one_proxied_member


@pytest.fixture
def own_sql_url(own_sql: Disposable) -> str:
    """An empty database on ``own_sql``."""
    return _empty_sql_database(own_sql.url)


@pytest.fixture
def own_mysql_url(own_mysql: Disposable) -> str:
    """An empty database on ``own_mysql``."""
    return _empty_sql_database(own_mysql.url)


@pytest.fixture
def own_mongodb_url(own_mongodb: Disposable) -> str:
    """An empty database on ``own_mongodb``."""
    return with_mongodb_database(own_mongodb.url, _name())


@pytest.fixture
def replica_set_url(replica_set: ReplicaSet) -> str:
    """An empty database on ``replica_set``."""
    return with_mongodb_database(replica_set.url, _name())


@pytest.fixture
def proxied_replica_set_url(proxied_replica_set: ReplicaSet) -> str:
    """An empty database on ``proxied_replica_set``."""
    return with_mongodb_database(proxied_replica_set.url, _name())


@pytest.fixture
def proxied(servers_of_test: Servers) -> Iterator[Proxied]:
    """Databases of this test on the shared servers, behind proxies; on MySQL and on MariaDB."""
    mysql, mongodb = make_url(servers_of_test.mysql_url), urlsplit(servers_of_test.mongodb_url)
    assert mysql.host is not None
    seed = mongodb.netloc.rpartition("@")[2].split(",")[0]
    host, _, port = seed.partition(":")
    with (
        Proxy((mysql.host, mysql.port or 3306)) as mysql_proxy,
        Proxy((host, int(port or 27017)), protocol="mongodb") as mongodb_proxy,
    ):
        account = mongodb.netloc.rpartition("@")[0]
        netloc = f"{account}@127.0.0.1:{mongodb_proxy.port}" if account else f"127.0.0.1:{mongodb_proxy.port}"
        urls = (
            mysql.set(host="127.0.0.1", port=mysql_proxy.port).render_as_string(hide_password=False),
            urlunsplit(("mongodb", netloc, mongodb.path, "directConnection=true", "")),
        )
        yield Proxied(servers_of_test, mysql_proxy, mongodb_proxy, urls)


def _started(server: S) -> Iterator[S]:
    try:
        server.__enter__()
    except ServersUnavailable as error:
        if provide.required():
            pytest.fail(error.reason, pytrace=False)
        pytest.skip(error.reason)
    try:
        yield server
    finally:
        server.remove()


def _empty_sql_database(url: str) -> str:
    name = _name()
    with connect_sql(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def _name() -> str:
    return f"faults_{secrets.token_hex(4)}"


def _remove_if_nobodys(directory: Path) -> None:
    """Removes the directory of a session that is no more: nobody holds its lock."""
    try:
        with (directory / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            servers.end_everything_below(directory)
            shutil.rmtree(directory, ignore_errors=True)
    except OSError:  # it is held, or another session is just making or removing it
        return
