"""Pages read ahead: the same as read in turn, and never one that somebody else asked for."""

from __future__ import annotations

import threading

import pytest

from platform_store.migration.read_ahead import Range, ReadAhead
from tests.waiting import PATIENCE

NUMBERS = list(range(10))


def page(wanted: Range) -> list[int]:
    first = wanted.start or 0 if wanted.after is None else wanted.after + 1
    return [number for number in NUMBERS if first <= number <= wanted.stop][:3]


def last(found: list[int]) -> int | None:
    return found[-1] if found else None


def test_pages_follow_each_other() -> None:
    ahead, found, after = ReadAhead(page, last), list[int](), None
    while one := ahead(Range(after, 2, 8)):
        found += one
        after = one[-1]
    assert found == [2, 3, 4, 5, 6, 7, 8]


def test_the_next_page_is_read_meanwhile() -> None:
    read: list[Range] = []
    second = threading.Event()

    def reading(wanted: Range) -> list[int]:
        read.append(wanted)
        if len(read) == 2:
            second.set()
        return page(wanted)

    ahead = ReadAhead(reading, last)
    ahead(Range(None, 0, 9))
    assert second.wait(PATIENCE)
    assert ahead(Range(2, 0, 9)) == [3, 4, 5]
    assert read[:2] == [Range(None, 0, 9), Range(2, 0, 9)]


def test_another_page_than_the_next_one() -> None:
    ahead = ReadAhead(page, last)
    ahead(Range(None, 0, 9))
    assert ahead(Range(5, 0, 9)) == [6, 7, 8]
    assert ahead(Range(None, 4, 9)) == [4, 5, 6]


def test_a_page_that_cannot_be_read_raises_in_its_turn() -> None:
    broken = True

    def reading(wanted: Range) -> list[int]:
        if broken and wanted.after is not None:
            raise KeyError
        return page(wanted)

    ahead = ReadAhead(reading, last)
    assert ahead(Range(None, 0, 9)) == [0, 1, 2]
    with pytest.raises(KeyError):
        ahead(Range(2, 0, 9))
    broken = False
    assert ahead(Range(2, 0, 9)) == [3, 4, 5]
