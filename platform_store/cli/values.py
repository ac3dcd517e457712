"""Values from the text of a command line or a CSV file, and from JSON, by the declared type of their column."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from platform_store.codecs import JsonText
from platform_store.errors import SchemaError, ValueRejected
from platform_store.records import ColumnAttribute, ColumnDescription, Key, TableDescription
from platform_store.sqltypes import BLOB_BYTES, GEOMETRY_TYPES, INTEGER_BITS, parse_type

BINARY = frozenset({"BINARY", "VARBINARY", *BLOB_BYTES, *GEOMETRY_TYPES})
_WHOLE = frozenset({*INTEGER_BITS, "BIT"})
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def base_type(column: ColumnDescription) -> str:
    """The name of a column's type without its size and attributes."""
    return parse_type(column.type).base


def from_text(base: str, text: str) -> object:
    """The value that a text stands for in a column of that type. Raises ValueRejected, without a place.

    Binary values are hexadecimal or a UUID; what the library takes as text (decimals, dates, labels) stays text.
    """
    if base in _WHOLE:
        if not _INTEGER.fullmatch(text):
            raise ValueRejected("the text is not a whole number")
        return int(text)
    if base in ("FLOAT", "DOUBLE"):
        if not _NUMBER.fullmatch(text):
            raise ValueRejected("the text is not a number")
        return float(text)
    if base in BINARY:
        return from_hex(text)
    return JsonText(text) if base == "JSON" else text


def from_hex(text: str) -> bytes:
    """Bytes from hexadecimal digits, or from a UUID."""
    if _UUID.fullmatch(text):
        return UUID(text).bytes
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueRejected("the text is neither hexadecimal nor a UUID") from None


def parse_key(table: TableDescription, texts: Sequence[str]) -> Key:
    """The key of a table from one text for each of its key columns."""
    if len(texts) != len(table.key):
        raise ValueRejected(f"the key has {len(table.key)} columns: {', '.join(table.key)}", table=table.name)
    columns = {column.name: column for column in table.columns}
    values = []
    for name, text in zip(table.key, texts, strict=True):
        try:
            values.append(from_text(base_type(columns[name]), text))
        except ValueRejected as error:
            raise error.at(table.name, name, text) from None
    return values[0] if len(values) == 1 else tuple(values)


def parse_parameter(text: str) -> object:
    """A query's parameter: a JSON scalar (``3``, ``-1.5``, ``null``, ``"3"``), anything else is text as it stands."""
    try:
        value = json.loads(text, parse_float=Decimal, parse_constant=str)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, dict | list) else value


def parse_columns(text: str) -> list[ColumnAttribute]:
    """Columns from ``name:TYPE[:auto][:required][:default=VALUE],...``.

    What is in parentheses or single quotes is not split. ``default`` comes last and reaches to the next comma.
    """
    return [_column(part) for part in _split(text, ",") if part.strip()]


def _column(text: str) -> ColumnAttribute:
    name, *rest = (part.strip() for part in _split(text, ":"))
    if not name or not rest:
        raise SchemaError(f"--columns: {text.strip()!r} is not name:TYPE")
    base = parse_type(rest[0]).base
    auto, required, default = False, False, None
    for position, modifier in enumerate(rest[1:], 1):
        if modifier == "auto":
            auto = True
        elif modifier == "required":
            required = True
        elif modifier.startswith("default="):
            default = from_text(base, ":".join(rest[position:]).removeprefix("default="))
            break
        else:
            raise SchemaError(f"--columns: {modifier!r} is none of auto, required, default=VALUE", column=name)
    return ColumnAttribute(name, rest[0], nullable=not required, default=default, auto_increment=auto)


def _split(text: str, mark: str) -> list[str]:
    """Splits at a mark that is neither in parentheses nor in single quotes."""
    quoted = r"'(?:[^'\\]|''|\\.)*'"
    return re.findall(rf"(?:{quoted}|\((?:{quoted}|[^)'])*\)|[^{mark}])+", text)
