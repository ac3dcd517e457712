"""Geometry: a 4-byte little-endian SRID followed by little-endian WKB, which is what MySQL holds and returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from struct import Struct
from typing import Final, cast

from platform_store.codecs.base import Codec, Order, foreign, wrong_type
from platform_store.errors import ValueRejected
from platform_store.sqltypes import GEOMETRY_TYPES

_COUNT: Final = Struct("<I")
_HEADER: Final = Struct("<BI")
_SRID_BYTES: Final = 4
_MAX_DEPTH: Final = 64  # of collections in collections, so that no value can exhaust the stack


@dataclass(frozen=True)
class GeometryCodec(Codec):
    """GEOMETRY and its subtypes.

    Structure, subtype and SRID are checked as MySQL does on storing, which leaves rings unclosed and lines crossed as
    they are; NaN and infinite coordinates, which its functions fail on, are refused here.
    """

    @property
    def bson_form(self) -> str:
        return "binData, subtype 0: SRID and WKB, as MySQL holds it"

    @property
    def order(self) -> Order:
        return "equality"

    def check(self, value: object) -> bytes:
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise wrong_type(value, "bytes: SRID and WKB, both little-endian")
        data = bytes(value)
        reader = _Reader(data)
        srid = reader.count("SRID")
        if self.sql_type.srid is not None and srid != self.sql_type.srid:
            raise ValueRejected(f"the geometry has another SRID than {self.sql_type.srid}, which the column declares")
        kind = reader.geometry(0)
        if kind not in _ACCEPTED.get(self.sql_type.base, (self.sql_type.base,)):
            raise ValueRejected(f"the geometry is a {kind}: the column takes {self.sql_type.base}")
        if reader.position != len(data):
            raise ValueRejected("bytes follow the geometry")
        return data

    def stored_from_bson(self, value: object) -> bytes:
        if not isinstance(value, bytes) or len(value) < _SRID_BYTES + _HEADER.size:
            raise foreign(value, "SRID and WKB as bytes")
        return bytes(value)


class _Reader:
    """Walks over WKB, rejecting what is cut short or malformed."""

    def __init__(self, data: bytes):
        self._data = data
        self.position = 0

    def geometry(self, depth: int, only: str | None = None) -> str:
        """Reads one geometry with its header; returns its type."""
        if depth > _MAX_DEPTH:
            raise ValueRejected(f"the geometry nests collections deeper than {_MAX_DEPTH}")
        byte_order, code = cast("tuple[int, int]", self._read(_HEADER))
        if byte_order != 1:
            raise ValueRejected("the WKB must be little-endian throughout, each part beginning with the byte 01")
        if not 1 <= code < len(GEOMETRY_TYPES):
            raise ValueRejected("the WKB has a geometry type that MySQL does not know")
        kind = GEOMETRY_TYPES[code]
        if only is not None and kind != only:
            raise ValueRejected(f"the geometry has a {kind} where only a {only} may stand")
        if kind in _PARTS:
            part, least = _PARTS[kind]
            for _ in range(self.count(kind, least)):
                self.geometry(depth + 1, part)
        else:
            _BODIES[kind](self)
        return kind

    def count(self, what: str, least: int = 0) -> int:
        (number,) = self._read(_COUNT)
        if number < least:
            raise ValueRejected(f"the geometry has a {what} of fewer than {least} parts")
        return int(number)

    def point(self) -> None:
        self._coordinates(1)

    def line(self) -> None:
        self._coordinates(self.count("LINESTRING", 2))

    def polygon(self) -> None:
        for _ in range(self.count("POLYGON", 1)):
            self._coordinates(self.count("ring", 4))

    def _coordinates(self, points: int) -> None:
        if not all(map(isfinite, self._read(Struct(f"<{2 * points}d")))):
            raise ValueRejected("the geometry has a coordinate that is NaN or infinite")

    def _read(self, layout: Struct) -> tuple[float, ...]:
        end = self.position + layout.size
        if end > len(self._data):
            raise ValueRejected("the geometry is cut short")
        start, self.position = self.position, end
        return layout.unpack_from(self._data, start)


_BODIES: Final[dict[str, Callable[[_Reader], object]]] = {
    "POINT": _Reader.point,
    "LINESTRING": _Reader.line,
    "POLYGON": _Reader.polygon,
}
_ACCEPTED: Final[dict[str, tuple[str, ...]]] = {
    "GEOMETRY": GEOMETRY_TYPES,
    "GEOMETRYCOLLECTION": ("GEOMETRYCOLLECTION", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON"),
}
"""The columns that take other types than their own."""
_PARTS: Final[dict[str, tuple[str | None, int]]] = {
    "MULTIPOINT": ("POINT", 1),
    "MULTILINESTRING": ("LINESTRING", 1),
    "MULTIPOLYGON": ("POLYGON", 1),
    "GEOMETRYCOLLECTION": (None, 0),
}
