"""What the process in charge and its workers tell each other: lines of JSON through pipes.

To a worker: first its task, then ``{"lane": ...}``, ``{"ceiling": rows a second}``, ``{"hold": true}``,
``{"until": ...}`` (see Tenure), ``{"halt": true}``; the end of the pipe ends it at once. From a worker:
``{"ready": true}``, ``{"rows": ..., "bytes": ...}`` after each page, ``{"lane": ...}`` as it stands when it is done or
halted, ``{"error": ...}``.
"""

from __future__ import annotations

import json
import threading
from typing import IO, Any

from platform_store import errors
from platform_store.errors import PlatformStoreError
from platform_store.migration.lanes import Throttle
from platform_store.migration.routes import Tenure
from platform_store.migration.state import Lane


def send(pipe: IO[str], message: dict[str, Any]) -> None:
    pipe.write(json.dumps(message, ensure_ascii=True) + "\n")
    pipe.flush()


def obey(message: dict[str, Any], throttle: Throttle, tenure: Tenure, halt: threading.Event) -> None:
    """Does what a worker is told while it goes through a lane."""
    if "ceiling" in message:
        throttle.rows_per_second = message["ceiling"]
    if "until" in message:
        tenure.until = message["until"]
    if "hold" in message:
        throttle.hold(message["hold"])
    if "halt" in message:
        halt.set()


def lane_to_plain(lane: Lane) -> dict[str, Any]:
    return {"number": lane.number, "done": lane.done, "state": lane.plain()}


def lane_from_plain(plain: dict[str, Any]) -> Lane:
    return Lane.of(plain["number"], plain["state"], done=plain["done"])


def error_to_plain(error: PlatformStoreError) -> dict[str, Any]:
    """An error of the library with its fields. A key that JSON has no form for comes as text."""
    return {
        "kind": type(error).__name__,
        "message": str(error),
        "fields": json.loads(json.dumps(vars(error), default=str)),
    }


def error_from_plain(plain: dict[str, Any]) -> PlatformStoreError:
    kind: type[PlatformStoreError] = getattr(errors, plain["kind"], PlatformStoreError)
    error = kind.__new__(kind)
    error.args = (plain["message"],)
    for name, value in plain["fields"].items():
        setattr(error, name, tuple(value) if name in ("columns", "key") and isinstance(value, list) else value)
    return error
