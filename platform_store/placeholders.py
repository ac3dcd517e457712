"""Placeholders of user statements: MySQL's lexical rules, and ``%s`` and ``%(name)s`` turned into ``:p0``, ``:p1``...

Pure. PyMySQL formats a statement with Python's ``%``, which knows nothing of literals; here nothing inside a literal, a
quoted identifier or a comment is ever taken for a placeholder. What the two would read differently is refused, so
that a statement means the same whichever way its parameters go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    everywhere. Raises ValueRejected where placeholders and parameters do not fit, NotSupported for other styles.
    """
    if parameters is None:
        for segment in segments(statement):
            if segment.kind == "code":
                _refuse_other_styles(segment.text)
        return statement, {}
    if not isinstance(parameters, Mapping | Sequence) or isinstance(parameters, str | bytes | bytearray):
        raise ValueRejected(f"parameters are a list, a tuple or a mapping, not {type(parameters).__name__}")
    binder = _Binder(parameters)
    text = "".join(binder.segment(segment) for segment in segments(statement))
    return text, binder.finished()


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
        return f":{self._positional() if mark == '%s' else self._named(match['name'])}"

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
        if name not in self._parameters:
            raise ValueRejected(f"the statement has a placeholder {name!r}, but no parameter of that name is given")
        if name not in self._names:
            self._names[name] = f"p{len(self._values)}"
            self._values[self._names[name]] = self._parameters[name]
        return self._names[name]


_PERCENT_ADVICE: Final = "together with parameters, a % is written %%"


def _bare_percent() -> ValueRejected:
    return ValueRejected(f"the statement has a single %: {_PERCENT_ADVICE}")
