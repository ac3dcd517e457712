"""``move_column``: columns of a live table from one store to the other, while applications write and read them.

Its phases, each of which may be left at any point and is repeated harmlessly:

``prepare``
    Both sides of the columns exist, and every writer keeps up both from here on (see
    :mod:`platform_store.migration.placement`). The catalog's epoch fences those who do not know it yet.
``fill``
    Every row gets its copy, in the order of the keys, a batch in a transaction under the rows' locks: for documents an
    ordinary revision through the journal, for MySQL's column a plain update.
``verify``
    The same pass again until it has found nothing to do.
``switch``
    The other side answers. Nothing is lost until here, nor by this: the first side is still kept up.
``clean``
    The first side goes. From here on there is no way back but another move.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from bson import json_util
from bson.json_util import CANONICAL_JSON_OPTIONS

from platform_store.association import Association, KeyValues
from platform_store.attempts import retried
from platform_store.catalog import Catalog
from platform_store.definitions import Definitions, being_moved
from platform_store.errors import Conflict, Diverged, NotSupported, PlatformStoreError, SchemaError, TransientError
from platform_store.journal import Journal
from platform_store.migration import placement
from platform_store.migration.pace import Pace
from platform_store.records import Moved, Placement
from platform_store.selection import select
from platform_store.stores.base import RowStore
from platform_store.stores.documents import DocumentStore
from platform_store.stores.jobs import MOVE_COLUMN, Job
from platform_store.unit import Unit

logger = logging.getLogger("platform_store")

_LEASE: Final = 10.0  # seconds without a word after which another process may go on
_PASSES: Final = 5
_RETRIES: Final = 5
_FULL: Final = 0.5  # of the journal's limit: from there on it is waited for
_RETRY_AFTER: Final = 0.2  # seconds

_STEPS: Final = {"prepare": placement.begun, "switch": placement.switched, "clean": placement.cleaned}


class _Paused(Exception):
    """The job is somebody else's now, or is to stop."""


@dataclass
class _Work:
    """One job under way in this process. ``targets``: the rung of each column."""

    job: Job
    table: str
    targets: dict[str, int]
    pace: Pace
    halt: threading.Event
    batch: int
    keep: bool  # stop before the clean-up
    owner: bytes = field(default_factory=lambda: os.urandom(16))
    state: dict[str, Any] = field(default_factory=dict)


class Mover:
    """Moves columns of the tables of one pair of stores."""

    def __init__(
        self, rows: RowStore, documents: DocumentStore, catalog: Catalog, journal: Journal, *, max_entries: int
    ):
        """``max_entries``: the journal's limit, half of which is left to the applications."""
        self._rows, self._documents, self._catalog, self._journal = rows, documents, catalog, journal
        self._definitions = Definitions(rows, documents, catalog)
        self._most_pending = int(max_entries * _FULL)

    def move(
        self,
        table: str,
        columns: Sequence[str],
        to: Placement,
        *,
        pace: Pace,
        halt: threading.Event,
        batch_rows: int = 500,
        keep: bool = False,
        bounds: tuple[Any, Any] = (None, None),
    ) -> Moved:
        """Moves columns, or goes on with their move; see :meth:`Platform.move_column`.

        ``bounds``: the key range whose documents get copies, where the columns go from MySQL to both stores.
        """
        if to not in placement.RUNG_OF:
            raise SchemaError(f"to= is one of {', '.join(get_args(Placement))}", table=table)
        if not columns:
            raise SchemaError("name at least one column to move", table=table)
        association = self._catalog.get(table)
        wanted = {"columns": sorted(columns), "to": to, "bounds": [_text(association, bound) for bound in bounds]}
        job = self._rows.jobs.find(MOVE_COLUMN, table)
        if job is None:
            self.check(association, columns, to)
            origins = {name: placement.rung(association.by_name[name]) for name in columns}
            job = self._rows.jobs.add(MOVE_COLUMN, table, {**wanted, "from": origins}, {"phase": "prepare"})
        elif {name: job.spec[name] for name in wanted} != wanted:
            raise being_moved(job)
        elif job.state.get("back"):
            raise SchemaError("its move is being rolled back: finish that first", table=table)
        work = _Work(job, table, dict.fromkeys(columns, placement.RUNG_OF[to]), pace, halt, batch_rows, keep)
        return self._run(work, to)

    def roll_back(self, table: str, *, pace: Pace, halt: threading.Event, batch_rows: int = 500) -> Moved:
        """Takes back a move that has not been cleaned up; see :meth:`Platform.move_column`."""
        job = self._unfinished(table)
        if job.state["phase"] == "clean" and not job.state.get("back") and not job.state.get("kept"):
            raise SchemaError("its clean-up has begun: move the columns back once it is done", table=table)
        work = _Work(job, table, dict(job.spec["from"]), pace, halt, batch_rows, keep=False)
        return self._run(work, job.spec["to"], back=True)

    def pause(self, table: str) -> Moved:
        """Lets whoever is at work on a move of this table stop after the batch under way."""
        job = self._unfinished(table)
        self._rows.jobs.pause(job.id)
        return _moved(self._unfinished(table), job.spec["to"])

    def about_rows(self, association: Association) -> int:
        return self._rows.about_rows(association)

    def _unfinished(self, table: str) -> Job:
        job = self._rows.jobs.find(MOVE_COLUMN, table)
        if job is None:
            raise SchemaError("no column of it is being moved: jobs() lists what is under way", table=table)
        return job

    def check(self, association: Association, columns: Sequence[str], to: Placement) -> None:
        """Raises SchemaError or NotSupported for what cannot be moved there."""
        target = placement.RUNG_OF[to]
        placement.check_movable(association, columns, target)
        if target == placement.MONGODB:
            for name in columns:
                column = association.by_name[name]
                uses = self._rows.uses_of_column(association, column) if column.kept_in_mysql else ()
                if uses:
                    raise NotSupported(
                        f"moving column {name!r} out of MySQL",
                        f"would change {', '.join(uses)} of table {association.name!r}: drop it first, or copy (both)",
                    )
        self._rows.check_placeable(placement.placed(association, dict.fromkeys(columns, target)))

    # One job

    def _run(self, work: _Work, to: Placement, *, back: bool = False) -> Moved:
        jobs = self._rows.jobs
        self._take(work)
        work.state = {name: value for name, value in work.job.state.items() if name != "error"}
        if back and not work.state.get("back"):
            work.state = {**work.state, "back": True, "phase": "switch"}
        try:
            self._save(work)
            self._phases(work)
        except _Paused:
            logger.info("job %d, which moves columns of %r, is paused in its phase %s", *_place(work))
            jobs.save(work.job.id, work.owner, work.state, "paused")
        except PlatformStoreError as error:
            name = type(error).__name__
            logger.warning("job %d, which moves columns of %r, has failed in its phase %s: %s", *_place(work), name)
            work.state["error"] = str(error)
            jobs.save(work.job.id, work.owner, work.state, "failed")
            raise
        else:
            logger.info("job %d, which moves columns of %r, is done", work.job.id, work.table)
            jobs.save(work.job.id, work.owner, work.state, "rolled-back" if back else "done")
        done = jobs.load(work.job.id)
        assert done is not None, "a job stays"
        return _moved(done, to)

    def _take(self, work: _Work) -> None:
        """Waits for as long as one that was killed may seem to be at work. Raises Conflict."""
        deadline = time.monotonic() + _LEASE
        while not self._rows.jobs.take(work.job.id, work.owner, _LEASE):
            if work.halt.wait(_RETRY_AFTER) or time.monotonic() > deadline:
                raise Conflict(
                    "another process is moving its columns: pause_move() lets it stop, or frees what a killed one held",
                    table=work.table,
                )

    def _phases(self, work: _Work) -> None:
        phases = ("switch", "clean") if work.state.get("back") else ("prepare", "fill", "verify", "switch", "clean")
        for phase in phases[phases.index(work.state["phase"]) :]:
            if work.state["phase"] != phase:
                work.state = {name: value for name, value in work.state.items() if name != "after"} | {"phase": phase}
            if phase == "clean" and work.keep:
                work.state["kept"] = True
                raise _Paused
            work.state.pop("kept", None)
            if phase == "clean" and "fields" not in work.state:
                association = self._association(work)
                work.state["fields"] = {name: association.by_name[name].field for name in work.targets}
            self._save(work)
            logger.info("job %d, which moves columns of %r, begins its phase %s", *_place(work))
            if phase in ("fill", "verify"):
                self._passes(work)
            else:
                work.pace.begin(phase, None)
                self._step(work, phase)
            if phase == "clean":
                self._clear(work)

    def _save(self, work: _Work) -> None:
        """Remembers how far it is, and stays its owner. Raises _Paused."""
        jobs = self._rows.jobs
        kept = jobs.save(work.job.id, work.owner, work.state, "running") and jobs.take(work.job.id, work.owner, _LEASE)
        if not kept or work.halt.is_set():
            raise _Paused

    # The placement

    def _step(self, work: _Work, phase: str) -> None:
        for attempt in range(_RETRIES):
            try:
                with self._definitions.changing(work.table):
                    self._put(work, phase)
            except TransientError as error:  # a long transaction of somebody else holds the table
                if attempt == _RETRIES - 1:
                    raise
                logger.info("the %s of %r is tried again: %s", phase, work.table, error)
                retried()
                work.halt.wait(_RETRY_AFTER * 2**attempt)
                self._save(work)
            else:
                return

    def _put(self, work: _Work, phase: str) -> None:
        """One change of the placement, under the schema's lock: what is needed first, the epoch, what is left over."""
        # Whoever took the job over meanwhile needs this lock for every change: none comes between this and the epoch.
        self._save(work)
        before = self._association(work)
        columns = [before.by_name[name] for name in work.targets]
        rungs = {column.name: _STEPS[phase](column, work.targets[column.name]) for column in columns}
        after = placement.placed(before, rungs)
        if phase == "prepare":
            for column in after.columns:
                if column.name in rungs and column.shadow:
                    self._rows.add_column(after, column)
        elif phase == "switch":
            self._make_indexes(before, after, work)
            for column in columns:
                if placement.rung(column) == placement.SHADOW and rungs[column.name] == placement.BOTH:
                    self._rows.tighten_column(before, column)
        else:
            for column in columns:
                if rungs[column.name] == placement.MONGODB and column.kept_in_mysql:
                    self._rows.loosen_column(before, column)
        if after != before:
            self._rows.put_association(after)
        self._catalog.reload(work.table)
        if phase == "clean":
            self._drop_indexes(before, after, work)
            for name in rungs:
                if placement.rung(after.by_name[name]) == placement.MONGODB:
                    self._rows.drop_column(after, after.by_name[name])

    def _make_indexes(self, before: Association, after: Association, work: _Work) -> None:
        ahead = placement.placed(before, work.targets)
        for index in ahead.indexes:
            if not work.targets.keys() & set(index.columns):
                continue
            if placement.holds_index(ahead, index, in_mysql=True):
                self._rows.create_index(after, index)
            if placement.holds_index(ahead, index, in_mysql=False):
                self._documents.create_index(after, _fields(after, index.columns))

    def _drop_indexes(self, before: Association, after: Association, work: _Work) -> None:
        for index in before.indexes:
            if not work.targets.keys() & set(index.columns):
                continue
            if not placement.holds_index(after, index, in_mysql=True):
                self._rows.drop_index(after, index)
            if not placement.holds_index(after, index, in_mysql=False):
                fields = dict(zip(index.columns, _fields(before, index.columns), strict=True)) | work.state["fields"]
                self._documents.drop_index(before, [fields[name] for name in index.columns])

    def _association(self, work: _Work) -> Association:
        self._catalog.reload(work.table)
        association = self._catalog.get(work.table)
        for name in work.targets:
            if name not in association.by_name:
                raise SchemaError("the column that is being moved is gone", table=work.table, column=name)
        return association

    # The rows

    def _passes(self, work: _Work) -> None:
        """Fills, or until a whole pass has found nothing to do, verifies."""
        for _ in range(1 if work.state["phase"] == "fill" else _PASSES):
            missing = work.state.get("missing", 0)
            self._pass(work)
            work.state.pop("after", None)
            if work.state["phase"] == "fill" or work.state.pop("missing", 0) == missing:
                return
        raise Diverged(
            "rows keep losing their copies: a writer that bypasses the library changes the columns on the move",
            table=work.table,
            advice="stop it, and call move_column() again",
        )

    def _pass(self, work: _Work) -> None:
        """Every row once, from where it was left."""
        association = self._association(work)
        looked_at = work.state.get("rows", 0) if work.state["phase"] == "fill" else 0
        work.pace.begin(work.state["phase"], self._rows.about_rows(association), looked_at)
        after = _key(association, work.state.get("after"))
        first, last = (_key(association, bound) for bound in work.job.spec["bounds"])
        while True:
            keys, changed = self._batch(work, first, last, after)
            if changed and work.state["phase"] == "verify":
                work.state["missing"] = work.state.get("missing", 0) + len(changed)
                logger.warning("%d rows of %r had no copy yet", len(changed), work.table)
            if keys:
                after = keys[-1]
                work.state["after"] = _text_of(association, after)
            if work.state["phase"] == "fill":
                work.state["rows"] = work.state.get("rows", 0) + len(keys)
            if work.state["phase"] != "clean":
                work.state["rewritten"] = work.state.get("rewritten", 0) + len(changed)
            self._save(work)
            work.pace.did(len(keys))
            if len(keys) < work.batch:
                return
            self._wait_for_journal(work)

    def _batch(
        self, work: _Work, first: KeyValues | None, last: KeyValues | None, after: KeyValues | None
    ) -> tuple[list[KeyValues], list[KeyValues]]:
        """One batch of rows: their keys, and those of the rows that had to be changed."""

        def operation(association: Association) -> tuple[list[KeyValues], list[KeyValues]]:
            names = select(association, association.key_names)
            keys = [row.key for row in self._rows.fetch_range(names, first, last, after, work.batch)]
            if not keys:
                return keys, []
            into_rows = [one for one in association.columns if one.shadow and one.name in work.targets]
            with self._rows.transaction() as transaction:
                transaction.fence(association)
                unit = Unit(transaction, self._documents, self._journal)
                changed = unit.align(association, keys, into_rows)
                unit.commit()
            self._journal.apply(unit.entries)
            return keys, changed

        for attempt in range(_RETRIES):
            try:
                return self._catalog.run(work.table, operation)
            except TransientError:  # a deadlock, or a row locked for long
                if attempt == _RETRIES - 1:
                    raise
                work.halt.wait(_RETRY_AFTER * 2**attempt)
                self._save(work)
        raise AssertionError("range() does not end before its last")

    def _wait_for_journal(self, work: _Work) -> None:
        """Leaves the applications their part of the journal."""
        while (backlog := self._journal.backlog) is not None and backlog.entries > self._most_pending:
            work.halt.wait(1.0)
            self._save(work)

    # The end

    def _clear(self, work: _Work) -> None:
        """Rewrites documents that still have fields of columns they carry no more; discards those with nothing left."""
        association = self._association(work)
        gone = [name for name, rung in work.targets.items() if rung == placement.MYSQL]
        if not gone:
            return
        if association.has_documents:
            self._pass(work)
            return
        with self._definitions.changing(work.table):
            association = self._association(work)
            if not association.has_documents:
                association = self._rows.put_association(self._rows.forget_revisions(association))
                self._catalog.reload(work.table)
                self._documents.discard(association)


def _place(work: _Work) -> tuple[int, str, str]:
    return work.job.id, work.table, work.state["phase"]


def _moved(job: Job, to: Placement) -> Moved:
    phase = "" if job.status in ("done", "rolled-back") else job.state["phase"]
    counts = (job.state.get("rows", 0), job.state.get("rewritten", 0))
    return Moved(job.table, tuple(job.spec["columns"]), to, job.id, job.status, phase, *counts)


def _fields(association: Association, names: Sequence[str]) -> list[str]:
    return [association.by_name[name].field for name in names]


def _text(association: Association, bound: Any) -> str | None:
    return None if bound is None else _text_of(association, association.check_key(bound))


def _text_of(association: Association, key: KeyValues) -> str:
    return json_util.dumps(association.encode_id(key), json_options=CANONICAL_JSON_OPTIONS)


def _key(association: Association, text: str | None) -> KeyValues | None:
    if text is None:
        return None
    return association.decode_id(json_util.loads(text, json_options=CANONICAL_JSON_OPTIONS))
