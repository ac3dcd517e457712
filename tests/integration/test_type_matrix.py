"""Every declared type against real servers: MySQL or MariaDB, through MongoDB, and back.

Values over the whole range go into a table as the codec says (``direct``), as they were given (``raw``), and after a
stay in a real document (``copied``). All tables must hold the same, bit for bit.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final
from uuid import UUID

import pymysql
import pytest
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo import MongoClient
from pymongo.database import Database
from pymysql.connections import Connection
from pymysql.cursors import Cursor
from sqlalchemy.engine import make_url

from platform_store.codecs import JsonText, codec_for
from platform_store.codecs.json import json_text
from platform_store.errors import ValueRejected
from platform_store.sqltypes import BLOB_BYTES, GEOMETRY_TYPES, TEXT_BYTES, parse_type
from tests.integration.type_matrix import CASES, Case, document
from tests.servers.databases import connect_sql, fresh_mongodb_database, fresh_sql_database

pytestmark = pytest.mark.real

VALUES: Final = 500
DOCS: Final = Path(__file__).parents[2] / "docs" / "types.md"
TEXTS: Final = ("CHAR", "VARCHAR", "ENUM", "SET", *TEXT_BYTES)
NO_CAST: Final = ("BINARY", "VARBINARY", "BIT", *BLOB_BYTES, *GEOMETRY_TYPES)
NO_COMPARISON: Final = ("BIT",)  # MySQL compares it as a number
COMPARED: Final = 7
FRACTIONAL: Final = ("DATETIME", "TIMESTAMP", "TIME")
MARIADB_JSON_LEVELS: Final = 31
OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)


@dataclass(frozen=True)
class Sql:
    """A connection to a database of its own, in the session state that the library uses."""

    connection: Connection[Cursor]
    mariadb: bool

    def run(self, statement: str, *parameters: object) -> Sequence[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall()

    def column(self, name: str, case: Case) -> str:
        sql_type = case.codec.sql_type
        collation = "utf8mb4_nopad_bin" if self.mariadb else "utf8mb4_0900_bin"
        suffix = f" CHARACTER SET utf8mb4 COLLATE {collation}" if sql_type.base in TEXTS else ""
        return f"{name} {sql_type.ddl}{suffix} NULL"

    def create(self, table: str, case: Case) -> None:
        self.run(f"DROP TEMPORARY TABLE IF EXISTS {table}")
        self.run(f"CREATE TEMPORARY TABLE {table} (id INT PRIMARY KEY, {self.column('v', case)})")

    def fill(self, table: str, rows: Sequence[tuple[int, object]]) -> None:
        with self.connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {table} (id, v) VALUES (%s, %s)", rows)

    def contents(self, table: str, case: Case) -> dict[int, tuple[Any, ...]]:
        """For each id: the driver's value, HEX, CAST AS CHAR where the type has one, and the exact read."""
        cast = "NULL" if case.codec.sql_type.base in NO_CAST else "CAST(v AS CHAR)"
        rows = self.run(f"SELECT id, v, HEX(v), {cast}, {case.codec.exact_sql('v')} FROM {table} ORDER BY id")
        return {row[0]: row[1:] for row in rows}


@pytest.fixture(scope="module")
def mysql(mysql_url: str) -> Iterator[Sql]:
    yield from _connected(mysql_url, mariadb=False)


@pytest.fixture(scope="module")
def mariadb(mariadb_url: str) -> Iterator[Sql]:
    yield from _connected(mariadb_url, mariadb=True)


def _connected(server_url: str, *, mariadb: bool) -> Iterator[Sql]:
    with fresh_sql_database(server_url) as url, connect_sql(url, database=make_url(url).database) as connection:
        sql = Sql(connection, mariadb)
        sql.run("SET NAMES utf8mb4")
        sql.run("SET sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00'")
        sql.run("SET max_sort_length = 100000, sort_buffer_size = 67108864")  # to sort whole texts
        yield sql


@pytest.fixture(scope="module")
def mongodb(mongodb_url: str) -> Iterator[Database[dict[str, Any]]]:
    with fresh_mongodb_database(mongodb_url) as url, MongoClient[dict[str, Any]](url) as client:
        yield client.get_default_database().with_options(codec_options=OPTIONS)


def identical(left: object, right: object) -> bool:
    """Equal in type, in key order and in the sign of zero, too."""
    return type(left) is type(right) and repr(left) == repr(right)


def given_values(case: Case, *, mariadb: bool) -> list[object]:
    random = Random(f"{case.type} 1")
    values = [case.example, *case.edges, *(case.draw(random) for _ in range(VALUES))]
    return [value for value in values if _held_by_mariadb(case.codec.check(value))] if mariadb else values


def _held_by_mariadb(stored: object) -> bool:
    return repr(stored) != "-0.0" and _levels(stored) <= MARIADB_JSON_LEVELS


def _levels(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_levels, value.values()), default=0)
    return 1 + max(map(_levels, value), default=0) if isinstance(value, list) else 0


class UnwritableError(Exception):
    """PyMySQL has no way, or a wrong one, to write the value."""


def written_raw(case: Case, value: object) -> object:
    """The given value in the form in which an application without this library would hand it to PyMySQL."""
    base = case.codec.sql_type.base
    if base == "JSON":
        return str(value) if isinstance(value, JsonText) else json.dumps(value)
    if isinstance(value, timedelta) and value < timedelta():
        raise UnwritableError  # its hours come out wrong
    if isinstance(value, datetime) and value.tzinfo is not None:
        raise UnwritableError  # its zone is dropped
    if isinstance(value, (set, frozenset, list, tuple, UUID, memoryview)):
        raise UnwritableError
    return str(value) if isinstance(value, JsonText) else value


@pytest.mark.parametrize(
    ("case", "server"),
    [
        pytest.param(case, server, id=f"{server}-{case.type[:40]}")
        for server in ("mysql", "mariadb")
        for case in CASES
        if case.mariadb or server == "mysql"
    ],
)
def test_type(case: Case, server: str, request: pytest.FixtureRequest, mongodb: Database[dict[str, Any]]) -> None:
    sql: Sql = request.getfixturevalue(server)
    codec = case.codec
    values = given_values(case, mariadb=sql.mariadb)
    stored = [codec.check(value) for value in values]
    for table in ("direct", "copied", "raw"):
        sql.create(table, case)

    # MySQL holds exactly what check() said
    sql.fill("direct", [(number, codec.to_sql(value)) for number, value in enumerate(stored)])
    held = sql.contents("direct", case)
    for number, value in enumerate(stored):
        driver_value, _, _, exact = held[number]
        assert identical(codec.from_sql(driver_value), codec.public(value))
        assert identical(codec.from_exact(exact), value)

    # a document gives back what MySQL gave, and goes back into MySQL unchanged
    documents = mongodb.get_collection(f"{server}_{CASES.index(case)}")
    documents.insert_many({"_id": number, "v": codec.to_bson(value)} for number, value in enumerate(stored))
    for found in documents.find():
        assert identical(codec.from_bson(found["v"]), codec.from_sql(held[found["_id"]][0]))
        assert identical(codec.stored_from_bson(found["v"]), stored[found["_id"]])
    copies = [(found["_id"], codec.to_sql(codec.stored_from_bson(found["v"]))) for found in documents.find()]
    sql.fill("copied", copies)
    assert sql.contents("copied", case) == held

    # the given values, inserted without the codec, are held just so (MariaDB: cuts fractions, keeps JSON verbatim)
    if not (sql.mariadb and codec.sql_type.base in (*FRACTIONAL, "JSON")):
        rows = []
        for number, value in enumerate(values):
            try:
                rows.append((number, written_raw(case, value)))
            except UnwritableError:
                continue
        sql.fill("raw", rows)
        assert sql.contents("raw", case) == {number: held[number] for number, _ in rows}

    if codec.order == "natural" and not (sql.mariadb and codec.sql_type.base == "CHAR"):  # which it sorts as if padded
        _check_order(sql, documents, case, stored)
    if codec.order != "none" and codec.sql_type.base not in NO_COMPARISON:
        for value in stored[:: len(stored) // COMPARED]:
            equal = {number for (number,) in sql.run("SELECT id FROM direct WHERE v = %s", codec.to_sql(value))}
            assert {row["_id"] for row in documents.find({"v": codec.to_bson(value)})} == equal


def _check_order(sql: Sql, documents: Any, case: Case, stored: list[object]) -> None:
    """MongoDB sorts like MySQL; and a range that lets the exceptional forms through loses nothing."""
    exception_type = case.codec.exception_type
    exceptional = set()
    if exception_type is not None:
        exceptional = {found["_id"] for found in documents.find({"v": {"$type": exception_type}})}
    expected = [number for (number,) in sql.run("SELECT id FROM direct ORDER BY v, id") if number not in exceptional]
    found = [row["_id"] for row in documents.find().sort([("v", 1), ("_id", 1)]) if row["_id"] not in exceptional]
    assert found == expected
    if case.codec.sql_type.base in NO_COMPARISON:
        return
    for bound in (stored[number] for number in expected[:: len(expected) // COMPARED]):
        for operator, condition in ((">=", "$gte"), ("<", "$lt")):
            wanted = {
                number
                for (number,) in sql.run(f"SELECT id FROM direct WHERE v {operator} %s", case.codec.to_sql(bound))
            }
            search: list[dict[str, Any]] = [{"v": {condition: case.codec.to_bson(bound)}}]
            search += [] if exception_type is None else [{"v": {"$type": exception_type}}]
            assert wanted <= {row["_id"] for row in documents.find({"$or": search})}


@pytest.mark.parametrize("case", [case for case in CASES if case.rejected], ids=lambda case: case.type[:40])
def test_what_is_rejected_strict_mysql_rejects_too(case: Case, mysql: Sql) -> None:
    mysql.create("direct", case)
    for value in case.rejected:
        with pytest.raises(ValueRejected):
            case.codec.check(value)
        with pytest.raises(pymysql.Error):
            mysql.run("INSERT INTO direct VALUES (1, %s)", written_raw(case, value))


@pytest.mark.parametrize("server", ["mysql", "mariadb"])
def test_what_the_server_calls_a_type_is_the_type(server: str, request: pytest.FixtureRequest) -> None:
    sql: Sql = request.getfixturevalue(server)
    cases = [case for case in CASES if case.mariadb or not sql.mariadb]
    columns = ", ".join(sql.column(f"c{number}", case) for number, case in enumerate(cases))
    sql.run(f"CREATE TABLE every_type ({columns})")
    printed = sql.run(
        "SELECT column_type FROM information_schema.columns "
        "WHERE table_schema = DATABASE() AND table_name = 'every_type' ORDER BY ordinal_position"
    )
    for case, (text,) in zip(cases, printed, strict=True):
        if case.codec.sql_type.base == "JSON" and sql.mariadb:
            assert text == "longtext"
        elif case.codec.sql_type.srid is None:  # which is a column of its own there
            assert parse_type(text) == case.codec.sql_type


@pytest.mark.parametrize("server", ["mysql", "mariadb"])
@pytest.mark.parametrize("fsp", [0, 3, 6])
def test_timestamps_are_moments_in_any_session_time_zone(
    server: str, fsp: int, request: pytest.FixtureRequest, mongodb: Database[dict[str, Any]]
) -> None:
    sql: Sql = request.getfixturevalue(server)
    case = next(case for case in CASES if case.type == (f"TIMESTAMP({fsp})" if fsp else "TIMESTAMP"))
    codec = case.codec
    values = [value for value in given_values(case, mariadb=sql.mariadb) if not str(value).startswith("0000")]
    stored = [codec.check(value) for value in values]
    documents = mongodb.get_collection(f"moments_{server}_{fsp}")
    documents.insert_many({"_id": number, "v": codec.to_bson(value)} for number, value in enumerate(stored))
    sql.create("moments", case)
    sql.fill("moments", [(number, codec.to_sql(value)) for number, value in enumerate(stored)])
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    moments = {}
    for found in documents.find():
        moment = codec.from_bson(found["v"])
        assert isinstance(moment, datetime)
        moments[found["_id"]] = moment
    try:
        for zone, offset in (("+08:00", timedelta(hours=8)), ("-03:30", -timedelta(hours=3, minutes=30))):
            sql.run("SET time_zone = %s", zone)
            for number, local, seconds in sql.run("SELECT id, v, UNIX_TIMESTAMP(v) FROM moments"):
                assert local - offset == moments[number]
                elapsed = moments[number].replace(tzinfo=UTC) - epoch
                assert Decimal(elapsed // timedelta(microseconds=1)) / 10**6 == Decimal(seconds)
    finally:
        sql.run("SET time_zone = '+00:00'")


def test_null_missing_and_json_null_differ(mysql: Sql, mongodb: Database[dict[str, Any]]) -> None:
    case = next(case for case in CASES if case.type == "JSON")
    codec = case.codec
    mysql.create("nulls", case)
    json_null = codec.check(JsonText("null"))
    mysql.fill("nulls", [(1, None), (2, codec.to_sql(json_null))])
    assert mysql.run("SELECT id, v IS NULL, JSON_TYPE(v) FROM nulls ORDER BY id") == ((1, 1, None), (2, 0, "NULL"))
    documents = mongodb.get_collection("nulls")
    documents.insert_many([{"_id": 1, "v": None}, {"_id": 2, "v": codec.to_bson(json_null)}, {"_id": 3}])
    assert [row["_id"] for row in documents.find({"v": {"$type": "null"}})] == [1]
    assert [row["_id"] for row in documents.find({"v": {"$exists": False}})] == [3]
    assert identical(codec.from_bson(documents.find({"_id": 2})[0]["v"]), JsonText("null"))


def test_json_is_written_as_mysql_prints_it(mysql: Sql) -> None:
    case = next(case for case in CASES if case.type == "JSON")
    mysql.create("printed", case)
    stored = [case.codec.check(value) for value in given_values(case, mariadb=False)]
    mysql.fill("printed", [(number, case.codec.to_sql(value)) for number, value in enumerate(stored)])
    for number, text in mysql.run("SELECT id, v FROM printed"):
        assert json_text(stored[number]) == text


def test_json_numbers_made_by_sql_keep_their_digits_in_documents(mysql: Sql) -> None:
    codec = codec_for(parse_type("JSON"))
    ((text,),) = mysql.run("SELECT JSON_OBJECT('a', 0.12345678901234567890123, 'b', 1.5)")
    stored = codec.from_exact(text)
    assert codec.to_sql(codec.stored_from_bson(codec.to_bson(stored))) == text
    assert identical(codec.public(stored), codec.from_sql(text))


def test_json_documents_can_be_replaced_and_set(mongodb: Database[dict[str, Any]]) -> None:
    case = next(case for case in CASES if case.type == "JSON")
    documents = mongodb.get_collection("replaced")
    forms = [case.codec.to_bson(case.codec.check(value)) for value in given_values(case, mariadb=False)]
    for number, form in enumerate(forms):
        documents.replace_one({"_id": number}, {"v": form}, upsert=True)
        documents.update_one({"_id": number}, {"$set": {"w": form}})
    for found in documents.find():
        assert repr(found["w"]) == repr(found["v"])
        assert identical(case.codec.from_bson(found["v"]), case.codec.from_bson(forms[found["_id"]]))


def test_documentation_is_generated() -> None:
    if os.environ.get("PLATFORM_STORE_UPDATE_DOCS") == "1":
        DOCS.write_text(document(), encoding="utf-8")
    assert DOCS.read_text(encoding="utf-8") == document(), "run this test with PLATFORM_STORE_UPDATE_DOCS=1"
