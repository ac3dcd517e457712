"""One logical table: which column lives where, and how its primary key becomes a document's ``_id``.

Pure: nothing here talks to a store. An :class:`Association` is what the catalog in MySQL holds, by column *name*;
the ``flag`` of the public interface is how a placement is stated at creation and derived afterwards.

The ``_id`` of a single-column key is the key's own BSON form. A composite key becomes an embedded document, one
field for each key column in key order: MongoDB compares embedded documents field by field, so the order of the key is
kept, and two different keys are never the same ``_id``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias, cast

from bson import json_util
from bson.json_util import CANONICAL_JSON_OPTIONS

from platform_store.codecs import STORAGE_FORMAT, Codec, codec_for
from platform_store.errors import SchemaError, ValueRejected
from platform_store.names import FIELD_PREFIX, RESERVED_FIELDS
from platform_store.records import (
    ColumnAttribute,
    ColumnDescription,
    Index,
    Key,
    Placement,
    TableDescription,
)
from platform_store.sqltypes import SqlType, parse_type

KeyValues: TypeAlias = tuple[object, ...]
"""A checked key: one stored value for each key column."""

State: TypeAlias = Literal["creating", "adopting", "live", "discarding", "dropping"]

INTEGER_TYPES = frozenset({"TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT"})
TEXT_TYPES = frozenset({"CHAR", "VARCHAR", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT", "ENUM", "SET"})
EXACT_COLLATIONS = frozenset({"utf8mb4_0900_bin", "utf8mb4_nopad_bin"})
"""Binary collations without padding: under any other, 'abc' may equal 'ABC' or 'abc '."""


@dataclass(frozen=True)
class Column:
    """A column of an association: what the user declared, and where it lives.

    ``field`` is the column's name inside documents (for a key column, inside a composite ``_id``). It is fixed when
    the column is placed, so that renaming a column rewrites no document. ``shadow``: documents answer for the column,
    and MySQL has it too: writers keep it up to date while the column moves.
    """

    attribute: ColumnAttribute
    placement: Placement
    field: str
    key: bool = False
    server_default: bool = False  # MySQL computes an omitted value: DEFAULT (expression), ON UPDATE, generated
    generated: bool = False  # MySQL alone computes the value; it cannot be written
    on_update: bool = False  # ON UPDATE CURRENT_TIMESTAMP: an UPDATE that does not name the column changes it
    shadow: bool = False  # only of a column placed in MongoDB
    declared: Placement | None = None  # where it was placed when it was declared, once it has moved from there

    @property
    def name(self) -> str:
        return self.attribute.name

    @cached_property
    def type(self) -> SqlType:
        return parse_type(self.attribute.type)

    @cached_property
    def codec(self) -> Codec:
        return codec_for(self.type)

    @property
    def nullable(self) -> bool:
        return self.attribute.nullable and not self.key

    @property
    def required(self) -> bool:
        """Whether an insert must name the column."""
        return not (
            self.nullable or self.attribute.auto_increment or self.server_default or self.attribute.default is not None
        )

    @property
    def in_mysql(self) -> bool:
        """Whether MySQL answers for the column."""
        return self.placement != "mongodb"

    @property
    def kept_in_mysql(self) -> bool:
        """Whether MySQL's table has the column, and writers write it there."""
        return self.placement != "mongodb" or self.shadow

    @property
    def in_mongodb(self) -> bool:
        """Whether documents carry the column as a field (key columns are in ``_id`` instead)."""
        return self.placement != "mysql" and not self.key

    @property
    def binary_text(self) -> bool:
        """Whether equal keys are equal bytes."""
        return self.type.base not in TEXT_TYPES or self.attribute.collation in EXACT_COLLATIONS


@dataclass(frozen=True)
class Change:
    """A change of one column that has begun: what has to be cleared away, or made whole, should it die half-way."""

    kind: Literal["add", "drop", "rename"]
    column: Column
    new_name: str = ""  # of a rename


@dataclass(frozen=True)
class Association:
    """The mapping of one logical table, at one epoch of its catalog row."""

    name: str
    table_id: int
    epoch: int
    columns: tuple[Column, ...]
    extra: bool = False
    indexes: tuple[Index, ...] = ()
    dropped_indexes: tuple[int, ...] = ()  # their numbers, which no other index gets
    retired: tuple[str, ...] = ()  # fields of dropped columns: never shown, never given to another column
    state: State = "live"
    collection_existed: bool = False  # the collection was there before the table: an undo leaves it alone
    change: Change | None = None
    discarded_at: int = 0  # documents of revisions up to this one were discarded: such a row has none
    storage_format: int = STORAGE_FORMAT

    def __hash__(self) -> int:  # cheap: statements are cached by association
        return hash((self.name, self.table_id, self.epoch))

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        return {column.name: column for column in self.columns}

    @cached_property
    def key_columns(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.key)

    @cached_property
    def key_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.key_columns)

    @cached_property
    def mysql_columns(self) -> tuple[Column, ...]:
        """The columns that MySQL answers for."""
        return tuple(column for column in self.columns if column.in_mysql)

    @cached_property
    def table_columns(self) -> tuple[Column, ...]:
        """The columns of MySQL's table."""
        return tuple(column for column in self.columns if column.kept_in_mysql)

    @cached_property
    def document_columns(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.in_mongodb)

    @cached_property
    def copies(self) -> tuple[Column, ...]:
        """Columns other than the key that live in both stores. MySQL's value leads; documents carry a copy."""
        return tuple(column for column in self.columns if column.placement == "both" and not column.key)

    @cached_property
    def computed_copies(self) -> tuple[Column, ...]:
        """Copies whose value MySQL may compute: the document takes it from the row, after the write."""
        return tuple(
            column
            for column in self.copies
            if column.server_default or column.generated or column.attribute.auto_increment
        )

    @cached_property
    def document_only(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.placement == "mongodb")

    @property
    def has_documents(self) -> bool:
        """Whether rows of this table have documents at all."""
        return bool(self.document_columns) or self.extra

    @cached_property
    def hidden_fields(self) -> frozenset[str]:
        """Fields of a document that are not extra fields of the row."""
        return RESERVED_FIELDS | {column.field for column in self.columns} | set(self.by_name) | set(self.retired)

    @cached_property
    def ordered_ids(self) -> bool:
        """Whether BSON orders the ``_id``s as MySQL orders the keys, throughout."""
        return all(
            column.binary_text and column.codec.order == "natural" and column.codec.exception_type is None
            for column in self.key_columns
        )

    @cached_property
    def auto_column(self) -> Column | None:
        return next((column for column in self.columns if column.attribute.auto_increment), None)

    @cached_property
    def exact_keys(self) -> bool:
        """Whether a key the caller spells is the stored key. Not so under collations that equate 'abc' and 'ABC'."""
        return all(column.binary_text for column in self.key_columns)

    @cached_property
    def folded_names(self) -> Mapping[str, str]:
        return {column.name.casefold(): column.name for column in self.columns}

    @property
    def flag(self) -> int | None:
        """The public ``flag``, or None where placements no longer follow the column order."""
        placements = [column.placement for column in self.columns if not column.key]
        if placements and all(placement == "both" for placement in placements):
            return -1
        last = len(self.columns) - 1
        while last >= 0 and self.columns[last].placement == "mongodb":
            last -= 1
        return last if all(column.placement == "mysql" or column.key for column in self.columns[: last + 1]) else None

    # Keys

    def check_key(self, key: Key) -> KeyValues:
        """The stored values of a key as the user gives it. Raises ValueRejected.

        A key that its column could only hold rounded, cut or padded is refused: as the bound of a range it would take
        in rows that were not meant.
        """
        if len(self.key_columns) == 1:
            return (self._check_key_part(self.key_columns[0], key, key),)
        parts = key
        if not isinstance(parts, tuple | list) or len(parts) != len(self.key_columns):
            raise ValueRejected(f"the key is a tuple ({', '.join(self.key_names)})", table=self.name, key=key)
        return tuple(
            self._check_key_part(column, part, key) for column, part in zip(self.key_columns, parts, strict=True)
        )

    def _check_key_part(self, column: Column, part: object, key: Key) -> object:
        if part is None:
            raise ValueRejected("a key cannot be NULL", table=self.name, column=column.name, key=key)
        try:
            stored = column.codec.check(part)
            if stored is not part and not holds_exactly(column, part, stored):
                raise ValueRejected(f"{column.type.ddl} cannot hold this key exactly")
        except ValueRejected as error:
            raise error.at(self.name, column.name, key) from None
        return stored

    def public_key(self, key: KeyValues) -> Key:
        return key[0] if len(key) == 1 else key

    def encode_id(self, key: KeyValues) -> Any:
        """The ``_id`` of the document of the row with this key."""
        if len(key) == 1:
            return self.key_columns[0].codec.to_bson(key[0])
        parts = [column.codec.to_bson(part) for column, part in zip(self.key_columns, key, strict=True)]
        return {column.field: part for column, part in zip(self.key_columns, parts, strict=True)}

    def decode_id(self, identifier: object) -> KeyValues:
        """The key of a document's ``_id``. Raises ValueRejected where no row could have that key."""
        if len(self.key_columns) == 1:
            parts: Sequence[object] = (identifier,)
        else:
            fields = [column.field for column in self.key_columns]
            if not isinstance(identifier, Mapping) or list(identifier) != fields:
                raise ValueRejected(f"_id is not a document of the fields {fields}", table=self.name)
            parts = list(identifier.values())
        return tuple(
            self._check_key_part(column, column.codec.stored_from_bson(part), None)
            for column, part in zip(self.key_columns, parts, strict=True)
        )

    def index_number(self, index: Index) -> int:
        """What an index keeps however many others come and go: stores name theirs by it."""
        ever = range(len(self.indexes) + len(self.dropped_indexes))
        return [number for number in ever if number not in self.dropped_indexes][self.indexes.index(index)]

    def without_index(self, index: Index) -> Association:
        """The same without one of its indexes."""
        return replace(
            self,
            indexes=tuple(one for one in self.indexes if one != index),
            dropped_indexes=(*self.dropped_indexes, self.index_number(index)),
        )

    # The catalog's form

    def definition(self) -> str:
        """The association as canonical extended JSON, for the catalog."""
        return json_util.dumps(
            {
                "columns": [_column_to_json(column) for column in self.columns],
                "extra": self.extra,
                "indexes": [{"columns": list(index.columns), "unique": index.unique} for index in self.indexes],
                "dropped_indexes": list(self.dropped_indexes),
                "retired": list(self.retired),
                "collection_existed": self.collection_existed,
                "discarded_at": self.discarded_at,
                "change": None if self.change is None else _change_to_json(self.change),
            },
            json_options=CANONICAL_JSON_OPTIONS,
            ensure_ascii=False,
        )

    @classmethod
    def from_catalog(
        cls, name: str, table_id: int, epoch: int, state: str, storage_format: int, definition: str
    ) -> Association:
        """The inverse of :meth:`definition`. Raises SchemaError for a format this version does not read."""
        if storage_format != STORAGE_FORMAT:
            raise SchemaError(
                f"its documents have storage format {storage_format}, this version reads {STORAGE_FORMAT}: upgrade",
                table=name,
            )
        plain = json_util.loads(definition, json_options=CANONICAL_JSON_OPTIONS)
        return cls(
            name=name,
            table_id=table_id,
            epoch=epoch,
            columns=tuple(_column_from_json(column) for column in plain["columns"]),
            extra=plain["extra"],
            indexes=tuple(Index(index["columns"], index["unique"]) for index in plain["indexes"]),
            dropped_indexes=tuple(plain.get("dropped_indexes", ())),  # not in catalogs of earlier versions
            retired=tuple(plain["retired"]),
            state=cast(State, state),
            collection_existed=plain["collection_existed"],
            discarded_at=plain["discarded_at"],
            change=None if plain["change"] is None else _change_from_json(plain["change"]),
            storage_format=storage_format,
        )

    def same_definition(self, other: Association) -> bool:
        """Whether both declare the same table, catalog bookkeeping aside.

        A column that has moved may be declared where it was, as an application does that knows nothing of the move, or
        where it is.
        """
        return (self.extra, set(self.indexes), len(self.columns)) == (
            other.extra, set(other.indexes), len(other.columns),
        ) and all(map(_same_declaration, self.columns, other.columns))  # fmt: skip

    def describe(self) -> TableDescription:
        return TableDescription(
            name=self.name,
            columns=tuple(
                ColumnDescription(
                    name=column.name,
                    type=column.type.ddl,
                    nullable=column.nullable,
                    default=column.attribute.default,
                    auto_increment=column.attribute.auto_increment,
                    collation=column.attribute.collation,
                    placement="both" if column.key else column.placement,
                    key=column.key,
                    field="_id" if column.key else column.field if column.in_mongodb else None,
                )
                for column in self.columns
            ),
            key=self.key_names,
            flag=self.flag,
            extra=self.extra,
            indexes=self.indexes,
            epoch=self.epoch,
            storage_format=self.storage_format,
        )

    def fresh_field(self, name: str) -> str:
        """A field name for a new column called ``name``: one that no column, live or dropped, nor extra field has used.

        Rows of a table with extra fields may hold one of that name already, with values of any type.
        """
        taken = {column.field for column in self.columns} | set(self.retired)
        if not self.extra and name not in taken:
            return name
        number = 1
        while f"{FIELD_PREFIX}{name}_{number}" in taken:
            number += 1
        return f"{FIELD_PREFIX}{name}_{number}"


def _same_declaration(column: Column, declared: Column) -> bool:
    if declared.placement not in (column.placement, column.declared):
        return False
    return replace(column, placement=declared.placement, field=declared.field, shadow=False, declared=None) == declared


def replace_epoch(association: Association, epoch: int, table_id: int | None = None) -> Association:
    """The same table at another epoch of the catalog."""
    return replace(association, epoch=epoch, table_id=association.table_id if table_id is None else table_id)


def holds_exactly(column: Column, given: object, stored: object) -> bool:
    """Whether ``stored``, which the codec made of ``given``, is the same value: neither rounded, cut nor padded."""
    if column.type.base == "DATETIME":
        return codec_for(replace(column.type, fsp=6)).check(given) == stored
    return type(given) is not type(stored) or given == stored


def _column_to_json(column: Column) -> dict[str, Any]:
    attribute = column.attribute
    default = None if attribute.default is None else column.codec.to_bson(attribute.default)
    return {
        "name": attribute.name,
        "type": attribute.type,
        "nullable": attribute.nullable,
        "default": default,
        "auto_increment": attribute.auto_increment,
        "collation": attribute.collation,
        "placement": column.placement,
        "field": column.field,
        "key": column.key,
        "server_default": column.server_default,
        "generated": column.generated,
        "on_update": column.on_update,
        "shadow": column.shadow,
        "declared": column.declared,
    }


def _change_to_json(change: Change) -> dict[str, Any]:
    return {"kind": change.kind, "column": _column_to_json(change.column), "new_name": change.new_name}


def _change_from_json(plain: Mapping[str, Any]) -> Change:
    return Change(plain["kind"], _column_from_json(plain["column"]), plain["new_name"])


def _column_from_json(plain: Mapping[str, Any]) -> Column:
    codec = codec_for(parse_type(plain["type"]))
    attribute = ColumnAttribute(
        name=plain["name"],
        type=plain["type"],
        nullable=plain["nullable"],
        default=None if plain["default"] is None else codec.stored_from_bson(plain["default"]),
        auto_increment=plain["auto_increment"],
        collation=plain["collation"],
    )
    return Column(
        attribute,
        plain["placement"],
        plain["field"],
        plain["key"],
        plain["server_default"],
        plain["generated"],
        plain["on_update"],
        plain.get("shadow", False),  # the last two are not in a catalog from before columns could move
        plain.get("declared"),
    )
