"""``doctor`` and ``status``: what an operator asks first."""

from __future__ import annotations

from platform_store.association import Association
from platform_store.catalog import Catalog
from platform_store.errors import PlatformStoreError, Unavailable
from platform_store.records import Finding, Status
from platform_store.stores.base import Backlog, RowStore
from platform_store.stores.documents import DocumentStore
from platform_store.stores.jobs import UNFINISHED, Job

_NOTHING = Backlog(0, 0, None, {})
_TOO_OLD = 120.0  # seconds


class Doctor:
    """Checks over one pair of stores."""

    def __init__(self, rows: RowStore, documents: DocumentStore, catalog: Catalog):
        self._rows, self._documents, self._catalog = rows, documents, catalog

    def status(self) -> Status:
        """Never raises Unavailable: what cannot be reached is reported so."""
        mysql = mongodb = True
        tables, waiting, lost = 0, _NOTHING, None
        try:
            tables = sum(association.state == "live" for association in self._catalog.all())
            waiting = self._backlog()
        except Unavailable:
            mysql = False
        try:
            self._documents.check_available()
            lost = self._lost_after()
        except Unavailable:
            mongodb = False
        return Status(
            backend=" + ".join(dict.fromkeys((self._rows.name, self._documents.name))),
            tables=tables,
            pending_entries=waiting.entries,
            mysql=mysql,
            mongodb=mongodb,
            pending_bytes=waiting.bytes,
            oldest_pending_seconds=waiting.oldest_seconds,
            set_aside=dict(waiting.set_aside),
            lost_after=lost,
            kept_entries=waiting.kept,
        )

    def _backlog(self) -> Backlog:
        return _NOTHING if self._rows.journal is None else self._rows.journal.backlog()

    def _lost_after(self) -> int | None:
        witness = None if self._documents.target is None else self._documents.target.witness()
        return None if witness is None else witness.lost_after

    def findings(self) -> list[Finding]:
        """Every check. A store that cannot be reached is one finding."""
        findings, answers = self._of(self._rows)
        if not answers:
            return findings
        found, answers = self._of(self._documents)
        findings += found
        findings.append(self._journal())
        findings += [self._job(job) for job in self._rows.jobs.all() if job.status in UNFINISHED]
        if not answers:
            return findings
        lost = self._lost_after()
        if lost is not None:
            findings.append(
                Finding(
                    "mysql history",
                    False,
                    f"MySQL is back at revision {lost}: it was restored, or lost its last writes; writes are refused",
                    "run: platform-store recover",
                )
            )
        return findings + [self._table(association) for association in self._catalog.all()]

    def _of(self, store: RowStore | DocumentStore) -> tuple[list[Finding], bool]:
        """The store's own checks, and whether it answers."""
        try:
            return store.findings(), True
        except PlatformStoreError as error:
            return [Finding(store.name, False, str(error), "check the address, the account and the server")], False

    def _journal(self) -> Finding:
        waiting = self._backlog()
        oldest = waiting.oldest_seconds or 0.0
        detail = f"{waiting.entries} entries pending"
        if waiting.set_aside:
            codes = ", ".join(f"{count} with code {code}" for code, count in waiting.set_aside.items())
            return Finding(
                "journal",
                False,
                f"{detail}; MongoDB refuses {codes}",
                "mend the cause (121: a validator, 11000: a unique index, 14031: a full disk), then run: "
                "platform-store recover",
            )
        return Finding(
            "journal",
            oldest < _TOO_OLD,
            f"{detail}, the oldest for {oldest:.0f} s" if waiting.entries else detail,
            "MongoDB is away, or no process looks after it: keep one open, or run: platform-store recover",
        )

    def _job(self, job: Job) -> Finding:
        subject = f"{job.kind} {job.table}"
        error = job.state.get("error")
        if job.status == "failed":
            return Finding(subject, False, f"job {job.id} has failed: {error}", "mend the cause, then run it again")
        alive = job.status == "paused" or job.seconds_since < _TOO_OLD
        return Finding(
            subject,
            alive,
            f"job {job.id} is {job.status}, heard of {job.seconds_since:.0f} s ago",
            "its process has died: run it again, and it goes on",
        )

    def _table(self, association: Association) -> Finding:
        subject = f"table {association.name}"
        if association.state != "live":
            return Finding(
                subject, False, f"its state is {association.state}", "run the call that was interrupted again"
            )
        differences = self._rows.differences(association)
        if not self._documents.collection_exists(association.name):
            differences = (*differences, "its collection is missing")
        detail = "; ".join(differences) or f"{len(association.columns)} columns as in the catalog"
        return Finding(subject, not differences, detail, "a change was made past the library: undo it, or adopt anew")
