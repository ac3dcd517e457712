"""Connections to the SQLite file of the embedded pair: the only importer of the driver, and the one place where its
errors become ours.

The file is in WAL mode and every commit is synced, so what was committed survives kill -9 and a loss of power. A write
transaction takes SQLite's write lock when it begins, so that it never has to give up half-way because another process
wrote first.

SQLite must not be carried across a fork: its locks belong to a process, and a child that inherits an open file believes
to hold locks it does not. So a fork waits for the operations of other threads, and closes the idle connections.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from platform_store.config import EmbeddedConfig
from platform_store.errors import (
    ConfigError,
    OutcomeUnknown,
    PlatformStoreError,
    TransientError,
    Unavailable,
    ValueRejected,
)
from platform_store.stores.base import DuplicateKey, StaleAssociation

STORE = "embedded"
LAYOUT = 2
"""Version of the tables in the file, kept in its ``user_version``."""

_MINIMUM = (3, 35, 0)  # DROP COLUMN, RETURNING
_SCHEMA_LOCK_SECONDS = 30.0
_POLL = 0.02
_IDLE_CONNECTIONS = 5

_TRANSIENT = {
    sqlite3.SQLITE_ABORT, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL,
}  # fmt: skip
_STALE = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_SCHEMA}
"""Every statement is compiled from an association: one that SQLite cannot prepare was made for another schema."""
_DUPLICATE = {
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID, sqlite3.SQLITE_CONSTRAINT_UNIQUE,
}  # fmt: skip
_REFUSED_VALUE = {sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG}
_UNAVAILABLE = {
    sqlite3.SQLITE_AUTH, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_EMPTY, sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_INTERNAL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_NOTFOUND, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY,
}  # fmt: skip
_ADVICE = {
    sqlite3.SQLITE_CANTOPEN: ": the file cannot be opened; its directory has to be there, and to be writable",
    sqlite3.SQLITE_NOTADB: ": the file is no SQLite database; give another path",
    sqlite3.SQLITE_READONLY: ": the file or its directory is not writable",
    sqlite3.SQLITE_FULL: ": the disk is full",
    sqlite3.SQLITE_CORRUPT: ": the file is damaged; take the last backup",
}
_MISUSE = {sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_NOTICE, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_WARNING}


def translate(error: sqlite3.Error) -> Exception:
    """Our error for one of SQLite's, by its result code. No text of SQLite's is passed on: it may quote a value."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    said = getattr(error, "sqlite_errorname", type(error).__name__)
    primary = None if code is None else code & 0xFF
    if code in _DUPLICATE:
        return DuplicateKey()
    if primary in _TRANSIENT:
        return TransientError(STORE, f"another connection holds the file ({said})", code=code)
    if primary in _STALE:
        return StaleAssociation(said)
    if primary in _REFUSED_VALUE or isinstance(error, sqlite3.IntegrityError | sqlite3.DataError):
        return ValueRejected(f"SQLite refuses a value: {said}")
    if primary in _UNAVAILABLE:
        return Unavailable(STORE, said + _ADVICE.get(primary, ""))
    if primary in _MISUSE or code is None:
        return PlatformStoreError(f"{STORE}: {said}")
    return Unavailable(STORE, said)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if not isinstance(error.orig, sqlite3.Error):
            raise
        raise translate(error.orig) from None
    except sqlite3.Error as error:  # from the hook that prepares a connection
        raise translate(error) from None
    except UnicodeEncodeError:  # values are checked beforehand, the name of a table to look for is not
        raise ValueRejected("a name has a lone surrogate, which is no text") from None


class EmbeddedSession:
    """One transaction. What is not committed is rolled back when the session ends."""

    def __init__(self, connection: sa.Connection):
        self._connection = connection
        self._process = os.getpid()
        self._results: list[sa.CursorResult[Any]] = []
        self._raised: BaseException | None = None  # by a function that SQLite called

    def rows(self, statement: sa.Executable, parameters: Mapping[str, object] | None = None) -> Sequence[Any]:
        """The rows of a SELECT."""
        with self._guarded():
            return self._connection.execute(statement, parameters).all()

    def execute(
        self, statement: sa.Executable, parameters: Mapping[str, object] | Sequence[Mapping[str, object]] | None = None
    ) -> int:
        """Runs a statement, once for each mapping of a sequence; returns the rows it matched."""
        with self._guarded():
            return self._connection.execute(statement, parameters).rowcount

    def pages(self, statement: sa.Executable, size: int) -> Iterator[Sequence[Any]]:
        """The rows of a SELECT as they are read, ``size`` at a time; the statement has begun when this returns."""
        with self._guarded():
            result = self._connection.execute(statement)
            self._results.append(result)
            return self._pages(result, size)

    def _pages(self, result: sa.CursorResult[Any], size: int) -> Iterator[Sequence[Any]]:
        while True:
            with self._guarded():
                page = result.fetchmany(size)
            if not page:
                return
            yield page

    def define(
        self,
        scalars: Mapping[str, tuple[int, Callable[..., Any]]],
        aggregates: Mapping[str, tuple[int, Callable[[], Any]]],
    ) -> None:
        """Functions for the session's statements, by name, each with its number of arguments.

        What one raises is raised by the statement that calls it. The connection keeps them until a later session
        defines others of the same names.
        """
        with self._guarded():
            driver = cast("sqlite3.Connection", self._connection.connection.driver_connection)
            for name, (arguments, function) in scalars.items():
                driver.create_function(name, arguments, self._watched(function), deterministic=True)
            for name, (arguments, aggregate) in aggregates.items():
                driver.create_aggregate(name, arguments, cast("Any", partial(self._watched_aggregate, aggregate)))

    def _watched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except BaseException as error:  # an interrupt too: SQLite only learns that there was one
                self._raised = error
                raise

        return call

    def _watched_aggregate(self, aggregate: Callable[[], Any]) -> Any:
        """One for each group."""
        made = aggregate()
        made.step, made.finalize = self._watched(made.step), self._watched(made.finalize)
        return made

    def pragma(self, name: str) -> Any:
        """The value of one of SQLite's settings."""
        with self._guarded():
            return self._connection.exec_driver_sql(f"PRAGMA {name}").scalar()

    @contextlib.contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Undoes the statements inside, and only those, where one fails: the transaction goes on."""
        with self._guarded(), self._connection.begin_nested():
            yield

    def commit(self, table: str) -> None:
        """Makes the transaction durable. OutcomeUnknown where the disk fails meanwhile."""
        with self._guarded():
            try:
                self._connection.commit()
            except DBAPIError as error:
                code = getattr(error.orig, "sqlite_errorcode", None)
                if code is None or code & 0xFF != sqlite3.SQLITE_IOERR:
                    raise
                # The end of the log may or may not have reached the disk.
                raise OutcomeUnknown(table, os.urandom(16).hex()) from None

    def close(self) -> None:
        """Ends the statements whose rows were not all read: SQLite defines no function beside a running statement.

        Whoever keeps such a result would keep its statement running, on a connection that others use by then.
        """
        with _translated():
            for result in self._results:
                result.close()

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        if self._process != os.getpid():
            raise _forked()
        try:
            with _translated():
                yield
        except StaleAssociation:
            raised, self._raised = self._raised, None
            if raised is None:
                raise
            raise raised from None


class EmbeddedConnections:
    """The connections of one process to one file. Safe between threads; a forked child starts its own.

    A child forked by a thread that has a result or a transaction open is refused: see the module's docstring.
    """

    def __init__(self, config: EmbeddedConfig):
        if sqlite3.sqlite_version_info < _MINIMUM:
            raise ConfigError(f"SQLite {sqlite3.sqlite_version} is too old, {_MINIMUM} is needed", key="embedded")
        self.path = Path(config.path).absolute()
        self._busy_timeout = config.busy_timeout
        self._closed = False
        self._inherited: list[sa.Connection] = []
        self._start(unusable=False)
        _at_fork(self)

    def _start(self, *, unusable: bool) -> None:
        self._unusable = unusable
        self._changed = threading.Condition()
        self._schema_lock = threading.Lock()
        self._users: list[int] = []  # the thread of each session under way
        self._forking = False
        self._engine = sa.create_engine(
            sa.URL.create("sqlite+pysqlite", database=str(self.path)),
            poolclass=QueuePool,
            pool_size=_IDLE_CONNECTIONS,
            max_overflow=-1,
            connect_args={"timeout": self._busy_timeout, "check_same_thread": False, "isolation_level": None},
        )
        sa.event.listen(self._engine, "connect", _prepare)

    def open(self, statements: Sequence[sa.Executable]) -> None:
        """Makes the file where it is missing, with the library's own tables. Raises ConfigError, Unavailable."""
        with self._used():
            self._use_wal()
        with self.session() as session:
            layout = session.pragma("user_version")
        if layout > LAYOUT:
            raise ConfigError(f"{self.path} was written by a later version of this library", key="embedded.path")
        if layout < LAYOUT:
            with self.session(write=True) as session:
                if session.pragma("user_version") == layout:  # no other process was faster
                    for statement in statements:
                        session.execute(statement)
                    session.execute(sa.text(f"PRAGMA user_version = {LAYOUT}"))
                    session.commit("")

    def _use_wal(self) -> None:
        """SQLite does not wait for other connections when it changes the journal mode, so this does."""
        deadline = time.monotonic() + self._busy_timeout
        while True:
            try:
                with _translated(), self._engine.connect() as connection:
                    mode = connection.exec_driver_sql("PRAGMA journal_mode = WAL").scalar()
            except TransientError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL)
                continue
            if mode != "wal":
                raise ConfigError(
                    f"the file system of {self.path} does not allow SQLite's WAL mode", key="embedded.path"
                )
            return

    @contextlib.contextmanager
    def session(self, *, write: bool = False) -> Iterator[EmbeddedSession]:
        """A transaction: a snapshot of one moment, or with ``write`` the file's only writer.

        What is not committed is rolled back. Raises TransientError where another writer holds the file for longer
        than ``busy_timeout``.
        """
        with self._used(), contextlib.ExitStack() as stack:
            with _translated():
                connection = self._engine.connect()
            session = EmbeddedSession(connection)
            stack.callback(self._end, session, connection, os.getpid())
            with _translated():
                connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
            yield session

    def _end(self, session: EmbeddedSession, connection: sa.Connection, process: int) -> None:
        if process != os.getpid():
            self._inherited.append(connection)  # never closed here: that would undo the parent's transaction
            return
        session.close()
        with _translated():
            if self._closed:
                connection.detach()  # not kept for the next user
            connection.close()

    @contextlib.contextmanager
    def _used(self) -> Iterator[None]:
        """Keeps forks away. Where one is about to happen, a thread that has nothing open waits for its end."""
        thread, process = threading.get_ident(), os.getpid()
        with self._changed:
            self._changed.wait_for(lambda: not self._forking or thread in self._users)
            if self._unusable:
                raise _forked()
            if self._closed:
                raise Unavailable(STORE, "it is closed")
            self._users.append(thread)
        try:
            yield
        finally:
            if process == os.getpid():
                with self._changed:
                    self._users.remove(thread)
                    self._changed.notify_all()

    @contextlib.contextmanager
    def schema_lock(self) -> Iterator[None]:
        """Excludes every other holder, in this process and others. The kernel releases it should the holder die."""
        deadline = time.monotonic() + _SCHEMA_LOCK_SECONDS
        with contextlib.ExitStack() as stack:
            if not self._schema_lock.acquire(timeout=_SCHEMA_LOCK_SECONDS):
                raise _schema_busy()
            stack.callback(self._schema_lock.release)
            try:
                file = stack.enter_context(open(f"{self.path}-schema", "ab"))
            except OSError as error:
                raise Unavailable(STORE, f"the file for its schema lock: {error.strerror}") from None
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise _schema_busy() from None
                    time.sleep(_POLL)
            stack.callback(_unlock, file, os.getpid())
            yield

    def close(self) -> None:
        """Closes idle connections; those in use are closed when they come back. May be called again."""
        with self._changed:
            self._closed = True
        self._engine.dispose()

    def before_fork(self) -> None:
        """Waits for the sessions of other threads, and leaves no connection open that a child could inherit."""
        me = threading.get_ident()
        self._changed.acquire()
        self._forking = True
        self._changed.wait_for(lambda: all(thread == me for thread in self._users), timeout=self._busy_timeout)
        self._engine.dispose()

    def after_fork_in_parent(self) -> None:
        self._forking = False
        self._changed.notify_all()
        self._changed.release()

    def after_fork_in_child(self) -> None:
        self._start(unusable=self._unusable or bool(self._users))


def _prepare(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.execute("PRAGMA synchronous = FULL").close()


def _unlock(file: IO[bytes], process: int) -> None:
    """Explicitly, because a child forked meanwhile shares the open file; and never by that child."""
    if process == os.getpid():
        fcntl.flock(file, fcntl.LOCK_UN)


def _forked() -> Unavailable:
    return Unavailable(
        STORE, "this process was forked while a result or a transaction was open, and SQLite does not survive that"
    )


def _schema_busy() -> Unavailable:
    return Unavailable(STORE, f"another schema change has been under way for {_SCHEMA_LOCK_SECONDS:.0f} s")


def _at_fork(connections: EmbeddedConnections) -> None:
    """Fork hooks that do not keep ``connections`` alive."""
    reference = weakref.ref(connections)

    def hook(method: Callable[[EmbeddedConnections], None]) -> Callable[[], None]:
        def call() -> None:
            living = reference()
            if living is not None:
                method(living)

        return call

    os.register_at_fork(
        before=hook(EmbeddedConnections.before_fork),
        after_in_parent=hook(EmbeddedConnections.after_fork_in_parent),
        after_in_child=hook(EmbeddedConnections.after_fork_in_child),
    )
