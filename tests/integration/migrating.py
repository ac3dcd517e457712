"""What the tests of migrations share: tables and collections of plain rows, and a look at both sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import bson

from platform_store import Platform
from platform_store.records import Direction, Migrated
from tests.integration.conftest import Servers

TO_DOCUMENTS: Direction = "mysql-to-mongodb"
TO_ROWS: Direction = "mongodb-to-mysql"
COLUMNS = "id INT NOT NULL PRIMARY KEY, name VARCHAR(40), amount DECIMAL(12, 2), made DATETIME(3), doc JSON"


def migrate(platform: Platform, table: str = "plain", direction: Direction = TO_DOCUMENTS, **options: Any) -> Migrated:
    """In this process, a few rows at a time, unless told otherwise."""
    done: Migrated = platform.migrate(table, direction, **{"workers": 1, "batch_rows": 7, **options})
    return done


def fill(servers: Servers, rows: int, *, table: str = "plain", first: int = 1) -> None:
    """Rows of :data:`COLUMNS`, some of them with NULLs."""
    servers.sql(f"CREATE TABLE IF NOT EXISTS `{table}` ({COLUMNS})")
    for start in range(first, first + rows, 1000):
        values = ", ".join(row(key) for key in range(start, min(start + 1000, first + rows)))
        servers.sql(f"INSERT INTO `{table}` VALUES {values}")


def row(key: int) -> str:
    doc = "NULL" if key % 5 == 0 else f'\'{{"n": {key}, "名": ["茶", {key}.5]}}\''
    name = "NULL" if key % 7 == 0 else f"'顾客 {key}'"
    return f"({key}, {name}, {key}.25, '2024-02-29 12:00:00.{key % 1000:03}', {doc})"


def documents(servers: Servers, name: str = "plain") -> dict[Any, Mapping[str, Any]]:
    return {_frozen(document["_id"]): document for document in servers.mongodb[name].find()}


def rows_as_documents(platform: Platform, table: str = "plain") -> dict[Any, Mapping[str, Any]]:
    """What the codecs make of a table's rows."""
    bulk = platform._rows.bulk
    assert bulk is not None
    page = bulk.read(bulk.layout(table), None, None, None, 1_000_000)
    found = [bson.decode(document) for document in page.documents]
    return {_frozen(document["_id"]): document for document in found}


def _frozen(identifier: Any) -> Any:
    return tuple(identifier.items()) if isinstance(identifier, dict) else identifier
