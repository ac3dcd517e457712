"""What changes of own keys must do: the reference that the library is compared with.

A change is a list as it stands in the log::

    ["put", table, keys, version, on_conflict, many]    write, or write_many
    ["set", table, key, version, groups, expected]      update; expected: the row's first version number, or null
    ["del", table, key]
    ["range", table, first, last]                       delete_range of whole numbers
    ["get", table, key, locked]                         a read inside a transaction
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from tests.torture.rows import Key, State, is_own

Place: TypeAlias = tuple[str, Key]
Change: TypeAlias = list[Any]

REFUSALS = ("RowExists", "RowNotFound", "Conflict")
UNKNOWN = object()
"""The result of a change of a shared row: nobody can know it beforehand."""


class Refused(Exception):
    """The change is refused; ``args[0]`` names the error."""


def places(changes: Sequence[Change]) -> list[Place]:
    """The rows that changes may touch, own and shared, each once."""
    found: dict[Place, None] = {}
    for change in changes:
        table = change[1]
        match change[0]:
            case "put":
                keys = change[2]
            case "range":
                keys = range(change[2], change[3] + 1)
            case _:
                keys = [change[2]]
        found |= dict.fromkeys((table, key) for key in keys)
    return list(found)


def own_places(changes: Sequence[Change]) -> list[Place]:
    """The rows of :func:`places` that belong to one client."""
    return [place for place in places(changes) if is_own(*place)]


def run(
    current: Callable[[Place], State], changes: Sequence[Change], *, together: bool
) -> tuple[list[Any], dict[Place, State]]:
    """The result of each change, and the state each changed row is left in.

    ``together``: in one transaction, which goes on after a change that is refused. Else raises Refused.
    """
    left: dict[Place, State] = {}
    results: list[Any] = []

    def now(place: Place) -> State:
        return left[place] if place in left else current(place)

    for change in changes:
        if not own_places([change]):
            results.append(UNKNOWN)
            continue
        try:
            result, changed = _step(now, change)
        except Refused as refused:
            if not together:
                raise
            results.append({"refused": refused.args[0]})
        else:
            results.append(result)
            left |= changed
    return results, left


def _step(current: Callable[[Place], State], change: Change) -> tuple[Any, dict[Place, State]]:
    match change:
        case ["put", table, keys, version, on_conflict, many]:
            taken = [key for key in keys if current((table, key)) is not None]
            if taken and on_conflict == "error":
                raise Refused("RowExists")
            fresh = [key for key in keys if key not in taken]
            replaced = taken if on_conflict == "replace" else []
            counts = [len(fresh), len(replaced), len(taken) - len(replaced)]
            return counts if many else keys[0], {(table, key): (version,) * 3 for key in [*fresh, *replaced]}
        case ["set", table, key, version, groups, expected]:
            state = current((table, key))
            if state is None:
                raise Refused("RowNotFound")
            if expected is not None and state[0] != expected:
                raise Refused("Conflict")
            new = tuple(version if group in groups else old for group, old in enumerate(state))
            return None, {(table, key): new}
        case ["del", table, key]:
            there = current((table, key)) is not None
            return there, {(table, key): None} if there else {}
        case ["range", table, first, last]:
            present = [key for key in range(first, last + 1) if current((table, key)) is not None]
            return len(present), {(table, key): None for key in present}
        case ["get", table, key, _]:
            state = current((table, key))
            return state if state is None else list(state), {}
    raise ValueError(f"no such change: {change}")
