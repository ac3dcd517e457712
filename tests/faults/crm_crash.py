"""A service of the CRM is killed at each of its steps: it is whole or absent, in both stores, and can be done again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from crm_model import Crm, install
from platform_store import PlatformStoreError
from tests.contract.crm import make
from tests.faults.bench import Around, Bench, Stuck, WriteConcern, bench
from tests.faults.child import Work
from tests.faults.steps import Stop
from tests.servers.databases import fresh_mongodb_database, fresh_sql_database


@dataclass(frozen=True)
class CrmOperation:
    """A service, and how to see what it has done.

    prepare: makes the rows that it works on, new ones each time, and returns what names them; work: on these; look: all
    that there is of them, with nothing in it that differs from time to time (ids, moments). tables: those it writes.
    """

    name: str
    prepare: Callable[[Crm], Any]
    work: Callable[[Any], Work]
    look: Callable[[Crm, Any], object]
    tables: Sequence[str]


@contextlib.contextmanager
def crm_bench(
    sql_url: str, mongodb_url: str, tables: Sequence[str], *, write_concern: WriteConcern = 1
) -> Iterator[Bench]:
    """On empty databases with these tables of the CRM, those of customers and the audit log among them.

    ``write_concern``: "majority" for services that bring the journal to MongoDB themselves: otherwise it depends on how
    soon a majority has the documents whether they bring them once or twice.
    """
    with (
        fresh_sql_database(sql_url) as sql,
        fresh_mongodb_database(mongodb_url) as mongodb,
        bench(sql, mongodb, write_concern=write_concern) as made,
    ):
        install(made.watcher, tables)
        make.customer(Crm(made.watcher, 1))  # the first write of all takes steps of its own
        made.recover()
        yield made


READS = frozenset(
    f"rows.transaction.{name}"
    for name in ("fence", "savepoint", "savepoint.exit", "search", "lock", "fetch", "awaited")
) | {"documents.target.refused"}
"""Steps that change nothing: to be killed before one of them is to be killed before the next that does."""


def crm_killed_everywhere(
    bench: Bench,
    operation: CrmOperation,
    *,
    around: Around = lambda work: work,
    skipped: Collection[str] = (),
) -> list[str]:
    """Kills the service at each of its steps; what was wrong, and where. ``skipped``: names of steps left out."""
    crm = Crm(bench.watcher, 1)
    recorded, tried = operation.prepare(crm), operation.prepare(crm)
    points = [
        (stop, done)
        for stop, done in bench.points(around(operation.work(recorded)))
        if Stop.parse(stop).name not in skipped
    ]
    before = operation.look(crm, tried)
    operation.work(tried)(bench.watcher)
    after = operation.look(crm, tried)
    assert before != after
    subjects = [operation.prepare(crm) for _ in points]
    bench.recover()
    wrong = []
    for subject, (stop, done) in zip(subjects, points, strict=True):
        bench.kill_at(around(operation.work(subject)), stop)
        found = _after_kill(bench, operation, subject, after if done else before, after)
        wrong += [f"{operation.name} killed at {stop}: {one}" for one in found]
    return wrong


def _after_kill(bench: Bench, operation: CrmOperation, subject: Any, wanted: object, after: object) -> list[str]:
    wrong = _differences(bench, operation, subject, "before recover()", wanted)
    wrong += _settled(bench, operation, subject, "after recover()", wanted)
    try:
        operation.work(subject)(bench.watcher)
    except PlatformStoreError as error:
        return [*wrong, f"done again: {type(error).__name__}: {error}"]
    return wrong + _settled(bench, operation, subject, "done again", after)


def _differences(bench: Bench, operation: CrmOperation, subject: Any, what: str, wanted: object) -> list[str]:
    try:
        found = operation.look(Crm(bench.watcher, 1), subject)
    except PlatformStoreError as error:
        return [f"{what}: {type(error).__name__}: {error}"]
    return [] if found == wanted else [f"{what}: {found}, not {wanted}"]


def _settled(bench: Bench, operation: CrmOperation, subject: Any, what: str, wanted: object) -> list[str]:
    try:
        bench.recover()
    except (PlatformStoreError, Stuck) as error:
        return [f"{what}: {type(error).__name__}: {error}"]
    wrong = _differences(bench, operation, subject, what, wanted)
    return wrong + [f"{what}: {one}" for table in operation.tables for one in disagreements(bench, table)]


def disagreements(bench: Bench, table: str) -> list[str]:
    """How the halves of a table differ in their revisions, seen past the library."""
    rows = dict(bench.servers.sql(f"SELECT id, _rev FROM {table} WHERE _rev > 0"))
    documents = {
        one["_id"]: one.get("_rev")
        for one in bench.servers.mongodb[table].find({}, {"_rev": 1, "_deleted": 1})
        if "_deleted" not in one
    }
    return [
        f"{table} {key}: the row is of revision {rows.get(key)}, its document of {documents.get(key)}"
        for key in sorted(rows.keys() | documents.keys())
        if rows.get(key) != documents.get(key)
    ]
