"""What ``doctor`` checks on a MySQL or MariaDB server."""

from __future__ import annotations

from platform_store.records import Finding
from platform_store.stores.mysql_session import MysqlSession

_NEEDED_PRIVILEGES = (
    "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "INDEX", "CREATE TEMPORARY TABLES"
)  # fmt: skip
_MINIMUM = {"mysql": (8, 0, 23), "mariadb": (10, 6, 0)}  # invisible columns; JSON_TABLE


def findings(session: MysqlSession) -> list[Finding]:
    """The server's version, settings and privileges, each with advice where something has to change."""
    ((version,),) = session.rows("SELECT VERSION()")
    mariadb = "mariadb" in version.lower()
    return [
        _version(version, mariadb),
        _privileges(session),
        _character_set(session),
        _auto_increment(session),
        _isolation(session),
        _packet(session),
        _durability(session),
        _local_infile(session),
    ]


def _version(version: str, mariadb: bool) -> Finding:
    number = tuple(int(part) for part in version.split("-")[0].split(".")[:3])
    minimum = _MINIMUM["mariadb" if mariadb else "mysql"]
    return Finding(
        "mysql version",
        number >= minimum,
        f"{'MariaDB' if mariadb else 'MySQL'} {version}",
        f"upgrade to {'.'.join(map(str, minimum))} or later",
    )


def _privileges(session: MysqlSession) -> Finding:
    """Reads the grants of this account: privileges on the database or on everything."""
    held: set[str] = set()
    for scope in ("USER_PRIVILEGES", "SCHEMA_PRIVILEGES"):
        restriction = " AND TABLE_SCHEMA = DATABASE()" if scope.startswith("SCHEMA") else ""
        rows = session.rows(
            f"SELECT PRIVILEGE_TYPE FROM information_schema.{scope} WHERE GRANTEE = CONCAT("
            f"'''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), ''''"
            f"){restriction}"
        )
        held.update(row[0] for row in rows)
    missing = [privilege for privilege in _NEEDED_PRIVILEGES if privilege not in held]
    return Finding(
        "mysql privileges",
        not missing,
        "all held" if not missing else f"missing: {', '.join(missing)}",
        f"GRANT {', '.join(missing)} ON the database to this account (privileges held through a role are not seen)",
    )


def _character_set(session: MysqlSession) -> Finding:
    ((charset, collation),) = session.rows("SELECT @@character_set_database, @@collation_database")
    return Finding(
        "mysql character set",
        charset == "utf8mb4",
        f"{charset}, {collation}",
        "ALTER DATABASE ... CHARACTER SET utf8mb4",
    )


def _auto_increment(session: MysqlSession) -> Finding:
    ((increment, offset),) = session.rows("SELECT @@auto_increment_increment, @@auto_increment_offset")
    return Finding(
        "mysql auto_increment",
        (increment, offset) == (1, 1),
        f"increment {increment}, offset {offset}",
        "set auto_increment_increment and auto_increment_offset to 1; multi-primary clusters are not supported",
    )


def _isolation(session: MysqlSession) -> Finding:
    ((log_bin, binlog_format),) = session.rows("SELECT @@log_bin, @@binlog_format")
    return Finding(
        "mysql binlog",
        not log_bin or binlog_format == "ROW" or binlog_format == "MIXED",
        f"log_bin {log_bin}, format {binlog_format}",
        "READ COMMITTED needs binlog_format = ROW or MIXED",
    )


def _packet(session: MysqlSession) -> Finding:
    ((size,),) = session.rows("SELECT @@max_allowed_packet")
    needed = 34 * 1024 * 1024
    return Finding(
        "mysql max_allowed_packet",
        size >= needed,
        f"{size} bytes",
        f"documents up to 16 MB need at least {needed}; smaller ones work as it is",
    )


def _durability(session: MysqlSession) -> Finding:
    ((value,),) = session.rows("SELECT @@innodb_flush_log_at_trx_commit")
    return Finding(
        "mysql innodb_flush_log_at_trx_commit", value == 1, str(value), "set it to 1: a crash loses commits otherwise"
    )


def _local_infile(session: MysqlSession) -> Finding:
    """Never a problem: without it, queries over both stores stage documents by multi-row INSERTs, which take longer."""
    ((value,),) = session.rows("SELECT @@local_infile")
    return Finding("mysql local_infile", True, "on" if value else "off; SET PERSIST local_infile = 1 allows LOAD DATA")
