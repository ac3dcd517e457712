"""What is remembered of long operations, in MySQL and MariaDB. Times are the server's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from platform_store.records import JobStatus
from platform_store.stores.base import DuplicateKey
from platform_store.stores.jobs import UNFINISHED, Job, Part, as_text, from_text, no_such_part, under_way
from platform_store.stores.mysql import MysqlConnections
from platform_store.stores.mysql_sql import JOB, JOB_PART, UPDATE_PART

_SINCE = "TIMESTAMPDIFF(MICROSECOND, heard, CURRENT_TIMESTAMP(3)) / 1e6"
_JOBS = f"SELECT id, kind, name, spec, state, status, {_SINCE} FROM {JOB}"
_TAKE = (
    f"UPDATE {JOB} SET owner = %s, lease = CURRENT_TIMESTAMP(3) + INTERVAL %s SECOND, heard = CURRENT_TIMESTAMP(3) "
    "WHERE id = %s AND unfinished IS NOT NULL "
    "AND (owner IS NULL OR owner = %s OR lease IS NULL OR lease < CURRENT_TIMESTAMP(3))"
)
_SAVE = f"UPDATE {JOB} SET state = %s, status = %s, heard = CURRENT_TIMESTAMP(3){{}} WHERE id = %s AND owner = %s"

_PAUSE = f"UPDATE {JOB} SET status = 'paused', owner = NULL, lease = NULL WHERE id = %s AND unfinished IS NOT NULL"


class MysqlJobs:
    """See :class:`platform_store.stores.jobs.JobStore`."""

    def __init__(self, connections: MysqlConnections):
        self._connections = connections

    def add(self, kind: str, table: str, spec: Mapping[str, Any], state: Mapping[str, Any]) -> Job:
        row = (kind, table, table, as_text(spec), as_text(state))
        with self._connections.lease() as session:
            try:
                (job,) = session.insert_rows(
                    f"INSERT INTO {JOB} (kind, name, status, unfinished, spec, state) VALUES ",
                    [("(%s, %s, 'running', %s, %s, %s)", row)],
                )
            except DuplicateKey:
                raise under_way(kind, table) from None
        return Job(job, kind, table, dict(spec), dict(state), "running", 0.0)

    def load(self, job: int) -> Job | None:
        return next(iter(self._found(f"{_JOBS} WHERE id = %s", [job])), None)

    def all(self) -> list[Job]:
        return self._found(f"{_JOBS} ORDER BY id DESC", [])

    def find(self, kind: str, table: str) -> Job | None:
        return next(iter(self._found(f"{_JOBS} WHERE kind = %s AND unfinished = %s", [kind, table])), None)

    def _found(self, statement: str, parameters: Sequence[object]) -> list[Job]:
        with self._connections.lease() as session:
            rows = session.rows(statement, parameters)
        return [
            Job(job, kind, name, from_text(spec), from_text(state), status, max(0.0, float(since)))
            for job, kind, name, spec, state, status, since in rows
        ]

    def take(self, job: int, owner: bytes, seconds: float) -> bool:
        with self._connections.lease() as session:
            return session.execute(_TAKE, [owner, seconds, job, owner]) == 1

    def save(self, job: int, owner: bytes, state: Mapping[str, Any], status: JobStatus) -> bool:
        ended = "" if status == "running" else ", owner = NULL, lease = NULL"
        if status not in UNFINISHED:
            ended += ", unfinished = NULL"
        with self._connections.lease() as session:
            return session.execute(_SAVE.format(ended), [as_text(state), status, job, owner]) == 1

    def pause(self, job: int) -> bool:
        with self._connections.lease() as session:
            return session.execute(_PAUSE, [job]) == 1

    def add_parts(self, job: int, parts: Sequence[Mapping[str, Any]]) -> None:
        rows = [("(%s, %s, %s)", (job, number, as_text(state))) for number, state in enumerate(parts)]
        with self._connections.lease() as session:
            session.begin()
            session.execute(f"DELETE FROM {JOB_PART} WHERE job = %s", [job])
            session.insert_rows(f"INSERT INTO {JOB_PART} (job, number, state) VALUES ", rows)
            session.commit(JOB_PART, "")

    def parts(self, job: int) -> list[Part]:
        with self._connections.lease() as session:
            rows = session.rows(f"SELECT number, state, done FROM {JOB_PART} WHERE job = %s ORDER BY number", [job])
        return [Part(number, from_text(state), bool(done)) for number, state, done in rows]

    def save_part(self, job: int, number: int, state: Mapping[str, Any], *, done: bool) -> None:
        with self._connections.lease() as session:
            if session.execute(UPDATE_PART, [as_text(state), done, job, number]) != 1:
                raise no_such_part(job, number)

    def remove(self, job: int) -> None:
        with self._connections.lease() as session:
            session.begin()
            session.execute(f"DELETE FROM {JOB_PART} WHERE job = %s", [job])
            session.execute(f"DELETE FROM {JOB} WHERE id = %s", [job])
            session.commit(JOB, "")

    def busy(self) -> int:
        with self._connections.lease() as session:
            ((_, running),) = session.rows("SHOW GLOBAL STATUS LIKE 'Threads_running'")
        return int(running)
