"""Rows of MySQL's binary protocol as documents, a column at a time. Pure.

A codec knows each value by itself; here the values of a column become BSON together, in C wherever they are what rows
nearly always hold. All others go through the codec one by one: no way gives other bytes than the codec's value does.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import partial
from itertools import repeat
from struct import Struct
from struct import error as struct_error
from typing import Any, Final, TypeAlias

import bson

from platform_store.association import Association, Column
from platform_store.halves import CODEC_OPTIONS
from platform_store.names import quote
from platform_store.sqltypes import BLOB_BYTES, GEOMETRY_TYPES, TEXT_BYTES, SqlType
from platform_store.stores.memo import Memo
from platform_store.stores.mysql_wire import Raw, Split

Parts: TypeAlias = list[Iterable[bytes]]
"""What follows one another in each row's document, column by column."""

_Encode: TypeAlias = Callable[[Raw], Parts]

_CODES: Final = {"TINYINT": "b", "SMALLINT": "h", "MEDIUMINT": "4s", "INT": "4s", "BIGINT": "q"}
_OTHER_CODES: Final = {"YEAR": "h", "FLOAT": "8s", "DOUBLE": "8s"}  # FLOAT is read as DOUBLE
_TEXTS: Final = ("CHAR", "VARCHAR", *TEXT_BYTES)
_BYTES: Final = ("BINARY", "VARBINARY", "BIT", *BLOB_BYTES, *GEOMETRY_TYPES)

# Types of BSON (bsonspec.org)
_DOUBLE, _STRING, _DOCUMENT, _BINARY, _DATE = b"\x01", b"\x02", b"\x03", b"\x05", b"\x09"
_INT32, _INT64, _DECIMAL128 = b"\x10", b"\x12", b"\x13"

_int32, _int64 = Struct("<i").pack, Struct("<q").pack
_uint64: Final = Struct("<Q").pack
_INT32_LOW, _INT32_HIGH = -(1 << 31), (1 << 31) - 1
_BIAS: Final = 6176  # of a Decimal128's exponent, which has 14 bits above 49 of the coefficient's
_DIGITS: Final = 34
_HALF: Final = 1 << 64
_DATE_FSP: Final = 3  # a BSON date counts milliseconds
_MOMENT_WIDTH: Final = len("YYYY-MM-DD HH:MM:SS.ffffff")
_MANY_DIGITS: Final = re.compile(rb"[0-9.]{16}|[0-9][eE]").search
_EPOCH: Final = datetime.date(1970, 1, 1).toordinal()
_DAY: Final = 86_400_000  # milliseconds
_RAW: Final = {"4s": Struct("<i"), "8s": Struct("<d")}
_YMD: Final = Struct("<HBB")
_HMS: Final = Struct("<BBB")
_MOMENT: Final = Struct("<4sBBBI")  # of which the server leaves out what is zero at the end
_TIME: Final = Struct("<BIBBB")


class _Exceptional(Exception):
    """A value that is not what nearly every value is: the column goes through its codec."""


class RowEncoder:
    """Makes documents of the rows of one table.

    ``expressions``: what to select, in this order, ``codes`` what the server answers with. ``overhead``: how much
    longer a document may be than its row, but for values that grow.
    """

    def __init__(self, association: Association):
        self.association = association
        ordered = sorted(association.columns, key=lambda column: not _code(column.type))
        self.codes = [_code(column.type) for column in ordered]
        self.expressions = ", ".join(column.codec.exact_sql(f"t.{quote(column.name)}") for column in ordered)
        self.overhead = sum(len(column.field.encode()) + 8 for column in ordered)
        self._order = {column.name: number for number, column in enumerate(ordered)}
        placed = self._placed(association.document_columns)
        self._columns = [(number, _ColumnEncoder(column, column.field)) for column, number in placed]
        if len(association.key_columns) == 1:
            (column,) = association.key_columns
            self._keys = [(self._order[column.name], _ColumnEncoder(column, "_id"))]
        else:
            placed = self._placed(association.key_columns)
            self._keys = [(number, _ColumnEncoder(column, column.field)) for column, number in placed]
        self._whole = Memo(lambda length: _int32(length + 4))

    def _placed(self, columns: Iterable[Column]) -> list[tuple[Column, int]]:
        return [(column, self._order[column.name]) for column in columns]

    def documents(self, rows: Split) -> list[bytes]:
        parts = [part for number, encoder in self._keys for part in encoder.parts(rows, number)]
        if len(self._keys) > 1:
            parts = [repeat(_DOCUMENT + b"_id\0"), self._joined(parts)]
        for number, encoder in self._columns:
            parts += encoder.parts(rows, number)
        return self._joined(parts) if rows.number else []

    def _joined(self, parts: Parts) -> list[bytes]:
        lengths = self._whole
        return [lengths[len(body)] + body for body in map(b"".join, zip(*parts, repeat(b"\0"), strict=False))]


class _ColumnEncoder:
    """The fields of one column, under one name."""

    def __init__(self, column: Column, field: str):
        self._codec, self._field = column.codec, field
        json_column = column.type.base == "JSON"
        self._encode = self._json if json_column else _fast(column.type, field.encode() + b"\0")

    def parts(self, rows: Split, number: int) -> Parts:
        values = rows.columns[number]
        if number not in rows.null:
            return self._present(values)
        present = [value for value in values if value is not None]
        if not present:
            return []
        fields = map(b"".join, zip(*self._present(present), strict=False))
        return [[b"" if value is None else next(fields) for value in values]]

    def _present(self, values: Raw) -> Parts:
        if self._encode is not None:
            try:
                return self._encode(values)
            except _Exceptional:
                pass
        return [[self._by_codec(value) for value in values]]

    def _by_codec(self, raw: Any) -> bytes:
        return self._written(self._codec.to_bson(self._codec.from_exact(_read(self._codec.sql_type, raw))))

    def _json(self, values: Raw) -> Parts:
        """A codec looks at each number's digits; where there are few, Python's json reads what they say."""
        fields = []
        for raw in values:
            value = None if _MANY_DIGITS(raw) else json.loads(raw)
            plain = value is not None
            fields.append(self._written(self._codec.encode(value)) if plain else self._by_codec(raw))
        return [fields]

    def _written(self, value: object) -> bytes:
        return bson.encode({self._field: value}, codec_options=CODEC_OPTIONS)[4:-1]


def _code(sql_type: SqlType) -> str:
    code = _CODES.get(sql_type.base)
    if code is None:
        return _OTHER_CODES.get(sql_type.base, "")
    return {"b": "B", "h": "H", "4s": "I", "q": "Q"}[code] if sql_type.unsigned else code


def _fast(sql_type: SqlType, name: bytes) -> _Encode | None:
    """Whole columns of a type, of fields called ``name``; they raise _Exceptional. None: the codec knows best."""
    base = sql_type.base
    if base in _CODES or base in ("YEAR", "TIME"):
        return _integers(_code(sql_type), name)
    if base in _TEXTS:
        return partial(_sized, Memo(lambda length: _STRING + name + _int32(length + 1)), b"\0")
    if base in _BYTES:
        return partial(_sized, Memo(lambda length: _BINARY + name + _int32(length) + b"\0"), b"")
    if base in ("ENUM", "SET"):
        return _remembered(lambda raw: _STRING + name + _int32(len(raw) + 1) + raw + b"\0")
    if base == "DECIMAL" and (sql_type.precision or 0) <= _DIGITS:
        return partial(_decimals, _DECIMAL128 + name, sql_type.scale or 0)
    if base == "DATE":
        return _remembered(lambda raw: _DATE + name + _int64(_milliseconds(raw)))
    if base in ("DATETIME", "TIMESTAMP"):
        if sql_type.fsp <= _DATE_FSP:
            return partial(_dates, _DATE + name, Memo(_milliseconds))
        return partial(_moments, _STRING + name + _int32(_MOMENT_WIDTH + 1), Memo(_day_text), Memo(_clock_text))
    return partial(_same, _DOUBLE + name) if base in ("FLOAT", "DOUBLE") else None


def _same(head: bytes, values: Raw) -> Parts:
    """What is in BSON as it is in the row."""
    return [repeat(head), values]


def _sized(heads: Memo, end: bytes, values: Raw) -> Parts:
    return [heads.of(map(len, values)), values, *([repeat(end)] if end else [])]


def _remembered(field: Callable[[Any], bytes]) -> _Encode:
    memo = Memo(field)
    return lambda values: [memo.of(values)]


def _integers(code: str, name: bytes) -> _Encode:
    short, long = _INT32 + name, _INT64 + name
    if code == "4s":
        return partial(_same, short)
    if code in ("b", "B", "h", "H"):
        return _remembered(lambda value: short + _int32(value))
    return partial(_by_magnitude, short, long, _microseconds if not code else None)


def _by_magnitude(short: bytes, long: bytes, read: Callable[[Any], int] | None, values: Raw) -> Parts:
    numbers: Iterable[int] = values if read is None else map(read, values)
    try:
        return [
            [short + _int32(value) if _INT32_LOW <= value <= _INT32_HIGH else long + _int64(value) for value in numbers]
        ]
    except struct_error:  # beyond int64
        raise _Exceptional from None


def _decimals(head: bytes, scale: int, values: Raw) -> Parts:
    """As Decimal128: sign, exponent, coefficient (IEEE 754, binary integer decimal)."""
    exponent = _BIAS - scale << 49
    plus, minus = _uint64(exponent), _uint64(exponent | 1 << 63)
    fields = []
    for text in values:
        number = int(text.replace(b".", b""))
        if -_HALF < number < _HALF:
            if number > 0 or text[:1] != b"-":
                fields.append(head + _uint64(number) + plus)
            elif number:
                fields.append(head + _uint64(-number) + minus)
            else:
                raise _Exceptional
        else:
            size = abs(number)
            upper = exponent | size >> 64 | (1 << 63 if number < 0 else 0)
            fields.append(head + _uint64(size & _HALF - 1) + _uint64(upper))
    return [fields]


def _dates(head: bytes, days: Memo, values: Raw) -> Parts:
    padded = values if set(map(len, values)) == {_MOMENT.size} else [one.ljust(_MOMENT.size, b"\0") for one in values]
    return [
        repeat(head),
        [
            _int64(days[day] + ((hour * 60 + minute) * 60 + second) * 1000 + fraction // 1000)
            for day, hour, minute, second, fraction in _MOMENT.iter_unpack(b"".join(padded))
        ],
    ]


def _moments(head: bytes, days: Memo, times: Memo, values: Raw) -> Parts:
    return [repeat(head), [days[value[:4]] + times[value[4:]] for value in values]]


def _milliseconds(raw: bytes) -> int:
    """Of a day, since 1970."""
    try:
        return (datetime.date(*_YMD.unpack(raw)).toordinal() - _EPOCH) * _DAY
    except (ValueError, struct_error):  # zero and partly zero dates
        raise _Exceptional from None


def _clock(raw: bytes) -> tuple[int, int, int, int]:
    """Hours, minutes, seconds and microseconds, of which the server leaves out what is zero at the end."""
    hour, minute, second = _HMS.unpack_from(raw) if raw else (0, 0, 0)
    return hour, minute, second, int.from_bytes(raw[3:], "little")


def _day_text(raw: bytes) -> bytes:
    year, month, day = _YMD.unpack(raw) if raw else (0, 0, 0)
    return f"{year:04}-{month:02}-{day:02} ".encode()


def _clock_text(raw: bytes) -> bytes:
    hour, minute, second, fraction = _clock(raw)
    return f"{hour:02}:{minute:02}:{second:02}.{fraction:06}\0".encode()


def _microseconds(raw: bytes) -> int:
    """Of a TIME."""
    if not raw:
        return 0
    negative, days, hour, minute, second = _TIME.unpack_from(raw)
    fraction = int.from_bytes(raw[_TIME.size :], "little")
    size: int = (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + fraction
    return -size if negative else size


def _read(sql_type: SqlType, raw: Any) -> object:
    """A value as PyMySQL's default decoders give it from text."""
    base = sql_type.base
    if base in ("DATE", "DATETIME", "TIMESTAMP"):
        return _read_date(sql_type, raw)
    if base == "TIME":
        return datetime.timedelta(microseconds=_microseconds(raw))
    if base == "DECIMAL":
        return Decimal(raw.decode())
    if isinstance(raw, bytes) and _code(sql_type):
        return _RAW[_code(sql_type)].unpack(raw)[0]
    return raw.decode() if base in (*_TEXTS, "ENUM", "SET", "JSON") else raw


def _read_date(sql_type: SqlType, raw: bytes) -> object:
    year, month, day = _YMD.unpack_from(raw) if raw else (0, 0, 0)
    hour, minute, second, fraction = _clock(raw[4:])
    try:
        if sql_type.base == "DATE":
            return datetime.date(year, month, day)
        return datetime.datetime(year, month, day, hour, minute, second, fraction)
    except ValueError:
        pass
    text = f"{year:04}-{month:02}-{day:02}"
    if sql_type.base == "DATE":
        return text
    digits = f".{fraction:06}"[: sql_type.fsp + 1] if sql_type.fsp else ""
    return f"{text} {hour:02}:{minute:02}:{second:02}{digits}"
