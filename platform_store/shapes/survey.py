"""What a migration would not carry over in natural form, found by looking at every value. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import bson
from bson import Decimal128
from bson.int64 import Int64

from platform_store.errors import ValueRejected
from platform_store.halves import CODEC_OPTIONS
from platform_store.shapes.rest import Loss
from platform_store.shapes.shape import Shape
from platform_store.shapes.slots import ID
from platform_store.shapes.target import TargetColumn, text_table
from platform_store.sqltypes import INTEGER_BITS, SqlType

MAX_DOCUMENT: Final = 16 * 1024 * 1024  # bytes, MongoDB's limit
_JSON_WRAPPER: Final = "_json"
_DATES: Final = ("DATE", "DATETIME", "TIMESTAMP")
_SHOWN: Final = 60  # characters of a key


class ColumnForm(NamedTuple):
    """What a column of MySQL is in documents; ``exceptions``: the values that are something else."""

    column: str
    type: str
    form: str
    exceptions: str


class Survey:
    """Counts what does not survive in natural form, by kind, and keeps the first ``limit`` of it, with keys."""

    def __init__(self, shape: Shape, *, limit: int = 100):
        self._shape, self._limit = shape, limit
        self.counts: Counter[str] = Counter()
        self.losses: list[Loss] = []
        self.rows = 0
        self.bytes = 0
        self._natural = {
            column.name: kinds
            for column in shape.schema.columns
            if column.meaning == "plain" and (kinds := _natural(column.sql_type))
        }

    def document(self, document: bytes) -> None:
        """Looks at a document on its way to MySQL."""
        self.rows += 1
        self.bytes += len(document)
        for loss in self._shape.losses(document):
            self._note(loss)

    def row(self, row: bytes) -> None:
        """Looks at a row as document on its way to MongoDB."""
        self.rows += 1
        try:
            size = len(self._shape.restore(row))
        except ValueRejected as error:
            self.bytes += len(row)
            self._note(Loss(error.key, "", error.column or "", "refused", error.reason, ""))
            return
        self.bytes += size
        if not self._natural and size <= MAX_DOCUMENT:
            return
        values = bson.decode(row, CODEC_OPTIONS)
        if size > MAX_DOCUMENT:
            reason = f"the document has {size} bytes: MongoDB's end at {MAX_DOCUMENT}"
            self._note(Loss(values[ID], "", "", "too large", reason, ""))
        for name, kinds in self._natural.items():
            value = values.get(name)
            if value is not None and (type(value) not in kinds or _wrapped(value)):
                reason = f"a value that BSON does not have: {_told_as(value)}"
                self._note(Loss(values[ID], name, name, "exceptional", reason, name))

    @property
    def forms(self) -> list[ColumnForm]:
        """What each column is in documents, for columns that MySQL itself defined."""
        return [_form(self._shape, column) for column in self._shape.schema.columns if column.meaning == "plain"]

    def _note(self, loss: Loss) -> None:
        self.counts[loss.kind] += 1
        if len(self.losses) < self._limit:
            self.losses.append(loss)

    def __str__(self) -> str:
        found = sum(self.counts.values())
        head = f"{self.rows} rows, {self.bytes} bytes; {found} values not in natural form"
        if not found:
            return head
        counts = ", ".join(f"{kind}: {count}" for kind, count in self.counts.most_common())
        rows = [
            (str(loss.key)[:_SHOWN], loss.field, loss.column, loss.reason, loss.goes_to or "nowhere: it is refused")
            for loss in self.losses
        ]
        table = text_table(("key", "field", "column", "why", "goes to"), rows)
        more = "" if found == len(rows) else f"\n... and {found - len(rows)} more"
        return f"{head} ({counts})\n{table}{more}"


def _form(shape: Shape, column: TargetColumn) -> ColumnForm:
    codec = shape.form(column.field).codec
    return ColumnForm(column.name, column.sql_type.ddl, codec.bson_form, codec.exceptions)


def _natural(sql_type: SqlType) -> frozenset[type]:
    """The types that natural values of a column are decoded as; empty where all values have the same form."""
    base = sql_type.base
    if base in INTEGER_BITS:
        return frozenset({int, Int64}) if base == "BIGINT" and sql_type.unsigned else frozenset()
    if base in _DATES:
        return frozenset({datetime}) if sql_type.fsp <= 3 else frozenset()
    if base == "JSON":
        return frozenset({dict, list, str, int, Int64, float, bool, Decimal128})
    return frozenset()


def _wrapped(value: Any) -> bool:
    return isinstance(value, Mapping) and tuple(value) == (_JSON_WRAPPER,)


def _told_as(value: Any) -> str:
    if isinstance(value, Decimal128):
        return "an integer above int64, as a decimal"
    return "JSON that BSON does not hold, as its text" if _wrapped(value) else "a date out of BSON's range, as text"
