"""The drivers of MySQL and MariaDB: the only importer of PyMySQL and DBUtils, and the one place where their errors
become ours.

DBUtils keeps the pool; its transparent replay is switched off, because replaying the last statement on a new
connection would tear a transaction apart.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import socket
import ssl
import struct
import threading
import time
import weakref
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import methodcaller
from typing import TYPE_CHECKING, Any, TypeAlias

import pymysql
from dbutils.pooled_db import PooledDB
from pymysql import converters
from pymysql.connections import TEXT_TYPES, MySQLResult
from pymysql.connections import Connection as _Connection
from pymysql.constants import CLIENT, COMMAND, CR, ER, FIELD_TYPE
from pymysql.cursors import Cursor, SSCursor
from pymysql.protocol import FieldDescriptorPacket

from platform_store.config import MysqlConfig
from platform_store.errors import (
    ConfigError,
    Conflict,
    NotSupported,
    SchemaError,
    TransientError,
    Unavailable,
    ValueRejected,
)
from platform_store.stores import mysql_text as text
from platform_store.stores.base import DuplicateKey, NotGrouped, Parameters, StaleAssociation
from platform_store.stores.mysql_codes import EXHAUSTED, KIND_OF, NAMING_ONLY, NO_UPLOADS, UNGROUPED
from platform_store.stores.mysql_text import Decoder
from platform_store.stores.mysql_wire import Wire

__all__ = [
    "Connection",
    "Cursor",
    "Driver",
    "Pool",
    "forsake",
    "literal",
    "pool",
    "settings",
    "stream",
    "translate",
    "translated",
]

_PING_AFTER_IDLE = 1.0  # seconds
_RECEIVED = 256 * 1024  # bytes, of an answer at once
_UPLOAD_PACKET = 1024 * 1024  # bytes: each is a wait for the interpreter, where another thread is busy

_PREPARED = struct.Struct("<xIH")  # what is said of a prepared statement: its number, and how many columns it has
_EXECUTE = struct.Struct("<IBI")  # number, no cursor, once
_NUMBER = struct.Struct("<I")
_FIXED = {
    FIELD_TYPE.TINY: "b",
    FIELD_TYPE.SHORT: "h",
    FIELD_TYPE.YEAR: "h",
    FIELD_TYPE.INT24: "4s",  # as BSON has it
    FIELD_TYPE.LONG: "4s",
    FIELD_TYPE.LONGLONG: "q",
    FIELD_TYPE.FLOAT: "4s",
    FIELD_TYPE.DOUBLE: "8s",
}
_UNSIGNED_FIXED = {**_FIXED, FIELD_TYPE.TINY: "B", FIELD_TYPE.SHORT: "H", FIELD_TYPE.INT24: "I", FIELD_TYPE.LONG: "I",
                   FIELD_TYPE.LONGLONG: "Q"}  # fmt: skip
_UNSIGNED = 32  # a column's flag

_BINARY = 63  # the number of the character set of bytes
_UTF8 = "utf8"  # as PyMySQL calls the encoding

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
            return NotGrouped(said) if code in UNGROUPED else SchemaError(said)
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


@contextlib.contextmanager
def translated() -> Iterator[None]:
    try:
        yield
    except pymysql.Error as error:
        raise translate(error) from None
    except (OSError, ssl.SSLError) as error:
        raise Unavailable("mysql", type(error).__name__) from None
    except UnicodeEncodeError:
        raise ValueRejected("the statement has a lone surrogate, which is no text") from None


if TYPE_CHECKING:
    _Base = _Connection[Cursor]
else:
    _Base = _Connection  # generic in the type stubs only


class _NeverRaised(Exception):
    """Named to DBUtils as the only failure to replay after."""


def _datetime(text: str) -> Any:
    """As PyMySQL reads DATETIME and TIMESTAMP, in a fraction of its time; zero dates and the like are left to it."""
    try:
        return datetime.datetime.fromisoformat(text)
    except ValueError:
        return converters.convert_datetime(text)


_CONVERSIONS = {**converters.conversions, FIELD_TYPE.DATETIME: _datetime, FIELD_TYPE.TIMESTAMP: _datetime}


@lru_cache(maxsize=512)
def _described(definitions: Sequence[bytes], encoding: str) -> tuple[Sequence[Any], Sequence[Any], Sequence[Decoder]]:
    """The fields and the description of these columns as PyMySQL has them, and how their values are decoded."""
    fields: list[Any] = [FieldDescriptorPacket(data, encoding) for data in definitions]
    return fields, tuple(field.description() for field in fields), [_decoder(field, encoding) for field in fields]


def _decoder(field: Any, encoding: str) -> Decoder:
    """As PyMySQL decodes a column."""
    kind, convert = field.type_code, _CONVERSIONS.get(field.type_code)
    decoder: list[Callable[[Any], Any]] = []
    if kind in TEXT_TYPES or kind == FIELD_TYPE.JSON:
        if kind == FIELD_TYPE.JSON or field.charsetnr != _BINARY:
            decoder.append(bytes.decode if encoding == _UTF8 else methodcaller("decode", encoding))
    elif convert not in (int, float):  # which read digits as they are
        decoder.append(bytes.decode)
    if convert not in (None, converters.through):
        decoder.append(convert)
    return tuple(decoder)


class _Result(MySQLResult):
    """An answer that can ask for no file: only what :meth:`Connection.upload` was given ever leaves this process.

    Its rows are read many at a time.
    """

    def __init__(self, connection: Any):
        super().__init__(connection)
        self._decoders: Sequence[Decoder] = ()
        self._kept: list[tuple[Any, ...]] = []

    def _read_load_local_packet(self, _file_name: object) -> None:
        connection: Any = self.connection
        connection.send_upload()
        self._read_ok_packet(connection._read_packet())  # type: ignore[attr-defined]  # private

    def _get_descriptions(self) -> None:
        connection: Any = self.connection
        *definitions, _ = self._packets(self.field_count + 1)  # the last one says that there are no more
        self.fields, self.description, self._decoders = _described(tuple(definitions), connection.encoding)

    def _packets(self, count: int) -> list[bytes]:
        """What so many packets hold; those that have arrived are taken together."""
        connection: Any = self.connection
        packets, size = text.packets(connection._rfile.peek(), count)
        connection._rfile.read(size)
        connection._next_seq_id = (connection._next_seq_id + len(packets)) % 256
        return packets + [connection._read_packet().get_all_data() for _ in range(count - len(packets))]

    def _read_rowdata_packet(self) -> None:
        values: list[bytes | None] = []
        while self._arrived(values):
            pass
        self.connection = None
        self.rows = text.rows(values, self._decoders)
        self.affected_rows = len(self.rows)

    def _read_rowdata_packet_unbuffered(self) -> tuple[Any, ...] | None:
        """The next row. Those that have arrived with it are kept for the next calls."""
        if not self._kept and self.unbuffered_active:
            values: list[bytes | None] = []
            if not self._arrived(values):
                self.unbuffered_active = False
                self.connection = None
            self._kept = list(reversed(text.rows(values, self._decoders)))
        return self._kept.pop() if self._kept else None

    def _arrived(self, values: list[bytes | None]) -> bool:
        """Adds the values of the rows that have arrived, waiting for one if need be; False where it was the last."""
        connection: Any = self.connection
        taken, packets = text.take(connection._rfile.peek(), values)
        if taken:
            connection._rfile.read(taken)
            connection._next_seq_id = (connection._next_seq_id + packets) % 256
            return True
        packet = connection._read_packet()  # the end, or what has not arrived whole
        if self._check_packet_is_eof(packet):  # type: ignore[attr-defined]  # private
            return False
        data = packet.get_all_data()
        text.take_row(data, 0, len(data), values)
        return True


class Connection(_Base):
    """A PyMySQL connection that prepares its session whenever it connects.

    ``session_mode``: its sql_mode, the server's own unless ``session`` sets one. ``uploads``: whether it takes
    :meth:`upload`.
    """

    def __init__(self, *, session: Sequence[str], **settings: Any):
        self._session = session
        self._upload: bytes | None = None
        self.server = ""
        self.session_mode = ""
        self.mariadb = False
        self.uploads = False
        self.used_at = time.monotonic()
        super().__init__(**settings)

    def connect(self, sock: Any = None) -> None:
        """Connects whole or not at all: a session whose preparation was interrupted would not be strict."""
        try:
            super().connect(sock)
            for statement in self._session:
                self.query(statement)
            self._upload = None
            self.server = self._identity()
        except BaseException:  # an interrupt between two statements, above all
            self.abandon()
            raise

    def _identity(self) -> str:
        """The server's own identifier and the second in which it started, which both stay as long as it runs."""
        self.mariadb = "MariaDB" in str(self.get_server_info())  # type: ignore[no-untyped-call]
        identifier, schema = "server_uuid", "performance_schema"
        if self.mariadb:
            identifier, schema = "server_uid", "information_schema"
        with self.cursor() as cursor:
            cursor.execute(
                f"SELECT @@{identifier}, CAST(UNIX_TIMESTAMP() - VARIABLE_VALUE AS SIGNED), "
                "@@auto_increment_increment, @@auto_increment_offset, @@sql_mode, @@local_infile "
                f"FROM {schema}.global_status WHERE VARIABLE_NAME = 'Uptime'"
            )
            ((name, started, increment, offset, self.session_mode, files),) = cursor.fetchall()
        _check_numbering(increment, offset)
        self.uploads = bool(files and self._local_infile)  # type: ignore[attr-defined]  # not in the stubs
        return f"{name}@{started}"

    def _create_ssl_ctx(self, sslp: Any) -> ssl.SSLContext:
        """For the encryption that PyMySQL takes up where a server offers it: nothing is checked, nothing is loaded."""
        if sslp:
            return super()._create_ssl_ctx(sslp)  # type: ignore[misc,no-any-return]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    def _read_query_result(self, unbuffered: bool = False) -> Any:
        """As PyMySQL's own, with answers that can ask for no file."""
        self._result = None
        result = _Result(self)
        if unbuffered:
            result.init_unbuffered_query()
        else:
            result.read()
        self._result = result
        if result.server_status is not None:
            self.server_status = result.server_status
        return result.affected_rows

    def send(self, statements: bytes) -> None:
        """Sends a packet of statements. The answers to all of them are to be received before anything else is asked."""
        self._execute_command(COMMAND.COM_QUERY, statements)  # type: ignore[attr-defined]  # private

    def receive(self) -> tuple[tuple[tuple[Any, ...], ...], int, int]:
        """The answer to the next of these statements: its rows, how many it matched, and the first number allocated."""
        self._read_query_result()
        result: Any = self._result
        return result.rows or (), result.affected_rows, result.insert_id or 0

    def upload(self, statement: str, data: bytes) -> bool:
        """Runs a LOAD DATA LOCAL INFILE whose file is ``data``; False where the server will not have it any more."""
        self._upload = data
        try:
            self.uploads = self.attempt(statement, NO_UPLOADS)
        finally:
            self._upload = None
        return self.uploads

    def attempt(self, statement: str, refusals: Container[int]) -> bool:
        """Runs a statement; False where the server refuses it with one of these error numbers."""
        try:
            self.query(statement)
        except pymysql.Error as error:
            if error.args[0] not in refusals:
                raise
            return False
        return True

    def send_upload(self) -> None:
        """Answers a server that asks for a file, whatever name it asks by: with what it was promised, or not at all."""
        data, self._upload = self._upload, None
        if data is None:
            self.abandon()
            raise pymysql.OperationalError(CR.CR_MALFORMED_PACKET, "the server asks for a file")
        for first in range(0, len(data), _UPLOAD_PACKET):
            self.write_packet(data[first : first + _UPLOAD_PACKET])
        self.write_packet(b"")

    def prepared(self, statement: bytes) -> tuple[int, Wire]:
        """Prepares a statement without parameters and runs it; its number, and its rows to come.

        None of PyMySQL's own reading is done for the rows, so it is the connection's last statement until
        :meth:`forget_prepared`, which takes for granted that every row was read.
        """
        private: Any = self
        private._execute_command(COMMAND.COM_STMT_PREPARE, statement)
        number, columns = _PREPARED.unpack_from(private._read_packet().get_all_data())
        self._definitions(columns)
        private._execute_command(COMMAND.COM_STMT_EXECUTE, _EXECUTE.pack(number, 0, 1))
        columns = private._read_packet().read_length_encoded_integer()
        codes = [_code(column) for column in self._definitions(columns)]
        private._sock.settimeout(self._read_timeout)
        return number, Wire(codes, self._receive, _refuse)

    def _definitions(self, columns: int) -> list[FieldDescriptorPacket]:
        private: Any = self
        definitions = [private._read_packet(FieldDescriptorPacket) for _ in range(columns)]
        private._read_packet()  # says that there are no more
        return definitions

    def _receive(self) -> bytes:
        private: Any = self
        received: bytes = private._rfile.read1(_RECEIVED)
        if not received:
            raise pymysql.OperationalError(CR.CR_SERVER_LOST, "the connection ended within an answer")
        return received

    def forget_prepared(self, number: int) -> None:
        private: Any = self
        private._execute_command(COMMAND.COM_STMT_CLOSE, _NUMBER.pack(number))  # there is no answer

    @property
    def warning_count(self) -> int:
        """Of the last statement, notes included."""
        return 0 if self._result is None else int(self._result.warning_count)

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

    def hanger_up(self) -> Callable[[], None]:
        """Ends the connection that there is now; one that was made anew meanwhile is left alone."""
        line: socket.socket = self._sock  # type: ignore[attr-defined]  # private

        def hang_up() -> None:
            with contextlib.suppress(OSError):  # it is closed already
                socket.socket.shutdown(line, socket.SHUT_RDWR)  # not TLS's own, which would take its state away

        return hang_up

    def abandon(self) -> None:
        """Closes this process's end without a word to the server: after a fork the parent still uses the socket."""
        result = getattr(self, "_result", None)
        if result is not None:
            result.unbuffered_active = False  # else its finalizer would read on, from whatever comes next
            self._result = None
        # Not by PyMySQL's own _force_close: it closes the buffered reader, and a thread of the parent may have held its
        # lock, which is not here to let go. These are private, and the only way to close without COM_QUIT.
        private: Any = self
        line: socket.socket | None = private._sock
        private._sock = private._rfile = None
        if line is not None and (descriptor := line.detach()) >= 0:
            os.close(descriptor)


def _code(column: FieldDescriptorPacket) -> str:
    """The ``struct`` code of a column's values; "" where they have a length."""
    described: Any = column
    return (_UNSIGNED_FIXED if described.flags & _UNSIGNED else _FIXED).get(described.type_code, "")


def _refuse(packet: bytes) -> None:
    pymysql.err.raise_mysql_exception(packet)


def _check_numbering(increment: int, offset: int) -> None:
    """At every connect: what was set globally meanwhile holds for new connections."""
    if (increment, offset) != (1, 1):
        raise ConfigError(
            f"auto_increment_increment is {increment} and auto_increment_offset {offset}: revisions need 1 and 1 "
            "(a multi-primary cluster is not supported)",
            key="mysql.url",
        )


class Driver:
    """What DBUtils takes for the DB-API module."""

    threadsafety = 1

    def __init__(self, opened: weakref.WeakSet[Connection]):
        self._opened = opened

    def connect(self, **settings: Any) -> Connection:
        connection = Connection(**settings)
        self._opened.add(connection)
        return connection


Pool: TypeAlias = PooledDB


def pool(driver: Driver, size: int, settings: Mapping[str, Any]) -> Pool:
    """Connections kept open for the next lease, at most ``size``."""
    return PooledDB(driver, maxcached=size, ping=0, reset=False, failures=(_NeverRaised,), **settings)


def forsake(pool: Pool) -> None:
    """In a forked child: lets the parent's pool go. A thread of the parent may have held its lock."""
    pool._lock = threading.Condition()  # its finalizer takes it


def settings(config: MysqlConfig, session: Sequence[str], *, packed: bool) -> dict[str, Any]:
    """What PyMySQL is told. ``session``: statements run at each connect.

    ``packed``: for writing, with several statements in a packet; else for queries, with uploads.
    """
    told: dict[str, Any] = {
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
        "conv": _CONVERSIONS,
        # FOUND_ROWS: an UPDATE with equal values matches its row.
        "client_flag": CLIENT.FOUND_ROWS | (CLIENT.MULTI_STATEMENTS if packed else 0),
        "local_infile": config.local_infile and not packed,
        "session": session,
    }
    if config.tls is not None:
        told["ssl"] = _tls_context(config)
    return told


def _tls_context(config: MysqlConfig) -> ssl.SSLContext:
    assert config.tls is not None
    context = ssl.create_default_context(cafile=None if config.tls.ca is None else str(config.tls.ca))
    if not config.tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if config.tls.cert is not None:
        context.load_cert_chain(str(config.tls.cert), None if config.tls.key is None else str(config.tls.key))
    return context


def literal(value: object, charset: str) -> str:
    """``value`` as PyMySQL would write it into a statement (backslash escapes, which our sql_mode allows)."""
    return str(converters.escape_item(value, charset, converters.encoders))


def stream(connection: Connection, sql: str, parameters: Parameters | None) -> SSCursor:
    """Runs one statement whose rows are read as they are asked for."""
    with translated():
        cursor = connection.cursor(SSCursor)
        try:
            cursor.execute(sql, parameters)
        except pymysql.Error as error:
            if error.args[0] == ER.BAD_DB_ERROR:  # not the configuration's: the connection is there
                raise SchemaError("the query names a database that is not there") from None
            raise
        return cursor
