"""Where the fields of documents go in a row: a slot for each field that has a column. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias
from uuid import UUID

from bson import Decimal128, ObjectId
from bson.int64 import Int64

from platform_store.shapes.elements import value_bytes
from platform_store.shapes.form import INEXACT, Form, Way
from platform_store.shapes.forms import form_of
from platform_store.shapes.target import Schema

Ways: TypeAlias = Mapping[type, Way]
ID: Final = "_id"
_NAN: Final = object()  # one NaN is as good as another, as it is for the uniqueness of ``_id``s


class CompositeForm:
    """A key of several columns: an ``_id`` that is a document of just their fields, in their order."""

    as_it_is = False

    def __init__(self, schema: Schema):
        self._parts = [(column.field, column.name, form_of(column, key=True)) for column in schema.key]
        self._fields = [column.field for column in schema.key]
        self._names = [column.name for column in schema.key]
        self.ways: Ways = {dict: self._compared}

    def natural(self, value: Any) -> Any:
        if not isinstance(value, dict) or list(value) != self._fields:
            return None
        parts = {name: form.natural(value[field]) for field, name, form in self._parts}
        return None if any(part is None for part in parts.values()) else parts

    def back(self, natural: Any) -> Any:
        if not isinstance(natural, Mapping) or list(natural) != self._names:
            return natural
        return {field: form.back(natural[name]) for field, name, form in self._parts}

    def _compared(self, value: Any) -> Any:
        natural = self.natural(value)
        return natural if natural is not None and value_bytes(self.back(natural)) == value_bytes(value) else INEXACT


@dataclass(frozen=True, slots=True)
class Slot:
    """``key``: the name in a row as document; ``names``: the columns', for messages; ``rank``: the place in order."""

    field: str
    key: str
    form: Form | CompositeForm
    nulls: bool
    rank: int
    names: str


def slots_of(schema: Schema) -> dict[str, Slot]:
    """The slot of each field, in order; ``_id`` first."""
    key_form = CompositeForm(schema) if schema.composite else form_of(schema.key[0], key=True)
    slots = {ID: Slot(ID, ID, key_form, False, 0, ", ".join(column.name for column in schema.key))}
    for rank, column in enumerate(schema.columns, 1):
        slots[column.field] = Slot(column.field, column.name, form_of(column), column.nulls, rank, column.name)
    return slots


def same(left: Any, right: Any) -> bool:
    """Whether two values of a column are the same, whichever integer type they were decoded as; None is NULL."""
    if left is None or right is None:
        return left is right
    return value_bytes(_plain_integer(left)) == value_bytes(_plain_integer(right))


def _plain_integer(value: Any) -> Any:
    return int(value) if type(value) is Int64 else value


def same_key(value: Any, other: Any) -> bool:
    """Whether two ``_id``s are one to MongoDB, which takes equal numbers of any type for one."""
    if isinstance(value, dict) and isinstance(other, dict):
        return list(value) == list(other) and all(same_key(item, other[name]) for name, item in value.items())
    if isinstance(value, int | float | Decimal128) and isinstance(other, int | float | Decimal128):
        return isinstance(value, bool) == isinstance(other, bool) and equal(value, other)
    return value_bytes(value) == value_bytes(other)


def equal(value: Any, other: Any) -> bool:
    """Whether two values are equal but for what MySQL's types do not tell: the type of a number, the order of keys."""
    if isinstance(value, ObjectId) and isinstance(other, bytes):
        return value.binary == other
    left, right = _comparable(value), _comparable(other)
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(item, right[key]) for key, item in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, str) and isinstance(right, datetime):
        left, right = right, left
    if isinstance(left, datetime) and isinstance(right, str):  # the codecs' form of microseconds
        return left.isoformat(" ", "microseconds") == right
    return bool(left == right)


def _comparable(value: Any) -> Any:
    """The number, or what a column holds, that stands for a value."""
    if isinstance(value, Decimal128 | float):
        number = value.to_decimal() if isinstance(value, Decimal128) else Decimal(value)
        return _NAN if number.is_nan() else number
    if isinstance(value, UUID):
        return value.bytes
    if isinstance(value, ObjectId):
        return str(value)
    return bytes(value) if isinstance(value, bytes) else value
