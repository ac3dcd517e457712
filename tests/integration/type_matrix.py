"""The declared types, values over the whole range of each, and the documentation made of them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from math import inf, nan
from random import Random
from typing import Final
from uuid import UUID

from bson import json_util

from platform_store.codecs import STORAGE_FORMAT, Codec, JsonText, codec_for
from platform_store.sqltypes import INTEGER_BITS, parse_type

Draw = Callable[[Random], object]


@dataclass(frozen=True, repr=False)
class Case:
    """One declared type: how to draw given values, the edges of its range, and what lies just beyond them."""

    type: str
    python: str
    example: object
    draw: Draw
    edges: tuple[object, ...]
    rejected: tuple[object, ...] = ()  # by strict MySQL too
    refused: tuple[object, ...] = ()  # by this library alone: MySQL would change the value, or PyMySQL cannot write it
    mariadb: bool = True

    def __repr__(self) -> str:
        return f"Case({self.type!r})"  # not its values, which are megabytes

    @property
    def codec(self) -> Codec:
        return codec_for(parse_type(self.type))


# -- integers ---------------------------------------------------------------------------------------------------------


def integer(name: str) -> Case:
    base, unsigned = name.split()[0], name.endswith("UNSIGNED")
    bits = INTEGER_BITS[base]
    low, high = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)

    def draw(random: Random) -> object:
        return max(low, min(high, random.randint(-1, 1) * random.getrandbits(random.randint(1, bits))))

    edges = (low, low + 1, 0, 1, high - 1, high, True, False)
    return Case(name, "int", high, draw, edges, (low - 1, high + 1), ("1", 1.0, Decimal(1), b"1"))


# -- decimals and floats ----------------------------------------------------------------------------------------------


def decimal(name: str, example: str) -> Case:
    parsed = parse_type(name)
    precision, scale = parsed.precision or 0, parsed.scale or 0
    highest = Decimal(f"{'9' * precision}E-{scale}")
    unit, half, third = Decimal(f"1E-{scale}"), Decimal(f"5E-{scale + 1}"), Decimal(f"3E-{scale + 1}")
    beyond = Decimal(f"{'9' * precision}5E-{scale + 1}")  # arithmetic would round to the decimal context

    def draw(random: Random) -> object:
        whole = random.randint(0, precision - scale)
        fraction = random.randint(0, min(scale + 2, 30 + 1))
        digits = "".join(random.choices("0123456789", k=whole)) + "." + "".join(random.choices("0459", k=fraction))
        text = f"{random.choice(['', '' if parsed.unsigned else '-'])}0{digits}"
        number = Decimal(text)
        if number.copy_abs() >= highest:
            return highest
        near = float(number) if number.copy_abs() < highest / 2 else number
        return random.choice([text, number, number, near, int(number)])

    edges: tuple[object, ...] = (0, highest, unit, Decimal("0.5"), "0.5", 0.5, Decimal("-0.0"), half, str(third))
    if not parsed.unsigned:
        edges += tuple(number.copy_negate() for number in (highest, unit, half, third))
    rejected: tuple[object, ...] = (Decimal(10) ** (precision - scale), beyond)
    rejected += (Decimal("-0.1"), -0.4) if parsed.unsigned else (beyond.copy_negate(),)
    refused = (Decimal("NaN"), inf, "x", "1_0", " 1", b"1", "")
    return Case(name, "Decimal (also int, float, numeric str)", Decimal(example), draw, edges, rejected, refused)


FLOAT_MAX: Final = 3.4028234663852886e38
DOUBLE_MAX: Final = 1.7976931348623157e308


def floating(name: str, layout: str, highest: float, tiniest: float) -> Case:
    unsigned = name.endswith("UNSIGNED")

    def draw(random: Random) -> object:
        kind = random.randrange(4)
        if kind == 0:
            number: float = nan
            while not abs(number) <= highest:
                (number,) = struct.unpack(layout, random.randbytes(struct.calcsize(layout)))
        elif kind == 1:
            number = random.uniform(-1000, 1000)
        elif kind == 2:
            number = random.randint(-(10**9), 10**9) / 10 ** random.randint(0, 9)
        else:
            whole = random.randint(-(2**63), 2**63)
            return abs(whole) if unsigned else whole
        return abs(number) if unsigned else number

    edges: tuple[object, ...] = (0, 0.0, 0.1, 1 / 3, 16777217, 123456.5, highest, tiniest, Decimal("0.1"), True)
    rejected: tuple[object, ...] = () if name.startswith("DOUBLE") else (3.4028235e38,)
    if unsigned:
        rejected += (-1.0, -1e-60)
    else:
        edges += (-0.0, -highest, -tiniest)
    return Case(name, "float (also int, Decimal)", 0.1, draw, edges, rejected, (nan, inf, 10**400, "1", b"1"))


# -- text and bytes ---------------------------------------------------------------------------------------------------

ALPHABET: Final = "abAB \t\n\r\0'\"\\%_;éßİ茶棋张\u0301\ufeff\uffff\U0001f600\U0010ffff\x7f\x80\u2028"
WHITESPACE: Final = " \t\n\v\f\r"


def text(name: str, limit: int, *, in_bytes: bool = False, example: str = "茶") -> Case:
    shown = min(limit, 300)

    def draw(random: Random) -> object:
        value = "".join(random.choices(ALPHABET, k=random.randint(0, shown // 4 if in_bytes else shown)))
        return (
            JsonText(value) if random.randrange(10) == 0 else value + " " * random.randint(0, 1) * (shown - len(value))
        )

    full = "x" * limit if limit < 70_000 else "x" * 1000
    edges: list[object] = ["", " ", "a  ", full, "\0", "''", "\\", "0"]
    rejected: list[object] = []
    if limit < 70_000:
        edges += [full + WHITESPACE, full[:-1] + " \t "]
        rejected += [full + "x", full + "\0", full + "\u3000", full + " x"]
        if in_bytes:
            edges.append("é" * (limit // 2) + " " * (limit % 2 + 2))
            rejected.append("é" * (limit // 2 + 1))
        else:
            edges.append("\U0001f600" * limit)
    return Case(name, "str", example, draw, tuple(edges), tuple(rejected), ("\ud800", b"x", 1))


def binary(name: str, limit: int, *, fixed: bool = False) -> Case:
    def draw(random: Random) -> object:
        value = random.randbytes(random.randint(0, min(limit, 300)))
        return bytearray(value) if random.randrange(5) == 0 else value

    edges: list[object] = [b"", b"\0", b"a ", b"\xff", b"\x00" * min(limit, 70), b"\xff" * min(limit, 70), b"'\\"]
    rejected: list[object] = []
    if limit < 70_000:
        edges.append(b"\xfe" * limit)
        rejected += [b"x" * limit + b"x", b"x" * limit + b" ", b"x" * limit + b"\0"]
    example: object = b"\x01\x02"
    if fixed and limit == 16:
        example = UUID("01234567-89ab-cdef-0123-456789abcdef")
        edges.append(example)
    python = f"bytes (also bytearray, memoryview{', UUID' if isinstance(example, UUID) else ''})"
    return Case(name, python, example, draw, tuple(edges), tuple(rejected), ("x", 1))


def bit(bits: int) -> Case:
    size = (bits + 7) // 8
    highest = 2**bits - 1

    def draw(random: Random) -> object:
        number = random.getrandbits(bits)
        return random.choice([number, number.to_bytes(size, "big"), number.to_bytes(min(size + 1, 8), "big")])

    edges = (0, 1, highest, True, b"", b"\0" * 8, highest.to_bytes(size, "big"))
    rejected: tuple[object, ...] = (b"\0" * 9,)
    if bits < 64:
        rejected += (highest + 1, (highest + 1).to_bytes(size + 1, "big"))
    return Case(f"BIT({bits})", "bytes, big-endian (also int)", 5 & highest, draw, edges, rejected, (-1, "1", 1.0))


LABELS: Final = ("b", "a", "B", "c d", "it's", "x\\y", "茶", "%")
_QUOTED: Final = ",".join("'" + label.replace("\\", "\\\\").replace("'", "''") + "'" for label in LABELS)


def one_label(random: Random) -> object:
    return random.choice(LABELS)


def some_labels(random: Random) -> object:
    chosen = random.choices(LABELS, k=random.randint(0, 12))
    return random.choice([",".join(chosen), chosen, tuple(chosen), set(chosen), frozenset(chosen)])


# -- dates and times --------------------------------------------------------------------------------------------------

EAST: Final = timezone(timedelta(hours=8))
FIRST, LAST = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)
ZERO_DATES: Final = ("0000-00-00", "2024-05-00", "2024-00-31", "9999-00-00", "0000-05-15", "0000-12-31", "0000-02-28")
WRONG_DATES: Final = ("2024-02-30", "2023-02-29", "0000-02-29", "2024-13-01", "2024-00-32", "0000-04-31")


def moment(random: Random, first: datetime, last: datetime) -> datetime:
    drawn = first + timedelta(seconds=random.randint(0, int((last - first).total_seconds()) - 1))
    return drawn.replace(microsecond=random.choice([0, 500_000, 499_999, 999_999, random.randrange(1_000_000)]))


def day(random: Random) -> object:
    drawn = moment(random, FIRST, LAST).date()
    return random.choice([drawn, drawn.isoformat(), datetime.combine(drawn, time()), random.choice(ZERO_DATES)])


def date_time(fsp: int) -> Case:
    def draw(random: Random) -> object:
        drawn = moment(random, FIRST, LAST)
        zero = f"{random.choice(ZERO_DATES)} {moment(random, FIRST, LAST).time().replace(microsecond=0)}"
        return random.choice([drawn, drawn, drawn.isoformat(" "), drawn.isoformat("T"), drawn.date(), zero])

    half = "5".rjust(fsp + 1, "9")
    edges: list[object] = [FIRST, LAST, date(9999, 12, 31), "1000-01-01", datetime(2024, 2, 29, 23, 59, 59, 999_999)]
    edges += [f"{zero} 10:20:30.4" for zero in ZERO_DATES] if fsp else list(ZERO_DATES)
    rejected: list[object] = [*(f"{wrong} 00:00:00" for wrong in WRONG_DATES), "2024-01-01 24:00:00", "x"]
    if fsp < 6:
        edges += [f"0000-12-31 23:59:59.{half}", f"0000-05-15 10:59:59.{half}", f"2024-12-31 23:59:59.{half}"]
        rejected += [f"{when} 23:59:59.{half}" for when in ("9999-12-31", "2024-05-00", "0000-00-00")]
    name = f"DATETIME({fsp})" if fsp else "DATETIME"
    example = datetime(2024, 5, 6, 7, 8, 9, 123_456 // 10 ** (6 - fsp) * 10 ** (6 - fsp))
    python = "datetime (also date, str)"
    return Case(name, python, example, draw, tuple(edges), tuple(rejected), (datetime(2024, 1, 1, tzinfo=UTC), 1, b"x"))


def timestamp(fsp: int) -> Case:
    first, last = datetime(1970, 1, 1, 0, 0, 1), datetime(2038, 1, 19, 3, 14, 7)

    def draw(random: Random) -> object:
        drawn = moment(random, first, last)
        return random.choice([drawn, drawn.replace(tzinfo=UTC), drawn.replace(tzinfo=UTC).astimezone(EAST), str(drawn)])

    half = "5".rjust(fsp + 1, "9")
    rejected: list[object] = [
        datetime(1970, 1, 1),
        "2024-05-00 00:00:00",
        "0000-00-00 00:00:00.4",
        "0000-00-00 00:00:01",
    ]
    rejected += [datetime(2038, 1, 19, 3, 14, 8), "1969-12-31 23:59:59.9"]
    edges: list[object] = [first, last, "0000-00-00 00:00:00", "2038-01-19 03:14:07.4"]
    if fsp < 6:
        edges.append(f"1970-01-01 00:00:00.{half}")
        rejected.append(f"2038-01-19 03:14:07.{half}")
    else:
        edges.append(last.replace(microsecond=999_999))
    name = f"TIMESTAMP({fsp})" if fsp else "TIMESTAMP"
    example = datetime(2024, 5, 6, 7, 8, 9, 123_456 // 10 ** (6 - fsp) * 10 ** (6 - fsp))
    python = "datetime, naive, in UTC (also aware datetime, date, str)"
    return Case(name, python, example, draw, tuple(edges), tuple(rejected), (datetime(1, 1, 1, tzinfo=EAST), 1))


def clock(fsp: int) -> Case:
    limit = timedelta(hours=838, minutes=59, seconds=59)

    def draw(random: Random) -> object:
        drawn = timedelta(microseconds=random.randint(-3_020_398_000_000, 3_020_398_000_000))
        near = timedelta(microseconds=random.randint(-2_000_000, 2_000_000))
        sign = random.choice(["", "-"])
        spelled = f"{sign}{random.randint(0, 837)}:{random.randint(10, 59)}:05.{random.randrange(10**6):06}"
        return random.choice([drawn, near, spelled, moment(random, FIRST, LAST).time()])

    half = "5".rjust(fsp + 1, "9")
    edges: list[object] = [timedelta(), limit, -limit, time(23, 59, 59, 999_999), "-00:00:01", "-00:00:00.000001"]
    if fsp < 6:
        edges += [f"838:59:58.{half}", f"-838:59:58.{half}", f"-00:00:00.{half}"]
    rejected = ("839:00:00", "-839:00:00", "838:59:59.000001", "-838:59:59.4", "838:60:00")
    name = f"TIME({fsp})" if fsp else "TIME"
    example = -timedelta(hours=1, milliseconds=500 if fsp else 0)
    return Case(name, "timedelta (also time, str)", example, draw, tuple(edges), rejected, (1, "1", time(tzinfo=UTC)))


# -- JSON and geometry ------------------------------------------------------------------------------------------------


def json_value(random: Random, depth: int = 0) -> object:
    kind = random.randrange(12 if depth < 4 else 8)
    if kind < 2:
        return random.choice([None, True, False, 0, "", -1, 1.0, -0.0, [], {}])
    if kind < 4:
        return random.randint(-1, 1) * random.getrandbits(random.randint(1, 63))
    if kind == 4:
        return random.getrandbits(64)
    if kind < 7:
        return floating("DOUBLE", "<d", DOUBLE_MAX, 5e-324).draw(random) if kind == 5 else random.random() * 10**15
    if kind == 7:
        return "".join(random.choices(ALPHABET, k=random.randint(0, 12)))
    if kind < 10:
        return [json_value(random, depth + 1) for _ in range(random.randint(0, 4))]
    keys = ["".join(random.choices('ab$.éz茶_ "\0', k=random.randint(0, 3))) for _ in range(random.randint(0, 5))]
    return {key: json_value(random, depth + 1) for key in keys}


def json_given(random: Random) -> object:
    drawn = json_value(random)
    return JsonText("null") if drawn is None else abs(drawn) % 10**18 if type(drawn) is int else drawn


def nested(levels: int) -> list[object]:
    value: list[object] = []
    for _ in range(levels - 1):
        value = [value]
    return value


JSON_TEXTS: Final = (
    '{"b":1,"a":2,"aa":3,"a":4,"é":5,"":6}',
    "-0",
    "-0.0",
    "1e2",
    "1.50",
    "18446744073709551616",
    "-9223372036854775809",
    "1e-400",
    '"\\u0000\\ud83d\\ude00\\/\\u007f"',
    " [1 ,2]\n",
    "null",
    "[null]",
)


def _points(*points: tuple[float, float]) -> bytes:
    return struct.pack("<I", len(points)) + b"".join(struct.pack("<dd", *point) for point in points)


def _wkb(code: int, body: bytes) -> bytes:
    return struct.pack("<BI", 1, code) + body


def _many(code: int, *parts: bytes) -> bytes:
    return _wkb(code, struct.pack("<I", len(parts)) + b"".join(parts))


def point(x: float = 116.4, y: float = 39.9) -> bytes:
    return _wkb(1, struct.pack("<dd", x, y))


LINE: Final = _wkb(2, _points((0, 0), (1, 1)))
RING: Final = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 0.0))
POLYGON: Final = _wkb(3, struct.pack("<I", 2) + _points(*RING) + _points(*RING))
SHAPES: Final = {
    "POINT": point(),
    "LINESTRING": LINE,
    "POLYGON": POLYGON,
    "MULTIPOINT": _many(4, point(), point(1, 2)),
    "MULTILINESTRING": _many(5, LINE),
    "MULTIPOLYGON": _many(6, POLYGON, POLYGON),
    "GEOMETRYCOLLECTION": _many(7, point(), _many(7, LINE, POLYGON)),
}
MALFORMED: Final = (
    b"",
    point()[:-1],
    point() + b"x",
    _wkb(2, _points((0, 0))),
    _many(3),
    _many(3, _points(*RING[:3])),
    _many(4),
    _many(4, LINE),
    _wkb(8, b""),
    struct.pack(">BI", 0, 1) + struct.pack(">dd", 1, 2),
)


def geometry(name: str) -> Case:
    base, *attribute = name.split(" SRID ")
    srid = struct.pack("<I", int(attribute[0]) if attribute else 0)
    own = list(SHAPES.values()) if base == "GEOMETRY" else [SHAPES[base]]

    def draw(random: Random) -> object:
        shape = random.choice([*own, point(random.uniform(-9, 9), random.uniform(-9, 9))])
        return srid + (shape if base in ("GEOMETRY", "POINT") else random.choice(own))

    rejected = tuple(srid + wrong for wrong in MALFORMED)
    if attribute:
        rejected += (b"\0\0\0\0" + own[0],)
    if base == "GEOMETRYCOLLECTION":
        own += [shape for other, shape in SHAPES.items() if other.startswith("MULTI")]
    if base != "GEOMETRY":
        rejected += tuple(srid + shape for shape in SHAPES.values() if shape not in own)
    edges = tuple(srid + shape for shape in own)
    refused = (srid + point(nan, 1), srid + point(1, inf), "x", 1)
    return Case(name, "bytes: SRID and WKB", srid + own[0], draw, edges, rejected, refused, not attribute)


CASES: Final = (
    *(integer(f"{base}{sign}") for base in INTEGER_BITS for sign in ("", " UNSIGNED")),
    Case("BOOL", "int (also bool)", 1, lambda random: random.randint(-128, 127), (True, False), (128,)),
    decimal("DECIMAL(10,2)", "1234.50"),
    decimal("DECIMAL(10,0)", "5"),
    decimal("DECIMAL(6,3) UNSIGNED", "1.500"),
    decimal("DECIMAL(34,30)", "0.000000000000000000000000000001"),
    decimal("DECIMAL(35,0)", "12345678901234567890123456789012345"),
    decimal("DECIMAL(65,30)", "-12345678901234567890123456789012345.123456789012345678901234567890"),
    floating("FLOAT", "<f", FLOAT_MAX, 1.401298464324817e-45),
    floating("FLOAT UNSIGNED", "<f", FLOAT_MAX, 1.401298464324817e-45),
    floating("DOUBLE", "<d", DOUBLE_MAX, 5e-324),
    floating("DOUBLE UNSIGNED", "<d", DOUBLE_MAX, 5e-324),
    text("CHAR(20)", 20),
    text("VARCHAR(80)", 80),
    text("TINYTEXT", 255, in_bytes=True),
    text("TEXT", 65_535, in_bytes=True),
    text("MEDIUMTEXT", 2**24 - 1, in_bytes=True),
    text("LONGTEXT", 2**32 - 1, in_bytes=True),
    binary("BINARY(16)", 16, fixed=True),
    binary("BINARY(3)", 3, fixed=True),
    binary("VARBINARY(80)", 80),
    binary("TINYBLOB", 255),
    binary("BLOB", 65_535),
    binary("MEDIUMBLOB", 2**24 - 1),
    binary("LONGBLOB", 2**32 - 1),
    *(bit(bits) for bits in (1, 9, 64)),
    Case(f"ENUM({_QUOTED})", "str: a label", "b", one_label, LABELS, ("z", " a", ""), ("a ", 1, b"a")),
    Case(
        f"SET({_QUOTED})",
        "str: labels in declared order (also set, list, tuple)",
        ["a", "b"],
        some_labels,
        ("", "a,b,a", ["a", "b"], ",".join(LABELS)),
        ("z", "a,z", "a, b"),
        (["z"], [1], 1),
    ),
    Case(
        "DATE",
        "date (also datetime at midnight, str)",
        date(2024, 5, 6),
        day,
        (date(1, 1, 1), date(9999, 12, 31), date(999, 1, 1), "2024-02-29", *ZERO_DATES),
        WRONG_DATES,
        (datetime(2024, 1, 1, 1), datetime(2024, 1, 1, tzinfo=UTC), "2024-1-1", "20240101", 1),
    ),
    *(date_time(fsp) for fsp in (0, 3, 4, 6)),
    *(timestamp(fsp) for fsp in (0, 3, 5, 6)),
    *(clock(fsp) for fsp in (0, 2, 6)),
    Case(
        "YEAR",
        "int (also str of four digits)",
        2024,
        lambda random: random.choice([0, random.randint(1901, 2155), str(random.randint(1901, 2155))]),
        (0, "0000", 1901, 2155, "2024"),
        (1900, 2156, -1),
        (1, "0", "24", True, 24.0),
    ),
    Case(
        "JSON",
        "dict, list, str, int, float, bool; JsonText for JSON text",
        {"hobbies": ["茶"], "age": 30, "id": 2**64 - 1},
        json_given,
        (
            *(JsonText(text) for text in JSON_TEXTS),
            *(nested(levels) for levels in (31, 80, 81, 100)),
            {"_json": "null"},
            {"a": {"_json": 1}},
            {"$ref": "x", "$id": 1},
            {"": {"a.b": None}},
            {"k" * 65_535: 1},
            [2**64 - 1, 2**63, -(2**63), 2**63 - 1],
            (1, (2.5, "x")),
        ),
        (*(JsonText(text) for text in ("[", "1e400", "NaN", '"\\ud800"', "01")), nested(101), {"k" * 65_536: 1}),
        (2**64, nan, inf, {1: 2}, Decimal(1), datetime(2024, 1, 1), b"x", {"a": {1}}, "\ud800", {"\ud800": 1}),
    ),
    *(geometry(base) for base in ("GEOMETRY", *SHAPES)),
    geometry("POINT SRID 4326"),
)

INTRODUCTION: Final = f"""\
# Types

What a value of each MySQL column type becomes in a document, and what comes back. This page is generated by
`tests/integration/test_type_matrix.py`, which checks every row against real servers: values over the whole range of
the type go into MySQL, into MongoDB and back into MySQL, and all of it must agree.

**Storage format version {STORAGE_FORMAT}.** The version is recorded in the catalog. Documents written under a version
stay readable.

## Rules

- A value is accepted or rejected by its declared type alone, wherever the column lives. It is rejected when MySQL in
  strict mode (`STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION`) would reject it, and where MySQL would quietly change it in
  ways hard to mean: two-digit years, ENUM positions, a DATE with a time of day, numbers as text for integers.
- Geometry is checked in structure, subtype and SRID, as MySQL does on storing. Refused besides: coordinates that are
  NaN or infinite, and collections nested deeper than 64.
- DECIMAL rounds half away from zero to its scale; FLOAT rounds to single precision. DATETIME, TIMESTAMP and TIME round
  half up to their fractional digits and carry, as MySQL does; this holds on MariaDB too, which by itself truncates.
- CHAR does not keep trailing spaces. What goes beyond the length of a text column is cut if it is white space (space,
  tab, newline, vertical tab, form feed, carriage return) and rejected otherwise: strict MySQL does the same.
- What comes back is what PyMySQL's default decoders give for the declared type. So FLOAT comes back with the six
  digits MySQL prints; the document holds it exactly. Dates that Python has no `date` for come back as text.
- TIMESTAMP is a moment: a naive datetime is UTC, an aware one is converted. Sessions are pinned to `+00:00`.
- SQL NULL is a field that is missing; BSON null, which other writers may leave, is read as NULL too.
- The ENUM value 0 (`''`, MySQL's mark for an invalid value) cannot be written under strict mode and is not supported.
- MariaDB drops the sign of a negative zero, refuses JSON of more than 31 levels, and sorts CHAR (not VARCHAR) as if it
  were padded with spaces, which shows where a value continues another with a control character.

## JSON

- Python values go in and come out; a `str` is a JSON string. `JsonText` passes JSON text, and `JsonText('null')` is
  JSON null, which `None` (SQL NULL) is not.
- As in MySQL, keys are ordered by their length in UTF-8, then by bytes; of equal keys the last wins; integers are
  those of int64 and uint64, other numbers doubles; at most 100 levels.
- Documents hold natural BSON values, which native tools can read and index. The few values BSON cannot hold exactly
  are held as a whole as `{{"_json": "<text>"}}`.
- A number that SQL functions put into a JSON column as DECIMAL, and which no double equals, keeps all its digits; it
  is read as a float.

## Order

`natural`: documents sort and compare as MySQL does (text: under a binary collation without padding), exceptions aside.
`equality`: only equality agrees. `none`: not even that.

## Matrix

| type | Python value | BSON form | order | exceptions | example | example in BSON |
|---|---|---|---|---|---|---|
"""


WIDTH: Final = 120


def document() -> str:
    """The text of docs/types.md."""
    return INTRODUCTION + "".join(_row(case) for case in CASES)


def _row(case: Case) -> str:
    codec = case.codec
    held = codec.check(case.example)
    form = json_util.dumps(codec.to_bson(held), json_options=json_util.RELAXED_JSON_OPTIONS, ensure_ascii=False)
    shown = repr(codec.public(held)).replace("datetime.", "").replace("|", "\\|")
    examples = (f"`{text if len(text) <= WIDTH else text[:WIDTH] + '…'}`" for text in (shown, form))
    cells = (f"`{case.type}`", case.python, codec.bson_form, codec.order, codec.exceptions, *examples)
    return f"| {' | '.join(cells)} |\n"
