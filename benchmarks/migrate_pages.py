"""What a migration's workers do, without the rest of a migration: pages of one range from one store to the other.

While a page is written by a thread, the next one is read.
"""

from __future__ import annotations

import contextlib
import gc
import resource
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import bson

from benchmarks.migrate_data import TABLE
from platform_store.association import KeyValues
from platform_store.config import MongodbConfig, MysqlConfig
from platform_store.halves import CODEC_OPTIONS, identifier_of
from platform_store.stores.bulk import Layout
from platform_store.stores.mongodb_bulk import MongoCollections
from platform_store.stores.mongodb_driver import MongoConnections
from platform_store.stores.mysql import MysqlConnections
from platform_store.stores.mysql_bulk_target import MysqlTables

PAGE = 5000
_Write = Callable[[Sequence[bytes]], object]


@dataclass(frozen=True)
class Task:
    """A range from one store to a target in the other; ``after`` excluded, ``stop`` included, None is open."""

    mysql_url: str
    mongodb_url: str
    target: str
    after: Any = None
    stop: Any = None


@dataclass(frozen=True)
class Ends:
    """Both stores, for one worker."""

    tables: MysqlTables
    collections: MongoCollections


@contextlib.contextmanager
def ends(mysql_url: str, mongodb_url: str) -> Iterator[Ends]:
    rows = MysqlConnections(MysqlConfig.from_url(mysql_url))
    documents = MongoConnections(MongodbConfig.from_url(mongodb_url))
    try:
        yield Ends(MysqlTables(rows), MongoCollections(documents))
    finally:
        rows.close()
        documents.close()


def warm() -> None:
    """Once in each process, before it is timed: what is imported by now is no garbage."""
    gc.freeze()


def to_mongodb(task: Task) -> int:
    """The range of the source table to the collection ``target``; the process's peak memory in bytes."""
    with ends(task.mysql_url, task.mongodb_url) as stores:
        layout = stores.tables.layout(TABLE)
        pages = row_pages(stores, layout, task.after, task.stop)
        _written(pages, lambda documents: stores.collections.put(task.target, documents, fresh=True))
    return _peak()


def to_mysql(task: Task) -> int:
    """The range of the collection to the table ``target``."""
    with ends(task.mysql_url, task.mongodb_url) as stores:
        layout = stores.tables.layout(task.target)
        pages = document_pages(stores, task.after, task.stop)
        _written(pages, lambda documents: _loaded(stores, layout, documents))
    return _peak()


def row_pages(stores: Ends, layout: Layout, after: KeyValues | None, stop: KeyValues | None) -> Iterator[list[bytes]]:
    while True:
        page = stores.tables.read(layout, after, None, stop, PAGE)
        yield page.documents
        if page.last is None:
            return
        after = page.last


def document_pages(stores: Ends, after: Any, stop: Any) -> Iterator[list[bytes]]:
    while documents := stores.collections.read(TABLE, after, None, stop, PAGE):
        yield documents
        after = identifier_of(documents[-1])


def _loaded(stores: Ends, layout: Layout, documents: Sequence[bytes]) -> None:
    rows: list[Any] = bson.decode_all(b"".join(documents), CODEC_OPTIONS)
    stores.tables.load(layout, rows, clear=None)


def _written(pages: Iterator[list[bytes]], write: _Write) -> None:
    with ThreadPoolExecutor(1) as writer:
        writing: Future[object] | None = None
        for page in pages:
            if writing is not None:
                writing.result()
            writing = writer.submit(write, page)
        if writing is not None:
            writing.result()


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def divided(direction: str, task: Task, parts: int) -> list[Task]:
    """The same task for several processes."""
    if parts == 1:
        return [task]
    with ends(task.mysql_url, task.mongodb_url) as stores:
        borders: list[Any]
        if direction == "to-mongodb":
            borders = list(stores.tables.borders(stores.tables.layout(TABLE), None, None, parts))
        else:
            borders = stores.collections.bounds(TABLE, None, None, parts)
    bounds = zip([None, *borders], [*borders, None], strict=True)
    return [replace(task, after=after, stop=stop) for after, stop in bounds]


def run(direction: str, task: Task, processes: int, pool: Executor) -> int:
    """All of it, in so many processes of the pool; the sum of their peak memory."""
    work = to_mongodb if direction == "to-mongodb" else to_mysql
    return sum(pool.map(work, divided(direction, task, processes)))
