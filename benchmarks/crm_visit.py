"""A visit logged: one operation of the CRM that writes, against the same written by hand.

By hand it is the customer's row locked, the activity and the audit entry in one transaction of MySQL, then a document
for each of the two. Into tables of its own, made like the library's.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from pymongo.database import Database
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from benchmarks.harness import Prepared, Size, Variant, compare
from benchmarks.sides import BY_HAND, LIBRARY
from crm_model import Crm, Record
from crm_model.entities import Activity, AuditLog
from crm_model.entities.states import VISIT

Visit: TypeAlias = tuple[int, dict[str, Any]]
"""A customer and what is said of the visit."""

_SEED: Final = 43
_OPERATOR: Final = 1
_CHANNEL: Final = "上门"


class VisitsByHand:
    """PyMySQL and PyMongo, one open connection each."""

    def __init__(self, connection: Connection[Cursor], database: Database[dict[str, Any]]):
        self._connection, self._cursor, self._database = connection, connection.cursor(), database
        for model in (Activity, AuditLog):
            self._cursor.execute(f"CREATE TABLE IF NOT EXISTS {_own(model)} LIKE {model.table}")

    def log_visit(self, customer_id: int, details: dict[str, Any], now: datetime) -> None:
        facts = {"customer_id": customer_id, "operator_id": _OPERATOR, "kind": VISIT, "channel": _CHANNEL}
        activity = {**facts, **details, "occurred_at": now, "created_at": now, "updated_at": now}
        self._connection.begin()
        self._cursor.execute("SELECT * FROM customer WHERE id = %s AND del_token = 0 FOR UPDATE", [customer_id])
        assert self._cursor.fetchone()
        key = self._insert(Activity, activity)
        entry = {
            "actor_id": _OPERATOR,
            "action": "log_visit",
            "entity": Activity.table,
            "entity_id": key,
            "at": now,
            "trace_id": str(uuid.uuid4()),
            "after_state": {**activity, **dict.fromkeys(("occurred_at", "created_at", "updated_at"), now.isoformat())},
        }
        entry_key = self._insert(AuditLog, entry)
        self._connection.commit()
        self._put(Activity, key, activity)
        self._put(AuditLog, entry_key, entry)

    def logged(self) -> list[tuple[int, str]]:
        """Whom the visits were to, and what was said."""
        self._cursor.execute(f"SELECT id, customer_id FROM {_own(Activity)}")
        said = {one["_id"]: one["summary"] for one in self._database[_own(Activity)].find({}, {"summary": 1})}
        return sorted((customer, said[key]) for key, customer in self._cursor.fetchall())

    def _insert(self, model: type[Record], values: dict[str, Any]) -> int:
        names = [one.name for one in model.declaration.mysql_columns if one.name in values]
        marks = ", ".join(["%s"] * len(names))
        statement = f"INSERT INTO {_own(model)} ({', '.join(f'`{name}`' for name in names)}) VALUES ({marks})"
        self._cursor.execute(statement, [values[name] for name in names])
        return int(self._cursor.lastrowid)

    def _put(self, model: type[Record], key: int, values: dict[str, Any]) -> None:
        fields = {one.name: values[one.name] for one in model.declaration.documents if one.name in values}
        self._database[_own(model)].insert_one({"_id": key, **fields})


def log_visit(crm: Crm, by_hand: VisitsByHand, customers: Sequence[int], size: Size) -> Prepared:
    """Visits to customers as they come."""
    now = crm.clock()

    def visits(number: int) -> list[Visit]:
        draw = random.Random(_SEED << 32 | number)
        return [(draw.choice(customers), _details(draw)) for _ in range(size.calls)]

    variants = (
        Variant(BY_HAND, lambda visit: by_hand.log_visit(visit[0], visit[1], now)),
        Variant(LIBRARY, lambda visit: crm.log_visit(visit[0], channel=_CHANNEL, **visit[1]), crm.platform.recover),
    )

    def check() -> None:
        found = crm.platform.find(Activity.table, {"occurred_at": now, "kind": VISIT, "operator_id": _OPERATOR})
        own = {said for number in range(size.blocks) for _, details in visits(number) for said in [details["summary"]]}
        logged = sorted((row["customer_id"], row["summary"]) for row in found if row["summary"] in own)
        compare(by_hand.logged(), logged, "visits")

    return Prepared(variants, visits, check)


def _details(draw: random.Random) -> dict[str, Any]:
    return {
        "summary": f"谈了专线续约,对报价有异议,约定下周再访 {draw.getrandbits(64)}",
        "competitors": [{"name": "联通", "quote": f"报价低{draw.randrange(5, 30)}%"}],
        "outcome": {"intent": draw.choice("高中低"), "next_step": "发送报价"},
        "duration_min": draw.randrange(10, 90),
    }


def _own(model: type[Record]) -> str:
    return f"{model.table}_by_hand"
