"""Reads of rows with their revisions and pending documents, in MySQL and MariaDB."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import dropwhile
from typing import TypeVar

from platform_store.association import Association, KeyValues
from platform_store.errors import SchemaError
from platform_store.records import Index
from platform_store.search import Search
from platform_store.selection import Selection
from platform_store.stores import mysql_sql as sql
from platform_store.stores.base import (
    Fetched,
    StaleAssociation,
)
from platform_store.stores.mysql_ddl import index_name
from platform_store.stores.mysql_session import MysqlSession

T = TypeVar("T")

KEYS_PER_STATEMENT = 1000


def batches(association: Association, keys: Sequence[KeyValues]) -> Iterator[Sequence[KeyValues]]:
    """Keys to ask for by one statement each.

    Under an inexact collation the answer cannot be matched to many spellings, so each key is asked for by itself.
    """
    size = KEYS_PER_STATEMENT if association.exact_keys else 1
    for first in range(0, len(keys), size):
        yield keys[first : first + size]


def fetch_many(session: MysqlSession, selection: Selection, keys: Sequence[KeyValues]) -> list[Fetched | None]:
    association = selection.association
    found: dict[KeyValues, Fetched] = {}
    for batch in batches(association, keys):
        condition, parameters = sql.key_sql(association, batch)
        parameters += [association.table_id, association.epoch]
        for row in read(session, association, sql.read_rows(selection, condition), parameters):
            found[row.key if association.exact_keys else batch[0]] = row
    return [found.get(key) for key in keys]


def found(session: MysqlSession, selection: Selection, search: Search) -> list[Fetched]:
    """The rows that are looked for."""
    association = selection.association
    condition, parameters = sql.search_sql(search)
    parameters += [association.table_id, association.epoch]

    def rows(index: str | None) -> list[Fetched]:
        statement = sql.read_rows(selection, condition, index) + sql.search_order(search)
        return read(session, association, statement, parameters)

    # MariaDB reads all rows that the index has for the conditions, and sorts them, where a page is a range of it.
    return in_order(association, search, rows) if session.mariadb else rows(None)


def in_order(association: Association, search: Search, rows: Callable[[str | None], T]) -> T:
    """What ``rows`` gives, told which index has a page as one range of it, where one has."""
    index = _index_in_order(association, search)
    if index is not None:
        with contextlib.suppress(SchemaError):  # somebody has dropped the index
            return rows(index_name(association, index))
    return rows(None)


def _index_in_order(association: Association, search: Search) -> Index | None:
    """The index of which the rows that are looked for are one range, in their order; the narrowest of several."""
    order = [one.column.name for one in search.order]
    ranged = {one.column.name for one in search.conditions if one.comparison in (">=", ">", "<=", "<")}
    if search.after is None and order[0] not in ranged:
        return None
    if len({one.descending for one in search.order}) > 1:
        return None
    fixed = {one.column.name for one in search.conditions if one.comparison == "="}
    fitting = [index for index in association.indexes if _in_order(association, index, fixed, order)]
    return max(fitting, key=lambda index: len(index.columns), default=None)


def _in_order(association: Association, index: Index, fixed: Collection[str], order: Sequence[str]) -> bool:
    """Whether the rows with these columns fixed are sorted in the index, which InnoDB ends with the key."""
    if not all(association.by_name[name].in_mysql for name in index.columns):
        return False
    rest = list(dropwhile(lambda name: name in fixed, index.columns))
    return bool(rest) and [*rest, *(name for name in association.key_names if name not in rest)] == list(order)


def read(
    session: MysqlSession, association: Association, statement: str, parameters: Sequence[object]
) -> list[Fetched]:
    """The rows of a read, once its catalog epoch is known to be ours."""
    rows = session.rows(statement, parameters)
    # Where there are none, it is asked for. Epochs only grow: one that is ours afterwards was ours before.
    if not rows and session.rows(sql.EPOCH, [association.table_id]) != ((association.epoch,),):
        raise StaleAssociation(association.name)
    end = 2 + len(association.key_columns)
    return [Fetched(row[2:end], row[2:], row[0], row[1]) for row in rows]
