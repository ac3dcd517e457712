"""The analyses on the sample, on real servers: figures counted by hand from all rows, or by one plain database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from crm_model import Crm
from crm_model.entities.states import PROBABILITY
from crm_model.sample.sizes import BEGIN, END
from tests.contract.crm import figures
from tests.contract.crm.test_analysis import same
from tests.integration.crm_sample import CrmTwice

YEAR = datetime(2025, 1, 1), datetime(2026, 1, 1)


@pytest.fixture
def analyst(crm: CrmTwice) -> Crm:
    return Crm(crm.platform, 1)


@pytest.fixture(scope="module")
def rows(crm: CrmTwice) -> Any:
    """Reads a table once, through the library."""

    @cache
    def read(table: str) -> list[dict[str, object]]:
        return list(crm.platform.scan(table))

    return read


def test_sales_performance(analyst: Crm, rows: Any) -> None:
    found = analyst.sales_performance(*YEAR)
    assert found == figures.performance(rows, *YEAR)
    assert len(found) == 40
    assert sum(one.visits for one in found) > 1_000


@pytest.mark.parametrize("period", [(BEGIN, END), YEAR])
def test_rfm(analyst: Crm, rows: Any, period: tuple[datetime, datetime]) -> None:
    found = list(analyst.rfm(*period))
    assert found == figures.rfm(rows("customer"), rows("sales_order"), *period)
    assert len(found) > 1_000


def test_churn_risk(analyst: Crm, rows: Any) -> None:
    found = list(analyst.churn_risk(END))
    expected = figures.churn(rows("customer"), rows("sales_order"), rows("feedback"), END)
    assert len(found) == len(expected) > 2_900
    assert [one for one, other in zip(found, expected, strict=True) if not same(one, other)] == []
    assert sum(one.risk > 0.6 for one in found) > 50


def test_the_funnel_as_it_stands(crm: CrmTwice, analyst: Crm) -> None:
    _, answer = crm.plain_answer(
        "SELECT stage, COUNT(*), SUM(amount), SUM(amount * probability) / 100 FROM opportunity "
        "WHERE del_token = 0 GROUP BY stage"
    )
    found = {one.stage: (one.count, one.amount, one.weighted) for one in analyst.funnel()}
    assert found == {row[0]: row[1:] for row in answer}
    assert list(found) == list(PROBABILITY)


@pytest.mark.parametrize("as_of", [datetime(2025, 6, 30, 12), END, BEGIN])
def test_the_funnel_at_a_moment(analyst: Crm, rows: Any, as_of: datetime) -> None:
    assert {one.stage: (one.count, one.amount) for one in analyst.funnel(as_of) if one.count} == stood(
        rows("opportunity"), as_of
    )


def stood(rows: Iterable[dict[str, Any]], as_of: datetime) -> dict[str, tuple[int, Decimal]]:
    """How many opportunities stood in a stage, and what they come to: the planted ones have no log."""
    found: dict[str, tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
    for row in figures.live(rows):
        log = row["stage_log"] or [{"stage": row["stage"], "at": row["last_stage_at"].isoformat()}]
        past = [entry["stage"] for entry in log if entry["at"] <= as_of.isoformat()]
        if past:
            count, amount = found[past[-1]]
            found[past[-1]] = count + 1, amount + row["amount"]
    return dict(found)
