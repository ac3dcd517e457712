"""What pictures are drawn with: panels, intervals beside a scale, names that do not cover each other."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

End: TypeAlias = tuple[float, float, str, str]
"""Where a line ends, what it is called, and its colour."""

BACKED: Final[dict[str, Any]] = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
"""Behind a text that lines may cross."""
_LINE: Final = 0.08  # of a panel's height


def sheet(rows: int, columns: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure with so many panels, in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    return figure, [axes for row in grid for axes in row]


def panels(own: Sequence[Any], title: str, panel: Callable[[Axes, Any], None]) -> Figure:
    """A panel for each, three beside each other."""
    columns = min(3, len(own))
    rows = -(-len(own) // columns)
    figure, every = sheet(rows, columns, 4.2 * columns, 2.9 * rows + 0.5)
    for axes, one in zip(every, own, strict=False):
        panel(axes, one)
    for axes in every[len(own) :]:
        axes.set_visible(False)
    figure.suptitle(title, x=0.01, ha="left")
    return figure


def interval(axes: Axes, place: int, ratio: tuple[float, float, float], text: str, colour: str) -> None:
    """A ratio between its ends on a line, and what there is to say of it at the right."""
    low, value, high = ratio
    axes.plot([low, high], [place, place], color=colour, linewidth=3, solid_capstyle="butt")
    axes.plot([value], [place], "o", color=colour)
    axes.annotate(text, (1.01, place), xycoords=("axes fraction", "data"), va="center", color=colour)


def scale_of_ratios(axes: Axes, limits: Mapping[float, str], names: Sequence[str]) -> None:
    """Logarithmic, so that twice and half are as far from 1; the names are those of the lines."""
    for limit, text in limits.items():
        axes.axvline(limit, color="black", linewidth=0.8, linestyle="-" if limit == 1 else ":")
        axes.annotate(text, (limit, 1.0), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.set_xscale("log")
    axes.set_xlim(min(0.5, axes.get_xlim()[0]), max(2.0, axes.get_xlim()[1]))
    plain_ticks(axes, "x")


def labels(axes: Axes, ends: Sequence[End]) -> None:
    """Names beside the ends of their lines, moved apart where they would cover each other."""
    to_fraction = (axes.transData + axes.transAxes.inverted()).transform
    ordered = sorted(ends, key=lambda end: end[1])
    places = [to_fraction(end[:2]) for end in ordered]
    for (_, _, text, colour), (right, _), height in zip(ordered, places, apart([y for _, y in places]), strict=True):
        axes.annotate(
            text,
            (right, height),
            xycoords="axes fraction",
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            annotation_clip=False,
            bbox=BACKED,
        )


def apart(heights: Sequence[float]) -> list[float]:
    """Ascending heights with the room of a line between them, and none above the top."""
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + _LINE) if placed else height)
    limit = 1.0
    for place in reversed(range(len(placed))):
        placed[place] = min(placed[place], limit)
        limit = placed[place] - _LINE
    return placed


def one_decade(axes: Axes) -> None:
    """A logarithmic scale upwards on which what hardly changes looks like it."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    wider = max(1.0, (10 * low / high) ** 0.5)
    axes.set_ylim(low / wider, high * wider)


def plain_ticks(axes: Axes, which: str) -> None:
    """Numbers, not powers; enough of them even where the axis is less than a decade."""
    axis, (low, high) = (axes.xaxis, axes.get_xlim()) if which == "x" else (axes.yaxis, axes.get_ylim())
    axis.set_major_locator(LogLocator(subs=(1.0,) if high > 100 * low else (1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(short))
    axis.set_minor_locator(NullLocator())


def short(value: float, _: object = None) -> str:
    """1k, 1M: what does not run into its neighbour."""
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"


def latin(text: str) -> str:
    """The questions name a rival in Chinese, for which not every machine has a font."""
    return re.sub(r"[\u4e00-\u9fff]+", "a rival", text)


def wrapped(title: str) -> str:
    """In lines that a panel has room for."""
    return "\n".join(textwrap.wrap(title, 30))
