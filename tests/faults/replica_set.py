"""A MongoDB replica set that fails over at once, loses writes on demand, and can be reached through proxies."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import bson
import pymongo
import pymongo.errors

from tests.faults.proxy import Proxy
from tests.faults.servers import Disposable, Member
from tests.servers.private import DATABASE, REPLICA_SET
from tests.waiting import PATIENCE, wait_until

ELECTION_TIMEOUT = 3.0
"""Seconds without a word from the primary after which the others elect a new one. On a busy machine a shorter silence
means nothing, and an election that nobody wanted spoils a test."""

_SECONDARY = 2
_ANSWER = 500  # milliseconds: a member that does not answer by then is passed over, and asked again


class ReplicaSet:
    """Members are told apart by their number. A context manager: started and initiated, removed at the end."""

    def __init__(self, directory: Path, members: int = 3, *, proxied: bool = False) -> None:
        """``proxied``: the members, and so every client, know each other by the ports of ``proxies``."""
        self.members = [Disposable(Member(directory, f"m{number}")) for number in range(members)]
        self.proxies: list[Proxy] = []
        self._proxied = proxied

    @property
    def url(self) -> str:
        """The address for applications."""
        return f"mongodb://{','.join(self._hosts())}/{DATABASE}?replicaSet={REPLICA_SET}"

    def start(self, *members: int) -> None:
        """Starts these members (default: all), each on its own data and port, and waits until they answer."""
        numbers = members or range(len(self.members))
        with ThreadPoolExecutor(len(self.members)) as pool:
            list(pool.map(lambda number: self.members[number].start(), numbers))

    def kill(self, member: int) -> None:
        """SIGKILL."""
        self.members[member].kill()

    def kill_primary(self) -> int:
        """SIGKILL to the primary; which one it was."""
        primary = self.primary()
        self.kill(primary)
        return primary

    def freeze(self, *members: int) -> None:
        """SIGSTOP. A primary whose majority is frozen steps down after :data:`ELECTION_TIMEOUT`."""
        for member in members:
            self.members[member].freeze()

    def thaw(self, *members: int) -> None:
        """SIGCONT."""
        for member in members:
            self.members[member].thaw()

    def primary(self) -> int:
        """The member that takes writes; waits for it."""
        return self.wait_for_primary()

    def wait_for_primary(self, *, other_than: int | None = None, seconds: float = PATIENCE) -> int:
        """Waits for a member, other than this one, to take writes; which one it is. Raises TimeoutError."""
        found: list[int] = []

        def look() -> bool:
            found[:] = [
                number
                for number in self._reachable()
                if number != other_than and self._said(number, "hello").get("isWritablePrimary")
            ]
            return bool(found)

        wait_until(look, "there is a primary", seconds=seconds)
        return found[0]

    def replace_primary(self, old: int) -> int:
        """Has another member take over from a primary that was killed, before the others miss it; which one."""

        def elected() -> bool:
            for number in self._reachable():
                with contextlib.suppress(pymongo.errors.PyMongoError), self.client(number, patience=_ANSWER) as client:
                    client.admin.command("replSetStepUp")
                    return True
            return False

        wait_until(elected, "another member was elected")
        return self.wait_for_primary(other_than=old)

    def secondaries(self) -> list[int]:
        """The members that are not the primary, running or not."""
        primary = self.primary()
        return [number for number in range(len(self.members)) if number != primary]

    def step_down(self) -> int:
        """Makes the primary hand over; returns the old one once another takes writes."""
        old = self.primary()
        with self.client(old) as client:
            client.admin.command("replSetStepDown", 10, secondaryCatchUpPeriodSecs=5)
        self.wait_for_primary(other_than=old)
        return old

    def revive(self) -> None:
        """Makes every member run and replicate, and every proxy pass on, whatever a test left behind."""
        for proxy in self.proxies:
            proxy.latency = 0.0
            proxy.accept()
            proxy.resume()
        for member in self.members:
            if member.frozen:
                member.thaw()
        self.start()
        self.release_replication()
        self.wait_until_healthy()

    def wait_until_healthy(self) -> None:
        """Waits until every member runs and has what the primary has."""
        wait_until(self._healthy, "every member has what the primary has")

    # Losing writes

    def hold_replication(self) -> int:
        """From now on no secondary takes anything from the primary, which stays primary; returns it.

        Writes at w: 1 succeed and exist on the primary alone. Freezing the secondaries would not do: what the primary
        sends meanwhile waits in their sockets, and is applied when they thaw.
        """
        primary = self.primary()
        self.wait_until_healthy()
        for number in range(len(self.members)):
            if number != primary:
                self._fail_point(number, on=True)
        return primary

    def hold_back(self, member: int) -> None:
        """From now on this secondary takes nothing from the primary."""
        self._fail_point(member, on=True)

    def fail_over(self) -> int:
        """Kills the primary whose replication was held; returns it once another member takes writes, without them."""
        old = self.kill_primary()
        self.release_replication()
        self.replace_primary(old)
        return old

    def release_replication(self) -> None:
        """Undoes :meth:`hold_replication` and :meth:`hold_back`."""
        for number in self._reachable():
            self._fail_point(number, on=False)

    def rejoin(self, old: int) -> None:
        """Starts a former primary again and waits until it has rolled back what only it had, and caught up."""
        self.start(old)
        self.wait_until_healthy()

    @contextlib.contextmanager
    def losing_writes(self) -> Iterator[int]:
        """Everything written inside at w: 1 is lost when the block ends: another member is primary, and the old one
        has rolled back. Yields the number of the old one. Writes at w: majority would wait.
        """
        yield self.hold_replication()
        self.rejoin(self.fail_over())

    def rolled_back(self, member: int) -> list[dict[str, Any]]:
        """The documents that a member has put aside in rollbacks."""
        files = sorted((self.members[member].data / "rollback").rglob("*.bson"))
        return [document for file in files for document in bson.decode_all(file.read_bytes())]

    # Looking at members

    @contextlib.contextmanager
    def client(
        self, member: int, *, patience: int = int(PATIENCE * 1000)
    ) -> Iterator[pymongo.MongoClient[dict[str, Any]]]:
        """A client of one member alone, past its proxy. Reads ask it whatever it is. ``patience``: milliseconds."""
        address = f"mongodb://127.0.0.1:{self.members[member].port}/{DATABASE}?directConnection=true"
        with pymongo.MongoClient[dict[str, Any]](
            address, serverSelectionTimeoutMS=patience, readPreference="primaryPreferred"
        ) as client:
            yield client

    def __enter__(self) -> Self:
        try:
            self.start()
            if self._proxied:
                self.proxies = [Proxy(member.port, protocol="mongodb") for member in self.members]
            self._initiate()
        except BaseException:  # an interrupt as well: nobody else would end the servers
            self.remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()

    def remove(self) -> None:
        """Ends every member, whatever state it is in, and deletes everything of it."""
        with contextlib.ExitStack() as stack:
            for member in self.members:
                stack.callback(member.remove)
            for proxy in self.proxies:
                stack.callback(proxy.close)

    def _hosts(self) -> list[str]:
        return [f"127.0.0.1:{part.port}" for part in (self.proxies or self.members)]

    def _initiate(self) -> None:
        configuration = {
            "_id": REPLICA_SET,
            "members": [{"_id": number, "host": host} for number, host in enumerate(self._hosts())],
            "settings": {
                "electionTimeoutMillis": int(ELECTION_TIMEOUT * 1000),
                "heartbeatIntervalMillis": 200,
                "catchUpTimeoutMillis": 2000,
            },
        }
        with self.client(0) as client:
            client.admin.command("replSetInitiate", configuration)
        self.wait_until_healthy()

    def _reachable(self) -> list[int]:
        return [n for n, member in enumerate(self.members) if member.pid is not None and not member.frozen]

    def _said(self, number: int, command: str) -> dict[str, Any]:
        """What a member answers; nothing where it does not."""
        try:
            with self.client(number, patience=_ANSWER) as client:
                return dict(client.admin.command(command))
        except pymongo.errors.PyMongoError:
            return {}

    def _healthy(self) -> bool:
        """Whether all members are there, in the primary's term, and one position in the log.

        One that has still to roll back is in an older term.
        """
        said = [self._said(number, "replSetGetStatus") for number in range(len(self.members))]
        states = sorted(status.get("myState", 0) for status in said)
        if states != [1, *[_SECONDARY] * (len(said) - 1)]:
            return False
        return len({str(status["optimes"]["appliedOpTime"]) for status in said}) == 1

    def _fail_point(self, number: int, *, on: bool) -> None:
        with self.client(number) as client:
            client.admin.command("configureFailPoint", "stopReplProducer", mode="alwaysOn" if on else "off")
