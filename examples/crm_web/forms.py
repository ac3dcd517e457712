"""What a form was filled in with, read field by field; what is wrong is kept beside its field."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Final, TypeVar
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

MOST_BYTES: Final = 256 * 1024
MOST_FIELDS: Final = 300
_ENCODING: Final = "application/x-www-form-urlencoded"
_CENT: Final = Decimal("0.01")
_LONGEST: Final = 40
"""Characters of what is no text."""

_COMMAS: Final = re.compile("[,，、;；\\n]")

T = TypeVar("T")
D = TypeVar("D", bound=date)


class Form:
    """Fields by name, as text. A field that is empty counts as not filled in.

    ``errors``: keys of texts, by field; a page shows them beside the fields.
    """

    def __init__(self, fields: Mapping[str, list[str]], zone: tzinfo = UTC):
        self._fields, self._zone = fields, zone
        self.errors: dict[str, str] = {}

    def raw(self, name: str) -> str:
        """A field as it was typed in, to be shown again."""
        return self._fields.get(name, [""])[0]

    def shown(self, name: str, before: object = None) -> str:
        """What a field shows: as it was typed in, where the form was posted; else what was there before."""
        return self.raw(name) if self._fields else "" if before is None else str(before)

    def all(self, name: str) -> list[str]:
        """Every value of a field that is there several times, as typed in."""
        return self._fields.get(name, [])

    def wrong(self, name: str, key: str) -> None:
        """Marks a field; ``key`` is the text that says why. The first reason stays."""
        self.errors.setdefault(name, key)

    def text(self, name: str, *, required: bool = False, longest: int = 20_000) -> str | None:
        """A text without space around it, or None."""
        return self._read(name, str, "", required=required, longest=longest)

    def words(self, name: str) -> list[str]:
        """Several short texts, with commas of any language between them; each once."""
        given = self.text(name, longest=500) or ""
        return list(dict.fromkeys(word for part in _COMMAS.split(given) if (word := part.strip())))

    def choice(self, name: str, options: Collection[str], *, required: bool = True) -> str | None:
        """One of some texts, or None."""

        def chosen(value: str) -> str:
            if value not in options:
                raise ValueError
            return value

        return self._read(name, chosen, "form.not_a_choice", required=required)

    def whole(self, name: str, least: int, most: int, *, required: bool = False) -> int | None:
        """A whole number, both ends included, or None."""
        number = self._read(name, int, "form.not_a_number", required=required, longest=_LONGEST)
        if number is None or least <= number <= most:
            return number
        self.wrong(name, "form.out_of_range")
        return None

    def money(self, name: str, *, required: bool = False) -> Decimal | None:
        """An amount of at least nothing and two places at most, or None."""
        return self._read(name, _amount, "form.not_an_amount", required=required, longest=_LONGEST)

    def moment(self, name: str, *, required: bool = False) -> datetime | None:
        """A moment that was typed in the zone of the pages: in UTC without saying so, or None."""

        def in_utc(value: str) -> datetime:
            local = _sensible(datetime.fromisoformat(value))
            return local.replace(tzinfo=self._zone).astimezone(UTC).replace(tzinfo=None)

        return self._read(name, in_utc, "form.not_a_moment", required=required, longest=_LONGEST)

    def day(self, name: str, *, required: bool = False) -> date | None:
        """A day, or None."""

        def day(value: str) -> date:
            return _sensible(date.fromisoformat(value))

        return self._read(name, day, "form.not_a_day", required=required, longest=_LONGEST)

    def _read(
        self, name: str, parse: Callable[[str], T], otherwise: str, *, required: bool, longest: int = 20_000
    ) -> T | None:
        value = self.raw(name).replace("\r\n", "\n").strip()
        if not value:
            if required:
                self.wrong(name, "form.required")
            return None
        if len(value) > longest:
            self.wrong(name, "form.too_long")
            return None
        if any(ord(character) < 32 and character not in "\n\t" for character in value):
            self.wrong(name, "form.control_characters")
            return None
        try:
            return parse(value)
        except (ValueError, ArithmeticError):
            self.wrong(name, otherwise)
            return None


def _sensible(day: D) -> D:
    if not 1900 <= day.year < 2200:
        raise ValueError
    return day


def _amount(value: str) -> Decimal:
    amount = Decimal(value)
    if not amount.is_finite() or not 0 <= amount < 10**12 or amount != amount.quantize(_CENT):
        raise ValueError
    return amount


async def read_form(request: Request, zone: tzinfo) -> Form:
    """The form of a request. Raises HTTPException where it is none, or too large."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != _ENCODING:
        raise HTTPException(415)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise HTTPException(413)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise HTTPException(400) from error
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return Form(fields, zone)
