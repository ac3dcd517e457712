"""What is the matter with one row. Pure: both halves are at hand, under the row's lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import bson

from platform_store.association import Association
from platform_store.halves import CODEC_OPTIONS, Mismatch, fields_of, version_of
from platform_store.names import DELETED, REVISION
from platform_store.stores.base import Locked
from platform_store.verify.highest import Highest
from platform_store.verify.renew import Exact, Problem, Renewer
from platform_store.verify.report import UNDECIDED, Side
from platform_store.verify.scan import differing, encoded
from platform_store.verify.twofold import Twofold
from platform_store.verify.values import ColumnCheck

Document = Mapping[str, Any]


class Examiner:
    """Of one table, as its association is now."""

    def __init__(self, association: Association, both: Twofold, highest: Highest, side: Side | None):
        self._association, self._both, self._highest, self._side = association, both, highest, side
        needed = not association.discarded_at
        self._checks = [ColumnCheck(column, needed=needed) for column in association.document_only]
        self._renewer = Renewer(association, both, self._checks)

    def row(self, locked: Locked, stored: Document | None, exact: Exact) -> Problem | None:
        """A row and the document of its ``_id``."""
        revision, found = locked.revision, None if stored is None else stored.get(REVISION, 0)
        if stored is not None and found and not revision and DELETED not in stored:
            return self._left_behind(locked, stored, found, exact)
        try:
            version = version_of(revision, locked.pending, stored, locked=True)
        except Mismatch:
            return self._lost(locked, stored, exact)
        problem = self._values(locked, stored, version, exact)
        if stored is None or not self._highest.beyond(found):
            return problem
        return self._beyond(locked, stored, version, exact) if problem is None else problem.removing(found)

    def lonely(self, stored: Document, *, possible: bool = True) -> Problem | None:
        """A document that has no row, and nothing in the journal. ``possible``: a row could have its ``_id``."""
        revision = stored.get(REVISION, 0)
        if DELETED in stored:
            if not self._highest.beyond(revision):
                return None
            detail = f"a tombstone of revision {revision}, above every one that was given: it would hide a new row"
            return Problem("extra", (), detail, "the tombstone is removed", removes=revision)
        what = "there is no such row" if possible else "no row can have such an _id"
        detail = f"{what}; the document is of revision {revision}" if revision else f"{what}; the document has no _rev"
        if self._side == "mysql" or (revision and self._side is None):
            return Problem("extra", (), detail, "the document is removed", removes=revision)
        # One without a revision was there before the table, and is nobody's to throw away unasked.
        return Problem("extra", (), detail if self._side else f"{detail}; {UNDECIDED}")

    def _left_behind(self, locked: Locked, stored: Document, found: object, exact: Exact) -> Problem:
        """The row was never versioned, or its document was discarded, and here is one that has a revision."""
        if isinstance(found, int) and found <= self._association.discarded_at:
            detail = f"its document, of revision {found}, was discarded, and is here again"
            return Problem("extra", (), detail, "the document is removed", removes=found)
        problem = Problem("extra", (), f"the row has no revision, its document is of revision {found}")
        if self._side == "mongodb":
            return self._renewer.from_document(problem, locked.key, stored, exact)
        if self._side is None:
            return Problem("extra", (), f"{problem.detail}; {UNDECIDED}")
        return Problem("extra", (), problem.detail, "the document is removed", removes=found)

    def _lost(self, locked: Locked, stored: Document | None, exact: Exact) -> Problem:
        """The row's document is not there, or is of another revision."""
        found = None if stored is None else stored.get(REVISION, 0)
        there = "missing"
        if stored is not None:
            there = f"{'a tombstone ' * (DELETED in stored)}of revision {found}" if found else "without _rev"
        detail = f"the row is of revision {locked.revision}, its document is {there}"
        problem = Problem("missing", (), detail)
        if self._renewer.mysql_knows_all or self._side == "mysql":
            problem = self._renewer.from_mysql(problem, locked.key, {}, exact)
        elif self._side == "mongodb" and stored is not None and DELETED not in stored:
            problem = self._renewer.from_document(problem, locked.key, stored, exact)
        elif self._side is None:
            problem = Problem("missing", (), f"{detail}; {UNDECIDED}")
        return problem.removing(found) if self._highest.beyond(found) else problem

    def _beyond(self, locked: Locked, stored: Document, version: Document, exact: Exact) -> Problem:
        """Nothing newer could ever replace it: it has to go before what is right can be there."""
        found = stored.get(REVISION, 0)
        detail = f"its document is of revision {found}, above every one that was given: no later one could replace it"
        if locked.pending is not None:
            return Problem("different", (), detail, "the journal's document replaces it", removes=found, applies=True)
        if DELETED in stored:
            return Problem("different", (), detail, "the tombstone is removed", removes=found)
        fields = self._renewer.kept(version)
        return self._renewer.renewed(Problem("different", (), detail), locked.key, fields, exact).removing(found)

    # Values

    def _values(self, locked: Locked, stored: Document | None, version: Document, exact: Exact) -> Problem | None:
        copies, refused = self._stale_copies(locked, version, exact), self._refused(locked, version)
        if copies or refused:
            return self._different(locked, version, exact, copies, refused)
        if locked.revision or version:  # a row without a document, as an adopted table has them, has nothing to follow
            shadows = self._renewer.stale_shadows(version, exact)
            if shadows:
                detail = "MySQL's copy is not as the document has it"
                repair = "MySQL's copy becomes what the document has"
                return Problem("different", tuple(shadows), detail, repair, shadows=shadows)
        if locked.pending is None or stored is None or stored.get(REVISION, 0) != locked.revision:
            return None
        return self._unlike_the_journals(locked.pending, version, stored)

    def _unlike_the_journals(self, pending: bytes, version: Document, stored: Document) -> Problem | None:
        """The document, where it is not what the journal has of the same revision."""
        # The fields of dropped columns go from the documents, and stay in the journal.
        changed = [field for field in _changed_fields(version, stored) if field not in self._association.retired]
        if not changed:
            return None
        names = {column.field: column.name for column in self._association.document_columns}
        return Problem(
            "different",
            tuple(names.get(field, field) for field in changed),
            "its document is not the journal's of the same revision",
            "the journal's document becomes a new revision",
            image=pending,
        )

    def _stale_copies(self, locked: Locked, version: Document, exact: Exact) -> list[str]:
        """Columns in both stores of which the document has another value than MySQL."""
        return [
            column.name
            for column in self._both.copies
            if (column.field in version or (locked.revision and column.name not in self._both.filling))
            and differing(encoded(column, [exact[column.name]]), [version.get(column.field)])
        ]

    def _refused(self, locked: Locked, version: Document) -> dict[str, str]:
        """Columns of the document whose value cannot be theirs, and why."""
        if not locked.revision and not version:
            return {}  # it has no document, as an adopted table's rows have none
        faults = ((check.column, check.fault(version.get(check.column.field))) for check in self._checks)
        return {column.name: fault for column, fault in faults if fault is not None}

    def _different(
        self, locked: Locked, version: Document, exact: Exact, copies: Sequence[str], refused: Mapping[str, str]
    ) -> Problem:
        reasons = [f"{name}: {fault}" for name, fault in refused.items()]
        reasons += [f"{name}: it is not as MySQL has it" for name in copies]
        columns = tuple(name for name in self._association.by_name if name in {*copies, *refused})
        problem = Problem("different", columns, "; ".join(reasons))
        fields = self._renewer.kept(version)
        if not refused:
            return self._renewer.renewed(problem, locked.key, fields, exact)
        if self._side == "mongodb":
            return self._renewer.from_document(problem, locked.key, version, exact)
        if self._side is None and not all(map(self._renewer.mysql_knows, refused)):
            return Problem("different", columns, f"{problem.detail}; {UNDECIDED}")
        for name in refused:
            fields.pop(self._association.by_name[name].field, None)
        return self._renewer.from_mysql(problem, locked.key, fields, exact)


def _changed_fields(version: Document, stored: Document) -> list[str]:
    one, other = fields_of(version), fields_of(stored)
    return [name for name in {**one, **other} if _image(one, name) != _image(other, name)]


def _image(fields: Document, name: str) -> bytes:
    return bson.encode({name: fields[name]} if name in fields else {}, codec_options=CODEC_OPTIONS)
