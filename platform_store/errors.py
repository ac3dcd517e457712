"""Every error this library raises.

::

    PlatformStoreError
    ├── ConfigError         the configuration is wrong: key, line, path
    ├── SchemaError         a table, column or index cannot be declared or found: table, column
    ├── ValueRejected       a row cannot be stored; nothing was written: table, column, key, reason
    ├── RowExists           the key is taken: table, key
    ├── RowNotFound         there is no such row: table, key
    ├── Conflict            another row or another writer stands in the way: table, key, columns
    ├── NotSupported        a construct this library does not do: construct
    ├── LimitExceeded       a query would take more than it may: limit, allowed, table
    ├── Unavailable         a store cannot be reached: store
    ├── TransientError      the same call may succeed if tried again: store, code
    ├── Diverged            the two halves of a row or table disagree: table, key
    └── OutcomeUnknown      the connection died during COMMIT: operation_id

No message holds a column's value, a password or a connection string: keys, names and limits only.
This module imports nothing of the package.
"""

from __future__ import annotations


class PlatformStoreError(Exception):
    """Base of all errors of this library. ``str(error)`` is one line."""


class ConfigError(PlatformStoreError):
    """The configuration is wrong.

    Fields: ``key`` (dotted, as in ``mysql.pool.size``), ``line`` (1-based, in ``path``), ``path``; None if unknown.
    """

    def __init__(self, reason: str, *, key: str | None = None, line: int | None = None, path: str | None = None):
        self.reason, self.key, self.line, self.path = reason, key, line, path
        place = ":".join(str(part) for part in (path, line) if part is not None)
        super().__init__(": ".join(part for part in (place, key, reason) if part))


class SchemaError(PlatformStoreError):
    """A table, column or index cannot be declared, changed or found. Fields: ``table``, ``column``, ``reason``."""

    def __init__(self, reason: str, *, table: str | None = None, column: str | None = None):
        self.reason, self.table, self.column = reason, table, column
        super().__init__(_located(reason, table, column))


class ValueRejected(PlatformStoreError):
    """A value or a row cannot be stored as declared; nothing was written.

    Fields: ``table``, ``column``, ``key`` (each None if unknown), ``reason``.
    """

    def __init__(self, reason: str, *, table: str | None = None, column: str | None = None, key: object = None):
        self.reason, self.table, self.column, self.key = reason, table, column, key
        super().__init__(_located(reason, table, column, key))

    def at(self, table: str, column: str | None, key: object) -> ValueRejected:
        """The same rejection with its place filled in where it was not known yet."""
        return ValueRejected(
            self.reason,
            table=self.table or table,
            column=self.column or column,
            key=key if self.key is None else self.key,
        )


class RowExists(PlatformStoreError):
    """The primary key is taken. Fields: ``table``, ``key``."""

    def __init__(self, table: str, key: object):
        self.table, self.key = table, key
        super().__init__(f"table {table!r} already has a row with key {key!r}; nothing was written")


class RowNotFound(PlatformStoreError):
    """There is no row with that key. Fields: ``table``, ``key``."""

    def __init__(self, table: str, key: object):
        self.table, self.key = table, key
        super().__init__(f"table {table!r} has no row with key {key!r}")


class Conflict(PlatformStoreError):
    """Another row (a unique index) or another writer (``expect=``) stands in the way; nothing was written.

    Fields: ``table``, ``key``, ``columns`` (the columns that differ from what was expected, else empty), ``reason``.
    """

    def __init__(self, reason: str, *, table: str | None = None, key: object = None, columns: tuple[str, ...] = ()):
        self.reason, self.table, self.key, self.columns = reason, table, key, columns
        super().__init__(_located(reason, table, None, key))

    def at(self, table: str, key: object) -> Conflict:
        """The same conflict with its place filled in where it was not known yet."""
        return Conflict(
            self.reason,
            table=self.table or table,
            key=key if self.key is None else self.key,
            columns=self.columns,
        )


class NotSupported(PlatformStoreError):
    """A construct that this library, or this backend, does not do. Fields: ``construct`` (its name), ``reason``."""

    def __init__(self, construct: str, reason: str = "is not supported"):
        self.construct, self.reason = construct, reason
        super().__init__(f"{construct} {reason}")


class LimitExceeded(PlatformStoreError):
    """A query would take more than the configuration allows it. Fields: ``limit`` (its key), ``allowed``, ``table``."""

    def __init__(self, limit: str, allowed: float, advice: str, *, table: str | None = None):
        self.limit, self.allowed, self.advice, self.table = limit, allowed, advice, table
        super().__init__(_located(f"the query exceeds {limit} ({allowed:g}): {advice}", table, None))


class Unavailable(PlatformStoreError):
    """A store cannot be reached or did not answer in time. Fields: ``store`` ("mysql", "mongodb" or "embedded")."""

    def __init__(self, store: str, reason: str):
        self.store, self.reason = store, reason
        super().__init__(f"{store} is unavailable: {reason}")


class TransientError(PlatformStoreError):
    """A deadlock or a lock wait that timed out: nothing was written, and the same call may succeed if tried again.

    Fields: ``store``, ``code`` (the server's error number).
    """

    def __init__(self, store: str, reason: str, *, code: int | None = None):
        self.store, self.reason, self.code = store, reason, code
        super().__init__(f"{store}: {reason}; try again")


class Diverged(PlatformStoreError):
    """The two halves of a row, or of a table, disagree and reading on would be guessing. Fields: ``table``, ``key``."""

    def __init__(self, reason: str, *, table: str, key: object = None):
        self.reason, self.table, self.key = reason, table, key
        super().__init__(_located(reason, table, None, key))


class OutcomeUnknown(PlatformStoreError):
    """The connection died while COMMIT was under way: the write is whole or absent, and it is not known which.

    Fields: ``table``, ``operation_id`` (hexadecimal).
    """

    def __init__(self, table: str, operation_id: str):
        self.table, self.operation_id = table, operation_id
        super().__init__(
            f"table {table!r}: the connection was lost during COMMIT; operation {operation_id} is whole or absent"
        )


def _located(reason: str, table: str | None, column: str | None, key: object = None) -> str:
    place = []
    if table is not None:
        place.append(f"table {table!r}")
    if column is not None:
        place.append(f"column {column!r}")
    if key is not None:
        place.append(f"key {key!r}")
    return f"{', '.join(place)}: {reason}" if place else reason
