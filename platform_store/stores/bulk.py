"""Whole tables and collections, read and written in key order by pages: what a migration needs of the two servers.

A *layout* is a MySQL table in no association (or to be made) seen as an association with every column in both stores:
``_id`` is the key, every other column a field of its own name, NULL an absent field, values in the codecs' BSON form.
Documents in that form are called *rows as documents*; a collection may hold any others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

from platform_store.association import Association, KeyValues


@dataclass(frozen=True, slots=True)
class TableIndex:
    """A secondary index as MySQL has it; ``kind`` is BTREE, FULLTEXT or SPATIAL."""

    name: str
    columns: tuple[str, ...]  # empty for an expression
    unique: bool
    kind: str
    prefixed: bool  # a column counts with its first characters only
    descending: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """A MySQL table as it is. ``other``: what has no counterpart in MongoDB, in words (foreign keys, checks, ...)."""

    association: Association
    indexes: tuple[TableIndex, ...]
    comments: Mapping[str, str]  # of columns, by name
    other: tuple[str, ...]
    rows: int  # about
    bytes: int  # about


class Page(NamedTuple):
    """Consecutive rows as documents. ``last``: the key of the last, to go on after; None at the end of the range."""

    documents: list[bytes]
    last: KeyValues | None


class RowSource(Protocol):
    """Tables of the row store as they are. Every call is a statement of its own; nothing is locked unless said."""

    def layout(self, table: str) -> Layout:
        """Raises SchemaError where there is no such table, it has no primary key, or a type that has no codec."""

    def borders(self, layout: Layout, start: KeyValues | None, stop: KeyValues | None, parts: int) -> list[KeyValues]:
        """Up to ``parts - 1`` keys that cut a range into about equal parts: each is the last key of its part."""

    def read(
        self, layout: Layout, after: KeyValues | None, start: KeyValues | None, stop: KeyValues | None, limit: int
    ) -> Page:
        """Up to ``limit`` rows in key order, strictly after ``after``, else from ``start`` on; ``stop`` included."""

    def take(
        self, layout: Layout, after: KeyValues | None, start: KeyValues | None, stop: KeyValues | None, limit: int
    ) -> Taking:
        """As :meth:`read`, of rows locked until the end of a transaction in which they can be deleted."""

    def keys(
        self, layout: Layout, after: KeyValues | None, start: KeyValues | None, stop: KeyValues | None, limit: int
    ) -> list[KeyValues]:
        """The keys alone."""


class Taking(Protocol):
    """A context manager: rows under lock, which are deleted at the end of the block, unless it raises."""

    page: Page

    def __enter__(self) -> Taking: ...
    def __exit__(self, *raised: object) -> None: ...


JobPart: TypeAlias = tuple[int, int, Mapping[str, Any], bool]
"""Of the jobs' table: job, part, state, and whether it is done."""


class RowTarget(Protocol):
    """Where rows as documents are loaded."""

    def create(self, layout: Layout) -> None:
        """Creates the table, with the columns' comments and no index but the key; SchemaError where there is one."""

    def index(self, layout: Layout, index: TableIndex) -> None:
        """Creates one index. Raises SchemaError where it cannot be made, Conflict where rows are not unique."""

    def load(
        self,
        layout: Layout,
        documents: Sequence[Mapping[str, Any]],
        *,
        clear: tuple[KeyValues | None, KeyValues | None] | None,
        job: JobPart | None = None,
    ) -> None:
        """Loads rows in one transaction: all or none.

        Args:
            clear: the rows of the key range (after the first key, up to and with the second) are deleted first.
            job: remembered in the same transaction.

        Raises:
            ValueRejected: a value that its column does not hold, a field that has no column, or a row that a
                constraint refuses; with its ``_id`` as the key.
            SchemaError: there is no such part.
            OutcomeUnknown: the connection died during COMMIT.
        """

    def load_images(self, layout: Layout, images: Sequence[bytes], *, job: JobPart) -> bool:
        """As :meth:`load`, of documents' BSON. False, and nothing is loaded, where that is not to be told from it.

        What is loaded is what :meth:`load` of the decoded documents would load.
        """

    def remove(self, layout: Layout, keys: Sequence[KeyValues]) -> int: ...


class Tables(RowSource, RowTarget, Protocol):
    """Both, of one store."""


class DocumentSource(Protocol):
    """Collections as they are, in the order of ``_id`` across BSON types."""

    def bounds(self, name: str, start: Any, stop: Any, parts: int) -> list[Any]:
        """Up to ``parts - 1`` ``_id``s that cut a range into about equal parts: each is the last of its part."""

    def read(self, name: str, after: Any, start: Any, stop: Any, limit: int) -> list[bytes]:
        """Up to ``limit`` documents in order, strictly after ``after``; None is an open end (never an ``_id``).

        Fewer than ``limit`` is not the end: only an empty list is. Raises ValueRejected where an ``_id`` is null.
        """

    def sample(self, name: str, size: int) -> Iterator[bytes]: ...
    def describe(self, name: str) -> CollectionShape: ...


@dataclass(frozen=True, slots=True)
class CollectionShape:
    """``other``: what has no counterpart in MySQL, in words (validators, TTL and text indexes, ...)."""

    documents: int  # about
    bytes: int  # about
    indexes: tuple[tuple[str, tuple[str, ...], bool], ...]  # name, fields, unique
    other: tuple[str, ...]


class DocumentBulk(Protocol):
    """Where documents are put, every write durable at a majority when it returns, and harmless when repeated."""

    def put(self, name: str, documents: Sequence[bytes], *, fresh: bool) -> int:
        """Inserts documents, or replaces those of the same ``_id``; how many were replaced. ``fresh``: most are new."""

    def remove(self, name: str, identifiers: Sequence[Any]) -> int: ...
    def index(self, name: str, fields: Sequence[str], *, unique: bool) -> None:
        """``unique``: as in MySQL, where documents that lack one of the fields are never equal."""

    def take(self, name: str, documents: Sequence[bytes]) -> int:
        """Deletes those of these documents that are still exactly as given; how many."""


class Collections(DocumentSource, DocumentBulk, Protocol):
    """Both, of one store."""
