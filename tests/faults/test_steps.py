"""Every step of the protocol is a point at which the process is killed or frozen, or a server dies."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from platform_store.stores import base, bulk, documents, jobs, scratch
from tests.faults import circumstances, expected, frozen, steps
from tests.faults.bench import Bench, Circumstance, bench, killed_everywhere
from tests.faults.broken import without
from tests.faults.child import Work, call
from tests.faults.drivers import sent
from tests.faults.frozen import Rival, frozen_everywhere, nobody_waits, recover_frozen_everywhere
from tests.faults.maintenance import (
    RECOVER,
    Left,
    a_table,
    an_abandoned_intent,
    drop_killed_everywhere,
    pending_entries,
    recover_killed_everywhere,
)
from tests.faults.operations import (
    ALL,
    BLOCK,
    CARD,
    DELETE,
    JOURNALLED,
    OLD,
    PLACE,
    READS,
    ROWS_READ,
    TRANSACTION,
    UPDATE,
    WRITE,
    Operation,
    row,
)
from tests.faults.outage import server_killed_everywhere
from tests.faults.servers import Disposable
from tests.faults.stops import trace
from tests.servers.databases import fresh_mongodb_database, fresh_sql_database

AT_ONCE = 8  # frozen processes, each on databases of its own


@contextlib.contextmanager
def _on_empty_databases(sql_url: str, mongodb_url: str) -> Iterator[Bench]:
    with (
        fresh_sql_database(sql_url) as sql,
        fresh_mongodb_database(mongodb_url) as mongodb,
        bench(sql, mongodb) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def on_mysql(mysql_url: str, mongodb_url: str) -> Iterator[Bench]:
    """On the shared servers."""
    with _on_empty_databases(mysql_url, mongodb_url) as made:
        yield made


@pytest.fixture(scope="module")
def on_mariadb(mariadb_url: str, mongodb_url: str) -> Iterator[Bench]:
    """On the shared servers."""
    with _on_empty_databases(mariadb_url, mongodb_url) as made:
        yield made


@pytest.fixture(params=["mysql", "mariadb"])
def shared(request: pytest.FixtureRequest) -> Bench:
    """On the shared servers."""
    made: Bench = request.getfixturevalue(f"on_{request.param}")
    return made


@pytest.fixture(scope="module")
def several(mysql_url: str, mongodb_url: str) -> Iterator[list[Bench]]:
    """On databases of their own, all on the shared servers."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(_on_empty_databases(mysql_url, mongodb_url)) for _ in range(AT_ONCE)]


@pytest.fixture(scope="module")
def own(mysql_server: Disposable, mongodb_server: Disposable) -> Iterator[Bench]:
    """On servers that may be killed."""
    with _on_empty_databases(mysql_server.url, mongodb_server.url) as made:
        yield made


operations = pytest.mark.parametrize("operation", ALL, ids=lambda one: one.name)
leaving = pytest.mark.parametrize("left", [pending_entries, an_abandoned_intent])
in_circumstances = pytest.mark.parametrize("circumstance", circumstances.ALL)


class TestStepsAreKnown:
    """A step that is new, or comes at another place, is noticed here; below it is stopped at like all others."""

    @operations
    def test_of_changes_of_rows(self, shared: Bench, operation: Operation) -> None:
        for work in _twice(shared, operation):
            assert _steps(shared, work) == expected.STEPS[operation.name]

    @in_circumstances
    def test_of_a_write_otherwise(self, shared: Bench, circumstance: Circumstance) -> None:
        (block,) = shared.blocks(1)
        circumstance(shared)
        assert _steps(shared, WRITE.work(block)) == expected.STEPS[f"write, {circumstance.__name__}"]
        shared.reopen()

    def test_of_drop_table(self, shared: Bench) -> None:
        (block,) = shared.blocks(1)
        assert _steps(shared, call("drop_table", a_table(shared, block))) == expected.STEPS["drop_table"]

    @leaving
    def test_of_recover(self, shared: Bench, left: Left) -> None:
        (block,) = shared.blocks(1)
        left(shared, block)
        assert _steps(shared, RECOVER) == expected.STEPS[f"recover, {left.__name__}"]

    def test_every_method_of_the_stores_has_a_name(self) -> None:
        parts = {
            "rows": base.RowStore,
            "rows.transaction": base.RowTransaction,
            "rows.journal": base.JournalStore,
            "rows.jobs": jobs.JobStore,
            "rows.bulk": bulk.Tables,
            "documents.bulk": bulk.Collections,
            "documents": documents.DocumentStore,
            "documents.snapshot": scratch.DocumentSnapshot,
            "documents.latest": scratch.DocumentSnapshot,
            "documents.target": documents.DocumentTarget,
        }
        names = set()
        for way, protocol in parts.items():
            for name, method in inspect.getmembers(protocol, inspect.isfunction):
                if not name.startswith("_"):
                    names.add(f"{way}.{name}")
                    returned = str(inspect.signature(method).return_annotation)
                    if "AbstractContextManager" in returned or returned == "Taking":
                        names.add(f"{way}.{name}.exit")
        assert names == steps.KNOWN


class TestRoundTrips:
    @operations
    def test_of_changes_of_rows(self, shared: Bench, operation: Operation) -> None:
        first, second = _twice(shared, operation)
        first(shared.watcher)
        assert _round_trips(shared, second) == expected.ROUND_TRIPS[operation.name]

    @pytest.mark.parametrize("name", READS)
    def test_of_reads(self, shared: Bench, on_mariadb: Bench, name: str) -> None:
        first, second = shared.blocks(2)
        for block in (first, second):
            shared.watcher.write_many(CARD, [row(block * BLOCK + number, OLD) for number in range(1, ROWS_READ + 1)])
        shared.recover()
        READS[name](first)(shared.watcher)
        own = f"{name}, on MariaDB" if shared is on_mariadb else name
        wanted = expected.ROUND_TRIPS.get(own, expected.ROUND_TRIPS[name])
        assert _round_trips(shared, READS[name](second), all_threads=True) == wanted

    def test_of_a_read_of_what_waits(self, shared: Bench) -> None:
        (block,) = shared.blocks(1)
        JOURNALLED.work(block)(shared.watcher)
        assert _round_trips(shared, READS["read"](block)) == expected.ROUND_TRIPS["read, from the journal"]
        shared.recover()

    def test_of_drop_table(self, shared: Bench) -> None:
        (block,) = shared.blocks(1)
        assert _round_trips(shared, call("drop_table", a_table(shared, block))) == expected.ROUND_TRIPS["drop_table"]

    @leaving
    def test_of_recover(self, shared: Bench, left: Left) -> None:
        (block,) = shared.blocks(1)
        left(shared, block)
        assert _round_trips(shared, RECOVER) == expected.ROUND_TRIPS[f"recover, {left.__name__}"]


class TestKilled:
    """The process, at each step: what it did is whole or absent, before and after recover(), and can be done again."""

    @operations
    def test_at_every_step(self, on_mysql: Bench, operation: Operation) -> None:
        assert killed_everywhere(on_mysql, operation) == []

    @pytest.mark.parametrize("operation", [UPDATE, PLACE, TRANSACTION], ids=lambda one: one.name)
    def test_at_every_step_on_mariadb(self, on_mariadb: Bench, operation: Operation) -> None:
        assert killed_everywhere(on_mariadb, operation) == []

    @in_circumstances
    def test_at_every_step_of_a_write_otherwise(self, on_mariadb: Bench, circumstance: Circumstance) -> None:
        assert killed_everywhere(on_mariadb, WRITE, circumstance=circumstance) == []

    def test_at_every_step_of_drop_table(self, shared: Bench) -> None:
        assert drop_killed_everywhere(shared) == []

    @leaving
    def test_at_every_step_of_recover(self, shared: Bench, left: Left) -> None:
        assert recover_killed_everywhere(shared, left) == []


class TestFrozen:
    """The process, at each step, while another works on the same rows."""

    @pytest.mark.parametrize("rival", frozen.ALL)
    @pytest.mark.parametrize("operation", [WRITE, UPDATE, DELETE, PLACE, JOURNALLED], ids=lambda one: one.name)
    def test_at_every_step(self, several: list[Bench], operation: Operation, rival: Rival) -> None:
        outcome = frozen_everywhere(several, operation, rival)
        assert outcome.wrong == []
        assert outcome.passed  # where nothing is locked
        assert outcome.refused  # where something is

    @pytest.mark.parametrize("rival", frozen.ALL)
    def test_at_every_step_of_recover(self, several: list[Bench], rival: Rival) -> None:
        outcome = recover_frozen_everywhere(several, pending_entries, rival)
        assert outcome.wrong == []
        assert outcome.passed

    @pytest.mark.parametrize(
        "rival",
        [
            frozen.updates,
            frozen.deletes,
            frozen.recreates,
        ],
    )
    def test_at_every_step_of_recover_with_an_intent(self, several: list[Bench], rival: Rival) -> None:
        assert recover_frozen_everywhere(several, an_abandoned_intent, rival).wrong == []

    @pytest.mark.parametrize("operation", [UPDATE, PLACE], ids=lambda one: one.name)
    def test_nobody_waits_for_the_journal(self, shared: Bench, operation: Operation) -> None:
        assert nobody_waits(shared, operation, "rows.transaction.commit:before:1") == []


class TestServerKilled:
    """At each step: what was acknowledged is there, what was refused is not."""

    def test_mysql(self, own: Bench, mysql_server: Disposable) -> None:
        assert server_killed_everywhere(own, [WRITE, PLACE, TRANSACTION], mysql_server) == []

    def test_mongodb(self, own: Bench, mongodb_server: Disposable) -> None:
        def matters(step: str) -> bool:
            return step.startswith("documents.") or step.rpartition(".")[2] in ("transaction", "record", "commit")

        assert server_killed_everywhere(own, [WRITE, PLACE, TRANSACTION], mongodb_server, matters) == []


class TestTheHarnessNotices:
    """What is missing from the library when one of its protections is off."""

    @pytest.mark.parametrize(
        ("protection", "operation", "told"),
        [
            ("applied after the commit", UPDATE, "its document is of revision"),
            ("journal entry", WRITE, "its document is missing"),
            ("durable intent", PLACE, "a document without a row"),
        ],
        ids=lambda one: getattr(one, "name", None),
    )
    def test_killed(self, on_mariadb: Bench, protection: str, operation: Operation, told: str) -> None:
        assert told in "\n".join(killed_everywhere(on_mariadb, operation, around=without(protection)))

    def test_frozen(self, several: list[Bench]) -> None:
        outcome = frozen_everywhere(several, UPDATE, frozen.updates, around=without("guarded documents"))
        assert "its document is of revision" in "\n".join(outcome.wrong)


def _twice(bench: Bench, operation: Operation) -> list[Work]:
    blocks = bench.blocks(2)
    operation.prepare(bench.watcher, blocks)
    bench.recover()
    return [operation.work(block) for block in blocks]


def _steps(bench: Bench, work: Work) -> str:
    return expected.abbreviated(trace(bench.config, work).names)


def _round_trips(bench: Bench, work: Callable[[Any], object], *, all_threads: bool = False) -> tuple[int, int]:
    with sent(all_threads=all_threads) as counted:
        work(bench.watcher)
    print(*counted.sql, *counted.mongodb, sep="\n")  # shown where the number is another
    # A connection that was idle for a second is asked whether it is alive.
    return len([one for one in counted.sql if one != "PING"]), len(counted.mongodb)
