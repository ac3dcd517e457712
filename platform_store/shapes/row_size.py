"""Which columns fit into one row of MySQL. Pure.

Seen: MySQL and MariaDB refuse a table of more than 1017 columns, one whose columns could take more than 65,535 bytes
(without what is kept elsewhere), and one whose columns could take more than 8,126 bytes of a page of InnoDB, where a
long column takes 40.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from platform_store.shapes.target import TargetColumn
from platform_store.sqltypes import BLOB_BYTES, TEXT_BYTES, SqlType

MAX_COLUMNS: Final = 1000  # the revision, the column of exact forms and some to be added
_ROW: Final = 65_000
_PAGE: Final = 7_900
_LONG: Final = 40
_ELSEWHERE: Final = 12  # of a row's bytes, for a column that is kept elsewhere
_SIZES: Final = {"TINYINT": 1, "SMALLINT": 2, "MEDIUMINT": 3, "INT": 4, "BIGINT": 8, "DOUBLE": 8, "FLOAT": 4}


def fitted(key: Iterable[TargetColumn], columns: Sequence[TargetColumn]) -> dict[str, TargetColumn]:
    """By field: those columns that fit, the first ones first; a VARCHAR that does not becomes a TEXT."""
    row = page = 0
    for column in key:
        row, page = row + _row_bytes(column.sql_type), page + _row_bytes(column.sql_type)
    found: dict[str, TargetColumn] = {}
    for column in columns:
        narrow = min(_row_bytes(column.sql_type), _ELSEWHERE)
        if len(found) >= MAX_COLUMNS or row + narrow > _ROW or page + _page_bytes(column.sql_type) > _PAGE:
            continue
        if row + _row_bytes(column.sql_type) > _ROW / 2 and column.sql_type.base in ("VARCHAR", "VARBINARY"):
            column = replace(column, type="TEXT" if column.sql_type.base == "VARCHAR" else "BLOB")
        row, page = row + _row_bytes(column.sql_type), page + _page_bytes(column.sql_type)
        found[column.field] = column
    return found


def _row_bytes(sql_type: SqlType) -> int:
    if sql_type.base in _SIZES:
        return _SIZES[sql_type.base]
    if sql_type.base in TEXT_BYTES or sql_type.base in BLOB_BYTES or sql_type.base == "JSON":
        return _ELSEWHERE
    if sql_type.precision is not None:
        return sql_type.precision // 2 + 2
    length = sql_type.length or 8
    return length * 4 + 2 if sql_type.base in ("CHAR", "VARCHAR") else length + 2


def _page_bytes(sql_type: SqlType) -> int:
    if sql_type.base in TEXT_BYTES or sql_type.base in BLOB_BYTES or sql_type.base == "JSON":
        return _LONG + 2
    return min(_row_bytes(sql_type), _LONG) + 2
