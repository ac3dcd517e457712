"""What every change of stock leaves behind."""

from __future__ import annotations

from crm_model.changes import Changes
from crm_model.entities import Gift, StockMove, VipCard
from crm_model.model import Json


def note_move(
    changes: Changes,
    item: Gift | VipCard,
    qty: int,
    kind: str,
    from_: str | None,
    to: str | None,
    document: Json = None,
) -> StockMove:
    """Adds a ``stock_move`` of the operator at work. ``from_``, ``to``: None for outside."""
    move = StockMove(
        item_type=item.table,
        item_id=item.id,
        qty=qty,
        kind=kind,
        from_loc=from_,
        to_loc=to,
        operator_id=changes.actor.operator_id,
        at=changes.at,
        document=document,
    )
    return changes.add(move)
