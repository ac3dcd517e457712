"""``doctor`` and ``status``: what an operator asks first."""

from __future__ import annotations

from platform_store.association import Association
from platform_store.catalog import Catalog
from platform_store.errors import PlatformStoreError, Unavailable
from platform_store.records import Finding, Status
from platform_store.stores.base import DocumentStore, RowStore


class Doctor:
    """Checks over one pair of stores."""

    def __init__(self, rows: RowStore, documents: DocumentStore, catalog: Catalog):
        self._rows, self._documents, self._catalog = rows, documents, catalog

    def status(self) -> Status:
        """Never raises Unavailable: what cannot be reached is reported so."""
        mysql = mongodb = True
        tables = pending = 0
        try:
            tables = sum(association.state == "live" for association in self._catalog.all())
            pending = self._rows.count_pending()
        except Unavailable:
            mysql = False
        try:
            self._documents.check_available()
        except Unavailable:
            mongodb = False
        stores = dict.fromkeys((self._rows.name, self._documents.name))
        return Status(" + ".join(stores), tables, pending, mysql, mongodb)

    def findings(self) -> list[Finding]:
        """Every check. A store that cannot be reached is one finding."""
        findings: list[Finding] = []
        for store in (self._rows, self._documents):
            try:
                findings += store.findings()
            except PlatformStoreError as error:
                findings.append(Finding(store.name, False, str(error), "check the address, the account and the server"))
                return findings
        pending = self._rows.count_pending()
        findings.append(
            Finding("journal", pending < 10_000, f"{pending} entries pending", "run: platform-store recover")
        )
        findings += [self._table(association) for association in self._catalog.all()]
        return findings

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
