"""Documents of any BSON as rows of a schema's table, and back, byte for byte. Pure.

A *row as document* has the layout's fields: ``_id`` is the key, the others are called like their columns. What the
natural forms of the columns do not tell goes to the column of exact forms. An exact form counts only as long as the
column holds what the exact value gives: another writer's change to the column wins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import bson
from bson.errors import BSONError

from platform_store.association import EXACT_COLLATIONS, TEXT_TYPES, KeyValues
from platform_store.errors import ValueRejected
from platform_store.halves import CODEC_OPTIONS
from platform_store.shapes.form import INEXACT, Form, Way
from platform_store.shapes.forms import form_of
from platform_store.shapes.rest import Loss, Rest
from platform_store.shapes.slots import ID, same_key, slots_of
from platform_store.shapes.target import EXACT, Schema, TargetColumn
from platform_store.stores.bulk import Layout

_MAX_PLANS: Final = 5000
_NULL: Final = type(None)
_BEFORE_ARRAY: Final = 10  # bytes: two lengths, a type and the end of an empty name


class _Plan:
    """How documents of the same names and Python types become rows, if all their values are ordinary."""

    __slots__ = ("filled", "keys", "steps", "whole")

    def __init__(self, keys: list[str], steps: list[tuple[int, Callable[[Any], Any]]], filled: list[int] | None):
        self.keys, self.steps, self.filled = keys, steps, filled
        self.whole = not steps and filled is None


class Shape:
    """Makes rows of documents, and documents of rows.

    With a column of exact forms ``restore(row(document))`` is the document to the last byte. Without one a value must
    be equal to what the row holds, but for the order of keys, nulls, and the types of equal numbers.
    """

    def __init__(self, schema: Schema):
        self.schema = schema.check()
        self._slots = slots_of(schema)
        self._key_forms = [form_of(column, key=True) for column in schema.key]
        self._rest = Rest(schema, self._slots)
        self._strict = schema.rest is not None
        self._nullable = frozenset(field for field, slot in self._slots.items() if slot.nulls)
        self._plans: dict[tuple[tuple[str, ...], tuple[type, ...]], _Plan | None] = {}
        self._backs = [
            (slot.key, field, None if slot.form.as_it_is else slot.form.back, slot.nulls)
            for field, slot in self._slots.items()
        ]
        self._natural = all(back is None and field == key and not nulls for key, field, back, nulls in self._backs)
        self._rest_name = (schema.rest or "").encode() + b"\0"

    @property
    def untouched(self) -> bool:
        """Whether ``restore`` gives back every row as it is: the table was not made from a collection."""
        return self._natural and not self._strict

    def form(self, field: str) -> Form:
        """The form of the column that holds a field, but for ``_id``."""
        form = self._slots[field].form
        if not isinstance(form, Form):
            raise KeyError(field)
        return form

    @property
    def ordered(self) -> bool:
        """Whether the order of keys in MySQL is that of their ``_id``s in MongoDB."""
        return all(_ordered(column, form) for column, form in zip(self.schema.key, self._key_forms, strict=True))

    def identify(self, key: KeyValues) -> Any:
        """The ``_id`` of a stored key, equal to the document's: a number may be of another type.

        Raises ValueRejected for a key that another writer made and that no ``_id`` in the order of the keys can be.
        """
        parts = [form.codec.to_bson(part) for form, part in zip(self._key_forms, key, strict=True)]
        try:
            if len(parts) == 1:
                return self._key_forms[0].back(parts[0])
            names = [column.name for column in self.schema.key]
            return self._slots[ID].form.back(dict(zip(names, parts, strict=True)))
        except ValueRejected as error:
            raise error.at(self.schema.table, self._slots[ID].names, key[0] if len(key) == 1 else key) from None

    def key_of(self, identifier: Any) -> KeyValues:
        """The stored key of the row of an ``_id``. Raises ValueRejected where no row could have it."""
        form = self._slots[ID].form
        natural = form.natural(identifier)
        if natural is None or not same_key(identifier, form.back(natural)):
            raise ValueRejected("no row could have this _id as its key", table=self.schema.table, key=identifier)
        parts = list(natural.values()) if self.schema.composite else [natural]
        return tuple(form.codec.stored_from_bson(part) for form, part in zip(self._key_forms, parts, strict=True))

    @classmethod
    def for_layout(cls, layout: Layout) -> Shape:
        """Of a table that is there: what its comments tell, or else the form that MySQL's types have in documents."""
        return cls(Schema.from_layout(layout))

    def row(self, document: bytes | Mapping[str, Any]) -> dict[str, Any]:
        """A document's row as document. Raises ValueRejected, which names the key, for what no column can hold."""
        raw = document if isinstance(document, bytes) else bson.encode(document, codec_options=CODEC_OPTIONS)
        values = _faithful(raw)
        if values is None:
            return self._rest.row_of_odd(raw)[0]
        row = self._ordinary(values)
        return self._rest.row(values)[0] if row is None else row

    def rows(self, documents: Sequence[bytes]) -> list[dict[str, Any]]:
        """As :meth:`row`, of many documents, which are read and looked at together where nothing is odd about any."""
        values = all_faithful(documents)
        if values is None:
            return [self.row(document) for document in documents]
        rows = [self._ordinary(one) for one in values]
        return [self._rest.row(one)[0] if row is None else row for one, row in zip(values, rows, strict=True)]

    def losses(self, document: bytes) -> list[Loss]:
        """What would not survive in the natural form of the columns, and where it goes."""
        values = _faithful(document)
        if values is None:
            return self._rest.row_of_odd(document, lenient=True)[1]
        return [] if self._ordinary(values) is not None else self._rest.row(values, lenient=True)[1]

    def restore(self, row: bytes | Mapping[str, Any]) -> bytes:
        """The document of a row. Raises ValueRejected where the column of exact forms was damaged."""
        if isinstance(row, bytes):
            if self._natural and (not self._strict or self._rest_name not in row):
                return row
            row = bson.decode(row, CODEC_OPTIONS)
        if self._strict and row.get(self._rest.name) is not None:
            return self._rest.restore(row)
        document = {}
        try:
            for key, field, back, nulls in self._backs:
                value = row.get(key)
                if value is not None:
                    document[field] = value if back is None else back(value)
                elif nulls:
                    document[field] = None
        except ValueRejected as error:
            raise error.at(self.schema.table, self._slots[field].names, row.get(ID)) from None
        return bson.encode(document, codec_options=CODEC_OPTIONS)

    def _ordinary(self, values: dict[str, Any]) -> dict[str, Any] | None:
        """The row of a document that needs no exact forms; None of any other."""
        shape = (tuple(values), tuple(map(type, values.values())))
        plan = self._plans.get(shape)
        if plan is None:
            if shape in self._plans:
                return None
            if len(self._plans) >= _MAX_PLANS:
                self._plans.clear()
            plan = self._plans[shape] = self._plan(*shape)
            if plan is None:
                return None
        found = list(values.values())
        for index, way in plan.steps:
            natural = way(found[index])
            if natural is INEXACT:
                return None
            found[index] = natural
        if plan.filled is not None:
            found = [found[index] for index in plan.filled]
        return dict(zip(plan.keys, found, strict=True))

    def _plan(self, names: tuple[str, ...], kinds: tuple[type, ...]) -> _Plan | None:
        keys: list[str] = []
        steps: list[tuple[int, Callable[[Any], Any]]] = []
        filled: list[int] = []
        last = -1
        for index, (name, kind) in enumerate(zip(names, kinds, strict=True)):
            slot = self._slots.get(name)
            if slot is None or (self._strict and slot.rank <= last):
                return None
            last = slot.rank
            if kind is _NULL:
                if name == ID or (self._strict and not slot.nulls):
                    return None
                continue
            if kind not in slot.form.ways:
                return None
            way: Way = slot.form.ways[kind]
            if way is not None:
                steps.append((index, way))
            keys.append(slot.key)
            filled.append(index)
        if ID not in names or (self._strict and not self._nullable.issubset(names)):
            return None
        return _Plan(keys, steps, None if len(filled) == len(names) else filled)


def _ordered(column: TargetColumn, form: Form) -> bool:
    if column.meaning == "key":  # documents among the _ids sort by their fields in MongoDB
        return False
    if column.sql_type.base in TEXT_TYPES and column.collation not in (None, EXACT, *EXACT_COLLATIONS):
        return False
    return form.codec.order == "natural" and (form.codec.exception_type is None or column.meaning == "date")


def all_faithful(documents: Sequence[bytes]) -> list[dict[str, Any]] | None:
    """The documents as the driver reads them; None where writing them would not give the same bytes again."""
    try:
        values: list[dict[str, Any]] = bson.decode_all(b"".join(documents), CODEC_OPTIONS)
        written = bson.encode({"": values}, codec_options=CODEC_OPTIONS)
    except (BSONError, ValueError, TypeError, OverflowError):
        return None
    array = b"".join([b"\x03%d\0%b" % (number, document) for number, document in enumerate(documents)])
    return values if written[_BEFORE_ARRAY:-2] == array else None


def _faithful(document: bytes) -> dict[str, Any] | None:
    """The document as the driver reads it; None where writing that would not give the same bytes again.

    So whatever the driver does not tell apart (duplicate keys, undefined, symbols, NaN's bits) is never overlooked.
    """
    try:
        values: dict[str, Any] = bson.decode(document, CODEC_OPTIONS)
        return values if bson.encode(values, codec_options=CODEC_OPTIONS) == document else None
    except (BSONError, ValueError, TypeError, OverflowError):
        return None
