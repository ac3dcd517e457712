"""The tables of the entities: creating them, and bringing those of an earlier version to this one.

Nothing here changes a row, drops anything, or touches what an application has beside the entities: tables and columns
of its own, and columns that it has moved to the other store.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from crm_model.entities import MODELS
from crm_model.errors import InvalidInput
from crm_model.lacking import compare, without_value, written
from crm_model.model import Entity, Record
from platform_store import Conflict, Platform, RowNotFound, SchemaError


@dataclass(frozen=True)
class Upgrade:
    """What :func:`upgrade` did, or with ``dry_run`` would do, and what is left to people.

    Attributes:
        tables: created, with all that belongs to them.
        columns: added to tables that were there, as ``table.column``.
        indexes: added to tables that were there, as ``table (column, ...)``.
        left: what still is not as this version has it, in words, with what to do.
        dry_run: whether nothing was done.
    """

    tables: tuple[str, ...]
    columns: tuple[str, ...]
    indexes: tuple[str, ...]
    left: tuple[str, ...]
    dry_run: bool


def install(platform: Platform, tables: Collection[str] | None = None) -> None:
    """Creates the tables of all entities, or of those named; those that are there stay as they are.

    Raises InvalidInput, before anything is done, for a name of no entity; SchemaError where a table of the name is none
    of the CRM, or lacks columns or indexes: :func:`upgrade` adds them.
    """
    collation = binary_collation(platform)
    there = set(platform.tables())
    for model in _chosen(tables):
        if model.table not in there:
            _create(platform, model.declaration, collation)
        elif names := compare(platform, model, collation).names:
            raise SchemaError(f"it is of an earlier version, without {', '.join(names)}: upgrade()", table=model.table)


def upgrade(platform: Platform, tables: Collection[str] | None = None, *, dry_run: bool = False) -> Upgrade:
    """Adds what an installation lacks: tables, columns, indexes. May be repeated, by several processes at a time.

    A column that has to have a value and has no default is nullable in a table that has rows. Where it was interrupted,
    it goes on when it is called again.

    Args:
        tables: the names of entities; None: all.
        dry_run: say what would be done; an index that rows stand against is found only in doing it.

    Raises, before anything is done, InvalidInput for a name of no entity, and SchemaError where a table of the name of
    an entity is no table of the CRM.
    """
    collation = binary_collation(platform)
    there = set(platform.tables())
    models = _chosen(tables)
    new = [model for model in models if model.table not in there]
    old = [compare(platform, model, collation) for model in models if model.table in there]
    left = [words for one in old for words in one.left]
    if not dry_run:
        for model in new:
            _create(platform, model.declaration, collation)
        left += [words for one in old for words in one.add(platform)]
    for one in old:
        left += without_value(platform, one.model, [each.column.name for each in one.columns] if dry_run else ())
    return Upgrade(
        tuple(model.table for model in new),
        tuple(f"{one.model.table}.{each.column.name}" for one in old for each in one.columns),
        tuple(f"{one.model.table} {written(index)}" for one in old for index in one.indexes),
        tuple(left),
        dry_run,
    )


def fill_derived(platform: Platform, tables: Collection[str] | None = None) -> int:
    """Sets the columns that follow from others, such as ``name_key``, where they are wrong; in how many rows.

    For rows from before such a column was there. May be repeated, also while others write. Each row is a transaction of
    its own; it leaves ``version``, ``updated_at`` and the audit alone. Raises InvalidInput for a name of no entity.
    """
    return sum(_fill(platform, model) for model in _chosen(tables) if model.derivations)


def binary_collation(platform: Platform) -> str:
    """The server's collation that compares utf8mb4 text byte by byte, trailing spaces included."""
    if platform.status().backend == "embedded":
        return "utf8mb4_0900_bin"
    version = str(platform.query("SELECT VERSION()").scalar())
    return "utf8mb4_nopad_bin" if "mariadb" in version.lower() else "utf8mb4_0900_bin"


def _chosen(tables: Collection[str] | None) -> list[type[Record]]:
    if tables is None:
        return list(MODELS)
    unknown = sorted(set(tables) - {model.table for model in MODELS})
    if unknown:
        names = ", ".join(model.table for model in MODELS)
        raise InvalidInput(
            "tables",
            "unknown-entity",
            f"there is no entity {', '.join(map(repr, unknown))}; there are {names}",
            unknown=unknown,
            known=[model.table for model in MODELS],
        )
    return [model for model in MODELS if model.table in tables]


def _create(platform: Platform, entity: Entity, collation: str) -> None:
    platform.create_table(
        entity.name, entity.attributes(collation), entity.flag, indexes=entity.all_indexes, if_not_exists=True
    )


def _fill(platform: Platform, model: type[Record]) -> int:
    sources = {one.source for one in model.derivations.values()}
    filled = 0
    for row in platform.scan(model.table, columns=["id", *sources, *model.derivations]):
        given = {name: row[name] for name in sources}
        right = model.derived(given)
        wrong = {name: right[name] for name in model.derivations if row[name] != right[name]}
        if wrong:
            filled += _set(platform, model.table, row["id"], wrong, given)
    return filled


def _set(
    platform: Platform, table: str, key: object, columns: Mapping[str, object], given: Mapping[str, object]
) -> bool:
    """Whether the row was there and as ``given``; one that somebody else has just changed is right by now."""
    try:
        platform.update(table, key, columns, expect=given)
    except (Conflict, RowNotFound):
        return False
    return True
