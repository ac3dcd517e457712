"""What a run is made of: worlds, which are stores that take time to fill, and cases, which run on one of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from benchmarks import report
from benchmarks.harness import Scenario, Size, run
from benchmarks.migrate_scenarios import Peer
from benchmarks.results import Plain, plain_of
from benchmarks.stores import Servers

S = TypeVar("S")


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    sizes: Sequence[int] | None = None  # of tables; None: each operation's own
    clients: Sequence[int] | None = None
    repetitions: int | None = None
    quick: bool = False
    profile: bool = False
    peers: Sequence[Peer] = ()
    sample: str = "M"  # of the queries

    @classmethod
    def of(cls, given: argparse.Namespace) -> Options:
        peers = tuple(given.peer) or Peer.installed()
        sample = "S" if given.quick else given.sample
        return cls(given.sizes, given.clients, given.repetitions, given.quick, given.profile, peers, sample)

    def sized(self, size: Size) -> Size:
        """How much of a scenario is done."""
        size = size.quick() if self.quick else size
        return replace(size, repetitions=self.repetitions or size.repetitions)


@dataclass(frozen=True)
class Case(Generic[S]):
    """Something that is measured, and kept under its name."""

    name: str
    measure: Callable[[S, Options], Plain]
    seconds: float = 1.0  # that it takes on two cores, about: to tell how long a run will be


@dataclass(frozen=True)
class World(Generic[S]):
    """Stores, and the cases that run on them one after the other."""

    name: str
    open: Callable[[Servers, Options], AbstractContextManager[S]]
    cases: Sequence[Case[S]]
    seconds: float = 1.0  # until the stores are filled
    apart: bool = False  # measured only where it is asked for by name


def case_of(scenario: Scenario[S], group: str, seconds: float = 1.0) -> Case[S]:
    """A scenario as a case."""

    def measure(stores: S, options: Options) -> Plain:
        outcome = run(scenario, stores, options.sized(scenario.size), profile=options.profile)
        if options.profile:
            print(report.profile(outcome), flush=True)
        return plain_of(outcome, group=group)

    return Case(scenario.name, measure, seconds)


def numbers(text: str) -> tuple[int, ...]:
    """An argument of a command line: numbers with commas between them."""
    found = tuple(sorted(int(part.replace("_", "")) for part in text.split(",")))
    if not found or found[0] < 1:
        raise argparse.ArgumentTypeError("numbers above 0, with commas between them")
    return found


def existing(text: str) -> Path:
    """An argument of a command line: a file that is there."""
    path = Path(text)
    if not path.exists():
        raise argparse.ArgumentTypeError(f"there is no {text}")
    return path
