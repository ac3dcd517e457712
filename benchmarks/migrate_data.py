"""The table that is migrated: rows of ten mixed columns, made by MySQL itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database
from pymysql.connections import Connection
from pymysql.cursors import Cursor
from sqlalchemy.engine import make_url

from tests.servers.databases import connect_sql, fresh_mongodb_database, fresh_sql_database

TABLE = "person"
COLUMNS = """
    id BIGINT NOT NULL PRIMARY KEY,
    name VARCHAR(80) NOT NULL,
    email VARCHAR(120) NULL,
    age INT NULL,
    active TINYINT(1) NOT NULL,
    balance DECIMAL(12,2) NULL,
    score DOUBLE NULL,
    born DATE NULL,
    created DATETIME(3) NOT NULL,
    note TEXT NULL
"""
NAMES = tuple(line.split()[0] for line in COLUMNS.strip().splitlines())
_STEP = 100_000
_ROWS = f"""
    INSERT INTO {TABLE}
    WITH RECURSIVE numbers (n) AS (SELECT {{first}} UNION ALL SELECT n + 1 FROM numbers WHERE n < {{last}})
    SELECT /*+ SET_VAR(cte_max_recursion_depth = {_STEP}) */
        n, CONCAT(ELT(1 + h % 5, '张伟', 'Anna Müller', 'John Smith', '王芳', 'Pedro'), ' ', n),
        IF(h % 10 = 0, NULL, CONCAT('user', n, '@example.com')), IF(h % 11 = 0, NULL, 18 + h % 70), h % 2,
        (h % 2000000000 - 1000000000) / 100, h / 7, DATE_ADD('1950-01-01', INTERVAL h % 20000 DAY),
        DATE_ADD('2020-01-01', INTERVAL h * 37000 MICROSECOND), IF(h % 5 = 0, NULL, REPEAT('note ', 1 + h % 12))
    FROM (SELECT n, CAST(CRC32(n) AS SIGNED) AS h FROM numbers) AS hashes
"""


@dataclass(frozen=True)
class Source:
    """Databases that one benchmark has to itself: their URLs and plain connections, and how many rows there are."""

    mysql_url: str
    mongodb_url: str
    mysql: Connection[Cursor]
    mongodb: Database[dict[str, Any]]
    rows: int

    def sql(self, statement: str) -> tuple[tuple[Any, ...], ...]:
        with self.mysql.cursor() as cursor:
            cursor.execute(statement)
            return tuple(cursor.fetchall())

    def connect(self) -> AbstractContextManager[Connection[Cursor]]:
        return connect_sql(self.mysql_url, database=make_url(self.mysql_url).database)

    def new_table(self, name: str) -> None:
        """An empty table like the source; it may be there already."""
        self.sql(f"DROP TABLE IF EXISTS {name}")
        self.sql(f"CREATE TABLE {name} LIKE {TABLE}")

    def drop_tables(self, *patterns: str) -> None:
        """Those whose names are LIKE one of the patterns."""
        for pattern in patterns:
            for (name,) in self.sql(f"SHOW TABLES LIKE '{pattern}'"):
                self.sql(f"DROP TABLE `{name}`")

    def fill(self) -> None:
        self.sql(f"CREATE TABLE {TABLE} ({COLUMNS}) DEFAULT CHARSET=utf8mb4")
        for first in range(1, self.rows + 1, _STEP):
            self.sql(_ROWS.format(first=first, last=min(first + _STEP - 1, self.rows)))
        self.sql(f"ANALYZE TABLE {TABLE}")


@contextlib.contextmanager
def filled(mysql_url: str, mongodb_url: str, rows: int) -> Iterator[Source]:
    """Databases with the source table in one of them, dropped at the end."""
    with (
        fresh_sql_database(mysql_url) as mysql,
        fresh_mongodb_database(mongodb_url) as mongodb,
        connect_sql(mysql, database=make_url(mysql).database) as connection,
        MongoClient[dict[str, Any]](mongodb) as client,
    ):
        source = Source(mysql, mongodb, connection, client.get_default_database(), rows)
        source.fill()
        yield source
