"""CSV files as a stream of records: any line ends, and what is broken is told record by record."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from crm_model.errors import InvalidInput

UTF_8, GB18030 = "utf-8", "gb18030"
ENCODINGS: Final = (UTF_8, GB18030)

_CHUNK: Final = 1 << 16
_LONGEST: Final = 1 << 24  # bytes of a line: MongoDB's largest document
_SAMPLE: Final = 1 << 16
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff")
_BOM: Final = "\ufeff"
_NAMES: Final = {
    **dict.fromkeys(("utf8", "utf8sig"), UTF_8),
    **dict.fromkeys(("gb18030", "gbk", "gb2312", "cp936"), GB18030),
}
_NEVER_CLOSED: Final = "a quote is opened and never closed: what comes after it could not be read"
_ADVICE: Final = {
    "unexpected end of data": _NEVER_CLOSED,
    f"field larger than field limit ({_LONGEST})": _NEVER_CLOSED,
    "',' expected after '\"'": "a quote inside a quoted cell has to be written twice",
}


class Record(NamedTuple):
    """One record. ``line``: where it begins; the first is 1. ``problem``: why its cells cannot be had."""

    line: int
    cells: list[str]
    problem: str | None = None


class CsvFile:
    """A CSV file that is open.

    Args:
        stream: the bytes, at their beginning.
        encoding: one of ENCODINGS.
    """

    def __init__(self, stream: BinaryIO, encoding: str, delimiter: str = ","):
        self._stream, self._encoding, self._delimiter = stream, encoding, delimiter
        self._broken: dict[int, str] = {}  # by line, of the record that is being read

    def records(self) -> Iterator[Record]:
        """The records in order. Lines without a single value are left out."""
        csv.field_size_limit(max(_LONGEST, csv.field_size_limit()))
        reader = csv.reader(self._lines(), delimiter=self._delimiter, strict=True)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._broken.clear()
                yield Record(line, [], _ADVICE.get(str(error), f"not CSV: {error}"))
                continue
            if self._broken:
                problem = next(iter(self._broken.values()))
                self._broken.clear()
                yield Record(line, cells, problem)
            elif any(cells):
                yield Record(line, cells)

    def _lines(self) -> Iterator[str]:
        """The lines as text with their ends. What cannot be decoded becomes U+FFFD, and is noted."""
        decode = self._encoding
        for number, data in enumerate(_split(self._stream), 1):
            try:
                text = data.decode(decode)
            except UnicodeDecodeError as error:
                where = f"byte {error.start + 1} of line {number}"
                self._broken[number] = f"not {decode.upper()}: {where}"
                text = data.decode(decode, "replace")
            if "\0" in text:
                self._broken[number] = f"a NUL character in line {number}"
            yield text.removeprefix(_BOM) if number == 1 else text


def detected(stream: BinaryIO) -> str:
    """The encoding of a file: decided by its first text that is not ASCII. Leaves the stream at its end or before.

    A file in UTF-8 with a broken byte is taken for UTF-8, not for GB18030. Raises InvalidInput for UTF-16.
    """
    first = stream.read(_SAMPLE)
    if first[:2] in _WIDE:
        raise InvalidInput("encoding", "bad-encoding", "the file is in UTF-16: save it as UTF-8 (in Excel: CSV UTF-8)")
    sample = first
    while sample and sample.isascii():
        sample = stream.read(_SAMPLE)
    sample += stream.read(_SAMPLE)  # it may have ended inside a character
    text = sample.decode(UTF_8, "replace")
    replaced = text.count("\ufffd") - sample.count("\ufffd".encode())
    beyond = sum(not character.isascii() for character in text) - text.count("\ufffd")
    return UTF_8 if beyond >= replaced else GB18030


def encoding_of(name: str) -> str:
    """One of ENCODINGS, by a name that people give it. Raises InvalidInput."""
    found = _NAMES.get(name.lower().replace("-", "").replace("_", "").replace(" ", ""))
    if found is None:
        raise InvalidInput(
            "encoding",
            "not-a-choice",
            f"{name!r} is not read or written: give one of {', '.join(ENCODINGS)}",
            choices=ENCODINGS,
        )
    return found


def opened(path: Path) -> BinaryIO:
    """Raises InvalidInput where it cannot be opened."""
    try:
        return path.open("rb")
    except OSError as error:
        raise InvalidInput("file", "bad-file", f"{path}: {error.strerror}") from None


def _split(stream: BinaryIO) -> Iterator[bytes]:
    """Lines with their ends: LF, CR LF or CR."""
    rest = b""
    while chunk := stream.read(_CHUNK):
        lines = (rest + chunk).splitlines(keepends=True)
        rest = b"" if lines[-1].endswith(b"\n") else lines.pop()
        if len(rest) > _LONGEST:
            raise InvalidInput("file", "bad-file", f"a line is longer than {_LONGEST} bytes: this is no CSV file")
        yield from lines
    if rest:
        yield rest
