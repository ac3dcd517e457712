"""What the tests of schedules are made of: a scenario that says what it saw go wrong, run whole and run weakened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import pytest

from platform_store import ColumnAttribute, Config, Platform
from platform_store.errors import PlatformStoreError
from tests.faults import servers, steps
from tests.faults.weakened import Weakness, replaced

Scenario: TypeAlias = Callable[[Any], list[str]]
"""Takes the servers; returns what violates the guarantees, nothing where all is well."""

Expected: TypeAlias = dict[int, Mapping[str, object] | str | None]
"""By key: a row, None, or the name of the error that reading it raises."""

COLUMNS = [ColumnAttribute("id", "INT"), ColumnAttribute("n", "INT"), ColumnAttribute("doc", "JSON")]


@dataclass(frozen=True)
class Schedule:
    """One order of events that breaks a weaker version of the library.

    ``controls`` switch off what ``protection`` names, one way each: then ``scenario`` must see a violation.
    """

    name: str
    protection: str
    scenario: Scenario
    controls: tuple[Weakness, ...]


def cases(schedules: Sequence[Schedule]) -> list[Any]:
    """Parameters ``schedule, control``: each schedule protected (None), and weakened by each of its controls."""
    return [
        pytest.param(schedule, control, id=f"{schedule.scenario.__name__}-{control.__name__ if control else 'whole'}")
        for schedule in schedules
        for control in (None, *schedule.controls)
    ]


def on_both(schedules: Sequence[Schedule]) -> list[Any]:
    """Parameters ``schedule, control, server``: as :func:`cases`, on MySQL; and each protected on MariaDB as well."""
    return [
        pytest.param(*case.values, server, id=f"{case.id}-{server}")
        for case in cases(schedules)
        for server in ("mysql", "mariadb")
        if server == "mysql" or case.values[1] is None
    ]


def judge(schedule: Schedule, control: Weakness | None, world: Any) -> None:
    """Runs a scenario. Whole, it must see nothing; weakened, it must see something."""
    with control() if control else nullcontext():
        violations = schedule.scenario(world)
    assess(schedule, control, violations)


def assess(schedule: Schedule, control: Weakness | None, violations: list[str]) -> None:
    if control is None:
        assert violations == []
    else:
        assert violations, f"{schedule.name}: nothing is wrong without this: {schedule.protection}"


def quiet(mysql: str, mongodb: str, *, lock_wait_timeout: int = 5, **gives_up: float) -> Config:
    """Stores on which nothing happens in the background. ``gives_up``: see :func:`tests.faults.servers.stores`."""
    config = servers.stores(mysql, mongodb, **gives_up)
    assert config.mysql is not None
    return replace(
        config,
        mysql=replace(config.mysql, lock_wait_timeout=lock_wait_timeout),
        journal=replace(config.journal, reaper=False),
    )


@contextmanager
def interrupted(config: Config, stop: str, action: Callable[[], object]) -> Iterator[Platform]:
    """A Platform that stands still at the first ``stop`` while others act: it goes on when all that is done.

    The others must be opened before, or within ``action``.
    """
    reached = []

    def act() -> None:
        reached.append(stop)
        action()

    with steps.install(steps.OwnThread(steps.At(stop, act))):
        platform = Platform.open(config)
    with platform:
        yield platform
    assert reached, f"{stop} was never reached"


@contextmanager
def before_call(owner: object, name: str, action: Callable[[], object]) -> Iterator[None]:
    """The first call of a method or a module's function inside waits for ``action``: for moments that are no steps."""
    original = getattr(owner, name)
    waiting = [action]

    def call(*arguments: Any, **options: Any) -> Any:
        if waiting:
            waiting.pop()()
        return original(*arguments, **options)

    with replaced(owner, name, call):
        yield
    assert not waiting, f"{name} was never called"


def purge(platform: Platform, table: str = "card") -> int:
    """What the thread that looks after the journal does once a minute, with no respect for age."""
    assert platform._recovery is not None
    return platform._recovery.sweeper.purge([table], 0)


def rows(*keys: int, doc: str = "new") -> list[dict[str, object]]:
    return [{"id": key, "n": key, "doc": f"{doc} {key}"} for key in keys]


def by_key(given: Sequence[Mapping[str, object]]) -> Expected:
    return {int(str(row["id"])): row for row in given}


def kind_of(work: Callable[[], object]) -> str:
    """The class name of the library's error that ``work`` raises; "" where it returns."""
    try:
        work()
    except PlatformStoreError as error:
        return type(error).__name__
    return ""


def differences(platform: Platform, expected: Expected, when: str = "then") -> list[str]:
    """What reads give otherwise than expected."""
    found = []
    for key, wanted in expected.items():
        got: object
        try:
            got = platform.read("card", key)
        except PlatformStoreError as error:
            got = type(error).__name__
        if got != wanted:
            found.append(f"{when} row {key} is {got}, not {wanted}")
    return found


def settled(platform: Platform, expected: Expected) -> list[str]:
    """As :func:`differences`, at once and once everything that waited is finished."""
    found = differences(platform, expected, "at once")
    remaining = platform.recover().remaining
    if remaining:
        found.append(f"{remaining} entries remain")
    return found + differences(platform, expected, "after recover()")
