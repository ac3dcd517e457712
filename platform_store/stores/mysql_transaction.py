"""The transactions of the write path, in MySQL and MariaDB."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import bson

from platform_store.association import Association, Column, KeyValues
from platform_store.codecs import Codec
from platform_store.errors import (
    Conflict,
    Diverged,
    RowExists,
    TransientError,
    Unavailable,
    ValueRejected,
)
from platform_store.halves import id_alone
from platform_store.names import quote
from platform_store.rows import NewRow
from platform_store.search import Search
from platform_store.selection import Selection
from platform_store.sqltypes import INTEGER_BITS
from platform_store.stores import mysql_sql as sql
from platform_store.stores.base import (
    DuplicateKey,
    Entry,
    Exact,
    Fetched,
    Locked,
    StaleAssociation,
)
from platform_store.stores.mysql_exact import exact_many
from platform_store.stores.mysql_fetch import KEYS_PER_STATEMENT, batches, fetch_many, found, in_order
from platform_store.stores.mysql_journal import MysqlJournal, awaited, operation_id
from platform_store.stores.mysql_session import Answer, MysqlSession, Statement, inserts

_SAVEPOINT = "SAVEPOINT one_change"


def _judge_stamped(association: Association, expected: int, answer: Answer) -> None:
    if answer.matched != expected:
        raise Diverged(f"a revision matched {answer.matched} rows, not {expected}", table=association.name)


def _note_numbers(revisions: list[int], answer: Answer) -> None:
    """The values of one INSERT are consecutive, see :meth:`MysqlSession.insert_rows`."""
    revisions.extend(range(answer.last_id, answer.last_id + answer.matched))


def _judge_deleted(association: Association, expected: int, answer: Answer) -> None:
    if answer.matched != expected:
        raise Diverged(f"{answer.matched} rows were deleted where {expected} were locked", table=association.name)


def _taken(association: Association, key: KeyValues | None) -> Conflict:
    return Conflict(
        "another row holds the same values in a unique index; nothing was written",
        table=association.name,
        key=None if key is None else association.public_key(key),
    )


def _at(error: Exception, association: Association, key: KeyValues | None) -> Exception:
    """Table and key filled into what MySQL refuses."""
    public = None if key is None else association.public_key(key)
    if isinstance(error, ValueRejected):
        return error.at(association.name, None, public)
    return error.at(association.name, public) if isinstance(error, Conflict) else error


class MysqlTransaction:
    """One transaction at READ COMMITTED. See :class:`platform_store.stores.base.RowTransaction`."""

    def __init__(self, session: MysqlSession, journal: MysqlJournal):
        self._session, self._journal = session, journal
        self._nonce = os.urandom(16)
        self._first_revision = 0  # with the nonce it names the transaction, should its COMMIT be lost
        self._table = ""
        self._changed = False
        self.server = session.server
        self.committed = False

    def fence(self, association: Association, *, at_once: bool = False) -> None:
        def judge(answer: Answer) -> None:
            if answer.rows != ((association.epoch,),):
                raise StaleAssociation(association.name)

        self._table = association.name
        self._session.later(Statement(sql.FENCE, [association.table_id], judge))
        if at_once:
            self._session.flush()

    def lock(
        self, association: Association, keys: Sequence[KeyValues], *, pending: bool = True
    ) -> dict[KeyValues, Locked]:
        locked: dict[KeyValues, Locked] = {}
        for batch in batches(association, keys):
            condition, parameters = sql.key_sql(association, batch)
            alone = pending and len(batch) == 1
            rows = self._session.rows(sql.lock_rows(association, condition, pending=alone), parameters)
            if pending and not alone:
                # The journal is read as of the first row that was found. Only a statement that waits for none of them
                # sees what the writers have committed who held the others.
                rows = self._session.rows(sql.lock_rows(association, condition), parameters)
            for row in rows:
                found = _locked(row)
                locked[found.key if association.exact_keys else batch[0]] = found
        return locked

    def lock_range(
        self, association: Association, start: KeyValues | None, stop: KeyValues | None, limit: int
    ) -> list[Locked]:
        condition, parameters = sql.range_sql(association, start, stop)
        statement = sql.lock_rows(association, condition, pending=False, limit=True)
        return [_locked(row) for row in self._session.rows(statement, [*parameters, limit])]

    def insert(self, association: Association, rows: Sequence[NewRow]) -> list[KeyValues]:
        self._changed = True
        if len(rows) == 1 and rows[0].key is not None:
            self._insert_later(association, rows[0], rows[0].key)
            return [rows[0].key]
        names = tuple(column.name for column in association.table_columns if not column.generated)
        head = sql.insert_head(association, names)
        # Values that MySQL allocates are consecutive only where every row of the statement takes one.
        given = _in_key_order([(row.key, row) for row in rows if row.key is not None])
        if given:
            named = _insert_rows(association, names, [row for _, row in given])
            self._session.send_rows(head, named, partial(self._not_inserted, association, [key for key, _ in given]))
        automatic = _insert_rows(association, names, [row for row in rows if row.key is None])
        allocated = iter(self._insert_automatic(association, head, automatic) if automatic else ())
        return [(next(allocated),) if row.key is None else row.key for row in rows]

    def _insert_later(self, association: Association, row: NewRow, key: KeyValues) -> None:
        names = tuple(column.name for column in association.table_columns if not column.generated)
        ((places, parameters),) = _insert_rows(association, names, [row])
        failed = partial(self._not_inserted, association, [key], 0)
        self._session.later(Statement(sql.insert_head(association, names) + places, parameters, failed=failed))

    def _insert_automatic(
        self, association: Association, head: str, filled: Sequence[tuple[str, Sequence[object]]]
    ) -> list[int]:
        """Inserts rows that have no key yet; returns what MySQL allocated."""
        try:
            return self._session.insert_rows(head, filled)
        except (DuplicateKey, ValueRejected, Conflict) as error:
            raise self._not_inserted(association, [], 0, error) from None

    def _not_inserted(
        self, association: Association, keys: Sequence[KeyValues], before: int, error: Exception
    ) -> Exception:
        """The error of an INSERT of rows, ``before`` of which are in, by statements before its own.

        They are the transaction's own, and so nothing that a duplicate could be a duplicate of.
        """
        if isinstance(error, DuplicateKey):
            return self._duplicate(association, keys[before:])
        return _at(error, association, keys[0] if len(keys) == 1 else None)

    def _duplicate(self, association: Association, keys: Sequence[KeyValues]) -> Exception:
        """Which error a duplicate is; the transaction is still alive, so the rows that are there can be asked for.

        They are not locked: the failed INSERT holds shared locks on them, as other failed INSERTs of the same keys do,
        and none of them could make its own exclusive without a deadlock.
        """
        taken = self._present(association, keys)
        for key in keys:
            if key in taken:
                return RowExists(association.name, association.public_key(key))
            taken.add(key)  # the same key later in the batch
        if not keys and self._exhausted(association):
            return ValueRejected("the AUTO_INCREMENT column has no number left", table=association.name)
        return _taken(association, keys[0] if len(keys) == 1 else None)

    def _exhausted(self, association: Association) -> bool:
        """Whether the highest number is taken: MySQL, unlike MariaDB, then allocates it again."""
        column = association.auto_column
        if column is None or column.type.base not in INTEGER_BITS:
            return False
        highest = 2 ** (INTEGER_BITS[column.type.base] - (not column.type.unsigned)) - 1
        return bool(self._present(association, [(highest,)]))

    def _present(self, association: Association, keys: Sequence[KeyValues]) -> set[KeyValues]:
        """Which of these keys, as they are spelled here, have a row."""
        taken: set[KeyValues] = set()
        for batch in batches(association, keys):
            condition, parameters = sql.key_sql(association, batch)
            found = self._session.rows(sql.select_keys(association, condition), parameters)
            taken.update(found if association.exact_keys else batch[: len(found)])
        return taken

    def update(self, association: Association, key: KeyValues, values: Mapping[str, object]) -> None:
        self.update_many(association, [key], values)

    def update_many(self, association: Association, keys: Sequence[KeyValues], values: Mapping[str, object]) -> None:
        assignments = [f"t.{quote(name)} = %s" for name in values]
        for first in range(0, len(keys), KEYS_PER_STATEMENT):
            batch = keys[first : first + KEYS_PER_STATEMENT]
            self._update(association, batch, assignments, _parameters(association, values))

    def reset(self, association: Association, key: KeyValues, row: NewRow) -> None:
        columns = [column for column in association.table_columns if _resettable(column, row)]
        assignments = [
            f"t.{quote(column.name)} = {'%s' if column.name in row.mysql else 'DEFAULT'}" for column in columns
        ]
        named = {column.name: row.mysql[column.name] for column in columns if column.name in row.mysql}
        if assignments:
            self._update(association, [key], assignments, _parameters(association, named))

    def _update(
        self,
        association: Association,
        keys: Sequence[KeyValues],
        assignments: Sequence[str],
        parameters: Sequence[object],
    ) -> None:
        self._changed = True
        statement, key_parameters = sql.update_rows(association, assignments, keys)
        key = keys[0] if len(keys) == 1 else None

        def failed(error: Exception) -> Exception:
            return _taken(association, key) if isinstance(error, DuplicateKey) else _at(error, association, key)

        self._session.later(Statement(statement, [*parameters, *key_parameters], failed=failed))

    def delete(self, association: Association, keys: Sequence[KeyValues]) -> None:
        self._changed = True
        for first in range(0, len(keys), KEYS_PER_STATEMENT):
            batch = keys[first : first + KEYS_PER_STATEMENT]
            condition, parameters = sql.key_sql(association, batch)
            key = batch[0] if len(batch) == 1 else None
            self._session.later(
                Statement(
                    sql.delete_rows(association, condition),
                    parameters,
                    partial(_judge_deleted, association, len(batch)),
                    partial(_at, association=association, key=key),
                )
            )

    def fetch(self, selection: Selection, key: KeyValues) -> Fetched | None:
        return fetch_many(self._session, selection, [key])[0]

    def search(self, selection: Selection, search: Search, *, lock: bool) -> list[Fetched]:
        if not lock:
            return found(self._session, selection, search)
        association = selection.association
        condition, parameters = sql.search_sql(search)

        def locked(index: str | None) -> Sequence[Any]:
            statement = sql.lock_found(association, condition, sql.search_order(search), index)
            return self._session.rows(statement, parameters)

        # For keys alone MySQL, too, may take another index, in which it reads and locks all that is left, and sort it.
        keys = in_order(association, search, locked)
        return [row for row in fetch_many(self._session, selection, keys) if row is not None]

    def exact(self, association: Association, columns: Sequence[Column], key: KeyValues) -> dict[str, object]:
        statement = sql.exact_columns(association, columns)
        ((*values,),) = self._session.rows(statement, sql.key_parameters(association, key))
        return {
            column.name: None if value is None else column.codec.from_exact(value)
            for column, value in zip(columns, values, strict=True)
        }

    def exact_many(
        self, association: Association, columns: Sequence[Column], keys: Sequence[KeyValues]
    ) -> dict[KeyValues, Exact]:
        return exact_many(self._session, association, columns, keys)

    def record(
        self,
        association: Association,
        entries: Sequence[tuple[KeyValues, bytes | None]],
        *,
        fresh: bool = False,
        meanwhile: Callable[[], None] | None = None,
    ) -> list[Entry]:
        identifiers = [association.encode_id(key) for key, _ in entries]
        rows = [
            (
                (image and id_alone(image)) or bson.encode({"_id": identifier}),
                0 if image is None else len(image),
                image,
            )
            for identifier, (_, image) in zip(identifiers, entries, strict=True)
        ]
        entry = sql.entry(association, self._nonce)
        revisions: list[int] = []
        first = 0
        for statement, count in inserts(sql.INSERT_ENTRIES, ((entry, row) for row in rows)):
            self._session.later(Statement(statement, judge=partial(_note_numbers, revisions)))
            stay = [
                (key, place) for place, (key, image) in enumerate(entries[first : first + count]) if image is not None
            ]
            self._stamp(association, stay)
            self._session.send()
            first += count
        if meanwhile is not None:
            meanwhile()
        self._session.flush()
        self._first_revision = self._first_revision or revisions[0]
        return [
            Entry(revision, association.name, identifier, image, fresh)
            for revision, identifier, (_, image) in zip(revisions, identifiers, entries, strict=True)
        ]

    def _stamp(self, association: Association, keys: Sequence[tuple[KeyValues, int]]) -> None:
        """Stamps rows with the revisions that the last INSERT allocated, each with the one at its place."""
        if _in_step(association, keys):
            ((first,), place), ((last,), _) = keys[0], keys[-1]
            judge = partial(_judge_stamped, association, len(keys))
            self._session.later(Statement(sql.stamp_run(association), [place, first, first, last], judge))
            return
        size = 500 if association.exact_keys else 1
        for start in range(0, len(keys), size):
            batch = keys[start : start + size]
            parameters: list[Any] = []
            for key, place in batch:
                parameters += [place, *sql.key_parameters(association, key)]
            statement = sql.stamp_one(association) if len(batch) == 1 else sql.stamp_many(association, len(batch))
            self._session.later(Statement(statement, parameters, partial(_judge_stamped, association, len(batch))))

    def announce(self, association: Association, keys: Sequence[KeyValues]) -> int | None:
        self._session.flush()  # the rows are locked before their revision is given
        return self._journal.announce(association, [association.encode_id(key) for key in keys], self._nonce)

    def claim(self, association: Association, keys: Sequence[KeyValues], revision: int) -> bool:
        # In this order: whoever begins to hold the journal then waits for the intents that are locked.
        claimed, held = self._session.run(Statement(sql.CLAIM_INTENT, [revision, self._nonce]), Statement(sql.HELD_BY))
        if claimed.matched != 1 or held.rows != ((None,),):
            return False
        self._first_revision = self._first_revision or revision
        for batch in batches(association, keys):
            condition, parameters = sql.key_sql(association, batch)
            stamp = sql.stamp_alike(association, condition)
            self._session.later(
                Statement(stamp, [revision, *parameters], partial(_judge_stamped, association, len(batch)))
            )
        self._session.send()  # the rows are stamped while the documents are on their way
        return True

    def awaited(self, association: Association, keys: Sequence[KeyValues]) -> set[KeyValues]:
        return awaited(self._session, association, keys) if keys else set()

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        self._session.later(Statement(_SAVEPOINT))
        before = self._first_revision
        try:
            yield
            self._session.flush()
        except TransientError:
            raise  # a deadlock has rolled back everything; after a lock wait the caller gives everything up
        except Unavailable as error:
            if error.store == "mongodb":
                self._undo(before)
            raise
        except Exception:  # whatever the change raised: it alone is undone
            self._undo(before)
            raise

    def _undo(self, first_revision: int) -> None:
        if not self._session.forget(_SAVEPOINT):
            self._session.drain()
            self._session.execute(f"ROLLBACK TO {_SAVEPOINT}")
        self._first_revision = first_revision  # a number that was undone tells no outcome

    def commit(self) -> None:
        if self._changed and not self._first_revision:
            # Nothing was journalled that could tell the outcome of a lost COMMIT: this does, and is swept away.
            mark = Statement(sql.INSERT_MARK, [self._nonce])
            self._first_revision = self._session.run(mark)[0].last_id
        self._session.commit(self._table, operation_id(self._first_revision, self._nonce))
        self.committed = True


def _in_key_order(rows: list[tuple[KeyValues, NewRow]]) -> list[tuple[KeyValues, NewRow]]:
    """The order in which all writers lock their rows, so that they wait for each other instead of deadlocking."""
    try:
        return sorted(rows, key=lambda row: row[0])
    except TypeError:  # a type whose stored values have no order
        return rows


def _in_step(association: Association, keys: Sequence[tuple[KeyValues, int]]) -> bool:
    """Whether the keys are consecutive integers, all there are in their range, as their places are."""
    (column, *others) = association.key_columns
    if others or column.type.base not in INTEGER_BITS or len(keys) < 2:
        return False
    first: Any
    (first,), start = keys[0]
    return all(key == (first + number,) and place == start + number for number, (key, place) in enumerate(keys))


def _resettable(column: Column, row: NewRow) -> bool:
    """Not so a column that MySQL numbers and ``row`` leaves out: an UPDATE allocates no number."""
    numbered = column.attribute.auto_increment and row.mysql.get(column.name) is None
    return not (column.key or column.generated or numbered)


def _to_sql(codec: Codec) -> Callable[[object], object] | None:
    """``codec.to_sql``, None where it leaves a value as it is."""
    return None if type(codec).to_sql is Codec.to_sql else codec.to_sql


def _insert_rows(
    association: Association, names: Sequence[str], rows: Iterable[NewRow]
) -> list[tuple[str, Sequence[object]]]:
    """Rows of a VALUES list: a placeholder for each value given, DEFAULT for the rest."""
    columns = [association.by_name[name] for name in names]
    written = [(column.name, _to_sql(column.codec)) for column in columns]
    # Under NO_AUTO_VALUE_ON_ZERO it is NULL that asks for a number; DEFAULT would be 0.
    otherwise = {column.name: "NULL" if column.attribute.auto_increment else "DEFAULT" for column in columns}
    whole = f"({sql.placeholders(len(names))})"
    filled: list[tuple[str, Sequence[object]]] = []
    for row in rows:
        stored = row.mysql
        values = [
            stored[name] if convert is None or stored[name] is None else convert(stored[name])
            for name, convert in written
            if name in stored
        ]
        places = whole
        if len(values) < len(names):
            places = f"({', '.join('%s' if name in stored else otherwise[name] for name in names)})"
        filled.append((places, values))
    return filled


def _parameters(association: Association, values: Mapping[str, object]) -> list[object]:
    return [_parameter(association.by_name[name], value) for name, value in values.items()]


def _parameter(column: Column, stored: object) -> object:
    return None if stored is None else column.codec.to_sql(stored)


def _locked(row: Sequence[Any]) -> Locked:
    *key, revision, pending = row
    return Locked(tuple(key), revision, pending)
