"""Values of document columns, which may hold anything: what was imported is not always of the form described."""

from __future__ import annotations

from typing import Any

from platform_store import JsonText


def is_empty(value: Any) -> bool:
    """Whether there is nothing, or JSON's null."""
    return value is None or (isinstance(value, JsonText) and str(value).strip() == "null")


def entries(value: Any) -> list[Any]:
    """What a list of entries has in it; where something else was stored, that is its one entry."""
    if is_empty(value):
        return []
    return value if isinstance(value, list) else [value]


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same in a column: ``True`` is not 1, 1 not 1.0, nor JSON's null no value."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def united(one: Any, other: Any) -> tuple[Any, list[str]]:
    """Two documents as one, and where they contradict each other, as paths such as ``".a.b"``: there ``one`` holds.

    Objects have the fields of both, lists the items of both, those of ``one`` first and each of ``other``'s that was
    not among them once; nothing and null give way to what is there.
    """
    if is_empty(other) or same(one, other):
        return one, []
    if is_empty(one):
        return other, []
    if isinstance(one, list) and isinstance(other, list):
        items = list(one)
        for item in other:
            if not any(same(item, its) for its in items):
                items.append(item)
        return items, []
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return one, [""]
    fields, contradictions = dict(one), []
    for name, value in other.items():
        fields[name], inside = united(one.get(name), value)
        contradictions += [f".{name}{path}" for path in inside]
    return fields, contradictions
