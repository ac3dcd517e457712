"""A server that is killed while an operation is at one of its steps, and started again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.faults.bench import Bench
from tests.faults.child import Child, ChildFailed
from tests.faults.operations import Operation
from tests.faults.servers import Disposable

_COMMIT = "rows.transaction.commit"
_NOT_THERE = ("Unavailable", "TransientError")
_SOON = 2.0  # seconds: MongoDB takes about as long to start, so that it is waited for, or given up


def server_killed_everywhere(
    bench: Bench,
    operations: Sequence[Operation],
    server: Disposable,
    matters: Callable[[str], bool] = lambda step: True,
) -> list[str]:
    """Kills the server at each step that matters, once for each name; what was wrong, and where.

    The commit is another step in each operation.
    """
    seen: set[tuple[str, str]] = set()
    wrong = []
    for operation in operations:
        (first,) = bench.blocks(1)
        operation.prepare(bench.watcher, [first])
        bench.recover()
        for stop, done in bench.points(operation.work(first)):
            name, moment, _ = stop.split(":")
            if (name, moment) not in seen and matters(name):
                seen |= {(name, moment)} - {(_COMMIT, "before")}
                found = _server_killed_at(bench, operation, stop, done, server)
                wrong += [f"{operation.name}, {server.url.partition(':')[0]} killed at {stop}: {one}" for one in found]
    return wrong


def _server_killed_at(bench: Bench, operation: Operation, stop: str, done: bool, server: Disposable) -> list[str]:
    (block,) = bench.blocks(1)
    operation.prepare(bench.watcher, [block])
    bench.recover()
    before, after = operation.state(block, done=False), operation.state(block, done=True)
    assert bench.config.mongodb is not None
    soon = replace(bench.config, mongodb=replace(bench.config.mongodb, server_selection_timeout=_SOON))
    with Child(soon, operation.work(block), stop_at=stop, how="wait") as child:
        child.wait_until_stopped()
        server.kill()
        child.resume()
        server.start()
        try:
            said: object = child.result()
        except ChildFailed as failed:
            said = failed.kind
    bench.reopen()
    if said == "OutcomeUnknown":
        state = after if not bench.wrong("", after) else before
        wrong = [f"it says {said} long after its commit"] if done else []
    elif said in _NOT_THERE:
        state = before
        wrong = [f"it says {said} after its commit"] if done else []
    else:
        state = after
        said = getattr(said, "inserted", said)
        wanted = operation.expected(block, before)
        wrong = [] if said == wanted else [f"it says {said}, not {wanted}"]
    wrong += bench.wrong("started again", state)
    wrong += bench.settled("recovered", state)
    return wrong + bench.replaced("replaced", state)
