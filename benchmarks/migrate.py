"""Measure moving a whole table between the stores: against what the servers can do, plain loops, and other tools."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks import migrate_steady, report, stats
from benchmarks.harness import LEAST_REPETITIONS, Outcome, Unequal, repetitions, run
from benchmarks.migrate_data import filled
from benchmarks.migrate_pages import warm
from benchmarks.migrate_scenarios import LIBRARY, MIGRATE_SCENARIOS, NAIVE, PAGES, TO_MONGODB, Migration, Peer
from benchmarks.stats import Bar
from benchmarks.stores import NoServers, provided
from platform_store import Platform

ROWS = 200_000
STEADY_ROWS = 2_000_000
AGAINST_NAIVE = Bar("at least", 2.2)
_NAMES = [*(scenario.name for scenario in MIGRATE_SCENARIOS), "steady"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints what was measured. The exit code says whether it could be measured, not which bars were met."""
    options = _parser().parse_args(arguments)
    wanted = options.only or _NAMES
    plain: dict[str, Any] = {}
    try:
        with contextlib.ExitStack() as resources:
            servers = provided(resources)
            print(", ".join(f"{name} {value}" for name, value in servers.facts.items()), flush=True)
            with ProcessPoolExecutor(max(PAGES), get_context("spawn"), warm) as pool:
                with (
                    filled(servers.mysql_url, servers.mongodb_url, options.rows) as source,
                    Platform.open(mysql=source.mysql_url, mongodb=source.mongodb_url) as platform,
                ):
                    migration = Migration(source, platform, pool, tuple(options.peer))
                    outcomes = _outcomes(migration, [one for one in MIGRATE_SCENARIOS if one.name in wanted], options)
                if "steady" in wanted:
                    with filled(servers.mysql_url, servers.mongodb_url, options.steady_rows) as source:
                        steady = migrate_steady.measure(source)
                    print(migrate_steady.table(steady), flush=True)
                    plain["steady"] = [vars(one) for one in steady]
            plain |= {"facts": dict(servers.facts), "scenarios": [report.scenario_as_json(one) for one in outcomes]}
    except (NoServers, Unequal) as error:
        print(error, file=sys.stderr)
        return 1
    if options.json is not None:
        options.json.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 0


def _outcomes(migration: Migration, scenarios: Sequence[Any], options: argparse.Namespace) -> list[Outcome]:
    outcomes = []
    for scenario in scenarios:
        size = replace(scenario.size, rows_per_call=migration.source.rows)
        size = replace(size, repetitions=options.repetitions or size.repetitions)
        outcome = run(scenario, migration, size, profile=options.profile)
        outcomes.append(outcome)
        print(report.table(outcome), flush=True)
        if outcome.name == TO_MONGODB:
            print(against_naive(outcome), flush=True)
        if options.profile:
            print(report.profile(outcome), flush=True)
    return outcomes


def against_naive(outcome: Outcome) -> str:
    """How often as fast as the plain loop, in the same run."""
    blocks: Mapping[str, Sequence[stats.Block]] = {one.name: one.blocks for one in outcome.variants}
    lines = [["against the plain loop", "ratio", "95 % interval", "bar", ""]]
    for name in blocks.keys() - {NAIVE}:
        ratio = stats.ratio(stats.rate, blocks[name], blocks[NAIVE])
        bar = AGAINST_NAIVE if name in LIBRARY.values() else None
        verdict = "" if bar is None else "met" if bar.met(ratio) else "MISSED"
        lines.append([name, f"{ratio.value:.2f}", f"{ratio.low:.2f} - {ratio.high:.2f}", str(bar or ""), verdict])
    return f"{report.aligned([lines[0], *sorted(lines[1:])])}\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks migrate", description=__doc__)
    parser.add_argument("--only", action="append", choices=_NAMES, metavar="NAME", help=f"of {', '.join(_NAMES)}")
    parser.add_argument("--repetitions", type=repetitions, metavar="N", help=f"at least {LEAST_REPETITIONS}")
    parser.add_argument("--rows", type=int, default=ROWS, metavar="N", help=f"of the table, {ROWS:,} unless told")
    parser.add_argument("--steady-rows", type=int, default=STEADY_ROWS, metavar="N", help=f"{STEADY_ROWS:,}")
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        type=Peer.parse,
        metavar="NAME=PYTHON",
        help="another tool (dlt, omnidbm), and the interpreter that has it installed",
    )
    parser.add_argument("--profile", action="store_true", help="also show where each variant's own time goes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
