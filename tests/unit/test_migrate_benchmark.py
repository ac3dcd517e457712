"""The benchmark of migrations: its table and its peers. No server, and no time is judged."""

from __future__ import annotations

import argparse
import sys

import pytest

from benchmarks.migrate_data import NAMES
from benchmarks.migrate_scenarios import Peer


def test_the_table_has_ten_columns() -> None:
    assert NAMES == ("id", "name", "email", "age", "active", "balance", "score", "born", "created", "note")


def test_a_peer_is_a_name_and_an_interpreter() -> None:
    assert Peer.parse(f"dlt={sys.executable}") == Peer("dlt", sys.executable)
    for text in ("dlt", "dlt=/no/such/python"):
        with pytest.raises(argparse.ArgumentTypeError):
            Peer.parse(text)
