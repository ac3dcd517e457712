"""What a statement gave, and whether two answers are the same."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, Literal, TypeAlias

from platform_store import NotSupported, PlatformStoreError

Compared: TypeAlias = Literal["exact", "nearly", "json-bag", "loosely"]
"""How a column's values are compared.

"nearly" allows for sums of floats in another order, "json-bag" for JSON_ARRAYAGG in another; "loosely" for both.
"""

_GIVEN_UP = (1030, 1969, 3024)
_DIGITS = 9  # of those compared nearly

_CLASSES = {
    **dict.fromkeys((1, 2, 3, 8, 9), "an integer"),
    **dict.fromkeys((15, 249, 250, 251, 252, 253, 254), "text or bytes"),
    **dict.fromkeys((4, 5), "a float"),
}
"""By type codes of the protocol. How wide an integer or a text is depends on MySQL's plan: so it is not compared."""
_SCALE = 30
_WIDE = Context(prec=100)
_SCALED = (7, 11, 12, 246)
"""Types of which the digits after the point count: TIMESTAMP, TIME, DATETIME, DECIMAL."""


@dataclass(frozen=True)
class Answer:
    """Columns and rows, or the error in their place."""

    columns: tuple[tuple[Any, ...], ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    error: Exception | None = None
    ways: tuple[str, ...] = ()  # in which the library came by its documents

    @property
    def given_up(self) -> bool:
        """Whether plain MySQL could not do it: some statements take it very long, with some its storage fails."""
        return self.error is not None and bool(self.error.args) and self.error.args[0] in _GIVEN_UP

    @property
    def refused(self) -> str | None:
        """The construct, where the library does not do it."""
        return str(self.error) if isinstance(self.error, NotSupported) else None


def answer_of(description: Iterable[Sequence[Any]] | None, rows: Iterable[Sequence[Any]]) -> Answer:
    return Answer(tuple(_described(column) for column in description or ()), tuple(tuple(row) for row in rows))


def refusal_of(error: Exception) -> Answer:
    return Answer(error=error)


def _described(column: Sequence[Any]) -> tuple[Any, ...]:
    """Name, type, and digits after the point; lengths and nullability follow the plan, not the answer."""
    if len(column) < 6:
        return (column[0],)
    return (column[0], _CLASSES.get(column[1], column[1]), column[5] if column[1] in _SCALED else None)


def difference(plain: Answer, library: Answer, *, ordered: bool, compared: Sequence[Compared]) -> str | None:
    """In what the library's answer differs from MySQL's own, in words; None: in nothing that counts.

    A refusal by name is no difference. Where MySQL has an error the library has one too, any of its own.
    """
    if library.error is not None:
        if type(library.error) is type(plain.error) is UnicodeDecodeError:  # bytes where the server promised text
            return None
        if not isinstance(library.error, PlatformStoreError):
            return f"an error that is none of ours: {type(library.error).__name__}: {library.error}"
        if plain.error is None and library.refused is None:
            return f"an error where MySQL answers: {type(library.error).__name__}: {library.error}"
        return None
    if plain.error is not None:
        return f"an answer where MySQL has an error: {plain.error}"
    return _columns_differ(plain, library) or _rows_differ(plain, library, ordered, compared)


def _columns_differ(plain: Answer, library: Answer) -> str | None:
    shown = min((len(column) for column in library.columns), default=3)
    expected = [column[:shown] for column in plain.columns]
    found = [column[:shown] for column in library.columns]
    return None if expected == found else f"columns {found} instead of {expected}"


def _rows_differ(plain: Answer, library: Answer, ordered: bool, compared: Sequence[Compared]) -> str | None:
    expected = [_row(row, compared, plain.columns) for row in plain.rows]
    found = [_row(row, compared, library.columns) for row in library.rows]
    if expected == found:
        return None
    missing, surplus = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
    if missing or surplus:
        return f"{len(found)} rows instead of {len(expected)}; missing {_some(missing)}, surplus {_some(surplus)}"
    if not ordered:
        return None
    place = next(number for number, pair in enumerate(zip(expected, found, strict=True)) if pair[0] != pair[1])
    return f"another order, from row {place} on: {found[place]} instead of {expected[place]}"


def _some(rows: Counter[tuple[str, ...]]) -> str:
    return ", ".join(str(row) for row in list(rows)[:3])


def _row(row: Sequence[Any], compared: Sequence[Compared], columns: Sequence[tuple[Any, ...]]) -> tuple[str, ...]:
    how = compared
    if len(compared) != len(row):  # a statement made smaller: which column is which is not known any more
        how = ["exact" if all(one == "exact" for one in compared) else "loosely"] * len(row)
    return tuple(_value(value, one, column) for value, one, column in zip(row, how, columns, strict=True))


def _value(value: Any, compared: Compared | str, column: tuple[Any, ...]) -> str:
    if isinstance(value, Decimal) and len(column) > 2 and column[2] is not None:
        # Whether a constant among other decimals gets its column's zeros follows the plan.
        return (
            f"Decimal {value.quantize(Decimal(1).scaleb(-column[2]), context=_WIDE) if column[2] <= _SCALE else value}"
        )
    if compared in ("nearly", "loosely") and isinstance(value, float):
        return f"{value + 0.0:.{_DIGITS}g}".replace("-0", "0") if value == 0 else f"{value:.{_DIGITS}g}"
    if compared in ("json-bag", "loosely") and isinstance(value, str):
        try:
            items = json.loads(value)
        except ValueError:  # MariaDB cuts it off at group_concat_max_len, and does not escape all
            return repr(sorted(value))
        return repr(sorted(map(repr, items))) if isinstance(items, list) else repr(items)
    return f"{type(value).__name__} {value!r}"
