"""Whether documents hold values that their columns can have: a whole column at a time, in C where that is possible.

The codec decides; what is recognised here without it is what documents nearly always hold.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from itertools import compress
from math import isfinite
from typing import Any, Final, NamedTuple, TypeAlias, cast

from bson.decimal128 import Decimal128
from bson.int64 import Int64

from platform_store.association import Column
from platform_store.errors import ValueRejected
from platform_store.sqltypes import BLOB_BYTES, INTEGER_BITS, TEXT_BYTES, SqlType

_Test: TypeAlias = Callable[[Sequence[Any]], bool]
_ABSENT: Final = frozenset({type(None)})

# Decimal128 (IEEE 754, binary integer decimal): sign, 14 bits of exponent, 113 bits of coefficient
_DECIMAL128: Final = struct.Struct("<QQ")
_HIGH_PART: Final = (1 << 49) - 1
_SIGN: Final = 1 << 63
_BIAS: Final = 6176

_BOUNDED: Final = frozenset({"CHAR", "VARCHAR", "DECIMAL", "VARBINARY", *TEXT_BYTES, *BLOB_BYTES})
"""Types whose codec reads longer values back, which MySQL could not hold."""


class _Known(NamedTuple):
    """``good`` says of values that are all of ``kinds`` whether they certainly are the column's."""

    kinds: frozenset[type]
    good: _Test


class ColumnCheck:
    """Looks at the BSON values of one column, None where the document has none."""

    def __init__(self, column: Column, *, needed: bool):
        """``needed``: NULL is a fault where the column is NOT NULL."""
        self.column = column
        self._null_allowed = column.nullable or not needed
        self._known = _known(column.type)

    def faults(self, values: Sequence[Any]) -> dict[int, str]:
        """What is wrong, in words, by the number of the value."""
        kinds = set(map(type, values))
        if kinds >= _ABSENT and self._null_allowed:
            kinds -= _ABSENT
            present = list(compress(values, [value is not None for value in values]))
        else:
            present = cast("list[Any]", values)
        if not present or (kinds <= self._known.kinds and self._known.good(present)):
            return {}
        found = ((number, self.fault(value)) for number, value in enumerate(values))
        return {number: fault for number, fault in found if fault is not None}

    def fault(self, value: Any) -> str | None:
        """What is wrong with one value, in words."""
        if value is None:
            return None if self._null_allowed else "it is NULL, and the column is NOT NULL"
        codec = self.column.codec
        try:
            stored = codec.stored_from_bson(value)
            if self.column.type.base in _BOUNDED and codec.check(stored) != stored:
                return f"{self.column.type.ddl} does not hold it as it is"
        except ValueRejected as error:
            return error.reason
        return None


def _known(sql_type: SqlType) -> _Known:
    base = sql_type.base
    if base in INTEGER_BITS:
        bits = INTEGER_BITS[base] - (not sql_type.unsigned)
        low, high = 0 if sql_type.unsigned else -(1 << bits), (1 << bits) - 1
        return _Known(frozenset({int, Int64}), partial(_within, low, high))
    if base in TEXT_BYTES:
        return _Known(frozenset({str}), partial(_short, TEXT_BYTES[base] // 4))
    if base in BLOB_BYTES:
        return _Known(frozenset({bytes}), partial(_short, BLOB_BYTES[base]))
    length = cast("int", sql_type.length)
    others: dict[str, _Known] = {
        "VARCHAR": _Known(frozenset({str}), partial(_short, length)),
        "VARBINARY": _Known(frozenset({bytes}), partial(_short, length)),
        "DOUBLE": _Known(frozenset({float}), _finite),
        "DATE": _Known(frozenset({datetime}), _midnights),
        "JSON": _Known(frozenset({dict, list, str, int, Int64, float, bool}), _plain_json),
    }
    if base == "DECIMAL" and (precision := cast("int", sql_type.precision)) <= 34:
        scale = cast("int", sql_type.scale)
        return _Known(frozenset({Decimal128}), partial(_decimals, 10**precision, _BIAS - scale))
    if base in ("DATETIME", "TIMESTAMP") and sql_type.fsp <= 3:
        return _Known(frozenset({datetime}), partial(_moments, 10 ** (6 - sql_type.fsp)))
    return others.get(base, _Known(frozenset(), _nothing))


def _nothing(_values: Sequence[Any]) -> bool:
    return False


def _within(low: int, high: int, values: Sequence[int]) -> bool:
    return low <= min(values) and max(values) <= high


def _short(limit: int, values: Sequence[Any]) -> bool:
    return max(map(len, values)) <= limit


def _finite(values: Sequence[float]) -> bool:
    return all(map(isfinite, values))


def _midnights(values: Sequence[datetime]) -> bool:
    return not any(value.hour or value.minute or value.second or value.microsecond for value in values)


def _moments(unit: int, values: Sequence[datetime]) -> bool:
    return unit == 1000 or not any(value.microsecond % unit for value in values)


def _decimals(limit: int, exponent: int, values: Sequence[Decimal128]) -> bool:
    """Of exactly the column's scale, and no more digits than it has; NaN and infinity have another exponent."""
    for low, high in _DECIMAL128.iter_unpack(b"".join([value.bid for value in values])):
        number = (high & _HIGH_PART) << 64 | low
        if (high & ~_SIGN) >> 49 != exponent or number >= limit or (high & _SIGN and not number):
            return False
    return True


_LEAVES: Final = frozenset({str, int, Int64, bool, type(None)})


def _plain_json(values: Any) -> bool:
    for value in values:
        kind = type(value)
        if kind in _LEAVES:
            continue
        if kind is dict:
            if "_json" in value or not _plain_json(value.values()):
                return False
        elif kind is list:
            if not _plain_json(value):
                return False
        elif kind is not float or not isfinite(value):
            return False
    return True
