"""Queries that the library once answered otherwise than MySQL, each over the smallest tables that showed it.

Found by ``make fuzz``, which prints a mismatch in the form of a case. Where a case says nothing of collations or of
functions that one server has alone, it runs on both.
"""

from __future__ import annotations

import datetime
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

import pytest

from platform_store import ColumnAttribute
from tests.fuzz import world
from tests.fuzz.answers import difference
from tests.fuzz.case import Case
from tests.fuzz.families import Server
from tests.fuzz.nodes import Parameters
from tests.fuzz.scenario import Change, Row, Scenario, Table
from tests.fuzz.world import Urls

C = ColumnAttribute
ID: Final = C("id", "BIGINT", nullable=False)
LABELS: Final = "'b','a'"


def table(name: str, *columns: ColumnAttribute, keys: int = 1, **properties: Any) -> Table:
    return Table(name, columns, keys, **properties)


def case(
    sql: str,
    *tables: Table,
    rows: dict[str, list[Row]] | None = None,
    flags: dict[str, int | None] | None = None,
    parameters: Parameters = None,
    ordered: bool = False,
    server: Server = "mysql",
) -> Case:
    """Without ``flags`` MySQL has the key alone."""
    first = [Change("write", name, row) for name, given in (rows or {}).items() for row in given]
    chosen = {one.name: one.keys - 1 for one in tables} | (flags or {})
    return Case(Scenario(server, tables, tuple(first)), chosen, sql, parameters, ordered)


T: Final = table("t", ID, C("n", "INT"), C("doc", "JSON"), C("v", "VARCHAR(40)"))
ROWS: Final[dict[str, list[Row]]] = {
    "t": [
        {"id": 1, "n": 3, "doc": [1, 2], "v": "a"},
        {"id": 2, "n": 2, "doc": {"tags": ["a", "b"]}, "v": "b"},
        {"id": 3, "n": None, "doc": [3], "v": "茶"},
        {"id": 4},
    ]
}
PAIR: Final = table("pair", ID, C("k2", "INT", nullable=False), C("doc", "JSON"), C("n", "INT"), keys=2)
PAIRS: Final[dict[str, list[Row]]] = {
    "pair": [{"id": 1, "k2": number, "doc": number, "n": number % 2} for number in range(4)]
}
PLACES: Final = "COLUMNS (place FOR ORDINALITY, num INT PATH '$')"


def over_t(sql: str, parameters: Parameters = None, *, ordered: bool = False) -> Case:
    return case(sql, T, rows=ROWS, parameters=parameters, ordered=ordered)


EXTREMES: Final = table(
    "z",
    ID,
    C("g", "INT"),
    C("y", "YEAR"),
    C("f", "FLOAT"),
    C("d", "BINARY(3)"),
    C("b", "BIT(9)"),
    C("e", f"ENUM({LABELS})"),
    C("s", f"SET({LABELS})"),
    C("u", "INT UNSIGNED"),
)


def over_extremes(sql: str) -> Case:
    values = [
        {"y": 0, "f": 1.1, "d": b"a", "b": 5, "e": "b", "s": "b,a", "u": 7},
        {"y": 2024, "f": -0.3, "d": b"ab", "b": 300, "e": "a", "s": "a", "u": 4_000_000_000},
    ]
    rows: list[Row] = [{"id": number, "g": number // 2, **values[number % 2]} for number in range(1, 5)]
    extremes = ", ".join(f"MIN({name}), MAX({name}) AS m{name}" for name in "yfdbesu")
    return case(sql.format(extremes), EXTREMES, rows={"z": rows})


BOTH: Final[dict[str, Case]] = {
    "a list as parameter": over_t("SELECT (n IN %s), id FROM t WHERE v IN %s", [[1, 3], ["a", "茶"]]),
    "a list by name": over_t("SELECT id FROM t WHERE n IN %(n)s OR v = %(v)s", {"n": [2], "v": "a"}),
    "bytes as parameter": over_t("SELECT %s, HEX(%s), (v IN %s) FROM t", [b"\x80", b"a", [b"a", b"\x80"]]),
    "bytes are no number": over_t("SELECT id, %s + 0 FROM t WHERE n + %s > 0", [b"a", b"\x01"]),
    "a heading cut at 255 bytes": over_t(
        f"SELECT (SELECT MAX(n) FROM t WHERE v <> '{'茶' * 90}'), (SELECT '🍵' FROM t LIMIT 0) FROM t"
    ),
    "a comment after an item": over_t("SELECT (SELECT COUNT(n) FROM t)/**/ FROM t"),
    "a comment in an item": over_t("SELECT (SELECT /* n */ COUNT(n) FROM t) -- doc\n FROM t"),
    "a heading that names a repeated CTE": over_t(
        "WITH c (k) AS (SELECT n FROM t) SELECT CASE WHEN 1 <= SOME (SELECT d.k FROM c d) THEN 1 END FROM c e"
    ),
    "a heading with JSON_TABLE": over_t(
        f"SELECT (SELECT MAX(j.num) FROM t x, JSON_TABLE(x.doc, '$[*]' {PLACES}) AS j), n FROM t"
    ),
    "JSON_TABLE over a document column": over_t(
        f"SELECT t.id, j.* FROM t JOIN JSON_TABLE(t.doc, '$[*]' {PLACES}) AS j ON TRUE ORDER BY t.id, j.place",
        ordered=True,
    ),
    "JSON_TABLE over a MySQL column": case(
        f"SELECT t.id, t.v, j.num FROM t LEFT JOIN JSON_TABLE(t.doc, '$[*]' {PLACES}) AS j ON TRUE",
        T,
        rows=ROWS,
        flags={"t": 2},
    ),
    "JSON_TABLE with what to do on empty": over_t(
        "SELECT id, num FROM t, JSON_TABLE(doc, '$[*]' COLUMNS (num INT PATH '$.x' DEFAULT '7' ON EMPTY "
        "NULL ON ERROR)) AS j"
    ),
    "an alias without AS that is a column": over_t("SELECT v.n, n.v FROM t v JOIN t n ON v.id = n.id"),
    "GROUP BY the key where nothing is true": over_t("SELECT v, n FROM t WHERE 1 <=> 2 GROUP BY id"),
    "GROUP BY the key and a comparison with NULL": over_t("SELECT v FROM t WHERE NULL > n AND NULL > 1 GROUP BY id"),
    "GROUP BY the key of a column alone, and nothing is true": over_t(
        "SELECT v, COUNT(*) FROM t WHERE id = 1 AND 1 <=> 2"
    ),
    "a group without a definite value, and no row": over_t("SELECT v FROM t WHERE id < 0 GROUP BY n"),
    "a group of a JSON_TABLE's rows, and no row": over_t(
        f"SELECT j.num FROM t JOIN JSON_TABLE(t.doc, '$.x' {PLACES}) AS j ON TRUE GROUP BY j.place"
    ),
    "DISTINCT in the order of another column": over_t("SELECT DISTINCT v FROM t WHERE id = 1 ORDER BY n"),
    "DISTINCT in the order of its own": over_t(
        "SELECT DISTINCT UPPER(v) AS u, id FROM t ORDER BY upper(v), id", ordered=True
    ),
    "MIN and MAX of whatever is not passed on by its type": over_extremes("SELECT {} FROM z GROUP BY g"),
    "MIN and MAX of them, below": over_extremes("SELECT * FROM (SELECT {} FROM z GROUP BY g WITH ROLLUP) AS x"),
    "MIN and MAX in expressions": over_extremes(
        "SELECT CONCAT(MIN(y)), CONCAT(MAX(f)), CONCAT(MIN(d)), MIN(e) + 0, MAX(s) - 9, HEX(MAX(b)) FROM z GROUP BY g"
    ),
    "FIND_IN_SET over a SET": over_extremes(
        "SELECT id, FIND_IN_SET('a', s), FIND_IN_SET('x', s), FIND_IN_SET(e, s), FIND_IN_SET('a', CONCAT(s)) FROM z"
    ),
    "FIND_IN_SET over a SET, below": over_extremes(
        "SELECT x.id, (SELECT MAX(FIND_IN_SET('a', y.s)) FROM z AS y WHERE FIND_IN_SET('b', y.s)) FROM "
        "(SELECT id, s FROM z) AS x LEFT JOIN z AS w ON w.id = x.id AND FIND_IN_SET('a', w.s) = 1 WHERE w.id IS NULL"
    ),
    "MAX of an unsigned number in a set operation": over_extremes(
        "SELECT x.m FROM (SELECT MAX(u) AS m FROM z GROUP BY g WITH ROLLUP) AS x "
        "EXCEPT SELECT CAST(id AS SIGNED) FROM z"
    ),
    "a window over a name that the SELECT list has twice": over_t(
        "SELECT n AS v, t.v, RANK() OVER (w ORDER BY v) FROM t WINDOW w AS ()"
    ),
    "GROUP BY a name that the SELECT list has twice": over_t("SELECT n AS v, t.v FROM t GROUP BY v, n"),
    "GROUP BY an alias that is a column of two tables": over_t(
        "SELECT n AS a, COUNT(*), MAX(id) AS v FROM t NATURAL JOIN (SELECT id, v FROM t) AS o GROUP BY v"
    ),
    "GROUP BY an alias that is a column": over_t("SELECT n AS v, COUNT(*) FROM t GROUP BY v, n"),
    "a window over an alias that is a column": case(
        "SELECT t.n AS id, RANK() OVER (ORDER BY id) AS r, COUNT(*) OVER (PARTITION BY id) AS c FROM t",
        T,
        rows=ROWS,
        flags={"t": 0},
    ),
    "a named window over an alias that is a column": over_t(
        "SELECT t.n AS id, RANK() OVER w AS r FROM t WINDOW w AS (ORDER BY id)"
    ),
    "a table called like our own aliases": over_t(
        "SELECT x.* FROM t NATURAL LEFT JOIN t x ORDER BY t.id DESC, x.id", ordered=True
    ),
    "our aliases are no names": case(
        "SELECT a.n FROM a ORDER BY t.id", table("a", ID, C("n", "INT")), rows={"a": [{"id": 1, "n": 1}]}
    ),
    "a negated comparison of rows, and no document": over_t(
        "SELECT id FROM t WHERE NOT ((1, n) = (100, -1)) AND (id, n) IN ((9, 9)) IS NOT TRUE"
    ),
    "a row not in a list of rows, and no document": over_t(
        "SELECT id FROM t WHERE NOT ((id, n) IN ((100, -1), (2, 2)))"
    ),
    "an order of rows negated, and no document": over_t("SELECT id FROM t WHERE NOT ((id, n) > (100, 1))"),
    "a row unequal to constants, and no document": over_t("SELECT id FROM t WHERE (1, n) <> (100, -1)"),
    "ROLLUP over an expression": over_t("SELECT HEX(v) AS g, COUNT(*) FROM t GROUP BY HEX(v) WITH ROLLUP"),
    "windows and an order": case(
        "SELECT LAST_VALUE(p.k2) OVER (PARTITION BY p.k2 ORDER BY p.id, p.k2 DESC), DENSE_RANK() OVER (ORDER BY p.n) "
        "FROM pair AS p ORDER BY p.doc DESC, p.id DESC, p.k2 DESC",
        PAIR,
        rows=PAIRS,
        ordered=True,
    ),
    "windows over a join": case(
        "SELECT FIRST_VALUE(a.id) OVER (PARTITION BY b.n ORDER BY a.id, a.k2 DESC, b.id DESC, b.k2) AS f, "
        "LAG(b.n) OVER (ORDER BY a.id, a.k2 DESC, b.id DESC, b.k2) AS l FROM pair a LEFT JOIN pair b ON b.n = a.k2 "
        "ORDER BY a.n DESC, a.id, a.k2 DESC, b.id, b.k2 LIMIT 100",
        PAIR,
        rows=PAIRS,
        ordered=True,
    ),
    "a CTE with the name of a table, twice": over_t(
        "WITH t AS (SELECT a.n, b.v FROM t AS a LEFT JOIN t b ON a.id = b.n) SELECT x.n, y.v FROM t x JOIN t y ON TRUE"
    ),
    "a CTE with the name of a table in a subquery of its own": over_t(
        "WITH t AS (SELECT id, n FROM t WHERE EXISTS (SELECT 1 FROM t x WHERE x.n = 2)) "
        "SELECT a.n, b.id FROM t a RIGHT JOIN t b ON a.id = b.n"
    ),
    "a key whose collation is binary and pads": case(
        "SELECT id, n FROM adopted ORDER BY id",
        table("adopted", C("id", "VARCHAR(40)", nullable=False, collation="utf8mb4_bin"), C("n", "INT")),
        rows={"adopted": [{"id": "-", "n": 1}, {"id": "a"}]},
        ordered=True,
    ),
    "a key of a collation that ignores case": case(
        "SELECT id, n FROM adopted WHERE id = 'A' OR n IS NULL",
        table(
            "adopted",
            C("id", "VARCHAR(40)", nullable=False, collation="utf8mb4_general_ci"),
            C("n", "INT"),
            bare_at=1,
        ),
        rows={"adopted": [{"id": "Ab", "n": 1}, {"id": "a", "n": 2}, {"id": "茶"}]},
        flags={"adopted": None},
    ),
    "whole zero dates": case(
        "SELECT id, d FROM z ORDER BY d, id",
        table("z", ID, C("d", "DATE"), C("m", "DATETIME(6)")),
        rows={"z": [{"id": 1, "d": datetime.date(2024, 1, 3)}, {"id": 2, "d": "0000-00-00"}, {"id": 3}]},
        ordered=True,
    ),
    "a decimal among constants": case(
        "SELECT CASE WHEN id > 1 THEN 1.5 ELSE d END, d FROM z ORDER BY d DESC, id",
        table("z", ID, C("d", "DECIMAL(50,10)")),
        rows={"z": [{"id": 1, "d": Decimal("1.10")}, {"id": 2}]},
        ordered=True,
    ),
}
MYSQL: Final[dict[str, Case]] = {
    "JSON_TABLE within a semijoin": case(
        f"SELECT x.id FROM t x JOIN JSON_TABLE(x.doc, '$[*]' {PLACES}) j ON TRUE "
        "WHERE EXISTS (SELECT 1 FROM t y JOIN u z ON z.n <= y.id WHERE j.place IN (1, 0, NULL))",
        T,
        table("u", ID, C("n", "INT")),
        rows={
            "t": [{"id": number, "doc": [1, 2]} for number in range(1, 6)],
            "u": [{"id": number, "n": 1} for number in range(1, 6)],
        },
    ),
    "JSON_TABLE of a column of the statement's own derived table": over_t(
        f"SELECT j.num FROM (SELECT x.doc AS d FROM t AS x) AS v JOIN JSON_TABLE(v.d, '$[*]' {PLACES}) AS j ON TRUE"
    ),
    "a text that is no number, compared with one in a recursive CTE": case(
        "WITH RECURSIVE c AS (SELECT CAST(MOD(n, 100) AS SIGNED) AS k, 1 AS l FROM z AS o WHERE o.v = 1.5 UNION SELECT "
        "CAST(MOD(1, 100) AS SIGNED), l + 1 FROM c JOIN t ON 1 = c.k WHERE l < 3) SELECT 'a' FROM c",
        T,
        table("z", C("id", "DATE", nullable=False), C("v", "VARCHAR(40)", nullable=False), C("n", "INT"), keys=2),
        rows={"z": [{"id": datetime.date(2024, 1, day), "v": "a"} for day in (1, 2)]},
    ),
    "a subquery in HAVING over what no group decides": over_t(
        "SELECT n, COUNT(*) FROM t GROUP BY n HAVING EXISTS (SELECT 1 FROM t AS o WHERE o.v = t.v)"
    ),
    "a subquery as the group, by its position": over_t("SELECT (SELECT v) FROM t WHERE v = n GROUP BY 1 ORDER BY n"),
    "DISTINCT in the order of an aggregate": over_t("SELECT DISTINCT (SELECT t.n) FROM t GROUP BY n ORDER BY COUNT(*)"),
    "a negated comparison of rows behind an outer join": case(
        "SELECT r.n FROM r LEFT JOIN z ON 1 = NULL WHERE NOT ((1, z.a) IN ((-2, NULL))) OR z.v LIKE 'a'",
        table("r", ID, C("n", "INT")),
        table("z", ID, C("a", "INT"), C("v", "TEXT")),
        rows={"r": [{"id": 1, "n": 1}]},
        flags={"z": 1},
    ),
    "a subquery in ON of an outer join, which rejects": case(
        "SELECT DISTINCT o.k FROM u AS i LEFT JOIN z AS o ON EXISTS (SELECT 1 FROM z AS x WHERE x.v LIKE NULL)",
        table("u", ID, C("n", "INT")),
        table("z", ID, C("k", "VARCHAR(40)", nullable=False), C("v", "VARCHAR(40)"), keys=2),
        rows={"u": [{"id": 1}], "z": [{"id": number, "k": f"{number // 2}", "v": "a"} for number in (1, 2, 3)]},
    ),
    "a subquery in ON of an outer join": case(
        "SELECT * FROM a AS o LEFT OUTER JOIN r AS n ON n.day IN (SELECT n.day FROM visit)",
        table("r", C("id", "DATE", nullable=False), C("day", "VARCHAR(40)"), C("v", "VARCHAR(40)")),
        table("visit", C("id", "BINARY(16)", nullable=False), C("v", "MEDIUMINT")),
        table("a", ID, C("id2", "DATE", nullable=False), C("v", "BIGINT"), keys=2),
        rows={
            "r": [{"id": datetime.date(2024, 1, day), "day": "b" if day == 3 else None} for day in (1, 2, 3)],
            "visit": [{"id": bytes([one] * 16)} for one in (1, 255)],
            "a": [{"id": 4, "id2": datetime.date(2024, 1, 10)}],
        },
        flags={"visit": -1},
    ),
    "LATERAL within a semijoin within an outer join": case(
        "SELECT LEAD(1) OVER (PARTITION BY 'a' ORDER BY o.id, k.i, x.id) FROM o CROSS JOIN LATERAL (SELECT n.code AS "
        "c, NTILE(3) OVER (w ORDER BY n.id) AS b, n.id AS i FROM o AS n WINDOW w AS ()) AS k LEFT JOIN visit AS x ON "
        "(o.day <=> NULL AND x.code IN (SELECT CAST(c.x1 AS DECIMAL(30,3)) FROM item AS c, LATERAL (SELECT %s AS x1 "
        "FROM o) AS v WHERE total < %s))",
        table("item", ID, C("day", "MEDIUMINT"), C("x1", "SMALLINT UNSIGNED")),
        table("visit", C("id", "INT", nullable=False), C("total", "DECIMAL(65,30)"), C("code", "DECIMAL(10,2)")),
        table("o", C("id", "VARCHAR(40)", nullable=False), C("code", "TINYINT"), C("day", "MEDIUMINT")),
        rows={
            "visit": [{"id": 0, "total": Decimal(0), "code": Decimal(2)}, {"id": 5}],
            "o": [{"id": "🍵", "code": 0, "day": 3}, {"id": "ef", "code": 1}],
            "item": [{"id": 1, "day": 4, "x1": 2}],
        },
        parameters=["a", Decimal("12345678901234567890.5")],
    ),
    "JSON_TABLE within LATERAL": over_t(
        f"SELECT t.id, j.m FROM t LEFT JOIN LATERAL (SELECT MAX(i.num) AS m FROM JSON_TABLE(t.doc, '$[*]' {PLACES}) "
        "AS i) AS j ON TRUE"
    ),
}
"""With what MySQL alone has, or got wrong."""

ON_BOTH: Final = [(server, name) for name in BOTH for server in ("mysql", "mariadb")]


@pytest.mark.parametrize(("server", "name"), [*ON_BOTH, *(("mysql", name) for name in MYSQL)])
def test_the_answer_is_that_of_plain_mysql(
    server: Server, name: str, request: pytest.FixtureRequest, mongodb_url: str
) -> None:
    given = (BOTH | MYSQL)[name]
    scenario = replace(given.scenario, server=server)
    urls = Urls(server, request.getfixturevalue(f"{server}_url"), mongodb_url)
    with world.plain(urls, scenario) as plain, world.split(urls, scenario, given.flags) as split:
        expected = plain.ask(given.sql, given.parameters)
        found = split.ask(given.sql, given.parameters)
    assert found.refused is None
    assert difference(expected, found, ordered=given.ordered, compared=()) is None
