"""What a client sees while something happens to the stores: a column moves, MongoDB is down and comes back.

One client, a process of its own, does the same call over and over and notes when and how long. Before, meanwhile and
afterwards are the variants: before is the baseline.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from benchmarks.data import COLUMNS, FLAG, customer, customers, profile
from benchmarks.harness import Call, Scenario, Seen, Size, Trials, Unequal
from benchmarks.scenarios import draw_of
from benchmarks.sides import TABLE
from benchmarks.stats import Block
from platform_store import Platform
from platform_store.records import Placement
from tests.faults import servers
from tests.servers.databases import fresh_mongodb_database, fresh_sql_database

Kind: TypeAlias = Literal["read", "update", "write"]
Pipe: TypeAlias = "Connection[Any, Any]"

BEFORE, MOVING, AFTER, DOWN = "before", "while it moves", "after", "while MongoDB is down"
COLUMN: Final = "notes"
DRAINED, ENTRIES, MOVED = "seconds to drain", "entries to drain", "rows moved in a second, to"
LONGEST: Final = "ms of the longest call meanwhile"
_CONTEXT = get_context("forkserver")
_TIMEOUT = 120.0


@dataclass(frozen=True)
class Pair:
    """Servers for one scenario. ``mongodb`` may be killed where it is one of its own."""

    mysql_url: str
    mongodb_url: str
    mongodb: servers.Disposable | None = None

    def platform(self) -> Platform:
        return Platform.open(mysql=self.mysql_url, mongodb=self.mongodb_url)


@contextlib.contextmanager
def shared(mysql_url: str, mongodb_url: str) -> Iterator[Pair]:
    """Empty databases on the servers given."""
    with fresh_sql_database(mysql_url) as mysql, fresh_mongodb_database(mongodb_url) as mongodb:
        yield Pair(mysql, mongodb)


@contextlib.contextmanager
def own_mongodb(mysql_url: str) -> Iterator[Pair]:
    """An empty database of the MySQL given, and a MongoDB that nobody else uses."""
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.mongodb(Path(folder)) as mongodb,
        fresh_sql_database(mysql_url) as mysql,
    ):
        yield Pair(mysql, mongodb.url, mongodb)


def move_under_load(kind: Kind, about: str, rows: int, seconds: float) -> Scenario[Pair]:
    """A column moves to MySQL and back, in turn, while a client reads or updates rows of the table."""

    def prepare(pair: Pair, _: Size) -> Trials:
        seen = Seen()
        _fill(pair, rows)

        def repeat(number: int) -> dict[str, Block]:
            to: Placement = "mongodb" if number % 2 else "mysql"
            with pair.platform() as platform:
                platform.recover()  # what the last move has left in the journal would be read faster
            with client(pair, kind, rows) as stop, pair.platform() as platform:
                time.sleep(seconds)
                begun = time.perf_counter()
                platform.move_column(TABLE, COLUMN, to)
                ended = time.perf_counter()
                time.sleep(seconds)
                calls = stop()
            seen.note(number, f"{MOVED} {to}", rows / (ended - begun))
            seen.note(number, LONGEST, longest(calls, begun, ended) * 1e3)
            seen.draw(calls, {"the move begins": begun, "the move ends": ended})
            return phases(calls, {BEFORE: begun, MOVING: ended, AFTER: float("inf")})

        def check() -> None:
            with pair.platform() as platform:
                if not platform.verify(TABLE).ok:
                    raise Unequal("the table is not whole after the moves")

        return Trials((BEFORE, MOVING, AFTER), repeat, check, seen)

    return Scenario(f"move-column-{kind}", about, "p50", Size(5, 1, table_rows=rows), prepare)


def outage(seconds: float, down: float) -> Scenario[Pair]:
    """MongoDB is killed under a client that writes, and started again; what waits is brought by the library itself.

    ``down`` is to be more than the ``apply_timeout`` of a configuration: so long a call waits that was under way.
    """

    def prepare(pair: Pair, _: Size) -> Trials:
        seen, mongodb = Seen(), pair.mongodb
        assert mongodb is not None, "the servers that others use are not killed"
        _fill(pair, 1)

        def repeat(number: int) -> dict[str, Block]:
            with pair.platform() as platform, client(pair, "write", (number + 1) * 1_000_000) as stop:
                time.sleep(seconds)
                killed = time.perf_counter()
                mongodb.kill()
                time.sleep(down)
                mongodb.start()
                back = time.perf_counter()
                seen.note(number, ENTRIES, float(platform.status().pending_entries))
                seen.note(number, DRAINED, _drained(platform, back))
                time.sleep(seconds)
                calls = stop()
            seen.note(number, LONGEST, longest(calls, killed, back) * 1e3)
            seen.draw(calls, {"MongoDB is killed": killed, "MongoDB is back": back})
            return phases(calls, {BEFORE: killed, DOWN: back, AFTER: float("inf")})

        return Trials((BEFORE, DOWN, AFTER), repeat, seen=seen)

    about = "one new row, before MongoDB is killed, until it is back, and afterwards"
    return Scenario("outage", about, "p50", Size(5, 1), prepare)


def phases(calls: Sequence[Call], ends: Mapping[str, float]) -> dict[str, Block]:
    """The calls by the phase that they begin in; ``ends`` are in order. Raises Unequal where one has none."""
    own: dict[str, list[float]] = {name: [] for name in ends}
    for at, seconds in calls:
        own[next(name for name, end in ends.items() if at < end)].append(seconds)
    if missing := [name for name, times in own.items() if not times]:
        raise Unequal(f"no call began {' and '.join(missing)}")
    return {name: Block(tuple(times), len(times)) for name, times in own.items()}


def longest(calls: Sequence[Call], begin: float, end: float) -> float:
    """Seconds of the longest call that was under way in that time: the one that waits may have begun before it."""
    return max(seconds for at, seconds in calls if at < end and at + seconds > begin)


@contextlib.contextmanager
def client(pair: Pair, kind: Kind, number: int) -> Iterator[Callable[[], list[Call]]]:
    """A client at work until the function is called, which returns its calls. It is gone at the end."""
    ours, theirs = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=_work, args=(theirs, pair.mysql_url, pair.mongodb_url, kind, number), daemon=True)
    process.start()
    theirs.close()

    def stop() -> list[Call]:
        ours.send("stop")
        calls: list[Call] = _received(ours)
        return calls

    try:
        _received(ours)  # it has begun
        yield stop
    finally:
        ours.close()
        process.join(1.0)
        process.kill()
        process.join()


def _received(pipe: Pipe) -> Any:
    if not pipe.poll(_TIMEOUT):
        raise TimeoutError(f"nothing from the client within {_TIMEOUT:.0f} s")
    return pipe.recv()


def _fill(pair: Pair, rows: int) -> None:
    with pair.platform() as platform:
        if TABLE in platform.tables():
            platform.drop_table(TABLE)
        platform.create_table(TABLE, COLUMNS, flag=FLAG)
        platform.write_many(TABLE, customers(1, rows))
        platform.recover()


def _drained(platform: Platform, back: float) -> float:
    """Seconds until nothing waits that was written before MongoDB was back."""
    while True:
        oldest, since = platform.status().oldest_pending_seconds, time.perf_counter() - back
        if oldest is None or oldest < since:
            return since
        if since > _TIMEOUT:
            raise TimeoutError("the journal is not drained")
        time.sleep(0.02)


def _work(pipe: Pipe, mysql_url: str, mongodb_url: str, kind: Kind, number: int) -> None:
    """What a client does: ``number`` is how many rows there are, or the first new key of one that writes."""
    with Platform.open(mysql=mysql_url, mongodb=mongodb_url) as platform:
        call, calls = _call(platform, kind, number), list[Call]()
        for _ in range(20):
            call()
        pipe.send("begun")
        while not pipe.poll():
            begun = time.perf_counter()
            call()
            calls.append((begun, time.perf_counter() - begun))
        pipe.send(calls)


def _call(platform: Platform, kind: Kind, number: int) -> Callable[[], object]:
    draw, keys = draw_of(number), count(number)
    if kind == "read":
        return lambda: platform.read(TABLE, draw.randint(1, number))
    if kind == "update":
        return lambda: platform.update(TABLE, draw.randint(1, number), {"profile": profile(draw)})
    return lambda: platform.write(TABLE, customer(next(keys)))
