"""Making two customers one, and two again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from crm_model.audit import decoded
from crm_model.bulk import PAGE, referring, set_columns
from crm_model.changes import Changes
from crm_model.documents import same, united
from crm_model.entities import MODELS, AuditLog, Contact, Customer, Task, VipCard
from crm_model.entities.states import GOING_OUT
from crm_model.errors import InvalidInput, NotFound, Refused
from crm_model.links import Link, links_to
from crm_model.model import Standard
from crm_model.service import Service
from crm_model.services.cards import take_back
from crm_model.services.feedback import average_now
from crm_model.stock import note_move
from platform_store import Range

_ACTION: Final = "merge_customers"
_NOT_FILLED: Final = frozenset({"cust_no", "satisfaction", *Customer.derivations}) | {
    reference.column for reference in Customer.declaration.references
}
_LINKS: Final = links_to(Customer.table)
_MODELS: Final = {model.table: model for model in MODELS if issubclass(model, Standard)}


@dataclass(frozen=True)
class Merged:
    """What a merge has done; ``trace_id`` is for :meth:`Merging.undo_merge`.

    ``moved``: how many rows by the column that refers to the winner now, such as ``activity.customer_id``.
    ``contradictions``: columns, and paths in documents, where both had something, and not the same: the winner's stays,
    the loser's is still in the loser's own row.
    """

    winner: Customer
    loser: Customer
    moved: Mapping[str, int]
    contradictions: tuple[str, ...]
    trace_id: str


@dataclass(frozen=True)
class Kept:
    """Columns of a row that an undo has left as they are, because they have changed since the merge."""

    table: str
    key: int
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Unmerged:
    """What an undo has done. ``moved``: how many rows went back, as in :class:`Merged`."""

    winner: Customer
    loser: Customer
    moved: Mapping[str, int]
    kept: tuple[Kept, ...]


class Merging(Service):
    """Merging duplicates, so that nothing is lost and all of it can be undone."""

    def merge_customers(self, winner_id: int, loser_id: int) -> Merged:
        """Makes two live customers one.

        Every row that refers to the loser, archived ones included, refers to the winner from then on: activities,
        contacts, orders and whatever else declares a reference to a customer (:mod:`crm_model.links`). Besides:

        * What the winner has no value for, it gets from the loser; objects and lists in its documents are united, the
          winner's values first. Where both have something else, the winner's stays (``contradictions``). Its
          ``cust_no`` and owner stay; its ``satisfaction`` is that of all feedback now.
        * Has each a live VIP card, the loser's goes back to stock. Otherwise the card stays what it is, and moves.
        * Of a task that a rule raised, ``dedupe_key`` names the winner. Has the winner one of that key, the loser's
          moves and is archived: the rule raises one task for a customer and a period.
        * Has the winner a primary contact, the loser's primary contact is none any more.
        * A customer never becomes its own ancestor: where the loser stands above the winner, the winner takes the
          loser's place.

        The loser is archived, ``merged_into`` the winner, and stays as it was otherwise. Once they are merged, the same
        call again changes nothing and returns what the merge has done.

        All of it is one transaction, under the locks of both customers and of every row that moves: an activity that is
        logged meanwhile waits, and is then told where its customer went. Moving a row changes MySQL's columns alone, a
        thousand rows in some statements with one audit entry; nothing is journalled for it, and memory holds a page of
        rows and the ids of those that were moved. The moved rows' ``version`` counts the move. It takes about 0.1 ms a
        row: a customer with 200,000 activities is locked for some 20 seconds, so that who works with either meanwhile
        may have to try again.

        Raises NotFound where one is not there, archived or merged (saying into which); NotPermitted; InvalidInput;
        Refused where they were merged by something else than this service.
        """
        if winner_id == loser_id:
            raise InvalidInput("loser_id", "same-twice", "is the winner's; name two customers")
        return self.run(_ACTION, lambda changes: _merge(changes, winner_id, loser_id))

    def merge_of(self, customer_id: int) -> Merged:
        """The merge that has archived a customer, as :meth:`merge_customers` returned it; both as they are now.

        Raises NotFound where there is no such customer; Refused where it is merged into none, or the audit log has
        nothing of it; NotPermitted to whom :meth:`merge_customers` is.
        """
        row = self.platform.read(Customer.table, customer_id, columns=["merged_into"])
        if row is None:
            raise NotFound(Customer.table, customer_id)
        winner_id = row["merged_into"]

        def work(changes: Changes) -> Merged:
            if isinstance(winner_id, int):
                winner, loser = changes.customers(winner_id, customer_id, archived=True)
                if loser.merged_into == winner.id:
                    return _merged_before(changes, winner, loser)
            raise Refused(
                "not-merged",
                f"customer {customer_id} is merged into none; there is nothing to undo",
                customer_id=customer_id,
            )

        return self.run(_ACTION, work)

    def undo_merge(self, trace_id: str) -> Unmerged:
        """Makes two customers again of those that an operation has merged: everything goes back as it was.

        What has changed since the merge is kept, and told in ``kept``: a column of the winner or of a moved row that
        has another value now than the merge gave it; a row that belongs to somebody else by now; a card that was
        touched. What was added to the winner since stays with the winner. Versions count on, and of a card that was in
        stock meanwhile two movements remain.

        Args:
            trace_id: of the merge's entries in the audit log, and of :class:`Merged`.

        Raises:
            NotFound: there is no such operation.
            Refused: it was no merge, was undone, or lies under a later one: the message says which to undo first; or
                the customers were purged.
            platform_store.Conflict: the loser's ``cust_no`` is another customer's by now.
            NotPermitted.
        """
        return self.run("undo_merge", lambda changes: _unmerge(changes, trace_id))


def _merge(changes: Changes, winner_id: int, loser_id: int) -> Merged:
    winner, loser = changes.customers(winner_id, loser_id, archived=True)
    if loser.merged_into == winner.id and not winner.archived:
        return _merged_before(changes, winner, loser)
    winner, loser = changes.customers(winner_id, loser_id)
    moved: Counter[str] = Counter()
    filled, contradictions = _filled(winner, loser)
    parent_id = _parent(changes, winner, loser)
    _return_card(changes, winner, loser)
    moved["task.customer_id"] += _move_rule_tasks(changes, winner, loser)
    moved["contact.customer_id"] += _move_primary_contact(changes, winner, loser)
    for link in _LINKS:
        moved[link.name] += _move(changes, link, winner, loser)
    satisfaction = average_now(changes, winner.id) or winner.satisfaction or loser.satisfaction
    winner = changes.change(winner, **filled, parent_id=parent_id, satisfaction=satisfaction)
    told = {"contradictions": contradictions} if contradictions else None
    loser = changes.change(loser, merged_into=winner.id, del_token=loser.id, meta=told)
    return Merged(winner, loser, dict(+moved), tuple(contradictions), changes.trace_id)


def _merged_before(changes: Changes, winner: Customer, loser: Customer) -> Merged:
    moved: Counter[str] = Counter()
    contradictions: list[str] = []
    trace_id = _latest_merge(changes, loser)
    for entry in _entries(changes, trace_id):
        meta, after = entry.meta or {}, entry.after_state or {}
        contradictions += meta.get("contradictions", ())
        if "moved" in meta:
            moved["{table}.{column}".format(**meta["moved"])] += len(meta["moved"]["ids"])
        elif after.get("customer_id") == winner.id:
            moved[f"{entry.entity}.customer_id"] += 1
    return Merged(winner, loser, dict(moved), tuple(contradictions), trace_id)


def _filled(winner: Customer, loser: Customer) -> tuple[dict[str, Any], list[str]]:
    """The winner's columns with what the loser adds to them, and where the two contradict each other."""
    filled, contradictions = {}, []
    for column in Customer.declaration.columns:
        one, other = getattr(winner, column.name), getattr(loser, column.name)
        if column.name in _NOT_FILLED or other in (None, ""):
            continue
        if one in (None, ""):
            filled[column.name] = other
        elif not same(one, other):
            contradictions.append(column.name)
    for column in Customer.declaration.documents:
        filled[column.name], inside = united(getattr(winner, column.name), getattr(loser, column.name))
        contradictions += [f"{column.name}{path}" for path in inside]
    return filled, contradictions


def _parent(changes: Changes, winner: Customer, loser: Customer) -> int | None:
    """Whom the winner belongs to from now on."""
    if winner.id in _ancestors(changes, loser):
        return winner.parent_id
    if winner.parent_id is None or loser.id in _ancestors(changes, winner):
        return loser.parent_id if _is_live(changes, loser.parent_id) else None
    return winner.parent_id


def _ancestors(changes: Changes, customer: Customer) -> list[int]:
    found: list[int] = []
    above = customer.parent_id
    while above is not None and above not in found:
        found.append(above)
        row = changes.tx.read(Customer.table, above, columns=["parent_id"]) or {}
        above = _id(row.get("parent_id"))
    return found


def _is_live(changes: Changes, customer_id: int | None) -> bool:
    row = None if customer_id is None else changes.tx.read(Customer.table, customer_id, columns=["del_token"])
    return row is not None and row["del_token"] == 0


def _id(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _return_card(changes: Changes, winner: Customer, loser: Customer) -> None:
    if changes.rows(VipCard, {"customer_id": winner.id}, limit=1):
        for card in changes.rows(VipCard, {"customer_id": loser.id}):
            take_back(changes, card)


def _move_primary_contact(changes: Changes, winner: Customer, loser: Customer) -> int:
    if not changes.rows(Contact, {"customer_id": winner.id, "is_primary": 1}, limit=1):
        return 0
    primary = changes.rows(Contact, {"customer_id": loser.id, "is_primary": 1})
    for contact in primary:
        changes.change(contact, customer_id=winner.id, is_primary=0)
    return len(primary)


def _move_rule_tasks(changes: Changes, winner: Customer, loser: Customer) -> int:
    """Those whose ``dedupe_key``, ``rule:customer:period``, names the loser; all others move with everything else."""
    where = {"customer_id": loser.id, "dedupe_key": Range(gt="")}
    keys = [
        (row["id"], str(row["dedupe_key"])) for row in changes.tx.find(Task.table, where, columns=["id", "dedupe_key"])
    ]
    ids = [one for one, key in keys if f":{loser.id}:" in key]
    for first in range(0, len(ids), PAGE):
        for task in changes.rows(Task, {"id": ids[first : first + PAGE]}, archived=True):
            _move_rule_task(changes, task, winner, loser)
    return len(ids)


def _move_rule_task(changes: Changes, task: Task, winner: Customer, loser: Customer) -> None:
    key = str(task.dedupe_key).replace(f":{loser.id}:", f":{winner.id}:", 1)
    taken = changes.tx.find(Task.table, {"dedupe_key": key, "del_token": 0}, columns=["id"])
    del_token = task.id if taken else task.del_token
    changes.change(task, customer_id=winner.id, dedupe_key=key, del_token=del_token)


def _move(changes: Changes, link: Link, winner: Customer, loser: Customer) -> int:
    """Moves what refers to the loser by a column."""
    count = 0
    for page in referring(changes, link, loser.id):
        # The winner itself may belong to the loser: that is settled with its other columns.
        rows = [row for row in page if not (link.model is Customer and row["id"] == winner.id)]
        set_columns(changes, link.model, rows, {link.column: winner.id})
        _note_moved(changes, link, loser, [row["id"] for row in rows])
        count += len(rows)
    return count


def _note_moved(changes: Changes, link: Link, loser: Customer, ids: Sequence[object]) -> None:
    if ids:
        changes.note(loser, meta={"moved": {"table": link.model.table, "column": link.column, "ids": list(ids)}})


def _unmerge(changes: Changes, trace_id: str) -> Unmerged:
    winner, loser = _merged_by(changes, trace_id)
    undo = _Undo(changes, winner, loser)
    for entry in _entries(changes, trace_id):
        undo.entry(entry)
    winner, loser = changes.customers(winner.id, loser.id, archived=True)
    return Unmerged(winner, loser, dict(+undo.moved), tuple(undo.kept))


def _entries(changes: Changes, trace_id: str) -> Iterator[AuditLog]:
    """Those of an operation, the last first."""
    after: dict[str, object] | None = None
    while page := changes.tx.find(AuditLog.table, {"trace_id": trace_id}, order_by=["id DESC"], after=after, limit=100):
        after = page[-1]
        yield from map(AuditLog.of, page)


def _merged_by(changes: Changes, trace_id: str) -> tuple[Customer, Customer]:
    """Winner and loser of a merge that can be undone, locked."""
    entry = next(_entries(changes, trace_id), None)
    if entry is None:
        raise NotFound("operation", trace_id)
    if entry.action != _ACTION:
        raise Refused(
            "not-a-merge",
            f"operation {trace_id} is {entry.action}, no merge; take the trace_id of a merge's audit entry",
            trace_id=trace_id,
            action=entry.action,
        )
    if entry.after_state is None:
        raise Refused(
            "merge-purged", f"operation {trace_id} has no record any more: its customers were purged", trace_id=trace_id
        )
    winner, loser = changes.customers(entry.after_state["merged_into"], entry.entity_id, archived=True)
    if winner.merged_into is not None:
        raise Refused(
            "merged-later",
            f"customer {winner.id} was merged into {winner.merged_into} later; undo that merge first",
            customer_id=winner.id,
            merged_into=winner.merged_into,
        )
    if loser.merged_into != winner.id or _latest_merge(changes, loser) != trace_id:
        raise Refused(
            "merge-undone",
            f"customer {loser.id} is not merged by operation {trace_id} any more: it was undone",
            customer_id=loser.id,
            trace_id=trace_id,
        )
    return winner, loser


def _latest_merge(changes: Changes, loser: Customer) -> str:
    """The ``trace_id`` of the merge that has archived a customer. Raises Refused where another program has done it."""
    where = {"entity": Customer.table, "entity_id": loser.id, "action": _ACTION}
    found = changes.tx.find(AuditLog.table, where, order_by=["id DESC"], limit=1, columns=["trace_id"])
    if not found:
        raise Refused(
            "merge-unaudited",
            f"customer {loser.id} was merged without an entry in the audit log: it cannot be undone here",
            customer_id=loser.id,
        )
    return str(found[0]["trace_id"])


class _Undo:
    """Puts back what a merge has changed, entry by entry, the last first."""

    def __init__(self, changes: Changes, winner: Customer, loser: Customer):
        self.moved: Counter[str] = Counter()
        self.kept: list[Kept] = []
        self._changes, self._winner, self._loser = changes, winner, loser

    def entry(self, entry: AuditLog) -> None:
        if entry.meta is not None and "moved" in entry.meta:
            self._page(**entry.meta["moved"])
        elif entry.before_state is not None:
            self._row(_MODELS[entry.entity], entry)
        # Else a row was added: a movement of stock, which another one makes good.

    def _page(self, table: str, column: str, ids: list[int]) -> None:
        link = next(one for one in _LINKS if (one.model.table, one.column) == (table, column))
        where = {**link.where(self._winner.id), "id": ids}
        found = self._changes.tx.find(table, where, columns=["id", "version"], for_update=True)
        back = [row["id"] for row in found]
        set_columns(self._changes, link.model, found, {link.column: self._loser.id})
        self.moved[link.name] += len(back)
        _note_moved(self._changes, link, self._loser, back)
        self.kept += [Kept(table, key, (column,)) for key in sorted(set(ids).difference(back))]

    def _row(self, model: type[Standard], entry: AuditLog) -> None:
        before, after = decoded(model, entry.before_state), decoded(model, entry.after_state)
        found = self._changes.rows(model, {"id": entry.entity_id}, archived=True)
        changed = [name for name, value in after.items() if not (found and same(getattr(found[0], name), value))]
        # A row that is somebody else's now is left alone; a card is one thing with its place and its history.
        if changed and (model is VipCard or "customer_id" in changed):
            changed = list(after)
        if changed:
            self.kept.append(Kept(model.table, entry.entity_id, tuple(sorted(changed))))
        if len(changed) < len(after):
            self._restore(found[0], {name: value for name, value in before.items() if name not in changed})

    def _restore(self, row: Standard, columns: dict[str, Any]) -> None:
        if isinstance(parent := columns.get("parent_id"), int):
            self._changes.hold(parent, archived=True)  # as it may have been before
        self._changes.change(row, **columns)
        if "customer_id" in columns:
            self.moved[f"{row.table}.customer_id"] += 1
        if isinstance(row, VipCard):
            note_move(self._changes, row, 1, GOING_OUT, row.location, None)
