"""What is read from documents without decoding them is what decoding gives; of odd documents nothing is read."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import Any, Final

import bson
import pytest
from bson import Decimal128, Int64
from hypothesis import given
from hypothesis import strategies as st

from platform_store.halves import CODEC_OPTIONS
from platform_store.shapes.elements import Element, joined
from platform_store.shapes.shape import all_faithful
from platform_store.sqltypes import BLOB_BYTES, GEOMETRY_TYPES
from platform_store.stores.mysql_bulk_target import Loader
from platform_store.stores.mysql_upload import Texts
from tests.bson_documents import VALUES
from tests.integration.type_matrix import CASES, Case
from tests.unit.test_shape import existing_layout

DECODED: Final = ("BINARY", "VARBINARY", "BIT", "JSON", *BLOB_BYTES, *GEOMETRY_TYPES)
LARGE: Final = ("BIGINT UNSIGNED", "DECIMAL(35,0)", "DECIMAL(65,30)")
"""Types whose largest values have a form of their own in documents."""

COLUMNS: Final = (
    ("n", "BIGINT"), ("s", "VARCHAR(20)"), ("f", "DOUBLE"), ("d", "DECIMAL(10,2)"), ("y", "DATE"), ("t", "DATETIME(3)"),
)  # fmt: skip
LOADER: Final = Loader(existing_layout(*COLUMNS, key="BIGINT").association)
ROW: Final = {
    "_id": 1, "n": 2**40, "s": "a 张", "f": 0.1, "d": Decimal128("1.50"), "y": datetime(2026, 2, 28),
    "t": datetime(1969, 12, 31, 23, 59, 59, 999000),
}  # fmt: skip


def encoded(document: dict[str, Any]) -> bytes:
    return bson.encode(document, codec_options=CODEC_OPTIONS)


def same(loader: Loader, images: Sequence[bytes]) -> bool:
    """Whether anything was read from documents. It then is what their values are, which the driver reads as well."""
    found = loader.image_texts(images)
    if found is None:
        return False
    values = all_faithful(images)
    assert values is not None
    assert meanings(found) == meanings(loader.texts(values))
    return True


def meanings(columns: Sequence[Texts]) -> list[list[object]]:
    """Texts, but for zeros at the end of a fraction of a second."""
    return [[text and _meaning(text) for text in texts] for texts in columns]


def _meaning(text: str) -> object:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.type[:40])
def test_values_of_every_type(case: Case) -> None:
    random = Random(f"{case.type} images")
    loader = Loader(existing_layout(("v", case.type)).association)
    given_values = [case.codec.encode(one) for one in (case.example, *(case.draw(random) for _ in range(50)))]
    images = [encoded({"_id": number, "v": value}) for number, value in enumerate(given_values)]
    for image in images:
        same(loader, [image])
    readable = case.type not in LARGE and case.codec.sql_type.base not in DECODED
    assert same(loader, images[:1]) is readable
    assert same(loader, [encoded({"_id": 1})]) is (case.codec.sql_type.base not in DECODED)
    assert same(loader, [*images[:1], encoded({"_id": 2}), encoded({"_id": 3, "v": None})]) is readable


def test_whole_rows() -> None:
    other = {"_id": Int64(2**31), "n": -5, "s": "", "f": -0.0, "d": Decimal128("-0E+3"), "y": None, "t": None}
    assert same(
        LOADER, [encoded(ROW), encoded(other), encoded({"_id": 3}), encoded({"_id": 10, "y": datetime(1960, 2, 29)})]
    )


@pytest.mark.parametrize(
    "odd",
    [
        {"_id": 1, "s": "a", "n": 1},
        {"_id": 1, "more": 1},
        {"_id": 1, "n": True},
        {"_id": 1, "n": 1.0},
        {"_id": 1, "s": "a\0b"},
        {"_id": 1, "s": "a\0\x0ad"},  # as if another field followed
        {"_id": 1, "f": float("nan")},
        {"_id": 1, "d": Decimal128("NaN")},
        {"_id": 1, "d": 1},
        {"_id": 1, "y": datetime(2026, 1, 1, 0, 0, 0, 1000)},
        {"_id": 1, "n": {"n": 1}},
        {"_id": "1"},
        {},
    ],
    ids=str,
)
def test_odd_documents(odd: dict[str, Any]) -> None:
    assert LOADER.image_texts([encoded(odd)]) is None
    assert LOADER.image_texts([encoded(ROW), encoded(odd), encoded(ROW)]) is None


@pytest.mark.parametrize(
    "fields",
    [
        [(b"n", b"\x10" + bytes(4)), (b"n", b"\x10" + bytes(4))],  # twice
        [(b"s", b"\x02" + struct.pack("<i", 3) + b"\xff\xfe\0")],  # no UTF-8
        [(b"s", b"\x0e" + struct.pack("<i", 2) + b"a\0")],  # a symbol
        [(b"n", b"\x06")],  # undefined
        [(b"y", b"\x09" + struct.pack("<q", -(2**62)))],  # beyond Python's dates
        [(b"t", b"\x09" + struct.pack("<q", 2**62))],
    ],
    ids=str,
)
def test_what_no_driver_writes(fields: list[tuple[bytes, bytes]]) -> None:
    image = joined([Element(b"_id", b"\x10" + bytes(4)), *(Element(*field) for field in fields)])
    assert LOADER.image_texts([image]) is None


def test_more_than_a_document() -> None:
    assert LOADER.image_texts([encoded(ROW) + b"\0"]) is None
    assert LOADER.image_texts([b"\0" + encoded(ROW)]) is None


def test_finer_than_its_column() -> None:
    loader = Loader(existing_layout(("t", "DATETIME(1)")).association)
    assert same(loader, [encoded({"_id": 1, "t": datetime(2026, 1, 1, 1, 1, 1, 100_000)})])
    assert loader.image_texts([encoded({"_id": 1, "t": datetime(2026, 1, 1, 1, 1, 1, 120_000)})]) is None


@given(st.lists(st.lists(st.tuples(st.sampled_from([name for name, _ in COLUMNS]), VALUES), max_size=4), max_size=3))
def test_whatever_documents_hold(given_documents: list[list[tuple[str, bytes]]]) -> None:
    for number, fields in enumerate(given_documents):
        placed = sorted(fields, key=lambda field: [name for name, _ in COLUMNS].index(field[0]))
        identifier = Element(b"_id", b"\x10" + struct.pack("<i", number))
        same(LOADER, [joined([identifier, *(Element(name.encode(), value) for name, value in placed)])])
