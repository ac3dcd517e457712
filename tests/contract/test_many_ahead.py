"""The rows of a list's next batch, which are checked while the batch before is being written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, tzinfo

import pytest

from platform_store import ColumnAttribute, Platform, ValueRejected, WriteCounts
from tests.contract.conftest import Backend
from tests.faults.steps import Moment, OwnThread, Recorder, install

COLUMNS = [
    ColumnAttribute("id", "INT"),
    ColumnAttribute("at", "TIMESTAMP"),
    ColumnAttribute("took", "TIME(3)"),
    ColumnAttribute("note", "TEXT"),
]
BAD = 71


class Zone(tzinfo):
    """Calls ``asked`` whenever somebody wants to know what time it is there."""

    def __init__(self, asked: Callable[[], None]):
        self._asked = asked

    def utcoffset(self, moment: datetime | None) -> timedelta:
        self._asked()
        return timedelta(hours=8)

    def dst(self, moment: datetime | None) -> None: ...

    def tzname(self, moment: datetime | None) -> None: ...


def _broken() -> None:
    raise ZeroDivisionError


def _rows(count: int, number: int, **columns: object) -> list[dict[str, object]]:
    """One of them has other columns, too."""
    rows: list[dict[str, object]] = [{"id": place, "note": "旧"} for place in range(1, count + 1)]
    rows[number - 1].update(columns)
    return rows


@pytest.fixture
def watched(backend: Backend) -> Iterator[tuple[Platform, Recorder]]:
    recorder = Recorder()
    with install(OwnThread(recorder)), backend.open() as platform:
        platform.create_table("trip", COLUMNS, flag=2)
        yield platform, recorder


@pytest.mark.parametrize(
    ("column", "value", "error"),
    [
        ("took", timedelta.max, ValueRejected),
        ("took", timedelta.min, ValueRejected),
        ("at", datetime(2026, 1, 1, tzinfo=Zone(_broken)), ZeroDivisionError),
    ],
    ids=["the longest", "the shortest", "a broken time zone"],
)
@pytest.mark.parametrize("size", [20, 60])
def test_whatever_a_check_raises_the_batches_before_stay(
    platform: Platform, column: str, value: object, error: type[Exception], size: int
) -> None:
    platform.create_table("trip", COLUMNS, flag=2)
    with pytest.raises(error):
        platform.write_many("trip", _rows(120, BAD, **{column: value}), batch_size=size)
    assert [row["id"] for row in platform.scan("trip")] == list(range(1, 61))
    assert platform.verify("trip").ok


@pytest.mark.parametrize("size", [20, 60], ids=["with the journal", "past it"])
def test_the_next_batch_is_checked_before_this_one_is_committed(
    watched: tuple[Platform, Recorder], backend: Backend, size: int
) -> None:
    platform, recorder = watched
    recorder.moments.clear()
    zone = Zone(lambda: recorder("checked", "after"))
    rows = _rows(2 * size, size + 1, at=datetime(2026, 1, 1, 8, tzinfo=zone))
    assert platform.write_many("trip", rows, batch_size=size) == WriteCounts(inserted=2 * size)
    if backend.real:  # the embedded pair has no server that could be at work meanwhile
        moments = [recorder.moments.index(one) for one in _IN_ORDER[size]]
        assert moments == sorted(moments)
    assert platform.read("trip", size + 1, columns=["at"]) is not None


_IN_ORDER: dict[int, list[tuple[str, Moment]]] = {
    20: [("rows.transaction.insert", "after"), ("checked", "after"), ("rows.transaction.record", "after")],
    60: [("rows.transaction.insert", "after"), ("checked", "after"), ("documents.target.place", "before")],
}
"""What happens first of each, which is with the first batch."""
