"""Writing, reading and deleting rows: the same on every backend."""

from __future__ import annotations

import datetime
import threading
from collections import UserDict
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from platform_store import (
    ColumnAttribute,
    ColumnValue,
    Conflict,
    Index,
    JsonText,
    Platform,
    RowExists,
    RowNotFound,
    SchemaError,
    ValueRejected,
    WriteCounts,
)
from tests.contract.conftest import Backend

CUSTOMER = [
    ColumnAttribute("id", "BIGINT", auto_increment=True),
    ColumnAttribute("name", "VARCHAR(80)", nullable=False),
    ColumnAttribute("vip_level", "TINYINT", default=0),
    ColumnAttribute("credit", "DECIMAL(14,2)"),
    ColumnAttribute("profile", "JSON"),
    ColumnAttribute("note", "TEXT"),
    ColumnAttribute("seen_at", "DATETIME(6)"),
]


@pytest.fixture
def customer(platform: Platform) -> Platform:
    platform.create_table("customer", CUSTOMER, flag=3, extra=True, indexes=[Index(["vip_level"])])
    return platform


def test_a_row_is_one_row(customer: Platform) -> None:
    seen = datetime.datetime(2026, 5, 1, 8, 30, 0, 123456)
    key = customer.write(
        "customer",
        {"name": "张伟", "credit": Decimal("10.5"), "profile": {"hobbies": ["茶"]}, "seen_at": seen, "微信": "wx_1"},
    )
    assert key == 1
    assert customer.read("customer", key) == {
        "id": 1,
        "name": "张伟",
        "vip_level": 0,
        "credit": Decimal("10.50"),
        "profile": {"hobbies": ["茶"]},
        "note": None,
        "seen_at": seen,
        "微信": "wx_1",
    }


def test_a_row_given_as_column_values(customer: Platform) -> None:
    key = customer.write("customer", [ColumnValue("name", "李娜"), ColumnValue("note", "老客户")])
    assert customer.read("customer", key, columns=["note", "name"]) == {"note": "老客户", "name": "李娜"}
    with pytest.raises(ValueRejected, match="twice"):
        customer.write("customer", [ColumnValue("name", "a"), ColumnValue("name", "b")])


def test_absent_rows(customer: Platform) -> None:
    assert customer.read("customer", 99) is None
    assert customer.delete("customer", 99) is False
    assert customer.read_many("customer", [99]) == [None]
    with pytest.raises(RowNotFound) as caught:
        customer.update("customer", 99, {"name": "x"})
    assert (caught.value.table, caught.value.key) == ("customer", 99)


def test_updates_replace_whole_columns(customer: Platform) -> None:
    key = customer.write("customer", {"name": "王芳", "profile": {"a": 1, "b": 2}, "note": "旧", "tag": "x"})
    customer.update("customer", key, {"profile": {"a": 3}, "vip_level": 4})
    row = customer.read("customer", key)
    assert row is not None
    assert (row["profile"], row["vip_level"], row["note"], row["tag"]) == ({"a": 3}, 4, "旧", "x")
    customer.update("customer", key, {"note": None, "tag": "y", "credit": Decimal("0.005")})
    row = customer.read("customer", key)
    assert row is not None
    assert (row["note"], row["tag"], row["credit"]) == (None, "y", Decimal("0.01"))


def test_an_update_of_equal_values_finds_its_row(customer: Platform) -> None:
    key = customer.write("customer", {"name": "赵敏"})
    customer.update("customer", key, {"name": "赵敏"})
    customer.update("customer", key, {"note": None})


def test_updates_refuse_what_they_cannot_do(customer: Platform) -> None:
    key = customer.write("customer", {"name": "钱进"})
    with pytest.raises(ValueRejected, match="key column"):
        customer.update("customer", key, {"id": 7})
    with pytest.raises(ValueRejected, match=r"'\.'"):
        customer.update("customer", key, {"profile.hobbies": []})
    with pytest.raises(ValueRejected, match="NULL"):
        customer.update("customer", key, {"name": None})
    assert customer.read("customer", key, columns=["name", "profile"]) == {"name": "钱进", "profile": None}


def test_expect_compares_under_the_lock(customer: Platform) -> None:
    key = customer.write("customer", {"name": "孙丽", "vip_level": 1, "profile": {"x": [1]}, "tag": "a"})
    customer.update("customer", key, {"vip_level": 2}, expect={"vip_level": 1, "profile": {"x": [1]}, "tag": "a"})
    with pytest.raises(Conflict) as caught:
        customer.update("customer", key, {"vip_level": 3}, expect={"vip_level": 1, "note": None, "tag": "b"})
    assert caught.value.columns == ("vip_level", "tag")
    assert customer.read("customer", key, columns=["vip_level"]) == {"vip_level": 2}


def test_a_taken_key(customer: Platform) -> None:
    customer.write("customer", {"id": 5, "name": "周杰", "note": "一"})
    with pytest.raises(RowExists) as caught:
        customer.write("customer", {"id": 5, "name": "吴刚"})
    assert (caught.value.table, caught.value.key) == ("customer", 5)
    assert customer.write("customer", {"id": 5, "name": "吴刚"}, on_conflict="ignore") == 5
    row = customer.read("customer", 5)
    assert row is not None
    assert (row["name"], row["note"]) == ("周杰", "一")


def test_replace_resets_what_is_omitted(customer: Platform) -> None:
    customer.write("customer", {"id": 5, "name": "周杰", "vip_level": 3, "note": "一", "tag": "x"})
    assert customer.write("customer", {"id": 5, "name": "吴刚", "profile": []}, on_conflict="replace") == 5
    assert customer.read("customer", 5) == {
        "id": 5, "name": "吴刚", "vip_level": 0, "credit": None, "profile": [], "note": None, "seen_at": None,
    }  # fmt: skip


def test_many_rows(customer: Platform) -> None:
    rows = [{"name": f"客户{number}", "note": f"记录{number}"} for number in range(2500)]
    assert customer.write_many("customer", iter(rows)) == WriteCounts(inserted=2500)
    found = customer.read_many("customer", [2500, 7, 9999, 7])
    assert [row and row["note"] for row in found] == ["记录2499", "记录6", None, "记录6"]
    scanned = list(customer.scan("customer", 10, 2010, columns=["id", "note"]))
    assert [row["id"] for row in scanned] == list(range(10, 2011))
    assert all(row["note"] == f"记录{row['id'] - 1}" for row in scanned)  # type: ignore[operator]


def test_rows_read_together_share_nothing(customer: Platform) -> None:
    profile = {"a": [1, {"b": 2**63}], "c": 2**40}
    key = customer.write("customer", {"name": "a", "profile": profile})
    for _ in range(2):  # from the journal, and from MongoDB
        one, other, absent = customer.read_many("customer", [key, key, 99])
        assert absent is None
        assert one is not None
        assert other is not None
        assert one["profile"] == other["profile"] == profile
        one["profile"]["a"][1]["b"] = 0
        assert other["profile"] == profile
        customer.recover()


def test_many_rows_with_taken_keys(customer: Platform) -> None:
    customer.write_many("customer", [{"id": 1, "name": "a"}, {"id": 2, "name": "b", "note": "旧"}])
    with pytest.raises(RowExists):
        customer.write_many("customer", [{"id": 3, "name": "c"}, {"id": 2, "name": "x"}])
    assert customer.read("customer", 3) is None
    batch: list[dict[str, object]] = [
        {"id": 2, "name": "x"},
        {"id": 3, "name": "c"},
        {"id": 3, "name": "d"},
        {"name": "自动"},
    ]
    assert customer.write_many("customer", batch, on_conflict="ignore") == WriteCounts(inserted=2, ignored=2)
    assert [row["name"] for row in customer.scan("customer")] == ["a", "b", "c", "自动"]
    assert customer.write_many("customer", batch[:3], on_conflict="replace") == WriteCounts(replaced=3)
    assert [(row["name"], row["note"]) for row in customer.scan("customer", 2, 3)] == [("x", None), ("d", None)]


def test_a_failing_batch_says_what_was_written_before(customer: Platform) -> None:
    with pytest.raises(ValueRejected) as caught:
        customer.write_many("customer", [{"name": "a"}, {"name": "b"}, {"name": None}], batch_size=2)
    assert "2 rows inserted" in caught.value.__notes__[0]
    assert [row["name"] for row in customer.scan("customer")] == ["a", "b"]


class Watched(UserDict[str, object]):
    """A row that remembers which threads have looked at it."""

    def __init__(self, number: int, **columns: object):
        super().__init__({"id": number, "name": "n", "note": "旧", **columns})
        self.threads: set[int] = set()

    def __getitem__(self, name: str) -> object:
        self.threads.add(threading.get_ident())
        return super().__getitem__(name)


def test_rows_that_are_no_dicts_are_looked_at_in_their_turn(customer: Platform) -> None:
    """They may ask for anything, and wait for it: no lock of the batch before is held."""

    class Lazy(Watched):
        def __getitem__(self, name: str) -> object:
            if not self.threads:
                before = sum(1 for _ in customer.scan("customer"))
                assert before == (int(str(self.data["id"])) - 1) // 60 * 60
            return super().__getitem__(name)

    rows = [Lazy(number) for number in range(1, 181)]
    assert customer.write_many("customer", rows, batch_size=60) == WriteCounts(inserted=180)
    assert {*map(frozenset, (row.threads for row in rows))} == {frozenset({threading.get_ident()})}


@pytest.mark.parametrize("number", [61, 130], ids=["the second batch", "the third"])
@pytest.mark.parametrize("kind", [dict, UserDict])
def test_a_list_with_a_row_that_is_refused(customer: Platform, number: int, kind: type) -> None:
    rows = [kind({"id": place, "name": "n", "vip_level": 128 if place == number else 1}) for place in range(1, 181)]
    with pytest.raises(ValueRejected) as caught:
        customer.write_many("customer", rows, batch_size=60)
    written = (number - 1) // 60 * 60
    assert (caught.value.column, caught.value.key) == ("vip_level", number)
    assert f"{written} rows inserted" in caught.value.__notes__[0]
    assert [row["id"] for row in customer.scan("customer")] == list(range(1, written + 1))


def test_a_definition_that_changes_while_the_next_batch_is_checked(customer: Platform, backend: Backend) -> None:
    extended = threading.Event()

    class First(Watched):
        """Adds the column that its batch needs when it is looked at."""

        def __getitem__(self, name: str) -> object:
            if self.threads and not extended.is_set():
                extended.set()
                with backend.open() as other:
                    other.add_column("customer", ColumnAttribute("city", "TEXT"), to="mongodb")
            return super().__getitem__(name)

    rows = [*map(Watched, range(1, 61)), First(61, city="北京"), *(Watched(number) for number in range(62, 121))]
    assert customer.write_many("customer", rows, batch_size=60) == WriteCounts(inserted=120)
    assert extended.is_set()
    assert [row["id"] for row in customer.scan("customer") if row["city"] == "北京"] == [61]


def test_rows_of_an_iterator_are_taken_once_the_batch_before_is_written(customer: Platform) -> None:
    def rows() -> Iterator[dict[str, object]]:
        for number in range(1, 181):
            if number % 60 == 1:
                assert sum(1 for _ in customer.scan("customer")) == number - 1
            yield {"id": number, "name": "n", "note": "旧"}

    assert customer.write_many("customer", rows(), batch_size=60) == WriteCounts(inserted=180)


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ({"name": "a", "Note": "x"}, "Note", "did you mean 'note'"),
        ({"note": "x"}, "name", "missing"),
        ({"name": "x" * 81}, "name", "80"),
        ({"name": "a", "vip_level": 128}, "vip_level", "127"),
        ({"name": "a", "vip_level": "3"}, "vip_level", "int"),
        ({"name": "a", "credit": Decimal("1e12")}, "credit", "range"),
        ({"name": "a", "profile": {"x": {1: 2}}}, "profile", ""),
        ({"name": "a", "seen_at": "yesterday"}, "seen_at", ""),
        ({"name": "a", "extra": 2**63}, "extra", "64 bits"),
        ({"name": "a", "extra": datetime.datetime(2026, 1, 1, 0, 0, 0, 1)}, "extra", "milliseconds"),
        ({"name": "a", "_rev": 1}, "_rev", "reserved"),
        ({"name": "a", "$set": 1}, "$set", "begin"),
        ({"id": "1", "name": "a"}, "id", "int"),
    ],
)
def test_bad_rows_are_refused_whole(customer: Platform, row: dict[str, object], column: str, reason: str) -> None:
    with pytest.raises(ValueRejected) as caught:
        customer.write("customer", row)
    error = caught.value
    assert (error.table, error.column) == ("customer", column)
    assert error.key == row.get("id")
    assert reason in error.reason
    assert list(customer.scan("customer")) == []
    assert list(customer.read_collection("customer")) == []


def test_a_document_over_16_mb(customer: Platform) -> None:
    with pytest.raises(ValueRejected, match=r"16777216|max_allowed_packet") as caught:
        customer.write("customer", {"id": 3, "name": "a", "big": "长" * (6 * 1024 * 1024)})
    assert (caught.value.table, caught.value.key) == ("customer", 3)
    assert list(customer.scan("customer")) == []


def test_undeclared_fields_need_extra(platform: Platform) -> None:
    platform.create_table("plain", [ColumnAttribute("id", "INT"), ColumnAttribute("doc", "JSON")], flag=0)
    with pytest.raises(ValueRejected, match="no extra fields"):
        platform.write("plain", {"id": 1, "other": 2})
    platform.write("plain", {"id": 1, "doc": JsonText("null")})
    platform.write("plain", {"id": 2})
    rows = platform.read_many("plain", [1, 2])
    assert rows == [{"id": 1, "doc": JsonText("null")}, {"id": 2, "doc": None}]
    assert isinstance(rows[0] and rows[0]["doc"], JsonText)


def test_extra_values_keep_their_types(customer: Platform) -> None:
    values = {
        "n": None, "b": True, "i": -(2**63), "f": 1.5, "s": "𠮷", "y": b"\x00\xff", "d": Decimal("1.10"),
        "t": datetime.datetime(2026, 1, 2, 3, 4, 5, 678000), "l": [1, [2]], "m": {"a.b": {"$c": 1}, "": 0},
    }  # fmt: skip
    key = customer.write("customer", {"name": "a", **values})
    row = customer.read("customer", key)
    assert row is not None
    assert {name: row[name] for name in values} == values
    assert all(type(row[name]) is type(value) for name, value in values.items())


def test_deleting(customer: Platform) -> None:
    customer.write_many("customer", [{"name": f"客户{number}", "note": "x"} for number in range(1, 2501)])
    assert customer.delete("customer", 1) is True
    assert customer.delete("customer", 1) is False
    assert customer.delete_range("customer", 10, 2400) == 2391
    assert [row["id"] for row in customer.scan("customer")] == [*range(2, 10), *range(2401, 2501)]
    assert len(list(customer.read_collection("customer"))) == 108
    assert customer.delete_range("customer", None, None) == 108
    assert list(customer.scan("customer")) == []
    assert list(customer.read_collection("customer")) == []


def test_a_deleted_key_can_be_written_again(customer: Platform) -> None:
    customer.write("customer", {"id": 1, "name": "旧", "note": "旧", "tag": 1})
    customer.delete("customer", 1)
    customer.write("customer", {"id": 1, "name": "新"})
    assert customer.read("customer", 1) == {
        "id": 1, "name": "新", "vip_level": 0, "credit": None, "profile": None, "note": None, "seen_at": None,
    }  # fmt: skip


def test_read_collection_shows_documents(customer: Platform) -> None:
    customer.write("customer", {"name": "a", "note": "x", "tag": [1]})
    assert list(customer.read_collection("customer")) == [{"_id": 1, "note": "x", "tag": [1]}]
    with pytest.raises(SchemaError):
        list(customer.read_collection("bad$name"))


def test_read_collection_of_a_range_of_keys(customer: Platform) -> None:
    customer.write_many("customer", [{"id": key, "name": "a", "note": f"n{key}"} for key in range(1, 6)])
    customer.update("customer", 4, {"note": None})
    read = [document["_id"] for document in customer.read_collection("customer", 2, 5, batch_size=2)]
    assert read == [2, 3, 5]
    assert list(customer.read_collection("customer", 3, 3)) == [{"_id": 3, "note": "n3"}]
    assert list(customer.read_collection("customer", 4, 4)) == list(customer.read_collection("customer", 9)) == []
    with pytest.raises(SchemaError, match="in no association"):
        list(customer.read_collection("elsewhere", 1, 2))


def test_unknown_tables_and_columns(customer: Platform) -> None:
    calls: list[Callable[[], object]] = [
        lambda: customer.read("nowhere", 1),
        lambda: customer.write("nowhere", {}),
        lambda: customer.delete("nowhere", 1),
        lambda: list(customer.scan("nowhere")),
        lambda: customer.describe("nowhere"),
        lambda: customer.drop_table("nowhere"),
    ]
    for call in calls:
        with pytest.raises(SchemaError, match="nowhere"):
            call()
    assert customer.read("customer", 1, columns=["tag"]) is None
    customer.create_table("plain", [ColumnAttribute("id", "INT"), ColumnAttribute("doc", "JSON")], flag=0)
    with pytest.raises(SchemaError, match="tag"):
        customer.read("plain", 1, columns=["tag"])


def test_every_column_in_both(platform: Platform, backend: Backend) -> None:
    columns = [ColumnAttribute("id", "INT"), ColumnAttribute("f", "FLOAT"), ColumnAttribute("s", "VARCHAR(10)")]
    platform.create_table("labels", columns, flag=-1)
    platform.write("labels", {"id": 1, "f": 16777217.0, "s": "甲"})
    platform.update("labels", 1, {"s": "乙"})
    assert platform.read("labels", 1) == {"id": 1, "f": 16777200.0, "s": "乙"}
    assert list(platform.read_collection("labels")) == [{"_id": 1, "f": 16777216.0, "s": "乙"}]
    assert platform.describe("labels").flag == -1


def test_every_column_in_mysql(platform: Platform) -> None:
    platform.create_table("flat", [ColumnAttribute("id", "INT"), ColumnAttribute("s", "VARCHAR(10)")], flag=1)
    platform.write_many("flat", [{"id": 1, "s": "甲"}, {"id": 2}])
    platform.update("flat", 2, {"s": "乙"})
    platform.delete("flat", 1)
    assert list(platform.scan("flat")) == [{"id": 2, "s": "乙"}]
    assert list(platform.read_collection("flat")) == []


@pytest.mark.parametrize(
    ("types", "keys"),
    [
        (["VARCHAR(20)"], ["abc", "ABC", "abc ", "é", "𠮷", ""]),
        (["BINARY(16)"], [bytes(range(16)), b"\x00" * 16, b"\xff" * 16]),
        (["DATE"], [datetime.date(2026, 1, 1), datetime.date(1, 1, 1), datetime.date(9999, 12, 31)]),
        (["DATETIME(6)"], [datetime.datetime(2026, 1, 1, 0, 0, 0, 1), datetime.datetime(2026, 1, 1)]),
        (["BIGINT UNSIGNED"], [0, 2**63, 2**64 - 1]),
        (["INT", "VARCHAR(8)"], [(1, "b"), (1, "a"), (-1, "z"), (2, "")]),
        (["DATE", "BIGINT UNSIGNED", "BINARY(2)"], [(datetime.date(2026, 1, 1), 2**64 - 1, b"ab")]),
    ],
)
def test_keys(platform: Platform, types: list[str], keys: list[object]) -> None:
    names = [f"k{number}" for number in range(len(types))]
    columns = [ColumnAttribute(name, text) for name, text in zip(names, types, strict=True)]
    columns.append(ColumnAttribute("doc", "TEXT"))
    platform.create_table("keyed", columns, flag=len(types) - 1, key=names)

    def row(key: object, text: str) -> dict[str, object]:
        parts = key if isinstance(key, tuple) else (key,)
        return {**dict(zip(names, parts, strict=True)), "doc": text}

    for number, key in enumerate(keys):
        assert platform.write("keyed", row(key, f"一{number}")) == key
    for number, key in enumerate(keys):
        assert platform.read("keyed", key) == row(key, f"一{number}")
        platform.update("keyed", key, {"doc": f"二{number}"})
    found = platform.read_many("keyed", keys)
    assert found == [row(key, f"二{number}") for number, key in enumerate(keys)]
    ordered = sorted(keys, key=_sortable)
    scanned = [tuple(found[name] for name in names) for found in platform.scan("keyed", batch_size=2)]
    assert [key if len(names) > 1 else key[0] for key in scanned] == ordered
    counts = platform.write_many("keyed", [row(key, "三") for key in keys], on_conflict="replace")
    assert counts == WriteCounts(replaced=len(keys))
    assert platform.delete_range("keyed", ordered[0], ordered[0]) == 1
    assert platform.delete_range("keyed", None, ordered[-1]) == len(keys) - 1


def _sortable(key: object) -> Any:
    return key.encode() if isinstance(key, str) else key


def test_a_composite_range(platform: Platform) -> None:
    columns = [ColumnAttribute("a", "INT"), ColumnAttribute("b", "INT"), ColumnAttribute("doc", "INT")]
    platform.create_table("grid", columns, flag=1, key=["a", "b"])
    platform.write_many("grid", [{"a": a, "b": b, "doc": 10 * a + b} for a in range(5) for b in range(5)])
    found = [row["doc"] for row in platform.scan("grid", (1, 3), (3, 1), batch_size=3)]
    assert found == [13, 14, 20, 21, 22, 23, 24, 30, 31]
    assert platform.delete_range("grid", (1, 3), (3, 1)) == 9
    assert len(list(platform.scan("grid"))) == 16


def test_a_unique_index_of_mysql(platform: Platform) -> None:
    columns = [ColumnAttribute("id", "INT"), ColumnAttribute("no", "VARCHAR(8)"), ColumnAttribute("doc", "JSON")]
    platform.create_table("card", columns, flag=1, indexes=[Index(["no"], unique=True)])
    platform.write("card", {"id": 1, "no": "A", "doc": 1})
    platform.write("card", {"id": 2, "no": "B", "doc": 2})
    with pytest.raises(Conflict, match="unique"):
        platform.write("card", {"id": 3, "no": "A", "doc": 3})
    with pytest.raises(Conflict, match="unique"):
        platform.write("card", {"id": 2, "no": "A", "doc": 3}, on_conflict="replace")
    with pytest.raises(Conflict, match="unique"):
        platform.update("card", 2, {"no": "A", "doc": 9})
    assert list(platform.scan("card")) == [{"id": 1, "no": "A", "doc": 1}, {"id": 2, "no": "B", "doc": 2}]


def test_status_and_recover(customer: Platform, backend: Backend) -> None:
    customer.write("customer", {"name": "a"})
    status = customer.status()
    assert (status.tables, status.mysql, status.mongodb) == (1, True, True)
    assert status.pending_entries == (1 if backend.real else 0)  # until a majority is seen to have it
    assert customer.recover().remaining == 0
    assert customer.status().pending_entries == 0
    assert all(finding.ok for finding in customer.doctor() if finding.subject.startswith("table"))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("DATETIME", datetime.datetime(2026, 1, 1, 0, 0, 0, 500000)),
        ("DATETIME(3)", "2026-01-01 00:00:00.0005"),
        ("VARCHAR(3)", "abc  "),
        ("CHAR(3)", "a "),
        ("BINARY(2)", b"a"),
    ],
)
def test_a_key_is_never_rounded(platform: Platform, text: str, key: object) -> None:
    platform.create_table("keyed", [ColumnAttribute("k", text), ColumnAttribute("doc", "INT")], flag=0)
    calls: list[Callable[[], object]] = [
        lambda: platform.read("keyed", key),
        lambda: platform.delete("keyed", key),
        lambda: platform.delete_range("keyed", None, key),
        lambda: list(platform.scan("keyed", key)),
    ]
    for call in calls:
        with pytest.raises(ValueRejected, match="exactly"):
            call()


def test_expect_tells_types_apart(platform: Platform) -> None:
    columns = [ColumnAttribute("id", "INT"), ColumnAttribute("doc", "JSON"), ColumnAttribute("n", "INT")]
    platform.create_table("typed", columns, flag=0)
    platform.write("typed", {"id": 1, "doc": {"a": 1}, "n": 1})
    for wrong in ({"a": True}, {"a": 1.0}, {"a": "1"}, [1]):
        with pytest.raises(Conflict):
            platform.update("typed", 1, {"n": 2}, expect={"doc": wrong})
    platform.update("typed", 1, {"doc": JsonText("null")}, expect={"doc": {"a": 1}})
    with pytest.raises(Conflict):
        platform.update("typed", 1, {"n": 2}, expect={"doc": "null"})
    platform.update("typed", 1, {"n": 2}, expect={"doc": JsonText("null"), "n": 1})


def test_an_empty_batch_writes_nothing(platform: Platform) -> None:
    platform.create_table("t", [ColumnAttribute("id", "INT"), ColumnAttribute("doc", "JSON")], flag=0)
    with platform.transaction() as tx:
        assert tx.write_many("t", []).inserted == 0
    assert list(platform.scan("t")) == []
