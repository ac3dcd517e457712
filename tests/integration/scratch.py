"""What tests of scratch tables share: a row store of its own database, and documents as MongoDB gives them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import bson

from platform_store.association import Association
from platform_store.config import MysqlConfig
from platform_store.declaration import declare
from platform_store.halves import CODEC_OPTIONS
from platform_store.records import ColumnAttribute
from platform_store.stores.mysql_rows import MysqlRowStore
from platform_store.stores.mysql_scratch import MysqlQuerySession
from platform_store.stores.scratch import Scratch

Row = tuple[Any, ...]


@contextlib.contextmanager
def row_store(url: str, **options: object) -> Iterator[MysqlRowStore]:
    """``options``: of the URL."""
    told = "&".join(f"{name}={value}" for name, value in options.items())
    store = MysqlRowStore(MysqlConfig.from_url(f"{url}{'&' if '?' in url else '?'}{told}" if told else url))
    try:
        yield store
    finally:
        store.close()


def table(
    store: MysqlRowStore, name: str, columns: Sequence[ColumnAttribute], flag: int = 0, **how: Any
) -> Association:
    """A table made on the server and in the catalog."""
    declared = declare(
        name, columns, flag, key_collation=store.key_collation, text_collation=store.text_collation, **how
    )
    association = store.add_association(declared)
    store.create_table(association)
    return association


def scratch(association: Association, *names: str, name: str = "staged") -> Scratch:
    return Scratch(name, association, tuple(association.by_name[one] for one in names))


def read_back(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document as it comes from MongoDB."""
    return dict(bson.decode(bson.encode(document), CODEC_OPTIONS))


@contextlib.contextmanager
def opened(store: MysqlRowStore) -> Iterator[MysqlQuerySession]:
    session = store.query_session()
    try:
        yield session
    finally:
        session.close()
