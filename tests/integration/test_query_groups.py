"""Reports over whole tables: MongoDB groups the documents, and the answer is plain MySQL's, or that of the long way."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from bson import Decimal128, Int64
from pymysql.connections import Connection
from pymysql.cursors import Cursor
from sqlalchemy.engine import make_url

from platform_store import ColumnAttribute, Diverged, Platform, PlatformStoreError, Unavailable, ValueRejected
from platform_store.association import Association
from platform_store.query import partial
from platform_store.query.stage import Stager
from platform_store.stores import mongodb_snapshot
from platform_store.stores.mongodb_snapshot import MongoDocumentSnapshot
from tests.integration.conftest import Servers, plain
from tests.integration.test_query_stores import limited
from tests.servers.databases import connect_sql, fresh_mongodb_database, fresh_sql_database
from tests.waiting import wait_until

COLUMNS = [
    ColumnAttribute("id", "BIGINT", nullable=False),
    ColumnAttribute("region", "VARCHAR(20)", collation="utf8mb4_general_ci"),
    ColumnAttribute("code", "VARCHAR(20)", collation="utf8mb4_bin"),
    ColumnAttribute("amount", "DECIMAL(14,2)"),
    ColumnAttribute("qty", "INT"),
    ColumnAttribute("small", "TINYINT", nullable=False),
    ColumnAttribute("big", "BIGINT UNSIGNED"),
    ColumnAttribute("day", "DATE"),
]
REGIONS = ("a", "A", "a ", "á", "华东", "华东区", "", "\U0001f375", None)
CODES = ("x", "X", "x ", "é", "e\u0301", "", None)
AMOUNTS = ("0.00", "-0.01", "12.34", "999999999999.99", "-999999999999.99", "7.50", None)
NUMBERS = (0, 1, -1, 2**31 - 1, -(2**31), 7, None)
ROWS = 400
PENDING = 60  # of the last rows
QUERIES = 40


def row_of(key: int, chance: random.Random) -> dict[str, Any]:
    amount = chance.choice(AMOUNTS)
    row = {
        "id": key,
        "region": chance.choice(REGIONS),
        "code": chance.choice(CODES),
        "amount": None if amount is None else Decimal(amount),
        "qty": chance.choice(NUMBERS),
        "small": chance.choice((-128, 0, 5, 127)),
        "big": chance.choice((0, 3, 2**40, None)),
        "day": chance.choice((date(2024, 2, 29) + timedelta(days=chance.randrange(3)), date(1, 1, 1), None)),
    }
    for name in ("region", "amount", "qty", "day"):
        if chance.random() < 0.05:
            del row[name]  # the document has no such field
    return row


@dataclass(frozen=True)
class Twice:
    """The same rows through the library, all but the key in documents, and in one plain table."""

    servers: Servers
    platform: Platform
    whole: Connection[Cursor]

    def check(self, sql: str, way: str | None = "groups") -> None:
        """Compares names, types, digits and values; in order where the statement has one."""
        with self.whole.cursor() as cursor:
            cursor.execute(sql)
            columns, rows = tuple(one[0] for one in cursor.description or ()), list(map(repr, cursor.fetchall()))
        with self.platform.query(sql) as result:
            found = list(map(repr, result))
            assert {source.way for source in result.plan.sources} == {way}, (sql, str(result.plan))
            assert result.columns == columns, sql
        ordered = "ORDER BY" in sql
        assert (found if ordered else sorted(found)) == (rows if ordered else sorted(rows)), sql


def declared(column: ColumnAttribute) -> str:
    collation = f" CHARACTER SET utf8mb4 COLLATE {column.collation}" if column.collation else ""
    return f"{column.name} {column.type}{collation} {'NULL' if column.nullable else 'NOT NULL'}"


@pytest.fixture(scope="module", params=["mysql", "mariadb"])
def twice(request: pytest.FixtureRequest, mongodb_url: str) -> Iterator[Twice]:
    """Filled once: queries change nothing. Many entries are pending, and MongoDB lacks what some of them say."""
    chance = random.Random(7)
    server = request.getfixturevalue(f"{request.param}_url")
    with (
        fresh_sql_database(server) as mysql,
        fresh_sql_database(server) as other,
        fresh_mongodb_database(mongodb_url) as mongodb,
        plain(mysql, mongodb) as servers,
        servers.open_quiet() as platform,
        connect_sql(other, database=make_url(other).database) as whole,
    ):
        for name in ("sale", "nothing"):
            platform.create_table(name, COLUMNS, flag=0)
        rows = {key: row_of(key, chance) for key in range(-ROWS // 2, ROWS // 2)}
        platform.write_many("sale", rows.values())
        assert platform.recover().remaining == 0
        change(servers, platform, rows, chance)
        with whole.cursor() as cursor:
            for name in ("sale", "nothing"):
                cursor.execute(f"CREATE TABLE {name} ({', '.join(map(declared, COLUMNS))}, PRIMARY KEY (id))")
            names = [column.name for column in COLUMNS]
            places = ", ".join(["%s"] * len(names))
            values = [[row.get(name) for name in names] for row in rows.values()]
            cursor.executemany(f"INSERT INTO sale VALUES ({places})", values)
        yield Twice(servers, platform, whole)


def change(servers: Servers, platform: Platform, rows: dict[int, dict[str, Any]], chance: random.Random) -> None:
    """Rows inserted, changed again and again and deleted, of which MongoDB knows nothing yet, or a part."""
    documents = servers.mongodb["sale"]
    before = {document["_id"]: document for document in documents.find()}
    for key in range(ROWS // 2 - PENDING, ROWS // 2 + 20):
        choice = chance.random()
        if key in rows and choice < 0.3:
            platform.delete("sale", key)
            del rows[key]
        else:
            for _ in range(chance.choice((1, 2))):
                rows[key] = row_of(key, chance)
                platform.write("sale", rows[key], on_conflict="replace")
        if chance.random() < 0.5:
            documents.delete_one({"_id": key})
            if key in before:
                documents.insert_one(before[key])


STATEMENTS = [
    "SELECT COUNT(*), COUNT(amount), SUM(amount), MIN(amount), MAX(amount) FROM sale",
    "SELECT SUM(qty), SUM(small), COUNT(small), SUM(big), MAX(big), MIN(qty) FROM sale",
    "SELECT COUNT(*), SUM(amount) FROM sale GROUP BY region ORDER BY 1, 2",
    "SELECT code, COUNT(*) n, SUM(amount) m, SUM(qty) q FROM sale GROUP BY code ORDER BY code, n",
    "SELECT UPPER(code), COUNT(region), SUM(small) FROM sale GROUP BY UPPER(code) ORDER BY UPPER(code)",
    "SELECT day, SUM(qty), COUNT(qty) FROM sale GROUP BY day ORDER BY day DESC",
    "SELECT YEAR(day) y, MONTH(day) AS m, SUM(amount) FROM sale GROUP BY y, m ORDER BY y, m",
    "SELECT qty, amount, COUNT(*), SUM(amount), SUM(qty) FROM sale GROUP BY qty, amount ORDER BY qty, amount",
    "SELECT qty, COUNT(*) FROM sale GROUP BY qty HAVING SUM(amount) > 0 AND COUNT(*) > 2 ORDER BY qty",
    "SELECT s.qty AS x, SUM( s.amount ) FROM sale AS s GROUP BY s.qty HAVING x > 0 ORDER BY SUM(s.amount) LIMIT 2",
    "SELECT qty, day, COUNT(*), SUM(amount) FROM sale WHERE code = 'x' GROUP BY qty, day WITH ROLLUP",
    "SELECT small, SUM(amount), COUNT(*) FROM sale GROUP BY small WITH ROLLUP",
    "SELECT COUNT(*), SUM(amount), MAX(day) FROM sale WHERE region LIKE 'a%' AND qty IS NOT NULL",
    "SELECT COUNT(*), SUM(amount) FROM sale WHERE region = 'A' OR region IS NULL OR small IN (5, 127)",
    "SELECT COUNT(*), SUM(amount), MIN(code) FROM sale WHERE qty = 123456",
    "SELECT SUM(amount) / COUNT(*), SUM(qty) DIV 7, SUM(amount) * 1.5, ROUND(SUM(qty) / 3, 2), -SUM(qty) FROM sale",
    "SELECT COUNT(*) + 1, COUNT(qty) / 3, COUNT(*) * 1.50, CASE WHEN COUNT(*) > 3 THEN SUM(qty) ELSE 0 END FROM sale",
    "SELECT COUNT(DISTINCT region), COUNT(DISTINCT code, qty), MIN(UPPER(code)), MAX(qty + small) FROM sale",
    "SELECT DISTINCT small FROM sale ORDER BY small",
    "SELECT DISTINCT small FROM sale LIMIT 2",
    "SELECT DISTINCT qty, small FROM sale LIMIT 7",
    "SELECT DISTINCT small, SUM(qty) FROM sale GROUP BY small, day ORDER BY 1, 2 LIMIT 3 OFFSET 1",
    "SELECT sum(amount), `region` IS NULL FROM sale GROUP BY `region` IS NULL ORDER BY 2",
    "SELECT SUM(amount) amount FROM sale GROUP BY small ORDER BY amount",
    "SELECT small, COUNT(*) FROM sale GROUP BY small UNION ALL SELECT qty, SUM(small) FROM sale GROUP BY qty "
    "ORDER BY 1, 2",
    "SELECT COUNT(*) FROM sale UNION SELECT MAX(qty) FROM sale UNION SELECT NULL ORDER BY 1",
    "SELECT MAX(d.n), AVG(d.m) FROM (SELECT COUNT(*) n, SUM(amount) m FROM sale GROUP BY code) AS d",
    "SELECT (SELECT COUNT(*) FROM sale WHERE small = 5), (SELECT SUM(qty) FROM sale), COUNT(*) FROM (SELECT 1) d",
    "WITH d AS (SELECT code, SUM(amount) m FROM sale GROUP BY code) SELECT code FROM d WHERE m > 0 ORDER BY code",
    "SELECT 1 FROM (SELECT 1) d WHERE EXISTS (SELECT SUM(qty) FROM sale GROUP BY code HAVING COUNT(*) > 3)",
    "SELECT COUNT(*), COUNT(qty), SUM(amount), SUM(qty), MIN(qty), MAX(amount) FROM nothing",
    "SELECT region, COUNT(*), SUM(amount) FROM nothing GROUP BY region",
    "SELECT COUNT(*) FROM nothing WHERE qty > 3 HAVING COUNT(*) > 0",
    "SELECT SUM(amount) FROM nothing GROUP BY region WITH ROLLUP",
]  # fmt: skip


@pytest.mark.parametrize("sql", STATEMENTS)
def test_an_answer_is_that_of_plain_mysql(twice: Twice, sql: str) -> None:
    twice.check(sql)


def test_random_reports(twice: Twice) -> None:
    chance = random.Random(3)
    names = ("code", "amount", "qty", "small", "day", "big")
    for _ in range(QUERIES):
        keys = chance.sample(names, chance.choice((0, 1, 2)))
        summed = chance.sample(("amount", "qty", "small", "big"), 2)
        counted = [f"COUNT({name}) AS n{name}" for name in chance.sample(names, 2)]
        items = [*keys, "COUNT(*)", *(f"SUM({name})" for name in summed), f"MAX({chance.choice(names)}) x", *counted]
        where = chance.choice(
            ("", " WHERE qty > 0", " WHERE code >= 'e'", " WHERE amount IS NULL", " WHERE small <> 5")
        )
        group = f" GROUP BY {', '.join(keys)}" if keys else ""
        having = chance.choice(("", " HAVING COUNT(*) > 1", f" HAVING SUM({summed[0]}) IS NOT NULL"))
        twice.check(f"SELECT {', '.join(items)} FROM sale{where}{group}{having}")


def test_parameters_and_headings(twice: Twice) -> None:
    sql = "SELECT COUNT(*) , sum( qty ), COUNT(*) > %s, COUNT(qty) total FROM sale WHERE small = %s"
    with twice.platform.query(sql, [3, 5]) as result:
        (row,) = result.all()
        assert result.columns == ("COUNT(*)", "sum( qty )", "COUNT(*) > 3", "total")
        assert [source.way for source in result.plan.sources] == ["groups"]
    assert [type(value) for value in row] == [int, Decimal, int, int]


def test_the_plan_says_it(twice: Twice) -> None:
    plan = twice.platform.explain("SELECT small, SUM(amount) FROM sale GROUP BY small")
    (source,) = plan.sources
    assert source.from_mongodb == ("small", "amount")
    assert source.staged_rows < 100
    for part in ("by groups", "pending", "groups by (small) with sums of amount"):
        assert part in str(plan)


# Where it is not exact, or not worth it


def filled(platform: Platform, name: str = "t", key: str = "INT", **types: str) -> None:
    """Rows 1 to 30, each with a document of its own."""
    columns = [ColumnAttribute("id", key), ColumnAttribute("kind", "VARCHAR(9)"), ColumnAttribute("qty", "INT")]
    columns += [ColumnAttribute(one, text) for one, text in types.items()]
    platform.create_table(name, columns, flag=0)
    text = not key.startswith("INT")
    for _ in range(3):  # revisions that leave room below
        platform.write(name, {"id": "none" if text else 999})
        platform.delete(name, "none" if text else 999)
    platform.write_many(name, [{"id": f"k{n}" if text else n, "kind": f"k{n % 3}", "qty": n} for n in range(1, 31)])
    assert platform.recover().remaining == 0


TOTAL = "SELECT COUNT(*), SUM(qty) FROM t"
BY_KIND = "SELECT kind, COUNT(*), SUM(qty) FROM t GROUP BY kind ORDER BY kind"
LONG_WAY = "SELECT COUNT(id), SUM(qty), MIN(kind) FROM t"


def way(platform: Platform, sql: str) -> tuple[str, str]:
    (source,) = platform.explain(sql).sources
    return source.way, source.why


def test_rows_that_have_no_document(servers_of_test: Servers, platform: Platform) -> None:
    filled(platform)
    assert way(platform, TOTAL)[0] == "groups"
    servers_of_test.sql("INSERT INTO t (id) VALUES (99)")
    assert platform.query(TOTAL).one() == (31, 465)
    assert "without a document" in way(platform, TOTAL)[1]


def test_documents_that_have_no_row(servers_of_test: Servers, platform: Platform) -> None:
    filled(platform)
    documents = servers_of_test.mongodb["t"]
    documents.insert_one({"_id": "foreign", "kind": "k9"})
    assert (platform.query(TOTAL).one(), way(platform, TOTAL)[0]) == ((30, 465), "groups")
    documents.insert_one({"_id": 77, "kind": "k9", "qty": 1, "_rev": Int64(3)})
    assert platform.query(BY_KIND).all() == [("k0", 10, 165), ("k1", 10, 145), ("k2", 10, 155)]
    assert way(platform, BY_KIND)[0] == "scan"


def test_documents_that_were_discarded(servers_of_test: Servers, platform: Platform) -> None:
    filled(platform)
    platform.drop_collection("t", discard_document_columns=True)
    assert platform.query(TOTAL).one() == (30, None)
    platform.delete_range("t", None, None)
    platform.write("t", {"id": 5, "kind": "k", "qty": 5})
    assert (platform.query(TOTAL).one(), way(platform, TOTAL)[0]) == ((1, 5), "groups")


Loss = Callable[[Any], object]
LOSSES: dict[str, Loss] = {
    "lost": lambda documents: documents.delete_one({"_id": 5}),
    "old": lambda documents: documents.update_one({"_id": 5}, {"$inc": {"_rev": -1}}),
    "lost, and one too many": lambda documents: documents.update_many({"_id": 5}, [{"$unset": "_rev"}]),
    "of another row": lambda documents: (
        documents.insert_one({**documents.find_one({"_id": 5}), "_id": 500}),
        documents.delete_one({"_id": 5}),
    ),
    "exchanged": lambda documents: (
        documents.update_one({"_id": 5}, {"$inc": {"_rev": 1}}),
        documents.update_one({"_id": 6}, {"$inc": {"_rev": -1}}),
    ),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_is_an_error(servers_of_test: Servers, platform: Platform, loss: str) -> None:
    filled(platform)
    LOSSES[loss](servers_of_test.mongodb["t"])
    for sql in (TOTAL, BY_KIND):
        with pytest.raises(Diverged) as caught:
            platform.query(sql)
        assert (caught.value.table, caught.value.key) == ("t", 5)


def test_what_protects_from_a_loss(
    servers_of_test: Servers, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the comparison of totals the answer would be another, silently."""
    filled(platform)
    LOSSES["lost"](servers_of_test.mongodb["t"])
    monkeypatch.setattr(partial._Grouper, "_compare", lambda *_: None)
    assert platform.query(TOTAL).one() == (29, 460)


@pytest.mark.parametrize("key", ["VARCHAR(20)", "INT"])
def test_keys_of_any_type(servers_of_test: Servers, platform: Platform, key: str) -> None:
    filled(platform, key=key)
    assert (platform.query(TOTAL).one(), way(platform, TOTAL)[0]) == ((30, 465), "groups")
    documents = servers_of_test.mongodb["t"]
    one, other = documents.find().limit(2)
    documents.update_one({"_id": one["_id"]}, {"$inc": {"_rev": 3}})
    documents.update_one({"_id": other["_id"]}, {"$inc": {"_rev": -3}})
    with pytest.raises(Diverged):
        platform.query(TOTAL)


def test_composite_keys(servers_of_test: Servers, platform: Platform) -> None:
    columns = [ColumnAttribute("a", "INT"), ColumnAttribute("b", "VARCHAR(9)"), ColumnAttribute("qty", "INT")]
    platform.create_table("t", columns, flag=1, key=["a", "b"])
    platform.write_many("t", [{"a": n // 3 - 2, "b": f"x{n % 3}", "qty": n} for n in range(12)])
    platform.update("t", (1, "x0"), {"qty": -9})
    assert (platform.query(TOTAL).one(), way(platform, TOTAL)[0]) == ((12, 66 - 9 - 9), "groups")
    documents = servers_of_test.mongodb["t"]
    assert platform.recover().remaining == 0
    moved = documents.find_one_and_delete({"_id": {"a": -1, "b": "x1"}})
    assert moved is not None
    documents.insert_one({**moved, "_id": {"a": -7, "b": "x1"}})
    with pytest.raises(Diverged):
        platform.query(TOTAL)


FOREIGN = (
        ("qty", 5.0), ("qty", 4.0), ("qty", 0.5), ("qty", Decimal128("5")), ("qty", "5"), ("qty", True), ("qty", [5]),
        ("qty", {"a": 5}), ("qty", 2**31), ("qty", float("nan")), ("kind", 5), ("kind", ["k1"]), ("kind", {"k": 1}),
        ("kind", "longer than 9"),
        ("price", 5), ("price", 5.0), ("price", 0.1), ("price", Decimal128("1.005")), ("price", Decimal128("NaN")),
        ("price", Decimal128("1E+20")), ("price", Decimal128("Infinity")), ("price", [Decimal128("1.00")]),
)  # fmt: skip


def test_a_value_that_is_not_the_columns(servers_of_test: Servers, platform: Platform) -> None:
    """Whether it is a key of the groups, or summed: the error is that of the long way."""
    filled(platform, price="DECIMAL(10,2)")
    documents = servers_of_test.mongodb["t"]
    documents.update_many({"_id": {"$gt": 20}}, {"$set": {"price": Decimal128("1.50")}})
    documents.update_one({"_id": 30}, {"$set": {"price": Decimal128("999.00")}})
    before = documents.find_one({"_id": 5})
    assert before is not None
    for field, value in FOREIGN:
        documents.replace_one({"_id": 5}, {**before, field: value})
        with pytest.raises(ValueRejected) as expected:
            platform.query(f"SELECT MAX({field}), MAX(id) FROM t")
        counted = [f"SELECT SUM({field}) FROM t", f"SELECT MIN({field}), COUNT({field}) FROM t"]
        for sql in (*counted[: 2 * (field != "kind")], f"SELECT {field}, COUNT(*) FROM t GROUP BY {field}"):
            with pytest.raises(ValueRejected) as caught:
                platform.query(sql)
            assert str(caught.value) == str(expected.value), (sql, value)


def test_decimals_of_fewer_places_are_the_same_number(servers_of_test: Servers, platform: Platform) -> None:
    filled(platform, price="DECIMAL(10,2)")
    for key, text in enumerate(("5", "1E+2", "0.5", "-7.25"), 1):
        servers_of_test.mongodb["t"].update_one({"_id": key}, {"$set": {"price": Decimal128(text)}})
    sql = "SELECT COUNT(price), SUM(price), MIN(price), MAX(price) FROM t"
    assert repr(platform.query(sql).one()) == repr((4, Decimal("98.25"), Decimal("-7.25"), Decimal("100.00")))
    assert way(platform, sql)[0] == "groups"


@pytest.mark.parametrize(
    ("text", "values", "total"),
    [
        ("BIGINT", [2**63 - 1, 2**63 - 1, -5], 2**64 - 7),
        ("BIGINT", [2**63 - 1, -(2**63)], -1),
        ("BIGINT UNSIGNED", [2**64 - 1, 1], 2**64),
    ],
)
def test_sums_that_mongodb_would_round(platform: Platform, text: str, values: Sequence[object], total: object) -> None:
    platform.create_table("t", [ColumnAttribute("id", "INT"), ColumnAttribute("v", text)], flag=0)
    platform.write_many("t", [{"id": key, "v": value} for key, value in enumerate(values)])
    assert platform.recover().remaining == 0
    assert platform.query("SELECT SUM(v) FROM t").scalar() == total
    assert "exactly" in way(platform, "SELECT SUM(v) FROM t")[1]


def test_a_long_decimal_that_is_a_key_and_summed(platform: Platform) -> None:
    platform.create_table("t", [ColumnAttribute("id", "INT"), ColumnAttribute("v", "DECIMAL(33,0)")], flag=0)
    platform.write_many("t", [{"id": key, "v": Decimal("9" * 33)} for key in range(133)])
    assert platform.recover().remaining == 0
    value = Decimal("9" * 33)
    assert platform.query("SELECT v, SUM(v) FROM t GROUP BY v").one() == (value, 133 * int(value))


@pytest.mark.parametrize(
    ("name", "value", "sql", "reason"),
    [
        ("_MOST_GROUPS", 2, BY_KIND, "more than 2"),
        ("_MOST_PENDING", 2, TOTAL, "more than 2 rows"),
        ("_MOST_BYTES", 100, TOTAL, "100 bytes are pending"),
        ("is_small", lambda _: False, "SELECT kind, qty, COUNT(*) FROM t GROUP BY kind, qty", ""),
        ("_LEAST_SHARE", 0.5, "SELECT COUNT(*) FROM t WHERE qty > 25", "pass"),
    ],
)
def test_what_is_not_worth_it(
    servers_of_test: Servers, monkeypatch: pytest.MonkeyPatch, name: str, value: object, sql: str, reason: str
) -> None:
    with servers_of_test.open_quiet() as platform:
        filled(platform)
        for key in (1, 2, 3):
            platform.update("t", key, {"kind": "k1"})
        expected = platform.query(sql).all()
        assert way(platform, sql)[0] == "groups"
        monkeypatch.setattr(partial, name, value)
        monkeypatch.setattr(partial, "is_small", lambda _: name in ("_MOST_PENDING", "_MOST_BYTES", "_MOST_GROUPS"))
        found, why = way(platform, sql)
        assert (found, reason in why) == ("scan" if reason else "groups", True)
        assert sorted(platform.query(sql).all()) == sorted(expected)


def test_many_groups_are_known_from_a_sample(
    servers_of_test: Servers, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partial, "_MOST_GROUPS", 100)
    platform.create_table("t", [ColumnAttribute("id", "INT"), ColumnAttribute("v", "INT")], flag=0)
    platform.write_many("t", [{"id": key, "v": key} for key in range(5000)])
    found, why = way(platform, "SELECT v, COUNT(*) FROM t GROUP BY v")
    assert found == "scan"
    assert "different ones" in why
    assert way(platform, "SELECT COUNT(*), SUM(v) FROM t")[0] == "groups"


def test_groups_of_long_texts_are_bounded(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    platform.create_table("t", [ColumnAttribute("id", "INT"), ColumnAttribute("v", "TEXT")], flag=0)
    platform.write_many("t", [{"id": key, "v": str(key) * 1000} for key in range(100, 130)])
    assert platform.recover().remaining == 0
    sql = "SELECT COUNT(*) FROM t WHERE v LIKE '11%'"
    assert (platform.query(sql).scalar(), way(platform, sql)[0]) == (10, "groups")
    monkeypatch.setattr(mongodb_snapshot, "_MOST_BYTES", 50_000)
    found, why = way(platform, sql)
    assert (platform.query(sql).scalar(), found, "50000 bytes" in why) == (10, "scan", True)


def test_the_size_is_asked_once(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(platform)
    asked, size = [], MongoDocumentSnapshot.size

    def counted(snapshot: MongoDocumentSnapshot, association: Association) -> int:
        asked.append(association.name)
        return size(snapshot, association)

    monkeypatch.setattr(MongoDocumentSnapshot, "size", counted)
    monkeypatch.setattr(partial, "is_small", lambda _: False)
    sql = "SELECT kind, SUM(qty) FROM t WHERE qty > 3 GROUP BY kind ORDER BY kind"
    with platform.query(sql) as result:
        assert [source.way for source in result.plan.sources] == ["groups"]
    assert asked == ["t"]


def test_mysql_that_is_away_is_no_reason_to_read_the_rows(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(platform)
    away = Unavailable("mysql", "no answer in time")

    def gone(*_: object) -> None:
        raise away

    monkeypatch.setattr(partial._Grouper, "_totals_of_rows", gone)
    with pytest.raises(Unavailable) as caught:
        platform.query(TOTAL)
    assert caught.value is away


def test_other_references_are_not_staged_in_vain(
    servers_of_test: Servers, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the groups come to nothing, rows staged before them would be thrown away."""
    filled(platform)
    servers_of_test.sql("INSERT INTO t (id) VALUES (99)")
    staged, run = [], Stager.run

    def counted(stager: Stager, *rest: Any) -> None:
        staged.append(stager)
        run(stager, *rest)

    monkeypatch.setattr(Stager, "run", counted)
    sql = "SELECT SUM(qty) FROM t UNION ALL SELECT AVG(qty) FROM t"
    assert platform.query(sql).all() == [(465,), (Decimal("15.5"),)]
    assert len(staged) == 1


def test_only_groups_count_as_staged(servers_of_test: Servers, platform: Platform) -> None:
    filled(platform)
    with limited(servers_of_test, max_rows=5) as bounded:
        assert bounded.query(BY_KIND).all() == [("k0", 10, 165), ("k1", 10, 145), ("k2", 10, 155)]


# While others write


def test_sums_of_one_moment(servers_of_test: Servers, platform: Platform) -> None:
    """Writers that move amounts between rows, and make and remove rows without any: the sums never change."""
    platform.create_table("t", [ColumnAttribute("id", "INT"), ColumnAttribute("qty", "INT")], flag=0)
    platform.write_many("t", [{"id": key, "qty": 100} for key in range(40)])
    stopped = threading.Event()
    failures: list[PlatformStoreError] = []
    moves = [0, 0]

    def move(seed: int) -> None:
        chance = random.Random(seed)
        try:
            with servers_of_test.open() as mover:
                while not stopped.is_set():
                    pair, amount = sorted(chance.sample(range(40), 2)), chance.randint(1, 9)

                    def moved(tx: Any, pair: Sequence[int] = pair, amount: int = amount) -> None:
                        one, other = (tx.read("t", key, for_update=True) for key in pair)
                        tx.update("t", pair[0], {"qty": one["qty"] - amount})
                        tx.update("t", pair[1], {"qty": other["qty"] + amount})

                    mover.run_transaction(moved)
                    mover.write("t", {"id": 1000 + seed, "qty": 0}, on_conflict="replace")
                    mover.delete("t", 1000 + seed)
                    moves[seed] += 1
        except PlatformStoreError as error:
            failures.append(error)

    movers = [threading.Thread(target=move, args=(seed,)) for seed in range(2)]
    for mover in movers:
        mover.start()
    ways = set()
    try:
        wait_until(lambda: min(moves) > 0 or bool(failures), "both are at work")
        for _ in range(QUERIES):
            with platform.query("SELECT COUNT(*), SUM(qty), MIN(qty) > -100000 FROM t") as result:
                ((count, total, _),) = result.all()
                ways |= {source.way for source in result.plan.sources}
            assert (total, count in (40, 41, 42)) == (4000, True)
    finally:
        stopped.set()
        for mover in movers:
            mover.join()
    assert not failures
    assert "groups" in ways
