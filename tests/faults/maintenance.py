"""Killed at every step: what drops a table, and what recovers. Rows and documents are as :mod:`operations` has them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

from platform_store import Platform, PlatformStoreError
from tests.faults.bench import Bench, attempt
from tests.faults.child import call
from tests.faults.operations import CARD, COLUMNS, NEW, OLD, PLACE, WRITE, State, row

Left: TypeAlias = Callable[[Bench, int], State]
"""Leaves something to recover in a block of keys; the rows as they are, before and after."""

RECOVER = call("recover")
_DROPPING = "rows.put_association:after:1"  # from here on it is to be finished


def drop_killed_everywhere(bench: Bench) -> list[str]:
    """Kills ``drop_table`` at each of its steps; what was wrong, and where."""
    (block,) = bench.blocks(1)
    wrong = []
    for stop, begun in bench.kills(call("drop_table", a_table(bench, block)), _DROPPING):
        (block,) = bench.blocks(1)
        table = a_table(bench, block)
        bench.kill_at(call("drop_table", table), stop)
        found = _after_drop(bench, table, begun)
        wrong += [f"drop_table killed at {stop}: {one}" for one in found]
    return wrong


def _after_drop(bench: Bench, table: str, begun: bool) -> list[str]:
    intact: State = {(table, 1): OLD, (table, 2): OLD}
    if begun:
        said = attempt(call("read", table, 1), bench.watcher)
        wrong = [] if said == "SchemaError" else [f"before it is finished: read() says {said}"]
    else:
        wrong = bench.wrong("before recover()", intact)
    bench.recover()
    if not begun:
        wrong += bench.settled("after recover()", intact)
    with contextlib.suppress(PlatformStoreError):  # it was finished already
        bench.watcher.drop_table(table)
    left = bench.servers.sql(f"SHOW TABLES LIKE '{table}'")
    if left or table in bench.servers.mongodb.list_collection_names():
        wrong.append("dropped again: a part of it is left")
    bench.watcher.create_table(table, COLUMNS, flag=1)
    gone: State = dict.fromkeys(intact, None)
    wrong += bench.settled("made anew", gone)
    wrong += bench.replaced("written anew", intact)
    bench.watcher.drop_table(table)
    return wrong


def a_table(bench: Bench, block: int) -> str:
    """A table of two rows, the document of one still in the journal."""
    name = f"t{block}"
    bench.watcher.create_table(name, COLUMNS, flag=1)
    bench.watcher.write(name, row(1, OLD))
    bench.watcher.recover()
    bench.watcher.write(name, row(2, OLD))
    return name


def recover_killed_everywhere(bench: Bench, prepare: Left) -> list[str]:
    """Kills ``recover`` at each of its steps, while there is what ``prepare`` left; what was wrong, and where."""
    (block,) = bench.blocks(1)
    prepare(bench, block)
    wrong = []
    for stop, _ in bench.kills(RECOVER):
        (block,) = bench.blocks(1)
        state = prepare(bench, block)
        bench.kill_at(RECOVER, stop)
        found = bench.wrong("before the next recover()", state)
        found += bench.settled("after it", state)
        found += bench.replaced("replaced", state)
        wrong += [f"recover killed at {stop} with {prepare.__name__}: {one}" for one in found]
    return wrong


def pending_entries(bench: Bench, block: int) -> State:
    """An insert, an update and a delete that never came to MongoDB, and an insert that did; none is confirmed."""
    inserted, updated, deleted, applied = (WRITE.keys(block)[0] + number for number in range(4))
    bench.watcher.write_many(CARD, [row(updated, OLD), row(deleted, OLD)])
    bench.recover()
    with _keeping_documents(bench.watcher):
        bench.watcher.write(CARD, row(inserted, NEW))
        bench.watcher.write(CARD, row(updated, NEW), on_conflict="replace")
        bench.watcher.delete(CARD, deleted)
    bench.watcher.write(CARD, row(applied, NEW))
    return {(CARD, inserted): NEW, (CARD, updated): NEW, (CARD, deleted): None, (CARD, applied): NEW}


def an_abandoned_intent(bench: Bench, block: int) -> State:
    """Documents placed by a process that died before its commit, and those of one that committed."""
    bench.kill_at(PLACE.work(block), "documents.target.place:after")
    state = PLACE.state(block, done=False)
    (other,) = bench.blocks(1)
    PLACE.work(other)(bench.watcher)
    return state | PLACE.state(other, done=True)


@contextlib.contextmanager
def _keeping_documents(platform: Platform) -> Iterator[None]:
    """What is written inside goes no further than the journal."""
    platform._journal._away_until = time.monotonic() + 3600
    try:
        yield
    finally:
        platform._journal.found_mongodb()
