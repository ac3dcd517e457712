"""The journal's own statements on MySQL and MariaDB: what happens to entries once their transaction is over.

Entries are written in the transaction of their rows, by
:class:`~platform_store.stores.mysql_transaction.MysqlTransaction`.
Nothing here rests on the clock but how soon work is done: times only decide which entries are looked at.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, TypeVar

import bson

from platform_store.association import Association, KeyValues
from platform_store.errors import TransientError, Unavailable, ValueRejected
from platform_store.halves import CODEC_OPTIONS
from platform_store.stores import mysql_sql as sql
from platform_store.stores.base import Backlog, DuplicateKey, Entry, Position, Version
from platform_store.stores.mysql_hold import MysqlHold
from platform_store.stores.mysql_session import MysqlSession, Statement
from platform_store.stores.mysql_sql import DONE_INTENT, JOURNAL, KEPT, OPEN_INTENT, PENDING, SET_ASIDE, STATE

T = TypeVar("T")

_IDS_PER_STATEMENT = 500
_PENDING_BYTES = 32 * 1024 * 1024  # of documents held at once while entries are brought to MongoDB
_PATIENCE = 1  # seconds that the sweeper waits for a bulk write under way: it comes again

_OLD_ENOUGH = "j.written_at <= CURRENT_TIMESTAMP(3) - INTERVAL %s SECOND"
_WITH_NAME = f"FROM {JOURNAL} AS j JOIN {sql.CATALOG} AS c ON c.id = j.table_id"
_DUE = f"SELECT j.id, c.name, j.row_key {_WITH_NAME} WHERE j.id > %s AND {{}} AND {_OLD_ENOUGH} ORDER BY j.id LIMIT %s"
_DUE_FIRST = _DUE.format(f"j.state = {PENDING}")
_DUE_AGAIN = _DUE.format(f"(j.state = {SET_ASIDE} OR j.state = {KEPT} AND ({sql.HELD_BY}) IS NULL)")
_OPEN_INTENTS = f"SELECT id FROM {JOURNAL} WHERE state = {OPEN_INTENT} AND id < %s ORDER BY id LIMIT 1000"
_INTENTS = f"SELECT j.id FROM {JOURNAL} AS j WHERE j.state = %s AND {_OLD_ENOUGH} ORDER BY j.id LIMIT 1000"
# Not waited for: a writer that holds it is at work.
_LOCK_INTENT = f"SELECT table_id, row_key FROM {JOURNAL} WHERE id = %s AND state = {OPEN_INTENT} FOR UPDATE NOWAIT"
_STRAYS = (
    f"SELECT j.id FROM {JOURNAL} AS j LEFT JOIN {sql.CATALOG} AS c ON c.id = j.table_id "
    f"WHERE c.id IS NULL AND j.state <> {OPEN_INTENT} LIMIT 1000"  # that is withdrawn, without waiting for its writer
)
_BACKLOG = (
    f"SELECT state, COUNT(*), COALESCE(SUM(size), 0), MIN(id) FROM {JOURNAL} "
    f"WHERE state IN ({PENDING}, {SET_ASIDE}, {KEPT}) GROUP BY state"
)
_AGE = f"SELECT TIMESTAMPDIFF(MICROSECOND, written_at, CURRENT_TIMESTAMP(3)) / 1e6 FROM {JOURNAL} WHERE id = %s"
_CAUSES = f"SELECT cause, COUNT(*) FROM {JOURNAL} WHERE state = {SET_ASIDE} GROUP BY cause ORDER BY cause"
_LEASE = (
    f"UPDATE {STATE} SET owner = %s, lease = CURRENT_TIMESTAMP(3) + INTERVAL %s SECOND "
    "WHERE id = 1 AND (owner IS NULL OR owner = %s OR lease IS NULL OR lease < CURRENT_TIMESTAMP(3))"
)
_RELEASE = f"UPDATE {STATE} SET owner = NULL WHERE id = 1 AND owner = %s"


class MysqlJournal(MysqlHold):
    """See :class:`platform_store.stores.base.JournalStore`."""

    # Entries on their way

    def due(self, after: int, limit: int, *, seconds: float, again: bool) -> list[Version]:
        with self._connections.lease() as session:
            rows = session.rows(_DUE_AGAIN if again else _DUE_FIRST, [after, seconds, limit])
        return [Version(revision, table, bson.decode(row_key)["_id"]) for revision, table, row_key in rows]

    def load(self, revisions: Sequence[int]) -> list[Entry]:
        with self._connections.lease() as session:
            marks = sql.placeholders(len(revisions))
            sizes = session.rows(f"SELECT id, size FROM {JOURNAL} WHERE id IN ({marks}) ORDER BY id", revisions)
            totals = accumulate(size for _, size in sizes)
            fitting = [row[0] for row, total in zip(sizes, totals, strict=True) if total <= _PENDING_BYTES]
            wanted = fitting or [row[0] for row in sizes[:1]]
            if not wanted:
                return []
            condition = f"j.id IN ({sql.placeholders(len(wanted))}) AND j.state IN ({PENDING}, {SET_ASIDE}, {KEPT})"
            rows = session.rows(
                f"SELECT j.id, c.name, j.row_key, j.document {_WITH_NAME} WHERE {condition} ORDER BY j.id", wanted
            )
        return [
            Entry(revision, table, bson.decode(row_key)["_id"], document) for revision, table, row_key, document in rows
        ]

    def remove(self, revisions: Sequence[int], *, server: str) -> None:
        with self._transaction() as session:
            if session.server != server:
                raise Unavailable("mysql", "it was started anew meanwhile")
            remove_entries(session, revisions, keep=True)

    def set_aside(self, causes: Mapping[int, int]) -> None:
        with self._connections.lease() as session:
            for cause in sorted(set(causes.values())):
                for batch in _batches([revision for revision, its in causes.items() if its == cause]):
                    session.execute(
                        f"UPDATE {sql.entries_by_id(len(batch))} SET j.state = {SET_ASIDE}, j.cause = %s "
                        f"WHERE j.state IN ({PENDING}, {SET_ASIDE}, {KEPT})",
                        [*batch, cause],
                    )

    def strays(self) -> list[int]:
        with self._connections.lease() as session:
            return [row[0] for row in session.rows(_STRAYS)]

    def backlog(self) -> Backlog:
        with self._connections.lease() as session:
            states = {row[0]: row[1:] for row in session.rows(_BACKLOG)}
            kept = int(states.pop(KEPT, (0,))[0])
            ages = {
                state: max(0.0, float(age))
                for state, (_, _, first) in states.items()
                for (age,) in session.rows(_AGE, [first])
            }
            causes = dict(session.rows(_CAUSES)) if SET_ASIDE in states else {}
        return Backlog(
            entries=sum(int(count) for count, _, _ in states.values()),
            bytes=sum(int(size) for _, size, _ in states.values()),
            oldest_seconds=max(ages.values(), default=None),
            set_aside=causes,
            kept=kept,
            late_seconds=ages.get(PENDING),
        )

    def oldest(self) -> int | None:
        with self._connections.lease() as session:
            return session.rows(f"SELECT MIN(id) FROM {JOURNAL}")[0][0]  # type: ignore[no-any-return]

    # Intents

    def announce(self, association: Association, identifiers: Sequence[Any], nonce: bytes) -> int | None:
        row = (association.table_id, bson.encode({"_ids": list(identifiers)}), association.epoch, nonce)
        with self._connections.lease_if_free() as session:
            if session is None:
                return None
            return session.insert_rows(sql.INSERT_INTENT, [(sql.INTENT, row)])[0]

    def intents(self, *, done: bool, seconds: float) -> list[int]:
        with self._connections.lease() as session:
            rows = session.rows(_INTENTS, [DONE_INTENT if done else OPEN_INTENT, seconds])
        return [row[0] for row in rows]

    def open_intents(self, below: int) -> list[int]:
        with self._connections.lease() as session:
            return [row[0] for row in session.rows(_OPEN_INTENTS, [below])]

    def withdraw(self, revision: int, clear: Callable[[str, Sequence[Any]], None]) -> bool:
        try:
            with self._transaction() as session:
                found = session.rows(_LOCK_INTENT, [revision])
                if found:
                    ((table_id, row_key),) = found
                    for (table,) in session.rows(f"SELECT name FROM {sql.CATALOG} WHERE id = %s", [table_id]):
                        clear(table, bson.decode(row_key)["_ids"])
                    remove_entries(session, [revision])
        except TransientError:
            return False
        return bool(found)

    # Outcomes, the lease, and what outlives a restart

    def outcome(self, operation: str) -> bool | None:
        revision, nonce = parse_operation(operation)
        with self._connections.dedicated(bounded=True) as session:
            session.begin()
            # A locking read waits for a transaction that the server has not ended yet.
            found = session.rows(f"SELECT nonce, state FROM {JOURNAL} WHERE id = %s LOCK IN SHARE MODE", [revision])
            if found and found[0][0] == nonce:
                return bool(found[0][1] != OPEN_INTENT)
            if found:
                return False  # the number went to another writer: this one's row of the journal never was
            ((removed_to,),) = session.rows(f"SELECT removed_to FROM {STATE} WHERE id = 1 LOCK IN SHARE MODE")
            return False if removed_to < revision else None

    def lease(self, owner: bytes, seconds: float) -> bool:
        with self._connections.lease() as session:
            return session.execute(_LEASE, [owner, seconds, owner]) == 1

    def release(self, owner: bytes) -> None:
        with self._connections.lease() as session:
            session.execute(_RELEASE, [owner])

    def server(self) -> str:
        with self._connections.lease() as session:
            return session.server

    # On connections beyond the pool: a writer that holds a place of it, and locks, must not wait for another.

    def position(self) -> Position:
        with self._connections.dedicated(bounded=True) as session:
            ((ceiling, accepted),) = session.rows(f"SELECT ceiling, server FROM {STATE} WHERE id = 1")
            # information_schema answers from a cache; this does not.
            ((_, definition),) = session.rows(f"SHOW CREATE TABLE {JOURNAL}")
        counter = re.search(r"\) ENGINE=InnoDB AUTO_INCREMENT=(\d+)", definition)
        return Position(int(counter[1]) if counter else 1, int(ceiling), accepted)

    def note_ceiling(self, ceiling: int) -> None:
        with self._connections.dedicated(bounded=True) as session:
            session.execute(f"UPDATE {STATE} SET ceiling = GREATEST(ceiling, %s) WHERE id = 1", [ceiling])

    def note_accepted(self, server: str) -> None:
        with self._connections.dedicated(bounded=True) as session:
            session.execute(f"UPDATE {STATE} SET server = %s WHERE id = 1", [server])

    def raise_revisions(self, above: int) -> None:
        """By an explicit number, which the counter follows and remembers; ALTER TABLE would wait for every writer."""
        if above < 1:
            return
        with self._connections.dedicated(bounded=True) as session, contextlib.suppress(DuplicateKey):
            session.begin()  # a duplicate says that the counter is above it already
            session.execute(
                f"INSERT INTO {JOURNAL} (id, table_id, row_key, epoch, nonce) VALUES (%s, 0, '', 0, '')", [above]
            )
            session.execute(f"DELETE FROM {JOURNAL} WHERE id = %s", [above])
            session.commit(JOURNAL, "")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[MysqlSession]:
        with self._connections.lease() as session:
            session.begin()
            yield session
            session.commit(JOURNAL, "")


def operation_id(revision: int, nonce: bytes) -> str:
    """Names a transaction by the first revision it journalled (0: none) and its nonce."""
    return f"{revision}-{nonce.hex()}"


def parse_operation(operation: str) -> tuple[int, bytes]:
    """The inverse of :func:`operation_id`. Raises ValueRejected."""
    found = re.fullmatch(r"([0-9]{1,20})-([0-9a-f]{32})", operation)
    if found is None:
        raise ValueRejected("it is no operation id: OutcomeUnknown.operation_id has it")
    return int(found[1]), bytes.fromhex(found[2])


def remove_entries(session: MysqlSession, revisions: Sequence[int], *, keep: bool = False) -> None:
    """Removes rows of the journal, in the caller's transaction: the only way in which any goes.

    It notes how far any were ever removed (what absence proves, see outcome()), and counts, so that a query which looks
    at MongoDB first and at the journal after it knows whether anything went away in between. The note's lock comes
    first, so that whoever begins to hold the journal has seen the end of this, or is seen here.

    ``keep``: while the journal is held, documents stay, for the backup alone.
    """
    if not revisions:
        return
    _, held = session.run(Statement(sql.NOTE_REMOVAL, [max(revisions)]), Statement(sql.HELD_BY))
    kept = keep and held.rows != ((None,),)
    for batch in _batches(revisions):
        entries = sql.entries_by_id(len(batch))
        if kept:
            session.execute(f"UPDATE {entries} SET j.state = {KEPT} WHERE j.state IN ({PENDING}, {SET_ASIDE})", batch)
        session.execute(
            f"DELETE j FROM {entries} WHERE j.state <> {KEPT}" if kept else f"DELETE j FROM {entries}", batch
        )


def awaited(session: MysqlSession, association: Association, keys: Sequence[KeyValues]) -> set[KeyValues]:
    """See :class:`platform_store.stores.base.RowTransaction`."""
    wanted = {bson.encode({"_id": association.encode_id(key)}): key for key in keys}
    found: set[KeyValues] = set()
    for batch in _batches(list(wanted)):
        entries = f"{sql.KEYS_OF_ENTRIES}({sql.placeholders(len(batch))})"
        found.update(wanted[row_key] for (row_key,) in session.rows(entries, [association.table_id, *batch]))
    for (row_key,) in session.rows(sql.KEYS_OF_INTENTS, [association.table_id]):
        announced = (bson.encode({"_id": one}) for one in bson.decode(row_key, CODEC_OPTIONS)["_ids"])
        found.update(wanted[one] for one in announced if one in wanted)
    return found


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for first in range(0, len(items), _IDS_PER_STATEMENT):
        yield items[first : first + _IDS_PER_STATEMENT]
