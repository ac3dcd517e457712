"""What a migration is asked for, how far it is, and how its lanes stand: pure, and plain JSON in the jobs' store.

A place in a table or a collection is remembered as the hexadecimal BSON of ``{"_id": ...}``: exact for whatever can be
one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeAlias

import bson

from platform_store.errors import Conflict
from platform_store.halves import CODEC_OPTIONS
from platform_store.records import Direction, MigrationMode

Phase: TypeAlias = Literal["prepare", "copy", "catch-up", "move", "indexes", "done"]


def to_place(identifier: Any) -> str:
    return bson.encode({"_id": identifier}, codec_options=CODEC_OPTIONS).hex()


def from_place(place: str) -> Any:
    return bson.decode(bytes.fromhex(place), CODEC_OPTIONS)["_id"]


@dataclass(frozen=True, slots=True)
class Spec:
    """What was asked for. ``start`` and ``stop`` are places, both included; None is open."""

    direction: Direction
    mode: MigrationMode
    start: str | None
    stop: str | None
    catch_up: bool

    def plain(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Spec:
        return cls(**plain)

    def check_same(self, other: Spec, table: str) -> None:
        """Raises Conflict where a job was started for something else than what is asked for now."""
        different = [name for name, value in asdict(self).items() if getattr(other, name) != value]
        if different:
            raise Conflict(
                f"its unfinished migration was started with another {', '.join(different)}: resume that, or forget it",
                table=table,
            )


@dataclass(slots=True)
class State:
    """How far a migration is.

    ``target``: "making" where this job makes the target, so that what is in it is the job's own. ``fresh``: the target
    was empty when the job began. ``total``: rows of the range, about (0: unknown). ``few``: no worker is worth its
    start. ``passes`` counts the rounds over the range; ``changed`` the rows that rounds after
    the first brought over. ``settled``: the last round found nothing to do.
    """

    phase: Phase = "prepare"
    target: Literal["", "making", "given"] = ""
    fresh: bool = False
    schema: str | None = None
    total: int = 0
    few: bool = False
    passes: int = 0
    rows: int = 0
    bytes: int = 0
    changed: int = 0
    seconds: float = 0.0
    settled: bool = False
    carried: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    error: str = ""

    def plain(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> State:
        return cls(**plain)


@dataclass(frozen=True, slots=True)
class Lane:
    """A part of the range that one worker goes through, page by page, in one of the job's rounds.

    It begins strictly after ``above``, else at ``start``, and ends with ``stop``; ``after`` is how far it has come.
    ``rows`` and ``bytes`` are what was read; ``changed`` how many rows were brought over, in a round that compares.
    """

    number: int
    phase: Phase
    round: int
    start: str | None = None
    above: str | None = None
    stop: str | None = None
    after: str | None = None
    rows: int = 0
    bytes: int = 0
    changed: int = 0
    done: bool = False

    def beyond(self, after: str | None, rows: int, size: int, *, changed: int = 0, done: bool = False) -> Lane:
        """The lane after another page."""
        return replace(
            self,
            after=self.after if after is None else after,
            rows=self.rows + rows,
            bytes=self.bytes + size,
            changed=self.changed + changed,
            done=done,
        )

    @property
    def place(self) -> str | None:
        """What it goes on strictly after; None: at ``start``."""
        return self.above if self.after is None else self.after

    def plain(self) -> dict[str, Any]:
        """As a part of the job; its number and whether it is done are kept beside."""
        kept = asdict(self)
        del kept["number"], kept["done"]
        return kept

    @classmethod
    def of(cls, number: int, plain: Mapping[str, Any], *, done: bool) -> Lane:
        return cls(number=number, done=done, **plain)


def lanes(phase: Phase, round_: int, start: str | None, stop: str | None, borders: list[str]) -> list[Lane]:
    """A range cut at ``borders``, each the last place of its lane."""
    ends: list[str | None] = [*borders, stop]
    return [
        Lane(number, phase, round_, start if number == 0 else None, borders[number - 1] if number else None, end)
        for number, end in enumerate(ends)
    ]
