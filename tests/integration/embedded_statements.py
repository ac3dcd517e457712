"""Random SELECTs of the part of MySQL's dialect that the embedded pair may answer, and the rows they are about.

The two tables ``t`` and ``u`` have the same columns. Nothing here knows what is answered and what refused.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal

from pymysql.converters import escape_item

from platform_store.records import ColumnAttribute

JSONS: list[object] = [
    {"a": [1, 2.5, None, [3, "x"]], "b": {"客": "x ", "n": None}},
    {"a": "x", "b": {"n": 1}, "t": True},
    {"a": [True, "1", 0.0001, 1e20, 2**63], "b": []},
    ["x", 1, {"a": 1}],
    "text",
    1,
    2.0,
]
VALUES: dict[str, list[object]] = {
    "TINYINT": [-128, -1, 0, 1, 2, 127],
    "INT": [-(2**31), -1, 0, 1, 5, 2**31 - 1],
    "BIGINT UNSIGNED": [0, 1, 2**63 - 1, 2**63, 2**64 - 1],
    "DECIMAL(10,2)": [Decimal("-99999999.99"), Decimal("-0.01"), Decimal(0), Decimal("1.50"), Decimal("2.25")],
    "DECIMAL(40,20)": [Decimal("-1.5"), Decimal(0), Decimal("12345678901234567890.12345678901234567890")],
    "DOUBLE": [-1.5, -0.0, 0.0, 0.1, 1e300, 5e-324, 2.5],
    "FLOAT": [-1.5, 0.0, 0.1, 3.25, 1e30],
    "VARCHAR(20)": ["", "a", "A", "a ", "ab", "é", "é", "客户", "😀", "a'b", 'a"b', "a\\b", "%", "a\nb", "a\0b"],
    "CHAR(5)": ["", "a", "A", "ab", "客"],
    "TEXT": ["", "text", "Text", "中文"],
    "VARBINARY(10)": [b"", b"a", b"a\0", b"\xff\xfe", b"ab"],
    "BINARY(3)": [b"\0\0\0", b"a\0\0", b"abc"],
    "BIT(12)": [0, 1, 255, 256, 4095],
    "DATE": [date(1, 1, 1), date(1999, 12, 31), date(2024, 2, 29), "0000-00-00", "2024-00-00", "0000-05-06"],
    "DATETIME": [datetime(1999, 12, 31, 23, 59, 59), datetime(2024, 2, 29), "0000-00-00 00:00:00"],
    "DATETIME(6)": [datetime(2024, 2, 29, 1, 2, 3, 4), datetime(2024, 2, 29, 1, 2, 3), datetime(9999, 12, 31)],
    "TIMESTAMP(3)": [datetime(1970, 1, 1, 0, 0, 1), datetime(2024, 1, 1, 0, 0, 0, 500_000)],
    "TIME(6)": [timedelta(hours=-838), timedelta(microseconds=-1), timedelta(0), timedelta(hours=30, microseconds=5)],
    "YEAR": [1901, 1999, 2000, 2155],
    "ENUM('z','y','x')": ["x", "y", "z"],
    "SET('b','a','c')": ["", "a", "b,a", "b,a,c"],
    "JSON": JSONS,
    "DECIMAL(18,14)": [Decimal("-999.99999999999999"), Decimal("0.00000000000001"), Decimal(1), Decimal("333.1")],
}
NAMES = {f"c{number}": type_text for number, type_text in enumerate(VALUES)}
ODD = "we`ird 50%"
"""One more column, an INT, with a name that has to be quoted."""
COLUMNS = [
    ColumnAttribute("id", "INT"),
    *(ColumnAttribute(name, type_text) for name, type_text in NAMES.items()),
    ColumnAttribute(ODD, "INT"),
]
ROWS = {"t": 60, "u": 25}

_PATTERNS = ["a%", "%b", "_", "%", "", "a_b", "%a%b%", "\\%", "a\\\\b", "客_", "__%", "a\\"]
_PATHS = ["$", "$.a", "$.a[0]", "$.a[3][1]", '$.b."客"', "$.b.n", "$[0]", "$.t", "$[1].a", "$.a[9]"]
_SCALARS = ['"x"', "1", "true", "2", "3", '"1"', "0"]
_Answer = tuple[str, list[object]]


def rows(table: str, seed: int) -> list[dict[str, object]]:
    """The rows of one of the tables."""
    chance = random.Random(f"{table}{seed}")
    made = []
    for key in range(ROWS[table]):
        values = {name: chance.choice([*VALUES[type_text], None]) for name, type_text in NAMES.items()}
        made.append({"id": key, **values, ODD: key % 3})
    return made


def statement(chance: random.Random) -> tuple[str, list[object]]:
    """A statement and its parameters. The rows of one that sorts by all of its keys have one order: see is_total."""
    return chance.choice([_simple, _simple, _joined, _grouped, _grouped, _distinct])(chance)


def is_total(sql: str) -> bool:
    """Whether no two rows of the answer may change places."""
    return "id" in sql.lower().partition("order by")[2]


def _simple(chance: random.Random) -> _Answer:
    parameters: list[object] = []
    names = chance.sample([*NAMES, "id"], k=chance.randint(1, 4))
    columns = chance.choice([", ".join(names), "*", "COUNT(*)", _json_item(chance)])
    sql = f"SELECT {columns} FROM t"
    if chance.random() < 0.95:
        sql += f" WHERE {_condition(chance, parameters, '')}"
    if columns != "COUNT(*)" and chance.random() < 0.7:
        sort = [f"{name}{chance.choice(['', ' ASC', ' DESC'])}" for name in chance.sample(list(NAMES), k=2)]
        sql += f" ORDER BY {', '.join([*sort[: chance.randint(0, 2)], 'id'])}"
        if chance.random() < 0.4:
            sql += chance.choice([" LIMIT 5", " LIMIT 5 OFFSET 3", " LIMIT 2, 7", " LIMIT 0"])
    return sql, parameters


def _json_item(chance: random.Random) -> str:
    path = chance.choice(_PATHS)
    return f"id, JSON_VALUE(c21, '{path}'), c21->>'{path}'"


def _from(chance: random.Random, parameters: list[object]) -> str:
    """A FROM of two or three tables: a, b and at times d."""
    join = chance.choice(["JOIN", "INNER JOIN", "LEFT JOIN", "LEFT OUTER JOIN"])
    if chance.random() < 0.2:
        using = ["id", *chance.sample(list(NAMES), k=chance.randint(0, 1))]
        clause = f"t AS a {join} u b USING ({', '.join(using)})"
    else:
        name, other = chance.choice(list(NAMES)), chance.choice(list(NAMES))
        same = chance.random() < 0.8
        clause = f"t AS a {join} u b ON a.{name} = b.{name if same else other}"
        if chance.random() < 0.6:
            clause += f" AND {_condition(chance, parameters, chance.choice(['a.', 'b.']), 2)}"
    if chance.random() < 0.3:
        clause += f" {chance.choice(['JOIN', 'LEFT JOIN'])} t d ON d.id = b.{chance.choice(['id', 'c1', 'c0'])}"
        clause += f" AND {_condition(chance, parameters, 'd.', 2)}"
    return clause


def _joined(chance: random.Random) -> _Answer:
    parameters: list[object] = []
    clause = _from(chance, parameters)
    names = [f"{chance.choice('ab')}.{name}" for name in chance.sample([*NAMES, "id"], k=3)]
    columns = chance.choice([", ".join(names), "*", "b.*", "a.id, b.id AS other, COUNT(*)", "COUNT(b.c1), COUNT(*)"])
    sql = f"SELECT {columns} FROM {clause}"
    if chance.random() < 0.5:
        sql += f" WHERE {_condition(chance, parameters, chance.choice(['a.', 'b.']), 1)}"
    if "COUNT" not in columns and " d ON" not in clause and chance.random() < 0.5:
        sql += f" ORDER BY a.id {chance.choice(['', 'DESC'])}, b.id" + chance.choice(["", " LIMIT 7"])
    return sql, parameters


def _grouped(chance: random.Random) -> _Answer:
    parameters: list[object] = []
    joined = chance.random() < 0.3
    clause, at = (_from(chance, parameters), "b.") if joined else ("t AS a", "a.")
    keys = [f"{at}{name}" for name in chance.sample([*NAMES, "id"], k=chance.randint(0, 2))]
    aggregates = [_aggregate(chance, at) for _ in range(chance.randint(1, 3))]
    named = [f"{text} AS n{number}" if chance.random() < 0.5 else text for number, text in enumerate(aggregates)]
    shown = [*keys, *named, *([f"{at}c1"] if chance.random() < 0.1 else [])]
    sql = f"SELECT {', '.join(shown)} FROM {clause}"
    if chance.random() < 0.6:
        sql += f" WHERE {_condition(chance, parameters, at, 1)}"
    if keys:
        sql += f" GROUP BY {', '.join(keys)}"
    if keys and chance.random() < 0.5:
        sql += f" HAVING {_having(chance, parameters, aggregates, keys)}"
    if keys and chance.random() < 0.4:
        order = [f"{chance.choice(aggregates)}{chance.choice([' DESC', ''])}", *keys]
        sql += f" ORDER BY {', '.join(order)}" + (" LIMIT 4" if f"{at}id" in keys else "")
    return sql, parameters


def _aggregate(chance: random.Random, at: str) -> str:
    function = chance.choice(["COUNT", "SUM", "avg", "MIN", "Max", "COUNT(DISTINCT", "COUNT(*)"])
    if function == "COUNT(*)":
        return function
    numbers = ["c0", "c1", "c2", "c3", "c4", "c22"]
    name = chance.choice(numbers if function in ("SUM", "avg") else list(NAMES))
    return f"{function}{' ' if '(' in function else '('}{at}{name}{chance.choice(['', ' '])})"


def _having(chance: random.Random, parameters: list[object], aggregates: list[str], keys: list[str]) -> str:
    if chance.random() < 0.2:
        return f"{chance.choice(aggregates)} IS NOT NULL AND {chance.choice(keys)} IS NOT NULL"
    compared = chance.choice([*aggregates, chance.choice(keys)])
    name = re.search(r"c[0-9]+", compared)
    value: object = chance.choice([0, 1, 2, 5, Decimal("1.50")])
    if name and not compared.startswith("COUNT") and chance.random() < 0.8:
        value = _value(chance, NAMES[name[0]])
    return f"{compared} {chance.choice(['=', '>', '<=', '<>'])} {_written(chance, parameters, value)}"


def _distinct(chance: random.Random) -> _Answer:
    parameters: list[object] = []
    names = chance.sample([*NAMES, "id"], k=chance.randint(1, 3))
    sql = f"SELECT DISTINCT {', '.join(names)} FROM t"
    if chance.random() < 0.5:
        sql += f" WHERE {_condition(chance, parameters, '')}"
    if chance.random() < 0.5:
        sql += f" ORDER BY {chance.choice([*names, 'id'])}"
    return sql, parameters


def _condition(chance: random.Random, parameters: list[object], at: str, depth: int = 0) -> str:
    if depth < 3 and chance.random() < 0.4:
        left, right = (_condition(chance, parameters, at, depth + 1) for _ in range(2))
        return chance.choice([f"({left} AND {right})", f"({left} OR {right})", f"NOT ({left} AND {right})"])
    name, type_text = chance.choice(list(NAMES.items()))
    place = f"{at}{name}"

    def value() -> str:
        return _written(chance, parameters, _value(chance, type_text))

    def like() -> str:
        text = f"{at}{chance.choice(['c7', 'c8', 'c9', name])}"
        return f"{text} {chance.choice(['', 'NOT '])}LIKE {_written(chance, parameters, chance.choice(_PATTERNS))}"

    def scalar() -> str:
        found = chance.choice(
            [f"JSON_VALUE({at}c21, '{chance.choice(_PATHS)}')", f"{at}c21->>'{chance.choice(_PATHS)}'"]
        )
        wanted = chance.choice(["x", "x ", "X", "1", "null", "true", "[1, 2.5, null]", 1, "0.0001"])
        return f"{found} {chance.choice(['=', '<>', '<=>', '<'])} {_written(chance, parameters, wanted)}"

    def contained() -> str:
        path = chance.choice(["", f", '{chance.choice(_PATHS)}'"])
        negation = chance.choice(["", "NOT "])
        return f"{negation}JSON_CONTAINS({at}c21, {_written(chance, parameters, chance.choice(_SCALARS))}{path})"

    def two() -> str:
        other = chance.choice([name, *NAMES])
        return f"{place} {chance.choice(['=', '<>', '<', '>=', '<=>'])} {at}{other}"

    plain: list[Callable[[], str]] = [
        lambda: f"{place} {chance.choice(['=', '<>', '!=', '<', '<=', '>', '>=', '<=>'])} {value()}",
        lambda: f"{value()} {chance.choice(['=', '<', '<=', '>', '>='])} {place}",
        lambda: f"{place} {chance.choice(['', 'NOT '])}IN ({value()}, {value()}, {value()})",
        lambda: f"{place} {chance.choice(['', 'NOT '])}BETWEEN {value()} AND {value()}",
        lambda: f"{place} IS {chance.choice(['', 'NOT '])}NULL",
    ]
    return chance.choice([*plain, *plain, like, scalar, contained, two])()


def _written(chance: random.Random, parameters: list[object], given: object) -> str:
    """As a literal or as a parameter."""
    if isinstance(given, int | str | Decimal | date) and chance.random() < 0.4:
        return str(escape_item(given, "utf8mb4")).replace("%", "%%")
    parameters.append(given)
    return "%s"


def _value(chance: random.Random, type_text: str) -> object:
    """Mostly a value of the column's type, as it was given or as text; at times one of another."""
    if chance.random() < 0.06:
        return None
    value = chance.choice(VALUES[type_text if chance.random() < 0.93 else chance.choice(list(VALUES))])
    if isinstance(value, date | timedelta) and chance.random() < 0.3:
        return str(value) if not isinstance(value, timedelta) or value >= timedelta(0) else "-01:00:00"
    if isinstance(value, timedelta) and value < timedelta(0):
        return "-00:00:00.000001"  # the driver writes a negative timedelta wrongly
    if isinstance(value, dict | list):
        return json.dumps(value)
    return value
