"""What is remembered of a long operation, so that it can be stopped, killed and taken up again. Protocols and records.

A job is one row of a table in the row store; its parts (key ranges that are worked through side by side) are rows of
another. Both hold plain JSON, written whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from platform_store.records import JobStatus


@dataclass(frozen=True, slots=True)
class Job:
    """A long operation. ``spec``: what was asked for, which never changes. ``state``: how far it is.

    ``seconds_since``: since its owner was last heard of.
    """

    id: int
    kind: str  # "migrate" or "move-column"
    table: str
    spec: Mapping[str, Any]
    state: Mapping[str, Any]
    status: JobStatus
    seconds_since: float


@dataclass(frozen=True, slots=True)
class Part:
    """A share of a job, worked through from ``start`` on; see the job's kind for what ``state`` holds."""

    number: int
    state: Mapping[str, Any]
    done: bool


class JobStore(Protocol):
    """Jobs of one pair of stores, shared by all processes. A lease only keeps two from doing the same."""

    def add(self, kind: str, table: str, spec: Mapping[str, Any], state: Mapping[str, Any]) -> Job:
        """A new job, running, that nobody has taken yet."""

    def load(self, job: int) -> Job | None: ...
    def all(self) -> list[Job]:
        """Every job, the newest first."""

    def find(self, kind: str, table: str) -> Job | None:
        """The newest job of this kind for a table that has not ended (running, paused or failed)."""

    def take(self, job: int, owner: bytes, seconds: float) -> bool:
        """Makes ``owner`` the one at work on it for so long, or lets it stay that; False where another is."""

    def save(self, job: int, owner: bytes, state: Mapping[str, Any], status: JobStatus) -> bool:
        """Remembers how far it is; False, and nothing remembered, where ``owner`` is no longer at work on it.

        Any status but "running" ends the owner's lease.
        """

    def add_parts(self, job: int, parts: Sequence[Mapping[str, Any]]) -> None:
        """Its parts, numbered from 0, all at once; whatever parts it had are replaced."""

    def parts(self, job: int) -> list[Part]: ...
    def save_part(self, job: int, number: int, state: Mapping[str, Any], *, done: bool) -> None: ...
    def remove(self, job: int) -> None:
        """Forgets it with its parts."""
