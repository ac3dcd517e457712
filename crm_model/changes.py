"""The changes of one operation: one transaction, in which every change leaves its audit entry."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

from crm_model.audit import encoded
from crm_model.documents import same
from crm_model.entities import AuditLog, Customer
from crm_model.entities.states import PURGED
from crm_model.errors import NotFound, NotPermitted, Refused
from crm_model.model import Record, Standard
from crm_model.policy import Actor, Policy
from platform_store import Transaction, TransientError

R = TypeVar("R", bound=Record)
S = TypeVar("S", bound=Standard)

_LIVE = {"del_token": 0}


class Changes:
    """What an operation reads under lock and changes; given to the work of :meth:`crm_model.service.Service.run`.

    Rows of a customer are only added, changed or moved by who holds the lock of the customer (:meth:`customer`), so
    that an operation sees all of them, and a merge or purge leaves none behind. Customers are locked first, in the
    order of their ids; one that a row is made to refer to is locked then, where it was not, and has to be live.

    ``at``: the moment that every row and entry of the operation bears. ``tx``: the transaction itself.
    """

    def __init__(self, tx: Transaction, actor: Actor, policy: Policy, action: str, at: datetime):
        self.tx, self.actor, self.action, self.at = tx, actor, action, at
        self.trace_id = str(uuid.uuid4())
        self._policy = policy
        self._entries: list[AuditLog] = []
        self._held: set[int] = set()  # customers that are locked

    # Reading, under lock

    def customer(self, customer_id: int, *, archived: bool = False) -> Customer:
        """A customer that the actor may do this to, locked. ``archived``: even where it is.

        Raises NotFound (saying where a merged one went), NotPermitted.
        """
        row = self.hold(customer_id, archived=archived)
        self._check(row)
        return row

    def hold(self, customer_id: int, *, archived: bool = False) -> Customer:
        """As :meth:`customer`, the policy not asked: for one that another customer is only to refer to."""
        row = self.row(Customer, customer_id, archived=True)
        if row.archived and not archived:
            raise NotFound("customer", customer_id, archived=True, merged_into=row.merged_into)
        self._held.add(customer_id)
        return row

    def customers(self, *customer_ids: int, archived: bool = False) -> list[Customer]:
        """Several customers, aligned with their ids; locked in the order that keeps operations from blocking others."""
        found = {one: self.customer(one, archived=archived) for one in sorted(set(customer_ids))}
        return [found[one] for one in customer_ids]

    def lock_customers(self, customer_ids: Collection[int]) -> dict[int, Customer]:
        """Those of many customers that are there, archived or not, by id, locked; what :meth:`permits` says is open."""
        found = {row.id: row for row in self.rows(Customer, {"id": sorted(customer_ids)}, archived=True)}
        self._held.update(key for key, row in found.items() if not row.archived and self.permits(row))
        return found

    def permits(self, row: Record) -> bool:
        """Whether the actor may do this to a row."""
        return self._policy.permits(self.actor, self.action, row)

    def row(self, model: type[S], key: int, *, archived: bool = False) -> S:
        """A row, locked. ``archived``: even where it is. Raises NotFound."""
        found = self.tx.read(model.table, key, for_update=True)
        if found is None:
            raise NotFound(model.table, key)
        row = model.of(found)
        if row.archived and not archived:
            raise NotFound(model.table, key, archived=True)
        return row

    def reached(self, model: type[S], key: int, *, archived: bool = False) -> S:
        """A row, locked after the customer whose it is. Raises NotFound, NotPermitted."""
        if issubclass(model, Customer):
            return cast(S, self.customer(key, archived=archived))
        found = self.tx.read(model.table, key)
        if found is None:
            raise NotFound(model.table, key)
        owner = found.get("customer_id")
        if isinstance(owner, int):
            self.customer(owner, archived=True)
        row = self.row(model, key, archived=archived)
        if getattr(row, "customer_id", None) != owner:
            raise TransientError("mysql", f"{model.table} {key} has just gone to another customer")
        return row

    def rows(
        self,
        model: type[R],
        where: Mapping[str, object],
        *,
        order_by: Sequence[str] = ("id",),
        after: Mapping[str, object] | None = None,
        limit: int | None = None,
        archived: bool = False,
    ) -> list[R]:
        """The live rows that meet conditions on columns of MySQL, locked; see :meth:`platform_store.Platform.find`."""
        conditions = {**where} if archived or model.declaration.append_only else {**_LIVE, **where}
        found = self.tx.find(model.table, conditions, order_by=order_by, after=after, limit=limit, for_update=True)
        return [model.of(row) for row in found]

    # Changing

    def add(self, record: R) -> R:
        """Inserts a row, with what is derived from its columns; returns it as it is now, with its ``id``.

        Raises NotFound where it refers to a customer that is not there, NotPermitted.
        """
        values = record.derived(self._stamped(record).values())
        self._hold_customers(record, values, values)
        if not record.id:
            del values["id"]
        values["id"] = self.tx.write(record.table, values)
        added = record.but(**values)
        if isinstance(added, Customer):
            self._held.add(added.id)
        self.note(added, after={name: value for name, value in added.values().items() if value is not None})
        return added

    def add_many(
        self, model: type[Standard], rows: Sequence[Mapping[str, Any]], *, meta: Mapping[str, Any] | None = None
    ) -> list[int]:
        """Inserts rows, as :meth:`add` does, of these columns; returns their ids.

        They share one audit entry, which is of no row (``entity_id`` is 0) and lists the ids. ``meta``: as for
        :meth:`note`.
        """
        stamps = {"created_at": self.at, "updated_at": self.at}
        whole = [{**model.derived(row), **stamps} for row in rows]
        for values in whole:
            self._hold_customers(model, values, values)
        ids = [cast(int, key) for key in self.tx.insert_many(model.table, whole)]
        if issubclass(model, Customer):
            self._held.update(ids)
        self._note(model.table, 0, meta={"ids": ids, **(meta or {})})
        return ids

    def change(self, row: S, *, meta: Mapping[str, Any] | None = None, **columns: Any) -> S:
        """Sets columns of a row that is locked; returns it as it is now. Where nothing differs, nothing is written.

        ``meta``: more to be kept in the audit entry, such as the rule that asked for the change.

        Raises NotFound where it refers to a customer then that is not there, NotPermitted.
        """
        columns = row.derived(columns)
        before = {name: getattr(row, name) for name, value in columns.items() if not same(getattr(row, name), value)}
        if not before:
            return row
        after = {name: columns[name] for name in before}
        self._hold_customers(row, {**row.values(), **after}, after)
        stamps = {"updated_at": self.at, "version": row.version + 1}
        self.tx.update(row.table, row.id, {**after, **stamps})
        self.note(row, before=before, after=after, meta=meta)
        return row.but(**after, **stamps)

    def archive(self, row: S) -> S:
        """Takes a locked row out of everything but :meth:`restore`; its natural key is free again."""
        return self.change(row, del_token=row.id)

    def restore(self, row: S) -> S:
        """Brings an archived row back.

        Raises platform_store.Conflict where its natural key is taken meanwhile; Refused for a customer that was merged
        or purged.
        """
        if isinstance(row, Customer) and row.merged_into is not None:
            raise Refused(
                "customer-merged",
                f"customer {row.id} was merged into {row.merged_into}; undo the merge instead",
                customer_id=row.id,
                merged_into=row.merged_into,
            )
        if isinstance(row, Customer) and row.status == PURGED:
            raise Refused("customer-purged", f"customer {row.id} was purged: nothing is left of it", customer_id=row.id)
        return self.change(row, del_token=0)

    def note(
        self,
        row: Record,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        """An audit entry: what :meth:`add` and :meth:`change` leave by themselves. ``meta``: more to be kept."""
        self._note(row.table, row.id, before=before, after=after, meta=meta)

    def _note(
        self,
        table: str,
        key: int,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        told = {"ip": self.actor.ip, "reason": self.actor.reason, **(meta or {})}
        entry = AuditLog(
            actor_id=self.actor.operator_id,
            action=self.action,
            entity=table,
            entity_id=key,
            at=self.at,
            trace_id=self.trace_id,
            before_state=None if before is None else encoded(before),
            after_state=None if after is None else encoded(after),
            meta={name: value for name, value in told.items() if value is not None} or None,
        )
        self._entries.append(entry)

    def write_audit(self) -> None:
        """Writes the entries; the last thing that an operation does."""
        rows = [{name: value for name, value in entry.values().items() if name != "id"} for entry in self._entries]
        if rows:
            self.tx.write_many(AuditLog.table, rows)

    def _hold_customers(
        self, record: Record | type[Record], values: Mapping[str, Any], changed: Collection[str]
    ) -> None:
        """Locks the customers that a row of these values is going to refer to by the columns that change."""
        for reference in record.declaration.references:
            table, key = reference.table or values.get(reference.by), values.get(reference.column)
            new = reference.column in changed or reference.by in changed
            if new and table == Customer.table and key is not None and key not in self._held:
                customer = self.hold(key)
                if not (isinstance(record, Customer) or record is Customer):  # it may belong to someone else's
                    self._check(customer)

    def _check(self, customer: Customer) -> None:
        if not self.permits(customer):
            raise NotPermitted(self.actor.operator_id, self.action, "customer", customer.id)

    def _stamped(self, record: R) -> R:
        return record.but(created_at=self.at, updated_at=self.at) if isinstance(record, Standard) else record
