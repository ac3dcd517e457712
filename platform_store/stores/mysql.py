"""Leases of connections to one MySQL or MariaDB database.

Liveness is checked here: a connection that was idle for a second is pinged before a transaction begins, when nothing
can be lost yet.
"""

from __future__ import annotations

import contextlib
import os
import queue
import time
import warnings
import weakref
from collections.abc import Callable, Iterator

from platform_store.config import MysqlConfig
from platform_store.errors import Unavailable
from platform_store.stores import mysql_driver as driver
from platform_store.stores.mysql_codes import NO_SUCH_THREAD
from platform_store.stores.mysql_session import MysqlSession
from platform_store.stores.mysql_watched import WatchedSession

SQL_MODE = "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION"
"""Strict; zero dates and a key of 0 are values like others, since adopted tables hold them."""

_ISOLATION = "SET SESSION TRANSACTION ISOLATION LEVEL"


class _NoneFree(Exception):
    """Every place in the pool is taken, and the caller does not wait."""


class MysqlConnections:
    """A bounded pool of connections to one MySQL database. Safe between threads; a forked child starts its own."""

    def __init__(self, config: MysqlConfig, *, watched: bool = False):
        """``watched``: operations are told of their requests (see :mod:`platform_store.attempts`)."""
        self._config = config
        self._session = WatchedSession if watched else MysqlSession
        self._closed = False
        self._opened: weakref.WeakSet[driver.Connection] = weakref.WeakSet()
        self._start()
        os.register_at_fork(after_in_child=_restart_later(self))

    def _start(self) -> None:
        self._lost_at = 0.0
        self._slots = _slots(self._config.pool_size)
        lock_wait = f"SET innodb_lock_wait_timeout = {int(self._config.lock_wait_timeout)}"
        common = ["SET time_zone = '+00:00'", f"{lock_wait}, lock_wait_timeout = {int(self._config.lock_wait_timeout)}"]
        prepared = [f"SET sql_mode = '{SQL_MODE}'", f"{_ISOLATION} READ COMMITTED", *common]
        size, queries = self._config.pool_size, [f"{_ISOLATION} REPEATABLE READ", *common]
        self._driver = driver.Driver(self._opened)
        self._write_settings = driver.settings(self._config, prepared, packed=True)
        self._write_pool = driver.pool(self._driver, size, self._write_settings)
        # The server's own sql_mode: a query's answer depends on it.
        self._query_pool = driver.pool(self._driver, size, driver.settings(self._config, queries, packed=False))
        self._bulk_pool = driver.pool(self._driver, size, driver.settings(self._config, prepared, packed=False))

    @contextlib.contextmanager
    def lease(self, *, query: bool = False, wait: bool = True) -> Iterator[MysqlSession]:
        """A live connection for one operation. Raises Unavailable."""
        with self._lease(self._query_pool if query else self._write_pool, wait) as session:
            yield session

    @contextlib.contextmanager
    def bulk(self) -> Iterator[MysqlSession]:
        """As :meth:`lease`, for whole tables: strict as for writing, with uploads, and a statement in each packet."""
        with self._lease(self._bulk_pool, wait=True) as session:
            yield session

    @contextlib.contextmanager
    def _lease(self, pool: driver.Pool, wait: bool) -> Iterator[MysqlSession]:
        self._check_open()
        with self._slot(wait), self._pooled(pool) as raw:
            session = self._session(raw)
            try:
                with driver.translated():
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
    def lease_if_free(self) -> Iterator[MysqlSession | None]:
        """As :meth:`lease`, without waiting for a place in the pool: None where all are in use."""
        with contextlib.ExitStack() as stack:
            session = None
            with contextlib.suppress(_NoneFree):
                session = stack.enter_context(self.lease(wait=False))
            yield session

    @contextlib.contextmanager
    def dedicated(self, *, bounded: bool = False) -> Iterator[MysqlSession]:
        """A connection of its own, for changes of the schema and maintenance; closed at the end. Raises Unavailable.

        It takes no place in the pool: a change that has begun must not wait for readers, who may be waiting for the
        change. Unless ``bounded``, its statements have no timeout of ours, since giving up on an ALTER does not end
        it. What is not committed at the end, the server rolls back.
        """
        self._check_open()
        with driver.translated():
            raw = self._driver.connect(**self._write_settings)
        if not bounded:
            raw.wait_without_end()
        session = self._session(raw)
        try:
            yield session
        except Exception:  # whatever the caller's block raised
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
    def _slot(self, wait: bool) -> Iterator[None]:
        """One of the pool's places, given back to where it came from: a fork meanwhile starts the child's own."""
        try:
            place = self._slots.get(block=wait, timeout=self._config.connect_timeout)
        except queue.Empty:
            if not wait:
                raise _NoneFree from None
            raise Unavailable(
                "mysql",
                f"all {self._config.pool_size} connections have been in use for {self._config.connect_timeout} s: "
                "close results you no longer read, or raise mysql.pool.size",
            ) from None
        try:
            yield
        finally:
            place.release()

    @contextlib.contextmanager
    def _pooled(self, pool: driver.Pool) -> Iterator[driver.Connection]:
        with driver.translated():
            pooled = pool.connection()
        try:
            yield pooled.dbapi_connection
        finally:
            pooled.close()

    def in_use(self) -> tuple[int, int]:
        """How many of the pool's places are taken, and how many there are."""
        return self._config.pool_size - self._slots.qsize(), self._config.pool_size

    def literal(self, value: object) -> str:
        """``value`` as it is written into a statement."""
        return driver.literal(value, self._config.charset)

    def kill(self, thread: int) -> None:
        """Ends a connection and whatever it is doing. Raises Unavailable where the server cannot be asked to."""
        with self.dedicated(bounded=True) as session:
            session.attempt(f"KILL CONNECTION {thread:d}", {NO_SUCH_THREAD})

    def close(self) -> None:
        """Closes every idle connection; those leased end with their operation. Nothing is leased afterwards."""
        self._closed = True
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            for pool in (self._write_pool, self._query_pool, self._bulk_pool):
                pool.close()

    def restart(self) -> None:
        """In a forked child: leaves the parent's sockets alone and starts an empty pool."""
        for connection in list(self._opened):
            connection.abandon()
        for pool in (self._write_pool, self._query_pool, self._bulk_pool):
            driver.forsake(pool)
        self._opened = weakref.WeakSet()
        self._start()


class _Place:
    """One of the pool's places. It goes back when it is released, or when an interrupt has made everybody forget it."""

    def __init__(self, slots: queue.SimpleQueue[_Place]):
        self._slots = weakref.ref(slots)

    def release(self) -> None:
        slots = self._slots()
        if slots is not None:
            slots.put(self)

    def __del__(self) -> None:
        slots = self._slots()
        if slots is not None:
            slots.put(_Place(slots))


def _slots(count: int) -> queue.SimpleQueue[_Place]:
    """A queue in C, since a semaphore in Python loses places where a signal interrupts it."""
    slots: queue.SimpleQueue[_Place] = queue.SimpleQueue()
    for _ in range(count):
        slots.put(_Place(slots))
    return slots


def _restart_later(connections: MysqlConnections) -> Callable[[], None]:
    """A fork hook that does not keep ``connections`` alive."""
    reference = weakref.ref(connections)

    def restart() -> None:
        living = reference()
        if living is not None:
            living.restart()

    return restart
