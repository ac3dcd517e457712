"""How columns of numbers hold BSON values. Pure."""

from __future__ import annotations

from decimal import Context, Decimal
from math import isfinite
from struct import Struct
from typing import Any, Final, cast

from bson import Decimal128
from bson.int64 import Int64

from platform_store.shapes.form import INEXACT, Form, Way
from platform_store.shapes.target import TargetColumn
from platform_store.sqltypes import INTEGER_BITS

INT32: Final = range(-(2**31), 2**31)
_MAX_EXPONENT: Final = 400
_WIDE: Final = Context(prec=100)
_DECIMAL128: Final = Struct("<QQ")
_SPECIAL: Final = 0x6000_0000_0000_0000
_SUPPORTED_DIGITS: Final = 34
_BIAS: Final = 6176
_NUMBERS: Final = (int, float, Decimal128)


class IntegerForm(Form):
    def __init__(self, column: TargetColumn):
        super().__init__(column)
        self._wide = column.meaning == "long"
        self._narrow = column.meaning == "int"
        self.as_it_is = not self._wide
        bits = INTEGER_BITS[column.sql_type.base]
        unsigned = column.sql_type.unsigned
        low, high = (0, 1 << bits) if unsigned else (-(1 << (bits - 1)), 1 << (bits - 1))
        self._range = range(low, high)
        holds_all = not unsigned and bits >= 32
        ways: dict[type, Way] = {}
        if not self._wide:
            ways[int] = None if holds_all else self._fits
        if not self._narrow:
            ways[Int64] = None if self._wide and not unsigned and bits == 64 else self._fits_wide
        self.ways = ways

    def _fits(self, value: int) -> Any:
        return value if value in self._range else INEXACT

    def _fits_wide(self, value: Int64) -> Any:
        number = int(value)
        return number if number in self._range and (self._wide or number not in INT32) else INEXACT

    def _held(self, value: Any) -> Any:
        number = _whole(value)
        return None if number is None else self._encoded(number)

    def back(self, natural: Any) -> Any:
        if not isinstance(natural, int):
            return natural  # above int64
        number = int(natural)
        return Int64(number) if self._wide or number not in INT32 else number


def _whole(value: Any) -> int | None:
    """The integer that a number is."""
    if isinstance(value, bool) or not isinstance(value, _NUMBERS):
        return None
    number = value.to_decimal() if isinstance(value, Decimal128) else value
    if not isinstance(number, int) and (not _finite(number) or number != int(number)):
        return None
    return int(number)


def _finite(number: float | Decimal) -> bool:
    if isinstance(number, Decimal):
        return number.is_finite() and abs(number.adjusted()) < _MAX_EXPONENT
    return isfinite(number)


class DoubleForm(Form):
    def __init__(self, column: TargetColumn):
        super().__init__(column)
        self._numbers = column.meaning == "number"
        self.as_it_is = not self._numbers
        self.ways = {float: self._float, int: float} if self._numbers else {float: self._float}

    def _float(self, value: float) -> Any:
        if not isfinite(value) or (not value and str(value)[0] == "-"):
            return INEXACT
        if self._numbers and value.is_integer() and int(value) in INT32:
            return INEXACT
        return value

    def _held(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, _NUMBERS):
            return None
        number = float(value.to_decimal() if isinstance(value, Decimal128) else value)
        return self._encoded(number or 0.0)

    def back(self, natural: Any) -> Any:
        if self._numbers and isinstance(natural, float) and natural.is_integer() and int(natural) in INT32:
            return int(natural)
        return natural


class DecimalForm(Form):
    def __init__(self, column: TargetColumn):
        super().__init__(column)
        self._precision = cast("int", column.sql_type.precision)
        self._scale = cast("int", column.sql_type.scale)
        self._exponent = _BIAS - self._scale
        self._end = 10**self._precision
        self._shortest = column.meaning == "shortest-decimal"
        self.as_it_is = not self._shortest and self._precision <= _SUPPORTED_DIGITS
        if not self._shortest and self._precision <= _SUPPORTED_DIGITS and not column.sql_type.unsigned:
            self.ways = {Decimal128: self._at_scale}

    def _at_scale(self, value: Decimal128) -> Any:
        low, high = _DECIMAL128.unpack(value.bid)
        if high & _SPECIAL == _SPECIAL or (high >> 49 & 0x3FFF) != self._exponent:
            return INEXACT
        coefficient = (high & 0x1_FFFF_FFFF_FFFF) << 64 | low
        return value if coefficient < self._end and (coefficient or not high >> 63) else INEXACT

    def _held(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, _NUMBERS):
            return None
        number = value.to_decimal() if isinstance(value, Decimal128) else value
        if isinstance(number, Decimal) and not _finite(number):
            return None
        return self._encoded(number)

    def back(self, natural: Any) -> Any:
        if self.as_it_is:
            return natural
        number = self.codec.stored_from_bson(natural)
        if not isinstance(number, Decimal) or len(number.as_tuple().digits) > _SUPPORTED_DIGITS:
            return natural
        return Decimal128(_shortest(number) if self._shortest else number)


def _shortest(number: Decimal) -> Decimal:
    stripped = number.normalize(_WIDE)
    return stripped.quantize(Decimal(1), context=_WIDE) if cast("int", stripped.as_tuple().exponent) > 0 else stripped
