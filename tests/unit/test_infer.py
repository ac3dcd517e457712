"""The table inferred from documents."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import bson
import pytest
from bson import Decimal128, MinKey, ObjectId, Regex, Timestamp
from bson.binary import Binary
from bson.int64 import Int64

from platform_store.errors import SchemaError
from platform_store.halves import CODEC_OPTIONS
from platform_store.shapes.column_names import ColumnNames
from platform_store.shapes.infer import Inference
from platform_store.shapes.shape import Shape
from platform_store.shapes.target import MAX_COMMENT, Schema, TargetColumn
from tests.bson_documents import object_id


def inferred(*given: dict[str, Any], complete: bool = True) -> Schema:
    inference = Inference()
    for document in given:
        inference.observe(bson.encode(document, codec_options=CODEC_OPTIONS))
    schema = inference.schema("t", complete=complete)
    shape = Shape(schema)
    for document in given:
        raw = bson.encode(document, codec_options=CODEC_OPTIONS)
        assert shape.restore(shape.row(raw)) == raw
    return schema


def of_values(*values: Any, complete: bool = True) -> Schema:
    return inferred(*({"_id": object_id(n), "v": value} for n, value in enumerate(values)), complete=complete)


@pytest.mark.parametrize(
    ("values", "column_type", "meaning"),
    [
        ([1, 2, -(2**31)], "INT", "int"),
        ([Int64(1), Int64(2**40)], "BIGINT", "long"),
        ([1, 2, 3, Int64(2**40)], "BIGINT", "integer"),
        ([1, Int64(2), Int64(3), Int64(4)], "BIGINT", "long"),
        ([0.5, 1.0, 2.25], "DOUBLE", "double"),
        ([5, 7, 0.5, 1.25], "DOUBLE", "number"),
        ([5, 0.5, 1.0, 2.0, 3.0], "DOUBLE", "double"),
        ([5, 6, 7, 8.0], "INT", "int"),
        ([5, 6, 7, 5e9], "BIGINT", "int"),
        ([Decimal128("1.10"), Decimal128("20.00")], "DECIMAL(4,2)", "decimal"),
        ([Decimal128("1.1"), Decimal128("20"), Decimal128("0.25")], "DECIMAL(4,2)", "shortest-decimal"),
        ([Decimal128("1E+6000"), Decimal128("1.1")], "DOUBLE", "double"),
        ([Decimal128("1.5"), Decimal128("NaN")], "DECIMAL(2,1)", "decimal"),
        (["a", "bcd"], "VARCHAR(8)", "string"),
        (["x" * 200], "VARCHAR(255)", "string"),
        (["x" * 2000], "TEXT", "string"),
        (["x" * 70_000], "LONGTEXT", "string"),
        ([True, False], "TINYINT(1)", "bool"),
        ([datetime(2026, 1, 1), datetime(1, 1, 1)], "DATETIME(3)", "date"),
        ([ObjectId()], "CHAR(24)", "objectId"),
        ([UUID(int=1)], "BINARY(16)", "uuid"),
        ([b"abc"], "VARBINARY(8)", "binary"),
        ([b"x" * 2000], "BLOB", "binary"),
        ([Binary(b"x" * 16, 3)], "VARBINARY(16)", "binary"),
        ([{"a": 1}], "JSON", "json"),
        ([[1], {"a": 1}], "JSON", "json"),
        ([1, "a", True], "JSON", "json"),
        (["a"] * 99 + [1], "VARCHAR(8)", "string"),
        ([None], "JSON", "json"),
    ],
)
def test_the_column_of_a_field(values: list[Any], column_type: str, meaning: str) -> None:
    (column,) = of_values(*values).columns
    assert (column.sql_type.ddl, column.meaning) == (column_type, meaning)


def test_lengths_have_room_where_not_all_documents_were_seen() -> None:
    assert of_values("x" * 60, complete=False).columns[0].type == "VARCHAR(128)"
    assert of_values("x" * 60).columns[0].type == "VARCHAR(64)"
    assert of_values(Decimal128("1.10"), complete=False).columns[0].type == "DECIMAL(7,2)"


def test_a_field_that_no_column_tells_anything_of_goes_to_the_exact_forms() -> None:
    schema = of_values(Regex("a"), Timestamp(1, 2), MinKey())
    assert schema.columns == ()
    assert list(schema.overflow) == ["v"]
    assert "'v' goes to _bson" in str(schema)


def test_the_rare_type_of_a_mixed_field_is_noted_with_an_example() -> None:
    (column,) = of_values(*["a"] * 99, 7).columns
    assert "string 99%" in column.note
    assert repr(object_id(99)) in column.note


def test_nulls_or_absent_fields_whichever_are_more() -> None:
    documents: list[dict[str, Any]] = [{"n": None, "m": 1}, {"n": 1}, {"n": None, "m": None}, {"m": 2}]
    schema = inferred(*({"_id": n, **document} for n, document in enumerate(documents)))
    assert {column.field: column.nulls for column in schema.columns} == {"n": True, "m": False}


def test_fields_stand_in_the_order_of_the_most_frequent_documents() -> None:
    schema = inferred(
        {"_id": 1, "c": 1, "a": 1},
        *({"_id": n, "a": 1, "b": 2, "c": 3} for n in range(2, 5)),
        {"_id": 9, "a": 1, "z": 1},
    )
    assert [column.field for column in schema.columns] == ["a", "z", "b", "c"]


def test_what_is_inside_objects_is_told_by_the_comment() -> None:
    value = {"zip": "1", "by": [object_id(1)], "at": datetime(2026, 1, 1), "n": Int64(1), "who": UUID(int=1)}
    (column,) = of_values([value], {"zip": "2", "inner": {"at": datetime(2026, 1, 1)}}).columns
    assert column.types == {"by": "objectId", "at": "date", "n": "long", "who": "uuid"}
    assert [name for name in column.order if name in value] == list(value)
    row = Shape(of_values([value])).row(bson.encode({"_id": object_id(1), "v": [value]}, codec_options=CODEC_OPTIONS))
    assert "_bson" not in row


def test_a_comment_is_never_longer_than_mysql_takes() -> None:
    schema = of_values({f"a rather long key {n}": datetime(2026, 1, 1) for n in range(200)})
    assert 500 < len(schema.columns[0].comment) <= MAX_COMMENT


# Names


@pytest.mark.parametrize(
    ("field", "column"),
    [
        ("name", "name"), ("a.b", "a_b"), ("$set", "_set"), ("", "field"), ("tab\t", "tab_"), ("end ", "end_"),
        ("a\0b", "a_b"), ("😀", "_"), ("order", "order"), ("x" * 80, "x" * 64), ("_id", "_id_2"), ("_REV", "_REV_2"),
        ("per%cent`s", "per%cent`s"),
    ],
)  # fmt: skip
def test_a_columns_name(field: str, column: str) -> None:
    assert ColumnNames().give(field) == column


def test_names_that_mysql_does_not_tell_apart_get_numbers() -> None:
    names = ColumnNames(["b"])
    assert [names.give(name) for name in ("a", "A", "á", "Á", "B", "x" * 64, "x" * 65)] == [
        "a", "A_2", "á", "Á_2", "B_2", "x" * 64, "x" * 62 + "_2",
    ]  # fmt: skip


def test_a_field_keeps_its_name_where_another_only_becomes_it() -> None:
    schema = inferred(*({"_id": n, "a.b": 1, "x": 1, "id": 2, "_bson": 3} for n in range(3)), {"_id": 9, "a_b": 2})
    assert {column.field: column.name for column in schema} == {
        "_id": "id_2", "a.b": "a_b_2", "x": "x", "id": "id", "_bson": "_bson_2", "a_b": "a_b",
    }  # fmt: skip
    assert schema.rest == "_bson"


# Keys


@pytest.mark.parametrize(
    ("ids", "column_type", "meaning"),
    [
        ([object_id(1)], "CHAR(24)", "objectId"),
        ([1, 2], "INT", "int"),
        ([1, Int64(2**40)], "BIGINT", "integer"),
        ([1, 2, 3.0], "INT", "int"),
        ([1, 2, 5e9], "BIGINT", "int"),
        (["a", "b" * 500], "VARCHAR(768)", "string"),
        ([datetime(2026, 1, 1)], "DATETIME(3)", "date"),
        ([UUID(int=1)], "BINARY(16)", "uuid"),
        ([b"abcd", b"efgh"], "BINARY(4)", "binary"),
        ([b"abcd", b"efghi"], "VARCHAR(768)", "key"),
        ([1, "a"], "VARCHAR(768)", "key"),
        ([0.5], "VARCHAR(768)", "key"),
        ([1e20, 1], "VARCHAR(768)", "key"),
        ([True], "VARCHAR(768)", "key"),
        ([datetime(1, 1, 1)], "VARCHAR(768)", "key"),
        ([{"a": 1}, {"b": 1}], "VARCHAR(768)", "key"),
        ([{"a": 1}], "VARCHAR(768)", "key"),
    ],
)
def test_the_key_of_ids(ids: list[Any], column_type: str, meaning: str) -> None:
    (column,) = inferred(*({"_id": identifier, "v": 1} for identifier in ids)).key
    assert (column.sql_type.ddl, column.meaning) == (column_type, meaning)


def test_documents_as_ids_become_a_composite_key() -> None:
    schema = inferred(*({"_id": {"shop": n, "a.b": "x"}, "shop": 1} for n in range(3)))
    assert [(column.name, column.field, column.type) for column in schema.key] == [
        ("shop_2", "shop", "INT"), ("a_b", "a.b", "VARCHAR(8)"),
    ]  # fmt: skip
    assert schema.column_of == {"_id.shop": "shop_2", "_id.a.b": "a_b", "shop": "shop"}


@pytest.mark.parametrize("ids", [["x" * 769], [1, "x" * 768], [{"a": "x" * 400}, 1]])
def test_an_id_that_is_too_long_for_a_key_is_refused(ids: list[Any]) -> None:
    with pytest.raises(SchemaError, match="768"):
        inferred(*({"_id": identifier} for identifier in ids))


def test_no_documents_are_a_table_of_object_ids() -> None:
    assert [(column.type, column.meaning) for column in Inference().schema("t").key] == [("CHAR(24)", "objectId")]


# Limits


def test_what_does_not_fit_a_row_goes_to_the_exact_forms() -> None:
    schema = inferred(*({"_id": n, **{f"f{m}": {"a": 1} for m in range(400)}} for n in range(2)))
    assert 150 < len(schema.columns) < 200
    assert len(schema.columns) + len(schema.overflow) == 400


def test_the_memory_of_an_inference_is_bounded() -> None:
    inference = Inference()
    for n in range(40):
        inference.observe({"_id": n, **{f"field {n} {m}": m for m in range(100)}})
    assert len(inference._fields) == 3000
    assert any("3000" in note for note in inference.schema("t").notes)


def test_damaged_text_is_counted_and_kept() -> None:
    document = b"\x17\x00\x00\x00\x10_id\x00\x01\x00\x00\x00\x02a\x00\x02\x00\x00\x00\xff\x00\x00"
    inference = Inference()
    inference.observe(document)
    schema = inference.schema("t")
    assert inference.unreadable == 1
    assert Shape(schema).restore(Shape(schema).row(document)) == document


# Schemas


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (TargetColumn("v", "v", "INT", "string"), "meaning string is"),
        (TargetColumn("v", "v", "CHAR(23)", "objectId"), "CHAR\\(24\\)"),
        (TargetColumn("v", "v", "JSON", "rest"), "named by itself"),
        (TargetColumn("v", "x" * 1100, "INT", "int"), "longer than"),
        (TargetColumn("ID", "x", "INT", "int"), "tell it from"),
        (TargetColumn("v", "v", "no type"), "not a supported"),
        (TargetColumn("v", "w", "INT", "int"), "same field"),
        (TargetColumn("_BSON", "v", "INT", "int"), "name of another"),
    ],
)
def test_a_schema_that_no_table_can_have(column: TargetColumn, reason: str) -> None:
    schema = Schema("t", (TargetColumn("id", "_id", "INT", "int"),), (TargetColumn("w", "w", "INT", "int"), column))
    with pytest.raises(SchemaError, match=reason):
        schema.layout(key_collation="utf8mb4_0900_bin", text_collation="utf8mb4_0900_ai_ci")


def test_a_comment_that_does_not_fit_the_type_any_more_tells_nothing() -> None:
    layout = of_values("a").layout(key_collation="utf8mb4_0900_bin", text_collation="utf8mb4_0900_ai_ci")
    for comment in ('{"bson":"int"}', '{"bson":"no such"}', '{"bson":', "a person's", '{"bson":"string","field":1}'):
        comments = {**layout.comments, "v": comment}
        read = Schema.from_layout(type(layout)(layout.association, (), comments, (), 0, 0))
        assert [(column.field, column.meaning) for column in read.columns] == [("v", "plain")]


def test_columns_of_unique_indexes_compare_as_mongodb_does() -> None:
    schema = of_values("a").exactly(frozenset({"v"}))
    layout = schema.layout(key_collation="utf8mb4_0900_bin", text_collation="utf8mb4_0900_ai_ci")
    assert layout.association.by_name["v"].attribute.collation == "utf8mb4_0900_bin"
