"""Who works here, and what they changed."""

from __future__ import annotations

from crm_model.entity import Entity, code, json, moment, reference, title

OPERATOR = Entity(
    "operator",
    """Someone who works with customers. In both stores: its labels group documents in MongoDB too.

    role: such as 客户经理; region: the province they work in; manager_id: the operator above them.
    """,
    (
        code("login", length=64),
        title("name"),
        code("role"),
        reference("manager_id", null=True),
        code("region"),
        code("status"),
    ),
    unique=("login",),
    in_both=True,
)

AUDIT_LOG = Entity(
    "audit_log",
    """One change of one row, never changed itself.

    entity and entity_id: the table and the id; trace_id: the same for all changes of one operation; before_state{}
    and after_state{}: the columns that changed; meta {ip, reason}.
    """,
    (
        reference("actor_id"),
        code("action"),
        code("entity"),
        reference("entity_id"),
        moment("at"),
        code("trace_id", length=36),
    ),
    json("before_state", "after_state", "meta"),
    indexes=(("entity", "entity_id", "at"),),
    append_only=True,
)
