"""What is sent ahead of a query, against what MySQL and MariaDB say of every row.

For random predicates over values of every type: MongoDB's filter matches the document of every row for which the
server says TRUE; the SQL written of a predicate gives what its text gives; a predicate that is said to reject a row
without a document is never TRUE for one.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

import pymysql
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pymongo.collection import Collection

from platform_store.association import Column
from platform_store.query.document_filter import document_filter
from platform_store.query.predicates import rejects_null, sql
from tests.integration import pushdown
from tests.integration.conftest import Servers, plain
from tests.servers.databases import fresh_mongodb_database, fresh_sql_database

EXAMPLES = int(os.environ.get("PLATFORM_STORE_PREDICATES", "1000"))
"""Predicates of each test. Where their number is given, the tables and they are others at every run."""
SEED = Random().getrandbits(32) if "PLATFORM_STORE_PREDICATES" in os.environ else 7
COLUMN_TRAPS = (
    "varchar_80__pad = 'a  '",
    "varchar_80__pad < 'a'",
    "varchar_80__pad <= 'a'",
    "varchar_80__pad > 'a\t'",
    "varchar_80__pad >= 'a\t'",
    "varchar_80__ = 'a '",
    "varchar_80__loose = 'A'",
    "varchar_80__loose <> 'A'",
    "varchar_80__loose IN ('A', 'É')",
    "varchar_80__ = 0",
    "varchar_80__ IN ('a', 0)",
    "varchar_80__ BETWEEN 'a' AND 5",
    "char_20__ = 'a '",
    "text_ LIKE 'a_b'",
    "text_ LIKE 'a%b'",
    "text_ LIKE 'a\\\\%b'",
    "text_ LIKE 'a|%b' ESCAPE '|'",
    "text_pad LIKE 'a'",
    "text_ LIKE '_'",
    "text_ NOT LIKE 'a%'",
    "text_ <= 'a'",
    "enum_ = 'A'",
    "enum_ > 'a'",
    "set_ = 'a,b'",
    "NOT (int_ = 1 AND varchar_80__ = 'a')",
    "NOT (int_ = 1 OR varchar_80__ = 'a')",
    "NOT (int_ <=> 1)",
    "int_ <=> NULL",
    "int_ = 1 OR m0 = 1",
    "int_ = 1 AND m0 = 1",
    "int_ NOT IN (1, NULL)",
    "int_ IN (1, 12e0, 0.5)",
    "int_ = '12abc'",
    "int_ = '1e1'",
    "bigint_ = 9223372036854775807e0",
    "bigint_unsigned_ >= 9223372036854775808",
    "float_ = 0.1",
    "double_ = 0.1",
    "decimal_65_30__ = 0.1e0",
    "decimal_35_0__ > 0.5",
    "datetime_ < '2024-05-06 07:08:09.5'",
    "datetime_ = '2024-05-06 07:08:09.5'",
    "datetime_3__ < '2024-05-06'",
    "datetime_6__ <= '2024-05-06 07:08:09.123456'",
    "timestamp_ >= '2024-05-06 07:08:09.9'",
    "date_ < '2024-05-06 10:00:00'",
    "date_ = '2024-05-06 10:00:00'",
    "date_ = '2024-5-6'",
    "date_ = 20240506",
    "time_ > '07:00:00.4'",
    "time_6__ BETWEEN '00:00:01.4' AND '12abc'",
    "time_6__ NOT IN ('07:00:00', '12abc')",
    "year_ = 24",
    "year_ > 70",
    "year_ >= '1999'",
    "bit_9__ > 1",
    "bit_9__ = '1'",
    "binary_3__ >= 'a'",
    "binary_3__ = 'a'",
    "varbinary_80__ > 'ab'",
)
"""Predicates that a filter gets wrong easily, or that one has got wrong."""
JSON_TRAPS = (
    "JSON_CONTAINS(wild, '\"x\"')",
    "JSON_CONTAINS(tags, '-0')",
    "JSON_CONTAINS(tags, '5e-324')",
    "JSON_CONTAINS(tags, '1.0')",
    "JSON_CONTAINS(tags, '[]')",
    "JSON_CONTAINS(wild, '{}')",
    'JSON_CONTAINS(list, \'{"code": "x"}\')',
    "JSON_CONTAINS(tree, '\"x\"', '$.b[0]')",
    "JSON_VALUE(tree, '$.a') = 'x'",
    "JSON_VALUE(wild, '$[0][0].a') = 'x'",
    "JSON_VALUE(tree, '$.a') = 'x '",
    "JSON_VALUE(tree, '$.a') = '1'",
    "JSON_VALUE(tree, '$.a') = 'true'",
    "JSON_VALUE(tree, '$.a') = 1",
    "JSON_VALUE(wild, '$.a') = 'x'",
    "JSON_VALUE(tree, '$.\"k k\"') IS NOT NULL",
    "NOT (JSON_VALUE(tree, '$.a') = 'x')",
    "JSON_UNQUOTE(JSON_EXTRACT(tree, '$.a')) = 'null'",
    "JSON_EXTRACT(tree, '$.a') = 1",
    "JSON_EXTRACT(tree, '$.a') = TRUE",
    "JSON_EXTRACT(tree, '$.a') = 'x'",
    "JSON_EXTRACT(tags, '$[0]') = 'x'",
    "JSON_SEARCH(list, 'one', 'x', NULL, '$[*].code') IS NOT NULL",
    "JSON_SEARCH(tags, 'one', '1') IS NOT NULL",
    "JSON_SEARCH(tree, 'one', 'null', NULL, '$.a') IS NOT NULL",
    "JSON_SEARCH(wild, 'all', 'x%') IS NOT NULL",
    "JSON_SEARCH(wild, 'one', '%', NULL, '$.a') IS NOT NULL",
    "JSON_SEARCH(tags, 'one', 'q\"q') IS NOT NULL",
    "JSON_SEARCH(tags, 'one', 'b\\\\\\\\s') IS NOT NULL",
    "JSON_CONTAINS_PATH(wild, 'all', '$.a', '$**.b')",
    "JSON_CONTAINS_PATH(wild, 'one', '$[0][0]')",
    "'x' MEMBER OF (tags)",
    "TRUE MEMBER OF (tags)",
    "'x' MEMBER OF (wild->'$.a')",
    "JSON_OVERLAPS(tags, '[\"x\", 1]')",
    "wild IS NULL",
    "wild IS NOT NULL",
    "tags = 'x'",
)
SESSION = (
    # for the values; the predicates run under the server's own mode
    "SET NAMES utf8mb4",
    "SET sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00'",
)


@dataclass
class Subject:
    """One table of awkward values, on one server."""

    servers: Servers
    mariadb: bool
    columns: list[Column]
    stored: dict[str, list[object]]
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def collection(self) -> Collection[dict[str, Any]]:
        return self.servers.mongodb["t"]

    def check(self, text: pushdown.Text) -> None:
        """One predicate, whole. What the server refuses is no predicate."""
        full, masked, markers, parameters = pushdown.written(text, self.escape)
        predicate = pushdown.read_predicate(masked, markers, parameters, self.columns)
        self.counts["predicates"] += 1
        if predicate is None:
            self.counts["not read"] += 1
            return
        written = sql(predicate, lambda ref: ref.column.name, self.escape)
        try:
            # each in a statement of its own: MariaDB 10.11 may give the second of two equal expressions another value
            rows = self.servers.sql(f"SELECT id, {full} FROM t ORDER BY id")
            again = self.servers.sql(f"SELECT id, {written} FROM t ORDER BY id")
        except pymysql.err.MySQLError:
            self.counts["refused by the server"] += 1
            return
        assert rows == again, (full, written)
        true = {key for key, truth in rows if truth}
        if rejects_null(predicate, 0):
            self.counts["rejects a missing document"] += 1
            assert pushdown.NO_ROW not in true, full
        found = document_filter(predicate, mariadb=self.mariadb)
        if found is None:
            return
        matched = {document["_id"] for document in self.collection.find(found, {"_id": 1})}
        missing = true - matched - {pushdown.NO_ROW}
        assert not missing, (full, found, self.rows(min(missing)))
        self.counts["pushed"] += 1
        self.counts["rows of pushed"] += pushdown.ROWS
        self.counts["filtered out"] += pushdown.ROWS - len(matched)
        self.counts["not true"] += pushdown.ROWS - len(true - {pushdown.NO_ROW})

    def rows(self, key: int) -> object:
        return self.collection.find_one({"_id": key})

    def escape(self, value: object) -> str:
        connection = self.servers.mysql
        return str(connection.escape(value, connection.encoders))


@pytest.fixture(params=["mysql", "mariadb"], scope="module")
def server(request: pytest.FixtureRequest, mongodb_url: str) -> Iterator[Servers]:
    with (
        fresh_sql_database(request.getfixturevalue(f"{request.param}_url")) as mysql,
        fresh_mongodb_database(mongodb_url) as mongodb,
        plain(mysql, mongodb) as opened,
    ):
        yield opened


def subject(servers: Servers, columns: list[Column], stored: dict[str, list[object]], random: Random) -> Subject:
    made = Subject(servers, "mariadb" in str(servers.sql("SELECT VERSION()")).lower(), columns, stored)
    for statement in SESSION:
        servers.sql(statement)
    made.collection.drop()
    made.collection.insert_many(pushdown.fill(servers.mysql, columns, stored, random))
    for column in columns[::2]:
        if column.in_mongodb:
            made.collection.create_index(column.field)
    return made


def columns_subject(servers: Servers) -> Subject:
    random = Random(SEED)
    columns = pushdown.columns(mariadb="MariaDB" in str(servers.sql("SELECT VERSION()")))
    stored = {column.name: pushdown.values(column, random) for column in columns}
    stored = {name: [value for value in found if pushdown.held_by_mariadb(value)] for name, found in stored.items()}
    return subject(servers, columns, stored, random)


def json_subject(servers: Servers) -> Subject:
    random = Random(SEED)
    columns = pushdown.json_columns()
    stored = {
        column.name: [column.codec.check(pushdown.json_values(column.name, random)) for _ in range(200)]
        for column in columns
    }
    return subject(servers, columns, stored, random)


def run(made: Subject, texts: st.SearchStrategy[pushdown.Text]) -> None:
    """Every predicate that Hypothesis thinks of, and at the end the counts."""

    @settings(
        max_examples=EXAMPLES,
        derandomize=SEED == 7,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(texts)
    def check(text: pushdown.Text) -> None:
        made.check(text)

    check()
    print(SEED, dict(made.counts))


def test_known_traps(server: Servers) -> None:
    made = columns_subject(server)
    for text in COLUMN_TRAPS:
        made.check([text])
    made.check(["double_ = ", pushdown.Constant(Decimal("5.45E-189"), parameter=True)])
    assert made.counts["not read"] == 0
    made = json_subject(server)
    for text in JSON_TRAPS:
        made.check([text])
    assert made.counts["not read"] == 0


def test_columns(server: Servers) -> None:
    made = columns_subject(server)

    run(made, pushdown.column_predicates(made.columns, made.stored))

    assert made.counts["pushed"] > 0.5 * EXAMPLES
    assert made.counts["filtered out"] > 0.3 * made.counts["not true"]


def test_json(server: Servers) -> None:
    made = json_subject(server)

    run(made, pushdown.json_predicates(made.columns))

    assert made.counts["pushed"] > 0.2 * EXAMPLES
    assert made.counts["filtered out"] > 0.2 * made.counts["not true"]
