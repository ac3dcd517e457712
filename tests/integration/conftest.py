"""Platforms on real servers, and a look past the library at what the servers hold."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import pymysql
import pytest
from pymongo import MongoClient
from pymongo.database import Database

from platform_store import Config, Platform
from platform_store.config import JournalConfig
from tests.integration.crm_sample import CrmTwice, loaded
from tests.servers.databases import Connection, process_list, sql_connection
from tests.waiting import wait_until


@dataclass(frozen=True)
class Servers:
    """The databases of one test: their URLs, and plain connections to them."""

    mysql_url: str
    mongodb_url: str
    mysql: Connection
    mongodb: Database[dict[str, Any]]

    def open(self) -> Platform:
        return Platform.open(mysql=self.mysql_url, mongodb=self.mongodb_url)

    def open_quiet(self) -> Platform:
        """A Platform whose journal nobody works through but ``recover()``."""
        config = Config.from_urls(mysql=self.mysql_url, mongodb=self.mongodb_url)
        return Platform.open(replace(config, journal=JournalConfig(reaper=False)))

    def sql(self, statement: str) -> tuple[tuple[Any, ...], ...]:
        with self.mysql.cursor() as cursor:
            cursor.execute(statement)
            return tuple(cursor.fetchall())

    def definition(self, table: str) -> str:
        """A table as created, but for where its pages are: MySQL names a shared tablespace once it has copied it."""
        ((_, definition),) = self.sql(f"SHOW CREATE TABLE `{table}`")
        return str(definition).replace(" /*!50100 TABLESPACE `innodb_system` */", "")

    @property
    def process_list(self) -> str:
        """The table of the server's connections."""
        return process_list(mariadb="MariaDB" in str(self.mysql.get_server_info()))  # type: ignore[no-untyped-call]

    def connections(self, condition: str = "TRUE") -> set[int]:
        """Those of all clients to this database, ours among them, for which an expression of SQL holds."""
        found = self.sql(f"SELECT ID FROM {self.process_list} WHERE DB = DATABASE() AND {condition}")
        return {number for (number,) in found}

    def at_rest(self) -> bool:
        """Whether no connection to this database but our own does anything, and none has a transaction.

        InnoDB says what it knew up to a tenth of a second ago, and looks again only if nobody has asked for so long.
        """
        time.sleep(0.15)
        transactions = self.sql("SELECT trx_mysql_thread_id FROM information_schema.INNODB_TRX")
        busy = self.connections("COMMAND <> 'Sleep'")
        return len(busy) == 1 and not self.connections() & {number for (number,) in transactions}

    def end_connections(self) -> None:
        """Of everybody else; one may end by itself meanwhile."""
        ended = self.connections("ID <> CONNECTION_ID()")
        for number in ended:
            with suppress(pymysql.OperationalError):
                self.sql(f"KILL {number}")
        wait_until(lambda: not ended & self.connections(), "the connections are gone")

    @contextmanager
    def outlived(self) -> Iterator[None]:
        """At the end waits until no connection is left that was made inside, by processes killed meanwhile.

        Until the server has noticed that they are gone it may still do what they asked for last, and keeps their locks.
        """
        before = self.connections()
        yield
        wait_until(lambda: self.connections() <= before, "the server has noticed that its clients are gone")


@contextmanager
def plain(mysql_url: str, mongodb_url: str) -> Iterator[Servers]:
    client: MongoClient[dict[str, Any]] = MongoClient(mongodb_url)
    with sql_connection(mysql_url) as connection, client:
        yield Servers(mysql_url, mongodb_url, connection, client.get_default_database())


@pytest.fixture(params=["mysql", "mariadb"])
def servers_of_test(request: pytest.FixtureRequest, mongodb_database: str) -> Iterator[Servers]:
    with plain(request.getfixturevalue(f"{request.param}_database"), mongodb_database) as servers:
        yield servers


@pytest.fixture
def platform(servers_of_test: Servers) -> Iterator[Platform]:
    with servers_of_test.open() as opened:
        yield opened


@pytest.fixture(scope="session", params=["mysql", "mariadb"])
def crm(request: pytest.FixtureRequest, mongodb_url: str) -> Iterator[CrmTwice]:
    """Read only: loaded once for all tests."""
    with loaded(request.getfixturevalue(f"{request.param}_url"), mongodb_url) as found:
        yield found
