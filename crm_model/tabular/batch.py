"""Some rows of a file brought to a table together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from crm_model.entities import MODELS, Customer
from crm_model.entities.states import PURGED
from crm_model.errors import CrmError
from crm_model.model import Standard
from crm_model.tabular.header import KEY, REFERENCES
from crm_model.tabular.report import INSERTED, REJECTED, REVIVED, UNCHANGED, UPDATED, RowResult
from crm_model.tabular.rows import NOTHING, FileRow
from crm_model.tabular.stores import Stores
from platform_store import Conflict, JsonText, RowExists, TransientError, ValueRejected

Mode: TypeAlias = Literal["insert", "upsert", "update"]
MODES: Final[tuple[Mode, ...]] = ("insert", "upsert", "update")

_OWNER: Final = "customer_id"
_TABLES: Final = {model.table: model for model in MODELS if issubclass(model, Standard)}
_NOT_TAKEN: Final = (Conflict, CrmError, RowExists, ValueRejected)
"""What the stores say about one row. Nothing of it was written."""


class _Rejected(Exception):
    """A row that is not brought to the table."""

    def __init__(self, reason: str, column: str | None = None):
        super().__init__(reason)
        self.column = column


@dataclass(frozen=True)
class Plan:
    """What all batches of a file have in common.

    Args:
        key: columns that rows are matched by; () where they are not.
        defaults: by column, of new rows.
    """

    model: type[Standard]
    mode: Mode
    key: tuple[str, ...]
    defaults: Mapping[str, object]

    @property
    def required(self) -> list[str]:
        """Columns that a new row has to have."""
        return [
            one.name
            for one in self.model.declaration.columns
            if not one.nullable and one.default is None and one.name not in self.model.derivations
        ]


@dataclass
class _Step:
    """A row on its way: the row of the table that it changes, where there is one, and the columns to be set."""

    row: FileRow
    columns: dict[str, Any]
    before: Standard | None = None


class Batch:
    """Brings rows to a table: all that can be, and says of the others why not.

    Raises TransientError where other writers came between; then nothing of it counts.
    """

    def __init__(self, plan: Plan, stores: Stores):
        self._plan, self._stores, self._required = plan, stores, plan.required
        self._customers: Mapping[int, Customer] = {}
        self._results: dict[int, RowResult] = {}

    def bring(self, rows: Sequence[FileRow]) -> list[RowResult]:
        """What became of each row, in their order."""
        rows = self._resolved(rows)
        found = self._found(rows)
        steps = [step for row in rows if (step := self._tried(row, found)) is not None]
        steps = self._referring(steps)
        self._add([step for step in steps if step.before is None])
        for step in steps:
            if step.before is not None:
                self._change(step, step.before)
        return [self._results[line] for line in sorted(self._results)]

    # Finding

    def _resolved(self, rows: Sequence[FileRow]) -> list[FileRow]:
        """Rows with the ids of those that they tell by natural keys."""
        for column in {column for row in rows for column in row.told}:
            reference = REFERENCES[column]
            told = list({row.told[column] for row in rows if column in row.told})
            where = {reference.natural: told, "del_token": 0}
            found = self._stores.find(reference.model.table, where, ("id", reference.natural))
            ids = {one[reference.natural]: one["id"] for one in found}
            for row in rows:
                if column in row.told and row.told[column] in ids:
                    row.values[column] = ids[row.told[column]]
                elif column in row.told:
                    table = reference.model.table
                    self._reject(row, f"there is no {table} with this {reference.natural}", column)
        return [row for row in rows if row.line not in self._results]

    def _found(self, rows: Sequence[FileRow]) -> dict[tuple[object, ...], list[Standard]]:
        """The rows that are there, by key; they and their customers are locked."""
        model, key = self._plan.model, self._plan.key
        wanted = {_key(row.values, key) for row in rows} - {(None,) * len(key)}
        customers = {one for row in rows for one in _customers_of(model, row.values)}
        ids: set[int] = set()
        if wanted:
            where = {column: list({values[place] for values in wanted}) for place, column in enumerate(key)}
            referring = {name for one in model.declaration.references for name in (one.column, one.by) if name}
            for one in self._stores.find(model.table, where, {KEY, *key, *referring}):
                if _key(one, key) in wanted:
                    ids.add(one[KEY])
                    customers |= set(_customers_of(model, one))
        if model is Customer:
            customers |= ids
        self._customers = self._stores.customers(customers)
        found: dict[tuple[object, ...], list[Standard]] = {}
        for row in self._rows(ids):
            values = row.values()
            if not customers.issuperset(_customers_of(model, values)):
                raise TransientError("mysql", f"{model.table} {row.id} has just gone to another customer")
            found.setdefault(_key(values, key), []).append(row)
        return found

    def _rows(self, ids: set[int]) -> Iterable[Standard]:
        if self._plan.model is Customer:
            return [row for row in self._customers.values() if row.id in ids]
        return self._stores.rows(self._plan.model, ids) if ids else ()

    # Deciding

    def _tried(self, row: FileRow, found: Mapping[tuple[object, ...], list[Standard]]) -> _Step | None:
        try:
            return self._step(row, found.get(_key(row.values, self._plan.key), ()) if self._plan.key else ())
        except _Rejected as why:
            self._reject(row, str(why), why.column)
            return None

    def _step(self, row: FileRow, found: Sequence[Standard]) -> _Step:
        mode = self._plan.mode
        live = next((one for one in found if not one.archived), None)
        archived = max((one for one in found if one.archived), key=lambda one: one.id, default=None)
        taken = live or (archived if self._plan.key == (KEY,) else None)
        if mode == "insert" and taken is not None:
            raise _Rejected(f"it is there already: {taken.table} {taken.id}; to change it, import with upsert")
        if mode == "update" and live is None:
            raise _Rejected("no row has this key" if archived is None else "the row is archived: restore it first")
        before = live or (archived if mode == "upsert" else None)
        if before is None:
            return _Step(row, self._new(row))
        self._check_reach(before)
        columns = {name: value for name, value in row.values.items() if name != KEY}
        columns |= self._objects(row, before)
        return _Step(row, columns | {"del_token": 0}, before)

    def _check_reach(self, row: Standard) -> None:
        """Whether a row may be changed, or revived."""
        if isinstance(row, Customer) and row.archived and row.merged_into is not None:
            raise _Rejected(f"it was merged into customer {row.merged_into}: give that one's key")
        if isinstance(row, Customer) and row.status == PURGED:
            raise _Rejected("the customer was purged: a new one needs a number of its own")
        owner = row if isinstance(row, Customer) else self._customers.get(getattr(row, _OWNER, None) or 0)
        if owner is not None and not self._stores.permits(owner):
            raise _Rejected(f"this operator may not change what is of customer {owner.id}")

    def _new(self, row: FileRow) -> dict[str, Any]:
        columns = {**self._plan.defaults, **row.values, **self._objects(row, None)}
        if columns.get(KEY, 0) is None:
            del columns[KEY]
        missing = next((name for name in self._required if columns.get(name) is None), None)
        if missing is not None:
            raise _Rejected("is missing: the file needs such a column for new rows, or the import a default", missing)
        return columns

    def _objects(self, row: FileRow, before: Standard | None) -> dict[str, Any]:
        """JSON columns of which the file has fields: the others stay as they are."""
        columns: dict[str, Any] = {}
        for column, fields in row.fields.items():
            value = None if before is None else getattr(before, column)
            given = {name: one for name, one in fields.items() if one is not NOTHING}
            if not isinstance(value, dict):
                if not given:
                    continue
                if value is not None and value != JsonText("null"):
                    raise _Rejected("what is there is no object: give the whole column", column)
                value = {}
            kept = {name: one for name, one in value.items() if name not in fields}
            if value or given:
                columns[column] = kept | given
        return columns

    def _referring(self, steps: Sequence[_Step]) -> list[_Step]:
        """Those steps that make no row refer to one that is not there."""
        there: dict[str, dict[int, dict[str, Any]]] = {}
        referring = [
            (step, column, table, step.columns[column])
            for step in steps
            for column, table in self._new_references(step)
        ]
        for table in {table for _, _, table, _ in referring} - {Customer.table}:
            ids = list({key for _, _, other, key in referring if other == table})
            columns = {"id", "del_token"} | ({_OWNER} & set(_TABLES[table].fields))
            there[table] = {one["id"]: one for one in self._stores.find(table, {"id": ids}, columns)}
        for step, column, table, key in referring:
            reason = self._customer_misses(key) if table == Customer.table else _misses(step, table, key, there[table])
            if reason is not None:
                self._reject(step.row, reason, column)
        return [step for step in steps if step.row.line not in self._results]

    def _new_references(self, step: _Step) -> Iterable[tuple[str, str]]:
        """Columns that are going to refer to something else than now, each with the table."""
        now = {} if step.before is None else step.before.values()
        then = {**now, **step.columns}
        for reference in self._plan.model.declaration.references:
            table = reference.table or str(then.get(reference.by))
            key = step.columns.get(reference.column)
            if key is not None and key != now.get(reference.column) and table in _TABLES:
                yield reference.column, table

    def _customer_misses(self, key: int) -> str | None:
        customer = self._customers.get(key)
        if customer is None:
            return "there is no such customer"
        if customer.archived:
            into = "is archived" if customer.merged_into is None else f"was merged into {customer.merged_into}"
            return f"customer {key} {into}"
        return None if self._stores.permits(customer) else f"customer {key} is not this operator's"

    # Doing

    def _add(self, steps: Sequence[_Step]) -> None:
        """Adds rows; where the stores refuse one, all but that one."""
        if not steps:
            return
        try:
            lines = [step.row.line for step in steps]
            ids = self._stores.add(self._plan.model, [step.columns for step in steps], lines)
        except _NOT_TAKEN as error:
            if len(steps) == 1:
                self._check_still_new(steps[0].row)
                self._reject(steps[0].row, *_told(error))
                return
            half = len(steps) // 2
            self._add(steps[:half])
            self._add(steps[half:])
            return
        for step, key in zip(steps, ids, strict=True):
            self._results[step.row.line] = RowResult(step.row.line, INSERTED, key)

    def _check_still_new(self, row: FileRow) -> None:
        """Raises TransientError where another writer has just added a row with this key."""
        key = self._plan.key
        where = dict(zip(key, _key(row.values, key), strict=True)) | {"del_token": 0}
        if key and self._stores.find(self._plan.model.table, where, (KEY,)):
            raise TransientError(
                "mysql", f"another writer has added rows of {self._plan.model.table} with the same keys"
            )

    def _change(self, step: _Step, before: Standard) -> None:
        try:
            after = self._stores.change(before, step.columns)
        except _NOT_TAKEN as error:
            self._reject(step.row, *_told(error))
            return
        outcome = UNCHANGED if after is before else REVIVED if before.archived else UPDATED
        self._results[step.row.line] = RowResult(step.row.line, outcome, before.id)

    def _reject(self, row: FileRow, reason: str, column: str | None = None) -> None:
        self._results[row.line] = RowResult(row.line, REJECTED, column=column, reason=reason)


def _customers_of(model: type[Standard], values: Mapping[str, Any]) -> Iterable[int]:
    """The customers that a row of these values refers to."""
    for reference in model.declaration.references:
        key = values.get(reference.column)
        if key is not None and (reference.table or values.get(reference.by)) == Customer.table:
            yield key


def _misses(step: _Step, table: str, key: int, there: Mapping[int, Mapping[str, Any]]) -> str | None:
    """Why a step must not refer to this row."""
    one = there.get(key)
    if one is None or one["del_token"]:
        return f"there is no such {table}" if one is None else f"{table} {key} is archived"
    owner = step.columns.get(_OWNER, getattr(step.before, _OWNER, None))
    other = one.get(_OWNER)
    return None if None in (owner, other) or owner == other else f"{table} {key} is not of customer {owner}"


def _key(values: Mapping[str, object], columns: Sequence[str]) -> tuple[object, ...]:
    return tuple(values.get(column) for column in columns)


def _told(error: Exception) -> tuple[str, str | None]:
    column = getattr(error, "column", None)
    return str(error), column if isinstance(column, str) else None
