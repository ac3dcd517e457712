"""One run: servers, clients, faults, and the judgement at the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from platform_store import Platform, PlatformStoreError, TransientError, Unavailable
from tests.servers.private import MariaDB, MongoDB, MySQL, Server
from tests.torture import guard, model, raw
from tests.torture.check import Checker
from tests.torture.clients import Clients
from tests.torture.killer import Killer, schedule
from tests.torture.log import Log, Record, records, unsettled
from tests.torture.perform import locked_rows
from tests.torture.reading import CLIENTS, final_reads
from tests.torture.rows import Torn, create_tables
from tests.torture.worker import Settings, open_platform

RECOVER_SECONDS, SETTLE_SECONDS = 120.0, 60.0
WHO = "final"


@dataclass(frozen=True)
class Options:
    """What to run. Every choice comes from ``seed``; when it happens does not."""

    seed: int
    seconds: float
    pause: float  # of a client between two operations
    mariadb: bool = False
    broken: str | None = None
    faults: bool = True
    strict_orphans: bool = False


@dataclass(frozen=True)
class Outcome:
    """Everything that was wrong, and one line of counts."""

    violations: list[str]
    counts: str


def run(options: Options, directory: Path) -> Outcome:
    """Runs in a directory of its own, where the log stays. The servers are ended by the directory's guard."""
    servers = _servers(options, directory / guard.SERVERS)
    with ThreadPoolExecutor(len(servers)) as pool:
        started = dict(zip(servers, pool.map(lambda server: server.ensure(), servers.values()), strict=True))
    print(", ".join(f"{name} {version}" for name, (_, version) in started.items()), flush=True)
    urls = {name: servers[name].url(state) for name, (state, _) in started.items()}
    path = directory / "log"
    log = Log(path)

    def settings(slot: int, life: int) -> Settings:
        seed = f"{options.seed} {slot} {life}"
        return Settings(slot, life, seed, urls["mysqld"], urls["mongod"], str(path), options.pause, options.broken)

    with open_platform(settings(0, 0)) as platform:
        create_tables(platform)
    clients = Clients(CLIENTS, settings, directory, log)
    killer = Killer(clients, servers, log)
    try:
        faults = schedule(Random(options.seed), CLIENTS, list(servers)) if options.faults else iter(())
        killer.run(faults, options.seconds)
        clients.end()
    finally:
        clients.kill_all()
        killer.close()
    with open_platform(settings(0, 0)) as platform:
        _look(platform, path, log)
    found = raw.inspect(urls["mysqld"], urls["mongod"])
    checker = Checker()
    checker.feed(records(path))
    violations = [*checker.finish(), *found.violations]
    if options.strict_orphans and found.orphans:
        violations.append(f"{found.orphans} documents have no row")
    return Outcome(violations, _counts(options, checker, killer.done, found, len(violations)))


def _servers(options: Options, home: Path) -> dict[str, Server]:
    return {"mysqld": MariaDB(home) if options.mariadb else MySQL(home), "mongod": MongoDB(home)}


def _look(platform: Platform, path: Path, log: Log) -> None:
    """Settles what is uncertain, and reads everything before ``recover()`` and after."""
    for slot in range(CLIENTS):
        record = unsettled(path, str(slot))
        if record is not None:
            _or_violation(log, lambda record=record: _settle(platform, log, record))  # type: ignore[misc]
    _read_everything(platform, log, first=-2000)
    _or_violation(log, lambda: _recover(platform, log))
    _read_everything(platform, log, first=-1000)


def _settle(platform: Platform, log: Log, record: Record) -> None:
    if places := model.own_places(record["changes"]):
        log.write(record["w"], "settled", i=record["i"], rows=locked_rows(platform, places))


def _recover(platform: Platform, log: Log) -> None:
    deadline = time.monotonic() + RECOVER_SECONDS
    while platform.recover().remaining and time.monotonic() < deadline:
        pass
    if left := platform.status().pending_entries:
        log.write(WHO, "violation", what=f"{left} journal entries are left after recover()")


def _read_everything(platform: Platform, log: Log, *, first: int) -> None:
    def look(read: Callable[[Platform], dict[str, Any]], number: int) -> None:
        log.write(WHO, "reading", i=number)
        log.write(WHO, "read", i=number, **read(platform))

    for number, read in enumerate(final_reads(), first):
        _or_violation(log, lambda read=read, number=number: look(read, number))  # type: ignore[misc]


def _or_violation(log: Log, work: Callable[[], None]) -> None:
    """Both servers run, and nobody else works on them: whatever is raised now is a violation."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        try:
            return work()
        except (Unavailable, TransientError) as error:  # MongoDB may still be choosing its primary
            said = str(error)
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)
        except (PlatformStoreError, Torn) as error:
            said = f"{type(error).__name__}: {error}"
            break
    log.write(WHO, "violation", what=said)
    return None


def _counts(options: Options, checker: Checker, faults: Counter[str], found: raw.Raw, violations: int) -> str:
    acknowledged = f"{sum(checker.acknowledged.values())} acknowledged ({_listed(checker.acknowledged)})"
    return "; ".join(
        [
            f"seed {options.seed}: {acknowledged}",
            f"failed: {_listed(checker.failed)}",
            f"{checker.uncertain} uncertain",
            f"{checker.reads} rows read and checked",
            f"faults: {_listed(faults)}",
            f"{found.rows} rows compared with their documents",
            f"orphans {found.orphans}",
            f"violations {violations}",
        ]
    )


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items())) or "none"
