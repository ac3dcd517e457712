"""Run the benchmarks on real servers: the library against what is written by hand.

Queries alone: `query`. Whole tables: `migrate`. The services of the CRM: `crm`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import crm, migrate, query, report
from benchmarks.data import customers, sizes
from benchmarks.harness import LEAST_REPETITIONS, Outcome, Unequal, repetitions, run
from benchmarks.scenarios import SCENARIOS
from benchmarks.stores import NoServers, provided

_SAMPLE = 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a table for each scenario. The exit code says whether it could be measured, not which bars were met."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["query"]:
        return query.main(given[1:])
    if given[:1] == ["migrate"]:
        return migrate.main(given[1:])
    if given[:1] == ["crm"]:
        return crm.main(given[1:])
    options = _parser().parse_args(given)
    row_bytes = sizes(customers(1, _SAMPLE))
    outcomes: list[Outcome] = []
    try:
        with contextlib.ExitStack() as resources:
            servers = provided(resources)
            print(report.head(servers.facts, row_bytes), flush=True)
            for scenario in SCENARIOS:
                if options.only and scenario.name not in options.only:
                    continue
                size = scenario.size.quick() if options.quick else scenario.size
                size = replace(size, repetitions=options.repetitions or size.repetitions)
                with servers.stores() as stores:
                    outcome = run(scenario, stores, size, profile=options.profile)
                outcomes.append(outcome)
                print(report.table(outcome), flush=True)
                if options.profile:
                    print(report.profile(outcome), flush=True)
    except (NoServers, Unequal) as error:
        print(error, file=sys.stderr)
        return 1
    if options.json is not None:
        plain = report.as_json(servers.facts, row_bytes, outcomes)
        options.json.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--repetitions", type=repetitions, metavar="N", help=f"at least {LEAST_REPETITIONS}")
    parser.add_argument("--quick", action="store_true", help="in little, to see that it works")
    parser.add_argument("--profile", action="store_true", help="also show where each variant's own time goes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
