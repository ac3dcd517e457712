"""Codecs without servers: what they accept and refuse, their round trip through BSON, and its order."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal, localcontext
from random import Random
from typing import Any
from uuid import UUID

import bson
import pytest
from bson.codec_options import CodecOptions, DatetimeConversion
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from platform_store.codecs import STORAGE_FORMAT, JsonText, codec_for
from platform_store.codecs.json import json_text
from platform_store.errors import ValueRejected
from platform_store.sqltypes import parse_type
from tests.integration.type_matrix import CASES, Case, nested, point

OPTIONS: CodecOptions[dict[str, object]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
BY_TYPE = pytest.mark.parametrize("case", CASES, ids=lambda case: case.type[:40])
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def through_bson(value: object) -> object:
    return bson.decode(bson.encode({"v": value}), codec_options=OPTIONS)["v"]


def identical(left: object, right: object) -> bool:
    """Equal in type, in key order and in the sign of zero, too."""
    return type(left) is type(right) and repr(left) == repr(right)


def checked(sql_type: str, value: object) -> object:
    return codec_for(parse_type(sql_type)).check(value)


@pytest.mark.parametrize("index", range(len(CASES)), ids=[case.type[:40] for case in CASES])
@FEW
@given(seed=st.integers(0, 2**32))
def test_stored_values_survive_bson(index: int, seed: int) -> None:
    codec = CASES[index].codec
    stored = codec.check(CASES[index].draw(Random(seed)))
    form = through_bson(codec.to_bson(stored))
    assert identical(codec.stored_from_bson(form), stored)
    assert identical(codec.from_bson(form), codec.public(stored))
    if codec.sql_type.base == "JSON":
        assert identical(codec.from_exact(codec.to_sql(stored)), stored)


@BY_TYPE
def test_edges_are_stored_and_checking_twice_changes_nothing(case: Case) -> None:
    for value in (case.example, *case.edges):
        stored = case.codec.check(value)
        assert identical(case.codec.stored_from_bson(through_bson(case.codec.to_bson(stored))), stored)
        assert identical(case.codec.check(stored), stored)


@pytest.mark.parametrize("index", range(len(CASES)), ids=[case.type[:40] for case in CASES])
@FEW
@given(seed=st.integers(0, 2**32))
def test_a_column_of_values_becomes_what_each_does(index: int, seed: int) -> None:
    case, draw = CASES[index], Random(seed)
    codec = case.codec
    edges = draw.sample([case.example, *case.edges], k=draw.randrange(2))  # so that some columns are of one kind
    values = [*(case.draw(draw) for _ in range(draw.randrange(4))), *edges]
    assert identical(list(codec.column_check(values)), [codec.check(value) for value in values])
    forms = list(codec.column_encode(values))
    assert identical(forms, [codec.encode(value) for value in values])
    for found in (forms, [None, *forms, None]):
        expected = [None if form is None else codec.from_bson(through_bson(form)) for form in found]
        assert identical(list(codec.column_from_bson([through_bson(form) for form in found])), expected)


@BY_TYPE
def test_a_column_is_rejected_where_a_value_is(case: Case) -> None:
    for value in case.rejected + case.refused:
        for convert in (case.codec.column_check, case.codec.column_encode):
            with pytest.raises(ValueRejected):
                convert([case.example, value, case.example])
    for form in (bson.ObjectId(), bson.Timestamp(1, 1)):
        with pytest.raises(ValueRejected):
            case.codec.column_from_bson([through_bson(case.codec.encode(case.example)), form])


def test_values_of_json_are_copies() -> None:
    given = [{"b": [1, {"c": 2}], "a": 3}, [{"d": []}]]
    for convert in (checked, lambda _, value: codec_for(parse_type("JSON")).column_check([value])[0]):
        for value in given:
            before = repr(value)
            nested: Any = convert("JSON", value)
            assert nested is not value
            (nested["b"][1] if isinstance(nested, dict) else nested[0])["e"] = 4
            assert repr(value) == before


@pytest.mark.parametrize("depth", [79, 80, 81, 90])
def test_a_column_of_json_may_nest_as_deep_as_a_value(depth: int) -> None:
    value = nested(depth)
    codec = codec_for(parse_type("JSON"))
    assert identical(list(codec.column_encode([1, value])), [1, codec.encode(value)])


def test_a_value_that_holds_itself_is_rejected() -> None:
    endless: list[object] = []
    endless += [endless, endless]
    with pytest.raises(ValueRejected, match="deeper"):
        codec_for(parse_type("JSON")).column_encode([endless])


@BY_TYPE
def test_rejections_say_why_without_the_value(case: Case) -> None:
    for value in case.rejected + case.refused:
        with pytest.raises(ValueRejected) as caught:
            case.codec.check(value)
        shown = str(value)
        message = str(caught.value)
        assert len(shown) < 7 or shown not in (message.split() if isinstance(value, int) else message)
        assert len(caught.value.reason) < 400
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


@BY_TYPE
def test_forms_never_written_are_rejected(case: Case) -> None:
    for form in (bson.ObjectId(), bson.Regex("x"), bson.Timestamp(1, 1), bson.DatetimeMS(10**17), {"_json": 1}):
        with pytest.raises(ValueRejected, match="the document holds"):
            case.codec.from_bson(form)


@pytest.mark.parametrize(
    ("sql_type", "form"),
    [
        ("TINYINT", 128),
        ("INT", True),
        ("INT", 1.0),
        ("BIGINT UNSIGNED", bson.Decimal128("5")),
        ("BIGINT UNSIGNED", bson.Decimal128("NaN")),
        ("BIGINT", bson.Decimal128("9223372036854775808")),
        ("DECIMAL(5,2)", bson.Decimal128("1.005")),
        ("DECIMAL(5,2)", bson.Decimal128("NaN")),
        ("DECIMAL(5,2)", 1.5),
        ("DECIMAL(40,0)", {"lo": bson.Decimal128("1"), "hi": bson.Decimal128("1")}),
        ("DECIMAL(40,0)", bson.Decimal128("1")),
        ("DECIMAL(5,2)", bson.Decimal128("sNaN")),
        ("DECIMAL(5,2)", bson.Decimal128("1E+6000")),
        ("DECIMAL(40,0)", {"hi": bson.Decimal128("sNaN"), "lo": bson.Decimal128("1")}),
        ("DECIMAL(40,0)", {"hi": bson.Decimal128("1"), "lo": 1}),
        ("FLOAT", 0.1),
        ("FLOAT", 1e300),
        ("DOUBLE", float("nan")),
        ("BINARY(3)", b"a"),
        ("BIT(3)", b"\x08"),
        ("ENUM('a')", "b"),
        ("SET('a','b')", "a,c"),
        ("DATE", datetime(2024, 1, 1, 1)),
        ("DATE", "2024-01-01"),
        ("DATETIME", datetime(2024, 1, 1, 0, 0, 0, 1000)),
        ("DATETIME", "2024-01-01 00:00:00"),
        ("DATETIME(6)", datetime(2024, 1, 1)),
        ("DATETIME(4)", "2024-01-01 00:00:00.000001"),
        ("TIME", 1),
        ("TIME", 839 * 3600 * 10**6),
        ("YEAR", 1900),
        ("SET('a','b')", "b,a"),
        ("JSON", {"_json": "{"}),
        ("JSON", [float("nan")]),
        ("JSON", {"a": b"x"}),
    ],
)
def test_malformed_forms_are_rejected(sql_type: str, form: object) -> None:
    with pytest.raises(ValueRejected, match="the document holds"):
        codec_for(parse_type(sql_type)).from_bson(through_bson(form))


@pytest.mark.parametrize(
    ("sql_type", "given_value", "stored"),
    [
        ("INT", True, 1),
        ("DECIMAL(5,2)", "1.005", Decimal("1.01")),
        ("DECIMAL(5,2)", -1.005, Decimal("-1.01")),
        ("DECIMAL(5,2)", "-0.001", Decimal("0.00")),
        ("DECIMAL(5,2)", Decimal("1E-999"), Decimal("0.00")),
        ("FLOAT", 16777217, 16777216.0),
        ("CHAR(3)", "ab \t", "ab"),
        ("CHAR(3)", "a  ", "a"),
        ("VARCHAR(3)", "ab    ", "ab "),
        ("VARCHAR(3)", "abc\t\n", "abc"),
        ("VARCHAR(3)", JsonText("abc"), "abc"),
        ("BINARY(3)", memoryview(b"a"), b"a\0\0"),
        ("BINARY(16)", UUID(int=1), bytes(15) + b"\x01"),
        ("BIT(9)", b"\0\0\x01\x01", b"\x01\x01"),
        ("SET('b','a')", ["a", "b", "a"], "b,a"),
        ("SET('b','a')", "", ""),
        ("DATE", datetime(2024, 5, 6), date(2024, 5, 6)),
        ("DATE", "2024-05-06", date(2024, 5, 6)),
        ("DATE", "2024-05-00", "2024-05-00"),
        ("DATETIME", datetime(2024, 2, 29, 23, 59, 59, 500_000), datetime(2024, 3, 1)),
        ("DATETIME(2)", "2024-05-00 01:02:03.456", "2024-05-00 01:02:03.46"),
        ("DATETIME", "0000-12-31 23:59:59.5", datetime(1, 1, 1)),
        ("DATETIME", "0000-05-15 23:59:59.5", "0000-05-16 00:00:00"),
        ("DATETIME", datetime(2024, 1, 1, fold=1), datetime(2024, 1, 1)),
        ("TIMESTAMP", datetime(2024, 1, 1, 8, tzinfo=timezone(timedelta(hours=8))), datetime(2024, 1, 1)),
        ("TIMESTAMP(3)", "0000-00-00", "0000-00-00 00:00:00.000"),
        ("TIME", time(1, 2, 3, 500_000), timedelta(hours=1, minutes=2, seconds=4)),
        ("TIME", "-00:00:00.5", timedelta(seconds=-1)),
        ("YEAR", "0000", 0),
        ("JSON", {"bb": (1, None), "a": True}, {"a": True, "bb": [1, None]}),
        ("JSON", JsonText('{"a": 1, "a": 2}'), {"a": 2}),
        ("JSON", JsonText("18446744073709551616"), 1.8446744073709552e19),
        ("JSON", JsonText("null"), JsonText("null")),
        ("JSON", [JsonText("null")], [None]),
        ("JSON", "null", "null"),
    ],
)
def test_stored_value(sql_type: str, given_value: object, stored: object) -> None:
    assert identical(checked(sql_type, given_value), stored)


@pytest.mark.parametrize(
    ("sql_type", "value", "form"),
    [
        ("TINYINT(1)", True, 1),
        ("BIGINT UNSIGNED", 2**63 - 1, 2**63 - 1),
        ("BIGINT UNSIGNED", 2**63, bson.Decimal128("9223372036854775808")),
        ("DECIMAL(34,2)", "1.5", bson.Decimal128("1.50")),
        ("DECIMAL(35,2)", "-1.5", {"hi": bson.Decimal128("-1.50"), "lo": bson.Decimal128("0.00")}),
        (
            "DECIMAL(36,2)",
            "-1234567890123456789012345678901234.56",
            {"hi": bson.Decimal128("-1234567890123456789012345678901235"), "lo": bson.Decimal128("0.44")},
        ),
        ("FLOAT", 0.1, 0.10000000149011612),
        ("DOUBLE", 1, 1.0),
        ("VARCHAR(5)", "茶", "茶"),
        ("BINARY(3)", b"a", b"a\0\0"),
        ("BIT(9)", 5, b"\0\x05"),
        ("ENUM('b','a')", "a", "a"),
        ("SET('b','a')", {"a", "b"}, "b,a"),
        ("DATE", date(2024, 5, 6), datetime(2024, 5, 6)),
        ("DATE", "2024-05-00", "2024-05-00"),
        ("DATETIME", "0000-00-00", "0000-00-00 00:00:00"),
        ("DATETIME(3)", datetime(2024, 5, 6, 7, 8, 9, 123_000), datetime(2024, 5, 6, 7, 8, 9, 123_000)),
        ("DATETIME(3)", "2024-05-00", "2024-05-00 00:00:00.000"),
        ("DATETIME(4)", datetime(2024, 5, 6), "2024-05-06 00:00:00.000000"),
        ("DATETIME(4)", "2024-05-00", "2024-05-00 00:00:00.000000"),
        ("DATETIME(6)", date(1, 1, 1), "0001-01-01 00:00:00.000000"),
        ("TIMESTAMP(6)", datetime(2024, 5, 6, tzinfo=UTC), "2024-05-06 00:00:00.000000"),
        ("TIME(6)", "-00:00:01.000001", -1_000_001),
        ("YEAR", "2024", 2024),
        ("JSON", {"b": 1, "a": [2**64 - 1, 1.0]}, {"a": [bson.Decimal128("18446744073709551615"), 1.0], "b": 1}),
        ("JSON", JsonText("null"), {"_json": "null"}),
        ("JSON", {"b": 1, "$a": [1.0, 1e20]}, {"_json": '{"b": 1, "$a": [1.0, 1e20]}'}),
        ("POINT", bytes(4) + point(), bytes(4) + point()),
    ],
)
def test_storage_format_1_never_changes(sql_type: str, value: object, form: object) -> None:
    assert STORAGE_FORMAT == 1
    codec = codec_for(parse_type(sql_type))
    written = codec.to_bson(codec.check(value))
    assert identical(written, form)
    assert bson.encode({"v": written}) == bson.encode({"v": form})


class Moment(datetime):
    """As some libraries give for a datetime."""


class Day(date):
    """As some libraries give for a date."""


def test_stored_values_are_of_plain_types() -> None:
    moment = Moment(2024, 1, 1, fold=1)
    assert identical(checked("DATETIME", moment), datetime(2024, 1, 1))
    assert identical(checked("TIMESTAMP", moment.replace(tzinfo=UTC)), datetime(2024, 1, 1))
    assert identical(checked("DATE", Day(2024, 1, 1)), date(2024, 1, 1))
    assert identical(checked("DATE", Moment(2024, 1, 1)), date(2024, 1, 1))


@pytest.mark.parametrize("number", [Decimal("0E+999999"), Decimal("1E-999999"), Decimal("0." + "3" * 5000)])
def test_decimals_of_any_exponent_round(number: Decimal) -> None:
    assert checked("DECIMAL(2,0)", number) == 0


def test_signalling_nan_is_rejected() -> None:
    for sql_type in ("DECIMAL(5,2)", "FLOAT", "DOUBLE"):
        with pytest.raises(ValueRejected, match="NaN"):
            checked(sql_type, Decimal("sNaN"))


def test_decimals_do_not_depend_on_the_callers_context() -> None:
    exact = Decimal("-12345678901234567890123456789012345.123456789012345678901234567890")
    codec = codec_for(parse_type("DECIMAL(65,30)"))
    with localcontext(prec=5):
        stored = codec.check(exact)
        assert identical(codec.from_bson(through_bson(codec.to_bson(stored))), exact)


@given(st.lists(st.integers(-(10**65) + 1, 10**65 - 1), min_size=2, max_size=20), st.integers(0, 30))
def test_split_decimals_sort_like_the_numbers(numbers: list[int], shift: int) -> None:
    codec = codec_for(parse_type("DECIMAL(65,30)"))
    values = sorted(Decimal(f"{number // 10 ** (shift * 2)}E-30") for number in numbers)
    forms = [codec.to_bson(codec.check(value)) for value in values]
    pairs = []
    for form in forms:
        assert isinstance(form, dict)
        assert form["lo"].to_decimal() >= 0
        pairs.append((form["hi"].to_decimal(), form["lo"].to_decimal()))
    assert pairs == sorted(pairs)


@given(st.lists(st.datetimes(), min_size=2), st.integers(4, 6))
def test_datetimes_as_text_sort_like_the_moments(moments: list[datetime], fsp: int) -> None:
    codec = codec_for(parse_type(f"DATETIME({fsp})"))
    stored = [codec.check(moment.replace(microsecond=moment.microsecond // 100 * 100)) for moment in moments]
    assert sorted(stored, key=str) == sorted(stored, key=lambda value: str(codec.to_bson(value)))


def test_json_rejections_name_the_place() -> None:
    with pytest.raises(ValueRejected, match=r'^at \$\."a"\[1\]: JSON has no Decimal'):
        checked("JSON", {"a": [1, Decimal(1)]})


def test_json_rejections_are_short() -> None:
    with pytest.raises(ValueRejected) as caught:
        checked("JSON", {"k" * 60_000: {1: 1}})
    assert len(caught.value.reason) < 300


def test_json_depth_is_limited_before_the_stack_is() -> None:
    assert checked("JSON", nested(100))
    for deep in (nested(101), nested(100_000), JsonText("[" * 100_000 + "]" * 100_000)):
        with pytest.raises(ValueRejected, match="deeper than 100 levels"):
            checked("JSON", deep)


def test_json_numbers_no_double_equals_keep_their_text() -> None:
    codec = codec_for(parse_type("JSON"))
    text = '{"a": 0.12345678901234567890123}'
    stored = codec.from_exact(text)
    assert identical(stored, JsonText(text))
    form = through_bson(codec.to_bson(stored))
    assert form == {"_json": text}
    assert identical(codec.stored_from_bson(form), stored)
    assert codec.to_sql(stored) == text
    assert identical(codec.from_bson(form), codec.from_sql(text))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1e15, "1e15"),
        (1e14, "100000000000000.0"),
        (1e-15, "0.000000000000001"),
        (1e-16, "1e-16"),
        (-1.5e-5, "-0.000015"),
    ],
)
def test_json_doubles_are_written_as_mysql_does(number: float, text: str) -> None:
    assert json_text([number]) == f"[{text}]"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_json_doubles_read_back(number: float) -> None:
    assert identical(float(json_text(number)), number)


def test_sql_null_is_not_json_null() -> None:
    codec = codec_for(parse_type("JSON"))
    assert codec.from_sql("null") == JsonText("null")
    assert codec.to_bson(codec.check(JsonText("null"))) == {"_json": "null"}
    assert codec.to_bson(codec.check({"_json": "null"})) == {"_json": '{"_json": "null"}'}


def test_nested_collections_cannot_exhaust_the_stack() -> None:
    deep = b"\x01\x07\0\0\0\x01\0\0\0" * 10_000 + point()
    with pytest.raises(ValueRejected, match="nests collections"):
        checked("GEOMETRY", b"\0\0\0\0" + deep)


def test_a_geometry_that_claims_more_points_than_it_has_is_cut_short() -> None:
    with pytest.raises(ValueRejected, match="cut short"):
        checked("LINESTRING", bytes(4) + b"\x01\x02\0\0\0" + b"\xff" * 4)


def test_timestamps_beyond_the_calendar_are_out_of_range() -> None:
    for moment in (datetime.min.replace(tzinfo=timezone(timedelta(hours=1))), datetime(1970, 1, 1, tzinfo=UTC)):
        with pytest.raises(ValueRejected, match="out of range"):
            checked("TIMESTAMP", moment)


def test_only_small_exactly_comparable_types_may_be_keys() -> None:
    keys = {case.codec.sql_type.base for case in CASES if case.codec.key}
    integers = {"TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT"}
    assert keys == integers | {"CHAR", "VARCHAR", "BINARY", "DATE", "DATETIME"}
