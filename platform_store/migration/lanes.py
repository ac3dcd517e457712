"""Going through a lane page by page, no faster than allowed, until it is done or the work is halted."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, Protocol

from platform_store.attempts import retried
from platform_store.errors import OutcomeUnknown, TransientError, Unavailable
from platform_store.migration.compare import Compared
from platform_store.migration.routes import Route
from platform_store.migration.state import Lane

logger = logging.getLogger("platform_store")

_PASSING: Final = (TransientError, Unavailable, OutcomeUnknown)
_BURST: Final = 1.0  # seconds of rows that may be caught up with
_RETRIES: Final = 8
_RETRY_AFTER: Final = 0.25  # seconds, doubled each time: an election, or a restart, is outlasted


class Page(Protocol):
    """Goes through one page of a lane."""

    def __call__(self, *, fresh: bool) -> Lane: ...


class Throttle:
    """How soon the next page may begin: a ceiling of rows a second, and a stop while MySQL has too much to do.

    Safe between threads: one goes through pages, another sets the ceiling and holds. Ends all waits at ``halt``.
    """

    def __init__(self, halt: threading.Event, rows_per_second: float | None, tell: Callable[[int, int], None]):
        self._halt, self._tell = halt, tell
        self.rows_per_second = rows_per_second
        self._flowing = threading.Event()
        self._flowing.set()
        self._due = time.monotonic()

    def hold(self, held: bool) -> None:
        """Lets no page begin, or lets them begin again."""
        if held:
            self._flowing.clear()
        else:
            self._flowing.set()

    def ready(self) -> None:
        while not self._flowing.wait(timeout=0.2) and not self._halt.is_set():
            pass

    def did(self, rows: int, size: int) -> None:
        self._tell(rows, size)
        ceiling = self.rows_per_second
        if ceiling is not None and rows:
            self._due = max(self._due, time.monotonic() - _BURST) + rows / ceiling
            self._halt.wait(max(0.0, self._due - time.monotonic()))


class LaneRunner:
    """Works through lanes on one route. ``fresh``: the target was empty when the job began."""

    def __init__(self, route: Route, halt: threading.Event, throttle: Throttle, *, fresh: bool):
        self._route, self._halt, self._throttle, self._fresh = route, halt, throttle, fresh

    def run(self, lane: Lane, *, again: bool) -> Lane:
        """The lane as it stands at its end, or where the work was halted.

        ``again``: somebody has worked on it before, who may have written more than is remembered.
        """
        pages = self._compared(lane) if lane.phase == "catch-up" else self._pages(lane, again=again)
        for after in pages:
            self._throttle.did(after.rows - lane.rows, after.bytes - lane.bytes)
            lane = after
            if self._halt.is_set():
                break
            self._throttle.ready()
        return lane

    def _pages(self, lane: Lane, *, again: bool) -> Iterator[Lane]:
        step = self._route.move if lane.phase == "move" else self._route.copy
        fresh = self._fresh and lane.round == 1
        while not lane.done:
            lane = self._insistently(partial(step, lane), fresh=fresh and not again)
            yield lane
            again = False

    def _compared(self, lane: Lane) -> Iterator[Lane]:
        """Ranges are compared one after the other; after a failure, from the last that was mended."""
        ranges: Iterator[Compared] | None = None
        while not lane.done:
            if ranges is None:
                ranges = self._route.compared(lane)
            try:
                lane = self._mended(lane, ranges)
            except _PASSING:
                ranges = None
                lane = self._insistently(partial(self._mended_anew, lane), fresh=False)
            yield lane

    def _mended(self, lane: Lane, ranges: Iterator[Compared]) -> Lane:
        compared = next(ranges, None)
        return self._route.end(lane) if compared is None else self._route.mend(lane, compared)

    def _mended_anew(self, lane: Lane, *, fresh: bool) -> Lane:  # noqa: ARG002 - what is there is compared
        return self._mended(lane, self._route.compared(lane))

    def _insistently(self, page: Page, *, fresh: bool) -> Lane:
        """Tries a page again after a deadlock, or while a store is away for a short time."""
        for attempt in range(_RETRIES):
            try:
                return page(fresh=fresh and attempt == 0)
            except _PASSING as error:
                if attempt == _RETRIES - 1 or self._halt.is_set():
                    raise
                logger.info("a page is tried again: %s", error)
                retried()
                self._halt.wait(_RETRY_AFTER * 2**attempt)
        raise AssertionError("range() does not end before its last")
