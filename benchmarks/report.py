"""Cases as plain tables for a terminal. They are made from the JSON alone, so that a kept run can be told again."""

from __future__ import annotations

import pstats
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from benchmarks.harness import Outcome
from benchmarks.results import Plain

_HEADINGS = {
    "p50": ("p50 ms", "quartiles", "p95", "ratio"),
    "p95": ("p50 ms", "quartiles", "p95", "ratio of p95"),
    "rate": ("rows/s", "quartiles", "", "ratio"),
}
_PROFILE_LINES = 25


def head(run: Plain) -> str:
    """What was measured on, and how large the rows were."""
    named = ", ".join(f"{name} {value}" for name, value in run["facts"].items())
    sizes = run["row_bytes"]
    mysql, document = sizes["mysql_as_text"], sizes["document_as_bson"]
    return f"{named}\na row: {mysql:.0f} bytes in MySQL (as text), {document:.0f} in MongoDB (BSON)\n"


def table(name: str, case: Plain) -> str:
    """One case: its variants, what else it has found, and its bars."""
    if "failed" in case:
        return f"{name}: FAILED: {case['failed']}\n"
    parts = [f"{case['about']}{_amount(case)}"]
    if case["variants"]:
        lines = [[name, *_HEADINGS[case["measure"]], "95 % interval", "afterwards", "MB of a process"]]
        parts.append(aligned([*lines, *(_line(case["measure"], variant) for variant in case["variants"])]))
    parts += [
        f"  {what}: {_short(found['value'])} ({_short(found['low'])} - {_short(found['high'])})"
        for what, found in case.get("figures", {}).items()
    ]
    if "tenths" in case:
        parts.append(tenths(case["tenths"]))
    parts += [f"  {bar(judged)}" for judged in case["judged"]]
    return "\n".join(parts) + "\n"


def bar(judged: Mapping[str, Any]) -> str:
    """What a run says of a bar: undecided where the interval reaches across it."""
    against = f" against {judged['against']}" if judged["against"] else ""
    return (
        f"issue {judged['issue']}: {judged['variant']}{against}, {judged['measure']}, {limit(judged)}: "
        f"{interval(judged['ratio'])}: {judged['verdict'].upper()}"
    )


def limit(judged: Mapping[str, Any]) -> str:
    return f"{judged['side']} {judged['limit']:.2f}"


def interval(ratio: Mapping[str, float]) -> str:
    """A ratio and what the noise of the repetitions leaves open."""
    return f"{ratio['value']:.2f} ({ratio['low']:.2f} - {ratio['high']:.2f})"


def tenths(found: Sequence[Mapping[str, Any]]) -> str:
    """A long migration, tenth by tenth."""
    lines = []
    for direction in dict.fromkeys(one["direction"] for one in found):
        own = [one for one in found if one["direction"] == direction]
        lines.append([f"  {direction}, rows/s", *(f"{one['rate']:,.0f}" for one in own)])
        lines.append(["    resident MB", *(f"{one['memory'] / 1e6:.0f}" for one in own)])
    return aligned(lines)


def profile(outcome: Outcome) -> str:
    """Where each variant's own time goes. Other threads are not seen, and calls of Python functions cost extra."""
    parts = []
    for name, profiled in outcome.profiles.items():
        text = StringIO()
        pstats.Stats(profiled, stream=text).strip_dirs().sort_stats("tottime").print_stats(_PROFILE_LINES)
        parts.append(f"profile of {outcome.name}, {name}:\n{text.getvalue().strip()}\n")
    return "\n".join(parts)


def value(measure: str, seconds_or_rate: float) -> str:
    """As the tables have it: milliseconds, or rows a second."""
    return f"{seconds_or_rate:,.0f}" if measure == "rate" else f"{seconds_or_rate * 1e3:.3f}"


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest entry; those with nothing under their heading are left out."""
    columns = [column for column in zip(*lines, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    texts = [
        "  ".join(text.ljust(width) if not number else text.rjust(width) for number, (text, width) in enumerate(pairs))
        for pairs in (list(zip(line, widths, strict=True)) for line in zip(*columns, strict=True))
    ]
    return "\n".join(text.rstrip() for text in texts)


def _amount(case: Plain) -> str:
    if not case["variants"]:
        return ""
    size = case["size"]
    rows = "" if size["rows_per_call"] == 1 else f" of {size['rows_per_call']:,} rows"
    loaded = f", table of {size['table_rows']:,} rows" if size["table_rows"] else ""
    calls = f"{size['repetitions']} x {size['calls']} {'call' if size['calls'] == 1 else 'calls'}"
    return f" ({calls}{rows}{loaded})"


def _line(measure: str, variant: Mapping[str, Any]) -> list[str]:
    low, high = variant["quartiles"]
    p95 = "" if measure == "rate" else value(measure, variant["p95"])
    median = variant["p50"] if measure == "p95" else variant["value"]
    ratio, memory = variant["ratio"], variant.get("memory")
    return [
        f"  {variant['name']}",
        value(measure, median),
        f"{value(measure, low)} - {value(measure, high)}",
        p95,
        "" if ratio is None else f"{ratio['value']:.2f}",
        "" if ratio is None else f"{ratio['low']:.2f} - {ratio['high']:.2f}",
        f"{variant['afterwards_per_row'] * 1e6:,.0f} us/row" if variant["afterwards_per_row"] > 1e-6 else "",
        "" if memory is None else f"{memory['opened'] / 1e6:.0f} -> {memory['most'] / 1e6:.0f}",
    ]


def _short(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.2f}"
