"""The scan of a dry run."""

from __future__ import annotations

from typing import Any

import bson
from bson import Decimal128, Regex

from platform_store.shapes.shape import Shape
from platform_store.shapes.survey import MAX_DOCUMENT, Survey
from platform_store.shapes.target import Schema, TargetColumn


def shape(*columns: TargetColumn, rest: str | None = "_bson") -> Shape:
    return Shape(Schema("t", (TargetColumn("id", "_id", "INT", "int"),), columns, rest))


def test_documents_on_their_way_to_mysql() -> None:
    survey = Survey(shape(TargetColumn("n", "n", "INT", "int")), limit=2)
    for document in ({"n": 1}, {"n": float("nan")}, {"n": 2, "x": Regex("a")}, {"n": "a"}):
        survey.document(bson.encode({"_id": survey.rows, **document}))
    assert (survey.rows, dict(survey.counts)) == (4, {"does not fit": 2, "no column": 1})
    assert [(loss.key, loss.field, loss.goes_to) for loss in survey.losses] == [(1, "n", "_bson"), (2, "x", "_bson")]
    text = str(survey)
    assert "3 values not in natural form" in text
    assert "... and 1 more" in text


def test_documents_that_an_existing_table_refuses() -> None:
    survey = Survey(shape(TargetColumn("n", "n", "INT"), rest=None))
    survey.document(bson.encode({"_id": 1, "n": 5.5}))
    survey.document(bson.encode({"_id": "a", "n": 5}))
    assert [(loss.key, loss.field, loss.goes_to) for loss in survey.losses] == [(1, "n", ""), ("a", "_id", "")]
    assert "nowhere: it is refused" in str(survey)


def test_rows_on_their_way_to_mongodb() -> None:
    columns = [
        TargetColumn("u", "u", "BIGINT UNSIGNED"), TargetColumn("d", "d", "DATE"), TargetColumn("j", "j", "JSON"),
        TargetColumn("t", "t", "TIME"), TargetColumn("s", "s", "LONGTEXT"),
    ]  # fmt: skip
    survey = Survey(shape(*columns, rest=None))
    rows: list[dict[str, Any]] = [
        {"u": 1, "j": {"a": 1}, "t": 5}, {"u": Decimal128(str(2**64 - 1))}, {"d": "0000-00-00"},
        {"j": {"_json": "null"}},
        {"s": "x" * MAX_DOCUMENT},
    ]  # fmt: skip
    for row in rows:
        survey.row(bson.encode({"_id": survey.rows, **row}))
    assert [(loss.key, loss.column, loss.kind) for loss in survey.losses] == [
        (1, "u", "exceptional"), (2, "d", "exceptional"), (3, "j", "exceptional"), (4, "", "too large"),
    ]  # fmt: skip
    forms = {form.column: form for form in survey.forms}
    assert forms["t"].form == "long: microseconds"
    assert "decimal" in forms["u"].exceptions
