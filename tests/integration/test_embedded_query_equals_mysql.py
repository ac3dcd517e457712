"""What the embedded pair answers, MySQL answers too: random simple SELECTs over the same rows on both."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pymysql.converters import escape_item

from platform_store.association import Association
from platform_store.config import EmbeddedConfig, MysqlConfig
from platform_store.declaration import declare
from platform_store.errors import NotSupported, PlatformStoreError
from platform_store.records import ColumnAttribute
from platform_store.rows import new_row
from platform_store.stores.base import RowStore
from platform_store.stores.embedded import EmbeddedStore
from platform_store.stores.mysql_rows import MysqlRowStore

BINARY = "utf8mb4_0900_bin"
SEED = 3
STATEMENTS = 1500

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
    "DATE": [date(1, 1, 1), date(1999, 12, 31), date(2024, 2, 29), "0000-00-00", "2024-00-00"],
    "DATETIME": [datetime(1999, 12, 31, 23, 59, 59), datetime(2024, 2, 29), "0000-00-00 00:00:00"],
    "DATETIME(6)": [datetime(2024, 2, 29, 1, 2, 3, 4), datetime(2024, 2, 29, 1, 2, 3), datetime(9999, 12, 31)],
    "TIMESTAMP(3)": [datetime(1970, 1, 1, 0, 0, 1), datetime(2024, 1, 1, 0, 0, 0, 500_000)],
    "TIME(6)": [timedelta(hours=-838), timedelta(microseconds=-1), timedelta(0), timedelta(hours=30, microseconds=5)],
    "YEAR": [1901, 1999, 2000, 2155],
    "ENUM('z','y','x')": ["x", "y", "z"],
    "SET('b','a','c')": ["", "a", "b,a", "b,a,c"],
    "JSON": [{"a": [1, 2.5, None]}, "text", 1],
}
NAMES = {f"c{number}": type_text for number, type_text in enumerate(VALUES)}
ODD = "we`ird 50%"
"""One more column, an INT, with a name that has to be quoted."""


@dataclass(frozen=True)
class Twin:
    """The same table in both databases."""

    embedded: RowStore
    mysql: RowStore
    of_embedded: Association
    of_mysql: Association

    def answers(self, sql: str, parameters: list[object] | None) -> tuple[object, object]:
        return _answer(self.embedded, sql, parameters, self.of_embedded), _answer(
            self.mysql, sql, parameters, self.of_mysql
        )


@pytest.fixture
def twin(mysql_database: str, tmp_path: Path) -> Iterator[Twin]:
    embedded = EmbeddedStore(EmbeddedConfig(tmp_path / "twin.db"))
    mysql = MysqlRowStore(MysqlConfig.from_url(mysql_database))
    try:
        stores: list[RowStore] = [embedded.rows, mysql]
        yield Twin(embedded.rows, mysql, *(_filled(store) for store in stores))
    finally:
        mysql.close()
        embedded.close()


def test_every_answer_is_mysqls(twin: Twin) -> None:
    chance = random.Random(SEED)
    answered: Counter[str] = Counter()
    for number in range(STATEMENTS):
        sql, parameters = _statement(chance)
        ours, theirs = twin.answers(sql, parameters)
        if isinstance(ours, PlatformStoreError):
            answered["refused"] += 1
            continue
        answered["answered"] += 1
        assert ours == theirs, (number, sql, parameters)
    assert answered["answered"] > STATEMENTS // 3, answered


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ID, c1 FROM t ORDER BY ID",
        "SELECT `Id` AS `客户`, c1 x FROM t AS u WHERE u.c1 IS NOT NULL ORDER BY u.id",
        "SELECT c7 AS c1, c1 AS c7 FROM t ORDER BY c7, id",
        "SELECT * FROM t ORDER BY id DESC LIMIT 3",
        "SELECT u.* FROM t u ORDER BY id LIMIT 2, 3",
        "SELECT COUNT(*) FROM t",
        "SELECT count( * ) FROM t WHERE c1 > 0",
        "SELECT COUNT(*) AS n FROM t LIMIT 0",
        "SELECT id FROM t WHERE c7 = 'a''b' OR c7 = \"a\"\"b\" OR c7 = 'a\\\\b' OR c7 = 'a\\nb' ORDER BY id",
        "SELECT id FROM t WHERE c7 = '%' OR c7 = 'a\\0b' ORDER BY id",
        "SELECT id FROM t WHERE c1 = NULL OR c1 <=> NULL ORDER BY id",
        "SELECT id FROM t WHERE NOT (c1 = 1 OR c1 = NULL) ORDER BY id",
        "SELECT id FROM t WHERE c1 NOT IN (1, NULL) ORDER BY id",
        "SELECT id FROM t WHERE 1 <= c1 AND NOT c0 <=> 1 ORDER BY id -- all of them",
        "SELECT id FROM t /* a ; comment */ WHERE c1 = 1 || c1 = 5 # more\nORDER BY c1 DESC, id ASC;",
        "SELECT id, `we``ird 50%` FROM t WHERE `we``ird 50%` > -1 ORDER BY 2-2, id",
        "SELECT id, `we``ird 50%` FROM t WHERE `we``ird 50%` > -1 ORDER BY id",
    ],
)
def test_the_answer_and_its_names_are_mysqls(twin: Twin, sql: str) -> None:
    ours, theirs = twin.answers(sql, None)
    assert isinstance(ours, NotSupported) or ours == theirs
    assert not isinstance(ours, NotSupported) or "2-2" in sql


def _filled(store: RowStore) -> Association:
    columns = [
        ColumnAttribute("id", "INT"),
        *(ColumnAttribute(name, type_text) for name, type_text in NAMES.items()),
        ColumnAttribute(ODD, "INT"),
    ]
    declared = declare("t", columns, len(columns) - 1, key_collation=BINARY, text_collation=BINARY)
    association = store.add_association(declared)
    store.create_table(association)
    chance = random.Random(SEED)
    rows = []
    for key in range(60):
        values = {name: chance.choice([*VALUES[type_text], None]) for name, type_text in NAMES.items()}
        rows.append(new_row(association, {"id": key, **values, ODD: key % 3}))
    with store.transaction() as transaction:
        transaction.fence(association)
        transaction.insert(association, rows)
        transaction.commit()
    return association


def _answer(store: RowStore, sql: str, parameters: list[object] | None, association: Association) -> object:
    """Column names and rows, in an order of our own unless the statement sorts by the key."""
    try:
        with contextlib.closing(store.query(sql, parameters, {"t": association})) as cursor:
            rows = list(cursor)
    except PlatformStoreError as refusal:
        return refusal
    return cursor.columns, rows if "id" in sql.lower().partition("order by")[2] else sorted(rows, key=repr)


def _statement(chance: random.Random) -> tuple[str, list[object] | None]:
    parameters: list[object] = []
    names = chance.sample([*NAMES, "id"], k=chance.randint(1, 4))
    columns = chance.choice([", ".join(names), "*", "COUNT(*)"])
    sql = f"SELECT {columns} FROM t"
    if chance.random() < 0.95:
        sql += f" WHERE {_condition(chance, parameters, 0)}"
    if columns != "COUNT(*)" and chance.random() < 0.7:
        sort = [f"{name}{chance.choice(['', ' ASC', ' DESC'])}" for name in chance.sample(list(NAMES), k=2)]
        sql += f" ORDER BY {', '.join([*sort[: chance.randint(0, 2)], 'id'])}"
        if chance.random() < 0.4:
            sql += chance.choice([" LIMIT 5", " LIMIT 5 OFFSET 3", " LIMIT 2, 7", " LIMIT 0"])
    return sql, parameters


def _condition(chance: random.Random, parameters: list[object], depth: int) -> str:
    if depth < 3 and chance.random() < 0.4:
        left, right = (_condition(chance, parameters, depth + 1) for _ in range(2))
        return chance.choice([f"({left} AND {right})", f"({left} OR {right})", f"NOT ({left} AND {right})"])
    name, type_text = chance.choice(list(NAMES.items()))

    def value() -> str:
        given = _value(chance, type_text)
        if isinstance(given, int | str | Decimal | date) and chance.random() < 0.4:
            return str(escape_item(given, "utf8mb4")).replace("%", "%%")
        parameters.append(given)
        return "%s"

    forms: list[Callable[[], str]] = [
        lambda: f"{name} {chance.choice(['=', '<>', '!=', '<', '<=', '>', '>=', '<=>'])} {value()}",
        lambda: f"{value()} {chance.choice(['=', '<', '<=', '>', '>='])} {name}",
        lambda: f"{name} {chance.choice(['', 'NOT '])}IN ({value()}, {value()}, {value()})",
        lambda: f"{name} {chance.choice(['', 'NOT '])}BETWEEN {value()} AND {value()}",
        lambda: f"{name} IS {chance.choice(['', 'NOT '])}NULL",
    ]
    return chance.choice(forms)()


def _value(chance: random.Random, type_text: str) -> object:
    """Mostly a value of the column's type, as it was given or as text; at times one of another."""
    if chance.random() < 0.06:
        return None
    value = chance.choice(VALUES[type_text if chance.random() < 0.93 else chance.choice(list(VALUES))])
    if isinstance(value, date | timedelta) and chance.random() < 0.3:
        return str(value) if not isinstance(value, timedelta) or value >= timedelta(0) else "-01:00:00"
    if isinstance(value, timedelta) and value < timedelta(0):
        return "-00:00:00.000001"  # the driver writes a negative timedelta wrongly
    if isinstance(value, dict):
        return "{}"
    return value
