"""What the embedded pair answers and refuses, by example: the text of docs/query-embedded.md.

The unit tests check what is refused, the integration tests that MySQL gives the same answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from platform_store.records import ColumnAttribute

TABLES: Final[dict[str, list[ColumnAttribute]]] = {
    "customer": [
        ColumnAttribute("id", "INT"),
        ColumnAttribute("name", "VARCHAR(40)"),
        ColumnAttribute("vip", "TINYINT"),
        ColumnAttribute("city", "VARCHAR(20)"),
        ColumnAttribute("spent", "DECIMAL(10,2)"),
        ColumnAttribute("born", "DATE"),
        ColumnAttribute("profile", "JSON"),
        ColumnAttribute("score", "DOUBLE"),
        ColumnAttribute("level", "ENUM('low','high')"),
    ],
    "visit": [
        ColumnAttribute("id", "INT"),
        ColumnAttribute("customer_id", "INT"),
        ColumnAttribute("city", "VARCHAR(20)"),
        ColumnAttribute("minutes", "BIGINT UNSIGNED"),
    ],
}
FLAGS: Final = {"customer": 2, "visit": 1}
"""The last column of each table that is in MySQL's half; the others are in documents."""
ROWS: Final[dict[str, list[dict[str, object]]]] = {
    "customer": [
        {
            "id": 1, "name": "张伟", "vip": 3, "city": "上海", "spent": "10.50", "born": date(1990, 1, 2), "score": 1.5,
            "profile": {"hobbies": ["茶", "棋"], "area": "east", "age": 34}, "level": "low",
        },
        {"id": 2, "name": "Ann", "vip": 0, "city": "Oslo", "spent": "0.25", "born": date(2001, 5, 6), "profile": [1]},
        {"id": 3, "name": "ann", "vip": None, "city": "Oslo", "spent": None, "born": None, "level": "high"},
        {"id": 4, "name": "Bo_b", "vip": 3, "city": None, "spent": "99.99", "profile": {"area": None, "age": "34"}},
    ],
    "visit": [
        {"id": 1, "customer_id": 1, "city": "Oslo", "minutes": 2**64 - 1},
        {"id": 2, "customer_id": 1, "city": "上海", "minutes": 30},
        {"id": 3, "customer_id": 3, "city": "oslo", "minutes": None},
    ],
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A part of the dialect, with statements that are answered."""

    name: str
    limits: str
    statements: tuple[str, ...]


ANSWERED: Final = (
    Part(
        "the SELECT list",
        "columns wherever they live, `*`, `alias.*`, aliases, aggregates, values in JSON; no expressions",
        (
            "SELECT *, city AS `城市` FROM customer ORDER BY id",
            "SELECT c.id, c.born born FROM customer c WHERE c.vip = 3",
        ),
    ),
    Part(
        "comparison with a value",
        "`=` `<>` `!=` `<=>` `<` `<=` `>` `>=` `BETWEEN` `IN (...)` `IS [NOT] NULL`, with `AND` `OR` `NOT`. The value"
        " is of the column's own type and one that the column could hold as it is",
        (
            "SELECT id FROM customer WHERE city = '上海' OR spent BETWEEN 0 AND 0.25",
            "SELECT id FROM customer WHERE vip NOT IN (1, 2) AND NOT (city <=> NULL)",
            "SELECT id FROM customer WHERE born >= '1990-01-02' AND level = 'low' AND score < 2",
        ),
    ),
    Part(
        "comparison of two columns",
        "of the same kind: integers, DECIMALs of one scale, text, bytes, one type of date or time, one ENUM or SET",
        ("SELECT id FROM visit WHERE customer_id < id", "SELECT v.id FROM visit v JOIN customer c ON v.city > c.city"),
    ),
    Part(
        "`LIKE`",
        "text columns; the case counts, as it does for `=`; the escape is `\\`",
        (
            "SELECT id FROM customer WHERE name LIKE '张%' OR name LIKE 'A_n'",
            "SELECT id FROM customer WHERE name NOT LIKE '%o\\_b'",
        ),
    ),
    Part(
        "`JOIN`",
        "`[INNER] JOIN` and `LEFT [OUTER] JOIN` of any number of tables with `ON` or `USING`, a table with itself too",
        (
            "SELECT * FROM customer LEFT JOIN visit USING (city) ORDER BY customer.id, visit.id",
            "SELECT c.name, v.city FROM customer c JOIN visit v ON v.customer_id = c.id AND v.minutes > 3",
            "SELECT a.id, b.id other FROM customer a JOIN customer b ON a.city = b.city WHERE a.id < b.id",
        ),
    ),
    Part(
        "aggregates",
        "`COUNT(*)`, `COUNT`, `COUNT(DISTINCT)`, `MIN`, `MAX` of columns; `SUM` and `AVG` of integers and DECIMALs",
        (
            "SELECT COUNT(*), COUNT(spent), COUNT(DISTINCT city), MIN(born), MAX(name) FROM customer",
            "SELECT SUM(minutes), AVG(minutes), AVG( customer_id ) FROM visit",
            "SELECT SUM(spent), AVG(spent) average FROM customer WHERE id > 99",
        ),
    ),
    Part(
        "`GROUP BY`, `HAVING`",
        "by columns; ONLY_FULL_GROUP_BY always holds. HAVING compares aggregates other than `AVG`, and the columns of"
        " the groups, where they are integers, DECIMALs, text or bytes",
        (
            "SELECT city, COUNT(*) AS n, SUM(spent) FROM customer GROUP BY city HAVING n > 1 OR MAX(vip) = 3",
            "SELECT c.id, c.name, COUNT(v.id) FROM customer c LEFT JOIN visit v ON v.customer_id = c.id GROUP BY c.id",
            "SELECT born AS day, AVG(spent) FROM customer GROUP BY day ORDER BY AVG(spent) DESC, day LIMIT 2",
        ),
    ),
    Part(
        "`DISTINCT`",
        "of columns other than FLOAT, DOUBLE, JSON and geometry; sorted by what is selected",
        (
            "SELECT DISTINCT city, level FROM customer",
            "SELECT DISTINCT city AS place FROM customer ORDER BY place LIMIT 2",
        ),
    ),
    Part(
        "values in JSON",
        "`JSON_VALUE(column, path)` and `column->>path` in the SELECT list, and compared for equality with text;"
        " `JSON_CONTAINS(column, scalar[, path])` as a condition. Paths of names and indexes",
        (
            "SELECT id, JSON_VALUE(profile, '$.area'), profile->>'$.hobbies[0]' AS hobby FROM customer",
            "SELECT id FROM customer WHERE profile->>'$.age' = '34' OR JSON_VALUE(profile, '$[0]') = '1'",
            "SELECT id FROM customer WHERE JSON_CONTAINS(profile, '\"棋\"', '$.hobbies')",
            "SELECT id FROM customer WHERE NOT JSON_CONTAINS(profile, '1') OR JSON_CONTAINS(profile, '34', '$.age')",
        ),
    ),
    Part(
        "`ORDER BY`, `LIMIT`",
        "by columns and aggregates of a type whose order is certain: not ENUM, SET, JSON, or DECIMAL above 18 digits",
        (
            "SELECT id FROM customer ORDER BY vip DESC, name LIMIT 1, 2",
            "SELECT id FROM customer ORDER BY born, id DESC",
        ),
    ),
)

REFUSED: Final = (
    "SELECT id + 1 FROM customer",
    "SELECT UPPER(name) FROM customer",
    "SELECT 1",
    "SELECT id FROM customer WHERE id IN (SELECT customer_id FROM visit)",
    "SELECT id FROM (SELECT id FROM customer) AS c",
    "WITH c AS (SELECT id FROM customer) SELECT id FROM c",
    "SELECT id FROM customer UNION SELECT id FROM visit",
    "SELECT COUNT(*) OVER () FROM customer",
    "SELECT c.id FROM customer c, visit v",
    "SELECT c.id FROM customer c RIGHT JOIN visit v ON v.customer_id = c.id",
    "SELECT c.id FROM customer c NATURAL JOIN visit v",
    "SELECT c.id FROM customer c JOIN visit v ON v.minutes = c.id",
    "SELECT c.id FROM customer c JOIN customer d ON c.score = d.score",
    "SELECT name, COUNT(*) FROM customer GROUP BY city",
    "SELECT city, COUNT(*) FROM customer GROUP BY city WITH ROLLUP",
    "SELECT COUNT(*) FROM customer GROUP BY LEFT(name, 1)",
    "SELECT COUNT(*) FROM customer GROUP BY score",
    "SELECT city FROM customer GROUP BY city HAVING AVG(spent) > 1",
    "SELECT city, MIN(born) FROM customer GROUP BY city HAVING MIN(born) > '2000-01-01'",
    "SELECT SUM(score) FROM customer",
    "SELECT SUM(DISTINCT vip) FROM customer",
    "SELECT GROUP_CONCAT(name) FROM customer",
    "SELECT MIN(level) FROM customer",
    "SELECT DISTINCT profile FROM customer",
    "SELECT DISTINCT city FROM customer ORDER BY name",
    "SELECT id FROM customer ORDER BY level",
    "SELECT id FROM customer ORDER BY 1",
    "SELECT id FROM customer WHERE vip = 'x'",
    "SELECT id FROM customer WHERE spent = 0.255",
    "SELECT id FROM customer WHERE level > 'low'",
    "SELECT id FROM customer WHERE name REGEXP 'a'",
    "SELECT id FROM customer WHERE level LIKE 'l%'",
    "SELECT id FROM customer WHERE name LIKE 'a|%' ESCAPE '|'",
    "SELECT id FROM customer WHERE profile = '[1]'",
    "SELECT id FROM customer WHERE profile->>'$.age' > '3'",
    "SELECT id FROM customer WHERE profile->'$.age' = 34",
    "SELECT JSON_VALUE(profile, '$.*') FROM customer",
    "SELECT JSON_VALUE(profile, '$.age' RETURNING SIGNED) FROM customer",
    "SELECT id FROM customer WHERE JSON_CONTAINS(profile, '[1]')",
    "SELECT id FROM customer FOR UPDATE",
)

INTRODUCTION: Final = """# Queries of the embedded pair

The embedded pair (`Platform.embedded(path)`) has no MySQL. It answers the part of MySQL's SELECT below, over columns in
rows and in documents alike, and refuses everything else with `NotSupported` naming the construct. What it answers is
what MySQL 9 answers: rows, names, types and decimal scales, proved by random statements on both
(`tests/integration/test_embedded_query_equals_mysql.py`). This page is generated by
`tests/unit/test_embedded_dialect.py`, which runs every statement on it.

All text compares by its bytes: the embedded pair knows no other collation. Names of databases, subqueries, expressions,
functions other than those below, window functions and set operations are refused, whatever they stand in.

| part | what of it | for example |
|---|---|---|
"""
REFUSALS: Final = """
At run time one more thing is refused: a date with a month or a day of zero (`2024-00-00`) where tables are joined or
rows are grouped. MySQL's own answer then depends on its plan: under the default `sql_mode` a temporary table of its own
turns such a date into `0000-00-00`.

## Refused

| for example | message |
|---|---|
"""


def document(messages: Mapping[str, str]) -> str:
    """The text of docs/query-embedded.md. ``messages``: what each statement of REFUSED raises."""
    parts = "".join(
        f"| {part.name} | {part.limits} | {'<br>'.join(_code(one) for one in part.statements)} |\n" for part in ANSWERED
    )
    refused = "".join(f"| {_code(one)} | {_cell(messages[one])} |\n" for one in REFUSED)
    return INTRODUCTION + parts + REFUSALS + refused


def _code(statement: str) -> str:
    mark = "``" if "`" in statement else "`"
    return f"{mark}{_cell(statement)}{mark}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
