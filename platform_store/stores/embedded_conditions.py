"""The WHERE of an embedded query, from sqlglot's tree to SQLAlchemy's. Pure.

Both databases give the same answer to what is let through: comparisons of one column with values of its own kind, in
three-valued logic. NULL is never handed to SQLAlchemy as a value, which would make ``= NULL`` into ``IS NULL``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeAlias

import sqlalchemy as sa
from sqlglot import exp

from platform_store.association import Column
from platform_store.errors import NotSupported
from platform_store.stores.embedded_compare import check_null_test, comparable
from platform_store.stores.embedded_tables import AsBound, column_name

Condition: TypeAlias = sa.ColumnElement[Any]

_MAX_COMPARISONS: Final = 400  # SQLite refuses expressions deeper than 1000
_MAX_VALUES: Final = 30_000  # and more than 32766 values
_UNKNOWN: Final[Condition] = sa.literal_column("NULL")

_EQUALITY: Final[dict[type[exp.Expression], Callable[[Any, Any], Any]]] = {exp.EQ: operator.eq, exp.NEQ: operator.ne}
_RANGE: Final[dict[type[exp.Expression], Callable[[Any, Any], Any]]] = {
    exp.LT: operator.lt,
    exp.LTE: operator.le,
    exp.GT: operator.gt,
    exp.GTE: operator.ge,
}
_MIRRORED: Final[dict[type[exp.Expression], type[exp.Expression]]] = {
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
}


def check_arguments(node: exp.Expression, *handled: str) -> None:
    """Raises NotSupported for an argument of the node that says something and is not handled."""
    for name, value in node.args.items():
        if value and name not in handled:
            raise NotSupported(f"{name.strip('_').replace('_', ' ').upper()} of {node.key.upper()}")


def value_of(node: exp.Expression, values: Mapping[str, object]) -> object:
    """The value of a literal or placeholder; None is NULL. Raises NotSupported for any other expression."""
    if isinstance(node, exp.Paren):
        check_arguments(node, "this")
        return value_of(node.this, values)
    if isinstance(node, exp.Placeholder):
        check_arguments(node, "this")
        return values[node.this]
    if isinstance(node, exp.Null):
        return None
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal):
        number = _number(node.this)
        return number.copy_negate() if isinstance(number, Decimal) else -number
    if isinstance(node, exp.Literal):
        return _number(node)
    raise NotSupported(f"{node.key.upper()} as a value")


def _number(node: exp.Literal) -> int | float | Decimal:
    """A number as MySQL types it: with an exponent a double, with a point a decimal."""
    text = str(node.this)
    if node.args.get("is_string"):
        raise NotSupported("a string literal the parser has made")
    if "e" in text.lower():
        return float(text)
    return int(text) if text.isdigit() else Decimal(text)


class Conditions:
    """Builds the condition of one statement."""

    def __init__(self, column: Callable[[exp.Column], Column], values: Mapping[str, object]):
        self._column, self._values = column, values
        self._comparisons = self._bound = 0

    def condition(self, node: exp.Expression) -> Condition:
        """Raises NotSupported naming the first construct that is not handled."""
        if isinstance(node, exp.Paren):
            check_arguments(node, "this")
            return self.condition(node.this)
        if isinstance(node, exp.And | exp.Or):
            check_arguments(node, "this", "expression")
            join = sa.and_ if isinstance(node, exp.And) else sa.or_
            return join(self.condition(node.this), self.condition(node.expression))
        if isinstance(node, exp.Not):
            check_arguments(node, "this")
            return sa.not_(self.condition(node.this))
        self._comparisons += 1
        if self._comparisons > _MAX_COMPARISONS:
            raise NotSupported(f"more than {_MAX_COMPARISONS} comparisons")
        return self._comparison(node)

    def _comparison(self, node: exp.Expression) -> Condition:
        kind = type(node)
        if kind in _EQUALITY or kind in _RANGE or kind is exp.NullSafeEQ:
            check_arguments(node, "this", "expression")
            return self._binary(kind, node.this, node.expression)
        if isinstance(node, exp.Between):
            check_arguments(node, "this", "low", "high")
            column = self._operand(node.this)
            low, high = (value_of(node.args[end], self._values) for end in ("low", "high"))
            if low is None or high is None:
                raise NotSupported("BETWEEN with NULL")  # MySQL's answer depends on the column's type
            return sa.and_(self._compared(exp.GTE, column, low), self._compared(exp.LTE, column, high))
        if isinstance(node, exp.In):
            check_arguments(node, "this", "expressions")
            return self._in(self._operand(node.this), [value_of(one, self._values) for one in node.expressions])
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            check_arguments(node, "this", "expression")
            column = self._operand(node.this)
            check_null_test(column)
            return _place(column).is_(None)
        raise NotSupported(f"{node.key.upper()} as a condition")

    def _binary(self, kind: type[exp.Expression], left: exp.Expression, right: exp.Expression) -> Condition:
        if isinstance(_bare(left), exp.Column):
            if isinstance(_bare(right), exp.Column):
                raise NotSupported("comparing two columns")
            return self._compared(kind, self._operand(left), value_of(right, self._values))
        value = value_of(left, self._values)
        return self._compared(_MIRRORED.get(kind, kind), self._operand(right), value)

    def _compared(self, kind: type[exp.Expression], column: Column, value: object) -> Condition:
        if value is None:
            return _place(column).is_(None) if kind is exp.NullSafeEQ else _UNKNOWN
        bound = self._value(column, value, ranged=kind in _RANGE)
        if kind is exp.NullSafeEQ:
            return _place(column).is_not_distinct_from(bound)
        compare = _EQUALITY.get(kind) or _RANGE[kind]
        result: Condition = compare(_place(column), bound)
        return result

    def _in(self, column: Column, values: list[object]) -> Condition:
        if not values:
            raise NotSupported("IN of anything but a list of values")
        found = _place(column).in_([self._value(column, value, ranged=False) for value in values if value is not None])
        return sa.or_(found, _UNKNOWN) if None in values else found

    def _value(self, column: Column, value: object, *, ranged: bool) -> Any:
        self._bound += 1
        if self._bound > _MAX_VALUES:
            raise NotSupported(f"more than {_MAX_VALUES} values")
        return sa.literal(comparable(column, value, ranged=ranged), AsBound())

    def _operand(self, node: exp.Expression) -> Column:
        column = _bare(node)
        if not isinstance(column, exp.Column):
            raise NotSupported(f"{column.key.upper()} compared with a value")
        return self._column(column)


def _bare(node: exp.Expression) -> exp.Expression:
    while isinstance(node, exp.Paren):
        check_arguments(node, "this")
        node = node.this
    return node


def _place(column: Column) -> sa.ColumnElement[Any]:
    return sa.column(column_name(column.name), AsBound())
