"""How far a long operation is: a bar on a terminal, a line now and then in a file."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import typer
from rich import progress as bars
from rich.console import Console

from platform_store.records import Progress

_EVERY: Final = 5.0  # seconds between two lines


@contextmanager
def told(*, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Gives what shows an operation's progress on stderr. ``quiet``: for programs; nothing is shown."""
    console = Console(stderr=True)
    if quiet:
        yield _nothing
    elif console.is_terminal:
        with _bar(console) as tell:
            yield tell
    else:
        yield _lines()


@contextmanager
def halting() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets, instead of breaking off; a second one breaks off."""
    halt = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(number: int, _frame: FrameType | None) -> None:
        halt.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, stop)
    try:
        yield halt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _nothing(_: Progress) -> None:
    """Shows nothing."""


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[Progress], None]]:
    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.TextColumn("{task.completed:,.0f} rows, {task.fields[rate]:,.0f} rows/s"),
        bars.TimeElapsedColumn(),
        bars.TextColumn("{task.fields[left]}"),
    )
    with bars.Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=None, rate=0.0, left="")

        def tell(found: Progress) -> None:
            left = "" if found.seconds_left is None else f"{found.seconds_left:,.0f} s left"
            total = None if found.total is None else max(found.total, found.rows)
            bar.update(
                task,
                description=found.phase,
                completed=found.rows,
                total=total,
                rate=found.rows_per_second,
                left=left,
            )

        yield tell


def _lines() -> Callable[[Progress], None]:
    """A line at the beginning of each phase, and every few seconds."""
    phase, shown_at = "", 0.0

    def tell(found: Progress) -> None:
        nonlocal phase, shown_at
        if found.phase == phase and time.monotonic() - shown_at < _EVERY:
            return
        phase, shown_at = found.phase, time.monotonic()
        total = "" if found.total is None else f" of about {found.total:,}"
        rate = f", {found.rows_per_second:,.0f} rows/s" if found.rows_per_second else ""
        left = "" if found.seconds_left is None else f", {found.seconds_left:,.0f} s left"
        typer.echo(f"{found.phase}: {found.rows:,}{total} rows{rate}{left}", err=True)

    return tell
