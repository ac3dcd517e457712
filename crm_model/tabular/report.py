"""What an import did, row by row."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO

from crm_model.errors import InvalidInput

INSERTED: Final = "inserted"
UPDATED: Final = "updated"
REVIVED: Final = "revived"
"""An archived row that is live again, with the values of the file."""
UNCHANGED: Final = "unchanged"
DUPLICATE: Final = "duplicate"
"""An earlier row of the file has the key."""
REJECTED: Final = "rejected"
OUTCOMES: Final = (INSERTED, UPDATED, REVIVED, UNCHANGED, DUPLICATE, REJECTED)

_KEPT: Final = 100
_HEADER: Final = ("line", "outcome", "id", "column", "reason")


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one row of a file.

    Args:
        line: of the file, where the row begins; the first is 1.
        outcome: one of OUTCOMES.
        id: of the row of the table, where there is one.
        column: the header of the cell at fault, where it is one.
        reason: why it was not written; what is in the cells is not repeated.
    """

    line: int
    outcome: str
    id: int | None = None
    column: str | None = None
    reason: str | None = None

    @property
    def written(self) -> bool:
        return self.outcome in (INSERTED, UPDATED, REVIVED)


@dataclass(frozen=True)
class ImportReport:
    """What an import did, or would do.

    Args:
        counts: of rows, by outcome; each of OUTCOMES is there.
        problems: the first hundred duplicates and rejected rows.
    """

    counts: Mapping[str, int]
    problems: tuple[RowResult, ...]

    @property
    def rows(self) -> int:
        """How many rows the file has."""
        return sum(self.counts.values())

    @property
    def complete(self) -> bool:
        """Whether every row is in the table as the file has it."""
        return not self.counts[REJECTED] and not self.counts[DUPLICATE]


@dataclass
class Tally:
    """Counts results as they come, and writes each to a file."""

    _rows: TextIO | None = None
    _counts: Counter[str] = field(default_factory=Counter)
    _problems: list[RowResult] = field(default_factory=list)

    def add(self, results: Iterable[RowResult]) -> None:
        """Results whose rows are written for good."""
        results = list(results)
        self._counts.update(result.outcome for result in results)
        bad = (result for result in results if result.outcome in (DUPLICATE, REJECTED))
        self._problems += list(bad)[: _KEPT - len(self._problems)]
        if self._rows is not None:
            csv.writer(self._rows).writerows(_line(result) for result in results)
            self._rows.flush()

    @property
    def rows(self) -> int:
        return self._counts.total()

    def report(self) -> ImportReport:
        return ImportReport({outcome: self._counts[outcome] for outcome in OUTCOMES}, tuple(self._problems))


@contextmanager
def tally(path: Path | None) -> Iterator[Tally]:
    """``path``: of a CSV file that gets a line for each row, in UTF-8 with a BOM. Raises InvalidInput."""
    if path is None:
        yield Tally()
        return
    try:
        stream = path.open("w", encoding="utf-8-sig", newline="")
    except OSError as error:
        raise InvalidInput("report", "bad-file", f"{path}: {error.strerror}") from None
    with stream:
        csv.writer(stream).writerow(_HEADER)
        yield Tally(stream)


def _line(result: RowResult) -> tuple[object, ...]:
    return result.line, result.outcome, result.id, result.column, result.reason
