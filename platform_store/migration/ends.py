"""The two stores that a migration goes between, and the settings by which another process opens the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from platform_store.config import Config, MongodbConfig, MysqlConfig, TlsConfig
from platform_store.errors import NotSupported
from platform_store.stores.base import RowStore
from platform_store.stores.bulk import Collections, Tables
from platform_store.stores.documents import DocumentStore
from platform_store.stores.mongodb import MongoDocumentStore
from platform_store.stores.mysql_rows import MysqlRowStore


@dataclass(frozen=True, slots=True)
class Ends:
    """Both stores."""

    rows: RowStore
    documents: DocumentStore
    table: Tables
    collection: Collections


def ends(rows: RowStore, documents: DocumentStore) -> Ends:
    """Raises NotSupported for the embedded pair."""
    table, collection = rows.bulk, documents.bulk
    if table is None or collection is None:
        raise NotSupported("migrate", "is not supported by the embedded pair: it is one file, with nothing to move")
    return Ends(rows, documents, table, collection)


@contextmanager
def opened(settings: Mapping[str, Any]) -> Iterator[Ends]:
    """The ends that :func:`settings_of` described, for a process of its own."""
    with ExitStack() as stack:
        rows = MysqlRowStore(MysqlConfig(**_with_tls(settings["mysql"])))
        stack.callback(rows.close)
        documents = MongoDocumentStore(MongodbConfig(**_with_tls(settings["mongodb"])))
        stack.callback(documents.close)
        yield ends(rows, documents)


def settings_of(config: Config) -> dict[str, Any]:
    """Plain JSON, secrets included: for a pipe to another process, and nowhere else."""
    assert config.mysql is not None
    assert config.mongodb is not None
    return {"mysql": _plain(asdict(config.mysql)), "mongodb": _plain(asdict(config.mongodb))}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return str(value) if isinstance(value, Path) else value


def _with_tls(settings: Mapping[str, Any]) -> dict[str, Any]:
    tls = settings.get("tls")
    if tls is None:
        return dict(settings)
    paths = {name: None if tls[name] is None else Path(tls[name]) for name in ("ca", "cert", "key")}
    return {**settings, "tls": TlsConfig(**paths, verify=tls["verify"])}
