"""What the embedded pair answers, and that everything else is refused by name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from platform_store.association import Association
from platform_store.config import EmbeddedConfig
from platform_store.declaration import declare
from platform_store.errors import NotSupported, SchemaError, ValueRejected
from platform_store.records import ColumnAttribute
from platform_store.rows import new_row
from platform_store.stores.base import Parameters, StaleAssociation
from platform_store.stores.embedded import EmbeddedStore

BINARY = "utf8mb4_0900_bin"
COLUMNS = [
    ColumnAttribute("id", "INT"),
    ColumnAttribute("name", "VARCHAR(20)"),
    ColumnAttribute("price", "DECIMAL(10,2)"),
    ColumnAttribute("wide", "DECIMAL(40,2)"),
    ColumnAttribute("ratio", "FLOAT"),
    ColumnAttribute("weight", "DOUBLE"),
    ColumnAttribute("born", "DATE", nullable=False),
    ColumnAttribute("seen", "DATETIME"),
    ColumnAttribute("lasted", "TIME"),
    ColumnAttribute("kind", "ENUM('b','a')"),
    ColumnAttribute("facts", "JSON"),
    ColumnAttribute("data", "VARBINARY(10)"),
    ColumnAttribute("code", "CHAR(3)"),
    ColumnAttribute("since", "YEAR"),
    ColumnAttribute("select", "TINYINT"),
    ColumnAttribute("a`b %s", "BIGINT UNSIGNED"),
]
ROWS: list[dict[str, object]] = [
    {
        "id": 1,
        "name": "张伟",
        "price": "1.50",
        "born": date(2000, 1, 1),
        "select": 3,
        "a`b %s": 2**64 - 1,
        "facts": [1],
    },
    {"id": 2, "name": "O'Brien", "price": "-2", "born": date(1999, 1, 1), "select": None, "a`b %s": 0, "kind": "a"},
    {"id": 3, "name": None, "price": None, "born": date(2001, 1, 1), "select": 5, "a`b %s": 2**63, "weight": -0.5},
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(EmbeddedConfig(tmp_path / "pair.db"))
    yield store
    store.close()


@pytest.fixture
def table(store: EmbeddedStore) -> Association:
    """The rows above in a table of which every column is in MySQL's half."""
    return filled(store, "t", len(COLUMNS) - 1)


def filled(store: EmbeddedStore, name: str, flag: int) -> Association:
    declared = declare(name, COLUMNS, flag, key_collation=BINARY, text_collation=BINARY)
    association = store.rows.add_association(declared)
    store.rows.create_table(association)
    with store.rows.transaction() as transaction:
        transaction.insert(association, [new_row(association, row) for row in ROWS])
        transaction.commit()
    return association


def answer(
    store: EmbeddedStore, table: Association, sql: str, parameters: Parameters | None = None
) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    with contextlib.closing(store.rows.query(sql, parameters, {table.name: table})) as cursor:
        return cursor.columns, list(cursor)


@pytest.mark.parametrize(
    ("sql", "parameters", "rows"),
    [
        ("SELECT name FROM t WHERE id = %s", [1], [("张伟",)]),
        ("SELECT name FROM t WHERE id = %(k)s OR %(k)s = id", {"k": 2}, [("O'Brien",)]),
        ("SELECT id FROM t WHERE name = 'O''Brien'", None, [(2,)]),
        ("SELECT id FROM t WHERE name = 'O\\'Brien' AND TRUE", None, None),
        ("SELECT price FROM t ORDER BY price", None, [(None,), (Decimal("-2.00"),), (Decimal("1.50"),)]),
        ("SELECT id FROM t ORDER BY price DESC", None, [(1,), (2,), (3,)]),
        ("SELECT id FROM t WHERE price < 1.5 OR price >= 1.50", None, [(1,), (2,)]),
        ("SELECT id FROM t WHERE price BETWEEN -2 AND %s", [Decimal(1)], [(2,)]),
        ("SELECT `a``b %%s` AS x FROM t WHERE `a``b %%s` > %s ORDER BY x", [5], [(2**63,), (2**64 - 1,)]),
        ("SELECT `select` FROM t WHERE `select` IS NOT NULL", None, [(3,), (5,)]),
        ("SELECT id FROM t WHERE NOT (`select` = 3)", None, [(3,)]),
        ("SELECT id FROM t WHERE `select` NOT IN (3, NULL)", None, []),
        ("SELECT id FROM t WHERE `select` <=> NULL", None, [(2,)]),
        ("SELECT id FROM t WHERE `select` = %s", [None], []),
        ("SELECT COUNT(*) FROM t WHERE born >= '2000-01-01'", None, [(2,)]),
        ("SELECT id FROM t WHERE kind = 'a' OR weight < 0", None, [(2,), (3,)]),
        ("SELECT id FROM t ORDER BY id LIMIT %s OFFSET %s", [1, 1], [(2,)]),
        ("SELECT id FROM t ORDER BY id LIMIT 1, 18446744073709551615", None, [(2,), (3,)]),
        ("SELECT facts FROM t WHERE facts IS NOT NULL", None, [("[1]",)]),
    ],
)
def test_plain_selects_are_answered(
    store: EmbeddedStore,
    table: Association,
    sql: str,
    parameters: Parameters | None,
    rows: list[tuple[object, ...]] | None,
) -> None:
    if rows is None:
        with pytest.raises(NotSupported):
            answer(store, table, sql, parameters)
    else:
        assert answer(store, table, sql, parameters)[1] == rows


def test_names_of_the_result_are_as_written(store: EmbeddedStore, table: Association) -> None:
    columns, _ = answer(store, table, "SELECT ID, name AS `客户`, x.Price p FROM t AS x WHERE x.id = 1")
    assert columns == ("ID", "客户", "p")
    assert answer(store, table, "SELECT * FROM t LIMIT 0") == (tuple(column.name for column in COLUMNS), [])


REFUSED = {
    "SELECT DISTINCT weight FROM t": "DISTINCT",
    "SELECT DISTINCT name FROM t ORDER BY id": "DISTINCT",
    "SELECT id FROM t GROUP BY name": "'id' beside an aggregate or GROUP BY",
    "SELECT name FROM t GROUP BY UPPER(name)": "GROUP BY UPPER",
    "SELECT COUNT(*) FROM t GROUP BY facts": "GROUP BY over JSON",
    "SELECT name FROM t GROUP BY name WITH ROLLUP": "ROLLUP",
    "SELECT COUNT(*) AS n FROM t GROUP BY n": "GROUP BY an aggregate",
    "SELECT name, COUNT(*) FROM t GROUP BY name HAVING id > 1": "'id' beside",
    "SELECT name AS id, COUNT(*) FROM t GROUP BY name HAVING id > 1": "'id', the name of a column and of another",
    "SELECT name FROM t GROUP BY name HAVING AVG(price) > 1": "comparing AVG",
    "SELECT name FROM t GROUP BY name HAVING MIN(lasted) > '00:00:00'": "comparing MIN of type TIME",
    "SELECT born FROM t GROUP BY born HAVING born > '2000-01-01'": "comparing DATE column 'born' in HAVING",
    "SELECT name FROM t GROUP BY name ORDER BY id": "'id' beside",
    "SELECT name FROM t HAVING id > 1": "HAVING",
    "SELECT t.name FROM t JOIN t AS u": "JOIN without ON",
    "SELECT t.name FROM t CROSS JOIN t AS u ON t.id = u.id": "CROSS JOIN",
    "SELECT t.name FROM t RIGHT JOIN t AS u ON t.id = u.id": "RIGHT JOIN",
    "SELECT t.name FROM t FULL JOIN t AS u ON t.id = u.id": "FULL JOIN",
    "SELECT t.name FROM t NATURAL JOIN t AS u": "NATURAL JOIN",
    "SELECT t.name FROM t STRAIGHT_JOIN t AS u ON t.id = u.id": "STRAIGHT_JOIN",
    "SELECT t.name FROM t JOIN t AS u ON t.id = u.price": "comparing INT column 'id' with DECIMAL(10,2)",
    "SELECT t.name FROM t JOIN t AS u ON t.ratio = u.ratio": "comparing FLOAT",
    "SELECT t.name FROM t JOIN t AS u ON t.kind > u.kind": "the order of ENUM",
    "SELECT t.name FROM t JOIN t AS u USING (facts)": "comparing JSON",
    "SELECT t.name FROM t JOIN (t AS u JOIN t AS v ON u.id = v.id) ON t.id = u.id": "FROM anything but a table",
    "SELECT t.name FROM t JOIN t AS u JOIN t AS v ON u.id = v.id ON t.id = u.id": "JOIN inside",
    "SELECT t.name FROM t, t AS u": "JOIN",
    "SELECT id FROM t UNION SELECT id FROM t": "UNION",
    "SELECT id FROM (SELECT id FROM t) AS u": "FROM anything but a table",
    "SELECT id FROM t WHERE id IN (SELECT id FROM t)": "QUERY of IN",
    "SELECT id FROM t WHERE EXISTS (SELECT 1)": "EXISTS",
    "SELECT (SELECT 1) FROM t": "SELECT list",
    "SELECT UPPER(name) FROM t": "UPPER",
    "SELECT id + 1 FROM t": "ADD",
    "SELECT 1 FROM t": "LITERAL",
    "SELECT 1": "FROM",
    "SELECT COUNT(DISTINCT id, name) FROM t": "COUNT(DISTINCT) of more",
    "SELECT COUNT(DISTINCT facts) FROM t": "COUNT(DISTINCT) over JSON",
    "SELECT COUNT (*) FROM t": "a space",
    "SELECT SUM(DISTINCT id) FROM t": "SUM(DISTINCT)",
    "SELECT SUM(weight) FROM t": "SUM of DOUBLE",
    "SELECT AVG(name) FROM t": "AVG of VARCHAR",
    "SELECT MIN(kind) FROM t": "MIN of ENUM",
    "SELECT MAX(ratio) FROM t": "MAX of FLOAT",
    "SELECT MIN(wide) FROM t": "MIN of DECIMAL(40,2)",
    "SELECT SUM(id + 1) FROM t": "SUM of anything but a column",
    "SELECT SUM(/* all */ id) FROM t": "comment",
    "SELECT SUM(id) FROM t ORDER BY SUM(id)": "a single row",
    "SELECT id FROM t ORDER BY SUM(id)": "ORDER BY an aggregate",
    "SELECT id, * FROM t": "* after another item",
    "SELECT rank FROM t": "reserved word RANK",
    "SELECT `count`(*) FROM t": "quoted name",
    "SELECT COUNT(*) OVER () FROM t": "WINDOW",
    "SELECT COUNT(*), id FROM t": "'id' beside an aggregate",
    "SELECT id FROM t FOR UPDATE": "FOR UPDATE",
    "SELECT id FROM t LOCK IN SHARE MODE": "FOR SHARE",
    "SELECT SQL_CALC_FOUND_ROWS id FROM t": "SQL_CALC_FOUND_ROWS",
    "SELECT /*+ MAX_EXECUTION_TIME(1) */ id FROM t": "/*+",
    "SELECT id FROM t /*! WHERE id = 1 */": "/*!",
    "SELECT id FROM t USE INDEX (x)": "HINTS of TABLE",
    "SELECT id FROM t PARTITION (p)": "PARTITION of TABLE",
    "SELECT id FROM db.t": "a database",
    "SELECT id INTO @x FROM t": "INTO",
    "SELECT id FROM t; SELECT id FROM t": "2 statements",
    "WITH u AS (SELECT 1) SELECT id FROM t": "WITH",
    "DELETE FROM t": "DELETE",
    "TABLE t": "begin with SELECT",
    "FROM t SELECT id": "begin with SELECT",
    "(SELECT id FROM t)": "SUBQUERY",
    "SHOW TABLES": "SHOW",
    "SELECT id, FROM t": "comma",
    "SELECT id FROM t WHERE id == 1": "==",
    "SELECT id FROM t WHERE id": "COLUMN as a condition",
    "SELECT id FROM t WHERE 1": "LITERAL as a condition",
    "SELECT id FROM t WHERE 1 = 1": "two values",
    "SELECT id FROM t WHERE id = price": "comparing INT column 'id' with DECIMAL",
    "SELECT id FROM t WHERE id = 1 + 1": "ADD as a value",
    "SELECT id FROM t WHERE id = @x": "PARAMETER as a value",
    "SELECT id FROM t WHERE id IS TRUE": "IS as a condition",
    "SELECT id FROM t WHERE id = 1 IS NULL": "EQ",
    "SELECT id FROM t WHERE id = 1 XOR id = 2": "XOR",
    "SELECT id FROM t WHERE kind LIKE 'a%'": "LIKE on ENUM",
    "SELECT id FROM t WHERE name LIKE 1": "LIKE with a value of type int",
    "SELECT id FROM t WHERE name LIKE 'a%' ESCAPE '|'": "ESCAPE",
    "SELECT id FROM t WHERE facts->>'$.a' > '1'": "the order of LONGTEXT",
    "SELECT id FROM t WHERE facts->>'$.a' = 1": "comparing LONGTEXT with a value of type int",
    "SELECT id FROM t WHERE name->>'$.a' = '1'": "a JSON path of VARCHAR",
    "SELECT facts->>'$**.a' AS x FROM t": "a JSON path of anything but",
    "SELECT facts->>'a' AS x FROM t": "a JSON path of anything but",
    "SELECT facts->'$.a' AS x FROM t": "JSONEXTRACT",
    "SELECT id FROM t WHERE JSON_CONTAINS(facts, '[1]')": "JSON_CONTAINS of anything but",
    "SELECT id FROM t WHERE JSON_CONTAINS(facts, '1e3')": "JSON_CONTAINS of anything but",
    "SELECT id FROM t WHERE JSON_CONTAINS(facts, '9007199254740993')": "beyond 9007199254740992",
    "SELECT id FROM t WHERE JSON_CONTAINS(name, '1')": "JSON_CONTAINS of VARCHAR",
    "SELECT id FROM t WHERE JSON_CONTAINS(facts)": "JSON_CONTAINS of 1",
    "SELECT id FROM t WHERE name REGEXP 'a'": "REGEXP",
    "SELECT id FROM t WHERE BINARY name = 'a'": "CAST",
    "SELECT id FROM t WHERE name COLLATE utf8mb4_bin = 'a'": "COLLATE",
    "SELECT id FROM t WHERE name = _utf8mb4'a'": "prefix",
    "SELECT id FROM t WHERE name = N'a'": "prefix",
    "SELECT id FROM t WHERE data = X'61'": "prefix",
    "SELECT id FROM t WHERE data = 0x61": "HEXSTRING",
    "SELECT id FROM t WHERE name = 'a' 'b'": "parsed",
    "SELECT id FROM t WHERE (id, price) = (1, 2)": "TUPLE",
    "SELECT id FROM t WHERE price BETWEEN NULL AND 1": "BETWEEN with NULL",
    "SELECT id FROM t ORDER BY 1": "ORDER BY",
    "SELECT id FROM t ORDER BY id + 1": "ORDER BY",
    "SELECT id FROM t ORDER BY id NULLS FIRST": "NULLS",
    "SELECT id FROM t ORDER BY kind": "ENUM",
    "SELECT id FROM t ORDER BY facts": "JSON",
    "SELECT id FROM t ORDER BY wide": "DECIMAL",
    "SELECT id FROM t LIMIT 'a'": "LIMIT",
    "SELECT id FROM t LIMIT -1": "LIMIT",
    "SELECT id FROM t OFFSET 1": "OFFSET",
    "SELECT id FROM t FETCH FIRST 1 ROWS ONLY": "FETCH",
    "SELECT _rev FROM t": "_rev",
    "SELECT id FROM t WHERE id = 'x'": "comparing INT with a string",
    "SELECT id FROM t WHERE id = 1.5": "comparing INT",
    "SELECT id FROM t WHERE id = 99999999999": "cannot hold",
    "SELECT id FROM t WHERE price = 1.005": "would change",
    "SELECT id FROM t WHERE price = 1e0": "comparing DECIMAL",
    "SELECT id FROM t WHERE wide > 1": "the order of DECIMAL",
    "SELECT id FROM t WHERE ratio = 0.5": "FLOAT",
    "SELECT id FROM t WHERE weight > 'a'": "comparing DOUBLE with a string",
    "SELECT id FROM t WHERE seen = '2024-01-01 00:00:00.5'": "would change",
    "SELECT id FROM t WHERE seen = '0000-00-00 00:00:00'": "would change",
    "SELECT id FROM t WHERE seen = 'today'": "cannot hold",
    "SELECT id FROM t WHERE born IS NULL": "IS NULL on the NOT NULL DATE",
    "SELECT id FROM t WHERE lasted = '00:00:00.5'": "would change",
    "SELECT id FROM t WHERE kind > 'a'": "the order of ENUM",
    "SELECT id FROM t WHERE kind = 1": "comparing ENUM",
    "SELECT id FROM t WHERE facts = '[1]'": "JSON",
    "SELECT id FROM t WHERE code = 'a '": "would change",
    "SELECT id FROM t WHERE since = 70": "cannot hold",
    "SELECT id FROM t WHERE since = 0": "would change",
    "SELECT id FROM t WHERE data = 'a'": "comparing VARBINARY with a string",
}


@pytest.mark.parametrize("sql", REFUSED)
def test_everything_else_is_refused_by_name(store: EmbeddedStore, table: Association, sql: str) -> None:
    with pytest.raises(NotSupported) as caught:
        answer(store, table, sql)
    assert REFUSED[sql].lower() in str(caught.value).lower()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", 1.0),
        ("id", Decimal(1)),
        ("price", 0.1),
        ("price", True),
        ("born", datetime(2000, 1, 1)),
        ("seen", datetime(2000, 1, 1, 0, 0, 0, 1)),
        ("lasted", timedelta(microseconds=1)),
        ("name", b"a"),
        ("data", "a"),
    ],
)
def test_a_value_of_another_kind_is_refused(
    store: EmbeddedStore, table: Association, column: str, value: object
) -> None:
    with pytest.raises(NotSupported, match="comparing"):
        answer(store, table, f"SELECT id FROM t WHERE {column} < %s", [value])


@pytest.mark.parametrize(("column", "value"), [("id", [1]), ("seen", datetime(2000, 1, 1, tzinfo=UTC))])
def test_a_value_that_no_query_takes_is_rejected(
    store: EmbeddedStore, table: Association, column: str, value: object
) -> None:
    with pytest.raises(ValueRejected):
        answer(store, table, f"SELECT id FROM t WHERE {column} < %s", [value])


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT missing FROM t",
        "SELECT id FROM missing",
        "SELECT u.id FROM t",
        "SELECT t.id FROM t AS u",
        "SELECT id AS n FROM t WHERE n = 1",
        "SELECT id FROM t ORDER BY missing",
        "SELECT id AS n, price AS n FROM t ORDER BY n",
    ],
)
def test_unknown_names_are_schema_errors(store: EmbeddedStore, table: Association, sql: str) -> None:
    with pytest.raises(SchemaError):
        answer(store, table, sql)


def test_an_alias_goes_before_a_column_in_order_by_alone(store: EmbeddedStore, table: Association) -> None:
    assert answer(store, table, "SELECT id AS price FROM t ORDER BY price DESC")[1] == [(3,), (2,), (1,)]
    assert answer(store, table, "SELECT id AS price FROM t ORDER BY t.price DESC")[1] == [(1,), (2,), (3,)]


def test_placeholders_do_not_reach_into_literals(store: EmbeddedStore, table: Association) -> None:
    with pytest.raises(ValueRejected, match="inside a literal"):
        answer(store, table, "SELECT id FROM t WHERE name = '%s'", ["x"])
    assert answer(store, table, "SELECT id FROM t WHERE name = '%s'")[1] == []


def test_a_placeholder_right_after_in_stands_for_a_list(store: EmbeddedStore, table: Association) -> None:
    assert answer(store, table, "SELECT id FROM t WHERE id IN %s ORDER BY id", [[3, 1, None]])[1] == [(1,), (3,)]
    assert answer(store, table, "SELECT id FROM t WHERE id NOT IN %(ids)s", {"ids": (1, 3)})[1] == [(2,)]
    with pytest.raises(NotSupported, match="IN of anything but a list of values"):
        answer(store, table, "SELECT id FROM t WHERE id IN %s", [3])
    with pytest.raises(NotSupported, match="IN of anything but a list of values"):
        answer(store, table, "SELECT id FROM t WHERE id IN id")


@pytest.mark.parametrize("opening", ["(", "NOT "])
def test_deep_nesting_is_refused(store: EmbeddedStore, table: Association, opening: str) -> None:
    closing = ")" if opening == "(" else ""
    with pytest.raises(NotSupported):
        answer(store, table, f"SELECT id FROM t WHERE {opening * 5000}id = 1{closing * 5000}")
    with pytest.raises(NotSupported):
        answer(store, table, "SELECT id FROM t WHERE id = 1" + " OR id = 2" * 5000)


def test_a_long_list_is_answered_or_refused(store: EmbeddedStore, table: Association) -> None:
    numbers = ", ".join(map(str, range(25_000)))
    assert answer(store, table, f"SELECT COUNT(*) FROM t WHERE id IN ({numbers})")[1] == [(3,)]
    with pytest.raises(NotSupported, match="values"):
        answer(store, table, f"SELECT COUNT(*) FROM t WHERE id IN ({numbers}) OR id IN ({numbers})")


def test_a_changed_association_is_noticed(store: EmbeddedStore, table: Association) -> None:
    store.rows.put_association(table)
    with pytest.raises(StaleAssociation):
        answer(store, table, "SELECT id FROM t")


def test_a_result_is_of_one_moment(store: EmbeddedStore, table: Association) -> None:
    with contextlib.closing(store.rows.query("SELECT id FROM t ORDER BY id", None, {"t": table})) as cursor:
        with store.rows.transaction() as transaction:
            transaction.delete(table, [(1,), (2,), (3,)])
            transaction.commit()
        assert list(cursor) == [(1,), (2,), (3,)]


def test_a_result_that_was_read_in_part_is_in_nobodys_way(store: EmbeddedStore, table: Association) -> None:
    """Its connection is the next query's, whose functions SQLite takes only where no statement is running."""
    with store.rows.transaction() as transaction:
        transaction.insert(table, [new_row(table, {**ROWS[0], "id": number}) for number in range(10, 2010)])
        transaction.commit()
    rows = []
    for _ in range(3):
        with contextlib.closing(store.rows.query("SELECT id FROM t", None, {"t": table})) as cursor:
            rows.append(iter(cursor))  # kept for longer than its cursor
            next(rows[-1])
    assert answer(store, table, "SELECT COUNT(*) FROM t")[1] == [(2003,)]
