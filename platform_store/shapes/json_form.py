"""BSON values as natural JSON, and back as far as a column's comment tells.

An ObjectId becomes its digits, a date ISO 8601 text, a Decimal128 its digits as text, a UUID its text, other bytes
base64. A column's ``types`` say at which keys that is what such text stands for, its ``order`` in which order the keys
of its objects stand. Whether a value comes back as it was is not decided here but compared by whoever asks. Pure.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import InvalidOperation
from math import isfinite
from typing import Any, Final
from uuid import UUID

from bson import DBRef, Decimal128, ObjectId, Regex, Timestamp
from bson.code import Code
from bson.int64 import Int64

MAX_LEVELS: Final = 30  # MariaDB refuses JSON of 32 and more
TYPES: Final = ("date", "decimal", "long", "objectId", "uuid")
"""What ``types`` may say of a key."""

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
OBJECT_ID: Final = re.compile(r"[0-9a-f]{24}")
_INTEGERS: Final = frozenset({int, Int64})
_TEXTS: Final = frozenset({str})
_MAX_ORDERS: Final = 2000
_SHORT_KEY: Final = 1000  # characters


class TooDeep(Exception):
    """The value has more levels than every server takes. Never reaches a user."""


def levels(value: Any) -> int:
    """How deep objects and arrays are nested."""
    if isinstance(value, dict):
        return 1 + max(map(levels, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(levels, value), default=0)
    return 3 if isinstance(value, DBRef) else 0


def to_json(value: Any, level: int = 0) -> Any:
    """The natural JSON of a value, the nearest there is; null where there is none. Raises TooDeep."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is float:
        return (value or 0.0) if isfinite(value) else None  # a negative zero does not survive everywhere
    if kind is dict:
        if level >= MAX_LEVELS:
            raise TooDeep
        return {key: to_json(item, level + 1) for key, item in value.items()}
    if kind is list:
        if level >= MAX_LEVELS:
            raise TooDeep
        return [to_json(item, level + 1) for item in value]
    convert = _OTHERS.get(kind)
    if convert is not None:
        return convert(value)
    if isinstance(value, DBRef):
        return to_json(dict(value.as_doc()), level)
    return b64encode(value).decode() if isinstance(value, bytes) else None


def iso(moment: datetime) -> str:
    """ISO 8601 of a BSON date, which is in UTC and counts milliseconds."""
    return moment.isoformat("T", "milliseconds") + "Z"


_OTHERS: Final[Mapping[type, Callable[[Any], Any]]] = {
    Int64: int,
    datetime: iso,
    ObjectId: str,
    UUID: str,
    Decimal128: str,
    Code: str.__str__,
    Regex: lambda value: str(value.pattern) if isinstance(value.pattern, str) else None,
    Timestamp: lambda value: value.time,
}


class NotPlain(Exception):
    """A value that may not come back as it is: it has to be compared. Never reaches a user."""


class JsonReader:
    """Reads natural JSON of one column as BSON."""

    def __init__(self, order: Sequence[str], types: Mapping[str, str]):
        self._types = types
        self._plain_orders: dict[tuple[str, ...], tuple[str, ...] | None] = {}
        self._rank = {key: rank for rank, key in enumerate(order)}
        self._orders: dict[tuple[str, ...], tuple[str, ...]] = {}

    def read(self, value: Any, key: str = "") -> Any:
        """The value, a copy. ``key`` is where it stands: the elements of an array stand where the array does."""
        kind = type(value)
        if kind is dict:
            return {name: self.read(value[name], name) for name in self._ordered(tuple(value))}
        if kind is list:
            return [self.read(item, key) for item in value]
        stands_for = self._types.get(key)
        if stands_for is not None and kind in (_INTEGERS if stands_for == "long" else _TEXTS):
            return _FROM_TEXT[stands_for](value)
        if kind in _INTEGERS:
            return int(value) if -(2**31) <= value < 2**31 else Int64(value)
        return value

    def exactly(self, value: Any, key: str = "", level: int = 0) -> Any:
        """The natural form of a value of which :meth:`read` certainly gives the same, keys in MySQL's order.

        This is the way of almost every value, in one pass. Raises NotPlain for any other.
        """
        kind = type(value)
        if kind is str:
            if key in self._types:
                raise NotPlain
            return value
        if value is None or kind is bool:
            return value
        if kind is int:
            if self._types.get(key) == "long":
                raise NotPlain
            return value
        if kind is dict or kind is list:
            if level >= MAX_LEVELS:
                raise NotPlain
            if kind is list:
                return [self.exactly(item, key, level + 1) for item in value]
            return {name: self.exactly(value[name], name, level + 1) for name in self._kept(tuple(value))}
        if kind is float and isfinite(value) and (value or repr(value) == "0.0"):
            return value
        if kind is Int64 and (self._types.get(key) == "long" or not -(2**31) <= value < 2**31):
            return int(value)
        stands_for = _TEXT_OF.get(kind)
        if stands_for is None or self._types.get(key) != stands_for[0]:
            raise NotPlain
        return stands_for[1](value)

    def _kept(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """Keys in MySQL's order; NotPlain if they are not read in their own again, or the codec writes them as text."""
        if keys not in self._plain_orders:
            if len(self._plain_orders) >= _MAX_ORDERS:
                self._plain_orders.clear()
            stored = tuple(sorted(keys, key=lambda key: (len(key.encode()), key.encode())))
            plain = keys != ("_json",) and all(key[:1] != "$" and len(key) <= _SHORT_KEY for key in keys)
            self._plain_orders[keys] = stored if plain and self._ordered(stored) == keys else None
        stored_keys = self._plain_orders[keys]
        if stored_keys is None:
            raise NotPlain
        return stored_keys

    def _ordered(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """Keys in the column's order; those that it does not name keep theirs, after the others."""
        if len(keys) < 2 or not self._rank:
            return keys
        ordered = self._orders.get(keys)
        if ordered is None:
            last = len(self._rank)
            ordered = tuple(sorted(keys, key=lambda key: self._rank.get(key, last)))
            if len(self._orders) >= _MAX_ORDERS:
                self._orders.clear()
            self._orders[keys] = ordered
        return ordered


_TEXT_OF: Final[Mapping[type, tuple[str, Callable[[Any], str]]]] = {
    datetime: ("date", iso),
    ObjectId: ("objectId", str),
    UUID: ("uuid", str),
}


def _date(text: str) -> Any:
    if not _DATE.fullmatch(text):
        return text
    try:
        return datetime.fromisoformat(text[:-1])
    except ValueError:
        return text


def _decimal(text: str) -> Any:
    try:
        return Decimal128(text)
    except (InvalidOperation, ValueError):
        return text


def _uuid(text: str) -> Any:
    try:
        return UUID(text)
    except ValueError:
        return text


_FROM_TEXT: Final[Mapping[str, Callable[[Any], Any]]] = {
    "date": _date,
    "decimal": _decimal,
    "long": Int64,
    "objectId": lambda text: ObjectId(text) if OBJECT_ID.fullmatch(text) else text,
    "uuid": _uuid,
}
