"""What MongoDB is asked for a reference: the conjuncts over its document columns that a document alone can fail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bson import json_util

from platform_store.query.document_filter import document_filter
from platform_store.query.predicates import rejects_null
from platform_store.query.restrict import Restriction


def document_condition(restriction: Restriction, *, mariadb: bool) -> tuple[Mapping[str, Any] | None, str]:
    """The filter, a superset, and the same for people. None: every document may matter."""
    number = restriction.reference.number
    parts = [
        part
        for one in restriction.own
        if rejects_null(one, number) and (part := document_filter(one, mariadb=mariadb)) is not None
    ]
    if not parts:
        return None, ""
    condition = parts[0] if len(parts) == 1 else {"$and": parts}
    return condition, json_util.dumps(condition, ensure_ascii=False)
