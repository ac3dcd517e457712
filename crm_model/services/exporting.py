"""Rows of a table written to a CSV file that an import reads back unchanged."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, Final, TextIO, TypeAlias

from crm_model.entities import Customer
from crm_model.errors import InvalidInput
from crm_model.model import Record
from crm_model.service import Service
from crm_model.tabular import cells
from crm_model.tabular.files import UTF_8, encoding_of
from crm_model.tabular.header import KEY, SET_BY_SERVICES
from crm_model.tabular.labels import labels
from platform_store import ColumnAttribute

_ACTION: Final = "export"
_PAGE: Final = 1000

_Cell: TypeAlias = Callable[[Mapping[str, Any]], str]


class Exporting(Service):
    """Rows of any entity as CSV."""

    def export(
        self,
        model: type[Record],
        file: str | Path | TextIO,
        *,
        columns: Sequence[str] | None = None,
        where: Mapping[str, object] | None = None,
        archived: bool = False,
        labelled: bool = False,
        encoding: str = UTF_8,
        bom: bool = True,
        formulas: bool = False,
        zone: tzinfo = UTC,
        progress: Callable[[int], None] | None = None,
    ) -> int:
        """Writes rows in the order of their ids, as RFC 4180 has it; returns how many. Memory is bounded by a page.

        What the operator's role does not permit is left out. Each row is whole; they need not be of one moment. A file
        is there once it is complete, and replaces what was there under its name.

        Args:
            model: the entity whose rows are written.
            file: a path, or a text stream opened with ``newline=""``, which has an encoding of its own.
            columns: names of columns, and fields of JSON columns (``custom.网点数``); by default all that an import
                takes: the ``id`` only where there is no natural key.
            where: conditions on columns of MySQL; see :meth:`platform_store.Platform.find`.
            archived: archived rows, too.
            labelled: headers in Chinese; an import understands both.
            encoding: "utf-8" or "gb18030".
            bom: begin UTF-8 with a byte order mark, by which Excel knows it.
            formulas: leave text as it is even where a spreadsheet would run it as a formula; otherwise an apostrophe
                stands before it, which an import takes off again.
            zone: that moments are written in.
            progress: called with the number of rows written.

        Raises InvalidInput for a column or an option, NotPermitted.
        """
        self.check(_ACTION)
        names = list(columns) if columns is not None else _usual(model)
        cells_of = [_cell(model, name, zone, formulas=formulas) for name in names]
        heads = [_head(model, name) if labelled else name for name in names]
        count = 0
        with _writing(file, encoding_of(encoding), bom=bom) as stream:
            writer = csv.writer(stream)
            writer.writerow(heads)
            for page in self._pages(model, dict(where or {}), archived=archived):
                writer.writerows([cell(row) for cell in cells_of] for row in page)
                count += len(page)
                if progress is not None:
                    progress(count)
        return count

    def _pages(
        self, model: type[Record], where: dict[str, object], *, archived: bool
    ) -> Iterator[list[dict[str, Any]]]:
        if not archived and not model.declaration.append_only:
            where.setdefault("del_token", 0)
        after = None
        while page := self.platform.find(model.table, where, order_by=[KEY], after=after, limit=_PAGE):
            yield self._exported(model, page)
            after = {KEY: page[-1][KEY]}

    def _exported(self, model: type[Record], page: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows of customers that the operator may export."""
        if model is Customer:
            return [row for row in page if self.policy.permits(self.actor, _ACTION, Customer.of(row))]
        if "customer_id" not in model.fields:
            return page
        wanted = sorted({row["customer_id"] for row in page if row["customer_id"] is not None})
        owners = self.find(Customer, {KEY: wanted}, archived=True)
        open_ = {owner.id for owner in owners if self.policy.permits(self.actor, _ACTION, owner)}
        return [row for row in page if row["customer_id"] is None or row["customer_id"] in open_]


def _usual(model: type[Record]) -> list[str]:
    """The columns that an import takes."""
    declared = model.declaration
    nullable = {column.name for column in declared.columns if column.nullable}
    natural = any(not nullable.intersection([one] if isinstance(one, str) else one) for one in declared.unique)
    left_out = SET_BY_SERVICES | model.derivations.keys() | ({KEY} if natural else set())
    return [name for name in model.fields if name not in left_out]


def _columns(model: type[Record]) -> dict[str, ColumnAttribute]:
    declared = model.declaration
    return {column.name: column for column in (*declared.mysql_columns, *declared.documents)}


def _cell(model: type[Record], name: str, zone: tzinfo, *, formulas: bool) -> _Cell:
    """What a row has in a column of the file."""
    column, _, part = name.partition(".")
    declared = _columns(model).get(column)
    if declared is None or (part and declared.type != "JSON"):
        raise InvalidInput("columns", "not-a-column", f"{model.table} has no column {name!r}", table=model.table)
    if part:
        write_field = cells.field_writer(formulas=formulas)

        def field_of(row: Mapping[str, Any]) -> str:
            value = row[column]
            return write_field(value[part]) if isinstance(value, dict) and part in value else ""

        return field_of
    write = cells.writer(declared, zone, formulas=formulas)

    def value_of(row: Mapping[str, Any]) -> str:
        value = row[column]
        return "" if value is None else write(value)

    return value_of


def _head(model: type[Record], name: str) -> str:
    column, dot, part = name.partition(".")
    return next(iter(labels(model.table, column)), column) + dot + part


@contextmanager
def _writing(file: str | Path | TextIO, encoding: str, *, bom: bool) -> Iterator[TextIO]:
    """A file under another name until it is complete."""
    if not isinstance(file, str | Path):
        yield file
        return
    path = Path(file)
    unfinished = path.with_name(f"{path.name}.part")
    codec = "utf-8-sig" if encoding == UTF_8 and bom else encoding
    try:
        with unfinished.open("w", encoding=codec, newline="") as stream:
            yield stream
        os.replace(unfinished, path)
    except OSError as error:
        raise InvalidInput("file", "bad-file", f"{error.filename or path}: {error.strerror}") from None
    finally:
        unfinished.unlink(missing_ok=True)
