"""Holding MySQL's journal for a backup: what is confirmed in MongoDB stays in it, marked as kept.

Who holds it is in the state row, which every removal locks first. Once nobody does, the sweep removes what was kept as
it does everything else: where a majority has it, and otherwise after bringing it there. So nobody has to know whether
this is where the hold began or a copy that was restored, be it into the same database. Kept entries are never pending
again: that would fill the journal, and a query would take an older one for the newest.
"""

from __future__ import annotations

import hashlib
import secrets

from platform_store.stores.base import Kept
from platform_store.stores.mysql import MysqlConnections
from platform_store.stores.mysql_session import MysqlSession
from platform_store.stores.mysql_sql import JOURNAL, KEPT, STATE

_UNTIL = "CURRENT_TIMESTAMP(3) + INTERVAL %s SECOND"
_HOLD = f"UPDATE {STATE} SET held_by = %s, held_until = {_UNTIL} WHERE id = 1 AND held_by IS NULL"
_KEEP = f"UPDATE {STATE} SET held_until = {_UNTIL} WHERE id = 1 AND held_by = %s"
_LET_GO = f"UPDATE {STATE} SET held_by = NULL, held_until = NULL WHERE id = 1 AND held_by = %s"
_STANDING = f"SELECT held_by, held_until < CURRENT_TIMESTAMP(3) OR held_by NOT LIKE %s FROM {STATE} WHERE id = 1"
_KEPT = f"SELECT COUNT(*), COALESCE(SUM(size), 0) FROM {JOURNAL} WHERE state = {KEPT}"


class MysqlHold:
    """See :class:`platform_store.stores.base.JournalStore`: the parts about a hold."""

    def __init__(self, connections: MysqlConnections, database: str):
        self._connections, self._database = connections, database

    def hold(self, seconds: float) -> str | None:
        with self._connections.lease() as session:
            holder = f"{self._place(session)}-{secrets.token_hex(12)}"
            return holder if session.execute(_HOLD, [holder, seconds]) == 1 else None

    def keep_hold(self, holder: str, seconds: float) -> Kept | None:
        with self._connections.lease() as session:
            if session.execute(_KEEP, [seconds, holder]) != 1:
                return None
            ((entries, size),) = session.rows(_KEPT)
        return Kept(int(entries), int(size))

    def let_go(self, holder: str) -> bool:
        with self._connections.lease() as session:
            return session.execute(_LET_GO, [holder]) == 1

    def end_lapsed_hold(self) -> None:
        with self._connections.lease() as session:
            ((holder, lapsed),) = session.rows(_STANDING, [f"{self._place(session)}-%"])
            if lapsed:
                session.execute(_LET_GO, [holder])

    def _place(self, session: MysqlSession) -> str:
        """Of this start of this server, and this database: a copy of it is elsewhere."""
        return hashlib.sha256(f"{session.server}/{self._database}".encode()).hexdigest()[:32]
