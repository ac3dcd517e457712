"""The CRM's sample data: always the same, complete, consistent, and as dirty as it says. No server."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest

from crm_model import ENTITIES, Entity, install, sample
from crm_model.names import name_key, phone_key
from crm_model.sample import S, Size
from crm_model.sample.dirt import JSON_NULL
from crm_model.sample.planted import planted
from crm_model.sample.sizes import BEGIN, BUSY_CUSTOMER, END, TIMELINE_CUSTOMER
from platform_store import Platform

DIGEST_OF_S = "147e5a2b91aa7c9dbf3ff2ad2bc591d91814bd59d6ae8ca8f671a43f675f432a"
LITTLE = Size("little", 700, 3_000, 500, 500)
REFERENCES = {
    "customer_id": "customer",
    "parent_id": "customer",
    "merged_into": "customer",
    "subject_id": "customer",
    "contact_id": "contact",
    "operator_id": "operator",
    "owner_id": "operator",
    "manager_id": "operator",
    "assignee_id": "operator",
    "applicant_id": "operator",
    "approver_id": "operator",
    "author_id": "operator",
    "actor_id": "operator",
    "activity_id": "activity",
    "product_id": "product",
    "opportunity_id": "opportunity",
    "order_id": "sales_order",
    "article_id": "kb_article",
    "gift_id": "gift",
}

Row = dict[str, Any]
entity = pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)


@pytest.fixture(scope="module")
def tables() -> dict[str, list[Row]]:
    """Every row of size S."""
    made = sample.Sample(S)
    return {table: list(made.rows(table)) for table in sample.TABLES}


def test_it_is_always_the_same(tables: dict[str, list[Row]]) -> None:
    digest = hashlib.sha256()
    for rows in tables.values():
        for row in rows:
            digest.update(repr(list(row.values())).encode())
    assert digest.hexdigest() == DIGEST_OF_S


def test_every_entity_has_rows() -> None:
    assert set(sample.TABLES) == {entity.name for entity in ENTITIES}


@pytest.mark.parametrize("size", sample.SIZES.values(), ids=lambda size: size.name)
def test_sizes(size: Size) -> None:
    counts = {"S": (3_000, 38_000, 8_000), "M": (100_000, 1_300_000, 267_000)}[size.name]
    assert tuple(sample.count(size, table) for table in ("customer", "activity", "feedback")) == counts


@entity
def test_rows_are_complete_and_in_order(tables: dict[str, list[Row]], entity: Entity) -> None:
    names = [column.name for column in (*entity.mysql_columns, *entity.documents)]
    required = [column.name for column in entity.mysql_columns if not column.nullable]
    rows = tables[entity.name]
    assert len(rows) == sample.count(S, entity.name)
    for number, row in enumerate(rows, 1):
        assert list(row) == names
        assert row["id"] == number
        assert None not in [row[name] for name in required]


@entity
def test_natural_keys_are_unique(tables: dict[str, list[Row]], entity: Entity) -> None:
    for index in entity.all_indexes:
        if index.unique:
            keys = [tuple(row[name] for name in index.columns) for row in tables[entity.name]]
            assert len({key for key in keys if None not in key}) == sum(None not in key for key in keys)


@entity
def test_references_lead_to_rows(tables: dict[str, list[Row]], entity: Entity) -> None:
    for name in {column.name for column in entity.mysql_columns} & REFERENCES.keys():
        count = len(tables[REFERENCES[name]])
        assert all(row[name] is None or 1 <= row[name] <= count for row in tables[entity.name])


def test_what_belongs_together(tables: dict[str, list[Row]]) -> None:
    activities = tables["activity"]
    for row in tables["feedback"]:
        assert row["activity_id"] is None or activities[row["activity_id"] - 1]["customer_id"] == row["customer_id"]
    for row in activities:
        assert row["contact_id"] in (None, row["customer_id"])
    amounts: Counter[int] = Counter()
    for row in tables["order_item"]:
        amounts[row["order_id"]] += row["amount"]
    planted_orders = len(planted()["sales_order"])
    assert all(row["amount"] == amounts[row["id"]] for row in tables["sales_order"][planted_orders:])
    for row in tables["gift_stock"]:
        assert row["qty"] <= tables["gift"][row["gift_id"] - 1]["stock_qty"]
    for row in tables["approval"]:
        assert row["approver_id"] != row["applicant_id"]
    for row in tables["customer"]:
        assert row["del_token"] in (0, row["id"])
        assert row["name_key"] == name_key(row["name"])
        assert row["phone_key"] == phone_key(row["phone"])


def test_parts_are_the_whole() -> None:
    made = sample.Sample(S)
    for table in ("activity", "customer", "gift"):
        parts = [row for part in range(3) for row in made.rows(table, part, 3)]
        assert parts == list(made.rows(table))


def test_a_part_is_made_without_the_others() -> None:
    """The first rows of the last part come at once, and are those of the whole."""
    made = sample.Sample(S)
    first: Row = next(made.rows("activity", 3, 4))
    assert first == next(islice(made.rows("activity"), first["id"] - 1, None))


def share(rows: Sequence[Row], holds: Callable[[Row], bool]) -> float:
    return sum(map(holds, rows)) / len(rows)


def test_distributions(tables: dict[str, list[Row]]) -> None:
    levels = Counter(row["vip_level"] for row in tables["customer"])
    for level, percent in enumerate((55, 18, 12, 8, 5, 2)):
        assert levels[level] / 30 == pytest.approx(percent, abs=2.5)
    assert share(tables["feedback"], lambda row: row["score"] is None) == pytest.approx(0.08, abs=0.01)
    visits = [row for row in tables["activity"] if row["kind"] == "visit"]
    assert share(visits, lambda row: bool(row["competitors"])) == pytest.approx(0.22, abs=0.01)
    named = [row for row in visits if row["competitors"] and row["summary"]]
    assert all(any(rival in row["summary"] for rival in ("联通", "电信", "广电")) for row in named)
    arpu = sorted(row["arpu_3m"] for row in tables["billing_customer"])
    assert float(arpu[len(arpu) // 2]) == pytest.approx(73.7, rel=0.05)  # e to the power of 4.3
    amounts = sorted(row["amount"] for row in tables["opportunity"])
    assert float(amounts[len(amounts) // 2]) == pytest.approx(2440.6, rel=0.1)  # e to the power of 7.8
    assert {len(amounts), *(amount.as_tuple().exponent for amount in amounts)} == {2400, -2}


def test_few_customers_have_many_activities(tables: dict[str, list[Row]]) -> None:
    counts = Counter(row["customer_id"] for row in tables["activity"])
    (busiest, most), (_, second), *_ = counts.most_common(2)
    assert (busiest, most) == (BUSY_CUSTOMER, S.busy_activities)
    assert second <= 400
    assert 0.12 < 1 - len(counts) / S.customers < 0.18
    assert counts[TIMELINE_CUSTOMER] > 150
    ordinary = sorted(counts.values())
    assert 3 <= ordinary[len(ordinary) // 2] <= 8


def test_operators_work_unequally(tables: dict[str, list[Row]]) -> None:
    by_operator = Counter(row["owner_id"] for row in tables["customer"][len(planted()["customer"]) :])
    ranks = [count for _, count in by_operator.most_common()]
    assert len(ranks) == 40
    assert ranks[0] / ranks[9] == pytest.approx(10**0.8, rel=0.35)


def test_times(tables: dict[str, list[Row]]) -> None:
    """Ids follow time, but for what was entered late."""
    moments: list[datetime] = [row["occurred_at"] for row in tables["activity"][len(planted()["activity"]) :]]
    assert min(moments) >= BEGIN
    assert max(moments) <= END
    assert any(later < earlier for earlier, later in pairwise(moments))
    days = [(later - earlier).total_seconds() / 86_400 for earlier, later in zip(moments, moments[2000:], strict=False)]
    assert min(days) > 0
    tied = Counter((row["customer_id"], row["occurred_at"]) for row in tables["activity"])
    assert sum(count > 1 for count in tied.values()) > 10


def test_three_customers_in_a_hundred_are_there_twice(tables: dict[str, list[Row]]) -> None:
    drawn = [row for row in tables["customer"] if row["id_hash"] and row["name"].strip() and row["name_key"]]
    by_key: dict[tuple[str, str], list[Row]] = {}
    for row in drawn:
        by_key.setdefault((row["id_hash"], row["name_key"]), []).append(row)
    again = [rows for rows in by_key.values() if len(rows) > 1]
    assert sum(len(rows) - 1 for rows in again) / len(drawn) == pytest.approx(0.03 * 0.8, abs=0.01)
    names = [{row["name"] for row in rows} for rows in again]
    assert sum(len(spellings) > 1 for spellings in names) > len(names) / 2
    phones = {character for rows in again for row in rows for character in row["phone"] or ""}
    assert {"+", "-", " ", "０"} <= phones
    assert sum(row["merged_into"] is not None for row in tables["customer"]) > 3


def everything(value: object) -> Iterator[object]:
    """A document's values, those inside it included."""
    yield value
    if isinstance(value, dict):
        for inner in value.values():
            yield from everything(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from everything(inner)


def test_documents_are_as_bad_as_real_ones(tables: dict[str, list[Row]]) -> None:
    tags = Counter(
        "missing" if row["tags"] is None else "null" if row["tags"] is JSON_NULL else type(row["tags"]).__name__
        for row in tables["feedback"]
    )
    assert tags["missing"] / S.feedback == pytest.approx(0.05, abs=0.01)
    assert tags["null"] / S.feedback == pytest.approx(0.01, abs=0.005)
    assert tags["str"] / S.feedback == pytest.approx(0.01, abs=0.005)
    spends = [
        spend
        for row in tables["customer"]
        if isinstance(row["extension"], dict)
        for spend in row["extension"].get("competitor_spend", {}).values()
    ]
    assert {type(spend) for spend in spends} >= {int, float, str, type(None)}
    texts = [row["summary"] or "" for row in tables["activity"]]
    assert sum(any(ord(character) > 0xFFFF for character in text) for text in texts) > 300
    assert sum(text.endswith(" ") for text in texts) > 300
    for rows in tables.values():
        for row in rows:
            assert not any(isinstance(value, Decimal | datetime) for name in ("tags", "outcome", "extension", "items")
                           for value in everything(row.get(name)))  # fmt: skip


def test_it_loads_through_the_library(tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []
    with Platform.embedded(tmp_path / "crm.db") as platform:
        install(platform)
        counts = sample.load(platform, LITTLE, progress=lambda *one: told.append(one))
        assert counts == {table: sample.count(LITTLE, table) for table in sample.TABLES}
        assert [table for table, _ in dict(told).items()] == list(sample.TABLES)
        for table in ("customer", "feedback", "sales_order"):
            assert list(platform.scan(table)) == list(sample.rows(LITTLE, table))


def test_some_tables_alone(tmp_path: Path) -> None:
    with Platform.embedded(tmp_path / "crm.db") as platform:
        install(platform, ["gift", "product"])
        assert sample.load(platform, S, ["gift"]) == {"gift": 30}
        assert list(platform.scan("product")) == []
