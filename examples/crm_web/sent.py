"""Forms that record something are sent once: a second click leads to what the first has done."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Final, NamedTuple

_MOST: Final = 10_000


class Done(NamedTuple):
    """Where a form led to, and what the page there says: the key of a text and its values."""

    to: str
    told: tuple[str, dict[str, object]] | None


class _Form:
    """One that was sent; the lock is held while its work is under way."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.done: Done | None = None


class Sent:
    """The last of them by session and id, in this process."""

    def __init__(self) -> None:
        self._forms: dict[tuple[str, str], _Form] = {}
        self._lock = Lock()

    def once(self, session: str, form_id: str, work: Callable[[], Done]) -> Done:
        """What ``work`` returns, or returned when this form was sent before. Work that raises counts as not done."""
        with self._lock:
            form = self._forms.setdefault((session, form_id), _Form())
            while len(self._forms) > _MOST:
                del self._forms[next(iter(self._forms))]
        with form.lock:
            form.done = form.done or work()
            return form.done
