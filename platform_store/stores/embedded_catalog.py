"""The catalog and the tables of the embedded pair: associations, and DDL inside transactions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable, DropTable

from platform_store.association import EXACT_COLLATIONS as EXACT
from platform_store.association import TEXT_TYPES, Association, Column, KeyValues, replace_epoch
from platform_store.errors import NotSupported, SchemaError
from platform_store.names import REVISION
from platform_store.records import Index
from platform_store.sqltypes import BLOB_BYTES, GEOMETRY_TYPES, TEXT_BYTES
from platform_store.stores.base import DuplicateKey, ForeignTable, NotEmpty, StaleAssociation
from platform_store.stores.embedded_engine import STORE, EmbeddedConnections, EmbeddedSession
from platform_store.stores.embedded_tables import (
    CATALOG,
    SEQUENCE,
    AsBound,
    column_name,
    encode,
    index_name,
    row_index,
    row_indexes,
    row_table,
    table_name,
)

_MAX_COLUMNS = 1017  # InnoDB's; SQLite takes more
_NO_INDEX = frozenset({"JSON", *TEXT_BYTES, *BLOB_BYTES, *GEOMETRY_TYPES})


class EmbeddedCatalog:
    """See :class:`platform_store.stores.base.RowStore`: the parts about the catalog and about tables."""

    name = STORE
    key_collation = "utf8mb4_0900_bin"
    text_collation = "utf8mb4_0900_bin"

    def __init__(self, connections: EmbeddedConnections):
        self._connections = connections

    # The catalog

    def load_catalog(self, name: str | None = None) -> list[Association]:
        columns = (CATALOG.c[c] for c in ("name", "id", "epoch", "state", "storage_format", "definition"))
        statement = sa.select(*columns).order_by(CATALOG.c.name)
        if name is not None:
            statement = statement.where(CATALOG.c.name == name)
        with self._connections.session() as session:
            return [Association.from_catalog(*row) for row in session.rows(statement)]

    def schema_lock(self) -> contextlib.AbstractContextManager[None]:
        return self._connections.schema_lock()

    def add_association(self, association: Association) -> Association:
        values = {
            "name": association.name,
            "epoch": 1,
            "state": association.state,
            "storage_format": association.storage_format,
            "definition": association.definition(),
        }
        with self._changing(association) as session:
            try:
                session.execute(sa.insert(CATALOG).values(values))
            except DuplicateKey:
                raise SchemaError("it is already in association", table=association.name) from None
            ((table_id,),) = session.rows(sa.select(CATALOG.c.id).where(CATALOG.c.name == association.name))
        return replace_epoch(association, 1, table_id)

    def put_association(self, association: Association, *, only_if_empty: bool = False) -> Association:
        after = replace_epoch(association, association.epoch + 1)
        values = {"state": after.state, "definition": after.definition(), "epoch": after.epoch}
        with self._changing(association) as session:  # so every writer of the old epoch has ended
            check_epoch(session, association, association.epoch)
            if only_if_empty and not _is_empty(session, association):
                raise NotEmpty
            session.execute(sa.update(CATALOG).where(CATALOG.c.id == association.table_id).values(values))
        return after

    def remove_association(self, association: Association) -> None:
        with self._changing(association) as session:
            session.execute(sa.delete(CATALOG).where(CATALOG.c.id == association.table_id))

    # Tables

    def table_exists(self, name: str) -> bool:
        with self._connections.session() as session:
            found = session.rows(sa.select(CATALOG.c.id).where(CATALOG.c.name == name))
            return any(_columns(session, table_id) for (table_id,) in found)

    def describe_foreign(self, name: str) -> ForeignTable:
        raise _no_adopting(name)

    def adopt_table(self, association: Association, *, has_revision: bool, dry_run: bool) -> tuple[str, ...]:  # noqa: ARG002
        raise _no_adopting(association.name)

    def fill_keys(self, association: Association, keys: Iterable[KeyValues]) -> int:  # noqa: ARG002
        raise _no_adopting(association.name)

    def differences(self, association: Association) -> tuple[str, ...]:
        with self._connections.session() as session:
            found = _columns(session, association.table_id)
        if not found:
            return ("the file has no table for it",)
        missing = (column.name for column in association.table_columns if column_name(column.name) not in found)
        return tuple(f"the file lacks column {name!r}" for name in missing)

    def check_placeable(self, association: Association) -> None:
        """Text is compared in binary here, so a column of another collation would be answered differently."""
        for column in association.columns:
            collation = column.attribute.collation
            if column.type.base in TEXT_TYPES and collation is not None and collation not in EXACT:
                raise NotSupported(
                    f"collation {collation} of column {column.name!r}",
                    f"is not supported by the embedded pair: its text is binary, {self.text_collation}",
                )
            if column.server_default or column.generated:
                raise NotSupported(f"column {column.name!r}, which MySQL computes,", "needs MySQL")
        if len(association.table_columns) > _MAX_COLUMNS - 1:
            raise SchemaError(f"MySQL holds at most {_MAX_COLUMNS} columns, _rev included", table=association.name)
        for index in association.indexes:
            for name in index.columns:
                column = association.by_name[name]
                if column.in_mysql and column.type.base in _NO_INDEX:
                    raise SchemaError(
                        f"MySQL makes no index over a whole column of type {column.type.base}",
                        table=association.name,
                        column=name,
                    )

    def create_table(self, association: Association) -> None:
        with self._changing(association) as session:
            session.execute(CreateTable(row_table(association)))
            for index in row_indexes(association):
                session.execute(CreateIndex(index))
            if association.auto_column is not None:
                counter = {"owner": association.table_id, "last": encode(association.auto_column, 0)}
                session.execute(sa.insert(SEQUENCE).values(counter))

    def drop_table(self, association: Association, *, only_ours: bool = False) -> int:  # noqa: ARG002 - every table is
        with self._changing(association) as session:
            if not _columns(session, association.table_id):
                return 0
            table = row_table(association)
            ((rows,),) = session.rows(sa.select(sa.func.count()).select_from(table))
            session.execute(DropTable(table))
            session.execute(sa.delete(SEQUENCE).where(SEQUENCE.c.owner == association.table_id))
            return int(rows)

    def add_column(self, association: Association, column: Column) -> None:
        name = column_name(column.name)
        quoted, table = _quoted(name), _quoted(table_name(association.table_id))
        with self._changing(association) as session:
            if name in _columns(session, association.table_id):
                return
            default = column.attribute.default
            constraint = "" if column.nullable else " NOT NULL DEFAULT 0"
            session.execute(sa.text(f"ALTER TABLE {table} ADD COLUMN {quoted} BLOB{constraint}"))
            if default is not None:
                added = sa.table(table_name(association.table_id), sa.column(name))
                session.execute(sa.update(added).values({name: sa.literal(encode(column, default), AsBound())}))

    def tighten_column(self, association: Association, column: Column) -> None:
        """Nothing to do, see :meth:`loosen_column`: what may be NULL is checked before a row comes here."""

    def loosen_column(self, association: Association, column: Column) -> None:
        """Nothing to do: every NOT NULL column of the file has a default that lets rows leave it out."""

    def drop_column(self, association: Association, column: Column) -> None:
        name = column_name(column.name)
        with self._changing(association) as session:
            if name in _columns(session, association.table_id):
                session.execute(
                    sa.text(f"ALTER TABLE {_quoted(table_name(association.table_id))} DROP COLUMN {_quoted(name)}")
                )

    def uses_of_column(self, association: Association, column: Column) -> tuple[str, ...]:  # noqa: ARG002
        return ()  # a table of the file has the association's own indexes alone

    def create_index(self, association: Association, index: Index) -> None:
        with self._changing(association) as session:
            session.execute(CreateIndex(row_index(association, index), if_not_exists=True))

    def drop_index(self, association: Association, index: Index) -> None:
        with self._changing(association) as session:
            session.execute(sa.text(f"DROP INDEX IF EXISTS {_quoted(index_name(association, index))}"))

    def rename_column(self, association: Association, old: str, new: str) -> None:
        before, after = column_name(old), column_name(new)
        with self._changing(association) as session:
            if before in _columns(session, association.table_id):
                table = _quoted(table_name(association.table_id))
                session.execute(sa.text(f"ALTER TABLE {table} RENAME COLUMN {_quoted(before)} TO {_quoted(after)}"))

    def is_empty(self, association: Association) -> bool:
        with self._connections.session() as session:
            return _is_empty(session, association)

    def about_rows(self, association: Association) -> int:
        with self._connections.session() as session:
            ((rows,),) = session.rows(sa.select(sa.func.count()).select_from(row_table(association)))
        return int(rows)

    def forget_revisions(self, association: Association) -> Association:
        with self._changing(association) as session:
            session.execute(sa.update(row_table(association)).values({REVISION: 0}))
        return association

    @contextlib.contextmanager
    def _changing(self, association: Association) -> Iterator[EmbeddedSession]:
        with self._connections.session(write=True) as session:
            yield session
            session.commit(association.name)


def check_epoch(session: EmbeddedSession, association: Association, epoch: int) -> None:
    """StaleAssociation unless the catalog has the table at this epoch; the session keeps it so."""
    found = session.rows(sa.select(CATALOG.c.epoch).where(CATALOG.c.id == association.table_id))
    if [row.epoch for row in found] != [epoch]:
        raise StaleAssociation(association.name)


def _columns(session: EmbeddedSession, table_id: int) -> set[str]:
    """The names of a table's columns in the file; none where there is no such table."""
    info = sa.func.pragma_table_info(table_name(table_id)).table_valued("name")
    return {row.name for row in session.rows(sa.select(info.c.name))}


def _is_empty(session: EmbeddedSession, association: Association) -> bool:
    return not session.rows(sa.select(sa.literal(1)).select_from(row_table(association)).limit(1))


def _quoted(name: str) -> str:
    """A name of ``embedded_tables``: ASCII letters, digits, ``_`` and ``$`` only."""
    return f'"{name}"'


def _no_adopting(table: str) -> NotSupported:
    return NotSupported("associate()", f"is not supported by the embedded pair: create table {table!r} instead")
