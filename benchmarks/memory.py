"""How much memory a process has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Peak:
    """Resident memory of a client, in bytes: when it was ready, and the most until it was done."""

    opened: int
    most: int


def resident(kind: Literal["VmHWM", "VmRSS"] = "VmHWM") -> int:
    """Bytes of this program: the most there were, or with ``VmRSS`` those of now.

    What ``getrusage`` tells would begin with the size of the process that started it.
    """
    status = Path("/proc/self/status").read_text("ascii")
    (line,) = (line for line in status.splitlines() if line.startswith(f"{kind}:"))
    return int(line.split()[1]) * 1024
