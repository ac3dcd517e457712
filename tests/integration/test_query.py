"""Queries: what MySQL answers for the whole logical table, what is refused by name, and nothing in between."""

from __future__ import annotations

import contextlib
import enum
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

import pymysql
import pytest
from pymysql.connections import Connection
from pymysql.cursors import Cursor
from sqlalchemy.engine import make_url

from platform_store import ColumnAttribute, NotSupported, Platform, SchemaError, ValueRejected
from tests.integration.conftest import Servers, plain
from tests.servers.databases import connect_sql, fresh_mongodb_database, fresh_sql_database

SEED = 11
STATEMENTS = 1500
ROWS = 12


@dataclass(frozen=True)
class Cards:
    """`card`, whose `doc` is a document column, beside `plain`, which is in no association and has a `doc` too."""

    servers: Servers
    platform: Platform


@pytest.fixture(scope="module", params=["mysql", "mariadb"])
def cards(request: pytest.FixtureRequest, mongodb_url: str) -> Iterator[Cards]:
    """Made once: queries change nothing."""
    with (
        fresh_sql_database(request.getfixturevalue(f"{request.param}_url")) as mysql,
        fresh_mongodb_database(mongodb_url) as mongodb,
        plain(mysql, mongodb) as servers,
        servers.open() as platform,
    ):
        columns = [ColumnAttribute("id", "INT"), ColumnAttribute("n", "INT"), ColumnAttribute("doc", "JSON")]
        platform.create_table("card", columns, flag=1)
        platform.write_many("card", [{"id": number, "n": 0, "doc": number} for number in range(30)])
        servers.sql("CREATE TABLE plain (id INT PRIMARY KEY, doc VARCHAR(10))")
        servers.sql("INSERT INTO plain VALUES (1, 'p')")
        yield Cards(servers, platform)


def test_queries_over_mysql_columns(cards: Cards) -> None:
    with cards.platform.query("SELECT id, n FROM card WHERE id BETWEEN %s AND %s ORDER BY id", [3, 5]) as result:
        assert result.columns == ("id", "n")
        assert result.all() == [(3, 0), (4, 0), (5, 0)]
    query = """
        WITH big AS (SELECT id FROM card WHERE id >= %(low)s)
        SELECT COUNT(*) AS c, (SELECT MAX(id) FROM card) m FROM big WHERE EXISTS (SELECT * FROM card)
    """
    with cards.platform.query(query, {"low": 20}) as result:
        assert list(result.dicts()) == [{"c": 10, "m": 29}]
    assert cards.platform.query("SELECT p.doc FROM plain p JOIN card c ON c.id = p.id").scalar() == "p"
    assert cards.platform.query("SELECT '100%' AS x").one() == ("100%",)
    assert cards.platform.query("SELECT n FROM card WHERE id = %s", ["1 OR 1=1"]).all() == [(0,)]


@pytest.mark.parametrize(
    ("sql", "answer"),
    [
        ("SELECT n - id AS doc FROM card WHERE id < 3 ORDER BY doc", [(-2,), (-1,), (0,)]),
        ("SELECT n - id AS DOC FROM card WHERE id < 3 ORDER BY `Doc` DESC", [(0,), (-1,), (-2,)]),
        ("SELECT DISTINCT n AS doc FROM card ORDER BY doc", [(0,)]),
        ("SELECT id AS doc FROM card WHERE id < 2 UNION SELECT 9 ORDER BY doc", [(0,), (1,), (9,)]),
        ("(SELECT id AS doc FROM card WHERE id < 2) ORDER BY doc DESC", [(1,), (0,)]),
        ("SELECT x.doc FROM (SELECT MAX(id) AS doc FROM card) x", [(29,)]),
        ("SELECT doc FROM (SELECT MAX(id) AS doc FROM card) x", [(29,)]),
        ("SELECT x._rev FROM (SELECT MAX(id) AS _rev FROM card) x", [(29,)]),
        ("SELECT MAX(id) AS x FROM card HAVING x > 1", [(29,)]),
        ("WITH card AS (SELECT 7 AS doc) SELECT doc FROM card ORDER BY ABS(doc)", [(7,)]),
        ("WITH card AS (SELECT 7 AS doc) SELECT * FROM card NATURAL JOIN card x", [(7,)]),
        ("WITH x AS (SELECT MAX(id) AS m FROM card), y AS (SELECT m FROM x) SELECT * FROM y", [(29,)]),
        ("WITH doc AS (SELECT MAX(id) AS m FROM card) SELECT m FROM doc", [(29,)]),
        (
            "WITH RECURSIVE doc(doc) AS (SELECT 1 UNION ALL SELECT doc + 1 FROM doc WHERE doc < 3) "
            "SELECT SUM(doc) FROM doc",
            [(6,)],
        ),
        ("SELECT id FROM card WHERE id = 1 AND '/*! */' = '/*! */' AND \"/*+\" <> '/*M!'", [(1,)]),
        ("SELECT 'v /* */ -- doc' AS x FROM card WHERE id = 1 -- doc /*! */", [("v /* */ -- doc",)]),
        ("SELECT MAX(id)--1 AS x FROM card", [(30,)]),
        ("SELECT SUM(id) OVER (PARTITION BY n) AS x FROM card LIMIT 1", [(435,)]),
        ("SELECT c.id FROM (card c JOIN plain USING (id))", [(1,)]),
        ("SELECT c.id FROM (card c INNER JOIN plain p ON p.doc = 'p' AND p.id = c.id)", [(1,)]),
        ("SELECT IS_FREE_LOCK('x'), SLEEP(0)", [(1, 0)]),
        ("SELECT LOAD_FILE('/nowhere')", [(None,)]),
        ("SELECT CAST('5' AS SIGNED) AS a, INTERVAL 1 DAY + DATE '2024-01-01' AS b, x'41' AS c", None),
        (
            "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_NAME = 'card' AND TABLE_SCHEMA = DATABASE()",
            None,
        ),
    ],
)
def test_what_a_query_answers(cards: Cards, sql: str, answer: list[tuple[object, ...]] | None) -> None:
    expected = list(cards.servers.sql(sql)) if answer is None else answer
    assert cards.platform.query(sql).all() == expected


SELECTS_OVER_DOCUMENTS = [
    "SELECT doc FROM card",
    "SELECT `DOC` FROM card",
    "SELECT c.* FROM card c",
    "SELECT * FROM card",
    "SELECT id FROM card WHERE JSON_VALUE(doc, '$') = 1",
    "SELECT id FROM card ORDER BY card.doc",
    "SELECT p.id FROM plain p WHERE EXISTS (SELECT 1 FROM card WHERE doc = p.id)",
    "SELECT p.id FROM plain p WHERE p.id IN (SELECT id FROM card WHERE doc IS NULL)",
    "SELECT id FROM card UNION SELECT doc FROM card",
    "WITH x AS (SELECT * FROM card) SELECT id FROM x",
    "SELECT n AS doc FROM card ORDER BY ABS(doc)",
    "SELECT n AS doc FROM card ORDER BY doc + 0",
    "SELECT n AS doc FROM card ORDER BY -doc",
    "SELECT n AS doc FROM card ORDER BY (doc)",
    "SELECT n AS doc FROM card ORDER BY CONCAT('x', doc)",
    "SELECT n AS doc FROM card ORDER BY id--doc\n",
    "SELECT n AS doc FROM card ORDER BY card.doc",
    "SELECT n AS doc FROM card ORDER BY (SELECT doc)",
    "SELECT id FROM card ORDER BY doc",
    "SELECT n doc, COUNT(*) FROM card GROUP BY n HAVING COUNT(*) > 0 ORDER BY ABS(doc)",
    "SELECT DISTINCT n AS doc FROM card ORDER BY ABS(doc)",
    "SELECT n AS doc, COUNT(*) FROM card GROUP BY doc",
    "SELECT n AS doc, COUNT(*) FROM card GROUP BY n HAVING doc = 0",
    "(SELECT n AS doc FROM card) ORDER BY ABS(doc)",
    "SELECT n AS doc FROM card UNION SELECT id FROM card ORDER BY ABS(doc)",
    "SELECT n AS doc, GROUP_CONCAT(id ORDER BY doc) FROM card GROUP BY n",
    "SELECT n AS doc, ROW_NUMBER() OVER (ORDER BY doc) FROM card",
    "SELECT n AS doc, ROW_NUMBER() OVER w FROM card WINDOW w AS (PARTITION BY doc)",
    "SELECT id FROM plain NATURAL JOIN card",
    "SELECT card.id FROM (card NATURAL JOIN plain)",
    "SELECT card.id FROM (plain p JOIN (card NATURAL LEFT JOIN plain) ON 1 = 1)",
    "SELECT 1 FROM (SELECT 1 AS x) y NATURAL JOIN (SELECT 1 AS x) z WHERE EXISTS (SELECT 1 FROM card)",
    "SELECT c.id FROM card c JOIN plain p USING (doc)",
    "SELECT c.id FROM card c JOIN plain p USING (id, `DOC`)",
    "SELECT c.id FROM (card c JOIN plain p USING (doc))",
    "SELECT otherdb.card.doc FROM otherdb.card",
    "SELECT doc FROM otherdb.card",
    "SELECT card.doc->'$.x' FROM card",
    "SELECT doc->>'$.x' FROM card",
    "SELECT id FROM card, JSON_TABLE(doc, '$' COLUMNS (x INT PATH '$')) j",
    "SELECT id FROM card, LATERAL (SELECT doc AS w) l",
    "SELECT id FROM card WHERE 1 MEMBER OF (doc)",
    "SELECT MATCH (doc) AGAINST ('x') FROM card",
    "SELECT (SELECT ALL doc FROM card LIMIT 1) FROM plain",
    "SELECT (SELECT SQL_CACHE doc FROM card LIMIT 1) FROM plain",
    "WITH x AS (SELECT doc FROM card) SELECT 1 FROM x",
    "WITH card AS (SELECT doc FROM card) SELECT 1 FROM card",
    "WITH x AS (SELECT doc FROM card), card AS (SELECT 1 AS doc) SELECT 1 FROM x",
    "SELECT doc FROM card WHERE id IN (WITH card AS (SELECT 1 AS id) SELECT id FROM card)",
    "SELECT doc FROM CARD",
    "SELECT * FROM (VALUES ROW((SELECT COUNT(doc) FROM card))) x",
    "SELECT id, doc, n FROM card WHERE doc = 7",
    "SELECT card.doc FROM card JOIN card AS other ON other.doc = card.id AND other.doc < 4 ORDER BY 1",
    "WITH x AS (SELECT id, doc FROM card) SELECT a.doc, b.doc FROM x a JOIN x b ON a.id = b.id + 1 ORDER BY a.id",
    "WITH x AS (SELECT id, doc FROM card), y AS (SELECT x.id, z.doc FROM x JOIN x z USING (id)) "
    "SELECT * FROM y JOIN y w USING (id) JOIN x USING (id) ORDER BY id",
    "WITH RECURSIVE r AS (SELECT 1 AS i, 0 AS d UNION ALL SELECT i + 1, CAST(card.doc AS SIGNED) FROM r JOIN card "
    "ON card.id = r.i WHERE i < 5) SELECT * FROM r UNION ALL SELECT * FROM r ORDER BY 1, 2",
    "SELECT 'doc' AS x, \"card\" AS y, doc /* card */ FROM card AS `card` WHERE id IN (3, 4) -- card\n ORDER BY id",
    "SELECT c.doc, p.doc FROM card c LEFT JOIN plain p ON p.id = c.doc WHERE c.id < 3 ORDER BY c.id",
    "SELECT p.id, c.doc FROM plain p LEFT JOIN card c ON c.id = p.id AND c.doc = 99",
    "SELECT id FROM card WHERE doc IS NULL",
    "SELECT id FROM card ORDER BY id DESC LIMIT 3 OFFSET 2",
    "SELECT id, doc FROM card WHERE n = 0 ORDER BY id DESC LIMIT 3 OFFSET 2",
    "SELECT JSON_ARRAYAGG(doc) FROM card WHERE id = 4 LIMIT 1",
    "SELECT COUNT(*), SUM(doc) FROM card LIMIT 1",
    "SELECT doc FROM card WHERE n = 1 XOR doc = 3",
    "SELECT doc FROM card WHERE id = 1 || doc = 3 ORDER BY id",
    "SELECT nowhere, doc FROM card",
    "SELECT doc FROM card, card c",
]
"""Each is answered as by a table that holds every column: with the same rows, or with an error by both."""


@pytest.fixture(scope="module")
def whole(cards: Cards) -> Iterator[Connection[Cursor]]:
    """Another database, in which `card` holds all of its columns."""
    url = cards.servers.mysql_url
    with fresh_sql_database(url) as other, connect_sql(other, database=make_url(other).database) as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE card (id INT PRIMARY KEY, n INT, doc JSON)")
            cursor.executemany("INSERT INTO card VALUES (%s, 0, %s)", [(number, str(number)) for number in range(30)])
            cursor.execute("CREATE TABLE plain (id INT PRIMARY KEY, doc VARCHAR(10))")
            cursor.execute("INSERT INTO plain VALUES (1, 'p')")
        yield connection


def test_a_document_column_counts_as_any_other(cards: Cards, whole: Connection[Cursor]) -> None:
    for sql in SELECTS_OVER_DOCUMENTS:
        with whole.cursor() as cursor:
            try:
                cursor.execute(sql)
                expected: object = (
                    tuple(one[0] for one in cursor.description or ()),
                    sorted(cursor.fetchall(), key=repr),
                )
            except pymysql.Error:
                expected = None
        try:
            with cards.platform.query(sql) as result:
                found: object = (result.columns, sorted(result.all(), key=repr))
        except (SchemaError, ValueRejected):
            found = None
        assert found == expected, sql


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("TABLE card", "TABLE"),
        ("SELECT id FROM card WHERE id IN (TABLE card)", "TABLE"),
        ("SELECT DEFAULT(doc) FROM card", "DEFAULT"),
        ("SELECT doc FROM card USE INDEX (PRIMARY)", "index hint"),
        ("SELECT doc FROM card PARTITION (p0)", "PARTITION"),
        ("WITH CARD AS (SELECT 1 AS id) SELECT doc FROM card", "common table expression"),
        ("SELECT id FROM card FOR UPDATE", "FOR UPDATE"),
        ("SELECT id FROM card LOCK IN SHARE MODE", "FOR SHARE"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("DELETE FROM card", "DELETE"),
        ("UPDATE card SET n = 1", "UPDATE"),
        ("DROP TABLE card", "DROP"),
        ("SET @x = 1", ""),
        ("CALL x()", ""),
        ("SELEC id", ""),
        ("", "0 statements"),
        ("SELECT c.id FROM card c JOIN plain p USING (_rev)", "_rev"),
        ("VALUES ROW(1, 2)", "VALUES"),
        ("SELECT {fn ABS(doc)} FROM card", "ODBC"),
        ("SELECT _rev FROM card", "_rev"),
        ("SELECT card.`_REV` FROM card", "_rev"),
        ("SELECT n AS _rev FROM card ORDER BY _rev", "_rev"),
        ("SELECT n AS _rev FROM card ORDER BY ABS(_rev)", "_rev"),
        ("SELECT n AS x FROM card GROUP BY n HAVING MAX(_rev) > 0", "_rev"),
        ("SELECT id FROM card, LATERAL (SELECT _rev AS w) l", "_rev"),
        ("SELECT ROW_NUMBER() OVER (ORDER BY _rev) FROM card", "_rev"),
        ("SELECT (SELECT ALL _rev FROM card LIMIT 1) FROM plain", "_rev"),
        ("SELECT id INTO OUTFILE '/tmp/x' FROM card", "INTO"),
        ("SELECT id INTO @x FROM card", "INTO"),
        ("SELECT id FROM card INTO @x", "INTO"),
        ("SELECT @x := 1", ":="),
        ("SELECT id, @x:=id FROM card", ":="),
        ("SELECT GET_LOCK('x', 0)", "GET_LOCK"),
        ("SELECT `get_lock`('x', 0)", "GET_LOCK"),
        ("SELECT id FROM card WHERE get_lock ('x', 0)", "GET_LOCK"),
        ("SELECT RELEASE_LOCK('x')", "RELEASE_LOCK"),
        ("SELECT RELEASE_ALL_LOCKS()", "RELEASE_ALL_LOCKS"),
        ("SELECT LAST_INSERT_ID(5)", "LAST_INSERT_ID"),
        ("SELECT id FROM card PROCEDURE ANALYSE()", "PROCEDURE"),
        ("SELECT /*! id INTO OUTFILE 'x' */ 1", r"/\*!"),
        ("SELECT /*M! doc, */ id FROM card", r"/\*M!"),
        ("SELECT /*M!100100 doc, */ id FROM card", r"/\*M!"),
        ("SELECT /*+ SET_VAR(sort_buffer_size = 1) */ id FROM card", r"/\*\+"),
    ],
)
def test_what_a_query_refuses(cards: Cards, sql: str, words: str) -> None:
    with pytest.raises(NotSupported, match=words or None):
        cards.platform.query(sql)


def test_what_mysql_refuses(cards: Cards) -> None:
    for sql in ("SELECT nowhere FROM card", "SELECT 1 FROM nowhere", "SELECT nofunc(1)"):
        with pytest.raises(SchemaError, match=r"nowhere|nofunc"):
            cards.platform.query(sql)


def test_a_view_answers_with_the_columns_of_mysql(cards: Cards) -> None:
    """As documented: a view is in no association, and shows what MySQL has."""
    cards.servers.sql("CREATE VIEW seen AS SELECT * FROM card WHERE id < 2")
    assert cards.platform.query("SELECT * FROM seen ORDER BY id").all() == [(0, 0), (1, 0)]


def test_a_table_without_document_columns_joins_naturally(servers_of_test: Servers, platform: Platform) -> None:
    """Its hidden column takes no part."""
    for name, other in (("one", "x"), ("two", "y")):
        platform.create_table(name, [ColumnAttribute("id", "INT"), ColumnAttribute(other, "INT")], flag=-1)
        platform.write_many(name, [{"id": 1, other: 5}, {"id": 2, other: 6}])
    revisions = servers_of_test.sql("SELECT one._rev, two._rev FROM one JOIN two USING (id)")
    assert all(one != two for one, two in revisions), "they would hide what is tested"
    assert platform.query("SELECT id, x, y FROM one NATURAL JOIN two ORDER BY id").all() == [(1, 5, 5), (2, 6, 6)]


# Parameters


def test_every_kind_of_parameter_arrives(cards: Cards) -> None:
    values: list[object] = [
        None, True, -7, 2**63, 1.5, Decimal("1.50"), "客'\\\"%", b"\x00\xff", bytearray(b"x"),
        date(2024, 2, 29), datetime(2024, 2, 29, 1, 2, 3, 4), time(1, 2, 3), timedelta(hours=-30),
    ]  # fmt: skip
    arrived = cards.platform.query(f"SELECT {', '.join(['%s'] * len(values))}", values).one()
    assert arrived[:7] == (None, 1, -7, 2**63, 1.5, Decimal("1.50"), "客'\\\"%")
    assert [bytes(part) if isinstance(part, bytes) else str(part).encode() for part in arrived[7:9]] == [
        b"\x00\xff", b"x"
    ]  # fmt: skip
    assert arrived[9:] == ("2024-02-29", "2024-02-29 01:02:03.000004", "01:02:03", "-30:00:00")


@pytest.mark.parametrize("values", [[1, 2], (1, 2), [1, None, 2]])
def test_in_takes_a_list(cards: Cards, values: Sequence[object]) -> None:
    assert cards.platform.query("SELECT id FROM card WHERE id IN %s ORDER BY id", [values]).all() == [(1,), (2,)]
    named = MappingProxyType({"ids": values, "unused": 1})
    sql = "SELECT id FROM card WHERE id NOT IN (5) AND id in %(ids)s ORDER BY id"
    assert cards.platform.query(sql, named).all() == [(1,), (2,)]


def test_the_embedded_pair_takes_a_list_after_in_alone(tmp_path: Path) -> None:
    with Platform.embedded(tmp_path / "pair.db") as embedded:
        embedded.create_table("card", [ColumnAttribute("id", "INT"), ColumnAttribute("n", "INT")], flag=1)
        embedded.write_many("card", [{"id": key} for key in range(5)])
        assert embedded.query("SELECT id FROM card WHERE id IN %s ORDER BY id", [[1, 2]]).all() == [(1,), (2,)]
        with pytest.raises(ValueRejected, match="right after IN"):
            embedded.query("SELECT id FROM card WHERE id = %s", [[1, 2]])
        with pytest.raises(ValueRejected, match="parameter 1"):
            embedded.query("SELECT id FROM card WHERE id = %s", [{"secret": 1}])


class Level(enum.IntEnum):
    HIGH = 3


@pytest.mark.parametrize(
    ("sql", "parameters", "words"),
    [
        ("SELECT %s", [{"secret": 1}], "parameter 1 is of type dict"),
        ("SELECT %s, %s", [1, {"secret"}], "parameter 2 is of type set"),
        ("SELECT %(x)s", {"x": object()}, "parameter 'x' is of type object"),
        ("SELECT %(x)s", {"x": 1, "unused": {"secret": 1}}, "parameter 'unused' is of type dict"),
        ("SELECT %s", [Level.HIGH], "parameter 1 is of type Level"),
        ("SELECT %s", [datetime(2024, 1, 1, tzinfo=UTC)], "time zone"),
        ("SELECT %s", [float("nan")], "float"),
        ("SELECT %s", [Decimal("Infinity")], "Decimal"),
        ("SELECT %s", [10**5000], "int"),
        ("SELECT %s", ["secret\ud800"], "lone surrogate"),
        ("SELECT '\ud800'", None, "lone surrogate"),
        ("SELECT '\ud800', %s", [1], "lone surrogate"),
        ("SELECT %s", [[1, 2]], "right after IN"),
        ("SELECT id FROM card WHERE id IN (%s)", [[1]], "right after IN"),
        ("SELECT id FROM card WHERE id IN %s", [[]], "empty list"),
        ("SELECT id FROM card WHERE id IN %s", [[1, {"secret": 1}]], "item 2 of parameter 1 is of type dict"),
        ("SELECT id FROM card WHERE id IN %s", [[[1]]], "item 1 of parameter 1 is of type list"),
    ],
)
def test_parameters_that_cannot_be_sent(
    cards: Cards, sql: str, parameters: Sequence[object] | Mapping[str, object] | None, words: str
) -> None:
    with pytest.raises(ValueRejected, match=words) as caught:
        cards.platform.query(sql, parameters)
    assert "secret" not in str(caught.value)


# The whole table beside the split one


def test_every_answer_is_that_of_the_whole_table(servers_of_test: Servers, platform: Platform) -> None:
    """Random statements over `c` and `m`, and the same in a database whose tables hold the document columns too."""
    url = servers_of_test.mysql_url
    with fresh_sql_database(url) as other, connect_sql(other, database=make_url(other).database) as whole:
        _fill(servers_of_test, platform, whole)
        _compare(platform, whole)


def _compare(platform: Platform, whole: Connection[Cursor]) -> None:
    chance = random.Random(SEED)
    counts: Counter[str] = Counter()
    for number in range(STATEMENTS):
        statement = _Grammar(chance).select().replace("{c}", "c").replace("{m}", "m")
        expected = _whole(whole, statement)
        try:
            ours: object = platform.query(statement).all()
        except NotSupported:
            counts["refused"] += 1
            continue
        except (SchemaError, ValueRejected):
            ours = None
        counts["refused by MySQL" if ours is None else "answered"] += 1
        if isinstance(ours, list) and isinstance(expected, list):
            # Not every statement's order is total, and a distinct value has no one place by what is not selected.
            ours, expected = sorted(ours, key=repr), sorted(expected, key=repr)
        assert ours == expected, (number, statement)
    assert counts["answered"] > STATEMENTS * 0.4, counts
    assert counts["refused"] < STATEMENTS // 20, counts


def _fill(servers: Servers, platform: Platform, whole: Connection[Cursor]) -> None:
    """`c` and `m` with v and w in documents, in ``whole`` with all in MySQL; `n`, which is MySQL's alone, in both."""
    chance = random.Random(SEED)
    names = ["id", "a", "b", "v", "w"]
    with contextlib.closing(whole.cursor()) as cursor:
        for table in ("c", "m"):
            platform.create_table(table, [ColumnAttribute(name, "INT") for name in names], flag=2)
            cursor.execute(f"CREATE TABLE {table} ({', '.join(f'{name} INT' for name in names)}, PRIMARY KEY (id))")
            for key in range(ROWS):
                row = {"id": key, **{name: chance.randint(-4, 4) for name in names[1:]}}
                platform.write(table, row)
                cursor.execute(f"INSERT INTO {table} VALUES ({', '.join(str(row[name]) for name in names)})")
        rows = [(key, key % 3, chance.randint(-4, 4), chance.randint(-4, 4)) for key in range(ROWS)]
        for run in (servers.sql, cursor.execute):
            run("CREATE TABLE n (id INT PRIMARY KEY, a INT, v INT, x INT)")
            run(f"INSERT INTO n VALUES {', '.join(map(str, rows))}")
            run("ANALYZE TABLE c, m, n")


def _whole(whole: Connection[Cursor], statement: str) -> object:
    try:
        with contextlib.closing(whole.cursor()) as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())
    except pymysql.Error:
        return None


class _Grammar:
    """SELECTs whose names mean something else, or something at all, only where a table has all of its columns.

    Most statements are sorted by all of their columns at the end.
    """

    def __init__(self, chance: random.Random):
        self._chance = chance

    def select(self) -> str:
        forms = [self._plain, self._plain, self._grouped, self._distinct, self._union, self._derived]
        return self._chance.choice(forms)()

    def _plain(self) -> str:
        alias, item = self._alias(), self._expression(0)
        other = self._column()
        return (
            f"SELECT {item} {alias}, {other} {self._alias()} FROM {self._source()}{self._where()}"
            f"{self._having()} ORDER BY {self._order()}1, 2"
        )

    def _grouped(self) -> str:
        key = self._pick(["a", "b", "a", "v"])
        return (
            f"SELECT {key} {self._alias()}, COUNT(*) AS k, MAX({self._column()}) {self._alias()} FROM {self._source()}"
            f"{self._where()} GROUP BY {key}{self._having()} ORDER BY {self._order()}1, 2, 3"
        )

    def _distinct(self) -> str:
        return f"SELECT DISTINCT {self._expression(0)} {self._alias()} FROM {self._source()} ORDER BY {self._order()}1"

    def _union(self) -> str:
        halves = [f"SELECT {self._column()} {self._alias()} FROM {self._source()}{self._where()}" for _ in range(2)]
        return f"{' UNION '.join(halves)} ORDER BY {self._pick(['', 'v, ', 'a, ', 'ABS(v), '])}1"

    def _derived(self) -> str:
        inner = f"SELECT {self._column()} AS {self._pick('avw')}, id FROM {{c}}{self._where()}"
        name = self._pick(["v", "a", "x.v", "x.a", "x.id", "id", "*", "x.w"])
        if self._chance.random() < 0.5:
            return f"SELECT {name} FROM ({inner}) x ORDER BY 1, {self._pick(['v', '1'])}"
        table = self._pick(["x", "{c}", "y"])
        return f"WITH {table} AS ({inner}) SELECT {table}.{self._pick(['v', 'a', 'id'])} FROM {table} ORDER BY 1"

    def _source(self) -> str:
        join = [
            "{c} JOIN n USING (id)", "{c} JOIN n USING (id, v)", "{c} JOIN {m} USING (id)", "({c} NATURAL JOIN n)",
            "{c} NATURAL JOIN {m}", "({c} JOIN n ON n.id = {c}.id)", "n LEFT JOIN {c} ON {c}.a = n.v",
            "(n JOIN ({c} JOIN {m} USING (b)) ON n.id = {c}.id)",
            "{c} JOIN (SELECT a AS v, id AS k FROM {m}) d ON d.k = id",
        ]  # fmt: skip
        return self._pick(join) if self._chance.random() < 0.3 else self._pick(["{c}", "{c} AS {c}"])

    def _where(self) -> str:
        if self._chance.random() < 0.5:
            return ""
        return " WHERE " + self._pick([
            f"{self._column()} > {self._pick('01')}", f"{self._expression(0)} <> 1",
            f"EXISTS (SELECT {self._pick(['*', '1', 'v'])} FROM {{m}} WHERE {self._column()} = {self._column()})",
            f"id IN (SELECT {self._column()} FROM n WHERE {self._column()} > 0)",
            f"id IN (SELECT {self._column()} FROM {{m}} WHERE {self._column()} > 0)",
            f"a > (SELECT MIN({self._column()}) FROM n)", f"a = ANY (SELECT ALL {self._column()} FROM {{m}})",
        ])  # fmt: skip

    def _having(self) -> str:
        if self._chance.random() < 0.75:
            return ""
        return f" HAVING {self._pick(['v', 'k', 'a', 'ABS(v)', 'w'])} > {self._pick(['-1', '1'])}"

    def _order(self) -> str:
        if self._chance.random() < 0.3:
            return ""
        name = self._pick(["v", "a", "w", "`V`", "id", "c.v"])
        item = self._pick(["{}", "{}", "{} DESC", "ABS({})", "{} + 0", "-{}", "({})", "CONCAT('x', {})", "0--{}\n"])
        return item.replace("{}", name) + ", "

    def _expression(self, depth: int) -> str:
        if depth > 1 or self._chance.random() < 0.6:
            return self._column()
        inner = self._expression(depth + 1)
        return self._pick([
            f"-{inner}", f"ABS({inner})", f"{inner} + 1", f"({inner})",
            f"(SELECT MAX({self._column()}) FROM n WHERE n.id = {self._column()})",
            f"(SELECT ALL {self._column()} FROM {{m}} ORDER BY id LIMIT 1)",
        ])  # fmt: skip

    def _column(self) -> str:
        return self._pick(["v", "{c}.v", "n.v"] if self._chance.random() < 0.07 else ["a", "b", "id", "{c}.a", "{c}.b"])

    def _alias(self) -> str:
        return self._pick(["AS v", "AS v", "AS w", "AS a", "AS x", "AS V", "v" if self._chance.random() < 0.3 else ""])

    def _pick(self, choices: Sequence[str]) -> str:
        return self._chance.choice(choices)
