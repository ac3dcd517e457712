"""Which columns are in both stores, and so have to say the same in both."""

from __future__ import annotations

from dataclasses import dataclass

from platform_store.association import Association, Column
from platform_store.stores.base import RowStore
from platform_store.stores.jobs import MOVE_COLUMN

_UNREADY = frozenset({"prepare", "fill", "verify"})


@dataclass(frozen=True, slots=True)
class Twofold:
    """``copies``: MySQL answers, and documents follow. ``shadows``: documents answer, and MySQL follows.

    ``filling``: columns on the move, which not every row has in both stores yet; no shadow is one of them.
    """

    copies: tuple[Column, ...]
    shadows: tuple[Column, ...]
    filling: frozenset[str]

    @property
    def columns(self) -> tuple[Column, ...]:
        return (*self.copies, *self.shadows)


def twofold(rows: RowStore, association: Association) -> Twofold:
    """As it is at the epoch of this association: a move goes on by new ones."""
    job = rows.jobs.find(MOVE_COLUMN, association.name)
    unready = job is not None and (job.state.get("phase") in _UNREADY or bool(job.state.get("back")))
    filling = frozenset(job.spec["columns"]) if job is not None and unready else frozenset()
    shadows = tuple(one for one in association.columns if one.shadow and one.name not in filling)
    return Twofold(association.copies, shadows, filling)
