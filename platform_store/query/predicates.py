"""Predicates, read from the parser's nodes.

The reading is strict: a node, or an argument of a node, that is not handled here makes the whole predicate unreadable.
The operands of a comparison are scalars, never comparisons, which the parser groups in another way than MySQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from math import isfinite
from typing import Final, Protocol, cast

from sqlglot import exp

from platform_store.query.predicate_sql import rejects_null, sql
from platform_store.query.predicate_types import (
    And,
    Between,
    Call,
    Comparator,
    Comparison,
    Const,
    In,
    IsNull,
    JsonContains,
    JsonContainsPath,
    JsonForm,
    JsonOverlaps,
    JsonSearch,
    JsonValue,
    Like,
    MemberOf,
    Mode,
    Not,
    Or,
    Predicate,
    Ref,
    Scalar,
)

__all__ = ["Constants", "Resolve", "StatementConstants", "read", "rejects_null", "sql"]

Resolve = Callable[[exp.Column], Ref | None]

_INTEGER: Final = re.compile(r"-?[0-9]{1,60}")
_DECIMAL: Final = re.compile(r"-?(?:[0-9]{1,30}\.[0-9]{0,30}|\.[0-9]{1,30})")
_DOUBLE: Final = re.compile(r"-?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})[eE][+-]?[0-9]{1,3}")

_MOST_LEVELS: Final = 50

_COMPARATORS: Final[dict[type[exp.Expr], Comparator]] = {
    exp.EQ: "=",
    exp.NullSafeEQ: "<=>",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_TEXT_FUNCTIONS: Final[dict[type[exp.Expr], str]] = {exp.Lower: "LOWER", exp.Upper: "UPPER"}
_DATE_PARTS: Final[dict[type[exp.Expr], str]] = {exp.Year: "YEAR", exp.Month: "MONTH"}
_DATED: Final = frozenset({"DATE", "DATETIME", "TIMESTAMP"})
_TEXT: Final = frozenset({"CHAR", "VARCHAR", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT"})


class Constants(Protocol):
    """What the constants of a statement stand for."""

    def of(self, node: exp.Expr) -> Const | None:
        """The constant of a node; None where it is none, or one that is not known."""


class StatementConstants:
    """Constants of a statement in which markers stand for its literals and ``:pN`` for its parameters.

    Args:
        markers: from a marker such as ``$.l3`` to the text of the string literal it stands for, decoded.
        parameters: from a placeholder's name such as ``p0`` to the value.
    """

    def __init__(self, markers: Mapping[str, str], parameters: Mapping[str, object]):
        self._markers = markers
        self._parameters = parameters

    def of(self, node: exp.Expr) -> Const | None:
        if isinstance(node, exp.Paren):
            return self.of(node.this) if _only(node, "this") else None
        if isinstance(node, exp.Literal):
            if not node.is_string:
                return _number(node.name)
            return Const(self._markers[node.name]) if node.name in self._markers else None
        if isinstance(node, exp.JSONPath):
            return self._path(node)
        if isinstance(node, exp.Placeholder) and _only(node, "this") and node.name in self._parameters:
            value = self._parameters[node.name]
            return Const(tuple(map(_sent, value)) if isinstance(value, list | tuple) else _sent(value))
        if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal) and not node.this.is_string:
            return _number(f"-{node.this.name}")
        if isinstance(node, exp.Boolean):
            return Const(bool(node.this))
        return Const(None) if isinstance(node, exp.Null) else None

    def _path(self, node: exp.JSONPath) -> Const | None:
        """The literal whose marker the parser has taken for a path of one key."""
        match node.expressions:
            case [exp.JSONPathRoot(), exp.JSONPathKey(this=str(key))]:
                marker = f"$.{key}"
                return Const(self._markers[marker]) if marker in self._markers else None
        return None


def _sent(value: object) -> object:
    """A parameter as the driver sends it: a ``bool`` as 0 or 1, which JSON tells from TRUE and FALSE."""
    return int(value) if isinstance(value, bool) else value


def _number(text: str) -> Const | None:
    if _INTEGER.fullmatch(text):
        return Const(int(text))
    if _DECIMAL.fullmatch(text):
        return Const(Decimal(text))
    if _DOUBLE.fullmatch(text) and isfinite(float(text)):
        return Const(float(text))
    return None


def read(node: exp.Expr, resolve: Resolve, constants: Constants) -> Predicate | None:
    """The predicate of a node, or None where any part of it is not understood.

    ``resolve`` gives the column that a name means, None where that is not certain or not a column of a logical table.
    """
    try:
        return _Reader(resolve, constants).predicate(node)
    except (_NotUnderstood, RecursionError):
        return None


def _only(node: exp.Expr, *handled: str) -> bool:
    """Whether a node has no arguments but these."""
    return not any(value for name, value in node.args.items() if name not in handled)


class _NotUnderstood(Exception):
    """A node or an argument of one that is not handled."""


class _Reader:
    def __init__(self, resolve: Resolve, constants: Constants):
        self._resolve = resolve
        self._constants = constants

    def predicate(self, node: exp.Expr, level: int = 0) -> Predicate:
        if level > _MOST_LEVELS:
            raise _NotUnderstood
        if type(node) in _COMPARATORS:
            return self._comparison(node)
        match node:
            case exp.Paren():
                _check(node, "this")
                return self.predicate(node.this, level + 1)
            case exp.Not():
                _check(node, "this")
                return Not(self.predicate(node.this, level + 1))
            case exp.And() | exp.Or():
                parts = tuple(self.predicate(part, level + 1) for part in _operands(node))
                return And(parts) if isinstance(node, exp.And) else Or(parts)
            case exp.Between():
                _check(node, "this", "low", "high")
                low, high = self._scalar(node.args["low"]), self._scalar(node.args["high"])
                return Between(self._scalar(node.this), low, high)
            case exp.In():
                return self._in(node)
            case exp.Is():
                return self._is_null(node)
            case exp.Like() | exp.Escape():
                return self._like(node)
            case exp.JSONArrayContains():
                return self._member_of(node)
            case exp.Anonymous():
                return self._function(node)
        raise _NotUnderstood

    def _comparison(self, node: exp.Expr) -> Predicate:
        _check(node, "this", "expression")
        if isinstance(node, exp.EQ) and isinstance(node.this, exp.Anonymous):
            one = self._constant(node.expression)
            if isinstance(one, int) and one == 1:
                return self._function(node.this)
        return Comparison(_COMPARATORS[type(node)], self._scalar(node.this), self._scalar(node.expression))

    def _in(self, node: exp.In) -> Predicate:
        operand = self._scalar(node.this)
        if node.args.get("field") is not None:
            _check(node, "this", "field")
            values = self._constant(node.args["field"])
            if not isinstance(values, tuple) or not values:
                raise _NotUnderstood
            return In(operand, values)
        _check(node, "this", "expressions")
        constants = tuple(self._single(item) for item in node.expressions)
        if not constants:
            raise _NotUnderstood
        return In(operand, constants)

    def _is_null(self, node: exp.Is) -> Predicate:
        _check(node, "this", "expression")
        if not isinstance(node.expression, exp.Null):
            raise _NotUnderstood
        if isinstance(node.this, exp.Anonymous):
            return Not(self._search(node.this))
        return IsNull(self._scalar(node.this))

    def _like(self, node: exp.Like | exp.Escape) -> Predicate:
        escape = "\\"
        like: exp.Expr = node
        if isinstance(node, exp.Escape):
            _check(node, "this", "expression")
            like, escape = node.this, self._character(node.expression)
        if type(like) is not exp.Like:
            raise _NotUnderstood
        _check(like, "this", "expression", "negate")
        read = Like(self._scalar(like.this), self._text(like.expression), escape)
        return Not(read) if like.args.get("negate") else read

    def _member_of(self, node: exp.JSONArrayContains) -> Predicate:
        _check(node, "this", "expression")
        array = self._scalar(node.expression)
        if isinstance(array, Ref):
            _check_json(array)
        elif not isinstance(array, JsonValue) or array.form != "extract":
            raise _NotUnderstood
        return MemberOf(self._single(node.this), array)

    # Functions that are predicates

    def _function(self, node: exp.Anonymous) -> Predicate:
        _check(node, "this", "expressions")
        arguments = node.expressions
        match node.name.upper(), len(arguments):
            case "JSON_CONTAINS", 2 | 3:
                path = self._text(arguments[2]) if len(arguments) == 3 else None
                return JsonContains(self._json(arguments[0]), self._text(arguments[1]), path)
            case "JSON_CONTAINS_PATH", count if count >= 3:
                mode = self._mode(arguments[1])
                return JsonContainsPath(self._json(arguments[0]), mode, self._texts(arguments[2:]))
            case "JSON_OVERLAPS", 2:
                return JsonOverlaps(self._json(arguments[0]), self._text(arguments[1]))
        raise _NotUnderstood

    def _search(self, node: exp.Anonymous) -> JsonSearch:
        _check(node, "this", "expressions")
        arguments = node.expressions
        if node.name.upper() != "JSON_SEARCH" or len(arguments) < 3:
            raise _NotUnderstood
        escape = None
        if len(arguments) > 3 and self._constant(arguments[3]) is not None:
            escape = self._character(arguments[3])
        paths = self._texts(arguments[4:])
        return JsonSearch(self._json(arguments[0]), self._mode(arguments[1]), self._text(arguments[2]), escape, paths)

    # Scalars

    def _scalar(self, node: exp.Expr) -> Scalar:
        constant = self._constants.of(node)
        if constant is not None:
            return Const(self._single(node))
        match node:
            case exp.Paren():
                _check(node, "this")
                return self._scalar(node.this)
            case exp.Column():
                return self._ref(node)
            case exp.JSONValue():
                _check(node, "this", "path")
                return self._json_value(node.this, node.args["path"], "value")
            case exp.JSONExtract() | exp.JSONExtractScalar() if type(node) in (exp.JSONExtract, exp.JSONExtractScalar):
                _check(node, "this", "expression")
                form: JsonForm = "extract" if type(node) is exp.JSONExtract else "unquote"
                return self._json_value(node.this, node.expression, form)
            case exp.Anonymous():
                return self._unquoted(node)
        return self._call(node)

    def _unquoted(self, node: exp.Anonymous) -> Scalar:
        _check(node, "this", "expressions")
        if node.name.upper() == "JSON_UNQUOTE" and len(node.expressions) == 1:
            inner = self._scalar(node.expressions[0])
            if isinstance(inner, JsonValue) and inner.form == "extract":
                return JsonValue(inner.ref, inner.path, "unquote")
        raise _NotUnderstood

    def _call(self, node: exp.Expr) -> Scalar:
        if isinstance(node, exp.Coalesce):
            _check(node, "this", "expressions")
            return Call("COALESCE", tuple(self._scalar(item) for item in (node.this, *node.expressions)), strict=False)
        if isinstance(node, exp.Length):
            _check(node, "this", "binary")
            name = "LENGTH" if node.args.get("binary") else "CHAR_LENGTH"
            return Call(name, (self._typed(node.this, _TEXT),))
        _check(node, "this")
        if type(node) in _TEXT_FUNCTIONS:
            return Call(_TEXT_FUNCTIONS[type(node)], (self._typed(node.this, _TEXT),))
        if type(node) in _DATE_PARTS and isinstance(node.this, exp.TsOrDsToDate):
            _check(node.this, "this")
            return Call(_DATE_PARTS[type(node)], (self._typed(node.this.this, _DATED),))
        if isinstance(node, exp.TsOrDsToDate):
            return Call("DATE", (self._typed(node.this, _DATED),))
        raise _NotUnderstood

    def _typed(self, node: exp.Expr, bases: frozenset[str]) -> Ref:
        """A column of one of these types: for others the function may mean something else, or today's date."""
        ref = self._ref(node)
        if ref.column.type.base not in bases:
            raise _NotUnderstood
        return ref

    def _json_value(self, node: exp.Expr, path: exp.Expr, form: JsonForm) -> JsonValue:
        return JsonValue(self._json(node), self._text(path), form)

    def _json(self, node: exp.Expr) -> Ref:
        return _check_json(self._ref(node))

    def _ref(self, node: exp.Expr) -> Ref:
        ref = self._resolve(node) if isinstance(node, exp.Column) else None
        if ref is None:
            raise _NotUnderstood
        return ref

    # Constants

    def _constant(self, node: exp.Expr) -> object:
        constant = self._constants.of(node)
        if constant is None:
            raise _NotUnderstood
        return constant.value

    def _single(self, node: exp.Expr) -> object:
        value = self._constant(node)
        if isinstance(value, tuple):
            raise _NotUnderstood
        return value

    def _text(self, node: exp.Expr) -> str:
        value = self._constant(node)
        if not isinstance(value, str):
            raise _NotUnderstood
        return str.__str__(value)

    def _texts(self, nodes: Iterable[exp.Expr]) -> tuple[str, ...]:
        return tuple(self._text(node) for node in nodes)

    def _character(self, node: exp.Expr) -> str:
        text = self._text(node)
        if len(text) != 1:
            raise _NotUnderstood
        return text

    def _mode(self, node: exp.Expr) -> Mode:
        mode = self._text(node).lower()
        if mode not in ("one", "all"):
            raise _NotUnderstood
        return cast("Mode", mode)


def _operands(node: exp.And | exp.Or) -> Iterator[exp.Expr]:
    """The operands of a chain of ANDs or of ORs, which may be longer than calls can nest."""
    rest: list[exp.Expr] = [node]
    while rest:
        operand = rest.pop()
        if type(operand) is type(node):
            _check(operand, "this", "expression")
            rest += [operand.expression, operand.this]
        else:
            yield operand


def _check(node: exp.Expr, *handled: str) -> None:
    if not _only(node, *handled):
        raise _NotUnderstood


def _check_json(ref: Ref) -> Ref:
    """JSON functions raise an error for text that is no JSON, which a column of that type cannot hold."""
    if ref.column.type.base != "JSON":
        raise _NotUnderstood
    return ref
