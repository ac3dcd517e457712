"""Schema changes that died half-way: the catalog says so, and calling again finishes or undoes them."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import pytest

from platform_store import ColumnAttribute, Index, Platform, SchemaError
from tests.contract.conftest import Backend

COLUMNS = [
    ColumnAttribute("id", "INT"),
    ColumnAttribute("name", "VARCHAR(20)", nullable=False),
    ColumnAttribute("doc", "JSON"),
    ColumnAttribute("note", "TEXT"),
]


class Killed(BaseException):
    """Stands for the death of the process: nothing that handles errors may handle it, and nothing is undone."""


STORE_METHODS = {
    "rows": [
        "add_association", "put_association", "remove_association", "create_table", "drop_table", "add_column",
        "tighten_column", "loosen_column", "drop_column", "rename_column", "forget_revisions", "create_index",
        "drop_index",
    ],
    "rows.journal": ["raise_revisions"],
    "documents": ["create_collection", "drop_collection", "create_index", "drop_index", "unset_field"],
}  # fmt: skip


def _die_at(platform: Platform, step: int) -> list[str]:
    """Makes the ``step``-th call that changes a store the last thing the process does. Returns the calls made."""
    calls: list[str] = []

    def wrapped(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if len(calls) >= step:
                raise Killed  # a dead process runs no handler either: whatever undoes is dead too
            calls.append(name)
            result = original(*arguments, **options)
            if len(calls) == step:
                raise Killed
            return result

        return call

    for store, names in STORE_METHODS.items():
        target = attrgetter(f"_{store}")(platform)
        for name in names if target is not None else ():
            setattr(target, name, wrapped(name, getattr(target, name)))
    return calls


def _create(platform: Platform) -> None:
    platform.create_table("card", COLUMNS, flag=1, extra=True, indexes=[Index(["name"]), Index(["doc"])])


def _discard(platform: Platform) -> None:
    platform.drop_collection("card", discard_document_columns=True)


ROW = {"id": 1, "name": "a", "doc": [1], "note": "旧", "tag": 1}
CHANGES: dict[str, tuple[Callable[[Platform], object], dict[str, object] | None]] = {
    "create": (_create, None),
    "add": (
        lambda platform: platform.add_column("card", ColumnAttribute("level", "INT", default=3), to="mysql"),
        {**ROW, "level": 3},
    ),
    "index": (lambda platform: platform.add_index("card", Index(["name"])), ROW),
    "drop index in mysql": (lambda platform: platform.drop_index("card", Index(["name"])), ROW),
    "drop index in mongodb": (lambda platform: platform.drop_index("card", Index(["doc"])), ROW),
    "drop in mysql": (
        lambda platform: platform.drop_column("card", "name"),
        {name: value for name, value in ROW.items() if name != "name"},
    ),
    "drop in mongodb": (
        lambda platform: platform.drop_column("card", "note"),
        {name: value for name, value in ROW.items() if name != "note"},
    ),
    "rename": (
        lambda platform: platform.rename_column("card", "name", "title"),
        {"id": 1, "title": "a", "doc": [1], "note": "旧", "tag": 1},
    ),
    "discard": (_discard, {"id": 1, "name": "a", "doc": None, "note": None}),
    "drop": (lambda platform: platform.drop_table("card"), None),
}


def _indexes(change: str) -> list[Index]:
    return [Index(["name"]), Index(["doc"])] if change.startswith("drop index") else [Index(["doc"])]


def _steps(change: str) -> int:
    return {
        "create": 5,
        "add": 4,
        "index": 3,
        "drop index in mysql": 2,
        "drop index in mongodb": 2,
        "drop in mysql": 4,
        "drop in mongodb": 3,
        "rename": 3,
        "discard": 6,
        "drop": 4,
    }[change]


@pytest.mark.parametrize(
    ("change", "step"), [(change, step) for change in CHANGES for step in range(1, _steps(change))]
)
def test_a_change_that_died_is_finished_by_calling_it_again(backend: Backend, change: str, step: int) -> None:
    call, expected = CHANGES[change]
    with backend.open() as dying:
        if change != "create":
            dying.create_table("card", COLUMNS, flag=1, extra=True, indexes=_indexes(change))
            dying.write("card", ROW)
        calls = _die_at(dying, step)
        with pytest.raises(Killed):
            call(dying)
        assert len(calls) == step
    with backend.open() as platform:
        if (change, step) == ("add", 3):
            with pytest.raises(SchemaError, match="already"):
                call(platform)
        else:
            call(platform)
        if change == "drop":
            assert platform.tables() == []
            _create(platform)
        elif expected is None:
            platform.write("card", ROW)
            expected = ROW
        if expected is not None:
            assert list(platform.scan("card")) == [expected]
            fresh = {**expected, "id": 2}
            platform.write("card", fresh)
            assert platform.read("card", 2) == fresh
        assert all(finding.ok for finding in platform.doctor() if finding.subject.startswith("table"))


@pytest.mark.parametrize("change", CHANGES)
def test_the_steps_are_all_of_them(backend: Backend, change: str) -> None:
    """A new step must be killed at, too."""
    with backend.open() as platform:
        if change != "create":
            platform.create_table("card", COLUMNS, flag=1, extra=True, indexes=_indexes(change))
        calls = _die_at(platform, 1000)
        CHANGES[change][0](platform)
        assert len(calls) == _steps(change), calls


def test_an_index_that_died_is_in_nobodys_way(backend: Backend) -> None:
    """Another one takes its place in the catalog."""
    with backend.open() as dying:
        dying.create_table("card", COLUMNS, flag=1)
        _die_at(dying, 2)
        with pytest.raises(Killed):
            dying.add_index("card", Index(["name"], unique=True))
    with backend.open() as platform:
        platform.add_index("card", Index(["name"]))
        if not backend.real:  # servers tell them apart by their names
            platform.write_many("card", [{"id": number, "name": "a"} for number in (1, 2)])
