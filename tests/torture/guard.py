"""Ends what a run leaves behind, also when the run itself was killed: ``python -m tests.torture.guard DIRECTORY``.

It waits for its standard input to close, then kills the servers and clients that work in the directory, and removes
the servers' files.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

SERVERS = "servers"
CLIENT = "tests.torture.worker"
_SECONDS = 60.0  # for killed processes to end


def start(directory: Path) -> subprocess.Popen[bytes]:
    """Starts a guard of its own session, so that no Ctrl-C reaches it. Closing its standard input sets it off."""
    command = [sys.executable, "-m", "tests.torture.guard", str(directory)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def clean_up(directory: Path) -> None:
    """Kills the processes of a run, and removes the data of its servers."""
    deadline = time.monotonic() + _SECONDS
    while (left := _processes(directory)) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    shutil.rmtree(directory / SERVERS, ignore_errors=True)


def _processes(directory: Path) -> list[int]:
    inside = os.fsencode(directory) + b"/"
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                arguments = (entry / "cmdline").read_bytes().split(b"\0")
                if _is_server(arguments, inside) or (CLIENT.encode() in arguments and inside in arguments[-2]):
                    found.append(int(entry.name))
    return found


def _is_server(arguments: list[bytes], inside: bytes) -> bool:
    return any(argument.startswith((b"--datadir=" + inside, b"--dbpath=" + inside)) for argument in arguments)


def main() -> None:
    """Waits, then cleans up."""
    while os.read(0, 1024):
        pass
    clean_up(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
