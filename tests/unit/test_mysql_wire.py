"""Rows of the binary protocol, whatever pieces they arrive in."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from random import Random

import pytest

from platform_store.stores.mysql_wire import RowSplitter, Split, Wire

WHOLE = 0xFFFFFF
END = b"\xfe\0\0\2\0"
NO_LIMIT = 1 << 62


class Refused(Exception):
    pass


def fail(packet: bytes) -> None:
    raise Refused(packet)


def packets(payload: bytes) -> bytes:
    """One, or several where it is too long."""
    parts = [payload[first : first + WHOLE] for first in range(0, len(payload) + 1, WHOLE)]
    return b"".join(len(part).to_bytes(3, "little") + b"\1" + part for part in parts)


def sized(value: bytes) -> bytes:
    length = len(value)
    if length < 251:
        return bytes([length]) + value
    if length < 1 << 16:
        return b"\xfc" + length.to_bytes(2, "little") + value
    return (
        b"\xfd" + length.to_bytes(3, "little") + value
        if length < 1 << 24
        else b"\xfe" + struct.pack("<Q", length) + value
    )


def row(codes: Sequence[str], values: Sequence[object]) -> bytes:
    null = sum(1 << (number + 2) for number, value in enumerate(values) if value is None)
    body = b"".join(
        struct.pack(f"<{code}", value) if code else sized(value)  # type: ignore[arg-type]
        for code, value in zip(codes, values, strict=True)
        if value is not None
    )
    return packets(b"\0" + null.to_bytes((len(codes) + 9) // 8, "little") + body)


def split(codes: Sequence[str], data: bytes, random: Random, size: int = NO_LIMIT, overhead: int = 0) -> Split:
    def pieces() -> Iterator[bytes]:
        position = 0
        while position < len(data):
            step = random.choice([1, 3, 50, 70_000])
            yield data[position : position + step]
            position += step

    arriving = pieces()
    return RowSplitter(Wire(codes, lambda: next(arriving), fail)).split(size, overhead)


def drawn(codes: Sequence[str], random: Random) -> list[object]:
    def value(code: str) -> object:
        if random.random() < 0.3:
            return None
        if code == "q":
            return random.randint(-(2**63), 2**63 - 1)
        if code == "B":
            return random.randrange(256)
        return random.randbytes(4 if code else random.choice([0, 1, 4, 250, 251, 300]))

    return [value(code) for code in codes]


@pytest.mark.parametrize("seed", range(20))
def test_rows_come_out_as_they_went_in(seed: int) -> None:
    random = Random(seed)
    codes = [random.choice(["q", "B", "4s"]) for _ in range(random.randint(0, 9))]
    codes += [""] * random.randint(0 if codes else 1, 9)
    rows = [drawn(codes, random) for _ in range(random.randint(0, 60))]
    found = split(codes, b"".join(row(codes, one) for one in rows) + packets(END), random)
    assert (found.number, found.ended) == (len(rows), True)
    assert [list(one) for one in zip(*found.columns, strict=True)] == rows
    assert found.null == {number for one in rows for number, value in enumerate(one) if value is None}


@pytest.mark.parametrize("size", [WHOLE - 20, WHOLE - 6, WHOLE - 5, WHOLE, 2 * WHOLE + 5])
def test_a_row_of_several_packets(size: int) -> None:
    values = [[7, b"x" * size], [8, b"y"]]
    data = b"".join(row(["B", ""], one) for one in values) + packets(END)
    found = split(["B", ""], data, Random(1))
    assert [len(one) for one in found.columns[1]] == [size, 1]
    assert found.columns[0] == [7, 8]


def test_reading_stops_at_a_size() -> None:
    data = b"".join(row(["", ""], [b"x" * 1000, None]) for _ in range(10_000)) + packets(END)
    found = split(["", ""], data, Random(1), size=100_000, overhead=20)
    assert not found.ended
    assert 95 <= found.number < 200
    assert not split(["", ""], data, Random(1), size=1).ended


def test_an_error_among_the_rows() -> None:
    with pytest.raises(Refused, match="3024"):
        split([""], row([""], [b"x"]) + packets(b"\xff3024"), Random(1))


def test_a_row_that_looks_like_the_end() -> None:
    """Only the first byte of a row is zero: a value of 254 bytes is none."""
    found = split([""], row([""], [b"\xfe" * 254]) + packets(END), Random(1))
    assert found.columns == [[b"\xfe" * 254]]


def test_columns_of_fixed_length_come_first() -> None:
    with pytest.raises(ValueError, match="first"):
        RowSplitter(Wire(["", "B"], bytes, fail))
