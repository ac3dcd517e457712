"""What is remembered of long operations, in the file of the embedded pair. Times are the machine's."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from platform_store.records import JobStatus
from platform_store.stores.base import DuplicateKey
from platform_store.stores.embedded_engine import EmbeddedConnections
from platform_store.stores.embedded_tables import JOB, JOB_PART
from platform_store.stores.jobs import UNFINISHED, Job, Part, as_text, from_text, no_such_part, under_way

_COLUMNS = [JOB.c[name] for name in ("id", "kind", "name", "spec", "state", "status", "heard")]


class EmbeddedJobs:
    """See :class:`platform_store.stores.jobs.JobStore`."""

    def __init__(self, connections: EmbeddedConnections):
        self._connections = connections

    def add(self, kind: str, table: str, spec: Mapping[str, Any], state: Mapping[str, Any]) -> Job:
        row = {"kind": kind, "name": table, "unfinished": table, "status": "running", "heard": time.time()}
        with self._connections.session(write=True) as session:
            try:
                session.execute(sa.insert(JOB).values(**row, spec=as_text(spec), state=as_text(state)))
            except DuplicateKey:
                raise under_way(kind, table) from None
            ((job,),) = session.rows(sa.select(sa.func.max(JOB.c.id)))
            session.commit(JOB.name)
        return Job(job, kind, table, dict(spec), dict(state), "running", 0.0)

    def load(self, job: int) -> Job | None:
        return next(iter(self._found(sa.select(*_COLUMNS).where(JOB.c.id == job))), None)

    def all(self) -> list[Job]:
        return self._found(sa.select(*_COLUMNS).order_by(JOB.c.id.desc()))

    def find(self, kind: str, table: str) -> Job | None:
        statement = sa.select(*_COLUMNS).where(JOB.c.kind == kind, JOB.c.unfinished == table)
        return next(iter(self._found(statement)), None)

    def _found(self, statement: sa.Select[Any]) -> list[Job]:
        with self._connections.session() as session:
            rows = session.rows(statement)
        now = time.time()
        return [
            Job(job, kind, name, from_text(spec), from_text(state), status, max(0.0, now - heard))
            for job, kind, name, spec, state, status, heard in rows
        ]

    def take(self, job: int, owner: bytes, seconds: float) -> bool:
        now = time.time()
        free = sa.or_(JOB.c.owner.is_(None), JOB.c.owner == owner, JOB.c.lease.is_(None), JOB.c.lease < now)
        statement = (
            sa.update(JOB)
            .where(JOB.c.id == job, JOB.c.unfinished.is_not(None), free)
            .values(owner=owner, lease=now + seconds, heard=now)
        )
        return self._changed(statement) == 1

    def save(self, job: int, owner: bytes, state: Mapping[str, Any], status: JobStatus) -> bool:
        values: dict[str, object] = {"state": as_text(state), "status": status, "heard": time.time()}
        if status != "running":
            values |= {"owner": None, "lease": None}
        if status not in UNFINISHED:
            values["unfinished"] = None
        return self._changed(sa.update(JOB).where(JOB.c.id == job, JOB.c.owner == owner).values(values)) == 1

    def pause(self, job: int) -> bool:
        unfinished = sa.update(JOB).where(JOB.c.id == job, JOB.c.unfinished.is_not(None))
        return self._changed(unfinished.values(status="paused", owner=None, lease=None)) == 1

    def add_parts(self, job: int, parts: Sequence[Mapping[str, Any]]) -> None:
        rows = [
            {"job": job, "number": number, "done": 0, "state": as_text(state)} for number, state in enumerate(parts)
        ]
        with self._connections.session(write=True) as session:
            session.execute(sa.delete(JOB_PART).where(JOB_PART.c.job == job))
            if rows:
                session.execute(sa.insert(JOB_PART), rows)
            session.commit(JOB_PART.name)

    def parts(self, job: int) -> list[Part]:
        columns = (JOB_PART.c.number, JOB_PART.c.state, JOB_PART.c.done)
        with self._connections.session() as session:
            rows = session.rows(sa.select(*columns).where(JOB_PART.c.job == job).order_by(JOB_PART.c.number))
        return [Part(number, from_text(state), bool(done)) for number, state, done in rows]

    def save_part(self, job: int, number: int, state: Mapping[str, Any], *, done: bool) -> None:
        part = sa.update(JOB_PART).where(JOB_PART.c.job == job, JOB_PART.c.number == number)
        if self._changed(part.values(state=as_text(state), done=int(done))) != 1:
            raise no_such_part(job, number)

    def remove(self, job: int) -> None:
        with self._connections.session(write=True) as session:
            session.execute(sa.delete(JOB_PART).where(JOB_PART.c.job == job))
            session.execute(sa.delete(JOB).where(JOB.c.id == job))
            session.commit(JOB.name)

    def busy(self) -> int:
        return 1

    def _changed(self, statement: sa.Update) -> int:
        with self._connections.session(write=True) as session:
            matched = session.execute(statement)
            session.commit(JOB.name)
        return matched
