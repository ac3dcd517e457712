"""Cells of a table of text: what they say, for each kind of column, and how a value is written so that it is read back.

A cell that is empty, or all white space, has no value. Everything else depends on the column:

- text is taken without white space at its ends. Behind an apostrophe it is taken as it stands, where that makes a
  difference: text that begins or ends with white space, the empty text (``'``), and formulas, see below.
- numbers and amounts: full-width digits, thousands separators, ``¥`` ``元`` ``万元``; never rounded.
- days and moments: ``2026-06-01``, ``2026/6/1``, ``2026.6.1``, ``2026年6月1日``, ``20260601``; a moment with the time
  of day behind it (``8:30``, ``08:30:15.250``, ``8时30分15秒``) and, where it is there, an offset such as ``+08:00``.
  Below a millisecond it is cut off.
- JSON columns: JSON. ``null`` is JSON's null.
- one field of a JSON object (``custom.网点数``): JSON where it is written just as JSON writes a number, ``true``,
  ``false``, ``null``, an object, a list, or a text in quotes; else the text itself.

A spreadsheet runs text that begins with ``=``, ``+``, ``-`` or ``@`` as a formula (CSV injection): an apostrophe before
it keeps it from that.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Any, Final, NoReturn, TypeAlias, TypeVar

from platform_store import ColumnAttribute, JsonText

Read: TypeAlias = Callable[[str], object]
"""Gives a cell's value; raises Unreadable."""

T = TypeVar("T")

Write: TypeAlias = Callable[[Any], str]
"""Gives the cell of a value other than None."""

_INTEGER_BITS: Final = {"TINYINT": 8, "INT": 32, "BIGINT": 64}
_TEXT_BYTES: Final = 65_535
_FORMULA: Final = "=+-@＝＋－＠"
_MONEY: Final = re.compile(
    r"([+-]?)(?:¥|CNY|RMB|人民币)? ?([+-]?[\d.,]{1,28}) ?([万亿]?) ?(?:元|CNY|RMB)?", re.ASCII | re.IGNORECASE
)
_LONGEST_DIGITS: Final = 28  # what a Decimal holds exactly
_USUAL: Final = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
_UNITS: Final = {"": 0, "万": 4, "亿": 8}
_DIGITS: Final = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d*)?", re.ASCII)
_DAY: Final = r"(?:(\d{4})(?P<s>[-/.])(\d{1,2})(?P=s)(\d{1,2})|(\d{4})年(\d{1,2})月(\d{1,2})日|(\d{4})(\d\d)(\d\d))"
_CLOCK: Final = r"(?:[ T]|(?<=日))(\d{1,2})[:时点](\d{1,2})(?:分|[:分](\d{1,2})(?:\.(\d{1,9}))?秒?)?"
_DATE: Final = re.compile(_DAY + r"(?:[ T]0{1,2}:00(?::00(?:\.0+)?)?)?", re.ASCII)
_MOMENT: Final = re.compile(_DAY + rf"(?:{_CLOCK} ?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
_JSON_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?", re.ASCII)
_LONGEST_NUMBER: Final = 30  # characters of a double, and of an int64
_INT64: Final = range(-(2**63), 2**63)
_DEEPEST: Final = 90  # levels of JSON; MySQL takes 100


class Unreadable(ValueError):
    """A cell does not say what its column needs. The message does not repeat the cell."""


def reader(column: ColumnAttribute, zone: tzinfo = UTC) -> Read:
    """How the cells of a column are read. ``zone``: of moments without an offset."""
    name, _, arguments = column.type.partition("(")
    if name in ("VARCHAR", "CHAR"):
        return _text(int(arguments.rstrip(")")))
    if name == "TEXT":
        return _prose
    if name == "DECIMAL":
        precision, scale = (int(part) for part in arguments.rstrip(")").split(","))
        return _decimal(precision, scale)
    if name == "DATETIME":
        return _moment(zone)
    return {"DATE": _date, "JSON": _json}.get(name) or _integer(column.type)


def writer(column: ColumnAttribute, zone: tzinfo = UTC, *, formulas: bool = False) -> Write:
    """How values of a column are written. ``formulas``: leave text as it is even where a spreadsheet runs it."""
    name = column.type.partition("(")[0]
    if name in ("VARCHAR", "CHAR", "TEXT"):
        return _PROTECT[formulas]
    if name == "DATETIME":
        return lambda value: _moment_text(value, zone)
    return {"JSON": _json_text, "DECIMAL": "{:f}".format}.get(name, str)


def field_reader(text: str) -> object:
    """What a cell says about one field of a JSON object."""
    return field_value(text_of(text))


def field_writer(*, formulas: bool = False) -> Write:
    """How one field of a JSON object is written. None is JSON's null."""
    protect = _PROTECT[formulas]

    def write(value: object) -> str:
        plain = isinstance(value, str) and field_value(value) == value
        return protect(str(value) if plain else json.dumps(value, ensure_ascii=False))

    return write


def field_value(text: str) -> object:
    """The JSON that a text is, or the text itself."""
    if text[:1] in ("{", "[", '"') or text in ("true", "false", "null"):
        try:
            return _loads(text)
        except Unreadable:
            return text
    if len(text) <= _LONGEST_NUMBER and _JSON_NUMBER.fullmatch(text):
        number = json.loads(text)
        exact = number in _INT64 if isinstance(number, int) else True
        if exact and json.dumps(number) == text:
            return number
    return text


def text_of(cell: str) -> str:
    """The text that a cell is."""
    return cell[1:] if cell[0] == "'" and _protected(cell[1:]) else cell.strip()


def plain(text: str) -> str:
    """A number, a date or a word without full width and white space at its ends."""
    return text.strip() if text.isascii() else unicodedata.normalize("NFKC", text).strip()


def _protected(text: str, formulas: bool = False) -> bool:
    """Whether text needs an apostrophe. ``formulas``: not for being one."""
    bare = text.lstrip("'")
    if not bare or bare[0].isspace() or text[-1].isspace():
        return True
    return bare[0] in _FORMULA and not (formulas and text is bare)


def _protect(text: str) -> str:
    return f"'{text}" if _protected(text) else text


def _protect_no_formula(text: str) -> str:
    return f"'{text}" if _protected(text, formulas=True) else text


_PROTECT: Final = {False: _protect, True: _protect_no_formula}


def _text(length: int) -> Read:
    def read(text: str) -> str:
        text = text_of(text) if text[0] == "'" else text.strip()
        if len(text) > length:
            raise Unreadable(f"longer than {length} characters")
        return text

    return read


def _prose(text: str) -> str:
    text = text_of(text)
    if len(text) > _TEXT_BYTES // 4 and len(text.encode()) > _TEXT_BYTES:
        raise Unreadable(f"longer than {_TEXT_BYTES} bytes")
    return text


def _integer(type_: str) -> Read:
    name, _, sign = type_.partition(" ")
    bits = _INTEGER_BITS[name]
    bounds = range(2**bits) if sign else range(-(2 ** (bits - 1)), 2 ** (bits - 1))

    def read(text: str) -> int:
        exact = _number(text)
        number = int(exact)
        if number != exact:
            raise Unreadable("not a whole number")
        if number not in bounds:
            raise Unreadable(f"not between {bounds[0]} and {bounds[-1]}")
        return number

    return read


def _decimal(precision: int, scale: int) -> Read:
    limit, quantum = Decimal(10) ** (precision - scale), Decimal(1).scaleb(-scale)

    def read(text: str) -> Decimal:
        number = _number(text)
        if abs(number) >= limit:
            raise Unreadable(f"more than {precision - scale} digits before the point")
        rounded = number.quantize(quantum)
        if rounded != number:
            raise Unreadable(f"more than {scale} digits behind the point")
        return rounded if rounded else abs(rounded)  # not minus nothing

    return read


def _number(text: str) -> Decimal:
    """A number or an amount of money, exactly."""
    if len(text) <= _LONGEST_DIGITS and _USUAL.fullmatch(text):
        return Decimal(text)
    match = _MONEY.fullmatch(plain(text).replace("−", "-"))
    if match is None:
        raise Unreadable("not a number")
    sign, digits, unit = match.groups()
    if not _DIGITS.fullmatch(sign + digits):
        raise Unreadable("not a number")
    return Decimal((sign + digits).replace(",", "")).scaleb(_UNITS[unit])


def _date(text: str) -> date:
    match = _DATE.fullmatch(plain(text))
    if match is None:
        raise Unreadable("not a day, such as 2026-06-01")
    return _made(lambda: date(*_day_of(match)))


def _moment(zone: tzinfo) -> Read:
    def read(text: str) -> datetime:
        match = _MOMENT.fullmatch(plain(text))
        if match is None:
            raise Unreadable("not a moment, such as 2026-06-01 08:30")
        hour, minute, second, fraction, offset = match.groups()[-5:]
        millis = int((fraction or "")[:3].ljust(3, "0"))
        clock = (int(hour or 0), int(minute or 0), int(second or 0), millis * 1000)
        moment = _made(lambda: datetime(*_day_of(match), *clock))
        if offset is None and zone is UTC:
            return moment
        there = zone if offset is None else datetime.strptime(offset, "%z").tzinfo
        return _made(lambda: moment.replace(tzinfo=there).astimezone(UTC).replace(tzinfo=None))

    return read


def _day_of(match: re.Match[str]) -> tuple[int, int, int]:
    year, month, day = (int(part) for part in match.groups()[:10] if part is not None and part.isdigit())
    return year, month, day


def _made(make: Callable[[], T]) -> T:
    try:
        return make()
    except (ValueError, OverflowError):
        raise Unreadable("there is no such day or time") from None


def _moment_text(value: datetime, zone: tzinfo) -> str:
    there = value if zone is UTC else value.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
    return there.isoformat(" ", "seconds" if not there.microsecond else "milliseconds")


def _json(text: str) -> object:
    value = _loads(text)
    return JsonText("null") if value is None else value


def _json_text(value: object) -> str:
    return str(value) if isinstance(value, JsonText) else json.dumps(value, ensure_ascii=False)


def _loads(text: str) -> Any:
    try:
        value = _JSON.decode(text)
    except (ValueError, RecursionError):
        raise Unreadable('not JSON, such as ["a", "b"] or {"a": 1}') from None
    if text.count("[") + text.count("{") > _DEEPEST:
        _check_depth(value, _DEEPEST)
    if "\\u" in text and not _encodable(json.dumps(value, ensure_ascii=False)):
        raise Unreadable("JSON with half of a surrogate pair")
    return value


def _check_depth(value: object, left: int) -> None:
    if not left:
        raise Unreadable(f"JSON of more than {_DEEPEST} levels")
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_depth(part, left - 1)


def _encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(text)
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


_JSON: Final = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)
