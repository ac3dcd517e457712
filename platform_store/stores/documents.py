"""What the operations need of the store of documents: narrow protocols. See :mod:`platform_store.stores.base`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from platform_store.association import Association
from platform_store.records import Finding
from platform_store.stores.base import Entry, Version, Witness

if TYPE_CHECKING:
    from platform_store.stores.bulk import Collections
    from platform_store.stores.scratch import DocumentSnapshot


class DocumentStore(Protocol):
    """The half that holds documents."""

    name: str

    @property
    def target(self) -> DocumentTarget | None:
        """None where documents commit together with their rows."""

    @property
    def bulk(self) -> Collections | None:
        """Whole collections; None as in the row store."""

    def fetch(self, association: Association, identifiers: Sequence[Any]) -> dict[Any, Mapping[str, Any]]:
        """Documents by frozen ``_id`` (see :func:`frozen_id`), from the primary."""

    def snapshot(self) -> AbstractContextManager[DocumentSnapshot]:
        """Documents of one moment: that of entering. Every write that a majority confirmed before is in it.

        Raises Unavailable, and NotSupported where the store has no such thing.
        """

    def latest(self) -> AbstractContextManager[DocumentSnapshot]:
        """Documents as they are whenever they are asked for: each of some version, and not all of one moment."""

    def check_available(self) -> None:
        """Raises Unavailable unless a write would be taken now."""

    def collection_exists(self, name: str) -> bool: ...
    def create_collection(self, association: Association) -> None:
        """Makes the collection; one that is there already is kept."""

    def drop_collection(self, name: str) -> int: ...
    def unset_field(self, association: Association, field: str) -> None: ...
    def create_index(self, association: Association, fields: Sequence[str]) -> None: ...
    def drop_index(self, association: Association, fields: Sequence[str]) -> None:
        """Drops what :meth:`create_index` made, if it is there."""

    def discard(self, association: Association) -> int:
        """Deletes the documents of the revisions that are forgotten; how many."""

    def identifiers(self, name: str, batch_size: int) -> Iterator[Any]: ...
    def stream(self, name: str, batch_size: int) -> Iterator[Mapping[str, Any]]: ...
    def in_byte_order(self, name: str) -> bool:
        """Whether :meth:`between` goes in the order of BSON, text by its bytes."""

    def between(self, name: str, start: Any, stop: Any, fields: Sequence[str] | None = None) -> Iterator[bytes]:
        """A collection's documents with ``start <= _id < stop``, whatever the types of their ``_id``s; None is open.

        They come as BSON, one after the other, some megabytes at a time. ``fields``: these only, and the library's own.
        """

    def among(self, name: str, identifiers: Sequence[Any], fields: Sequence[str] | None = None) -> Iterator[bytes]:
        """As :meth:`between`, the documents of these ``_id``s."""

    def remove(self, name: str, identifier: Any, revision: object) -> bool:
        """Deletes a document that is still of exactly this revision (0: has none); whether it was there."""

    def unique_indexes(self, name: str) -> list[str]:
        """The names of a collection's unique indexes other than that of ``_id``."""

    def uses_reserved_fields(self, name: str) -> bool:
        """Whether a document has a field ``_rev`` or ``_deleted``."""

    def highest_revision(self, name: str) -> int:
        """The highest ``_rev`` in a collection, 0 if there is none."""

    def count(self, name: str) -> int: ...
    def findings(self) -> list[Finding]: ...
    def close(self) -> None: ...


class DocumentTarget(Protocol):
    """Where the journal brings documents. Whatever is done here may be repeated, and may come late."""

    def apply(self, entries: Sequence[Entry], *, durable: bool = False) -> dict[int, int]:
        """Upserts each document unless a newer one is there. Returns the refused: error code by revision.

        ``durable``: a majority has them on disk when this returns. Otherwise it waits only as long as configured.
        """

    def refused(self, entries: Sequence[Entry]) -> set[int]:
        """The revisions whose documents a validator of their collection would refuse, where it has a known one."""

    def confirm(self, versions: Sequence[Version]) -> dict[int, int]:
        """Those revisions of which a majority has the document or a newer one, and which revision it has."""

    def place(self, association: Association, entries: Sequence[Entry]) -> None:
        """Writes documents of new rows, durable at a majority when this returns. Raises ValueRejected, Unavailable."""

    def clear(self, table: str, revision: int, identifiers: Sequence[Any]) -> None:
        """Deletes those of these documents that are of exactly this revision."""

    def purge(self, table: str, below: int, seconds: float) -> int:
        """Deletes tombstones of revisions below ``below`` that are older than ``seconds``; how many."""

    def witness(self) -> Witness | None:
        """What is remembered of the row store, as a majority has it."""

    def testify(self, witness: Witness, *, instead_of: Witness | None) -> bool:
        """Remembers ``witness`` at a majority, unless something else than ``instead_of`` is remembered meanwhile."""

    def raise_ceiling(self, server: str, ceiling: int) -> bool:
        """Raises the ceiling remembered for this server; False where another server is."""

    def note_confirmed(self, revision: int) -> None:
        """Remembers that this revision was certainly given."""

    def count_between(self, name: str, above: int, up_to: int) -> int:
        """How many documents have a revision in that range. It reads every document."""
