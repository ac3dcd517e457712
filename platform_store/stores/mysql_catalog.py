"""The catalog and the tables of a MySQL or MariaDB database: associations, DDL, metadata."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby, islice
from operator import itemgetter

from platform_store.association import (
    Association,
    Column,
    KeyValues,
    replace_epoch,
)
from platform_store.errors import ConfigError, SchemaError, TransientError
from platform_store.names import quote, quote_list
from platform_store.records import Index
from platform_store.sqltypes import parse_type
from platform_store.stores import mysql_ddl as ddl
from platform_store.stores import mysql_metadata as metadata
from platform_store.stores import mysql_own_tables as own
from platform_store.stores import mysql_sql as sql
from platform_store.stores.base import DuplicateKey, ForeignTable, NotEmpty, StaleAssociation
from platform_store.stores.mysql import MysqlConnections
from platform_store.stores.mysql_journal import remove_entries
from platform_store.stores.mysql_session import MysqlSession

_SCHEMA_LOCK_SECONDS = 30
_SETTINGS = "SELECT VERSION(), @@max_allowed_packet, @@collation_database, @@lower_case_table_names, @@global.sql_mode"


class MysqlCatalog:
    """See :class:`platform_store.stores.base.RowStore`: the parts about the catalog and about tables."""

    name = "mysql"

    def __init__(self, connections: MysqlConnections, database: str):
        self._connections, self.database = connections, database
        digest = hashlib.sha256(database.encode()).hexdigest()
        self._lock_name = f"platform_store:{digest[:32]}"
        self._own = threading.local()  # the session of the schema change a thread is making
        with connections.lease() as session:
            self._read_settings(session)
            for statement in own.CREATE_OWN_TABLES:
                session.execute(statement)
            ready = all(session.rows(one) for one in (*dict(own.UPGRADES), own.HAS_STATE_ROW))
        if not ready:
            self._make_ready()

    def _make_ready(self) -> None:
        """Brings the library's own tables to what this version needs."""
        with self.schema_lock(), self._session() as session:
            for question, upgrade in own.UPGRADES:
                if not session.rows(question):
                    session.execute(upgrade)
            if not session.rows(own.HAS_STATE_ROW):
                session.execute(own.INSERT_STATE_ROW)

    def _read_settings(self, session: MysqlSession) -> None:
        ((version, packet, collation, lower_case, sql_mode),) = session.rows(_SETTINGS)
        self.version = str(version)
        self.mariadb = "mariadb" in self.version.lower()
        for mode in ("ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "HIGH_NOT_PRECEDENCE"):
            if mode in sql_mode:
                raise ConfigError(f"the server's sql_mode has {mode}, which changes what SQL means: remove it",
                                  key="mysql.url")  # fmt: skip
        self.folds_names = bool(lower_case)
        self.key_collation = "utf8mb4_nopad_bin" if self.mariadb else "utf8mb4_0900_bin"
        self.text_collation = str(collation)
        if not self.text_collation.startswith("utf8mb4_"):
            raise ConfigError(
                f"the database's default collation is {collation}: ALTER DATABASE ... CHARACTER SET utf8mb4",
                key="mysql.database",
            )
        # A document takes up to twice its size in a packet: in hexadecimal, or with escapes.
        self.max_image_bytes = (int(packet) - 64 * 1024) // 2

    # The catalog

    def load_catalog(self, name: str | None = None) -> list[Association]:
        with self._session() as session:
            if name is None:
                rows = session.rows(sql.LOAD_CATALOG + " ORDER BY name")
            else:
                rows = session.rows(sql.LOAD_CATALOG + " WHERE name = %s", [name])
        return [Association.from_catalog(*row) for row in rows]

    @contextlib.contextmanager
    def schema_lock(self) -> Iterator[None]:
        """The lock lives and dies with a connection outside the pool, and so does every statement under it.

        A schema change never waits for a slot that readers hold, and one that has lost the lock can do nothing more.
        """
        with self._connections.dedicated() as session:
            if session.rows("SELECT GET_LOCK(%s, %s)", [self._lock_name, _SCHEMA_LOCK_SECONDS]) != ((1,),):
                raise TransientError("mysql", f"another schema change has been under way for {_SCHEMA_LOCK_SECONDS} s")
            self._own.session = session
            try:
                yield  # closing the connection releases the lock
            finally:
                self._own.session = None

    @contextlib.contextmanager
    def _session(self) -> Iterator[MysqlSession]:
        """The connection of the schema change that this thread is making; else one of the pool."""
        session: MysqlSession | None = getattr(self._own, "session", None)
        if session is None:
            with self._connections.lease() as session:
                yield session
            return
        try:
            yield session
        except Exception:  # whatever the caller's block raised: its statements end here, the lock stays
            session.rollback()
            raise

    def add_association(self, association: Association) -> Association:
        row = (association.name, association.state, association.storage_format, association.definition())
        with self._session() as session:
            try:
                (table_id,) = session.insert_rows(sql.INSERT_CATALOG_ROW, [("(%s, 1, %s, %s, %s)", row)])
            except DuplicateKey:
                raise SchemaError("it is already in association", table=association.name) from None
        return replace_epoch(association, 1, table_id)

    def put_association(self, association: Association, *, only_if_empty: bool = False) -> Association:
        with self._session() as session:
            session.begin()
            if session.rows(sql.LOCK_CATALOG_ROW, [association.table_id]) != ((association.epoch,),):
                raise StaleAssociation(association.name)
            if only_if_empty and _has_rows(session, association):
                raise NotEmpty
            session.execute(sql.UPDATE_CATALOG_ROW, [association.state, association.definition(), association.table_id])
            session.commit(association.name, "")
        return replace_epoch(association, association.epoch + 1)

    def remove_association(self, association: Association) -> None:
        with self._session() as session:
            session.begin()
            session.execute(sql.DELETE_CATALOG_ROW, [association.table_id])
            session.commit(association.name, "")

    # Tables

    def table_exists(self, name: str) -> bool:
        with self._session() as session:
            return bool(session.rows(metadata.TABLE, [name]))

    def check_placeable(self, association: Association) -> None:
        """SchemaError for what this server cannot carry."""
        if self.folds_names and association.name != association.name.lower():
            raise SchemaError("this server folds table names to lower case: use one", table=association.name)
        wanted = {c.attribute.collation: c.name for c in association.columns if c.attribute.collation is not None}
        if wanted:
            with self._session() as session:
                statement = f"{metadata.COLLATIONS}({sql.placeholders(len(wanted))})"
                known = {row[0] for row in session.rows(statement, list(wanted))}
            for collation in wanted.keys() - known:
                raise SchemaError(
                    f"the server has no collation {collation}", table=association.name, column=wanted[collation]
                )

    def create_table(self, association: Association) -> None:
        from platform_store.stores.mysql_create import create_table

        with self._session() as session:
            session.execute(create_table(association, self._connections.literal))
            for index in association.indexes:
                if all(association.by_name[name].in_mysql for name in index.columns):
                    session.execute(ddl.create_index(association, index))

    def drop_table(self, association: Association, *, only_ours: bool = False) -> int:
        with self._session() as session:
            found = session.rows(metadata.TABLE, [association.name])
            if not found or (only_ours and found[0][2] != ddl.table_comment(association)):
                return 0
            rows = _count(session, association.name)
            session.execute(ddl.drop_table(association.name))
            return rows

    def describe_foreign(self, name: str) -> ForeignTable:
        with self._session() as session:
            columns, has_revision = metadata.foreign_columns(session, name)
            return ForeignTable(columns, has_revision, _count(session, name))

    def differences(self, association: Association) -> tuple[str, ...]:
        with self._session() as session:
            found = {row[0]: row[1] for row in session.rows(metadata.COLUMNS, [association.name])}
        if not found:
            return ("MySQL has no such table",)
        differences = [f"MySQL lacks column {c.name!r}" for c in association.table_columns if c.name not in found]
        differences += [
            f"column {column.name!r} is {found[column.name]} in MySQL"
            for column in association.table_columns
            if column.name in found and not self._carries(column, found[column.name])
        ]
        return tuple(differences)

    def _carries(self, column: Column, type_text: str) -> bool:
        if self.mariadb and column.type.base == "JSON":  # an alias there
            return type_text == "longtext"
        try:
            return parse_type(type_text) == column.type
        except SchemaError:
            return False

    def adopt_table(self, association: Association, *, has_revision: bool, dry_run: bool) -> tuple[str, ...]:
        if has_revision:
            return ()
        statement = ddl.add_revision(association.name)
        if not dry_run:
            with self._session() as session:
                session.execute(statement)
        return (statement.replace("%%", "%"),)

    def add_column(self, association: Association, column: Column) -> None:
        from platform_store.stores.mysql_create import add_column

        with self._session() as session:
            if not _has_column(session, association, column.name):
                session.execute(add_column(association, _loose(column), self._connections.literal))

    def tighten_column(self, association: Association, column: Column) -> None:
        if column.required:
            self._modify(association, column)

    def loosen_column(self, association: Association, column: Column) -> None:
        if column.required:
            self._modify(association, _loose(column))

    def _modify(self, association: Association, column: Column) -> None:
        from platform_store.stores.mysql_create import modify_column

        with self._session() as session:
            session.execute(modify_column(association, column, self._connections.literal))

    def drop_column(self, association: Association, column: Column) -> None:
        with self._session() as session:
            if _has_column(session, association, column.name):
                session.execute(ddl.drop_column(association, column))

    def uses_of_column(self, association: Association, column: Column) -> tuple[str, ...]:
        with self._session() as session:
            found = session.rows(metadata.USES, [association.name, column.name] * (metadata.USES.count("%s") // 2))
            found += session.rows(
                metadata.CHECKS_MARIADB if self.mariadb else metadata.CHECKS, [association.name, column.name]
            )
        ours = {ddl.index_name(association, index) for index in association.indexes}
        return tuple(f"{kind} {name!r}" for kind, name in found if name not in ours)

    def create_index(self, association: Association, index: Index) -> None:
        with self._session() as session:
            if _index_name(session, association, index) is None:
                session.execute(ddl.create_index(association, index))

    def drop_index(self, association: Association, index: Index) -> None:
        with self._session() as session:
            name = _index_name(session, association, index)
            if name is not None:
                session.execute(ddl.drop_index(association, name))

    def rename_column(self, association: Association, old: str, new: str) -> None:
        with self._session() as session:
            if _has_column(session, association, old):
                statement = ddl.rename_column(association, old, new, _renamed(session, association, old, new))
                try:
                    session.execute(statement)
                except StaleAssociation:
                    # MariaDB takes the check of a JSON column from an earlier table of that name, once.
                    session.execute(statement)

    def is_empty(self, association: Association) -> bool:
        with self._session() as session:
            return not _has_rows(session, association)

    def about_rows(self, association: Association) -> int:
        with self._session() as session:
            found = session.rows(metadata.TABLE_ROWS, [association.name])
        return int(found[0][0] or 0) if found else 0

    def forget_revisions(self, association: Association) -> Association:
        """Notes the revision up to which documents are gone; rewriting every row could take hours."""
        with self._session() as session:
            session.begin()
            mark = (association.table_id, association.epoch)
            (discarded_at,) = session.insert_rows(sql.INSERT_ENTRIES, [("(%s, %s, '', '', 0, NULL)", mark)])
            # Its writers are fenced out, so what is read here is all there is.
            remove_entries(session, [row[0] for row in session.rows(sql.TABLE_ENTRIES, [association.table_id])])
            session.commit(association.name, "")
        return replace(association, discarded_at=discarded_at)

    def fill_keys(self, association: Association, keys: Iterable[KeyValues]) -> int:
        """Inserts rows that have only a key; keys that exist are left alone. Returns how many were inserted."""
        head = f"INSERT INTO {quote(association.name)} ({quote_list(association.key_names)}) VALUES "
        template = f"({sql.placeholders(len(association.key_columns))})"
        iterator, inserted = iter(keys), 0
        with self._session() as session:
            while batch := list(islice(iterator, 1000)):
                condition, parameters = sql.key_sql(association, batch)
                present = set(
                    session.rows(
                        f"SELECT {sql.key_order(association)} FROM {quote(association.name)} AS t WHERE {condition}",
                        parameters,
                    )
                )
                missing = [key for key in batch if key not in present]
                session.insert_rows(head, [(template, sql.key_parameters(association, key)) for key in missing])
                inserted += len(missing)
        return inserted


def _has_column(session: MysqlSession, association: Association, name: str) -> bool:
    return any(row[0] == name for row in session.rows(metadata.COLUMNS, [association.name]))


def _index_name(session: MysqlSession, association: Association, index: Index) -> str | None:
    """What MySQL calls an index: its columns may have been renamed since."""
    prefix = ddl.index_prefix(association, index)
    for name, parts in groupby(session.rows(metadata.INDEX_COLUMNS, [association.name]), key=itemgetter(0)):
        if str(name).startswith(prefix) and tuple(column for _, column in parts) == index.columns:
            return str(name)
    return None


def _renamed(session: MysqlSession, association: Association, old: str, new: str) -> Iterator[tuple[str, str]]:
    """The indexes that a column's new name gives new names, so that they are known by them.

    One stays as it is where somebody else's index has that name: what it is called only helps a search.
    """
    taken = {str(name).lower() for name, _ in session.rows(metadata.INDEX_COLUMNS, [association.name])}
    for index in association.indexes:
        name = _index_name(session, association, index) if old in index.columns else None
        if name is not None:
            renamed = ddl.index_name(association, index, [new if one == old else one for one in index.columns])
            if renamed.lower() not in taken - {name.lower()}:
                yield name, renamed


def _has_rows(session: MysqlSession, association: Association) -> bool:
    return bool(session.rows(f"SELECT 1 FROM {quote(association.name)} LIMIT 1"))


def _loose(column: Column) -> Column:
    """The column as one that rows may leave out."""
    nullable = column.attribute.nullable or column.required
    return replace(column, attribute=replace(column.attribute, nullable=nullable))


def _count(session: MysqlSession, name: str) -> int:
    return int(session.rows(f"SELECT COUNT(*) FROM {quote(name)}")[0][0])
