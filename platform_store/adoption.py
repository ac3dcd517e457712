"""Adopting what exists: a MySQL table, a collection, or both, as one logical table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from platform_store.association import Association, Column
from platform_store.catalog import Catalog
from platform_store.declaration import check_document_column, checked_column, declare
from platform_store.definitions import Definitions, check_indexes
from platform_store.errors import SchemaError, ValueRejected
from platform_store.names import check_column_names, check_table_name
from platform_store.records import Adoption, ColumnAttribute, Placement
from platform_store.stores.base import ForeignTable, RowStore
from platform_store.stores.documents import DocumentStore


class Adopter:
    """``associate`` over one pair of stores."""

    def __init__(self, rows: RowStore, documents: DocumentStore, catalog: Catalog):
        self._rows, self._documents, self._catalog = rows, documents, catalog
        self._definitions = Definitions(rows, documents, catalog)

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
        with self._definitions.changing(name):
            existing = self._catalog.reload(name)
            if existing is not None and existing.state == "adopting":
                self._definitions.undo_creation(existing)
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
        self._check_collection(association)
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
        self._check_collection(association)
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
            with self._definitions.creation(association, "adopting") as begun:
                self._rows.create_table(begun)
                keys = (begun.decode_id(identifier) for identifier in self._documents.identifiers(name, 1000))
                self._rows.fill_keys(begun, keys)
        return Adoption(association.describe(), statements, warnings, documents, documents, dry_run)

    def _check_collection(self, association: Association) -> None:
        if association.collection_existed:
            check_indexes(association.name, self._documents)
        if association.collection_existed and self._documents.uses_reserved_fields(association.name):
            raise SchemaError(
                "its collection has documents with a field '_rev' or '_deleted' from elsewhere: rename it first",
                table=association.name,
            )


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
