"""Measure the library on real servers, against what is written by hand, each database alone, and other tools.

`compare A B`: two kept runs side by side. `report FILE`: the tables, docs/benchmarks.md and its pictures of a kept run.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any

import pymongo.errors
import pymysql

from benchmarks import compare, document, report
from benchmarks.cases import Options, World, numbers
from benchmarks.data import customers, sizes
from benchmarks.harness import LEAST_REPETITIONS, Unequal, repetitions
from benchmarks.migrate_scenarios import Peer
from benchmarks.registry import worlds
from benchmarks.results import Results, Unlike, fingerprint
from benchmarks.stores import NoServers, Servers, provided
from benchmarks.workers import ClientFailed
from crm_model.sample import SIZES as SAMPLES
from platform_store import PlatformStoreError
from tests.servers.binaries import ServersUnavailable

MINUTES = 25.0
_SAMPLE = 1000
_FAILURES = (
    Unequal,
    ClientFailed,
    PlatformStoreError,
    ServersUnavailable,
    pymysql.Error,
    pymongo.errors.PyMongoError,
    subprocess.SubprocessError,
    BrokenExecutor,
    OSError,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a table for each case. The exit code says whether all could be measured, not which bars were met."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["compare"]:
        return compare.main(given[1:])
    if given[:1] == ["report"]:
        return document.main(given[1:])
    parsed = _parser().parse_args(given)
    options = Options.of(parsed)
    every = worlds(options)
    wanted = _wanted(every, parsed.only)
    if parsed.list:
        print("\n".join(case.name for world in every for case in world.cases if case.name in wanted))
        return 0
    if not wanted:
        print(f"no case is called {' or '.join(parsed.only)}; --list has their names", file=sys.stderr)
        return 2
    try:
        with contextlib.ExitStack() as resources:
            servers = provided(resources)
            results = Results.begin(_head(servers, options), parsed.json, fresh=parsed.fresh)
            print(report.head(results.plain), flush=True)
            if all(results.has(name) for name in wanted):
                print(f"{parsed.json} has all of it; --fresh begins anew", file=sys.stderr)
                return 0
            print(plan(every, wanted, results), flush=True)
            return measure(every, wanted, servers, options, results, time.monotonic() + parsed.minutes * 60)
    except (NoServers, Unlike) as error:
        print(error, file=sys.stderr)
        return 1


def measure(
    every: Sequence[World[Any]],
    wanted: Collection[str],
    servers: Servers,
    options: Options,
    results: Results,
    deadline: float,
) -> int:
    """What is not there yet, until the time is over; the rest is left for the same command again."""
    failed, left = [], []
    for world in every:
        missing = [case for case in world.cases if case.name in wanted and not results.has(case.name)]
        with contextlib.ExitStack() as opened:
            stores: Any = None
            while missing and time.monotonic() < deadline:
                case, begun, load = missing.pop(0), time.monotonic(), os.getloadavg()[0]
                try:
                    stores = stores or opened.enter_context(world.open(servers, options))
                    found = case.measure(stores, options)
                except _FAILURES as error:  # of the other cases something can still be learnt
                    found = {"failed": f"{type(error).__name__}: {error}"[:500]}
                    failed.append(case.name)
                    if stores is None:  # they would all try for as long
                        failed += [one.name for one in missing]
                        missing = []
                found |= {"took_seconds": round(time.monotonic() - begun, 1), "load_before": round(load, 1)}
                results.add(case.name, found)
                print(report.table(case.name, results.cases[case.name]), flush=True)
        left += [case.name for case in missing]
    if left:
        print(f"the time is over; the same command measures the other {len(left)}: {', '.join(left)}", file=sys.stderr)
    if failed:
        print(f"failed, and tried again by the same command: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed or left else 0


def plan(every: Sequence[World[Any]], wanted: Collection[str], results: Results) -> str:
    """What will be measured, and about how long that takes on two cores that have nothing else to do."""
    lines, total, count = [], 0.0, 0
    for world in every:
        missing = [case for case in world.cases if case.name in wanted and not results.has(case.name)]
        if missing:
            seconds = world.seconds + sum(case.seconds for case in missing)
            lines.append(f"  {world.name:<16} {len(missing):>3} cases, about {seconds:>4.0f} s")
            total, count = total + seconds, count + len(missing)
    return "\n".join([*lines, f"  {'together':<16} {count:>3} cases, about {total / 60:.0f} minutes\n"])


def _wanted(every: Sequence[World[Any]], only: Sequence[str] | None) -> set[str]:
    """The names of cases: those of a world, a case, or all cases of an operation ("read", "read@1000")."""
    return {
        case.name
        for world in every
        for case in world.cases
        if (only is None and not world.apart)
        or {world.name, case.name, case.name.partition("@")[0], case.name.partition("x")[0]} & set(only or ())
    }


def _head(servers: Servers, options: Options) -> dict[str, Any]:
    mysql, document = sizes(customers(1, _SAMPLE))
    return {
        "quick": options.quick,
        "facts": {**servers.facts, "source": fingerprint()},
        "row_bytes": {"mysql_as_text": mysql, "document_as_bson": document},
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", metavar="NAME", help="a case, an operation or a world; see --list")
    parser.add_argument("--list", action="store_true", help="the names of all cases")
    parser.add_argument("--quick", action="store_true", help="in little, to see that it works")
    parser.add_argument("--sizes", type=numbers, metavar="N,N", help="rows of the tables (default: 1,000 to 1,000,000)")
    parser.add_argument("--clients", type=numbers, metavar="N,N", help="how many at once (default: 1,4,16)")
    parser.add_argument("--sample", choices=list(SAMPLES), default="M", help="of the queries (default: %(default)s)")
    parser.add_argument("--repetitions", type=repetitions, metavar="N", help=f"at least {LEAST_REPETITIONS}")
    parser.add_argument(
        "--minutes", type=float, default=MINUTES, metavar="N", help="no case begins later (default: %(default)s)"
    )
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        type=Peer.parse,
        metavar="NAME=PYTHON",
        help="another tool (dlt, omnidbm), and the interpreter that has it (default: those that this one has)",
    )
    parser.add_argument("--profile", action="store_true", help="also show where each variant's own time goes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep everything there; what it has is not run again")
    parser.add_argument("--fresh", action="store_true", help="begin anew where the file is there already")
    return parser
