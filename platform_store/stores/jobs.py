"""What is remembered of a long operation, so that it can be stopped, killed and taken up again. Protocols and records.

A job is one row of a table in the row store; its parts (key ranges that are worked through side by side) are rows of
another. Both hold plain JSON, written whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from platform_store.errors import Conflict, SchemaError
from platform_store.records import JobStatus

MOVE_COLUMN, MIGRATE = "move-column", "migrate"
"""Kinds of jobs."""

UNFINISHED: frozenset[JobStatus] = frozenset({"running", "paused", "failed"})


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
        """A new job, running, that nobody has taken yet.

        Raises Conflict where one of this kind for the table has not ended: of any number of processes, one gets it.
        """

    def load(self, job: int) -> Job | None: ...
    def all(self) -> list[Job]:
        """Every job, the newest first."""

    def find(self, kind: str, table: str) -> Job | None:
        """The newest job of this kind for a table that has not ended (running, paused or failed)."""

    def take(self, job: int, owner: bytes, seconds: float) -> bool:
        """Makes ``owner`` the one at work on it for so long, or keeps it that. False for another, and once it ended."""

    def save(self, job: int, owner: bytes, state: Mapping[str, Any], status: JobStatus) -> bool:
        """Remembers how far it is; False, and nothing remembered, where ``owner`` is no longer at work on it.

        Any status but "running" ends the owner's lease.
        """

    def pause(self, job: int) -> bool:
        """Takes a job from whoever is at work on it, and makes it a paused one; whether it had not ended yet."""

    def add_parts(self, job: int, parts: Sequence[Mapping[str, Any]]) -> None:
        """Its parts, numbered from 0, all at once; whatever parts it had are replaced."""

    def parts(self, job: int) -> list[Part]: ...
    def save_part(self, job: int, number: int, state: Mapping[str, Any], *, done: bool) -> None:
        """Raises SchemaError where there is no such part."""

    def remove(self, job: int) -> None:
        """Forgets it with its parts."""

    def busy(self) -> int:
        """How many statements the row store is at work on now: MySQL's Threads_running, this one included."""


def as_text(plain: Mapping[str, Any]) -> str:
    """What a job remembers, as it is stored."""
    return json.dumps(plain, ensure_ascii=False, allow_nan=False)


def from_text(text: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(text)
    return found


def under_way(kind: str, table: str) -> Conflict:
    return Conflict(f"a {kind} of it has begun and not ended: resume it, or forget it", table=table)


def no_such_part(job: int, number: int) -> SchemaError:
    return SchemaError(f"job {job} has no part {number}: it was forgotten meanwhile")
