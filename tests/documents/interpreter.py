"""The interpreter of a page's Python blocks: a process of its own, so that nothing of one page reaches another."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from types import TracebackType
from typing import Self


class Failed(Exception):
    """A block raised."""


class Interpreter:
    """Runs blocks one after the other in one namespace. Warnings are errors."""

    def __init__(self, folder: Path, environment: dict[str, str]):
        self._errors = (folder / ".errors").open("w+", encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", __name__],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
        )

    def run(self, code: str, place: str) -> str:
        """What the block prints. Raises Failed with the traceback, after which nothing can be run."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([code, place]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            self._process.wait()
            self._errors.seek(0)
            raise Failed(self._errors.read())
        printed: str = json.loads(answer)
        return printed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends the process, as a script ends: what it left open is closed, or complained of."""
        _, _ = self._process.communicate()
        self._errors.seek(0)
        left = self._errors.read()
        self._errors.close()
        if kind is None and (self._process.returncode or left):
            raise Failed(left)


def _serve() -> None:
    """Runs what comes on stdin. An error ends the process, with its traceback on stderr."""
    answers, namespace = sys.stdout, {"__name__": "__main__"}
    for line in sys.stdin:
        code, place = json.loads(line)
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(compile(code, place, "exec"), namespace)
        answers.write(json.dumps(printed.getvalue()) + "\n")
        answers.flush()


if __name__ == "__main__":
    _serve()
