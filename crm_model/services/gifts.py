"""Gifts: how many are where, and to whom they go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Unpack

from crm_model import checks
from crm_model.changes import Changes
from crm_model.entities import Activity, Gift, GiftStock
from crm_model.entities.states import COMING_IN, GIFT, GOING_OUT, MAIN_STORE, TRANSFER
from crm_model.errors import InvalidInput, NotFound, Refused
from crm_model.model import Json
from crm_model.service import Service
from crm_model.services.activities import Details, add_activity
from crm_model.stock import note_move


@dataclass(frozen=True)
class Stock:
    """How many of a gift there are. places: how many in each place where there are any; they sum up to ``total``."""

    sku: str
    total: int
    places: Mapping[str, int]


class Gifts(Service):
    """The stock of gifts, which is never below zero in any place, whoever takes from it at the same time.

    Every change of it leaves a ``stock_move``. ``qty`` is 1 or more; ``location``, ``from_`` and ``to`` are places, and
    the first that names one creates it.
    """

    def grant_gift(
        self,
        customer_id: int,
        sku: str,
        qty: int = 1,
        *,
        location: str = MAIN_STORE,
        channel: str = "上门",
        **details: Unpack[Details],
    ) -> Activity:
        """Gives so many of a gift to a customer; returns the activity of kind gift that is in their timeline now.

        Stock, its move, and activity change together or not at all. Each call gives a gift.

        Args:
            location: where it is taken from.
            details: what else can be said of an activity, such as ``summary`` or ``contact_id``.

        Raises:
            NotFound: there is no such customer or gift, or it is archived.
            Refused: there are not so many of it in that place.
            InvalidInput: qty is less than 1; or something is wrong with the details, as in
                :meth:`crm_model.services.activities.Activities.log_activity`.
        """
        checks.whole("qty", qty, 1)
        given: dict[str, Any] = {**details}
        occurred_at = given.pop("occurred_at", None)

        def work(changes: Changes) -> Activity:
            changes.customer(customer_id)
            _move(changes, sku, qty, GOING_OUT, location, None)
            activity = Activity(
                customer_id=customer_id,
                operator_id=changes.actor.operator_id,
                kind=GIFT,
                channel=channel,
                occurred_at=occurred_at or changes.at,
                gift={"sku": sku, "qty": qty},
                **given,
            )
            return add_activity(changes, activity)

        return self.run("grant_gift", work)

    def receive_gifts(self, sku: str, qty: int, *, to: str = MAIN_STORE, document: Json = None) -> Stock:
        """Takes gifts into stock; returns what is there now. ``document``: the paper that goes with them.

        Raises NotFound, InvalidInput.
        """
        return self._moved("receive_gifts", sku, qty, COMING_IN, None, to, document)

    def write_off_gifts(self, sku: str, qty: int, *, location: str = MAIN_STORE, document: Json = None) -> Stock:
        """Takes gifts out of stock that no customer gets, such as broken ones; returns what is there now.

        Raises NotFound, InvalidInput; Refused where there are not so many in that place.
        """
        return self._moved("write_off_gifts", sku, qty, GOING_OUT, location, None, document)

    def transfer_gifts(self, sku: str, qty: int, *, from_: str, to: str, document: Json = None) -> Stock:
        """Brings gifts from one place to another; returns what is there now.

        Raises NotFound, InvalidInput; Refused where there are not so many in the first place.
        """
        if from_ == to:
            raise InvalidInput("to", "same-twice", "is the place where they are; give another one")
        return self._moved("transfer_gifts", sku, qty, TRANSFER, from_, to, document)

    def stock_of(self, sku: str) -> Stock:
        """How many of a gift there are, and where: what one moment had. Raises NotFound."""
        self.check("stock_of")
        with self.platform.query(
            "SELECT g.stock_qty, s.location, s.qty FROM gift g"
            " LEFT JOIN gift_stock s ON s.gift_id = g.id AND s.del_token = 0"
            " WHERE g.sku = %s AND g.del_token = 0 ORDER BY s.location",
            [sku],
        ) as result:
            rows = [*result]
        if not rows:
            raise NotFound(Gift.table, sku)
        return _in_places(sku, rows[0][0], {location: qty for _, location, qty in rows if location is not None})

    def _moved(
        self, action: str, sku: str, qty: int, kind: str, from_: str | None, to: str | None, document: Json
    ) -> Stock:
        checks.whole("qty", qty, 1)
        return self.run(action, lambda changes: _move(changes, sku, qty, kind, from_, to, document))


def _move(
    changes: Changes, sku: str, qty: int, kind: str, from_: str | None, to: str | None, document: Json = None
) -> Stock:
    """Moves gifts under the lock of the gift's row, which whoever moves any takes first; what is there now."""
    gift, places = _locked(changes, sku)
    if from_ is not None:
        there = _stock(gift, places).places.get(from_, 0)
        if there < qty:
            raise Refused(
                "too-few-gifts",
                f"gift {sku!r}: {there} are in {from_!r}, not {qty}; bring more there, or take less",
                sku=sku,
                location=from_,
                there=there,
                wanted=qty,
            )
    gift = changes.change(gift, stock_qty=gift.stock_qty + (qty if from_ is None else 0) - (qty if to is None else 0))
    for location, change in ((from_, -qty), (to, qty)):
        if location is not None and location != MAIN_STORE:
            places[location] = _changed(changes, gift, location, places.get(location), change)
    note_move(changes, gift, qty, kind, from_, to, document)
    return _stock(gift, places)


def _locked(changes: Changes, sku: str) -> tuple[Gift, dict[str, GiftStock]]:
    """A gift, and how many are in each place but the main store."""
    for gift in changes.rows(Gift, {"sku": sku}):
        return gift, {row.location: row for row in changes.rows(GiftStock, {"gift_id": gift.id})}
    raise NotFound(Gift.table, sku)


def _changed(changes: Changes, gift: Gift, location: str, there: GiftStock | None, change: int) -> GiftStock:
    if there is None:
        return changes.add(GiftStock(gift_id=gift.id, location=location, qty=change))
    return changes.change(there, qty=there.qty + change)


def _stock(gift: Gift, elsewhere: Mapping[str, GiftStock]) -> Stock:
    quantities = {location: row.qty for location, row in elsewhere.items()}
    return _in_places(gift.sku, gift.stock_qty, quantities)


def _in_places(sku: str, total: int, elsewhere: Mapping[str, int]) -> Stock:
    """The main store has what is in no other place."""
    places = {MAIN_STORE: total - sum(elsewhere.values()), **elsewhere}
    return Stock(sku, total, {location: qty for location, qty in places.items() if qty})
