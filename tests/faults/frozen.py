"""An operation that stands still at one of its steps while another process works on the same rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TypeAlias

from tests.faults.bench import Around, Bench, attempt
from tests.faults.child import Child, ChildFailed, call
from tests.faults.maintenance import RECOVER, Left, a_table
from tests.faults.operations import CARD, COLUMNS, Operation, State, row

RIVAL = 7  # the version that the other process writes
Effects: TypeAlias = State
"""What the other process was told that it has done."""
Rival: TypeAlias = Callable[[Bench, Sequence[int]], tuple[list[str], Effects]]
"""Works on rows of these keys; what was wrong, and its effects."""

_LOCKED = "TransientError"


def updates(bench: Bench, keys: Sequence[int]) -> tuple[list[str], Effects]:
    """An update of the first key between two sweeps and purges."""
    wrong = _sweep(bench)
    said = attempt(call("update", CARD, keys[0], {"n": RIVAL, "word": f"v{RIVAL}"}), bench.watcher)
    effects: Effects = {(CARD, keys[0]): RIVAL} if said is None else {}
    return wrong + _sweep(bench) + _unless(said in (None, _LOCKED, "RowNotFound"), "update", said), effects


def deletes(bench: Bench, keys: Sequence[int]) -> tuple[list[str], Effects]:
    """A delete_range over every key, and its tombstones purged."""
    said = attempt(call("delete_range", CARD, keys[0], keys[-1]), bench.watcher)
    effects: Effects = dict.fromkeys([(CARD, key) for key in keys], None) if said != _LOCKED else {}
    return _sweep(bench) + _unless(isinstance(said, int) or said == _LOCKED, "delete_range", said), effects


def recreates(bench: Bench, keys: Sequence[int]) -> tuple[list[str], Effects]:
    """The table dropped, made anew, and the first key written."""
    effects: Effects = {}
    dropped = attempt(call("drop_table", CARD), bench.watcher)
    wrong = _unless(dropped == _LOCKED or not isinstance(dropped, str), "drop_table", dropped)
    if dropped == _LOCKED:
        half_dropped = attempt(call("read", CARD, keys[0]), bench.watcher) == "SchemaError"
        wrong += _unless(not half_dropped, "drop_table", "TransientError, and the table is half dropped")
    else:
        bench.watcher.create_table(CARD, COLUMNS, flag=1)
        effects |= dict.fromkeys([(CARD, key) for key in keys], None)
    said = attempt(call("write", CARD, row(keys[0], RIVAL)), bench.watcher)
    if said == keys[0]:
        effects[CARD, keys[0]] = RIVAL
    return wrong + _sweep(bench) + _unless(said in (keys[0], _LOCKED, "RowExists"), "write", said), effects


ALL: tuple[Rival, ...] = (updates, deletes, recreates)


@dataclass
class Outcome:
    """What was wrong, and how many points the rival was let through at, or had to wait at in vain."""

    wrong: list[str] = field(default_factory=list)
    passed: int = 0
    refused: int = 0


def frozen_everywhere(
    benches: Sequence[Bench], operation: Operation, rival: Rival, *, around: Around = lambda work: work
) -> Outcome:
    """Freezes the operation at each of its steps while the rival is at work.

    Several points at a time, on databases of their own: most of the time is spent waiting for locks.
    """
    (block,) = benches[0].blocks(1)
    operation.prepare(benches[0].watcher, [block])
    benches[0].recover()
    points = benches[0].points(around(operation.work(block)))
    return _everywhere(
        benches,
        points,
        f"{operation.name} frozen at %s, another process {rival.__name__}",
        lambda bench, stop, done: _frozen_at(bench, operation, stop, done, rival, around),
    )


def recover_frozen_everywhere(benches: Sequence[Bench], left: Left, rival: Rival) -> Outcome:
    """Freezes ``recover`` at each of its steps while the rival is at work on what there is to recover."""
    (block,) = benches[0].blocks(1)
    left(benches[0], block)
    points = benches[0].points(RECOVER)
    return _everywhere(
        benches,
        points,
        f"recover, {left.__name__}, frozen at %s, another process {rival.__name__}",
        lambda bench, stop, done: _recover_frozen_at(bench, left, stop, rival),
    )


def _everywhere(
    benches: Sequence[Bench],
    points: Sequence[tuple[str, bool]],
    where: str,
    frozen_at: Callable[[Bench, str, bool], tuple[list[str], Effects]],
) -> Outcome:
    free: SimpleQueue[Bench] = SimpleQueue()
    for bench in benches:
        free.put(bench)
    outcome = Outcome()

    def one(stop: str, done: bool) -> None:
        bench = free.get()
        try:
            found, effects = frozen_at(bench, stop, done)
        finally:
            bench.mend()
            free.put(bench)
        outcome.wrong += [f"{where % stop}: {one}" for one in found]
        outcome.passed += bool(effects)
        outcome.refused += not effects

    with ThreadPoolExecutor(len(benches)) as pool:
        list(pool.map(one, *zip(*points, strict=True)))
    return outcome


def _frozen_at(
    bench: Bench, operation: Operation, stop: str, done: bool, rival: Rival, around: Around
) -> tuple[list[str], Effects]:
    (block,) = bench.blocks(1)
    operation.prepare(bench.watcher, [block])
    bench.recover()
    state = operation.state(block, done=done)
    with Child(bench.config, around(operation.work(block)), stop_at=stop, how="freeze") as child:
        child.wait_until_stopped()
        wrong = bench.wrong("frozen", state)
        refused, effects = rival(bench, operation.keys(block))
        wrong += refused
        wanted = operation.expected(block, operation.state(block, done=False) | ({} if done else effects))
        state |= effects
        wrong += bench.wrong(f"frozen after {rival.__name__}", state)
        if not done and not isinstance(wanted, str):
            state = operation.state(block, done=True)
        child.resume()
        try:
            said = getattr(result := child.result(), "inserted", result)
        except ChildFailed as failed:
            said = failed.kind
    wrong += _unless(said == wanted, "thawed", f"{said}, not {wanted}")
    wrong += bench.wrong("thawed", state)
    # A deleted row's document may come late, where its tombstone is purged or its table made anew: it has no row.
    wrong += bench.settled("recovered", state, orphans=True)
    return wrong + bench.replaced("replaced", state), effects


def nobody_waits(bench: Bench, operation: Operation, stop: str) -> list[str]:
    """What is wrong where one process is frozen, and another works on another table and on the journal."""
    (block,) = bench.blocks(1)
    operation.prepare(bench.watcher, [block])
    (other,) = bench.blocks(1)
    with Child(bench.config, operation.work(block), stop_at=stop, how="freeze") as child:
        child.wait_until_stopped()
        table = a_table(bench, other)
        wrong = _sweep(bench)
        bench.watcher.write_many(table, [row(key, RIVAL) for key in range(10, 50)])
        wrong += _sweep(bench)
        bench.watcher.write_many(table, [row(key, RIVAL) for key in range(50, 90)])
        said = attempt(call("drop_table", table), bench.watcher)
        wrong += _unless(not isinstance(said, str), "drop_table", said)
        child.resume()
        child.result()
    return wrong + bench.settled("thawed", operation.state(block, done=True))


def _recover_frozen_at(bench: Bench, left: Left, stop: str, rival: Rival) -> tuple[list[str], Effects]:
    (block,) = bench.blocks(1)
    state = left(bench, block)
    with Child(bench.config, RECOVER, stop_at=stop, how="freeze") as child:
        child.wait_until_stopped()
        wrong = bench.wrong("frozen", state)
        refused, effects = rival(bench, sorted(key for _, key in state))
        wrong += refused
        state |= effects
        wrong += bench.wrong(f"frozen after {rival.__name__}", state)
        child.resume()
        try:
            child.result()
        except ChildFailed as failed:
            wrong.append(f"thawed: {failed}")
    wrong += bench.wrong("thawed", state)
    wrong += bench.settled("recovered", state, orphans=True)
    return wrong + bench.replaced("replaced", state), effects


def _sweep(bench: Bench) -> list[str]:
    said = attempt(RECOVER, bench.watcher)
    bench.purge()
    return _unless(not isinstance(said, str), "recover", said)


def _unless(right: bool, what: str, said: object) -> list[str]:
    return [] if right else [f"{what}: {said}"]
