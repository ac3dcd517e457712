"""JSON columns: Python values in, Python values out, natural BSON wherever BSON can hold them exactly."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from typing import Any, Final, NoReturn, cast

from bson import Decimal128

from platform_store.codecs.base import Codec, Order, foreign, plain_text, wrong_type
from platform_store.codecs.numeric import INT64_MAX, unsigned_from_bson
from platform_store.errors import ValueRejected

_WRAPPER: Final = "_json"
_MAX_DEPTH: Final = 100  # MySQL's
_MAX_BSON_DEPTH: Final = 80  # MongoDB's is 100, commands and the document around the value included
_MAX_KEY_BYTES: Final = 65_535
_SHORT_KEY: Final = 1000  # characters
_MAX_PLACE: Final = 200
_INT_MIN: Final = -(2**63)
_UINT_MAX: Final = 2**64 - 1
_UINT_DIGITS: Final = 20
_REPR_LOW: Final = 1e-4  # from here to the next, Python writes a float as MySQL writes a double of JSON
_REPR_HIGH: Final = 1e15
_FIRST_PLAIN_POINT: Final = -14  # MySQL's lowest place of the decimal point, counted from the first digit
_Path = tuple[str | int, ...]


class JsonText(str):
    """JSON text, passed as such: ``JsonText('{"a": 1}')`` is an object where a plain ``str`` would be a JSON string.

    ``JsonText('null')`` is JSON null at the top level, which ``None`` (SQL NULL) is not.
    """

    __slots__ = ()


JSON_NULL: Final = JsonText("null")


@dataclass(frozen=True)
class JsonCodec(Codec):
    """JSON.

    The stored value is the Python value with the keys of objects in MySQL's order: by length in UTF-8, then by bytes.
    It is a ``JsonText`` in two cases: JSON null, and text read from MySQL with a number that no int64, uint64 or
    double equals (MySQL makes those from SQL DECIMALs), which is kept digit by digit.
    """

    @property
    def bson_form(self) -> str:
        return "the natural value: object, array, string, int, long, double, bool, null"

    @property
    def exceptions(self) -> str:
        return (
            f"integers above {INT64_MAX}: decimal. As {{{_WRAPPER}: text}}: JSON null at the top level, more than "
            f"{_MAX_BSON_DEPTH} levels, a key that begins with $ or holds a NUL, numbers beyond double, "
            f"an object whose only key is {_WRAPPER}"
        )

    @property
    def order(self) -> Order:
        return "none"

    def check(self, value: object) -> object:
        try:
            return _plain([value])[0]
        except (_NotPlain, UnicodeEncodeError):
            pass
        return _or_null(_parsed(value, ())) if isinstance(value, JsonText) else _canonical(value, ())

    def encode(self, value: object) -> object:
        try:
            return _plain([value])[0]
        except (_NotPlain, UnicodeEncodeError):
            return self.to_bson(self.check(value))

    def column_check(self, values: Sequence[object]) -> Sequence[object]:
        try:
            return _plain(values)
        except (_NotPlain, UnicodeEncodeError):
            return super().column_check(values)

    def column_encode(self, values: Sequence[object]) -> Sequence[object]:
        try:
            return _plain(values)
        except (_NotPlain, UnicodeEncodeError):
            return [self.encode(value) for value in values]

    def to_sql(self, stored: object) -> str:
        return json_text(stored)

    def from_sql(self, driver_value: object) -> object:
        if not isinstance(driver_value, str):
            raise wrong_type(driver_value, "JSON text")
        return _or_null(json.loads(driver_value))

    def from_exact(self, driver_value: object) -> object:
        if not isinstance(driver_value, str):
            raise wrong_type(driver_value, "JSON text")
        inexact = False

        def integer(token: str) -> int:
            nonlocal inexact
            number = int(token)
            inexact |= not _INT_MIN <= number <= _UINT_MAX
            return number

        def real(token: str) -> float:
            nonlocal inexact
            number = float(token)
            inexact |= Decimal(token) != Decimal(repr(number))
            return number

        value = json.loads(driver_value, parse_int=integer, parse_float=real)
        return JsonText(driver_value) if inexact else _or_null(_sorted(value))

    def to_bson(self, stored: object) -> object:
        if isinstance(stored, JsonText) or not _natural(stored):
            return {_WRAPPER: json_text(stored)}
        return _bson(stored)

    def stored_from_bson(self, value: object) -> object:
        if type(value) is dict and len(value) == 1 and _WRAPPER in value:
            text = value[_WRAPPER]
            if not isinstance(text, str):
                raise foreign(text, "JSON text")
            try:
                return self.from_exact(text)
            except json.JSONDecodeError:
                raise foreign(text, "valid JSON text") from None
        return _from_bson(value)

    def from_bson(self, value: object) -> object:
        if type(value) is dict and not (len(value) == 1 and _WRAPPER in value):
            _settle(value, value.items())
        elif type(value) is list:
            _settle(value, enumerate(value))
        else:
            return self.public(self.stored_from_bson(value))
        return value

    def public(self, stored: object) -> object:
        return self.from_sql(stored) if isinstance(stored, JsonText) else stored


class _NotPlain(Exception):
    """A value that is not what almost every value is: it takes the longer way."""


def _plain(values: Sequence[Any]) -> list[Any]:
    """The canonical values where those are their BSON forms too, and Python's own types are all there is in them.

    This is the way of almost every value, in one pass. Raises _NotPlain or UnicodeEncodeError where any is another,
    whatever is the matter with it.
    """
    plain = list(values)
    texts, integers, numbers = [], [], []
    todo: list[tuple[Any, int]] = [(plain, 0)]
    while todo:
        whole, depth = todo.pop()
        if depth > _MAX_BSON_DEPTH:
            raise _NotPlain
        for place, part in whole.items() if type(whole) is dict else enumerate(whole):
            kind = type(part)
            if kind is str:
                texts.append(part)
            elif kind is int:
                integers.append(part)
            elif kind is dict:
                order = _plain_order(tuple(part))
                own = whole[place] = part.copy() if order is None else {key: part[key] for key in order}
                todo.append((own, depth + 1))
            elif kind is list:
                own = whole[place] = part.copy()
                todo.append((own, depth + 1))
            elif kind is float:
                numbers.append(part)
            elif part is not None and kind is not bool:
                raise _NotPlain
    if (integers and not _INT_MIN <= min(integers) <= max(integers) <= INT64_MAX) or not all(map(isfinite, numbers)):
        raise _NotPlain
    deque(map(str.encode, texts), maxlen=0)
    return plain


@lru_cache(maxsize=1024)
def _plain_order(keys: tuple[Any, ...]) -> tuple[str, ...] | None:
    """The keys of an object in MySQL's order, None where they are. A column's objects mostly have one of few shapes."""
    if keys == (_WRAPPER,):
        raise _NotPlain
    for key in keys:
        if type(key) is not str or key[:1] == "$" or "\0" in key or len(key) > _SHORT_KEY:
            raise _NotPlain
    order = tuple(sorted(keys, key=lambda key: (len(key.encode()), key.encode())))
    return None if order == keys else order


def json_text(value: object) -> str:
    """Canonical JSON text, as MySQL prints it."""
    return str(value) if isinstance(value, JsonText) else "".join(_written(value))


def _written(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        separator = "{"
        for key, item in value.items():
            yield f"{separator}{json.dumps(key, ensure_ascii=False)}: "
            yield from _written(item)
            separator = ", "
        yield "}" if value else "{}"
    elif isinstance(value, list):
        separator = "["
        for item in value:
            yield separator
            yield from _written(item)
            separator = ", "
        yield "]" if value else "[]"
    elif isinstance(value, float):
        yield _written_double(value)
    else:
        yield json.dumps(value, ensure_ascii=False)


def _written_double(number: float) -> str:
    """The shortest digits that give the number back; without an exponent in a range other than Python's."""
    if number == 0 or _REPR_LOW <= abs(number) < _REPR_HIGH:
        return repr(number)
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    point = len(digits) + cast("int", exponent)
    if 0 < point < len(digits):
        return repr(number)
    if _FIRST_PLAIN_POINT <= point <= 0:
        return f"{'-' * sign}0.{'0' * -point}{''.join(map(str, digits))}"
    rest = "".join(map(str, digits[1:]))
    return f"{'-' * sign}{digits[0]}{'.' * bool(rest)}{rest}e{point - 1}"


def _canonical(value: object, path: _Path) -> object:
    """The value as MySQL would hold it; ``path`` is where it stands, so its length is the depth."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, JsonText):
        return _parsed(value, path)
    if isinstance(value, str):
        try:
            return plain_text(value)
        except ValueRejected as error:
            raise _rejected(path, error.reason) from None
    if isinstance(value, int):
        if not _INT_MIN <= value <= _UINT_MAX:
            raise _rejected(path, f"an integer of JSON is {_INT_MIN} to {_UINT_MAX}; give a float or a str")
        return int(value)
    if isinstance(value, float):
        if not isfinite(value):
            raise _rejected(path, "JSON has no NaN or infinity")
        return float(value)
    if not isinstance(value, (dict, list, tuple)):
        raise _rejected(path, f"JSON has no {type(value).__name__}; give a str, a number, a list or a dict")
    if len(path) >= _MAX_DEPTH:
        raise _too_deep()
    if isinstance(value, dict):
        return _ordered({_key(key, path): _canonical(item, (*path, key)) for key, item in value.items()})
    return [_canonical(item, (*path, index)) for index, item in enumerate(value)]


def _key(key: object, path: _Path) -> str:
    if not isinstance(key, str):
        raise _rejected(path, f"the keys of a JSON object are str, not {type(key).__name__}")
    try:
        name = plain_text(key)
    except ValueRejected as error:
        raise _rejected(path, f"a key: {error.reason}") from None
    if len(name) * 4 > _MAX_KEY_BYTES and len(name.encode()) > _MAX_KEY_BYTES:
        raise _rejected(path, f"a key is longer than {_MAX_KEY_BYTES} bytes")
    return name


def _rejected(path: _Path, reason: str) -> ValueRejected:
    """Names the place in MySQL's notation, cut short where it is long."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{json.dumps(step, ensure_ascii=False)}" for step in path)
    place = f"${''.join(steps)}"
    return ValueRejected(f"at {place if len(place) <= _MAX_PLACE else place[:_MAX_PLACE] + '...'}: {reason}")


def _ordered(items: dict[str, object]) -> dict[str, object]:
    if len(items) < 2:
        return items
    by_bytes = sorted((len(key.encode()), key.encode(), key) for key in items)
    return {key: items[key] for _, _, key in by_bytes}


def _sorted(value: object) -> object:
    """A value just parsed, with its keys in MySQL's order."""
    if isinstance(value, dict):
        return _ordered({key: _sorted(item) for key, item in value.items()})
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _parsed(text: JsonText, path: _Path) -> object:
    """The value of JSON text as MySQL parses it: integers beyond uint64 become doubles, the last of equal keys wins."""
    try:
        value = json.loads(text, parse_int=_integer, parse_float=_real, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise _rejected(path, f"not valid JSON text at position {error.pos}") from None
    except RecursionError:
        raise _too_deep() from None
    return _canonical(value, path)


def _integer(token: str) -> int | float:
    if len(token) <= _UINT_DIGITS and _INT_MIN <= int(token) <= _UINT_MAX:
        return int(token)
    return _real(token)


def _real(token: str) -> float:
    number = float(token)
    if not isfinite(number):
        raise ValueRejected("the JSON text has a number beyond the range of a double")
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueRejected(f"JSON has no {name}")


def _too_deep() -> ValueRejected:
    return ValueRejected(f"the JSON value nests deeper than {_MAX_DEPTH} levels")


def _or_null(value: object) -> object:
    return JSON_NULL if value is None else value


def _natural(value: object, depth: int = 0) -> bool:
    """Whether BSON, and PyMongo's reading of it, gives exactly the value back."""
    if isinstance(value, dict):
        if depth >= _MAX_BSON_DEPTH or (depth == 0 and tuple(value) == (_WRAPPER,)):
            return False
        # "$": PyMongo reads {"$ref": ...} as a DBRef, and updates refuse such names
        return all(key[:1] != "$" and "\0" not in key and _natural(item, depth + 1) for key, item in value.items())
    if isinstance(value, list):
        return depth < _MAX_BSON_DEPTH and all(_natural(item, depth + 1) for item in value)
    return True


def _bson(value: object) -> object:
    if isinstance(value, dict):
        return {key: _bson(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_bson(item) for item in value]
    if isinstance(value, int) and value > INT64_MAX:
        return Decimal128(Decimal(value))
    return value


_LEAVES: Final = frozenset({str, int, bool, type(None)})
"""What BSON gives back as it is. Not float: it may be infinite; int64 comes as a type of its own."""


def _settle(whole: Any, parts: Iterable[tuple[Any, Any]]) -> None:
    """Puts Python's own values into an object or a list where BSON has others."""
    for place, part in parts:
        kind = type(part)
        if kind in _LEAVES:
            continue
        if kind is dict:
            _settle(part, part.items())
        elif kind is list:
            _settle(part, enumerate(part))
        elif kind is not float or not isfinite(part):
            whole[place] = _from_bson(part)


def _from_bson(value: Any) -> Any:
    """A copy, which nobody else can change."""
    kind = type(value)
    if kind is dict:
        items = value.copy()
        for key, item in items.items():
            if type(item) not in _LEAVES:
                items[key] = _from_bson(item)
        return items
    if kind is list:
        return [item if type(item) in _LEAVES else _from_bson(item) for item in value]
    if kind in _LEAVES or (kind is float and isfinite(value)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Decimal128):
        return unsigned_from_bson(value)
    raise foreign(value, "a JSON value")
