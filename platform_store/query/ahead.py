"""Reading ahead: while one batch is worked on, a thread fetches the next."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextvars import copy_context
from typing import Final, TypeVar

T = TypeVar("T")

_DEPTH: Final = 2


class _End:
    """What the thread puts last: that there is no more, or why not."""

    def __init__(self, error: BaseException | None):
        self.error = error


def ahead(batches: Iterator[T]) -> Iterator[T]:
    """The same batches, up to two of them fetched beforehand. Closing it ends the thread, and closes ``batches``."""
    fetched: queue.Queue[T | _End] = queue.Queue(_DEPTH)
    stopped = threading.Event()
    at_work = copy_context().run  # the thread works for the operation of this one
    thread = threading.Thread(
        target=at_work, args=(_fetch, batches, fetched, stopped), name="platform_store-query", daemon=True
    )
    thread.start()
    batch: T | _End | None = None
    try:
        while not isinstance(batch := fetched.get(), _End):
            yield batch
        if batch.error is not None:
            raise batch.error
    finally:
        stopped.set()
        while not isinstance(batch, _End):  # the thread may be waiting for room
            batch = fetched.get()
        thread.join()


def _fetch(batches: Iterator[T], fetched: queue.Queue[T | _End], stopped: threading.Event) -> None:
    error: BaseException | None = None
    try:
        for batch in batches:
            fetched.put(batch)
            if stopped.is_set():
                break
    except BaseException as raised:  # noqa: BLE001 - raised by whoever takes the batches
        error = raised
    finally:
        close = getattr(batches, "close", None)
        if close is not None:
            close()
        fetched.put(_End(error))
