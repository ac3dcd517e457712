"""Whole tables and collections on real servers: read by pages, loaded, taken away."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import bson
import pytest
from bson import Decimal128, Int64, MinKey, ObjectId, Timestamp

from platform_store.errors import Conflict, SchemaError, ValueRejected
from platform_store.stores.bulk import JobPart, TableIndex
from tests.integration.bulk import Bulk, bulk_stores, decoded, encoded
from tests.integration.conftest import Servers

MEGABYTE = 1024 * 1024


@pytest.fixture
def bulk(servers_of_test: Servers) -> Iterator[Bulk]:
    with bulk_stores(servers_of_test) as stores:
        yield stores


def fill(bulk: Bulk, name: str, count: int) -> None:
    bulk.servers.sql(f"CREATE TABLE {name} (id INT PRIMARY KEY, v VARCHAR(20))")
    values = ", ".join(f"({number}, 'v{number}')" for number in range(1, count + 1))
    bulk.servers.sql(f"INSERT INTO {name} VALUES {values}")


# Layouts


def test_a_layout_says_what_a_table_consists_of(bulk: Bulk) -> None:
    bulk.servers.sql("CREATE TABLE parent (id INT PRIMARY KEY)")
    bulk.servers.sql(
        "CREATE TABLE `order` (`select` INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40) NOT NULL COMMENT 'who', "
        "n INT DEFAULT 3, twice INT AS (n * 2) STORED, changed TIMESTAMP NULL ON UPDATE CURRENT_TIMESTAMP, "
        "p INT, body TEXT, CONSTRAINT positive CHECK (n > 0), UNIQUE KEY by_name (name, n), KEY start_of (name(3)), "
        "FULLTEXT KEY words (body), CONSTRAINT to_parent FOREIGN KEY (p) REFERENCES parent (id))"
    )
    bulk.servers.sql("CREATE TABLE child (id INT PRIMARY KEY, o INT, CONSTRAINT up FOREIGN KEY (o) "
                     "REFERENCES `order` (`select`))")  # fmt: skip
    bulk.servers.sql("CREATE TRIGGER t BEFORE DELETE ON `order` FOR EACH ROW SET @x = 1")
    bulk.servers.sql("INSERT INTO `order` (name) VALUES ('a'), ('b')")
    layout = bulk.tables.layout("order")
    association = layout.association
    assert association.key_names == ("select",)
    assert [column.name for column in association.columns] == ["select", "name", "n", "twice", "changed", "p", "body"]
    assert association.flag == -1
    assert association.by_name["twice"].generated
    assert {index.name: index for index in layout.indexes} == {
        "by_name": TableIndex("by_name", ("name", "n"), True, "BTREE", False, (False, False)),
        "start_of": TableIndex("start_of", ("name",), False, "BTREE", True, (False,)),
        "words": TableIndex("words", ("body",), False, "FULLTEXT", False, (False,)),
        "to_parent": TableIndex("to_parent", ("p",), False, "BTREE", False, (False,)),
    }
    assert layout.comments == {"name": "who"}
    assert layout.other == (
        "NOT NULL of name",
        "AUTO_INCREMENT of select",
        "default of n",
        "generated column twice: its values are copied",
        "ON UPDATE CURRENT_TIMESTAMP of changed",
        "foreign key to_parent to table parent",
        "foreign key of table child: up refers to this table",
        "check positive",
        "trigger t (BEFORE DELETE)",
    )
    assert layout.rows == 2
    assert layout.bytes > 0
    assert pickle.loads(pickle.dumps(layout)) == layout


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELECT 1", "no such table"),
        ("CREATE TABLE t (a INT)", "no primary key"),
        ("CREATE TABLE t (a FLOAT PRIMARY KEY)", "cannot be a primary key"),
        ("CREATE TABLE t (a INT PRIMARY KEY, `b.c` INT)", "'.'"),
        ("CREATE TABLE t (a INT PRIMARY KEY, `_id` INT)", "reserved"),
        ("CREATE VIEW t AS SELECT 1 AS a", "VIEW"),
    ],
)
def test_what_has_no_layout(bulk: Bulk, statement: str, said: str) -> None:
    bulk.servers.sql(statement)
    with pytest.raises(SchemaError, match=said):
        bulk.tables.layout("t")


# Reading rows


def test_rows_come_as_documents_in_key_order(bulk: Bulk) -> None:
    fill(bulk, "t", 25)
    layout = bulk.tables.layout("t")
    page = bulk.tables.read(layout, None, None, None, 10)
    assert [decoded(one) for one in page.documents] == [{"_id": n, "v": f"v{n}"} for n in range(1, 11)]
    assert page.last == (10,)
    assert [decoded(one)["_id"] for one in bulk.rows(layout, 10)] == list(range(1, 26))
    assert [decoded(one)["_id"] for one in bulk.rows(layout, 25)] == list(range(1, 26))


def test_a_range_of_rows(bulk: Bulk) -> None:
    fill(bulk, "t", 25)
    layout = bulk.tables.layout("t")
    page = bulk.tables.read(layout, None, (5,), (7,), 10)
    assert ([decoded(one)["_id"] for one in page.documents], page.last) == ([5, 6, 7], None)
    page = bulk.tables.read(layout, (5,), (5,), (7,), 2)
    assert ([decoded(one)["_id"] for one in page.documents], page.last) == ([6, 7], (7,))
    assert bulk.tables.read(layout, (7,), (5,), (7,), 2) == ([], None)
    assert bulk.tables.keys(layout, (5,), (5,), (7,), 10) == [(6,), (7,)]
    assert bulk.tables.keys(layout, None, None, None, 2) == [(1,), (2,)]


def test_composite_keys_of_any_name_and_type(bulk: Bulk) -> None:
    bulk.servers.sql(
        "CREATE TABLE `a``b%s` (x INT, `key` VARCHAR(10) COLLATE utf8mb4_bin, `%d` BINARY(2), v INT, "
        "PRIMARY KEY (`key`, x, `%d`))"
    )
    bulk.servers.sql("INSERT INTO `a``b%s` VALUES (2, 'b', X'0001', 1), (1, 'b', X'FF00', 2), (9, 'a', X'0000', NULL)")
    layout = bulk.tables.layout("a`b%s")
    assert [decoded(one) for one in bulk.rows(layout, 1)] == [
        {"_id": {"key": "a", "x": 9, "%d": b"\0\0"}},
        {"_id": {"key": "b", "x": 1, "%d": b"\xff\0"}, "v": 2},
        {"_id": {"key": "b", "x": 2, "%d": b"\0\1"}, "v": 1},
    ]
    assert bulk.tables.keys(layout, ("a", 9, b"\0\0"), None, None, 1) == [("b", 1, b"\xff\0")]


def test_keys_of_a_collation_that_folds_case(bulk: Bulk) -> None:
    bulk.servers.sql("CREATE TABLE t (k VARCHAR(10) COLLATE utf8mb4_general_ci PRIMARY KEY)")
    bulk.servers.sql("INSERT INTO t VALUES ('B'), ('a'), ('C'), ('ä2'), ('z')")
    layout = bulk.tables.layout("t")
    assert [decoded(one)["_id"] for one in bulk.rows(layout, 1)] == ["a", "ä2", "B", "C", "z"]


def test_a_page_ends_before_it_is_too_large(bulk: Bulk) -> None:
    bulk.servers.sql("CREATE TABLE t (id INT PRIMARY KEY, v LONGBLOB)")
    for number in range(10):
        bulk.servers.sql(f"INSERT INTO t VALUES ({number}, REPEAT('x', {3 * MEGABYTE}))")
    layout = bulk.tables.layout("t")
    page = bulk.tables.read(layout, None, None, None, 1000)
    assert 3 <= len(page.documents) <= 5
    assert page.last == (len(page.documents) - 1,)
    assert [decoded(one)["_id"] for one in bulk.rows(layout)] == list(range(10))
    with bulk.tables.take(layout, None, None, None, 1000) as taking:
        assert 3 <= len(taking.page.documents) <= 5
        taken = len(taking.page.documents)
    assert bulk.servers.sql("SELECT COUNT(*) FROM t") == ((10 - taken,),)


def test_borders_cut_a_range_into_equal_parts(bulk: Bulk) -> None:
    fill(bulk, "t", 100)
    layout = bulk.tables.layout("t")
    assert bulk.tables.borders(layout, None, None, 4) == [(25,), (50,), (75,)]
    assert bulk.tables.borders(layout, (11,), (20,), 2) == [(15,)]
    assert bulk.tables.borders(layout, (200,), None, 4) == []
    assert bulk.tables.borders(layout, (1,), (2,), 4) == [(1,)]
    assert bulk.tables.borders(layout, None, None, 1) == []


# Taking rows


def test_taken_rows_are_locked_and_then_gone(bulk: Bulk) -> None:
    fill(bulk, "t", 10)
    layout = bulk.tables.layout("t")
    bulk.servers.sql("SET SESSION innodb_lock_wait_timeout = 1")
    with bulk.tables.take(layout, (2,), None, None, 3) as taking:
        assert [decoded(one)["_id"] for one in taking.page.documents] == [3, 4, 5]
        assert taking.page.last == (5,)
        with pytest.raises(Exception, match="1205"):
            bulk.servers.sql("UPDATE t SET v = 'x' WHERE id = 4")
    assert [row[0] for row in bulk.servers.sql("SELECT id FROM t")] == [1, 2, 6, 7, 8, 9, 10]


def test_rows_stay_where_the_block_raises(bulk: Bulk) -> None:
    fill(bulk, "t", 10)
    layout = bulk.tables.layout("t")
    with pytest.raises(KeyError), bulk.tables.take(layout, None, None, None, 3):
        raise KeyError
    assert bulk.servers.sql("SELECT COUNT(*) FROM t") == ((10,),)
    bulk.servers.sql("UPDATE t SET v = 'x'")  # nothing is locked any more


def test_rows_inserted_meanwhile_are_not_taken(bulk: Bulk) -> None:
    bulk.servers.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))")
    bulk.servers.sql("INSERT INTO t VALUES (1, 'a'), (5, 'b')")
    with bulk.tables.take(bulk.tables.layout("t"), None, None, None, 10):
        bulk.servers.sql("INSERT INTO t VALUES (3, 'new')")
    assert bulk.servers.sql("SELECT id FROM t") == ((3,),)


# Loading rows


@pytest.fixture(params=["upload", "insert"])
def loading(request: pytest.FixtureRequest, servers_of_test: Servers) -> Iterator[Bulk]:
    """Both ways: by LOAD DATA LOCAL, and where that is not allowed."""
    url = servers_of_test.mysql_url
    if request.param == "insert":
        url += f"{'&' if '?' in url else '?'}local_infile=false"
    changed = Servers(url, servers_of_test.mongodb_url, servers_of_test.mysql, servers_of_test.mongodb)
    with bulk_stores(changed) as stores:
        yield stores


def test_loaded_rows_are_what_was_read(loading: Bulk) -> None:
    loading.servers.sql("CREATE TABLE t (a INT, b VARCHAR(10), v TEXT, w VARBINARY(9), PRIMARY KEY (a, b))")
    loading.servers.sql("INSERT INTO t VALUES (0, '', '', ''), (1, '\x1e\x1f\x1b\\\\N', '\x1bN', X'001E1FFF'), "
                        "(-1, '\\\\', NULL, NULL)")  # fmt: skip
    layout = loading.tables.layout("t")
    before = loading.rows(layout)
    loading.servers.sql("DELETE FROM t")
    loading.tables.load(layout, [decoded(one) for one in before], clear=None)
    assert loading.rows(layout) == before


@pytest.mark.parametrize(
    ("given", "column", "key"),
    [
        ([{"_id": 1}, {"_id": 2, "v": "x" * 21}], "v", 2),
        ([{"_id": 1}, {"_id": 2, "v": "x" * 20 + " "}], "v", 2),
        ([{"_id": 1, "v": 5}], "v", 1),
        ([{"_id": 1}, {"_id": 2}, {"_id": 2, "v": "b"}], None, 2),
        ([{"_id": 1}, {"_id": 50}], None, 50),
        ([{"_id": 1}, {"_id": 2, "unknown": 1}], "unknown", 2),
        ([{"_id": "x"}], "_id", "x"),
        ([{"_id": 2**40}], "_id", 2**40),
        ([{"_id": 1, "c": "a "}], "c", 1),
        ([{"_id": 1, "n": 7}, {"_id": 3, "n": -1}], None, 3),
        ([{"_id": 1, "n": 7}, {"_id": 3, "n": 7}], None, 3),
    ],
)
def test_what_would_not_be_stored_as_it_is_raises(
    loading: Bulk, given: list[dict[str, Any]], column: str | None, key: object
) -> None:
    loading.servers.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20), c CHAR(3), n INT UNIQUE, CHECK (n > 0))")
    loading.servers.sql("INSERT INTO t (id) VALUES (50), (60)")
    with pytest.raises(ValueRejected) as raised:
        loading.tables.load(loading.tables.layout("t"), given, clear=((55,), None))
    assert (raised.value.table, raised.value.column, raised.value.key) == ("t", column, key)
    assert loading.servers.sql("SELECT id FROM t") == ((50,), (60,))


@pytest.mark.parametrize(
    "image", [{"v": "x" * 21}, {"v": "x" * 20 + " "}, {"c": "a "}, {"n": 0}, {"n": 2**40}, {"w": 1}]
)
def test_nothing_is_loaded_undecoded_that_would_not_be_stored_as_it_is(bulk: Bulk, image: dict[str, Any]) -> None:
    bulk.servers.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20), c CHAR(3), n INT UNIQUE, CHECK (n > 0))")
    part = part_of_job(bulk)
    layout = bulk.tables.layout("t")
    for wrong in ([image], [{"n": 7}, {"n": 7}]):
        images = [encoded(_id=number, **fields) for number, fields in enumerate([{}, *wrong])]
        assert not bulk.tables.load_images(layout, images, job=part)
        assert bulk.servers.sql("SELECT COUNT(*) FROM t") == ((0,),)
    assert not bulk.tables.load_images(layout, [encoded(_id=1), encoded(_id=1)], job=part)
    assert bulk.servers.sql("SELECT state FROM platform_store_job_part") == (("{}",),)


def test_what_is_loaded_undecoded(loading: Bulk) -> None:
    """Documents are rows as they are, specials of the upload's format among their texts; INSERT wants them decoded."""
    loading.servers.sql(
        "CREATE TABLE t (id BIGINT PRIMARY KEY, v TEXT, n INT UNSIGNED, d DECIMAL(10,2), f DOUBLE, y DATE, "
        "t DATETIME(3), u DATETIME(6), e ENUM('é', ','), m TIME(6), j YEAR)"
    )
    loading.servers.sql(
        "INSERT INTO t VALUES (-1, '\x1e\x1f\x1b\\\\N', 4294967295, -0.01, 1e-300, '1000-01-01', "
        "'1000-01-01 00:00:00.001', '9999-12-31 23:59:59.999999', 'é', '-838:59:58.999999', 1901), "
        "(0, '', 0, 0, -0.0, '9999-12-31', '9999-12-31 23:59:59.999', '2026-01-01', ',', '0:0:0.5', 0), "
        "(4294967296, '\x1bN', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
    )
    part = part_of_job(loading)
    layout = loading.tables.layout("t")
    before = loading.rows(layout)
    assert len(before) == 3
    loading.servers.sql("DELETE FROM t")
    uploads = "local_infile=false" not in loading.servers.mysql_url and loading.servers.sql(
        "SELECT @@local_infile"
    ) == ((1,),)
    assert loading.tables.load_images(layout, before, job=part) == uploads
    assert loading.rows(layout) == (before if uploads else [])
    assert loading.servers.sql("SELECT state, done FROM platform_store_job_part") == (
        (('{"at": "é"}', 1),) if uploads else (("{}", 0),)
    )
    if uploads:
        with pytest.raises(SchemaError, match="no part 2"):
            loading.tables.load_images(layout, [encoded(_id=5)], job=(7, 2, {}, False))
        assert loading.rows(layout) == before


def part_of_job(bulk: Bulk) -> JobPart:
    """What is remembered of the part of a job that is there."""
    with bulk.servers.open():
        pass  # makes the jobs' tables
    bulk.servers.sql("INSERT INTO platform_store_job_part (job, number, state) VALUES (7, 1, '{}')")
    return 7, 1, {"at": "é"}, True


def test_a_missing_value_of_a_required_column(loading: Bulk) -> None:
    loading.servers.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20) NOT NULL)")
    with pytest.raises(ValueRejected) as raised:
        loading.tables.load(loading.tables.layout("t"), [{"_id": 1, "v": "x"}, {"_id": 2}], clear=None)
    assert (raised.value.column, raised.value.key) == ("v", 2)
    assert loading.servers.sql("SELECT id FROM t") == ()


def test_generated_columns_are_read_and_not_loaded(loading: Bulk) -> None:
    loading.servers.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT, twice INT AS (n * 2) STORED)")
    loading.servers.sql("INSERT INTO t (id, n) VALUES (1, 2)")
    layout = loading.tables.layout("t")
    (document,) = loading.rows(layout)
    assert decoded(document) == {"_id": 1, "n": 2, "twice": 4}
    loading.tables.load(layout, [decoded(document)], clear=(None, None))
    assert loading.servers.sql("SELECT * FROM t") == ((1, 2, 4),)


def test_the_range_is_cleared_in_the_same_transaction(loading: Bulk) -> None:
    fill(loading, "t", 10)
    loading.tables.load(loading.tables.layout("t"), [{"_id": 3, "v": "new"}], clear=((2,), (8,)))
    assert loading.servers.sql("SELECT id, v FROM t") == (
        (1, "v1"), (2, "v2"), (3, "new"), (9, "v9"), (10, "v10"))  # fmt: skip


def test_the_part_is_remembered_in_the_same_transaction(loading: Bulk) -> None:
    with loading.servers.open():
        pass  # makes the jobs' tables
    fill(loading, "t", 1)
    layout = loading.tables.layout("t")
    with pytest.raises(SchemaError, match="no part 1"):
        loading.tables.load(layout, [{"_id": 2}], clear=None, job=(7, 1, {"at": 2}, False))
    assert loading.servers.sql("SELECT COUNT(*) FROM t") == ((1,),)
    loading.servers.sql("INSERT INTO platform_store_job_part (job, number, state) VALUES (7, 1, '{}')")
    loading.tables.load(layout, [{"_id": 2}], clear=None, job=(7, 1, {"at": "é"}, True))
    loading.tables.load(layout, [], clear=None, job=(7, 1, {"at": "é"}, True))  # nothing changes
    assert loading.servers.sql("SELECT state, done FROM platform_store_job_part") == (('{"at": "é"}', 1),)


def test_tables_and_indexes_are_made_anew(bulk: Bulk) -> None:
    bulk.servers.sql(
        "CREATE TABLE t (`a%b` INT PRIMARY KEY COMMENT '50% ''of'' it', v VARCHAR(20) COLLATE utf8mb4_bin NOT NULL, "
        "n INT, UNIQUE KEY `u%` (v, n DESC), KEY cut (v(3)))"
    )
    layout = bulk.tables.layout("t")
    bulk.servers.sql("DROP TABLE t")
    bulk.tables.create(layout)
    with pytest.raises(SchemaError):
        bulk.tables.create(layout)
    unique, cut = sorted(layout.indexes, key=lambda index: index.prefixed)
    bulk.tables.index(layout, unique)
    with pytest.raises(SchemaError):
        bulk.tables.index(layout, cut)
    made = bulk.tables.layout("t")
    assert made.association.columns == layout.association.columns
    assert (made.comments, made.indexes) == (layout.comments, (unique,))


def test_a_unique_index_over_equal_values(bulk: Bulk) -> None:
    fill(bulk, "t", 2)
    bulk.servers.sql("UPDATE t SET v = 'same'")
    with pytest.raises(Conflict, match="by_v"):
        bulk.tables.index(bulk.tables.layout("t"), TableIndex("by_v", ("v",), True, "BTREE", False, (False,)))


def test_rows_are_removed_by_key(bulk: Bulk) -> None:
    fill(bulk, "t", 5)
    assert bulk.tables.remove(bulk.tables.layout("t"), [(2,), (4,), (9,)]) == 2
    assert bulk.servers.sql("SELECT id FROM t") == ((1,), (3,), (5,))


# Collections

MIXED: list[Any] = [MinKey(), -1, 2.5, Int64(2**40), Decimal128("1E+300"), "a", "b", {"x": 1}, {"x": 2}, b"x",
                    ObjectId(), True]  # fmt: skip


@pytest.mark.parametrize("limit", [1, 5, 100])
def test_documents_come_in_order_across_types(bulk: Bulk, limit: int) -> None:
    bulk.servers.mongodb["c"].insert_many([{"_id": one} for one in reversed(MIXED)])
    assert [decoded(one)["_id"] for one in bulk.documents("c", limit)] == MIXED


def test_a_range_of_documents(bulk: Bulk) -> None:
    bulk.servers.mongodb["c"].insert_many([{"_id": one} for one in MIXED])
    found = bulk.collections.read("c", None, 2.5, {"x": 1}, 100)
    assert [decoded(one)["_id"] for one in found] == MIXED[2:8]
    assert bulk.collections.read("c", {"x": 1}, 2.5, {"x": 1}, 100) == []
    assert bulk.collections.read("c", None, "b", "a", 100) == []
    assert [decoded(one)["_id"] for one in bulk.collections.read("c", None, "a", "a", 100)] == ["a"]


def test_no_collection_has_no_documents(bulk: Bulk) -> None:
    assert bulk.collections.read("none", None, None, None, 10) == []
    bulk.servers.mongodb.create_collection("empty")
    assert bulk.collections.read("empty", None, 1, 2, 10) == []


def test_a_page_of_large_documents(bulk: Bulk) -> None:
    for number in range(4):
        bulk.servers.mongodb["c"].insert_one({"_id": number, "v": b"x" * (7 * MEGABYTE)})
    bulk.servers.mongodb["c"].insert_one({"_id": 4, "v": b"x" * (16 * MEGABYTE - 100)})
    page = bulk.collections.read("c", None, None, None, 1000)
    assert len(page) == 2
    assert [decoded(one)["_id"] for one in bulk.documents("c")] == [0, 1, 2, 3, 4]


def test_an_id_of_null_is_refused(bulk: Bulk) -> None:
    bulk.servers.mongodb["c"].insert_many([{"_id": None}, {"_id": 1}])
    with pytest.raises(ValueRejected, match="null"):
        bulk.collections.read("c", None, None, None, 10)


def test_bounds_cut_a_collection(bulk: Bulk) -> None:
    bulk.servers.mongodb["c"].insert_many([{"_id": number} for number in range(5000)])
    assert bulk.collections.bounds("c", None, None, 4) == [1249, 2499, 3749]
    assert bulk.collections.bounds("c", 100, 109, 2) == [104]
    assert bulk.collections.bounds("c", 9000, None, 2) == []
    assert bulk.collections.bounds("none", None, None, 2) == []


def test_what_a_collection_is(bulk: Bulk) -> None:
    collection = bulk.servers.mongodb["c"]
    bulk.servers.mongodb.create_collection("c", validator={"a": {"$exists": True}})
    collection.create_index([("a", 1), ("b", -1)], unique=True, name="both")
    collection.create_index("t", expireAfterSeconds=60, name="short")
    collection.create_index([("w", "text")], name="words")
    collection.create_index("p", partialFilterExpression={"p": 1}, name="some")
    collection.insert_one({"_id": 1, "a": 1})
    shape = bulk.collections.describe("c")
    assert (shape.documents, shape.bytes) == (1, len(bson.encode({"_id": 1, "a": 1})))
    assert shape.indexes == (("both", ("a", "b"), True),)
    assert shape.other == ("validator", "index short (TTL)", "index words (text)", "index some (partial)")
    with pytest.raises(SchemaError):
        bulk.collections.describe("none")
    bulk.servers.mongodb.create_collection("v", viewOn="c")
    with pytest.raises(SchemaError, match="view"):
        bulk.collections.describe("v")


def test_a_sample(bulk: Bulk) -> None:
    bulk.servers.mongodb["c"].insert_many([{"_id": number} for number in range(500)])
    found = [decoded(one)["_id"] for one in bulk.collections.sample("c", 200)]
    assert len(found) == 200
    assert len(set(found)) > 50  # 200 at random of 500 are some 165; by chance they are 50 once in 10^60 times


@pytest.mark.parametrize("fresh", [True, False])
def test_put_may_be_repeated(bulk: Bulk, fresh: bool) -> None:
    documents = [encoded(_id=number, v=number) for number in range(100)]
    assert bulk.collections.put("c", documents, fresh=fresh) == 0
    assert bulk.collections.put("c", documents, fresh=fresh) == 100
    assert bulk.documents("c") == documents
    changed = [encoded(_id=number, v=-number) for number in range(50, 150)]
    assert bulk.collections.put("c", changed, fresh=fresh) == 50
    assert bulk.documents("c") == documents[:50] + changed
    assert bulk.collections.put("c", [], fresh=fresh) == 0


@pytest.mark.parametrize("fresh", [True, False])
def test_put_what_means_something_to_mongodb(bulk: Bulk, fresh: bool) -> None:
    """A dollar sign in front of a field's name, and a timestamp that the server would set."""
    documents = [
        encoded(_id=1, a=Timestamp(0, 0), b="$5"),
        encoded(_id={"x": 2}, **{"$set": {"a": 1}, "a.b": [Timestamp(0, 0)], "": None}),
        encoded(_id=3, b={"$inc": Timestamp(0, 0)}, c="$$ROOT"),
        encoded(_id=4, a=Timestamp(1, 0)),
    ]
    for replaced in (0, len(documents)):
        assert bulk.collections.put("c", documents, fresh=fresh) == replaced
        assert sorted(bulk.collections.read("c", None, None, None, 10)) == sorted(documents)


@pytest.mark.parametrize("fresh", [True, False])
def test_what_mongodb_refuses(bulk: Bulk, fresh: bool) -> None:
    bulk.collections.index("u", ["a"], unique=True)
    bulk.collections.put("u", [encoded(_id=1, a=5), encoded(_id=2), encoded(_id=3)], fresh=fresh)
    with pytest.raises(Conflict) as conflict:
        bulk.collections.put("u", [encoded(_id=4), encoded(_id=5, a=5)], fresh=fresh)
    assert (conflict.value.table, conflict.value.key) == ("u", 5)
    bulk.servers.mongodb.create_collection("v", validator={"a": {"$type": "int"}})
    with pytest.raises(ValueRejected) as refused:
        bulk.collections.put("v", [encoded(_id=1, a=5), encoded(_id=2, a="x")], fresh=fresh)
    assert (refused.value.table, refused.value.key) == ("v", 2)


def test_documents_near_the_limit(bulk: Bulk) -> None:
    documents = [encoded(_id=number, v=b"x" * (16 * MEGABYTE - 100)) for number in range(3)]
    assert bulk.collections.put("c", documents, fresh=True) == 0
    assert bulk.collections.put("c", documents, fresh=False) == 3
    assert bulk.documents("c") == documents
    with pytest.raises(ValueRejected):
        bulk.collections.put("c", [encoded(_id=9, v=b"x" * (16 * MEGABYTE))], fresh=True)


CHANGES: list[tuple[Any, Any]] = [
    (1, 1.0),
    (1, Int64(1)),
    (Int64(1), 1.0),
    (2.0, Int64(2)),
    (Decimal128("1.0"), Decimal128("1.00")),
    (Decimal128("1.0"), 1.0),
    ({"x": 1, "y": 2}, {"y": 2, "x": 1}),
    ([1, 2], [1, 2, 3]),
    ({"x": [1]}, {"x": [1.0]}),
    ("a", "b"),
    (None, 5),
]


def test_only_unchanged_documents_are_taken(bulk: Bulk) -> None:
    identifiers: list[Any] = [1, "a", {"x": {"y": 1}}, ObjectId(), b"z"]
    documents = [encoded(_id=one, a=1, b={"c": [1, 2.5]}, **{"d.$e": 1.5, "$f": Int64(2)}) for one in identifiers]
    bulk.collections.put("c", documents, fresh=True)
    bulk.servers.mongodb["c"].delete_one({"_id": b"z"})
    assert bulk.collections.take("c", documents) == 4
    assert bulk.collections.take("c", documents) == 0
    assert bulk.collections.take("c", []) == 0


@pytest.mark.parametrize(("was", "becomes"), CHANGES)
def test_a_changed_document_is_not_taken(bulk: Bulk, was: Any, becomes: Any) -> None:
    bulk.collections.put("c", [encoded(_id=1, **{"a.b": was}), encoded(_id=2, a=was)], fresh=True)
    given = bulk.documents("c")
    bulk.collections.put("c", [encoded(_id=1, **{"a.b": becomes}), encoded(_id=2, a=becomes)], fresh=False)
    assert bulk.collections.take("c", given) == 0
    assert bulk.collections.take("c", bulk.documents("c")) == 2


def test_documents_are_removed_by_id(bulk: Bulk) -> None:
    bulk.collections.put("c", [encoded(_id=one) for one in MIXED], fresh=True)
    assert bulk.collections.remove("c", [*MIXED[:5], "none"]) == 5
    assert len(bulk.documents("c")) == len(MIXED) - 5
