"""Documents' BSON as the text of rows, with no Python value for most of what is in them. Pure.

A regular expression takes a document apart whose fields are a table's columns, in their order, each of the BSON type
that its column has in documents, null, or absent. For whatever else a document is there is the longer way.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, Final, NamedTuple, TypeAlias

from platform_store.association import Column
from platform_store.errors import ValueRejected
from platform_store.sqltypes import INTEGER_BITS, TEXT_BYTES
from platform_store.stores.memo import Memo
from platform_store.stores.mysql_upload import Texts
from platform_store.stores.mysql_values import decimal_texts

Write: TypeAlias = Callable[[Column, Sequence[Any]], Texts]
"""The texts of a column's values, None among them. Raises ValueRejected."""

_Raw: TypeAlias = Sequence[bytes]
"""What a group has found in each document; nothing where there is no value."""

_Read: TypeAlias = Callable[[Sequence[bytes]], Sequence[Any]]
"""What becomes of the values that are there. Raises ValueError or OverflowError for those that are out of the way."""

# Types of BSON (bsonspec.org), of fields by the name that is put in
_INTEGER: Final = rb"\x10%(name)b\0(.{4})|\x12%(name)b\0(.{8})"
_STRING: Final = rb"\x02%(name)b\0(.{4})([^\0]*\0)"
_DOUBLE: Final = rb"\x01%(name)b\0(.{8})"
_DATE: Final = rb"\x09%(name)b\0(.{8})"
_DECIMAL128: Final = rb"\x13%(name)b\0(.{16})"
_NULL: Final = rb"\x0a%(name)b\0"
_NO_FIELD: Final = rb"(?!.%(name)b\0)"  # or each column's value would be passed over before a document is odd

_INTEGERS: Final = (*INTEGER_BITS, "TIME", "YEAR")
_STRINGS: Final = ("CHAR", "VARCHAR", *TEXT_BYTES, "ENUM", "SET", "DATETIME", "TIMESTAMP")
_ABSENT: Final = b""
_EPOCH: Final = datetime(1970, 1, 1)
_MILLISECONDS: Final = 3  # digits


class _Field(NamedTuple):
    """``texts`` of what the groups of ``pattern`` have found, for all documents."""

    pattern: bytes
    texts: Callable[..., Texts]


class ImageReader:
    """Reads documents as rows of one table."""

    def __init__(self, fields: Sequence[_Field]):
        self._match = re.compile(rb".{4}%b\0" % b"".join(field.pattern for field in fields), re.DOTALL).fullmatch
        self._fields = [(field.texts, re.compile(field.pattern).groups) for field in fields]
        self._groups = sum(count for _, count in self._fields)

    @classmethod
    def of(cls, columns: Sequence[Column], write: Write) -> ImageReader | None:
        """None for a key of several columns, and for types that a regular expression does not delimit."""
        fields = [_field(column, write) for column in columns]
        known = [field for field in fields if field is not None]
        return cls(known) if len(known) == len(fields) and sum(column.key for column in columns) == 1 else None

    def columns(self, images: Sequence[bytes]) -> list[Texts] | None:
        """The texts of the key and of the columns of documents; None where one of these takes the longer way."""
        flat: list[bytes] = []  # containers by the document would be the garbage collector's work
        for image in images:
            match = self._match(image)
            if match is None:
                return None
            flat += match.groups(_ABSENT)
        groups = iter([flat[number :: self._groups] for number in range(self._groups)])
        try:
            return [texts(*islice(groups, count)) for texts, count in self._fields]
        except (ValueError, OverflowError, ValueRejected):
            return None


def _field(column: Column, write: Write) -> _Field | None:
    name = re.escape(b"_id" if column.key else column.field.encode())
    found = _found(column, partial(write, column))
    if found is None:
        return None
    value, texts = found
    pattern = b"(?:%b)" % value if column.key else b"(?:%b|%b|%b)" % (value, _NULL, _NO_FIELD)
    return _Field(pattern % {b"name": name}, texts)


def _found(column: Column, write: Callable[[Sequence[Any]], Texts]) -> tuple[bytes, Callable[..., Texts]] | None:
    """What finds the values of a column, and makes texts of what it finds."""
    base = column.type.base
    if base in _INTEGERS:
        return _INTEGER, partial(_of_integers, write)
    if base in ("DOUBLE", "FLOAT"):
        return _DOUBLE, lambda raws: write(_filled(_doubles, raws))
    if base == "DECIMAL":
        return _DECIMAL128, partial(_filled, decimal_texts)
    if base == "DATE":
        return _DATE, partial(_filled, Memo(_day).of)
    if base in ("DATETIME", "TIMESTAMP") and column.codec.bson_form.startswith("date"):
        return _DATE, partial(_filled, _moments(column.type.fsp))
    return (_STRING, partial(_of_strings, write)) if base in _STRINGS else None


def _filled(read: _Read, raws: _Raw) -> list[Any]:
    """What ``read`` makes of the values that are there; None where there is none."""
    present = list(filter(None, raws))
    if len(present) == len(raws):
        return list(read(present))
    found = iter(read(present))
    return [next(found) if raw else None for raw in raws]


def _of_integers(write: Callable[[Sequence[Any]], Texts], short: _Raw, long: _Raw) -> Texts:
    raws = [one or other for one, other in zip(short, long, strict=True)] if any(long) else short
    return write(_filled(_numbers, raws))


def _numbers(raws: Sequence[bytes]) -> Sequence[int]:
    sizes = set(map(len, raws))
    if len(sizes) > 1:
        return [int.from_bytes(raw, "little", signed=True) for raw in raws]
    return struct.unpack(f"<{len(raws)}{'i' if sizes == {4} else 'q'}", b"".join(raws))


def _doubles(raws: Sequence[bytes]) -> Sequence[float]:
    return struct.unpack(f"<{len(raws)}d", b"".join(raws))


def _of_strings(write: Callable[[Sequence[Any]], Texts], sizes: _Raw, raws: _Raw) -> Texts:
    """Texts end with a NUL. One that holds another is longer than was found."""
    told = b"".join(sizes)
    if list(struct.unpack(f"<{len(told) // 4}i", told)) != list(map(len, filter(None, raws))):
        raise ValueError("a text holds a NUL")
    return write(_filled(lambda present: b"".join(present).decode().split("\0")[:-1], raws))


def _day(raw: bytes) -> str:
    """Raises ValueError for a moment within a day."""
    day, rest = divmod(int.from_bytes(raw, "little", signed=True), 86_400_000)
    if rest:
        raise ValueError("more than a day")
    return (_EPOCH + timedelta(day)).date().isoformat()


def _moments(fsp: int) -> _Read:
    hours = Memo(lambda hour: (_EPOCH + timedelta(hours=hour)).isoformat(" ", "hours") + ":")
    seconds = Memo(lambda second: f"{second // 60:02}:{second % 60:02}.")
    unit = 10 ** (_MILLISECONDS - fsp)

    def texts(raws: Sequence[bytes]) -> list[str]:
        moments = struct.unpack(f"<{len(raws)}q", b"".join(raws))
        if unit > 1 and any(moment % unit for moment in moments):
            raise ValueError("finer than its column")
        return [f"{hours[one // 3_600_000]}{seconds[one // 1000 % 3600]}{one % 1000:03}" for one in moments]

    return texts
