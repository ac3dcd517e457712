"""What the operations need of a store: narrow protocols, and the records that pass between.

Two implementations of each exist: MySQL (or MariaDB) rows with MongoDB documents, and the embedded pair. An operation
is written once against these protocols; the stores never call upwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from bson.decimal128 import Decimal128

from platform_store.association import Association, Column, KeyValues
from platform_store.errors import SchemaError
from platform_store.records import Finding, Index
from platform_store.rows import NewRow
from platform_store.search import Search
from platform_store.selection import Selection

if TYPE_CHECKING:
    from platform_store.stores.bulk import Tables
    from platform_store.stores.jobs import JobStore
    from platform_store.stores.scratch import QuerySession

Parameters: TypeAlias = Sequence[object] | Mapping[str, object]
"""What fills a statement's ``%s`` (a sequence) or ``%(name)s`` (a mapping)."""


class StaleAssociation(Exception):
    """The association at hand is not the catalog's any more: load it again and start over. Never reaches a user."""


class NotGrouped(SchemaError):
    """MySQL refuses a statement under ONLY_FULL_GROUP_BY."""


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


class Fetched(NamedTuple):
    """One row's MySQL half, its revision, and the journal's document of that revision where it is still pending."""

    key: KeyValues
    values: tuple[object, ...]  # aligned with Selection.mysql
    revision: int
    pending: bytes | None


class Exact(NamedTuple):
    """One row's revision, and stored values of columns of it, aligned with those asked for."""

    revision: int
    values: tuple[object, ...]


class Version(NamedTuple):
    """One revision of one row."""

    revision: int
    table: str
    identifier: Any  # the document's _id


class Entry(NamedTuple):
    """A version with its full document (None: the row was deleted), as the journal holds it.

    ``fresh``: the row was new, so most likely nothing of its ``_id`` is there. It only decides what is tried first.
    """

    revision: int
    table: str
    identifier: Any
    image: bytes | None
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in the journal. ``set_aside``: how many entries MongoDB refuses, by its error code.

    ``oldest_seconds``: of all of them; ``late_seconds``: of those that MongoDB does not refuse. None without any.
    ``kept``: entries beyond those, which are confirmed and stay for a backup.
    """

    entries: int
    bytes: int
    oldest_seconds: float | None
    set_aside: Mapping[int, int]
    kept: int = 0
    late_seconds: float | None = None


class Kept(NamedTuple):
    """What stays in the journal for a backup: how many documents, and how many bytes of them."""

    entries: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Position:
    """How far the row store's revisions are: the next one, and the highest that may have reached MongoDB.

    ``accepted``: the server, and the start of it, that was accepted last.
    """

    next_revision: int
    ceiling: int
    accepted: str | None


@dataclass(frozen=True, slots=True)
class Witness:
    """What MongoDB remembers of the row store, so that one restored from an older copy is noticed.

    ``server``: the server and the start of it that was last accepted. ``ceiling``: no document has a higher revision.
    ``confirmed``: a revision that certainly was given. ``lost_after``: writes are refused since the server was found
    to be back at this revision; None if not.
    """

    server: str
    ceiling: int
    confirmed: int
    lost_after: int | None = None


@dataclass(frozen=True, slots=True)
class ForeignTable:
    """A table that is in no association, as MySQL's metadata describe it."""

    columns: tuple[Column, ...]  # placement "mysql", the key columns marked
    has_revision: bool
    rows: int


class RowTransaction(Protocol):
    """A transaction on the row store. Leaving it by an exception rolls back; :meth:`commit` is the end otherwise."""

    server: str  # see JournalStore.server

    def fence(self, association: Association, *, at_once: bool = False) -> None:
        """Holds the placement until the end. Raises StaleAssociation where the catalog has moved on.

        Like every method that returns nothing, it may put this off to the next one that does, or to :meth:`commit`,
        and raise there; not ``at_once``.
        """

    def lock(
        self, association: Association, keys: Sequence[KeyValues], *, pending: bool = True
    ) -> dict[KeyValues, Locked]:
        """Locks the rows that exist, by the key given. ``pending``: with their pending documents."""

    def lock_range(
        self, association: Association, start: KeyValues | None, stop: KeyValues | None, limit: int
    ) -> list[Locked]:
        """Locks up to ``limit`` rows from the start of a key range, in key order."""

    def insert(self, association: Association, rows: Sequence[NewRow]) -> list[KeyValues]:
        """Inserts rows at revision 0 and returns their keys. Raises RowExists or Conflict."""

    def update(self, association: Association, key: KeyValues, values: Mapping[str, object]) -> None:
        """Sets MySQL columns of one locked row; an absent default is the caller's business."""

    def update_many(self, association: Association, keys: Sequence[KeyValues], values: Mapping[str, object]) -> None:
        """Sets MySQL columns of locked rows to the same values."""

    def reset(self, association: Association, key: KeyValues, row: NewRow) -> None:
        """Sets every MySQL column of one locked row; columns that ``row`` does not name take MySQL's default."""

    def delete(self, association: Association, keys: Sequence[KeyValues]) -> None:
        """Deletes locked rows."""

    def fetch(self, selection: Selection, key: KeyValues) -> Fetched | None:
        """The current row under the transaction's locks."""

    def search(self, selection: Selection, search: Search, *, lock: bool) -> list[Fetched]:
        """The current rows that are looked for, in order. ``lock``: locked until the end."""

    def exact(self, association: Association, columns: Sequence[Column], key: KeyValues) -> dict[str, object]:
        """Stored values of MySQL columns of one row, read without loss."""

    def exact_many(
        self, association: Association, columns: Sequence[Column], keys: Sequence[KeyValues]
    ) -> dict[KeyValues, Exact]:
        """As :meth:`RowStore.exact_many`, under the transaction's locks."""

    def record(
        self,
        association: Association,
        entries: Sequence[tuple[KeyValues, bytes | None]],
        *,
        fresh: bool = False,
        meanwhile: Callable[[], None] | None = None,
    ) -> list[Entry]:
        """Journals full documents (None: deleted) of locked rows, and stamps the rows that stay with their revisions.

        The revisions are allocated here, under the row locks. Every key that stays must match exactly one row.
        ``meanwhile`` may be called while the server is at work.
        """

    def announce(self, association: Association, keys: Sequence[KeyValues]) -> int | None:
        """Journals, durably and at once, that documents of ``keys`` are about to be written at one new revision.

        It holds whatever becomes of this transaction. None where no second connection is free.
        """

    def claim(self, association: Association, keys: Sequence[KeyValues], revision: int) -> bool:
        """Stamps rows with an announced revision, and makes the announcement theirs.

        False if it was withdrawn, or where the journal is held and so has to have the documents.
        """

    def awaited(self, association: Association, keys: Sequence[KeyValues]) -> set[KeyValues]:
        """Those of these keys that the journal has an entry for, or an intent that has not committed."""

    def savepoint(self) -> AbstractContextManager[None]:
        """Undoes the changes inside, and only those, where they raise; not where the whole transaction is lost."""

    def commit(self) -> None:
        """Makes it durable. Raises OutcomeUnknown where the connection dies meanwhile."""


class RowStore(Protocol):
    """The half that decides whether a row exists, and which version is current.

    ``stages``: queries run in a :meth:`query_session`, over document columns in scratch tables of it; otherwise
    :meth:`query` answers them. ``database``: whose tables these are. ``mariadb``: it is MariaDB. ``folds_names``: the
    case of a table's name does not count, and it is kept in lower case.
    """

    name: str
    stages: bool
    database: str
    mariadb: bool
    folds_names: bool

    @property
    def bulk(self) -> Tables | None:
        """Whole tables; None where there is no server to bring them to another."""

    key_collation: str  # of string key columns that name none
    text_collation: str  # of other text columns that name none
    max_image_bytes: int

    @property
    def journal(self) -> JournalStore | None:
        """None where documents commit together with their rows: nothing is ever left to bring to them."""

    @property
    def jobs(self) -> JobStore:
        """What is remembered of long operations."""

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

    def search(self, selection: Selection, search: Search) -> list[Fetched]:
        """The rows that are looked for, in order, of one moment. Raises StaleAssociation."""

    def exact_many(
        self, association: Association, columns: Sequence[Column], keys: Sequence[KeyValues]
    ) -> dict[KeyValues, Exact]:
        """Columns of MySQL read without loss, of the rows with these stored keys. Raises StaleAssociation."""

    def present(self, association: Association, keys: Sequence[KeyValues]) -> set[KeyValues]:
        """Those of these that are stored keys of rows, byte for byte; also of a table in no association."""

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
        """Adds a column, which rows may leave out until :meth:`tighten_column`, unless it is there.

        It comes last; a column of ``association`` comes where it is in the order of its columns.
        """

    def tighten_column(self, association: Association, column: Column) -> None:
        """Makes the table enforce what the column declares."""

    def loosen_column(self, association: Association, column: Column) -> None:
        """Lets rows leave the column out, before it goes from the catalog and then from the table."""

    def drop_column(self, association: Association, column: Column) -> None: ...
    def uses_of_column(self, association: Association, column: Column) -> tuple[str, ...]:
        """What would be lost with a column of MySQL's table, in words: constraints, and indexes that it shares."""

    def create_index(self, association: Association, index: Index) -> None:
        """Makes one of the association's indexes, over columns of the store's table, unless it is there."""

    def drop_index(self, association: Association, index: Index) -> None:
        """Drops what :meth:`create_index` made, if it is there."""

    def rename_column(self, association: Association, old: str, new: str) -> None: ...
    def is_empty(self, association: Association) -> bool: ...
    def about_rows(self, association: Association) -> int:
        """How many rows there are, as the store estimates."""

    def forget_revisions(self, association: Association) -> Association:
        """Makes every row one that was never versioned, and removes the table's journal entries.

        Returns the association as it has to be written then.
        """

    def fill_keys(self, association: Association, keys: Iterable[KeyValues]) -> int:
        """Inserts rows that have only a key (adopting a collection); keys that exist are left alone."""

    def query(self, statement: str, parameters: Parameters | None, tables: Mapping[str, Association]) -> Cursor:
        """Answers one SELECT where the store does so by itself. ``tables``: those that the statement names."""

    def query_session(self) -> QuerySession:
        """A connection for one query where the store ``stages``. Raises Unavailable."""

    def findings(self) -> list[Finding]: ...
    def pool(self) -> tuple[int, int] | None:
        """How many places of the pool are taken, and how many there are; None where there is no pool."""

    def close(self) -> None: ...


class JournalStore(Protocol):
    """The journal once the transactions that wrote it are over. Seconds decide how soon, never what is right."""

    def due(self, after: int, limit: int, *, seconds: float, again: bool) -> list[Version]:
        """Entries above revision ``after`` that are older than ``seconds``, in order.

        ``again``: those that MongoDB refused, and those that were kept for a hold that is over, instead of all others.
        """

    def load(self, revisions: Sequence[int]) -> list[Entry]:
        """Those of these entries that are still there, with documents; fewer where they are large."""

    def remove(self, revisions: Sequence[int], *, server: str) -> None:
        """Removes entries that are confirmed, and intents that are done. Raises Unavailable on another server."""

    def set_aside(self, causes: Mapping[int, int]) -> None:
        """Marks entries that MongoDB refuses, with its error code."""

    def strays(self) -> list[int]:
        """Entries whose table has been dropped, open intents aside."""

    def backlog(self) -> Backlog: ...
    def oldest(self) -> int | None:
        """The lowest revision in the journal."""

    def intents(self, *, done: bool, seconds: float) -> list[int]:
        """Announced revisions older than ``seconds`` whose transaction has committed (``done``), or has not."""

    def open_intents(self, below: int) -> list[int]:
        """Revisions below this one, however old, whose transaction has been announced and has not committed."""

    def withdraw(self, revision: int, clear: Callable[[str, Sequence[Any]], None]) -> bool:
        """Removes an intent that nobody holds and that is not done, after ``clear(table, identifiers)``.

        False, and nothing done, where its transaction is still under way or has committed.
        """

    def outcome(self, operation: str) -> bool | None:
        """Whether a transaction whose COMMIT was not answered has committed; None where that cannot be known.

        ``operation``: the id that OutcomeUnknown carries.
        """

    def lease(self, owner: bytes, seconds: float) -> bool:
        """Makes ``owner`` the one sweeper among all processes for so long; whether it is."""

    def release(self, owner: bytes) -> None: ...
    def server(self) -> str:
        """Which server answers, and since when it runs."""

    def hold(self, seconds: float) -> str | None:
        """Keeps what is removed from now on, for so long; by which name. None where somebody else does already.

        Bulk writes that have claimed their intents before are still under way; no other will go past the journal.
        """

    def keep_hold(self, holder: str, seconds: float) -> Kept | None:
        """Holds on for so long from now; what is kept. None where the hold has been lost."""

    def let_go(self, holder: str) -> bool:
        """Ends a hold: what was kept comes :meth:`due` again. False where it had been lost."""

    def end_lapsed_hold(self) -> None:
        """Ends a hold whose time is over, or that was begun on another server: in a copy that was restored, say."""

    def position(self) -> Position: ...
    def note_ceiling(self, ceiling: int) -> None:
        """Remembers that MongoDB may get revisions up to ``ceiling``."""

    def note_accepted(self, server: str) -> None:
        """Remembers that revisions of this server, in this start of it, are safe."""

    def raise_revisions(self, above: int) -> None:
        """Makes every revision from now on higher than ``above``."""


class Cursor(Protocol):
    """A result under way."""

    columns: tuple[str, ...]

    def __iter__(self) -> Iterator[tuple[object, ...]]: ...
    def close(self) -> None: ...


def frozen_id(identifier: Any) -> Any:
    """A hashable stand-in for an ``_id``: embedded documents become tuples."""
    if isinstance(identifier, dict):
        return tuple(frozen_id(part) for part in identifier.values())
    return identifier.bid if isinstance(identifier, Decimal128) else identifier
