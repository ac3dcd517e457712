"""Which column a field becomes, from what is known of its values. Pure.

A type that nearly all values have decides; what others there are goes to the column of exact forms. Where no type
prevails the column is JSON, which holds numbers, text and booleans side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from bson import Decimal128, ObjectId
from bson.binary import Binary
from bson.datetime_ms import DatetimeMS
from bson.int64 import Int64

from platform_store.shapes.field_stats import FieldStats
from platform_store.shapes.target import EXACT, MAX_COMMENT, Meaning, TargetColumn

PREVAILS: Final = 0.95
"""The share of values that makes a type the field's."""

_LENGTHS: Final = (8, 16, 32, 64, 128, 255, 512, 1024)
_TEXT_BYTES: Final = 65_535
_MAX_DECIMAL: Final = 34  # digits of a Decimal128
_MAX_SCALE: Final = 30  # of a DECIMAL
_MAX_BINARY: Final = 255
_MAX_KEY: Final = 768
_COMMENT_ROOM: Final = 24

_GROUPS: Final[Mapping[type, str]] = {
    int: "number", Int64: "number", float: "number", Decimal128: "number", str: "string", bool: "bool",
    datetime: "date", DatetimeMS: "date", ObjectId: "objectId", UUID: "uuid", bytes: "binary", Binary: "binary",
    dict: "json", list: "json",
}  # fmt: skip
TYPE_NAMES: Final[Mapping[type, str]] = {
    int: "int", Int64: "long", float: "double", Decimal128: "decimal", str: "string", bool: "bool", datetime: "date",
    DatetimeMS: "date", ObjectId: "objectId", UUID: "uuid", bytes: "binary", Binary: "binary", dict: "document",
    list: "array", type(None): "null",
}  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """A column's type, without a name yet."""

    type: str
    meaning: Meaning
    collation: str | None = None
    subtype: int = 0
    order: tuple[str, ...] = ()
    types: Mapping[str, str] | None = None

    def column(self, name: str, field: str, *, nulls: bool = False, note: str = "") -> TargetColumn:
        """The column. Of what a JSON column knows of its inside, as much as its comment can tell."""
        order, types = self.order, dict(self.types or {})
        while True:
            column = TargetColumn(name, field, self.type, self.meaning, nulls, self.collation, self.subtype, order,
                                  types, note)  # fmt: skip
            if len(column.comment) <= MAX_COMMENT - _COMMENT_ROOM or not (order or types):
                return column
            order, types = order[: len(order) // 2], dict(list(types.items())[: len(types) // 2])


def choose(stats: FieldStats, *, complete: bool) -> Choice | None:
    """The column of a field; None where no column could tell anything of its values."""
    groups: dict[str, int] = {}
    for kind, count in stats.kinds.items():
        if kind is not type(None):
            group = _GROUPS.get(kind, "other")
            groups[group] = groups.get(group, 0) + count
    total = sum(groups.values())
    group = max(groups, key=groups.__getitem__, default="json")
    if total and groups[group] < PREVAILS * total:
        group = "json" if groups.get("other", 0) < total / 2 else "other"
    if group == "number":
        return number(stats, complete=complete)
    if group == "string":
        return text(stats, complete=complete)
    if group == "binary":
        return binary(stats, complete=complete)
    if group == "json":
        inside = stats.leaf_inside()
        order = tuple(inside.orders.merged())
        return Choice("JSON", "json", order=order if len(order) > 1 else (), types=inside.types)
    return _SIMPLE.get(group)


_SIMPLE: Final[Mapping[str, Choice]] = {
    "bool": Choice("TINYINT(1)", "bool"),
    "date": Choice("DATETIME(3)", "date"),
    "objectId": Choice("CHAR(24)", "objectId", collation=EXACT),
    "uuid": Choice("BINARY(16)", "uuid"),
}


def number(stats: FieldStats, *, complete: bool) -> Choice:
    """Integers stay integers; DECIMAL where half are; DOUBLE as soon as there are fractions."""
    kinds = stats.kinds
    integers, doubles, decimals = kinds[int] + kinds[Int64], kinds[float], kinds[Decimal128]
    total = integers + doubles + decimals
    if 2 * decimals >= total:
        chosen = decimal(stats, complete=complete)
        if chosen is not None:
            return chosen
    fractions = doubles - stats.integral_doubles
    if integers >= PREVAILS * total or (integers and integers >= doubles and not fractions and not decimals):
        return integer(stats)
    as_numbers = stats.narrow_doubles + kinds[Int64]
    return Choice("DOUBLE", "number" if as_numbers < integers else "double")


def integer(stats: FieldStats) -> Choice:
    """The meaning is the one with the fewest exceptions."""
    narrow, wide = stats.kinds[int], stats.kinds[Int64]
    exceptions: dict[Meaning, int] = {"int": wide, "long": narrow, "integer": stats.narrow_longs}
    meaning = min(exceptions, key=exceptions.__getitem__)
    small = not wide and meaning == "int" and stats.integral_doubles == stats.narrow_doubles
    return Choice("INT" if small else "BIGINT", meaning)


def decimal(stats: FieldStats, *, complete: bool) -> Choice | None:
    """None where no DECIMAL of a Decimal128's digits holds them all."""
    whole = max(stats.digits, len(str(max(abs(stats.low), stats.high))) if stats.kinds[int] else 1, 1)
    scale = stats.scale
    if scale > _MAX_SCALE or whole + scale > _MAX_DECIMAL:
        return None
    if not complete:
        whole = min(_MAX_DECIMAL - scale, whole + 4)
    others = sum(stats.scales.values()) - stats.scales[scale]
    meaning: Meaning = "decimal" if others <= stats.long_decimals else "shortest-decimal"
    return Choice(f"DECIMAL({whole + scale},{scale})", meaning)


def text(stats: FieldStats, *, complete: bool) -> Choice:
    wanted = stats.characters if complete else stats.characters * 3 // 2
    for length in _LENGTHS:
        if wanted <= length:
            return Choice(f"VARCHAR({length})", "string")
    return Choice("TEXT" if stats.bytes * (1 if complete else 2) <= _TEXT_BYTES else "LONGTEXT", "string")


def binary(stats: FieldStats, *, complete: bool) -> Choice:
    ((subtype, _),) = stats.subtypes.most_common(1)
    wanted = stats.longest if complete else stats.longest * 3 // 2
    for length in _LENGTHS:
        if wanted <= length:
            return Choice(f"VARBINARY({length})", "binary", subtype=subtype)
    return Choice("BLOB" if stats.longest * (1 if complete else 2) <= _TEXT_BYTES else "LONGBLOB", "binary",
                  subtype=subtype)  # fmt: skip


def key(stats: FieldStats) -> Choice | None:
    """The column of a key's values, all of one kind; None where they are not, or could not be told apart by it."""
    groups = {_GROUPS.get(kind, "other") for kind in stats.kinds}
    if len(groups) != 1:
        return None
    (group,) = groups
    if group == "number":
        whole = not stats.kinds[Decimal128] and stats.kinds[float] == stats.integral_doubles
        return integer(stats) if whole and stats.kinds[int] + stats.kinds[Int64] else None
    if group == "string":
        length = next((length for length in _LENGTHS if stats.characters * 3 // 2 <= length < _MAX_KEY), _MAX_KEY)
        return Choice(f"VARCHAR({length})", "string", collation=EXACT)
    if group == "binary":
        fixed = stats.shortest == stats.longest and 0 < stats.longest <= _MAX_BINARY and len(stats.subtypes) == 1
        return Choice(f"BINARY({stats.longest})", "binary", subtype=next(iter(stats.subtypes))) if fixed else None
    if group == "date" and (stats.far_dates or stats.kinds[DatetimeMS]):
        return None
    return _SIMPLE[group] if group in ("date", "objectId", "uuid") else None
