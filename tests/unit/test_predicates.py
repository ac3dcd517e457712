"""Predicates: what is read, what is refused, how they are written, and what they say of a missing document."""

from __future__ import annotations

from decimal import Decimal

import pytest
import sqlglot
from sqlglot import exp

from platform_store.association import Column
from platform_store.placeholders import segments, string_value
from platform_store.query.predicate_types import And, Comparison, Const, In, Not, Or, Predicate, Ref
from platform_store.query.predicates import StatementConstants, read, rejects_null, sql
from platform_store.records import ColumnAttribute, Placement

PARAMETERS = {"p0": 5, "p1": [1, 2], "p2": True, "p3": "$.a"}


def column(name: str, sql_type: str, placement: Placement = "mongodb") -> Column:
    return Column(ColumnAttribute(name, sql_type), placement, name)


COLUMNS = {
    one.name: one
    for one in (
        column("a", "INT"),
        column("b", "INT"),
        column("s", "VARCHAR(20)"),
        column("at", "DATETIME"),
        column("clock", "TIME"),
        column("d", "JSON"),
        column("m", "INT", "mysql"),
        column("c", "INT", "both"),
    )
}
SOURCES = {"": 0, "t": 0, "u": 1}


def resolve(node: exp.Column) -> Ref | None:
    return Ref(SOURCES[node.table], COLUMNS[node.name]) if node.name in COLUMNS else None


def reading(text: str) -> Predicate | None:
    """The predicate of a text, which the parser sees with markers for literals."""
    markers: dict[str, str] = {}
    pieces = []
    for segment in segments(text):
        if segment.kind == "string":
            marker = f"$.l{len(markers)}"
            markers[marker] = string_value(segment.text)
            pieces.append(f"'{marker}'")
        else:
            pieces.append(segment.text)
    tree = sqlglot.parse_one(f"SELECT 1 FROM t WHERE {''.join(pieces)}", read="mysql")
    return read(tree.args["where"].this, resolve, StatementConstants(markers, PARAMETERS))


def name(ref: Ref) -> str:
    return f"{'tu'[ref.source]}.{ref.column.name}"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a = 1", "(t.a = 1)"),
        ("1 < a", "(1 < t.a)"),
        ("a <=> NULL", "(t.a <=> None)"),
        ("a <> -1.50", "(t.a <> Decimal('-1.50'))"),
        ("a >= 1e3", "(t.a >= 1000.0)"),
        ("a = :p0", "(t.a = 5)"),
        ("a = TRUE", "(t.a = TRUE)"),
        ("a = :p2", "(t.a = 1)"),
        ("t.a = u.b", "(t.a = u.b)"),
        ("a IN (1, 2, NULL)", "(t.a IN (1, 2, None))"),
        ("a NOT IN :p1", "(NOT (t.a IN (1, 2)))"),
        ("a BETWEEN 1 AND b", "(t.a BETWEEN 1 AND t.b)"),
        ("a NOT BETWEEN 1 AND 2", "(NOT (t.a BETWEEN 1 AND 2))"),
        ("a IS UNKNOWN", "(t.a IS NULL)"),
        ("a IS NOT NULL", "(NOT (t.a IS NULL))"),
        ("s LIKE '100%'", "(t.s LIKE '100%')"),
        ("s NOT LIKE 'a|%' ESCAPE '|'", "(NOT (t.s LIKE 'a|%' ESCAPE '|'))"),
        ("NOT a = 1 AND b = 2 OR s = 'x'", "(((NOT (t.a = 1)) AND (t.b = 2)) OR (t.s = 'x'))"),
        ("a = 1 && (b = 2 AND s = 'x')", "((t.a = 1) AND ((t.b = 2) AND (t.s = 'x')))"),
        ("LOWER(s) = 'x'", "(LOWER(t.s) = 'x')"),
        ("IFNULL(a, 1) = 1", "(COALESCE(t.a, 1) = 1)"),
        ("YEAR(at) = 2024", "(YEAR(t.at) = 2024)"),
        ("DATE(at) = '2024-05-06'", "(DATE(t.at) = '2024-05-06')"),
        ("LENGTH(s) = CHAR_LENGTH(s)", "(LENGTH(t.s) = CHAR_LENGTH(t.s))"),
        ("JSON_VALUE(d, '$.a') = 'x'", "(JSON_VALUE(t.d, '$.a') = 'x')"),
        ("JSON_VALUE(d, :p3) = 'x'", "(JSON_VALUE(t.d, '$.a') = 'x')"),
        ("d->'$.a' = 1", "(JSON_EXTRACT(t.d, '$.a') = 1)"),
        ("t.d->>'$.\"a b\"' = 'x'", "(JSON_UNQUOTE(JSON_EXTRACT(t.d, '$.\"a b\"')) = 'x')"),
        ("JSON_UNQUOTE(JSON_EXTRACT(d, '$.a')) = 'x'", "(JSON_UNQUOTE(JSON_EXTRACT(t.d, '$.a')) = 'x')"),
        ("JSON_CONTAINS(d, '1')", "(JSON_CONTAINS(t.d, '1'))"),
        ("JSON_CONTAINS(d, '1', '$.a') = 1", "(JSON_CONTAINS(t.d, '1', '$.a'))"),
        ("JSON_CONTAINS_PATH(d, 'one', '$.a', '$.b')", "(JSON_CONTAINS_PATH(t.d, 'one', '$.a', '$.b'))"),
        ("JSON_SEARCH(d, 'ALL', 'x') IS NOT NULL", "(NOT (NOT (JSON_SEARCH(t.d, 'all', 'x', None) IS NOT NULL)))"),
        (
            "JSON_SEARCH(d, 'one', 'x', '|', '$[*].code') IS NULL",
            "(NOT (JSON_SEARCH(t.d, 'one', 'x', '|', '$[*].code') IS NOT NULL))",
        ),
        ("'x' MEMBER OF (d->'$.a')", "('x' MEMBER OF (JSON_EXTRACT(t.d, '$.a')))"),
        ("JSON_OVERLAPS(d, '[1]')", "(JSON_OVERLAPS(t.d, '[1]'))"),
    ],
)
def test_what_is_read_is_written_with_the_same_meaning(text: str, written: str) -> None:
    predicate = reading(text)

    assert predicate is not None
    assert sql(predicate, name, repr) == written


@pytest.mark.parametrize(
    "text",
    [
        "a = b < 1",
        "a < b = 1",
        "(a = b) = 1",
        "a = (b = 1)",
        "a = b IS NULL",
        "(a = 1) IS TRUE",
        "a IS TRUE",
        "a",
        "a OR b = 1",
        "!a = 1",
        "a XOR b",
        "unknown = 1",
        "a = unknown",
        "(a, b) = (1, 2)",
        "(a, b) IN ((1, 2))",
        "a IN (b, 1)",
        "a IN (SELECT 1)",
        "a = ANY (SELECT 1)",
        "a = :p1",
        "a = :p9",
        "a + 1 = 2",
        "-a = 1",
        "a = 0x41",
        "s = _latin1'x'",
        "s = N'x'",
        "s = 'x' 'y'",
        "s = BINARY 'x'",
        "s COLLATE utf8mb4_bin = 'x'",
        "CAST(a AS CHAR) = 'x'",
        "at = DATE '2024-05-06'",
        "at = INTERVAL 1 DAY",
        "s LIKE b",
        "s LIKE 'x' ESCAPE ''",
        "s LIKE 1",
        "s REGEXP 'x'",
        "LOWER(a) = 'x'",
        "YEAR(clock) = 2024",
        "DATE('2024-05-06') = at",
        "a BETWEEN SYMMETRIC 1 AND 2",
        "JSON_VALUE(d, '$.a' RETURNING SIGNED) = 1",
        "JSON_VALUE(d, '$.a' DEFAULT 'x' ON EMPTY) = 'x'",
        "JSON_EXTRACT(d, '$.a', '$.b') = 1",
        "JSON_UNQUOTE(s) = 'x'",
        "JSON_CONTAINS(s, '1')",
        "JSON_CONTAINS(d, d)",
        "JSON_CONTAINS(d, 1)",
        "JSON_CONTAINS(d, '1') = 2",
        "JSON_SEARCH(d, 'two', 'x') IS NOT NULL",
        "JSON_SEARCH(d, 'one', 'x') = '\"$\"'",
        "JSON_SEARCH(d, 'one', 'x', 'ab') IS NOT NULL",
        "1 MEMBER OF (s)",
        "a MEMBER OF (d)",
        "RAND() < 1",
        "a = @x",
        "a = 1 AND RAND() < 1",
        "NOT " * 60 + "a = 1",
    ],
)
def test_what_is_not_certain_is_not_read(text: str) -> None:
    assert reading(text) is None


def test_a_literal_without_a_marker_is_no_constant() -> None:
    node = sqlglot.parse_one("SELECT 1 FROM t WHERE s = 'x'", read="mysql").args["where"].this

    assert read(node, resolve, StatementConstants({}, {})) is None


def test_a_long_chain_is_one_node() -> None:
    predicate = reading(" OR ".join(f"a = {number}" for number in range(800)))

    assert isinstance(predicate, Or)
    assert len(predicate.parts) == 800


def test_constants_keep_the_type_they_were_written_with() -> None:
    assert reading("a IN (1, 1.0, 1e0)") == In(Ref(0, COLUMNS["a"]), (1, Decimal("1.0"), 1.0))
    found = reading("a = 1.0")
    assert isinstance(found, Comparison)
    assert isinstance(found.right, Const)
    assert isinstance(found.right.value, Decimal)


def test_references() -> None:
    predicate = reading("t.a = u.b AND NOT (t.d->'$.x' = 1 OR LOWER(t.s) = 'y')")

    assert isinstance(predicate, And)
    assert predicate.refs == {Ref(0, COLUMNS[one]) for one in "ads"} | {Ref(1, COLUMNS["b"])}
    assert predicate.sources == {0, 1}
    assert Not(predicate).sources == {0, 1}


@pytest.mark.parametrize(
    "text",
    [
        "a = 1",
        "NOT a = 1",
        "a = b",
        "a = m",
        "s LIKE '%'",
        "a NOT IN (1)",
        "a IS NOT NULL",
        "a BETWEEN 1 AND 2",
        "1 BETWEEN a AND m",
        "LOWER(s) = 'x'",
        "COALESCE(a, b) = 1",
        "d->'$.a' = 1",
        "NOT JSON_CONTAINS(d, '1')",
        "JSON_SEARCH(d, 'one', 'x') IS NOT NULL",
        "1 MEMBER OF (d)",
        "m = 1 AND a = 1",
        "(m = 1 AND a = 1) OR b = 2",
        "NOT (m = 1 OR a = 1)",
        "a = NULL",
    ],
)
def test_rejects_a_missing_document(text: str) -> None:
    predicate = reading(text)

    assert predicate is not None
    assert rejects_null(predicate, 0)


@pytest.mark.parametrize(
    "text",
    [
        "a IS NULL",
        "NOT (a IS NOT NULL)",
        "a <=> b",
        "NOT (a <=> 1)",
        "m = 1",
        "c = 1",
        "u.a = 1",
        "m = 1 OR a = 1",
        "NOT (m = 1 AND a = 1)",
        "NOT (m BETWEEN a AND 1)",
        "COALESCE(a, 1) = 1",
        "JSON_VALUE(d, '$.a') IS NULL",
        "JSON_SEARCH(d, 'one', 'x') IS NULL",
    ],
)
def test_may_hold_for_a_missing_document(text: str) -> None:
    predicate = reading(text)

    assert predicate is not None
    assert not rejects_null(predicate, 0)
