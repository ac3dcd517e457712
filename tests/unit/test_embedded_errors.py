"""No error of SQLite reaches a user as it is, and none goes untranslated."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from platform_store.config import EmbeddedConfig
from platform_store.errors import ConfigError, PlatformStoreError, TransientError, Unavailable, ValueRejected
from platform_store.stores import embedded_engine
from platform_store.stores.base import DuplicateKey, StaleAssociation
from platform_store.stores.embedded import EmbeddedStore
from platform_store.stores.embedded_engine import translate

RESULT_CODES = {
    name: code
    for name in dir(sqlite3)
    if name.startswith("SQLITE_") and isinstance(code := getattr(sqlite3, name), int)
    # Authorizer actions, limits and the like have values of their own; result codes are 1 to 28 and extensions.
    if not name.startswith(("SQLITE_LIMIT", "SQLITE_OK", "SQLITE_DBCONFIG", "SQLITE_DROP", "SQLITE_CREATE"))
    and name
    not in {
        "SQLITE_ALTER_TABLE", "SQLITE_ANALYZE", "SQLITE_ATTACH", "SQLITE_DELETE", "SQLITE_DENY", "SQLITE_DETACH",
        "SQLITE_DONE", "SQLITE_FUNCTION", "SQLITE_IGNORE", "SQLITE_INSERT", "SQLITE_PRAGMA",
        "SQLITE_READ", "SQLITE_RECURSIVE", "SQLITE_REINDEX", "SQLITE_ROW", "SQLITE_SAVEPOINT", "SQLITE_SELECT",
        "SQLITE_TRANSACTION", "SQLITE_UPDATE",
    }
}  # fmt: skip

EXPECTED: dict[str, type[Exception]] = {
    "SQLITE_ABORT": TransientError,
    "SQLITE_AUTH": Unavailable,
    "SQLITE_BUSY": TransientError,
    "SQLITE_CANTOPEN": Unavailable,
    "SQLITE_CONSTRAINT": ValueRejected,
    "SQLITE_CORRUPT": Unavailable,
    "SQLITE_EMPTY": Unavailable,
    "SQLITE_ERROR": StaleAssociation,
    "SQLITE_FORMAT": Unavailable,
    "SQLITE_FULL": Unavailable,
    "SQLITE_INTERNAL": Unavailable,
    "SQLITE_INTERRUPT": TransientError,
    "SQLITE_IOERR": Unavailable,
    "SQLITE_LOCKED": TransientError,
    "SQLITE_MISMATCH": ValueRejected,
    "SQLITE_MISUSE": PlatformStoreError,
    "SQLITE_NOLFS": Unavailable,
    "SQLITE_NOMEM": Unavailable,
    "SQLITE_NOTADB": Unavailable,
    "SQLITE_NOTFOUND": Unavailable,
    "SQLITE_NOTICE": PlatformStoreError,
    "SQLITE_PERM": Unavailable,
    "SQLITE_PROTOCOL": TransientError,
    "SQLITE_RANGE": PlatformStoreError,
    "SQLITE_READONLY": Unavailable,
    "SQLITE_SCHEMA": StaleAssociation,
    "SQLITE_TOOBIG": ValueRejected,
    "SQLITE_WARNING": PlatformStoreError,
}
EXTENDED: dict[str, type[Exception]] = {
    "SQLITE_CONSTRAINT_PRIMARYKEY": DuplicateKey,
    "SQLITE_CONSTRAINT_ROWID": DuplicateKey,
    "SQLITE_CONSTRAINT_UNIQUE": DuplicateKey,
}


def coded(name: str) -> sqlite3.Error:
    error = sqlite3.OperationalError("a message that quotes 'geheim'")
    error.sqlite_errorcode, error.sqlite_errorname = RESULT_CODES[name], name
    return error


def primary(name: str) -> str:
    """The primary result code that an extended one belongs to."""
    return next(known for known in EXPECTED if RESULT_CODES[known] == RESULT_CODES[name] & 0xFF)


@pytest.mark.parametrize("name", sorted(RESULT_CODES))
def test_every_result_code_is_translated(name: str) -> None:
    translated = translate(coded(name))
    assert type(translated) is EXTENDED.get(name, EXPECTED[primary(name)])
    assert "geheim" not in str(translated)


def test_every_primary_code_is_named_once() -> None:
    """Nothing is left to a fallback: each code stands in exactly one of the module's sets."""
    sets = ("_TRANSIENT", "_STALE", "_REFUSED_VALUE", "_UNAVAILABLE", "_MISUSE")
    named = sorted(code for name in sets for code in getattr(embedded_engine, name))
    assert named == list(range(1, 29))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (sqlite3.DatabaseError, PlatformStoreError),
        (sqlite3.DataError, ValueRejected),
        (sqlite3.Error, PlatformStoreError),
        (sqlite3.IntegrityError, ValueRejected),
        (sqlite3.InterfaceError, PlatformStoreError),
        (sqlite3.InternalError, PlatformStoreError),
        (sqlite3.NotSupportedError, PlatformStoreError),
        (sqlite3.OperationalError, PlatformStoreError),
        (sqlite3.ProgrammingError, PlatformStoreError),
    ],
)
def test_an_error_of_the_driver_itself_is_translated(kind: type[sqlite3.Error], expected: type[Exception]) -> None:
    assert type(translate(kind("quotes 'geheim'"))) is expected
    assert "geheim" not in str(translate(kind("quotes 'geheim'")))


def test_every_exception_class_is_in_the_table_above() -> None:
    classes = {kind for kind in vars(sqlite3).values() if isinstance(kind, type) and issubclass(kind, sqlite3.Error)}
    assert len(classes) == 9


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"this is text, and no database at all\n" * 100)
    with pytest.raises(Unavailable, match="NOTADB"):
        EmbeddedStore(EmbeddedConfig(path))


def test_a_path_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="CANTOPEN"):
        EmbeddedStore(EmbeddedConfig(tmp_path / "missing" / "a.db"))


def test_a_file_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "later.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ConfigError, match="later version"):
        EmbeddedStore(EmbeddedConfig(path))


def test_a_lock_wait_ends(tmp_path: Path) -> None:
    store = EmbeddedStore(EmbeddedConfig(tmp_path / "a.db", busy_timeout=0.1))
    try:
        with store.rows.transaction(), pytest.raises(TransientError, match="SQLITE_BUSY"), store.rows.transaction():
            pass
    finally:
        store.close()


def test_a_closed_store_is_unavailable(tmp_path: Path) -> None:
    store = EmbeddedStore(EmbeddedConfig(tmp_path / "a.db"))
    store.close()
    store.close()
    with pytest.raises(Unavailable, match="closed"):
        store.rows.load_catalog()
