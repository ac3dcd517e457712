"""A process of its own that runs one operation on a Platform, and dies, freezes or waits at one of its steps."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

from platform_store import Config, Platform
from tests.faults import steps
from tests.faults.zygote import ZYGOTE
from tests.waiting import PATIENCE, wait_until

How: TypeAlias = Literal["kill", "freeze", "wait"]
Work: TypeAlias = Callable[[Platform], object]
"""What a child runs: :func:`call`, :func:`transaction`, or a function at the top of a module."""


@dataclass(frozen=True)
class Call:
    """A method of a Platform or of its transaction, and what to call it with."""

    name: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]

    def __call__(self, target: Any) -> object:
        result = getattr(target, self.name)(*self.arguments, **self.options)
        return list(result) if isinstance(result, Iterator) else result


@dataclass(frozen=True)
class TransactionOf:
    """Calls within one transaction."""

    calls: tuple[Call, ...]

    def __call__(self, platform: Platform) -> object:
        with platform.transaction() as transaction:
            return [call(transaction) for call in self.calls]


def call(name: str, *arguments: Any, **options: Any) -> Call:
    """``platform.NAME(...)``, as in ``call("write", "card", {"id": 1}, on_conflict="replace")``."""
    return Call(name, arguments, options)


def transaction(*calls: Call) -> TransactionOf:
    """``with platform.transaction() as tx:`` and these calls on ``tx``; the result is the list of theirs."""
    return TransactionOf(calls)


class ChildFailed(Exception):
    """The work raised; ``kind`` is the error's class name, such as ``"OutcomeUnknown"``."""

    def __init__(self, kind: str, message: str):
        super().__init__(f"{kind}: {message}")
        self.kind, self.message = kind, message


class Child:
    """Starts the process at once. A context manager: whatever state it is in, it is gone at the end."""

    def __init__(
        self,
        stores: Config,
        work: Work,
        *,
        stop_at: str | None = None,
        how: How = "kill",
        all_threads: bool = False,
        from_opening: bool = False,
    ) -> None:
        """
        Args:
            stores: what to open, such as ``Config.from_urls(mysql=..., mongodb=...)``.
            stop_at: a :class:`tests.faults.steps.Stop`, such as ``"rows.transaction.commit:after:2"``.
            how: at that moment "kill" is SIGKILL and "freeze" SIGSTOP to the whole process; "wait" makes the one
                thread wait for :meth:`resume`.
            all_threads: also the steps of threads other than the one that does the work count.
            from_opening: the steps of opening the Platform count too, instead of those of the work alone.
        """
        stop = None if stop_at is None else steps.Stop.parse(stop_at)
        self._stop, self._how = stop, how
        self._pipe, theirs = Pipe()
        with theirs:
            self._process = ZYGOTE.fork(theirs.fileno())
        self._pipe.send(_Job(stores, work, stop, how, all_threads, from_opening))

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until_stopped(self) -> None:
        """Waits until the step is reached, and the process is killed, frozen or waiting there."""
        said: object = None
        if self._how == "freeze":
            wait_until(lambda: self._pipe.poll() or _is_stopped(self.pid), f"{self._stop} is reached")
            reached = not self._pipe.poll()
        else:
            said = self._receive()
            reached = said == ("reached",)
            if reached and self._how == "kill":
                self._process.wait()
        if not reached:
            raise AssertionError(f"it ended without reaching {self._stop}: {said or self._said()}")

    def resume(self) -> None:
        """Lets a frozen or waiting process go on."""
        if self._how == "wait":
            self._pipe.send("go on")
        else:
            self._process.send_signal(signal.SIGCONT)

    def result(self) -> Any:
        """What the work returned. Raises ChildFailed with what it raised; AssertionError where the process died."""
        kind, *rest = self._receive()
        if kind == "failed":
            raise ChildFailed(*rest)
        if kind != "done":
            raise AssertionError(f"the work did not end: {(kind, *rest)}")
        return rest[0]

    def ended(self, timeout: float) -> bool:
        """Whether the work returns or raises within so many seconds; :meth:`result` tells what."""
        return self._pipe.poll(timeout)

    def check(self) -> None:
        """Raises as :meth:`result` does where the work has come to an end that it should not have come to."""
        if self._pipe.poll():
            raise AssertionError(f"the work has ended: {self.result()}")

    def kill(self) -> None:
        """SIGKILL, frozen or not."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()
        self._process.close()
        self._pipe.close()

    def _receive(self) -> tuple[Any, ...]:
        if not self._pipe.poll(PATIENCE):
            raise TimeoutError(f"nothing from the process within {PATIENCE} s")
        return self._said()

    def _said(self) -> tuple[Any, ...]:
        """What the process said: reached, done with a result, failed with an error; or that it is dead."""
        try:
            said: tuple[Any, ...] = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            return ("dead",)
        return said


def run(stores: Config, work: Work) -> Any:
    """Runs ``work`` in a process of its own to its end; see :meth:`Child.result`."""
    with Child(stores, work) as child:
        return child.result()


@dataclass(frozen=True)
class _Job:
    """What the parent asks for."""

    stores: Config
    work: Work
    stop: steps.Stop | None
    how: How
    all_threads: bool
    from_opening: bool


def _is_stopped(pid: int) -> bool:
    """Whether every thread of the child stands still."""
    states = []
    with contextlib.suppress(OSError):  # it ended meanwhile
        for task in Path(f"/proc/{pid}/task").iterdir():
            states.append((task / "stat").read_text().rpartition(")")[2].split()[0])  # noqa: PERF401
    return bool(states) and set(states) == {"T"}


def _hook(job: _Job, pipe: Connection[Any, Any]) -> steps.Hook:
    def stop() -> None:
        if job.how != "freeze":
            pipe.send(("reached",))
        if job.how == "wait":
            pipe.recv()
        else:
            # To this very thread, which then makes not one step more.
            number = signal.SIGKILL if job.how == "kill" else signal.SIGSTOP
            signal.pthread_kill(threading.get_ident(), number)

    if job.stop is None:
        return lambda name, moment: None
    hook = steps.At(job.stop, stop)
    return hook if job.all_threads else steps.OwnThread(hook)


def _main(pipe: Connection[Any, Any]) -> None:
    job: _Job = pipe.recv()
    hook, counting = _hook(job, pipe), threading.Event()
    if job.from_opening:
        counting.set()
    try:
        with (
            steps.install(lambda name, moment: hook(name, moment) if counting.is_set() else None),
            Platform.open(job.stores) as platform,
        ):
            counting.set()
            result = job.work(platform)
            counting.clear()
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent asked what comes of it
        pipe.send(("failed", type(error).__name__, str(error)))
    else:
        pipe.send(("done", result))


def serve(pipe: int) -> None:
    """What a forked process does: the one job that comes over the pipe of that number."""
    with contextlib.closing(Connection(pipe)) as connection:
        _main(connection)
