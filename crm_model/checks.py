"""What services are given, checked, and made what the columns hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from crm_model.errors import InvalidInput


def moment(field: str, value: datetime) -> datetime:
    """In UTC without saying so, cut to the millisecond, as the columns are. Raises InvalidInput."""
    if not isinstance(value, datetime):
        raise InvalidInput(field, "not-a-moment", f"give a datetime, not {type(value).__name__}")
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def period(start: datetime, stop: datetime) -> tuple[datetime, datetime]:
    """Both ends, each a :func:`moment`. Raises InvalidInput where nothing is between them."""
    begin, end = moment("start", start), moment("stop", stop)
    if begin >= end:
        raise InvalidInput("stop", "empty-period", f"it is not after the start: {stop}")
    return begin, end


def whole(field: str, value: int, least: int, most: int | None = None) -> int:
    """A whole number, both ends included. Raises InvalidInput."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least or (most is not None and value > most):
        bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise InvalidInput(field, "not-in-range", f"give a whole number {bounds}", least=least, most=most)
    return value


def is_object(value: Any) -> bool:
    """Whether it is a JSON object."""
    return isinstance(value, Mapping)


def is_list_of_objects(value: Any) -> bool:
    """Whether it is a list of JSON objects."""
    return isinstance(value, list | tuple) and all(map(is_object, value))


def is_list_of_texts(value: Any) -> bool:
    """Whether it is a list of texts."""
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)


_WORDS: Final[Mapping[Callable[[Any], bool], str]] = {
    is_object: "an object",
    is_list_of_objects: "a list of objects",
    is_list_of_texts: "a list of texts",
}


def shapes(values: Mapping[str, Any], expected: Mapping[str, Callable[[Any], bool]]) -> None:
    """Raises InvalidInput for a document that is there and not of the shape expected in its column."""
    for field, has_shape in expected.items():
        value = values.get(field)
        if value is not None and not has_shape(value):
            raise InvalidInput(
                field, "wrong-shape", f"give {_WORDS[has_shape]}, or nothing", expected=_WORDS[has_shape]
            )
