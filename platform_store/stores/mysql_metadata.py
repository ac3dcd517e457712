"""What MySQL's and MariaDB's metadata say of tables that the library did not make."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from platform_store.association import INTEGER_TYPES, Column
from platform_store.codecs import codec_for
from platform_store.declaration import checked_column
from platform_store.errors import SchemaError, ValueRejected
from platform_store.names import REVISION
from platform_store.records import ColumnAttribute
from platform_store.sqltypes import parse_type
from platform_store.stores.mysql_session import MysqlSession

COLUMNS = """
    SELECT c.COLUMN_NAME, c.COLUMN_TYPE, c.IS_NULLABLE, c.COLUMN_DEFAULT, c.EXTRA, c.COLLATION_NAME, k.SEQ_IN_INDEX
    FROM information_schema.COLUMNS AS c
    LEFT JOIN information_schema.STATISTICS AS k
        ON k.TABLE_SCHEMA = c.TABLE_SCHEMA AND k.TABLE_NAME = c.TABLE_NAME
        AND BINARY k.COLUMN_NAME = BINARY c.COLUMN_NAME AND k.INDEX_NAME = 'PRIMARY'
    WHERE c.TABLE_SCHEMA = DATABASE() AND c.TABLE_NAME = %s
    ORDER BY k.SEQ_IN_INDEX IS NULL, k.SEQ_IN_INDEX, c.ORDINAL_POSITION
"""
TABLE = """
    SELECT TABLE_TYPE, ENGINE, TABLE_COMMENT FROM information_schema.TABLES
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s
"""


INDEX_COLUMNS = """
    SELECT INDEX_NAME, COLUMN_NAME FROM information_schema.STATISTICS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s ORDER BY INDEX_NAME, SEQ_IN_INDEX
"""
USES = """
    SELECT IF(MAX(s.NON_UNIQUE), 'the index', 'the unique index'), s.INDEX_NAME
    FROM information_schema.STATISTICS AS s
    WHERE s.TABLE_SCHEMA = DATABASE() AND s.TABLE_NAME = %s
    GROUP BY s.INDEX_NAME
    HAVING SUM(BINARY s.COLUMN_NAME = BINARY %s) > 0 AND (COUNT(*) > 1 OR MAX(s.NON_UNIQUE) = 0)
    UNION ALL
    SELECT 'the foreign key', k.CONSTRAINT_NAME FROM information_schema.KEY_COLUMN_USAGE AS k
    WHERE (k.TABLE_SCHEMA = DATABASE() AND k.TABLE_NAME = %s AND BINARY k.COLUMN_NAME = BINARY %s
           AND k.REFERENCED_TABLE_NAME IS NOT NULL)
       OR (k.REFERENCED_TABLE_SCHEMA = DATABASE() AND k.REFERENCED_TABLE_NAME = %s
           AND BINARY k.REFERENCED_COLUMN_NAME = BINARY %s)
    UNION ALL
    SELECT 'the generated column', c.COLUMN_NAME FROM information_schema.COLUMNS AS c
    WHERE c.TABLE_SCHEMA = DATABASE() AND c.TABLE_NAME = %s
      AND LOCATE(CONCAT('`', REPLACE(%s, '`', '``'), '`'), c.GENERATION_EXPRESSION) > 0
"""
_NAMED = "LOCATE(CONCAT('`', REPLACE(%s, '`', '``'), '`'), k.CHECK_CLAUSE) > 0"
CHECKS = f"""
    SELECT 'the check', k.CONSTRAINT_NAME
    FROM information_schema.TABLE_CONSTRAINTS AS t
    JOIN information_schema.CHECK_CONSTRAINTS AS k USING (CONSTRAINT_SCHEMA, CONSTRAINT_NAME)
    WHERE t.CONSTRAINT_SCHEMA = DATABASE() AND t.TABLE_NAME = %s AND t.CONSTRAINT_TYPE = 'CHECK' AND {_NAMED}
"""
CHECKS_MARIADB = f"""
    SELECT 'the check', k.CONSTRAINT_NAME FROM information_schema.CHECK_CONSTRAINTS AS k
    WHERE k.CONSTRAINT_SCHEMA = DATABASE() AND k.TABLE_NAME = %s AND {_NAMED}
      AND NOT (k.LEVEL = 'Column' AND k.CHECK_CLAUSE LIKE 'json_valid(%%')
"""
TABLE_ROWS = "SELECT TABLE_ROWS FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s"
COLLATIONS = "SELECT COLLATION_NAME FROM information_schema.COLLATIONS WHERE COLLATION_NAME IN "

_NUMBER = re.compile(r"-?\d+(\.\d*)?([eE][-+]?\d+)?")
_PYTHON_NUMBERS: dict[str, Callable[[Decimal], object]] = {"DECIMAL": Decimal, "FLOAT": float, "DOUBLE": float}
_QUOTED_DEFAULTS = ("CHAR", "VARCHAR", "ENUM", "SET", "DATE", "DATETIME", "TIME")


def foreign_columns(session: MysqlSession, name: str) -> tuple[tuple[Column, ...], bool]:
    """The columns of a table that anybody may have made, key first, and whether it has ours. Raises SchemaError."""
    found = session.rows(TABLE, [name])
    if not found:
        raise SchemaError("MySQL has no such table", table=name)
    kind, engine, _ = found[0]
    if kind != "BASE TABLE" or engine != "InnoDB":
        raise SchemaError(f"it is a {kind} of engine {engine}; only InnoDB tables are adopted", table=name)
    rows = session.rows(COLUMNS, [name])
    columns = tuple(_foreign_column(name, row, mariadb=session.mariadb) for row in rows if row[0] != REVISION)
    if not any(column.key for column in columns):
        raise SchemaError("it has no primary key: add one first", table=name)
    revision = next((row for row in rows if row[0] == REVISION), None)
    if revision is not None and not _is_revision(revision):
        raise SchemaError(f"its column {REVISION!r} is not the library's: rename it", table=name)
    return columns, revision is not None


def _is_revision(row: tuple[Any, ...]) -> bool:
    """Whether a column is what an earlier, interrupted adoption added."""
    _, type_text, nullable, default, extra, *_ = row
    return "unsigned" in type_text and nullable == "NO" and default == "0" and "INVISIBLE" in extra.upper()


def _constant_default(attribute: ColumnAttribute, text: str, *, mariadb: bool) -> tuple[object, str | None]:
    """A default that is a constant, in its stored form; else None, and the text that MySQL alone can compute.

    MySQL has the value itself in its metadata, MariaDB a literal of SQL.
    """
    given: object = text
    if mariadb and text == "NULL":
        return None, None
    if mariadb and text.startswith("'"):
        given = text[1:-1].replace("''", "'")
        if "\\" in text:
            return None, text
    sql_type = parse_type(attribute.type)
    if sql_type.base in INTEGER_TYPES or sql_type.base in ("YEAR", "DECIMAL", "FLOAT", "DOUBLE"):
        if not _NUMBER.fullmatch(str(given)):
            return None, text
        number = Decimal(str(given))
        given = _PYTHON_NUMBERS.get(sql_type.base, int)(number)
    elif sql_type.base not in _QUOTED_DEFAULTS or (mariadb and not text.startswith("'")):
        return None, text
    try:
        return codec_for(sql_type).check(given), None
    except ValueRejected:
        return None, text


def _foreign_column(table: str, row: tuple[Any, ...], *, mariadb: bool) -> Column:
    """A column as information_schema describes it. Whatever MySQL computes by itself is left to MySQL."""
    name, type_text, nullable, default, extra, collation, position = row
    extra = extra.upper()
    automatic = "AUTO_INCREMENT" in extra
    generated = "STORED GENERATED" in extra or "VIRTUAL GENERATED" in extra or "PERSISTENT" in extra
    attribute = ColumnAttribute(name, type_text, nullable == "YES", auto_increment=automatic, collation=collation)
    attribute = checked_column(table, attribute, key=position is not None)
    if default is not None and position is None and "GENERATED" not in extra:
        constant, default = _constant_default(attribute, default, mariadb=mariadb)
        attribute = replace(attribute, default=constant)
    return Column(
        attribute,
        "mysql" if position is None else "both",
        name,
        key=position is not None,
        server_default=not automatic and (default is not None or "ON UPDATE" in extra or generated),
        generated=generated,
        on_update="ON UPDATE" in extra,
    )
