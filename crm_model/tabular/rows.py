"""Records of a file as rows of a table: every cell read, nothing asked of the stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from crm_model.errors import InvalidInput
from crm_model.model import Standard
from crm_model.tabular.cells import Read, Unreadable
from crm_model.tabular.files import Record
from crm_model.tabular.header import KEY, Header, Target
from crm_model.tabular.report import REJECTED, RowResult
from platform_store import ColumnAttribute

NOTHING: Final = object()
"""No value, where None is one."""

_REQUIRED: Final = object()


@dataclass(slots=True)
class FileRow:
    """One row of a file.

    ``values``: by column. ``fields``: of JSON columns, by column and field; NOTHING where the cell is empty.
    ``told``: by column, the natural key of the row that it refers to.
    """

    line: int
    values: dict[str, object]
    fields: dict[str, dict[str, object]] = field(default_factory=dict)
    told: dict[str, object] = field(default_factory=dict)

    def key(self, columns: Sequence[str]) -> tuple[object, ...]:
        """What the row says in these columns."""
        return tuple(self.told[column] if column in self.told else self.values.get(column) for column in columns)


class _Cell(NamedTuple):
    """How the cells of one column of the file are read. ``empty``: what an empty one means."""

    place: int
    column: str
    header: str
    read: Read
    empty: object


class Rows:
    """Reads the records of one file.

    Args:
        headers, targets: of the file; see :class:`crm_model.tabular.header.Header`.
        defaults: by column, a cell that stands for every empty one.
        key: columns that are never empty.
    """

    def __init__(
        self,
        model: type[Standard],
        headers: Sequence[str],
        targets: Sequence[Target | None],
        defaults: Mapping[str, object],
        key: Sequence[str],
    ):
        declared = model.declaration
        columns = {one.name: one for one in (*declared.mysql_columns, *declared.documents)}
        self._width = len(headers)
        self._nameless = [index for index, header in enumerate(headers) if not header.strip()]
        self._whole: list[_Cell] = []
        self._told: list[_Cell] = []
        self._fields: list[tuple[_Cell, str]] = []
        for index, target in enumerate(targets):
            if target is None:
                continue
            empty = _empty(columns[target.column], defaults, never=target.column in key)
            cell = _Cell(index, target.column, target.header, target.read, empty)
            if target.field is not None:
                self._fields.append((cell._replace(empty=NOTHING), target.field))
            else:
                (self._whole if target.reference is None else self._told).append(cell)

    def read(self, record: Record) -> FileRow | RowResult:
        """The row that a record is, or why it is none."""
        line, cells, problem = record
        if problem is not None:
            return RowResult(line, REJECTED, reason=problem)
        if len(cells) != self._width or self._nameless:
            problem = self._misfit(cells)
            if problem is not None:
                return RowResult(line, REJECTED, reason=problem)
        values: dict[str, object] = {}
        row = FileRow(line, values)
        header = ""
        try:
            for place, column, header, read, empty in self._whole:  # noqa: B007  the header is told where a cell is at fault
                text = cells[place]
                values[column] = read(text) if text and not text.isspace() else _given(empty)
            for place, column, header, read, empty in self._told:  # noqa: B007
                text = cells[place]
                if text and not text.isspace():
                    row.told[column] = read(text)
                else:
                    values[column] = _given(empty)
            for (place, column, header, read, empty), name in self._fields:  # noqa: B007
                text = cells[place]
                fields = row.fields.setdefault(column, {})
                fields[name] = read(text) if text and not text.isspace() else empty
        except Unreadable as error:
            return RowResult(line, REJECTED, column=header, reason=str(error))
        return row

    def _misfit(self, cells: list[str]) -> str | None:
        """Why these cells cannot be those under the headers."""
        if len(cells) < self._width:
            return f"{len(cells)} cells, but the header has {self._width}"
        if any(cell.strip() for cell in cells[self._width :]):
            return f"{len(cells)} cells, but the header has {self._width}"
        if any(cells[index].strip() for index in self._nameless):
            return "a value in a column that has no header"
        return None


def read_cells(header: Header, given: Mapping[str, str], option: str) -> dict[str, object]:
    """The values of single cells, by column; None for an empty one. Raises InvalidInput naming the option."""
    values: dict[str, object] = {}
    for name, cell in given.items():
        target = header.target(name)
        if target.name != target.column:
            raise InvalidInput(option, "bad-cell", f"{name!r}: only whole columns can be given")
        try:
            values[target.column] = target.read(cell) if cell.strip() else None
        except Unreadable as error:
            raise InvalidInput(option, "bad-cell", f"{name}: {error}") from None
    return values


def _given(empty: object) -> object:
    """What an empty cell means."""
    if empty is _REQUIRED:
        raise Unreadable("is empty, and must not be")
    return empty


def _empty(column: ColumnAttribute, defaults: Mapping[str, object], *, never: bool) -> object:
    if column.name == KEY:
        return None
    if column.name in defaults:
        return defaults[column.name]
    return _REQUIRED if never or (not column.nullable and column.default is None) else column.default
