"""Two of the questions as they are answered without a query engine: fetch both tables, join them in Python.

Of each table only the columns that are needed are fetched, from MySQL and from MongoDB, and every row of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from pymongo.database import Database
from pymysql.connections import Connection
from pymysql.cursors import Cursor

Row: TypeAlias = tuple[Any, ...]
Answers: TypeAlias = "Callable[[Connection[Cursor], Database[dict[str, Any]]], list[Row]]"


def last_visits(connection: Connection[Cursor], database: Database[dict[str, Any]]) -> list[Row]:
    """Question 1."""
    customers = {
        number
        for number, city, vip_level, del_token in _rows(connection, "id, city, vip_level, del_token", "customer")
        if city == "北京" and vip_level >= 3 and del_token == 0
    }
    visits = _rows(connection, "id, customer_id, kind, occurred_at", "activity")
    summaries = _documents(database, "activity", "summary")
    last: dict[int, datetime] = {}
    for _, customer, kind, occurred in visits:
        if kind == "visit" and customer in customers:
            last[customer] = max(occurred, last.get(customer, occurred))
    return [
        (customer, summaries[number])
        for number, customer, kind, occurred in visits
        if kind == "visit" and last.get(customer) == occurred and "联通" in (summaries.get(number) or "")
    ]


def effects_of_care(connection: Connection[Cursor], database: Database[dict[str, Any]]) -> list[Row]:
    """Question 10."""
    broken = {number for number, stage in _rows(connection, "id, stage", "customer") if stage == "破裂"}
    cares = _documents(database, "activity", "care")
    reached: dict[str | None, set[int]] = defaultdict(set)
    for number, customer, kind in _rows(connection, "id, customer_id, kind", "activity"):
        if kind == "care" and customer in broken:
            care = cares.get(number)
            reached[care.get("effect") if isinstance(care, dict) else None].add(customer)
    return [(effect, len(customers)) for effect, customers in reached.items()]


BY_HAND: Mapping[int, Answers] = {1: last_visits, 10: effects_of_care}
"""By the number of the question."""


def _rows(connection: Connection[Cursor], columns: str, table: str) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {table}")
        return list(cursor.fetchall())


def _documents(database: Database[dict[str, Any]], table: str, field: str) -> dict[int, Any]:
    """The field of every document, by the row's key."""
    return {document["_id"]: document.get(field) for document in database[table].find({}, {field: 1})}
