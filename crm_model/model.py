"""Entities as typed records: one class declares a table, and is what its rows are read into.

::

    class Gift(Standard, table="gift", unique=("sku",)):
        sku: str = column.code()
        stock_qty: int = column.number(type_="INT UNSIGNED", default=0)
        spec: Json = column.json(default=None)

    gift = Gift(sku="G001", spec={"颜色": "红"})
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self, TypeAlias, dataclass_transform

from crm_model import column
from platform_store import ColumnAttribute, Index

Json: TypeAlias = Any
"""A JSON value as Python has it; None where there is none."""

IN_BOTH_STORES = -1

OPERATOR = "operator"

_OPERATORS = frozenset({"owner", "actor", "author", "applicant", "approver", "assignee", "manager"})
_TEXT_TYPES = ("VARCHAR", "CHAR", "TEXT")


@dataclass(frozen=True)
class Reference:
    """A column that holds the ``id`` of a row of ``table``, or of the table that the column ``by`` names."""

    column: str
    table: str
    by: str


@dataclass(frozen=True)
class Entity:
    """One logical table of the CRM.

    Args:
        name: of the table and of the collection.
        key: the column ``id``.
        about: what a row is, and what its columns and document fields mean where their names do not say it.
        columns: its own MySQL columns; the key ``id`` stands before them.
        standard: those that stand behind them, the same in every table whose rows change.
        documents: its document columns.
        references: those of its columns that hold the ``id`` of a row of another entity.
        unique: natural keys. Each is unique among live rows alone, because ``del_token`` is part of it.
        indexes: others, in MySQL.
        in_both: keep every column in both stores.
    """

    name: str
    about: str
    key: ColumnAttribute
    columns: tuple[ColumnAttribute, ...]
    standard: tuple[ColumnAttribute, ...] = ()
    documents: tuple[ColumnAttribute, ...] = ()
    references: tuple[Reference, ...] = ()
    unique: tuple[str | tuple[str, ...], ...] = ()
    indexes: tuple[str | tuple[str, ...], ...] = ()
    in_both: bool = False

    @property
    def append_only(self) -> bool:
        """Rows are never changed or archived."""
        return not self.standard

    @property
    def mysql_columns(self) -> tuple[ColumnAttribute, ...]:
        """Key, own columns, standard columns."""
        return (self.key, *self.columns, *self.standard)

    @property
    def flag(self) -> int:
        """Index of the last column that MySQL keeps."""
        return IN_BOTH_STORES if self.in_both else len(self.mysql_columns) - 1

    @property
    def all_indexes(self) -> tuple[Index, ...]:
        """Natural keys first."""
        archived = () if self.append_only else ("del_token",)
        natural = (Index([*_names(one), *archived], unique=True) for one in self.unique)
        return (*natural, *(Index(_names(one)) for one in self.indexes))

    def attributes(self, collation: str) -> list[ColumnAttribute]:
        """Every column in order. ``collation``: of text columns, a binary one without padding.

        Under such a collation a column can move between the stores, and no answer changes.
        """
        return [
            dataclasses.replace(column, collation=collation) if column.type.startswith(_TEXT_TYPES) else column
            for column in (*self.mysql_columns, *self.documents)
        ]


@dataclass_transform(
    kw_only_default=True,
    frozen_default=True,
    field_specifiers=(
        column.code,
        column.title,
        column.reference,
        column.derived,
        column.moment,
        column.day,
        column.money,
        column.average,
        column.number,
        column.small,
        column.json,
        column.prose,
        column.key,
        column.written_at,
        column.counter,
    ),
)
@dataclass(frozen=True, kw_only=True)
class Record:
    """A row of a table whose rows are never changed. ``id`` is 0 until it is written.

    Attributes:
        table: the name of the table.
        declaration: what the class declares.
        fields: the names of all columns, in order.
        derivations: the columns that follow from others, and how.
    """

    table: ClassVar[str]
    declaration: ClassVar[Entity]
    fields: ClassVar[tuple[str, ...]]
    derivations: ClassVar[Mapping[str, column.From]]

    id: int = column.key(default=0)

    def __init_subclass__(
        cls,
        *,
        table: str = "",
        unique: Sequence[str | tuple[str, ...]] = (),
        indexes: Sequence[str | tuple[str, ...]] = (),
        in_both: bool = False,
    ) -> None:
        dataclass(frozen=True, kw_only=True)(cls)
        fields = dataclasses.fields(cls)
        cls.fields = tuple(field.name for field in fields)
        cls.derivations = {
            field.name: field.metadata[column.DERIVATION] for field in fields if column.DERIVATION in field.metadata
        }
        if table:
            cls.table = table
            cls.declaration = _declaration(cls, table, tuple(unique), tuple(indexes), in_both=in_both)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """The record of a ``row`` as it is read; columns that an application has added are left out."""
        return cls(**{name: row[name] for name in cls.fields if name in row})

    def values(self) -> dict[str, Any]:
        """Every column with its value."""
        return {name: getattr(self, name) for name in self.fields}

    def but(self, **columns: Any) -> Self:
        """The same record with other values in these ``columns``."""
        return dataclasses.replace(self, **columns)

    @classmethod
    def derived(cls, columns: Mapping[str, Any]) -> dict[str, Any]:
        """These ``columns``, and those that are derived from them."""
        found = {name: one.by(columns[one.source]) for name, one in cls.derivations.items() if one.source in columns}
        return {**columns, **found}


class Standard(Record):
    """A row with the standard columns.

    Attributes:
        created_at: when the row was written, in UTC.
        updated_at: when it was changed last.
        del_token: 0 in a live row, and the row's ``id`` in an archived one.
        version: counts the changes.
    """

    created_at: datetime = column.written_at(default=column.UNWRITTEN)
    updated_at: datetime = column.written_at(default=column.UNWRITTEN)
    del_token: int = column.counter(type_="BIGINT", default=0)
    version: int = column.counter(default=1)

    @property
    def archived(self) -> bool:
        """Whether it is archived: no service but ``restore`` sees it."""
        return self.del_token != 0


def _declaration(
    cls: type[Record],
    table: str,
    unique: tuple[str | tuple[str, ...], ...],
    indexes: tuple[str | tuple[str, ...], ...],
    *,
    in_both: bool,
) -> Entity:
    parts: dict[column.Part, list[ColumnAttribute]] = {"key": [], "own": [], "standard": [], "document": []}
    references = []
    for field in dataclasses.fields(cls):
        parts[field.metadata[column.PART]].append(dataclasses.replace(field.metadata[column.COLUMN], name=field.name))
        if column.REFERENCE in field.metadata:
            references.append(_reference(field.name, field.metadata[column.REFERENCE]))
    return Entity(
        table,
        cls.__doc__ or "",
        key=parts["key"][0],
        columns=tuple(parts["own"]),
        standard=tuple(parts["standard"]),
        documents=tuple(parts["document"]),
        references=tuple(references),
        unique=unique,
        indexes=indexes,
        in_both=in_both,
    )


def _reference(name: str, to: column.To) -> Reference:
    role = name.removesuffix("_id")
    return Reference(name, to.table or (OPERATOR if role in _OPERATORS else role) * (not to.by), to.by)


def _names(columns: str | Iterable[str]) -> list[str]:
    return [columns] if isinstance(columns, str) else list(columns)
