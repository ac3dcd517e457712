"""What the services of the CRM read, written by hand over the library's own tables and collections.

Each read is a statement to MySQL and a find for the documents of its rows; nobody is asked for permission, and nothing
guards against a document of another version than its row.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeAlias

from pymongo.database import Database
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from crm_model import Record
from crm_model.entities import Activity, BillingCustomer, Contact, Customer, Opportunity, Task, VipCard
from crm_model.entities.states import OPEN_STAGES, OPEN_TASKS, ORDER_CANCELLED

Row: TypeAlias = dict[str, Any]
Place: TypeAlias = tuple[datetime, int]

LISTED: Final = 50
_NEWEST_FIRST: Final = "ORDER BY occurred_at DESC, id DESC LIMIT %s"


class CrmByHand:
    """PyMySQL and PyMongo, one open connection each. ``connection`` is in autocommit mode."""

    def __init__(self, connection: Connection[Cursor], database: Database[dict[str, Any]]):
        self._cursor, self._database = connection.cursor(), database

    def timeline(self, customer_id: int, before: Place | None, limit: int) -> list[Row]:
        """A page of a customer's activities."""
        if before is None:
            return self._rows(Activity, f"customer_id = %s AND del_token = 0 {_NEWEST_FIRST}", [customer_id, limit])
        condition = "customer_id = %s AND del_token = 0 AND (occurred_at < %s OR (occurred_at = %s AND id < %s))"
        return self._rows(Activity, f"{condition} {_NEWEST_FIRST}", [customer_id, before[0], *before, limit])

    def customer_360(self, customer_id: int, n: int, now: datetime) -> list[Any]:
        """The parts of the whole view, one read after the other."""
        own = "customer_id = %s AND del_token = 0"
        return [
            self._rows(Customer, "id = %s AND del_token = 0", [customer_id]),
            self._rows(Contact, f"{own} ORDER BY is_primary DESC, id LIMIT %s", [customer_id, LISTED]),
            self._rows(VipCard, own, [customer_id]),
            self._rows(BillingCustomer, f"{own} ORDER BY arpu_3m DESC, id LIMIT %s", [customer_id, LISTED]),
            self._rows(
                Opportunity,
                f"{own} AND stage IN %s ORDER BY last_stage_at DESC, id DESC LIMIT %s",
                [customer_id, OPEN_STAGES, LISTED],
            ),
            self._rows(Task, f"{own} AND status IN %s ORDER BY due_at, id LIMIT %s", [customer_id, OPEN_TASKS, LISTED]),
            self._one(
                f"SELECT COUNT(*), SUM(amount), MAX(ordered_at) FROM sales_order WHERE {own} AND status <> %s",
                [customer_id, ORDER_CANCELLED],
            ),
            self._one(
                f"SELECT ROUND(AVG(score), 2) FROM feedback WHERE {own} AND occurred_at BETWEEN %s AND %s",
                [customer_id, now - timedelta(days=180), now + timedelta(days=1)],
            ),
            self.timeline(customer_id, None, n),
        ]

    def places(self, customer_id: int) -> list[Place]:
        """Where each live activity of a customer is in the timeline, the newest first."""
        self._cursor.execute(
            "SELECT occurred_at, id FROM activity WHERE customer_id = %s AND del_token = 0"
            " ORDER BY occurred_at DESC, id DESC",
            [customer_id],
        )
        return list(self._cursor.fetchall())

    def _rows(self, model: type[Record], condition: str, parameters: Sequence[object]) -> list[Row]:
        names = [column.name for column in model.declaration.mysql_columns]
        self._cursor.execute(f"SELECT {', '.join(names)} FROM {model.table} WHERE {condition}", parameters)
        rows = [dict(zip(names, row, strict=True)) for row in self._cursor.fetchall()]
        fields = [column.name for column in model.declaration.documents]
        keys = [row["id"] for row in rows]
        if keys:
            found = self._database[model.table].find({"_id": {"$in": keys}}, batch_size=len(keys))
            documents = {document["_id"]: document for document in found}
            for row in rows:
                document = documents[row["id"]]
                row.update((field, _value(document.get(field))) for field in fields)
        return rows

    def _one(self, statement: str, parameters: Sequence[object]) -> tuple[Any, ...]:
        self._cursor.execute(statement, parameters)
        row = self._cursor.fetchone()
        assert row is not None, "it is an aggregate of all rows"
        return tuple(value if value is not None else Decimal(0) for value in row)


def _value(stored: Any) -> Any:
    """A JSON value that BSON has no form for is kept as its text, JSON's null among them."""
    return stored["_json"] if type(stored) is dict and "_json" in stored else stored
