"""Every type of value comes back from SQLite as it was stored, and in MySQL's order."""

from __future__ import annotations

import math
import sqlite3
from datetime import date, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_store.codecs import JsonText, codec_for
from platform_store.sqltypes import GEOMETRY_TYPES, INTEGER_BITS, parse_type
from platform_store.stores.embedded_tables import column_name
from platform_store.stores.embedded_types import SCALED_DIGITS, storage_for

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
POINT = bytes.fromhex("000000000101000000000000000000f03f0000000000000040")
ZERO_DATES = ["0000-00-00", "0000-01-01", "2024-00-00", "2024-02-00"]


def integers(type_text: str) -> st.SearchStrategy[int]:
    parsed = parse_type(type_text)
    bits = INTEGER_BITS[parsed.base]
    low, high = (0, 2**bits - 1) if parsed.unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return st.integers(low, high) | st.sampled_from([low, high])


def decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    limit = 10**precision - 1
    return (st.integers(-limit, limit) | st.sampled_from([limit, -limit, 0])).map(
        lambda number: Decimal(f"{number}E-{scale}")
    )


ORDERED: dict[str, st.SearchStrategy[Any]] = {
    **{name: integers(name) for base in INTEGER_BITS for name in (base, f"{base} UNSIGNED")},
    "DECIMAL(18,0)": decimals(18, 0),
    "DECIMAL(18,18)": decimals(18, 18),
    "DECIMAL(10,2)": decimals(10, 2),
    "DOUBLE": st.floats(allow_nan=False, allow_infinity=False),
    "FLOAT": st.floats(allow_nan=False, allow_infinity=False, width=32),
    "VARCHAR(200)": TEXT,
    "CHAR(200)": TEXT,
    "LONGTEXT": TEXT,
    "VARBINARY(200)": st.binary(max_size=20),
    "BINARY(4)": st.binary(max_size=4),
    "BLOB": st.binary(max_size=20),
    "BIT(64)": st.integers(0, 2**64 - 1),
    "DATE": st.dates() | st.sampled_from(ZERO_DATES),
    "DATETIME": st.datetimes().map(lambda moment: moment.replace(microsecond=0)),
    "DATETIME(3)": st.datetimes(max_value=datetime(9999, 12, 31)) | st.sampled_from(ZERO_DATES),
    "DATETIME(6)": st.datetimes() | st.sampled_from([f"{day} 01:02:03.000004" for day in ZERO_DATES]),
    "TIMESTAMP(6)": st.datetimes(datetime(1970, 1, 2), datetime(2038, 1, 1)),
    "TIME(6)": st.timedeltas(timedelta(hours=-838), timedelta(hours=838)),
    "YEAR": st.integers(1901, 2155) | st.just(0),
}
UNORDERED: dict[str, st.SearchStrategy[Any]] = {
    "DECIMAL(19,4)": decimals(19, 4),
    "DECIMAL(65,30)": decimals(65, 30),
    "ENUM('z','','a')": st.sampled_from(["z", "", "a"]),
    "SET('b','a')": st.sampled_from(["", "a", "b", "b,a"]),
    "JSON": st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(-1e300, 1e300) | TEXT,
        lambda part: st.lists(part, max_size=3) | st.dictionaries(TEXT, part, max_size=3),
        max_leaves=6,
    ).map(lambda value: JsonText("null") if value is None else value)
    | st.sampled_from([JsonText('{"b": 1, "a": 1.0}'), "text", ""]),
    **dict.fromkeys(GEOMETRY_TYPES[:2], st.just(POINT)),
}
ALL = ORDERED | UNORDERED


def through_sqlite(*values: object) -> list[Any]:
    """What a column without affinity gives back, sorted by SQLite."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
        connection.executemany("INSERT INTO t (v) VALUES (?)", [(value,) for value in values])
        return connection.execute("SELECT v, id FROM t ORDER BY v, id").fetchall()
    finally:
        connection.close()


def order(stored: Any) -> Any:
    """A key that sorts stored values as MySQL does under a binary collation."""
    if isinstance(stored, str):
        return stored.encode()
    if isinstance(stored, datetime):
        return stored.isoformat(" ", "microseconds").encode()
    return stored.isoformat().encode() if isinstance(stored, date) else stored


@pytest.mark.parametrize("type_text", ALL)
@given(data=st.data())
def test_a_value_comes_back(type_text: str, data: st.DataObject) -> None:
    sql_type = parse_type(type_text)
    codec, storage = codec_for(sql_type), storage_for(sql_type)
    stored = codec.check(data.draw(ALL[type_text]))
    encoded = storage.encode(stored)
    ((held, _),) = through_sqlite(encoded)
    assert type(encoded) in (int, float, str, bytes)
    assert (type(held), held) == (type(encoded), encoded)
    decoded = storage.decode(held)
    assert (type(decoded), repr(decoded)) == (type(stored), repr(stored))
    if isinstance(stored, float):
        assert math.copysign(1, decoded) == math.copysign(1, stored)
    assert codec.from_sql(storage.driver(held)) == codec.public(stored)


@pytest.mark.parametrize("type_text", ORDERED)
@given(data=st.data())
def test_the_order_is_kept(type_text: str, data: st.DataObject) -> None:
    sql_type = parse_type(type_text)
    codec, storage = codec_for(sql_type), storage_for(sql_type)
    stored = [codec.check(value) for value in data.draw(st.lists(ORDERED[type_text], max_size=6))]
    rows = through_sqlite(*map(storage.encode, stored))
    assert storage.ordered
    assert [storage.decode(value) for value, _ in rows] == sorted(stored, key=order)


@pytest.mark.parametrize("type_text", UNORDERED)
def test_a_type_without_order_says_so(type_text: str) -> None:
    assert not storage_for(parse_type(type_text)).ordered


def test_the_applications_decimal_context_is_not_used() -> None:
    storage = storage_for(parse_type("DECIMAL(18,2)"))
    number = Decimal("1234567890123456.78")
    with localcontext(prec=3):
        assert storage.decode(storage.encode(number)) == number


def test_the_widest_scaled_decimal_fits_64_bits() -> None:
    storage = storage_for(parse_type(f"DECIMAL({SCALED_DIGITS},0)"))
    assert storage.encode(Decimal("9" * SCALED_DIGITS)) < 2**63


@given(TEXT, TEXT)
def test_column_names_differ_wherever_names_do(one: str, other: str) -> None:
    names = {column_name(one).lower(), column_name(other).lower()}
    assert (len(names) == 2) == (one.encode().lower() != other.encode().lower())
    assert all(name.isascii() and name.replace("$", "").replace("_", "").isalnum() for name in names)
