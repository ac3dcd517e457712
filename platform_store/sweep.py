"""What becomes of the journal's entries: confirmed on a majority and removed, applied again, set aside, or withdrawn.

Every step may be repeated, by any number of processes at once, and may be left at any point.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from platform_store.admission import Admission
from platform_store.stores.base import JournalStore, Version
from platform_store.stores.documents import DocumentTarget

logger = logging.getLogger("platform_store")

_BATCH = 1000


@dataclass
class Swept:
    """What a sweep did. ``confirmed``: entries removed; ``withdrawn``: bulk writes undone that never committed."""

    confirmed: int = 0
    withdrawn: int = 0


class Sweeper:
    """Works through the journal of one pair of stores."""

    def __init__(
        self,
        journal: JournalStore,
        target: DocumentTarget,
        admission: Admission,
        renew: Callable[[Sequence[Version]], None],
    ):
        """``renew`` journals those of these versions anew that their rows still show, MongoDB having newer ones."""
        self._journal, self._target, self._admission, self._renew = journal, target, admission, renew

    def sweep(self, *, seconds: float, thorough: bool) -> Iterator[Swept]:
        """Works through what is older than ``seconds``, and says after each batch what was done.

        ``thorough``: also tries again what MongoDB has refused, removes what dropped tables have left, ends the hold of
        a backup that died, and works through what was kept for a backup that is over. Raises Unavailable.
        """
        self._admission.admit(self._journal.server())
        yield self._intents(seconds)
        if thorough:
            self._journal.end_lapsed_hold()
            self._forget(self._journal.strays())
        for again in (False, True)[: 1 + thorough]:
            after = 0
            while due := self._journal.due(after, _BATCH, seconds=seconds, again=again):
                after = due[-1].revision
                yield Swept(confirmed=self._settle(due))

    def settle_intents(self, below: int) -> bool:
        """Whether no bulk write announced below this revision is under way; withdraws those that nobody is at work on.

        Raises Unavailable.
        """
        self._admission.admit(self._journal.server())
        self._withdraw(self._journal.open_intents(below))
        return not self._journal.open_intents(below)

    def purge(self, tables: Iterable[str], seconds: float) -> int:
        """Deletes tombstones older than ``seconds``; how many.

        Only those below every revision in the journal: an older document of the same row that still waits there would
        otherwise come back. Revisions decide, the time only says how long a tombstone stays for other readers.
        """
        oldest = self._journal.oldest()
        # None waits, so nothing below any revision does; those given from now on are newer than every tombstone here.
        below = oldest if oldest is not None else self._journal.position().next_revision
        return sum(self._target.purge(table, below, seconds) for table in tables)

    def _settle(self, due: Sequence[Version]) -> int:
        """Removes the entries that a majority has; applies the others, and removes those that it has then."""
        confirmed = self._target.confirm(due)
        waiting = [version.revision for version in due if version.revision not in confirmed]
        while entries := self._journal.load(waiting) if waiting else []:
            self._admission.cover(entries[-1].revision)
            refused = self._target.apply(entries, durable=True)
            confirmed.update(self._target.confirm([Version(*entry[:3]) for entry in entries]))
            causes = {revision: code for revision, code in refused.items() if revision not in confirmed}
            if causes:
                self._journal.set_aside(causes)
            waiting = [revision for revision in waiting if revision > entries[-1].revision]
        # A newer document is of a later write of the row. Where MySQL has lost that write, the entry is all there is.
        self._renew([version for version in due if confirmed.get(version.revision, 0) > version.revision])
        if confirmed:
            self._target.note_confirmed(max(confirmed))
        self._forget(sorted(confirmed))
        return len(confirmed)

    def _intents(self, seconds: float) -> Swept:
        swept = Swept(withdrawn=self._withdraw(self._journal.intents(done=False, seconds=seconds)))
        self._forget(self._journal.intents(done=True, seconds=seconds))
        return swept

    def _withdraw(self, revisions: Sequence[int]) -> int:
        """Undoes those of these bulk writes that nobody is at work on; how many."""
        withdrawn = 0
        for revision in revisions:

            def clear(table: str, identifiers: Sequence[object], revision: int = revision) -> None:
                self._target.clear(table, revision, identifiers)

            withdrawn += self._journal.withdraw(revision, clear)
        if withdrawn:
            logger.warning("%d bulk writes that never ended are undone: whoever began them has died", withdrawn)
        return withdrawn

    def _forget(self, revisions: Sequence[int]) -> None:
        """Removes from the journal, unless the server was rolled back meanwhile: what is in it then may be all that is
        left of a document."""
        if revisions:
            self._journal.remove(revisions, server=self._admission.server)
