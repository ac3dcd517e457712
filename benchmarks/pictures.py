"""Pictures of a run, each made from its JSON, that say what they show without a text beside them.

matplotlib is needed here alone: it comes with the extra ``bench``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Final, TypeAlias

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from benchmarks import bars, stats
from benchmarks.drawing import (
    BACKED,
    interval,
    labels,
    latin,
    one_decade,
    panels,
    plain_ticks,
    scale_of_ratios,
    sheet,
    short,
    wrapped,
)
from benchmarks.results import JUDGED_ROWS, Plain, by_operation, of_side, telling
from benchmarks.sides import AUTOCOMMIT, BY_HAND, EMBEDDED, LIBRARY, MONGODB, MYSQL

Cases: TypeAlias = Mapping[str, Plain]

COLOURS: Final = {
    BY_HAND: "#444444",
    AUTOCOMMIT: "#999999",
    MYSQL: "#0072B2",
    MONGODB: "#009E73",
    LIBRARY: "#D55E00",
    EMBEDDED: "#CC79A7",
}
_VERDICTS: Final = {"met": "#009E73", "missed": "#D55E00", "undecided": "#999999"}
_OTHER: Final = "#56B4E9"
_LINES: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#444444", "#E69F00")
_TENTHS: Final = 10
_GAP: Final = 0.25  # seconds
_STYLE: Final[dict[Any, Any]] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "figure.titlesize": 12,
    "svg.hashsalt": "platform_store",  # the same figures are the same file
}


def draw(run: Plain, folder: Path) -> list[str]:
    """Writes a PNG and an SVG of each picture that the run has the cases for; the names, without their endings."""
    cases = {name: case for name, case in run["cases"].items() if "failed" not in case}
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    with mpl.rc_context(_STYLE):
        for name, picture in PICTURES.items():
            figure = picture(run, cases)
            if figure is None:
                continue
            figure.savefig(folder / f"{name}.png", dpi=150)
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
            drawn.append(name)
    return drawn


def operations(_: Plain, cases: Cases) -> Figure | None:
    """Every operation on one table: what a call takes on each side."""
    own = [case for case in telling(cases).values() if len(case["variants"]) > 1]
    title = (
        f"Operations on a table of {JUDGED_ROWS:,} rows: the median, its quartiles, and the ratio to hand-written "
        "code; the thick tick: where the bar is"
    )
    return panels(own, title, _bars_of_sides) if own else None


def growth(_: Plain, cases: Cases) -> Figure | None:
    """How the cost of an operation grows with the table."""
    several = [own for own in by_operation(cases, "rows").values() if len(own) > 1]
    title = "How a call's time grows with the table; beside each line its slope (0: not at all; 1: as fast)"
    return panels(several, title, _growing) if several else None


def clients(_: Plain, cases: Cases) -> Figure | None:
    """What several clients do at once."""
    own = list(by_operation(cases, "clients").values())
    title = (
        "Several clients at once: rows a second of all of them together (processes, on one machine with both servers)"
    )
    return panels(own, title, _crowding) if own else None


def loading(_: Plain, cases: Cases) -> Figure | None:
    """Whether writing in bulk keeps its pace while a table becomes large."""
    own = [case for case in cases.values() if case.get("group") == "load"]
    title = "Rows written in bulk to a table that becomes large (batches of 1,000; the median of each tenth)"
    return panels(own, title, _loaded) if own else None


def judged(run: Plain, _: Cases) -> Figure | None:
    """Every bar that was measured, as a multiple of what it asks for."""
    lines = [line for line in bars.lines(run) if line.judged is not None][::-1]
    if not lines:
        return None
    figure, (axes,) = sheet(1, 1, 12, 1.3 + 0.3 * len(lines))
    for place, line in enumerate(lines):
        assert line.judged is not None
        ratio, limit = line.judged["ratio"], line.judged["limit"]
        power = -1 if line.judged["side"] == "at most" else 1  # to the right is always better
        low, value, high = ((ratio[part] / limit) ** power for part in ("low", "value", "high"))
        text = f"{line.verdict}: {ratio['value']:.2f} ({line.judged['side']} {limit:.2f})"
        interval(axes, place, (low, value, high), text, _VERDICTS[line.verdict])
    scale_of_ratios(axes, {1: "the bar"}, [line.what for line in lines])
    axes.set_xlabel("how far from the bar, 95 % interval (right of 1: better than asked for)")
    figure.suptitle("The bars", x=0.01, ha="left")
    return figure


def queries(_: Plain, cases: Cases) -> Figure | None:
    """The CRM's questions, against one plain MySQL that holds everything."""
    own = [(name, case) for name, case in cases.items() if case.get("group") == "query" and name.startswith("query-")]
    own = [(name, case) for name, case in own if case["variants"]][::-1]
    if not own:
        return None
    figure, (axes,) = sheet(1, 1, 12, 1.3 + 0.34 * len(own))
    for place, (_name, case) in enumerate(own):
        baseline, library = case["variants"][0], case["variants"][-1]
        ratio = library["ratio"]
        text = f"x{ratio['value']:.2f}: {baseline['value'] * 1e3:,.1f} ms, {library['value'] * 1e3:,.1f} ms"
        interval(axes, place, (ratio["low"], ratio["value"], ratio["high"]), text, COLOURS[LIBRARY])
    limits: dict[float, str] = {1: "as one MySQL", 4: "bar of the mean", 20: "bar of each"}
    scale_of_ratios(axes, limits, [f"{latin(case['about'])} ({name})" for name, case in own])
    axes.set_xlabel("time of the library / time of one plain MySQL with every column, 95 % interval")
    figure.suptitle("CRM queries over both stores (right: the ratio, one MySQL, the library)", x=0.01, ha="left")
    return figure


def migration(_: Plain, cases: Cases) -> Figure | None:
    """Rows a second of every way to move a table."""
    own = [case for case in cases.values() if case.get("group") == "migrate" and case["variants"]]
    title = "A whole table of ten columns moved or compared (the thick tick: where the bar is)"
    return panels(own, title, _bars_of_ways) if own else None


def move_column(_: Plain, cases: Cases) -> Figure | None:
    """What a client sees while a column of its table moves."""
    return _series({name: cases[name] for name in ("move-column-read", "move-column-update") if name in cases})


def outage(_: Plain, cases: Cases) -> Figure | None:
    """What a writer sees while MongoDB is down."""
    return _series({name: cases[name] for name in ("outage",) if name in cases})


def memory(_: Plain, cases: Cases) -> Figure | None:
    """A process's memory, by the rows that it handles; and a long migration, tenth by tenth."""
    grouped: dict[str, list[tuple[int, float]]] = {}
    for case in cases.values():
        for variant in case["variants"]:
            if variant["name"] == LIBRARY and "memory" in variant:
                grouped.setdefault(case["operation"], []).append((case["rows"], variant["memory"]["most"] / 1e6))
    drawn = [_most_memory(grouped)] if grouped else []
    if "steady" in cases:
        drawn += [_tenths(cases["steady"], "memory", 1e6), _tenths(cases["steady"], "rate", 1e3)]
    title = "The memory of a process by the rows that it handles, and a long migration tenth by tenth"
    return panels(drawn, title, lambda axes, panel: panel(axes)) if drawn else None


PICTURES: Final[Mapping[str, Callable[[Plain, Cases], Figure | None]]] = {
    "bars": judged,
    "operations": operations,
    "loading": loading,
    "growth": growth,
    "clients": clients,
    "queries": queries,
    "migration": migration,
    "move-column": move_column,
    "outage": outage,
    "memory": memory,
}
"""By the names of their files."""


def _bars_of_sides(axes: Axes, case: Plain) -> None:
    on = "" if case["rows"] == JUDGED_ROWS else f" ({case['rows']:,} rows)"
    _bars(axes, case, f"{case['operation']}: {case['about']}{on}", COLOURS)


def _bars_of_ways(axes: Axes, case: Plain) -> None:
    colours = {one["name"]: COLOURS[LIBRARY] for one in case["variants"] if one["name"].startswith((LIBRARY, "verify"))}
    _bars(axes, case, case["about"], colours)


def _bars(axes: Axes, case: Plain, title: str, colours: Mapping[str, str]) -> None:
    rate = case["measure"] == "rate"
    scale = 1 if rate else 1e3
    variants, asked = case["variants"][::-1], _asked(case)
    for place, variant in enumerate(variants):
        value, (low, high) = variant["value"] * scale, (part * scale for part in variant["quartiles"])
        axes.barh(place, value, color=colours.get(variant["name"], _OTHER), height=0.7)
        axes.plot([low, high], [place, place], color="black", linewidth=1)
        ticks = [tick * scale for tick in asked.get(variant["name"], ())]
        for tick in ticks:
            axes.plot([tick, tick], [place - 0.45, place + 0.45], color="black", linewidth=3, solid_capstyle="butt")
        ratio = variant["ratio"]
        text = f"{value:,.0f}" if rate else f"{value:.2f}"
        text += "" if ratio is None else f"  x{ratio['value']:.2f}"
        end = (max(value, high, *ticks), place)
        axes.annotate(text, end, xytext=(4, 0), textcoords="offset points", va="center", bbox=BACKED)
    axes.axvline(variants[-1]["value"] * scale, color="black", linewidth=0.8, linestyle=":", zorder=0)
    axes.set_yticks(range(len(variants)), [variant["name"] for variant in variants])
    axes.set_xlim(0, axes.get_xlim()[1] * 1.5)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(short))
    axes.set_title(wrapped(title))
    axes.set_xlabel("rows a second (more is better)" if rate else "ms of a call (less is better)")


def _asked(case: Plain) -> dict[str, list[float]]:
    """What the bars ask of a variant, as values like its own."""
    values, asked = {variant["name"]: variant["value"] for variant in case["variants"]}, dict[str, list[float]]()
    for judged in case["judged"]:
        if judged["measure"] == case["measure"]:
            asked.setdefault(judged["variant"], []).append(values[judged["against"]] * judged["limit"])
    return asked


def _growing(axes: Axes, own: Sequence[Plain]) -> None:
    """Milliseconds of a call, whatever the operation's own measure is, so that slopes are of one kind."""
    ends = []
    for name in (variant["name"] for variant in own[0]["variants"]):
        points = [(case["rows"], variant["p50"] * 1e3) for case, variant in of_side(own, name)]
        xs, ys = zip(*points, strict=True)
        axes.plot(xs, ys, "o-", color=COLOURS[name], linewidth=1.2, markersize=3)
        slope = f" {stats.slope(points):+.2f}" if len(points) > 1 else ""
        ends.append((xs[-1], ys[-1], f"{name}{slope}", COLOURS[name]))
    axes.set_xscale("log")
    one_decade(axes)
    plain_ticks(axes, "x")
    plain_ticks(axes, "y")
    labels(axes, ends)
    axes.set_title(wrapped(f"{own[0]['operation']}: {own[0]['about']}"))
    axes.set(xlabel="rows of the table", ylabel="ms of a call")


def _crowding(axes: Axes, own: Sequence[Plain]) -> None:
    ends = []
    for name in (variant["name"] for variant in own[0]["variants"]):
        points = [(case["clients"], variant["value"], *variant["quartiles"]) for case, variant in of_side(own, name)]
        xs, ys, lows, highs = zip(*points, strict=True)
        axes.plot(xs, ys, "o-", color=COLOURS[name], linewidth=1.2, markersize=3)
        axes.fill_between(xs, lows, highs, color=COLOURS[name], alpha=0.15, linewidth=0)
        ends.append((xs[-1], ys[-1], name, COLOURS[name]))
    axes.set_xscale("log", base=2)
    axes.set_ylim(0, axes.get_ylim()[1])
    axes.yaxis.set_major_formatter(FuncFormatter(short))
    labels(axes, ends)
    counts = [case["clients"] for case in own]
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.set_title(wrapped(f"{own[0]['operation']}: {own[0]['about'].rpartition(', ')[0]}"))
    axes.set(xlabel="clients", ylabel="rows a second")


def _loaded(axes: Axes, case: Plain) -> None:
    ends = []
    for variant in case["variants"]:
        name, rates = variant["name"], variant["blocks"]
        bounds = [len(rates) * part // _TENTHS for part in range(_TENTHS + 1)]
        parts = [(stop, median(rates[start:stop])) for start, stop in pairwise(bounds) if start < stop]
        xs, ys = [stop * case["size"]["rows_per_call"] for stop, _ in parts], [rate for _, rate in parts]
        axes.plot(xs, ys, "o-", color=COLOURS[name], linewidth=1.2, markersize=3)
        ends.append((xs[-1], ys[-1], name, COLOURS[name]))
    axes.set_ylim(0, axes.get_ylim()[1] * 1.05)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(FuncFormatter(short))
    labels(axes, ends)
    axes.set_title(f"to {case['rows']:,} rows")
    axes.set(xlabel="rows of the table by then", ylabel="rows a second")


def _series(cases: Cases) -> Figure | None:
    """The median and the slowest call of every moment."""
    if not cases:
        return None
    figure, every = sheet(len(cases), 1, 10, 3.4 * len(cases))
    for axes, (name, case) in zip(every, cases.items(), strict=True):
        times, medians, slowest = zip(*_with_gaps(case["series"]["points"]), strict=True)
        axes.plot(times, [1e3 * one for one in slowest], ".", color="#AAAAAA", markersize=4)
        axes.plot(times, [1e3 * one for one in medians], color=COLOURS[LIBRARY], linewidth=1.2)
        axes.set_yscale("log")
        axes.set_ylim(axes.get_ylim()[0], axes.get_ylim()[1] * 3)  # room for the names of the marks
        axes.set_xlim(0, times[-1])
        plain_ticks(axes, "y")
        end = times[-1]
        labels(
            axes, [(end, 1e3 * medians[-1], "median", COLOURS[LIBRARY]), (end, 1e3 * slowest[-1], "slowest", "#888888")]
        )
        begin, over = case["series"]["marks"].values()
        axes.axvspan(begin, over, color="#F0E442", alpha=0.25, linewidth=0)
        for text, at in case["series"]["marks"].items():
            place = (at, axes.get_ylim()[1])
            axes.annotate(text, place, xytext=(3, -10), textcoords="offset points", fontsize=8, bbox=BACKED)
        found = ", ".join(
            f"{one['name']} {one['p50'] * 1e3:.2f} / {one['p95'] * 1e3:.2f} ms" for one in case["variants"]
        )
        axes.set_title(f"{name}: {case['about']}\nmedian / 95th percentile: {found}")
        axes.set(xlabel="seconds (one repetition)", ylabel="ms of a call, of each 50 ms")
    return figure


def _with_gaps(points: Sequence[Sequence[float]]) -> list[Sequence[float]]:
    """No line leads over a time in which no call began: all were waiting."""
    found = [points[0]]
    for last, point in pairwise(points):
        if point[0] - last[0] > _GAP:
            found.append((last[0], math.nan, math.nan))
        found.append(point)
    return found


def _most_memory(grouped: Mapping[str, Sequence[tuple[int, float]]]) -> Callable[[Axes], None]:
    def panel(axes: Axes) -> None:
        ends = []
        for (name, points), colour in zip(grouped.items(), _LINES, strict=False):
            xs, ys = zip(*sorted(points), strict=True)
            axes.plot(xs, ys, "o-", color=colour, linewidth=1, markersize=4)
            ends.append((xs[-1], ys[-1], name, colour))
        axes.set_xscale("log")
        axes.set_ylim(0, axes.get_ylim()[1] * 1.1)
        labels(axes, ends)
        axes.set(title="A process with the library", xlabel="rows of the table", ylabel="most resident memory, MB")
        plain_ticks(axes, "x")

    return panel


def _tenths(case: Plain, what: str, unit: float) -> Callable[[Axes], None]:
    """A line for each direction, one wider than the other where they are the same."""

    def panel(axes: Axes) -> None:
        ends = []
        for direction, colour, width in (("to-mongodb", COLOURS[MONGODB], 4), ("to-mysql", COLOURS[MYSQL], 1.2)):
            own = [one[what] / unit for one in case["tenths"] if one["direction"] == direction]
            if own:
                axes.plot(range(1, len(own) + 1), own, color=colour, linewidth=width)
                ends.append((len(own), own[-1], direction, colour))
        axes.set_ylim(0, axes.get_ylim()[1] * 1.1)
        labels(axes, ends)
        ylabel = "resident memory, MB" if what == "memory" else "1,000 rows a second"
        axes.set(title=f"A migration of {case['rows']:,} rows", xlabel="tenth of the rows", ylabel=ylabel)

    return panel
