"""The stock of VIP cards that no customer has: each card is in one place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from crm_model import checks
from crm_model.changes import Changes
from crm_model.entities import VipCard
from crm_model.entities.states import CARD_IN_STOCK, COMING_IN, GOING_OUT, HIGHEST_LEVEL, MAIN_STORE, TRANSFER
from crm_model.errors import NotFound, Refused
from crm_model.service import Service
from crm_model.services.cards import moved
from crm_model.stock import note_move


@dataclass(frozen=True)
class CardsInStock:
    """How many cards of a level are in a place."""

    location: str
    level: int
    count: int


class CardStock(Service):
    """Cards that come in, go from place to place, and are taken out of use; each with its ``stock_move``.

    ``card_nos`` are the numbers of cards, each once; ``to`` is the place that they come to.
    """

    def receive_vip_cards(self, card_nos: Sequence[str], level: int, *, to: str = MAIN_STORE) -> list[VipCard]:
        """Takes new cards into stock; returns them in this order. All of them, or none.

        Raises platform_store.Conflict where there is a card of such a number, InvalidInput.
        """
        checks.whole("level", level, 0, HIGHEST_LEVEL)

        def work(changes: Changes) -> list[VipCard]:
            return [_received(changes, card_no, level, to) for card_no in card_nos]

        return self.run("receive_vip_cards", work)

    def transfer_vip_cards(self, card_nos: Collection[str], to: str) -> list[VipCard]:
        """Brings cards in stock to another place; returns them by their ids. All of them, or none.

        A card that is there already stays as it is. Raises NotFound; Refused for one that is not in stock.
        """

        def transferred(changes: Changes, card: VipCard) -> VipCard:
            if card.location == to:
                return card
            note_move(changes, card, 1, TRANSFER, card.location, to)
            return moved(changes, card, to)

        return self._each_in_stock("transfer_vip_cards", card_nos, transferred)

    def write_off_vip_cards(self, card_nos: Collection[str]) -> list[VipCard]:
        """Takes cards in stock out of use, such as broken ones: they are archived. All of them, or none.

        Returns them by their ids. Raises NotFound; Refused for one that is not in stock.
        """

        def written_off(changes: Changes, card: VipCard) -> VipCard:
            note_move(changes, card, 1, GOING_OUT, card.location, None)
            return changes.archive(card)

        return self._each_in_stock("write_off_vip_cards", card_nos, written_off)

    def vip_cards_in_stock(self) -> list[CardsInStock]:
        """How many cards that nobody has are where, by place and level. Raises NotPermitted."""
        self.check("vip_cards_in_stock")
        found = self.answers(
            "SELECT location, level, COUNT(*) FROM vip_card WHERE status = %s AND del_token = 0"
            " GROUP BY location, level ORDER BY location, level",
            [CARD_IN_STOCK],
        )
        return [CardsInStock(*row) for row in found]

    def _each_in_stock(
        self, action: str, card_nos: Collection[str], change: Callable[[Changes, VipCard], VipCard]
    ) -> list[VipCard]:
        def work(changes: Changes) -> list[VipCard]:
            return [change(changes, card) for card in _in_stock(changes, card_nos)]

        return self.run(action, work)


def _received(changes: Changes, card_no: str, level: int, to: str) -> VipCard:
    move = {"at": changes.at.isoformat(), "from": None, "to": to, "by": changes.actor.operator_id}
    card = changes.add(VipCard(card_no=card_no, level=level, status=CARD_IN_STOCK, location=to, moves=[move]))
    note_move(changes, card, 1, COMING_IN, None, to)
    return card


def _in_stock(changes: Changes, card_nos: Collection[str]) -> list[VipCard]:
    """Locked in the order of their ids, as whoever locks several does."""
    wanted = set(card_nos)
    cards = changes.rows(VipCard, {"card_no": wanted})
    missing = wanted - {card.card_no for card in cards}
    if missing:
        raise NotFound(VipCard.table, min(missing))
    for card in cards:
        if card.status != CARD_IN_STOCK:
            raise Refused(
                "card-not-in-stock",
                f"vip_card {card.card_no!r} is {card.status}, not {CARD_IN_STOCK}; release it first",
                card_no=card.card_no,
                status=card.status,
            )
    return cards
