"""Before a migration begins: what is asked for is checked, and the target made where it is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from platform_store.association import KeyValues
from platform_store.errors import NotSupported, SchemaError
from platform_store.halves import split
from platform_store.migration.ends import Ends
from platform_store.migration.state import Spec, State, from_place, to_place
from platform_store.names import check_table_name
from platform_store.records import Direction, Key, MigrationMode
from platform_store.shapes.infer import Inference
from platform_store.shapes.shape import Shape
from platform_store.shapes.target import Schema
from platform_store.stores.bulk import CollectionShape, Layout
from platform_store.stores.jobs import MIGRATE

FEW: Final = 20_000  # rows


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller asks for, as it is given."""

    table: str
    direction: Direction
    start: Key | None
    stop: Key | None
    mode: MigrationMode
    catch_up: bool = True
    replace_target: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """``layout``: of the table, if there is one. ``collection``: of the collection, if it is the source.

    ``total``: rows of the range, about; 0 if that is not known. ``few``: fewer than a process is worth its start for.
    """

    spec: Spec
    layout: Layout | None
    collection: CollectionShape | None
    total: int
    few: bool


def prepare(ends: Ends, asked: Asked) -> Prepared:
    """Checks a migration that begins. Raises SchemaError, NotSupported, ValueRejected; nothing is changed."""
    name = check_table_name(asked.table)
    if ends.rows.load_catalog(name):
        raise SchemaError("it is in association: its columns move, not its rows", table=name)
    return _to_documents(ends, asked) if asked.direction == "mysql-to-mongodb" else _to_rows(ends, asked)


def _to_documents(ends: Ends, asked: Asked) -> Prepared:
    layout = ends.table.layout(asked.table)
    if asked.mode == "move":
        _check_not_referenced(layout)
    shape = Shape.for_layout(layout)
    check = layout.association.check_key
    start, stop = (None if key is None else check(key) for key in (asked.start, asked.stop))
    spec = _spec(asked, *(None if key is None else shape.identify(key) for key in (start, stop)))
    _check_order(ends, asked, shape)
    total, few = layout.rows, False
    if layout.rows < FEW or asked.start is not None or asked.stop is not None:  # sizes are estimates, of all rows
        found = len(ends.table.keys(layout, None, start, stop, FEW))
        few = found < FEW
        total = found if few else 0
    return Prepared(spec, layout, None, total, few)


def _to_rows(ends: Ends, asked: Asked) -> Prepared:
    if not ends.documents.collection_exists(asked.table):
        raise SchemaError("MongoDB has no such collection", table=asked.table)
    described = ends.collection.describe(asked.table)
    layout = ends.table.layout(asked.table) if ends.rows.table_exists(asked.table) else None
    if layout is not None:
        _check_order(ends, asked, Shape.for_layout(layout))
    total = described.documents if asked.start is None and asked.stop is None else 0
    few = described.documents < FEW
    return Prepared(_spec(asked, asked.start, asked.stop), layout, described, total, few)


def _spec(asked: Asked, start: Any, stop: Any) -> Spec:
    places = [None if identifier is None else to_place(identifier) for identifier in (start, stop)]
    return Spec(asked.direction, asked.mode, places[0], places[1], asked.catch_up and asked.mode == "copy")


def _check_not_referenced(layout: Layout) -> None:
    for other in layout.other:
        if other.startswith("foreign key of table") or (other.startswith("trigger") and "DELETE" in other):
            raise NotSupported(
                f"moving table {layout.association.name!r}",
                f"would reach further: {other} acts when its rows go; copy it",
            )


def _check_order(ends: Ends, asked: Asked, shape: Shape) -> None:
    """A range of a table has to be a range of its collection where the two are compared."""
    ranged = asked.start is not None or asked.stop is not None
    ordered = shape.ordered and ends.documents.in_byte_order(asked.table)
    if ranged and asked.mode == "copy" and asked.catch_up and not ordered:
        raise NotSupported(
            f"a key range of table {asked.table!r}",
            "cannot be compared: MySQL orders its keys otherwise than MongoDB its _ids. Migrate all of it, or stop the "
            "writers and leave the comparison out",
        )


def is_empty(ends: Ends, asked: Asked, prepared: Prepared) -> bool:
    """Whether nothing of the range is in the target."""
    spec = prepared.spec
    if asked.direction == "mysql-to-mongodb":
        return not ends.collection.read(asked.table, None, *_identifiers(spec), 1)
    if prepared.layout is None:
        return True
    start, stop = keys_of(Shape.for_layout(prepared.layout), spec)
    return not ends.table.read(prepared.layout, None, start, stop, 1).documents


def _identifiers(spec: Spec) -> tuple[Any, Any]:
    start, stop = (None if place is None else from_place(place) for place in (spec.start, spec.stop))
    return start, stop


def keys_of(shape: Shape, spec: Spec) -> tuple[KeyValues | None, KeyValues | None]:
    start, stop = _identifiers(spec)
    return None if start is None else shape.key_of(start), None if stop is None else shape.key_of(stop)


def check_target(ends: Ends, asked: Asked, prepared: Prepared) -> bool:
    """Whether the target is empty. Raises SchemaError where it holds what no migration brought there."""
    empty = is_empty(ends, asked, prepared)
    if not empty and not asked.replace_target and not _was_migrated(ends, asked):
        what = "collection" if asked.direction == "mysql-to-mongodb" else "MySQL table"
        raise SchemaError(
            f"the {what} of that name is not empty, and no migration made it: replace_target (--replace-target) lets "
            "its contents be replaced",
            table=asked.table,
        )
    return empty


def _was_migrated(ends: Ends, asked: Asked) -> bool:
    """Whether an earlier migration in the same direction found the target empty, so that its contents are ours."""
    return any(
        job.kind == MIGRATE
        and job.table == asked.table
        and job.spec.get("direction") == asked.direction
        and job.state.get("fresh")
        for job in ends.rows.jobs.all()
    )


def make_table(ends: Ends, table: str, state: State, schema: Schema) -> Layout:
    """Makes the table of a schema, unless this very job has made it before it died."""
    layout = schema.layout(key_collation=ends.rows.key_collation, text_collation=ends.rows.text_collation)
    if not ends.rows.table_exists(table):
        ends.table.create(layout)
    elif state.target != "making":
        raise SchemaError("a table of that name was made meanwhile", table=table)
    return ends.table.layout(table)


def inferred(ends: Ends, name: str, collection: CollectionShape) -> Schema:
    """Every document is looked at. Text columns of unique indexes compare as MongoDB does. Raises SchemaError."""
    inference = Inference()
    for batch in ends.documents.between(name, None, None):
        for document in split(batch):
            inference.observe(document)
    unique = frozenset(field for _, fields, is_unique in collection.indexes if is_unique for field in fields)
    return inference.schema(name).exactly(unique)
