"""A process that has everything imported and forks one more for each piece of work: in 10 ms, not in a second.

It has one thread and no connection, so that a fork of it is as good as a process started anew.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import traceback
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_PRELOADED = (
    "platform_store",
    "tests.faults.child",
    "tests.faults.operations",
    "tests.faults.crm_operations",
    "tests.integration.live",
)
_PID = struct.Struct("=i")


class Forked:
    """A process that was forked for somebody else's work. It ends at :meth:`kill`, or by itself."""

    def __init__(self, pid: int):
        self.pid = pid
        self._handle = os.pidfd_open(pid)  # what it names stays the same, whatever becomes of the number

    def send_signal(self, number: int) -> None:
        """One that is gone already is left alone."""
        try:
            signal.pidfd_send_signal(self._handle, number)
        except ProcessLookupError:
            return

    def wait(self) -> None:
        """Returns when it is gone."""
        select.select([self._handle], [], [])

    def close(self) -> None:
        os.close(self._handle)


class Zygote:
    """Starts on first use, and ends with this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: socket.socket | None = None

    def fork(self, pipe: int) -> Forked:
        """A process that runs what is asked for over ``pipe``; see :func:`tests.faults.child.serve`."""
        with self._lock:
            requests = self._requests = self._requests or self._start()
            socket.send_fds(requests, [b"f"], [pipe])
            return Forked(*_PID.unpack(requests.recv(_PID.size, socket.MSG_WAITALL)))

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", __name__, str(theirs.fileno())]
            process = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=_ROOT)

        def end() -> None:
            ours.close()
            process.wait()

        atexit.register(end)
        return ours


ZYGOTE = Zygote()


def _serve(requests: socket.socket) -> None:
    for name in _PRELOADED:
        importlib.import_module(name)
    work = importlib.import_module("tests.faults.child").serve
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever ends is nobody's to wait for
    gc.freeze()
    while True:
        _, pipes, _, _ = socket.recv_fds(requests, 1, 1)
        if not pipes:
            return
        pid = os.fork()
        if pid == 0:
            requests.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                work(pipes[0])
            except BaseException:  # noqa: BLE001 - whatever it is, it must not return into the zygote's loop
                traceback.print_exc()
            finally:
                os._exit(0)
        os.close(pipes[0])
        requests.sendall(_PID.pack(pid))


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as given:
        _serve(given)
