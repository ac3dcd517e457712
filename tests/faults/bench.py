"""Two databases on which operations are stopped at their steps, and what is looked at afterwards.

Nothing is asserted here: what is wrong comes back in words, so that a test can also ask for it (a protection switched
off must be noticed).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import pymysql

from platform_store import Config, Platform, PlatformStoreError
from platform_store.config import JournalConfig
from tests.faults.child import Child, Work, call
from tests.faults.operations import CARD, COLUMNS, NEXT, SIDE, Operation, State, row
from tests.faults.servers import stores
from tests.faults.stops import trace
from tests.integration.conftest import Servers, plain

Around: TypeAlias = Callable[[Work], Work]
"""Makes other work of an operation's, such as work that breaks the library first."""

_COMMIT = "rows.transaction.commit:after:1"
_PATIENCE = 30.0  # seconds


class Bench:
    """Tables ``card`` and ``side``, and a Platform that watches (``watcher``); nobody looks after the journal."""

    def __init__(self, config: Config, servers: Servers):
        self.config, self.servers = config, servers
        self.watcher = Platform.open(config)
        self._block = 0

    def reopen(self) -> None:
        """Another Platform watches from now on; after a server was started anew, above all."""
        with contextlib.suppress(pymysql.Error):  # the server has closed it
            self.servers.mysql.close()
        self.servers.mysql.connect()
        self.watcher.close()
        self.watcher = Platform.open(self.config)

    def blocks(self, count: int) -> list[int]:
        """Numbers of blocks of keys that nobody has used."""
        self._block += count
        return list(range(self._block - count, self._block))

    def points(self, work: Work) -> list[tuple[str, bool]]:
        """Where ``work`` can be made to stand still, and whether it is done there: once between two steps."""
        stops = trace(self.config, work).stops()
        return _from(_COMMIT, stops, [stop for stop in stops if ":before:" in stop or stop == stops[-1]])

    def kills(self, work: Work, done_from: str = _COMMIT) -> list[tuple[str, bool]]:
        """Where ``work`` can be killed, and whether it is done there: from ``done_from`` on."""
        traced = trace(self.config, work)
        return _from(done_from, traced.stops(), traced.kills())

    def kill_at(self, work: Work, stop: str) -> None:
        """Runs ``work`` in a process that is killed there."""
        with self.servers.outlived(), Child(self.config, work, stop_at=stop) as child:
            child.wait_until_stopped()

    def recover(self) -> None:
        """Until nothing is left: a server that was started anew may not have everything at once. Raises Stuck."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            self.watcher.recover()
            ((left,),) = self.servers.sql("SELECT COUNT(*) FROM platform_store_journal")
            if not left:
                return
            if time.monotonic() > deadline:
                raise Stuck(f"recover() leaves {left} entries in the journal")
            time.sleep(0.02)

    def mend(self) -> None:
        """Finishes a drop of the table that was given up half-way."""
        if attempt(call("read", CARD, 0), self.watcher) == "SchemaError":
            self.watcher.drop_table(CARD)
            self.watcher.create_table(CARD, COLUMNS, flag=1)

    def purge(self) -> None:
        """Removes the tombstones of every age."""
        assert self.watcher._reaper is not None
        self.watcher._reaper._sweeper.purge([CARD], 0.0)

    # What is looked at

    def wrong(self, what: str, state: State) -> list[str]:
        """How the rows, as the library reads them, differ from ``state``."""
        try:
            found = self.read(state)
        except (PlatformStoreError, Torn) as error:
            return [f"{what}: {type(error).__name__}: {error}"]
        return [f"{what}: {_difference(found, state)}"] if found != state else []

    def read(self, state: State) -> State:
        """The versions of the rows of ``state``, each read by its key and in a scan. Raises Torn."""
        found: State = {}
        for table in dict.fromkeys(table for table, _ in state):
            keys = sorted(key for its, key in state if its == table)
            rows = self.watcher.read_many(table, keys)
            scanned = [one for one in self.watcher.scan(table, keys[0], keys[-1]) if one["id"] in keys]
            sought = self.watcher.find(table, {"id": keys})
            if not scanned == sought == [one for one in rows if one is not None]:
                raise Torn(f"read_many(), scan() and find() differ on {table}")
            for key, one in zip(keys, rows, strict=True):
                if one is not None and one != row(key, int(str(one["n"]))):
                    raise Torn(f"{table} {key}: {one}")
                found[table, key] = None if one is None else int(str(one["n"]))
        return found

    def disagreements(self, state: State, *, orphans: bool = False) -> list[str]:
        """How the two databases differ on the rows of ``state``, seen past the library.

        ``orphans``: a document without a row is no disagreement.
        """
        wrong = []
        for table in dict.fromkeys(table for table, _ in state):
            keys = sorted(key for its, key in state if its == table)
            rows = {
                key: (n, revision)
                for key, n, revision in self.servers.sql(
                    f"SELECT id, n, _rev FROM {table} WHERE id BETWEEN {keys[0]} AND {keys[-1]}"
                )
            }
            found = self.servers.mongodb[table].find({"_id": {"$gte": keys[0], "$lte": keys[-1]}})
            documents = {document["_id"]: document for document in found}
            for key, (n, revision) in rows.items():
                document = documents.get(key, {})
                if (document.get("_rev"), document.get("word"), "_deleted" in document) != (revision, f"v{n}", False):
                    wrong.append(f"{table} {key}: the row is {n} of revision {revision}, its document {document}")
            wrong += [
                f"{table} {key}: a document without a row: {document}"
                for key, document in documents.items()
                if key not in rows and "_deleted" not in document and not orphans
            ]
        return wrong

    def settled(self, what: str, state: State, *, orphans: bool = False) -> list[str]:
        """What is wrong once everything is recovered."""
        try:
            self.recover()
        except (PlatformStoreError, Stuck) as error:
            return [f"{what}: {type(error).__name__}: {error}"]
        wrong = self.wrong(what, state)
        return wrong or [f"{what}: {one}" for one in self.disagreements(state, orphans=orphans)]

    def replaced(self, what: str, state: State) -> list[str]:
        """What is wrong after a newer version of every row of ``state``."""
        for table in dict.fromkeys(table for table, _ in state):
            rows = [row(key, NEXT) for its, key in state if its == table]
            said = attempt(call("write_many", table, rows, on_conflict="replace"), self.watcher)
            if isinstance(said, str):
                return [f"{what}: {said}"]
        return self.settled(what, dict.fromkeys(state, NEXT))


WriteConcern: TypeAlias = Literal["majority"] | int
Circumstance: TypeAlias = Callable[[Bench], None]
"""Puts the databases into a state in which an operation takes other steps."""


class Torn(Exception):
    """A row is of two versions at once."""


class Stuck(Exception):
    """Something stays in the journal."""


@contextlib.contextmanager
def bench(mysql: str, mongodb: str, *, write_concern: WriteConcern = 1, lock_wait: int = 1) -> Iterator[Bench]:
    """On empty databases. Nobody waits for a lock for longer than ``lock_wait`` seconds."""
    config = stores(mysql, mongodb)
    assert config.mysql is not None
    assert config.mongodb is not None
    config = replace(
        config,
        mysql=replace(config.mysql, lock_wait_timeout=lock_wait),
        mongodb=replace(config.mongodb, write_concern=write_concern),
        journal=JournalConfig(reaper=False),
    )
    with plain(mysql, mongodb) as servers:
        made = Bench(config, servers)
        try:
            for table in (CARD, SIDE):
                made.watcher.create_table(table, COLUMNS, flag=1)
            made.watcher.write(CARD, row(0, 0))  # the first write of all agrees on things that the others find
            made.recover()
            yield made
        finally:
            made.watcher.close()


def attempt(work: Work, platform: Platform) -> object:
    """The result of ``work``, or the name of the library's error that it raises."""
    try:
        result: Any = work(platform)
    except PlatformStoreError as error:
        return type(error).__name__
    return getattr(result, "inserted", result)


def killed_everywhere(
    bench: Bench,
    operation: Operation,
    *,
    around: Around = lambda work: work,
    circumstance: Circumstance = lambda bench: None,
) -> list[str]:
    """Kills the operation at each of its steps; what was wrong, and where."""
    (first,) = bench.blocks(1)
    operation.prepare(bench.watcher, [first])
    bench.recover()
    circumstance(bench)
    points = bench.kills(around(operation.work(first)))
    blocks = bench.blocks(len(points))
    operation.prepare(bench.watcher, blocks)
    bench.recover()
    wrong = []
    for block, (stop, done) in zip(blocks, points, strict=True):
        circumstance(bench)
        bench.kill_at(around(operation.work(block)), stop)
        found = _after_kill(bench, operation, block, done)
        wrong += [f"{operation.name} killed at {stop}: {one}" for one in found]
    return wrong


def _after_kill(bench: Bench, operation: Operation, block: int, done: bool) -> list[str]:
    state, after = operation.state(block, done=done), operation.state(block, done=True)
    wrong = bench.wrong("before recover()", state)
    wrong += bench.settled("after recover()", state)
    wanted, result = operation.expected(block, state), attempt(operation.work(block), bench.watcher)
    if result != wanted:
        wrong.append(f"done again: {result}, not {wanted}")
    wrong += bench.settled("done again", after)
    return wrong + bench.replaced("replaced", after)


def _from(done_from: str, stops: Sequence[str], chosen: Sequence[str]) -> list[tuple[str, bool]]:
    done = stops.index(done_from) if done_from in stops else len(stops)
    return [(stop, stops.index(stop) >= done) for stop in chosen]


def _difference(found: State, wanted: State) -> str:
    differing = [row for row in wanted if found[row] != wanted[row]]
    return ", ".join(f"{table} {key} is {found[table, key]}, not {wanted[table, key]}" for table, key in differing)
