"""The benchmark of migrations: its arguments and its judgement. No server, and no time is judged."""

from __future__ import annotations

import argparse
import sys

import pytest

from benchmarks.__main__ import main
from benchmarks.harness import Measured, Outcome, Size
from benchmarks.migrate import against_naive
from benchmarks.migrate_data import NAMES
from benchmarks.migrate_scenarios import LIBRARY, LIMIT, NAIVE, TO_MONGODB, Peer
from benchmarks.migrate_steady import Tenth, table
from benchmarks.stats import Block


def measured(name: str, seconds: float) -> Measured:
    return Measured(name, [Block((seconds,), 1000)] * 5, None, None)


def test_the_table_has_ten_columns() -> None:
    assert NAMES == ("id", "name", "email", "age", "active", "balance", "score", "born", "created", "note")


def test_how_often_as_fast_as_the_plain_loop() -> None:
    variants = [measured(LIMIT, 1), measured(NAIVE, 6), measured(LIBRARY[1], 3), measured(LIBRARY[2], 2)]
    text = against_naive(Outcome(TO_MONGODB, "", "rate", Size(5, 1), variants, {}))
    assert [line.split()[-1] for line in text.splitlines()[1:]] == ["MISSED", "met", "6.00"]


def test_tenths_are_in_lines() -> None:
    text = table([Tenth("to-mongodb", 1000 * number, 5_000_000) for number in range(10)])
    assert "9,000" in text
    assert text.splitlines()[2].split()[-1] == "5"


def test_a_peer_is_a_name_and_an_interpreter() -> None:
    assert Peer.parse(f"dlt={sys.executable}") == Peer("dlt", sys.executable)
    for text in ("dlt", "dlt=/no/such/python"):
        with pytest.raises(argparse.ArgumentTypeError):
            Peer.parse(text)


def test_migrate_is_a_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["migrate", "--only", "nonsense"])
    assert "steady" in capsys.readouterr().err
