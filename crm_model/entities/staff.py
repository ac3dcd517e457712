"""Who works here, and what they changed."""

from __future__ import annotations

from datetime import datetime

from crm_model import column
from crm_model.model import Json, Record, Standard


class Operator(Standard, table="operator", unique=("login",), in_both=True):
    """Someone who works with customers. In both stores: its labels group documents in MongoDB too.

    role: such as 客户经理; region: the province they work in; manager_id: the operator above them.
    """

    login: str = column.code(length=64)
    name: str = column.title()
    role: str = column.code()
    manager_id: int | None = column.reference(default=None)
    region: str = column.code()
    status: str = column.code()


class AuditLog(Record, table="audit_log", indexes=(("entity", "entity_id", "at"), "trace_id")):
    """One change of one row, never changed itself.

    entity and entity_id: the table and the id; trace_id: the same for all changes of one operation; before_state{}
    and after_state{}: the columns that changed; meta {ip, reason}.
    """

    actor_id: int = column.reference()
    action: str = column.code()
    entity: str = column.code()
    entity_id: int = column.reference(by="entity")
    at: datetime = column.moment()
    trace_id: str = column.code(length=36)
    before_state: Json = column.json(default=None)
    after_state: Json = column.json(default=None)
    meta: Json = column.json(default=None)
