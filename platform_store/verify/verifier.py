"""``verify``: every row's two halves, range by range, while applications write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, cast, get_args

from platform_store.association import Association, KeyValues
from platform_store.catalog import Catalog
from platform_store.errors import NotSupported, SchemaError, ValueRejected
from platform_store.journal import Journal
from platform_store.records import Key, Progress
from platform_store.selection import whole_document
from platform_store.stores.base import Fetched, RowStore
from platform_store.stores.documents import DocumentStore
from platform_store.verify.findings import Verification
from platform_store.verify.highest import Highest
from platform_store.verify.images import Images
from platform_store.verify.report import Asked, Found, Settled, Side
from platform_store.verify.scan import Scan, Suspects
from platform_store.verify.settle import Settler
from platform_store.verify.sides import verify_sides

ROWS = 10_000
"""Rows of a range, unless documents that the journal still has make them large."""

_FIRST_ROWS = 100
_PENDING_BYTES = 8 * 1024 * 1024  # of the journal's documents, held at once


class Verifier:
    """``verify`` over one pair of stores."""

    def __init__(
        self,
        rows: RowStore,
        documents: DocumentStore,
        catalog: Catalog,
        journal: Journal,
    ):
        self._rows, self._documents, self._catalog, self._journal = rows, documents, catalog, journal

    def verify(
        self,
        table: str,
        repair: bool = False,
        *,
        start: Key | None = None,
        stop: Key | None = None,
        side: Side | None = None,
        limit: int = 100,
        dry_run: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> Verification:
        """See :meth:`Platform.verify`."""
        if side is not None and side not in get_args(Side):
            raise ValueRejected(f"side= is one of {', '.join(get_args(Side))}", table=table)
        if not isinstance(limit, int) or limit < 0:
            raise ValueRejected("limit is an int of at least 0", table=table)
        asked = Asked(table, start, stop, side, limit, repair and not dry_run, progress)
        if self._catalog.find(table) is not None:
            return self._halves(asked)
        return verify_sides(asked, self._rows, self._documents)

    # A table in association

    def _halves(self, asked: Asked) -> Verification:
        found, highest = Found(asked), Highest(self._rows)
        association = self._catalog.get(asked.table)
        if not association.has_documents:
            return found.verification()  # every column is in MySQL: there is nothing to agree with
        ordered = association.ordered_ids and self._documents.in_byte_order(asked.table)
        found.total = self._size(association) if asked.start is None and asked.stop is None else None
        walk = _Walk(self._rows, self._documents, self._journal, asked, highest, found, ordered=ordered)
        while not walk.done:
            self._catalog.run(asked.table, walk.step)
        if not ordered:
            for batch in self._documents.between(asked.table, None, None, ()):
                self._catalog.run(asked.table, partial(walk.orphans, batch=batch))
        return found.verification()

    def _size(self, association: Association) -> int | None:
        try:
            with self._documents.latest() as documents:
                return documents.size(association)
        except NotSupported:
            return None


class _Walk:
    """The ranges of a table in key order. Each notices by itself that the association has changed."""

    def __init__(
        self,
        rows: RowStore,
        documents: DocumentStore,
        journal: Journal,
        asked: Asked,
        highest: Highest,
        found: Found,
        *,
        ordered: bool,
    ):
        """``ordered``: a range of keys is one of ``_id``s, too."""
        self._rows, self._documents, self._journal = rows, documents, journal
        self._asked, self._highest, self._found, self._ordered = asked, highest, found, ordered
        self._after: KeyValues | None = None
        self._carried: list[Fetched] = []  # the last row of a range, whose document is in the next one
        self._table_id: int | None = None
        self._limit = min(ROWS, _FIRST_ROWS)
        self._images: Images | None = None
        self._settled: dict[str, Settled] = {}  # of the range under way
        self.done = False

    def step(self, association: Association) -> None:
        """The next range."""
        start, stop = self._bounds(association)
        scan = Scan(self._rows, association, self._highest)
        page = self._rows.fetch_range(whole_document(association), start, stop, self._after, self._limit)
        self._table_id = association.table_id  # only now it is known to be the table's
        rows = [*self._carried, *page]
        last = len(page) < self._limit
        fields = scan.fields(rows)
        if self._ordered:
            first = self._carried[0].key if self._carried else start
            carried = [] if last else [rows.pop()]
            batches = self._range(association, fields, first, stop if last else carried[0].key, closed=last)
        else:
            carried = []
            batches = self._documents.among(association.name, scan.identifiers(rows), fields)
        size = 0
        for suspects in scan.look(rows, batches, self._images_of(association) if self._ordered else None):
            self._settle(association, suspects)
            size += suspects.bytes
        self._carried, self.done = carried, last
        self._after = page[-1].key if page else self._after
        self._limit = _next_limit(self._limit, page)
        self._end_range(len(rows), size)

    def _images_of(self, association: Association) -> Images:
        if self._images is None or self._images.association != association:
            self._images = Images(self._rows.bulk, association)
        return self._images

    def orphans(self, association: Association, batch: bytes) -> None:
        """Documents that have no row, among some of the collection's."""
        start, stop = self._bounds(association)
        if (start is not None or stop is not None) and not association.ordered_ids:
            return  # which of them are in the range, only MySQL could tell
        suspects = Scan(self._rows, association, self._highest).without_rows(batch, start, stop)
        if start is not None or stop is not None:
            suspects.strangers.clear()
        self._settle(association, suspects)
        self._end_range(0, suspects.bytes)

    def _range(
        self,
        association: Association,
        fields: Sequence[str] | None,
        first: KeyValues | None,
        end: KeyValues | None,
        *,
        closed: bool,
    ) -> Iterator[bytes]:
        """The documents from ``first`` on, before ``end``; with it where the range is ``closed``."""
        identifiers = [None if key is None else association.encode_id(key) for key in (first, end)]
        if first is None or end is None or cast("Any", first) < end:
            yield from self._documents.between(association.name, identifiers[0], identifiers[1], fields)
        if closed and end is not None:
            yield from self._documents.among(association.name, identifiers[1:], fields)

    def _settle(self, association: Association, suspects: Suspects) -> None:
        if not suspects.keys and not suspects.strangers:
            return
        settler = Settler(
            self._rows,
            self._documents,
            self._journal,
            association,
            self._highest,
            side=self._asked.side,
            mend=self._asked.mend,
        )
        # Kept until the range is done: it begins anew where the association has changed meanwhile.
        for one in chain(settler.rows(list(suspects.keys)), settler.strangers(suspects.strangers)):
            self._settled[repr(one.difference.key)] = one
        if len(self._settled) > ROWS:  # too many to keep: should it begin anew, those not mended are counted again
            self._found.add(self._settled.values())
            self._settled = {}

    def _end_range(self, rows: int, size: int) -> None:
        settled, self._settled = self._settled, {}
        self._found.end_range(settled.values(), rows, size)

    def _bounds(self, association: Association) -> Sequence[Any]:
        if self._table_id not in (None, association.table_id):
            raise SchemaError("it was dropped and made anew while it was verified: start over", table=self._asked.table)
        bounds = (self._asked.start, self._asked.stop)
        return [None if key is None else association.check_key(key) for key in bounds]


def _next_limit(limit: int, page: Sequence[Fetched]) -> int:
    """How many rows the next range has. The journal's documents come with them, and are like those before."""
    size = sum(len(row.pending) for row in page if row.pending is not None)
    fitting = _PENDING_BYTES * len(page) // size if size else ROWS
    return max(1, min(ROWS, 10 * limit, fitting))
