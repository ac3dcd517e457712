"""The templates, and how values look in them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from examples.crm_web.texts import Texts


class Named(Protocol):
    """A row with a name."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...


TEMPLATES = Path(__file__).parent / "templates"
NOTHING = "–"


def environment(zone: tzinfo) -> Environment:
    """Escapes everything, and refuses what a page was not given."""
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def local(at: datetime) -> datetime:
        return at.replace(tzinfo=UTC).astimezone(zone)

    def moment(at: datetime | None) -> str:
        return NOTHING if at is None else f"{local(at):%Y-%m-%d %H:%M}"

    def day(at: datetime | None) -> str:
        return NOTHING if at is None else f"{local(at):%Y-%m-%d}"

    def field_moment(at: datetime | None) -> str:
        return "" if at is None else f"{local(at):%Y-%m-%dT%H:%M}"

    templates.filters |= {
        "shown": shown,
        "moment": moment,
        "day": day,
        "field_moment": field_moment,
        "money": money,
        "or_nothing": or_nothing,
        "worded": worded,
        "named": named,
    }
    return templates


def money(amount: Decimal | None) -> str:
    """An amount in yuan."""
    return NOTHING if amount is None else f"¥{amount:,.2f}"


def shown(value: object) -> str:
    """A value of a column as it is; JSON as JSON."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, datetime):
        return value.isoformat(" ", "auto" if value.microsecond % 1000 or not value.microsecond else "milliseconds")
    return "NULL" if value is None else str(value)


def or_nothing(value: object) -> object:
    """A value, or a dash for none."""
    return NOTHING if value is None or value == "" else value


def worded(values: Iterable[object], texts: Texts) -> list[tuple[object, str]]:
    """Options of a choice: values, and what the language calls them."""
    return [(value, texts.word(value)) for value in values]


def named(rows: Iterable[Named]) -> list[tuple[int, str]]:
    """Options of a choice: rows by their names."""
    return [(row.id, row.name) for row in rows]
