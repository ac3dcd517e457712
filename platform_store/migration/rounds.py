"""The rounds of a migration over its range, until both sides are equal: a job from wherever it is to its end.

A round is cut into lanes, each a part of the job. The first copies (or moves) every row. Those after it compare both
sides and bring over what differs (or move what is still there), until one finds nothing: whatever was committed in the
source before a round began is in the target when that round ends.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Final

from platform_store.config import Config
from platform_store.errors import Conflict, PlatformStoreError
from platform_store.migration.attendant import Attendant
from platform_store.migration.carry import Carried, to_collection, to_table
from platform_store.migration.crew import Alone, Crew, Workers
from platform_store.migration.ends import Ends, settings_of
from platform_store.migration.lanes import LaneRunner, Throttle
from platform_store.migration.pace import Pace
from platform_store.migration.prepare import make_table
from platform_store.migration.routes import Tenure, now, route
from platform_store.migration.state import Lane, Spec, State, from_place, lanes, to_place
from platform_store.records import JobStatus, Migrated, Progress
from platform_store.shapes.shape import Shape
from platform_store.shapes.target import Schema
from platform_store.stores.bulk import Layout
from platform_store.stores.jobs import Job

logger = logging.getLogger("platform_store")

_ROWS_PER_LANE: Final = 500_000  # more lanes than workers need: what is lost by a death is small
_LANES_PER_WORKER: Final = 4
_MOST_LANES: Final = 256
_MOVED_TO_MONGODB: Final = ("move", "mysql-to-mongodb")


@dataclass(frozen=True, slots=True)
class Limits:
    """How fast a migration may be, and how long it goes on while others change the source."""

    workers: int
    rows_per_second: float | None
    max_threads_running: int | None
    batch_rows: int
    rounds: int


class Rounds:
    """One job, taken by ``owner``, in this process."""

    def __init__(
        self,
        ends: Ends,
        config: Config,
        job: Job,
        owner: bytes,
        limits: Limits,
        halt: threading.Event,
        tell: Callable[[Progress], None] | None,
    ):
        self._ends, self._config, self._job, self._owner, self._limits = ends, config, job, owner, limits
        self._halt, self._pace = halt, Pace(halt, tell=tell)
        self._spec, self._state = Spec.of(job.spec), State.of(job.state)
        self._again = self._state.passes > 0  # somebody was at it before
        self._table = job.table
        self._began = time.monotonic()
        self._seconds = self._state.seconds

    def run(self, schema: Schema | None) -> Migrated:
        """Goes on to the end, or to where it is halted. Raises what stands in the way; the job is then "failed"."""
        try:
            status: JobStatus = "done" if self._to_the_end(schema) else "paused"
        except PlatformStoreError as error:
            name = type(error).__name__
            logger.warning("job %d, which migrates %r, has failed in its phase %s: %s", *self._place(), name)
            self._state.error = str(error)
            self._leave("failed")
            raise
        except BaseException:  # interrupted: whoever resumes finds it as it is
            self._leave("paused")
            raise
        if status == "done":
            self._state.phase = "done"
        if not self._save(status):
            self._check_paused()
            status = "paused"
        logger.info("job %d, which migrates %r, ends in its phase %s: %s", *self._place(), status)
        return self.result(status)

    def _place(self) -> tuple[int, str, str]:
        return self._job.id, self._table, self._state.phase

    def result(self, status: JobStatus) -> Migrated:
        state, spec = self._state, self._spec
        return Migrated(
            self._job.id, self._table, spec.direction, spec.mode, status, state.rows, state.bytes, state.seconds,
            state.passes, state.changed, state.settled, tuple(state.carried), tuple(state.left),
        )  # fmt: skip

    def _to_the_end(self, schema: Schema | None) -> bool:
        state = self._state
        state.error = ""
        self._keep()
        layout = self._layout(schema)
        if state.phase == "prepare":
            state.phase, state.passes = ("move" if self._spec.mode == "move" else "copy"), 1
            self._keep()
        shape = Shape.for_layout(layout)
        with ExitStack() as stack:
            crew = self._crew(stack, layout, shape)
            attendant = Attendant(
                self._ends.rows.jobs, self._job.id, self._owner, crew, self._limits.max_threads_running
            )
            stack.enter_context(attendant.at_work(self._halt))
            while state.phase in ("copy", "catch-up", "move"):
                self._round(crew, layout, shape)
                if self._halt.is_set():
                    return False
            if state.phase == "indexes":
                self._carry(layout)
        return not self._halt.is_set()

    def _layout(self, schema: Schema | None) -> Layout:
        if self._spec.direction == "mongodb-to-mysql" and schema is not None:
            return make_table(self._ends, self._table, self._state, schema)
        return self._ends.table.layout(self._table)

    # Rounds

    def _round(self, crew: Crew, layout: Layout, shape: Shape) -> None:
        state, jobs = self._state, self._ends.rows.jobs
        found = self._lanes()
        again = self._again
        if not found or found[0].round != state.passes:
            found, again = self._cut(layout, shape), False
            jobs.add_parts(self._job.id, [lane.plain() for lane in found])
        done = sum(lane.rows for lane in found)
        logger.info("job %d, which migrates %r, begins its phase %s, round %d", *self._place(), state.passes)
        self._pace.begin(state.phase, state.total or None, done)
        crew.run(found, again=again)
        self._again = False
        if self._halt.is_set():
            self._keep_time()
            return
        self._account(self._lanes())
        self._keep()

    def _account(self, found: list[Lane]) -> None:
        """What a finished round says about the next one."""
        state = self._state
        changed = sum(lane.changed for lane in found)
        if state.phase == "copy":
            state.rows, state.bytes = (sum(lane.rows for lane in found), sum(lane.bytes for lane in found))
            state.total = state.rows
            state.phase = "catch-up" if self._spec.catch_up else "indexes"
        elif state.phase == "move":
            state.rows += changed
            state.bytes += sum(lane.bytes for lane in found)
            state.settled = changed == 0
        else:
            state.changed += changed
            state.settled = changed == 0
        if state.phase != "indexes" and (state.settled or state.passes > self._limits.rounds):
            state.phase = "indexes"
        else:
            state.passes += state.phase != "indexes"

    def _lanes(self) -> list[Lane]:
        parts = self._ends.rows.jobs.parts(self._job.id)
        return [Lane.of(part.number, part.state, done=part.done) for part in parts]

    def _cut(self, layout: Layout, shape: Shape) -> list[Lane]:
        state, spec = self._state, self._spec
        borders: list[str] = []
        if state.phase != "catch-up" or (shape.ordered and self._ends.documents.in_byte_order(self._table)):
            borders = self._borders(layout, shape)
        return lanes(state.phase, state.passes, spec.start, spec.stop, borders)

    def _borders(self, layout: Layout, shape: Shape) -> list[str]:
        count = max(_LANES_PER_WORKER * self._limits.workers, self._state.total // _ROWS_PER_LANE)
        count = 1 if self._few() else min(_MOST_LANES, count)
        places = (None if place is None else from_place(place) for place in (self._spec.start, self._spec.stop))
        if self._spec.direction == "mongodb-to-mysql":
            start, stop = places
            return [
                to_place(identifier) for identifier in self._ends.collection.bounds(self._table, start, stop, count)
            ]
        first, last = (None if place is None else shape.key_of(place) for place in places)
        keys = self._ends.table.borders(layout, first, last, count)
        return [to_place(shape.identify(key)) for key in keys]

    def _few(self) -> bool:
        return self._limits.workers == 1 or self._state.few

    def _crew(self, stack: ExitStack, layout: Layout, shape: Shape) -> Crew:
        spec, limits, state = self._spec, self._limits, self._state

        def runner(throttle: Throttle, tenure: Tenure, halt: threading.Event) -> LaneRunner:
            way = route(self._ends, layout, shape, spec.direction, self._job.id, limits.batch_rows, tenure)
            return LaneRunner(way, halt, throttle, fresh=state.fresh)

        if self._few():
            throttle, tenure = Throttle(self._halt, limits.rows_per_second, self._pace.did), Tenure(now())
            return Alone(runner(throttle, tenure, self._halt), throttle, tenure, self._halt)
        assert self._config.mongodb is not None
        task: dict[str, Any] = {
            "stores": settings_of(self._config),
            "table": self._table,
            "direction": spec.direction,
            "job": self._job.id,
            "batch_rows": limits.batch_rows,
            "fresh": state.fresh,
        }
        workers = Workers(
            limits.workers,
            task,
            self._halt,
            self._pace.did,
            runner,
            current=lambda lane: self._lanes()[lane.number],
            rows_per_second=limits.rows_per_second,
            settle=self._config.mongodb.timeout if (spec.mode, spec.direction) == _MOVED_TO_MONGODB else 0.0,
        )
        stack.callback(workers.close)
        return workers

    # The end

    def _carry(self, layout: Layout) -> None:
        carried = Carried([], [])
        if self._spec.direction == "mysql-to-mongodb":
            carried = to_collection(self._ends, layout)
        elif self._state.target == "making":
            carried = to_table(self._ends, layout, self._ends.collection.describe(self._table))
        self._state.carried, self._state.left = carried

    # The job

    def _keep(self) -> None:
        if not self._save("running"):
            self._check_paused()
            self._halt.set()

    def _save(self, status: JobStatus) -> bool:
        self._keep_time()
        return self._ends.rows.jobs.save(self._job.id, self._owner, self._state.plain(), status)

    def _leave(self, status: JobStatus) -> None:
        """As well as it can be remembered, since something else is in the way already."""
        with suppress(PlatformStoreError):
            self._save(status)

    def _keep_time(self) -> None:
        self._state.seconds = self._seconds + time.monotonic() - self._began

    def _check_paused(self) -> None:
        """Raises Conflict where the job was not paused by somebody, but taken over or forgotten."""
        found = self._ends.rows.jobs.load(self._job.id)
        if found is None or found.status != "paused":
            raise Conflict(f"job {self._job.id} was taken over by another process", table=self._table)
