"""Two kept runs side by side: which ratios have changed by more than their noise.

Ratios, not times: each was taken in one run, against the same baseline, so that a busier machine changes it least.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks import report
from benchmarks.cases import existing
from benchmarks.results import Plain


def main(arguments: Sequence[str]) -> int:
    """Prints what is in both runs. The exit code says nothing about which one is faster."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks compare", description=__doc__)
    parser.add_argument("first", type=existing, metavar="A.json")
    parser.add_argument("second", type=existing, metavar="B.json")
    given = parser.parse_args(arguments)
    print(text(*(json.loads(path.read_text("utf-8")) for path in (given.first, given.second))))
    return 0


def text(first: Plain, second: Plain) -> str:
    """The facts in which the runs differ, and each variant of each case that is in both."""
    parts = [
        f"{name}: {first['facts'].get(name)} -> {second['facts'].get(name)}"
        for name in dict.fromkeys([*first["facts"], *second["facts"]])
        if first["facts"].get(name) != second["facts"].get(name)
    ]
    lines = [["case", "variant", "value before", "now", "now/before", "ratio before", "ratio now", ""]]
    lines += _lines(first["cases"], second["cases"])
    alone = sorted(first["cases"].keys() ^ second["cases"].keys())
    parts += ["", report.aligned(lines)]
    if alone:
        parts += ["", f"only in one of them: {', '.join(alone)}"]
    return "\n".join(parts).strip()


def change(before: Mapping[str, float], now: Mapping[str, float], measure: str) -> str:
    """What can be said of a ratio in two runs: nothing where the intervals overlap."""
    if before["low"] <= now["high"] and now["low"] <= before["high"]:
        return ""
    return "better" if (now["value"] > before["value"]) == (measure == "rate") else "WORSE"


def _lines(first: Mapping[str, Plain], second: Mapping[str, Plain]) -> Iterator[list[str]]:
    for name, case in first.items():
        other = second.get(name)
        if other is None or "failed" in case or "failed" in other:
            continue
        now = {variant["name"]: variant for variant in other["variants"]}
        for variant in case["variants"]:
            if variant["name"] in now:
                yield [name, *_line(case["measure"], variant, now[variant["name"]])]


def _line(measure: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    values = [report.value(measure, variant["value"]) for variant in (before, now)]
    figures = [before["name"], *values, f"{now['value'] / before['value']:.2f}"]
    if before["ratio"] is None or now["ratio"] is None:
        return [*figures, "", "", ""]
    ratios = [report.interval(variant["ratio"]) for variant in (before, now)]
    return [*figures, *ratios, change(before["ratio"], now["ratio"], measure)]
