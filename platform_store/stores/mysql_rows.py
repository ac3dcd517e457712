"""Rows in MySQL and MariaDB: the store that decides whether a row exists."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import NoReturn

from platform_store.association import Association, Column, KeyValues
from platform_store.config import MysqlConfig
from platform_store.errors import (
    NotSupported,
)
from platform_store.records import Finding
from platform_store.search import Search
from platform_store.selection import Selection
from platform_store.stores import mysql_sql as sql
from platform_store.stores.base import (
    Exact,
    Fetched,
    Parameters,
)
from platform_store.stores.mysql import MysqlConnections
from platform_store.stores.mysql_bulk_target import MysqlTables
from platform_store.stores.mysql_catalog import MysqlCatalog
from platform_store.stores.mysql_doctor import findings
from platform_store.stores.mysql_exact import exact_many, present
from platform_store.stores.mysql_fetch import fetch_many, found, read
from platform_store.stores.mysql_jobs import MysqlJobs
from platform_store.stores.mysql_journal import MysqlJournal
from platform_store.stores.mysql_scratch import MysqlQuerySession
from platform_store.stores.mysql_transaction import MysqlTransaction


class MysqlRowStore(MysqlCatalog):
    """The row half on a MySQL or MariaDB server."""

    stages = True
    journal: MysqlJournal

    def __init__(self, config: MysqlConfig, *, watched: bool = False):
        connections = MysqlConnections(config, watched=watched)
        with contextlib.ExitStack() as undo:
            undo.callback(connections.close)
            super().__init__(connections, config.database)
            undo.pop_all()
        self.journal = MysqlJournal(connections, config.database)
        self.bulk = MysqlTables(connections)
        self.jobs = MysqlJobs(connections)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[MysqlTransaction]:
        with self._connections.lease() as session:
            session.begin()
            transaction = MysqlTransaction(session, self.journal)
            yield transaction
            if not transaction.committed:
                session.rollback()

    def fetch_many(self, selection: Selection, keys: Sequence[KeyValues]) -> list[Fetched | None]:
        with self._connections.lease() as session:
            return fetch_many(session, selection, keys)

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
        parameters += [association.table_id, association.epoch, limit]
        with self._connections.lease() as session:
            return read(session, association, sql.read_page(selection, condition), parameters)

    def search(self, selection: Selection, search: Search) -> list[Fetched]:
        with self._connections.lease() as session:
            return found(session, selection, search)

    def exact_many(
        self, association: Association, columns: Sequence[Column], keys: Sequence[KeyValues]
    ) -> dict[KeyValues, Exact]:
        with self._connections.lease() as session:
            return exact_many(session, association, columns, keys)

    def present(self, association: Association, keys: Sequence[KeyValues]) -> set[KeyValues]:
        with self._connections.lease() as session:
            return present(session, association, keys)

    def query(self, statement: str, parameters: Parameters | None, tables: Mapping[str, Association]) -> NoReturn:  # noqa: ARG002
        raise NotSupported("a query by the rows alone", "is not this store's: it has query_session()")

    def query_session(self) -> MysqlQuerySession:
        return MysqlQuerySession(self._connections)

    def findings(self) -> list[Finding]:
        with self._connections.lease() as session:
            return findings(session)

    def pool(self) -> tuple[int, int]:
        return self._connections.in_use()

    def close(self) -> None:
        self._connections.close()
