"""The moments at which to kill an operation: one for each state in which it leaves the two databases."""

from __future__ import annotations

from collections.abc import Callable

from platform_store import Config, Platform
from tests.faults import steps
from tests.faults.drivers import Sent, sent
from tests.faults.steps import Moment

_READING = ("SELECT", "SET", "SHOW", "EXPLAIN", "PING", "USE", "START TRANSACTION", "ROLLBACK", "SAVEPOINT", "RELEASE")
_READING_COMMANDS = {
    *("find", "aggregate", "getMore", "count", "distinct", "explain", "hello", "ping", "buildInfo"),
    *("listCollections", "listIndexes", "collStats", "killCursors", "endSessions"),
}


class Tracer(steps.Recorder):
    """Writes down the moments, and at each how much had been changed in either database."""

    def __init__(self, everything: Sent) -> None:
        super().__init__()
        self._sent = everything
        self._changes: list[int] = []
        self.at_work = False

    def __call__(self, name: str, moment: Moment) -> None:
        if self.at_work:
            super().__call__(name, moment)
            self._changes.append(_changes(self._sent))

    def kills(self) -> list[str]:
        """The first moment after each change; the first of all, and the last.

        What a killed process had read dies with it, and its locks and what it had not committed go: where nothing was
        changed between two moments, a kill at the one leaves what a kill at the other leaves.
        """
        stops = self.stops()
        return [
            stop
            for number, stop in enumerate(stops)
            if number in (0, len(stops) - 1) or self._changes[number] > self._changes[number - 1]
        ]


def trace(config: Config, work: Callable[[Platform], object]) -> Tracer:
    """The moments of ``work`` on a Platform that has done nothing before, without those of its opening and closing."""
    with sent(all_threads=True) as everything:
        tracer = Tracer(everything)
        with steps.install(steps.OwnThread(tracer)), Platform.open(config) as platform:
            tracer.at_work = True
            work(platform)
            tracer.at_work = False
    return tracer


def _changes(everything: Sent) -> int:
    statements = [statement for packet in everything.sql for statement in packet.split("; ")]
    return sum(not statement.startswith(_READING) for statement in statements) + sum(
        command.split(" ", 1)[0] not in _READING_COMMANDS for command in everything.mongodb
    )
