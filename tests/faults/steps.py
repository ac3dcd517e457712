"""Named steps: every call that an operation makes on the stores, with a hook before and after it.

A step is named after the way to it: ``rows.transaction.commit``, ``rows.journal.due``, ``documents.target.apply``.
Leaving a context manager is a step of its own, such as ``rows.transaction.exit``. A call that is not named below is an
error, so that a new one in the library makes the tests speak up that were written for the steps there were.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import TracebackType
from typing import Any, Literal, TypeAlias

from platform_store import facade

Moment: TypeAlias = Literal["before", "after"]
Hook: TypeAlias = Callable[[str, Moment], None]
"""Called around each step in its thread, "after" only where it returned. What the hook raises comes out of the step."""

_STORES = "platform_store.stores"


def _named(way: str, names: str) -> set[str]:
    return {f"{way}.{name}" for name in names.split()}


KNOWN = frozenset(
    _named(
        "rows",
        """
        transaction transaction.exit fetch_many fetch_range search exact_many present
        load_catalog schema_lock schema_lock.exit add_association
        put_association remove_association table_exists describe_foreign differences check_placeable create_table
        adopt_table drop_table add_column tighten_column loosen_column drop_column rename_column uses_of_column
        create_index drop_index is_empty about_rows forget_revisions fill_keys query query_session findings pool close
        """,
    )
    | _named(
        "rows.transaction",
        """
        fence lock lock_range insert update update_many reset delete fetch search exact exact_many record announce claim
        awaited savepoint savepoint.exit commit
        """,
    )
    | _named(
        "rows.journal",
        """
        due load remove set_aside strays backlog oldest intents open_intents withdraw outcome lease release server
        position note_ceiling note_accepted raise_revisions hold keep_hold let_go end_lapsed_hold
        """,
    )
    | _named("rows.bulk", "layout borders read take take.exit keys create index load load_images remove")
    | _named("documents.bulk", "bounds read sample describe put remove index take")
    | _named("rows.jobs", "add load all find take save pause add_parts parts save_part remove busy")
    | _named(
        "documents",
        """
        fetch snapshot snapshot.exit latest latest.exit
        check_available collection_exists create_collection drop_collection unset_field
        create_index drop_index discard identifiers stream in_byte_order between among remove
        uses_reserved_fields unique_indexes highest_revision count findings close
        """,
    )
    | _named("documents.snapshot", "find size share variety aggregate close")
    | _named("documents.latest", "find size share variety aggregate close")
    | _named(
        "documents.target",
        """
        apply refused confirm place clear purge witness testify raise_ceiling note_confirmed count_between
        """,
    )
)


class UnnamedStep(AssertionError):
    """The library makes a call that no name was given to."""

    def __init__(self, name: str):
        super().__init__(f"step {name!r} has no name: add it to tests.faults.steps.KNOWN, and test what it can break")
        self.name = name


@dataclasses.dataclass(frozen=True)
class Stop:
    """The ``occurrence``-th time that a moment of a step comes; written ``rows.transaction.commit:after:2``."""

    name: str
    moment: Moment
    occurrence: int = 1

    @classmethod
    def parse(cls, text: str, known: Collection[str] = KNOWN) -> Stop:
        """The number may be left out. Raises UnnamedStep for a step that can never come."""
        name, moment, *occurrence = text.split(":")
        if name not in known:
            raise UnnamedStep(name)
        if moment not in ("before", "after"):
            raise ValueError(f"{text!r}: a step has a before and an after")
        return cls(name, "before" if moment == "before" else "after", int(occurrence[0]) if occurrence else 1)

    def __str__(self) -> str:
        return f"{self.name}:{self.moment}:{self.occurrence}"


class OwnThread:
    """A hook that passes on only the steps of the thread that made it: what background threads do is not counted."""

    def __init__(self, hook: Hook):
        self._hook, self._thread = hook, threading.get_ident()

    def __call__(self, name: str, moment: Moment) -> None:
        if threading.get_ident() == self._thread:
            self._hook(name, moment)


class Recorder:
    """A hook that writes down what it is called with."""

    def __init__(self) -> None:
        self.moments: list[tuple[str, Moment]] = []

    def __call__(self, name: str, moment: Moment) -> None:
        self.moments.append((name, moment))

    @property
    def names(self) -> list[str]:
        """The steps begun, in order."""
        return [name for name, moment in self.moments if moment == "before"]

    def stops(self) -> list[str]:
        """Every moment there was, as :class:`Stop` writes it: where the same operation can be stopped."""
        count: dict[tuple[str, Moment], int] = {}
        found = []
        for name, moment in self.moments:
            count[name, moment] = count.get((name, moment), 0) + 1
            found.append(str(Stop(name, moment, count[name, moment])))
        return found


class At:
    """A hook that does something at one :class:`Stop`, once."""

    def __init__(self, stop: str | Stop, action: Callable[[], None]):
        self.stop = Stop.parse(stop) if isinstance(stop, str) else stop
        self._action, self._seen, self._lock = action, 0, threading.Lock()

    def __call__(self, name: str, moment: Moment) -> None:
        if (name, moment) != (self.stop.name, self.stop.moment):
            return
        with self._lock:
            self._seen += 1
            reached = self._seen == self.stop.occurrence
        if reached:
            self._action()


@contextmanager
def install(hook: Hook, known: Collection[str] = KNOWN) -> Iterator[None]:
    """Makes every Platform that is opened inside, in this process, call ``hook`` around each step."""
    build: Callable[..., Any] = facade.build_stores

    def wrapped(*arguments: Any, **options: Any) -> Any:
        rows, documents, *others = build(*arguments, **options)
        steps = _Steps(hook, known)
        return (steps.wrapped(rows, "rows"), steps.wrapped(documents, "documents"), *others)

    facade.build_stores = wrapped
    try:
        yield
    finally:
        facade.build_stores = build


class _Steps:
    """Wraps whatever belongs to the stores' protocols."""

    def __init__(self, hook: Hook, known: Collection[str]):
        self.hook, self._known = hook, known

    def wrapped(self, value: object, name: str) -> object:
        """An object of the stores, or a method of one, with steps; anything else as it is."""
        if _is_of_the_stores(value):
            return _Wrapped(value, name, self)
        if callable(value):
            return self._method(value, name)
        return value

    def _method(self, method: Callable[..., Any], name: str) -> Callable[..., Any]:
        if name not in self._known:
            raise UnnamedStep(name)

        def call(*arguments: Any, **options: Any) -> Any:
            self.hook(name, "before")
            result = method(*arguments, **options)
            if isinstance(result, AbstractContextManager):
                return _Context(result, name, self)  # its "after" is when it is entered
            self.hook(name, "after")
            return result

        return call


class _Wrapped:
    """A store, a transaction or a part of one: its methods are steps, its attributes are its own."""

    def __init__(self, target: object, name: str, steps: _Steps):
        object.__setattr__(self, "_of", (target, name, steps))

    def __getattr__(self, attribute: str) -> object:
        target, name, steps = self.__dict__["_of"]
        value = getattr(target, attribute)
        return value if attribute.startswith("_") else steps.wrapped(value, f"{name}.{attribute}")

    def __setattr__(self, attribute: str, value: object) -> None:
        setattr(self.__dict__["_of"][0], attribute, value)


class _Context:
    """A context manager whose entering ends a step, and whose leaving is one."""

    def __init__(self, manager: AbstractContextManager[object], name: str, steps: _Steps):
        self._manager, self._name, self._steps = manager, name, steps
        self._leaving = ExitStack()

    def __enter__(self) -> object:
        with ExitStack() as undo:
            value = undo.enter_context(self._manager)
            self._steps.hook(self._name, "after")
            undo.callback(self._steps.hook, f"{self._name}.exit", "before")
            self._leaving = undo.pop_all()
        return self._steps.wrapped(value, self._name) if _is_of_the_stores(value) else value

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        suppressed = self._leaving.__exit__(kind, error, traceback)
        self._steps.hook(f"{self._name}.exit", "after")
        return suppressed


def _is_of_the_stores(value: object) -> bool:
    """Whether a value does something to a store, rather than being a record of what is in it."""
    kind = type(value)
    return kind.__module__.startswith(_STORES) and not dataclasses.is_dataclass(kind)
