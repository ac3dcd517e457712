"""Outcomes as a plain table, and as JSON."""

from __future__ import annotations

import pstats
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from benchmarks import stats
from benchmarks.harness import STATISTICS, Measured, Outcome
from benchmarks.stats import Ratio, quantile, times_of

_HEADINGS = {
    "p50": ("p50 ms", "quartiles", "p95", "ratio"),
    "p95": ("p50 ms", "quartiles", "p95", "ratio of p95"),
    "rate": ("rows/s", "quartiles", "", "ratio"),
}
_PROFILE_LINES = 25


def head(facts: Mapping[str, str], row_bytes: tuple[float, float]) -> str:
    """What was measured on, and how large the rows were."""
    named = ", ".join(f"{name} {value}" for name, value in facts.items())
    mysql, document = row_bytes
    return f"{named}\na row: {mysql:.0f} bytes in MySQL (as text), {document:.0f} in MongoDB (BSON)\n"


def table(outcome: Outcome) -> str:
    """One scenario's variants."""
    size = outcome.size
    rows = "" if size.rows_per_call == 1 else f" of {size.rows_per_call:,} rows"
    loaded = f", table of {size.table_rows:,} rows" if size.table_rows else ""
    lines = [
        [outcome.name, *_HEADINGS[outcome.measure], "95 % interval", "bar", "", "afterwards"],
        *(_line(outcome, variant) for variant in outcome.variants),
    ]
    calls = f"{size.repetitions} x {size.calls} {'call' if size.calls == 1 else 'calls'}"
    return f"{outcome.about} ({calls}{rows}{loaded})\n{aligned(lines)}\n"


def verdict(variant: Measured) -> str:
    """Whether the bar is met; said with a doubt where the interval reaches across it."""
    if variant.bar is None or variant.ratio is None:
        return ""
    word = "met" if variant.bar.met(variant.ratio) else "MISSED"
    return word if variant.bar.certain(variant.ratio) else f"{word} (unsure)"


def profile(outcome: Outcome) -> str:
    """Where each variant's own time goes. Other threads are not seen, and calls of Python functions cost extra."""
    parts = []
    for name, profiled in outcome.profiles.items():
        text = StringIO()
        pstats.Stats(profiled, stream=text).strip_dirs().sort_stats("tottime").print_stats(_PROFILE_LINES)
        parts.append(f"profile of {outcome.name}, {name}:\n{text.getvalue().strip()}\n")
    return "\n".join(parts)


def as_json(facts: Mapping[str, str], row_bytes: tuple[float, float], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Everything, down to each block; times in seconds, rates in rows a second."""
    return {
        "facts": dict(facts),
        "row_bytes": {"mysql_as_text": row_bytes[0], "document_as_bson": row_bytes[1]},
        "scenarios": [scenario_as_json(outcome) for outcome in outcomes],
    }


def scenario_as_json(outcome: Outcome) -> dict[str, Any]:
    """One scenario's part of that."""
    return {
        "name": outcome.name,
        "about": outcome.about,
        "measure": outcome.measure,
        "size": vars(outcome.size),
        "variants": [_variant(outcome, variant) for variant in outcome.variants],
    }


def _variant(outcome: Outcome, variant: Measured) -> dict[str, Any]:
    statistic = STATISTICS[outcome.measure]
    blocks = [
        {"value": statistic([block]), "seconds": sum(block.times), "afterwards": block.afterwards}
        for block in variant.blocks
    ]
    low, high = _quartiles(outcome, variant)
    return {
        "name": variant.name,
        "value": statistic(variant.blocks),
        "quartiles": [low, high],
        "p95_of_calls": stats.p95(variant.blocks),
        "afterwards_per_row": _afterwards(variant),
        "ratio": None if variant.ratio is None else vars(variant.ratio),
        "bar": None if variant.bar is None else str(variant.bar),
        "met": None if variant.bar is None or variant.ratio is None else variant.bar.met(variant.ratio),
        "blocks": blocks,
    }


def _line(outcome: Outcome, variant: Measured) -> list[str]:
    low, high = _quartiles(outcome, variant)
    if outcome.measure == "rate":
        figures = [f"{stats.rate(variant.blocks):,.0f}", f"{low:,.0f} - {high:,.0f}", ""]
    else:
        figures = [_ms(stats.p50(variant.blocks)), f"{_ms(low)} - {_ms(high)}", _ms(stats.p95(variant.blocks))]
    afterwards = _afterwards(variant)
    return [
        f"  {variant.name}",
        *figures,
        *_compared(variant.ratio),
        "" if variant.bar is None else str(variant.bar),
        verdict(variant),
        f"{afterwards * 1e6:,.0f} us/row" if afterwards > 1e-6 else "",
    ]


def _compared(ratio: Ratio | None) -> list[str]:
    return ["", ""] if ratio is None else [f"{ratio.value:.2f}", f"{ratio.low:.2f} - {ratio.high:.2f}"]


def _quartiles(outcome: Outcome, variant: Measured) -> tuple[float, float]:
    """Of the calls' times, or of the blocks' rates."""
    values = [block.rate for block in variant.blocks] if outcome.measure == "rate" else times_of(variant.blocks)
    return quantile(values, 0.25), quantile(values, 0.75)


def _afterwards(variant: Measured) -> float:
    """Seconds put off, for each row."""
    return sum(block.afterwards for block in variant.blocks) / sum(block.rows for block in variant.blocks)


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3f}"


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest entry; those with nothing under their heading are left out."""
    columns = [column for column in zip(*lines, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    texts = [
        "  ".join(text.ljust(width) if not number else text.rjust(width) for number, (text, width) in enumerate(pairs))
        for pairs in (list(zip(line, widths, strict=True)) for line in zip(*columns, strict=True))
    ]
    return "\n".join(text.rstrip() for text in texts)
