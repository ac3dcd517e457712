"""Connections to MySQL and MariaDB: the only importer of PyMySQL and DBUtils, and the one place where their errors
become ours.

DBUtils keeps the pool; its transparent replay is switched off, because replaying the last statement on a new
connection would tear a transaction apart. Liveness is checked here instead: a connection that was idle for a second is
pinged before a transaction begins, when nothing can be lost yet.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
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

_SQL_MODE = "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION"
"""Strict; zero dates and a key of 0 are values like others, since adopted tables hold them."""

_PING_AFTER_IDLE = 1.0  # seconds
_MAX_STATEMENT = 512 * 1024  # characters of one multi-row statement

_TRANSIENT = {1205, 1213, 3572, 3058}
_DUPLICATE = {1062, 1586}
_STALE = {1054, 1146, 1412, 1615}
_REFUSED_VALUE = {
    1048, 1138, 1263, 1264, 1265, 1292, 1364, 1365, 1366, 1367, 1406, 1411, 1416, 1425, 1426, 1439, 1441, 1525, 1690,
    3037, 3140, 3141, 3144, 3149, 3156, 3617, 3732, 3819, 3854, 4025,
}  # fmt: skip
_FOREIGN_KEY = {1216, 1217, 1451, 1452, 1761, 1762}
_LOST = {
    1040, 1042, 1043, 1053, 1077, 1078, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 1203, 1226, 1290, 1317, 1836,
    1927, 2002, 2003, 2005, 2006, 2012, 2013, 2014, 2026, 2027, 2055, 3024, 3032, 4031, 1969,
}  # fmt: skip
_ACCESS = {1044, 1045, 1095, 1130, 1131, 1132, 1133, 1142, 1143, 1227, 1251, 1370, 1524, 1698, 1820, 3118, 3159}
_SCHEMA = {
    1005, 1007, 1008, 1050, 1051, 1059, 1060, 1061, 1063, 1067, 1068, 1069, 1070, 1071, 1072, 1073, 1074, 1075, 1090,
    1091, 1101, 1103, 1113, 1115, 1117, 1118, 1163, 1166, 1167, 1170, 1171, 1193, 1253, 1273, 1280, 1291, 1293, 1294,
    1347, 1426, 1427, 1439, 1506, 1553, 1664, 1687, 1688, 1794, 1827, 1829, 1830, 1831, 1833, 3152, 3730, 3780, 3959,
    3962,
}  # fmt: skip
_NAMING_ONLY = _SCHEMA | {1054, 1055, 1140, 1146, 1176, 1305, 1318, 1582, 1583, 1109, 1052, 1222, 1241, 1242, 1248}
"""Errors whose message holds identifiers and limits only, never a row's value or a piece of the statement."""

_SYMBOLS = {code: name for names in (CR, ER) for name, code in vars(names).items() if isinstance(code, int)}


def describe_code(code: int | None) -> str:
    return f"error {code} ({_SYMBOLS.get(code, 'unnamed')})" if code is not None else "an error without a number"


def translate(error: pymysql.Error) -> Exception:
    """Our error for one of PyMySQL's. The server's text is passed on only where it can hold no value."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else None
    said = describe_code(code)
    if code in _NAMING_ONLY and len(error.args) > 1:
        said = f"{error.args[1]} ({said})"
    if code in _TRANSIENT:
        return TransientError("mysql", said, code=code)
    if code in _DUPLICATE:
        return DuplicateKey()
    if code in _STALE:
        return StaleAssociation(said)
    if code in _REFUSED_VALUE:
        return ValueRejected(f"MySQL refuses a value: {said}")
    if code == ER.NET_PACKET_TOO_LARGE:
        return ValueRejected("the statement is larger than the server's max_allowed_packet: raise it")
    if code in _FOREIGN_KEY:
        return Conflict(f"a foreign key stands in the way: {said}")
    if code == ER.BAD_DB_ERROR:
        return ConfigError("MySQL has no such database: create it first", key="mysql.database")
    if code in _ACCESS:
        return ConfigError(f"MySQL refuses the account: {said}", key="mysql.user")
    if code in _NAMING_ONLY:
        return SchemaError(said)
    if code in _LOST or isinstance(error, pymysql.InterfaceError) or code == 0:
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
        super().connect(sock)
        for statement in self._session:
            self.query(statement)

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

    def insert_rows(self, head: str, template: str, rows: Sequence[Sequence[object]]) -> list[int]:
        """Multi-row INSERT in statements of bounded size; returns each row's AUTO_INCREMENT value.

        The values of one statement are consecutive: InnoDB gives a simple insert its whole range at once, whatever
        ``innodb_autoinc_lock_mode`` says (MySQL manual, "AUTO_INCREMENT Handling in InnoDB").
        """
        return [number for _, number in self._insert_rows(head, [template] * len(rows), rows)]

    def insert_mixed(self, head: str, templates: Sequence[str], rows: Sequence[Sequence[object]]) -> list[int]:
        """As :meth:`insert_rows`, each row with a template of its own."""
        return [number for _, number in self._insert_rows(head, templates, rows)]

    def _insert_rows(
        self, head: str, templates: Sequence[str], rows: Sequence[Sequence[object]]
    ) -> Iterator[tuple[int, int]]:
        with _translated(), self._raw.cursor() as cursor:
            head = cursor.mogrify(head, ())
            parts: list[str] = []
            size = done = 0
            for number, (template, row) in enumerate(zip(templates, rows, strict=True)):
                part = cursor.mogrify(template, tuple(row))
                parts.append(part)
                size += len(part)
                if size >= _MAX_STATEMENT or number == len(rows) - 1:
                    cursor.execute(head + ", ".join(parts))
                    first = cursor.lastrowid or 0
                    yield from ((done + offset, first + offset) for offset in range(len(parts)))
                    done, parts, size = number + 1, [], 0

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

    def stream(self, sql: str, parameters: Parameters | None) -> SSCursor:
        with _translated():
            cursor = self._raw.cursor(SSCursor)
            cursor.execute(sql, parameters)
            return cursor

    def abandon(self) -> None:
        self._raw.abandon()


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
        self._slots = threading.BoundedSemaphore(self._config.pool_size)
        lock_wait = f"SET innodb_lock_wait_timeout = {int(self._config.lock_wait_timeout)}"
        common = [
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "SET time_zone = '+00:00'",
            f"{lock_wait}, lock_wait_timeout = {int(self._config.lock_wait_timeout)}",
        ]
        self._write_pool = self._pool([f"SET sql_mode = '{_SQL_MODE}'", *common])
        self._query_pool = self._pool(common)  # the server's own sql_mode: a query's answer depends on it

    def _pool(self, session: Sequence[str]) -> PooledDB:
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
        return PooledDB(
            _Driver(self._opened), maxcached=config.pool_size, ping=0, reset=False, failures=(_NeverRaised,), **settings
        )

    @contextlib.contextmanager
    def lease(self, *, query: bool = False) -> Iterator[MysqlSession]:
        """A live connection for one operation. Raises Unavailable."""
        if self._closed:
            raise Unavailable("mysql", "the platform is closed")
        if not self._slots.acquire(timeout=self._config.connect_timeout):
            raise Unavailable(
                "mysql",
                f"all {self._config.pool_size} connections have been in use for {self._config.connect_timeout} s: "
                "close results you no longer read, or raise mysql.pool.size",
            )
        try:
            with _translated():
                pooled = (self._query_pool if query else self._write_pool).connection()
            try:
                raw: _Connection = pooled.dbapi_connection
                with _translated():
                    raw.revive(self._lost_at)
                session = MysqlSession(raw)
                try:
                    yield session
                except Unavailable:
                    self._lost_at = time.monotonic()  # the others are asked before they are used
                    session.abandon()
                    raise
                except Exception:
                    session.rollback()
                    raise
                except BaseException:  # interrupted anywhere, even between a request and its answer
                    session.abandon()
                    raise
                raw.used_at = time.monotonic()
            finally:
                pooled.close()
        finally:
            self._slots.release()

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
