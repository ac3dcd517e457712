"""Connections to MySQL and MariaDB: the only importer of PyMySQL and DBUtils, and the one place where their errors
become ours.

DBUtils keeps the pool; its transparent replay is switched off, because replaying the last statement on a new
connection would tear a transaction apart. Liveness is checked here instead: a connection that was idle for a second is
pinged before a transaction begins, when nothing can be lost yet.
"""

from __future__ import annotations

import contextlib
import os
import queue
import ssl
import time
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pymysql
from dbutils.pooled_db import PooledDB
from pymysql import converters
from pymysql.connections import Connection
from pymysql.constants import CLIENT, CR, ER
from pymysql.cursors import Cursor, SSCursor

from platform_store.config import MysqlConfig
from platform_store.errors import (
    ConfigError,
    Conflict,
    NotSupported,
    OutcomeUnknown,
    SchemaError,
    TransientError,
    Unavailable,
    ValueRejected,
)
from platform_store.stores.base import DuplicateKey, Parameters, StaleAssociation
from platform_store.stores.mysql_codes import EXHAUSTED, KIND_OF, NAMING_ONLY

_SQL_MODE = "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION"
"""Strict; zero dates and a key of 0 are values like others, since adopted tables hold them."""

_PING_AFTER_IDLE = 1.0  # seconds
_MAX_STATEMENT = 512 * 1024  # characters of one multi-row statement

_SYMBOLS = {code: name for names in (CR, ER) for name, code in vars(names).items() if isinstance(code, int)}


def describe_code(code: int | None) -> str:
    return f"error {code} ({_SYMBOLS.get(code, 'unnamed')})" if code is not None else "an error without a number"


def translate(error: pymysql.Error) -> Exception:
    """Our error for one of PyMySQL's. The server's text is passed on only where it can hold no value."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else None
    said = describe_code(code)
    if code in NAMING_ONLY and len(error.args) > 1:
        said = f"{error.args[1]} ({said})"
    match KIND_OF.get(code) if code is not None else None:
        case "transient":
            return TransientError("mysql", said, code=code)
        case "duplicate":
            return DuplicateKey()
        case "stale":
            return StaleAssociation(said)
        case "value":
            return _refused_value(code, said)
        case "conflict":
            return Conflict(f"a foreign key stands in the way: {said}")
        case "access":
            return _refused_access(code, said)
        case "schema":
            return SchemaError(said)
        case "lost":
            return Unavailable("mysql", said)
    return _by_class(error, code, said)


def _refused_value(code: int | None, said: str) -> ValueRejected:
    if code == ER.NET_PACKET_TOO_LARGE:
        return ValueRejected("the statement is larger than the server's max_allowed_packet: raise it")
    if code in EXHAUSTED:
        return ValueRejected(f"the AUTO_INCREMENT column has no number left (error {code})")
    return ValueRejected(f"MySQL refuses a value: {said}")


def _refused_access(code: int | None, said: str) -> ConfigError:
    if code == ER.BAD_DB_ERROR:
        return ConfigError("MySQL has no such database: create it first", key="mysql.database")
    return ConfigError(f"MySQL refuses the account: {said}", key="mysql.user")


def _by_class(error: pymysql.Error, code: int | None, said: str) -> Exception:
    """For the numbers that are in no list: what PyMySQL takes them for."""
    if isinstance(error, pymysql.InterfaceError):
        return Unavailable("mysql", said)
    if isinstance(error, pymysql.NotSupportedError):
        return NotSupported("the statement", f"is refused by MySQL: {said}")
    if isinstance(error, pymysql.IntegrityError):
        return Conflict(f"MySQL refuses the row: {said}")
    if isinstance(error, pymysql.DataError):
        return ValueRejected(f"MySQL refuses a value: {said}")
    if isinstance(error, pymysql.ProgrammingError):
        return SchemaError(f"MySQL refuses the statement: {said}")
    if code is not None and not 2000 <= code < 3000:  # the server's answer; from 2000 on the client library's own
        return SchemaError(f"MySQL refuses the statement: {said}")
    return Unavailable("mysql", said)


class DuplicateRow(DuplicateKey):
    """A row of :meth:`MysqlSession.insert_rows` is a duplicate; ``before`` rows are in, by statements before its own.

    They are the transaction's own, and so nothing that the duplicate could be a duplicate of.
    """

    def __init__(self, before: int):
        super().__init__()
        self.before = before


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except pymysql.Error as error:
        raise translate(error) from None
    except (OSError, ssl.SSLError) as error:
        raise Unavailable("mysql", type(error).__name__) from None
    except UnicodeEncodeError:
        raise ValueRejected("the statement has a lone surrogate, which is no text") from None


if TYPE_CHECKING:
    _Base = Connection[Cursor]
else:
    _Base = Connection  # generic in the type stubs only


class _NeverRaised(Exception):
    """Named to DBUtils as the only failure to replay after."""


class _Connection(_Base):
    """A PyMySQL connection that prepares its session whenever it connects."""

    def __init__(self, *, session: Sequence[str], **settings: Any):
        self._session = session
        self.used_at = time.monotonic()
        super().__init__(**settings)

    def connect(self, sock: Any = None) -> None:
        """Connects whole or not at all: a session whose preparation was interrupted would not be strict."""
        try:
            super().connect(sock)
            for statement in self._session:
                self.query(statement)
        except BaseException:  # an interrupt between two statements, above all
            self.abandon()
            raise

    def wait_without_end(self) -> None:
        """Lets statements take their time. Called once connected: a server that never greets is still given up."""
        self._read_timeout = self._write_timeout = None

    def revive(self, trusted_since: float) -> None:
        """Connects again where the server has gone meanwhile. Called between operations, when nothing can be lost.

        A connection used within the last second, and after ``trusted_since``, is taken to be alive.
        """
        if self.open:
            if self.used_at > max(trusted_since, time.monotonic() - _PING_AFTER_IDLE):
                return
            with contextlib.suppress(pymysql.Error):
                self.ping()
                return
        self.connect()

    def abandon(self) -> None:
        """Closes this process's end without a word to the server: after a fork the parent still uses the socket."""
        result = getattr(self, "_result", None)
        if result is not None:
            result.unbuffered_active = False  # else its finalizer would read on, from whatever comes next
            self._result = None
        self._force_close()  # type: ignore[attr-defined]  # private, and the only way to close without COM_QUIT


class _Driver:
    """What DBUtils takes for the DB-API module."""

    threadsafety = 1

    def __init__(self, opened: weakref.WeakSet[_Connection]):
        self._opened = opened

    def connect(self, **settings: Any) -> _Connection:
        connection = _Connection(**settings)
        self._opened.add(connection)
        return connection


class MysqlSession:
    """One leased connection. Every method translates the driver's errors."""

    def __init__(self, raw: _Connection):
        self._raw = raw

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> tuple[tuple[Any, ...], ...]:
        with _translated(), self._raw.cursor() as cursor:
            cursor.execute(sql, tuple(parameters))
            return tuple(cursor.fetchall())

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Runs a statement; returns the rows it matched (not only those it changed)."""
        with _translated(), self._raw.cursor() as cursor:
            return int(cursor.execute(sql, tuple(parameters)))

    def insert_rows(self, head: str, rows: Sequence[tuple[str, Sequence[object]]]) -> list[int]:
        """Multi-row INSERT in statements of bounded size; returns each row's AUTO_INCREMENT value.

        A row is its part of the VALUES list and the parameters of that part. Raises DuplicateRow.

        The values of one statement are consecutive: InnoDB gives a simple insert its whole range at once, whatever
        ``innodb_autoinc_lock_mode`` says (MySQL manual, "AUTO_INCREMENT Handling in InnoDB").
        """
        numbers: list[int] = []
        with _translated(), self._raw.cursor() as cursor:
            head = cursor.mogrify(head, ())
            for parts in _statements(cursor.mogrify(template, tuple(row)) for template, row in rows):
                try:
                    cursor.execute(head + ", ".join(parts))
                except pymysql.Error as error:
                    raise _of_insert(error, len(numbers)) from None
                first = cursor.lastrowid or 0
                numbers.extend(range(first, first + len(parts)))
        return numbers

    def begin(self) -> None:
        self.execute("START TRANSACTION")

    def commit(self, table: str, operation: bytes) -> None:
        """COMMIT as a statement of its own. OutcomeUnknown where the connection dies before the answer."""
        try:
            with _translated():
                self._raw.commit()
        except Unavailable:
            raise OutcomeUnknown(table, operation.hex()) from None

    def rollback(self) -> None:
        """Rolls back, and never raises: a connection that cannot is closed, which rolls back on the server."""
        if not self._raw.open:
            return
        try:
            self._raw.rollback()
        except (pymysql.Error, OSError):
            self._raw.abandon()
        except BaseException:  # interrupted before the answer was read: the next statement would take it for its own
            self._raw.abandon()
            raise

    def stream(self, sql: str, parameters: Parameters | None) -> SSCursor:
        with _translated():
            cursor = self._raw.cursor(SSCursor)
            cursor.execute(sql, parameters)
            return cursor

    def abandon(self) -> None:
        self._raw.abandon()


def _of_insert(error: pymysql.Error, before: int) -> Exception:
    ours = translate(error)
    return DuplicateRow(before) if isinstance(ours, DuplicateKey) else ours


def _statements(parts: Iterable[str]) -> Iterator[list[str]]:
    """The parts of a VALUES list, divided into statements of bounded size."""
    statement: list[str] = []
    size = 0
    for part in parts:
        statement.append(part)
        size += len(part)
        if size >= _MAX_STATEMENT:
            yield statement
            statement, size = [], 0
    if statement:
        yield statement


class ResultStream:
    """The rows of one SELECT, unbuffered, in a read-only transaction on a connection of its own."""

    def __init__(self, lease: contextlib.ExitStack, session: MysqlSession, cursor: SSCursor):
        self._lease, self._session, self._cursor = lease, session, cursor
        self._exhausted = False
        self.columns = tuple(column[0] for column in cursor.description or ())

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        with _translated():
            while (row := self._cursor.fetchone()) is not None:
                yield row
        self._exhausted = True

    def close(self) -> None:
        """Ends the statement. An unread rest is not drained: the connection is dropped instead."""
        if self._exhausted:
            self._cursor.close()
            self._session.rollback()
        else:
            self._session.abandon()
        self._lease.close()


class MysqlConnections:
    """A bounded pool of connections to one MySQL database. Safe between threads; a forked child starts its own."""

    def __init__(self, config: MysqlConfig):
        self._config = config
        self._closed = False
        self._opened: weakref.WeakSet[_Connection] = weakref.WeakSet()
        self._start()
        os.register_at_fork(after_in_child=_restart_later(self))

    def _start(self) -> None:
        self._lost_at = 0.0
        self._slots = _slots(self._config.pool_size)
        lock_wait = f"SET innodb_lock_wait_timeout = {int(self._config.lock_wait_timeout)}"
        common = [
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "SET time_zone = '+00:00'",
            f"{lock_wait}, lock_wait_timeout = {int(self._config.lock_wait_timeout)}",
        ]
        self._driver = _Driver(self._opened)
        self._write_settings = self._settings([f"SET sql_mode = '{_SQL_MODE}'", *common])
        self._write_pool = self._pool(self._write_settings)
        # The server's own sql_mode: a query's answer depends on it.
        self._query_pool = self._pool(self._settings(common))

    def _settings(self, session: Sequence[str]) -> dict[str, Any]:
        config = self._config
        settings: dict[str, Any] = {
            "host": config.host,
            "port": config.port,
            "user": config.user,
            "password": config.password,
            "database": config.database,
            "charset": config.charset,
            "unix_socket": config.unix_socket,
            "connect_timeout": config.connect_timeout,
            "read_timeout": config.read_timeout,
            "write_timeout": config.write_timeout,
            "autocommit": True,
            "client_flag": CLIENT.FOUND_ROWS,  # an UPDATE with equal values matches its row
            "session": session,
        }
        if config.tls is not None:
            settings["ssl"] = _tls_context(config)
        return settings

    def _pool(self, settings: Mapping[str, Any]) -> PooledDB:
        size = self._config.pool_size
        return PooledDB(self._driver, maxcached=size, ping=0, reset=False, failures=(_NeverRaised,), **settings)

    @contextlib.contextmanager
    def lease(self, *, query: bool = False) -> Iterator[MysqlSession]:
        """A live connection for one operation. Raises Unavailable."""
        self._check_open()
        with self._slot(), self._pooled(query) as raw:
            session = MysqlSession(raw)
            try:
                with _translated():
                    raw.revive(self._lost_at)
                yield session
            except Unavailable:
                self._lost_at = time.monotonic()  # the others are asked before they are used
                session.abandon()
                raise
            except Exception:  # whatever the caller's block raised: its transaction ends here
                session.rollback()
                raise
            except BaseException:  # interrupted anywhere, even between a request and its answer
                session.abandon()
                raise
            raw.used_at = time.monotonic()

    @contextlib.contextmanager
    def dedicated(self) -> Iterator[MysqlSession]:
        """A connection of its own, for changes of the schema and maintenance; closed at the end. Raises Unavailable.

        It takes no place in the pool: a change that has begun must not wait for readers, who may be waiting for the
        change. Its statements have no timeout of ours, since giving up on an ALTER does not end it. What is not
        committed at the end, the server rolls back.
        """
        self._check_open()
        with _translated():
            raw = self._driver.connect(**self._write_settings)
        raw.wait_without_end()
        session = MysqlSession(raw)
        try:
            yield session
        except Exception:
            session.rollback()  # at once: the server may take its time to notice that the connection is gone
            raise
        except BaseException:  # interrupted anywhere: nobody knows what the server would answer next
            session.abandon()
            raise
        finally:
            raw.close()

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("mysql", "the platform is closed")

    @contextlib.contextmanager
    def _slot(self) -> Iterator[None]:
        """One of the pool's places, given back to where it came from: a fork meanwhile starts the child's own."""
        slots = self._slots
        try:
            slots.get(timeout=self._config.connect_timeout)
        except queue.Empty:
            raise Unavailable(
                "mysql",
                f"all {self._config.pool_size} connections have been in use for {self._config.connect_timeout} s: "
                "close results you no longer read, or raise mysql.pool.size",
            ) from None
        try:
            yield
        finally:
            slots.put(None)

    @contextlib.contextmanager
    def _pooled(self, query: bool) -> Iterator[_Connection]:
        with _translated():
            pooled = (self._query_pool if query else self._write_pool).connection()
        try:
            yield pooled.dbapi_connection
        finally:
            pooled.close()

    def stream(self, sql: str, parameters: Parameters | None) -> ResultStream:
        """Runs one read-only statement; the caller closes the result."""
        with contextlib.ExitStack() as stack:
            session = stack.enter_context(self.lease(query=True))
            session.execute("START TRANSACTION READ ONLY")
            cursor = session.stream(sql, parameters)
            return ResultStream(stack.pop_all(), session, cursor)

    def literal(self, value: object) -> str:
        """``value`` as PyMySQL would write it into a statement (backslash escapes, which our sql_mode allows)."""
        return str(converters.escape_item(value, self._config.charset, converters.encoders))

    def close(self) -> None:
        """Closes every idle connection; those leased end with their operation. Nothing is leased afterwards."""
        self._closed = True
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            self._write_pool.close()
            self._query_pool.close()

    def restart(self) -> None:
        """In a forked child: leaves the parent's sockets alone and starts an empty pool."""
        for connection in list(self._opened):
            connection.abandon()
        self._opened = weakref.WeakSet()
        self._start()


def _slots(count: int) -> queue.SimpleQueue[None]:
    """A token for each place. A queue in C, since a semaphore in Python loses places where a signal interrupts it."""
    slots: queue.SimpleQueue[None] = queue.SimpleQueue()
    for _ in range(count):
        slots.put(None)
    return slots


def _restart_later(connections: MysqlConnections) -> Callable[[], None]:
    """A fork hook that does not keep ``connections`` alive."""
    reference = weakref.ref(connections)

    def restart() -> None:
        living = reference()
        if living is not None:
            living.restart()

    return restart


def _tls_context(config: MysqlConfig) -> ssl.SSLContext:
    assert config.tls is not None
    context = ssl.create_default_context(cafile=None if config.tls.ca is None else str(config.tls.ca))
    if not config.tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if config.tls.cert is not None:
        context.load_cert_chain(str(config.tls.cert), None if config.tls.key is None else str(config.tls.key))
    return context
