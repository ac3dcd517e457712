"""The embedded pair: one SQLite file standing in for both databases, for trying out, tests and small tools.

It keeps the promises of the real pair (rows and documents commit together, exact values, any number of processes) and
refuses by name what it cannot do exactly: collations other than the binary one, adopting tables, queries beyond the
part of MySQL's dialect that ``docs/query-embedded.md`` lists.
"""

from __future__ import annotations

from contextlib import ExitStack

from platform_store.config import EmbeddedConfig
from platform_store.stores.embedded_documents import EmbeddedDocumentStore
from platform_store.stores.embedded_engine import EmbeddedConnections
from platform_store.stores.embedded_rows import EmbeddedRowStore
from platform_store.stores.embedded_tables import creation


class EmbeddedStore:
    """Both halves over one file, which is made where there is none. Raises ConfigError, Unavailable."""

    def __init__(self, config: EmbeddedConfig):
        self._connections = EmbeddedConnections(config)
        with ExitStack() as undo:
            undo.callback(self._connections.close)
            self._connections.open(creation())
            undo.pop_all()
        self.rows = EmbeddedRowStore(self._connections)
        self.documents = EmbeddedDocumentStore(self._connections)

    def close(self) -> None:
        """Closes the file; closing either half does the same. May be called again."""
        self._connections.close()
