"""The stores of a configuration, and what looks after their journal: the one place where stores are made."""

from __future__ import annotations

from contextlib import ExitStack

from platform_store.catalog import Catalog
from platform_store.config import Config
from platform_store.journal import Journal
from platform_store.reaper import Reaper
from platform_store.recovery import Recovery, Renewal
from platform_store.stores.base import RowStore
from platform_store.stores.documents import DocumentStore
from platform_store.stores.embedded import EmbeddedStore
from platform_store.stores.mongodb import MongoDocumentStore
from platform_store.stores.mysql_rows import MysqlRowStore
from platform_store.sweep import Sweeper


def build_stores(config: Config) -> tuple[RowStore, DocumentStore]:
    """Connects both halves. Raises Unavailable, ConfigError, NotSupported."""
    if config.embedded is not None:
        store = EmbeddedStore(config.embedded)
        return store.rows, store.documents
    assert config.mysql is not None
    assert config.mongodb is not None
    rows = MysqlRowStore(config.mysql)
    with ExitStack() as undo:
        undo.callback(rows.close)
        documents = MongoDocumentStore(config.mongodb)
        undo.callback(documents.close)
        documents.check_deployment()
        undo.pop_all()
    return rows, documents


def attendants(
    rows: RowStore, documents: DocumentStore, catalog: Catalog, journal: Journal, config: Config
) -> tuple[Recovery, Reaper] | tuple[None, None]:
    """Who looks after the journal; nobody where there is none."""
    store, target, admission = rows.journal, documents.target, journal.admission
    if store is None or target is None or admission is None:
        return None, None
    renewal = Renewal(rows, store, catalog, journal)
    sweeper = Sweeper(store, target, admission, renewal.renew)
    recovery = Recovery(store, target, catalog, journal, admission, sweeper, renewal)
    return recovery, Reaper(journal, store, documents, sweeper, catalog, config.journal)
