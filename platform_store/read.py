"""Reading whole rows: MySQL's half and the document of exactly the same revision.

A row's revision, its columns and its pending journal entry come from one statement. Where the document found is of
another revision, the row has changed meanwhile and is read again; after a few attempts it is read under its lock, when
it cannot change, so that a hot row is never torn and never waited for without end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeAlias

from platform_store.association import Association, KeyValues
from platform_store.catalog import Catalog
from platform_store.errors import Diverged, SchemaError
from platform_store.halves import Mismatch, document_of
from platform_store.names import REVISION
from platform_store.records import Key
from platform_store.rows import Selection, check_batching, select, whole_document
from platform_store.stores.base import DocumentStore, Fetched, RowStore, frozen_id

_FetchPage: TypeAlias = Callable[[Selection], list[Fetched]]

_ATTEMPTS = 3
_KEYS_AT_ONCE = 1000


class Reader:
    """``read``, ``read_many``, ``scan`` and ``read_collection`` over one pair of stores."""

    def __init__(self, rows: RowStore, documents: DocumentStore, catalog: Catalog):
        self._rows, self._documents, self._catalog = rows, documents, catalog

    def read(self, table: str, key: Key, *, columns: Iterable[str] | None = None) -> dict[str, object] | None:
        """One row or None; see :meth:`Platform.read`."""
        wanted = _names(columns)

        def operation(association: Association) -> dict[str, object] | None:
            selection = select(association, wanted)
            return self._read(selection, association.check_key(key))

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
                return self._read_batch(select(association, wanted), checked)

            rows += self._catalog.run(table, operation)
        return rows

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

        def resolve(association: Association, fetch: _FetchPage) -> tuple[list[dict[str, object]], KeyValues | None]:
            selection = select(association, wanted)
            page = fetch(selection)
            rows = [row for row in self._resolve_page(selection, page) if row is not None]
            return rows, page[-1].key if len(page) == batch_size else None

        return self._pages(table, start, stop, batch_size, resolve)

    def read_collection(self, name: str, *, batch_size: int = 1000) -> Iterator[dict[str, Any]]:
        """A collection's documents; see :meth:`Platform.read_collection`."""

        def resolve(association: Association, fetch: _FetchPage) -> tuple[list[dict[str, Any]], KeyValues | None]:
            selection = whole_document(association)
            page = fetch(selection)
            return self._resolve_documents(selection, page), page[-1].key if len(page) == batch_size else None

        if self._catalog.find(name) is not None:
            return self._pages(name, None, None, batch_size, resolve)
        return (dict(document) for document in self._documents.stream(name, batch_size))

    def _pages(
        self,
        table: str,
        start: Key | None,
        stop: Key | None,
        batch_size: int,
        resolve: Callable[[Association, _FetchPage], tuple[list[dict[str, Any]], KeyValues | None]],
    ) -> Iterator[dict[str, Any]]:
        """Keyset pages. Each notices a changed association by itself, and goes on after the last key."""
        check_batching(table, batch_size)
        after: KeyValues | None = None
        table_id: int | None = None
        while True:

            def operation(
                association: Association, after: KeyValues | None = after
            ) -> tuple[list[dict[str, Any]], KeyValues | None]:
                nonlocal table_id
                if table_id not in (None, association.table_id):
                    raise SchemaError("it was dropped and made anew while it was read: start over", table=table)
                table_id = association.table_id
                first = None if start is None else association.check_key(start)
                last = None if stop is None else association.check_key(stop)
                return resolve(
                    association,
                    lambda selection: self._rows.fetch_range(selection, first, last, after, batch_size),
                )

            rows, after = self._catalog.run(table, operation)
            yield from rows
            if after is None:
                return

    def _resolve_documents(self, selection: Selection, page: Sequence[Fetched]) -> list[dict[str, Any]]:
        association = selection.association
        found = self._documents_of(association, [row.key for row in page if row.pending is None])
        documents = []
        for fetched in page:
            settled = self._settled(selection, fetched, found)
            if settled is not None and settled[1]:
                fields = {name: value for name, value in settled[1].items() if name not in association.retired}
                documents.append({"_id": association.encode_id(fetched.key), **fields})
        return documents

    def _read(self, selection: Selection, key: KeyValues) -> dict[str, object] | None:
        return self._resolve_page(selection, self._rows.fetch_many(selection, [key]))[0]

    def _read_batch(self, selection: Selection, keys: Sequence[KeyValues]) -> list[dict[str, object] | None]:
        """Both stores are asked at once; what the row store finds decides."""
        # Stored keys are needed for _id, and are known beforehand only under exact collations.
        ahead = selection.needs_document and selection.association.exact_keys and not self._rows.durable_documents
        if not ahead:
            page = self._rows.fetch_many(selection, keys)
            return self._resolve_page(selection, page)
        # A thread of its own for each call: nothing to close, and nothing that a fork could break.
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="platform_store-read") as thread:
            documents = thread.submit(self._documents_of, selection.association, keys)
            page = self._rows.fetch_many(selection, keys)
        if any(row is not None and row.pending is None for row in page):
            return self._resolve_page(selection, page, documents.result())
        return self._resolve_page(selection, page, {})

    def _resolve_page(
        self, selection: Selection, page: Sequence[Fetched | None], documents: Mapping[Any, Any] | None = None
    ) -> list[dict[str, object] | None]:
        if documents is None:
            missing = [row.key for row in page if row is not None and row.pending is None]
            documents = self._documents_of(selection.association, missing) if selection.needs_document else {}
        return [None if row is None else self._merge(selection, row, documents) for row in page]

    def _documents_of(self, association: Association, keys: Sequence[KeyValues]) -> dict[Any, Mapping[str, Any]]:
        return self._documents.fetch(association, [association.encode_id(key) for key in keys]) if keys else {}

    def _merge(self, selection: Selection, fetched: Fetched, documents: Mapping[Any, Any]) -> dict[str, object] | None:
        """One row as the user sees it; None where it was deleted while its document was looked for."""
        key = selection.association.public_key(fetched.key)
        if not selection.needs_document:
            return selection.merge(fetched.values, None, key)
        found = self._settled(selection, fetched, documents)
        return None if found is None else selection.merge(found[0].values, found[1], key)

    def _settled(
        self, selection: Selection, fetched: Fetched, documents: Mapping[Any, Any]
    ) -> tuple[Fetched, dict[str, Any]] | None:
        """A row with the document of its very revision."""
        association = selection.association
        identifier = association.encode_id(fetched.key)
        stored = documents.get(frozen_id(identifier))
        for _ in range(_ATTEMPTS):
            try:
                return fetched, document_of(fetched.revision, fetched.pending, stored)
            except Mismatch:
                (again,) = self._rows.fetch_many(selection, [fetched.key])
                if again is None:
                    return None
                fetched = again
                if again.pending is None:
                    stored = self._documents.fetch(association, [identifier]).get(frozen_id(identifier))
        return self._settled_under_lock(selection, fetched.key)

    def _settled_under_lock(self, selection: Selection, key: KeyValues) -> tuple[Fetched, dict[str, Any]] | None:
        association = selection.association
        with self._rows.transaction() as transaction:
            transaction.fence(association)
            if not transaction.lock(association, [key]):
                return None
            fetched = transaction.fetch(selection, key)
            assert fetched is not None, "the row is locked"
            identifier = association.encode_id(fetched.key)
            stored = self._documents.fetch(association, [identifier]).get(frozen_id(identifier))
            try:
                return fetched, document_of(fetched.revision, fetched.pending, stored, locked=True)
            except Mismatch:
                there = "missing" if stored is None else f"of revision {stored.get(REVISION, 0)}"
                raise Diverged(
                    f"the row is of revision {fetched.revision}, its document is {there}",
                    table=association.name,
                    key=association.public_key(key),
                ) from None


def _names(columns: Iterable[str] | None) -> tuple[str, ...] | None:
    if columns is None:
        return None
    return (columns,) if isinstance(columns, str) else tuple(columns)
