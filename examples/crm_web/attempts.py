"""Attempts to sign in: a few wrong ones, and one has to wait."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Final

MOST: Final = 8
SECONDS: Final = 300.0
_KEYS: Final = 10_000


class Attempts:
    """Counts failures by login and by address, in this process.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._failed: dict[str, deque[float]] = {}
        self._lock = Lock()

    def begin(self, *keys: str) -> bool:
        """Counts an attempt of each, failed until :meth:`succeeded` is called; False where one had too many lately.

        At once, so that no burst gets past it. Of very many keys the oldest are forgotten.
        """
        now = self._clock()
        with self._lock:
            if any(sum(at > now - SECONDS for at in self._failed.get(key, ())) >= MOST for key in keys):
                return False
            for key in keys:
                failures = self._failed.pop(key, deque(maxlen=MOST))
                failures.append(now)
                self._failed[key] = failures
            while len(self._failed) > _KEYS:
                del self._failed[next(iter(self._failed))]
            return True

    def succeeded(self, login: str, address: str) -> None:
        """Forgets the failures of a login; of an address only the attempt that did not fail."""
        with self._lock:
            self._failed.pop(login, None)
            if failures := self._failed.get(address):
                failures.pop()
