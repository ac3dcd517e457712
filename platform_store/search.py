"""Which rows ``find`` is asked for: conditions on MySQL's columns, an order, and where the page before ended. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from platform_store.association import Association, Column, holds_exactly
from platform_store.errors import NotSupported, SchemaError, ValueRejected
from platform_store.records import Range
from platform_store.sqltypes import GEOMETRY_TYPES

Comparison: TypeAlias = Literal["=", "IN", "IS NULL", ">=", ">", "<=", "<"]

_NOT_COMPARED: Final = frozenset({"JSON", "FLOAT", *GEOMETRY_TYPES})
_NOT_ORDERED: Final = frozenset({"ENUM", "SET", "BIT"})
"""MySQL sorts ENUM and SET by their numbers, but compares them with a text as text."""

_ADVICE: Final = "is not supported: use query()"


@dataclass(frozen=True, slots=True)
class Condition:
    """A column compared with stored values: one, for IN any number, for IS NULL none."""

    column: Column
    comparison: Comparison
    values: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Sorted:
    """A column that rows are sorted by."""

    column: Column
    descending: bool


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for. ``order`` ends in the key, so that it is total; ``after`` is aligned with it."""

    conditions: tuple[Condition, ...]
    order: tuple[Sorted, ...]
    after: tuple[object, ...] | None
    limit: int | None


def search_for(
    association: Association,
    where: Mapping[str, object] | None,
    order_by: Iterable[str],
    after: Mapping[str, object] | None,
    limit: int | None,
) -> Search:
    """What ``find`` was given, checked. Raises SchemaError, ValueRejected, NotSupported."""
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
        raise ValueRejected(f"limit is a positive number of rows, not {limit!r}", table=association.name)
    conditions = [one for name, value in (where or {}).items() for one in _conditions(association, name, value)]
    order = _order(association, (order_by,) if isinstance(order_by, str) else tuple(order_by))
    if after is None:
        return Search(tuple(conditions), order, None, limit)
    bounded = {one.column.name for one in conditions if one.comparison != "IS NULL"}
    _check_never_null(order, bounded)
    return Search(tuple(conditions), order, _after(association, order, after), limit)


def _conditions(association: Association, name: str, value: object) -> list[Condition]:
    column = _column(association, name)
    if value is None:
        # MySQL finds the zero date where a NOT NULL date IS NULL.
        return [Condition(column, "IS NULL") if column.nullable else Condition(column, "IN")]
    if isinstance(value, list | tuple | set | frozenset):
        return [Condition(column, "IN", tuple(_stored(association, column, one) for one in value))]
    if not isinstance(value, Range):
        return [Condition(column, "=", (_stored(association, column, value),))]
    _check_ordered(column)
    bounds: list[tuple[Comparison, object]] = [(">=", value.ge), (">", value.gt), ("<=", value.le), ("<", value.lt)]
    return [
        Condition(column, comparison, (_stored(association, column, bound),))
        for comparison, bound in bounds
        if bound is not None
    ]


def _order(association: Association, order_by: Sequence[str]) -> tuple[Sorted, ...]:
    order = []
    for text in order_by:
        name, _, direction = text.partition(" ")
        if direction.strip().upper() not in ("", "ASC", "DESC"):
            raise ValueRejected(f"an order is a column, or one with ' DESC', not {text!r}", table=association.name)
        column = _column(association, name)
        _check_ordered(column)
        order.append(Sorted(column, direction.strip().upper() == "DESC"))
    named = {one.column.name for one in order}
    backwards = bool(order) and order[-1].descending
    return (*order, *(Sorted(column, backwards) for column in association.key_columns if column.name not in named))


def _after(association: Association, order: Sequence[Sorted], after: Mapping[str, object]) -> tuple[object, ...]:
    values = []
    for column in (one.column for one in order):
        if after.get(column.name) is None:
            raise ValueRejected(
                "after= is given a value for each column of the order, such as the last row of the page before",
                table=association.name,
                column=column.name,
            )
        values.append(_stored(association, column, after[column.name]))
    return tuple(values)


def _check_never_null(order: Sequence[Sorted], bounded: Container[str]) -> None:
    """NULL is neither before nor after a value; a condition that compares the column leaves no NULL."""
    for column in (one.column for one in order):
        if column.nullable and column.name not in bounded:
            raise NotSupported(
                f"after with an order by column {column.name!r}, which may be NULL,",
                "is not supported without a condition on it: add one to where, such as Range(ge=...)",
            )


def _column(association: Association, name: str) -> Column:
    column = association.by_name.get(name)
    if column is None:
        raise SchemaError("there is no such column", table=association.name, column=name)
    if not column.in_mysql:
        raise NotSupported(
            f"find by column {name!r} of table {association.name!r}",
            "is not possible, for it lives in MongoDB: use query(), or move the column",
        )
    if column.type.base in _NOT_COMPARED:
        raise NotSupported(f"find by {column.type.base} column {name!r}", _ADVICE)
    return column


def _check_ordered(column: Column) -> None:
    if column.type.base in _NOT_ORDERED:
        raise NotSupported(f"find by the order of {column.type.base} column {column.name!r}", _ADVICE)


def _stored(association: Association, column: Column, value: object) -> object:
    try:
        stored = column.codec.check(value)
        if not holds_exactly(column, value, stored):
            raise ValueRejected(f"{column.type.ddl} cannot hold this value exactly, so no row has it")
    except ValueRejected as error:
        raise error.at(association.name, column.name, None) from None
    return stored
