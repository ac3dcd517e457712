"""The exact form of a BSON value inside a JSON column.

MySQL's JSON keeps neither the order of keys nor what BSON tells of numbers. An exact form is MongoDB's Extended JSON
wherever that, read back after MySQL has reordered it, is the value to the last byte; else ``{".bson": text}``, the
value's bytes in base64 after its type byte. The first is tried and compared, never assumed. Pure.
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from bson import json_util
from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError
from bson.int64 import Int64
from bson.json_util import CANONICAL_JSON_OPTIONS, RELAXED_JSON_OPTIONS, JSONOptions

from platform_store.codecs import codec_for
from platform_store.codecs.json import json_text
from platform_store.errors import ValueRejected
from platform_store.shapes.elements import decoded, value_bytes
from platform_store.shapes.json_form import MAX_LEVELS, levels
from platform_store.sqltypes import SqlType

BYTES: Final = ".bson"
ORDER: Final = ".order"
ABSENT: Final = ".absent"
DOCUMENT: Final = ".document"
BESIDE: Final = ".exact"
"""Names in the column of exact forms that are no field's; a field that begins with a dot gets another one in front."""

JSON: Final = codec_for(SqlType("JSON"))


_SCALARS: Final = frozenset({0x01, 0x02, 0x08, 0x0A, 0x10, 0x12})
"""Types of which JSON tells nearly all values: double, string, bool, null, int, long."""


def _options(options: JSONOptions) -> JSONOptions:
    return options.with_options(
        tz_aware=False,
        tzinfo=None,
        uuid_representation=UuidRepresentation.STANDARD,
        datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    )


_READABLE: Final = (_options(RELAXED_JSON_OPTIONS), _options(CANONICAL_JSON_OPTIONS))


def field_name(name: str) -> str:
    """A field's name in the column of exact forms."""
    return f".{name}" if name.startswith(".") else name


def name_of(key: str) -> str:
    """The inverse of :func:`field_name`."""
    return key[1:] if key.startswith("..") else key


def exact(value: bytes) -> Any:
    """The exact form of a value, given as its type byte and its bytes."""
    try:
        read = decoded(value)
    except (BSONError, ValueError):  # text that is not UTF-8, for instance
        return {BYTES: packed(value)}
    if value[0] in _SCALARS and _tells_all(read):
        return int(read) if isinstance(read, Int64) else read
    if isinstance(read, Int64):
        return {"$numberLong": str(int(read))}
    if levels(read) <= MAX_LEVELS - 4 and _in_order(read):  # _bson, .exact, and {"$...": {"$...": }}
        for options in _READABLE:
            form = _readable(read, options)
            if form is not None and not _is_bytes(form[0]) and _read(form) == value:
                return form[0]
    return {BYTES: packed(value)}


def packed(value: bytes) -> str:
    """Bytes as JSON can hold them."""
    return b64encode(value).decode()


def unpacked(text: object) -> bytes:
    """The inverse of :func:`packed`. Raises ValueRejected."""
    if not isinstance(text, str):
        raise ValueRejected("what should be bytes in base64 is something else")
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueRejected("what should be bytes in base64 is something else") from None


def from_exact(form: Any) -> bytes:
    """The value of an exact form. Raises ValueRejected for what is none."""
    if _is_bytes(form):
        value = unpacked(form[BYTES])
        if not value:
            raise ValueRejected("an exact form is empty")
        return value
    if form is None or isinstance(form, str | int | float):
        return value_bytes(form)
    value_read = _read([form])
    if value_read is None:
        raise ValueRejected("an exact form is no Extended JSON")
    return value_read


def _tells_all(value: Any) -> bool:
    """Whether JSON tells a scalar from all others of its type, and the type."""
    if isinstance(value, float):
        return isfinite(value) and repr(value) != "-0.0"
    return not isinstance(value, Int64) or not -(2**31) <= value < 2**31


def _is_bytes(form: Any) -> bool:
    return isinstance(form, Mapping) and tuple(form) == (BYTES,)


def _readable(read: Any, options: JSONOptions) -> list[Any] | None:
    """A value in a list, as Extended JSON and as MySQL would hold it; None where it has no such form."""
    try:
        form = JSON.check(json.loads(json_util.dumps([read], json_options=options)))
    except (BSONError, ValueRejected, ValueError, TypeError, OverflowError):
        return None
    return form if isinstance(form, list) else None


def _read(form: list[Any]) -> bytes | None:
    try:
        return value_bytes(json_util.loads(json_text(form), json_options=_READABLE[1])[0])
    except (BSONError, ValueError, TypeError, OverflowError, KeyError, AttributeError, binascii.Error):
        return None


def _in_order(value: Any) -> bool:
    """Whether MySQL would keep the order of all keys: it sorts them by length, then by bytes."""
    if isinstance(value, dict):
        keys = [(len(key.encode()), key.encode()) for key in value]
        return keys == sorted(keys) and all(map(_in_order, value.values()))
    return all(map(_in_order, value)) if isinstance(value, list) else True
