"""One query over both stores on MySQL or MariaDB: scratch tables, the snapshot, and the statement itself."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import bson

from platform_store.association import Association
from platform_store.errors import NotSupported, PlatformStoreError, Unavailable, ValueRejected
from platform_store.halves import CODEC_OPTIONS
from platform_store.names import quote
from platform_store.stores import mysql_ddl as ddl
from platform_store.stores import mysql_sql as sql
from platform_store.stores.base import Cursor, DuplicateKey, StaleAssociation
from platform_store.stores.mysql import SQL_MODE, MysqlConnections
from platform_store.stores.mysql_codes import DUPLICATES, MAY_NOT_SET, NO_SUCH_TABLE_FITS
from platform_store.stores.mysql_driver import Cursor as DriverCursor
from platform_store.stores.mysql_driver import describe_code
from platform_store.stores.mysql_layout import read_indexes
from platform_store.stores.mysql_session import MysqlSession, ResultStream
from platform_store.stores.mysql_staging import Stager
from platform_store.stores.mysql_upload import Texts
from platform_store.stores.scratch import KeyRow, Scratch, Shadow

_ENGINES = ("InnoDB", "MyISAM")  # the second has room for more columns; MySQL's own temporary tables are no choice
_LOG_NO_SCRATCH = "SET SESSION binlog_format = 'ROW'"
"""Else MariaDB writes whatever is staged into its binary log too; as it does where the account may not set this."""
_STRICT_GROUPS = ("ONLY_FULL_GROUP_BY", "ANSI")  # the second sets the first, and what is listed beside it
_JUDGED = "platform_store_judged"
_ENTRIES_PER_PAGE = 1000
_PAGE_BYTES = 4 * 1024 * 1024  # of pending documents held at once


class _Prepared(NamedTuple):
    """Documents as texts, column by column, and what an upload of them sends where the server takes one."""

    documents: Sequence[Mapping[str, Any]]
    number: int
    rows: Sequence[Texts]
    upload: bytes | None


class MysqlQuerySession:
    """See :class:`platform_store.stores.scratch.QuerySession`.

    The server's own sql_mode holds for whatever comes from the user, the library's for its own tables and values.

    Never count the rows of a scratch table by ``SELECT COUNT(*) FROM`` it alone: MySQL 9.7 counts them wrongly in a
    snapshot, and so those of a column that is never NULL. With another table or a condition it is right.
    """

    def __init__(self, connections: MysqlConnections):
        self._connections = connections
        self._ending = threading.RLock()
        self._closed = self._cancelled = self._begun = False
        self._lost: Unavailable | None = None
        self._scratches: dict[str, Stager] = {}
        self._temporary: list[str] = []  # tables that are dropped at the end
        self._stream: _Stream | None = None
        with contextlib.ExitStack() as stack:
            self._session = stack.enter_context(connections.lease(query=True))
            self._thread, self._hang_up = self._session.thread, self._session.hanger_up()
            self._theirs = self._mode = self._session.sql_mode
            self._lease = stack.pop_all()

    # Scratch tables

    def create(self, scratches: Sequence[Scratch]) -> None:
        with self._at_work(SQL_MODE) as session:
            if session.mariadb:
                session.attempt(_LOG_NO_SCRATCH, MAY_NOT_SET)
            for scratch in scratches:
                self._scratches[scratch.name] = Stager(scratch)
                self._temporary.append(scratch.name)
                _create(session, scratch, [_creation(scratch, engine, session) for engine in _ENGINES])

    def prepare(self, scratch: Scratch, documents: Sequence[Mapping[str, Any]]) -> _Prepared:
        stager = self._scratches[scratch.name]
        rows = stager.stage(documents) if documents else []
        if not rows or not rows[0]:
            return _Prepared(documents, 0, rows, None)
        return _Prepared(documents, len(rows[0]), rows, stager.upload(rows) if self._session.uploads else None)

    def load(self, scratch: Scratch, prepared: _Prepared) -> int:
        stager = self._scratches[scratch.name]
        if not prepared.number:
            return 0
        with self._at_work(SQL_MODE) as session:
            try:
                return _load(session, stager, prepared)
            except ValueRejected as error:
                raise stager.refused(prepared.documents) or error.at(
                    scratch.association.name, stager.only_column, None
                ) from None

    def copy(self, scratch: Scratch, of: Scratch) -> None:
        columns = self._scratches[scratch.name].columns
        with self._at_work(SQL_MODE) as session:
            session.verbatim(
                f"INSERT INTO {_quoted(scratch.name)} ({columns}) SELECT {columns} FROM {_quoted(of.name)}"
            )

    # The snapshot

    def begin(self, associations: Sequence[Association]) -> None:
        epochs = {association.table_id: association for association in associations}
        with self._at_work(self._theirs) as session:
            self._begun = True
            session.verbatim(sql.BEGIN_SNAPSHOT)  # ends an earlier one
            for association in epochs.values():
                _check_epoch(session, association)

    def removals(self) -> int:
        ((count,),) = self.rows(sql.REMOVALS)
        return int(count)

    def done_intents(self, association: Association) -> set[int]:
        with self._at_work(self._theirs) as session:
            return {row[0] for row in session.rows(sql.DONE_INTENTS, [association.table_id])}

    def keys(self, association: Association, alias: str, source: str, *, limit: int) -> list[KeyRow]:
        head = sql.select_key_rows(association, alias).replace("%%", "%")
        return [KeyRow(row[:-2], *row[-2:]) for row in self.rows(f"{head} {source} LIMIT {limit:d}")]

    def pending(self, association: Association) -> Iterator[tuple[Any, int, bytes | None]]:
        last = association.discarded_at
        while True:
            with self._at_work(self._theirs) as session:
                sizes = session.rows(sql.PENDING_SIZES, [association.table_id, last, _ENTRIES_PER_PAGE])
            for first, last in _pages(sizes):
                with self._at_work(self._theirs) as session:
                    page = session.rows(sql.PENDING_DOCUMENTS, [association.table_id, first, last])
                for revision, row_key, document in page:
                    yield bson.decode(row_key, CODEC_OPTIONS)["_id"], revision, document
            if len(sizes) < _ENTRIES_PER_PAGE:
                return

    # Statements

    def rows(self, statement: str) -> Sequence[tuple[Any, ...]]:
        with self._at_work(self._theirs) as session:
            return session.verbatim(statement)

    def stream(self, statement: str, *, loosely: bool = False) -> Cursor:
        loose = ",".join(flag for flag in self._theirs.split(",") if flag not in _STRICT_GROUPS)
        with self._at_work(loose if loosely else self._theirs) as session:
            variables = sorted({name for stager in self._scratches.values() for name in stager.variables})
            if variables:
                session.verbatim(f"SET {', '.join(f'{name} = NULL' for name in variables)}")
            self._stream = _Stream(self, session, session.stream(statement, None))
            return self._stream

    def judge(self, statement: str, shadows: Sequence[Shadow]) -> None:
        with self._at_work(SQL_MODE) as session:
            if session.mariadb:
                session.attempt(_LOG_NO_SCRATCH, MAY_NOT_SET)
            unique_keys = {shadow.association.name: _unique_keys(session, shadow.association) for shadow in shadows}
            for shadow in shadows:
                self._temporary.append(shadow.name)
                names = {column.name for column in shadow.columns}
                unique = [key for key in unique_keys[shadow.association.name] if names.issuperset(key)]
                _create(session, shadow, [_shadowing(shadow, unique, engine) for engine in _ENGINES])
        with self._at_work(self._theirs) as session:
            session.verbatim(f"PREPARE {_JUDGED} FROM {self.literal(statement)}")
            session.verbatim(f"DEALLOCATE PREPARE {_JUDGED}")

    def literal(self, value: object) -> str:
        if isinstance(value, str) and "NO_BACKSLASH_ESCAPES" in self._theirs:
            return "'" + value.replace("'", "''") + "'"
        return self._connections.literal(value)

    # The end

    def cancel(self) -> None:
        with self._ending:
            if self._closed:
                return
            self._cancelled = True  # from here on the connection never goes back to the pool
        try:
            self._connections.kill(self._thread)
        except Unavailable:
            self._hang_up()  # the server notices when it has something to say

    def close(self) -> None:
        with self._ending:
            if self._closed:
                return
            self._closed = True
        with contextlib.suppress(Unavailable), self._lease:
            if self._cancelled or (self._stream is not None and self._stream.unread):
                self._session.abandon()
            elif self._lost is not None:
                raise self._lost  # for the lease to know
            elif self._session.alive:
                self._clear(self._session)

    def _clear(self, session: MysqlSession) -> None:
        """Makes the connection one that others can lease, or gives it up."""
        try:
            if self._begun:  # with nothing but scratch tables, whose rows a ROLLBACK would take out one by one
                session.verbatim("COMMIT")
            if self._temporary:
                names = ", ".join(_quoted(name) for name in self._temporary)
                session.verbatim(f"DROP TEMPORARY TABLE IF EXISTS {names}")
            self._switch(session, self._theirs)
        except PlatformStoreError:
            session.abandon()
        except BaseException:  # interrupted before the answer was read: the next statement would take it for its own
            session.abandon()
            raise

    @contextlib.contextmanager
    def _at_work(self, mode: str) -> Iterator[MysqlSession]:
        """The connection, under a sql_mode. What breaks it gives it up, and the scratch tables with it."""
        self.check()
        try:
            self._switch(self._session, mode)
            yield self._session
        except Unavailable as error:
            self._lost = error
            self._session.abandon()
            self.check()
            raise
        except Exception:  # whatever the server answers has been read to its end
            raise
        except BaseException:  # interrupted anywhere, even between a request and its answer
            self._session.abandon()
            raise

    def check(self) -> None:
        """Raises Unavailable where the session is over."""
        if self._cancelled:
            raise Unavailable("mysql", "the query was cancelled")
        if self._closed:
            raise Unavailable("mysql", "the query is over")

    def _switch(self, session: MysqlSession, mode: str) -> None:
        if mode != self._mode:
            session.verbatim(f"SET sql_mode = '{mode}', sql_notes = 1")  # what is cut off is noted, not warned of
            self._mode = mode


class _Stream(ResultStream):
    """The rows of the query; the end of it ends the session."""

    def __init__(self, owner: MysqlQuerySession, session: MysqlSession, cursor: DriverCursor):
        super().__init__(contextlib.ExitStack(), session, cursor)
        self._owner = owner

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        try:
            yield from super().__iter__()
        except Unavailable:
            self._owner.check()
            raise

    @property
    def unread(self) -> bool:
        """Whether the connection still has rows of it on the way: it can do nothing else then."""
        return not self._exhausted

    def close(self) -> None:
        self._owner.close()


def _load(session: MysqlSession, stager: Stager, prepared: _Prepared) -> int:
    """Adds rows; the bytes sent. Raises DuplicateKey, and ValueRejected for as little as a note."""
    data = prepared.upload
    if session.uploads and data is not None and session.upload(stager.load, data):
        _judge(session.warned())
        return len(data)
    sent = 0
    for statement in stager.inserts(prepared.rows):
        session.verbatim(statement)
        _judge(session.warned())
        sent += len(statement.encode())
    return sent


def _judge(warned: Sequence[int]) -> None:
    if any(code in DUPLICATES for code in warned):
        raise DuplicateKey
    if warned:
        raise ValueRejected(f"MySQL would change a value: {describe_code(warned[0])}")


def _creation(scratch: Scratch, engine: str, session: MysqlSession) -> str:
    keys, mariadb = () if scratch.grouped else scratch.association.key_columns, session.mariadb
    return ddl.create_scratch(scratch.name, keys, scratch.columns, engine=engine, mariadb=mariadb).replace("%%", "%")


def _check_epoch(session: MysqlSession, association: Association) -> None:
    if session.rows(sql.EPOCH, [association.table_id]) != ((association.epoch,),):
        raise StaleAssociation(association.name)


def _unique_keys(session: MysqlSession, association: Association) -> list[tuple[str, ...]]:
    """As of the association's epoch."""
    indexes = read_indexes(session, association.name)
    _check_epoch(session, association)  # after them: they may have been read of a later one
    return [index.columns for index in indexes if index.unique and index.columns and not index.prefixed]


def _shadowing(shadow: Shadow, unique: Sequence[Sequence[str]], engine: str) -> str:
    keys = shadow.association.key_names
    return ddl.create_shadow(shadow.name, keys, shadow.columns, unique, engine=engine).replace("%%", "%")


def _create(session: MysqlSession, table: Scratch | Shadow, ways: Sequence[str]) -> None:
    """Creates a temporary table in the first of some ways that has room for it."""
    if not any(session.attempt(way, NO_SUCH_TABLE_FITS) for way in ways):
        raise _too_wide(table)


def _too_wide(scratch: Scratch | Shadow) -> NotSupported:
    names = ", ".join(column.name for column in scratch.columns)
    return NotSupported(
        f"a query that needs these columns of table {scratch.association.name!r} together ({names})",
        "is more than a table of MySQL has room for: name fewer of them",
    )


def _pages(sizes: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """First and last revision of entries that are together of bounded size, or one entry."""
    first, last, total = 0, 0, 0
    for revision, size in sizes:
        if first and total + size > _PAGE_BYTES:
            yield first, last
            first, total = 0, 0
        first, last, total = first or revision, revision, total + size
    if first:
        yield first, last


def _quoted(name: str) -> str:
    return quote(name).replace("%%", "%")
