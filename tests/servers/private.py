"""Start, reuse and stop private MySQL, MariaDB and MongoDB servers under ``.servers/`` of this checkout.

They listen on free loopback ports only, outlive the process that started them, keep their data and port over a restart,
and are durable as in production (every default that decides what survives a crash is kept): tests about crashes rest
on them. ``.servers/env`` holds their URLs for a shell, and is readable by the owner alone because of the password.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import random
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pymongo
import pymongo.errors
import pymysql

from tests.servers import binaries
from tests.servers.binaries import Program, ServersUnavailable, locked
from tests.servers.databases import sql_version

MYSQL_URL = "PLATFORM_STORE_MYSQL_URL"
MONGODB_URL = "PLATFORM_STORE_MONGODB_URL"
MARIADB_URL = "PLATFORM_STORE_MARIADB_URL"
MYSQL_IS_MARIADB = "PLATFORM_STORE_MYSQL_IS_MARIADB"

DATABASE = "platform_store"
ACCOUNT = "platform"
REPLICA_SET = "rs0"
START_TIMEOUT = 240.0
ANSWER_TIMEOUT = 60.0  # for a server that runs: on a machine under load it may be slow, and others may be using it
STOP_TIMEOUT = 60.0
PORT_TIMEOUT = 30.0
LOWEST_PORT, USUAL_EPHEMERAL_PORT = 10_000, 32_768
PORTS_TRIED = 100
POLL_INTERVAL = 0.05
NOT_YET_INITIALIZED = 94  # MongoDB's code for a member without a replica set configuration

SQL_FLAGS = (
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--socket=server.sock",  # relative to the data directory, so its length never matters
    "--pid-file=server.pid",
    "--innodb-buffer-pool-size=256M",
    "--max-connections=300",
)
SHARED_TABLESPACE = "--innodb-file-per-table=OFF"  # MySQL takes twice as long to make and drop a table with a file
OFTEN_JOURNALED = "--journalCommitInterval=5"  # ms; each new index and dropped database waits for the journal's turn
LOCAL_INFILE = "--local-infile=ON"  # so queries stage documents in one way on MySQL, and in the other on MariaDB
MYSQL_FLAGS = (
    "--mysqlx=OFF",
    "--secure-file-priv=NULL",
    "--innodb-redo-log-capacity=256M",
    "--binlog-expire-logs-seconds=86400",
    SHARED_TABLESPACE,
    LOCAL_INFILE,
)
MARIADB_FLAGS = (  # what MySQL has by default: four-byte characters and a binary log that survives a crash
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_general_ci",
    "--server-id=1",
    "--log-bin=binlog",
    "--sync-binlog=1",
    "--expire-logs-days=1",
    "--innodb-log-file-size=128M",
    "--local-infile=OFF",
)
MARIADB_BOOTSTRAP = (
    "mysql_system_tables.sql",
    "mysql_performance_tables.sql",
    "mysql_system_tables_data.sql",
    "maria_add_gis_sp_bootstrap.sql",
    "mysql_sys_schema.sql",
)


class NotReady(Exception):
    """The server does not answer (yet) as it should."""


@dataclass(frozen=True)
class State:
    """What is remembered of a server between calls; the data directory belongs to it."""

    pid: int
    port: int
    password: str


@dataclass(frozen=True)
class Started:
    """The outcome of a start: the environment to use, server versions by name, and why a server is missing."""

    environment: Mapping[str, str]
    versions: Mapping[str, str]
    reasons: Mapping[str, str] = field(default_factory=dict)


class Server(ABC):
    """One private server: its files, and how to initialise, run and ask it."""

    name: str

    def __init__(self, servers: Path) -> None:
        self.home = servers / self.name
        self.data = self.home / "data"
        self.log = self.home / "log"

    @abstractmethod
    def program(self) -> Program:
        """Obtain the binary."""

    @abstractmethod
    def initialise(self, program: Program, data: Path) -> None:
        """Fill an empty data directory."""

    @abstractmethod
    def command(self, program: Program, state: State) -> list[str]:
        """The command line that serves the data directory."""

    @abstractmethod
    def ask(self, state: State) -> str:
        """Return the version of a server that answers and accepts writes, or raise `NotReady`."""

    @abstractmethod
    def url(self, state: State) -> str:
        """The address for applications."""

    @property
    @abstractmethod
    def marker(self) -> str:
        """The argument that tells this server's process from any other."""

    def ensure(self) -> tuple[State, str]:
        """Return a running server and its version: the one that runs, else one started on the same data."""
        state = self.remembered()
        pid = self.pid()
        if state is not None and pid is not None:
            try:
                return self._when_ready(replace(state, pid=pid), ANSWER_TIMEOUT)
            except NotReady:
                pass
        self.stop()
        return self._start(self.program(), state)

    def stop(self) -> bool:
        """End the server, asking first; False when none of ours ran."""
        pid = self.pid()
        if pid is None:
            return False
        for number in (signal.SIGTERM, signal.SIGKILL):
            os.kill(pid, number)
            if _wait(lambda: not self._is_ours(pid), STOP_TIMEOUT):
                return True
        raise ServersUnavailable(f"{self.name}: process {pid} does not end")

    def pid(self) -> int | None:
        """The process that serves this data directory, looked for also when the starter died before noting it."""
        state = self.remembered()
        if state is not None and self._is_ours(state.pid):
            return state.pid
        processes = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        return next((pid for pid in processes if self._is_ours(pid)), None)

    def _is_ours(self, pid: int) -> bool:
        """Whether the process lives and serves this data directory: a pid alone may have been given away again."""
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        if arguments == [b""]:  # it ended: if it was a child of this process, let go of it, so that its pid is free
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        return os.fsencode(self.marker) in arguments

    def remembered(self) -> State | None:
        """The state of an earlier start, if there is one."""
        try:
            return State(**json.loads((self.home / "state.json").read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    @abstractmethod
    def before_start(self, state: State) -> None:
        """Write the files that the command line refers to."""

    def _start(self, program: Program, previous: State | None) -> tuple[State, str]:
        self.home.mkdir(parents=True, exist_ok=True)
        if not self.data.is_dir():
            self._make_data(program)
        for leftover in self.data.glob("server.sock*"):  # of a killed server, naming a pid that may live again
            leftover.unlink()
        state = State(0, _port(previous), previous.password if previous else secrets.token_urlsafe(18))
        self.before_start(state)
        self._remember(state)
        state = replace(state, pid=_spawn(self.command(program, state), self.log))
        self._remember(state)
        try:
            return self._when_ready(state, START_TIMEOUT)
        except NotReady as error:
            self.stop()
            message = f"{self.name} does not start: {error}; {_tail(self.log)} (removing {self.home} starts afresh)"
            raise ServersUnavailable(message) from None

    def _remember(self, state: State) -> None:
        write_private(self.home / "state.json", json.dumps(asdict(state)))

    def _make_data(self, program: Program) -> None:
        fresh = self.home / "data.new"  # renamed when whole: an interrupted initialisation leaves no half of one
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        self.initialise(program, fresh)
        fresh.rename(self.data)

    def _when_ready(self, state: State, seconds: float) -> tuple[State, str]:
        deadline = time.monotonic() + seconds
        while True:
            try:
                return state, self.ask(state)
            except NotReady as error:
                if _has_ended(state.pid):
                    raise NotReady("it ended") from None
                if time.monotonic() > deadline:
                    raise NotReady(f"after {seconds:.0f} s: {error}") from None
            time.sleep(POLL_INTERVAL)


class _SqlServer(Server):
    """What MySQL and MariaDB share: the account is made by a file of statements run before the port opens."""

    @property
    def marker(self) -> str:
        return f"--datadir={self.data}"

    def url(self, state: State) -> str:
        return f"mysql+pymysql://{ACCOUNT}:{state.password}@127.0.0.1:{state.port}/{DATABASE}"

    def command(self, program: Program, state: State) -> list[str]:
        return [
            *program.argv,
            "--no-defaults",
            *self._folders(program),
            *SQL_FLAGS,
            *_as_root(),
            self.marker,
            f"--tmpdir={self._temporary()}",
            f"--port={state.port}",
            f"--init-file={self.home / 'init.sql'}",
        ]

    def _temporary(self) -> Path:
        """A directory of its own: each MariaDB that starts deletes what others have left in a shared one."""
        path = self.home / "tmp"
        path.mkdir(exist_ok=True)
        return path

    def before_start(self, state: State) -> None:
        statements = [f"CREATE DATABASE IF NOT EXISTS {DATABASE};"]
        for host in ("127.0.0.1", "localhost"):
            account = f"'{ACCOUNT}'@'{host}'"
            statements += [
                f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY '{state.password}';",
                f"ALTER USER {account} IDENTIFIED BY '{state.password}';",
                f"GRANT ALL PRIVILEGES ON *.* TO {account} WITH GRANT OPTION;",
            ]
        statements.append("ALTER USER IF EXISTS 'root'@'localhost' ACCOUNT LOCK;")  # it has no password
        write_private(self.home / "init.sql", "\n".join(statements) + "\n")

    def ask(self, state: State) -> str:
        try:
            return sql_version(self.url(state))
        except pymysql.MySQLError as error:
            raise NotReady(str(error)) from None

    @abstractmethod
    def _folders(self, program: Program) -> list[str]:
        """Flags for the folders of the unpacked root, which the binary expects elsewhere."""


class MySQL(_SqlServer):
    """MySQL, as unpacked from Debian unstable."""

    name = "mysql"

    def program(self) -> Program:
        return binaries.mysql()

    def initialise(self, program: Program, data: Path) -> None:
        command = [*program.argv, "--no-defaults", *self._folders(program), *_as_root(), f"--datadir={data}"]
        binaries.run([*command, "--initialize-insecure"], "initialising MySQL", env=_environment())

    def command(self, program: Program, state: State) -> list[str]:
        return [*super().command(program, state), *MYSQL_FLAGS]

    def _folders(self, program: Program) -> list[str]:
        root = program.root
        return [
            f"--basedir={root}/usr",
            f"--lc-messages-dir={root}/usr/share/mysql",
            f"--character-sets-dir={root}/usr/share/mysql/charsets",
            f"--plugin-dir={root}/usr/lib/mysql/plugin",
        ]


class MariaDB(_SqlServer):
    """MariaDB, as unpacked from the machine's own release."""

    name = "mariadb"

    def program(self) -> Program:
        return binaries.mariadb()

    def initialise(self, program: Program, data: Path) -> None:
        """Do what ``mariadb-install-db`` does; the script itself cannot run a binary through a loader."""
        scripts = program.root / "usr/share/mysql"
        head = "CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n"
        tail = "\nDELETE FROM mysql.global_priv WHERE User = 'root';\n"  # passwordless, on several host names
        text = head + "\n".join((scripts / name).read_text() for name in MARIADB_BOOTSTRAP) + tail
        command = [*program.argv, "--no-defaults", *self._folders(program), *_as_root(), f"--datadir={data}"]
        done = subprocess.run(
            [*command, "--bootstrap", "--skip-log-bin", "--max-allowed-packet=8M"],
            input=text.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_environment(),
            timeout=START_TIMEOUT,
            check=False,
        )
        if done.returncode != 0:
            raise ServersUnavailable(f"initialising MariaDB failed: {done.stdout.decode(errors='replace')[-500:]}")

    def command(self, program: Program, state: State) -> list[str]:
        return [*super().command(program, state), *MARIADB_FLAGS]

    def _folders(self, program: Program) -> list[str]:
        root = program.root
        return [
            f"--basedir={root}/usr",
            f"--lc-messages-dir={root}/usr/share/mysql/english",
            f"--character-sets-dir={root}/usr/share/mysql/charsets",
            f"--plugin-dir={root}/usr/lib/mysql/plugin",
        ]


class MongoDB(Server):
    """MongoDB as a replica set of one member: transactions and majority reads work, failover does not."""

    name = "mongodb"

    @property
    def marker(self) -> str:
        return f"--dbpath={self.data}"

    def program(self) -> Program:
        return binaries.mongodb()

    def initialise(self, program: Program, data: Path) -> None:
        """Nothing to do: the server fills its directory, the replica set is initiated when it answers."""

    def url(self, state: State) -> str:
        return f"mongodb://127.0.0.1:{state.port}/{DATABASE}?replicaSet={REPLICA_SET}"

    def command(self, program: Program, state: State) -> list[str]:
        return [
            *program.argv,
            self.marker,
            f"--port={state.port}",
            "--bind_ip=127.0.0.1",
            "--nounixsocket",
            f"--replSet={REPLICA_SET}",
            "--wiredTigerCacheSizeGB=0.5",
            "--oplogSize=512",
            "--setParameter=diagnosticDataCollectionEnabled=false",
            OFTEN_JOURNALED,
        ]

    def ask(self, state: State) -> str:
        address = f"mongodb://127.0.0.1:{state.port}/?directConnection=true"
        try:
            with pymongo.MongoClient[dict[str, Any]](address, serverSelectionTimeoutMS=2000) as client:
                self._configure(client, f"127.0.0.1:{state.port}")
                if not client.admin.command("hello").get("isWritablePrimary"):
                    raise NotReady("it is not primary yet")
                return str(client.server_info()["version"])
        except pymongo.errors.PyMongoError as error:
            raise NotReady(str(error)) from None

    def before_start(self, state: State) -> None:
        """Nothing to write: everything is on the command line."""

    def _configure(self, client: pymongo.MongoClient[dict[str, Any]], host: str) -> None:
        try:
            config = client.admin.command("replSetGetConfig")["config"]
        except pymongo.errors.OperationFailure as error:
            if error.code != NOT_YET_INITIALIZED:
                raise
            client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [{"_id": 0, "host": host}]})
            return
        if config["members"][0]["host"] != host:  # its former port was taken meanwhile
            config["members"][0]["host"] = host
            config["version"] += 1
            client.admin.command("replSetReconfig", config, force=True)


def servers_directory() -> Path:
    """``.servers/`` of this checkout."""
    return Path(__file__).resolve().parents[2] / ".servers"


def start(servers: Path | None = None) -> Started:
    """Make all three servers run, in parallel, and write their URLs; what cannot be had is named in ``reasons``."""
    servers = servers or servers_directory()
    with locked(servers / "lock"):
        urls, versions, reasons = _ensure_all([MySQL(servers), MariaDB(servers), MongoDB(servers)])
        started = Started(_environment_of(urls), versions, reasons)
        write_env(servers / "env", started.environment)
    return started


def stop(servers: Path | None = None) -> list[str]:
    """End the servers of this checkout; their data stays. Returns the names of those that ran."""
    servers = servers or servers_directory()
    if not servers.is_dir():
        return []
    with locked(servers / "lock"):
        stopped = [server.name for server in (MySQL(servers), MariaDB(servers), MongoDB(servers)) if server.stop()]
        (servers / "env").unlink(missing_ok=True)
    return stopped


def write_env(path: Path, environment: Mapping[str, str]) -> None:
    """Write lines that a shell can source."""
    write_private(path, "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items()))


def read_env(path: Path) -> dict[str, str]:
    """Read back what `write_env` wrote."""
    pairs = (shlex.split(line)[1].partition("=") for line in path.read_text().splitlines() if line.strip())
    return {name: value for name, _, value in pairs}


def write_private(path: Path, text: str) -> None:
    """Write a file that only the owner reads, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.unlink(missing_ok=True)
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(text)
    aside.rename(path)


def _ensure_all(servers: list[Server]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    urls, versions, reasons = {}, {}, {}
    with concurrent.futures.ThreadPoolExecutor(len(servers)) as pool:
        running = {server: pool.submit(server.ensure) for server in servers}
    for server, outcome in running.items():
        try:
            state, version = outcome.result()
        except (ServersUnavailable, OSError) as error:
            reasons[server.name] = str(error)
        else:
            urls[server.name], versions[server.name] = server.url(state), version
    return urls, versions, reasons


def _environment_of(urls: Mapping[str, str]) -> dict[str, str]:
    environment = {}
    names = {"mysql": MYSQL_URL, "mongodb": MONGODB_URL, "mariadb": MARIADB_URL}
    for server, name in names.items():
        if server in urls:
            environment[name] = urls[server]
    if MYSQL_URL not in environment and MARIADB_URL in environment:
        environment = {MYSQL_URL: environment[MARIADB_URL], **environment, MYSQL_IS_MARIADB: "1"}
    return environment


def _environment() -> dict[str, str]:
    """For programs run through their own loader, which a preloaded library of the machine would break."""
    kept = ("PATH", "HOME", "TZ", "TMPDIR")
    return {"LC_ALL": "C", **{name: os.environ[name] for name in kept if name in os.environ}}


def _spawn(command: list[str], log: Path) -> int:
    """Start a process of its own session that shares nothing with this one, so that it survives it."""
    if log.exists():
        log.rename(log.with_name("log.old"))
    write = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), write, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(command[0], command, _environment(), file_actions=files, setsid=True)


def _has_ended(pid: int) -> bool:
    """Not by its command line: it has none either while it is only just being started."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "ZX"


def _as_root() -> list[str]:
    return ["--user=root"] if os.geteuid() == 0 else []


def _port(previous: State | None) -> int:
    """The port of last time if it is free, so that URLs stay; else any free one.

    A killed server holds its port, and the locks on its files, until its last thread is gone: hence the wait.
    """
    if previous is not None and _wait(lambda: _bindable(previous.port), PORT_TIMEOUT):
        return previous.port
    choose = random.Random()
    for _ in range(PORTS_TRIED):
        port = choose.randrange(LOWEST_PORT, _lowest_ephemeral_port())
        if _bindable(port):
            return port
    raise ServersUnavailable("no free loopback port")


def _lowest_ephemeral_port() -> int:
    """The kernel gives ports from here on to connections, so that a server which is down might lose its own."""
    found = Path("/proc/sys/net/ipv4/ip_local_port_range")
    lowest = int(found.read_text().split()[0]) if found.exists() else 0
    return lowest if lowest > 2 * LOWEST_PORT else USUAL_EPHEMERAL_PORT


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_INTERVAL)
    return True


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    errors = [line for line in lines if re.search(r"ERROR|\"s\":\"[EF]\"", line)] or lines
    return f"{log} says: " + " | ".join(errors[-3:])
