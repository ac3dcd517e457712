"""The tables, and what a row of each looks like: a function of its key and its version numbers alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

from platform_store import ColumnAttribute, Platform

Key: TypeAlias = Any  # an int or a str
State: TypeAlias = tuple[int, ...] | None
"""The version numbers of a row (an account: its count, balance and last change); None where there is no row."""

REGISTERS = range(4)  # keys of ITEM that every client overwrites
ACCOUNTS = range(4)
OWN = 8  # small keys of its own that each client has in each table
OPENING_BALANCE = 1000

ITEM, GUEST, PAIR, ACCOUNT = "item", "客户", "pair", "account"
GROUPS = ("version", "stamp", "plain")
"""The MySQL column of each version number; the other columns follow one of them."""

_VERSIONS = [ColumnAttribute(name, "BIGINT", nullable=False) for name in GROUPS]


class Torn(Exception):
    """A row's columns are not of one version."""


def create_tables(platform: Platform) -> None:
    """Makes the tables, and the accounts with their opening balance."""
    number, text = ColumnAttribute("id", "BIGINT"), ColumnAttribute("id", "VARCHAR(40)")
    document, note = ColumnAttribute("doc", "JSON"), ColumnAttribute("note", "TEXT")
    platform.create_table(ITEM, [number, *_VERSIONS, document, note], flag=3)
    platform.create_table(GUEST, [text, *_VERSIONS, note], flag=3, extra=True)
    platform.create_table(PAIR, [number, *_VERSIONS, document, note], flag=-1)
    counted = [ColumnAttribute(name, "BIGINT", nullable=False) for name in ("n", "balance", "uid")]
    platform.create_table(ACCOUNT, [number, *counted, document], flag=3)
    platform.write_many(ACCOUNT, [{"id": key, **account(0, OPENING_BALANCE, 0)} for key in ACCOUNTS])


def is_own(table: str, key: Key) -> bool:
    """Whether one client alone changes the row."""
    return table != ACCOUNT and not (table == ITEM and key in REGISTERS)


def own_keys(table: str, slot: int) -> list[Key]:
    """The small keys of one client, in order."""
    return [f"客{slot}-{n}" if table == GUEST else (slot + 1) * 1000 + n for n in range(OWN)]


def batch_keys(slot: int, number: int) -> int:
    """Where a client's keys for whole batches begin, for each of its lives anew."""
    return (slot + 1) * 10**12 + number * 10**6


def columns(table: str, key: Key, version: int, groups: Collection[int] = (0, 1, 2)) -> dict[str, object]:
    """The columns (and extra fields) that follow the version numbers of these groups."""
    found: dict[str, object] = {GROUPS[group]: version for group in groups}
    if 0 in groups:
        name = "extra" if table == GUEST else "doc"
        found[name] = {"of": [key, version], "名": _text(version, 5), "list": [version % 7, None, True, 0.5]}
    if 1 in groups:
        found["note"] = _text(version, 3)
        if table == GUEST:
            found["备注"] = f"备注 {version}"
    return found


def account(n: int, balance: int, uid: int) -> dict[str, object]:
    """The columns of an account."""
    return {"n": n, "balance": balance, "uid": uid, "doc": {"n": n, "余额": balance, "uid": uid, "pad": _text(uid, 4)}}


def state_of(table: str, key: Key, row: Mapping[str, object] | None) -> State:
    """The version numbers of a row. Raises Torn unless every column is as they say."""
    if row is None:
        return None
    names = ("n", "balance", "uid") if table == ACCOUNT else GROUPS
    state = tuple(value for value in map(row.get, names) if isinstance(value, int))
    expected: dict[str, object] = {"id": key}
    if len(state) == len(names):
        if table == ACCOUNT:
            expected |= account(*state)
        else:
            for group, version in enumerate(state):
                expected |= columns(table, key, version, [group])
        if row == expected:
            return state
    wrong = sorted(name for name in row.keys() | expected.keys() if row.get(name) != expected.get(name))
    shown = {name: str(row.get(name))[:80] for name in [*names, *wrong]}
    raise Torn(f"{table} {key!r} is torn at {', '.join(wrong)}: {shown}")


def _text(version: int, step: int) -> str:
    """Text of this version alone, mostly short, sometimes long."""
    return f"{version}：" + "长文本😀" * (version * step % 17) * (60 if version % 11 == 0 else 1)
