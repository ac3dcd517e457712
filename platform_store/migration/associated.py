"""``migrate`` of a table in association: its columns change their placement, under live traffic.

Rows are never copied past the association: MySQL keeps the keys and decides which rows there are, so that a document
without a row cannot come back as one.
"""

from __future__ import annotations

import threading
import time
from typing import Final

from platform_store.association import Association
from platform_store.errors import NotSupported
from platform_store.migration.move import Mover
from platform_store.migration.pace import Pace
from platform_store.migration.prepare import Asked
from platform_store.records import Direction, Migrated, MigrationPlan, Placement

_MOST_LOCKED: Final = 500  # rows at a time
_TARGET: Final[dict[Direction, Placement]] = {"mysql-to-mongodb": "mongodb", "mongodb-to-mysql": "mysql"}


def migrate_associated(
    mover: Mover, association: Association, asked: Asked, *, pace: Pace, halt: threading.Event, batch_rows: int
) -> Migrated:
    """See :meth:`Platform.migrate`.

    Of a copy to MongoDB, ``start`` and ``stop`` say which documents get copies; a copy to MySQL is always of the whole
    table, since MySQL answers for columns in both stores.
    """
    names, to = _columns(association, asked)
    began = time.monotonic()
    direction, mode = asked.direction, asked.mode
    if not names:
        return Migrated(
            0, association.name, direction, mode, "done", 0, 0, 0.0, 0, 0, True, (), _left(association, asked)
        )
    bounds = (asked.start, asked.stop) if direction == "mysql-to-mongodb" else (None, None)
    moved = mover.move(
        association.name, names, to, pace=pace, halt=halt, batch_rows=min(batch_rows, _MOST_LOCKED), bounds=bounds
    )
    return Migrated(
        job=moved.job,
        table=association.name,
        direction=direction,
        mode=mode,
        status=moved.status,
        rows=moved.rows,
        bytes=pace.bytes,
        seconds=time.monotonic() - began,
        rounds=2,
        changed=moved.rewritten,
        settled=moved.status == "done",
        carried=_carried(association),
        left=_left(association, asked),
    )


def plan_associated(mover: Mover, association: Association, asked: Asked) -> MigrationPlan:
    """What :func:`migrate_associated` would do. Raises what it would raise."""
    names, to = _columns(association, asked)
    if names:
        mover.check(association, names, to)
    return MigrationPlan(
        table=association.name,
        direction=asked.direction,
        mode=asked.mode,
        rows=mover.about_rows(association),
        bytes=0,
        seconds=0.0,
        target=f"{', '.join(names) or 'no column'} of table {association.name} to {to}",
        schema=None,
        exceptions=(),
        carried=_carried(association),
        left=_left(association, asked),
    )


def _columns(association: Association, asked: Asked) -> tuple[list[str], Placement]:
    """Which columns go where: a copy makes the placement of the source's columns "both", a move the other store's.

    Raises NotSupported for a range that is to be moved.
    """
    columns = [column for column in association.columns if not column.key]
    if asked.mode == "move":
        if asked.start is not None or asked.stop is not None:
            raise NotSupported(
                "moving a key range of a table in association",
                "is not supported: a column lives in one store for all rows",
            )
        return [column.name for column in columns], _TARGET[asked.direction]
    from_mysql = asked.direction == "mysql-to-mongodb"
    return [one.name for one in columns if (one.in_mysql if from_mysql else one.in_mongodb)], "both"


def _carried(association: Association) -> tuple[str, ...]:
    return tuple(f"index ({', '.join(index.columns)})" for index in association.indexes)


def _left(association: Association, asked: Asked) -> tuple[str, ...]:
    if association.extra and asked.direction == "mongodb-to-mysql":
        return ("extra fields stay in the documents",)
    return ()
