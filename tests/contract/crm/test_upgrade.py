"""Installations of an earlier version are brought to this one, and nothing that was there is changed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from crm_model import Crm, InvalidInput, Upgrade, fill_derived, install, upgrade
from crm_model.column import From
from crm_model.entities import Contact, Operator
from crm_model.names import name_key
from platform_store import ColumnAttribute, Conflict, Platform, SchemaError
from tests.contract.conftest import Backend
from tests.contract.crm import make, older
from tests.contract.crm.older import BY_EMAIL, ENTITY, LATER, TABLES, UNIQUE

NOTHING = Upgrade((), (), (), (), dry_run=False)
COLUMNS = {f"{table}.{column}" for table, columns in LATER.items() for column in columns}
INDEXES = ("operator UNIQUE (login, del_token)", "contact (email)", "contact (name_key)")
ELSEWHERE = "operator.version is in MySQL alone: move_column('operator', 'version', to='both') copies it"
WITHOUT_VALUE = (
    "operator.region has no value in some rows: set it there",
    "contact.name_key is not set in some rows: crm_model.fill_derived() sets it",
)


def placements(platform: Platform, table: str) -> dict[str, str]:
    return {column.name: column.placement for column in platform.describe(table).columns}


def test_what_is_new_is_added_and_what_was_there_stays(platform: Platform) -> None:
    before = older.make(platform)
    done = upgrade(platform, TABLES)
    assert (done.tables, set(done.columns), done.indexes) == ((), COLUMNS, INDEXES)
    assert done.left == (ELSEWHERE, *WITHOUT_VALUE)
    assert older.kept(platform, before)
    assert platform.read("contact", 1, columns=LATER["contact"]) == {
        "name_key": None,
        "is_primary": 0,
        "preferences": None,
    }
    for table in TABLES:
        assert set(platform.describe(table).indexes) == set(ENTITY[table].all_indexes)
        assert platform.verify(table).found == 0
    assert placements(platform, "contact")["preferences"] == "mongodb"
    assert placements(platform, "contact")["门店"] == "mysql"


def test_it_may_be_repeated_and_says_what_is_left_until_it_is_done(platform: Platform) -> None:
    before = older.make(platform)
    upgrade(platform, TABLES)
    assert upgrade(platform, TABLES) == replace(NOTHING, left=WITHOUT_VALUE)
    install(platform, TABLES)
    platform.update("contact", 2, {"name_key": "张伟2"})
    assert fill_derived(platform, TABLES) == older.ROWS - 1
    assert fill_derived(platform, TABLES) == 0
    for number in range(1, older.ROWS + 1):
        platform.update("operator", number, {"region": "北京"})
        assert platform.read("contact", number, columns=["name_key"]) == {"name_key": f"张伟{number}"}
    assert upgrade(platform, TABLES) == NOTHING
    assert older.kept(platform, before)


def test_the_services_work_afterwards(platform: Platform) -> None:
    older.make(platform)
    assert upgrade(platform, [*TABLES, "customer", "audit_log"]).tables == ("customer", "audit_log")
    crm = Crm(platform, 1)
    customer = make.customer(crm)
    added = crm.add(Contact(customer_id=customer.id, name="李娜", preferences={"茶": True}))
    assert crm.find(Contact, {"name_key": "李娜"}) == [added]
    with pytest.raises(Conflict):
        crm.add(Operator(login="o1", name="又一个", role="客户经理", region="北京", status="在职"))


def test_a_dry_run_says_the_same_and_does_nothing(platform: Platform) -> None:
    before = older.make(platform)
    described = [platform.describe(table) for table in TABLES]
    said = upgrade(platform, [*TABLES, "gift"], dry_run=True)
    assert (said.dry_run, said.tables) == (True, ("gift",))
    assert [platform.describe(table) for table in TABLES] == described
    assert platform.tables() == sorted(TABLES)
    assert older.kept(platform, before)
    assert upgrade(platform, [*TABLES, "gift"]) == replace(said, dry_run=False)


def test_empty_tables_come_to_ask_for_values(platform: Platform) -> None:
    older.make(platform, rows=0)
    with pytest.raises(SchemaError, match=r"'operator'.* earlier version, without region, version, .*: upgrade\(\)"):
        install(platform, TABLES)
    assert upgrade(platform, TABLES).left == ()
    columns = {column.name: column for column in platform.describe("operator").columns}
    assert not columns["region"].nullable
    assert columns["version"].placement == "both"


def test_columns_that_have_moved_stay_where_they_are(platform: Platform) -> None:
    before = older.make(platform)
    platform.move_column("operator", "login", to="mongodb")
    platform.move_column("contact", "email", to="mongodb")
    platform.move_column("contact", "im", to="mysql")
    done = upgrade(platform, TABLES)
    assert "operator has no index UNIQUE (login, del_token): its columns have been moved to MongoDB" in done.left
    assert done.indexes == INDEXES[1:]
    assert placements(platform, "operator")["login"] == placements(platform, "contact")["email"] == "mongodb"
    assert placements(platform, "contact")["im"] == "mysql"
    assert older.kept(platform, before)
    install(platform, TABLES)
    platform.move_column("operator", "login", to="both")
    assert upgrade(platform, TABLES).indexes == INDEXES[:1]


def test_rows_that_stand_against_a_natural_key(platform: Platform) -> None:
    before = older.make(platform)
    platform.write("operator", {**older.operator(9), "login": "o1"})
    done = upgrade(platform, TABLES)
    assert (
        "operator has no index UNIQUE (login, del_token): rows have equal values in it; mend them, then upgrade()"
        in done.left
    )
    assert BY_EMAIL in platform.describe("contact").indexes
    assert UNIQUE not in platform.describe("operator").indexes
    platform.delete("operator", 9)
    assert upgrade(platform, TABLES).indexes == INDEXES[:1]
    with pytest.raises(Conflict):
        platform.write("operator", {**older.operator(10), "login": "o1"})
    assert older.kept(platform, before)


def test_a_column_of_another_type_is_named_and_left_alone(platform: Platform) -> None:
    before = older.make(platform)
    platform.add_column("contact", ColumnAttribute("is_primary", "INT", default=7), to="mysql")
    assert "contact.is_primary is INT, not TINYINT" in upgrade(platform, TABLES).left
    assert platform.read("contact", 1, columns=["is_primary"]) == {"is_primary": 7}
    assert older.kept(platform, before)


def test_a_column_whose_name_is_nearly_taken(platform: Platform) -> None:
    """MySQL takes both names for one."""
    before = older.make(platform)
    platform.add_column("operator", ColumnAttribute("REGION", "JSON"), to="mongodb")
    with pytest.raises(SchemaError, match="'region'"):
        upgrade(platform, TABLES)
    assert older.kept(platform, before)


def test_who_changes_a_row_while_it_is_filled_is_right(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service that changes the name sets its key, too."""
    older.make(platform, rows=2)
    upgrade(platform, TABLES)

    def changed_meanwhile(name: str) -> str:
        platform.update("contact", 1, {"name": "李娜", "name_key": "李娜"})
        return name_key(name)

    monkeypatch.setattr(Contact, "derivations", {"name_key": From("name", changed_meanwhile)})
    assert fill_derived(platform, ["contact"]) == 1
    assert [row["name_key"] for row in platform.scan("contact")] == ["李娜", "张伟2"]


def test_a_table_of_somebody_else_stops_it_before_anything_is_done(platform: Platform) -> None:
    older.make(platform)
    described = [platform.describe(table) for table in TABLES]
    platform.create_table("gift", [ColumnAttribute("sku", "VARCHAR(20)")], flag=0)
    with pytest.raises(SchemaError, match=r"'gift'.* no table of the CRM"):
        upgrade(platform, ["activity", *TABLES, "gift"])
    with pytest.raises(SchemaError, match=r"'gift'.* no table of the CRM"):
        install(platform, ["gift"])
    assert platform.tables() == sorted([*TABLES, "gift"])
    assert [platform.describe(table) for table in TABLES] == described


def test_several_at_a_time(backend: Backend) -> None:
    """As where several processes of a new version start at once."""

    def one(_: int) -> Upgrade:
        with backend.open() as platform:
            return upgrade(platform, [*TABLES, "gift"])

    with backend.open() as platform:
        before = older.make(platform)
        with ThreadPoolExecutor(3) as pool:
            results = list(pool.map(one, range(3)))
        assert {words for done in results for words in done.left} == {ELSEWHERE, *WITHOUT_VALUE}
        assert upgrade(platform, [*TABLES, "gift"]) == replace(NOTHING, left=WITHOUT_VALUE)
        assert older.kept(platform, before)


def test_a_name_of_no_entity_is_told(platform: Platform) -> None:
    for call in (install, upgrade, fill_derived):
        with pytest.raises(
            InvalidInput, match=r"tables: there is no entity 'contcat', 'ticket_'; there are operator, "
        ):
            call(platform, ["contact", "contcat", "ticket_"])
    assert platform.tables() == []
