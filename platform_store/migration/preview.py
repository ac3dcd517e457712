"""The dry run: what a migration would do, and every value that would not survive as it is. Nothing is written."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from platform_store.halves import identifier_of
from platform_store.migration.carry import FieldIndex, column_fault, of_collection, of_table
from platform_store.migration.ends import Ends
from platform_store.migration.prepare import Asked, Prepared, check_target, inferred, keys_of, prepare
from platform_store.migration.state import from_place
from platform_store.records import MigrationPlan
from platform_store.shapes.schema_file import schema_yaml
from platform_store.shapes.shape import Shape
from platform_store.shapes.survey import Survey
from platform_store.shapes.target import Schema
from platform_store.stores.bulk import Layout

_PAGE: Final = 2000
_REFUSED: Final = frozenset({"key", "too large", "refused"})  # kinds of values that no column of exact forms keeps
_WRITING: Final = 1.0  # as long as reading, by measurement
_COMPARING: Final = 1.5


def preview(ends: Ends, asked: Asked, schema: Schema | None, *, workers: int) -> MigrationPlan:
    """Looks at every row of the range. Raises what would refuse the migration."""
    prepared = prepare(ends, asked)
    check_target(ends, asked, prepared)
    if asked.direction == "mysql-to-mongodb":
        return _to_documents(ends, asked, prepared, workers)
    return _to_rows(ends, asked, prepared, schema, workers)


def _to_documents(ends: Ends, asked: Asked, prepared: Prepared, workers: int) -> MigrationPlan:
    layout = prepared.layout
    assert layout is not None
    shape = Shape.for_layout(layout)
    survey = Survey(shape)
    began = time.monotonic()
    for page in _rows(ends, layout, prepared):
        for row in page:
            survey.row(row)
    seconds = time.monotonic() - began
    indexes, left = of_table(layout)
    return _plan(asked, survey, shape, seconds, workers, _as_collection(layout), None, list(map(str, indexes)), left)


def _to_rows(ends: Ends, asked: Asked, prepared: Prepared, schema: Schema | None, workers: int) -> MigrationPlan:
    assert prepared.collection is not None
    made = None
    if prepared.layout is None:
        made = schema or inferred(ends, asked.table, prepared.collection)
        shape = Shape(made)
    else:
        shape = Shape.for_layout(prepared.layout)
    survey = Survey(shape)
    began = time.monotonic()
    for page in _documents(ends, asked.table, prepared):
        for document in page:
            survey.document(document)
    seconds = time.monotonic() - began
    if made is None:
        return _plan(asked, survey, shape, seconds, workers, f"table {asked.table}, as it is", None, [], [])
    carried, left = _indexes(ends, made, prepared)
    return _plan(asked, survey, shape, seconds, workers, str(made), schema_yaml(made), carried, left)


def _rows(ends: Ends, layout: Layout, prepared: Prepared) -> Iterator[list[bytes]]:
    start, stop = keys_of(Shape.for_layout(layout), prepared.spec)
    page = ends.table.read(layout, None, start, stop, _PAGE)
    while page.documents:
        yield page.documents
        if page.last is None:
            return
        page = ends.table.read(layout, page.last, start, stop, _PAGE)


def _documents(ends: Ends, name: str, prepared: Prepared) -> Iterator[list[bytes]]:
    spec = prepared.spec
    start, stop = (None if place is None else from_place(place) for place in (spec.start, spec.stop))
    after = None
    while page := ends.collection.read(name, after, start, stop, _PAGE):
        yield page
        after = identifier_of(page[-1])


def _indexes(ends: Ends, schema: Schema, prepared: Prepared) -> tuple[list[str], list[str]]:
    assert prepared.collection is not None
    layout = schema.layout(key_collation=ends.rows.key_collation, text_collation=ends.rows.text_collation)
    indexes, left = of_collection(prepared.collection)
    faults: dict[FieldIndex, str] = {index: column_fault(index, schema, layout) for index in indexes}
    carried = [str(index) for index, fault in faults.items() if not fault]
    return carried, left + [f"{index}: {fault}" for index, fault in faults.items() if fault]


def _plan(
    asked: Asked,
    survey: Survey,
    shape: Shape,
    seconds: float,
    workers: int,
    target: str,
    schema: str | None,
    carried: list[str],
    left: list[str],
) -> MigrationPlan:
    held = asked.direction == "mysql-to-mongodb" or shape.schema.rest is not None
    refused = sum(count for kind, count in survey.counts.items() if kind in _REFUSED or not held)
    rounds = 1.0 + _WRITING + (_COMPARING if asked.mode == "copy" and asked.catch_up else 0.0)
    counted = [f"{kind}: {count} values" for kind, count in survey.counts.most_common()]
    found = [
        f"key {loss.key!r}, {loss.field!r}: {loss.reason}; {f'kept in {loss.goes_to}' if loss.goes_to else 'refused'}"
        for loss in survey.losses
    ]
    return MigrationPlan(
        asked.table, asked.direction, asked.mode, survey.rows, survey.bytes, seconds * rounds / workers, target, schema,
        tuple(counted + found), tuple(carried), tuple(left), refused,
    )  # fmt: skip


def _as_collection(layout: Layout) -> str:
    """A table's documents in words."""
    association = layout.association
    shape = Shape.for_layout(layout)
    if not shape.untouched:
        return f"collection {association.name}: the documents that the table was made from"
    keys = ", ".join(association.key_names)
    lines = [f"collection {association.name}", f"_id: {keys}"]
    lines += [f"{column.field}: {column.codec.bson_form}" for column in association.document_columns]
    return "\n".join(lines)
