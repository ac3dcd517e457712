"""A statement as the parser gets it, and how what the parser finds is put back into the user's own text.

The parser never sees a comment, nor the text of a literal, which it splits by other rules than MySQL: each string
literal stands as a marker, ``'$.l0'``, ``'$.l1'``..., which is a valid JSON path where one is asked for. MySQL executes
the user's text with only some pieces replaced, so nothing is lost in a translation.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple
from unicodedata import combining, normalize

from sqlglot.dialects.mysql import MySQL

from platform_store.errors import NotSupported
from platform_store.placeholders import segments, string_value

_EXECUTED_COMMENT: Final = re.compile(r"/\*(?:M?!|\+)", re.IGNORECASE)
_TOKEN: Final = re.compile(r"`(?P<quoted>(?:[^`]|``)*)`|(?<![\w$@:])(?P<word>[\w$]+)")
_NAMES_NO_COLUMN: Final = re.compile(r"\s*\(|\s+AS\s*\(", re.IGNORECASE)
"""What follows the name of a function, or of a common table expression."""
_BETWEEN_DASHES: Final = re.compile("(?<=-)(?=-)")
_PARENTHESIS: Final = re.compile(r"`(?:[^`]|``)*`|(?P<mark>[()])")
_JSON_TABLE: Final = re.compile(r"\bJSON_TABLE\s*\(", re.IGNORECASE)
_ON_CONDITION: Final = re.compile(
    r"(?<=[\s)'])(?:NULL|ERROR|DEFAULT\s*'[^']*')\s+ON\s+(?:EMPTY|ERROR)\b|\bEXISTS(?=\s+PATH\b)", re.IGNORECASE
)
_PLACEHOLDER: Final = re.compile(r":(p[0-9]+)\b")
_RESERVED: Final[frozenset[str]] = frozenset(MySQL.Generator.RESERVED_KEYWORDS)
_REFUSED_WORDS: Final = frozenset(
    {"into", "procedure", "get_lock", "release_lock", "release_all_locks", "last_insert_id"}
)
"""What would write somewhere, or leave a state behind in a session that others use after this statement."""
_REFUSED_MARKS: Final = {":=": "an assignment to a user variable (:=)", "{": "an ODBC escape { ... }"}


class Word(NamedTuple):
    """A word or a quoted name of the statement, with the pieces of syntax around it that say what it can be."""

    start: int  # in the text for the parser
    name: str  # folded
    quoted: bool
    after: str  # "as", "." or ""
    before_parenthesis: bool

    @property
    def keyword(self) -> bool:
        """Whether it may be a keyword: a quoted name is none, and after a point MySQL reads a name."""
        return not self.quoted and self.after != "."

    @property
    def may_be_name(self) -> bool:
        """Whether it may stand for a column or a table, rather than be an alias, a function or a keyword."""
        if self.after == "as" or (self.before_parenthesis and not self.quoted):
            return False
        return not (self.keyword and self.name in _RESERVED)


class Edit(NamedTuple):
    """What takes the place of ``source[start:end]``."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, eq=False)
class Statement:
    """A SELECT with ``:pN`` for its placeholders (``source``), and the same for the parser (``text``)."""

    source: str
    text: str
    markers: Mapping[str, str]  # the value of each literal, by its marker
    words: tuple[Word, ...]
    _starts: tuple[tuple[int, int], ...]  # where pieces of the text begin: there, and in the source

    @classmethod
    def read(cls, source: str) -> Statement:
        """Raises NotSupported for what no query may hold, naming it."""
        pieces: list[str] = []
        starts: list[tuple[int, int]] = []
        markers: dict[str, str] = {}
        there = here = 0
        for segment in segments(source):
            for text, length in _pieces(segment.kind, segment.text, "".join(pieces[-1:]), markers):
                starts.append((there, here))
                pieces.append(text)
                there += len(text)
                here += length
        text = _without_conditions("".join(pieces))
        words = tuple(_words(text))
        _check_words(words, text)
        return cls(source, text, markers, words, tuple(starts))

    @cached_property
    def names(self) -> frozenset[str]:
        """Every word, folded."""
        return frozenset(word.name for word in self.words)

    def place(self, offset: int) -> int:
        """Where a character of the text is in the source."""
        there, here = self._starts[bisect_right(self._starts, offset, key=lambda start: start[0]) - 1]
        return here + offset - there

    def parameters(self, literal: Callable[[str], str]) -> Iterator[Edit]:
        """The edits that fill the placeholders; ``literal`` gives the SQL of each by its name."""
        position = 0
        for segment in segments(self.source):
            if segment.kind == "code":
                for match in _PLACEHOLDER.finditer(segment.text):
                    yield Edit(position + match.start(), position + match.end(), literal(match[1]))
            position += len(segment.text)

    def written(self, edits: Sequence[Edit], start: int = 0, end: int | None = None) -> str:
        """The source, or a part of it, with these edits done. Of edits inside one another the outermost counts."""
        pieces, position = [], start
        stop = len(self.source) if end is None else end
        for edit in sorted(edits, key=lambda edit: (edit.start, -edit.end)):
            if edit.start < position or edit.end > stop:
                continue
            pieces += [self.source[position : edit.start], edit.text]
            position = edit.end
        return "".join([*pieces, self.source[position:stop]])


def identifier(name: str) -> str:
    """``name`` as a MySQL identifier of a statement that nobody formats with ``%``."""
    return f"`{name.replace('`', '``')}`"


def fold(name: str) -> str:
    """A name as MySQL compares it: neither case nor accents count (utf8mb3_general_ci)."""
    if name.isascii():
        return name.lower()
    plain = normalize("NFKD", name.replace("ß", "s"))
    return "".join(character for character in plain if not combining(character)).casefold()


def _pieces(kind: str, text: str, before: str, markers: dict[str, str]) -> Iterable[tuple[str, int]]:
    """A segment as the parser gets it, in pieces that each begin where their original begins, with its length."""
    if kind == "comment":
        if executed := _EXECUTED_COMMENT.match(text):
            raise NotSupported(f"a {executed[0]} ... */ comment")
        return [(" ", len(text))]
    if kind == "string":
        if before[-1:] in tuple("xXbB"):
            return [("'0' ", len(text))]
        marker = f"$.l{len(markers)}"
        markers[marker] = string_value(text)
        return [(f"'{marker}' ", len(text))]
    if kind == "code" and "--" in text:  # to the parser alone it would begin a comment
        *parts, last = _BETWEEN_DASHES.split(text)
        return [*((f"{part} ", len(part)) for part in parts), (last, len(last))]
    return [(text, len(text))]


def _without_conditions(text: str) -> str:
    """Blanks out what the columns of a JSON_TABLE do ON EMPTY and ON ERROR, which the parser does not know."""
    for start in [match.end() - 1 for match in _JSON_TABLE.finditer(text)]:
        end = after_parentheses(text, start)
        blank = _ON_CONDITION.sub(lambda match: " " * len(match[0]), text[start:end])
        text = text[:start] + blank + text[end:]
    return text


def after_parentheses(text: str, position: int) -> int:
    """Where the next pair of parentheses ends, in a text for the parser: its literals hold none. NotSupported."""
    depth = 0
    for match in _PARENTHESIS.finditer(text, position):
        if match["mark"] == "(":
            depth += 1
        elif match["mark"] == ")":
            depth -= 1
            if not depth:
                return match.end()
    raise NotSupported("a parenthesis", "that does not end")


def _words(text: str) -> Iterator[Word]:
    end, previous = 0, ""
    for match in _TOKEN.finditer(text):
        between = text[end : match.start()].strip()
        after = "." if between.endswith(".") else previous if previous == "as" and not between else ""
        quoted = match["word"] is None
        name = fold(match["quoted"].replace("``", "`") if quoted else match["word"])
        end, previous = match.end(), "" if quoted else name
        yield Word(match.start(), name, quoted, after, _NAMES_NO_COLUMN.match(text, end) is not None)


def outside_names(text: str) -> str:
    """What is left of a text for the parser without its words and quoted names."""
    return _TOKEN.sub("", text)


def _check_words(words: Iterable[Word], text: str) -> None:
    for word in words:
        if word.name in _REFUSED_WORDS and (word.keyword or word.before_parenthesis):
            raise NotSupported(word.name.upper())
    code = outside_names(text)
    for mark, name in _REFUSED_MARKS.items():
        if mark in code:
            raise NotSupported(name)
