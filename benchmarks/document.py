"""docs/benchmarks.md and its pictures, made from a kept run alone."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from string import Template
from typing import Final

from benchmarks import bars, headlines, report, stats
from benchmarks.cases import existing
from benchmarks.harness import LEAST_REPETITIONS
from benchmarks.results import Plain, by_operation, of_side, telling
from benchmarks.sides import LIBRARY
from tests.faults.expected import ROUND_TRIPS

FOLDER: Final = "benchmarks"

_CAPTIONS: Final = {
    "bars": "The bars",
    "operations": "Operations on one table",
    "growth": "Growth with the table's size",
    "loading": "A table that becomes large",
    "clients": "Several clients at once",
    "queries": "Ten CRM queries",
    "migration": "Migrations",
    "move-column": "A column moves under load",
    "outage": "MongoDB is down and back",
    "memory": "Memory of a client",
}


def main(arguments: Sequence[str]) -> int:
    """Prints the tables of a kept run, or writes the document and its pictures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks report", description=__doc__)
    parser.add_argument("run", type=existing, metavar="RUN.json")
    parser.add_argument("--docs", type=Path, metavar="FOLDER", help="write benchmarks.md and its pictures there")
    parser.add_argument(
        "--readme", type=existing, action="append", default=[], metavar="FILE", help="also put three figures in there"
    )
    given = parser.parse_args(arguments)
    run = json.loads(given.run.read_text("utf-8"))
    if given.docs is None:
        print(report.head(run), *(report.table(name, case) for name, case in run["cases"].items()), sep="\n")
        return 0
    from benchmarks import pictures

    drawn = pictures.draw(run, given.docs / FOLDER)
    (given.docs / "benchmarks.md").write_text(text(run, drawn), "utf-8")
    try:
        for path in given.readme:
            headlines.put(path, run)
    except headlines.NotWhole as error:
        parser.error(str(error))
    return 0


def text(run: Plain, drawn: Sequence[str]) -> str:
    """The document. ``drawn``: the names of the pictures that there are."""
    cases = {name: case for name, case in run["cases"].items() if "failed" not in case}
    sections = {
        "warning": iter(["**A quick run: its figures show that it works, nothing else.**\n"] if run["quick"] else []),
        "bars": chain(_pictures(["bars"], drawn), _bars(run)),
        "operations": chain(_pictures(["operations"], drawn), _cases(telling(cases), "rows")),
        "growth": chain(_pictures(["growth"], drawn), _growth(cases)),
        "load": chain(_pictures(["loading"], drawn), _cases(cases, "load")),
        "clients": chain(_pictures(["clients"], drawn), _cases(cases, "clients")),
        "crm": _cases(cases, "crm"),
        "query": chain(_pictures(["queries"], drawn), _room(cases), _cases(cases, "query")),
        "migrate": chain(_pictures(["migration"], drawn), _cases(cases, "migrate")),
        "large": chain(_pictures(["memory"], drawn), _memory(cases), _cases(cases, "large")),
        "live": chain(_pictures(["move-column", "outage"], drawn), _cases(cases, "live")),
        "start": _cases(cases, "start"),
        "round_trips": _round_trips(),
        "facts": _facts(run),
    }
    filled = {name: "".join(f"{line}\n" for line in lines) for name, lines in sections.items()}
    template = Template(Path(__file__).with_suffix(".md").read_text("utf-8"))
    return template.substitute(filled, repetitions=LEAST_REPETITIONS, resamples=f"{stats.RESAMPLES:,}")


def _pictures(names: Sequence[str], drawn: Sequence[str]) -> Iterator[str]:
    return (f"![{_CAPTIONS[name]}]({FOLDER}/{name}.svg)\n" for name in names if name in drawn)


def _bars(run: Plain) -> Iterator[str]:
    yield from _table(["what", "bar", "ratio (95 % interval)", "verdict"])
    for line in bars.lines(run):
        judged = line.judged
        figures = ["", ""] if judged is None else [report.limit(judged), report.interval(judged["ratio"])]
        why = f": {line.why}" if line.why else ""
        yield _row([line.what, *figures, f"{line.verdict}{why}"])


def _cases(cases: Mapping[str, Plain], group: str) -> Iterator[str]:
    own = {name: case for name, case in cases.items() if case.get("group") == group}
    for name, case in own.items():
        yield f"**{name}**: {case['about']}\n"
        if case["variants"]:
            yield from _variants(case)
        yield from (
            f"- {what}: {found['value']:,.2f} ({found['low']:,.2f} to {found['high']:,.2f})"
            for what, found in case.get("figures", {}).items()
        )
        if "tenths" in case:
            yield f"```\n{report.tenths(case['tenths'])}\n```"
        yield ""


def _variants(case: Plain) -> Iterator[str]:
    """Without the columns that have nothing in them."""
    rate = case["measure"] == "rate"
    lines = [["", "rows/s" if rate else "median ms", "quartiles", "p95 ms", "ratio", "MB"]]
    for variant in case["variants"]:
        low, high = (report.value(case["measure"], part) for part in variant["quartiles"])
        median = variant["value"] if rate else variant["p50"]
        ratio, memory = variant["ratio"], variant.get("memory")
        lines.append(
            [
                variant["name"],
                report.value(case["measure"], median),
                f"{low} to {high}",
                "" if rate else report.value(case["measure"], variant["p95"]),
                "" if ratio is None else report.interval(ratio),
                "" if memory is None else f"{memory['most'] / 1e6:.0f}",
            ]
        )
    kept = [column for column in zip(*lines, strict=True) if any(column[1:])]
    headings, *rows = zip(*kept, strict=True)
    yield from _table(headings)
    yield from map(_row, rows)
    yield ""


def _growth(cases: Mapping[str, Plain]) -> Iterator[str]:
    """The slope for each side: 0 is a cost that does not grow, 1 one that grows with the table."""
    several = {name: own for name, own in by_operation(cases, "rows").items() if len(own) > 1}
    if not several:
        return
    yield "The exponent with which the median time of a call grows with the rows of the table (0: not at all).\n"
    sides = list(dict.fromkeys(one["name"] for own in several.values() for one in own[0]["variants"]))
    yield from _table(["operation", "rows", *sides])
    for name, own in several.items():
        points = {side: [(case["rows"], variant["p50"]) for case, variant in of_side(own, side)] for side in sides}
        slopes = [f"{stats.slope(found):+.2f}" if len(found) > 1 else "" for found in points.values()]
        yield _row([name, f"{own[0]['rows']:,} to {own[-1]['rows']:,}", *slopes])


def _room(cases: Mapping[str, Plain]) -> Iterator[str]:
    """Whether the one plain MySQL could keep everything in memory."""
    case = next((case for case in cases.values() if "plain_tables_bytes" in case), None)
    if case is not None:
        tables, cache = case["plain_tables_bytes"] / 1e6, case["server_cache_bytes"] / 1e6
        yield (
            f"On sample {case['sample']}. In one plain MySQL its tables and indexes take {tables:,.0f} MB; "
            f"the server's cache has {cache:,.0f} MB.\n"
        )


def _memory(cases: Mapping[str, Plain]) -> Iterator[str]:
    """The most that a process with the library had, by the rows of the table."""
    found: dict[str, dict[int, float]] = {}
    for case in cases.values():
        for variant in case["variants"]:
            if variant["name"] == LIBRARY and "memory" in variant:
                found.setdefault(case["operation"], {})[case["rows"]] = variant["memory"]["most"] / 1e6
    sizes = sorted({rows for own in found.values() for rows in own})
    if found:
        yield "Megabytes of a process with the library, by the rows of the table:\n"
        yield from _table(["", *(f"{rows:,}" for rows in sizes)])
        yield from (
            _row([name, *(f"{own[rows]:.0f}" if rows in own else "" for rows in sizes)]) for name, own in found.items()
        )
        yield ""


def _round_trips() -> Iterator[str]:
    yield from _table(["operation", "to MySQL", "to MongoDB"])
    for name, (mysql, mongodb) in ROUND_TRIPS.items():
        yield _row([name, str(mysql), str(mongodb)])


def _facts(run: Plain) -> Iterator[str]:
    yield from _table(["", ""])
    for name, value in run["facts"].items():
        yield _row([name, str(value)])
    mysql, document = run["row_bytes"]["mysql_as_text"], run["row_bytes"]["document_as_bson"]
    yield _row(["a row of the operations", f"{mysql:.0f} bytes in MySQL (as text), {document:.0f} in MongoDB (BSON)"])
    loads = [case["load_before"] for case in run["cases"].values()]
    minutes = sum(case["took_seconds"] for case in run["cases"].values()) / 60
    if loads:
        yield _row(["load before each case", f"{min(loads):.1f} to {max(loads):.1f}"])
    yield _row(["the cases took", f"{minutes:.0f} minutes"])


def _table(headings: Sequence[str]) -> Iterator[str]:
    yield _row(headings)
    yield f"|{'---|' * len(headings)}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
