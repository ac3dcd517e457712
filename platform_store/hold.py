"""``hold``: the journal keeps every document while a backup is taken, so that two dumps make one moment.

MongoDB is dumped first, and MySQL after it. What was written between the two is in MySQL's dump: as rows, and as the
documents that the journal still has. A document that had left the journal before the hold is in MongoDB on a majority,
and so in its dump; one that left past the journal, of a bulk write, is waited for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from platform_store.config import JournalConfig
from platform_store.errors import PlatformStoreError, TransientError
from platform_store.stores.base import JournalStore, RowStore
from platform_store.sweep import Sweeper

_LEASE = 60.0  # seconds after which the hold of a process that died is over
_PATIENCE = 60.0  # seconds that bulk writes under way are waited for
_JOIN_TIMEOUT = 5.0


class Hold:
    """One hold of the journal. Safe between threads."""

    def __init__(self, store: JournalStore, settings: JournalConfig, lease: float):
        self._store, self._settings, self._lease = store, settings, lease
        self._stopped = threading.Event()
        self._lost: PlatformStoreError | None = None
        holder = store.hold(lease)
        if holder is None:
            raise TransientError("mysql", "the journal is held by another backup, or by one that died a minute ago")
        self._holder = holder
        self._thread = threading.Thread(target=self._keep, name="platform_store-hold", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raises TransientError where the journal is not held any more: what is being taken is no backup."""
        if self._lost is not None:
            raise self._lost

    def end(self) -> bool:
        """Lets the journal go; whether it was held to the end."""
        self._stopped.set()
        self._thread.join(_JOIN_TIMEOUT)
        return self._store.let_go(self._holder) and self._lost is None

    def _keep(self) -> None:
        while self._lost is None and not self._stopped.wait(self._lease / 10):
            # MySQL may be back before the lease is over; who holds the journal then says so.
            with suppress(PlatformStoreError):
                self._lost = self._renew()

    def _renew(self) -> PlatformStoreError | None:
        """Holds on; why not, where the journal is not held any more."""
        kept, limits = self._store.keep_hold(self._holder, self._lease), self._settings
        if kept is None:
            return lost()
        if kept.entries < limits.max_entries and kept.bytes < limits.max_bytes:
            return None
        self._store.let_go(self._holder)
        return TransientError(
            "mysql",
            f"the journal keeps {kept.entries} documents ({kept.bytes} bytes) for the backup, which is its limit "
            "(journal.max_entries, journal.max_bytes), and is let go: raise them, or choose a quieter hour",
        )


class Holder:
    """Over one pair of stores."""

    def __init__(self, rows: RowStore, store: JournalStore, sweeper: Sweeper, settings: JournalConfig):
        self._rows, self._store, self._sweeper, self._settings = rows, store, sweeper, settings

    @contextmanager
    def hold(self, lease: float = _LEASE) -> Iterator[Hold]:
        """See :meth:`Platform.hold`."""
        tables = self._tables()
        hold = Hold(self._store, self._settings, lease)
        try:
            self._wait_for_bulk_writes()
            yield hold
        finally:
            held = hold.end()
        hold.check()
        if not held:
            raise lost()
        changed = sorted(name for name, _ in tables ^ self._tables())
        if changed:
            raise TransientError("mysql", f"table {changed[0]!r} was changed while the backup was taken: take it again")

    def _wait_for_bulk_writes(self) -> None:
        below = self._store.position().next_revision
        deadline = time.monotonic() + _PATIENCE
        while not self._sweeper.settle_intents(below):
            if time.monotonic() > deadline:
                raise TransientError("mysql", f"a bulk write has been under way for {_PATIENCE:.0f} s")
            time.sleep(0.05)

    def _tables(self) -> set[tuple[str, tuple[int, int, str]]]:
        """What every table is like, so that a change is noticed."""
        found = self._rows.load_catalog()
        return {(one.name, (one.table_id, one.epoch, one.state)) for one in found}


def lost() -> TransientError:
    """What was taken meanwhile is no backup."""
    return TransientError("mysql", "the journal was not held throughout: what was taken is no backup")
