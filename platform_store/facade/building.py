"""The configuration, its stores, and what looks after their journal: the one place where stores are made."""

from __future__ import annotations

import os
from contextlib import ExitStack

from platform_store.catalog import Catalog
from platform_store.config import Config
from platform_store.errors import ConfigError
from platform_store.hold import Holder
from platform_store.journal import Journal
from platform_store.reaper import Reaper
from platform_store.recovery import Recovery, Renewal
from platform_store.stores.base import RowStore
from platform_store.stores.documents import DocumentStore
from platform_store.stores.embedded import EmbeddedStore
from platform_store.stores.mongodb import MongoDocumentStore
from platform_store.stores.mysql_rows import MysqlRowStore
from platform_store.sweep import Sweeper


def build_stores(config: Config, *, watched: bool = False) -> tuple[RowStore, DocumentStore]:
    """Connects both halves. Raises Unavailable, ConfigError, NotSupported.

    ``watched``: operations are told of their requests (see :mod:`platform_store.attempts`).
    """
    if config.embedded is not None:
        store = EmbeddedStore(config.embedded)
        return store.rows, store.documents
    assert config.mysql is not None
    assert config.mongodb is not None
    rows = MysqlRowStore(config.mysql, watched=watched)
    with ExitStack() as undo:
        undo.callback(rows.close)
        documents = MongoDocumentStore(config.mongodb, watched=watched)
        undo.callback(documents.close)
        documents.check_deployment()
        undo.pop_all()
    return rows, documents


def attendants(
    rows: RowStore, documents: DocumentStore, catalog: Catalog, journal: Journal, config: Config
) -> tuple[Recovery, Reaper, Holder] | tuple[None, None, None]:
    """Who looks after the journal; nobody where there is none."""
    store, target, admission = rows.journal, documents.target, journal.admission
    if store is None or target is None or admission is None:
        return None, None, None
    renewal = Renewal(rows, store, catalog, journal)
    sweeper = Sweeper(store, target, admission, renewal.renew)
    recovery = Recovery(store, target, catalog, journal, admission, sweeper, renewal)
    reaper = Reaper(journal, store, documents, sweeper, catalog, config.journal)
    return recovery, reaper, Holder(rows, store, sweeper, config.journal)


def config_of(config: str | os.PathLike[str] | Config | None, mysql: str | None, mongodb: str | None) -> Config:
    """The configuration that :meth:`Platform.open` was given, in one form or the other."""
    if config is None:
        if mysql is None or mongodb is None:
            raise ConfigError("give a configuration, or both mysql= and mongodb=")
        return Config.from_urls(mysql=mysql, mongodb=mongodb)
    if mysql is not None or mongodb is not None:
        raise ConfigError("give a configuration or URLs, not both")
    return config if isinstance(config, Config) else Config.load(config)
