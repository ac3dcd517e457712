"""MySQL type <-> BSON, chosen per declared column type; see ``base`` for what a codec promises."""

from __future__ import annotations

from typing import Final

from platform_store.codecs.base import STORAGE_FORMAT, Codec, Order
from platform_store.codecs.geometry import GeometryCodec
from platform_store.codecs.json import JsonCodec, JsonText
from platform_store.codecs.numeric import DecimalCodec, DoubleCodec, FloatCodec, IntegerCodec, YearCodec
from platform_store.codecs.temporal import DateCodec, DatetimeCodec, TimeCodec, TimestampCodec
from platform_store.codecs.text import (
    BinaryCodec,
    BitCodec,
    CharCodec,
    EnumCodec,
    FixedBinaryCodec,
    SetCodec,
    TextCodec,
)
from platform_store.sqltypes import BLOB_BYTES, GEOMETRY_TYPES, INTEGER_BITS, TEXT_BYTES, SqlType

__all__ = ["STORAGE_FORMAT", "Codec", "JsonText", "Order", "codec_for"]

_CODECS: Final[dict[str, type[Codec]]] = {
    **dict.fromkeys(INTEGER_BITS, IntegerCodec),
    "DECIMAL": DecimalCodec,
    "FLOAT": FloatCodec,
    "DOUBLE": DoubleCodec,
    "CHAR": CharCodec,
    "VARCHAR": CharCodec,
    **dict.fromkeys(TEXT_BYTES, TextCodec),
    "BINARY": FixedBinaryCodec,
    "VARBINARY": BinaryCodec,
    **dict.fromkeys(BLOB_BYTES, BinaryCodec),
    "BIT": BitCodec,
    "DATE": DateCodec,
    "DATETIME": DatetimeCodec,
    "TIMESTAMP": TimestampCodec,
    "TIME": TimeCodec,
    "YEAR": YearCodec,
    "ENUM": EnumCodec,
    "SET": SetCodec,
    "JSON": JsonCodec,
    **dict.fromkeys(GEOMETRY_TYPES, GeometryCodec),
}


def codec_for(sql_type: SqlType) -> Codec:
    """The codec of a parsed type; every type that ``parse_type`` gives has one."""
    return _CODECS[sql_type.base](sql_type)
