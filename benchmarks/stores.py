"""Real servers, and databases on them that one scenario has to itself."""

from __future__ import annotations

import contextlib
import os
import platform as machine
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import pymongo
from pymongo.database import Database
from pymongo.write_concern import WriteConcern
from pymysql.connections import Connection
from pymysql.cursors import Cursor
from sqlalchemy.engine import make_url

from benchmarks.by_hand import ACKNOWLEDGED, ByHand
from benchmarks.data import COLUMNS, FLAG
from platform_store import Platform
from tests.servers import provide
from tests.servers.databases import connect_sql, fresh_mongodb_database, fresh_sql_database

TABLE = "customer"
_DURABILITY = ("innodb_flush_log_at_trx_commit", "sync_binlog")


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

    def create_tables(self) -> None:
        """The library's table, and the one of what is written by hand."""
        self.platform.create_table(TABLE, COLUMNS, flag=FLAG)
        self.by_hand().create_table()

    def by_hand(self, concern: WriteConcern = ACKNOWLEDGED) -> ByHand:
        """The plain drivers over the table of their own."""
        return ByHand(self.connection, self.database, concern=concern)

    def by_hand_over_library(self) -> ByHand:
        """The plain drivers over the library's table: what is really there."""
        return ByHand(self.connection, self.database, TABLE)


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
        **_durability(servers.mysql_url),
        "python": machine.python_version(),
        **{name: version(name) for name in ("PyMySQL", "pymongo", "platform-store")},
        "cores": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}",  # of others, before anything was measured
    }
    return Servers(servers.mysql_url, servers.mongodb_url, facts)


def _durability(url: str) -> dict[str, str]:
    """What a commit costs depends on these settings."""
    with connect_sql(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(f'@@{name}' for name in _DURABILITY)}")
        row = cursor.fetchone()
    assert row is not None
    return {name: str(value) for name, value in zip(_DURABILITY, row, strict=True)}
