"""The highest revision that was ever given: no document can have a higher one."""

from __future__ import annotations

from collections.abc import Iterable

from platform_store.stores.base import RowStore


class Highest:
    """As it is known; it is asked for anew only where documents seem to be above it."""

    def __init__(self, rows: RowStore):
        self._journal = rows.journal
        self._known = 0

    def look_up(self, revisions: Iterable[object]) -> None:
        """Before :meth:`beyond` is asked about documents that were read just now."""
        top = max((one for one in revisions if isinstance(one, int)), default=0)
        if self._journal is not None and top > self._known:
            self._known = self._journal.position().next_revision - 1

    def beyond(self, revision: object) -> bool:
        """Whether a document's revision is above every one that was given."""
        return isinstance(revision, int) and revision > self._known and self._journal is not None
