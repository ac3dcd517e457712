"""Reading: the part of the facade that changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from platform_store.query.names import QueryNames
from platform_store.query.plan import QueryPlan
from platform_store.query.result import QueryResult
from platform_store.query.run import Querier
from platform_store.read import Reader
from platform_store.records import Key
from platform_store.stores.base import Parameters


class Reading:
    """What of :class:`platform_store.Platform` reads rows."""

    _reader: Reader
    _querier: Querier

    def read(self, table: str, key: Key, *, columns: Iterable[str] | None = None) -> dict[str, object] | None:
        """One row, or None. Never torn: every column is of one version of the row.

        Args:
            columns: the columns wanted (default: every declared column, None where absent, and the extra fields that
                are there). MongoDB is not asked where MySQL holds them all.

        Raises Diverged where the two halves disagree.
        """
        return self._reader.read(table, key, columns=columns)

    def read_many(
        self, table: str, keys: Iterable[Key], *, columns: Iterable[str] | None = None
    ) -> list[dict[str, object] | None]:
        """Rows aligned with ``keys``, None where absent. Each row is whole; they need not be of one moment.

        Args:
            columns: as for :meth:`read`.

        Raises Diverged where the two halves of one disagree.
        """
        return self._reader.read_many(table, keys, columns=columns)

    def find(
        self,
        table: str,
        where: Mapping[str, object] | None = None,
        *,
        order_by: Iterable[str] = (),
        after: Mapping[str, object] | None = None,
        limit: int | None = None,
        columns: Iterable[str] | None = None,
    ) -> list[dict[str, object]]:
        """Whole rows by conditions on columns of MySQL, by one statement to each store.

        An index on these columns makes it fast. Rows are held in memory: for many, take pages::

            page = platform.find("visit", {"customer_id": 7, "at": Range(ge=since)}, order_by=["at DESC"], limit=50)
            following = platform.find(..., after=page[-1])

        Args:
            where: a value for each column (None: NULL), a list, tuple or set of values of which it is one, or a
                :class:`Range`. Text compares by the column's collation. None: every row.
            order_by: columns, each with " DESC" behind it where the highest comes first; the key decides ties.
            after: the row that the page before ended with, or the values of its columns that rows are sorted by, the
                key's among them.
            limit: the most rows to return.
            columns: as for :meth:`read`.

        Each row is whole, and met the conditions when MySQL found it; their documents need not be of one moment.

        Raises:
            NotSupported: by a column that lives in MongoDB, or of a type that is not compared here (:meth:`query`
                does); ``after`` where a column of the order may be NULL and ``where`` does not compare it.
            ValueRejected: a value that its column cannot hold exactly.
        """
        return self._reader.find(table, where, order_by=order_by, after=after, limit=limit, columns=columns)

    def scan(
        self,
        table: str,
        start: Key | None = None,
        stop: Key | None = None,
        *,
        columns: Iterable[str] | None = None,
        batch_size: int = 1000,
    ) -> Iterator[dict[str, object]]:
        """Streams rows in key order, from ``start`` to ``stop``, both included; None is open.

        Memory is bounded by a few batches of ``batch_size`` rows. Each row is whole; the scan need not be of one
        moment.

        Args:
            columns: as for :meth:`read`.

        Raises Diverged where the two halves of a row disagree.
        """
        return self._reader.scan(table, start, stop, columns=columns, batch_size=batch_size)

    def read_collection(
        self, name: str, start: Key | None = None, stop: Key | None = None, *, batch_size: int = 1000
    ) -> Iterator[dict[str, Any]]:
        """Streams a collection's documents, as BSON decodes them.

        Of a table in association: the current documents of live rows, in key order, from ``start`` to ``stop``, both
        included (None is open), without the library's own fields; a row that keeps nothing in MongoDB has none. Of any
        other collection: all its documents, as they are; none where there is no such collection.

        Args:
            batch_size: how many documents are fetched at a time.

        Raises SchemaError for ``start`` or ``stop`` where the collection is in no association.
        """
        return self._reader.read_collection(name, start, stop, batch_size=batch_size)

    def query(self, sql: str, params: Parameters | None = None, *, seconds: float | None = None) -> QueryResult:
        """Runs one SELECT in MySQL's dialect over logical tables, wherever their columns live, and streams the answer.

        The answer is that of the connected MySQL server, as if its tables held all columns, at one moment of both
        stores: every write acknowledged before is in it, and every row is whole. Document columns that are needed are
        brought into temporary tables of that server, which executes the statement; see docs/query.md. The embedded pair
        answers a small part of the dialect by itself: docs/query-embedded.md.

        Args:
            sql: the statement.
            params: values for ``%s`` (a sequence) or ``%(name)s`` (a mapping); without it a ``%`` is literal.
                A list or tuple is a value right after IN alone (``id IN %s``).
            seconds: how long it may take until it is read to its end or closed; without it the configuration's
                ``query.timeout`` holds, until the first row is there. The embedded pair looks at the time between rows.

        Sessions run in UTC: NOW() and TIMESTAMP columns are UTC. MySQL views and stored functions over a logical table
        are in no association and cannot be seen here: they are made of MySQL's columns, and a query over them answers
        with those alone.

        Raises:
            ValueRejected: the parameters do not fit the placeholders, or one is of a type that cannot be sent as it is.
            NotSupported: naming the construct: the statement is not one SELECT, or has something in it that cannot be
                answered exactly.
            SchemaError: MySQL refuses it, such as for an unknown column.
            LimitExceeded: it would take more than the configuration's section ``query`` or ``seconds`` allows.
            Unavailable: a store cannot be reached.
            Diverged: a row and its document disagree.
        """
        return self._querier.query(sql, params, seconds)

    def explain(self, sql: str, params: Parameters | None = None) -> QueryPlan:
        """Runs one SELECT as :meth:`query` does, and says how instead of what: ``print(platform.explain(sql))``.

        It tells for each reference to a table which columns came from where, which conditions each store was asked
        for, the rows estimated and fetched, and the time of each step. The rows of the result are only counted.
        ``sql``, ``params`` and errors are those of :meth:`query`.
        """
        return self._querier.explain(sql, params)

    def query_names(self, sql: str, params: Parameters | None = None) -> QueryNames:
        """The tables and functions that a SELECT names, found as :meth:`query` finds them; nothing is run.

        For who wants to restrict what may be asked: :meth:`query` itself reads whatever the database account may read.
        ``sql`` and ``params`` are those of :meth:`query`. Raises NotSupported for what is not one SELECT, or cannot be
        parsed, and ValueRejected for parameters that do not fit.
        """
        return self._querier.names(sql, params)
