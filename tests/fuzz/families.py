"""Column types by family: how they are declared, and values from small pools, so that joins match and sort keys tie."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Final, Literal, TypeAlias

from platform_store import ColumnAttribute, JsonText

Server: TypeAlias = Literal["mysql", "mariadb"]

BINARY: Final[dict[Server, str]] = {"mysql": "utf8mb4_0900_bin", "mariadb": "utf8mb4_nopad_bin"}
"""The collation that tells all texts apart; what the library gives to text columns that name none."""
COLLATIONS: Final[dict[Server, tuple[str, ...]]] = {
    "mysql": (
        "utf8mb4_0900_bin",
        "utf8mb4_0900_ai_ci",
        "utf8mb4_0900_as_cs",
        "utf8mb4_bin",
        "utf8mb4_general_ci",
        "utf8mb4_unicode_ci",
        "utf8mb4_zh_0900_as_cs",
    ),
    "mariadb": (
        "utf8mb4_nopad_bin",
        "utf8mb4_bin",
        "utf8mb4_general_ci",
        "utf8mb4_unicode_ci",
        "utf8mb4_unicode_nopad_ci",
        "utf8mb4_general_nopad_ci",
    ),
}


@dataclass(frozen=True)
class Family:
    """A way to declare columns that behave alike in expressions. ``values``: what is drawn, the usual ones first."""

    kind: str  # of expression: int, dec, flt, str, bin, date, dt, time, json, point
    types: tuple[str, ...]
    values: tuple[object, ...]
    common: int  # how many of the values are the usual ones
    text: bool = False
    key: bool = False


TEXTS: Final = (
    "a", "A", "b", "ab", "Ab", "茶", "", "a ",
    "á", "ß", "ss", "İ", "i", " a", "a\t", "棋茶", "\U0001f375", "e\u0301", "é", "%", "_", "a%b", "\\", "it's", "1",
    "01", "1.0", "-1", "2024-01-02", "null", "\U0001f600x", "Z", "ﬁ", "\0", "a\nb", '"q"', "張", "张", "zhang",
)  # fmt: skip
KEY_TEXTS: Final = (
    "a", "b", "c", "d1", "ef", "茶", "棋", "x y", "10", "9", "\U0001f375", "zz", "中文", "q'", "-", "m\\n", "n%o", "é2",
)  # fmt: skip
SHARP_KEYS: Final = (*KEY_TEXTS, "A", "a ", "Ab", "ab", "", "\0", "é", "e\u0301")
LABELS: Final = ("b", "a", "c d", "it's", "茶", "x\\y", "%")
_QUOTED: Final = ",".join("'" + label.replace("\\", "\\\\").replace("'", "''") + "'" for label in LABELS)
ZERO_DATES: Final = ("0000-00-00", "2024-05-00", "2024-00-31")
PARTIAL: Final = ("2024-05-00", "2024-00-31", "2024-05-00 10:00:00")
"""MySQL's temporary tables make zero dates of them, so that answers depend on its plan."""

_TREE: Final = {"tags": ["a", "茶", 1], "n": 1, "a": {"b": [1, {"b": 2}], "c": None}, "茶": {"e": "x"}, "t": True}
JSONS: Final[tuple[object, ...]] = (
    {"tags": ["a", "b"], "n": 1}, {"tags": ["茶"], "n": 2, "a": {"b": 1}}, _TREE, {"tags": [], "n": None}, [1, 2, "a"],
    {"n": "1"}, {}, [], "a", 1, JsonText("null"), True, False, 1.0, 1.5, -0.5, "茶", "", "A", "a ", [[1, [2, [3]]], 4],
    {"n": 2**63 - 1}, {"n": 2**64 - 1}, {"n": -(2**63)}, [2**63], 2**63, {"n": 1e300}, {"n": 0.1},
    {"n": 12345678901234567},
    {"a": {"b": [[{"c": [1, 2]}]]}}, {"a.b": 1, "$x": 2, "": 3}, {"n": True}, {"tags": "a"}, {"tags": {"0": "a"}},
    {"tags": [{"k": "a", "v": 1}, {"k": "b"}, {"v": None}, "a"], "n": 3}, [None], [True, "true", 1], {"_json": "null"},
    {"tags": ["A", "Á", "a "], "n": 1.0}, {"n": [1]}, {"n": {"n": {"n": 1}}}, {"e\u0301": 1, "é": 2}, "2024-01-02",
    "\0", {"n": -1}, {"n": 0}, {"n": 10, "tags": ["x", ["a"]]}, '"', "\\", {"k": "\U0001f375"}, [1.0, 1],
)  # fmt: skip

INTEGER: Final = Family("int", ("INT", "SMALLINT", "MEDIUMINT"), (1, 2, 3, 0, 4, -1, 7, 10, 100, -32768, 32767), 7)
TINY: Final = Family("int", ("TINYINT", "BOOL"), (0, 1, 2, 3, -1, 127, -128), 4)
UNSIGNED: Final = Family("int", ("INT UNSIGNED", "TINYINT UNSIGNED", "SMALLINT UNSIGNED"), (0, 1, 2, 3, 255, 200), 4)
BIG: Final = Family("int", ("BIGINT",), (1, 2, 3, 5, -7, 2**63 - 1, -(2**63), 2**53, 2**53 + 1, 10**15), 4)
HUGE: Final = Family("int", ("BIGINT UNSIGNED",), (1, 2, 3, 0, 2**63, 2**64 - 1, 2**63 - 1, 2**53 + 1), 4)
MONEY: Final = Family(
    "dec",
    ("DECIMAL(10,2)", "DECIMAL(12,3)", "DECIMAL(20,6)"),
    tuple(map(Decimal, ("1.50", "2", "0", "-3.25", "10.10", "1", "99999999.99", "-99999999.99", "0.01"))),
    5,
)
WIDE: Final = Family(
    "dec",
    ("DECIMAL(65,30)", "DECIMAL(50,10)"),
    tuple(
        map(Decimal, ("1.5", "2", "0", "-1", "12345678901234567890123456789012345", "0.0000000001", "-0.0000000001"))
    ),
    4,
)
FLOATS: Final = Family(
    "flt", ("DOUBLE", "FLOAT"), (1.5, 2.0, 0.0, -1.25, 0.1, 1e30, -1e30, 1e-30, 16777217.0, -0.0, 1 / 3), 4
)
TEXT: Final = Family(
    "str", ("VARCHAR(40)", "VARCHAR(80)", "TEXT", "CHAR(12)", "TINYTEXT", "LONGTEXT"), TEXTS, 8, text=True
)
ENUMS: Final = Family("enum", (f"ENUM({_QUOTED})",), LABELS, 4, text=True)
SETS: Final = Family("enum", (f"SET({_QUOTED})",), ("a", "b", "b,a", "", "b,a,茶", "%"), 3, text=True)
DAYS: Final = Family(
    "date",
    ("DATE",),
    (
        date(2024, 1, 2), date(2024, 1, 3), date(2024, 2, 29), date(2023, 12, 31), date(1, 1, 1), date(9999, 12, 31),
        date(1970, 1, 1), *ZERO_DATES,
    ),
    4,
)  # fmt: skip
MOMENTS: Final = Family(
    "dt",
    ("DATETIME(6)", "DATETIME", "DATETIME(3)"),
    (
        datetime(2024, 1, 2), datetime(2024, 1, 2, 3, 4, 5), datetime(2024, 1, 3, 23, 59, 59, 999_000),
        datetime(2023, 12, 31), datetime(2024, 1, 2, 3, 4, 5, 123_456), datetime(1, 1, 1),
        datetime(9999, 12, 31, 23, 59, 59), "0000-00-00 00:00:00", "2024-05-00 10:00:00",
    ),
    4,
)  # fmt: skip
STAMPS: Final = Family(
    "dt",
    ("TIMESTAMP(6)", "TIMESTAMP"),
    (datetime(2024, 1, 2), datetime(2024, 1, 2, 3, 4, 5), datetime(1970, 1, 1, 0, 0, 1),
     datetime(2038, 1, 19, 3, 14, 7), datetime(2024, 3, 31, 2, 30), "0000-00-00 00:00:00"),
    2,
)  # fmt: skip
CLOCKS: Final = Family(
    "time",
    ("TIME", "TIME(6)", "TIME(2)"),
    (
        timedelta(hours=1), timedelta(0), timedelta(hours=23, minutes=59, seconds=59), -timedelta(minutes=1),
        timedelta(hours=838, minutes=59, seconds=59), -timedelta(hours=838, minutes=59, seconds=59),
        timedelta(microseconds=10_000), -timedelta(microseconds=500_000),
    ),
    4,
)  # fmt: skip
YEARS: Final = Family("int", ("YEAR",), (2024, 2023, 0, 1901, 2155), 2)
BYTES: Final = Family(
    "bin",
    ("VARBINARY(40)", "BLOB", "LONGBLOB"),
    (b"a", b"A", b"", b"\xff\x00", "茶".encode(), b"a ", b"\x00", b"'\\", b"\x80abc"),
    4,
)
BITS: Final = Family("bit", ("BIT(1)", "BIT(9)", "BIT(64)"), (0, 1), 2)
UUIDS: Final = Family(
    "bin",
    ("BINARY(16)",),
    tuple(bytes([first, *range(14), last]) for first in (0, 1, 0x41, 0xFF) for last in (0, 1, 0x20, 0xFE)),
    4,
)
DOCUMENTS: Final = Family("json", ("JSON",), JSONS, 12)
POINTS: Final = Family(
    "point",
    ("POINT",),
    tuple(b"\0\0\0\0\x01\x01\0\0\0" + body for body in (b"\0" * 16, b"\0" * 6 + b"\xf0\x3f" + b"\0" * 8)),
    2,
)

WEIGHTED: Final = (
    (INTEGER, 8), (TINY, 4), (UNSIGNED, 2), (BIG, 3), (HUGE, 2), (MONEY, 5), (WIDE, 2), (FLOATS, 2), (TEXT, 14),
    (ENUMS, 3), (SETS, 2), (DAYS, 4), (MOMENTS, 4), (STAMPS, 2), (CLOCKS, 2), (YEARS, 1), (BYTES, 2),
    (BITS, 1), (UUIDS, 1), (DOCUMENTS, 12), (POINTS, 1),
)  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A declared column and where its values come from."""

    attribute: ColumnAttribute
    family: Family
    pool: tuple[object, ...]

    @property
    def name(self) -> str:
        return self.attribute.name

    def draw(self, chance: Random) -> object:
        """A value; mostly one of the usual ones, sometimes None where the column may be NULL."""
        if self.attribute.nullable and chance.random() < 0.15:
            return None
        usual = self.family.common if chance.random() < 0.75 else len(self.pool)
        return chance.choice(self.pool[:usual])


def column(chance: Random, name: str, server: Server, *, partial_dates: bool) -> Column:
    """A column of any family."""
    (family,) = chance.choices([one for one, _ in WEIGHTED], [weight for _, weight in WEIGHTED])
    text = family.types[0] if chance.random() < 0.5 else chance.choice(family.types)
    collation = _collation(chance, server) if family.text else None
    pool = tuple(value for value in family.values if _fits(value, text) and (partial_dates or value not in PARTIAL))
    nullable = chance.random() < 0.85
    default = None
    if chance.random() < 0.1 and text.endswith(("INT", "2)", "40)", "DATE")):
        default = pool[0]
    return Column(ColumnAttribute(name, text, nullable=nullable, default=default, collation=collation), family, pool)


def _collation(chance: Random, server: Server) -> str | None:
    if chance.random() < 0.3:
        return None
    collations = COLLATIONS[server]
    return collations[0] if chance.random() < 0.2 else chance.choice(collations)


def _fits(value: object, text: str) -> bool:
    if text.startswith("TINYINT UNSIGNED"):
        return isinstance(value, int) and 0 <= value <= 255
    if text == "SMALLINT":
        return isinstance(value, int) and -32768 <= value <= 32767
    if text.startswith("DECIMAL(10,2)"):
        return isinstance(value, Decimal) and abs(value) < 10**8
    if text.startswith("DECIMAL(12,3)"):
        return isinstance(value, Decimal) and abs(value) < 10**9
    if text.startswith("DECIMAL(50,10)"):
        return isinstance(value, Decimal) and abs(value) < 10**40
    return True


KEYS: Final = (
    (BIG, "BIGINT", (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, -1, 2**63 - 1, -(2**63), 2**53 + 1, 11, 12, 13)),
    (INTEGER, "INT", tuple(range(-2, 18))),
    (TEXT, "VARCHAR(40)", SHARP_KEYS),
    (DAYS, "DATE", (*(date(2024, 1, day) for day in range(1, 15)), date(1, 1, 1), date(9999, 12, 31))),
    (UUIDS, "BINARY(16)", UUIDS.values),
)


def key_column(chance: Random, name: str, server: Server, *, adopted: bool) -> Column:
    """A key column; an adopted table's may be of any collation, a created one's has the binary one."""
    family, text, pool = chance.choice(KEYS)
    collation = None
    if family.text and adopted:
        collation = chance.choice(COLLATIONS[server])
        pool = SHARP_KEYS if collation == BINARY[server] else KEY_TEXTS
    return Column(ColumnAttribute(name, text, nullable=False, collation=collation), family, pool)
