"""One client: a writer and a reader on one platform, until it is told to stop, or killed.

``python -m tests.torture.worker JSON``. It stops at a byte on its standard input, and ends at once where that closes.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from platform_store import (
    Config,
    Conflict,
    OutcomeUnknown,
    Platform,
    RowExists,
    RowNotFound,
    TransientError,
    Unavailable,
)
from platform_store.config import MongodbConfig, MysqlConfig
from tests.torture import breaks, model
from tests.torture.log import Log, unsettled
from tests.torture.perform import Aborted, locked_rows, perform
from tests.torture.reading import Reading
from tests.torture.rows import Key, State, Torn, state_of
from tests.torture.workload import Workload

PAUSE = 0.1  # seconds, while a store is away
LONGEST = 120.0  # seconds that any operation may take: nothing waits for ever


@dataclass(frozen=True)
class Settings:
    """What the parent tells a client. Its ``life`` is a number that no other client, and no former life, has."""

    slot: int
    life: int
    seed: str
    mysql: str
    mongodb: str
    log: str
    pause: float  # seconds between two operations
    broken: str | None = None

    def to_argument(self) -> str:
        return json.dumps(asdict(self))


def open_platform(settings: Settings) -> Platform:
    """Times are short, since servers are away often. Every second client needs MongoDB for its writes."""
    mongodb = MongodbConfig(
        url=settings.mongodb,
        database=settings.mongodb.rpartition("/")[2].partition("?")[0],
        timeout=5.0,
        server_selection_timeout=1.0,
        when_down="fail" if settings.slot % 2 else "queue",
    )
    return Platform.open(Config(mysql=MysqlConfig.from_url(settings.mysql), mongodb=mongodb))


class Worker:
    """The two threads of a client, and what they share."""

    def __init__(self, settings: Settings, stop: threading.Event):
        self._settings, self._stop = settings, stop
        self._log = Log(Path(settings.log))
        self._numbers = itertools.count(settings.life * 10**7 + 1)  # of operations
        self._writer = str(settings.slot)

    def run(self) -> None:
        """Works until told to stop."""
        settings = self._settings
        platform = self._connected()
        if platform is None:
            return
        workload = Workload(
            Random(f"writes {settings.seed}"),
            settings.slot,
            settings.life,
            lambda table, key: self._current(platform, table, key),
        )
        reading = Reading(Random(f"reads {settings.seed}"), settings.slot, settings.life, workload.batches)
        with platform:
            reader = threading.Thread(target=self._read_on, args=(platform, reading))
            reader.start()
            self._settle(platform)
            while not self._stop.is_set():
                self._change(platform, workload)
                if reading.choose_own():
                    self._read(self._writer, lambda: reading.own(platform))
                self._stop.wait(settings.pause)
            reader.join()

    def _connected(self) -> Platform | None:
        while not self._stop.is_set():
            try:
                return open_platform(self._settings)
            except (Unavailable, TransientError):
                self._stop.wait(PAUSE)
        return None

    def _read_on(self, platform: Platform, reading: Reading) -> None:
        while not self._stop.is_set():
            self._read(f"{self._writer}r", lambda: reading.next(platform))
            self._stop.wait(self._settings.pause)

    def _change(self, platform: Platform, workload: Workload) -> None:
        record = workload.next()
        number = next(self._numbers)
        self._log.write(self._writer, "begin", i=number, **record)
        began = time.monotonic()
        try:
            done = perform(platform, record)
        except (RowExists, RowNotFound, Conflict) as error:
            self._log.write(self._writer, "failed", i=number, error=type(error).__name__)
        except (Unavailable, TransientError) as error:
            self._log.write(self._writer, "failed", i=number, error=type(error).__name__, said=str(error))
            self._stop.wait(PAUSE)
        except Aborted:
            self._log.write(self._writer, "failed", i=number, error="aborted")
        except Exception as error:  # noqa: BLE001 - an outcome that is uncertain, or an error that nothing may raise
            if not isinstance(error, OutcomeUnknown):
                self._violation(f"{record['kind']} {number} raised {_shown(error)}")
            self._log.write(self._writer, "unknown", i=number, error=type(error).__name__)
            self._settle(platform)
        else:
            self._log.write(self._writer, "ok", i=number, **done)
        self._check_duration(record["kind"], began)

    def _current(self, platform: Platform, table: str, key: Key) -> State:
        try:
            return state_of(table, key, platform.read(table, key))
        except (Unavailable, TransientError):
            return None

    def _settle(self, platform: Platform) -> None:
        """Finds out what became of this client's last change, in this life or the one before."""
        record = unsettled(Path(self._settings.log), self._writer)
        places = [] if record is None else model.own_places(record["changes"])
        while record is not None and places and not self._stop.is_set():
            try:
                rows = locked_rows(platform, places)
            except (Unavailable, TransientError):
                self._stop.wait(PAUSE)
            except Exception as error:  # noqa: BLE001 - anything that a locked read may not raise
                self._violation(f"settling {record['i']} raised {_shown(error)}")
                self._stop.wait(PAUSE * 10)
            else:
                self._log.write(self._writer, "settled", i=record["i"], rows=rows)
                return

    def _read(self, who: str, read: Callable[[], dict[str, Any]]) -> None:
        number = next(self._numbers)
        self._log.write(who, "reading", i=number)
        began = time.monotonic()
        try:
            found = read()
        except (Unavailable, TransientError):
            self._stop.wait(PAUSE)
        except Exception as error:  # noqa: BLE001 - a torn row, or an error that no read may raise
            self._violation(f"read {number} raised {_shown(error)}", who)
            self._stop.wait(PAUSE)
        else:
            self._log.write(who, "read", i=number, **found)
        self._check_duration(f"read {number}", began)

    def _check_duration(self, what: str, began: float) -> None:
        if (seconds := time.monotonic() - began) > LONGEST:
            self._violation(f"{what} took {seconds:.0f} s")

    def _violation(self, what: str, who: str | None = None) -> None:
        self._log.write(who or self._writer, "violation", what=what)


def _shown(error: Exception) -> str:
    if isinstance(error, Torn):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    return f"{type(error).__name__}: {error} ({places})"


def _obey(stop: threading.Event) -> None:
    """A byte says stop; where the pipe closes, the parent is gone, and so is everybody's use for this process."""
    while os.read(0, 1):
        stop.set()
    os._exit(0)


def main() -> None:
    """Runs one client."""
    settings = Settings(**json.loads(sys.argv[1]))
    if settings.broken is not None:
        breaks.install(settings.broken)
    stop = threading.Event()
    threading.Thread(target=_obey, args=(stop,), daemon=True).start()
    Worker(settings, stop).run()


if __name__ == "__main__":
    main()
