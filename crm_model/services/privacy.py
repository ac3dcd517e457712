"""Erasing a person, as privacy law asks: article 47 of China's PIPL, article 17 of the GDPR."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from crm_model.bulk import PAGE, referring, set_columns
from crm_model.changes import Changes
from crm_model.documents import entries, same
from crm_model.entities import AuditLog, Customer, SalesOrder, VipCard
from crm_model.entities.states import AT_THE_CUSTOMER, CARD_LOST, MAIN_STORE, NOBODY_KNOWS, PURGED
from crm_model.errors import NotFound
from crm_model.links import Link, links_to
from crm_model.service import Service
from platform_store import ColumnDescription, JsonText, Transaction, Unavailable

KEPT_OF_ITEMS: Final = ("code", "qty", "price", "amount")
KEPT_OF_INVOICES: Final = ("type", "no", "rate", "amount", "tax")
"""What stays of an order's items and invoice: what was sold, and what was taxed."""

_ENTRIES: Final = 100  # of a page, each with the ids of a thousand rows
_ACTION: Final = "purge"
_MERGES: Final = ("merge_customers", "undo_merge")
_STATES: Final = ("before_state", "after_state", "meta")
_ERASED: Final = "erased"
_ATTACHMENTS: Final = "attachments"
_PLACES: Final = (MAIN_STORE, AT_THE_CUSTOMER, NOBODY_KNOWS)
_LINKS: Final = links_to(Customer.table)


@dataclass(frozen=True)
class Purged:
    """What a purge has erased.

    ``customers``: the customer, and those that were merged into it. ``rows``: how many rows of each table were erased,
    emptied or unbound. ``files``: the URIs of the attachments that they had, which somebody else keeps and must delete.
    ``complete``: no store holds any of it any more; otherwise MongoDB could not be reached or has refused a change, or
    the journal is held for a backup, and the purge has to be called again.
    """

    customers: tuple[int, ...]
    rows: Mapping[str, int]
    files: tuple[str, ...]
    complete: bool


class Privacy(Service):
    """Erasing persons."""

    def purge(self, customer_id: int, *, dry_run: bool = False) -> Purged:
        """Erases a customer, live or archived, and everyone merged into it, in both stores.

        * Rows that refer to the customer are deleted: contacts, activities, feedback, tasks, opportunities, tickets,
          leads, approvals, billing accounts, and whatever else declares a reference (:mod:`crm_model.links`); other
          customers' rows that only mention it forget whom they meant.
        * Orders and their lines stay, as the laws on bookkeeping and taxes want (in China accounts are kept for up to
          30 years): order_no, moments, amounts, operator, way of payment and status, and of the items and the invoice
          :data:`KEPT_OF_ITEMS` and :data:`KEPT_OF_INVOICES`. Delivery, and everything else in them, is erased.
        * VIP cards are unbound and lost: one that was handed back is to be released first. Of their history moments,
          operators and the house's own places stay.
        * Of the customers themselves an empty row stays, archived, of status 已清除, so that orders have a customer.
        * In the audit log the entries of all these rows, and of the merges that they were part of, stay, but what they
          tell of the rows and of the actor is blanked. New entries tell which rows were erased, by their ids; the
          actor's ``reason`` in them is the caller's and has to be free of personal data.

        All of that is one transaction. After it, everything that waits in the library's journal, where documents are
        kept until MongoDB has confirmed them, is brought to MongoDB and removed. When ``complete`` is returned, no
        table, journal or collection holds any of it. Not erased is what lies outside: the servers' own logs (binary
        log, oplog), files and backups, which have their own terms; files that attachments refer to; what the audit log
        tells of cards that the customer had before, which is its number; and free text about the person in rows of
        others.

        It takes about half a millisecond and half a kilobyte a row, under the customer's lock. It may be called again
        at any time, and has to be where the process died or ``complete`` is False.

        Args:
            dry_run: changes nothing, and says what would be erased; ``complete`` is False then. It is how to keep the
                list of ``files`` before the purge, should the process die after it.

        Raises NotFound where the customer is not there, or merged: purge the one that it was merged into;
        NotPermitted, for any of the customers.
        """
        customers = self.platform.describe(Customer.table).columns
        orders = self.platform.describe(SalesOrder.table).columns

        def work(changes: Changes) -> Purged:
            purged = _Purge(changes, customer_id, customers, orders).run()
            if dry_run:
                raise _DryRun(purged)
            return purged

        try:
            purged = self.run(_ACTION, work)
        except _DryRun as dry:
            return dry.purged
        return Purged(purged.customers, purged.rows, purged.files, self._is_complete(customer_id))

    def _is_complete(self, customer_id: int) -> bool:
        try:
            self.platform.recover()
            with self.platform.transaction() as tx:
                return not any(tx.awaiting(table, ids) for table, ids in _erased(tx, customer_id))
        except Unavailable:
            return False


def _erased(tx: Transaction, customer_id: int) -> Iterator[tuple[str, list[int]]]:
    """The rows that purges of a customer have erased."""
    where = {"entity": Customer.table, "entity_id": customer_id, "action": _ACTION}
    after: dict[str, object] | None = None
    while page := tx.find(AuditLog.table, where, order_by=["at"], after=after, limit=_ENTRIES):
        after = page[-1]
        for told in (AuditLog.of(row).meta[_ERASED] for row in page):
            yield told["table"], told["ids"]


class _DryRun(Exception):
    """Undoes the transaction."""

    def __init__(self, purged: Purged):
        super().__init__()
        self.purged = purged


class _Purge:
    """One purge, in its transaction."""

    def __init__(
        self,
        changes: Changes,
        customer_id: int,
        customer_columns: Sequence[ColumnDescription],
        order_columns: Sequence[ColumnDescription],
    ):
        self._changes, self._tx = changes, changes.tx
        self._customer_columns, self._order_columns = customer_columns, order_columns
        self._rows: Counter[str] = Counter()
        self._files: list[str] = []
        self._customer = changes.customer(customer_id, archived=True)
        if self._customer.merged_into is not None:
            raise NotFound(Customer.table, customer_id, archived=True, merged_into=self._customer.merged_into)
        self._customers = [self._customer, *self._merged()]

    def run(self) -> Purged:
        for customer in self._customers:
            for link in _LINKS:
                self._refer_no_more(link, customer.id)
            self._forget_merges(customer.id)
        self._empty_customers()
        ids = tuple(customer.id for customer in self._customers)
        return Purged(ids, dict(+self._rows), tuple(self._files), complete=False)

    def _merged(self) -> list[Customer]:
        """The customers that were merged into this one, directly or not; locked."""
        found: dict[int, Customer] = {}
        new = [self._customer.id]
        while new:
            rows = self._tx.find(Customer.table, {"merged_into": new}, columns=["id"])
            ids = [int(str(row["id"])) for row in rows if row["id"] not in found]
            found.update(zip(ids, self._changes.customers(*ids, archived=True), strict=True))
            new = ids
        return list(found.values())

    def _refer_no_more(self, link: Link, customer_id: int) -> None:
        if link.model is SalesOrder:
            self._strip_orders(link, customer_id)
        elif link.model is VipCard:
            self._unbind_cards(link, customer_id)
        elif link.model is Customer or link.by:
            self._unlink(link, customer_id)
        else:
            self._delete(link, customer_id)

    def _delete(self, link: Link, customer_id: int) -> None:
        with_files = [_ATTACHMENTS] if _ATTACHMENTS in link.model.fields else []
        for page in referring(self._changes, link, customer_id, with_files):
            ids = [row["id"] for row in page]
            self._note_files(row.get(_ATTACHMENTS) for row in page)
            self._forget(link.model.table, ids)
            self._tx.delete_many(link.model.table, ids)
            self._tell(link.model.table, ids)

    def _unlink(self, link: Link, customer_id: int) -> None:
        """Rows of others: customers that belong to this one, and what is about it."""
        if link.column == "merged_into":
            return
        columns = dict.fromkeys(link.prefix)
        for page in referring(self._changes, link, customer_id):
            set_columns(self._changes, link.model, page, columns)

    def _unbind_cards(self, link: Link, customer_id: int) -> None:
        for page in referring(self._changes, link, customer_id):
            ids = [row["id"] for row in page]
            self._forget(VipCard.table, ids)
            for card in self._changes.rows(VipCard, {"id": ids}, archived=True):
                columns = {"customer_id": None, "bound_at": None, "status": CARD_LOST, "location": NOBODY_KNOWS}
                self._update(card, {**columns, "moves": [_anonymous_move(move) for move in entries(card.moves)]})
            self._tell(VipCard.table, ids)

    def _strip_orders(self, link: Link, customer_id: int) -> None:
        added = _emptied(self._order_columns, SalesOrder.fields, self._changes.at)
        for page in referring(self._changes, link, customer_id):
            ids = [row["id"] for row in page]
            self._forget(SalesOrder.table, ids)
            stripped = []
            for order in self._changes.rows(SalesOrder, {"id": ids}, archived=True):
                columns = {
                    "opportunity_id": None,
                    "items": _only(KEPT_OF_ITEMS, order.items),
                    "delivery": None,
                    "invoice": next(iter(_only(KEPT_OF_INVOICES, order.invoice) or ()), None),
                }
                if added or not all(same(getattr(order, name), value) for name, value in columns.items()):
                    self._update(order, {**columns, **added})
                    stripped.append(order.id)
            self._tell(SalesOrder.table, stripped)

    def _empty_customers(self) -> None:
        emptied = _emptied(self._customer_columns, ("owner_id", "merged_into", "version"), self._changes.at)
        ids = [customer.id for customer in self._customers if customer.status != PURGED]
        self._forget(Customer.table, [customer.id for customer in self._customers])
        for customer in self._customers:
            if customer.id in ids:
                self._note_files([customer.attachments])
                self._update(customer, {**emptied, "status": PURGED, "del_token": customer.id})
        self._tell(Customer.table, ids)

    def _forget_merges(self, customer_id: int) -> None:
        """The entries of merges, which tell of the other customer's row what it got from this one."""
        where = {"entity": Customer.table, "entity_id": customer_id, "action": _MERGES}
        for trace_id in {str(row["trace_id"]) for row in self._tx.find(AuditLog.table, where, columns=["trace_id"])}:
            self._blank({"trace_id": trace_id}, [])

    def _forget(self, table: str, ids: Sequence[int]) -> None:
        """What the audit tells of rows."""
        self._blank({"entity": table, "entity_id": ids}, ["entity_id", "at"])

    def _blank(self, where: Mapping[str, object], order_by: Sequence[str]) -> None:
        after: dict[str, object] | None = None
        while page := self._tx.find(AuditLog.table, where, order_by=order_by, after=after, limit=PAGE):
            after = page[-1]
            told = [row for row in page if row["action"] != _ACTION and any(row[name] is not None for name in _STATES)]
            ids = [int(str(row["id"])) for row in told]
            self._tx.update_many(AuditLog.table, ids, dict.fromkeys(_STATES))
            self._tell(AuditLog.table, ids)

    def _update(self, row: Customer | SalesOrder | VipCard, columns: Mapping[str, object]) -> None:
        """Past :meth:`Changes.change`, which would keep in the audit what was before."""
        self._tx.update(row.table, row.id, {**columns, "updated_at": self._changes.at, "version": row.version + 1})

    def _tell(self, table: str, ids: Sequence[int]) -> None:
        self._rows[table] += len(ids)
        if ids:
            self._changes.note(self._customer, meta={_ERASED: {"table": table, "ids": list(ids)}})

    def _note_files(self, attachments: Iterable[Any]) -> None:
        for one in attachments:
            uris = (entry.get("uri") for entry in entries(one) if isinstance(entry, dict))
            self._files += [uri for uri in uris if isinstance(uri, str)]


def _anonymous_move(move: Any) -> dict[str, object]:
    """When a card was moved, by whom, and between which of the house's own places."""
    told = move if isinstance(move, dict) else {}
    by, places = told.get("by"), (told.get(name) for name in ("from", "to"))
    from_, to = (place if place in _PLACES else None for place in places)
    return {"at": _moment(told.get("at")), "from": from_, "to": to, "by": by if isinstance(by, int) else None}


def _moment(value: object) -> str | None:
    try:
        return datetime.fromisoformat(str(value)).isoformat()
    except ValueError:
        return None


def _only(names: Collection[str], value: Any) -> list[dict[str, Any]] | None:
    """Of each object in a list these fields, as far as they are codes and numbers."""
    objects = [one for one in entries(value) if isinstance(one, dict)]
    kept = [
        {name: part for name, part in one.items() if name in names and isinstance(part, str | int | float)}
        for one in objects
    ]
    return kept or None


def _emptied(columns: Iterable[ColumnDescription], but: Collection[str], at: datetime) -> dict[str, object]:
    """Columns, also those that an application has added, with nothing in them."""
    return {
        column.name: None if column.nullable else _nothing(column.type.upper(), at)
        for column in columns
        if not column.key and column.name not in but
    }


def _nothing(type_: str, at: datetime) -> object:
    if type_.startswith(("DATETIME", "TIMESTAMP")):
        return at
    if type_.startswith("DATE"):
        return at.date()
    if type_.startswith("JSON"):
        return JsonText("null")
    return "" if type_.startswith(("VARCHAR", "CHAR", "TEXT", "LONGTEXT", "MEDIUMTEXT")) else 0
