"""Runs the variants of a scenario against each other, interleaved in one process."""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import gc
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from benchmarks import stats
from benchmarks.stats import Bar, Block, Ratio, Statistic

S = TypeVar("S")

LEAST_REPETITIONS = 5
Clock: TypeAlias = Callable[[], float]
Measure: TypeAlias = Literal["p50", "p95", "rate"]

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
        table_rows = self.table_rows // 10
        return Size(
            LEAST_REPETITIONS,
            max(1, self.calls // 5),
            min(self.rows_per_call, table_rows or self.rows_per_call),
            table_rows,
        )


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


@dataclass(frozen=True)
class Scenario(Generic[S]):
    """Something to measure, on stores that are its own."""

    name: str
    about: str
    measure: Measure
    size: Size
    prepare: Callable[[S, Size], Prepared]
    bars: Mapping[str, Bar]  # by variant


@dataclass(frozen=True)
class Measured:
    """One variant's blocks, and what they say against the baseline's."""

    name: str
    blocks: Sequence[Block]
    ratio: Ratio | None  # None: the baseline itself
    bar: Bar | None


@dataclass(frozen=True)
class Outcome:
    """What came out of a scenario."""

    name: str
    about: str
    measure: Measure
    size: Size
    variants: Sequence[Measured]
    profiles: Mapping[str, cProfile.Profile]


class Unequal(Exception):
    """The variants did not do the same thing: their times say nothing."""


def run(scenario: Scenario[S], stores: S, size: Size, *, profile: bool = False, clock: Clock | None = None) -> Outcome:
    """Every variant once in each repetition, the order alternating. Raises Unequal.

    ``profile``: one more block of each variant, after the timed ones.
    """
    sized = replace(size, repetitions=size.repetitions + 1) if profile else size
    prepared = scenario.prepare(stores, sized)
    unknown = scenario.bars.keys() - {variant.name for variant in prepared.variants[1:]}
    if unknown:
        raise ValueError(f"{scenario.name}: a bar for {', '.join(sorted(unknown))}, which is no variant to compare")
    blocks: dict[str, list[Block]] = {variant.name: [] for variant in prepared.variants}
    for number in range(size.blocks):
        inputs = prepared.inputs(number)
        for variant in _order(prepared.variants, number):
            block = _block(variant, inputs, size.rows_per_call, clock or time.perf_counter)
            if number:  # the first warms up
                blocks[variant.name].append(block)
    profiles = _profiles(prepared, size.blocks) if profile else {}
    prepared.check()
    return Outcome(scenario.name, scenario.about, scenario.measure, size, _measured(scenario, blocks), profiles)


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


def _measured(scenario: Scenario[S], blocks: Mapping[str, Sequence[Block]]) -> list[Measured]:
    (baseline, first), *others = blocks.items()
    statistic = STATISTICS[scenario.measure]
    return [
        Measured(baseline, first, None, None),
        *(Measured(name, own, stats.ratio(statistic, own, first), scenario.bars.get(name)) for name, own in others),
    ]
