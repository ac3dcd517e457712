"""What the operations need of a store: narrow protocols, and the records that pass between.

Two implementations of each exist: MySQL (or MariaDB) rows with MongoDB documents, and the embedded pair. An operation
is written once against these protocols; the stores never call upwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from bson.decimal128 import Decimal128

from platform_store.association import Association, Column, KeyValues
from platform_store.records import Finding
from platform_store.rows import NewRow, Selection

Parameters: TypeAlias = Sequence[object] | Mapping[str, object]
"""What fills a statement's ``%s`` (a sequence) or ``%(name)s`` (a mapping)."""


class StaleAssociation(Exception):
    """The association at hand is not the catalog's any more: load it again and start over. Never reaches a user."""


class NotEmpty(Exception):
    """The table has rows. Never reaches a user."""


class DuplicateKey(Exception):
    """A primary or unique key is taken; the caller finds out which. Never reaches a user."""


@dataclass(frozen=True, slots=True)
class Locked:
    """A row under lock: its stored key, its revision, and the pending document of that revision where asked for."""

    key: KeyValues
    revision: int
    pending: bytes | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """One row's MySQL half, its revision, and the journal's document of that revision where it is still pending."""

    key: KeyValues
    values: tuple[object, ...]  # aligned with Selection.mysql
    revision: int
    pending: bytes | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One journal entry: the full document (None: the row was deleted) that belongs to one revision of one row."""

    revision: int
    table: str
    identifier: Any  # the document's _id
    image: bytes | None


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of entries: revisions that a majority now has, and those refused, with the server's error code."""

    confirmed: list[int]
    refused: dict[int, int]


@dataclass(frozen=True, slots=True)
class ForeignTable:
    """A table that is in no association, as MySQL's metadata describe it."""

    columns: tuple[Column, ...]  # placement "mysql", the key columns marked
    has_revision: bool
    rows: int


class RowTransaction(Protocol):
    """A transaction on the row store. Leaving it by an exception rolls back; :meth:`commit` is the end otherwise."""

    def fence(self, association: Association) -> None:
        """Holds the placement until the end. Raises StaleAssociation where the catalog has moved on."""

    def lock(self, association: Association, keys: Sequence[KeyValues]) -> dict[KeyValues, Locked]:
        """Locks the rows that exist, by the key given."""

    def lock_range(
        self, association: Association, start: KeyValues | None, stop: KeyValues | None, limit: int
    ) -> list[Locked]:
        """Locks up to ``limit`` rows from the start of a key range, in key order."""

    def insert(self, association: Association, rows: Sequence[NewRow]) -> list[KeyValues]:
        """Inserts rows at revision 0 and returns their keys. Raises RowExists or Conflict."""

    def update(self, association: Association, key: KeyValues, values: Mapping[str, object]) -> None:
        """Sets MySQL columns of one locked row; an absent default is the caller's business."""

    def reset(self, association: Association, key: KeyValues, row: NewRow) -> None:
        """Sets every MySQL column of one locked row; columns that ``row`` does not name take MySQL's default."""

    def delete(self, association: Association, keys: Sequence[KeyValues]) -> None:
        """Deletes locked rows."""

    def fetch(self, selection: Selection, key: KeyValues) -> Fetched | None:
        """The current row under the transaction's locks."""

    def exact(self, association: Association, columns: Sequence[Column], key: KeyValues) -> dict[str, object]:
        """Stored values of MySQL columns of one row, read without loss."""

    def record(self, association: Association, entries: Sequence[tuple[KeyValues, bytes | None]]) -> list[Entry]:
        """Journals full documents (None: deleted); the revisions are allocated here, under the row locks."""

    def stamp(self, association: Association, revisions: Sequence[tuple[KeyValues, int]]) -> None:
        """Writes each row's revision; every key must match exactly one row."""

    def savepoint(self) -> AbstractContextManager[None]:
        """Undoes the changes inside, and only those, where they raise; not where the whole transaction is lost."""

    def commit(self) -> None:
        """Makes it durable. Raises OutcomeUnknown where the connection dies meanwhile."""


class RowStore(Protocol):
    """The half that decides whether a row exists, and which version is current."""

    name: str
    key_collation: str  # of string key columns that name none
    text_collation: str  # of other text columns that name none
    max_image_bytes: int
    durable_documents: bool  # documents commit with their rows; nothing is left to apply

    def transaction(self) -> AbstractContextManager[RowTransaction]: ...

    def fetch_many(self, selection: Selection, keys: Sequence[KeyValues]) -> list[Fetched | None]:
        """Rows aligned with ``keys``, of one moment. Raises StaleAssociation."""

    def fetch_range(
        self,
        selection: Selection,
        start: KeyValues | None,
        stop: KeyValues | None,
        after: KeyValues | None,
        limit: int,
    ) -> list[Fetched]:
        """Up to ``limit`` rows in key order, after ``after``. Raises StaleAssociation."""

    # Catalog

    def load_catalog(self, name: str | None = None) -> list[Association]: ...

    def schema_lock(self) -> AbstractContextManager[None]:
        """Serialises changes of the catalog between all processes."""

    def add_association(self, association: Association) -> Association:
        """Writes a new catalog row. Raises SchemaError where the name is taken."""

    def put_association(self, association: Association, *, only_if_empty: bool = False) -> Association:
        """Writes the catalog row at the next epoch, after every writer of the old one has ended.

        Raises StaleAssociation; NotEmpty where the table has rows and ``only_if_empty``.
        """

    def remove_association(self, association: Association) -> None: ...

    # Tables

    def table_exists(self, name: str) -> bool: ...
    def describe_foreign(self, name: str) -> ForeignTable: ...
    def differences(self, association: Association) -> tuple[str, ...]:
        """How the store's table differs from the association, in words; empty where it does not."""

    def check_placeable(self, association: Association) -> None:
        """Raises SchemaError or NotSupported for what this store cannot carry, before anything is created."""

    def create_table(self, association: Association) -> None: ...
    def adopt_table(self, association: Association, *, has_revision: bool, dry_run: bool) -> tuple[str, ...]: ...
    def drop_table(self, association: Association, *, only_ours: bool = False) -> int:
        """Drops the table if it is there. ``only_ours``: only if it was created for this very association."""

    def add_column(self, association: Association, column: Column) -> None:
        """Adds a column, which rows may leave out until :meth:`tighten_column`."""

    def tighten_column(self, association: Association, column: Column) -> None:
        """Makes the table enforce what the column declares."""

    def loosen_column(self, association: Association, column: Column) -> None:
        """Lets rows leave the column out, before it goes from the catalog and then from the table."""

    def drop_column(self, association: Association, column: Column) -> None: ...
    def rename_column(self, association: Association, old: str, new: str) -> None: ...
    def is_empty(self, association: Association) -> bool: ...
    def forget_revisions(self, association: Association) -> Association:
        """Makes every row one that was never versioned, and removes the table's journal entries.

        Returns the association as it has to be written then.
        """

    def raise_revisions(self, above: int) -> None:
        """Makes every revision from now on higher than ``above``."""

    def fill_keys(self, association: Association, keys: Iterable[KeyValues]) -> int:
        """Inserts rows that have only a key (adopting a collection); keys that exist are left alone."""

    # Journal

    def pending(self, limit: int, after: int = 0) -> list[Entry]: ...
    def count_pending(self) -> int: ...
    def settle(self, revisions: Sequence[int]) -> None:
        """Removes entries whose documents are confirmed."""

    def query(self, statement: str, parameters: Parameters | None, tables: Mapping[str, Association]) -> Cursor:
        """Runs one read-only SELECT and streams it. ``tables``: the associations that the statement names."""

    def findings(self) -> list[Finding]: ...
    def close(self) -> None: ...


class Cursor(Protocol):
    """A result under way."""

    columns: tuple[str, ...]

    def __iter__(self) -> Iterator[tuple[object, ...]]: ...
    def close(self) -> None: ...


class DocumentStore(Protocol):
    """The half that holds documents."""

    name: str

    def fetch(self, association: Association, identifiers: Sequence[Any]) -> dict[Any, Mapping[str, Any]]:
        """Documents by frozen ``_id`` (see :func:`frozen_id`), from the primary."""

    def apply(self, entries: Sequence[Entry]) -> Applied:
        """Upserts each document unless a newer one is there."""

    def confirm(self, entries: Sequence[Entry]) -> list[int]:
        """The revisions for which a majority of the members has that document or a newer one."""

    def check_available(self) -> None:
        """Raises Unavailable unless a write would be taken now."""

    def collection_exists(self, name: str) -> bool: ...
    def create_collection(self, association: Association) -> None:
        """Makes the collection; one that is there already is kept."""

    def drop_collection(self, name: str) -> int: ...
    def unset_field(self, association: Association, field: str) -> None: ...
    def create_index(self, association: Association, fields: Sequence[str]) -> None: ...
    def identifiers(self, name: str, batch_size: int) -> Iterator[Any]: ...
    def stream(self, name: str, batch_size: int) -> Iterator[Mapping[str, Any]]: ...
    def uses_reserved_fields(self, name: str) -> bool:
        """Whether a document has a field ``_rev`` or ``_deleted``."""

    def highest_revision(self, name: str) -> int:
        """The highest ``_rev`` in a collection, 0 if there is none."""

    def count(self, name: str) -> int: ...
    def findings(self) -> list[Finding]: ...
    def close(self) -> None: ...


def frozen_id(identifier: Any) -> Any:
    """A hashable stand-in for an ``_id``: embedded documents become tuples."""
    if isinstance(identifier, Mapping):
        return tuple(frozen_id(part) for part in identifier.values())
    return identifier.bid if isinstance(identifier, Decimal128) else identifier
