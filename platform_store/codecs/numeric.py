"""Integers, DECIMAL, FLOAT, DOUBLE and YEAR."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal, InvalidOperation
from functools import cached_property
from math import inf, isfinite
from typing import Any, ClassVar, Final, cast

from bson import Decimal128

from platform_store.codecs.base import Codec, foreign, wrong_type
from platform_store.errors import ValueRejected
from platform_store.sqltypes import INTEGER_BITS

INT64_MAX: Final = 2**63 - 1
_DECIMAL128_DIGITS: Final = 34
_WIDE: Final = Context(prec=400, rounding=ROUND_HALF_UP, traps=[])
"""Wide enough for any DECIMAL(65,30) and for all that rounds to one; gives NaN for what is beyond that."""
_LEADING: Final = Context(prec=_DECIMAL128_DIGITS, rounding=ROUND_FLOOR)
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_FLOAT_MAX: Final = float(2**128 - 2**104)
_YEAR: Final = re.compile(r"[0-9]{4}")


@dataclass(frozen=True)
class IntegerCodec(Codec):
    """TINYINT to BIGINT, signed and unsigned. ``bool`` counts as an integer, as in Python and in MySQL."""

    key: ClassVar[bool] = True

    @property
    def bson_form(self) -> str:
        return "int or long, by magnitude" if self._high >= 2**31 else "int"

    @property
    def exceptions(self) -> str:
        return f"above {INT64_MAX}: decimal" if self._high > INT64_MAX else ""

    @property
    def _bits(self) -> int:
        """Of the magnitude."""
        return INTEGER_BITS[self.sql_type.base] - (0 if self.sql_type.unsigned else 1)

    @cached_property
    def _low(self) -> int:
        return 0 if self.sql_type.unsigned else -(1 << self._bits)

    @cached_property
    def _high(self) -> int:
        return (1 << self._bits) - 1

    def check(self, value: object) -> int:
        if not isinstance(value, int):
            raise wrong_type(value, "int or bool")
        if not self._low <= value <= self._high:
            raise ValueRejected(f"the number is out of range: {self.sql_type.ddl} is {self._low} to {self._high}")
        return int(value)

    def column_check(self, values: Sequence[Any]) -> Sequence[object]:
        if {int}.issuperset(map(type, values)) and values and self._low <= min(values) <= max(values) <= self._high:
            return values
        return super().column_check(values)

    def to_bson(self, stored: object) -> object:
        return Decimal128(Decimal(stored)) if isinstance(stored, int) and stored > INT64_MAX else stored

    def stored_from_bson(self, value: object) -> int:
        number = unsigned_from_bson(value) if isinstance(value, Decimal128) else value
        if not isinstance(number, int) or isinstance(number, bool) or not self._low <= number <= self._high:
            raise foreign(value, f"an integer of the range of {self.sql_type.ddl}")
        return int(number)


def unsigned_from_bson(value: Decimal128) -> int:
    """The integer above 2^63-1 that a Decimal128 stands for, which no BSON integer can hold."""
    number = value.to_decimal()
    if not number.is_finite() or not INT64_MAX < number < 2**64 or number != number.to_integral_value():
        raise foreign(value, "an integer above 9223372036854775807")
    return int(number)


@dataclass(frozen=True)
class DecimalCodec(Codec):
    """DECIMAL(p,s): rounded half away from zero to the scale, as MySQL does.

    More than 34 digits do not fit a Decimal128. Such a column is stored as ``{hi, lo}``: ``hi`` is the value rounded
    down to 34 significant digits, which never reverses the order of two values, and ``lo >= 0`` is the rest, which
    decides between two of equal ``hi``. So documents compare like the numbers.
    """

    @property
    def bson_form(self) -> str:
        if not self._split:
            return "decimal"
        return "{hi: decimal, lo: decimal}: hi rounded down to 34 digits, lo the rest"

    @cached_property
    def _precision(self) -> int:
        return cast("int", self.sql_type.precision)

    @cached_property
    def _scale(self) -> int:
        return cast("int", self.sql_type.scale)

    @cached_property
    def _unit(self) -> Decimal:
        return Decimal(1).scaleb(-self._scale)

    @cached_property
    def _exactly(self) -> Context:
        """Gives the numbers of the type, and InvalidOperation for what has more digits."""
        return Context(prec=self._precision, rounding=ROUND_HALF_UP, traps=[InvalidOperation])

    @property
    def _split(self) -> bool:
        return self._precision > _DECIMAL128_DIGITS

    def check(self, value: object) -> Decimal:
        if type(value) is Decimal:
            try:
                rounded = value.quantize(self._unit, context=self._exactly)
                if rounded > 0 or (rounded < 0 and not self.sql_type.unsigned):
                    return rounded
            except InvalidOperation:
                pass  # out of range, or no number
        number = _decimal(value)
        whole = self._precision - self._scale
        if number and number.adjusted() > whole:
            raise self._out_of_range(whole)
        rounded = number.quantize(self._unit, context=_WIDE)
        # copy_abs: abs() would round to the caller's decimal context
        if rounded.copy_abs() >= Decimal(1).scaleb(whole) or (self.sql_type.unsigned and number < 0):
            raise self._out_of_range(whole)
        return rounded if rounded else rounded.copy_abs()

    def _out_of_range(self, whole: int) -> ValueRejected:
        sign = ", not negative" if self.sql_type.unsigned else ""
        return ValueRejected(
            f"the number is out of range: {self.sql_type.ddl} has {whole} digits before the point{sign}"
        )

    def to_bson(self, stored: object) -> object:
        number = cast("Decimal", stored)
        if not self._split:
            return Decimal128(number)
        high = _LEADING.plus(number)
        return {"hi": Decimal128(high), "lo": Decimal128(_WIDE.subtract(number, high))}

    def stored_from_bson(self, value: object) -> Decimal:
        number = self._joined(value)
        if number is not None and number.is_finite():
            stored = number.quantize(self._unit, context=_WIDE)
            if stored == number:
                return stored
        raise foreign(value, f"{self.bson_form} of the scale of {self.sql_type.ddl}")

    def _joined(self, value: object) -> Decimal | None:
        if not self._split:
            return value.to_decimal() if isinstance(value, Decimal128) else None
        if not isinstance(value, dict) or tuple(value) != ("hi", "lo"):
            return None
        high, low = value.values()
        if not isinstance(high, Decimal128) or not isinstance(low, Decimal128):
            return None
        return _WIDE.add(high.to_decimal(), low.to_decimal())


def _decimal(value: object) -> Decimal:
    """The exact number given; a float stands for its shortest decimal text, which is what reaches MySQL too."""
    if isinstance(value, int):
        return Decimal(int(value))
    if isinstance(value, float):
        number = Decimal(float.__repr__(value))
    elif isinstance(value, Decimal):
        number = value
    elif isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise ValueRejected("the text is not a decimal number")
        number = Decimal(value)
    else:
        raise wrong_type(value, "Decimal, int, float or numeric str")
    if not number.is_finite():
        raise ValueRejected("NaN and infinity cannot be stored")
    return number


@dataclass(frozen=True)
class DoubleCodec(Codec):
    """DOUBLE. A negative zero keeps its sign, as in MySQL; MariaDB drops it."""

    @property
    def bson_form(self) -> str:
        return "double"

    def check(self, value: object) -> float:
        if not isinstance(value, (int, float, Decimal)):
            raise wrong_type(value, "float, int or Decimal")
        try:
            number = float(value)
        except (OverflowError, ValueError):  # an int beyond all doubles; a signalling NaN
            number = inf
        if not isfinite(number):
            raise ValueRejected(f"NaN, infinity and numbers beyond the range of {self.sql_type.base} cannot be stored")
        if self.sql_type.unsigned and number < 0:
            raise ValueRejected(f"the number is negative, which {self.sql_type.ddl} cannot hold")
        return number

    def stored_from_bson(self, value: object) -> float:
        if not isinstance(value, float) or not isfinite(value):
            raise foreign(value, "a finite double")
        return value


@dataclass(frozen=True)
class FloatCodec(DoubleCodec):
    """FLOAT: held in single precision, yet printed by MySQL with 6 significant digits, which lose up to 2 of them.

    So the stored value is the exact single-precision number as a Python float, the public value what MySQL prints.
    """

    @property
    def bson_form(self) -> str:
        return "double: the exact single-precision number"

    def check(self, value: object) -> float:
        number = super().check(value)
        if abs(number) > _FLOAT_MAX:
            raise ValueRejected("the number is out of range: FLOAT ends at 3.402823466e38")
        return _single(number)

    def exact_sql(self, column_sql: str) -> str:
        return f"CAST({column_sql} AS DOUBLE)"

    def stored_from_bson(self, value: object) -> float:
        number = super().stored_from_bson(value)
        if abs(number) > _FLOAT_MAX or _single(number) != number:
            raise foreign(value, "a double of single precision")
        return number

    def public(self, stored: object) -> float:
        return float(f"{stored:.6g}")


def _single(number: float) -> float:
    single: float = struct.unpack("<f", struct.pack("<f", number))[0]
    return single


@dataclass(frozen=True)
class YearCodec(Codec):
    """YEAR. Two-digit years are refused: MySQL would move them into 1970 to 2069."""

    @property
    def bson_form(self) -> str:
        return "int"

    def check(self, value: object) -> int:
        if isinstance(value, str) and _YEAR.fullmatch(value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong_type(value, "int, or str of four digits")
        if not _is_year(value):
            raise ValueRejected("the year is out of range: YEAR is 0 or 1901 to 2155, in full")
        return int(value)

    def stored_from_bson(self, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not _is_year(value):
            raise foreign(value, "a year as an integer")
        return int(value)


def _is_year(year: int) -> bool:
    return year == 0 or 1901 <= year <= 2155
