"""BSON documents of every type, as bytes: also what no driver writes."""

from __future__ import annotations

import struct
from typing import Any

from bson import Decimal128, ObjectId
from hypothesis import strategies as st

from platform_store.shapes.elements import Element, joined

NAMES = st.one_of(
    st.sampled_from(
        [
            "a",
            "A",
            "b",
            "bb",
            "name",
            "a.b",
            "$set",
            "$ref",
            "$id",
            "$bson",
            ".bson",
            ".order",
            "..x",
            "_bson",
            "",
            "é",
            "_rev",
        ]
    ),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6),
)
TEXTS = st.one_of(
    st.text(max_size=12), st.sampled_from(["", " ", "a  ", "NaN", "2020-01-01T00:00:00.000Z", "x" * 300, "\0"])
)
INT32 = st.one_of(st.sampled_from([0, 1, -1, 2**31 - 1, -(2**31)]), st.integers(-(2**31), 2**31 - 1))
INT64 = st.one_of(st.sampled_from([0, 5, 2**31, 2**53, -(2**63), 2**63 - 1]), st.integers(-(2**63), 2**63 - 1))
DOUBLES = st.one_of(st.sampled_from([0.0, -0.0, 1.0, 5.0, 0.1, 1e308, 1e20, 1e-7]), st.floats(width=64))
DATES = st.one_of(
    st.sampled_from([0, -1, -(2**63), 2**63 - 1, 253402300799999, 253402300800000, -30610224000000, -30610224000001]),
    st.integers(-70_000_000_000_000, 260_000_000_000_000),
)
DECIMALS = st.one_of(
    st.sampled_from(
        ["NaN", "-NaN", "sNaN", "Infinity", "-Infinity", "0", "-0", "0E+3", "1.10", "1.1", "1E+6144", "1E-6176"]
    ).map(lambda text: Decimal128(text).bid),
    st.decimals(-10000, 10000, places=2).map(lambda number: Decimal128(number).bid),
    st.binary(min_size=16, max_size=16),
)


def _text(data: bytes) -> bytes:
    return struct.pack("<i", len(data) + 1) + data + b"\0"


def _cstring(text: str) -> bytes:
    return text.replace("\0", "").encode() + b"\0"


def _binary(parts: tuple[int, bytes]) -> bytes:
    subtype, data = parts
    if subtype == 2:
        data = struct.pack("<i", len(data)) + data
    return b"\x05" + struct.pack("<iB", len(data), subtype) + data


def _doubles(number: float) -> bytes:
    return b"\x01" + struct.pack("<d", number)


ORDINARY = st.one_of(
    DOUBLES.map(_doubles),
    TEXTS.map(lambda text: b"\x02" + _text(text.encode())),
    st.binary(max_size=20).map(lambda data: _binary((0, data))),
    st.binary(min_size=16, max_size=16).map(lambda data: _binary((4, data))),
    st.binary(min_size=12, max_size=12).map(lambda data: b"\x07" + data),
    st.booleans().map(lambda value: b"\x08" + bytes([value])),
    DATES.map(lambda value: b"\x09" + struct.pack("<q", value)),
    st.just(b"\x0a"),
    INT32.map(lambda value: b"\x10" + struct.pack("<i", value)),
    INT64.map(lambda value: b"\x12" + struct.pack("<q", value)),
    DECIMALS.map(lambda bid: b"\x13" + bid),
)
RARE = st.one_of(
    st.just(b"\x06"),
    st.tuples(st.sampled_from([0, 1, 2, 3, 5, 128]), st.binary(max_size=20)).map(_binary),
    st.tuples(TEXTS, st.sampled_from(["", "i", "mi", "im", "ilmsux"])).map(
        lambda p: b"\x0b" + _cstring(p[0]) + _cstring(p[1])
    ),
    st.tuples(TEXTS, st.binary(min_size=12, max_size=12)).map(lambda p: b"\x0c" + _text(p[0].encode()) + p[1]),
    TEXTS.map(lambda text: b"\x0d" + _text(text.encode())),
    TEXTS.map(lambda text: b"\x0e" + _text(text.encode())),
    st.binary(min_size=8, max_size=8).map(lambda data: b"\x11" + data),
    st.just(b"\xff"),
    st.just(b"\x7f"),
    st.just(b"\x02" + _text(b"\xff\xfe")),
    st.just(b"\x01" + struct.pack("<Q", 0x7FF0_0000_0000_0001)),
)


def _document(fields: list[tuple[str, bytes]]) -> bytes:
    return joined(Element(name.encode(), value) for name, value in fields)


def _array(values: list[bytes]) -> bytes:
    return b"\x04" + joined(Element(str(index).encode(), value) for index, value in enumerate(values))


def _nested(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    fields = st.lists(st.tuples(NAMES, inner), max_size=4)
    return st.one_of(
        fields.map(lambda items: b"\x03" + _document(items)),
        st.lists(inner, max_size=4).map(_array),
        fields.map(lambda items: b"\x0f" + _with_scope(_document(items))),
    )


def _with_scope(scope: bytes) -> bytes:
    body = _text(b"return 1") + scope
    return struct.pack("<i", len(body) + 4) + body


VALUES = st.recursive(st.one_of(ORDINARY, ORDINARY, ORDINARY, RARE), _nested, max_leaves=6)
"""A value: its type byte and its bytes."""

OBJECT_IDS = st.binary(min_size=12, max_size=12).map(lambda data: b"\x07" + data)
IDS = st.one_of(
    OBJECT_IDS,
    INT32.map(lambda value: b"\x10" + struct.pack("<i", value)),
    INT64.map(lambda value: b"\x12" + struct.pack("<q", value)),
    DOUBLES.map(_doubles),
    TEXTS.map(lambda text: b"\x02" + _text(text.encode())),
    DATES.map(lambda value: b"\x09" + struct.pack("<q", value)),
    st.booleans().map(lambda value: b"\x08" + bytes([value])),
    st.tuples(st.sampled_from([0, 3, 4]), st.binary(min_size=16, max_size=16)).map(_binary),
    st.tuples(INT32, TEXTS).map(
        lambda p: b"\x03" + _document([("n", b"\x10" + struct.pack("<i", p[0])), ("t", b"\x02" + _text(p[1].encode()))])
    ),
)


@st.composite
def documents(draw: st.DrawFn, ids: st.SearchStrategy[bytes] = OBJECT_IDS, first: bool = False) -> bytes:
    """A document with one ``_id``, not always in front (``first``: always, as every server puts it)."""
    fields: list[tuple[str, Any]] = draw(st.lists(st.tuples(NAMES, VALUES), max_size=8))
    fields = [field for field in fields if field[0] != "_id"]
    place = 0 if first or draw(st.integers(0, 9)) else draw(st.integers(0, len(fields)))
    fields.insert(place, ("_id", draw(ids)))
    return _document(fields)


def object_id(number: int) -> ObjectId:
    return ObjectId(f"{number:024x}")
