"""Clients, mongod and mysqld killed under load (``make torture`` in small), and proof that the harness would notice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers import binaries, provide
from tests.servers.binaries import ServersUnavailable

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS, SEED = 20, 3  # in which each kind of fault comes three times or more: `make torture` takes its time
SECONDS_BROKEN, SEEDS_BROKEN = 8, range(3, 9)
TIMEOUT = 240.0

pytestmark = pytest.mark.real


@pytest.fixture(scope="module", autouse=True)
def _programs() -> None:
    """A run has servers of its own, whichever servers the other tests use."""
    try:
        binaries.mysql()
        binaries.mongodb()
    except ServersUnavailable as error:
        if provide.required():
            raise
        pytest.skip(error.reason)


@pytest.fixture
def torture(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the harness; a log of violations stays in the test's directory."""

    def run(seconds: float, seed: int, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tests.torture", "--minutes", str(seconds / 60), "--seed", str(seed)]
        return subprocess.run(
            [*command, *arguments],
            cwd=REPOSITORY,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    return run


def test_nothing_is_lost_or_torn_whatever_is_killed(torture: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = torture(SECONDS, SEED)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = done.stdout.splitlines()[-1]
    assert "violations 0" in counts
    for fault in ("kill client", "kill mongod", "kill mysqld", "stop"):
        assert fault in counts


def test_a_broken_library_is_found_out(torture: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    found = []
    for seed in SEEDS_BROKEN:
        done = torture(SECONDS_BROKEN, seed, "--break", "no-journal")
        assert done.returncode in (0, 1), done.stdout + done.stderr
        found.append(done.stdout)
        if done.returncode == 1:
            assert "VIOLATION" in done.stdout
            return
    pytest.fail(f"the journal was left out, and nothing was noticed: {found}")
