"""VIP cards: which customer has which, and where each card was."""

from __future__ import annotations

from typing import Any

from crm_model.changes import Changes
from crm_model.documents import entries
from crm_model.entities import Customer, VipCard
from crm_model.entities.states import (
    AT_THE_CUSTOMER,
    CARD_IN_STOCK,
    CARD_IN_USE,
    CARD_LOST,
    COMING_IN,
    GOING_OUT,
    MAIN_STORE,
    NOBODY_KNOWS,
)
from crm_model.errors import NotFound, Refused
from crm_model.service import Service
from crm_model.stock import note_move


class Cards(Service):
    """VIP cards. A customer has one live card at most, a card one customer.

    Each change of hands is told three times: in the card's ``moves``, which say where it was; in a ``stock_move``; and
    in the audit entry, which says whose it was.

    A card of a level is for customers of this ``vip_level`` or a higher one, so that a stock of few levels serves all.
    What becomes of the level later does not touch the card: it stays until it is replaced or released.
    """

    def bind_vip_card(self, customer_id: int, card_no: str) -> VipCard:
        """Gives a card that is in stock to a customer; returns it. A card that is theirs already stays as it is.

        Raises:
            NotFound: there is no such customer or card, or it is archived.
            Refused: the card is in use by another customer or lost, its level is above the customer's, or the customer
                has another card.
        """

        def work(changes: Changes) -> VipCard:
            customer = changes.customer(customer_id)
            own, card = _locked_cards(changes, customer, card_no)
            if own is not None and own.id != card.id:
                raise Refused(
                    "has-card",
                    f"customer {customer.id} has vip_card {own.card_no!r}; replace it with {card_no!r} or release it",
                    customer_id=customer.id,
                    card_no=own.card_no,
                )
            return card if own is not None else hand_out(changes, card, customer)

        return self.run("bind_vip_card", work)

    def replace_vip_card(
        self, customer_id: int, new_card_no: str, *, lost: bool = False, to: str = MAIN_STORE
    ) -> VipCard:
        """Gives a customer another card instead of theirs; returns it. Once it is theirs, it stays as it is.

        Args:
            new_card_no: of the card that they get.
            lost, to: what becomes of the old one, as for :meth:`release_vip_card`.

        Raises what :meth:`bind_vip_card` raises; Refused where the customer has no card.
        """

        def work(changes: Changes) -> VipCard:
            customer = changes.customer(customer_id)
            own, card = _locked_cards(changes, customer, new_card_no)
            if own is None:
                raise Refused(
                    "has-no-card",
                    f"customer {customer.id} has no vip_card to replace; bind {new_card_no!r} to them",
                    customer_id=customer.id,
                )
            if own.id == card.id:
                return card
            take_back(changes, own, lost=lost, to=to)
            return hand_out(changes, card, customer)

        return self.run("replace_vip_card", work)

    def release_vip_card(self, customer_id: int, *, lost: bool = False, to: str = MAIN_STORE) -> VipCard:
        """Takes a customer's card back; returns it. Also of an archived customer.

        Args:
            lost: the card is not there: nobody else gets it.
            to: where it is kept from now on, unless it is lost.

        Raises NotFound; Refused where the customer has no card.
        """

        def work(changes: Changes) -> VipCard:
            customer = changes.customer(customer_id, archived=True)
            for card in changes.rows(VipCard, {"customer_id": customer.id}):
                return take_back(changes, card, lost=lost, to=to)
            raise Refused("has-no-card", f"customer {customer.id} has no vip_card to release", customer_id=customer.id)

        return self.run("release_vip_card", work)


def hand_out(changes: Changes, card: VipCard, customer: Customer) -> VipCard:
    """Binds a locked card to a locked customer who has none. Raises Refused where the card is not for them."""
    if card.customer_id is not None:
        raise Refused(
            "card-in-use",
            f"vip_card {card.card_no!r} is in use by customer {card.customer_id}; release it there first",
            card_no=card.card_no,
            customer_id=card.customer_id,
        )
    if card.status != CARD_IN_STOCK:
        raise Refused(
            "card-not-in-stock",
            f"vip_card {card.card_no!r} is {card.status}, not {CARD_IN_STOCK}; take another one",
            card_no=card.card_no,
            status=card.status,
        )
    if card.level > customer.vip_level:
        raise Refused(
            "card-too-high",
            f"vip_card {card.card_no!r} is of level {card.level}, customer {customer.id} of VIP level "
            f"{customer.vip_level}; take a lower card, or apply for the level first",
            card_no=card.card_no,
            level=card.level,
            customer_id=customer.id,
            vip_level=customer.vip_level,
        )
    note_move(changes, card, 1, GOING_OUT, card.location, None)
    return moved(changes, card, AT_THE_CUSTOMER, status=CARD_IN_USE, customer_id=customer.id, bound_at=changes.at)


def take_back(changes: Changes, card: VipCard, *, lost: bool = False, to: str = MAIN_STORE) -> VipCard:
    """Takes a locked card from its customer, who is locked, too."""
    if lost:
        return moved(changes, card, NOBODY_KNOWS, status=CARD_LOST, customer_id=None, bound_at=None)
    note_move(changes, card, 1, COMING_IN, None, to)
    return moved(changes, card, to, status=CARD_IN_STOCK, customer_id=None, bound_at=None)


def _locked_cards(changes: Changes, customer: Customer, card_no: str) -> tuple[VipCard | None, VipCard]:
    """The card that a locked customer has, and the one of this number; locked in the order of their ids."""
    theirs = changes.tx.find(VipCard.table, {"customer_id": customer.id, "del_token": 0}, columns=["id"])
    wanted = changes.tx.find(VipCard.table, {"card_no": card_no, "del_token": 0}, columns=["id"])
    if not wanted:
        raise NotFound(VipCard.table, card_no)
    locked = {card.id: card for card in changes.rows(VipCard, {"id": [one["id"] for one in (*theirs, *wanted)]})}
    own = next((card for card in locked.values() if card.customer_id == customer.id), None)
    card = next((card for card in locked.values() if card.card_no == card_no), None)
    if card is None:
        raise NotFound(VipCard.table, card_no, archived=True)
    return own, card


def moved(changes: Changes, card: VipCard, to: str, **columns: Any) -> VipCard:
    """A locked card that is in another place from now on."""
    move = {"at": changes.at.isoformat(), "from": card.location, "to": to, "by": changes.actor.operator_id}
    return changes.change(card, location=to, moves=[*entries(card.moves), move], **columns)
