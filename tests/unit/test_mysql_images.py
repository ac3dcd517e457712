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
from hypothesis import given, settings
from hypothesis import strategies as st

from platform_store.halves import CODEC_OPTIONS
from platform_store.shapes.elements import Element, joined
from platform_store.shapes.shape import all_faithful
from platform_store.sqltypes import BLOB_BYTES, GEOMETRY_TYPES
from platform_store.stores.mysql_bulk_target import Loader
from platform_store.stores.mysql_upload import Texts
from tests.bson_documents import DATES, DECIMALS, DOUBLES, INT64, TEXTS, VALUES
from tests.integration.type_matrix import CASES, Case
from tests.unit.test_shape import existing_layout

DECODED: Final = ("BINARY", "VARBINARY", "BIT", "JSON", *BLOB_BYTES, *GEOMETRY_TYPES)
LARGE: Final = ("BIGINT UNSIGNED", "DECIMAL(35,0)", "DECIMAL(65,30)")
"""Types whose largest values have a form of their own in documents."""

TEMPORAL: Final = ("DATE", "DATETIME", "TIMESTAMP")

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
    assert meanings(loader, found) == meanings(loader, loader.texts(values))
    return True


def meanings(loader: Loader, columns: Sequence[Texts]) -> list[Sequence[object]]:
    """Texts, but for zeros at the end of a fraction of a second."""
    return [
        [text and _meaning(text) for text in texts] if column.type.base in TEMPORAL else texts
        for column, texts in zip(loader.association.columns, columns, strict=True)
    ]


def _meaning(text: str) -> object:
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # a zero date
        return text


def plain(case: Case, value: object) -> bool:
    """Whether a value has the form in which documents hold most values of its column, and which is read undecoded."""
    if case.codec.sql_type.base in DECODED or isinstance(value, dict):
        return False
    if isinstance(value, str):  # a zero date is a text, too
        return "\0" not in value and not case.codec.bson_form.startswith("date")
    return case.codec.sql_type.base == "DECIMAL" or not isinstance(value, Decimal128)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.type[:40])
def test_values_of_every_type(case: Case) -> None:
    random = Random(f"{case.type} images")
    loader = Loader(existing_layout(("v", case.type)).association)
    given_values = [case.codec.encode(one) for one in (case.example, *(case.draw(random) for _ in range(50)))]
    images = [encoded({"_id": number, "v": value}) for number, value in enumerate(given_values)]
    assert [same(loader, [image]) for image in images] == [plain(case, value) for value in given_values]
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


def test_an_odd_field_after_many_columns() -> None:
    """In time that grows with the columns: were it with their square, these would take half an hour."""
    names = [f"c{number}" for number in range(2000)]
    loader = Loader(existing_layout(*((name, "INT") for name in names)).association)
    row = dict.fromkeys(["_id", *names], 1)
    assert same(loader, [encoded(row)])
    odd = encoded(row | {"more": 1})
    for _ in range(500):
        assert loader.image_texts([odd]) is None


FITTING: Final = {
    "n": INT64.map(lambda value: b"\x12" + struct.pack("<q", value)),
    "s": TEXTS.map(lambda text: b"\x02" + struct.pack("<i", len(text.encode()) + 1) + text.encode() + b"\0"),
    "f": DOUBLES.map(lambda value: b"\x01" + struct.pack("<d", value)),
    "d": DECIMALS.map(lambda bid: b"\x13" + bid),
    "y": st.integers(-800_000, 3_000_000).map(lambda day: b"\x09" + struct.pack("<q", day * 86_400_000)),
    "t": DATES.map(lambda value: b"\x09" + struct.pack("<q", value)),
}
"""Values of the type that each column has in documents."""
FIELDS: Final = st.tuples(st.sampled_from(list(FITTING)), st.integers(0, 5)).flatmap(
    lambda drawn: st.tuples(st.just(drawn[0]), FITTING[drawn[0]] if drawn[1] else VALUES)
)


def test_whatever_documents_hold() -> None:
    read = dict.fromkeys(FITTING, 0)

    @settings(max_examples=300)
    @given(st.lists(FIELDS, max_size=4))
    def check(fields: list[tuple[str, bytes]]) -> None:
        placed = sorted(fields, key=lambda field: list(FITTING).index(field[0]))
        elements = [Element(b"_id", b"\x10" + bytes(4)), *(Element(name.encode(), value) for name, value in placed)]
        if same(LOADER, [joined(elements)]):
            for name, _ in fields:
                read[name] += 1

    check()
    assert all(read.values()), read
