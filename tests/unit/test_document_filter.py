"""Filters for MongoDB: what of a predicate is sent, and what is not. That they are supersets is test_pushdown's."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from bson import Decimal128, encode
from bson.regex import Regex

from platform_store.association import Column
from platform_store.query.document_filter import document_filter
from platform_store.query.predicate_types import (
    And,
    Comparison,
    Const,
    In,
    IsNull,
    JsonContains,
    JsonSearch,
    JsonValue,
    Like,
    Not,
    Or,
    Predicate,
    Ref,
)
from platform_store.query.text_patterns import like_patterns
from platform_store.records import ColumnAttribute, Placement

BINARY = "utf8mb4_0900_bin"


def ref(sql_type: str, collation: str | None = None, placement: Placement = "mongodb") -> Ref:
    return Ref(0, Column(ColumnAttribute(f"{sql_type} {placement}", sql_type, collation=collation), placement, "f"))


INT = ref("INT")
TEXT = ref("TEXT", BINARY)
LOOSE = ref("TEXT", "utf8mb4_0900_ai_ci")
JSON = ref("JSON")
MYSQL = ref("INT", placement="mysql")
COPY = ref("INT", placement="both")
WRAPPED = {"f._json": {"$exists": True}}
ONE = Comparison("=", INT, Const(1))
PRESENT: dict[str, Any] = {"f": {"$ne": None}}


def condition(predicate: Predicate, *, mariadb: bool = False) -> dict[str, Any] | None:
    return document_filter(predicate, mariadb=mariadb)


@pytest.mark.parametrize(
    ("predicate", "expected"),
    [
        (ONE, {"f": {"$eq": 1}}),
        (Comparison("<", Const(1), INT), {"f": {"$gt": 1}}),
        (Comparison("<>", INT, Const(1)), {"f": {"$nin": [None, 1]}}),
        (Comparison(">", INT, Const(Decimal("1.5"))), {"f": {"$gt": Decimal128("1.5")}}),
        (Comparison("=", INT, Const("12abc")), PRESENT),
        (Comparison("=", INT, Const(None)), None),
        (Comparison("<=>", INT, Const(None)), {"f": {"$eq": None}}),
        (Not(Comparison("<=>", INT, Const(1))), {"f": {"$ne": 1}}),
        (IsNull(INT), {"f": {"$eq": None}}),
        (Not(IsNull(INT)), PRESENT),
        (In(INT, (1, None, 2)), {"f": {"$in": [1, 2]}}),
        (Not(In(INT, (1, 2))), {"f": {"$nin": [None, 1, 2]}}),
        (In(INT, (1, "2")), PRESENT),
        (In(TEXT, ("a", "b")), {"f": {"$in": ["a", "b"]}}),
        (Comparison("=", TEXT, Const(0)), PRESENT),
        (Comparison("=", LOOSE, Const("a")), PRESENT),
        (Comparison("<>", LOOSE, Const("a")), {"f": {"$nin": [None, "a"]}}),
        (Comparison("=", ref("TEXT", "utf8mb4_bin"), Const("a ")), {"f": {"$gte": "a", "$lt": "a!"}}),
        (Comparison("=", ref("DATE"), Const(date(2024, 5, 6))), {"f": {"$eq": datetime(2024, 5, 6)}}),
        (
            Comparison("<", ref("DATE"), Const("2024-05-06 10:00:00")),
            {"$or": [{"f": {"$lte": datetime(2024, 5, 7)}}, {"f": {"$type": "string"}}]},
        ),
        (Comparison(">", ref("TIME"), Const("00:00:01")), {"f": {"$gt": 1_000_000}}),
        (Comparison("=", ref("YEAR"), Const(99)), PRESENT),
        (Comparison(">", ref("VARBINARY(3)"), Const(b"a")), PRESENT),
        (Like(LOOSE, "a%", "\\"), PRESENT),
        (Like(TEXT, "%", "\\"), PRESENT),
        (Not(Like(TEXT, "a%", "\\")), PRESENT),
    ],
)
def test_columns(predicate: Predicate, expected: dict[str, Any] | None) -> None:
    assert condition(predicate) == expected


def test_parts_that_cannot_be_said() -> None:
    theirs = Comparison("=", MYSQL, Const(1))

    assert condition(theirs) is None
    assert condition(Comparison("=", COPY, Const(1))) is None
    assert condition(And((ONE, theirs))) == {"f": {"$eq": 1}}
    assert condition(Or((ONE, theirs))) is None
    assert condition(Not(Or((ONE, theirs)))) == {"f": {"$nin": [None, 1]}}
    assert condition(Not(And((ONE, theirs)))) is None
    assert condition(Comparison("=", INT, MYSQL)) is None
    assert condition(Comparison("=", INT, INT)) == {"$and": [PRESENT, PRESENT]}


def test_several_sources() -> None:
    assert condition(And((ONE, Comparison("=", Ref(1, INT.column), Const(1))))) is None


def test_what_goes_deeper_than_mongodb_takes() -> None:
    predicate: Predicate = ONE
    for _ in range(30):
        predicate = Or((And((predicate, ONE)), ONE))

    assert condition(predicate) is None


@pytest.mark.parametrize(
    ("predicate", "alternatives"),
    [
        (Comparison("=", JsonValue(JSON, "$.a.b"), Const("高")), [{"f.a.b": {"$eq": "高"}}]),
        (Comparison("=", JsonValue(JSON, "$.a", "unquote"), Const("高")), [{"f.a": {"$gte": "高", "$lt": "高!"}}]),
        (Comparison(">", JsonValue(JSON, "$.a"), Const("高")), [{"f.a": {"$exists": True}}]),
        (Comparison("=", JsonValue(JSON, '$."k k"[0]', "extract"), Const(1)), [{"f.k k": {"$eq": 1}}]),
        (Comparison("=", JsonValue(JSON, "$.a**.b", "extract"), Const(1)), [{"f.a": {"$exists": True}}]),
        (Comparison("=", JsonValue(JSON, "$[0][1].a"), Const("x")), [{"f": {"$exists": True}}]),
        (Comparison("=", JsonValue(JSON, '$.a."x.y"'), Const("x")), [{"f.a": {"$exists": True}}]),
        (Not(IsNull(JsonValue(JSON, "$.a"))), [{"f.a": {"$exists": True}}]),
        (
            JsonContains(JSON, '"x"'),
            [{"$or": [{"f": {"$eq": "x"}}, {"f": {"$elemMatch": {"$type": "array"}}}]}],
        ),
        (
            JsonSearch(JSON, "one", "专线", None, ("$[*].code",)),
            [
                {"f.code": Regex("^专线\\z", "s")},
                {"f.code": {"$type": "object"}},
                {"f.code": {"$elemMatch": {"$type": "array"}}},
            ],
        ),
    ],
)
def test_json(predicate: Predicate, alternatives: list[dict[str, Any]]) -> None:
    assert condition(predicate) == {"$or": [*alternatives, WRAPPED]}


def test_text_that_a_json_number_or_truth_value_may_have() -> None:
    found = condition(Comparison("=", JsonValue(JSON, "$.a"), Const("true")))

    assert "bool" in str(found)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("abc", ["^abc\\z"]),
        ("a%", ["^a"]),
        ("%a", ["a\\z"]),
        ("%a%b_%", ["a", "b."]),
        ("%", []),
        ("", ["^\\z"]),
        ("100\\%", ["^100\\%\\z"]),
        ("a.(b", ["^a\\.\\(b\\z"]),
        ("a\0", ["^a\\x00\\z"]),
        ("a\\", ["^a\\\\\\z"]),
        ("茶😀", ["^茶😀\\z"]),
    ],
)
def test_like(pattern: str, expected: list[str]) -> None:
    assert [one.pattern for one in like_patterns(pattern, "\\")] == expected


def test_nothing_outgrows_a_command_of_mongodb() -> None:
    huge = "x" * 5_000_000
    for predicate in (
        Comparison("=", TEXT, Const(huge)),
        Comparison(">", TEXT, Const(huge)),
        In(TEXT, tuple(f"{number}{'x' * 5000}" for number in range(5000))),
        Like(TEXT, huge, "\\"),
        Like(TEXT, "%".join([huge] * 3), "\\"),
        Like(TEXT, "%".join("ab" * 100_000), "\\"),
        JsonContains(JSON, f'"{huge}"'),
        JsonContains(JSON, "[" * 90 + "]" * 90),
        Comparison("=", JsonValue(JSON, "$.a"), Const(huge)),
        In(JsonValue(JSON, "$.a"), (huge, "x")),
        JsonSearch(JSON, "one", huge),
    ):
        found = condition(predicate)
        assert found is not None
        assert len(encode(found)) < 1_500_000
