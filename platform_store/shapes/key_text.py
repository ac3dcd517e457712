"""``_id``s of several BSON types as text: the key of a collection whose ``_id``s are not all of one kind.

The text is injective, and under a binary collation it sorts as MongoDB sorts the values:

=======================  ========================================  ===================================================
type                     text                                      order
=======================  ========================================  ===================================================
MinKey, null, MaxKey     ``0``, ``1``, ``x``
numbers                  ``2`` and sign, exponent, digits          by value, whatever their types: to MongoDB, too, the
                                                                   ``_id``s 5 and 5.0 are one
string                   ``3`` and the string                      as in MongoDB
document                 ``4`` and its bytes in hexadecimal        by length first
binary                   ``5``, length, subtype, bytes             as in MongoDB
ObjectId                 ``6`` and its digits                      as in MongoDB
bool                     ``7f``, ``7t``                            as in MongoDB
date                     ``8`` and milliseconds                    as in MongoDB
others                   ``9`` and type byte, bytes                timestamps alone as in MongoDB
=======================  ========================================  ===================================================

Pure.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Context, Decimal
from typing import Any, Final

from bson import Decimal128, MaxKey, MinKey, ObjectId
from bson.datetime_ms import DatetimeMS
from bson.errors import BSONError
from bson.int64 import Int64

from platform_store.errors import ValueRejected
from platform_store.shapes.elements import decoded, value_bytes

MAX_LENGTH: Final = 768  # characters of utf8mb4 in a key of InnoDB
_EXPONENTS: Final = 10_000  # more than a double's or a Decimal128's, of either sign
_WIDE: Final = Context(prec=1200, Emin=-9999, Emax=9999)
_DATES: Final = 2**63
_DIGITS: Final = 40
"""What is kept of a double: more than a Decimal128 has, and than it takes to tell it from the next."""
_MORE: Final = "+"  # after them
_NINES: Final = str.maketrans("0123456789", "9876543210")
_TIMESTAMP: Final = 0x11


def key_text(value: Any) -> str:
    """The key of an ``_id``. Raises ValueRejected where it is longer than a key can be."""
    text = _text(value)
    if len(text) > MAX_LENGTH:
        raise ValueRejected(f"an _id of {len(text)} characters as a key: MySQL's keys end at {MAX_LENGTH}")
    return text


def from_key_text(text: str) -> Any:
    """The ``_id`` of a key; a number as the smallest type that holds it. Raises ValueRejected for what is no key."""
    try:
        value = _value(text[:1], text[1:])
        if _text(value) != text:
            raise ValueError
        return value
    except (ValueError, ArithmeticError, BSONError, LookupError):
        raise ValueRejected("the text is not the key of any _id") from None


def _text(value: Any) -> str:
    if value is None:
        return "1"
    if isinstance(value, bool):
        return "7t" if value else "7f"
    if isinstance(value, int):
        return "2" + _number(Decimal(int(value)))
    if isinstance(value, float):
        return "2" + _number(_WIDE.create_decimal(value))
    if isinstance(value, Decimal128):
        return "2" + _number(value.to_decimal())
    if isinstance(value, str) and type(value) is str:
        return "3" + value
    if isinstance(value, ObjectId):
        return f"6{value}"
    if isinstance(value, datetime | DatetimeMS):
        return f"8{_milliseconds(value) + _DATES:016x}"
    return _other(value)


def _other(value: Any) -> str:
    if isinstance(value, MinKey):
        return "0"
    if isinstance(value, MaxKey):
        return "x"
    raw = value_bytes(value)
    if raw[0] == 0x03:
        return "4" + raw[1:].hex()
    if raw[0] == 0x05:
        return f"5{int.from_bytes(raw[1:5], 'little'):08x}{raw[5:].hex()}"
    if raw[0] == _TIMESTAMP:  # big-endian, so that it sorts
        return f"9{raw[0]:02x}{raw[:0:-1].hex()}"
    return f"9{raw[0]:02x}{raw[1:].hex()}"


def _number(number: Decimal) -> str:
    """Sortable: NaN, then negative numbers from the lowest on, zero, positive ones; no zero at the end counts."""
    if number.is_nan():
        return "!"
    if number.is_infinite():
        return "-" if number < 0 else "~"
    if not number:
        return "0"
    sign, digits, _ = number.as_tuple()
    plain = "".join(map(str, digits)).rstrip("0")
    if len(plain) > _DIGITS:
        plain = plain[:_DIGITS] + _MORE
    text = f"{number.adjusted() + _EXPONENTS:05}.{plain}"
    return f"-{text.translate(_NINES)}:" if sign else f"1{text}"


def _milliseconds(moment: datetime | DatetimeMS) -> int:
    return int(moment) if isinstance(moment, DatetimeMS) else int(DatetimeMS(moment))


def _value(rank: str, rest: str) -> Any:
    if rank == "2":
        return _from_number(rest)
    if rank == "3":
        return rest
    if rank == "6":
        return ObjectId(rest)
    if rank == "8":
        return decoded(b"\x09" + (int(rest, 16) - _DATES).to_bytes(8, "little", signed=True))
    if rank == "4":
        return decoded(b"\x03" + bytes.fromhex(rest))
    if rank == "5":
        return decoded(b"\x05" + int(rest[:8], 16).to_bytes(4, "little") + bytes.fromhex(rest[8:]))
    if rank == "9":
        kind, data = bytes.fromhex(rest[:2]), bytes.fromhex(rest[2:])
        return decoded(kind + (data[::-1] if kind[0] == _TIMESTAMP else data))
    return {"0": MinKey(), "1": None, "x": MaxKey(), "7t": True, "7f": False}[rank + rest]


def _from_number(text: str) -> Any:
    if text == "!":
        return float("nan")
    if text in ("-", "~"):
        return float("-inf" if text == "-" else "inf")
    if text == "0":
        return 0
    negative = text.startswith("-")
    plain = text[1:-1].translate(_NINES) if negative else text[1:]
    cut = plain.endswith(_MORE)
    exponent, _, digits = plain.rstrip(_MORE).partition(".")
    number = Decimal((int(negative), tuple(map(int, digits)), int(exponent) - _EXPONENTS - len(digits) + 1))
    if number == number.to_integral_value() and -(2**63) <= number < 2**63:
        return int(number) if -(2**31) <= number < 2**31 else Int64(int(number))
    return float(number) if cut or _WIDE.create_decimal(float(number)) == number else Decimal128(number)
