"""Rows in the embedded pair: the transactions of the write path, and reads.

A row's document is kept under the row's revision and commits with it, so that every read takes both in one statement,
and there is never anything pending.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import sqlalchemy as sa

from platform_store.association import Association, Column, KeyValues
from platform_store.errors import Conflict, Diverged, NotSupported, RowExists, ValueRejected
from platform_store.names import REVISION
from platform_store.records import Finding
from platform_store.rows import MAX_DOCUMENT_BYTES, NewRow
from platform_store.search import Search
from platform_store.selection import Selection
from platform_store.stores.base import Cursor, DuplicateKey, Entry, Exact, Fetched, Locked, Parameters
from platform_store.stores.embedded_catalog import EmbeddedCatalog, check_epoch
from platform_store.stores.embedded_documents import put_documents
from platform_store.stores.embedded_engine import EmbeddedConnections, EmbeddedSession
from platform_store.stores.embedded_jobs import EmbeddedJobs
from platform_store.stores.embedded_query import Plan, plan
from platform_store.stores.embedded_search import search_condition, search_order
from platform_store.stores.embedded_tables import (
    DOCUMENT,
    REVISIONS,
    SEQUENCE,
    column_name,
    decode,
    decode_key,
    encode,
    encode_key,
    key_columns,
    key_is,
    key_range,
    physical,
    row_table,
)
from platform_store.stores.embedded_types import Convert, storage_for

_KEYS_PER_STATEMENT = 1000
_ROWS_PER_PAGE = 1000


@contextlib.contextmanager
def _located(association: Association, key: KeyValues | None = None) -> Iterator[None]:
    """Fills table and key into what SQLite refuses."""
    try:
        yield
    except ValueRejected as error:
        public = None if key is None else association.public_key(key)
        raise error.at(association.name, None, public) from None


class EmbeddedTransaction:
    """One write transaction, alone on the file. See :class:`platform_store.stores.base.RowTransaction`."""

    def __init__(self, session: EmbeddedSession):
        self._session = session
        self._table = ""
        self.server = ""

    def savepoint(self) -> contextlib.AbstractContextManager[None]:
        return self._session.all_or_nothing()

    def fence(self, association: Association, *, at_once: bool = False) -> None:  # noqa: ARG002 - always is
        check_epoch(self._session, association, association.epoch)
        self._table = association.name

    def lock(
        self,
        association: Association,
        keys: Sequence[KeyValues],
        *,
        pending: bool = True,  # noqa: ARG002 - it costs nothing
    ) -> dict[KeyValues, Locked]:
        columns = [*key_columns(association), row_table(association).c[REVISION], DOCUMENT.c.image]
        statement = sa.select(*columns).select_from(_with_document(association))
        found = (_locked(association, row) for row in _rows_of_keys(self._session, association, statement, keys))
        return {locked.key: locked for locked in found}

    def lock_range(
        self, association: Association, start: KeyValues | None, stop: KeyValues | None, limit: int
    ) -> list[Locked]:
        keys = key_columns(association)
        statement = sa.select(*keys, row_table(association).c[REVISION], sa.null())
        statement = statement.where(key_range(association, start, stop)).order_by(*keys).limit(limit)
        return [_locked(association, row) for row in self._session.rows(statement)]

    def insert(self, association: Association, rows: Sequence[NewRow]) -> list[KeyValues]:
        if not rows:
            return []  # SQLAlchemy would insert a row of defaults
        keys = self._allocate(association, [row.key for row in rows])
        values = [_values(association, row, key) for row, key in zip(rows, keys, strict=True)]
        try:
            with _located(association, keys[0] if len(keys) == 1 else None), self._session.all_or_nothing():
                self._session.execute(sa.insert(row_table(association)), values)
        except DuplicateKey:
            raise self._duplicate(association, [row.key for row in rows]) from None
        return keys

    def _allocate(self, association: Association, keys: Sequence[KeyValues | None]) -> list[KeyValues]:
        """The keys of rows to insert, as MySQL's AUTO_INCREMENT gives them: above every key there ever was."""
        column = association.auto_column
        if column is None:
            return [key for key in keys if key is not None]
        counter = SEQUENCE.c.owner == association.table_id
        ((value,),) = self._session.rows(sa.select(SEQUENCE.c.last).where(counter))
        last = max([decode(column, value), *(key[0] for key in keys if key is not None)])
        allocated: list[KeyValues] = []
        for key in keys:
            if key is None:
                last += 1
                key = (_checked_counter(association, column, last),)
            allocated.append(key)
        self._session.execute(sa.update(SEQUENCE).where(counter).values(last=encode(column, last)))
        return allocated

    def _duplicate(self, association: Association, keys: Sequence[KeyValues | None]) -> Exception:
        """Which error a duplicate is: the rows that are there can be asked for."""
        given = [key for key in keys if key is not None]
        taken = self.lock(association, given)
        repeated = [key for number, key in enumerate(given) if key in taken or key in given[:number]]
        if repeated:
            return RowExists(association.name, association.public_key(repeated[0]))
        return _not_unique(association, keys[0] if len(keys) == 1 else None)

    def update(self, association: Association, key: KeyValues, values: Mapping[str, object]) -> None:
        encoded = {column_name(name): encode(association.by_name[name], value) for name, value in values.items()}
        try:
            with _located(association, key):
                self._session.execute(sa.update(row_table(association)).where(key_is(association, key)).values(encoded))
        except DuplicateKey:
            raise _not_unique(association, key) from None

    def update_many(self, association: Association, keys: Sequence[KeyValues], values: Mapping[str, object]) -> None:
        for key in keys:
            self.update(association, key, values)

    def reset(self, association: Association, key: KeyValues, row: NewRow) -> None:
        names = [column.name for column in association.table_columns if not column.key]
        if names:
            self.update(association, key, {name: row.mysql[name] for name in names})

    def delete(self, association: Association, keys: Sequence[KeyValues]) -> None:
        table = row_table(association)
        condition = sa.and_(*(column == sa.bindparam(f"k{n}") for n, column in enumerate(key_columns(association))))
        deleted = self._session.execute(sa.delete(table).where(condition), _key_parameters(association, keys))
        if deleted != len(keys):
            raise Diverged(f"{deleted} rows were deleted where {len(keys)} were locked", table=association.name)

    def fetch(self, selection: Selection, key: KeyValues) -> Fetched | None:
        return _fetch_many(self._session, selection, [key])[0]

    def search(
        self,
        selection: Selection,
        search: Search,
        *,
        lock: bool,  # noqa: ARG002 - no other transaction writes meanwhile
    ) -> list[Fetched]:
        return _searched(self._session, selection, search)

    def exact(self, association: Association, columns: Sequence[Column], key: KeyValues) -> dict[str, object]:
        statement = sa.select(*(physical(association, column.name) for column in columns))
        ((*values,),) = self._session.rows(statement.where(key_is(association, key)))
        return {column.name: decode(column, value) for column, value in zip(columns, values, strict=True)}

    def exact_many(
        self, association: Association, columns: Sequence[Column], keys: Sequence[KeyValues]
    ) -> dict[KeyValues, Exact]:
        return _exact_many(self._session, association, columns, keys)

    def record(
        self,
        association: Association,
        entries: Sequence[tuple[KeyValues, bytes | None]],
        *,
        fresh: bool = False,  # noqa: ARG002 - for MongoDB
        meanwhile: Callable[[], None] | None = None,  # noqa: ARG002 - there is no server
    ) -> list[Entry]:
        """Writes the documents themselves, and stamps the rows; a deletion leaves nothing behind."""
        counter = SEQUENCE.c.owner == REVISIONS
        self._session.execute(sa.update(SEQUENCE).where(counter).values(last=SEQUENCE.c.last + len(entries)))
        ((last,),) = self._session.rows(sa.select(SEQUENCE.c.last).where(counter))
        recorded = [
            Entry(last - len(entries) + number, association.name, association.encode_id(key), image)
            for number, (key, image) in enumerate(entries, start=1)
        ]
        put_documents(self._session, association.name, recorded)
        changed = zip(entries, recorded, strict=True)
        self._stamp(association, [(key, entry.revision) for (key, _), entry in changed if entry.image is not None])
        return recorded

    def _stamp(self, association: Association, revisions: Sequence[tuple[KeyValues, int]]) -> None:
        if not revisions:
            return
        columns = key_columns(association)
        statement = (
            sa.update(row_table(association))
            .where(*(column == sa.bindparam(f"k{number}") for number, column in enumerate(columns)))
            .values({REVISION: sa.bindparam("new_revision")})
        )
        parameters = _key_parameters(association, [key for key, _ in revisions])
        for row, (_, revision) in zip(parameters, revisions, strict=True):
            row["new_revision"] = revision
        matched = self._session.execute(statement, parameters)
        if matched != len(revisions):
            raise Diverged(f"a revision matched {matched} rows, not {len(revisions)}", table=association.name)

    def announce(self, association: Association, keys: Sequence[KeyValues]) -> int | None:  # noqa: ARG002
        return None  # documents commit with their rows: there is no faster way

    def claim(self, association: Association, keys: Sequence[KeyValues], revision: int) -> bool:  # noqa: ARG002
        return False

    def awaited(self, association: Association, keys: Sequence[KeyValues]) -> set[KeyValues]:  # noqa: ARG002
        return set()

    def commit(self) -> None:
        self._session.commit(self._table)


class EmbeddedRowStore(EmbeddedCatalog):
    """The row half in the file. See :class:`platform_store.stores.base.RowStore`."""

    max_image_bytes = MAX_DOCUMENT_BYTES
    stages = mariadb = folds_names = False
    database = ""
    journal = None
    bulk = None

    def __init__(self, connections: EmbeddedConnections):
        super().__init__(connections)
        self.jobs = EmbeddedJobs(connections)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[EmbeddedTransaction]:
        with self._connections.session(write=True) as session:
            yield EmbeddedTransaction(session)

    def fetch_many(self, selection: Selection, keys: Sequence[KeyValues]) -> list[Fetched | None]:
        with self._connections.session() as session:
            check_epoch(session, selection.association, selection.association.epoch)
            return _fetch_many(session, selection, keys)

    def fetch_range(
        self,
        selection: Selection,
        start: KeyValues | None,
        stop: KeyValues | None,
        after: KeyValues | None,
        limit: int,
    ) -> list[Fetched]:
        association = selection.association
        statement = _selected(selection).where(key_range(association, start, stop, after))
        statement = statement.order_by(*key_columns(association)).limit(limit)
        with self._connections.session() as session:
            check_epoch(session, association, association.epoch)
            return _fetched(selection, session.rows(statement))

    def search(self, selection: Selection, search: Search) -> list[Fetched]:
        with self._connections.session() as session:
            check_epoch(session, selection.association, selection.association.epoch)
            return _searched(session, selection, search)

    def exact_many(
        self, association: Association, columns: Sequence[Column], keys: Sequence[KeyValues]
    ) -> dict[KeyValues, Exact]:
        with self._connections.session() as session:
            check_epoch(session, association, association.epoch)
            return _exact_many(session, association, columns, keys)

    def present(self, association: Association, keys: Sequence[KeyValues]) -> set[KeyValues]:
        return set(self.exact_many(association, (), keys))

    def query(self, statement: str, parameters: Parameters | None, tables: Mapping[str, Association]) -> Cursor:
        return EmbeddedCursor(self._connections, plan(statement, parameters, tables))

    def query_session(self) -> NoReturn:
        raise NotSupported("a query session", "is not needed by the embedded pair: it answers queries by itself")

    def pool(self) -> None:
        """One file, and no server to connect to."""

    def findings(self) -> list[Finding]:
        with self._connections.session() as session:
            mode, synchronous = session.pragma("journal_mode"), session.pragma("synchronous")
            check = session.pragma("quick_check(1)")
            ((version,),) = session.rows(sa.select(sa.func.sqlite_version()))
        return [
            Finding("sqlite version", True, f"SQLite {version}"),
            Finding("sqlite journal mode", mode == "wal", str(mode), "move the file to a local file system"),
            Finding("sqlite synchronous", synchronous == 2, "FULL" if synchronous == 2 else str(synchronous)),
            Finding("sqlite integrity", check == "ok", str(check), "the file is damaged: restore it from a copy"),
        ]

    def close(self) -> None:
        self._connections.close()


class EmbeddedCursor:
    """The rows of one SELECT, read as they are asked for, all of one moment. See :class:`stores.base.Cursor`."""

    def __init__(self, connections: EmbeddedConnections, planned: Plan):
        self.columns = planned.names
        self._drivers = planned.drivers
        with contextlib.ExitStack() as stack:
            session = stack.enter_context(connections.session())
            for association in planned.associations:
                check_epoch(session, association, association.epoch)
            session.define(planned.functions.scalars, planned.functions.aggregates)
            self._pages = session.pages(planned.statement, _ROWS_PER_PAGE)
            self._stack = stack.pop_all()

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        for page in self._pages:
            for row in page:
                yield _driver_values(self._drivers, row)

    def close(self) -> None:
        self._stack.close()


def _checked_counter(association: Association, column: Column, number: int) -> object:
    try:
        return column.codec.check(number)
    except ValueRejected:
        raise ValueRejected(
            f"the AUTO_INCREMENT counter is used up: {column.type.ddl} has no higher number",
            table=association.name,
            column=column.name,
        ) from None


def _not_unique(association: Association, key: KeyValues | None) -> Conflict:
    return Conflict(
        "another row holds the same values in a unique index; nothing was written",
        table=association.name,
        key=None if key is None else association.public_key(key),
    )


def _values(association: Association, row: NewRow, key: KeyValues) -> dict[str, Any]:
    stored = {**row.mysql, **dict(zip(association.key_names, key, strict=True))}
    return {column_name(column.name): encode(column, stored[column.name]) for column in association.table_columns}


def _key_parameters(association: Association, keys: Sequence[KeyValues]) -> list[dict[str, Any]]:
    return [{f"k{number}": part for number, part in enumerate(encode_key(association, key))} for key in keys]


def _with_document(association: Association) -> sa.FromClause:
    """Each row beside the document of its very revision."""
    table = row_table(association)
    return table.outerjoin(DOCUMENT, DOCUMENT.c.revision == table.c[REVISION])


def _exact_many(
    session: EmbeddedSession, association: Association, columns: Sequence[Column], keys: Sequence[KeyValues]
) -> dict[KeyValues, Exact]:
    width = len(association.key_columns)
    chosen = [*association.key_columns, *columns]
    statement = sa.select(row_table(association).c[REVISION], *(physical(association, one.name) for one in chosen))
    found = {}
    for revision, *values in _rows_of_keys(session, association, statement, keys):
        stored = tuple(decode(column, value) for column, value in zip(chosen, values, strict=True))
        found[stored[:width]] = Exact(revision, stored[width:])
    return found


def _rows_of_keys(
    session: EmbeddedSession, association: Association, statement: sa.Select[Any], keys: Sequence[KeyValues]
) -> Iterator[Any]:
    """The rows of a SELECT with these keys. SQLite uses no index for a list of composite keys, so each is asked for."""
    columns = key_columns(association)
    encoded = [encode_key(association, key) for key in keys]
    if len(columns) > 1 or len(keys) == 1:
        one = statement.where(*(column == sa.bindparam(f"k{number}") for number, column in enumerate(columns)))
        for key in encoded:
            yield from session.rows(one, {f"k{number}": part for number, part in enumerate(key)})
        return
    for first in range(0, len(keys), _KEYS_PER_STATEMENT):
        batch = [part for (part,) in encoded[first : first + _KEYS_PER_STATEMENT]]
        yield from session.rows(statement.where(columns[0].in_(sa.bindparam("keys", expanding=True))), {"keys": batch})


def _locked(association: Association, row: Sequence[Any]) -> Locked:
    *key, revision, image = row
    return Locked(decode_key(association, key), revision, image)


def _selected(selection: Selection) -> sa.Select[Any]:
    association = selection.association
    columns = [physical(association, column.name) for column in selection.mysql]
    revision = row_table(association).c[REVISION]
    if selection.needs_document:
        return sa.select(revision, DOCUMENT.c.image, *columns).select_from(_with_document(association))
    return sa.select(revision, sa.null(), *columns)


def _fetch_many(session: EmbeddedSession, selection: Selection, keys: Sequence[KeyValues]) -> list[Fetched | None]:
    rows = list(_rows_of_keys(session, selection.association, _selected(selection), keys))
    found = {row.key: row for row in _fetched(selection, rows)}
    return [found.get(key) for key in keys]


def _searched(session: EmbeddedSession, selection: Selection, search: Search) -> list[Fetched]:
    statement = _selected(selection).where(search_condition(selection.association, search))
    statement = statement.order_by(*search_order(selection.association, search)).limit(search.limit)
    return _fetched(selection, session.rows(statement))


def _fetched(selection: Selection, rows: Sequence[Any]) -> list[Fetched]:
    association = selection.association
    width = len(association.key_columns)
    drivers = [storage_for(column.type).driver for column in selection.mysql]
    return [
        Fetched(
            decode_key(association, values[:width]),
            _driver_values(drivers, values),
            revision,
            image,
        )
        for revision, image, *values in rows
    ]


def _driver_values(drivers: Sequence[Convert | None], values: Sequence[Any]) -> tuple[object, ...]:
    return tuple(
        value if value is None or driver is None else driver(value)
        for driver, value in zip(drivers, values, strict=True)
    )
