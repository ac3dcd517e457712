"""The states of rows as JSON, for the audit log, and back without a loss.

A JSON document has no DECIMAL, no date, and cannot tell SQL's NULL from one of its own: values of those columns are
text, ``{"$json": "null"}`` is JSON's null, and each column's type says what its text was.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from crm_model.model import Record
from platform_store import JsonText

_JSON: Final = "$json"


def encoded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Columns with their values, as an audit entry keeps them."""
    return {name: _encoded(value) for name, value in values.items()}


def decoded(model: type[Record], state: Mapping[str, Any]) -> dict[str, Any]:
    """What :func:`encoded` was given."""
    declared = model.declaration
    types = {column.name: column.type for column in (*declared.mysql_columns, *declared.documents)}
    return {name: _decoded(types[name], value) for name, value in state.items()}


def _encoded(value: Any) -> Any:
    if isinstance(value, JsonText):
        return {_JSON: str(value)}
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _decoded(type_: str, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, dict) and value.keys() == {_JSON}:
        return JsonText(value[_JSON])
    if type_.startswith("DECIMAL"):
        return Decimal(value)
    if type_.startswith("DATETIME"):
        return datetime.fromisoformat(value)
    return date.fromisoformat(value) if type_ == "DATE" else value
