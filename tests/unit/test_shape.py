"""Documents of any BSON as rows, and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import bson
import pytest
from bson import Decimal128, MaxKey, MinKey, ObjectId, Regex
from bson.binary import Binary
from bson.int64 import Int64
from hypothesis import given, settings
from hypothesis import strategies as st

from platform_store.codecs import codec_for
from platform_store.errors import ValueRejected
from platform_store.halves import CODEC_OPTIONS
from platform_store.shapes.elements import Element, joined, value_bytes
from platform_store.shapes.exact import exact, from_exact
from platform_store.shapes.infer import Inference
from platform_store.shapes.key_text import from_key_text, key_text
from platform_store.shapes.shape import Shape
from platform_store.shapes.survey import Survey
from platform_store.shapes.target import Meaning, Schema, TargetColumn
from platform_store.sqltypes import SqlType
from platform_store.stores.bulk import Layout
from platform_store.stores.mysql_bulk_target import Loader
from tests.bson_documents import IDS, VALUES, documents, object_id
from tests.integration.type_matrix import CASES

ID = TargetColumn("id", "_id", "CHAR(24)", "objectId", collation="exact")
COLUMNS = (
    TargetColumn("a", "a", "INT", "int"),
    TargetColumn("A_2", "A", "DOUBLE", "number"),
    TargetColumn("b", "b", "VARCHAR(10)", "string", nulls=True),
    TargetColumn("bb", "bb", "JSON", "json", order=("name", "a", "b"), types={"a": "date", "b": "objectId"}),
    TargetColumn("name", "name", "DECIMAL(10,2)", "decimal"),
    TargetColumn("c1", "é", "DATETIME(3)", "date"),
    TargetColumn("c2", "$set", "BIGINT", "integer"),
    TargetColumn("c3", "", "VARBINARY(10)", "binary"),
    TargetColumn("bson3", "_bson", "BINARY(16)", "uuid"),
)
SCHEMA = Schema("t", (ID,), COLUMNS)
KEY = "0" * 23 + "1"


def encoded(document: dict[str, Any]) -> bytes:
    return bson.encode(document, codec_options=CODEC_OPTIONS)


def again(shape: Shape, document: bytes) -> bytes:
    """The document after its row was BSON, as the row stores hand rows out."""
    return shape.restore(encoded(shape.row(document)))


def one(column_type: str, meaning: Meaning, **more: Any) -> Shape:
    return Shape(Schema("t", (ID,), (TargetColumn("v", "v", column_type, meaning, **more),)))


@settings(max_examples=300)
@given(documents())
def test_any_document_comes_back_by_a_given_schema(document: bytes) -> None:
    shape = Shape(SCHEMA)
    assert shape.restore(shape.row(document)) == document
    assert again(shape, document) == document


@settings(max_examples=100)
@given(st.lists(documents(), min_size=1, max_size=6))
def test_any_document_comes_back_by_the_inferred_schema_and_its_comments(given_documents: list[bytes]) -> None:
    inference = Inference()
    for document in given_documents:
        inference.observe(document)
    schema = inference.schema("t", complete=True)
    layout = schema.layout(key_collation="utf8mb4_0900_bin", text_collation="utf8mb4_0900_ai_ci")
    shape, described = Shape(schema), Shape(Schema.from_layout(layout))
    for document in given_documents:
        row = shape.row(document)
        for column in layout.association.document_columns:
            if column.name in row:
                column.codec.stored_from_bson(row[column.name])
        assert layout.association.decode_id(row["_id"])
        assert described.restore(encoded(row)) == document


@settings(max_examples=200)
@given(IDS)
def test_any_id_comes_back_from_its_key(value: bytes) -> None:
    document = joined([Element(b"_id", value)])
    inference = Inference()
    inference.observe(document)
    shape = Shape(inference.schema("t"))
    assert shape.restore(shape.row(document)) == document
    identifier = bson.decode(document, CODEC_OPTIONS)["_id"]
    assert shape.key_of(shape.identify(shape.key_of(identifier))) == shape.key_of(identifier)


@settings(max_examples=300)
@given(VALUES)
def test_an_exact_form_survives_mysqls_order_of_keys(value: bytes) -> None:
    json_codec = codec_for(SqlType("JSON"))
    assert from_exact(json_codec.stored_from_bson(json_codec.encode([exact(value)]))[0]) == value  # type: ignore[index]


@pytest.mark.parametrize(
    ("column_type", "meaning", "value", "natural"),
    [
        ("INT", "int", 5, 5),
        ("BIGINT", "long", Int64(5), 5),
        ("BIGINT", "integer", Int64(2**40), 2**40),
        ("DOUBLE", "double", 0.5, 0.5),
        ("DOUBLE", "number", 5, 5.0),
        ("DECIMAL(10,2)", "decimal", Decimal128("1.10"), Decimal128("1.10")),
        ("DECIMAL(10,2)", "shortest-decimal", Decimal128("1.1"), Decimal128("1.10")),
        ("VARCHAR(8)", "string", "茶", "茶"),
        ("TINYINT(1)", "bool", True, 1),
        ("DATETIME(3)", "date", datetime(2026, 1, 2, 3, 4, 5, 6000), datetime(2026, 1, 2, 3, 4, 5, 6000)),
        ("CHAR(24)", "objectId", object_id(1), KEY),
        ("BINARY(12)", "objectId", object_id(1), object_id(1).binary),
        ("BINARY(16)", "uuid", UUID(int=5), UUID(int=5).bytes),
        ("VARBINARY(8)", "binary", b"ab", b"ab"),
        ("JSON", "json", {"b": 1, "aa": [1.5, None]}, {"b": 1, "aa": [1.5, None]}),
        ("JSON", "json", Int64(2**40), 2**40),
    ],
)
def test_ordinary_values_need_no_exact_form(column_type: str, meaning: Meaning, value: Any, natural: Any) -> None:
    shape = one(column_type, meaning)
    document = encoded({"_id": object_id(1), "v": value})
    assert shape.row(document) == {"_id": KEY, "v": natural}
    assert shape.losses(document) == []
    assert again(shape, document) == document


@pytest.mark.parametrize(
    ("column_type", "meaning", "value", "natural"),
    [
        ("INT", "int", Int64(5), 5),
        ("INT", "int", 5.0, 5),
        ("INT", "int", 2**40, None),
        ("INT", "int", "5", None),
        ("INT", "int", True, None),
        ("DOUBLE", "double", 5, 5.0),
        ("DOUBLE", "double", -0.0, 0.0),
        ("DOUBLE", "double", float("nan"), None),
        ("DOUBLE", "number", 5.0, 5.0),
        ("DECIMAL(10,2)", "decimal", Decimal128("1.1"), Decimal128("1.10")),
        ("DECIMAL(10,2)", "decimal", Decimal128("NaN"), None),
        ("DECIMAL(10,2)", "decimal", Decimal128("1E+30"), None),
        ("VARCHAR(3)", "string", "four", None),
        ("DATETIME(3)", "date", datetime(999, 1, 1), None),
        ("CHAR(24)", "objectId", KEY, None),
        ("BINARY(16)", "uuid", Binary(b"x" * 16, 3), None),
        ("VARBINARY(8)", "binary", Binary(b"ab", 128), b"ab"),
        ("JSON", "json", {"aa": 1, "b": 2}, {"b": 2, "aa": 1}),
        ("JSON", "json", [datetime(2026, 1, 2), ObjectId(KEY)], ["2026-01-02T00:00:00.000Z", KEY]),
        ("JSON", "json", [MinKey(), float("inf")], [None, None]),
        ("JSON", "json", Regex("^a", "i"), "^a"),
        ("INT", "int", MaxKey(), None),
        ("INT", "int", None, None),
    ],
)
def test_all_else_is_kept_beside_the_nearest_natural_value(
    column_type: str, meaning: Meaning, value: Any, natural: Any
) -> None:
    shape = one(column_type, meaning)
    document = encoded({"_id": object_id(1), "v": value})
    row = shape.row(document)
    assert row.get("v") == natural
    assert repr(row.get("v")) == repr(natural)
    assert "_bson" in row
    (loss,) = shape.losses(document)
    assert (loss.key, loss.field, loss.column, loss.goes_to) == (object_id(1), "v", "v", "_bson")
    assert again(shape, document) == document


def test_what_a_columns_comment_tells_of_its_inside_needs_no_exact_form() -> None:
    shape = one(
        "JSON", "json", order=("street", "zip", "when", "by"), types={"when": "date", "by": "objectId", "n": "long"}
    )
    value = {"street": "s", "zip": "1", "when": datetime(2026, 1, 2), "by": [object_id(2)]}
    document = encoded({"_id": object_id(1), "v": [{"n": Int64(3)}, {"zip": 1}, value]})
    assert "_bson" not in shape.row(document)
    assert again(shape, document) == document


def test_text_that_only_looks_like_what_the_comment_tells_stays_text() -> None:
    shape = one("JSON", "json", types={"": "date", "by": "objectId", "u": "uuid", "d": "decimal"})
    for value in (
        "2026-01-02T00:00:00.000Z",
        "2026-13-02T00:00:00.000Z",
        {"by": KEY},
        {"u": str(UUID(int=1))},
        {"d": "1.0"},
    ):
        document = encoded({"_id": object_id(1), "v": value})
        assert again(shape, document) == document


def test_fields_in_another_order_and_without_a_column() -> None:
    document = encoded({"_id": object_id(1), "zz": 1, "b": "x", "$x": 2, "a": 3})
    row = Shape(SCHEMA).row(document)
    assert row["a"] == 3
    assert {loss.kind for loss in Shape(SCHEMA).losses(document)} == {"no column", "order"}
    assert again(Shape(SCHEMA), document) == document


def test_null_and_absent_are_told_apart() -> None:
    shape = Shape(
        Schema("t", (ID,), (TargetColumn("n", "n", "INT", "int", nulls=True), TargetColumn("m", "m", "INT", "int")))
    )
    ordinary = encoded({"_id": object_id(1), "n": None})
    assert shape.row(ordinary) == {"_id": KEY}
    for document in ({}, {"m": None}, {"n": None, "m": None}, {"n": 1}, {"n": 1, "m": 2}):
        assert again(shape, encoded({"_id": object_id(1), **document})) == encoded({"_id": object_id(1), **document})


# Another writer


def test_a_change_of_the_column_wins_over_the_exact_form() -> None:
    shape = Shape(SCHEMA)
    row = shape.row(encoded({"_id": object_id(1), "a": Int64(5), "A": float("nan"), "b": "x"}))
    assert shape.restore({**row, "a": 6}) == encoded({"_id": object_id(1), "a": 6, "A": float("nan"), "b": "x"})
    assert shape.restore({**row, "A_2": 1.5}) == encoded({"_id": object_id(1), "a": Int64(5), "A": 1.5, "b": "x"})
    without = {name: value for name, value in row.items() if name != "a"}
    assert shape.restore(without) == encoded({"_id": object_id(1), "A": float("nan"), "b": "x"})


def test_a_change_of_a_column_of_a_document_that_is_kept_whole() -> None:
    shape = Shape(SCHEMA)
    fields: list[tuple[bytes, Any]] = [(b"_id", object_id(1)), (b"a", 1), (b"a", 2), (b"b", "x"), (b"z", 1), (b"z", 2)]
    twice = joined(Element(name, value_bytes(value)) for name, value in fields)
    row = shape.row(twice)
    assert row["a"] == 2
    assert shape.restore(row) == twice
    changed = bson.decode(shape.restore({**row, "a": 7}))
    assert changed == {"_id": object_id(1), "a": 7, "b": "x", "z": 2}


def test_a_column_that_is_added_later_takes_nothing_away() -> None:
    before = Shape(Schema("t", (ID,), ()))
    after = Shape(Schema("t", (ID,), (TargetColumn("a", "a", "INT", "int"),)))
    document = encoded({"_id": object_id(1), "z": "x", "a": 5})
    row = before.row(document)
    assert after.restore(row) == document
    assert after.restore({**row, "a": 6}) == encoded({"_id": object_id(1), "z": "x", "a": 6})


def test_a_field_that_another_writer_fills_is_added() -> None:
    shape = Shape(SCHEMA)
    row = shape.row(encoded({"_id": object_id(1), "zz": 1, "b": None}))
    assert bson.decode(shape.restore({**row, "a": 7})) == {"_id": object_id(1), "zz": 1, "b": None, "a": 7}


@pytest.mark.parametrize(
    "damaged",
    [
        [],
        {".exact": {"a": {".bson": "??"}}},
        {".exact": []},
        {".order": "a"},
        {"x": {".bson": ""}},
        {"zz": {"$oid": 1}},
    ],
)
def test_a_damaged_column_of_exact_forms_is_named(damaged: Any) -> None:
    row = {"_id": KEY, "a": 1, "_bson": codec_for(SqlType("JSON")).encode(damaged)}
    with pytest.raises(ValueRejected) as caught:
        Shape(SCHEMA).restore(row)
    assert (caught.value.table, caught.value.column, caught.value.key) == ("t", "_bson", KEY)


# Tables that are there


def existing(*columns: tuple[str, str], key: str = "INT") -> Shape:
    return Shape.for_layout(existing_layout(*columns, key=key))


def existing_layout(*columns: tuple[str, str], key: str = "INT") -> Layout:
    schema = Schema("t", (TargetColumn("k", "_id", key),), tuple(TargetColumn(n, n, t) for n, t in columns), None)
    return schema.layout(key_collation="utf8mb4_0900_bin", text_collation="utf8mb4_0900_ai_ci")


def test_rows_of_a_table_without_comments_are_their_documents() -> None:
    shape = existing(("a", "BIGINT UNSIGNED"), ("d", "DATE"), ("t", "TIME"), ("j", "JSON"))
    assert shape.untouched
    row = encoded({"_id": 1, "a": Decimal128(str(2**64 - 1)), "d": "0000-00-00", "j": {"_json": "null"}})
    assert shape.restore(row) is row
    assert encoded(shape.row(row)) == row


@pytest.mark.parametrize(
    ("column_type", "value", "held"),
    [
        ("BIGINT", Int64(5), 5),
        ("INT", True, 1),
        ("DOUBLE", 5, 5.0),
        ("DECIMAL(10,2)", 5, Decimal128("5.00")),
        ("DECIMAL(10,2)", Decimal128("1.1"), Decimal128("1.10")),
        ("CHAR(24)", object_id(1), KEY),
        ("BINARY(12)", object_id(1), object_id(1).binary),
        ("BINARY(16)", UUID(int=1), UUID(int=1).bytes),
        ("DATE", datetime(2026, 1, 2), datetime(2026, 1, 2)),
        ("DATETIME(6)", datetime(2026, 1, 2, 3, 4, 5, 6000), "2026-01-02 03:04:05.006000"),
        ("JSON", {"aa": 1, "b": 2}, {"b": 2, "aa": 1}),
        ("INT", None, None),
    ],
)
def test_an_existing_column_takes_values_that_are_equal(column_type: str, value: Any, held: Any) -> None:
    row = existing(("v", column_type)).row(encoded({"_id": 1, "v": value}))
    assert repr(row.get("v")) == repr(held)
    assert row["_id"] == 1


@pytest.mark.parametrize(
    ("column_type", "value"),
    [
        ("INT", 5.5), ("INT", "5"), ("INT", 2**40), ("TINYINT", 300), ("DECIMAL(10,2)", Decimal128("1.111")),
        ("VARCHAR(3)", "four"), ("VARCHAR(3)", "abc "), ("DATETIME", datetime(2026, 1, 1, 0, 0, 0, 5000)),
        ("DATE", datetime(2026, 1, 1, 5)), ("JSON", {"a": ObjectId(KEY)}), ("DOUBLE", float("nan")),
        ("INT", Regex("a")), ("DOUBLE", Int64(2**60 + 1)),
    ],
)  # fmt: skip
def test_an_existing_column_refuses_what_it_would_change(column_type: str, value: Any) -> None:
    shape = existing(("v", column_type))
    document = encoded({"_id": 7, "v": value})
    with pytest.raises(ValueRejected) as caught:
        shape.row(document)
    assert (caught.value.table, caught.value.column, caught.value.key) == ("t", "v", 7)
    (loss,) = shape.losses(document)
    assert (loss.field, loss.goes_to) == ("v", "")


@pytest.mark.parametrize("column_type", [case.type for case in CASES])
def test_every_type_of_mysql_passes_through_as_its_codec_has_it(column_type: str) -> None:
    """An existing table's own rows, after a stay in MongoDB."""
    case = next(case for case in CASES if case.type == column_type)
    shape = existing(("v", column_type))
    random = Random(column_type)
    for given_value in (case.example, *case.edges, *(case.draw(random) for _ in range(50))):
        document = encoded({"_id": 1, "v": case.codec.encode(given_value)})
        assert encoded(shape.row(document)) == document
        assert shape.restore(document) == document


def test_an_existing_table_refuses_a_field_without_a_column() -> None:
    with pytest.raises(ValueRejected, match="'zz'") as caught:
        existing(("v", "INT")).row(encoded({"_id": 7, "zz": 1}))
    assert caught.value.key == 7


def test_an_existing_table_with_a_column_of_exact_forms_takes_everything() -> None:
    schema = Schema("t", (TargetColumn("k", "_id", "INT"),), (TargetColumn("v", "v", "DATE"),))
    shape = Shape.for_layout(schema.layout(key_collation="utf8mb4_0900_bin", text_collation="utf8mb4_0900_ai_ci"))
    for value in (datetime(2026, 1, 2), datetime(2026, 1, 2, 3), "x", None, Int64(4)):
        document = encoded({"_id": 1, "v": value})
        assert again(shape, document) == document


def test_an_id_that_fits_no_key_is_refused_with_its_key() -> None:
    for identifier in ("x", 5.5, 2**40, None, {"a": 1}):
        with pytest.raises(ValueRejected) as caught:
            existing(("v", "INT")).row(encoded({"_id": identifier}))
        assert caught.value.column == "k"
    with pytest.raises(ValueRejected, match="no _id"):
        existing(("v", "INT")).row(encoded({"v": 1}))


@pytest.mark.parametrize(
    ("column_type", "meaning", "key"),
    [
        ("CHAR(24)", "objectId", "hello"),
        ("CHAR(24)", "objectId", "ABCDEFABCDEFABCDEFABCDEF"),
        ("VARCHAR(768)", "key", "hello"),
        ("VARCHAR(768)", "key", "2110000.50"),
        ("DATETIME(3)", "date", "0000-00-00 00:00:00.000"),
    ],
)
def test_a_key_of_another_writer_that_no_id_can_be_is_refused(column_type: str, meaning: Meaning, key: str) -> None:
    """Read as it is, it would be another row's, or stand elsewhere in MongoDB's order."""
    shape = Shape(Schema("t", (TargetColumn("id", "_id", column_type, meaning, collation=None),), ()))
    for restored in (lambda: shape.restore(encoded({"_id": key})), lambda: shape.identify((key,))):
        with pytest.raises(ValueRejected) as caught:
            restored()
        assert (caught.value.table, caught.value.column, caught.value.key) == ("t", "id", key)
    survey = Survey(shape)
    survey.row(encoded({"_id": key}))
    assert [(loss.key, loss.goes_to) for loss in survey.losses] == [(key, "")]


@pytest.mark.parametrize(
    ("column_type", "identifier"),
    [("CHAR(24)", object_id(1)), ("BINARY(16)", UUID(int=1)), ("INT", True), ("BINARY(1)", Binary(b"a", 128))],
)
def test_an_id_of_another_type_is_no_key_of_an_existing_table(column_type: str, identifier: Any) -> None:
    """Another ``_id`` may be the same key."""
    with pytest.raises(ValueRejected):
        existing(key=column_type).row(encoded({"_id": identifier}))


def test_text_that_is_no_object_id_stays_text_beside_the_key() -> None:
    shape = one("CHAR(24)", "objectId")
    for text in ("hello", "ABCDEFABCDEFABCDEFABCDEF"):
        assert shape.restore(encoded({"_id": KEY, "v": text})) == encoded({"_id": object_id(1), "v": text})


@pytest.mark.parametrize("text", ["", "7x", "2x", "6zz", "5zz", "8", "9", "q"])
def test_a_text_that_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueRejected):
        from_key_text(text)


def test_keys_sort_as_their_numbers() -> None:
    numbers: list[Any] = [
        float("nan"), float("-inf"), -1e300, -(2**62), -12.5, -12, -1.25, -0.1, -5e-324, 0, 5e-324,
        Decimal128("1E-6176"), Decimal128("0.1"), 0.1, 1, 1.25, 2, 10, 12, 2**31, 2**62, 1e300,
        Decimal128("1E+6000"), float("inf"),
    ]  # fmt: skip
    numbers.sort(key=lambda number: (number == number, _decimal(number)))
    texts = [key_text(number) for number in numbers]
    assert texts == sorted(texts)
    assert len(set(texts)) == len(texts)
    for number, text in zip(numbers, texts, strict=True):
        assert repr(from_key_text(text)) == repr(
            Int64(number) if isinstance(number, int) and abs(number) >= 2**31 else number
        )


def _decimal(number: Any) -> Decimal:
    if isinstance(number, Decimal128):
        return number.to_decimal()
    return Decimal(number) if number == number else Decimal(0)


@given(st.lists(documents(), max_size=5))
def test_many_together_are_the_same_rows(given_documents: list[bytes]) -> None:
    """One odd document (a name twice, a symbol) has the others looked at one by one."""
    shape = Shape(SCHEMA)
    ordinary = [bson.encode({"_id": object_id(number), "n": number}) for number in range(3)]
    for some in (given_documents, ordinary, [*ordinary, *given_documents]):
        assert shape.rows(some) == [shape.row(one) for one in some]


OF_ANY_TYPE = [
    5, Int64(5), Int64(2**40), 5.0, 0.5, -0.0, True, "5", "", "a ", b"", b"ab", Decimal128("1.5"), Decimal128("5"),
    datetime(2026, 1, 2), datetime(2026, 1, 2, 3, 4, 5, 6000), object_id(1), UUID(int=1), Regex("a"), MinKey(), [],
    Binary(b"ab", 128), [1, {"a": 2.0}], {"b": 1, "a": Int64(2)}, {"_json": "null"}, {"_json": 1}, {"a": object_id(1)},
]  # fmt: skip


@pytest.mark.parametrize("column_type", [case.type for case in CASES])
def test_what_a_table_takes_as_it_is_makes_the_same_row(column_type: str) -> None:
    """Migrations load documents without a look at their values where the table may take them as they are."""
    case = next(case for case in CASES if case.type == column_type)
    layout = existing_layout(("v", column_type))
    shape, loader = Shape.for_layout(layout), Loader(layout.association)
    random = Random(column_type)
    readers: dict[str, Callable[[str], Any]] = {"DECIMAL": Decimal, "JSON": json.loads}
    own = (case.codec.encode(one) for one in (case.example, *case.edges, *(case.draw(random) for _ in range(20))))
    taken = 0
    for value in (*own, *OF_ANY_TYPE):
        document = encoded({"_id": 1, "v": value})
        with suppress(ValueRejected):
            values: list[dict[str, Any]] = bson.decode_all(document, CODEC_OPTIONS)
            ((_, direct), (_, by_shape)) = (loader.texts(values), loader.texts([shape.row(document)]))
            read = readers.get(case.codec.sql_type.base, str)
            assert read(str(direct[0])) == read(str(by_shape[0]))  # scales and the order of keys aside
            taken += 1
    assert taken >= 20
