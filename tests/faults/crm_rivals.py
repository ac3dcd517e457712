"""Two processes that want the same of the CRM at once, one of them standing still at each of its steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from crm_model import Crm
from tests.faults.bench import Bench
from tests.faults.child import Child, ChildFailed, Work

_PATIENCE = 30.0  # seconds
_START = "rows.transaction:before:1"
_MATTERS = ("search", "lock", "commit")
"""Before these steps of a transaction it matters who is first."""


@dataclass(frozen=True)
class Said:
    """How a process's work ended: with a result, or with an error of this kind."""

    result: object = None
    error: str | None = None
    message: str = ""


@dataclass(frozen=True)
class Race:
    """What two processes do with the same rows.

    prepare: makes new rows, and returns what names them; first, second: work on these; wrong: what is not as it must
    be, whoever was faster, given how both have ended.
    """

    name: str
    prepare: Callable[[Crm], Any]
    first: Callable[[Any], Work]
    second: Callable[[Any], Work]
    wrong: Callable[[Crm, Any, Said, Said], list[str]]


@dataclass
class Outcome:
    """What was wrong; and how often the first process, and how often the second, was not refused."""

    wrong: list[str]
    first: int = 0
    second: int = 0


def raced_everywhere(bench: Bench, race: Race) -> Outcome:
    """Lets the second process go as far as it can while the first one stands still, at each step that matters."""
    crm = Crm(bench.watcher, 1)
    stops = [stop for stop, _ in bench.points(race.first(race.prepare(crm))) if _matters(stop)]
    assert len(stops) > 1
    return raced_at(bench, race, stops)


def raced_at(bench: Bench, race: Race, stops: Sequence[str]) -> Outcome:
    """The same at these steps of the first process."""
    crm, outcome = Crm(bench.watcher, 1), Outcome([])
    for stop in stops:
        subject = race.prepare(crm)
        with Child(bench.config, race.first(subject), stop_at=stop, how="wait") as first:
            first.wait_until_stopped()
            with Child(bench.config, race.second(subject)) as second:
                _wait_until_it_cannot_go_on(bench, second)
                first.resume()
                _judge(outcome, crm, race, subject, stop, _said(first), _said(second))
    return outcome


def raced_from_the_start(bench: Bench, race: Race, rounds: int) -> Outcome:
    """Lets both go at the same moment, before their first statement."""
    crm, outcome = Crm(bench.watcher, 1), Outcome([])
    for number in range(rounds):
        subject = race.prepare(crm)
        with (
            Child(bench.config, race.first(subject), stop_at=_START, how="wait") as first,
            Child(bench.config, race.second(subject), stop_at=_START, how="wait") as second,
        ):
            for child in (first, second):
                child.wait_until_stopped()
            for child in (first, second) if number % 2 else (second, first):
                child.resume()
            _judge(outcome, crm, race, subject, f"start, round {number}", _said(first), _said(second))
    return outcome


def _judge(outcome: Outcome, crm: Crm, race: Race, subject: Any, where: str, first: Said, second: Said) -> None:
    outcome.first += first.error is None
    outcome.second += second.error is None
    outcome.wrong += [f"{race.name}, {where}: {one}" for one in race.wrong(crm, subject, first, second)]


def _matters(stop: str) -> bool:
    name, moment, _ = stop.split(":")
    return moment == "before" and name.rpartition(".")[2] in _MATTERS


def _said(child: Child) -> Said:
    try:
        return Said(child.result())
    except ChildFailed as error:
        return Said(error=error.kind, message=error.message)


def _wait_until_it_cannot_go_on(bench: Bench, child: Child) -> None:
    ((version,),) = bench.servers.sql("SELECT VERSION()")
    waiting, interval = _ON_MARIADB if "MariaDB" in version else _ON_MYSQL
    deadline = time.monotonic() + _PATIENCE
    while not child.ended(interval) and bench.servers.sql(waiting) == ((0,),):
        if time.monotonic() > deadline:
            raise TimeoutError("the second process neither ends nor waits for a lock")


_ON_MYSQL = (
    "SELECT COUNT(*) FROM performance_schema.data_lock_waits w JOIN performance_schema.threads t "
    "ON t.THREAD_ID = w.REQUESTING_THREAD_ID WHERE t.PROCESSLIST_DB = DATABASE()",
    0.02,
)
_ON_MARIADB = (
    "SELECT COUNT(*) FROM information_schema.INNODB_TRX t JOIN information_schema.PROCESSLIST p "
    "ON p.ID = t.trx_mysql_thread_id WHERE p.DB = DATABASE() AND t.trx_state = 'LOCK WAIT'",
    0.15,
)
"""How many transactions in the database wait for a lock, and how often to ask.

MySQL's INNODB_TRX fails where a statement under way is not UTF-8; MariaDB's stays the same until nobody has asked for
0.1 s.
"""
