"""Placeholders are found where MySQL would find them, and nothing else of a statement is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_store.errors import NotSupported, ValueRejected
from platform_store.placeholders import bind, segments, string_value

TEXT = st.text(st.sampled_from("ab %s:?'\"`\\#-*/()\n客😀"), max_size=12)


def single(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def double(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def name(text: str) -> str:
    return "`" + text.replace("`", "``") + "`"


def block(text: str) -> str:
    return "/*" + text.replace("*/", "").rstrip("*") + " */"


def line(text: str) -> str:
    return "-- " + text.replace("\n", "") + "\n"


def hash_line(text: str) -> str:
    return "#" + text.replace("\n", "") + "\n"


QUOTED = st.builds(
    lambda quote, text: quote(text), st.sampled_from([single, double, name, block, line, hash_line]), TEXT
)
CODE = st.sampled_from(["SELECT a", " = ", ", ", " - 1 ", " / ", " -1--2 "])


@given(st.lists(st.tuples(CODE, QUOTED), max_size=6))
def test_without_parameters_a_statement_is_unchanged(pieces: list[tuple[str, str]]) -> None:
    statement = "".join(code + quoted for code, quoted in pieces)
    assert bind(statement, None) == (statement, {})


@given(st.lists(st.tuples(CODE, QUOTED), max_size=6))
def test_quoted_pieces_are_found_whole(pieces: list[tuple[str, str]]) -> None:
    statement = "".join(code + quoted for code, quoted in pieces)
    found = list(segments(statement))
    assert "".join(segment.text for segment in found) == statement
    texts = [segment.text for segment in found if segment.kind != "code"]
    assert texts == [quoted.removesuffix("\n") for _, quoted in pieces]  # the end of a line ends a comment


@given(st.lists(st.tuples(CODE, QUOTED), max_size=6))
def test_no_literal_is_ever_touched(pieces: list[tuple[str, str]]) -> None:
    statement = "".join(f"{code}%s {quoted.replace('%', '%%')} " for code, quoted in pieces)
    bound, values = bind(statement, list(range(len(pieces))))
    assert bound == "".join(f"{code}:p{number} {quoted} " for number, (code, quoted) in enumerate(pieces))
    assert values == {f"p{number}": number for number in range(len(pieces))}


@given(TEXT)
def test_a_string_literal_gives_its_text_back(text: str) -> None:
    assert string_value(single(text)) == text
    assert string_value(double(text)) == text


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        (r"'\n\t\r\0\b\Z'", "\n\t\r\0\b\x1a"),
        (r"'\%\_'", r"\%\_"),
        (r"'\q\\\''", r"q\'"),
        ("'a\"\"b'", 'a""b'),
        ("\"a''b\"", "a''b"),
        ('"a""b"', 'a"b'),
        ("''", ""),
    ],
)
def test_escapes_are_mysqls(literal: str, text: str) -> None:
    assert string_value(literal) == text


@pytest.mark.parametrize("literal", ["'", "'a", "'a\\'", "'a''", '"a'])
def test_an_unterminated_string_is_refused(literal: str) -> None:
    with pytest.raises(ValueRejected, match="does not end"):
        string_value(literal)


@pytest.mark.parametrize(
    ("statement", "parameters", "bound", "values"),
    [
        ("SELECT %s, %s", [1, "x"], "SELECT :p0, :p1", {"p0": 1, "p1": "x"}),
        ("SELECT %(a)s, %(b)s, %(a)s", {"a": 1, "b": 2, "c": 3}, "SELECT :p0, :p1, :p0", {"p0": 1, "p1": 2}),
        ("SELECT a %% 2, '50%%', `%%`", (), "SELECT a % 2, '50%', `%`", {}),
        ("SELECT a %% 2", {}, "SELECT a % 2", {}),
        ("SELECT 5--%s", [1], "SELECT 5--:p0", {"p0": 1}),
        ("SELECT @x := %s", [1], "SELECT @x := :p0", {"p0": 1}),
    ],
)
def test_placeholders_are_numbered(
    statement: str,
    parameters: Sequence[object] | Mapping[str, object],
    bound: str,
    values: dict[str, object],
) -> None:
    assert bind(statement, parameters) == (bound, values)


@pytest.mark.parametrize(
    ("statement", "parameters", "reason"),
    [
        ("SELECT %s", [], "more placeholders than the 0 parameters"),
        ("SELECT %s", [1, 2], "1 placeholders, but 2 parameters"),
        ("SELECT %(a)s", {"b": 1}, "'a'"),
        ("SELECT %(a)s", [1], "a mapping"),
        ("SELECT %s", {"a": 1}, "a list or tuple"),
        ("SELECT %s, %(a)s", [1], "a mapping"),
        ("SELECT '%s'", ["secret"], "inside a literal"),
        ("SELECT `%(a)s`", {"a": "secret"}, "inside a literal"),
        ("SELECT 1 -- %s", ["secret"], "inside a literal"),
        ("SELECT /* %s */ 1", ["secret"], "inside a literal"),
        ("SELECT a FROM t WHERE b LIKE 'a%'", [], "%%"),
        ("SELECT a % 2", [], "%%"),
        ("SELECT %d", [1], "%%"),
        ("SELECT %s", "secret", "not str"),
        ("SELECT %s", 5, "not int"),
        ("SELECT %s", [{"secret": 1}], "parameter 1 is of type dict"),
        ("SELECT %s, %s", [1, frozenset({"secret"})], "parameter 2 is of type frozenset"),
        ("SELECT %(a)s", {"a": 1, "unused": {"secret": 1}}, "parameter 'unused' is of type dict"),
        ("SELECT %s", [memoryview(b"secret")], "of type memoryview"),
        ("SELECT %s", [type("Kind", (int,), {})(5)], "of type Kind"),
        ("SELECT %s", [float("inf")], "a float that is NaN"),
        ("SELECT %s", [Decimal("NaN")], "a Decimal that is NaN"),
        ("SELECT %s", [Decimal("1E+99999")], "too large"),
        ("SELECT %s", [-(10**5000)], "too large"),
        ("SELECT %s", [datetime(2024, 1, 1, tzinfo=UTC)], "a datetime with a time zone"),
        ("SELECT %s", [time(1, tzinfo=UTC)], "a time with a time zone"),
        ("SELECT %s", ["secret\udcff"], "parameter 1 has a lone surrogate"),
        ("SELECT '\ud800'", [], "the statement has a lone surrogate"),
        ("SELECT '\ud800'", None, "the statement has a lone surrogate"),
        ("SELECT %(a(b)s", {"a(b": 1}, "parenthesis"),
        ("SELECT a = %s", [[1]], "right after IN"),
        ("SELECT a IN (%s)", [[1]], "right after IN"),
        ("SELECT a JOIN %(x)s", {"x": (1,)}, "right after IN"),
        ("SELECT a IN %(x)s OR %(x)s", {"x": (1,)}, "right after IN"),
        ("SELECT a IN %s", [()], "an empty list"),
        ("SELECT a IN %s", [["x", {"secret"}]], "item 2 of parameter 1 is of type set"),
        ("SELECT (a, b) IN %s", [[(1, 2)]], "item 1 of parameter 1 is of type tuple"),
    ],
)
def test_what_does_not_fit_is_refused_without_a_value(statement: str, parameters: object, reason: str) -> None:
    with pytest.raises(ValueRejected) as caught:
        bind(statement, parameters)  # type: ignore[arg-type]
    assert reason in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("items", [[1, "x", None], (b"x",), [Decimal("1.5"), 1.5, True]])
@pytest.mark.parametrize("keyword", ["IN ", "in\n", "NOT IN"])
def test_a_list_stands_right_after_in(keyword: str, items: Sequence[object]) -> None:
    assert bind(f"SELECT a {keyword}%s", [items]) == (f"SELECT a {keyword}:p0", {"p0": items})


def test_every_type_that_a_driver_writes_is_taken() -> None:
    values: list[object] = [
        None, True, 10**65, 1.5, Decimal("1E-30"), "客😀", b"\xff", bytearray(b"x"),
        date(2024, 2, 29), datetime(2024, 2, 29, 1), time(1), timedelta(hours=-30),
    ]  # fmt: skip
    statement, bound = bind(", ".join(["%s"] * len(values)), values)
    assert statement == ", ".join(f":{name}" for name in bound)
    assert list(bound.values()) == values


@pytest.mark.parametrize("parameters", [None, [], {}])
@pytest.mark.parametrize("statement", ["SELECT ?", "SELECT :p0", "SELECT a:b", "SELECT a::int"])
def test_other_styles_are_refused(statement: str, parameters: Sequence[object] | Mapping[str, object] | None) -> None:
    with pytest.raises(NotSupported, match="placeholder"):
        bind(statement, parameters)
