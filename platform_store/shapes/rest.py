"""The column of exact forms: what a row's other columns do not tell of its document. Pure.

It is a JSON object: for each field without a column its exact form (:mod:`platform_store.shapes.exact`); ``.exact``,
the exact forms of fields that have a column, which does not tell all of them; ``.order``, the names of all fields where
they do not stand in the schema's order; ``.absent``, the fields that are absent where SQL NULL is a null; and
``.document``, the whole document, where its fields cannot be told by name (a name twice, or one that is not UTF-8).

The two are told apart because a column may be added later: a field that had none counts as long as the column is NULL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import bson
from bson.errors import BSONError

from platform_store.errors import ValueRejected
from platform_store.halves import CODEC_OPTIONS
from platform_store.shapes.elements import Element, decoded, elements, joined, value_bytes
from platform_store.shapes.exact import (
    ABSENT,
    BESIDE,
    DOCUMENT,
    JSON,
    ORDER,
    exact,
    field_name,
    from_exact,
    name_of,
    packed,
    unpacked,
)
from platform_store.shapes.form import INEXACT
from platform_store.shapes.slots import ID, Slot, equal, same, same_key
from platform_store.shapes.target import Schema

_MARKS: Final = frozenset({ORDER, ABSENT, DOCUMENT, BESIDE})
_UNREADABLE: Final = object()
_NAMES: Final = {
    0x01: "double", 0x02: "string", 0x03: "document", 0x04: "array", 0x05: "binary", 0x06: "undefined",
    0x07: "objectId", 0x08: "bool", 0x09: "date", 0x0A: "null", 0x0B: "regex", 0x0C: "dbPointer", 0x0D: "javascript",
    0x0E: "symbol", 0x0F: "javascriptWithScope", 0x10: "int", 0x11: "timestamp", 0x12: "long", 0x13: "decimal",
    0x7F: "maxKey", 0xFF: "minKey",
}  # fmt: skip
"""MongoDB's aliases of the types."""


class Loss(NamedTuple):
    """A value that would not survive in natural form. ``goes_to``: the column of exact forms; "" if it is refused."""

    key: Any
    field: str
    column: str
    kind: str
    reason: str
    goes_to: str


class _Value(NamedTuple):
    """A field: the value as the driver reads it, and its bytes where those are not what the driver would write."""

    name: str
    value: Any
    raw: bytes | None

    @property
    def bytes(self) -> bytes:
        return value_bytes(self.value) if self.raw is None else self.raw

    @property
    def kind(self) -> str:
        return _NAMES.get(self.bytes[0], "unknown")


@dataclass
class _Row:
    """A row in the making."""

    identifier: Any
    columns: dict[str, Any] = field(default_factory=dict)
    exact: dict[str, Any] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)


class Rest:
    """Makes the rows of documents that are not ordinary, and documents of the rows with exact forms."""

    def __init__(self, schema: Schema, slots: Mapping[str, Slot]):
        self._table, self._slots = schema.table, slots
        self.name = schema.rest or ""
        self._nullable = [name for name, slot in slots.items() if slot.nulls]

    # Documents to rows

    def row(self, values: Mapping[str, Any], *, lenient: bool = False) -> tuple[dict[str, Any], list[Loss]]:
        """The row of a document that the driver reads faithfully, and what goes to the exact forms.

        ``lenient``: what no column can hold is a loss that goes nowhere, not a ValueRejected.
        """
        parts = [_Value(name, value, None) for name, value in values.items()]
        return self._row(parts, None, lenient=lenient)

    def row_of_odd(self, document: bytes, *, lenient: bool = False) -> tuple[dict[str, Any], list[Loss]]:
        """The row of any other document."""
        parts = [_value(element) for element in elements(document)]
        names = [part.name for part in parts]
        told_by_name = len(set(names)) == len(names) and not any("\ufffd" in name for name in names)
        return self._row(parts, None if told_by_name else document, lenient=lenient)

    def _row(
        self, parts: Iterable[_Value], document: bytes | None, *, lenient: bool
    ) -> tuple[dict[str, Any], list[Loss]]:
        values = {part.name: part for part in parts}  # of a name twice the last counts, as for the driver
        if ID not in values:
            raise ValueRejected("a document has no _id", table=self._table)
        made = _Row(None if values[ID].value is _UNREADABLE else values[ID].value)
        for name, slot in self._slots.items():
            if name in values:
                self._put(made, slot, values[name], lenient=lenient)
            elif slot.nulls and self.name:
                made.exact.setdefault(ABSENT, []).append(name)
                made.losses.append(Loss(made.identifier, name, slot.names, "absent", "the field is absent", self.name))
        for part in values.values():
            if part.name not in self._slots:
                self._overflow(made, part)
        if document is not None:
            made.exact = {DOCUMENT: packed(document)}
            reason = "two fields have the same name, or a name is not UTF-8"
            made.losses.append(Loss(made.identifier, "", "", "document", reason, self.name))
        elif self.name:
            self._note_order(made, list(values))
        if self.name:
            self._put_exact(made, values)
        elif not lenient:
            self._refuse(made.losses)
        return made.columns, made.losses

    def _put(self, made: _Row, slot: Slot, part: _Value, *, lenient: bool) -> None:
        """Fills one column, and the field's exact form where the column does not tell all."""
        python, ways = type(part.value), slot.form.ways
        natural = INEXACT
        if part.raw is None and python in ways:
            way = ways[python]
            natural = part.value if way is None else way(part.value)
        exactly = natural is not INEXACT
        if not exactly:
            natural = None if part.value is _UNREADABLE else slot.form.natural(part.value)
            exactly = part.raw is None and natural is not None and same_value(slot.form.back(natural), part.value)
        if slot.field == ID and not exactly and not _is_key(slot, part, natural):
            reason = f"an _id of type {part.kind} does not fit the key"
            if not lenient:
                raise ValueRejected(
                    f"{reason}: choose another type for it",
                    table=self._table,
                    column=slot.names,
                    key=None if part.value is _UNREADABLE else part.value,
                )
            made.losses.append(Loss(made.identifier, ID, slot.names, "key", reason, ""))
            return
        if natural is not None:
            made.columns[slot.key] = natural
        elif part.value is None and part.raw is None and (slot.nulls or not self.name):
            return
        if exactly or (not self.name and natural is not None and equal(part.value, slot.form.back(natural))):
            return
        kind, reason = _why(part, natural)
        made.losses.append(Loss(made.identifier, slot.field, slot.names, kind, reason, self.name))
        if self.name:
            made.exact.setdefault(BESIDE, {})[field_name(slot.field)] = exact(part.bytes)

    def _overflow(self, made: _Row, part: _Value) -> None:
        if part.value is None and part.raw is None and not self.name:
            return
        reason = f"{part.kind}: the table has no column for it"
        made.losses.append(Loss(made.identifier, part.name, "", "no column", reason, self.name))
        if self.name:
            made.exact[field_name(part.name)] = exact(part.bytes)

    def _note_order(self, made: _Row, names: list[str]) -> None:
        if names != self._default_order(names):
            made.exact[ORDER] = names
            reason = "the fields stand in another order than the columns"
            made.losses.append(Loss(made.identifier, "", "", "order", reason, self.name))

    def _put_exact(self, made: _Row, values: Mapping[str, _Value]) -> None:
        if not made.exact:
            return
        try:
            made.columns[self.name] = JSON.encode(made.exact)
        except ValueRejected:  # a name that is longer than JSON's can be
            document = joined(Element(part.name.encode(), part.bytes) for part in values.values())
            made.columns[self.name] = JSON.encode({DOCUMENT: packed(document)})

    def _default_order(self, names: Iterable[str]) -> list[str]:
        """The schema's fields, then the others in the order in which JSON keeps them."""
        present = set(names)
        others = sorted((key.encode() for key in map(field_name, present - self._slots.keys())), key=_json_order)
        return [name for name in self._slots if name in present] + [name_of(key.decode()) for key in others]

    def _refuse(self, losses: list[Loss]) -> None:
        if losses:
            first = losses[0]
            raise ValueRejected(
                f"the field {first.field!r}, {first.reason}, and it has no column of exact forms",
                table=self._table,
                column=first.column or None,
                key=first.key,
            )

    # Rows to documents

    def restore(self, row: Mapping[str, Any]) -> bytes:
        """The document of a row that has exact forms."""
        try:
            return self._restored(row, self._stored(row))
        except (ValueRejected, BSONError) as error:
            reason = error.reason if isinstance(error, ValueRejected) else "an exact form is damaged"
            raise ValueRejected(reason, table=self._table, column=self.name, key=row.get(ID)) from None

    def _stored(self, row: Mapping[str, Any]) -> dict[str, Any]:
        stored = JSON.stored_from_bson(row[self.name])
        if not isinstance(stored, dict):
            raise ValueRejected("the column of exact forms holds no object")
        return stored

    def _restored(self, row: Mapping[str, Any], stored: Mapping[str, Any]) -> bytes:
        if DOCUMENT in stored:
            return self._changed(row, unpacked(stored[DOCUMENT]))
        order, absent = _names(stored.get(ORDER, [])), _names(stored.get(ABSENT, []))
        alone = {name_of(key): form for key, form in stored.items() if key not in _MARKS}
        forms = _forms(stored.get(BESIDE, {}))
        values: dict[str, _Value] = {}
        for name, slot in self._slots.items():
            natural = row.get(slot.key)
            if natural is None and name in alone:
                continue
            value = self._value(slot, natural, forms, absent)
            if value is not None:
                values[name] = value
        for name, form in (forms | alone).items():
            if name not in values and (name in alone or name not in self._slots):
                values[name] = _Value(name, None, from_exact(form))
        names = [name for name in order if name in values]
        if len(names) < len(values):
            names = list(dict.fromkeys(names + self._default_order(values)))
        return _document([values[name] for name in names])

    def _value(self, slot: Slot, natural: Any, forms: Mapping[str, Any], absent: list[str]) -> _Value | None:
        """A field's value; None where it is absent."""
        if slot.field in forms:
            value = from_exact(forms[slot.field])
            if self._still(slot, value, natural):
                return _Value(slot.field, None, value)
        if natural is not None:
            return _Value(slot.field, natural if slot.form.as_it_is else slot.form.back(natural), None)
        return _Value(slot.field, None, None) if slot.nulls and slot.field not in absent else None

    def _still(self, slot: Slot, value: bytes, natural: Any) -> bool:
        """Whether the column holds what this value gives, so that no other writer has changed it."""
        read = _read(value)
        expected = None if read is _UNREADABLE or read is None else slot.form.natural(read)
        return same(expected, natural)

    def _changed(self, row: Mapping[str, Any], document: bytes) -> bytes:
        """A document that is kept whole, with the fields whose columns were changed since."""
        parts = [_value(element) for element in elements(document)]
        last = {part.name: part for part in parts}
        changed: dict[str, bytes | None] = {}
        for name, slot in self._slots.items():
            natural = row.get(slot.key)
            value = last[name].bytes if name in last else None
            if not (same(None, natural) if value is None else self._still(slot, value, natural)):
                changed[name] = None if natural is None else value_bytes(slot.form.back(natural))
        if not changed:
            return document
        kept = [element for element, part in zip(elements(document), parts, strict=True) if part.name not in changed]
        added = [Element(name.encode(), value) for name, value in changed.items() if value is not None]
        return joined(sorted([*kept, *added], key=lambda element: element.name != b"_id"))


def same_value(left: Any, right: Any) -> bool:
    """Whether two BSON values are the same bytes."""
    return value_bytes(left) == value_bytes(right)


def _is_key(slot: Slot, part: _Value, natural: Any) -> bool:
    """Whether a key tells the ``_id``, but for the type of a number: else it could be another document's as well."""
    return natural is not None and part.raw is None and same_key(part.value, slot.form.back(natural))


def _document(parts: list[_Value]) -> bytes:
    """The document of these fields, those that the driver can write written together."""
    body: list[bytes] = []
    together: dict[str, Any] = {}

    def write() -> None:
        if together:
            body.append(bson.encode(together, codec_options=CODEC_OPTIONS)[4:-1])
            together.clear()

    for part in parts:
        if part.raw is None and (part.name != ID or not together):  # the driver would put the _id in front
            together[part.name] = part.value
            continue
        write()
        raw = part.bytes
        body.append(raw[:1] + part.name.encode() + b"\0" + raw[1:])
    write()
    size = sum(map(len, body)) + 5
    return size.to_bytes(4, "little") + b"".join(body) + b"\0"


def _json_order(key: bytes) -> tuple[int, bytes]:
    return len(key), key


def _names(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueRejected("the column of exact forms has no list of names where one should be")
    return value


def _forms(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueRejected("the column of exact forms has no object where one should be")
    return {name_of(key): form for key, form in value.items()}


def _read(value: bytes) -> Any:
    try:
        return decoded(value)
    except (BSONError, ValueError, TypeError, OverflowError):
        return _UNREADABLE


def _value(element: Element) -> _Value:
    name = element.name.decode(errors="replace")
    read = _read(element.value)
    faithful = read is not _UNREADABLE and value_bytes(read) == element.value
    return _Value(name, read, None if faithful else element.value)


def _why(part: _Value, natural: Any) -> tuple[str, str]:
    """Why a column does not tell all of a value: a kind to count by, and words."""
    if part.value is None and part.raw is None:
        return "null", "null: in this column SQL NULL is an absent field"
    if part.raw is not None:
        return "driver", f"{part.kind}: what no driver gives back as it was"
    if natural is None:
        return "does not fit", f"{part.kind}: beyond what the column holds"
    if isinstance(part.value, dict | list):
        return "inside", f"{part.kind}: the order of its keys, or types inside it"
    return "type", f"{part.kind}: the column holds an equal or near value of another type"
