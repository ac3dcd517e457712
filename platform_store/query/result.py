"""The rows of one query, streamed once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType

from platform_store.errors import PlatformStoreError
from platform_store.query.plan import QueryPlan
from platform_store.stores.base import Cursor


class QueryResult:
    """The answer of one SELECT: one pass, and a context manager that ends the statement.

    Rows arrive as they are read, in bounded memory. Until the result is closed it holds a connection; reading it to
    the end, or leaving the ``with`` block, closes it.
    """

    _cursor: Cursor | None = None

    def __init__(self, cursor: Cursor, plan: Callable[[int], QueryPlan], tables: Sequence[str]):
        self._cursor, self._plan, self._tables = cursor, plan, tables
        self._read = 0
        self._columns = cursor.columns
        self._rows = iter(cursor)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, as MySQL gives them."""
        return self._columns

    @property
    def plan(self) -> QueryPlan:
        """How it was answered; ``rows`` are those read so far."""
        return self._plan(self._read)

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        while True:
            row = self._next()
            if row is None:
                return
            yield row

    def all(self) -> list[tuple[object, ...]]:
        """The remaining rows."""
        return list(self)

    def dicts(self) -> Iterator[dict[str, object]]:
        """The remaining rows as dictionaries; of columns with the same name the last one stays."""
        for row in self:
            yield dict(zip(self._columns, row, strict=True))

    def one(self) -> tuple[object, ...]:
        """The only row. Raises PlatformStoreError where there are none or several."""
        row = self._next()
        if row is None:
            raise PlatformStoreError("the query has no row where one was expected: take all(), where there may be none")
        if self._next() is not None:
            self.close()
            raise PlatformStoreError("the query has several rows where one was expected: narrow it, or take all()")
        return row

    def scalar(self) -> object:
        """The only value of the only row. Raises PlatformStoreError where there are none or several."""
        if len(self._columns) != 1:
            self.close()
            raise PlatformStoreError(
                f"the query has {len(self._columns)} columns where one was expected: select one, or take one()"
            )
        return self.one()[0]

    def _through(self, wrap: Callable[[Cursor], Cursor]) -> QueryResult:
        """The same rows, by way of another cursor. This result is used up."""
        cursor, self._cursor = self._cursor, None
        assert cursor is not None, "nothing was read yet"
        return QueryResult(wrap(cursor), self._plan, self._tables)

    def close(self) -> None:
        """Ends the statement; the rest of its rows is not read. May be called again."""
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            cursor.close()

    def __del__(self) -> None:
        """One that is forgotten is closed too: the driver would otherwise read the rest of its rows."""
        with contextlib.suppress(PlatformStoreError):
            self.close()

    def __enter__(self) -> QueryResult:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _next(self) -> tuple[object, ...] | None:
        if self._cursor is None:
            return None
        try:
            row = next(self._rows, None)
        except BaseException:  # an interrupt too: the connection holds the rest of an answer
            self.close()
            raise
        if row is None:
            self.close()
        else:
            self._read += 1
        return row
