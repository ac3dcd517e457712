"""Reading whole rows: MySQL's half and the document of exactly the same revision.

A row's revision, its columns and its pending journal entry come from one statement. Where the document found is of
another revision, the row has changed meanwhile and is read again; after a few attempts it is read under its lock, when
it cannot change, so that a hot row is never torn and never waited for without end.
"""

from __future__ import annotations

import contextlib
import copy
import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, Generic, TypeAlias, TypeVar

from platform_store.association import Association, KeyValues
from platform_store.attempts import retried
from platform_store.catalog import Catalog
from platform_store.errors import Diverged, SchemaError
from platform_store.halves import Mismatch, is_version, version_of
from platform_store.names import REVISION
from platform_store.records import Key
from platform_store.rows import check_batching
from platform_store.search import search_for
from platform_store.selection import Selection, select, whole_document
from platform_store.stores.base import Fetched, RowStore, frozen_id
from platform_store.stores.documents import DocumentStore

T = TypeVar("T")

_Document: TypeAlias = Mapping[str, Any] | None

_ATTEMPTS = 3
_KEYS_AT_ONCE = 1000
_JOIN_TIMEOUT = 5.0  # seconds that close() waits for the fetch under way


class Reader:
    """``read``, ``read_many``, ``scan`` and ``read_collection`` over one pair of stores."""

    def __init__(self, rows: RowStore, documents: DocumentStore, catalog: Catalog, runner: Runner):
        self._rows, self._documents, self._catalog, self._runner = rows, documents, catalog, runner

    def read(self, table: str, key: Key, *, columns: Iterable[str] | None = None) -> dict[str, object] | None:
        """One row or None; see :meth:`Platform.read`."""
        wanted = _names(columns)

        def operation(association: Association) -> dict[str, object] | None:
            selection = select(association, wanted)
            return self._read(selection, [association.check_key(key)])[0]

        return self._catalog.run(table, operation)

    def read_many(
        self, table: str, keys: Iterable[Key], *, columns: Iterable[str] | None = None
    ) -> list[dict[str, object] | None]:
        """Rows aligned with ``keys``; see :meth:`Platform.read_many`."""
        wanted = _names(columns)
        rows: list[dict[str, object] | None] = []
        iterator = iter(keys)
        while batch := list(islice(iterator, _KEYS_AT_ONCE)):

            def operation(association: Association, batch: list[Key] = batch) -> list[dict[str, object] | None]:
                checked = [association.check_key(key) for key in batch]
                return self._read_at_once(select(association, wanted), checked)

            rows += self._catalog.run(table, operation)
        return rows

    def find(
        self,
        table: str,
        where: Mapping[str, object] | None,
        *,
        order_by: Iterable[str],
        after: Mapping[str, object] | None,
        limit: int | None,
        columns: Iterable[str] | None,
    ) -> list[dict[str, object]]:
        """Rows by conditions; see :meth:`Platform.find`."""
        wanted, order = _names(columns), tuple(_names(order_by) or ())

        def operation(association: Association) -> list[dict[str, object]]:
            selection = select(association, wanted)
            rows = self._rows.search(selection, search_for(association, where, order, after, limit))
            pages = (rows[first : first + _KEYS_AT_ONCE] for first in range(0, len(rows), _KEYS_AT_ONCE))
            return [row for page in pages for row in self._whole_rows(selection, page)]

        return self._catalog.run(table, operation)

    def scan(
        self,
        table: str,
        start: Key | None = None,
        stop: Key | None = None,
        *,
        columns: Iterable[str] | None = None,
        batch_size: int = 1000,
    ) -> Iterator[dict[str, object]]:
        """Whole rows in key order; see :meth:`Platform.scan`."""
        wanted = _names(columns)
        return self._pages(
            table, start, stop, batch_size, lambda association: select(association, wanted), self._whole_rows
        )

    def read_collection(
        self, name: str, start: Key | None = None, stop: Key | None = None, *, batch_size: int = 1000
    ) -> Iterator[dict[str, Any]]:
        """A collection's documents; see :meth:`Platform.read_collection`."""
        if self._catalog.find(name) is not None:
            return self._pages(name, start, stop, batch_size, whole_document, self._whole_documents)
        if start is not None or stop is not None:
            raise SchemaError("it is in no association, and so has no range of keys: read all of it", table=name)
        return (dict(document) for document in self._documents.stream(name, batch_size))

    def _pages(
        self,
        table: str,
        start: Key | None,
        stop: Key | None,
        batch_size: int,
        choose: Callable[[Association], Selection],
        resolve: Callable[[Selection, list[Fetched]], list[dict[str, Any]]],
    ) -> Iterator[dict[str, Any]]:
        """Keyset pages. Each notices a changed association by itself, and goes on after the last key."""
        check_batching(table, batch_size)
        after: KeyValues | None = None
        table_id: int | None = None

        def operation(association: Association) -> tuple[list[dict[str, Any]], KeyValues | None]:
            nonlocal table_id
            if table_id not in (None, association.table_id):
                raise SchemaError("it was dropped and made anew while it was read: start over", table=table)
            first = None if start is None else association.check_key(start)
            last = None if stop is None else association.check_key(stop)
            selection = choose(association)
            page = self._rows.fetch_range(selection, first, last, after, batch_size)
            table_id = association.table_id  # only now it is known to be the table's
            return resolve(selection, page), page[-1].key if len(page) == batch_size else None

        while True:
            rows, after = self._catalog.run(table, operation)
            yield from rows
            if after is None:
                return

    def _whole_rows(self, selection: Selection, page: list[Fetched]) -> list[dict[str, object]]:
        return [row for row in self._merged(selection, page, self._documents_for(selection, page)) if row is not None]

    def _whole_documents(self, selection: Selection, page: list[Fetched]) -> list[dict[str, Any]]:
        association = selection.association
        found = [one for one in self._all_settled(selection, page, self._documents_for(selection, page)) if one]
        documents = [{**version, "_id": association.encode_id(row.key)} for row, version in found]
        for document in documents:
            document.pop(REVISION, None)
            for name in association.retired:
                document.pop(name, None)
        return [document for document in documents if len(document) > 1]

    def _read(self, selection: Selection, keys: Sequence[KeyValues]) -> list[dict[str, object] | None]:
        rows = self._rows.fetch_many(selection, keys)
        return self._merged(selection, rows, self._documents_for(selection, rows))

    def _read_at_once(self, selection: Selection, keys: Sequence[KeyValues]) -> list[dict[str, object] | None]:
        """Both stores are asked at once; what the row store finds decides."""
        # Stored keys are needed for _id, and are known beforehand only under exact collations.
        ahead = selection.needs_document and selection.association.exact_keys and self._documents.target is not None
        if not ahead:
            return self._read(selection, keys)
        documents = self._runner.begin(partial(self._documents_of, selection.association, keys))
        rows = self._rows.fetch_many(selection, keys)
        if any(row is not None and row.pending is None for row in rows):
            return self._merged(selection, rows, documents.result())
        documents.drop()
        return self._merged(selection, rows, [None] * len(rows))

    def _documents_for(self, selection: Selection, rows: Sequence[Fetched | None]) -> list[_Document]:
        """Aligned with ``rows``; None also where the document is pending, and not needed."""
        wanted = [row.key for row in rows if row is not None and row.pending is None]
        if not wanted or not selection.needs_document:
            return [None] * len(rows)
        found = self._documents_of(selection.association, wanted)
        if len(found) == len(rows):
            return found
        following = iter(found)
        return [None if row is None or row.pending is not None else next(following) for row in rows]

    def _documents_of(self, association: Association, keys: Sequence[KeyValues]) -> list[_Document]:
        identifiers = [association.encode_id(key) for key in keys]
        found = self._documents.fetch(association, identifiers)
        documents = [found.get(frozen_id(identifier)) for identifier in identifiers]
        return documents if len(found) == len(documents) else _distinct(documents)

    def _merged(
        self, selection: Selection, rows: Sequence[Fetched | None], documents: Sequence[_Document]
    ) -> list[dict[str, object] | None]:
        """Rows as the user sees them; None where there is none, or it was deleted while its document was looked for."""
        settled = self._all_settled(selection, rows, documents)
        found = [one for one in settled if one is not None]
        merged = iter(
            selection.merge_many(
                [row.values for row, _ in found], [document for _, document in found], [row.key for row, _ in found]
            )
        )
        return [None if one is None else next(merged) for one in settled]

    def _all_settled(
        self, selection: Selection, rows: Sequence[Fetched | None], documents: Sequence[_Document]
    ) -> list[tuple[Fetched, Mapping[str, Any]] | None]:
        """As :meth:`_settled`, each row that is there; almost every document is the right one at first sight."""
        return [
            None
            if row is None
            else (row, stored)
            if stored is not None and row.pending is None and is_version(stored, row.revision)
            else self._settled(selection, row, stored)
            for row, stored in zip(rows, documents, strict=True)
        ]

    def _settled(
        self, selection: Selection, row: Fetched, stored: _Document
    ) -> tuple[Fetched, Mapping[str, Any]] | None:
        """A row with the document of its very revision; None where it was deleted meanwhile."""
        if not selection.needs_document:
            return row, {}
        for _ in range(_ATTEMPTS):
            try:
                return row, version_of(row.revision, row.pending, stored)
            except Mismatch:
                retried()
                (again,) = self._rows.fetch_many(selection, [row.key])
                if again is None:
                    return None
                row = again
                (stored,) = self._documents_for(selection, [row])
        return self._settled_under_lock(selection, row.key)

    def _settled_under_lock(self, selection: Selection, key: KeyValues) -> tuple[Fetched, Mapping[str, Any]] | None:
        association = selection.association
        with self._rows.transaction() as transaction:
            transaction.fence(association)
            if not transaction.lock(association, [key]):
                return None
            row = transaction.fetch(selection, key)
            assert row is not None, "the row is locked"
            (stored,) = self._documents_for(selection, [row])
            try:
                return row, version_of(row.revision, row.pending, stored, locked=True)
            except Mismatch:
                there = "missing" if stored is None else f"of revision {stored.get(REVISION, 0)}"
                raise Diverged(
                    f"the row is of revision {row.revision}, its document is {there}",
                    table=association.name,
                    key=association.public_key(key),
                ) from None


class _Errand(Generic[T]):
    """Something to fetch, once: by the runner's thread, or by whoever needs it before the thread has begun."""

    def __init__(self, fetch: Callable[[], T]):
        self._fetch = fetch
        self._process = os.getpid()
        self._claim, self._under_way = threading.Lock(), threading.Lock()
        self._under_way.acquire()
        self._fetched: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        """What the thread does."""
        if self._claim.acquire(blocking=False):
            try:
                self._fetched.append(self._fetch())
            except BaseException as error:  # noqa: BLE001 - raised where the result is needed
                self._error = error
            self._under_way.release()

    def result(self) -> T:
        """The result, or the exception. Called once."""
        # The thread does not survive a fork.
        if self._process != os.getpid() or self._claim.acquire(blocking=False):
            return self._fetch()
        self._under_way.acquire()
        if self._error is not None:
            raise self._error
        return self._fetched.pop()

    def drop(self) -> None:
        """It is not needed any more. What has begun ends by itself, and is forgotten."""
        self._claim.acquire(blocking=False)


class Runner:
    """One thread for errands, kept. A reader never waits for another's: while the thread is busy it does its own."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._process = 0  # the one whose thread it is
        self._closed = False

    def begin(self, fetch: Callable[[], T]) -> _Errand[T]:
        errand = _Errand(fetch)
        if self._process != os.getpid() and not self._closed and self._starting.acquire(blocking=False):
            try:
                self._start()
            finally:
                self._starting.release()
        if self._process == os.getpid():
            self._errands.put(errand)
        return errand

    def _start(self) -> None:
        if self._process == os.getpid():
            return  # another thread has just done it
        self._errands: queue.SimpleQueue[_Errand[Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=_run_errands, args=(self._errands,), name="platform_store-reader", daemon=True
        )
        with contextlib.suppress(RuntimeError):  # there is no thread to be had: all errands are done by those who wait
            self._thread.start()
            self._process = os.getpid()

    def close(self) -> None:
        """Ends the thread, and waits for it."""
        self._closed = True
        if self._process == os.getpid():
            self._errands.put(None)
            self._thread.join(_JOIN_TIMEOUT)


def _run_errands(errands: queue.SimpleQueue[_Errand[Any] | None]) -> None:
    while (errand := errands.get()) is not None:
        errand.run()
        del errand  # and what it has fetched: the next one may be long in coming


def _distinct(documents: list[_Document]) -> list[_Document]:
    """A document that was asked for more than once becomes a part of one row only."""
    seen: set[int] = set()
    distinct: list[_Document] = []
    for one in documents:
        distinct.append(copy.deepcopy(one) if id(one) in seen else one)
        if one is not None:
            seen.add(id(one))
    return distinct


def _names(columns: Iterable[str] | None) -> tuple[str, ...] | None:
    if columns is None:
        return None
    return (columns,) if isinstance(columns, str) else tuple(columns)
