"""The way of a column from one store to the other, in steps of one catalog epoch each. Pure.

A column stands on one of four rungs::

    MYSQL      MySQL alone has it
    BOTH       MySQL answers, documents have a copy            (placement "both")
    SHADOW     documents answer, MySQL has a copy              (placement "mongodb", shadow)
    MONGODB    documents alone have it

In every transaction, writers keep up both sides of a column on the middle rungs. So a column may step between BOTH
and SHADOW once every row has its copy, however many writers and readers there are: whichever epoch one of them knows,
what it reads is the same. It is pgroll's expand and contract (github.com/xataio/pgroll), with the catalog's epoch in
place of a second schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from platform_store.association import Association, Column
from platform_store.declaration import check_document_column, check_index
from platform_store.errors import NotSupported, SchemaError
from platform_store.records import Index, Placement

MYSQL, BOTH, SHADOW, MONGODB = range(4)

RUNG_OF: Final[Mapping[Placement, int]] = {"mysql": MYSQL, "both": BOTH, "mongodb": MONGODB}


def rung(column: Column) -> int:
    return SHADOW if column.shadow else RUNG_OF[column.placement]


def begun(column: Column, target: int) -> int:
    """The rung from which both sides are kept up, on the way to ``target``."""
    now = rung(column)
    if now == MYSQL and target > MYSQL:
        return BOTH
    return SHADOW if now == MONGODB and target < MONGODB else now


def switched(column: Column, target: int) -> int:
    """The rung on which the side that answers is that of ``target``."""
    now = rung(column)
    if now == BOTH and target == MONGODB:
        return SHADOW
    return BOTH if now == SHADOW and target <= BOTH else now


def cleaned(column: Column, target: int) -> int:
    """The rung at the end of the way."""
    now = rung(column)
    ended = (now == BOTH and target == MYSQL) or (now == SHADOW and target == MONGODB)
    return target if ended else now


def placed(association: Association, rungs: Mapping[str, int]) -> Association:
    """The association with columns on other rungs.

    A field that documents no longer carry is never used again: what is left of it in old documents stays hidden.
    """
    columns, retired = list(association.columns), list(association.retired)
    for position, column in enumerate(association.columns):
        to = rungs.get(column.name, rung(column))
        if to == rung(column):
            continue
        placement: Placement = "mysql" if to == MYSQL else "both" if to == BOTH else "mongodb"
        moved = replace(column, placement=placement, shadow=to == SHADOW, declared=column.declared or column.placement)
        if to == MYSQL:
            retired.append(column.field)
            moved = replace(moved, field=replace(association, retired=tuple(retired)).fresh_field(column.name))
        elif rung(column) == MYSQL and association.collection_existed:
            # Documents from before the association may have a field of that name.
            moved = replace(moved, field=association.fresh_field(column.name))
        columns[position] = moved
    return replace(association, columns=tuple(columns), retired=tuple(retired))


def check_movable(association: Association, names: Iterable[str], target: int) -> None:
    """Raises SchemaError or NotSupported for what cannot go there."""
    for name in names:
        column = association.by_name.get(name)
        if column is None:
            raise SchemaError("there is no such column", table=association.name, column=name)
        if column.key:
            raise SchemaError("a key column is in both stores and stays there", table=association.name, column=name)
        computed = column.server_default or column.generated or column.on_update or column.attribute.auto_increment
        if target == MONGODB and computed:
            raise NotSupported(
                f"moving column {name!r}, whose value MySQL computes,", "out of MySQL is not supported: copy it (both)"
            )
    final = placed(association, dict.fromkeys(names, target))
    for column in final.columns:
        check_document_column(association.name, column)
    for index in final.indexes:
        check_index(final, index)


def holds_index(association: Association, index: Index, *, in_mysql: bool) -> bool:
    """Whether one store has an index of the association: one over columns that are all in it."""
    columns = [association.by_name[name] for name in index.columns]
    return all(column.in_mysql if in_mysql else column.in_mongodb for column in columns)
