"""Who goes through the lanes: worker processes, or this process alone."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from platform_store.errors import PlatformStoreError
from platform_store.migration.lanes import LaneRunner, Throttle
from platform_store.migration.messages import error_from_plain, lane_from_plain, lane_to_plain, obey, send
from platform_store.migration.routes import Tenure
from platform_store.migration.state import Lane

logger = logging.getLogger("platform_store")

_LOOK: Final = 0.2  # seconds after which a halt is noticed at the latest
_DEATHS: Final = 5  # of workers that are replaced; more are no accident
_PATIENCE: Final = 30.0  # seconds for a worker to end by itself
_PACKAGE_PARENT: Final = str(Path(__file__).resolve().parents[2])


MakeRunner: TypeAlias = Callable[[Throttle, Tenure, threading.Event], LaneRunner]
"""Makes what goes through lanes in a thread of this process."""


class Crew(Protocol):
    """Goes through lanes."""

    def run(self, lanes: Sequence[Lane], *, again: bool) -> None:
        """Goes through those that are not done, until they are or the work is halted. ``again``: see LaneRunner."""

    def hold(self, held: bool) -> None:
        """Lets no page begin, or lets them begin again. From any thread."""

    def extend(self, until: float) -> None:
        """Lets pages be written until then; see :class:`Tenure`. From any thread."""


class Alone:
    """This process."""

    def __init__(self, runner: LaneRunner, throttle: Throttle, tenure: Tenure, halt: threading.Event):
        self._runner, self._throttle, self._tenure, self._halt = runner, throttle, tenure, halt

    def run(self, lanes: Sequence[Lane], *, again: bool) -> None:
        for lane in lanes:
            if not lane.done and not self._halt.is_set():
                self._runner.run(lane, again=again)

    def hold(self, held: bool) -> None:
        self._throttle.hold(held)

    def extend(self, until: float) -> None:
        self._tenure.until = until


class _Worker:
    """A worker process, and the lane that it has."""

    def __init__(self, number: int, task: dict[str, Any], inbox: queue.SimpleQueue[tuple[int, Any]]):
        self.number = number
        self.lane: Lane | None = None
        path = os.pathsep.join(filter(None, (_PACKAGE_PARENT, os.environ.get("PYTHONPATH"))))
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PLATFORM_STORE_")}  # URLs
        self.process = subprocess.Popen(
            [sys.executable, "-m", "platform_store.migration.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="ascii",
            env={**kept, "PYTHONPATH": path},
            process_group=0,  # Ctrl-C in a terminal is for the process in charge
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._stdin, self._stdout = self.process.stdin, self.process.stdout
        self._sending = threading.Lock()
        threading.Thread(target=self._listen, args=(inbox,), daemon=True).start()
        self.send(task)

    def send(self, message: dict[str, Any]) -> None:
        """One that is dead is noticed by its end of the other pipe."""
        with self._sending, contextlib.suppress(BrokenPipeError, ValueError):
            send(self._stdin, message)

    def give(self, lane: Lane, *, again: bool) -> None:
        self.lane = lane
        self.send({"lane": lane_to_plain(lane), "again": again})

    def end(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()
        try:
            self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _listen(self, inbox: queue.SimpleQueue[tuple[int, Any]]) -> None:
        with self._stdout:
            for line in self._stdout:
                if line.endswith("\n"):
                    inbox.put((self.number, _message(line)))
        inbox.put((self.number, None))


class _Self:
    """This process as one of its own workers, in a thread: at work from the start, which the others are not."""

    def __init__(self, number: int, make: MakeRunner, inbox: queue.SimpleQueue[tuple[int, Any]]):
        self.number = number
        self.lane: Lane | None = None
        self._inbox, self._halt, self._tenure = inbox, threading.Event(), Tenure(0.0)
        self._throttle = Throttle(self._halt, None, self._tell)
        self._runner = make(self._throttle, self._tenure, self._halt)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="platform_store-migration")

    def send(self, message: dict[str, Any]) -> None:
        obey(message, self._throttle, self._tenure, self._halt)

    def give(self, lane: Lane, *, again: bool) -> None:
        self.lane = lane
        self._thread.submit(self._runner.run, lane, again=again).add_done_callback(self._done)

    def end(self) -> None:
        self._halt.set()
        self._thread.shutdown()

    def _tell(self, rows: int, size: int) -> None:
        self._inbox.put((self.number, {"rows": rows, "bytes": size}))

    def _done(self, future: Future[Lane]) -> None:
        self._inbox.put((self.number, future))


class Workers:
    """This process, and worker processes besides.

    ``task``: see :mod:`platform_store.migration.worker`; it holds secrets, and goes by a pipe.
    """

    def __init__(
        self,
        count: int,
        task: dict[str, Any],
        halt: threading.Event,
        tell: Callable[[int, int], None],
        make: MakeRunner,
        *,
        current: Callable[[Lane], Lane],
        rows_per_second: float | None,
        settle: float,
    ):
        """
        Args:
            tell: called with the rows and bytes of each page.
            current: a lane as it is remembered, once its worker has died.
            settle: seconds after which nothing that a dead worker has sent to MongoDB is under way any more.
        """
        self._count, self._task, self._halt, self._tell, self._make = count, task, halt, tell, make
        self._current, self._ceiling, self._settle = current, rows_per_second, settle
        self._inbox: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        self._workers: dict[int, _Worker | _Self] = {}
        self._started = self._deaths = 0
        self._held, self._until = False, 0.0

    def run(self, lanes: Sequence[Lane], *, again: bool) -> None:
        waiting = deque((lane, again) for lane in lanes if not lane.done)
        while (waiting and not self._halt.is_set()) or self._busy():
            self._staff(waiting)
            try:
                number, message = self._inbox.get(timeout=_LOOK)
            except queue.Empty:
                if self._halt.is_set():
                    self._broadcast({"halt": True})
                continue
            self._hear(self._workers[number], message, waiting)

    def hold(self, held: bool) -> None:
        self._held = held
        self._broadcast({"hold": held})

    def extend(self, until: float) -> None:
        self._until = until
        self._broadcast({"until": until})

    def close(self) -> None:
        """Ends the workers, wherever they are."""
        for worker in list(self._workers.values()):
            worker.end()
        self._workers.clear()

    def _busy(self) -> bool:
        return any(worker.lane is not None for worker in self._workers.values())

    def _staff(self, waiting: deque[tuple[Lane, bool]]) -> None:
        """Gives every free worker a lane, and starts those that are missing."""
        while waiting and not self._halt.is_set():
            worker = next((one for one in self._workers.values() if one.lane is None), None)
            if worker is None:
                if len(self._workers) >= self._count:
                    return
                worker = self._start()
            lane, again = waiting.popleft()
            worker.give(lane, again=again)

    def _start(self) -> _Worker | _Self:
        """The first is this process, which then sees to it that the others come."""
        self._started += 1
        worker: _Worker | _Self
        if self._started == 1:
            worker = _Self(self._started, self._make, self._inbox)
        else:
            worker = _Worker(self._started, self._task, self._inbox)
        self._workers[self._started] = worker
        worker.send({"hold": self._held, "until": self._until})
        if self._ceiling is not None:
            self._broadcast({"ceiling": self._ceiling / len(self._workers)})
        return worker

    def _broadcast(self, message: dict[str, Any]) -> None:
        for worker in list(self._workers.values()):
            worker.send(message)

    def _hear(self, worker: _Worker | _Self, message: Any, waiting: deque[tuple[Lane, bool]]) -> None:
        if isinstance(message, Future):
            self._went_through(worker, message.result(), waiting)
        elif isinstance(worker, _Worker) and message is None:
            self._bury(worker, waiting)
        elif "rows" in message:
            self._tell(message["rows"], message["bytes"])
        elif "lane" in message:
            self._went_through(worker, lane_from_plain(message["lane"]), waiting)
        elif "error" in message:
            raise error_from_plain(message["error"])

    def _went_through(self, worker: _Worker | _Self, lane: Lane, waiting: deque[tuple[Lane, bool]]) -> None:
        worker.lane = None
        if not lane.done and not self._halt.is_set():
            waiting.appendleft((lane, True))

    def _bury(self, worker: _Worker, waiting: deque[tuple[Lane, bool]]) -> None:
        """Another worker goes on with the lane of one that died."""
        del self._workers[worker.number]
        worker.end()
        self._deaths += 1
        died = f"a worker of the migration ended unasked ({_how(worker.process.returncode)})"
        if self._deaths > _DEATHS:
            raise PlatformStoreError(
                f"{died}, for the {self._deaths}th time: look for what ends it, such as too little memory, then resume"
            )
        if worker.lane is not None:
            logger.warning("%s; another takes over", died)
            self._halt.wait(self._settle)
            waiting.appendleft((self._current(worker.lane), True))


def _message(line: str) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(line)
    return message


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
