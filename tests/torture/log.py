"""One append-only file of all clients: a line is written by one call, and survives the process that wrote it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

Record: TypeAlias = dict[str, Any]
"""``w`` who, ``t`` what (see :mod:`tests.torture.check`), ``i`` the operation's number, and what belongs to it."""

_BEGUN = '"t":"begin"'
_SETTLING = ('"t":"ok"', '"t":"failed"', '"t":"settled"')


class Log:
    """The file as a client writes it. Safe between threads and processes."""

    def __init__(self, path: Path):
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, who: str, t: str, **fields: Any) -> None:
        """Appends a record. It begins with a newline, in case a killed process left half a line before it."""
        line = json.dumps({"w": who, "t": t, **fields}, ensure_ascii=False, separators=(",", ":"))
        data = f"\n{line}\n".encode()
        if os.write(self._file, data) != len(data):
            raise OSError("the log took only a part of a line")


def records(path: Path) -> Iterator[Record]:
    """Every whole line, in order. Half a line is that of a process killed while it wrote."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            yield record


def unsettled(path: Path, who: str) -> Record | None:
    """The change that this client began last, if nobody knows what became of it."""
    begun = None
    head = f'{{"w":"{who}",'
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if not line.startswith(head) or not line.endswith("}\n"):
                continue
            what = line[len(head) :]
            if what.startswith(_BEGUN):
                begun = line
            elif what.startswith(_SETTLING):
                begun = None
    return None if begun is None else dict(json.loads(begun))
