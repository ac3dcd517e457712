"""Which keys a file has had already, in little memory."""

from __future__ import annotations

from array import array
from hashlib import blake2b
from typing import Final

_SMALLEST: Final = 1 << 12
_FULL: Final = 0.6


class SeenKeys:
    """The line of the first row with each key: 12 to 40 bytes a key, however long it is.

    A key is told by 64 bits of a hash: among a million keys, two are taken for one with a chance of 1 in 37 million.
    """

    def __init__(self) -> None:
        self._hashes = array("Q", bytes(8 * _SMALLEST))
        self._lines = array("I", bytes(4 * _SMALLEST))
        self._count = 0

    def first(self, key: tuple[object, ...], line: int) -> int | None:
        """The line that had this key before, or None where it is new; then it is ``line``'s from now on."""
        wanted = int.from_bytes(blake2b(repr(key).encode("utf-8", "surrogatepass"), digest_size=8).digest()) or 1
        place = self._place(wanted)
        if self._hashes[place]:
            return self._lines[place]
        self._hashes[place], self._lines[place] = wanted, line
        self._count += 1
        if self._count > _FULL * len(self._hashes):
            self._grow()
        return None

    def _place(self, wanted: int) -> int:
        """Where this hash is, or would be: 0 is an empty place."""
        hashes = self._hashes
        mask = len(hashes) - 1
        place = wanted & mask
        while hashes[place] not in (0, wanted):
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        before, size = zip(self._hashes, self._lines, strict=True), 2 * len(self._hashes)
        self._hashes, self._lines = array("Q", bytes(8 * size)), array("I", bytes(4 * size))
        for one, line in before:
            if one:
                place = self._place(one)
                self._hashes[place], self._lines[place] = one, line
