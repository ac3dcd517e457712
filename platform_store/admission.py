"""Whether MySQL may give revisions: never one that a document in MongoDB has had already.

A MySQL restored from a backup, rolled back, or promoted without its last transactions gives out numbers that were used
before. A row would then match a document of another version, and a newer document would lose to an older one. So
MongoDB keeps a witness: the server (and the start of it) accepted last, and a ceiling that no document's revision
exceeds. Every process compares the server of its connection before it journals, and the ceiling is raised, by blocks,
before a document above it is applied. After any restart or change of server the counter jumps above the ceiling, before
the first write.

A server that is certainly behind what MongoDB has seen has lost acknowledged writes: writes are refused until
``recover()`` has counted the damage. Reads go on: a row whose document is of another revision is Diverged by itself.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import replace

from platform_store.errors import TransientError, Unavailable
from platform_store.stores.base import JournalStore, Position, Witness
from platform_store.stores.documents import DocumentTarget

logger = logging.getLogger("platform_store")

_BLOCK = 10_000  # revisions
_ATTEMPTS = 8


class Admission:
    """The witness of one pair of stores, as this process knows it. Safe between threads: it only repeats work."""

    def __init__(self, journal: JournalStore, target: DocumentTarget):
        self._journal, self._target = journal, target
        self.server = ""  # the one that was accepted
        self._ceiling = 0

    def admit(self, server: str) -> None:
        """Returns where revisions of this server are safe. Raises Unavailable where it lost some, or nobody can say.

        MongoDB is asked once for each start of the server. Where it does not answer, MySQL's own note that this very
        start was accepted is enough to journal; before anything is applied, :meth:`cover` asks again.
        """
        if server == self.server:
            return
        try:
            self._look(server)
        except Unavailable as error:
            if error.store != "mongodb" or self._journal.position().accepted != server:
                raise
            self.server, self._ceiling = server, 0

    def cover(self, revision: int) -> None:
        """Sees to it that documents up to this revision may be applied. Raises Unavailable."""
        if revision <= self._ceiling:
            return
        self._look(self.server or self._journal.server())
        if revision > self._ceiling:
            ceiling = revision + _BLOCK
            # MySQL first: if it ever remembers less than MongoDB, it has lost this.
            self._journal.note_ceiling(ceiling)
            if not self._target.raise_ceiling(self.server, ceiling):
                self.server, self._ceiling = "", 0
                raise Unavailable("mysql", "the server was changed or restored meanwhile")
            self._ceiling = ceiling

    def lost(self) -> Witness | None:
        """What MongoDB remembers of a MySQL that has lost writes, until it is accepted again. Raises Unavailable."""
        with contextlib.suppress(Unavailable):
            self.admit(self._journal.server())  # nobody may have looked since
        witness = self._target.witness()
        return witness if witness is not None and witness.lost_after is not None else None

    def readmit(self, lost: Witness) -> None:
        """Accepts the server that was found to have lost writes, above everything that was ever given."""
        self._journal.raise_revisions(lost.ceiling)
        self._journal.note_ceiling(lost.ceiling)
        server = self._journal.server()
        self._target.testify(replace(lost, server=server, lost_after=None), instead_of=lost)
        self._journal.note_accepted(server)

    def _look(self, server: str) -> None:
        """Takes over what MongoDB remembers, once it is of this server."""
        for _ in range(_ATTEMPTS):
            witness = self._target.witness()
            if witness is not None and witness.lost_after is not None:
                raise restored(witness.lost_after)
            position = self._journal.position()
            if witness is None:
                self._target.testify(Witness(server, position.ceiling, 0), instead_of=None)
            elif _is_behind(position, witness):
                lost_after = position.next_revision - 1
                logger.error("MySQL is back at revision %d: it was restored, or lost its last writes", lost_after)
                self._target.testify(replace(witness, lost_after=lost_after), instead_of=witness)
            elif witness.server != server:
                self._journal.raise_revisions(witness.ceiling)
                if self._target.testify(replace(witness, server=server), instead_of=witness):
                    logger.info(
                        "MySQL was started anew, or is another server: revisions go on above %d", witness.ceiling
                    )
            else:
                if position.accepted != server:
                    self._journal.note_accepted(server)
                self.server, self._ceiling = server, witness.ceiling
                return
        raise TransientError("mysql", "the server keeps changing")


def restored(lost_after: int) -> Unavailable:
    """Why nothing is written, and what to do."""
    return Unavailable(
        "mysql",
        f"it was restored from an older copy, or lost its last writes: it is back at revision {lost_after}. Nothing is "
        "written until recover() has counted the rows whose documents are newer",
    )


def _is_behind(position: Position, witness: Witness) -> bool:
    """Whether MySQL has certainly forgotten something. It may have without a sign; the jump is made either way."""
    return position.ceiling < witness.ceiling or position.next_revision <= witness.confirmed
