"""Conditions and order of a search, for SQLite. Pure."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from platform_store.association import Association, Column
from platform_store.errors import NotSupported
from platform_store.search import Condition, Search
from platform_store.stores.embedded_tables import AsBound, encode, physical
from platform_store.stores.embedded_types import storage_for


def search_condition(association: Association, search: Search) -> sa.ColumnElement[bool]:
    """What the rows that are looked for meet. Raises NotSupported for a type whose order SQLite does not know."""
    conditions = [_met(association, one) for one in search.conditions]
    if search.after is not None:
        conditions.append(_beyond(association, search, 0))
    return sa.and_(sa.true(), *conditions)


def search_order(association: Association, search: Search) -> list[sa.ColumnElement[Any]]:
    """Raises NotSupported for a type whose order SQLite does not know."""
    columns = [_ordered(association, one.column) for one in search.order]
    return [
        column.desc() if one.descending else column.asc() for column, one in zip(columns, search.order, strict=True)
    ]


def _met(association: Association, condition: Condition) -> sa.ColumnElement[bool]:
    column = physical(association, condition.column.name)
    if condition.comparison == "IS NULL":
        return column.is_(None)
    values = [_literal(condition.column, value) for value in condition.values]
    if condition.comparison == "IN":
        return column.in_(values)
    if condition.comparison == "=":
        return sa.and_(column == values[0])
    return _ordered(association, condition.column).bool_op(condition.comparison)(values[0])


def _beyond(association: Association, search: Search, place: int) -> sa.ColumnElement[bool]:
    """Lexicographically after the end of the page before, from one column of the order on."""
    assert search.after is not None
    one = search.order[place]
    column, value = _ordered(association, one.column), _literal(one.column, search.after[place])
    further = column < value if one.descending else column > value
    if place == len(search.order) - 1:
        return sa.and_(further)
    return sa.or_(further, sa.and_(column == value, _beyond(association, search, place + 1)))


def _literal(column: Column, value: object) -> Any:
    return sa.literal(encode(column, value), AsBound())


def _ordered(association: Association, column: Column) -> sa.Column[Any]:
    if not storage_for(column.type).ordered:
        raise NotSupported(
            f"find by the order of {column.type.base} column {column.name!r}", "is not supported by the embedded pair"
        )
    return physical(association, column.name)
