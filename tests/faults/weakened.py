"""The library with one protection switched off, each by a context manager: negative controls for the schedules.

What is replaced is a class's method or a module's constant, so a weakness acts on every Platform of this process.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias

import pymysql
from dbutils.pooled_db import PooledDB
from pymongo import ReplaceOne, WriteConcern
from pymongo.collection import Collection
from pymongo.read_concern import ReadConcern
from pymysql.constants import CLIENT

from platform_store.admission import Admission
from platform_store.association import Association, KeyValues
from platform_store.config import MysqlConfig
from platform_store.errors import RowNotFound, Unavailable
from platform_store.journal import Journal
from platform_store.names import REVISION
from platform_store.selection import whole_document
from platform_store.stores import mongodb_driver, mongodb_target, mysql_driver, mysql_journal, mysql_sql
from platform_store.stores.base import Entry, Locked, Version
from platform_store.stores.mongodb_target import MongoDocumentTarget
from platform_store.stores.mysql import MysqlConnections
from platform_store.stores.mysql_catalog import MysqlCatalog
from platform_store.stores.mysql_journal import MysqlJournal
from platform_store.stores.mysql_session import Answer, MysqlSession, Statement
from platform_store.stores.mysql_transaction import MysqlTransaction
from platform_store.sweep import Sweeper
from platform_store.unit import Unit

Weakness: TypeAlias = Callable[[], AbstractContextManager[None]]


@contextmanager
def replaced(owner: object, name: str, value: object) -> Iterator[None]:
    """An attribute is another inside."""
    original = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, original)


# Revisions and the order of a write


@contextmanager
def admission_off() -> Iterator[None]:
    """Nobody compares MySQL's revisions with what MongoDB has seen, and nothing jumps above them."""

    def admit(self: Admission, server: str) -> None:
        self.server = server

    with replaced(Admission, "admit", admit), replaced(Admission, "cover", lambda self, revision: None):
        yield


@contextmanager
def applied_before_commit() -> Iterator[None]:
    """Documents go to MongoDB before MySQL's COMMIT, and revisions do not jump after a crash."""
    original = Journal.commit

    def commit(self: Journal, transaction: Any, entries: Sequence[Entry]) -> None:
        self.apply(entries)
        original(self, transaction, entries)

    with admission_off(), replaced(Journal, "commit", commit):
        yield


@contextmanager
def journal_starts_again() -> Iterator[None]:
    """Dropping a table empties the journal, which counts from 1 anew."""
    original = MysqlCatalog.remove_association

    def remove_association(self: MysqlCatalog, association: Association) -> None:
        original(self, association)
        with self._session() as session:
            session.execute(f"TRUNCATE TABLE {mysql_sql.JOURNAL}")

    with replaced(MysqlCatalog, "remove_association", remove_association):
        yield


@contextmanager
def any_increment() -> Iterator[None]:
    """Every server's numbers are taken for consecutive."""
    with replaced(mysql_driver, "_check_numbering", lambda increment, offset: None):
        yield


@contextmanager
def nothing_renewed() -> Iterator[None]:
    """The sweeper takes an entry for confirmed where MongoDB has a newer document, whatever its row shows."""
    original = Sweeper._settle

    def settle(self: Sweeper, due: Sequence[Version]) -> int:
        with replaced(self, "_renew", lambda superseded: None):
            return original(self, due)

    with replaced(Sweeper, "_settle", settle):
        yield


@contextmanager
def one_revision_for_a_range() -> Iterator[None]:
    """delete_range journals one entry, when its first rows are locked; the others' tombstones have its revision."""
    original = Unit._delete

    def delete(self: Unit, association: Association, locked: Sequence[Locked]) -> None:
        if not self.entries:
            original(self, association, locked)
            return
        self.transaction.delete(association, [row.key for row in locked])
        revision = self.entries[0].revision
        self.entries += [Entry(revision, association.name, association.encode_id(row.key), None) for row in locked]

    with replaced(Unit, "_delete", delete):
        yield


@contextmanager
def base_before_the_lock() -> Iterator[None]:
    """A partial update takes the document that it completes before it locks the row."""
    original = Unit.change

    def change(self: Unit, association: Association, key: KeyValues, *others: Any) -> None:
        found = self.transaction.fetch(whole_document(association), key)
        if found is not None:
            row = Locked(found.key, found.revision, found.pending)
            base = self._document(association, row, certain=False)
            with replaced(self, "_base", lambda *_: dict(base)):
                original(self, association, key, *others)

    with replaced(Unit, "change", change):
        yield


@contextmanager
def no_fence() -> Iterator[None]:
    """A writer does not hold the definition that it works by."""

    def fence(self: MysqlTransaction, association: Association, **_: bool) -> None:
        self._table = association.name

    with replaced(MysqlTransaction, "fence", fence):
        yield


# Statements of MySQL


@contextmanager
def upsert_by_any_unique_key() -> Iterator[None]:
    """Rows are written by INSERT ... ON DUPLICATE KEY UPDATE, one by one."""
    text, send_rows = MysqlSession._text, MysqlSession.send_rows

    def upsert(self: MysqlSession, sql: str | bytes, parameters: Sequence[object]) -> bytes:
        if isinstance(sql, str) and sql.startswith("INSERT INTO `card`"):
            _, _, *columns = re.findall(r"`(\w+)`", sql)
            sql += " ON DUPLICATE KEY UPDATE " + ", ".join(f"`{name}` = VALUES(`{name}`)" for name in columns)
        return text(self, sql, parameters)

    def one_by_one(
        self: MysqlSession,
        head: str,
        rows: Sequence[tuple[str, Sequence[object]]],
        failed: Callable[[int, Exception], Exception],
    ) -> None:
        if not head.startswith("INSERT INTO `card`"):
            return send_rows(self, head, rows, failed)
        for template, row in rows:
            self.execute(head + template, row)
        return None

    with replaced(MysqlSession, "_text", upsert), replaced(MysqlSession, "send_rows", one_by_one):
        yield


@contextmanager
def found_rows_off() -> Iterator[None]:
    """MySQL counts the rows that an UPDATE changes, instead of those that it matches."""
    original = mysql_driver.settings

    def settings(config: MysqlConfig, session: Sequence[str], *, packed: bool) -> dict[str, Any]:
        told = original(config, session, packed=packed)
        return {**told, "client_flag": told["client_flag"] & ~CLIENT.FOUND_ROWS}

    with replaced(mysql_driver, "settings", settings):
        yield


@contextmanager
def existence_by_count() -> Iterator[None]:
    """As :func:`found_rows_off`, and a row that an UPDATE does not count is taken to be missing."""
    original = MysqlSession.later

    def judge(answer: Answer) -> None:
        if not answer.matched:
            raise RowNotFound("card", None)

    def later(self: MysqlSession, statement: Statement) -> None:
        judged = str(statement.sql).startswith("UPDATE `card`") and statement.judge is None
        original(self, statement._replace(judge=judge) if judged else statement)

    with found_rows_off(), replaced(MysqlSession, "later", later):
        yield


def _answers(cursor: Any) -> Iterator[tuple[Any, ...]]:
    yield tuple(cursor.fetchall()), cursor.rowcount, cursor.lastrowid or 0
    while cursor.nextset():
        yield tuple(cursor.fetchall()), cursor.rowcount, cursor.lastrowid or 0


class _Steady:
    """A pooled connection used as DBUtils means it to be: its cursors repeat a statement on a new connection."""

    def __init__(self, pooled: Any):
        object.__setattr__(self, "_pooled", pooled)

    def send(self, statements: bytes) -> None:
        cursor = self._pooled.cursor()
        cursor.execute(statements)
        object.__setattr__(self, "_answers", _answers(cursor))

    def receive(self) -> Any:
        return next(self._answers)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pooled._con._con, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._pooled._con._con, name, value)


@contextmanager
def statements_replayed() -> Iterator[None]:
    """DBUtils repeats a statement on a new connection where the old one is lost: its default."""

    def pool(driver: mysql_driver.Driver, size: int, settings: Mapping[str, Any]) -> PooledDB:
        failures = (pymysql.OperationalError, pymysql.InterfaceError, pymysql.InternalError)
        return PooledDB(driver, maxcached=size, failures=failures, reset=False, **settings)

    @contextmanager
    def pooled(self: MysqlConnections, query: bool) -> Iterator[Any]:
        connection = self._write_pool.connection()
        try:
            yield _Steady(connection)
        finally:
            connection.close()

    with replaced(mysql_driver, "pool", pool), replaced(MysqlConnections, "_pooled", pooled):
        yield


# The outcome of a COMMIT


@contextmanager
def lost_commits_forgotten() -> Iterator[None]:
    """A COMMIT that was not answered is taken for one that did not happen."""
    with replaced(MysqlJournal, "outcome", lambda self, operation: False):
        yield


@contextmanager
def absence_proves_all() -> Iterator[None]:
    """An entry that is not in the journal is taken for one that never was, although entries are removed."""
    original = MysqlJournal.outcome

    def outcome(self: MysqlJournal, operation: str) -> bool:
        return bool(original(self, operation))

    with replaced(MysqlJournal, "outcome", outcome):
        yield


@contextmanager
def undone_revisions_kept() -> Iterator[None]:
    """A transaction is known by the first revision that it gave, although that one was undone."""
    original = MysqlTransaction._undo

    def undo(self: MysqlTransaction, first_revision: int) -> None:
        original(self, self._first_revision or first_revision)

    with replaced(MysqlTransaction, "_undo", undo):
        yield


@contextmanager
def no_mark() -> Iterator[None]:
    """What journals no document leaves nothing in the journal."""
    original = MysqlTransaction.commit

    def commit(self: MysqlTransaction) -> None:
        self._changed = False
        original(self)

    with replaced(MysqlTransaction, "commit", commit):
        yield


# Documents


@contextmanager
def no_guard() -> Iterator[None]:
    """A document replaces whatever is there."""

    def replace(collection: Collection[dict[str, Any]], entries: Sequence[Entry]) -> None:
        operations = [
            ReplaceOne({"_id": one.identifier}, mongodb_target._document(one), upsert=True) for one in entries
        ]
        collection.bulk_write(operations, ordered=False)

    with replaced(mongodb_target, "_replace", replace):
        yield


@contextmanager
def placed_without_upsert() -> Iterator[None]:
    """What waits for a majority, as place() does, replaces what is in its way only if it is still there, unlooked."""
    write, replace = mongodb_target._write, mongodb_target._replace

    def replace_only(collection: Collection[dict[str, Any]], entries: Sequence[Entry]) -> None:
        if collection.write_concern != mongodb_driver.DURABLE:
            replace(collection, entries)
            return
        guarded = [({"_id": one.identifier, REVISION: {"$not": {"$gte": one.revision}}}, one) for one in entries]
        collection.bulk_write(
            [ReplaceOne(guard, mongodb_target._document(one)) for guard, one in guarded], ordered=False
        )

    def plain(collection: Collection[dict[str, Any]], entries: Sequence[Entry]) -> mongodb_target._Written:
        return write(collection, entries)._replace(plain=True)

    with replaced(mongodb_target, "_replace", replace_only), replaced(mongodb_target, "_write", plain):
        yield


@contextmanager
def placed_on_one_member() -> Iterator[None]:
    """place() waits for the primary alone."""
    original = MongoDocumentTarget.place

    def place(self: MongoDocumentTarget, association: Association, entries: Sequence[Entry]) -> None:
        with replaced(mongodb_target, "DURABLE", WriteConcern(w=1)):
            original(self, association, entries)

    with replaced(MongoDocumentTarget, "place", place):
        yield


@contextmanager
def _noted_by_one_member() -> Iterator[None]:
    """What is confirmed is noted at the primary alone. At a majority, it would wait for the documents."""

    def note_confirmed(self: MongoDocumentTarget, revision: int) -> None:
        states = self._connections.collection(mongodb_target.STATE, concern=WriteConcern(w=1))
        with self._connections.translated():
            states.update_one({"_id": mongodb_target.WITNESS}, {"$max": {"confirmed": revision}})

    with replaced(MongoDocumentTarget, "note_confirmed", note_confirmed):
        yield


@contextmanager
def confirmed_by_one_member() -> Iterator[None]:
    """The sweeper looks for documents on the primary alone."""
    original = MongoDocumentTarget.confirm

    def confirm(self: MongoDocumentTarget, versions: Sequence[Version]) -> Any:
        local = replaced(mongodb_driver, "ReadConcern", lambda level: ReadConcern("local"))
        with local, replaced(self._connections, "_collections", {}):
            return original(self, versions)

    with replaced(MongoDocumentTarget, "confirm", confirm), _noted_by_one_member():
        yield


@contextmanager
def confirmed_by_the_answer() -> Iterator[None]:
    """The sweeper takes a document that MongoDB did not refuse for one that a majority has."""

    def settle(self: Sweeper, due: Sequence[Version]) -> int:
        entries = self._journal.load([version.revision for version in due])
        refused = _answer(lambda: self._target.apply(entries, durable=True))
        self._forget(sorted(entry.revision for entry in entries if entry.revision not in refused))
        return len(entries) - len(refused)

    with replaced(Sweeper, "_settle", settle), _noted_by_one_member():
        yield


def _answer(apply: Callable[[], dict[int, int]]) -> dict[int, int]:
    """Again where the driver gave up: at about that time MongoDB says itself that a majority did not follow."""
    for _ in range(8):
        with contextlib.suppress(Unavailable):
            return apply()
    return apply()


@contextmanager
def intents_not_locked() -> Iterator[None]:
    """The sweeper takes every intent that looks open for one that nobody works at."""
    statement = mysql_journal._LOCK_INTENT.removesuffix(" FOR UPDATE NOWAIT")
    with replaced(mysql_journal, "_LOCK_INTENT", statement):
        yield


@contextmanager
def withdrawal_unnoticed() -> Iterator[None]:
    """A bulk write does not look whether its intent is still there."""
    claim = MysqlTransaction.claim

    def unchecked(self: MysqlTransaction, association: Association, keys: Sequence[KeyValues], revision: int) -> bool:
        if not claim(self, association, keys, revision):
            condition, parameters = mysql_sql.key_sql(association, keys)
            self._session.execute(mysql_sql.stamp_alike(association, condition), [revision, *parameters])
        return True

    with replaced(MysqlTransaction, "claim", unchecked):
        yield


# MongoDB away


@contextmanager
def apply_raises() -> Iterator[None]:
    """A write raises where MongoDB does not take its document, although it is committed."""

    def lost(self: Journal, error: Unavailable) -> None:
        raise error

    with replaced(Journal, "_lost_mongodb", lost):
        yield


@contextmanager
def always_waited_for() -> Iterator[None]:
    """Every write waits for a MongoDB that is known not to answer."""
    with replaced(Journal, "away", property(lambda self: False)):
        yield
