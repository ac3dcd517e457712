"""Creating, changing and dropping logical tables.

Every change is made under one lock between all processes, writes its intention into the catalog before it touches a
store and its completion after, so that a change that died half-way is finished or undone by calling it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import get_args

from platform_store.association import Association, Change, Column
from platform_store.catalog import Catalog, not_live
from platform_store.declaration import check_document_column, check_index, checked_column, declare
from platform_store.definitions import Definitions, check_indexes, check_not_moving
from platform_store.errors import Conflict, NotSupported, PlatformStoreError, SchemaError
from platform_store.names import check_column_names, check_field_name, check_table_name
from platform_store.records import (
    ColumnAttribute,
    Index,
    Placement,
    Removed,
)
from platform_store.stores.base import DuplicateKey, NotEmpty, RowStore
from platform_store.stores.documents import DocumentStore


class Schema:
    """The association module's operations over one pair of stores."""

    def __init__(self, rows: RowStore, documents: DocumentStore, catalog: Catalog):
        self._rows, self._documents, self._catalog = rows, documents, catalog
        self._definitions = Definitions(rows, documents, catalog)

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
        with self._definitions.changing(name):
            existing = self._catalog.reload(name)
            if existing is not None and existing.state == "creating":
                # Creators hold the schema lock, so this one is dead.
                self._definitions.undo_creation(existing)
                existing = None
            if existing is not None:
                if existing.state != "live":
                    raise not_live(existing)
                if not if_not_exists:
                    raise SchemaError("it exists already: if_not_exists=True accepts the same definition", table=name)
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
            check_indexes(name, self._documents)
        if existed and self._rows.journal is not None:
            # Its documents may be of an earlier table, even of another database: new ones must be newer.
            self._rows.journal.raise_revisions(self._documents.highest_revision(name))
        with self._definitions.creation(replace(association, collection_existed=existed), "creating") as begun:
            self._rows.create_table(begun)
            if not existed:
                self._documents.create_collection(begun)
            for index in begun.indexes:
                self._index_documents(begun, index)

    def _index_documents(self, association: Association, index: Index) -> None:
        columns = [association.by_name[name] for name in index.columns]
        if all(column.in_mongodb for column in columns):
            self._documents.create_index(association, [column.field for column in columns])

    def add_column(self, table: str, column: ColumnAttribute, to: Placement) -> None:
        """See :meth:`Platform.add_column`."""
        if to not in get_args(Placement):
            raise SchemaError(f"to= is one of {', '.join(get_args(Placement))}", table=table, column=column.name)
        with self._definitions.changing(table):
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

    def add_index(self, table: str, index: Index) -> None:
        """See :meth:`Platform.add_index`."""
        with self._definitions.changing(table):
            association = self._live(table)
            if index in association.indexes:
                return
            check_index(association, index)
            for column in index.columns:
                check_not_moving(self._rows, table, column)
            changed = replace(association, indexes=(*association.indexes, index))
            if all(changed.by_name[name].in_mysql for name in index.columns):
                self._rows.drop_index(changed, index)  # of a call that died before the catalog knew of it
                try:
                    self._rows.create_index(changed, index)
                except DuplicateKey:
                    raise Conflict(
                        f"rows have equal values in {list(index.columns)}: change or delete them, and call it again",
                        table=table,
                    ) from None
            self._index_documents(changed, index)
            self._put(changed)

    def drop_index(self, table: str, index: Index) -> None:
        """See :meth:`Platform.drop_index`."""
        with self._definitions.changing(table):
            association = self._live(table)
            if index not in association.indexes:
                raise _no_such_index(association, index)
            for column in index.columns:
                check_not_moving(self._rows, table, column)
            changed = association.without_index(index)
            columns = [association.by_name[name] for name in index.columns]
            # The stores first: the catalog says what is to be dropped until all of it is.
            if all(column.in_mysql for column in columns):
                self._rows.drop_index(association, index)
            alike = any(one.columns == index.columns for one in changed.indexes)  # MongoDB has one for both
            if all(column.in_mongodb for column in columns) and not alike:
                self._documents.drop_index(association, [column.field for column in columns])
            self._put(changed)

    def drop_column(self, table: str, column: str) -> None:
        """See :meth:`Platform.drop_column`."""
        with self._definitions.changing(table):
            check_not_moving(self._rows, table, column)
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
        with self._definitions.changing(table):
            check_not_moving(self._rows, table, old)
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
        with self._definitions.changing(table):
            association = self._catalog.reload(table)
            if association is None:
                raise SchemaError("there is no such table in association: tables() lists them", table=table)
            if association.state in ("creating", "adopting"):
                self._definitions.undo_creation(association)
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
        with self._definitions.changing(name):
            association = self._catalog.reload(name)
            if association is None:
                if not self._documents.collection_exists(name):
                    raise SchemaError("there is no such collection", table=name)
                return Removed(name, 0, self._documents.drop_collection(name), False, True)
            if association.state not in ("live", "discarding"):
                raise not_live(association)
            if not discard_document_columns:
                names = [column.name for column in association.document_only]
                raise SchemaError(
                    f"its collection holds the columns {names}: discard_document_columns=True makes them NULL",
                    table=name,
                )
            check_not_moving(self._rows, name)
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
        raise SchemaError(
            "a key column stays: make a new table, and bring the rows over", table=association.name, column=name
        )
    for index in association.indexes:
        if name in index.columns:
            raise SchemaError(
                f"the index {_shown(index)} uses it: drop_index() drops that", table=association.name, column=name
            )
    return column


def _no_such_index(association: Association, index: Index) -> SchemaError:
    if index.columns == association.key_names:
        return SchemaError("the primary key stays: make a new table, and bring the rows over", table=association.name)
    there = ", ".join(map(_shown, association.indexes)) or "none"
    return SchemaError(
        f"there is no index {_shown(index)}; it has {there}, and what was made past the library is dropped there",
        table=association.name,
    )


def _shown(index: Index) -> str:
    return f"{list(index.columns)}{' (unique)' if index.unique else ''}"
