"""Databases of one test each on a server that all tests share; the drivers are used directly, never the library."""

from __future__ import annotations

import contextlib
import secrets
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import pymongo
import pymysql.connections
from pymysql.cursors import Cursor
from sqlalchemy.engine import make_url

CONNECT_TIMEOUT = 20.0  # generous: a machine under load answers late, and a server that runs must not be given up
READ_TIMEOUT = 120  # seconds, so that a server that hangs is noticed
DROP_LOCK_SECONDS = 60  # a connection left open by a test fails the drop with a clear error instead of hanging it

Documents = dict[str, Any]


if TYPE_CHECKING:
    _Base = pymysql.connections.Connection[Cursor]
else:
    _Base = pymysql.connections.Connection  # generic in the type stubs only


class Connection(_Base):
    """As PyMySQL's, without its reading the machine's certificates for each one (15 ms) where it verifies none."""

    def _create_ssl_ctx(self, given: Any) -> ssl.SSLContext:
        if given:
            return super()._create_ssl_ctx(given)  # type: ignore[misc,no-any-return]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


def sql_connection(url: str, **options: Any) -> Connection:
    """A connection to the database of a URL (with its TLS settings). ``options``: those of PyMySQL."""
    parts = make_url(url).set(drivername="mysql+pymysql")
    _, arguments = parts.get_dialect()().create_connect_args(parts)
    bounds = {"connect_timeout": int(CONNECT_TIMEOUT), "read_timeout": READ_TIMEOUT}
    return Connection(**{**bounds, **arguments, "autocommit": True, **options})


def process_list(*, mariadb: bool) -> str:
    """The table of a server's connections.

    MySQL's own of that name cannot be read while any of them runs a statement that holds more than the characters of
    three bytes, such as a document.
    """
    return "information_schema.PROCESSLIST" if mariadb else "performance_schema.processlist"


@contextlib.contextmanager
def connect_sql(url: str, *, database: str | None = None) -> Iterator[Connection]:
    """A connection to the server of a URL, in the given database or in none."""
    with contextlib.closing(sql_connection(url, database=database)) as connection:
        yield connection


def sql_version(url: str) -> str:
    """The version a MySQL or MariaDB server reports."""
    with connect_sql(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        row = cursor.fetchone()
    return str(row[0]) if row else "unknown"


def mongodb_version(url: str) -> str:
    """The version a MongoDB server reports."""
    with connect_mongodb(url) as client:
        return str(client.server_info()["version"])


@contextlib.contextmanager
def fresh_sql_database(url: str, administrator: Connection | None = None) -> Iterator[str]:
    """The URL of a new, empty database on a MySQL or MariaDB server; dropped at the end.

    ``administrator``: a connection to the server, which then makes and drops it.
    """
    name = _unique_name()
    _administer(url, administrator, f"CREATE DATABASE {name}")
    try:
        yield make_url(url).set(database=name).render_as_string(hide_password=False)
    finally:
        lock_wait = f"SET SESSION lock_wait_timeout = {DROP_LOCK_SECONDS}"
        _administer(url, administrator, lock_wait, f"DROP DATABASE IF EXISTS {name}")


def _administer(url: str, administrator: Connection | None, *statements: str) -> None:
    connecting = contextlib.nullcontext(administrator) if administrator else connect_sql(url)
    with connecting as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextlib.contextmanager
def fresh_mongodb_database(url: str, administrator: pymongo.MongoClient[Documents] | None = None) -> Iterator[str]:
    """The URL of a database nobody else uses on a MongoDB server; dropped at the end.

    ``administrator``: a client of the server, which then drops it.
    """
    name = _unique_name()
    try:
        yield with_mongodb_database(url, name)
    finally:
        with contextlib.nullcontext(administrator) if administrator else connect_mongodb(url) as client:
            client.drop_database(name)


def with_mongodb_database(url: str, name: str) -> str:
    """The URL with another database; an account stays in the database it was in, which the path may have named."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if "@" in parts.netloc and "authsource" not in {option.lower() for option in options}:
        options["authSource"] = parts.path.strip("/") or "admin"
    return urlunsplit((parts.scheme, parts.netloc, f"/{name}", urlencode(options), ""))


def connect_mongodb(url: str) -> pymongo.MongoClient[Documents]:
    """A client of the server of a URL."""
    if "serverselectiontimeoutms" in url.lower():
        return pymongo.MongoClient(url)
    return pymongo.MongoClient(url, serverSelectionTimeoutMS=int(CONNECT_TIMEOUT * 1000))


def _unique_name() -> str:
    return f"platform_test_{secrets.token_hex(4)}"
