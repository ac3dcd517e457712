"""``python -m tests.torture``: one run on servers of its own. Exit code 1: a guarantee was broken."""

from __future__ import annotations

import argparse
import contextlib
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.servers.binaries import ServersUnavailable
from tests.torture import guard
from tests.torture.breaks import BREAKS
from tests.torture.run import Options, run

SHOWN = 20  # violations


def main() -> int:
    """Runs, prints one line of counts at the end, and returns the exit code."""
    arguments = _arguments()
    options = Options(
        seed=arguments.seed,
        seconds=arguments.minutes * 60,
        pause=arguments.pause,
        mariadb=arguments.mariadb,
        broken=arguments.broken,
        faults=not arguments.no_faults,
        strict_orphans=arguments.strict_orphans,
    )
    directory = Path(tempfile.mkdtemp(prefix="torture-"))
    print(f"seed {options.seed}; the log is {directory / 'log'}", flush=True)
    with _guarded(directory):
        try:
            outcome = run(options, directory)
        except ServersUnavailable as error:
            print(error.reason, file=sys.stderr)
            return 2
    for violation in outcome.violations[:SHOWN]:
        print(f"VIOLATION {violation}")
    if not outcome.violations and not arguments.keep:
        shutil.rmtree(directory)
    print(outcome.counts)
    return 1 if outcome.violations else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of every choice (default: any)")
    parser.add_argument("--mariadb", action="store_true", help="MariaDB instead of MySQL")
    parser.add_argument("--pause", type=float, default=0.002, help="seconds between two operations of a client")
    parser.add_argument("--break", dest="broken", choices=BREAKS, help="break the library: violations must be found")
    parser.add_argument("--no-faults", action="store_true", help="kill nothing")
    parser.add_argument("--strict-orphans", action="store_true", help="a document without a row is a violation")
    parser.add_argument("--keep", action="store_true", help="keep the log also of a run without violations")
    return parser.parse_args()


@contextlib.contextmanager
def _guarded(directory: Path) -> Iterator[None]:
    """Whatever happens to this process, the servers and clients of the directory end with it."""
    guarding = guard.start(directory)
    try:
        yield
    finally:
        assert guarding.stdin is not None
        guarding.stdin.close()
        guarding.wait()


if __name__ == "__main__":
    sys.exit(main())
