"""The benchmarks' statistics, harness, data and report. No time is judged: the clock is a fake one."""

from __future__ import annotations

import gc
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from benchmarks import crm, report, stats
from benchmarks.__main__ import main
from benchmarks.data import COLUMNS, DOCUMENT_COLUMNS, FLAG, MYSQL_COLUMNS, customer, customers, sizes
from benchmarks.harness import (
    LEAST_REPETITIONS,
    Measure,
    Outcome,
    Prepared,
    Scenario,
    Size,
    Unequal,
    Variant,
    compare,
    run,
)
from benchmarks.scenarios import SCENARIOS
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
    return Scenario("fake", "a fake", measure, SIZE, prepare, {} if bar is None else {"library": bar})


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
    ("bar", "ratio", "met", "certain"),
    [
        (Bar("at most", 0.9), Ratio(0.8, 0.7, 0.85), True, True),
        (Bar("at most", 0.9), Ratio(0.8, 0.7, 0.95), True, False),
        (Bar("at most", 0.9), Ratio(1.0, 0.95, 1.1), False, True),
        (Bar("at least", 0.5), Ratio(0.5, 0.5, 0.6), True, True),
        (Bar("at least", 0.5), Ratio(0.4, 0.3, 0.6), False, False),
    ],
)
def test_a_bar_is_met_by_the_ratio_and_certain_by_its_interval(
    bar: Bar, ratio: Ratio, met: bool, certain: bool
) -> None:
    assert (bar.met(ratio), bar.certain(ratio)) == (met, certain)


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


def test_a_bar_must_be_for_a_variant_that_is_compared() -> None:
    stores = FakeStores()
    wrong = Scenario("fake", "a fake", "p50", SIZE, prepare, {"by hand": Bar("at most", 1)})
    with pytest.raises(ValueError, match="by hand"):
        run(wrong, stores, SIZE, clock=stores.clock)


def test_a_profile_is_of_one_more_block_which_the_figures_leave_out() -> None:
    stores = FakeStores()
    outcome = run(scenario(), stores, SIZE, profile=True, clock=stores.clock)
    assert len(stores.done) == 2 * SIZE.calls * (SIZE.blocks + 1)
    assert [len(variant.blocks) for variant in outcome.variants] == [SIZE.repetitions] * 2
    assert "take" in report.profile(outcome)


# The scenarios and their data


def test_scenarios_have_names_of_their_own_and_enough_repetitions() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)
    for known in SCENARIOS:
        quick = known.size.quick()
        assert known.size.repetitions >= quick.repetitions == LEAST_REPETITIONS
        assert quick.calls >= 1
        assert quick.table_rows == 0 or quick.rows_per_call <= quick.table_rows


def test_a_customer_is_always_the_same_one_and_about_1_kb() -> None:
    rows = customers(1, 200)
    assert rows == [customer(number) for number in range(1, 201)]
    assert len({row["notes"] for row in rows}) == len(rows)
    names = [column.name for column in COLUMNS]
    assert list(rows[0]) == names == [*MYSQL_COLUMNS, *DOCUMENT_COLUMNS]
    assert names[FLAG] == MYSQL_COLUMNS[-1]
    assert 900 < sum(sizes(rows)) < 1400


# The report and the command line


def test_the_table_says_which_bar_is_missed() -> None:
    text = report.table(outcome_of(bar=Bar("at most", 0.9)))
    assert "2000.000" in text
    assert "3000.000" in text
    assert "at most 0.90  MISSED" in text
    assert "met" in report.table(outcome_of("rate", Bar("at least", 0.5)))


def test_a_ratio_of_p95_is_called_so_beside_the_medians() -> None:
    outcome = outcome_of("p95")
    text = report.table(outcome)
    assert "p50 ms" in text
    assert "ratio of p95" in text
    assert crm.medians(outcome) == "  ratio of medians, library: 1.50 (1.50 - 1.50)\n"
    assert crm.medians(replace(outcome, measure="p50")) == ""


def test_a_verdict_across_the_bar_is_doubted() -> None:
    measured = outcome_of(bar=Bar("at most", 1.5)).variants[1]
    assert report.verdict(measured) == "met"
    doubted = type(measured)(measured.name, measured.blocks, Ratio(1.6, 1.4, 1.8), measured.bar)
    assert report.verdict(doubted) == "MISSED (unsure)"


def test_everything_is_in_the_json() -> None:
    outcomes = [outcome_of(bar=Bar("at most", 0.9)), outcome_of("rate")]
    plain = json.loads(json.dumps(report.as_json({"mysql": "9"}, (50.0, 1000.0), outcomes)))
    assert plain["facts"] == {"mysql": "9"}
    by_hand, library = plain["scenarios"][0]["variants"]
    assert by_hand["ratio"] is None
    assert (library["value"], library["ratio"]["value"], library["bar"], library["met"]) == (
        3,
        1.5,
        "at most 0.90",
        False,
    )
    assert len(library["blocks"]) == SIZE.repetitions
    assert library["afterwards_per_row"] == pytest.approx(9 / 30)


@pytest.mark.parametrize(
    "arguments",
    [["--repetitions", "4"], ["--repetitions", "many"], ["--only", "no such scenario"], ["crm", "--only", "write"]],
)
def test_the_command_refuses_what_it_cannot_measure(
    arguments: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert "usage" in capsys.readouterr().err
