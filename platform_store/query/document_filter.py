"""What a predicate says of documents, as a filter for MongoDB: a superset, never less than the rows it is TRUE for.

Strings are compared as bytes: a collection with a collation of its own has to be searched with the simple one.
"""

from __future__ import annotations

from typing import Final, TypeAlias, TypeGuard, assert_never

from platform_store.query import column_filter, json_filter
from platform_store.query.column_filter import Condition
from platform_store.query.predicate_types import (
    And,
    Between,
    Comparator,
    Comparison,
    Const,
    In,
    IsNull,
    JsonContains,
    JsonContainsPath,
    JsonOverlaps,
    JsonSearch,
    JsonValue,
    Like,
    MemberOf,
    Not,
    Or,
    Predicate,
    Ref,
    Scalar,
)

_OPPOSITE: Final[dict[Comparator, Comparator]] = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_MIRRORED: Final[dict[Comparator, Comparator]] = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}

_DEEPEST: Final = 50
"""Of MongoDB's 100 levels."""

_Leaf: TypeAlias = (
    Comparison | Between | In | IsNull | Like | JsonContains | JsonContainsPath | JsonSearch | MemberOf | JsonOverlaps
)


def document_filter(predicate: Predicate, *, mariadb: bool) -> Condition | None:
    """A filter that the document of every row matches for which the predicate is TRUE; None where it says nothing.

    Each part over a column of MySQL's row, or over two columns, is left out of an AND and makes an OR say nothing.
    A row without a document is not its business, and a predicate over several table references says nothing.
    """
    if len(predicate.sources) != 1:
        return None
    found = _Filter(mariadb).of(predicate, negated=False)
    return None if found is None or _depth(found) > _DEEPEST else found


def _depth(condition: object) -> int:
    if isinstance(condition, dict):
        return 1 + max(map(_depth, condition.values()), default=0)
    return max(map(_depth, condition), default=0) if isinstance(condition, list) else 0


class _Filter:
    """Negations go down to the leaves: the opposite of a superset is none."""

    def __init__(self, mariadb: bool):
        self._mariadb = mariadb

    def of(self, predicate: Predicate, *, negated: bool) -> Condition | None:
        if isinstance(predicate, Not):
            return self.of(predicate.part, negated=not negated)
        if not isinstance(predicate, And | Or):
            return self._leaf(predicate, negated)
        found = [self.of(part, negated=negated) for part in predicate.parts]
        conditions = [condition for condition in found if condition is not None]
        if isinstance(predicate, Or) is negated:
            return _joined("$and", conditions) if conditions else None
        return _joined("$or", conditions) if len(conditions) == len(found) else None

    def _leaf(self, leaf: _Leaf, negated: bool) -> Condition | None:
        if not all(ref.in_documents for ref in leaf.refs):
            return None
        match leaf:
            case Comparison():
                return self._comparison(leaf, negated)
            case Between(operand, Const(low), Const(high)):
                if _is_plain(operand):
                    return column_filter.between(operand.column, low, high, negated=negated)
                return _present(operand)
            case In(operand, values):
                return self._in(operand, values, negated)
            case Like(operand, pattern, escape):
                return self._like(operand, pattern, escape, negated)
            case IsNull(operand):
                if negated:
                    return _present(operand)
                return {operand.column.field: {"$eq": None}} if isinstance(operand, Ref) else None
            case Between():
                return None
            case JsonSearch():
                return None if negated else json_filter.search(leaf, mariadb=self._mariadb)
            case JsonContains() | JsonContainsPath() | JsonOverlaps():
                return json_filter.held(leaf.ref) if negated else self._json(leaf)
            case MemberOf(_, array):
                return json_filter.exists(array) if negated else json_filter.member_of(leaf)
        assert_never(leaf)

    def _json(self, leaf: JsonContains | JsonContainsPath | JsonOverlaps) -> Condition:
        match leaf:
            case JsonContains():
                return json_filter.contains(leaf)
            case JsonContainsPath():
                return json_filter.contains_path(leaf)
            case JsonOverlaps():
                return json_filter.overlaps(leaf, mariadb=self._mariadb)
        assert_never(leaf)

    def _comparison(self, leaf: Comparison, negated: bool) -> Condition | None:
        match leaf.left, leaf.right:
            case Const(value), scalar:
                operator = _MIRRORED.get(leaf.operator, leaf.operator)
            case scalar, Const(value):
                operator = leaf.operator
            case left, right:
                sides = [_present(left), _present(right)]
                known = [side for side in sides if side is not None]
                return _joined("$and", known) if known and leaf.operator != "<=>" else None
        if operator == "<=>":
            return self._null_safe(scalar, value, negated)
        return self._compared(scalar, _OPPOSITE[operator] if negated else operator, value)

    def _null_safe(self, scalar: Scalar, value: object, negated: bool) -> Condition | None:
        if value is None:
            return self._leaf(IsNull(scalar), negated)
        if not negated:
            return self._compared(scalar, "=", value)
        return column_filter.differs_or_null(scalar.column, value) if _is_plain(scalar) else None

    def _compared(self, scalar: Scalar, operator: Comparator, value: object) -> Condition | None:
        if value is None or isinstance(scalar, Const):
            return None
        if isinstance(scalar, JsonValue):
            return json_filter.compared(scalar, operator, value, mariadb=self._mariadb)
        return column_filter.compared(scalar.column, operator, value) if _is_plain(scalar) else _present(scalar)

    def _in(self, operand: Scalar, values: tuple[object, ...], negated: bool) -> Condition | None:
        if isinstance(operand, JsonValue) and not negated:
            return json_filter.among(operand, values, mariadb=self._mariadb)
        if _is_plain(operand) and any(value is not None for value in values):
            return column_filter.among(operand.column, values, negated=negated)
        return _present(operand)

    def _like(self, operand: Scalar, pattern: str, escape: str, negated: bool) -> Condition | None:
        if not negated and isinstance(operand, JsonValue):
            return json_filter.like(operand, pattern, escape)
        if not negated and _is_plain(operand):
            return column_filter.like(operand.column, pattern, escape)
        return _present(operand)


def _present(scalar: Scalar) -> Condition | None:
    """The condition that a scalar is not NULL, where there is one."""
    if isinstance(scalar, JsonValue):
        return json_filter.exists(scalar)
    if not isinstance(scalar, Ref):
        return None
    return json_filter.held(scalar) if _is_json(scalar) else column_filter.present(scalar.column.field)


def _is_plain(scalar: Scalar) -> TypeGuard[Ref]:
    return isinstance(scalar, Ref) and not _is_json(scalar)


def _is_json(ref: Ref) -> bool:
    return ref.column.type.base == "JSON"


def _joined(operator: str, conditions: list[Condition]) -> Condition:
    return conditions[0] if len(conditions) == 1 else {operator: conditions}
