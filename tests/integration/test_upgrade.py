"""Databases of earlier versions: what waits in their journal is not lost."""

from __future__ import annotations

import pytest

from platform_store import ColumnAttribute, SchemaError
from platform_store.stores.mysql_sql import REMOVALS
from tests.integration.conftest import Servers

FIRST_JOURNAL = """
    CREATE TABLE platform_store_journal (
        id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
        table_id BIGINT UNSIGNED NOT NULL,
        row_key BLOB NOT NULL,
        epoch BIGINT UNSIGNED NOT NULL,
        nonce BINARY(16) NOT NULL,
        document LONGBLOB NULL,
        KEY by_row (table_id, row_key(64)),
        KEY by_nonce (nonce)
    ) ENGINE=InnoDB
"""


def test_the_first_journal(servers_of_test: Servers) -> None:
    with servers_of_test.open() as platform:
        platform.create_table("card", [ColumnAttribute("id", "INT"), ColumnAttribute("doc", "JSON")], flag=0)
        platform.write("card", {"id": 1, "doc": ["老"]})
    (entry,) = servers_of_test.sql("SELECT id, table_id, row_key, epoch, nonce, document FROM platform_store_journal")
    servers_of_test.sql("DROP TABLE platform_store_journal")
    servers_of_test.sql("DROP TABLE platform_store_state")
    servers_of_test.sql(FIRST_JOURNAL)
    placeholders = ", ".join(f"X'{part.hex()}'" if isinstance(part, bytes) else str(part) for part in entry)
    servers_of_test.sql(f"INSERT INTO platform_store_journal VALUES ({placeholders})")
    servers_of_test.mongodb.drop_collection("card")
    servers_of_test.mongodb.drop_collection("platform_store_state")
    with servers_of_test.open_quiet() as platform:
        assert platform.read("card", 1) == {"id": 1, "doc": ["老"]}
        assert platform.recover().confirmed == 1
        assert platform.read("card", 1) == {"id": 1, "doc": ["老"]}
        platform.update("card", 1, {"doc": ["neu"]})
        assert platform.status().pending_entries == 1
    assert servers_of_test.mongodb["card"].count_documents({"_id": 1}) == 1


def test_the_state_from_before_removals_were_counted(servers_of_test: Servers) -> None:
    with servers_of_test.open() as platform:
        platform.create_table("card", [ColumnAttribute("id", "INT"), ColumnAttribute("doc", "JSON")], flag=0)
        platform.write("card", {"id": 1, "doc": ["老"]})
        platform.recover()
    described = servers_of_test.definition("platform_store_state")
    kept = servers_of_test.sql("SELECT removed_to, ceiling, server FROM platform_store_state")
    servers_of_test.sql("ALTER TABLE platform_store_state DROP COLUMN removals")
    with servers_of_test.open_quiet() as platform:
        assert servers_of_test.definition("platform_store_state") == described
        assert servers_of_test.sql("SELECT removed_to, ceiling, server FROM platform_store_state") == kept
        assert servers_of_test.sql(REMOVALS) == ((0,),)
        platform.write("card", {"id": 2, "doc": ["neu"]})
        platform.recover()
    assert servers_of_test.sql(REMOVALS) == ((1,),)


def test_a_table_of_a_later_version_is_refused_by_name(servers_of_test: Servers) -> None:
    with servers_of_test.open() as platform:
        platform.create_table("card", [ColumnAttribute("id", "INT"), ColumnAttribute("doc", "JSON")], flag=0)
        platform.write("card", {"id": 1, "doc": ["老"]})
        platform.recover()
        # What a later version does: documents of another form, at the next epoch.
        servers_of_test.sql("UPDATE platform_store_table SET storage_format = 2, epoch = epoch + 1")
        with pytest.raises(SchemaError, match=r"table .card.: its documents have storage format 2.*upgrade"):
            platform.write("card", {"id": 2, "doc": ["neu"]})
        with pytest.raises(SchemaError, match="storage format 2"):
            platform.read("card", 1)
    with pytest.raises(SchemaError, match="storage format 2"):
        servers_of_test.open()
    assert servers_of_test.sql("SELECT COUNT(*) FROM card") == ((1,),)
