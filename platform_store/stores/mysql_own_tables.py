"""The library's own tables in MySQL and MariaDB, and what makes those of an earlier version current."""

from __future__ import annotations

from platform_store.stores.mysql_sql import CATALOG, JOB, JOB_PART, JOURNAL, STATE

CREATE_OWN_TABLES = (
    f"""
    CREATE TABLE IF NOT EXISTS {CATALOG} (
        id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
        name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL UNIQUE,
        epoch BIGINT UNSIGNED NOT NULL,
        state VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
        storage_format INT UNSIGNED NOT NULL,
        definition LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL
    ) ENGINE=InnoDB COMMENT='platform_store: one row for each logical table'
    """,
    f"""
    CREATE TABLE IF NOT EXISTS {JOURNAL} (
        id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
        table_id BIGINT UNSIGNED NOT NULL,
        row_key BLOB NOT NULL,
        epoch BIGINT UNSIGNED NOT NULL,
        nonce BINARY(16) NOT NULL,
        written_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
        state TINYINT UNSIGNED NOT NULL DEFAULT 0,
        cause INT NULL,
        size INT UNSIGNED NOT NULL DEFAULT 0,
        document LONGBLOB NULL,
        KEY by_state (state, size)
    ) ENGINE=InnoDB COMMENT='platform_store: documents not yet confirmed in MongoDB. Never truncate or drop'
    """,
    f"""
    CREATE TABLE IF NOT EXISTS {STATE} (
        id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
        owner BINARY(16) NULL,
        lease TIMESTAMP(3) NULL,
        removed_to BIGINT UNSIGNED NOT NULL DEFAULT 0,
        removals BIGINT UNSIGNED NOT NULL DEFAULT 0,
        ceiling BIGINT UNSIGNED NOT NULL DEFAULT 0,
        server VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
        held_by VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
        held_until TIMESTAMP(3) NULL
    ) ENGINE=InnoDB COMMENT='platform_store: one row, what its processes agree on'
    """,
    f"""
    CREATE TABLE IF NOT EXISTS {JOB} (
        id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
        kind VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
        name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
        status VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
        unfinished VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
        owner BINARY(16) NULL,
        lease TIMESTAMP(3) NULL,
        heard TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
        spec LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
        state LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
        UNIQUE KEY one_at_a_time (kind, unfinished)
    ) ENGINE=InnoDB COMMENT='platform_store: one row for each long operation'
    """,
    f"""
    CREATE TABLE IF NOT EXISTS {JOB_PART} (
        job BIGINT UNSIGNED NOT NULL,
        number INT UNSIGNED NOT NULL,
        done BOOLEAN NOT NULL DEFAULT FALSE,
        state LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
        PRIMARY KEY (job, number)
    ) ENGINE=InnoDB COMMENT='platform_store: how far the parts of a long operation are'
    """,
)
_HAS_COLUMN = (
    "SELECT 1 FROM information_schema.COLUMNS "
    "WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '{}' AND COLUMN_NAME = '{}'"
)
UPGRADES = (
    (  # from before there was anything to sweep; its entries stay
        _HAS_COLUMN.format(JOURNAL, "size"),
        f"ALTER TABLE {JOURNAL} "
        "ADD COLUMN written_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), "
        "ADD COLUMN state TINYINT UNSIGNED NOT NULL DEFAULT 0, ADD COLUMN cause INT NULL, "
        "ADD COLUMN size INT UNSIGNED NOT NULL DEFAULT 0, ADD KEY by_state (state, size), "
        "DROP KEY by_row, DROP KEY by_nonce",
    ),
    (  # from before removals were counted
        _HAS_COLUMN.format(STATE, "removals"),
        f"ALTER TABLE {STATE} ADD COLUMN removals BIGINT UNSIGNED NOT NULL DEFAULT 0 AFTER removed_to",
    ),
    (  # from before it could be held for a backup
        _HAS_COLUMN.format(STATE, "held_by"),
        f"ALTER TABLE {STATE} ADD COLUMN held_by VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL, "
        "ADD COLUMN held_until TIMESTAMP(3) NULL",
    ),
)
"""Questions that have an answer where the tables are as this version needs them, and what else makes them so."""
HAS_STATE_ROW = f"SELECT 1 FROM {STATE}"
INSERT_STATE_ROW = f"INSERT INTO {STATE} (id) VALUES (1)"
