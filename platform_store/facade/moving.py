"""The part of :class:`~platform_store.facade.Platform` about data that moves, and its verification. It delegates."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Literal, overload

from platform_store.association import Association
from platform_store.catalog import Catalog
from platform_store.errors import SchemaError, ValueRejected
from platform_store.migration.associated import migrate_associated, plan_associated
from platform_store.migration.migrate import Migrator, limits_of
from platform_store.migration.move import Mover
from platform_store.migration.overview import descriptions
from platform_store.migration.pace import Pace
from platform_store.migration.prepare import Asked
from platform_store.migration.rounds import Limits
from platform_store.records import (
    Direction,
    JobDescription,
    Key,
    Migrated,
    MigrationMode,
    MigrationPlan,
    Moved,
    Placement,
    Progress,
    TableDescription,
)
from platform_store.rows import check_batching
from platform_store.shapes.schema_file import load_schema
from platform_store.stores.base import RowStore
from platform_store.verify.findings import Verification
from platform_store.verify.report import Side
from platform_store.verify.verifier import Verifier


class Moving:
    """Long operations over one pair of stores. Each may be stopped or killed at any moment, and called again."""

    _rows: RowStore
    _catalog: Catalog
    _mover: Mover
    _migrator: Migrator
    _verifier: Verifier

    def move_column(
        self,
        table: str,
        column: str | Iterable[str],
        to: Placement,
        *,
        clean_up: bool = True,
        batch_rows: int = 500,
        max_rows_per_second: float | None = None,
        halt: threading.Event | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Moved:
        """Moves a column (or several together) between the stores while applications go on writing and reading it.

        Every reader and writer of every process sees the column at each moment, with its newest value; applications
        that know an older placement notice by themselves. The same call takes up a move that was stopped, has failed or
        was killed; one that is done is done again in no time. Until the clean-up :meth:`roll_back_move` takes it back.

        Writers that bypass the library may go on while a column is filled, and must have stopped for the columns that
        are moved when the other side begins to answer.

        Args:
            column: its name, or the names of several.
            to: ``"mysql"``, ``"mongodb"`` or ``"both"``.
            clean_up: False stops, as paused, before the first side is removed; the call without it goes on.
            batch_rows: how many rows are locked at a time.
            max_rows_per_second: a ceiling.
            halt: once it is set, the move is paused after the batch under way.
            progress: called after each batch.

        Raises:
            SchemaError: no such column, another move of the table is unfinished, an index would have columns of both
                stores, or would be unique in MongoDB.
            NotSupported: MySQL computes the value, or a constraint of MySQL's table uses the column.
            ValueRejected: ``batch_rows`` is less than 1, or the ceiling not above 0.
            Conflict: another process is at work on this move.
            Diverged: a value is not one that the column holds (verify() says which ones), or a writer that bypasses the
                library keeps changing it.
        """
        _check_pace(table, batch_rows, max_rows_per_second)
        columns = [column] if isinstance(column, str) else list(column)
        halt = threading.Event() if halt is None else halt
        pace = Pace(halt, rows_per_second=max_rows_per_second, tell=progress)
        return self._mover.move(table, columns, to, pace=pace, halt=halt, batch_rows=batch_rows, keep=not clean_up)

    def pause_move(self, table: str) -> Moved:
        """Lets the process that moves a column of this table stop after the batch under way. Raises SchemaError."""
        return self._mover.pause(table)

    def roll_back_move(self, table: str, *, progress: Callable[[Progress], None] | None = None) -> Moved:
        """Takes back a move of columns whose clean-up has not begun. Nothing that was written meanwhile is lost.

        Args:
            progress: called after each batch.

        Raises SchemaError where there is none, Conflict where another process is at work on it (see
        :meth:`pause_move`).
        """
        halt = threading.Event()
        return self._mover.roll_back(table, pace=Pace(halt, tell=progress), halt=halt)

    def jobs(self) -> list[JobDescription]:
        """Migrations and moves of columns, the newest first: those under way, stopped, failed, and ended."""
        return descriptions(self._rows.jobs)

    @overload
    def migrate(
        self,
        table: str,
        direction: Direction,
        start: Key | None = None,
        stop: Key | None = None,
        mode: MigrationMode = "copy",
        *,
        dry_run: Literal[True],
        schema: str | os.PathLike[str] | None = None,
        catch_up: bool = True,
        replace_target: bool = False,
        workers: int | None = None,
    ) -> MigrationPlan: ...
    @overload
    def migrate(
        self,
        table: str,
        direction: Direction,
        start: Key | None = None,
        stop: Key | None = None,
        mode: MigrationMode = "copy",
        *,
        schema: str | os.PathLike[str] | None = None,
        catch_up: bool = True,
        replace_target: bool = False,
        resume: bool = False,
        workers: int | None = None,
        max_rows_per_second: float | None = None,
        max_threads_running: int | None = None,
        batch_rows: int = 5000,
        progress: Callable[[Progress], None] | None = None,
        halt: threading.Event | None = None,
    ) -> Migrated: ...
    def migrate(
        self,
        table: str,
        direction: Direction,
        start: Key | None = None,
        stop: Key | None = None,
        mode: MigrationMode = "copy",
        *,
        schema: str | os.PathLike[str] | None = None,
        catch_up: bool = True,
        replace_target: bool = False,
        resume: bool = False,
        dry_run: bool = False,
        workers: int | None = None,
        max_rows_per_second: float | None = None,
        max_threads_running: int | None = None,
        batch_rows: int = 5000,
        progress: Callable[[Progress], None] | None = None,
        halt: threading.Event | None = None,
    ) -> Migrated | MigrationPlan:
        """Brings a table or a collection that is in no association to the other store, as it is.

        Of a table in association, the columns are moved, as by :meth:`move_column`: to both stores (a copy), or to the
        other one. ``start`` and ``stop`` then say which documents get copies.

        In MongoDB a row is a document of its columns (``_id`` is the key, NULL an absent field), as
        :meth:`associate` with ``flag=-1`` takes it. In MySQL a collection becomes a table that its documents can be
        made of again, to the last byte; the table describes itself in its columns' comments.

        It may be killed at any moment and goes on with ``resume=True``; it may be repeated. Other writers may go on
        changing the source: once every row is there, both sides are compared and what differs is brought over, until
        nothing does (``settled`` of the result) or five rounds are over. What was committed before the last round
        began is in the target; stop the writers for both to be equal. The target is this migration's until it ends.

        Args:
            direction: "mysql-to-mongodb" or "mongodb-to-mysql".
            start, stop: keys, both included; None is open.
            mode: "move" deletes each row from the source once the target has it for good; a row that somebody changes
                meanwhile is moved as it is then.
            schema: a YAML file of the table that a collection becomes (default: inferred from all its documents).
            catch_up: False leaves the comparison out, for a source that nobody writes to.
            replace_target: the target may hold something: in the range it becomes what the source is.
            resume: goes on with the unfinished migration of this table.
            dry_run: looks at everything, writes nothing, and returns a :class:`MigrationPlan`.
            workers: processes (default: one for each processor); 1 is this process.
            max_rows_per_second: a ceiling for all of them together.
            max_threads_running: no page begins while MySQL's Threads_running is above it.
            batch_rows: rows of a page, each of which is read, written and remembered.
            progress: called after each page.
            halt: once it is set, the migration is paused after the pages under way.

        Raises:
            SchemaError: no such table, no primary key, a view, or a target that holds what no migration brought.
            ValueRejected: a value that the target cannot hold; names column and key. Also as for :meth:`move_column`.
            Conflict: the table has an unfinished migration, or another process is at work on it.
            NotSupported: on the embedded pair; a move that would delete rows of other tables.
        """
        _check_pace(table, batch_rows, max_rows_per_second)
        asked = Asked(table, direction, start, stop, mode, catch_up, replace_target)
        limits = limits_of(
            workers=workers,
            rows_per_second=max_rows_per_second,
            max_threads_running=max_threads_running,
            batch_rows=batch_rows,
        )
        association = self._catalog.find(table)
        if association is not None:
            return self._migrate_associated(association, asked, dry_run, limits, progress, halt)
        given = None if schema is None else load_schema(schema)
        if dry_run:
            return self._migrator.preview(asked, schema=given, limits=limits)
        return self._migrator.migrate(asked, schema=given, limits=limits, resume=resume, progress=progress, halt=halt)

    def _migrate_associated(
        self,
        association: Association,
        asked: Asked,
        dry_run: bool,
        limits: Limits,
        progress: Callable[[Progress], None] | None,
        halt: threading.Event | None,
    ) -> Migrated | MigrationPlan:
        if dry_run:
            return plan_associated(self._mover, association, asked)
        halt = threading.Event() if halt is None else halt
        pace = Pace(halt, rows_per_second=limits.rows_per_second, tell=progress)
        return migrate_associated(self._mover, association, asked, pace=pace, halt=halt, batch_rows=limits.batch_rows)

    def describe_plain(self, name: str) -> TableDescription:
        """A MySQL table in no association, as its documents would have it: every column in both stores.

        Raises SchemaError where there is no such table or it has no usable key, NotSupported on the embedded pair.
        """
        return self._migrator.describe(name)

    def pause_job(self, job: int) -> None:
        """Lets the process that is at work on a long operation stop after what is under way. Raises SchemaError."""
        if not self._rows.jobs.pause(job):
            raise SchemaError(f"there is no unfinished job {job}: jobs() lists them")

    def forget_job(self, job: int) -> None:
        """Forgets a long operation that nobody is at work on; what it has done stays.

        Does nothing where there is no such operation. Raises Conflict where a process is at work on it.
        """
        self._migrator.forget(job)

    def verify(
        self,
        table: str,
        repair: bool = False,
        *,
        start: Key | None = None,
        stop: Key | None = None,
        side: Side | None = None,
        limit: int = 100,
        dry_run: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> Verification:
        """Checks, while applications write, that every row and its document are one; and mends what is not.

        A row's document is of the row's revision; columns in both stores have MySQL's value in it; values are such as
        their columns can hold; no document is without a row. Memory is bounded; so is what a range of rows costs.
        Columns on the move are where they should be at that moment.

        Of a table in no association that both stores have, it compares the two sides of a migration: every row as the
        document that it stands for, byte for byte (numbers by their value where the table has no place for their type).
        Nothing locks a row on both sides there: what other writers are changing just then may be reported.

        Args:
            repair: mend by new revisions of rows (from the journal, from MySQL's values) and by the removal of
                documents without rows. A write that comes between finding and mending wins.
            start, stop: keys, both included; None is open. Where MySQL orders keys otherwise than BSON (a collation,
                dates), documents without rows are looked for in whole tables only.
            side: which store is right where a document is lost, newer than its row, or holds what its column cannot:
                "mysql" (what only the document had becomes NULL) or "mongodb" (its values become a new revision).
                Without it such rows are reported, and left alone. Of two sides of a migration, the one that is right.
            limit: how many differences the result holds. All are counted, and mended.
            dry_run: with ``repair``, only say what it would do.
            progress: called after each range.

        Raises:
            SchemaError: there is no such table in association, nor in both stores.
            Unavailable: a store cannot be reached. What was mended stays; call it again.
        """
        return self._verifier.verify(
            table, repair, start=start, stop=stop, side=side, limit=limit, dry_run=dry_run, progress=progress
        )


def _check_pace(table: str, batch_rows: int, rows_per_second: float | None) -> None:
    check_batching(table, batch_rows, "batch_rows")
    if rows_per_second is not None and not rows_per_second > 0:
        raise ValueRejected("max_rows_per_second is a number above 0, or None for no ceiling", table=table)
