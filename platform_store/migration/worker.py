"""A worker process of a migration: ``python -m platform_store.migration.worker``, told everything through its stdin.

It goes through the lanes that it is given, one after the other. Should the process in charge die, the pipe ends, and
so does this one, wherever it is: whatever it does may be broken off.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from typing import IO, Any

from platform_store.errors import PlatformStoreError
from platform_store.migration.ends import opened
from platform_store.migration.lanes import LaneRunner, Throttle
from platform_store.migration.messages import error_to_plain, lane_from_plain, lane_to_plain, obey, send
from platform_store.migration.routes import Tenure, now, route
from platform_store.shapes.shape import Shape


def main() -> None:
    """Serves one migration until its pipe ends."""
    task = _line(sys.stdin)
    halt = threading.Event()
    throttle = Throttle(halt, None, lambda rows, size: send(sys.stdout, {"rows": rows, "bytes": size}))
    tenure = Tenure(now())
    given: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin, given, throttle, tenure, halt), daemon=True).start()
    try:
        _serve(task, given, throttle, tenure, halt)
    except PlatformStoreError as error:
        send(sys.stdout, {"error": error_to_plain(error)})


def _serve(
    task: dict[str, Any],
    given: queue.SimpleQueue[dict[str, Any]],
    throttle: Throttle,
    tenure: Tenure,
    halt: threading.Event,
) -> None:
    with opened(task["stores"]) as ends:
        layout = ends.table.layout(task["table"])
        way = route(ends, layout, Shape.for_layout(layout), task["direction"], task["job"], task["batch_rows"], tenure)
        runner = LaneRunner(way, halt, throttle, fresh=task["fresh"])
        send(sys.stdout, {"ready": True})
        while True:
            message = given.get()
            lane = runner.run(lane_from_plain(message["lane"]), again=message["again"])
            send(sys.stdout, {"lane": lane_to_plain(lane)})


def _listen(
    pipe: IO[str], given: queue.SimpleQueue[dict[str, Any]], throttle: Throttle, tenure: Tenure, halt: threading.Event
) -> None:
    while True:
        message = _line(pipe)
        if "lane" in message:
            given.put(message)
        obey(message, throttle, tenure, halt)


def _line(pipe: IO[str]) -> dict[str, Any]:
    """The next message; where there is none any more, the process ends here and now."""
    line = pipe.readline()
    if not line.endswith("\n"):
        os._exit(0)
    message: dict[str, Any] = json.loads(line)
    return message


if __name__ == "__main__":
    main()
