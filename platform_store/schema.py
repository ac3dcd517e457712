"""Creating, adopting, changing and dropping logical tables.

Every change is made under one lock between all processes, writes its intention into the catalog before it touches a
store and its completion after, so that a change that died half-way is finished or undone by calling it again.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import get_args

from platform_store.association import Association, Change, Column
from platform_store.catalog import Catalog, not_live
from platform_store.declaration import check_document_column, checked_column, declare
from platform_store.errors import Diverged, NotSupported, PlatformStoreError, SchemaError, ValueRejected
from platform_store.names import check_column_names, check_field_name, check_table_name
from platform_store.records import (
    Adoption,
    ColumnAttribute,
    Index,
    Placement,
    Removed,
)
from platform_store.stores.base import DocumentStore, DuplicateKey, ForeignTable, NotEmpty, RowStore, StaleAssociation

logger = logging.getLogger("platform_store")


class Schema:
    """The association module's operations over one pair of stores."""

    def __init__(self, rows: RowStore, documents: DocumentStore, catalog: Catalog):
        self._rows, self._documents, self._catalog = rows, documents, catalog

    def create_table(
        self,
        name: str,
        columns: Iterable[ColumnAttribute],
        flag: int,
        *,
        key: Sequence[str] | None = None,
        extra: bool = False,
        indexes: Iterable[Index] = (),
        if_not_exists: bool = False,
    ) -> None:
        """See :meth:`Platform.create_table`."""
        check_table_name(name)
        association = declare(
            name,
            columns,
            flag,
            key=key,
            extra=extra,
            indexes=indexes,
            key_collation=self._rows.key_collation,
            text_collation=self._rows.text_collation,
        )
        self._rows.check_placeable(association)
        with self._changing(name):
            existing = self._catalog.reload(name)
            if existing is not None and existing.state == "creating":
                # Creators hold the schema lock, so this one is dead.
                self._undo_creation(existing)
                existing = None
            if existing is not None:
                if existing.state != "live":
                    raise not_live(existing)
                if not if_not_exists:
                    raise SchemaError("it is already in association", table=name)
                if not existing.same_definition(association):
                    raise SchemaError("it exists with a different definition: compare describe()", table=name)
                return
            self._create(association)

    def _create(self, association: Association) -> None:
        name = association.name
        if self._rows.table_exists(name):
            raise SchemaError("MySQL already has a table of that name: associate() adopts it", table=name)
        existed = self._documents.collection_exists(name)
        if existed:
            # Its documents may be of an earlier table, even of another database: new ones must be newer.
            highest = self._documents.highest_revision(name)
            if highest:
                self._rows.raise_revisions(highest)
        association = self._rows.add_association(replace(association, state="creating", collection_existed=existed))
        try:
            self._rows.create_table(association)
            if not existed:
                self._documents.create_collection(association)
            for index in association.indexes:
                self._index_documents(association, index)
            self._rows.put_association(replace(association, state="live"))
        except BaseException:
            self._undo_creation(association)
            raise
        finally:
            self._catalog.reload(name)

    def _index_documents(self, association: Association, index: Index) -> None:
        columns = [association.by_name[name] for name in index.columns]
        if all(column.in_mongodb for column in columns):
            self._documents.create_index(association, [column.field for column in columns])

    def _undo_creation(self, association: Association) -> None:
        """Removes what a failed creation made: never a table or a collection that somebody else made meanwhile."""
        name = association.name
        try:
            current = self._catalog.reload(name)
            if current is None or (current.table_id, current.state) != (association.table_id, association.state):
                return
            self._rows.drop_table(association, only_ours=True)
            made = not association.collection_existed and self._documents.collection_exists(name)
            if made and self._documents.count(name) == 0:
                self._documents.drop_collection(name)
            self._rows.remove_association(association)
            self._catalog.forget(name)
        except PlatformStoreError as error:
            # The catalog still says what was begun: the next call of that name undoes it.
            logger.warning("the unfinished creation of table %r is undone later: %s", name, error)

    @contextlib.contextmanager
    def _changing(self, table: str) -> Iterator[None]:
        """Serialises the change with those of all processes, and names what stands in its way."""
        with self._rows.schema_lock():
            try:
                yield
            except StaleAssociation as stale:
                raise Diverged(f"MySQL's table is not as the catalog says: {stale}", table=table) from None
            except DuplicateKey:
                raise SchemaError("the _ids of two documents are one key under its collation", table=table) from None

    def associate(
        self,
        name: str,
        *,
        columns: Iterable[ColumnAttribute] | None = None,
        flag: int | None = None,
        dry_run: bool = False,
    ) -> Adoption:
        """See :meth:`Platform.associate`."""
        check_table_name(name)
        declared = None if columns is None else list(columns)
        with self._changing(name):
            existing = self._catalog.reload(name)
            if existing is not None and existing.state == "adopting":
                self._undo_creation(existing)
            elif existing is not None:
                raise SchemaError("it is already in association", table=name)
            has_collection = self._documents.collection_exists(name)
            if not self._rows.table_exists(name):
                if not has_collection:
                    raise SchemaError("neither a MySQL table nor a collection of that name exists", table=name)
                return self._adopt_collection(name, declared, flag, dry_run)
            foreign = self._rows.describe_foreign(name)
            association = self._around_table(name, foreign, declared, flag, has_collection)
            return self._adopt_table(association, foreign, dry_run)

    def _around_table(
        self,
        name: str,
        foreign: ForeignTable,
        declared: list[ColumnAttribute] | None,
        flag: int | None,
        has_collection: bool,
    ) -> Association:
        """The association of an existing MySQL table: its columns first, then those declared for documents."""
        in_mysql = {column.name for column in foreign.columns}
        added = [] if declared is None else [a for a in declared if a.name not in in_mysql]
        if declared is not None:
            missing = in_mysql - {attribute.name for attribute in declared}
            if missing:
                raise SchemaError(f"columns leaves out MySQL's columns {sorted(missing)}", table=name)
            for column in foreign.columns:
                self._check_declared_type(name, column, declared)
        last = len(foreign.columns) - 1
        if flag not in (None, -1, last):
            raise SchemaError(
                f"flag {flag} does not fit: MySQL's table has the columns 0 to {last}; "
                "move_column() moves one once the table is adopted",
                table=name,
            )
        if flag == -1 and added:
            raise SchemaError("flag -1 puts every column in both stores, but MySQL lacks some", table=name)
        check_column_names(name, [column.name for column in foreign.columns] + [a.name for a in added])
        placement: Placement = "both" if flag == -1 else "mysql"
        placed = [replace(column, placement="both" if column.key else placement) for column in foreign.columns]
        for attribute in added:
            checked = checked_column(name, attribute, default_collation=self._rows.text_collation)
            placed.append(Column(checked, "mongodb", attribute.name))
        for column in placed:
            check_document_column(name, column)
        return Association(
            name, 0, 1, tuple(placed), extra=has_collection and not added, collection_existed=has_collection
        )

    def _check_declared_type(self, name: str, column: Column, declared: list[ColumnAttribute]) -> None:
        attribute = next(a for a in declared if a.name == column.name)
        if checked_column(name, replace(attribute, default=None)).type != column.attribute.type:
            raise SchemaError(
                f"it is declared {attribute.type}, MySQL has {column.attribute.type}", table=name, column=column.name
            )

    def _adopt_table(self, association: Association, foreign: ForeignTable, dry_run: bool) -> Adoption:
        name = association.name
        self._rows.check_placeable(association)
        documents = self._documents.count(name) if association.collection_existed else 0
        self._check_no_revisions(association)
        statements = self._rows.adopt_table(association, has_revision=foreign.has_revision, dry_run=True)
        warnings = _adoption_warnings(association, foreign.rows, documents)
        if not dry_run:
            self._rows.adopt_table(association, has_revision=foreign.has_revision, dry_run=False)
            if not association.collection_existed:
                self._documents.create_collection(association)
            association = self._rows.add_association(association)
            self._catalog.reload(name)
        return Adoption(association.describe(), statements, warnings, foreign.rows, documents, dry_run)

    def _adopt_collection(
        self, name: str, declared: list[ColumnAttribute] | None, flag: int | None, dry_run: bool
    ) -> Adoption:
        """Makes a MySQL table of keys for a collection that is there: one row for each document."""
        if declared is None or flag is None:
            raise SchemaError("a collection alone says nothing of types: give columns= and flag=0", table=name)
        association = declare(
            name,
            declared,
            flag,
            extra=True,
            key_collation=self._rows.key_collation,
            text_collation=self._rows.text_collation,
        )
        if flag != len(association.key_columns) - 1:
            raise SchemaError("adopting a collection leaves every column but the key in MongoDB: flag=0", table=name)
        association = replace(association, collection_existed=True)
        self._rows.check_placeable(association)
        self._check_no_revisions(association)
        documents = 0
        for identifier in self._documents.identifiers(name, 1000):
            try:
                association.decode_id(identifier)
            except ValueRejected as error:
                raise SchemaError(
                    f"a document's _id cannot be a key of type {association.key_columns[0].type.ddl}: {error.reason}",
                    table=name,
                ) from None
            documents += 1
        warnings = _adoption_warnings(association, documents, documents)
        statements = (f"CREATE TABLE {name} ({', '.join(association.key_names)}, _rev)", f"INSERT of {documents} keys")
        if not dry_run:
            association = self._rows.add_association(replace(association, state="adopting"))
            try:
                self._rows.create_table(association)
                keys = (association.decode_id(identifier) for identifier in self._documents.identifiers(name, 1000))
                self._rows.fill_keys(association, keys)
                self._rows.put_association(replace(association, state="live"))
            except BaseException:
                self._undo_creation(association)
                raise
            finally:
                self._catalog.reload(name)
        return Adoption(association.describe(), statements, warnings, documents, documents, dry_run)

    def _check_no_revisions(self, association: Association) -> None:
        if association.collection_existed and self._documents.uses_reserved_fields(association.name):
            raise SchemaError(
                "its collection has documents with a field '_rev' or '_deleted' from elsewhere: rename it first",
                table=association.name,
            )

    def add_column(self, table: str, column: ColumnAttribute, to: Placement) -> None:
        """See :meth:`Platform.add_column`."""
        if to not in get_args(Placement):
            raise SchemaError(f"to= is one of {', '.join(get_args(Placement))}", table=table, column=column.name)
        with self._changing(table):
            association = self._live(table)
            check_column_names(table, [column.name], existing=association.by_name)
            attribute = checked_column(table, column, default_collation=self._rows.text_collation)
            if attribute.auto_increment:
                raise SchemaError("AUTO_INCREMENT is for a key column", table=table, column=column.name)
            new = Column(attribute, to, association.fresh_field(column.name))
            check_document_column(table, new)
            changed = replace(association, columns=(*association.columns, new))
            self._rows.check_placeable(changed)
            # Rows that exist cannot have its value: MySQL would fill in 0 or '', documents would lack the field.
            for_empty = new.required or (new.in_mongodb and attribute.default is not None)
            if for_empty and not self._rows.is_empty(association):
                raise _needs_empty(new)
            begun = self._put(replace(association, change=Change("add", new)))
            try:
                if new.in_mysql:
                    self._rows.add_column(begun, new)
                self._put(replace(changed, epoch=begun.epoch), only_if_empty=new if for_empty else None)
            except PlatformStoreError:
                self._live(table)  # takes back what was begun
                raise
            if new.in_mysql:
                self._rows.tighten_column(changed, new)

    def drop_column(self, table: str, column: str) -> None:
        """See :meth:`Platform.drop_column`."""
        with self._changing(table):
            unfinished = self._unfinished(table)
            association = self._live(table)
            if unfinished is not None and unfinished.kind == "drop" and unfinished.column.name == column:
                return
            dropped = _changeable(association, column)
            if dropped.in_mysql:
                self._rows.loosen_column(association, dropped)
            # The catalog first: from here on nobody reads or writes the column, and clearing it away can be repeated.
            columns = tuple(one for one in association.columns if one.name != column)
            retired = (*association.retired, dropped.field) if dropped.in_mongodb else association.retired
            self._put(replace(association, columns=columns, retired=retired, change=Change("drop", dropped)))
            self._live(table)

    def rename_column(self, table: str, old: str, new: str) -> None:
        """See :meth:`Platform.rename_column`."""
        with self._changing(table):
            unfinished = self._unfinished(table)
            association = self._live(table)
            if unfinished is not None and (unfinished.column.name, unfinished.new_name) == (old, new):
                return
            column = association.by_name.get(old)
            if column is None:
                raise SchemaError("there is no such column", table=table, column=old)
            check_column_names(table, [new], existing=[name for name in association.by_name if name != old])
            if column.in_mongodb:
                check_field_name(table, new)
            self._put(replace(association, change=Change("rename", column, new)))
            self._live(table)

    def _unfinished(self, table: str) -> Change | None:
        """A change of one column that died half-way."""
        association = self._catalog.reload(table)
        return None if association is None else association.change

    def _finish(self, association: Association, change: Change) -> None:
        """Makes a change of one column whole (a drop, a rename) or takes it back (an addition). Can be repeated."""
        column = change.column
        if change.kind == "rename":
            if column.in_mysql:
                self._rows.rename_column(association, column.name, change.new_name)
            association = _renamed(association, column.name, change.new_name)
        else:
            if column.in_mysql:
                self._rows.drop_column(association, column)
            if column.in_mongodb and change.kind == "drop":
                self._documents.unset_field(association, column.field)
        self._put(replace(association, change=None))

    def drop_table(self, table: str) -> Removed:
        """See :meth:`Platform.drop_table`."""
        with self._changing(table):
            association = self._catalog.reload(table)
            if association is None:
                raise SchemaError("there is no such table in association", table=table)
            if association.state in ("creating", "adopting"):
                self._undo_creation(association)
                return Removed(table, 0, 0, True, False)
            if association.state != "dropping":
                association = self._put(replace(association, state="dropping"))
            has_collection = self._documents.collection_exists(table)
            documents = self._documents.drop_collection(table) if has_collection else 0
            had_table = self._rows.table_exists(table)
            rows = self._rows.drop_table(association)
            self._rows.remove_association(association)
            self._catalog.forget(table)
        return Removed(table, rows, documents, had_table, has_collection)

    def drop_collection(self, name: str, *, discard_document_columns: bool = False) -> Removed:
        """See :meth:`Platform.drop_collection`."""
        check_table_name(name)
        with self._changing(name):
            association = self._catalog.reload(name)
            if association is None:
                if not self._documents.collection_exists(name):
                    raise SchemaError("there is no such collection", table=name)
                return Removed(name, 0, self._documents.drop_collection(name), False, True)
            if association.state not in ("live", "discarding"):
                raise SchemaError(f"it is {association.state}", table=name)
            if not discard_document_columns:
                names = [column.name for column in association.document_only]
                raise SchemaError(
                    f"its collection holds the columns {names}: discard_document_columns=True makes them NULL",
                    table=name,
                )
            if association.state == "live":
                association = self._put(replace(association, state="discarding"))
            documents = self._documents.drop_collection(name)
            association = self._rows.forget_revisions(association)
            self._documents.create_collection(association)
            for index in association.indexes:
                self._index_documents(association, index)
            self._put(replace(association, state="live"))
        return Removed(name, 0, documents, False, True)

    def _put(self, association: Association, *, only_if_empty: Column | None = None) -> Association:
        """Writes the catalog row at the next epoch. ``only_if_empty``: a column that no row may exist for."""
        try:
            done = self._rows.put_association(association, only_if_empty=only_if_empty is not None)
        except NotEmpty:
            assert only_if_empty is not None
            raise _needs_empty(only_if_empty) from None
        self._catalog.reload(association.name)
        return done

    def _live(self, table: str) -> Association:
        """The live association, once a change that died half-way is finished."""
        self._catalog.reload(table)
        association = self._catalog.get(table)
        if association.change is not None:
            self._finish(association, association.change)
            association = self._catalog.get(table)
        return association


def _renamed(association: Association, old: str, new: str) -> Association:
    column = association.by_name[old]
    renamed = replace(column, attribute=replace(column.attribute, name=new))
    return replace(
        association,
        columns=tuple(renamed if one.name == old else one for one in association.columns),
        indexes=tuple(
            Index([new if name == old else name for name in index.columns], index.unique)
            for index in association.indexes
        ),
    )


def _needs_empty(column: Column) -> NotSupported:
    return NotSupported(
        f"adding the column {column.name!r}, which rows that exist would have no value for,",
        "is not supported: add it nullable (in MongoDB also without default), and update the rows",
    )


def _changeable(association: Association, name: str) -> Column:
    """A column that may be dropped. Raises SchemaError."""
    column = association.by_name.get(name)
    if column is None:
        raise SchemaError("there is no such column", table=association.name, column=name)
    if column.key:
        raise SchemaError("a key column stays", table=association.name, column=name)
    for index in association.indexes:
        if name in index.columns:
            raise SchemaError(f"the index {list(index.columns)} uses it", table=association.name, column=name)
    return column


def _adoption_warnings(association: Association, rows: int, documents: int) -> tuple[str, ...]:
    warnings = [
        "writers that bypass the library are seen at once in MySQL columns; they must not touch _rev, and must not "
        "delete a row and insert its key again"
    ]
    if documents:
        warnings.append(f"{documents} documents, {rows} rows: a document whose _id is no row's key is never shown")
    if not association.exact_keys:
        warnings.append("the key's collation equates different spellings: reads of many keys ask for each by itself")
    if any(column.placement == "both" and not column.key for column in association.columns):
        warnings.append("columns in both stores reach the documents as rows are written; MySQL answers until then")
    return tuple(warnings)
