"""Waiting for something to come true: as long as the slowest machine may need, and no longer than it takes."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 120.0
"""Seconds after which it will not come true any more. A test that passes never waits so long, however slow the machine
is: a smaller figure would only make a busy one fail."""

_POLL = 0.01


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float = PATIENCE) -> None:
    """Waits for ``condition``. Raises TimeoutError, which says ``what`` was waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds:.0f} s it is not so that {what}")
        time.sleep(_POLL)
