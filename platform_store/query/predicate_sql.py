"""Predicates as SQL, and what is certain of them where a row has no document."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from typing import Final, TypeAlias, assert_never

from platform_store.query.predicate_types import (
    And,
    Between,
    Call,
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

Name: TypeAlias = Callable[[Ref], str]
Written: TypeAlias = Callable[[object], str]


def sql(predicate: Predicate, name: Name, literal: Written) -> str:
    """The predicate as MySQL's SQL in parentheses; ``%`` stands as it is.

    Args:
        name: how a column is written.
        literal: how a value is written.
    """
    return _Writer(name, literal).predicate(predicate)


class _Writer:
    def __init__(self, name: Name, literal: Written):
        self._name = name
        self._value = literal

    def predicate(self, predicate: Predicate) -> str:
        match predicate:
            case And(parts):
                return f"({' AND '.join(map(self.predicate, parts))})"
            case Or(parts):
                return f"({' OR '.join(map(self.predicate, parts))})"
            case Not(part):
                return f"(NOT {self.predicate(part)})"
            case Comparison(operator, left, right):
                return f"({self._scalar(left)} {operator} {self._scalar(right)})"
            case Between(operand, low, high):
                return f"({self._scalar(operand)} BETWEEN {self._scalar(low)} AND {self._scalar(high)})"
            case In(operand, values):
                return f"({self._scalar(operand)} IN ({self._literals(values)}))"
            case IsNull(operand):
                return f"({self._scalar(operand)} IS NULL)"
            case Like(operand, pattern, escape):
                clause = "" if escape == "\\" else f" ESCAPE {self._literal(escape)}"
                return f"({self._scalar(operand)} LIKE {self._literal(pattern)}{clause})"
            case MemberOf(value, array):
                return f"({self._literal(value)} MEMBER OF ({self._scalar(array)}))"
            case JsonSearch(ref, mode, search, escape, paths):
                return f"({self._call('JSON_SEARCH', ref, mode, search, escape, *paths)} IS NOT NULL)"
            case JsonContains(ref, candidate, path):
                rest = () if path is None else (path,)
                return f"({self._call('JSON_CONTAINS', ref, candidate, *rest)})"
            case JsonContainsPath(ref, mode, paths):
                return f"({self._call('JSON_CONTAINS_PATH', ref, mode, *paths)})"
            case JsonOverlaps(ref, candidate):
                return f"({self._call('JSON_OVERLAPS', ref, candidate)})"
        assert_never(predicate)

    def _scalar(self, scalar: Scalar) -> str:
        match scalar:
            case Ref():
                return self._name(scalar)
            case Const(value):
                return self._literal(value)
            case Call(function, arguments):
                return f"{function}({', '.join(map(self._scalar, arguments))})"
            case JsonValue(ref, path, "value"):
                return self._call("JSON_VALUE", ref, path)
            case JsonValue(ref, path, "extract"):
                return self._call("JSON_EXTRACT", ref, path)
            case JsonValue(ref, path):
                return f"JSON_UNQUOTE({self._call('JSON_EXTRACT', ref, path)})"
        assert_never(scalar)

    def _call(self, function: str, ref: Ref, *constants: object) -> str:
        return f"{function}({self._name(ref)}, {self._literals(constants)})"

    def _literal(self, value: object) -> str:
        if isinstance(value, bool):  # a driver would write a number, which JSON tells from TRUE and FALSE
            return "TRUE" if value else "FALSE"
        return self._value(value)

    def _literals(self, values: Iterable[object]) -> str:
        return ", ".join(map(self._literal, values))


_Truth: TypeAlias = bool | None
_Possible: TypeAlias = frozenset[_Truth]

_ANY: Final[_Possible] = frozenset({True, False, None})
_NULL: Final[_Possible] = frozenset({None})


def rejects_null(predicate: Predicate, source: int, *, whole_row: bool = False) -> bool:
    """Whether it is never TRUE for a row of ``source`` that has no document: all document columns NULL.

    ``whole_row``: for one that an outer join makes, all of whose columns are NULL. In doubt it is False.
    """

    def is_null(ref: Ref) -> bool:
        return ref.source == source and (whole_row or ref.in_documents)

    return True not in _possible(predicate, is_null)


def _possible(predicate: Predicate, is_null: Callable[[Ref], bool]) -> _Possible:
    """The truth values that a predicate can have where these columns are NULL, whatever the others hold."""

    def null(scalar: Scalar) -> bool:
        return _is_null(scalar, is_null)

    match predicate:
        case And(parts):
            return _joined((_possible(part, is_null) for part in parts), decisive=False)
        case Or(parts):
            return _joined((_possible(part, is_null) for part in parts), decisive=True)
        case Not(part):
            return frozenset(None if truth is None else not truth for truth in _possible(part, is_null))
        case Comparison("<=>", left, right):
            return _ANY - _NULL
        case Comparison(_, left, right):
            return _NULL if null(left) or null(right) else _ANY
        case Between(operand, low, high):
            if null(operand) or (null(low) and null(high)):
                return _NULL
            return frozenset({False, None}) if null(low) or null(high) else _ANY
        case In(operand) | Like(operand):
            return _NULL if null(operand) else _ANY
        case IsNull(operand):
            return frozenset({True}) if null(operand) else _ANY - _NULL
        case JsonSearch(ref):
            return frozenset({False}) if null(ref) else _ANY - _NULL
        case JsonContains(ref) | JsonContainsPath(ref) | JsonOverlaps(ref):
            return _NULL if null(ref) else _ANY
        case MemberOf(_, array):
            return _NULL if null(array) else _ANY
    assert_never(predicate)


def _is_null(scalar: Scalar, is_null: Callable[[Ref], bool]) -> bool:
    match scalar:
        case Ref():
            return is_null(scalar)
        case JsonValue(ref):
            return is_null(ref)
        case Call(_, arguments, strict):
            some = any if strict else all
            return some(_is_null(argument, is_null) for argument in arguments)
        case Const(value):
            return value is None
    assert_never(scalar)


def _joined(parts: Iterable[_Possible], *, decisive: bool) -> _Possible:
    """What AND (False decides) or OR (True decides) can give of parts that are independent of each other."""
    outcomes: _Possible = frozenset({not decisive})
    for part in parts:
        outcomes = frozenset(_combined(one, other, decisive) for one, other in product(outcomes, part))
    return outcomes


def _combined(one: _Truth, other: _Truth, decisive: bool) -> _Truth:
    if one is decisive or other is decisive:
        return decisive
    return None if one is None or other is None else not decisive
