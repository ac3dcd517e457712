"""The part of :class:`~platform_store.facade.Platform` for who looks after the stores. It delegates."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from platform_store.doctor import Doctor
from platform_store.hold import Hold, Holder
from platform_store.records import Finding, Recovered, Status
from platform_store.recovery import Recovery


class Operating:
    """Looking after one pair of stores. The embedded pair has no journal, and so nobody to recover or hold it."""

    _doctor: Doctor
    _recovery: Recovery | None = None
    _holder: Holder | None = None

    def recover(self, operation_id: str | None = None) -> Recovered:
        """Finishes everything that waits: brings every journal entry to MongoDB, undoes bulk writes that never ended.

        A thread of every open platform does so in the background; this does it now, and tries again what MongoDB had
        refused. It also accepts a MySQL that was restored from an older copy, and counts what is lost: see
        docs/consistency.md. Safe at any time, in any number of processes.

        Args:
            operation_id: of an :class:`OutcomeUnknown`: ``committed`` of the result says what became of it.

        Raises Unavailable where a store is.
        """
        if self._recovery is None:
            return Recovered(0, 0)
        return self._recovery.recover(operation_id)

    def hold(self) -> AbstractContextManager[Hold | None]:
        """Keeps every document in the journal meanwhile, so that two dumps taken inside make one backup::

            with platform.hold():
                ...  # dump MongoDB; then, once that has ended, dump MySQL in one snapshot

        Nobody waits for it but bulk writes, whose documents then go through the journal. ``docs/how-to/back-up.md``
        has the rest. The embedded pair is one file, and has nothing to hold (None).

        Raises TransientError where another hold is in force, and at the end where this one was not in force throughout
        or a table's definition has changed: what was dumped is no backup then. ``check()`` of the hold raises it
        earlier.
        """
        return nullcontext() if self._holder is None else self._holder.hold()

    def status(self) -> Status:
        """Which stores answer, how many tables there are, and what waits in the journal for MongoDB, and why."""
        return self._doctor.status()

    def doctor(self) -> list[Finding]:
        """Checks servers, settings, privileges and tables, and says how to mend what is wrong."""
        return self._doctor.findings()
