"""The library with one of its protections off: the matrices must notice each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from platform_store import Platform
from platform_store.stores import mongodb_target
from platform_store.stores.base import Entry
from platform_store.stores.mysql_transaction import MysqlTransaction
from platform_store.unit import Unit
from tests.faults.child import Work


@dataclass(frozen=True)
class Broken:
    """Work done with the protection off."""

    work: Work
    protection: str

    def __call__(self, platform: Platform) -> object:
        with PROTECTIONS[self.protection]():
            return self.work(platform)


@contextlib.contextmanager
def _applied_after_the_commit() -> Iterator[None]:
    def commit(unit: Unit) -> None:
        unit._journal.apply(unit.entries)
        original(unit)

    original = Unit.commit
    with patch.object(Unit, "commit", commit):
        yield


@contextlib.contextmanager
def _journal_entry() -> Iterator[None]:
    def record(transaction: Any, *arguments: Any, **options: Any) -> Any:
        entries = original(transaction, *arguments, **options)
        for entry in entries:
            transaction._session.execute("DELETE FROM platform_store_journal WHERE id = %s", [entry.revision])
        return entries

    original = MysqlTransaction.record
    with patch.object(MysqlTransaction, "record", record):
        yield


@contextlib.contextmanager
def _durable_intent() -> Iterator[None]:
    def announce(transaction: Any, association: Any, keys: Any) -> Any:
        with patch.object(
            transaction._journal._connections, "lease_if_free", lambda: contextlib.nullcontext(transaction._session)
        ):
            return original(transaction, association, keys)

    original = MysqlTransaction.announce
    with patch.object(MysqlTransaction, "announce", announce):
        yield


@contextlib.contextmanager
def _guarded_documents() -> Iterator[None]:
    def replace(collection: Any, entries: Sequence[Entry]) -> None:
        for entry in entries:
            collection.replace_one({"_id": entry.identifier}, mongodb_target._document(entry), upsert=True)

    with patch.object(mongodb_target, "_replace", replace):
        yield


PROTECTIONS: dict[str, Callable[[], contextlib.AbstractContextManager[None]]] = {
    "applied after the commit": _applied_after_the_commit,
    "journal entry": _journal_entry,
    "durable intent": _durable_intent,
    "guarded documents": _guarded_documents,
}


def without(protection: str) -> Callable[[Work], Work]:
    """Makes work that is done with this protection off."""
    return lambda work: Broken(work, protection)
