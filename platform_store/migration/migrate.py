"""``migrate``: tables and collections in no association go to the other store as they are."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Final

from platform_store.config import Config
from platform_store.errors import Conflict, SchemaError
from platform_store.migration.attendant import take
from platform_store.migration.ends import Ends, ends
from platform_store.migration.prepare import Asked, Prepared, check_target, inferred, prepare
from platform_store.migration.preview import preview
from platform_store.migration.rounds import Limits, Rounds
from platform_store.migration.state import Spec, State
from platform_store.records import Migrated, MigrationPlan, Progress, TableDescription
from platform_store.shapes.schema_file import schema_from_yaml, schema_yaml
from platform_store.shapes.target import Schema
from platform_store.stores.base import RowStore
from platform_store.stores.documents import DocumentStore
from platform_store.stores.jobs import MIGRATE, UNFINISHED, Job

_MOST_WORKERS: Final = 8


class Migrator:
    """Copies and moves whole tables and collections, or key ranges of them. See :meth:`migrate`."""

    def __init__(self, rows: RowStore, documents: DocumentStore, config: Config):
        self._rows, self._documents, self._config = rows, documents, config

    def migrate(
        self,
        asked: Asked,
        *,
        schema: Schema | None = None,
        limits: Limits | None = None,
        resume: bool = False,
        progress: Callable[[Progress], None] | None = None,
        halt: threading.Event | None = None,
    ) -> Migrated:
        """Does what is asked for, or goes on with it (``resume``). See :meth:`Platform.migrate`."""
        both = ends(self._rows, self._documents)
        limits = limits_of() if limits is None else limits
        halt = threading.Event() if halt is None else halt
        owner = os.urandom(16)
        job = both.rows.jobs.find(MIGRATE, asked.table)
        if job is None:
            job, schema = self._begun(both, asked, schema)
        elif not resume:
            raise Conflict(
                f"its migration (job {job.id}, {job.status}) has not ended: resume=True (--resume) goes on with it",
                table=asked.table,
            )
        else:
            schema = _resumed(both, job, asked)
        take(both.rows.jobs, job.id, owner, halt, asked.table)
        job = both.rows.jobs.load(job.id) or job
        return Rounds(both, self._config, job, owner, limits, halt, progress).run(schema)

    def preview(self, asked: Asked, *, schema: Schema | None = None, limits: Limits | None = None) -> MigrationPlan:
        """The dry run: looks at everything, writes nothing. Raises what would refuse the migration."""
        limits = limits_of() if limits is None else limits
        return preview(ends(self._rows, self._documents), asked, schema, workers=limits.workers)

    def describe(self, table: str) -> TableDescription:
        """A table in no association. Raises SchemaError."""
        return ends(self._rows, self._documents).table.layout(table).association.describe()

    def forget(self, job: int) -> None:
        """Forgets a job that nobody is at work on; what it has brought over stays. Raises Conflict."""
        jobs = self._rows.jobs
        found = jobs.load(job)
        if found is None:
            return
        if found.status in UNFINISHED:
            take(jobs, job, os.urandom(16), threading.Event(), found.table)
        jobs.remove(job)

    def _begun(self, both: Ends, asked: Asked, schema: Schema | None) -> tuple[Job, Schema | None]:
        """A new job, once all is checked."""
        prepared = prepare(both, asked)
        empty = check_target(both, asked, prepared)
        schema = _target_schema(both, asked, prepared, schema)
        state = State(
            target="given" if schema is None else "making",
            fresh=empty,
            schema=None if schema is None else schema_yaml(schema),
            total=prepared.total,
            few=prepared.few,
        )
        return both.rows.jobs.add(MIGRATE, asked.table, prepared.spec.plain(), state.plain()), schema


def limits_of(
    *,
    workers: int | None = None,
    rows_per_second: float | None = None,
    max_threads_running: int | None = None,
    batch_rows: int = 5000,
    rounds: int = 5,
) -> Limits:
    """``workers`` None: as many as there are processors, within reason."""
    count = min(os.cpu_count() or 1, _MOST_WORKERS) if workers is None else max(1, workers)
    if rows_per_second is not None:
        batch_rows = min(batch_rows, max(1, int(rows_per_second / count)))  # one page a second of each is smooth enough
    return Limits(count, rows_per_second, max_threads_running, batch_rows, rounds)


def _resumed(both: Ends, job: Job, asked: Asked) -> Schema | None:
    """The schema of a job, if it makes a table. Raises Conflict where it was started for something else."""
    state, spec = State.of(job.state), Spec.of(job.spec)
    spec.check_same(prepare(both, asked).spec, asked.table)
    return None if state.schema is None else schema_from_yaml(state.schema)


def _target_schema(both: Ends, asked: Asked, prepared: Prepared, schema: Schema | None) -> Schema | None:
    """What table is made; None where it is there, or a collection is what is filled."""
    if asked.direction == "mysql-to-mongodb" or prepared.layout is not None:
        if schema is not None:
            raise SchemaError(
                "a schema is for a table that is not there yet: leave it out, or drop the table", table=asked.table
            )
        return None
    if schema is None:
        assert prepared.collection is not None
        return inferred(both, asked.table, prepared.collection)
    if schema.table != asked.table:
        raise SchemaError(f"the schema is of table {schema.table!r}: give that of this table", table=asked.table)
    return schema
