"""The page after this one, read by a thread while this one is written."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, Generic, NamedTuple, TypeVar

P = TypeVar("P")
_FRESH: Final = 2.0  # seconds; whatever was read before that is read again


class Range(NamedTuple):
    """What is left of a range: strictly after ``after``, else from ``start`` on; ``stop`` included."""

    after: Any
    start: Any
    stop: Any


class _Begun(NamedTuple, Generic[P]):
    range: Range
    at: float
    page: Future[P]


class ReadAhead(Generic[P]):
    """Reads pages. ``last``: of a page, where to go on after; None where it is the last.

    A page is as old as the writing of the one before it: what other writers changed meanwhile is theirs to find who
    compare both sides. Not for several threads.
    """

    def __init__(self, read: Callable[[Range], P], last: Callable[[P], Any]):
        self._read, self._last = read, last
        self._thread = ThreadPoolExecutor(1, "platform_store-read-ahead")
        self._begun: _Begun[P] | None = None

    def __call__(self, wanted: Range) -> P:
        begun, self._begun = self._begun, None
        if begun is not None and begun.range == wanted and _now() - begun.at < _FRESH:
            page = begun.page.result()
        else:
            page = self._read(wanted)
        last = self._last(page)
        if last is not None:
            following = wanted._replace(after=last)
            self._begun = _Begun(following, _now(), self._thread.submit(self._read, following))
        return page


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)  # goes on while the machine sleeps
