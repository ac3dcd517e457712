"""Several changes as one: together or not at all, on every backend."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from platform_store import (
    ColumnAttribute,
    Conflict,
    Index,
    NotSupported,
    Platform,
    PlatformStoreError,
    RowExists,
    RowNotFound,
    SchemaError,
    Transaction,
    TransientError,
    ValueRejected,
)
from platform_store.unit import Unit
from tests.contract.conftest import Backend
from tests.waiting import PATIENCE

COLUMNS = [
    ColumnAttribute("id", "INT"),
    ColumnAttribute("n", "INT"),
    ColumnAttribute("doc", "JSON"),
]


@pytest.fixture
def tables(platform: Platform) -> Platform:
    platform.create_table("account", COLUMNS, flag=1, indexes=[Index(["n"], unique=True)])
    platform.create_table("booking", COLUMNS, flag=1)
    platform.write_many("account", [{"id": 1, "n": 10, "doc": "eins"}, {"id": 2, "n": 20, "doc": "zwei"}])
    return platform


def _all(platform: Platform) -> list[list[dict[str, object]]]:
    return [list(platform.scan(table)) for table in ("account", "booking")]


@pytest.mark.parametrize(
    "keys",
    [
        [1, 2, 3, 4],
        [-2, -1, 0, 1],
        [4, 3, 2, 1],
        [1, 2, 4, 5],
        [2**63 - 2, 2**63 - 1],
        [2**64 - 3, 2**64 - 2, 2**64 - 1],
        [(1, 1), (1, 2), (1, 3)],
    ],
)
def test_many_rows_are_stamped_each_with_its_own_revision(platform: Platform, keys: list[Any]) -> None:
    """A document of another revision than its row's would be no answer; rows between the keys are not touched."""
    composite = isinstance(keys[0], tuple)
    unsigned = " UNSIGNED" if not composite and max(keys) >= 2**63 else ""
    columns = [ColumnAttribute("a", f"BIGINT{unsigned}"), ColumnAttribute("b", "INT"), ColumnAttribute("doc", "JSON")]
    platform.create_table("run", columns, flag=1, key=["a", "b"] if composite else ["a"])
    between = [] if composite else [key for key in range(min(keys), max(keys)) if key not in keys]
    given = [key if composite else (key, 0) for key in keys]
    rows = [{"a": a, "b": b, "doc": [str(a), b]} for a, b in given]
    others = [{"a": key, "b": 1, "doc": "other"} for key in between]
    platform.write_many("run", others)
    for doc in ("first", "second"):
        with platform.transaction() as tx:
            rows = [{**row, "doc": [doc, row["doc"]]} for row in rows]
            tx.write_many("run", rows, on_conflict="replace")
        for _ in range(2):  # from the journal, and from MongoDB
            wanted = sorted([*rows, *others], key=lambda row: (row["a"], row["b"]))
            assert list(platform.scan("run")) == wanted
            platform.recover()


def test_changes_become_true_together(tables: Platform, backend: Backend) -> None:
    before = _all(tables)
    with backend.open() as other:
        with tables.transaction() as tx:
            tx.update("account", 1, {"n": 5, "doc": "fünf"}, expect={"n": 10, "doc": "eins"})
            assert tx.write("booking", {"id": 1, "n": 5, "doc": [1]}) == 1
            tx.update("booking", 1, {"doc": [1, 2]})
            assert tx.write_many("booking", [{"id": 2}, {"id": 3}]).inserted == 2
            assert tx.insert_many("booking", [{"id": 9, "doc": 9}, {"id": 8, "doc": 8}]) == [9, 8]
            assert tx.read("booking", 8) == {"id": 8, "n": None, "doc": 8}
            assert tx.delete_range("booking", 8, 9) == 2
            assert tx.delete("account", 2) is True
            assert tx.delete_range("booking", 3, None) == 1
            assert tx.read("account", 1) == {"id": 1, "n": 5, "doc": "fünf"}
            assert tx.read("booking", 1, columns=["doc"]) == {"doc": [1, 2]}
            assert tx.read("account", 2) is None
            assert tx.read("booking", 3, for_update=True) is None
            assert _all(other) == before
        after = [
            [{"id": 1, "n": 5, "doc": "fünf"}],
            [{"id": 1, "n": 5, "doc": [1, 2]}, {"id": 2, "n": None, "doc": None}],
        ]
        assert _all(other) == after
    assert _all(tables) == after
    assert tables.recover().remaining == 0
    assert [document["_id"] for document in tables.read_collection("booking")] == [1]


class Changed(Exception):
    """The application thinks better of it."""


@pytest.mark.parametrize("error", [Changed, KeyboardInterrupt, RowNotFound])
def test_an_exception_undoes_everything(tables: Platform, error: type[BaseException]) -> None:
    before = _all(tables)

    def work() -> None:
        with tables.transaction() as tx:
            tx.update("account", 1, {"n": 5, "doc": "fünf"})
            tx.write("booking", {"id": 1, "doc": 1})
            tx.delete("account", 2)
            raise error("x", 1) if error is RowNotFound else error

    with pytest.raises(error):
        work()
    assert _all(tables) == before
    assert tables.recover().remaining == 0
    tables.write("booking", {"id": 1, "doc": 2})


def test_a_change_that_raised_has_changed_nothing(tables: Platform) -> None:
    with tables.transaction() as tx:
        tx.write("booking", {"id": 1, "doc": "bleibt"})
        with pytest.raises(RowExists):
            tx.write_many("booking", [{"id": 7, "doc": 7}, {"id": 1}])
        with pytest.raises(Conflict):
            tx.update("account", 1, {"doc": "weg"}, expect={"n": 11})
        with pytest.raises(Conflict, match="unique"):
            tx.update("account", 1, {"n": 20, "doc": "weg"})
        with pytest.raises(ValueRejected):
            tx.update("account", 1, {"n": "x"})
        with pytest.raises(RowNotFound):
            tx.update("account", 9, {"n": 1})
        with pytest.raises(SchemaError):
            tx.write("nowhere", {"id": 1})
        assert tx.read("booking", 7) is None
    assert _all(tables) == [
        [{"id": 1, "n": 10, "doc": "eins"}, {"id": 2, "n": 20, "doc": "zwei"}],
        [{"id": 1, "n": None, "doc": "bleibt"}],
    ]
    assert tables.recover().remaining == 0


def test_what_a_failed_change_journalled_never_reaches_mongodb(
    tables: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change that fails after its documents were recorded, by whatever error."""

    original = Unit.put

    def fails(*arguments: Any) -> None:
        original(*arguments)
        raise ZeroDivisionError

    with tables.transaction() as tx:
        tx.write("booking", {"id": 1, "doc": "bleibt"})
        with monkeypatch.context() as patch:
            patch.setattr(Unit, "put", fails)
            with pytest.raises(ZeroDivisionError):
                tx.write_many("booking", [{"id": 2, "doc": "weg"}])
    assert tables._documents.count("booking") == 1  # a reader would not see the document of a row that is not there
    assert _all(tables)[1] == [{"id": 1, "n": None, "doc": "bleibt"}]
    assert tables.recover().remaining == 0


def test_a_transaction_has_an_end(tables: Platform) -> None:
    with tables.transaction() as tx, pytest.raises(NotSupported, match="inside"), tables.transaction():
        pass
    with pytest.raises(NotSupported, match="ended"):
        tx.read("account", 1)
    with tables.transaction():
        pass


def test_definitions_stay_as_they_are_until_the_end(tables: Platform, backend: Backend) -> None:
    with backend.open() as other:
        tables.add_column("booking", ColumnAttribute("note", "TEXT"), to="mongodb")
        with other.transaction() as tx:
            tx.write("booking", {"id": 1, "note": "neu"})
    assert tables.read("booking", 1, columns=["note"]) == {"note": "neu"}


def test_money_is_neither_made_nor_lost(tables: Platform, backend: Backend) -> None:
    """Transfers between accounts from many threads, each a transaction that is tried again after a deadlock."""
    tables.create_table("money", COLUMNS, flag=1)
    tables.write_many("money", [{"id": key, "n": 100, "doc": {"n": 100}} for key in range(4)])
    failures: list[BaseException] = []

    def transfer(number: int) -> None:
        source, target = number % 4, (number * 7 + 1) % 4

        def work(tx: Transaction) -> None:
            balances = {}
            for key in {source, target}:
                row = tx.read("money", key, for_update=True)
                assert row is not None
                assert row["doc"] == {"n": row["n"]}, "torn"
                balances[key] = row["n"]
            if source != target:
                for key, change in ((source, -1), (target, 1)):
                    balance = balances[key]
                    assert isinstance(balance, int)
                    tx.update("money", key, {"n": balance + change, "doc": {"n": balance + change}})

        try:
            for _ in range(10):
                tables.run_transaction(work)
        except BaseException as error:  # noqa: BLE001 - reported by the main thread
            failures.append(error)

    threads = [threading.Thread(target=transfer, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    rows = list(tables.scan("money"))
    assert sum(row["n"] for row in rows if isinstance(row["n"], int)) == 400
    assert all(row["doc"] == {"n": row["n"]} for row in rows)


def test_a_deadlock_loses_the_whole_transaction(tables: Platform, backend: Backend) -> None:
    if not backend.real:
        return  # one writer at a time: there is nothing to wait for in a circle
    first_holds, second_holds = threading.Event(), threading.Event()
    errors: list[PlatformStoreError] = []

    def opposite() -> None:
        try:
            with tables.transaction() as tx:
                tx.update("account", 2, {"doc": "b"})
                second_holds.set()
                first_holds.wait(PATIENCE)
                tx.update("account", 1, {"doc": "b"})
        except TransientError as error:
            errors.append(error)

    thread = threading.Thread(target=opposite)
    thread.start()
    try:
        with tables.transaction() as tx:
            tx.update("account", 1, {"doc": "a"})
            first_holds.set()
            second_holds.wait(PATIENCE)
            try:
                tx.update("account", 2, {"doc": "a"})
            except TransientError:
                with pytest.raises(TransientError):
                    tx.write("booking", {"id": 1})
    except TransientError as error:
        errors.append(error)
    thread.join()
    assert len(errors) == 1
    documents = {row["doc"] for row in tables.scan("account")}
    assert documents in ({"a"}, {"b"})
    assert list(tables.scan("booking")) == []


def test_keys_of_many_inserted_rows_are_told_in_their_order(platform: Platform) -> None:
    columns = [ColumnAttribute("id", "BIGINT", auto_increment=True), *COLUMNS[1:]]
    platform.create_table("visit", columns, flag=1, indexes=[Index(["n"], unique=True)])
    with platform.transaction() as tx:
        keys = tx.insert_many("visit", [{"n": n, "doc": n} for n in (3, 1, 2)])
        with pytest.raises(Conflict):
            tx.insert_many("visit", [{"n": 7, "doc": 7}, {"n": 1, "doc": "again"}])
        more = tx.insert_many("visit", [{"n": 5, "doc": 5}, {"id": 1000, "n": 6, "doc": 6}])
    assert len({*keys, *more}) == 5
    assert more[1] == 1000
    found = {row["id"]: (row["n"], row["doc"]) for row in platform.scan("visit")}
    assert [found[key] for key in (*keys, *more)] == [(3, 3), (1, 1), (2, 2), (5, 5), (6, 6)]
    assert len(found) == 5


MANY = 450
"""Rows of three parts: the second is checked while the first is inserted."""


@pytest.mark.parametrize("refused", [{"n": "no number"}, {"n": 10}], ids=["ValueRejected", "Conflict"])
@pytest.mark.parametrize("number", [0, 250, MANY - 1])
def test_of_many_rows_all_are_written_or_none(tables: Platform, number: int, refused: dict[str, object]) -> None:
    rows: list[dict[str, object]] = [{"id": 100 + place, "n": 1000 + place, "doc": place} for place in range(MANY)]
    before = _all(tables)
    with tables.transaction() as tx:
        with pytest.raises((ValueRejected, Conflict)):
            tx.write_many("account", [*rows[:number], {**rows[number], **refused}, *rows[number + 1 :]])
        assert list(tx.find("account", order_by=["id"])) == before[0]
        assert tx.write_many("account", rows).inserted == MANY
        assert tx.insert_many("booking", [*rows[1:], rows[0]]) == [*range(101, 100 + MANY), 100]
    assert _all(tables) == [[*before[0], *rows], rows]
