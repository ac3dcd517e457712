"""Whole tables of MySQL and MariaDB, read by pages in key order."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence

from platform_store.association import Association, KeyValues
from platform_store.errors import Diverged
from platform_store.halves import identifier_of
from platform_store.names import quote
from platform_store.stores import mysql_sql as sql
from platform_store.stores.bulk import Layout, Page
from platform_store.stores.mysql import MysqlConnections
from platform_store.stores.mysql_documents import RowEncoder
from platform_store.stores.mysql_layout import read_layout
from platform_store.stores.mysql_session import MysqlSession

PAGE_BYTES = 8 * 1024 * 1024
"""No page goes on beyond this; its last document may be larger by itself."""

_KEYS_PER_STATEMENT = 1000


class MysqlRowSource:
    """See :class:`platform_store.stores.bulk.RowSource`."""

    def __init__(self, connections: MysqlConnections):
        self._connections = connections
        self._encoder: RowEncoder | None = None  # the last one, which remembers values

    def _encoding(self, association: Association) -> RowEncoder:
        encoder = self._encoder
        if encoder is None or encoder.association != association:
            encoder = self._encoder = RowEncoder(association)
        return encoder

    def layout(self, table: str) -> Layout:
        with self._connections.bulk() as session:
            return read_layout(session, table)

    def borders(self, layout: Layout, start: KeyValues | None, stop: KeyValues | None, parts: int) -> list[KeyValues]:
        """Walks over the key once, from border to border, without reading a row."""
        association = layout.association
        condition, parameters = sql.range_sql(association, start, stop)
        with self._connections.bulk() as session:
            ((count,),) = session.rows(f"SELECT COUNT(*) {_from(association)} WHERE {condition}", parameters)
            step = -(-int(count) // parts)
            borders: list[KeyValues] = []
            while step and len(borders) < parts - 1:
                found = _keys(session, association, borders[-1] if borders else None, start, stop, (step - 1, 1))
                if not found or (len(borders) + 1) * step >= count:
                    break
                borders += found
        return borders

    def read(
        self, layout: Layout, after: KeyValues | None, start: KeyValues | None, stop: KeyValues | None, limit: int
    ) -> Page:
        with self._connections.bulk() as session:
            return _page(session, self._encoding(layout.association), after, start, stop, limit)[0]

    def take(
        self, layout: Layout, after: KeyValues | None, start: KeyValues | None, stop: KeyValues | None, limit: int
    ) -> MysqlTaking:
        return MysqlTaking(self._connections, self._encoding(layout.association), (after, start, stop), limit)

    def keys(
        self, layout: Layout, after: KeyValues | None, start: KeyValues | None, stop: KeyValues | None, limit: int
    ) -> list[KeyValues]:
        with self._connections.bulk() as session:
            return _keys(session, layout.association, after, start, stop, (0, limit))


class MysqlTaking:
    """See :class:`platform_store.stores.bulk.Taking`. Raises OutcomeUnknown where its COMMIT is lost."""

    page: Page

    def __init__(
        self,
        connections: MysqlConnections,
        encoder: RowEncoder,
        bounds: tuple[KeyValues | None, KeyValues | None, KeyValues | None],
        limit: int,
    ):
        self._connections, self._encoder = connections, encoder
        self._bounds, self._limit = bounds, limit
        self._resources = contextlib.ExitStack()

    def __enter__(self) -> MysqlTaking:
        self._resources.enter_context(self._transaction())
        return self

    def __exit__(self, *raised: object) -> None:
        self._resources.__exit__(*raised)  # type: ignore[arg-type]  # as it came

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        limit, size, whole = self._limit, PAGE_BYTES, False
        while not whole:
            with self._connections.bulk() as session:
                session.execute("START TRANSACTION")
                self.page, whole = _page(session, self._encoder, *self._bounds, limit, size=size, locking=" FOR UPDATE")
                if not whole:  # all that is locked must be known: as many are asked for as fit
                    limit, size = len(self.page.documents), sys.maxsize
                    continue
                yield
                association = self._encoder.association
                remove_rows(session, association, keys_of(association, self.page.documents), locked=True)
                session.commit(association.name, "")


def remove_rows(
    session: MysqlSession, association: Association, keys: Sequence[KeyValues], *, locked: bool = False
) -> int:
    """Deletes rows by their keys; how many there were. ``locked``: all of them are, and so they are there."""
    removed = 0
    for first in range(0, len(keys), _KEYS_PER_STATEMENT):
        condition, parameters = sql.key_sql(association, keys[first : first + _KEYS_PER_STATEMENT])
        removed += session.execute(sql.delete_rows(association, condition), parameters)
    if locked and removed != len(keys):
        raise Diverged(f"{removed} rows were deleted where {len(keys)} were locked", table=association.name)
    return removed


def keys_of(association: Association, documents: Sequence[bytes]) -> list[KeyValues]:
    """The keys of rows as documents."""
    return [_key(association, identifier_of(document)) for document in documents]


def _key(association: Association, identifier: object) -> KeyValues:
    """As the row has it, whatever it is: :meth:`Association.decode_id` judges what others may have put there."""
    parts = [identifier] if len(association.key_columns) == 1 else list(identifier.values())  # type: ignore[attr-defined]
    return tuple(
        column.codec.stored_from_bson(part) for column, part in zip(association.key_columns, parts, strict=True)
    )


def _from(association: Association) -> str:
    return f"FROM {quote(association.name)} AS t FORCE INDEX (PRIMARY)"


def _keys(
    session: MysqlSession,
    association: Association,
    after: KeyValues | None,
    start: KeyValues | None,
    stop: KeyValues | None,
    window: tuple[int, int],
) -> list[KeyValues]:
    columns = association.key_columns
    condition, parameters = sql.range_sql(association, start, stop, after)
    expressions = ", ".join(column.codec.exact_sql(f"t.{quote(column.name)}") for column in columns)
    rows = session.rows(
        f"SELECT {expressions} {_from(association)} WHERE {condition} ORDER BY {sql.key_order(association)} "
        f"LIMIT {window[0]:d}, {window[1]:d}",
        parameters,
    )
    return [tuple(c.codec.from_exact(value) for c, value in zip(columns, row, strict=True)) for row in rows]


def _page(
    session: MysqlSession,
    encoder: RowEncoder,
    after: KeyValues | None,
    start: KeyValues | None,
    stop: KeyValues | None,
    limit: int,
    *,
    size: int = PAGE_BYTES,
    locking: str = "",
) -> tuple[Page, bool]:
    """A page, and whether all that was asked for is in it; where it is not, the connection is given up."""
    association = encoder.association
    condition, parameters = sql.range_sql(association, start, stop, after)
    rows = session.columns(
        f"SELECT {encoder.expressions} {_from(association)} WHERE {condition} ORDER BY {sql.key_order(association)} "
        f"LIMIT {limit:d}{locking}",
        parameters,
        encoder.codes,
        size,
        encoder.overhead,
    )
    documents = encoder.documents(rows)
    if rows.ended and rows.number < limit:
        return Page(documents, None), True
    return Page(documents, keys_of(association, documents[-1:])[0]), rows.ended
