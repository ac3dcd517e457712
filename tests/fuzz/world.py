"""A scenario in databases: in one plain table set, and through the library under a split."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pymysql
from pymongo import MongoClient
from pymongo.database import Database
from pymysql.constants import CLIENT

from platform_store import ColumnAttribute, Config, Platform
from platform_store.codecs import codec_for
from platform_store.config import JournalConfig, MongodbConfig, MysqlConfig
from platform_store.records import Placement
from platform_store.sqltypes import parse_type
from tests.fuzz.answers import Answer, answer_of, refusal_of
from tests.fuzz.families import BINARY, Server
from tests.fuzz.nodes import Parameters
from tests.fuzz.scenario import Change, Flags, Row, Scenario, Table
from tests.servers.databases import Connection, fresh_mongodb_database, fresh_sql_database, sql_connection

LENIENT = "SET sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION'"
"""As the library writes: zero dates are values like others."""

_PATIENCE = {"mysql": "SET max_execution_time = 10000", "mariadb": "SET max_statement_time = 10"}

_TEXTS = ("CHAR", "TEXT", "ENUM", "SET")


@dataclass(frozen=True)
class Urls:
    """The servers of a run."""

    server: Server
    sql: str = field(repr=False)
    mongodb: str = field(repr=False)


OTHER_PLANS = (
    "derived_merge=off,semijoin=off",
    "materialization=off,firstmatch=off,loosescan=off",
    "derived_merge=off,condition_fanout_filter=off,index_condition_pushdown=off",
)


_BUFFERED = re.compile(r"^SELECT\b(?! DISTINCT)", re.IGNORECASE)
"""Where a statement can be told to take a temporary table on the way to its answer."""


class Plain:
    """Every column in one MySQL database, asked by the driver alone."""

    def __init__(self, connection: pymysql.connections.Connection[pymysql.cursors.Cursor], server: Server):
        self._connection, self._server = connection, server

    def ask_otherwise(self, sql: str, parameters: Parameters) -> Iterator[Answer]:
        """What MySQL gives by other plans: where that is not the same, the statement has several answers."""
        for switches in OTHER_PLANS:
            text = switches if self._server == "mysql" else switches.replace("condition_fanout_filter=off,", "")
            with self._connection.cursor() as cursor:
                cursor.execute("SET @before = @@optimizer_switch")
                cursor.execute("SET optimizer_switch = %s", (text,))
            try:
                yield self.ask(sql, parameters)
            finally:
                with self._connection.cursor() as cursor:
                    cursor.execute("SET optimizer_switch = @before")
        yield self.ask(_BUFFERED.sub(r"\g<0> SQL_BUFFER_RESULT", sql, count=1), parameters)

    def ask(self, sql: str, parameters: Parameters) -> Answer:
        with self._connection.cursor() as cursor:
            try:
                cursor.execute(sql, parameters)
                return answer_of(cursor.description, cursor.fetchall())
            except pymysql.Error as error:
                return refusal_of(error)
            except UnicodeDecodeError as error:  # bytes in what the server calls text; the driver has hung up
                self._connection.ping(reconnect=True)
                return refusal_of(error)


class Split:
    """The same tables through the library."""

    def __init__(self, platform: Platform, flags: Flags):
        self.platform, self.flags = platform, flags

    def ask(self, sql: str, parameters: Parameters) -> Answer:
        return library_answer(self.platform, sql, parameters)


def library_answer(platform: Platform, sql: str, parameters: Parameters) -> Answer:
    """What ``query`` gives, with the driver's description where the result lets it be seen."""
    try:
        with platform.query(sql, parameters) as result:
            inner = getattr(getattr(result, "_cursor", None), "_cursor", None)
            description = getattr(inner, "description", None) or [(name,) for name in result.columns]
            columns = [(name, *column[1:]) for name, column in zip(result.columns, description, strict=True)]
            answer = answer_of(columns, result)
            return replace(answer, ways=tuple(source.way for source in result.plan.sources))
    except Exception as error:  # noqa: BLE001  # what is no error of ours is a mismatch
        return refusal_of(error)


@contextlib.contextmanager
def plain(urls: Urls, scenario: Scenario) -> Iterator[Plain]:
    """A fresh database with the scenario's final rows, every column in MySQL."""
    with fresh_sql_database(urls.sql) as url, _connection(url) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@sql_mode")
            ((mode,),) = cursor.fetchall()
            cursor.execute(LENIENT)
            for table in scenario.tables:
                _create(cursor, urls.server, table, len(table.columns))
                for row in scenario.final(table.name):
                    _insert(cursor, table, row)
            cursor.execute("SET sql_mode = %s", (mode,))
            cursor.execute(_PATIENCE[urls.server])
        yield Plain(connection, urls.server)


@contextlib.contextmanager
def split(urls: Urls, scenario: Scenario, flags: Flags) -> Iterator[Split]:
    """Fresh databases in which the scenario happened through the library."""
    with contextlib.ExitStack() as stack:
        sql_url = stack.enter_context(fresh_sql_database(urls.sql))
        mongodb_url = stack.enter_context(fresh_mongodb_database(urls.mongodb))
        client: MongoClient[dict[str, Any]] = stack.enter_context(MongoClient(mongodb_url))
        config = Config(
            mysql=MysqlConfig.from_url(sql_url),
            mongodb=MongodbConfig.from_url(mongodb_url),
            journal=JournalConfig(reaper=False),
        )
        platform = stack.enter_context(Platform.open(config))
        with _connection(sql_url) as connection, connection.cursor() as cursor:
            cursor.execute(LENIENT)
            _play(platform, client.get_default_database(), cursor, scenario, flags)
        yield Split(platform, flags)


def _play(
    platform: Platform,
    documents: Database[dict[str, Any]],
    cursor: pymysql.cursors.Cursor,
    scenario: Scenario,
    flags: Flags,
) -> None:
    for table in scenario.tables:
        _make(platform, cursor, scenario, table, flags[table.name])
    for table in scenario.tables:
        _write_first(platform, scenario, table, flags[table.name])
        if table.late:
            flag = flags[table.name]
            to: Placement = "both" if flag == -1 else "mysql" if flag == table.keys - 1 else "mongodb"
            first = table.columns[-1]
            platform.add_column(table.name, _renamed(first, table.formerly or first.name), to=to)
        if table.formerly is not None:
            platform.rename_column(table.name, table.formerly, table.columns[-1].name)
    assert platform.recover().remaining == 0
    before = {table.name: _documents(documents, table) for table in scenario.tables}
    for change in scenario.later:
        _perform(platform, scenario.table(change.table), change)
    for table in scenario.tables:
        _hold_back(documents, table, before[table.name], Random(scenario.held))


def _make(
    platform: Platform, cursor: pymysql.cursors.Cursor, scenario: Scenario, table: Table, flag: int | None
) -> None:
    if flag is None:
        assert table.bare_at is not None
        _create(cursor, scenario.server, table, table.bare_at)
        for change in scenario.first:
            if change.table == table.name and change.kind == "bare":
                _insert(cursor, table, change.row)
        platform.associate(table.name, columns=table.columns)
        return
    columns = list(table.columns[:-1] if table.late else table.columns)
    if table.formerly is not None and not table.late:
        columns[-1] = _renamed(columns[-1], table.formerly)
    platform.create_table(table.name, columns, flag, key=table.key, extra=table.extra)


def _write_first(platform: Platform, scenario: Scenario, table: Table, flag: int | None) -> None:
    """The first changes: new rows in one batch, then the rest one by one."""
    changes = [change for change in scenario.first if change.table == table.name]
    rows = [
        _given(table, change, whole=not table.late)
        for change in changes
        if change.kind == "write" or (change.kind == "bare" and flag is not None)
    ]
    if rows:
        platform.write_many(table.name, rows)
    for change in changes:
        if change.kind in ("update", "delete"):
            _perform(platform, table, change, formerly=table.formerly if not table.late else None)


def _given(table: Table, change: Change, *, whole: bool) -> Row:
    """A new row as it is written; a bare one has NULL, not the defaults, where it has no document."""
    row = {**change.row, **(change.extra or {})}
    if change.kind == "bare":
        assert table.bare_at is not None
        for position, attribute in enumerate(table.columns):
            row.setdefault(attribute.name, None if position >= table.bare_at else attribute.default)
    return _former(table, row) if whole else row


def _former(table: Table, row: Row) -> Row:
    last = table.columns[-1].name
    if table.formerly is None:
        return row
    return {table.formerly if name == last else name: value for name, value in row.items()}


def _perform(platform: Platform, table: Table, change: Change, formerly: str | None = None) -> None:
    values = {name: change.row[name] for name in table.key}
    key = tuple(values.values()) if table.keys > 1 else next(iter(values.values()))
    if change.kind == "delete":
        assert platform.delete(table.name, key)
    elif change.kind == "update":
        changes = {name: value for name, value in change.row.items() if name not in values}
        platform.update(table.name, key, _former(table, changes) if formerly else changes)
    else:
        platform.write(table.name, {**change.row, **(change.extra or {})})


def _renamed(attribute: ColumnAttribute, name: str) -> ColumnAttribute:
    return ColumnAttribute(
        name, attribute.type, attribute.nullable, attribute.default, attribute.auto_increment, attribute.collation
    )


def _documents(documents: Database[dict[str, Any]], table: Table) -> dict[str, dict[str, Any]]:
    return {repr(document["_id"]): document for document in documents[table.name].find()}


def _hold_back(
    documents: Database[dict[str, Any]], table: Table, before: dict[str, dict[str, Any]], chance: Random
) -> None:
    """Undoes some of the later changes in MongoDB, as if they had not arrived there: the journal has them all."""
    for name, document in sorted(_documents(documents, table).items()):
        if document == before.get(name) or chance.random() < 0.5:
            continue
        collection = documents[table.name]
        collection.delete_one({"_id": document["_id"]})
        if name in before:
            collection.insert_one(before[name])


@contextlib.contextmanager
def _connection(url: str) -> Iterator[Connection]:
    utc = "SET time_zone = '+00:00'"
    with sql_connection(url, charset="utf8mb4", client_flag=CLIENT.FOUND_ROWS, init_command=utc) as connection:
        yield connection


def _create(cursor: pymysql.cursors.Cursor, server: Server, table: Table, count: int) -> None:
    declared = [_declared(server, attribute, attribute.name in table.key) for attribute in table.columns[:count]]
    declared.append(f"PRIMARY KEY ({', '.join(map(quoted, table.key))})")
    cursor.execute(f"CREATE TABLE {quoted(table.name)} ({', '.join(declared)}) ENGINE=InnoDB")


def _declared(server: Server, attribute: ColumnAttribute, key: bool) -> str:
    text = parse_type(attribute.type).ddl
    if parse_type(attribute.type).base.endswith(_TEXTS):
        collation = attribute.collation or (BINARY[server] if key else None)
        text += f" CHARACTER SET utf8mb4 COLLATE {collation}" if collation else ""
    return f"{quoted(attribute.name)} {text} {'NULL' if attribute.nullable else 'NOT NULL'}"


def _insert(cursor: pymysql.cursors.Cursor, table: Table, row: Row) -> None:
    types = {attribute.name: parse_type(attribute.type) for attribute in table.columns}
    values = []
    for name, value in row.items():
        codec = codec_for(types[name])
        values.append(None if value is None else codec.to_sql(codec.check(value)))
    names = ", ".join(quoted(name).replace("%", "%%") for name in row)
    places = ", ".join(["%s"] * len(values))
    cursor.execute(f"INSERT INTO {quoted(table.name).replace('%', '%%')} ({names}) VALUES ({places})", values)


def quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
