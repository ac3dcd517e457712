"""Answers: a table for people, JSON lines or CSV for programs, and the exact text form of every value."""

from __future__ import annotations

import csv
import datetime
import json
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from enum import StrEnum
from itertools import islice

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from platform_store.codecs import JsonText
from platform_store.errors import PlatformStoreError
from platform_store.query.plan import QueryPlan

MAX_TABLE_ROWS = 1000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # a stored value must not steer the terminal


class Format(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class Output:
    """Prints answers to stdout in one format, as they arrive."""

    def __init__(self, chosen: Format):
        self.format = chosen
        self.console = Console(highlight=False)

    def rows(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """An answer of many rows. A table shows the first thousand and says so."""
        if self.format is Format.TABLE:
            self._table(columns, rows)
        elif self.format is Format.CSV:
            writer = csv.writer(sys.stdout)
            writer.writerow(columns)
            writer.writerows([as_text(value) for value in row] for row in rows)
        else:
            if len(set(columns)) < len(columns):
                raise PlatformStoreError("two columns have the same name, which a JSON object cannot: use AS")
            for row in rows:
                print_json(dict(zip(columns, row, strict=True)))

    def record(self, record: Mapping[str, object]) -> None:
        """An answer of one thing with named values."""
        if self.format is not Format.TABLE:
            self.rows(tuple(record), [tuple(record.values())])
            return
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in record.items():
            table.add_row(Text(shown(name)), cell(value))
        self.console.print(table)

    def plan(self, plan: QueryPlan) -> None:
        """How a query was answered."""
        if self.format is Format.TABLE:
            self.console.print(Text(shown(str(plan))), soft_wrap=True)
        else:
            print_json(asdict(plan))

    def _table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        iterator = iter(rows)
        first = list(islice(iterator, MAX_TABLE_ROWS))
        self.console.print(grid(columns, first))
        if next(iterator, None) is not None:
            Console(stderr=True).print(f"only the first {MAX_TABLE_ROWS} rows are shown: --format json or csv has all")


def grid(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Rows as a Rich table."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(Text(shown(name)), overflow="fold")
    for row in rows:
        table.add_row(*(cell(value) for value in row))
    return table


def cell(value: object) -> Text:
    """A value as a cell of a table."""
    return Text("NULL", style="dim") if value is None else Text(shown(as_text(value)))


def shown(text: str) -> str:
    """Text with its control characters made visible."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def print_json(value: object) -> None:
    """One line of JSON on stdout."""
    sys.stdout.write(json.dumps(as_json(value), ensure_ascii=False, allow_nan=False) + "\n")


def as_text(value: object) -> str:
    """The text form of a value, as CSV has it; empty for NULL."""
    if value is None:
        return ""
    plain = value if isinstance(value, JsonText) else as_json(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def as_json(value: object) -> object:
    """The JSON form of a value: exact, so text where JSON's numbers are not."""
    match value:
        case JsonText():
            return json.loads(value)
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case Decimal():
            return f"{value:f}"
        case bytes():
            return value.hex()
        case datetime.date() | datetime.time():
            return value.isoformat()
        case datetime.timedelta():
            return _clock(value)
        case Mapping():
            return {str(name): as_json(part) for name, part in value.items()}
        case list() | tuple():
            return [as_json(part) for part in value]
    return str(value)


def _clock(duration: datetime.timedelta) -> str:
    """``[-]HH:MM:SS[.ffffff]``, hours beyond 24 included, as MySQL prints a TIME."""
    seconds, fraction = divmod(abs(duration) // datetime.timedelta(microseconds=1), 1_000_000)
    minutes, second = divmod(seconds, 60)
    sign = "-" if duration < datetime.timedelta() else ""
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}:{second:02}{f'.{fraction:06}' if fraction else ''}"
