"""What a query over both stores needs of them: scratch tables beside the rows, and documents of one moment.

A row of a query is a row of MySQL's snapshot with the document of exactly its revision. The documents' moment comes
first, MySQL's snapshot after it: a document that had not reached MongoDB by then is in the journal of the snapshot,
because entries stay there until a majority has them. One gap is left, an entry removed between the two moments; the
journal counts its removals, and where the two counts differ, both moments are taken anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from platform_store.association import Association, Column, KeyValues
from platform_store.stores.base import Cursor


@dataclass(frozen=True, slots=True)
class Scratch:
    """A temporary table: the key, ``_rev``, and some document columns of one logical table, all as declared.

    Its primary key is that of the logical table, compared by its bytes: each key has the one document that has it for
    its ``_id``, whatever the table's collation takes for equal. ``_rev`` is BIGINT UNSIGNED NOT NULL; the document
    columns are nullable, whatever they declare, and have no defaults.

    ``grouped``: its rows are of partial groups, and it has neither the key nor ``_rev``.
    """

    name: str
    association: Association
    columns: tuple[Column, ...]
    grouped: bool = False


@dataclass(frozen=True, slots=True)
class Shadow:
    """An empty temporary table that MySQL takes for a logical table: its columns as declared, its key, its unique keys.

    ``columns``: the key, and those that a statement may mean, in their order. A unique key of any other is left out: it
    decides nothing.
    """

    name: str
    association: Association
    columns: tuple[Column, ...]


class KeyRow(NamedTuple):
    """A row that a query needs: its key, its revision (0: its documents were discarded), and its pending document."""

    key: KeyValues
    revision: int
    pending: bytes | None


class QuerySession(Protocol):
    """One connection, for one query: scratch tables first, then a snapshot in which all the rest runs.

    MySQL drops the scratch tables with the connection, however that ends.
    """

    def create(self, scratches: Sequence[Scratch]) -> None:
        """Creates empty scratch tables. Before :meth:`begin`: a snapshot knows no later table."""

    def removals(self) -> int:
        """How often entries were removed from the journal so far; in a snapshot, as of that moment."""

    def done_intents(self, association: Association) -> set[int]:
        """The revisions of committed bulk writes that the journal still names."""

    def begin(self, associations: Sequence[Association]) -> None:
        """Opens a consistent snapshot, read-only but for scratch tables. Raises StaleAssociation."""

    def keys(self, association: Association, alias: str, source: str, *, limit: int) -> list[KeyRow]:
        """Up to ``limit`` rows of ``association``, which ``source`` (``FROM ... WHERE ...``) calls ``alias``.

        Where the statement has an ORDER BY of its own it is part of ``source``. A row that ``source`` gives several
        times comes several times.
        """

    def pending(self, association: Association) -> Iterator[tuple[Any, int, bytes | None]]:
        """``(_id, revision, document)`` of each entry of the table in the snapshot's journal, in order of revision.

        A document of None: the row was deleted. Those that MongoDB refuses are among them; intents are not.
        """

    def prepare(self, scratch: Scratch, documents: Sequence[Mapping[str, Any]]) -> Any:
        """Makes documents (``_id``, ``_rev``, fields by their BSON names) ready for :meth:`load`.

        It asks the server nothing, and may be called from another thread meanwhile.
        """

    def load(self, scratch: Scratch, prepared: Any) -> int:
        """Adds what :meth:`prepare` made to a scratch table; bytes sent.

        A missing ``_rev`` is 0, a missing field NULL. Values arrive exactly as the declared type holds them: a warning
        of MySQL is an error, ValueRejected naming table and column. A key that is there already raises DuplicateKey. A
        document whose ``_id`` no row can have is left out.
        """

    def copy(self, scratch: Scratch, of: Scratch) -> None:
        """Fills a scratch table with the rows of another that has the same columns."""

    def rows(self, statement: str) -> Sequence[tuple[Any, ...]]:
        """The rows of a statement of ours, complete: it has no placeholders."""

    def stream(self, statement: str, *, loosely: bool = False) -> Cursor:
        """Runs the query itself; its rows are read as they are asked for. Closing the cursor closes the session.

        ``loosely``: without ONLY_FULL_GROUP_BY, under which it may raise NotGrouped.
        """

    def judge(self, statement: str, shadows: Sequence[Shadow]) -> None:
        """Raises what the server has against a statement over shadows, which it does not run. Before :meth:`begin`."""

    def literal(self, value: object) -> str:
        """A value as it is written into a statement."""

    def cancel(self) -> None:
        """Ends what the session is doing, from another thread, and the session: all else raises Unavailable.

        May be called late. What the server had sent before may still be read.
        """

    def close(self) -> None:
        """Ends the snapshot, drops the scratch tables and gives the connection back. May be called again."""


class DocumentSnapshot(Protocol):
    """Documents as a majority had them at one moment, whatever is written meanwhile. From the primary.

    For one thread at a time. A collection that does not exist is empty; one that is dropped or made anew after the
    moment gives TransientError, as does any that was made after it. Unavailable where MongoDB does not answer in time,
    or keeps the past for too short a time; NotSupported where it has no snapshots.
    """

    def find(
        self,
        association: Association,
        fields: Sequence[str],
        *,
        condition: Mapping[str, Any] | None = None,
        identifiers: Sequence[Any] | None = None,
    ) -> Iterator[list[dict[str, Any]]]:
        """Batches of documents with ``_id``, ``_rev`` and ``fields``; tombstones are left out.

        ``condition``: only those that match; ``identifiers``: only those of these, in any number. A batch is at most
        some thousand documents and some MB. Nothing is asked of MongoDB before the first batch is; closing the iterator
        ends the cursor there.
        """

    def aggregate(
        self, association: Association, stages: Sequence[Mapping[str, Any]], *, size: int, seconds: float
    ) -> list[dict[str, Any]]:
        """What an aggregation over a collection gives, as a whole. Text compares by its bytes.

        Unavailable after so many seconds, or sooner if it takes much longer than it should for ``size`` documents;
        NotSupported where MongoDB cannot do it, for lack of memory or by reason of a value, and where the result has
        more than 16 MB.
        """

    def variety(self, association: Association, key: object, *, size: int) -> float:
        """About how many different values an expression has over ``size`` documents, from a sample."""

    def size(self, association: Association) -> int:
        """About how many documents there are, from metadata."""

    def share(self, association: Association, condition: Mapping[str, Any], *, size: int) -> float:
        """About which share of ``size`` documents matches, by a sample. Above 0: none was found, not none is."""

    def close(self) -> None:
        """Ends every cursor; iterators under way raise. Leaving the context does it too."""
