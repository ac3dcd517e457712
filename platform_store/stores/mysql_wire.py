"""Rows of MySQL's binary protocol, taken apart column by column as they arrive. Pure.

In that protocol (MySQL's documentation of its source, "Binary Protocol Resultset") integers and doubles are what BSON
holds, bytes are bytes, and nothing is written as text and parsed again but DECIMAL and JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any, Final, NamedTuple, TypeAlias

Raw: TypeAlias = list[Any]
"""The values of one column: as ``struct`` gives it, else bytes; None for NULL."""

_HEAD: Final = Struct("<HBxB")  # a packet's length, its number, the first byte of what it holds
_ROW, _END, _FAULT = 0x00, 0xFE, 0xFF
_WHOLE: Final = 0xFFFFFF  # a packet of this length goes on in the next one
_HEADER: Final = 4
_LONGEST_END: Final = 9  # a packet that begins like the end and is longer is a row
_OFFSET: Final = 2  # of the bits for NULL
_WIDE: Final = {0xFC: 2, 0xFD: 3, 0xFE: 8}  # a length's first byte, and how many follow
_SHORT: Final = 251


class Wire(NamedTuple):
    """A statement's rows as they come. ``codes``: of each column the ``struct`` code, "" for bytes with their length.

    Columns with a code come first. ``receive`` gives the next bytes, never none. ``fail`` raises what the server says.
    """

    codes: Sequence[str]
    receive: Callable[[], bytes]
    fail: Callable[[bytes], object]


class Split(NamedTuple):
    """Columns of ``number`` values. ``null``: those with a NULL. ``ended``: they are all there is."""

    columns: list[Raw]
    null: frozenset[int]
    number: int
    ended: bool


class _Plan(NamedTuple):
    """How a row with these NULLs is read."""

    fixed: Struct
    absent: Sequence[int]  # of the columns with a code
    present: Sequence[bool]  # the columns without one


class RowSplitter:
    """Takes the rows of one statement apart."""

    def __init__(self, wire: Wire):
        self._wire = wire
        self._fixed = [code for code in wire.codes if code]
        if any(wire.codes[len(self._fixed) :]):
            raise ValueError("columns of fixed length come first")
        self._others = len(wire.codes) - len(self._fixed)
        self._bits = (len(wire.codes) + _OFFSET + 7) // 8
        self._plans: dict[bytes, _Plan] = {}
        self._buffer = b""

    def split(self, size: int, overhead: int) -> Split:
        """Reads to the end, or until the rows, each with ``overhead`` bytes more, are of about this size together."""
        fixed: list[Any] = []
        others: list[Any] = []
        ended, taken, rows = False, 0, 0
        while not ended and taken + rows * overhead < size:
            read, number, ended = self._rows(fixed, others)
            taken, rows = taken + read, rows + number
        columns = [fixed[number :: len(self._fixed)] for number in range(len(self._fixed))]
        columns += [others[number :: self._others] for number in range(self._others)]
        return Split(columns, self._null(), rows, ended)

    def _null(self) -> frozenset[int]:
        bits = [int.from_bytes(bitmap, "little") >> _OFFSET for bitmap in self._plans]
        return frozenset(number for number in range(len(self._wire.codes)) if any(one >> number & 1 for one in bits))

    def _rows(self, fixed: list[Any], others: list[Any]) -> tuple[int, int, bool]:
        """Adds the rows that have arrived, at least one; their bytes, their number, and whether they were the last.

        Their values go into two lists, row after row: containers by the row would be the garbage collector's work.
        """
        long = self._arrive()
        buffer, position, rows, plans, keep = self._buffer, 0, 0, self._plans, others.append
        while len(buffer) - position > _HEADER:
            low, high, kind = _HEAD.unpack_from(buffer, position)
            end = position + _HEADER + low + (high << 16) + long
            if end > len(buffer) or (low + (high << 16) == _WHOLE and not long):
                break
            if kind != _ROW:
                if kind == _FAULT:
                    self._wire.fail(buffer[position + _HEADER : end])
                return position, rows, True
            at = position + _HEADER + 1 + self._bits
            bitmap = buffer[position + _HEADER + 1 : at]
            plan, absent, present = plans.get(bitmap) or self._plan(bitmap)
            values = plan.unpack_from(buffer, at)
            fixed += _filled(values, absent) if absent else values
            at += plan.size
            for here in present:
                if not here:
                    keep(None)
                    continue
                length = buffer[at]
                at += 1
                if length >= _SHORT:
                    wide = _WIDE[length]
                    length = int.from_bytes(buffer[at : at + wide], "little")
                    at += wide
                keep(buffer[at : at + length])
                at += length
            position, long, rows = end, 0, rows + 1
        self._buffer = buffer[position:]
        return position, rows, False

    def _plan(self, bitmap: bytes) -> _Plan:
        null = int.from_bytes(bitmap, "little") >> _OFFSET
        absent = [number for number in range(len(self._fixed)) if null >> number & 1]
        codes = [code for number, code in enumerate(self._fixed) if number not in absent]
        present = [not null >> number & 1 for number in range(len(self._fixed), len(self._fixed) + self._others)]
        plan = self._plans[bitmap] = _Plan(Struct(f"<{''.join(codes)}"), absent, present)
        return plan

    def _arrive(self) -> int:
        """Waits for a whole packet. One that goes on in others is made one: how much longer it is than it says."""
        self._await(_HEADER + 1)
        length = _length(self._buffer, 0)
        end = _HEADER + length
        self._await(end)
        while length == _WHOLE:
            self._await(end + _HEADER)
            length = _length(self._buffer, end)
            self._await(end + _HEADER + length)
            self._buffer = self._buffer[:end] + self._buffer[end + _HEADER :]
            end += length
        return max(0, end - _HEADER - _WHOLE)

    def _await(self, size: int) -> None:
        if len(self._buffer) < size:
            parts, have = [self._buffer], len(self._buffer)
            while have < size:
                parts.append(self._wire.receive())
                have += len(parts[-1])
            self._buffer = b"".join(parts)


def _length(buffer: bytes, position: int) -> int:
    return int.from_bytes(buffer[position : position + 3], "little")


def _filled(values: Sequence[Any], absent: Sequence[int]) -> Sequence[Any]:
    filled = list(values)
    for number in absent:  # in order, so that each is where it belongs
        filled.insert(number, None)
    return filled
