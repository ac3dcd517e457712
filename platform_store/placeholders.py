"""Placeholders of user statements: MySQL's lexical rules, and ``%s`` and ``%(name)s`` turned into ``:p0``, ``:p1``...

Pure. PyMySQL formats a statement with Python's ``%``, which knows nothing of literals; here nothing inside a literal, a
quoted identifier or a comment is ever taken for a placeholder. What the two would read differently is refused, so
that a statement means the same whichever way its parameters go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import Final, Literal, TypeAlias, cast

from platform_store.errors import NotSupported, ValueRejected

Kind: TypeAlias = Literal["code", "string", "identifier", "comment"]

_QUOTED: Final = re.compile(
    r"""(?P<string>'(?:[^'\\]|\\(?:.|\Z)|'')*(?:'|\Z) | "(?:[^"\\]|\\(?:.|\Z)|"")*(?:"|\Z))
    |(?P<identifier>`(?:[^`]|``)*(?:`|\Z))
    |(?P<comment>\#[^\n]* | --(?=[\x00-\x20]|\Z)[^\n]* | /\*.*?(?:\*/|\Z))""",
    re.DOTALL | re.VERBOSE,
)
_MARK: Final = re.compile(r"%%|%s|%\((?P<name>[^)]*)\)s|%|\?|:[A-Za-z0-9_$]")
_IN: Final = re.compile(r"\bIN\s*\Z", re.IGNORECASE)
_EXACT_TYPES: Final = (type(None), bool, int, float, Decimal, date, datetime, time, timedelta)
"""PyMySQL looks a value's own type up and sends anything else, a subclass too, as the text of ``str()``."""
_MAX_EXPONENT: Final = 1024
"""Of two in an int, of ten in a Decimal: far beyond what MySQL holds, and short enough to be written out."""
_ESCAPED: Final = re.compile(r"\\(.)|''|\"\"", re.DOTALL)
_ESCAPES: Final = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "%": "\\%", "_": "\\_"}


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a statement. The texts of all segments, joined, are the statement."""

    kind: Kind
    text: str


def segments(statement: str) -> Iterator[Segment]:
    """Splits a statement as MySQL reads it, with backslash escapes and without ANSI_QUOTES.

    ``--`` begins a comment only before a space or a control character, as in MySQL alone; an unterminated literal or
    comment extends to the end.
    """
    position = 0
    for match in _QUOTED.finditer(statement):
        if match.start() > position:
            yield Segment("code", statement[position : match.start()])
        yield Segment(cast("Kind", match.lastgroup), match[0])
        position = match.end()
    if position < len(statement):
        yield Segment("code", statement[position:])


def string_value(literal: str) -> str:
    """The text that a string literal, with its quotes, stands for. Raises ValueRejected for one that does not end."""
    quote, body = literal[0], literal[1:-1]

    def plain(match: re.Match[str]) -> str:
        if match[1] is not None:
            return _ESCAPES.get(match[1], match[1])
        return quote if match[0][0] == quote else match[0]

    if len(literal) < 2 or _QUOTED.fullmatch(literal + " ") is not None:
        raise ValueRejected("the statement has a string that does not end")
    return _ESCAPED.sub(plain, body)


def bind(statement: str, parameters: Sequence[object] | Mapping[str, object] | None) -> tuple[str, dict[str, object]]:
    """The statement with ``:pN`` for each placeholder, and the values by those names (a repeated name shares one).

    With ``parameters`` None the statement comes back unchanged: a ``%`` is literal. Otherwise ``%%`` stands for ``%``
    everywhere. A list or tuple of values is a parameter only right after IN (``id IN %s``), where it stands for the
    whole list. Raises ValueRejected where placeholders and parameters do not fit or a value is none that a driver
    writes faithfully, NotSupported for other styles.
    """
    if _has_surrogate(statement):
        raise ValueRejected("the statement has a lone surrogate, which is no text")
    if parameters is None:
        for segment in segments(statement):
            if segment.kind == "code":
                _refuse_other_styles(segment.text)
        return statement, {}
    if not isinstance(parameters, Mapping | Sequence) or isinstance(parameters, str | bytes | bytearray):
        raise ValueRejected(f"parameters are a list, a tuple or a mapping, not {type(parameters).__name__}")
    _check_values(parameters)
    binder = _Binder(parameters)
    text = "".join(binder.segment(segment) for segment in segments(statement))
    return text, binder.finished()


def _check_values(parameters: Sequence[object] | Mapping[str, object]) -> None:
    """Every parameter, used or not: PyMySQL writes all of them."""
    places = parameters.items() if isinstance(parameters, Mapping) else enumerate(parameters, start=1)
    for place, value in places:
        name = f"parameter {place!r}"
        if type(value) not in (list, tuple):
            _check_value(name, value)
            continue
        items = cast("Sequence[object]", value)
        if not items:
            raise ValueRejected(f"{name} is an empty list, and MySQL knows no empty IN ()")
        for number, item in enumerate(items, start=1):
            _check_value(f"item {number} of {name}", item)


def _check_value(name: str, value: object) -> None:
    """Raises ValueRejected for what would reach MySQL altered, or not at all. The message never holds the value."""
    if isinstance(value, str):
        fault = "has a lone surrogate, which is no text" if _has_surrogate(value) else None
    elif isinstance(value, bytes | bytearray):
        fault = None
    elif type(value) not in _EXACT_TYPES:
        fault = f"is of type {type(value).__name__}, which no statement can hold"
    elif isinstance(value, int | float | Decimal):
        fault = None if _can_be_written(value) else f"is a {type(value).__name__} that is NaN, infinite or too large"
    elif isinstance(value, datetime | time) and value.tzinfo is not None:
        fault = f"is a {type(value).__name__} with a time zone, which would be lost: convert it and drop its tzinfo"
    else:
        fault = None
    if fault is not None:
        raise ValueRejected(f"{name} {fault}")


def _can_be_written(number: float | Decimal) -> bool:
    if isinstance(number, int):
        return number.bit_length() <= _MAX_EXPONENT
    if isinstance(number, Decimal):
        return number.is_finite() and abs(number.adjusted()) <= _MAX_EXPONENT
    return isfinite(number)


def _has_surrogate(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


def _refuse_other_styles(code: str) -> None:
    for match in _MARK.finditer(code):
        if match[0] == "?" or match[0][0] == ":":
            raise _other_style(match[0])


def _other_style(mark: str) -> NotSupported:
    style = "?" if mark == "?" else ":name"
    return NotSupported(f"a placeholder written {style}", "is not supported: write %s or %(name)s")


class _Binder:
    """Numbers the placeholders of one statement."""

    def __init__(self, parameters: Sequence[object] | Mapping[str, object]):
        self._parameters = parameters
        self._values: dict[str, object] = {}
        self._names: dict[str, str] = {}  # our name for each name of the mapping

    def segment(self, segment: Segment) -> str:
        return _MARK.sub(self._in_code if segment.kind == "code" else self._in_quotes, segment.text)

    def finished(self) -> dict[str, object]:
        given = len(self._parameters)
        if not isinstance(self._parameters, Mapping) and given != len(self._values):
            raise ValueRejected(f"the statement has {len(self._values)} placeholders, but {given} parameters are given")
        return self._values

    def _in_code(self, match: re.Match[str]) -> str:
        mark = match[0]
        if mark == "%%":
            return "%"
        if mark == "%":
            raise _bare_percent()
        if mark[0] != "%":
            raise _other_style(mark)
        name = self._positional() if mark == "%s" else self._named(match["name"])
        if isinstance(self._values[name], list | tuple) and not _IN.search(match.string, 0, match.start()):
            raise ValueRejected(f"a list or tuple stands anywhere but right after IN (placeholder {mark})")
        return f":{name}"

    def _in_quotes(self, match: re.Match[str]) -> str:
        mark = match[0]
        if mark == "%%":
            return "%"
        if mark == "%":
            raise _bare_percent()
        if mark[0] == "%":
            raise ValueRejected(f"a placeholder stands inside a literal, a quoted name or a comment: {_PERCENT_ADVICE}")
        return mark

    def _positional(self) -> str:
        if isinstance(self._parameters, Mapping):
            raise ValueRejected("the statement has %s placeholders, so its parameters are a list or tuple")
        number = len(self._values)
        if number >= len(self._parameters):
            raise ValueRejected(f"the statement has more placeholders than the {number} parameters given")
        self._values[f"p{number}"] = self._parameters[number]
        return f"p{number}"

    def _named(self, name: str) -> str:
        if not isinstance(self._parameters, Mapping):
            raise ValueRejected("the statement has %(name)s placeholders, so its parameters are a mapping")
        if "(" in name:
            raise ValueRejected("the name of a placeholder has a parenthesis")  # Python's % would count them
        if name not in self._parameters:
            raise ValueRejected(f"the statement has a placeholder {name!r}, but no parameter of that name is given")
        if name not in self._names:
            self._names[name] = f"p{len(self._values)}"
            self._values[self._names[name]] = self._parameters[name]
        return self._names[name]


_PERCENT_ADVICE: Final = "together with parameters, a % is written %%"


def _bare_percent() -> ValueRejected:
    return ValueRejected(f"the statement has a single %: {_PERCENT_ADVICE}")
