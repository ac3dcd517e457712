"""``recover``: everything that waits, finished now; and what is left of it after MySQL has lost writes."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from functools import partial

from platform_store.admission import Admission
from platform_store.association import Association, KeyValues
from platform_store.catalog import Catalog
from platform_store.errors import SchemaError
from platform_store.journal import Journal
from platform_store.records import Recovered
from platform_store.selection import select
from platform_store.stores.base import JournalStore, RowStore, Version, Witness
from platform_store.stores.documents import DocumentTarget
from platform_store.sweep import Sweeper

logger = logging.getLogger("platform_store")

_PASSES = 5
_BATCH = 100


class Renewal:
    """Journals anew, under their rows' locks, documents that MongoDB has newer versions of, which MySQL has lost.

    Beside those an entry of the journal looks confirmed, while it is all that is left of its row's document.
    """

    def __init__(self, rows: RowStore, store: JournalStore, catalog: Catalog, journal: Journal):
        self._rows, self._store, self._catalog, self._journal = rows, store, catalog, journal

    def renew(self, superseded: Sequence[Version]) -> None:
        """Those of these versions that their rows still show. Mostly none: rows have newer versions, too."""
        for table, versions in _by_table(superseded):
            with contextlib.suppress(SchemaError):  # it is being dropped
                self._catalog.run(table, partial(self._renew, versions=versions))

    def _renew(self, association: Association, versions: Sequence[Version]) -> None:
        revisions = {association.decode_id(version.identifier): version.revision for version in versions}
        found = self._rows.fetch_many(select(association, association.key_names), list(revisions))
        keys = [row.key for row in found if row is not None and revisions.get(row.key) == row.revision]
        if keys:
            logger.error(
                "MySQL has lost writes of %d rows of table %r: they are as before", len(keys), association.name
            )
            self._journalise(association, keys, admitted=False)

    def reissue(self, lost: Witness) -> None:
        """Everything that a restored journal still holds, above every revision that was ever given."""
        self._store.raise_revisions(lost.ceiling)
        for table, versions in _by_table(list(self._pending(lost.ceiling))):
            association = self._catalog.get(table)
            keys = list(dict.fromkeys(association.decode_id(version.identifier) for version in versions))
            for first in range(0, len(keys), _BATCH):
                self._journalise(association, keys[first : first + _BATCH], admitted=True)

    def _journalise(self, association: Association, keys: Sequence[KeyValues], *, admitted: bool) -> None:
        with self._rows.transaction() as transaction:
            transaction.fence(association)
            locked = transaction.lock(association, keys)
            images = [(key, locked[key].pending if key in locked else None) for key in keys]
            kept = [(key, image) for key, image in images if image is not None or key not in locked]
            self._journal.record(transaction, association, kept, admitted=admitted)
            transaction.commit()

    def _pending(self, up_to: int) -> Iterator[Version]:
        for again in (False, True):
            after = 0
            while due := self._store.due(after, _BATCH, seconds=0, again=again):
                yield from (version for version in due if version.revision <= up_to)
                after = due[-1].revision


def _by_table(versions: Sequence[Version]) -> list[tuple[str, list[Version]]]:
    tables = dict.fromkeys(version.table for version in versions)
    return [(table, [version for version in versions if version.table == table]) for table in tables]


class Recovery:
    """Over one pair of stores."""

    def __init__(
        self,
        store: JournalStore,
        target: DocumentTarget,
        catalog: Catalog,
        journal: Journal,
        admission: Admission,
        sweeper: Sweeper,
        renewal: Renewal,
    ):
        self._store, self._target, self._catalog, self._journal = store, target, catalog, journal
        self._admission, self._renewal = admission, renewal
        self.sweeper = sweeper

    def recover(self, operation_id: str | None = None) -> Recovered:
        """See :meth:`Platform.recover`."""
        committed = None if operation_id is None else self._store.outcome(operation_id)
        lost = self._admission.lost()
        if lost is not None:
            self._store.end_lapsed_hold()  # what was kept for a backup is of the journal as well
            self._renewal.reissue(lost)
            self._admission.readmit(lost)
            logger.warning("the restored MySQL is accepted: revisions go on above %d", lost.ceiling)
        confirmed = withdrawn = 0
        for _ in range(_PASSES):
            before = confirmed
            for swept in self.sweeper.sweep(seconds=0, thorough=True):
                confirmed += swept.confirmed
                withdrawn += swept.withdrawn
            backlog = self._store.backlog()
            if confirmed == before or backlog.entries == sum(backlog.set_aside.values()):
                break
        self._journal.found_mongodb()
        logger.info(
            "recovered: %d documents left the journal, %d are still in it, %d bulk writes were undone",
            confirmed,
            backlog.entries,
            withdrawn,
        )
        return Recovered(
            confirmed=confirmed,
            remaining=backlog.entries,
            set_aside=dict(backlog.set_aside),
            withdrawn=withdrawn,
            committed=committed,
            diverged={} if lost is None else self._diverged(lost),
            kept=backlog.kept,
        )

    def _diverged(self, lost: Witness) -> dict[str, int]:
        """How many documents of each table are of writes that MySQL has lost."""
        assert lost.lost_after is not None
        found = {}
        for association in self._catalog.all():
            if association.state == "live" and association.has_documents:
                count = self._target.count_between(association.name, lost.lost_after, lost.ceiling)
                if count:
                    found[association.name] = count
                    logger.error("%d documents of table %r are of writes that MySQL has lost", count, association.name)
        return found
