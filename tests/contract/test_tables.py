"""Declaring, changing and dropping logical tables: the same on every backend."""

from __future__ import annotations

import pytest

from platform_store import (
    ColumnAttribute,
    Conflict,
    Index,
    NotSupported,
    Platform,
    SchemaError,
    ValueRejected,
)
from tests.contract.conftest import Backend

ID = ColumnAttribute("id", "INT")
NAME = ColumnAttribute("name", "VARCHAR(20)", nullable=False)
DOC = ColumnAttribute("doc", "JSON")


@pytest.mark.parametrize(
    ("columns", "flag", "options", "words"),
    [
        ([], 0, {}, "at least one column"),
        ([ID, ColumnAttribute("_rev", "INT")], 0, {}, "reserved"),
        ([ID, ColumnAttribute("_ID", "INT")], 0, {}, "reserved"),
        ([ID, NAME, ColumnAttribute("Name", "INT")], 1, {}, "'name'"),
        ([ID, ColumnAttribute("", "INT")], 0, {}, "empty"),
        ([ID, ColumnAttribute("x" * 65, "INT")], 0, {}, "64"),
        ([ID, ColumnAttribute("a b ", "INT")], 0, {}, "space"),
        ([ID, ColumnAttribute("𠮷", "INT")], 0, {}, "U\\+FFFF"),
        ([ID, DOC], 2, {}, "out of range"),
        ([ID, DOC], -2, {}, "out of range"),
        ([ID, DOC], True, {}, "int"),
        ([ID, NAME, DOC], 0, {"key": ["id", "name"]}, "out of range"),
        ([ID, NAME, DOC], 1, {"key": ["name"]}, "leading"),
        ([ID, NAME, DOC], 1, {"key": []}, "leading"),
        ([ID, ColumnAttribute("x", "INTEGR")], 0, {}, "(?i)integr"),
        ([ID, ColumnAttribute("x", "INT); DROP TABLE y; --")], 0, {}, "INT|type"),
        ([ID, ColumnAttribute("x", "INT DEFAULT 1")], 0, {}, "INT|type"),
        ([ColumnAttribute("id", "DOUBLE"), DOC], 0, {}, "primary key"),
        ([ColumnAttribute("id", "DECIMAL(5,0)"), DOC], 0, {}, "primary key"),
        ([ColumnAttribute("id", "VARCHAR(8)", auto_increment=True), DOC], 0, {}, "AUTO_INCREMENT"),
        ([ID, ColumnAttribute("n", "INT", auto_increment=True)], 1, {}, "AUTO_INCREMENT"),
        ([ID, ColumnAttribute("n", "TINYINT", default=300)], 1, {}, "default"),
        ([ID, ColumnAttribute("n", "INT", collation="utf8mb4_bin")], 1, {}, "no collation"),
        ([ID, ColumnAttribute("n", "TEXT", collation="x; DROP TABLE y")], 1, {}, "collation"),
        ([ID, ColumnAttribute("a.b", "INT")], 0, {}, "'\\.'"),
        ([ID, ColumnAttribute("$a", "INT")], 0, {}, "\\$"),
        ([ID, NAME, DOC], 1, {"indexes": [Index(["nowhere"])]}, "no such column"),
        ([ID, NAME, DOC], 1, {"indexes": [Index(["name", "doc"])]}, "both stores"),
        ([ID, NAME, DOC], 1, {"indexes": [Index(["doc"], unique=True)]}, "MySQL only"),
        ([ID, NAME, DOC], 1, {"indexes": [Index(["name", "name"])]}, "twice"),
    ],
)
def test_bad_tables_are_refused_before_anything_is_created(
    platform: Platform, columns: list[ColumnAttribute], flag: int, options: dict[str, object], words: str
) -> None:
    with pytest.raises(SchemaError, match=words) as caught:
        platform.create_table("bad", columns, flag, **options)  # type: ignore[arg-type]
    assert caught.value.table == "bad"
    assert platform.tables() == []
    platform.create_table("bad", [ID, DOC], flag=0)


@pytest.mark.parametrize("name", ["", "x" * 65, "a ", "a\0b", "a$b", "system.x", "platform_store_x", "𠮷", 7])
def test_bad_table_names(platform: Platform, name: str) -> None:
    with pytest.raises(SchemaError):
        platform.create_table(name, [ID, DOC], flag=0)


@pytest.mark.parametrize(
    "name", ["we`ird", "SELECT", "50%off", "a.b", "客户", 'q"q', "x'y", "a--b", "%s", "a;b", "a\\"]
)
def test_odd_names_work(platform: Platform, name: str) -> None:
    document_column = name.replace(".", "_")
    columns = [
        ColumnAttribute(name, "INT"),
        ColumnAttribute(f"m{name}", "VARCHAR(20)", default=f"d{name}"),
        ColumnAttribute(f"e{name}", "ENUM('a%','b''c','\\\\')", default="a%"),
        ColumnAttribute(f"d{document_column}", "TEXT"),
    ]
    if "." in name:
        columns[0] = ColumnAttribute("id", "INT")
    platform.create_table(name, columns, flag=2, indexes=[Index([f"m{name}"])])
    key = columns[0].name
    platform.write(name, {key: 1, f"d{document_column}": name})
    platform.write_many(name, [{key: 2, f"m{name}": name}, {key: 3}])
    platform.update(name, 2, {f"e{name}": "b'c"}, expect={f"m{name}": name})
    assert platform.read(name, 1) == {key: 1, f"m{name}": f"d{name}", f"e{name}": "a%", f"d{document_column}": name}
    assert [row[f"e{name}"] for row in platform.scan(name)] == ["a%", "b'c", "a%"]
    assert platform.delete_range(name, 1, 2) == 2
    platform.rename_column(name, f"m{name}", "renamed")
    platform.drop_column(name, f"e{name}")
    assert platform.read(name, 3) == {key: 3, "renamed": f"d{name}", f"d{document_column}": None}
    assert platform.drop_table(name).rows == 1


def test_describe_and_flag(platform: Platform) -> None:
    platform.create_table(
        "card", [ID, NAME, DOC, ColumnAttribute("n", "INT")], flag=1, extra=True, indexes=[Index(["name"])]
    )
    described = platform.describe("card")
    assert [column.placement for column in described.columns] == ["both", "mysql", "mongodb", "mongodb"]
    assert [column.field for column in described.columns] == ["_id", None, "doc", "n"]
    assert (described.key, described.flag, described.extra) == (("id",), 1, True)
    assert described.indexes == (Index(["name"]),)
    for flag in (0, 1, 2, 3, -1):
        platform.create_table(f"t{flag + 1}", [ID, NAME, DOC, ColumnAttribute("n", "INT")], flag=flag)
        assert platform.describe(f"t{flag + 1}").flag == flag


def test_if_not_exists(platform: Platform) -> None:
    platform.create_table("card", [ID, DOC], flag=0)
    platform.create_table("card", [ID, DOC], flag=0, if_not_exists=True)
    with pytest.raises(SchemaError, match="already"):
        platform.create_table("card", [ID, DOC], flag=0)
    for columns, flag, extra in (([ID, DOC], 1, False), ([ID, NAME], 0, False), ([ID, DOC], 0, True)):
        with pytest.raises(SchemaError, match="different definition"):
            platform.create_table("card", columns, flag=flag, extra=extra, if_not_exists=True)


def test_names_that_differ_in_case_are_two_tables(platform: Platform) -> None:
    platform.create_table("Card", [ID, DOC], flag=0)
    platform.create_table("card", [ID, DOC], flag=0)
    platform.write("Card", {"id": 1, "doc": "大"})
    assert platform.read("card", 1) is None


def test_another_process_notices_changes(backend: Backend, platform: Platform) -> None:
    platform.create_table("card", [ID, NAME, DOC], flag=1)
    platform.write("card", {"id": 1, "name": "a", "doc": [1]})
    with backend.open() as other:
        assert other.read("card", 1) == {"id": 1, "name": "a", "doc": [1]}
        platform.add_column("card", ColumnAttribute("level", "INT", default=3), to="mysql")
        assert other.read("card", 1) == {"id": 1, "name": "a", "doc": [1], "level": 3}
        platform.add_column("card", ColumnAttribute("note", "TEXT"), to="mongodb")
        other.write("card", {"id": 2, "name": "b", "note": "新"})
        platform.rename_column("card", "note", "remark")
        other.update("card", 2, {"remark": "改"})
        platform.rename_column("card", "level", "vip")
        assert other.read("card", 2) == {"id": 2, "name": "b", "doc": None, "vip": 3, "remark": "改"}
        platform.drop_column("card", "name")
        platform.drop_column("card", "remark")
        assert list(other.scan("card")) == [{"id": 1, "doc": [1], "vip": 3}, {"id": 2, "doc": None, "vip": 3}]
        other.write("card", {"id": 3})
        scan = other.scan("card", batch_size=1)
        next(scan)
        platform.drop_column("card", "vip")
        assert list(scan) == [{"id": 2, "doc": None}, {"id": 3, "doc": None}]
        platform.drop_table("card")
        with pytest.raises(SchemaError, match="no such table"):
            other.read("card", 1)
        platform.create_table("card", [ColumnAttribute("k", "VARCHAR(8)"), DOC], flag=0)
        other.write("card", {"k": "a"})
        assert platform.read("card", "a") == {"k": "a", "doc": None}


def test_a_dropped_field_never_comes_back(platform: Platform) -> None:
    platform.create_table("card", [ID, DOC, ColumnAttribute("note", "TEXT")], flag=0, extra=True)
    platform.write("card", {"id": 1, "note": "旧", "tag": 1})
    platform.drop_column("card", "note")
    assert platform.read("card", 1) == {"id": 1, "doc": None, "tag": 1}
    with pytest.raises(ValueRejected, match="lived here before"):
        platform.write("card", {"id": 2, "note": "x"})
    platform.add_column("card", ColumnAttribute("note", "TEXT"), to="mongodb")
    assert platform.read("card", 1) == {"id": 1, "doc": None, "note": None, "tag": 1}
    platform.update("card", 1, {"note": "新"})
    assert platform.read("card", 1, columns=["note"]) == {"note": "新"}


def test_columns_that_cannot_change(platform: Platform) -> None:
    platform.create_table("card", [ID, NAME, DOC], flag=1, indexes=[Index(["name"])])
    with pytest.raises(SchemaError, match="key column stays"):
        platform.drop_column("card", "id")
    with pytest.raises(SchemaError, match="index"):
        platform.drop_column("card", "name")
    with pytest.raises(SchemaError, match="no such column"):
        platform.drop_column("card", "nowhere")
    with pytest.raises(SchemaError, match="'name'"):
        platform.rename_column("card", "doc", "NAME")
    with pytest.raises(SchemaError, match="reserved"):
        platform.add_column("card", ColumnAttribute("_rev", "INT"), to="mysql")
    with pytest.raises(SchemaError, match="to= is one of"):
        platform.add_column("card", ColumnAttribute("x", "INT"), to="sqlite")  # type: ignore[arg-type]
    platform.add_column("card", ColumnAttribute("n", "INT", nullable=False, default=1), to="mongodb")
    platform.write("card", {"id": 1, "name": "a"})
    assert platform.read("card", 1, columns=["n"]) == {"n": 1}
    with pytest.raises(NotSupported, match="without default"):
        platform.add_column("card", ColumnAttribute("m", "INT", default=1), to="mongodb")
    platform.rename_column("card", "id", "no")
    platform.write("card", {"no": 2, "name": "b"})
    assert [row["no"] for row in platform.scan("card")] == [1, 2]


def test_dropping(platform: Platform) -> None:
    platform.create_table("card", [ID, DOC], flag=0)
    platform.write_many("card", [{"id": 1, "doc": 1}, {"id": 2}, {"id": 3}])
    platform.delete("card", 3)
    removed = platform.drop_table("card")
    assert (removed.table, removed.rows, removed.documents) == ("card", 2, 2)
    assert (removed.mysql_table, removed.collection) == (True, True)
    assert platform.tables() == []
    platform.create_table("card", [ID, DOC], flag=0)
    platform.write("card", {"id": 1})
    assert platform.read("card", 1) == {"id": 1, "doc": None}


def test_dropping_a_collection(platform: Platform) -> None:
    platform.create_table("card", [ID, NAME, DOC], flag=1, extra=True, indexes=[Index(["doc"])])
    platform.write("card", {"id": 1, "name": "a", "doc": 1, "tag": 2})
    with pytest.raises(SchemaError, match="discard_document_columns"):
        platform.drop_collection("card")
    assert platform.read("card", 1) == {"id": 1, "name": "a", "doc": 1, "tag": 2}
    assert platform.drop_collection("card", discard_document_columns=True).documents == 1
    assert platform.read("card", 1) == {"id": 1, "name": "a", "doc": None}
    platform.update("card", 1, {"doc": 5})
    assert list(platform.scan("card")) == [{"id": 1, "name": "a", "doc": 5}]
    with pytest.raises(SchemaError, match="no such collection"):
        platform.drop_collection("nowhere")


def test_a_collation_of_the_server_is_refused_on_the_embedded_pair(platform: Platform, backend: Backend) -> None:
    columns = [ID, ColumnAttribute("name", "VARCHAR(20)", collation="utf8mb4_general_ci")]
    if backend.real:
        platform.create_table("card", columns, flag=1)
        assert platform.describe("card").columns[1].collation == "utf8mb4_general_ci"
    else:
        with pytest.raises(NotSupported, match="utf8mb4_general_ci"):
            platform.create_table("card", columns, flag=1)
        assert platform.tables() == []


def test_a_scan_after_a_table_was_made_anew(backend: Backend, platform: Platform) -> None:
    columns = [ColumnAttribute("id", "INT"), ColumnAttribute("doc", "JSON")]
    platform.create_table("t", columns, flag=0)
    with backend.open() as other:
        assert list(other.scan("t")) == []
        platform.drop_table("t")
        platform.create_table("t", columns, flag=0)
        platform.write("t", {"id": 1, "doc": "neu"})
        assert list(other.scan("t")) == [{"id": 1, "doc": "neu"}]


def test_a_column_never_takes_over_an_extra_field(platform: Platform) -> None:
    platform.create_table("t", [ColumnAttribute("id", "INT")], flag=0, extra=True)
    platform.write("t", {"id": 1, "x": "text", "x__2": "text", "x_1": "text"})
    platform.add_column("t", ColumnAttribute("x", "INT"), to="mongodb")
    assert platform.read("t", 1) == {"id": 1, "x": None, "x__2": "text", "x_1": "text"}
    (column,) = [column for column in platform.describe("t").columns if column.name == "x"]
    assert column.field is not None
    with pytest.raises(ValueRejected, match="reserved"):
        platform.write("t", {"id": 2, "_platform_store_x_2": 1})


def test_a_document_without_its_dropped_column_is_none(platform: Platform) -> None:
    columns = [ColumnAttribute("id", "INT"), ColumnAttribute("a", "JSON"), ColumnAttribute("b", "JSON")]
    platform.create_table("t", columns, flag=0)
    platform.write_many("t", [{"id": 1, "a": 1}, {"id": 2, "b": 2}])
    platform.drop_column("t", "a")
    assert list(platform.read_collection("t")) == [{"_id": 2, "b": 2}]


def test_an_index_is_added_to_a_table_with_rows(backend: Backend, platform: Platform) -> None:
    unique, by_document = Index(["name", "n"], unique=True), Index(["doc"])
    platform.create_table("card", [ID, NAME, ColumnAttribute("n", "INT"), DOC], flag=2, indexes=[Index(["n"])])
    rows = [{"id": number, "name": "a", "n": number, "doc": [number]} for number in range(1, 4)]
    platform.write_many("card", rows)
    with backend.open() as other:
        other.add_index("card", unique)
        other.add_index("card", by_document)
        epoch = other.describe("card").epoch
        other.add_index("card", unique)
        assert other.describe("card").epoch == epoch
    assert platform.describe("card").indexes == (Index(["n"]), unique, by_document)
    with pytest.raises(Conflict):
        platform.write("card", {**rows[0], "id": 9})
    assert platform.find("card", {"name": "a"}, order_by=["n"]) == rows


def test_an_index_that_rows_stand_against(platform: Platform) -> None:
    platform.create_table("card", [ID, NAME, DOC], flag=1)
    platform.write_many("card", [{"id": number, "name": "a"} for number in (1, 2)])
    with pytest.raises(Conflict, match="'name'") as raised:
        platform.add_index("card", Index(["name"], unique=True))
    assert raised.value.table == "card"
    assert platform.describe("card").indexes == ()
    platform.write("card", {"id": 3, "name": "a"})
    platform.add_index("card", Index(["name"]))


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (Index([]), "at least one column"),
        (Index(["nowhere"]), "no such column"),
        (Index(["name", "doc"]), "both stores"),
        (Index(["doc"], unique=True), "MySQL only"),
    ],
)
def test_an_index_that_cannot_be(platform: Platform, index: Index, words: str) -> None:
    platform.create_table("card", [ID, NAME, DOC], flag=1)
    with pytest.raises(SchemaError, match=words):
        platform.add_index("card", index)
    assert platform.describe("card").indexes == ()
    with pytest.raises(SchemaError):
        platform.add_index("nowhere", Index(["id"]))
