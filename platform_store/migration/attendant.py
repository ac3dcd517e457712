"""A thread beside the work: keeps the job's lease, and lets the work pause while MySQL has too much to do."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from typing import Final, Protocol

from platform_store.errors import Conflict, PlatformStoreError
from platform_store.migration.routes import now
from platform_store.stores.jobs import JobStore

logger = logging.getLogger("platform_store")

LEASE: Final = 10.0  # seconds without a word after which another process may go on
_RENEW: Final = 2.0  # seconds
_LOOK: Final = 0.5  # seconds between two looks at MySQL's load


class Watched(Protocol):
    """Who is at work."""

    def hold(self, held: bool) -> None:
        """Lets no page begin, or lets them begin again."""

    def extend(self, until: float) -> None:
        """Lets pages be written until then; see :class:`Tenure`."""


class Attendant:
    """Runs until it is left. What it watches is halted where another process has the job, or nobody (it was paused)."""

    def __init__(self, jobs: JobStore, job: int, owner: bytes, watched: Watched, max_threads_running: int | None):
        self._jobs, self._job, self._owner = jobs, job, owner
        self._watched, self._most = watched, max_threads_running
        self._held = False

    @contextlib.contextmanager
    def at_work(self, halt: threading.Event) -> Iterator[None]:
        """``halt`` is set when the lease is lost."""
        if not self._renewed():
            halt.set()
        ended = threading.Event()
        thread = threading.Thread(target=self._run, args=(halt, ended), name="platform_store-migration", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _run(self, halt: threading.Event, ended: threading.Event) -> None:
        renewed = time.monotonic()
        while not ended.wait(_LOOK if self._most is not None else _RENEW):
            try:
                if time.monotonic() - renewed >= _RENEW:
                    if not self._renewed():
                        halt.set()
                        return
                    renewed = time.monotonic()
                self._look()
            except PlatformStoreError as error:
                logger.info("a migration's lease is renewed later: %s", error)
                if time.monotonic() - renewed > LEASE:
                    halt.set()
                    return

    def _renewed(self) -> bool:
        """Not by taking what was taken away: a job that was paused stays so."""
        until = now() + LEASE
        found = self._jobs.load(self._job)
        if found is None or found.status != "running" or not self._jobs.take(self._job, self._owner, LEASE):
            return False
        self._watched.extend(until)
        return True

    def _look(self) -> None:
        if self._most is None:
            return
        held = self._jobs.busy() > self._most
        if held != self._held:
            logger.info("the migration %s", "waits: MySQL has too much to do" if held else "goes on")
            self._held = held
            self._watched.hold(held)


def take(jobs: JobStore, job: int, owner: bytes, halt: threading.Event, table: str) -> None:
    """Becomes the owner of a job; waits for as long as one that was killed may seem to be at work. Raises Conflict."""
    deadline = time.monotonic() + LEASE + _RENEW
    heard = None
    while not jobs.take(job, owner, LEASE):
        found = jobs.load(job)
        since = None if found is None else found.seconds_since
        alive = heard is not None and since is not None and since < heard
        heard = since
        if alive or halt.wait(_LOOK) or time.monotonic() > deadline:
            raise Conflict(
                f"another process is at work on job {job}: let it end, or stop it with pause_job()", table=table
            )
