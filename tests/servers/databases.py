"""Databases of one test each on a server that all tests share; the drivers are used directly, never the library."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import pymongo
import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor
from sqlalchemy.engine import make_url

CONNECT_TIMEOUT = 20.0  # generous: a machine under load answers late, and a server that runs must not be given up
READ_TIMEOUT = 60  # seconds, so that a server that hangs is noticed
DROP_LOCK_SECONDS = 15  # a connection left open by a test fails the drop with a clear error instead of hanging it


@contextlib.contextmanager
def connect_sql(url: str, *, database: str | None = None) -> Iterator[Connection[Cursor]]:
    """A connection to the server of a URL (with its TLS settings), in the given database or in none."""
    parts = make_url(url).set(drivername="mysql+pymysql", database=database)
    _, arguments = parts.get_dialect()().create_connect_args(parts)
    bounds = {"connect_timeout": int(CONNECT_TIMEOUT), "read_timeout": READ_TIMEOUT}
    connection = pymysql.connect(**{**bounds, **arguments, "autocommit": True})
    try:
        yield connection
    finally:
        connection.close()


def sql_version(url: str) -> str:
    """The version a MySQL or MariaDB server reports."""
    with connect_sql(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        row = cursor.fetchone()
    return str(row[0]) if row else "unknown"


def mongodb_version(url: str) -> str:
    """The version a MongoDB server reports."""
    with _connect_mongodb(url) as client:
        return str(client.server_info()["version"])


@contextlib.contextmanager
def fresh_sql_database(url: str) -> Iterator[str]:
    """The URL of a new, empty database on a MySQL or MariaDB server; dropped at the end."""
    name = _unique_name()
    with connect_sql(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    try:
        yield make_url(url).set(database=name).render_as_string(hide_password=False)
    finally:
        with connect_sql(url) as connection, connection.cursor() as cursor:
            cursor.execute(f"SET SESSION lock_wait_timeout = {DROP_LOCK_SECONDS}")
            cursor.execute(f"DROP DATABASE IF EXISTS {name}")


@contextlib.contextmanager
def fresh_mongodb_database(url: str) -> Iterator[str]:
    """The URL of a database nobody else uses on a MongoDB server; dropped at the end."""
    name = _unique_name()
    try:
        yield with_mongodb_database(url, name)
    finally:
        with _connect_mongodb(url) as client:
            client.drop_database(name)


def with_mongodb_database(url: str, name: str) -> str:
    """The URL with another database; an account stays in the database it was in, which the path may have named."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if "@" in parts.netloc and "authsource" not in {option.lower() for option in options}:
        options["authSource"] = parts.path.strip("/") or "admin"
    return urlunsplit((parts.scheme, parts.netloc, f"/{name}", urlencode(options), ""))


def _connect_mongodb(url: str) -> pymongo.MongoClient[dict[str, Any]]:
    if "serverselectiontimeoutms" in url.lower():
        return pymongo.MongoClient(url)
    return pymongo.MongoClient(url, serverSelectionTimeoutMS=int(CONNECT_TIMEOUT * 1000))


def _unique_name() -> str:
    return f"platform_test_{secrets.token_hex(8)}"
