"""The CRM's entities: what stands where, and that installing them can be repeated. No server."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm_model import ENTITIES, Entity, install
from crm_model.names import name_key
from crm_model.queries import QUESTIONS
from platform_store import ColumnAttribute, Index, Platform, SchemaError

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
    "sales_lead": "raw behaviours why_not_bought",
    "product": "spec docs",
    "order_item": "",
    "campaign": "plan audience metrics",
    "ticket": "description thread solution",
    "kb_article": "body keywords",
    "gift": "spec",
    "stock_move": "document",
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


def test_there_are_ten_questions() -> None:
    assert [question.number for question in QUESTIONS] == list(range(1, 11))
    for question in QUESTIONS:
        assert question.ordered <= ("ORDER BY" in question.sql)
        assert all(f"{table} " in question.sql for table in question.tables)
