"""Cells of CSV files: what they say, and that what is written is read back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_model.tabular.cells import Unreadable, field_reader, field_writer, reader, writer
from crm_model.tabular.choices import Choice
from platform_store import ColumnAttribute, JsonText

CHINA = timezone(timedelta(hours=8))
SHORT = "VARCHAR(32)"


def read(type_: str, text: str, zone: Any = UTC) -> object:
    return reader(ColumnAttribute("c", type_), zone)(text)


def write(type_: str, value: object, zone: Any = UTC, *, formulas: bool = False) -> str:
    return writer(ColumnAttribute("c", type_), zone, formulas=formulas)(value)


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        ("INT", "12", 12),
        ("INT", " １，２００ ", 1200),
        ("INT", "-3.00", -3),
        ("INT", "−3", -3),
        ("INT UNSIGNED", "4294967295", 4294967295),
        ("BIGINT", "+9223372036854775807", 9223372036854775807),
        ("DECIMAL(14,2)", "1234.5", Decimal("1234.50")),
        ("DECIMAL(14,2)", "¥1,234.50", Decimal("1234.50")),
        ("DECIMAL(14,2)", "￥ １２.５元", Decimal("12.50")),
        ("DECIMAL(14,2)", "-¥0.10", Decimal("-0.10")),
        ("DECIMAL(14,2)", "1.2万元", Decimal("12000.00")),
        ("DECIMAL(14,2)", "3亿", Decimal("300000000.00")),
        ("DECIMAL(14,2)", "100 CNY", Decimal("100.00")),
        ("DECIMAL(14,2)", "999999999999.99", Decimal("999999999999.99")),
        ("DATE", "2026-06-01", date(2026, 6, 1)),
        ("DATE", "2026/6/1", date(2026, 6, 1)),
        ("DATE", "2026.06.1", date(2026, 6, 1)),
        ("DATE", "２０２６年６月１日", date(2026, 6, 1)),
        ("DATE", "20260601", date(2026, 6, 1)),
        ("DATE", "2024-2-29 0:00:00", date(2024, 2, 29)),
        ("DATETIME(3)", "2026-06-01", datetime(2026, 6, 1)),
        ("DATETIME(3)", "2026-06-01 8:30", datetime(2026, 6, 1, 8, 30)),
        ("DATETIME(3)", "2026-06-01T08:30:15.25", datetime(2026, 6, 1, 8, 30, 15, 250_000)),
        ("DATETIME(3)", "2026-06-01 08:30:15.123999", datetime(2026, 6, 1, 8, 30, 15, 123_000)),
        ("DATETIME(3)", "2026年6月1日8时30分15秒", datetime(2026, 6, 1, 8, 30, 15)),
        ("DATETIME(3)", "2026年6月1日 8点30分", datetime(2026, 6, 1, 8, 30)),
        ("DATETIME(3)", "2026-06-01 08:30 +08:00", datetime(2026, 6, 1, 0, 30)),
        ("DATETIME(3)", "2026-06-01T08:30:00Z", datetime(2026, 6, 1, 8, 30)),
        (SHORT, "　 张伟 ", "张伟"),
        (SHORT, "'=1+1", "=1+1"),
        (SHORT, "'", ""),
        (SHORT, "' x", " x"),
        (SHORT, "'tis", "'tis"),
        (SHORT, "=1+1", "=1+1"),
        (SHORT, "😀" * 32, "😀" * 32),
        ("TEXT", "一\n二", "一\n二"),
        ("JSON", '{"a": [1, 1.0, null]}', {"a": [1, 1.0, None]}),
        ("JSON", "null", JsonText("null")),
        ("JSON", '"x"', "x"),
    ],
)
def test_what_a_cell_says(type_: str, text: str, value: object) -> None:
    found = read(type_, text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("type_", "text", "reason"),
    [
        ("INT", "twelve", "not a number"),
        ("INT", "1.5", "not a whole number"),
        ("INT", "1,20", "not a number"),
        ("INT", "1e5", "not a number"),
        ("INT", "2147483700", "not between -2147483648 and 2147483647"),
        ("INT UNSIGNED", "-1", "not between 0 and"),
        ("TINYINT", "300", "not between -128 and 127"),
        ("BIGINT", "9" * 40, "not a number"),
        ("DECIMAL(14,2)", "0.001", "more than 2 digits behind"),
        ("DECIMAL(14,2)", "1000000000000", "more than 12 digits before"),
        ("DECIMAL(14,2)", "NaN", "not a number"),
        ("DECIMAL(14,2)", "--5", "not a number"),
        ("DECIMAL(14,2)", "٣", "not a number"),
        ("DATE", "2026-02-30", "no such day"),
        ("DATE", "2026-06-01 08:30", "not a day"),
        ("DATE", "1/6/2026", "not a day"),
        ("DATE", "26/06/01", "not a day"),
        ("DATE", "2026-06/01", "not a day"),
        ("DATETIME(3)", "2026-06-01 25:00", "no such day or time"),
        ("DATETIME(3)", "2026-06-018:30", "not a moment"),
        ("DATETIME(3)", "0001-01-01 00:00 +08:00", "no such day or time"),
        (SHORT, "x" * 33, "longer than 32 characters"),
        ("TEXT", "字" * 21_846, "longer than 65535 bytes"),
        ("JSON", "{'a': 1}", "not JSON"),
        ("JSON", "重点", "not JSON"),
        ("JSON", "NaN", "not JSON"),
        ("JSON", "1e999", "not JSON"),
        ("JSON", "[" * 5000, "not JSON"),
        ("JSON", "[" * 91 + "]" * 91, "more than 90 levels"),
        ("JSON", '"\\ud800"', "half of a surrogate pair"),
    ],
)
def test_what_a_cell_must_not_say(type_: str, text: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason) as caught:
        read(type_, text)
    assert text not in str(caught.value)


def test_moments_without_an_offset_are_of_the_zone() -> None:
    assert read("DATETIME(3)", "2026-06-01 08:00", CHINA) == datetime(2026, 6, 1)
    assert read("DATETIME(3)", "2026-06-01 08:00Z", CHINA) == datetime(2026, 6, 1, 8)
    assert write("DATETIME(3)", datetime(2026, 6, 1), CHINA) == "2026-06-01 08:00:00"


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "＝1", "\t=1", "'=1", "''@"])
def test_formulas_are_kept_from_running(text: str) -> None:
    assert write(SHORT, text) == f"'{text}"
    assert write("TEXT", text) == f"'{text}"
    assert field_writer()(text)[0] in "'\""
    left = write(SHORT, text, formulas=True)
    assert (left == text) is (text[0] not in "'\t")
    assert read(SHORT, left) == text


def test_numbers_are_no_formulas() -> None:
    assert write("DECIMAL(14,2)", Decimal("-0.50")) == "-0.50"
    assert write("INT", -5) == "-5"


TEXTS = st.text(
    st.one_of(st.sampled_from("'=+-@ \t\r\n　,\"ab1"), st.characters(exclude_categories=["Cs"])), max_size=12
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), TEXTS
)
VALUES = st.recursive(SCALARS, lambda part: st.lists(part, max_size=3) | st.dictionaries(TEXTS, part, max_size=3))


@settings(derandomize=True, max_examples=400, deadline=None)
@given(TEXTS, st.booleans())
def test_text_comes_back(text: str, formulas: bool) -> None:
    cell = write("TEXT", text, formulas=formulas)
    assert cell.strip(), "an empty cell is no value"
    assert read("TEXT", cell) == text


@settings(derandomize=True, max_examples=400, deadline=None)
@given(st.one_of(VALUES, st.sampled_from(["1", "01", "1.0", "true", "null", "[1", '"', "{}", "-5", "1e5", "1e+16"])))
def test_json_comes_back(value: object) -> None:
    assert repr(field_reader(field_writer()(value))) == repr(value)
    assert repr(field_reader(field_writer(formulas=True)(value))) == repr(value)
    whole = JsonText("null") if value is None else value
    assert repr(read("JSON", write("JSON", whole))) == repr(whole)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(
    st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30)).map(
        lambda one: one.replace(microsecond=one.microsecond // 1000 * 1000)
    ),
    st.decimals(-(10**12) + 1, 10**12 - 1, places=2),
    st.integers(-(2**63), 2**63 - 1),
)
def test_plain_values_come_back(moment: datetime, money: Decimal, number: int) -> None:
    for zone in (UTC, CHINA):
        assert read("DATETIME(3)", write("DATETIME(3)", moment, zone), zone) == moment
    assert read("DATE", write("DATE", moment.date())) == moment.date()
    assert read("DECIMAL(14,2)", write("DECIMAL(14,2)", money)) == money
    assert read("BIGINT", write("BIGINT", number)) == number


def test_words_for_values() -> None:
    words = Choice({1: ("是", "Yes"), 0: ("否",)}, closed=True).reader(lambda text: text)
    assert [words(text) for text in ("是", " YES ", "１", "1", "否")] == [1, 1, 1, 1, 0]
    with pytest.raises(Unreadable, match="none of 1, 0"):
        words("也许")
    kinds = Choice({"企业": ("公司",)}).reader(lambda text: text)
    assert [kinds("公司"), kinds("政府")] == ["企业", "政府"]
