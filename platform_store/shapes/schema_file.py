"""A target schema as a YAML file to look at, to edit and to give back.

::

    table: customer
    key:
    - column: id
      field: _id
      type: CHAR(24)
      meaning: objectId
      collation: exact
    columns:
    - column: name          # field: the same, where it is not given
      type: VARCHAR(80)     # meaning: the type's own, where it is not given
    exact_forms: _bson      # null: none, and what the columns do not tell is refused

What is wrong in a file is a ConfigError with the file's line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeAlias, get_args

import yaml

from platform_store.config.files import dumped, write_private
from platform_store.config.keys import hint
from platform_store.declaration import checked_column
from platform_store.errors import ConfigError, SchemaError
from platform_store.names import check_table_name
from platform_store.records import ColumnAttribute
from platform_store.shapes.json_form import TYPES
from platform_store.shapes.target import EXACT, REST, Meaning, Schema, TargetColumn
from platform_store.sqltypes import SqlType

_HEADER: Final = """\
# The MySQL table that a collection becomes. Columns can be renamed, given other types, moved or removed: the values of
# a field without a column, and all that a column does not tell, are kept in the column named by exact_forms.
# meaning: {meanings}.
# nulls: SQL NULL is a null in the document, else the field is absent. collation: a name of MySQL's, or exact.
"""
_SECTIONS: Final = ("table", "key", "columns", "exact_forms", "without_column", "notes")


_Read: TypeAlias = Callable[[str, yaml.Node], Any]


def save_schema(schema: Schema, path: str | os.PathLike[str]) -> None:
    """Writes the file, atomically."""
    write_private(Path(path), schema_yaml(schema).encode())


def load_schema(path: str | os.PathLike[str]) -> Schema:
    """Reads a file. Raises ConfigError, with the line of what is wrong."""
    try:
        text = Path(path).read_text()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", path=os.fspath(path)) from None
    except UnicodeDecodeError:
        raise ConfigError("is not UTF-8", path=os.fspath(path)) from None
    try:
        return schema_from_yaml(text)
    except ConfigError as error:
        raise ConfigError(error.reason, key=error.key, line=error.line, path=os.fspath(path)) from None


def schema_yaml(schema: Schema) -> str:
    """The file's text."""
    tree: dict[str, Any] = {
        "table": schema.table,
        "key": [_plain(column) for column in schema.key],
        "columns": [_plain(column) for column in schema.columns],
        "exact_forms": schema.rest,
    }
    if schema.overflow:
        tree["without_column"] = dict(schema.overflow)
    if schema.notes:
        tree["notes"] = list(schema.notes)
    meanings = ", ".join(meaning for meaning in get_args(Meaning) if meaning != "rest")
    return _HEADER.format(meanings=meanings) + dumped(tree)


def schema_from_yaml(text: str) -> Schema:
    """The schema of a file's text. Raises ConfigError."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        raise ConfigError("is not valid YAML", line=line) from None
    if node is None:
        raise ConfigError("is empty", line=1)
    sections = dict(_pairs("", node, _SECTIONS))
    for name in ("table", "key", "columns"):
        if name not in sections:
            raise ConfigError("is missing", key=name, line=1)
    table = _text("table", sections["table"])
    try:
        check_table_name(table)
    except SchemaError as error:
        raise ConfigError(error.reason, key="table", line=sections["table"].start_mark.line + 1) from None
    key = _columns("key", sections["key"], table)
    columns = _columns("columns", sections["columns"], table)
    rest: str | None = REST
    if "exact_forms" in sections:
        node = sections["exact_forms"]
        rest = None if node.tag.endswith(":null") else _text("exact_forms", node)
    lines = {column.name: line for column, line in (*key, *columns)}
    with _in_lines(lines):
        schema = Schema(table, tuple(column for column, _ in key), tuple(column for column, _ in columns), rest)
        schema.layout(key_collation="utf8mb4_0900_bin", text_collation="utf8mb4_0900_bin")
    return schema


@contextmanager
def _in_lines(lines: Mapping[str, int]) -> Iterator[None]:
    """Makes a ConfigError, with the line of its column, of a SchemaError."""
    try:
        yield
    except SchemaError as error:
        line = lines.get(error.column or "")
        raise ConfigError(error.reason, key=error.column, line=line) from None


def _plain(column: TargetColumn) -> dict[str, Any]:
    """A column as it is written: what is as expected is left out."""
    plain: dict[str, Any] = {"column": column.name}
    if column.field != column.name:
        plain["field"] = column.field
    plain["type"] = column.sql_type.ddl
    plain["meaning"] = column.meaning
    given = {
        "nulls": column.nulls,
        "collation": column.collation,
        "subtype": column.subtype,
        "order": list(column.order),
        "types": dict(column.types),
        "note": column.note,
    }
    return plain | {name: value for name, value in given.items() if value}


def _columns(section: str, node: yaml.Node, table: str) -> list[tuple[TargetColumn, int]]:
    if not isinstance(node, yaml.SequenceNode):
        raise ConfigError("must be a list of columns", key=section, line=node.start_mark.line + 1)
    return [(_column(section, item, table), item.start_mark.line + 1) for item in node.value]


def _column(section: str, node: yaml.Node, table: str) -> TargetColumn:
    line = node.start_mark.line + 1
    given = {name: _FIELDS[name](f"{section}.{name}", value) for name, value in _pairs(section, node, tuple(_FIELDS))}
    for name in ("column", "type"):
        if name not in given:
            raise ConfigError("is missing", key=f"{section}.{name}", line=line)
    name = given["column"]
    with _in_lines({name: line}):
        attribute = checked_column(table, ColumnAttribute(name, given["type"]))
        column = TargetColumn(
            name,
            given.get("field", name),
            attribute.type,
            nulls=given.get("nulls", False),
            collation=given.get("collation"),
            subtype=given.get("subtype", 0),
            order=tuple(given.get("order", ())),
            types=given.get("types", {}),
            note=given.get("note", ""),
        )
        if column.collation not in (None, EXACT):
            checked_column(table, ColumnAttribute(name, given["type"], collation=column.collation))
    return replace(column, meaning=given.get("meaning", own_meaning(column.sql_type)))


def own_meaning(sql_type: SqlType) -> Meaning:
    """What values of a type are in BSON, where nobody says otherwise."""
    base, length = sql_type.base, sql_type.length
    if base == "TINYINT" and length == 1:
        return "bool"
    if base in ("TINYINT", "SMALLINT", "MEDIUMINT", "INT"):
        return "int"
    if base == "BINARY" and length in (12, 16):
        return "objectId" if length == 12 else "uuid"
    if base == "DATETIME":
        return "date" if sql_type.fsp <= 3 else "plain"
    if base in ("CHAR", "VARCHAR") or base.endswith("TEXT"):
        return "string"
    if base in ("BINARY", "VARBINARY") or base.endswith("BLOB"):
        return "binary"
    others: dict[str, Meaning] = {"BIGINT": "integer", "DOUBLE": "double", "DECIMAL": "decimal", "JSON": "json"}
    return others.get(base, "plain")


# What the file holds


def _pairs(section: str, node: yaml.Node, known: tuple[str, ...]) -> Iterator[tuple[str, yaml.Node]]:
    """The pairs of a mapping; refuses keys that are unknown or there twice."""
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError("must be a mapping", key=section or None, line=line)
    seen: set[str] = set()
    for key_node, value in node.value:
        name = key_node.value if isinstance(key_node, yaml.ScalarNode) else ""
        line = key_node.start_mark.line + 1
        place = f"{section}.{name}" if section else name
        if name not in known:
            near = hint(name, {key: f"{section}.{key}" if section else key for key in known})
            raise ConfigError(f"is not a known key{near}", key=place[:60], line=line)
        if name in seen:
            raise ConfigError("is given twice", key=place, line=line)
        seen.add(name)
        yield name, value


def _wrong(key: str, node: yaml.Node, expected: str) -> ConfigError:
    return ConfigError(f"must be {expected}", key=key, line=node.start_mark.line + 1)


def _text(key: str, node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode) or node.tag.endswith(":null"):
        raise _wrong(key, node, "text")
    return str(node.value)


def _collation(key: str, node: yaml.Node) -> str | None:
    return None if node.tag.endswith(":null") else _text(key, node)


def _flag(key: str, node: yaml.Node) -> bool:
    if not isinstance(node, yaml.ScalarNode) or not node.tag.endswith(":bool"):
        raise _wrong(key, node, "true or false")
    return str(node.value).lower() in ("true", "yes", "on")


def _subtype(key: str, node: yaml.Node) -> int:
    if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":int") and str(node.value).isdecimal():
        number = int(node.value)
        if number < 256:
            return number
    raise _wrong(key, node, "a number from 0 to 255")


def _meaning(key: str, node: yaml.Node) -> str:
    text = _text(key, node)
    meanings = [meaning for meaning in get_args(Meaning) if meaning != "rest"]
    if text not in meanings:
        raise _wrong(key, node, f"one of {', '.join(meanings)}")
    return text


def _order(key: str, node: yaml.Node) -> tuple[str, ...]:
    if not isinstance(node, yaml.SequenceNode):
        raise _wrong(key, node, "a list of names")
    return tuple(_text(key, item) for item in node.value)


def _types(key: str, node: yaml.Node) -> dict[str, str]:
    if not isinstance(node, yaml.MappingNode):
        raise _wrong(key, node, "a mapping of names to types")
    types = {_text(key, name): _text(key, value) for name, value in node.value}
    if not set(types.values()) <= set(TYPES):
        raise _wrong(key, node, f"a mapping of names to {', '.join(TYPES)}")
    return types


_FIELDS: Final[Mapping[str, _Read]] = {
    "column": _text,
    "field": _text,
    "type": _text,
    "meaning": _meaning,
    "nulls": _flag,
    "collation": _collation,
    "subtype": _subtype,
    "order": _order,
    "types": _types,
    "note": _text,
}
