"""Telemetry of a platform: its methods are replaced on this one object, so that any other pays nothing for it."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from platform_store import attempts
from platform_store.config import Config
from platform_store.query.result import QueryResult
from platform_store.records import Migrated, MigrationPlan
from platform_store.stores.base import Cursor, Parameters
from platform_store.sweep import Swept

if TYPE_CHECKING:
    from platform_store.facade import Platform
    from platform_store.telemetry import Operation, Telemetry
    from platform_store.transaction import Transaction

Counts = Mapping[str, int]


def _one(_: object) -> Counts:
    return {"changed": 1}


def _number(count: int) -> Counts:
    return {"changed": int(count)}


def _found(row: object) -> Counts:
    return {"read": int(row is not None)}


def _rows(rows: Iterable[object]) -> Counts:
    return {"read": sum(row is not None for row in rows)}


def _written(counts: Any) -> Counts:
    return {"changed": counts.inserted + counts.replaced}


def _migrated(done: Migrated | MigrationPlan) -> Counts:
    return {"changed": done.rows + done.changed} if isinstance(done, Migrated) else {}


def _nothing(_: object) -> Counts:
    return {}


class _Call(NamedTuple):
    """A method, told of as one operation. ``table``: its argument that names one. ``counts``: rows, by its result."""

    table: str | None
    counts: Callable[[Any], Counts] = _nothing


_CHANGES: Final = {
    "write": _Call("table", _one),
    "write_many": _Call("table", _written),
    "update": _Call("table", _one),
    "delete": _Call("table", _number),
    "delete_range": _Call("table", _number),
    "read": _Call("table", _found),
    "find": _Call("table", _rows),
}
CALLS: Final = {
    **_CHANGES,
    "read_many": _Call("table", _rows),
    "explain": _Call(None, lambda plan: {"read": plan.rows}),
    "recover": _Call(None, lambda done: {"changed": done.confirmed}),
    "move_column": _Call("table", lambda moved: {"read": moved.rows, "changed": moved.rewritten}),
    "roll_back_move": _Call("table", lambda moved: {"read": moved.rows, "changed": moved.rewritten}),
    "migrate": _Call("table", _migrated),
    "verify": _Call("table", lambda found: {"read": found.rows, "changed": found.repaired}),
    "create_table": _Call("name"),
    "associate": _Call("name"),
    "add_column": _Call("table"),
    "add_index": _Call("table"),
    "drop_index": _Call("table"),
    "drop_column": _Call("table"),
    "rename_column": _Call("table"),
    "drop_table": _Call("name"),
    "drop_collection": _Call("name"),
}
"""Methods of Platform that are done when they return."""

WITHIN: Final = {
    **_CHANGES,
    "insert_many": _Call("table", lambda keys: {"changed": len(keys)}),
    "update_many": _Call("table", _number),
    "delete_many": _Call("table", _number),
    "awaiting": _Call("table"),
}
"""Those of Transaction."""

STREAMS: Final = {"scan": _Call("table"), "read_collection": _Call("name")}
"""Those of Platform that end with their iteration."""

OTHERS: Final = ("query", "transaction", "drain")
"""Operations besides. ``drain``: the journal's thread has seen documents in MongoDB, or brought them there."""

_END: Final = object()


def telemetry_of(config: Config, tracer_provider: object | None, meter_provider: object | None) -> Telemetry | None:
    """None where no provider is given and the process has set none: then nothing of OpenTelemetry is imported."""
    used = {"opentelemetry.trace", "opentelemetry.metrics"} & sys.modules.keys()
    if tracer_provider is None and meter_provider is None and not used:
        return None
    from platform_store.telemetry import telemetry

    return telemetry(tracer_provider, meter_provider, _places(config))


def _places(config: Config) -> dict[str, dict[str, str | int]]:
    """What is said of where each store is; no account and no password."""
    if config.mysql is None or config.mongodb is None:
        return {"platform_store": {"db.system.name": "platform_store"}}
    mysql: dict[str, str | int] = {"db.namespace": config.mysql.database}
    if config.mysql.unix_socket is None:
        mysql |= {"server.address": config.mysql.host, "server.port": config.mysql.port}
    else:
        mysql["server.address"] = config.mysql.unix_socket
    mongodb: dict[str, str | int] = {
        "db.namespace": config.mongodb.database,
        "server.address": config.mongodb.hosts,
    }
    whole: dict[str, str | int] = {"db.system.name": "platform_store", "db.namespace": config.mysql.database}
    return {"platform_store": whole, "mysql": mysql, "mariadb": mysql, "mongodb": mongodb}


def watch(platform: Platform, telemetry: Telemetry) -> None:
    """Tells of every operation of this platform from now on, until it is closed."""
    from platform_store.telemetry import Source

    methods: dict[str, Callable[..., Any]] = {
        **{name: _told(telemetry, name, call, getattr(platform, name)) for name, call in CALLS.items()},
        **{name: _streamed(telemetry, name, call, getattr(platform, name)) for name, call in STREAMS.items()},
        "query": _queried(telemetry, platform.query),
        "transaction": _transaction(telemetry, platform.transaction),
        "run_transaction": _run_transaction(telemetry, platform.run_transaction),
    }
    platform._runner.begin = _in_context(platform._runner.begin)  # type: ignore[method-assign, assignment]
    if platform._recovery is not None:
        sweeper = platform._recovery.sweeper
        sweeper.sweep = _drained(telemetry, sweeper.sweep)  # type: ignore[method-assign]
    journal, rows = platform._journal, platform._rows
    source = Source(telemetry.places["platform_store"], lambda: journal.backlog, rows.pool)
    telemetry.watch(source)
    methods["close"] = _closing(platform.close, partial(telemetry.forget, source))
    for name, method in methods.items():
        setattr(platform, name, method)


def _told(telemetry: Telemetry, name: str, call: _Call, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def told(*arguments: Any, **named: Any) -> Any:
        operation = telemetry.begin(name, _table(call, arguments, named))
        try:
            with operation:
                result = method(*arguments, **named)
        except BaseException as error:
            operation.end(error=error)
            raise
        counts = call.counts(result)
        operation.end(read=counts.get("read"), changed=counts.get("changed"))
        return result

    return told


def _table(call: _Call, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> str | None:
    if call.table is None:
        return None
    table = arguments[0] if arguments else named.get(call.table)
    return table if isinstance(table, str) else None


def _streamed(telemetry: Telemetry, name: str, call: _Call, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def streamed(*arguments: Any, **named: Any) -> Iterator[Any]:
        return _stream(telemetry, name, _table(call, arguments, named), method(*arguments, **named))

    return streamed


def _stream(telemetry: Telemetry, name: str, table: str | None, rows: Generator[Any, None, None]) -> Iterator[Any]:
    """The operation begins with the first row and is under way while one is fetched, not while it is used."""
    operation = telemetry.begin(name, table)
    at_work, count = operation.context().run, 0
    with contextlib.closing(rows):
        try:
            while (row := at_work(next, rows, _END)) is not _END:
                count += 1
                yield row
        except BaseException as error:
            operation.end(read=count, error=None if isinstance(error, GeneratorExit) else error)
            raise
    operation.end(read=count)


def _queried(telemetry: Telemetry, method: Callable[..., QueryResult]) -> Callable[..., QueryResult]:
    """It ends with its result."""

    @functools.wraps(method)
    def query(sql: str, params: Parameters | None = None, *, seconds: float | None = None) -> QueryResult:
        operation = telemetry.begin("query")
        with _failing(operation), operation:
            result = method(sql, params, seconds=seconds)
            operation.concerns(result._tables)
        return result._through(partial(_WatchedCursor, operation))

    return query


class _WatchedCursor:
    """Counts the rows of a query, and ends its operation."""

    def __init__(self, operation: Operation, cursor: Cursor):
        self._operation, self._cursor = operation, cursor
        self._count = 0
        self.columns = cursor.columns

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        try:
            for row in self._cursor:
                self._count += 1
                yield row
        except Exception as error:
            self._operation.end(read=self._count, error=error)
            raise

    def close(self) -> None:
        try:
            self._cursor.close()
        finally:
            self._operation.end(read=self._count)


def _transaction(
    telemetry: Telemetry, method: Callable[[], AbstractContextManager[Transaction]]
) -> Callable[[], AbstractContextManager[Transaction]]:
    @functools.wraps(method)
    @contextlib.contextmanager
    def transaction() -> Iterator[Transaction]:
        operation = telemetry.begin("transaction")
        with _failing(operation), operation, method() as begun:
            yield _within(telemetry, begun)
        operation.end()

    return transaction


def _run_transaction(telemetry: Telemetry, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def run_transaction(work: Callable[[Transaction], Any]) -> Any:
        operation = telemetry.begin("transaction")
        with _failing(operation), operation:
            result = method(lambda begun: work(_within(telemetry, begun)))
        operation.end()
        return result

    return run_transaction


def _within(telemetry: Telemetry, transaction: Transaction) -> Transaction:
    for name, call in WITHIN.items():
        setattr(transaction, name, _told(telemetry, name, call, getattr(transaction, name)))
    return transaction


@contextlib.contextmanager
def _failing(operation: Operation) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        operation.end(error=error)
        raise


def _in_context(begin: Callable[[Callable[[], Any]], Any]) -> Callable[[Callable[[], Any]], Any]:
    """What another thread fetches belongs to the operation of this one."""
    return lambda fetch: begin(partial(contextvars.copy_context().run, fetch))


def _drained(telemetry: Telemetry, sweep: Callable[..., Iterator[Swept]]) -> Callable[..., Iterator[Swept]]:
    """Rounds of the journal's thread in which something was done: the others are one a second, and no news."""

    @functools.wraps(sweep)
    def drained(*, seconds: float, thorough: bool) -> Iterator[Swept]:
        began, done = time.time(), 0
        try:
            for swept in sweep(seconds=seconds, thorough=thorough):
                done += swept.confirmed + swept.withdrawn
                yield swept
        finally:
            if done and attempts.under_way.get() is None:
                telemetry.begin("drain", began=began).end(changed=done)

    return drained


def _closing(close: Callable[[], None], forget: Callable[[], None]) -> Callable[[], None]:
    @functools.wraps(close)
    def closing() -> None:
        forget()
        close()

    return closing
