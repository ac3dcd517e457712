"""The kinds of columns that entities are declared with, each a field of a record (:mod:`crm_model.model`).

``default``: what a new row has where nothing else is said; ``None`` makes the column nullable. Without it, every new
row has to say it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

from platform_store import ColumnAttribute

Part: TypeAlias = Literal["key", "own", "standard", "document"]

COLUMN: Final = "column"
PART: Final = "part"
"""Under these a field's metadata hold its :class:`ColumnAttribute`, still without a name, and the part it stands in."""
REFERENCE: Final = "reference"
DERIVATION: Final = "derivation"
"""And under these what makes it a :func:`reference` or :func:`derived`."""

UNWRITTEN: Final = datetime(1, 1, 1)
"""``created_at`` and ``updated_at`` of a row that is not written yet."""


def code(*, default: Any = dataclasses.MISSING, length: int = 32) -> Any:
    """A short code: a kind, a status, a number that people read out."""
    return _own(f"VARCHAR({length})", default)


def title(*, default: Any = dataclasses.MISSING) -> Any:
    """A name or a title."""
    return _own("VARCHAR(200)", default)


@dataclasses.dataclass(frozen=True)
class To:
    """What a reference refers to: a table, or whichever table the column ``by`` names; else its own name says it."""

    table: str = ""
    by: str = ""


def reference(*, default: Any = dataclasses.MISSING, to: str = "", by: str = "") -> Any:
    """The ``id`` of a row of another entity: of the one that the column is named after, such as ``contact_id``.

    Args:
        to: the table, where the column is named after something else.
        by: the column that holds the table's name, where it is not always the same.
    """
    return _own("BIGINT", default, {REFERENCE: To(to, by)})


@dataclasses.dataclass(frozen=True)
class From:
    """What a derived column is made of: a column before it, and how."""

    source: str
    by: Callable[[Any], Any]


def derived(source: str, by: Callable[[Any], Any], *, default: str | None, length: int = 200) -> Any:
    """A text to search and compare by that follows from the column ``source``: nobody has to set it.

    ``default``: what it is before the row is written; None makes the column nullable.
    """
    attribute = ColumnAttribute("", f"VARCHAR({length})", nullable=default is None)
    return _column("own", attribute, default, {DERIVATION: From(source, by)})


def moment(*, default: Any = dataclasses.MISSING) -> Any:
    """A moment, in UTC, to the millisecond."""
    return _own("DATETIME(3)", default)


def day(*, default: Any = dataclasses.MISSING) -> Any:
    """A calendar day."""
    return _own("DATE", default)


def money(*, default: Any = dataclasses.MISSING) -> Any:
    """An amount in yuan."""
    return _own("DECIMAL(14,2)", default)


def average(*, default: Any = dataclasses.MISSING) -> Any:
    """An average of scores."""
    return _own("DECIMAL(4,2)", default)


def number(*, default: Any = dataclasses.MISSING, type_: str = "INT") -> Any:
    """A whole number."""
    return _own(type_, default)


def small(*, default: Any = dataclasses.MISSING) -> Any:
    """A level, a score, a percentage, or 0 and 1 for no and yes."""
    return _own("TINYINT", default)


def json(*, default: None) -> Any:
    """A document column of free form; it may be missing."""
    return _column("document", ColumnAttribute("", "JSON"), default)


def prose(*, default: None) -> Any:
    """A document column of running text; it may be missing."""
    return _column("document", ColumnAttribute("", "TEXT"), default)


def key(*, default: int) -> Any:
    """The primary key, which MySQL gives to a new row; 0 before."""
    return _column("key", ColumnAttribute("", "BIGINT", auto_increment=True), default)


def written_at(*, default: datetime) -> Any:
    """A standard moment, which every row has once it is written."""
    return _column("standard", ColumnAttribute("", "DATETIME(3)", nullable=False), default)


def counter(*, default: int, type_: str = "INT") -> Any:
    """A standard number."""
    return _column("standard", ColumnAttribute("", type_, nullable=False, default=default), default)


def now() -> datetime:
    """The present moment as the columns hold it: in UTC without saying so, to the millisecond."""
    moment = datetime.now(UTC).replace(tzinfo=None)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _own(type_: str, default: Any, more: Mapping[str, Any] | None = None) -> Any:
    known = default is not dataclasses.MISSING and default is not None
    attribute = ColumnAttribute("", type_, nullable=default is None, default=default if known else None)
    return _column("own", attribute, default, more)


def _column(part: Part, attribute: ColumnAttribute, default: Any, more: Mapping[str, Any] | None = None) -> Any:
    return dataclasses.field(default=default, kw_only=True, metadata={COLUMN: attribute, PART: part, **(more or {})})
