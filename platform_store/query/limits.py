"""How much one query may stage, and how long it may take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from platform_store.association import Association
from platform_store.config import QueryConfig
from platform_store.errors import LimitExceeded, PlatformStoreError
from platform_store.stores.base import Cursor


class Spending:
    """Counts what one query stages. Raises LimitExceeded once it is too much, naming the table and what would help."""

    def __init__(self, limits: QueryConfig, began: float):
        """``began``: when the query did, by ``time.monotonic()``; there may have been attempts before this one."""
        self._limits = limits
        self._began = began
        self.rows = self.bytes = 0

    def add(self, association: Association, rows: int, size: int) -> None:
        self.rows += rows
        self.bytes += size
        for name, spent, allowed in (
            ("max_rows", self.rows, self._limits.max_rows),
            ("max_bytes", self.bytes, self._limits.max_bytes),
        ):
            if spent > allowed:
                raise LimitExceeded(f"query.{name}", allowed, advice(association), table=association.name)
        self.check(association)

    def check(self, association: Association) -> None:
        if self.seconds_left <= 0:
            raise LimitExceeded("query.timeout", self._limits.timeout, advice(association), table=association.name)

    @property
    def seconds_left(self) -> float:
        return self._began + self._limits.timeout - time.monotonic()

    def timed_out(self) -> LimitExceeded:
        """For a query that was ended by its alarm."""
        return LimitExceeded("query.timeout", self._limits.timeout, "add conditions, or raise it")


def advice(association: Association) -> str:
    """Which conditions make MySQL say which documents are needed."""
    first = [association.key_names[0], *(one.columns[0] for one in association.indexes)]
    names = [name for name in dict.fromkeys(first) if association.by_name[name].in_mysql]
    others = [column.name for column in association.mysql_columns if not column.key and column.name not in names]
    columns = ", ".join([*names, *others][:6])
    return f"add a condition on a column that MySQL holds ({columns}), or raise the limit"


class Alarm:
    """Calls ``ring`` after so many seconds, unless it is stopped."""

    def __init__(self, seconds: float, ring: Callable[[], None]):
        self.rung = False
        self._ring = ring
        self._timer = threading.Timer(max(seconds, 0.0), self._run)
        self._timer.daemon = True
        self._timer.start()

    def _run(self) -> None:
        self.rung = True
        self._ring()

    def stop(self) -> None:
        self._timer.cancel()


class AlarmedCursor:
    """A result whose alarm goes on until it is read or closed. Raises what ``timed_out`` gives once it has rung."""

    def __init__(self, cursor: Cursor, alarm: Alarm, timed_out: Callable[[], LimitExceeded]):
        self.columns = cursor.columns
        self._cursor, self._alarm, self._timed_out = cursor, alarm, timed_out

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        try:
            for row in self._cursor:
                if self._alarm.rung:
                    raise self._timed_out()
                yield row
        except PlatformStoreError:
            if self._alarm.rung:
                raise self._timed_out() from None
            raise

    def close(self) -> None:
        self._alarm.stop()
        self._cursor.close()


def within(seconds: float, cursor: Cursor) -> Cursor:
    """A result of a store that cannot be interrupted: the time is looked at between rows."""
    timed_out = LimitExceeded("query.timeout", seconds, "add conditions, or allow more seconds")
    return AlarmedCursor(cursor, Alarm(seconds, lambda: None), lambda: timed_out)
