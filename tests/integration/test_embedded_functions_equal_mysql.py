"""LIKE, averages and JSON paths as the embedded pair computes them, against MySQL's own functions."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from pymysql.cursors import Cursor
from sqlalchemy.engine import make_url

from platform_store import ColumnAttribute, Platform
from platform_store.stores.embedded_json import contains, text_at, value_at
from tests.servers.databases import connect_sql

SEED = 5
LETTERS = ["a", "A", "b", " ", "é", "客", "😀", "\0", "\n", ".", "*", "[", "\\"]
PATTERNS = 150
SCALES = range(19)
JSONS: list[object] = [
    {"a": "客" * 512, "b": {"n": None, "t": False}, "客": 3, "a b": [1.0, [2, ["x"]]]},
    {"a": "客" * 513, "e": 1e-7, "big": 2**64 - 1, "f": 1e15, "z": -0.0, "s": 'a\u2028"\\\n😀'},
    {"a": ["y" * 300] * 2, "o": {"p": [[], {}]}},
    [[["deep"]], {"k": ["in"]}],
    ["1", True, 2**53 + 1, -3.0],
    "x",
    1,
    None,
]
PATHS = [
    "$", "$.a", "$.a[1]", "$[0]", "$[1]", "$[0][0][0]", "$[1].k", "$.客", '$."a b"', '$."a b"[1][1][0]', "$.b.n",
    "$.b.t", "$.b[0].t", "$.e", "$.big", "$.f", "$.z", "$.s", "$.o.p[0]", "$.o.p[1]", "$.missing", "$[2]",
]  # fmt: skip
SCALARS = ["1", "2", "-3", "true", "false", "9007199254740992", '"1"', '"x"', '"in"', '"deep"', ' "x" ']


@pytest.fixture
def cursor(mysql_database: str) -> Iterator[Cursor]:
    url = make_url(mysql_database)
    with connect_sql(mysql_database, database=url.database) as connection, connection.cursor() as cursor:
        cursor.execute("SET NAMES utf8mb4")
        yield cursor


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with Platform.embedded(tmp_path / "pair.db") as opened:
        yield opened


def test_json_paths(cursor: Cursor) -> None:
    for value in JSONS:
        cursor.execute("SELECT CAST(CAST(%s AS JSON) AS CHAR)", [json.dumps(value)])
        ((text,),) = cursor.fetchall()
        functions = "JSON_VALUE(j, %s), JSON_UNQUOTE(JSON_EXTRACT(j, %s))" + ", JSON_CONTAINS(j, %s, %s)" * len(SCALARS)
        for path in PATHS:
            asked = [part for scalar in SCALARS for part in (scalar, path)]
            cursor.execute(f"SELECT {functions} FROM (SELECT CAST(%s AS JSON) AS j) AS t", [path, path, *asked, text])
            found = (contains(text, path, scalar) for scalar in SCALARS)
            assert (value_at(text, path), text_at(text, path), *found) == cursor.fetchone(), (value, path)


def test_like(cursor: Cursor, platform: Platform) -> None:
    chance = random.Random(SEED)
    texts = ["".join(chance.choices(LETTERS, k=chance.randint(0, 6))) for _ in range(80)]
    platform.create_table("t", [ColumnAttribute("id", "INT"), ColumnAttribute("x", "VARCHAR(20)")], flag=1)
    platform.write_many("t", [{"id": number, "x": text} for number, text in enumerate(texts)])
    cursor.execute("CREATE TABLE t (id INT PRIMARY KEY, x VARCHAR(20) COLLATE utf8mb4_0900_bin)")
    cursor.executemany("INSERT INTO t VALUES (%s, %s)", list(enumerate(texts)))
    for _ in range(PATTERNS):
        given = chance.choice(texts)
        pattern = "".join(chance.choice([letter, letter, letter, "%", "_", f"\\{letter}"]) for letter in given)
        pattern += chance.choice(["", "%", "\\", "%%"])
        sql = "SELECT id FROM t WHERE x LIKE %s ORDER BY id"
        cursor.execute(sql, [pattern])
        assert platform.query(sql, [pattern]).all() == list(cursor.fetchall()), pattern


def test_averages_of_every_scale(cursor: Cursor, platform: Platform) -> None:
    chance = random.Random(SEED)
    columns = [ColumnAttribute("id", "INT")]
    columns += [ColumnAttribute(f"d{scale}", f"DECIMAL(18,{scale})") for scale in SCALES]
    columns += [ColumnAttribute(f"w{scale}", f"DECIMAL(43,{scale})") for scale in range(0, 31, 3)]
    platform.create_table("t", columns, flag=len(columns) - 1)
    rows = []
    for key in range(40):
        numbers = {c.name: Decimal(chance.randint(-(10**17), 10**17)).scaleb(-int(c.name[1:])) for c in columns[1:]}
        rows.append({"id": key, **numbers})
    platform.write_many("t", rows)
    cursor.execute(f"CREATE TABLE t ({', '.join(f'{column.name} {column.type}' for column in columns)})")
    cursor.executemany(
        f"INSERT INTO t VALUES ({', '.join(['%s'] * len(columns))})", [list(row.values()) for row in rows]
    )
    shown = ", ".join(f"AVG({column.name}), SUM({column.name})" for column in columns)
    for rest in ("", *(f" WHERE id < {count}" for count in (1, 3, 7, 11, 13, 29))):
        cursor.execute(f"SELECT {shown} FROM t{rest}")
        assert repr(platform.query(f"SELECT {shown} FROM t{rest}").all()) == repr(list(cursor.fetchall()))
