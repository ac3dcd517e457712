"""Carries out a change as the log describes it, and says what it returned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from platform_store import Conflict, Platform, RowExists, RowNotFound
from platform_store.transaction import Transaction
from tests.torture.log import Record
from tests.torture.model import Change, Place
from tests.torture.rows import ACCOUNT, GROUPS, State, account, columns, state_of


class Aborted(Exception):
    """What a transaction that is to be rolled back is left with."""


def perform(platform: Platform, record: Record) -> dict[str, Any]:
    """The results of a change, and what it left of the accounts it counted."""
    match record["kind"]:
        case "transaction" | "abort" as kind:
            with platform.transaction() as tx:
                done = _together(tx, record)
                if kind == "abort":
                    raise Aborted
            return done
        case "run_transaction":
            return platform.run_transaction(lambda tx: _together(tx, record))
        case "expect":
            ((key, _),) = record["counters"]
            return {"results": [], "counted": [_compare_and_set(platform, key, record["uid"])]}
    return {"results": [_change(platform, change) for change in record["changes"]], "counted": []}


def locked_rows(platform: Platform, places: Sequence[Place]) -> list[list[Any]]:
    """Rows under their locks, all at one moment: whatever was under way for them has ended."""
    with platform.transaction() as tx:
        return [[table, key, _read(tx, table, key, lock=True)] for table, key in places]


def _together(tx: Transaction, record: Record) -> dict[str, Any]:
    results: list[Any] = []
    for change in record["changes"]:
        try:
            results.append(_change(tx, change))
        except (RowExists, RowNotFound, Conflict) as error:  # the transaction goes on without it
            results.append({"refused": type(error).__name__})
    return {"results": results, "counted": [_count(tx, key, amount, record) for key, amount in record["counters"]]}


def _change(target: Platform | Transaction, change: Change) -> Any:
    match change:
        case ["put", table, keys, version, on_conflict, many]:
            rows = [{"id": key, **columns(table, key, version)} for key in keys]
            if not many:
                return target.write(table, rows[0], on_conflict=on_conflict)
            counts = target.write_many(table, rows, on_conflict=on_conflict)
            return [counts.inserted, counts.replaced, counts.ignored]
        case ["set", table, key, version, groups, expected]:
            expect = None if expected is None else {GROUPS[0]: expected}
            return target.update(table, key, columns(table, key, version, groups), expect=expect)
        case ["del", table, key]:
            return target.delete(table, key)
        case ["range", table, first, last]:
            return target.delete_range(table, first, last)
        case ["get", table, key, lock] if isinstance(target, Transaction):
            return _read(target, table, key, lock=lock)
    raise ValueError(f"no such change: {change}")


def _read(tx: Transaction, table: str, key: Any, *, lock: bool) -> list[int] | None:
    state = state_of(table, key, tx.read(table, key, for_update=lock))
    return None if state is None else list(state)


def _count(tx: Transaction, key: int, amount: int, record: Record) -> list[int]:
    count, balance, _ = _account(key, tx.read(ACCOUNT, key, for_update=True))
    tx.update(ACCOUNT, key, account(count + 1, balance + amount, record["uid"]))
    return [key, count + 1, balance + amount]


def _compare_and_set(platform: Platform, key: int, uid: int) -> list[int]:
    row = platform.read(ACCOUNT, key)
    count, balance, _ = _account(key, row)
    assert row is not None, "accounts are never deleted"
    expected = "doc" if uid % 2 else "n"  # the document is unique to its change, as the count is
    platform.update(ACCOUNT, key, account(count + 1, balance, uid), expect={expected: row[expected]})
    return [key, count + 1, balance]


def _account(key: int, row: dict[str, object] | None) -> tuple[int, ...]:
    state: State = state_of(ACCOUNT, key, row)
    assert state is not None, "accounts are never deleted"
    return state
