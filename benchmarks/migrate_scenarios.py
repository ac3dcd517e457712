"""Both directions of a migration: the ways to go, and the bars."""

from __future__ import annotations

import argparse
import datetime
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bson.decimal128 import Decimal128
from bson.raw_bson import RawBSONDocument
from pymysql.cursors import SSCursor

from benchmarks.harness import Prepared, Scenario, Size, Target, Unequal, Variant
from benchmarks.migrate_data import NAMES, TABLE, Source
from benchmarks.migrate_pages import PAGE, Task, ends, row_pages, run
from benchmarks.stats import Bar
from platform_store import Platform
from platform_store.config import MysqlConfig
from platform_store.records import Direction
from platform_store.stores.mysql import MysqlConnections

TO_MONGODB, TO_MYSQL = "to-mongodb", "to-mysql"
_DIRECTIONS: Mapping[str, Direction] = {TO_MONGODB: "mysql-to-mongodb", TO_MYSQL: "mongodb-to-mysql"}
PEERS = ("dlt", "omnidbm")
LIMIT, NAIVE, VERIFY = "limit of the server", "plain loop", "verify"
LIBRARY: Mapping[int, str] = {1: "library, 1 process", 2: "library, 2 processes"}
PAGES: Mapping[int, str] = {1: "its pages alone, 1 process", 2: "its pages alone, 2 processes"}
_BACK = "person_back"  # the collection, and the table that it becomes
_MONGODB_BAR, _MYSQL_BAR = Bar("at least", 0.45), Bar("at least", 0.40)
_NAIVE_BAR, _VERIFY_BAR = Bar("at least", 2.2), Bar("at least", 1.0)
_NAIVE_BATCH = 1000
_SIZE = Size(repetitions=5, calls=1)
_PEER_TIMEOUT = 1800.0  # seconds


@dataclass(frozen=True)
class Peer:
    """Another tool, in an environment of its own."""

    name: str
    python: str

    @classmethod
    def installed(cls) -> tuple[Peer, ...]:
        """Those that this interpreter has."""
        return tuple(cls(name, sys.executable) for name in PEERS if find_spec(name) is not None)

    @classmethod
    def parse(cls, text: str) -> Peer:
        name, separator, python = text.partition("=")
        if not separator or not Path(python).exists():
            raise argparse.ArgumentTypeError("NAME=PYTHON, an interpreter that is there")
        return cls(name, python)

    def run(self, direction: str, source: Source, target: str) -> None:
        """The whole process is timed, as a user would wait for it. Passwords go through the environment."""
        script = Path(__file__).with_name("migrate_peers.py")
        environment = {**os.environ, "PEER_MYSQL_URL": source.mysql_url, "PEER_MONGODB_URL": source.mongodb_url}
        subprocess.run(
            [self.python, script, self.name, direction, TABLE, target],
            env=environment,
            stdout=subprocess.DEVNULL,
            timeout=_PEER_TIMEOUT,
            check=True,
        )


@dataclass(frozen=True)
class Migration:
    """What the scenarios run on. The pool's processes are there before anything is timed; the library's are not."""

    source: Source
    platform: Platform
    pool: Executor
    peers: Sequence[Peer] = ()

    def library(self, direction: Direction, table: str, workers: int) -> None:
        """As a user calls it, without the comparison at its end: nobody else writes."""
        self.platform.migrate(table, direction, workers=workers, catch_up=False)

    def pages(self, direction: str, processes: int, target: str) -> object:
        task = Task(self.source.mysql_url, self.source.mongodb_url, target)
        return run(direction, task, processes, self.pool)


def _to_mongodb(migration: Migration, size: Size) -> Prepared:
    source, targets = migration.source, _names(migration) | dict.fromkeys(LIBRARY.values(), TABLE)
    with ends(source.mysql_url, source.mongodb_url) as stores:
        pages = list(row_pages(stores, stores.tables.layout(TABLE), None, None))

    def limit(_: object) -> None:
        """Documents that are ready, inserted as fast as PyMongo can."""
        for page in pages:
            if page:
                source.mongodb[targets[LIMIT]].insert_many([RawBSONDocument(one) for one in page], ordered=False)

    def count_and_clear(target: str) -> None:
        _check(target, source.mongodb[target].estimated_document_count(), source.rows)
        source.mongodb.drop_collection(target)

    calls: dict[str, Callable[[Any], object]] = {LIMIT: limit, NAIVE: lambda _: _naive(source, targets[NAIVE])}
    variants = _variants(migration, TO_MONGODB, targets, calls, count_and_clear)

    def check() -> None:
        migration.library("mysql-to-mongodb", TABLE, 2)
        with ends(source.mysql_url, source.mongodb_url) as stores:
            after: Any = None
            for page in pages:
                found = stores.collections.read(TABLE, after, None, None, PAGE)
                if found != page:
                    raise Unequal("the documents are not those of the table")
                after = RawBSONDocument(page[-1])["_id"] if page else None

    return Prepared(variants, lambda _: [None] * size.calls, check)


def _naive(source: Source, target: str) -> None:
    """What one writes first: a streaming cursor, a dict for each row, insert_many."""
    collection = source.mongodb[target]
    batch: list[dict[str, Any]] = []
    names = ("_id", *NAMES[1:])
    with source.connect() as connection, connection.cursor(SSCursor) as cursor:
        cursor.execute(f"SELECT * FROM {TABLE}")
        for row in cursor:
            document = dict(zip(names, row, strict=True))
            if document["balance"] is not None:
                document["balance"] = Decimal128(document["balance"])
            if document["born"] is not None:
                document["born"] = datetime.datetime.combine(document["born"], datetime.time())
            batch.append(document)
            if len(batch) == _NAIVE_BATCH:
                collection.insert_many(batch)
                batch = []
    if batch:
        collection.insert_many(batch)


def _to_mysql(migration: Migration, size: Size) -> Prepared:
    source, targets = migration.source, _names(migration) | dict.fromkeys(LIBRARY.values(), _BACK)
    migration.pages(TO_MONGODB, 1, TABLE)
    source.mongodb[TABLE].aggregate([{"$out": _BACK}])
    file = "".join(f"{line}\n" for line in _lines(source)).encode()
    theirs = {targets[peer.name] for peer in migration.peers}  # who make their tables themselves
    for target in set(targets.values()) - theirs:
        source.new_table(target)

    def limit(_: object) -> None:
        """A file that is ready, loaded in one statement."""
        connections = MysqlConnections(MysqlConfig.from_url(source.mysql_url))
        with connections.bulk() as session:
            session.upload(f"LOAD DATA LOCAL INFILE 'rows' INTO TABLE {targets[LIMIT]} CHARACTER SET utf8mb4", file)
        connections.close()

    def count_and_clear(target: str) -> None:
        _check(target, source.sql(f"SELECT COUNT(*) FROM {target}")[0][0], source.rows)
        if target in theirs:
            source.drop_tables(target, "\\_dlt%")  # what dlt notes there of its tables
        else:
            source.new_table(target)

    variants = _variants(migration, TO_MYSQL, targets, {LIMIT: limit}, count_and_clear)

    def check() -> None:
        migration.library("mongodb-to-mysql", _BACK, 2)
        ((_, first), (_, second)) = source.sql(f"CHECKSUM TABLE {TABLE}, {_BACK}")
        if first != second:
            raise Unequal("the rows are not those of the table")

    return Prepared(variants, lambda _: [None] * size.calls, check)


def _verify(migration: Migration, size: Size) -> Prepared:
    """Both sides of a migration that is done, against the migration (and the drop of what was there, a moment)."""

    def migrate(_: object) -> None:
        migration.source.mongodb.drop_collection(TABLE)
        migration.library("mysql-to-mongodb", TABLE, 2)

    def verify(_: object) -> None:
        found = migration.platform.verify(TABLE).found
        if found:
            raise Unequal(f"{found} rows differ")

    def check() -> None:
        migration.source.mongodb.drop_collection(TABLE)

    migrate(None)
    return Prepared((Variant(LIBRARY[2], migrate), Variant(VERIFY, verify)), lambda _: [None] * size.calls, check)


def _lines(source: Source) -> list[str]:
    """The table as LOAD DATA reads it by default: as CONCAT_WS writes it, NULL as \\N."""
    columns = ", ".join(f"IFNULL({name}, '\\\\N')" for name in NAMES)
    return [line for (line,) in source.sql(f"SELECT CONCAT_WS('\t', {columns}) FROM {TABLE} ORDER BY id")]


def _names(migration: Migration) -> dict[str, str]:
    """The target of each variant."""
    names = [LIMIT, NAIVE, *PAGES.values(), *(peer.name for peer in migration.peers)]
    return {name: f"target_{number}" for number, name in enumerate(names)}


def _variants(
    migration: Migration,
    direction: str,
    targets: Mapping[str, str],
    calls: Mapping[str, Callable[[Any], object]],
    settle: Callable[[str], None],
) -> list[Variant]:
    own = dict(calls)
    few = bool(migration.peers)  # which take long enough
    for processes, name in LIBRARY.items():
        if processes == max(LIBRARY) or not few:
            own[name] = partial(_call, partial(migration.library, _DIRECTIONS[direction], targets[name], processes))
    for processes, name in () if few else PAGES.items():
        own[name] = partial(_call, partial(migration.pages, direction, processes, targets[name]))
    for peer in migration.peers:
        own[peer.name] = partial(_call, partial(peer.run, direction, migration.source, targets[peer.name]))
    return [Variant(name, call, partial(settle, targets[name])) for name, call in own.items()]


def _call(function: Callable[[], object], _: object) -> object:
    return function()


def _check(target: str, found: int, expected: int) -> None:
    if found != expected:
        raise Unequal(f"{target} has {found} rows, not {expected}")


MIGRATE_SCENARIOS: Sequence[Scenario[Migration]] = (
    Scenario(
        TO_MONGODB,
        "a table of ten mixed columns from MySQL to MongoDB, against inserting documents that are ready",
        "rate",
        _SIZE,
        _to_mongodb,
        (Target(LIBRARY[2], _MONGODB_BAR, 5), Target(LIBRARY[2], _NAIVE_BAR, 5, against=NAIVE)),
    ),
    Scenario(
        TO_MYSQL,
        "the same from MongoDB to MySQL, against LOAD DATA of a file that is ready",
        "rate",
        _SIZE,
        _to_mysql,
        (Target(LIBRARY[2], _MYSQL_BAR, 5),),
    ),
    Scenario(
        "verify-migration",
        "both sides of a migration compared, against the migration",
        "rate",
        _SIZE,
        _verify,
        (Target(VERIFY, _VERIFY_BAR, 5),),
    ),
)
