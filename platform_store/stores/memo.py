"""What was worked out before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

_REMEMBERED: Final = 1 << 15


class Memo(dict[Any, Any]):
    """What ``make`` gives for a value, remembered for the first ones."""

    def __init__(self, make: Callable[[Any], Any]):
        super().__init__()
        self._make = make

    def __missing__(self, value: Any) -> Any:
        made = self._make(value)
        if len(self) < _REMEMBERED:
            self[value] = made
        return made

    def of(self, values: Iterable[Any]) -> list[Any]:
        return list(map(self.__getitem__, values))
