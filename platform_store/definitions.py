"""What every change of a definition goes through: one lock between all processes, and the undo of a creation."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import replace

from platform_store.association import Association, State
from platform_store.catalog import Catalog
from platform_store.errors import Diverged, PlatformStoreError, SchemaError
from platform_store.stores.base import DuplicateKey, RowStore, StaleAssociation
from platform_store.stores.documents import DocumentStore
from platform_store.stores.jobs import MOVE_COLUMN, Job

logger = logging.getLogger("platform_store")


def check_indexes(name: str, documents: DocumentStore) -> None:
    """Raises SchemaError where documents of the collection could be refused for their values."""
    unique = documents.unique_indexes(name)
    if unique:
        raise SchemaError(
            f"its collection has the unique index {unique[0]!r}, and uniqueness is for MySQL columns: drop the index",
            table=name,
        )


class Definitions:
    """Over one pair of stores."""

    def __init__(self, rows: RowStore, documents: DocumentStore, catalog: Catalog):
        self._rows, self._documents, self._catalog = rows, documents, catalog

    @contextlib.contextmanager
    def changing(self, table: str) -> Iterator[None]:
        """Serialises the change with those of all processes, and names what stands in its way."""
        with self._rows.schema_lock():
            try:
                yield
            except StaleAssociation as stale:
                raise Diverged.of_table(stale, table) from None
            except DuplicateKey:
                raise SchemaError(
                    "the _ids of two documents are one key under its collation: change one of them", table=table
                ) from None

    @contextlib.contextmanager
    def creation(self, association: Association, state: State) -> Iterator[Association]:
        """Announces a table in the catalog, and makes it live once the block has made both halves."""
        begun = self._rows.add_association(replace(association, state=state))
        try:
            yield begun
            self._rows.put_association(replace(begun, state="live"))
        except BaseException:  # an interrupt too: half a table must not stay
            self._catalog.forget(begun.name)
            self.undo_creation(begun)
            raise
        self._catalog.reload(begun.name)

    def undo_creation(self, association: Association) -> None:
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


def check_not_moving(rows: RowStore, table: str, column: str | None = None) -> None:
    """Raises SchemaError where a column (None: any one) of a table is being moved."""
    job = rows.jobs.find(MOVE_COLUMN, table)
    if job is not None and (column is None or column in job.spec["columns"]):
        raise being_moved(job)


def being_moved(job: Job) -> SchemaError:
    """Why nothing else can be done with these columns now."""
    columns = ", ".join(job.spec["columns"])
    return SchemaError(
        f"{columns} is on its way to {job.spec['to']} (job {job.id}, {job.status} in phase {job.state['phase']}): "
        "finish it by the same move_column() call, or roll it back",
        table=job.table,
    )
