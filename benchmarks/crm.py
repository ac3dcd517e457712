"""Measure the services of the CRM against what is written by hand for each."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import report, stats
from benchmarks.crm_scenarios import CRM_SCENARIOS, loaded
from benchmarks.harness import LEAST_REPETITIONS, Outcome, Unequal, repetitions, run
from benchmarks.stores import NoServers, provided

_NAMES = [scenario.name for scenario in CRM_SCENARIOS]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a table for each scenario. The exit code says whether it could be measured, not which bars were met."""
    options = _parser().parse_args(arguments)
    outcomes = []
    try:
        with contextlib.ExitStack() as resources:
            servers = provided(resources)
            print(", ".join(f"{name} {value}" for name, value in servers.facts.items()), flush=True)
            stores = resources.enter_context(loaded(servers, _tell))
            for scenario in CRM_SCENARIOS:
                if options.only and scenario.name not in options.only:
                    continue
                size = replace(scenario.size, repetitions=options.repetitions or scenario.size.repetitions)
                outcome = run(scenario, stores, size, profile=options.profile)
                outcomes.append(outcome)
                print(f"{report.table(outcome)}{medians(outcome)}\n", flush=True)
                if options.profile:
                    print(report.profile(outcome), flush=True)
    except (NoServers, Unequal) as error:
        print(error, file=sys.stderr)
        return 1
    if options.json is not None:
        plain = {"facts": dict(servers.facts), "scenarios": [report.scenario_as_json(one) for one in outcomes]}
        options.json.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 0


def medians(outcome: Outcome) -> str:
    """The ratio of the medians, of a scenario that is judged by its slow calls; else nothing."""
    if outcome.measure != "p95":
        return ""
    baseline, *others = outcome.variants
    ratios = [(one.name, stats.ratio(stats.p50, one.blocks, baseline.blocks)) for one in others]
    return "".join(
        f"  ratio of medians, {name}: {one.value:.2f} ({one.low:.2f} - {one.high:.2f})\n" for name, one in ratios
    )


def _tell(table: str, rows: int) -> None:
    print(f"loading: {table} {rows:,}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks crm", description=__doc__)
    parser.add_argument("--only", action="append", choices=_NAMES, metavar="NAME", help=f"of {', '.join(_NAMES)}")
    parser.add_argument("--repetitions", type=repetitions, metavar="N", help=f"at least {LEAST_REPETITIONS}")
    parser.add_argument("--profile", action="store_true", help="also show where each variant's own time goes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there too")
    return parser
