"""The journal: documents committed with their rows, and on their way to MongoDB.

A write records the full document (or the deletion) in the row's own transaction and stamps the row with the entry's
number: its revision. From the commit on the write is whole: a reader that finds the entry pending is served from it.
Applying it to MongoDB afterwards is guarded by the revision, may happen twice or late, and never raises to the writer.

The embedded pair commits documents together with their rows, so there is never anything to apply.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace

from platform_store.association import Association, KeyValues
from platform_store.errors import PlatformStoreError, ValueRejected
from platform_store.records import Recovered
from platform_store.stores.base import DocumentStore, Entry, RowStore, RowTransaction, StaleAssociation

logger = logging.getLogger("platform_store")

_BATCH = 1000


class Journal:
    """Records, applies and settles entries. Safe between threads and processes."""

    def __init__(self, rows: RowStore, documents: DocumentStore, *, require_documents: bool = False):
        """``require_documents``: a write fails, before its commit, where MongoDB would not take its document now."""
        self._rows, self._documents, self._require_documents = rows, documents, require_documents
        self._waiting: list[Entry] = []  # applied, without their images, and not yet known to be on a majority
        self._lock = threading.Lock()

    def record(
        self,
        transaction: RowTransaction,
        association: Association,
        images: Sequence[tuple[KeyValues, bytes | None]],
    ) -> list[Entry]:
        """Journals full documents (None: deleted) of rows locked by ``transaction``, and stamps the rows that stay.

        Raises ValueRejected where a document is too large for the journal.
        """
        if not images:
            return []
        for key, image in images:
            if image is not None and len(image) > self._rows.max_image_bytes:
                raise ValueRejected(
                    f"its document has {len(image)} bytes, the server's max_allowed_packet leaves room for "
                    f"{self._rows.max_image_bytes}: raise max_allowed_packet",
                    table=association.name,
                    key=association.public_key(key),
                )
        entries = transaction.record(association, images)
        stamps = [
            (key, entry.revision) for (key, image), entry in zip(images, entries, strict=True) if image is not None
        ]
        transaction.stamp(association, stamps)
        return entries

    def commit(self, transaction: RowTransaction, entries: Sequence[Entry]) -> None:
        """Commits the rows together with their journal entries."""
        if entries and self._require_documents:
            self._documents.check_available()
        transaction.commit()

    def apply(self, entries: Sequence[Entry]) -> None:
        """Brings committed entries to MongoDB. Never raises: what fails stays pending and is served to readers."""
        if self._rows.durable_documents:
            return
        for first in range(0, len(entries), _BATCH):
            batch = entries[first : first + _BATCH]
            with self._lock:
                waiting, self._waiting = self._waiting, []
            try:
                waiting = self._confirm(batch, waiting)
            except (PlatformStoreError, StaleAssociation) as error:
                logger.warning("%d journal entries are kept for later: %s", len(entries) - first, error)
                return  # recover() finds them all in the journal
            with self._lock:
                self._waiting += waiting[-_BATCH:]

    def recover(self) -> Recovered:
        """Applies every pending entry. Raises Unavailable where MongoDB is.

        Safe to run at any time and in several processes at once: it only repeats work.
        """
        before, last = self._rows.count_pending(), 0
        while entries := self._rows.pending(_BATCH, last):
            last = entries[-1].revision
            self._confirm(entries, [])
        remaining = self._rows.count_pending()
        return Recovered(max(0, before - remaining), remaining)

    def _confirm(self, entries: Sequence[Entry], waiting: Sequence[Entry]) -> list[Entry]:
        """Applies ``entries``, removes from the journal what a majority holds, and returns what it may hold soon.

        ``waiting``: entries applied earlier. None of those returned keeps its document in memory.
        """
        applied = self._documents.apply(entries)
        confirmed = {*applied.confirmed, *self._documents.confirm(waiting)}
        self._rows.settle(sorted(confirmed))
        for code in sorted(set(applied.refused.values())):
            count = sum(refused == code for refused in applied.refused.values())
            logger.error("MongoDB refuses %d documents, code %s: they stay in the journal, and are served", count, code)
        return [
            replace(entry, image=None)
            for entry in (*waiting, *entries)
            if entry.revision not in confirmed and entry.revision not in applied.refused
        ]
