"""The row half of the embedded pair at the level of its protocol: keys, names, schema changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from platform_store.association import Association, Column, KeyValues
from platform_store.config import EmbeddedConfig
from platform_store.declaration import declare
from platform_store.errors import Conflict, NotSupported, RowExists, SchemaError, ValueRejected
from platform_store.records import ColumnAttribute, Index
from platform_store.rows import new_row
from platform_store.selection import select
from platform_store.stores.base import Entry, StaleAssociation
from platform_store.stores.embedded import EmbeddedStore

BINARY = "utf8mb4_0900_bin"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(EmbeddedConfig(tmp_path / "pair.db"))
    yield store
    store.close()


def create(
    store: EmbeddedStore, name: str, columns: Sequence[ColumnAttribute], indexes: Sequence[Index] = (), keys: int = 1
) -> Association:
    declared = declare(
        name,
        columns,
        len(columns) - 1,
        key=[column.name for column in columns[:keys]],
        indexes=indexes,
        key_collation=BINARY,
        text_collation=BINARY,
    )
    store.rows.check_placeable(declared)
    association = store.rows.add_association(declared)
    store.rows.create_table(association)
    return association


def insert(store: EmbeddedStore, association: Association, *rows: dict[str, object]) -> list[KeyValues]:
    with store.rows.transaction() as transaction:
        transaction.fence(association)
        keys = transaction.insert(association, [new_row(association, row) for row in rows])
        transaction.commit()
        return keys


def delete(store: EmbeddedStore, association: Association, *keys: object) -> None:
    with store.rows.transaction() as transaction:
        transaction.delete(association, [(key,) for key in keys])
        transaction.commit()


def keys_of(store: EmbeddedStore, association: Association) -> list[object]:
    return [row.key[0] for row in store.rows.fetch_range(select(association), None, None, None, 1000)]


@pytest.mark.parametrize("type_text", ["BIGINT", "BIGINT UNSIGNED", "INT UNSIGNED", "SMALLINT"])
def test_allocated_keys_are_mysqls(store: EmbeddedStore, type_text: str) -> None:
    table = create(store, "t", [ColumnAttribute("id", type_text, auto_increment=True)])
    assert insert(store, table, {}, {}) == [(1,), (2,)]
    assert insert(store, table, {"id": 0}) == [(0,)]
    assert insert(store, table, {"id": 100}, {}, {"id": 50}) == [(100,), (101,), (50,)]
    delete(store, table, 101)
    assert insert(store, table, {}) == [(102,)], "a deleted key is not given again"
    assert keys_of(store, table) == [0, 1, 2, 50, 100, 102]


def test_negative_keys_leave_the_counter(store: EmbeddedStore) -> None:
    table = create(store, "t", [ColumnAttribute("id", "BIGINT", auto_increment=True)])
    assert insert(store, table, {"id": -5}, {}) == [(-5,), (1,)]


@pytest.mark.parametrize(("type_text", "highest"), [("TINYINT", 127), ("BIGINT UNSIGNED", 2**64 - 1)])
def test_a_counter_can_be_used_up(store: EmbeddedStore, type_text: str, highest: int) -> None:
    table = create(store, "t", [ColumnAttribute("id", type_text, auto_increment=True)])
    assert insert(store, table, {"id": highest}) == [(highest,)]
    with pytest.raises(ValueRejected, match="used up"):
        insert(store, table, {})
    assert keys_of(store, table) == [highest]


def test_a_failed_insert_leaves_nothing_in_a_transaction_that_goes_on(store: EmbeddedStore) -> None:
    columns = [ColumnAttribute("id", "INT"), ColumnAttribute("name", "VARCHAR(9)")]
    table = create(store, "t", columns, [Index(["name"], unique=True)])
    insert(store, table, {"id": 5, "name": "five"})
    with store.rows.transaction() as transaction:
        with pytest.raises(RowExists) as exists:
            transaction.insert(table, [new_row(table, {"id": key}) for key in (4, 5, 6)])
        with pytest.raises(RowExists):
            transaction.insert(table, [new_row(table, {"id": key}) for key in (8, 8)])
        with pytest.raises(Conflict):
            transaction.insert(table, [new_row(table, {"id": 7}), new_row(table, {"id": 8, "name": "five"})])
        transaction.insert(table, [new_row(table, {"id": 9})])
        transaction.commit()
    assert exists.value.key == 5
    assert keys_of(store, table) == [5, 9]


def test_unique_indexes_take_many_nulls(store: EmbeddedStore) -> None:
    columns = [ColumnAttribute("id", "INT"), ColumnAttribute("n", "DECIMAL(30,2)")]
    table = create(store, "t", columns, [Index(["n"], unique=True)])
    insert(store, table, {"id": 1}, {"id": 2}, {"id": 3, "n": "1.5"})
    with pytest.raises(Conflict), store.rows.transaction() as transaction:
        transaction.update(table, (2,), new_row(table, {"id": 2, "n": "1.50"}).mysql)


@pytest.mark.parametrize(
    "name", ["we`ird", "SELECT", "客户", 'a"b', "50%off", "a:b", "%(x)s", "sqlite_x", "[a]", "a;b"]
)
def test_any_name_works(store: EmbeddedStore, name: str) -> None:
    lower = create(
        store, name, [ColumnAttribute("id", "INT"), ColumnAttribute(name, "INT"), ColumnAttribute("rowid", "INT")]
    )
    insert(store, lower, {"id": 1, name: 7, "rowid": 8})
    (row,) = store.rows.fetch_many(select(lower), [(1,)])
    assert row is not None
    assert row.values == (1, 7, 8)
    assert store.rows.table_exists(name)
    assert store.rows.drop_table(lower) == 1
    assert not store.rows.table_exists(name)


def test_tables_that_differ_in_case_are_two(store: EmbeddedStore) -> None:
    upper, lower = (create(store, name, [ColumnAttribute("id", "INT")]) for name in ("Card", "card"))
    insert(store, upper, {"id": 1})
    assert (keys_of(store, upper), keys_of(store, lower)) == ([1], [])


def test_composite_keys_are_read_in_order(store: EmbeddedStore) -> None:
    columns = [
        ColumnAttribute("a", "VARCHAR(9)"),
        ColumnAttribute("b", "BIGINT UNSIGNED"),
        ColumnAttribute("c", "DATE"),
    ]
    table = create(store, "t", columns, keys=3)
    numbers = (0, 2**63 - 1, 2**63, 2**64 - 1)
    days = ("0000-00-00", "1999-12-31", "2024-01-01")
    given: list[dict[str, object]] = [{"a": a, "b": b, "c": c} for a in ("A", "a", "é") for b in numbers for c in days]
    insert(store, table, *reversed(given))
    everything = store.rows.fetch_range(select(table), None, None, None, 1000)
    keys = [row.key for row in everything]
    assert [tuple(map(str, key)) for key in keys] == [tuple(map(str, row.values())) for row in given]
    part = store.rows.fetch_range(select(table), keys[3], keys[20], keys[5], 10)
    assert [row.key for row in part] == keys[6:16]
    found = store.rows.fetch_many(select(table), [keys[7], ("b", 1, "2024-01-01"), keys[2]])
    assert [row and row.key for row in found] == [keys[7], None, keys[2]]


def test_revisions_grow_and_documents_follow_their_rows(store: EmbeddedStore) -> None:
    columns = [ColumnAttribute("id", "INT"), ColumnAttribute("x", "INT")]
    declared = declare("t", columns, 0, key_collation=BINARY, text_collation=BINARY)
    table = store.rows.add_association(declared)
    store.rows.create_table(table)
    insert(store, table, {"id": 1}, {"id": 2})
    image = b"\x0e\x00\x00\x00\x10_id\x00\x01\x00\x00\x00\x00"

    def record(*entries: tuple[KeyValues, bytes | None]) -> list[Entry]:
        with store.rows.transaction() as transaction:
            recorded = transaction.record(table, entries)
            transaction.commit()
            return recorded

    first, second = record(((1,), image), ((2,), None))
    (third,) = record(((1,), image))
    assert first.revision < second.revision < third.revision
    assert store.documents.fetch(table, [1, 2]) == {1: {"_id": 1, "_rev": third.revision}}
    assert [row and row.pending for row in store.rows.fetch_many(select(table), [(1,), (2,)])] == [image, None]
    record(((1,), None))
    assert store.documents.count("t") == 0
    assert record(((1,), None))[0].revision > third.revision


def test_rows_that_exist_take_the_default_of_a_new_column(store: EmbeddedStore) -> None:
    table = create(store, "t", [ColumnAttribute("id", "INT")])
    insert(store, table, {"id": 1})
    added = Column(ColumnAttribute("x", "VARCHAR(9)", nullable=False, default="new"), "mysql", "x")
    store.rows.add_column(table, added)
    table = store.rows.put_association(replace(table, columns=(*table.columns, added)))
    (row,) = store.rows.fetch_many(select(table), [(1,)])
    assert row is not None
    assert row.values == (1, "new")


def test_an_old_association_is_noticed(store: EmbeddedStore) -> None:
    table = create(store, "t", [ColumnAttribute("id", "INT")])
    newer = store.rows.put_association(table)
    assert newer.epoch == table.epoch + 1
    with pytest.raises(StaleAssociation):
        store.rows.fetch_many(select(table), [(1,)])
    with pytest.raises(StaleAssociation):
        insert(store, table, {"id": 1})
    with pytest.raises(StaleAssociation):
        store.rows.put_association(table)
    store.rows.drop_table(newer)
    with pytest.raises(StaleAssociation):
        store.rows.fetch_many(select(newer), [(1,)])


@pytest.mark.parametrize(
    ("column", "construct"),
    [
        (ColumnAttribute("x", "VARCHAR(9)", collation="utf8mb4_0900_ai_ci"), "utf8mb4_0900_ai_ci"),
        (ColumnAttribute("x", "ENUM('a')", collation="utf8mb4_bin"), "utf8mb4_bin"),
    ],
)
def test_collations_that_are_not_binary_are_refused(
    store: EmbeddedStore, column: ColumnAttribute, construct: str
) -> None:
    with pytest.raises(NotSupported, match=construct):
        create(store, "t", [ColumnAttribute("id", "INT"), column])


def test_an_index_that_mysql_does_not_make_is_refused(store: EmbeddedStore) -> None:
    with pytest.raises(SchemaError, match="JSON"):
        create(store, "t", [ColumnAttribute("id", "INT"), ColumnAttribute("x", "JSON")], [Index(["x"])])


def test_adopting_is_refused(store: EmbeddedStore) -> None:
    with pytest.raises(NotSupported, match="associate"):
        store.rows.describe_foreign("t")
