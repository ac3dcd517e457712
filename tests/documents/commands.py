"""``platform-store`` without its start: importing takes longer than most commands of a page do.

A process imports everything once. The script that stands in for ``platform-store`` hands it arguments, folder,
environment and its own stdin, stdout and stderr; a fork runs the console script's ``main()`` with them.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platform_store.cli import load_commands, main

_SCRIPT = """\
#!{python} -ISE
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()], [0, 1, 2])
    server.shutdown(socket.SHUT_WR)
    sys.exit(int(server.recv(3) or 1))
"""


@contextmanager
def ready(environment: dict[str, str]) -> Iterator[str]:
    """A folder for the PATH with the script in it."""
    with tempfile.TemporaryDirectory() as folder, _serving(Path(folder), environment):
        yield folder


@contextmanager
def _serving(folder: Path, environment: dict[str, str]) -> Iterator[None]:
    address = folder / "socket"
    script = folder / "platform-store"
    script.write_text(_SCRIPT.format(python=sys.executable, address=str(address)), "utf-8")
    script.chmod(0o700)
    with subprocess.Popen(
        [sys.executable, "-m", __name__, str(address)], env=environment, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline(), "the commands cannot be imported"
            yield
        finally:
            server.kill()


def _serve(address: str) -> None:
    """Until it is killed; returns in each fork, which is to run its command and to end as any program does."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who answer
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        print("ready", flush=True)
        while True:
            client, _ = server.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                return _answer(client)
            client.close()


def _answer(client: socket.socket) -> None:
    """Takes over what was handed; the process that waits for the command tells its exit code."""
    received, files, _, _ = socket.recv_fds(client, 1 << 20, 3)
    while part := client.recv(1 << 20):
        received += part
    command = os.fork()
    if command:
        _, status = os.waitpid(command, 0)
        client.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    client.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    arguments, folder, environment = json.loads(received)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["platform-store", *arguments]


if __name__ == "__main__":
    load_commands()
    _serve(sys.argv[1])
    main()
