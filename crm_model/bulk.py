"""Many rows of a customer at a time: in pages, under lock, by columns of MySQL alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from crm_model.changes import Changes
from crm_model.links import Link
from crm_model.model import Standard

PAGE: Final = 1000
"""Rows that are dealt with at a time, and told in one audit entry."""


def referring(
    changes: Changes, link: Link, key: int, columns: Sequence[str] = ("version",)
) -> Iterator[list[dict[str, Any]]]:
    """Pages of the rows that refer to a row, archived ones included, locked: their ids and these columns.

    The caller may make them refer to something else, or delete them, before the next page.
    """
    after: dict[str, Any] | None = None
    while page := changes.tx.find(
        link.model.table,
        link.where(key),
        order_by=link.order,
        after=after,
        limit=PAGE,
        columns=("id", *link.order, *columns),
        for_update=True,
    ):
        after = page[-1]
        yield page


def set_columns(
    changes: Changes, model: type[Standard], rows: Iterable[Mapping[str, Any]], columns: Mapping[str, object]
) -> None:
    """Sets columns of MySQL to the same values in locked rows, of which ``id`` and ``version`` are known."""
    by_version: dict[int, list[int]] = {}
    for row in rows:
        by_version.setdefault(row["version"], []).append(row["id"])
    for version, ids in by_version.items():
        changes.tx.update_many(model.table, ids, {**columns, "updated_at": changes.at, "version": version + 1})
