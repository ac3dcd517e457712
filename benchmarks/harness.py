"""Runs the variants of a scenario against each other, interleaved in one process."""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import gc
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from benchmarks import stats
from benchmarks.stats import Bar, Block, Ratio, Statistic

S = TypeVar("S")

LEAST_REPETITIONS = 5
Clock: TypeAlias = Callable[[], float]
Measure: TypeAlias = Literal["p50", "p95", "rate"]

Call: TypeAlias = tuple[float, float]
"""When it began, by the clock of the machine, and how many seconds it took."""
_BIN = 0.05  # seconds of a point of a series

STATISTICS: Mapping[Measure, Statistic] = {"p50": stats.p50, "p95": stats.p95, "rate": stats.rate}


@dataclass(frozen=True)
class Size:
    """How much a scenario does."""

    repetitions: int  # timed blocks of each variant; one more, not timed, warms up
    calls: int  # in a block
    rows_per_call: int = 1
    table_rows: int = 0  # loaded beforehand

    @property
    def blocks(self) -> int:
        return self.repetitions + 1

    def quick(self) -> Size:
        """The same in little: to see that it works, not to judge by."""
        return replace(self, repetitions=LEAST_REPETITIONS, calls=max(1, self.calls // 5))


@dataclass(frozen=True)
class Variant:
    """One way to do what the scenario is about."""

    name: str
    call: Callable[[Any], object]  # timed, with one of the inputs of the block
    settle: Callable[[], object] | None = None  # does what the calls have put off: timed apart


@dataclass(frozen=True)
class Prepared:
    """A scenario that is ready to run. The first variant is the baseline."""

    variants: Sequence[Variant]
    inputs: Callable[[int], Sequence[Any]]  # of the block of this number, the same for every variant
    check: Callable[[], None]  # raises Unequal unless all variants did the same


@dataclass
class Seen:
    """What the repetitions tell besides their blocks."""

    figures: dict[str, list[float]] = field(default_factory=dict)
    points: list[tuple[float, float, float]] = field(default_factory=list)  # of the last: when, median, most; seconds
    marks: dict[str, float] = field(default_factory=dict)  # of the last: seconds from its beginning

    def note(self, number: int, name: str, value: float) -> None:
        """A figure of a repetition; the first one warms up."""
        if number:
            self.figures.setdefault(name, []).append(value)

    def draw(self, calls: Sequence[Call], marks: Mapping[str, float]) -> None:
        """The course of a repetition, in place of an earlier one; ``marks``: when something happened."""
        begun = calls[0][0]
        bins: dict[int, list[float]] = {}
        for at, seconds in calls:
            bins.setdefault(int((at - begun) / _BIN), []).append(seconds)
        self.points = [(place * _BIN, stats.quantile(own, 0.5), max(own)) for place, own in sorted(bins.items())]
        self.marks = {name: at - begun for name, at in marks.items()}


@dataclass(frozen=True)
class Trials:
    """As :class:`Prepared`, of what does not come in calls that could be interleaved: all blocks of a repetition."""

    names: Sequence[str]  # of the blocks, the baseline's first
    repeat: Callable[[int], Mapping[str, Block]]
    check: Callable[[], None] = lambda: None
    seen: Seen = field(default_factory=Seen)


@dataclass(frozen=True)
class Target:
    """A bar that an issue of the project has set."""

    variant: str
    bar: Bar
    issue: int
    against: str | None = None  # None: the baseline
    measure: Measure | None = None  # None: the scenario's


@dataclass(frozen=True)
class Scenario(Generic[S]):
    """Something to measure, on stores that it leaves as they were."""

    name: str
    about: str
    measure: Measure
    size: Size
    prepare: Callable[[S, Size], Prepared | Trials]
    targets: Sequence[Target] = ()


@dataclass(frozen=True)
class Measured:
    """One variant's blocks, and what they say against the baseline's."""

    name: str
    blocks: Sequence[Block]
    ratio: Ratio | None  # None: the baseline itself


@dataclass(frozen=True)
class Judged:
    """What a run says of a bar."""

    target: Target
    against: str
    measure: Measure
    ratio: Ratio

    @property
    def verdict(self) -> stats.Verdict:
        return stats.verdict(self.target.bar, self.ratio)


@dataclass(frozen=True)
class Outcome:
    """What came out of a scenario."""

    name: str
    about: str
    measure: Measure
    size: Size
    variants: Sequence[Measured]
    judged: Sequence[Judged] = ()
    seen: Seen | None = None
    profiles: Mapping[str, cProfile.Profile] = field(default_factory=dict)


class Unequal(Exception):
    """The variants did not do the same thing: their times say nothing."""


def run(scenario: Scenario[S], stores: S, size: Size, *, profile: bool = False, clock: Clock | None = None) -> Outcome:
    """Every variant once in each repetition, the order alternating. Raises Unequal.

    ``profile``: one more block of each variant, after the timed ones.
    """
    sized = replace(size, repetitions=size.repetitions + 1) if profile else size
    prepared = scenario.prepare(stores, sized)
    blocks: dict[str, list[Block]] = {name: [] for name in _names(prepared)}
    with _settled():
        for number in range(size.blocks):
            for name, block in _repetition(prepared, number, size, clock or time.perf_counter).items():
                if number:  # the first warms up
                    blocks[name].append(block)
    profiles = _profiles(prepared, size.blocks) if profile and isinstance(prepared, Prepared) else {}
    prepared.check()
    seen = prepared.seen if isinstance(prepared, Trials) else None
    return replace(outcome_of(scenario, size, blocks), seen=seen, profiles=profiles)


def outcome_of(scenario: Scenario[S], size: Size, blocks: Mapping[str, Sequence[Block]]) -> Outcome:
    """What blocks say, the baseline's first. Raises ValueError for a bar of a variant that is not there."""
    (baseline, first), *others = blocks.items()
    statistic = STATISTICS[scenario.measure]
    measured = [Measured(baseline, first, None)]
    measured += [Measured(name, own, stats.ratio(statistic, own, first)) for name, own in others]
    judged = [_judged(scenario, target, blocks, baseline) for target in scenario.targets]
    return Outcome(scenario.name, scenario.about, scenario.measure, size, measured, judged)


def _judged(scenario: Scenario[S], target: Target, blocks: Mapping[str, Sequence[Block]], baseline: str) -> Judged:
    against, measure = target.against or baseline, target.measure or scenario.measure
    if target.variant == against or not {target.variant, against} <= blocks.keys():
        raise ValueError(f"{scenario.name}: a bar for {target.variant} against {against}, which cannot be compared")
    ratio = stats.ratio(STATISTICS[measure], blocks[target.variant], blocks[against])
    return Judged(target, against, measure, ratio)


def repetitions(text: str) -> int:
    """An argument of a command line."""
    number = int(text)
    if number < LEAST_REPETITIONS:
        raise argparse.ArgumentTypeError(f"at least {LEAST_REPETITIONS}")
    return number


def compare(one: Iterable[object], other: Iterable[object], what: str) -> None:
    """Raises Unequal unless both give equal things, and equally many."""
    for number, (mine, theirs) in enumerate(zip_longest(one, other)):
        if mine != theirs:
            raise Unequal(f"{what}: number {number} differs: {mine!r} and {theirs!r}")


def _names(prepared: Prepared | Trials) -> Sequence[str]:
    return prepared.names if isinstance(prepared, Trials) else [variant.name for variant in prepared.variants]


def _repetition(prepared: Prepared | Trials, number: int, size: Size, clock: Clock) -> Mapping[str, Block]:
    if isinstance(prepared, Trials):
        return prepared.repeat(number)
    inputs = prepared.inputs(number)
    return {
        variant.name: _block(variant, inputs, size.rows_per_call, clock)
        for variant in _order(prepared.variants, number)
    }


def _order(variants: Sequence[Variant], number: int) -> Sequence[Variant]:
    """Forwards and backwards in turn: no variant keeps the better place."""
    return variants[::-1] if number % 2 else variants


def _block(variant: Variant, inputs: Sequence[Any], rows_per_call: int, clock: Clock) -> Block:
    times, call = [], variant.call
    with _no_collection():
        for one in inputs:
            begun = clock()
            call(one)
            times.append(clock() - begun)
    block = Block(tuple(times), len(inputs) * rows_per_call)
    if variant.settle is None:
        return block
    begun = clock()
    variant.settle()
    return replace(block, afterwards=clock() - begun)


@contextlib.contextmanager
def _settled() -> Iterator[None]:
    """What is there by now is left alone by the collector, which looks at it before every block otherwise."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Neither what others left behind nor when the collector happens to run is charged to a variant."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _profiles(prepared: Prepared, number: int) -> dict[str, cProfile.Profile]:
    inputs = prepared.inputs(number)
    profiles = {}
    for variant in prepared.variants:
        profiles[variant.name] = profile = cProfile.Profile()
        with _no_collection(), profile:
            for one in inputs:
                variant.call(one)
    return profiles
