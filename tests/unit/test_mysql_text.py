"""Rows of MySQL's text protocol: whatever arrives, in whatever pieces, nothing is lost and nothing is made up."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from platform_store.stores.mysql_text import packets, rows, take, take_row

END = b"\x05\0\0\0\xfe\0\0\2\0"


def value(data: bytes | None) -> bytes:
    """As the server sends it."""
    if data is None:
        return b"\xfb"
    if len(data) < 251:
        return bytes([len(data)]) + data
    if len(data) < 2**16:
        return b"\xfc" + len(data).to_bytes(2, "little") + data
    return b"\xfd" + len(data).to_bytes(3, "little") + data


def row(*values: bytes | None) -> bytes:
    body = b"".join(map(value, values))
    return len(body).to_bytes(3, "little") + b"\7" + body


def test_values_of_every_length() -> None:
    given = [None, b"", b"a", b"b" * 250, b"c" * 251, b"d" * 65_535, b"e" * 65_536, None]
    found: list[bytes | None] = []
    packet = row(*given)
    assert take(packet + END, found) == (len(packet), 1)
    assert found == given


@pytest.mark.parametrize("seed", range(20))
def test_rows_cut_anywhere(seed: int) -> None:
    draw = random.Random(seed)
    given = [
        [draw.choice((None, b"", draw.randbytes(draw.randrange(300)))) for _ in range(4)]
        for _ in range(draw.randrange(1, 30))
    ]
    sent = b"".join(row(*one) for one in given)
    found: list[bytes | None] = []
    taken, number, arrived = 0, 0, 0
    while taken < len(sent):
        arrived = min(len(sent), arrived + draw.randrange(1, 200))
        more, packets = take(sent[taken:arrived], found)
        taken, number = taken + more, number + packets
    assert number == len(given)
    assert found == [one for values in given for one in values]


@pytest.mark.parametrize(
    "packet",
    [
        END,
        b"\x09\0\0\0\xff\x51\x05#70100no",  # an error
        b"\xff\xff\xff\0\xfd" + bytes(2**24),  # one that goes on in the next
        row(b"a")[:-1],
        b"\x01\0\0",
        b"",
    ],
)
def test_it_stops_at_all_that_is_no_whole_row(packet: bytes) -> None:
    found: list[bytes | None] = []
    before = row(b"1", None)
    assert take(before + packet, found) == (len(before), 1)
    assert found == [b"1", None]


def test_a_row_by_itself() -> None:
    found: list[bytes | None] = [b"before"]
    data = row(None, b"x" * 300)[4:]
    take_row(data, 0, len(data), found)
    assert found == [b"before", None, b"x" * 300]


def test_columns_are_decoded_whole_and_null_stays_null() -> None:
    values = [b"1", None, b"a", b"1.50", b"2", b"b", None, None, None, b"\xe8\x8c\xb6", b"", b"-0"]
    decoders = [(), (bytes.decode,), (bytes.decode, Decimal)]
    with pytest.raises(ArithmeticError):
        rows(values, decoders)
    values[2] = b"7"
    values[5] = None
    assert rows(values, decoders) == (
        (b"1", None, Decimal(7)),
        (b"1.50", "2", None),
        (None, None, None),
        ("茶".encode(), "", Decimal("-0")),
    )


def test_there_may_be_no_rows() -> None:
    assert rows([], [(), (int,)]) == ()


@pytest.mark.parametrize("cut", range(40))
def test_packets_cut_anywhere(cut: int) -> None:
    bodies = [b"\3def", b"a" * 9, b"\xfe\0\0\2\0"]
    sent = b"".join(len(body).to_bytes(3, "little") + b"\7" + body for body in bodies)
    ends = [8, 21, 30]
    assert len(sent) == ends[-1]
    whole = sum(end <= cut for end in ends)
    assert packets(sent[:cut], 3) == (bodies[:whole], ends[whole - 1] if whole else 0)


def test_packets_end_at_an_error_and_where_enough_are_there() -> None:
    definition, error = b"\3\0\0\1def", b"\5\0\0\2\xff\x48\4#X"
    assert packets(definition + error + definition, 3) == ([b"def"], len(definition))
    assert packets(definition * 5, 2) == ([b"def"] * 2, 2 * len(definition))
    assert packets(b"\xff\xff\xff\1" + b"d" * 0xFFFFFF, 1) == ([], 0)  # it goes on in the next packet
