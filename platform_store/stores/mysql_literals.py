"""Values as they are written into MySQL's statements. Pure.

With backslash escapes: the sql_mode of our own sessions allows them, and a server whose mode does not is refused.
"""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

_MAX_HEXADECIMAL: Final = 64 * 1024  # bytes


def fill(template: bytes, values: Sequence[object]) -> bytes:
    """Part of a statement with its ``%s`` filled in. Text with a lone surrogate raises UnicodeEncodeError."""
    return template % tuple([_LITERALS.get(type(value), _of_subclass)(value) for value in values])


def _text(text: str) -> bytes:
    if "'" in text or "\\" in text or "\0" in text:  # MySQL needs no more; drivers escape more to make logs readable
        text = text.replace("\\", "\\\\").replace("'", "''").replace("\0", "\\0")
    return b"'%b'" % text.encode()


def _bytes(data: bytes) -> bytes:
    """Hexadecimal: of a statement that is no text MySQL cannot show the list of its processes.

    Large ones as they are: twice their size might be more than the server takes in a packet.
    """
    if len(data) <= _MAX_HEXADECIMAL:
        return b"X'%b'" % hexlify(data)
    return b"_binary'%b'" % data.replace(b"\\", b"\\\\").replace(b"'", b"''")


def _float(number: float) -> bytes:
    text = repr(number)
    return (text if "e" in text else f"{text}e0").encode()  # without an exponent it would be a DECIMAL


def _of_subclass(value: object) -> bytes:
    for kind, literal in _LITERALS.items():
        if isinstance(value, kind):
            return literal(value)
    raise TypeError(f"{type(value).__name__} is no stored value")


_LITERALS: Mapping[type, Callable[[Any], bytes]] = {
    bool: b"%d".__mod__,
    int: b"%d".__mod__,
    str: _text,
    bytes: _bytes,
    type(None): lambda _: b"NULL",
    Decimal: lambda number: f"{number:f}".encode(),
    float: _float,
    datetime: lambda moment: b"'%b'" % moment.isoformat(" ").encode(),
    date: lambda day: f"'{day}'".encode(),
}
"""Of stored values, which are finite and have no time zone; ``bool`` before ``int``, ``datetime`` before ``date``."""
