"""RFM of a tenth of CDNOW's customers, on every backend, against figures that others published."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

import pytest

from crm_model import Crm
from crm_model.services.analysis import Rfm
from platform_store import Platform
from tests.contract.crm import cdnow
from tests.contract.crm.cdnow import PUBLISHED_END, Purchase

CENT = Decimal("0.005")


@pytest.fixture(scope="module")
def purchases() -> dict[int, list[Purchase]]:
    """By customer, of the published period."""
    found = defaultdict(list)
    for purchase in cdnow.a_tenth_of_purchases():
        if purchase.day < PUBLISHED_END:
            found[purchase.customer].append(purchase)
    return found


@pytest.fixture(scope="module")
def scored(own_crm_platform: Platform) -> dict[int, Rfm]:
    """What the service says about that period; the later purchases are there, too."""
    cdnow.load(own_crm_platform, list(cdnow.a_tenth_of_purchases()))
    return {one.customer_id: one for one in Crm(own_crm_platform, 1).rfm(None, PUBLISHED_END)}


def test_all_customers_are_there(scored: dict[int, Rfm]) -> None:
    assert len(scored) == 2_357
    assert scored.keys() == cdnow.published().keys()


def test_recency_is_as_published(scored: dict[int, Rfm]) -> None:
    """Published in weeks after the first purchase, until September 30th; here in days before October 1st."""
    for number, one in cdnow.published().items():
        assert scored[number].recency_days == round(7 * (one.observed - one.last)) + 1
        assert scored[number].last_order_at == PUBLISHED_END - timedelta(days=scored[number].recency_days)


def test_frequency_is_as_published(scored: dict[int, Rfm], purchases: dict[int, list[Purchase]]) -> None:
    """Published as repeat purchases, those of one day being one."""
    assert sum(one.repeats for one in cdnow.published().values()) == 2_457
    for number, one in cdnow.published().items():
        on_the_same_day = len(purchases[number]) - len({purchase.day for purchase in purchases[number]})
        assert scored[number].frequency == 1 + one.repeats + on_the_same_day


def test_monetary_value_is_as_published(scored: dict[int, Rfm], purchases: dict[int, list[Purchase]]) -> None:
    """Published as the average of the repeat purchases, to the cent."""
    for number, one in cdnow.published().items():
        first = min(purchase.day for purchase in purchases[number])
        at_first = sum(purchase.amount for purchase in purchases[number] if purchase.day == first)
        assert abs(scored[number].monetary - at_first - one.average * one.repeats) <= CENT * one.repeats
