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
    """Base of all errors of this library. ``str(error)`` is one line; what a migration or a bulk write did is a note.

    Raised itself where no other class fits: by :meth:`QueryResult.one` and :meth:`QueryResult.scalar`, and by a
    migration whose worker processes keep dying.

    What to do: read the message; ``error.__notes__`` says what was done before.
    """

    def __reduce__(self) -> tuple[object, ...]:
        """Every error comes out of a pickle, or a copy, as it went in: it is not made anew of its message."""
        return _restored, (type(self), self.args), self.__dict__


class ConfigError(PlatformStoreError):
    """The configuration is wrong, or the servers it leads to cannot carry what the library promises.

    Raised where a configuration is made or read, and where a platform is opened: a key that is unknown, missing or out
    of range; an account or a password that the server refuses; a server that is too old or no replica set. A privilege
    that the account lacks is found when it is needed; :meth:`Platform.doctor` finds it before.

    Attributes:
        reason: what is wrong, without the place.
        key: the dotted key, as in ``mysql.pool.size``; None where it is no single one.
        line: of the file, from 1; None where it came from no file.
        path: the file; None where there is none.

    What to do: change the key that it names, see docs/reference/configuration.md; for a server, what the message says.
    Trying again changes nothing.
    """

    def __init__(self, reason: str, *, key: str | None = None, line: int | None = None, path: str | None = None):
        self.reason, self.key, self.line, self.path = reason, key, line, path
        place = ":".join(str(part) for part in (path, line) if part is not None)
        super().__init__(": ".join(part for part in (place, key, reason) if part))


class SchemaError(PlatformStoreError):
    """A table, column or index cannot be declared, changed or found.

    Raised for a name that is in no association, for a definition or a change of it that contradicts itself or what is
    there, and for a SELECT that MySQL refuses, such as for an unknown column. A definition is checked before anything
    is done; a change that was interrupted is taken up by the same call.

    Attributes:
        reason: what is wrong, without the place.
        table: its name; None if unknown.
        column: its name; None where it is about no single one.

    What to do: correct the name or the definition; ``platform.tables()`` and ``platform.describe(table)`` say what is
    there. A MySQL table or a collection that the library does not know yet is adopted by ``platform.associate(table)``.
    """

    def __init__(self, reason: str, *, table: str | None = None, column: str | None = None):
        self.reason, self.table, self.column = reason, table, column
        super().__init__(_located(reason, table, column))


class ValueRejected(PlatformStoreError):
    """A value or a row cannot be stored as declared; nothing was written.

    Raised for an unknown or a missing column, for NULL in a NOT NULL column, for a value that its column cannot hold
    exactly (nothing is cut off or rounded in silence), for a document over 16 MB, for what a constraint of MySQL's
    table or a validator of the collection refuses, and for parameters of a query that do not fit. Of a bulk write, the
    whole batch is absent.

    Attributes:
        reason: what is wrong, without the place, and without the value.
        table: its name; None if unknown.
        column: its name; None where it is about the whole row, or unknown.
        key: of the row; None if unknown, such as where MySQL would have allocated it.
        longest: the most characters that the column holds, where the text has more; else None.

    What to do: correct the row, or the column's type; docs/types.md says what each type takes.
    """

    def __init__(
        self,
        reason: str,
        *,
        table: str | None = None,
        column: str | None = None,
        key: object = None,
        longest: int | None = None,
    ):
        self.reason, self.table, self.column, self.key, self.longest = reason, table, column, key, longest
        super().__init__(_located(reason, table, column, key))

    def at(self, table: str, column: str | None, key: object) -> ValueRejected:
        """The same rejection with its place (``table``, ``column``, ``key``) filled in where it was not known yet."""
        return ValueRejected(
            self.reason,
            table=self.table or table,
            column=self.column or column,
            key=key if self.key is None else self.key,
            longest=self.longest,
        )


class RowExists(PlatformStoreError):
    """The primary key is taken; nothing was written.

    Raised by an insert with ``on_conflict="error"``, which is the default.

    Attributes:
        table: its name.
        key: the key that is taken; of a bulk write the first one.

    What to do: give another key, or say with ``on_conflict`` whether the row that is there is replaced or stays. After
    an :class:`OutcomeUnknown` it may be your own row: see there.
    """

    def __init__(self, table: str, key: object):
        self.table, self.key = table, key
        super().__init__(f"table {table!r} already has a row with key {key!r}; nothing was written")


class RowNotFound(PlatformStoreError):
    """There is no row with that key; nothing was written.

    Raised by an update. A read returns None instead, and a delete False.

    Attributes:
        table: its name.
        key: the key that is not there.

    What to do: look whether somebody else has deleted the row, or write it.
    """

    def __init__(self, table: str, key: object):
        self.table, self.key = table, key
        super().__init__(f"table {table!r} has no row with key {key!r}")


class Conflict(PlatformStoreError):
    """Another row, another writer or another process stands in the way; nothing was written.

    Raised where another row has the same values in a unique index or refers to this one by a foreign key, where a row
    is not as ``expect=`` says, and where another process is at work on the same move or migration.

    Attributes:
        reason: what stands in the way, without the place.
        table: its name; None if unknown.
        key: of the row; None if unknown, or where it is about no row.
        columns: those that are not as expected; empty where it is about something else.

    What to do: where ``columns`` says which, read the row again and decide anew; for a unique index, give other values
    or change the row that has them; for a process, let it end, or stop it with ``pause_move`` or ``pause_job``.
    """

    def __init__(self, reason: str, *, table: str | None = None, key: object = None, columns: tuple[str, ...] = ()):
        self.reason, self.table, self.key, self.columns = reason, table, key, columns
        super().__init__(_located(reason, table, None, key))

    def at(self, table: str, key: object) -> Conflict:
        """The same conflict with its place (``table``, ``key``) filled in where it was not known yet."""
        return Conflict(
            self.reason,
            table=self.table or table,
            key=key if self.key is None else self.key,
            columns=self.columns,
        )


class NotSupported(PlatformStoreError):
    """A construct that this library, or this backend, does not do; nothing was written.

    Raised for a statement that is not one SELECT or cannot be answered exactly, for what the embedded pair lacks (it
    has no migrations and a small part of the dialect: docs/query-embedded.md), for a column type or a server's setting
    that cannot be carried, and for a call in the wrong place, such as a transaction inside a transaction.

    Attributes:
        construct: its name.
        reason: why, or what to use instead.

    What to do: use what the message names; on the embedded pair, real servers. Trying again changes nothing.
    """

    def __init__(self, construct: str, reason: str = "is not supported"):
        self.construct, self.reason = construct, reason
        super().__init__(f"{construct} {reason}")


class LimitExceeded(PlatformStoreError):
    """A query would take more than the section ``query`` of the configuration allows it.

    Raised before the first row of the result is there, or while rows are read where the query was given ``seconds``;
    it has changed nothing.

    Attributes:
        limit: the dotted key, such as ``query.max_rows``.
        allowed: its value: rows, bytes, or seconds.
        advice: which conditions would help.
        table: the one whose documents were too many; None if unknown.

    What to do: add conditions on columns that MySQL has, as ``advice`` says (``platform.explain`` tells what each store
    was asked), or raise the limit.
    """

    def __init__(self, limit: str, allowed: float, advice: str, *, table: str | None = None):
        self.limit, self.allowed, self.advice, self.table = limit, allowed, advice, table
        super().__init__(_located(f"the query exceeds {limit} ({allowed:g}): {advice}", table, None))


class Unavailable(PlatformStoreError):
    """A store cannot be reached, did not answer in time, or must not be written to.

    Raised by any method. A write that raises it has had no effect, whichever store it was; where that could not be
    found out it is :class:`OutcomeUnknown` instead. While MongoDB is away, writes are kept in MySQL and do not raise
    it, unless ``mongodb.when_down`` is "fail" or the journal has reached its limit; reads of documents that are not in
    the journal do. A MySQL that was restored from an older copy refuses writes until :meth:`Platform.recover` was
    called.

    Attributes:
        store: "mysql", "mongodb" or "embedded".
        reason: what happened, without a server's address.

    What to do: try again later; ``platform.status()`` and ``platform.doctor()`` say which store answers. Where the
    message asks for ``recover()``, read docs/consistency.md first.
    """

    def __init__(self, store: str, reason: str):
        self.store, self.reason = store, reason
        super().__init__(f"{store} is unavailable: {reason}")


class TransientError(PlatformStoreError):
    """A deadlock, a lock wait that timed out, or a table that was changed meanwhile; nothing was written.

    Raised by any method, and inside a transaction for the whole of it: the changes before are gone, too.

    Attributes:
        store: "mysql", "mongodb" or "embedded".
        reason: what happened.
        code: the server's error number, such as 1213 for a deadlock; None where the library has found out by itself.

    What to do: make the same call again, of a transaction the whole of it; :meth:`Platform.run_transaction` does so up
    to ten times.
    """

    def __init__(self, store: str, reason: str, *, code: int | None = None):
        self.store, self.reason, self.code = store, reason, code
        super().__init__(f"{store}: {reason}; try again")


class Diverged(PlatformStoreError):
    """The two halves of a row, or of a table, disagree, and to go on would be to guess.

    Raised where a row's document is missing or of another version and the journal does not have it, where a document
    holds what its column cannot, and where MySQL's table is not as the catalog says. Only something that bypasses the
    library brings that about: another writer, a restored backup of one store alone, a dropped collection.

    Attributes:
        reason: how they differ.
        advice: what mends it.
        table: its name.
        key: of the row; None where it is about more than one.

    What to do: ``platform.verify(table)`` finds every such row, and ``repair=True`` mends them; it says where it needs
    to be told which ``side`` is right. Where MySQL's table was altered, undo that, or ``associate`` it anew.
    """

    def __init__(
        self,
        reason: str,
        *,
        table: str,
        key: object = None,
        advice: str = "verify() finds every such row, and mends it with repair=True",
    ):
        self.reason, self.table, self.key, self.advice = reason, table, key, advice
        super().__init__(_located(f"{reason}; {advice}", table, None, key))

    @classmethod
    def of_table(cls, found: object, table: str) -> Diverged:
        """MySQL's ``table`` is another than the library made or adopted: what was ``found``."""
        return cls(
            f"MySQL's table is not as the catalog says: {found}",
            table=table,
            advice="undo the change that was made past the library, which doctor() shows",
        )


class OutcomeUnknown(PlatformStoreError):
    """The connection died while COMMIT was under way: the write is whole or absent, and it is not known which.

    Raised by a write or the end of a transaction, after MySQL could not be asked for ``mysql.timeouts.outcome``
    seconds; on the embedded pair, where the disk fails.

    Attributes:
        table: of the write; of a transaction the first one.
        operation_id: of the whole operation, hexadecimal.

    What to do: once MySQL answers again, ``platform.recover(error.operation_id).committed`` is True, False, or None
    where it cannot be told any more (``journal.retention`` is over). To write again without asking could write twice.
    """

    def __init__(self, table: str, operation_id: str):
        self.table, self.operation_id = table, operation_id
        super().__init__(
            f"table {table!r}: the connection was lost during COMMIT; operation {operation_id} is whole or absent"
        )


def _restored(kind: type[PlatformStoreError], arguments: tuple[object, ...]) -> PlatformStoreError:
    return kind.__new__(kind, *arguments)


def _located(reason: str, table: str | None, column: str | None, key: object = None) -> str:
    place = []
    if table is not None:
        place.append(f"table {table!r}")
    if column is not None:
        place.append(f"column {column!r}")
    if key is not None:
        place.append(f"key {key!r}")
    return f"{', '.join(place)}: {reason}" if place else reason
