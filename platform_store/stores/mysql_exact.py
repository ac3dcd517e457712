"""Rows of MySQL and MariaDB by their stored keys, byte for byte, with values read without loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from platform_store.association import Association, Column, KeyValues
from platform_store.stores import mysql_sql as sql
from platform_store.stores.base import Exact, StaleAssociation
from platform_store.stores.mysql_session import MysqlSession

_KEYS_PER_STATEMENT = 1000


def exact_many(
    session: MysqlSession, association: Association, columns: Sequence[Column], keys: Sequence[KeyValues]
) -> dict[KeyValues, Exact]:
    """See :class:`platform_store.stores.base.RowStore`."""
    width = 1 + len(association.key_columns)
    decoders = [column.codec.from_exact for column in columns]
    wanted = set(keys)
    found = {}
    for batch in _batches(keys):
        condition, parameters = sql.key_sql(association, batch)
        parameters += [association.table_id, association.epoch]
        rows = session.rows(sql.read_exact(association, tuple(columns), condition), parameters)
        if not rows and session.rows(sql.EPOCH, [association.table_id]) != ((association.epoch,),):
            raise StaleAssociation(association.name)
        for row in rows:
            key = row[1:width]
            if key in wanted:  # a collation may find others
                values = zip(decoders, row[width:], strict=True)
                found[key] = Exact(row[0], tuple(None if v is None else decode(v) for decode, v in values))
    return found


def present(session: MysqlSession, association: Association, keys: Sequence[KeyValues]) -> set[KeyValues]:
    """See :class:`platform_store.stores.base.RowStore`."""
    found: set[KeyValues] = set()
    for batch in _batches(keys):
        condition, parameters = sql.key_sql(association, batch)
        found.update(session.rows(sql.select_keys(association, condition), parameters))
    return found & set(keys)


def _batches(keys: Sequence[KeyValues]) -> Iterator[Sequence[KeyValues]]:
    for first in range(0, len(keys), _KEYS_PER_STATEMENT):
        yield keys[first : first + _KEYS_PER_STATEMENT]
