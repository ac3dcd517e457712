"""Ways to break the library on purpose, at its drivers: with each of them a run must find violations.

The drivers are patched, and not the library, so that these controls go on working when the library's inside changes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import pymysql.connections
from pymongo.collection import Collection

_COMMIT = ("COMMIT", b"COMMIT")


def install(name: str) -> None:
    """Breaks this process."""
    BREAKS[name]()


def no_journal() -> None:
    """The journal entry of a change goes before its commit: its document may be lost, or not there yet."""

    def execute(original: Callable[..., Any], connection: Any, command: int, sql: str | bytes) -> Any:
        if sql in _COMMIT:
            original(connection, command, "DELETE FROM platform_store_journal WHERE id = LAST_INSERT_ID()")
            connection._read_ok_packet()
        return original(connection, command, sql)

    _patch_statements(execute)


def lost_commits() -> None:
    """One commit in twenty is rolled back and acknowledged."""
    choose = random.Random()

    def execute(original: Callable[..., Any], connection: Any, command: int, sql: str | bytes) -> Any:
        return original(connection, command, "ROLLBACK" if sql in _COMMIT and choose.random() < 0.05 else sql)

    _patch_statements(execute)


def no_locks() -> None:
    """Rows are read without their lock, so that one change overwrites another."""

    def execute(original: Callable[..., Any], connection: Any, command: int, sql: str | bytes) -> Any:
        without = sql.replace(b" FOR UPDATE", b"") if isinstance(sql, bytes) else sql.replace(" FOR UPDATE", "")
        return original(connection, command, without)

    _patch_statements(execute)


def lost_documents() -> None:
    """MongoDB acknowledges documents and loses them, one call in twenty: as in a failover, below a majority."""
    choose = random.Random()
    for name in ("bulk_write", "insert_many"):
        original = getattr(Collection, name)

        def patched(*args: Any, original: Callable[..., Any] = original, **kwargs: Any) -> Any:
            return None if choose.random() < 0.05 else original(*args, **kwargs)

        setattr(Collection, name, patched)


def _patch_statements(execute: Callable[..., Any]) -> None:
    name = "_execute_command"
    original = getattr(pymysql.connections.Connection, name)

    def patched(connection: Any, command: int, sql: str | bytes) -> Any:
        return execute(original, connection, command, sql)

    setattr(pymysql.connections.Connection, name, patched)


BREAKS: Mapping[str, Callable[[], None]] = {
    "no-journal": no_journal,
    "lost-commits": lost_commits,
    "no-locks": no_locks,
    "lost-documents": lost_documents,
}
