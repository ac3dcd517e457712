"""Columns that take certain words or numbers: what people write for them, and what stands in the column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from crm_model.entities import states
from crm_model.tabular.cells import Read, Unreadable, plain

_YES: Final = ("是", "有", "√", "y", "yes", "true")
_NO: Final = ("否", "无", "×", "n", "no", "false")


@dataclass(frozen=True)
class Choice:
    """The values of a column, each with other words for it.

    ``closed``: it takes no others; text that is none of them is refused, and not taken as it stands.
    """

    words: Mapping[object, tuple[str, ...]]
    closed: bool = False

    def reader(self, otherwise: Read) -> Read:
        """How a cell is read. ``otherwise``: where it is none of the words."""
        by_word = {
            plain(str(word)).casefold(): value for value, words in self.words.items() for word in (value, *words)
        }
        known = ", ".join(str(value) for value in self.words)

        def read(text: str) -> object:
            value = by_word.get(text)
            if value is None:
                value = by_word.get(plain(text).casefold())
            if value is not None:
                return value
            if self.closed:
                raise Unreadable(f"none of {known}")
            return otherwise(text)

        return read


CHOICES: Final[Mapping[tuple[str, str], Choice]] = {
    ("customer", "kind"): Choice(
        {states.COMPANY: ("公司", "单位", "company"), states.PERSON: ("person", "individual")}
    ),
    ("contact", "is_primary"): Choice({1: _YES, 0: _NO}, closed=True),
    ("activity", "kind"): Choice(
        {
            states.VISIT: ("拜访", "上门", "走访"),
            "call": ("电话", "通话"),
            states.CARE: ("关怀",),
            states.GIFT: ("礼品", "赠礼"),
            "email": ("邮件",),
            "meeting": ("会议",),
            states.CAMPAIGN: ("营销活动",),
        }
    ),
    ("task", "status"): Choice(
        {
            states.TASK_WAITING: ("todo", "open", "未完成"),
            states.TASK_STARTED: ("in progress",),
            states.TASK_DONE: ("已完成", "done"),
            states.TASK_CANCELLED: ("已取消", "cancelled"),
        },
        closed=True,
    ),
    ("opportunity", "stage"): Choice(
        {**dict.fromkeys(states.OPEN_STAGES, ()), states.WON: ("成交", "won"), states.LOST: ("输单", "丢单", "lost")}
    ),
    ("vip_card", "status"): Choice(
        {states.CARD_IN_STOCK: (), states.CARD_IN_USE: ("使用中",), states.CARD_LOST: ("已挂失",)}, closed=True
    ),
    ("sales_order", "status"): Choice({states.ORDER_COMPLETED: ("完成",), states.ORDER_CANCELLED: ("取消",)}),
    ("approval", "status"): Choice(
        {states.APPROVAL_WAITING: (), states.APPROVED: ("同意",), states.REJECTED: ("拒绝",)}, closed=True
    ),
    ("ticket", "status"): Choice(
        {states.TICKET_NEW: ("新",), states.TICKET_STARTED: (), states.TICKET_CLOSED: ("已关闭",)}, closed=True
    ),
}
"""By table and column."""

BOUNDS: Final[Mapping[tuple[str, str], tuple[int, int]]] = {
    ("customer", "vip_level"): (0, 5),
    ("customer", "satisfaction"): (1, 5),
    ("vip_card", "level"): (0, 5),
    ("feedback", "score"): (1, 5),
    ("opportunity", "probability"): (0, 100),
}
"""By table and column: the least and the greatest value."""


def bounded(read: Read, least: int, most: int) -> Read:
    """Reads as ``read`` does what is within bounds."""

    def within(text: str) -> object:
        value = read(text)
        if not least <= value <= most:  # type: ignore[operator]
            raise Unreadable(f"not between {least} and {most}")
        return value

    return within
