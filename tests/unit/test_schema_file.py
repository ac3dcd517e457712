"""Target schemas as YAML files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from platform_store.errors import ConfigError
from platform_store.shapes.infer import Inference
from platform_store.shapes.schema_file import load_schema, save_schema, schema_from_yaml, schema_yaml
from platform_store.shapes.target import Schema, TargetColumn
from tests.bson_documents import object_id

FILE = """\
table: customer
key:
- {column: id, field: _id, type: CHAR(24), meaning: objectId, collation: exact}
columns:
- column: name
  type: varchar(80)
- column: a_b
  field: a.b
  type: JSON
  order: [zip, city]
  types: {at: date}
  nulls: true
- column: size
  type: INT
"""


def test_a_file_written_by_hand() -> None:
    assert schema_from_yaml(FILE) == Schema(
        "customer",
        (TargetColumn("id", "_id", "CHAR(24)", "objectId", collation="exact"),),
        (
            TargetColumn("name", "name", "VARCHAR(80)", "string"),
            TargetColumn("a_b", "a.b", "JSON", "json", nulls=True, order=("zip", "city"), types={"at": "date"}),
            TargetColumn("size", "size", "INT", "int"),
        ),
    )


def test_an_inferred_schema_comes_back_from_its_file(tmp_path: Path) -> None:
    inference = Inference()
    values = {"null": 1, "yes": "a", "1": 2.5, "a: b": None, "#c": {"z": 1, "a": object_id(1)}, "é\x85": b"x", "": True}
    for number in range(3):
        inference.observe({"_id": object_id(number), **values})
    schema = inference.schema("t")
    save_schema(schema, tmp_path / "schema.yaml")
    read = load_schema(tmp_path / "schema.yaml")
    assert (read.table, read.key, read.columns, read.rest) == (schema.table, schema.key, schema.columns, schema.rest)
    assert schema_yaml(read).splitlines()[:20] == schema_yaml(schema).splitlines()[:20]


@pytest.mark.parametrize(
    ("found", "put", "line", "reason"),
    [
        ("table: customer\n", "", 1, "table: is missing"),
        ("table: customer", "table: [a]", 1, "must be text"),
        ("table: customer", "tabel: customer", 1, "did you mean table"),
        ("table: customer", "table: a$b", 1, "cannot hold"),
        ("- column: name", "- colum: name", 5, "did you mean columns.column"),
        ("type: varchar(80)", "type: varchar", 5, "needs a length"),
        ("type: varchar(80)", "type: nothing", 5, "not a supported column type"),
        ("type: varchar(80)", "meaning: string", 5, "columns.type: is missing"),
        ("type: INT", "type: INT\n  meaning: date", 13, "meaning date is DATETIME"),
        ("type: INT", "type: INT\n  meaning: dates", 15, "must be one of"),
        ("type: INT", "type: INT\n  nulls: 1", 15, "true or false"),
        ("type: INT", "type: INT\n  type: INT", 15, "given twice"),
        ("type: INT", "type: INT\n  collation: utf8mb4_bin", 13, "has no collation"),
        ("column: size", "column: NAME", 13, "tell it from column"),
        ("column: size", "column: size\n  field: a.b", 13, "the same field"),
        ("order: [zip, city]", "order: zip", 10, "list of names"),
        ("types: {at: date}", "types: {at: day}", 11, "mapping of names to date"),
        ("field: _id, ", "", 3, "field _id"),
        ("CHAR(24), meaning: objectId, collation: exact", "JSON", 3, "cannot be a primary key"),
        ("collation: exact", "collation: utf8mb4_general_ci", 3, "compares as MongoDB"),
        ("columns:", "columns: x\nnotes:", 4, "list of columns"),
        ("table: customer", "table: {", 1, "not valid YAML"),
        (FILE, "", 1, "is empty"),
        (FILE, "- a", 1, "must be a mapping"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(found: str, put: str, line: int | None, reason: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(reason)) as caught:
        schema_from_yaml(FILE.replace(found, put, 1))
    assert caught.value.line == line or (line is not None and reason == "not valid YAML")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        load_schema(tmp_path / "none.yaml")
    assert caught.value.path == str(tmp_path / "none.yaml")
    (tmp_path / "some.yaml").write_text("table: 1\nno: 2\n")
    with pytest.raises(ConfigError, match=r"some\.yaml:2: no: is not a known key"):
        load_schema(tmp_path / "some.yaml")


def test_no_column_of_exact_forms() -> None:
    assert schema_from_yaml(FILE + "exact_forms: null\n").rest is None
    assert schema_from_yaml(FILE + "exact_forms: rest\n").rest == "rest"
