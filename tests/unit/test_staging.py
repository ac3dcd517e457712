"""The text of whole columns is that of their values one by one, as the codec has them."""

from __future__ import annotations

import json
from random import Random
from typing import Any, Final

import bson
import pytest
from bson import Code, Decimal128, Int64
from hypothesis import given
from hypothesis import strategies as st

from platform_store.codecs import codec_for
from platform_store.declaration import declare
from platform_store.errors import ValueRejected
from platform_store.halves import CODEC_OPTIONS
from platform_store.records import ColumnAttribute
from platform_store.sqltypes import parse_type
from platform_store.stores.mysql_staging import Stager
from platform_store.stores.mysql_values import ColumnText
from platform_store.stores.scratch import Scratch
from tests.integration.type_matrix import CASES, Case

DRAWN: Final = 60


def read_back(value: object) -> Any:
    return bson.decode(bson.encode({"v": value}), CODEC_OPTIONS)["v"]


def forms(case: Case) -> list[Any]:
    """BSON values over the whole range of a type."""
    random = Random(f"{case.type} staged")
    given_values = [case.example, *case.edges, *(case.draw(random) for _ in range(DRAWN))]
    return [read_back(case.codec.encode(value)) for value in given_values]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.type[:40])
def test_a_column_is_its_values(case: Case) -> None:
    text = ColumnText(parse_type(case.type))
    values = forms(case)
    expected = [meaning(case, text.stored(case.codec.stored_from_bson(value))) for value in values]
    assert [meaning(case, text.texts([value])[0]) for value in values] == expected
    assert [meaning(case, one) for one in text.texts(values)] == expected
    assert [meaning(case, one) for one in text.texts([None, *values, None])] == [None, *expected, None]
    assert text.texts([None]) == [None]
    assert text.texts([]) == []


def meaning(case: Case, text: str | None) -> object:
    """Equal where MySQL is told the same: of a DECIMAL, or of zeros that end a time of day."""
    spelled = text is not None and case.codec.sql_type.base in ("DECIMAL", "DATETIME", "TIMESTAMP")
    return case.codec.check(text) if spelled else text


@pytest.mark.parametrize(
    ("type_text", "value"),
    [
        ("INT", True),
        ("INT", 2**31),
        ("INT", "5"),
        ("INT", 5.0),
        ("BIGINT UNSIGNED", -1),
        ("DECIMAL(8,2)", Decimal128("NaN")),
        ("DECIMAL(8,2)", Decimal128("Infinity")),
        ("DECIMAL(8,2)", 5),
        ("FLOAT", 0.1),
        ("FLOAT", 1e39),
        ("DOUBLE", float("inf")),
        ("DOUBLE", 1),
        ("VARCHAR(5)", b"x"),
        ("BINARY(3)", b"xx"),
        ("BIT(3)", b"\xff"),
        ("ENUM('a')", "b"),
        ("SET('a','b')", "b,a"),
        ("DATE", "2024-01-01"),
        ("DATETIME(6)", "2024-01-01T00:00:00.000000"),
        ("DATETIME(5)", "2024-01-01 00:00:00.000001"),
        ("DATETIME(6)", "20240101 000000.0000000000"),
        ("TIME(2)", 1),
        ("TIME", 839 * 3600 * 10**6),
        ("YEAR", 1900),
        ("YEAR", True),
        ("JSON", float("nan")),
        ("JSON", {"a": Code("x")}),
        ("JSON", [{"a": b"x"}]),
        ("POINT", b"x"),
    ],
)
def test_what_the_codec_refuses_is_refused(type_text: str, value: object) -> None:
    with pytest.raises(ValueRejected):
        codec_for(parse_type(type_text)).stored_from_bson(value)
    for others in ([], forms(next(case for case in CASES if parse_type(case.type).base == parse_type(type_text).base))):
        with pytest.raises(ValueRejected):
            ColumnText(parse_type(type_text)).texts([*others, value])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text() | st.integers(2**63, 2**64 - 1).map(lambda number: Decimal128(str(number))) | st.just(Int64(2**40)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text().filter(lambda key: "\0" not in key), inner),
)  # fmt: skip


@given(st.lists(json_values.filter(lambda value: value is not None)))
def test_json_is_what_the_codec_writes(values: list[Any]) -> None:
    codec = codec_for(parse_type("JSON"))
    good = [value for value in values if accepted(codec, value)]
    assert ColumnText(parse_type("JSON")).texts(good) == [codec.to_sql(codec.stored_from_bson(one)) for one in good]


def accepted(codec: Any, value: object) -> bool:
    try:
        codec.stored_from_bson(value)
    except ValueRejected:
        return False
    return True


@given(st.lists(st.none() | st.text(alphabet="ab\x1b\x1e\x1fN\\'\n\t\0é\U0001f600"), min_size=1))
def test_texts_come_apart_again(texts: list[str | None]) -> None:
    columns = [ColumnAttribute("id", "INT"), ColumnAttribute("a", "LONGTEXT"), ColumnAttribute("b", "LONGTEXT")]
    table = declare("t", columns, 0, key_collation="utf8mb4_0900_bin", text_collation="utf8mb4_0900_bin")
    stager = Stager(Scratch("s", table, table.columns[1:]))
    documents = [{"_id": number, "a": text, "b": text} for number, text in enumerate(texts)]
    sent = stager.upload(stager.stage(documents)).decode()
    assert read_as_mysql_does(sent) == [[str(n), "0", text, text] for n, text in enumerate(texts)]


def read_as_mysql_does(sent: str) -> list[list[str | None]]:
    lines: list[list[str | None]] = [[]]
    field, null = "", False
    characters = iter(sent)
    for character in characters:
        if character == "\x1b":
            following = next(characters)
            null = following == "N"
            field += following
        elif character in "\x1e\x1f":
            lines[-1].append(None if null and field == "N" else field)
            field, null = "", False
            if character == "\x1e":
                lines.append([])
        else:
            field += character
    assert lines.pop() == []
    return lines


def test_json_text_is_json() -> None:
    value = {"a": [1, 2.5, 'x"\\\n\u2028', None, True], "é": {"b": {}}}
    (text,) = ColumnText(parse_type("JSON")).texts([value])
    assert text is not None
    assert json.loads(text) == value
