"""The WHERE of an embedded query, from sqlglot's tree to SQLAlchemy's. Pure.

Both databases give the same answer to what is let through: comparisons of one column with values of its own kind, or
with a column alike, in three-valued logic. NULL is never handed to SQLAlchemy as a value, which would make ``= NULL``
into ``IS NULL``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

import sqlalchemy as sa
from sqlglot import exp

from platform_store.errors import NotSupported
from platform_store.stores.embedded_compare import check_alike, check_null_test, comparable
from platform_store.stores.embedded_json import checked_scalar, parsed_path
from platform_store.stores.embedded_operands import ADVICE, Operand, extracted, is_text
from platform_store.stores.embedded_tables import AsBound

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


def identifier(node: object) -> str:
    """The name that an identifier is."""
    if not isinstance(node, exp.Identifier):
        raise NotSupported("a name that is not an identifier")
    check_arguments(node, "this", "quoted")
    return str(node.this)


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


def row_operand(node: exp.Expression, column: Callable[[exp.Column], Operand], values: Mapping[str, object]) -> Operand:
    """What an expression of a row stands for: a column, or a value in a JSON column. ``column`` resolves a name."""
    if isinstance(node, exp.Column):
        return column(node)
    if isinstance(node, exp.JSONValue):
        check_arguments(node, "this", "path")
        name, path = "JSON_VALUE", node.args["path"]
    elif isinstance(node, exp.JSONExtractScalar):
        check_arguments(node, "this", "expression")
        name, path = "->>", node.expression
    else:
        raise NotSupported(f"{construct(node)} as a value")
    if not isinstance(node.this, exp.Column):
        raise NotSupported(f"{name} of anything but a column")
    text = value_of(path, values)
    if not isinstance(text, str):
        raise NotSupported(f"{name} with anything but a path as text")
    return extracted(column(node.this), text, name, scalar=name == "JSON_VALUE")


class Conditions:
    """Builds the conditions of one statement. ``operand`` gives what an expression other than a value stands for."""

    def __init__(self, operand: Callable[[exp.Expression], Operand], values: Mapping[str, object]):
        self._operand_of, self._values = operand, values
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
            operand = self._operand(node.this)
            low, high = (value_of(node.args[end], self._values) for end in ("low", "high"))
            if low is None or high is None:
                raise NotSupported("BETWEEN with NULL")  # MySQL's answer depends on the column's type
            return sa.and_(self._compared(exp.GTE, operand, low), self._compared(exp.LTE, operand, high))
        if isinstance(node, exp.In):
            check_arguments(node, "this", "expressions", "field")
            return self._in(self._operand(node.this), self._listed(node))
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            check_arguments(node, "this", "expression")
            operand = self._operand(node.this)
            check_null_test(operand.column)
            return operand.place.is_(None)
        if isinstance(node, exp.Like):
            check_arguments(node, "this", "expression", "negate")
            like = self._like(self._operand(node.this), value_of(node.expression, self._values))
            return sa.not_(like) if node.args.get("negate") else like
        if isinstance(node, exp.Anonymous) and str(node.this).upper() == "JSON_CONTAINS":
            check_arguments(node, "this", "expressions")
            return self._json_contains(node.expressions)
        raise NotSupported(f"{construct(node)} as a condition")

    def _binary(self, kind: type[exp.Expression], left: exp.Expression, right: exp.Expression) -> Condition:
        if not _is_value(left):
            if not _is_value(right):
                return self._two(kind, self._operand(left), self._operand(right))
            return self._compared(kind, self._operand(left), value_of(right, self._values))
        if _is_value(right):
            raise NotSupported("comparing two values", ADVICE)
        value = value_of(left, self._values)
        return self._compared(_MIRRORED.get(kind, kind), self._operand(right), value)

    def _two(self, kind: type[exp.Expression], left: Operand, right: Operand) -> Condition:
        for operand in (left, right):
            if not operand.plain or not operand.comparable:
                raise _not_compared(operand)
        check_alike(left.column, right.column, ranged=kind in _RANGE)
        if kind is exp.NullSafeEQ:
            return left.place.is_not_distinct_from(right.place)
        result: Condition = (_EQUALITY.get(kind) or _RANGE[kind])(left.place, right.place)
        return result

    def _compared(self, kind: type[exp.Expression], operand: Operand, value: object) -> Condition:
        if value is None:
            return operand.place.is_(None) if kind is exp.NullSafeEQ else _UNKNOWN
        bound = self._value(operand, value, ranged=kind in _RANGE)
        if kind is exp.NullSafeEQ:
            return operand.compared.is_not_distinct_from(bound)
        compare = _EQUALITY.get(kind) or _RANGE[kind]
        result: Condition = compare(operand.compared, bound)
        return result

    def _listed(self, node: exp.In) -> list[object]:
        """The values in parentheses, or those of the list that a placeholder stands for."""
        field = node.args.get("field")
        if field is None:
            return [value_of(one, self._values) for one in node.expressions]
        values = self._values[field.this] if isinstance(field, exp.Placeholder) else None
        return list(values) if isinstance(values, list | tuple) else []

    def _in(self, operand: Operand, values: list[object]) -> Condition:
        if not values:
            raise NotSupported("IN of anything but a list of values")
        wanted = [self._value(operand, value, ranged=False) for value in values if value is not None]
        found = operand.compared.in_(wanted)
        return sa.or_(found, _UNKNOWN) if None in values else found

    def _like(self, operand: Operand, pattern: object) -> Condition:
        if not is_text(operand.column) or not operand.plain:
            raise NotSupported(f"LIKE on {operand.column.type.base} column {operand.column.name!r}", ADVICE)
        if pattern is None:
            return _UNKNOWN
        if not isinstance(pattern, str):
            raise NotSupported(f"LIKE with a value of type {type(pattern).__name__}")
        return sa.func.platform_like(operand.place, self._literal(pattern)) == sa.literal_column("1")

    def _json_contains(self, arguments: Sequence[exp.Expression]) -> Condition:
        if len(arguments) not in (2, 3):
            raise NotSupported(f"JSON_CONTAINS of {len(arguments)} arguments", "is not MySQL's")
        target, *others = arguments
        operand = self._operand(target)
        if operand.column.type.base != "JSON":
            raise NotSupported(f"JSON_CONTAINS of {operand.column.type.base} column {operand.column.name!r}", ADVICE)
        wanted, place, *_ = [*(value_of(node, self._values) for node in others), "$"]
        if not isinstance(wanted, str) or not isinstance(place, str):
            raise NotSupported("JSON_CONTAINS with anything but JSON text and a path")
        checked_scalar(wanted)
        parsed_path(place)
        found = sa.func.platform_json_contains(operand.place, self._literal(place), self._literal(wanted))
        return found == sa.literal_column("1")

    def _value(self, operand: Operand, value: object, *, ranged: bool) -> Any:
        if not operand.comparable:
            raise _not_compared(operand)
        return self._literal(comparable(operand.column, value, ranged=ranged, storage=operand.storage))

    def _literal(self, value: object) -> Any:
        self._bound += 1
        if self._bound > _MAX_VALUES:
            raise NotSupported(f"more than {_MAX_VALUES} values")
        return sa.literal(value, AsBound())

    def _operand(self, node: exp.Expression) -> Operand:
        return self._operand_of(_bare(node))


def _not_compared(operand: Operand) -> NotSupported:
    if operand.plain:
        return NotSupported(f"comparing {operand.column.type.base} column {operand.column.name!r} in HAVING", ADVICE)
    return NotSupported(f"comparing {operand.column.name} of type {operand.column.type.ddl}", ADVICE)


def construct(node: exp.Expression) -> str:
    """What a message calls an expression."""
    return str(node.this).upper() if isinstance(node, exp.Anonymous) else node.key.upper()


def _is_value(node: exp.Expression) -> bool:
    return isinstance(_bare(node), exp.Literal | exp.Placeholder | exp.Null | exp.Neg)


def _bare(node: exp.Expression) -> exp.Expression:
    while isinstance(node, exp.Paren):
        check_arguments(node, "this")
        node = node.this
    return node
