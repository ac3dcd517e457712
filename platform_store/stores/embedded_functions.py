"""What SQLite calls back for: document fields, LIKE, sums and JSON, each exactly as MySQL has it.

Every function takes and gives physical forms (``embedded_types``), None for NULL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import Any, Final

import bson

from platform_store.association import Association, Column
from platform_store.errors import Diverged, NotSupported, ValueRejected
from platform_store.halves import CODEC_OPTIONS
from platform_store.stores.embedded_json import contains, text_at, value_at
from platform_store.stores.embedded_operands import AVERAGE_DIGITS, average_scale, wide
from platform_store.stores.embedded_types import Convert, storage_for

_WORD: Final = 9  # digits; MySQL divides DECIMALs in words of so many
_WIDE: Final = Context(prec=150)
_ZERO_DATE: Final = "0000-00-00"


@dataclass(frozen=True)
class Functions:
    """By name, with the number of arguments."""

    scalars: Mapping[str, tuple[int, Callable[..., Any]]]
    aggregates: Mapping[str, tuple[int, type[Any]]]


def functions(fields: DocumentFields) -> Functions:
    """The functions that one statement may use."""
    return Functions(
        {
            "platform_field": (3, fields.value),
            "platform_like": (2, _like),
            "platform_whole_date": (1, _whole_date),
            "platform_json_value": (2, value_at),
            "platform_json_text": (2, text_at),
            "platform_json_contains": (3, contains),
        },
        {"platform_sum": (2, _Sum), "platform_avg": (3, _Average)},
    )


@dataclass
class _Document:
    """The last document of one table of the statement: mostly several of its fields are asked for in a row."""

    revision: int = 0
    fields: dict[str, Any] = field(default_factory=dict)


class DocumentFields:
    """The document columns that a statement uses, numbered, and how to take each from its document."""

    def __init__(self) -> None:
        self._fields: list[tuple[_Document, Association, Column, Convert]] = []
        self._documents: dict[int, _Document] = {}
        self._numbers: dict[tuple[int, str], int] = {}

    def number(self, table: int, association: Association, column: Column) -> int:
        """A number for a column of one table of the statement."""
        place = (table, column.name)
        if place not in self._numbers:
            document = self._documents.setdefault(table, _Document())
            self._numbers[place] = len(self._fields)
            self._fields.append((document, association, column, storage_for(column.type).encode))
        return self._numbers[place]

    def value(self, number: int, revision: int | None, image: bytes | None) -> Any:
        """The field of the document of a row's revision. There is no row where the revision is None."""
        if not revision:
            return None
        document, association, column, encode = self._fields[number]
        if document.revision != revision:
            if image is None:
                raise Diverged(f"the row is of revision {revision}, its document is missing", table=association.name)
            document.fields = bson.decode(image, CODEC_OPTIONS)
            document.revision = revision
        value = document.fields.get(column.field)
        if value is None:
            return None
        try:
            return encode(column.codec.stored_from_bson(value))
        except ValueRejected as error:
            raise Diverged(
                f"a document holds what column {column.name!r} cannot: {error.reason}", table=association.name
            ) from None


def _whole_date(text: str | None) -> str | None:
    """Under the sql_mode NO_ZERO_IN_DATE, MySQL's own copy of a partly zero date is the zero date, or it is not."""
    if text is not None and (text[5:7] == "00" or text[8:10] == "00") and text[:10] != _ZERO_DATE:
        raise NotSupported("JOIN, GROUP BY, DISTINCT or an aggregate with a partly zero date")
    return text


def _like(value: str | None, pattern: str | None) -> int | None:
    if value is None or pattern is None:
        return None
    return int(_like_pattern(pattern).match(value) is not None)


@lru_cache(maxsize=256)
def _like_pattern(pattern: str) -> re.Pattern[str]:
    r"""MySQL's LIKE with ``\`` as its escape. Atomic groups: no pattern takes more than quadratic time."""
    pieces = [""]
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if character == "\\" and position + 1 < len(pattern):
            position += 1
            pieces[-1] += re.escape(pattern[position])
        elif character == "%":
            pieces.append("")
        else:
            pieces[-1] += "." if character == "_" else re.escape(character)
        position += 1
    first, *rest = pieces
    if not rest:
        return re.compile(rf"{first}\Z", re.DOTALL)
    *middle, last = rest
    return re.compile(first + "".join(f"(?>.*?{piece})" for piece in middle) + rf".*{last}\Z", re.DOTALL)


class _Sum:
    """SUM of whole numbers: of integers, whose form has its own ``zero``, or of DECIMALs in units of their scale."""

    def __init__(self) -> None:
        self._total = self._count = 0

    def step(self, value: int | str | None, zero: int, *_: int) -> None:
        if value is not None:
            self._count += 1
            self._total += value - zero if isinstance(value, int) else int(value.replace(".", ""))

    def finalize(self) -> str | None:
        return wide(self._total) if self._count else None


class _Average(_Sum):
    """AVG, with the digits that MySQL's division gives: it cuts, and rounds only what it shows."""

    def __init__(self) -> None:
        super().__init__()
        self._scale = 0

    def step(self, value: int | str | None, zero: int, *scale: int) -> None:
        super().step(value, zero)
        (self._scale,) = scale

    def finalize(self) -> str | None:
        if not self._count:
            return None
        sign = -1 if self._total < 0 else 1
        scale, digits = self._scale, _divided_digits(self._scale)
        quotient = Decimal(abs(self._total) * 10 ** (digits - scale) // self._count).scaleb(-digits, _WIDE)
        shown = average_scale(scale)
        rounded = quotient.quantize(Decimal(1).scaleb(-shown), rounding=ROUND_HALF_UP, context=_WIDE)
        return wide(sign * int(rounded.scaleb(shown, _WIDE)))


def _divided_digits(scale: int) -> int:
    """The digits after the point of a DECIMAL of that scale divided by an integer."""
    own = -(-scale // _WORD) * _WORD
    return -(-(own + max(0, AVERAGE_DIGITS - (own - scale))) // _WORD) * _WORD
