"""The benchmarks' statistics and harness. No time is judged: the clock is a fake one."""

from __future__ import annotations

import gc
from dataclasses import dataclass, field

import pytest

from benchmarks import report, stats
from benchmarks.harness import (
    Measure,
    Outcome,
    Prepared,
    Scenario,
    Seen,
    Size,
    Target,
    Trials,
    Unequal,
    Variant,
    compare,
    run,
)
from benchmarks.stats import Bar, Block, Ratio

SIZE = Size(repetitions=3, calls=3, rows_per_call=10)


@dataclass
class FakeStores:
    """Time that passes by being told to, and what the variants did."""

    now: float = 0.0
    done: list[tuple[str, int]] = field(default_factory=list)
    collecting: set[bool] = field(default_factory=set)
    checked: int = 0

    def clock(self) -> float:
        return self.now

    def take(self, name: str, seconds: float, value: int) -> None:
        self.now += seconds
        self.done.append((name, value))
        self.collecting.add(gc.isenabled())


def prepare(stores: FakeStores, size: Size) -> Prepared:
    def settle() -> None:
        stores.now += 9

    def check() -> None:
        stores.checked += 1

    return Prepared(
        (
            Variant("by hand", lambda value: stores.take("by hand", 2, value)),
            Variant("library", lambda value: stores.take("library", 3, value), settle),
        ),
        lambda number: range(number * size.calls, (number + 1) * size.calls),
        check,
    )


def scenario(measure: Measure = "p50", bar: Bar | None = None) -> Scenario[FakeStores]:
    return Scenario("fake", "a fake", measure, SIZE, prepare, () if bar is None else (Target("library", bar, 3),))


def outcome_of(measure: Measure = "p50", bar: Bar | None = None) -> Outcome:
    stores = FakeStores()
    return run(scenario(measure, bar), stores, SIZE, clock=stores.clock)


# Statistics


def test_quantiles_interpolate() -> None:
    assert [stats.quantile([4, 1, 3, 2], part) for part in (0, 0.25, 0.5, 1)] == [1, 1.75, 2.5, 4]
    assert stats.quantile([7], 0.95) == 7


def test_the_median_is_of_all_calls_and_the_rate_of_the_median_block() -> None:
    blocks = [Block((1, 1, 1), 30), Block((5,), 10), Block((2, 2), 20)]
    assert stats.p50(blocks) == 1.5
    assert [block.rate for block in blocks] == [10, 2, 5]
    assert stats.rate(blocks) == 5


def test_the_95th_percentile_is_of_all_calls() -> None:
    assert stats.p95([Block((1, 2, 3), 1), Block((4, 5, 6, 7), 1)]) == stats.quantile(range(1, 8), 0.95)


def test_a_ratio_without_noise_has_no_interval() -> None:
    blocks = [Block((4.0,), 1)] * 5
    baseline = [Block((2.0,), 1)] * 5
    assert stats.ratio(stats.p50, blocks, baseline) == Ratio(2, 2, 2)
    assert stats.ratio(stats.rate, blocks, baseline) == Ratio(0.5, 0.5, 0.5)


def test_an_interval_holds_the_ratio_and_is_the_same_each_time() -> None:
    blocks = [Block((seconds,), 1) for seconds in (1.0, 1.2, 0.9, 1.4, 1.1, 1.0)]
    baseline = [Block((seconds,), 1) for seconds in (1.0, 0.8, 1.1, 0.9, 1.0, 1.2)]
    found = stats.ratio(stats.p50, blocks, baseline)
    assert found.low < found.value < found.high
    assert found == stats.ratio(stats.p50, blocks, baseline)


def test_what_slows_both_of_a_repetition_is_no_noise() -> None:
    baseline = [Block((seconds,), 1) for seconds in (1.0, 10.0, 2.0, 30.0, 5.0)]
    doubled = [Block((2 * block.times[0],), 1) for block in baseline]
    assert stats.ratio(stats.p50, doubled, baseline) == Ratio(2, 2, 2)


@pytest.mark.parametrize(
    ("bar", "ratio", "verdict"),
    [
        (Bar("at most", 0.9), Ratio(0.8, 0.7, 0.85), "met"),
        (Bar("at most", 0.9), Ratio(0.8, 0.7, 0.95), "undecided"),
        (Bar("at most", 0.9), Ratio(1.0, 0.95, 1.1), "missed"),
        (Bar("at least", 0.5), Ratio(0.5, 0.5, 0.6), "met"),
        (Bar("at least", 0.5), Ratio(0.4, 0.3, 0.6), "undecided"),
        (Bar("at least", 0.5), Ratio(0.4, 0.3, 0.45), "missed"),
    ],
)
def test_a_bar_is_undecided_where_the_interval_reaches_across_it(
    bar: Bar, ratio: Ratio, verdict: stats.Verdict
) -> None:
    assert stats.verdict(bar, ratio) == verdict


@pytest.mark.parametrize("exponent", [0, 0.5, 1])
def test_the_slope_is_the_exponent_of_growth(exponent: float) -> None:
    assert stats.slope([(rows, 3 * rows**exponent) for rows in (10, 1000, 50_000)]) == pytest.approx(exponent)


def test_the_rate_of_several_clients_is_by_the_time_that_all_took() -> None:
    assert Block((1, 1, 1, 1), 4, wall=2).rate == 2


# The harness


def test_variants_alternate_over_the_same_inputs() -> None:
    stores = FakeStores()
    run(scenario(), stores, SIZE, clock=stores.clock)
    blocks = [stores.done[first : first + SIZE.calls] for first in range(0, len(stores.done), SIZE.calls)]
    assert len(blocks) == 2 * SIZE.blocks
    for number in range(SIZE.blocks):
        pair = blocks[2 * number : 2 * number + 2]
        names = [block[0][0] for block in pair]
        assert names == (["library", "by hand"] if number % 2 else ["by hand", "library"])
        assert [[value for _, value in block] for block in pair] == [
            list(range(number * SIZE.calls, (number + 1) * SIZE.calls))
        ] * 2


def test_calls_are_timed_apart_from_what_they_put_off_and_the_first_block_only_warms_up() -> None:
    by_hand, library = outcome_of().variants
    assert list(by_hand.blocks) == [Block((2, 2, 2), 30)] * SIZE.repetitions
    assert list(library.blocks) == [Block((3, 3, 3), 30, afterwards=9)] * SIZE.repetitions
    assert by_hand.ratio is None
    assert library.ratio == Ratio(1.5, 1.5, 1.5)


def test_the_collector_rests_while_a_variant_runs() -> None:
    stores = FakeStores()
    assert gc.isenabled()
    run(scenario(), stores, SIZE, clock=stores.clock)
    assert stores.collecting == {False}
    assert gc.isenabled()


def test_the_check_runs_once_and_its_failure_is_the_outcome() -> None:
    stores = FakeStores()
    run(scenario(), stores, SIZE, clock=stores.clock)
    assert stores.checked == 1
    with pytest.raises(Unequal, match="number 1 differs"):
        compare(iter([1, 2]), iter([1, 3]), "rows")
    with pytest.raises(Unequal, match="number 1 differs"):
        compare([1, 2], [1], "rows")
    compare([1, 2], iter((1, 2)), "rows")


@pytest.mark.parametrize(
    "target", [Target("by hand", Bar("at most", 1), 3), Target("library", Bar("at most", 1), 3, "x")]
)
def test_a_bar_must_be_for_variants_that_can_be_compared(target: Target) -> None:
    stores = FakeStores()
    with pytest.raises(ValueError, match="cannot be compared"):
        run(Scenario("fake", "a fake", "p50", SIZE, prepare, (target,)), stores, SIZE, clock=stores.clock)


def test_a_bar_may_be_against_another_variant_and_by_another_measure() -> None:
    stores = FakeStores()
    target = Target("by hand", Bar("at most", 0.5), 3, against="library", measure="p95")
    (judged,) = run(
        Scenario("fake", "a fake", "p50", SIZE, prepare, (target,)), stores, SIZE, clock=stores.clock
    ).judged
    assert judged.ratio.value == pytest.approx(2 / 3)
    assert (judged.measure, judged.verdict) == ("p95", "missed")


def test_trials_bring_their_own_blocks_and_the_first_only_warms_up() -> None:
    seen = Seen()

    def repeat(number: int) -> dict[str, Block]:
        seen.note(number, "figure", number)
        return {"before": Block((1.0,), 1), "after": Block((float(number),), 1)}

    outcome = run(
        Scenario("fake", "", "p50", SIZE, lambda _, size: Trials(("before", "after"), repeat, seen=seen)), None, SIZE
    )
    assert outcome.variants[1].ratio == stats.ratio(stats.p50, outcome.variants[1].blocks, outcome.variants[0].blocks)
    assert [block.times for block in outcome.variants[1].blocks] == [(1.0,), (2.0,), (3.0,)]
    assert outcome.seen is seen
    assert seen.figures == {"figure": [1, 2, 3]}


def test_a_series_has_a_point_for_each_moment() -> None:
    seen = Seen()
    seen.draw([(5.0, 1.0), (5.01, 3.0), (5.5, 2.0)], {"begins": 5.25})
    assert seen.points == [(0.0, 2.0, 3.0), (pytest.approx(0.5), 2.0, 2.0)]
    assert seen.marks == {"begins": 0.25}


def test_a_profile_is_of_one_more_block_which_the_figures_leave_out() -> None:
    stores = FakeStores()
    outcome = run(scenario(), stores, SIZE, profile=True, clock=stores.clock)
    assert len(stores.done) == 2 * SIZE.calls * (SIZE.blocks + 1)
    assert [len(variant.blocks) for variant in outcome.variants] == [SIZE.repetitions] * 2
    assert "take" in report.profile(outcome)
