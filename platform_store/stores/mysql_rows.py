"""Rows in MySQL and MariaDB: the transactions of the write path, reads, and the journal."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import bson

from platform_store.association import Association, Column, KeyValues
from platform_store.config import MysqlConfig
from platform_store.errors import Conflict, Diverged, RowExists, TransientError, Unavailable, ValueRejected
from platform_store.names import quote
from platform_store.records import Finding
from platform_store.rows import NewRow, Selection
from platform_store.sqltypes import INTEGER_BITS
from platform_store.stores import mysql_sql as sql
from platform_store.stores.base import (
    Cursor,
    DuplicateKey,
    Entry,
    Fetched,
    Locked,
    Parameters,
    StaleAssociation,
)
from platform_store.stores.mysql import DuplicateRow, MysqlConnections, MysqlSession
from platform_store.stores.mysql_catalog import MysqlCatalog
from platform_store.stores.mysql_doctor import findings

_KEYS_PER_STATEMENT = 1000
_PENDING_BYTES = 32 * 1024 * 1024  # of documents held at once while entries are brought to MongoDB


@contextlib.contextmanager
def _located(association: Association, key: KeyValues | None = None) -> Iterator[None]:
    """Fills table and key into what MySQL refuses."""
    public = None if key is None else association.public_key(key)
    try:
        yield
    except ValueRejected as error:
        raise error.at(association.name, None, public) from None
    except Conflict as error:
        raise error.at(association.name, public) from None


class MysqlTransaction:
    """One transaction at READ COMMITTED. See :class:`platform_store.stores.base.RowTransaction`."""

    def __init__(self, session: MysqlSession):
        self._session = session
        self._nonce = os.urandom(16)  # names the transaction, should its COMMIT be lost
        self._table = ""
        self.committed = False

    def fence(self, association: Association) -> None:
        found = self._session.rows(sql.FENCE, [association.table_id])
        if found != ((association.epoch,),):
            raise StaleAssociation(association.name)
        self._table = association.name

    def lock(self, association: Association, keys: Sequence[KeyValues]) -> dict[KeyValues, Locked]:
        locked: dict[KeyValues, Locked] = {}
        for batch in _batches(association, keys):
            condition, parameters = sql.key_sql(association, batch)
            for row in self._session.rows(sql.lock_rows(association, condition), parameters):
                found = _locked(row)
                locked[found.key if association.exact_keys else batch[0]] = found
        return locked

    def lock_range(
        self, association: Association, start: KeyValues | None, stop: KeyValues | None, limit: int
    ) -> list[Locked]:
        condition, parameters = sql.range_sql(association, start, stop)
        statement = sql.lock_rows(association, condition, limit=True)
        return [_locked(row) for row in self._session.rows(statement, [*parameters, limit])]

    def insert(self, association: Association, rows: Sequence[NewRow]) -> list[KeyValues]:
        names = tuple(column.name for column in association.mysql_columns if not column.generated)
        head = sql.insert_head(association, names)
        # Values that MySQL allocates are consecutive only where every row of the statement takes one.
        given = _in_key_order([(row.key, row) for row in rows if row.key is not None])
        named = [_insert_row(association, names, row) for _, row in given]
        self._insert(association, head, named, [key for key, _ in given])
        automatic = [_insert_row(association, names, row) for row in rows if row.key is None]
        allocated = iter(self._insert(association, head, automatic, []))
        return [(next(allocated),) if row.key is None else row.key for row in rows]

    def _insert(
        self,
        association: Association,
        head: str,
        filled: Sequence[tuple[str, Sequence[object]]],
        keys: Sequence[KeyValues],
    ) -> list[int]:
        """Inserts rows that all have a key in ``keys``, or all none yet; returns what MySQL allocated."""
        try:
            with _located(association, keys[0] if len(keys) == 1 else None):
                return self._session.insert_rows(head, filled)
        except DuplicateRow as error:
            raise self._duplicate(association, keys[error.before :]) from None

    def _duplicate(self, association: Association, keys: Sequence[KeyValues]) -> Exception:
        """Which error a duplicate is; the transaction is still alive, so the rows that are there can be asked for.

        They are not locked: the failed INSERT holds shared locks on them, as other failed INSERTs of the same keys do,
        and none of them could make its own exclusive without a deadlock.
        """
        taken = self._taken(association, keys)
        for key in keys:
            if key in taken:
                return RowExists(association.name, association.public_key(key))
            taken.add(key)  # the same key later in the batch
        if not keys and self._exhausted(association):
            return ValueRejected("the AUTO_INCREMENT column has no number left", table=association.name)
        return Conflict(
            "another row holds the same values in a unique index; nothing was written",
            table=association.name,
            key=association.public_key(keys[0]) if len(keys) == 1 else None,
        )

    def _exhausted(self, association: Association) -> bool:
        """Whether the highest number is taken: MySQL, unlike MariaDB, then allocates it again."""
        column = association.auto_column
        if column is None or column.type.base not in INTEGER_BITS:
            return False
        highest = 2 ** (INTEGER_BITS[column.type.base] - (not column.type.unsigned)) - 1
        return bool(self._taken(association, [(highest,)]))

    def _taken(self, association: Association, keys: Sequence[KeyValues]) -> set[KeyValues]:
        """Which of these keys, as they are spelled here, have a row."""
        taken: set[KeyValues] = set()
        for batch in _batches(association, keys):
            condition, parameters = sql.key_sql(association, batch)
            found = self._session.rows(sql.select_keys(association, condition), parameters)
            taken.update(found if association.exact_keys else batch[: len(found)])
        return taken

    def update(self, association: Association, key: KeyValues, values: Mapping[str, object]) -> None:
        assignments = [f"t.{quote(name)} = %s" for name in values]
        self._update(association, key, assignments, _parameters(association, values))

    def reset(self, association: Association, key: KeyValues, row: NewRow) -> None:
        columns = [column for column in association.mysql_columns if _resettable(column, row)]
        assignments = [
            f"t.{quote(column.name)} = {'%s' if column.name in row.mysql else 'DEFAULT'}" for column in columns
        ]
        named = {column.name: row.mysql[column.name] for column in columns if column.name in row.mysql}
        if assignments:
            self._update(association, key, assignments, _parameters(association, named))

    def _update(
        self, association: Association, key: KeyValues, assignments: Sequence[str], parameters: Sequence[object]
    ) -> None:
        statement, key_parameters = sql.update_row(association, assignments, key)
        try:
            with _located(association, key):
                self._session.execute(statement, [*parameters, *key_parameters])
        except DuplicateKey:
            raise Conflict(
                "another row holds the same values in a unique index; nothing was written",
                table=association.name,
                key=association.public_key(key),
            ) from None

    def delete(self, association: Association, keys: Sequence[KeyValues]) -> None:
        for first in range(0, len(keys), _KEYS_PER_STATEMENT):
            batch = keys[first : first + _KEYS_PER_STATEMENT]
            condition, parameters = sql.key_sql(association, batch)
            with _located(association, batch[0] if len(batch) == 1 else None):
                deleted = self._session.execute(sql.delete_rows(association, condition), parameters)
            if deleted != len(batch):
                raise Diverged(f"{deleted} rows were deleted where {len(batch)} were locked", table=association.name)

    def fetch(self, selection: Selection, key: KeyValues) -> Fetched | None:
        return _fetch_many(self._session, selection, [key])[0]

    def exact(self, association: Association, columns: Sequence[Column], key: KeyValues) -> dict[str, object]:
        statement = sql.exact_columns(association, columns)
        ((*values,),) = self._session.rows(statement, sql.key_parameters(association, key))
        return {
            column.name: None if value is None else column.codec.from_exact(value)
            for column, value in zip(columns, values, strict=True)
        }

    def record(self, association: Association, entries: Sequence[tuple[KeyValues, bytes | None]]) -> list[Entry]:
        identifiers = [association.encode_id(key) for key, _ in entries]
        rows = [
            (sql.ENTRY, (association.table_id, bson.encode({"_id": identifier}), association.epoch, self._nonce, image))
            for identifier, (_, image) in zip(identifiers, entries, strict=True)
        ]
        revisions = self._session.insert_rows(sql.INSERT_ENTRIES, rows)
        return [
            Entry(revision, association.name, identifier, image)
            for revision, identifier, (_, image) in zip(revisions, identifiers, entries, strict=True)
        ]

    def stamp(self, association: Association, revisions: Sequence[tuple[KeyValues, int]]) -> None:
        size = 500 if association.exact_keys else 1
        for first in range(0, len(revisions), size):
            batch = revisions[first : first + size]
            parameters: list[Any] = []
            for key, revision in batch:
                parameters += [revision, *sql.key_parameters(association, key)]
            statement = sql.stamp_one(association) if len(batch) == 1 else sql.stamp_many(association, len(batch))
            matched = self._session.execute(statement, parameters)
            if matched != len(batch):
                raise Diverged(f"a revision matched {matched} rows, not {len(batch)}", table=association.name)

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        self._session.execute("SAVEPOINT one_change")
        try:
            yield
        except TransientError:
            raise  # a deadlock has rolled back everything; after a lock wait the caller gives everything up
        except Unavailable as error:
            if error.store == "mongodb":
                self._session.execute("ROLLBACK TO SAVEPOINT one_change")
            raise
        except Exception:
            self._session.execute("ROLLBACK TO SAVEPOINT one_change")
            raise

    def commit(self) -> None:
        self._session.commit(self._table, self._nonce)
        self.committed = True


class MysqlRowStore(MysqlCatalog):
    """The row half on a MySQL or MariaDB server."""

    durable_documents = False

    def __init__(self, config: MysqlConfig):
        super().__init__(MysqlConnections(config), config.database)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[MysqlTransaction]:
        with self._connections.lease() as session:
            session.begin()
            transaction = MysqlTransaction(session)
            yield transaction
            if not transaction.committed:
                session.rollback()

    def fetch_many(self, selection: Selection, keys: Sequence[KeyValues]) -> list[Fetched | None]:
        with self._connections.lease() as session:
            return _fetch_many(session, selection, keys)

    def fetch_range(
        self,
        selection: Selection,
        start: KeyValues | None,
        stop: KeyValues | None,
        after: KeyValues | None,
        limit: int,
    ) -> list[Fetched]:
        association = selection.association
        condition, parameters = sql.range_sql(association, start, stop, after)
        with self._connections.lease() as session:
            rows = session.rows(sql.read_page(selection, condition), [*parameters, limit, association.table_id])
        return _checked(selection, rows)

    def pending(self, limit: int, after: int = 0) -> list[Entry]:
        with self._connections.lease() as session:
            sizes = [row[0] for row in session.rows(sql.PENDING_SIZES, [after, limit])]
            fitting = sum(1 for total in accumulate(sizes) if total <= _PENDING_BYTES)
            rows = session.rows(sql.PENDING, [after, max(1, fitting)])
        return [
            Entry(revision, table, bson.decode(row_key)["_id"], document) for revision, table, row_key, document in rows
        ]

    def count_pending(self) -> int:
        with self._connections.lease() as session:
            return int(session.rows(sql.COUNT_PENDING)[0][0])

    def settle(self, revisions: Sequence[int]) -> None:
        with self._connections.lease() as session:
            for first in range(0, len(revisions), _KEYS_PER_STATEMENT):
                batch = revisions[first : first + _KEYS_PER_STATEMENT]
                session.execute(sql.delete_entries(len(batch)), batch)

    def query(
        self,
        statement: str,
        parameters: Parameters | None,
        tables: Mapping[str, Association],  # noqa: ARG002 - MySQL knows its tables
    ) -> Cursor:
        return self._connections.stream(statement, parameters)

    def findings(self) -> list[Finding]:
        with self._connections.lease() as session:
            return findings(session)

    def close(self) -> None:
        self._connections.close()


def _batches(association: Association, keys: Sequence[KeyValues]) -> Iterator[Sequence[KeyValues]]:
    """Keys to ask for by one statement each.

    Under an inexact collation the answer cannot be matched to many spellings, so each key is asked for by itself.
    """
    size = _KEYS_PER_STATEMENT if association.exact_keys else 1
    for first in range(0, len(keys), size):
        yield keys[first : first + size]


def _in_key_order(rows: list[tuple[KeyValues, NewRow]]) -> list[tuple[KeyValues, NewRow]]:
    """The order in which all writers lock their rows, so that they wait for each other instead of deadlocking."""
    try:
        return sorted(rows, key=lambda row: row[0])
    except TypeError:  # a type whose stored values have no order
        return rows


def _resettable(column: Column, row: NewRow) -> bool:
    """Not so a column that MySQL numbers and ``row`` leaves out: an UPDATE allocates no number."""
    numbered = column.attribute.auto_increment and row.mysql.get(column.name) is None
    return not (column.key or column.generated or numbered)


def _insert_row(association: Association, names: Sequence[str], row: NewRow) -> tuple[str, list[object]]:
    """One row of a VALUES list: a placeholder for each value given, DEFAULT for the rest."""
    places, parameters = [], []
    for name in names:
        if name in row.mysql:
            places.append("%s")
            parameters.append(_parameter(association.by_name[name], row.mysql[name]))
        else:
            # Under NO_AUTO_VALUE_ON_ZERO it is NULL that asks for a number; DEFAULT would be 0.
            places.append("NULL" if association.by_name[name].attribute.auto_increment else "DEFAULT")
    return f"({', '.join(places)})", parameters


def _parameters(association: Association, values: Mapping[str, object]) -> list[object]:
    return [_parameter(association.by_name[name], value) for name, value in values.items()]


def _parameter(column: Column, stored: object) -> object:
    return None if stored is None else column.codec.to_sql(stored)


def _locked(row: Sequence[Any]) -> Locked:
    *key, revision, pending = row
    return Locked(tuple(key), revision, pending)


def _fetch_many(session: MysqlSession, selection: Selection, keys: Sequence[KeyValues]) -> list[Fetched | None]:
    association = selection.association
    found: dict[KeyValues, Fetched] = {}
    for batch in _batches(association, keys):
        condition, parameters = sql.key_sql(association, batch)
        rows = session.rows(sql.read_rows(selection, condition), [*parameters, association.table_id])
        for row in _checked(selection, rows):
            found[row.key if association.exact_keys else batch[0]] = row
    return [found.get(key) for key in keys]


def _checked(selection: Selection, rows: Sequence[Sequence[Any]]) -> list[Fetched]:
    """The rows of a read, once its catalog epoch is known to be ours."""
    association = selection.association
    if not rows or rows[0][0] != association.epoch:
        raise StaleAssociation(association.name)
    width = len(association.key_columns)
    return [Fetched(tuple(row[3 : 3 + width]), tuple(row[3:]), row[1], row[2]) for row in rows if row[1] is not None]
