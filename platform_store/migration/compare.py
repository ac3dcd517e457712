"""Whether a table and a collection, in no association, hold the same: row by row, as documents, byte for byte.

Both sides are read by ranges, and a range that is equal throughout is found so by one comparison in C; only the rows of
a range that is not are looked at one by one. Each range is read from both sides at nearly the same time: a row that
other writers change meanwhile may show as a difference, which a second look (or another pass) settles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from platform_store.association import Association, KeyValues
from platform_store.errors import ValueRejected
from platform_store.halves import identifier_of, split
from platform_store.stores.base import RowStore, frozen_id
from platform_store.stores.bulk import DocumentSource, Layout, RowSource
from platform_store.stores.documents import DocumentStore

Restore: TypeAlias = Callable[[Sequence[bytes]], Sequence[bytes]]
"""Makes of rows as documents the documents that they stand for (see :mod:`platform_store.shapes.shape`)."""

Reach: TypeAlias = tuple[KeyValues | None, KeyValues | None, KeyValues | None]
"""Strictly after the first key, else from the second on, up to and with the third; None is open."""

ROWS = 10_000
"""Rows of a range, unless they are large."""


@dataclass(frozen=True, slots=True)
class Unequal:
    """A row and the document of its ``_id``, of which one is missing, or which differ.

    ``kind`` as in :class:`~platform_store.records.Difference`: the document is "missing", or "extra" and has no row.
    ``row`` is the document that the row stands for.
    """

    kind: Literal["missing", "extra", "different"]
    identifier: Any
    row: bytes | None
    document: bytes | None


@dataclass(frozen=True, slots=True)
class Compared:
    """One range: after the key ``after`` (None: from the start) up to and with ``last`` (None: to the end).

    ``complete``: its documents without rows are among ``unequal``. Where keys and ``_id``s are not in one order, they
    come in ranges of their own at the end, which have no rows; where only a part of such a table is compared, never.
    """

    after: KeyValues | None
    last: KeyValues | None
    rows: int
    bytes: int
    complete: bool
    unequal: list[Unequal] = field(default_factory=list)


class Correspondence(Protocol):
    """How keys and ``_id``s stand for each other, where that is not the association's business.

    ``ordered``: keys in MySQL's order are ``_id``s in BSON's. ``key_of`` raises ValueRejected where no row can have it.
    """

    @property
    def ordered(self) -> bool: ...
    def identify(self, key: KeyValues) -> Any: ...
    def key_of(self, identifier: Any) -> KeyValues: ...


class Own:
    """The association's."""

    def __init__(self, association: Association):
        self.ordered, self.identify, self.key_of = (
            association.ordered_ids,
            association.encode_id,
            association.decode_id,
        )


@dataclass(frozen=True, slots=True)
class Sides:
    """Where the two sides are read."""

    rows: RowStore
    documents: DocumentStore
    table: RowSource
    collection: DocumentSource


def compare(
    sides: Sides,
    layout: Layout,
    collection: str,
    start: KeyValues | None = None,
    stop: KeyValues | None = None,
    *,
    after: KeyValues | None = None,
    limit: int = ROWS,
    restore: Restore = list,
    keys: Correspondence | None = None,
) -> Iterator[Compared]:
    """The ranges of a table and its collection in key order, from ``start`` to ``stop``, both included; None is open.

    Args:
        after: begins strictly after this key, instead of at ``start``.
        limit: rows of a range, at most.
        restore: for a table that was made of a collection, what makes its rows the documents they were.
        keys: of such a table.
    """
    found = Own(layout.association) if keys is None else keys
    run = _in_order if found.ordered and sides.documents.in_byte_order(collection) else _by_key
    return run(sides, layout, collection, (after, start, stop), limit, restore, found)


def _in_order(
    sides: Sides,
    layout: Layout,
    collection: str,
    reach: Reach,
    limit: int,
    restore: Restore,
    keys: Correspondence,
) -> Iterator[Compared]:
    after, start, stop = reach
    while True:
        page = sides.table.read(layout, after, start, stop, limit)
        rows = list(restore(page.documents))
        last = stop if page.last is None else page.last
        bounds = tuple(None if key is None else keys.identify(key) for key in (after, start, last))
        unequal = _merged(rows, _pages(sides.collection, collection, bounds, limit))
        yield Compared(after, page.last, len(rows), sum(map(len, rows)), True, unequal)
        if page.last is None:
            return
        after = page.last


def _pages(source: DocumentSource, name: str, bounds: tuple[Any, ...], limit: int) -> Iterator[list[bytes]]:
    after, start, last = bounds
    while page := source.read(name, after, start, last, limit):
        yield page
        after = identifier_of(page[-1])


def _merged(rows: Sequence[bytes], pages: Iterator[list[bytes]]) -> list[Unequal]:
    """What differs between rows and the documents of their range, however many these are."""
    position = 0
    unequal: list[Unequal] = []
    left: dict[Any, bytes] | None = None
    for page in pages:
        if left is None:
            if rows[position : position + len(page)] == page:
                position += len(page)
                continue
            left = {_identity(identifier_of(row)): row for row in rows[position:]}
        for document in page:
            identifier = identifier_of(document)
            row = left.pop(_identity(identifier), None)
            if row is None:
                unequal.append(Unequal("extra", identifier, None, document))
            elif row != document:
                unequal.append(Unequal("different", identifier, row, document))
    missing = rows[position:] if left is None else left.values()
    return unequal + [Unequal("missing", identifier_of(row), row, None) for row in missing]


def _by_key(
    sides: Sides,
    layout: Layout,
    collection: str,
    reach: Reach,
    limit: int,
    restore: Restore,
    keys: Correspondence,
) -> Iterator[Compared]:
    """For keys that MySQL orders, or equates, otherwise than BSON: each row's document is asked for by its ``_id``."""
    after, start, stop = reach
    while True:
        page = sides.table.read(layout, after, start, stop, limit)
        rows = list(restore(page.documents))
        identifiers = [identifier_of(row) for row in rows]
        unequal = _merged(rows, _in_rows_order(identifiers, sides.documents.among(collection, identifiers)))
        yield Compared(after, page.last, len(rows), sum(map(len, rows)), False, unequal)
        if page.last is None:
            break
        after = page.last
    if start is None and stop is None:
        yield from _without_rows(sides, layout.association, collection, keys)


def _in_rows_order(identifiers: Sequence[Any], batches: Iterator[bytes]) -> Iterator[list[bytes]]:
    found = {_identity(identifier_of(document)): document for batch in batches for document in split(batch)}
    yield [found[one] for one in map(_identity, identifiers) if one in found]


def _without_rows(
    sides: Sides, association: Association, collection: str, corresponding: Correspondence
) -> Iterator[Compared]:
    for batch in sides.documents.between(collection, None, None):
        keyed = [(identifier_of(document), document) for document in split(batch)]
        keys = [_key(corresponding, identifier) for identifier, _ in keyed]
        present = sides.rows.present(association, [key for key in keys if key is not None])
        unequal = [
            Unequal("extra", identifier, None, document)
            for key, (identifier, document) in zip(keys, keyed, strict=True)
            if key is None or key not in present
        ]
        yield Compared(None, None, 0, len(batch), True, unequal)


def _key(corresponding: Correspondence, identifier: object) -> KeyValues | None:
    """The key of a document's ``_id``; None where no row can have it."""
    try:
        return corresponding.key_of(identifier)
    except ValueRejected:
        return None


def _identity(identifier: Any) -> Any:
    """What is equal where MongoDB takes ``_id``s for the same. Python takes True for 1, too."""
    return ("bool", identifier) if isinstance(identifier, bool) else frozen_id(identifier)
