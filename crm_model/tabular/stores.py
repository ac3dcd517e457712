"""What an import asks of the stores and does to them: in earnest, or looking only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

from crm_model.changes import Changes
from crm_model.documents import same
from crm_model.entities import Customer
from crm_model.model import Record, Standard
from crm_model.service import Service

S = TypeVar("S", bound=Standard)

ACTION: Final = "import_csv"


class Stores(Protocol):
    """What becomes of rows is decided by this and done with it. Customers are asked for before other rows."""

    def find(self, table: str, where: Mapping[str, object], columns: Iterable[str]) -> list[dict[str, Any]]:
        """Columns of rows, which are not locked."""

    def customers(self, ids: Collection[int]) -> Mapping[int, Customer]:
        """Those that are there, archived or not, by id."""

    def rows(self, model: type[S], ids: Collection[int]) -> list[S]:
        """Those that are there, archived or not."""

    def permits(self, row: Record) -> bool:
        """Whether the operator may do this to a row."""

    def add(
        self, model: type[Standard], rows: Sequence[Mapping[str, Any]], lines: Sequence[int], /
    ) -> Sequence[int | None]:
        """Inserts rows, which are at these lines of the file; their ids."""

    def change(self, row: S, columns: Mapping[str, Any]) -> S:
        """Sets columns; the row as it is then, itself where nothing differs."""


class Writing:
    """In earnest: in one transaction, and every row under lock."""

    def __init__(self, changes: Changes):
        self._changes = changes
        self.permits = changes.permits
        self.customers = changes.lock_customers

    def find(self, table: str, where: Mapping[str, object], columns: Iterable[str]) -> list[dict[str, Any]]:
        return self._changes.tx.find(table, where, columns=columns)

    def rows(self, model: type[S], ids: Collection[int]) -> list[S]:
        return self._changes.rows(model, {"id": sorted(ids)}, archived=True)

    def add(
        self, model: type[Standard], rows: Sequence[Mapping[str, Any]], lines: Sequence[int]
    ) -> Sequence[int | None]:
        return self._changes.add_many(model, rows, meta={"lines": lines})

    def change(self, row: S, columns: Mapping[str, Any]) -> S:
        return self._changes.change(row, **columns)


class Looking:
    """Looking only: as the rows are now, and no lock."""

    def __init__(self, service: Service):
        self._service = service

    def find(self, table: str, where: Mapping[str, object], columns: Iterable[str]) -> list[dict[str, Any]]:
        return self._service.platform.find(table, where, columns=columns)

    def customers(self, ids: Collection[int]) -> Mapping[int, Customer]:
        return {row.id: row for row in self.rows(Customer, ids)}

    def rows(self, model: type[S], ids: Collection[int]) -> list[S]:
        return self._service.find(model, {"id": sorted(ids)}, archived=True)

    def permits(self, row: Record) -> bool:
        return self._service.policy.permits(self._service.actor, ACTION, row)

    def add(
        self, _model: type[Standard], rows: Sequence[Mapping[str, Any]], _lines: Sequence[int]
    ) -> Sequence[int | None]:
        return [None] * len(rows)

    def change(self, row: S, columns: Mapping[str, Any]) -> S:
        then = row.derived(columns)
        return row.but(**then) if any(not same(getattr(row, name), value) for name, value in then.items()) else row
