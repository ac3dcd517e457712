"""Bringing documents into scratch tables: which ones, by which way, and each of exactly its row's revision.

By keys: the rows that matter come from MySQL, with their pending documents, and the others are looked up. By scan: the
collection is read, filtered where the statement allows it; rows with a pending document bypass the filter. Either way
documents are those of one moment before MySQL's snapshot, so what a row shows that they lack is in its journal.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeVar

import bson

from platform_store.association import Association, KeyValues
from platform_store.errors import Diverged, Unavailable
from platform_store.halves import CODEC_OPTIONS
from platform_store.names import REVISION
from platform_store.query.ahead import ahead
from platform_store.query.analysis import Reference
from platform_store.query.cost import Estimate, is_small
from platform_store.query.filters import document_condition
from platform_store.query.limits import Spending
from platform_store.query.plan import SourcePlan
from platform_store.query.reduce import Reducer, Reducers, mismatches, missing, removal
from platform_store.query.restrict import Restriction
from platform_store.stores.base import DuplicateKey, frozen_id
from platform_store.stores.documents import DocumentStore
from platform_store.stores.scratch import DocumentSnapshot, KeyRow, QuerySession, Scratch

T = TypeVar("T")

_CHUNK: Final = 2_000
"""Keys of one look-up in MongoDB."""
_AT_ONCE: Final = 8_000
_FULL: Final = 1_000
_MISSING: Final = 100_000
"""Rows without a document that the client holds at once."""


class Moved(Exception):
    """A row's document is of another version than the row, although nothing should have moved. Never reaches a user."""

    def __init__(self, association: Association, key: tuple[object, ...]):
        super().__init__(association.name)
        self.association, self.key = association, key

    def diverged(self) -> Diverged:
        """What it means where it happens again and again."""
        key = self.association.public_key(self.key)
        return Diverged("a row's document is missing, or of another revision", table=self.association.name, key=key)


class TooMuch(Exception):
    """The documents of one look-up are not enough. Nothing was staged. Never reaches a user."""


@dataclass(slots=True)
class Sources:
    """The two stores at one moment. ``unreachable``: why MongoDB's documents cannot be had, if so.

    ``latest``: of MongoDB it is no moment. A look-up by keys is right all the same, since a document has to be of
    exactly its row's revision: where it is not, both stores are asked at one moment.
    """

    session: QuerySession
    snapshot: DocumentSnapshot | None
    documents: DocumentStore
    unreachable: Unavailable | None = None
    latest: bool = False

    def reachable(self) -> DocumentSnapshot:
        if self.snapshot is None:
            assert self.unreachable is not None
            raise self.unreachable
        return self.snapshot


@dataclass(slots=True)
class Stager:
    """Fills the scratch tables of one query, the narrowest first: what it holds narrows the others."""

    sources: Sources
    restrictions: Mapping[int, Restriction]
    spending: Spending
    mariadb: bool
    plans: dict[int, SourcePlan] = field(default_factory=dict)
    _narrow: dict[int, Scratch] = field(default_factory=dict)

    def run(self, references: Sequence[Reference], scratches: Mapping[int, Scratch]) -> None:
        """Stages every reference. Raises Moved, Unavailable, LimitExceeded, ValueRejected."""
        waiting = [_Errand(reference, scratches[reference.number]) for reference in references]
        for errand in waiting:
            errand.condition, errand.shown = document_condition(
                self.restrictions[errand.reference.number], mariadb=self.mariadb
            )
        while waiting:
            errand = self._narrowest(waiting)
            waiting.remove(errand)
            self._stage(errand)

    def _narrowest(self, waiting: Sequence[_Errand]) -> _Errand:
        for errand in waiting:
            errand.reducer = self._reducers.reducer(errand.reference)
        if len(waiting) == 1:
            return waiting[0]
        return min(waiting, key=lambda errand: self._estimate(errand).cheapest)

    @property
    def _reducers(self) -> Reducers:
        return Reducers(self.restrictions, self.sources.session.literal, self._narrow)

    # Choosing

    def _estimate(self, errand: _Errand) -> Estimate:
        association, snapshot = errand.scratch.association, self.sources.snapshot
        if snapshot is None or self.sources.latest:  # keys are the only way
            errand.estimate = Estimate(0, 1.0, self._rows_that_matter(errand))
            return errand.estimate
        if errand.size is None:
            errand.size = snapshot.size(association)
            if errand.condition is not None and not is_small(errand.size):
                errand.share = snapshot.share(association, errand.condition, size=errand.size)
        errand.estimate = Estimate(errand.size, errand.share, self._rows_that_matter(errand))
        return errand.estimate

    def _rows_that_matter(self, errand: _Errand) -> int | None:
        """As MySQL's optimizer estimates them; None where nothing restricts them."""
        reducer = errand.reducer
        assert reducer is not None
        if not reducer.restricted:
            return None
        limit = self.restrictions[errand.reference.number].limit
        if limit is not None and is_small(limit.count) and len(self.restrictions) == 1:
            return limit.count  # no estimate would make a difference
        rows = 1.0
        plan = self.sources.session.rows(
            f"EXPLAIN {'EXTENDED' if self.mariadb else 'FORMAT=TRADITIONAL'} SELECT 1 {reducer.source}"
        )
        for step in plan:
            rows *= float(step[-3] or 1) * float(step[-2] or 100) / 100
            if step[2] == reducer.alias:
                break
        return int(rows) if limit is None else min(int(rows), limit.count)

    # Staging

    def _stage(self, errand: _Errand) -> None:
        began = time.monotonic()
        before = (self.spending.rows, self.spending.bytes)
        limit = self.restrictions[errand.reference.number].limit
        assert errand.reducer is not None
        estimate = self._estimate(errand)
        if self.sources.latest and not (errand.reducer.restricted and estimate.is_look_up and errand.condition is None):
            raise TooMuch
        rows: list[KeyRow] | None = None
        # What other tables leave of this one, the optimizer cannot estimate: it is tried.
        narrowed = bool(errand.reducer.by) or estimate.prefers_keys
        if errand.reducer.restricted and (narrowed or self.sources.snapshot is None):
            most = estimate.most_keys if limit is None else min(limit.count, estimate.most_keys)
            rows = self.sources.session.keys(
                errand.scratch.association, errand.reducer.alias, errand.reducer.source, limit=most + (limit is None)
            )
            if len(rows) > most or (limit is not None and limit.count > most):
                rows = None  # more than estimated
        if rows is None and self.sources.latest:
            raise TooMuch
        if rows is not None:
            self._by_keys(errand, rows)
        else:
            self._by_scan(errand)
        number = errand.reference.number
        if rows is not None or errand.condition is not None:
            self._narrow[number] = errand.scratch
        self.plans[number] = self._plan(errand, rows, before, time.monotonic() - began)

    def _by_keys(self, errand: _Errand, rows: Iterable[KeyRow]) -> None:
        fields = [column.field for column in errand.scratch.columns]
        association = errand.scratch.association
        bare = errand.condition is None  # a row without a document matters too
        for chunk in _chunks(rows, _CHUNK):
            found: list[Mapping[str, Any]] = [_pending(row) for row in chunk if row.pending is not None]
            wanted = {frozen_id(association.encode_id(row.key)): row for row in chunk if row.pending is None}
            late: list[KeyRow] = []
            identifiers = [association.encode_id(row.key) for row in wanted.values()]
            for batch in self._found(errand, fields, identifiers) if identifiers else ():
                for document in batch:
                    row = wanted.pop(frozen_id(document["_id"]))
                    if document.get(REVISION, 0) == row.revision:
                        found.append(document)
                    elif row.revision:
                        late.append(row)
                    elif bare:
                        found.append(_without_document(association, row.key))
            if bare:
                late += [row for row in wanted.values() if row.revision]
                found += [_without_document(association, row.key) for row in wanted.values() if not row.revision]
            self._load(errand.scratch, [*found, *self._late(association, late)])

    def _found(
        self, errand: _Errand, fields: Sequence[str], identifiers: Sequence[Any]
    ) -> Iterator[list[dict[str, Any]]]:
        return self.sources.reachable().find(
            errand.scratch.association, fields, condition=errand.condition, identifiers=identifiers
        )

    def _late(self, association: Association, rows: Sequence[KeyRow]) -> Iterator[Mapping[str, Any]]:
        """Documents that were not yet there at the documents' moment, nor in the journal any more."""
        if not rows:
            return
        identifiers = [association.encode_id(row.key) for row in rows]
        documents = self.sources.documents.fetch(association, identifiers)
        for row, identifier in zip(rows, identifiers, strict=True):
            document = documents.get(frozen_id(identifier))
            if document is None or document.get(REVISION, 0) != row.revision:
                raise Moved(association, row.key)
            yield document

    def _by_scan(self, errand: _Errand) -> None:
        association, session = errand.scratch.association, self.sources.session
        fields = [column.field for column in errand.scratch.columns]
        latest = {frozen_id(identifier): number for identifier, number, _ in session.pending(association)}
        if latest:
            newest = (
                {**bson.decode(image, CODEC_OPTIONS), "_id": identifier, REVISION: number}
                for identifier, number, image in session.pending(association)
                if image is not None and latest[frozen_id(identifier)] == number
            )
            for chunk in _chunks(newest, _CHUNK):
                self._load(errand.scratch, chunk)
        found = self.sources.reachable().find(association, fields, condition=errand.condition)
        for count, batch in ahead(self._prepared(errand.scratch, found, latest)):
            self._loaded(errand.scratch, count, batch)
        if errand.condition is None:
            self._fill(errand.scratch)
        else:
            for key in session.rows(mismatches(errand.scratch)):
                raise Moved(association, tuple(key))

    def _fill(self, scratch: Scratch) -> None:
        """Adds rows that have no document. Raises Moved for one that should."""
        association, session = scratch.association, self.sources.session
        while rows := session.rows(missing(scratch, _MISSING)):
            for *key, revision, _ in rows:
                if revision:
                    raise Moved(association, tuple(key))
            left_over = [tuple(row[:-2]) for row in rows if row[-1]]  # documents that were there before the row
            for keys in _chunks(left_over, _CHUNK):
                session.rows(removal(scratch, keys, session.literal))
            for chunk in _chunks(rows, _CHUNK):
                self._load(scratch, [_without_document(association, tuple(row[:-2])) for row in chunk])

    def _prepared(
        self, scratch: Scratch, found: Iterator[list[dict[str, Any]]], latest: Mapping[Any, int]
    ) -> Iterator[tuple[int, Any]]:
        """Batches ready to be loaded, without the documents that have a pending version. Runs ahead, in a thread."""
        with contextlib.closing(found):  # type: ignore[type-var]  # an iterator of documents is a generator
            for batch in _combined(found):
                if latest:
                    batch = [document for document in batch if frozen_id(document["_id"]) not in latest]
                yield len(batch), self.sources.session.prepare(scratch, batch)

    def _load(self, scratch: Scratch, documents: Sequence[Mapping[str, Any]]) -> None:
        self._loaded(scratch, len(documents), self.sources.session.prepare(scratch, documents))

    def _loaded(self, scratch: Scratch, count: int, prepared: Any) -> None:
        try:
            size = self.sources.session.load(scratch, prepared) if count else 0
        except DuplicateKey:
            said = "two documents have keys that MySQL takes for one: one of them belongs to no row"
            raise Diverged(said, table=scratch.association.name) from None
        self.spending.add(scratch.association, count, size)

    def _plan(
        self, errand: _Errand, rows: Sequence[KeyRow] | None, before: tuple[int, int], seconds: float
    ) -> SourcePlan:
        assert errand.reducer is not None
        assert errand.estimate is not None
        association = errand.scratch.association
        return SourcePlan(
            table=association.name,
            alias=errand.reference.alias,
            from_mongodb=tuple(column.name for column in errand.scratch.columns),
            pushed_to_mysql=self._reducers.shown(errand.reference),
            pushed_to_mongodb=errand.shown,
            narrowed_by=tuple(self.restrictions[number].reference.alias for number in errand.reducer.by),
            way="scan" if rows is None else "keys",
            why=errand.estimate.why(),
            estimated_rows=errand.estimate.staged(rows is not None),
            staged_rows=self.spending.rows - before[0],
            staged_bytes=self.spending.bytes - before[1],
            seconds=seconds,
        )


@dataclass(slots=True, eq=False)
class _Errand:
    """One reference to be staged."""

    reference: Reference
    scratch: Scratch
    condition: Mapping[str, Any] | None = None
    shown: str = ""
    reducer: Reducer | None = None
    size: int | None = None
    share: float = 1.0
    estimate: Estimate | None = None


def _combined(batches: Iterable[list[T]]) -> Iterator[list[T]]:
    """Larger batches: whenever the server answers, the thread that loads waits for the one that fetches."""
    waiting: list[T] = []
    for batch in batches:
        waiting += batch
        if len(waiting) >= _AT_ONCE or len(batch) < _FULL:  # the documents are large
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _pending(row: KeyRow) -> dict[str, Any]:
    assert row.pending is not None
    return {**bson.decode(row.pending, CODEC_OPTIONS), REVISION: row.revision}


def _without_document(association: Association, key: KeyValues) -> dict[str, Any]:
    return {"_id": association.encode_id(key), REVISION: 0}


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
