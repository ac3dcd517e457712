"""What the tests of whole tables and collections share: both sides of a migration, without a platform."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import bson

from platform_store.association import KeyValues
from platform_store.config import MongodbConfig, MysqlConfig
from platform_store.halves import CODEC_OPTIONS
from platform_store.stores.bulk import Layout
from platform_store.stores.mongodb_bulk import MongoCollections
from platform_store.stores.mongodb_driver import MongoConnections
from platform_store.stores.mysql import MysqlConnections
from platform_store.stores.mysql_bulk_target import MysqlTables
from tests.integration.conftest import Servers


@dataclass(frozen=True)
class Bulk:
    """Both stores in bulk, and a look past them."""

    servers: Servers
    tables: MysqlTables
    collections: MongoCollections

    @property
    def mariadb(self) -> bool:
        return "MariaDB" in str(self.servers.sql("SELECT VERSION()"))

    def rows(self, layout: Layout, limit: int = 1000) -> list[bytes]:
        """Every row of a table, page by page."""
        found: list[bytes] = []
        last: KeyValues | None = None
        while True:
            page = self.tables.read(layout, last, None, None, limit)
            found += page.documents
            if page.last is None:
                return found
            last = page.last

    def documents(self, name: str, limit: int = 1000) -> list[bytes]:
        """Every document of a collection, page by page."""
        found: list[bytes] = []
        last: Any = None
        while page := self.collections.read(name, last, None, None, limit):
            found += page
            last = decoded(page[-1])["_id"]
        return found


@contextmanager
def bulk_stores(servers: Servers) -> Iterator[Bulk]:
    rows = MysqlConnections(MysqlConfig.from_url(servers.mysql_url))
    documents = MongoConnections(MongodbConfig.from_url(servers.mongodb_url))
    try:
        yield Bulk(servers, MysqlTables(rows), MongoCollections(documents))
    finally:
        rows.close()
        documents.close()


def decoded(document: bytes) -> dict[str, Any]:
    return bson.decode(document, CODEC_OPTIONS)


def encoded(**fields: Any) -> bytes:
    """A document; ``_id`` is called so."""
    return bson.encode(fields, codec_options=CODEC_OPTIONS)
