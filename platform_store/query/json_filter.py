"""Predicates on JSON columns, as conditions on the values that documents hold for them.

Documents hold JSON as natural values, which MongoDB's dotted paths reach into, through one array at every step. A path
goes as far as that follows it. A value that BSON cannot hold is a wrapped text, which every condition lets through;
so it does what MongoDB looks into less deeply than MySQL: arrays in arrays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from platform_store.query.column_filter import LARGEST, Condition, list_fits, number_bounds, padded
from platform_store.query.predicate_types import (
    Comparator,
    JsonContains,
    JsonContainsPath,
    JsonOverlaps,
    JsonSearch,
    JsonValue,
    MemberOf,
    Ref,
)
from platform_store.query.text_patterns import like_patterns

_LEG: Final = re.compile(r'\.(?P<name>[^\W\d]\w*)|\."(?P<quoted>[^"\\]*)"|\[(?P<index>[0-9]+|\*|last(?:-[0-9]+)?)\]')
_WRAPPER: Final = "_json"
_OTHER_TYPES: Final = ["number", "bool", "null", "object", "array"]
_OTHER_STARTS: Final = tuple('-0123456789tfn{["')
"""How the text of a JSON value begins that is no string."""
_EXACT: Final = 2**53
_TINY: Final = 1e-300
"""Numbers nearer to zero than this may be zero to a server."""
_MOST_NODES: Final = 100
_DEEPEST: Final = 8


@dataclass(frozen=True)
class _Place:
    """Where a JSON path leads: the dotted field it reaches, if only as far as ``complete`` says.

    ``many``: the path may lead to several values.
    """

    field: str
    complete: bool
    many: bool = False


def held(ref: Ref) -> Condition:
    """The condition that a JSON column is not NULL."""
    return {ref.column.field: {"$exists": True}}


def exists(value: JsonValue | Ref) -> Condition:
    """The condition that something stands at a path."""
    if isinstance(value, Ref):
        return held(value)
    return _wrapped(value.ref, _exists(_place(value.ref, value.path)))


def compared(value: JsonValue, operator: Comparator, constant: object, *, mariadb: bool) -> Condition:
    """``value operator constant``, which is not NULL. Anything but equality only says that there is a value."""
    place = _place(value.ref, value.path)
    condition = _equal(value, place, constant, mariadb=mariadb) if operator in ("=", "<=>") else None
    return exists(value) if condition is None else _wrapped(value.ref, condition)


def among(value: JsonValue, constants: Sequence[object], *, mariadb: bool) -> Condition:
    """``value IN (constants)``."""
    place = _place(value.ref, value.path)
    given = [constant for constant in constants if constant is not None]
    if not list_fits(given):
        return exists(value)
    alternatives: list[Condition] = []
    for constant in given:
        condition = _equal(value, place, constant, mariadb=mariadb) if isinstance(constant, str) else None
        if condition is None:
            return exists(value)
        alternatives.append(condition)
    return _wrapped(value.ref, *alternatives) if alternatives else exists(value)


def like(value: JsonValue, pattern: str, escape: str) -> Condition:
    """``value LIKE pattern``: of JSON_VALUE and of what is unquoted, both compared by binary collations."""
    place = _place(value.ref, value.path)
    patterns = like_patterns(pattern, escape)
    if value.form == "extract" or not place.complete or place.many or not patterns:
        return exists(value)
    return _wrapped(value.ref, _all([{place.field: one} for one in patterns]), _no_string(place.field))


def contains(predicate: JsonContains) -> Condition:
    """JSON_CONTAINS."""
    place = _root(predicate.ref) if predicate.path is None else _place(predicate.ref, predicate.path)
    candidate = _parsed(predicate.candidate)
    if not place.complete or candidate is None:
        return _wrapped(predicate.ref, _exists(place))
    return _wrapped(predicate.ref, _contains(place.field, candidate[0]))


def contains_path(predicate: JsonContainsPath) -> Condition:
    """JSON_CONTAINS_PATH."""
    found = [_exists(_place(predicate.ref, path)) for path in predicate.paths]
    return _wrapped(predicate.ref, *(found if predicate.mode == "one" else [_all(found)]))


def search(predicate: JsonSearch, *, mariadb: bool) -> Condition:
    """JSON_SEARCH(...) IS NOT NULL. MySQL looks into all that stands at a path; MariaDB takes more than strings."""
    ref = predicate.ref
    places = [_place(ref, path) for path in predicate.paths] or [_root(ref)]
    patterns = like_patterns(predicate.search, predicate.escape or "\\")
    alternatives: list[Condition] = []
    for place in places:
        if not place.complete or not patterns:
            alternatives.append(_exists(place))
            continue
        alternatives.append(_all([{place.field: one} for one in patterns]))
        alternatives.append({place.field: {"$type": ["object", "number", "bool", "null"] if mariadb else "object"}})
        alternatives.append(_nested(place.field))
    return _wrapped(ref, *alternatives)


def member_of(predicate: MemberOf) -> Condition:
    """MEMBER OF."""
    array = predicate.array
    ref, place = (array, _root(array)) if isinstance(array, Ref) else (array.ref, _place(array.ref, array.path))
    if not place.complete or not isinstance(predicate.value, str | int | float | Decimal):
        return exists(array)
    condition = _scalar(place.field, predicate.value)
    return exists(array) if condition is None else _wrapped(ref, condition, _nested(place.field))


def overlaps(predicate: JsonOverlaps, *, mariadb: bool) -> Condition:
    """JSON_OVERLAPS; of scalars only, and of MySQL only."""
    candidate = _parsed(predicate.candidate)
    if mariadb or candidate is None:
        return held(predicate.ref)
    items = candidate[0] if isinstance(candidate[0], list) else [candidate[0]]
    field = predicate.ref.column.field
    found = [_scalar(field, item) for item in items if not isinstance(item, list | dict)]
    sayable = [condition for condition in found if condition is not None]
    if not sayable or len(sayable) < len(items):
        return held(predicate.ref)
    return _wrapped(predicate.ref, *sayable, _nested(field))


# Places


def _root(ref: Ref) -> _Place:
    return _Place(ref.column.field, complete=True)


def _place(ref: Ref, path: str) -> _Place:
    """Follows a path while every step is one that a dotted path takes, too."""
    field, position, indexed, many = ref.column.field, 1, False, False
    if not path.startswith("$"):
        return _Place(field, complete=False)
    while position < len(path):
        leg = _LEG.match(path, position)
        if leg is None:
            return _Place(field, complete=False)
        if leg["index"] is not None:
            if indexed:  # an array in an array
                return _Place(field, complete=False)
            indexed, many = True, many or leg["index"] == "*"
        else:
            key = leg["name"] if leg["name"] is not None else leg["quoted"]
            if not _is_field(key):
                return _Place(field, complete=False)
            field, indexed = f"{field}.{key}", False
        position = leg.end()
    return _Place(field, complete=True, many=many)


def _is_field(key: str) -> bool:
    return bool(key) and not key.startswith("$") and "." not in key and "\0" not in key


# Conditions


def _wrapped(ref: Ref, *alternatives: Condition) -> Condition:
    return {"$or": [*alternatives, {f"{ref.column.field}.{_WRAPPER}": {"$exists": True}}]}


def _all(conditions: list[Condition]) -> Condition:
    return conditions[0] if len(conditions) == 1 else {"$and": conditions}


def _exists(place: _Place) -> Condition:
    return {place.field: {"$exists": True}}


def _nested(field: str) -> Condition:
    return {field: {"$elemMatch": {"$type": "array"}}}


def _no_string(field: str) -> Condition:
    return {field: {"$type": _OTHER_TYPES}}


def _equal(value: JsonValue, place: _Place, constant: object, *, mariadb: bool) -> Condition | None:
    """What stands at a place that equals a constant; None where nothing is certain."""
    if not place.complete or place.many:
        return None
    if value.form == "extract":
        return None if mariadb else _scalar(place.field, constant)
    if not isinstance(constant, str) or len(constant) > LARGEST:
        return None
    pads = mariadb or value.form == "unquote"  # MySQL's JSON_VALUE alone has a collation that does not
    text = {place.field: padded(constant) if pads else {"$eq": constant}}
    return {"$or": [text, _no_string(place.field)]} if constant.startswith(_OTHER_STARTS) else text


def _scalar(field: str, value: object) -> Condition | None:
    """A JSON scalar equal to ``value``, or an array with one in it."""
    if isinstance(value, str) and len(value) > LARGEST:
        return None
    if isinstance(value, str | bool) or value is None:
        return {field: {"$eq": value}}
    if not isinstance(value, int | float | Decimal):
        return None
    if -_TINY < value < _TINY:
        return {field: {"$gte": -_TINY, "$lte": _TINY}}
    if isinstance(value, int) and abs(value) <= _EXACT:
        return {field: {"$eq": int(value)}}
    try:
        bounds = number_bounds(float(value))
    except OverflowError:
        return None
    return None if bounds is None else {field: {"$gte": bounds.low, "$lte": bounds.high}}


def _contains(field: str, candidate: Any) -> Condition:
    if isinstance(candidate, list):
        parts = [_contains(field, item) for item in candidate]
    elif isinstance(candidate, dict):
        parts = [_contains(f"{field}.{key}", item) for key, item in candidate.items() if _is_field(key)]
    else:
        scalar = _scalar(field, candidate)
        parts = [] if scalar is None else [scalar]
    return {"$or": [_all(parts) if parts else {field: {"$exists": True}}, _nested(field)]}


def _parsed(text: str) -> tuple[Any] | None:
    """The value of JSON text; None where it is none, or too large to be sent in this form."""
    if len(text) > LARGEST:
        return None
    try:
        value = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None
    return (value,) if _nodes(value) <= _MOST_NODES else None


def _nodes(value: Any, depth: int = 0) -> int:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if items and depth == _DEEPEST:
        return _MOST_NODES + 1
    return 1 + sum(_nodes(item, depth + 1) for item in items)
