"""Reads of rows with their revisions and pending documents, in MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from platform_store.association import Association, KeyValues
from platform_store.rows import Selection
from platform_store.stores import mysql_sql as sql
from platform_store.stores.base import (
    Fetched,
    StaleAssociation,
)
from platform_store.stores.mysql_session import MysqlSession

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
