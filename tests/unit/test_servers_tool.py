"""The choice of real servers and the bookkeeping of private ones, tested without any server."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers import binaries, containers, private, provide
from tests.servers.binaries import ServersUnavailable
from tests.servers.databases import with_mongodb_database
from tests.servers.private import MARIADB_URL, MONGODB_URL, MYSQL_IS_MARIADB, MYSQL_URL, Started
from tests.waiting import PATIENCE

REPOSITORY = Path(__file__).resolve().parents[2]
NEEDS_MYSQL = "def test_on_mysql(mysql_url): raise AssertionError('must not run')\n"


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No setting of this run leaks into the choice under test."""
    for name in [name for name in os.environ if name.startswith("PLATFORM_STORE_")]:
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.fixture
def run_pytest(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run one test that needs MySQL in a pytest of its own, with this project's conftest and the given settings."""

    def run(**settings: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "test_sample.py").write_text(NEEDS_MYSQL)
        (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = real\n")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PLATFORM_STORE_")}
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "tests.conftest", "--rootdir", tmp_path, "-rs", tmp_path],
            cwd=REPOSITORY,
            env={**environment, **settings},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    return run


def unused_port() -> int:
    """A loopback port where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class TestEnvironmentFile:
    def test_reads_back_what_was_written(self, tmp_path: Path) -> None:
        urls = {MYSQL_URL: "mysql+pymysql://u:p'&$x@127.0.0.1:1/d", MONGODB_URL: "mongodb://127.0.0.1:2/d?replicaSet=r"}
        private.write_env(tmp_path / "env", urls)
        assert private.read_env(tmp_path / "env") == urls

    def test_a_shell_reads_the_same(self, tmp_path: Path) -> None:
        url = "mysql+pymysql://u:p'&$x@127.0.0.1:1/d?a=1&b=2"
        private.write_env(tmp_path / "env", {MYSQL_URL: url})
        script = f'. "$0"; printf %s "${MYSQL_URL}"'
        done = subprocess.run(["sh", "-c", script, tmp_path / "env"], capture_output=True, text=True, check=True)
        assert done.stdout == url

    def test_only_the_owner_reads_it(self, tmp_path: Path) -> None:
        path = tmp_path / "env"
        path.write_text("old")
        path.chmod(0o644)
        private.write_env(path, {MYSQL_URL: "x"})
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


class TestChoice:
    def test_given_urls_come_first(self, clean_environment: pytest.MonkeyPatch) -> None:
        clean_environment.setenv(MYSQL_URL, "mysql+pymysql://given/db")
        clean_environment.setenv(MONGODB_URL, "mongodb://given/db")
        clean_environment.setattr(provide, "_version", lambda name, _: f"{name} 1")
        clean_environment.setattr(containers, "start_containers", refuse_to_be_called)
        clean_environment.setattr(private, "start", refuse_to_be_called)
        with contextlib.ExitStack() as resources:
            servers = provide.provide(resources)
        assert (servers.mysql_url, servers.mongodb_url) == ("mysql+pymysql://given/db", "mongodb://given/db")
        assert servers.mariadb_url is None
        assert MARIADB_URL in servers.reasons["mariadb"]

    def test_containers_come_before_private_servers(self, clean_environment: pytest.MonkeyPatch) -> None:
        clean_environment.setattr(containers, "start_containers", lambda _: {"mysql": "mysql+pymysql://container/db"})
        clean_environment.setattr(provide, "_version", lambda *_: "9")
        clean_environment.setattr(private, "start", refuse_to_be_called)
        with contextlib.ExitStack() as resources:
            assert provide.provide(resources).mysql_url == "mysql+pymysql://container/db"

    def test_private_servers_come_last(self, clean_environment: pytest.MonkeyPatch) -> None:
        started = Started({MONGODB_URL: "mongodb://private/db"}, {"mongodb": "6"}, {"mysql": "no mirror"})
        clean_environment.setattr(containers, "start_containers", no_engine)
        clean_environment.setattr(private, "start", lambda: started)
        with contextlib.ExitStack() as resources:
            servers = provide.provide(resources)
        assert servers.mongodb_url == "mongodb://private/db"
        assert "no engine" in servers.source
        assert any("mysql MISSING: no mirror" in line for line in servers.header())

    def test_the_header_is_loud_when_mariadb_stands_in(self, clean_environment: pytest.MonkeyPatch) -> None:
        environment = {MYSQL_URL: "mysql://m/d", MARIADB_URL: "mysql://m/d", MYSQL_IS_MARIADB: "1"}
        started = Started(environment, {"mariadb": "10.11.0-MariaDB"}, {"mysql": "cannot be unpacked"})
        clean_environment.setattr(containers, "start_containers", no_engine)
        clean_environment.setattr(private, "start", lambda: started)
        with contextlib.ExitStack() as resources:
            header = "\n".join(provide.provide(resources).header())
        assert "*** MariaDB STANDS IN FOR MySQL: cannot be unpacked ***" in header


class TestSession:
    @pytest.mark.parametrize(
        "settings",
        [
            {MYSQL_URL: "mysql+pymysql://u:secret@127.0.0.1:{port}/d"},
            {MONGODB_URL: "mongodb://127.0.0.1:{port}/d?serverSelectionTimeoutMS=200"},
            {MYSQL_URL: "not a url"},
        ],
    )
    def test_a_url_that_is_unreachable_aborts_the_run(
        self, run_pytest: Callable[..., subprocess.CompletedProcess[str]], settings: dict[str, str]
    ) -> None:
        port = unused_port()
        done = run_pytest(**{name: value.format(port=port) for name, value in settings.items()})
        assert done.returncode == pytest.ExitCode.INTERRUPTED
        assert f"{next(iter(settings))} is given but cannot be reached" in done.stdout + done.stderr
        assert "secret" not in done.stdout + done.stderr

    def test_without_servers_a_test_skips_with_the_reason(
        self, run_pytest: Callable[..., subprocess.CompletedProcess[str]]
    ) -> None:
        done = run_pytest(PLATFORM_STORE_NO_SERVERS="1")
        assert done.returncode == pytest.ExitCode.OK
        assert "real servers: not used" in done.stdout
        assert "1 skipped" in done.stdout
        assert "no real mysql server: PLATFORM_STORE_NO_SERVERS=1" in done.stdout

    def test_without_servers_a_test_fails_where_they_are_required(
        self, run_pytest: Callable[..., subprocess.CompletedProcess[str]]
    ) -> None:
        done = run_pytest(PLATFORM_STORE_NO_SERVERS="1", PLATFORM_STORE_REQUIRE_SERVERS="1")
        assert done.returncode == pytest.ExitCode.TESTS_FAILED
        assert "no real mysql server" in done.stdout
        assert "skipped" not in done.stdout


class TestPrivateServers:
    def test_a_process_that_is_not_the_server_is_never_ended(self, tmp_path: Path) -> None:
        server = private.MySQL(tmp_path)
        with subprocess.Popen(["sleep", "600"]) as bystander:
            state = {"pid": bystander.pid, "port": 1, "password": "x"}
            private.write_private(server.home / "state.json", json.dumps(state))
            assert server.stop() is False
            assert bystander.poll() is None
            bystander.kill()

    def test_a_server_is_found_when_its_pid_was_never_noted(self, tmp_path: Path) -> None:
        server = private.MongoDB(tmp_path)
        sleeper = ["sh", "-c", "sleep 600; :", "sh", server.marker]
        with subprocess.Popen(sleeper, start_new_session=True) as process:
            assert private._wait(lambda: server.pid() == process.pid, PATIENCE)
            os.killpg(process.pid, 9)
        assert private._wait(lambda: server.pid() is None, PATIENCE)  # its child may take a moment longer

    def test_stopping_where_nothing_was_started_is_harmless(self, tmp_path: Path) -> None:
        assert private.stop(tmp_path / "absent") == []
        assert not (tmp_path / "absent").exists()


class TestCache:
    @pytest.fixture(autouse=True)
    def _own_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def test_a_second_clone_makes_nothing(self) -> None:
        first = binaries._cached("thing", lambda target: (target / "binary").touch())
        assert (first / "binary").exists()
        assert binaries._cached("thing", refuse_to_be_called) == first

    def test_a_failure_leaves_nothing_half_made(self) -> None:
        def fail(target: Path) -> None:
            (target / "binary").touch()
            raise ServersUnavailable("download cut")

        with pytest.raises(ServersUnavailable, match="download cut"):
            binaries._cached("thing", fail)
        assert [path.name for path in binaries.cache_directory().iterdir()] == ["thing.lock"]

    def test_leftovers_of_a_killed_process_are_removed(self) -> None:
        leftover = binaries.cache_directory() / ".thing~killed"
        leftover.mkdir(parents=True)
        binaries._cached("thing", lambda target: (target / "binary").touch())
        assert not leftover.exists()

    def test_a_failing_command_says_what_it_printed(self) -> None:
        with pytest.raises(ServersUnavailable, match=r"MySQL: sh failed with 3: no such mirror"):
            binaries.run(["sh", "-c", "echo no such mirror; exit 3"], "MySQL")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mongodb://h:1/a?replicaSet=r", "mongodb://h:1/new?replicaSet=r"),
        ("mongodb://u:p@h:1,h2:2/a", "mongodb://u:p@h:1,h2:2/new?authSource=a"),
        ("mongodb://u:p@h:1/", "mongodb://u:p@h:1/new?authSource=admin"),
        ("mongodb://u:p@h:1/a?authsource=b", "mongodb://u:p@h:1/new?authsource=b"),
    ],
)
def test_another_database_keeps_the_account_where_it_is(url: str, expected: str) -> None:
    assert with_mongodb_database(url, "new") == expected


def refuse_to_be_called(*_: object) -> None:
    """Stands where nothing may be asked for."""
    raise AssertionError("a later choice was tried although an earlier one answered")


def no_engine(_: contextlib.ExitStack) -> dict[str, str]:
    """A machine without a container engine."""
    raise ServersUnavailable("no engine")
