"""Running a query."""

from __future__ import annotations

from collections.abc import Mapping

from platform_store.association import Association
from platform_store.catalog import Catalog
from platform_store.errors import SchemaError
from platform_store.placeholders import bind
from platform_store.query.analysis import logical_tables
from platform_store.query.result import QueryResult
from platform_store.stores.base import Parameters, RowStore, StaleAssociation


class Querier:
    """``query`` over one pair of stores."""

    def __init__(self, rows: RowStore, catalog: Catalog):
        self._rows, self._catalog = rows, catalog

    def query(self, sql: str, parameters: Parameters | None = None) -> QueryResult:
        """Runs one SELECT; see :meth:`Platform.query`."""
        named, _ = bind(sql, parameters)
        tables = logical_tables(named, self._find)
        try:
            return QueryResult(self._rows.query(sql, _plain(parameters), tables))
        except StaleAssociation as stale:
            for name in tables:
                self._catalog.reload(name)
            raise SchemaError(f"a table or column of the query is not there: {stale}") from None

    def _find(self, name: str) -> Association | None:
        """The association as the catalog has it now: a column may have moved since it was last read."""
        return self._catalog.reload(name)


def _plain(parameters: Parameters | None) -> Parameters | None:
    """As a tuple or a dict: PyMySQL takes any other sequence or mapping for a single value."""
    if parameters is None:
        return None
    return dict(parameters) if isinstance(parameters, Mapping) else tuple(parameters)
