"""The real servers as containers, where an engine runs on this machine; they end with the test session."""

from __future__ import annotations

import contextlib
import importlib
import os
import secrets
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import pymongo
import pymongo.errors
import pymysql

from tests.servers.binaries import ServersUnavailable
from tests.servers.databases import sql_version
from tests.servers.private import (
    DATABASE,
    LOCAL_INFILE,
    MARIADB_FLAGS,
    OFTEN_JOURNALED,
    REPLICA_SET,
    SHARED_TABLESPACE,
)

ENGINE_TIMEOUT = 5
READY_TIMEOUT = 180.0

T = TypeVar("T")


def start_containers(resources: contextlib.ExitStack) -> dict[str, str]:
    """Start the three servers and return their URLs by name; `ServersUnavailable` where no engine answers."""
    docker = _engine()
    from testcontainers.core.exceptions import ContainerStartException

    with contextlib.ExitStack() as undo:
        try:
            urls = _start_all(undo)
        except (docker.errors.DockerException, ContainerStartException, OSError, ServersUnavailable) as error:
            raise ServersUnavailable(f"a container engine answers, but the servers do not start: {error}") from error
        resources.push(undo.pop_all())
    return urls


def _engine() -> Any:
    """The client library, when an engine behind it answers: the client alone may be installed without one."""
    try:
        docker: Any = importlib.import_module("docker")
        importlib.import_module("testcontainers.core.container")
    except ImportError:
        raise ServersUnavailable("testcontainers is not installed") from None
    if not _something_listens():
        raise ServersUnavailable("no container engine answers")
    try:
        with contextlib.closing(docker.from_env(timeout=ENGINE_TIMEOUT)) as client:
            client.ping()
    except (docker.errors.DockerException, OSError):
        raise ServersUnavailable("no container engine answers") from None
    return docker


def _something_listens() -> bool:
    """Whether the engine's local socket is served; asked first because the client leaks a socket where it is not."""
    address = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    if not address.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(address.removeprefix("unix://")) == 0


def _start_all(undo: contextlib.ExitStack) -> dict[str, str]:
    password = secrets.token_urlsafe(18)
    ports = {name: _free_port() for name in ("mysql", "mariadb", "mongodb")}
    flags = [LOCAL_INFILE, SHARED_TABLESPACE]
    _run(undo, "mysql:9", 3306, ports["mysql"], flags, MYSQL_ROOT_PASSWORD=password, MYSQL_DATABASE=DATABASE)
    flags = list(MARIADB_FLAGS)
    _run(
        undo, "mariadb:10.11", 3306, ports["mariadb"], flags, MARIADB_ROOT_PASSWORD=password, MARIADB_DATABASE=DATABASE
    )
    # The same port inside and outside: the replica set tells clients its member's address.
    mongod = ["--replSet", REPLICA_SET, "--bind_ip_all", "--port", str(ports["mongodb"]), OFTEN_JOURNALED]
    _run(undo, "mongo:6", ports["mongodb"], ports["mongodb"], mongod)
    urls = {
        name: f"mysql+pymysql://root:{password}@127.0.0.1:{ports[name]}/{DATABASE}" for name in ("mysql", "mariadb")
    }
    for url in urls.values():
        _until_ready(partial(sql_version, url), pymysql.MySQLError)
    _until_ready(partial(_initiate, f"127.0.0.1:{ports['mongodb']}"), pymongo.errors.PyMongoError)
    return {**urls, "mongodb": f"mongodb://127.0.0.1:{ports['mongodb']}/{DATABASE}?replicaSet={REPLICA_SET}"}


def _run(
    undo: contextlib.ExitStack, image: str, inside: int, outside: int, command: list[str], **environment: str
) -> None:
    from testcontainers.core.container import DockerContainer

    container = DockerContainer(image).with_envs(**environment)
    if command:
        container.with_command(command)
    container.ports[f"{inside}/tcp"] = ("127.0.0.1", outside)  # type: ignore[assignment] # the engine takes a pair
    undo.callback(container.stop)
    container.start()
    if container.get_container_host_ip() not in {"localhost", "127.0.0.1"}:
        raise ServersUnavailable("the engine is on another machine")


def _initiate(host: str) -> None:
    with pymongo.MongoClient[dict[str, Any]](
        f"mongodb://{host}/?directConnection=true", serverSelectionTimeoutMS=1000
    ) as client:
        if not client.admin.command("hello").get("setName"):
            client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [{"_id": 0, "host": host}]})
        if not client.admin.command("hello").get("isWritablePrimary"):
            raise pymongo.errors.NotPrimaryError("not primary yet")


def _until_ready(attempt: Callable[[], T], not_ready: type[Exception]) -> T:
    deadline = time.monotonic() + READY_TIMEOUT
    while True:
        try:
            return attempt()
        except not_ready:
            if time.monotonic() > deadline:
                raise ServersUnavailable(f"not ready after {READY_TIMEOUT:.0f} s") from None
            time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
