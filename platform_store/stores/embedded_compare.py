"""Which values a query of the embedded pair compares with a column, and how. Pure.

MySQL converts nearly everything into something comparable, by rules that differ from SQLite's. Here a value takes part
only where it is of the column's own kind and exactly a value that the column can hold; then both databases agree. The
rest is refused by name.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from math import isfinite
from typing import Any, Final

from platform_store.association import Column
from platform_store.codecs import codec_for
from platform_store.errors import NotSupported, ValueRejected
from platform_store.sqltypes import BLOB_BYTES, GEOMETRY_TYPES, INTEGER_BITS, TEXT_BYTES
from platform_store.stores.embedded_types import SCALED_DIGITS, Storage, storage_for

_NOT_COMPARED: Final = frozenset({"JSON", *GEOMETRY_TYPES})
_ZERO_DATES: Final = frozenset({"DATE", "DATETIME", "TIMESTAMP"})


def comparable(column: Column, value: object, *, ranged: bool, storage: Storage | None = None) -> Any:
    """What SQLite compares with the column. ``ranged``: by order, not only for equality. Raises NotSupported.

    ``storage``: the form, where it is not that of the column's type.
    """
    sql_type = column.type
    storage = storage or storage_for(sql_type)
    if sql_type.base in _NOT_COMPARED:
        raise NotSupported(f"comparing {sql_type.base} column {column.name!r}", _ADVICE)
    if ranged and not storage.ordered:
        raise NotSupported(f"comparing the order of {sql_type.base} column {column.name!r}", _ADVICE)
    if sql_type.base == "FLOAT" and not ranged:
        raise NotSupported(f"comparing FLOAT column {column.name!r} for equality", _ADVICE)
    if sql_type.base in ("FLOAT", "DOUBLE"):
        return _double(column, value)
    if not _FITS[sql_type.base](value):
        raise _other_kind(column, value)
    try:
        stored = column.codec.check(value)
    except ValueRejected as error:
        raise NotSupported(
            f"comparing {sql_type.base} column {column.name!r} with a value it cannot hold", f"({error.reason})"
        ) from None
    if not _exactly(column, value, stored):
        raise NotSupported(
            f"comparing {sql_type.base} column {column.name!r} with a value that {sql_type.ddl} would change", _ADVICE
        )
    return storage.encode(stored)


def check_null_test(column: Column) -> None:
    """Raises NotSupported where IS NULL means more to MySQL: a NOT NULL date IS NULL where it is the zero date."""
    if column.type.base in _ZERO_DATES and not column.nullable:
        raise NotSupported(f"IS NULL on the NOT NULL {column.type.base} column {column.name!r}")


def check_alike(left: Column, right: Column, *, ranged: bool) -> None:
    """Raises NotSupported unless two columns are of types whose forms compare like the values."""
    kinds = [_kind(column) for column in (left, right)]
    if None in kinds or kinds[0] != kinds[1]:
        bases = f"{left.type.ddl} column {left.name!r} with {right.type.ddl} column {right.name!r}"
        raise NotSupported(f"comparing {bases}", _ADVICE)
    if ranged and not storage_for(left.type).ordered:
        raise NotSupported(f"comparing the order of {left.type.base} column {left.name!r}", _ADVICE)


def _kind(column: Column) -> object:
    """What two columns have in common that may be compared; None: a column is compared with no other."""
    sql_type = column.type
    base = sql_type.base
    if base in INTEGER_BITS:
        return "BIGINT UNSIGNED" if sql_type.unsigned and base == "BIGINT" else "integer"
    if base == "DECIMAL":
        return base, sql_type.scale, (sql_type.precision or 0) > SCALED_DIGITS
    if base in ("CHAR", "VARCHAR", *TEXT_BYTES):
        return "text"
    if base in ("BINARY", "VARBINARY", *BLOB_BYTES):
        return "bytes"
    if base in ("ENUM", "SET", "BIT"):
        return sql_type.ddl
    return base if base in ("DATE", "DATETIME", "TIMESTAMP", "TIME", "YEAR") else None


_ADVICE: Final = "is not supported by the embedded pair"


def _other_kind(column: Column, value: object) -> NotSupported:
    kind = "a string" if isinstance(value, str) else f"a value of type {type(value).__name__}"
    return NotSupported(f"comparing {column.type.base} with {kind}", f"is not supported (column {column.name!r})")


def _double(column: Column, value: object) -> float:
    """MySQL compares in double precision whatever number is given."""
    if not isinstance(value, int | float | Decimal) or isinstance(value, bool):
        raise _other_kind(column, value)
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if not isfinite(number):
        raise NotSupported(f"comparing {column.type.base} column {column.name!r} with a number beyond its range")
    return number


def _exactly(column: Column, value: object, stored: object) -> bool:
    """Whether the column would hold the value as given, neither rounded nor padded nor read in another way."""
    base = column.type.base
    if base in _ZERO_DATES and isinstance(stored, str):
        return False  # MySQL's sql_mode decides whether a zero date may be compared at all
    if base in ("DATETIME", "TIMESTAMP", "TIME"):
        return stored == codec_for(replace(column.type, fsp=6)).check(value)
    if base == "DATE":
        return isinstance(stored, datetime.date) and str(value) == stored.isoformat()
    if base == "YEAR":
        return stored != 0  # MySQL reads 0 as the year 2000 in some places
    return base == "BIT" or stored == value


def _is(*kinds: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kinds)


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_moment(value: object) -> bool:
    if isinstance(value, datetime.datetime):
        return value.tzinfo is None  # the driver would drop the zone
    return isinstance(value, str | datetime.date)


def _is_date(value: object) -> bool:
    return isinstance(value, str | datetime.date) and not isinstance(value, datetime.datetime)


_FITS: Final[dict[str, Callable[[object], bool]]] = {
    **dict.fromkeys(INTEGER_BITS, _is(int)),
    **dict.fromkeys(("CHAR", "VARCHAR", "ENUM", "SET", *TEXT_BYTES), _is(str)),
    **dict.fromkeys(("BINARY", "VARBINARY", *BLOB_BYTES), _is(bytes)),
    "DECIMAL": _is_number,
    "YEAR": _is_integer,
    "BIT": _is_integer,
    "DATE": _is_date,
    "DATETIME": _is_moment,
    "TIMESTAMP": _is_moment,
    "TIME": _is(str, datetime.timedelta, datetime.time),
}
