"""``python -m tests.fuzz``: queries until the time is up. Exit code 1: the library answered otherwise than MySQL."""

from __future__ import annotations

import argparse
import contextlib
import secrets
import sys
from typing import Literal

from tests.fuzz.campaign import Campaign, Counts, ServerLost
from tests.fuzz.world import Urls
from tests.servers import provide


def main() -> int:
    """Runs, prints each mismatch as it is found and one line of counts at the end, and returns the exit code."""
    arguments = _arguments()
    with contextlib.ExitStack() as resources:
        try:
            servers = provide.provide(resources)
        except provide.UnreachableServer as error:
            print(error, file=sys.stderr)
            return 2
        urls = _urls(servers, arguments.server)
        if not urls:
            print("\n".join(servers.header()), file=sys.stderr)
            return 2
        print(f"seed {arguments.seed}, on {' and '.join(one.server for one in urls)}", flush=True)
        counts = Counts()
        campaign = Campaign(
            urls,
            arguments.seed,
            counts,
            say=lambda text: print(f"MISMATCH {text}", flush=True),
            all_in_mysql=arguments.all_in_mysql,
            partial_dates=arguments.partial_dates,
            shrink=not arguments.no_shrink,
            scenarios=None if arguments.scenario is None else [arguments.scenario],
        )
        try:
            campaign.run(arguments.minutes * 60)
        except KeyboardInterrupt:
            pass
        except ServerLost as error:
            print(f"LOST {error}", file=sys.stderr)
            return 2
    for text in counts.given_up:
        print(f"GIVEN UP {text}")
    for text in counts.by_plan:
        print(f"BY PLAN {text}")
    for construct, example in counts.examples.items():
        print(f"REFUSED {construct}: {example}")
    print(counts)
    return 1 if counts.mismatches else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of every choice (default: any)")
    parser.add_argument("--server", choices=["mysql", "mariadb"], help="one of the two (default: both in turn)")
    parser.add_argument("--scenario", type=int, help="only the one of this number")
    parser.add_argument("--all-in-mysql", action="store_true", help="no document columns: tests the harness")
    parser.add_argument("--partial-dates", action="store_true", help="also dates with a month or day of zero")
    parser.add_argument("--no-shrink", action="store_true", help="print mismatches as they were found")
    return parser.parse_args()


def _urls(servers: provide.Servers, only: Literal["mysql", "mariadb"] | None) -> list[Urls]:
    if servers.mongodb_url is None:
        return []
    urls = []
    if servers.mysql_url is not None and only != "mariadb":
        urls.append(Urls("mariadb" if servers.mysql_is_mariadb else "mysql", servers.mysql_url, servers.mongodb_url))
    if servers.mariadb_url is not None and only != "mysql":
        urls.append(Urls("mariadb", servers.mariadb_url, servers.mongodb_url))
    return urls


if __name__ == "__main__":
    sys.exit(main())
