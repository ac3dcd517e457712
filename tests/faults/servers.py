"""Servers that a test may kill, freeze and set back: its own, never those that the other tests share."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import pymongo
import pymongo.errors

from platform_store import Config
from tests.servers import private
from tests.servers.binaries import Program
from tests.servers.private import State
from tests.waiting import PATIENCE, wait_until

SqlKind = Literal["mysql", "mariadb"]

_SMALL_SQL = "--innodb-buffer-pool-size=64M"  # the last of two equal options counts
_SMALL_MONGODB = ("--wiredTigerCacheSizeGB=0.25", "--oplogSize=64")


class MySQL(private.MySQL):
    """With a small cache, and a file for each table as usual."""

    def command(self, program: Program, state: State) -> list[str]:
        return [*super().command(program, state), _SMALL_SQL, "--innodb-file-per-table=ON"]


class MariaDB(private.MariaDB):
    """With a small cache."""

    def command(self, program: Program, state: State) -> list[str]:
        return [*super().command(program, state), _SMALL_SQL]


class MongoDB(private.MongoDB):
    """A replica set of one, with a small cache, that loses as much as any when it is killed."""

    def command(self, program: Program, state: State) -> list[str]:
        other = ("--wiredTigerCacheSizeGB", "--oplogSize", "--journalCommitInterval")
        kept = [option for option in super().command(program, state) if not option.startswith(other)]
        return [*kept, *_SMALL_MONGODB]


class Member(MongoDB):
    """One member of a replica set that somebody else initiates. It takes commands that only tests may give."""

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        super().__init__(directory)

    def command(self, program: Program, state: State) -> list[str]:
        return [*super().command(program, state), "--setParameter=enableTestCommands=1"]

    def ask(self, state: State) -> str:
        address = f"mongodb://127.0.0.1:{state.port}/?directConnection=true"
        try:
            with pymongo.MongoClient[dict[str, object]](address, serverSelectionTimeoutMS=1000) as client:
                return str(client.server_info()["version"])
        except pymongo.errors.PyMongoError as error:
            raise private.NotReady(str(error)) from None


class Disposable:
    """A server of one test or one test module, removed with all its data at the end (a context manager)."""

    def __init__(self, server: private.Server, prepared: Path | None = None) -> None:
        """``prepared``: a folder for initialised, unused data directories, so that only the first one takes time."""
        self._server, self._prepared = server, prepared
        self._snapshots = server.home / "snapshots"
        self._port: int | None = None

    @property
    def url(self) -> str:
        """The address for applications: the same over every restart."""
        return self._server.url(self._state())

    @property
    def port(self) -> int:
        return self._state().port

    @property
    def data(self) -> Path:
        """The data directory."""
        return self._server.data

    @property
    def pid(self) -> int | None:
        """The server's process; None where none runs."""
        return self._server.pid()

    def start(self) -> Self:
        """Starts the server, on the same data and port, and waits until it takes writes. One that runs is left."""
        if self._prepared is not None and not self.data.exists():
            self._fill(self._prepared / self._server.name)
        state, _ = self._server.ensure()
        if self._port not in (None, state.port):
            raise RuntimeError(f"{self._server.name} had to move from port {self._port} to {state.port}")
        self._port = state.port
        return self

    def kill(self) -> None:
        """SIGKILL; returns when nothing of the process is left. One that does not run is left alone."""
        pid = self.pid
        if pid is None:
            return
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: _gone(pid), f"process {pid} is gone")

    def freeze(self) -> None:
        """SIGSTOP; returns when every thread stands still. Connections stay open, and the kernel accepts new ones."""
        pid = self._running()
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: _stopped(pid), f"process {pid} stands still")

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self._running(), signal.SIGCONT)

    @property
    def frozen(self) -> bool:
        pid = self.pid
        return pid is not None and _stopped(pid)

    def snapshot(self, name: str) -> None:
        """Copies the data directory aside, as a snapshot of the disk would: the server stands still meanwhile."""
        running = self.pid is not None and not self.frozen
        if running:
            self.freeze()
        try:
            _copy(self.data, self._snapshots / name)
        finally:
            if running:
                self.thaw()

    def roll_back(self, name: str, *, new_identity: bool = False) -> None:
        """Kills the server, puts the copy in the place of its data, and starts it again on the same port.

        ``new_identity``: MySQL gives itself another ``server_uuid``, as a copy brought up elsewhere would.
        """
        self.kill()
        _copy(self._snapshots / name, self.data)
        if new_identity:
            (self.data / "auto.cnf").unlink(missing_ok=True)
        self.start()

    def revive(self) -> None:
        """Thaws it and starts it, whichever it needs."""
        if self.frozen:
            self.thaw()
        self.start()

    def remove(self) -> None:
        """Ends the server, whatever state it is in, and deletes everything of it."""
        self.kill()
        shutil.rmtree(self._server.home, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:  # an interrupt as well: nobody else would end the server
            self.remove()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()

    def _state(self) -> State:
        state = self._server.remembered()
        if state is None:
            raise RuntimeError(f"{self._server.name} was never started")
        return state

    def _running(self) -> int:
        pid = self.pid
        if pid is None:
            raise RuntimeError(f"{self._server.name} does not run")
        return pid

    def _fill(self, prepared: Path) -> None:
        if not prepared.exists():
            fresh = prepared.with_suffix(".new")
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(parents=True)
            self._server.initialise(self._server.program(), fresh)
            (fresh / "auto.cnf").unlink(missing_ok=True)  # MySQL's server_uuid: every server gives itself its own
            fresh.rename(prepared)
        _copy(prepared, self.data)


def sql(kind: SqlKind, directory: Path, prepared: Path | None = None) -> Disposable:
    """A MySQL or MariaDB server; not started yet."""
    return Disposable((MySQL if kind == "mysql" else MariaDB)(directory), prepared)


def mongodb(directory: Path) -> Disposable:
    """A MongoDB replica set of one; not started yet."""
    return Disposable(MongoDB(directory))


def stores(
    mysql: str, mongodb: str, *, answer: float = PATIENCE, operation: float = PATIENCE, selection: float = PATIENCE
) -> Config:
    """A configuration that gives up after so many seconds on an answer of MySQL, on an operation of MongoDB, and on the
    choice of one of its members. Less than a busy machine may need is for a server that does not answer at all.
    """
    config = Config.from_urls(mysql=mysql, mongodb=mongodb)
    assert config.mysql is not None
    assert config.mongodb is not None
    return replace(
        config,
        mysql=replace(config.mysql, connect_timeout=answer, read_timeout=answer, write_timeout=answer),
        mongodb=replace(config.mongodb, timeout=operation, server_selection_timeout=selection),
    )


def end_everything_below(directory: Path) -> None:
    """Kills the servers whose data lie below a directory that nobody uses any more, such as a killed test run's."""
    beginnings = tuple(os.fsencode(f"{option}={directory}/") for option in ("--datadir", "--dbpath"))
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):  # it ended meanwhile
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
            if any(argument.startswith(beginnings) for argument in arguments):
                os.kill(int(entry.name), signal.SIGKILL)


def _copy(source: Path, target: Path) -> None:
    """``target`` becomes a copy of ``source``. Sockets are left out: they are nothing without their process."""
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.sock", "*.sock.lock", "*.pid"))


def _gone(pid: int) -> bool:
    """Whether nothing is left of a process: not even a thread that still holds a file or the port."""
    with contextlib.suppress(ChildProcessError):  # it is not a child of this process
        os.waitpid(pid, os.WNOHANG)
    return not Path(f"/proc/{pid}").exists()


def _stopped(pid: int) -> bool:
    """Whether every thread of a process is stopped (state T)."""
    states = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # the thread ended meanwhile
            states.append((task / "stat").read_text().rpartition(")")[2].split()[0])
    return bool(states) and set(states) == {"T"}
