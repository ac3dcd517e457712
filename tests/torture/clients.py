"""The client processes: started, watched, killed, stopped for a while, and ended."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.torture.guard import CLIENT
from tests.torture.log import Log
from tests.torture.worker import Settings

STOP_SECONDS = 120.0


class Clients:
    """One process for each slot. ``settings(slot, life)`` says what a client is told."""

    def __init__(self, count: int, settings: Callable[[int, int], Settings], directory: Path, log: Log):
        self._settings, self._directory, self._log = settings, directory, log
        self._lives = 0
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        for slot in range(count):
            self.start(slot)

    def start(self, slot: int) -> None:
        """Starts a client, with a life that no client had before."""
        self._lives += 1
        command = [sys.executable, "-m", CLIENT, self._settings(slot, self._lives).to_argument()]
        with self._output(slot).open("ab") as output:
            self._processes[slot] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output)

    def kill(self, slot: int) -> bool:
        """Kills a client, unless it is dead already."""
        process = self._processes.pop(slot, None)
        if process is None:
            return False
        process.kill()
        _close(process)
        return True

    def stop(self, slot: int) -> bool:
        """Stops a client until :meth:`go_on`."""
        process = self._processes.get(slot)
        if process is not None:
            process.send_signal(signal.SIGSTOP)
        return process is not None

    def go_on(self, slot: int) -> None:
        """Lets a client go on; for one that was killed meanwhile, its next life."""
        process = self._processes.get(slot)
        if process is not None:
            process.send_signal(signal.SIGCONT)

    def watch(self) -> None:
        """A client that ended by itself is a violation; it is started anew."""
        for slot, process in list(self._processes.items()):
            if process.poll() is not None:
                said = self._output(slot).read_text(errors="replace")[-1000:]
                self._log.write(str(slot), "violation", what=f"the client ended with {process.returncode}: {said}")
                _close(process)
                self.start(slot)

    def end(self) -> None:
        """Lets every client end by itself. One that does not is a violation, and is killed."""
        for process in self._processes.values():
            process.send_signal(signal.SIGCONT)
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(b"s")
                process.stdin.flush()
        deadline = time.monotonic() + STOP_SECONDS
        for slot, process in self._processes.items():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
            if process.returncode != 0:
                said = self._output(slot).read_text(errors="replace")[-1000:]
                self._log.write(str(slot), "violation", what=f"the client does not end ({process.returncode}): {said}")
        self.kill_all()

    def kill_all(self) -> None:
        """Ends every process at once."""
        for slot in list(self._processes):
            self.kill(slot)

    def _output(self, slot: int) -> Path:
        return self._directory / f"client{slot}.txt"


def _close(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    process.wait()
