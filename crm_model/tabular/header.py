"""Which column of a table each column of a file is for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from crm_model.entities import Customer, Operator, Product, SalesOrder
from crm_model.errors import InvalidInput
from crm_model.model import Record, Standard
from crm_model.tabular import cells
from crm_model.tabular.choices import BOUNDS, CHOICES, bounded
from crm_model.tabular.labels import labels, normal
from platform_store import ColumnAttribute

KEY: Final = "id"
SET_BY_SERVICES: Final = frozenset({"merged_into", "created_at", "updated_at", "del_token", "version"})
"""Columns that no file has a say in, beside those that are derived from others."""


@dataclass(frozen=True)
class Reference:
    """A row told by a number that people know. ``labels``: what it is called where it stands for ``column``."""

    model: type[Standard]
    natural: str
    labels: tuple[str, ...] = ()


_LOGIN: Final = "login"
REFERENCES: Final[Mapping[str, Reference]] = {
    "customer_id": Reference(Customer, "cust_no", ("cust_no", *labels("customer", "cust_no"))),
    "parent_id": Reference(Customer, "cust_no", ("上级客户编号", "上级客户")),
    "owner_id": Reference(Operator, _LOGIN, ("负责人", "负责人账号", "客户经理", "owner")),
    "operator_id": Reference(Operator, _LOGIN, ("经办人", "经办人账号", "拜访人", "operator")),
    "assignee_id": Reference(Operator, _LOGIN, ("责任人", "责任人账号", "处理人", "assignee")),
    "applicant_id": Reference(Operator, _LOGIN, ("申请人", "申请人账号")),
    "approver_id": Reference(Operator, _LOGIN, ("审批人", "审批人账号")),
    "author_id": Reference(Operator, _LOGIN, ("作者", "作者账号")),
    "manager_id": Reference(Operator, _LOGIN, ("上级", "上级账号")),
    "product_id": Reference(Product, "code", ("产品编码",)),
    "order_id": Reference(SalesOrder, "order_no", ("订单号",)),
}
"""By the column that holds the ``id``."""


@dataclass(frozen=True)
class Target:
    """What a column of a file is for: a column, or one field of a JSON column, or a row told by its natural key."""

    header: str
    column: str
    read: cells.Read
    field: str | None = None
    reference: Reference | None = None

    @property
    def name(self) -> str:
        """``custom.网点数``, ``owner_id.login``, or the column's own name."""
        part = self.field if self.reference is None else self.reference.natural
        return self.column if part is None else f"{self.column}.{part}"

    def clashes(self, other: Target) -> bool:
        """Whether both say what is to be in the same place."""
        return self.column == other.column and (self.field is None or other.field in (None, self.field))


class Header:
    """The columns of a table by what people call them."""

    def __init__(self, model: type[Record], zone: tzinfo):
        declared = model.declaration
        self._model, self._zone = model, zone
        self._columns = {one.name: one for one in (*declared.mysql_columns, *declared.documents)}
        self._references = {column: one for column, one in REFERENCES.items() if column in self._columns}
        self._by_name = dict(self._names())

    def _names(self) -> Iterator[tuple[str, str]]:
        """Every name in its normal form, with the target it stands for; the names of columns last, as they count."""
        for column, reference in self._references.items():
            yield from ((normal(label), f"{column}.{reference.natural}") for label in reference.labels)
        for column in self._columns:
            yield from ((normal(label), column) for label in labels(self._model.table, column))
        yield from ((normal(column), column) for column in self._columns)

    def targets(self, headers: Sequence[str], given: Mapping[str, str | None]) -> list[Target | None]:
        """Aligned with ``headers``; None for a column that is left out, or has no header.

        Args:
            given: by header, the column it is for, or None to leave it out.

        Raises InvalidInput, naming the header.
        """
        chosen = {normal(header): name for header, name in given.items()}
        unknown = chosen.keys() - {normal(header) for header in headers}
        if unknown:
            wrong = next(header for header in given if normal(header) in unknown)
            raise InvalidInput(
                "columns", "bad-header", f"the file has no column {wrong!r}; it has {', '.join(headers)}"
            )
        found = [self._of(header, chosen) for header in headers]
        for number, one in enumerate(found):
            clashing = next((other for other in found[:number] if one and other and one.clashes(other)), None)
            if one is not None and clashing is not None:
                raise InvalidInput(
                    "header",
                    "bad-header",
                    f"{clashing.header!r} and {one.header!r} are both for {one.column}: leave one out, "
                    "with columns={...: None}",
                )
        return found

    def target(self, name: str, header: str | None = None) -> Target:
        """What a name stands for. Raises InvalidInput."""
        shown, table = header or name, self._model.table
        left, _, right = (part.strip() for part in self._full(name).partition("."))
        column = self._columns.get(self._by_name.get(normal(left), ""))
        if column is None:
            raise InvalidInput(
                "header",
                "bad-header",
                f"{shown!r} is no column of {table}: say which it is, or None, with columns={{{shown!r}: ...}}",
            )
        if column.name in SET_BY_SERVICES or column.name in self._model.derivations:
            raise InvalidInput(
                "header", "bad-header", f"{shown!r} cannot be given: leave it out, with columns={{{shown!r}: None}}"
            )
        if not right:
            return Target(shown, column.name, self._reader(column))
        if column.type == "JSON":
            return Target(shown, column.name, cells.field_reader, field=right)
        reference = self._references.get(column.name)
        if reference is None or normal(right) != normal(reference.natural):
            raise InvalidInput("header", "bad-header", f"{shown!r}: {column.name} of {table} has no part {right!r}")
        natural = next(one for one in reference.model.declaration.columns if one.name == reference.natural)
        return Target(shown, column.name, cells.reader(natural), reference=reference)

    def _full(self, name: str) -> str:
        return self._by_name.get(normal(name), name) if "." not in name else name

    def _of(self, header: str, chosen: Mapping[str, str | None]) -> Target | None:
        name = chosen.get(normal(header), header)
        return self.target(name, header) if name is not None and header.strip() else None

    def _reader(self, column: ColumnAttribute) -> cells.Read:
        where = (self._model.table, column.name)
        read = cells.reader(column, self._zone)
        if where in CHOICES:
            read = CHOICES[where].reader(read)
        return bounded(read, *BOUNDS[where]) if where in BOUNDS else read
