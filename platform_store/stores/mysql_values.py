"""The text of documents' values as MySQL takes it, a whole column at a time. Pure.

A codec knows each value by itself; here the values of a column become text together, in C wherever they are what
documents nearly always hold. All others go through the codec one by one, and so does whatever would need a second
look: no way gives another value than the codec's.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import partial
from math import isfinite
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast

from bson.decimal128 import Decimal128
from bson.int64 import Int64

from platform_store.codecs import Codec, codec_for
from platform_store.codecs.numeric import unsigned_from_bson
from platform_store.errors import ValueRejected
from platform_store.sqltypes import BLOB_BYTES, GEOMETRY_TYPES, INTEGER_BITS, TEXT_BYTES, SqlType

Form: TypeAlias = Literal["number", "plain", "text", "hex", "bits"]
"""What a text is: digits; something without special characters; anything; bytes in hexadecimal; the number of a BIT."""

_Texts: TypeAlias = Callable[[Sequence[Any]], "list[str] | None"]

_BINARY: Final = ("BINARY", "VARBINARY", *BLOB_BYTES, *GEOMETRY_TYPES)
_LABELS: Final = ("ENUM", "SET")
_INTEGERS: Final = frozenset({int, Int64})
_STRINGS: Final = frozenset({str})
_BYTES: Final = frozenset({bytes})
_DATES: Final = frozenset({datetime})
_REMEMBERED: Final = 1 << 15
_MOMENT_WIDTH: Final = len("YYYY-MM-DD HH:MM:SS.ffffff")
_MIDNIGHT: Final = " 00:00:00"
_SMALLEST_GEOMETRY: Final = 9  # bytes of SRID and header
_TIME_END: Final = 839 * 3600 * 1_000_000  # microseconds

# Decimal128 (IEEE 754, binary integer decimal): sign, 14 bits of exponent, 113 bits of coefficient
_DECIMAL128: Final = struct.Struct("<QQ")
_OTHER_FORMS: Final = 0x6000_0000_0000_0000  # NaN, infinity, and coefficients that are too large to be valid
_COEFFICIENT: Final = (1 << 49) - 1
_EXPONENT: Final = 0x3FFF
_BIAS: Final = 6176


class _Fast(NamedTuple):
    """``texts`` of values that are all of ``kinds``, in order; None where the codec has to look at them."""

    kinds: frozenset[type]
    texts: _Texts


class ColumnText:
    """Writes the BSON values of one declared type."""

    def __init__(self, sql_type: SqlType):
        self.form = _form(sql_type)
        self._codec = codec_for(sql_type)
        self._slow = partial(_by_codec, self._codec)
        self._fast = _fast(self._codec, self._slow)

    def texts(self, values: Sequence[Any]) -> list[str | None]:
        """Each value's text, None for None. Raises ValueRejected, without a place, for what the type never is."""
        kinds = set(map(type, values))
        if type(None) not in kinds:
            return cast("list[str | None]", self._present(values, kinds))
        present = [value for value in values if value is not None]
        texts = iter(self._present(present, set(map(type, present))))
        return [None if value is None else next(texts) for value in values]

    def plain(self, values: Sequence[Any]) -> list[str] | None:
        """The texts of values that need no second look, not even as keys; None where one does."""
        if not values or not self._fast.kinds.issuperset(map(type, values)):
            return None
        if self._codec.sql_type.base in ("CHAR", "VARCHAR") and not _fit(self._codec.sql_type, values):
            return None
        return self._fast.texts(values)

    def stored(self, value: object) -> str:
        """The text of a stored value."""
        return _text(self._codec.sql_type, self._codec.to_sql(value))

    def _present(self, values: Sequence[Any], kinds: set[type]) -> list[str]:
        texts = self._fast.texts(values) if values and kinds <= self._fast.kinds else None
        return [self._slow(value) for value in values] if texts is None else texts


def _form(sql_type: SqlType) -> Form:
    base = sql_type.base
    if base in INTEGER_BITS:
        return "number"
    if base in _BINARY:
        return "hex"
    if base == "BIT":
        return "bits"
    return "text" if base in ("CHAR", "VARCHAR", "JSON", *TEXT_BYTES, *_LABELS) else "plain"


def _fit(sql_type: SqlType, values: Sequence[str]) -> bool:
    """Whether a column of the type holds texts as they are."""
    padded = sql_type.base == "CHAR" and any(value.endswith(" ") for value in values)
    return not padded and max(map(len, values)) <= cast("int", sql_type.length)


def _by_codec(codec: Codec, value: object) -> str:
    return _text(codec.sql_type, codec.to_sql(codec.stored_from_bson(value)))


def _text(sql_type: SqlType, parameter: object) -> str:
    if isinstance(parameter, bytes):
        return str(int.from_bytes(parameter, "big")) if sql_type.base == "BIT" else parameter.hex()
    if isinstance(parameter, datetime):
        return parameter.isoformat(" ")
    if isinstance(parameter, date):
        return parameter.isoformat()
    if sql_type.base == "YEAR":
        return f"{parameter:04}"  # MySQL takes '0' for 2000
    return str(parameter)


def _fast(codec: Codec, slow: Callable[[object], str]) -> _Fast:
    sql_type, base = codec.sql_type, codec.sql_type.base
    if base in INTEGER_BITS:
        bits = INTEGER_BITS[base] - (not sql_type.unsigned)
        return _Fast(_INTEGERS, partial(_integers, 0 if sql_type.unsigned else -(1 << bits), (1 << bits) - 1))
    if base in ("CHAR", "VARCHAR", *TEXT_BYTES):
        return _Fast(_STRINGS, list)
    if base in _BINARY:
        shortest = _SMALLEST_GEOMETRY if base in GEOMETRY_TYPES else 0
        return _Fast(_BYTES, partial(_bytes, shortest, sql_type.length if base == "BINARY" else None))
    if base in ("BIT", "YEAR", *_LABELS):
        kinds = {"BIT": _BYTES, "YEAR": frozenset({int})}.get(base, _STRINGS)
        return _Fast(kinds, partial(_few, slow))
    if base in ("DATETIME", "TIMESTAMP"):
        if codec.bson_form.startswith("date"):
            return _Fast(_DATES, partial(_dates, sql_type.fsp))
        return _Fast(_STRINGS, partial(_moments, sql_type.fsp))
    others: dict[str, _Fast] = {
        "DECIMAL": _Fast(frozenset({Decimal128}), _decimals),
        "DOUBLE": _Fast(frozenset({float}), _doubles),
        "FLOAT": _Fast(frozenset({float}), _singles),
        "DATE": _Fast(_DATES, partial(_days, {})),
        "TIME": _Fast(_INTEGERS, partial(_times, 10 ** (6 - sql_type.fsp))),
        "JSON": _Fast(frozenset({dict, list, str, int, Int64, float, bool}), partial(_json, slow)),
    }
    return others[base]


def _integers(low: int, high: int, values: Sequence[int]) -> list[str] | None:
    return list(map(int.__repr__, values)) if low <= min(values) and max(values) <= high else None


def _decimals(values: Sequence[Decimal128]) -> list[str] | None:
    try:
        return decimal_texts([value.bid for value in values])
    except ValueError:
        return None


def decimal_texts(values: Sequence[bytes]) -> list[str]:
    """Of Decimal128s, as ``12345E-2``, which MySQL reads exactly; it notes what it has to round.

    Raises ValueError where one is no finite number.
    """
    texts = []
    for low, high in _DECIMAL128.iter_unpack(b"".join(values)):
        if high & _OTHER_FORMS == _OTHER_FORMS:
            raise ValueError("no number")
        sign = "-" if high >> 63 else ""
        texts.append(f"{sign}{(high & _COEFFICIENT) << 64 | low}E{(high >> 49 & _EXPONENT) - _BIAS}")
    return texts


def _doubles(values: Sequence[float]) -> list[str] | None:
    return list(map(float.__repr__, values)) if all(map(isfinite, values)) else None


def _singles(values: Sequence[float]) -> list[str] | None:
    layout = f"<{len(values)}f"
    try:
        same = struct.unpack(layout, struct.pack(layout, *values)) == tuple(values)
    except OverflowError:
        return None
    return _doubles(values) if same else None


def _bytes(shortest: int, length: int | None, values: Sequence[bytes]) -> list[str] | None:
    lengths = set(map(len, values))
    return (
        list(map(bytes.hex, values)) if min(lengths) >= shortest and (length is None or lengths == {length}) else None
    )


def _few(slow: Callable[[object], str], values: Sequence[Any]) -> list[str]:
    """Of a type that has few values: each is looked at once."""
    known = {value: slow(value) for value in set(values)}
    return [known[value] for value in values]


def _days(known: dict[datetime, str], values: Sequence[datetime]) -> list[str] | None:
    """Of days, of which there are few: each is looked at once."""
    try:
        return list(map(known.__getitem__, values))
    except KeyError:
        pass
    days = {value: value.isoformat(" ") for value in set(values)}
    if any(text[10:] != _MIDNIGHT for text in days.values()):
        return None
    days = {value: text[:10] for value, text in days.items()}
    if len(known) > _REMEMBERED:
        known.clear()
    known.update(days)
    return list(map(days.__getitem__, values))


def _dates(fsp: int, values: Sequence[datetime]) -> list[str] | None:
    unit = 10 ** (6 - fsp)
    return None if any(value.microsecond % unit for value in values) else [value.isoformat(" ") for value in values]


def _moments(fsp: int, values: Sequence[str]) -> list[str] | None:
    """Text of a fixed width, of a moment that Python knows too; MySQL would round what is finer than ``fsp``."""
    try:
        same = [datetime.fromisoformat(value).isoformat(" ", "microseconds") for value in values] == values
    except ValueError:
        return None
    rest = "0" * (6 - fsp)
    return list(values) if same and all(value.endswith(rest) for value in values) else None


def _times(unit: int, values: Sequence[int]) -> list[str] | None:
    texts = []
    for value in values:
        size = abs(value)
        if size >= _TIME_END or value % unit:
            return None
        seconds, fraction = divmod(size, 1_000_000)
        minutes, second = divmod(seconds, 60)
        texts.append(f"{'-' if value < 0 else ''}{minutes // 60:02}:{minutes % 60:02}:{second:02}.{fraction:06}")
    return texts


# JSON


def _unsigned(value: object) -> int:
    if isinstance(value, Decimal128):
        return unsigned_from_bson(value)
    raise ValueRejected(f"the document holds {type(value).__name__} where this column has a JSON value")


_WRITE_JSON: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, default=_unsigned
).encode
_JSON_LEAVES: Final = frozenset({str, int, bool, type(None), Int64, Decimal128})


def _json(slow: Callable[[object], str], values: Sequence[Any]) -> list[str]:
    return [_WRITE_JSON(value) if _like_python(value) else slow(value) for value in values]


def _like_python(value: Any) -> bool:
    """Whether the codec would write the value as Python's json does, whatever it holds."""
    kind = type(value)
    if kind is dict:
        return "_json" not in value and _all_like_python(value.values())
    return _all_like_python(value if kind is list else (value,))


def _all_like_python(values: Any) -> bool:
    for value in values:
        kind = type(value)
        if kind in _JSON_LEAVES:
            continue
        if kind is float:
            if value != 0 and not 1e-4 <= abs(value) < 1e15:  # MySQL writes these in another way
                return False
        elif kind is dict:
            if not _all_like_python(value.values()):
                return False
        elif kind is not list or not _all_like_python(value):
            return False
    return True
