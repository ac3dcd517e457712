"""The elements of BSON documents as bytes (bsonspec.org), for what a driver would change by reading it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import bson
from bson.errors import InvalidBSON

from platform_store.halves import CODEC_OPTIONS

_FIXED: Final = {
    0x01: 8, 0x06: 0, 0x07: 12, 0x08: 1, 0x09: 8, 0x0A: 0, 0x10: 4, 0x11: 8, 0x12: 8, 0x13: 16, 0x7F: 0, 0xFF: 0,
}  # fmt: skip
"""The bytes of a value, by its type, where all have the same."""
_COUNTED: Final = {0x02: 4, 0x0D: 4, 0x0E: 4, 0x03: 0, 0x04: 0, 0x0F: 0, 0x05: 5, 0x0C: 16}
"""What a value has beside the bytes that its first four count."""
_REGEX: Final = 0x0B
_LENGTH: Final = 4


class Element(NamedTuple):
    """One field: its name, and its type byte followed by its value."""

    name: bytes
    value: bytes


def elements(document: bytes) -> list[Element]:
    """The fields of a document in order, duplicates too. Raises InvalidBSON."""
    found = []
    position, end = _LENGTH, len(document) - 1
    while position < end:
        kind = document[position]
        after_name = document.index(0, position + 1) + 1
        stop = after_name + _size(document, kind, after_name)
        if stop > end:
            raise InvalidBSON("an element is cut short")
        name = document[position + 1 : after_name - 1]
        found.append(Element(name, document[position : position + 1] + document[after_name:stop]))
        position = stop
    return found


def joined(parts: Iterable[Element]) -> bytes:
    """The document of these fields: the inverse of :func:`elements`."""
    body = b"".join([part.value[:1] + part.name + b"\0" + part.value[1:] for part in parts])
    return (len(body) + _LENGTH + 1).to_bytes(_LENGTH, "little") + body + b"\0"


def value_bytes(value: Any) -> bytes:
    """A value as the driver writes it: its type byte and its bytes."""
    document = bson.encode({"": value}, codec_options=CODEC_OPTIONS)
    return document[4:5] + document[6:-1]


def decoded(value: bytes) -> Any:
    """The value as the driver reads it. Raises InvalidBSON, or another of the driver's errors for damaged values."""
    return bson.decode(joined([Element(b"", value)]), CODEC_OPTIONS)[""]


def _size(document: bytes, kind: int, start: int) -> int:
    if kind in _FIXED:
        return _FIXED[kind]
    if kind in _COUNTED:
        return int.from_bytes(document[start : start + _LENGTH], "little", signed=True) + _COUNTED[kind]
    if kind == _REGEX:
        return document.index(0, document.index(0, start) + 1) + 1 - start
    raise InvalidBSON(f"there is no BSON type {kind}")
