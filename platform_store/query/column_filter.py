"""Comparisons of a column with constants, as conditions on a field: for every type but JSON.

A condition holds for every value that MySQL may find TRUE. Where MySQL compares by other rules than MongoDB, the
constant becomes a range around it; where not even that is certain, all that is left is that the value is not NULL.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from math import inf, isfinite, nextafter
from typing import Any, Final, TypeAlias, cast

from bson import Decimal128

from platform_store.association import INTEGER_TYPES, TEXT_TYPES, Column
from platform_store.errors import ValueRejected
from platform_store.query.predicate_types import Comparator
from platform_store.query.text_patterns import like_patterns
from platform_store.sqltypes import BLOB_BYTES

Condition: TypeAlias = dict[str, Any]
"""A filter for MongoDB."""

PADDED: Final = frozenset({"utf8mb4_bin"})
BINARY_COLLATIONS: Final = frozenset({"utf8mb4_bin", "utf8mb4_0900_bin", "utf8mb4_nopad_bin"})

_RANGES: Final[dict[str, str]] = {"<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}
_LABELS: Final = frozenset({"ENUM", "SET"})
_APPROXIMATE: Final = frozenset({"FLOAT", "DOUBLE"})
_NUMERIC: Final = INTEGER_TYPES | _APPROXIMATE | {"DECIMAL"}
_BYTES: Final = frozenset({"BINARY", "VARBINARY", *BLOB_BYTES})
_MOMENTS: Final = frozenset({"DATE", "DATETIME", "TIMESTAMP"})

LARGEST: Final = 10_000
"""Characters of one constant, and of a whole list with something for each item: commands to MongoDB have a limit."""
_LARGEST_LIST: Final = 1_000_000
_OVERHEAD: Final = 20
_INT64: Final = range(-(2**63), 2**63)
_DIGITS: Final = 34  # of a Decimal128
_SAFE_DIGITS, _SAFE_SCALE = 35, 30  # before and after the point
_DOWN: Final = Context(prec=_DIGITS, rounding=ROUND_FLOOR)
_UP: Final = Context(prec=_DIGITS, rounding=ROUND_CEILING)
_WIDE: Final = Context(prec=400)
_STEPS: Final = 4
"""Doubles on either side of one that MySQL's conversions may have ended at."""
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,300}(?:\.[0-9]{0,60})?(?:[eE][+-]?[0-9]{1,3})?")
_MOMENT: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?: ([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?)?"
)
_CLOCK: Final = re.compile(r"(-?)([0-9]{2,3}):([0-5][0-9]):([0-5][0-9])(?:\.([0-9]{1,6}))?")
_LAST_CLOCK: Final = timedelta(hours=838, minutes=59, seconds=59)
_YEARS: Final = range(1901, 2156)


@dataclass(frozen=True)
class Bounds:
    """Where a constant lies among the BSON values of a column: between two of them, or exactly at one."""

    low: object
    high: object
    exact: bool


def present(field: str) -> Condition:
    """The condition that a field of any type but JSON is not NULL."""
    return {field: {"$ne": None}}


def compared(column: Column, operator: Comparator, value: object) -> Condition:
    """``column operator value``, or its being NULL or not where the operator is ``<=>``; ``value`` is not NULL."""
    field = column.field
    if operator in ("=", "<=>"):
        return _equal(column, value) or present(field)
    bounds = _bounds(column, value)
    if operator == "<>":
        return {field: {"$nin": [None, bounds.low]}} if bounds and bounds.exact else present(field)
    if bounds is None:
        return present(field)
    if column.type.base in TEXT_TYPES:
        return _text_range(column, operator, value) or present(field)
    if column.codec.order != "natural":
        return present(field)
    return _range(column, operator, bounds)


def differs_or_null(column: Column, value: object) -> Condition | None:
    """``NOT (column <=> value)``; None where it says nothing. ``value`` is not NULL."""
    bounds = _bounds(column, value)
    return {column.field: {"$ne": bounds.low}} if bounds and bounds.exact else None


def among(column: Column, values: Sequence[object], *, negated: bool) -> Condition:
    """``column [NOT] IN (values)``."""
    field = column.field
    given = [value for value in values if value is not None]
    if not same_class(given) or not list_fits(given):
        return present(field)
    if any(isinstance(value, float) for value in given):  # then MySQL may compare all of them as doubles
        given = [_as_float(value) for value in given]
    bounds = [one for one in (_bounds(column, value) for value in given) if one is not None]
    if len(bounds) < len(given):  # one may decide by what rules the others are compared
        return present(field)
    if negated:
        return {field: {"$nin": [None, *(one.low for one in bounds if one.exact)]}}
    if _matches_exactly(column) and all(one.exact for one in bounds):
        return {field: {"$in": [one.low for one in bounds]}}
    found = [_equal(column, value) for value in given]
    sayable = [condition for condition in found if condition is not None]
    return {"$or": sayable} if sayable and len(sayable) == len(found) else present(field)


def between(column: Column, low: object, high: object, *, negated: bool) -> Condition:
    """``column [NOT] BETWEEN low AND high``."""
    if low is None or high is None or not same_class([low, high]):
        return present(column.field)
    if isinstance(low, float) or isinstance(high, float):
        low, high = _as_float(low), _as_float(high)
    if _bounds(column, low) is None or _bounds(column, high) is None:
        return present(column.field)
    if negated:
        return {"$or": [compared(column, "<", low), compared(column, ">", high)]}
    return {"$and": [compared(column, ">=", low), compared(column, "<=", high)]}


def like(column: Column, pattern: str, escape: str) -> Condition:
    """``column LIKE pattern``."""
    patterns = like_patterns(pattern, escape) if _binary_text(column) else []
    return {"$and": [{column.field: one} for one in patterns]} if patterns else present(column.field)


def padded(text: str) -> Condition:
    """The texts that equal ``text`` where spaces at the end do not count, and few more."""
    trimmed = text.rstrip(" ")
    return {"$gte": trimmed, "$lt": f"{trimmed}!"}  # "!" is the first character after the space


def same_class(values: Sequence[object]) -> bool:
    """Whether MySQL compares a column with each of these constants by the same rules, whatever the others are."""
    classes = {"number" if isinstance(value, int | float | Decimal) else _class(value) for value in values}
    return len(classes) == 1


def list_fits(values: Sequence[object]) -> bool:
    """Whether a list of constants is small enough to be sent."""
    return sum(map(_size, values)) <= _LARGEST_LIST


def _size(value: object) -> int:
    return _OVERHEAD + (len(value) if isinstance(value, str | bytes | bytearray) else 0)


def _class(value: object) -> str:
    return "bytes" if isinstance(value, bytes | bytearray) else "text"


def _as_float(value: object) -> object:
    if not isinstance(value, int | Decimal):
        return value
    return float(value) if _is_safe(value) else inf


def _is_safe(number: int | Decimal) -> bool:
    """Whether every server takes a number as it is: MariaDB makes 0 of one with too many digits."""
    exact = Decimal(number)
    return exact.adjusted() < _SAFE_DIGITS and cast("int", exact.as_tuple().exponent) >= -_SAFE_SCALE


def _matches_exactly(column: Column) -> bool:
    """Whether the values of a column that equal a constant are those of one BSON value."""
    return column.type.base not in TEXT_TYPES or (_binary_text(column) and column.attribute.collation not in PADDED)


def _binary_text(column: Column) -> bool:
    return column.type.base in TEXT_TYPES and column.attribute.collation in BINARY_COLLATIONS


def _equal(column: Column, value: object) -> Condition | None:
    bounds = _bounds(column, value)
    if bounds is None or (column.type.base in TEXT_TYPES and not _binary_text(column)):
        return None
    if not _matches_exactly(column):
        return {column.field: padded(str(value))}
    return {column.field: {"$eq": bounds.low} if bounds.exact else {"$gte": bounds.low, "$lte": bounds.high}}


def _range(column: Column, operator: str, bounds: Bounds) -> Condition:
    if bounds.exact:
        condition = {column.field: {_RANGES[operator]: bounds.low}}
    elif operator in ("<", "<="):
        condition = {column.field: {"$lte": bounds.high}}
    else:
        condition = {column.field: {"$gte": bounds.low}}
    exceptional = column.codec.exception_type
    return {"$or": [condition, {column.field: {"$type": exceptional}}]} if exceptional else condition


def _text_range(column: Column, operator: str, value: object) -> Condition | None:
    """Under a collation that pads, a text goes on with spaces for ever."""
    if not isinstance(value, str) or not _binary_text(column) or column.type.base in _LABELS:
        return None
    if column.attribute.collation not in PADDED:
        return {column.field: {_RANGES[operator]: value}}
    text = value.rstrip(" ")
    if operator in ("<", "<="):
        return {column.field: {"$lt": padded(text)["$lt"]}}
    return {column.field: {"$gte": text}} if all(character >= " " for character in text) else None


# The place of a constant among the values of a column


def _bounds(column: Column, value: object) -> Bounds | None:
    base = column.type.base
    if isinstance(value, str | bytes | bytearray) and len(value) > LARGEST:
        return None
    if base in TEXT_TYPES:
        return Bounds(value, value, exact=True) if isinstance(value, str) else None
    if base in _NUMERIC:
        return _number_bounds(column, value)
    if base in _BYTES:
        return _bytes_bounds(column, value)
    if base in _MOMENTS:
        moment = _moment(value)
        return None if moment is None else _moment_bounds(column, moment)
    if base == "TIME":
        clock = _clock(value)
        return None if clock is None else _stepped(clock, 10 ** (6 - column.type.fsp))
    if base in ("BIT", "YEAR"):
        return _integer_bounds(column, value)
    return None


def number_bounds(value: object) -> Bounds | None:
    """A number among the numbers of MongoDB, which compares those of all types exactly."""
    if isinstance(value, float):
        return _around(value)
    if not isinstance(value, int | Decimal) or not _is_safe(value):
        return None
    if isinstance(value, int) and value in _INT64:
        return Bounds(int(value), int(value), exact=True)
    number = Decimal(value)
    low, high = _DOWN.plus(number), _UP.plus(number)
    return Bounds(Decimal128(low), Decimal128(high), exact=low == high)


def _around(number: float) -> Bounds | None:
    """The doubles next to one: MySQL may get there by another conversion, or compare integers as doubles."""
    low = high = number
    for _ in range(_STEPS):
        low, high = nextafter(low, -inf), nextafter(high, inf)
    return Bounds(low, high, exact=False) if isfinite(low) and isfinite(high) else None


def _number_bounds(column: Column, value: object) -> Bounds | None:
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            return None
        value = float(value)
    elif column.type.base in _APPROXIMATE:
        value = _as_float(value)
    bounds = number_bounds(value)
    if bounds is None or column.type.base != "DECIMAL" or (column.type.precision or 0) <= _DIGITS:
        return bounds
    return _split_bounds(column, value, bounds)


def _split_bounds(column: Column, value: object, bounds: Bounds) -> Bounds | None:
    """For a DECIMAL that is stored in two parts, so that only a number of its own scale compares with it."""
    ends = [value, value] if isinstance(value, int | Decimal) else [bounds.low, bounds.high]
    low, high = (Decimal(end) for end in ends if isinstance(end, int | float | Decimal))
    if max(low.adjusted(), high.adjusted()) >= _SAFE_DIGITS:
        return None
    unit = Decimal(1).scaleb(-(column.type.scale or 0))
    low, high = low.quantize(unit, ROUND_FLOOR, _WIDE), high.quantize(unit, ROUND_CEILING, _WIDE)
    try:
        return Bounds(column.codec.encode(low), column.codec.encode(high), exact=low == high)
    except ValueRejected:
        return None


def _bytes_bounds(column: Column, value: object) -> Bounds | None:
    """MySQL takes text as its bytes here. Only values of one length have MySQL's order in MongoDB."""
    if isinstance(value, str):
        value = value.encode()
    if not isinstance(value, bytes | bytearray):
        return None
    data = bytes(value)
    return Bounds(data, data, exact=True) if column.type.base != "BINARY" or len(data) == column.type.length else None


def _integer_bounds(column: Column, value: object) -> Bounds | None:
    """BIT and YEAR: MySQL takes a small number for the last two digits of a year."""
    if not isinstance(value, int) or (column.type.base == "YEAR" and value not in _YEARS):
        return None
    try:
        encoded = column.codec.encode(int(value))
    except ValueRejected:
        return None
    return Bounds(encoded, encoded, exact=True)


def _moment(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    try:
        return datetime(year, month, day, hour, minute, second, _microseconds(match[7]))
    except ValueError:
        return None


def _moment_bounds(column: Column, moment: datetime) -> Bounds | None:
    unit = timedelta(days=1) if column.type.base == "DATE" else timedelta(microseconds=10 ** (6 - column.type.fsp))
    past = (moment - datetime.min) % unit
    try:
        low, high = moment - past, moment - past + (unit if past else timedelta())
        return Bounds(column.codec.encode(low), column.codec.encode(high), exact=not past)
    except (OverflowError, ValueRejected):
        return None


def _clock(value: object) -> int | None:
    """Microseconds."""
    if isinstance(value, time):
        duration = timedelta(
            hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond
        )
    elif isinstance(value, timedelta):
        duration = value
        if duration < timedelta():
            return None
    else:
        match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            return None
        hours, minutes, seconds = (int(match[number]) for number in (2, 3, 4))
        duration = timedelta(hours=hours, minutes=minutes, seconds=seconds, microseconds=_microseconds(match[5]))
        duration = -duration if match[1] else duration
    return duration // timedelta(microseconds=1) if abs(duration) <= _LAST_CLOCK else None


def _stepped(number: int, unit: int) -> Bounds:
    low = number // unit * unit
    return Bounds(low, low if low == number else low + unit, exact=low == number)


def _microseconds(digits: str | None) -> int:
    return int((digits or "").ljust(6, "0"))
