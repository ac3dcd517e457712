"""How fast a long operation goes: a ceiling of rows a second, and its progress."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from platform_store.records import Progress

_WINDOW: Final = 10.0  # seconds that the rate shown is of


class Pace:
    """Holds an operation to ``rows_per_second`` (None: no ceiling), and tells how far it is after each batch."""

    def __init__(
        self,
        halt: threading.Event,
        *,
        rows_per_second: float | None = None,
        tell: Callable[[Progress], None] | None = None,
    ):
        self._halt, self._ceiling, self._tell = halt, rows_per_second, tell
        self._due = time.monotonic()
        self._begin("", None, 0)

    def begin(self, phase: str, total: int | None, rows: int = 0) -> None:
        """A phase begins, or is taken up again after ``rows``."""
        self._begin(phase, total, rows)
        self._report(0)

    def did(self, rows: int, size: int = 0) -> None:
        """A batch is done; waits for as long as the ceiling asks for."""
        self.rows += rows
        self.bytes += size
        self._report(rows)
        if self._ceiling is not None:
            self._due = max(self._due, time.monotonic() - 1.0) + rows / self._ceiling
            self._halt.wait(max(0.0, self._due - time.monotonic()))

    def _begin(self, phase: str, total: int | None, rows: int) -> None:
        self.phase, self._total, self.rows, self.bytes = phase, total, rows, 0
        self._recent: deque[tuple[float, int]] = deque([(time.monotonic(), rows)])

    def _report(self, rows: int) -> None:
        now = time.monotonic()
        if rows:
            self._recent.append((now, self.rows))
        while len(self._recent) > 2 and now - self._recent[0][0] > _WINDOW:
            self._recent.popleft()
        if self._tell is None:
            return
        began, before = self._recent[0]
        rate = (self.rows - before) / (now - began) if now > began else 0.0
        left = None if self._total is None or rate == 0 else max(0.0, (self._total - self.rows) / rate)
        self._tell(Progress(self.phase, self.rows, self._total, self.bytes, rate, left))
