"""Rows that others refer to: there, live, and of the same customer."""

from __future__ import annotations

from typing import Final

from crm_model.changes import Changes
from crm_model.errors import InvalidInput, NotFound
from crm_model.model import Record

_LOOKED_AT: Final = ("id", "customer_id", "del_token")


def check_reference(changes: Changes, field: str, model: type[Record], key: int, customer_id: int) -> None:
    """Whether a row of a customer, which is locked, may refer to this one by ``field``.

    Raises NotFound where there is no such live row, InvalidInput where it is another customer's.
    """
    declared = model.__dataclass_fields__
    row = changes.tx.read(model.table, key, columns=[name for name in _LOOKED_AT if name in declared])
    if row is None or row.get("del_token"):
        raise NotFound(model.table, key, archived=row is not None)
    if row.get("customer_id", customer_id) != customer_id:
        raise InvalidInput(
            field,
            "of-another-customer",
            f"{model.table} {key} is not of customer {customer_id}; give one that is",
            table=model.table,
            key=key,
            customer_id=customer_id,
        )
