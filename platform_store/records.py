"""What applications pass in and get back: frozen records without behaviour beyond their own consistency.

Placement, keys and validation live in :mod:`platform_store.association` and :mod:`platform_store.rows`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Key: TypeAlias = object
"""A primary key as the user sees it: a scalar, or a tuple for a composite key."""


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
    """One column's value in a row given as a sequence."""

    name: str
    value: object


@dataclass(frozen=True, slots=True)
class Index:
    """An index over columns of one store. ``unique`` is only possible over MySQL columns."""

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
Placement: TypeAlias = Literal["mysql", "mongodb", "both"]


@dataclass(frozen=True, slots=True)
class WriteCounts:
    """What ``write_many`` did: rows inserted, replaced, and ignored because their key was taken."""

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
    """One column as ``describe`` reports it. ``field`` is its name in the documents (None: not in MongoDB)."""

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
    """One logical table. ``flag`` is None where the placements no longer follow the column order."""

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
    """What ``drop_table`` or ``drop_collection`` removed."""

    table: str
    rows: int
    documents: int
    mysql_table: bool
    collection: bool


JobStatus: TypeAlias = Literal["running", "paused", "failed", "done", "rolled-back"]

Direction: TypeAlias = Literal["mysql-to-mongodb", "mongodb-to-mysql"]

MigrationMode: TypeAlias = Literal["copy", "move"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long operation is. ``rows_per_second`` is of the last seconds; ``seconds_left`` None if unknown."""

    phase: str
    rows: int
    total: int | None
    bytes: int
    rows_per_second: float
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class Migrated:
    """What ``migrate`` did.

    ``rows`` and ``bytes`` came over in the first of the ``rounds``, ``changed`` rows in the others, since other writers
    changed them meanwhile. ``settled``: the last round found both sides equal (a move: nothing left in the source).
    ``carried`` and ``left``: the indexes and other properties of the source that the target got too, and that it did
    not, in words. ``status`` is "paused" where it was halted.
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
    """What ``migrate`` would do, as its dry run says. ``seconds`` is estimated from a sample.

    ``target``: the target as it would be made, or is, for people; ``schema``: the text of a schema file (None where
    the target is a collection, or a table that exists). ``exceptions``: the values that do not survive in their
    natural form, with their keys and what becomes of them; ``refused`` of them would make the migration fail.
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
    """What ``move_column`` did, or how far it came. ``phase`` is where it goes on, "" once it is done.

    ``rows``: how many were looked at; ``rewritten``: how many of them lacked their copy.
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
    """A long operation, as ``jobs`` shows it. ``seconds_since``: since it was last heard of."""

    id: int
    kind: str
    table: str
    status: JobStatus
    phase: str
    rows: int
    detail: str
    seconds_since: float


@dataclass(frozen=True, slots=True)
class Difference:
    """One row of which the two sides do not agree.

    ``kind``: "missing" (a document, or the target's row, is not there), "extra" (it is there, and no row is), or
    "different" (in ``columns``). ``repair``: what ``repair=True`` did or would do, empty where it can do nothing.
    """

    table: str
    key: Key
    kind: Literal["missing", "extra", "different"]
    columns: tuple[str, ...]
    detail: str
    repair: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What ``verify`` found. ``differences`` holds the first ones, up to the limit asked for; ``found`` counts all.

    ``repaired``: how many of them were mended.
    """

    table: str
    rows: int
    ranges: int
    found: int
    repaired: int
    differences: tuple[Difference, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is left that differs."""
        return self.found == self.repaired


@dataclass(frozen=True, slots=True)
class Adoption:
    """What ``associate`` did, or with ``dry_run`` would do.

    ``statements`` are the changes to MySQL, ``warnings`` what the user should know before relying on it.
    """

    description: TableDescription
    statements: tuple[str, ...]
    warnings: tuple[str, ...]
    rows: int
    documents: int
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Status:
    """A snapshot for operators: tables in association, stores reachable, and what is in the journal.

    ``pending_entries`` documents (``pending_bytes`` bytes of them) are not confirmed by a majority of MongoDB yet, the
    oldest for ``oldest_pending_seconds``; of those, ``set_aside`` are refused by MongoDB: how many, by its error code.
    ``lost_after``: MySQL was found to be back at this revision, and nothing is written until ``recover()``.
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


@dataclass(frozen=True, slots=True)
class Recovered:
    """What ``recover`` did.

    ``confirmed`` entries left the journal, ``remaining`` are still there; ``set_aside`` of those are refused by
    MongoDB: how many, by its error code. ``withdrawn`` bulk writes that never committed were undone in MongoDB.
    ``committed``: whether the operation asked for is written (None: unknown, or none was asked for).
    ``diverged``: for each table, how many documents are of writes that a restored MySQL has lost.
    """

    confirmed: int
    remaining: int
    set_aside: Mapping[int, int] = field(default_factory=dict)
    withdrawn: int = 0
    committed: bool | None = None
    diverged: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """How a query came by the document columns of one table reference.

    ``pushed_to_mysql``, ``pushed_to_mongodb``: the conditions that each store was asked for; ``narrowed_by``: the
    other references, by alias, whose rows decided which rows of this one matter. ``way``: "keys" (MySQL's keys, looked
    up in MongoDB) or "scan" (the collection is read), and ``why``. ``staged_bytes`` went to the scratch table.
    """

    table: str
    alias: str
    from_mongodb: tuple[str, ...]
    pushed_to_mysql: str
    pushed_to_mongodb: str
    narrowed_by: tuple[str, ...]
    way: Literal["keys", "scan"]
    why: str
    estimated_rows: int
    staged_rows: int
    staged_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """What a query did, as ``explain`` reports it.

    ``statement``: what was executed; ``unchanged``: it is the query itself, one store holding all that is needed.
    ``sources``: the references that documents were fetched for, in the order in which that was done. ``in_mysql``: the
    other references to logical tables. ``steps``: seconds by name, in order. ``rows``: of the result.
    """

    statement: str
    unchanged: bool
    sources: tuple[SourcePlan, ...]
    in_mysql: tuple[str, ...]
    steps: Mapping[str, float]
    rows: int

    def __str__(self) -> str:
        lines = [f"{self.rows} rows; {', '.join(f'{name} {1e3 * time:.1f} ms' for name, time in self.steps.items())}"]
        if self.unchanged:
            lines.append("executed as it is: one store holds every column that is needed")
        for source in self.sources:
            lines += [
                f"{source.alias} (table {source.table}): {', '.join(source.from_mongodb)} from MongoDB",
                f"  by {source.way}: {source.why}",
                f"  asked of MySQL:   {source.pushed_to_mysql or 'all rows'}"
                + "".join(f", narrowed by {alias}" for alias in source.narrowed_by),
                f"  asked of MongoDB: {source.pushed_to_mongodb or 'all documents'}",
                f"  staged {source.staged_rows} rows ({source.estimated_rows} estimated), {source.staged_bytes} bytes, "
                f"in {1e3 * source.seconds:.1f} ms",
            ]
        lines += [f"{alias}: all from MySQL" for alias in self.in_mysql]
        return "\n".join([*lines, f"executed: {self.statement}"])


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of ``doctor``. ``advice`` says how to mend it where ``ok`` is False."""

    subject: str
    ok: bool
    detail: str
    advice: str = ""
