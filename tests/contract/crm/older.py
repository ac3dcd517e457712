"""An installation as an earlier version of the CRM made it, with rows, and with something of the application's own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from crm_model import ENTITIES, Entity
from crm_model.tables import binary_collation
from platform_store import ColumnAttribute, Index, Platform

ENTITY = {entity.name: entity for entity in ENTITIES}
TABLES = ("operator", "contact")
ROWS = 5
LATER = {"operator": {"region", "version"}, "contact": {"name_key", "is_primary", "preferences"}}
"""Columns that came with a later version."""
UNIQUE = Index(["login", "del_token"], unique=True)
BY_EMAIL = Index(["email"])
"""Indexes that did; that of ``name_key`` did with its column."""
OWN = {"operator": ColumnAttribute("备注", "JSON"), "contact": ColumnAttribute("门店", "VARCHAR(20)")}
"""What the application has added."""
MOMENT = datetime(2024, 5, 6, 7, 8, 9, 123000)

Rows = Mapping[str, list[dict[str, Any]]]


def make(platform: Platform, *, rows: int = ROWS) -> Rows:
    """Makes the tables, and writes rows; returns these as they are read."""
    return {table: _make(platform, ENTITY[table], rows) for table in TABLES}


def kept(platform: Platform, before: Rows) -> bool:
    """Whether the same rows are there with every value that they had."""
    for table, expected in before.items():
        found = list(platform.scan(table))
        if [{name: row[name] for name in was} for row, was in zip(found, expected, strict=True)] != expected:
            return False
    return True


def indexes(entity: Entity) -> list[Index]:
    """Those of the earlier version."""
    later = LATER[entity.name]
    return [one for one in entity.all_indexes if one not in (UNIQUE, BY_EMAIL) and not later.intersection(one.columns)]


def contact(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "customer_id": 1,
        "name": f"張偉{number} ",
        "phone": "13800138000",
        "email": f"{number}@example.com",
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "version": number,
        "im": {"微信": ["茶", number]},
        "门店": f"店{number}",
    }


def operator(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "login": f"o{number}",
        "name": f"操作员{number}",
        "role": "客户经理",
        "status": "在职",
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "备注": {"号": number},
    }


def _make(platform: Platform, entity: Entity, rows: int) -> list[dict[str, Any]]:
    later = LATER[entity.name]
    columns = [column for column in entity.attributes(binary_collation(platform)) if column.name not in later]
    in_mysql = sum(column.name not in later for column in entity.mysql_columns)
    platform.create_table(entity.name, columns, -1 if entity.in_both else in_mysql - 1, indexes=indexes(entity))
    platform.add_column(entity.name, OWN[entity.name], to="mysql")
    row = operator if entity.name == "operator" else contact
    platform.write_many(entity.name, map(row, range(1, rows + 1)))
    return list(platform.scan(entity.name))
