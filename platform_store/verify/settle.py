"""The second look, at rows that did not fit together at the first: under their locks, where nothing moves; and mending.

A row that is wrong here is wrong. What mends it is a new revision through the journal, as any write is, or the removal
of a document that is still of exactly the revision it was found at. So a write that comes between is never undone, and
a repair that dies half-way has done whole rows or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import bson
from bson.decimal128 import Decimal128

from platform_store.association import Association, KeyValues
from platform_store.codecs.numeric import INT64_MAX
from platform_store.errors import TransientError, ValueRejected
from platform_store.halves import CODEC_OPTIONS, identifier_of, split
from platform_store.journal import Journal
from platform_store.names import REVISION
from platform_store.records import Key
from platform_store.selection import whole_document
from platform_store.stores.base import Entry, Exact, Locked, RowStore, RowTransaction, frozen_id
from platform_store.stores.documents import DocumentStore
from platform_store.verify.examine import Examiner
from platform_store.verify.findings import Difference
from platform_store.verify.highest import Highest
from platform_store.verify.renew import Problem
from platform_store.verify.report import Settled, Side
from platform_store.verify.twofold import twofold

_AT_ONCE = 100  # rows under lock together
_ATTEMPTS = 5


class Settler:
    """Over one pair of stores, for one table as its association is now."""

    def __init__(
        self,
        rows: RowStore,
        documents: DocumentStore,
        journal: Journal,
        association: Association,
        highest: Highest,
        *,
        side: Side | None,
        mend: bool,
    ):
        self._rows, self._documents, self._journal = rows, documents, journal
        self._association, self._highest, self._mend = association, highest, mend
        self._both = twofold(rows, association)
        self._examiner = Examiner(association, self._both, highest, side)

    def rows(self, keys: Sequence[KeyValues]) -> Iterator[Settled]:
        """What is wrong with the rows, and the documents, of these keys."""
        ordered = _in_key_order(keys)
        for first in range(0, len(ordered), _AT_ONCE):
            batch = self._still_suspect(ordered[first : first + _AT_ONCE])
            if not batch:
                continue
            try:
                settled = self._batch(batch)
            except (TransientError, ValueRejected):
                settled = [one for key in batch for one in self._alone(key)]
            yield from settled

    def _still_suspect(self, keys: Sequence[KeyValues]) -> list[KeyValues]:
        """Those that do not fit together at another look either, so that hardly a row is locked for nothing."""
        association = self._association
        fetched = {row.key: row for row in self._rows.fetch_many(whole_document(association), keys) if row is not None}
        columns = self._both.columns
        values = self._rows.exact_many(association, columns, keys) if columns else {}
        found = self._documents.fetch(association, [association.encode_id(key) for key in keys])
        self._highest.look_up(document.get(REVISION) for document in found.values())
        suspect = []
        for key in keys:
            row, stored = fetched.get(key), found.get(frozen_id(association.encode_id(key)))
            if row is None:
                fits = stored is None or self._examiner.lonely(stored) is None
            else:
                locked = Locked(key, row.revision, row.pending)
                exact = self._named(values.get(key))
                fits = exact is not None and self._examiner.row(locked, stored, exact) is None
            if not fits:
                suspect.append(key)
        return suspect

    def _named(self, exact: Exact | None) -> dict[str, object] | None:
        """Values by column; None where they are needed and there is no row to have them."""
        columns = self._both.columns
        if exact is None:
            return None if columns else {}
        return {column.name: value for column, value in zip(columns, exact.values, strict=True)}

    def _alone(self, key: KeyValues) -> list[Settled]:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._batch([key])
            except TransientError:  # other writers
                if attempt == _ATTEMPTS:
                    raise
            except ValueRejected as error:  # MongoDB would refuse the document, or it is too large
                (found,) = self._batch([key], mend=False)
                refused = f"{found.difference.detail}; it cannot be mended: {error.reason}"
                return [Settled(_unmendable(found.difference, refused), False)]
        raise AssertionError("the last attempt returns or raises")

    def _batch(self, keys: Sequence[KeyValues], *, mend: bool | None = None) -> list[Settled]:
        association = self._association
        with self._rows.transaction() as transaction:
            transaction.fence(association)
            problems = self._examined(transaction, keys)
            mending = self._mend if mend is None else mend
            images = [(key, one.image) for key, (one, _) in problems.items() if one.image is not None]
            shadows = [(key, one.shadows) for key, (one, _) in problems.items() if one.shadows]
            entries: list[Entry] = []
            if mending and (images or shadows):
                for key, values in shadows:
                    transaction.update(association, key, values)
                entries = self._journal.record(transaction, association, images)
                self._journal.commit(transaction, entries)
        mended = self._finish(problems, entries) if mending else set()
        return [
            Settled(_difference(association.name, association.public_key(key), problem), key in mended)
            for key, (problem, _) in problems.items()
        ]

    def _examined(
        self, transaction: RowTransaction, keys: Sequence[KeyValues]
    ) -> dict[KeyValues, tuple[Problem, Locked | None]]:
        """The problems of rows that are locked until the transaction ends, and of documents that have none."""
        association = self._association
        locked = transaction.lock(association, keys)
        rows = {key: row for key, row in locked.items() if row.key == key}
        # The journal first, the documents after it: an entry is removed only once its document is there.
        awaited = transaction.awaited(association, [key for key in keys if key not in rows])
        identifiers = {key: association.encode_id(key) for key in keys}
        found = self._documents.fetch(association, list(identifiers.values()))
        self._highest.look_up(document.get(REVISION) for document in found.values())
        columns = self._both.columns
        values = transaction.exact_many(association, columns, list(rows)) if columns and rows else {}
        problems: dict[KeyValues, tuple[Problem, Locked | None]] = {}
        for key in keys:
            row, stored = rows.get(key), found.get(frozen_id(identifiers[key]))
            problem = None
            if row is not None:
                problem = self._examiner.row(row, stored, self._named(values.get(key)) or {})
            elif stored is not None and key not in awaited:
                problem = self._examiner.lonely(stored)
            if problem is not None:
                problems[key] = problem, row
        return problems

    def _finish(
        self, problems: Mapping[KeyValues, tuple[Problem, Locked | None]], entries: Sequence[Entry]
    ) -> set[KeyValues]:
        """What is done once the new revisions are committed; which problems are mended."""
        mended = {key for key, (problem, _) in problems.items() if problem.image is not None or problem.shadows}
        again: list[Entry] = []
        for key, (problem, row) in problems.items():
            if problem.removes is None:
                continue
            identifier = self._association.encode_id(key)
            if self._documents.remove(self._association.name, identifier, problem.removes):
                mended.add(key)
            if problem.applies and row is not None:
                again.append(Entry(row.revision, self._association.name, identifier, row.pending))
        self._journal.apply([*entries, *again])
        return mended

    # Documents whose _id no row can have

    def strangers(self, identifiers: Sequence[Any]) -> Iterator[Settled]:
        """Documents of these ``_id``s, which are no keys."""
        for identifier in identifiers:
            document = self._document(identifier)
            if document is None or self._is_of_a_row(identifier):
                continue
            problem = self._examiner.lonely(document, possible=False)
            if problem is None:
                continue
            mended = False
            if self._mend and problem.removes is not None:
                mended = self._documents.remove(self._association.name, identifier, problem.removes)
            yield Settled(_difference(self._association.name, identifier, problem), mended)

    def _document(self, identifier: Any) -> Mapping[str, Any] | None:
        """The document as it is now. MongoDB takes a regular expression for a pattern, so others may come along."""
        for batch in self._documents.among(self._association.name, [identifier]):
            for document in split(batch):
                found = identifier_of(document)
                if type(found) is type(identifier) and found == identifier:
                    return bson.decode(document, CODEC_OPTIONS)
        return None

    def _is_of_a_row(self, identifier: Any) -> bool:
        """Whether MongoDB takes the ``_id`` for that of a row: 5.0 is 5 to it."""
        try:
            key = self._association.decode_id(_whole(identifier))
        except ValueRejected:
            return False
        return bool(self._rows.present(self._association, [key]))


def _whole(identifier: Any) -> Any:
    """An ``_id`` with integers in place of the numbers that equal them."""
    if isinstance(identifier, dict):
        return {name: _whole(part) for name, part in identifier.items()}
    if isinstance(identifier, Decimal128):
        number = identifier.to_decimal()
        whole = number.is_finite() and number == number.to_integral_value() and abs(number) <= INT64_MAX
        return int(number) if whole else identifier
    return int(identifier) if isinstance(identifier, float) and identifier.is_integer() else identifier


def _in_key_order(keys: Sequence[Any]) -> list[KeyValues]:
    """The order in which all writers lock their rows."""
    try:
        return sorted(keys)
    except TypeError:  # a type whose stored values have no order
        return list(keys)


def _difference(table: str, key: Key, problem: Problem) -> Difference:
    return Difference(table, key, problem.kind, problem.columns, problem.detail, problem.repair)


def _unmendable(difference: Difference, detail: str) -> Difference:
    return replace(difference, detail=detail, repair="")
