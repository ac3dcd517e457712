"""Platforms on real servers, and a look past the library at what the servers hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pymysql
import pytest
from pymongo import MongoClient
from pymongo.database import Database

from platform_store import Platform
from platform_store.config import MysqlConfig


@dataclass(frozen=True)
class Servers:
    """The databases of one test: their URLs, and plain connections to them."""

    mysql_url: str
    mongodb_url: str
    mysql: pymysql.connections.Connection[pymysql.cursors.Cursor]
    mongodb: Database[dict[str, Any]]

    def open(self) -> Platform:
        return Platform.open(mysql=self.mysql_url, mongodb=self.mongodb_url)

    def sql(self, statement: str) -> tuple[tuple[Any, ...], ...]:
        with self.mysql.cursor() as cursor:
            cursor.execute(statement)
            return tuple(cursor.fetchall())


@contextmanager
def plain(mysql_url: str, mongodb_url: str) -> Iterator[Servers]:
    config = MysqlConfig.from_url(mysql_url)
    connection = pymysql.connect(
        host=config.host,
        port=config.port,
        user=config.user,
        password=config.password,
        database=config.database,
        autocommit=True,
    )
    client: MongoClient[dict[str, Any]] = MongoClient(mongodb_url)
    with connection, client:
        yield Servers(mysql_url, mongodb_url, connection, client.get_default_database())


@pytest.fixture(params=["mysql", "mariadb"])
def servers_of_test(request: pytest.FixtureRequest, mongodb_database: str) -> Iterator[Servers]:
    with plain(request.getfixturevalue(f"{request.param}_database"), mongodb_database) as servers:
        yield servers


@pytest.fixture
def platform(servers_of_test: Servers) -> Iterator[Platform]:
    with servers_of_test.open() as opened:
        yield opened
