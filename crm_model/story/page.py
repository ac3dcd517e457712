"""How a story is printed: numbered headings, sentences and tables; and how it is checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from crm_model.errors import CrmError, Refused


class Page:
    """Prints to a console."""

    def __init__(self, console: Console):
        self._console = console
        self._chapter = 0

    def title(self, text: str, where: str) -> None:
        self._console.print(text, style="bold")
        self._console.print(f"on {where}", markup=False, soft_wrap=True)

    def heading(self, text: str) -> None:
        self._chapter += 1
        self._console.print(f"\n{self._chapter}. {text}", style="bold", markup=False)

    def say(self, text: str, style: str = "none") -> None:
        self._console.print(Padding(Text(text, style), (0, 0, 0, 3), expand=False))

    def refusal(self, error: Exception) -> None:
        self.say(f"{type(error).__name__}: {error}", "yellow")

    def end(self, text: str) -> None:
        self._console.print(f"\n{text}", style="bold green")

    def record(self, values: Mapping[str, object]) -> None:
        """Names with their values."""
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in values.items():
            table.add_row(name, _cell(value))
        self._console.print(Padding(table, (0, 0, 0, 3), expand=False))

    def rows(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A table: numbers to the right."""
        rows = list(rows)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for place, name in enumerate(columns):
            numbers = rows and all(isinstance(row[place], int | float | Decimal | None) for row in rows)
            table.add_column(name, justify="right" if numbers else "left", overflow="fold")
        for row in rows:
            table.add_row(*map(_cell, row))
        self._console.print(Padding(table, (0, 0, 0, 3), expand=False))


def check(what: str, found: object, expected: object) -> None:
    """Raises CrmError where a step did not give what it must."""
    if found != expected:
        raise CrmError("demo-failed", f"demo: {what} must be {expected!r}, not {found!r}")


def refused(page: Page, call: Callable[[], object]) -> None:
    """What must not be done is not, and the error says why."""
    try:
        call()
    except Refused as error:
        page.refusal(error)
    else:
        raise CrmError("demo-failed", "demo: it was not refused")


def _cell(value: object) -> Text:
    if value is None:
        return Text("-", style="dim")
    if isinstance(value, datetime):
        return Text(value.isoformat(" ", "minutes"))
    if isinstance(value, Decimal):
        return Text(f"{value:,.2f}")
    if isinstance(value, float):
        return Text(f"{value:.2f}")
    return Text(str(value))
