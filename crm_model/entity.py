"""How an entity is declared, and the column types that all of them share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from platform_store import ColumnAttribute, Index

IN_BOTH_STORES = -1

_TEXT_TYPES = ("VARCHAR", "CHAR", "TEXT")


@dataclass(frozen=True)
class Entity:
    """One logical table of the CRM.

    Args:
        name: of the table and of the collection.
        about: what a row is, and what its columns and document fields mean where their names do not say it.
        columns: its own MySQL columns; the key ``id`` stands before them, the standard columns after.
        documents: its document columns.
        unique: natural keys. Each is unique among live rows alone, because ``del_token`` is part of it.
        indexes: others, in MySQL.
        in_both: keep every column in both stores.
        append_only: rows are never changed or archived, so the standard columns are left out.
    """

    name: str
    about: str
    columns: tuple[ColumnAttribute, ...]
    documents: tuple[ColumnAttribute, ...] = ()
    unique: tuple[str | tuple[str, ...], ...] = ()
    indexes: tuple[str | tuple[str, ...], ...] = ()
    in_both: bool = False
    append_only: bool = False

    @property
    def mysql_columns(self) -> tuple[ColumnAttribute, ...]:
        """Key, own columns, standard columns."""
        return (KEY, *self.columns) if self.append_only else (KEY, *self.columns, *STANDARD)

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
            replace(column, collation=collation) if column.type.startswith(_TEXT_TYPES) else column
            for column in (*self.mysql_columns, *self.documents)
        ]


def _names(columns: str | Sequence[str]) -> list[str]:
    return [columns] if isinstance(columns, str) else list(columns)


def code(name: str, *, null: bool = False, length: int = 32) -> ColumnAttribute:
    """A short code: a kind, a status, a number that people read out."""
    return ColumnAttribute(name, f"VARCHAR({length})", nullable=null)


def title(name: str, *, null: bool = False) -> ColumnAttribute:
    """A name or a title."""
    return ColumnAttribute(name, "VARCHAR(200)", nullable=null)


def reference(name: str, *, null: bool = False) -> ColumnAttribute:
    """The ``id`` of a row of another entity."""
    return ColumnAttribute(name, "BIGINT", nullable=null)


def moment(name: str, *, null: bool = False) -> ColumnAttribute:
    """A moment, in UTC, to the millisecond."""
    return ColumnAttribute(name, "DATETIME(3)", nullable=null)


def day(name: str, *, null: bool = False) -> ColumnAttribute:
    """A calendar day."""
    return ColumnAttribute(name, "DATE", nullable=null)


def money(name: str, *, null: bool = False) -> ColumnAttribute:
    """An amount in yuan."""
    return ColumnAttribute(name, "DECIMAL(14,2)", nullable=null)


def average(name: str, *, null: bool = False) -> ColumnAttribute:
    """An average of scores."""
    return ColumnAttribute(name, "DECIMAL(4,2)", nullable=null)


def number(name: str, *, null: bool = False, type_: str = "INT", default: int | None = None) -> ColumnAttribute:
    """A whole number."""
    return ColumnAttribute(name, type_, nullable=null, default=default)


def small(name: str, *, null: bool = False, default: int | None = None) -> ColumnAttribute:
    """A level, a score, a percentage, or 0 and 1 for no and yes."""
    return number(name, null=null, type_="TINYINT", default=default)


def json(*names: str) -> tuple[ColumnAttribute, ...]:
    """Document columns of free form; each may be missing."""
    return tuple(ColumnAttribute(name, "JSON") for name in names)


def prose(name: str) -> ColumnAttribute:
    """A document column of running text; it may be missing."""
    return ColumnAttribute(name, "TEXT")


KEY = ColumnAttribute("id", "BIGINT", auto_increment=True)
STANDARD = (
    moment("created_at"),
    moment("updated_at"),
    number("del_token", type_="BIGINT", default=0),
    number("version", default=1),
)
"""``del_token`` is 0 in a live row and the row's ``id`` in an archived one; ``version`` counts the changes."""
