"""Which references MongoDB may group, and what of a partial group is believed. No server."""

from __future__ import annotations

from math import isqrt
from typing import Any

import pytest
from bson import Decimal128, Int64

from platform_store import ColumnAttribute
from platform_store.association import Association, Column
from platform_store.errors import ValueRejected
from platform_store.query.analysis import analyse, parse, table_names
from platform_store.query.groups import Grouping, grouped_references
from platform_store.query.partial import Fingerprint, Part, Ungrouped, random_prime
from platform_store.query.text import Statement, fold

TYPES = {
    "region": "VARCHAR(32)", "amount": "DECIMAL(14,2)", "qty": "INT", "day": "DATE", "rate": "DOUBLE", "tags": "JSON",
    "huge": "DECIMAL(40,2)", "long": "DECIMAL(33,0)", "big": "BIGINT UNSIGNED",
}  # fmt: skip
OWN = (
    Column(ColumnAttribute("id", "BIGINT"), "mysql", "id", key=True),
    Column(ColumnAttribute("n", "INT"), "mysql", "n"),
)
DOCUMENTS = tuple(Column(ColumnAttribute(name, text), "mongodb", name) for name, text in TYPES.items())
SALE = Association("sale", 1, 1, (*OWN, *DOCUMENTS))


def column(name: str) -> Column:
    return SALE.by_name[name]


def found(statement: str) -> dict[int, Grouping]:
    read = Statement.read(statement)
    tree = parse(read)
    known = {name: SALE for name in table_names(tree) if name == "sale"}
    return grouped_references(analyse(read, tree, known, lambda database: fold(database) == "own"))


def shown(statement: str) -> str:
    """The keys, the measured columns, and what is executed; "" where nothing is grouped."""
    groupings = found(statement)
    if not groupings:
        return ""
    read = Statement.read(statement)
    edits = [edit for number, one in groupings.items() for edit in one.edits(f"x{number}" if number else "x")]
    names = [
        f"{','.join(key.name for key in one.keys)}/{','.join(one.name for one in one.measured)}"
        for one in groupings.values()
    ]
    return f"{' '.join(names)}: {read.written(edits)}"


COUNTED = "CAST(COALESCE(SUM({}), 0) AS SIGNED)"


ROWS, OTHERS = COUNTED.format("`x_0`"), COUNTED.format("`x_1`")


@pytest.mark.parametrize(
    ("kinds", "statement", "expected"),
    [
        (
            "region/amount,qty",
            "SELECT region, COUNT(*) n, SUM(amount) m, SUM(qty) q FROM sale GROUP BY region ORDER BY region",
            f"SELECT region, {ROWS} n, SUM(`x_1`) m, SUM(`x_2`) q FROM sale GROUP BY region ORDER BY region",
        ),
        ("/amount", "SELECT SUM( s.amount ) FROM sale AS s", "SELECT SUM(`x_1`) FROM sale AS s"),
        ("/amount", "SELECT sum(ALL amount) FROM sale", "SELECT SUM(`x_1`) FROM sale"),
        ("/amount", "SELECT COUNT(amount), COUNT(1) FROM sale", f"SELECT {OTHERS}, {ROWS} FROM sale"),
        ("/amount,qty", "SELECT MIN(amount), MAX(qty) FROM sale", "SELECT MIN(`x_2`), MAX(`x_1`) FROM sale"),
        ("region/", "SELECT MIN(region) FROM sale", None),
        (
            "qty/",
            "SELECT MAX(qty), SUM(qty) FROM sale WHERE qty > 3",
            "SELECT MAX(qty), SUM(`x_1`) FROM sale WHERE qty > 3",
        ),
        ("region/", "SELECT COUNT(region) FROM sale", f"SELECT {OTHERS} FROM sale"),
        ("region,day/", "SELECT COUNT(DISTINCT region, day) FROM sale", None),
        ("region/", "SELECT DISTINCT region FROM sale ORDER BY region", None),
        ("region/", "SELECT region FROM sale GROUP BY region WITH ROLLUP", None),
        (
            "region/amount",
            "SELECT SUM(amount) AS amount FROM sale GROUP BY region",
            "SELECT SUM(`x_1`) AS amount FROM sale GROUP BY region",
        ),
        (
            "/amount",
            "SELECT x FROM (SELECT SUM(amount) x FROM sale) d",
            "SELECT x FROM (SELECT SUM(`x_1`) x FROM sale) d",
        ),
        ("/qty", "SELECT 1 IN (SELECT SUM(qty) FROM sale)", "SELECT 1 IN (SELECT SUM(`x_1`) FROM sale)"),
        (
            "/amount /qty",
            "SELECT SUM(amount) FROM sale UNION ALL SELECT SUM(qty) FROM sale",
            "SELECT SUM(`x_1`) FROM sale UNION ALL SELECT SUM(`x1_1`) FROM sale",
        ),
        (
            "region,day/qty",
            "SELECT YEAR(day) y, SUM(qty) FROM sale WHERE region LIKE 'x%' GROUP BY y HAVING SUM(qty) > 1 LIMIT 3",
            "SELECT YEAR(day) y, SUM(`x_1`) FROM sale WHERE region LIKE 'x%' GROUP BY y HAVING SUM(`x_1`) > 1 LIMIT 3",
        ),
    ],
)
def test_what_is_grouped(kinds: str, statement: str, expected: str | None) -> None:
    assert shown(statement) == f"{kinds}: {expected or statement}"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT region FROM sale",  # the rows themselves
        "SELECT region FROM sale HAVING region > 'a'",
        "SELECT *, COUNT(*) FROM sale GROUP BY region",
        "SELECT SUM(amount), MAX(n) FROM sale",  # a column of MySQL's
        "SELECT SUM(amount) FROM sale WHERE id > 3",
        "SELECT SUM(amount) FROM sale GROUP BY sale.n",
        "SELECT SUM(amount * qty) FROM sale",  # counts rows
        "SELECT SUM(amount + 0) FROM sale",
        "SELECT SUM(-amount) FROM sale",
        "SELECT SUM((amount)) FROM sale",
        "SELECT SUM(DISTINCT amount) FROM sale",
        "SELECT SUM(qty > 3) FROM sale",
        "SELECT SUM(CASE WHEN qty > 3 THEN amount END) FROM sale",
        "SELECT AVG(amount) FROM sale",
        "SELECT STDDEV(qty), SUM(qty) FROM sale",
        "SELECT BIT_XOR(qty), SUM(qty) FROM sale",
        "SELECT GROUP_CONCAT(region), SUM(qty) FROM sale",
        "SELECT JSON_ARRAYAGG(region), SUM(qty) FROM sale",
        "SELECT ANY_VALUE(region), SUM(qty) FROM sale",
        "SELECT SUM(qty), my_own(region) FROM sale GROUP BY region",
        "SELECT SUM(qty) FROM sale WHERE RAND() < 0.5",
        "SELECT SUM(qty) FROM sale WHERE @x < region",
        "SELECT SUM(qty), NOW() FROM sale",
        "SELECT SUM(qty) OVER () FROM sale",
        "SELECT SUM(qty), ROW_NUMBER() OVER (ORDER BY region) FROM sale GROUP BY region",
        "SELECT SUM(SUM(qty)) OVER () FROM sale GROUP BY region",
        "SELECT SUM(rate) FROM sale",  # not exact
        "SELECT SUM(huge) FROM sale",
        "SELECT `long`, SUM(`long`) FROM sale GROUP BY `long`",
        "SELECT SUM(region) FROM sale",
        "SELECT rate, SUM(qty) FROM sale GROUP BY rate",  # equal to MongoDB, and different
        "SELECT COUNT(tags) FROM sale",
        "SELECT COUNT(*) FROM sale WHERE tags = '1'",
        "SELECT MAX(huge) FROM sale",
        "SELECT SUM(s.amount) FROM sale s JOIN sale t ON s.qty = t.qty",  # several sources
        "SELECT SUM(s.amount) FROM sale s, other",
        "SELECT SUM(s.amount) FROM sale s LEFT JOIN other ON other.x = s.qty",
        "SELECT SUM(amount) FROM (sale JOIN other ON 1)",
        "SELECT SUM(amount) FROM other, LATERAL (SELECT 1) l, sale",
        "SELECT (SELECT SUM(s.amount)) FROM sale s",  # another query's
        "SELECT SUM(qty), (SELECT MAX(qty) FROM other) FROM sale",
        "SELECT SUM(qty) FROM sale WHERE region IN (SELECT region FROM other)",
        "SELECT (SELECT SUM(o.x) FROM sale WHERE region = 'a') FROM other o",
        "SELECT (SELECT MAX(o.x) FROM sale WHERE region = 'a') FROM other o",
        "SELECT qty AS amount, region FROM sale GROUP BY region, qty HAVING SUM(amount) > 3",  # which one?
        "SELECT qty AS amount, region FROM sale GROUP BY region, qty ORDER BY SUM(amount)",
        "SELECT `SUM(amount)` FROM (SELECT SUM(amount) FROM sale) d",  # named by its text
        "SELECT * FROM (SELECT region, COUNT(*) FROM sale GROUP BY region UNION SELECT 1, 2) d",
        "WITH d AS (SELECT COUNT(*) FROM sale GROUP BY region) SELECT * FROM d",
        "(SELECT region, SUM(amount) FROM sale GROUP BY region) ORDER BY amount",
        "SELECT SQL_CALC_FOUND_ROWS region, SUM(amount) FROM sale GROUP BY region",
        "SELECT SUM(qty) FROM sale WINDOW w AS (ORDER BY region)",
        "WITH x AS (SELECT 1) SELECT SUM(qty) FROM sale",
        "SELECT region, COUNT (*) FROM sale GROUP BY region",  # MySQL refuses it
        "SELECT SUM (qty) FROM sale",
        "SELECT SUM/**/(qty) FROM sale",
        "SELECT region, `COUNT`(*) FROM sale GROUP BY region",
        "SELECT region, COUNT(*) FROM sale GROUP BY region ORDER BY `COUNT(*)`",  # named by its text
        "SELECT region, COUNT(*) FROM sale GROUP BY region HAVING `COUNT(*)` > 50",
        "SELECT region, COUNT(*) FROM sale GROUP BY region UNION SELECT 'q', 1 ORDER BY `COUNT(*)`",
    ],
)
def test_what_is_not_grouped(statement: str) -> None:
    assert shown(statement) == ""


def test_a_name_that_the_parser_overlooks_is_a_key() -> None:
    """MySQL has DISTINCTROW, which the parser may take for a column called by what follows."""
    for grouping in found("SELECT DISTINCTROW region, SUM(qty) FROM sale GROUP BY region").values():
        assert "region" in [key.name for key in grouping.keys]


# What is believed


def part(name: str, count: Any, total: Any, low: Any, high: Any) -> Part:
    return Part.of_group(column(name), {"c0": count, "s0": total, "lo0": low, "hi0": high}, 0)


def number(text: str) -> Decimal128:
    return Decimal128(text)


def test_sums_that_are_exact() -> None:
    assert part("qty", 3, 6, 1, 3) == Part(3, 6, 1, 3)
    assert part("qty", 3, Int64(-6), -3, -1).sum == -6
    assert part("amount", 2, number("3.00"), number("1.00"), number("2.00")).sum == number("3.00")
    assert part("amount", 2, number("300"), number("1E+2"), number("2E+2")).sum == number("300")
    assert part("amount", 0, 0, None, None) == Part(0, None, None, None), "the sum of NULLs is NULL"
    assert part("big", 1, Int64(2**63 - 1), Int64(2**63 - 1), Int64(2**63 - 1)).count == 1


@pytest.mark.parametrize(
    ("name", "count", "total", "low", "high"),
    [
        ("qty", 3, 6.0, 1, 3),  # a double among them, or too much for 64 bits
        ("qty", 3, number("6"), 1, 3),
        ("qty", 3, 6, 1, 3.0),
        ("qty", 3, 6, 1, True),  # BSON orders by type
        ("qty", 3, 6, 1, "x"),
        ("qty", 3, 6, 1, 2**31),  # not an INT
        ("qty", 3, 6, float("nan"), 3),
        ("qty", 0, 0, None, 1),
        ("qty", 2.0, 6, 1, 3),
        ("big", 2, Int64(1), Int64(1), Int64(2**62)),  # may have been beyond 64 bits on the way
        ("big", 2, number(str(2**63)), 1, number(str(2**63))),
        ("amount", 2, number("3.005"), number("1.00"), number("2.00")),
        ("amount", 2, number("0.000"), number("-1.00"), number("1.00")),  # 1.005 - 1.005
        ("amount", 2, number("NaN"), number("1.00"), number("2.00")),
        ("amount", 2, number("NaN"), number("NaN"), number("2.00")),
        ("amount", 2, number("Infinity"), number("1.00"), number("Infinity")),
        ("amount", 2, 3, 1, 2),
        ("amount", 2, number("3.00"), 1, number("2.00")),
        ("amount", (1 << 40) + 2, number("3.00"), number("1.00"), number("2.00")),  # another type between them
        ("amount", 2, number("1E+20"), number("1.00"), number("1E+20")),
        ("amount", 10**21, number("3.00"), number("1.00"), number("2.00")),  # 14 digits, and 22 of the count
    ],
)
def test_sums_that_may_not_be_exact(name: str, count: Any, total: Any, low: Any, high: Any) -> None:
    with pytest.raises((Ungrouped, ValueRejected)):
        part(name, count, total, low, high)


def test_values_that_many_rows_have() -> None:
    assert Part.of_value(column("amount"), number("-1.5"), 4).sum == number("-6.00")
    assert Part.of_value(column("qty"), 7, 3) == Part(3, 21, 7, 7)
    assert Part.of_value(column("qty"), None, 3) == Part(0, None, None, None)
    with pytest.raises(Ungrouped):
        Part.of_value(column("big"), Int64(2**62), 2)
    with pytest.raises(Ungrouped):
        Part.of_value(column("long"), number("9" * 33), 133)
    with pytest.raises(ValueRejected):
        Part.of_value(column("qty"), 1.0, 1)


# Whose documents they are


def totals(pairs: dict[int, int], prime: int) -> list[int]:
    fingerprint = Fingerprint(SALE, prime)
    images = [fingerprint.of_image(key, revision) for key, revision in pairs.items()]
    return [sum(column) for column in zip(*images, strict=True)]


@pytest.mark.parametrize(
    "documents",
    [
        {1: 5, 2: 5},  # one is lost
        {1: 5, 2: 5, 3: 4},  # one is old
        {1: 5, 2: 5, 4: 5},  # one is lost, and one belongs to no row
        {1: 5, 2: 4, 3: 6},  # two losses that make up for one another
        {1: 6, 2: 5, 3: 4},
    ],
)
def test_losses_show(documents: dict[int, int]) -> None:
    prime = random_prime(1000)
    assert totals({1: 5, 2: 5, 3: 5}, prime) != totals(documents, prime)


def test_rests_have_the_sign_of_the_number() -> None:
    """As MySQL's % and MongoDB's $mod have it."""
    assert Fingerprint(SALE, 7).of_image(-10, 8) == (1, 8, -3)


def test_a_prime_is_random_and_no_sum_is_too_large() -> None:
    primes = {random_prime(600_000) for _ in range(20)}
    assert len(primes) > 10
    assert all(prime % divisor for prime in primes for divisor in range(2, isqrt(prime) + 1))
    for count in (1, 10**6, 10**9):
        assert random_prime(count) ** 2 * count < 1 << 63


def test_what_has_no_whole_revision_is_not_grouped() -> None:
    for revision in (1.0, number("1"), None):
        with pytest.raises(Ungrouped):
            Fingerprint(SALE, 7).of_group({"n": 1, "r": revision, "f0": 1})
    assert Fingerprint(SALE, 7).of_group({"n": 1, "r": Int64(3), "f0": 1}) == (1, 3, 1)


def test_what_stands_for_a_decimal_sum_holds_it() -> None:
    (grouping,) = found("SELECT SUM(amount), SUM(qty), MAX(qty) FROM sale").values()
    types = {one.name: one.attribute.type for one in grouping.columns("x")}
    assert types == {"x_0": "BIGINT", "x_1": "INT", "x_2": "DECIMAL(34,2)", "x_3": "BIGINT"}
