"""Documents that are compared and united."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_model.documents import is_empty, same, united
from platform_store import JsonText

NULL = JsonText("null")

values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from([1.0, "", "a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=8,
)
documents = values | st.just(NULL)


@pytest.mark.parametrize(
    ("one", "other", "whole", "contradictions"),
    [
        (None, None, None, []),
        (None, NULL, None, []),
        (NULL, None, NULL, []),
        (NULL, {"a": 1}, {"a": 1}, []),
        ({"a": 1}, NULL, {"a": 1}, []),
        ([1], [True, 1, 1.0, 1.0], [1, True, 1.0], []),
        ([{"a": [1]}], [{"a": [1]}, {"a": []}], [{"a": [1]}, {"a": []}], []),
        ([1, 1], [1], [1, 1], []),
        ({"a": {"b": 1}}, {"a": {"b": 2, "c": None}}, {"a": {"b": 1, "c": None}}, [".a.b"]),
        ({"a": None}, {"a": []}, {"a": []}, []),
        ({"a": [1]}, {"a": {"b": 1}}, {"a": [1]}, [".a"]),
        ("x", ["x"], "x", [""]),
        ({}, {"a": 0}, {"a": 0}, []),
        (False, True, False, [""]),
    ],
)
def test_united(one: Any, other: Any, whole: Any, contradictions: list[str]) -> None:
    found, paths = united(one, other)
    assert same(found, whole)
    assert paths == contradictions


@given(documents, documents)
@settings(derandomize=True, max_examples=300)
def test_nothing_is_lost_or_overwritten(one: Any, other: Any) -> None:
    whole, contradictions = united(one, other)
    assert holds(whole, one, "", [])
    assert holds(whole, other, "", contradictions)
    assert same(united(whole, other)[0], whole), "once more, it adds nothing"
    assert united(one, one) == (one, [])


def holds(whole: Any, part: Any, path: str, but: list[str]) -> bool:
    """Whether all of a part is in the whole, in its place, ``but`` at these paths."""
    if is_empty(part) or path in but or same(whole, part):
        return True
    if isinstance(whole, list) and isinstance(part, list):
        return all(any(same(item, its) for its in whole) for item in part)
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(name in whole and holds(whole[name], value, f"{path}.{name}", but) for name, value in part.items())
    return False


def test_same_is_of_one_type_throughout() -> None:
    assert same({"a": [1, {"b": "x"}]}, {"a": [1, {"b": "x"}]})
    for one, other in (
        (1, True),
        (1, 1.0),
        ([1], [True]),
        ({"a": 1}, {"a": 1.0}),
        (None, NULL),
        ("null", NULL),
        ([], {}),
    ):
        assert not same(one, other)
    assert not same({"a": 1}, {"a": 1, "b": 2})
    assert not same([1], [1, 2])
