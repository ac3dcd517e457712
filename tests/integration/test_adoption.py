"""``associate``: taking existing tables and collections as they are."""

from __future__ import annotations

import datetime

import pytest

from platform_store import ColumnAttribute, Index, Platform, SchemaError
from tests.integration.conftest import Servers

CREATE = """
    CREATE TABLE `old customer` (
        name VARCHAR(40) NOT NULL DEFAULT '匿名',
        id INT NOT NULL AUTO_INCREMENT,
        created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
        born DATE NOT NULL DEFAULT '0000-00-00',
        initial CHAR(1) AS (LEFT(name, 1)) STORED,
        ratio FLOAT,
        PRIMARY KEY (id),
        UNIQUE KEY (name)
    ) CHARACTER SET utf8mb4
"""


@pytest.fixture
def table(servers_of_test: Servers) -> str:
    servers_of_test.sql("SET sql_mode = ''")
    servers_of_test.sql(CREATE)
    servers_of_test.sql("INSERT INTO `old customer` (name, ratio) VALUES ('张伟', 0.1), ('李娜', NULL)")
    return "old customer"


def test_a_table_is_adopted_as_it_is(servers_of_test: Servers, platform: Platform, table: str) -> None:
    report = platform.associate(table, columns=None, dry_run=True)
    assert (report.rows, report.documents, report.dry_run) == (2, 0, True)
    assert report.statements == (
        "ALTER TABLE `old customer` ADD COLUMN `_rev` BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE",
    )
    assert platform.tables() == []
    assert "_rev" not in servers_of_test.definition("old customer")

    columns = [
        ColumnAttribute("id", "INT"),
        ColumnAttribute("name", "VARCHAR(40)"),
        ColumnAttribute("created_at", "DATETIME(3)"),
        ColumnAttribute("born", "DATE"),
        ColumnAttribute("initial", "CHAR(1)"),
        ColumnAttribute("ratio", "FLOAT"),
        ColumnAttribute("profile", "JSON"),
    ]
    platform.associate(table, columns=columns)
    described = platform.describe(table)
    assert (described.key, described.flag) == (("id",), 5)
    assert [column.name for column in described.columns][:2] == ["id", "name"]
    row = platform.read(table, 1)
    assert row is not None
    assert (row["name"], row["born"], row["initial"], row["profile"]) == ("张伟", "0000-00-00", "张", None)

    platform.update(table, 1, {"profile": {"x": 1}, "born": datetime.date(1990, 1, 1)})
    key = platform.write(table, {"profile": [1]})
    row = platform.read(table, key)
    assert row is not None
    assert (row["name"], row["initial"], row["profile"]) == ("匿名", "匿", [1])
    assert isinstance(row["created_at"], datetime.datetime)
    platform.write(table, {"id": key, "name": "新", "profile": None}, on_conflict="replace")
    # Foreign statements go on as before: the added column is invisible.
    assert len(servers_of_test.sql("SELECT * FROM `old customer`")[0]) == 6
    servers_of_test.sql("INSERT INTO `old customer` VALUES ('王芳', 9, NOW(), '2000-01-01', DEFAULT, 1)")
    assert platform.read(table, 9, columns=["name", "profile"]) == {"name": "王芳", "profile": None}
    assert all(finding.ok for finding in platform.doctor() if finding.subject.startswith("table"))


def test_every_column_in_both(servers_of_test: Servers, platform: Platform, table: str) -> None:
    platform.associate(table, flag=-1)
    platform.update(table, 1, {"name": "张伟伟"})
    (document,) = platform.read_collection(table)
    assert (document["name"], document["initial"], document["ratio"]) == ("张伟伟", "张", 0.10000000149011612)
    platform.delete(table, 1)
    key = platform.write(table, {"ratio": 16777217.0})
    (document,) = platform.read_collection(table)
    assert document["_id"] == key
    assert (document["name"], document["initial"], document["born"]) == ("匿名", "匿", "0000-00-00")
    assert document["ratio"] == 16777216.0
    platform.update(table, key, {"name": "赵敏"})
    (document,) = platform.read_collection(table)
    assert (document["name"], document["initial"], document["ratio"]) == ("赵敏", "赵", 16777216.0)


def test_stored_keys_make_the_identifier(servers_of_test: Servers, platform: Platform) -> None:
    servers_of_test.sql(
        "CREATE TABLE code (code VARCHAR(10) COLLATE utf8mb4_general_ci PRIMARY KEY, n INT) CHARACTER SET utf8mb4"
    )
    servers_of_test.sql("INSERT INTO code VALUES ('Abc', 1), ('Def', 2)")
    report = platform.associate(
        "code",
        columns=[ColumnAttribute("code", "VARCHAR(10)"), ColumnAttribute("n", "INT"), ColumnAttribute("d", "INT")],
    )
    assert any("spellings" in warning for warning in report.warnings)
    platform.update("code", "ABC", {"d": 7})
    assert platform.read("code", "abc") == {"code": "Abc", "n": 1, "d": 7}
    assert [row and row["code"] for row in platform.read_many("code", ["def", "x", "aBC"])] == ["Def", None, "Abc"]
    counts = platform.write_many(
        "code", [{"code": "ABC", "d": 1}, {"code": "new", "d": 2}, {"code": "NEW", "d": 3}], on_conflict="replace"
    )
    assert (counts.inserted, counts.replaced) == (1, 2)
    assert [(row["code"], row["d"]) for row in platform.scan("code")] == [("Abc", 1), ("Def", None), ("new", 3)]
    assert [document["_id"] for document in platform.read_collection("code")] == ["Abc", "new"]
    assert platform.delete("code", "aBc") is True


def test_a_collection_is_adopted_with_its_documents(servers_of_test: Servers, platform: Platform) -> None:
    servers_of_test.mongodb["visit"].insert_many([{"_id": n, "summary": f"记录{n}", "free": [n]} for n in range(1500)])
    columns = [ColumnAttribute("id", "BIGINT"), ColumnAttribute("summary", "TEXT")]
    with pytest.raises(SchemaError, match="columns="):
        platform.associate("visit")
    assert platform.associate("visit", columns=columns, flag=0, dry_run=True).rows == 1500
    assert platform.tables() == []
    platform.associate("visit", columns=columns, flag=0)
    assert platform.read("visit", 7) == {"id": 7, "summary": "记录7", "free": [7]}
    platform.update("visit", 7, {"summary": "改"})
    assert platform.read("visit", 7) == {"id": 7, "summary": "改", "free": [7]}
    assert len(list(platform.scan("visit"))) == 1500


def test_a_table_and_its_collection_become_one(servers_of_test: Servers, platform: Platform) -> None:
    servers_of_test.sql("CREATE TABLE pair (id INT PRIMARY KEY, name VARCHAR(10))")
    servers_of_test.sql("INSERT INTO pair VALUES (1, 'a'), (2, 'b')")
    servers_of_test.mongodb["pair"].insert_many([{"_id": 1, "tags": ["x"]}, {"_id": 77, "tags": ["orphan"]}])
    platform.associate("pair")
    assert list(platform.scan("pair")) == [{"id": 1, "name": "a", "tags": ["x"]}, {"id": 2, "name": "b"}]
    assert list(platform.read_collection("pair")) == [{"_id": 1, "tags": ["x"]}]
    platform.delete("pair", 1)
    servers_of_test.sql("INSERT INTO pair VALUES (1, 'again')")
    assert platform.read("pair", 1) == {"id": 1, "name": "again"}


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        ("(a INT)", "no primary key"),
        ("(a DOUBLE PRIMARY KEY)", "primary key"),
        ("(a INT PRIMARY KEY, b FLOAT(7,3))", "FLOAT"),
        ("(a INT PRIMARY KEY, _rev VARCHAR(3))", "rename"),
        ("(a INT PRIMARY KEY) ENGINE=MyISAM", "InnoDB"),
        ("(a INT PRIMARY KEY, b INT)", "flag 0"),
        ("(a INT PRIMARY KEY, _id INT)", "reserved"),
    ],
)
def test_what_cannot_be_adopted(servers_of_test: Servers, platform: Platform, definition: str, words: str) -> None:
    servers_of_test.sql(f"CREATE TABLE odd {definition}")
    before = servers_of_test.definition("odd")
    with pytest.raises(SchemaError, match=words):
        platform.associate("odd", flag=0 if "flag" in words else None)
    assert servers_of_test.definition("odd") == before
    assert platform.tables() == []


def test_revisions_from_elsewhere_are_refused(servers_of_test: Servers, platform: Platform) -> None:
    servers_of_test.sql("CREATE TABLE pair (id INT PRIMARY KEY)")
    servers_of_test.mongodb["pair"].insert_one({"_id": 1, "_rev": "3-abc"})
    with pytest.raises(SchemaError, match="_rev"):
        platform.associate("pair")
    with pytest.raises(SchemaError, match="neither"):
        platform.associate("nowhere")


def test_creation_never_takes_or_drops_what_exists(servers_of_test: Servers, platform: Platform) -> None:
    columns = [ColumnAttribute("id", "INT"), ColumnAttribute("doc", "JSON")]
    servers_of_test.sql("CREATE TABLE taken (id INT PRIMARY KEY)")
    with pytest.raises(SchemaError, match="associate"):
        platform.create_table("taken", columns, flag=0)
    servers_of_test.mongodb["kept"].insert_one({"_id": 5, "doc": "orphan"})
    servers_of_test.mongodb.command("collMod", "kept", validator={"$jsonSchema": {"bsonType": "object"}})
    # 64 indexes are MongoDB's limit: the creation fails in the second store and is undone in the first.
    for number in range(63):
        servers_of_test.mongodb["kept"].create_index(f"f{number}")
    with pytest.raises(SchemaError):
        platform.create_table("kept", columns, flag=0, indexes=[Index(["doc"])])
    assert servers_of_test.mongodb["kept"].count_documents({}) == 1
    assert servers_of_test.sql("SHOW TABLES LIKE 'kept'") == ()
    assert platform.tables() == []
    platform.create_table("kept", columns, flag=0)
    assert platform.read("kept", 5) is None
    assert list(platform.read_collection("kept")) == []
