"""Random queries answered by the library and by plain MySQL (``make fuzz`` in small); and it would notice."""

from __future__ import annotations

import pytest

from platform_store import NotSupported, Platform
from platform_store.query.result import QueryResult
from platform_store.stores.base import Parameters
from tests.fuzz import campaign
from tests.fuzz.campaign import Campaign, Counts
from tests.fuzz.world import Urls
from tests.servers.provide import Servers
from tests.waiting import PATIENCE

SEED = 9
SEEDS = (4, SEED)
SHRUNK = 21  # whose first mismatch is small soon
SCENARIOS, QUERIES = range(4), 80  # played in turn on both servers
MOST_REFUSED = 0.02
MOST_ERRORS = 0.15  # of what plain MySQL refuses too: the generator makes valid statements
MOST_EMPTY = 0.6
LEAST_GROUPED = 5


@pytest.fixture
def urls(servers: Servers, mysql_url: str, mongodb_url: str) -> list[Urls]:
    """MySQL, and MariaDB where there is one."""
    chosen = [Urls("mariadb" if servers.mysql_is_mariadb else "mysql", mysql_url, mongodb_url)]
    if servers.mariadb_url is not None:
        chosen.append(Urls("mariadb", servers.mariadb_url, mongodb_url))
    return chosen


@pytest.mark.parametrize("seed", SEEDS)
def test_random_queries_are_answered_as_plain_mysql_does(urls: list[Urls], seed: int) -> None:
    """The same ones in every run, so that a change is judged and not chance: others are what `make fuzz` is for."""
    counts = Counts()
    found: list[str] = []
    Campaign(urls, seed, counts, say=found.append, scenarios=SCENARIOS, queries=QUERIES).run()
    print(f"seed {seed}: {counts}")
    assert not found, "\n".join(found)
    assert counts.queries > len(SCENARIOS) * QUERIES
    assert counts.refused.total() <= MOST_REFUSED * counts.queries, counts.examples
    assert counts.errors <= MOST_ERRORS * counts.queries
    assert counts.empty <= MOST_EMPTY * counts.agreed
    assert counts.ways["groups"] >= LEAST_GROUPED


def test_a_wrong_answer_is_found_and_made_small(urls: list[Urls], monkeypatch: pytest.MonkeyPatch) -> None:
    query = Platform.query

    def loses_a_row(platform: Platform, sql: str, params: Parameters | None = None) -> QueryResult:
        result = query(platform, sql, params)
        if len(result.columns) > 1:
            next(iter(result), None)
        return result

    monkeypatch.setattr(Platform, "query", loses_a_row)
    for limit in ("STATEMENT_SECONDS", "SCENARIO_SECONDS"):
        monkeypatch.setattr(campaign, limit, PATIENCE)
    counts = Counts()
    Campaign(urls[:1], SHRUNK, counts, say=lambda _: None, stop_at=1, scenarios=SCENARIOS).run()
    (mismatch,) = counts.mismatches
    assert len(mismatch.case.sql) < 120
    assert len(mismatch.case.scenario.first) <= 3


def test_a_refusal_is_counted_and_not_taken_for_an_answer(urls: list[Urls], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(_platform: Platform, _sql: str, _params: Parameters | None = None) -> QueryResult:
        raise NotSupported("a query of 'anything'")

    monkeypatch.setattr(Platform, "query", refuses)
    counts = Counts()
    Campaign(urls[:1], SEED, counts, say=lambda _: None, scenarios=[0], queries=30).run()
    assert counts.mismatches == []
    assert counts.agreed == 0
    assert counts.refused["a query of … is not supported"] + counts.errors == counts.queries > 0
