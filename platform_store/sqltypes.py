"""MySQL column types: parsed strictly from text, and written back as canonical text.

``parse_type`` is the only way a type stated by a user, or printed by ``information_schema``, enters the package, and
``SqlType.ddl`` is the only way one leaves it towards a server. The text is never passed on: it is regenerated from the
parsed fields, so nothing that follows or hides in a type can reach a statement.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from platform_store.errors import SchemaError

INTEGER_BITS: Final = {"TINYINT": 8, "SMALLINT": 16, "MEDIUMINT": 24, "INT": 32, "BIGINT": 64}
TEXT_BYTES: Final = {"TINYTEXT": 2**8 - 1, "TEXT": 2**16 - 1, "MEDIUMTEXT": 2**24 - 1, "LONGTEXT": 2**32 - 1}
BLOB_BYTES: Final = {"TINYBLOB": 2**8 - 1, "BLOB": 2**16 - 1, "MEDIUMBLOB": 2**24 - 1, "LONGBLOB": 2**32 - 1}
GEOMETRY_TYPES: Final = (
    "GEOMETRY",
    "POINT",
    "LINESTRING",
    "POLYGON",
    "MULTIPOINT",
    "MULTILINESTRING",
    "MULTIPOLYGON",
    "GEOMETRYCOLLECTION",
)  # in the order of their WKB codes, 0 to 7

_ALIASES: Final = {
    "INTEGER": "INT",
    "DEC": "DECIMAL",
    "NUMERIC": "DECIMAL",
    "FIXED": "DECIMAL",
    "REAL": "DOUBLE",
    "CHARACTER": "CHAR",
    "GEOMCOLLECTION": "GEOMETRYCOLLECTION",
}
_UTF8MB4_BYTES: Final = 4
_MAX_LABEL: Final = 255
_MAX_LABELS: Final = {"ENUM": 65_535, "SET": 64}
_MAX_LENGTH: Final = {"CHAR": 255, "BINARY": 255, "VARCHAR": 65_535, "VARBINARY": 65_535, "BIT": 64}


@dataclass(frozen=True, slots=True)
class SqlType:
    """A MySQL column type. Two spellings of one type are equal; ``parse_type(t.ddl) == t`` for every ``t``.

    ``base`` is the canonical upper-case name. ``length`` counts characters (CHAR, VARCHAR), bytes (BINARY, VARBINARY)
    or bits (BIT); on TINYINT it is 1 for BOOL and otherwise None. ``members`` are the labels of ENUM and SET.
    """

    base: str
    unsigned: bool = False
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    fsp: int = 0
    members: tuple[str, ...] = ()
    srid: int | None = None

    @property
    def ddl(self) -> str:
        """The canonical text, safe to put into a statement (under a ``sql_mode`` without NO_BACKSLASH_ESCAPES)."""
        text = self.base
        if self.members:
            text += f"({','.join(_quoted(label) for label in self.members)})"
        elif self.precision is not None:
            text += f"({self.precision},{self.scale})"
        elif self.length is not None:
            text += f"({self.length})"
        elif self.fsp:
            text += f"({self.fsp})"
        if self.unsigned:
            text += " UNSIGNED"
        return text if self.srid is None else f"{text} SRID {self.srid}"


def parse_type(text: str) -> SqlType:
    """Parses a type as users write it or as ``information_schema.COLUMNS.COLUMN_TYPE`` prints it.

    Raises ``SchemaError`` naming what is wrong. Whatever follows the type is refused, other column attributes too.
    """
    return _Parser(text).parse()


_TOKEN: Final = re.compile(
    r"\s*(?:(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<number>[0-9]{1,18})|(?P<label>'(?:[^'\\]|''|\\.)*')|(?P<mark>[(),]))",
    re.DOTALL,
)
_ESCAPED: Final = re.compile(r"''|\\(.)", re.DOTALL)
_ESCAPES: Final = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}


class _Parser:
    """One pass over the tokens of one type."""

    def __init__(self, text: str):
        self._tokens: list[tuple[str, str]] = []
        end = len(text.rstrip())
        position = 0
        while position < end:
            match = _TOKEN.match(text, position, end)
            if match is None:
                raise SchemaError(f"the type has an unexpected character {text[position:].lstrip()[:1]!r}")
            kind = match.lastgroup or ""
            self._tokens.append((kind, match[kind]))
            position = match.end()

    def parse(self) -> SqlType:
        word = self._word()
        if word is None:
            raise SchemaError("the type must begin with a type name")
        name = _ALIASES.get(word, word)
        build = _BUILDERS.get(name)
        if build is None:
            raise SchemaError(f"{word[:40]} is not a supported column type")
        parsed = build(self, name)
        if self._tokens:
            raise SchemaError(f"nothing may follow the type {parsed.base}, but {self._tokens[0][1][:40]!r} does")
        return parsed

    # -- the families -------------------------------------------------------------------------------------------

    def boolean(self, _name: str) -> SqlType:
        return SqlType("TINYINT", length=1)

    def integer(self, name: str) -> SqlType:
        width = self._number(f"the display width of {name}", 1, 255)
        unsigned = self._unsigned(name)
        return SqlType(name, unsigned=unsigned, length=1 if (name, width, unsigned) == ("TINYINT", 1, False) else None)

    def decimal(self, name: str) -> SqlType:
        precision, scale = 10, 0
        if self._accept("("):
            precision = self._integer("the precision of DECIMAL", 1, 65)
            if self._accept(","):
                scale = self._integer("the scale of DECIMAL", 0, 30)
            self._expect(")")
        if scale > precision:
            raise SchemaError(f"the scale of DECIMAL({precision},{scale}) is larger than its precision")
        return SqlType(name, unsigned=self._unsigned(name), precision=precision, scale=scale)

    def floating(self, name: str) -> SqlType:
        if name == "DOUBLE" and self._next_is("word", "PRECISION"):
            self._tokens.pop(0)
        if self._accept("("):
            bits = self._integer("the precision of FLOAT in bits", 0, 255)
            if self._accept(","):
                raise SchemaError(f"{name}(M,D) is deprecated by MySQL and not supported: use {name} or DECIMAL(M,D)")
            self._expect(")")
            if name == "DOUBLE" or bits > 53:
                raise SchemaError(f"{name} takes no precision" if name == "DOUBLE" else "FLOAT takes at most 53 bits")
            name = "FLOAT" if bits <= 24 else "DOUBLE"
        return SqlType(name, unsigned=self._unsigned(name))

    def sized(self, name: str) -> SqlType:
        if name == "CHAR" and self._next_is("word", "VARYING"):
            self._tokens.pop(0)
            name = "VARCHAR"
        lowest = 1 if name == "BIT" else 0
        length = self._number(f"the length of {name}", lowest, _MAX_LENGTH[name])
        if length is None and name.startswith("VAR"):
            raise SchemaError(f"{name} needs a length, as in {name}(80)")
        return SqlType(name, length=1 if length is None else length)

    def large(self, name: str) -> SqlType:
        family = TEXT_BYTES if name.endswith("TEXT") else BLOB_BYTES
        if name in ("TEXT", "BLOB"):
            width = _UTF8MB4_BYTES if name == "TEXT" else 1
            length = self._number(f"the length of {name}", 1, (2**32 - 1) // width)
            if length is not None:
                name = next(candidate for candidate, limit in family.items() if length * width <= limit)
        return SqlType(name)

    def fractional(self, name: str) -> SqlType:
        return SqlType(name, fsp=self._number(f"the number of fractional digits of {name}", 0, 6) or 0)

    def year(self, name: str) -> SqlType:
        self._number("the width of YEAR", 4, 4)
        return SqlType(name)

    def labels(self, name: str) -> SqlType:
        if not self._accept("("):
            raise SchemaError(f"{name} needs its labels, as in {name}('a','b')")
        members: list[str] = []
        while not members or self._accept(","):
            kind, token = self._tokens.pop(0) if self._tokens else ("", "")
            if kind != "label":
                raise SchemaError(f"{name} needs quoted labels separated by commas")
            members.append(_unquoted(token).rstrip(" "))  # MySQL strips them too
        self._expect(")")
        _check_labels(name, members)
        return SqlType(name, members=tuple(members))

    def plain(self, name: str) -> SqlType:
        return SqlType(name)

    def geometry(self, name: str) -> SqlType:
        if not self._next_is("word", "SRID"):
            return SqlType(name)
        self._tokens.pop(0)
        return SqlType(name, srid=self._integer("the SRID", 0, 2**32 - 1))

    # -- tokens -------------------------------------------------------------------------------------------------

    def _next_is(self, kind: str, value: str) -> bool:
        return bool(self._tokens) and self._tokens[0][0] == kind and self._tokens[0][1].upper() == value

    def _accept(self, mark: str) -> bool:
        found = self._next_is("mark", mark)
        if found:
            self._tokens.pop(0)
        return found

    def _expect(self, mark: str) -> None:
        if not self._accept(mark):
            raise SchemaError(f"the type lacks {mark!r}")

    def _word(self) -> str | None:
        return self._tokens.pop(0)[1].upper() if self._tokens and self._tokens[0][0] == "word" else None

    def _integer(self, what: str, low: int, high: int) -> int:
        kind, token = self._tokens.pop(0) if self._tokens else ("", "")
        if kind != "number" or not low <= int(token) <= high:
            raise SchemaError(f"{what} must be {low} to {high}" if low < high else f"{what} must be {low}")
        return int(token)

    def _number(self, what: str, low: int, high: int) -> int | None:
        """An optional ``(n)``."""
        if not self._accept("("):
            return None
        number = self._integer(what, low, high)
        self._expect(")")
        return number

    def _unsigned(self, name: str) -> bool:
        unsigned = self._next_is("word", "UNSIGNED")
        if unsigned:
            self._tokens.pop(0)
        if self._next_is("word", "ZEROFILL"):
            raise SchemaError(f"ZEROFILL is deprecated by MySQL and not supported: use {name} UNSIGNED")
        return unsigned


_BUILDERS: Final[dict[str, Callable[[_Parser, str], SqlType]]] = {
    **dict.fromkeys(("BOOL", "BOOLEAN"), _Parser.boolean),
    **dict.fromkeys(INTEGER_BITS, _Parser.integer),
    "DECIMAL": _Parser.decimal,
    **dict.fromkeys(("FLOAT", "DOUBLE"), _Parser.floating),
    **dict.fromkeys(_MAX_LENGTH, _Parser.sized),
    **dict.fromkeys((*TEXT_BYTES, *BLOB_BYTES), _Parser.large),
    **dict.fromkeys(("DATETIME", "TIMESTAMP", "TIME"), _Parser.fractional),
    **dict.fromkeys(("DATE", "JSON"), _Parser.plain),
    "YEAR": _Parser.year,
    **dict.fromkeys(_MAX_LABELS, _Parser.labels),
    **dict.fromkeys(GEOMETRY_TYPES, _Parser.geometry),
}


def _check_labels(name: str, members: list[str]) -> None:
    if len(members) > _MAX_LABELS[name]:
        raise SchemaError(f"{name} takes at most {_MAX_LABELS[name]} labels")
    if len(set(members)) < len(members):
        raise SchemaError(f"{name} has a label twice (trailing spaces do not count)")
    if any("\ud800" <= character <= "\udfff" for label in members for character in label):
        raise SchemaError(f"a label of {name} holds a lone surrogate, which is not text")
    if any(len(label) > _MAX_LABEL for label in members):
        raise SchemaError(f"a label of {name} is longer than {_MAX_LABEL} characters")
    if name == "SET" and any("," in label or not label for label in members):
        raise SchemaError("a label of SET must not be empty or contain a comma")


def _unquoted(token: str) -> str:
    def plain(match: re.Match[str]) -> str:
        return "'" if match[0] == "''" else _ESCAPES.get(match[1], match[1])

    return _ESCAPED.sub(plain, token[1:-1])


def _quoted(label: str) -> str:
    escaped = label.replace("\\", "\\\\").replace("'", "''").replace("\0", "\\0")
    return f"'{escaped}'"
