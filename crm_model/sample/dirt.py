"""What real data looks like: the same person twice, the same thing written in several ways, values of a wrong type."""

from __future__ import annotations

from typing import Final

from crm_model.names import TO_TRADITIONAL
from crm_model.sample.draw import Draw
from crm_model.sample.words import FOUR_BYTES
from platform_store import JsonText

JSON_NULL: Final = JsonText("null")
"""A value that is there and says nothing; None is a value that is not there."""

DUPLICATES = 0.03
WRONG_TYPES = 0.01
MISSING = 0.05
NULLS = 0.01
FOUR_BYTE_TEXTS = 0.01
TIES = 0.03
"""Shares of rows."""

_FULL_WIDTH: Final = str.maketrans({code: code + 0xFEE0 for code in range(0x21, 0x7F)})


def document(draw: Draw, value: object, wrong: object) -> object:
    """``value``, but for the rows where it is missing, null, or ``wrong``: of another type."""
    part = draw.random()
    if part >= MISSING + NULLS + WRONG_TYPES:
        return value
    return None if part < MISSING else JSON_NULL if part < MISSING + NULLS else wrong


def text(draw: Draw, value: str) -> str:
    """With a character of four bytes behind some texts, and white space behind a few."""
    part = draw.random()
    if part >= 2 * FOUR_BYTE_TEXTS:
        return value
    return value + (draw.pick(FOUR_BYTES) if part < FOUR_BYTE_TEXTS else "  ")


def retyped(draw: Draw, name: str) -> str:
    """A name as someone else has typed it in."""
    kind = draw.whole(0, 3)
    if kind == 0:
        return name.translate(TO_TRADITIONAL)
    if kind == 1:
        return name.translate(_FULL_WIDTH)
    return f"{name} " if kind == 2 else f"{name[:2]} {name[2:]}"


def redialled(draw: Draw, phone: str) -> str:
    """A phone number as someone else has typed it in."""
    kind = draw.whole(0, 4)
    if kind == 0:
        return f"+86 {phone}"
    if kind == 1:
        return f"{phone[:3]}-{phone[3:7]}-{phone[7:]}"
    if kind == 2:
        return f"{phone[:3]} {phone[3:7]} {phone[7:]}"
    return phone.translate(_FULL_WIDTH) if kind == 3 else f"0{phone}"
