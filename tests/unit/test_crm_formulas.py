"""The formulas of the analyses, at values that can be worked out by hand. No server."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_model import formulas
from crm_model.formulas import Scale

FIRST = datetime(2026, 1, 1)


def days(number: float) -> datetime:
    return FIRST + timedelta(days=number)


def scored(values: list[int], bins: int) -> list[int]:
    """Each value's score, aligned."""
    scale = Scale.of(sorted(values), len(values), bins)
    return [scale.score(value) for value in values]


def test_different_values_make_equal_groups() -> None:
    assert scored(list(range(10)), 5) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert Counter(scored(list(range(23)), 5)) == {1: 5, 2: 5, 3: 4, 4: 5, 5: 4}


def test_equal_values_have_equal_scores() -> None:
    """Half of the customers have bought once: nobody has a 2."""
    assert scored([1, 1, 1, 1, 1, 2, 2, 3, 4, 9], 5) == [1, 1, 1, 1, 1, 3, 3, 4, 5, 5]
    assert scored([7, 7, 7], 5) == [1, 1, 1]


def test_fewer_customers_than_scores() -> None:
    assert scored([1, 2], 5) == [1, 3]
    assert scored([1], 5) == [1]
    assert scored([3, 1, 2], 1) == [1, 1, 1]


def test_money_is_exact() -> None:
    scale = Scale.of([Decimal("0.10"), Decimal("0.30"), Decimal("0.30"), Decimal("0.31")], 4, 4)
    assert [scale.score(Decimal(value)) for value in ("0.10", "0.3", "0.31")] == [1, 2, 4]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.integers(1, 9))
@settings(derandomize=True, max_examples=60)
def test_scores_are_the_formula(values: list[int], bins: int) -> None:
    worse = [sum(other < value for other in values) for value in values]
    assert scored(values, bins) == [1 + bins * number // len(values) for number in worse]


def test_what_comes_meanwhile_counts_as_the_next_worse() -> None:
    scale = Scale.of([10, 20, 30, 40, 50], 5, 5)
    assert [scale.score(value) for value in (5, 15, 25, 99)] == [1, 1, 2, 5]
    assert [Scale.of([1, 2, 3], count, 5).score(3) for count in (0, 1, 2)] == [5, 5, 5]
    assert Scale.of([], 0, 5).score(7) == 1


@pytest.mark.parametrize(
    ("last", "orders", "as_of", "expected"),
    [
        (90, 4, 90, 0.0),  # has just ordered
        (50, 2, 100, 0.5),
        (50, 3, 100, 0.75),
        (50, 11, 100, 1 - 0.5**10),  # used to order often, and has not for as long as that took
        (0, 1, 900, None),
    ],
)
def test_silence(last: float, orders: int, as_of: float, expected: float | None) -> None:
    found = formulas.silence(FIRST, days(last), orders, days(as_of))
    assert found == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(("average", "expected"), [(5, 0), (4, 0.25), (1, 1), (3.5, 0.375), (0, 1), (9, 0)])
def test_dissatisfaction(average: float, expected: float) -> None:
    assert formulas.dissatisfaction(average) == expected


def test_annoyance() -> None:
    assert [formulas.annoyance(number) for number in range(4)] == [0, 0.5, 0.75, 0.875]


def test_what_is_not_known_does_not_count() -> None:
    assert formulas.weighted([(1.0, 0.5), (0.5, 0.3), (0.0, 0.2)]) == pytest.approx(0.65)
    assert formulas.weighted([(None, 0.5), (0.5, 0.3), (0.0, 0.2)]) == pytest.approx(0.3)
    assert formulas.weighted([(None, 0.5)]) == 0.0
    assert formulas.weighted([(1.0, 0.0)]) == 0.0
