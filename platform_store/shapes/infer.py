"""The table that a collection would become, inferred from its documents in one pass and bounded memory. Pure."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Final

import bson
from bson.errors import BSONError

from platform_store.errors import SchemaError, ValueRejected
from platform_store.halves import CODEC_OPTIONS
from platform_store.shapes import choose
from platform_store.shapes.column_names import ColumnNames
from platform_store.shapes.elements import decoded, elements
from platform_store.shapes.field_stats import FieldStats, Orders
from platform_store.shapes.key_text import MAX_LENGTH, key_text
from platform_store.shapes.row_size import fitted
from platform_store.shapes.target import EXACT, MAX_COMMENT, MAX_KEY_BYTES, MAX_KEY_COLUMNS, REST, Schema
from platform_store.shapes.target import TargetColumn as Column

ID: Final = "_id"
_MAX_FIELDS: Final = 3000
_MAX_NAME: Final = 500  # characters, so that the comment can tell it
_SHORT_KEYS: Final = frozenset({"objectId", "int", "long", "date", "uuid", "bool", "null"})


class Inference:
    """Looks at documents, and says which table would hold them."""

    def __init__(self) -> None:
        self.documents = 0
        self.bytes = 0
        self.unreadable = 0
        self._fields: dict[str, FieldStats] = {}
        self._orders = Orders()
        self._untracked = 0
        self._keys = FieldStats()
        self._parts: dict[str, FieldStats] = {}
        self._part_names: tuple[str, ...] | None = None  # of _ids that are all documents of the same fields
        self._long_key: Any = None

    def observe(self, document: bytes | Mapping[str, Any]) -> None:
        """Takes one document into account."""
        self.documents += 1
        if isinstance(document, bytes):
            self.bytes += len(document)
            document = self._decoded(document)
        self._orders.see(tuple(document))
        identifier = document.get(ID)
        fields = self._fields
        for name, value in document.items():
            stats = fields.get(name)
            if stats is None:
                if name == ID:
                    self._see_key(value)
                    continue
                if len(fields) >= _MAX_FIELDS:
                    self._untracked += 1
                    continue
                stats = fields[name] = FieldStats()
            stats.see(value, identifier)

    def _decoded(self, document: bytes) -> Mapping[str, Any]:
        """The fields that the driver reads: not text that is not UTF-8, for instance."""
        try:
            return bson.decode(document, CODEC_OPTIONS)
        except (BSONError, ValueError):
            self.unreadable += 1
        found: dict[str, Any] = {}
        for element in elements(document):
            with contextlib.suppress(BSONError, ValueError):
                found[element.name.decode()] = decoded(element.value)
        return found

    def schema(self, table: str, *, complete: bool = False, rest: str | None = REST) -> Schema:
        """The table. ``complete``: all documents were seen, so lengths need no room for longer values.

        Raises SchemaError where no key can be made of the ``_id``s. Without ``rest`` it has no column of exact forms,
        and documents that need one are refused.
        """
        names = ColumnNames()
        ordered = [name for name in self._orders.merged(self._fields) if name in self._fields]
        # the most frequent fields keep their names where two would be one column
        frequent = sorted(ordered, key=lambda name: -sum(self._fields[name].kinds.values()))
        chosen: dict[str, Column] = {}
        overflow: dict[str, str] = {}
        rest_name = None if rest is None else names.give(rest)
        for name in sorted(frequent, key=lambda name: not names.keeps(name)):
            column = self._column(name, names, complete=complete)
            if isinstance(column, str):
                overflow[name] = column
            else:
                chosen[name] = column
        key, key_notes = self._key(table, names)
        room = fitted(key, [chosen[name] for name in frequent if name in chosen])
        overflow |= {name: "the row would be too long for MySQL" for name in chosen if name not in room}
        columns = tuple(room[name] for name in ordered if name in room)
        notes = (*key_notes, *self._notes())
        return Schema(table, key, columns, rest_name, overflow, notes).check()

    def _column(self, name: str, names: ColumnNames, *, complete: bool) -> Column | str:
        """The column of a field, or why there is none."""
        stats = self._fields[name]
        if len(name) > _MAX_NAME:
            return "its name is too long for a column's comment"
        choice = choose.choose(stats, complete=complete)
        if choice is None:
            return f"{_kinds(stats)}: no column type tells anything of such values"
        nulls = stats.kinds[type(None)]
        absent = self.documents - sum(stats.kinds.values())
        column = choice.column(names.give(name), name, nulls=nulls > absent, note=_note(stats))
        return column if len(column.comment) <= MAX_COMMENT else "its name is too long for a column's comment"

    # Keys

    def _see_key(self, value: Any) -> None:
        stats = self._keys
        stats.see(value, value)
        if isinstance(value, dict):
            names = tuple(value)
            if self._part_names is None and not self._parts and stats.kinds[dict] == 1:
                self._part_names = names
            if names == self._part_names and 1 < len(names) <= MAX_KEY_COLUMNS:
                for name, part in value.items():
                    self._parts.setdefault(name, FieldStats()).see(part, None)
            else:
                self._part_names = None
        if self._long_key is None and choose.TYPE_NAMES.get(type(value)) not in _SHORT_KEYS:
            try:
                key_text(value)
            except ValueRejected:
                self._long_key = value

    def _key(self, table: str, names: ColumnNames) -> tuple[tuple[Column, ...], tuple[str, ...]]:
        """The key's columns, and notes."""
        stats = self._keys
        if self._part_names is not None and set(stats.kinds) == {dict}:
            parts = self._composite(names)
            if parts is not None:
                return parts, ()
        choice = choose.key(stats) if stats.kinds else choose.Choice("CHAR(24)", "objectId", EXACT)
        if stats.characters > MAX_LENGTH or (choice is None and self._long_key is not None):
            raise SchemaError(
                f"an _id is too long for a key of MySQL, which has at most {MAX_LENGTH} characters", table=table
            )
        if choice is not None:
            return (choice.column(names.give("id"), ID, note=_note(stats)),), ()
        note = f"the _ids are of several types ({_kinds(stats)}): the key is text that sorts as MongoDB sorts them"
        return (Column(names.give("id"), ID, f"VARCHAR({MAX_LENGTH})", "key", collation=EXACT),), (note,)

    def _composite(self, names: ColumnNames) -> tuple[Column, ...] | None:
        columns = []
        size = 0
        for name, stats in self._parts.items():
            choice = choose.key(stats)
            if choice is None or len(name) > _MAX_NAME:
                return None
            columns.append((choice, name))
            size += choice.column("x", name).sql_type.length or 8
        if size * 4 > MAX_KEY_BYTES or len(columns) != len(self._part_names or ()):
            return None
        return tuple(choice.column(names.give(name), name) for choice, name in columns)

    def _notes(self) -> list[str]:
        notes = []
        if self._untracked:
            notes.append(f"more than {_MAX_FIELDS} different fields: the others go to the column of exact forms")
        if self.unreadable:
            notes.append(
                f"{self.unreadable} documents hold text that is not UTF-8, which stays as it is in exact forms"
            )
        return notes


def _kinds(stats: FieldStats) -> str:
    total = sum(stats.kinds.values())
    return ", ".join(
        f"{choose.TYPE_NAMES.get(kind, kind.__name__.lower())} {100 * count / total:.3g}%"
        for kind, count in stats.kinds.most_common()
    )


def _note(stats: FieldStats) -> str:
    """What the values are, where they are not all of one type, with an example of the rarest."""
    kinds = [kind for kind in stats.kinds if kind is not type(None)]
    notes = []
    if len(kinds) > 1:
        rarest = min(kinds, key=stats.kinds.__getitem__)
        rare = choose.TYPE_NAMES.get(rarest, rarest.__name__.lower())
        notes.append(f"{_kinds(stats)}; {rare} in _id {stats.first[rarest]!r}"[:160])
    if stats.far_dates:
        notes.append(f"{stats.far_dates} dates before 1000 as exact forms")
    return "; ".join(notes)
