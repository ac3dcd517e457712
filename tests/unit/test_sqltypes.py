"""Column types: what is parsed, what is refused, and that nothing but the parsed fields is ever written back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_store.errors import SchemaError
from platform_store.sqltypes import BLOB_BYTES, GEOMETRY_TYPES, INTEGER_BITS, TEXT_BYTES, SqlType, parse_type


@pytest.mark.parametrize(
    ("text", "ddl"),
    [
        ("varchar(80)", "VARCHAR(80)"),
        ("  Int\tUnsigned ", "INT UNSIGNED"),
        ("INTEGER", "INT"),
        ("int(11)", "INT"),
        ("bigint(20) unsigned", "BIGINT UNSIGNED"),
        ("tinyint(1)", "TINYINT(1)"),
        ("BOOL", "TINYINT(1)"),
        ("BOOLEAN", "TINYINT(1)"),
        ("tinyint(4)", "TINYINT"),
        ("tinyint(1) unsigned", "TINYINT UNSIGNED"),
        ("DECIMAL", "DECIMAL(10,0)"),
        ("NUMERIC(5)", "DECIMAL(5,0)"),
        ("dec(65, 30)", "DECIMAL(65,30)"),
        ("decimal(10,2) unsigned", "DECIMAL(10,2) UNSIGNED"),
        ("FLOAT", "FLOAT"),
        ("FLOAT(24)", "FLOAT"),
        ("FLOAT(25)", "DOUBLE"),
        ("FLOAT(53)", "DOUBLE"),
        ("double precision", "DOUBLE"),
        ("REAL", "DOUBLE"),
        ("double unsigned", "DOUBLE UNSIGNED"),
        ("CHAR", "CHAR(1)"),
        ("CHARACTER(3)", "CHAR(3)"),
        ("CHARACTER VARYING(3)", "VARCHAR(3)"),
        ("BINARY", "BINARY(1)"),
        ("varbinary(16)", "VARBINARY(16)"),
        ("bit", "BIT(1)"),
        ("BIT(64)", "BIT(64)"),
        ("TEXT(63)", "TINYTEXT"),
        ("TEXT(64)", "TEXT"),
        ("TEXT(16384)", "MEDIUMTEXT"),
        ("BLOB(255)", "TINYBLOB"),
        ("BLOB(256)", "BLOB"),
        ("BLOB(16777216)", "LONGBLOB"),
        ("longtext", "LONGTEXT"),
        ("date", "DATE"),
        ("datetime", "DATETIME"),
        ("datetime(0)", "DATETIME"),
        ("DATETIME(3)", "DATETIME(3)"),
        ("timestamp(6)", "TIMESTAMP(6)"),
        ("time(1)", "TIME(1)"),
        ("year(4)", "YEAR"),
        ("json", "JSON"),
        ("geomcollection", "GEOMETRYCOLLECTION"),
        ("point srid 4326", "POINT SRID 4326"),
        ("enum('a','b''c')", "ENUM('a','b''c')"),
        (r"enum('a\\b','c\'d','e\nf')", "ENUM('a\\\\b','c''d','e\nf')"),
        ("set('x ', 'y')", "SET('x','y')"),
        ("ENUM('')", "ENUM('')"),
    ],
)
def test_accepted(text: str, ddl: str) -> None:
    parsed = parse_type(text)
    assert parsed.ddl == ddl
    assert parse_type(ddl) == parsed


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must begin"),
        ("(5)", "must begin"),
        ("uuid", "UUID is not a supported"),
        ("VECTOR(3)", "VECTOR is not a supported"),
        ("NVARCHAR(5)", "NVARCHAR is not a supported"),
        ("VARCHAR", "needs a length"),
        ("VARBINARY", "needs a length"),
        ("VARCHAR(65536)", "0 to 65535"),
        ("VARCHAR(99999999999999999999)", "0 to 65535"),
        ("VARCHAR(-1)", "unexpected character '-'"),
        ("VARCHAR(a)", "0 to 65535"),
        ("VARCHAR(5", "lacks ')'"),
        ("CHAR(256)", "0 to 255"),
        ("BIT(0)", "1 to 64"),
        ("BIT(65)", "1 to 64"),
        ("DECIMAL(70,2)", "1 to 65"),
        ("DECIMAL(40,31)", "0 to 30"),
        ("DECIMAL(2,3)", "larger than its precision"),
        ("DECIMAL(,3)", "1 to 65"),
        ("FLOAT(54)", "at most 53"),
        ("FLOAT(7,4)", "deprecated"),
        ("DOUBLE(7,4)", "deprecated"),
        ("DOUBLE(7)", "no precision"),
        ("INT ZEROFILL", "ZEROFILL"),
        ("INT UNSIGNED ZEROFILL", "ZEROFILL"),
        ("VARCHAR(5) UNSIGNED", "nothing may follow"),
        ("DATETIME(7)", "0 to 6"),
        ("YEAR(2)", "must be 4"),
        ("TEXT(0)", "1 to"),
        ("LONGTEXT(5)", "nothing may follow"),
        ("JSON(1)", "nothing may follow"),
        ("ENUM", "needs its labels"),
        ("ENUM()", "quoted labels"),
        ("ENUM(a)", "quoted labels"),
        ("ENUM('a' 'b')", "lacks ')'"),
        ("ENUM('a','a ')", "twice"),
        ("ENUM('" + "x" * 256 + "')", "longer than 255"),
        ("ENUM('\ud800')", "lone surrogate"),
        ("ENUM('a", "unexpected character"),
        ("SET('a,b')", "comma"),
        ("SET('')", "empty"),
        ("SET(" + ",".join(f"'{i}'" for i in range(65)) + ")", "at most 64"),
        ("POINT SRID", "SRID"),
        ("INT; DROP TABLE x", "unexpected character ';'"),
        ("INT DEFAULT 1", "nothing may follow"),
        ("INT NOT NULL", "nothing may follow"),
        ("VARCHAR(5) COLLATE x", "nothing may follow"),
        ("INT -- x", "unexpected character"),
        ("INT /* x */", "unexpected character"),
        ("INT`", "unexpected character"),
    ],
)
def test_refused(text: str, reason: str) -> None:
    with pytest.raises(SchemaError, match=reason.replace("(", r"\(").replace(")", r"\)")):
        parse_type(text)


LABELS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def sql_types(draw: st.DrawFn) -> SqlType:
    """Any type, built from its fields."""
    base = draw(
        st.sampled_from(
            [
                *(*INTEGER_BITS, "DECIMAL", "FLOAT", "DOUBLE"),
                *("CHAR", "VARCHAR", "BINARY", "VARBINARY", "BIT", "ENUM", "SET", *TEXT_BYTES, *BLOB_BYTES),
                *("DATE", "DATETIME", "TIMESTAMP", "TIME", "YEAR", "JSON", *GEOMETRY_TYPES),
            ]
        )
    )
    if base in INTEGER_BITS or base in ("FLOAT", "DOUBLE"):
        return SqlType(base, unsigned=draw(st.booleans()))
    if base == "DECIMAL":
        precision = draw(st.integers(1, 65))
        scale = draw(st.integers(0, min(precision, 30)))
        return SqlType(base, unsigned=draw(st.booleans()), precision=precision, scale=scale)
    if base in ("CHAR", "VARCHAR", "BINARY", "VARBINARY", "BIT"):
        return SqlType(base, length=draw(st.integers(1, 64)))
    if base in ("DATETIME", "TIMESTAMP", "TIME"):
        return SqlType(base, fsp=draw(st.integers(0, 6)))
    if base in ("ENUM", "SET"):
        labels = LABELS.map(lambda label: label.rstrip(" "))
        if base == "SET":
            labels = labels.filter(lambda label: bool(label) and "," not in label)
        return SqlType(base, members=tuple(draw(st.lists(labels, min_size=1, max_size=5, unique=True))))
    return SqlType(base)


@given(sql_types())
def test_canonical_text_parses_back(sql_type: SqlType) -> None:
    assert parse_type(sql_type.ddl) == sql_type


CANONICAL = re.compile(r"[A-Z]+(\([0-9]+(,[0-9]+)?\)|\('([^']|'')*'(,'([^']|'')*')*\))?( UNSIGNED)?( SRID [0-9]+)?")


@given(sql_types(), st.text(max_size=10), st.sampled_from([" ", "", ",", ")", "'", "\\", ";", "--", "/*", "`"]))
def test_whatever_is_accepted_is_written_back_in_canonical_form_only(sql_type: SqlType, rest: str, glue: str) -> None:
    try:
        parsed = parse_type(f"{sql_type.ddl}{glue}{rest}")
    except SchemaError:
        return
    assert CANONICAL.fullmatch(parsed.ddl)
    assert parse_type(parsed.ddl) == parsed
