"""Rows of MySQL's text protocol, taken apart as they arrive and decoded column by column. Pure.

In that protocol (MySQL's documentation of its source, "Text Resultset Row") a row is a packet, and each of its values
has its length before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from struct import Struct
from typing import Any, Final, TypeAlias

Decoder: TypeAlias = tuple[Callable[[Any], Any], ...]
"""What is done to a column's bytes, one after the other."""

_HEAD: Final = Struct("<HBxB")  # a packet's length, its number, the first byte of what it holds
_HEADER: Final = 4
_ERROR: Final = 0xFF
_NO_ROW: Final = 0xFE  # the end or an error begins with it or what is above; so does a row that is read by itself
_WHOLE: Final = 0xFFFFFF  # a packet of this length goes on in the next one
_NULL: Final = 0xFB
_WIDE: Final = {0xFC: 2, 0xFD: 3, 0xFE: 8}  # a length's first byte, and how many follow


def packets(buffer: bytes, count: int) -> tuple[list[bytes], int]:
    """Up to ``count`` packets at the beginning of ``buffer``, and how many bytes they were.

    It stops at what has not arrived whole, and at an error.
    """
    found: list[bytes] = []
    position, limit = 0, len(buffer)
    while len(found) < count and limit - position > _HEADER:
        low, high, first = _HEAD.unpack_from(buffer, position)
        length = low + (high << 16)
        end = position + _HEADER + length
        if end > limit or first == _ERROR or length == _WHOLE:
            break
        found.append(buffer[position + _HEADER : end])
        position = end
    return found, position


def take(buffer: bytes, values: list[bytes | None]) -> tuple[int, int]:
    """Adds the values of the rows at the beginning of ``buffer``; how many bytes they were, and how many rows.

    It stops at what has not arrived whole, and at all that is no plain row.
    """
    position, rows, limit = 0, 0, len(buffer)
    while limit - position > _HEADER:
        low, high, first = _HEAD.unpack_from(buffer, position)
        length = low + (high << 16)
        end = position + _HEADER + length
        if end > limit or first >= _NO_ROW or length == _WHOLE:
            break
        take_row(buffer, position + _HEADER, end, values)
        position, rows = end, rows + 1
    return position, rows


def take_row(buffer: bytes, at: int, end: int, values: list[bytes | None]) -> None:
    """Adds the values of one row, which stands there without its header."""
    while at < end:
        length = buffer[at]
        at += 1
        if length >= _NULL:
            if length == _NULL:
                values.append(None)
                continue
            wide = _WIDE[length]
            length = int.from_bytes(buffer[at : at + wide], "little")
            at += wide
        values.append(buffer[at : at + length])
        at += length


def rows(values: list[bytes | None], decoders: Sequence[Decoder]) -> tuple[tuple[Any, ...], ...]:
    """Rows of decoded values, from the values of all rows after each other."""
    count = len(decoders)
    return tuple(zip(*(_column(values[number::count], decoders[number]) for number in range(count)), strict=True))


def _column(values: list[bytes | None], decoder: Decoder) -> Iterable[Any]:
    if None not in values:
        decoded: Iterable[Any] = values
        for decode in decoder:
            decoded = map(decode, decoded)
        return decoded
    given = iter(_column([value for value in values if value is not None], decoder))
    return [None if value is None else next(given) for value in values]
