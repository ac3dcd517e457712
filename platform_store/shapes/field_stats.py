"""What is known of one field after looking at its values: counts, ranges and lengths, never the values. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from bson import Decimal128, ObjectId
from bson.binary import Binary
from bson.int64 import Int64

from platform_store.shapes.number_forms import INT32

_MAX_SHAPES: Final = 200
_INT64: Final = 2**63
_MAX_KEYS: Final = 300


class Orders:
    """In which order the names of documents or objects stand, from the most frequent combinations."""

    def __init__(self) -> None:
        self._shapes: Counter[tuple[str, ...]] = Counter()

    def see(self, names: tuple[str, ...]) -> None:
        if names in self._shapes or len(self._shapes) < _MAX_SHAPES:
            self._shapes[names] += 1

    def merged(self, also: Iterable[str] = ()) -> list[str]:
        """All names, each after those that it follows in the most frequent combination that has it."""
        order: list[str] = []
        for names, _ in self._shapes.most_common():
            place = 0
            for name in names:
                if name in order:
                    place = max(place, order.index(name) + 1)
                else:
                    order.insert(place, name)
                    place += 1
        known = set(order)
        return order + [name for name in also if name not in known]


class InsideStats:
    """Of the objects and arrays in one field: the order of keys, and what stands at them."""

    def __init__(self) -> None:
        self.orders = Orders()
        self._kinds: dict[str, Counter[type]] = {}

    def see(self, value: Any, key: str = "") -> None:
        kind = type(value)
        if kind is dict:
            self.orders.see(tuple(value))
            for name, item in value.items():
                self.see(item, name)
        elif kind is list:
            for item in value:
                self.see(item, key)
        elif kind in _INSIDE:
            if key not in self._kinds:
                if len(self._kinds) >= _MAX_KEYS:
                    return
                self._kinds[key] = Counter()
            self._kinds[key][kind] += 1

    @property
    def types(self) -> dict[str, str]:
        """What text or integers at a key mostly stand for, where that is not text or int."""
        types = {}
        for key, kinds in self._kinds.items():
            kind = max((kind for kind in kinds if kind in _STANDS_FOR), key=kinds.__getitem__, default=None)
            if kind is not None and kinds[kind] > kinds[int if kind is Int64 else str]:
                types[key] = _STANDS_FOR[kind]
        return types


_STANDS_FOR: Final[Mapping[type, str]] = {
    datetime: "date",
    Decimal128: "decimal",
    Int64: "long",
    ObjectId: "objectId",
    UUID: "uuid",
}
_INSIDE: Final = frozenset({*_STANDS_FOR, str, int})


class FieldStats:
    """One field's values so far. Bounded, whatever they are."""

    def __init__(self) -> None:
        self.kinds: Counter[type] = Counter()
        self.first: dict[type, Any] = {}  # the _id of the first document with a value of the type
        self.low = self.high = 0  # of integers
        self.narrow_longs = 0  # int64 that would be int32
        self.integral_doubles = 0  # of the range of int64
        self.narrow_doubles = 0  # integral, of the range of int32
        self.digits = self.scale = 0  # of Decimal128, before the point and after
        self.scales: Counter[int] = Counter()
        self.long_decimals = 0  # that have zeros at their end
        self.characters = self.bytes = 0  # the most of a string
        self.far_dates = 0  # before 1000 or after 9999
        self.shortest: int | None = None  # of binary values
        self.longest = 0
        self.subtypes: Counter[int] = Counter()
        self.inside = InsideStats()

    def see(self, value: Any, identifier: Any) -> None:
        kind = type(value)
        if kind not in self.kinds:
            self.first[kind] = identifier
        self.kinds[kind] += 1
        handler = _HANDLERS.get(kind)
        if handler is not None:
            handler(self, value)

    def integer(self, value: int) -> None:
        if value < self.low:
            self.low = value
        elif value > self.high:
            self.high = value

    def long(self, value: Int64) -> None:
        number = int(value)  # Python looks for any other kind of int in a range one by one
        self.integer(number)
        self.narrow_longs += number in INT32

    def double(self, value: float) -> None:
        if abs(value) < _INT64 and value.is_integer():
            self.integral_doubles += 1
            self.narrow_doubles += int(value) in INT32

    def decimal(self, value: Decimal128) -> None:
        number = value.to_decimal()
        if not number.is_finite():
            return
        scale = max(0, -_exponent(number))
        if len(self.scales) < _MAX_KEYS or scale in self.scales:
            self.scales[scale] += 1
        self.scale = max(self.scale, scale)
        self.digits = max(self.digits, number.adjusted() + 1 if number else 1)
        digits = number.as_tuple().digits
        self.long_decimals += _exponent(number) > 0 or (scale > 0 and digits[-1] == 0)

    def text(self, value: str) -> None:
        if len(value) > self.characters:
            self.characters = len(value)
        if len(value) * 4 > self.bytes:
            self.bytes = max(self.bytes, len(value) if value.isascii() else len(value.encode()))

    def date(self, value: datetime) -> None:
        self.far_dates += value.year < 1000

    def binary(self, value: bytes) -> None:
        self.shortest = len(value) if self.shortest is None else min(self.shortest, len(value))
        self.longest = max(self.longest, len(value))
        self.subtypes[value.subtype if isinstance(value, Binary) else 0] += 1

    def nested(self, value: Any) -> None:
        self.inside.see(value)

    def leaf_inside(self) -> InsideStats:
        """The inside, where the column becomes JSON: the types of top-level values count as well."""
        kinds = self.inside._kinds.setdefault("", Counter())
        kinds.update({kind: self.kinds[kind] for kind in _INSIDE if self.kinds[kind]})
        return self.inside


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


_HANDLERS: Final[Mapping[type, Callable[[FieldStats, Any], None]]] = {
    int: FieldStats.integer,
    Int64: FieldStats.long,
    float: FieldStats.double,
    Decimal128: FieldStats.decimal,
    str: FieldStats.text,
    datetime: FieldStats.date,
    bytes: FieldStats.binary,
    Binary: FieldStats.binary,
    dict: FieldStats.nested,
    list: FieldStats.nested,
}
