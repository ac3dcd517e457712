"""What an embedded query computes with: columns, aggregates, and values taken out of JSON. Pure.

Everything is in the physical forms of ``embedded_types``, whether it comes from a row, a document or a function.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Context, Decimal
from functools import lru_cache, partial
from typing import Any, Final

import sqlalchemy as sa

from platform_store.association import INTEGER_TYPES, Column
from platform_store.errors import NotSupported
from platform_store.records import ColumnAttribute
from platform_store.sqltypes import BLOB_BYTES, TEXT_BYTES
from platform_store.stores.embedded_json import parsed_path
from platform_store.stores.embedded_tables import AsBound
from platform_store.stores.embedded_types import Storage, storage_for

ADVICE: Final = "is not supported by the embedded pair"

_UNEQUAL: Final = frozenset({"FLOAT", "DOUBLE", "JSON"})
"""Equal values of these may look different, so that it would be left to chance which one of a group is seen."""
_TEXT: Final = frozenset({"CHAR", "VARCHAR", *TEXT_BYTES})
_BYTES: Final = frozenset({"BINARY", "VARBINARY", *BLOB_BYTES})
_NO_EXTREME: Final = frozenset({"FLOAT", "DOUBLE", "BIT"})
AVERAGE_DIGITS: Final = 4  # MySQL's div_precision_increment, where nobody has changed it
_MAX_SCALE: Final = 30
_SUMMED_DIGITS: Final = 43  # the sum of DECIMALs so long has MySQL's full 65 digits
_OFFSET: Final = 10**70
_WIDTH: Final = 71
_WIDE: Final = Context(prec=100)


@dataclass(frozen=True)
class Operand:
    """A value of each row or of each group, as SQLite computes it.

    Args:
        column: the column it is, or one like it: the type, and the name in messages.
        place: the expression.
        storage: the physical form of ``place``.
        source: the number of the table whose column it is computed from; None for an aggregate.
        of: the name of that column.
        comparable: whether it can be compared; else MySQL's answer depends on more than its value.
        unpadded: as ``place``, where trailing spaces do not count in a comparison.
    """

    column: Column
    place: sa.ColumnElement[Any]
    storage: Storage
    source: int | None = None
    of: str = ""
    comparable: bool = True
    unpadded: sa.ColumnElement[Any] | None = None

    @property
    def plain(self) -> bool:
        """Whether it is a column itself."""
        return self.source is not None and self.of == self.column.name

    @property
    def compared(self) -> sa.ColumnElement[Any]:
        return self.place if self.unpadded is None else self.unpadded


def check_sortable(operand: Operand) -> None:
    if not operand.storage.ordered:
        raise NotSupported(f"ORDER BY on {operand.column.type.ddl} column {operand.column.name!r}", ADVICE)


def check_groupable(operand: Operand, clause: str) -> None:
    """Raises NotSupported where equal values may look different, or MySQL compares them by another rule."""
    base = operand.column.type.base
    if base in _UNEQUAL or not (operand.source is None or operand.plain) or _is_geometry(operand.column):
        raise NotSupported(f"{clause} over {base} {_named(operand)}", ADVICE)


def is_text(column: Column) -> bool:
    return column.type.base in _TEXT


def copied(operand: Operand) -> Operand:
    """The operand as the copy that MySQL groups by, which may lack what the column holds: such a value is refused."""
    if operand.column.type.base not in ("DATE", "DATETIME"):
        return operand
    return replace(operand, place=sa.type_coerce(sa.func.platform_whole_date(operand.place), AsBound()))


def grouped(operand: Operand) -> Operand:
    """The operand as HAVING sees it: there MySQL compares times as text, and others by rules that are not proved."""
    base = operand.column.type.base
    certain = base in INTEGER_TYPES or base in _TEXT or base in _BYTES or base == "DECIMAL"
    if certain and (operand.source is None or operand.plain):
        return operand
    return replace(operand, comparable=False)


def counted(operand: Operand | None, name: str, *, distinct: bool = False) -> Operand:
    """COUNT(*) where there is no operand."""
    column = _like(name, "BIGINT")
    if operand is None:
        return Operand(column, sa.func.count(), storage_for(column.type))
    if distinct:
        check_groupable(operand, "COUNT(DISTINCT)")
    place = sa.distinct(operand.place) if distinct else operand.place
    return Operand(column, sa.func.count(place), storage_for(column.type))


def extreme(function: str, operand: Operand, name: str) -> Operand:
    """MIN or MAX: a value of the column's own type."""
    if operand.column.type.base in _NO_EXTREME or not operand.storage.ordered or not operand.plain:
        raise NotSupported(f"{function} of {operand.column.type.ddl} {_named(operand)}", ADVICE)
    place = sa.func.min(operand.place) if function == "MIN" else sa.func.max(operand.place)
    column = replace(operand.column, attribute=replace(operand.column.attribute, name=name, nullable=True), key=False)
    return Operand(column, sa.type_coerce(place, AsBound()), operand.storage)


def summed(function: str, operand: Operand, name: str) -> Operand:
    """SUM or AVG: a DECIMAL, computed in integers of the column's scale."""
    sql_type = operand.column.type
    precision, scale = sql_type.precision or 0, sql_type.scale or 0
    if not operand.plain or sql_type.base not in (*INTEGER_TYPES, "DECIMAL") or precision > _SUMMED_DIGITS:
        raise NotSupported(f"{function} of {sql_type.ddl} {_named(operand)}", ADVICE)
    zero: sa.ColumnElement[Any] = sa.literal_column(str(0 if sql_type.base == "DECIMAL" else operand.storage.encode(0)))
    if function == "SUM":
        place = sa.func.platform_sum(operand.place, zero)
        return Operand(_like(name, f"DECIMAL(65,{scale})"), place, wide_storage(scale))
    shown = average_scale(scale)
    place = sa.func.platform_avg(operand.place, zero, sa.literal_column(str(scale)))
    # MySQL compares an average by more digits than it shows.
    return Operand(_like(name, f"DECIMAL(65,{shown})"), place, wide_storage(shown), comparable=False)


def extracted(operand: Operand, path: str, name: str, *, scalar: bool) -> Operand:
    """``JSON_VALUE(column, path)`` (``scalar``) or ``column->>path``."""
    if operand.column.type.base != "JSON" or not operand.plain:
        raise NotSupported(f"a JSON path of {operand.column.type.base} {_named(operand)}", ADVICE)
    parsed_path(path)
    function = sa.func.platform_json_value if scalar else sa.func.platform_json_text
    place = sa.type_coerce(function(operand.place, path), AsBound())
    column = _like(name, "VARCHAR(512)" if scalar else "LONGTEXT")
    if scalar:
        return Operand(column, place, _BYTEWISE, operand.source, operand.of)
    return Operand(column, place, _PADDED, operand.source, operand.of, unpadded=sa.func.rtrim(place, " "))


def _named(operand: Operand) -> str:
    return f"column {operand.column.name!r}" if operand.plain else operand.column.name


def _is_geometry(column: Column) -> bool:
    return not storage_for(column.type).ordered and column.type.base not in ("ENUM", "SET", "DECIMAL")


def _like(name: str, type_text: str) -> Column:
    return Column(ColumnAttribute(name, type_text), "mysql", name)


def _same(value: Any) -> Any:
    return value


def _without_padding(value: str) -> str:
    return value.rstrip(" ")


_BYTEWISE: Final = Storage(_same, _same, _same, False)
_PADDED: Final = Storage(_without_padding, _same, _same, False)


# The form of sums and averages


@lru_cache(maxsize=64)
def wide_storage(scale: int) -> Storage:
    """A DECIMAL of up to 65 digits as text of one width, whose order is that of the numbers."""
    decode = partial(_from_wide, scale=scale)
    return Storage(partial(_to_wide, scale=scale), decode, decode, True)


def average_scale(scale: int) -> int:
    """Of the average of a DECIMAL of that scale."""
    return min(scale + AVERAGE_DIGITS, _MAX_SCALE)


def wide(number: int) -> str:
    """The form of a number that is given in units of its scale."""
    return f"{number + _OFFSET:0{_WIDTH}}"


def _to_wide(stored: Decimal, scale: int) -> str:
    return wide(int(stored.scaleb(scale, _WIDE)))


def _from_wide(text: str, scale: int) -> Decimal:
    return Decimal(int(text) - _OFFSET).scaleb(-scale, _WIDE)
