"""Text that MySQL compares by a binary collation, as regular expressions for MongoDB.

Each expression looks for one run of characters: none can go back over what it has matched, so that none ends at a
limit of the engine, which counts as no match. A LIKE is several of them, which all have to be found.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bson.regex import Regex

_LONGEST: Final = 1000
"""Characters of one expression, whose size MongoDB limits; of longer ones a part is looked for."""
_MOST: Final = 50
_LONGEST_PATTERN: Final = 100_000
_END: Final = r"\z"  # not $, which is also before a newline
_ANY: Final = "."


def like_patterns(pattern: str, escape: str) -> list[Regex[str]]:
    """What every text contains that is LIKE ``pattern``; nothing where any text may be.

    LIKE compares character by character, and never ignores spaces at the end.
    """
    if len(pattern) > _LONGEST_PATTERN:
        return []
    runs = _runs(pattern, escape)
    found: list[Regex[str]] = []
    for position, run in enumerate(runs):
        first, last = position == 0, position == len(runs) - 1
        if first and last:
            found.append(_whole(run))
        elif run:
            part = run[-_LONGEST:] if last else run[:_LONGEST]
            found.append(_regex(f"{'^' * first}{''.join(part)}{_END * last}"))
    return found[:_MOST]


def _whole(run: list[str]) -> Regex[str]:
    return _regex(f"^{''.join(run[:_LONGEST])}{_END * (len(run) <= _LONGEST)}")


def _regex(pattern: str) -> Regex[str]:
    return Regex(pattern, "s")


def _runs(pattern: str, escape: str) -> list[list[str]]:
    """The characters between the ``%`` of a pattern, each as an expression."""
    runs: list[list[str]] = [[]]
    for character, literal in _characters(pattern, escape):
        if literal:
            runs[-1].append(_escaped(character))
        elif character == "%":
            runs.append([])
        else:
            runs[-1].append(_ANY)
    return runs


def _characters(pattern: str, escape: str) -> Iterator[tuple[str, bool]]:
    """Each character, and whether it stands for itself. An escape character at the end does."""
    rest = iter(pattern)
    for character in rest:
        if character == escape:
            yield next(rest, character), True
        else:
            yield character, character not in "%_"


def _escaped(character: str) -> str:
    if character == "\0":
        return r"\x00"  # an expression ends at a NUL
    return character if character.isalnum() or ord(character) > 127 else f"\\{character}"
