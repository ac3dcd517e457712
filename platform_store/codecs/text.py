"""Text, bytes, BIT, ENUM and SET."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Final, cast
from uuid import UUID

from platform_store.codecs.base import Codec, Order, foreign, plain_text, wrong_type
from platform_store.errors import ValueRejected
from platform_store.sqltypes import BLOB_BYTES, TEXT_BYTES

_UUID_BYTES: Final = 16
_BIT_BYTES: Final = 8  # even of zeros, MySQL takes no more
_CUT: Final = " \t\n\v\f\r"
"""What MySQL, even in strict mode, cuts off without an error where it goes beyond the length of a text column."""


@dataclass(frozen=True)
class CharCodec(Codec):
    """CHAR and VARCHAR: limits count characters; CHAR does not keep trailing spaces."""

    key: ClassVar[bool] = True

    @property
    def bson_form(self) -> str:
        return "string"

    @cached_property
    def _length(self) -> int:
        return cast("int", self.sql_type.length)

    def check(self, value: object) -> str:
        if not isinstance(value, str):
            raise wrong_type(value, "str")
        text = plain_text(value)
        if len(text) > self._length:
            if text[self._length :].strip(_CUT):
                reason = f"the text has {len(text)} characters: {self.sql_type.ddl} holds {self._length}"
                raise ValueRejected(reason, longest=self._length)
            text = text[: self._length]
        return text.rstrip(" ") if self.sql_type.base == "CHAR" else text

    def stored_from_bson(self, value: object) -> str:
        if not isinstance(value, str):
            raise foreign(value, "a string")
        return value


@dataclass(frozen=True)
class TextCodec(Codec):
    """TINYTEXT to LONGTEXT: limits count bytes of UTF-8."""

    @property
    def bson_form(self) -> str:
        return "string"

    @cached_property
    def _limit(self) -> int:
        return TEXT_BYTES[self.sql_type.base]

    def check(self, value: object) -> str:
        if not isinstance(value, str):
            raise wrong_type(value, "str")
        text = plain_text(value)
        if len(text) * 4 <= self._limit:
            return text
        data = text.encode()
        if data[self._limit :].strip(_CUT.encode()):
            raise ValueRejected(f"the text has {len(data)} bytes in UTF-8: {self.sql_type.base} holds {self._limit}")
        return data[: self._limit].decode()

    def stored_from_bson(self, value: object) -> str:
        if not isinstance(value, str):
            raise foreign(value, "a string")
        return value


@dataclass(frozen=True)
class BinaryCodec(Codec):
    """BINARY, VARBINARY and the BLOB types."""

    @property
    def bson_form(self) -> str:
        return "binData, subtype 0"

    @property
    def order(self) -> Order:
        """MongoDB compares lengths before bytes: MySQL's order only where all values are equally long."""
        return "natural" if self._fixed else "equality"

    @property
    def _fixed(self) -> bool:
        return self.sql_type.base == "BINARY"

    @cached_property
    def _limit(self) -> int:
        length = self.sql_type.length
        return BLOB_BYTES[self.sql_type.base] if length is None else length

    def check(self, value: object) -> bytes:
        if isinstance(value, UUID) and self._fixed and self._limit == _UUID_BYTES:
            return value.bytes
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise wrong_type(value, "bytes or UUID" if self._fixed and self._limit == _UUID_BYTES else "bytes")
        data = bytes(value)
        if len(data) > self._limit:
            raise ValueRejected(f"the value has {len(data)} bytes: {self.sql_type.ddl} holds {self._limit}")
        return data.ljust(self._limit, b"\0") if self._fixed else data

    def stored_from_bson(self, value: object) -> bytes:
        if not isinstance(value, bytes) or (self._fixed and len(value) != self._limit):
            raise foreign(value, f"bytes as {self.sql_type.ddl} holds them")
        return bytes(value)


@dataclass(frozen=True)
class FixedBinaryCodec(BinaryCodec):
    """BINARY(n), which alone of the binary types may be part of a key."""

    key: ClassVar[bool] = True


@dataclass(frozen=True)
class BitCodec(Codec):
    """BIT(n): PyMySQL returns it as big-endian bytes, so the stored value is those."""

    @property
    def bson_form(self) -> str:
        return "binData, subtype 0, big-endian"

    @cached_property
    def _bits(self) -> int:
        return cast("int", self.sql_type.length)

    @property
    def _bytes(self) -> int:
        return (self._bits + 7) // 8

    def check(self, value: object) -> bytes:
        if isinstance(value, (bytes, bytearray, memoryview)):
            data = bytes(value)
            number = int.from_bytes(data, "big") if len(data) <= _BIT_BYTES else -1
        elif isinstance(value, int):
            number = value
        else:
            raise wrong_type(value, "int or bytes")
        if not 0 <= number < 1 << self._bits:
            raise ValueRejected(f"the value is no number of {self.sql_type.ddl}, or longer than {_BIT_BYTES} bytes")
        return number.to_bytes(self._bytes, "big")

    def stored_from_bson(self, value: object) -> bytes:
        if not isinstance(value, bytes) or len(value) != self._bytes or int.from_bytes(value, "big") >> self._bits:
            raise foreign(value, f"bytes as {self.sql_type.ddl} holds them")
        return bytes(value)


@dataclass(frozen=True)
class EnumCodec(Codec):
    """ENUM: exactly a declared label. Numbers are refused: MySQL takes them for positions, which is hard to mean."""

    @property
    def bson_form(self) -> str:
        return "string: the label"

    @property
    def order(self) -> Order:
        """MySQL sorts by position, MongoDB by label."""
        return "equality"

    @cached_property
    def _labels(self) -> frozenset[str]:
        return frozenset(self.sql_type.members)

    def check(self, value: object) -> str:
        if not isinstance(value, str):
            raise wrong_type(value, "str")
        if value not in self._labels:
            raise ValueRejected("the text is not a label of the ENUM; case and spaces count")
        return str.__str__(value)

    def stored_from_bson(self, value: object) -> str:
        if not isinstance(value, str) or value not in self._labels:
            raise foreign(value, "a label of the ENUM")
        return value


@dataclass(frozen=True)
class SetCodec(Codec):
    """SET: labels in declared order, each once, joined by commas, as MySQL prints them."""

    @property
    def bson_form(self) -> str:
        return "string: the labels in declared order, joined by commas"

    @property
    def order(self) -> Order:
        """MySQL sorts by the bits, MongoDB by the text."""
        return "equality"

    @cached_property
    def _labels(self) -> frozenset[str]:
        return frozenset(self.sql_type.members)

    def check(self, value: object) -> str:
        if isinstance(value, str):
            given: frozenset[object] = frozenset(str.__str__(value).split(",")) if value else frozenset()
        elif isinstance(value, (set, frozenset, list, tuple)):
            if not all(isinstance(label, str) for label in value):
                raise ValueRejected("the labels of a SET must be str")
            given = frozenset(value)
        else:
            raise wrong_type(value, "str, or a set, list or tuple of str")
        if not given <= self._labels:
            raise ValueRejected("the value has a label that the SET does not declare; case and spaces count")
        return ",".join(label for label in self.sql_type.members if label in given)

    def stored_from_bson(self, value: object) -> str:
        labels = value.split(",") if isinstance(value, str) and value else []
        if not isinstance(value, str) or labels != [label for label in self.sql_type.members if label in labels]:
            raise foreign(value, "labels of the SET in declared order")
        return value
