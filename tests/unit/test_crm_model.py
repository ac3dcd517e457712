"""The CRM's entities: what stands where, and that installing them can be repeated. No server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crm_model import ENTITIES, Crm, Entity, fill_derived, install, upgrade
from crm_model.entities import Customer, Gift
from crm_model.links import links_to
from crm_model.names import name_key, phone_key
from crm_model.queries import QUESTIONS, ask
from crm_model.service import Service
from platform_store import ColumnAttribute, Index, NotSupported, Platform, SchemaError

DOCUMENTS = {
    "operator": "",
    "customer": "profile extension agreements tags custom attachments",
    "contact": "im preferences",
    "billing_customer": "usage_log services",
    "vip_card": "moves",
    "approval": "form comments",
    "activity": "summary competitors outcome care gift gps tags attachments custom",
    "feedback": "text tags answers product handling attachments",
    "task": "rule checklist notify",
    "opportunity": "needs lost stage_log",
    "sales_order": "items delivery invoice",
    "audit_log": "before_state after_state meta",
    "sales_lead": "raw behaviours notes why_not_bought",
    "product": "spec docs",
    "order_item": "",
    "campaign": "plan audience metrics result",
    "ticket": "description thread solution",
    "kb_article": "body keywords",
    "gift": "spec",
    "stock_move": "document",
    "gift_stock": "",
}
STANDARD = ["created_at", "updated_at", "del_token", "version"]
APPEND_ONLY = {"audit_log", "stock_move"}
BINARY = "utf8mb4_0900_bin"

entity = pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)


def test_every_entity_is_there() -> None:
    assert [entity.name for entity in ENTITIES] == list(DOCUMENTS)


@entity
def test_documents_hold_what_has_no_fixed_form(entity: Entity) -> None:
    assert [column.name for column in entity.documents] == DOCUMENTS[entity.name].split()
    assert all(column.nullable and column.type in ("JSON", "TEXT") for column in entity.documents)
    assert not any(column.name.endswith("_id") for column in entity.documents)


@entity
def test_the_standard_columns_end_the_part_in_mysql(entity: Entity) -> None:
    names = [column.name for column in entity.mysql_columns]
    assert names[0] == "id"
    assert names[-4:] == STANDARD or entity.name in APPEND_ONLY
    assert entity.flag == (-1 if entity.name == "operator" else len(names) - 1)


@entity
def test_types_follow_the_names(entity: Entity) -> None:
    types = {column.name: column.type for column in entity.mysql_columns}
    for name, type_ in types.items():
        assert type_ == "BIGINT" or not name.endswith("_id") or name == "trace_id"
        assert type_ == "DATETIME(3)" or not name.endswith("_at")
    assert {types[name] for name in ("amount", "budget", "price", "arpu_3m") if name in types} <= {"DECIMAL(14,2)"}


@entity
def test_text_has_a_binary_collation(entity: Entity) -> None:
    for column in entity.attributes(BINARY):
        text = column.type.startswith(("VARCHAR", "CHAR", "TEXT"))
        assert column.collation == (BINARY if text else None)


@entity
def test_natural_keys_are_unique_among_live_rows(entity: Entity) -> None:
    """A nullable mark of deletion would make no two rows equal."""
    unique = [index for index in entity.all_indexes if index.unique]
    assert all(index.columns[-1] == "del_token" for index in unique)
    columns = {column.name: column for column in entity.mysql_columns}
    assert all(name in columns for index in entity.all_indexes for name in index.columns)
    assert entity.name in APPEND_ONLY or not columns["del_token"].nullable


def test_indexes_of_a_timeline() -> None:
    (activity,) = (entity for entity in ENTITIES if entity.name == "activity")
    assert Index(["customer_id", "occurred_at", "id"]) in activity.all_indexes


def test_installing_creates_what_is_missing_and_may_be_repeated(tmp_path: Path) -> None:
    with Platform.embedded(tmp_path / "crm.db") as platform:
        install(platform, ["customer"])
        assert platform.tables() == ["customer"]
        install(platform)
        install(platform)
        assert platform.tables() == sorted(DOCUMENTS)
        described = platform.describe("operator")
        assert {column.placement for column in described.columns} == {"both"}
        assert {column.collation for column in platform.describe("activity").columns} == {None, BINARY}


def test_a_table_of_another_definition_is_left_alone(tmp_path: Path) -> None:
    with Platform.embedded(tmp_path / "crm.db") as platform:
        platform.create_table("gift", [ColumnAttribute("id", "BIGINT")], flag=0)
        with pytest.raises(SchemaError, match="different definition"):
            install(platform)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("张伟", "张伟"),
        ("張偉 ", "张伟"),
        ("ＡＢＣ（北京）科技", "abc北京科技"),
        ("Abc(北京) 科技", "abc北京科技"),
        ("廣東遠達網絡", "广东远达网络"),
        ("𠮷田", "𠮷田"),
        ("", ""),
    ],
)
def test_a_name_is_searched_however_it_was_typed(written: str, key: str) -> None:
    assert name_key(written) == key


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("13800138000", "13800138000"),
        ("+86 138-0013-8000", "13800138000"),
        ("0086 138 0013 8000", "13800138000"),
        ("8613800138000", "13800138000"),
        ("013800138000", "13800138000"),
        ("（＋８６）１３８ ００１３ ８０００", "13800138000"),
        ("010-8888 6666", "1088886666"),
        ("+86 (0)10 8888 6666", "1088886666"),
        ("０１０８８８８６６６６", "1088886666"),
        ("8610-8888666", "86108888666"),  # no mobile number: 8610 may be how it begins
        ("86123456", "86123456"),
        ("+44 20 7946 0000", "+442079460000"),
        ("0044-20-7946-0000", "+442079460000"),
        ("400 820 8820", "4008208820"),
        ("95598", "95598"),
        ("无", None),
        ("+", None),
        ("0", None),
        ("", None),
        (None, None),
    ],
)
def test_a_phone_number_is_searched_however_it_was_typed(written: str | None, key: str | None) -> None:
    assert phone_key(written) == key
    assert phone_key(key) == key


def test_what_is_derived_follows_from_its_source() -> None:
    assert Customer.derived({"name": "張偉 ", "city": "北京"}) == {"name": "張偉 ", "city": "北京", "name_key": "张伟"}
    assert Customer.derived({"phone": None}) == {"phone": None, "phone_key": None}
    assert Gift.derived({"sku": "G1"}) == {"sku": "G1"}


@entity
def test_every_reference_says_to_what(entity: Entity) -> None:
    """A merge and a purge find rows by it."""
    names = {one.column for one in entity.references}
    keys = {column.name for column in entity.columns if column.type == "BIGINT"}
    assert names == keys - {"del_token"}, "a BIGINT of its own that is no reference()"
    columns = {column.name for column in entity.columns}
    for one in entity.references:
        assert (one.table in DOCUMENTS) != (one.by in columns), f"{one.column}: say to= or by="


def test_references_to_customers_are_found_by_an_index() -> None:
    for link in links_to("customer"):
        leading = [index.columns[: len(link.prefix)] for index in link.model.declaration.all_indexes]
        assert link.prefix in leading, f"{link.name} needs an index that begins with it"
        nullable = {column.name for column in link.model.declaration.mysql_columns if column.nullable}
        assert nullable.isdisjoint(link.order), f"{link.name}: pages need an order without NULL"


def test_what_refers_to_a_customer() -> None:
    assert {link.name for link in links_to("customer")} == {
        "customer.parent_id",
        "customer.merged_into",
        "contact.customer_id",
        "billing_customer.customer_id",
        "vip_card.customer_id",
        "approval.subject_id",
        "activity.customer_id",
        "activity.ref_id",
        "feedback.customer_id",
        "task.customer_id",
        "opportunity.customer_id",
        "sales_order.customer_id",
        "sales_lead.customer_id",
        "ticket.customer_id",
    }


def test_there_are_ten_questions() -> None:
    assert [question.number for question in QUESTIONS] == list(range(1, 11))
    for question in QUESTIONS:
        assert question.ordered <= ("ORDER BY" in question.sql)
        assert all(f"{table} " in question.sql for table in question.tables)


def test_a_derived_column_that_some_rows_need_not_have(tmp_path: Path) -> None:
    """Neither who has no phone lacks its key, nor one whose phone is no number."""
    with Platform.embedded(tmp_path / "crm.db") as platform:
        install(platform, ["customer"])
        about: dict[str, Any] = {
            "kind": "企业",
            "status": "正常",
            "credit_limit": 0,
            "stage": "稳定",
            "source": "自拓",
            "owner_id": 1,
        }
        for number, phone in enumerate((None, "没有", "+86 138 0013 8000"), 1):
            row = Customer(id=number, cust_no=f"C{number}", name="张伟", name_key="张伟", phone=phone, **about)
            platform.write("customer", row.values())
        (left,) = upgrade(platform, ["customer"]).left
        assert left == "customer.phone_key is not set in some rows: crm_model.fill_derived() sets it"
        assert fill_derived(platform, ["customer"]) == 1
        assert upgrade(platform, ["customer"]).left == ()
        assert [row["phone_key"] for row in platform.scan("customer")] == [None, None, "13800138000"]


def test_what_the_embedded_pair_cannot_answer_it_refuses(tmp_path: Path) -> None:
    with Platform.embedded(tmp_path / "crm.db") as platform:
        install(platform)
        assert [ask(platform, number).columns for number in (2, 3)] == [
            ("id", "name", "n", "s"),
            ("id", "kind", "occurred_at", "summary"),
        ]
        for number in (1, 4, 5, 6, 7, 8, 9, 10):
            with pytest.raises(NotSupported):
                ask(platform, number)


def test_services_share_no_names() -> None:
    """All of them are one object: a name of one would be another's."""
    owners: dict[str, list[str]] = {}
    for service in Crm.__mro__[1:-1]:
        for name in vars(service):
            if not name.startswith("__") and service is not Service:
                owners.setdefault(name, []).append(service.__name__)
    assert {name: those for name, those in owners.items() if len(those) > 1 or name in vars(Service)} == {}
