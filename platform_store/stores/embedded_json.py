"""JSON paths in embedded queries: the part of MySQL's path language whose answers are certain. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, TypeAlias

from platform_store.codecs import JsonText
from platform_store.codecs.json import JsonCodec, json_text
from platform_store.errors import NotSupported
from platform_store.sqltypes import parse_type

Path: TypeAlias = tuple[str | int, ...]

_STEP: Final = re.compile(r'\.(?P<name>[^\W\d]\w*)|\."(?P<quoted>[^"\\]+)"|\[(?P<index>[0-9]{1,9})\]')
_SCALAR_LENGTH: Final = 512  # of what JSON_VALUE gives, where nothing else is asked for
_EXACT: Final = 2**53  # up to here an integer and a double are compared exactly
_NULL: Final = "null"
_CODEC: Final = JsonCodec(parse_type("JSON"))


class _Missing:
    __slots__ = ()


_MISSING: Final = _Missing()


@lru_cache(maxsize=256)
def parsed_path(path: str) -> Path:
    """The steps of a path of names and indexes. Raises NotSupported for any other."""
    steps: list[str | int] = []
    position = 1
    while position < len(path) or path[:1] != "$":
        step = _STEP.match(path, position) if path[:1] == "$" else None
        if step is None:
            raise NotSupported("a JSON path of anything but names and indexes, such as $.name[0],")
        steps.append(int(step["index"]) if step["index"] else step["name"] or step["quoted"])
        position = step.end()
    return tuple(steps)


def checked_scalar(text: str) -> str | int | bool:
    """The value of JSON text that JSON_CONTAINS looks for. Raises NotSupported where it is no certain scalar."""
    value = _CODEC.check(JsonText(text))
    if not isinstance(value, str | int) or isinstance(value, JsonText):
        raise NotSupported("JSON_CONTAINS of anything but a string, an integer or a boolean")
    if isinstance(value, int) and abs(value) > _EXACT:
        raise NotSupported(f"JSON_CONTAINS of an integer beyond {_EXACT}")
    return value


def value_at(text: str | None, path: str) -> str | None:
    """``JSON_VALUE(text, path)``: None where there is nothing, JSON null, or more than fits."""
    shown = text_at(text, path, null=None)
    return None if shown is None or len(shown) > _SCALAR_LENGTH else shown


def text_at(text: str | None, path: str, null: str | None = _NULL) -> str | None:
    """``text->>path``; ``null`` is what JSON null gives."""
    if text is None:
        return None
    value = _found(text, path)
    if isinstance(value, _Missing):
        return None
    if value is None:
        return null
    return value if isinstance(value, str) else json_text(value)


def contains(text: str | None, path: str, wanted: str) -> int | None:
    """``JSON_CONTAINS(text, wanted, path)`` of a scalar: whether it is the value, or in an array, however deep."""
    if text is None:
        return None
    value = _found(text, path)
    return None if isinstance(value, _Missing) else int(_holds(value, checked_scalar(wanted)))


def _holds(value: object, wanted: str | int | bool) -> bool:
    if isinstance(value, list):
        return any(_holds(item, wanted) for item in value)
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(wanted, int):
        return isinstance(value, int | float) and value == wanted
    return isinstance(value, str) and value == wanted


def _found(text: str, path: str) -> object:
    """The value at a path. ``[0]`` of anything but an array is that itself."""
    value = _CODEC.from_exact(text)
    if isinstance(value, JsonText):
        if value != _NULL:
            raise NotSupported("a JSON path into a value with numbers that are no integers or doubles")
        value = None
    for step in parsed_path(path):
        if isinstance(step, int):
            if isinstance(value, list):
                value = value[step] if step < len(value) else _MISSING
            elif step:
                value = _MISSING
        else:
            value = value.get(step, _MISSING) if isinstance(value, dict) else _MISSING
        if value is _MISSING:
            break
    return value
