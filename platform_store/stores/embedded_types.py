"""Stored values in SQLite, for each MySQL type.

SQLite columns have no affinity here, so a value is kept as it is bound: an integer, a float (with the sign of a zero,
which a REAL column would drop), text or bytes. Where a type is ``ordered``, SQLite's order of these forms is MySQL's
order of the values, under a binary collation for text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Context, Decimal, Inexact
from functools import lru_cache, partial
from typing import Any, Final, TypeAlias, cast

from platform_store.codecs import Codec, codec_for
from platform_store.sqltypes import GEOMETRY_TYPES, SqlType

Convert: TypeAlias = Callable[[Any], Any]

SCALED_DIGITS: Final = 18
"""A DECIMAL of up to so many digits is kept as an integer, which fits 64 bits; a longer one as text, without order."""

_EXACT: Final = Context(prec=SCALED_DIGITS, traps=[Inexact])  # not the application's, which may round
_SHIFT: Final = 2**63  # brings the range of BIGINT UNSIGNED into that of a signed 64-bit integer
_MICROSECOND: Final = timedelta(microseconds=1)
_SECONDS_WIDTH: Final = len("YYYY-MM-DD HH:MM:SS")
_WIDTH: Final = len("YYYY-MM-DD HH:MM:SS.ffffff")


@dataclass(frozen=True, slots=True)
class Storage:
    """How one type is kept. None of the three is ever called with NULL.

    ``decode(encode(stored))`` is ``stored``; ``driver(encode(stored))`` is what PyMySQL returns for it from MySQL.
    """

    encode: Convert
    decode: Convert
    driver: Convert
    ordered: bool


@lru_cache(maxsize=4096)
def storage_for(sql_type: SqlType) -> Storage:
    """The form of a type; every type that ``parse_type`` gives has one."""
    base = sql_type.base
    if base == "JSON":
        codec = codec_for(sql_type)
        return Storage(partial(_json_text, codec), codec.from_exact, _same, False)
    if base == "FLOAT":
        return Storage(_same, _same, codec_for(sql_type).public, True)
    encode, decode, ordered = _form(sql_type)
    return Storage(encode, decode, decode, ordered)


def _form(sql_type: SqlType) -> tuple[Convert, Convert, bool]:
    base = sql_type.base
    if base == "BIGINT" and sql_type.unsigned:
        return _shifted, _unshifted, True
    if base == "DECIMAL":
        precision, scale = sql_type.precision or 0, sql_type.scale or 0
        if precision <= SCALED_DIGITS:
            return partial(_scaled, scale=scale), partial(_unscaled, scale=scale), True
        return _fixed_text, Decimal, False
    if base == "DATE":
        return _date_text, _date_value, True
    if base in ("DATETIME", "TIMESTAMP"):
        return _datetime_text, partial(_datetime_value, fsp=sql_type.fsp), True
    if base == "TIME":
        return _time_microseconds, _time_value, True
    return _same, _same, base not in _UNORDERED


_UNORDERED: Final = frozenset({"ENUM", "SET", *GEOMETRY_TYPES})


def _same(value: Any) -> Any:
    return value


def _json_text(codec: Codec, stored: object) -> str:
    return str.__str__(cast("str", codec.to_sql(stored)))  # sqlite3 takes no subclass of str


def _shifted(stored: int) -> int:
    return stored - _SHIFT


def _unshifted(value: int) -> int:
    return value + _SHIFT


def _scaled(stored: Decimal, scale: int) -> int:
    return int(stored.scaleb(scale, _EXACT))


def _unscaled(value: int, scale: int) -> Decimal:
    return Decimal(value).scaleb(-scale, _EXACT)


def _fixed_text(stored: Decimal) -> str:
    return format(stored, "f")


def _date_text(stored: date | str) -> str:
    return stored.isoformat() if isinstance(stored, date) else stored


def _date_value(text: str) -> date | str:
    try:
        return date.fromisoformat(text)
    except ValueError:  # a zero date or another that Python has not: stored as MySQL's text
        return text


def _datetime_text(stored: datetime | str) -> str:
    """Text of one width, so that its order is that of time: zero dates and the year 0 first, as in MySQL."""
    if isinstance(stored, datetime):
        return stored.isoformat(" ", "microseconds")
    return (stored if len(stored) > _SECONDS_WIDTH else stored + ".").ljust(_WIDTH, "0")


def _datetime_value(text: str, fsp: int) -> datetime | str:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text[: _SECONDS_WIDTH + 1 + fsp] if fsp else text[:_SECONDS_WIDTH]


def _time_microseconds(stored: timedelta) -> int:
    return stored // _MICROSECOND


def _time_value(value: int) -> timedelta:
    return timedelta(microseconds=value)
