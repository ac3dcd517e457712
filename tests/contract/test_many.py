"""The same change to many rows, and the deletion of many, in a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pytest

from platform_store import ColumnAttribute, Conflict, Index, Platform, ValueRejected
from tests.contract.conftest import Backend

COLUMNS = [
    ColumnAttribute("day", "DATE"),
    ColumnAttribute("id", "INT"),
    ColumnAttribute("n", "INT"),
    ColumnAttribute("code", "INT"),
    ColumnAttribute("doc", "JSON"),
    ColumnAttribute("note", "TEXT"),
]
KEYS = [(f"2026-06-{day:02d}", number) for day in (1, 2) for number in range(1, 531)]
SOME = [KEYS[3], KEYS[3], ("2026-06-03", 1), *KEYS[30:1050]]
"""One of them twice, and one that is not there; more than a statement takes."""


@pytest.fixture
def visits(platform: Platform, request: pytest.FixtureRequest) -> Platform:
    flag = getattr(request, "param", 3)
    platform.create_table("visit", COLUMNS, flag, key=["day", "id"], indexes=[Index(["code"], unique=True)])
    platform.write_many("visit", [row(key, number) for number, key in enumerate(KEYS)])
    return platform


divided_or_not = pytest.mark.parametrize("visits", [3, -1], ids=["divided", "in both"], indirect=True)


def row(key: tuple[str, int], number: int) -> dict[str, object]:
    return {"day": key[0], "id": key[1], "n": number, "code": number, "doc": {"n": number}, "note": f"note {number}"}


def changed(platform: Platform, keys: Sequence[tuple[str, int]], **columns: object) -> bool:
    """Whether these rows, and no others, differ in these columns from what they were."""
    found = {(str(one["day"]), one["id"]): {**one, "day": str(one["day"])} for one in platform.scan("visit")}
    wanted = {key: {**row(key, number), **(columns if key in keys else {})} for number, key in enumerate(KEYS)}
    return found == wanted


def revisions(platform: Platform) -> list[int]:
    """Of every document."""
    return sorted(document["_rev"] for document in platform._documents.stream("visit", 1000))


@divided_or_not
def test_columns_of_mysql(visits: Platform) -> None:
    visits.recover()
    before = revisions(visits)
    with visits.transaction() as tx:
        assert tx.update_many("visit", SOME, {"n": None}) == 1021
        assert tx.read("visit", KEYS[3], columns=["n"]) == {"n": None}
    assert changed(visits, SOME, n=None)
    visits.recover()
    divided = visits.describe("visit").flag == 3
    assert (revisions(visits) == before) == divided, "a document changes only where it has a copy"
    assert visits.verify("visit").ok


@divided_or_not
def test_columns_of_documents(visits: Platform) -> None:
    with visits.transaction() as tx:
        assert tx.update_many("visit", SOME, {"n": 7, "doc": {"新": 1}, "note": None}) == 1021
        assert tx.update_many("visit", SOME[:1], {"note": "另"}) == 1
        assert tx.read("visit", KEYS[3], columns=["note", "doc"]) == {"note": "另", "doc": {"新": 1}}
        tx.update_many("visit", SOME[:1], {"note": None})
    assert changed(visits, SOME, n=7, doc={"新": 1}, note=None)
    visits.recover()
    assert visits.verify("visit").ok


def test_nothing_to_change(visits: Platform) -> None:
    with visits.transaction() as tx:
        assert tx.update_many("visit", [], {"n": 1}) == 0
        assert tx.update_many("visit", [("2026-06-03", 1)], {"doc": 1}) == 0
        assert tx.update_many("visit", KEYS[:2], {}) == 2
        assert tx.delete_many("visit", []) == 0
        assert tx.delete_many("visit", [("2026-06-03", 1)]) == 0
    assert changed(visits, [])


def test_what_is_refused_changes_nothing(visits: Platform) -> None:
    with visits.transaction() as tx:
        with pytest.raises(Conflict, match="unique"):
            tx.update_many("visit", SOME, {"code": 5, "doc": 1})
        with pytest.raises(ValueRejected, match="'n'"):
            tx.update_many("visit", SOME, {"n": "x"})
        with pytest.raises(ValueRejected, match="key column"):
            tx.update_many("visit", SOME, {"id": 1})
        with pytest.raises(ValueRejected):
            tx.delete_many("visit", [("2026-06-01", 1), ("2026-06-01", "x")])
        tx.update_many("visit", SOME[:1], {"note": "doch"})
    assert changed(visits, SOME[:1], note="doch")
    assert visits.recover().remaining == 0


def test_what_waits_in_the_journal(visits: Platform, backend: Backend) -> None:
    visits.recover()
    with visits.transaction() as tx:
        assert tx.awaiting("visit", SOME) == set()
        tx.update_many("visit", KEYS[:2], {"note": "später"})
        tx.delete_many("visit", KEYS[2:3])
        tx.update_many("visit", KEYS[3:4], {"n": 0})
        assert tx.awaiting("visit", SOME[:1]) == set(), "nothing was journalled"
    with visits.transaction() as tx:
        changed = {(date.fromisoformat(day), number) for day, number in KEYS[:3]}
        assert tx.awaiting("visit", [*KEYS[:4], ("2026-06-03", 1)]) == (changed if backend.real else set())
    visits.recover()
    with visits.transaction() as tx:
        assert tx.awaiting("visit", KEYS) == set()


def test_rows_deleted(visits: Platform, backend: Backend) -> None:
    with backend.open() as other:
        with visits.transaction() as tx:
            assert tx.delete_many("visit", SOME) == 1021
            assert tx.delete_many("visit", SOME) == 0
            assert tx.read("visit", KEYS[3]) is None
            assert changed(other, [])
        left = [(str(one["day"]), one["id"]) for one in other.scan("visit")]
    assert left == [key for key in KEYS if key not in set(SOME)]
    visits.recover()
    assert visits.verify("visit").ok
    with visits.transaction() as tx:
        tx.write_many("visit", [row(key, number) for number, key in enumerate(KEYS) if key in set(SOME)])
    assert changed(visits, [])
