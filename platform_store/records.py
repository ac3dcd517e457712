"""What applications pass in and get back: frozen records without behaviour beyond their own consistency.

Placement, keys and validation live in :mod:`platform_store.association` and :mod:`platform_store.rows`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Key: TypeAlias = object
"""A primary key: the value of its column, or a tuple of them, in the key's order, for a composite one."""


@dataclass(frozen=True, slots=True)
class ColumnAttribute:
    """One column of a logical table, in MySQL's own vocabulary.

    Args:
        name: the column's name; any MySQL identifier, quoted wherever it is used.
        type: MySQL's type text, such as ``"VARCHAR(80)"`` or ``"BIGINT UNSIGNED"``.
        nullable: whether NULL may be stored. Key columns are never nullable, whatever this says.
        default: the value an omitted column takes; None is NULL, or "required" for a column that is not nullable.
        auto_increment: MySQL allocates the value; allowed for a single integer key column.
        collation: MySQL's collation name for a text column. None: the database's default, for string key
            columns a binary one without padding.
    """

    name: str
    type: str
    nullable: bool = True
    default: object = None
    auto_increment: bool = False
    collation: str | None = None


@dataclass(frozen=True, slots=True)
class ColumnValue:
    """One column's ``name`` and ``value``, of a row given as a sequence."""

    name: str
    value: object


@dataclass(frozen=True, slots=True)
class Index:
    """An index over ``columns`` of one store, in this order. ``unique`` is only possible over MySQL columns."""

    columns: tuple[str, ...]
    unique: bool = False

    def __init__(self, columns: Sequence[str], unique: bool = False):
        object.__setattr__(self, "columns", (columns,) if isinstance(columns, str) else tuple(columns))
        object.__setattr__(self, "unique", unique)


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a column's values: at least (``ge``), above (``gt``), at most (``le``), below (``lt``). None: open.

    NULL is in no range that has a bound.
    """

    ge: object = None
    gt: object = None
    le: object = None
    lt: object = None


Row: TypeAlias = Mapping[str, object] | Sequence[ColumnValue]
"""A row as an application passes it in."""

OnConflict: TypeAlias = Literal["error", "replace", "ignore"]
"""What to do where a key is taken; see :meth:`Platform.write`."""

Placement: TypeAlias = Literal["mysql", "mongodb", "both"]
"""The store that a column lives in."""


@dataclass(frozen=True, slots=True)
class WriteCounts:
    """What ``write_many`` did: rows ``inserted``, ``replaced``, and ``ignored`` because their key was taken."""

    inserted: int = 0
    replaced: int = 0
    ignored: int = 0

    def describe(self) -> str:
        """In words."""
        return f"{self.inserted} rows inserted, {self.replaced} replaced, {self.ignored} ignored"

    def __add__(self, other: WriteCounts) -> WriteCounts:
        return WriteCounts(self.inserted + other.inserted, self.replaced + other.replaced, self.ignored + other.ignored)


@dataclass(frozen=True, slots=True)
class ColumnDescription:
    """One column as ``describe`` reports it.

    Attributes:
        name, type, nullable, default, auto_increment, collation: as in :class:`ColumnAttribute`.
        placement: "mysql", "mongodb" or "both".
        key: whether it is a column of the primary key.
        field: its name in the documents; None where it is not in MongoDB.
    """

    name: str
    type: str
    nullable: bool
    default: object
    auto_increment: bool
    collation: str | None
    placement: Placement
    key: bool
    field: str | None


@dataclass(frozen=True, slots=True)
class TableDescription:
    """One logical table, as ``describe`` reports it.

    Attributes:
        name: of the table, and of the collection.
        columns: in order.
        key: the names of the primary key's columns, in order.
        flag: the index of the last column in MySQL, -1 where all are in both stores; None where the placements do not
            follow the order of the columns (any more).
        extra: whether rows may have undeclared fields.
        indexes: without the primary key.
        epoch: grows with every change of this description.
        storage_format: of the documents; it is another only where a later version of the library has changed it.
    """

    name: str
    columns: tuple[ColumnDescription, ...]
    key: tuple[str, ...]
    flag: int | None
    extra: bool
    indexes: tuple[Index, ...]
    epoch: int
    storage_format: int


@dataclass(frozen=True, slots=True)
class Removed:
    """What ``drop_table`` or ``drop_collection`` removed.

    Attributes:
        table: its name.
        rows: how many rows MySQL's table had.
        documents: how many documents the collection had.
        mysql_table: whether MySQL's table was there, and is not any more.
        collection: whether the collection was.
    """

    table: str
    rows: int
    documents: int
    mysql_table: bool
    collection: bool


JobStatus: TypeAlias = Literal["running", "paused", "failed", "done", "rolled-back"]
"""How a long operation stands."""

Direction: TypeAlias = Literal["mysql-to-mongodb", "mongodb-to-mysql"]
"""Where a migration goes."""

MigrationMode: TypeAlias = Literal["copy", "move"]
"""Whether a migration leaves the source as it is."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long operation is.

    Attributes:
        phase: what it is doing, in a word.
        rows: done in this phase so far.
        total: rows of this phase, about; None if unknown.
        bytes: of the rows done; 0 where they are not counted.
        rows_per_second: of the last seconds.
        seconds_left: of this phase; None if unknown.
    """

    phase: str
    rows: int
    total: int | None
    bytes: int
    rows_per_second: float
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class Migrated:
    """What ``migrate`` did.

    Attributes:
        job: its number, as ``jobs`` shows it.
        table: the table or collection.
        direction: "mysql-to-mongodb" or "mongodb-to-mysql".
        mode: "copy" or "move".
        status: "done", or "paused" where it was halted.
        rows: that came over in the first round.
        bytes: of these rows.
        seconds: that it took.
        rounds: over the range, until both sides were equal.
        changed: rows that came over in later rounds, since other writers had changed them meanwhile.
        settled: whether the last round found both sides equal (a move: nothing left in the source).
        carried: indexes and other properties of the source that the target got too, in words.
        left: those that it did not get, in words.
    """

    job: int
    table: str
    direction: Direction
    mode: MigrationMode
    status: JobStatus
    rows: int
    bytes: int
    seconds: float
    rounds: int
    changed: int
    settled: bool
    carried: tuple[str, ...]
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """What ``migrate`` would do, as its dry run says.

    Attributes:
        table, direction, mode: as they were asked for.
        rows: in the range.
        bytes: of these rows, about.
        seconds: that it would take, estimated from a sample.
        target: the target as it would be made, or is, for people.
        schema: the text of a schema file; None where the target is a collection, or a table that exists.
        exceptions: the values that do not survive in their natural form, with their keys and what becomes of them.
        carried, left: as in :class:`Migrated`.
        refused: how many of the exceptions would make the migration fail.
    """

    table: str
    direction: Direction
    mode: MigrationMode
    rows: int
    bytes: int
    seconds: float
    target: str
    schema: str | None
    exceptions: tuple[str, ...]
    carried: tuple[str, ...]
    left: tuple[str, ...]
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Moved:
    """What ``move_column`` did, or how far it came.

    Attributes:
        table, columns, to: as they were asked for.
        job: its number, as ``jobs`` shows it.
        status: "done", "paused" or "rolled-back".
        phase: where it goes on; "" once it is done.
        rows: how many were looked at.
        rewritten: how many of them lacked their copy.
    """

    table: str
    columns: tuple[str, ...]
    to: Placement
    job: int
    status: JobStatus
    phase: str
    rows: int
    rewritten: int


@dataclass(frozen=True, slots=True)
class JobDescription:
    """A long operation, as ``jobs`` shows it.

    Attributes:
        id: its number, for ``pause_job`` and ``forget_job``.
        kind: what it is, such as "migration".
        table: that it is about.
        status: "running", "paused", "failed", "done" or "rolled-back".
        phase: what it is doing, or where it goes on.
        rows: done so far.
        detail: what it was asked for, or why it failed.
        seconds_since: since it was last heard of.
    """

    id: int
    kind: str
    table: str
    status: JobStatus
    phase: str
    rows: int
    detail: str
    seconds_since: float


@dataclass(frozen=True, slots=True)
class Adoption:
    """What ``associate`` did, or with ``dry_run`` would do.

    Attributes:
        description: the logical table.
        statements: the changes to MySQL.
        warnings: what is to be known before relying on it.
        rows: how many MySQL's table has.
        documents: how many the collection has.
        dry_run: whether nothing was done.
    """

    description: TableDescription
    statements: tuple[str, ...]
    warnings: tuple[str, ...]
    rows: int
    documents: int
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Status:
    """How it stands at the moment, for operators.

    Attributes:
        backend: "mysql + mongodb" or "embedded".
        tables: how many are in association.
        pending_entries: documents in the journal, which a majority of MongoDB has not confirmed yet. Some are always
            there while applications write; that it grows means that MongoDB does not keep up, or is away.
        mysql: whether it answers.
        mongodb: whether it answers.
        pending_bytes: of the documents in the journal.
        oldest_pending_seconds: how long the oldest of them has waited; None without any.
        set_aside: those that MongoDB refuses: how many, by its error code. Mend the cause, then call ``recover()``.
        lost_after: MySQL was found to be back at this revision, and nothing is written until ``recover()``; else None.
        kept_entries: documents that are confirmed, and stay in the journal for a backup that is being taken.
    """

    backend: str
    tables: int
    pending_entries: int
    mysql: bool
    mongodb: bool
    pending_bytes: int = 0
    oldest_pending_seconds: float | None = None
    set_aside: Mapping[int, int] = field(default_factory=dict)
    lost_after: int | None = None
    kept_entries: int = 0


@dataclass(frozen=True, slots=True)
class Recovered:
    """What ``recover`` did.

    Attributes:
        confirmed: entries whose documents MongoDB has for good since: they left the journal, or are kept.
        remaining: entries that are still there and wait; those that stay for a backup are ``kept``.
        set_aside: those of them that MongoDB refuses: how many, by its error code.
        withdrawn: bulk writes that never committed and were undone in MongoDB.
        committed: whether the operation asked for is written; None if unknown, or where none was asked for.
        diverged: for each table, how many documents are of writes that a restored MySQL has lost.
        kept: entries that MongoDB has confirmed, and that stay for a backup that is being taken.
    """

    confirmed: int
    remaining: int
    set_aside: Mapping[int, int] = field(default_factory=dict)
    withdrawn: int = 0
    committed: bool | None = None
    diverged: Mapping[str, int] = field(default_factory=dict)
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of ``doctor``.

    Attributes:
        subject: what was checked, such as a server, a setting or a table.
        ok: whether it is as it has to be.
        detail: what was found.
        advice: how to mend it, where ``ok`` is False.
    """

    subject: str
    ok: bool
    detail: str
    advice: str = ""
