"""The judge of the fault harness, on histories made by hand: it takes what is allowed and finds what is not."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.torture.check import Checker
from tests.torture.log import Log, Record, records, unsettled
from tests.torture.rows import ACCOUNT, ITEM, OPENING_BALANCE, PAIR, Torn, account, columns, own_keys, state_of

KEY, OTHER = own_keys(ITEM, 0)[:2]
REGISTER = 1
A, B = "0", "1"  # clients


class History:
    """A log under way. Operations are numbered in the order they begin."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._numbers = itertools.count(1)

    def begin(
        self, *changes: list[Any], kind: str = "write", who: str = A, counters: Sequence[list[int]] = (), uid: int = 0
    ) -> int:
        number = next(self._numbers)
        self._add(t="begin", w=who, i=number, kind=kind, changes=list(changes), counters=list(counters), uid=uid)
        return number

    def ok(self, number: int, *results: Any, who: str = A, counted: Sequence[list[int]] = ()) -> None:
        self._add(t="ok", w=who, i=number, results=list(results), counted=list(counted))

    def failed(self, number: int, error: str, who: str = A) -> None:
        self._add(t="failed", w=who, i=number, error=error)

    def unknown(self, number: int, who: str = A) -> None:
        self._add(t="unknown", w=who, i=number, error="OutcomeUnknown")

    def settled(self, number: int, *rows: list[Any], who: str = A) -> None:
        self._add(t="settled", w=who, i=number, rows=list(rows))

    def reading(self, who: str = "1r") -> int:
        number = next(self._numbers)
        self._add(t="reading", w=who, i=number)
        return number

    def read(self, number: int, *rows: list[Any], who: str = "1r", **fields: Any) -> None:
        self._add(t="read", w=who, i=number, rows=list(rows), **fields)

    def at_once(self, *rows: list[Any], **fields: Any) -> None:
        """A read during which nothing happens."""
        self.read(self.reading(), *rows, **fields)

    def written(self, version: int, key: int = KEY, who: str = A) -> None:
        """An acknowledged write of a whole row."""
        self.ok(self.begin(put(version, key), who=who), key, who=who)

    def violations(self) -> list[str]:
        checker = Checker()
        checker.feed(self.records)
        return checker.finish()

    def _add(self, **record: Any) -> None:
        self.records.append(record)


def put(version: int, key: int = KEY, on_conflict: str = "replace") -> list[Any]:
    return ["put", ITEM, [key], version, on_conflict, False]


def row(version: int | None, key: int = KEY, table: str = ITEM) -> list[Any]:
    return [table, key, None if version is None else [version] * 3]


def account_row(key: int, count: int, balance: int, uid: int) -> list[Any]:
    return [ACCOUNT, key, [count, balance, uid]]


def assert_one(history: History, part: str) -> None:
    violations = history.violations()
    assert len(violations) == 1, violations
    assert part in violations[0]


def test_a_quiet_history_is_allowed() -> None:
    history = History()
    history.at_once(row(None))
    history.written(10)
    history.at_once(row(10))
    history.ok(history.begin(["set", ITEM, KEY, 11, [1], 10], kind="update"), None)
    history.at_once([ITEM, KEY, [10, 11, 10]])
    history.ok(history.begin(["del", ITEM, KEY], kind="delete"), True)
    history.at_once(row(None))
    assert history.violations() == []


def test_during_a_change_a_read_may_see_either_state_but_never_go_back() -> None:
    history = History()
    history.written(10)
    change = history.begin(put(11))
    history.at_once(row(10))
    history.at_once(row(11))
    history.at_once(row(11))
    assert history.violations()[0].endswith("was never looked up")
    history.ok(change, KEY)
    assert history.violations() == []
    late = History()
    late.records = history.records[:-2]
    late.at_once(row(10))
    late.ok(change, KEY)
    assert_one(late, "allowed: (11, 11, 11)")


def test_a_read_that_began_before_the_acknowledgement_may_see_the_older_state() -> None:
    history = History()
    history.written(10)
    change = history.begin(put(11))
    before = history.reading()
    history.ok(change, KEY)
    after = history.reading()
    history.read(before, row(10))
    assert history.violations() == []
    history.read(after, row(10))
    assert_one(history, "allowed: (11, 11, 11)")


@pytest.mark.parametrize("state", [None, 9, 12])
def test_a_lost_acknowledged_write_is_found(state: int | None) -> None:
    history = History()
    history.written(9)
    history.written(10)
    history.at_once(row(state))
    assert_one(history, "allowed: (10, 10, 10)")


def test_a_row_that_a_range_lacks_counts_as_absent() -> None:
    history = History()
    history.written(10)
    history.written(11, OTHER)
    history.at_once(row(10), row(11, OTHER), table=ITEM, first=None, last=None)
    history.at_once(row(10), table=ITEM, first=KEY, last=KEY)
    assert history.violations() == []
    history.at_once(row(10), table=ITEM, first=KEY, last=OTHER)
    assert_one(history, f"read ('{ITEM}', {OTHER}) as None")


@pytest.mark.parametrize("error", ["Unavailable", "TransientError", "aborted"])
def test_what_failed_must_not_be_there(error: str) -> None:
    history = History()
    history.written(10)
    history.failed(history.begin(put(11)), error)
    history.at_once(row(10))
    assert history.violations() == []
    history.at_once(row(11))
    assert_one(history, "read ('item', 1000) as (11, 11, 11)")


def test_what_was_seen_must_not_fail_afterwards() -> None:
    history = History()
    change = history.begin(put(11))
    history.at_once(row(11))
    history.failed(change, "Unavailable")
    assert_one(history, "had seen its effect")


def test_no_change_may_raise_anything_else() -> None:
    history = History()
    history.failed(history.begin(put(11)), "ValueRejected")
    assert_one(history, "raised ValueRejected")


@pytest.mark.parametrize(
    ("change", "kind", "error"),
    [
        (put(11, on_conflict="error"), "write", "RowExists"),
        (["set", ITEM, OTHER, 11, [0], None], "update", "RowNotFound"),
        (["set", ITEM, KEY, 11, [0], 9], "update", "Conflict"),
    ],
)
def test_refusals_are_due_exactly_where_the_model_refuses(change: list[Any], kind: str, error: str) -> None:
    history = History()
    history.written(10)
    history.failed(history.begin(change, kind=kind), error)
    history.at_once(row(10))
    assert history.violations() == []
    history.ok(history.begin(change, kind=kind), None)
    assert_one(history, f"{error} was due")
    wrong = History()
    wrong.written(10)
    wrong.failed(wrong.begin(put(11)), error)
    assert_one(wrong, f"raised {error}; no error was due")


def test_results_are_compared() -> None:
    history = History()
    history.written(10)
    ignored = ["put", ITEM, [KEY, OTHER], 11, "ignore", True]
    history.ok(history.begin(ignored, kind="write_many"), [1, 0, 1])
    history.ok(history.begin(["range", ITEM, KEY, OTHER + 5], kind="delete_range"), 2)
    assert history.violations() == []
    history.ok(history.begin(["del", ITEM, KEY], kind="delete"), True)
    assert_one(history, "returned True; False was due")


def test_a_transaction_goes_on_after_a_refusal_and_sees_its_own_changes() -> None:
    history = History()
    changes = [put(10), put(11, on_conflict="error"), ["get", ITEM, KEY, False], ["del", ITEM, OTHER]]
    history.ok(history.begin(*changes, kind="transaction"), KEY, {"refused": "RowExists"}, [10, 10, 10], False)
    history.at_once(row(10))
    assert history.violations() == []


def test_a_transaction_that_was_left_by_an_error_must_not_be_committed() -> None:
    history = History()
    history.ok(history.begin(put(10), kind="abort"), KEY)
    assert_one(history, "was committed")


@pytest.mark.parametrize("applied", [True, False])
def test_an_uncertain_change_is_whole_or_absent(applied: bool) -> None:
    history = History()
    history.written(10)
    change = history.begin(put(11), put(12, OTHER), kind="transaction")
    history.unknown(change)
    state, other = (11, 12) if applied else (10, None)
    history.settled(change, row(state), row(other, OTHER))
    history.at_once(row(state), row(other, OTHER))
    assert history.violations() == []
    history.at_once(row(10 if applied else 11))
    assert_one(history, f"allowed: ({state}, {state}, {state})")


@pytest.mark.parametrize("rows", [[row(11), row(None, OTHER)], [row(10), row(12, OTHER)], [row(None), row(12, OTHER)]])
def test_half_of_an_uncertain_change_is_found(rows: list[list[Any]]) -> None:
    history = History()
    history.written(10)
    change = history.begin(put(11), put(12, OTHER), kind="transaction")
    history.settled(change, *rows)
    assert_one(history, "neither whole nor absent")


def test_an_uncertain_change_that_was_seen_is_fixed() -> None:
    history = History()
    history.written(10)
    change = history.begin(put(11), put(12, OTHER), kind="transaction")
    history.at_once(row(11))
    history.unknown(change)
    absent = History()
    absent.records = list(history.records)
    history.at_once(row(12, OTHER))
    history.settled(change, row(11), row(12, OTHER))
    assert history.violations() == []
    absent.settled(change, row(10), row(None, OTHER))
    assert_one(absent, "had seen its effect")


def test_a_change_seen_in_one_row_is_seen_in_all_its_rows() -> None:
    history = History()
    change = history.begin(put(11), put(12, OTHER), kind="transaction")
    history.at_once(row(11))
    history.at_once(row(None, OTHER))
    history.ok(change, KEY, OTHER)
    assert_one(history, f"read ('{ITEM}', {OTHER}) as None")


def test_a_client_must_settle_before_it_goes_on() -> None:
    history = History()
    history.begin(put(11))
    history.written(12)
    assert_one(history, "was never looked up")


# Registers


def test_concurrent_writes_of_a_register_may_be_seen_in_any_order() -> None:
    history = History()
    one, other = history.begin(put(10, REGISTER)), history.begin(put(20, REGISTER, "replace"), who=B)
    history.at_once(row(20, REGISTER))
    history.at_once(row(10, REGISTER))
    history.ok(one, REGISTER)
    history.ok(other, REGISTER, who=B)
    history.at_once(row(20, REGISTER))
    history.at_once(row(10, REGISTER))
    assert history.violations() == []


def test_an_overwritten_register_is_not_seen_again() -> None:
    history = History()
    history.written(10, REGISTER)
    early = history.reading()
    history.written(20, REGISTER, who=B)
    history.read(early, row(10, REGISTER))
    assert history.violations() == []
    history.at_once(row(10, REGISTER))
    assert_one(history, "had been overwritten before")


def test_a_register_is_absent_only_where_it_may_have_been_deleted() -> None:
    history = History()
    history.at_once(row(None, REGISTER))
    history.written(10, REGISTER)
    refused = history.begin(["del", ITEM, REGISTER], kind="delete")
    history.ok(refused, False)
    lost = History()
    lost.records = list(history.records)
    lost.at_once(row(None, REGISTER))
    assert_one(lost, "had been written and not deleted since")
    history.begin(["del", ITEM, REGISTER], kind="delete")  # never ended: it may have happened at any time
    history.at_once(row(None, REGISTER))
    assert history.violations() == []


def test_a_register_shows_nothing_that_failed_or_was_never_written() -> None:
    history = History()
    history.failed(history.begin(put(10, REGISTER)), "Unavailable")
    history.at_once(row(10, REGISTER))
    assert_one(history, "had failed")
    history = History()
    history.at_once(row(10, REGISTER))
    assert_one(history, "nobody had written")
    history = History()
    history.at_once([ITEM, REGISTER, [10, 11, 10]])
    assert_one(history, "versions of several changes")


def test_an_ignored_write_of_a_register_is_never_seen() -> None:
    history = History()
    history.written(10, REGISTER)
    ignored = ["put", ITEM, [REGISTER], 11, "ignore", True]
    history.ok(history.begin(ignored, kind="write_many"), [0, 0, 1])
    history.at_once(row(10, REGISTER))
    assert history.violations() == []
    history.at_once(row(11, REGISTER))
    assert_one(history, "nobody had written")


# Accounts


def count(history: History, uid: int, *left: list[int], who: str = A, amounts: Sequence[int] = (0,)) -> None:
    """An acknowledged change of accounts, which left these keys, counts and balances."""
    counters = [[key, amount] for (key, _, _), amount in zip(left, amounts, strict=True)]
    history.ok(history.begin(kind="run_transaction", who=who, counters=counters, uid=uid), who=who, counted=left)


def test_accounts_count_every_acknowledged_change() -> None:
    history = History()
    count(history, 1, [0, 1, OPENING_BALANCE - 5], [1, 1, OPENING_BALANCE + 5], amounts=(-5, 5))
    count(history, 2, [0, 2, OPENING_BALANCE - 5], who=B)
    final = account_row(0, 2, OPENING_BALANCE - 5, 2), account_row(1, 1, OPENING_BALANCE + 5, 1)
    history.at_once(*final, locked=True)
    assert history.violations() == []
    history.begin(kind="transaction", counters=[[0, 0]], uid=3)  # uncertain: it may count or not
    history.at_once(*final)
    history.at_once(account_row(0, 3, OPENING_BALANCE - 5, 3))
    assert history.violations() == []


def test_two_changes_that_left_the_same_count_are_found() -> None:
    history = History()
    one = history.begin(kind="transaction", counters=[[0, 0]], uid=1)
    other = history.begin(kind="transaction", who=B, counters=[[0, 0]], uid=2)
    history.ok(one, counted=[[0, 1, OPENING_BALANCE]])
    history.ok(other, who=B, counted=[[0, 1, OPENING_BALANCE]])
    assert_one(history, "both made account 0 count 1")


def test_a_lost_count_is_found() -> None:
    history = History()
    count(history, 1, [0, 1, OPENING_BALANCE])
    count(history, 2, [0, 2, OPENING_BALANCE])
    history.at_once(account_row(0, 1, OPENING_BALANCE, 1))
    violations = history.violations()
    assert "already at 2 before" in violations[0]
    assert "counts 1 changes; 2 were acknowledged, 0 are uncertain" in violations[1]


def test_a_count_that_nobody_made_is_found() -> None:
    history = History()
    history.failed(history.begin(kind="transaction", counters=[[0, 0]], uid=1), "TransientError")
    history.at_once(account_row(0, 1, OPENING_BALANCE, 1))
    violations = history.violations()
    assert "which had failed" in violations[0]
    assert "counts 1 changes; 0 were acknowledged, 0 are uncertain" in violations[1]


def test_amounts_are_followed_and_summed() -> None:
    history = History()
    count(history, 1, [0, 1, OPENING_BALANCE - 5], [1, 1, OPENING_BALANCE + 4], amounts=(-5, 5))
    final = account_row(0, 1, OPENING_BALANCE - 5, 1), account_row(1, 1, OPENING_BALANCE + 4, 1)
    history.at_once(*final, locked=True)
    violations = history.violations()
    assert len(violations) == 2
    assert "1999 in all accounts together, not 2000" in violations[0]
    assert "made the balance of account 1 1004, from 1000" in violations[1]


# Rows and the log


@pytest.mark.parametrize("table", [ITEM, PAIR])
def test_a_row_is_whole_or_torn(table: str) -> None:
    whole = {"id": KEY, **columns(table, KEY, 22), **columns(table, KEY, 33, [1])}
    assert state_of(table, KEY, whole) == (22, 33, 22)
    assert state_of(table, KEY, None) is None
    newer, foreign = columns(table, KEY, 44), columns(table, OTHER, 22)
    for wrong in ({"doc": newer["doc"]}, {"doc": foreign["doc"]}, {"doc": None}, {"note": newer["note"]}, {"more": 1}):
        (name,) = wrong
        with pytest.raises(Torn, match=f"torn at {name}"):
            state_of(table, KEY, {**whole, **wrong})
    torn = {"id": 0, **account(3, 900, 7), "doc": account(3, 900, 8)["doc"]}
    with pytest.raises(Torn, match="torn at doc"):
        state_of(ACCOUNT, 0, torn)


def test_half_a_line_of_a_killed_client_is_no_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = Log(path)
    log.write(A, "begin", i=1)
    with path.open("a") as file:
        file.write('\n{"w":"0","t":"begin","i":2,"ch')
    log.write(B, "begin", i=3)
    assert [record["i"] for record in records(path)] == [1, 3]


def test_the_change_a_client_left_open_is_found(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = Log(path)
    assert unsettled(path, A) is None
    log.write(A, "begin", i=1)
    log.write(B, "begin", i=2)
    log.write(B, "ok", i=2)
    log.write(A, "unknown", i=1)
    log.write("0r", "reading", i=3)
    open_change = unsettled(path, A)
    assert open_change is not None
    assert open_change["i"] == 1
    assert unsettled(path, B) is None
    log.write(A, "settled", i=1, rows=[])
    assert unsettled(path, A) is None
