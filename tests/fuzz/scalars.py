"""Random scalar expressions, each of one kind, that raise no error whatever the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final, TypeAlias

from tests.fuzz import jsons
from tests.fuzz.nodes import Node, node
from tests.fuzz.scope import CONNECTION, Context, Field, Scope, candidates, drawn_field, literal

Maker: TypeAlias = Callable[[Context, Scope, str, int], Node]

CONSTANTS: Final[Mapping[str, tuple[object, ...]]] = {
    "int": (0, 1, 2, 3, -1, 100, 2**63 - 1, 2**64 - 1, True, None),
    "dec": (Decimal("1.5"), Decimal("0.00"), Decimal("-3.25"), Decimal("12345678901234567890.5")),
    "flt": (1.5, 0.0, 0.1, 1e30, -2.5),
    "str": ("a", "A", "茶", "", "b ", "á", "it's", "\U0001f375", "\\", "%", "1", None),
    "bin": (b"a", b"", b"\xff\x00", b"\x80"),
    "date": (date(2024, 1, 2), date(2023, 12, 31), date(1, 1, 1)),
    "dt": (datetime(2024, 1, 2), datetime(2024, 1, 2, 3, 4, 5), datetime(2024, 1, 2, 3, 4, 5, 123456)),
    "time": (timedelta(hours=1), timedelta(0), -timedelta(minutes=1)),
}


def scalar(context: Context, scope: Scope, kind: str, depth: int, group: str = "") -> Node:
    """An expression of a kind; of text also of a collation, if ``group`` names one."""
    if kind == "str" and not group:
        group = text_group(context, scope)
    if kind == "bit":
        return field_or(context, scope, "bit", lambda: node("bit", "b'1'"))
    if kind == "point":
        return field_or(context, scope, "point", lambda: node("point", "NULL"))
    if depth <= 0 or context.odds(0.4):
        return leaf(context, scope, kind, group)
    makers = MAKERS.get(kind, ())
    if not makers or context.odds(0.12):
        return common(context, scope, kind, depth, group)
    return context.pick(makers)(context, scope, group, depth - 1)


def field_or(context: Context, scope: Scope, kind: str, otherwise: Callable[[], Node]) -> Node:
    found = drawn_field(context, scope, lambda one: one.kind == kind)
    return found[0] if found else otherwise()


def leaf(context: Context, scope: Scope, kind: str, group: str = "") -> Node:
    """A column of the kind where there is one, mostly; else a constant."""

    def fits(one: Field) -> bool:
        return one.kind == kind and (kind != "str" or one.group == group)

    if not context.odds(0.15):
        found = drawn_field(context, scope, fits)
        if found is not None:
            return found[0]
    if kind == "json":
        return jsons.constant(context)
    if kind == "str" and group == jsons.GROUP:
        return jsons.text(context, scope)
    pools = [one.pool for _, one in candidates(scope, fits) if one.pool]
    value = context.pick(context.pick(pools)) if pools and context.odds(0.7) else context.pick(CONSTANTS[kind])
    return literal(context, value, kind)


def text_group(context: Context, scope: Scope) -> str:
    """The collation of some text that is there."""
    groups = [one.group for _, one in candidates(scope, lambda one: one.kind == "str")]
    if context.odds(0.15) and candidates(scope, lambda one: one.kind == "json"):
        return jsons.GROUP
    return context.pick(groups) if groups else CONNECTION


def common(context: Context, scope: Scope, kind: str, depth: int, group: str) -> Node:
    """What every kind has: CASE, IF, COALESCE, a scalar subquery."""
    inner = depth - 1
    one, other = (scalar(context, scope, kind, inner, group) for _ in range(2))
    choice = context.chance.randrange(6)
    if choice == 0 and context.depth < 2 and kind != "json":
        return node(kind, "(", context.single(context, scope, kind, group), ")")
    if choice == 1:
        condition = context.predicate(context, scope, inner)
        return node(kind, context.word("CASE WHEN "), condition, " THEN ", one, " ELSE ", other, " END")
    if choice == 2:
        return node(
            kind, context.word("IF"), "(", context.predicate(context, scope, inner), ", ", one, ", ", other, ")"
        )
    if choice == 3 and kind not in ("json", "flt"):
        return node(kind, context.word("NULLIF"), "(", one, ", ", other, ")")
    return node(kind, context.pick(["COALESCE", "IFNULL"]), "(", one, ", ", other, ")")


def small(context: Context, scope: Scope, depth: int) -> Node:
    """A signed integer with which nothing overflows."""
    return node("int", "CAST(MOD(", scalar(context, scope, "int", depth), ", 1000) AS SIGNED)")


def _arithmetic(context: Context, scope: Scope, _group: str, depth: int) -> Node:
    operator = context.pick([" + ", " - ", " * ", " DIV ", " % ", " MOD ", "-"])
    return node("int", "(", small(context, scope, depth), operator, small(context, scope, depth), ")")


def _bits(context: Context, scope: Scope, _group: str, depth: int) -> Node:
    operator = context.pick([" & ", " | ", " ^ ", " << 1 | ", " >> "])
    return node("int", "(", small(context, scope, depth), operator, small(context, scope, 0), ")")


def _of_text(context: Context, scope: Scope, _group: str, depth: int) -> Node:
    text = scalar(context, scope, "str", depth)
    return context.pick(
        [
            node("int", context.word("CHAR_LENGTH"), "(", text, ")"),
            node("int", "LENGTH(", text, ")"),
            node("int", "LOCATE(", literal(context, context.pick(["a", "茶", ""]), "str"), ", ", text, ")"),
            node("int", "ASCII(", text, ")"),
            node("int", "FIELD(", text, ", 'a', 'b', '茶')"),
            node("int", "FIND_IN_SET('a', ", text, ")"),
            node("int", "INSTR(", text, ", 'b')"),
            node("int", "CRC32(", text, ")"),
            node("int", "CAST(", text, " AS SIGNED)"),
            node("int", "ORD(", text, ")"),
        ]
    )


def _of_json(context: Context, scope: Scope, _group: str, depth: int) -> Node:
    return jsons.integer(context, scope, depth)


def _of_date(context: Context, scope: Scope, _group: str, depth: int) -> Node:
    kind = context.pick(["date", "dt"])
    value = scalar(context, scope, kind, depth)
    function = context.pick(["YEAR", "MONTH", "DAY", "DAYOFWEEK", "QUARTER", "DAYOFYEAR", "WEEK", "TO_DAYS"])
    if context.odds(0.2):
        return node("int", "DATEDIFF(", value, ", ", scalar(context, scope, kind, 0), ")")
    if context.odds(0.2):
        unit = context.pick(["DAY", "MONTH", "HOUR", "YEAR"])
        return node("int", f"TIMESTAMPDIFF({unit}, ", value, ", ", scalar(context, scope, kind, 0), ")")
    if context.odds(0.2):
        return node("int", f"EXTRACT({context.pick(['YEAR', 'MONTH', 'DAY', 'YEAR_MONTH'])} FROM ", value, ")")
    return node("int", f"{context.word(function)}(", value, ")")


def _of_time(context: Context, scope: Scope, _group: str, depth: int) -> Node:
    function = context.pick(["HOUR", "MINUTE", "SECOND", "MICROSECOND", "TIME_TO_SEC"])
    return node("int", f"{function}(", scalar(context, scope, "time", depth), ")")


def _truth(context: Context, scope: Scope, _group: str, depth: int) -> Node:
    return node("int", "(", context.predicate(context, scope, depth), ")")


def _of_numbers(context: Context, scope: Scope, _group: str, depth: int) -> Node:
    one, other = scalar(context, scope, "int", depth), scalar(context, scope, "int", depth)
    return context.pick(
        [
            node("int", "GREATEST(", one, ", ", other, ")"),
            node("int", "LEAST(", one, ", ", other, ")"),
            node("int", "SIGN(", one, ")"),
            node("int", "ABS(", small(context, scope, depth), ")"),
            node("int", "-", small(context, scope, 0)),
            node("int", "CAST(", scalar(context, scope, "bit", 0), " AS UNSIGNED)"),
            node("int", "(", scalar(context, scope, "bit", 0), " + 0)"),
        ]
    )


def _decimal(context: Context, scope: Scope, _group: str, depth: int) -> Node:
    one, other = scalar(context, scope, "dec", depth), scalar(context, scope, "dec", 0)
    return context.pick(
        [
            node("dec", "ROUND(", one, f", {context.pick([0, 1, 2])})"),
            node("dec", "TRUNCATE(", one, ", 1)"),
            node("dec", "ABS(", one, ")"),
            node("dec", "(MOD(", one, ", 1000)", context.pick([" + ", " - ", " * "]), "MOD(", other, ", 100))"),
            node("dec", "(", small(context, scope, depth), " / ", small(context, scope, 0), ")"),
            node("dec", "CAST(", scalar(context, scope, "int", depth), " AS DECIMAL(30,3))"),
            node("dec", "CAST(", scalar(context, scope, "str", depth), " AS DECIMAL(20,5))"),
            node("dec", "GREATEST(", one, ", ", other, ")"),
            node("dec", "(", small(context, scope, depth), " * 1.10)"),
        ]
    )


def _float(context: Context, scope: Scope, _group: str, depth: int) -> Node:
    one = scalar(context, scope, "flt", depth)
    return context.pick(
        [
            node("flt", "(", one, context.pick([" * 2", " + 1", " / 4", " - 0.5"]), ")"),
            node("flt", "SQRT(ABS(", small(context, scope, depth), "))"),
            node("flt", "ABS(", one, ")"),
            node("flt", "CAST(", scalar(context, scope, "dec", depth), " AS DOUBLE)"),
            node("flt", "(", small(context, scope, depth), " * 1e0)"),
        ]
    )


def _text(context: Context, scope: Scope, group: str, depth: int) -> Node:
    one, other = scalar(context, scope, "str", depth, group), scalar(context, scope, "str", 0, group)
    added = literal(context, context.pick(["x", "茶", "", " ", "A"]), "str")
    number = context.pick([0, 1, 2, 5, -1])
    return context.pick(
        [
            node("str", context.word("CONCAT"), "(", one, ", ", added, ")"),
            node("str", "CONCAT(", one, ", ", other, ")"),
            node("str", "CONCAT_WS('-', ", one, ", ", other, ")"),
            node("str", context.word("UPPER"), "(", one, ")"),
            node("str", "LOWER(", one, ")"),
            node("str", "LEFT(", one, f", {abs(number)})"),
            node("str", "RIGHT(", one, f", {abs(number)})"),
            node("str", "SUBSTRING(", one, f", {number})"),
            node("str", "SUBSTRING(", one, f" FROM 1 FOR {abs(number)})"),
            node("str", context.pick(["TRIM(", "RTRIM(", "LTRIM(", "TRIM(BOTH 'a' FROM "]), one, ")"),
            node("str", "REPLACE(", one, ", 'a', ", added, ")"),
            node("str", "REVERSE(", one, ")"),
            node("str", "LPAD(", one, ", 4, '*')"),
            node("str", "REPEAT(", one, ", 2)"),
            node("str", "SUBSTRING_INDEX(", one, ", 'a', 1)"),
        ]
    )


def _date(context: Context, scope: Scope, _group: str, depth: int) -> Node:
    one, moment = scalar(context, scope, "date", depth), scalar(context, scope, "dt", depth)
    interval = f"INTERVAL {context.pick([1, -1, 31])} {context.pick(['DAY', 'MONTH', 'YEAR', 'WEEK'])}"
    return context.pick(
        [
            node("date", "DATE(", moment, ")"),
            node("date", f"{context.pick(['DATE_ADD', 'DATE_SUB'])}(CAST(", one, f" AS DATE), {interval})"),
            node("date", "(CAST(", one, f" AS DATE) + {interval})"),
            node("date", "LAST_DAY(", one, ")"),
            node("date", "CAST(", moment, " AS DATE)"),
            node("date", "MAKEDATE(2024, ", small(context, scope, depth), ")"),
        ]
    )


def _moment(context: Context, scope: Scope, _group: str, depth: int) -> Node:
    one = scalar(context, scope, "dt", depth)
    interval = f"INTERVAL {context.pick([1, -5, 90])} {context.pick(['HOUR', 'SECOND', 'DAY', 'MICROSECOND'])}"
    return context.pick(
        [
            node("dt", "CAST(", scalar(context, scope, "date", depth), " AS DATETIME)"),
            node("dt", "CAST(", one, f" AS DATETIME({context.pick([0, 3, 6])}))"),
            node("dt", "DATE_ADD(CAST(", one, f" AS DATETIME(6)), {interval})"),
            node("dt", "TIMESTAMP(", scalar(context, scope, "date", depth), ")"),
        ]
    )


def _clock(context: Context, scope: Scope, _group: str, depth: int) -> Node:
    return context.pick(
        [
            node("time", "TIME(", scalar(context, scope, "dt", depth), ")"),
            node("time", "SEC_TO_TIME(", small(context, scope, depth), ")"),
            node("time", "CAST(", scalar(context, scope, "time", depth), " AS TIME(3))"),
        ]
    )


def _bytes(context: Context, scope: Scope, _group: str, depth: int) -> Node:
    one = scalar(context, scope, "bin", depth)
    return context.pick(
        [
            node("bin", "CAST(", scalar(context, scope, "str", depth), " AS BINARY)"),
            node("bin", "UNHEX(HEX(", one, "))"),
            node("bin", "SUBSTRING(", one, ", 2)"),
            node("bin", "CONCAT(", one, ", X'00')"),
        ]
    )


def _json(context: Context, scope: Scope, _group: str, depth: int) -> Node:
    return jsons.document(context, scope, depth)


MAKERS: Final[Mapping[str, tuple[Maker, ...]]] = {
    "int": (_arithmetic, _bits, _of_text, _of_text, _of_json, _of_date, _of_time, _truth, _of_numbers),
    "dec": (_decimal,),
    "flt": (_float,),
    "str": (_text,),
    "bin": (_bytes,),
    "date": (_date,),
    "dt": (_moment,),
    "time": (_clock,),
    "json": (_json,),
}

KINDS: Final = ("int", "dec", "flt", "str", "bin", "date", "dt", "time", "json")


def shown(context: Context, scope: Scope, depth: int) -> tuple[Node, Field]:
    """Something to select: mostly a column as it is."""
    if context.odds(0.6):
        found = drawn_field(context, scope, lambda _: True, local=context.odds(0.9))
        if found is not None:
            return found
    if context.odds(0.2):
        return presented(context, scope)
    kind = context.pick(KINDS)
    group = text_group(context, scope) if kind == "str" else ""
    return scalar(context, scope, kind, depth, group), Field("", kind, group)


def presented(context: Context, scope: Scope) -> tuple[Node, Field]:
    """A value in another form: formatted, cast, in hexadecimal."""
    kind = context.pick(KINDS)
    value = scalar(context, scope, kind, 1)
    return context.pick(
        [
            (node("", "HEX(", scalar(context, scope, "str", 1), ")"), Field("", "str", CONNECTION, sharp=True)),
            (node("", "CAST(", value, " AS CHAR)"), Field("", "str", CONNECTION)),
            (
                node("", "DATE_FORMAT(", scalar(context, scope, "dt", 1), ", '%Y年%m-%d %H:%i:%s.%f %W')"),
                Field("", "str", CONNECTION),
            ),
            (node("", "TIME_FORMAT(", scalar(context, scope, "time", 1), ", '%H %i')"), Field("", "str", CONNECTION)),
            (node("", "QUOTE(", scalar(context, scope, "str", 1), ")"), Field("", "str", "none")),
            (node("", "ST_AsText(", scalar(context, scope, "point", 0), ")"), Field("", "str", CONNECTION)),
            (node("", "ST_X(", scalar(context, scope, "point", 0), ")"), Field("", "flt")),
            (node("", "BIN(", scalar(context, scope, "int", 1), ")"), Field("", "str", CONNECTION)),
            (node("", "FORMAT(", scalar(context, scope, "dec", 1), ", 2)"), Field("", "str", CONNECTION)),
            (node("", "HEX(", scalar(context, scope, "bin", 1), ")"), Field("", "str", CONNECTION, sharp=True)),
            (node("", "HEX(", scalar(context, scope, "bit", 1), ")"), Field("", "str", CONNECTION, sharp=True)),
            (node("", "TO_BASE64(", scalar(context, scope, "bin", 1), ")"), Field("", "str", CONNECTION)),
        ]
    )


def sharp(context: Context, scope: Scope, depth: int) -> tuple[Node, Field]:
    """An expression whose equal values are the same value."""
    if context.odds(0.6):
        found = drawn_field(context, scope, lambda one: one.sharp, local=True)
        if found is not None:
            return found
    kind = context.pick(["int", "dec", "date", "time", "str", "str"])
    if kind == "str":
        return node("", "HEX(", scalar(context, scope, "str", depth), ")"), Field("", "str", CONNECTION, sharp=True)
    return scalar(context, scope, kind, depth), Field("", kind, "", sharp=True)
