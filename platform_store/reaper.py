"""The thread that looks after the journal: one for each platform, at work in one process of all at a time.

Which process is at work is decided by a lease in MySQL; a lease that runs out too early only makes two do the same.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time

from platform_store.catalog import Catalog
from platform_store.config import JournalConfig
from platform_store.errors import PlatformStoreError
from platform_store.journal import Journal
from platform_store.stores.base import Backlog, JournalStore, StaleAssociation
from platform_store.stores.documents import DocumentStore
from platform_store.sweep import Sweeper

logger = logging.getLogger("platform_store")

_TIDY_INTERVAL = 60.0  # seconds
_LATE = 60.0  # seconds beyond the retention after which the oldest document should have left the journal
_JOIN_TIMEOUT = 5.0  # seconds that close() waits for the operation under way


class Reaper:
    """Sweeps in rounds until it is stopped. Its methods may be called from any thread and any process."""

    def __init__(
        self,
        journal: Journal,
        store: JournalStore,
        documents: DocumentStore,
        sweeper: Sweeper,
        catalog: Catalog,
        settings: JournalConfig,
    ):
        self._journal, self._store, self._documents = journal, store, documents
        self._sweeper, self._catalog, self._settings = sweeper, catalog, settings
        self._starting = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._process = 0  # the one whose thread it is: threads do not survive a fork
        self._closed = False
        self._at_work = False  # this process, and no other

    def ensure(self) -> None:
        """Starts the thread where this process has none. Cheap: it is called after every write."""
        if self._process == os.getpid() or self._closed or not self._settings.reaper:
            return
        if not self._starting.acquire(blocking=False):
            return  # another thread is at it
        try:
            if self._process == os.getpid():
                return  # another thread has just done it
            self._stopped = threading.Event()
            self._thread = threading.Thread(
                target=self._run, args=(self._stopped,), name="platform_store-reaper", daemon=True
            )
            self._thread.start()
            self._process = os.getpid()
        finally:
            self._starting.release()

    def close(self) -> None:
        """Stops the thread and waits for it."""
        self._closed = True
        thread, self._thread = self._thread, None
        if thread is not None and self._process == os.getpid():
            self._stopped.set()
            thread.join(_JOIN_TIMEOUT)

    def _run(self, stopped: threading.Event) -> None:
        owner = os.urandom(16)
        look_again = 0.0
        tidied = time.monotonic()
        condition, failing = Condition(self._settings), False
        while not stopped.wait(self._settings.interval):
            try:
                if time.monotonic() > look_again:
                    began = time.monotonic()
                    self._journal.backlog = self._store.backlog()
                    condition.see(self._journal.backlog)
                    # Counting takes its time where much is waiting: never more than a small part of it.
                    look_again = time.monotonic() + 20 * (time.monotonic() - began)
                if self._journal.missing:
                    self._documents.check_available()
                    self._journal.found_mongodb()
                tidy = time.monotonic() - tidied > _TIDY_INTERVAL
                if self._sweep(owner, stopped, tidy) and tidy:
                    tidied = time.monotonic()
            except (PlatformStoreError, StaleAssociation) as error:  # stale: the database is being dropped
                if not failing:
                    logger.warning("the journal is looked after later: %s", error)
                failing = True
            else:
                if failing:
                    logger.warning("the journal is looked after again")
                failing = False
        with contextlib.suppress(PlatformStoreError, StaleAssociation):
            self._store.release(owner)

    def _sweep(self, owner: bytes, stopped: threading.Event, tidy: bool) -> bool:
        """One round, unless another process is at it. ``tidy``: with what was set aside, and with tombstones."""
        settings = self._settings
        leased = self._store.lease(owner, settings.lease)
        if leased and not self._at_work:
            logger.info("this process looks after the journal from now on")
        self._at_work = leased
        if not leased:
            return False
        for _ in self._sweeper.sweep(seconds=settings.retention, thorough=tidy):
            if stopped.is_set() or not self._store.lease(owner, settings.lease):
                return False
        if tidy:
            tables = [table.name for table in self._catalog.all() if table.state == "live" and table.has_documents]
            self._sweeper.purge(tables, settings.tombstones)
        return True


class Condition:
    """What the log says of the journal: each thing once where it begins, and once where it is over."""

    def __init__(self, settings: JournalConfig):
        self._settings = settings
        self._full = self._late = False
        self._refused: frozenset[int] = frozenset()

    def see(self, backlog: Backlog) -> None:
        """Compares with what was seen last."""
        self._see_full(backlog)
        self._see_late(backlog)
        self._see_refused(backlog)

    def _see_full(self, backlog: Backlog) -> None:
        full = backlog.entries >= self._settings.max_entries or backlog.bytes >= self._settings.max_bytes
        if full and not self._full:
            logger.error(
                "the journal is full: %d documents (%d bytes) wait in it, and writes fail",
                backlog.entries,
                backlog.bytes,
            )
        elif self._full and not full:
            logger.warning("the journal has room again: writes are taken")
        self._full = full

    def _see_late(self, backlog: Backlog) -> None:
        oldest = backlog.late_seconds or 0.0
        late = oldest > self._settings.retention + _LATE
        if late and not self._late:
            waiting = backlog.entries - sum(backlog.set_aside.values())
            logger.warning("%d documents wait in the journal, the oldest for %.0f s", waiting, oldest)
        elif self._late and not late:
            logger.warning("no document waits in the journal for long any more")
        self._late = late

    def _see_refused(self, backlog: Backlog) -> None:
        refused = frozenset(backlog.set_aside)
        for code in sorted(refused - self._refused):
            logger.error(
                "MongoDB refuses %d documents (code %s): they are set aside, and served to readers",
                backlog.set_aside[code],
                code,
            )
        if self._refused and not refused:
            logger.warning("MongoDB refuses no document any more")
        self._refused = refused
