"""Rows from JSON lines and CSV, streamed, each with the line it begins in."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import BinaryIO, NoReturn

from platform_store.cli.values import BINARY, base_type, from_hex, from_text
from platform_store.errors import PlatformStoreError, ValueRejected
from platform_store.records import ColumnDescription, Key, TableDescription

_MAX_LINE = 64 * 2**20  # a document has at most 16 MB; a file without line ends must not fill the memory
_BOM = b"\xef\xbb\xbf"
_EMPTY_IS_TEXT = frozenset({"CHAR", "VARCHAR", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT"})


class InputFormat(StrEnum):
    """What a file to load holds."""

    JSONL = "jsonl"
    CSV = "csv"


class InputError(PlatformStoreError):
    """A line of the input cannot be loaded. ``str(error)`` begins with file and line."""

    def __init__(self, source: str, line: int, reason: str):
        self.source, self.line, self.reason = source, line, reason
        super().__init__(f"{source}:{line}: {reason}")


@dataclass(frozen=True)
class Record:
    """One row of the input."""

    line: int
    row: Mapping[str, object]


class Source:
    """A binary stream as lines of UTF-8 text, which counts what it has read."""

    def __init__(self, name: str, stream: BinaryIO):
        self.name = name
        self.bytes_read = 0
        self.line = 0
        self._stream = stream

    def lines(self) -> Iterator[str]:
        """The lines with their ends. Only a line feed ends a line."""
        while data := self._stream.readline(_MAX_LINE + 1):
            self.line += 1
            self.bytes_read += len(data)
            if len(data) > _MAX_LINE:
                raise self.error(self.line, f"the line is longer than {_MAX_LINE} bytes")
            try:
                yield (data.removeprefix(_BOM) if self.line == 1 else data).decode()
            except UnicodeDecodeError as error:
                raise self.error(self.line, f"not UTF-8 text at byte {error.start + 1} of the line") from None

    def error(self, line: int, reason: str) -> InputError:
        """What is wrong with a line."""
        return InputError(self.name, line, reason)


def records(source: Source, chosen: InputFormat, table: TableDescription) -> Iterator[Record]:
    """The rows of a source, their values converted by the declared types. Raises InputError naming the line."""
    return _json_records(source, table) if chosen is InputFormat.JSONL else _csv_records(source, table)


def key_of(table: TableDescription, row: Mapping[str, object]) -> Key:
    """The key of a row as the input spells it."""
    key = tuple(row.get(name) for name in table.key)
    return key[0] if len(key) == 1 else key


def _json_records(source: Source, table: TableDescription) -> Iterator[Record]:
    types = {column.name: base_type(column) for column in table.columns}
    decimals = [name for name, base in types.items() if base == "DECIMAL"]
    binaries = [name for name, base in types.items() if base in BINARY]
    for text in source.lines():
        if text.isspace():
            continue
        row = _object(source, text)
        if any(isinstance(row.get(name), float) for name in decimals):
            exact = json.loads(text, parse_float=Decimal)
            row |= {name: exact[name] for name in decimals if name in exact}
        for name in binaries:
            value = row.get(name)
            if isinstance(value, str):
                try:
                    row[name] = from_hex(value)
                except ValueRejected as error:
                    raise _rejected(source, source.line, error, table, name, row) from None
        yield Record(source.line, row)


def _object(source: Source, text: str) -> dict[str, object]:
    try:
        row = json.loads(text, parse_float=_real, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise source.error(source.line, f"not JSON at column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise source.error(source.line, "the JSON nests too deep") from None
    except ValueError as error:
        raise source.error(source.line, f"not JSON: {error}") from None
    if not isinstance(row, dict):
        raise source.error(source.line, "not a JSON object")
    return row


def _real(token: str) -> float:
    number = float(token)
    if math.isinf(number):
        raise ValueError("a number is beyond the range of a double")
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _csv_records(source: Source, table: TableDescription) -> Iterator[Record]:
    csv.field_size_limit(_MAX_LINE)
    reader = csv.reader(source.lines(), strict=True)
    columns = {column.name: (column, base_type(column)) for column in table.columns}
    header: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise source.error(line, f"not CSV: {error}") from None
        if fields is None:
            return
        if not fields:
            continue
        if header is None:
            header = fields
            if len(set(header)) < len(header):
                raise source.error(line, "the header names a column twice")
            continue
        if len(fields) != len(header):
            raise source.error(line, f"{len(fields)} fields, but the header has {len(header)}")
        texts = dict(zip(header, fields, strict=True))
        row: dict[str, object] = {}
        for name, text in texts.items():
            column, base = columns.get(name, (None, ""))
            try:
                if text:
                    row[name] = from_text(base, text)
                elif column is not None:
                    row |= _empty(column, base)
            except ValueRejected as error:
                raise _rejected(source, line, error, table, name, texts) from None
        yield Record(line, row)


def _empty(column: ColumnDescription, base: str) -> dict[str, object]:
    """What an empty field means: NULL, the empty text where there is no NULL, else that the column is left out."""
    if column.nullable:
        return {column.name: None}
    return {column.name: ""} if base in _EMPTY_IS_TEXT else {}


def _rejected(
    source: Source, line: int, error: ValueRejected, table: TableDescription, column: str, row: Mapping[str, object]
) -> InputError:
    return source.error(line, str(error.at(table.name, column, key_of(table, row))))
