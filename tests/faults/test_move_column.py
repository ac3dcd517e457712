"""Every step of a move is a point at which the process that moves is killed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.faults.bench import Bench, bench
from tests.faults.moves import MOVES, Move, moves_killed_everywhere
from tests.servers.databases import fresh_mongodb_database, fresh_sql_database


@contextlib.contextmanager
def on_empty_databases(sql_url: str, mongodb_url: str) -> Iterator[Bench]:
    with (
        fresh_sql_database(sql_url) as sql,
        fresh_mongodb_database(mongodb_url) as mongodb,
        bench(sql, mongodb) as made,
    ):
        yield made


@pytest.mark.parametrize("move", MOVES, ids=lambda move: move.name)
def test_killed_at_every_step(mysql_url: str, mongodb_url: str, move: Move) -> None:
    with on_empty_databases(mysql_url, mongodb_url) as made:
        assert moves_killed_everywhere(made, move) == []


@pytest.mark.parametrize("move", MOVES[:2], ids=lambda move: move.name)
def test_killed_at_every_step_on_mariadb(mariadb_url: str, mongodb_url: str, move: Move) -> None:
    with on_empty_databases(mariadb_url, mongodb_url) as made:
        assert moves_killed_everywhere(made, move) == []
