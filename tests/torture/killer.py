"""Kills and stops clients and servers at moments of one seed, and starts again what it killed."""

from __future__ import annotations

import heapq
import itertools
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

from tests.servers.private import Server
from tests.torture.clients import Clients
from tests.torture.log import Log

MEAN_GAP = 1.5  # seconds between two faults
STOPPED = (0.1, 3.0)  # seconds for which a client is stopped
DOWN = (0.0, 2.0)  # seconds for which a killed server stays down, before its start
WHO = "killer"


@dataclass(frozen=True)
class Fault:
    """Something to happen: ``kill`` or ``stop`` of a client (its slot) or a server (its name)."""

    after: float  # seconds after the one before
    what: str
    target: int | str
    seconds: float


def schedule(choose: Random, clients: int, servers: list[str]) -> Iterator[Fault]:
    """Faults without end."""
    targets: list[int | str] = [*range(clients), *servers]
    while True:
        after, seconds = min(choose.expovariate(1 / MEAN_GAP), MEAN_GAP * 4), choose.random()
        match choose.choices(("client", "stop", "server", "two"), (35, 20, 30, 15))[0]:
            case "client":
                yield Fault(after, "kill", choose.randrange(clients), seconds)
            case "stop":
                low, high = STOPPED
                yield Fault(after, "stop", choose.randrange(clients), low + seconds * (high - low))
            case "server":
                yield Fault(after, "kill", choose.choice(servers), DOWN[1] * seconds)
            case _:
                for number, target in enumerate(choose.sample(targets, 2)):
                    yield Fault(0 if number else after, "kill", target, DOWN[1] * seconds)


class Killer:
    """Carries a schedule out. ``done`` counts what it did."""

    def __init__(self, clients: Clients, servers: dict[str, Server], log: Log):
        self._clients, self._servers, self._log = clients, servers, log
        self._restarts: dict[str, Future[str]] = {}
        self._pool = ThreadPoolExecutor(len(servers))
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.done: Counter[str] = Counter()

    def run(self, faults: Iterator[Fault], seconds: float) -> None:
        """Works for so long; then everything runs again. Raises where a server does not come back as it was."""
        end = time.monotonic() + seconds
        due = time.monotonic()
        while due < end:
            fault = next(faults, None)
            due = end if fault is None else due + fault.after
            self._wait_until(min(due, end))
            if fault is not None and due < end:
                self._carry_out(fault)
        while self._later:
            self._wait_until(self._later[0][0])
        for name in list(self._restarts):
            self._restarts.pop(name).result()

    def close(self) -> None:
        """Waits for servers that are being started, so that none starts when everything is cleaned up."""
        self._pool.shutdown(cancel_futures=True)

    def _wait_until(self, due: float) -> None:
        while True:
            now = time.monotonic()
            while self._later and self._later[0][0] <= now:
                heapq.heappop(self._later)[2]()
            for name in [name for name, restart in self._restarts.items() if restart.done()]:
                self._restarts.pop(name).result()
            self._clients.watch()
            if now >= due:
                return
            time.sleep(min(0.1, due - now, *(moment - now for moment, _, _ in self._later[:1])))

    def _carry_out(self, fault: Fault) -> None:
        target = fault.target
        if isinstance(target, str):
            self._kill_server(target, fault.seconds)
        elif fault.what == "stop":
            if self._clients.stop(target):
                self._note("stop", f"client {target} for {fault.seconds:.1f} s")
                self._at(fault.seconds, lambda: self._clients.go_on(target))
        elif self._clients.kill(target):
            self._note("kill client", f"{target}")
            self._at(fault.seconds / 2, lambda: self._clients.start(target))

    def _kill_server(self, name: str, seconds: float) -> None:
        pid = self._servers[name].pid()
        if name in self._restarts or pid is None:
            return
        os.kill(pid, signal.SIGKILL)
        self._note(f"kill {name}", f"{pid}, down for {seconds:.1f} s")
        self._restarts[name] = self._pool.submit(self._restart, name, seconds)

    def _restart(self, name: str, seconds: float) -> str:
        server = self._servers[name]
        before = server.remembered()
        time.sleep(seconds)
        state, version = server.ensure()
        if before is None or state.port != before.port:
            raise RuntimeError(f"the port of {name} was taken by another program meanwhile")
        self._log.write(WHO, "event", what=f"{name} is back")
        return version

    def _at(self, seconds: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._order), do))

    def _note(self, kind: str, what: str) -> None:
        self.done[kind] += 1
        self._log.write(WHO, "event", what=f"{kind}: {what}")
