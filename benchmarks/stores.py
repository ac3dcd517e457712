"""Real servers, and databases on them that one scenario has to itself."""

from __future__ import annotations

import contextlib
import os
import platform as machine
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pymongo
from pymongo.database import Database
from pymysql.connections import Connection
from pymysql.cursors import Cursor
from sqlalchemy.engine import make_url

from platform_store import Platform
from tests.servers import provide
from tests.servers.databases import connect_mongodb, connect_sql, fresh_mongodb_database, fresh_sql_database

_SETTINGS = ("innodb_flush_log_at_trx_commit", "sync_binlog", "innodb_buffer_pool_size")


class NoServers(Exception):
    """There is nothing to measure on."""


@dataclass(frozen=True)
class Servers:
    """The pair to measure on, and what is worth knowing about it."""

    mysql_url: str
    mongodb_url: str
    facts: Mapping[str, str]

    @contextlib.contextmanager
    def stores(self) -> Iterator[Stores]:
        """Empty databases, dropped at the end."""
        with (
            fresh_sql_database(self.mysql_url) as mysql,
            fresh_mongodb_database(self.mongodb_url) as mongodb,
            connect_sql(mysql, database=make_url(mysql).database) as connection,
            pymongo.MongoClient[dict[str, Any]](mongodb) as client,
            Platform.open(mysql=mysql, mongodb=mongodb) as platform,
        ):
            yield Stores(platform, connection, client.get_default_database())


@dataclass(frozen=True)
class Stores:
    """The library and the plain drivers on the same two databases."""

    platform: Platform
    connection: Connection[Cursor]
    database: Database[dict[str, Any]]


def provided(resources: contextlib.ExitStack) -> Servers:
    """The servers that the tests would run on. Raises NoServers."""
    try:
        servers = provide.provide(resources)
    except provide.UnreachableServer as error:
        raise NoServers(str(error)) from None
    if servers.mysql_url is None or servers.mongodb_url is None:
        raise NoServers("; ".join(f"no {name}: {reason}" for name, reason in servers.reasons.items()))
    facts = {
        "mysql": servers.versions["mysql"],
        "mongodb": servers.versions["mongodb"],
        **_settings(servers.mysql_url),
        "wiredTiger cache": _cache(servers.mongodb_url),
        "python": machine.python_version(),
        **{name: version(name) for name in ("PyMySQL", "pymongo", "sqlglot", "platform-store")},
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}",  # of others, before anything was measured
    }
    return Servers(servers.mysql_url, servers.mongodb_url, facts)


def _settings(url: str) -> dict[str, str]:
    """What a commit costs depends on these settings, and what is in memory."""
    with connect_sql(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(f'@@{name}' for name in _SETTINGS)}")
        row = cursor.fetchone()
    assert row is not None
    return {name: str(value) for name, value in zip(_SETTINGS, row, strict=True)}


def _cache(url: str) -> str:
    with connect_mongodb(url) as client:
        cache = client.admin.command("serverStatus")["wiredTiger"]["cache"]
    return str(cache["maximum bytes configured"])


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), machine.machine())
