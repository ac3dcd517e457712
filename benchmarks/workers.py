"""Clients in processes of their own: several at once, and one alone whose memory is looked at.

Processes and not threads: the threads of one Python process would wait for its interpreter and measure that, for every
side alike; and applications of this kind run as several processes. All clients and both servers share the machine.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

import pymongo.errors
import pymysql

from benchmarks.harness import Prepared, Size, Trials
from benchmarks.memory import Peak, resident
from benchmarks.scenarios import Operation
from benchmarks.sides import EMBEDDED, Address, opened
from benchmarks.stats import Block
from benchmarks.table import Arguments, Table, caller
from platform_store import PlatformStoreError

Pipe: TypeAlias = "Connection[Any, Any]"
_CONTEXT = get_context("forkserver")
_TIMEOUT = 300.0  # seconds
_LEAD = 0.02  # seconds in which every client hears when to begin


class ClientFailed(Exception):
    """A client could not do its calls."""


@dataclass(frozen=True)
class _Done:
    begun: float
    ended: float
    times: tuple[float, ...]
    peak: Peak


@dataclass(frozen=True)
class _Failed:
    why: str


class Crew:
    """Clients with connections of their own to every side. The clocks of one machine's processes agree."""

    def __init__(self, pipes: Sequence[Pipe]):
        self._pipes = pipes
        self.broken = False
        """One of them has failed, and the others may still have something to say."""

    def block(self, name: str, method: str, inputs: Sequence[Sequence[Arguments]]) -> tuple[Block, list[Peak]]:
        """A side's method, called by as many clients as there are lists of arguments, all at the same moment."""
        pipes, self.broken = self._pipes[: len(inputs)], True
        for pipe, own in zip(pipes, inputs, strict=True):
            pipe.send((name, method, own))
        for pipe in pipes:
            _received(pipe)
        start = time.perf_counter() + _LEAD
        for pipe in pipes:
            pipe.send(start)
        done: list[_Done] = [_received(pipe) for pipe in pipes]
        times = tuple(taken for one in done for taken in one.times)
        wall = max(one.ended for one in done) - min(one.begun for one in done)
        self.broken = False
        return Block(times, len(times), wall=wall), [one.peak for one in done]


@contextlib.contextmanager
def crew(address: Address, names: Sequence[str], clients: int) -> Iterator[Crew]:
    """So many processes, each with these sides open."""
    _CONTEXT.set_forkserver_preload([__name__])
    with contextlib.ExitStack() as stack:
        pipes = []
        for _ in range(clients):
            ours, theirs = _CONTEXT.Pipe()
            process = _CONTEXT.Process(target=_serve, args=(theirs, address, names), daemon=True)
            process.start()
            theirs.close()
            stack.callback(process.join, _TIMEOUT)
            stack.callback(ours.close)
            pipes.append(ours)
        for pipe in pipes:
            _received(pipe)
        yield Crew(pipes)


def at_once(operation: Operation, table: Table, size: Size, crew: Crew, clients: int) -> Trials:
    """An operation by several clients at once; each repetition has the calls of ``size``, shared out to them."""
    names = [name for name in operation.sides(table.rows) if name != EMBEDDED]
    prepared = operation.make(replace(operation, names=names), table, size)
    assert isinstance(prepared, Prepared)

    def repeat(number: int) -> dict[str, Block]:
        inputs = prepared.inputs(number)
        blocks = {}
        for name in names[::-1] if number % 2 else names:
            shares = [inputs[client::clients] for client in range(clients)]
            blocks[name], _ = crew.block(name, operation.method, shares)
            table.sides[name].settle()
        return blocks

    return Trials(names, repeat, prepared.check)


def alone(operation: Operation, table: Table, size: Size) -> dict[str, tuple[Block, Peak]]:
    """By a fresh process for each side, which does one block and nothing else."""
    prepared = operation.make(operation, table, replace(size, repetitions=0))
    assert isinstance(prepared, Prepared)
    inputs, found = prepared.inputs(0), {}
    for name in operation.names:
        with crew(table.address, [name], 1) as one:
            block, (peak,) = one.block(name, operation.method, [inputs])
        found[name] = replace(block, rows=size.calls * size.rows_per_call), peak
    prepared.check()
    return found


def _received(pipe: Pipe) -> Any:
    if not pipe.poll(_TIMEOUT):
        raise ClientFailed(f"no answer within {_TIMEOUT:.0f} s")
    try:
        said = pipe.recv()
    except EOFError:
        raise ClientFailed("it ended; see above for its error") from None
    if isinstance(said, _Failed):
        raise ClientFailed(said.why)
    return said


def _serve(pipe: Pipe, address: Address, names: Sequence[str]) -> None:
    """What a client does until the other end is closed."""
    with contextlib.ExitStack() as stack:
        sides = {name: stack.enter_context(opened(name, address)) for name in names}
        pipe.send("open")
        before = resident()
        while True:
            try:
                name, method, inputs = pipe.recv()
            except EOFError:
                return
            call, clock = caller(sides[name], method), time.perf_counter
            pipe.send("ready")
            time.sleep(max(0.0, pipe.recv() - clock()))
            times, begun = [], clock()
            try:
                for arguments in inputs:
                    start = clock()
                    call(arguments)
                    times.append(clock() - start)
            except (PlatformStoreError, pymysql.Error, pymongo.errors.PyMongoError) as error:
                pipe.send(_Failed(f"{type(error).__name__}: {error}"))
                return
            pipe.send(_Done(begun, clock(), tuple(times), Peak(before, resident())))
