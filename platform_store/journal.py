"""The journal: documents committed with their rows, and on their way to MongoDB.

A write records the full document (or the deletion) in the row's own transaction and stamps the row with the entry's
number: its revision. From the commit on the write is whole: a reader that finds the entry pending is served from it.
The writer applies it to MongoDB at once, guarded by the revision, as fast as one member takes it, and never raises for
that; the entry stays until :mod:`platform_store.sweep` has seen the document on a majority.

The embedded pair commits documents together with their rows, so there is never anything to apply.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from platform_store.admission import Admission
from platform_store.association import Association, KeyValues
from platform_store.config import JournalConfig
from platform_store.errors import OutcomeUnknown, PlatformStoreError, Unavailable, ValueRejected
from platform_store.stores.base import Backlog, Entry, RowStore, RowTransaction
from platform_store.stores.documents import DocumentStore

logger = logging.getLogger("platform_store")

_BATCH = 1000
_LONGEST_PATIENCE = 30.0  # seconds
_OUTCOME_INTERVAL = 0.2  # seconds between two questions for the outcome of a commit


class Journal:
    """Records and applies entries. Safe between threads and processes."""

    def __init__(
        self,
        rows: RowStore,
        documents: DocumentStore,
        settings: JournalConfig,
        *,
        require_documents: bool = False,
        outcome_timeout: float = 0.0,
    ):
        """
        Args:
            require_documents: a write fails, before its commit, where MongoDB would not take its document now.
            outcome_timeout: seconds to look for the outcome of a commit whose answer was lost.
        """
        self._rows, self._documents, self._settings = rows, documents, settings
        self._require_documents, self._outcome_timeout = require_documents, outcome_timeout
        self._closing = threading.Event()
        self.admission = (
            None if rows.journal is None or documents.target is None else Admission(rows.journal, documents.target)
        )
        self.backlog: Backlog | None = None  # as the reaper saw it last
        self.attend: Callable[[], None] = _nobody  # sees to it that somebody sweeps
        self._away_until = 0.0
        self._patience = 0.0  # seconds that MongoDB is left alone after the next failure

    def record(
        self,
        transaction: RowTransaction,
        association: Association,
        images: Sequence[tuple[KeyValues, bytes | None]],
        *,
        fresh: bool = False,
        admitted: bool = False,
        meanwhile: Callable[[], None] | None = None,
    ) -> list[Entry]:
        """Journals full documents (None: deleted) of rows locked by ``transaction``, and stamps the rows that stay.

        ``fresh``: the rows are new. ``admitted``: the caller knows that MySQL's revisions are safe. ``meanwhile`` may
        be called while MySQL is at work.

        Raises ValueRejected where a document is too large for the journal or a validator refuses it, Unavailable where
        the journal is full or MySQL was restored from an older copy.
        """
        if not images:
            return []
        if not admitted:
            self._check_admitted(transaction)
            self._check_room()
        for key, image in images:
            if image is not None and len(image) > self._rows.max_image_bytes:
                raise ValueRejected(
                    f"its document has {len(image)} bytes, the server's max_allowed_packet leaves room for "
                    f"{self._rows.max_image_bytes}: raise max_allowed_packet",
                    table=association.name,
                    key=association.public_key(key),
                )
        self.attend()
        entries = transaction.record(association, images, fresh=fresh, meanwhile=meanwhile)
        if not admitted:
            self._check_accepted(association, images, entries)
        return entries

    def place(
        self,
        transaction: RowTransaction,
        association: Association,
        images: Sequence[tuple[KeyValues, bytes]],
    ) -> bool:
        """Brings documents of rows just inserted to MongoDB before the commit, without a copy in the journal.

        An intent, committed on another connection, says first which documents of which revision are coming: should
        this transaction end otherwise than by its commit, they are deleted again. False, and nothing done, where that
        is not possible now: then they are to be recorded. Raises ValueRejected where MongoDB refuses a document.
        """
        target, admission = self._documents.target, self.admission
        if target is None or admission is None or self.away:
            return False
        self._check_admitted(transaction)
        self.attend()
        keys = [key for key, _ in images]
        revision = transaction.announce(association, keys)
        if revision is None:
            return False
        entries = [
            Entry(revision, association.name, association.encode_id(key), image, fresh=True) for key, image in images
        ]
        try:
            with transaction.savepoint():
                if not transaction.claim(association, keys, revision):
                    return False
                admission.cover(revision)
                target.place(association, entries)
        except Unavailable as error:
            if error.store != self._documents.name:
                raise
            self._lost_mongodb(error)
            return False
        return True

    def commit(self, transaction: RowTransaction, entries: Sequence[Entry]) -> None:
        """Commits the rows together with their journal entries. Raises OutcomeUnknown where nobody can tell."""
        if entries and self._require_documents:
            self._check_documents()
        try:
            transaction.commit()
        except OutcomeUnknown as unknown:
            if not self._outcome(unknown):
                raise Unavailable(
                    self._rows.name, "the connection was lost during COMMIT; nothing was written"
                ) from None

    def apply(self, entries: Sequence[Entry]) -> None:
        """Brings committed entries to MongoDB. Never raises: what fails stays pending and is served to readers."""
        target, admission, journal = self._documents.target, self.admission, self._rows.journal
        if target is None or admission is None or journal is None or self.away:
            return
        for first in range(0, len(entries), _BATCH):
            batch = entries[first : first + _BATCH]
            try:
                admission.cover(max(entry.revision for entry in batch))
                refused = target.apply(batch)
                if self.missing:
                    self.found_mongodb()
                if refused:
                    journal.set_aside(refused)
            except Unavailable as error:
                self._lost_mongodb(error)
                return
            except PlatformStoreError as error:
                logger.warning("%d journal entries are kept for later: %s", len(entries) - first, error)
                return

    def close(self) -> None:
        """Ends every wait."""
        self._closing.set()

    def _check_admitted(self, transaction: RowTransaction) -> None:
        if self.admission is not None:
            self.admission.admit(transaction.server)

    def _check_room(self) -> None:
        backlog, limits = self.backlog, self._settings
        if backlog is not None and (backlog.entries >= limits.max_entries or backlog.bytes >= limits.max_bytes):
            raise Unavailable(
                self._documents.name,
                f"{backlog.entries} documents ({backlog.bytes} bytes) wait in the journal, which is its limit "
                "(journal.max_entries, journal.max_bytes); nothing was written",
            )

    def _check_accepted(
        self,
        association: Association,
        images: Sequence[tuple[KeyValues, bytes | None]],
        entries: Sequence[Entry],
    ) -> None:
        """Raises ValueRejected where a validator of the collection would refuse a document, as far as it is known."""
        target = self._documents.target
        if target is None or self.away:
            return
        try:
            refused = target.refused(entries)
        except Unavailable as error:
            self._lost_mongodb(error)
            return
        for (key, _), entry in zip(images, entries, strict=True):
            if entry.revision in refused:
                raise ValueRejected(
                    "the validator of its MongoDB collection refuses its document: change the row, or the validator",
                    table=association.name,
                    key=association.public_key(key),
                )

    def _check_documents(self) -> None:
        if self.away:
            raise Unavailable(self._documents.name, "it does not answer; nothing was written")
        try:
            self._documents.check_available()
        except Unavailable as error:
            self._lost_mongodb(error)
            raise

    @property
    def away(self) -> bool:
        """Whether MongoDB did not answer lately: then nobody waits for it."""
        return time.monotonic() < self._away_until

    @property
    def missing(self) -> bool:
        """Whether MongoDB did not answer when it was asked last, however long ago."""
        return self._patience > 0

    def found_mongodb(self) -> None:
        """It answers (again)."""
        if self.missing:
            logger.warning("MongoDB answers again")
        self._away_until = self._patience = 0.0

    def _lost_mongodb(self, error: Unavailable) -> None:
        """Leaves MongoDB alone for a while, each time for longer, or until the reaper finds that it answers."""
        if error.store != self._documents.name:
            logger.warning("documents are kept in the journal: %s", error)
        else:
            if not self.missing:
                logger.warning("MongoDB does not answer; documents are kept in the journal: %s", error)
            self._patience = min(_LONGEST_PATIENCE, 2 * self._patience or 1.0)
            self._away_until = time.monotonic() + self._patience

    def _outcome(self, unknown: OutcomeUnknown) -> bool:
        """Whether a commit whose answer was lost has happened. Raises OutcomeUnknown where that cannot be found out."""
        journal = self._rows.journal
        deadline = time.monotonic() + self._outcome_timeout
        while journal is not None:
            try:
                outcome = journal.outcome(unknown.operation_id)
            except PlatformStoreError as error:  # the server may be starting anew
                logger.info("the outcome of a commit is not known yet: %s", error)
                if time.monotonic() > deadline or self._closing.wait(_OUTCOME_INTERVAL):
                    break
                continue
            if outcome is not None:
                return outcome
            break
        raise unknown


def _nobody() -> None:
    """Where no reaper was asked for."""
