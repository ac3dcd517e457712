"""Names of columns for fields of any name. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from platform_store.names import RESERVED_FIELDS

_MAX: Final = 64  # characters of a MySQL identifier
_LAST_PLAIN: Final = 0xFFFF  # MySQL's identifiers end there


def fold(name: str) -> str:
    """What MySQL compares of a name, or less: names of different folds are different columns.

    The dotted capital I is an i to MySQL (seen), but not to Unicode's case folding.
    """
    return name.replace("\u0130", "i").casefold()


class ColumnNames:
    """Gives each field a name of its own; the field's own name wherever both databases can carry it."""

    def __init__(self, taken: Iterable[str] = ()):
        self._taken = {fold(name) for name in (*RESERVED_FIELDS, *taken)}

    def keeps(self, field: str) -> bool:
        """Whether the field's own name can be the column's."""
        return _safe(field) == field and fold(field) not in self._taken

    def give(self, field: str) -> str:
        """A name that is not given yet."""
        safe = _safe(field)
        name, number = safe, 1
        while fold(name) in self._taken:
            number += 1
            suffix = f"_{number}"
            name = safe[: _MAX - len(suffix)] + suffix
        self._taken.add(fold(name))
        return name


def _safe(field: str) -> str:
    """The name with an underscore for every character that a column, a field or a tool has trouble with."""
    name = "".join("_" if _troublesome(character) else character for character in field[:_MAX])
    if name.startswith("$"):
        name = "_" + name[1:]
    stripped = name.rstrip()
    return stripped + "_" * (len(name) - len(stripped)) or "field"


def _troublesome(character: str) -> bool:
    code = ord(character)
    return character == "." or code < 0x20 or code == 0x7F or 0xD800 <= code <= 0xDFFF or code > _LAST_PLAIN
