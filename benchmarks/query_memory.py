"""How much memory a process takes that runs one query: ``measure`` starts one, which is this module as a program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque

from benchmarks.memory import Peak, resident
from platform_store import Platform, PlatformStoreError

_MYSQL, _MONGODB = "BENCHMARK_MYSQL_URL", "BENCHMARK_MONGODB_URL"
_TIMEOUT = 600.0


def measure(mysql_url: str, mongodb_url: str, sql: str) -> Peak | None:
    """In a process of its own; None where it failed. Passwords go through its environment, where no list shows them."""
    environment = {**os.environ, _MYSQL: mysql_url, _MONGODB: mongodb_url}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.query_memory", sql],
        env=environment,
        stdout=subprocess.PIPE,
        timeout=_TIMEOUT,
    )
    return None if done.returncode else Peak(**json.loads(done.stdout))


def main() -> None:
    """Runs the query of the command line and prints a Peak."""
    with Platform.open(mysql=os.environ[_MYSQL], mongodb=os.environ[_MONGODB]) as platform:
        opened = resident()
        try:
            with platform.query(sys.argv[1]) as result:
                deque(result, maxlen=0)
        except PlatformStoreError as error:
            sys.exit(f"the query failed: {error}")
    print(json.dumps({"opened": opened, "most": resident()}))


if __name__ == "__main__":
    main()
