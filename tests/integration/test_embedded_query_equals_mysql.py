"""What the embedded pair answers, MySQL answers too: random SELECTs over the same rows on both.

MySQL has every column in one table. In the embedded pair they are in rows, in documents, or in both.
"""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pymysql.connections import Connection
from pymysql.cursors import Cursor
from sqlalchemy.engine import make_url

from platform_store import Platform, PlatformStoreError
from platform_store.config import MysqlConfig
from platform_store.declaration import declare
from platform_store.records import ColumnAttribute
from platform_store.rows import new_row
from platform_store.stores.mysql_rows import MysqlRowStore
from tests.integration.embedded_statements import COLUMNS, ROWS, is_total, rows, statement
from tests.servers.databases import connect_sql
from tests.unit.embedded_dialect import ANSWERED, TABLES
from tests.unit.embedded_dialect import FLAGS as FLAGS_OF_DIALECT
from tests.unit.embedded_dialect import ROWS as ROWS_OF_DIALECT

BINARY = "utf8mb4_0900_bin"
SEED = 3
STATEMENTS = 1500
FLAGS = {"rows": len(COLUMNS) - 1, "documents": 0, "halves": 11, "both": -1}

WHOLE = "t.c13 < '2020-01-01' AND (u.c13 < '2020-01-01' OR u.c13 IS NULL)"
"""Of dates that MySQL keeps as they are, whatever its plan."""
CHOSEN = [
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
    "SELECT id, `we``ird 50%` FROM t WHERE `we``ird 50%` > -1 ORDER BY id",
    "SELECT  sum( c1 )  , AVG(c22)AS x, /* a */ Max(`c7`) /* b */, COUNT( distinct c7 ) FROM t",
    "SELECT DISTINCT `we``ird 50%` y FROM t ORDER BY y",
    "SELECT JSON_VALUE(c21,  '$.a') , c21->>'$.b.\"客\"', id FROM t ORDER BY id",
    "SELECT ALL c0, COUNT(*) FROM t GROUP BY c0",
    "SELECT DISTINCTROW c0 FROM t",
    f"SELECT * FROM t LEFT JOIN u USING (c1, id) WHERE {WHOLE} ORDER BY t.id",
    f"SELECT *, u.id FROM t JOIN u USING (id) WHERE {WHOLE} ORDER BY t.id DESC",
    f"SELECT u.*, t.c1 FROM t JOIN u USING (c1) JOIN t d USING (c1) WHERE c1 = 5 AND d.id < 30 AND {WHOLE}",
    "SELECT id, c1, COUNT(*) FROM t GROUP BY id ORDER BY SUM(c3) DESC, id",
    "SELECT u.id, u.c0, COUNT(t.c1) FROM t LEFT JOIN u ON u.c9 = t.c9 GROUP BY u.id ORDER BY COUNT(*), u.id",
    "SELECT c1 AS g, COUNT(*) FROM t GROUP BY g HAVING g > 0 OR g IS NULL ORDER BY g DESC",
    "SELECT c18 FROM t WHERE c13 < '2020-01-01' GROUP BY c18 HAVING MIN(c13) IS NOT NULL OR MAX(c3) BETWEEN 0 AND 9",
    "SELECT c1 FROM t GROUP BY c1 HAVING MAX(c7) = 'é' OR MIN(c2) < 5",
    "SELECT c1, MAX(c17), MIN(c18) m FROM t GROUP BY c1 HAVING MAX(c17) IS NOT NULL AND c1 IN (1, 5)",
]


@dataclass(frozen=True)
class Twin:
    """The same tables in MySQL and in embedded pairs, which differ in where the columns are."""

    embedded: dict[str, Platform]
    mysql: Connection[Cursor]

    def answers(self, split: str, sql: str, parameters: list[object] | None) -> tuple[object, object]:
        """Column names and rows, in an order of our own unless the statement gives one; or the refusal."""
        try:
            with self.embedded[split].query(sql, parameters) as result:
                ours: object = (result.columns, _in_order(result.all(), sql))
        except PlatformStoreError as refusal:
            return refusal, None
        with self.mysql.cursor() as cursor:
            cursor.execute(sql, parameters)
            names = tuple(column[0] for column in cursor.description)
            return ours, (names, _in_order(list(cursor.fetchall()), sql))


def _in_order(found: list[tuple[object, ...]], sql: str) -> list[tuple[object, ...]]:
    return found if is_total(sql) else sorted(found, key=repr)


@pytest.fixture
def twin(mysql_database: str, tmp_path: Path) -> Iterator[Twin]:
    with contextlib.ExitStack() as stack:
        embedded = {}
        for split, flag in FLAGS.items():
            platform = stack.enter_context(Platform.embedded(tmp_path / f"{split}.db"))
            for table in ROWS:
                platform.create_table(table, COLUMNS, flag)
                platform.write_many(table, rows(table, SEED))
            embedded[split] = platform
        mysql = MysqlRowStore(MysqlConfig.from_url(mysql_database))
        stack.callback(mysql.close)
        for table in ROWS:
            _filled(mysql, table, COLUMNS, rows(table, SEED))
        yield Twin(embedded, stack.enter_context(plainly(mysql_database)))


def test_every_answer_is_mysqls(twin: Twin) -> None:
    chance = random.Random(SEED)
    answered: Counter[str] = Counter()
    for number in range(STATEMENTS):
        sql, parameters = statement(chance)
        ours, theirs = twin.answers(chance.choice(list(FLAGS)), sql, parameters)
        if isinstance(ours, PlatformStoreError):
            answered["refused"] += 1
            continue
        answered["answered"] += 1
        assert repr(ours) == repr(theirs), (number, sql, parameters)
    assert answered["answered"] > STATEMENTS // 4, answered


def test_answers_and_names_are_mysqls(twin: Twin) -> None:
    for split in FLAGS:
        for sql in CHOSEN:
            ours, theirs = twin.answers(split, sql, None)
            assert repr(ours) == repr(theirs), (split, sql)


def test_the_documented_dialect_is_mysqls(mysql_database: str, tmp_path: Path) -> None:
    with Platform.embedded(tmp_path / "dialect.db") as platform, contextlib.ExitStack() as stack:
        mysql = MysqlRowStore(MysqlConfig.from_url(mysql_database))
        stack.callback(mysql.close)
        for table, columns in TABLES.items():
            platform.create_table(table, columns, FLAGS_OF_DIALECT[table])
            platform.write_many(table, ROWS_OF_DIALECT[table])
            _filled(mysql, table, columns, ROWS_OF_DIALECT[table])
        twin = Twin({"dialect": platform}, stack.enter_context(plainly(mysql_database)))
        for sql in (sql for part in ANSWERED for sql in part.statements):
            ours, theirs = twin.answers("dialect", sql, None)
            assert repr(ours) == repr(theirs), sql


def _filled(
    store: MysqlRowStore, table: str, columns: Sequence[ColumnAttribute], given: Sequence[Mapping[str, object]]
) -> None:
    """Makes a table with every column in MySQL."""
    declared = declare(table, columns, len(columns) - 1, key_collation=BINARY, text_collation=BINARY)
    association = store.add_association(declared)
    store.create_table(association)
    with store.transaction() as transaction:
        transaction.fence(association)
        transaction.insert(association, [new_row(association, row) for row in given])
        transaction.commit()
    with store._connections.dedicated() as session:
        session.rows(f"ANALYZE TABLE {table}")  # else the plan, and some answers of MySQL's, depend on the hour


def plainly(url: str) -> AbstractContextManager[Connection[Cursor]]:
    return connect_sql(url, database=make_url(url).database)
