"""``python -m tests.servers start|stop|env``: the real servers of this checkout, for the Makefile and for people."""

from __future__ import annotations

import argparse
import sys

from tests.servers import private
from tests.servers.binaries import ServersUnavailable


def main() -> int:
    """Run one action; the exit code is 0 unless a server that was asked for is missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description=__doc__)
    parser.add_argument("action", choices=["start", "stop", "env"])
    actions = {"start": _start, "stop": _stop, "env": _env}
    action = parser.parse_args().action
    try:
        return actions[action]()
    except (ServersUnavailable, OSError) as error:
        print(f"{action} failed: {error}", file=sys.stderr)
        return 1


def _start() -> int:
    started = private.start()
    for name, version in started.versions.items():
        print(f"{name} {version} is running")
    for name, reason in started.reasons.items():
        print(f"{name} is NOT running: {reason}", file=sys.stderr)
    if private.MYSQL_IS_MARIADB in started.environment:
        print(f"*** MariaDB STANDS IN FOR MySQL in {private.MYSQL_URL} ***", file=sys.stderr)
    print(f"their URLs: . {private.servers_directory() / 'env'}")
    return 0 if {private.MYSQL_URL, private.MONGODB_URL} <= started.environment.keys() else 1


def _stop() -> int:
    stopped = private.stop()
    print(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")
    return 0


def _env() -> int:
    path = private.servers_directory() / "env"
    if not path.exists():
        print("no servers: run `make servers` first", file=sys.stderr)
        return 1
    print(path.read_text(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
